//! Rows that are stated about a table, merged with those believed so far.

use std::collections::BTreeMap;

use anyhow::Result;
use arrow::array::{ArrayRef, RecordBatch};
use lake::table::{CURRENT, PAST};
use lake::{RunRecord, Table, TableState, versioned};

use super::Ingest;

/// Merges rows stated about a table. `keys` stand for the table's own identity columns where given.
pub(super) async fn state(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    table: Table,
    stated: RecordBatch,
    keys: Option<(Vec<ArrayRef>, Vec<ArrayRef>, RecordBatch)>,
    withdrawn: &[usize],
    at: i64,
) -> Result<()> {
    if stated.num_rows() == 0 && withdrawn.is_empty() {
        return Ok(());
    }
    let before = run.table(table);
    let (current_keys, stated_keys, current) = match keys {
        Some(keys) => keys,
        None => {
            let current = believed(ingest, run, table).await?;
            let names = table.identity_columns();
            (versioned::key_columns(&current, names)?, versioned::key_columns(&stated, names)?, current)
        }
    };
    let merged = versioned::merge(&current, &current_keys, &stated, &stated_keys, withdrawn, at)?;
    if merged.opened == 0 && merged.closed.num_rows() == 0 && merged.current.num_rows() == current.num_rows() {
        return Ok(());
    }
    let partition = |belief: &str| BTreeMap::from([("belief".to_owned(), belief.to_owned())]);
    let past: Vec<_> = before.of_belief(PAST).cloned().collect();
    let mut files =
        lake::append::append(ingest.lake, table, partition(PAST), past, vec![merged.closed], u64::MAX).await?;
    let mut writer = lake::parquet_file::FileWriter::new(table.schema())?;
    writer.write(&lake::append::sorted(table, &merged.current)?)?;
    files.extend(writer.put(ingest.lake, &lake::path::table(table), partition(CURRENT)).await?);
    run.tables.insert(table.name().to_owned(), TableState { version: before.version, files });
    Ok(())
}

/// The rows that are believed of a table.
pub(super) async fn believed(ingest: &Ingest<'_>, run: &RunRecord, table: Table) -> Result<RecordBatch> {
    Ok(lake::parquet_file::read_all(ingest.lake, table, run.table(table).of_belief(CURRENT)).await?)
}
