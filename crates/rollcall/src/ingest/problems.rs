//! What is recorded of returns and their problems, and which earlier problems they mend.

mod listed;
mod mending;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, new_null_array};
use lake::landing::Receipt;
use lake::path::hex;
use lake::register::Roots;
use lake::table::{stamp, stamped};
use lake::{RunRecord, Table};
use model::line::days_from_epoch;
use model::{Outcome, Problem};
use sha2::{Digest, Sha256};

pub(super) use self::listed::open_since;
use self::listed::{Listed, Open};
use self::mending::Mending;
pub(super) use self::mending::Stated;
use super::tables::day_columns;
use super::{Ingest, Taken};

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// An arrival, and what it took of earlier ones with it.
pub(super) struct Arrival<'a> {
    /// Its receipt.
    pub receipt: &'a Receipt,
    /// The source of each return that came earlier.
    pub again: &'a HashMap<i64, String>,
}

impl Arrival<'_> {
    fn source(&self, taken: &Taken) -> &str {
        self.again.get(&taken.return_id).unwrap_or(&self.receipt.source)
    }
}

/// The rows of `tables.return`.
pub(super) fn return_rows(arrival: &Arrival<'_>, taken: &[Taken]) -> Result<RecordBatch> {
    let schema = Table::Return.schema();
    let n = taken.len();
    let at = arrival.receipt.received_at.timestamp_micros();
    let count =
        |f: fn(&Taken) -> u64| Arc::new(Int64Array::from_iter_values(taken.iter().map(|t| f(t) as i64))) as ArrayRef;
    let of_its_school = |t: &Taken| t.schools.iter().find(|s| s.urn.is_some() && s.urn == t.urn)?.days;
    let [first_day, last_day] = day_columns(taken.iter().map(|t| t.days.or_else(|| of_its_school(t))));
    Ok(RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            texts(taken.iter().map(|t| arrival.source(t))),
            texts(taken.iter().map(|t| t.kind)),
            Arc::new(taken.iter().map(|t| t.urn).collect::<Int32Array>()),
            texts(taken.iter().map(|t| t.file.as_str())),
            texts(taken.iter().map(|t| t.sha256.as_str())),
            stamped(at, n),
            count(|t| t.rows.0),
            count(|t| t.rows.1),
            count(|t| t.rows.2),
            texts(taken.iter().map(|t| if t.refused { "refused" } else { "taken" })),
            first_day,
            last_day,
            stamped(at, n),
            new_null_array(&lake::table::stamp(), n),
            Arc::new(Int64Array::from_iter_values(taken.iter().map(|t| t.return_id))),
        ],
    )?)
}

/// The rows of `tables.return_school`: what a return states of several schools cannot stand in its own row.
pub(super) fn return_school_rows(receipt: &Receipt, taken: &[Taken]) -> Result<RecordBatch> {
    let of_many = taken.iter().filter(|t| t.urn.is_none() && !t.refused);
    let rows: Vec<_> = of_many.flat_map(|t| t.schools.iter().filter_map(move |s| Some((t, s, s.urn?)))).collect();
    let [first_day, last_day] = day_columns(rows.iter().map(|(_, s, _)| s.days));
    Ok(RecordBatch::try_new(
        Table::ReturnSchool.schema(),
        vec![
            texts(rows.iter().map(|(t, ..)| t.kind)),
            Arc::new(Int32Array::from_iter_values(rows.iter().map(|(.., urn)| *urn))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, s, _)| s.rows as i64))),
            first_day,
            last_day,
            stamped(receipt.received_at.timestamp_micros(), rows.len()),
            new_null_array(&lake::table::stamp(), rows.len()),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|(t, ..)| t.return_id))),
        ],
    )?)
}

/// The rule that refuses what a school sends that GIAS does not know.
pub(super) const UNKNOWN_URN: &str = "unknown_urn";

/// What stands for a problem: twenty hexadecimal digits.
type Id = [u8; 20];

/// The same fault of the same child and session, or at the same place in the same week's file, is one
/// problem however often it is sent.
fn problem_id(source: &str, taken: &Taken, problem: &Problem) -> Id {
    let place = match problem.pupil_key {
        Some(key) => format!("{key} {:?}", problem.session),
        None => format!("{:?} {:?} {:?}", problem.line, problem.session, taken.days.map(|d| d.0)),
    };
    let file = if taken.days.is_none() && problem.pupil_key.is_none() { taken.file.as_str() } else { "" };
    let mut hash = Sha256::new();
    for part in [source, taken.kind, &problem.rule, &format!("{:?}", problem.urn), &place, file, &problem.found] {
        hash.update(part);
        hash.update([0]);
    }
    id_of(&hex(&hash.finalize()[..10]))
}

fn id_of(text: &str) -> Id {
    let mut id = Id::default();
    id.iter_mut().zip(text.bytes()).for_each(|(place, digit)| *place = digit);
    id
}

fn text_of(id: &Id) -> &str {
    std::str::from_utf8(id).unwrap_or_default()
}

/// The problems of an arrival, in order of their ids, each once: there may be hundreds of thousands, so all cores look.
fn all_raised<'a>(arrival: &Arrival<'_>, taken: &'a [Taken], cores: usize) -> Vec<Raised<'a>> {
    let of_return = |taken: &'a Taken| {
        taken.problems.iter().map(move |problem| {
            let id = problem_id(arrival.source(taken), taken, problem);
            Raised { id, taken, problem, rows: problem.rows }
        })
    };
    let parts = taken.chunks(taken.len().div_ceil(cores).max(1));
    let mut raised: Vec<Raised<'_>> = std::thread::scope(|scope| {
        let working: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().flat_map(of_return).collect::<Vec<_>>())).collect();
        working.into_iter().flat_map(|part| part.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    // Of several the first stands.
    raised.sort_by_key(|raised| raised.id);
    raised.dedup_by(|again, first| {
        let is_same = again.id == first.id;
        first.rows += if is_same { again.rows } else { 0 };
        is_same
    });
    raised
}

/// A problem of an arrival, and how many of its rows share it.
struct Raised<'a> {
    id: Id,
    taken: &'a Taken,
    problem: &'a Problem,
    rows: u64,
}

/// Records the problems of an arrival that are not open already, and which open ones it mends.
pub(super) async fn record(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    arrival: &Arrival<'_>,
    taken: &[Taken],
    stated: &Stated,
    roots: &Roots,
) -> Result<()> {
    let Listed { open, known } = listed::listed(ingest, run).await?;
    let mut raised = all_raised(arrival, taken, ingest.config.cores());
    let mending = Mending::of(ingest, arrival, taken, stated, roots);
    let mendings: Vec<(&Id, &Open, Option<i64>)> =
        open.iter().zip(mending.all(&open)).map(|((id, open), by)| (id, open, by)).collect();
    // What was found of a child's marks when they came is not found once more of those held, unless others before them
    // are.
    let mut told: HashMap<(Option<i32>, i64), i32> = HashMap::new();
    let mut tell = |urn: Option<i32>, key: Option<i64>, day: Option<i32>| {
        if let Some(key) = key {
            let day = day.unwrap_or(i32::MIN);
            told.entry((urn, mending.root(key))).and_modify(|first| *first = day.min(*first)).or_insert(day);
        }
    };
    let is_of_marks = |rule: &str| mending.by_roll.contains(rule);
    let day = |problem: &Problem| problem.session.map(|(day, _)| days_from_epoch(day));
    for problem in raised.iter().map(|r| r.problem).filter(|problem| is_of_marks(&problem.rule)) {
        tell(problem.urn, problem.pupil_key, day(problem));
    }
    for (_, open, _) in mendings.iter().filter(|(_, open, by)| is_of_marks(&open.rule) && by.is_none()) {
        tell(open.urn, open.pupil_key, open.days.map(|days| days.0));
    }
    let is_told = |problem: &Problem| {
        let first = problem.pupil_key.and_then(|key| told.get(&(problem.urn, mending.root(key))));
        first.is_some_and(|first| day(problem).is_none_or(|day| *first <= day))
    };
    raised.retain(|r| !mending.of_held.contains(r.problem.rule.as_str()) || !is_told(r.problem));
    let is_raised = |id: &Id| raised.binary_search_by_key(id, |raised| raised.id).is_ok();
    let fixes: Vec<(&Id, i64)> =
        mendings.into_iter().filter(|(id, ..)| !is_raised(id)).filter_map(|(id, _, by)| Some((id, by?))).collect();
    let at = arrival.receipt.received_at.timestamp_micros();
    // What is refused of the same bytes again has been mended since, and stays mended; what is kept of them stands
    // again.
    let refuses = |raised: &Raised<'_>| raised.problem.outcome != Outcome::Warn;
    let came_before = raised.iter().any(|r| refuses(r) && known.contains(&r.id) && !open.contains_key(&r.id));
    let bytes = if came_before { landed_before(ingest, run).await? } else { HashSet::new() };
    let again =
        |raised: &Raised<'_>| refuses(raised) && known.contains(&raised.id) && bytes.contains(&raised.taken.sha256);
    let new: Vec<_> = raised.iter().filter(|raised| !open.contains_key(&raised.id) && !again(raised)).collect();
    ingest.append(run, Table::ProblemFix, fix_rows(&fixes, at)?).await?;
    ingest.append(run, Table::Problem, problem_rows(arrival, &new, at)?).await?;
    Ok(())
}

fn fix_rows(fixes: &[(&Id, i64)], at: i64) -> Result<RecordBatch> {
    Ok(RecordBatch::try_new(
        Table::ProblemFix.schema(),
        vec![
            texts(fixes.iter().map(|f| text_of(f.0))),
            stamped(at, fixes.len()),
            new_null_array(&lake::table::stamp(), fixes.len()),
            Arc::new(Int64Array::from_iter_values(fixes.iter().map(|f| f.1))),
        ],
    )?)
}

fn problem_rows(arrival: &Arrival<'_>, new: &[&Raised<'_>], at: i64) -> Result<RecordBatch> {
    let all = || new.iter().map(|raised| (raised.taken, raised.problem));
    let n = new.len();
    Ok(RecordBatch::try_new(
        Table::Problem.schema(),
        vec![
            texts(new.iter().map(|raised| text_of(&raised.id))),
            texts(all().map(|(t, _)| arrival.source(t))),
            Arc::new(all().map(|(t, p)| p.urn.or(t.urn)).collect::<Int32Array>()),
            texts(all().map(|(t, _)| t.file.as_str())),
            Arc::new(all().map(|(_, p)| p.line.map(|l| l as i64)).collect::<Int64Array>()),
            texts(all().map(|(_, p)| p.rule.as_str())),
            texts(all().map(|(_, p)| p.outcome.as_str())),
            texts(all().map(|(_, p)| p.found.as_str())),
            texts(all().map(|(_, p)| p.expected.as_str())),
            Arc::new(Int64Array::from_iter_values(new.iter().map(|raised| raised.rows as i64))),
            Arc::new(all().map(|(_, p)| p.pupil_key).collect::<Int64Array>()),
            Arc::new(all().map(|(_, p)| p.session.map(|s| days_from_epoch(s.0))).collect::<Date32Array>()),
            Arc::new(all().map(|(_, p)| p.session.map(|s| s.1.as_str())).collect::<StringArray>()),
            texts(all().map(|(t, _)| t.kind)),
            stamped(at, n),
            new_null_array(&stamp(), n),
            Arc::new(Int64Array::from_iter_values(all().map(|(t, _)| t.return_id))),
        ],
    )?)
}

/// SHA-256 of all bytes that returns before this arrival brought.
async fn landed_before(ingest: &Ingest<'_>, run: &RunRecord) -> Result<HashSet<String>> {
    let files = run.table(Table::Return).files;
    let hashes = lake::parquet_file::read_columns(ingest.lake, Table::Return, files.iter(), &["sha256"]).await?;
    Ok(hashes.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect())
}
