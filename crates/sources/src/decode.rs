//! Decoding: a landed file's bytes to typed rows and problems.

use std::io::Read;

use model::Urn;

use crate::contents::{each_file, guarded};
use crate::csv_rows::{Row, Rows, Step};
use crate::decoded::{Decoded, Origin};
use crate::decoder::{Decoder, Mapping};
use crate::header;
use crate::kind::{Kind, parse_urn};
use crate::reading;
use crate::unpack::{GZIP, ZIP, rule_of};

/// What is said of a file that stopped us, which none should.
const STOPPED: &str = "a file that stops its reader";

/// Decodes a file, or each file of an archive.
pub fn decode(decoder: &Decoder<'_>, origin: Origin<'_>, input: Box<dyn Read + Send>) -> Vec<Decoded> {
    let mut decoded = Vec::new();
    each_file(decoder.unpacked_limit, origin.name, input, &mut |name, stream| {
        let origin = Origin { name, ..origin };
        decoded.push(match stream {
            Ok(stream) => decode_csv(decoder, origin, stream),
            Err(reason) => unreadable(decoder, origin, reason),
        });
    });
    decoded
}

fn decode_csv(decoder: &Decoder<'_>, origin: Origin<'_>, input: &mut dyn Read) -> Decoded {
    guarded(|| reading::read(decoder, origin, input)).unwrap_or_else(|_| unreadable(decoder, origin, STOPPED))
}

fn unreadable(decoder: &Decoder<'_>, origin: Origin<'_>, reason: &str) -> Decoded {
    Decoded::unreadable(decoder, origin, rule_of(reason), reason)
}

/// The kind of a plain file and the school of its first row, from its first bytes. None where the bytes
/// are not plain text, the header is unknown, or no row names a school.
pub fn first_school(mapping: &Mapping, head: &[u8]) -> Option<(Kind, Urn)> {
    if head.starts_with(GZIP) || head.starts_with(ZIP) {
        return None;
    }
    let text = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(head);
    let (mut rows, mut row, mut at, mut line) = (Rows::default(), Row::default(), 0, 1);
    if rows.step(text, false, &mut at, &mut line, &mut row) != Step::Row {
        return None;
    }
    let fields: Vec<String> = (0..row.len()).map(|i| row.text(i).into_owned()).collect();
    let header = header::read(&fields, &mapping.columns).ok()?;
    let urn = header.kind.columns().iter().position(|c| c.name == "URN").and_then(|c| header.columns[c])?;
    while rows.step(text, false, &mut at, &mut line, &mut row) == Step::Row {
        if let Some(urn) = parse_urn(row.bytes(urn).trim_ascii()) {
            return Some((header.kind, urn));
        }
    }
    Some((header.kind, 0))
}

#[cfg(test)]
mod tests;
