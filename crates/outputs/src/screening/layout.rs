//! File names, and which columns the two files have.

use std::collections::BTreeSet;

use super::geography::is_place_or_time;
use super::{Check, Pair, Verdict};

/// Columns that a meta file must have, in their usual order.
pub(crate) const META_REQUIRED: [&str; 8] = [
    "col_name",
    "col_type",
    "label",
    "indicator_grouping",
    "indicator_unit",
    "indicator_dp",
    "filter_hint",
    "filter_grouping_column",
];
const META_OPTIONAL: [&str; 2] = ["filter_default", "parent_filter"];
const DATA_REQUIRED: [&str; 5] = ["time_period", "time_identifier", "geographic_level", "country_code", "country_name"];

pub(super) const FILE_NAMES: &[Check] = &[
    Check::new("filename_spaces", "no file name has a space", filename_spaces),
    Check::new("filename_special", "file names are made of letters, digits, _ and -", filename_special),
    Check::new("filenames_match", "the files are NAME.csv and NAME.meta.csv", filenames_match),
];

pub(super) const REQUIRED_COLUMNS: &[Check] = &[
    Check::new("col_req_meta", "the meta file has every required column", col_req_meta),
    Check::new("col_invalid_meta", "the meta file has no other column", col_invalid_meta),
    Check::new("col_req_data", "the data file has every required column", col_req_data),
    Check::new("col_to_rows", "the data file has at least as many columns as the meta file has rows", col_to_rows),
];

pub(super) const CROSS_FILE: &[Check] = &[
    Check::new(
        "cross_meta_to_data",
        "every column that the meta file describes is in the data file",
        cross_meta_to_data,
    ),
    Check::new(
        "cross_data_to_meta",
        "the meta file describes every column of the data file that is no time or place",
        cross_data_to_meta,
    ),
];

pub(super) const COLUMN_NAMES: &[Check] = &[
    Check::new("col_names_spaces", "no column name has a space", col_names_spaces),
    Check::new("col_snake_case", "column names are lower case, digits and _", col_snake_case),
    Check::new("col_var_start", "column names begin with a lower-case letter", col_var_start),
];

fn filename_spaces(pair: &Pair) -> Verdict {
    let names = [pair.data_name, pair.meta_name];
    Verdict::fail_if_any("file names with spaces", names.iter().filter(|n| n.contains(' ')))
}

fn stems<'a>(pair: &Pair<'a>) -> [&'a str; 2] {
    let data = pair.data_name.strip_suffix(".csv").unwrap_or(pair.data_name);
    [data, pair.meta_name.strip_suffix(".meta.csv").unwrap_or(pair.meta_name)]
}

fn filename_special(pair: &Pair) -> Verdict {
    // Spaces are the check before this one.
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ');
    let special = stems(pair).into_iter().filter(|stem| !stem.chars().all(allowed));
    Verdict::fail_if_any("file names with special characters", special)
}

fn filenames_match(pair: &Pair) -> Verdict {
    let [data, meta] = stems(pair);
    let right = data != pair.data_name && meta != pair.meta_name && data == meta && !data.is_empty();
    let names = [pair.data_name, pair.meta_name];
    Verdict::fail_if_any("not NAME.csv and NAME.meta.csv", names.iter().filter(|_| !right))
}

fn col_req_meta(pair: &Pair) -> Verdict {
    let missing = META_REQUIRED.iter().filter(|name| !pair.meta.has(name));
    Verdict::fail_if_any("columns missing from the meta file", missing)
}

fn col_invalid_meta(pair: &Pair) -> Verdict {
    let known = |name: &str| META_REQUIRED.contains(&name) || META_OPTIONAL.contains(&name);
    let others = pair.meta.header().filter(|name| !known(name));
    Verdict::fail_if_any("columns that a meta file must not have", others)
}

fn col_req_data(pair: &Pair) -> Verdict {
    let missing = DATA_REQUIRED.iter().filter(|name| !pair.data.has(name));
    Verdict::fail_if_any("columns missing from the data file", missing)
}

fn col_to_rows(pair: &Pair) -> Verdict {
    let (columns, rows) = (pair.data.width(), pair.meta.rows());
    if columns < rows {
        return Verdict::Fail(format!("the meta file has {rows} rows, but the data file only {columns} columns"));
    }
    Verdict::Pass
}

fn cross_meta_to_data(pair: &Pair) -> Verdict {
    // A row without a name is a matter for `meta_col_name`.
    let names = pair.described.iter().map(|row| row.col_name.as_str());
    let missing = names.filter(|name| !name.is_empty() && !pair.data.has(name));
    Verdict::fail_if_any("columns in the meta file but not in the data file", missing)
}

fn cross_data_to_meta(pair: &Pair) -> Verdict {
    let described: BTreeSet<&str> =
        pair.described.iter().map(|row| row.col_name.as_str()).chain(pair.filter_groups()).collect();
    let missing = pair.data.header().filter(|name| !described.contains(name) && !is_place_or_time(name));
    Verdict::warn_if_any("columns in the data file but not in the meta file", missing)
}

fn col_names_spaces(pair: &Pair) -> Verdict {
    let spaced = pair.data.header().filter(|name| name.contains(char::is_whitespace));
    Verdict::fail_if_any("column names with spaces", spaced)
}

fn col_snake_case(pair: &Pair) -> Verdict {
    let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let others = pair.data.header().filter(|name| !name.chars().all(snake));
    Verdict::warn_if_any("column names with other than lower case, digits and _", others)
}

fn col_var_start(pair: &Pair) -> Verdict {
    let others = pair.data.header().filter(|name| !name.starts_with(|c: char| c.is_ascii_lowercase()));
    Verdict::warn_if_any("column names that do not begin with a lower-case letter", others)
}
