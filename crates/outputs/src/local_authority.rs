//! The local authorities of England with their regions, as the DfE's open data names them.
//!
//! The table is `reference/local_authority.csv`, made from the DfE's published-data quality
//! assurance lists (Open Government Licence v3.0; the file's first lines name the source).

use std::sync::LazyLock;

use serde::Deserialize;

/// The country code of every row about England.
pub const ENGLAND_CODE: &str = "E92000001";
/// The country name of every row about England.
pub const ENGLAND_NAME: &str = "England";

/// One local authority, or one past code of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LocalAuthority {
    /// Three-digit DfE code, e.g. `850`; two codes with ` / ` where two authorities report together.
    pub old_la_code: String,
    /// Nine-character GSS code, e.g. `E10000014`.
    pub new_la_code: String,
    /// Name as published.
    pub la_name: String,
    /// GSS code of the region, e.g. `E12000008`.
    pub region_code: String,
    /// Name of the region as published.
    pub region_name: String,
    /// Whether the code is in use today.
    pub status: Status,
}

/// Whether a local authority's code is in use today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In being.
    Live,
    /// Ended; rows about past years may still carry it.
    Terminated,
}

static ALL: LazyLock<Vec<LocalAuthority>> = LazyLock::new(|| {
    csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(include_bytes!("../reference/local_authority.csv").as_slice())
        .into_deserialize()
        .filter_map(Result::ok)
        .collect()
});

/// Every line of the table, past codes too.
pub fn all() -> &'static [LocalAuthority] {
    &ALL
}

/// The live authority with this three-digit code.
pub fn find(la_code: u16) -> Option<&'static LocalAuthority> {
    all().iter().find(|la| la.status == Status::Live && la.old_la_code.parse() == Ok(la_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_is_read() {
        let lines = include_str!("../reference/local_authority.csv").lines();
        assert_eq!(all().len(), lines.filter(|line| !line.starts_with('#')).count() - 1);
        assert_eq!(all().len(), 176);
    }

    #[test]
    fn an_authority_is_found_by_its_live_code() {
        let hampshire = find(850).map(|la| (la.la_name.as_str(), la.region_name.as_str()));
        assert_eq!(hampshire, Some(("Hampshire", "South East")));
        // A code that outlived its GSS code: the live one is given.
        assert_eq!(find(929).map(|la| la.new_la_code.as_str()), Some("E06000057"));
        // An authority that has ended, and one that never was.
        assert_eq!(find(815).map(|la| la.new_la_code.as_str()), Some("E06000065"));
        assert_eq!(find(909), None);
        assert_eq!(find(999), None);
    }
}
