//! Who is on a school's roll on the first day of the year, and what will become of them.

use chrono::{Datelike, Days, NaiveDate};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::authority::{Authority, Purpose, School, stream};
use super::calendar::{self, Terms};
use super::names::{ETHNICITIES, Person};
use super::normal;
use super::propensity::{Need, Phase, year_sizes};
use super::upn::{self, Upn};

/// A child, with what a roll says about it and how it attends.
#[derive(Clone)]
pub struct Pupil {
    /// Its UPN; from the day in `former_upn` on, where there is one.
    pub upn: Upn,
    /// The temporary UPN it had, and the day from which it has the permanent one.
    pub former_upn: Option<(Upn, NaiveDate)>,
    /// Its name.
    pub person: Person,
    /// Date of birth.
    pub born: NaiveDate,
    /// Sex as a roll states it.
    pub female: bool,
    /// National curriculum year, 0 for reception to 13.
    pub nc_year: u8,
    /// First day at the school.
    pub joined: NaiveDate,
    /// Eligible for free school meals.
    pub free_meals: bool,
    /// Special educational needs.
    pub need: Need,
    /// Looked after by the authority.
    pub looked_after: bool,
    /// A child in need.
    pub in_need: bool,
    /// English as an additional language.
    pub other_language: bool,
    /// Place in [`ETHNICITIES`].
    pub ethnicity: u8,
    /// Where it lives: postcode sector and unit.
    pub home: (u16, u16),
    /// Share of sessions (0 to 1) it misses over a whole year.
    pub rate: f64,
    /// How often it comes late compared with others of its phase, 1 being the average.
    pub lateness: f64,
    /// What happens to it in the year.
    pub fate: Fate,
}

/// What happens to a pupil in the year, apart from its marks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fate {
    /// Nothing.
    Stays,
    /// Moves to the school `ring` places on among the schools of its phase.
    Moves {
        /// Places on.
        ring: usize,
        /// Last day at the old school.
        last: NaiveDate,
        /// First day at the new one; after the end of the year if it never turns up.
        first: NaiveDate,
    },
    /// Leaves the roll with one of the grounds of regulation 9(1) for no school of the authority.
    Leaves {
        /// Last day.
        last: NaiveDate,
        /// Letter of the ground.
        ground: char,
    },
    /// Is no longer on the roll from a day on, without a word.
    Vanishes {
        /// First day without it.
        from: NaiveDate,
    },
    /// Is on the roll and in no register.
    NoMarks,
    /// Should have started with the year and is not seen for weeks.
    ArrivesLate,
}

// How many in 100,000 pupils meet each fate, by phase in its order.
const MOVES: [u32; 4] = [1500, 1000, 600, 0];
const LEAVES: [(u32, char); 5] = [(300, 'a'), (120, 'f'), (120, 'g'), (50, 'h'), (60, 'i')];
const VANISHES: u32 = 30;
const NO_MARKS: u32 = 20;
const ARRIVES_LATE: u32 = 25;
const CHANGES_UPN: u32 = 400;

/// The pupils of a school on the first day of the year, in the order of their year groups; those
/// who enter with the year do so on `first_day`.
pub fn roster(authority: &Authority, school: &School, first_day: NaiveDate) -> Vec<Pupil> {
    let mut rng = stream(authority.seed, school.number, Purpose::Roll);
    let mut fates = stream(authority.seed, school.number, Purpose::Fate);
    let model = authority.model(school.phase);
    let cohorts = cohort_sizes(school);
    let size: usize = cohorts.iter().sum();

    // Ranks dealt out evenly instead of drawn: a small school then has the spread of its phase, and
    // an authority's rates do not depend on luck.
    let mut ranks = dealt(size, &mut rng);
    let meals = dealt(size, &mut rng);
    let meals_below = (school.free_meals * size as f64 + rng.random::<f64>()).floor();

    let mut pupils = Vec::with_capacity(size);
    for (nc_year, &cohort) in cohorts.iter().enumerate() {
        for serial in 0..cohort {
            let slot = pupils.len();
            let free_meals = (meals[slot] as f64) < meals_below;
            let (support, plan) = model.needs(free_meals);
            let draw: f64 = rng.random();
            let need = if draw < plan {
                Need::Plan
            } else if draw < plan + support {
                Need::Support
            } else {
                Need::None
            };
            let rank = (std::mem::take(&mut ranks[slot]) as f64 + rng.random::<f64>()) / size as f64;
            let standing = normal::score_at(rank) + school.standing + model.group_shift(free_meals, need, nc_year);
            let rate = model.rate(standing);
            let allocated = authority.year - nc_year as i32;
            let ethnicity = draw_ethnicity(school.minority, &mut rng);
            let mut pupil = Pupil {
                upn: upn::permanent(school.upn_authority, school.establishment, allocated, serial),
                former_upn: None,
                person: Person::draw(&mut rng),
                born: calendar::date(allocated - 5, 9, 1) + Days::new(rng.random_range(0..365)),
                female: rng.random(),
                nc_year: nc_year as u8,
                joined: joined(authority.year, school.phase, nc_year, first_day, &mut rng),
                free_meals,
                need,
                looked_after: rng.random_bool(0.007),
                in_need: rng.random_bool(0.02 + 0.15 * rate.min(0.5)),
                other_language: rng.random_bool(if ethnicity == 0 { 0.01 } else { 0.5 }),
                ethnicity,
                home: ((school.number * 3 + rng.random_range(0..3)) as u16 % 98, rng.random_range(0..3600)),
                rate,
                lateness: -(1.0 - rng.random::<f64>()).ln(),
                fate: Fate::Stays,
            };
            if authority.events && nc_year <= 11 {
                decide_fate(authority, school, &mut pupil, slot, &mut fates);
            }
            pupils.push(pupil);
        }
    }
    pupils
}

/// The numbers from 0 to `count` - 1 in random order.
fn dealt(count: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut cards: Vec<u32> = (0..count as u32).collect();
    cards.shuffle(rng);
    cards
}

/// Pupils by year, reception to year 13, adding up to the school's size.
fn cohort_sizes(school: &School) -> [usize; 14] {
    let mut weights = [0.0; 14];
    weights[..12].copy_from_slice(&year_sizes(school.phase));
    if school.sixth_form {
        weights[12..].copy_from_slice(&[0.45, 0.38]);
    }
    // A part of the places in alternative provision is for pupils of other schools.
    let size = match school.phase {
        Phase::Alternative => (school.size * 3).div_ceil(5),
        _ => school.size,
    };
    let total: f64 = weights.iter().sum();
    let (mut sum, mut given) = (0.0, 0);
    weights.map(|weight| {
        sum += weight;
        let upto = (size as f64 * sum / total).round() as usize;
        let cohort = upto - given;
        given = upto;
        cohort
    })
}

fn draw_ethnicity(minority: f64, rng: &mut ChaCha8Rng) -> u8 {
    let others: f64 = ETHNICITIES[1..].iter().map(|e| f64::from(e.1)).sum();
    if rng.random::<f64>() * 1000.0 >= others * minority {
        return 0;
    }
    let mut draw = rng.random::<f64>() * others;
    for (place, (_, weight)) in ETHNICITIES.iter().enumerate().skip(1) {
        draw -= f64::from(*weight);
        if draw < 0.0 {
            return place as u8;
        }
    }
    1
}

/// The day on which a pupil of this year group came to the school.
fn joined(year: i32, phase: Phase, nc_year: usize, first_day: NaiveDate, rng: &mut ChaCha8Rng) -> NaiveDate {
    let first_year = match phase {
        Phase::Primary | Phase::Special => 0,
        Phase::Secondary => 7,
        // Few stay for long in alternative provision.
        Phase::Alternative => nc_year.saturating_sub(1),
    };
    // One in eight came later than their classmates.
    let years_here = if rng.random_range(0..8) == 0 {
        rng.random_range(0..=nc_year.saturating_sub(first_year))
    } else {
        nc_year.saturating_sub(first_year)
    };
    if years_here == 0 { first_day } else { Terms::new(year - years_here as i32).first_day() }
}

fn decide_fate(authority: &Authority, school: &School, pupil: &mut Pupil, slot: usize, rng: &mut ChaCha8Rng) {
    let mut draw: u32 = rng.random_range(0..100_000);
    let mut hit = |chance: u32| {
        let hit = draw < chance;
        draw = draw.saturating_sub(chance);
        // Once hit, nothing else can be.
        if hit {
            draw = u32::MAX;
        }
        hit
    };
    let dates = &authority.common_dates;
    if hit(MOVES[school.phase as usize]) {
        let peers = authority.of_phase(school.phase).len();
        let ring = [1, 2, 5][rng.random_range(0..3)];
        let last = departure(authority, rng);
        // Most go straight on, some are between rolls for weeks, a few never arrive.
        let gap = match rng.random_range(0..20) {
            0 => 400,
            1..=3 => rng.random_range(12..35),
            _ => rng.random_range(1..4),
        };
        pupil.fate = if ring % peers == 0 {
            Fate::Leaves { last: dates[last], ground: 'a' }
        } else {
            Fate::Moves { ring, last: dates[last], first: dates.get(last + gap).copied().unwrap_or(NaiveDate::MAX) }
        };
        return;
    }
    for (chance, ground) in LEAVES {
        if hit(chance) {
            let last = dates[departure(authority, rng).max(30)];
            pupil.fate = Fate::Leaves { last, ground };
            return;
        }
    }
    if hit(VANISHES) {
        pupil.fate = Fate::Vanishes { from: dates[departure(authority, rng)] };
    } else if hit(NO_MARKS) {
        pupil.fate = Fate::NoMarks;
    } else if hit(ARRIVES_LATE) {
        pupil.fate = Fate::ArrivesLate;
    } else if hit(CHANGES_UPN) {
        let temporary = upn::temporary(school.upn_authority, school.establishment, authority.year, slot);
        let from = dates[rng.random_range(20..dates.len() - 30)];
        pupil.former_upn = Some((temporary, from));
    }
}

/// The place among the common dates of a last day at a school; every other pupil leaves with a half term.
fn departure(authority: &Authority, rng: &mut ChaCha8Rng) -> usize {
    let dates = &authority.common_dates;
    let any = rng.random_range(10..dates.len() - 15);
    if rng.random() {
        return any;
    }
    // The next day that is followed by more than a weekend.
    (any..dates.len() - 15).find(|&i| dates[i + 1].num_days_from_ce() - dates[i].num_days_from_ce() > 4).unwrap_or(any)
}
