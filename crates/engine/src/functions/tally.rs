//! The measures of a stretch of boxes, all in one pass.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int32Array, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use model::{BLANK, CodeTable, SESSIONS_A_WEEK};

/// The measures that are counted at once, in the order of the fields.
pub const TALLIED: [&str; 7] = ["possible", "attended", "absent", "authorised", "unauthorised", "late", "recorded"];

/// So many boxes, of whole weeks, cannot overflow a counter of eight bits.
const STRETCH: usize = 18 * SESSIONS_A_WEEK;

/// A weekend without a mark, as nearly always: four boxes in fourteen need no look.
pub(super) const BLANK_WEEKEND: [u8; 4] = [BLANK; 4];

/// A line's ten boxes from Monday to Friday, and its four of the weekend.
pub(super) fn week_of(line: &[u8; SESSIONS_A_WEEK]) -> (&[u8; 10], &[u8; 4]) {
    let [days @ .., _, _, _, _] = line;
    let [_, _, _, _, _, _, _, _, _, _, weekend @ ..] = line;
    (days, weekend)
}

/// What each letter adds: seven counters of eight bits in one word. A stretch is the sum of its letters' words.
#[derive(Clone)]
pub struct Tally {
    words: [u64; 128],
}

/// The counts of one register, in the order of [`TALLIED`].
pub struct Counts([i32; TALLIED.len()]);

impl Counts {
    /// Adds them to columns.
    pub fn push_to(self, columns: &mut [Vec<i32>; TALLIED.len()]) {
        for (column, count) in columns.iter_mut().zip(self.0) {
            column.push(count);
        }
    }
}

impl Tally {
    /// The measures as the code table has them.
    pub fn of(codes: &CodeTable) -> Self {
        let mut words = [0u64; 128];
        for (place, name) in TALLIED.iter().enumerate() {
            if let Some(set) = codes.set(name) {
                for (letter, inside) in set.iter().enumerate() {
                    words[letter] |= u64::from(*inside) << (8 * place);
                }
            }
        }
        Self { words }
    }

    /// One 32-bit count a measure.
    pub fn fields() -> Fields {
        TALLIED.iter().map(|name| Field::new(*name, DataType::Int32, false)).collect()
    }

    /// Empty columns for so many rows.
    pub fn columns(&self, rows: usize) -> [Vec<i32>; TALLIED.len()] {
        std::array::from_fn(|_| Vec::with_capacity(rows))
    }

    /// Counts boxes.
    pub fn count(&self, boxes: &[u8]) -> Counts {
        let word = |b: &u8| self.words[usize::from(*b & 127)];
        let mut counts = [0i32; TALLIED.len()];
        for stretch in boxes.chunks(STRETCH) {
            let (lines, rest) = stretch.as_chunks::<SESSIONS_A_WEEK>();
            let mut sum: u64 = rest.iter().map(word).sum();
            for line in lines {
                let (days, weekend) = week_of(line);
                sum += days.iter().map(word).sum::<u64>();
                if *weekend != BLANK_WEEKEND {
                    sum += weekend.iter().map(word).sum::<u64>();
                }
            }
            for (place, count) in counts.iter_mut().enumerate() {
                *count += (sum >> (8 * place) & 255) as i32;
            }
        }
        Counts(counts)
    }

    /// Columns as one struct.
    pub fn array(columns: [Vec<i32>; TALLIED.len()]) -> StructArray {
        let columns = columns.into_iter().map(|c| Arc::new(Int32Array::from(c)) as ArrayRef).collect();
        StructArray::new(Self::fields(), columns, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_of_marks_overflows_no_counter() {
        let codes = CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        let tally = Tally::of(&codes);
        assert_eq!(tally.count(&[b'/'; 1001]).0, [1001, 1001, 0, 0, 0, 0, 1001]);
        assert_eq!(tally.count(b"/\\IUO.#").0, [5, 2, 3, 1, 2, 1, 6]);
    }
}
