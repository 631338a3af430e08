//! What a made-up authority has to get right: same plan same bytes, and rates near the published ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::authority::Authority;
use super::calendar::{Terms, date, monday_of};
use super::mark::{self, Mark};
use super::marks_file;
use super::propensity::{Need, PHASES, Phase};
use super::register::Register;
use super::upn;
use super::{Cadence, Plan, write};

fn plan(schools: usize, pupils: usize) -> Plan {
    Plan {
        seed: 850,
        la_code: 850,
        schools,
        pupils,
        academic_year: 2026,
        until: date(2026, 10, 16),
        cadence: Cadence::Week,
        dirt: 0.005,
        dialects: true,
        events: true,
    }
}

/// A folder of this test alone, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = format!("rollcall-demo-{name}-{}", std::process::id());
        Scratch(std::env::temp_dir().join(folder))
    }

    /// Every file by its path below the folder.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.0, &self.0, &mut files);
        files
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that is left behind harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("the folder was written") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("it is below the folder");
            let bytes = fs::read(&path).expect("a file can be read");
            files.insert(name.to_string_lossy().into_owned(), bytes);
        }
    }
}

fn written(name: &str, plan: &Plan) -> BTreeMap<String, Vec<u8>> {
    let scratch = Scratch::new(name);
    let summary = write(plan, &scratch.0).expect("the plan can be written");
    let files = scratch.files();
    assert_eq!(summary.files, files.len());
    assert_eq!(summary.bytes, files.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    files
}

#[test]
fn the_same_plan_writes_the_same_bytes() {
    let plan = plan(8, 700);
    let once = written("once", &plan);
    assert!(once == written("again", &plan), "two runs differ");
    let other = Plan { seed: 851, ..plan };
    assert!(once != written("other", &other), "the seed changes nothing");
}

#[test]
fn a_longer_plan_continues_a_shorter_one() {
    for cadence in [Cadence::Week, Cadence::Day] {
        let short = Plan { cadence, ..plan(8, 400) };
        let long = Plan { until: date(2026, 11, 20), ..short.clone() };
        let longer = written(&format!("long-{cadence:?}"), &long);
        for (name, bytes) in written(&format!("short-{cadence:?}"), &short) {
            assert!(longer.get(&name) == Some(&bytes), "{name} differs");
        }
    }
}

#[test]
fn a_year_in_one_file_has_every_row_of_the_weeks() {
    let weeks = Plan { dirt: 0.0, dialects: false, events: false, ..plan(8, 400) };
    let year = Plan { cadence: Cadence::Year, ..weeks.clone() };
    let rows = |files: BTreeMap<String, Vec<u8>>| {
        let mut rows = Vec::new();
        for (_, bytes) in files.iter().filter(|(name, _)| name.contains("/marks_")) {
            let text = String::from_utf8_lossy(bytes);
            rows.extend(text.lines().skip(1).map(str::to_owned));
        }
        rows.sort_unstable();
        rows
    };
    let by_year = rows(written("year", &year));
    assert!(by_year.len() > 20_000);
    assert!(by_year == rows(written("weeks", &weeks)));
}

#[test]
fn upn_check_letters_are_right() {
    // The worked examples of the reference samples.
    for (rest, letter) in [("201100018042", b'R'), ("20110001804V", b'T'), ("00180001701A", b'X')] {
        assert_eq!(upn::check_letter(rest.as_bytes()), letter);
    }
    let authority = Authority::new(&plan(12, 3_000));
    let mut seen = BTreeMap::new();
    for school in &authority.schools {
        for enrolment in Register::fill(&authority, school).enrolments {
            let former = enrolment.pupil.former_upn.map(|(former, _)| former);
            for upn in [Some(enrolment.pupil.upn), former].into_iter().flatten() {
                assert_eq!(upn[0], upn::check_letter(&upn[1..]));
                // Only the same child at another school may have the same UPN.
                let born = *seen.entry(upn).or_insert(enrolment.pupil.born);
                assert!(born == enrolment.pupil.born || !enrolment.guest);
            }
        }
    }
    assert!(seen.len() > 2_800);
}

#[test]
fn term_dates_are_those_of_2026() {
    let days = Terms::new(2026).common_days();
    let is_open = |month: u32, day: u32| {
        let year = if month >= 9 { 2026 } else { 2027 };
        days.iter().any(|open| open.date == date(year, month, day))
    };
    for (month, day) in [(9, 2), (10, 23), (11, 2), (12, 18), (1, 4), (3, 25), (4, 12), (7, 21)] {
        assert!(is_open(month, day), "{day}/{month} is a school day");
    }
    for (month, day) in [(9, 1), (10, 26), (12, 21), (2, 15), (3, 26), (3, 29), (5, 3), (5, 31)] {
        assert!(!is_open(month, day), "{day}/{month} is none");
    }
    assert_eq!(days.len(), 194);
}

#[test]
fn rows_are_in_order_and_within_enrolments() {
    let authority = Authority::new(&plan(8, 1_500));
    for school in &authority.schools {
        let register = Register::fill(&authority, school);
        let order = marks_file::order(&register, date(2027, 7, 21));
        let upns: Vec<_> = order.iter().map(|&place| register.enrolments[place as usize].pupil.upn).collect();
        assert!(upns.is_sorted(), "school {}", school.number);
        for enrolment in &register.enrolments {
            assert!(!enrolment.in_register(date(2026, 9, 1)) || enrolment.entry < date(2026, 9, 2));
            if let Some((last, _)) = enrolment.leaving {
                assert!(!enrolment.in_register(last.succ_opt().expect("a next day")));
            }
        }
    }
}

#[test]
fn a_dual_registered_pupil_has_real_marks_at_one_school_a_day() {
    let authority = Authority::new(&plan(8, 2_000));
    let mut duals = BTreeMap::new();
    for school in &authority.schools {
        let register = Register::fill(&authority, school);
        for (place, enrolment) in register.enrolments.iter().enumerate() {
            let Some(shared) = enrolment.shared else {
                continue;
            };
            for (day, dates) in register.days.iter().enumerate() {
                let marks = register.marks(place, day);
                if dates.date >= shared.from && !dates.closed && !marks.contains(&mark::MISSING) {
                    let real = marks[0] != mark::DUAL;
                    let seen: &mut Vec<bool> = duals.entry((enrolment.pupil.upn, dates.date)).or_default();
                    seen.push(real);
                }
            }
        }
    }
    let both: Vec<_> = duals.values().filter(|seen| seen.len() == 2).collect();
    assert!(both.len() > 300);
    assert!(both.iter().all(|seen| seen[0] != seen[1]));
}

/// Counts over the cohort of the statistics, year 1 to 11.
#[derive(Default)]
struct Tally {
    pupils: u32,
    persistent: u32,
    severe: u32,
    possible: u64,
    absent: u64,
    marks: [u64; mark::COUNT],
    // By weekday and by half of the day: possible and absent.
    weekdays: [[u64; 2]; 5],
    halves: [[u64; 2]; 2],
    with_meals: [u32; 2],
    persistent_with_meals: [u32; 2],
    with_need: [u32; 2],
    persistent_with_need: [u32; 2],
    /// Pupils in each band of absence five points wide, the last open at its top.
    bands: [u32; 11],
    /// By week of the school year: possible, absent and ill.
    weeks: BTreeMap<usize, [u64; 3]>,
    schools: u32,
    /// Schools whose October half term is a week before the others'.
    early: u32,
}

impl Tally {
    fn add(&mut self, register: &Register) {
        self.schools += 1;
        self.early += u32::from(!register.days.iter().any(|day| monday_of(day.date) == date(2026, 10, 19)));
        for (place, enrolment) in register.enrolments.iter().enumerate() {
            if !(1..=11).contains(&enrolment.pupil.nc_year) {
                continue;
            }
            let (mut possible, mut absent) = (0, 0);
            for (day, about) in register.days.iter().enumerate() {
                for (half, mark) in register.marks(place, day).into_iter().enumerate() {
                    self.marks[usize::from(mark)] += 1;
                    if mark::is_possible(mark) {
                        let is_absent = u64::from(mark::is_absence(mark));
                        possible += 1;
                        absent += is_absent;
                        for count in [&mut self.weekdays[about.weekday], &mut self.halves[half]] {
                            count[0] += 1;
                            count[1] += is_absent;
                        }
                        let week = self.weeks.entry(about.week).or_default();
                        let counted = [1, is_absent, u64::from(mark == mark::ILL)];
                        week.iter_mut().zip(counted).for_each(|(count, one)| *count += one);
                    }
                }
            }
            let persistent = u32::from(10 * absent >= possible);
            let meals = usize::from(enrolment.pupil.free_meals);
            self.pupils += 1;
            self.persistent += persistent;
            self.severe += u32::from(2 * absent >= possible);
            self.possible += possible;
            self.absent += absent;
            self.with_meals[meals] += 1;
            self.persistent_with_meals[meals] += persistent;
            let need = usize::from(enrolment.pupil.need != Need::None);
            self.with_need[need] += 1;
            self.persistent_with_need[need] += persistent;
            let band = (20 * absent).checked_div(possible).map(|band| band.min(10) as usize);
            band.into_iter().for_each(|band| self.bands[band] += 1);
        }
    }

    fn code(&self, mark: Mark) -> f64 {
        self.marks[usize::from(mark)] as f64 * 100.0 / self.possible as f64
    }

    fn absence(&self) -> f64 {
        self.absent as f64 * 100.0 / self.possible as f64
    }

    fn unauthorised(&self) -> f64 {
        [mark::HOLIDAY, mark::NOT_YET, mark::UNEXPLAINED, mark::VERY_LATE].into_iter().map(|mark| self.code(mark)).sum()
    }
}

fn near(what: &str, phase: Phase, found: f64, published: f64, within: f64) {
    assert!((found - published).abs() <= within, "{what} of {phase:?}: {found:.2} and not {published} within {within}");
}

#[test]
fn a_whole_year_has_the_published_rates() {
    let plan = Plan { events: false, ..plan(40, 16_000) };
    let authority = Authority::new(&plan);
    let tallies = PHASES.map(|phase| {
        let mut tally = Tally::default();
        for school in authority.of_phase(phase) {
            tally.add(&Register::fill(&authority, school));
        }
        tally
    });
    // Overall, unauthorised, persistent, severe; illness, unexplained, late, holiday, visits.
    let published = [
        [5.28, 1.55, 13.8, 0.75, 2.79, 0.79, 1.12, 0.53, 0.73],
        [8.49, 3.27, 23.8, 3.4, 3.63, 2.61, 2.79, 0.31, 0.73],
        [13.17, 3.60, 36.1, 6.2, 5.02, 2.80, 0.77, 0.41, 0.46],
    ];
    for ((phase, tally), rates) in PHASES.into_iter().zip(&tallies).zip(published) {
        // Special schools are few: a handful of pupils is a whole point.
        let (small, slack) = match phase {
            Phase::Special => (3.0, 4.0),
            _ => (1.0, 1.0),
        };
        let share = |count: u32| f64::from(count) * 100.0 / f64::from(tally.pupils);
        near("absence", phase, tally.absence(), rates[0], 0.3 * small);
        near("unauthorised", phase, tally.unauthorised(), rates[1], 0.25 * slack);
        near("persistent", phase, share(tally.persistent), rates[2], 1.5 * small);
        near("severe", phase, share(tally.severe), rates[3], 0.5 * small);
        near("illness", phase, tally.code(mark::ILL), rates[4], 0.2 * slack);
        near("unexplained", phase, tally.code(mark::UNEXPLAINED), rates[5], 0.25 * slack);
        near("late", phase, tally.code(mark::LATE), rates[6], 0.2);
        near("holiday", phase, tally.code(mark::HOLIDAY), rates[7], 0.06 * slack);
        near("visits", phase, tally.code(mark::VISIT), rates[8], 0.15);
    }
    // The rest of the code mix (`session_code_mix_2025_26_national.csv`), in the order of the phases.
    let mix = [
        (mark::MEDICAL, [0.272, 0.376, 1.015]),
        (mark::RELIGIOUS, [0.066, 0.058, 0.053]),
        (mark::STUDY, [0.0, 0.1, 0.023]),
        (mark::EXCLUDED, [0.037, 0.289, 0.174]),
        (mark::LEAVE, [0.367, 0.426, 1.675]),
        (mark::PART_TIME, [0.167, 0.321, 1.588]),
        (mark::VERY_LATE, [0.169, 0.296, 0.323]),
        (mark::NOT_YET, [0.049, 0.049, 0.069]),
        (mark::OFF_SITE, [0.191, 0.3, 0.889]),
        (mark::SPORT, [0.085, 0.142, 0.048]),
        (mark::WORK, [0.0, 0.308, 0.061]),
        (mark::ARRANGED, [0.018, 0.079, 0.101]),
    ];
    for ((nth, phase), tally) in PHASES.into_iter().enumerate().zip(&tallies).take(3) {
        let few = if phase == Phase::Special { 3.0 } else { 1.0 };
        for (mark, published) in mix {
            let (what, published) = (mark::TEXT[usize::from(mark)], published[nth]);
            near(what, phase, tally.code(mark), published, (0.03 + 0.25 * published) * few);
        }
    }
    for (phase, tally) in PHASES.into_iter().zip(&tallies).take(2) {
        let rate = |[possible, absent]: [u64; 2]| absent as f64 / possible as f64;
        let weekdays = tally.weekdays.map(rate);
        let lowest = weekdays[..4].iter().copied().fold(1.0, f64::min);
        assert!(weekdays[4] > 1.12 * lowest, "Fridays of {phase:?}: {weekdays:?}");
        assert_eq!(lowest, weekdays[2], "Wednesdays of {phase:?}: {weekdays:?}");
        let halves = tally.halves.map(rate);
        assert!(halves[0] < halves[1] && halves[1] < 1.1 * halves[0], "{halves:?}");
        let meals =
            [0, 1].map(|meals| f64::from(tally.persistent_with_meals[meals]) / f64::from(tally.with_meals[meals]));
        assert!((1.8..3.2).contains(&(meals[1] / meals[0])), "{phase:?}: {meals:?}");
        let needs = [0, 1].map(|need| f64::from(tally.persistent_with_need[need]) / f64::from(tally.with_need[need]));
        assert!((1.4..2.2).contains(&(needs[1] / needs[0])), "{phase:?}: {needs:?}");
    }
    // Shares of pupils by band of absence, in per cent (2022/23: `absence_bands_2022_23_national.csv`).
    let bands = [
        [56.28, 27.84, 9.19, 3.20, 1.37, 0.70, 0.40, 0.25, 0.17, 0.12, 0.49],
        [46.51, 27.34, 11.05, 4.78, 2.56, 1.60, 1.11, 0.82, 0.65, 0.52, 3.07],
    ];
    for ((phase, tally), published) in PHASES.into_iter().zip(&tallies).zip(bands) {
        for (band, share) in published.into_iter().enumerate() {
            let found = f64::from(tally.bands[band]) * 100.0 / f64::from(tally.pupils);
            near(&format!("band {}", 5 * band), phase, found, share, if band < 2 { 5.0 } else { 1.5 });
        }
    }
    // Through the autumn (`weekly_autumn_national.csv`, weeks 37 to 49): illness doubles, and absence rises to half term,
    // falls behind it and rises again.
    let week = |monday: chrono::NaiveDate| -> [f64; 2] {
        let nth = (monday - monday_of(date(2026, 9, 1))).num_days() as usize / 7;
        let of_all = tallies.iter().take(2).filter_map(|tally| tally.weeks.get(&nth));
        let [possible, absent, ill] = of_all.fold([0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
        [absent, ill].map(|count| count as f64 * 100.0 / possible as f64)
    };
    let [first, before, behind, late] = [(9, 7), (10, 19), (11, 2), (11, 30)].map(|(m, d)| week(date(2026, m, d)));
    assert!((1.7..2.6).contains(&(late[1] / first[1])), "illness: {first:?} {late:?}");
    assert!(
        first[0] < behind[0] && behind[0] < before[0] && behind[0] < late[0],
        "{first:?} {before:?} {behind:?} {late:?}"
    );
    let [schools, early] = [|t: &Tally| t.schools, |t: &Tally| t.early].map(|of| tallies.iter().map(of).sum::<u32>());
    assert!((0.1..0.3).contains(&(f64::from(early) / f64::from(schools))), "{early} of {schools} schools are early");
}

#[test]
fn a_week_is_sent_by_most_schools_and_corrected_later() {
    let plan = plan(20, 3_000);
    let files = written("corrected", &plan);
    let first_week = monday_of(date(2026, 9, 7));
    let count = |kind: &str| {
        files.keys().filter(|name| name.contains(kind) && name.contains(&format!("_{first_week}.csv"))).count()
    };
    assert!(count("/marks_") >= 19);
    assert!((10..20).contains(&count("/fix_")));
}

#[test]
fn a_plan_that_cannot_be_is_refused() {
    let scratch = Scratch::new("refused");
    for wrong in [plan(7, 700), plan(8, 100_000), plan(8, 10)] {
        assert!(write(&wrong, &scratch.0).is_err());
    }
    let too_early = Plan { until: date(2026, 8, 1), ..plan(8, 700) };
    assert!(write(&too_early, &scratch.0).is_err());
    assert!(!scratch.0.exists(), "nothing is written for a refused plan");
}
