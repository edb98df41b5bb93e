//! The two sorts of stores, as a run chooses between them.

#[cfg(feature = "rocksdb")]
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::memory::Memory;
#[cfg(feature = "rocksdb")]
use super::rocks::{Rocks, Tuning};
use super::{Error, StateStore, Stores};
use crate::disk::SharedDisk;

/// Stores in memory, whose checkpoints lie on this disk.
#[must_use]
pub fn in_memory(disk: SharedDisk) -> Arc<dyn Stores> {
    Arc::new(InMemory(disk))
}

/// Stores on the system's disk, which share the memory of a tuning.
#[cfg(feature = "rocksdb")]
#[must_use]
pub fn on_disk(tuning: Tuning) -> Arc<dyn Stores> {
    Arc::new(OnDisk(tuning))
}

#[derive(Debug)]
struct InMemory(SharedDisk);

impl Stores for InMemory {
    fn create(&self, _: &Path) -> Result<Arc<dyn StateStore>, Error> {
        Ok(Arc::new(Memory::new(Arc::clone(&self.0))))
    }

    fn restore(&self, checkpoint: &Path, _: &Path) -> Result<Arc<dyn StateStore>, Error> {
        self.read(checkpoint)
    }

    fn read(&self, checkpoint: &Path) -> Result<Arc<dyn StateStore>, Error> {
        Ok(Arc::new(Memory::restore(Arc::clone(&self.0), checkpoint)?))
    }
}

#[cfg(feature = "rocksdb")]
struct OnDisk(Tuning);

#[cfg(feature = "rocksdb")]
impl fmt::Debug for OnDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDisk")
    }
}

#[cfg(feature = "rocksdb")]
impl Stores for OnDisk {
    fn create(&self, live: &Path) -> Result<Arc<dyn StateStore>, Error> {
        Ok(Arc::new(Rocks::create(live, &self.0)?))
    }

    fn restore(&self, checkpoint: &Path, live: &Path) -> Result<Arc<dyn StateStore>, Error> {
        Ok(Arc::new(Rocks::restore(checkpoint, live, &self.0)?))
    }

    fn read(&self, checkpoint: &Path) -> Result<Arc<dyn StateStore>, Error> {
        Ok(Arc::new(Rocks::open_read_only(checkpoint, &self.0)?))
    }
}
