//! The made-up authority: which schools it has, how large they are and how they differ.

use chrono::NaiveDate;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Plan;
use super::calendar::{self, Habits, Terms};
use super::dialect::Dialect;
use super::names;
use super::normal;
use super::propensity::{Model, PHASES, Phase, SCHOOL_SPREAD, year_sizes};

/// What a stream of random numbers is for. Every use has its own stream, so that asking for one
/// thing more never moves the others.
#[derive(Clone, Copy)]
pub enum Purpose {
    /// What a school is like.
    School = 1,
    /// Who is on its roll.
    Roll = 2,
    /// What becomes of its pupils.
    Fate = 3,
    /// Its marks.
    Marks = 4,
    /// Its sessions without a mark.
    Missing = 5,
    /// Which of its files come late or again.
    Post = 6,
    /// What two schools in a row have in common (see [`Authority`]).
    Pair = 7,
    /// Wrong rows of a file.
    Dirt = 8,
}

/// The random numbers of one school for one purpose.
pub fn stream(seed: u64, school: usize, purpose: Purpose) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((school as u64) << 8) | purpose as u64);
    rng
}

/// One school.
pub struct School {
    /// Its number in the authority, from 0.
    pub number: usize,
    /// What kind of school it is.
    pub phase: Phase,
    /// Its number among the schools of its phase, from 0.
    pub place: usize,
    /// URN on the first day of the year.
    pub urn: u32,
    /// URN from 1 November, where the school becomes an academy in the year.
    pub later_urn: Option<u32>,
    /// Four-digit establishment number.
    pub establishment: u16,
    /// The authority part of the UPNs that the school allocates.
    pub upn_authority: u16,
    /// Its name.
    pub name: String,
    /// Whether it is an academy on the first day of the year.
    pub academy: bool,
    /// The trust it belongs to (or will, see `later_urn`), by number.
    pub trust: Option<usize>,
    /// Pupils on roll on the first day, those of a sixth form included.
    pub size: usize,
    /// Whether it has year 12 and 13.
    pub sixth_form: bool,
    /// Where it stands among its phase (see [`SCHOOL_SPREAD`]).
    pub standing: f64,
    /// Share of its pupils on free meals, 0 to 1.
    pub free_meals: f64,
    /// How its share of ethnic minorities compares with the authority's, 1 being the same.
    pub minority: f64,
    /// How often a session is left without a mark, as a share of sessions.
    pub missing: f64,
    /// Which days of the term dates it keeps.
    pub habits: Habits,
    /// How it writes its files.
    pub dialect: Dialect,
}

/// The authority and what all its schools share.
///
/// Schools come in pairs of the same phase that differ from the average by the same amount in
/// opposite directions, so that even a small authority has the published averages.
pub struct Authority {
    /// Seed of every stream.
    pub seed: u64,
    /// Starting year of the school year.
    pub year: i32,
    /// Whether anything happens besides marks (see [`Plan::events`]).
    pub events: bool,
    /// Its term dates.
    pub terms: Terms,
    /// The dates of most schools' days, for events between schools.
    pub common_dates: Vec<NaiveDate>,
    /// All schools, in the order of their numbers.
    pub schools: Vec<School>,
    starts: [usize; 5],
    models: [Model; 4],
}

/// Chance that a session is left without a mark, as a share of sessions.
const MISSING: f64 = 0.002;
/// Schools a trust has on average.
const TRUST_SIZE: usize = 6;

impl Authority {
    /// The authority of a plan.
    pub fn new(plan: &Plan) -> Self {
        let starts = phase_starts(plan.schools);
        let terms = Terms::new(plan.academic_year);
        let common_dates = terms.common_days().iter().map(|day| day.date).collect();
        let models = PHASES.map(Model::new);
        let mut authority = Authority {
            seed: plan.seed,
            year: plan.academic_year,
            events: plan.events,
            terms,
            common_dates,
            schools: Vec::with_capacity(plan.schools),
            starts,
            models,
        };
        let weights: Vec<f64> = (0..plan.schools).map(|number| authority.size_weight(number)).collect();
        let scale = plan.pupils as f64 / weights.iter().sum::<f64>();
        for (number, weight) in weights.iter().enumerate() {
            let school = authority.make_school(plan, number, weight * scale);
            authority.schools.push(school);
        }
        authority
    }

    /// The absence model of a phase.
    pub fn model(&self, phase: Phase) -> &Model {
        &self.models[phase as usize]
    }

    /// The schools of a phase, in the order of their places.
    pub fn of_phase(&self, phase: Phase) -> &[School] {
        &self.schools[self.starts[phase as usize]..self.starts[phase as usize + 1]]
    }

    fn phase_and_place(&self, number: usize) -> (Phase, usize) {
        let phase = (0..3).rev().find(|p| number >= self.starts[p + 1]);
        let index = phase.map_or(0, |p| p + 1);
        (PHASES[index], number - self.starts[index])
    }

    /// The two random numbers generators of a school: its own and the one it shares with its pair,
    /// and +1 or -1 for its side of the pair (0 where it has no partner).
    fn pair(&self, number: usize) -> (ChaCha8Rng, ChaCha8Rng, f64) {
        let (phase, place) = self.phase_and_place(number);
        let first = self.starts[phase as usize] + place / 2 * 2;
        let alone = first + 1 >= self.starts[phase as usize + 1];
        let side = match (alone, place % 2) {
            (true, _) => 0.0,
            (false, 0) => 1.0,
            (false, _) => -1.0,
        };
        (stream(self.seed, number, Purpose::School), stream(self.seed, first, Purpose::Pair), side)
    }

    /// Pupils relative to other schools.
    fn size_weight(&self, number: usize) -> f64 {
        let (mut own, mut shared, _) = self.pair(number);
        let (phase, _) = self.phase_and_place(number);
        let (typical, spread) = match phase {
            Phase::Primary => (275.0, 0.6),
            Phase::Secondary => (1050.0, 0.4),
            Phase::Special => (155.0, 0.4),
            Phase::Alternative => (45.0, 0.4),
        };
        let (shared, own): (f64, f64) = (shared.random(), own.random());
        typical * (1.0 + spread * (2.0 * shared - 1.0)) * (1.0 + 0.1 * (own - 0.5))
    }

    fn make_school(&self, plan: &Plan, number: usize, size: f64) -> School {
        let (phase, place) = self.phase_and_place(number);
        let (mut own, mut shared, side) = self.pair(number);
        // Both streams begin with the size (see `size_weight`).
        let _: (f64, f64) = (shared.random(), own.random());
        let mut paired = || side * normal::score_at(shared.random::<f64>()).clamp(-1.8, 1.8);
        let (deprivation, ethos, minority) = (paired(), paired(), paired());
        // The pair of academies and the converting school are fixed by place so that both exist in
        // the smallest authority.
        let converts = plan.events && phase == Phase::Primary && place == 3;
        let academy_share = match phase {
            Phase::Primary => 0.42,
            Phase::Secondary => 0.78,
            Phase::Special | Phase::Alternative => 0.45,
        };
        let academy = !converts && (own.random_bool(academy_share) || number == 1);
        let trusts = plan.schools.div_ceil(2).div_ceil(TRUST_SIZE).max(1);
        let trust = own.random_range(0..trusts);
        let block = |range: usize| (place / range, place % range);
        let (block, establishment) = match phase {
            Phase::Primary => (block(2000).0, 2000 + block(2000).1),
            Phase::Secondary => (block(2000).0, 4000 + block(2000).1),
            Phase::Special => (block(1000).0, 7000 + block(1000).1),
            Phase::Alternative => (block(900).0, 1100 + block(900).1),
        };
        // More schools than one authority has establishment numbers for: their UPNs look as if
        // allocated by other authorities, so that they stay unique.
        let upn_authority = 100 + (usize::from(plan.la_code) - 100 + block) % 900;
        let sixth_form = phase == Phase::Secondary && place % 5 < 2;
        School {
            number,
            phase,
            place,
            urn: 140_001 + number as u32,
            later_urn: converts.then_some(190_001),
            establishment: establishment as u16,
            upn_authority: upn_authority as u16,
            name: names::school(phase, place, academy, plan.seed),
            academy,
            trust: (academy || converts).then_some(trust),
            size: (size.round() as usize).max(year_sizes(phase).iter().filter(|s| **s > 0.0).count()),
            sixth_form,
            standing: SCHOOL_SPREAD * (0.8 * deprivation + 0.6 * ethos),
            free_meals: self.model(phase).free_meals() * (1.0 + 0.45 * deprivation),
            minority: 1.0 + 0.5 * minority,
            missing: MISSING * (1.0 + 0.5 * side * own.random::<f64>()),
            habits: Habits::draw(&mut own),
            dialect: if plan.dialects { Dialect::of(number + plan.seed as usize % 9) } else { Dialect::default() },
        }
    }

    /// The last day on which a converting school has its first URN.
    pub fn conversion_eve(&self) -> NaiveDate {
        calendar::date(self.year, 10, 31)
    }
}

/// Where the schools of each phase begin in the numbering, and the end: shares as in England.
fn phase_starts(schools: usize) -> [usize; 5] {
    let share = |per_cent: f64| ((schools as f64 * per_cent / 100.0).round() as usize).max(1);
    let (secondary, special, alternative) = (share(16.0), share(5.0), share(1.5));
    let primary = schools.saturating_sub(secondary + special + alternative);
    [0, primary, primary + secondary, primary + secondary + special, schools]
}
