//! The register of schools as the DfE's GIAS publishes it: establishments and the links between them.

use chrono::{Datelike, NaiveDate};

use super::authority::{Authority, School};
use super::dialect::windows_1252;
use super::names;
use super::propensity::Phase;

/// One school of the file, whether or not it sends anything.
struct Establishment {
    urn: u32,
    number: u16,
    name: String,
    kind: (&'static str, &'static str),
    status: (&'static str, &'static str),
    opened: String,
    closed: String,
    phase: (&'static str, &'static str),
    ages: (u8, u8),
    trust: Option<usize>,
    sector: usize,
}

const HEADER: [&str; 18] = [
    "URN",
    "LA (code)",
    "LA (name)",
    "EstablishmentNumber",
    "EstablishmentName",
    "TypeOfEstablishment (code)",
    "TypeOfEstablishment (name)",
    "EstablishmentStatus (code)",
    "EstablishmentStatus (name)",
    "OpenDate",
    "CloseDate",
    "PhaseOfEducation (code)",
    "PhaseOfEducation (name)",
    "StatutoryLowAge",
    "StatutoryHighAge",
    "Trusts (code)",
    "Trusts (name)",
    "Postcode",
];

const LINKS_HEADER: [&str; 5] = ["URN", "LinkURN", "LinkName", "LinkType", "LinkEstablishedDate"];

const OPEN: (&str, &str) = ("1", "Open");
const CLOSED: (&str, &str) = ("2", "Closed");
const PROPOSED: (&str, &str) = ("4", "Proposed to open");
const COMMUNITY: (&str, &str) = ("01", "Community school");

/// URNs of schools that closed before the year; the first of them has a successor.
const CLOSED_URNS: [u32; 4] = [110_001, 110_002, 110_003, 110_004];
/// Number of the school that succeeded the first closed one (see [`Authority`]).
const SUCCESSOR: usize = 1;

/// `edubasealldata` as of a day, in Windows-1252.
pub fn establishments(authority: &Authority, la_code: u16, on: NaiveDate) -> Vec<u8> {
    let mut rows = Vec::new();
    for school in &authority.schools {
        add_school(authority, school, on, &mut rows);
    }
    for (place, urn) in CLOSED_URNS.into_iter().enumerate() {
        let successor = (place == 0).then(|| &authority.schools[SUCCESSOR]);
        rows.push(Establishment {
            urn,
            number: successor.map_or(3900 + place as u16, |school| school.establishment),
            name: names::school(Phase::Primary, authority.schools.len() + place, false, 7),
            kind: COMMUNITY,
            status: CLOSED,
            opened: String::new(),
            closed: format!("31-08-{}", authority.year - 3 - place as i32),
            phase: ("2", "Primary"),
            ages: (4, 11),
            trust: None,
            sector: place,
        });
    }
    let mut out = Vec::with_capacity(rows.len() * 256);
    line(&HEADER, &mut out);
    let la_code = la_code.to_string();
    for row in &rows {
        let (trust_code, trust_name) =
            row.trust.map_or_else(Default::default, |trust| ((16_500 + trust).to_string(), names::trust(trust)));
        line(
            &[
                &row.urn.to_string(),
                &la_code,
                "Demoshire",
                &format!("{:04}", row.number),
                &row.name,
                row.kind.0,
                row.kind.1,
                row.status.0,
                row.status.1,
                &row.opened,
                &row.closed,
                row.phase.0,
                row.phase.1,
                &row.ages.0.to_string(),
                &row.ages.1.to_string(),
                &trust_code,
                &trust_name,
                &names::postcode(row.sector, row.urn as u16 % 3600),
            ],
            &mut out,
        );
    }
    out
}

/// `links_edubasealldata` as of a day.
pub fn links(authority: &Authority, on: NaiveDate) -> Vec<u8> {
    let mut out = Vec::new();
    line(&LINKS_HEADER, &mut out);
    let successor = &authority.schools[SUCCESSOR];
    let old_name = names::school(Phase::Primary, authority.schools.len(), false, 7);
    let mut pair = |old: u32, old_name: &str, new: u32, new_name: &str, date: &str| {
        let (old, new) = (old.to_string(), new.to_string());
        line(&[&old, &new, new_name, "Successor", date], &mut out);
        line(&[&new, &old, old_name, "Predecessor", date], &mut out);
    };
    pair(CLOSED_URNS[0], &old_name, successor.urn, &successor.name, &format!("01-09-{}", authority.year - 3));
    if on > authority.conversion_eve() {
        for school in &authority.schools {
            if let Some(later) = school.later_urn {
                let date = format!("01-01-{}", authority.year + 1);
                pair(school.urn, &school.name, later, &academy_name(school), &date);
            }
        }
    }
    out
}

fn add_school(authority: &Authority, school: &School, on: NaiveDate, rows: &mut Vec<Establishment>) {
    let phase = match school.phase {
        Phase::Primary => ("2", "Primary"),
        Phase::Secondary => ("4", "Secondary"),
        Phase::Special | Phase::Alternative => ("0", "Not applicable"),
    };
    let ages = match school.phase {
        Phase::Primary => (4, 11),
        Phase::Secondary if school.sixth_form => (11, 18),
        Phase::Secondary => (11, 16),
        Phase::Special => (4, 16),
        Phase::Alternative => (9, 16),
    };
    let converted = school.later_urn.is_some() && on > authority.conversion_eve();
    let eve = authority.conversion_eve();
    let first = Establishment {
        urn: school.urn,
        number: school.establishment,
        name: school.name.clone(),
        kind: kind(school),
        status: if converted { CLOSED } else { OPEN },
        opened: opened(authority, school),
        closed: if converted { format!("{:02}-{:02}-{}", eve.day(), eve.month(), eve.year()) } else { String::new() },
        phase,
        ages,
        trust: if school.academy { school.trust } else { None },
        sector: school.number * 3,
    };
    if let Some(urn) = school.later_urn {
        rows.push(Establishment {
            urn,
            number: first.number,
            name: academy_name(school),
            kind: ("34", "Academy converter"),
            status: if converted { OPEN } else { PROPOSED },
            opened: format!("01-01-{}", authority.year + 1),
            closed: String::new(),
            phase,
            ages,
            trust: school.trust,
            sector: first.sector,
        });
    }
    rows.push(first);
}

fn academy_name(school: &School) -> String {
    school.name.replace("School", "Academy")
}

fn opened(authority: &Authority, school: &School) -> String {
    if school.number == SUCCESSOR {
        format!("01-09-{}", authority.year - 3)
    } else if school.academy {
        format!("01-09-{}", 2011 + school.number % 12)
    } else {
        // Schools older than the register have no opening date in it.
        String::new()
    }
}

fn kind(school: &School) -> (&'static str, &'static str) {
    let sponsored = school.number % 3 == 2;
    match (school.phase, school.academy) {
        (Phase::Primary | Phase::Secondary, true) if sponsored => ("28", "Academy sponsor led"),
        (Phase::Primary | Phase::Secondary, true) => ("34", "Academy converter"),
        (Phase::Primary | Phase::Secondary, false) if school.name.contains("Catholic") => {
            ("02", "Voluntary aided school")
        }
        (Phase::Primary, false) if school.name.contains("Church of England") => ("03", "Voluntary controlled school"),
        (Phase::Primary, false) => COMMUNITY,
        (Phase::Secondary, false) => ("05", "Foundation school"),
        (Phase::Special, true) => ("44", "Academy special converter"),
        (Phase::Special, false) => ("07", "Community special school"),
        (Phase::Alternative, true) => ("42", "Academy alternative provision converter"),
        (Phase::Alternative, false) => ("14", "Pupil referral unit"),
    }
}

fn line(fields: &[&str], out: &mut Vec<u8>) {
    for (place, field) in fields.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.push(b'"');
        windows_1252(field, out);
        out.push(b'"');
    }
    out.extend_from_slice(b"\r\n");
}
