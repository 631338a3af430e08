//! Answering: one ledger version, one pair of times, and SQL over them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::catalog::{CatalogProvider, MemTable, MemorySchemaProvider, TableProvider, view::ViewTable};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Volatility, col, lit};
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
pub use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use lake::table::{CURRENT, PAST};
use lake::{Lake, RunRecord, Table};
use model::AsOf;
use tokio::task::JoinSet;

use crate::definition::{Definition, Param, substitute};
use crate::error::{EngineError, stopped};
use crate::held::{Held, Keeping, Place, Room};
use crate::joined_keys::joined_keys;
use crate::ledger::{FileTable, ScanFile};
use crate::library::{FOLDERS, GIVEN, Library};
use crate::line_book::LineBook;
use crate::memory;
use crate::registers::{self, Belief, Lines};
use crate::small_sides::SmallSides;

/// What a stream of rows fails with.
pub type StreamError = DataFusionError;

/// Where DataFusion finds the lake's store. The name is ours alone.
const STORE: &str = "lake://lake/";

/// What a hash join of registers holds for each line of theirs, nearly: its number, and its part of a child's row.
const BYTES_A_LINE: u64 = 6;

/// How much a session may use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes that grouping and sorting may hold before they spill, to the system's folder for temporary files.
    pub memory_bytes: usize,
    /// Bytes that results which others read may hold beside them, before they lie in files there.
    pub held_bytes: usize,
    /// Fewer lines of the ledger than these are joined by hashing. What a hash join holds does not spill, and a country's
    /// registers would not fit: they are sorted, which does.
    pub hashed_lines: u64,
    /// How many parts a plan is cut into: cores.
    pub partitions: usize,
    /// The authority.
    pub la_code: i32,
}

impl Settings {
    /// Within so much memory, and half as much again for results.
    pub fn within(memory_bytes: usize, partitions: usize, la_code: i32) -> Self {
        let hashed_lines = memory_bytes as u64 / 4 / BYTES_A_LINE;
        Self { memory_bytes, held_bytes: memory_bytes / 2, hashed_lines, partitions, la_code }
    }
}

/// The SQL of the product over one lake.
#[derive(Clone, Debug)]
pub struct Engine {
    lake: Lake,
    library: Arc<Library>,
    settings: Settings,
    /// Whether what is kept is taken up.
    pub(crate) keeps: bool,
}

impl Engine {
    /// An engine over a lake.
    pub fn new(lake: Lake, library: Arc<Library>, settings: Settings) -> Self {
        Self { lake, library, settings, keeps: true }
    }

    /// What the names mean.
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// The lake.
    pub(crate) fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The newest run of the lake.
    pub async fn newest(&self) -> Result<RunRecord, EngineError> {
        Ok(RunRecord::newest(&self.lake).await?)
    }

    /// Whether registers of a run are joined by hashing.
    fn hashes(&self, run: &RunRecord) -> bool {
        let lines: u64 = run.table(Table::RegisterWeek).of_belief(CURRENT).map(|f| f.rows).sum();
        lines < self.settings.hashed_lines
    }

    /// Opens one ledger version at one pair of times.
    pub async fn session(&self, run: &RunRecord, as_of: AsOf) -> Result<Session, EngineError> {
        let hashes = self.hashes(run);
        let config = SessionConfig::new()
            .with_target_partitions(self.settings.partitions)
            .with_information_schema(true)
            // A whole authority's year is ten megabytes: files are split well below the usual size.
            .with_repartition_file_min_size(256 * 1024)
            .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
            // A hash join holds its first side, and our SQL writes the smaller one first. Left to its guesses
            // about sums over lines, the optimizer holds the lines.
            .set_bool("datafusion.optimizer.join_reordering", false)
            // Fields are not read for themselves at the leaves: what gives several of them would be worked out for each.
            .set_bool("datafusion.optimizer.enable_leaf_expression_pushdown", false)
            // Nor are both sides dealt out anew for it: registers stay where they are.
            .set_bool("datafusion.optimizer.repartition_joins", !hashes)
            .set_bool("datafusion.optimizer.prefer_hash_join", hashes)
            // A row may be the counts of a school's year.
            .with_batch_size(if hashes { 8192 } else { 2048 })
            // Grouping by child groups nothing within one part: a first batch says so.
            .set_usize("datafusion.execution.skip_partial_aggregation_probe_rows_threshold", 4096)
            .set_str("datafusion.execution.skip_partial_aggregation_probe_ratio_threshold", "0.5")
            .set_str("datafusion.catalog.default_schema", "public");
        let memory = Arc::new(memory::Shared::of(self.settings.memory_bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(memory).build_arc()?;
        // What pushes filters below joins once more goes by the names of columns: of two that are named alike on either
        // side it may take the wrong one, and rows are lost (DataFusion 55.2; the logical optimizer pushes them already).
        let mut rules = PhysicalOptimizer::new().rules;
        rules.retain(|rule| !rule.name().starts_with("FilterPushdown"));
        if !hashes {
            rules.insert(0, Arc::new(SmallSides { most: self.settings.memory_bytes / 16 }));
        }
        let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
        let mut context = SessionContext::new_with_state(state.with_physical_optimizer_rules(rules).build());
        let url = ObjectStoreUrl::parse(STORE)?;
        context.register_object_store(url.as_ref(), self.lake.store());
        let book = Arc::new(LineBook::of(&self.library.codes));
        crate::functions::register_all(&mut context, &Arc::new(self.library.codes.clone()), &book)?;
        let session = Session {
            context,
            engine: self.clone(),
            run: run.clone(),
            as_of,
            url,
            book,
            at_once: if hashes { 2 } else { 1 },
            room: Room::of(self.settings.held_bytes),
            held: Mutex::default(),
        };
        session.register_given(&session.url).await?;
        Ok(session)
    }
}

/// How far building has come.
#[derive(Clone, Copy, Debug)]
pub enum Work<'a> {
    /// A definition is being worked out.
    Begun(&'a str),
    /// It has been, and has so many rows.
    Done(&'a str, u64),
}

/// One ledger version at one pair of times.
pub struct Session {
    pub(crate) context: SessionContext,
    pub(crate) engine: Engine,
    pub(crate) run: RunRecord,
    pub(crate) as_of: AsOf,
    pub(crate) url: ObjectStoreUrl,
    book: Arc<LineBook>,
    /// How many definitions are worked out at once.
    at_once: usize,
    room: Arc<Room>,
    /// What each result that is held takes of the room.
    held: Mutex<BTreeMap<String, Vec<Place>>>,
}

impl Session {
    /// The same, with every answer worked out from the lines again.
    pub async fn afresh(self) -> Result<Self, EngineError> {
        Engine { keeps: false, ..self.engine }.session(&self.run, self.as_of).await
    }

    /// What the names mean.
    pub fn library(&self) -> &Arc<Library> {
        &self.engine.library
    }

    /// The run it speaks of.
    pub fn run(&self) -> &RunRecord {
        &self.run
    }

    /// The times it speaks of.
    pub fn as_of(&self) -> AsOf {
        self.as_of
    }

    /// The authority.
    pub(crate) fn la_code(&self) -> i32 {
        self.engine.settings.la_code
    }

    async fn register_given(&self, url: &ObjectStoreUrl) -> Result<(), EngineError> {
        let catalog = self.catalog()?;
        for schema in FOLDERS.iter().chain(&GIVEN) {
            catalog.register_schema(schema, Arc::new(MemorySchemaProvider::new()))?;
        }
        let newest = self.run.known_at <= self.as_of.known_at;
        let known_at = self.as_of.known_at.timestamp_micros();
        for table in Table::ALL {
            let state = self.run.table(table);
            let scan = |believed_only: bool| {
                state
                    .files
                    .iter()
                    .filter(|f| {
                        let belief = f.partition.get("belief").map(String::as_str);
                        let told = f.known_from.is_none_or(|(least, _)| least <= known_at);
                        !believed_only || belief == Some(CURRENT) && told || belief == Some(PAST) && !newest && told
                    })
                    .map(|f| ScanFile {
                        path: format!("{}/{}", lake::path::table(table), f.path),
                        bytes: f.bytes,
                        rows: f.rows,
                    })
                    .collect::<Vec<_>>()
            };
            self.put_versions(table, Arc::new(FileTable::new(table.schema(), url.clone(), scan(true))))?;
            self.put("history", table.name(), Arc::new(FileTable::new(table.schema(), url.clone(), scan(false))))?;
        }
        let joined = joined_keys(&self.engine.lake, &self.run, known_at).await?;
        let state = self.run.table(Table::RegisterWeek);
        let told = |f: &lake::DataFile| f.known_from.is_none_or(|(least, _)| least <= known_at);
        let is_past = |f: &lake::DataFile| f.partition.get("belief").is_some_and(|b| b == PAST);
        let files = state.files.into_iter().filter(|f| told(f) && !(newest && is_past(f))).collect();
        self.put_register(Lines::Files(self.engine.lake.clone(), files), &joined, newest)?;
        self.put("believed", "joined_key", in_memory(joined)?)?;
        for (name, text) in &self.engine.library.tables {
            self.put("reference", name, in_memory(reference_table(text)?)?)?;
        }
        self.put("definitions", "definition", in_memory(definitions(&self.engine.library)?)?)?;
        Ok(())
    }

    fn catalog(&self) -> Result<Arc<dyn CatalogProvider>, EngineError> {
        self.context.catalog("datafusion").ok_or_else(|| EngineError::Question("the session has no catalog".to_owned()))
    }

    fn put(&self, schema: &str, name: &str, table: Arc<dyn TableProvider>) -> Result<(), EngineError> {
        self.let_go(schema, name)?;
        if let Some(schema) = self.catalog()?.schema(schema) {
            schema.register_table(name.to_owned(), table)?;
        }
        Ok(())
    }

    /// Makes the rows of a table of the ledger readable as `believed.name`, which has those that stand at the time asked
    /// for alone: no definition can forget to ask for them.
    fn put_versions(&self, table: Table, versions: Arc<dyn TableProvider>) -> Result<(), EngineError> {
        let known_at =
            ScalarValue::TimestampMicrosecond(Some(self.as_of.known_at.timestamp_micros()), Some("UTC".into()));
        let (from, to) = (col("known_from"), col("known_to"));
        let stands = from.lt_eq(lit(known_at.clone())).and(to.clone().is_null().or(lit(known_at).lt(to)));
        let plan =
            LogicalPlanBuilder::scan(table.name(), provider_as_source(versions), None)?.filter(stands)?.build()?;
        self.put("believed", table.name(), Arc::new(ViewTable::new(plan, None)))
    }

    fn let_go(&self, folder: &str, name: &str) -> Result<(), EngineError> {
        if let Some(schema) = self.catalog()?.schema(folder) {
            schema.deregister_table(name)?;
        }
        self.held().remove(&format!("{folder}.{name}"));
        Ok(())
    }

    /// Lets `believed.register` be gathered from these lines; `joined` has the columns of [`crate::joined_keys::schema`].
    pub fn put_register(&self, lines: Lines, joined: &RecordBatch, newest: bool) -> Result<(), EngineError> {
        let column = |i: usize| joined.column(i).as_primitive::<Int64Type>().values().iter().copied();
        let joined = column(0).zip(column(1)).collect();
        let keeps = self.engine.keeps && self.engine.hashes(&self.run);
        let belief = Belief { lines, as_of: self.as_of, newest, joined, keeps };
        let book = Arc::clone(&self.book);
        self.put("believed", "register", registers::table(belief, book, self.engine.settings.partitions)?)
    }

    /// Makes what has come in readable as `incoming.file` and `incoming.register`, which is given as boxes.
    pub(crate) fn put_incoming(&self, files: RecordBatch, registers: RecordBatch) -> Result<(), EngineError> {
        self.put_rows("incoming", "file", files)?;
        let (schema, mut columns, _) = registers.into_parts();
        let at = schema.index_of("register")?;
        columns[at] = Arc::new(self.book.number_registers(columns[at].as_binary_view())?);
        self.put_rows("incoming", "register", RecordBatch::try_new(schema, columns)?)
    }

    /// Makes rows of our own readable as `schema.name`.
    pub fn put_rows(&self, schema: &str, name: &str, rows: RecordBatch) -> Result<(), EngineError> {
        match Table::ALL.into_iter().find(|table| schema == "believed" && table.name() == name) {
            Some(table) => self.put_versions(table, in_memory(rows)?),
            None => self.put(schema, name, in_memory(rows)?),
        }
    }

    /// These definitions and everything they read, in order, as far as the session does not hold them yet. A
    /// result that is kept is taken up, and what it was made from is not needed.
    async fn missing(&self, names: impl IntoIterator<Item = String>) -> Result<Vec<&Definition>, EngineError> {
        let library = &self.engine.library;
        let (mut waiting, mut needed): (Vec<String>, BTreeSet<String>) = (names.into_iter().collect(), BTreeSet::new());
        while let Some(name) = waiting.pop() {
            let Some(definition) = library.get(&name) else { continue };
            if needed.contains(&name) || self.has(&name)? {
                continue;
            }
            if let Some(kept) = self.kept(definition).await? {
                self.put(definition.folder(), short(&name), kept)?;
                continue;
            }
            waiting.extend(definition.reads.iter().cloned());
            needed.insert(name);
        }
        Ok(library.in_order().filter(|d| needed.contains(&d.name)).collect())
    }

    /// Plans these definitions and everything they read.
    pub(crate) async fn plan(&self, names: impl IntoIterator<Item = String>) -> Result<(), EngineError> {
        for definition in self.missing(names).await? {
            self.plan_one(definition).await?;
        }
        Ok(())
    }

    /// The rows of a definition, as far as what it reads is ready: planned and worked out by whoever awaits them.
    pub(crate) fn answer(
        &self,
        definition: &Definition,
    ) -> Result<impl Future<Output = Result<Vec<RecordBatch>, EngineError>> + use<>, EngineError> {
        let (sql, name, context) = (self.bound(definition)?, definition.name.clone(), self.context.clone());
        Ok(async move {
            let fault = |source| EngineError::Definition { name, source: Box::new(source) };
            Ok(context.sql(&sql).await.map_err(fault)?.collect().await?)
        })
    }

    async fn plan_one(&self, definition: &Definition) -> Result<(), EngineError> {
        let fault = |source| EngineError::Definition { name: definition.name.clone(), source: Box::new(source) };
        let sql = self.bound(definition)?;
        let plan = self.context.state().create_logical_plan(&sql).await.map_err(fault)?;
        if let Some(function) = inconstant(&plan)? {
            return Err(EngineError::Question(format!(
                "{}: {function}() says something else each time; days and times a figure rests on are $as_of and $known_at",
                definition.name
            )));
        }
        self.put(definition.folder(), short(&definition.name), Arc::new(ViewTable::new(plan, Some(sql))))
    }

    /// Makes these definitions ready to be read: they and what they read are worked out, each once.
    pub(crate) async fn ready(&self, names: &[String]) -> Result<(), EngineError> {
        self.work(names, false, &[], &|_| {}).await
    }

    /// Works these definitions out and what they read, so that whatever reads them in this session reads the
    /// results. Those of `keep` are also kept in the lake, unless their rows are as many as the lines.
    pub async fn build(
        &self,
        names: &[String],
        keep: &[String],
        told: &(dyn Fn(Work<'_>) + Sync),
    ) -> Result<(), EngineError> {
        if let Some(name) = names.iter().find(|n| self.engine.library.get(n).is_none()) {
            return Err(EngineError::Question(format!("there is no {name}")));
        }
        self.work(names, true, keep, told).await
    }

    /// Plans what is missing, each after what it reads, and works out what does not stream. Where `names` are built
    /// what is only read on the way to them is let go once nothing waits for it; where they are made ready it stays,
    /// since more questions may follow that share it.
    /// Two at a time: while one puts its parts together on one core, the other has the rest; with more of them, and
    /// of a country's with more than one, the memory would not do.
    async fn work(
        &self,
        names: &[String],
        builds: bool,
        keep: &[String],
        told: &(dyn Fn(Work<'_>) + Sync),
    ) -> Result<(), EngineError> {
        let needed = self.missing(names.iter().cloned()).await?;
        let mut waiting = needed.clone();
        let mut undone: BTreeSet<&str> = waiting.iter().map(|d| d.name.as_str()).collect();
        let (mut working, mut written) = (FuturesUnordered::new(), JoinSet::new());
        let cores = self.engine.settings.partitions;
        while !undone.is_empty() {
            let is_next = |d: &Definition| !d.reads.iter().any(|r| undone.contains(r.as_str()));
            while working.len() < self.at_once
                && let Some(next) = waiting.iter().position(|d| is_next(d))
            {
                // While there is enough for all cores each has its own: what is not cut in parts needs not be put together.
                let ready = working.len() + waiting.iter().filter(|d| is_next(d)).count();
                let parts = if self.at_once <= ready { cores.div_ceil(self.at_once) } else { cores };
                let definition = waiting.remove(next);
                working.push(async move {
                    self.plan_one(definition).await?;
                    let mut keeping = None;
                    if !definition.header.streams {
                        told(Work::Begun(&definition.name));
                        tracing::debug!(definition = definition.name, parts, "begun");
                        let rows;
                        let collected = self.collect(definition, parts, keep.contains(&definition.name)).await;
                        (rows, keeping) = collected.map_err(|e| e.of(&definition.name))?;
                        told(Work::Done(&definition.name, rows));
                    }
                    Ok::<_, EngineError>((definition, keeping))
                });
            }
            let Some(done) = working.next().await else { break };
            let (done, keeping) = done?;
            undone.remove(done.name.as_str());
            let waits = |read: &Definition| {
                needed.iter().any(|d| undone.contains(d.name.as_str()) && d.reads.contains(&read.name))
            };
            for read in needed.iter().filter(|d| builds && done.reads.contains(&d.name)) {
                if !names.contains(&read.name) && !waits(read) {
                    self.let_go(read.folder(), short(&read.name))?;
                }
            }
            // Written while others are worked out.
            keeping.into_iter().for_each(|keeping| drop(written.spawn(keeping)));
        }
        while let Some(done) = written.join_next().await {
            done.map_err(stopped)??;
        }
        Ok(())
    }

    fn has(&self, name: &str) -> Result<bool, EngineError> {
        let (schema, table) = name.split_once('.').unwrap_or(("public", name));
        Ok(self.catalog()?.schema(schema).is_some_and(|s| s.table_exist(table)))
    }

    /// Works a definition out, in so many parts, and holds its rows. Says how many, and what is left to do to keep them.
    async fn collect(
        &self,
        definition: &Definition,
        parts: usize,
        keep: bool,
    ) -> Result<(u64, Option<Keeping>), EngineError> {
        let name = definition.name.as_str();
        let (mut state, plan) = self.context.table(name).await?.into_parts();
        state.config_mut().options_mut().execution.target_partitions = parts;
        let plan = state.create_physical_plan(&plan).await?;
        let (result, places) = Held::of(plan, self.context.task_ctx(), &self.room).await?;
        tracing::debug!(definition = name, rows = result.rows, bytes = Place::all(&places), "worked out");
        self.put(definition.folder(), short(name), Arc::new(result.clone()))?;
        self.held().insert(name.to_owned(), places);
        let rows = result.rows;
        Ok((rows, (keep && self.can_keep(definition)).then(|| self.keeping(definition, result))))
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Place>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A definition's statement with its parameters filled in: what is run to make the figure.
    pub fn bound(&self, definition: &Definition) -> Result<String, EngineError> {
        let value = |name: &str| self.parameter(name, Some(definition));
        substitute(&definition.body, value).map_err(|e| EngineError::Question(format!("{}: {e}", definition.name)))
    }

    pub(crate) fn parameter(&self, name: &str, definition: Option<&Definition>) -> Option<String> {
        match name {
            "as_of" => Some(format!("DATE '{}'", self.as_of.as_of)),
            // In microseconds: a literal of later than 2262 would not fit nanoseconds.
            "known_at" => Some(format!(
                "arrow_cast({}, 'Timestamp(Microsecond, Some(\"UTC\"))')",
                self.as_of.known_at.timestamp_micros()
            )),
            "la_code" => Some(self.la_code().to_string()),
            _ => definition
                .and_then(|d| d.header.params.get(name))
                .or_else(|| self.engine.library.params.get(name))
                .map(Param::literal),
        }
    }

    /// Plans every definition without reading any data; [`Incoming::put`](crate::Incoming::put) comes first.
    pub async fn check(&self) -> Result<usize, EngineError> {
        let mut planned = 0;
        for definition in self.engine.library.in_order() {
            self.plan_one(definition).await?;
            let frame = self.context.table(definition.name.as_str()).await?;
            let unplanned = |e| EngineError::Definition { name: definition.name.clone(), source: Box::new(e) };
            let schema = frame.create_physical_plan().await.map_err(unplanned)?.schema();
            definition.check_header(&schema).map_err(EngineError::Question)?;
            // Whoever reads it finds a result, as where it is worked out: a view would be planned anew for each of them, and
            // what those read for each of theirs.
            self.put(definition.folder(), short(&definition.name), in_memory(RecordBatch::new_empty(schema))?)?;
            planned += 1;
        }
        Ok(planned)
    }

    /// The columns a definition really has.
    pub async fn columns(&self, name: &str) -> Result<SchemaRef, EngineError> {
        self.plan([name.to_owned()]).await?;
        let frame = self.context.table(name).await?;
        Ok(Arc::new(frame.schema().as_arrow().clone()))
    }
}

/// A function in a plan that does not say the same whenever it is asked.
fn inconstant(plan: &LogicalPlan) -> Result<Option<String>, EngineError> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::ScalarFunction(call) = part
                    && call.func.signature().volatility != Volatility::Immutable
                    && !crate::functions::is_ours(&call.func)
                {
                    found = Some(call.func.name().to_owned());
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// A name without its schema.
fn short(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, short)| short)
}

fn in_memory(rows: RecordBatch) -> Result<Arc<dyn TableProvider>, EngineError> {
    Ok(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?))
}

/// A reference table from its CSV text; column types are those its values show.
pub fn reference_table(text: &str) -> Result<RecordBatch, EngineError> {
    let format = arrow::csv::reader::Format::default().with_header(true);
    let (schema, _) = format.infer_schema(Cursor::new(text), None)?;
    let schema = Arc::new(schema);
    let reader = arrow::csv::ReaderBuilder::new(Arc::clone(&schema)).with_header(true).build(Cursor::new(text))?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    Ok(arrow::compute::concat_batches(&schema, &batches)?)
}

fn definitions(library: &Library) -> Result<RecordBatch, EngineError> {
    let all: Vec<&Definition> = library.in_order().collect();
    let text = |f: &dyn Fn(&Definition) -> String| {
        Arc::new(StringArray::from_iter_values(all.iter().map(|d| f(d)))) as arrow::array::ArrayRef
    };
    let schema = Schema::new(
        ["name", "kind", "sha256", "about", "source", "grain"]
            .map(|n| Field::new(n, DataType::Utf8, false))
            .into_iter()
            .chain([Field::new("version", DataType::Int64, false)])
            .collect::<Vec<_>>(),
    );
    Ok(RecordBatch::try_new(
        Arc::new(schema),
        vec![
            text(&|d| d.name.clone()),
            text(&|d| d.folder().to_owned()),
            text(&|d| d.sha256.clone()),
            text(&|d| d.header.about.clone()),
            text(&|d| d.header.source.clone()),
            text(&|d| d.header.grain.join(", ")),
            Arc::new(Int64Array::from_iter_values(all.iter().map(|d| i64::from(d.header.version)))),
        ],
    )?)
}
