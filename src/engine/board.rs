//! What every source partition promises, for all shards to see: who is behind, who is idle, and how much waits.
//!
//! Each entry has one writer, the shard that reads the partition, so there are no locks and no read-modify-write. A reader may see a promise a moment late: promises
//! only grow, so an old one is merely cautious. Promises that events depend on travel through the rings, behind the events; the board serves idleness and back-pressure only.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use super::snapshot::Activity;
use crate::key::{ShardId, Shards};
use crate::time::{Timestamp, Watermark};

/// Promises of all source partitions of a run.
#[derive(Debug)]
pub(crate) struct Board {
    entries: Vec<Entry>,
    /// By shard: events that wait there for the watermark.
    waiting: Vec<AtomicU64>,
}

/// One partition. On a cache line of its own: each has another writer.
#[derive(Debug)]
#[repr(align(64))]
struct Entry {
    promise: AtomicI64,
    activity: AtomicU8,
}

const ACTIVE: u8 = 0;
const IDLE: u8 = 1;
const ENDED: u8 = 2;

impl Board {
    pub(crate) fn new(partitions: usize, shards: Shards) -> Board {
        let entry = || Entry {
            promise: AtomicI64::new(Timestamp::MIN.0),
            activity: AtomicU8::new(ACTIVE),
        };
        Board {
            entries: (0..partitions).map(|_| entry()).collect(),
            waiting: shards.ids().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Says what a partition promises, and how it takes part.
    pub(crate) fn post(&self, at: usize, promise: Watermark, activity: Activity) {
        let code = match activity {
            Activity::Active => ACTIVE,
            Activity::Idle => IDLE,
            Activity::Ended => ENDED,
        };
        let entry = &self.entries[at];
        entry.promise.store(promise.0.0, Ordering::Relaxed);
        entry.activity.store(code, Ordering::Relaxed);
    }

    /// What a partition promises, and how it takes part.
    pub(crate) fn entry(&self, at: usize) -> (Watermark, Activity) {
        let entry = &self.entries[at];
        let activity = match entry.activity.load(Ordering::Relaxed) {
            ACTIVE => Activity::Active,
            IDLE => Activity::Idle,
            _ => Activity::Ended,
        };
        (
            Watermark(Timestamp(entry.promise.load(Ordering::Relaxed))),
            activity,
        )
    }

    /// The least promise of partitions that take part as `activity`; `None` if there are none.
    pub(crate) fn least(&self, activity: Activity) -> Option<Watermark> {
        self.promises(activity).min()
    }

    /// The greatest promise of partitions that take part as `activity`; `None` if there are none.
    pub(crate) fn greatest(&self, activity: Activity) -> Option<Watermark> {
        self.promises(activity).max()
    }

    fn promises(&self, activity: Activity) -> impl Iterator<Item = Watermark> {
        (0..self.entries.len())
            .map(|at| self.entry(at))
            .filter(move |(_, other)| *other == activity)
            .map(|(promise, _)| promise)
    }

    /// Says how many events wait in a shard.
    pub(crate) fn post_waiting(&self, shard: ShardId, events: usize) {
        self.waiting[usize::from(shard.0)].store(events as u64, Ordering::Relaxed);
    }

    /// The most events that wait in one shard.
    pub(crate) fn waiting_max(&self) -> u64 {
        let waiting = self
            .waiting
            .iter()
            .map(|events| events.load(Ordering::Relaxed));
        waiting.max().unwrap_or(0)
    }
}
