//! The SQL: read the files of `sql/`, order them from what they read, judge incoming rows, build tables,
//! answer questions. The only crate that names DataFusion.

pub mod definition;
mod error;
mod functions;
mod held;
pub mod joined_keys;
mod kept;
pub mod ledger;
pub mod library;
mod line_book;
mod memory;
pub mod question;
mod register;
pub mod registers;
pub mod rules;
pub mod session;
mod small_sides;

pub use definition::{Definition, Header};
pub use error::EngineError;
pub use library::Library;
pub use rules::{Found, Incoming};
pub use session::{Engine, Settings, Work};

/// The source of what answers: functions say what SQL does not.
pub(crate) const PROGRAM: &str = env!("ENGINE_SOURCE");
