//! On which days absences begin: seasons, weeks before breaks and weekdays, as cumulative weights over a
//! school's days.

use rand::Rng;

use super::calendar::SchoolDay;

/// What is to be placed in the year; each has its own days of preference.
#[derive(Clone, Copy)]
pub enum Season {
    /// Illness of a day or less.
    ShortIllness,
    /// Illness of several days.
    LongIllness,
    /// A day or less without a reason.
    ShortUnexplained,
    /// Days or weeks without a reason.
    LongUnexplained,
    /// Holidays of whole weeks; these begin on Mondays.
    HolidayWeek,
    /// Holidays of some days, mostly around weekends.
    HolidayDays,
    /// Appointments, visits, leave: any day, fewer at the ends of the week.
    Midweek,
    /// Sanctions and lateness: any day, fewer in first weeks.
    Steady,
    /// Public examinations: May and June.
    Examinations,
    /// Trips: mostly the summer.
    Outings,
}

const SEASONS: [Season; 10] = [
    Season::ShortIllness,
    Season::LongIllness,
    Season::ShortUnexplained,
    Season::LongUnexplained,
    Season::HolidayWeek,
    Season::HolidayDays,
    Season::Midweek,
    Season::Steady,
    Season::Examinations,
    Season::Outings,
];

/// Illness by week of the school year, per cent of sessions in primary schools; autumn from the
/// published weekly file, the rest after the termly shape. The rise before a break is apart.
const ILLNESS: [f64; 48] = [
    1.3, 1.7, 2.5, 2.4, 2.4, 2.4, 2.6, 2.9, 2.5, 2.4, 2.8, 3.7, 3.9, 3.9, 4.0, 4.1, 3.0, 3.0, 3.1, 2.9, 2.9, 2.9, 3.0,
    3.1, 3.0, 2.7, 2.8, 2.9, 3.0, 3.1, 3.0, 2.5, 2.1, 2.3, 2.4, 2.4, 2.4, 2.5, 2.6, 2.4, 2.3, 2.4, 2.5, 2.5, 2.6, 2.6,
    2.6, 2.6,
];

/// Unauthorised holidays by week of the school year: Septembers and summers.
fn holiday_level(week: usize) -> f64 {
    match week {
        0..=1 => 1.1,
        2..=8 => 0.9,
        9..=13 => 0.5,
        14..=17 => 0.8,
        18..=30 => 0.7,
        31..=38 => 1.0,
        _ => 1.3,
    }
}

/// The weights of all seasons over one school's days.
pub struct Seasons {
    cumulative: [Vec<u32>; SEASONS.len()],
}

impl Seasons {
    /// Seasons over the given days; closed days are never drawn.
    pub fn new(days: &[SchoolDay]) -> Self {
        Seasons {
            cumulative: SEASONS.map(|season| {
                let mut sum = 0;
                days.iter()
                    .map(|day| {
                        if !day.closed {
                            sum += (weight(season, day) * 10_000.0) as u32;
                        }
                        sum
                    })
                    .collect()
            }),
        }
    }

    /// A day, as its place among the school's days.
    pub fn day(&self, season: Season, rng: &mut impl Rng) -> usize {
        let cumulative = &self.cumulative[season as usize];
        let total = cumulative.last().copied().unwrap_or(0).max(1);
        let draw = rng.random_range(0..total);
        cumulative.partition_point(|upto| *upto <= draw)
    }
}

fn weight(season: Season, day: &SchoolDay) -> f64 {
    let by_weekday = |weights: [f64; 5]| weights[day.weekday];
    let edge = |first: f64, last: f64| {
        if day.last_week {
            last
        } else if day.first_week {
            first
        } else {
            1.0
        }
    };
    let year_part = day.week as f64 / 46.0;
    match season {
        Season::ShortIllness => {
            ILLNESS[day.week.min(47)] * edge(0.95, 1.12) * by_weekday([0.88, 0.88, 0.83, 0.93, 1.9])
        }
        Season::LongIllness => ILLNESS[day.week.min(47)] * edge(0.95, 1.1) * by_weekday([0.85, 0.88, 0.95, 1.1, 1.15]),
        Season::ShortUnexplained => {
            (0.85 + 0.4 * year_part) * edge(0.95, 1.2) * by_weekday([0.8, 0.88, 0.85, 0.95, 1.95])
        }
        Season::LongUnexplained => (0.85 + 0.4 * year_part) * edge(1.0, 1.1) * by_weekday([0.85, 0.9, 0.95, 1.1, 1.1]),
        Season::HolidayWeek => holiday_level(day.week) * edge(1.1, 2.1) * by_weekday([1.0, 0.0, 0.0, 0.0, 0.0]),
        Season::HolidayDays => holiday_level(day.week) * edge(1.2, 2.2) * by_weekday([1.2, 0.3, 0.4, 1.0, 1.7]),
        Season::Midweek => by_weekday([0.95, 1.05, 1.05, 1.05, 0.9]),
        Season::Steady => edge(0.7, 1.0) * (0.85 + 0.3 * year_part),
        Season::Examinations => match day.week {
            37..=38 => 0.6,
            39..=42 => 1.0,
            _ => 0.0,
        },
        Season::Outings => edge(0.5, 1.2) * (0.5 + year_part) * by_weekday([0.7, 1.1, 1.1, 1.1, 1.0]),
    }
}
