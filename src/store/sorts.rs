//! The two sorts of stores, as a run chooses between them.

#[cfg(feature = "rocksdb")]
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::memory::{self, Memory};
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

/// A shard's part of a checkpoint, to be read where it lies, whichever sort of store wrote it.
///
/// # Errors
/// When it cannot be read, is damaged, or this build has no such store.
pub fn read_only(disk: &SharedDisk, checkpoint: &Path) -> Result<Arc<dyn StateStore>, Error> {
    if disk.length(&checkpoint.join(memory::FILE)).is_ok() {
        return Ok(Arc::new(Memory::restore(Arc::clone(disk), checkpoint)?));
    }
    #[cfg(feature = "rocksdb")]
    {
        let tuning = Tuning::new(0, crate::key::Shards::ONE);
        Ok(Arc::new(Rocks::open_read_only(checkpoint, &tuning)?))
    }
    #[cfg(not(feature = "rocksdb"))]
    Err(Error::new(format!(
        "store {:?} was written by RocksDB, which this build has not; build it with the feature rocksdb",
        checkpoint.display().to_string()
    )))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SystemDisk;
    use crate::store::Batch;

    #[test]
    fn parts_of_checkpoints_are_read_whichever_sort_of_store_wrote_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = SystemDisk::shared();
        let mut sorts = vec![in_memory(SystemDisk::shared())];
        #[cfg(feature = "rocksdb")]
        sorts.push(on_disk(Tuning::new(0, crate::key::Shards::ONE)));
        for (number, stores) in sorts.iter().enumerate() {
            let path = |name: &str| folder.path().join(format!("{name}-{number}"));
            let live = stores.create(&path("live")).expect("a store");
            let mut batch = Batch::default();
            batch.put(b"key", |out| out.extend_from_slice(b"value"));
            live.write(&batch).expect("written");
            live.checkpoint(&path("part")).expect("a checkpoint");
            let read = read_only(&disk, &path("part")).expect("readable");
            let found = read.get_all(&[b"key"]).expect("readable");
            assert_eq!(found, [Some(b"value".to_vec())]);
        }
        assert!(read_only(&disk, &folder.path().join("nowhere")).is_err());
    }
}
