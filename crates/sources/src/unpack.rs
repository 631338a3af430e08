//! gzip and zip: what is inside, read as a stream and no further than a limit.

use std::io::{Cursor, Read};

use bytes::Bytes;

/// What a file turned out to be.
pub enum Unpacked {
    /// A stream of CSV (or something that claims to be).
    Plain(Box<dyn Read + Send>),
    /// An Excel workbook, as its bytes.
    Workbook(Bytes),
    /// A zip archive's files by name, each to be looked at in turn.
    Archive(Vec<(String, Bytes)>),
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
        self.left = self.left.checked_sub(n as u64).ok_or_else(|| std::io::Error::other(TOO_LARGE))?;
        Ok(n)
    }
}

/// How a zip archive begins.
pub(crate) const ZIP: &[u8] = b"PK\x03\x04";
/// How a gzip file begins.
pub(crate) const GZIP: &[u8] = &[0x1f, 0x8b];
/// The entry that makes a zip archive a workbook.
const WORKBOOK: &str = "xl/workbook.xml";

/// Whether these bytes are a workbook.
pub fn is_workbook(bytes: &[u8]) -> bool {
    bytes.starts_with(ZIP) && zip::ZipArchive::new(Cursor::new(bytes)).is_ok_and(|archive| holds_workbook(&archive))
}

fn holds_workbook(archive: &zip::ZipArchive<Cursor<&[u8]>>) -> bool {
    archive.file_names().any(|name| name == WORKBOOK)
}

/// Looks at a file's first bytes. `limit` is what it may unpack to.
pub fn unpack(mut input: Box<dyn Read + Send>, limit: u64, archive_limit: u64) -> std::io::Result<Unpacked> {
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
        return Ok(Unpacked::Plain(Box::new(Limited::new(plain, limit))));
    }
    if !start.starts_with(ZIP) {
        return Ok(Unpacked::Plain(Box::new(Limited::new(whole, limit))));
    }
    let mut bytes = Vec::new();
    Limited::new(whole, archive_limit).read_to_end(&mut bytes)?;
    let mut archive = match zip::ZipArchive::new(Cursor::new(bytes.as_slice())) {
        Ok(archive) => archive,
        Err(e) => return Ok(Unpacked::Broken(e.to_string())),
    };
    let is_workbook = holds_workbook(&archive);
    let mut left = archive_limit;
    let mut files = Vec::new();
    for i in 0..archive.len() {
        let mut entry = match archive.by_index(i) {
            Ok(entry) if entry.is_file() => entry,
            Ok(_) => continue,
            Err(e) => return Ok(Unpacked::Broken(e.to_string())),
        };
        let name = entry.name().to_owned();
        let mut content = Vec::new();
        // Sizes in the directory may lie: what counts is what comes out.
        match Limited::new(&mut entry, left).read_to_end(&mut content) {
            Ok(n) => left -= n as u64,
            Err(e) if e.to_string() == TOO_LARGE => return Err(e),
            Err(e) => return Ok(Unpacked::Broken(e.to_string())),
        }
        if !is_workbook && !name.starts_with("__MACOSX/") {
            files.push((name, Bytes::from(content)));
        }
    }
    Ok(if is_workbook { Unpacked::Workbook(Bytes::from(bytes)) } else { Unpacked::Archive(files) })
}
