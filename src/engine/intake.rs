//! From sources to batches of events in order, each with the watermark up to which nothing is missing.
//!
//! Every record ends in exactly one of processed, late, malformed and filtered ([`Counts`]). Of several sources the one
//! whose time is behind is read next, so that no source runs ahead and memory stays small. What is late or malformed is handed to the caller's
//! `reject`. This does not know patterns, only which fields they read; it reads no clock.

use crate::engine::reorder::Reorder;
use crate::engine::watermark::{Arrival, PartitionTime, combined};
use crate::event::formats::{Decoded, Decoder, Malformed, shown};
use crate::event::{Event, Position};
use crate::source::{Error, Polled, Progress, Record, Rejected, Rejection, Source};
use crate::time::{Span, Timestamp, Watermark};

/// Takes records that take no part.
pub type Reject<'a> = dyn FnMut(Rejected<'_>) + 'a;

/// What became of a source's records: `read` is the sum of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// All records.
    pub read: u64,
    /// Events given to patterns.
    pub processed: u64,
    /// Events before the watermark of their partition.
    pub late: u64,
    /// Records that are no event.
    pub malformed: u64,
    /// Events of types that no pattern waits for, or that are not declared.
    pub filtered: u64,
}

/// Events in order, with times before the watermark.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Sorted by time and position; not before the watermark of the batch before. May be empty.
    pub events: Vec<Event>,
    /// No event before this follows.
    pub watermark: Watermark,
}

/// Whether anything follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intaken {
    /// Poll again.
    More,
    /// Poll again; it may have to wait for input, so pass on what is finished.
    Waiting,
    /// All sources have ended; the batch's watermark was the final one.
    End,
}

/// All sources of a run.
pub struct Intake {
    inputs: Vec<Input>,
    reorder: Reorder,
    watermark: Watermark,
}

/// One source and where it stands.
struct Input {
    source: Box<dyn Source>,
    decoder: Decoder,
    lane: Lane,
}

/// What a source's records meet after they are decoded.
struct Lane {
    name: String,
    number: u16,
    partitions: Vec<Partition>,
    counts: Counts,
    ended: bool,
}

/// One partition's time, and the record that its next one has to confirm.
struct Partition {
    time: PartitionTime,
    leap: Option<Box<Leap>>,
}

/// An event too far ahead to be believed at once.
struct Leap {
    time: Timestamp,
    offset: u64,
    /// `None` when no pattern waits for it.
    event: Option<Event>,
    /// The first bytes of its record.
    record: Vec<u8>,
}

impl Batch {
    /// No events.
    #[must_use]
    pub fn new() -> Batch {
        Batch {
            events: Vec::new(),
            watermark: Watermark::NONE,
        }
    }
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

impl Default for Intake {
    fn default() -> Intake {
        Intake::new()
    }
}

impl Intake {
    /// No sources yet.
    #[must_use]
    pub fn new() -> Intake {
        Intake {
            inputs: Vec::new(),
            reorder: Reorder::new(),
            watermark: Watermark::NONE,
        }
    }

    /// Adds a source; the order of adding is the order of equal times. At most 65,535: streams that patterns emit come after all of them.
    ///
    /// # Panics
    /// When there are more.
    pub fn add(&mut self, name: String, source: Box<dyn Source>, decoder: Decoder, delay: Span) {
        let number = u16::try_from(self.inputs.len())
            .ok()
            .filter(|number| *number < u16::MAX);
        let number = number.expect("at most 65,535 sources");
        let partition = || Partition {
            time: PartitionTime::new(delay),
            leap: None,
        };
        let lane = Lane {
            name,
            number,
            partitions: source.partitions().iter().map(|_| partition()).collect(),
            counts: Counts::default(),
            ended: false,
        };
        self.inputs.push(Input {
            source,
            decoder,
            lane,
        });
    }

    /// Reads until there is something to give out, and fills the batch with it.
    ///
    /// # Errors
    /// When a source cannot be read, or its columns do not fit the schema. The intake is of no use then.
    pub fn poll(&mut self, batch: &mut Batch, reject: &mut Reject<'_>) -> Result<Intaken, Error> {
        batch.events.clear();
        loop {
            let open = self.inputs.iter_mut().filter(|input| !input.lane.ended);
            let Some(input) = open.min_by_key(|input| input.lane.watermark()) else {
                self.release(Watermark::FINAL, batch);
                return Ok(Intaken::End);
            };
            let polled = input.poll(&mut self.reorder, reject)?;
            let watermark = combined(self.inputs.iter().map(|input| input.lane.watermark()));
            let moved = watermark > self.watermark;
            if watermark == Watermark::FINAL {
                self.release(watermark, batch);
                return Ok(Intaken::End);
            }
            if polled == Polled::Waiting || (moved && self.reorder.is_due()) {
                if moved {
                    self.release(watermark, batch);
                }
                batch.watermark = self.watermark;
                return Ok(if polled == Polled::Waiting {
                    Intaken::Waiting
                } else {
                    Intaken::More
                });
            }
        }
    }

    fn release(&mut self, watermark: Watermark, batch: &mut Batch) {
        self.reorder.release(watermark, &mut batch.events);
        self.watermark = watermark;
        batch.watermark = watermark;
    }

    /// What became of the records, by source in order of adding. Adds up at the end of input; before, a leap that waits to be confirmed is
    /// read and nothing else.
    pub fn counts(&self) -> impl Iterator<Item = (&str, Counts)> {
        self.inputs
            .iter()
            .map(|input| (input.lane.name.as_str(), input.lane.counts))
    }

    /// How far all sources together have been read; `None` when that is not known of one of them.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        let mut sum = Progress::default();
        for input in &self.inputs {
            let progress = input.source.progress()?;
            sum.done += progress.done;
            sum.total += progress.total;
        }
        Some(sum)
    }
}

impl Input {
    fn poll(&mut self, reorder: &mut Reorder, reject: &mut Reject<'_>) -> Result<Polled, Error> {
        let Input {
            source,
            decoder,
            lane,
        } = self;
        let mut header = Ok(());
        let polled = source.poll(&mut |record| {
            if record.heads_file {
                decoder.begin_file();
            }
            if header.is_err() {
            } else if decoder.wants_header() {
                header = decoder.header(record.bytes);
            } else {
                lane.take(decoder, record, reorder, reject);
            }
        })?;
        header.map_err(|error| Error::in_source(&lane.name, &error))?;
        if polled == Polled::End {
            lane.end(reorder);
        }
        Ok(polled)
    }
}

impl Lane {
    fn watermark(&self) -> Watermark {
        combined(
            self.partitions
                .iter()
                .map(|partition| partition.time.watermark()),
        )
    }

    /// Decodes a record and puts it where it belongs.
    fn take(
        &mut self,
        decoder: &mut Decoder,
        record: Record<'_>,
        reorder: &mut Reorder,
        reject: &mut Reject<'_>,
    ) {
        self.counts.read += 1;
        let position = Position {
            source: self.number,
            partition: record.partition,
            offset: record.offset,
        };
        let (time, event) = match decoder.decode(record.bytes, position) {
            Ok(Decoded::Event(event)) => (event.time, Some(event)),
            Ok(Decoded::Filtered(Some(time))) => (time, None),
            Ok(Decoded::Filtered(None)) => {
                self.counts.filtered += 1;
                return;
            }
            Err(malformed) => return self.malformed(record, &malformed, reject),
        };
        let partition = &mut self.partitions[record.partition as usize];
        if let Some(leap) = partition.leap.take() {
            self.settle(*leap, time, record.partition, reorder, reject);
        }
        let partition = &mut self.partitions[record.partition as usize];
        match (partition.time.arrival(time), event) {
            (Arrival::Leap, event) => {
                partition.leap = Some(Box::new(Leap {
                    time,
                    offset: record.offset,
                    event,
                    record: Rejected::cut(record.bytes).to_vec(),
                }));
            }
            (Arrival::Late, Some(_)) => self.late(record, time, reject),
            (Arrival::Timely, Some(event)) => {
                partition.time.advance(time);
                self.counts.processed += 1;
                reorder.push(event);
            }
            (Arrival::Timely | Arrival::Late, None) => {
                partition.time.advance(time);
                self.counts.filtered += 1;
            }
        }
    }

    /// Believes in a leap, or not, now that the time of the next record is known.
    fn settle(
        &mut self,
        leap: Leap,
        next: Timestamp,
        number: u32,
        reorder: &mut Reorder,
        reject: &mut Reject<'_>,
    ) {
        let time = self.partitions[number as usize].time;
        if time.confirms(leap.time, next) {
            self.accept(leap, number, reorder);
            return;
        }
        let record = Record {
            bytes: &leap.record,
            partition: number,
            offset: leap.offset,
            arrived: None,
            heads_file: false,
        };
        let malformed = Malformed::ahead(leap.time, time.newest(), next);
        self.malformed(record, &malformed, reject);
    }

    fn accept(&mut self, leap: Leap, number: u32, reorder: &mut Reorder) {
        self.partitions[number as usize].time.advance(leap.time);
        match leap.event {
            Some(event) => {
                self.counts.processed += 1;
                reorder.push(event);
            }
            None => self.counts.filtered += 1,
        }
    }

    #[cold]
    fn malformed(&mut self, record: Record<'_>, malformed: &Malformed, reject: &mut Reject<'_>) {
        self.counts.malformed += 1;
        self.reject(
            Rejection::Malformed,
            record,
            &malformed.reason,
            None,
            reject,
        );
    }

    #[cold]
    fn late(&mut self, record: Record<'_>, time: Timestamp, reject: &mut Reject<'_>) {
        self.counts.late += 1;
        let watermark = self.partitions[record.partition as usize].time.watermark();
        let behind = watermark.0.since(time);
        let time = shown(time);
        let reason =
            format!("time {time} is {behind} before the watermark; a larger delay would let it in");
        self.reject(Rejection::Late, record, &reason, Some(behind), reject);
    }

    fn reject(
        &self,
        rejection: Rejection,
        record: Record<'_>,
        reason: &str,
        behind: Option<Span>,
        reject: &mut Reject<'_>,
    ) {
        reject(Rejected {
            rejection,
            source: &self.name,
            partition: record.partition,
            offset: record.offset,
            reason,
            behind,
            record: Rejected::cut(record.bytes),
        });
    }

    /// Nothing follows: a leap that waits does no harm any more.
    fn end(&mut self, reorder: &mut Reorder) {
        for number in 0..self.partitions.len() {
            if let Some(leap) = self.partitions[number].leap.take() {
                self.accept(*leap, number as u32, reorder);
            }
            self.partitions[number].time.end();
        }
        self.ended = true;
    }
}

#[cfg(test)]
mod tests;
