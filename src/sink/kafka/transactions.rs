//! Rows that are seen when their epoch is committed.
//!
//! All outputs to Kafka write through one transactional producer, one transaction per epoch. When every sink has [prepared](crate::Sink::prepare) an epoch and
//! its checkpoint is durable, [`Transactions::commit`] commits it: **that is the commit point**. Into the transaction goes a mark, an offset of the consumer
//! group that is named like the transactions, for partition 0 of each topic: the number of the epoch, and who wrote its checkpoint where instances hand partitions on. So after a crash [`Transactions::committed`] tells which
//! of the prepared epochs is the truth, and there is nothing to be resumed: a transaction that was open is aborted by the next run, which begins by
//! fencing whoever still writes under its id. A checkpoint keeps of each output which topic of which cluster has its marks, so that they are asked for
//! there also when the outputs are others by then.
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

use super::in_transactions::InTransactions;
use super::producer::{FENCED, Manner, Producer};
use super::topic::Topic;
use crate::epoch::{Epoch, Mark};
use crate::sink::Error;
use crate::sink::kept::Kind;
use crate::source::kafka::client::{self, Consumer};
use crate::source::kafka::{Cluster, TopicOffset};
use crate::time::Span;

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

/// How long a transaction lives unless the user says otherwise: the broker aborts one that is older.
pub(super) const LIFE: Duration = Duration::from_secs(300);

/// The setting that says otherwise, in milliseconds.
const LIFE_SETTING: &str = "transaction.timeout.ms";

/// One transaction after the other, on one cluster.
pub struct Transactions {
    producer: Producer,
    /// Of transactions, and of the group that has the marks.
    id: String,
    /// As the cluster calls itself, whatever addresses lead there.
    cluster_id: String,
    /// Consumer groups in whose name offsets are committed.
    groups: Mutex<BTreeMap<String, Arc<ConsumerGroupMetadata>>>,
    /// Clients that ask for marks, by the group whose they are, until that commits for the first time. One that is new takes long to find out whom to ask.
    askers: Mutex<BTreeMap<String, Arc<Consumer>>>,
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
    /// The run has ended: rows that still come are of no epoch that will ever be committed.
    over: bool,
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
    /// Takes the transactions of a state over: whoever writes under its id from now on is fenced, and what was not committed is aborted. `topic`: one that is to be written.
    /// `interval`: how often epochs are to be committed. `group`: one whose marks will be asked for besides.
    ///
    /// # Errors
    /// When transactions do not live so long, the topic is not there, no broker answers, or it does not allow it.
    pub(crate) fn open(
        topic: &Topic,
        state: &str,
        interval: Duration,
        group: Option<&String>,
    ) -> Result<Transactions, String> {
        outlives(&topic.cluster, interval)?;
        let id = format!("{PREFIX}{state}");
        // Meanwhile they find out whom to ask.
        let askers = (std::iter::once(&id).chain(group))
            .map(|group| Ok((group.clone(), asker(&topic.cluster, group)?)));
        let askers = askers.collect::<Result<_, String>>()?;
        let producer = Producer::new(&topic.cluster, &Manner::Transactions { id: &id })?;
        // Besides, a client that has no connection yet when it is to take transactions over looks for one half a second later.
        producer.look_for(&topic.name)?;
        producer
            .asked(|wait| producer.inner().init_transactions(wait.max(STEP)))
            .map_err(|reason| format!("transactions under the id \"{id}\": {reason}"))?;
        Ok(Transactions {
            cluster_id: client::cluster_id(producer.inner().client()),
            producer,
            id,
            groups: Mutex::default(),
            askers: Mutex::new(askers),
            standing: Mutex::new(Standing {
                topics: BTreeSet::new(),
                open: false,
                committed: Epoch::NONE,
                failure: None,
                over: false,
            }),
            changed: Condvar::new(),
        })
    }

    /// Where the transactions are.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        self.producer.cluster()
    }

    /// What their cluster calls itself; empty if it has no name.
    #[must_use]
    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// A sink that writes to a topic in these transactions.
    pub(super) fn sink(
        transactions: &Arc<Transactions>,
        topic: &Topic,
    ) -> Result<InTransactions, String> {
        transactions.producer.look_for(&topic.name)?;
        transactions.lock().topics.insert(topic.name.clone());
        Ok(InTransactions::new(Arc::clone(transactions), topic.clone()))
    }

    /// The epoch that was committed last by any run with this state; `None` if none was, or so long ago that the broker forgot (`offsets.retention.minutes`, a
    /// week unless told otherwise).
    ///
    /// # Errors
    /// When no broker answers.
    pub fn committed(&self) -> Result<Option<Epoch>, Error> {
        Ok(self.committed_of(&[])?.map(|mark| mark.epoch))
    }

    /// The same, asking also for marks of topics that a checkpoint was prepared with: `outputs` are their names and what was kept of them.
    ///
    /// # Errors
    /// When no broker answers, or one of the topics is at another cluster, whose word is needed.
    pub(crate) fn committed_of(
        &self,
        outputs: &[(String, Vec<u8>)],
    ) -> Result<Option<Mark>, Error> {
        let mut topics = self.lock().topics.clone();
        for (output, kept) in outputs {
            topics.insert(self.topic_of(output, kept)?);
        }
        self.marked(&topics).map_err(|reason| self.error(&reason))
    }

    /// The topic of an output that a checkpoint was prepared with.
    fn topic_of(&self, output: &str, kept: &[u8]) -> Result<String, Error> {
        let read = Kind::Topic.read(kept, |reader| {
            Ok((reader.str()?.to_owned(), reader.str()?.to_owned()))
        });
        let (cluster_id, topic) = read.map_err(|damaged| {
            Error::usage(format!(
                "output \"{output}\": what a prepared checkpoint kept of it is not what it should be: {damaged}; restore another checkpoint"
            ))
        })?;
        match cluster_id == self.cluster_id {
            true => Ok(topic),
            false => Err(Error::usage(format!(
                "a checkpoint was prepared with output \"{output}\" at a cluster that calls itself \"{cluster_id}\", which alone knows whether it is committed, and {} is another one; start once more with that output",
                self.cluster()
            ))),
        }
    }

    fn marked(&self, topics: &BTreeSet<String>) -> Result<Option<Mark>, String> {
        let places: Vec<(&str, i32)> = topics.iter().map(|topic| (topic.as_str(), 0)).collect();
        self.marks(&self.id, &places)
    }

    /// The mark that the offset of a partition carries which was committed for a group; `None` if none was, or it was set by others.
    ///
    /// # Errors
    /// When no broker answers.
    pub(crate) fn marked_in(
        &self,
        group: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<Mark>, Error> {
        let marks = self.marks(group, &[(topic, partition.cast_signed())]);
        marks.map_err(|reason| self.error(&reason))
    }

    /// Who asks for the marks of a group.
    fn asker(&self, group: &str) -> Result<Arc<Consumer>, String> {
        let mut askers = self.askers();
        if let Some(asker) = askers.get(group) {
            return Ok(Arc::clone(asker));
        }
        let asker = asker(self.cluster(), group)?;
        askers.insert(group.to_owned(), Arc::clone(&asker));
        Ok(asker)
    }

    fn askers(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Consumer>>> {
        self.askers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest mark among the offsets of a group.
    fn marks(&self, group: &str, places: &[(&str, i32)]) -> Result<Option<Mark>, String> {
        let consumer = self.asker(group)?;
        let question = || {
            let mut list = TopicPartitionList::new();
            for (topic, partition) in places {
                list.add_partition(topic, *partition);
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
        let told = answer.elements();
        let marks = told.iter().filter_map(|one| mark(one.metadata()));
        Ok(marks.max())
    }

    /// Commits an epoch which all sinks have prepared: with it all its rows, and where these groups stand. When this returns without an error, it is done.
    ///
    /// # Errors
    /// When it could not be committed, or nobody knows whether it was: then [`Transactions::committed`] tells, in the next run.
    pub fn commit(&self, mark: impl Into<Mark>, offsets: &[GroupOffsets]) -> Result<(), Error> {
        let mark = mark.into();
        let epoch = mark.epoch;
        let committed = self.try_commit(mark, offsets);
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
        // Nobody asks again; to say goodbye takes them a while.
        let spent = std::mem::take(&mut *self.askers());
        drop(spent);
        result
    }

    fn try_commit(&self, mark: Mark, offsets: &[GroupOffsets]) -> Result<(), String> {
        let topics = self.begun()?.topics.clone();
        self.producer.drain()?;
        let epoch = mark.epoch;
        let mark = format!("{MARK}{mark}");
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

    fn send_offsets(&self, name: &str, offsets: &TopicPartitionList) -> Result<(), String> {
        if offsets.count() == 0 {
            return Ok(());
        }
        let known = self
            .groups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        let group = match known {
            Some(group) => group,
            None => self.group(name)?,
        };
        let sent = self.step(|| {
            self.producer
                .inner()
                .send_offsets_to_transaction(offsets, &group, STEP)
        });
        sent.map_err(|reason| match name == self.id {
            true => reason,
            false => format!("offsets of group \"{name}\": {reason}"),
        })
    }

    /// What a group is called by. Nobody joins it: it is there to have offsets.
    fn group(&self, group: &str) -> Result<Arc<ConsumerGroupMetadata>, String> {
        let metadata = self.asker(group)?.group_metadata();
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
        standing.over = true;
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

    pub(super) fn producer(&self) -> &Producer {
        &self.producer
    }

    /// Writes rows into the open transaction. What comes when the last epoch is committed is dropped: whoever goes on makes it again.
    pub(super) fn send_all(&self, topic: &Topic, rows: &[u8]) -> Result<(), String> {
        let begun = self.begun().map(drop);
        let sent = begun.and_then(|()| self.producer.send_all(topic, rows));
        match sent {
            Err(_) if self.lock().over => Ok(()),
            sent => sent,
        }
    }

    /// Whether an epoch is committed.
    pub(super) fn has_committed(&self, epoch: Epoch) -> Result<bool, String> {
        let standing = self.lock();
        match &standing.failure {
            // At the end of a run nothing is committed any more, and need not be.
            _ if standing.committed >= epoch => Ok(true),
            Some(reason) => Err(reason.clone()),
            None => Ok(false),
        }
    }

    /// Waits until an epoch is committed.
    pub(super) fn wait(&self, epoch: Epoch) -> Result<(), String> {
        let began = Instant::now();
        let mut standing = self.lock();
        loop {
            if standing.committed >= epoch {
                return Ok(());
            }
            if let Some(reason) = &standing.failure {
                return Err(reason.clone());
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

/// A client that asks for the marks of a group.
fn asker(cluster: &Cluster, group: &str) -> Result<Arc<Consumer>, String> {
    // Only what is settled counts: there may be a commit of which the answer was lost.
    let defaults = [("isolation.level", "read_committed".to_owned())];
    client::consumer(cluster, group, &defaults).map(Arc::new)
}

/// A transaction has to live for as long as an epoch lasts, and until that is committed: twice as long is enough.
fn outlives(cluster: &Cluster, interval: Duration) -> Result<(), String> {
    let settings = cluster.resolved()?;
    let set = settings.iter().find(|(name, _)| *name == LIFE_SETTING);
    // What is no number is refused by the client, with the reason.
    let life = set.and_then(|(_, text)| text.parse().ok());
    let life = life.map_or(LIFE, Duration::from_millis);
    if interval <= life / 2 {
        return Ok(());
    }
    Err(format!(
        "a checkpoint every {} is too seldom for transactions that live for {}, in which its rows are written; make one at least every {}, or raise kafka.{LIFE_SETTING} (brokers allow 900000 unless transaction.max.timeout.ms says otherwise)",
        span(interval),
        span(life),
        span(life / 2),
    ))
}

/// As people write it.
fn span(duration: Duration) -> Span {
    Span(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
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

/// The mark that an offset carries.
fn mark(metadata: &str) -> Option<Mark> {
    metadata.strip_prefix(MARK)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_that_transactions_do_not_outlive_are_refused_with_the_way_out() {
        let check = |settings: &str, seconds| {
            let topic = Topic::parse(&format!("a/t?{settings}")).expect("an address");
            outlives(&topic.cluster, Duration::from_secs(seconds))
        };
        assert_eq!(check("", 150), Ok(()));
        assert_eq!(check("kafka.transaction.timeout.ms=900000", 450), Ok(()));
        let refused = check("", 151).expect_err("too seldom");
        assert!(
            refused.starts_with("a checkpoint every 2m31s is too seldom for transactions that live for 5m, in which its rows are written; make one at least every 2m30s, or raise kafka.transaction.timeout.ms"),
            "{refused}"
        );
        let refused = check("kafka.transaction.timeout.ms=10000", 10);
        assert!(refused.is_err_and(|reason| reason.contains("at least every 5s")));
    }

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is() {
        let alone = Mark::from(Epoch(17));
        assert_eq!(mark(&format!("{MARK}{alone}")), Some(alone));
        for other in [
            "",
            "17",
            "leitmotif 1 epoch ",
            "leitmotif 2 epoch 17",
            "leitmotif 1 epoch -1",
        ] {
            assert_eq!(mark(other), None);
        }
    }
}
