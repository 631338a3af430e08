//! Where in a marks file a pupil's session stands.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use chrono::NaiveDate;
use model::{Session, Upn, Urn};

use crate::csv_rows::{Blocks, Row, Rows, Step};
use crate::decoder::Mapping;
use crate::kind::parse_urn;
use crate::{date, header};

/// A school, a child, a day, a half day.
pub type Place = (Urn, i64, NaiveDate, Session);

/// The first line of each place asked for. A rule that speaks of a day names its morning: where the file has no row
/// of that, the line is that of the afternoon. A file that cannot be read gives none.
pub fn lines(mapping: &Mapping, input: Box<dyn Read + Send>, wanted: &HashSet<Place>) -> HashMap<Place, u64> {
    let (mut found, mut afternoons) = (HashMap::new(), HashMap::new());
    read(mapping, input, wanted, &mut found, &mut afternoons);
    for (place, line) in afternoons {
        found.entry(place).or_insert(line);
    }
    found
}

fn read(
    mapping: &Mapping,
    input: Box<dyn Read + Send>,
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
    use super::*;

    #[test]
    fn a_day_without_a_morning_is_found_by_its_afternoon() {
        let text = "URN,UPN,Date,Session,Mark\n140001,Q850200120003,07/09/2026,PM,/\n\
                    140001,Q850200120003,08/09/2026,PM,/\n140001,Q850200120003,08/09/2026,AM,/\n";
        let key = Upn::parse(b"Q850200120003").unwrap().key();
        let at = |day, session| (140001, key, NaiveDate::from_ymd_opt(2026, 9, day).unwrap(), session);
        let wanted = HashSet::from([at(7, Session::Am), at(8, Session::Am), at(9, Session::Am)]);
        let found = lines(&Mapping::default(), Box::new(text.as_bytes()), &wanted);
        assert_eq!(found, HashMap::from([(at(7, Session::Am), 2), (at(8, Session::Am), 4)]));
    }
}
