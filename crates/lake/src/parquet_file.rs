//! Writing and reading the Parquet files of a table.
//!
//! A file's name is the hash of its content, so writing the same rows twice makes one file.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Date32Type, Int32Type, SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::run::DataFile;
use crate::{Lake, LakeError, Table, path};

/// Rows a row group holds: few enough that one school is found without reading many others and that cores can
/// share the schools of a month evenly, many enough to compress.
const ROW_GROUP: usize = 64 * 1024;

/// A Parquet file being written in memory.
pub struct FileWriter {
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
    urns: Option<(i32, i32)>,
    weeks: Option<(i32, i32)>,
    known_from: Option<(i64, i64)>,
}

impl FileWriter {
    /// Begins a file with these columns.
    pub fn new(schema: SchemaRef) -> Result<Self, LakeError> {
        let properties = properties(&schema);
        Self::with(schema, properties)
    }

    /// Begins one that is read whole and for a few days: half the work of writing, and half as large again.
    pub fn short_lived(schema: SchemaRef) -> Result<Self, LakeError> {
        let mut properties =
            properties(&schema).set_compression(Compression::LZ4_RAW).set_statistics_enabled(EnabledStatistics::None);
        for field in schema.fields().iter().filter(|f| f.data_type().is_integer()) {
            properties = in_small_steps(properties, field.name());
        }
        Self::with(schema, properties)
    }

    fn with(schema: SchemaRef, properties: WriterPropertiesBuilder) -> Result<Self, LakeError> {
        let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties.build()))?;
        Ok(Self { writer, rows: 0, urns: None, weeks: None, known_from: None })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.writer.write(batch)?;
        self.rows += batch.num_rows() as u64;
        if let Some(urns) = batch.column_by_name("urn").and_then(|c| c.as_primitive_opt::<Int32Type>()) {
            widen(&mut self.urns, arrow::compute::min(urns), arrow::compute::max(urns));
        }
        if let Some(weeks) = batch.column_by_name("week_start").and_then(|c| c.as_primitive_opt::<Date32Type>()) {
            widen(&mut self.weeks, arrow::compute::min(weeks), arrow::compute::max(weeks));
        }
        if let Some(times) =
            batch.column_by_name("known_from").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>())
        {
            widen(&mut self.known_from, arrow::compute::min(times), arrow::compute::max(times));
        }
        Ok(())
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the file and gives its bytes.
    pub fn bytes(self) -> Result<Bytes, LakeError> {
        Ok(Bytes::from(self.writer.into_inner()?))
    }

    /// Ends the file and puts it under a table's root; none where it holds no rows.
    pub async fn put(
        self,
        lake: &Lake,
        root: &object_store::path::Path,
        partition: BTreeMap<String, String>,
    ) -> Result<Option<DataFile>, LakeError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let bytes = self.writer.into_inner()?;
        let name = path::content_name(&bytes);
        let folders: String = partition.iter().map(|(k, v)| format!("{k}={v}/")).collect();
        let relative = format!("{folders}{name}");
        let size = bytes.len() as u64;
        lake.put(&path::join(root, &relative), Bytes::from(bytes)).await?;
        Ok(Some(DataFile {
            path: relative,
            bytes: size,
            rows: self.rows,
            partition,
            urns: self.urns,
            weeks: self.weeks,
            known_from: self.known_from,
        }))
    }
}

fn widen<T: Ord + Copy>(range: &mut Option<(T, T)>, least: Option<T>, greatest: Option<T>) {
    if let (Some(least), Some(greatest)) = (least, greatest) {
        *range = Some(match *range {
            None => (least, greatest),
            Some((a, b)) => (a.min(least), b.max(greatest)),
        });
    }
}

/// Differences are smaller and faster than a dictionary where values come in runs and small steps.
fn in_small_steps(properties: WriterPropertiesBuilder, column: &str) -> WriterPropertiesBuilder {
    let column = ColumnPath::from(column);
    properties
        .set_column_dictionary_enabled(column.clone(), false)
        .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED)
}

fn properties(schema: &SchemaRef) -> WriterPropertiesBuilder {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for column in ["urn", "pupil_key", "week_start"] {
        properties = in_small_steps(properties, column);
    }
    // Fractions and names of children hardly repeat.
    let is_distinct = |name: &str| ["upn", "alert_id", "evidence"].contains(&name);
    for field in schema.fields().iter().filter(|f| f.data_type().is_floating() || is_distinct(f.name())) {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
    }
    properties
}

/// All rows of one file, batch by batch, from its bytes.
pub fn read(bytes: Bytes, batch_rows: usize) -> Result<ParquetRecordBatchReader, LakeError> {
    Ok(ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(batch_rows).build()?)
}

/// Some columns of all rows of some files, in the order of the table, and nothing else of them.
pub async fn read_columns<'a>(
    lake: &Lake,
    table: Table,
    files: impl Iterator<Item = &'a DataFile>,
    names: &[&str],
) -> Result<RecordBatch, LakeError> {
    let schema = table.schema();
    let wanted: Vec<usize> =
        (0..schema.fields().len()).filter(|i| names.contains(&schema.field(*i).name().as_str())).collect();
    let schema = Arc::new(schema.project(&wanted)?);
    let mut batches = Vec::new();
    for file in files {
        let bytes = lake.read_existing(&path::join(&path::table(table), &file.path)).await?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(64 * 1024);
        let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().copied());
        for batch in builder.with_projection(mask).build()? {
            batches.push(RecordBatch::try_new(Arc::clone(&schema), batch?.columns().to_vec())?);
        }
    }
    Ok(concat_batches(&schema, &batches)?)
}

/// All rows of some files of a small table, as one batch.
pub async fn read_all<'a>(
    lake: &Lake,
    table: Table,
    files: impl Iterator<Item = &'a DataFile>,
) -> Result<RecordBatch, LakeError> {
    let schema = table.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    read_columns(lake, table, files, &names).await
}
