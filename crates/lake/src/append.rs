//! Files that are only added to: folding many small ones into few, so that their number stays flat
//! however many runs a year has.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int32Type;
use arrow::row::{RowConverter, SortField};
use futures::future::join_all;

use crate::parquet_file::{FileWriter, read_all};
use crate::run::DataFile;
use crate::{Lake, LakeError, Table, path};

/// So many files of like size in one partition are folded into one. A row is then rewritten once for
/// every eightfold growth: seven times in two million runs.
const FOLD: usize = 8;

/// A file is written in parts of at least so many rows.
const PART: usize = 512 * 1024;

/// Batches of so many rows are worth a file each, and are written by several cores.
const APART: usize = 32 * 1024;

/// Adds batches of rows to a partition, folding files where enough of like size have gathered; those of `large` rows or
/// more are left for another time.
pub async fn append(
    lake: &Lake,
    table: Table,
    partition: BTreeMap<String, String>,
    files: Vec<DataFile>,
    rows: Vec<RecordBatch>,
    large: u64,
) -> Result<Vec<DataFile>, LakeError> {
    let (mut kept, mut folding) = (files, Vec::new());
    let mut size = rows.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
    if size == 0 {
        return Ok(kept);
    }
    while size < large {
        let is_alike = |f: &DataFile| f.rows <= 2 * size && f.rows < large;
        let (mut alike, others): (Vec<_>, Vec<_>) = kept.iter().cloned().partition(is_alike);
        if alike.len() + 1 < FOLD {
            break;
        }
        size += alike.iter().map(|f| f.rows).sum::<u64>();
        folding.append(&mut alike);
        kept = others;
    }
    if folding.is_empty() && rows.iter().all(|batch| APART <= batch.num_rows()) {
        let mut parts = Vec::new();
        for batch in &rows {
            parts.extend(parts_of(table, &sorted(table, batch)?, PART));
        }
        kept.extend(written(lake, table, partition, parts).await?);
    } else {
        kept.extend(folded(lake, table, partition, folding, rows).await?);
    }
    kept.sort();
    Ok(kept)
}

/// Writes the rows of some files and others as one, or as parts of schools where they are many.
pub async fn folded(
    lake: &Lake,
    table: Table,
    partition: BTreeMap<String, String>,
    files: Vec<DataFile>,
    rows: Vec<RecordBatch>,
) -> Result<Vec<DataFile>, LakeError> {
    let reading = files.into_iter().map(|file| {
        let lake = lake.clone();
        tokio::spawn(async move { read_all(&lake, table, std::iter::once(&file)).await })
    });
    let mut gathered = rows;
    for read in join_all(reading.collect::<Vec<_>>()).await {
        gathered.push(read.map_err(|e| LakeError::stopped(table.name(), &e))??);
    }
    let all = sorted(table, &concat_batches(&table.schema(), &gathered)?)?;
    written(lake, table, partition, parts_of(table, &all, PART)).await
}

/// Writes batches of rows in order, a file each.
async fn written(
    lake: &Lake,
    table: Table,
    partition: BTreeMap<String, String>,
    batches: Vec<RecordBatch>,
) -> Result<Vec<DataFile>, LakeError> {
    let writing = batches.into_iter().map(|part| {
        let (lake, partition) = (lake.clone(), partition.clone());
        tokio::spawn(async move {
            let mut writer = FileWriter::new(table.schema())?;
            writer.write(&part)?;
            writer.put(&lake, &path::table(table), partition).await
        })
    });
    let mut written = Vec::new();
    for part in join_all(writing.collect::<Vec<_>>()).await {
        written.extend(part.map_err(|e| LakeError::stopped(table.name(), &e))??);
    }
    Ok(written)
}

/// Rows in order as they are written: many are written by several cores, each some schools, at least so many rows.
fn parts_of(table: Table, rows: &RecordBatch, least: usize) -> Vec<RecordBatch> {
    let mut parts = Vec::new();
    let mut begun = 0;
    let urns = rows.column_by_name("urn").filter(|_| table.identity_columns().first() == Some(&"urn"));
    if let Some(urns) = urns.and_then(|c| c.as_primitive_opt::<Int32Type>()) {
        while urns.null_count() == 0 && begun + 2 * least <= rows.num_rows() {
            let urn = urns.value(begun + least);
            let end = begun + urns.values()[begun..].partition_point(|u| *u < urn);
            if end == begun {
                break;
            }
            parts.push(rows.slice(begun, end - begun));
            begun = end;
        }
    }
    parts.push(rows.slice(begun, rows.num_rows() - begun));
    parts
}

/// Rows in the table's own order, so that neighbours in the file are neighbours in the register.
pub fn sorted(table: Table, rows: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let mut columns = crate::versioned::key_columns(rows, table.identity_columns())?;
    columns.push(Arc::clone(rows.column(rows.schema().index_of("known_from")?)));
    let fields = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
    let keys = RowConverter::new(fields)?.convert_columns(&columns)?;
    let is_before = |a: usize, b: usize| keys.row(a) <= keys.row(b);
    if (1..rows.num_rows()).all(|i| is_before(i - 1, i)) {
        return Ok(rows.clone());
    }
    // A stable sort finds what is in order already: rows come as the files they were read from, one after another.
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by(|a, b| keys.row(*a as usize).cmp(&keys.row(*b as usize)));
    Ok(take_record_batch(rows, &UInt32Array::from(order))?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array};

    use super::*;

    #[test]
    fn parts_are_of_whole_schools_and_lose_nothing() {
        let of = |urns: Vec<i32>| {
            RecordBatch::try_from_iter([("urn", Arc::new(Int32Array::from(urns)) as ArrayRef)]).unwrap()
        };
        let lengths = |table, rows: &RecordBatch| {
            let parts = parts_of(table, rows, 3);
            assert_eq!(concat_batches(&rows.schema(), &parts).unwrap(), *rows);
            parts.iter().map(RecordBatch::num_rows).collect::<Vec<_>>()
        };
        assert_eq!(lengths(Table::RegisterWeek, &of(vec![1, 1, 1, 2, 2, 3, 3, 4])), [3, 5]);
        assert_eq!(lengths(Table::RegisterWeek, &of(vec![1, 1, 2, 2, 2, 3, 3, 4, 4])), [2, 3, 4]);
        assert_eq!(lengths(Table::RegisterWeek, &of(vec![1; 9])), [9]);
        // Rows that do not lie in order of school stay together.
        assert_eq!(lengths(Table::AlertEvent, &of(vec![1, 1, 1, 2, 2, 3, 3, 4])), [8]);
    }
}
