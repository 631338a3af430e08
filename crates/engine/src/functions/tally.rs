//! The measures of a stretch of boxes, all in one pass.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int32Array, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use model::CodeTable;

/// The measures that are counted at once, in the order of the fields.
pub const TALLIED: [&str; 7] = ["possible", "attended", "absent", "authorised", "unauthorised", "late", "recorded"];

/// So many boxes cannot overflow a counter of eight bits.
const STRETCH: usize = 252;

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
        let word = |b: u8| self.words[usize::from(b & 127)];
        let mut counts = [0i32; TALLIED.len()];
        for stretch in boxes.chunks(STRETCH) {
            // Four sums at a time: an addition need not wait for the one before.
            let mut sums = [0u64; 4];
            let fours = stretch.chunks_exact(4);
            let rest: u64 = fours.remainder().iter().map(|b| word(*b)).sum();
            for four in fours {
                for (sum, b) in sums.iter_mut().zip(four) {
                    *sum += word(*b);
                }
            }
            let sum = rest + sums.iter().sum::<u64>();
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
