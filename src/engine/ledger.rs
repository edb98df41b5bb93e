//! What became of checkpoints, where others can see it. One thread writes, a few times a minute; whoever asks reads a copy.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::snapshot::{CheckpointSnapshot, Histogram};
use crate::epoch::Epoch;
use crate::store::files::FileEntry;

/// Bounds of what checkpoints are counted by: how long each took.
const DURATION_MICROS: [u64; 10] = [
    10_000,
    30_000,
    100_000,
    300_000,
    1_000_000,
    3_000_000,
    10_000_000,
    30_000_000,
    100_000_000,
    300_000_000,
];

/// What became of checkpoints so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// The last epoch that counts; that from which the run goes on, before its first. 0 for none.
    pub epoch: u64,
    /// How many were committed by this run.
    pub count: u64,
    /// How many could not be: each ends the run, or restarts it.
    pub failures: u64,
    /// From the barrier to the commit, of the last one.
    pub duration_micros: u64,
    /// The same, of all together.
    pub sum_micros: u64,
    /// When the last one was committed, by the run's clock; its beginning, before the first.
    pub committed_micros: u64,
    /// Bytes of the last one's stores.
    pub bytes: u64,
    /// Of these, how many no checkpoint before it had.
    pub new_bytes: u64,
    /// How many took as long as each bound of the histogram, or longer than all.
    durations: [u64; DURATION_MICROS.len() + 1],
    /// No other one follows.
    last: bool,
}

/// The same, shared.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Seen>);

/// Tells which files of stores are new.
#[derive(Debug, Default)]
pub(super) struct Files(HashMap<(usize, String), (u64, u32)>);

impl Ledger {
    /// Of a run that goes on from this epoch, whose stores have so many bytes.
    pub(crate) fn new(epoch: Epoch, bytes: u64) -> Ledger {
        Ledger(Mutex::new(Seen {
            epoch: epoch.0,
            bytes,
            ..Seen::default()
        }))
    }

    pub(crate) fn seen(&self) -> Seen {
        *self.lock()
    }

    /// An epoch that was opened and committed at these times of the run's clock.
    pub(super) fn committed(&self, epoch: Epoch, opened: u64, committed: u64, bytes: (u64, u64)) {
        let micros = committed.saturating_sub(opened);
        let mut seen = self.lock();
        seen.epoch = epoch.0;
        seen.count += 1;
        seen.duration_micros = micros;
        seen.sum_micros += micros;
        seen.committed_micros = committed;
        (seen.bytes, seen.new_bytes) = bytes;
        let mut bounds = DURATION_MICROS.iter();
        let slot = bounds.position(|bound| micros <= *bound);
        seen.durations[slot.unwrap_or(DURATION_MICROS.len())] += 1;
    }

    /// The epoch that was committed was the last one.
    pub(super) fn ended(&self) {
        self.lock().last = true;
    }

    /// An epoch that was opened will not be committed.
    pub(super) fn failed(&self) {
        self.lock().failures += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// True once the last checkpoint counts: the run will commit nothing more.
    #[cfg(feature = "kafka")]
    pub(crate) fn was_last(&self) -> bool {
        self.last
    }

    /// As it is seen from outside. `now`: seconds of the run's clock.
    pub(super) fn snapshot(&self, now: f64) -> CheckpointSnapshot {
        let seconds = |micros: u64| micros as f64 / 1e6;
        let bounds = DURATION_MICROS.iter().map(|bound| seconds(*bound));
        let (above, within) = self.durations.split_last().expect("one more than bounds");
        CheckpointSnapshot {
            epoch: self.epoch,
            failures: self.failures,
            last_seconds: (self.count > 0).then(|| seconds(self.duration_micros)),
            age_seconds: (now - seconds(self.committed_micros)).max(0.0),
            new_bytes: self.new_bytes,
            state_bytes: self.bytes,
            durations: Histogram {
                buckets: bounds.zip(within.iter().copied()).collect(),
                above: *above,
                sum_seconds: seconds(self.sum_micros),
            },
        }
    }
}

impl Files {
    /// Bytes of all files of a checkpoint, by shard, and of those that the one before had not.
    pub(super) fn take<'a>(&mut self, shards: impl Iterator<Item = &'a [FileEntry]>) -> (u64, u64) {
        let before = std::mem::take(&mut self.0);
        let (mut all, mut new) = (0, 0);
        for (number, files) in shards.enumerate() {
            for file in files {
                let name = (number, file.name.clone());
                let is = (file.length, file.checksum);
                all += file.length;
                if before.get(&name) != Some(&is) {
                    new += file.length;
                }
                self.0.insert(name, is);
            }
        }
        (all, new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_counted_by_how_long_they_took() {
        let ledger = Ledger::new(Epoch(6), 90);
        assert_eq!(ledger.seen().snapshot(2.0).age_seconds, 2.0);
        ledger.committed(Epoch(7), 1_000_000, 1_030_000, (100, 100));
        ledger.committed(Epoch(8), 2_000_000, 2_000_000_000, (120, 20));
        ledger.failed();
        let told = ledger.seen().snapshot(2_001.0);
        assert_eq!((told.epoch, told.failures), (8, 1));
        assert_eq!((told.state_bytes, told.new_bytes), (120, 20));
        assert_eq!(told.durations.count(), 2);
        assert_eq!(
            (told.durations.buckets[1], told.durations.above),
            ((0.03, 1), 1)
        );
        assert_eq!(told.age_seconds, 1.0);
    }

    #[test]
    fn files_that_are_shared_with_the_checkpoint_before_are_not_new() {
        let shard = |names: &[(&str, u32)]| -> Vec<FileEntry> {
            let files = names.iter().map(|(name, checksum)| FileEntry {
                name: (*name).to_owned(),
                length: 10,
                checksum: *checksum,
            });
            files.collect()
        };
        let mut files = Files::default();
        let mut check = |shards: &[Vec<FileEntry>], wanted| {
            assert_eq!(files.take(shards.iter().map(Vec::as_slice)), wanted);
        };
        check(&[shard(&[("1.sst", 1), ("CURRENT", 1)])], (20, 20));
        let next = shard(&[("1.sst", 1), ("2.sst", 1), ("CURRENT", 2)]);
        check(&[next], (30, 20));
        // Another shard has files of its own under the same names.
        check(&[shard(&[("1.sst", 1)]), shard(&[("1.sst", 1)])], (20, 10));
    }
}
