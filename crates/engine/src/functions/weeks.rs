//! A stretch of weeks that grows on both sides, with something of each.

use datafusion::common::{Result, exec_err};

use crate::register::MOST_WEEKS;

/// From the first Monday on, one `T` a week.
#[derive(Clone, Debug, Default)]
pub(super) struct Weeks<T> {
    pub(super) first_week: i32,
    pub(super) each: Vec<T>,
}

impl<T: Clone + Default> Weeks<T> {
    /// Makes room for so many weeks from a Monday on, and gives them and those after.
    pub(super) fn from(&mut self, monday: i32, weeks: usize) -> Result<&mut [T]> {
        if weeks == 0 {
            return Ok(&mut []);
        }
        if self.each.is_empty() {
            self.first_week = monday;
        }
        let before = (i64::from(self.first_week) - i64::from(monday)).max(0) as usize / 7;
        let at = (i64::from(monday) - i64::from(self.first_week)).max(0) as usize / 7;
        let most = MOST_WEEKS as usize;
        if most < before + self.each.len() || most < at + weeks {
            return exec_err!("a register of more than {MOST_WEEKS} weeks");
        }
        if 0 < before {
            self.each.splice(0..0, std::iter::repeat_n(T::default(), before));
            self.first_week = monday;
        }
        if self.each.len() < at + weeks {
            self.each.resize(at + weeks, T::default());
        }
        Ok(self.each.get_mut(at..).unwrap_or_default())
    }

    /// Bytes it holds.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.each.capacity() * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_on_both_sides_and_within_bounds() {
        let mut weeks: Weeks<u8> = Weeks::default();
        weeks.from(70, 2).unwrap()[1] = 1;
        weeks.from(63, 1).unwrap()[0] = 2;
        weeks.from(84, 1).unwrap()[0] = 3;
        assert!(weeks.from(i32::MIN, 0).unwrap().is_empty());
        assert_eq!((weeks.first_week, &weeks.each[..]), (63, &[2, 0, 1, 3][..]));
        assert!(weeks.from(i32::MAX - 7, 1).is_err());
        assert!(weeks.from(i32::MIN, 1).is_err());
    }
}
