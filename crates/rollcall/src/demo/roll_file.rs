//! The bytes of one roll file: everyone who is or has been on a school's roll this year, as known on a day.

use chrono::NaiveDate;

use super::names::{self, ETHNICITIES};
use super::propensity::Need;
use super::register::Register;
use super::roster::Fate;

/// A URN of a school and the days on which it has it.
#[derive(Clone, Copy)]
pub struct Epoch {
    /// The URN.
    pub urn: u32,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
}

const COLUMNS: [&str; 19] = [
    "URN",
    "UPN",
    "FormerUPN",
    "Surname",
    "Forename",
    "DOB",
    "Sex",
    "NCYear",
    "EntryDate",
    "LeavingDate",
    "LeavingGround",
    "FSM",
    "SEN",
    "LookedAfter",
    "ChildInNeed",
    "EAL",
    "Ethnicity",
    "Postcode",
    "SnapshotDate",
];

/// The roll under one URN as known on the day `on`. Pupils who enter by `expected_by` are on it
/// already: a roll sent on the eve of the year has the new ones.
pub fn bytes(register: &Register, order: &[u32], epoch: Epoch, on: NaiveDate, expected_by: NaiveDate) -> Vec<u8> {
    let dialect = register.school.dialect;
    let mut out = Vec::with_capacity(order.len() * 128);
    dialect.header(&COLUMNS, &mut out);
    let urn = epoch.urn.to_string();
    let snapshot = dialect.date(on);
    let yes_no = |yes: bool| if yes { "Y" } else { "N" };
    for &place in order {
        let enrolment = &register.enrolments[place as usize];
        let pupil = &enrolment.pupil;
        let entry = enrolment.entry.max(epoch.from);
        let gone = enrolment.leaving.is_some_and(|(last, _)| last < epoch.from)
            || matches!(pupil.fate, Fate::Vanishes { from } if from <= on.min(epoch.to));
        if entry > expected_by || entry > epoch.to || gone {
            continue;
        }
        // With a school that becomes an academy everyone leaves one URN for the other.
        let leaving = match enrolment.leaving {
            Some((last, ground)) if last <= epoch.to => Some((last, ground)),
            _ => Some((epoch.to, 'a')),
        };
        let leaving = leaving.filter(|(last, _)| *last <= on);
        let (upn, former) = match pupil.former_upn {
            Some((temporary, from)) if on < from => (temporary, None),
            Some((temporary, _)) => (pupil.upn, Some(temporary)),
            None => (pupil.upn, None),
        };
        let text = |upn: &[u8]| String::from_utf8_lossy(upn).into_owned();
        let fields = [
            urn.clone(),
            text(&upn),
            former.map_or_else(String::new, |former| text(&former)),
            pupil.person.surname(),
            pupil.person.forename().to_owned(),
            dialect.date(pupil.born),
            if pupil.female { "F" } else { "M" }.to_owned(),
            match pupil.nc_year {
                0 => "R".to_owned(),
                year => year.to_string(),
            },
            dialect.date(entry),
            leaving.map_or_else(String::new, |(last, _)| dialect.date(last)),
            leaving.map_or_else(String::new, |(_, ground)| ground.to_string()),
            yes_no(pupil.free_meals).to_owned(),
            match pupil.need {
                Need::None => "N",
                Need::Support => "K",
                Need::Plan => "E",
            }
            .to_owned(),
            yes_no(pupil.looked_after).to_owned(),
            yes_no(pupil.in_need).to_owned(),
            yes_no(pupil.other_language).to_owned(),
            ETHNICITIES[usize::from(pupil.ethnicity)].0.to_owned(),
            names::postcode(usize::from(pupil.home.0), pupil.home.1),
            snapshot.clone(),
        ];
        dialect.row(fields.iter().map(String::as_str), &mut out);
    }
    out
}
