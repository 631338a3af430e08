//! Where in a marks file a pupil's session stands.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use chrono::NaiveDate;
use model::{Session, Upn, Urn};

use crate::contents::{each_file, guarded};
use crate::csv_rows::{Blocks, Row, Rows, Step};
use crate::decoder::Mapping;
use crate::kind::parse_urn;
use crate::{date, header};

/// A school, a child, a day, a half day.
pub type Place = (Urn, i64, NaiveDate, Session);

/// A file as it landed, read once more.
pub struct Again<'a> {
    /// What it may unpack to, in bytes.
    pub unpacked_limit: u64,
    /// The source's mapping.
    pub mapping: &'a Mapping,
    /// Its name.
    pub name: &'a str,
}

/// The first line of each place asked for in the files that it holds, by their names; in a workbook, the row. A rule
/// that speaks of a day names its morning: where a file has no row of that, the line is that of the afternoon. A file
/// that cannot be read gives none.
pub fn lines(
    file: &Again<'_>,
    input: Box<dyn Read + Send>,
    wanted: &HashMap<String, HashSet<Place>>,
) -> HashMap<String, HashMap<Place, u64>> {
    let mut found: HashMap<String, HashMap<Place, u64>> = HashMap::new();
    each_file(file.unpacked_limit, file.name, input, &mut |name, stream| {
        let (Some(wanted), Ok(stream)) = (wanted.get(name), stream) else { return };
        let (mut lines, mut afternoons) = (HashMap::new(), HashMap::new());
        // What stumbles over the bytes has been refused before.
        let _ = guarded(|| read(file.mapping, stream, wanted, &mut lines, &mut afternoons));
        for (place, line) in afternoons {
            lines.entry(place).or_insert(line);
        }
        found.insert(name.to_owned(), lines);
    });
    found
}

fn read(
    mapping: &Mapping,
    input: &mut dyn Read,
    wanted: &HashSet<Place>,
    found: &mut HashMap<Place, u64>,
    afternoons: &mut HashMap<Place, u64>,
) {
    let mut blocks = Blocks::new(input);
    let mut columns: Option<[usize; 4]> = None;
    let (mut rows, mut row) = (Rows::default(), Row::default());
    while let Ok(Some(block)) = blocks.next_block() {
        let bom = columns.is_none() && block.bytes.starts_with(&[0xef, 0xbb, 0xbf]);
        let (mut at, mut line) = (if bom { 3 } else { 0 }, block.first_line);
        loop {
            match rows.step(block.bytes, block.goes_on, &mut at, &mut line, &mut row) {
                Step::Unfinished | Step::End => break,
                Step::TooLong => continue,
                Step::Row => {}
            }
            let Some([urn, upn, day, session]) = columns else {
                let fields: Vec<String> = (0..row.len()).map(|i| row.text(i).into_owned()).collect();
                let Ok(header) = header::read(&fields, &mapping.columns) else { return };
                match header.columns.get(..4) {
                    Some([Some(urn), Some(upn), Some(day), Some(session)]) => {
                        columns = Some([*urn, *upn, *day, *session]);
                    }
                    _ => return,
                }
                continue;
            };
            let place = (|| {
                let upn = Upn::parse(row.text(upn).to_ascii_uppercase().as_bytes()).ok()?;
                let urn = parse_urn(row.bytes(urn).trim_ascii())?;
                Some((urn, upn.key(), date::parse(&row.text(day))?.0, Session::parse(&row.text(session))?))
            })();
            let Some(place) = place else { continue };
            let morning = (place.0, place.1, place.2, Session::Am);
            if wanted.contains(&place) {
                found.entry(place).or_insert(row.line);
                if found.len() == wanted.len() {
                    return;
                }
            } else if wanted.contains(&morning) {
                afternoons.entry(morning).or_insert(row.line);
            }
        }
        blocks.give_back(at);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;

    #[test]
    fn a_day_without_a_morning_is_found_by_its_afternoon() {
        let text = "URN,UPN,Date,Session,Mark\n140001,Q850200120003,07/09/2026,PM,/\n\
                    140001,Q850200120003,08/09/2026,PM,/\n140001,Q850200120003,08/09/2026,AM,/\n";
        let key = Upn::parse(b"Q850200120003").unwrap().key();
        let at = |day, session| (140001, key, NaiveDate::from_ymd_opt(2026, 9, day).unwrap(), session);
        let wanted = HashSet::from([at(7, Session::Am), at(8, Session::Am), at(9, Session::Am)]);
        let expected = HashMap::from([(at(7, Session::Am), 2), (at(8, Session::Am), 4)]);
        let found = |name: &str, bytes: Vec<u8>| {
            let again = Again { unpacked_limit: 1 << 20, mapping: &Mapping::default(), name: "m" };
            let wanted = HashMap::from([(name.to_owned(), wanted.clone())]);
            lines(&again, Box::new(Cursor::new(bytes)), &wanted).remove(name).unwrap_or_default()
        };
        assert_eq!(found("m", text.into()), expected);
        // So it is in a file that is packed, and in no other of an archive.
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(text.as_bytes()).unwrap();
        assert_eq!(found("m", gz.finish().unwrap()), expected);
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["a.csv", "b.csv"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(if name == "b.csv" { text } else { "URN,UPN\n1" }.as_bytes()).unwrap();
        }
        let zip = zip.finish().unwrap().into_inner();
        assert_eq!(found("m/b.csv", zip.clone()), expected);
        assert_eq!(found("m/a.csv", zip), HashMap::new());
    }
}
