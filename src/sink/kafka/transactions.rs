//! Rows that are seen when their epoch is committed.
//!
//! All outputs to Kafka write through one transactional producer, one transaction per epoch. When every sink has [prepared](crate::Sink::prepare) an epoch and
//! its checkpoint is durable, [`Transactions::commit`] commits it: **that is the commit point**. Into the transaction goes a mark, an offset of the consumer
//! group that is named like the transactions, for partition 0 of each topic: the number of the epoch. So after a crash [`Transactions::committed`] tells which
//! of the prepared epochs is the truth, and there is nothing to be resumed: a transaction that was open is aborted by the next run, which begins by
//! fencing whoever still writes under its id.
//!
//! Rows of the next epoch that come before this one is committed wait in the sink; when too many do, so does the sink.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::producer::{FENCED, Manner, Producer};
use super::topic::Topic;
use crate::epoch::Epoch;
use crate::sink::{Delivery, Error, Retries, Sink};
use crate::source::kafka::client;
use crate::source::kafka::{Cluster, TopicOffset};

/// What the ids of transactions begin with.
const PREFIX: &str = "leitmotif-";

/// What marks begin with, and which version of them it is.
const MARK: &str = "leitmotif 1 epoch ";

/// How long one step of a commit may take.
const STEP: Duration = Duration::from_secs(10);

/// How long a step that fails is tried again.
const COMMIT_MAX: Duration = Duration::from_secs(60);

/// How long a sink waits for a commit before it gives up: longer than a transaction lives.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// How many bytes of rows wait in a sink for a commit.
const HELD_BYTES_MAX: usize = 8 << 20;

/// The version of what a sink keeps with a checkpoint.
const PREPARED_VERSION: u8 = 1;

/// One transaction after the other, on one cluster.
pub struct Transactions {
    producer: Producer,
    /// Of transactions, and of the group that has the marks.
    id: String,
    /// Consumer groups in whose name offsets are committed.
    groups: Mutex<BTreeMap<String, Arc<ConsumerGroupMetadata>>>,
    standing: Mutex<Standing>,
    changed: Condvar,
}

/// How far the transactions are.
struct Standing {
    /// Topics that carry the mark.
    topics: BTreeSet<String>,
    /// A transaction is open.
    open: bool,
    /// The last epoch that was committed in this run.
    committed: Epoch,
    /// Why nothing can be committed any more.
    failure: Option<String>,
}

/// Offsets of a consumer group that are committed with an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffsets {
    /// The group.
    pub group: String,
    /// Where it stands.
    pub offsets: Vec<TopicOffset>,
}

impl Transactions {
    /// Takes the transactions of a state over: whoever writes under its id from now on is fenced, and what was not committed is aborted.
    ///
    /// # Errors
    /// When no broker answers, or it does not allow it.
    pub(crate) fn open(cluster: &Cluster, state: &str) -> Result<Transactions, String> {
        let id = format!("{PREFIX}{state}");
        let producer = Producer::new(cluster, &Manner::Transactions { id: &id })?;
        producer
            .asked(|wait| producer.inner().init_transactions(wait.max(STEP)))
            .map_err(|reason| format!("transactions under the id \"{id}\": {reason}"))?;
        Ok(Transactions {
            producer,
            id,
            groups: Mutex::default(),
            standing: Mutex::new(Standing {
                topics: BTreeSet::new(),
                open: false,
                committed: Epoch::NONE,
                failure: None,
            }),
            changed: Condvar::new(),
        })
    }

    /// Where the transactions are.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        self.producer.cluster()
    }

    /// A sink that writes to a topic in these transactions.
    pub(super) fn sink(
        transactions: &Arc<Transactions>,
        topic: &Topic,
    ) -> Result<InTransactions, String> {
        transactions.producer.look_for(&topic.name)?;
        transactions.lock().topics.insert(topic.name.clone());
        Ok(InTransactions {
            transactions: Arc::clone(transactions),
            topic: topic.clone(),
            prepared: Epoch::NONE,
            held: Vec::new(),
        })
    }

    /// The epoch that was committed last by any run with this state; `None` if none was, or so long ago that the broker forgot (`offsets.retention.minutes`, a
    /// week unless told otherwise).
    ///
    /// # Errors
    /// When no broker answers.
    pub fn committed(&self) -> Result<Option<Epoch>, Error> {
        let topics = self.lock().topics.clone();
        self.marked(&topics).map_err(|reason| self.error(&reason))
    }

    fn marked(&self, topics: &BTreeSet<String>) -> Result<Option<Epoch>, String> {
        // Only what is settled counts: there may be a commit of which the answer was lost.
        let defaults = [("isolation.level", "read_committed".to_owned())];
        let consumer = client::consumer(self.cluster(), &self.id, &defaults)?;
        let question = || {
            let mut list = TopicPartitionList::new();
            for topic in topics {
                list.add_partition(topic, 0);
            }
            list
        };
        let serve = || drop(consumer.poll(Duration::ZERO));
        let answer = client::asked(self.cluster(), &consumer.context().ear, serve, |wait| {
            let answer = consumer.committed_offsets(question(), wait)?;
            for one in answer.elements() {
                one.error()?;
            }
            Ok(answer)
        })?;
        let marks = answer.elements();
        let epochs = marks.iter().filter_map(|one| epoch(one.metadata()));
        Ok(epochs.max())
    }

    /// Commits an epoch which all sinks have prepared: with it all its rows, and where these groups stand. When this returns without an error, it is done.
    ///
    /// # Errors
    /// When it could not be committed, or nobody knows whether it was: then [`Transactions::committed`] tells, in the next run.
    pub fn commit(&self, epoch: Epoch, offsets: &[GroupOffsets]) -> Result<(), Error> {
        let committed = self.try_commit(epoch, offsets);
        let mut standing = self.lock();
        let result = match committed {
            Ok(()) => {
                standing.open = false;
                standing.committed = epoch;
                Ok(())
            }
            Err(reason) => {
                let reason = format!("epoch {epoch} cannot be committed: {reason}");
                standing.failure.get_or_insert(reason.clone());
                Err(self.error(&reason))
            }
        };
        drop(standing);
        self.changed.notify_all();
        result
    }

    fn try_commit(&self, epoch: Epoch, offsets: &[GroupOffsets]) -> Result<(), String> {
        let topics = self.begun()?.topics.clone();
        self.producer.drain()?;
        let mark = format!("{MARK}{epoch}");
        let mut marks = TopicPartitionList::new();
        for topic in &topics {
            put(&mut marks, topic, 0, epoch.0, &mark)?;
        }
        self.send_offsets(&self.id, &marks)?;
        for GroupOffsets { group, offsets } in offsets {
            let mut list = TopicPartitionList::with_capacity(offsets.len());
            for one in offsets {
                put(&mut list, &one.topic, one.partition, one.offset, &mark)?;
            }
            self.send_offsets(group, &list)?;
        }
        self.step(|| self.producer.inner().commit_transaction(STEP))
    }

    fn send_offsets(&self, group: &str, offsets: &TopicPartitionList) -> Result<(), String> {
        if offsets.count() == 0 {
            return Ok(());
        }
        let known = self
            .groups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(group)
            .cloned();
        let group = match known {
            Some(group) => group,
            None => self.group(group)?,
        };
        self.step(|| {
            self.producer
                .inner()
                .send_offsets_to_transaction(offsets, &group, STEP)
        })
    }

    /// What a group is called by. Nobody joins it: it is there to have offsets.
    fn group(&self, group: &str) -> Result<Arc<ConsumerGroupMetadata>, String> {
        let consumer = client::consumer(self.cluster(), group, &[])?;
        let metadata = consumer.group_metadata();
        let metadata = Arc::new(metadata.ok_or("the client gives no name of a group")?);
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.insert(group.to_owned(), Arc::clone(&metadata));
        Ok(metadata)
    }

    /// Tries a step of a commit until it is done or there is no use in it.
    fn step(&self, mut step: impl FnMut() -> KafkaResult<()>) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let error = match step() {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let passing = match &error {
                KafkaError::Transaction(error) => error.is_retriable() && !error.is_fatal(),
                KafkaError::Flush(_) => true,
                _ => false,
            };
            if !passing || began.elapsed() > COMMIT_MAX {
                // Of a producer that is of no use any more, the first word tells why.
                self.producer.check()?;
                return Err(told(&error));
            }
            tracing::warn!(%error, "a step of a commit did not work out; it is tried again");
        }
    }

    /// Undoes what is not committed. Nothing is committed any more after this; sinks that wait end with an error.
    pub fn abort(&self) {
        let mut standing = self.lock();
        let reason = "the run ends before its epoch is committed".to_owned();
        standing.failure.get_or_insert(reason);
        let open = std::mem::take(&mut standing.open);
        drop(standing);
        self.changed.notify_all();
        if !open {
            return;
        }
        // What is on its way need not arrive; but that it did not has to be heard before the abort.
        self.producer.forget(STEP);
        if let Err(error) = self.producer.inner().abort_transaction(STEP) {
            tracing::warn!(%error, "an open transaction could not be aborted; the next run with this state does it");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a transaction, if none is.
    fn begun(&self) -> Result<MutexGuard<'_, Standing>, String> {
        let mut standing = self.lock();
        if let Some(reason) = &standing.failure {
            return Err(reason.clone());
        }
        if !standing.open {
            let begun = self.producer.inner().begin_transaction();
            begun.map_err(|error| self.producer.check().err().unwrap_or_else(|| told(&error)))?;
            standing.open = true;
        }
        Ok(standing)
    }

    /// Writes rows into the open transaction.
    fn send_all(&self, topic: &str, rows: &[u8]) -> Result<(), String> {
        drop(self.begun()?);
        self.producer.send_all(topic, rows)
    }

    /// Whether an epoch is committed.
    fn has_committed(&self, epoch: Epoch) -> Result<bool, String> {
        let standing = self.lock();
        match &standing.failure {
            Some(reason) => Err(reason.clone()),
            None => Ok(standing.committed >= epoch),
        }
    }

    /// Waits until an epoch is committed.
    fn wait(&self, epoch: Epoch) -> Result<(), String> {
        let began = Instant::now();
        let mut standing = self.lock();
        loop {
            if let Some(reason) = &standing.failure {
                return Err(reason.clone());
            }
            if standing.committed >= epoch {
                return Ok(());
            }
            let left = WAIT_MAX.saturating_sub(began.elapsed());
            if left.is_zero() {
                let seconds = WAIT_MAX.as_secs();
                return Err(format!(
                    "epoch {epoch} was not committed within {seconds}s; look for what holds checkpoints up"
                ));
            }
            let waited = self.changed.wait_timeout(standing, left);
            standing = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn error(&self, reason: &str) -> Error {
        Error::usage(format!("outputs to kafka://{}: {reason}", self.cluster()))
    }
}

impl Drop for Transactions {
    fn drop(&mut self) {
        // Who reads only what is committed waits behind an open transaction: none is left behind.
        self.abort();
    }
}

impl fmt::Debug for Transactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transactions({} at {})", self.id, self.cluster())
    }
}

fn put(
    list: &mut TopicPartitionList,
    topic: &str,
    partition: i32,
    offset: u64,
    metadata: &str,
) -> Result<(), String> {
    let mut one = list.add_partition(topic, partition);
    one.set_offset(Offset::Offset(offset.cast_signed()))
        .map_err(|error| error.to_string())?;
    one.set_metadata(metadata);
    Ok(())
}

fn told(error: &KafkaError) -> String {
    use rdkafka::error::RDKafkaErrorCode::{
        Fenced, InvalidProducerEpoch, InvalidTransactionTimeout, ProducerFenced,
    };
    match error {
        KafkaError::Transaction(error) => match error.code() {
            Fenced | ProducerFenced | InvalidProducerEpoch => FENCED.to_owned(),
            InvalidTransactionTimeout => format!(
                "{}; set kafka.transaction.timeout.ms to what the broker allows",
                error.string()
            ),
            _ => error.string(),
        },
        other => other.to_string(),
    }
}

/// The epoch of a mark.
fn epoch(metadata: &str) -> Option<Epoch> {
    metadata.strip_prefix(MARK)?.parse().ok().map(Epoch)
}

/// Writes rows to a topic in transactions.
pub(super) struct InTransactions {
    transactions: Arc<Transactions>,
    topic: Topic,
    /// The epoch that was prepared last.
    prepared: Epoch,
    /// Rows of the next epoch, until that one is committed.
    held: Vec<u8>,
}

impl InTransactions {
    fn wrong(&self, reason: &str) -> Error {
        super::wrong(&self.topic, reason)
    }

    fn try_write(&mut self, rows: &[u8]) -> Result<(), String> {
        if !self.transactions.has_committed(self.prepared)? {
            if self.held.len() + rows.len() <= HELD_BYTES_MAX {
                self.held.extend_from_slice(rows);
                return Ok(());
            }
            self.transactions.wait(self.prepared)?;
        }
        self.release()?;
        self.transactions.send_all(&self.topic.name, rows)
    }

    /// Writes what was held back.
    fn release(&mut self) -> Result<(), String> {
        if self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        self.transactions.send_all(&self.topic.name, &held)
    }

    fn try_prepare(&mut self, epoch: Epoch) -> Result<(), String> {
        self.transactions.wait(self.prepared)?;
        self.release()?;
        self.transactions.producer.drain()?;
        self.prepared = epoch;
        Ok(())
    }
}

impl Sink for InTransactions {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.try_write(rows).map_err(|reason| self.wrong(&reason))
    }

    /// Rows are on their way; nobody sees them before they are committed.
    fn flush(&mut self) -> Result<(), Error> {
        let committed = self.transactions.has_committed(self.prepared);
        let released = committed.and_then(|committed| match committed {
            true => self.release(),
            false => Ok(()),
        });
        released.map_err(|reason| self.wrong(&reason))
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<u8>, Error> {
        self.try_prepare(epoch)
            .map_err(|reason| self.wrong(&reason))?;
        Ok(vec![PREPARED_VERSION])
    }

    fn commit(&mut self, _: Epoch) -> Result<(), Error> {
        self.release().map_err(|reason| self.wrong(&reason))
    }

    fn retries(&self) -> Retries {
        self.transactions.producer.retries()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is() {
        assert_eq!(epoch(&format!("{MARK}{}", Epoch(17))), Some(Epoch(17)));
        for other in [
            "",
            "17",
            "leitmotif 1 epoch ",
            "leitmotif 2 epoch 17",
            "leitmotif 1 epoch -1",
        ] {
            assert_eq!(epoch(other), None);
        }
    }
}
