//! The ledger's tables and their columns.
//!
//! Every table is split by `belief`: `current` rows have no `known_to`; `past` rows do. A question about
//! now reads only the former.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A Delta table of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// One row a version of a pupil's week at a school.
    RegisterWeek,
    /// One row a version of a stint on a school's roll.
    Enrolment,
    /// One row a former UPN: its key and the key that replaced it.
    Identity,
    /// One row a version of a school in GIAS, with its trust.
    School,
    /// One row a link between schools in GIAS.
    SchoolLink,
    /// One row a version of a session that a school's calendar states.
    Calendar,
    /// One row a legal or support step.
    Intervention,
    /// One row a case kept in another system.
    Case,
    /// One row a version of what few sessions carry besides their mark.
    MarkDetail,
    /// One row a return taken.
    Return,
    /// One row a school of a return that speaks of several.
    ReturnSchool,
    /// One row a problem found.
    Problem,
    /// One row a problem mended.
    ProblemFix,
    /// One row a change of an alert's status.
    AlertEvent,
}

/// `belief` of rows that are believed now.
pub const CURRENT: &str = "current";
/// `belief` of rows that were believed once.
pub const PAST: &str = "past";

impl Table {
    /// All tables.
    pub const ALL: [Self; 14] = [
        Self::RegisterWeek,
        Self::Enrolment,
        Self::Identity,
        Self::School,
        Self::SchoolLink,
        Self::Calendar,
        Self::Intervention,
        Self::Case,
        Self::MarkDetail,
        Self::Return,
        Self::ReturnSchool,
        Self::Problem,
        Self::ProblemFix,
        Self::AlertEvent,
    ];

    /// Its name in `tables.*`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RegisterWeek => "register_week",
            Self::Enrolment => "enrolment",
            Self::Identity => "identity",
            Self::School => "school",
            Self::SchoolLink => "school_link",
            Self::Calendar => "calendar",
            Self::Intervention => "intervention",
            Self::Case => "case",
            Self::MarkDetail => "mark_detail",
            Self::Return => "return",
            Self::ReturnSchool => "return_school",
            Self::Problem => "problem",
            Self::ProblemFix => "problem_fix",
            Self::AlertEvent => "alert_event",
        }
    }

    /// The columns that lie in the path rather than the file.
    pub fn partitions(self) -> &'static [&'static str] {
        match self {
            Self::RegisterWeek => &["month", "belief"],
            _ => &["belief"],
        }
    }

    /// The columns of its Parquet files.
    pub fn schema(self) -> SchemaRef {
        let mut fields = match self {
            Self::RegisterWeek => vec![
                must("urn", DataType::Int32),
                must("pupil_key", DataType::Int64),
                must("week_start", DataType::Date32),
                must("marks", DataType::Utf8),
            ],
            Self::Enrolment => vec![
                must("urn", DataType::Int32),
                must("pupil_key", DataType::Int64),
                must("entry_date", DataType::Date32),
                may("leaving_date", DataType::Date32),
                may("leaving_ground", DataType::Utf8),
                may("destination", DataType::Utf8),
                may("enrol_status", DataType::Utf8),
                may("mis_pupil_id", DataType::Utf8),
                may("surname", DataType::Utf8),
                may("forename", DataType::Utf8),
                may("dob", DataType::Date32),
                may("sex", DataType::Utf8),
                may("nc_year", DataType::Utf8),
                may("fsm", DataType::Boolean),
                may("sen", DataType::Utf8),
                may("looked_after", DataType::Boolean),
                may("previously_looked_after", DataType::Boolean),
                may("child_in_need", DataType::Boolean),
                may("child_protection", DataType::Boolean),
                may("youth_justice", DataType::Boolean),
                may("young_carer", DataType::Boolean),
                may("long_term_illness", DataType::Boolean),
                may("eal", DataType::Boolean),
                may("ethnicity", DataType::Utf8),
                may("boarder", DataType::Boolean),
                may("postcode", DataType::Utf8),
                may("home_la", DataType::Utf8),
                may("missing_since", DataType::Date32),
                may("snapshot_date", DataType::Date32),
            ],
            Self::Identity => vec![must("former_key", DataType::Int64), must("pupil_key", DataType::Int64)],
            Self::School => vec![
                must("urn", DataType::Int32),
                may("la_code", DataType::Int32),
                may("establishment_number", DataType::Int32),
                may("name", DataType::Utf8),
                may("type_code", DataType::Utf8),
                may("type_name", DataType::Utf8),
                may("status_code", DataType::Utf8),
                may("phase_code", DataType::Utf8),
                may("phase_name", DataType::Utf8),
                may("open_date", DataType::Date32),
                may("close_date", DataType::Date32),
                may("trust_id", DataType::Utf8),
                may("trust_name", DataType::Utf8),
                may("postcode", DataType::Utf8),
                may("ward", DataType::Utf8),
            ],
            Self::SchoolLink => vec![
                must("urn", DataType::Int32),
                must("link_urn", DataType::Int32),
                may("link_type", DataType::Utf8),
                may("established_on", DataType::Date32),
            ],
            Self::Calendar => vec![
                must("urn", DataType::Int32),
                must("date", DataType::Date32),
                must("session", DataType::Utf8),
                may("open", DataType::Boolean),
                may("reason", DataType::Utf8),
            ],
            Self::Intervention => vec![
                may("urn", DataType::Int32),
                must("pupil_key", DataType::Int64),
                must("type", DataType::Utf8),
                must("date", DataType::Date32),
                may("end_date", DataType::Date32),
                must("reference", DataType::Utf8),
                may("outcome", DataType::Utf8),
                must("parent_ref", DataType::Utf8),
            ],
            Self::Case => vec![
                must("pupil_key", DataType::Int64),
                must("kind", DataType::Utf8),
                must("opened", DataType::Date32),
                may("closed", DataType::Date32),
                may("reason", DataType::Utf8),
                may("outcome", DataType::Utf8),
                may("nc_year", DataType::Utf8),
                may("sex", DataType::Utf8),
                may("postcode", DataType::Utf8),
            ],
            Self::MarkDetail => vec![
                must("urn", DataType::Int32),
                must("pupil_key", DataType::Int64),
                must("session_date", DataType::Date32),
                must("session", DataType::Utf8),
                may("minutes_late", DataType::Int32),
                may("comment", DataType::Utf8),
            ],
            Self::Return => vec![
                must("source", DataType::Utf8),
                must("kind", DataType::Utf8),
                may("urn", DataType::Int32),
                must("file", DataType::Utf8),
                must("sha256", DataType::Utf8),
                must("received_at", stamp()),
                must("rows_in", DataType::Int64),
                must("rows_kept", DataType::Int64),
                must("rows_refused", DataType::Int64),
                must("status", DataType::Utf8),
                may("first_day", DataType::Date32),
                may("last_day", DataType::Date32),
            ],
            Self::ReturnSchool => vec![
                must("kind", DataType::Utf8),
                must("urn", DataType::Int32),
                must("rows_kept", DataType::Int64),
                may("first_day", DataType::Date32),
                may("last_day", DataType::Date32),
            ],
            Self::Problem => vec![
                must("problem_id", DataType::Utf8),
                must("source", DataType::Utf8),
                may("urn", DataType::Int32),
                must("file", DataType::Utf8),
                may("line", DataType::Int64),
                must("rule", DataType::Utf8),
                must("severity", DataType::Utf8),
                must("found", DataType::Utf8),
                must("expected", DataType::Utf8),
                must("rows", DataType::Int64),
                may("pupil_key", DataType::Int64),
                may("session_date", DataType::Date32),
                may("session", DataType::Utf8),
                must("kind", DataType::Utf8),
            ],
            Self::ProblemFix => vec![must("problem_id", DataType::Utf8)],
            Self::AlertEvent => vec![
                must("alert_id", DataType::Utf8),
                must("changed_at", stamp()),
                may("from_status", DataType::Utf8),
                must("to_status", DataType::Utf8),
                must("by", DataType::Utf8),
                may("reason", DataType::Utf8),
                must("rule", DataType::Utf8),
                must("pupil_key", DataType::Int64),
                may("urn", DataType::Int32),
                may("event_from", DataType::Date32),
                may("event_to", DataType::Date32),
                may("sessions", DataType::Int64),
            ],
        };
        fields.extend([must("known_from", stamp()), may("known_to", stamp()), must("return_id", DataType::Int64)]);
        Arc::new(Schema::new(fields))
    }

    /// The columns that say which thing a row is a version of. Empty for tables whose rows never change.
    pub fn identity_columns(self) -> &'static [&'static str] {
        match self {
            Self::RegisterWeek => &["urn", "pupil_key", "week_start"],
            Self::Enrolment => &["urn", "pupil_key", "entry_date"],
            Self::Identity => &["former_key"],
            Self::School => &["urn"],
            Self::SchoolLink => &["urn", "link_urn", "link_type"],
            Self::Calendar => &["urn", "date", "session"],
            // A notice goes to each parent.
            Self::Intervention => &["pupil_key", "type", "date", "reference", "parent_ref"],
            Self::Case => &["pupil_key", "kind", "opened"],
            Self::MarkDetail => &["urn", "pupil_key", "session_date", "session"],
            Self::Return | Self::ReturnSchool | Self::Problem | Self::ProblemFix | Self::AlertEvent => &[],
        }
    }
}

/// Instants in the ledger: microseconds, UTC.
pub fn stamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A column of [`stamp`]s, given in microseconds.
pub fn stamps(micros: impl Into<TimestampMicrosecondArray>) -> ArrayRef {
    Arc::new(micros.into().with_data_type(stamp()))
}

/// So many rows of one instant, given in microseconds.
pub fn stamped(micros: i64, rows: usize) -> ArrayRef {
    stamps(vec![micros; rows])
}

fn must(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, false)
}

fn may(name: &str, kind: DataType) -> Field {
    Field::new(name, kind, true)
}
