//! gzip and zip: what is inside, read as a stream and no further than a limit.

use std::io::{Cursor, Read};

/// What a file turned out to be.
pub enum Unpacked<'a> {
    /// A stream of CSV (or something that claims to be).
    Plain(Box<dyn Read + 'a>),
    /// The same, unpacked on the way.
    Gzip(Box<dyn Read + 'a>),
    /// An Excel workbook, as its bytes.
    Workbook(Vec<u8>),
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

/// Looks at a file's first bytes. `limit` is what it may unpack to, `packed_limit` what an archive may be.
pub fn unpack<'a>(mut input: Box<dyn Read + 'a>, limit: u64, packed_limit: u64) -> std::io::Result<Unpacked<'a>> {
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
    let mut packed = Vec::new();
    Limited::new(whole, packed_limit).read_to_end(&mut packed)?;
    let is_workbook = match zip::ZipArchive::new(Cursor::new(packed.as_slice())) {
        Ok(archive) => archive.file_names().any(|name| name == WORKBOOK),
        Err(e) => return Ok(Unpacked::Broken(e.to_string())),
    };
    if !is_workbook {
        return Ok(Unpacked::Archive(Archive { packed, limit }));
    }
    // Its reader holds whole what is in it.
    let archive = Archive { packed, limit: packed_limit };
    let mut failed = None;
    let ended = archive.each(|_, part| failed = failed.take().or(std::io::copy(part, &mut std::io::sink()).err()));
    match failed {
        Some(e) if e.to_string() == TOO_LARGE => Err(e),
        Some(e) => Ok(Unpacked::Broken(e.to_string())),
        None => Ok(ended.map_or_else(Unpacked::Broken, |()| Unpacked::Workbook(archive.packed))),
    }
}

/// More files than an authority's schools send in a year of days each.
const FILES_AN_ARCHIVE: usize = 10_000;

/// A zip archive.
pub struct Archive {
    packed: Vec<u8>,
    limit: u64,
}

impl Archive {
    /// Gives each file to `take` as a stream, by name, in the archive's order; together they give no more than the
    /// limit. One that cannot be opened fails as it is read. Says why, where not all could be given. Hidden files are
    /// passed over, as on a disk.
    pub fn each(&self, mut take: impl FnMut(&str, &mut dyn Read)) -> Result<(), String> {
        let mut archive = zip::ZipArchive::new(Cursor::new(self.packed.as_slice())).map_err(|e| e.to_string())?;
        let (mut left, mut given) = (self.limit, 0);
        for i in 0..archive.len() {
            let Some(name) = archive.name_for_index(i).map(str::to_owned) else { continue };
            let is_hidden = name.split(['/', '\\']).any(|part| part.starts_with('.') && part != "." && part != "..");
            if name.ends_with(['/', '\\']) || name.starts_with("__MACOSX/") || is_hidden {
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

/// A file of an archive that cannot be opened.
struct Unopened(String);

impl Read for Unopened {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other(self.0.clone()))
    }
}
