//! Delta tables without an engine: create, and commit "the table now holds exactly these files".
//!
//! A run names its files, so a commit is the difference between the newest Delta version, whoever wrote
//! it, and those files. A version left behind by a run that was cut off is undone by the next commit,
//! and needs no repair of its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, CommitInfo, MetadataExt, Remove, StructField, StructType, Transaction};
use deltalake::logstore::{LogStoreRef, default_logstore};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::config::TableProperty;
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use url::Url;

use crate::run::{DataFile, TableState};
use crate::{Lake, LakeError};

/// Whoever opens a table reads its last checkpoint and the commits since, one after another.
const CHECKPOINT_EVERY: u64 = 10;

const OPERATION: DeltaOperation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };

/// How often a commit that lost to another writer is tried again.
const ATTEMPTS: usize = 8;

/// A Delta table to be, wherever it stands.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in messages.
    pub name: &'static str,
    /// Its root below the lake.
    pub root: object_store::path::Path,
    /// Columns of its files.
    pub schema: SchemaRef,
    /// Columns that lie in the path.
    pub partitions: Vec<&'static str>,
}

impl Target {
    /// The columns of its files, and those that lie in the path.
    fn columns(&self) -> Result<StructType, DeltaTableError> {
        let mut columns: Vec<Field> = self.schema.fields().iter().map(|f| f.as_ref().clone()).collect();
        columns.extend(self.partitions.iter().map(|name| Field::new(*name, DataType::Utf8, true)));
        Ok((&Schema::new(columns)).try_into_kernel()?)
    }
}

/// Makes the table hold exactly `files` and says at which version it does. `before` is how a run left it;
/// `run` is written as the transaction of application `rollcall`, `millis` as the files' time.
pub async fn commit(
    lake: &Lake,
    target: &Target,
    before: &TableState,
    files: Vec<DataFile>,
    run: u64,
    millis: i64,
) -> Result<TableState, LakeError> {
    if let Some(version) = follow(lake, target, before, &files, run, millis).await? {
        return Ok(TableState { version: Some(version), files });
    }
    let fault = |source: DeltaTableError| LakeError::Delta { table: target.name, source: Box::new(source) };
    let mut tried = 0;
    loop {
        let table = open_or_create(lake, target).await.map_err(fault)?;
        let held: BTreeSet<String> = table
            .snapshot()
            .map_err(fault)?
            .snapshot()
            .file_views(&table.log_store(), None)
            .map_ok(|view| view.path().to_string())
            .try_collect()
            .await
            .map_err(fault)?;
        let mut actions = actions(&held.iter().map(String::as_str).collect(), &files, millis);
        actions.extend(changed_columns(&table, target).map_err(fault)?);
        let version = table.version().unwrap_or_default();
        if actions.is_empty() {
            return Ok(TableState { version: Some(version), files });
        }
        let mut properties = CommitProperties::default().with_max_retries(0).with_cleanup_expired_logs(Some(false));
        if run > 0 {
            properties = properties.with_application_transaction(transaction(run));
        }
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(table.snapshot().map_err(fault)?), table.log_store(), OPERATION)
            .await;
        tried += 1;
        match committed {
            Ok(done) => return Ok(TableState { version: Some(done.version()), files }),
            // Another writer was first. Whoever records the run first wins; here we only line up.
            Err(e) if ATTEMPTS <= tried || !lost_a_race(&e) => return Err(fault(e)),
            Err(_) => continue,
        }
    }
}

/// The files that the newest version of a table holds, below its root.
pub(crate) async fn held(lake: &Lake, root: object_store::path::Path) -> Result<BTreeSet<String>, LakeError> {
    let target = Target { name: "published", root, schema: Arc::new(Schema::empty()), partitions: Vec::new() };
    let held = async {
        let mut table = DeltaTable::new(log_store(lake, &target)?);
        table.load().await?;
        let views = table.snapshot()?.snapshot().file_views(&table.log_store(), None);
        views.map_ok(|view| view.path().to_string()).try_collect().await
    };
    held.await.map_err(|source: DeltaTableError| LakeError::Delta { table: target.name, source: Box::new(source) })
}

/// Commits the next version after the one that a run left, without reading the log: where nobody has written since,
/// that version held the run's files. `None` where somebody has, where the log is gone, or where a checkpoint is due,
/// which needs it all.
async fn follow(
    lake: &Lake,
    target: &Target,
    before: &TableState,
    files: &[DataFile],
    run: u64,
    millis: i64,
) -> Result<Option<u64>, LakeError> {
    let place = |version: u64| target.root.clone().join("_delta_log").join(format!("{version:020}.json"));
    let Some(last) = before.version else { return Ok(None) };
    let version = last + 1;
    // Where the log has been taken away it begins anew.
    if (version + 1).is_multiple_of(CHECKPOINT_EVERY) || lake.read(&place(last)).await?.is_none() {
        return Ok(None);
    }
    let held = before.files.iter().map(|f| f.path.as_str()).collect();
    let info = CommitInfo { timestamp: Some(millis), ..OPERATION.get_commit_info() };
    let mut lines = vec![Action::CommitInfo(info)];
    lines.extend(actions(&held, files, millis));
    lines.push(Action::Txn(transaction(run)));
    let mut text = Vec::new();
    for line in &lines {
        serde_json::to_writer(&mut text, line)
            .map_err(|e| LakeError::Damaged { path: target.root.to_string(), reason: e.to_string() })?;
        text.push(b'\n');
    }
    Ok(lake.put_new(&place(version), text.into()).await?.then_some(version))
}

/// What takes a table from the files it holds to those it shall hold.
fn actions(held: &BTreeSet<&str>, files: &[DataFile], millis: i64) -> Vec<Action> {
    let wanted: BTreeSet<&str> = files.iter().map(|f| f.path.as_str()).collect();
    let removed = held.difference(&wanted).map(|path| Action::Remove(remove(path, millis)));
    let added = files.iter().filter(|f| !held.contains(f.path.as_str())).map(|f| Action::Add(add(f, millis)));
    removed.chain(added).collect()
}

fn transaction(run: u64) -> Transaction {
    Transaction::new("rollcall", run as i64)
}

fn lost_a_race(error: &DeltaTableError) -> bool {
    matches!(error, DeltaTableError::Transaction { .. } | DeltaTableError::VersionAlreadyExists(_))
}

async fn open_or_create(lake: &Lake, target: &Target) -> Result<DeltaTable, DeltaTableError> {
    let mut table = DeltaTable::new(log_store(lake, target)?);
    if table.verify_deltatable_existence().await? {
        table.load().await?;
        return Ok(table);
    }
    let columns: Vec<StructField> = target.columns()?.fields().cloned().collect();
    let created = CreateBuilder::new()
        .with_log_store(table.log_store())
        .with_columns(columns)
        .with_partition_columns(target.partitions.iter().copied())
        .with_configuration_property(TableProperty::CheckpointInterval, Some(CHECKPOINT_EVERY.to_string()))
        .with_save_mode(SaveMode::Ignore)
        .await?;
    Ok(created)
}

/// What tells readers of the table's columns, where its files have others than it had.
fn changed_columns(table: &DeltaTable, target: &Target) -> Result<Option<Action>, DeltaTableError> {
    let (snapshot, columns) = (table.snapshot()?.snapshot(), target.columns()?);
    if snapshot.schema().as_ref() == &columns {
        return Ok(None);
    }
    Ok(Some(Action::Metadata(snapshot.metadata().clone().with_schema(&columns)?)))
}

/// The table's log. The library finds files by the URL's path in a root store. For a disk that must be the
/// whole disk: it looks at the folder itself, since a disk's listing comes in no order. Elsewhere it is the
/// lake's own store, and the URL's scheme names no place.
fn log_store(lake: &Lake, target: &Target) -> Result<LogStoreRef, DeltaTableError> {
    let on_disk = lake.url().scheme() == "file";
    let url = match on_disk {
        true => format!("{}{}/", lake.url(), target.root),
        false => format!("memory:///{}/", target.root),
    };
    let url = Url::parse(&url).map_err(|_| DeltaTableError::InvalidTableLocation(url))?;
    let root: Arc<dyn ObjectStore> =
        if on_disk { Arc::new(object_store::local::LocalFileSystem::new()) } else { lake.store() };
    let prefixed = Arc::new(PrefixStore::new(lake.store(), target.root.clone()));
    Ok(default_logstore(prefixed, root, &url, &Default::default()))
}

fn add(file: &DataFile, millis: i64) -> Add {
    let partition_values: HashMap<String, Option<String>> =
        file.partition.iter().map(|(k, v)| (k.clone(), Some(v.clone()))).collect();
    let mut stats = serde_json::json!({ "numRecords": file.rows });
    if let Some((least, greatest)) = file.urns {
        stats["minValues"] = serde_json::json!({ "urn": least });
        stats["maxValues"] = serde_json::json!({ "urn": greatest });
        stats["nullCount"] = serde_json::json!({ "urn": 0 });
    }
    Add {
        path: file.path.clone(),
        partition_values,
        size: file.bytes as i64,
        modification_time: millis,
        data_change: true,
        stats: Some(stats.to_string()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

fn remove(path: &str, millis: i64) -> Remove {
    Remove {
        path: path.to_owned(),
        data_change: true,
        deletion_timestamp: Some(millis),
        extended_file_metadata: None,
        partition_values: None,
        size: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}
