//! Rolls: who is at which school from which day to which.

mod held;
mod school_roll;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch};
use arrow::compute::{concat_batches, interleave_record_batch};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type};
use lake::register::{Roots, root_of};
use lake::table::stamped;
use lake::{RunRecord, Table};
use model::Problem;
use model::line::days_from_epoch;
use sources::{Content, Kind, Unread};

use self::held::HeldRolls;
use self::school_roll::{Absent, Known, Roll, SchoolRoll};
use super::versions::{believed, state};
use super::{Ingest, Taken};

/// So many schools hear all their rolls again at a time.
const HEARD_AGAIN: usize = 64;

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
pub(super) const MISSING: &str = "missing_from_roll";
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

/// A roll file, as it tells of the schools whose days stand in it.
#[derive(Clone)]
pub(super) struct RollFile {
    /// Its rows, with the columns of [`Table::Enrolment`].
    rows: RecordBatch,
    /// The day of which it speaks, days from the epoch, by school.
    days: BTreeMap<i32, i32>,
    /// Of whom its refused rows may be; children by the first keys of their chains.
    unread: Unread,
    /// When it came, and what came with it: rolls of one day that came together are one.
    came: (i64, usize),
    return_id: i64,
    /// Its place among the files that come now.
    place: Option<usize>,
}

impl RollFile {
    fn of(return_id: i64, content: Content, roots: &Roots, came: (i64, usize), place: Option<usize>) -> Self {
        let (mut rows, mut days, mut unread) =
            (RecordBatch::new_empty(Table::Enrolment.schema()), BTreeMap::new(), Unread::default());
        if let Content::Rows { rows: stated, snapshots, unread: refused, .. } = content {
            rows = stated;
            days.extend(snapshots.iter().map(|(urn, day)| (*urn, days_from_epoch(*day))));
            let pupils = refused.pupils.iter().map(|(urn, key)| (*urn, root_of(roots, *key))).collect();
            unread = Unread { pupils, ..refused };
        }
        Self { rows, days, unread, came, return_id, place }
    }

    /// Those of the files that come now.
    fn of_arrival(files: &[Taken], contents: Vec<Content>, roots: &Roots, came: (i64, usize)) -> Vec<Self> {
        let is_roll = |file: &Taken| file.kind == Kind::Roll.name();
        let (mut all, mut refused) = (Vec::new(), Vec::new());
        for (place, (file, content)) in files.iter().zip(contents).enumerate().filter(|(_, (file, _))| is_roll(file)) {
            match content {
                Content::Nothing => refused.push(file.urn),
                _ => all.push(Self::of(file.return_id, content, roots, came, Some(place))),
            }
        }
        // A roll that is refused whole is of children of whom nothing is known then.
        for urn in refused {
            all.iter_mut().for_each(|file: &mut Self| file.unread.add(urn, None));
        }
        all
    }
}

/// The rolls that come with an arrival in turn.
#[derive(Default)]
pub(super) struct Turns {
    /// Those that were merged before, and no table holds yet.
    before: Vec<RollFile>,
    /// How many turns were before.
    nth: usize,
    /// Whether others follow.
    pub more_follow: bool,
}

/// Merges rolls. Where one of a later day is held of a school, all its rolls are heard again from the first on, in order
/// of day. Says what they state, and what is wrong with `files`, whose `contents` these are.
pub(super) async fn merge_rolls(
    ingest: &Ingest<'_>,
    run: &mut RunRecord,
    roots: &Roots,
    (files, contents): (&mut [Taken], Vec<Content>),
    turns: &mut Turns,
    at: i64,
) -> Result<Rolls> {
    let arriving = RollFile::of_arrival(files, contents, roots, (at, turns.nth));
    if arriving.iter().all(|file| file.days.is_empty()) {
        return Ok(Rolls::default());
    }
    let Turns { before, nth, more_follow } = turns;
    let held = HeldRolls::of(ingest, run).await?;
    let is_older = |urn: i32, day: i32| {
        let is_later = |file: &RollFile| file.days.get(&urn).is_some_and(|later| day < *later);
        held.has_later(urn, day) || before.iter().any(is_later)
    };
    let days = || arriving.iter().flat_map(|file| &file.days).map(|(urn, day)| (*urn, *day));
    let again: BTreeSet<i32> = days().filter(|(urn, day)| is_older(*urn, *day)).map(|(urn, _)| urn).collect();
    let once: BTreeSet<i32> = days().map(|(urn, _)| urn).filter(|urn| !again.contains(urn)).collect();
    let current = believed(ingest, run, Table::Enrolment).await?;
    let mut telling = Telling { ingest, roots, files, is_older: &is_older, told: Told::default(), at };
    if !once.is_empty() {
        telling.tell(&current, true, &arriving, &once)?;
    }
    let again: Vec<i32> = again.into_iter().collect();
    for urns in again.chunks(HEARD_AGAIN) {
        let all = [held.read_again(ingest, run, roots, urns).await?, before.clone(), arriving.clone()].concat();
        telling.tell(&current, false, &all, &urns.iter().copied().collect())?;
    }
    let Told { stated, withdrawn, stints } = telling.told;
    *nth += 1;
    if *more_follow {
        before.extend(arriving.into_iter().map(|file| RollFile { place: None, ..file }));
    } else {
        // What they state stands in rows of its own now: all children's twice would be most of what an arrival holds.
        drop((arriving, std::mem::take(before)));
    }
    let keys = |rows: &RecordBatch| -> Result<Vec<ArrayRef>> {
        let stints = Stints::of(rows)?;
        let one: Int64Array = stints.key.iter().map(|key| key.map(|key| root_of(roots, key))).collect();
        Ok(vec![Arc::new(stints.urn.clone()), Arc::new(one), Arc::new(stints.entry.clone())])
    };
    let stated = match <[RecordBatch; 1]>::try_from(stated) {
        Ok([only]) => only,
        Err(several) => concat_batches(&Table::Enrolment.schema(), &several)?,
    };
    let keys = (keys(&current)?, keys(&stated)?, current);
    state(ingest, run, Table::Enrolment, stated, Some(keys), &withdrawn, at).await?;
    Ok(Rolls::of(stints))
}

/// What rolls of some schools come to.
#[derive(Default)]
struct Told {
    /// Rows to be stated.
    stated: Vec<RecordBatch>,
    /// Rows that were believed and are of no stint any more.
    withdrawn: Vec<usize>,
    stints: Vec<(Child, Stint)>,
}

/// Rows of what is believed, which stand first, and of rolls: those of each school.
struct Pages<'a> {
    columns: Vec<Stints<'a>>,
    /// The rows of each in order of school; those of one school stay in order.
    by_school: Vec<Vec<u32>>,
    roots: &'a Roots,
}

impl<'a> Pages<'a> {
    fn of(batches: &[&'a RecordBatch], roots: &'a Roots) -> Result<Self> {
        let columns = batches.iter().map(|rows| Stints::of(rows)).collect::<Result<Vec<_>>>()?;
        let by_school = columns.iter().map(|stints| {
            let mut rows: Vec<u32> = (0..stints.urn.len() as u32).collect();
            rows.sort_by_key(|row| stints.urn.value(*row as usize));
            rows
        });
        Ok(Self { by_school: by_school.collect(), columns, roots })
    }

    fn of_school(&self, batch: usize, urn: i32) -> impl Iterator<Item = Known> {
        let (rows, stints) = (&self.by_school[batch], &self.columns[batch]);
        let from = rows.partition_point(|row| stints.urn.value(*row as usize) < urn);
        let mine = rows[from..].iter().take_while(move |row| stints.urn.value(**row as usize) == urn);
        mine.map(move |row| stints.known((batch, *row as usize), self.roots, 0 < batch))
    }

    fn key(&self, stint: &Known) -> i64 {
        self.columns[stint.row.0].key.value(stint.row.1)
    }

    /// The keys of children of whom a roll has the same stint under two.
    fn of_two_upns(&self, stated: &[Known]) -> Vec<i64> {
        let mut first: HashMap<(i64, i32), i64> = HashMap::with_capacity(stated.len());
        let keys = stated.iter().map(|stint| (stint.key(), self.key(stint)));
        keys.filter(|(stint, key)| *first.entry(*stint).or_insert(*key) != *key).map(|(_, key)| key).collect()
    }
}

/// Lets schools hear their rolls.
struct Telling<'a> {
    ingest: &'a Ingest<'a>,
    roots: &'a Roots,
    /// Those that come now, for what is wrong with them.
    files: &'a mut [Taken],
    /// Whether a roll of a later day was held of a school before.
    is_older: &'a dyn Fn(i32, i32) -> bool,
    told: Told,
    at: i64,
}

impl Telling<'_> {
    /// Lets these schools hear rolls in order of day, those of one day in the order in which they came: after what is
    /// believed of them or, where it does not go on from there, from the first roll on, of which `rolls` are all then.
    fn tell(&mut self, current: &RecordBatch, goes_on: bool, rolls: &[RollFile], urns: &BTreeSet<i32>) -> Result<()> {
        let batches: Vec<&RecordBatch> = [current].into_iter().chain(rolls.iter().map(|file| &file.rows)).collect();
        let pages = Pages::of(&batches, self.roots)?;
        let (mut rows, mut values) = (Vec::new(), Values::default());
        for urn in urns {
            let believed = SchoolRoll::of(pages.of_school(0, *urn).collect());
            let mut school = SchoolRoll(if goes_on { believed.0.clone() } else { Vec::new() });
            let places = self.hear_all(&mut school, &pages, rolls, *urn);
            let Some(last) = places.values().next_back().copied() else { continue };
            for stint in &school.0 {
                let before = believed.0.binary_search_by_key(&stint.key(), Known::key).ok().map(|i| &believed.0[i]);
                let is_gone = || before.is_none_or(|known| known.missing.is_none()) && school.is_missing(stint.child);
                if let Some(day) = stint.missing.filter(|_| is_gone()) {
                    let place = places.get(&day).copied().unwrap_or(last);
                    self.report(place, MISSING, NOT_ON_IT.to_owned(), (*urn, Some(pages.key(stint)), 1));
                }
                if !stint.is_told {
                    continue;
                }
                rows.push(stint.row);
                values.push(stint);
                let comes_now = stint.row.0.checked_sub(1).is_some_and(|file| rolls[file].place.is_some());
                if comes_now || !goes_on {
                    let return_id = if comes_now { stint.return_id } else { self.files[last].return_id };
                    let is_missing = school.is_missing(stint.child);
                    let of_it = Stint { entry: stint.entry, leaving: stint.leaving, return_id, is_missing };
                    self.told.stints.push(((*urn, stint.child), of_it));
                }
            }
            let stands: HashSet<(i64, i32)> = school.0.iter().map(Known::key).collect();
            let gone = believed.0.iter().filter(|stint| !stands.contains(&stint.key()));
            self.told.withdrawn.extend(gone.map(|stint| stint.row.1));
        }
        let stated = interleave_record_batch(&batches, &rows)?;
        self.told.stated.push(values.in_place_of(&stated, self.at)?);
        Ok(())
    }

    /// Lets a school hear rolls, and says which of the files that come now was the last of each day.
    fn hear_all(
        &mut self,
        school: &mut SchoolRoll,
        pages: &Pages<'_>,
        rolls: &[RollFile],
        urn: i32,
    ) -> BTreeMap<i32, usize> {
        let mut days: BTreeMap<(i32, (i64, usize)), Vec<usize>> = BTreeMap::new();
        for (i, file) in rolls.iter().enumerate() {
            if let Some(day) = file.days.get(&urn) {
                days.entry((*day, file.came)).or_default().push(i);
            }
        }
        let mut places = BTreeMap::new();
        for ((day, came), files) in days {
            // A file of other schools may tell of one of its children too.
            let may_tell = |file: &&RollFile| file.came == came && file.days.get(&urn).is_none_or(|of| *of == day);
            let unread = rolls.iter().filter(may_tell).flat_map(|file| &file.unread.pupils);
            let Some(last) = files.last().map(|file| &rolls[*file]) else { continue };
            let roll = Roll {
                day,
                unread: unread.filter(|(of, _)| *of == urn).map(|(_, child)| *child).collect(),
                is_whole: !files.iter().any(|file| rolls[*file].unread.may_be_any_of(urn)),
                return_id: last.return_id,
            };
            let stated: Vec<Known> = files.iter().flat_map(|file| pages.of_school(file + 1, urn)).collect();
            let of_two_upns = pages.of_two_upns(&stated);
            let absent = school.hear(&roll, stated);
            let Some(place) = last.place else { continue };
            places.insert(day, place);
            for key in of_two_upns {
                let found = "two rows of one child, under two UPNs".to_owned();
                self.report(place, "two_upns_of_one_child", found, (urn, Some(key), 1));
            }
            self.report_whole(place, &roll, urn, absent);
            if 1 < files.len() {
                let found = format!("{} rolls of the school for one day", files.len());
                self.report(place, "several_rolls", found, (urn, None, files.len()));
            }
        }
        places
    }

    /// What is odd about a school's roll as a whole.
    fn report_whole(&mut self, place: usize, roll: &Roll, urn: i32, Absent { before, not_on_it }: Absent) {
        let lost_one_in = self.ingest.library.number("roll_lost_one_in").and_then(|n| usize::try_from(n).ok());
        let missing = format!("{not_on_it} of {before} pupils of the last roll are not on it");
        let (rule, found, rows) = if (self.is_older)(urn, roll.day) {
            ("older_roll", "a roll of a later day is held of the school".to_owned(), 1)
        } else if not_on_it == 0 {
            return;
        } else if !roll.is_whole {
            ("roll_not_whole", format!("{missing}; a refused row may be of any of them"), not_on_it)
        } else if before <= lost_one_in.unwrap_or(usize::MAX).saturating_mul(not_on_it) {
            ("roll_lost_most", missing, not_on_it)
        } else {
            return;
        };
        self.report(place, rule, found, (urn, None, rows));
    }

    fn report(&mut self, place: usize, rule: &str, found: String, (urn, pupil_key, rows): (i32, Option<i64>, usize)) {
        let problem = Problem::of(&self.ingest.library.fields, rule, found);
        self.files[place].problems.push(Problem { urn: Some(urn), pupil_key, rows: rows as u64, ..problem });
    }
}

/// What rolls know of a stint beside the row that states it.
#[derive(Default)]
struct Values {
    missing: Vec<Option<i32>>,
    born: Vec<Option<i32>>,
    returns: Vec<i64>,
}

impl Values {
    fn push(&mut self, stint: &Known) {
        self.missing.push(stint.missing);
        self.born.push(stint.born);
        self.returns.push(stint.return_id);
    }

    /// The rows with these values, as known since an instant.
    fn in_place_of(self, rows: &RecordBatch, at: i64) -> Result<RecordBatch> {
        let schema = rows.schema();
        let mut columns = rows.columns().to_vec();
        let replaced: [(&str, ArrayRef); 4] = [
            ("missing_since", Arc::new(Date32Array::from(self.missing))),
            ("dob", Arc::new(Date32Array::from(self.born))),
            ("return_id", Arc::new(Int64Array::from(self.returns))),
            ("known_from", stamped(at, rows.num_rows())),
        ];
        for (name, column) in replaced {
            columns[schema.index_of(name)?] = column;
        }
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

/// The columns of an enrolment that say which stint it is.
pub(super) struct Stints<'a> {
    pub urn: &'a Int32Array,
    pub key: &'a Int64Array,
    pub entry: &'a Date32Array,
    leaving: &'a Date32Array,
    missing: &'a Date32Array,
    born: &'a Date32Array,
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
            born: rows.column(at("dob")?).as_primitive::<Date32Type>(),
            return_id: rows.column(at("return_id")?).as_primitive::<Int64Type>(),
        })
    }

    /// A stint; `batch` says which rows these are.
    fn known(&self, (batch, row): (usize, usize), roots: &Roots, is_told: bool) -> Known {
        let stated = |days: &Date32Array| days.is_valid(row).then(|| days.value(row));
        Known {
            row: (batch, row),
            child: root_of(roots, self.key.value(row)),
            entry: self.entry.value(row),
            leaving: stated(self.leaving),
            missing: stated(self.missing),
            born: stated(self.born),
            return_id: self.return_id.value(row),
            named_on: i32::MIN,
            is_told,
        }
    }

    /// The last day: stated, or the day before the first roll without the child if that comes first; none while on roll.
    pub fn end(&self, i: usize) -> Option<i32> {
        self.known((0, i), &Roots::default(), false).end()
    }
}
