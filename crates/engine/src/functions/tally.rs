//! The measures of a register.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int32Array, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};

use crate::line_book::MEASURES;

/// How many of [`MEASURES`] a tally shows: all but the last.
pub(super) const TALLIED: usize = MEASURES.len() - 1;

/// The sum of what lines come to: sixteen bits for each of [`MEASURES`].
pub(super) struct Tally(pub(super) u128);

impl Tally {
    /// One 32-bit count a measure.
    pub(super) fn fields() -> Fields {
        MEASURES[..TALLIED].iter().map(|name| Field::new(*name, DataType::Int32, false)).collect()
    }

    /// Empty columns for so many rows.
    pub(super) fn columns(rows: usize) -> [Vec<i32>; TALLIED] {
        std::array::from_fn(|_| Vec::with_capacity(rows))
    }

    /// Adds its counts to columns.
    pub(super) fn push_to(self, columns: &mut [Vec<i32>; TALLIED]) {
        for (place, column) in columns.iter_mut().enumerate() {
            column.push((self.0 >> (16 * place) & 0xffff) as i32);
        }
    }

    /// Columns as one struct.
    pub(super) fn array(columns: [Vec<i32>; TALLIED]) -> StructArray {
        let columns = columns.into_iter().map(|c| Arc::new(Int32Array::from(c)) as ArrayRef).collect();
        StructArray::new(Self::fields(), columns, None)
    }
}

#[cfg(test)]
mod tests {
    use model::{CodeTable, SESSIONS_A_WEEK};

    use super::*;
    use crate::line_book::LineBook;
    use crate::register::MOST_WEEKS;

    #[test]
    fn the_longest_register_overflows_no_count() {
        let codes = CodeTable::parse(include_str!("../../../../sql/reference/attendance_code.csv")).unwrap();
        let book = LineBook::of(&codes);
        let full = book.number(&[[b'/'; SESSIONS_A_WEEK]])[0];
        let mut counts = Tally::columns(1);
        Tally((0..MOST_WEEKS).map(|_| book.read().tally(full)).sum()).push_to(&mut counts);
        let all = MOST_WEEKS * SESSIONS_A_WEEK as i32;
        assert_eq!(counts.map(|c| c[0]), [all, all, 0, 0, 0, 0, all]);
    }
}
