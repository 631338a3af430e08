//! Rows of a CSV file, block by block: its header, and what each row below it is.

use std::io::Read;

use crate::csv_rows::{Blocks, ROW_LIMIT, Row, Rows, Step};
use crate::date::DateForms;
use crate::decoded::{Content, Decoded, Origin};
use crate::decoder::Decoder;
use crate::findings::Findings;
use crate::header::{self, Header, HeaderFault, folded};
use crate::kind::Kind;
use crate::marks::Grids;
use crate::table_rows::TableRows;
use crate::unpack::rule_of;

/// Reads a file to its end.
pub(crate) fn read(decoder: &Decoder<'_>, origin: Origin<'_>, input: Box<dyn Read + Send>) -> Decoded {
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
        let overlong = !block.contains(&b'\n') && ROW_LIMIT < block.len();
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
        Some(reading) => reading.finish(origin, findings),
        None => {
            if uncounted.is_none() {
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

    fn finish(self, origin: Origin<'_>, mut findings: Findings<'_>) -> Decoded {
        if findings.rows_in == 0 && findings.problems.is_empty() {
            findings.file("no_rows", None, "a header and nothing below it".to_owned(), None);
        }
        let content = match self.body {
            Body::Marks(grids) => {
                mixed_dates(grids.date_forms(), &mut findings);
                Content::Marks(grids.finish())
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
