//! Places: their levels, their codes and names, and which of them a row must carry.

use std::collections::BTreeSet;

use super::{Check, Pair, Verdict};
use crate::local_authority;

/// A geographic level and the columns that name its places; blank where it has none.
struct Level {
    name: &'static str,
    code: &'static str,
    place: &'static str,
    second_code: &'static str,
}

const fn level(name: &'static str, code: &'static str, place: &'static str, second_code: &'static str) -> Level {
    Level { name, code, place, second_code }
}

const NATIONAL: Level = level("National", "country_code", "country_name", "");
const REGIONAL: Level = level("Regional", "region_code", "region_name", "");
const LA: Level = level("Local authority", "new_la_code", "la_name", "old_la_code");

const ALL_LEVELS: [Level; 18] = [
    NATIONAL,
    REGIONAL,
    LA,
    level("Local authority district", "lad_code", "lad_name", ""),
    level("RSC region", "", "rsc_region_lead_name", ""),
    level("Parliamentary constituency", "pcon_code", "pcon_name", ""),
    level("Local skills improvement plan area", "lsip_code", "lsip_name", ""),
    level("Local enterprise partnership", "local_enterprise_partnership_code", "local_enterprise_partnership_name", ""),
    level("English devolved area", "english_devolved_area_code", "english_devolved_area_name", ""),
    level("Opportunity area", "opportunity_area_code", "opportunity_area_name", ""),
    level("Ward", "ward_code", "ward_name", ""),
    level("MAT", "trust_id", "trust_name", ""),
    level("Sponsor", "sponsor_id", "sponsor_name", ""),
    level("School", "school_urn", "school_name", "school_laestab"),
    level("Provider", "provider_ukprn", "provider_name", ""),
    level("Institution", "institution_id", "institution_name", ""),
    level("Planning area", "planning_area_code", "planning_area_name", ""),
    level("Police force area", "pfa_code", "pfa_name", ""),
];

impl Level {
    fn columns(&self) -> impl Iterator<Item = &'static str> {
        [self.code, self.place, self.second_code].into_iter().filter(|column| !column.is_empty())
    }
}

const TIME_AND_LEVEL: [&str; 3] = ["time_period", "time_identifier", "geographic_level"];

const COUNTRIES: [(&str, &str); 8] = [
    ("E92000001", "England"),
    ("K02000001", "United Kingdom"),
    ("K03000001", "Great Britain"),
    ("K04000001", "England and Wales"),
    ("N92000002", "Northern Ireland"),
    ("S92000003", "Scotland"),
    ("W92000004", "Wales"),
    ("z", "England, Wales and Northern Ireland"),
];

const REGIONS: [(&str, &str); 11] = [
    ("E12000001", "North East"),
    ("E12000002", "North West"),
    ("E12000003", "Yorkshire and The Humber"),
    ("E12000004", "East Midlands"),
    ("E12000005", "West Midlands"),
    ("E12000006", "East of England"),
    ("E12000007", "London"),
    ("E12000008", "South East"),
    ("E12000009", "South West"),
    ("E13000001", "Inner London"),
    ("E13000002", "Outer London"),
];

/// Names for what is nowhere in particular; their code is `z`.
const NOWHERE: [&str; 6] = [
    "Not applicable",
    "Unknown",
    "Outside of England",
    "Outside of the United Kingdom",
    "Outside of England and unknown",
    "Outside of the United Kingdom and unknown",
];

pub(super) const LEVELS: &[Check] = &[
    Check::new("geog_level", "every geographic_level is one that EES knows", geog_level),
    Check::new("geog_level_present", "every level has its columns", geog_level_present),
];

pub(super) const PLACES: &[Check] = &[
    Check::new("geog_country_combos", "every country's code and name go together", |pair| {
        pairs_in(pair, &NATIONAL, &COUNTRIES)
    }),
    Check::new("geog_region_combos", "every region's code and name go together", |pair| {
        pairs_in(pair, &REGIONAL, &REGIONS)
    }),
    Check::new("geog_ward_combos", "there are no wards", |pair| unknown_here(pair, "Ward")),
    Check::new("geog_pcon_combos", "there are no constituencies", |pair| {
        unknown_here(pair, "Parliamentary constituency")
    }),
    Check::new("geog_lad_combos", "there are no districts", |pair| unknown_here(pair, "Local authority district")),
    Check::new("geog_lep_combos", "there are no enterprise partnerships", |pair| {
        unknown_here(pair, "Local enterprise partnership")
    }),
    Check::new("geog_lsip_combos", "there are no skills improvement areas", |pair| {
        unknown_here(pair, "Local skills improvement plan area")
    }),
    Check::new("geog_eda_combos", "there are no devolved areas", |pair| unknown_here(pair, "English devolved area")),
    Check::new("geog_la_combos", "every authority's codes and name go together", geog_la_combos),
    Check::new("geog_level_completed", "every row names its place", geog_level_completed),
    Check::new("geog_la_col_present", "of old_la_code, new_la_code and la_name all or none are there", |pair| {
        all_or_none(pair, &LA)
    }),
    Check::new("geog_region_col_present", "of region_code and region_name both or neither are there", |pair| {
        all_or_none(pair, &REGIONAL)
    }),
    Check::new("geog_region_for_la", "every authority's row names its region", geog_region_for_la),
    Check::new("geog_na_code", "what is nowhere in particular has the code z", geog_na_code),
    Check::new("geog_overcompleted_cols", "no national or regional row names a smaller place", geog_overcompleted_cols),
];

/// Every column that says when or where.
pub(super) fn place_and_time_columns<'a>() -> impl Iterator<Item = &'a str> {
    let places = ALL_LEVELS.iter().flat_map(Level::columns);
    TIME_AND_LEVEL.into_iter().chain(places).map(|column| -> &'a str { column })
}

pub(super) fn is_place_or_time(column: &str) -> bool {
    place_and_time_columns().any(|known| known == column)
}

/// Whether a column's name reads like that of a place: a bare word such as `region`, or one of
/// these words followed by a word for a name or number, such as `region_name`.
pub(super) fn sounds_like_a_place(column: &str) -> bool {
    const PLACES: [&str; 14] = [
        "country",
        "region",
        "la",
        "lad",
        "pcon",
        "lsip",
        "lep",
        "ward",
        "trust",
        "sponsor",
        "school",
        "provider",
        "institution",
        "estab",
    ];
    const NAMES: [&str; 8] = ["name", "code", "urn", "ukprn", "number", "upin", "id", "laestab"];
    let lower = column.to_lowercase();
    let words: Vec<&str> = lower.split('_').collect();
    let is_place = |word: &&str| PLACES.contains(word);
    match words.as_slice() {
        [] => false,
        [word] => is_place(word),
        [before @ .., last] => NAMES.contains(last) && before.iter().any(is_place),
    }
}

fn geog_level(pair: &Pair) -> Verdict {
    let known = |name: &str| ALL_LEVELS.iter().any(|level| level.name == name);
    let others = pair.data.values("geographic_level").filter(|name| !known(name));
    Verdict::fail_if_any("geographic_level that EES does not know", others)
}

fn levels_in(pair: &Pair) -> impl Iterator<Item = &'static Level> {
    let there: BTreeSet<&str> = pair.data.values("geographic_level").collect();
    ALL_LEVELS.iter().filter(move |level| there.contains(level.name))
}

fn geog_level_present(pair: &Pair) -> Verdict {
    let missing = levels_in(pair).flat_map(Level::columns).filter(|name| !pair.data.has(name));
    Verdict::fail_if_any("columns missing for a level", missing)
}

/// Fails on a code and name that are not in the list and not both blank.
fn pairs_in(pair: &Pair, level: &Level, known: &[(&str, &str)]) -> Verdict {
    if !level.columns().all(|column| pair.data.has(column)) {
        return Verdict::Pass;
    }
    let found: BTreeSet<(&str, &str)> = pair.data.values(level.code).zip(pair.data.values(level.place)).collect();
    let wrong = found.into_iter().filter(|(code, name)| {
        let blank = code.is_empty() && name.is_empty();
        let nowhere = *code == "z" && NOWHERE.contains(name);
        !blank && !nowhere && !known.contains(&(*code, *name))
    });
    let shown = wrong.map(|(code, name)| format!("{code} {name}"));
    Verdict::fail_if_any("codes and names that do not go together", shown)
}

/// Warns where the file has places whose codes are not known to this program.
fn unknown_here(pair: &Pair, name: &str) -> Verdict {
    let columns = ALL_LEVELS.iter().filter(|level| level.name == name).flat_map(Level::columns);
    Verdict::warn_if_any(
        "not screened here, use the DfE's own screener, columns",
        columns.filter(|column| pair.data.has(column)),
    )
}

fn geog_la_combos(pair: &Pair) -> Verdict {
    if !LA.columns().all(|column| pair.data.has(column)) {
        return Verdict::Pass;
    }
    let columns = ["old_la_code", "new_la_code", "la_name"];
    let found: BTreeSet<Vec<&str>> = pair.data.select(&columns).collect();
    let wrong = found.into_iter().filter(|place| {
        let [old, new, name] = place[..] else {
            return false;
        };
        let blank = old.is_empty() && new.is_empty() && name.is_empty();
        let nowhere = old == "z" && new == "z" && NOWHERE.contains(&name);
        let known = local_authority::all()
            .iter()
            .any(|la| (&*la.old_la_code, &*la.new_la_code, &*la.la_name) == (old, new, name));
        !blank && !nowhere && !known
    });
    let shown = wrong.map(|place| place.join(" "));
    Verdict::fail_if_any("codes and names of authorities that do not go together", shown)
}

/// The columns of a level that are blank on one of its rows.
fn blank_on_own_rows(pair: &Pair, own: &str, level: &Level) -> BTreeSet<&'static str> {
    let columns = level.columns();
    columns
        .filter(|column| {
            let levels = pair.data.values("geographic_level");
            levels.zip(pair.data.values(column)).any(|(at, cell)| at == own && cell.is_empty())
        })
        .collect()
}

fn geog_level_completed(pair: &Pair) -> Verdict {
    let blank = levels_in(pair).flat_map(|level| {
        // Every row is in a country.
        let country = blank_on_own_rows(pair, level.name, &NATIONAL);
        blank_on_own_rows(pair, level.name, level).into_iter().chain(country)
    });
    Verdict::fail_if_any("blank on rows that should name their place", blank)
}

fn all_or_none(pair: &Pair, level: &Level) -> Verdict {
    let any = level.columns().any(|column| pair.data.has(column));
    let missing = level.columns().filter(|column| any && !pair.data.has(column));
    Verdict::fail_if_any("columns missing beside the others of their place", missing)
}

fn geog_region_for_la(pair: &Pair) -> Verdict {
    if levels_in(pair).all(|level| level.name != LA.name) {
        return Verdict::Pass;
    }
    let missing = REGIONAL.columns().filter(|column| !pair.data.has(column));
    let blank = blank_on_own_rows(pair, LA.name, &REGIONAL);
    Verdict::warn_if_any("authorities without their region, in the columns", missing.chain(blank))
}

fn geog_na_code(pair: &Pair) -> Verdict {
    let coded = ALL_LEVELS.iter().filter(|level| !level.code.is_empty() && pair.data.has(level.code));
    let wrong = coded.flat_map(|level| {
        let places = pair.data.values(level.code).zip(pair.data.values(level.place));
        places.filter(|(code, name)| NOWHERE.contains(name) && *code != "z")
    });
    let shown = wrong.map(|(code, name)| format!("{code} {name}"));
    Verdict::fail_if_any("places that should have the code z", shown)
}

fn geog_overcompleted_cols(pair: &Pair) -> Verdict {
    let filled = |own: &'static str, smaller: &Level| -> Vec<String> {
        let columns = smaller.columns().filter(|column| {
            let levels = pair.data.values("geographic_level");
            levels.zip(pair.data.values(column)).any(|(at, cell)| at == own && !cell.is_empty())
        });
        columns.map(|column| format!("{own}: {column}")).collect()
    };
    let found = [filled(NATIONAL.name, &REGIONAL), filled(NATIONAL.name, &LA), filled(REGIONAL.name, &LA)];
    Verdict::fail_if_any("rows that name a smaller place", found.into_iter().flatten())
}
