//! Results that are kept in the lake, so that whoever asks the same again finds them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use crate::definition::Definition;
use crate::error::EngineError;
use crate::held::{Held, Keeping};
use crate::ledger::{FileTable, ScanFile};
use crate::session::Session;

/// How many results of a definition are kept: a school week's, so that nobody reads what is taken away.
const KEPT: usize = 8;

impl Session {
    /// Whether there is a ledger to name a result by, and fewer rows in it than lines.
    pub(crate) fn can_keep(&self, definition: &Definition) -> bool {
        !definition.header.streams && !definition.header.holds_lines && !self.run.tables.is_empty()
    }

    /// Where a result is kept: by everything its answer depends on. What is known at any time from the newest
    /// arrival on is the same, and so is the place. Files of the ledger are named by their content, so that
    /// a ledger that no run names yet is told from any other.
    fn kept_at(&self, definition: &Definition) -> object_store::path::Path {
        let mut hash = Sha256::new();
        hash.update(crate::PROGRAM);
        for table in self.engine.library().rests_on(&definition.name) {
            hash.update(table.name());
            for file in self.run.table(table).files {
                hash.update(file.path);
                hash.update([0]);
            }
        }
        let ledger = lake::path::hex(&hash.finalize());
        let known_at = self.as_of.known_at.min(self.run.known_at).timestamp_micros();
        let meaning = self.engine.library().fingerprint(&definition.name);
        let la_code = self.la_code();
        lake::path::kept(
            &definition.name,
            &format!("{}-{}-{known_at}-{la_code}-{}", &ledger[..20], self.as_of.as_of, &meaning[..20]),
        )
    }

    /// The result that is kept, if one is.
    pub(crate) async fn kept(&self, definition: &Definition) -> Result<Option<Arc<dyn TableProvider>>, EngineError> {
        if !self.engine.keeps || !self.can_keep(definition) {
            return Ok(None);
        }
        let place = self.kept_at(definition);
        let Some(bytes) = self.engine.lake().read(&place).await? else { return Ok(None) };
        let size = bytes.len() as u64;
        // One that is damaged is as good as none: it can be made again.
        let Ok(reader) = ParquetRecordBatchReaderBuilder::try_new(bytes) else { return Ok(None) };
        let rows = u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
        let file = ScanFile { path: place.to_string(), bytes: size, rows };
        Ok(Some(Arc::new(FileTable::new(Arc::clone(reader.schema()), self.url.clone(), vec![file]))))
    }

    /// When a result of a definition was last kept, at any times; none where none is.
    ///
    /// # Errors
    /// Where the lake cannot be listed.
    pub async fn last_built(&self, definition: &Definition) -> Result<Option<DateTime<Utc>>, EngineError> {
        let kept = self.engine.lake().list(&lake::path::kept_of(&definition.name)).await?;
        Ok(kept.into_iter().map(|entry| entry.last_modified).max())
    }

    /// Keeps these rows.
    pub(crate) fn keeping(&self, definition: &Definition, held: Held) -> Keeping {
        let (lake, place) = (self.engine.lake().clone(), self.kept_at(definition));
        Box::pin(async move {
            lake.put(&place, held.written().await?).await?;
            Ok(lake.forget_older(&place, KEPT).await?)
        })
    }
}
