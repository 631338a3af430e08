//! The two times every figure takes.

use chrono::{DateTime, NaiveDate, Utc};

/// Up to which school day, and what the authority had been told by then.
/// A figure that does not say both cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AsOf {
    /// The last school day that counts, included.
    pub as_of: NaiveDate,
    /// Only what had been received at or before this instant is believed.
    pub known_at: DateTime<Utc>,
}
