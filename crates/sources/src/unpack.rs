//! gzip and zip: what is inside, read as a stream and no further than a limit.

use std::borrow::Cow;
use std::io::{Cursor, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a file turned out to be.
pub enum Unpacked<'a> {
    /// A stream of CSV (or something that claims to be).
    Plain(Box<dyn Read + 'a>),
    /// The same, unpacked on the way.
    Gzip(Box<dyn Read + 'a>),
    /// An Excel workbook, of which its reader holds no more than its limits let it.
    Workbook(Whole),
    /// A zip archive, whose files are to be looked at in turn.
    Archive(Archive),
    /// A zip archive that cannot be read.
    Broken(String),
}

/// A stream that ends with an error once it has given so many bytes.
pub struct Limited<R> {
    input: R,
    left: u64,
}

/// The words of the error a [`Limited`] stream ends with.
pub const TOO_LARGE: &str = "unpacks to more than the limit";

/// The rule that a stream breaks which cannot be read to its end.
pub(crate) fn rule_of(reason: &str) -> &'static str {
    if reason == TOO_LARGE { "too_large" } else { "unreadable_file" }
}

impl<R> Limited<R> {
    /// Lets `limit` bytes through.
    pub fn new(input: R, limit: u64) -> Self {
        Self { input, left: limit }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.input.read(buffer)?;
        let left = self.left.checked_sub(n as u64);
        self.left = left.unwrap_or(0);
        left.map(|_| n).ok_or_else(|| std::io::Error::other(TOO_LARGE))
    }
}

/// How a zip archive begins.
pub(crate) const ZIP: &[u8] = b"PK\x03\x04";
/// How a gzip file begins.
pub(crate) const GZIP: &[u8] = &[0x1f, 0x8b];
/// The entry that makes a zip archive a workbook.
const WORKBOOK: &str = "xl/workbook.xml";

/// What an archive may be, which is held whole, and a workbook, which may lie in one.
const ARCHIVE: u64 = 384 * 1024 * 1024;
const BOOK: u64 = 64 * 1024 * 1024;
/// What a workbook's parts but its sheets may unpack to: their reader holds them whole, in up to three times as much.
const HELD_PARTS: u64 = 64 * 1024 * 1024;
/// The least bytes of a text that a workbook shares between its cells.
const SHARED_TEXT: u64 = "<si/>".len() as u64;

/// Archives are read one at a time, whatever the number of cores: together with a workbook that lies in it, one takes
/// most of a gibibyte.
static TURN: Mutex<()> = Mutex::new(());

/// A zip archive that is held whole; nobody else holds one meanwhile.
pub struct Whole {
    /// The archive.
    pub bytes: Vec<u8>,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// Looks at a file's first bytes. `left` is what it may unpack to, and what those after it in its archive may once a
/// workbook has been looked through. One in an archive has that one's turn.
pub fn unpack<'a>(mut input: Box<dyn Read + 'a>, left: &mut u64, is_in_archive: bool) -> std::io::Result<Unpacked<'a>> {
    let limit = *left;
    let mut head = [0u8; 4];
    let mut filled = 0;
    while filled < head.len() {
        match input.read(&mut head[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    let start = head[..filled].to_vec();
    let whole = Cursor::new(start.clone()).chain(input);
    if start.starts_with(GZIP) {
        let plain = flate2::read::MultiGzDecoder::new(whole);
        return Ok(Unpacked::Gzip(Box::new(Limited::new(plain, limit))));
    }
    if !start.starts_with(ZIP) {
        return Ok(Unpacked::Plain(Box::new(Limited::new(whole, limit))));
    }
    let turn = (!is_in_archive).then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
    let mut packed = Whole { bytes: Vec::new(), _turn: turn };
    let room = if is_in_archive { BOOK } else { ARCHIVE };
    Limited::new(whole, limit.min(room)).read_to_end(&mut packed.bytes)?;
    let is_workbook = match zip::ZipArchive::new(Cursor::new(packed.bytes.as_slice())) {
        Ok(archive) => archive.file_names().flatten().any(|name| name == WORKBOOK),
        Err(e) => return Ok(Unpacked::Broken(e.to_string())),
    };
    let archive = Archive { packed, limit };
    if !is_workbook {
        return Ok(Unpacked::Archive(archive));
    }
    match archive.can_be_held(left) {
        Ok(()) => Ok(Unpacked::Workbook(archive.packed)),
        Err(reason) if reason == TOO_LARGE => Err(std::io::Error::other(TOO_LARGE)),
        Err(reason) => Ok(Unpacked::Broken(reason)),
    }
}

/// What a workbook's part says of itself, as it is read past.
#[derive(Default)]
struct Claim {
    /// The bytes since the last that could be of the name of the number, but those of UTF-16 that are zero.
    matched: usize,
    /// Where the name has been read: the number that follows, once it has begun.
    number: Option<Option<u64>>,
    /// The most texts that it says it has.
    texts: u64,
}

impl Claim {
    /// How a part says how many texts it has.
    const NAME: &[u8] = b"uniqueCount";
}

impl Write for Claim {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes.iter().filter(|byte| **byte != 0) {
            match (self.number, byte) {
                (Some(before), b'0'..=b'9') => {
                    let number = before.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(byte - b'0'));
                    self.texts = self.texts.max(number);
                    self.number = Some(Some(number));
                }
                (Some(None), b'=' | b'"' | b'\'' | b'+' | b' ' | b'\t' | b'\r' | b'\n') => {}
                _ => {
                    self.number = None;
                    // No part of the name but its first letter begins it anew.
                    self.matched = match Self::NAME.get(self.matched) {
                        Some(next) if next == byte => self.matched + 1,
                        _ => usize::from(*byte == Self::NAME[0]),
                    };
                    if self.matched == Self::NAME.len() {
                        (self.matched, self.number) = (0, Some(None));
                    }
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// More files than an authority's schools send in a year of days each.
const FILES_AN_ARCHIVE: usize = 10_000;

/// A zip archive.
pub struct Archive {
    packed: Whole,
    limit: u64,
}

impl Archive {
    /// Whether a reader of workbooks may be given this one: its sheets come to no more than the limit, the rest to no more
    /// than can be held, and no part says of itself what makes the reader take memory that there is not. Says why not.
    /// Takes what it looked through from `left`.
    fn can_be_held(&self, left: &mut u64) -> Result<(), String> {
        if BOOK < self.packed.bytes.len() as u64 {
            return Err(TOO_LARGE.to_owned());
        }
        let (mut held, mut seen, mut failed) = (0, 0, None);
        let all = self.each(true, |name, part| {
            let mut claim = Claim::default();
            let room = if is_sheet(name) { u64::MAX } else { HELD_PARTS - held };
            let mut part = Limited::new(part, room);
            let copied = std::io::copy(&mut part, &mut claim);
            seen += room - part.left;
            match copied {
                Ok(bytes) if bytes / SHARED_TEXT < claim.texts => {
                    failed = failed.take().or(Some("a part that says it has more than it holds".to_owned()));
                }
                Ok(bytes) if !is_sheet(name) => held += bytes,
                Ok(_) => {}
                Err(e) => failed = failed.take().or(Some(e.to_string())),
            }
        });
        // Whether or not it is read: an archive of many of them is not looked through for hours.
        *left = left.saturating_sub(seen);
        all.and(failed.map_or(Ok(()), Err))
    }

    /// Gives each file to `take` as a stream, by name, in the archive's order; together they give no more than the
    /// limit. One that cannot be opened fails as it is read. Says why, where not all could be given. Hidden files are
    /// passed over, as on a disk, unless `hidden_too`.
    pub fn each(&self, hidden_too: bool, mut take: impl FnMut(&str, &mut dyn Read)) -> Result<(), String> {
        let mut archive = zip::ZipArchive::new(Cursor::new(self.packed.bytes.as_slice())).map_err(|e| e.to_string())?;
        let (mut left, mut given) = (self.limit, 0);
        for i in 0..archive.len() {
            let Some(name) = archive.name_for_index(i) else { continue };
            // One whose name cannot be read is read all the same.
            let name = name.map_or_else(|_| format!("file {}", i + 1), Cow::into_owned);
            let begins = |part: &str| part.starts_with('.') && part != "." && part != "..";
            let is_hidden = name.starts_with("__MACOSX/") || name.split(['/', '\\']).any(begins);
            if name.ends_with(['/', '\\']) || is_hidden && !hidden_too {
                continue;
            }
            if left == 0 {
                return Err(TOO_LARGE.to_owned());
            }
            if FILES_AN_ARCHIVE <= given {
                return Err(format!("more than {FILES_AN_ARCHIVE} files"));
            }
            given += 1;
            let entry = match archive.by_index(i) {
                Ok(entry) => entry,
                Err(e) => {
                    take(&name, &mut Unopened(e.to_string()));
                    continue;
                }
            };
            if !entry.is_file() {
                continue;
            }
            // Sizes in the directory may lie: what counts is what comes out.
            let mut content = Limited::new(entry, left);
            take(&name, &mut content);
            left = content.left;
        }
        Ok(())
    }
}

/// Whether a part of a workbook has the name that every program gives a sheet, which is read a cell at a time.
fn is_sheet(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let number = name.strip_prefix("xl/worksheets/sheet").and_then(|rest| rest.strip_suffix(".xml"));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A file of an archive that cannot be opened.
struct Unopened(String);

impl Read for Unopened {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other(self.0.clone()))
    }
}
