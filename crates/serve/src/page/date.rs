//! Days and instants in words, as people in England say them. No clock: only what is handed in.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// A day written `2026-09-07` and in no other way.
pub fn day(iso: &str) -> Option<NaiveDate> {
    if iso.len() == 10 { NaiveDate::parse_from_str(iso, "%Y-%m-%d").ok() } else { None }
}

/// `7 September 2026`, from a day or from an instant (then the day it is in England). What cannot be read
/// is given back as it came.
pub fn day_in_words(text: &str) -> String {
    worded(text, "%-d %B %Y")
}

/// `7 September`: where the school year is said beside it.
pub fn day_and_month(text: &str) -> String {
    worded(text, "%-d %B")
}

/// `7 Sep 2026`: for a cell of a table.
pub fn day_in_brief(text: &str) -> String {
    worded(text, "%-d %b %Y")
}

/// `Friday 20 November 2026`.
pub fn weekday_in_words(text: &str) -> String {
    worded(text, "%A %-d %B %Y")
}

/// `24 November 2026 at 9:05am`, the time by clocks in England, from an instant as RFC 3339 writes it; `the end of 24
/// November 2026` from the last second of a day, which is what a day means where an instant is asked for.
pub fn instant_in_words(rfc3339: &str) -> String {
    let words = |at: DateTime<Utc>| match at.time().format("%T").to_string().as_str() {
        "23:59:59" => at.format("the end of %-d %B %Y").to_string(),
        _ => in_england(at).format("%-d %B %Y at %-I:%M%P").to_string(),
    };
    model::known_at(rfc3339).map_or_else(|| rfc3339.to_owned(), words)
}

fn worded(text: &str, format: &str) -> String {
    day(text)
        .or_else(|| model::known_at(text).map(|at| in_england(at).date()))
        .map(|day| day.format(format).to_string())
        .unwrap_or_else(|| text.to_owned())
}

/// Summer time in England runs from 01:00 UTC on the last Sunday of March to 01:00 UTC on the last Sunday
/// of October (Summer Time Order 2002, S.I. 2002/262).
fn in_england(at: DateTime<Utc>) -> NaiveDateTime {
    let utc = at.naive_utc();
    let turn = |month| {
        let last_day = NaiveDate::from_ymd_opt(utc.year(), month, 31)?;
        let sunday = last_day.checked_sub_days(Days::new(last_day.weekday().num_days_from_sunday().into()))?;
        Some(sunday.and_time(NaiveTime::from_hms_opt(1, 0, 0)?))
    };
    let is_summer = matches!((turn(3), turn(10)), (Some(begins), Some(ends)) if begins <= utc && utc < ends);
    utc + TimeDelta::hours(i64::from(is_summer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_in_words() {
        assert_eq!(weekday_in_words("2026-11-20"), "Friday 20 November 2026");
        assert_eq!(day_in_words("2026-09-07"), "7 September 2026");
        assert_eq!(day_in_brief("2026-09-07"), "7 Sep 2026");
        assert_eq!(day_in_words("not a day"), "not a day");
    }

    #[test]
    fn days_that_are_none() {
        for wrong in ["2026-02-29", "2026-13-01", "2026-9-07", "07/09/2026", "", "2026-09-0é", "2026-09-07 "] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn instants_by_clocks_in_england() {
        assert_eq!(instant_in_words("2026-11-24T09:05:00Z"), "24 November 2026 at 9:05am");
        assert_eq!(instant_in_words("2026-09-07T23:30:00.123Z"), "8 September 2026 at 12:30am");
        assert_eq!(instant_in_words("2026-09-07T13:00:00+01:00"), "7 September 2026 at 1:00pm");
        assert_eq!(day_in_words("2026-09-07T23:30:00Z"), "8 September 2026");
        assert_eq!(instant_in_words("yesterday"), "yesterday");
        assert_eq!(instant_in_words("2026-10-01"), "the end of 1 October 2026");
    }

    #[test]
    fn the_hours_at_which_clocks_change() {
        assert_eq!(instant_in_words("2026-03-29T00:59:00Z"), "29 March 2026 at 12:59am");
        assert_eq!(instant_in_words("2026-03-29T01:00:00Z"), "29 March 2026 at 2:00am");
        assert_eq!(instant_in_words("2026-10-25T00:59:00Z"), "25 October 2026 at 1:59am");
        assert_eq!(instant_in_words("2026-10-25T01:00:00Z"), "25 October 2026 at 1:00am");
    }

    #[test]
    fn instants_that_are_none() {
        for wrong in ["24/11/2026", "2026-11-24T25:00:00Z", "2026-11-24T09:61Z", "2026-11-24T09:00:00", "né", ""] {
            assert_eq!(model::known_at(wrong), None, "{wrong}");
        }
        assert_eq!(model::known_at("2026-11-24T09:00Z"), model::known_at("2026-11-24T10:00:00+01:00"));
    }
}
