//! What is recorded of returns and their problems, and which earlier problems they mend.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type};
use lake::landing::Receipt;
use lake::path::hex;
use lake::register::{Roots, root_of};
use lake::{RunRecord, Table};
use model::line::days_from_epoch;
use model::{Outcome, Problem};
use sha2::{Digest, Sha256};
use sources::{Kind, OfSchool};

use super::coverage::Coverage;
use super::rolls::Rolls;
use super::tables::day_columns;
use super::{Ingest, Taken};

fn stamps(at: i64, rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(vec![at; rows]).with_timezone("UTC"))
}

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
            stamps(at, n),
            count(|t| t.rows.0),
            count(|t| t.rows.1),
            count(|t| t.rows.2),
            texts(taken.iter().map(|t| if t.refused { "refused" } else { "taken" })),
            first_day,
            last_day,
            stamps(at, n),
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
            stamps(receipt.received_at.timestamp_micros(), rows.len()),
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

/// An open problem, as far as mending it is concerned.
struct Open {
    source: String,
    file: String,
    kind: String,
    since: i64,
    urn: Option<i32>,
    pupil_key: Option<i64>,
    /// First and last day it may be about: of its session, or of all that its return says of the school.
    days: Option<(i32, i32)>,
    refuses_file: bool,
    rule: String,
}

/// Records the problems of an arrival that are not open already, and which open ones it mends.
pub(super) async fn record(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    arrival: &Arrival<'_>,
    taken: &[Taken],
    stated: &HashMap<i32, Vec<Coverage>>,
    rolls: &Rolls,
    roots: &Roots,
) -> Result<()> {
    let Listed { open, known } = listed(ingest, run).await?;
    let mut raised = all_raised(arrival, taken, ingest.config.cores());
    let accepted: HashMap<(&str, Option<i32>), i64> = taken
        .iter()
        .filter(|t| !t.refused)
        .flat_map(|t| t.schools.iter().map(|s| s.urn).chain([t.urn]).map(|urn| ((t.kind, urn), t.return_id)))
        .collect();
    let rules = ingest.library.of_folder("rules").filter(|r| r.header.mended_by_roll);
    let (of_held, by_roll): (Vec<_>, Vec<_>) = rules.partition(|r| r.header.of_held);
    let [of_held, by_roll] = [of_held, by_roll]
        .map(|rules| rules.into_iter().map(|r| r.name.trim_start_matches("rules.")).collect::<HashSet<&str>>());
    let root = |key| root_of(roots, key);
    let roll = |urn: i32, key: i64, day: i32| {
        let mut stints = rolls.of_child((urn, root(key)))?;
        stints.find(|s| s.entry <= day && s.leaving.is_none_or(|last| day <= last)).map(|s| s.return_id)
    };
    // What cannot be said of any school, or of any day, is mended by the file that comes in its place.
    let same_file = |open: &Open| {
        let kept = taken.iter().filter(|t| arrival.source(t) == open.source && !t.refused && 0 < t.rows.1);
        // Of another school it is another file.
        let is_its = |t: &&Taken| open.urn.is_none_or(|urn| t.schools.iter().any(|school| school.urn == Some(urn)));
        kept.filter(|t| t.file == open.file).filter(is_its).map(|t| t.return_id).next_back()
    };
    // A roll of that day or a later one states the whole anew; an older one says nothing of what was wrong then.
    let later_roll = |open: &Open| {
        let since = |of: &OfSchool| open.days.zip(of.days).is_none_or(|((day, _), of)| day <= days_from_epoch(of.0));
        let is_later = |of: &OfSchool| of.urn.is_some() && of.urn == open.urn && since(of);
        let rolls = taken.iter().filter(|t| t.kind == Kind::Roll.name() && !t.refused);
        rolls.filter(|t| t.schools.iter().any(is_later)).map(|t| t.return_id).next_back()
    };
    // A calendar is stated session by session: of all that was stated with what was wrong, it is stated anew.
    let calendar = |open: &Open| {
        let days = |of: &OfSchool| of.days.map(|(first, last)| (days_from_epoch(first), days_from_epoch(last)));
        let is_whole = |of: &OfSchool| {
            of.urn == open.urn && days(of).zip(open.days).is_some_and(|(of, open)| of.0 <= open.0 && open.1 <= of.1)
        };
        let calendars = taken.iter().filter(|t| t.kind == Kind::Calendar.name() && !t.refused);
        calendars.filter(|t| t.schools.iter().any(is_whole)).map(|t| t.return_id).next_back()
    };
    let mended = |open: &Open| -> Option<i64> {
        if open.rule == "missing_from_roll" {
            // A roll that says nothing of the child mends nothing.
            let mut stints = rolls.of_child((open.urn?, root(open.pupil_key?)))?;
            return stints.find(|stint| !stint.is_missing).map(|stint| stint.return_id);
        }
        let by = |kind: &str| accepted.get(&(kind, open.urn)).copied();
        if open.rule == UNKNOWN_URN {
            // All that waited for its school is taken at once, with the arrival that tells of it.
            return by(&open.kind);
        }
        // A file of marks that is refused whole is mended by marks of its days, where it says which they are.
        let is_of_marks = open.kind == "marks" && (!open.refuses_file || open.urn.is_some() && open.days.is_some());
        if !is_of_marks {
            // Others state no whole: what another file says is another thing.
            let mended = match open.kind.as_str() {
                "schools" | "links" => by(&open.kind).or_else(|| same_file(open)),
                "roll" if open.urn.is_some() => later_roll(open),
                "calendar" if open.urn.is_some() && open.days.is_some() => calendar(open),
                _ => same_file(open),
            };
            if mended.is_some() || !of_held.contains(open.rule.as_str()) {
                return mended;
            }
        }
        if (by_roll.contains(open.rule.as_str()) || of_held.contains(open.rule.as_str()))
            && let Some(by) = roll(open.urn?, open.pupil_key?, open.days?.0)
        {
            return Some(by);
        }
        let (Some(urn), Some(days)) = (open.urn, open.days) else { return same_file(open) };
        let mended = stated.get(&urn).and_then(|files| Coverage::of_all(files, open.pupil_key.map(root), days));
        mended.or_else(|| open.refuses_file.then(|| same_file(open)).flatten())
    };
    let mendings: Vec<(&Id, &Open, Option<i64>)> = open.iter().map(|(id, open)| (id, open, mended(open))).collect();
    // What was found of a child's marks when they came is not found once more of those held.
    let mut told: HashSet<(Option<i32>, i64)> = HashSet::new();
    let of_marks = raised.iter().map(|r| r.problem).filter(|problem| by_roll.contains(problem.rule.as_str()));
    told.extend(of_marks.filter_map(|problem| Some((problem.urn, root(problem.pupil_key?)))));
    let of_marks = mendings.iter().filter(|(_, open, by)| by_roll.contains(open.rule.as_str()) && by.is_none());
    told.extend(of_marks.filter_map(|(_, open, _)| Some((open.urn, root(open.pupil_key?)))));
    let is_told = |problem: &Problem| problem.pupil_key.is_some_and(|key| told.contains(&(problem.urn, root(key))));
    raised.retain(|r| !of_held.contains(r.problem.rule.as_str()) || !is_told(r.problem));
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
            stamps(at, fixes.len()),
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
            stamps(at, n),
            new_null_array(&DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())), n),
            Arc::new(Int64Array::from_iter_values(all().map(|(t, _)| t.return_id))),
        ],
    )?)
}

/// Since when a rule has open problems of each school.
pub(super) async fn open_since(ingest: &Ingest<'_>, run: &RunRecord, rule: &str) -> Result<BTreeMap<i32, i64>> {
    let mut since: BTreeMap<i32, i64> = BTreeMap::new();
    for open in listed(ingest, run).await?.open.into_values().filter(|open| open.rule == rule) {
        if let Some(urn) = open.urn {
            since.entry(urn).and_modify(|since| *since = open.since.min(*since)).or_insert(open.since);
        }
    }
    Ok(since)
}

/// The problems a ledger holds.
struct Listed {
    /// Those that are open, by id.
    open: BTreeMap<Id, Open>,
    /// The ids of all.
    known: HashSet<Id>,
}

/// First and last day that each return states of each school, and, with no school, of all.
async fn return_days(ingest: &Ingest<'_>, run: &RunRecord) -> Result<HashMap<(i64, Option<i32>), (i32, i32)>> {
    let mut found = HashMap::new();
    for table in [Table::Return, Table::ReturnSchool] {
        let files = run.table(table).files;
        let names = ["urn", "first_day", "last_day", "return_id"];
        let rows = lake::parquet_file::read_columns(ingest.lake, table, files.iter(), &names).await?;
        let schema = rows.schema();
        let column = |name: &str| -> Result<&ArrayRef> { Ok(rows.column(schema.index_of(name)?)) };
        let (first, last) =
            (column("first_day")?.as_primitive::<Date32Type>(), column("last_day")?.as_primitive::<Date32Type>());
        let (urns, ids) =
            (column("urn")?.as_primitive::<Int32Type>(), column("return_id")?.as_primitive::<Int64Type>());
        for i in (0..rows.num_rows()).filter(|i| first.is_valid(*i) && last.is_valid(*i)) {
            let urn = (table == Table::ReturnSchool).then(|| urns.value(i));
            found.insert((ids.value(i), urn), (first.value(i), last.value(i)));
        }
    }
    Ok(found)
}

/// SHA-256 of all bytes that returns before this arrival brought.
async fn landed_before(ingest: &Ingest<'_>, run: &RunRecord) -> Result<HashSet<String>> {
    let files = run.table(Table::Return).files;
    let hashes = lake::parquet_file::read_columns(ingest.lake, Table::Return, files.iter(), &["sha256"]).await?;
    Ok(hashes.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect())
}

async fn listed(ingest: &Ingest<'_>, run: &RunRecord) -> Result<Listed> {
    let fixed =
        lake::parquet_file::read_all(ingest.lake, Table::ProblemFix, run.table(Table::ProblemFix).files.iter()).await?;
    let fixed_ids = fixed.column(0).as_string::<i32>();
    let fixed_at = fixed.column(1).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
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
    let seen = column("known_from")?.as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
    let returns = column("return_id")?.as_primitive::<Int64Type>();
    // A problem that came back after it was mended is open again.
    let is_mended = |i: usize| last_fix.get(ids.value(i)).is_some_and(|fixed| seen.value(i) <= *fixed);
    let says_no_day = (0..rows.num_rows()).any(|i| days.is_null(i) && !is_mended(i));
    let of_return = if says_no_day { return_days(ingest, run).await? } else { HashMap::new() };
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
        open.insert(
            id_of(id),
            Open {
                source: sources.value(i).to_owned(),
                file: names.value(i).to_owned(),
                kind: kinds.value(i).to_owned(),
                since: seen.value(i),
                urn,
                pupil_key: keys.is_valid(i).then(|| keys.value(i)),
                days: day.or_else(|| told(urn)).or_else(|| told(None)),
                refuses_file: severities.value(i) == "refuse_file",
                rule: rules.value(i).to_owned(),
            },
        );
    }
    Ok(Listed { open, known: ids.iter().flatten().map(id_of).collect() })
}
