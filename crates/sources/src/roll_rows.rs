//! What the rows of one roll file say of the same school and child, which must agree, and what no row can mean.

use std::collections::{BTreeMap, HashMap};

use chrono::{Datelike, NaiveDate};
use model::{AcademicYear, Urn};

use crate::decoder::Decoder;

/// The rule that two dates of birth under one UPN break.
pub(crate) const TWO_PUPILS: &str = "two_pupils_one_upn";

/// A row of a roll whose school, pupil and day of entry can be read.
pub(crate) struct RollRow<'a> {
    pub line: u64,
    pub urn: Urn,
    pub pupil_key: i64,
    pub entry: NaiveDate,
    pub born: Option<NaiveDate>,
    /// The national curriculum year, in the DfE's code set.
    pub year_group: Option<&'a str>,
    pub snapshot: Option<NaiveDate>,
}

/// What the rows of one roll file have said so far.
#[derive(Default)]
pub(crate) struct RollRows {
    /// The day of which the roll of each school speaks.
    pub days: BTreeMap<Urn, NaiveDate>,
    /// The day that is stated first of each school, and the line.
    stated: HashMap<Urn, (NaiveDate, u64)>,
    /// The date of birth that is stated first of each pupil, and the line.
    births: HashMap<(Urn, i64), (Option<NaiveDate>, u64)>,
    /// The line that first states each stint.
    stints: HashMap<(Urn, i64, NaiveDate), u64>,
}

/// What is wrong with a row: the rule it breaks, and what was found.
pub(crate) type Broken = (&'static str, String);

impl RollRows {
    /// What stands against taking a row.
    pub fn refused(&mut self, row: &RollRow<'_>) -> Option<Broken> {
        if let Some(day) = row.snapshot {
            let (first, line) = *self.stated.entry(row.urn).or_insert((day, row.line));
            if first != day {
                return Some(("several_snapshots", format!("SnapshotDate: {day}, {first} on line {line}")));
            }
        }
        let (before, line) = *self.births.entry((row.urn, row.pupil_key)).or_insert((row.born, row.line));
        let is_another = before.zip(row.born).is_some_and(|(before, born)| before != born);
        is_another.then(|| (TWO_PUPILS, format!("another date of birth than on line {line}")))
    }

    /// Takes a row, and says what is doubtful about it.
    pub fn take(&mut self, decoder: &Decoder<'_>, row: &RollRow<'_>) -> Vec<Broken> {
        let mut doubts = Vec::new();
        match row.snapshot {
            Some(day) => drop(self.days.insert(row.urn, day)),
            None => drop(self.days.entry(row.urn).or_insert(decoder.received_on)),
        }
        let first = *self.stints.entry((row.urn, row.pupil_key, row.entry)).or_insert(row.line);
        if first != row.line {
            doubts.push(("stint_twice", format!("the day of entry of line {first} again")));
        }
        if row.born.is_some_and(|born| row.entry < born) {
            doubts.push(("entry_out_of_reach", "an EntryDate before the pupil was born".to_owned()));
        } else if decoder.calendar_until < row.entry {
            doubts.push(("entry_out_of_reach", format!("EntryDate: {}", row.entry)));
        }
        let day = row.snapshot.unwrap_or(decoder.received_on);
        if let (Some(born), Some(year)) = (row.born, row.year_group.and_then(usual_age)) {
            let age = age_before(AcademicYear::of(day), born);
            if decoder.years_apart <= (age - year).abs() {
                doubts.push(("birth_of_another_year", "a DOB years away from its NCYear".to_owned()));
            }
        }
        doubts
    }
}

/// The age on the last day before its school year at which a pupil is usually in a year group.
fn usual_age(year_group: &str) -> Option<i32> {
    if year_group == "R" { Some(4) } else { year_group.parse::<i32>().ok().map(|year| year + 4) }
}

/// Age on the last day before a school year.
fn age_before(year: AcademicYear, born: NaiveDate) -> i32 {
    let first = year.first_day();
    let had_birthday = (born.month(), born.day()) < (first.month(), first.day());
    first.year() - born.year() - i32::from(!had_birthday)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_and_year_group_are_those_of_the_school_year() {
        let age = |born: &str| age_before(AcademicYear(2026), born.parse().unwrap());
        assert_eq!(["2016-08-31", "2016-09-01", "2017-08-31"].map(age), [10, 9, 9]);
        assert_eq!(["R", "1", "14", "N1", "X"].map(usual_age), [Some(4), Some(5), Some(18), None, None]);
    }
}
