//! Rows and cells as a whole, names shared across statistics, and the limits of the API.

use std::collections::HashSet;

use super::geography::place_and_time_columns;
use super::{Check, Pair, Verdict};

pub(super) const ROWS: &[Check] = &[
    Check::new("general_dupes", "no two rows are about the same", general_dupes),
    Check::new("general_null", "no cell says NULL or NA", general_null),
];

pub(super) const INDICATORS: &[Check] =
    &[Check::new("ind_invalid_entry", "no indicator is blank or one of the old symbols ~ and :", ind_invalid_entry)];

pub(super) const HARMONISED: &[Check] = &[Check::new(
    "harmonised_variables",
    "filters have the names that all education statistics share",
    harmonised_variables,
)];

pub(super) const API_LIMITS: &[Check] = &[
    Check::new("api_char_col_name", "no column name is longer than 50 characters", |pair| {
        longer_than(50, pair.described.iter().map(|row| row.col_name.as_str()))
    }),
    Check::new("api_char_col_label", "no label is longer than 100 characters", |pair| {
        longer_than(100, pair.described.iter().map(|row| row.label.as_str()))
    }),
    Check::new("api_char_loc_code", "no place's code is longer than 30 characters", |pair| {
        let codes = place_and_time_columns().filter(|name| is_code(name));
        longer_than(30, codes.flat_map(|column| pair.data.values(column)))
    }),
    Check::new("api_char_filter_items", "no filter item and no place's name is longer than 120 characters", |pair| {
        let names = place_and_time_columns().filter(|name| name.ends_with("_name"));
        let columns = pair.filter_columns().chain(names);
        longer_than(120, columns.flat_map(|column| pair.data.values(column)))
    }),
];

fn is_code(column: &str) -> bool {
    ["_code", "_id", "_urn", "_ukprn", "_laestab"].iter().any(|end| column.ends_with(end))
}

fn longer_than<'a>(most: usize, texts: impl Iterator<Item = &'a str>) -> Verdict {
    let long = texts.filter(|text| text.chars().count() > most);
    Verdict::warn_if_any("too long for the API", long)
}

fn general_dupes(pair: &Pair) -> Verdict {
    let columns: Vec<&str> =
        place_and_time_columns().filter(|column| pair.data.has(column)).chain(pair.filter_columns()).collect();
    let mut seen = HashSet::new();
    let twice: Vec<String> = pair
        .data
        .select(&columns)
        .filter(|row| !seen.insert(row.clone()))
        .map(|row| row.into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(", "))
        .collect();
    Verdict::fail_if_any("rows about the same", twice)
}

fn general_null(pair: &Pair) -> Verdict {
    let cells = || pair.data.cells().chain(pair.meta.cells());
    let null = cells().filter(|cell| matches!(*cell, "NULL" | "Null" | "null" | "NA" | "na"));
    let failed = Verdict::fail_if_any("cells that say", null);
    if matches!(failed, Verdict::Fail(_)) {
        return failed;
    }
    let doubtful = cells().filter(|cell| matches!(*cell, "N/A" | "n/a" | "." | ".." | "-"));
    Verdict::warn_if_any("cells that might stand for nothing", doubtful)
}

fn ind_invalid_entry(pair: &Pair) -> Verdict {
    let wrong = pair
        .indicators()
        .filter(|row| pair.data.values(&row.col_name).any(|cell| matches!(cell.trim(), "" | "~" | ":")));
    Verdict::fail_if_any(
        "indicators that are blank, ~ or : somewhere (use z, x, c or low)",
        wrong.map(|row| &row.col_name),
    )
}

/// A part of a name that only the given names may have.
const SHARED: [(&str, &[&str]); 7] = [
    ("sen_", &["sen_status", "sen_primary_need", "sen_secondary_need", "sen_provision"]),
    ("primary_need", &["sen_primary_need"]),
    ("secondary_need", &["sen_secondary_need"]),
    ("establishment_type", &["establishment_type", "establishment_type_group"]),
    ("provider_type", &["provider_type"]),
    ("school_type", &["establishment_type", "establishment_type_group"]),
    ("ethnic", &["ethnicity_major", "ethnicity_minor", "ethnicity_detailed", "minority_ethnic"]),
];

fn harmonised_variables(pair: &Pair) -> Verdict {
    let wrong = pair.filters().filter(|row| {
        let name = row.col_name.as_str();
        SHARED.iter().any(|(part, names)| name.contains(part) && !names.contains(&name))
    });
    Verdict::fail_if_any("filters that should have a shared name", wrong.map(|row| &row.col_name))
}
