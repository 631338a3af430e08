//! Filters: the columns by which readers choose rows.

use std::collections::BTreeSet;

use super::geography::place_and_time_columns;
use super::{Check, Pair, Verdict};

/// More different items than this in one filter and EES refuses the file.
const MOST_ITEMS: usize = 25_000;
const TOTAL: &str = "Total";

pub(super) const VARIETY: &[Check] =
    &[Check::new("filter_not_singular", "every filter has two or more different items", filter_not_singular)];

pub(super) const ITEMS: &[Check] = &[
    Check::new("filter_defaults", "every filter has its default item, `Total`", filter_defaults),
    Check::new("filter_group_level", "no grouping column has more different items than its filter", filter_group_level),
    Check::new("filter_item_limit", "no filter has more than 25,000 items", filter_item_limit),
    Check::new("filter_whitespace", "no item begins or ends with white space", filter_whitespace),
    Check::new("filter_ob_total", "no time or place is called Total or All", filter_ob_total),
    Check::new("filter_blanks", "no filter has a blank item", filter_blanks),
];

fn distinct<'a>(pair: &'a Pair, column: &str) -> BTreeSet<&'a str> {
    pair.data.values(column).collect()
}

fn filter_not_singular(pair: &Pair) -> Verdict {
    let single = pair.filters().filter(|row| distinct(pair, &row.col_name).len() < 2);
    Verdict::fail_if_any(
        "filters with a single item (leave them out of the meta file)",
        single.map(|row| &row.col_name),
    )
}

fn filter_defaults(pair: &Pair) -> Verdict {
    let lacking = pair.filters().filter_map(|row| {
        let default = Some(row.filter_default.as_str()).filter(|name| !name.is_empty());
        let default = default.unwrap_or(TOTAL);
        let there = pair.data.values(&row.col_name).any(|item| item == default);
        (!there).then(|| format!("{}: {default}", row.col_name))
    });
    Verdict::warn_if_any("filters without their default item", lacking)
}

fn filter_group_level(pair: &Pair) -> Verdict {
    let coarse = pair.filters().filter(|row| {
        let group = distinct(pair, &row.filter_grouping_column).len();
        group > distinct(pair, &row.col_name).len()
    });
    Verdict::fail_if_any("filters with fewer items than their grouping column", coarse.map(|row| &row.col_name))
}

fn filter_item_limit(pair: &Pair) -> Verdict {
    let large = pair.filters().filter(|row| distinct(pair, &row.col_name).len() > MOST_ITEMS);
    Verdict::fail_if_any("filters with too many items", large.map(|row| &row.col_name))
}

fn filter_whitespace(pair: &Pair) -> Verdict {
    let items = pair.filter_columns().flat_map(|column| pair.data.values(column));
    Verdict::fail_if_any("items that begin or end with white space", items.filter(|item| item.trim() != *item))
}

fn filter_ob_total(pair: &Pair) -> Verdict {
    let groups: BTreeSet<&str> = pair.filter_groups().collect();
    let columns = place_and_time_columns().filter(|name| !groups.contains(name));
    let wrong = columns.filter(|column| {
        let own_level = match *column {
            "school_name" => "School",
            "provider_name" => "Provider",
            _ => "",
        };
        let levels = pair.data.values("geographic_level");
        pair.data
            .values(column)
            .zip(levels)
            .any(|(name, level)| matches!(name, "Total" | "total" | "All" | "all") && level != own_level)
    });
    Verdict::fail_if_any("times or places called Total or All, in the columns", wrong)
}

fn filter_blanks(pair: &Pair) -> Verdict {
    let blank = pair.filters().filter(|row| pair.data.values(&row.col_name).any(|item| item.trim().is_empty()));
    Verdict::fail_if_any("filters with blank items", blank.map(|row| &row.col_name))
}
