//! What can go wrong with the lake, as decisions a caller takes.

/// Our faults and the store's; never a fault of a return.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The lake's address is not one we can open.
    #[error("the lake `{url}` cannot be opened: {reason}. Expected file:///…, s3://…, az://… or gs://…")]
    Address {
        /// As configured.
        url: String,
        /// Why.
        reason: String,
    },
    /// The store refused or failed.
    #[error("the store failed at {path}")]
    Store {
        /// Path below the lake.
        path: String,
        /// Its own words.
        #[source]
        source: object_store::Error,
    },
    /// Another run was recorded first; start again from it.
    #[error(
        "run {0} was recorded by another process; `rollcall ingest` without files takes what has landed and was not taken"
    )]
    Overtaken(u64),
    /// A Delta table could not be written.
    #[error("the table {table} could not be committed")]
    Delta {
        /// The table.
        table: &'static str,
        /// Its own words.
        #[source]
        source: Box<deltalake::DeltaTableError>,
    },
    /// A file of the lake does not hold what it should.
    #[error("{path} is not what was written there: {reason}")]
    Damaged {
        /// Path below the lake.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Arrow refused to build or read rows of our own: a defect of the program.
    #[error("rows could not be built")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Parquet refused.
    #[error("a Parquet file could not be read or written")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The disk would not take a file.
    #[error("{path} could not be written")]
    Output {
        /// Where.
        path: String,
        /// Its own words.
        #[source]
        source: std::io::Error,
    },
    /// The disk refused while landing a file.
    #[error("{path} could not be read")]
    Input {
        /// The file outside the lake.
        path: String,
        /// Its own words.
        #[source]
        source: std::io::Error,
    },
}

/// A store's failure with the path it happened at.
pub(crate) fn at(path: &object_store::path::Path) -> impl FnOnce(object_store::Error) -> LakeError + '_ {
    move |source| LakeError::Store { path: path.to_string(), source }
}

impl LakeError {
    /// A part of the work on something of the lake that ended without an answer.
    pub(crate) fn stopped(what: &str, why: &tokio::task::JoinError) -> Self {
        Self::Damaged { path: what.to_owned(), reason: format!("its writer stopped: {why}") }
    }
}
