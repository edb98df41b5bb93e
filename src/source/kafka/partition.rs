//! The reader of one partition.
//!
//! Each partition is polled by itself, so that the engine can leave alone those that are ahead of others in time: with all of them in one queue, an old
//! partition would have to be read through to get at a new one, and everything between would wait in memory.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::assignment::Assigned;
use super::client::{self, Listener};
use super::connection::{Connection, Watched};
use super::extras::Extras;
use super::place::TopicOffset;
use super::registry::Registry;
use super::topics::Origin;
use crate::epoch::Epoch;
use crate::event::formats::RECORD_BYTES_MAX;
use crate::source::{
    Error, Extent, Group, Polled, Progress, Record, Source, SourcePosition, Standing,
};
use crate::time::Timestamp;

/// How many records a poll hands out at most.
const BATCH: usize = 512;

/// Reads one partition of a topic.
// On cache lines of its own: it is written to for each record.
#[repr(align(128))]
pub struct Kafka {
    /// `None` before the first poll. Declared before the connection: it goes first.
    queue: Option<PartitionQueue<Listener>>,
    /// The offset of the next record, or less.
    next: u64,
    /// Where reading ends.
    end: Option<u64>,
    ended: bool,
    extras: Extras,
    /// The record that names the columns of CSV, until it was handed out.
    header: Option<Vec<u8>>,
    /// Where the partition stood when it was asked for its position last.
    asked: Cell<u64>,
    /// Which of the connection's partitions it is.
    at: usize,
    connection: Arc<Connection>,
    /// Who knows the schemas of records, if they are needed.
    registry: Option<Registry>,
    /// A record whose schema is asked for.
    held: Option<Held>,
}

/// A record that waits for its schema.
struct Held {
    schema: u32,
    offset: u64,
    arrived: Option<Timestamp>,
    bytes: Vec<u8>,
}

/// How a partition is read.
pub(super) struct Reading {
    pub next: u64,
    pub end: Option<u64>,
    pub extras: Extras,
    pub header: Option<Vec<u8>>,
    pub registry: Option<Registry>,
}

impl Kafka {
    pub(super) fn new(connection: Arc<Connection>, at: usize, reading: Reading) -> Kafka {
        let Reading {
            next,
            end,
            extras,
            header,
            registry,
        } = reading;
        Kafka {
            queue: None,
            next,
            end,
            ended: end.is_some_and(|end| next >= end),
            extras,
            header,
            asked: Cell::new(next),
            at,
            connection,
            registry,
            held: None,
        }
    }

    fn watched(&self) -> &Watched {
        &self.connection.partitions()[self.at]
    }

    fn error(&self, reason: &str) -> Error {
        let Assigned {
            topic, partition, ..
        } = &self.watched().assigned;
        let source = &self.connection.about().shown;
        Error(format!(
            "source \"{source}\": topic \"{topic}\", partition {partition}: {reason}"
        ))
    }

    /// Asks for records, from the next one on.
    fn begin(&self) -> Result<PartitionQueue<Listener>, Error> {
        let Assigned {
            topic, partition, ..
        } = &self.watched().assigned;
        let consumer = &self.connection.consumer;
        // Before it is assigned: what comes shall find its own queue.
        let queue = consumer.split_partition_queue(topic, *partition);
        let queue = queue.ok_or_else(|| self.error("is not to be had; check the topic's name"))?;
        let mut list = TopicPartitionList::with_capacity(1);
        let offset = Offset::Offset(self.next.cast_signed());
        list.add_partition_offset(topic, *partition, offset)
            .and_then(|()| consumer.incremental_assign(&list))
            .map_err(|error| self.error(&format!("cannot be read: {error}")))?;
        Ok(queue)
    }

    /// Hands out the record that waits for its schema, if there is one; false while it is asked for.
    fn release(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<bool, Error> {
        let (Some(held), Some(registry)) = (&self.held, &mut self.registry) else {
            return Ok(true);
        };
        match registry.is_answered(held.schema) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(reason) => return Err(self.error(&reason)),
        }
        take(Record {
            bytes: &held.bytes,
            partition: self.watched().assigned.number,
            offset: held.offset,
            arrived: held.arrived,
            heads_file: false,
        });
        self.next = held.offset + 1;
        self.held = None;
        Ok(true)
    }

    /// What an error of the queue means: the end, a pause, or that nothing goes on.
    fn heard(&self, error: &KafkaError) -> Result<Polled, Error> {
        let code = match error {
            KafkaError::PartitionEOF(_) => {
                // The last offsets may be no records but what transactions leave: then no record tells that the end is reached.
                return Ok(match self.end {
                    Some(_) => Polled::End,
                    None => Polled::Waiting,
                });
            }
            error => error.rdkafka_error_code(),
        };
        match code {
            Some(code) if client::is_passing(code) => Ok(Polled::Waiting),
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                let next = self.next;
                Err(self.error(&format!(
                    "offset {next} is not there any more: records were deleted before they were read; keep them for longer (retention.ms of the topic), or start the run anew without state to go on with what is left"
                )))
            }
            Some(
                RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicOrPartition,
            ) => Err(self.error("is not there any more; create the topic again, or read another one")),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Err(self.error(
                "may not be read by this user; ask for the right to, or set kafka.sasl.username to one who has it",
            )),
            _ => Err(self.error(&format!("cannot be read: {error}"))),
        }
    }

    /// Where a partition begins and ends.
    fn bounds(&self) -> Result<(u64, u64), Error> {
        let Assigned {
            topic, partition, ..
        } = &self.watched().assigned;
        let about = self.connection.about();
        let consumer = &self.connection.consumer;
        let bounds = client::asked(
            &about.cluster,
            &consumer.context().ear,
            || {},
            |wait| consumer.fetch_watermarks(topic, *partition, wait),
        );
        let (first, end) = bounds.map_err(|reason| self.error(&reason))?;
        Ok((first.max(0).unsigned_abs(), end.max(0).unsigned_abs()))
    }
}

impl Source for Kafka {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        if self.ended {
            return Ok(Polled::End);
        }
        if self.queue.is_none() {
            self.queue = Some(self.begin()?);
        }
        let number = self.watched().assigned.number;
        if let Some(header) = self.header.take() {
            take(Record {
                bytes: &header,
                partition: number,
                offset: self.next,
                arrived: None,
                heads_file: true,
            });
        }
        if !self.release(take)? {
            return Ok(Polled::Away);
        }
        let mut polled = Polled::More;
        let mut tombstones = 0;
        let queue = self.queue.as_ref().expect("it was just made");
        for _ in 0..BATCH {
            let message = match queue.poll(Duration::ZERO) {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    polled = self.heard(&error)?;
                    break;
                }
                None => {
                    polled = Polled::Waiting;
                    break;
                }
            };
            let offset = message.offset().max(0).unsigned_abs();
            if self.end.is_some_and(|end| offset >= end) {
                polled = Polled::End;
                break;
            }
            let Some(value) = message.payload() else {
                self.next = offset + 1;
                tombstones += 1;
                continue;
            };
            let wanted = self.registry.as_mut().and_then(|one| one.wanted(value));
            let bytes = self.extras.join(value, |origin| find(&message, origin));
            let bytes = &bytes[..bytes.len().min(RECORD_BYTES_MAX + 1)];
            let arrived = message.timestamp().to_millis().map(Timestamp);
            if let Some(schema) = wanted {
                self.held = Some(Held {
                    schema,
                    offset,
                    arrived,
                    bytes: bytes.to_vec(),
                });
                polled = Polled::Away;
                break;
            }
            self.next = offset + 1;
            take(Record {
                bytes,
                partition: number,
                offset,
                arrived,
                heads_file: false,
            });
        }
        if self.end.is_some_and(|end| self.next >= end) {
            polled = Polled::End;
        }
        self.ended = polled == Polled::End;
        let standing = &self.watched().standing;
        standing.reached(self.next);
        if tombstones > 0 {
            standing.passed_tombstones(tombstones);
        }
        if polled == Polled::Waiting {
            if let Some(failure) = self.connection.failure() {
                return Err(self.error(&failure));
            }
            if self.watched().is_away() {
                return Ok(Polled::Away);
            }
        }
        Ok(polled)
    }

    fn partitions(&self) -> Vec<u32> {
        vec![self.watched().assigned.number]
    }

    fn extent(&self) -> Extent {
        match self.end {
            Some(_) => Extent::Bounded,
            None => Extent::Unbounded,
        }
    }

    fn progress(&self) -> Option<Progress> {
        None
    }

    fn positions(&self) -> Option<Vec<(u32, SourcePosition)>> {
        self.connection.keep_by_epoch();
        self.asked.set(self.next);
        let Assigned {
            topic,
            partition,
            number,
        } = &self.watched().assigned;
        let position = TopicOffset {
            topic: topic.to_string(),
            partition: *partition,
            offset: self.next,
        };
        Some(vec![(*number, position.position())])
    }

    fn seek(&mut self, positions: &[(u32, SourcePosition)]) -> Result<(), Error> {
        self.connection.keep_by_epoch();
        if positions.is_empty() {
            return Ok(());
        }
        let (first, end) = self.bounds()?;
        let mut kept = None;
        for (_, position) in positions {
            let place = TopicOffset::of(&self.connection.about().shown, position)?;
            let Assigned {
                topic, partition, ..
            } = &self.watched().assigned;
            if place.topic == **topic && place.partition == *partition {
                kept = Some(place.offset);
            }
        }
        // A partition that is new is read from its beginning: nobody has read it.
        let next = kept.unwrap_or(first);
        if next < first {
            return Err(self.error(&format!(
                "offset {next} precedes the earliest that is there, {first}: records were deleted before they were read; restore a newer savepoint, or begin without state"
            )));
        }
        if next > end {
            return Err(self.error(&format!(
                "offset {next} lies behind the end, {end}: the topic was made anew; begin without state"
            )));
        }
        self.next = next;
        self.asked.set(next);
        self.ended = self.end.is_some_and(|end| next >= end);
        self.watched().standing.reached(next);
        Ok(())
    }

    fn committed(&mut self, _: Epoch) -> Result<(), Error> {
        self.connection.keep_by_epoch();
        let keep = &self.watched().keep;
        keep.store(self.asked.get().cast_signed(), Ordering::Relaxed);
        Ok(())
    }

    fn standings(&self) -> Vec<Standing> {
        vec![self.watched().standing.clone()]
    }

    fn group(&self) -> Option<Group> {
        self.connection.about().group.clone()
    }
}

/// What a message holds besides its value.
fn find<'a>(message: &'a BorrowedMessage<'_>, origin: &Origin) -> Option<&'a [u8]> {
    match origin {
        Origin::KeyText | Origin::KeyJson => message.key(),
        Origin::Header(name) => {
            let headers = message.headers()?;
            let last = (0..headers.count())
                .rev()
                .map(|at| headers.get(at))
                .find(|header| header.key == name)?;
            last.value
        }
    }
}
