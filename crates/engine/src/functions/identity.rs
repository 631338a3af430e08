//! Names of things: a key's UPN, and an identifier that is the same whenever it is derived.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::logical_expr::ScalarUDF;
use model::Upn;
use sha2::{Digest, Sha256};

use super::scalar;

/// `upn_of(pupil_key)` and `stable_id(text)`.
pub fn all() -> Vec<ScalarUDF> {
    let upn_of = scalar("upn_of", vec![DataType::Int64], DataType::Utf8, |arrays: &[ArrayRef], _| {
        let keys = arrays[0].as_primitive::<Int64Type>();
        let mut upns = StringBuilder::with_capacity(keys.len(), keys.len() * 13);
        for upn in keys.iter().map(|key| key.and_then(Upn::of_key)) {
            upns.append_option(upn.as_ref().map(Upn::as_str));
        }
        Ok(Arc::new(upns.finish()))
    });
    let stable_id = scalar("stable_id", vec![DataType::Utf8], DataType::Utf8, |arrays: &[ArrayRef], _| {
        let ids: StringArray =
            arrays[0].as_string::<i32>().iter().map(|t| t.map(|t| lake::path::hex(&Sha256::digest(t)[..10]))).collect();
        Ok(Arc::new(ids))
    });
    vec![upn_of, stable_id]
}
