//! The school year, 1 September to 31 August, named in the DfE's six digits (`202627`).

use chrono::{Datelike, NaiveDate};

/// A school year by the calendar year in which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AcademicYear(pub i32);

impl AcademicYear {
    /// The year that contains a day.
    pub fn of(day: NaiveDate) -> Self {
        Self(if day.month() < 9 { day.year() - 1 } else { day.year() })
    }

    /// The DfE's `time_period`, e.g. `202627`.
    pub fn label(self) -> String {
        format!("{:04}{:02}", self.0, (self.0 + 1) % 100)
    }

    /// 1 September.
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.0, 9, 1).unwrap_or(NaiveDate::MIN)
    }

    /// 31 August of the next calendar year.
    pub fn last_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.0 + 1, 8, 31).unwrap_or(NaiveDate::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_turns_on_the_first_of_september() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        assert_eq!(AcademicYear::of(day(2026, 8, 31)).label(), "202526");
        assert_eq!(AcademicYear::of(day(2026, 9, 1)).label(), "202627");
        assert_eq!(AcademicYear::of(day(1999, 9, 1)).label(), "199900");
    }
}
