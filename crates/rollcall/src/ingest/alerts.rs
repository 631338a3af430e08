//! What an arrival raised, ended, opened again or retracted.
//!
//! An alert is derived: whether it stands is a question to the marks. What is kept is only that its answer
//! changed, and when, so that a rebuild from landing gives the same events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use lake::landing::Receipt;
use lake::{RunRecord, Table};
use model::AcademicYear;
use model::line::day_of;

use super::Ingest;

/// Rules about being on a roll: they end when a roll says otherwise, and were not wrong before.
const ENDED_BY_A_ROLL: [&str; 1] = ["off_roll_no_destination"];

/// An alert as it stands, or as it last stood.
#[derive(Clone, Debug, PartialEq)]
struct Alert {
    rule: String,
    pupil_key: i64,
    urn: Option<i32>,
    from: Option<i32>,
    to: Option<i32>,
    sessions: Option<i64>,
    status: String,
}

/// One change of status.
struct Event<'a> {
    id: &'a str,
    alert: &'a Alert,
    before: Option<&'a str>,
    after: &'a str,
    reason: &'static str,
}

/// Appends what changed with this arrival. Where it is the last one for now, all figures are worked out from
/// the same registers and kept: whoever asks next finds them.
pub(super) async fn record(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    receipt: &Receipt,
    keeps_figures: bool,
) -> Result<()> {
    let session = ingest.session(run, receipt).await?;
    let stands = "alerts.standing";
    if keeps_figures {
        // What is asked for below is asked for here too: what only leads to the figures is let go on the way.
        let names: Vec<String> = ingest.library.figures().into_iter().chain([stands.to_owned()]).collect();
        session.build(&names, true, &|_| {}).await?;
    }
    tracing::debug!(arrival = receipt.n, "figures worked out");
    let mut standing = BTreeMap::new();
    let sql = format!("SELECT alert_id, rule, pupil_key, urn, event_from, event_to, sessions, status FROM {stands}");
    for batch in session.rows(&sql).await? {
        read(
            &batch,
            ["alert_id", "rule", "pupil_key", "urn", "event_from", "event_to", "sessions", "status"],
            &mut standing,
        )?;
    }
    let known =
        lake::parquet_file::read_all(ingest.lake, Table::AlertEvent, run.table(Table::AlertEvent).files.iter()).await?;
    let known = in_order(&known)?;
    let mut before = BTreeMap::new();
    read(
        &known,
        ["alert_id", "rule", "pupil_key", "urn", "event_from", "event_to", "sessions", "to_status"],
        &mut before,
    )?;

    let year = AcademicYear::of(receipt.received_at.date_naive());
    let ids: BTreeSet<&String> = standing.keys().chain(before.keys()).collect();
    let mut events = Vec::new();
    for id in ids {
        let (was, is) = (before.get(id), standing.get(id));
        let old = was.map(|a| a.status.as_str());
        match (was, is) {
            (_, Some(alert)) if old == Some(alert.status.as_str()) => {}
            (_, Some(alert)) => {
                let reason = match (old, alert.status.as_str()) {
                    (None, _) => "the rule is met",
                    (Some("retracted"), _) => "the rule is met again by the marks known now",
                    (_, "ended") => "the child has been marked otherwise since",
                    _ => "the run goes on",
                };
                events.push(Event { id, alert, before: old, after: &alert.status, reason });
            }
            (Some(alert), None) => {
                let this_year = alert.to.is_none_or(|day| AcademicYear::of(day_of(day)) == year);
                let by_roll = ENDED_BY_A_ROLL.contains(&alert.rule.as_str());
                let (after, reason) = match by_roll {
                    true => ("ended", "a roll says where the child is"),
                    false => ("retracted", "the marks known now no longer meet the rule"),
                };
                if this_year && !matches!(old, Some("retracted")) && !(by_roll && old == Some("ended")) {
                    events.push(Event { id, alert, before: old, after, reason });
                }
            }
            (None, None) => {}
        }
    }
    ingest.append(run, Table::AlertEvent, rows(&events, receipt)?).await
}

fn in_order(rows: &RecordBatch) -> Result<RecordBatch> {
    let at = rows.column(rows.schema().index_of("changed_at")?).as_primitive::<TimestampMicrosecondType>();
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by_key(|i| at.value(*i as usize));
    Ok(arrow::compute::take_record_batch(rows, &arrow::array::UInt32Array::from(order))?)
}

/// Reads alerts by id; of several rows of one, the last stands.
fn read(batch: &RecordBatch, names: [&str; 8], into: &mut BTreeMap<String, Alert>) -> Result<()> {
    let texts = |i: usize| -> Result<StringArray> {
        let column = batch.column(batch.schema().index_of(names[i])?);
        Ok(arrow::compute::cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
    };
    let column = |i: usize| batch.column_by_name(names[i]);
    let whole = |i: usize| column(i).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let days = |i: usize| column(i).and_then(|c| c.as_primitive_opt::<Date32Type>());
    let (ids, rules, statuses) = (texts(0)?, texts(1)?, texts(7)?);
    let (keys, sessions) = (whole(2), whole(6));
    let urns = column(3).and_then(|c| c.as_primitive_opt::<Int32Type>());
    let (from, to) = (days(4), days(5));
    for row in 0..batch.num_rows() {
        let alert = Alert {
            rule: rules.value(row).to_owned(),
            pupil_key: keys.map_or(0, |c| c.value(row)),
            urn: urns.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
            from: from.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
            to: to.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
            sessions: sessions.filter(|c| c.is_valid(row)).map(|c| c.value(row)),
            status: statuses.value(row).to_owned(),
        };
        into.insert(ids.value(row).to_owned(), alert);
    }
    Ok(())
}

fn rows(events: &[Event<'_>], receipt: &Receipt) -> Result<RecordBatch> {
    let n = events.len();
    let at = receipt.received_at.timestamp_micros();
    let stamps = || Arc::new(TimestampMicrosecondArray::from(vec![at; n]).with_timezone("UTC")) as ArrayRef;
    let text =
        |f: &dyn Fn(&Event<'_>) -> String| Arc::new(StringArray::from_iter_values(events.iter().map(f))) as ArrayRef;
    Ok(RecordBatch::try_new(
        Table::AlertEvent.schema(),
        vec![
            text(&|e| e.id.to_owned()),
            stamps(),
            Arc::new(events.iter().map(|e| e.before).collect::<StringArray>()),
            text(&|e| e.after.to_owned()),
            text(&|_| "rollcall".to_owned()),
            text(&|e| e.reason.to_owned()),
            text(&|e| e.alert.rule.clone()),
            Arc::new(Int64Array::from_iter_values(events.iter().map(|e| e.alert.pupil_key))),
            Arc::new(events.iter().map(|e| e.alert.urn).collect::<Int32Array>()),
            Arc::new(events.iter().map(|e| e.alert.from).collect::<Date32Array>()),
            Arc::new(events.iter().map(|e| e.alert.to).collect::<Date32Array>()),
            Arc::new(events.iter().map(|e| e.alert.sessions).collect::<Int64Array>()),
            stamps(),
            new_null_array(&lake::table::stamp(), n),
            Arc::new(Int64Array::from(vec![receipt.n as i64; n])),
        ],
    )?)
}
