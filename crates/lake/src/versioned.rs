//! Merging what a run states about a small table into what is believed.
//!
//! A row that is stated as it is believed changes nothing. A row stated otherwise closes the believed
//! version and opens a new one. A row that is withdrawn is closed without a successor. Of two believed rows that have
//! turned out to be of one thing, the one known last stands and the other is closed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, interleave_record_batch, take_record_batch};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::row::{RowConverter, Rows, SortField};

use crate::LakeError;
use crate::table::stamped;

/// Columns that say when a version was believed, and from which roll on, not what it says.
const TIMES: [&str; 4] = ["known_from", "known_to", "return_id", "snapshot_date"];

/// So many rows are compared at a time.
const COMPARED: usize = 8 * 1024;

/// The two halves of a table after a run.
pub struct Merged {
    /// Rows believed now, in no particular order.
    pub current: RecordBatch,
    /// Versions that this run closed.
    pub closed: RecordBatch,
    /// Rows opened, with or without a version before.
    pub opened: usize,
}

/// Merges `stated` into `current`; both have the table's columns, and `stated` carries the run's time in
/// `known_from`. The keys say which rows are versions of the same thing; where one key is stated twice
/// the later row stands. `withdrawn` are rows of `current` to be closed.
pub fn merge(
    current: &RecordBatch,
    current_keys: &[ArrayRef],
    stated: &RecordBatch,
    stated_keys: &[ArrayRef],
    withdrawn: &[usize],
    at_micros: i64,
) -> Result<Merged, LakeError> {
    let keys = RowConverter::new(current_keys.iter().map(|k| SortField::new(k.data_type().clone())).collect())?;
    let current_keys = keys.convert_columns(current_keys)?;
    let stated_keys = keys.convert_columns(stated_keys)?;
    let schema = current.schema();
    let values: Vec<usize> =
        (0..schema.fields().len()).filter(|i| !TIMES.contains(&schema.field(*i).name().as_str())).collect();
    let meanings =
        RowConverter::new(values.iter().map(|i| SortField::new(schema.field(*i).data_type().clone())).collect())?;
    let mut last: HashMap<&[u8], usize> = HashMap::with_capacity(stated.num_rows());
    for (row, key) in stated_keys.iter().enumerate() {
        last.insert(key.data(), row);
    }
    let mut keep = vec![true; current.num_rows()];
    for row in withdrawn {
        keep[*row] = false;
    }
    for row in superseded(current, &current_keys, &keep)? {
        keep[row] = false;
    }
    let mut open = vec![false; stated.num_rows()];
    // What nobody stated before is not compared.
    let stated_again: Vec<(usize, usize)> = (0..current.num_rows())
        .filter(|row| keep[*row])
        .filter_map(|row| Some((row, last.remove(current_keys.row(row).data())?)))
        .collect();
    for row in last.into_values() {
        open[row] = true;
    }
    let of = |batch: &RecordBatch, rows: UInt32Array| -> Result<Rows, LakeError> {
        let taken = take_record_batch(&batch.project(&values)?, &rows)?;
        Ok(meanings.convert_columns(taken.columns())?)
    };
    for pairs in stated_again.chunks(COMPARED) {
        let before = of(current, pairs.iter().map(|(row, _)| *row as u32).collect())?;
        let now = of(stated, pairs.iter().map(|(_, new)| *new as u32).collect())?;
        for (row, new) in (0..pairs.len()).filter(|i| before.row(*i) != now.row(*i)).map(|i| pairs[i]) {
            (keep[row], open[new]) = (false, true);
        }
    }

    let of = |batch: usize, rows: &[bool]| -> Vec<(usize, usize)> {
        rows.iter().enumerate().filter(|(_, stands)| **stands).map(|(row, _)| (batch, row)).collect()
    };
    let (mut believed, opened) = (of(0, &keep), of(1, &open));
    believed.extend(&opened);
    let gone = keep.into_iter().map(|k| !k).collect::<Vec<_>>();
    let closed = close(&filter_record_batch(current, &BooleanArray::from(gone))?, at_micros)?;
    // What nothing was known of before is all as it was stated, most often in order: it is not copied.
    let is_stated = current.num_rows() == 0 && opened.iter().enumerate().all(|(i, (_, row))| i == *row);
    let current = match is_stated && opened.len() == stated.num_rows() {
        true => stated.clone(),
        false => interleave_record_batch(&[current, stated], &believed)?,
    };
    Ok(Merged { current, closed, opened: opened.len() })
}

/// Of the rows to keep, those that a better one of the same key takes the place of: one still on roll stands before one
/// that has left or is missing, then the one known last, then the one that no roll is without.
fn superseded(current: &RecordBatch, keys: &Rows, keep: &[bool]) -> Result<Vec<usize>, LakeError> {
    let from = current.column(current.schema().index_of("known_from")?).as_primitive::<TimestampMicrosecondType>();
    let is_blank = |name: &str, row: usize| current.column_by_name(name).is_none_or(|column| column.is_null(row));
    let rank = |row: usize| {
        let is_found = is_blank("missing_since", row);
        (is_found && is_blank("leaving_date", row), from.value(row), is_found)
    };
    let mut newest: HashMap<&[u8], usize> = HashMap::with_capacity(current.num_rows());
    let mut superseded = Vec::new();
    for (row, key) in keys.iter().enumerate().filter(|(row, _)| keep[*row]) {
        let stands = newest.entry(key.data()).or_insert(row);
        if *stands != row {
            let is_newer = rank(*stands) <= rank(row);
            superseded.push(if is_newer { std::mem::replace(stands, row) } else { row });
        }
    }
    Ok(superseded)
}

/// Rows with `known_to` set; a version that was never believed for any time is left out, since two
/// versions of one thing may not begin at the same instant.
fn close(rows: &RecordBatch, at_micros: i64) -> Result<RecordBatch, LakeError> {
    let schema = rows.schema();
    let from = rows.column(schema.index_of("known_from")?).as_primitive::<TimestampMicrosecondType>();
    let lasting: UInt32Array = (0..rows.num_rows()).filter(|i| from.value(*i) < at_micros).map(|i| i as u32).collect();
    let rows = take_record_batch(rows, &lasting)?;
    let mut columns = rows.columns().to_vec();
    columns[schema.index_of("known_to")?] = stamped(at_micros, rows.num_rows());
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The columns that identify a row's thing, for tables whose key is plain columns.
pub fn key_columns(batch: &RecordBatch, names: &[&str]) -> Result<Vec<ArrayRef>, LakeError> {
    names.iter().map(|name| Ok(Arc::clone(batch.column(batch.schema().index_of(name)?)))).collect()
}

/// No rows of a schema.
pub fn nothing(schema: &SchemaRef) -> RecordBatch {
    RecordBatch::new_empty(Arc::clone(schema))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;
    use crate::table::stamps;
    use arrow::array::{Int32Array, Int64Array, StringArray};

    fn links(rows: &[(i32, i32, &str, i64)]) -> RecordBatch {
        let schema = Table::SchoolLink.schema();
        RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| r.0))),
                Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| r.1))),
                Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.2))),
                arrow::array::new_null_array(schema.field(3).data_type(), rows.len()),
                stamps(rows.iter().map(|r| r.3).collect::<Vec<_>>()),
                stamps(vec![None; rows.len()]),
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.3))),
            ],
        )
        .unwrap()
    }

    fn run(current: &RecordBatch, stated: &RecordBatch, withdrawn: &[usize], at: i64) -> Merged {
        let keys = |b| key_columns(b, &["urn", "link_urn"]).unwrap();
        merge(current, &keys(current), stated, &keys(stated), withdrawn, at).unwrap()
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let first = links(&[(1, 2, "Predecessor", 10)]);
        let again = run(&first, &links(&[(1, 2, "Predecessor", 20)]), &[], 20);
        assert_eq!((again.opened, again.closed.num_rows()), (0, 0));
        assert_eq!(again.current, first);
    }

    #[test]
    fn a_change_closes_one_version_and_opens_another() {
        let first = links(&[(1, 2, "Predecessor", 10), (3, 4, "Successor", 10)]);
        let merged = run(&first, &links(&[(1, 2, "Merged", 20)]), &[1], 20);
        assert_eq!((merged.current.num_rows(), merged.closed.num_rows()), (1, 2));
        assert_eq!(merged.closed.column_by_name("known_to").unwrap().null_count(), 0);
    }

    #[test]
    fn of_two_rows_that_turn_out_to_be_one_the_newer_stands() {
        let both = links(&[(1, 2, "Predecessor", 15), (1, 2, "Successor", 10), (3, 4, "Successor", 10)]);
        for stated in [links(&[(1, 2, "Predecessor", 20)]), links(&[]), links(&[(1, 2, "Merged", 20)])] {
            let merged = run(&both, &stated, &[], 20);
            assert_eq!(merged.current.num_rows(), 2);
            assert_eq!(merged.closed.num_rows(), 1 + merged.opened);
        }
    }

    #[test]
    fn a_version_that_lasted_no_time_is_replaced() {
        let first = links(&[(1, 2, "Predecessor", 20)]);
        let merged = run(&first, &links(&[(1, 2, "Merged", 20)]), &[], 20);
        assert_eq!((merged.current.num_rows(), merged.closed.num_rows()), (1, 0));
    }
}
