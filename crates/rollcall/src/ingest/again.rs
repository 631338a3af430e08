//! Schools that GIAS did not know when they sent something. What they sent is refused, and taken with the arrival that
//! tells of them, as known since then: a school that has just become an academy sends before GIAS lists it.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type};
use lake::landing::{self, Receipt};
use lake::{RunRecord, Table};
use model::Urn;
use sources::Decoded;

use super::problems::UNKNOWN_URN;
use super::{Ingest, problems};

/// Files of earlier arrivals that an arrival takes with it.
#[derive(Default)]
pub(super) struct Again {
    /// The arrivals, in order of receipt, and what is decoded of each.
    pub arrivals: Vec<(Receipt, Vec<Decoded>)>,
    /// The source of each of these returns.
    pub sources: HashMap<i64, String>,
}

impl Again {
    /// Takes out the files that are of a kind, or are not.
    pub fn take(&mut self, is_wanted: impl Fn(&Decoded) -> bool) -> Vec<(Receipt, Vec<Decoded>)> {
        let of_each = |(receipt, files): &mut (Receipt, Vec<Decoded>)| {
            (receipt.clone(), files.extract_if(.., |file| is_wanted(file)).collect())
        };
        self.arrivals.iter_mut().map(of_each).collect()
    }
}

impl Ingest<'_> {
    /// What was refused of schools that nobody knew then, and that an arrival tells of: all that they have sent so far,
    /// in order of receipt. `own` are returns that the arrival has itself.
    pub(super) async fn waiting_for_their_school(
        &self,
        before: &RunRecord,
        now: &RunRecord,
        receipt: &Receipt,
        own: &HashSet<i64>,
    ) -> Result<Again> {
        let mut again = Again::default();
        if now.table(Table::School).files == before.table(Table::School).files {
            return Ok(again);
        }
        let mut since = problems::open_since(self, before, UNKNOWN_URN).await?;
        // A school waits once: what it sends from then on is known as it comes.
        let (known, known_before) = (self.schools(now).await?, self.schools(before).await?);
        since.retain(|urn, _| known.contains(urn) && !known_before.contains(urn));
        let Some(first) = since.values().min().copied() else { return Ok(again) };
        let only: Vec<Urn> = since.keys().copied().collect();
        let refused = self.refused(before, &since).await?;
        let aside = landing::all_set_aside(self.lake).await?;
        let mut earlier = Vec::new();
        for n in 1..=landing::arrivals(self.lake).await? {
            let other = landing::receipt(self.lake, n).await?;
            let is_earlier = (other.received_at, other.n) < (receipt.received_at, receipt.n);
            if is_earlier && first <= other.received_at.timestamp_micros() && !aside.contains(&n) {
                earlier.push(other);
            }
        }
        earlier.sort_by_key(|other| (other.received_at, other.n));
        for other in earlier {
            let mut files =
                self.decode_again(before, &other, &refused, (other.received_at, receipt.received_at)).await?;
            files.iter_mut().for_each(|file| file.keep_only(&only));
            files.retain(|file| 0 < file.rows_in);
            again.sources.extend(files.iter().map(|file| (file.return_id, other.source.clone())));
            again.arrivals.push((other, files));
        }
        // The same bytes under one name say the same once: last of all.
        let mut seen = own.clone();
        for (_, files) in again.arrivals.iter_mut().rev() {
            files.retain(|file| seen.insert(file.return_id));
        }
        again.sources.retain(|id, _| !own.contains(id));
        Ok(again)
    }

    /// The schools that a ledger knows.
    async fn schools(&self, run: &RunRecord) -> Result<HashSet<Urn>> {
        let schools = run.table(Table::School);
        let files = schools.of_belief(lake::table::CURRENT);
        let urns = lake::parquet_file::read_columns(self.lake, Table::School, files, &["urn"]).await?;
        Ok(urns.column(0).as_primitive::<Int32Type>().values().iter().copied().collect())
    }

    /// The returns with refused rows that may be of these schools.
    async fn refused(&self, run: &RunRecord, schools: &BTreeMap<Urn, i64>) -> Result<HashSet<i64>> {
        let files = run.table(Table::Return).files;
        let names = ["urn", "rows_refused", "return_id"];
        let rows = lake::parquet_file::read_columns(self.lake, Table::Return, files.iter(), &names).await?;
        let urns = rows.column(0).as_primitive::<Int32Type>();
        let [refused, ids] = [1, 2].map(|i| rows.column(i).as_primitive::<Int64Type>());
        let may_be = |i: &usize| 0 < refused.value(*i) && (urns.is_null(*i) || schools.contains_key(&urns.value(*i)));
        Ok((0..rows.num_rows()).filter(may_be).map(|i| ids.value(i)).collect())
    }
}
