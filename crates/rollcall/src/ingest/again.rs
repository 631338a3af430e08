//! Returns of schools that GIAS did not know when they came: refused then, and taken again, as an arrival of their
//! own, once it does. A school that has just become an academy sends before GIAS lists it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Result, bail};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::TimeDelta;
use lake::landing::{self, Receipt, ReceiptFile};
use lake::{RunRecord, Table};
use model::Urn;
use sources::Kind;

use super::{Ingest, Summary, problems};

/// The rule that refuses what a school sends that GIAS does not know.
const RULE: &str = "unknown_urn";

impl Ingest<'_> {
    /// Where schools have been told of since `before`: takes again what was refused of those that nobody knew.
    pub(super) async fn take_again(&self, before: &RunRecord, summary: &mut Summary) -> Result<()> {
        let run = RunRecord::newest(self.lake).await?;
        if run.table(Table::School).files == before.table(Table::School).files {
            return Ok(());
        }
        let refused = self.refused_unknown(&run).await?;
        if refused.is_empty() {
            return Ok(());
        }
        let mut staged = self.staged(run.clone()).await?;
        for (before, files) in refused {
            // One after another: what is wrong with one may be mended by the next.
            let at = staged.run.known_at + TimeDelta::microseconds(1);
            for file in &files {
                landing::land_again(self.lake, &before, file, at).await?;
            }
            let receipt = landing::give_receipt(self.lake, &before.source, at, files).await?;
            if receipt.n != staged.run.arrivals + 1 {
                bail!("another process is taking in arrivals; run the same command again");
            }
            let (next, taken) = self.take(&staged, &receipt, None, summary).await?;
            summary.taken_again += taken.len();
            summary.returns.extend(taken.into_iter().map(|(_, taken)| taken));
            staged = next;
        }
        summary.version = self.record(staged.run, &run).await?;
        Ok(())
    }

    /// The files of earlier arrivals, in order of receipt, that speak of schools which were unknown then and no
    /// longer are: each with those schools.
    async fn refused_unknown(&self, run: &RunRecord) -> Result<Vec<(Receipt, Vec<ReceiptFile>)>> {
        let mut since = problems::open_since(self, run, RULE).await?;
        let schools = run.table(Table::School);
        let files = schools.of_belief(lake::table::CURRENT);
        let urns = lake::parquet_file::read_columns(self.lake, Table::School, files, &["urn"]).await?;
        let known: HashSet<Urn> = urns.column(0).as_primitive::<Int32Type>().values().iter().copied().collect();
        since.retain(|urn, _| known.contains(urn));
        let mut found = Vec::new();
        let Some(first) = since.values().min() else { return Ok(found) };
        let returns = self.returns(run, &since).await?;
        for n in 1..=run.arrivals {
            let receipt = landing::receipt(self.lake, n).await?;
            let at = receipt.received_at.timestamp_micros();
            if at < *first {
                continue;
            }
            // What stands of a school is not overwritten by what came before it.
            let is_wanted = |urn: &Urn| {
                since.get(urn).is_some_and(|first| *first <= at)
                    && returns.last_kept.get(urn).is_none_or(|last| *last < at)
            };
            let mut files = Vec::new();
            // What was taken again already and refused again is left to people.
            let again = self.decode_again(run, &receipt, &returns.refused).await?;
            for (file, decoded) in again.into_iter().filter(|(file, _)| file.only.is_empty()) {
                let schools = decoded.iter().flat_map(|d| d.schools()).filter_map(|s| s.urn);
                let only: BTreeSet<Urn> = schools.filter(is_wanted).collect();
                if !only.is_empty() {
                    files.push(ReceiptFile { only: only.into_iter().collect(), ..file });
                }
            }
            if !files.is_empty() {
                found.push((receipt, files));
            }
        }
        found.sort_by_key(|(receipt, _)| (receipt.received_at, receipt.n));
        Ok(found)
    }

    async fn returns(&self, run: &RunRecord, unknown: &BTreeMap<Urn, i64>) -> Result<Returns> {
        let mut found = Returns::default();
        for table in [Table::Return, Table::ReturnSchool] {
            let files = run.table(table).files;
            let names = ["kind", "urn", "rows_kept", "rows_refused", "known_from", "return_id"];
            let rows = lake::parquet_file::read_columns(self.lake, table, files.iter(), &names).await?;
            let schema = rows.schema();
            let column = |name: &str| -> Result<&ArrayRef> { Ok(rows.column(schema.index_of(name)?)) };
            let urns = column("urn")?.as_primitive::<Int32Type>();
            let kinds = column("kind")?.as_string::<i32>();
            let kept = column("rows_kept")?.as_primitive::<Int64Type>();
            let at = column("known_from")?.as_primitive::<TimestampMicrosecondType>();
            if table == Table::Return {
                let ids = column("return_id")?.as_primitive::<Int64Type>();
                let refused = column("rows_refused")?.as_primitive::<Int64Type>();
                let may_be =
                    |i: &usize| 0 < refused.value(*i) && (urns.is_null(*i) || unknown.contains_key(&urns.value(*i)));
                found.refused.extend((0..rows.num_rows()).filter(may_be).map(|i| ids.value(i)));
            }
            let by_school = [Kind::Marks, Kind::Roll, Kind::Calendar].map(Kind::name);
            let stands = |i: &usize| urns.is_valid(*i) && 0 < kept.value(*i) && by_school.contains(&kinds.value(*i));
            for i in (0..rows.num_rows()).filter(stands) {
                let last = found.last_kept.entry(urns.value(i)).or_insert(i64::MIN);
                *last = at.value(i).max(*last);
            }
        }
        Ok(found)
    }
}

/// The returns a ledger holds.
#[derive(Default)]
struct Returns {
    /// Those of no one school, or of one that was unknown, with refused rows.
    refused: HashSet<i64>,
    /// When the last came from a school of which anything was kept.
    last_kept: HashMap<Urn, i64>,
}
