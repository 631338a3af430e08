//! What rolls of a later day could not read. An older roll that comes after them tells of children whom they do not
//! name: whoever may stand on a row that was refused there is not missing from it.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use lake::landing;
use lake::register::{Roots, root_of};
use lake::{RunRecord, Table};
use model::line::days_from_epoch;
use sources::{Content, Decoded, Kind, Unread};

use super::Ingest;

/// The refused rows of each school's rolls by their day, as far as they say whose they are: a child by the first key of
/// its chain.
#[derive(Default)]
pub(super) struct UnreadRolls(HashMap<(i32, i32), Unread>);

impl UnreadRolls {
    /// Those of rolls of a later day than one given of the school: of files that come now, and of returns held, which
    /// are read again.
    pub async fn after(
        ingest: &Ingest<'_>,
        run: &RunRecord,
        roots: &Roots,
        days: &HashMap<i32, i32>,
        files: &[Decoded],
    ) -> Result<Self> {
        let mut unread = Self::default();
        if days.is_empty() {
            return Ok(unread);
        }
        unread.add(files, roots);
        let wanted = Wanted::of(ingest, run, days).await?;
        if wanted.returns.is_empty() {
            return Ok(unread);
        }
        for n in 1..=landing::arrivals(ingest.lake).await? {
            let receipt = landing::receipt(ingest.lake, n).await?;
            if wanted.instants.contains(&receipt.received_at.timestamp_micros()) {
                let again = ingest.decode_again(run, &receipt, &wanted.returns, receipt.received_at).await?;
                unread.add(&again, roots);
            }
        }
        Ok(unread)
    }

    fn add(&mut self, files: &[Decoded], roots: &Roots) {
        for file in files.iter().filter(|file| file.kind == Some(Kind::Roll)) {
            let Content::Rows { snapshots, unread, .. } = &file.content else { continue };
            for (urn, day) in snapshots.iter().filter(|_| *unread != Unread::default()) {
                let of_roll = self.0.entry((*urn, days_from_epoch(*day))).or_default();
                of_roll.pupils.extend(unread.pupils.iter().map(|(urn, key)| (*urn, root_of(roots, *key))));
                of_roll.schools.extend(&unread.schools);
                of_roll.anywhere |= unread.anywhere;
            }
        }
    }

    /// The first of a school's rolls from which a child is missing whom none of them names.
    pub fn first_without(&self, (urn, child): (i32, i64), mut rolls: impl Iterator<Item = i32>) -> Option<i32> {
        let may_be = |unread: &Unread| unread.may_be_any_of(urn) || unread.pupils.contains(&(urn, child));
        rolls.find(|day| !self.0.get(&(urn, *day)).is_some_and(may_be))
    }
}

/// The returns with refused rows that hold such rolls, and when they came.
#[derive(Default)]
struct Wanted {
    returns: HashSet<i64>,
    instants: HashSet<i64>,
}

impl Wanted {
    async fn of(ingest: &Ingest<'_>, run: &RunRecord, days: &HashMap<i32, i32>) -> Result<Self> {
        let mut wanted = Self::default();
        let mut of_many = HashSet::new();
        // What a return says of several schools says which they are first.
        for table in [Table::ReturnSchool, Table::Return] {
            let files = run.table(table).files;
            let names: &[&str] = match table {
                Table::Return => &["kind", "urn", "last_day", "return_id", "status", "rows_refused", "received_at"],
                _ => &["kind", "urn", "last_day", "return_id"],
            };
            let rows = lake::parquet_file::read_columns(ingest.lake, table, files.iter(), names).await?;
            let at = |name: &str| rows.schema().index_of(name);
            let (kinds, urns) = (rows.column(at("kind")?).as_string::<i32>(), rows.column(at("urn")?));
            let (urns, last_days) = (urns.as_primitive::<Int32Type>(), rows.column(at("last_day")?));
            let last_days = last_days.as_primitive::<Date32Type>();
            let ids = rows.column(at("return_id")?).as_primitive::<Int64Type>();
            let is_later = |row: usize| {
                let is_known = urns.is_valid(row) && last_days.is_valid(row);
                is_known && days.get(&urns.value(row)).is_some_and(|day| *day < last_days.value(row))
            };
            let rolls = (0..rows.num_rows()).filter(|row| kinds.value(*row) == Kind::Roll.name());
            if table == Table::ReturnSchool {
                of_many.extend(rolls.filter(|row| is_later(*row)).map(|row| ids.value(row)));
                continue;
            }
            let statuses = rows.column(at("status")?).as_string::<i32>();
            let refused = rows.column(at("rows_refused")?).as_primitive::<Int64Type>();
            let came = rows.column(at("received_at")?).as_primitive::<TimestampMicrosecondType>();
            let is_wanted = |row: &usize| {
                let is_of_one = is_later(*row) || of_many.contains(&ids.value(*row));
                is_of_one && statuses.value(*row) == "taken" && 0 < refused.value(*row)
            };
            for row in rolls.filter(is_wanted) {
                wanted.returns.insert(ids.value(row));
                wanted.instants.insert(came.value(row));
            }
        }
        Ok(wanted)
    }
}
