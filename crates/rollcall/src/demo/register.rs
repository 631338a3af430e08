//! A school's year of marks: every pupil's absence laid out over the year in pieces of the right kind,
//! length and season.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::authority::{Authority, Purpose, School, stream};
use super::calendar::{SchoolDay, eid_days};
use super::mark::{self, Mark};
use super::movement::{Enrolment, enrolments};
use super::names::ETHNICITIES;
use super::overlay;
use super::pieces::Page;
use super::propensity::{Model, Phase, REASONS};
use super::seasons::{Season, Seasons};

/// One school, its pupils and all their marks in the year.
pub struct Register<'a> {
    /// The school.
    pub school: &'a School,
    /// The days on which it keeps a register.
    pub days: Vec<SchoolDay>,
    /// Its pupils.
    pub enrolments: Vec<Enrolment>,
    marks: Vec<Mark>,
}

/// What the pupils of a school have in common when their year is filled.
struct Setting<'a> {
    phase: Phase,
    model: &'a Model,
    days: &'a [SchoolDay],
    seasons: Seasons,
    /// Days of Eid, or the school days next to them.
    eids: [usize; 2],
    /// By year group: day and share of pupils who go.
    trips: Vec<Vec<(usize, f64)>>,
    /// First day of the week of work experience.
    work_week: usize,
}

impl<'a> Register<'a> {
    /// Makes up the whole year of a school, whatever the plan's last day is: a longer plan continues
    /// a shorter one.
    pub fn fill(authority: &'a Authority, school: &'a School) -> Self {
        let days = authority.terms.school_days(&school.habits);
        let first_day = days.iter().find(|day| !day.closed).map_or(authority.terms.first_day(), |day| day.date);
        let enrolments = enrolments(authority, school, first_day);
        let mut rng = stream(authority.seed, school.number, Purpose::Marks);
        let setting = Setting::new(authority, school, &days, &mut rng);
        let sessions = days.len() * 2;
        let mut owed = 0.0;
        let mut marks = vec![mark::PRESENT; enrolments.len() * sessions];
        for (enrolment, row) in enrolments.iter().zip(marks.chunks_exact_mut(sessions)) {
            overlay::closures(authority, school, enrolment, &days, row, &mut rng);
            setting.fill(enrolment, row, &mut owed, &mut rng);
            overlay::fates(enrolment, &days, row);
        }
        let mut register = Register { school, days, enrolments, marks };
        let mut rng = stream(authority.seed, school.number, Purpose::Missing);
        overlay::site_closures(&register.days, &mut register.marks, sessions, school, &mut rng);
        overlay::missing(&mut register.marks, school.missing, &mut rng);
        register
    }

    /// The morning and afternoon marks of a pupil on a day, by their places.
    pub fn marks(&self, pupil: usize, day: usize) -> [Mark; 2] {
        let at = (pupil * self.days.len() + day) * 2;
        [self.marks[at], self.marks[at + 1]]
    }
}

/// Attending and not-possible marks: per cent of possible sessions, and how many sessions in a piece.
struct Extra {
    mark: Mark,
    per_cent: f64,
    sessions: usize,
}

impl<'a> Setting<'a> {
    fn new(authority: &'a Authority, school: &School, days: &'a [SchoolDay], rng: &mut ChaCha8Rng) -> Self {
        let seasons = Seasons::new(days);
        let nearest = |date: chrono::NaiveDate| {
            days.iter()
                .enumerate()
                .filter(|(_, day)| !day.closed)
                .min_by_key(|(_, day)| (day.date - date).num_days().abs())
                .map_or(0, |(place, _)| place)
        };
        let (trips, going) = match school.phase {
            Phase::Primary => (2, 0.72),
            Phase::Secondary => (6, 0.24),
            Phase::Special => (3, 0.33),
            Phase::Alternative => (3, 0.4),
        };
        let trips = (0..14).map(|_| (0..trips).map(|_| (seasons.day(Season::Outings, rng), going)).collect()).collect();
        let summer_mondays: Vec<usize> =
            (0..days.len()).filter(|&i| (41..=45).contains(&days[i].week) && days[i].weekday == 0).collect();
        Setting {
            phase: school.phase,
            model: authority.model(school.phase),
            eids: eid_days(authority.year).map(nearest),
            work_week: summer_mondays.get(rng.random_range(0..summer_mondays.len().max(1))).copied().unwrap_or(0),
            days,
            seasons,
            trips,
        }
    }

    fn fill(&self, enrolment: &Enrolment, row: &mut [Mark], owed: &mut f64, rng: &mut ChaCha8Rng) {
        let mut page = Page::new(row);
        let pupil = &enrolment.pupil;
        let budget = whole(pupil.rate * page.free() as f64, rng);
        if budget > 0 {
            self.fill_absences(enrolment, &mut page, budget, owed, rng);
        }
        self.fill_visits(usize::from(pupil.nc_year), &mut page, rng);
        self.fill_extras(&mut page, rng);
        self.fill_lateness(pupil.lateness, &mut page, rng);
    }

    /// Shares the absent sessions out over the reasons, in pieces. Each reason takes, on average, its
    /// share of what those before it left; so the totals come out right although pieces are lumpy.
    fn fill_absences(
        &self,
        enrolment: &Enrolment,
        page: &mut Page,
        budget: usize,
        owed: &mut f64,
        rng: &mut ChaCha8Rng,
    ) {
        let split = self.split(enrolment, budget, owed);
        let mut left = budget;
        let mut share_left: f64 = split.iter().sum();
        for (&reason, share) in REASONS.iter().zip(split) {
            if left == 0 {
                break;
            }
            if reason == mark::ILL {
                while left > 0 {
                    left -= self.place(reason, left, page, rng);
                }
                break;
            }
            let mut expected = left as f64 * share / share_left.max(1e-9);
            share_left -= share;
            while expected > 0.0 && left > 0 {
                let sessions = self.piece(reason, left, rng);
                if expected < sessions as f64 && rng.random::<f64>() * sessions as f64 >= expected {
                    break;
                }
                expected -= sessions as f64;
                left -= self.lay(reason, sessions, page, rng);
            }
        }
    }

    /// The split of this pupil's absence: the model's, with what only some pupils have kept to them.
    fn split(&self, enrolment: &Enrolment, budget: usize, owed: &mut f64) -> [f64; REASONS.len()] {
        let pupil = &enrolment.pupil;
        let mut split = self.model.split(pupil.rate);
        let ethnicity = ETHNICITIES[usize::from(pupil.ethnicity)].0;
        for (share, &reason) in split.iter_mut().zip(&REASONS) {
            let factor = match reason {
                // One in 11 pupils is of a community that keeps Eid, one in 170 of a mobile one.
                mark::RELIGIOUS => match ethnicity {
                    "APKN" | "ABAN" => 11.0,
                    "BAFR" | "OOTH" => 4.5,
                    _ => 0.0,
                },
                mark::MOBILE => match ethnicity {
                    "WIRT" | "WROM" => 170.0,
                    _ => 0.0,
                },
                mark::STUDY => match (self.phase, pupil.nc_year) {
                    (Phase::Secondary, 11) => 5.0,
                    (Phase::Special, 11) => 9.8,
                    (Phase::Alternative, 11) => 3.0,
                    _ => 0.0,
                },
                _ => 1.0,
            };
            *share = (*share * factor).min(0.9);
        }
        // Unexplained absence is not the same for all who miss as much: most have next to none of it,
        // a few hardly anything else. What it takes, illness gives. Which of the two a pupil is
        // follows from what the school's pupils before it left owing, not from luck: in a small
        // school one pupil more would be the whole difference.
        const LAST: usize = REASONS.len() - 1;
        let both = split[LAST - 1] + split[LAST];
        let average = split[LAST - 1] / both;
        let (low, high) = (0.1 * average, (1.3 * average).clamp(0.85, 0.97));
        let sessions = both * budget as f64;
        *owed += sessions * average;
        let mine = if *owed > sessions * (low + high) / 2.0 { high } else { low };
        *owed -= sessions * mine;
        split[LAST - 1] = both * mine;
        split[LAST] = both * (1.0 - mine);
        split
    }

    /// How many sessions the next piece of a reason has, at most `left`.
    fn piece(&self, reason: Mark, left: usize, rng: &mut ChaCha8Rng) -> usize {
        let draw: f64 = rng.random();
        let lengths: &[(f64, usize)] = match reason {
            mark::MOBILE => &[(0.5, 20), (0.8, 30), (1.0, 50)],
            mark::PART_TIME => &[(0.5, 20), (0.8, 40), (1.0, 60)],
            mark::EXCLUDED => &[(0.35, 2), (0.6, 4), (0.8, 6), (0.97, 10), (1.0, 16)],
            mark::STUDY => &[(0.5, 4), (0.8, 10), (1.0, 20)],
            mark::HOLIDAY => &[(0.25, 2), (0.46, 4), (0.61, 6), (0.69, 8), (0.97, 10), (1.0, 20)],
            mark::RELIGIOUS => &[(1.0, 2)],
            mark::LEAVE => &[(0.3, 1), (0.75, 2), (0.9, 4), (1.0, 10)],
            mark::PERFORMANCE => &[(0.8, 2), (1.0, 6)],
            mark::INTERVIEW | mark::MEDICAL | mark::VERY_LATE => &[(1.0, 1)],
            mark::NOT_YET => &[(0.3, 1), (1.0, 2)],
            mark::UNEXPLAINED if left >= 24 && draw < 0.05 => &[(0.02, 20), (0.035, 30), (1.0, 50)],
            mark::UNEXPLAINED => &[(0.42, 1), (0.8, 2), (0.88, 4), (0.94, 6), (1.0, 10)],
            _ if left >= 40 && draw < 0.06 => &[(0.03, 20), (0.05, 40), (1.0, 80)],
            _ => &[(0.12, 1), (0.56, 2), (0.60, 3), (0.78, 4), (0.88, 6), (0.93, 8), (0.985, 10), (1.0, 20)],
        };
        let length = lengths.iter().find(|(upto, _)| draw < *upto).map_or(1, |(_, sessions)| *sessions);
        length.min(left)
    }

    fn place(&self, reason: Mark, left: usize, page: &mut Page, rng: &mut ChaCha8Rng) -> usize {
        let sessions = self.piece(reason, left, rng);
        self.lay(reason, sessions, page, rng)
    }

    /// Puts a piece on the page where its kind begins; the page finds room. Returns its sessions.
    fn lay(&self, reason: Mark, sessions: usize, page: &mut Page, rng: &mut ChaCha8Rng) -> usize {
        let short = sessions <= 2;
        // The chance in ten that an odd session is an afternoon, and where the piece belongs.
        let (season, afternoon_in_ten) = match reason {
            mark::ILL if short => (Season::ShortIllness, 8),
            mark::ILL => (Season::LongIllness, 10),
            mark::UNEXPLAINED if short => (Season::ShortUnexplained, 8),
            mark::UNEXPLAINED | mark::MOBILE => (Season::LongUnexplained, 10),
            mark::HOLIDAY if sessions >= 8 => (Season::HolidayWeek, 10),
            mark::HOLIDAY => (Season::HolidayDays, 10),
            mark::STUDY => (Season::Examinations, 10),
            mark::PART_TIME => (Season::Steady, 7),
            mark::EXCLUDED => (Season::Steady, 10),
            mark::VERY_LATE => (Season::Steady, 1),
            _ => (Season::Midweek, 6),
        };
        let afternoon = rng.random_range(0..10) < afternoon_in_ten;
        let mut day = match reason {
            mark::RELIGIOUS => self.eids[rng.random_range(0..2)],
            _ => self.open_day(season, page, rng),
        };
        if sessions >= 20 {
            // Long absences would otherwise all lie late in the year, to which they extend.
            day = day.saturating_sub(rng.random_range(0..sessions / 2));
        }
        match reason {
            mark::PART_TIME => page.half_days(day, sessions, afternoon, reason),
            _ => page.run(day, sessions, afternoon, reason),
        }
        sessions
    }

    /// A day of the season on which this pupil's year has sessions.
    fn open_day(&self, season: Season, page: &Page, rng: &mut ChaCha8Rng) -> usize {
        let mut day = self.seasons.day(season, rng);
        for _ in 0..6 {
            if page.is_open(day) {
                break;
            }
            day = self.seasons.day(season, rng);
        }
        day
    }

    fn fill_visits(&self, nc_year: usize, page: &mut Page, rng: &mut ChaCha8Rng) {
        for &(day, going) in &self.trips[nc_year] {
            if rng.random_bool(going) {
                page.present_days(day, 1, mark::VISIT);
            }
        }
        if self.phase == Phase::Secondary && nc_year == 10 && rng.random_bool(0.68) {
            page.present_days(self.work_week, 5, mark::WORK);
        }
    }

    fn fill_extras(&self, page: &mut Page, rng: &mut ChaCha8Rng) {
        let free = page.free() as f64;
        for extra in extras(self.phase) {
            let pieces = whole(extra.per_cent / 100.0 * free / extra.sessions as f64, rng);
            for _ in 0..pieces {
                let day = self.seasons.day(Season::Midweek, rng);
                if extra.sessions == 1 {
                    page.present_session(day * 2 + 1, extra.mark);
                } else {
                    page.present_days(day, extra.sessions / 2, extra.mark);
                }
            }
        }
    }

    fn fill_lateness(&self, lateness: f64, page: &mut Page, rng: &mut ChaCha8Rng) {
        let level = match self.phase {
            Phase::Primary => 0.0119,
            Phase::Secondary => 0.0320,
            Phase::Special => 0.0093,
            Phase::Alternative => 0.02,
        };
        // No pupil is late more often than every other morning.
        let count = whole((level * lateness).min(0.25) * self.days.len() as f64 * 2.0, rng);
        for _ in 0..count {
            let day = self.seasons.day(Season::Steady, rng);
            let afternoon = usize::from(rng.random_range(0..8) == 0);
            page.present_session(day * 2 + afternoon, mark::LATE);
        }
    }
}

fn extras(phase: Phase) -> &'static [Extra] {
    const fn extra(mark: Mark, per_cent: f64, sessions: usize) -> Extra {
        Extra { mark, per_cent, sessions }
    }
    const PRIMARY: &[Extra] = &[
        extra(mark::OFF_SITE, 0.21, 2),
        extra(mark::SPORT, 0.09, 1),
        extra(mark::ARRANGED, 0.019, 20),
        extra(mark::NO_TRANSPORT, 0.003, 2),
        extra(mark::PART_CLOSED, 0.01, 2),
        extra(mark::UNAVOIDABLE, 0.03, 4),
    ];
    const SECONDARY: &[Extra] = &[
        extra(mark::OFF_SITE, 0.36, 2),
        extra(mark::SPORT, 0.16, 1),
        extra(mark::ARRANGED, 0.09, 30),
        extra(mark::NO_TRANSPORT, 0.015, 2),
        extra(mark::PART_CLOSED, 0.03, 2),
        extra(mark::UNAVOIDABLE, 0.13, 6),
        extra(mark::NO_ACCESS, 0.004, 10),
    ];
    const SPECIAL: &[Extra] = &[
        extra(mark::OFF_SITE, 1.08, 2),
        extra(mark::SPORT, 0.056, 1),
        extra(mark::ARRANGED, 0.125, 30),
        extra(mark::WORK, 0.072, 10),
        extra(mark::NO_TRANSPORT, 0.41, 2),
        extra(mark::PART_CLOSED, 0.16, 2),
        extra(mark::UNAVOIDABLE, 0.29, 6),
        extra(mark::NO_ACCESS, 0.04, 10),
    ];
    match phase {
        Phase::Primary => PRIMARY,
        Phase::Secondary => SECONDARY,
        Phase::Special | Phase::Alternative => SPECIAL,
    }
}

/// A whole number that is `expected` on average.
fn whole(expected: f64, rng: &mut ChaCha8Rng) -> usize {
    (expected + rng.random::<f64>()).floor() as usize
}
