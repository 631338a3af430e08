//! The configuration: TOML with environment overrides (`ROLLCALL_LAKE=…`), where an unknown key is an
//! error that names the nearest known one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;
use sources::Mapping;
use sources::header::folded;

/// The whole of `rollcall.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The authority's three-digit code.
    pub la_code: u16,
    /// Its name, for pages and submissions.
    #[serde(default)]
    pub la_name: String,
    /// Where the lake is: `file:///…`, `s3://…`, `az://…`, `gs://…`, or a path beside this file.
    #[serde(default = "beside")]
    pub lake: String,
    /// First school year of which marks are taken, by its first calendar year.
    #[serde(default = "earliest")]
    pub earliest_year: i32,
    /// What queries may hold in memory before they spill, in MiB.
    #[serde(default = "memory")]
    pub memory_mib: usize,
    /// Threads; 0: as many as there are cores.
    #[serde(default)]
    pub threads: usize,
    /// What one file may unpack to, in MiB.
    #[serde(default = "unpacked")]
    pub unpacked_limit_mib: u64,
    /// A folder of SQL laid over the product's own.
    #[serde(default)]
    pub sql: Option<PathBuf>,
    /// Whether pages say that the figures are made up.
    #[serde(default)]
    pub made_up: bool,
    /// How each source's files differ from ours.
    #[serde(default)]
    pub sources: BTreeMap<String, Source>,
    /// Where this was read from.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// How a source's files differ.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The one school it sends for, where it is one school's own: whole files of another are refused.
    #[serde(default)]
    pub urn: Option<i32>,
    /// Their header names to ours.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Their codes to register codes; an empty one means no mark.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// They send only the sessions that changed.
    #[serde(default)]
    pub changes_only: bool,
    /// Schools that differ from the rest of the source, by URN.
    #[serde(default)]
    pub schools: BTreeMap<String, Differing>,
}

/// How one school's files differ from the rest of its source.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differing {
    /// Its header names to ours.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Its codes to register codes.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
}

fn beside() -> String {
    "lake".to_owned()
}

fn earliest() -> i32 {
    2022
}

fn memory() -> usize {
    640
}

fn unpacked() -> u64 {
    4096
}

/// Less memory than this does not hold a batch of a year's registers for each core.
const LEAST_MEMORY: usize = 64;

/// More threads than this wait for one another: those that wait take up all that may.
const MOST_THREADS: usize = 128;

impl Config {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            bail!(
                "there is no {}: run `rollcall init DIR --la-code NNN` first and then work in DIR, or name the file with --config",
                path.display()
            );
        }
        let figment = Figment::new()
            .merge(Toml::file_exact(path))
            .merge(Env::prefixed("ROLLCALL_").ignore(&["log", "crash_at"]).split("__"));
        let mut config: Self =
            figment.extract().map_err(|e| anyhow::anyhow!("{}: {}", path.display(), explained(&e)))?;
        if !(200..=999).contains(&config.la_code) {
            bail!("{}: la_code is {}; expected an authority's three digits, e.g. 850", path.display(), config.la_code);
        }
        if !(2000..=2100).contains(&config.earliest_year) {
            bail!(
                "{}: earliest_year is {}; expected the first calendar year of a school year, e.g. 2022",
                path.display(),
                config.earliest_year
            );
        }
        if config.unpacked_limit_mib == 0 {
            bail!("{}: unpacked_limit_mib is 0; expected 1 or more, or every file is refused", path.display());
        }
        if config.memory_mib < LEAST_MEMORY {
            bail!("{}: memory_mib is {}; expected {LEAST_MEMORY} or more", path.display(), config.memory_mib);
        }
        if MOST_THREADS < config.threads {
            bail!("{}: threads is {}; expected {MOST_THREADS} at most, or 0", path.display(), config.threads);
        }
        for (name, source) in &config.sources {
            source_name(name).with_context(|| format!("{}: [sources.{name}]", path.display()))?;
            if let Some(urn) = source.urn.filter(|urn| !(100_000..=999_999).contains(urn)) {
                bail!("{}: [sources.{name}] urn = {urn}: expected a school's URN, six digits", path.display());
            }
            let is_urn = |urn: &&String| sources::kind::parse_urn(urn.as_bytes()).is_some();
            if let Some(urn) = source.schools.keys().find(|urn| !is_urn(urn)) {
                bail!("{}: [sources.{name}.schools.{urn}]: expected a school's URN, six digits", path.display());
            }
            // A column that is mapped to none of ours would be read by nobody.
            let ours = || sources::Kind::ALL.into_iter().flat_map(|kind| kind.columns()).map(|column| column.name);
            let is_ours = |to: &&String| ours().any(|name| folded(name) == folded(to));
            let columns = source.schools.values().map(|s| &s.columns).chain([&source.columns]);
            if let Some(to) = columns.flat_map(BTreeMap::values).find(|to| !is_ours(to)) {
                let nearest = ours().min_by_key(|name| model::distance(&folded(name), &folded(to)));
                let nearest = nearest.unwrap_or("URN");
                bail!("{}: [sources.{name}]: there is no column `{to}`; the nearest is `{nearest}`", path.display());
            }
        }
        let full = std::path::absolute(path).with_context(|| format!("{} has no place", path.display()))?;
        config.folder = full.parent().unwrap_or(Path::new("/")).to_owned();
        if let Some(sql) = &mut config.sql {
            *sql = config.folder.join(&*sql);
        }
        Ok(config)
    }

    /// Whether every code that is mapped is mapped to one of the register's.
    pub fn check_codes(&self, codes: &model::CodeTable) -> Result<()> {
        for (name, source) in &self.sources {
            let mapped = source.schools.values().map(|s| &s.codes).chain([&source.codes]);
            if let Some(to) = mapped.flat_map(BTreeMap::values).find(|to| !to.is_empty() && codes.code(to).is_none()) {
                bail!(
                    "[sources.{name}] of rollcall.toml maps a code to `{to}`, which is no register code (SELECT code, description FROM reference.attendance_code lists them); \"\" means no mark"
                );
            }
        }
        Ok(())
    }

    /// The lake's address, made absolute.
    pub fn lake_address(&self) -> Result<String> {
        if self.lake.contains("://") {
            return Ok(self.lake.clone());
        }
        let folder = self.folder.join(&self.lake);
        match url::Url::from_directory_path(&folder) {
            Ok(url) => Ok(url.to_string()),
            Err(()) => bail!("lake = \"{}\" is neither an address nor a path", self.lake),
        }
    }

    /// How many threads to work with.
    pub fn cores(&self) -> usize {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        if self.threads == 0 { all } else { self.threads }
    }

    /// The one school that a source sends for, where it is one school's own.
    pub fn school_of(&self, source: &str) -> Option<i32> {
        self.sources.get(source)?.urn
    }

    /// The mapping of a source: codes of its schools go by the row's URN; a school's column names, without which
    /// there is no URN yet, by the URN in the file's name.
    pub fn mapping(&self, source: &str, file: &str) -> Mapping {
        let Some(source) = self.sources.get(source) else { return Mapping::default() };
        let mut mapping =
            Mapping { changes_only: source.changes_only, codes: source.codes.clone(), ..Mapping::default() };
        let mut lay = |columns: &BTreeMap<String, String>| {
            mapping.columns.extend(columns.iter().map(|(from, to)| (folded(from), to.clone())));
        };
        lay(&source.columns);
        let numbers: Vec<&str> = file.split(|c: char| !c.is_ascii_digit()).collect();
        for (urn, school) in &source.schools {
            if numbers.contains(&urn.as_str()) {
                lay(&school.columns);
            }
        }
        let of_school = |(urn, school): (&String, &Differing)| Some((urn.parse().ok()?, school.codes.clone()));
        mapping.school_codes =
            source.schools.iter().filter(|(_, s)| !s.codes.is_empty()).filter_map(of_school).collect();
        mapping
    }
}

/// A configuration error with the nearest known key.
fn explained(error: &figment::Error) -> String {
    use figment::error::Kind;
    let place = if error.path.is_empty() { String::new() } else { format!("{}: ", error.path.join(".")) };
    match &error.kind {
        Kind::UnknownField(found, known) => {
            let nearest = known.iter().min_by_key(|k| model::distance(k, found));
            let nearest = nearest.map(|n| format!("; the nearest known key is `{n}`")).unwrap_or_default();
            format!("{place}there is no key `{found}`{nearest}")
        }
        Kind::MissingField(name) => format!("{place}`{name}` is missing"),
        Kind::InvalidType(found, expected) => {
            let expected = match expected.as_str() {
                "u16" | "u64" | "i32" | "usize" => "a whole number, without quotes",
                "a boolean" => "true or false",
                other => other,
            };
            format!("{place}found {found}, expected {expected}")
        }
        kind => format!("{place}{kind}"),
    }
}

/// What `rollcall init` writes.
pub fn commented(la_code: u16) -> String {
    format!(
        r#"# Rollcall's configuration. Every key may also be given in the environment: ROLLCALL_LAKE=…

# The authority's three-digit code.
la_code = {la_code}
# la_name = "Hampshire"

# Where the lake is: a folder beside this file, or file:///…, s3://…, az://…, gs://…
lake = "lake"

# First school year of which marks are taken, by its first calendar year.
earliest_year = 2022

# What queries may hold in memory before they spill, and how many threads work (0: all cores).
memory_mib = 640
threads = 0

# What one file may unpack to.
unpacked_limit_mib = 4096

# A folder of SQL laid over the product's own: your metrics, alerts and rules.
# sql = "sql"

# How a source's files differ from the published layout. `rollcall ingest --source NAME` names it.
# [sources.ash]
# urn = 140001
# [sources.drop.columns]
# "School URN" = "URN"
# [sources.drop.codes]
# "@" = ""
# [sources.drop.schools.140001.codes]
# "PA" = "/"
"#
    )
}

/// A source's name, which is a folder's in landing and stands beside every return.
pub(crate) fn source_name(name: &str) -> Result<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !(1..=40).contains(&name.len()) || !name.chars().all(is_plain) || model::id::without_upns(name) != name {
        bail!("a source is named by up to 40 letters, digits, `-` and `_`, and not by a child's number");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollcall.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn what_init_writes_can_be_read() {
        let config = read(&commented(850)).unwrap();
        assert_eq!((config.la_code, config.lake.as_str()), (850, "lake"));
        assert!(config.lake_address().unwrap().starts_with("file:///"));
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let said = read("la_code = 850\nlaek = \"x\"\n").unwrap_err().to_string();
        assert!(said.contains("`laek`") && said.contains("`lake`"), "{said}");
        assert!(read("la_code = 12\n").unwrap_err().to_string().contains("three digits"));
        assert!(read("").unwrap_err().to_string().contains("la_code"));
        assert!(read("la_code = 850\nearliest_year = 22\n").unwrap_err().to_string().contains("e.g. 2022"));
        let said = read("la_code = \"850\"\n").unwrap_err().to_string();
        assert!(said.contains("la_code: found string \"850\", expected a whole number"), "{said}");
        assert!(read("la_code = 850\nthreads = 1000\n").unwrap_err().to_string().contains("128 at most"));
        assert!(read("la_code = 850\nmemory_mib = 1\n").unwrap_err().to_string().contains("64 or more"));
        assert!(read("la_code = 850\nunpacked_limit_mib = 0\n").unwrap_err().to_string().contains("1 or more"));
    }

    #[test]
    fn a_school_may_differ_from_its_source() {
        let text = "la_code = 850\n[sources.drop.codes]\n\"@\" = \"\"\n[sources.drop.schools.140001.codes]\n\"PA\" = \"/\"\n\
             [sources.drop.schools.140001.columns]\n\"No\" = \"URN\"\n";
        let config = read(text).unwrap();
        let mapping = config.mapping("drop", "marks.csv");
        assert_eq!((mapping.codes.len(), mapping.school_codes[&140_001].len()), (1, 1));
        assert!(config.mapping("other", "marks_140001.csv").codes.is_empty());
        // Column names go by the URN in the file's name, as a number of its own.
        assert_eq!(config.mapping("drop", "marks_140001.csv").columns.len(), 1);
        assert!(config.mapping("drop", "marks_20140001.csv").columns.is_empty());
        let said = read("la_code = 850\n[sources.drop.columns]\n\"No\" = \"Markk\"\n").unwrap_err().to_string();
        assert!(said.contains("`Markk`") && said.contains("`Mark`"), "{said}");
        let codes = model::CodeTable::parse(include_str!("../../../sql/reference/attendance_code.csv")).unwrap();
        assert!(config.check_codes(&codes).is_ok());
        let wrong = read("la_code = 850\n[sources.drop.codes]\n\"@\" = \"QQ\"\n").unwrap();
        assert!(wrong.check_codes(&codes).unwrap_err().to_string().contains("`QQ`"));
        let said = read("la_code = 850\n[sources.drop.schools.14.codes]\nx = \"/\"\n").unwrap_err().to_string();
        assert!(said.contains("[sources.drop.schools.14]") && said.contains("six digits"), "{said}");
        assert_eq!(read("la_code = 850\n[sources.ash]\nurn = 140001\n").unwrap().school_of("ash"), Some(140_001));
        assert!(read("la_code = 850\n[sources.ash]\nurn = 14\n").unwrap_err().to_string().contains("six digits"));
    }

    #[test]
    fn a_source_is_a_plain_name() {
        for name in ["drop", "mis-2", "North_West"] {
            assert_eq!(source_name(name).unwrap(), name);
        }
        let long = "x".repeat(41);
        for name in ["", "a b", "../x", "Q850200120003", "of-Q850200120003", &long] {
            assert!(source_name(name).is_err(), "{name}");
        }
    }
}
