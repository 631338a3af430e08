//! Decoding: a landed file's bytes to typed rows and problems.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::panic::AssertUnwindSafe;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int32Type;
use chrono::{DateTime, NaiveDate, Utc};
use model::line::day_of;
use model::{CodeTable, FieldRules, Outcome, Problem, Session, Urn};
use sha2::{Digest, Sha256};

use crate::csv_rows::{Blocks, Row, Rows, Step};
use crate::date::DateForms;
use crate::findings::Findings;
use crate::grid::SchoolGrid;
use crate::header::{self, Header, HeaderFault, folded};
use crate::kind::Kind;
use crate::marks::{Grids, parse_urn};
use crate::sheet;
use crate::table_rows::TableRows;
use crate::unpack::{GZIP, TOO_LARGE, Unpacked, ZIP, is_workbook, unpack};

/// How a source's or a school's files differ from ours.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// Folded header names to ours.
    pub columns: BTreeMap<String, String>,
    /// Codes of the school's own to register codes; an empty one means no mark.
    pub codes: BTreeMap<String, String>,
    /// The same of single schools, which stand before those of the source.
    pub school_codes: BTreeMap<Urn, BTreeMap<String, String>>,
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
    /// Types of intervention, each with its name.
    pub interventions: &'a BTreeMap<String, String>,
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
        !self.mapping.codes.is_empty() || !self.mapping.school_codes.is_empty()
    }

    /// Whether this code is mapped to another, at any school.
    pub fn codes_mapped(&self, code: &str) -> bool {
        self.mapping.school_codes.values().chain([&self.mapping.codes]).any(|codes| codes.contains_key(code))
    }

    /// A code as the source means it.
    pub fn map_code(&self, urn: Urn, code: &str) -> String {
        let of_school = self.mapping.school_codes.get(&urn).and_then(|codes| codes.get(code));
        of_school.or_else(|| self.mapping.codes.get(code)).map_or(code, String::as_str).to_owned()
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
        /// Of whom its refused rows may speak.
        unread: Unread,
    },
}

/// Of whom the refused rows of a file may speak: what they say is not known, so it is not known either that a child
/// of theirs is missing from the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Children who are named, at their school.
    pub pupils: BTreeSet<(Urn, i64)>,
    /// Schools with rows of a child who is not.
    pub schools: BTreeSet<Urn>,
    /// Whether there are rows of which the school is not known either.
    pub anywhere: bool,
}

impl Unread {
    /// A refused row, as far as it says whose it is.
    pub fn add(&mut self, urn: Option<Urn>, pupil_key: Option<i64>) {
        match (urn, pupil_key) {
            (Some(urn), Some(key)) => drop(self.pupils.insert((urn, key))),
            (Some(urn), None) => drop(self.schools.insert(urn)),
            (None, _) => self.anywhere = true,
        }
    }

    /// Whether any child of a school may have been meant.
    pub fn may_be_any_of(&self, urn: Urn) -> bool {
        self.anywhere || self.schools.contains(&urn)
    }
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

/// What a file states of one school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfSchool {
    /// The school; `None` where rows name none.
    pub urn: Option<Urn>,
    /// Rows kept.
    pub rows: u64,
    /// First and last day of its marks, or the day of its roll.
    pub days: Option<(NaiveDate, NaiveDate)>,
}

impl Decoded {
    /// What is kept of it, school by school. Files of kinds that are of no school have none.
    pub fn schools(&self) -> Vec<OfSchool> {
        match &self.content {
            Content::Nothing => Vec::new(),
            Content::Marks(grids) => grids
                .iter()
                .map(|g| OfSchool {
                    urn: Some(g.urn),
                    rows: g.rows_kept,
                    days: g.days.map(|(first, last)| (day_of(first), day_of(last))),
                })
                .collect(),
            Content::Rows { rows, snapshots, .. } => {
                let mut counts: BTreeMap<Option<Urn>, u64> = BTreeMap::new();
                if let Some(urns) = rows.column_by_name("urn") {
                    for urn in urns.as_primitive::<Int32Type>() {
                        *counts.entry(urn).or_default() += 1;
                    }
                }
                let day = |urn: Option<Urn>| snapshots.get(&urn?).map(|day| (*day, *day));
                counts.into_iter().map(|(urn, rows)| OfSchool { urn, rows, days: day(urn) }).collect()
            }
        }
    }

    /// Refuses the whole file: nothing of it is kept.
    pub fn refuse(&mut self) {
        self.rows_kept = 0;
        self.rows_refused = self.rows_in;
        self.content = Content::Nothing;
    }

    /// Leaves what it says of these schools alone.
    pub fn keep_only(&mut self, urns: &[Urn]) {
        let of_school = self.urn;
        let is_wanted = |urn: Option<Urn>| urn.is_some_and(|urn| urns.contains(&urn));
        self.problems.retain(|p| p.outcome == Outcome::RefuseFile || is_wanted(p.urn.or(of_school)));
        match &mut self.content {
            Content::Nothing => {}
            Content::Marks(grids) => grids.retain(|grid| is_wanted(Some(grid.urn))),
            Content::Rows { rows, snapshots, .. } => {
                let stays: Option<BooleanArray> = rows
                    .column_by_name("urn")
                    .map(|urns| urns.as_primitive::<Int32Type>().iter().map(|urn| Some(is_wanted(urn))).collect());
                // A filter as long as the rows does not fail.
                if let Some(Ok(kept)) = stays.map(|stays| filter_record_batch(rows, &stays)) {
                    *rows = kept;
                }
                snapshots.retain(|urn, _| is_wanted(Some(*urn)));
            }
        }
        let schools = self.schools();
        self.urn = if let [one] = schools.as_slice() { one.urn } else { None };
        self.days = schools.iter().filter_map(|s| s.days).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        self.rows_kept = schools.iter().map(|s| s.rows).sum();
        let refused = self.problems.iter().filter(|p| p.outcome != Outcome::Warn);
        self.rows_refused = refused.map(|p| p.rows).sum();
        self.rows_in = self.rows_kept + self.rows_refused;
    }

    /// `taken` or `refused`.
    pub fn status(&self) -> &'static str {
        let refused = self.problems.iter().any(|p| p.outcome == Outcome::RefuseFile);
        if refused { "refused" } else { "taken" }
    }
}

/// Whether a spreadsheet has turned an identifier into a number (`2.01E+11`).
pub fn damaged(text: &[u8]) -> bool {
    let text = text.to_ascii_uppercase();
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    0 < digits && text.windows(2).any(|w| w == b"E+" || w == b"E-")
        || matches!(text.as_slice(), [digits @ .., b'.', b'0'] if digits.iter().all(u8::is_ascii_digit) && !digits.is_empty())
}

/// What a reader says of bytes. One that stumbles over hostile ones has not read them: the file is refused, and no
/// other, since an arrival that stops its reader would be tried again by every later run.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).map_err(|_| "bytes that stop their reader".to_owned())
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
    let unpacked = guarded(|| unpack(input, decoder.unpacked_limit, archive_limit));
    match unpacked.unwrap_or_else(|reason| Ok(Unpacked::Broken(reason))) {
        Ok(Unpacked::Plain(stream)) => vec![decode_csv(decoder, source, name, sha256, stream)],
        Ok(Unpacked::Workbook(bytes)) => decode_workbook(decoder, source, name, sha256, &bytes, archive_limit),
        Ok(Unpacked::Archive(files)) => {
            let mut decoded = Vec::new();
            let mut before: BTreeMap<String, u32> = BTreeMap::new();
            for (inner, bytes) in files {
                let inner = model::id::without_upns(&inner);
                // An archive may hold two files of one name.
                let nth = before.entry(inner.clone()).or_default();
                *nth += 1;
                let name = if *nth == 1 { format!("{name}/{inner}") } else { format!("{name}/{inner} ({nth})") };
                if is_workbook(&bytes) {
                    decoded.extend(decode_workbook(decoder, source, &name, sha256, &bytes, archive_limit));
                } else {
                    // Any other archive in an archive is not opened.
                    decoded.push(decode_csv(decoder, source, &name, sha256, Box::new(std::io::Cursor::new(bytes))));
                }
            }
            decoded
        }
        Ok(Unpacked::Broken(reason)) => vec![unreadable(decoder, source, name, sha256, "unreadable_file", reason)],
        Err(e) => vec![unreadable(decoder, source, name, sha256, rule_of(&e.to_string()), e.to_string())],
    }
}

/// Each sheet as a file; by the workbook's name where there is one.
fn decode_workbook(
    decoder: &Decoder<'_>,
    source: &str,
    name: &str,
    sha256: &str,
    bytes: &[u8],
    limit: u64,
) -> Vec<Decoded> {
    let sheets = match guarded(|| sheet::as_csv(bytes, limit)).and_then(|sheets| sheets) {
        Ok(sheets) => sheets,
        Err(reason) => {
            return vec![unreadable(decoder, source, name, sha256, rule_of(&reason), reason)];
        }
    };
    let is_one = sheets.len() == 1;
    let decode = |(sheet, csv): (String, Vec<u8>)| {
        let name = if is_one { name.to_owned() } else { format!("{name}/{sheet}") };
        decode_csv(decoder, source, &name, sha256, Box::new(std::io::Cursor::new(csv)))
    };
    sheets.into_iter().map(decode).collect()
}

fn rule_of(reason: &str) -> &'static str {
    if reason == TOO_LARGE { "too_large" } else { "unreadable_file" }
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
    guarded(|| decode_rows(decoder, source, name, sha256, input))
        .unwrap_or_else(|reason| unreadable(decoder, source, name, sha256, "unreadable_file", reason))
}

fn decode_rows(decoder: &Decoder<'_>, source: &str, name: &str, sha256: &str, input: Box<dyn Read + Send>) -> Decoded {
    let mut findings = Findings::new(decoder);
    let mut blocks = Blocks::new(input);
    let mut reading: Option<Reading<'_>> = None;
    // Rows below a header that nobody can read are counted all the same.
    let mut uncounted: Option<(Rows, Row)> = None;
    // A line longer than a block comes in pieces; all but the first are passed over.
    let mut inside_overlong = false;
    loop {
        let (block, first_line) = match blocks.next_block() {
            Ok(Some(block)) => (block.bytes, block.first_line),
            Ok(None) => break,
            Err(e) => {
                findings.file(rule_of(&e.to_string()), None, e.to_string().chars().take(120).collect(), None);
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
        if reading.is_none() && uncounted.is_none() {
            match read_header(decoder, block, &mut at, &mut line) {
                Ok(header) => reading = Some(Reading::new(decoder, header)),
                Err((rule, found, expected)) => {
                    findings.file(rule, Some(1), found, expected);
                    uncounted = Some(Default::default());
                }
            }
        }
        if let Some(reading) = &mut reading {
            reading.block(block, at, line, &mut findings);
        } else if let Some((rows, row)) = &mut uncounted {
            loop {
                findings.rows_in += match rows.step(block, &mut at, &mut line, row) {
                    Step::Row => u64::from(!row.is_blank()),
                    Step::TooLong => 1,
                    Step::End => break,
                };
            }
        }
    }
    match reading {
        Some(reading) => reading.finish(source, name, sha256, findings),
        None => {
            if uncounted.is_none() {
                findings.file("unreadable_file", None, "an empty file".to_owned(), None);
            }
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
        HeaderFault::Unknown(_) if let Some(mark) = other_separator(&fields) => {
            let expected = "fields parted by commas; save the file as comma-separated CSV".to_owned();
            ("unknown_header", format!("fields parted by {mark}"), Some(expected))
        }
        HeaderFault::Unknown(found) => {
            let required = |kind: Kind| {
                let columns = kind.columns().iter().filter(|c| c.required).map(|c| c.name).collect::<Vec<_>>();
                format!("{} ({})", kind.name(), columns.join(", "))
            };
            let kinds = Kind::ALL.map(required).join("; ");
            let expected = format!(
                "the header of one of: {kinds}; other systems' names are mapped by [sources.<name>.columns] in rollcall.toml"
            );
            ("unknown_header", found, Some(expected))
        }
        HeaderFault::Missing(kind, missing) => {
            let expected = format!(
                "a {} file with the columns {}; other systems' names are mapped by [sources.<name>.columns] in rollcall.toml",
                kind.name(),
                missing.join(", ")
            );
            ("missing_column", format!("no {}", missing.join(", ")), Some(expected))
        }
        HeaderFault::Twice(kind, name, alike) => {
            let is_mapped = alike.iter().any(|field| folded(field) != folded(name));
            let mapped = if is_mapped { format!(", as {}", alike.join(" and ")) } else { String::new() };
            ("doubled_column", format!("{name} twice in the header of a {} file{mapped}", kind.name()), None)
        }
    })
}

/// What parts the fields of a header that is one field of a CSV file, and holds several names.
fn other_separator(fields: &[String]) -> Option<&'static str> {
    let [whole] = fields else { return None };
    let marks = [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")];
    marks.into_iter().find(|(mark, _)| 2 < whole.split(*mark).count()).map(|(_, name)| name)
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
            Body::Marks(grids) => grids.is_plain(),
            Body::Table(_) => false,
        };
        let quotes = plain && memchr::memchr(b'"', &block[at..]).is_some();
        while at < block.len() {
            if plain && let Body::Marks(grids) = &mut self.body {
                let end = memchr::memchr(b'\n', &block[at..]).map_or(block.len(), |n| at + n);
                if grids.put_plain(&block[at..end], quotes, line, findings) {
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
                    if let Body::Table(table) = &mut self.body {
                        table.unread.add(None, None);
                    }
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
        // Names are folded only where a row begins as the header does.
        let begins = |b: &u8| self.header.names[0].as_bytes().first() == Some(&b.to_ascii_lowercase());
        if row.len() == self.header.width
            && row.bytes(0).trim_ascii_start().first().is_none_or(begins)
            && (0..row.len()).all(|i| folded(&row.text(i)) == self.header.names[i])
        {
            findings.gather("repeated_header", row.line, None, "the header again", None);
            return;
        }
        let beyond = (self.header.width..row.len()).any(|i| !row.bytes(i).trim_ascii().is_empty());
        if row.len() <= self.reach || beyond {
            findings.rows_in += 1;
            let found = format!("{} fields", row.len());
            findings.refuse("field_count", row.line, None, &found);
            match &mut self.body {
                Body::Marks(grids) => grids.spoilt_row(row),
                Body::Table(table) => table.unread.add(None, None),
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
        if findings.rows_in == 0 && findings.problems.is_empty() {
            findings.file("no_rows", None, "a header and nothing below it".to_owned(), None);
        }
        match self.body {
            Body::Marks(grids) => {
                mixed_dates(grids.date_forms(), &mut findings);
                let schools = grids.finish();
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

fn mixed_dates(forms: &DateForms, findings: &mut Findings<'_>) {
    if let Some((line, found)) = forms.mixed() {
        findings.file("mixed_date_formats", Some(line), found, None);
    }
}

/// The kind of a plain file and the school of its first row, from its first bytes. None where the bytes
/// are not plain text, the header is unknown, or no row names a school.
pub fn first_school(mapping: &Mapping, head: &[u8]) -> Option<(Kind, Urn)> {
    if head.starts_with(GZIP) || head.starts_with(ZIP) {
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
