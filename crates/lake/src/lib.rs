//! The files: landing, the ledger's Delta tables, and the run records that say which of them exist.
//!
//! A reader opens the newest run record and the files it names; a writer writes files, commits each
//! Delta table, and then puts the next run record create-only. What no run names does not exist.

pub mod append;
pub mod delta;
pub mod error;
pub mod landing;
pub mod parquet_file;
pub mod path;
pub mod register;
pub mod run;
pub mod store;
pub mod table;
pub mod turn;
pub mod vacuum;
pub mod versioned;

pub use error::LakeError;
pub use landing::{Receipt, ReceiptFile};
pub use run::{DataFile, RunRecord, TableState};
pub use store::Lake;
pub use table::Table;
pub use turn::Turn;
