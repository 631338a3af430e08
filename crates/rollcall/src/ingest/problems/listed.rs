//! The problems a ledger holds.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::NaiveDate;
use lake::{RunRecord, Table};
use model::line::days_from_epoch;

use super::{Id, id_of};
use crate::ingest::Ingest;

/// An open problem, as far as mending it is concerned.
pub(super) struct Open {
    pub source: String,
    pub file: String,
    pub kind: String,
    pub since: i64,
    pub urn: Option<i32>,
    pub pupil_key: Option<i64>,
    /// First and last day it may be about: of its session, or of all that its return says of the school.
    pub days: Option<(i32, i32)>,
    pub refuses_row: bool,
    pub refuses_file: bool,
    pub rule: String,
    /// How many rows share it.
    pub rows: i64,
    pub return_id: i64,
    /// Rows of its return, and those kept of its school.
    pub rows_in: i64,
    pub rows_kept: i64,
}

impl Open {
    /// Whether all its days lie in others; none where either are not known.
    pub fn lies_in(&self, days: Option<(NaiveDate, NaiveDate)>) -> Option<bool> {
        let ((first, last), own) = days.zip(self.days)?;
        Some(days_from_epoch(first) <= own.0 && own.1 <= days_from_epoch(last))
    }
}

/// Since when a rule has open problems of each school.
pub(in crate::ingest) async fn open_since(
    ingest: &Ingest<'_>,
    run: &RunRecord,
    rule: &str,
) -> Result<BTreeMap<i32, i64>> {
    let mut since: BTreeMap<i32, i64> = BTreeMap::new();
    for open in listed(ingest, run).await?.open.into_values().filter(|open| open.rule == rule) {
        if let Some(urn) = open.urn {
            since.entry(urn).and_modify(|since| *since = open.since.min(*since)).or_insert(open.since);
        }
    }
    Ok(since)
}

/// The problems a ledger holds.
pub(super) struct Listed {
    /// Those that are open, by id.
    pub open: BTreeMap<Id, Open>,
    /// The ids of all.
    pub known: HashSet<Id>,
}

/// What a return says of a school or, with no school, of all.
#[derive(Clone, Copy, Default)]
struct Said {
    days: Option<(i32, i32)>,
    rows_in: i64,
    rows_kept: i64,
}

/// What these returns say.
async fn said_by(
    ingest: &Ingest<'_>,
    run: &RunRecord,
    returns: &HashSet<i64>,
) -> Result<HashMap<(i64, Option<i32>), Said>> {
    let mut found = HashMap::new();
    if returns.is_empty() {
        return Ok(found);
    }
    for table in [Table::Return, Table::ReturnSchool] {
        let files = run.table(table).files;
        let names = ["urn", "rows_in", "rows_kept", "first_day", "last_day", "return_id"];
        let rows = lake::parquet_file::read_columns(ingest.lake, table, files.iter(), &names).await?;
        let schema = rows.schema();
        let column = |name: &str| -> Result<&ArrayRef> { Ok(rows.column(schema.index_of(name)?)) };
        let number = |name: &str| anyhow::Ok(column(name)?.as_primitive::<Int64Type>());
        let day = |name: &str| anyhow::Ok(column(name)?.as_primitive::<Date32Type>());
        let urns = column("urn")?.as_primitive::<Int32Type>();
        let (kept, ids, first, last) =
            (number("rows_kept")?, number("return_id")?, day("first_day")?, day("last_day")?);
        let rows_in = number("rows_in").unwrap_or(kept);
        for i in (0..rows.num_rows()).filter(|i| returns.contains(&ids.value(*i))) {
            let days = (first.is_valid(i) && last.is_valid(i)).then(|| (first.value(i), last.value(i)));
            let said = Said { days, rows_in: rows_in.value(i), rows_kept: kept.value(i) };
            if urns.is_valid(i) {
                found.insert((ids.value(i), Some(urns.value(i))), said);
            }
            if table == Table::Return {
                found.insert((ids.value(i), None), said);
            }
        }
    }
    Ok(found)
}

pub(super) async fn listed(ingest: &Ingest<'_>, run: &RunRecord) -> Result<Listed> {
    let fixed =
        lake::parquet_file::read_all(ingest.lake, Table::ProblemFix, run.table(Table::ProblemFix).files.iter()).await?;
    let fixed_ids = fixed.column(0).as_string::<i32>();
    let fixed_at = fixed.column(1).as_primitive::<TimestampMicrosecondType>();
    let mut last_fix: HashMap<&str, i64> = HashMap::new();
    for i in 0..fixed.num_rows() {
        let at = last_fix.entry(fixed_ids.value(i)).or_insert(i64::MIN);
        *at = (*at).max(fixed_at.value(i));
    }
    let rows =
        lake::parquet_file::read_all(ingest.lake, Table::Problem, run.table(Table::Problem).files.iter()).await?;
    let schema = rows.schema();
    let column = |name: &str| -> Result<&ArrayRef> { Ok(rows.column(schema.index_of(name)?)) };
    let ids = column("problem_id")?.as_string::<i32>();
    let kinds = column("kind")?.as_string::<i32>();
    let rules = column("rule")?.as_string::<i32>();
    let sources = column("source")?.as_string::<i32>();
    let names = column("file")?.as_string::<i32>();
    let severities = column("severity")?.as_string::<i32>();
    let urns = column("urn")?.as_primitive::<Int32Type>();
    let keys = column("pupil_key")?.as_primitive::<Int64Type>();
    let days = column("session_date")?.as_primitive::<Date32Type>();
    let seen = column("known_from")?.as_primitive::<TimestampMicrosecondType>();
    let shared = column("rows")?.as_primitive::<Int64Type>();
    let returns = column("return_id")?.as_primitive::<Int64Type>();
    // A problem that came back after it was mended is open again.
    let is_mended = |i: usize| last_fix.get(ids.value(i)).is_some_and(|fixed| seen.value(i) <= *fixed);
    let of_many = |i: &usize| (days.is_null(*i) || keys.is_null(*i)) && !is_mended(*i);
    let wanted = (0..rows.num_rows()).filter(of_many).map(|i| returns.value(i)).collect();
    let of_return = said_by(ingest, run, &wanted).await?;
    let mut open = BTreeMap::new();
    let mut doubled = HashSet::new();
    for i in 0..rows.num_rows() {
        let id = ids.value(i);
        if is_mended(i) || !doubled.insert(id) {
            continue;
        }
        let urn = urns.is_valid(i).then(|| urns.value(i));
        let day = days.is_valid(i).then(|| (days.value(i), days.value(i)));
        let told = |urn: Option<i32>| of_return.get(&(returns.value(i), urn)).copied();
        // Of a school of which nothing was kept a return of several says nothing.
        let (of_all, of_school) = (told(None).unwrap_or_default(), told(urn).unwrap_or_default());
        open.insert(
            id_of(id),
            Open {
                source: sources.value(i).to_owned(),
                file: names.value(i).to_owned(),
                kind: kinds.value(i).to_owned(),
                since: seen.value(i),
                urn,
                pupil_key: keys.is_valid(i).then(|| keys.value(i)),
                days: day.or(of_school.days).or(of_all.days),
                refuses_row: severities.value(i) == "refuse_row",
                refuses_file: severities.value(i) == "refuse_file",
                rule: rules.value(i).to_owned(),
                rows: shared.value(i),
                return_id: returns.value(i),
                rows_in: of_all.rows_in,
                rows_kept: of_school.rows_kept,
            },
        );
    }
    Ok(Listed { open, known: ids.iter().flatten().map(id_of).collect() })
}
