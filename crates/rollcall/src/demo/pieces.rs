//! One pupil's year as a page of sessions, and the ways in which pieces of absence are put on it.

use super::mark::{self, Mark};

/// The sessions of one pupil's year: morning and afternoon of each school day in turn.
pub struct Page<'a> {
    row: &'a mut [Mark],
    free: usize,
}

impl<'a> Page<'a> {
    /// A page on which whatever is already marked stays.
    pub fn new(row: &'a mut [Mark]) -> Self {
        let free = row.iter().filter(|mark| **mark == mark::PRESENT).count();
        Page { row, free }
    }

    /// Sessions at which the pupil is still simply present.
    pub fn free(&self) -> usize {
        self.free
    }

    /// Puts `sessions` marks on successive free sessions from `day` on. An odd one out is the
    /// afternoon of the first day if `afternoon_first`, else the morning of the last. A piece that
    /// meets the end of the year goes on before its beginning, so that every session finds a place
    /// while there is one.
    pub fn run(&mut self, day: usize, sessions: usize, afternoon_first: bool, mark: Mark) {
        let half_day = afternoon_first && sessions % 2 == 1;
        let start = day * 2 + usize::from(half_day);
        let mut left = sessions;
        for at in start..self.row.len() {
            if left == 0 {
                return;
            }
            left -= self.take(at, mark);
        }
        for at in (0..start.min(self.row.len())).rev() {
            if left == 0 {
                return;
            }
            left -= self.take(at, mark);
        }
    }

    /// Whether the pupil's year has sessions on `day`.
    pub fn is_open(&self, day: usize) -> bool {
        self.row.get(day * 2).is_some_and(|mark| *mark != mark::CLOSED)
    }

    /// Puts the marks on successive afternoons (or mornings), as a part-time timetable does; on
    /// other sessions where these run out.
    pub fn half_days(&mut self, day: usize, sessions: usize, afternoons: bool, mark: Mark) {
        let mut left = sessions;
        let days = self.row.len() / 2;
        for day in (day..days).chain((0..day.min(days)).rev()) {
            if left == 0 {
                return;
            }
            left -= self.take(day * 2 + usize::from(afternoons), mark);
        }
        if left > 0 {
            self.run(0, left, false, mark);
        }
    }

    /// Puts an attending or excused mark on the sessions of `days` days at which the pupil is present.
    pub fn present_days(&mut self, day: usize, days: usize, mark: Mark) {
        for at in day * 2..((day + days) * 2).min(self.row.len()) {
            self.take(at, mark);
        }
    }

    /// Puts a mark on one session if the pupil is present at it.
    pub fn present_session(&mut self, at: usize, mark: Mark) {
        if at < self.row.len() {
            self.take(at, mark);
        }
    }

    fn take(&mut self, at: usize, mark: Mark) -> usize {
        if self.row[at] == mark::PRESENT {
            self.row[at] = mark;
            self.free -= 1;
            1
        } else {
            0
        }
    }
}
