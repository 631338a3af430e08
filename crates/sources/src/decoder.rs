//! What decoding needs to know besides the bytes.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use model::{CodeTable, FieldRules, Urn};

/// How a source's or a school's files differ from ours.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// Folded header names to ours.
    pub columns: BTreeMap<String, String>,
    /// Codes of the school's own to register codes; an empty one means no mark.
    pub codes: BTreeMap<String, String>,
    /// The same of single schools, which stand before those of the source.
    pub school_codes: BTreeMap<Urn, BTreeMap<String, String>>,
    /// The source sends only the sessions that changed, not whole registers.
    pub changes_only: bool,
}

/// What decoding needs to know besides the bytes.
#[derive(Debug)]
pub struct Decoder<'a> {
    /// The register codes.
    pub codes: &'a CodeTable,
    /// Outcome and words of the field rules.
    pub rules: &'a FieldRules,
    /// Types of intervention, each with its name.
    pub interventions: &'a BTreeMap<String, String>,
    /// The source's mapping.
    pub mapping: &'a Mapping,
    /// When the file was received.
    pub received_at: DateTime<Utc>,
    /// The day on which it first came: no register is of a later day.
    pub received_on: NaiveDate,
    /// The last day of which a roll may speak: one for the new term is sent before it.
    pub roll_until: NaiveDate,
    /// The last day of which a calendar may speak.
    pub calendar_until: NaiveDate,
    /// So many years between a pupil's age and the usual one of its year group are doubted.
    pub years_apart: i32,
    /// First day of the earliest school year asked for.
    pub earliest: NaiveDate,
    /// What one file may unpack to, in bytes.
    pub unpacked_limit: u64,
}

impl Decoder<'_> {
    /// Whether any code is mapped.
    pub fn maps_codes(&self) -> bool {
        !self.mapping.codes.is_empty() || !self.mapping.school_codes.is_empty()
    }

    /// Whether this code is mapped to another, at any school.
    pub fn codes_mapped(&self, code: &str) -> bool {
        self.mapping.school_codes.values().chain([&self.mapping.codes]).any(|codes| codes.contains_key(code))
    }

    /// A mark as a message may show it: a register code of any length as it stands.
    pub fn shown_mark(&self, mark: &[u8]) -> String {
        let text = String::from_utf8_lossy(mark.trim_ascii());
        match self.codes.code(&text) {
            Some(code) => code.code.clone(),
            None => model::id::shown(&text),
        }
    }

    /// A code as the source means it.
    pub fn map_code(&self, urn: Urn, code: &str) -> String {
        let of_school = self.mapping.school_codes.get(&urn).and_then(|codes| codes.get(code));
        of_school.or_else(|| self.mapping.codes.get(code)).map_or(code, String::as_str).to_owned()
    }
}
