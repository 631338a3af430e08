//! What an arrival raised, ended, opened again or retracted.
//!
//! An alert is derived: whether it stands is a question to the marks. What is kept is only that its answer
//! changed, and when, so that a rebuild from landing gives the same events.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
    new_null_array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::Days;
use engine::session::Session;
use lake::landing::Receipt;
use lake::register::{Roots, root_of};
use lake::table::{stamp, stamped};
use lake::{DataFile, RunRecord, Table};
use model::AcademicYear;
use model::line::{day_of, days_from_epoch, monday_of_day};

use super::{Ingest, Staged};

/// What is asked of the changes told so far.
const TOLD: [&str; 10] = [
    "alert_id",
    "changed_at",
    "to_status",
    "rule",
    "pupil_key",
    "urn",
    "event_from",
    "event_to",
    "sessions",
    "return_id",
];

/// Rules about being on a roll: they end when a roll says otherwise, and were not wrong before.
const ENDED_BY_A_ROLL: [&str; 1] = ["off_roll_no_destination"];

/// An alert as it stands, or as it last stood.
#[derive(Clone, Copy)]
struct Alert<'a> {
    rule: &'a str,
    pupil_key: i64,
    urn: Option<i32>,
    from: Option<i32>,
    to: Option<i32>,
    sessions: Option<i64>,
    status: &'a str,
}

impl<'a> Alert<'a> {
    /// The rule, the child by one key, and the school.
    fn whose(&self, roots: &Roots) -> (&'a str, i64, Option<i32>) {
        (self.rule, root_of(roots, self.pupil_key), self.urn)
    }
}

/// One change of status.
struct Event<'a> {
    id: &'a str,
    alert: Alert<'a>,
    before: Option<&'a str>,
    after: &'a str,
    reason: &'static str,
}

/// Appends what changed with this arrival. Where it is the last one for now, all figures are worked out from
/// the same registers and kept: whoever asks next finds them.
pub(super) async fn record(
    ingest: &Ingest<'_>,
    before_run: &RunRecord,
    Staged { run, roots }: &mut Staged,
    receipt: &Receipt,
    keeps_figures: bool,
) -> Result<()> {
    // Read while the figures are worked out.
    let told = {
        let (lake, files) = (ingest.lake.clone(), run.table(Table::AlertEvent).files);
        tokio::spawn(async move {
            let told = lake::parquet_file::read_columns(&lake, Table::AlertEvent, files.iter(), &TOLD).await?;
            Rows::of(told, "to_status")?.newest()
        })
    };
    let session = ingest.session(run, receipt).await?;
    let stands = "alerts.standing";
    if keeps_figures {
        let figures = ingest.library.figures();
        // What is asked for below is asked for here too: what only leads to the figures is let go on the way.
        let names: Vec<String> = figures.iter().cloned().chain([stands.to_owned()]).collect();
        // A figure of the authority's own that fails takes no marks away: whoever asks for it is told.
        if let Err(error) = session.build(&names, &figures, &|_| {}).await {
            tracing::warn!(error = model::id::words_of(&error), "figures are not kept");
        }
    }
    tracing::debug!(arrival = receipt.n, "figures worked out");
    let now = standing(&session).await?;
    let year = AcademicYear::of(receipt.received_at.date_naive());
    let told = told.await.context("the alerts told so far could not be read")??;
    let mut before: HashMap<&str, Alert<'_>> = told.each().collect();
    let by_marks = |alert: &Alert<'_>| !ENDED_BY_A_ROLL.contains(&alert.rule);
    let is_of =
        |alert: &Alert<'_>, year: AcademicYear| alert.to.is_some_and(|day| AcademicYear::of(day_of(day)) == year);
    let last = AcademicYear(year.0 - 1);
    // What comes late of the year before may meet a rule, or meet it no longer.
    let is_open = before.values().any(|alert| alert.status == "open" && by_marks(alert) && is_of(alert, last));
    let last_year = match is_open || moved_before(before_run, run, year) {
        true => Some(standing(&ingest.session_as_of(run, receipt, year.first_day() - Days::new(1)).await?).await?),
        false => None,
    };

    let mut events = Vec::new();
    for (id, alert) in now.iter().flat_map(Rows::each) {
        let old = before.remove(id).map(|alert| alert.status);
        let reason = match (old, alert.status) {
            (Some(old), now) if old == now => continue,
            (None, _) => "the rule is met",
            (Some("retracted" | "replaced"), _) => "the rule is met again by the marks known now",
            (_, "ended") if !by_marks(&alert) => "the child is past compulsory school age",
            (_, "ended") => "the child has been marked otherwise since, or has left the roll or the school has closed",
            _ => "the run goes on",
        };
        events.push(Event { id, alert, before: old, after: alert.status, reason });
    }
    let stood = last_year.iter().flatten().flat_map(Rows::each).filter(|(_, alert)| by_marks(alert));
    let stood: HashMap<&str, Alert<'_>> = stood.collect();
    let stands_now: HashSet<&str> = now.iter().flat_map(Rows::each).map(|(id, _)| id).collect();
    for (id, alert) in stood.iter().filter(|(id, _)| !stands_now.contains(*id)) {
        let old = before.get(id).map(|alert| alert.status);
        if !matches!(old, Some("open" | "ended")) {
            before.remove(id);
            let reason = "the rule is met by marks that came after its school year";
            events.push(Event { id, alert: *alert, before: old, after: "ended", reason });
        }
    }
    // What is left stands no longer.
    before.retain(|_, alert| !matches!(alert.status, "retracted" | "replaced"));
    let mut others: HashMap<_, Vec<Alert<'_>>> = before.values().map(|a| (a.whose(roots), Vec::new())).collect();
    for (_, alert) in now.iter().flat_map(Rows::each) {
        if let Some(others) = others.get_mut(&alert.whose(roots)) {
            others.push(alert);
        }
    }
    // Asked for only where one that was open stands no longer.
    let leavings = match before.values().any(|alert| !by_marks(alert) && alert.status == "open") {
        true => leavings(&session, roots).await?,
        false => HashSet::new(),
    };
    // A run that was open went on, though its last day was told when the rule was met.
    let told_until = days_from_epoch(before_run.known_at.date_naive());
    for (id, alert) in before {
        let is_open = alert.status == "open";
        let until = if is_open { alert.to.max(Some(told_until)) } else { alert.to };
        // One of last year stands or falls by last year's marks, once they have been asked.
        let is_judged = match by_marks(&alert) {
            true => alert.to.is_none() || is_of(&alert, year) || last_year.is_some() && is_of(&alert, last),
            // One of a roll stands for this school year and the last.
            false => alert.from.is_none_or(|day| last <= AcademicYear::of(day_of(day))),
        };
        let mut others = others.get(&alert.whose(roots)).into_iter().flatten();
        let (after, reason) = if !is_judged || stood.contains_key(id) {
            ("ended", "its school year is over")
        } else if others.any(|other| is_open && !by_marks(&alert) || other.from <= until && alert.from <= other.to) {
            ("replaced", "it goes on as another: its first day, or the UPN, is told otherwise now")
        } else if by_marks(&alert) {
            ("retracted", "the marks known now no longer meet the rule")
        } else if !is_open || leavings.contains(&(alert.whose(roots).1, alert.urn, alert.from)) {
            ("ended", "a roll says where the child is, or where it went")
        } else {
            ("retracted", "the roll says no longer that the child left then")
        };
        if alert.status != after {
            events.push(Event { id, alert, before: Some(alert.status), after, reason });
        }
    }
    events.sort_by_key(|event| event.id);
    ingest.append(run, Table::AlertEvent, rows(&events, receipt)?).await
}

/// The alerts that stand.
async fn standing(session: &Session) -> Result<Vec<Rows>> {
    let sql = "SELECT alert_id, rule, pupil_key, urn, event_from, event_to, sessions, status FROM alerts.standing";
    session.rows(sql).await?.into_iter().map(|batch| Rows::of(batch, "status")).collect()
}

/// Who left which school on which day, as rolls say or as the school closed.
async fn leavings(session: &Session, roots: &Roots) -> Result<HashSet<(i64, Option<i32>, Option<i32>)>> {
    let sql = "SELECT e.pupil_key, e.urn, least(e.last_day, s.close_date) AS event_from \
               FROM tables.school s RIGHT JOIN tables.enrolment e ON s.urn = e.urn \
               WHERE e.last_day IS NOT NULL OR s.close_date IS NOT NULL";
    let mut leavings = HashSet::new();
    for batch in session.rows(sql).await? {
        let (keys, urns, days) = (batch.column(0), batch.column(1), batch.column(2));
        let (keys, urns) = (keys.as_primitive::<Int64Type>(), urns.as_primitive::<Int32Type>());
        let days = days.as_primitive::<Date32Type>();
        leavings.extend(
            (0..batch.num_rows())
                .map(|row| (root_of(roots, keys.value(row)), Some(urns.value(row)), Some(days.value(row)))),
        );
    }
    Ok(leavings)
}

/// Whether registers of days before a school year have moved. A week that it shares with the year before says nothing
/// alone: no rule looks at so few days.
fn moved_before(before: &RunRecord, run: &RunRecord, year: AcademicYear) -> bool {
    let first = days_from_epoch(year.first_day());
    let earlier = |run: &RunRecord| {
        let is_earlier = |f: &DataFile| f.weeks.is_none_or(|(least, _)| least < first);
        run.table(Table::RegisterWeek).files.into_iter().filter(is_earlier).collect::<Vec<_>>()
    };
    let now = earlier(run);
    now.iter().any(|f| f.weeks.is_none_or(|(least, _)| least < monday_of_day(first))) && now != earlier(before)
}

/// Rows that speak of alerts, with their texts as one kind of array.
struct Rows {
    batch: RecordBatch,
    ids: StringArray,
    rules: StringArray,
    statuses: StringArray,
}

impl Rows {
    fn of(batch: RecordBatch, status: &str) -> Result<Self> {
        let texts = |name: &str| -> Result<StringArray> {
            let column = batch.column(batch.schema().index_of(name)?);
            Ok(arrow::compute::cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
        };
        let (ids, rules, statuses) = (texts("alert_id")?, texts("rule")?, texts(status)?);
        Ok(Self { batch, ids, rules, statuses })
    }

    /// Of several rows of one alert the one told last.
    fn newest(self) -> Result<Self> {
        let column = |name: &str| self.batch.column_by_name(name);
        let at = column("changed_at").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let arrival = column("return_id").and_then(|c| c.as_primitive_opt::<Int64Type>());
        let of = |row: usize| (at.map_or(0, |c| c.value(row)), arrival.map_or(0, |c| c.value(row)));
        let at = |row: u32| of(row as usize);
        let mut newest: HashMap<&str, u32> = HashMap::with_capacity(self.batch.num_rows());
        for row in 0..self.batch.num_rows() as u32 {
            let known = newest.entry(self.ids.value(row as usize)).or_insert(row);
            if at(*known) <= at(row) {
                *known = row;
            }
        }
        let rows = UInt32Array::from_iter_values(newest.into_values());
        Self::of(take_record_batch(&self.batch, &rows)?, "to_status")
    }

    /// Each row's alert by its id.
    fn each(&self) -> impl Iterator<Item = (&str, Alert<'_>)> {
        let column = |name: &str| self.batch.column_by_name(name);
        let whole = |name: &str| column(name).and_then(|c| c.as_primitive_opt::<Int64Type>());
        let days = |name: &str| column(name).and_then(|c| c.as_primitive_opt::<Date32Type>());
        let (keys, sessions) = (whole("pupil_key"), whole("sessions"));
        let urns = column("urn").and_then(|c| c.as_primitive_opt::<Int32Type>());
        let (from, to) = (days("event_from"), days("event_to"));
        (0..self.batch.num_rows()).map(move |row| {
            let alert = Alert {
                rule: self.rules.value(row),
                pupil_key: keys.map_or(0, |c| c.value(row)),
                urn: urns.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
                from: from.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
                to: to.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
                sessions: sessions.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
                status: self.statuses.value(row),
            };
            (self.ids.value(row), alert)
        })
    }
}

fn rows(events: &[Event<'_>], receipt: &Receipt) -> Result<RecordBatch> {
    let n = events.len();
    let at = receipt.received_at.timestamp_micros();
    let text =
        |f: &dyn Fn(&Event<'_>) -> String| Arc::new(StringArray::from_iter_values(events.iter().map(f))) as ArrayRef;
    Ok(RecordBatch::try_new(
        Table::AlertEvent.schema(),
        vec![
            text(&|e| e.id.to_owned()),
            stamped(at, n),
            Arc::new(events.iter().map(|e| e.before).collect::<StringArray>()),
            text(&|e| e.after.to_owned()),
            text(&|_| "rollcall".to_owned()),
            text(&|e| e.reason.to_owned()),
            text(&|e| e.alert.rule.to_owned()),
            Arc::new(Int64Array::from_iter_values(events.iter().map(|e| e.alert.pupil_key))),
            Arc::new(events.iter().map(|e| e.alert.urn).collect::<Int32Array>()),
            Arc::new(events.iter().map(|e| e.alert.from).collect::<Date32Array>()),
            Arc::new(events.iter().map(|e| e.alert.to).collect::<Date32Array>()),
            Arc::new(events.iter().map(|e| e.alert.sessions).collect::<Int64Array>()),
            stamped(at, n),
            new_null_array(&stamp(), n),
            Arc::new(Int64Array::from(vec![receipt.n as i64; n])),
        ],
    )?)
}
