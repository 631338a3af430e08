//! Problems: what is wrong in a return, as a row for the school that must mend it. A fault of ours is
//! an error and never stands here.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::id::{PupilKey, Urn};
use crate::line::Session;

/// What a rule does with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Kept and listed.
    Warn,
    /// The row is not kept; what was believed stands.
    RefuseRow,
    /// No row of the file is kept.
    RefuseFile,
}

impl Outcome {
    /// The word in `quality.problem.severity`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::RefuseRow => "refuse_row",
            Self::RefuseFile => "refuse_file",
        }
    }
}

/// A rule's outcome and words.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What happens to what it finds.
    pub outcome: Outcome,
    /// What should have been there, for the person who must mend it.
    pub expected: String,
    /// Why the rule exists.
    pub about: String,
}

/// The rules of single fields (`sql/rules/fields.toml`), by name.
pub type FieldRules = BTreeMap<String, Rule>;

/// One thing that is wrong, where it stands and what would be right.
#[derive(Clone, PartialEq)]
pub struct Problem {
    /// The rule's name.
    pub rule: String,
    /// What was done.
    pub outcome: Outcome,
    /// The school, where the row or the file names one.
    pub urn: Option<Urn>,
    /// Line in the file, from 1; none: the file as a whole.
    pub line: Option<u64>,
    /// What was found. Never a name; a UPN only as its shape.
    pub found: String,
    /// What would be right.
    pub expected: String,
    /// How many rows of the file share it (1 unless rows were gathered).
    pub rows: u64,
    /// The child it is about, where known.
    pub pupil_key: Option<PupilKey>,
    /// The first session it is about, where known.
    pub session: Option<(NaiveDate, Session)>,
}

impl Problem {
    /// A rule's finding with the rule's own words: one row, of no school, line, child or session yet.
    pub fn of(rules: &FieldRules, rule: &str, found: String) -> Self {
        let words = rules.get(rule);
        Self {
            rule: rule.to_owned(),
            outcome: words.map_or(Outcome::RefuseRow, |r| r.outcome),
            urn: None,
            line: None,
            found,
            expected: words.map(|r| r.expected.clone()).unwrap_or_default(),
            rows: 1,
            pupil_key: None,
            session: None,
        }
    }
}

/// Without the child.
impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, outcome, urn, line, found, expected, rows, pupil_key: _, session } = self;
        write!(
            f,
            "{rule} ({outcome:?}) at {urn:?}, line {line:?}, {session:?}, {rows} rows: {found}; expected {expected}"
        )
    }
}
