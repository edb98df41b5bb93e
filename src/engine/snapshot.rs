//! What a running engine looks like from outside at one moment: plain numbers, ready to be written as metrics, JSON or a screen.
//!
//! Counters only grow. Nothing here is labelled with a key: there may be millions.

use serde::{Deserialize, Serialize};

/// Everything that can be seen of a running engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Time since the start.
    pub uptime_seconds: f64,
    /// What the engine is doing.
    pub phase: Phase,
    /// How often it failed and began again from its last checkpoint.
    #[serde(default)]
    pub restarts: u64,
    /// In the order in which they were named.
    pub sources: Vec<SourceSnapshot>,
    /// By number.
    pub shards: Vec<ShardSnapshot>,
    /// In order of declaration.
    pub patterns: Vec<PatternSnapshot>,
    /// In the order in which they were named.
    pub outputs: Vec<OutputSnapshot>,
    /// From the arrival of the event that completed a match to its row being handed to the sink.
    pub detection_latency: Histogram,
    /// Of a run with durable state.
    #[serde(default)]
    pub checkpoints: Option<CheckpointSnapshot>,
    /// Of an instance of a group.
    #[serde(default)]
    pub group: Option<GroupSnapshot>,
}

/// An instance's part in a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupSnapshot {
    /// The group.
    pub name: String,
    /// How many partitions it has just now.
    pub partitions: u64,
    /// How often partitions were given to it or taken away.
    pub rebalances: u64,
}

/// What became of checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckpointSnapshot {
    /// The last epoch that counts; that from which the run goes on, before its first. 0 for none.
    pub epoch: u64,
    /// How many could not be committed.
    pub failures: u64,
    /// How long the last one took from its barrier to its commit; none before the first.
    pub last_seconds: Option<f64>,
    /// How long ago the last one was committed; since the start, before the first.
    pub age_seconds: f64,
    /// Bytes of the last one's stores that no checkpoint before it had.
    pub new_bytes: u64,
    /// Bytes of the last one's stores.
    pub state_bytes: u64,
    /// How long they took.
    pub durations: Histogram,
}

/// Where an engine stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Not all sources have been polled yet.
    #[default]
    Starting,
    /// Events flow, or could.
    Running,
    /// Asked to end; finishing what was read.
    Stopping,
    /// All done.
    Ended,
    /// It has failed and will begin again from its last checkpoint.
    Restarting,
}

/// One source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceSnapshot {
    /// Its name.
    pub name: String,
    /// Records read.
    pub read: u64,
    /// Events given to patterns.
    pub processed: u64,
    /// Events before the watermark.
    pub late: u64,
    /// Records that are no event.
    pub malformed: u64,
    /// Events that no pattern can use.
    pub filtered: u64,
    /// Bytes of records read.
    pub bytes: u64,
    /// Its partitions.
    pub partitions: Vec<PartitionSnapshot>,
    /// Where they stand at the broker that holds them; empty where there is none.
    #[serde(default)]
    pub standings: Vec<StandingSnapshot>,
}

/// Where a partition of a topic stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StandingSnapshot {
    /// The topic.
    pub topic: String,
    /// The partition of the topic.
    pub partition: u32,
    /// Records that wait at the broker.
    pub lag: u64,
    /// Records without a value that were passed over.
    pub tombstones: u64,
}

/// One partition of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartitionSnapshot {
    /// Its number in the source.
    pub partition: u32,
    /// What it promises, epoch milliseconds; `None` while it has promised nothing, and once it has ended.
    pub watermark_ms: Option<i64>,
    /// How it takes part in the watermark.
    pub activity: Activity,
}

/// How a partition takes part in the watermark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// Its events move the watermark.
    #[default]
    Active,
    /// Silent for too long: set aside until its next event.
    Idle,
    /// Nothing follows.
    Ended,
}

/// One shard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShardSnapshot {
    /// Its number; in a group that of the partition it is for.
    #[serde(default)]
    pub number: u32,
    /// Time spent working, of the whole uptime.
    pub busy_seconds: f64,
    /// Time spent waiting for room in a ring or an output.
    pub blocked_seconds: f64,
    /// Time spent waiting for input.
    pub idle_seconds: f64,
    /// Up to which event time all is decided, epoch milliseconds.
    pub watermark_ms: Option<i64>,
    /// Events that wait for the watermark.
    pub waiting_events: u64,
    /// Keys with state, over all patterns.
    pub keys: u64,
    /// Keys with state whose state is in memory; others lie in the state folder.
    pub keys_in_memory: u64,
    /// States read from the state folder because they were asked for or their time had come.
    pub states_read: u64,
    /// The longest time that a checkpoint kept the shard from reading.
    pub checkpoint_pause_seconds: f64,
    /// Events routed to other shards.
    pub routed: u64,
    /// How full its fullest outgoing ring is, from 0 to 1.
    pub ring_fill: f64,
}

/// One pattern.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PatternSnapshot {
    /// Its name.
    pub name: String,
    /// Matches emitted.
    pub matches: u64,
    /// Timeouts.
    pub timeouts: u64,
    /// Matches held back by `limit`.
    pub suppressed: u64,
    /// Partial matches that gave way to `bound`.
    pub evicted: u64,
    /// Partial matches alive, by the name of the step bound last; windows under `window`.
    pub partials: Vec<(String, u64)>,
}

/// One sink with all that is bound to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutputSnapshot {
    /// Where it writes: a path, an address, `-`.
    pub name: String,
    /// Rows handed to it.
    pub rows: u64,
    /// Bytes of these rows.
    pub bytes: u64,
    /// Times that a write was tried again.
    pub retries: u64,
    /// How full its queue is, from 0 to 1.
    pub queue_fill: f64,
}

/// Durations, counted by size.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bounds in seconds, rising, with how many durations lie at or below each and above the one before.
    pub buckets: Vec<(f64, u64)>,
    /// How many lie above the last bound.
    pub above: u64,
    /// All durations added up, in seconds.
    pub sum_seconds: f64,
}

/// How long the quickest share of durations took at most, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantile {
    /// So long, guessed evenly within a bucket.
    Within(f64),
    /// Longer than the last bound.
    Above(f64),
}

impl Histogram {
    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        let within: u64 = self.buckets.iter().map(|(_, count)| count).sum();
        within + self.above
    }

    /// How long the quickest `share` of all took at most: 0.99 for all but the slowest hundredth. None where nothing was counted.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Quantile> {
        if self.count() == 0 {
            return None;
        }
        let wanted = share * self.count() as f64;
        let (mut below, mut from) = (0.0, 0.0);
        for &(bound, count) in &self.buckets {
            let upto = below + count as f64;
            if count > 0 && upto >= wanted {
                let part = (wanted - below) / count as f64;
                return Some(Quantile::Within(from + (bound - from) * part));
            }
            (below, from) = (upto, bound);
        }
        Some(Quantile::Above(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_evenly_within_their_bucket() {
        let quantile = |counts: [u64; 3]| {
            let histogram = Histogram {
                buckets: vec![(0.1, counts[0]), (0.3, counts[1])],
                above: counts[2],
                sum_seconds: 0.0,
            };
            histogram.quantile(0.5)
        };
        assert_eq!(quantile([0, 10, 0]), Some(Quantile::Within(0.2)));
        assert_eq!(quantile([5, 5, 0]), Some(Quantile::Within(0.1)));
        assert_eq!(quantile([0, 0, 1]), Some(Quantile::Above(0.3)));
        assert_eq!(quantile([0, 0, 0]), None);
    }
}
