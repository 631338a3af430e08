//! What a reader asks of the page through its address: which moment, which schools, in what order.

use std::fmt::Write as _;

use super::date;

/// The question in an address, checked. Blank values are as good as none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The last school day that counts, `2026-11-20`. `None`: the newest.
    pub as_of: Option<String>,
    /// Only what had been received by this instant, RFC 3339. `None`: everything.
    pub known_at: Option<String>,
    /// The order of the schools.
    pub sort: SortBy,
    /// Which end first. `None`: the one that suits the order.
    pub direction: Option<Direction>,
    /// Only schools of this phase.
    pub phase: Option<Phase>,
}

/// A value in an address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongAsk {
    /// Which parameter.
    pub parameter: String,
    /// What it says.
    pub found: String,
    /// What it may say.
    pub expected: String,
}

/// The orders of the schools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub enum SortBy {
    #[default]
    Name,
    Phase,
    Trust,
    Enrolments,
    Absence,
    Persistent,
    PersistentPercent,
    Severe,
    SeverePercent,
    LastSent,
    RefusedRows,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a to z, from low to high, from long ago to now.
    Ascending,
    /// The other way.
    Descending,
}

/// The phases of the published views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its name")]
pub enum Phase {
    Primary,
    Secondary,
    Special,
    AlternativeProvision,
    Other,
}

const PARAMETERS: [&str; 5] = ["as_of", "known_at", "sort", "dir", "phase"];

impl Ask {
    /// Reads the pairs of a query string. A name it does not know is refused too: a misspelt `as_of` would
    /// otherwise show another day's figures without a word.
    pub fn read(pairs: &[(String, String)]) -> Result<Self, WrongAsk> {
        let mut ask = Ask::default();
        let mut seen = Vec::new();
        for (name, value) in pairs {
            let value = value.trim();
            let wrong = |expected: String| WrongAsk { parameter: name.clone(), found: value.to_owned(), expected };
            if !PARAMETERS.contains(&name.as_str()) {
                return Err(wrong(format!("only {} in the address", PARAMETERS.join(", "))));
            }
            if seen.contains(&name) {
                return Err(wrong("each parameter once".to_owned()));
            }
            seen.push(name);
            if value.is_empty() {
                continue;
            }
            match name.as_str() {
                "as_of" => {
                    date::day(value).ok_or_else(|| wrong("a day written like 2026-11-20".to_owned()))?;
                    ask.as_of = Some(value.to_owned());
                }
                "known_at" => {
                    // An unescaped + in an address arrives as a space.
                    let value = value.replace(' ', "+");
                    model::known_at(&value)
                        .ok_or_else(|| wrong("a day or a time, written like 2026-11-24T09:00:00Z".to_owned()))?;
                    ask.known_at = Some(value);
                }
                "sort" => {
                    let known = SortBy::ALL.into_iter().find(|sort| sort.name() == value);
                    ask.sort = known.ok_or_else(|| wrong(one_of(SortBy::ALL.map(SortBy::name))))?;
                }
                "dir" => {
                    let known = Direction::ALL.into_iter().find(|direction| direction.name() == value);
                    ask.direction = Some(known.ok_or_else(|| wrong(one_of(Direction::ALL.map(Direction::name))))?);
                }
                _ => {
                    let known = Phase::ALL.into_iter().find(|phase| phase.name() == value);
                    ask.phase = Some(known.ok_or_else(|| wrong(one_of(Phase::ALL.map(Phase::name))))?);
                }
            }
        }
        Ok(ask)
    }

    /// The direction that holds: as asked, or the one that suits the order.
    pub fn direction(&self) -> Direction {
        self.direction.unwrap_or(self.sort.natural_direction())
    }

    /// The query string that asks the same: empty, or from `?` on.
    pub fn query(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.pairs() {
            text.push(if text.is_empty() { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
                    text.push(char::from(byte));
                } else {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "%{byte:02X}");
                }
            }
        }
        text
    }

    /// Name and value of all that is asked beyond the defaults.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        pairs.extend(self.as_of.clone().map(|value| ("as_of", value)));
        pairs.extend(self.known_at.clone().map(|value| ("known_at", value)));
        if self.sort != SortBy::default() {
            pairs.push(("sort", self.sort.name().to_owned()));
        }
        pairs.extend(self.direction.map(|value| ("dir", value.name().to_owned())));
        pairs.extend(self.phase.map(|value| ("phase", value.name().to_owned())));
        pairs
    }
}

fn one_of<const N: usize>(names: [&str; N]) -> String {
    format!("one of {}", names.join(", "))
}

impl SortBy {
    /// All of them, in the order of the columns.
    pub const ALL: [SortBy; 11] = [
        SortBy::Name,
        SortBy::Phase,
        SortBy::Trust,
        SortBy::Enrolments,
        SortBy::Absence,
        SortBy::Persistent,
        SortBy::PersistentPercent,
        SortBy::Severe,
        SortBy::SeverePercent,
        SortBy::LastSent,
        SortBy::RefusedRows,
    ];

    /// As the address says it.
    pub fn name(self) -> &'static str {
        match self {
            SortBy::Name => "name",
            SortBy::Phase => "phase",
            SortBy::Trust => "trust",
            SortBy::Enrolments => "enrolments",
            SortBy::Absence => "absence",
            SortBy::Persistent => "persistent",
            SortBy::PersistentPercent => "persistent_percent",
            SortBy::Severe => "severe",
            SortBy::SeverePercent => "severe_percent",
            SortBy::LastSent => "last_sent",
            SortBy::RefusedRows => "refused_rows",
        }
    }

    /// The end a reader wants first: names from a, silence from the longest, figures from the highest.
    pub fn natural_direction(self) -> Direction {
        match self {
            SortBy::Name | SortBy::Phase | SortBy::Trust | SortBy::LastSent => Direction::Ascending,
            _ => Direction::Descending,
        }
    }

    /// Whether it ranks schools by a rate, which only like and like can be.
    pub fn is_rate(self) -> bool {
        matches!(self, SortBy::Absence | SortBy::PersistentPercent | SortBy::SeverePercent)
    }
}

impl Direction {
    /// Both.
    pub const ALL: [Direction; 2] = [Direction::Ascending, Direction::Descending];

    /// As the address says it.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Ascending => "asc",
            Direction::Descending => "desc",
        }
    }

    /// The other one.
    pub fn reversed(self) -> Direction {
        match self {
            Direction::Ascending => Direction::Descending,
            Direction::Descending => Direction::Ascending,
        }
    }
}

impl Phase {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Phase; 5] =
        [Phase::Primary, Phase::Secondary, Phase::Special, Phase::AlternativeProvision, Phase::Other];

    /// As the address says it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Primary => "primary",
            Phase::Secondary => "secondary",
            Phase::Special => "special",
            Phase::AlternativeProvision => "alternative-provision",
            Phase::Other => "other",
        }
    }

    /// As the published views say it.
    pub fn title(self) -> &'static str {
        match self {
            Phase::Primary => "Primary",
            Phase::Secondary => "Secondary",
            Phase::Special => "Special",
            Phase::AlternativeProvision => "Alternative provision",
            Phase::Other => "Other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Ask, WrongAsk> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Ask::read(&pairs)
    }

    #[test]
    fn an_address_says_the_same_after_reading() {
        let ask = read(&[
            ("as_of", "2026-11-20"),
            ("known_at", "2026-11-24T09:00:00 01:00"),
            ("sort", "severe_percent"),
            ("dir", "asc"),
            ("phase", "alternative-provision"),
        ])
        .unwrap();
        assert_eq!(
            ask.query(),
            "?as_of=2026-11-20&known_at=2026-11-24T09:00:00%2B01:00&sort=severe_percent&dir=asc&phase=alternative-provision"
        );
        assert_eq!(Ask::default().query(), "");
    }

    #[test]
    fn blank_is_as_good_as_none() {
        assert_eq!(read(&[("as_of", " "), ("phase", ""), ("sort", "")]), Ok(Ask::default()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value) in [
            ("as_of", "20/11/2026"),
            ("as_of", "2026-02-30"),
            ("known_at", "24/11/2026"),
            ("sort", "Absence"),
            ("dir", "up"),
            ("phase", "Nursery"),
            ("asof", "2026-11-20"),
        ] {
            let wrong = read(&[(name, value)]).unwrap_err();
            assert_eq!((wrong.parameter.as_str(), wrong.found.as_str()), (name, value));
        }
        assert_eq!(read(&[("phase", "special"), ("phase", "other")]).unwrap_err().expected, "each parameter once");
    }

    #[test]
    fn figures_come_highest_first() {
        assert_eq!(read(&[("sort", "absence")]).unwrap().direction(), Direction::Descending);
        assert_eq!(read(&[("sort", "absence"), ("dir", "asc")]).unwrap().direction(), Direction::Ascending);
        assert_eq!(Ask::default().direction(), Direction::Ascending);
    }
}
