//! What SQL says badly: work on the fourteen boxes of a line, and on a child's whole register.
//!
//! Boxes are also spoken of as a mask: bit 0 is Monday AM, bit 13 Sunday PM. A set of codes is named as in
//! [`model::CodeTable::set`]: a class, a measure, or `codes:G N O U`.

mod aggregate;
mod boxes;
mod counters;
mod identity;
mod lists;
mod register;
mod session_counts;
mod spells;
mod stints;
mod tally;
mod union;
mod weeks;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Date32Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use model::CodeTable;

use crate::line_book::LineBook;

/// Makes every function known to a session, whose lines the book numbers.
pub(crate) fn register_all(
    registry: &mut dyn FunctionRegistry,
    codes: &Arc<CodeTable>,
    book: &Arc<LineBook>,
) -> Result<()> {
    let registers = register::scalars(codes, book).into_iter().chain(session_counts::scalars());
    for function in boxes::all(codes).into_iter().chain(registers).chain(identity::all()).chain([stints::scalar()]) {
        registry.register_udf(Arc::new(function))?;
    }
    for function in counters::aggregates(book).into_iter().chain(union::aggregates(book)).chain([stints::of_several()])
    {
        registry.register_udaf(Arc::new(function))?;
    }
    Ok(())
}

/// Whether a function is one of these.
pub(crate) fn is_ours(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<Named<Scalar>>().is_some()
}

/// A day of a column, or what stands for none.
fn day_or(days: &Date32Array, i: usize, none: i32) -> i32 {
    if days.is_null(i) { none } else { days.value(i) }
}

type Body = Box<dyn Fn(&[ArrayRef], usize) -> Result<ArrayRef> + Send + Sync>;

/// A function known to SQL, compared by its name: one has one name in a session.
struct Named<F> {
    name: &'static str,
    function: F,
}

impl<F> fmt::Debug for Named<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl<F> PartialEq for Named<F> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<F> Eq for Named<F> {}

impl<F> Hash for Named<F> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// A function of fixed types whose arguments are cast to them, so that SQL may write plain numbers.
struct Scalar {
    takes: Vec<DataType>,
    gives: DataType,
    signature: Signature,
    body: Body,
    /// The codes that its second argument names a set of.
    codes: Option<Arc<CodeTable>>,
}

/// Makes a function of arrays, whose second argument names a set of codes, known to SQL.
fn scalar_of_set(
    codes: &Arc<CodeTable>,
    name: &'static str,
    takes: Vec<DataType>,
    gives: DataType,
    body: impl Fn(&[ArrayRef], usize) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let function = Scalar { codes: Some(Arc::clone(codes)), ..Scalar::new(takes, gives, Box::new(body)) };
    ScalarUDF::from(Named { name, function })
}

/// Makes a function of arrays known to SQL. `body` is given the arguments and the number of rows.
fn scalar(
    name: &'static str,
    takes: Vec<DataType>,
    gives: DataType,
    body: impl Fn(&[ArrayRef], usize) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    ScalarUDF::from(Named { name, function: Scalar::new(takes, gives, Box::new(body)) })
}

impl Scalar {
    fn new(takes: Vec<DataType>, gives: DataType, body: Body) -> Self {
        Self { takes, gives, signature: Signature::user_defined(Volatility::Immutable), body, codes: None }
    }

    /// The function as one that is dear: a filter on what it gives is not pushed below the column that gives it,
    /// where it would be worked out a second time. Only a function that is said to change is left where it stands.
    fn once(mut self) -> Self {
        self.signature = Signature::user_defined(Volatility::Volatile);
        self
    }
}

impl ScalarUDFImpl for Named<Scalar> {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.function.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.function.gives.clone())
    }

    /// A set that is none is told when the question is planned, not when a row is met.
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let set = args.scalar_arguments.get(1).copied().flatten().and_then(|set| set.try_as_str().flatten());
        if let (Some(codes), Some(set)) = (&self.function.codes, set) {
            boxes::set_of(codes, set)?;
        }
        Ok(Arc::new(Field::new(self.name, self.function.gives.clone(), true)))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        if given.len() != self.function.takes.len() {
            return plan_err!("{}() takes {} arguments, not {}", self.name, self.function.takes.len(), given.len());
        }
        Ok(self.function.takes.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let single = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if single { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|a| a.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let out = (self.function.body)(&arrays, rows)?;
        Ok(match single {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&out, 0)?),
            false => ColumnarValue::Array(out),
        })
    }
}
