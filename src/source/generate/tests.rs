use super::*;

const CARDS_FIRST: &str = r#"{"ts":1700000000000,"card":"c0017601","kind":"auth","amount":105.31,"merchant":"m550","country":"NL"}"#;
const SENSORS_FIRST: &str =
    r#"{"ts":1700000000000,"device":"d001760","kind":"temp","value":76.20,"site":"s10"}"#;
const STOCK_FIRST: &str =
    r#"{"ts":1700000000000,"symbol":"S002","kind":"buy","price":60.00,"volume":360}"#;

/// What readers of a workload give out until it ends: partition, offset, bytes.
fn records(text: &str, readers: usize) -> Vec<(u32, u64, Vec<u8>)> {
    let workload = Workload::parse(text).expect("known");
    let mut records = Vec::new();
    for mut reader in Generator::readers(&workload, readers) {
        let partitions = reader.partitions();
        loop {
            let polled = reader.poll(&mut |record| {
                assert!(partitions.contains(&record.partition));
                records.push((record.partition, record.offset, record.bytes.to_vec()));
            });
            if polled.expect("never fails") == Polled::End {
                break;
            }
        }
    }
    records
}

fn sorted_lines(records: &[(u32, u64, Vec<u8>)]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = records.iter().map(|record| record.2.clone()).collect();
    lines.sort_unstable();
    lines
}

fn time_of(line: &[u8]) -> u64 {
    let value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
    value["ts"].as_u64().expect("a time")
}

#[test]
fn the_first_event_of_each_kind_is_known() {
    let check = |kind: &str, wanted: &str| {
        let records = records(&format!("{kind}?events=1"), 1);
        assert_eq!(String::from_utf8_lossy(&records[0].2), wanted);
    };
    check("cards", CARDS_FIRST);
    check("sensors", SENSORS_FIRST);
    check("stock", STOCK_FIRST);
}

#[test]
fn partitions_hold_the_same_events_however_many_and_whoever_reads_them() {
    for kind in ["cards", "sensors", "stock"] {
        let whole = sorted_lines(&records(&format!("{kind}?events=3001"), 1));
        assert_eq!(whole.len(), 3_001);
        for (partitions, readers) in [(2_u32, 1), (2, 2), (5, 2), (5, 9)] {
            for disorder in ["0s", "1s"] {
                let text =
                    format!("{kind}?events=3001&partitions={partitions}&disorder={disorder}");
                let records = records(&text, readers);
                assert_eq!(sorted_lines(&records), whole, "{text}");
                for partition in 0..partitions {
                    let offsets = records.iter().filter(|record| record.0 == partition);
                    let count = (3_001 - u64::from(partition)).div_ceil(u64::from(partitions));
                    assert!(offsets.map(|record| record.1).eq(1..=count));
                }
            }
        }
    }
}

#[test]
fn readers_share_partitions_in_turn() {
    let workload = Workload::parse("cards?partitions=5").unwrap();
    let partitions = |readers| -> Vec<Vec<u32>> {
        Generator::readers(&workload, readers)
            .iter()
            .map(Source::partitions)
            .collect()
    };
    assert_eq!(partitions(2), [vec![0, 2, 4], vec![1, 3]]);
    assert_eq!(partitions(9).len(), 5);
}

#[test]
fn disorder_stays_within_its_bound() {
    for text in [
        "sensors?events=5000&disorder=500ms",
        "sensors?events=5000&disorder=500ms&partitions=2",
        "sensors?events=5000&disorder=500ms&time=now",
    ] {
        let records = records(text, 1);
        assert_eq!(records.len(), 5_000);
        let (mut newest, mut late) = ([0; 2], 0);
        for (partition, _, line) in &records {
            let time = time_of(line);
            let newest = &mut newest[*partition as usize];
            assert!(time + 500 >= *newest, "{text}");
            late += u64::from(time < *newest);
            *newest = (*newest).max(time);
        }
        assert!(late > 1_000, "{text}: {late}");
    }
}

#[test]
fn another_seed_makes_other_events() {
    let one = records("cards?events=100", 1);
    assert_eq!(one, records("cards?events=100&seed=1", 1));
    assert_ne!(one, records("cards?events=100&seed=2", 1));
}

#[test]
fn a_rate_is_kept_by_all_partitions_together() {
    let workload = Workload::parse("cards?rate=2000&partitions=4&time=now").unwrap();
    let began = Instant::now();
    let before = unix_ms();
    let mut readers = Generator::readers(&workload, 2);
    let (mut count, mut waited) = (0_u64, false);
    while began.elapsed().as_millis() < 300 {
        for reader in &mut readers {
            let polled = reader.poll(&mut |record| {
                count += 1;
                let time = time_of(record.bytes);
                assert!(time >= before && time <= unix_ms() + 1);
                assert_eq!(record.arrived.map(|time| time.0 as u64), Some(time));
            });
            assert_ne!(polled, Ok(Polled::End));
            waited |= polled == Ok(Polled::Waiting);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let due = 2_000 * began.elapsed().as_millis() as u64 / 1_000 + 1;
    assert!(count <= due && count >= 400, "{count} of {due}");
    assert!(waited);
}

#[test]
fn only_a_number_of_events_gives_it_an_end() {
    let extent = |text| {
        let workload = Workload::parse(text).unwrap();
        Generator::readers(&workload, 1)[0].extent()
    };
    assert_eq!(extent("cards"), Extent::Unbounded);
    assert_eq!(extent("cards?events=7"), Extent::Bounded);
    assert_eq!(records("cards?events=0", 1), []);
}

#[test]
fn a_poll_hands_out_a_bounded_number() {
    let workload = Workload::parse("cards?partitions=2").unwrap();
    let mut count = 0;
    let mut readers = Generator::readers(&workload, 1);
    assert_eq!(readers[0].poll(&mut |_| count += 1), Ok(Polled::More));
    assert_eq!(count, 2 * BATCH);
}

#[test]
fn what_cannot_be_made_is_refused_with_the_way_out() {
    let error = |text| Workload::parse(text).unwrap_err();
    assert_eq!(
        error("fish"),
        "nothing is known of \"fish\"; what can be generated is cards, sensors, stock"
    );
    assert_eq!(
        error("cards?speed=1"),
        "no option \"speed\"; options are disorder, events, keys, partitions, rate, seed, time"
    );
    assert_eq!(
        error("cards?time=later"),
        "time=later is not known; write time=now or time=fixed"
    );
    assert_eq!(
        error("stock?keys=2_000_000"),
        "keys=2_000_000 is no number from 1 to 1000000"
    );
}

#[test]
fn a_rate_goes_on_from_where_it_was_left() {
    let workload = Workload::parse("cards?rate=1000&partitions=2&time=now").unwrap();
    let mut left = Generator::readers(&workload, 1).remove(0);
    let began = Instant::now();
    let mut count = 0;
    while count < 100 {
        left.poll(&mut |_| count += 1).unwrap();
    }
    let positions = left.positions().unwrap();
    // What was due while nobody made any is not made up for: that would be a flood.
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(began.elapsed().as_millis() > 190);
    let before = unix_ms();
    let mut readers = Generator::readers(&workload, 2);
    let mut offsets = [Vec::new(), Vec::new()];
    for reader in &mut readers {
        reader.seek(&positions).unwrap();
    }
    for _ in 0..100 {
        for reader in &mut readers {
            reader
                .poll(&mut |record| {
                    offsets[record.partition as usize].push(record.offset);
                    let time = time_of(record.bytes);
                    assert!(time >= before && time <= unix_ms() + 1, "{time} {before}");
                })
                .unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let given: Vec<u64> = positions
        .iter()
        .map(|(_, position)| position.offset)
        .collect();
    for (offsets, first) in offsets.iter().zip(given) {
        assert!(offsets.iter().copied().eq((first..).take(offsets.len())));
        // Half of those that are due in a tenth of a second, or more.
        assert!(offsets.len() > 20, "{}", offsets.len());
    }
}

#[test]
fn other_events_do_not_go_on_and_damaged_places_are_refused() {
    let open = |text: &str| {
        let workload = Workload::parse(text).unwrap();
        Generator::readers(&workload, 1).remove(0)
    };
    let mut left = open("stock?events=2000&disorder=10ms");
    left.poll(&mut |_| {}).unwrap();
    let positions = left.positions().unwrap();
    assert_eq!(
        open("stock?events=2000&disorder=10ms&rate=5").seek(&positions),
        Ok(())
    );
    let refused = |text: &str| open(text).seek(&positions).unwrap_err().to_string();
    assert_eq!(
        refused("cards?seed=2&disorder=10ms"),
        "source \"generate:cards?seed=2&disorder=10ms\" was made up with stock keys=10 seed=1 events=2000 when the state was written, and these events do not follow on those; write it as it was, or give the source another name to begin anew"
    );
    assert!(refused("stock?time=now").contains("with events=2000 disorder=10ms time=fixed when"));
    let whole = &positions[0].1;
    let damaged = |position: SourcePosition| {
        let mut source = open("stock?events=2000&disorder=10ms");
        source.seek(&[(0, position)]).unwrap_err().to_string()
    };
    for length in 0..whole.place.len() {
        let place = whole.place[..length].to_vec();
        let error = damaged(SourcePosition { place, ..*whole });
        assert!(
            error.contains("is damaged") || error.contains("made up with"),
            "{error}"
        );
    }
    for offset in [0, 1, whole.offset - 1, whole.offset + 1, u64::MAX] {
        let place = whole.place.clone();
        let error = damaged(SourcePosition { offset, place });
        assert!(error.contains("no event is there"), "{error}");
    }
    // As many steps as there can be.
    let mut place = whole.place.clone();
    place.truncate(place.len() - 2);
    place.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    assert!(damaged(SourcePosition { place, ..*whole }).contains("no event is there"));
}

#[test]
fn the_bytes_of_a_place_are_these() {
    let workload =
        Workload::parse("sensors?keys=300&seed=7&partitions=2&rate=9&disorder=1s").unwrap();
    let mut reader = Generator::readers(&workload, 2).remove(1);
    reader.poll(&mut |_| {}).unwrap();
    let positions = reader.positions().unwrap();
    let no_end = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let wanted = [&[1, 3, 2, 0xac, 2, 7][..], &no_end, &[2, 0xe8, 7, 0, 0]].concat();
    assert_eq!(
        positions,
        [(
            1,
            SourcePosition {
                offset: 1,
                place: wanted
            }
        )]
    );
}
