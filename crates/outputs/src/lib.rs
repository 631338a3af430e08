//! What leaves the building: files an authority publishes or sends, built from plain counts.
//!
//! - [`attendance_open_data`] builds the authority's year-to-date attendance file in the layout of
//!   the DfE's own published file, with its `.meta.csv`.
//! - [`screening`] checks a data file and its meta file against the named rules of the DfE's
//!   "explore education statistics" (EES) screening, before anybody else does.
//! - [`submission`] is the ledger entry of what was built, and the difference between two builds in
//!   plain words.
//!
//! A build is a pure function: the same request gives the same bytes on any machine. Nothing here
//! reads a clock, a file or the network.
#![warn(missing_docs)]

mod attendance_columns;
pub mod attendance_open_data;
pub mod local_authority;
pub mod screening;
pub mod submission;

pub use attendance_open_data::{Built, OpenDataError, PhaseCounts, Request, build};
pub use screening::{Finding, Outcome, passes, screen};
pub use submission::{Submission, SubmittedFile, diff};
