//! The authority's attendance, year to date, as an EES open data file and its meta file.
//!
//! Columns, their order, the suppression rule and the symbols are those of the DfE's published
//! `EES_ytd_data.csv` (2025/26). Rows: one per phase with a school, then `Total`, their plain sum.
//! Sessions are half days of the cohort (ages 5 to 15 on 31 August before the year). Percentages
//! are `100 × x / possible`, unrounded. `z`: nothing was possible. `c`: hidden, because the figures
//! of a single school would show.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::attendance_columns::{COLUMNS, Class, Figure, NOT_POSSIBLE, PHASE, PLACE, POSSIBLE, TIME_IDENTIFIER};
use crate::local_authority::{self, ENGLAND_CODE, ENGLAND_NAME, LocalAuthority};
use crate::screening::time::{SIX_DIGIT_IDENTIFIERS, are_successive_years};

/// The submission's name, and the start of its files' names.
pub const NAME: &str = "attendance_open_data";

/// The phases published, in the order of the file; `Total` comes after them.
pub const PHASES: [&str; 3] = ["Primary", "Secondary", "Special"];

/// The `time_identifier` of the published year-to-date file.
pub const YEAR_TO_DATE: &str = "Academic year";

/// No count of one phase of one authority comes near this many; above it, percentages would no
/// longer be exact quotients.
const MOST: u64 = 100_000_000_000;

/// One phase of one authority, year to date.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PhaseCounts {
    /// `Primary`, `Secondary` or `Special`.
    pub phase: String,
    /// Schools whose registers are counted here.
    pub schools_received: u64,
    /// Schools of the phase in the authority (GIAS).
    pub schools_total: u64,
    /// Enrolments counted here: a mean over days, or a count.
    pub enrolments: f64,
    /// Enrolments of all the phase's schools (GIAS).
    pub enrolments_total: u64,
    /// Enrolments that missed a tenth or more of their own possible sessions.
    pub persistent: u64,
    /// Enrolments with a possible session: what `persistent` is a share of.
    pub pa_enrolments: u64,
    /// Sessions marked `/`.
    pub present_am: u64,
    /// Sessions marked `\`.
    pub present_pm: u64,
    /// Sessions by register code: `L`, `I`, `C1` and so on. `/` and `\` may be left out. Codes that
    /// are no possible session (D, Q, X, Y to Y7, Z, `#`) may be given and enter no column. A
    /// missing mark has no code and is not given.
    pub codes: BTreeMap<String, u64>,
}

/// What to build.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Three-digit DfE code of the authority, e.g. 850.
    pub la_code: u16,
    /// Six digits, e.g. `202627`.
    pub academic_year: String,
    /// [`YEAR_TO_DATE`] as the published file has it, or another identifier of a six-digit period.
    pub time_identifier: String,
    /// One entry for each phase, in any order. A phase without a school has no row.
    pub phases: Vec<PhaseCounts>,
    /// Whether the figures are made up: the name of a file says so, since the place it names is real.
    pub made_up: bool,
}

/// The two files, ready to be written and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// File name of the data, e.g. `attendance_open_data_850_202627.csv`.
    pub data_name: String,
    /// The data file: UTF-8, comma, line feeds.
    pub data: Vec<u8>,
    /// File name of the meta file: the data's with `.meta.csv`.
    pub meta_name: String,
    /// The meta file: UTF-8, comma, line feeds.
    pub meta: Vec<u8>,
    /// SHA-256 of the data file, lower-case hexadecimal: what `sha256sum` prints.
    pub sha256: String,
}

/// Why the file was not built, and what to do.
#[derive(Debug, Error, PartialEq)]
pub enum OpenDataError {
    /// No live authority has the code.
    #[error(
        "no local authority has the code {0}: set `la_code` to the three-digit DfE code (e.g. 850); \
         for an authority newer than this program, add its line to reference/local_authority.csv \
         of the crate `outputs`"
    )]
    UnknownAuthority(u16),
    /// Not two successive years in six digits.
    #[error("`{0}` is no academic year: give six digits of two successive years, e.g. 202627")]
    AcademicYear(String),
    /// Not an identifier that goes with a six-digit period.
    #[error("`{0}` does not go with a six-digit period: year-to-date files say `{YEAR_TO_DATE}`")]
    TimeIdentifier(String),
    /// There is no row to publish.
    #[error("no phase has a school: give counts for at least one of Primary, Secondary, Special")]
    NoPhase,
    /// A phase outside the published ones.
    #[error(
        "phase `{0}` is not published: count its schools as Primary, Secondary or Special, \
         or leave it out (alternative provision is published apart)"
    )]
    UnknownPhase(String),
    /// Two entries for one phase.
    #[error("phase `{0}` is given twice: add its counts up first")]
    RepeatedPhase(String),
    /// A code that no class of the published file knows.
    #[error(
        "{phase}: `{code}` is no register code: map it to one in the code table, and leave missing \
         marks out"
    )]
    UnknownCode {
        /// Phase it was found in.
        phase: String,
        /// The code as given.
        code: String,
    },
    /// Present marks were given in two places and differ.
    #[error(
        "{phase}: `{code}` is given as {in_codes} among the codes and as {in_field} in its own \
         field: leave it out of the codes"
    )]
    PresentTwice {
        /// Phase it was found in.
        phase: String,
        /// `/` or `\`.
        code: String,
        /// Sessions among the codes.
        in_codes: u64,
        /// Sessions in `present_am` or `present_pm`.
        in_field: u64,
    },
    /// A number that can't be right.
    #[error("{phase}: {what}: check the counts that the request was made from")]
    Implausible {
        /// Phase it was found in.
        phase: String,
        /// What is wrong with which number.
        what: String,
    },
    /// The CSV writer failed.
    #[error("the file could not be put together ({0}): this is a fault of the program, report it")]
    Csv(String),
}

/// Builds both files. The same request gives the same bytes always.
pub fn build(request: &Request) -> Result<Built, OpenDataError> {
    let authority = local_authority::find(request.la_code).ok_or(OpenDataError::UnknownAuthority(request.la_code))?;
    if !are_successive_years(&request.academic_year) {
        return Err(OpenDataError::AcademicYear(request.academic_year.clone()));
    }
    if !SIX_DIGIT_IDENTIFIERS.contains(&request.time_identifier.as_str()) {
        return Err(OpenDataError::TimeIdentifier(request.time_identifier.clone()));
    }
    let rows = rows(&request.phases)?;
    let data = data_file(request, authority, &rows).map_err(|e| OpenDataError::Csv(e.to_string()))?;
    let meta = meta_file().map_err(|e| OpenDataError::Csv(e.to_string()))?;
    let made_up = if request.made_up { "made_up_" } else { "" };
    let stem = format!("{made_up}{NAME}_{:03}_{}", request.la_code, request.academic_year);
    Ok(Built {
        data_name: format!("{stem}.csv"),
        sha256: sha256(&data),
        data,
        meta_name: format!("{stem}.meta.csv"),
        meta,
    })
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Counts that add up, all sessions by code.
#[derive(Default)]
struct Counted {
    schools_received: u64,
    schools_total: u64,
    enrolments: f64,
    enrolments_total: u64,
    persistent: u64,
    pa_enrolments: u64,
    sessions: BTreeMap<String, u64>,
}

struct Row {
    phase: &'static str,
    counted: Counted,
    suppressed: bool,
}

/// The phases in published order and their total. Where a phase is hidden the total is too: the
/// phase could be found by taking the others away from it.
fn rows(phases: &[PhaseCounts]) -> Result<Vec<Row>, OpenDataError> {
    if let Some(other) = phases.iter().find(|given| !PHASES.contains(&given.phase.as_str())) {
        return Err(OpenDataError::UnknownPhase(other.phase.clone()));
    }
    let mut rows = Vec::new();
    let mut total = Counted::default();
    for phase in PHASES {
        let mut given = phases.iter().filter(|given| given.phase == phase);
        let Some(counts) = given.next() else { continue };
        if given.next().is_some() {
            return Err(OpenDataError::RepeatedPhase(phase.to_string()));
        }
        let counted = Counted::of(counts)?;
        if counted.schools_received == 0 && counted.schools_total == 0 {
            continue;
        }
        total.add(&counted);
        let suppressed = counted.is_one_school();
        rows.push(Row { phase, counted, suppressed });
    }
    if rows.is_empty() {
        return Err(OpenDataError::NoPhase);
    }
    let suppressed = rows.iter().any(|row| row.suppressed);
    rows.push(Row { phase: "Total", counted: total, suppressed });
    Ok(rows)
}

impl Counted {
    fn of(counts: &PhaseCounts) -> Result<Counted, OpenDataError> {
        let mut sessions =
            BTreeMap::from([("/".to_string(), counts.present_am), ("\\".to_string(), counts.present_pm)]);
        for (code, &in_codes) in &counts.codes {
            if let Some(&in_field) = sessions.get(code) {
                if in_codes != in_field {
                    let (phase, code) = (counts.phase.clone(), code.clone());
                    return Err(OpenDataError::PresentTwice { phase, code, in_codes, in_field });
                }
            } else if is_register_code(code) {
                sessions.insert(code.clone(), in_codes);
            } else {
                let (phase, code) = (counts.phase.clone(), code.clone());
                return Err(OpenDataError::UnknownCode { phase, code });
            }
        }
        let counted = Counted {
            schools_received: counts.schools_received,
            schools_total: counts.schools_total,
            // A negative zero would print with its sign.
            enrolments: counts.enrolments + 0.0,
            enrolments_total: counts.enrolments_total,
            persistent: counts.persistent,
            pa_enrolments: counts.pa_enrolments,
            sessions,
        };
        match counted.fault() {
            Some(what) => Err(OpenDataError::Implausible { phase: counts.phase.clone(), what }),
            None => Ok(counted),
        }
    }

    fn fault(&self) -> Option<String> {
        let counts =
            [self.schools_received, self.schools_total, self.enrolments_total, self.persistent, self.pa_enrolments];
        if let Some(count) = counts.iter().chain(self.sessions.values()).find(|&&count| count > MOST) {
            return Some(format!("a count of {count} is too large for one phase of one authority"));
        }
        if !(0.0..=MOST as f64).contains(&self.enrolments) {
            return Some(format!("{} is no number of enrolments", self.enrolments));
        }
        if self.persistent > self.pa_enrolments {
            let (persistent, of) = (self.persistent, self.pa_enrolments);
            return Some(format!("{persistent} persistent absentees among {of} enrolments"));
        }
        if self.schools_received == 0 && self.sum(POSSIBLE) > 0 {
            return Some("sessions are counted but `schools_received` is 0".to_string());
        }
        None
    }

    fn add(&mut self, other: &Counted) {
        self.schools_received += other.schools_received;
        self.schools_total += other.schools_total;
        self.enrolments += other.enrolments;
        self.enrolments_total += other.enrolments_total;
        self.persistent += other.persistent;
        self.pa_enrolments += other.pa_enrolments;
        for (code, count) in &other.sessions {
            *self.sessions.entry(code.clone()).or_default() += count;
        }
    }

    /// Whether the figures are those of a single school: the only one there is, as published, or
    /// the only one that has sent its registers.
    fn is_one_school(&self) -> bool {
        self.schools_received == 1 || self.schools_total == 1
    }

    fn sum(&self, classes: &[Class]) -> u64 {
        classes.iter().copied().flatten().filter_map(|code| self.sessions.get(*code)).sum()
    }

    fn show(&self, figure: &Figure) -> String {
        match figure {
            Figure::SchoolsReceived => self.schools_received.to_string(),
            Figure::SchoolsTotal => self.schools_total.to_string(),
            Figure::Enrolments => self.enrolments.to_string(),
            Figure::EnrolmentsTotal => self.enrolments_total.to_string(),
            Figure::Sessions(classes) => self.sum(classes).to_string(),
            Figure::Percent(classes) => percent(self.sum(classes), self.sum(POSSIBLE)),
            Figure::PersistentPercent => percent(self.persistent, self.pa_enrolments),
        }
    }
}

fn is_register_code(code: &str) -> bool {
    POSSIBLE.iter().chain(&[NOT_POSSIBLE]).any(|class| class.contains(&code))
}

/// `100 × part / whole`: one correctly rounded division, shown in as few digits as tell it apart.
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "z".to_string() } else { ((100 * part) as f64 / whole as f64).to_string() }
}

fn data_file(
    request: &Request,
    authority: &LocalAuthority,
    rows: &[Row],
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut file = csv::Writer::from_writer(Vec::new());
    let indicators = COLUMNS.iter().map(|column| column.name);
    file.write_record(PLACE.into_iter().chain([PHASE]).chain(indicators).chain([TIME_IDENTIFIER]))?;
    let place = [
        request.academic_year.as_str(),
        "Local authority",
        ENGLAND_CODE,
        ENGLAND_NAME,
        &authority.region_code,
        &authority.region_name,
        &authority.new_la_code,
        &authority.la_name,
        &authority.old_la_code,
    ];
    for row in rows {
        let mut cells: Vec<String> = place.iter().map(ToString::to_string).collect();
        cells.push(row.phase.to_string());
        cells.extend(COLUMNS.iter().map(|column| {
            if row.suppressed && !column.always_shown() { "c".to_string() } else { row.counted.show(&column.figure) }
        }));
        cells.push(request.time_identifier.clone());
        file.write_record(&cells)?;
    }
    Ok(file.into_inner()?)
}

fn meta_file() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(crate::screening::layout::META_REQUIRED)?;
    file.write_record([PHASE, "Filter", "Education phase", "", "", "", "", ""])?;
    for column in COLUMNS {
        let (unit, places) = column.unit_and_places();
        let line = [column.name, "Indicator", column.label, column.grouping, unit, places, "", ""];
        file.write_record(line)?;
    }
    Ok(file.into_inner()?)
}

#[cfg(test)]
mod tests;
