//! Rows of a CSV file, block by block: its header, and what each row below it is.

use std::io::Read;

use crate::csv_rows::{Block, Blocks, ROW_LIMIT, Row, Rows, Step};
use crate::date::DateForms;
use crate::decoded::{Content, Decoded, Origin};
use crate::decoder::Decoder;
use crate::findings::Findings;
use crate::grid::{LINES_A_FILE, SchoolGrid};
use crate::header::{self, Header, HeaderFault, folded};
use crate::kind::Kind;
use crate::marks::Grids;
use crate::table_rows::TableRows;
use crate::unpack::rule_of;

/// So many rows of a file may be without an end: a few are typing errors.
const ENDLESS: u32 = 200;

/// Reads a file to its end.
pub(crate) fn read(decoder: &Decoder<'_>, origin: Origin<'_>, input: &mut dyn Read) -> Decoded {
    let mut findings = Findings::new(decoder);
    let mut blocks = Blocks::new(input);
    let mut reading: Option<Reading<'_>> = None;
    // Rows below a header that nobody can read are counted all the same.
    let mut uncounted: Option<(Rows, Row)> = None;
    // A line longer than a block comes in pieces; all but the first are passed over.
    let mut inside_overlong = false;
    let mut endless = 0;
    loop {
        let Block { bytes: block, first_line, goes_on } = match blocks.next_block() {
            Ok(Some(block)) => block,
            Ok(None) => break,
            Err(e) => {
                findings.file(rule_of(&e.to_string()), None, e.to_string().chars().take(120).collect(), None);
                break;
            }
        };
        let tail = memchr::memrchr(b'\n', block).map_or(block.len(), |end| block.len() - end - 1);
        let overlong = goes_on && ROW_LIMIT < tail;
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
                Ok(header) => {
                    for (name, column) in &header.misspelt {
                        let (found, expected) =
                            (format!("a column {name}"), format!("{column}, or no column of a like name"));
                        findings.file("misspelt_column", Some(1), found, Some(expected));
                    }
                    reading = Some(Reading::new(decoder, header));
                }
                Err((rule, found, expected)) => {
                    findings.file(rule, Some(1), found, expected);
                    uncounted = Some(Default::default());
                }
            }
        }
        if let Some(reading) = &mut reading {
            reading.block((block, goes_on), &mut at, line, &mut endless, &mut findings);
        } else if let Some((rows, row)) = &mut uncounted {
            loop {
                findings.rows_in += match rows.step(block, goes_on, &mut at, &mut line, row) {
                    Step::Row => u64::from(!row.is_blank()),
                    Step::TooLong => {
                        endless += 1;
                        1
                    }
                    Step::Unfinished | Step::End => break,
                };
                if ENDLESS < endless {
                    break;
                }
            }
        }
        // Each is read up to the limit and again from its next line.
        if ENDLESS < endless {
            findings.file("unreadable_file", None, format!("more than {ENDLESS} rows that do not end"), None);
            break;
        }
        blocks.give_back(at);
    }
    match reading {
        Some(reading) => reading.finish(origin, findings),
        None => {
            if findings.problems.is_empty() {
                findings.file("unreadable_file", None, "an empty file".to_owned(), None);
            }
            Decoded::new(decoder, origin, None, findings, Content::Nothing)
        }
    }
}

type FileFault = (&'static str, String, Option<String>);

/// The first row as a header. A byte order mark belongs to no name.
fn read_header(decoder: &Decoder<'_>, block: &[u8], at: &mut usize, line: &mut u64) -> Result<Header, FileFault> {
    if block.starts_with(&[0xef, 0xbb, 0xbf]) {
        *at += 3;
    }
    if let Some(what) = of_another_kind(block) {
        return Err(("unreadable_file", what.to_owned(), None));
    }
    let (mut rows, mut row) = (Rows::default(), Row::default());
    if rows.step(block, false, at, line, &mut row) != Step::Row {
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

/// What a file that is no CSV shows itself to be by its first bytes.
fn of_another_kind(block: &[u8]) -> Option<&'static str> {
    let begins: [(&[u8], &str); 9] = [
        (&[0xff, 0xfe], "UTF-16 text"),
        (&[0xfe, 0xff], "UTF-16 text"),
        (b"PK\x05\x06", "an archive without a file"),
        (b"%PDF", "a PDF"),
        (b"\x89PNG", "an image"),
        (&[0xff, 0xd8, 0xff], "an image"),
        (b"GIF8", "an image"),
        (&[0xd0, 0xcf, 0x11, 0xe0], "an old or locked Office file; save it as .xlsx or CSV, without a password"),
        (b"PAR1", "a Parquet file"),
    ];
    let text = block.trim_ascii_start();
    let is_page = [&b"<!doctype html"[..], b"<html"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)));
    let other = || is_page.then_some("a web page, of a login perhaps");
    begins.into_iter().find(|(bytes, _)| block.starts_with(bytes)).map(|(_, what)| what).or_else(other)
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
    Table(Box<TableRows>),
}

impl<'a> Reading<'a> {
    fn new(decoder: &'a Decoder<'a>, header: Header) -> Self {
        let columns = header.kind.columns();
        let reach = columns.iter().zip(&header.columns).filter(|(c, _)| c.required).filter_map(|(_, i)| *i).max();
        let body = match header.kind {
            Kind::Marks => Body::Marks(Box::new(Grids::new(decoder, header.clone()))),
            kind => Body::Table(Box::new(TableRows::new(kind))),
        };
        Self { decoder, header, reach: reach.unwrap_or(0), rows: Rows::default(), row: Row::default(), body }
    }

    /// Reads a block from `at`, which is moved behind the last whole row, or behind the last of `endless` ones.
    fn block(
        &mut self,
        (block, goes_on): (&[u8], bool),
        place: &mut usize,
        mut line: u64,
        endless: &mut u32,
        findings: &mut Findings<'_>,
    ) {
        let mut at = *place;
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
            match self.rows.step(block, goes_on, &mut at, &mut line, &mut self.row) {
                Step::Row => self.judge_row(findings),
                Step::TooLong => {
                    findings.rows_in += 1;
                    findings.refuse("line_too_long", self.row.line, None, "a row that does not end");
                    match &mut self.body {
                        Body::Marks(grids) => grids.unread_row(),
                        Body::Table(table) => table.unread.add(None, None),
                    }
                    *endless += 1;
                    if ENDLESS < *endless {
                        break;
                    }
                }
                Step::Unfinished | Step::End => break,
            }
        }
        *place = at;
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

    fn finish(self, origin: Origin<'_>, mut findings: Findings<'_>) -> Decoded {
        if findings.rows_in == 0 && findings.problems.is_empty() {
            findings.file("no_rows", None, "a header and nothing below it".to_owned(), None);
        }
        let content = match self.body {
            Body::Marks(grids) => {
                mixed_dates(grids.date_forms(), &mut findings);
                let schools = grids.finish();
                let lines: usize = schools.iter().map(SchoolGrid::stated_lines).sum();
                if LINES_A_FILE < lines {
                    let found = format!("registers of {lines} weeks of children, from the first day to the last");
                    let expected = format!("{LINES_A_FILE} or fewer in a file: a file a school, or a year");
                    findings.file("too_large", None, found, Some(expected));
                }
                Content::Marks(schools)
            }
            Body::Table(table) => {
                mixed_dates(&table.forms, &mut findings);
                table.finish(self.decoder, origin.return_id(self.decoder.received_at))
            }
        };
        Decoded::new(self.decoder, origin, Some(self.header.kind), findings, content)
    }
}

fn mixed_dates(forms: &DateForms, findings: &mut Findings<'_>) {
    if let Some((line, found)) = forms.mixed() {
        findings.file("mixed_date_formats", Some(line), found, None);
    }
}
