//! A client with the thread that tends it.
//!
//! Readers poll queues of their partitions and nothing else. What does not depend on how fast they are is done here: errors of the whole connection, how far
//! each partition lies behind its end, offsets that are to be kept with the group, topics that have grown. So a run whose outputs are slow still shows its
//! true lag, and a member of a group would stay one.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::assignment::{self, Assigned};
use super::client::{self, Consumer};
use super::cluster::Cluster;
use super::topics::TopicName;
use crate::source::{Group, Standing};

/// How long the thread waits for something to happen.
const TEND: Duration = Duration::from_millis(100);

/// And while brokers do not answer: one that does again is soon asked about all partitions.
const TEND_AWAY: Duration = Duration::from_millis(10);

/// How old the end of a partition may be before it is asked for again.
const END_EVERY: Duration = Duration::from_secs(2);

/// How long the answer may take.
const END_MAX: Duration = Duration::from_secs(2);

/// How often offsets are kept with the group.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// How often it is looked whether topics have grown.
const GROWTH_EVERY: Duration = Duration::from_secs(60);

/// What offsets are to be kept when there is none.
const NONE: i64 = -1;

/// A client with its thread, which ends with the last reader.
pub(super) struct Connection {
    pub(super) consumer: Arc<Consumer>,
    tended: Arc<Tended>,
    thread: Option<JoinHandle<()>>,
}

/// What readers and the thread share.
struct Tended {
    about: About,
    partitions: Vec<Watched>,
    stop: AtomicBool,
    /// Offsets are kept when epochs are committed, not from time to time.
    by_epoch: AtomicBool,
    failure: Mutex<Option<String>>,
}

/// What a connection is for.
pub(super) struct About {
    pub cluster: Cluster,
    /// As messages name the source.
    pub shown: String,
    /// The group with which offsets are kept, if any.
    pub group: Option<Group>,
    /// Topics that may grow; empty where another connection looks after them.
    pub topics: Vec<TopicName>,
    /// How many partitions the source has.
    pub partitions: usize,
}

/// A partition of a connection.
pub(super) struct Watched {
    pub assigned: Assigned,
    pub standing: Standing,
    /// The offset that is to be kept with the group.
    pub keep: Arc<AtomicI64>,
    /// The brokers have not answered a question about it since one was left without an answer.
    away: AtomicBool,
}

impl Watched {
    pub(super) fn new(assigned: Assigned, next: u64) -> Watched {
        let standing = Standing::new(&assigned.topic, assigned.partition.unsigned_abs());
        standing.reached(next);
        Watched {
            assigned,
            standing,
            keep: Arc::new(AtomicI64::new(NONE)),
            away: AtomicBool::new(false),
        }
    }

    /// True while its brokers do not answer. Found out some seconds after they ceased to, at once if they refuse.
    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }
}

impl Connection {
    /// Begins to tend a client.
    pub(super) fn start(
        consumer: Consumer,
        about: About,
        partitions: Vec<Watched>,
    ) -> std::io::Result<Connection> {
        let consumer = Arc::new(consumer);
        let tended = Arc::new(Tended {
            about,
            partitions,
            stop: AtomicBool::new(false),
            by_epoch: AtomicBool::new(false),
            failure: Mutex::new(None),
        });
        let thread = {
            let (consumer, tended) = (Arc::clone(&consumer), Arc::clone(&tended));
            thread::Builder::new()
                .name("kafka-source".to_owned())
                .spawn(move || tended.tend(&consumer))?
        };
        Ok(Connection {
            consumer,
            tended,
            thread: Some(thread),
        })
    }

    pub(super) fn about(&self) -> &About {
        &self.tended.about
    }

    pub(super) fn partitions(&self) -> &[Watched] {
        &self.tended.partitions
    }

    /// From now on offsets are kept only when readers say so.
    pub(super) fn keep_by_epoch(&self) {
        self.tended.by_epoch.store(true, Ordering::Relaxed);
    }

    /// Why the connection is of no use any more.
    pub(super) fn failure(&self) -> Option<String> {
        self.tended.lock().clone()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tended.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whoever panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Tended {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tend(&self, consumer: &Consumer) {
        let mut rounds = Rounds::new();
        while !self.stop.load(Ordering::Relaxed) {
            let away = self.partitions.iter().any(Watched::is_away);
            let patience = match away {
                false => TEND,
                true => {
                    // To wait so short a time, the client would look at the clock for a part of it.
                    thread::sleep(TEND_AWAY);
                    Duration::ZERO
                }
            };
            match consumer.poll(patience) {
                None => {}
                Some(Ok(record)) => {
                    use rdkafka::Message as _;
                    let (topic, partition) = (record.topic(), record.partition());
                    self.fail(format!(
                        "a record of topic \"{topic}\", partition {partition}, came on another way than its own; this is a mistake in leitmotif, please report it"
                    ));
                }
                Some(Err(error)) => self.heard(&error),
            }
            self.serve(consumer, &mut rounds);
        }
        self.keep(consumer, CommitMode::Sync);
    }

    /// Does what is due.
    fn serve(&self, consumer: &Consumer, rounds: &mut Rounds) {
        let away = |at: usize| self.partitions[at].is_away();
        if let Some(at) = rounds.end_due(self.partitions.len(), away) {
            self.look_for_end(consumer, &self.partitions[at]);
        }
        let by_epoch = self.by_epoch.load(Ordering::Relaxed);
        if by_epoch || rounds.kept.elapsed() >= KEEP_EVERY {
            rounds.kept = Instant::now();
            self.keep(consumer, CommitMode::Async);
        }
        if !self.about.topics.is_empty() && rounds.looked.elapsed() >= GROWTH_EVERY {
            rounds.looked = Instant::now();
            if !rounds.told_growth {
                rounds.told_growth = self.have_grown(consumer);
            }
        }
    }

    fn look_for_end(&self, consumer: &Consumer, watched: &Watched) {
        let Assigned {
            topic, partition, ..
        } = &watched.assigned;
        // A broker that is away is in the log already.
        match consumer.fetch_watermarks(topic, *partition, END_MAX) {
            Ok((_, end)) => {
                watched.standing.ends_at(end.max(0).unsigned_abs());
                watched.away.store(false, Ordering::Relaxed);
            }
            Err(error) if error.rdkafka_error_code().is_some_and(client::is_passing) => {
                self.are_away();
            }
            // Why it cannot be read is found out where it is read.
            Err(_) => {}
        }
    }

    /// Some broker does not answer: until it is asked about, each partition may be one of its.
    fn are_away(&self) {
        for watched in &self.partitions {
            watched.away.store(true, Ordering::Relaxed);
        }
    }

    /// Keeps offsets with the group: without state what was handed out, with state what readers say.
    fn keep(&self, consumer: &Consumer, mode: CommitMode) {
        let group = self.about.group.as_ref();
        let Some(group) = group.filter(|group| !group.is_kept_elsewhere()) else {
            return;
        };
        let by_epoch = self.by_epoch.load(Ordering::Relaxed);
        let mut offsets = TopicPartitionList::new();
        for watched in &self.partitions {
            if !by_epoch {
                let next = watched.standing.next().cast_signed();
                watched.keep.store(next, Ordering::Relaxed);
            }
            let keep = watched.keep.swap(NONE, Ordering::Relaxed);
            if keep == NONE {
                continue;
            }
            let Assigned {
                topic, partition, ..
            } = &watched.assigned;
            let added = offsets.add_partition_offset(topic, *partition, Offset::Offset(keep));
            added.expect("offsets are not negative");
        }
        if offsets.count() == 0 {
            return;
        }
        if let Err(error) = consumer.commit(&offsets, mode) {
            let source = &self.about.shown;
            tracing::warn!(%source, group = group.name(), %error, "how far the source was read could not be kept with its group; it is tried again");
        }
    }

    /// True if there are more partitions than are read.
    fn have_grown(&self, consumer: &Consumer) -> bool {
        let Ok(found) = client::found(consumer.client(), END_MAX) else {
            return false;
        };
        // A topic that is gone fails where it is read.
        let Ok(now) = assignment::assigned(&self.about.topics, &found) else {
            return false;
        };
        let (read, there) = (self.about.partitions, now.len());
        if there > read {
            let source = &self.about.shown;
            tracing::warn!(%source, read, there, "there are more partitions than are read; start the run anew to read all of them");
        }
        there > read
    }

    fn heard(&self, error: &KafkaError) {
        match error {
            KafkaError::MessageConsumptionFatal(code) => self.fail(format!("{code}")),
            error => {
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
                    self.are_away();
                }
                tracing::debug!(%error, "kafka");
            }
        }
    }

    fn fail(&self, reason: String) {
        self.lock().get_or_insert(reason);
    }
}

/// When what was done last.
struct Rounds {
    /// By partition.
    ends: Vec<Option<Instant>>,
    next: usize,
    kept: Instant,
    looked: Instant,
    told_growth: bool,
}

impl Rounds {
    fn new() -> Rounds {
        Rounds {
            ends: Vec::new(),
            next: 0,
            kept: Instant::now(),
            looked: Instant::now(),
            told_growth: false,
        }
    }

    /// The partition whose end is to be asked for next, if one is due: one at a time, so that nothing else has to wait for long. Those whose brokers
    /// did not answer are due each time it is their turn.
    fn end_due(&mut self, partitions: usize, away: impl Fn(usize) -> bool) -> Option<usize> {
        self.ends.resize(partitions, None);
        let at = self.next % partitions.max(1);
        let asked = self.ends.get_mut(at)?;
        if asked.is_some_and(|asked| asked.elapsed() < END_EVERY) && !away(at) {
            return None;
        }
        *asked = Some(Instant::now());
        self.next = at + 1;
        Some(at)
    }
}
