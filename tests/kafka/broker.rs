//! Brokers for tests, and what is done with them directly.

use std::future::Future;
use std::io::Write as _;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

/// How long anything may take: machines that run tests do other things besides.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What `scripts/kafka` ends with where Kafka is not to be had.
const NOT_TO_BE_HAD: i32 = 3;

/// A broker.
pub struct Broker {
    /// `host:port`
    pub address: String,
    /// Whose end stops it.
    _keeper: Option<Child>,
}

/// A record as a test sends or finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub partition: i32,
    pub key: Option<String>,
    /// `None`: a tombstone.
    pub value: Option<String>,
    pub time: Option<i64>,
    pub headers: Vec<(String, String)>,
}

/// The broker of all tests; `None` where there is none to be had.
pub fn shared() -> Option<&'static Broker> {
    static BROKER: OnceLock<Option<Broker>> = OnceLock::new();
    BROKER
        .get_or_init(|| match std::env::var("KAFKA_BROKER") {
            Ok(address) => Some(Broker {
                address,
                _keeper: None,
            }),
            Err(_) => Broker::start(),
        })
        .as_ref()
}

/// `scripts/kafka` with these arguments.
fn script(args: &[&str]) -> std::process::Output {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka"))
        .args(args)
        .output()
        .expect("scripts/kafka runs")
}

impl Broker {
    /// A broker of its own; `None` where there is none to be had.
    pub fn start() -> Option<Broker> {
        Broker::start_with(&[])
    }

    /// One that is started with these options besides.
    pub fn start_with(options: &[&str]) -> Option<Broker> {
        let started = script(&[&["up", "--port", "any"], options].concat());
        let told = String::from_utf8_lossy(&started.stdout).into_owned();
        if started.status.code() == Some(NOT_TO_BE_HAD) {
            let why = String::from_utf8_lossy(&started.stderr).into_owned();
            assert!(std::env::var_os("CI").is_none(), "{why}");
            // Not by a macro, whose text is kept back where a test passes.
            let told = format!("\nLEFT OUT: tests against Apache Kafka\n{why}\n");
            std::io::stderr().write_all(told.as_bytes()).expect("told");
            return None;
        }
        let address = told
            .lines()
            .find_map(|line| line.strip_prefix("broker "))
            .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&started.stderr)))
            .to_owned();
        let port = port(&address);
        // Waits for the end of its input, which is that of this process, whatever ends it.
        let keeper = Command::new("sh")
            .args([
                "-c",
                "cat >/dev/null; exec \"$0\" --port \"$1\" down --wipe",
            ])
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka"), port])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh runs");
        Some(Broker {
            address,
            _keeper: Some(keeper),
        })
    }

    /// `scripts/kafka` about this one; gives what it tells.
    pub fn script(&self, args: &[&str]) -> String {
        let done = script(&[args, &["--port", port(&self.address)]].concat());
        assert!(done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// What its status has under a name.
    pub fn told(&self, name: &str) -> String {
        let status = self.script(&["status"]);
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}: {status}"))
            .to_owned()
    }

    /// Lets it sleep, or go on: its connections stay, and nobody answers.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.told("pid")])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Sends values that are no text, with the same key, to a partition.
    pub fn send_bytes(&self, topic: &str, key: &str, values: &[Vec<u8>]) {
        let producer = self.producer();
        for value in values {
            let record = BaseRecord::to(topic).partition(0).key(key).payload(value);
            producer
                .send(record)
                .map_err(|(error, _)| error)
                .expect("room");
        }
        flush(&producer);
    }

    /// Kills it.
    pub fn kill(&self) {
        let killed = script(&["kill", "--port", port(&self.address)]);
        assert!(killed.status.success(), "{killed:?}");
    }

    /// Starts it again with the same data.
    pub fn up(&self) {
        let started = script(&["up", "--port", port(&self.address)]);
        assert!(started.status.success(), "{started:?}");
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    /// A topic that nobody else has.
    pub fn topic(&self, name: &str, partitions: i32) -> String {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{number}", std::process::id());
        self.create(&name, partitions);
        name
    }

    /// A topic of this very name.
    pub fn create(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().expect("a client");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = wait(admin.create_topics([&topic], &options)).expect("an answer");
        assert_eq!(made, [Ok(name.to_owned())]);
        // Whoever asks next shall see it.
        let seen = || {
            let metadata = admin.inner().fetch_metadata(Some(name), PATIENCE);
            let metadata = metadata.expect("an answer");
            metadata.topics()[0].partitions().len() == partitions as usize
        };
        until("the topic is there", seen);
    }

    /// Deletes a topic.
    pub fn delete(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().expect("a client");
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        wait(admin.delete_topics(&[name], &options)).expect("an answer");
    }

    /// Deletes the records of a partition before this offset.
    pub fn delete_before(&self, topic: &str, partition: i32, offset: i64) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().expect("a client");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))
            .expect("an offset");
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        wait(admin.delete_records(&list, &options)).expect("an answer");
    }

    /// Sends records and waits until they are there.
    pub fn send(&self, topic: &str, records: &[Sent]) {
        let producer: BaseProducer = self.config().create().expect("a client");
        send_with(&producer, topic, records);
        producer.flush(PATIENCE).expect("sent");
    }

    /// Sends values to a partition.
    pub fn send_values(&self, topic: &str, partition: i32, values: &[&str]) {
        let record = |value: &&str| Sent {
            partition,
            value: Some((*value).to_owned()),
            ..Sent::default()
        };
        let records: Vec<Sent> = values.iter().map(record).collect();
        self.send(topic, &records);
    }

    /// A producer.
    pub fn producer(&self) -> BaseProducer {
        let mut config = self.config();
        config.set("linger.ms", "20");
        config.create().expect("a client")
    }

    /// A producer for transactions.
    pub fn transactional(&self, id: &str) -> BaseProducer {
        let mut config = self.config();
        config.set("transactional.id", id);
        let producer: BaseProducer = config.create().expect("a client");
        producer.init_transactions(PATIENCE).expect("an id");
        producer
    }

    /// Everything in a topic, partition by partition, as a reader of this isolation sees it.
    pub fn read(&self, topic: &str, isolation: &str) -> Vec<Sent> {
        let mut config = self.config();
        config
            .set("group.id", "reader")
            .set("isolation.level", isolation)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().expect("a client");
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE);
        let partitions = metadata.expect("an answer").topics()[0].partitions().len();
        let mut found = Vec::new();
        for partition in 0..partitions as i32 {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, partition, Offset::Beginning)
                .expect("an offset");
            consumer.assign(&list).expect("assigned");
            loop {
                match consumer.poll(PATIENCE).expect("something comes") {
                    Ok(message) => found.push(sent(&message)),
                    Err(KafkaError::PartitionEOF(_)) => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        found
    }

    /// Offset and metadata that a group has for a partition.
    pub fn committed(&self, group: &str, topic: &str, partition: i32) -> (Offset, String) {
        let mut config = self.config();
        config
            .set("group.id", group)
            .set("isolation.level", "read_committed");
        let consumer: BaseConsumer = config.create().expect("a client");
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let answer = consumer
            .committed_offsets(list, PATIENCE)
            .expect("an answer");
        let element = &answer.elements()[0];
        (element.offset(), element.metadata().to_owned())
    }
}

/// Sends records by a producer that is there.
pub fn send_with(producer: &BaseProducer, topic: &str, records: &[Sent]) {
    for one in records {
        let mut record: BaseRecord<'_, str, str> = BaseRecord::to(topic).partition(one.partition);
        record.key = one.key.as_deref();
        record.payload = one.value.as_deref();
        record.timestamp = one.time;
        if !one.headers.is_empty() {
            let add = |headers: OwnedHeaders, (key, value): &(String, String)| {
                headers.insert(Header {
                    key,
                    value: Some(value.as_str()),
                })
            };
            record.headers = Some(one.headers.iter().fold(OwnedHeaders::new(), add));
        }
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(
                error,
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
            );
            record = back;
            producer.poll(Duration::from_millis(1));
        }
    }
}

/// Waits until all records are there.
pub fn flush(producer: &BaseProducer) {
    producer.flush(PATIENCE).expect("sent");
}

fn sent(message: &rdkafka::message::BorrowedMessage<'_>) -> Sent {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        let header = |header: Header<'_, &[u8]>| {
            (
                header.key.to_owned(),
                text(header.value.unwrap_or_default()),
            )
        };
        headers.iter().map(header).collect()
    });
    Sent {
        partition: message.partition(),
        key: message.key().map(text),
        value: message.payload().map(text),
        time: message.timestamp().to_millis(),
        headers,
    }
}

fn port(address: &str) -> &str {
    address.rsplit_once(':').expect("host:port").1
}

/// Looks until it is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not within a minute: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// Waits for an answer.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let began = Instant::now();
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "no answer within a minute");
        sleep(Duration::from_millis(2));
    }
}
