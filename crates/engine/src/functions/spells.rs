//! What a register says over time: runs of days, and so many sessions within so many school weeks.

use std::collections::VecDeque;

/// A run of school days on which every mark lies in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub first_day: i32,
    pub last_day: i32,
    /// The day on which it became as long as asked for.
    pub reached_on: i32,
    pub days: i32,
    pub sessions: i32,
    /// The day on which another mark ended it; none: nothing after it yet.
    pub ended_on: Option<i32>,
}

/// Runs of at least `least` days. Each week is its Monday, its boxes whose mark lies in a set, and those with
/// another that counts. Blanks and marks that are administrative are neither: they are passed over, and so is a day
/// on which nothing else is left; any other mark ends the run.
pub(super) fn runs(weeks: impl Iterator<Item = (i32, u16, u16)>, least: i32) -> Vec<Run> {
    let mut found = Vec::new();
    let mut now: Option<Run> = None;
    for (monday, inside, other) in weeks {
        // A week of others alone ends a run on the first of them.
        let first_other = other.trailing_zeros() as i32 / 2;
        let days = if inside == 0 { first_other.min(7)..(first_other + 1).min(7) } else { 0..7 };
        for nth in days {
            let (inside, other) = (inside >> (2 * nth) & 0b11, other >> (2 * nth) & 0b11);
            let day = monday + nth;
            if other != 0 {
                if let Some(run) = now.take().filter(|r| least <= r.days) {
                    found.push(Run { ended_on: Some(day), ..run });
                }
            } else if inside != 0 {
                let run = now.get_or_insert(Run {
                    first_day: day,
                    last_day: day,
                    reached_on: day,
                    days: 0,
                    sessions: 0,
                    ended_on: None,
                });
                run.last_day = day;
                run.days += 1;
                run.sessions += inside.count_ones() as i32;
                if run.days <= least {
                    run.reached_on = day;
                }
            }
        }
    }
    found.extend(now.filter(|r| least <= r.days));
    found
}

/// So many sessions within so many school weeks in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// The day of the session that made it enough.
    pub reached_on: i32,
    /// The first session of the newest window that has enough.
    pub first_day: i32,
    /// Its last session.
    pub last_day: i32,
    /// How many it has.
    pub sessions: i32,
}

/// The boxes of each week that hold a mark, as masks.
#[derive(Clone, Copy)]
pub(super) struct MarkedWeeks<'a> {
    pub first_week: i32,
    pub boxes: &'a [u16],
}

impl MarkedWeeks<'_> {
    /// The boxes of the week with this Monday; none outside.
    fn of(self, monday: i32) -> u16 {
        let nth = usize::try_from(monday.saturating_sub(self.first_week)).map_or(usize::MAX, |days| days / 7);
        self.boxes.get(nth).copied().unwrap_or_default()
    }

    fn end(self) -> i32 {
        self.first_week.saturating_add(7 * self.boxes.len() as i32)
    }
}

/// The place of a week's box that is the `nth` set, from 0; there are no fewer.
pub(super) fn nth_box(boxes: u16, nth: u32) -> i32 {
    let rest = (0..nth).fold(boxes, |rest, _| rest & rest.wrapping_sub(1));
    rest.trailing_zeros() as i32
}

/// The windows of `weeks` successive school weeks with at least `least` marks, as far as their last mark is on
/// or after day `from`. A school week is one with a box in `open` (or a mark); the others do not count.
pub(super) fn in_weeks(
    marks: MarkedWeeks<'_>,
    open: Option<MarkedWeeks<'_>>,
    least: i32,
    weeks: usize,
    from: i32,
) -> Option<Reached> {
    let all: u32 = marks.boxes.iter().map(|boxes| boxes.count_ones()).sum();
    if (all as i32) < least {
        return None;
    }
    let begins = open.map_or(marks.first_week, |open| open.first_week.min(marks.first_week));
    let ends = open.map_or(marks.end(), |open| open.end().max(marks.end()));
    // The school weeks of the window that have a mark, and how many school weeks there were.
    let mut window: VecDeque<(usize, i32, u16)> = VecDeque::new();
    let (mut school_weeks, mut sessions) = (0, 0);
    let mut found: Option<Reached> = None;
    for monday in (begins..ends).step_by(7) {
        let boxes = marks.of(monday);
        if boxes == 0 && open.is_none_or(|open| open.of(monday) == 0) {
            continue;
        }
        school_weeks += 1;
        while window.front().is_some_and(|(nth, ..)| nth + weeks < school_weeks) {
            sessions -= window.pop_front().map_or(0, |(.., boxes)| boxes.count_ones() as i32);
        }
        if boxes == 0 {
            continue;
        }
        let before = sessions;
        sessions += boxes.count_ones() as i32;
        window.push_back((school_weeks - 1, monday, boxes));
        let last = monday + boxes.ilog2() as i32 / 2;
        if last < from || sessions < least {
            continue;
        }
        let first = window.front().map(|(_, monday, boxes)| monday + nth_box(*boxes, 0) / 2);
        let reached_on = monday + nth_box(boxes, (least - before - 1).max(0) as u32) / 2;
        let reached_on = found.map_or(reached_on, |reached| reached.reached_on);
        found = Some(Reached { reached_on, first_day: first.unwrap_or(last), last_day: last, sessions });
    }
    found
}

#[cfg(test)]
mod tests {
    use model::{BLANK, CodeTable, SESSIONS_A_WEEK};

    use super::*;
    use crate::line_book::boxes_with;

    fn found(lines: &[&str], least: i32) -> Vec<(i32, i32, i32, i32, Option<i32>)> {
        let codes = CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        let (set, neutral) = (codes.set("codes:G N O U").unwrap(), codes.set("administrative").unwrap());
        let counts = |mark: u8| mark != BLANK && !neutral[usize::from(mark)];
        let weeks = lines.iter().enumerate().map(|(nth, line)| {
            let inside = boxes_with(line.as_bytes(), |mark| counts(mark) && set[usize::from(mark)]);
            (7 * nth as i32, inside, boxes_with(line.as_bytes(), |mark| counts(mark) && !set[usize::from(mark)]))
        });
        runs(weeks, least).iter().map(|r| (r.first_day, r.last_day, r.days, r.sessions, r.ended_on)).collect()
    }

    #[test]
    fn closures_blanks_and_weekends_are_passed_over() {
        assert_eq!(found(&["OOOOOOOOOO....", "##OOOO.O//...."], 5), [(0, 10, 8, 15, Some(11))]);
        assert_eq!(found(&["OOOOOOOO......"], 5), []);
        assert_eq!(found(&["OOOOOOOOOO...."], 5), [(0, 4, 5, 10, None)]);
    }

    #[test]
    fn any_other_mark_ends_a_run() {
        assert_eq!(found(&["OOOOOIOOOO...."], 2), [(0, 1, 2, 4, Some(2)), (3, 4, 2, 4, None)]);
        assert_eq!(found(&["OOOaOOOOOO...."], 3), [(2, 4, 3, 6, None)]);
    }

    #[test]
    fn school_weeks_alone_count() {
        let marks = "OO............".repeat(4) + "..............";
        let marks = marks + "OO............";
        let open = ["/.............".repeat(4), "..............".to_owned(), "/.............".to_owned()].concat();
        let masks = |boxes: &str| -> Vec<u16> {
            let week = |line: &[u8]| line.iter().rev().fold(0, |mask, mark| mask << 1 | u16::from(*mark != BLANK));
            boxes.as_bytes().chunks(SESSIONS_A_WEEK).map(week).collect()
        };
        let (marks, open) = (masks(&marks), masks(&open));
        let read = |boxes| MarkedWeeks { first_week: 4, boxes };
        let found = |least, weeks| in_weeks(read(&marks), Some(read(&open)), least, weeks, 0);
        assert_eq!(found(10, 5), Some(Reached { reached_on: 39, first_day: 4, last_day: 39, sessions: 10 }));
        assert_eq!(found(10, 4), None);
        assert_eq!(found(11, 9), None);
        assert_eq!(found(3, 2), Some(Reached { reached_on: 11, first_day: 25, last_day: 39, sessions: 4 }));
    }
}
