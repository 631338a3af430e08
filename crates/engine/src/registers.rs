//! `believed.register`: a child's whole register at a school as one value, gathered from the lines of all
//! months as they are read.
//!
//! Lines lie in order of (urn, pupil_key, week_start) in every file, so a child's lines of all months come up
//! together: no hash table and no sort, and no more memory than a batch of each file. Cores share the schools.
//! Where results are kept, so are the registers of the [`earlier`] weeks.

mod earlier;
mod gathering;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::TryFutureExt;
use futures::future::BoxFuture;
use lake::{DataFile, Lake, Table};
use model::AsOf;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::async_reader::MetadataFetch;
use parquet::file::metadata::ParquetMetaDataReader;
use tokio::sync::{Mutex, OnceCell};

use crate::line_book::LineBook;
use earlier::Earlier;
use gathering::{Gathering, urns_of};

/// Where lines are.
pub enum Lines {
    /// Files of the ledger; each in order of (urn, pupil_key, week_start, known_from).
    Files(Lake, Vec<DataFile>),
    /// Rows in memory, in any order.
    Rows(RecordBatch),
}

/// What is believed of whom.
pub struct Belief {
    /// The lines.
    pub lines: Lines,
    /// Up to which day, as known when.
    pub as_of: AsOf,
    /// Whether every line that has no `known_to` was known by then.
    pub newest: bool,
    /// Each key of a changed UPN to the first key of its chain.
    pub joined: HashMap<i64, i64>,
    /// Whether registers of earlier weeks may be held in memory, and kept in the lake.
    pub keeps: bool,
}

/// Without the lines: they are of children.
impl fmt::Debug for Belief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Belief").field("as_of", &self.as_of).field("newest", &self.newest).finish_non_exhaustive()
    }
}

/// The columns of `believed.register`: one row a child and school, through every change of UPN. A register is
/// the Monday of its first week (days from the epoch) and the number of each week's line in the session's book,
/// four bytes each, least first.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("urn", DataType::Int32, false),
        Field::new("pupil_key", DataType::Int64, false),
        Field::new("register", DataType::BinaryView, false),
    ]))
}

/// `believed.register` over these lines, in so many parts.
pub(crate) fn table(mut belief: Belief, book: Arc<LineBook>, parts: usize) -> Result<Arc<dyn TableProvider>> {
    let last_day = model::line::days_from_epoch(belief.as_of.as_of);
    let split = match &belief.lines {
        // Their bytes are three times those of the lines: they are kept where reading is cheap, on a disk.
        Lines::Files(lake, files) if belief.keeps && belief.newest && lake.on_disk(&Default::default()).is_some() => {
            earlier::Files::of(lake, files, last_day, &belief.joined).map(|split| (lake.clone(), split))
        }
        _ => None,
    };
    let earlier = split.map(|(lake, (earlier, apart))| {
        belief.lines = Lines::Files(lake, apart);
        earlier
    });
    let parts = parts.max(1);
    let (shares, held) = (OnceCell::new(), Mutex::default());
    let shared = Arc::new(Shared { belief, book, parts, shares, schema: schema(), earlier, held });
    let partitions = (0..shared.parts)
        .map(|nth| Arc::new(Part { shared: Arc::clone(&shared), nth }) as Arc<dyn PartitionStream>)
        .collect();
    Ok(Arc::new(StreamingTable::try_new(schema(), partitions)?))
}

#[derive(Debug)]
struct Shared {
    belief: Belief,
    book: Arc<LineBook>,
    parts: usize,
    /// The last URN of each part but the last, once it has been worked out.
    shares: OnceCell<Vec<i32>>,
    schema: SchemaRef,
    /// The files of weeks before those of the lines, whose registers go on with them.
    earlier: Option<earlier::Files>,
    /// Their registers, while somebody reads them.
    held: Mutex<Weak<Earlier>>,
}

impl Shared {
    /// Other lines, and no earlier ones, in the same session.
    fn of(&self, lines: Lines) -> Self {
        let Belief { as_of, newest, joined, .. } = &self.belief;
        let belief = Belief { lines, as_of: *as_of, newest: *newest, joined: joined.clone(), keeps: false };
        let (book, schema) = (Arc::clone(&self.book), Arc::clone(&self.schema));
        Self { belief, book, parts: self.parts, shares: OnceCell::new(), schema, earlier: None, held: Mutex::default() }
    }

    async fn earlier(&self) -> Result<Option<Arc<Earlier>>> {
        let Some(files) = &self.earlier else { return Ok(None) };
        let mut held = self.held.lock().await;
        if let Some(earlier) = held.upgrade() {
            return Ok(Some(earlier));
        }
        let earlier = Arc::new(files.registers(self).await?);
        *held = Arc::downgrade(&earlier);
        Ok(Some(earlier))
    }
}

#[derive(Debug)]
struct Part {
    shared: Arc<Shared>,
    nth: usize,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.shared.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        registers(Arc::clone(&self.shared), self.nth)
    }
}

/// The registers of one part.
fn registers(shared: Arc<Shared>, nth: usize) -> SendableRecordBatchStream {
    let begun = async move {
        let earlier = shared.earlier().await?;
        let shares = shared.shares.get_or_try_init(|| shares(&shared.belief.lines, earlier.as_deref(), shared.parts));
        let last_urns = shares.await?;
        let after = nth.checked_sub(1).map_or(Some(i32::MIN), |before| last_urns.get(before).copied());
        let last = last_urns.get(nth).copied().unwrap_or(i32::MAX);
        let gathering = match after {
            // Fewer schools than parts: nothing is left for this one.
            None => None,
            Some(after) => Some(Gathering::begin(Arc::clone(&shared), earlier, (after, last)).await?),
        };
        Ok::<_, DataFusionError>(gathering)
    };
    let batches = futures::stream::once(begun);
    let batches = futures::TryStreamExt::try_flatten(futures::TryStreamExt::map_ok(batches, |gathering| {
        futures::stream::try_unfold(gathering, |gathering| async move {
            let Some(mut gathering) = gathering else { return Ok(None) };
            Ok(gathering.batch().await?.map(|batch| (batch, Some(gathering))))
        })
    }));
    Box::pin(RecordBatchStreamAdapter::new(schema(), Box::pin(batches)))
}

/// A file's footer, read without the rest: a country's year is hundreds of files.
struct Footer {
    store: Arc<dyn ObjectStore>,
    place: object_store::path::Path,
}

impl MetadataFetch for Footer {
    fn fetch(&mut self, range: std::ops::Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let read = self.store.get_range(&self.place, range);
        Box::pin(read.map_err(|e| parquet::errors::ParquetError::External(Box::new(e))))
    }
}

/// The last URNs of all parts but the last, so that each has about as many lines, or registers of earlier ones.
async fn shares(lines: &Lines, earlier: Option<&Earlier>, parts: usize) -> Result<Vec<i32>> {
    let Lines::Files(lake, files) = lines else { return Ok(Vec::new()) };
    if parts < 2 {
        return Ok(Vec::new());
    }
    let mut rows: BTreeMap<i32, i64> = BTreeMap::new();
    for school in earlier.into_iter().flat_map(|earlier| earlier.urns().chunk_by(|a, b| a == b)) {
        rows.insert(school[0], school.len() as i64);
    }
    for file in files.iter().filter(|_| earlier.is_none()) {
        let footer = Footer { store: lake.store(), place: place(file) };
        let metadata = ParquetMetaDataReader::new().load_and_finish(footer, file.bytes).await?;
        for group in metadata.row_groups() {
            *rows.entry(urns_of(group).1).or_default() += group.num_rows();
        }
    }
    let all: i64 = rows.values().sum();
    let (mut so_far, mut last_urns) = (0, Vec::new());
    for (urn, lines) in rows {
        so_far += lines;
        if (last_urns.len() as i64 + 1) * all <= so_far * parts as i64 && last_urns.len() + 1 < parts {
            last_urns.push(urn);
        }
    }
    Ok(last_urns)
}

fn place(file: &DataFile) -> object_store::path::Path {
    lake::path::join(&lake::path::table(Table::RegisterWeek), &file.path)
}

fn outside(e: lake::LakeError) -> DataFusionError {
    DataFusionError::External(Box::new(e))
}
