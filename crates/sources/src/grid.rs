//! A school's register as one file states it: a dense grid, which needs no sort and gives lines ready to merge.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use lake::register::{REFUSED, Stated, UNSENT, UNSTATED, says};
use model::line::{box_of, days_from_epoch, monday_of_day};
use model::{BLANK, Line, SESSIONS_A_WEEK, Session, Upn, Urn};

/// A box whose row says that it was deleted: no mark, and another row of the file may hold one.
pub(crate) const DELETED: u8 = 3;

/// More weeks of children than an authority's schools have in two years.
pub(crate) const LINES_A_FILE: usize = 20_000_000;

/// More children than any school has: a file of invented ones would fill the machine.
const PUPILS_A_SCHOOL: usize = 20_000;

/// What a session carries besides its mark.
#[derive(Clone, PartialEq)]
pub struct Detail {
    /// The child.
    pub pupil_key: i64,
    /// The day.
    pub date: NaiveDate,
    /// The half day.
    pub session: Session,
    /// Minutes late, where given.
    pub minutes_late: Option<i32>,
    /// The register's comment, where given.
    pub comment: Option<String>,
}

/// The register of one school as one file states it.
#[derive(Clone, Default)]
pub struct SchoolGrid {
    /// The school.
    pub urn: Urn,
    upns: Vec<Upn>,
    index: HashMap<Upn, usize>,
    /// Each week's Monday and a line for each pupil; weeks hold as many lines as pupils were known. In order of
    /// first row.
    weeks: Vec<(i32, Vec<Line>)>,
    /// The week of the last row.
    week: usize,
    /// Boxes with a refused row that does not say whose it is, or of which day: it may be any child's, or of any week.
    refused: BTreeMap<(Option<usize>, Option<i32>), u16>,
    /// First and last day with a row kept, days from the epoch.
    pub days: Option<(i32, i32)>,
    /// Rows kept.
    pub rows_kept: u64,
    /// Minutes late and comments.
    pub details: Vec<Detail>,
    /// The file sends only the sessions that changed.
    pub changes_only: bool,
}

impl SchoolGrid {
    /// The lines this grid states of the weeks wanted, in order of (pupil_key, week): every session from the first
    /// to the last day is stated for every pupil of whom a row was kept, with no mark where the file has none.
    pub fn stated(&self, return_id: i64, wanted: impl Fn(i32) -> bool) -> Vec<Stated> {
        let Some((first, last)) = self.days else { return Vec::new() };
        let refused = |pupil, week| self.refused.get(&(pupil, week)).copied().unwrap_or_default();
        let weeks: Vec<(i32, Option<&Vec<Line>>, u16)> = weeks_between(first, last)
            .filter(|week| wanted(*week))
            .map(|week| (week, self.lines(week), refused(None, Some(week)) | refused(None, None)))
            .collect();
        let empty = [UNSTATED; SESSIONS_A_WEEK];
        let mut stated = Vec::with_capacity(self.upns.len() * weeks.len());
        for (pupil_key, pupil) in self.in_order() {
            let undated = refused(Some(pupil), None);
            for (week, lines, unclaimed) in &weeks {
                let mut boxes = *lines.and_then(|w| w.get(pupil)).unwrap_or(&empty);
                let whole = !self.changes_only && first <= *week && week + 6 <= last;
                for (i, mark) in boxes.iter_mut().enumerate() {
                    let day = week + i as i32 / 2;
                    *mark = match *mark {
                        DELETED => BLANK,
                        UNSTATED if (unclaimed | undated) >> i & 1 == 1 => REFUSED,
                        UNSTATED if whole || !self.changes_only && first <= day && day <= last => UNSENT,
                        mark => mark,
                    };
                }
                stated.push(Stated { pupil_key, week: *week, boxes, return_id });
            }
        }
        stated
    }

    /// The Mondays from the first to the last day stated.
    pub fn mondays(&self) -> impl Iterator<Item = i32> + use<> {
        self.days.into_iter().flat_map(|(first, last)| weeks_between(first, last))
    }

    /// Each child's marks as one value, in order of key: the first Monday and fourteen boxes a week. A refused
    /// row's session is blank.
    pub fn registers(&self, mut give: impl FnMut(i64, &[u8])) {
        let Some((first, last)) = self.days else { return };
        let weeks: Vec<Option<&Vec<Line>>> = weeks_between(first, last).map(|week| self.lines(week)).collect();
        let monday = weeks_between(first, last).next().unwrap_or(first);
        let mut register = Vec::with_capacity(4 + weeks.len() * SESSIONS_A_WEEK);
        for (pupil_key, pupil) in self.in_order() {
            register.clear();
            register.extend_from_slice(&monday.to_le_bytes());
            for lines in &weeks {
                match lines.and_then(|w| w.get(pupil)) {
                    Some(line) => {
                        let shown = |b: &u8| if says(*b) && *b != DELETED { *b } else { BLANK };
                        register.extend(line.iter().map(shown));
                    }
                    None => register.extend_from_slice(&[BLANK; SESSIONS_A_WEEK]),
                }
            }
            give(pupil_key, &register);
        }
    }

    /// How many lines [`Self::stated`] gives of all weeks.
    pub(crate) fn stated_lines(&self) -> usize {
        self.upns.len() * self.days.map_or(0, |(first, last)| weeks_between(first, last).count())
    }

    /// Bytes of all that [`Self::registers`] gives.
    pub fn registers_size(&self) -> usize {
        let weeks = self.days.map_or(0, |(first, last)| weeks_between(first, last).count());
        self.upns.len() * (4 + weeks * SESSIONS_A_WEEK)
    }

    fn lines(&self, week: i32) -> Option<&Vec<Line>> {
        self.weeks.iter().find(|w| w.0 == week).map(|w| &w.1)
    }

    /// Keys and places of the children it states, in order of key.
    fn in_order(&self) -> Vec<(i64, usize)> {
        let children = self.upns.iter().enumerate().filter(|(i, _)| self.is_stated(*i));
        let mut order: Vec<(i64, usize)> = children.map(|(i, upn)| (upn.key(), i)).collect();
        order.sort_unstable();
        order
    }

    /// Whether a row of a child was kept: of one of whom all were refused it says nothing.
    fn is_stated(&self, pupil: usize) -> bool {
        let is_kept = |line: &Line| line.iter().any(|b| says(*b));
        self.weeks.iter().any(|(_, lines)| lines.get(pupil).is_some_and(is_kept))
    }

    /// The children of whom a row was kept.
    pub fn pupils(&self) -> impl Iterator<Item = Upn> + '_ {
        self.upns.iter().enumerate().filter(|(i, _)| self.is_stated(*i)).map(|(_, upn)| *upn)
    }

    /// The children and days of which it has a row that was kept.
    pub fn days_with_rows(&self) -> impl Iterator<Item = (i64, i32)> + '_ {
        let of_line = |week: i32, pupil: usize, line: &Line| {
            let is_kept = |day: &i32| line[*day as usize * 2..][..2].iter().any(|b| says(*b));
            let days: Vec<i32> = (0..7).filter(is_kept).collect();
            let key = self.upns[pupil].key();
            days.into_iter().map(move |day| (key, week + day))
        };
        let lines = self.weeks.iter().flat_map(|(week, lines)| lines.iter().enumerate().map(|line| (*week, line)));
        lines.flat_map(move |(week, (pupil, line))| of_line(week, pupil, line))
    }

    /// How many lines it holds.
    pub(crate) fn lines_held(&self) -> usize {
        self.weeks.iter().map(|(_, lines)| lines.len()).sum()
    }

    /// Bytes it holds, nearly.
    pub fn size(&self) -> usize {
        let lines = self.lines_held() * SESSIONS_A_WEEK;
        lines + self.upns.len() * size_of::<Upn>() + self.index.capacity() * size_of::<(Upn, usize)>()
    }

    /// Takes its lines out, and what is only needed while there are some.
    pub(crate) fn take_lines(&mut self) -> Vec<(i32, Vec<Line>)> {
        self.index = HashMap::new();
        std::mem::take(&mut self.weeks)
    }

    /// Puts its lines back.
    pub(crate) fn give_lines(&mut self, weeks: Vec<(i32, Vec<Line>)>) {
        self.index = self.upns.iter().enumerate().map(|(place, upn)| (*upn, place)).collect();
        self.weeks = weeks;
    }

    /// A register without rows.
    pub(crate) fn of(urn: Urn, changes_only: bool) -> Self {
        Self { urn, changes_only, ..Self::default() }
    }

    /// Marks boxes as refused, so that the file's silence about them withdraws nothing: of any child where none is
    /// named, of any week where none is. Lines that are made for it are added to `held`.
    pub(crate) fn leave_alone(&mut self, pupil: Option<usize>, week: Option<i32>, boxes: u16, held: &mut usize) {
        if let (Some(pupil), Some(week)) = (pupil, week) {
            let line = self.line(week, pupil, held);
            for (_, now) in line.iter_mut().enumerate().filter(|(i, now)| boxes >> i & 1 == 1 && **now == UNSTATED) {
                *now = REFUSED;
            }
        } else {
            *self.refused.entry((pupil, week)).or_default() |= boxes;
        }
    }

    /// Takes out a child's rows, of one session or of all: what was believed stands. Says how many boxes they fill.
    pub fn refuse(&mut self, pupil_key: i64, session: Option<(NaiveDate, Session)>) -> u64 {
        let Some(pupil) = self.upns.iter().position(|upn| upn.key() == pupil_key) else { return 0 };
        let only = session.map(|(date, half)| (days_from_epoch(model::monday_of(date)), box_of(date, half)));
        let mut refused = 0;
        for (week, lines) in &mut self.weeks {
            let Some(line) = lines.get_mut(pupil) else { continue };
            for (i, now) in line.iter_mut().enumerate() {
                if only.is_none_or(|only| only == (*week, i)) && says(*now) {
                    *now = REFUSED;
                    refused += 1;
                }
            }
        }
        if session.is_none() {
            // Nor is what it has no row of withdrawn.
            self.leave_alone(Some(pupil), None, u16::MAX, &mut 0);
        }
        self.details.retain(|d| d.pupil_key != pupil_key || session.is_some_and(|s| s != (d.date, d.session)));
        self.rows_kept = self.rows_kept.saturating_sub(refused);
        refused
    }

    /// Makes sure that no session is taken as withdrawn of which a school's rows speak that were refused: they may be
    /// of children of this one.
    pub fn leave_alone_what(&mut self, refused: &Self) {
        for (nth, upn) in refused.upns.iter().enumerate() {
            let Some(pupil) = self.index.get(upn).copied() else { continue };
            for (week, lines) in &refused.weeks {
                let Some(line) = lines.get(nth) else { continue };
                let boxes = line.iter().enumerate().filter(|(_, mark)| **mark != UNSTATED);
                let boxes = boxes.fold(0, |boxes, (place, _)| boxes | 1 << place);
                self.leave_alone(Some(pupil), Some(*week), boxes, &mut 0);
            }
        }
    }

    /// Whether a child has been met in it.
    pub(crate) fn knows(&self, upn: Upn) -> bool {
        self.index.contains_key(&upn)
    }

    /// The child at a place.
    pub(crate) fn upn(&self, pupil: usize) -> Option<&Upn> {
        self.upns.get(pupil)
    }

    /// How many children it has.
    pub(crate) fn len(&self) -> usize {
        self.upns.len()
    }

    /// Whether a child is one of the school's or may become one.
    pub(crate) fn has_room_for(&self, upn: Upn) -> bool {
        self.upns.len() < PUPILS_A_SCHOOL || self.index.contains_key(&upn)
    }

    /// The place of a child, who may be met for the first time; `likely` is that of the row before.
    pub(crate) fn pupil(&mut self, upn: Upn, likely: usize) -> usize {
        // Rows come pupil by pupil: the afternoon of the same child, or the next child as on the day before.
        for guess in [likely, likely + 1, 0] {
            if self.upns.get(guess) == Some(&upn) {
                return guess;
            }
        }
        *self.index.entry(upn).or_insert_with(|| {
            self.upns.push(upn);
            self.upns.len() - 1
        })
    }

    /// A child's boxes of a week. Lines that are made for it are added to `held`.
    pub(crate) fn line(&mut self, week: i32, pupil: usize, held: &mut usize) -> &mut Line {
        if self.weeks.get(self.week).is_none_or(|w| w.0 != week) {
            self.week = self.weeks.iter().position(|w| w.0 == week).unwrap_or_else(|| {
                self.weeks.push((week, Vec::with_capacity(self.upns.len())));
                self.weeks.len() - 1
            });
        }
        let lines = &mut self.weeks[self.week].1;
        if lines.len() <= pupil {
            *held += pupil + 1 - lines.len();
            lines.resize(pupil + 1, [UNSTATED; SESSIONS_A_WEEK]);
        }
        &mut lines[pupil]
    }
}

/// The Mondays of the weeks from one day's to another's.
fn weeks_between(first: i32, last: i32) -> impl Iterator<Item = i32> {
    (monday_of_day(first)..=last).step_by(7)
}

/// Lays one file's statements over an earlier file's of the same school and arrival, child by child, in order of
/// (pupil_key, week); `root` is one key of a child who has several. Says which boxes the two disagree about: those of
/// which both have a row, and those that the later leaves without the mark of the earlier.
pub fn overlay(
    earlier: Vec<Stated>,
    later: Vec<Stated>,
    root: impl Fn(i64) -> i64,
) -> (Vec<Stated>, Vec<(Stated, usize)>) {
    let mut all: BTreeMap<(i64, i32), Stated> = earlier.into_iter().map(|s| ((root(s.pupil_key), s.week), s)).collect();
    let mut disagreed = Vec::new();
    for line in later {
        all.entry((root(line.pupil_key), line.week))
            .and_modify(|now| {
                for (i, (was, said)) in now.boxes.iter_mut().zip(line.boxes).enumerate().filter(|(_, (_, b))| says(*b))
                {
                    let mark = |said: u8| if said == UNSENT { BLANK } else { said };
                    if says(*was) && *was != UNSENT && mark(*was) != mark(said) {
                        disagreed.push((line, i));
                    }
                    *was = said;
                }
                (now.pupil_key, now.return_id) = (line.pupil_key, line.return_id);
            })
            .or_insert(line);
    }
    let mut all: Vec<Stated> = all.into_values().collect();
    all.sort_by_key(|line| (line.pupil_key, line.week));
    (all, disagreed)
}
