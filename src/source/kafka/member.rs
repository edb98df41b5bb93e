//! Membership of a consumer group: which partitions this instance is given, and when they are taken away.
//!
//! The member itself reads nothing. It is told partitions of one topic and pauses them; who [sits](Seats) on them reads with clients of his own, and writes offsets in his own
//! transactions. So one partition can be handed over while others go on: the group shares cooperatively, and a partition that is taken away is given to the next one
//! only when [`Seats::leave`] has come back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::client::{self, Ear};
use super::topics::{TopicName, Topics};
use crate::source::Error;

/// How long a member may be silent until its partitions are given to others, in milliseconds, unless the user says otherwise. A third of librdkafka's own: whoever waits for an
/// alert waits for it.
const SESSION_MS: u32 = 10_000;

/// How often it says that it is there, in milliseconds. The answer tells it that the group shares its partitions anew: they stand still for as long as the slowest has not heard it.
const HEARTBEAT_MS: u32 = 250;

/// Who works on partitions.
pub(crate) trait Seats: Send + Sync {
    /// Begins to work on these, and comes back at once.
    fn take(&self, partitions: &[u32]);

    /// Ends the work on these behind a last commit, and comes back then.
    fn leave(&self, partitions: &[u32]);

    /// Ends the work on these without any commit: they are others' already.
    fn lose(&self, partitions: &[u32]);
}

/// A member of a group.
pub(crate) struct Member {
    consumer: BaseConsumer<Steward>,
    shown: String,
}

/// Passes on what the group decides.
struct Steward {
    ear: Ear,
    seats: Arc<dyn Seats>,
    failure: Mutex<Option<String>>,
}

impl ClientContext for Steward {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.ear.hear(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "kafka: {reason}");
    }
}

impl ConsumerContext for Steward {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Steward>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions: Vec<u32> = (list.elements().iter())
            .map(|one| one.partition().unsigned_abs())
            .collect();
        let done = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let taken = taken(consumer, list);
                if taken.is_ok() {
                    tracing::info!(?partitions, "partitions were given to this instance");
                    self.seats.take(&partitions);
                }
                taken
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                if consumer.assignment_lost() {
                    tracing::warn!(
                        ?partitions,
                        "partitions are lost: the group took this instance for dead"
                    );
                    self.seats.lose(&partitions);
                } else {
                    tracing::info!(?partitions, "partitions are to be handed on");
                    self.seats.leave(&partitions);
                }
                consumer.incremental_unassign(list)
            }
            other => {
                tracing::warn!(reason = ?other, "the group could not share its partitions; it tries again");
                self.seats.lose(&partitions);
                consumer.incremental_unassign(list)
            }
        };
        if let Err(error) = done {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(format!("its partitions cannot be shared: {error}"));
        }
    }
}

/// Takes partitions without ever reading them.
fn taken(consumer: &BaseConsumer<Steward>, given: &TopicPartitionList) -> KafkaResult<()> {
    let mut list = TopicPartitionList::with_capacity(given.count());
    for one in given.elements() {
        list.add_partition_offset(one.topic(), one.partition(), Offset::End)?;
    }
    consumer.incremental_assign(&list)?;
    match list.count() {
        0 => Ok(()),
        _ => consumer.pause(&list),
    }
}

impl Member {
    /// Joins a group, to share the partitions of the first of these topics.
    ///
    /// # Errors
    /// When a setting does not fit.
    pub(crate) fn join(
        topics: &Topics,
        group: &str,
        seats: Arc<dyn Seats>,
    ) -> Result<Member, Error> {
        let shown = format!("group \"{group}\" at {topics}");
        let wrong = |reason: String| Error(format!("{shown}: {reason}"));
        let TopicName::Named(topic) = &topics.names[0] else {
            return Err(wrong("a topic has to be named".to_owned()));
        };
        let defaults = [
            ("session.timeout.ms", SESSION_MS.to_string()),
            ("heartbeat.interval.ms", HEARTBEAT_MS.to_string()),
        ];
        let mut config = client::config(&topics.cluster, &defaults).map_err(wrong)?;
        let settings = topics.cluster.resolved().map_err(wrong)?;
        if let Some((name, value)) = settings.iter().find(|(name, _)| *name == client::INSTANCE) {
            config.set(*name, value);
        }
        config
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // It reads nothing, wherever that would be.
            .set("auto.offset.reset", "latest");
        let steward = Steward {
            ear: Ear::default(),
            seats,
            failure: Mutex::new(None),
        };
        let consumer: BaseConsumer<Steward> =
            (config.create_with_context(steward)).map_err(|error| wrong(client::unmade(&error)))?;
        let subscribed = consumer.subscribe(&[topic.as_str()]);
        subscribed.map_err(|error| wrong(error.to_string()))?;
        Ok(Member { consumer, shown })
    }

    /// Serves the group for at most so long, and longer while partitions are handed on. Has to be called again and again.
    ///
    /// # Errors
    /// When it cannot be a member any more.
    pub(crate) fn turn(&self, patience: Duration) -> Result<(), Error> {
        match self.consumer.poll(patience) {
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return Err(Error(format!("{}: {code}", self.shown)));
            }
            Some(Err(error)) => tracing::debug!(%error, "kafka"),
            // From before it was paused; whoever sits there reads it himself.
            Some(Ok(_)) | None => {}
        }
        // The client's own thread looks only twice a second whether it is to say something, unless it is asked for something.
        let _ = self.consumer.assignment();
        let steward = self.consumer.context();
        let failure = steward.failure.lock();
        let failure = failure.unwrap_or_else(PoisonError::into_inner);
        match &*failure {
            Some(reason) => Err(Error(format!("{}: {reason}", self.shown))),
            None => Ok(()),
        }
    }
}

/// How many partitions each of some topics has, by name.
///
/// # Errors
/// When no broker answers, or one is not there.
pub(crate) fn partitions(topics: &Topics) -> Result<Vec<(String, usize)>, Error> {
    let wrong = |reason: String| Error(format!("source \"{topics}\": {reason}"));
    let asking = client::consumer(&topics.cluster, "leitmotif", &[]).map_err(wrong)?;
    let serve = || drop(asking.poll(Duration::ZERO));
    let found = client::asked(&topics.cluster, &asking.context().ear, serve, |wait| {
        client::found(asking.client(), wait)
    });
    let found = found.map_err(wrong)?;
    let mut counted = Vec::with_capacity(topics.names.len());
    for name in &topics.names {
        let name = name.to_string();
        match found.iter().find(|topic| topic.name == name) {
            Some(topic) => counted.push((name, topic.partitions)),
            None => {
                let missing = client::missing(asking.client(), &topics.cluster, &name, &found);
                return Err(wrong(missing));
            }
        }
    }
    Ok(counted)
}
