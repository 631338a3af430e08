//! Names of things: a key's UPN, and an identifier that is the same whenever it is derived.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use model::Upn;
use sha2::{Digest, Sha256};

/// `upn_of(pupil_key)` and `stable_id(text)`.
pub fn all() -> Vec<ScalarUDF> {
    let upn_of = create_udf(
        "upn_of",
        vec![DataType::Int64],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let keys = arrays[0].as_primitive::<Int64Type>();
            let upns: StringArray =
                keys.iter().map(|k| k.and_then(Upn::of_key).map(|u| u.as_str().to_owned())).collect();
            Ok(ColumnarValue::Array(Arc::new(upns) as ArrayRef))
        }),
    );
    let stable_id = create_udf(
        "stable_id",
        vec![DataType::Utf8],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|args: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(args)?;
            let ids: StringArray = arrays[0]
                .as_string::<i32>()
                .iter()
                .map(|t| t.map(|t| lake::landing::hex(&Sha256::digest(t)[..10])))
                .collect();
            Ok(ColumnarValue::Array(Arc::new(ids) as ArrayRef))
        }),
    );
    vec![upn_of, stable_id]
}
