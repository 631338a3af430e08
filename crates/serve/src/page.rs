//! The authority's overview: what the page says, before it is a page. Days are ISO (`2026-09-07`), instants
//! RFC 3339, rates unrounded percentages; `None` is "no data" and never nought. It holds counts only: no
//! child is named or can be told apart here.

pub mod ask;
pub mod date;
#[cfg(test)]
pub mod sample;
pub mod schools;
mod table;
mod tables;
mod view;

pub use ask::{Ask, Direction, Phase, SortBy};
pub use view::{PageFault, error_page, overview_page};

use serde::Serialize;

/// Everything on the first screen, for one authority at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Overview {
    /// Name of the local authority.
    pub authority: String,
    /// Whether all of it is made up; the page then says so at its head.
    pub demo: bool,
    /// Which figures these are.
    pub stamp: Stamp,
    /// Who has sent, who has not.
    pub coverage: Coverage,
    /// Today's work, one line a rule.
    pub alerts: Vec<AlertLine>,
    /// Schools expected that sent nothing, the longest silent first.
    pub silent_schools: Vec<SilentSchool>,
    /// The headline figures, each in a sentence; four fit a row.
    pub headlines: Vec<Headline>,
    /// Absence by week, in order. A week may be missing, or be there without a figure.
    pub weeks: Vec<WeekPoint>,
    /// What `WeekPoint::england` is. `None`: there is no published figure to compare with.
    pub benchmark: Option<Benchmark>,
    /// Absence, persistent and severe absence by phase, with a row `Total`.
    pub phases: Vec<PhaseRow>,
    /// Every school expected.
    pub schools: Vec<SchoolRow>,
    /// What was wrong with what schools sent, by rule.
    pub problems: Vec<ProblemRow>,
    /// What the figures mean, shown beside them.
    pub definitions: Vec<Definition>,
}

/// Which figures these are: both times, the year, and the state of the ledger that gave them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stamp {
    /// School year as the DfE writes it: `202627`.
    pub academic_year: String,
    /// First day that counts.
    pub from: String,
    /// Last school day that counts.
    pub as_of: String,
    /// Only what had been received by this instant is believed.
    pub known_at: String,
    /// The run whose files were read.
    pub ledger_version: u64,
}

impl Stamp {
    /// School year in words: `2026/27`.
    pub fn school_year(&self) -> String {
        match (self.academic_year.get(..4), self.academic_year.get(4..)) {
            (Some(first), Some(last)) => format!("{first}/{last}"),
            _ => self.academic_year.clone(),
        }
    }
}

/// Who has sent, who has not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Coverage {
    /// Schools that have sent marks.
    pub schools_received: u64,
    /// Schools that should have.
    pub schools_expected: u64,
    /// What they sent marks for, to end a sentence: `the week beginning 16 November 2026`.
    pub received_for: String,
    /// Last day up to which figures will hardly move. `None`: no week is settled.
    pub settled_to: Option<String>,
}

/// A school that sent nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SilentSchool {
    /// Its number.
    pub urn: u32,
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: String,
    /// Day or instant of its last return. `None`: never.
    pub last_sent: Option<String>,
    /// School days without a return. `None`: not known.
    pub school_days: Option<u64>,
}

/// The alerts of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AlertLine {
    /// Name of the rule.
    pub rule: String,
    /// The rule in a few words.
    pub title: String,
    /// Why it matters or what it asks of us.
    pub about: String,
    /// Alerts that stand.
    pub standing: u64,
    /// Of these, raised in the last seven days.
    pub new: u64,
    /// Taken back in the last seven days, since the marks no longer support them.
    pub retracted: u64,
    /// Schools concerned. `None`: none stands, or the rule spans schools.
    pub schools: Option<u64>,
    /// Day on which the oldest that stands was raised.
    pub oldest: Option<String>,
}

/// A headline figure and its sentence.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Headline {
    /// What it is: `Absence`.
    pub measure: String,
    /// The percentage.
    pub value: Option<f64>,
    /// A sentence with its period and what it is compared with.
    pub sentence: String,
}

/// A week of the trend.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WeekPoint {
    /// Its Monday.
    pub week_start: String,
    /// Absence in the authority, per cent of possible sessions.
    pub area: Option<f64>,
    /// The published figure it is compared with.
    pub england: Option<f64>,
    /// Every expected school has sent it and it will hardly move.
    pub settled: bool,
    /// Schools that have sent marks for it.
    pub schools_received: u64,
    /// Schools that should have.
    pub schools_expected: u64,
}

/// A published figure to compare with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Benchmark {
    /// The name of its line: `England`.
    pub label: String,
    /// What it is, who published it and when.
    pub source: String,
}

/// A phase of the authority's schools, or `Total`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PhaseRow {
    /// Its name.
    pub phase: String,
    /// Schools that have sent marks.
    pub schools_received: u64,
    /// Schools that should have.
    pub schools_expected: u64,
    /// Enrolments of the cohort with a possible session.
    pub enrolments: Option<u64>,
    /// Per cent of possible sessions.
    pub absence_percent: Option<f64>,
    /// Per cent of possible sessions.
    pub authorised_percent: Option<f64>,
    /// Per cent of possible sessions.
    pub unauthorised_percent: Option<f64>,
    /// Persistently absent, per cent of enrolments.
    pub persistent_percent: Option<f64>,
    /// Severely absent, per cent of enrolments.
    pub severe_percent: Option<f64>,
}

/// A school.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SchoolRow {
    /// Its number.
    pub urn: u32,
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: String,
    /// Its trust on the day. `None`: it belongs to none.
    pub trust: Option<String>,
    /// Enrolments of the cohort with a possible session.
    pub enrolments: Option<u64>,
    /// Per cent of possible sessions.
    pub absence_percent: Option<f64>,
    /// Enrolments that are persistently absent.
    pub persistent: Option<u64>,
    /// Per cent of enrolments.
    pub persistent_percent: Option<f64>,
    /// Enrolments that are severely absent.
    pub severe: Option<u64>,
    /// Per cent of enrolments.
    pub severe_percent: Option<f64>,
    /// Day or instant of its last return. `None`: never.
    pub last_sent: Option<String>,
    /// Rows of its returns that were refused.
    pub refused_rows: u64,
}

/// What was wrong with what schools sent, by rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProblemRow {
    /// Name of the rule.
    pub rule: String,
    /// What it means, in a sentence.
    pub about: String,
    /// What we do about such a row.
    pub severity: Severity,
    /// Schools concerned.
    pub schools: u64,
    /// Rows concerned, or files where files are refused.
    pub rows: u64,
    /// What we expect instead.
    pub expected: String,
}

/// What becomes of a row or file with a problem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The whole file is refused.
    RefuseFile,
    /// The row is refused.
    RefuseRow,
    /// It is kept, and listed.
    #[default]
    Warn,
}

/// What a figure means.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Definition {
    /// Beside which figures it is shown.
    pub part: Part,
    /// Its name: `metrics.area_week`.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Regulation or methodology.
    pub source: String,
    /// Grows with every change of meaning.
    pub version: u64,
}

/// A part of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Schools received and expected, settled weeks, who sent nothing.
    #[default]
    Coverage,
    /// Today's work.
    Alerts,
    /// The headline figures.
    Headlines,
    /// The trend.
    Weeks,
    /// The table of phases.
    Phases,
    /// The table of schools.
    Schools,
    /// The table of problems.
    Problems,
}

/// `6.8%`, to one decimal place; `no data` where there is none.
pub fn percent(value: Option<f64>) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.1}%"),
        _ => NO_DATA.to_owned(),
    }
}

/// `Missing column` for `missing_column`.
pub fn in_words(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `12,345`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a page says where nothing is known.
pub const NO_DATA: &str = "no data";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_said_and_is_never_nought() {
        assert_eq!(percent(None), "no data");
        assert_eq!(percent(Some(f64::NAN)), "no data");
        assert_eq!(percent(Some(0.0)), "0.0%");
        assert_eq!(percent(Some(6.849_9)), "6.8%");
    }

    #[test]
    fn thousands_have_commas() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
    }
}
