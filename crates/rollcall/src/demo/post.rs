//! What arrives when: the arrivals of a year, and which of a school's files each of them brings.

use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{Days, NaiveDate};
use rand::Rng;

use super::authority::{Authority, Purpose, stream};
use super::calendar::{Habits, Terms, monday_of};
use super::marks_file::{self, Dirt, Statement};
use super::register::Register;
use super::roll_file::{self, Epoch};
use super::roster::Fate;
use super::{Cadence, Plan, Written};

/// One folder of files that arrive together.
pub struct Arrival {
    /// The day on which it arrives.
    pub on: NaiveDate,
    folder: PathBuf,
}

/// All arrivals of a plan, the opening one first.
pub struct Post<'a> {
    plan: &'a Plan,
    /// The arrivals in order.
    pub arrivals: Vec<Arrival>,
    /// The Monday of each school week, and the arrivals that bring its marks.
    weeks: Vec<(NaiveDate, Range<usize>)>,
}

// Chances, in per cent of a school's weeks.
const LATE: u32 = 3;
const CORRECTED_AFTER_ONE_WEEK: u32 = 45;
const CORRECTED_AFTER_TWO_WEEKS: u32 = 80;

impl<'a> Post<'a> {
    /// The arrivals of a plan under `dir/arrivals`; makes their folders.
    pub fn new(plan: &'a Plan, terms: &Terms, dir: &Path) -> anyhow::Result<Self> {
        let mut dates: Vec<NaiveDate> = [false, true]
            .into_iter()
            .flat_map(|early_october| terms.school_days(&Habits { early_october, ..Habits::default() }))
            .map(|day| day.date)
            .filter(|date| *date <= plan.until)
            .collect();
        dates.sort_unstable();
        dates.dedup();
        let mut weeks: Vec<(NaiveDate, Range<usize>)> = Vec::new();
        let mut days = Vec::new();
        for date in dates {
            let monday = monday_of(date);
            if weeks.last().is_none_or(|(last, _)| *last != monday) {
                weeks.push((monday, 0..0));
            }
            let arrives = match plan.cadence {
                Cadence::Year => plan.until,
                Cadence::Week => (monday + Days::new(4)).min(plan.until),
                Cadence::Day => date,
            };
            if days.last() != Some(&arrives) {
                days.push(arrives);
            }
            // The opening arrival is number 0.
            let last = days.len();
            if let Some((_, arrivals)) = weeks.last_mut() {
                if arrivals.start == 0 {
                    *arrivals = last..last;
                }
                arrivals.end = last + 1;
            }
        }
        let opening = (terms.first_day(), "05");
        let times = std::iter::once(opening).chain(days.into_iter().map(|day| (day, "18")));
        let arrivals = times
            .enumerate()
            .map(|(number, (on, hour))| {
                let folder = dir.join("arrivals").join(format!("{number:03}_{on}T{hour}:00:00Z"));
                fs::create_dir_all(&folder).with_context(|| format!("making folder {}", folder.display()))?;
                Ok(Arrival { on, folder })
            })
            .collect::<anyhow::Result<Vec<Arrival>>>()?;
        Ok(Post { plan, arrivals, weeks })
    }

    /// Writes a file of an arrival in one go.
    pub fn put(&self, arrival: usize, name: &str, bytes: &[u8]) -> anyhow::Result<Written> {
        let path = self.arrivals[arrival].folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        Ok(Written { files: 1, bytes: bytes.len() as u64, ..Written::default() })
    }
}

/// The files of one school, as they are written.
pub struct Sender<'a> {
    post: &'a Post<'a>,
    register: &'a Register<'a>,
    epochs: Vec<Epoch>,
    /// Days on which something on the roll changes.
    changes: Vec<NaiveDate>,
    /// The arrivals up to which changes of the roll are known, in order.
    rolls: Vec<usize>,
    /// Pupils by UPN, and the day for which that holds.
    order: (NaiveDate, Vec<u32>),
    dirt: Dirt,
    buffer: &'a mut Vec<u8>,
    written: Written,
}

impl<'a> Sender<'a> {
    /// A sender that has sent nothing yet. `buffer` only saves allocations.
    pub fn new(authority: &Authority, post: &'a Post<'a>, register: &'a Register<'a>, buffer: &'a mut Vec<u8>) -> Self {
        let school = register.school;
        let (eve, always) = (authority.conversion_eve(), (NaiveDate::MIN, NaiveDate::MAX));
        let epochs = match school.later_urn {
            None => vec![(school.urn, always.0, always.1)],
            Some(later) => vec![(school.urn, always.0, eve), (later, eve + Days::new(1), always.1)],
        };
        let opening = post.arrivals[0].on;
        let dirt = stream(post.plan.seed, school.number, Purpose::Dirt);
        Sender {
            epochs: epochs.into_iter().map(|(urn, from, to)| Epoch { urn, from, to }).collect(),
            changes: roll_changes(register),
            rolls: vec![0],
            order: (opening, marks_file::order(register, opening)),
            dirt: Dirt::new(post.plan.dirt, dirt),
            written: Written { pupils: register.enrolments.iter().filter(|e| !e.guest).count(), ..Written::default() },
            post,
            register,
            buffer,
        }
    }

    /// Writes all files of the school.
    pub fn send(mut self) -> anyhow::Result<Written> {
        let opening = self.post.arrivals[0].on;
        let first_week_end = monday_of(opening) + Days::new(11);
        self.send_roll(0, self.epochs[0], first_week_end, "")?;
        match self.post.plan.cadence {
            Cadence::Year => self.send_year()?,
            Cadence::Week | Cadence::Day => self.send_weeks()?,
        }
        Ok(self.written)
    }

    fn send_year(&mut self) -> anyhow::Result<()> {
        let until = self.post.plan.until;
        self.rolls.push(1);
        for epoch in self.epochs.clone() {
            let days = self.days_between(epoch.from, epoch.to.min(until));
            if days.is_empty() {
                continue;
            }
            let first = self.register.days[days.start].date;
            self.send_marks(1, "marks", first, days, false)?;
            if self.epochs.len() > 1 || self.roll_changed(self.post.arrivals[0].on, until) {
                self.send_roll(1, epoch, until, &format!("_{until}"))?;
            }
        }
        Ok(())
    }

    fn send_weeks(&mut self) -> anyhow::Result<()> {
        let plan = self.post.plan;
        self.send_rolls()?;
        let mut chance = stream(plan.seed, self.register.school.number, Purpose::Post);
        for number in 0..self.post.weeks.len() {
            // Drawn for every week, so that a longer plan begins as a shorter one.
            let (late, correction) = (chance.random_range(0..100) < LATE, chance.random_range(0..100));
            let (monday, arrivals) = self.post.weeks[number].clone();
            let days = self.days_between(monday, (monday + Days::new(6)).min(plan.until));
            if days.is_empty() {
                continue;
            }
            let late = plan.events && late;
            let corrected_after = match correction {
                _ if !plan.events => None,
                0..CORRECTED_AFTER_ONE_WEEK if !late => Some(1),
                0..CORRECTED_AFTER_TWO_WEEKS => Some(2),
                _ => None,
            };
            if late {
                if let Some(arrival) = self.last_arrival(number + 1) {
                    self.send_marks(arrival, "marks", monday, days.clone(), corrected_after.is_some())?;
                }
            } else {
                for arrival in arrivals.clone() {
                    let on = self.post.arrivals[arrival].on;
                    let so_far = days.start..self.days_between(monday, on).end;
                    let news = so_far.clone().last().map(|day| self.register.days[day].date);
                    // A school that is closed today has nothing to add to its week.
                    if plan.cadence == Cadence::Week || news == Some(on) {
                        self.send_marks(arrival, "marks", monday, so_far, corrected_after.is_some())?;
                    }
                }
            }
            if let Some(arrival) = corrected_after.and_then(|weeks| self.last_arrival(number + weeks)) {
                self.send_marks(arrival, "fix", monday, days.clone(), false)?;
            }
        }
        Ok(())
    }

    /// Rolls go with the first arrival of each half term, and with the last of a week in which
    /// something has changed.
    fn send_rolls(&mut self) -> anyhow::Result<()> {
        let mut sent = self.post.arrivals[0].on;
        for number in 0..self.post.weeks.len() {
            let (monday, arrivals) = self.post.weeks[number].clone();
            let days = self.days_between(monday, (monday + Days::new(6)).min(self.post.plan.until));
            if days.is_empty() {
                continue;
            }
            let first_of_half = self.register.days[days.start].first_week;
            let mut rolls = vec![(arrivals.start, true), (arrivals.end - 1, false)];
            if !first_of_half {
                rolls.remove(0);
            }
            for (arrival, due) in rolls {
                let on = self.post.arrivals[arrival].on;
                for epoch in self.epochs.clone() {
                    let current = epoch.from <= on && on <= epoch.to;
                    let just_ended = sent <= epoch.to && epoch.to < on;
                    if just_ended || (current && (due || self.roll_changed(sent, on))) {
                        self.send_roll(arrival, epoch, on, &format!("_{monday}"))?;
                    }
                }
                self.rolls.push(arrival);
                sent = on;
            }
        }
        Ok(())
    }

    /// The places of the school's days from one date to another, both included.
    fn days_between(&self, from: NaiveDate, to: NaiveDate) -> Range<usize> {
        let days = &self.register.days;
        let start = days.partition_point(|day| day.date < from);
        let end = days.partition_point(|day| day.date <= to);
        start..end.max(start)
    }

    fn last_arrival(&self, week: usize) -> Option<usize> {
        self.post.weeks.get(week).map(|(_, arrivals)| arrivals.end - 1)
    }

    fn roll_changed(&self, after: NaiveDate, to: NaiveDate) -> bool {
        let first = self.changes.partition_point(|day| *day <= after);
        self.changes.get(first).is_some_and(|day| *day <= to)
    }

    fn send_marks(
        &mut self,
        arrival: usize,
        kind: &str,
        first: NaiveDate,
        days: Range<usize>,
        reasons_open: bool,
    ) -> anyhow::Result<()> {
        // A changed UPN is used once a roll has told of it, and not in the marks of the days before.
        let told = self.rolls.partition_point(|roll| *roll <= arrival);
        let on = self.post.arrivals[self.rolls[told.saturating_sub(1)]].on;
        self.order_for(on);
        let folder = &self.post.arrivals[arrival].folder;
        let first_day = self.register.days[days.start].date;
        let epoch = self.epochs.iter().find(|epoch| first_day <= epoch.to);
        let urn = epoch.map_or(self.register.school.urn, |epoch| epoch.urn);
        let path = folder.join(format!("{kind}_{urn}_{first}.csv"));
        let mut file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
        let statement = Statement { register: self.register, urn, days, on, reasons_open };
        self.dirt.begin(arrival, statement.days.start);
        let mut bytes = 0;
        let rows = marks_file::write(&statement, &self.order.1, &mut self.dirt, self.buffer, |chunk| {
            bytes += chunk.len() as u64;
            file.write_all(chunk).with_context(|| format!("writing {}", path.display()))
        })?;
        self.written.files += 1;
        self.written.mark_rows += rows;
        self.written.bytes += bytes;
        Ok(())
    }

    fn send_roll(&mut self, arrival: usize, epoch: Epoch, expected_by: NaiveDate, suffix: &str) -> anyhow::Result<()> {
        let on = self.post.arrivals[arrival].on;
        self.order_for(on);
        let bytes = roll_file::bytes(self.register, &self.order.1, epoch, on, expected_by);
        let name = format!("roll_{}{suffix}.csv", epoch.urn);
        let written = self.post.put(arrival, &name, &bytes)?;
        self.written.add(&written);
        Ok(())
    }

    /// Brings the order of pupils up to date with UPNs that have changed, back or forth.
    fn order_for(&mut self, on: NaiveDate) {
        let (earlier, later) = (self.order.0.min(on), self.order.0.max(on));
        let stale =
            self.register.enrolments.iter().any(
                |enrolment| matches!(enrolment.pupil.former_upn, Some((_, from)) if earlier < from && from <= later),
            );
        if stale {
            self.order.1 = marks_file::order(self.register, on);
        }
        self.order.0 = on;
    }
}

fn roll_changes(register: &Register) -> Vec<NaiveDate> {
    let mut changes = Vec::new();
    for enrolment in &register.enrolments {
        changes.push(enrolment.entry);
        changes.extend(enrolment.leaving.map(|(last, _)| last));
        changes.extend(enrolment.pupil.former_upn.map(|(_, from)| from));
        if let Fate::Vanishes { from } = enrolment.pupil.fate {
            changes.push(from);
        }
    }
    changes.sort_unstable();
    changes
}
