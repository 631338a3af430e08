//! A school's enrolments over the year: its own pupils, those who come from other schools and those it
//! shares with them.

use chrono::NaiveDate;

use super::authority::{Authority, School};
use super::propensity::Phase;
use super::roster::{Fate, Pupil, roster};

/// A pupil at a school for part or all of the year.
pub struct Enrolment {
    /// The pupil.
    pub pupil: Pupil,
    /// First day.
    pub entry: NaiveDate,
    /// Last day and ground of leaving.
    pub leaving: Option<(NaiveDate, char)>,
    /// Where the pupil is registered at another school too.
    pub shared: Option<Shared>,
    /// Counted as a pupil of another school, where it was on the first day of the year.
    pub guest: bool,
}

/// A dual registration as one of the two schools sees it.
#[derive(Clone, Copy)]
pub struct Shared {
    /// First day of it.
    pub from: NaiveDate,
    /// Weekdays, Monday to Friday, on which the pupil is expected at the other school.
    pub elsewhere: [bool; 5],
}

impl Enrolment {
    /// Whether the register of `day` has this pupil.
    pub fn in_register(&self, day: NaiveDate) -> bool {
        self.entry <= day
            && self.leaving.is_none_or(|(last, _)| day <= last)
            && match self.pupil.fate {
                Fate::Vanishes { from } => day < from,
                Fate::NoMarks => false,
                _ => true,
            }
    }
}

/// The distances between schools that exchange pupils, see [`Fate::Moves`].
const RINGS: [usize; 3] = [1, 2, 5];
/// The secondary schools whose pupils go to one pupil referral unit.
const SENDING: usize = 3;

/// All enrolments of a school in the year; pupils new with the year enter on `first_day`.
pub fn enrolments(authority: &Authority, school: &School, first_day: NaiveDate) -> Vec<Enrolment> {
    let pupils = roster(authority, school, first_day);
    let sent = match school.phase {
        Phase::Secondary if authority.events => sent_to_units(authority, school.place, &pupils),
        _ => Vec::new(),
    };
    let mut enrolments: Vec<Enrolment> = pupils.into_iter().map(own).collect();
    for (slot, shared) in sent {
        enrolments[slot].shared = Some(shared);
    }
    if authority.events {
        add_incoming(authority, school, &mut enrolments);
        if school.phase == Phase::Alternative {
            add_sent(authority, school, &mut enrolments);
        }
    }
    enrolments
}

fn own(pupil: Pupil) -> Enrolment {
    let leaving = match pupil.fate {
        Fate::Moves { last, .. } => Some((last, 'a')),
        Fate::Leaves { last, ground } => Some((last, ground)),
        _ => None,
    };
    Enrolment { entry: pupil.joined, leaving, shared: None, guest: false, pupil }
}

fn add_incoming(authority: &Authority, school: &School, enrolments: &mut Vec<Enrolment>) {
    let peers = authority.of_phase(school.phase);
    for from_ring in RINGS {
        if from_ring % peers.len() == 0 {
            continue;
        }
        let from = &peers[(school.place + peers.len() - from_ring % peers.len()) % peers.len()];
        for mut pupil in roster(authority, from, authority.terms.first_day()) {
            if let Fate::Moves { ring, first, .. } = pupil.fate
                && ring == from_ring
                && first <= authority.terms.last_day()
            {
                pupil.fate = Fate::Stays;
                enrolments.push(Enrolment { entry: first, leaving: None, shared: None, guest: true, pupil });
            }
        }
    }
}

/// The pupils, by slot, that a secondary school shares with pupil referral units.
fn sent_to_units(authority: &Authority, place: usize, pupils: &[Pupil]) -> Vec<(usize, Shared)> {
    let mut skip = 0;
    let mut sent = Vec::new();
    for unit in authority.of_phase(Phase::Alternative) {
        if senders(authority, unit).any(|sender| sender == place) {
            let take = taken_from_each(authority, unit);
            sent.extend(chosen(authority, pupils, skip, take));
            skip += take;
        }
    }
    sent
}

fn add_sent(authority: &Authority, unit: &School, enrolments: &mut Vec<Enrolment>) {
    let units = authority.of_phase(Phase::Alternative);
    for place in senders(authority, unit) {
        let skip = units[..unit.place]
            .iter()
            .filter(|earlier| senders(authority, earlier).any(|sender| sender == place))
            .map(|earlier| taken_from_each(authority, earlier))
            .sum();
        let sender = &authority.of_phase(Phase::Secondary)[place];
        let pupils = roster(authority, sender, authority.terms.first_day());
        for (slot, shared) in chosen(authority, &pupils, skip, taken_from_each(authority, unit)) {
            enrolments.push(Enrolment {
                pupil: pupils[slot].clone(),
                entry: shared.from,
                leaving: None,
                shared: Some(Shared { elsewhere: shared.elsewhere.map(|there| !there), ..shared }),
                guest: true,
            });
        }
    }
}

/// The places of the secondary schools that send pupils to a unit.
fn senders(authority: &Authority, unit: &School) -> impl Iterator<Item = usize> {
    let secondaries = authority.of_phase(Phase::Secondary).len();
    let first = unit.place * SENDING;
    (0..SENDING.min(secondaries)).map(move |i| (first + i) % secondaries)
}

fn taken_from_each(authority: &Authority, unit: &School) -> usize {
    let secondaries = authority.of_phase(Phase::Secondary).len();
    (unit.size * 2 / 5 / SENDING.min(secondaries)).max(1)
}

/// Older pupils with much absence, past the first `skip` of them, and how their weeks are shared as
/// their own school sees it.
fn chosen(authority: &Authority, pupils: &[Pupil], skip: usize, take: usize) -> Vec<(usize, Shared)> {
    pupils
        .iter()
        .enumerate()
        .filter(|(_, pupil)| {
            (8..=11).contains(&pupil.nc_year)
                && pupil.rate > 0.12
                && pupil.fate == Fate::Stays
                && pupil.former_upn.is_none()
        })
        .skip(skip)
        .take(take)
        .map(|(slot, _)| {
            let dates = &authority.common_dates;
            let from = dates[(7 + slot * 29) % (dates.len() / 2)];
            let elsewhere = if slot % 2 == 0 { [true; 5] } else { [true, true, true, false, false] };
            (slot, Shared { from, elsewhere })
        })
        .collect()
}
