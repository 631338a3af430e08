//! Everything but marks: schools first, then rolls, calendars, interventions and cases.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, Int64Type};
use chrono::{Days, NaiveDate};
use engine::{Found, Incoming};
use lake::RunRecord;
use lake::landing::Receipt;
use lake::register::{Roots, root_of};
use model::line::days_from_epoch;
use model::{Outcome, Problem};
use sources::{Content, Decoded, Kind, OfSchool};

use super::changed_upns::{Joined, changed_upns, join};
use super::rolls::{Rolls, Turns, merge_rolls};
use super::versions::state;
use super::{Ingest, Taken};

/// What became of the small files.
pub(super) struct Merged {
    /// The returns.
    pub taken: Vec<Taken>,
    /// Which keys are one child, afterwards.
    pub roots: Roots,
    /// Keys that have just turned out to be one child.
    pub joined: Vec<Joined>,
    /// What the rolls said.
    pub rolls: Rolls,
    /// The last return that has a row of a child, by kind and school, of interventions and cases.
    pub children: HashMap<(&'static str, Option<i32>, i64), i64>,
}

/// First and last days as two columns.
pub(super) fn day_columns(days: impl Iterator<Item = Option<(NaiveDate, NaiveDate)>>) -> [ArrayRef; 2] {
    let numbers = |(first, last)| (days_from_epoch(first), days_from_epoch(last));
    let (first, last): (Vec<_>, Vec<_>) = days.map(|d| d.map(numbers).unzip()).unzip();
    [first, last].map(|days| Arc::new(Date32Array::from(days)) as ArrayRef)
}

/// What rules are told of files that have come in from a source, which may be of one school.
pub(super) fn incoming_files(files: &[Decoded], of_source: Option<i32>) -> Result<RecordBatch> {
    let kind = |file: &Decoded| file.kind.map_or("unknown", Kind::name);
    incoming(files.iter().enumerate().map(|(i, file)| (i, file.name.as_str(), kind(file), file.schools())), of_source)
}

/// `incoming.file`: a row for each school of each file, which has a number, a name and a kind.
fn incoming<'a>(
    files: impl Iterator<Item = (usize, &'a str, &'a str, Vec<OfSchool>)>,
    of_source: Option<i32>,
) -> Result<RecordBatch> {
    let schools: Vec<(usize, &str, &str, OfSchool, bool)> = files
        .flat_map(|(i, name, kind, schools)| {
            let of_many = 1 < schools.len();
            schools.into_iter().map(move |school| (i, name, kind, school, of_many))
        })
        .collect();
    let [first_day, last_day] = day_columns(schools.iter().map(|s| s.3.days));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(schools.iter().map(|s| s.0 as i64))),
        Arc::new(StringArray::from_iter_values(schools.iter().map(|s| s.1))),
        Arc::new(StringArray::from_iter_values(schools.iter().map(|s| s.2))),
        Arc::new(schools.iter().map(|s| s.3.urn).collect::<Int32Array>()),
        Arc::new(schools.iter().map(|s| named_urn(s.1, s.3.days)).collect::<Int32Array>()),
        Arc::new(schools.iter().map(|_| of_source).collect::<Int32Array>()),
        Arc::new(Int64Array::from_iter_values(schools.iter().map(|s| s.3.rows as i64))),
        first_day,
        last_day,
        Arc::new(BooleanArray::from(schools.iter().map(|s| s.4).collect::<Vec<_>>())),
    ];
    Ok(RecordBatch::try_new(engine::rules::file_schema(), columns)?)
}

/// What rolls leave outside: asks the rules of what is held, once an arrival has been merged, and adds what they find
/// to its returns.
pub(super) async fn judge_held(
    ingest: &Ingest<'_>,
    run: &RunRecord,
    receipt: &Receipt,
    taken: &mut [Taken],
) -> Result<()> {
    let rolls = taken.iter().enumerate().filter(|(_, t)| t.kind == Kind::Roll.name() && !t.refused);
    let files = incoming(rolls.map(|(i, t)| (i, t.file.as_str(), t.kind, t.schools.clone())), None)?;
    if files.num_rows() == 0 {
        return Ok(());
    }
    let incoming = Incoming { files, registers: RecordBatch::new_empty(engine::rules::register_schema()) };
    let session = ingest.session(run, receipt).await?;
    incoming.put(&session)?;
    let of_held = |rule: &engine::Definition| rule.header.of_held;
    engine::rules::ready(&session, of_held).await?;
    for found in engine::rules::judge(&session, of_held).await? {
        if let Some(taken) = usize::try_from(found.file_id).ok().and_then(|i| taken.get_mut(i)) {
            taken.problems.push(as_problem(&found));
        }
    }
    Ok(())
}

/// The one six-digit number in a file's own name; none where there is none or several, or where it is a date of about
/// the days that the file speaks of.
fn named_urn(name: &str, days: Option<(NaiveDate, NaiveDate)>) -> Option<i32> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let is_of_then =
        |day: NaiveDate| days.is_some_and(|(first, last)| first - Days::new(31) <= day && day <= last + Days::new(31));
    let is_date = |number: &str| {
        let dates = ["%d%m%y", "%y%m%d"].map(|form| NaiveDate::parse_from_str(number, form));
        dates.into_iter().flatten().any(is_of_then)
    };
    let mut numbers = base.split(|c: char| !c.is_ascii_digit()).filter(|n| n.len() == 6 && !is_date(n));
    let only = numbers.next()?;
    numbers.next().is_none().then(|| only.parse().ok())?
}

/// A rule's finding as a problem of a file.
pub(super) fn as_problem(found: &Found) -> Problem {
    Problem {
        rule: found.rule.clone(),
        outcome: found.outcome,
        urn: found.urn,
        line: None,
        found: found.found.clone(),
        expected: found.expected.clone(),
        rows: found.rows,
        pupil_key: found.pupil_key,
        session: found.session,
    }
}

/// Merges what GIAS says of schools.
pub(super) async fn merge_schools(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    files: Vec<Decoded>,
    at: i64,
) -> Result<Vec<Taken>> {
    for kind in [Kind::Schools, Kind::Links] {
        let rows = rows_of(&files, kind)?;
        state(ingest, run, kind.table(), rows, None, &[], at).await?;
    }
    Ok(files.into_iter().map(into_taken).collect())
}

/// Merges the other small files. `run` is changed to the ledger after them.
pub(super) async fn merge(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    roots: &Roots,
    mut others: Vec<Decoded>,
    receipt: &Receipt,
    turns: &mut Turns,
) -> Result<Merged> {
    let at = receipt.received_at.timestamp_micros();
    judge(ingest, run, receipt, &mut others).await?;
    let former = changed_upns(ingest, run, roots, &mut others).await?;
    let (roots, joined) = join(ingest, run, roots, former, at).await?;
    let mut children = HashMap::new();
    for kind in [Kind::Calendar, Kind::Interventions, Kind::Cases] {
        let rows = rows_of(&others, kind)?;
        if let Some(keys) = rows.column_by_name("pupil_key").map(|keys| keys.as_primitive::<Int64Type>()) {
            let urns = rows.column_by_name("urn").map(|urns| urns.as_primitive::<Int32Type>());
            let returns = rows.column_by_name("return_id").context("no return_id")?.as_primitive::<Int64Type>();
            for row in 0..rows.num_rows() {
                let urn = urns.filter(|urns| urns.is_valid(row)).map(|urns| urns.value(row));
                children.insert((kind.name(), urn, root_of(&roots, keys.value(row))), returns.value(row));
            }
        }
        state(ingest, run, kind.table(), rows, None, &[], at).await?;
    }
    let (mut taken, contents): (Vec<_>, Vec<_>) = others.into_iter().map(taken_apart).unzip();
    let rolls = merge_rolls(ingest, run, &roots, (&mut taken, contents), turns, at).await?;
    Ok(Merged { taken, roots, joined, rolls, children })
}

/// What is recorded of a file that was taken.
pub(super) fn into_taken(file: Decoded) -> Taken {
    taken_apart(file).0
}

/// What is recorded of a file that was taken, and what it states.
pub(super) fn taken_apart(file: Decoded) -> (Taken, Content) {
    let taken = Taken {
        return_id: file.return_id,
        refused: file.status() == "refused",
        kind: file.kind.map_or("unknown", Kind::name),
        urn: file.urn,
        rows: (file.rows_in, file.rows_kept, file.rows_refused),
        days: file.days,
        schools: file.schools(),
        problems: file.problems,
        file: file.name,
        sha256: file.sha256,
    };
    (taken, file.content)
}

/// Runs the rules that need no marks, and takes out what they refuse.
async fn judge(ingest: &Ingest<'_>, run: &RunRecord, receipt: &Receipt, files: &mut [Decoded]) -> Result<()> {
    let files_of = incoming_files(files, ingest.config.school_of(&receipt.source))?;
    let incoming = Incoming { files: files_of, registers: RecordBatch::new_empty(engine::rules::register_schema()) };
    if incoming.files.num_rows() == 0 {
        return Ok(());
    }
    let session = ingest.session(run, receipt).await?;
    incoming.put(&session)?;
    let reads_marks = |rule: &engine::Definition| rule.reads.iter().any(|r| r == "incoming.register");
    let wanted = |rule: &engine::Definition| !rule.header.of_held && !reads_marks(rule);
    engine::rules::ready(&session, wanted).await?;
    for found in engine::rules::judge(&session, wanted).await? {
        let Some(file) = usize::try_from(found.file_id).ok().and_then(|i| files.get_mut(i)) else { continue };
        file.problems.push(as_problem(&found));
        if found.outcome == Outcome::RefuseFile {
            file.refuse();
        } else if found.outcome == Outcome::RefuseRow {
            file.refuse_rows_of(found.urn);
        }
    }
    Ok(())
}

fn rows_of(files: &[Decoded], kind: Kind) -> Result<RecordBatch> {
    let batches: Vec<&RecordBatch> = files
        .iter()
        .filter(|f| f.kind == Some(kind))
        .filter_map(|f| match &f.content {
            Content::Rows { rows, .. } => Some(rows),
            _ => None,
        })
        .collect();
    Ok(concat_batches(&kind.table().schema(), batches)?)
}
