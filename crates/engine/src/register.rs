//! A child's register as one value: the Monday of its first week (days from the epoch) and the number of each week's
//! line in the session's book, four bytes each, least first.

use std::ops::Range;

/// More weeks than any register has: a date that went wrong is refused, not allocated.
pub(crate) const MOST_WEEKS: i32 = 53 * 30;

/// Writes a register: the Monday of its first week and the number of each week's line, four bytes each, least first.
pub(crate) fn write_register(first_week: i32, numbers: impl IntoIterator<Item = u32>, into: &mut Vec<u8>) {
    into.extend_from_slice(&first_week.to_le_bytes());
    numbers.into_iter().for_each(|number| into.extend_from_slice(&number.to_le_bytes()));
}

/// A register, read: the numbers of its lines, a week each.
#[derive(Clone, Copy)]
pub(crate) struct Register<'a> {
    /// The Monday of its first week.
    pub(crate) first_week: i32,
    numbers: &'a [[u8; 4]],
}

impl<'a> Register<'a> {
    /// One without a line.
    pub(crate) fn empty(first_week: i32) -> Self {
        Self { first_week, numbers: &[] }
    }

    /// Reads a value; none where it has not even a week.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (week, numbers) = bytes.split_first_chunk::<4>()?;
        Some(Self { first_week: i32::from_le_bytes(*week), numbers: numbers.as_chunks().0 })
    }

    /// How many weeks it spans.
    pub(crate) fn weeks(self) -> usize {
        self.numbers.len()
    }

    /// Each week's line.
    pub(crate) fn numbers(self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator + 'a {
        self.numbers.iter().map(|number| u32::from_le_bytes(*number))
    }

    /// Each week's Monday and line.
    pub(crate) fn lines(self) -> impl DoubleEndedIterator<Item = (i32, u32)> + ExactSizeIterator + 'a {
        self.numbers().enumerate().map(move |(nth, number)| (self.monday(nth), number))
    }

    /// The Monday of its nth week.
    pub(crate) fn monday(self, nth: usize) -> i32 {
        self.first_week + 7 * nth as i32
    }

    /// Some of its weeks.
    pub(crate) fn slice(self, weeks: Range<usize>) -> Self {
        Self { first_week: self.monday(weeks.start), numbers: self.numbers.get(weeks).unwrap_or_default() }
    }

    /// The line of its nth week.
    pub(crate) fn number(self, nth: usize) -> Option<u32> {
        self.numbers.get(nth).map(|number| u32::from_le_bytes(*number))
    }
}
