//! The way in: bytes of a file, as landed, to typed rows and the problems found on the way.
//!
//! Decoding talks to no one and cannot fail: whatever the bytes, the answer is rows and problems, and
//! rows in = rows kept + rows refused.

pub mod arrival;
mod contents;
pub mod csv_rows;
pub mod date;
pub mod decode;
pub mod decoded;
pub mod decoder;
pub mod findings;
pub mod grid;
pub mod header;
pub mod kind;
pub mod locate;
pub mod marks;
pub mod packed;
mod reading;
mod roll_rows;
pub mod sheet;
pub mod table_rows;
pub mod unpack;

pub use decode::decode;
pub use decoded::{Content, Decoded, OfSchool, Origin, Unread};
pub use decoder::{Decoder, Mapping};
pub use grid::SchoolGrid;
pub use kind::Kind;
pub use packed::{Packed, Shelf};
