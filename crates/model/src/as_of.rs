//! The two times every figure takes.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// Up to which school day, and what the authority had been told by then.
/// A figure that does not say both cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AsOf {
    /// The last school day that counts, included.
    pub as_of: NaiveDate,
    /// Only what had been received at or before this instant is believed.
    pub known_at: DateTime<Utc>,
}

/// The instant that `known_at` means: as RFC 3339 writes it, with or without seconds, or a day, which ends at midnight
/// UTC.
pub fn known_at(text: &str) -> Option<DateTime<Utc>> {
    let with_seconds = || Some(format!("{}:00{}", text.get(..16)?, text.get(16..)?));
    let instant = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    let end_of = |day: NaiveDate| Some(day.succ_opt()?.and_hms_opt(0, 0, 0)?.and_utc() - TimeDelta::microseconds(1));
    instant(text).or_else(|| instant(&with_seconds()?)).or_else(|| end_of(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_known_to_its_end() {
        for (text, means) in [
            ("2026-11-21", Some("2026-11-21T23:59:59.999999Z")),
            ("2026-11-21T09:00Z", Some("2026-11-21T09:00:00Z")),
            ("2026-11-21T09:00:00+01:00", Some("2026-11-21T08:00:00Z")),
            ("2026-02-30", None),
            ("yesterday", None),
        ] {
            assert_eq!(known_at(text), means.map(|at| at.parse().unwrap()), "{text}");
        }
    }
}
