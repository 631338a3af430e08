//! Decoding: a landed file's bytes to typed rows and problems.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::panic::AssertUnwindSafe;

use model::Urn;

use crate::csv_rows::{Row, Rows, Step};
use crate::decoded::{Decoded, Origin};
use crate::decoder::{Decoder, Mapping};
use crate::header;
use crate::kind::Kind;
use crate::marks::parse_urn;
use crate::unpack::{GZIP, Unpacked, ZIP, is_workbook, rule_of, unpack};
use crate::{reading, sheet};

/// What a reader says of bytes. One that stumbles over hostile ones has not read them: the file is refused, and no
/// other, since an arrival that stops its reader would be tried again by every later run.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).map_err(|_| "bytes that stop their reader".to_owned())
}

/// Decodes a file, or each file of an archive.
pub fn decode(decoder: &Decoder<'_>, origin: Origin<'_>, input: Box<dyn Read + Send>) -> Vec<Decoded> {
    let archive_limit = decoder.unpacked_limit.min(512 * 1024 * 1024);
    let unpacked = guarded(|| unpack(input, decoder.unpacked_limit, archive_limit));
    match unpacked.unwrap_or_else(|reason| Ok(Unpacked::Broken(reason))) {
        Ok(Unpacked::Plain(stream)) => vec![decode_csv(decoder, origin, stream)],
        Ok(Unpacked::Workbook(bytes)) => decode_workbook(decoder, origin, &bytes, archive_limit),
        Ok(Unpacked::Archive(files)) => {
            let mut decoded = Vec::new();
            let mut before: BTreeMap<String, u32> = BTreeMap::new();
            for (inner, bytes) in files {
                let (inner, archive) = (model::id::without_upns(&inner), origin.name);
                // An archive may hold two files of one name.
                let nth = before.entry(inner.clone()).or_default();
                *nth += 1;
                let name = if *nth == 1 { format!("{archive}/{inner}") } else { format!("{archive}/{inner} ({nth})") };
                let origin = Origin { name: &name, ..origin };
                if is_workbook(&bytes) {
                    decoded.extend(decode_workbook(decoder, origin, &bytes, archive_limit));
                } else {
                    // Any other archive in an archive is not opened.
                    decoded.push(decode_csv(decoder, origin, Box::new(Cursor::new(bytes))));
                }
            }
            decoded
        }
        Ok(Unpacked::Broken(reason)) => vec![Decoded::unreadable(decoder, origin, "unreadable_file", &reason)],
        Err(e) => vec![Decoded::unreadable(decoder, origin, rule_of(&e.to_string()), &e.to_string())],
    }
}

/// Each sheet as a file; by the workbook's name where there is one.
fn decode_workbook(decoder: &Decoder<'_>, origin: Origin<'_>, bytes: &[u8], limit: u64) -> Vec<Decoded> {
    let sheets = match guarded(|| sheet::as_csv(bytes, limit)).and_then(|sheets| sheets) {
        Ok(sheets) => sheets,
        Err(reason) => return vec![Decoded::unreadable(decoder, origin, rule_of(&reason), &reason)],
    };
    let is_one = sheets.len() == 1;
    let decode = |(sheet, csv): (String, Vec<u8>)| {
        let name = if is_one { origin.name.to_owned() } else { format!("{}/{sheet}", origin.name) };
        decode_csv(decoder, Origin { name: &name, ..origin }, Box::new(Cursor::new(csv)))
    };
    sheets.into_iter().map(decode).collect()
}

fn decode_csv(decoder: &Decoder<'_>, origin: Origin<'_>, input: Box<dyn Read + Send>) -> Decoded {
    guarded(|| reading::read(decoder, origin, input))
        .unwrap_or_else(|reason| Decoded::unreadable(decoder, origin, "unreadable_file", &reason))
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
