use leitmotif::engine::snapshot::{PartitionSnapshot, PatternSnapshot};

use super::*;
use crate::cli::sample::{NOW_MS, snapshot};

/// Two seconds later.
fn later() -> Snapshot {
    let mut after = snapshot();
    after.uptime_seconds += 2.0;
    let cards = &mut after.sources[0];
    (cards.read, cards.processed, cards.late, cards.bytes) = (25_000, 24_880, 80, 2_575_000);
    let sensors = &mut after.sources[1];
    (sensors.read, sensors.processed) = (12, 11);
    after.patterns[0].matches += 3;
    after.patterns[1].matches += 900;
    after.shards[0].busy_seconds += 1.4;
    after.shards[0].blocked_seconds += 0.2;
    after.shards[0].idle_seconds += 0.4;
    after.shards[1].idle_seconds += 2.0;
    after.outputs[1].rows += 901;
    after.outputs[1].bytes += 90_100;
    after.detection_latency.buckets[1].1 += 900;
    after.detection_latency.above += 3;
    after
}

fn shown(before: &Snapshot, after: &Snapshot, width: usize, height: usize) -> Vec<String> {
    let interval = Interval {
        before,
        after,
        seconds: 2.0,
        now_ms: NOW_MS,
    };
    let lines = frame(&interval, Size { width, height });
    lines
        .iter()
        .map(|line| line.to_string().trim_end().to_owned())
        .collect()
}

#[test]
fn frame_shows_what_happened_between_two_answers() {
    let told = shown(&snapshot(), &later(), 100, 60).join("\n") + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/top.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(path).unwrap());
}

#[test]
fn frame_fits_its_window() {
    let (before, mut after) = (snapshot(), later());
    for number in 0..100 {
        after.patterns.push(PatternSnapshot {
            name: format!("pattern_{number}"),
            ..PatternSnapshot::default()
        });
        after.sources[1].partitions.push(PartitionSnapshot {
            partition: 3 + number,
            watermark_ms: Some(NOW_MS),
            activity: Activity::Active,
        });
    }
    for height in 0..70 {
        for width in [0, 1, 20, 80, 300] {
            let lines = shown(&before, &after, width, height);
            assert!(lines.len() <= height, "{height}");
            assert!(
                lines.iter().all(|line| line.chars().count() <= width),
                "{width}"
            );
        }
    }
    let lines = shown(&before, &after, 100, 40);
    assert_eq!(lines.len(), 40, "all the room is used");
    let more = lines.iter().filter(|line| line.starts_with('…')).count();
    assert_eq!(more, 2, "{lines:#?}");
    assert!(
        lines.iter().any(|line| line.starts_with("busy_minute")),
        "the busiest is among those shown"
    );
}

#[test]
fn partition_that_is_behind_holds_the_watermark_back() {
    let holders = |after: &Snapshot| -> Vec<String> {
        let lines = shown(after, after, 100, 60);
        let held = lines
            .iter()
            .filter(|line| line.contains("holds the watermark back"));
        held.map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let mut after = snapshot();
    assert_eq!(
        holders(&after),
        ["cards/1"],
        "not the idle one that lies further back"
    );
    after.sources[1].partitions[0].watermark_ms = None;
    assert_eq!(holders(&after), ["sensors/0"], "who promised nothing");
    after.sources[0].partitions.clear();
    assert_eq!(holders(&after), [""; 0], "nobody holds back but itself");
}

#[test]
fn engine_started_anew_counts_from_zero() {
    let (before, mut after) = (later(), snapshot());
    after.uptime_seconds = 1.0;
    let lines = shown(&before, &after, 100, 60);
    assert!(
        lines[0].contains(" for 1.0s   506 events/s"),
        "{}",
        lines[0]
    );
}

#[test]
fn latency_is_that_of_the_interval_and_else_of_the_whole_run() {
    let histogram = |counts: [u64; 3]| Histogram {
        buckets: vec![(0.1, counts[0]), (0.2, counts[1])],
        above: counts[2],
        sum_seconds: 0.0,
    };
    let before = histogram([100, 0, 0]);
    assert_eq!(
        recent(&before, &histogram([100, 10, 0])),
        histogram([0, 10, 0])
    );
    assert_eq!(recent(&before, &before), before);
}

#[test]
fn bars_are_always_as_long() {
    for (busy, blocked) in [(0.0, 0.0), (1.0, 1.0), (0.524, 0.476), (0.33, 0.1)] {
        assert_eq!(bar(busy, blocked).chars().count(), BAR_WIDTH);
    }
    assert_eq!(bar(0.5, 0.25), "██████████▒▒▒▒▒░░░░░");
}
