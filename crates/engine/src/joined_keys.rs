//! `believed.joined_key`: which keys are one child, through every change of UPN.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use lake::register::Roots;
use lake::{Lake, LakeError, RunRecord, Table};

use crate::error::EngineError;

/// Which keys are one child, as known at an instant: former key to the key that replaced it.
pub async fn former_keys(lake: &Lake, run: &RunRecord, known_at: i64) -> Result<Vec<(i64, i64)>, LakeError> {
    let state = run.table(Table::Identity);
    let rows = lake::parquet_file::read_all(lake, Table::Identity, state.files.iter()).await?;
    let former = rows.column(0).as_primitive::<Int64Type>();
    let now = rows.column(1).as_primitive::<Int64Type>();
    let from = rows.column(2).as_primitive::<TimestampMicrosecondType>();
    Ok((0..rows.num_rows()).filter(|i| from.value(*i) <= known_at).map(|i| (former.value(i), now.value(i))).collect())
}

/// Every key of a chain of changed UPNs to the first of the chain (the child's `pupil_key`).
pub fn roots(former: &[(i64, i64)]) -> Roots {
    chains(former).into_iter().map(|(key, (root, _))| (key, root)).collect()
}

/// Every key of a chain to its first and its newest key. A ring (A became B, B became A) has its least key
/// as first and its greatest as newest.
fn chains(former: &[(i64, i64)]) -> HashMap<i64, (i64, i64)> {
    let mut neighbours: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    let (mut replaced, mut replacing) = (BTreeSet::new(), BTreeSet::new());
    for (old, new) in former {
        neighbours.entry(*old).or_default().insert(*new);
        neighbours.entry(*new).or_default().insert(*old);
        replaced.insert(*old);
        replacing.insert(*new);
    }
    let mut found: HashMap<i64, (i64, i64)> = HashMap::new();
    for start in neighbours.keys() {
        if found.contains_key(start) {
            continue;
        }
        let (mut class, mut waiting) = (BTreeSet::new(), vec![*start]);
        while let Some(key) = waiting.pop() {
            if class.insert(key) {
                waiting.extend(&neighbours[&key]);
            }
        }
        let first = class.iter().find(|k| !replacing.contains(k)).or(class.first()).copied();
        let newest = class.iter().rev().find(|k| !replaced.contains(k)).or(class.last()).copied();
        if let (Some(first), Some(newest)) = (first, newest) {
            found.extend(class.into_iter().map(|k| (k, (first, newest))));
        }
    }
    found
}

/// The columns of `believed.joined_key`: a key, the first key of its chain, the newest. They have no name in common
/// with what they are joined with: a filter on `coalesce` of two columns of one name is pushed to the wrong side.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(
        ["line_key", "first_key", "newest_key"].map(|n| Field::new(n, DataType::Int64, false)).to_vec(),
    ))
}

pub(crate) async fn joined_keys(lake: &Lake, run: &RunRecord, known_at: i64) -> Result<RecordBatch, EngineError> {
    let mut keys: Vec<(i64, i64, i64)> = chains(&former_keys(lake, run, known_at).await?)
        .into_iter()
        .map(|(key, (first, newest))| (key, first, newest))
        .collect();
    keys.sort_unstable();
    let column =
        |f: fn(&(i64, i64, i64)) -> i64| Arc::new(Int64Array::from_iter_values(keys.iter().map(f))) as ArrayRef;
    Ok(RecordBatch::try_new(schema(), vec![column(|k| k.0), column(|k| k.1), column(|k| k.2)])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_changed_upns_have_one_first_and_one_newest_key() {
        let found = chains(&[(1, 5), (5, 3), (8, 9)]);
        assert_eq!((found[&1], found[&5], found[&3]), ((1, 3), (1, 3), (1, 3)));
        assert_eq!(found[&9], (8, 9));
        assert_eq!(chains(&[(2, 4), (4, 2)])[&2], (2, 4));
    }
}
