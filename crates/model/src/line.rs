//! The register's own shape: one line a pupil and week, fourteen boxes from Monday AM to Sunday PM.

use chrono::{Datelike, Days, NaiveDate};

/// Boxes in a line.
pub const SESSIONS_A_WEEK: usize = 14;
/// No mark is held for this session.
pub const BLANK: u8 = b'.';

/// One pupil's marks of one week; each box holds a code's letter or [`BLANK`].
pub type Line = [u8; SESSIONS_A_WEEK];

/// Half a school day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Session {
    /// Morning.
    Am,
    /// Afternoon.
    Pm,
}

impl Session {
    /// `AM` or `PM`, whatever the case; nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            t if t.eq_ignore_ascii_case("AM") => Some(Self::Am),
            t if t.eq_ignore_ascii_case("PM") => Some(Self::Pm),
            _ => None,
        }
    }

    /// `AM` or `PM`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Am => "AM",
            Self::Pm => "PM",
        }
    }
}

/// The Monday of a day's week.
pub fn monday_of(day: NaiveDate) -> NaiveDate {
    let back = u64::from(day.weekday().num_days_from_monday());
    day.checked_sub_days(Days::new(back)).unwrap_or(NaiveDate::MIN)
}

/// The Monday of a day's week, both as days from 1970-01-01, a Thursday.
pub fn monday_of_day(day: i32) -> i32 {
    day - (day + 3).rem_euclid(7)
}

/// Which box of its line a session is, 0 to 13.
pub fn box_of(day: NaiveDate, session: Session) -> usize {
    day.weekday().num_days_from_monday() as usize * 2 + usize::from(session == Session::Pm)
}

/// Days from 1970-01-01, as Arrow's Date32 counts them.
pub fn days_from_epoch(day: NaiveDate) -> i32 {
    day.signed_duration_since(NaiveDate::default()).num_days() as i32
}

/// The day of a Date32; the epoch where it lies outside what a date can be.
pub fn day_of(days: i32) -> NaiveDate {
    NaiveDate::default().checked_add_signed(chrono::Duration::days(i64::from(days))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_run_from_monday_morning_to_sunday_afternoon() {
        let friday = NaiveDate::from_ymd_opt(2026, 9, 4).unwrap();
        assert_eq!(monday_of(friday), NaiveDate::from_ymd_opt(2026, 8, 31).unwrap());
        assert_eq!(day_of(monday_of_day(days_from_epoch(friday))), monday_of(friday));
        assert_eq!(box_of(friday, Session::Am), 8);
        assert_eq!(box_of(friday + Days::new(2), Session::Pm), 13);
        assert_eq!(day_of(days_from_epoch(friday)), friday);
    }
}
