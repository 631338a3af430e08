//! Term dates of an authority, and the days on which one school keeps a register.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use rand::Rng;

/// The six half terms of a school year and the bank holidays inside them.
pub struct Terms {
    halves: [(NaiveDate, NaiveDate); 6],
    bank_holidays: Vec<NaiveDate>,
    last_friday_of_june: NaiveDate,
}

/// One day on which a school keeps a register.
#[derive(Clone, Copy)]
pub struct SchoolDay {
    /// The day.
    pub date: NaiveDate,
    /// 0 for Monday to 4 for Friday.
    pub weekday: usize,
    /// Weeks since the week in which the school year began, holidays counted.
    pub week: usize,
    /// Which half term of the year, 0 to 5.
    pub half: usize,
    /// In the first week of its half term.
    pub first_week: bool,
    /// In the last week before a break.
    pub last_week: bool,
    /// Planned closure (staff training): every pupil is marked `#`.
    pub closed: bool,
}

/// What a school decides for itself within the authority's term dates.
#[derive(Clone, Copy, Default)]
pub struct Habits {
    /// Has its October half term one week before the others.
    pub early_october: bool,
    /// Keeps no register on the first day of the year.
    pub starts_a_day_later: bool,
    /// Closed for staff training on the first day of the year.
    pub trains_first: bool,
    /// The other training days, by place in [`Terms::training_candidates`].
    pub training: [bool; TRAINING_CANDIDATES],
}

/// How many days schools choose their training days from, the first day of the year apart.
pub const TRAINING_CANDIDATES: usize = 8;

impl Habits {
    /// The habits of a school: five training days in all, a fifth of schools with an early October break.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let start: u32 = rng.random_range(0..100);
        let mut habits = Habits {
            early_october: rng.random_range(0..5) == 0,
            starts_a_day_later: start < 20,
            trains_first: start >= 60,
            training: [false; TRAINING_CANDIDATES],
        };
        let mut left = if start < 60 { 5 } else { 4 };
        while left > 0 {
            let pick = rng.random_range(0..TRAINING_CANDIDATES);
            if !habits.training[pick] {
                habits.training[pick] = true;
                left -= 1;
            }
        }
        habits
    }
}

impl Terms {
    /// Term dates of the school year that begins in September of `year`.
    pub fn new(year: i32) -> Self {
        let easter = easter_sunday(year + 1);
        let good_friday = easter - Days::new(2);
        // Around an early Easter the spring term runs up to Good Friday; a late one falls into the
        // end of a fortnight that begins earlier.
        let (spring_end, summer_start) = if good_friday <= date(year + 1, 4, 1) {
            (good_friday - Days::new(1), easter + Days::new(15))
        } else if good_friday <= date(year + 1, 4, 10) {
            (good_friday - Days::new(7), easter + Days::new(8))
        } else {
            (good_friday - Days::new(14), easter + Days::new(2))
        };
        let autumn_break = on_or_before(Weekday::Mon, date(year, 10, 31));
        let february_break = on_or_after(Weekday::Mon, date(year + 1, 2, 15));
        let may_break = on_or_before(Weekday::Mon, date(year + 1, 5, 31));
        let new_year = date(year + 1, 1, 1);
        let new_year_holiday = match new_year.weekday() {
            Weekday::Sat => new_year + Days::new(2),
            Weekday::Sun => new_year + Days::new(1),
            _ => new_year,
        };
        let friday_before = |monday: NaiveDate| monday - Days::new(3);
        let week_after = |monday: NaiveDate| monday + Days::new(7);
        Terms {
            halves: [
                (on_or_after(Weekday::Wed, date(year, 9, 1)), friday_before(autumn_break)),
                (week_after(autumn_break), on_or_before(Weekday::Fri, date(year, 12, 22))),
                (on_or_after(Weekday::Mon, date(year + 1, 1, 3)), friday_before(february_break)),
                (week_after(february_break), spring_end),
                (summer_start, friday_before(may_break)),
                (week_after(may_break), on_or_before(Weekday::Wed, date(year + 1, 7, 23))),
            ],
            bank_holidays: vec![
                new_year_holiday,
                good_friday,
                easter + Days::new(1),
                on_or_after(Weekday::Mon, date(year + 1, 5, 1)),
            ],
            last_friday_of_june: on_or_before(Weekday::Fri, date(year + 1, 6, 30)),
        }
    }

    /// The first day of the school year.
    pub fn first_day(&self) -> NaiveDate {
        self.halves[0].0
    }

    /// The last day of the school year.
    pub fn last_day(&self) -> NaiveDate {
        self.halves[5].1
    }

    /// The day on which compulsory school age ends for this year's oldest pupils.
    pub fn last_friday_of_june(&self) -> NaiveDate {
        self.last_friday_of_june
    }

    /// The days most schools keep: no training days, common October break.
    pub fn common_days(&self) -> Vec<SchoolDay> {
        self.school_days(&Habits::default())
    }

    /// The days on which a school with these habits keeps a register, in order.
    pub fn school_days(&self, habits: &Habits) -> Vec<SchoolDay> {
        let mut halves = self.halves_of(habits);
        if habits.starts_a_day_later {
            halves[0].0 = halves[0].0 + Days::new(1);
        }
        let training = self.training_candidates(&halves);
        let year_monday = monday_of(self.first_day());
        let mut days = Vec::with_capacity(200);
        for (half, &(first, last)) in halves.iter().enumerate() {
            for day in first.iter_days().take_while(|day| *day <= last) {
                let weekday = day.weekday().num_days_from_monday() as usize;
                if weekday > 4 || self.bank_holidays.contains(&day) {
                    continue;
                }
                let monday = monday_of(day);
                let trains =
                    training.iter().zip(habits.training).any(|(candidate, chosen)| chosen && *candidate == day);
                days.push(SchoolDay {
                    date: day,
                    weekday,
                    week: ((monday - year_monday).num_days() / 7) as usize,
                    half,
                    first_week: monday == monday_of(first),
                    last_week: monday == monday_of(last),
                    closed: trains || (habits.trains_first && day == self.first_day()),
                });
            }
        }
        days
    }

    /// The weekdays of the breaks between half terms.
    pub fn breaks(&self, habits: &Habits) -> impl Iterator<Item = NaiveDate> {
        let halves = self.halves_of(habits);
        let between = std::iter::zip(halves, halves.into_iter().skip(1));
        let days = between.flat_map(|((_, last), (first, _))| {
            last.iter_days().skip(1).take_while(move |day| *day < first).collect::<Vec<_>>()
        });
        days.filter(|day| day.weekday().num_days_from_monday() < 5)
    }

    fn halves_of(&self, habits: &Habits) -> [(NaiveDate, NaiveDate); 6] {
        let mut halves = self.halves;
        if habits.early_october {
            halves[0].1 = halves[0].1 - Days::new(7);
            halves[1].0 = halves[1].0 - Days::new(7);
        }
        halves
    }

    /// Days on which schools put their staff training: next to breaks, and Fridays in between.
    fn training_candidates(&self, halves: &[(NaiveDate, NaiveDate); 6]) -> [NaiveDate; TRAINING_CANDIDATES] {
        [
            halves[0].1,
            halves[1].0,
            on_or_before(Weekday::Fri, halves[1].1 - Days::new(15)),
            halves[2].0,
            halves[3].0,
            halves[4].0,
            on_or_before(Weekday::Fri, halves[5].1 - Days::new(20)),
            halves[5].1,
        ]
    }
}

/// The Monday of the week of `day`.
pub fn monday_of(day: NaiveDate) -> NaiveDate {
    day - Days::new(u64::from(day.weekday().num_days_from_monday()))
}

/// The two days of Eid (al-Fitr, al-Adha) that fall in the school year beginning in `year`, to within a day.
pub fn eid_days(year: i32) -> [NaiveDate; 2] {
    // Twelve lunar months are 354.367 days; counted from the 2027 dates.
    let drift = (f64::from(year - 2026) * 354.367).round() as i64;
    let shifted = |base: NaiveDate| base + chrono::Duration::days(drift);
    [shifted(date(2027, 3, 10)), shifted(date(2027, 5, 17))]
}

/// A calendar day that is known to exist.
pub fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or(NaiveDate::MIN)
}

fn on_or_after(weekday: Weekday, day: NaiveDate) -> NaiveDate {
    let ahead = (7 + weekday.num_days_from_monday() - day.weekday().num_days_from_monday()) % 7;
    day + Days::new(u64::from(ahead))
}

fn on_or_before(weekday: Weekday, day: NaiveDate) -> NaiveDate {
    let back = (7 + day.weekday().num_days_from_monday() - weekday.num_days_from_monday()) % 7;
    day - Days::new(u64::from(back))
}

/// Easter Sunday by the Gregorian computus (Meeus, Jones and Butcher).
fn easter_sunday(year: i32) -> NaiveDate {
    let a = year % 19;
    let (b, c) = (year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let sum = h + l - 7 * m + 114;
    date(year, (sum / 31) as u32, (sum % 31 + 1) as u32)
}
