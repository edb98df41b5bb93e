//! Several runs of one program, each of some partitions of the same sources, seen as one.
//!
//! What is counted never grows less: what a run counted that is over is kept. What is there now is that of runs that go on.

use super::snapshot::{
    CheckpointSnapshot, Histogram, OutputSnapshot, PatternSnapshot, Phase, ShardSnapshot, Snapshot,
    SourceSnapshot,
};

/// Adds snapshots up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Together {
    sum: Snapshot,
    /// How many of them are of runs that go on.
    live: usize,
}

impl Together {
    /// Adds a run that goes on, the only shard of which is for this partition.
    pub(crate) fn add_live(&mut self, partition: u32, mut snapshot: Snapshot) {
        for shard in &mut snapshot.shards {
            shard.number = partition;
        }
        self.live += 1;
        self.add(snapshot);
    }

    /// Adds what a run has counted that is over.
    pub(crate) fn add_ended(&mut self, mut snapshot: Snapshot) {
        snapshot.shards = Vec::new();
        for source in &mut snapshot.sources {
            source.partitions = Vec::new();
            source.standings = Vec::new();
        }
        for pattern in &mut snapshot.patterns {
            pattern
                .partials
                .iter_mut()
                .for_each(|(_, count)| *count = 0);
        }
        for output in &mut snapshot.outputs {
            output.queue_fill = 0.0;
        }
        snapshot.phase = Phase::Ended;
        if let Some(checkpoints) = &mut snapshot.checkpoints {
            *checkpoints = CheckpointSnapshot {
                failures: checkpoints.failures,
                durations: std::mem::take(&mut checkpoints.durations),
                ..CheckpointSnapshot::default()
            };
        }
        self.add(snapshot);
    }

    /// All of them as one. `phase`: what it does, if not what its runs do.
    pub(crate) fn snapshot(mut self, uptime_seconds: f64, phase: Option<Phase>) -> Snapshot {
        self.sum.uptime_seconds = uptime_seconds;
        self.sum.phase = match phase {
            Some(phase) => phase,
            None if self.live == 0 => Phase::Running,
            None => self.sum.phase,
        };
        self.sum
            .shards
            .sort_by_key(|shard: &ShardSnapshot| shard.number);
        for source in &mut self.sum.sources {
            source
                .partitions
                .sort_by_key(|partition| partition.partition);
            (source.standings)
                .sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        }
        self.sum
    }

    fn add(&mut self, other: Snapshot) {
        let sum = &mut self.sum;
        sum.restarts += other.restarts;
        if other.phase != Phase::Ended {
            // One that does not run yet, or not just now, says more than those that do.
            let says_more = self.live == 1 || sum.phase == Phase::Running;
            sum.phase = if says_more { other.phase } else { sum.phase };
        }
        each(&mut sum.sources, other.sources, |one| &one.name, add_source);
        each(
            &mut sum.patterns,
            other.patterns,
            |one| &one.name,
            add_pattern,
        );
        each(&mut sum.outputs, other.outputs, |one| &one.name, add_output);
        sum.shards.extend(other.shards);
        sum.detection_latency.add(&other.detection_latency);
        match (&mut sum.checkpoints, other.checkpoints) {
            (Some(ours), Some(theirs)) => add_checkpoints(ours, &theirs),
            (ours @ None, theirs) => *ours = theirs,
            (Some(_), None) => {}
        }
    }
}

/// Adds each to that of the same name.
fn each<T>(sum: &mut Vec<T>, others: Vec<T>, name: fn(&T) -> &String, add: fn(&mut T, T)) {
    for other in others {
        match sum.iter_mut().find(|one| name(one) == name(&other)) {
            Some(one) => add(one, other),
            None => sum.push(other),
        }
    }
}

fn add_source(sum: &mut SourceSnapshot, other: SourceSnapshot) {
    sum.read += other.read;
    sum.processed += other.processed;
    sum.late += other.late;
    sum.malformed += other.malformed;
    sum.filtered += other.filtered;
    sum.bytes += other.bytes;
    sum.partitions.extend(other.partitions);
    sum.standings.extend(other.standings);
}

fn add_pattern(sum: &mut PatternSnapshot, other: PatternSnapshot) {
    sum.matches += other.matches;
    sum.timeouts += other.timeouts;
    sum.suppressed += other.suppressed;
    sum.evicted += other.evicted;
    for (step, count) in other.partials {
        match sum.partials.iter_mut().find(|(name, _)| *name == step) {
            Some((_, total)) => *total += count,
            None => sum.partials.push((step, count)),
        }
    }
}

fn add_output(sum: &mut OutputSnapshot, other: OutputSnapshot) {
    sum.rows += other.rows;
    sum.bytes += other.bytes;
    sum.retries += other.retries;
    sum.queue_fill = sum.queue_fill.max(other.queue_fill);
}

/// Of numbers that cannot be added up, that of the one who is furthest behind.
fn add_checkpoints(sum: &mut CheckpointSnapshot, other: &CheckpointSnapshot) {
    sum.epoch = match (sum.epoch, other.epoch) {
        (0, epoch) | (epoch, 0) => epoch,
        (ours, theirs) => ours.min(theirs),
    };
    sum.failures += other.failures;
    sum.last_seconds = match (sum.last_seconds, other.last_seconds) {
        (Some(ours), Some(theirs)) => Some(ours.max(theirs)),
        (ours, theirs) => ours.or(theirs),
    };
    sum.age_seconds = sum.age_seconds.max(other.age_seconds);
    sum.new_bytes += other.new_bytes;
    sum.state_bytes += other.state_bytes;
    sum.durations.add(&other.durations);
}

impl Histogram {
    /// Adds durations that were counted by the same bounds.
    pub(crate) fn add(&mut self, other: &Histogram) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
        } else {
            let buckets = self.buckets.iter_mut().zip(&other.buckets);
            buckets.for_each(|((_, ours), (_, theirs))| *ours += theirs);
        }
        self.above += other.above;
        self.sum_seconds += other.sum_seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(read: u64, waiting: u64) -> Snapshot {
        Snapshot {
            phase: Phase::Running,
            sources: vec![SourceSnapshot {
                name: "cards".to_owned(),
                read,
                ..SourceSnapshot::default()
            }],
            shards: vec![ShardSnapshot {
                waiting_events: waiting,
                ..ShardSnapshot::default()
            }],
            patterns: vec![PatternSnapshot {
                name: "p".to_owned(),
                matches: read,
                partials: vec![("a".to_owned(), waiting)],
                ..PatternSnapshot::default()
            }],
            detection_latency: Histogram {
                buckets: vec![(0.1, read)],
                above: 1,
                sum_seconds: 2.0,
            },
            ..Snapshot::default()
        }
    }

    #[test]
    fn what_was_counted_stays_when_a_partition_is_handed_on() {
        let mut together = Together::default();
        together.add_ended(run(100, 7));
        together.add_live(5, run(20, 3));
        together.add_live(2, run(1, 0));
        let seen = together.snapshot(9.0, None);
        assert_eq!(seen.sources[0].read, 121);
        assert_eq!(seen.patterns[0].matches, 121);
        assert_eq!(seen.patterns[0].partials, [("a".to_owned(), 3)]);
        assert_eq!(seen.detection_latency.count(), 124);
        let shards: Vec<(u32, u64)> = (seen.shards.iter())
            .map(|shard| (shard.number, shard.waiting_events))
            .collect();
        assert_eq!(shards, [(2, 0), (5, 3)]);
        assert_eq!(seen.phase, Phase::Running);
    }

    #[test]
    fn one_that_does_not_run_yet_is_seen_among_those_that_do() {
        for starting in 0..3 {
            let mut together = Together::default();
            for partition in 0..3 {
                let mut one = run(1, 1);
                if partition == starting {
                    one.phase = Phase::Starting;
                }
                together.add_live(partition, one);
            }
            assert_eq!(together.snapshot(0.0, None).phase, Phase::Starting);
        }
        // Having nothing to do is a way of running.
        let idle = Together::default().snapshot(0.0, None);
        assert_eq!(idle.phase, Phase::Running);
    }
}
