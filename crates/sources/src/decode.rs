//! Decoding: a landed file's bytes to typed rows and problems.

use std::collections::BTreeMap;
use std::io::Read;
use std::panic::AssertUnwindSafe;

use model::Urn;

use crate::csv_rows::{Row, Rows, Step};
use crate::decoded::{Decoded, Origin};
use crate::decoder::{Decoder, Mapping};
use crate::header;
use crate::kind::{Kind, parse_urn};
use crate::unpack::{Archive, GZIP, Unpacked, ZIP, rule_of, unpack};
use crate::{reading, sheet};

/// What a reader says of bytes. One that stumbles over hostile ones has not read them: the file is refused, and no
/// other, since an arrival that stops its reader would be tried again by every later run.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).map_err(|_| "bytes that stop their reader".to_owned())
}

/// What an archive itself may be, and what its workbooks may unpack to: these are held whole.
const HELD_WHOLE: u64 = 512 * 1024 * 1024;

/// Decodes a file, or each file of an archive.
pub fn decode(decoder: &Decoder<'_>, origin: Origin<'_>, input: Box<dyn Read + Send>) -> Vec<Decoded> {
    let mut room = decoder.unpacked_limit.min(HELD_WHOLE);
    match opened(decoder, input) {
        Ok(Unpacked::Plain(mut stream) | Unpacked::Gzip(mut stream)) => vec![decode_csv(decoder, origin, &mut stream)],
        Ok(Unpacked::Workbook(bytes)) => decode_workbook(decoder, origin, &bytes, &mut room),
        Ok(Unpacked::Archive(archive)) => decode_archive(decoder, origin, &archive, &mut room),
        Ok(Unpacked::Broken(reason)) | Err(reason) => vec![unreadable(decoder, origin, &reason)],
    }
}

/// Looks into a file; why not, where it cannot be read.
fn opened<'a>(decoder: &Decoder<'_>, input: Box<dyn Read + 'a>) -> Result<Unpacked<'a>, String> {
    let limit = decoder.unpacked_limit;
    guarded(|| unpack(input, limit, limit.min(HELD_WHOLE)))?.map_err(|e| e.to_string())
}

/// Each file in turn, unpacked as it is read. One that cannot be read is refused, and no other with it.
fn decode_archive(decoder: &Decoder<'_>, origin: Origin<'_>, archive: &Archive, room: &mut u64) -> Vec<Decoded> {
    let (mut decoded, mut before) = (Vec::new(), BTreeMap::<String, u32>::new());
    let ended = guarded(|| {
        archive.each(|inner, stream| {
            let (inner, archive) = (model::id::without_upns(inner), origin.name);
            // An archive may hold two files of one name.
            let nth = before.entry(inner.clone()).or_default();
            *nth += 1;
            let name = if *nth == 1 { format!("{archive}/{inner}") } else { format!("{archive}/{inner} ({nth})") };
            let origin = Origin { name: &name, ..origin };
            match opened(decoder, Box::new(stream)) {
                Ok(Unpacked::Plain(mut stream)) => decoded.push(decode_csv(decoder, origin, &mut stream)),
                Ok(Unpacked::Workbook(bytes)) => decoded.extend(decode_workbook(decoder, origin, &bytes, room)),
                // Packed twice, a small file may be of any size.
                Ok(Unpacked::Gzip(_) | Unpacked::Archive(_)) => {
                    decoded.push(unreadable(decoder, origin, "a packed file in an archive"));
                }
                Ok(Unpacked::Broken(reason)) | Err(reason) => decoded.push(unreadable(decoder, origin, &reason)),
            }
        })
    });
    let reason = match ended.and_then(|ended| ended) {
        Ok(()) if decoded.is_empty() => "an archive without a file".to_owned(),
        Ok(()) => return decoded,
        Err(reason) => reason,
    };
    decoded.push(unreadable(decoder, origin, &reason));
    decoded
}

/// Each sheet as a file; by the workbook's name where there is one. Takes what the sheets come to from `room`.
fn decode_workbook(decoder: &Decoder<'_>, origin: Origin<'_>, bytes: &[u8], room: &mut u64) -> Vec<Decoded> {
    let sheets = match guarded(|| sheet::as_csv(bytes, *room)).and_then(|sheets| sheets) {
        Ok(sheets) => sheets,
        Err(reason) => return vec![unreadable(decoder, origin, &reason)],
    };
    *room -= sheets.iter().map(|(_, csv)| csv.len() as u64).sum::<u64>().min(*room);
    let is_one = sheets.len() == 1;
    let decode = |(sheet, csv): (String, Vec<u8>)| {
        let sheet = || format!("{}/{}", origin.name, model::id::without_upns(&sheet));
        let name = if is_one { origin.name.to_owned() } else { sheet() };
        decode_csv(decoder, Origin { name: &name, ..origin }, &mut csv.as_slice())
    };
    sheets.into_iter().map(decode).collect()
}

fn decode_csv(decoder: &Decoder<'_>, origin: Origin<'_>, input: &mut dyn Read) -> Decoded {
    guarded(|| reading::read(decoder, origin, input)).unwrap_or_else(|reason| unreadable(decoder, origin, &reason))
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
