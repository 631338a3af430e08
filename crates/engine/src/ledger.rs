//! The ledger's Parquet files as tables DataFusion can scan: a list of files with their sizes and counts,
//! which needs no listing, no log, and crosses the wire to another machine.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics, ToDFSchema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

/// A file to scan: its path below the lake's store, its size in bytes and its rows.
#[derive(Clone, Debug)]
pub struct ScanFile {
    /// Path below the lake.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
}

/// A table that is a list of Parquet files.
#[derive(Debug)]
pub struct FileTable {
    schema: SchemaRef,
    store: ObjectStoreUrl,
    files: Vec<ScanFile>,
}

impl FileTable {
    /// A table of these files, which all have this schema.
    pub fn new(schema: SchemaRef, store: ObjectStoreUrl, files: Vec<ScanFile>) -> Self {
        Self { schema, store, files }
    }

    fn counted(&self) -> Statistics {
        let rows: u64 = self.files.iter().map(|f| f.rows).sum();
        let bytes: u64 = self.files.iter().map(|f| f.bytes).sum();
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(rows as usize);
        statistics.total_byte_size = Precision::Inexact(bytes as usize);
        statistics
    }
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        Some(self.counted())
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Files and pages are passed over by their statistics; rows are still filtered above.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        // Largest first into the emptiest group: cores finish together.
        let mut files = self.files.clone();
        files.sort_by_key(|f| std::cmp::Reverse(f.rows));
        let mut groups: Vec<(u64, Vec<PartitionedFile>)> =
            vec![(0, Vec::new()); state.config_options().execution.target_partitions.max(1)];
        for file in files {
            if let Some(group) = groups.iter_mut().min_by_key(|(rows, _)| *rows) {
                group.0 += file.rows;
                let mut scanned = PartitionedFile::new(file.path, file.bytes);
                let mut statistics = Statistics::new_unknown(&self.schema);
                statistics.num_rows = Precision::Exact(file.rows as usize);
                scanned.statistics = Some(Arc::new(statistics));
                group.1.push(scanned);
            }
        }
        let groups = groups.into_iter().filter(|(_, g)| !g.is_empty()).map(|(_, g)| FileGroup::new(g)).collect();
        let mut source = ParquetSource::new(self.schema());
        if let Some(filter) = conjunction(filters.to_vec()) {
            source = source.with_predicate(state.create_physical_expr(filter, &self.schema().to_dfschema()?)?);
        }
        let source = Arc::new(source);
        let config = FileScanConfigBuilder::new(self.store.clone(), source)
            .with_file_groups(groups)
            .with_statistics(self.counted())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
