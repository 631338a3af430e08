//! A file that has been decoded: what it states, of which schools, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Date32Type, Int32Type, Int64Type};
use chrono::{DateTime, NaiveDate, Utc};
use model::line::day_of;
use model::{Outcome, Problem, Urn};
use sha2::{Digest, Sha256};

use crate::decoder::Decoder;
use crate::findings::Findings;
use crate::grid::SchoolGrid;
use crate::kind::Kind;

/// What a file states, typed.
pub enum Content {
    /// Nothing that could be kept.
    Nothing,
    /// Registers, a grid for each school.
    Marks(Vec<SchoolGrid>),
    /// Rows of a table, with the run's times in them.
    Rows {
        /// The rows.
        rows: RecordBatch,
        /// (school, former key, key) where a pupil's UPN changed.
        former: Vec<(Option<Urn>, i64, i64)>,
        /// The day of which a roll speaks, by school.
        snapshots: BTreeMap<Urn, NaiveDate>,
        /// Of whom its refused rows may speak.
        unread: Unread,
    },
}

/// Of whom the refused rows of a file may speak: what they say is not known, so it is not known either that a child
/// of theirs is missing from the file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// Children who are named, at their school.
    pub pupils: BTreeSet<(Urn, i64)>,
    /// Schools with rows of a child who is not.
    pub schools: BTreeSet<Urn>,
    /// Whether there are rows of which the school is not known either.
    pub anywhere: bool,
}

impl Unread {
    /// A refused row, as far as it says whose it is.
    pub fn add(&mut self, urn: Option<Urn>, pupil_key: Option<i64>) {
        match (urn, pupil_key) {
            (Some(urn), Some(key)) => drop(self.pupils.insert((urn, key))),
            (Some(urn), None) => drop(self.schools.insert(urn)),
            (None, _) => self.anywhere = true,
        }
    }

    /// Whether any child of a school may have been meant.
    pub fn may_be_any_of(&self, urn: Urn) -> bool {
        self.anywhere || self.schools.contains(&urn)
    }
}

/// A decoded file.
pub struct Decoded {
    /// Its name, below its archive's where it has one.
    pub name: String,
    /// SHA-256 of its own bytes where it stands alone, of its archive's otherwise.
    pub sha256: String,
    /// The return's number: derived from when, what and under which name, so that a rebuild gives the same.
    pub return_id: i64,
    /// Its kind, where the header tells.
    pub kind: Option<Kind>,
    /// Its school, where all its rows are of one.
    pub urn: Option<Urn>,
    /// Rows besides the header.
    pub rows_in: u64,
    /// Rows kept.
    pub rows_kept: u64,
    /// Rows refused.
    pub rows_refused: u64,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// First and last day stated.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// What it states.
    pub content: Content,
}

/// Without what it states: that is of children.
impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Decoded");
        shown.field("name", &self.name).field("rows_in", &self.rows_in).field("rows_kept", &self.rows_kept);
        shown.field("problems", &self.problems).finish_non_exhaustive()
    }
}

/// What a file states of one school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfSchool {
    /// The school; `None` where rows name none.
    pub urn: Option<Urn>,
    /// Rows kept.
    pub rows: u64,
    /// First and last day of its marks or its calendar, or the day of its roll.
    pub days: Option<(NaiveDate, NaiveDate)>,
}

impl Decoded {
    /// A file that was read to its end, as far as it could be.
    pub(crate) fn new(
        decoder: &Decoder<'_>,
        origin: Origin<'_>,
        kind: Option<Kind>,
        findings: Findings<'_>,
        content: Content,
    ) -> Self {
        let (urn, days) = match &content {
            Content::Marks(schools) => {
                let days = schools.iter().filter_map(|s| s.days).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
                (one_of(schools.iter().map(|s| s.urn)), days.map(|(first, last)| (day_of(first), day_of(last))))
            }
            Content::Rows { snapshots, .. } => (one_of(snapshots.keys().copied()), None),
            Content::Nothing => (None, None),
        };
        let mut decoded = Self {
            name: origin.name.to_owned(),
            sha256: origin.sha256.to_owned(),
            return_id: origin.return_id(decoder.received_at),
            kind,
            urn,
            rows_in: findings.rows_in,
            rows_kept: findings.rows_kept,
            rows_refused: findings.rows_in - findings.rows_kept,
            problems: findings.problems,
            days,
            content,
        };
        for problem in &mut decoded.problems {
            problem.urn = problem.urn.or(urn);
        }
        if decoded.status() == "refused" {
            decoded.refuse();
        }
        decoded
    }

    /// A file of which nothing could be read.
    pub(crate) fn unreadable(decoder: &Decoder<'_>, origin: Origin<'_>, rule: &'static str, reason: &str) -> Self {
        let mut findings = Findings::new(decoder);
        findings.file(rule, None, reason.chars().take(120).collect(), None);
        Self::new(decoder, origin, None, findings, Content::Nothing)
    }

    /// What is kept of it, school by school. Files of kinds that are of no school have none.
    pub fn schools(&self) -> Vec<OfSchool> {
        match &self.content {
            Content::Nothing => Vec::new(),
            Content::Marks(grids) => grids
                .iter()
                .map(|g| OfSchool {
                    urn: Some(g.urn),
                    rows: g.rows_kept,
                    days: g.days.map(|(first, last)| (day_of(first), day_of(last))),
                })
                .collect(),
            Content::Rows { rows, snapshots, .. } => {
                let mut schools: BTreeMap<Option<Urn>, OfSchool> = BTreeMap::new();
                let dates = rows.column_by_name("date").filter(|_| self.kind == Some(Kind::Calendar));
                let dates = dates.and_then(|dates| dates.as_primitive_opt::<Date32Type>());
                if let Some(urns) = rows.column_by_name("urn") {
                    for (row, urn) in urns.as_primitive::<Int32Type>().iter().enumerate() {
                        let day = urn.and_then(|urn| snapshots.get(&urn)).map(|day| (*day, *day));
                        let school = schools.entry(urn).or_insert(OfSchool { urn, rows: 0, days: day });
                        school.rows += 1;
                        if let Some(day) =
                            dates.filter(|dates| dates.is_valid(row)).map(|dates| day_of(dates.value(row)))
                        {
                            let (first, last) = school.days.unwrap_or((day, day));
                            school.days = Some((first.min(day), last.max(day)));
                        }
                    }
                }
                schools.into_values().collect()
            }
        }
    }

    /// Refuses the whole file: nothing of it is kept.
    pub fn refuse(&mut self) {
        self.rows_kept = 0;
        self.rows_refused = self.rows_in;
        self.content = Content::Nothing;
    }

    /// Refuses the rows of a table that are of one school, or of none. A row that names a school that does not exist may
    /// be of a child of the others.
    pub fn refuse_rows_of(&mut self, school: Option<Urn>) {
        let Content::Rows { rows, former, snapshots, unread } = &mut self.content else { return };
        let Some(urns) = rows.column_by_name("urn").and_then(|urns| urns.as_primitive_opt::<Int32Type>()) else {
            return;
        };
        if let Some(keys) = rows.column_by_name("pupil_key").and_then(|keys| keys.as_primitive_opt::<Int64Type>()) {
            let refused = urns.iter().zip(keys).filter(|(urn, _)| *urn == school).filter_map(|(_, key)| key);
            let renamed = former.iter().filter(|(urn, ..)| *urn == school).map(|(_, old, _)| *old);
            let others = snapshots.keys().filter(|urn| Some(**urn) != school);
            let pairs = refused.chain(renamed).flat_map(|key| others.clone().map(move |urn| (*urn, key)));
            unread.pupils.extend(pairs);
        }
        let stays: BooleanArray = urns.iter().map(|urn| Some(urn != school)).collect();
        // A filter as long as the rows does not fail.
        if let Ok(kept) = filter_record_batch(rows, &stays) {
            let refused = (rows.num_rows() - kept.num_rows()) as u64;
            *rows = kept;
            self.rows_kept -= refused;
            self.rows_refused += refused;
        }
        former.retain(|(urn, ..)| *urn != school);
        if let Some(urn) = school {
            snapshots.remove(&urn);
        }
    }

    /// Keeps what it says of these schools alone.
    pub fn keep_only(&mut self, urns: &[Urn]) {
        let of_school = self.urn;
        let is_wanted = |urn: Option<Urn>| urn.is_some_and(|urn| urns.contains(&urn));
        self.problems.retain(|p| p.outcome == Outcome::RefuseFile || is_wanted(p.urn.or(of_school)));
        match &mut self.content {
            Content::Nothing => {}
            Content::Marks(grids) => grids.retain(|grid| is_wanted(Some(grid.urn))),
            Content::Rows { rows, former, snapshots, .. } => {
                let stays: Option<BooleanArray> = rows
                    .column_by_name("urn")
                    .map(|urns| urns.as_primitive::<Int32Type>().iter().map(|urn| Some(is_wanted(urn))).collect());
                // A filter as long as the rows does not fail.
                if let Some(Ok(kept)) = stays.map(|stays| filter_record_batch(rows, &stays)) {
                    *rows = kept;
                }
                former.retain(|(urn, ..)| is_wanted(*urn));
                snapshots.retain(|urn, _| is_wanted(Some(*urn)));
            }
        }
        let schools = self.schools();
        self.urn = if let [one] = schools.as_slice() { one.urn } else { None };
        self.days = schools.iter().filter_map(|s| s.days).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        self.rows_kept = schools.iter().map(|s| s.rows).sum();
        let refused = self.problems.iter().filter(|p| p.outcome != Outcome::Warn);
        self.rows_refused = refused.map(|p| p.rows).sum();
        self.rows_in = self.rows_kept + self.rows_refused;
    }

    /// `taken` or `refused`.
    pub fn status(&self) -> &'static str {
        let refused = self.problems.iter().any(|p| p.outcome == Outcome::RefuseFile);
        if refused { "refused" } else { "taken" }
    }
}

fn one_of(mut urns: impl Iterator<Item = Urn>) -> Option<Urn> {
    let first = urns.next()?;
    urns.all(|u| u == first).then_some(first)
}

/// Where a file came from and what it is called.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The source.
    pub source: &'a str,
    /// Its name, below its archive's where it has one.
    pub name: &'a str,
    /// SHA-256 of the bytes as they landed: of its archive's where it has one.
    pub sha256: &'a str,
}

impl Origin<'_> {
    /// The number of a return: what came, when, from where and under which name.
    pub fn return_id(&self, received_at: DateTime<Utc>) -> i64 {
        let mut hash = Sha256::new();
        for part in [self.source, &received_at.timestamp_micros().to_string(), self.name, self.sha256] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let digest = hash.finalize();
        let mut first = [0u8; 8];
        first.copy_from_slice(&digest[..8]);
        (u64::from_be_bytes(first) >> 1) as i64
    }
}
