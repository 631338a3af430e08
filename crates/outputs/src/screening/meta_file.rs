//! What the meta file says about each column.

use std::collections::{BTreeMap, BTreeSet};

use super::geography::{is_place_or_time, sounds_like_a_place};
use super::{Check, Described, Pair, Verdict};

const UNITS: [&str; 6] = ["", "%", "pp", "£", "£m", "numberstring"];

pub(super) const ROWS: &[Check] = &[
    Check::new("meta_col_type", "every col_type is Filter or Indicator", meta_col_type),
    Check::new("meta_ob_unit", "no time or place is described in the meta file", meta_ob_unit),
    Check::new("meta_col_name", "every row of the meta file names a column", meta_col_name),
];

pub(super) const CELLS: &[Check] = &[
    Check::new("meta_dupe_label", "no two rows have the same label", meta_dupe_label),
    Check::new("meta_fil_grp", "indicators have no filter_grouping_column", |pair| {
        for_filters_only(pair, "filter_grouping_column", |row| &row.filter_grouping_column)
    }),
    Check::new("meta_fil_grp_dupe", "no two filters share a grouping column", meta_fil_grp_dupe),
    Check::new("meta_fil_grp_is_fil", "no grouping column is a filter too", meta_fil_grp_is_fil),
    Check::new("meta_fil_grp_match", "every grouping column is in the data", meta_fil_grp_match),
    Check::new(
        "meta_fil_grp_stripped",
        "no two items of a grouping column differ in punctuation only",
        meta_fil_grp_stripped,
    ),
    Check::new("meta_label", "every row has a label", meta_label),
    Check::new("meta_filter_hint", "indicators have no filter_hint", |pair| {
        for_filters_only(pair, "filter_hint", |row| &row.filter_hint)
    }),
    Check::new("meta_geog_catch", "no filter or indicator is named like a place", meta_geog_catch),
    Check::new("meta_indicator_dp", "filters have no indicator_dp", |pair| {
        for_indicators_only(pair, "indicator_dp", |row| &row.indicator_dp)
    }),
    Check::new("meta_col_name_spaces", "no col_name has a space", meta_col_name_spaces),
    Check::new("meta_col_name_dupe", "no column is described twice", meta_col_name_dupe),
    Check::new("meta_ind_dp_set", "every indicator has its indicator_dp", meta_ind_dp_set),
    Check::new("meta_ind_dp_values", "indicator_dp is a whole number or blank", meta_ind_dp_values),
    Check::new("meta_ind_unit", "filters have no indicator_unit", |pair| {
        for_indicators_only(pair, "indicator_unit", |row| &row.indicator_unit)
    }),
    Check::new(
        "meta_ind_unit_validation",
        "indicator_unit is %, pp, £, £m, numberstring or blank",
        meta_ind_unit_validation,
    ),
    Check::new("meta_indicator_grouping", "filters have no indicator_grouping", |pair| {
        for_indicators_only(pair, "indicator_grouping", |row| &row.indicator_grouping)
    }),
];

fn meta_col_type(pair: &Pair) -> Verdict {
    let types = pair.described.iter().map(|row| row.col_type.as_str());
    let others = types.filter(|name| !matches!(*name, "Filter" | "Indicator"));
    Verdict::fail_if_any("col_type other than Filter and Indicator", others)
}

fn meta_ob_unit(pair: &Pair) -> Verdict {
    let names = pair.described.iter().map(|row| row.col_name.as_str());
    Verdict::fail_if_any("time or place in the meta file", names.filter(|name| is_place_or_time(name)))
}

fn meta_col_name(pair: &Pair) -> Verdict {
    let blank = pair.described.iter().filter(|row| row.col_name.trim().is_empty());
    Verdict::fail_if_any("rows without a col_name, labelled", blank.map(|row| &row.label))
}

/// Values that occur more than once.
fn repeated<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    values.filter(|value| !value.is_empty() && !seen.insert(*value)).collect()
}

fn meta_dupe_label(pair: &Pair) -> Verdict {
    let labels = pair.described.iter().map(|row| row.label.as_str());
    Verdict::fail_if_any("labels used twice", repeated(labels))
}

fn for_filters_only(pair: &Pair, column: &str, cell: fn(&Described) -> &String) -> Verdict {
    let filled = pair.indicators().filter(|row| !cell(row).is_empty());
    let what = format!("{column} should be blank for the indicators");
    Verdict::fail_if_any(&what, filled.map(|row| &row.col_name))
}

fn for_indicators_only(pair: &Pair, column: &str, cell: fn(&Described) -> &String) -> Verdict {
    let filled = pair.filters().filter(|row| !cell(row).is_empty());
    let what = format!("{column} should be blank for the filters");
    Verdict::fail_if_any(&what, filled.map(|row| &row.col_name))
}

fn meta_fil_grp_dupe(pair: &Pair) -> Verdict {
    Verdict::fail_if_any("grouping columns used twice", repeated(pair.filter_groups()))
}

fn meta_fil_grp_is_fil(pair: &Pair) -> Verdict {
    let both = pair.filter_groups().filter(|group| pair.filters().any(|row| row.col_name == *group));
    Verdict::warn_if_any("grouping columns that are filters too", both)
}

fn meta_fil_grp_match(pair: &Pair) -> Verdict {
    let missing = pair.filter_groups().filter(|group| !pair.data.has(group));
    Verdict::fail_if_any("grouping columns that are not in the data", missing)
}

fn meta_fil_grp_stripped(pair: &Pair) -> Verdict {
    let clashes = pair.filter_groups().flat_map(|group| {
        let mut bare = BTreeMap::<String, BTreeSet<&str>>::new();
        for item in pair.data.values(group) {
            bare.entry(item.chars().filter(|c| c.is_alphanumeric()).collect()).or_default().insert(item);
        }
        bare.into_values().filter(|items| items.len() > 1).flatten()
    });
    Verdict::fail_if_any("items that differ in punctuation only", clashes)
}

fn meta_label(pair: &Pair) -> Verdict {
    let blank = pair.described.iter().filter(|row| row.label.trim().is_empty());
    Verdict::fail_if_any("columns without a label", blank.map(|row| &row.col_name))
}

fn meta_geog_catch(pair: &Pair) -> Verdict {
    let names = pair.described.iter().map(|row| row.col_name.as_str());
    Verdict::fail_if_any("columns named like a place", names.filter(|name| sounds_like_a_place(name)))
}

fn meta_col_name_spaces(pair: &Pair) -> Verdict {
    let names = pair.described.iter().map(|row| row.col_name.as_str());
    let spaced = names.filter(|name| name.contains(char::is_whitespace));
    Verdict::fail_if_any("col_name with spaces", spaced)
}

fn meta_col_name_dupe(pair: &Pair) -> Verdict {
    let names = pair.described.iter().map(|row| row.col_name.as_str());
    let mut twice = repeated(names);
    twice.extend(repeated(pair.data.header()));
    Verdict::fail_if_any("columns that occur twice", twice)
}

fn meta_ind_dp_set(pair: &Pair) -> Verdict {
    let blank = pair.indicators().filter(|row| row.indicator_dp.is_empty());
    Verdict::warn_if_any("indicators without indicator_dp", blank.map(|row| &row.col_name))
}

fn meta_ind_dp_values(pair: &Pair) -> Verdict {
    let places = pair.described.iter().map(|row| row.indicator_dp.as_str());
    let wrong = places.filter(|places| !places.chars().all(|c| c.is_ascii_digit()));
    Verdict::fail_if_any("indicator_dp that is no whole number", wrong)
}

fn meta_ind_unit_validation(pair: &Pair) -> Verdict {
    let units = pair.indicators().map(|row| row.indicator_unit.as_str());
    Verdict::fail_if_any("units that EES does not know", units.filter(|unit| !UNITS.contains(unit)))
}
