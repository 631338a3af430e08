//! Which open problems the returns of an arrival mend: each by the return that says the same thing anew, and rightly.

use std::collections::{BTreeMap, HashMap, HashSet};

use lake::register::{Roots, root_of};
use model::Outcome;
use model::line::days_from_epoch;
use sources::{Kind, OfSchool};

use super::listed::Open;
use super::{Arrival, Id, UNKNOWN_URN};
use crate::ingest::coverage::{Coverage, weekdays};
use crate::ingest::rolls::{MISSING, Rolls};
use crate::ingest::{Ingest, Taken};

/// What the returns of an arrival state.
#[derive(Default)]
pub(in crate::ingest) struct Stated {
    /// Marks, by school.
    pub marks: HashMap<i32, Vec<Coverage>>,
    pub rolls: Rolls,
    /// The last return that has a row of a child, by kind and school, in kinds of which no file states a whole.
    pub children: HashMap<(&'static str, Option<i32>, i64), i64>,
}

/// What mends a problem.
pub(super) struct Mending<'a> {
    arrival: &'a Arrival<'a>,
    taken: &'a [Taken],
    stated: &'a Stated,
    roots: &'a Roots,
    /// The last return that was kept of each kind and school.
    accepted: HashMap<(&'static str, Option<i32>), i64>,
    /// Children of whom a roll has a refused row, at their school.
    refused: HashSet<(i32, i64)>,
    /// Rules of marks, and of marks held, whose findings a roll mends.
    pub by_roll: HashSet<&'a str>,
    pub of_held: HashSet<&'a str>,
    shrunk_times: i64,
    lost_one_in: i64,
}

impl<'a> Mending<'a> {
    pub fn of(
        ingest: &'a Ingest<'_>,
        arrival: &'a Arrival<'a>,
        taken: &'a [Taken],
        stated: &'a Stated,
        roots: &'a Roots,
    ) -> Self {
        let kept = taken.iter().filter(|t| !t.refused);
        let of_schools =
            kept.flat_map(|t| t.schools.iter().map(|s| s.urn).chain([t.urn]).map(|urn| ((t.kind, urn), t.return_id)));
        let rules = ingest.library.of_folder("rules").filter(|r| r.header.mended_by_roll);
        let (of_held, by_roll): (Vec<_>, Vec<_>) = rules.partition(|r| r.header.of_held);
        let [of_held, by_roll] = [of_held, by_roll]
            .map(|rules| rules.into_iter().map(|r| r.name.trim_start_matches("rules.")).collect::<HashSet<&str>>());
        let rolls = taken.iter().filter(|t| t.kind == Kind::Roll.name()).flat_map(|t| &t.problems);
        let refused = rolls.filter(|p| p.outcome == Outcome::RefuseRow);
        let refused = refused.filter_map(|p| Some((p.urn?, root_of(roots, p.pupil_key?))));
        let number = |param: &str| ingest.library.number(param).and_then(|n| i64::try_from(n).ok()).unwrap_or(1);
        Self {
            arrival,
            taken,
            stated,
            roots,
            accepted: of_schools.collect(),
            refused: refused.collect(),
            by_roll,
            of_held,
            shrunk_times: number("shrunk_times"),
            lost_one_in: number("roll_lost_one_in"),
        }
    }

    pub fn root(&self, key: i64) -> i64 {
        root_of(self.roots, key)
    }

    /// The return that mends each problem, in their order; none where it stays open.
    pub fn all(&self, open: &BTreeMap<Id, Open>) -> Vec<Option<i64>> {
        let mut mended: Vec<Option<i64>> = open.values().map(|open| self.mended(open)).collect();
        // Of those whom a roll has lost, how many are so still.
        let mut missing: HashMap<(i64, Option<i32>), i64> = HashMap::new();
        for (open, _) in open.values().zip(&mended).filter(|(open, by)| open.rule == MISSING && by.is_none()) {
            *missing.entry((open.return_id, open.urn)).or_default() += 1;
        }
        for (open, by) in open.values().zip(&mut mended).filter(|(open, _)| open.rule == "roll_lost_most") {
            let lost = missing.get(&(open.return_id, open.urn)).copied().unwrap_or(0);
            *by = by.filter(|_| lost.saturating_mul(self.lost_one_in) < open.rows);
        }
        mended
    }

    fn mended(&self, open: &Open) -> Option<i64> {
        if open.rule == MISSING {
            // A roll that says nothing of the child mends nothing.
            let mut stints = self.stated.rolls.of_child((open.urn?, self.root(open.pupil_key?)))?;
            return stints.find(|stint| !stint.is_missing).map(|stint| stint.return_id);
        }
        if open.rule == UNKNOWN_URN {
            // All that waited for its school is taken at once, with the arrival that tells of it.
            return self.accepted(open);
        }
        // A file of marks that is refused whole is mended by marks of its days, where it says which they are.
        let is_of_marks = open.kind == "marks" && (!open.refuses_file || open.urn.is_some() && open.days.is_some());
        let of_held = self.of_held.contains(open.rule.as_str());
        if !is_of_marks {
            let mended = match open.kind.as_str() {
                "schools" | "links" => self.accepted(open).or_else(|| self.same_file(open)),
                "roll" if open.urn.is_some() => self.later_roll(open),
                "calendar" if open.urn.is_some() && open.days.is_some() => self.calendar(open),
                "interventions" | "cases" if open.pupil_key.is_some() => self.child(open),
                _ => self.same_file(open),
            };
            if mended.is_some() || !of_held {
                return mended;
            }
        }
        if (of_held || self.by_roll.contains(open.rule.as_str()))
            && let Some(by) = self.on_roll(open.urn?, open.pupil_key?, open.days?.0)
        {
            return Some(by);
        }
        let (Some(urn), Some(days)) = (open.urn, open.days) else { return self.same_file(open) };
        // Marks of some children say nothing of a row that may be of any.
        let least = open.rows_kept / weekdays(days);
        let files = self.stated.marks.get(&urn);
        let child = open.pupil_key.map(|key| self.root(key));
        let mended = files.and_then(|files| Coverage::of_all(files, child, days, (least, self.shrunk_times)));
        mended.or_else(|| open.refuses_file.then(|| self.same_file(open)).flatten())
    }

    fn accepted(&self, open: &Open) -> Option<i64> {
        self.accepted.get(&(open.kind.as_str(), open.urn)).copied()
    }

    /// A return that has a row of the child.
    fn child(&self, open: &Open) -> Option<i64> {
        self.stated.children.get(&(open.kind.as_str(), open.urn, self.root(open.pupil_key?))).copied()
    }

    /// A roll that has the child on a day.
    fn on_roll(&self, urn: i32, key: i64, day: i32) -> Option<i64> {
        let mut stints = self.stated.rolls.of_child((urn, self.root(key)))?;
        stints.find(|s| s.entry <= day && s.leaving.is_none_or(|last| day <= last)).map(|s| s.return_id)
    }

    /// A roll of that day or a later one states the whole anew; an older one says nothing of what was wrong then. A child
    /// whose row was refused, and who is not on it either, has vanished between the two.
    fn later_roll(&self, open: &Open) -> Option<i64> {
        let since = |of: &OfSchool| open.days.zip(of.days).is_none_or(|((day, _), of)| day <= days_from_epoch(of.0));
        let is_later = |of: &OfSchool| of.urn.is_some() && of.urn == open.urn && since(of);
        let rolls = self.taken.iter().filter(|t| t.kind == Kind::Roll.name() && !t.refused);
        let by = rolls.filter(|t| t.schools.iter().any(is_later)).map(|t| t.return_id).next_back()?;
        let is_named = |key: i64| {
            let child = (open.urn?, self.root(key));
            (self.refused.contains(&child) || self.stated.rolls.of_child(child).is_some()).then_some(by)
        };
        open.pupil_key.filter(|_| open.refuses_row).map_or(Some(by), is_named)
    }

    /// A calendar is stated session by session: of all that was stated with what was wrong, it is stated anew.
    fn calendar(&self, open: &Open) -> Option<i64> {
        let is_whole = |of: &OfSchool| of.urn == open.urn && open.lies_in(of.days).unwrap_or(false);
        let calendars = self.taken.iter().filter(|t| t.kind == Kind::Calendar.name() && !t.refused);
        calendars.filter(|t| t.schools.iter().any(is_whole)).map(|t| t.return_id).next_back()
    }

    /// What cannot be said of any school, child or day is mended by the file that comes in its place: of its name, with
    /// no fewer rows, and of its days where both say them.
    fn same_file(&self, open: &Open) -> Option<i64> {
        let kept = self.taken.iter().filter(|t| self.arrival.source(t) == open.source && !t.refused && 0 < t.rows.1);
        // Of another school it is another file.
        let is_its = |t: &&Taken| open.urn.is_none_or(|urn| t.schools.iter().any(|school| school.urn == Some(urn)));
        let is_whole = |t: &&Taken| match open.kind.as_str() {
            "marks" => open.lies_in(t.days).unwrap_or(true),
            "interventions" | "cases" => open.rows_in <= t.rows.0 as i64,
            _ => true,
        };
        kept.filter(|t| t.file == open.file).filter(is_its).filter(is_whole).map(|t| t.return_id).next_back()
    }
}
