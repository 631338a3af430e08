//! Returns of schools that GIAS did not know when they came: refused then, and taken again, as an arrival of their
//! own, once it does. A school that has just become an academy sends before GIAS lists it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Result, bail};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{NaiveDate, TimeDelta};
use lake::landing::{self, Receipt, ReceiptFile};
use lake::{RunRecord, Table};
use model::Urn;
use sources::Kind;

use super::problems::UNKNOWN_URN;
use super::{Ingest, Summary, problems};

impl Ingest<'_> {
    /// Takes again what was refused of schools that nobody knew when it came, and that are known now.
    pub(super) async fn take_again(&self, summary: &mut Summary) -> Result<()> {
        let run = RunRecord::newest(self.lake).await?;
        let problems = run.table(Table::Problem).files;
        let rules = lake::parquet_file::read_columns(self.lake, Table::Problem, problems.iter(), &["rule"]).await?;
        if !rules.column(0).as_string::<i32>().iter().any(|rule| rule == Some(UNKNOWN_URN)) {
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
                bail!("another process is taking in arrivals; `rollcall ingest` without files takes what has landed");
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
        let mut since = problems::open_since(self, run, UNKNOWN_URN).await?;
        let schools = run.table(Table::School);
        let files = schools.of_belief(lake::table::CURRENT);
        let urns = lake::parquet_file::read_columns(self.lake, Table::School, files, &["urn"]).await?;
        let known: HashSet<Urn> = urns.column(0).as_primitive::<Int32Type>().values().iter().copied().collect();
        since.retain(|urn, _| known.contains(urn));
        let mut found = Vec::new();
        let Some(first) = since.values().min() else { return Ok(found) };
        let returns = self.returns(run, &since).await?;
        let wanted = &returns.refused | &returns.kept;
        let mut receipts = Vec::new();
        for n in 1..=run.arrivals {
            receipts.push(landing::receipt(self.lake, n).await?);
        }
        // What was taken again already and refused again, or told in another way, is left to people.
        let taken_again: HashSet<(String, Urn)> = receipts
            .iter()
            .flat_map(|receipt| &receipt.files)
            .flat_map(|file| file.only.iter().map(|urn| (file.sha256.clone(), *urn)))
            .collect();
        receipts.retain(|receipt| *first <= receipt.received_at.timestamp_micros());
        receipts.sort_by_key(|receipt| (receipt.received_at, receipt.n));
        // Days that are taken again of each school. What was kept of them since is taken again after it, in the order
        // in which it came: it stands as it did.
        let mut days: HashMap<Urn, Vec<Days>> = HashMap::new();
        for receipt in receipts {
            let at = receipt.received_at.timestamp_micros();
            let mut files = Vec::new();
            let again = self.decode_again(run, &receipt, &wanted).await?;
            for (file, decoded) in again.into_iter().filter(|(file, _)| file.only.is_empty()) {
                let mut only = BTreeSet::new();
                for decoded in &decoded {
                    let of_schools = decoded.schools().into_iter().filter_map(|s| Some((s.urn?, s.days)));
                    let came_since = of_schools.filter(|(urn, _)| since.get(urn).is_some_and(|first| *first <= at));
                    let is_refused = returns.refused.contains(&decoded.return_id);
                    let new = came_since.filter(|(urn, _)| !taken_again.contains(&(file.sha256.clone(), *urn)));
                    only.extend(new.filter_map(|(urn, of)| {
                        let again = days.entry(urn).or_default();
                        let is_wanted = match decoded.kind {
                            // A roll states the whole of its day: an earlier one says nothing beside it.
                            Some(Kind::Roll) => is_refused && returns.last_roll.get(&urn).is_none_or(|last| *last < at),
                            _ => is_refused || again.iter().any(|again| overlap(*again, of)),
                        };
                        if is_refused {
                            again.push(of);
                        }
                        is_wanted.then_some(urn)
                    }));
                }
                if !only.is_empty() {
                    let only = only.into_iter().collect();
                    files.push(ReceiptFile { only, came_at: Some(receipt.received_at), ..file });
                }
            }
            if !files.is_empty() {
                found.push((receipt, files));
            }
        }
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
            for i in (0..rows.num_rows()).filter(|i| urns.is_valid(*i) && 0 < kept.value(*i)) {
                let urn = urns.value(i);
                if kinds.value(i) == Kind::Roll.name() {
                    let last = found.last_roll.entry(urn).or_insert(i64::MIN);
                    *last = at.value(i).max(*last);
                } else if unknown.get(&urn).is_some_and(|since| *since <= at.value(i))
                    && [Kind::Marks, Kind::Calendar].map(Kind::name).contains(&kinds.value(i))
                {
                    found.kept.insert(column("return_id")?.as_primitive::<Int64Type>().value(i));
                }
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
    /// Marks and calendars that were kept of schools that had been unknown.
    kept: HashSet<i64>,
    /// When the last roll of each school came of which anything was kept.
    last_roll: HashMap<Urn, i64>,
}

/// First and last day, where they are told.
type Days = Option<(NaiveDate, NaiveDate)>;

fn overlap(a: Days, b: Days) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return true };
    a.0 <= b.1 && b.0 <= a.1
}
