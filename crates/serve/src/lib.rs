//! The window: web pages and JSON over one lake, read only.

pub mod assets;
pub mod chart;
pub mod overview;
pub mod page;
pub mod web;

pub use overview::LedgerSource;
pub use web::router;
