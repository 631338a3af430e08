//! Every path in the lake, spelled here and nowhere else.

use chrono::NaiveDate;
use object_store::path::Path;
use sha2::{Digest, Sha256};

use crate::Table;

/// Where a day's files of a source are.
pub fn landed_on(source: &str, day: NaiveDate) -> Path {
    Path::from_iter(["landing", source, &day.format("%Y-%m-%d").to_string()])
}

/// A file as it came, by its content.
pub fn landed(source: &str, day: NaiveDate, sha256: &str) -> Path {
    landed_on(source, day).join(sha256)
}

/// Where receipts are.
pub fn receipts() -> Path {
    Path::from_iter(["landing", "receipts"])
}

/// The receipt of the n-th arrival, from 1.
pub fn receipt(n: u64) -> Path {
    receipts().join(format!("{n:010}.json"))
}

/// Where it is said which arrivals are set aside.
pub fn set_aside() -> Path {
    Path::from_iter(["landing", "set-aside"])
}

/// Why the n-th arrival is set aside.
pub fn set_aside_of(n: u64) -> Path {
    set_aside().join(format!("{n:010}.json"))
}

/// The file that whoever writes holds meanwhile.
pub fn turn() -> Path {
    Path::from(".turn")
}

/// Where run records are.
pub fn runs() -> Path {
    Path::from("runs")
}

/// The record of run n, from 1. Zero-padded, so that a listing is in order.
pub fn run(n: u64) -> Path {
    runs().join(format!("{n:010}.json"))
}

/// Where the ledger's Delta tables are.
pub fn tables() -> Path {
    Path::from("tables")
}

/// A Delta table's root.
pub fn table(table: Table) -> Path {
    tables().join(table.name())
}

/// The number in a receipt's or run's file name.
pub fn number(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}

/// A metric's Delta table, for readers outside (Power BI, Fabric).
pub fn published(name: &str) -> Path {
    Path::from_iter(["published", name])
}

/// All of them.
pub fn all_published() -> Path {
    Path::from("published")
}

/// Registers that were gathered of some files of the ledger.
pub fn gathered(fingerprint: &str) -> Path {
    Path::from_iter(["kept", "believed.register", &format!("{fingerprint}.arrow")])
}

/// The kept results of one definition.
pub fn kept_of(name: &str) -> Path {
    Path::from_iter(["kept", name])
}

/// A kept result of one definition at one ledger version and pair of times.
pub fn kept(name: &str, fingerprint: &str) -> Path {
    kept_of(name).join(format!("{fingerprint}.parquet"))
}

/// The name of a Parquet file with this content.
pub(crate) fn content_name(bytes: &[u8]) -> String {
    format!("{}.parquet", hex(&Sha256::digest(bytes)[..16]))
}

/// `relative` below a root, where `relative` may hold `/` and `=`.
pub fn join(root: &Path, relative: &str) -> Path {
    relative.split('/').fold(root.clone(), |path, part| path.join(part))
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
