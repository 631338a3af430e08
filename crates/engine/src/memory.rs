//! The memory that the operators of a session share.
//!
//! Equal shares for all that can spill would leave most of it unused, since most hold little, and a share that shrinks
//! when another operator begins stops one that has grown already and is giving out its rows. So anyone may have more
//! while there is plenty; what is left then is for those who hold less than an equal share. Who holds more and can
//! spill does so; who cannot leaves the last quarter to the others, which wait for its rows.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// A pool of so many bytes.
#[derive(Debug)]
pub(crate) struct Shared {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    consumers: usize,
}

impl Shared {
    pub fn of(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryPool for Shared {
    fn name(&self) -> &'static str {
        "shared"
    }

    fn register(&self, _: &MemoryConsumer) {
        self.state().consumers += 1;
    }

    fn unregister(&self, _: &MemoryConsumer) {
        self.state().consumers -= 1;
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        self.state().taken += additional;
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        self.state().taken -= shrink;
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state();
        let taken = state.taken + additional;
        let is_fair = (reservation.size() + additional) * state.consumers <= self.limit;
        let limit = match reservation.consumer().can_spill() {
            _ if is_fair => self.limit,
            true => self.limit / 2,
            false => self.limit / 4 * 3,
        };
        if taken <= limit {
            state.taken = taken;
            return Ok(());
        }
        let (name, held) = (reservation.consumer().name(), reservation.size());
        Err(DataFusionError::ResourcesExhausted(format!(
            "{name} holds {held} bytes and needs {additional} more; {} of {} are taken: give it more with memory_mib",
            state.taken, self.limit
        )))
    }

    fn reserved(&self) -> usize {
        self.state().taken
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, shared", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn anyone_has_more_while_there_is_plenty_and_then_those_who_hold_little() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Shared::of(1000));
        let consumer = |name| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let (large, small) = (consumer("large"), consumer("small"));
        large.try_grow(500).unwrap();
        let refused = large.try_grow(1).unwrap_err();
        assert!(matches!(refused, DataFusionError::ResourcesExhausted(_)), "{refused}");
        small.try_grow(500).unwrap();
        assert!(small.try_grow(1).is_err());
        let holds = MemoryConsumer::new("holds").register(&pool);
        large.shrink(500);
        small.shrink(400);
        holds.try_grow(650).unwrap();
        assert!(holds.try_grow(1).is_err());
        large.try_grow(250).unwrap();
        drop((large, small, holds));
        assert_eq!(pool.reserved(), 0);
    }
}
