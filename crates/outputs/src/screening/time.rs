//! Time periods and what kind of period they are.

use std::collections::BTreeSet;

use super::{Check, Pair, Verdict};

/// Identifiers that go with a period of six digits, e.g. `202627`.
pub(crate) const SIX_DIGIT_IDENTIFIERS: [&str; 13] = [
    "Academic year",
    "Financial year",
    "Tax year",
    "Autumn term",
    "Spring term",
    "Summer term",
    "Autumn and spring term",
    "Financial year Q1",
    "Financial year Q2",
    "Financial year Q3",
    "Financial year Q4",
    "Part 1 (April to September)",
    "Part 2 (October to March)",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const IDENTIFIERS: &[Check] = &[
    Check::new("time_period_num", "every time_period is made of digits", time_period_num),
    Check::new("time_id_valid", "every time_identifier is one that EES knows", time_id_valid),
    Check::new("time_id_mix", "the time_identifiers go together in one file", time_id_mix),
];

pub(super) const PERIODS: &[Check] = &[
    Check::new("time_period", "every time_period has as many digits as its time_identifier asks for", time_period),
    Check::new("time_period_six", "every time_period of six digits is two successive years", time_period_six),
];

/// Whether six digits are a year and the next one's last two digits: `202627`.
pub(crate) fn are_successive_years(period: &str) -> bool {
    let digits = period.len() == 6 && period.bytes().all(|byte| byte.is_ascii_digit());
    let years = period.parse::<u32>().map(|period| (period / 100, period % 100));
    digits && years.is_ok_and(|(first, second)| (first + 1) % 100 == second)
}

/// How many digits the identifier's periods have, and the identifiers that it may stand with.
fn kind(identifier: &str) -> Option<(usize, &str)> {
    if SIX_DIGIT_IDENTIFIERS.contains(&identifier) {
        let together = match identifier {
            "Autumn term" | "Spring term" | "Summer term" => "terms",
            name if name.starts_with("Financial year Q") => "quarters",
            name if name.starts_with("Part ") => "halves",
            name => name,
        };
        return Some((6, together));
    }
    if MONTHS.contains(&identifier) {
        return Some((4, "months"));
    }
    // EES knows no week 53.
    if (1..=52).any(|week| identifier == format!("Week {week}")) {
        return Some((4, "weeks"));
    }
    matches!(identifier, "Calendar year" | "Reporting year").then_some((4, identifier))
}

/// The different pairs of period and identifier.
fn periods<'a>(pair: &'a Pair) -> BTreeSet<(&'a str, &'a str)> {
    pair.data.values("time_period").zip(pair.data.values("time_identifier")).collect()
}

fn time_period_num(pair: &Pair) -> Verdict {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let others = periods(pair).into_iter().map(|(period, _)| period).filter(|period| !number(period));
    Verdict::fail_if_any("time_period that is no number", others)
}

fn time_id_valid(pair: &Pair) -> Verdict {
    let others = periods(pair).into_iter().map(|(_, name)| name).filter(|name| kind(name).is_none());
    Verdict::fail_if_any("time_identifier that EES does not know", others)
}

fn time_id_mix(pair: &Pair) -> Verdict {
    let kinds: BTreeSet<_> = periods(pair).into_iter().filter_map(|(_, name)| kind(name)).collect();
    let mixed = kinds.len() > 1;
    let names = kinds.into_iter().map(|(_, together)| together).filter(|_| mixed);
    Verdict::fail_if_any("kinds of period that can't be in one file", names)
}

fn time_period(pair: &Pair) -> Verdict {
    let wrong = periods(pair)
        .into_iter()
        .filter(|(period, identifier)| kind(identifier).is_some_and(|(digits, _)| period.len() != digits));
    let shown = wrong.map(|(period, identifier)| format!("{period} {identifier}"));
    Verdict::fail_if_any("time_period with too many or too few digits", shown)
}

fn time_period_six(pair: &Pair) -> Verdict {
    let periods = periods(pair).into_iter().map(|(period, _)| period);
    let wrong = periods.filter(|period| period.len() == 6 && !are_successive_years(period));
    Verdict::fail_if_any("time_period that is not two successive years", wrong)
}
