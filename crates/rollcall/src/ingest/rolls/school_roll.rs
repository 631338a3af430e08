//! The roll of one school, as its rolls tell of it one after another.

use std::collections::HashSet;

/// A stint of a child at the school.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// Where its row lies: which rows, and which of them.
    pub row: (usize, usize),
    /// The child, by the first key of its chain.
    pub child: i64,
    /// First day, days from the epoch.
    pub entry: i32,
    /// Last day, where stated.
    pub leaving: Option<i32>,
    /// The first roll without the child.
    pub missing: Option<i32>,
    /// Date of birth.
    pub born: Option<i32>,
    /// The return that says so.
    pub return_id: i64,
    /// The day of the last roll heard here that states it.
    pub named_on: i32,
    /// Whether a roll has told of it here.
    pub is_told: bool,
}

impl Known {
    /// Which stint it is.
    pub fn key(&self) -> (i64, i32) {
        (self.child, self.entry)
    }

    /// The last day: stated, or the day before the first roll without the child if that comes first; none while on roll.
    pub fn end(&self) -> Option<i32> {
        self.leaving.into_iter().chain(self.missing.map(|day| day - 1)).min()
    }
}

/// What a roll says besides its rows.
#[derive(Clone)]
pub(super) struct Roll {
    /// Its day.
    pub day: i32,
    /// Children of whom it has refused rows.
    pub unread: HashSet<i64>,
    /// Whether no refused row may be of any child.
    pub is_whole: bool,
    /// The return that lacks whom it lacks.
    pub return_id: i64,
}

/// How many children were on roll before, and how many of them are not on the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Absent {
    pub before: usize,
    pub not_on_it: usize,
}

/// Every stint known of the school, in order of child.
#[derive(Default)]
pub(super) struct SchoolRoll(pub Vec<Known>);

impl SchoolRoll {
    /// What is known before the first roll that is to tell.
    pub fn of(mut known: Vec<Known>) -> Self {
        known.sort_by_key(Known::key);
        Self(known)
    }

    /// Hears a roll of a day that is not before those it has heard. It states the whole roll of the school: a pupil who
    /// is missing from it has left without explanation, and a stint it states with another day of entry replaces the one
    /// it overlaps. A row that was refused changes nothing of its child; where it does not say whose it is, nobody is
    /// taken to have left. A date of birth that is not stated stays as it was known.
    pub fn hear(&mut self, roll: &Roll, stated: Vec<Known>) -> Absent {
        let mut stated = last_word(stated);
        stated.iter_mut().for_each(|stint| stint.named_on = roll.day);
        let of_child = |child: i64| {
            let from = stated.partition_point(|s| s.child < child);
            let len = stated[from..].partition_point(|s| s.child == child);
            &stated[from..from + len]
        };
        let mut births = Vec::new();
        let mut absent = Absent::default();
        self.0.retain_mut(|known| {
            // Whoever was to leave later has left before, and nobody said so.
            let was_on_roll = known.entry <= roll.day && known.end().is_none_or(|end| roll.day < end);
            absent.before += usize::from(was_on_roll);
            let of_it = of_child(known.child);
            if let (Some(born), true) = (known.born, of_it.iter().any(|s| s.born.is_none())) {
                births.push((known.child, born));
            }
            let is_unread = roll.unread.contains(&known.child);
            if of_it.is_empty() {
                if was_on_roll && !is_unread {
                    absent.not_on_it += 1;
                    if roll.is_whole {
                        (known.missing, known.return_id, known.is_told) = (Some(roll.day), roll.return_id, true);
                    }
                }
                return true;
            }
            if of_it.iter().any(|s| s.entry == known.entry) {
                return false;
            }
            // A row that could not be read may be of this stint; where it may be anybody's, so that no other overlaps it.
            is_unread
                || !of_it.iter().any(|s| {
                    let overlaps = s.leaving.is_none_or(|leaving| known.entry <= leaving);
                    known.end().is_none_or(|end| s.entry <= end) && (roll.is_whole || overlaps)
                })
        });
        let before = self.0.len();
        self.0.extend(stated);
        for known in self.0[before..].iter_mut().filter(|known| known.born.is_none()) {
            known.born = births.iter().rev().find(|(child, _)| *child == known.child).map(|(_, born)| *born);
        }
        self.0.sort_by_key(Known::key);
        absent
    }

    /// Whether a child is not on a roll it was to be on, and on none since.
    pub fn is_missing(&self, child: i64) -> bool {
        let from = self.0.partition_point(|known| known.child < child);
        let mine = || self.0[from..].iter().take_while(|known| known.child == child);
        let named_on = mine().map(|known| known.named_on).max();
        mine().filter_map(|known| known.missing).max() > named_on
    }
}

/// Stints in order of child; of one that is stated twice the later row stands.
fn last_word(mut stated: Vec<Known>) -> Vec<Known> {
    stated.sort_by_key(Known::key);
    stated.dedup_by(|later, stands| {
        let is_same = later.key() == stands.key();
        if is_same {
            stands.clone_from(later);
        }
        is_same
    });
    stated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stint(child: i64, entry: i32, leaving: Option<i32>) -> Known {
        Known {
            row: (0, 0),
            child,
            entry,
            leaving,
            missing: None,
            born: None,
            return_id: 1,
            named_on: 0,
            is_told: true,
        }
    }

    fn roll(day: i32) -> Roll {
        Roll { day, unread: HashSet::new(), is_whole: true, return_id: i64::from(day) }
    }

    fn told(school: &SchoolRoll) -> Vec<(i64, i32, Option<i32>)> {
        school.0.iter().map(|known| (known.child, known.entry, known.end())).collect()
    }

    #[test]
    fn who_is_not_on_the_next_roll_is_missing_until_a_later_one_has_the_stint_again() {
        let mut school = SchoolRoll::default();
        school.hear(&roll(10), vec![stint(1, 5, None), stint(2, 5, None), stint(3, 5, Some(8)), stint(4, 30, None)]);
        let absent = school.hear(&roll(20), vec![stint(1, 5, None)]);
        assert_eq!(absent, Absent { before: 2, not_on_it: 1 });
        assert_eq!(told(&school), [(1, 5, None), (2, 5, Some(19)), (3, 5, Some(8)), (4, 30, None)]);
        assert!(school.is_missing(2) && !school.is_missing(1) && !school.is_missing(3));
        school.hear(&roll(25), vec![stint(1, 5, None), stint(2, 5, None)]);
        assert!(!school.is_missing(2));
        // Who was to come by then did not.
        assert_eq!(school.hear(&roll(40), vec![stint(1, 5, None), stint(2, 5, None)]).not_on_it, 1);
        assert!(school.is_missing(4));
    }

    #[test]
    fn a_stint_replaces_what_it_overlaps_unless_a_refused_row_may_state_that() {
        let before = || SchoolRoll::of(vec![stint(1, 5, Some(15)), stint(1, 20, None)]);
        let after = |roll: Roll, stated: Known| {
            let mut school = before();
            school.hear(&roll, vec![stated]);
            told(&school)
        };
        assert_eq!(after(roll(30), stint(1, 22, None)), [(1, 5, Some(15)), (1, 22, None)]);
        assert_eq!(after(roll(30), stint(1, 4, None)), [(1, 4, None)]);
        let unread = Roll { unread: HashSet::from([1]), ..roll(30) };
        assert_eq!(after(unread, stint(1, 22, None)), [(1, 5, Some(15)), (1, 20, None), (1, 22, None)]);
        // A row of nobody may be of the stint that went on, where the one stated ends before it.
        let of_nobody = Roll { is_whole: false, ..roll(30) };
        assert_eq!(after(of_nobody, stint(1, 16, Some(18))), [(1, 5, Some(15)), (1, 16, Some(18)), (1, 20, None)]);
    }

    #[test]
    fn of_two_rows_of_one_stint_the_later_stands_and_a_known_birthday_stays() {
        let mut school = SchoolRoll::of(vec![Known { born: Some(-100), ..stint(1, 5, None) }]);
        school.hear(
            &roll(10),
            vec![Known { row: (1, 0), ..stint(1, 5, None) }, Known { row: (1, 1), ..stint(1, 5, Some(9)) }],
        );
        assert_eq!(school.0.len(), 1);
        assert_eq!((school.0[0].row, school.0[0].born, school.0[0].leaving), ((1, 1), Some(-100), Some(9)));
    }
}
