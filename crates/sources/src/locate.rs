//! Where in a marks file a pupil's session stands.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use chrono::NaiveDate;
use model::{Session, Upn, Urn};

use crate::csv_rows::{Blocks, Row, Rows, Step};
use crate::decode::Mapping;
use crate::marks::parse_urn;
use crate::{date, header};

/// A school, a child, a day, a half day.
pub type Place = (Urn, i64, NaiveDate, Session);

/// The first line of each place asked for. A file that cannot be read gives none.
pub fn lines(mapping: &Mapping, input: Box<dyn Read + Send>, wanted: &HashSet<Place>) -> HashMap<Place, u64> {
    let mut found = HashMap::new();
    let mut blocks = Blocks::new(input);
    let mut columns: Option<[usize; 4]> = None;
    let (mut rows, mut row) = (Rows::default(), Row::default());
    while let Ok(Some(block)) = blocks.next_block() {
        let bom = columns.is_none() && block.bytes.starts_with(&[0xef, 0xbb, 0xbf]);
        let (mut at, mut line) = (if bom { 3 } else { 0 }, block.first_line);
        loop {
            match rows.step(block.bytes, &mut at, &mut line, &mut row) {
                Step::End => break,
                Step::TooLong => continue,
                Step::Row => {}
            }
            let Some([urn, upn, day, session]) = columns else {
                let fields: Vec<String> = (0..row.len()).map(|i| row.text(i).into_owned()).collect();
                let Ok(header) = header::read(&fields, &mapping.columns) else { return found };
                match header.columns.get(..4) {
                    Some([Some(urn), Some(upn), Some(day), Some(session)]) => {
                        columns = Some([*urn, *upn, *day, *session]);
                    }
                    _ => return found,
                }
                continue;
            };
            let place = (|| {
                let upn = Upn::parse(row.text(upn).to_ascii_uppercase().as_bytes()).ok()?;
                let urn = parse_urn(row.bytes(urn).trim_ascii())?;
                Some((urn, upn.key(), date::parse(&row.text(day))?.0, Session::parse(&row.text(session))?))
            })();
            if let Some(place) = place.filter(|p| wanted.contains(p)) {
                found.entry(place).or_insert(row.line);
                if found.len() == wanted.len() {
                    return found;
                }
            }
        }
    }
    found
}
