//! Results that a session holds for others to read: in memory while there is room for them, else in files of the
//! system's temporary folder, written once and read again by each that asks. So memory does not grow with the number of children.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{BinaryViewType, ByteViewType, DataType, SchemaRef, StringViewType};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::config::SpillCompression;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::spill_file::SpillFile;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, SpillManager, execute_stream_partitioned};
use futures::TryStreamExt;
use futures::future::{BoxFuture, join_all};
use lake::parquet_file::FileWriter;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::error::EngineError;

/// A string or value up to so many bytes lies in its view.
const IN_VIEW: u32 = 12;

/// A part that takes no more than one in so many of the room is small.
const SMALL: usize = 256;

/// The memory that the results of a session share.
#[derive(Debug)]
pub(crate) struct Room {
    limit: usize,
    taken: AtomicUsize,
}

impl Room {
    /// So many bytes.
    pub fn of(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: AtomicUsize::new(0) })
    }
}

/// What a part of a result takes of the room; given back with it.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Place {
    /// Bytes that places take between them.
    pub fn all(places: &[Self]) -> usize {
        places.iter().map(|place| place.bytes).sum()
    }

    /// Whether there was room for so much more. A small part stays in memory however full the room is: it is what others
    /// look up, again and again.
    fn grows(&mut self, bytes: usize) -> bool {
        let before = self.room.taken.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        before + bytes <= self.room.limit || self.bytes <= self.room.limit / SMALL
    }

    fn give_back(&mut self) {
        self.room.taken.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// A part of a result.
#[derive(Clone)]
enum Part {
    /// Rows in memory.
    Rows(Vec<RecordBatch>),
    /// Rows in a file, which goes with the last that reads it.
    File(SpillManager, Arc<dyn SpillFile>),
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows(_) => "rows",
            Self::File(..) => "a file",
        })
    }
}

impl Part {
    /// Reads a stream to its end: the rows, how many they are, and what they take of the room.
    async fn of(
        mut rows: SendableRecordBatchStream,
        room: Arc<Room>,
        runtime: Arc<RuntimeEnv>,
    ) -> Result<(Self, u64, Place)> {
        let mut place = Place { room, bytes: 0 };
        let (mut batches, mut count) = (Vec::new(), 0);
        while let Some(batch) = rows.try_next().await? {
            count += batch.num_rows() as u64;
            let has_room = place.grows(bytes_of(&batch));
            batches.push(batch);
            if has_room {
                continue;
            }
            let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
            let files = SpillManager::new(runtime, metrics, rows.schema());
            let files = files.with_compression_type(SpillCompression::Lz4Frame);
            let mut file = files.create_in_progress_file("a result")?;
            for batch in batches.drain(..) {
                file.append_batch(&batch)?;
            }
            place.give_back();
            while let Some(batch) = rows.try_next().await? {
                count += batch.num_rows() as u64;
                file.append_batch(&batch)?;
            }
            let part = file.finish()?.map_or(Self::Rows(Vec::new()), |file| Self::File(files, file));
            return Ok((part, count, place));
        }
        Ok((Self::Rows(batches), count, place))
    }

    /// Its rows, in order.
    fn read(&self, schema: &SchemaRef) -> Result<SendableRecordBatchStream> {
        match self {
            Self::Rows(batches) => {
                let rows = futures::stream::iter(batches.clone().into_iter().map(Ok));
                Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), rows)))
            }
            Self::File(files, file) => files.read_spill_as_stream(Arc::clone(file), None),
        }
    }
}

/// What is left to do to keep a result.
pub(crate) type Keeping = BoxFuture<'static, std::result::Result<(), EngineError>>;

/// A result that is held.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    schema: SchemaRef,
    parts: Vec<Part>,
    /// How many rows it has.
    pub rows: u64,
}

/// The parts of a result, as they are read.
enum Dealt {
    /// All in memory.
    Rows(Vec<Vec<RecordBatch>>),
    /// Some in files.
    Files(StreamingTable),
}

/// Read in as many parts as whoever asks works in: what is worked out on one core is not cut and put together again.
#[async_trait]
impl TableProvider for Held {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match self.dealt(state.config_options().execution.target_partitions)? {
            Dealt::Rows(parts) => Ok(MemorySourceConfig::try_new_exec(&parts, self.schema(), projection.cloned())?),
            Dealt::Files(table) => table.scan(state, projection, filters, limit).await,
        }
    }
}

/// A part as a table's.
#[derive(Debug)]
struct Read {
    schema: SchemaRef,
    part: Part,
}

impl PartitionStream for Read {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        self.part.read(&self.schema).unwrap_or_else(|e| {
            let failed = futures::stream::once(async { Err(e) });
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), failed))
        })
    }
}

impl Held {
    /// Works a plan out, each part on a thread of its own: one that wakes another keeps it waiting on its own core
    /// until it is through itself. Says what the result takes of the room.
    pub async fn of(
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        room: &Arc<Room>,
    ) -> Result<(Self, Vec<Place>)> {
        let mut held = Self { schema: plan.schema(), parts: Vec::new(), rows: 0 };
        let (failed, has_failed) = watch::channel(false);
        let working = execute_stream_partitioned(plan, Arc::clone(&context))?.into_iter().map(|part| {
            let (runtime, room, environment) = (Handle::current(), Arc::clone(room), context.runtime_env());
            let (failed, mut has_failed) = (failed.clone(), has_failed.clone());
            tokio::task::spawn_blocking(move || {
                runtime.block_on(async {
                    // One that waits for rows of another that has failed would wait for ever.
                    tokio::select! {
                        part = Part::of(part, room, environment) => {
                            part.inspect_err(|_| {
                                failed.send_replace(true);
                            })
                            .map(Some)
                        }
                        _ = has_failed.wait_for(|failed| *failed) => Ok(None),
                    }
                })
            })
        });
        let mut places = Vec::new();
        for part in join_all(working.collect::<Vec<_>>()).await {
            let Some((part, rows, place)) = part.map_err(|e| DataFusionError::External(Box::new(e)))?? else {
                continue;
            };
            held.parts.push(part);
            held.rows += rows;
            places.push(place);
        }
        Ok((held, places))
    }

    /// The result in so many parts, or more where some are files. Neighbours stay together: rows of one school are
    /// mostly in one part, and grouping by school leaves little to put together.
    fn dealt(&self, parts: usize) -> Result<Dealt> {
        let (mut dealt, mut files) = (vec![Vec::new(); parts.max(1)], Vec::new());
        let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        let held = self.parts.iter().map(|part| if let Part::Rows(batches) = part { rows(batches) } else { 0 });
        let (held, mut before, parts) = (held.sum::<usize>(), 0, dealt.len());
        for part in &self.parts {
            match part {
                Part::Rows(batches) => batches.iter().for_each(|batch| {
                    dealt[(before * parts).checked_div(held).unwrap_or(0).min(parts - 1)].push(batch.clone());
                    before += batch.num_rows();
                }),
                Part::File(..) => files.push(part.clone()),
            }
        }
        if files.is_empty() {
            return Ok(Dealt::Rows(dealt));
        }
        let rows = dealt.into_iter().filter(|batches| !batches.is_empty()).map(Part::Rows);
        let read = |part| Arc::new(Read { schema: Arc::clone(&self.schema), part }) as Arc<dyn PartitionStream>;
        let parts = files.into_iter().chain(rows).map(read).collect();
        Ok(Dealt::Files(StreamingTable::try_new(Arc::clone(&self.schema), parts)?))
    }

    /// The result as a Parquet file.
    pub async fn written(&self) -> Result<Bytes, EngineError> {
        let mut writer = FileWriter::short_lived(Arc::clone(&self.schema))?;
        for part in &self.parts {
            let mut rows = part.read(&self.schema)?;
            while let Some(batch) = rows.try_next().await? {
                writer.write(&batch)?;
                tokio::task::yield_now().await;
            }
        }
        Ok(writer.bytes()?)
    }
}

/// Bytes of a batch's rows, whatever else its buffers hold.
fn bytes_of(batch: &RecordBatch) -> usize {
    fn beside_views<T: ByteViewType>(column: &dyn Array) -> usize {
        let lengths = column.as_byte_view::<T>().lengths();
        lengths.filter(|length| IN_VIEW < *length).map(|length| length as usize).sum()
    }
    let column = |column: &Arc<dyn Array>| {
        let beside = match column.data_type() {
            DataType::Utf8View => beside_views::<StringViewType>(column),
            DataType::BinaryView => beside_views::<BinaryViewType>(column),
            _ => 0,
        };
        beside + column.to_data().get_slice_memory_size().unwrap_or(0)
    };
    batch.columns().iter().map(column).sum()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{ArrayRef, Int32Array, StringViewArray};
    use datafusion::arrow::datatypes::Int32Type;
    use datafusion::catalog::MemTable;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// A name of `length` letters a row, which all rows share.
    fn batch(first: i32, rows: usize, length: usize) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values((first..).take(rows)));
        let names: ArrayRef =
            Arc::new(StringViewArray::from_iter_values(std::iter::repeat_n("x".repeat(length), rows)));
        RecordBatch::try_from_iter([("number", numbers), ("name", names)]).unwrap()
    }

    async fn held(room: &Arc<Room>, batches: Vec<RecordBatch>) -> (Held, Vec<Place>, Vec<i32>) {
        let context = SessionContext::new();
        let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
        let plan = context.read_table(Arc::new(table)).unwrap().create_physical_plan().await.unwrap();
        let (held, places) = Held::of(plan, context.task_ctx(), room).await.unwrap();
        let table = context.read_table(Arc::new(held.clone())).unwrap();
        // Read twice: a file is not used up.
        table.clone().collect().await.unwrap();
        let mut numbers = Vec::new();
        for batch in table.collect().await.unwrap() {
            numbers.extend(batch.column(0).as_primitive::<Int32Type>().values().iter().copied());
        }
        numbers.sort_unstable();
        (held, places, numbers)
    }

    #[tokio::test]
    async fn rows_beyond_the_room_lie_in_a_file_and_are_read_the_same() {
        let batches = || vec![batch(0, 100, 20), batch(100, 50, 20), batch(150, 1, 20)];
        let all: Vec<i32> = (0..151).collect();
        let is_file = |held: &Held| held.parts.iter().all(|part| matches!(part, Part::File(..)));
        let room = Room::of(10_000);
        let (first, places, numbers) = held(&room, batches()).await;
        assert!(!is_file(&first) && numbers == all);
        let taken = room.taken.load(Ordering::Relaxed);
        assert_eq!(taken, 151 * (4 + 16 + 20));
        // The room is the session's, not the result's.
        let (second, of_file, numbers) = held(&room, batches()).await;
        assert!(is_file(&second) && numbers == all);
        assert_eq!(room.taken.load(Ordering::Relaxed), taken);
        assert_eq!((first.rows, second.rows), (151, 151));
        assert_eq!(second.written().await.unwrap(), first.written().await.unwrap());
        drop((places, of_file));
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
        let (third, _places, _) = held(&room, batches()).await;
        assert!(!is_file(&third));
    }
}
