//! What the coordinator of checkpoints tells all threads: a few numbers that only grow.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::epoch::Epoch;

/// Written by the coordinator, looked at by everybody once a turn.
#[derive(Debug, Default)]
pub(crate) struct Control {
    requested: AtomicU64,
    committed: AtomicU64,
    over: AtomicBool,
}

impl Control {
    /// Of a run that goes on from this epoch.
    pub(crate) fn new(committed: Epoch) -> Control {
        Control {
            requested: AtomicU64::new(committed.0),
            committed: AtomicU64::new(committed.0),
            over: AtomicBool::new(false),
        }
    }

    /// Barriers of this epoch are to be sent.
    pub(crate) fn open(&self, epoch: Epoch) {
        self.requested.store(epoch.0, Ordering::Release);
    }

    /// The epoch counts.
    pub(crate) fn commit(&self, epoch: Epoch) {
        self.committed.store(epoch.0, Ordering::Release);
    }

    /// The last epoch counts: all may end.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    pub(crate) fn requested(&self) -> Epoch {
        Epoch(self.requested.load(Ordering::Acquire))
    }

    pub(crate) fn committed(&self) -> Epoch {
        Epoch(self.committed.load(Ordering::Acquire))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}
