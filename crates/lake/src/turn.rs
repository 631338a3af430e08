//! Writers of a lake on this machine's disk take turns. Elsewhere the run record alone says who was first.

use std::fs::{File, TryLockError};

use crate::error::LakeError;
use crate::path;
use crate::store::Lake;

/// The right to write, until it is dropped or the process ends, in whatever way.
#[derive(Debug)]
pub struct Turn {
    _held: Option<File>,
}

impl Lake {
    /// Waits until no other process writes, which `waits` is told of. A disk that knows no locks has no turns.
    ///
    /// # Errors
    /// Where the lake's folder cannot be written to.
    pub async fn turn(&self, waits: impl FnOnce()) -> Result<Turn, LakeError> {
        let Some(place) = self.on_disk(&path::turn()) else { return Ok(Turn { _held: None }) };
        let fault = |source| LakeError::Output { path: place.display().to_string(), source };
        let file = File::options().create(true).append(true).open(&place).map_err(fault)?;
        match file.try_lock() {
            Ok(()) => return Ok(Turn { _held: Some(file) }),
            Err(TryLockError::WouldBlock) => waits(),
            Err(TryLockError::Error(_)) => return Ok(Turn { _held: None }),
        }
        let waited = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
        Ok(Turn { _held: waited.ok().and_then(Result::ok) })
    }
}
