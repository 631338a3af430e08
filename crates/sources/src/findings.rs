//! What is found wrong in one file while it is read.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::{Outcome, Problem, Session, Urn};

use crate::decoder::Decoder;
use crate::kind::Column;

/// Problems of one file while it is read, and its counts.
pub struct Findings<'a> {
    decoder: &'a Decoder<'a>,
    /// Rows seen.
    pub rows_in: u64,
    /// Rows kept.
    pub rows_kept: u64,
    listed: BTreeMap<&'static str, u64>,
    /// What was found so far.
    pub(crate) problems: Vec<Problem>,
    gathered: BTreeMap<(&'static str, Option<Urn>, String), usize>,
}

/// A problem that is listed.
pub struct Found<'a>(&'a mut Problem);

impl Found<'_> {
    /// Says what its column may hold, where that tells more than the rule.
    pub fn of(self, column: &Column) {
        if let Some(allowed) = column.allowed() {
            self.0.expected = allowed;
        }
    }

    /// Whether its row is refused.
    pub fn refuses(&self) -> bool {
        self.0.outcome != Outcome::Warn
    }

    /// Says what was expected.
    pub fn expecting(self, expected: String) {
        self.0.expected = expected;
    }
}

/// So many problems of one rule are listed one by one for a file; the rest are counted in one row.
const LISTED: u64 = 200;
/// So many kinds of finding are told apart for a file.
const GATHERED: usize = 20_000;
/// What is found beyond.
const MORE: &str = "more of the same";

impl<'a> Findings<'a> {
    pub(crate) fn new(decoder: &'a Decoder<'a>) -> Self {
        Self {
            decoder,
            rows_in: 0,
            rows_kept: 0,
            listed: BTreeMap::new(),
            problems: Vec::new(),
            gathered: BTreeMap::new(),
        }
    }

    /// A row that is not kept, of a child not known.
    pub fn refuse(&mut self, rule: &'static str, line: u64, urn: Option<Urn>, found: &str) -> Found<'_> {
        self.list(rule, line, urn, found, None, None)
    }

    /// A row that is listed by itself: refused or kept, as its rule says.
    pub fn list(
        &mut self,
        rule: &'static str,
        line: u64,
        urn: Option<Urn>,
        found: &str,
        pupil_key: Option<i64>,
        session: Option<(NaiveDate, Session)>,
    ) -> Found<'_> {
        let listed = self.listed.entry(rule).or_default();
        *listed += 1;
        if LISTED < *listed {
            return self.gather(rule, line, urn, MORE, session);
        }
        let found = found.chars().take(64).collect();
        let problem = Problem { urn, pupil_key, session, ..self.problem(rule, Some(line), found) };
        Found(self.problems.push_mut(problem))
    }

    /// A row of which there may be very many: one problem for all that were found alike.
    pub fn gather(
        &mut self,
        rule: &'static str,
        line: u64,
        urn: Option<Urn>,
        found: &str,
        session: Option<(NaiveDate, Session)>,
    ) -> Found<'_> {
        let mut key = (rule, urn, found.to_owned());
        // A file of a million values that are each wrong in their own way is told as one of many that are.
        if GATHERED <= self.gathered.len() && !self.gathered.contains_key(&key) {
            key = (rule, None, MORE.to_owned());
        }
        if let Some(at) = self.gathered.get(&key) {
            self.problems[*at].rows += 1;
            return Found(&mut self.problems[*at]);
        }
        let found = key.2.chars().take(64).collect();
        self.gathered.insert(key, self.problems.len());
        let problem = Problem { urn, session, ..self.problem(rule, Some(line), found) };
        Found(self.problems.push_mut(problem))
    }

    pub(crate) fn file(&mut self, rule: &'static str, line: Option<u64>, found: String, expected: Option<String>) {
        let problem = self.problem(rule, line, found);
        self.problems.push(Problem { expected: expected.unwrap_or(problem.expected), ..problem });
    }

    fn problem(&self, rule: &'static str, line: Option<u64>, found: String) -> Problem {
        Problem { line, ..Problem::of(self.decoder.rules, rule, found) }
    }
}
