//! Taking away data files that no run a reader may hold still names.
//!
//! A run rewrites the months it touches, so a year of daily runs leaves many times the ledger behind. Everything a
//! question can ask for stands in the files of the newest run, known times included; older runs' files serve a reader
//! that opened one before, and a rebuild that begins where such a run stands.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use crate::error::at;
use crate::{Lake, LakeError, RunRecord, path};

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Takes away data files older than `before` that neither the newest run names nor one that was the newest at
/// `before` or later. What is being written is younger and stays.
pub async fn vacuum(lake: &Lake, before: DateTime<Utc>) -> Result<Vacuumed, LakeError> {
    let runs: Vec<(u64, DateTime<Utc>)> = lake
        .list(&path::runs())
        .await?
        .into_iter()
        .filter_map(|entry| Some((path::number(&entry.location)?, entry.last_modified)))
        .collect();
    let Some(newest) = runs.iter().map(|(n, _)| *n).max() else { return Ok(Vacuumed::default()) };
    // A run is the newest until the next one is put.
    let later = runs.iter().filter(|(_, put)| before <= *put).map(|(n, _)| *n).min();
    let first = later.map_or(newest, |n| n.saturating_sub(1)).max(1);
    let mut kept = HashSet::new();
    for n in first..=newest {
        kept.extend(RunRecord::read(lake, n).await?.places());
    }
    let mut vacuumed = Vacuumed::default();
    for entry in lake.list(&path::tables()).await? {
        let is_data = entry.location.extension() == Some("parquet")
            && !entry.location.parts().any(|part| part.as_ref() == "_delta_log");
        if !is_data || before <= entry.last_modified || kept.contains(&entry.location) {
            continue;
        }
        // A belief that has returned is written under its old name: only what is as old as it was is taken.
        let now = lake.store().head(&entry.location).await.map_err(at(&entry.location))?;
        if now.last_modified != entry.last_modified {
            continue;
        }
        lake.take_away(&path::tables(), [entry.location]).await?;
        vacuumed.files += 1;
        vacuumed.bytes += entry.size;
    }
    published(lake, before, &mut vacuumed).await?;
    Ok(vacuumed)
}

/// The same of tables that are published: what their newest version does not hold.
async fn published(lake: &Lake, before: DateTime<Utc>, vacuumed: &mut Vacuumed) -> Result<(), LakeError> {
    let mut tables: BTreeMap<Path, Vec<ObjectMeta>> = BTreeMap::new();
    for entry in lake.list(&path::all_published()).await? {
        let mut parts: Vec<_> = entry.location.parts().collect();
        parts.pop();
        if entry.location.extension() == Some("parquet") && parts.last().is_some_and(|p| p.as_ref() != "_delta_log") {
            tables.entry(parts.into_iter().collect()).or_default().push(entry);
        }
    }
    for (root, entries) in tables {
        let held = crate::delta::held(lake, root.clone()).await?;
        let is_held = |entry: &ObjectMeta| entry.location.filename().is_some_and(|name| held.contains(name));
        for entry in entries.into_iter().filter(|entry| entry.last_modified < before && !is_held(entry)) {
            lake.take_away(&root, [entry.location]).await?;
            vacuumed.files += 1;
            vacuumed.bytes += entry.size;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use chrono::Days;

    use super::*;
    use crate::path::join;
    use crate::{DataFile, Table, TableState};

    fn run(n: u64, names: &[&str]) -> RunRecord {
        let file = |name: &&str| DataFile {
            path: (*name).to_owned(),
            bytes: 1,
            rows: 1,
            partition: BTreeMap::new(),
            urns: None,
            weeks: None,
            known_from: None,
        };
        let state = TableState { version: Some(n), files: names.iter().map(file).collect() };
        RunRecord { n, tables: BTreeMap::from([(Table::Return.name().to_owned(), state)]), ..RunRecord::default() }
    }

    async fn is_whole(lake: &Lake, n: u64) -> bool {
        let there = lake.data_files().await.unwrap();
        RunRecord::read(lake, n).await.unwrap().places().all(|place| there.contains(&place))
    }

    async fn left(lake: &Lake) -> Vec<String> {
        let mut left: Vec<String> = lake
            .list(&path::tables())
            .await
            .unwrap()
            .into_iter()
            .filter_map(|entry| entry.location.filename().map(str::to_owned))
            .collect();
        left.sort();
        left
    }

    #[tokio::test]
    async fn what_a_reader_may_hold_stays_and_what_none_can_goes() {
        let url = "memory:///".parse().unwrap();
        let lake = Lake::over(std::sync::Arc::new(object_store::memory::InMemory::new()), url);
        assert_eq!(vacuum(&lake, DateTime::<Utc>::MAX_UTC).await.unwrap(), Vacuumed::default());
        let root = path::table(Table::Return);
        for name in
            ["a.parquet", "b.parquet", "c.parquet", "cut-off.parquet", "_delta_log/00.json", "_delta_log/9.parquet"]
        {
            lake.put(&join(&root, name), Bytes::from_static(b"x")).await.unwrap();
        }
        run(1, &["a.parquet", "b.parquet"]).put(&lake).await.unwrap();
        run(2, &["b.parquet"]).put(&lake).await.unwrap();
        run(3, &["b.parquet", "c.parquet"]).put(&lake).await.unwrap();
        let written = lake.store().head(&path::run(1)).await.unwrap().last_modified;

        // Everything is as young as the time asked for.
        let long_ago = written.checked_sub_days(Days::new(1)).unwrap();
        assert_eq!(vacuum(&lake, long_ago).await.unwrap().files, 0);
        assert!(is_whole(&lake, 1).await);

        let later = written.checked_add_days(Days::new(1)).unwrap();
        assert_eq!(vacuum(&lake, later).await.unwrap(), Vacuumed { files: 2, bytes: 2 });
        assert_eq!(left(&lake).await, ["00.json", "9.parquet", "b.parquet", "c.parquet"]);
        assert!(!is_whole(&lake, 1).await);
        assert!(is_whole(&lake, 3).await);
    }
}
