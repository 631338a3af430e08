//! What SQL says badly: work on the fourteen boxes of a line, and on a child's whole register.
//!
//! Boxes are also spoken of as a mask: bit 0 is Monday AM, bit 13 Sunday PM. A set of codes is named as in
//! [`model::CodeTable::set`]: a class, a measure, or `codes:G N O U`.

pub mod boxes;
pub mod counters;
pub mod identity;
pub mod register;

use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use model::CodeTable;

/// Makes every function known to a session.
pub fn register_all(registry: &mut dyn FunctionRegistry, codes: &Arc<CodeTable>) -> datafusion::common::Result<()> {
    for function in boxes::all(codes).into_iter().chain(register::scalars(codes)).chain(counters::scalars()).chain(identity::all())
    {
        registry.register_udf(Arc::new(function))?;
    }
    for function in counters::aggregates(codes).into_iter().chain([register::aggregate()]) {
        registry.register_udaf(Arc::new(function))?;
    }
    Ok(())
}
