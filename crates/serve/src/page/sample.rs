//! A made-up overview: thirty schools, eleven weeks of figures about a half-term, and what goes wrong.

use crate::page::{
    AlertLine, Benchmark, Coverage, Definition, Headline, Overview, Part, PhaseRow, ProblemRow, SchoolRow, Severity,
    SilentSchool, Stamp, WeekPoint,
};

/// The made-up overview.
pub fn overview() -> Overview {
    Overview {
        authority: "Westmere".into(),
        demo: true,
        stamp: Stamp {
            academic_year: "202627".into(),
            from: "2026-09-01".into(),
            as_of: "2026-11-20".into(),
            known_at: "2026-11-24T09:05:00Z".into(),
            ledger_version: 41,
        },
        coverage: Coverage {
            schools_received: 28,
            schools_expected: 30,
            received_for: "the week beginning 16 November 2026".into(),
            settled_to: Some("2026-11-06".into()),
        },
        alerts: alerts(),
        silent_schools: vec![
            SilentSchool {
                urn: 150_013,
                name: "Millbrook Primary School".into(),
                phase: "Primary".into(),
                last_sent: None,
                school_days: Some(54),
            },
            SilentSchool {
                urn: 150_027,
                name: "Harrow Lane Academy".into(),
                phase: "Secondary".into(),
                last_sent: Some("2026-11-13T18:00:00Z".into()),
                school_days: Some(5),
            },
        ],
        headlines: headlines(),
        weeks: weeks(),
        benchmark: Some(Benchmark {
            label: "England".into(),
            source: "Department for Education, Pupil attendance in schools, weeks to 13 November 2026".into(),
        }),
        phases: phases(),
        schools: schools(),
        problems: problems(),
        definitions: definitions(),
    }
}

fn alerts() -> Vec<AlertLine> {
    let line = |rule: &str, title: &str, about: &str, counts: [u64; 3], schools: Option<u64>, oldest: Option<&str>| {
        AlertLine {
            rule: rule.into(),
            title: title.into(),
            about: about.into(),
            standing: counts[0],
            new: counts[1],
            retracted: counts[2],
            schools,
            oldest: oldest.map(Into::into),
        }
    };
    vec![
        line(
            "between_rolls",
            "Child on no roll",
            "Left one school and not known to have joined another",
            [3, 1, 0],
            None,
            Some("2026-10-09"),
        ),
        line(
            "social_worker_absent",
            "Absent, has a social worker",
            "Tell the social worker the same day",
            [11, 4, 2],
            Some(9),
            Some("2026-11-16"),
        ),
        line(
            "sudden_stop",
            "Sudden stop",
            "Attended well, then not at all for five school days",
            [6, 2, 1],
            Some(6),
            Some("2026-11-06"),
        ),
        line(
            "unauthorised_20_days",
            "20 days unauthorised",
            "Every session G, N or O for 20 school days or more",
            [4, 0, 0],
            Some(4),
            Some("2026-10-16"),
        ),
        line(
            "unauthorised_10_days",
            "10 days unauthorised",
            "Every session G, N, O or U for 10 school days or more",
            [38, 7, 3],
            Some(19),
            Some("2026-09-18"),
        ),
        line(
            "sickness_15_days",
            "15 days of sickness",
            "15 school days or more with an I this school year",
            [27, 3, 0],
            Some(14),
            Some("2026-10-02"),
        ),
        line(
            "penalty_threshold",
            "Penalty notice threshold",
            "10 sessions of G, N, O or U within 10 school weeks",
            [164, 21, 6],
            None,
            Some("2026-09-25"),
        ),
        line("stale_n", "No reason found in five days", "The school still owes a reason", [0, 0, 9], Some(0), None),
    ]
}

fn headlines() -> Vec<Headline> {
    let line = |measure: &str, value: Option<f64>, sentence: &str| Headline {
        measure: measure.into(),
        value,
        sentence: sentence.into(),
    };
    vec![
        line(
            "Absence",
            Some(6.94),
            "Pupils missed 6.9% of possible sessions from 1 September to 20 November 2026. England: 6.8%.",
        ),
        line(
            "Persistent absence",
            Some(20.31),
            "20.3% missed a tenth or more of their sessions from 1 September to 20 November 2026. England: 19.4%.",
        ),
        line(
            "Severe absence",
            Some(2.18),
            "2.2% missed half or more of their sessions from 1 September to 20 November 2026. England: no data.",
        ),
        line(
            "Unauthorised absence",
            None,
            "Not worked out for 1 September to 20 November 2026: two schools sent codes that are not known.",
        ),
    ]
}

fn weeks() -> Vec<WeekPoint> {
    let week = |week_start: &str, area: Option<f64>, england: Option<f64>, settled: bool, schools_received: u64| {
        WeekPoint { week_start: week_start.into(), area, england, settled, schools_received, schools_expected: 30 }
    };
    vec![
        week("2026-08-31", None, None, false, 0),
        week("2026-09-07", Some(5.62), Some(5.71), true, 30),
        week("2026-09-14", Some(6.08), Some(5.94), true, 30),
        week("2026-09-21", Some(6.55), Some(6.32), true, 30),
        week("2026-09-28", Some(6.71), Some(6.60), true, 30),
        week("2026-10-05", Some(6.83), Some(6.81), true, 30),
        week("2026-10-12", Some(7.02), Some(6.87), true, 30),
        week("2026-10-19", Some(7.31), Some(7.08), true, 30),
        week("2026-11-02", Some(6.77), Some(6.69), true, 30),
        week("2026-11-09", Some(7.46), Some(7.12), false, 29),
        week("2026-11-16", Some(8.03), None, false, 28),
    ]
}

fn phases() -> Vec<PhaseRow> {
    let row =
        |phase: &str, received: u64, expected: u64, enrolments: Option<u64>, percents: [Option<f64>; 5]| PhaseRow {
            phase: phase.into(),
            schools_received: received,
            schools_expected: expected,
            enrolments,
            absence_percent: percents[0],
            authorised_percent: percents[1],
            unauthorised_percent: percents[2],
            persistent_percent: percents[3],
            severe_percent: percents[4],
        };
    vec![
        row("Total", 28, 30, Some(14_208), [Some(6.94), Some(4.71), Some(2.23), Some(20.31), Some(2.18)]),
        row("Secondary", 5, 6, Some(6_120), [Some(8.61), Some(5.10), Some(3.51), Some(25.84), Some(3.62)]),
        row("Primary", 20, 21, Some(7_844), [Some(5.42), Some(4.28), Some(1.14), Some(15.37), Some(0.81)]),
        row("Special", 2, 2, Some(198), [Some(12.33), Some(10.02), Some(2.31), Some(36.87), Some(6.06)]),
        row("Alternative provision", 1, 1, Some(46), [Some(38.90), Some(14.04), Some(24.86), Some(84.78), Some(41.30)]),
    ]
}

const PRIMARY: [&str; 21] = [
    "All Saints’ CofE Primary School",
    "Ashdene Primary School",
    "Barley Fields Primary School",
    "Beacon Hill Infant School",
    "Beacon Hill Junior School",
    "Brookside Community Primary School",
    "Castle View Primary School",
    "Church Lane Primary Academy",
    "Eastgate Primary School",
    "Fernleigh Primary School",
    "Holy Family Catholic Primary School",
    "Larkfield Primary School",
    "Lower Marsh Primary School",
    "Millbrook Primary School",
    "Oakhurst Primary School",
    "Priory Park Primary School",
    "Riverside Primary School",
    "St Cuthbert’s Catholic Primary School",
    "The Willows Primary Academy",
    "Westmere Park Primary School",
    "Woodend Primary School",
];
const SECONDARY: [&str; 6] = [
    "Bishop Ridley CofE High School",
    "Harrow Lane Academy",
    "Kingsmead School",
    "Northgate High School",
    "St Hilda’s Catholic School for Girls",
    "Westmere Academy",
];

fn schools() -> Vec<SchoolRow> {
    let named =
        PRIMARY.iter().map(|name| (*name, "Primary")).chain(SECONDARY.iter().map(|name| (*name, "Secondary"))).chain([
            ("Meadowbank School", "Special"),
            ("The Orchard School", "Special"),
            ("Westmere Pupil Referral Unit", "Alternative provision"),
        ]);
    named.zip(0_u32..).map(|((name, phase), at)| school(name, phase, at)).collect()
}

fn school(name: &str, phase: &str, at: u32) -> SchoolRow {
    let is_silent = name.starts_with("Millbrook");
    let spread = f64::from(at * 7 % 11) / 10.0;
    let (size, absence, persistent, severe) = match phase {
        "Primary" => (180 + u64::from(at * 53 % 240), 4.6 + spread * 1.6, 11.0 + spread * 9.0, 0.3 + spread),
        "Secondary" => (840 + u64::from(at * 97 % 460), 7.2 + spread * 2.8, 21.0 + spread * 10.0, 2.1 + spread * 3.0),
        "Special" => (90 + u64::from(at % 3) * 9, 11.4 + spread * 2.0, 34.0 + spread * 6.0, 5.1 + spread * 2.0),
        _ => (46, 38.9, 84.8, 41.3),
    };
    let of = |rate: f64| (size as f64 * rate / 100.0).round() as u64;
    let rate = |some: u64| 100.0 * some as f64 / size as f64;
    let known = |value| (!is_silent).then_some(value);
    SchoolRow {
        urn: 150_000 + at,
        name: name.into(),
        phase: phase.into(),
        trust: match at % 4 {
            0 => Some("Mere Valley Learning Trust".into()),
            3 => Some("Northern Lights Multi-Academy Trust".into()),
            _ => None,
        },
        enrolments: (!is_silent).then_some(size),
        absence_percent: known(absence),
        persistent: (!is_silent).then_some(of(persistent)),
        persistent_percent: known(rate(of(persistent))),
        severe: (!is_silent).then_some(of(severe)),
        severe_percent: known(rate(of(severe))),
        last_sent: match name {
            "Millbrook Primary School" => None,
            "Harrow Lane Academy" => Some("2026-11-13T18:00:00Z".into()),
            _ => Some("2026-11-20T18:00:00Z".into()),
        },
        refused_rows: if at % 9 == 4 && !is_silent { u64::from(at) * 3 } else { 0 },
    }
}

fn problems() -> Vec<ProblemRow> {
    let row = |rule: &str, about: &str, severity, schools, rows, expected: &str| ProblemRow {
        rule: rule.into(),
        about: about.into(),
        severity,
        schools,
        rows,
        expected: expected.into(),
    };
    vec![
        row(
            "missing_column",
            "A column that is not there cannot be guessed from its position.",
            Severity::RefuseFile,
            1,
            2,
            "every required column of its kind",
        ),
        row(
            "unknown_code",
            "A mark that is no register code says nothing about the child.",
            Severity::RefuseRow,
            2,
            46,
            "one code of the 2024 regulations",
        ),
        row(
            "outside_enrolment",
            "Marks before a child’s entry or after its leaving are left out of figures.",
            Severity::Warn,
            7,
            1_318,
            "marks between entry and leaving dates, both included",
        ),
    ]
}

fn definitions() -> Vec<Definition> {
    let of = |part, name: &str, about: &str, source: &str, version| Definition {
        part,
        name: name.into(),
        about: about.into(),
        source: source.into(),
        version,
    };
    vec![
        of(
            Part::Coverage,
            "metrics.area_week",
            "A week is settled when every expected school has sent it and no N in it is within the days allowed to find a reason.",
            "contract, section 4",
            1,
        ),
        of(
            Part::Alerts,
            "alerts.unauthorised_10_days",
            "10 or more consecutive school days of compulsory school age, every session G, N, O or U.",
            "Education (Pupil Registration) Regulations, attendance return",
            1,
        ),
        of(
            Part::Alerts,
            "alerts.penalty_threshold",
            "10 or more sessions of G, N, O, U within any 10 successive school weeks, all the child’s schools together.",
            "National framework for penalty notices, from 19 August 2024",
            1,
        ),
        of(
            Part::Headlines,
            "metrics.area_year",
            "Sessions and enrolments of ages 5 to 15 in the school year: sums over sums, never a mean of means.",
            "Department for Education, attendance methodology",
            2,
        ),
        of(
            Part::Weeks,
            "metrics.area_week",
            "Absent sessions of all schools in a week over their possible sessions.",
            "Department for Education, attendance methodology",
            1,
        ),
        of(
            Part::Phases,
            "metrics.area_year",
            "Persistent: a tenth or more of possible sessions missed. Severe: half or more.",
            "Department for Education, attendance methodology",
            2,
        ),
        of(
            Part::Schools,
            "metrics.school_year",
            "The same figures by school, for enrolments with a possible session there.",
            "Department for Education, attendance methodology",
            2,
        ),
        of(
            Part::Problems,
            "quality.problem",
            "What a rule at the door found wrong. A refused row never changes what is believed.",
            "contract, section 4",
            1,
        ),
    ]
}
