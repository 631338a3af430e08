//! The rules at the door: each is a SELECT of the wrong rows over what has just come in, the roll, the
//! calendar and the last return.
//!
//! A rule's columns are `file_id`, and as far as it knows them `urn`, `pupil_key`, `session_date`,
//! `session`, `rows` and `found`. It knows no report; the report knows no rule.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Int64Type, Schema, SchemaRef};
use chrono::NaiveDate;
use model::line::day_of;
use model::{Outcome, Session as HalfDay, Urn};

use crate::definition::Definition;
use crate::error::{EngineError, stopped};
use crate::session::Session;

/// What has just come in.
#[derive(Clone)]
pub struct Incoming {
    /// See [`file_schema`].
    pub files: RecordBatch,
    /// See [`register_schema`]; empty where the files hold no marks.
    pub registers: RecordBatch,
}

impl Incoming {
    /// No file at all.
    pub fn nothing() -> Self {
        Self { files: RecordBatch::new_empty(file_schema()), registers: RecordBatch::new_empty(register_schema()) }
    }

    /// Makes it readable for rules.
    pub fn put(self, session: &Session) -> Result<(), EngineError> {
        session.put_incoming(self.files, self.registers)
    }
}

/// The columns of `incoming.file`: a row for each school in each file.
pub fn file_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("file_id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("urn", DataType::Int32, true),
        Field::new("named_urn", DataType::Int32, true),
        Field::new("source_urn", DataType::Int32, true),
        Field::new("rows", DataType::Int64, false),
        Field::new("first_day", DataType::Date32, true),
        Field::new("last_day", DataType::Date32, true),
        Field::new("of_many", DataType::Boolean, false),
    ]))
}

/// The columns of `incoming.register`: a child's marks in one file as one value. It is given as boxes: the first
/// Monday (days from the epoch, four bytes, least first) and fourteen boxes a week.
pub fn register_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("file_id", DataType::Int64, false),
        Field::new("urn", DataType::Int32, false),
        Field::new("line_key", DataType::Int64, false),
        Field::new("register", DataType::BinaryView, false),
    ]))
}

/// Something a rule found.
#[derive(Clone, PartialEq)]
pub struct Found {
    /// The rule.
    pub rule: String,
    /// What it does with it.
    pub outcome: Outcome,
    /// What would be right.
    pub expected: String,
    /// Which of the incoming files.
    pub file_id: i64,
    /// The school.
    pub urn: Option<Urn>,
    /// The child.
    pub pupil_key: Option<i64>,
    /// The session, or the first of those meant.
    pub session: Option<(NaiveDate, HalfDay)>,
    /// How many rows share it.
    pub rows: u64,
    /// What was found.
    pub found: String,
}

/// Makes ready what the rules that pass `wanted` read beside what has come in, which need not be put yet.
pub async fn ready(session: &Session, wanted: impl Fn(&Definition) -> bool) -> Result<(), EngineError> {
    let rules = session.library().of_folder("rules").filter(|r| wanted(r));
    let reads: BTreeSet<String> = rules.flat_map(|rule| rule.reads.iter().cloned()).collect();
    session.ready(&Vec::from_iter(reads)).await
}

/// Runs every rule that passes `wanted` over what has come in, once it is put and all is ready: before it is merged, or
/// those of what is held after.
pub async fn judge(session: &Session, wanted: impl Fn(&Definition) -> bool) -> Result<Vec<Found>, EngineError> {
    let rules: Vec<&Definition> = session.library().of_folder("rules").filter(|r| wanted(r)).collect();
    // Each is planned and run by itself, on whatever core is free.
    let mut running = Vec::with_capacity(rules.len());
    for rule in rules {
        running.push((rule, tokio::spawn(session.answer(rule)?)));
    }
    let mut found = Vec::new();
    for (rule, rows) in running {
        let Definition { name, header, .. } = rule;
        for batch in rows.await.map_err(stopped)?? {
            // What a rule of one's own says otherwise than it should is not taken for nothing.
            rule.check_header(batch.schema_ref()).map_err(EngineError::Question)?;
            for row in 0..batch.num_rows() {
                found.push(Found {
                    rule: name.trim_start_matches("rules.").to_owned(),
                    outcome: header.outcome.unwrap_or(Outcome::Warn),
                    expected: header.expected.clone(),
                    file_id: whole(&batch, "file_id", row).unwrap_or(-1),
                    urn: whole(&batch, "urn", row).and_then(|u| Urn::try_from(u).ok()),
                    pupil_key: whole(&batch, "pupil_key", row),
                    session: day(&batch, "session_date", row).map(|day| {
                        let half = text(&batch, "session", row).and_then(|s| HalfDay::parse(&s));
                        (day, half.unwrap_or(HalfDay::Am))
                    }),
                    rows: whole(&batch, "rows", row).and_then(|n| u64::try_from(n).ok()).unwrap_or(1),
                    found: text(&batch, "found", row).unwrap_or_default(),
                });
            }
        }
    }
    found.sort_by(|a, b| {
        (a.file_id, &a.rule, a.pupil_key, a.session).cmp(&(b.file_id, &b.rule, b.pupil_key, b.session))
    });
    Ok(found)
}

fn whole(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(name)?;
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Int32 => Some(i64::from(column.as_primitive::<Int32Type>().value(row))),
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().value(row)),
        _ => None,
    }
}

fn day(batch: &RecordBatch, name: &str, row: usize) -> Option<NaiveDate> {
    let column = batch.column_by_name(name)?.as_primitive_opt::<Date32Type>()?;
    column.is_valid(row).then(|| day_of(column.value(row)))
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name)?;
    let text = arrow::util::display::array_value_to_string(column, row).ok()?;
    column.is_valid(row).then_some(text)
}
