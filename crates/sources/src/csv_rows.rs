//! Rows of a CSV stream in bounded memory, whatever the bytes.
//!
//! The stream is cut into blocks that end at a line's end. A row longer than [`ROW_LIMIT`], quoted line
//! breaks included, is given up: its first line counts as one refused row, and reading goes on at the next
//! line. So a quote that is never closed costs one row, and a line of two gigabytes costs one buffer.

use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};

use csv_core::{ReadRecordResult, Reader};

/// The longest row, in bytes.
pub const ROW_LIMIT: usize = 64 * 1024;
/// Bytes read at a time: the second level of a core's cache.
const BLOCK: usize = 1024 * 1024;

/// Buffers of readers and rows that are done: memory given back and asked for again is cleared each time. As many as
/// were in use at once, whatever thread comes next.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static SPARE_ROWS: Mutex<Vec<(Vec<u8>, Vec<usize>)>> = Mutex::new(Vec::new());

fn spare<T>(buffers: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    buffers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A block of whole lines.
pub struct Block<'a> {
    /// Its bytes, ending with a line break unless the stream ends without one.
    pub bytes: &'a [u8],
    /// Number of its first line, from 1.
    pub first_line: u64,
    /// Whether the stream may go on after it.
    pub goes_on: bool,
}

/// Cuts a stream into blocks of whole lines.
pub struct Blocks<R> {
    input: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold data.
    filled: usize,
    /// Bytes of the buffer already handed out.
    used: usize,
    line: u64,
    ended: bool,
    /// Whether lines end with a carriage return alone, once the first has been seen.
    ends_with_cr: Option<bool>,
    /// Whether all of a full buffer was given back: it holds no whole row.
    is_stuck: bool,
}

impl<R> Drop for Blocks<R> {
    fn drop(&mut self) {
        spare(&SPARE).push(std::mem::take(&mut self.buffer));
    }
}

impl<R: Read> Blocks<R> {
    /// Reads a stream from its first line.
    pub fn new(input: R) -> Self {
        let mut buffer = spare(&SPARE).pop().unwrap_or_default();
        buffer.resize(BLOCK, 0);
        Self { input, buffer, filled: 0, used: 0, line: 1, ended: false, ends_with_cr: None, is_stuck: false }
    }

    /// The next block; none at the end. An unreadable stream (a broken gzip file) is an error.
    pub fn next_block(&mut self) -> std::io::Result<Option<Block<'_>>> {
        self.buffer.copy_within(self.used..self.filled, 0);
        self.filled -= self.used;
        self.used = 0;
        let read_before = self.filled;
        while !self.ended && self.filled < self.buffer.len() {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if self.filled == 0 {
            return Ok(None);
        }
        let read = &mut self.buffer[read_before..self.filled];
        // The first end of a line says how all lines end.
        let ends_with_cr = self.ends_with_cr.get_or_insert_with(|| {
            let first = memchr::memchr2(b'\r', b'\n', read);
            first.is_some_and(|at| read[at] == b'\r' && read.get(at + 1).is_none_or(|next| *next != b'\n'))
        });
        if *ends_with_cr {
            read.iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        }
        let whole = memchr::memrchr(b'\n', &self.buffer[..self.filled]).map(|at| at + 1);
        let end = if self.ended || self.is_stuck { self.filled } else { whole.unwrap_or(self.filled) };
        self.used = end;
        let first_line = self.line;
        let bytes = &self.buffer[..end];
        self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
        Ok(Some(Block { bytes, first_line, goes_on: !self.ended }))
    }

    /// Gives the last block out again from `at` on, at the beginning of the next: what lies there is not a whole row.
    pub fn give_back(&mut self, at: usize) {
        let end = self.used;
        self.used = at.min(end);
        self.line -= memchr::memchr_iter(b'\n', &self.buffer[self.used..end]).count() as u64;
        self.is_stuck = self.used == 0 && self.filled == self.buffer.len();
    }
}

/// What one step of [`Rows`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A row; its fields are in the [`Row`] given.
    Row,
    /// A row that is longer than [`ROW_LIMIT`] or whose quote is never closed.
    TooLong,
    /// A row that the next block goes on with: from here on the block is to be given back.
    Unfinished,
    /// Nothing is left.
    End,
}

/// A row's fields, in buffers used again for every row.
pub struct Row {
    text: Vec<u8>,
    ends: Vec<usize>,
    fields: usize,
    /// The line it begins on, from 1.
    pub line: u64,
}

impl Default for Row {
    fn default() -> Self {
        let (text, ends) = spare(&SPARE_ROWS).pop().unwrap_or_else(|| (vec![0; ROW_LIMIT], vec![0; 4096]));
        Self { text, ends, fields: 0, line: 0 }
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        spare(&SPARE_ROWS).push((std::mem::take(&mut self.text), std::mem::take(&mut self.ends)));
    }
}

impl Row {
    /// Takes the first line of `block` as a row, where no quote and no line break of another kind is in it: as
    /// nearly always, and then commas alone part it. Says how many bytes it took, the line's end included.
    fn split_unquoted(&mut self, block: &[u8]) -> Option<usize> {
        let end = memchr::memchr(b'\n', &block[..block.len().min(ROW_LIMIT)]);
        // A last line without an end is a row only where the limit does not hide the rest.
        let end = end.or((block.len() < ROW_LIMIT).then_some(block.len()))?;
        let text = block[..end].strip_suffix(b"\r").unwrap_or(&block[..end]);
        let (mut begun, mut wrote, mut fields) = (0, 0, 0);
        let mut field = |text: &[u8]| {
            self.text[wrote..wrote + text.len()].copy_from_slice(text);
            wrote += text.len();
            *self.ends.get_mut(fields)? = wrote;
            fields += 1;
            Some(())
        };
        for at in memchr::memchr3_iter(b',', b'"', b'\r', text) {
            if text[at] != b',' {
                return None;
            }
            field(&text[begun..at])?;
            begun = at + 1;
        }
        field(&text[begun..])?;
        self.fields = fields;
        Some((end + 1).min(block.len()))
    }

    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.fields
    }

    /// Whether it has no fields.
    pub fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// A field's bytes; empty where the row is too short.
    pub fn bytes(&self, field: usize) -> &[u8] {
        if self.fields <= field {
            return &[];
        }
        let start = if field == 0 { 0 } else { self.ends[field - 1] };
        &self.text[start..self.ends[field]]
    }

    /// A field as trimmed text: UTF-8 where it is, Windows-1252 otherwise.
    pub fn text(&self, field: usize) -> std::borrow::Cow<'_, str> {
        let bytes = self.bytes(field).trim_ascii();
        match std::str::from_utf8(bytes) {
            Ok(text) => text.trim().into(),
            Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.trim().to_owned().into(),
        }
    }

    /// Whether every field is blank.
    pub fn is_blank(&self) -> bool {
        self.text[..self.ends[..self.fields].last().copied().unwrap_or(0)].iter().all(u8::is_ascii_whitespace)
    }
}

/// Splits one block after another into rows, quotes and all.
#[derive(Default)]
pub struct Rows {
    /// Made for the first row that needs it: few files have any, and its table of transitions takes as long to make as
    /// a school's day to read.
    core: Option<Reader>,
}

impl Rows {
    /// Reads the next row of a block from `at`, which is moved behind it. `goes_on`: another block may follow.
    pub fn step(&mut self, block: &[u8], goes_on: bool, at: &mut usize, line: &mut u64, row: &mut Row) -> Step {
        // Lone line breaks between rows say nothing.
        while block.get(*at).is_some_and(|b| matches!(b, b'\n' | b'\r')) {
            *line += u64::from(block[*at] == b'\n');
            *at += 1;
        }
        if block.len() <= *at {
            return Step::End;
        }
        row.line = *line;
        if let Some(read) = row.split_unquoted(&block[*at..]) {
            *line += u64::from(block[*at + read - 1] == b'\n');
            *at += read;
            return Step::Row;
        }
        let core = self.core.get_or_insert_with(Reader::new);
        core.reset();
        let limit = block.len().min(*at + ROW_LIMIT);
        // A block ends at the end of a line, which may lie within quotes.
        let is_unfinished = goes_on && block.len() < *at + ROW_LIMIT;
        let (mut result, mut read, wrote, mut ended) =
            core.read_record(&block[*at..limit], &mut row.text, &mut row.ends);
        if result == ReadRecordResult::InputEmpty && limit == block.len() && !goes_on {
            // The end of the stream ends a row as that of a line does: not within quotes, nor where the limit hides the rest.
            let (at_end, _, _, ends) = core.read_record(b"\n", &mut row.text[wrote..], &mut row.ends[ended..]);
            (result, read, ended) = (at_end, limit - *at, ended + ends);
        }
        if result != ReadRecordResult::Record {
            return if is_unfinished { Step::Unfinished } else { self.give_up(block, at, line) };
        }
        *line += memchr::memchr_iter(b'\n', &block[*at..*at + read]).count() as u64;
        *at += read;
        row.fields = ended;
        Step::Row
    }

    fn give_up(&mut self, block: &[u8], at: &mut usize, line: &mut u64) -> Step {
        match memchr::memchr(b'\n', &block[*at..]) {
            Some(end) => {
                *at += end + 1;
                *line += 1;
            }
            None => *at = block.len(),
        }
        Step::TooLong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Vec<(u64, Vec<String>)> {
        let (mut rows, mut row, mut at, mut line) = (Rows::default(), Row::default(), 0, 1);
        let mut found = Vec::new();
        loop {
            match rows.step(text, false, &mut at, &mut line, &mut row) {
                Step::Unfinished => unreachable!("no block follows"),
                Step::Row => found.push((row.line, (0..row.len()).map(|i| row.text(i).into_owned()).collect())),
                Step::TooLong => found.push((row.line, vec!["TOO LONG".to_owned()])),
                Step::End => return found,
            }
        }
    }

    fn row(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
        (line, fields.iter().map(|f| (*f).to_owned()).collect())
    }

    #[test]
    fn quotes_line_breaks_and_an_end_without_one() {
        let text = b"a,\"b,\"\"c\"\"\"\r\n\"two\nlines\",x\r\n\r\nlast,row";
        assert_eq!(rows(text), [row(1, &["a", "b,\"c\""]), row(2, &["two\nlines", "x"]), row(5, &["last", "row"])]);
    }

    #[test]
    fn a_row_without_quotes_is_what_the_parser_says_it_is() {
        for text in [
            "a,b\nc,d\n",
            "a,b",
            "a,,b,\r\n,\n",
            "one\rtwo,three\n",
            "a,b\r",
            "\r\r\na\n",
            ",",
            ",,\r\n\r\nx",
            "a \"b\",c\nd\n",
        ] {
            let mut core = csv_core::Reader::new();
            let (mut input, mut expected) = (text.as_bytes(), Vec::new());
            loop {
                let (mut out, mut ends) = ([0; 100], [0; 100]);
                let (result, read, mut wrote, mut ended) = core.read_record(input, &mut out, &mut ends);
                input = &input[read..];
                if result == ReadRecordResult::InputEmpty {
                    let (_, _, more, more_ends) = core.read_record(&[], &mut out[wrote..], &mut ends[ended..]);
                    (wrote, ended) = (wrote + more, ended + more_ends);
                }
                if ended == 0 {
                    break;
                }
                assert_eq!(ends[ended - 1], wrote);
                let starts = std::iter::once(0).chain(ends);
                let fields = starts.zip(ends).take(ended).map(|(a, b)| String::from_utf8(out[a..b].to_vec()).unwrap());
                expected.push(fields.map(|f| f.trim().to_owned()).collect::<Vec<_>>());
            }
            let found: Vec<_> = rows(text.as_bytes()).into_iter().map(|(_, fields)| fields).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_costs_one_row() {
        assert_eq!(rows(b"a,b\n\"open,c\nd,e\n"), [row(1, &["a", "b"]), row(2, &["TOO LONG"]), row(3, &["d", "e"])]);
    }

    #[test]
    fn a_quote_within_a_field_opens_none() {
        let last = [row(1, &["a", "5\" cut"]), row(2, &["b", "5\" cut"])];
        assert_eq!(rows(b"a,5\" cut\nb,5\" cut\n"), last);
        assert_eq!(rows(b"a,5\" cut\nb,5\" cut"), last);
        assert_eq!(rows(b"a,\"b\"\n\"c\",\"d"), [row(1, &["a", "b"]), row(2, &["TOO LONG"])]);
        assert_eq!(rows(b"a,\"b\"\nc,\"d\""), [row(1, &["a", "b"]), row(2, &["c", "d"])]);
    }

    #[test]
    fn a_row_past_the_limit_costs_one_row() {
        let mut text = vec![b'x'; ROW_LIMIT + 10];
        text.extend(b"\na,b\n");
        assert_eq!(rows(&text), [row(1, &["TOO LONG"]), row(2, &["a", "b"])]);
    }

    #[test]
    fn blocks_end_at_lines() {
        let text = b"one\ntwo\nthree".repeat(1_000_000);
        let mut blocks = Blocks::new(text.as_slice());
        let (mut bytes, mut lines) = (0, 0);
        while let Some(block) = blocks.next_block().unwrap() {
            assert_eq!(block.first_line, lines + 1);
            bytes += block.bytes.len();
            lines += memchr::memchr_iter(b'\n', block.bytes).count() as u64;
        }
        assert_eq!(bytes, text.len());
    }

    #[test]
    fn a_quote_before_a_line_longer_than_a_block_costs_two_rows() {
        let text = [&b"a,b\n\"open\n"[..], &vec![b'y'; 3 * BLOCK], b"\nc,d\n"].concat();
        let mut blocks = Blocks::new(text.as_slice());
        let (mut rows, mut row, mut steps) = (Rows::default(), Row::default(), Vec::new());
        while let Some(Block { bytes, first_line, goes_on }) = blocks.next_block().unwrap() {
            let (mut at, mut line) = (0, first_line);
            loop {
                match rows.step(bytes, goes_on, &mut at, &mut line, &mut row) {
                    Step::Row => steps.push((row.line, row.len())),
                    Step::TooLong => steps.push((row.line, 0)),
                    Step::Unfinished | Step::End => break,
                }
            }
            blocks.give_back(at);
        }
        assert_eq!((steps[0], steps[1], *steps.last().unwrap()), ((1, 2), (2, 0), (4, 2)));
    }

    #[test]
    fn windows_1252_is_read() {
        assert_eq!(rows(b"O\x92Neil,N\xfa\xf1ez\n"), [row(1, &["O’Neil", "Núñez"])]);
    }
}
