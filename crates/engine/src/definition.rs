//! One SQL file: a TOML header in its first comment, and a body. Path is name.

use std::collections::BTreeMap;

use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::DataFusionError;
use datafusion::sql::parser::{DFParser, Statement as DfStatement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::parser::ParserError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a column means and who may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What it means, with its unit.
    pub doc: String,
    /// `pupil` (a child can be known from it), `school` (a school's own figures), `area` (anybody in the
    /// authority) or `public`. Where nothing is said: `pupil`.
    #[serde(default = "most_guarded")]
    pub visibility: String,
}

/// Who may see a column, the most guarded last.
const VISIBILITIES: [&str; 4] = ["public", "area", "school", "pupil"];

fn most_guarded() -> String {
    "pupil".to_owned()
}

/// A policy number or day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a [params] value is a whole number, e.g. 10, or a day, e.g. 2026-09-01")]
pub enum Param {
    /// A number.
    Number(i64),
    /// A day.
    Day(toml::value::Datetime),
}

impl Param {
    /// As SQL writes it.
    pub fn literal(&self) -> String {
        match self {
            Self::Number(n) => n.to_string(),
            Self::Day(day) => format!("DATE '{day}'"),
        }
    }
}

/// The header of a SQL file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What it is, in one or two sentences.
    pub about: String,
    /// The columns that tell its rows apart.
    #[serde(default)]
    pub grain: Vec<String>,
    /// The regulation or methodology it follows.
    #[serde(default)]
    pub source: String,
    /// Grows with every change of meaning.
    #[serde(default = "first")]
    pub version: u32,
    /// Policy numbers and days by name; `$name` in the body.
    #[serde(default)]
    pub params: BTreeMap<String, Param>,
    /// Its columns, in order.
    #[serde(default)]
    pub columns: BTreeMap<String, Column>,
    /// It is read as it is made, and never kept: its rows are as many as the lines, or little is done to make them and
    /// few read them.
    #[serde(default)]
    pub streams: bool,
    /// Its rows hold all lines, gathered: it is worked out once for all that read it in a session, but never kept.
    #[serde(default)]
    pub holds_lines: bool,
    /// For an alert: its rows are raised, ended and retracted with those of all others.
    #[serde(default)]
    pub raises: bool,
    /// For a rule: what it does with what it finds.
    #[serde(default)]
    pub outcome: Option<model::Outcome>,
    /// For a rule: what would be right.
    #[serde(default)]
    pub expected: String,
    /// For a rule: it is asked once the arrival has been merged, of what is held then.
    #[serde(default)]
    pub of_held: bool,
    /// For a rule on marks: a later roll that holds the child on that day mends what it found, without the marks
    /// being sent again.
    #[serde(default)]
    pub mended_by_roll: bool,
}

fn first() -> u32 {
    1
}

/// A SQL file, parsed.
#[derive(Clone, Debug)]
pub struct Definition {
    /// `folder.file`, e.g. `metrics.pupil_year`.
    pub name: String,
    /// Its header.
    pub header: Header,
    /// The statement, with `$` parameters in it.
    pub body: String,
    /// Names of what it reads, in order.
    pub reads: Vec<String>,
    /// SHA-256 of the whole file.
    pub sha256: String,
}

/// A SQL file that is not one.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// No `/* … */` before the statement.
    #[error("sql/{0}: the file does not begin with a header in a comment, /* … */")]
    NoHeader(String),
    /// The header is not the TOML it should be.
    #[error("sql/{0}: its header is not as it should be: {1}")]
    Header(String, String),
    /// The body is not one SQL statement.
    #[error("sql/{0}: {1}")]
    Body(String, String),
}

/// The columns of an alert, whatever its rule.
pub(crate) const ALERT: [&str; 10] =
    ["alert_id", "rule", "upn", "pupil_key", "urn", "raised_on", "event_from", "event_to", "sessions", "status"];

/// Those of them that are days.
const DAYS: [&str; 3] = ["raised_on", "event_from", "event_to"];

/// The columns of what a rule finds, as far as it knows them.
const FOUND: [&str; 7] = ["file_id", "urn", "pupil_key", "session_date", "session", "rows", "found"];

impl Definition {
    /// Whether the header speaks of the columns that the statement gives: all of them, where it lists any, each for
    /// somebody, and a grain among them.
    pub fn check_header(&self, columns: &Schema) -> Result<(), String> {
        let header = &self.header;
        let given: Vec<&str> = columns.fields().iter().map(|field| field.name().as_str()).collect();
        let declared = || header.columns.keys().map(String::as_str);
        let among = |name: &&str| !given.contains(name);
        if let Some(column) = declared().chain(header.grain.iter().map(String::as_str)).find(among) {
            return Err(format!("{}: the header names `{column}`, which the statement does not give", self.name));
        }
        if let Some(column) = given.iter().find(|n| !header.columns.is_empty() && !header.columns.contains_key(**n)) {
            return Err(format!("{}: [columns] does not say what `{column}` means", self.name));
        }
        let is_alert = self.folder() == "alerts" && ALERT.iter().all(|column| given.contains(column));
        if is_alert && !header.raises && !self.reads.iter().any(|read| read.starts_with("alerts.")) {
            return Err(format!("{}: its rows are alerts, and its header does not say `raises = true`", self.name));
        }
        let needed = match self.folder() {
            "alerts" if header.raises => &ALERT[..],
            "rules" => &["file_id"],
            _ => &[],
        };
        if let Some(column) = needed.iter().find(|column| !given.contains(column)) {
            return Err(format!(
                "{}: it must give `{column}`; of {} are needed {}",
                self.name,
                self.folder(),
                needed.join(", ")
            ));
        }
        let is_day = |name: &&&str| columns.field_with_name(name).is_ok_and(|f| *f.data_type() == DataType::Date32);
        if let Some(column) = DAYS.iter().find(|day| header.raises && !is_day(day)) {
            let kind = columns.field_with_name(column).map(|field| field.data_type().to_string()).unwrap_or_default();
            return Err(format!("{}: `{column}` is {kind}; expected a day, Date32", self.name));
        }
        if self.folder() == "rules" {
            if header.outcome.is_none() || header.expected.is_empty() {
                return Err(format!("{}: its header must say `outcome` and `expected`", self.name));
            }
            // A misspelt name of the child or the day would take in all children, or all days.
            if let Some(column) = given.iter().find(|column| !FOUND.contains(column)) {
                return Err(format!(
                    "{}: `{column}` is no column of a rule; those are {}",
                    self.name,
                    FOUND.join(", ")
                ));
            }
        }
        match header.columns.values().find(|c| !VISIBILITIES.contains(&c.visibility.as_str())) {
            Some(wrong) => Err(format!(
                "{}: visibility is `{}`; expected one of {}",
                self.name,
                wrong.visibility,
                VISIBILITIES.join(", ")
            )),
            None => Ok(()),
        }
    }

    /// Reads `folder/file.sql`.
    pub fn parse(path: &str, text: &str) -> Result<Self, DefinitionError> {
        let trimmed = text.trim_start();
        let rest = trimmed.strip_prefix("/*").ok_or_else(|| DefinitionError::NoHeader(path.to_owned()))?;
        let (header, body) = rest.split_once("*/").ok_or_else(|| DefinitionError::NoHeader(path.to_owned()))?;
        let header: Header =
            toml::from_str(header).map_err(|e| DefinitionError::Header(path.to_owned(), e.to_string()))?;
        let body = body.trim().trim_end_matches(';').to_owned();
        let reads = reads_of(&body).map_err(|e| DefinitionError::Body(path.to_owned(), e))?;
        Ok(Self {
            name: path.trim_end_matches(".sql").replace('/', "."),
            header,
            reads,
            sha256: lake::path::hex(&Sha256::digest(text)),
            body,
        })
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &str {
        self.name.split_once('.').map_or("", |(folder, _)| folder)
    }
}

/// Names of the tables a statement reads, its own common table expressions left out.
pub fn reads_of(sql: &str) -> Result<Vec<String>, String> {
    // Parameters are not SQL yet; any literal stands in for them.
    let sql = substitute(sql, |_| Some("1".to_owned()))?;
    let mut statements =
        DFParser::parse_sql(&sql).map_err(|e| format!("this cannot be read as SQL: {}", words_of(&e)))?;
    let statement = match statements.len() {
        1 => statements.pop_front(),
        n => return Err(format!("{n} statements where one was expected")),
    };
    let Some(statement) = statement else { return Err("no statement".to_owned()) };
    if !asks(&statement) {
        return Err("only a SELECT is answered: what the lake holds changes by `rollcall ingest` alone".to_owned());
    }
    let (tables, _) = resolve_table_references(&statement, true).map_err(|e| e.to_string())?;
    Ok(tables.into_iter().map(|t| t.to_string()).collect())
}

/// What the parser says, without its own name for it.
fn words_of(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Diagnostic(_, error) => words_of(error),
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::ParserError(words) | ParserError::TokenizerError(words) => words.clone(),
            ParserError::RecursionLimitExceeded => "it is nested too deeply".to_owned(),
        },
        other => other.strip_backtrace(),
    }
}

/// Whether a statement asks, and changes nothing.
fn asks(statement: &DfStatement) -> bool {
    match statement {
        DfStatement::Explain(_) => true,
        DfStatement::Statement(statement) => matches!(
            statement.as_ref(),
            Statement::Query(_)
                | Statement::ExplainTable { .. }
                | Statement::ShowTables { .. }
                | Statement::ShowColumns { .. }
                | Statement::ShowFunctions { .. }
        ),
        _ => false,
    }
}

/// Replaces every `$name` outside quotes and comments. An unknown name is an error that says it.
pub fn substitute(sql: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(sql.len() + 64);
    let mut rest = sql;
    while let Some(at) = rest.find(['\'', '"', '$', '-', '/']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let quote = rest.as_bytes()[0];
        let comment = match rest.get(..2) {
            Some("--") => Some(rest.find('\n').unwrap_or(rest.len())),
            Some("/*") => Some(rest.find("*/").map_or(rest.len(), |end| end + 2)),
            _ => None,
        };
        if let Some(end) = comment {
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if quote == b'$' {
            let name: String = rest[1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let replaced = value(&name).ok_or_else(|| format!("no parameter is called ${name}"))?;
            out.push_str(&replaced);
            rest = &rest[1 + name.len()..];
        } else if matches!(quote, b'-' | b'/') {
            out.push(char::from(quote));
            rest = &rest[1..];
        } else {
            let end = rest[1..].find(quote as char).map_or(rest.len(), |n| n + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_header_and_a_statement() {
        let text = "/*\nabout = \"x\"\ngrain = [\"a\"]\n[params]\nn = 10\n*/\nWITH c AS (SELECT 1 AS a) SELECT a FROM c JOIN tables.t ON a < $n -- $not\n";
        let definition = Definition::parse("metrics/x.sql", text).unwrap();
        assert_eq!(definition.name, "metrics.x");
        assert_eq!(definition.reads, ["tables.t"]);
        assert!(Definition::parse("metrics/x.sql", "SELECT 1").is_err());
        assert!(Definition::parse("metrics/x.sql", "/* about = 1 */ SELECT 1").is_err());
        assert!(Definition::parse("metrics/x.sql", "/* about = 'x' */ SELECT 1; SELECT 2").is_err());
    }

    #[test]
    fn parameters_in_quotes_are_text() {
        let value = |name: &str| (name == "n").then(|| "7".to_owned());
        assert_eq!(
            substitute("a > $n AND b = '$n' AND \"$n\" - 1", value).unwrap(),
            "a > 7 AND b = '$n' AND \"$n\" - 1"
        );
        assert!(substitute("$other", value).is_err());
        assert_eq!(
            substitute("/* don't $n */ $n / 2 -- can't\n$n", value).unwrap(),
            "/* don't $n */ 7 / 2 -- can't\n7"
        );
    }
}
