//! Decoding: a landed file's bytes to typed rows and problems.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Date32Builder, Int32Builder, Int64Array, Int64Builder, RecordBatch,
    StringBuilder, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::DataType;
use chrono::{DateTime, NaiveDate, Utc};
use lake::Table;
use model::line::days_from_epoch;
use model::{CodeTable, FieldRules, Outcome, Problem, Session, Upn, Urn};
use sha2::{Digest, Sha256};

use crate::csv_rows::{Blocks, Row, Rows, Step};
use crate::date::{self, DateForm};
use crate::header::{self, Header, HeaderFault, folded};
use crate::marks::{Grids, SchoolGrid, parse_urn};
use crate::sheet;
use crate::unpack::{TOO_LARGE, Unpacked, unpack};

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
    required("Sex", "sex", Value::Text),
    required("NCYear", "nc_year", Value::Text),
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
    column("NCYear", "nc_year", Value::Text),
    column("Sex", "sex", Value::Text),
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

/// How a source's or a school's files differ from ours.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// Folded header names to ours.
    pub columns: BTreeMap<String, String>,
    /// Codes of the school's own to register codes; an empty one means no mark.
    pub codes: BTreeMap<String, String>,
    /// The source sends only the sessions that changed, not whole registers.
    pub changes_only: bool,
}

/// What decoding needs to know besides the bytes.
#[derive(Debug)]
pub struct Decoder<'a> {
    /// The register codes.
    pub codes: &'a CodeTable,
    /// Outcome and words of the field rules.
    pub rules: &'a FieldRules,
    /// The source's mapping.
    pub mapping: &'a Mapping,
    /// When the file was received.
    pub received_at: DateTime<Utc>,
    /// The day on which it was received: no register is of a later day.
    pub received_on: NaiveDate,
    /// First day of the earliest school year asked for.
    pub earliest: NaiveDate,
    /// What one file may unpack to, in bytes.
    pub unpacked_limit: u64,
}

impl Decoder<'_> {
    /// Whether any code is mapped.
    pub fn maps_codes(&self) -> bool {
        !self.mapping.codes.is_empty()
    }

    /// Whether this code is mapped to another.
    pub fn codes_mapped(&self, code: &str) -> bool {
        self.mapping.codes.contains_key(code)
    }

    /// A code as the source means it.
    pub fn map_code(&self, code: &str) -> String {
        self.mapping.codes.get(code).map_or(code, String::as_str).to_owned()
    }

    fn outcome(&self, rule: &str) -> Outcome {
        self.rules.get(rule).map_or(Outcome::RefuseRow, |r| r.outcome)
    }

    fn expected(&self, rule: &str) -> String {
        self.rules.get(rule).map(|r| r.expected.clone()).unwrap_or_default()
    }
}

/// What a file states, typed.
#[derive(Debug)]
pub enum Content {
    /// Nothing that could be kept.
    Nothing,
    /// Registers, a grid for each school.
    Marks(Vec<SchoolGrid>),
    /// Rows of a table, with the run's times in them.
    Rows {
        /// The rows.
        rows: RecordBatch,
        /// (former key, key) where a pupil's UPN changed.
        former: Vec<(i64, i64)>,
        /// The day of which a roll speaks, by school.
        snapshots: BTreeMap<Urn, NaiveDate>,
    },
}

/// A decoded file.
#[derive(Debug)]
pub struct Decoded {
    /// Its name, below its archive's where it has one.
    pub name: String,
    /// SHA-256 of its own bytes where it stands alone, of its archive's otherwise.
    pub sha256: String,
    /// The return's number: derived from when, what and under which name, so that a rebuild gives the same.
    pub return_id: i64,
    /// Its kind, where the header tells.
    pub kind: Option<Kind>,
    /// Its school, where all its rows are of one.
    pub urn: Option<Urn>,
    /// Rows besides the header.
    pub rows_in: u64,
    /// Rows kept.
    pub rows_kept: u64,
    /// Rows refused.
    pub rows_refused: u64,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// First and last day stated.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// What it states.
    pub content: Content,
}

impl Decoded {
    /// Refuses the whole file: nothing of it is kept.
    pub fn refuse(&mut self) {
        self.rows_kept = 0;
        self.rows_refused = self.rows_in;
        self.content = Content::Nothing;
    }

    /// `taken` or `refused`.
    pub fn status(&self) -> &'static str {
        let refused = self.problems.iter().any(|p| p.outcome == Outcome::RefuseFile);
        if refused { "refused" } else { "taken" }
    }
}

/// Problems of one file while it is read, and its counts.
#[derive(Debug)]
pub struct Findings<'a> {
    decoder: &'a Decoder<'a>,
    /// Rows seen.
    pub rows_in: u64,
    /// Rows kept.
    pub rows_kept: u64,
    listed: BTreeMap<&'static str, u64>,
    problems: Vec<Problem>,
    gathered: BTreeMap<(&'static str, Option<Urn>, String), usize>,
}

/// So many problems of one rule are listed one by one for a file; the rest are counted in one row.
const LISTED: u64 = 200;

impl<'a> Findings<'a> {
    fn new(decoder: &'a Decoder<'a>) -> Self {
        Self {
            decoder,
            rows_in: 0,
            rows_kept: 0,
            listed: BTreeMap::new(),
            problems: Vec::new(),
            gathered: BTreeMap::new(),
        }
    }

    /// A row that is not kept, of a child not known.
    pub fn refuse(&mut self, rule: &'static str, line: u64, urn: Option<Urn>, found: &str) {
        self.refuse_of(rule, line, urn, found, None, None);
    }

    /// A row that is not kept.
    pub fn refuse_of(
        &mut self,
        rule: &'static str,
        line: u64,
        urn: Option<Urn>,
        found: &str,
        pupil_key: Option<i64>,
        session: Option<(NaiveDate, Session)>,
    ) {
        self.list(rule, line, urn, found, pupil_key, session);
    }

    /// A row that is kept and listed.
    pub fn warn_of(
        &mut self,
        rule: &'static str,
        line: u64,
        urn: Option<Urn>,
        found: &str,
        pupil_key: Option<i64>,
        session: Option<(NaiveDate, Session)>,
    ) {
        self.list(rule, line, urn, found, pupil_key, session);
    }

    fn list(
        &mut self,
        rule: &'static str,
        line: u64,
        urn: Option<Urn>,
        found: &str,
        pupil_key: Option<i64>,
        session: Option<(NaiveDate, Session)>,
    ) {
        let listed = self.listed.entry(rule).or_default();
        *listed += 1;
        if LISTED < *listed {
            self.gather(rule, line, urn, "more of the same", session);
            return;
        }
        self.problems.push(Problem {
            rule: rule.to_owned(),
            outcome: self.decoder.outcome(rule),
            urn,
            line: Some(line),
            found: found.chars().take(64).collect(),
            expected: self.decoder.expected(rule),
            rows: 1,
            pupil_key,
            session,
        });
    }

    /// A kept row of which there may be very many: one problem for all that were found alike.
    pub fn gather(
        &mut self,
        rule: &'static str,
        line: u64,
        urn: Option<Urn>,
        found: &str,
        session: Option<(NaiveDate, Session)>,
    ) {
        let next = self.problems.len();
        let at = *self.gathered.entry((rule, urn, found.to_owned())).or_insert(next);
        if at < next {
            self.problems[at].rows += 1;
            return;
        }
        self.problems.push(Problem {
            rule: rule.to_owned(),
            outcome: self.decoder.outcome(rule),
            urn,
            line: Some(line),
            found: found.chars().take(64).collect(),
            expected: self.decoder.expected(rule),
            rows: 1,
            pupil_key: None,
            session,
        });
    }

    fn file(&mut self, rule: &'static str, line: Option<u64>, found: String, expected: Option<String>) {
        self.problems.push(Problem {
            rule: rule.to_owned(),
            outcome: self.decoder.outcome(rule),
            urn: None,
            line,
            found,
            expected: expected.unwrap_or_else(|| self.decoder.expected(rule)),
            rows: 1,
            pupil_key: None,
            session: None,
        });
    }
}

/// Whether a spreadsheet has turned an identifier into a number (`2.01E+11`).
pub fn damaged(text: &[u8]) -> bool {
    let text = text.to_ascii_uppercase();
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    0 < digits && text.windows(2).any(|w| w == b"E+" || w == b"E-")
        || matches!(text.as_slice(), [digits @ .., b'.', b'0'] if digits.iter().all(u8::is_ascii_digit) && !digits.is_empty())
}

/// Decodes a file, or each file of an archive. `sha256` is of the bytes as they landed.
pub fn decode(
    decoder: &Decoder<'_>,
    source: &str,
    name: &str,
    sha256: &str,
    input: Box<dyn Read + Send>,
) -> Vec<Decoded> {
    let archive_limit = decoder.unpacked_limit.min(512 * 1024 * 1024);
    match unpack(input, decoder.unpacked_limit, archive_limit) {
        Ok(Unpacked::Plain(stream)) => vec![decode_csv(decoder, source, name, sha256, stream)],
        Ok(Unpacked::Workbook(bytes)) => vec![match sheet::as_csv(&bytes) {
            Ok(csv) => decode_csv(decoder, source, name, sha256, Box::new(std::io::Cursor::new(csv))),
            Err(reason) => unreadable(decoder, source, name, sha256, "unreadable_file", reason),
        }],
        Ok(Unpacked::Archive(files)) => files
            .into_iter()
            .map(|(inner, bytes)| {
                let name = format!("{name}/{inner}");
                // An archive in an archive is not opened.
                decode_csv(decoder, source, &name, sha256, Box::new(std::io::Cursor::new(bytes)))
            })
            .collect(),
        Ok(Unpacked::Broken(reason)) => vec![unreadable(decoder, source, name, sha256, "unreadable_file", reason)],
        Err(e) => vec![unreadable(decoder, source, name, sha256, rule_of(&e), e.to_string())],
    }
}

fn rule_of(error: &std::io::Error) -> &'static str {
    if error.to_string() == TOO_LARGE { "too_large" } else { "unreadable_file" }
}

fn unreadable(
    decoder: &Decoder<'_>,
    source: &str,
    name: &str,
    sha256: &str,
    rule: &'static str,
    reason: String,
) -> Decoded {
    let mut findings = Findings::new(decoder);
    findings.file(rule, None, reason.chars().take(120).collect(), None);
    finish(decoder, source, name, sha256, None, findings, Content::Nothing, None)
}

/// The number of a return: what came, when, from where and under which name.
pub fn return_id(source: &str, received_at: DateTime<Utc>, name: &str, sha256: &str) -> i64 {
    let mut hash = Sha256::new();
    for part in [source, &received_at.timestamp_micros().to_string(), name, sha256] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let mut first = [0u8; 8];
    first.copy_from_slice(&digest[..8]);
    (u64::from_be_bytes(first) >> 1) as i64
}

#[allow(clippy::too_many_arguments)]
fn finish(
    decoder: &Decoder<'_>,
    source: &str,
    name: &str,
    sha256: &str,
    kind: Option<Kind>,
    findings: Findings<'_>,
    content: Content,
    days: Option<(NaiveDate, NaiveDate)>,
) -> Decoded {
    let urn = match &content {
        Content::Marks(schools) => one_of(schools.iter().map(|s| s.urn)),
        Content::Rows { snapshots, .. } => one_of(snapshots.keys().copied()),
        Content::Nothing => None,
    };
    let mut decoded = Decoded {
        name: name.to_owned(),
        sha256: sha256.to_owned(),
        return_id: return_id(source, decoder.received_at, name, sha256),
        kind,
        urn,
        rows_in: findings.rows_in,
        rows_kept: findings.rows_kept,
        rows_refused: findings.rows_in - findings.rows_kept,
        problems: findings.problems,
        days,
        content,
    };
    for problem in &mut decoded.problems {
        problem.urn = problem.urn.or(urn);
        if problem.session.is_none() {
            problem.session = days.map(|(first, _)| (first, Session::Am));
        }
    }
    if decoded.status() == "refused" {
        decoded.refuse();
    }
    decoded
}

fn one_of(mut urns: impl Iterator<Item = Urn>) -> Option<Urn> {
    let first = urns.next()?;
    urns.all(|u| u == first).then_some(first)
}

fn decode_csv(decoder: &Decoder<'_>, source: &str, name: &str, sha256: &str, input: Box<dyn Read + Send>) -> Decoded {
    let mut findings = Findings::new(decoder);
    let mut blocks = Blocks::new(input);
    let mut reading: Option<Reading<'_>> = None;
    // A line longer than a block comes in pieces; all but the first are passed over.
    let mut inside_overlong = false;
    loop {
        let (block, first_line) = match blocks.next_block() {
            Ok(Some(block)) => (block.bytes, block.first_line),
            Ok(None) => break,
            Err(e) => {
                findings.file(rule_of(&e), None, e.to_string().chars().take(120).collect(), None);
                break;
            }
        };
        let overlong = !block.contains(&b'\n') && crate::csv_rows::ROW_LIMIT < block.len();
        let mut at = 0;
        let mut line = first_line;
        if inside_overlong {
            match memchr::memchr(b'\n', block) {
                Some(end) => (at, line) = (end + 1, line + 1),
                None => continue,
            }
        }
        inside_overlong = overlong;
        if reading.is_none() {
            match read_header(decoder, block, &mut at, &mut line) {
                Ok(header) => reading = Some(Reading::new(decoder, header)),
                Err((rule, found, expected)) => {
                    findings.file(rule, Some(1), found, expected);
                    return finish(decoder, source, name, sha256, None, findings, Content::Nothing, None);
                }
            }
        }
        if let Some(reading) = &mut reading {
            reading.block(block, at, line, &mut findings);
        }
    }
    match reading {
        Some(reading) => reading.finish(source, name, sha256, findings),
        None => {
            findings.file("unreadable_file", None, "an empty file".to_owned(), None);
            finish(decoder, source, name, sha256, None, findings, Content::Nothing, None)
        }
    }
}

type FileFault = (&'static str, String, Option<String>);

/// The first row as a header. A byte order mark belongs to no name.
fn read_header(decoder: &Decoder<'_>, block: &[u8], at: &mut usize, line: &mut u64) -> Result<Header, FileFault> {
    if block.starts_with(&[0xef, 0xbb, 0xbf]) {
        *at += 3;
    }
    if block.starts_with(&[0xff, 0xfe]) || block.starts_with(&[0xfe, 0xff]) {
        return Err(("unreadable_file", "UTF-16 text".to_owned(), None));
    }
    let (mut rows, mut row) = (Rows::default(), Row::default());
    if rows.step(block, at, line, &mut row) != Step::Row {
        return Err(("unknown_header", "no row that can be read".to_owned(), None));
    }
    let fields: Vec<String> = (0..row.len()).map(|i| row.text(i).into_owned()).collect();
    header::read(&fields, &decoder.mapping.columns).map_err(|fault| match fault {
        HeaderFault::Unknown(found) => ("unknown_header", found, None),
        HeaderFault::Missing(kind, missing) => {
            let expected = format!("a {} file with the columns {}", kind.name(), missing.join(", "));
            ("missing_column", format!("no {}", missing.join(", ")), Some(expected))
        }
    })
}

/// A file whose header has been read.
struct Reading<'a> {
    decoder: &'a Decoder<'a>,
    header: Header,
    /// The last field a row must reach for its required columns.
    reach: usize,
    rows: Rows,
    row: Row,
    body: Body<'a>,
}

enum Body<'a> {
    Marks(Box<Grids<'a>>),
    Table(TableRows),
}

impl<'a> Reading<'a> {
    fn new(decoder: &'a Decoder<'a>, header: Header) -> Self {
        let columns = header.kind.columns();
        let reach = columns.iter().zip(&header.columns).filter(|(c, _)| c.required).filter_map(|(_, i)| *i).max();
        let body = match header.kind {
            Kind::Marks => Body::Marks(Box::new(Grids::new(decoder, header.clone()))),
            kind => Body::Table(TableRows::new(kind)),
        };
        Self { decoder, header, reach: reach.unwrap_or(0), rows: Rows::default(), row: Row::default(), body }
    }

    fn block(&mut self, block: &[u8], mut at: usize, mut line: u64, findings: &mut Findings<'_>) {
        let plain = match &self.body {
            Body::Marks(grids) => grids.is_plain() && memchr::memchr(b'"', &block[at..]).is_none(),
            Body::Table(_) => false,
        };
        while at < block.len() {
            if plain && let Body::Marks(grids) = &mut self.body {
                let end = memchr::memchr(b'\n', &block[at..]).map_or(block.len(), |n| at + n);
                if grids.put_plain(&block[at..end], line, findings) {
                    at = (end + 1).min(block.len());
                    line += 1;
                    continue;
                }
            }
            match self.rows.step(block, &mut at, &mut line, &mut self.row) {
                Step::Row => self.judge_row(findings),
                Step::TooLong => {
                    findings.rows_in += 1;
                    findings.refuse("line_too_long", self.row.line, None, "a row that does not end");
                }
                Step::End => break,
            }
        }
    }

    fn judge_row(&mut self, findings: &mut Findings<'_>) {
        let row = &self.row;
        if row.is_blank() {
            return;
        }
        if row.len() == self.header.width && (0..row.len()).all(|i| folded(&row.text(i)) == self.header.names[i]) {
            findings.gather("repeated_header", row.line, None, "the header again", None);
            return;
        }
        let beyond = (self.header.width..row.len()).any(|i| !row.bytes(i).trim_ascii().is_empty());
        if row.len() <= self.reach || beyond {
            findings.rows_in += 1;
            let found = format!("{} fields", row.len());
            findings.refuse("field_count", row.line, None, &found);
            if let Body::Marks(grids) = &mut self.body {
                grids.spoilt_row(row);
            }
            return;
        }
        match &mut self.body {
            Body::Marks(grids) => {
                grids.put_row(row, findings);
            }
            Body::Table(table) => table.put(self.decoder, &self.header, row, findings),
        }
    }

    fn finish(self, source: &str, name: &str, sha256: &str, mut findings: Findings<'_>) -> Decoded {
        let kind = Some(self.header.kind);
        match self.body {
            Body::Marks(grids) => {
                mixed_dates(grids.date_forms(), &mut findings);
                let schools = grids.schools;
                let days = schools.iter().filter_map(|s| s.days).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
                let days = days.map(|(a, b)| (model::line::day_of(a), model::line::day_of(b)));
                finish(self.decoder, source, name, sha256, kind, findings, Content::Marks(schools), days)
            }
            Body::Table(table) => {
                mixed_dates(&table.forms, &mut findings);
                let number = return_id(source, self.decoder.received_at, name, sha256);
                let content = table.finish(self.decoder, number);
                finish(self.decoder, source, name, sha256, kind, findings, content, None)
            }
        }
    }
}

fn mixed_dates(forms: &[DateForm], findings: &mut Findings<'_>) {
    if 1 < forms.len() {
        findings.file("mixed_date_formats", None, format!("{} date formats", forms.len()), None);
    }
}

/// A column being filled.
enum Filled {
    Text(StringBuilder),
    Flag(BooleanBuilder),
    Day(Date32Builder),
    Number(Int32Builder),
    Key(Int64Builder),
}

/// Rows of a table-like file.
struct TableRows {
    kind: Kind,
    columns: Vec<Filled>,
    former: BTreeSet<(i64, i64)>,
    snapshots: BTreeMap<Urn, NaiveDate>,
    forms: Vec<DateForm>,
    /// Keys already warned about.
    warned: BTreeSet<i64>,
}

/// One field, read.
#[derive(Clone)]
enum Cell {
    Null,
    Text(String),
    Flag(bool),
    Day(NaiveDate),
    Number(i32),
    Key(i64),
}

impl TableRows {
    fn new(kind: Kind) -> Self {
        let columns = kind
            .columns()
            .iter()
            .map(|c| match c.value {
                Value::Text | Value::OneOf(_) | Value::Session => Filled::Text(StringBuilder::new()),
                Value::YesNo => Filled::Flag(BooleanBuilder::new()),
                Value::Date => Filled::Day(Date32Builder::new()),
                Value::Whole | Value::Urn => Filled::Number(Int32Builder::new()),
                Value::Upn => Filled::Key(Int64Builder::new()),
            })
            .collect();
        Self {
            kind,
            columns,
            former: BTreeSet::new(),
            snapshots: BTreeMap::new(),
            forms: Vec::new(),
            warned: BTreeSet::new(),
        }
    }

    fn put(&mut self, decoder: &Decoder<'_>, header: &Header, row: &Row, findings: &mut Findings<'_>) {
        findings.rows_in += 1;
        let columns = self.kind.columns();
        let mut cells = vec![Cell::Null; columns.len()];
        let urn = columns
            .iter()
            .position(|c| c.name == "URN")
            .and_then(|c| header.columns[c])
            .and_then(|i| parse_urn(row.bytes(i).trim_ascii()));
        for (i, column) in columns.iter().enumerate() {
            let Some(field) = header.columns[i] else { continue };
            let text = row.text(field);
            if text.is_empty() {
                if column.key {
                    findings.refuse(rule_for(column.value, b""), row.line, urn, &format!("{} is blank", column.name));
                    return;
                }
                continue;
            }
            match self.read(column, &text) {
                Some(cell) => cells[i] = cell,
                None if column.key => {
                    let found = match column.value {
                        Value::Upn => model::id::shape_of(text.as_bytes()),
                        _ => format!("{}: {text}", column.name),
                    };
                    findings.refuse(rule_for(column.value, text.as_bytes()), row.line, urn, &found);
                    return;
                }
                None => {
                    let found = match column.value {
                        Value::Upn => format!("{}: {}", column.name, model::id::shape_of(text.as_bytes())),
                        _ => format!("{}: {text}", column.name),
                    };
                    findings.gather("unknown_value", row.line, urn, &found, None);
                }
            }
        }
        self.notice(decoder, columns, &cells, row, urn, findings);
        for (filled, cell) in self.columns.iter_mut().zip(cells) {
            match (filled, cell) {
                (Filled::Text(b), Cell::Text(v)) => b.append_value(v),
                (Filled::Text(b), _) => b.append_null(),
                (Filled::Flag(b), Cell::Flag(v)) => b.append_value(v),
                (Filled::Flag(b), _) => b.append_null(),
                (Filled::Day(b), Cell::Day(v)) => b.append_value(days_from_epoch(v)),
                (Filled::Day(b), _) => b.append_null(),
                (Filled::Number(b), Cell::Number(v)) => b.append_value(v),
                (Filled::Number(b), _) => b.append_null(),
                (Filled::Key(b), Cell::Key(v)) => b.append_value(v),
                (Filled::Key(b), _) => b.append_null(),
            }
        }
        findings.rows_kept += 1;
    }

    /// What a kept row says besides its columns: a former UPN, the roll's day, a doubtful check letter.
    fn notice(
        &mut self,
        decoder: &Decoder<'_>,
        columns: &[Column],
        cells: &[Cell],
        row: &Row,
        urn: Option<Urn>,
        findings: &mut Findings<'_>,
    ) {
        let cell = |fills: &str| columns.iter().position(|c| c.fills == fills).map(|i| &cells[i]);
        if let (Some(Cell::Key(former)), Some(Cell::Key(now))) = (cell("former_key"), cell("pupil_key"))
            && former != now
        {
            self.former.insert((*former, *now));
        }
        if let (Kind::Roll, Some(urn)) = (self.kind, urn) {
            let day = match cell("snapshot_date") {
                Some(Cell::Day(day)) => *day,
                _ => decoder.received_on,
            };
            self.snapshots.entry(urn).and_modify(|d| *d = day.max(*d)).or_insert(day);
        }
        if let Some(Cell::Key(key)) = cell("pupil_key")
            && Upn::of_key(*key).is_some_and(|u| !u.check_letter_is_right())
            && self.warned.insert(*key)
        {
            let shape = Upn::of_key(*key).map(|u| model::id::shape_of(u.as_str().as_bytes())).unwrap_or_default();
            findings.warn_of("upn_check_letter", row.line, urn, &shape, Some(*key), None);
        }
    }

    fn read(&mut self, column: &Column, text: &str) -> Option<Cell> {
        match column.value {
            Value::Text => Some(Cell::Text(text.chars().take(500).collect())),
            Value::OneOf(values) => {
                values.iter().find(|v| v.eq_ignore_ascii_case(text)).map(|v| Cell::Text((*v).to_owned()))
            }
            Value::YesNo => yes_no(text).map(Cell::Flag),
            Value::Date => date::parse(text).map(|(day, form)| {
                if !self.forms.contains(&form) {
                    self.forms.push(form);
                }
                Cell::Day(day)
            }),
            Value::Whole => text.parse().ok().map(Cell::Number),
            Value::Urn => parse_urn(text.as_bytes()).map(Cell::Number),
            Value::Upn => Upn::parse(text.to_ascii_uppercase().as_bytes()).ok().map(|u| Cell::Key(u.key())),
            Value::Session => Session::parse(text).map(|s| Cell::Text(s.as_str().to_owned())),
        }
    }

    fn finish(self, decoder: &Decoder<'_>, return_id: i64) -> Content {
        let table = self.kind.table();
        let schema = table.schema();
        let names: Vec<&str> = self.kind.columns().iter().map(|c| c.fills).collect();
        let mut by_name: BTreeMap<&str, ArrayRef> = BTreeMap::new();
        let mut rows = 0;
        for (name, filled) in names.into_iter().zip(self.columns) {
            let array: ArrayRef = match filled {
                Filled::Text(mut b) => Arc::new(b.finish()),
                Filled::Flag(mut b) => Arc::new(b.finish()),
                Filled::Day(mut b) => Arc::new(b.finish()),
                Filled::Number(mut b) => Arc::new(b.finish()),
                Filled::Key(mut b) => ArrayBuilder::finish(&mut b),
            };
            rows = array.len();
            by_name.insert(name, array);
        }
        let columns = schema.fields().iter().map(|field| match field.name().as_str() {
            "known_from" => Arc::new(
                TimestampMicrosecondArray::from(vec![decoder.received_at.timestamp_micros(); rows])
                    .with_timezone("UTC"),
            ) as ArrayRef,
            "return_id" => Arc::new(Int64Array::from(vec![return_id; rows])),
            name => match by_name.get(name) {
                // A key that a file may leave out is empty text, not unknown.
                Some(array)
                    if !field.is_nullable() && 0 < array.null_count() && field.data_type() == &DataType::Utf8 =>
                {
                    let text = arrow::array::AsArray::as_string::<i32>(array);
                    Arc::new(text.iter().map(|v| Some(v.unwrap_or_default())).collect::<arrow::array::StringArray>())
                }
                Some(array) => Arc::clone(array),
                None => new_null_array(field.data_type(), rows),
            },
        });
        match RecordBatch::try_new(Arc::clone(&schema), columns.collect()) {
            Ok(batch) => {
                Content::Rows { rows: batch, former: self.former.into_iter().collect(), snapshots: self.snapshots }
            }
            Err(_) => Content::Nothing,
        }
    }
}

fn rule_for(value: Value, text: &[u8]) -> &'static str {
    match value {
        Value::Urn | Value::Upn if damaged(text) => "damaged_by_spreadsheet",
        Value::Urn => "urn_shape",
        Value::Upn => "upn_shape",
        Value::Date => "impossible_date",
        Value::Session => "unknown_session",
        _ => "bad_value",
    }
}

/// Yes or no in the ways a school's system writes it.
fn yes_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" | "t" | "1" => Some(true),
        "n" | "no" | "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

/// The kind of a plain file and the school of its first row, from its first bytes. None where the bytes
/// are not plain text, the header is unknown, or no row names a school.
pub fn first_school(mapping: &Mapping, head: &[u8]) -> Option<(Kind, Urn)> {
    if head.starts_with(&[0x1f, 0x8b]) || head.starts_with(b"PK\x03\x04") {
        return None;
    }
    let text = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(head);
    let (mut rows, mut row, mut at, mut line) = (Rows::default(), Row::default(), 0, 1);
    if rows.step(text, &mut at, &mut line, &mut row) != Step::Row {
        return None;
    }
    let fields: Vec<String> = (0..row.len()).map(|i| row.text(i).into_owned()).collect();
    let header = header::read(&fields, &mapping.columns).ok()?;
    let urn = header.kind.columns().iter().position(|c| c.name == "URN").and_then(|c| header.columns[c])?;
    while rows.step(text, &mut at, &mut line, &mut row) == Step::Row {
        if let Some(urn) = parse_urn(row.bytes(urn).trim_ascii()) {
            return Some((header.kind, urn));
        }
    }
    Some((header.kind, 0))
}

#[cfg(test)]
mod tests;
