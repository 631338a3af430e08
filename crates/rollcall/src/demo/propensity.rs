//! How much a pupil is absent over a year, and how that splits into reasons: fitted to published figures.
//!
//! Sources are the calibration files of the reference folder: the national code mix of 2025/26 gives
//! the level of each reason, the absence bands of 2022/23 the spread over pupils and the gaps between
//! groups; both are scaled to the persistent absence of 2025/26.

use super::mark::{self, Mark};
use super::normal;

/// The kinds of school the statistics tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Reception to year 6.
    Primary,
    /// Year 7 to 11, some with a sixth form.
    Secondary,
    /// Special schools, reception to year 11.
    Special,
    /// Pupil referral units and academies that do the same.
    Alternative,
}

/// All phases, in the order in which they are numbered.
pub const PHASES: [Phase; 4] = [Phase::Primary, Phase::Secondary, Phase::Special, Phase::Alternative];

/// Special educational needs provision as a roll states it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// None.
    None,
    /// SEN support.
    Support,
    /// An education, health and care plan.
    Plan,
}

/// Reasons in the order in which a pupil's absent sessions are shared out. Rare ones that come in
/// long pieces go first; what is left over is illness.
pub const REASONS: [Mark; 14] = [
    mark::MOBILE,
    mark::PART_TIME,
    mark::EXCLUDED,
    mark::STUDY,
    mark::HOLIDAY,
    mark::RELIGIOUS,
    mark::LEAVE,
    mark::PERFORMANCE,
    mark::INTERVIEW,
    mark::MEDICAL,
    mark::VERY_LATE,
    mark::NOT_YET,
    mark::UNEXPLAINED,
    mark::ILL,
];

/// Standard deviation of schools around their phase, in units of the spread of pupils within a school.
pub const SCHOOL_SPREAD: f64 = 0.2;

/// Everything about absence that belongs to a phase and not to a school or a pupil.
pub struct Model {
    phase: Phase,
    bands: Vec<Band>,
    /// Share of the phase's pupils below each step of the standing scale.
    below: Vec<f64>,
    weights: [f64; REASONS.len()],
}

/// A slice of pupils with a similar absence rate: from `low` percent upwards over `width`.
struct Band {
    share: f64,
    low: f64,
    width: f64,
    /// 1 spreads pupils evenly over the band; more crowds them towards its low end.
    power: f64,
}

/// Shares of pupils on free meals and with needs, and what both do to absence.
struct Groups {
    free_meals: f64,
    need_if_free_meals: f64,
    need_otherwise: f64,
    plan_of_need: f64,
    free_meals_shift: f64,
    support_shift: f64,
    plan_shift: f64,
    /// Relative size of each year group, reception to year 11.
    years: [f64; 12],
}

// The standing scale: a score per pupil that grows with absence, in steps wide enough to be quick
// and narrow enough to interpolate.
const STANDING_LOW: f64 = -6.0;
const STANDING_STEP: f64 = 1.0 / 32.0;
const STANDING_STEPS: usize = 12 * 32;

impl Model {
    /// The model of one phase.
    pub fn new(phase: Phase) -> Self {
        let mut model =
            Model { phase, bands: bands(phase), below: standing_table(phase), weights: [1.0; REASONS.len()] };
        model.fit_reasons();
        model
    }

    /// Share of pupils eligible for free school meals, 0 to 1.
    pub fn free_meals(&self) -> f64 {
        groups(self.phase).free_meals
    }

    /// Chances (0 to 1) that a pupil has SEN support and a plan.
    pub fn needs(&self, free_meals: bool) -> (f64, f64) {
        let groups = groups(self.phase);
        let any = if free_meals { groups.need_if_free_meals } else { groups.need_otherwise };
        (any * (1.0 - groups.plan_of_need), any * groups.plan_of_need)
    }

    /// How far a pupil's group moves it up the standing scale.
    pub fn group_shift(&self, free_meals: bool, need: Need, nc_year: usize) -> f64 {
        shift(self.phase, &groups(self.phase), free_meals, need, nc_year)
    }

    /// The share of sessions (0 to 1) missed over a year by a pupil at `standing`.
    pub fn rate(&self, standing: f64) -> f64 {
        let place = ((standing - STANDING_LOW) / STANDING_STEP).clamp(0.0, (STANDING_STEPS - 1) as f64 - 1e-9);
        let step = place as usize;
        let part = place - step as f64;
        let below = self.below[step] * (1.0 - part) + self.below[step + 1] * part;
        self.rate_at(below)
    }

    /// The share of sessions missed at a given rank (0 to 1) among the phase's pupils.
    fn rate_at(&self, rank: f64) -> f64 {
        let mut left = rank;
        for band in &self.bands {
            if left < band.share {
                return (band.low + band.width * (left / band.share).powf(band.power)) / 100.0;
            }
            left -= band.share;
        }
        1.0
    }

    /// How the absence of a pupil with this rate splits over [`REASONS`]; adds up to 1.
    pub fn split(&self, rate: f64) -> [f64; REASONS.len()] {
        let mut split = leaning(rate * 100.0);
        for (share, weight) in split.iter_mut().zip(self.weights) {
            *share *= weight;
        }
        let sum: f64 = split.iter().sum();
        split.map(|share| share / sum)
    }

    /// Finds the weights under which all pupils together have the published code mix.
    fn fit_reasons(&mut self) {
        const RANKS: usize = 256;
        let rates: Vec<f64> = (0..RANKS).map(|i| self.rate_at((i as f64 + 0.5) / RANKS as f64)).collect();
        let published = published_mix(self.phase);
        let published_sum: f64 = published.iter().sum();
        let rates_sum: f64 = rates.iter().sum();
        for _ in 0..30 {
            let mut fitted = [0.0; REASONS.len()];
            for &rate in &rates {
                for (sum, share) in fitted.iter_mut().zip(self.split(rate)) {
                    *sum += rate * share;
                }
            }
            for i in 0..REASONS.len() {
                let wanted = published[i] / published_sum;
                self.weights[i] *= wanted / (fitted[i] / rates_sum).max(1e-12);
            }
        }
    }
}

/// Per cent of possible sessions by reason, in the order of [`REASONS`]; alternative provision is not
/// published by code and is set from its known level (about a third of sessions missed).
fn published_mix(phase: Phase) -> [f64; REASONS.len()] {
    match phase {
        Phase::Primary => {
            [0.014, 0.167, 0.037, 0.0, 0.535, 0.066, 0.367, 0.003, 0.017, 0.272, 0.169, 0.049, 0.794, 2.786]
        }
        Phase::Secondary => {
            [0.003, 0.321, 0.289, 0.100, 0.314, 0.058, 0.426, 0.005, 0.016, 0.376, 0.296, 0.049, 2.608, 3.627]
        }
        Phase::Special => {
            [0.007, 1.588, 0.174, 0.023, 0.407, 0.053, 1.675, 0.005, 0.010, 1.015, 0.323, 0.069, 2.800, 5.019]
        }
        Phase::Alternative => [0.01, 4.0, 2.0, 0.2, 0.3, 0.05, 1.5, 0.005, 0.05, 1.0, 1.2, 0.3, 16.0, 6.4],
    }
}

/// Which rates of absence a reason belongs to, before weights: long-term absence is hardly ever a
/// dentist's appointment, and hardly ever a holiday.
fn leaning(percent: f64) -> [f64; REASONS.len()] {
    let r = percent.max(0.01);
    let above = |start: f64, half: f64| ((r - start) / (r - start + half)).max(0.0);
    [
        if r < 6.0 { 0.0 } else { 1.0 },
        if r < 8.0 { 0.0 } else { above(8.0, 18.0) },
        above(0.0, 12.0),
        1.0,
        above(0.0, 2.0) / (1.0 + (r / 12.0) * (r / 12.0)),
        1.0 / (1.0 + r / 10.0),
        1.0 / (1.0 + r / 25.0),
        1.0 / (1.0 + r / 10.0),
        1.0 / (1.0 + r / 10.0),
        1.0 / (1.0 + r / 12.0),
        above(0.0, 4.0) / (1.0 + r / 60.0),
        1.0 / (1.0 + r / 20.0),
        0.1 + above(0.0, 25.0),
        1.0 / (1.0 + r / 60.0),
    ]
}

/// Shares of pupils by five-point band and the published overall rate they have to add up to.
fn bands(phase: Phase) -> Vec<Band> {
    // (shares in per cent from 5 per cent of absence upwards, overall rate, crowding above 50)
    let (shares, overall, severe_power) = match phase {
        Phase::Primary => ([25.8, 8.49, 2.5, 0.95, 0.45, 0.27, 0.18, 0.13, 0.10, 0.70], 5.276, 4.0),
        Phase::Secondary => ([26.5, 9.9, 4.2, 2.25, 1.4, 0.95, 0.7, 0.55, 0.42, 3.4], 8.488, 3.4),
        Phase::Special => ([26.5, 12.5, 6.6, 3.75, 2.4, 1.6, 1.2, 0.95, 0.86, 6.2], 13.168, 1.3),
        Phase::Alternative => ([11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.5, 5.0, 4.5, 24.0], 33.0, 1.5),
    };
    let mut bands = vec![Band { share: 1.0 - shares.iter().sum::<f64>() / 100.0, low: 0.0, width: 5.0, power: 1.0 }];
    bands.extend(shares.iter().enumerate().map(|(i, share)| {
        let severe = i + 1 == shares.len();
        Band {
            share: share / 100.0,
            low: 5.0 + 5.0 * i as f64,
            width: if severe { 50.0 } else { 5.0 },
            power: if severe { severe_power } else { 1.25 },
        }
    }));
    // The lowest band takes what the others leave of the overall rate.
    let others: f64 = bands[1..].iter().map(|b| b.share * b.mean()).sum();
    let lowest_mean = ((overall - others) / bands[0].share).clamp(0.8, 3.2);
    bands[0].power = 5.0 / lowest_mean - 1.0;
    bands
}

impl Band {
    fn mean(&self) -> f64 {
        self.low + self.width / (self.power + 1.0)
    }
}

fn groups(phase: Phase) -> Groups {
    let even = |from: usize, to: usize| {
        let mut years = [0.0; 12];
        years[from..=to].fill(1.0);
        years
    };
    match phase {
        Phase::Primary => Groups {
            free_meals: 0.25,
            need_if_free_meals: 0.264,
            need_otherwise: 0.134,
            plan_of_need: 0.2,
            free_meals_shift: 0.52,
            support_shift: 0.30,
            plan_shift: 0.45,
            years: even(0, 6),
        },
        Phase::Secondary => Groups {
            free_meals: 0.24,
            need_if_free_meals: 0.238,
            need_otherwise: 0.13,
            plan_of_need: 0.2,
            free_meals_shift: 0.57,
            support_shift: 0.28,
            plan_shift: 0.42,
            years: even(7, 11),
        },
        Phase::Special => Groups {
            free_meals: 0.46,
            need_if_free_meals: 1.0,
            need_otherwise: 1.0,
            plan_of_need: 0.98,
            free_meals_shift: 0.31,
            support_shift: 0.0,
            plan_shift: 0.0,
            years: [3.0, 5.0, 6.0, 7.0, 7.0, 8.0, 8.0, 12.0, 12.0, 12.0, 11.0, 10.0],
        },
        Phase::Alternative => Groups {
            free_meals: 0.6,
            need_if_free_meals: 0.85,
            need_otherwise: 0.8,
            plan_of_need: 0.3,
            free_meals_shift: 0.2,
            support_shift: 0.0,
            plan_shift: 0.0,
            years: [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 4.0, 7.0, 10.0, 12.0],
        },
    }
}

/// The relative size of each year group, reception to year 11.
pub fn year_sizes(phase: Phase) -> [f64; 12] {
    groups(phase).years
}

fn shift(phase: Phase, groups: &Groups, free_meals: bool, need: Need, nc_year: usize) -> f64 {
    let year = match (phase, nc_year) {
        (Phase::Primary, 0 | 1) => 0.12,
        (Phase::Primary, 2) => 0.0,
        (Phase::Primary, _) => -0.03,
        (Phase::Secondary, 7) => -0.22,
        (Phase::Secondary, 8) => -0.03,
        (Phase::Secondary, 9) => 0.07,
        (Phase::Secondary, 10) => 0.10,
        (Phase::Secondary, 11) => 0.12,
        (Phase::Special, 1) => 0.1,
        (Phase::Special, 3..=7) => -0.1,
        (Phase::Special, 10 | 11) => 0.13,
        _ => 0.0,
    };
    let need = match need {
        Need::None => 0.0,
        Need::Support => groups.support_shift,
        Need::Plan => groups.plan_shift,
    };
    year + need + if free_meals { groups.free_meals_shift } else { 0.0 }
}

/// Share of the phase's cohort (year 1 to 11) at or below each step of the standing scale, all
/// groups and schools together. Ranking pupils by it keeps the published spread exact whatever the
/// gaps between groups are.
fn standing_table(phase: Phase) -> Vec<f64> {
    let groups = groups(phase);
    // Schools with many free meals also stand higher, which spreads pupils by a little more.
    let spread = (1.0 + SCHOOL_SPREAD * SCHOOL_SPREAD + 0.04).sqrt();
    let cohort: f64 = groups.years[1..].iter().sum();
    let mut parts = Vec::new();
    for (meals, meals_share) in [(true, groups.free_meals), (false, 1.0 - groups.free_meals)] {
        let any = if meals { groups.need_if_free_meals } else { groups.need_otherwise };
        for (need, need_share) in [
            (Need::None, 1.0 - any),
            (Need::Support, any * (1.0 - groups.plan_of_need)),
            (Need::Plan, any * groups.plan_of_need),
        ] {
            for (year, size) in groups.years.iter().enumerate().skip(1) {
                let share = meals_share * need_share * size / cohort;
                if share > 0.0 {
                    parts.push((shift(phase, &groups, meals, need, year), share));
                }
            }
        }
    }
    (0..=STANDING_STEPS)
        .map(|step| {
            let standing = STANDING_LOW + STANDING_STEP * step as f64;
            parts.iter().map(|(shift, share)| share * normal::share_below((standing - shift) / spread)).sum()
        })
        .collect()
}
