//! The producer of a cluster, shared by all outputs that lead there.
//!
//! Rows are written once and in order, however often the client has to try (an idempotent producer). Nothing is told of rows that were taken; of one that
//! was not, the first word is kept and ends the run.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig};

use super::row::Beside;
use super::topic::Topic;
use super::transactions::LIFE;
use crate::sink::Retries;
use crate::source::kafka::Cluster;
use crate::source::kafka::client::{self, Ear};

/// How much may wait in memory to be sent.
const BUFFER_KIB: usize = 32 * 1024;

/// How long it is waited for room, or for the last rows, before it is looked around: at first, and at most.
const WAIT: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(1));

/// Everyone who writes without transactions.
static PRODUCERS: Mutex<Vec<Weak<Producer>>> = Mutex::new(Vec::new());

/// A client that writes.
pub(super) struct Producer {
    inner: BaseProducer<Speaker>,
    cluster: Cluster,
    retry: Option<Duration>,
    retries: Retries,
}

/// Takes what the client says.
pub(super) struct Speaker {
    ear: Ear,
    retries: Retries,
    /// Why a row was not taken.
    failure: Mutex<Option<String>>,
}

/// How rows are written.
pub(super) enum Manner<'a> {
    /// Each is seen as soon as it is there.
    AtOnce { retry: Option<Duration> },
    /// In transactions under this id.
    Transactions { id: &'a str },
}

impl Speaker {
    fn fail(&self, reason: String) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(reason);
    }
}

impl ClientContext for Speaker {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        // A connection was lost, or none was made: what waits is sent again.
        if facility == "FAIL" {
            self.retries.again();
        }
        self.ear.hear(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "kafka: {reason}");
    }
}

impl ProducerContext for Speaker {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            self.fail(refused(error, message.topic()));
        }
    }
}

/// Why a topic takes no rows.
fn refused(error: &KafkaError, topic: &str) -> String {
    let reason = match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            "a row is larger than the broker takes; raise max.message.bytes of the topic and kafka.message.max.bytes".to_owned()
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
            "may not be written by this user; ask for the right to, or set kafka.sasl.username to one who has it".to_owned()
        }
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
            "is not there any more; create it again, or name another one".to_owned()
        }
        Some(RDKafkaErrorCode::MessageTimedOut) => {
            "a row was not taken within retry=; see to the broker, or allow it more time".to_owned()
        }
        Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch) => FENCED.to_owned(),
        Some(code) => code.to_string(),
        None => error.to_string(),
    };
    format!("topic \"{topic}\": {reason}")
}

/// What is said to whom another run has taken the transactions from.
pub(super) const FENCED: &str = "another run with the same state writes here since, or the transaction was older than kafka.transaction.timeout.ms allows; this run ends";

impl Producer {
    /// The producer of a topic's cluster: one that is there already, or a new one.
    pub(super) fn shared(topic: &Topic) -> Result<Arc<Producer>, String> {
        let mut producers = PRODUCERS.lock().unwrap_or_else(PoisonError::into_inner);
        producers.retain(|producer| producer.strong_count() > 0);
        let there = producers.iter().filter_map(Weak::upgrade);
        let same = |one: &Arc<Producer>| one.cluster == topic.cluster && one.retry == topic.retry;
        if let Some(producer) = there.into_iter().find(same) {
            return Ok(producer);
        }
        let manner = Manner::AtOnce { retry: topic.retry };
        let producer = Arc::new(Producer::new(&topic.cluster, &manner)?);
        producers.push(Arc::downgrade(&producer));
        Ok(producer)
    }

    /// A producer of its own.
    pub(super) fn new(cluster: &Cluster, manner: &Manner<'_>) -> Result<Producer, String> {
        let mut defaults = vec![
            ("queue.buffering.max.kbytes", BUFFER_KIB.to_string()),
            // What comes while rows are on their way makes the next batch: nothing need be waited for.
            ("linger.ms", "0".to_owned()),
            // As Kafka's own clients do it: rows of a key lie where other records of that key lie.
            ("partitioner", "murmur2_random".to_owned()),
        ];
        match manner {
            Manner::AtOnce { retry } => {
                let millis = retry.map_or(0, |retry| retry.as_millis());
                defaults.push(("message.timeout.ms", millis.to_string()));
            }
            Manner::Transactions { .. } => {
                defaults.push(("transaction.timeout.ms", LIFE.as_millis().to_string()));
                // Nobody sees rows before the commit. With none, the client keeps a core busy while the broker has not answered yet, which then has none to answer with.
                defaults.push(("linger.ms", "5".to_owned()));
            }
        }
        let mut config = client::config(cluster, &defaults)?;
        config
            .set("enable.idempotence", "true")
            .set("delivery.report.only.error", "true");
        let mut kept = None;
        match manner {
            Manner::AtOnce { retry } => kept = *retry,
            Manner::Transactions { id } => {
                config.set("transactional.id", *id);
            }
        }
        let retries = Retries::default();
        let speaker = Speaker {
            ear: Ear::default(),
            retries: retries.clone(),
            failure: Mutex::new(None),
        };
        let inner = config.create_with_context(speaker);
        Ok(Producer {
            inner: inner.map_err(|error| client::unmade(&error))?,
            cluster: cluster.clone(),
            retry: kept,
            retries,
        })
    }

    /// The topic is there and may be written to, as far as the broker says so beforehand.
    pub(super) fn look_for(&self, topic: &str) -> Result<(), String> {
        use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition};
        let client = self.inner.client();
        match self.asked(|wait| client::fault(client, topic, wait))? {
            None => Ok(()),
            Some(UnknownTopic | UnknownTopicOrPartition) => {
                let found = self.asked(|wait| client::found(client, wait))?;
                Err(client::missing(client, &self.cluster, topic, &found))
            }
            Some(TopicAuthorizationFailed) => {
                let error = KafkaError::MetadataFetch(TopicAuthorizationFailed);
                Err(refused(&error, topic))
            }
            Some(code) => Err(format!("topic \"{topic}\": {code}")),
        }
    }

    /// Asks the cluster, for some seconds.
    pub(super) fn asked<T>(
        &self,
        ask: impl FnMut(Duration) -> rdkafka::error::KafkaResult<T>,
    ) -> Result<T, String> {
        let serve = || self.inner.poll(Duration::ZERO);
        client::asked(&self.cluster, &self.inner.context().ear, serve, ask)
    }

    pub(super) fn inner(&self) -> &BaseProducer<Speaker> {
        &self.inner
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(super) fn retries(&self) -> Retries {
        self.retries.clone()
    }

    /// Takes a row; waits while too many are on their way.
    pub(super) fn send(&self, to: &Topic, row: &[u8]) -> Result<(), String> {
        let topic = to.name.as_str();
        let beside = Beside::of(row, to.key.as_deref());
        let mut headers = OwnedHeaders::new_with_capacity(beside.headers.len());
        for (key, value) in &beside.headers {
            let value = Some(&**value);
            headers = headers.insert(Header { key, value });
        }
        let mut record = BaseRecord::to(topic).payload(row).headers(headers);
        record.key = beside.key.as_deref();
        let mut wait = WAIT.0;
        loop {
            match self.inner.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.rest(&mut wait);
                    self.check()?;
                }
                Err((error, _)) => {
                    // Of a producer that is of no use any more, the first word tells why.
                    self.check()?;
                    return Err(refused(&error, topic));
                }
            }
        }
    }

    /// Takes rows, each with its line break.
    pub(super) fn send_all(&self, topic: &Topic, rows: &[u8]) -> Result<(), String> {
        for row in rows.split(|byte| *byte == b'\n') {
            if !row.is_empty() {
                self.send(topic, row)?;
            }
        }
        self.inner.poll(Duration::ZERO);
        self.check()
    }

    /// Waits until all rows are at the broker.
    pub(super) fn drain(&self) -> Result<(), String> {
        // Not the client's own flush: that one waits in steps of a tenth of a second.
        let mut wait = WAIT.0;
        while self.inner.in_flight_count() > 0 {
            self.rest(&mut wait);
            self.check()?;
        }
        self.check()
    }

    /// Takes what the client reports, and waits a little, each time longer. Not by its own poll: that one looks at the clock again and again for the last millisecond, and brokers
    /// on the same machine have nothing left to answer with.
    fn rest(&self, wait: &mut Duration) {
        self.inner.poll(Duration::ZERO);
        thread::sleep(*wait);
        *wait = (*wait * 2).min(WAIT.1);
    }

    /// Drops the rows that are on their way.
    pub(super) fn forget(&self, patience: Duration) {
        let began = Instant::now();
        self.inner.purge(PurgeConfig::default().queue().inflight());
        let mut wait = WAIT.0;
        while self.inner.in_flight_count() > 0 && began.elapsed() < patience {
            self.rest(&mut wait);
        }
    }

    /// Whether everything so far is well.
    pub(super) fn check(&self) -> Result<(), String> {
        let speaker = self.inner.context();
        let failure = speaker
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &*failure {
            return Err(reason.clone());
        }
        match self.inner.client().fatal_error() {
            None => Ok(()),
            Some((
                RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch,
                _,
            )) => Err(FENCED.to_owned()),
            Some((_, reason)) => Err(reason),
        }
    }
}
