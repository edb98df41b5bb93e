//! Numbers that running parts leave where others can see them. Nothing here is touched per event.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::intake::Counts;
use super::reasons::Reasons;
use super::snapshot::ShardSnapshot;
use crate::automaton::Tally;
use crate::source::Progress;
use crate::time::Watermark;

/// What a shard shows. On cache lines of its own: it is written to in each turn.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct ShardMeter {
    busy_micros: AtomicU64,
    blocked_micros: AtomicU64,
    idle_micros: AtomicU64,
    /// When the last turn ended, by the run's clock; the greatest number once none follows.
    seen_micros: AtomicU64,
    /// Replaced a few times a second, read when somebody asks.
    report: Mutex<ShardReport>,
}

/// What a shard says about itself.
#[derive(Clone, Debug)]
pub(crate) struct ShardReport {
    /// By number of the source, for the readers of this shard.
    pub counts: Vec<(u16, Counts)>,
    pub progress: Option<Progress>,
    /// By pattern in order of declaration.
    pub tallies: Vec<Tally>,
    pub watermark: Watermark,
    pub waiting: u64,
    pub routed: u64,
    pub ring_fill: f64,
    pub keys: u64,
    /// Of these, keys whose states are in memory.
    pub hot: u64,
    /// States read from the store, so far.
    pub fetched: u64,
    /// The longest time that a checkpoint kept the shard from reading, so far.
    pub pause_micros: u64,
    pub reasons: Reasons,
    /// By pattern, by step.
    pub partials: Vec<Vec<(String, u64)>>,
}

/// What a thread spent time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    Busy,
    Blocked,
    Idle,
}

impl Default for ShardReport {
    fn default() -> ShardReport {
        ShardReport {
            counts: Vec::new(),
            progress: None,
            tallies: Vec::new(),
            watermark: Watermark::NONE,
            waiting: 0,
            routed: 0,
            ring_fill: 0.0,
            keys: 0,
            hot: 0,
            fetched: 0,
            pause_micros: 0,
            reasons: Reasons::default(),
            partials: Vec::new(),
        }
    }
}

impl ShardMeter {
    /// Adds time. One thread does.
    pub(crate) fn spend(&self, on: Spent, micros: u64) {
        let total = match on {
            Spent::Busy => &self.busy_micros,
            Spent::Blocked => &self.blocked_micros,
            Spent::Idle => &self.idle_micros,
        };
        total.store(total.load(Ordering::Relaxed) + micros, Ordering::Relaxed);
    }

    /// A turn ended.
    pub(crate) fn seen(&self, micros: u64) {
        self.seen_micros.store(micros, Ordering::Relaxed);
    }

    /// How long ago the last turn ended.
    pub(crate) fn silent_micros(&self, micros: u64) -> u64 {
        micros.saturating_sub(self.seen_micros.load(Ordering::Relaxed))
    }

    /// Replaces the report; without new `partials` the old ones stay.
    pub(crate) fn report(&self, report: ShardReport, partials: Option<Vec<Vec<(String, u64)>>>) {
        let mut shown = self.lock();
        let before = std::mem::replace(&mut *shown, report);
        shown.partials = partials.unwrap_or(before.partials);
    }

    /// The newest report.
    pub(crate) fn read(&self) -> ShardReport {
        self.lock().clone()
    }

    /// How far the shard's sources have been read, by the newest report.
    pub(crate) fn progress(&self) -> Option<Progress> {
        self.lock().progress
    }

    /// The shard as it is seen from outside, given its newest report.
    pub(crate) fn snapshot(&self, number: u32, report: &ShardReport) -> ShardSnapshot {
        let seconds = |micros: &AtomicU64| micros.load(Ordering::Relaxed) as f64 / 1e6;
        ShardSnapshot {
            number,
            busy_seconds: seconds(&self.busy_micros),
            blocked_seconds: seconds(&self.blocked_micros),
            idle_seconds: seconds(&self.idle_micros),
            watermark_ms: told(report.watermark),
            waiting_events: report.waiting,
            keys: report.keys,
            keys_in_memory: report.hot,
            states_read: report.fetched,
            checkpoint_pause_seconds: report.pause_micros as f64 / 1e6,
            routed: report.routed,
            ring_fill: report.ring_fill,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ShardReport> {
        // A report is replaced whole: a thread that died left none half written.
        self.report
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A watermark as a number, unless it is none or the last.
pub(crate) fn told(watermark: Watermark) -> Option<i64> {
    (watermark != Watermark::NONE && watermark != Watermark::FINAL).then_some(watermark.0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_silent_since_its_last_turn_and_never_after_its_end() {
        let meter = ShardMeter::default();
        meter.seen(100);
        assert_eq!(meter.silent_micros(250), 150);
        meter.seen(u64::MAX);
        assert_eq!(meter.silent_micros(1_000_000), 0);
    }
}
