//! Run records: the one commit point over all tables.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::path::{content_name, join};
use crate::{Lake, LakeError, Table, path};

/// A Parquet file of a table, as a run names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DataFile {
    /// Path below the table's root.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Partition columns and their values.
    pub partition: BTreeMap<String, String>,
    /// Least and greatest URN, where the table has one.
    pub urns: Option<(i32, i32)>,
    /// Least and greatest `week_start`, days from the epoch, where the table has one; none: not known.
    #[serde(default)]
    pub weeks: Option<(i32, i32)>,
    /// Least and greatest `known_from`, microseconds from the epoch.
    pub known_from: Option<(i64, i64)>,
}

impl DataFile {
    /// Its least and greatest URN; all there are, where it does not say.
    pub fn schools(&self) -> (i32, i32) {
        self.urns.unwrap_or((i32::MIN, i32::MAX))
    }

    /// Files in chains: those of a chain are of one partition and follow one another in order of URN.
    pub fn in_chains<'a>(files: impl Iterator<Item = &'a Self>) -> Vec<Vec<&'a Self>> {
        let mut files: Vec<&Self> = files.collect();
        files.sort_by_key(|f| (&f.partition, f.schools()));
        let mut chains: Vec<Vec<&Self>> = Vec::new();
        for file in files {
            let follows = |chain: &&mut Vec<&Self>| {
                chain.last().is_some_and(|b| b.partition == file.partition && b.schools().1 < file.schools().0)
            };
            match chains.iter_mut().find(follows) {
                Some(chain) => chain.push(file),
                None => chains.push(vec![file]),
            }
        }
        chains
    }
}

/// The state of one table in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableState {
    /// The Delta version that holds exactly these files; none: the table was never written.
    pub version: Option<u64>,
    /// Its files.
    pub files: Vec<DataFile>,
}

impl TableState {
    /// The files of one belief.
    pub fn of_belief<'a>(&'a self, belief: &'a str) -> impl Iterator<Item = &'a DataFile> {
        self.files.iter().filter(move |f| f.partition.get("belief").is_some_and(|b| b == belief))
    }
}

/// What one run left behind: the version of every table, and which arrivals it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The ledger version, from 1; 0 is the empty ledger.
    pub n: u64,
    /// Every arrival up to this number has been taken.
    pub arrivals: u64,
    /// The newest `received_at` that has been taken.
    pub known_at: DateTime<Utc>,
    /// Rows in, kept and refused by this run.
    pub rows_in: u64,
    /// See `rows_in`.
    pub rows_kept: u64,
    /// See `rows_in`.
    pub rows_refused: u64,
    /// The arrivals up to that number which were passed over, since they are set aside.
    #[serde(default)]
    pub without: Vec<u64>,
    /// The tables by name.
    pub tables: BTreeMap<String, TableState>,
}

impl RunRecord {
    /// The state of a table; empty where it was never written.
    pub fn table(&self, table: Table) -> TableState {
        self.tables.get(table.name()).cloned().unwrap_or_default()
    }

    /// The newest run of a lake, or the empty ledger.
    pub async fn newest(lake: &Lake) -> Result<Self, LakeError> {
        match lake.highest(&path::runs()).await? {
            0 => Ok(Self::default()),
            n => Self::read(lake, n).await,
        }
    }

    /// The record of run n.
    pub async fn read(lake: &Lake, n: u64) -> Result<Self, LakeError> {
        let place = path::run(n);
        let bytes = lake.read_existing(&place).await?;
        serde_json::from_slice(&bytes)
            .map_err(|e| LakeError::Damaged { path: place.to_string(), reason: e.to_string() })
    }

    /// Where the data files it names are.
    pub fn places(&self) -> impl Iterator<Item = Path> {
        let of_table =
            |table| self.table(table).files.into_iter().map(move |file| join(&path::table(table), &file.path));
        Table::ALL.into_iter().flat_map(of_table)
    }

    /// Whether every file it names is there with the content its name was made of; the first that is not is an
    /// error. Says how many files.
    pub async fn verify(&self, lake: &Lake) -> Result<u64, LakeError> {
        let mut files = 0;
        for place in self.places() {
            let name = content_name(&lake.read_existing(&place).await?);
            if place.filename() != Some(&name) {
                let reason = "its content has changed; `rollcall replay` makes it anew".to_owned();
                return Err(LakeError::Damaged { path: place.to_string(), reason });
            }
            files += 1;
        }
        Ok(files)
    }

    /// Whether the lake still has every receipt that it took, of so many that are there.
    pub fn check_receipts(&self, arrivals: u64) -> Result<(), LakeError> {
        if self.arrivals <= arrivals {
            return Ok(());
        }
        let reason = format!(
            "run {} took {} arrivals, and only {arrivals} have a receipt; put the missing receipts and landed files \
             back from a copy before anything is taken in",
            self.n, self.arrivals
        );
        Err(LakeError::Damaged { path: path::receipts().to_string(), reason })
    }

    /// Records the run. The one point at which it begins to exist.
    pub async fn put(&self, lake: &Lake) -> Result<(), LakeError> {
        let bytes = Bytes::from(serde_json::to_vec(self).unwrap_or_default());
        match lake.put_new(&path::run(self.n), bytes).await? {
            true => Ok(()),
            false => Err(LakeError::Overtaken(self.n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_two_runs_of_one_number_the_first_stands() {
        let store = std::sync::Arc::new(object_store::memory::InMemory::new());
        let lake = Lake::over(store, url::Url::parse("memory:///lake/").unwrap());
        let of = |arrivals| RunRecord { n: 1, arrivals, ..RunRecord::default() };
        of(1).put(&lake).await.unwrap();
        assert!(matches!(of(2).put(&lake).await, Err(LakeError::Overtaken(1))));
        assert_eq!(RunRecord::newest(&lake).await.unwrap().arrivals, 1);
    }
}
