//! How durable state is kept.

#[cfg(feature = "kafka")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use crate::checkpoint::Sharing;
use crate::engine::{Durable, OnChange, Room, resident_bytes};
use crate::key::Shards;
#[cfg(feature = "rocksdb")]
use crate::store::rocks::Tuning;
use crate::store::{Stores, sorts};
use crate::time::Span;

/// Of the memory that state may use, stores have one part in so many; the rest is for states that are in use.
#[cfg(feature = "rocksdb")]
const STORE_SHARE: usize = 8;

/// How durable state is kept: where, how often it is written, what becomes of it when patterns change.
#[derive(Clone, Debug)]
pub struct Keeping {
    folder: PathBuf,
    interval: Span,
    checkpoints: usize,
    memory_bytes: u64,
    measure: fn() -> u64,
    on_change: OnChange,
    from: Option<PathBuf>,
    /// Which run of this process it is, of those whose live stores are still in use.
    life: u32,
    /// Where checkpoints are handed on to others.
    sharing: Option<Sharing>,
    /// Among how many runs of this process the memory for stores is divided.
    #[cfg_attr(
        not(feature = "rocksdb"),
        expect(dead_code, reason = "stores on disk alone have a share")
    )]
    runs: usize,
}

impl Keeping {
    /// A checkpoint every 10 seconds, of which three are kept.
    pub(super) fn new(folder: PathBuf) -> Keeping {
        Keeping {
            folder,
            interval: Span(10_000),
            checkpoints: 3,
            memory_bytes: 1 << 30,
            measure: resident_bytes,
            on_change: OnChange::default(),
            from: None,
            life: 0,
            sharing: None,
            runs: 1,
        }
    }

    /// How often a checkpoint is made; 10 seconds if nothing is said. After a crash as much is done again.
    #[must_use]
    pub fn every(self, interval: impl Into<Span>) -> Keeping {
        let interval = interval.into();
        Keeping { interval, ..self }
    }

    /// How many checkpoints are kept, at least one; three if nothing is said.
    #[must_use]
    pub fn checkpoints(self, count: usize) -> Keeping {
        let checkpoints = count.max(1);
        Keeping {
            checkpoints,
            ..self
        }
    }

    /// How many bytes of memory the process may use before states that were not asked for of late leave it for the state folder; 1 GiB if nothing is said. It costs a read from
    /// there when such a key is asked for again.
    #[must_use]
    pub fn memory_bytes(self, memory_bytes: u64) -> Keeping {
        Keeping {
            memory_bytes,
            ..self
        }
    }

    /// How the memory that the process uses is measured, in bytes. If nothing is said that is its resident size, on Linux; elsewhere nothing leaves memory. An allocator that
    /// tells what is in use is better: it notices at once what was given back.
    #[must_use]
    pub fn measured_by(self, measure: fn() -> u64) -> Keeping {
        Keeping { measure, ..self }
    }

    /// What becomes of the state of patterns that have changed; what can be kept is kept if nothing is said.
    #[must_use]
    pub fn on_change(self, on_change: OnChange) -> Keeping {
        Keeping { on_change, ..self }
    }

    /// The folder of a checkpoint or savepoint to begin from when the state folder holds none.
    #[must_use]
    pub fn from(self, checkpoint: impl Into<PathBuf>) -> Keeping {
        let from = Some(checkpoint.into());
        Keeping { from, ..self }
    }

    pub(super) fn life(self, life: u32) -> Keeping {
        Keeping { life, ..self }
    }

    /// Where live state of a group's partitions lies on this machine.
    #[cfg(feature = "kafka")]
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// True if there is a checkpoint to begin from.
    #[cfg(feature = "kafka")]
    pub(super) fn has_beginning(&self) -> bool {
        self.from.is_some()
    }

    /// Of one partition of a group's, one of so many that this process may have: live state in that folder, checkpoints in storage.
    #[cfg(feature = "kafka")]
    pub(super) fn sharing(self, folder: PathBuf, sharing: Sharing, runs: usize) -> Keeping {
        Keeping {
            folder,
            sharing: Some(sharing),
            runs,
            ..self
        }
    }

    pub(super) fn open(self, shards: Shards) -> Result<Durable, Error> {
        let stores = self.stores(shards);
        let mut durable = Durable::open(&self.folder, self.life, stores, self.sharing)?;
        durable.interval = Duration::from_millis(self.interval.0.unsigned_abs());
        durable.keep = self.checkpoints;
        durable.room = Room::bytes(self.memory_bytes, self.measure);
        durable.on_change = self.on_change;
        durable.from = self.from;
        Ok(durable)
    }

    #[cfg(feature = "rocksdb")]
    fn stores(&self, shards: Shards) -> Arc<dyn Stores> {
        let bytes = usize::try_from(self.memory_bytes).unwrap_or(usize::MAX);
        sorts::on_disk(Tuning::new(bytes / STORE_SHARE / self.runs, shards))
    }

    /// Without RocksDB each checkpoint is written as a whole.
    #[cfg(not(feature = "rocksdb"))]
    fn stores(&self, _: Shards) -> Arc<dyn Stores> {
        sorts::in_memory(crate::disk::SystemDisk::shared())
    }
}
