//! All of `sql/`: what the product means by every name, in an order derived from what each file reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use include_dir::{Dir, include_dir};
use lake::Table;
use model::{CodeTable, FieldRules};

use crate::definition::{ALERT, Definition, DefinitionError, Param};

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sql");

/// Folders from left to right; a file reads its own or one to its left. `rules` stands at the door and
/// reads what has just come in besides.
pub const FOLDERS: [&str; 10] =
    ["reference", "tables", "ledger", "metrics", "quality", "alerts", "submissions", "serving", "catalogue", "rules"];

/// Schemas that the engine fills itself: what is believed at the time asked for, what ever was, what has just come in,
/// and the definitions.
pub const GIVEN: [&str; 4] = ["believed", "history", "incoming", "definitions"];

/// Everything `sql/` says.
#[derive(Clone, Debug)]
pub struct Library {
    definitions: BTreeMap<String, Definition>,
    /// Reference tables as CSV text, by name.
    pub tables: BTreeMap<String, String>,
    /// Policy numbers that more than one file reads, from `sql/reference/params.toml`.
    pub params: BTreeMap<String, Param>,
    /// Outcome and words of the rules of single fields.
    pub fields: FieldRules,
    /// The register codes.
    pub codes: CodeTable,
    /// Types of intervention, each with its name.
    pub interventions: BTreeMap<String, String>,
    order: Vec<String>,
}

/// `sql/` does not hang together.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// One file.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A file that cannot be read from disk.
    #[error("{path}: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The folder to be laid over ours.
    #[error("there is no folder {0}; `sql` in rollcall.toml names the folder of your own definitions")]
    NoOverlay(String),
    /// A file that must be there, or is not what it should be.
    #[error("sql/{0}")]
    Reference(String),
    /// It lies in no folder of ours.
    #[error("{name}.sql lies in no folder that is read; there are {}", FOLDERS.join(", "))]
    NoFolder {
        /// Which file.
        name: String,
    },
    /// It reads something that does not exist.
    #[error("{name} reads {reads}, which does not exist")]
    Unknown {
        /// The reader.
        name: String,
        /// What it reads.
        reads: String,
    },
    /// It reads something to its right.
    #[error("{name} reads {reads}, which lies to its right: {}", FOLDERS.join(" < "))]
    Rightward {
        /// The reader.
        name: String,
        /// What it reads.
        reads: String,
    },
    /// Two files read each other.
    #[error("these read each other: {0}")]
    Circle(String),
}

impl Library {
    /// The product's own files, and those of a folder laid over them: a file of the same path replaces
    /// ours, a new one adds to them.
    pub fn load(overlay: Option<&Path>) -> Result<Self, LibraryError> {
        let mut files = BTreeMap::new();
        gather_built_in(&BUILT_IN, &mut files);
        if let Some(overlay) = overlay {
            if !overlay.is_dir() {
                return Err(LibraryError::NoOverlay(overlay.display().to_string()));
            }
            gather_disk(overlay, overlay, &mut files)?;
        }
        Self::from_files(&files)
    }

    /// From texts by path below `sql/`.
    pub fn from_files(files: &BTreeMap<String, String>) -> Result<Self, LibraryError> {
        let text = |path: &str| files.get(path).ok_or_else(|| LibraryError::Reference(format!("{path} is missing")));
        let toml_fault = |path: &str, e: toml::de::Error| LibraryError::Reference(format!("{path}: {e}"));
        let codes = CodeTable::parse(text("reference/attendance_code.csv")?)
            .map_err(|e| LibraryError::Reference(e.to_string()))?;
        let fields = toml::from_str(text("rules/fields.toml")?).map_err(|e| toml_fault("rules/fields.toml", e))?;
        let params =
            toml::from_str(text("reference/params.toml")?).map_err(|e| toml_fault("reference/params.toml", e))?;
        let mut definitions = BTreeMap::new();
        let mut tables = BTreeMap::new();
        // Whoever reads every alert comes last.
        let (last, first): (Vec<_>, Vec<_>) = files.iter().partition(|(_, text)| text.contains(EVERY_ALERT));
        for (path, text) in first.into_iter().chain(last) {
            if path.ends_with(".sql") {
                let text = text.replace(EVERY_ALERT, &every_alert(&definitions));
                let definition = Definition::parse(path, &text)?;
                definitions.insert(definition.name.clone(), definition);
            } else if let Some(name) = path.strip_prefix("reference/").and_then(|p| p.strip_suffix(".csv")) {
                tables.insert(name.to_owned(), text.clone());
            }
        }
        let mut interventions = BTreeMap::new();
        for row in csv::Reader::from_reader(text("reference/intervention_type.csv")?.as_bytes()).records() {
            let row = row.map_err(|e| LibraryError::Reference(format!("reference/intervention_type.csv: {e}")))?;
            interventions.insert(row.get(0).unwrap_or_default().to_owned(), row.get(1).unwrap_or_default().to_owned());
        }
        let mut library = Self { definitions, tables, params, fields, codes, interventions, order: Vec::new() };
        library.order = library.ordered()?;
        Ok(library)
    }

    /// A definition by name.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.definitions.get(name)
    }

    /// All definitions, each after what it reads.
    pub fn in_order(&self) -> impl Iterator<Item = &Definition> {
        self.order.iter().filter_map(|name| self.definitions.get(name))
    }

    /// The definitions of one folder, in order.
    pub fn of_folder<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a Definition> {
        self.in_order().filter(move |d| d.folder() == folder)
    }

    /// These and everything they read, each after what it reads.
    pub fn needed(&self, names: impl IntoIterator<Item = String>) -> Vec<&Definition> {
        let mut wanted: BTreeSet<String> = names.into_iter().collect();
        for name in self.order.iter().rev() {
            if wanted.contains(name) {
                wanted.extend(self.definitions[name].reads.iter().cloned());
            }
        }
        self.in_order().filter(|d| wanted.contains(&d.name)).collect()
    }

    /// What is shown to people: every metric and the alerts, but for what streams and so has nothing to keep.
    pub fn figures(&self) -> Vec<String> {
        let shown = |d: &&Definition| d.folder() == "metrics" || d.name == "alerts.current";
        self.in_order().filter(shown).filter(|d| !d.header.streams).map(|d| d.name.clone()).collect()
    }

    /// The tables of the ledger that a definition's answer rests on.
    pub fn rests_on(&self, name: &str) -> BTreeSet<Table> {
        let reads = self.needed([name.to_owned()]).into_iter().flat_map(|d| &d.reads);
        let given = reads.filter_map(|r| r.strip_prefix("believed.").or_else(|| r.strip_prefix("history.")));
        given
            .flat_map(|given| match given {
                // A register is gathered from lines, through every change of UPN.
                "register" => vec![Table::RegisterWeek, Table::Identity],
                "joined_key" => vec![Table::Identity],
                name => Table::ALL.into_iter().filter(|t| t.name() == name).collect(),
            })
            .collect()
    }

    /// A policy number of `sql/reference/params.toml` that is not negative.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.params.get(name) {
            Some(Param::Number(n)) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// A hash over everything a definition's answer depends on in `sql/`.
    pub fn fingerprint(&self, name: &str) -> String {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for definition in self.needed([name.to_owned()]) {
            hash.update(&definition.sha256);
        }
        for (name, text) in &self.tables {
            hash.update(name);
            hash.update(text);
        }
        hash.update(format!("{:?}", self.params));
        lake::path::hex(&hash.finalize())
    }

    fn ordered(&self) -> Result<Vec<String>, LibraryError> {
        let rank = |name: &str| {
            let folder = name.split_once('.').map_or("", |(f, _)| f);
            FOLDERS.iter().position(|f| *f == folder)
        };
        let mut order = Vec::new();
        let mut waiting: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, definition) in &self.definitions {
            if rank(name).is_none() {
                return Err(LibraryError::NoFolder { name: name.replace('.', "/") });
            }
            let mut needs = BTreeSet::new();
            for reads in &definition.reads {
                let schema = reads.split_once('.').map_or("", |(s, _)| s);
                if GIVEN.contains(&schema) {
                    continue;
                }
                let table = reads.strip_prefix("reference.").is_some_and(|t| self.tables.contains_key(t));
                if !table && !self.definitions.contains_key(reads) {
                    return Err(LibraryError::Unknown { name: name.clone(), reads: reads.clone() });
                }
                if rank(name) < rank(reads) {
                    return Err(LibraryError::Rightward { name: name.clone(), reads: reads.clone() });
                }
                if !table {
                    needs.insert(reads.as_str());
                }
            }
            waiting.insert(name, needs);
        }
        while !waiting.is_empty() {
            let ready: Vec<&str> = waiting.iter().filter(|(_, n)| n.is_empty()).map(|(name, _)| *name).collect();
            if ready.is_empty() {
                let names: Vec<&str> = waiting.into_keys().collect();
                return Err(LibraryError::Circle(names.join(", ")));
            }
            for name in &ready {
                waiting.remove(name);
                order.push((*name).to_owned());
            }
            for needs in waiting.values_mut() {
                needs.retain(|n| !ready.contains(n));
            }
        }
        Ok(order)
    }
}

/// Stands for the rows of every alert that is raised, yours too.
const EVERY_ALERT: &str = "$every_alert";

fn every_alert(definitions: &BTreeMap<String, Definition>) -> String {
    let raised = definitions.values().filter(|d| d.folder() == "alerts" && d.header.raises);
    let rows = raised.map(|alert| format!("SELECT {} FROM {}", ALERT.join(", "), alert.name));
    rows.collect::<Vec<_>>().join("\nUNION ALL\n")
}

fn gather_built_in(folder: &Dir<'_>, files: &mut BTreeMap<String, String>) {
    for file in folder.files() {
        if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
            files.insert(path.replace('\\', "/"), text.to_owned());
        }
    }
    for folder in folder.dirs() {
        gather_built_in(folder, files);
    }
}

fn gather_disk(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) -> Result<(), LibraryError> {
    let fault = |path: &Path| {
        let path = path.display().to_string();
        move |source| LibraryError::Unreadable { path, source }
    };
    for entry in std::fs::read_dir(folder).map_err(fault(folder))? {
        let path = entry.map_err(fault(folder))?.path();
        if path.is_dir() {
            gather_disk(root, &path, files)?;
            continue;
        }
        let ours = path.extension().is_some_and(|e| e == "sql" || e == "csv" || e == "toml");
        if ours && let Ok(relative) = path.strip_prefix(root) {
            let text = std::fs::read_to_string(&path).map_err(fault(&path))?;
            files.insert(relative.to_string_lossy().replace('\\', "/"), text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(extra: &[(&str, &str)]) -> Result<Library, LibraryError> {
        let mut files = BTreeMap::new();
        gather_built_in(&BUILT_IN, &mut files);
        files.extend(extra.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())));
        Library::from_files(&files)
    }

    #[test]
    fn what_reads_to_its_right_or_in_a_circle_or_nothing_is_refused() {
        assert!(with(&[]).is_ok());
        let sql = |reads: &str| format!("/* about = 'x' */ SELECT * FROM {reads}");
        assert!(matches!(with(&[("tables/x.sql", &sql("metrics.pupil_year"))]), Err(LibraryError::Rightward { .. })));
        assert!(matches!(with(&[("metric/x.sql", &sql("tables.school"))]), Err(LibraryError::NoFolder { .. })));
        assert!(matches!(with(&[("metrics/x.sql", &sql("metrics.nothing"))]), Err(LibraryError::Unknown { .. })));
        assert!(matches!(
            with(&[("metrics/x.sql", &sql("metrics.y")), ("metrics/y.sql", &sql("metrics.x"))]),
            Err(LibraryError::Circle(_))
        ));
    }

    #[test]
    fn everything_comes_after_what_it_reads() {
        let library = with(&[]).unwrap();
        let mut seen = BTreeSet::new();
        for definition in library.in_order() {
            for reads in definition.reads.iter().filter(|r| library.get(r).is_some()) {
                assert!(seen.contains(reads.as_str()), "{} before {reads}", definition.name);
            }
            seen.insert(definition.name.as_str());
        }
    }
}
