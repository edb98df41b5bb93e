//! Topics as sources.

use std::thread::sleep;
use std::time::{Duration, Instant};

use leitmotif::source::{Error, Follow, Place, SourceSpec};
use leitmotif::{Epoch, Extent, Polled, Source, SourcePosition};
use rdkafka::Offset;
use rdkafka::producer::Producer as _;

use super::broker::{Broker, PATIENCE, Sent, send_with, shared, until};

/// A record that was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Got {
    partition: u32,
    offset: u64,
    arrived: Option<i64>,
    text: String,
}

type Readers = Vec<Box<dyn Source>>;

fn try_open(broker: &Broker, rest: &str, shards: usize) -> Result<Readers, Error> {
    let spec = SourceSpec::parse(&format!("kafka://{}/{rest}", broker.address))?;
    spec.open(shards, Follow::No)
}

#[track_caller]
fn open(broker: &Broker, rest: &str) -> Readers {
    try_open(broker, rest, 1).expect("opened")
}

/// Polls all readers once.
fn poll(readers: &mut Readers, got: &mut Vec<Got>) -> Result<Polled, Error> {
    let mut all = Polled::End;
    for reader in readers {
        let polled = reader.poll(&mut |record| {
            if record.heads_file {
                return;
            }
            got.push(Got {
                partition: record.partition,
                offset: record.offset,
                arrived: record.arrived.map(|time| time.0),
                text: String::from_utf8_lossy(record.bytes).into_owned(),
            });
        })?;
        if polled != Polled::End && all != Polled::Away {
            all = match polled {
                Polled::Away => Polled::Away,
                _ => Polled::Waiting,
            };
        }
    }
    Ok(all)
}

/// So many records, in order of partition and offset.
#[track_caller]
fn take(readers: &mut Readers, count: usize) -> Vec<Got> {
    let mut got = Vec::new();
    let began = Instant::now();
    while got.len() < count {
        assert!(began.elapsed() < PATIENCE, "only {} of {count}", got.len());
        if poll(readers, &mut got).expect("read") != Polled::More {
            sleep(Duration::from_millis(1));
        }
    }
    got.sort_by_key(|got| (got.partition, got.offset));
    got
}

/// Everything until the end.
#[track_caller]
fn drain(readers: &mut Readers) -> Vec<Got> {
    let mut got = Vec::new();
    until("the end", || {
        poll(readers, &mut got).expect("read") == Polled::End
    });
    got.sort_by_key(|got| (got.partition, got.offset));
    got
}

fn texts(got: &[Got]) -> Vec<&str> {
    got.iter().map(|got| got.text.as_str()).collect()
}

fn value(partition: i32, value: &str) -> Sent {
    Sent {
        partition,
        value: Some(value.to_owned()),
        ..Sent::default()
    }
}

/// Where all readers stand.
fn positions(readers: &Readers) -> Vec<(u32, SourcePosition)> {
    let known = readers.iter().map(|reader| reader.positions());
    known
        .flat_map(|positions| positions.expect("they can be read again"))
        .collect()
}

#[test]
fn records_come_with_partition_offset_and_the_brokers_time() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("plain", 2);
    let at = |sent: Sent, time| Sent {
        time: Some(time),
        ..sent
    };
    let tombstone = Sent {
        value: None,
        key: Some("k".to_owned()),
        ..value(1, "")
    };
    let records = [
        at(value(0, "a"), 1_700_000_000_001),
        at(value(1, "b"), 1_700_000_000_002),
        tombstone,
        at(value(1, "c"), 1_700_000_000_003),
        at(value(1, ""), 1_700_000_000_004),
    ];
    broker.send(&topic, &records);
    let mut readers = open(broker, &topic);
    assert_eq!(readers.len(), 2);
    assert_eq!(readers[0].extent(), Extent::Unbounded);
    let got = |partition, offset, arrived, text: &str| Got {
        partition,
        offset,
        arrived: Some(arrived),
        text: text.to_owned(),
    };
    let wanted = [
        got(0, 0, 1_700_000_000_001, "a"),
        got(1, 0, 1_700_000_000_002, "b"),
        got(1, 2, 1_700_000_000_003, "c"),
        got(1, 3, 1_700_000_000_004, ""),
    ];
    assert_eq!(take(&mut readers, 4), wanted);
    let standings: Vec<_> = readers.iter().flat_map(|one| one.standings()).collect();
    let tombstones: Vec<u64> = standings.iter().map(|one| one.tombstones()).collect();
    assert_eq!(tombstones, [0, 1]);
    assert_eq!(
        (standings[1].topic(), standings[1].partition()),
        (&*topic, 1)
    );
    let nothing = poll(&mut readers, &mut Vec::new()).expect("read");
    assert_eq!(nothing, Polled::Waiting);
}

#[test]
fn what_waits_at_the_broker_is_known_while_nobody_reads() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("lag", 1);
    let mut readers = open(broker, &topic);
    let standing = readers[0].standings().remove(0);
    broker.send_values(&topic, 0, &["1", "2", "3"]);
    until("three wait", || standing.lag() == 3);
    take(&mut readers, 3);
    until("none waits", || standing.lag() == 0);
}

#[test]
fn key_and_headers_become_fields() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("fields", 1);
    let record = Sent {
        key: Some("c1".to_owned()),
        headers: vec![
            ("trace".to_owned(), "old".to_owned()),
            ("trace".to_owned(), "new".to_owned()),
        ],
        ..value(0, r#"{"a":1}"#)
    };
    broker.send(&topic, &[record, value(0, r#"{"a":2}"#)]);
    let options = "key=card&header.trace=trace&end=latest";
    let got = drain(&mut open(broker, &format!("{topic}?{options}")));
    let wanted = [
        r#"{"card":"c1","trace":"new","a":1}"#,
        r#"{"card":null,"trace":null,"a":2}"#,
    ];
    assert_eq!(texts(&got), wanted);
}

#[test]
fn columns_of_csv_are_named_by_the_address() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("csv", 1);
    broker.send_values(&topic, 0, &["1700000000000,c1\n"]);
    let options = "format=csv&columns=ts,card&end=latest";
    let mut readers = open(broker, &format!("{topic}?{options}"));
    let mut seen = Vec::new();
    until("the end", || {
        let polled = readers[0].poll(&mut |record| {
            let text = String::from_utf8_lossy(record.bytes).into_owned();
            seen.push((text, record.heads_file));
        });
        polled.expect("read") == Polled::End
    });
    let row = |text: &str, heads| (text.to_owned(), heads);
    assert_eq!(seen, [row("ts,card", true), row("1700000000000,c1", false)]);
}

#[test]
fn reading_begins_where_it_is_told_to() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("starts", 1);
    let at = |text: &str, time| Sent {
        time: Some(time),
        ..value(0, text)
    };
    let records = [
        at("old", 1_700_000_000_000),
        at("mid", 1_700_000_060_000),
        at("new", 1_700_000_120_000),
    ];
    broker.send(&topic, &records);
    let read = |options: &str| -> Vec<String> {
        let got = drain(&mut open(broker, &format!("{topic}?end=latest{options}")));
        got.into_iter().map(|got| got.text).collect()
    };
    assert_eq!(read(""), ["old", "mid", "new"]);
    assert_eq!(read("&start=latest"), Vec::<String>::new());
    assert_eq!(read("&start=2023-11-14T22:13:21Z"), ["mid", "new"]);
    assert_eq!(read("&start=1700000060000"), ["mid", "new"]);
    assert_eq!(read("&start=1800000000000"), Vec::<String>::new());
    let mut live = open(broker, &format!("{topic}?start=latest"));
    broker.send_values(&topic, 0, &["live"]);
    assert_eq!(texts(&take(&mut live, 1)), ["live"]);
    assert_eq!(take(&mut open(broker, &topic), 4).len(), 4);
}

#[test]
fn without_state_the_group_knows_what_was_read() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("group", 2);
    let group = format!("{topic}-group");
    broker.send(&topic, &[value(0, "a"), value(0, "b"), value(1, "c")]);
    let address = format!("{topic}?group={group}&end=latest");
    assert_eq!(texts(&drain(&mut open(broker, &address))), ["a", "b", "c"]);
    assert_eq!(broker.committed(&group, &topic, 0).0, Offset::Offset(2));
    broker.send(&topic, &[value(1, "d")]);
    assert_eq!(texts(&drain(&mut open(broker, &address))), ["d"]);
    let again = format!("{address}&start=earliest");
    assert_eq!(drain(&mut open(broker, &again)).len(), 4);
    broker.delete_before(&topic, 0, 1);
    let other = format!("{topic}?group={group}-2&end=latest");
    assert_eq!(texts(&drain(&mut open(broker, &other))), ["b", "c", "d"]);
}

#[test]
fn with_state_the_group_learns_what_is_committed() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("epochs", 1);
    let group = format!("{topic}-group");
    broker.send_values(&topic, 0, &["a", "b", "c"]);
    let mut readers = open(broker, &format!("{topic}?group={group}"));
    readers[0].seek(&[]).expect("nothing to go on with");
    take(&mut readers, 3);
    positions(&readers);
    broker.send_values(&topic, 0, &["d"]);
    take(&mut readers, 1);
    readers[0].committed(Epoch(1)).expect("kept");
    let at = || broker.committed(&group, &topic, 0).0;
    until("the epoch's offset is kept", || at() == Offset::Offset(3));
    drop(readers);
    assert_eq!(at(), Offset::Offset(3));
}

#[test]
fn reading_goes_on_where_a_position_says() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("seek", 2);
    broker.send(&topic, &[value(0, "a"), value(0, "b"), value(1, "c")]);
    let mut readers = open(broker, &topic);
    take(&mut readers, 3);
    let kept = positions(&readers);
    drop(readers);
    broker.send(&topic, &[value(0, "d"), value(1, "e")]);
    let resume = |positions: &[(u32, SourcePosition)], options: &str| -> Vec<String> {
        let mut readers = open(broker, &format!("{topic}?end=latest{options}"));
        for reader in &mut readers {
            reader.seek(positions).expect("a place");
        }
        let got = drain(&mut readers);
        got.into_iter().map(|got| got.text).collect()
    };
    assert_eq!(resume(&kept, ""), ["d", "e"]);
    // Whatever the address says: the state knows better.
    assert_eq!(resume(&kept, "&start=latest"), ["d", "e"]);
    // A partition of which nothing is known is new, and read from its beginning.
    let one: Vec<_> = kept
        .iter()
        .filter(|(number, _)| *number == 0)
        .cloned()
        .collect();
    assert_eq!(resume(&one, "&start=latest"), ["d", "c", "e"]);
    assert_eq!(resume(&[], "&start=latest"), Vec::<String>::new());
}

#[test]
fn a_position_that_is_gone_is_an_error_with_the_way_out() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("gone", 1);
    broker.send_values(&topic, 0, &["a", "b", "c"]);
    let mut readers = open(broker, &topic);
    take(&mut readers, 1);
    let seek = |offset| {
        let mut readers = open(broker, &topic);
        let mut kept = positions(&readers);
        kept[0].1.offset = offset;
        readers[0].seek(&kept).map_err(|error| error.to_string())
    };
    broker.delete_before(&topic, 0, 2);
    let precedes = seek(1).expect_err("it is gone");
    let source = format!("source \"kafka://{}/{topic}\"", broker.address);
    assert_eq!(
        precedes,
        format!(
            "{source}: topic \"{topic}\", partition 0: offset 1 precedes the earliest that is there, 2: records were deleted before they were read; restore a newer savepoint, or begin without state"
        )
    );
    assert!(
        seek(9)
            .expect_err("no such")
            .contains("the topic was made anew")
    );
    assert_eq!(seek(2), Ok(()));
}

#[test]
fn several_topics_are_one_source_with_partitions_of_its_own() {
    let Some(broker) = shared() else { return };
    let (cards, refunds) = (broker.topic("cards", 2), broker.topic("refunds", 1));
    broker.send(&cards, &[value(0, "c0"), value(1, "c1")]);
    broker.send_values(&refunds, 0, &["r0"]);
    let address = format!("{cards},{}?end=latest", refunds.replace("refunds", "ref*"));
    let mut readers = open(broker, &address);
    let got = drain(&mut readers);
    assert_eq!(texts(&got), ["c0", "c1", "r0"]);
    assert_eq!((got[0].partition, got[1].partition), (0, 1));
    assert!(got[2].partition > 65_535);
    let kept = positions(&readers);
    // The order in which they are named does not matter to where they stand.
    let mut turned = open(broker, &format!("{refunds},{cards}?end=latest"));
    for reader in &mut turned {
        reader.seek(&kept).expect("a place");
    }
    assert_eq!(drain(&mut turned), []);
}

#[test]
fn shards_share_the_partitions() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("shares", 3);
    broker.send(&topic, &[value(0, "a"), value(1, "b"), value(2, "c")]);
    for shards in [1, 2, 8] {
        let address = format!("{topic}?end=latest");
        let mut readers = try_open(broker, &address, shards).expect("opened");
        let mut numbers: Vec<u32> = readers.iter().flat_map(|one| one.partitions()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!(texts(&drain(&mut readers)), ["a", "b", "c"]);
    }
}

#[test]
fn only_what_is_committed_is_read_and_the_end_is_found_behind_it() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("committed", 1);
    let producer = broker.transactional(&topic);
    for (text, commit) in [("yes", true), ("no", false)] {
        producer.begin_transaction().expect("begun");
        send_with(&producer, &topic, &[value(0, text)]);
        producer.flush(PATIENCE).expect("sent");
        match commit {
            true => producer.commit_transaction(PATIENCE).expect("committed"),
            false => producer.abort_transaction(PATIENCE).expect("aborted"),
        }
    }
    let got = drain(&mut open(broker, &format!("{topic}?end=latest")));
    assert_eq!(texts(&got), ["yes"]);
}

#[test]
fn what_is_not_there_is_named_with_the_way_out() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("there", 1);
    let error = |rest: &str| {
        try_open(broker, rest, 1)
            .err()
            .expect("refused")
            .to_string()
    };
    let address = &broker.address;
    let slip = topic.replace("there", "theer");
    assert_eq!(
        error(&slip),
        format!(
            "source \"kafka://{address}/{slip}\": topic \"{slip}\" does not exist at {address}; create it, or check the name (did you mean \"{topic}\"?)"
        )
    );
    let other = error("something-else-entirely");
    assert!(other.contains("check the name (there are: "), "{other}");
    let none = error("^nothing-like-it$");
    assert!(
        none.contains("matches \"^nothing-like-it$\"; create one"),
        "{none}"
    );
    let unknown = error(&format!("{topic}?kafka.fetch.mni.bytes=1"));
    assert!(
        unknown.contains("kafka.fetch.mni.bytes is no setting of the client"),
        "{unknown}"
    );
    let wrong = error(&format!("{topic}?kafka.fetch.min.bytes=x"));
    assert!(
        wrong.contains("kafka.fetch.min.bytes cannot be \"x\""),
        "{wrong}"
    );
}

#[test]
fn a_broker_that_does_not_answer_is_named_with_the_reason() {
    let spec = SourceSpec::parse("kafka://127.0.0.1:1/t").expect("an address");
    let began = Instant::now();
    let error = spec.open(1, Follow::No).err().expect("refused").to_string();
    assert!(
        error.contains("no broker answers at 127.0.0.1:1 within"),
        "{error}"
    );
    assert!(error.contains("Connection refused"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_broker_that_comes_back_is_read_on() {
    let Some(broker) = shared().and_then(|_| Broker::start()) else {
        return;
    };
    let topic = broker.topic("restart", 1);
    broker.send_values(&topic, 0, &["a", "b"]);
    let mut readers = open(&broker, &topic);
    assert_eq!(texts(&take(&mut readers, 2)), ["a", "b"]);
    broker.kill();
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_secs(2) {
        let mut got = Vec::new();
        let polled = poll(&mut readers, &mut got).expect("it may come back");
        assert!(
            matches!(polled, Polled::Waiting | Polled::Away),
            "{polled:?}"
        );
        assert_eq!(got, []);
        sleep(Duration::from_millis(10));
    }
    until("it is told to be away", || {
        poll(&mut readers, &mut Vec::new()).expect("it may come back") == Polled::Away
    });
    broker.up();
    broker.send_values(&topic, 0, &["c"]);
    let got = take(&mut readers, 1);
    assert_eq!((got[0].offset, got[0].text.as_str()), (2, "c"));
}

#[test]
fn a_broker_that_sleeps_is_away_until_it_answers() {
    let Some(broker) = shared().and_then(|_| Broker::start()) else {
        return;
    };
    let topic = broker.topic("asleep", 2);
    broker.send_values(&topic, 0, &["a"]);
    let mut readers = try_open(&broker, &topic, 2).expect("opened");
    assert_eq!(texts(&take(&mut readers, 1)), ["a"]);
    broker.signal("-STOP");
    for reader in &mut readers {
        let polled = || reader.poll(&mut |_| {}).expect("it may wake up");
        let mut polled = polled;
        until("it is told to be away", || polled() == Polled::Away);
    }
    broker.signal("-CONT");
    for reader in &mut readers {
        until("it is there again", || {
            reader.poll(&mut |_| {}).expect("it is awake") == Polled::Waiting
        });
    }
    broker.send_values(&topic, 1, &["b"]);
    assert_eq!(texts(&take(&mut readers, 1)), ["b"]);
}

#[test]
fn a_topic_that_is_deleted_ends_the_run() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("deleted", 1);
    broker.send_values(&topic, 0, &["a"]);
    let mut readers = open(
        broker,
        &format!("{topic}?kafka.topic.metadata.refresh.interval.ms=500"),
    );
    take(&mut readers, 1);
    broker.delete(&topic);
    let mut error = String::new();
    until("it is noticed", || {
        match poll(&mut readers, &mut Vec::new()) {
            Ok(_) => false,
            Err(told) => {
                error = told.to_string();
                true
            }
        }
    });
    assert!(
        error.contains("is not there any more; create the topic again"),
        "{error}"
    );
}

#[test]
fn records_that_are_deleted_before_they_are_read_end_the_run() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("overtaken", 1);
    broker.send_values(&topic, 0, &["a", "b", "c"]);
    let mut readers = open(broker, &topic);
    broker.delete_before(&topic, 0, 2);
    let mut error = String::new();
    until("it is noticed", || {
        match poll(&mut readers, &mut Vec::new()) {
            Ok(_) => false,
            Err(told) => {
                error = told.to_string();
                true
            }
        }
    });
    assert!(error.contains("offset 0 is not there any more"), "{error}");
}

#[test]
fn a_name_shows_no_settings() {
    let spec = SourceSpec::parse("kafka://a/t?kafka.sasl.password=hunter2").expect("an address");
    assert!(matches!(spec.place, Place::Kafka(_)));
    let shown = format!("{} {spec:?}", spec.name());
    assert!(!shown.contains("hunter2"), "{shown}");
    let error = SourceSpec::parse("kafka://a/t?kafka.sasl.password=hunter2&no=1").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
