//! A snapshot made by hand, for tests of all that shows snapshots.

use leitmotif::engine::snapshot::{
    Activity, CheckpointSnapshot, GroupSnapshot, Histogram, OutputSnapshot, PartitionSnapshot,
    PatternSnapshot, Phase, ShardSnapshot, Snapshot, SourceSnapshot, StandingSnapshot,
};

/// The wall clock when it was taken.
pub const NOW_MS: i64 = 1_700_000_100_000;

/// Two sources, of which `cards/1` is furthest behind and `sensors/1` is idle; two shards, two patterns, two outputs.
pub fn snapshot() -> Snapshot {
    let partition = |partition, watermark_ms, activity| PartitionSnapshot {
        partition,
        watermark_ms,
        activity,
    };
    let standing = |partition, lag, tombstones| StandingSnapshot {
        topic: "payments".to_owned(),
        partition,
        lag,
        tombstones,
    };
    let pattern = |name: &str, matches, partials: &[(&str, u64)]| PatternSnapshot {
        name: name.to_owned(),
        matches,
        timeouts: 3,
        suppressed: 4,
        evicted: 5,
        partials: (partials.iter())
            .map(|(step, count)| ((*step).to_owned(), *count))
            .collect(),
    };
    Snapshot {
        uptime_seconds: 100.0,
        phase: Phase::Running,
        restarts: 1,
        sources: vec![
            SourceSnapshot {
                name: "cards".to_owned(),
                read: 1_000,
                processed: 900,
                late: 60,
                malformed: 7,
                filtered: 33,
                bytes: 103_000,
                partitions: vec![
                    partition(0, Some(NOW_MS - 2_000), Activity::Active),
                    partition(1, Some(NOW_MS - 61_500), Activity::Active),
                ],
                standings: vec![standing(0, 12, 0), standing(1, 90_000, 3)],
            },
            SourceSnapshot {
                name: "sensors".to_owned(),
                read: 11,
                processed: 10,
                late: 1,
                malformed: 0,
                filtered: 0,
                bytes: 500,
                partitions: vec![
                    partition(0, Some(NOW_MS - 1_250), Activity::Active),
                    partition(1, Some(NOW_MS - 900_000), Activity::Idle),
                    partition(2, None, Activity::Ended),
                ],
                standings: vec![],
            },
        ],
        shards: vec![
            ShardSnapshot {
                number: 0,
                busy_seconds: 75.0,
                blocked_seconds: 5.0,
                idle_seconds: 20.0,
                watermark_ms: Some(NOW_MS - 61_500),
                waiting_events: 120,
                keys: 42,
                keys_in_memory: 12,
                states_read: 160,
                checkpoint_pause_seconds: 0.012,
                routed: 450,
                ring_fill: 0.25,
            },
            ShardSnapshot {
                number: 1,
                busy_seconds: 10.0,
                blocked_seconds: 0.0,
                idle_seconds: 90.0,
                watermark_ms: Some(NOW_MS - 61_500),
                waiting_events: 3,
                keys: 40,
                keys_in_memory: 40,
                states_read: 0,
                checkpoint_pause_seconds: 0.003,
                routed: 455,
                ring_fill: 0.0,
            },
        ],
        patterns: vec![
            pattern("probe_then_drain", 17, &[("probe", 250), ("drain", 6)]),
            pattern("busy_minute", 170, &[("window", 9)]),
        ],
        outputs: vec![
            OutputSnapshot {
                name: "-".to_owned(),
                rows: 17,
                bytes: 1_700,
                retries: 0,
                queue_fill: 0.0,
            },
            OutputSnapshot {
                name: "alerts.ndjson".to_owned(),
                rows: 170,
                bytes: 17_000,
                retries: 2,
                queue_fill: 0.5,
            },
        ],
        detection_latency: Histogram {
            buckets: vec![(0.001, 10), (0.01, 80), (0.1, 9)],
            above: 1,
            sum_seconds: 1.5,
        },
        checkpoints: Some(CheckpointSnapshot {
            epoch: 41,
            failures: 0,
            last_seconds: Some(0.25),
            age_seconds: 4.0,
            new_bytes: 1_500_000,
            state_bytes: 120_000_000,
            durations: Histogram {
                buckets: vec![(0.1, 7), (0.3, 3)],
                above: 0,
                sum_seconds: 0.9,
            },
        }),
        group: Some(GroupSnapshot {
            name: "fraud".to_owned(),
            partitions: 2,
            rebalances: 3,
        }),
    }
}
