//! Topics as outputs, and whole runs from topic to topic.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use assert_cmd::Command;
use leitmotif::sink::Target;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use serde_json::Value;

use super::broker::{Broker, Sent, shared, until};

const PATTERNS: &str = r#"event Txn { at: timestamp time, card: string, amount: int }
pattern probe_then_drain {
  key card
  match probe: Txn where amount < 5 then drain: Txn where amount > 500
  within 10m
  emit fraud { card, spent: drain.amount }
  timeout watch { card, probed: probe.amount }
}
"#;

/// A run in a folder of its own; gives back what it says at its end.
#[track_caller]
fn run(folder: &Path, args: &[String]) -> String {
    fs::write(folder.join("p.motif"), PATTERNS).expect("written");
    let done = Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
        .current_dir(folder)
        .args(["run", "p.motif", "--summary", "json"])
        .args(args)
        .output()
        .expect("runs");
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{args:?}: {err}");
    err
}

fn open(broker: &Broker, rest: &str) -> Result<Box<dyn leitmotif::Sink>, String> {
    let target = Target::parse(&format!("kafka://{}/{rest}", broker.address));
    let target = target.map_err(|error| error.to_string())?;
    target.open().map_err(|error| error.to_string())
}

fn header<'a>(record: &'a Sent, name: &str) -> &'a str {
    let found = record.headers.iter().find(|(key, _)| key == name);
    &found
        .unwrap_or_else(|| panic!("no header {name}: {record:?}"))
        .1
}

#[test]
fn a_run_goes_from_topic_to_topic() {
    let Some(broker) = shared() else { return };
    let topics = ["cards", "fraud", "watch", "late"].map(|name| broker.topic(name, 2));
    let [cards, fraud, watch, late] = &topics;
    let record = |partition, key: &str, at: i64, amount: i64| Sent {
        partition,
        key: Some(key.to_owned()),
        value: Some(format!(
            "{{\"at\":{},\"amount\":{amount}}}",
            1_700_000_000_000 + at
        )),
        ..Sent::default()
    };
    broker.send(
        cards,
        &[
            record(0, "c1", 0, 1),
            record(0, "c1", 5_000, 900),
            record(0, "c1", 1_000, 900),
            record(1, "c\"2", 2_000, 2),
        ],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let at = &broker.address;
    let args = [
        format!("--source=Txn=kafka://{at}/{cards}?key=card&end=latest"),
        format!("--output=fraud=kafka://{at}/{fraud}"),
        format!("--output=watch=kafka://{at}/{watch}"),
        format!("--output=late=kafka://{at}/{late}"),
    ];
    let told = run(folder.path(), &args);
    let summary: Value = serde_json::from_str(told.trim()).expect("a summary");
    assert_eq!(summary["records_read"], 4);

    let matches = broker.read(fraud, "read_committed");
    assert_eq!(matches.len(), 1);
    let row: Value =
        serde_json::from_str(matches[0].value.as_deref().expect("a row")).expect("JSON");
    assert_eq!(matches[0].key.as_deref(), Some("c1"));
    assert_eq!(row["record"]["spent"], 900);
    assert_eq!(header(&matches[0], "output"), "fraud");
    assert_eq!(header(&matches[0], "pattern"), "probe_then_drain");
    assert_eq!(row["match_id"], header(&matches[0], "match_id"));
    assert_eq!(header(&matches[0], "from"), "1700000000000");
    assert_eq!(header(&matches[0], "to"), "1700000005000");

    let timeouts = broker.read(watch, "read_committed");
    assert_eq!(timeouts.len(), 1);
    assert_eq!(timeouts[0].key.as_deref(), Some("c\"2"));
    let rejected = broker.read(late, "read_committed");
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].key, None);
    assert_eq!(
        header(&rejected[0], "source"),
        format!("kafka://{at}/{cards}")
    );
    assert_eq!(
        (
            header(&rejected[0], "partition"),
            header(&rejected[0], "offset")
        ),
        ("0", "2")
    );
}

#[test]
fn a_key_lies_where_other_clients_of_kafka_put_it() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("keys", 4);
    let mut sink = open(broker, &topic).expect("opened");
    let row = |key: &str| {
        format!(
            "{{\"output\":\"o\",\"pattern\":\"p\",\"key\":\"{key}\",\"match_id\":\"0\",\"from\":0,\"to\":0,\"record\":{{}}}}\n"
        )
    };
    let rows: String = [
        "foobar",
        "21",
        "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
    ]
    .map(row)
    .concat();
    sink.write(rows.as_bytes()).expect("written");
    sink.flush().expect("flushed");
    let mut found: Vec<(String, i32)> = broker
        .read(&topic, "read_committed")
        .into_iter()
        .map(|one| (one.key.expect("a key"), one.partition))
        .collect();
    found.sort();
    // Murmur2 of these is known from the tests of Kafka's own client.
    let place = |hash: i32| (hash & 0x7fff_ffff) % 4;
    let wanted = [
        ("21", place(-973_932_308)),
        ("foobar", place(-790_332_482)),
        (
            "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
            place(-58_897_971),
        ),
    ];
    let found: Vec<(&str, i32)> = found.iter().map(|(key, at)| (key.as_str(), *at)).collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_topic_that_is_not_there_is_named_with_the_way_out() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("alerts", 1);
    let slip = topic.replace("alerts", "alrets");
    let error = open(broker, &slip).err().expect("refused");
    let at = &broker.address;
    assert_eq!(
        error,
        format!(
            "output \"kafka://{at}/{slip}\": topic \"{slip}\" does not exist at {at}; create it, or check the name (did you mean \"{topic}\"?)"
        )
    );
    let error = open(broker, &format!("{topic}?kafka.acks=x"))
        .err()
        .expect("refused");
    assert!(error.contains("kafka.acks cannot be \"x\""), "{error}");
    let target = Target::parse("kafka://127.0.0.1:1/alerts").expect("an address");
    let error = target.open().err().expect("refused").to_string();
    assert!(
        error.contains("no broker answers at 127.0.0.1:1"),
        "{error}"
    );
}

#[test]
fn a_row_that_the_broker_does_not_take_ends_the_run() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("large", 1);
    let mut sink = open(broker, &topic).expect("opened");
    let row = format!("{{\"output\":\"{}\"}}\n", "x".repeat(2 << 20));
    let error = sink.write(row.as_bytes()).and_then(|()| sink.flush());
    let error = error.expect_err("refused").to_string();
    assert!(
        error.contains("a row is larger than the broker takes"),
        "{error}"
    );
}

#[test]
fn rows_arrive_once_though_the_broker_goes_away() {
    let Some(broker) = shared().and_then(|_| Broker::start()) else {
        return;
    };
    let topic = broker.topic("restart", 2);
    let mut sink = open(&broker, &topic).expect("opened");
    let retries = sink.retries();
    let rows = |from: u32| -> String {
        let row = |n: u32| format!("{{\"n\":{n}}}\n");
        (from..from + 500).map(row).collect()
    };
    sink.write(rows(0).as_bytes()).expect("written");
    sink.flush().expect("flushed");
    sink.write(rows(500).as_bytes()).expect("written");
    broker.kill();
    sink.write(rows(1_000).as_bytes()).expect("they wait");
    let flushing = std::thread::spawn(move || {
        sink.flush().expect("flushed");
    });
    until("it tries again", || retries.count() > 0);
    sleep(Duration::from_millis(500));
    assert!(!flushing.is_finished());
    broker.up();
    flushing.join().expect("flushed");
    let found = broker.read(&topic, "read_committed");
    let number = |one: &Sent| -> u32 {
        let value = one.value.as_deref().expect("a row");
        let row: Value = serde_json::from_str(value).expect("JSON");
        row["n"].as_u64().expect("a number") as u32
    };
    let mut numbers: Vec<u32> = found.iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1_500).collect::<Vec<u32>>());
}

#[test]
fn a_live_run_reads_what_comes_and_keeps_where_it_was() {
    let Some(broker) = shared() else { return };
    let (cards, fraud) = (broker.topic("live", 1), broker.topic("found", 1));
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.motif"), PATTERNS).expect("written");
    let at = &broker.address;
    let mut running = std::process::Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
        .current_dir(folder.path())
        .args(["run", "p.motif", "--shards", "2"])
        .arg(format!("--source=Txn=kafka://{at}/{cards}?group={cards}"))
        .arg(format!("--output=fraud=kafka://{at}/{fraud}"))
        .arg("--output=watch=watch.ndjson")
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("runs");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("after 1970").as_millis();
    let event = |after: u128, amount: u32| {
        format!(
            "{{\"at\":{},\"card\":\"c1\",\"amount\":{amount}}}",
            now + after
        )
    };
    broker.send_values(&cards, 0, &[&event(0, 1), &event(1, 900), &event(10, 100)]);
    until("a row comes", || {
        !broker.read(&fraud, "read_committed").is_empty()
    });
    let pid = running.id().to_string();
    let told = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(told.expect("kill runs").success());
    running.wait().expect("it ends");
    let (offset, _) = broker.committed(&cards, &cards, 0);
    assert_eq!(offset, rdkafka::Offset::Offset(3));
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", at)
        .create()
        .expect("a client");
    let (_, end) = client
        .fetch_watermarks(&fraud, 0, super::broker::PATIENCE)
        .expect("an answer");
    assert_eq!(end, 1);
}
