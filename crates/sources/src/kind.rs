//! The kinds of file and their columns.

use lake::Table;
use model::Urn;

/// What a file states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Register marks.
    Marks,
    /// A school's admission register.
    Roll,
    /// Which sessions a school is open.
    Calendar,
    /// Legal and support steps.
    Interventions,
    /// CME and EHE cases kept in another system.
    Cases,
    /// GIAS links between schools.
    Links,
    /// GIAS schools.
    Schools,
}

/// How a column's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Any text.
    Text,
    /// A national curriculum year.
    YearGroup,
    /// M or F, or the word.
    Sex,
    /// One of these, in any case.
    OneOf(&'static [&'static str]),
    /// Yes or no in any of the usual ways; blank is unknown.
    YesNo,
    /// A date.
    Date,
    /// A whole number.
    Whole,
    /// A school.
    Urn,
    /// A pupil, kept as the key.
    Upn,
    /// `AM` or `PM`.
    Session,
}

/// A column a kind of file may have.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its header name.
    pub name: &'static str,
    /// The table column it fills; empty where the decoder itself uses it.
    pub fills: &'static str,
    /// How it is read.
    pub value: Value,
    /// Whether the header must have it.
    pub required: bool,
    /// Whether every row must have it: without it nothing can be built.
    pub key: bool,
}

impl Column {
    /// What it may hold, in words for who sent something else; `None` where the rule's own words say it.
    pub fn allowed(&self) -> Option<String> {
        let values = match self.value {
            Value::YearGroup => "a year from 1 to 14, R, N, N1, N2, E1, E2 or X".to_owned(),
            Value::Sex => "F or M".to_owned(),
            Value::OneOf(values) => format!("one of {}", values.join(", ")),
            Value::YesNo => "Y or N".to_owned(),
            Value::Whole => "a whole number".to_owned(),
            Value::Text | Value::Date | Value::Urn | Value::Upn | Value::Session => return None,
        };
        Some(if self.key { values } else { values + ", or a blank" })
    }
}

const fn column(name: &'static str, fills: &'static str, value: Value) -> Column {
    Column { name, fills, value, required: false, key: false }
}

const fn required(name: &'static str, fills: &'static str, value: Value) -> Column {
    Column { name, fills, value, required: true, key: false }
}

const fn key(name: &'static str, fills: &'static str, value: Value) -> Column {
    Column { name, fills, value, required: true, key: true }
}

const MARKS: &[Column] = &[
    key("URN", "", Value::Urn),
    key("UPN", "", Value::Upn),
    key("Date", "", Value::Date),
    key("Session", "", Value::Session),
    required("Mark", "", Value::Text),
    column("PupilId", "", Value::Text),
    column("MinutesLate", "", Value::Whole),
    column("Comment", "", Value::Text),
    column("IsDeleted", "", Value::YesNo),
];
/// Grounds of regulation 9(1).
const GROUNDS: &[&str] = &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"];
const ROLL: &[Column] = &[
    key("URN", "urn", Value::Urn),
    key("UPN", "pupil_key", Value::Upn),
    required("Surname", "surname", Value::Text),
    required("Forename", "forename", Value::Text),
    required("DOB", "dob", Value::Date),
    required("Sex", "sex", Value::Sex),
    required("NCYear", "nc_year", Value::YearGroup),
    key("EntryDate", "entry_date", Value::Date),
    column("FormerUPN", "former_key", Value::Upn),
    column("PupilId", "mis_pupil_id", Value::Text),
    column("LeavingDate", "leaving_date", Value::Date),
    column("LeavingGround", "leaving_ground", Value::OneOf(GROUNDS)),
    column("Destination", "destination", Value::Text),
    column("EnrolStatus", "enrol_status", Value::Text),
    column("FSM", "fsm", Value::YesNo),
    column("SEN", "sen", Value::OneOf(&["N", "K", "E"])),
    column("LookedAfter", "looked_after", Value::YesNo),
    column("PreviouslyLookedAfter", "previously_looked_after", Value::YesNo),
    column("ChildInNeed", "child_in_need", Value::YesNo),
    column("ChildProtection", "child_protection", Value::YesNo),
    column("YouthJustice", "youth_justice", Value::YesNo),
    column("YoungCarer", "young_carer", Value::YesNo),
    column("LongTermIllness", "long_term_illness", Value::YesNo),
    column("EAL", "eal", Value::YesNo),
    column("Ethnicity", "ethnicity", Value::Text),
    column("Boarder", "boarder", Value::YesNo),
    column("Postcode", "postcode", Value::Text),
    column("HomeLA", "home_la", Value::Text),
    column("SnapshotDate", "snapshot_date", Value::Date),
];
const CALENDAR: &[Column] = &[
    key("URN", "urn", Value::Urn),
    key("Date", "date", Value::Date),
    key("Session", "session", Value::Session),
    required("Open", "open", Value::YesNo),
    column("Reason", "reason", Value::Text),
];
const INTERVENTIONS: &[Column] = &[
    required("URN", "urn", Value::Urn),
    key("UPN", "pupil_key", Value::Upn),
    key("Type", "type", Value::Text),
    key("Date", "date", Value::Date),
    column("EndDate", "end_date", Value::Date),
    column("Reference", "reference", Value::Text),
    column("Outcome", "outcome", Value::Text),
    column("ParentRef", "parent_ref", Value::Text),
];
const CASES: &[Column] = &[
    key("UPN", "pupil_key", Value::Upn),
    key("Kind", "kind", Value::OneOf(&["CME", "EHE"])),
    key("Opened", "opened", Value::Date),
    column("Closed", "closed", Value::Date),
    column("Reason", "reason", Value::Text),
    column("Outcome", "outcome", Value::Text),
    column("NCYear", "nc_year", Value::YearGroup),
    column("Sex", "sex", Value::Sex),
    column("Postcode", "postcode", Value::Text),
];
const LINKS: &[Column] = &[
    key("URN", "urn", Value::Urn),
    key("LinkURN", "link_urn", Value::Urn),
    required("LinkType", "link_type", Value::Text),
    column("LinkEstablishedDate", "established_on", Value::Date),
];
const SCHOOLS: &[Column] = &[
    key("URN", "urn", Value::Urn),
    required("LA (code)", "la_code", Value::Whole),
    required("EstablishmentName", "name", Value::Text),
    column("EstablishmentNumber", "establishment_number", Value::Whole),
    required("EstablishmentStatus (code)", "status_code", Value::Text),
    column("TypeOfEstablishment (code)", "type_code", Value::Text),
    column("TypeOfEstablishment (name)", "type_name", Value::Text),
    column("PhaseOfEducation (code)", "phase_code", Value::Text),
    required("PhaseOfEducation (name)", "phase_name", Value::Text),
    column("OpenDate", "open_date", Value::Date),
    column("CloseDate", "close_date", Value::Date),
    column("Trusts (code)", "trust_id", Value::Text),
    column("Trusts (name)", "trust_name", Value::Text),
    column("Postcode", "postcode", Value::Text),
    column("AdministrativeWard (name)", "ward", Value::Text),
];

impl Kind {
    /// All kinds, in the order in which a header is tried.
    pub const ALL: [Self; 7] =
        [Self::Marks, Self::Roll, Self::Calendar, Self::Interventions, Self::Cases, Self::Links, Self::Schools];

    /// Its columns.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Marks => MARKS,
            Self::Roll => ROLL,
            Self::Calendar => CALENDAR,
            Self::Interventions => INTERVENTIONS,
            Self::Cases => CASES,
            Self::Links => LINKS,
            Self::Schools => SCHOOLS,
        }
    }

    /// Of whom a row speaks: a school or, in a calendar, an authority by its three digits, whose term dates it states.
    pub(crate) fn holder(self, text: &[u8]) -> Option<Urn> {
        let authority = || {
            let digits: &[u8; 3] = text.try_into().ok()?;
            let code = digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + Urn::from(d - b'0')))?;
            (100 <= code).then_some(code)
        };
        parse_urn(text).or_else(|| if self == Self::Calendar { authority() } else { None })
    }

    /// The columns of the first and the last day of what a row speaks of, and the rule that an end before the beginning breaks.
    pub fn span(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Roll => Some(("EntryDate", "LeavingDate", "leaving_before_entry")),
            Self::Interventions => Some(("Date", "EndDate", "end_before_beginning")),
            Self::Cases => Some(("Opened", "Closed", "end_before_beginning")),
            Self::Schools => Some(("OpenDate", "CloseDate", "end_before_beginning")),
            Self::Marks | Self::Calendar | Self::Links => None,
        }
    }

    /// Its name in `ledger.return` and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Marks => "marks",
            Self::Roll => "roll",
            Self::Calendar => "calendar",
            Self::Interventions => "interventions",
            Self::Cases => "cases",
            Self::Links => "links",
            Self::Schools => "schools",
        }
    }

    /// The table its rows go to.
    pub fn table(self) -> Table {
        match self {
            Self::Marks => Table::RegisterWeek,
            Self::Roll => Table::Enrolment,
            Self::Calendar => Table::Calendar,
            Self::Interventions => Table::Intervention,
            Self::Cases => Table::Case,
            Self::Links => Table::SchoolLink,
            Self::Schools => Table::School,
        }
    }
}

/// Yes or no in the ways a school's system writes it.
pub(crate) fn yes_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "t" | "1" => Some(true),
        "n" | "no" | "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

/// Whether a spreadsheet has turned an identifier into a number (`2.01E+11`).
pub(crate) fn damaged(text: &[u8]) -> bool {
    let text = text.to_ascii_uppercase();
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    0 < digits && text.windows(2).any(|w| w == b"E+" || w == b"E-")
        || matches!(text.as_slice(), [digits @ .., b'.', b'0'] if digits.iter().all(u8::is_ascii_digit) && !digits.is_empty())
}

/// A URN: six digits, the first not 0.
pub fn parse_urn(text: &[u8]) -> Option<Urn> {
    let digits: &[u8; 6] = text.try_into().ok()?;
    if digits[0] == b'0' {
        return None;
    }
    digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + Urn::from(d - b'0')))
}
