//! Rows that are seen when their epoch is committed, and which epoch that is after a crash.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leitmotif::sink::kafka::{GroupOffsets, Transactions};
use leitmotif::sink::{Delivery, Opening, Target};
use leitmotif::source::kafka::TopicOffset;
use leitmotif::{Epoch, Sink};
use rdkafka::Offset;

use super::broker::{Broker, PATIENCE, Sent, send_with, shared};

/// How often an epoch would be committed.
const INTERVAL: Duration = Duration::from_secs(10);

/// A run with state: its sinks and their transactions.
struct Run {
    sinks: Vec<Box<dyn Sink>>,
    transactions: Arc<Transactions>,
}

impl Run {
    /// One sink for each topic.
    fn open(broker: &Broker, state: &str, topics: &[&str]) -> Run {
        let mut opening = Opening::with_state(state, INTERVAL);
        let sinks = topics.iter().map(|topic| {
            let target = Target::parse(&format!("kafka://{}/{topic}", broker.address));
            let opened = target.expect("an address").open_with(&mut opening);
            opened.expect("opened")
        });
        let sinks = sinks.collect();
        let transactions = opening.commit_point().expect("there are topics");
        Run {
            sinks,
            transactions,
        }
    }

    fn write(&mut self, sink: usize, rows: &[&str]) {
        let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
        self.sinks[sink].write(rows.as_bytes()).expect("written");
    }

    fn prepare(&mut self, epoch: u64) {
        for sink in &mut self.sinks {
            sink.prepare(Epoch(epoch)).expect("prepared");
        }
    }

    /// As the engine does it once the manifest is durable.
    fn commit(&mut self, epoch: u64) {
        self.transactions
            .commit(Epoch(epoch), &[])
            .expect("committed");
        for sink in &mut self.sinks {
            sink.commit(Epoch(epoch)).expect("committed");
        }
    }

    /// Ends as by `kill -9`: nothing is aborted, nothing is said.
    fn kill(self) {
        std::mem::forget(self);
    }
}

/// What a reader sees that wants only what is committed.
fn seen(broker: &Broker, topic: &str) -> Vec<String> {
    let records = broker.read(topic, "read_committed");
    let value = |one: Sent| one.value.expect("a row");
    records.into_iter().map(value).collect()
}

#[test]
fn rows_are_seen_when_their_epoch_is_committed() {
    let Some(broker) = shared() else { return };
    let (fraud, watch) = (broker.topic("fraud", 1), broker.topic("watch", 1));
    let mut run = Run::open(broker, &fraud, &[&fraud, &watch]);
    assert_eq!(run.sinks[0].delivery(), Delivery::ExactlyOnce);
    assert_eq!(run.transactions.committed().expect("an answer"), None);
    run.write(0, &["f1"]);
    run.write(1, &["w1"]);
    for sink in &mut run.sinks {
        sink.flush().expect("flushed");
    }
    run.prepare(1);
    // Of the next epoch: it must not be part of this one.
    run.write(0, &["f2"]);
    assert_eq!(seen(broker, &fraud), Vec::<String>::new());
    run.commit(1);
    assert_eq!(seen(broker, &fraud), ["f1"]);
    assert_eq!(seen(broker, &watch), ["w1"]);
    run.write(0, &["f3"]);
    run.prepare(2);
    assert_eq!(seen(broker, &fraud), ["f1"]);
    run.commit(2);
    assert_eq!(seen(broker, &fraud), ["f1", "f2", "f3"]);
    // An epoch without rows is one, too.
    run.prepare(3);
    run.commit(3);
    assert_eq!(
        run.transactions.committed().expect("an answer"),
        Some(Epoch(3))
    );
}

#[test]
fn rows_between_two_epochs_wait_and_when_they_are_many_so_does_the_sink() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("held", 1);
    let mut run = Run::open(broker, &topic, &[&topic]);
    run.write(0, &["first"]);
    run.prepare(1);
    let row = "x".repeat(1 << 20);
    let mut sink = run.sinks.remove(0);
    let writing = std::thread::spawn(move || {
        for _ in 0..12 {
            sink.write(format!("{row}\n").get(200_000..).expect("long").as_bytes())
                .expect("written");
        }
        sink
    });
    std::thread::sleep(Duration::from_millis(500));
    assert!(!writing.is_finished());
    assert_eq!(broker.read(&topic, "read_uncommitted").len(), 1);
    run.transactions.commit(Epoch(1), &[]).expect("committed");
    let mut sink = writing.join().expect("written");
    sink.commit(Epoch(1)).expect("committed");
    sink.prepare(Epoch(2)).expect("prepared");
    assert_eq!(seen(broker, &topic), ["first"]);
    run.transactions.commit(Epoch(2), &[]).expect("committed");
    assert_eq!(seen(broker, &topic).len(), 13);
}

#[test]
fn after_a_crash_the_broker_knows_what_is_committed() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("crash", 1);
    let again = |wanted: Option<u64>, rows: &[&str]| {
        let run = Run::open(broker, &topic, &[&topic]);
        let committed = run.transactions.committed().expect("an answer");
        assert_eq!(committed, wanted.map(Epoch));
        assert_eq!(seen(broker, &topic), rows);
        run
    };
    // Before anything is prepared.
    let mut run = again(None, &[]);
    run.write(0, &["lost"]);
    run.sinks[0].flush().expect("flushed");
    run.kill();
    // Prepared, not committed.
    let mut run = again(None, &[]);
    run.write(0, &["lost"]);
    run.prepare(1);
    run.kill();
    // Committed, and nobody was told.
    let mut run = again(None, &[]);
    run.write(0, &["a"]);
    run.prepare(1);
    run.transactions.commit(Epoch(1), &[]).expect("committed");
    run.kill();
    // In the next epoch.
    let mut run = again(Some(1), &["a"]);
    run.write(0, &["lost"]);
    run.prepare(2);
    run.kill();
    // In the midst of a commit: the mark is part of a transaction that is not committed.
    let mut run = again(Some(1), &["a"]);
    run.write(0, &["lost"]);
    run.prepare(2);
    run.kill();
    half_commit(broker, &topic);
    let mut run = again(Some(1), &["a"]);
    run.write(0, &["b"]);
    run.prepare(2);
    run.commit(2);
    run.kill();
    again(Some(2), &["a", "b"]);
}

/// Does what a commit does, except for the end.
fn half_commit(broker: &Broker, topic: &str) {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::producer::Producer as _;
    let id = format!("leitmotif-{topic}");
    let producer = broker.transactional(&id);
    producer.begin_transaction().expect("begun");
    let row = Sent {
        value: Some("half".to_owned()),
        ..Sent::default()
    };
    send_with(&producer, topic, &[row]);
    producer.flush(PATIENCE).expect("sent");
    let group: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &broker.address)
        .set("group.id", &id)
        .create()
        .expect("a client");
    let mut marks = rdkafka::TopicPartitionList::new();
    let mut mark = marks.add_partition(topic, 0);
    mark.set_offset(Offset::Offset(9)).expect("an offset");
    mark.set_metadata("leitmotif 1 epoch 9");
    let group = group.group_metadata().expect("a group");
    producer
        .send_offsets_to_transaction(&marks, &group, PATIENCE)
        .expect("sent");
    std::mem::forget(producer);
}

#[test]
fn a_run_that_was_replaced_ends_and_writes_nothing() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("fenced", 1);
    let mut old = Run::open(broker, &topic, &[&topic]);
    old.write(0, &["old"]);
    old.prepare(1);
    let mut new = Run::open(broker, &topic, &[&topic]);
    let error = old
        .transactions
        .commit(Epoch(1), &[])
        .expect_err("fenced")
        .to_string();
    assert!(
        error.contains(
            "epoch 1 cannot be committed: another run with the same state writes here since"
        ),
        "{error}"
    );
    let error = old.sinks[0]
        .write(b"more\n")
        .expect_err("fenced")
        .to_string();
    assert!(error.contains("another run with the same state"), "{error}");
    new.write(0, &["new"]);
    new.prepare(1);
    new.commit(1);
    assert_eq!(seen(broker, &topic), ["new"]);
}

#[test]
fn a_run_that_ends_leaves_no_transaction_open() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("aborted", 1);
    let mut run = Run::open(broker, &topic, &[&topic]);
    run.write(0, &["lost"]);
    run.sinks[0].flush().expect("flushed");
    run.prepare(1);
    run.transactions.abort();
    let error = run.sinks[0]
        .prepare(Epoch(2))
        .expect_err("ended")
        .to_string();
    assert!(
        error.contains("the run ends before its epoch is committed"),
        "{error}"
    );
    drop(run);
    // Nor does one with rows that are still on their way.
    let mut run = Run::open(broker, &topic, &[&topic]);
    run.write(0, &["lost"; 1_000]);
    let began = Instant::now();
    drop(run);
    assert!(began.elapsed() < Duration::from_secs(9));
    // A record behind it is seen at once: nobody waits for the transaction to time out.
    broker.send_values(&topic, 0, &["plain"]);
    assert_eq!(seen(broker, &topic), ["plain"]);
}

#[test]
fn offsets_of_groups_are_committed_with_the_epoch() {
    let Some(broker) = shared() else { return };
    let (topic, cards) = (broker.topic("out", 1), broker.topic("in", 3));
    let mut run = Run::open(broker, &topic, &[&topic]);
    run.write(0, &["a"]);
    run.prepare(7);
    let group = format!("{topic}-group");
    let offset = |partition, offset| TopicOffset {
        topic: cards.clone(),
        partition,
        offset,
    };
    let offsets = GroupOffsets {
        group: group.clone(),
        offsets: vec![offset(0, 10), offset(2, 30)],
    };
    run.transactions
        .commit(Epoch(7), &[offsets])
        .expect("committed");
    let mark = "leitmotif 1 epoch 7".to_owned();
    assert_eq!(
        broker.committed(&group, &cards, 0),
        (Offset::Offset(10), mark.clone())
    );
    assert_eq!(
        broker.committed(&group, &cards, 2),
        (Offset::Offset(30), mark)
    );
    assert_eq!(broker.committed(&group, &cards, 1).0, Offset::Invalid);
}

#[test]
fn one_state_commits_on_one_cluster() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("one", 1);
    let mut opening = Opening::with_state(&topic, INTERVAL);
    let open = |options: &str, opening: &mut Opening| {
        let target = Target::parse(&format!("kafka://{}/{topic}{options}", broker.address));
        target.expect("an address").open_with(opening)
    };
    open("", &mut opening).expect("opened");
    let error = open("?kafka.linger.ms=1", &mut opening)
        .err()
        .expect("refused");
    assert!(
        error.to_string().contains("must have one address"),
        "{error}"
    );
}

#[test]
fn a_commit_takes_milliseconds() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("quick", 1);
    let mut run = Run::open(broker, &topic, &[&topic]);
    let mut took: Vec<Duration> = Vec::new();
    for epoch in 1..=30 {
        run.write(0, &["row"; 10]);
        run.prepare(epoch);
        let began = Instant::now();
        run.commit(epoch);
        took.push(began.elapsed());
    }
    took.sort();
    let median = took[took.len() / 2];
    println!(
        "a commit takes {median:?}, at most {:?}",
        took[took.len() - 1]
    );
    // A machine that does other things besides is slow; a commit that sleeps in steps of 100 ms is not this quick on any.
    assert!(took[2] < Duration::from_millis(90), "{took:?}");
}
