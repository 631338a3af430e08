//! Rolls: who is at which school from which day to which.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type};
use chrono::NaiveDate;
use lake::register::{Roots, root_of};
use lake::{RunRecord, Table};
use model::Problem;
use model::line::days_from_epoch;
use sources::{Content, Decoded, Kind};

use super::Ingest;
use super::unread_rolls::UnreadRolls;
use super::versions::{believed, state};

/// A school, and a child by the first key of its chain.
type Child = (i32, i64);

/// The stints that an arrival's rolls state of each school and child, in order of these: a list apiece would be most of
/// what an arrival holds.
#[derive(Default)]
pub(super) struct Rolls(Vec<(Child, Stint)>);

impl Rolls {
    fn of(mut stints: Vec<(Child, Stint)>) -> Self {
        stints.sort_by_key(|(child, _)| *child);
        Self(stints)
    }

    /// What the rolls state of a child; none: they say nothing of it.
    pub fn of_child(&self, child: Child) -> Option<impl Iterator<Item = &Stint> + Clone> {
        let from = self.0.partition_point(|(of, _)| *of < child);
        let stints = &self.0[from..];
        let stints = &stints[..stints.partition_point(|(of, _)| *of == child)];
        (!stints.is_empty()).then(|| stints.iter().map(|(_, stint)| stint))
    }

    /// Adds what other rolls state: of a child of whom both speak these say nothing more.
    pub fn extend(&mut self, others: Self) {
        if !self.0.is_empty() {
            self.0.retain(|(child, _)| others.of_child(*child).is_none());
        }
        self.0.extend(others.0);
        self.0.sort_by_key(|(child, _)| *child);
    }
}

/// The rule that a child who is missing from a roll breaks, and what was found: the same whichever roll came first.
const MISSING: &str = "missing_from_roll";
const NOT_ON_IT: &str = "a pupil of the last roll, without a day of leaving by then";

/// A stint on a roll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stint {
    /// First day, days from the epoch.
    pub entry: i32,
    /// Last day, where stated.
    pub leaving: Option<i32>,
    /// The return that states it.
    pub return_id: i64,
    /// Whether a roll of a later day is without it.
    pub is_missing: bool,
}

/// Merges rolls, those of one day of the school together; `merged` are the days of those that came before them with the
/// arrival, and no table holds yet. First those that are older than one held, from the newest
/// back, then the others in order of day. Says what they state.
pub(super) async fn merge_rolls(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    roots: &Roots,
    files: &mut [Decoded],
    merged: &mut RollDays,
    at: i64,
) -> Result<Rolls> {
    let mut days: BTreeMap<i32, BTreeSet<NaiveDate>> = BTreeMap::new();
    for (urn, day) in files.iter().flat_map(snapshots_of) {
        days.entry(urn).or_default().insert(day);
    }
    if days.is_empty() {
        return Ok(Rolls::default());
    }
    let mut held = rolls_held(ingest, run).await?;
    merged.iter().for_each(|(urn, days)| held.entry(*urn).or_default().extend(days));
    let (mut turns, mut oldest) = (HashMap::<i32, VecDeque<NaiveDate>>::new(), HashMap::new());
    for (urn, days) in days {
        let (older, newer): (Vec<_>, Vec<_>) =
            days.into_iter().partition(|day| roll_after(&held, urn, days_from_epoch(*day)).is_some());
        oldest.extend(older.first().map(|day| (urn, days_from_epoch(*day))));
        turns.insert(urn, older.into_iter().rev().chain(newer).collect());
    }
    let unread = UnreadRolls::after(ingest, run, roots, &oldest, files).await?;
    let mut rolls = Rolls::default();
    loop {
        let of_round: HashMap<i32, NaiveDate> =
            turns.iter_mut().filter_map(|(urn, days)| Some((*urn, days.pop_front()?))).collect();
        if of_round.is_empty() {
            break;
        }
        rolls.extend(merge_rolls_of_a_day(ingest, run, roots, files, (&of_round, &held, &unread), at).await?);
        for (urn, day) in of_round {
            for days in [&mut held, &mut *merged] {
                days.entry(urn).or_default().insert(days_from_epoch(day));
            }
        }
    }
    Ok(rolls)
}

/// The days of the rolls that the ledger holds, by school.
pub(super) type RollDays = HashMap<i32, BTreeSet<i32>>;

/// The first roll held of a school after a day.
fn roll_after(held: &RollDays, urn: i32, day: i32) -> Option<i32> {
    held.get(&urn)?.range(day.saturating_add(1)..).next().copied()
}

async fn rolls_held(ingest: &Ingest<'_>, run: &RunRecord) -> Result<RollDays> {
    let mut held = RollDays::new();
    for table in [Table::Return, Table::ReturnSchool] {
        let files = run.table(table).files;
        let names = ["kind", "urn", "status", "last_day"];
        let rows = lake::parquet_file::read_columns(ingest.lake, table, files.iter(), &names).await?;
        let column = |name: &str| rows.column_by_name(name);
        let (Some(kinds), Some(urns), Some(days)) = (column("kind"), column("urn"), column("last_day")) else {
            continue;
        };
        let statuses = column("status").map(|c| c.as_string::<i32>());
        let (kinds, urns, days) =
            (kinds.as_string::<i32>(), urns.as_primitive::<Int32Type>(), days.as_primitive::<Date32Type>());
        for i in 0..rows.num_rows() {
            let is_taken = statuses.is_none_or(|s| s.value(i) == "taken");
            if kinds.value(i) == Kind::Roll.name() && is_taken && urns.is_valid(i) && days.is_valid(i) {
                held.entry(urns.value(i)).or_default().insert(days.value(i));
            }
        }
    }
    Ok(held)
}

/// The day of which a file's roll speaks, by school.
fn snapshots_of(file: &Decoded) -> Vec<(i32, NaiveDate)> {
    match &file.content {
        Content::Rows { snapshots, .. } if file.kind == Some(Kind::Roll) => {
            snapshots.iter().map(|(urn, day)| (*urn, *day)).collect()
        }
        _ => Vec::new(),
    }
}

/// The rows of a roll file that speak of these days of their schools.
fn rows_of_day(file: &Decoded, days: &HashMap<i32, NaiveDate>) -> Result<RecordBatch> {
    let Content::Rows { rows, snapshots, .. } = &file.content else {
        return Ok(RecordBatch::new_empty(Table::Enrolment.schema()));
    };
    let is_of_day = |urn: i32| days.get(&urn).is_some_and(|day| snapshots.get(&urn) == Some(day));
    let mine: BooleanArray = Stints::of(rows)?.urn.values().iter().map(|urn| Some(is_of_day(*urn))).collect();
    Ok(filter_record_batch(rows, &mine)?)
}

/// What an arrival says of a school's roll on its day.
#[derive(Default)]
struct OfRoll {
    /// Files that state it, by their places.
    files: Vec<usize>,
    /// Children who were on roll before.
    before: usize,
    /// Of them, those who are not on this roll.
    not_on_it: usize,
    /// Whether no refused row may be of any child.
    is_whole: bool,
    /// Whether a roll of a later day is held already.
    is_older: bool,
}

/// Merges rolls of one day of each school. A roll states the whole roll of its school on its day: a pupil who is
/// missing from it has left without explanation, and a stint it states with another day of entry replaces the one it
/// overlaps. A row that was refused changes nothing of its child; where it does not say whose it is, nobody is taken
/// to have left. A date of birth that is not stated stays as it was known. Where a roll of a later day came before,
/// what that one says stands: of the older roll only stints of which no later roll speaks are taken, and since when a
/// child is missing.
async fn merge_rolls_of_a_day(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    roots: &Roots,
    files: &mut [Decoded],
    (days, held, unread_later): (&HashMap<i32, NaiveDate>, &RollDays, &UnreadRolls),
    at: i64,
) -> Result<Rolls> {
    let root = |key| root_of(roots, key);
    let (mut batches, mut schools) = (Vec::new(), HashMap::<i32, OfRoll>::new());
    let mut unread: HashSet<(i32, i64)> = HashSet::new();
    for (i, file) in files.iter().enumerate().filter(|(_, f)| f.kind == Some(Kind::Roll)) {
        batches.push(rows_of_day(file, days)?);
        let Content::Rows { snapshots, unread: refused, .. } = &file.content else { continue };
        unread.extend(refused.pupils.iter().map(|(urn, key)| (*urn, root(*key))));
        for (urn, _) in snapshots.iter().filter(|(urn, day)| days.get(urn) == Some(day)) {
            let school = schools.entry(*urn).or_insert_with(|| OfRoll { is_whole: true, ..OfRoll::default() });
            school.files.push(i);
            school.is_whole &= !refused.may_be_any_of(*urn);
            school.is_older = roll_after(held, *urn, days_from_epoch(days[urn])).is_some();
        }
    }
    // A roll that is refused whole is of children of whom nothing is known then.
    let is_refused = |file: &&Decoded| file.kind == Some(Kind::Roll) && matches!(file.content, Content::Nothing);
    for refused in files.iter().filter(is_refused) {
        let may_be_its = |(urn, _): &(&i32, &mut OfRoll)| refused.urn.is_none_or(|of| of == **urn);
        schools.iter_mut().filter(may_be_its).for_each(|(_, school)| school.is_whole = false);
    }
    let stated = concat_batches(&Table::Enrolment.schema(), &batches)?;
    drop(batches);
    let current = believed(ingest, run, Table::Enrolment).await?;
    let stated = with_known_births(stated, &current, root)?;
    let is_older = |urn: i32| schools.get(&urn).is_some_and(|s| s.is_older);
    let all = Stints::of(&stated)?;
    let mut named: HashMap<(i32, i64), Vec<i32>> = HashMap::new();
    for i in (0..stated.num_rows()).filter(|i| is_older(all.urn.value(*i))) {
        named.entry((all.urn.value(i), root(all.key.value(i)))).or_default().push(all.entry.value(i));
    }
    let stated = if schools.values().any(|s| s.is_older) {
        let rolls_after = |urn: i32, entry: i32| {
            let day = days_from_epoch(*days.get(&urn)?).max(entry - 1);
            Some(held.get(&urn)?.range(day.saturating_add(1)..).copied())
        };
        let next = |urn: i32, entry: i32| rolls_after(urn, entry)?.next();
        let without = |child: (i32, i64), entry: i32| unread_later.first_without(child, rolls_after(child.0, entry)?);
        unspoken_of(&stated, &current, is_older, (next, without), root)?
    } else {
        stated
    };
    let (now, said) = (Stints::of(&current)?, Stints::of(&stated)?);
    let stint = |i: usize| Stint {
        entry: said.entry.value(i),
        leaving: said.leaving.is_valid(i).then(|| said.leaving.value(i)),
        return_id: said.return_id.value(i),
        is_missing: said.missing(i).is_some(),
    };
    let child = |i: usize| (said.urn.value(i), root(said.key.value(i)));
    let rolls = Rolls::of((0..stated.num_rows()).map(|i| (child(i), stint(i))).collect());
    let mut report = |urn: i32, key: i64, rule: &str, found: &str| {
        if let Some(file) = schools.get(&urn).and_then(|school| school.files.last()) {
            let problem = Problem::of(&ingest.library.fields, rule, found.to_owned());
            files[*file].problems.push(Problem { urn: Some(urn), pupil_key: Some(key), rows: 1, ..problem });
        }
    };
    // Whom an older roll names and a later one does not.
    for i in (0..stated.num_rows()).filter(|i| said.missing(*i).is_some()) {
        report(said.urn.value(i), said.key.value(i), MISSING, NOT_ON_IT);
    }
    let of_several: HashSet<i64> = roots.values().copied().collect();
    // Of one day of entry: stints that follow one another may well be told under two.
    let mut key_of: HashMap<((i32, i64), i32), i64> = HashMap::new();
    for i in (0..stated.num_rows()).filter(|i| of_several.contains(&child(*i).1)) {
        let key = said.key.value(i);
        if *key_of.entry((child(i), said.entry.value(i))).or_insert(key) != key {
            report(said.urn.value(i), key, "two_upns_of_one_child", "two rows of one child, under two UPNs");
        }
    }
    let (mut withdrawn, mut missing) = (Vec::new(), Vec::new());
    for i in 0..current.num_rows() {
        let urn = now.urn.value(i);
        let (Some(school), Some(day)) = (schools.get_mut(&urn), days.get(&urn)) else { continue };
        let day = days_from_epoch(*day);
        let child = (urn, root(now.key.value(i)));
        let entry = now.entry.value(i);
        let end = now.end(i);
        let next = roll_after(held, urn, day);
        if school.is_older && !now.is_unsaid_from(i, next) {
            continue;
        }
        // Whoever was to leave later has left before, and nobody said so.
        let was_on_roll = !school.is_older && entry <= day && end.is_none_or(|end| day < end);
        school.before += usize::from(was_on_roll);
        match rolls.of_child(child) {
            Some(stints) if stints.clone().any(|s| s.entry == entry) => {}
            // The stint itself may stand on a row that was refused: on one of anybody's, where no other overlaps it.
            Some(_) if unread.contains(&child) => {}
            Some(stints)
                if stints.clone().any(|s| {
                    let overlaps = s.leaving.is_none_or(|leaving| entry <= leaving);
                    end.is_none_or(|end| s.entry <= end) && (school.is_whole || overlaps)
                }) =>
            {
                withdrawn.push(i);
            }
            Some(_) => {}
            None if school.is_older => match (named.get(&child), school.files.last()) {
                // It was missing from the next roll already, and is from this one.
                (None, Some(file))
                    if school.is_whole && !unread.contains(&child) && entry <= day && now.missing(i) == next =>
                {
                    missing.push((i as u32, day, files[*file].return_id));
                }
                // It went on, into a stint by which a later roll replaces it.
                (Some(entries), _) if entries.contains(&entry) => withdrawn.push(i),
                _ => {}
            },
            None if was_on_roll && !unread.contains(&child) => {
                school.not_on_it += 1;
                if let (true, Some(file)) = (school.is_whole, school.files.last()) {
                    missing.push((i as u32, day, files[*file].return_id));
                    let problem = Problem::of(&ingest.library.fields, MISSING, NOT_ON_IT.to_owned());
                    let of_child = Problem { urn: Some(urn), pupil_key: Some(now.key.value(i)), rows: 1, ..problem };
                    files[*file].problems.push(of_child);
                }
            }
            None => {}
        }
    }
    let gone = take_record_batch(&current, &UInt32Array::from_iter_values(missing.iter().map(|m| m.0)))?;
    let gone = with_columns(
        &gone,
        vec![
            ("missing_since", Arc::new(Date32Array::from_iter_values(missing.iter().map(|m| m.1)))),
            ("known_from", Arc::new(TimestampMicrosecondArray::from(vec![at; missing.len()]).with_timezone("UTC"))),
            ("return_id", Arc::new(Int64Array::from_iter_values(missing.iter().map(|m| m.2)))),
        ],
    )?;
    let stated = match gone.num_rows() {
        0 => stated,
        _ => concat_batches(&Table::Enrolment.schema(), [&stated, &gone])?,
    };
    let keys = |rows: &RecordBatch| -> Result<Vec<ArrayRef>> {
        let stints = Stints::of(rows)?;
        let one: Int64Array = stints.key.iter().map(|k| k.map(root)).collect();
        Ok(vec![Arc::new(stints.urn.clone()), Arc::new(one), Arc::new(stints.entry.clone())])
    };
    let keys = (keys(&current)?, keys(&stated)?, current.clone());
    state(ingest, run, Table::Enrolment, stated, Some(keys), &withdrawn, at).await?;
    report_rolls(ingest, files, schools);
    Ok(rolls)
}

/// What is odd about a school's roll as a whole, as a problem of its last file.
fn report_rolls(ingest: &Ingest<'_>, files: &mut [Decoded], schools: HashMap<i32, OfRoll>) {
    let lost_most =
        ingest.library.number("roll_lost_one_in").and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let schools: BTreeMap<i32, OfRoll> = schools.into_iter().collect();
    for (urn, OfRoll { files: of_school, before, not_on_it, is_whole, is_older }) in schools {
        let Some(last) = of_school.last().and_then(|i| files.get_mut(*i)) else { continue };
        let mut report = |rule: &str, found: String, rows: usize| {
            let problem = Problem::of(&ingest.library.fields, rule, found);
            last.problems.push(Problem { urn: Some(urn), rows: rows as u64, ..problem });
        };
        let missing = format!("{not_on_it} of {before} pupils of the last roll are not on it");
        if is_older {
            report("older_roll", "a roll of a later day is held of the school".to_owned(), 1);
        } else if !is_whole && 0 < not_on_it {
            report("roll_not_whole", format!("{missing}; a refused row may be of any of them"), not_on_it);
        } else if 0 < not_on_it && before <= lost_most.saturating_mul(not_on_it) {
            report("roll_lost_most", missing, not_on_it);
        }
        if 1 < of_school.len() {
            report("several_rolls", format!("{} rolls of the school for one day", of_school.len()), of_school.len());
        }
    }
}

/// Stated rows without those of older rolls that overlap a stint which a later roll states of the child. `next` is the
/// first of the school's rolls after it that a child was to be on, and who is left of an older roll, and has no day of
/// leaving, is missing from the first that is `without`.
fn unspoken_of(
    stated: &RecordBatch,
    current: &RecordBatch,
    is_older: impl Fn(i32) -> bool,
    (next, without): (impl Fn(i32, i32) -> Option<i32>, impl Fn(Child, i32) -> Option<i32>),
    root: impl Fn(i64) -> i64,
) -> Result<RecordBatch> {
    let (now, said) = (Stints::of(current)?, Stints::of(stated)?);
    let end = |s: &Stints<'_>, i: usize| s.end(i).unwrap_or(i32::MAX);
    // Who is on the next roll by another stint was on this one until then at most.
    let next_of = |i: usize| next(said.urn.value(i), said.entry.value(i));
    let until = |i: usize| end(&said, i).min(next_of(i).map_or(i32::MAX, |next| next - 1));
    let mut known: HashMap<(i32, i64), Vec<(i32, i32)>> = HashMap::new();
    for i in (0..current.num_rows()).filter(|i| is_older(now.urn.value(*i))) {
        // What only rolls before this one say, this one says anew.
        if now.is_unsaid_from(i, next(now.urn.value(i), i32::MIN + 1)) {
            continue;
        }
        let stint = (now.entry.value(i), end(&now, i));
        known.entry((now.urn.value(i), root(now.key.value(i)))).or_default().push(stint);
    }
    let overlaps = |i: usize| {
        let (entry, last) = (said.entry.value(i), until(i));
        let stints = known.get(&(said.urn.value(i), root(said.key.value(i))));
        stints.is_some_and(|stints| stints.iter().any(|(from, to)| entry <= *to && *from <= last || entry == *from))
    };
    let taken: BooleanArray =
        (0..stated.num_rows()).map(|i| Some(!is_older(said.urn.value(i)) || !overlaps(i))).collect();
    let taken = filter_record_batch(stated, &taken)?;
    let stints = Stints::of(&taken)?;
    // No roll says of a pupil of its own that it is without them.
    let missing: Date32Array = (0..taken.num_rows())
        .map(|i| {
            let urn = stints.urn.value(i);
            let leaves_later = |next: i32| stints.leaving.is_null(i) || next < stints.leaving.value(i);
            let next = without((urn, root(stints.key.value(i))), stints.entry.value(i));
            next.filter(|next| is_older(urn) && leaves_later(*next))
        })
        .collect();
    with_columns(&taken, vec![("missing_since", Arc::new(missing))])
}

/// Stated rows, with the date of birth that was known of the child at the school where they state none: a date of
/// birth does not become unknown.
fn with_known_births(stated: RecordBatch, current: &RecordBatch, root: impl Fn(i64) -> i64) -> Result<RecordBatch> {
    let births = |rows: &RecordBatch| -> Result<Date32Array> {
        Ok(rows.column(rows.schema().index_of("dob")?).as_primitive::<Date32Type>().clone())
    };
    let said = births(&stated)?;
    if said.null_count() == 0 {
        return Ok(stated);
    }
    let (known, now, stints) = (births(current)?, Stints::of(current)?, Stints::of(&stated)?);
    let of_child: HashMap<(i32, i64), i32> = (0..current.num_rows())
        .filter(|i| known.is_valid(*i))
        .map(|i| ((now.urn.value(i), root(now.key.value(i))), known.value(i)))
        .collect();
    let born: Date32Array = (0..stated.num_rows())
        .map(|i| match said.is_valid(i) {
            true => Some(said.value(i)),
            false => of_child.get(&(stints.urn.value(i), root(stints.key.value(i)))).copied(),
        })
        .collect();
    with_columns(&stated, vec![("dob", Arc::new(born))])
}

/// The columns of an enrolment that say which stint it is.
pub(super) struct Stints<'a> {
    pub urn: &'a Int32Array,
    pub key: &'a Int64Array,
    pub entry: &'a Date32Array,
    leaving: &'a Date32Array,
    missing: &'a Date32Array,
    return_id: &'a Int64Array,
}

impl<'a> Stints<'a> {
    pub fn of(rows: &'a RecordBatch) -> Result<Self> {
        let schema = rows.schema();
        let at = |name: &str| schema.index_of(name);
        Ok(Self {
            urn: rows.column(at("urn")?).as_primitive::<Int32Type>(),
            key: rows.column(at("pupil_key")?).as_primitive::<Int64Type>(),
            entry: rows.column(at("entry_date")?).as_primitive::<Date32Type>(),
            leaving: rows.column(at("leaving_date")?).as_primitive::<Date32Type>(),
            missing: rows.column(at("missing_since")?).as_primitive::<Date32Type>(),
            return_id: rows.column(at("return_id")?).as_primitive::<Int64Type>(),
        })
    }

    /// The first roll of the school without the child.
    fn missing(&self, i: usize) -> Option<i32> {
        self.missing.is_valid(i).then(|| self.missing.value(i))
    }

    /// Whether no roll from that of a day on says anything of the stint.
    fn is_unsaid_from(&self, i: usize, roll: Option<i32>) -> bool {
        self.missing(i).is_some_and(|missing| roll.is_none_or(|roll| missing <= roll))
    }

    /// The last day: stated, or the day before the first roll without the child if that comes first; none while on roll.
    pub fn end(&self, i: usize) -> Option<i32> {
        let stated = self.leaving.is_valid(i).then(|| self.leaving.value(i));
        stated.into_iter().chain(self.missing(i).map(|day| day - 1)).min()
    }
}

fn with_columns(rows: &RecordBatch, replaced: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let schema = rows.schema();
    let mut columns = rows.columns().to_vec();
    for (name, column) in replaced {
        columns[schema.index_of(name)?] = column;
    }
    Ok(RecordBatch::try_new(schema, columns)?)
}
