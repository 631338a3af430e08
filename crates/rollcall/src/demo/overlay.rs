//! Marks that do not come from a pupil's own absence: closures, timetables, moves, and sessions that
//! nobody recorded.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::authority::{Authority, School};
use super::calendar::SchoolDay;
use super::mark::{self, Mark};
use super::movement::Enrolment;
use super::propensity::Phase;
use super::roster::Fate;

/// Before anything else: planned closures, sixth-form timetables and late starts of reception.
pub fn closures(
    authority: &Authority,
    school: &School,
    enrolment: &Enrolment,
    days: &[SchoolDay],
    row: &mut [Mark],
    rng: &mut ChaCha8Rng,
) {
    let nc_year = enrolment.pupil.nc_year;
    let study_ends = authority.terms.last_friday_of_june();
    let staggered = school.phase == Phase::Primary && school.place % 4 == 1 && nc_year == 0;
    let timetable: u16 = if nc_year >= 12 { rng.random() } else { 0 };
    let third_timetable: u16 = if nc_year >= 12 { rng.random() } else { 0 };
    for (place, day) in days.iter().enumerate() {
        for half in 0..2 {
            let session = &mut row[place * 2 + half];
            // Year 11 and 13 have no lessons once their examinations are over.
            let finished = matches!(nc_year, 11 | 13) && day.date > study_ends;
            // Two random masks of ten sessions leave about a quarter of the week without lessons.
            let untimetabled = (timetable & third_timetable) >> (day.weekday * 2 + half) & 1 == 1;
            if day.closed || finished || (staggered && place < 6 && half == 1) {
                *session = mark::CLOSED;
            } else if untimetabled {
                *session = mark::NOT_REQUIRED;
            }
        }
    }
}

/// What a pupil's fate does to its marks.
pub fn fates(enrolment: &Enrolment, days: &[SchoolDay], row: &mut [Mark]) {
    let mut mark_days = |from: usize, to: usize, mark: Mark| {
        for session in &mut row[from * 2..to * 2] {
            if *session != mark::CLOSED {
                *session = mark;
            }
        }
    };
    match enrolment.pupil.fate {
        Fate::ArrivesLate => mark_days(0, days.len().min(18), mark::UNEXPLAINED),
        Fate::Leaves { last, ground } => {
            let end = days.partition_point(|day| day.date <= last);
            match ground {
                // Deleted after at least 20 days without a reason.
                'i' => mark_days(end.saturating_sub(24), end, mark::UNEXPLAINED),
                // Deleted after not coming back from leave.
                'h' => {
                    mark_days(end.saturating_sub(17), end.saturating_sub(12), mark::LEAVE);
                    mark_days(end.saturating_sub(12), end, mark::UNEXPLAINED);
                }
                _ => {}
            }
        }
        _ => {}
    }
    if let Some(shared) = enrolment.shared {
        for (place, day) in days.iter().enumerate() {
            if day.date >= shared.from && shared.elsewhere[day.weekday] && !day.closed {
                row[place * 2] = mark::DUAL;
                row[place * 2 + 1] = mark::DUAL;
            }
        }
    }
}

/// One school in thirty has to close for a day in winter.
pub fn site_closures(days: &[SchoolDay], marks: &mut [Mark], sessions: usize, school: &School, rng: &mut ChaCha8Rng) {
    let draw: f64 = rng.random();
    if school.number % 30 != 17 {
        return;
    }
    let winter: Vec<usize> = (0..days.len()).filter(|&day| days[day].half == 2 && !days[day].closed).collect();
    if let Some(&day) = winter.get((draw * winter.len() as f64) as usize) {
        for row in marks.chunks_exact_mut(sessions) {
            for session in &mut row[day * 2..day * 2 + 2] {
                if *session != mark::DUAL {
                    *session = mark::SITE_CLOSED;
                }
            }
        }
    }
}

/// Takes away a share of all marks, wherever they fall.
pub fn missing(marks: &mut [Mark], share: f64, rng: &mut ChaCha8Rng) {
    let mut at = gap(share, rng);
    while let Some(session) = marks.get_mut(at) {
        if *session != mark::CLOSED {
            *session = mark::MISSING;
        }
        at += 1 + gap(share, rng);
    }
}

/// How many things go right before the next goes wrong, when `share` of them do.
pub fn gap(share: f64, rng: &mut ChaCha8Rng) -> usize {
    if share <= 0.0 {
        return usize::MAX / 2;
    }
    let draw: f64 = 1.0 - rng.random::<f64>();
    ((draw.ln() / (1.0 - share.min(0.999_999)).ln()) as usize).min(usize::MAX / 2)
}
