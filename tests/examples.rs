//! The examples beside the SQL: every `.slt` below `sql/`, each a small world in a few words and what a
//! definition says of it.
//!
//! ```text
//! AS OF 2026-09-18                       up to which day
//! SCHOOL urn=140001 …                    a row of believed.school (defaults: an open primary of the authority)
//! PUPIL 140001 Q850200120003 dob=…       a stint (defaults: born 2016-01-01, entered 2026-09-01)
//! LINE 140001 Q850200120003 2026-09-07 /\/\/\/\/\....
//! ROW believed.calendar urn=140001 …     a row of any given table
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use chrono::{DateTime, NaiveDate, Utc};
use engine::session::Session;
use engine::{Engine, Incoming, Library, Settings};
use lake::{Lake, RunRecord, Table};
use model::{AsOf, Upn};
use serde_json::{Map, Value, json};
use sqllogictest::{DBOutput, DefaultColumnType};

pub fn sql_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql")
}

/// All files below a folder with an ending, in order.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[derive(Debug)]
struct Fault(String);

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

/// A world in memory.
struct World {
    engine: Engine,
    as_of: AsOf,
    rows: BTreeMap<(String, String), Vec<Map<String, Value>>>,
    /// By file, school and key: each week's marks.
    incoming: BTreeMap<(i64, i32, i64), BTreeMap<i32, String>>,
    session: Option<Session>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(url::Url::from_directory_path(folder.path()).unwrap().as_str()).unwrap();
        let library = Arc::new(Library::load(Some(&sql_folder())).unwrap());
        let as_of = AsOf {
            as_of: NaiveDate::from_ymd_opt(2026, 11, 20).unwrap(),
            known_at: "2027-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap(),
        };
        Self {
            engine: Engine::new(lake, library, settings),
            as_of,
            rows: BTreeMap::new(),
            incoming: BTreeMap::new(),
            session: None,
            _folder: folder,
        }
    }

    fn say(&mut self, words: &str) -> Result<(), Fault> {
        self.session = None;
        let mut parts = words.split_whitespace();
        match parts.next() {
            Some("AS") => {
                let day = words.rsplit(' ').next().unwrap_or_default();
                self.as_of.as_of = day.parse().map_err(|e| Fault(format!("{day}: {e}")))?;
            }
            Some("KNOWN") => {
                let at = words.rsplit(' ').next().unwrap_or_default();
                self.as_of.known_at = at.parse().map_err(|e| Fault(format!("{at}: {e}")))?;
            }
            Some("SCHOOL") => {
                let base = json!({ "la_code": 850, "name": "School", "type_code": "01", "status_code": "1",
                    "phase_name": "Primary" });
                self.add("believed", "school", base, parts)?;
            }
            Some("PUPIL") => {
                let (urn, upn) = (next(&mut parts)?, next(&mut parts)?);
                let base = json!({ "urn": number(urn)?, "pupil_key": key(upn)?, "dob": "2016-01-01",
                    "entry_date": "2026-09-01", "nc_year": "5" });
                self.add("believed", "enrolment", base, parts)?;
            }
            Some("LINE") => {
                let (urn, upn, week, marks) =
                    (next(&mut parts)?, next(&mut parts)?, next(&mut parts)?, next(&mut parts)?);
                let base = json!({ "urn": number(urn)?, "pupil_key": key(upn)?, "week_start": week, "marks": marks });
                let more: Vec<&str> = parts.collect();
                self.add("believed", "register_week", base.clone(), more.iter().copied())?;
                self.add("history", "register_week", base, more.iter().copied())?;
            }
            Some("INCOMING") => {
                let (urn, upn, week, marks) =
                    (next(&mut parts)?, next(&mut parts)?, next(&mut parts)?, next(&mut parts)?);
                let file_id = parts.next().and_then(|p| p.strip_prefix("file_id=")).unwrap_or("0");
                let week: NaiveDate = week.parse().map_err(|e| Fault(format!("{week}: {e}")))?;
                let register = self.incoming.entry((number(file_id)?, number(urn)? as i32, key(upn)?)).or_default();
                register.insert(model::line::days_from_epoch(week), marks.to_owned());
            }
            Some("ROW") => {
                let table = next(&mut parts)?;
                let (schema, name) = table.split_once('.').ok_or_else(|| Fault(format!("{table} has no schema")))?;
                self.add(schema, name, json!({}), parts)?;
            }
            _ => return Err(Fault(format!("what is `{words}`?"))),
        }
        Ok(())
    }

    fn add<'a>(
        &mut self,
        schema: &str,
        table: &str,
        base: Value,
        more: impl Iterator<Item = &'a str>,
    ) -> Result<(), Fault> {
        let mut row = base.as_object().cloned().unwrap_or_default();
        if schema != "incoming" && table != "joined_key" {
            row.insert("known_from".to_owned(), json!("2026-08-01T00:00:00Z"));
            row.insert("return_id".to_owned(), json!(1));
        }
        let fields = schema_of(schema, table)?;
        for pair in more {
            let (name, value) = pair.split_once('=').ok_or_else(|| Fault(format!("`{pair}` is not name=value")))?;
            let name = if name == "upn" { "pupil_key" } else { name };
            let field = fields.field_with_name(name).map_err(|e| Fault(e.to_string()))?;
            let value = value.replace('_', " ");
            let value = match field.data_type() {
                DataType::Int64 if Upn::parse(value.as_bytes()).is_ok() => json!(key(&value)?),
                DataType::Int32 | DataType::Int64 => json!(value.parse::<i64>().map_err(|e| Fault(e.to_string()))?),
                DataType::Boolean => json!(value == "true"),
                _ => json!(value),
            };
            row.insert(name.to_owned(), value);
        }
        self.rows.entry((schema.to_owned(), table.to_owned())).or_default().push(row);
        Ok(())
    }

    fn registers(&self) -> RecordBatch {
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(arrow::array::Int64Array::from_iter_values(self.incoming.keys().map(|k| k.0))),
            Arc::new(arrow::array::Int32Array::from_iter_values(self.incoming.keys().map(|k| k.1))),
            Arc::new(arrow::array::Int64Array::from_iter_values(self.incoming.keys().map(|k| k.2))),
            Arc::new(arrow::array::BinaryViewArray::from_iter_values(self.incoming.values().map(|weeks| {
                let (first, last) = (*weeks.keys().next().unwrap(), *weeks.keys().next_back().unwrap());
                let mut register = first.to_le_bytes().to_vec();
                for week in (first..=last).step_by(7) {
                    register.extend(weeks.get(&week).map_or(&[model::BLANK; 14][..], |marks| marks.as_bytes()));
                }
                register
            }))),
        ];
        RecordBatch::try_new(engine::rules::register_schema(), columns).unwrap()
    }

    async fn session(&mut self) -> Result<&Session, Fault> {
        let fault = |e: &dyn std::fmt::Display| Fault(e.to_string());
        if self.session.is_none() {
            let session = self.engine.session(&RunRecord::default(), self.as_of).await.map_err(|e| fault(&e))?;
            let incoming = Incoming { registers: self.registers(), ..Incoming::nothing() };
            incoming.put(&session).map_err(|e| fault(&e))?;
            let mut joined = RecordBatch::new_empty(engine::joined_keys::schema());
            let mut lines = RecordBatch::new_empty(Table::RegisterWeek.schema());
            for ((schema, table), rows) in &self.rows {
                let text: String = rows.iter().map(|r| Value::Object(r.clone()).to_string() + "\n").collect();
                let reader = arrow::json::ReaderBuilder::new(schema_of(schema, table)?)
                    .build(std::io::Cursor::new(text))
                    .map_err(|e| fault(&e))?;
                let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|e| fault(&e))?;
                let all =
                    arrow::compute::concat_batches(&schema_of(schema, table)?, &batches).map_err(|e| fault(&e))?;
                match (schema.as_str(), table.as_str()) {
                    ("believed", "joined_key") => joined = all.clone(),
                    ("believed", "register_week") => lines = all.clone(),
                    _ => {}
                }
                session.put_rows(schema, table, all).map_err(|e| fault(&e))?;
            }
            let lines = engine::registers::Lines::Rows(lines);
            session.put_register(lines, &joined, false).map_err(|e| fault(&e))?;
            self.session = Some(session);
        }
        self.session.as_ref().ok_or_else(|| Fault("no session".to_owned()))
    }
}

/// How many of its grain a view has more than one row of.
pub fn doubles(name: &str, grain: &[String]) -> String {
    let grain = grain.join(", ");
    format!("SELECT count(*) AS doubles FROM (SELECT {grain} FROM {name} GROUP BY {grain} HAVING 1 < count(*))")
}

async fn doubled(session: &Session, name: &str, grain: &[String]) -> Result<i64, Fault> {
    let rows = session.rows(&doubles(name, grain)).await.map_err(|e| Fault(format!("{name}: {e}")))?;
    Ok(rows.iter().map(|b| b.column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0)).sum())
}

fn next<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Result<&'a str, Fault> {
    parts.next().ok_or_else(|| Fault("a word is missing".to_owned()))
}

fn number(text: &str) -> Result<i64, Fault> {
    text.parse().map_err(|e| Fault(format!("{text}: {e}")))
}

fn key(upn: &str) -> Result<i64, Fault> {
    Upn::parse(upn.as_bytes()).map(|u| u.key()).map_err(|e| Fault(format!("{upn}: {e}")))
}

fn schema_of(schema: &str, table: &str) -> Result<SchemaRef, Fault> {
    match (schema, table) {
        ("incoming", "file") => Ok(engine::rules::file_schema()),
        ("believed", "joined_key") => Ok(engine::joined_keys::schema()),
        _ => Table::ALL
            .into_iter()
            .find(|t| t.name() == table)
            .map(Table::schema)
            .ok_or_else(|| Fault(format!("there is no table {schema}.{table}"))),
    }
}

#[async_trait::async_trait]
impl sqllogictest::AsyncDB for World {
    type Error = Fault;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Fault> {
        if !sql.trim_start().to_ascii_uppercase().starts_with("SELECT") {
            for line in sql.lines().filter(|l| !l.trim().is_empty()) {
                self.say(line.trim())?;
            }
            return Ok(DBOutput::StatementComplete(0));
        }
        let session = self.session().await?;
        let rows = session.rows(sql).await.map_err(|e| Fault(e.to_string()))?;
        for name in engine::definition::reads_of(sql).map_err(Fault)? {
            let grain = session.library().get(&name).map(|d| d.header.grain.clone()).unwrap_or_default();
            let found = if grain.is_empty() { 0 } else { doubled(session, &name, &grain).await? };
            if 0 < found {
                return Err(Fault(format!("{found} rows of {name} are of one {}", grain.join(", "))));
            }
        }
        let options = arrow::util::display::FormatOptions::default().with_null("NULL");
        let mut out = Vec::new();
        for batch in &rows {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|c| arrow::util::display::ArrayFormatter::try_new(c.as_ref(), &options))
                .collect::<Result<_, _>>()
                .map_err(|e| Fault(e.to_string()))?;
            for row in 0..batch.num_rows() {
                out.push(columns.iter().map(|c| c.value(row).to_string().replace(' ', "_")).collect());
            }
        }
        let types = vec![DefaultColumnType::Any; rows.first().map_or(1, RecordBatch::num_columns)];
        Ok(DBOutput::Rows { types, rows: out })
    }

    async fn shutdown(&mut self) {}
}

#[test]
fn a_grain_that_several_rows_share_is_found() {
    let mut world = World::new(Settings::within(64 << 20, 1, 850));
    for line in ["SCHOOL urn=140001", "PUPIL 140001 A850200000001"] {
        world.say(line).unwrap();
    }
    for week in ["2026-09-07", "2026-09-14"] {
        world.say(&format!("LINE 140001 A850200000001 {week} /\\............")).unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let session = world.session().await.unwrap();
        let doubled = async |grain: &[&str]| {
            doubled(session, "metrics.school_week", &grain.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>()).await
        };
        assert_eq!(doubled(&["urn"]).await.unwrap(), 1);
        assert_eq!(doubled(&["urn", "week_start"]).await.unwrap(), 0);
    });
}

/// Runs every example; all that fail are named at once.
fn hold(settings: &Settings) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let only = std::env::var("SLT").unwrap_or_default();
    let files: Vec<PathBuf> =
        files(&sql_folder(), "slt").into_iter().filter(|f| f.to_string_lossy().contains(&only)).collect();
    assert!(!files.is_empty(), "no example matches");
    let mut failed = Vec::new();
    for file in &files {
        let mut runner = sqllogictest::Runner::new(|| async { Ok(World::new(settings.clone())) });
        if let Err(e) = runtime.block_on(runner.run_file_async(file)) {
            failed.push(format!("{}:\n{e}", file.display()));
        }
    }
    assert!(failed.is_empty(), "{} of {} examples fail\n{}", failed.len(), files.len(), failed.join("\n"));
}

#[test]
fn the_examples_beside_the_sql() {
    hold(&Settings::within(256 << 20, 2, 850));
}

#[test]
fn the_examples_hold_where_nothing_is_held_in_memory() {
    hold(&Settings { held_bytes: 0, hashed_lines: 0, ..Settings::within(256 << 20, 2, 850) });
}
