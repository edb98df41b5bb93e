//! What happens before the first record is read: topics are found, and where to begin.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::assignment::{self, Assigned, Found, PARTITIONS_MAX, TOPICS_MAX, Unassigned};
use super::client::{self, Consumer};
use super::connection::{About, Connection, Watched};
use super::extras::{self, Extras};
use super::partition::{Kafka, Reading};
use super::registry;
use super::topics::{End, Payload, Start, Topics};
use crate::source::spec::Opened;
use crate::source::{Error, Group, Source};

/// The group of a source that keeps nothing with one: the client wants a name.
const NO_GROUP: &str = "leitmotif";

/// How much may wait in memory to be read, all partitions together.
const BUFFER_KIB: usize = 64 * 1024;

/// And of one partition at least.
const BUFFER_KIB_MIN: usize = 1024;

/// Opens topics for so many shards: one reader for each partition, in an order in which those that come after each other have different clients.
///
/// # Errors
/// When no broker answers, a topic is not there, or a setting is wrong.
pub(in crate::source) fn open(topics: &Topics, shards: usize) -> Result<Opened, Error> {
    let shown = topics.to_string();
    let wrong = |reason: String| Error(format!("source \"{shown}\": {reason}"));
    let (encoding, registry) = registry::encoding(topics).map_err(wrong)?;
    let asking = consumer(topics, 1).map_err(wrong)?;
    let serve = || drop(asking.poll(Duration::ZERO));
    let found = client::asked(&topics.cluster, &asking.context().ear, serve, |wait| {
        client::found(asking.client(), wait)
    });
    let found = found.map_err(wrong)?;
    let mut assigned = assignment::assigned(&topics.names, &found)
        .map_err(|why| wrong(unassigned(&why, topics, &asking, &found)))?;
    if let Some(partition) = topics.partition {
        assigned.retain(|one| one.partition == partition.cast_signed());
    }
    let bounds = bounds(topics, &asking, &assigned).map_err(wrong)?;
    let starts = starts(topics, &asking, &assigned, &bounds).map_err(wrong)?;
    let group = topics.group.as_ref();
    let group = group.map(|name| Group::new(name, &client::cluster_id(asking.client())));
    drop(asking);

    let clients = shards.clamp(1, assigned.len().max(1));
    let mut shares: Vec<Vec<Watched>> = (0..clients).map(|_| Vec::new()).collect();
    for (at, (one, next)) in assigned.iter().zip(&starts).enumerate() {
        shares[at % clients].push(Watched::new(one.clone(), *next));
    }
    let mut connections = Vec::with_capacity(clients);
    for (number, share) in shares.into_iter().enumerate() {
        let about = About {
            cluster: topics.cluster.clone(),
            shown: shown.clone(),
            group: group.clone(),
            topics: if number == 0 && topics.partition.is_none() {
                topics.names.clone()
            } else {
                Vec::new()
            },
            partitions: assigned.len(),
        };
        let consumer = consumer(topics, assigned.len()).map_err(wrong)?;
        let connection = Connection::start(consumer, about, share)
            .map_err(|error| wrong(format!("the system gives no thread: {error}")))?;
        connections.push(Arc::new(connection));
    }
    let reader = |(at, (next, (_, end))): (usize, (&u64, &(u64, u64)))| {
        let reading = Reading {
            next: *next,
            end: (topics.end == End::Latest).then_some(*end),
            extras: Extras::new(&topics.extras, &topics.payload),
            header: match &topics.payload {
                Payload::Csv(columns) => Some(extras::header(columns, &topics.extras)),
                _ => None,
            },
            registry: registry.clone(),
        };
        let connection = Arc::clone(&connections[at % clients]);
        Box::new(Kafka::new(connection, at / clients, reading)) as Box<dyn Source>
    };
    let readers = starts.iter().zip(&bounds).enumerate().map(reader);
    Ok((readers.collect(), encoding))
}

/// A client; `partitions`: of the whole source.
fn consumer(topics: &Topics, partitions: usize) -> Result<Consumer, String> {
    let buffer = (BUFFER_KIB / partitions.max(1)).max(BUFFER_KIB_MIN);
    let group = topics.group.as_deref().unwrap_or(NO_GROUP);
    let defaults = [
        // Each partition has a queue of its own, and this holds for each.
        ("queued.max.messages.kbytes", buffer.to_string()),
        // A queue that was full is filled again as soon as there is room.
        ("fetch.queue.backoff.ms", "5".to_owned()),
        (
            "enable.partition.eof",
            (topics.end == End::Latest).to_string(),
        ),
    ];
    client::consumer(&topics.cluster, group, &defaults)
}

fn unassigned(why: &Unassigned, topics: &Topics, asking: &Consumer, found: &[Found]) -> String {
    match why {
        Unassigned::Missing(topic) => {
            client::missing(asking.client(), &topics.cluster, topic, found)
        }
        Unassigned::Unmatched(pattern) => {
            let cluster = &topics.cluster;
            let names = client::names(found);
            format!(
                "no topic at {cluster} matches \"{pattern}\"; create one, or check the pattern ({names})"
            )
        }
        Unassigned::TooMany(topic) => format!(
            "topic \"{topic}\" is too much: a source has at most {TOPICS_MAX} topics of {PARTITIONS_MAX} partitions each; name fewer"
        ),
    }
}

/// First offset and end of each partition.
fn bounds(
    topics: &Topics,
    asking: &Consumer,
    assigned: &[Assigned],
) -> Result<Vec<(u64, u64)>, String> {
    let serve = || drop(asking.poll(Duration::ZERO));
    let bound = |one: &Assigned| {
        let (first, end) = client::asked(&topics.cluster, &asking.context().ear, serve, |wait| {
            asking.fetch_watermarks(&one.topic, one.partition, wait)
        })?;
        Ok((first.max(0).unsigned_abs(), end.max(0).unsigned_abs()))
    };
    assigned.iter().map(bound).collect()
}

/// Where each partition begins.
fn starts(
    topics: &Topics,
    asking: &Consumer,
    assigned: &[Assigned],
    bounds: &[(u64, u64)],
) -> Result<Vec<u64>, String> {
    let told = match topics.start {
        Start::Earliest => return Ok(bounds.iter().map(|(first, _)| *first).collect()),
        Start::Latest => return Ok(bounds.iter().map(|(_, end)| *end).collect()),
        Start::Committed => offsets(topics, asking, assigned, Offset::Invalid, |list, wait| {
            asking.committed_offsets(list, wait)
        })?,
        Start::At(time) => offsets(
            topics,
            asking,
            assigned,
            Offset::Offset(time.0),
            |list, wait| asking.offsets_for_times(list, wait),
        )?,
    };
    let begin = |((one, told), (first, end)): ((&Assigned, Offset), &(u64, u64))| {
        let told = match told {
            Offset::Offset(offset) => Some(offset.max(0).unsigned_abs()),
            _ => None,
        };
        match (topics.start, told) {
            (Start::Committed, Some(offset)) if (*first..=*end).contains(&offset) => offset,
            (Start::Committed, Some(offset)) => {
                let Assigned {
                    topic, partition, ..
                } = one;
                tracing::warn!(source = %topics, %topic, partition, committed = offset, earliest = first, end, "where the group stands is not there any more; reading begins with the oldest record");
                *first
            }
            (Start::Committed, None) => *first,
            // No record is so new: the next one will be.
            (_, None) => *end,
            (_, Some(offset)) => offset,
        }
    };
    Ok(assigned.iter().zip(told).zip(bounds).map(begin).collect())
}

/// What the cluster knows of each partition, in order.
fn offsets(
    topics: &Topics,
    asking: &Consumer,
    assigned: &[Assigned],
    question: Offset,
    mut ask: impl FnMut(TopicPartitionList, Duration) -> rdkafka::error::KafkaResult<TopicPartitionList>,
) -> Result<Vec<Offset>, String> {
    let serve = || drop(asking.poll(Duration::ZERO));
    let list = || {
        let mut list = TopicPartitionList::with_capacity(assigned.len());
        for one in assigned {
            list.add_partition_offset(&one.topic, one.partition, question)
                .expect("offsets and times are not negative");
        }
        list
    };
    let answer = client::asked(&topics.cluster, &asking.context().ear, serve, |wait| {
        ask(list(), wait)
    })?;
    let mut told = Vec::with_capacity(assigned.len());
    for one in assigned {
        let found = answer.find_partition(&one.topic, one.partition);
        let found = found.ok_or("an answer lacks a partition; check the brokers' versions")?;
        found.error().map_err(|error| error.to_string())?;
        told.push(found.offset());
    }
    Ok(told)
}
