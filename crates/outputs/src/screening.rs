//! The EES screening rules that can be told from the two files alone.
//!
//! Names and stages are those of the DfE's screener, so that a finding here can be looked up there;
//! the rules are written from their published descriptions. Screening stops after the first stage
//! with a failure, as the DfE's does: later stages rely on what earlier ones have made sure of.
//!
//! Not told here: the code and name pairs of wards, constituencies, districts and other areas, whose
//! lists are not part of this program (a warning says so where a file has them; an authority's own
//! files have none), and `col_ind_smushed`, `col_var_characteristic`, `geog_ignored_rows`,
//! `geog_region_for_lad`, `geog_na`, `geog_other_dupes`, `geog_other_code_dupes`,
//! `harmonised_eth_vals`, `harmonised_eth_char_grp`, `harmonised_eth_char_vals`,
//! `data_dict_col_name` and `data_dict_fil_item`.

mod content;
mod filters;
mod geography;
pub(crate) mod layout;
mod meta_file;
mod sheet;
pub(crate) mod time;

use std::collections::BTreeSet;

use serde::Serialize;

use sheet::Sheet;

/// What came of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The rule is kept.
    Pass,
    /// The rule is broken; the file would be refused.
    Fail,
    /// Advice; the file would be taken.
    Warning,
}

/// One check's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's name in the DfE's screener, e.g. `filter_not_singular`.
    pub check: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// The rule where it is kept, otherwise what is wrong and where.
    pub message: String,
}

/// Screens a data file and its meta file. Never fails on what is in them: a file that can't be read
/// is a finding (`file_read`).
pub fn screen(data_name: &str, data: &[u8], meta_name: &str, meta: &[u8]) -> Vec<Finding> {
    let pair = match Pair::read(data_name, data, meta_name, meta) {
        Ok(pair) => pair,
        Err(message) => return vec![finding("file_read", Outcome::Fail, message)],
    };
    let read = "both files are UTF-8 comma-separated tables".to_string();
    let mut findings = vec![finding("file_read", Outcome::Pass, read)];
    for stage in STAGES {
        findings.extend(stage.iter().map(|check| check.apply(&pair)));
        if !passes(&findings) {
            break;
        }
    }
    findings
}

/// Whether no check failed.
pub fn passes(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.outcome != Outcome::Fail)
}

/// The stages in order; each relies on those before it.
const STAGES: &[&[Check]] = &[
    layout::FILE_NAMES,
    layout::REQUIRED_COLUMNS,
    layout::CROSS_FILE,
    layout::COLUMN_NAMES,
    meta_file::ROWS,
    meta_file::CELLS,
    time::IDENTIFIERS,
    filters::VARIETY,
    geography::LEVELS,
    time::PERIODS,
    filters::ITEMS,
    geography::PLACES,
    content::ROWS,
    content::INDICATORS,
    content::HARMONISED,
    content::API_LIMITS,
];

fn finding(check: &'static str, outcome: Outcome, message: String) -> Finding {
    Finding { check, outcome, message }
}

/// One named rule.
struct Check {
    name: &'static str,
    /// The rule in a few words; the message where it is kept.
    rule: &'static str,
    run: fn(&Pair) -> Verdict,
}

impl Check {
    const fn new(name: &'static str, rule: &'static str, run: fn(&Pair) -> Verdict) -> Check {
        Check { name, rule, run }
    }

    fn apply(&self, pair: &Pair) -> Finding {
        let (outcome, message) = match (self.run)(pair) {
            Verdict::Pass => (Outcome::Pass, self.rule.to_string()),
            Verdict::Fail(message) => (Outcome::Fail, message),
            Verdict::Warning(message) => (Outcome::Warning, message),
        };
        finding(self.name, outcome, message)
    }
}

enum Verdict {
    Pass,
    Fail(String),
    Warning(String),
}

impl Verdict {
    /// Fails if anything was found; `what` says what these are.
    fn fail_if_any<T: AsRef<str>>(what: &str, found: impl IntoIterator<Item = T>) -> Verdict {
        list(found).map_or(Verdict::Pass, |found| Verdict::Fail(format!("{what}: {found}")))
    }

    /// Warns if anything was found.
    fn warn_if_any<T: AsRef<str>>(what: &str, found: impl IntoIterator<Item = T>) -> Verdict {
        list(found).map_or(Verdict::Pass, |found| Verdict::Warning(format!("{what}: {found}")))
    }
}

/// The first few different values in quotes and how many more; `None` if there are none.
fn list<T: AsRef<str>>(found: impl IntoIterator<Item = T>) -> Option<String> {
    const SHOWN: usize = 5;
    const LONGEST: usize = 80;
    let found: BTreeSet<String> = found.into_iter().map(|value| value.as_ref().to_string()).collect();
    let shown: Vec<String> = found
        .iter()
        .take(SHOWN)
        .map(|value| format!("`{}`", value.chars().take(LONGEST).collect::<String>()))
        .collect();
    match found.len() {
        0 => None,
        n if n > SHOWN => Some(format!("{} and {} more", shown.join(", "), n - SHOWN)),
        _ => Some(shown.join(", ")),
    }
}

/// The two files, read.
struct Pair<'a> {
    data_name: &'a str,
    meta_name: &'a str,
    data: Sheet,
    meta: Sheet,
    /// The meta file's rows.
    described: Vec<Described>,
}

/// One row of the meta file; blank where the column is missing.
struct Described {
    col_name: String,
    col_type: String,
    label: String,
    indicator_grouping: String,
    indicator_unit: String,
    indicator_dp: String,
    filter_hint: String,
    filter_grouping_column: String,
    filter_default: String,
}

impl<'a> Pair<'a> {
    fn read(data_name: &'a str, data: &[u8], meta_name: &'a str, meta: &[u8]) -> Result<Pair<'a>, String> {
        let data = Sheet::read(data).map_err(|why| format!("the data file {why}"))?;
        let meta = Sheet::read(meta).map_err(|why| format!("the meta file {why}"))?;
        let described = (0..meta.rows())
            .map(|row| {
                let cell = |column| meta.cell(row, column).to_string();
                Described {
                    col_name: cell("col_name"),
                    col_type: cell("col_type"),
                    label: cell("label"),
                    indicator_grouping: cell("indicator_grouping"),
                    indicator_unit: cell("indicator_unit"),
                    indicator_dp: cell("indicator_dp"),
                    filter_hint: cell("filter_hint"),
                    filter_grouping_column: cell("filter_grouping_column"),
                    filter_default: cell("filter_default"),
                }
            })
            .collect();
        Ok(Pair { data_name, meta_name, data, meta, described })
    }

    fn filters(&self) -> impl Iterator<Item = &Described> {
        self.described.iter().filter(|row| row.col_type == "Filter")
    }

    fn indicators(&self) -> impl Iterator<Item = &Described> {
        self.described.iter().filter(|row| row.col_type == "Indicator")
    }

    /// Names of the columns that group a filter's items.
    fn filter_groups(&self) -> impl Iterator<Item = &str> {
        self.filters().map(|row| row.filter_grouping_column.as_str()).filter(|name| !name.is_empty())
    }

    /// Filters, and the columns that group them, as far as the data has them.
    fn filter_columns(&self) -> impl Iterator<Item = &str> {
        let filters = self.filters().map(|row| row.col_name.as_str());
        filters.chain(self.filter_groups()).filter(|name| self.data.has(name))
    }
}

#[cfg(test)]
mod tests;
