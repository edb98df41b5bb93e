//! What one shard reads: records in, judged events out, and a promise for each partition.
//!
//! Every record ends in exactly one of processed, late, malformed and filtered ([`Counts`]). Of several sources the one
//! whose time is behind is read first. What is late or malformed is handed to the caller's `reject`. This knows patterns only through
//! the plan that judges events. It reads no clock: time comes with each poll.

mod lane;

use std::sync::Arc;

use super::board::Board;
use super::flow::Names;
use super::judge::{Judge, Judged};
use super::plan::Plan;
use super::watermark::combined;
use crate::checkpoint::SourceNote;
use crate::epoch::Epoch;
use crate::event::formats::{Decoder, Spare};
use crate::source::{Error, Polled, Progress, Rejected, Source};
use crate::time::{Span, Timestamp, Watermark};
use crate::wire::Damaged;
pub(crate) use lane::{Arriving, Fate, Lane};

/// Takes records that take no part.
pub(crate) type Reject<'a> = dyn FnMut(Rejected<'_>) + 'a;

/// What became of a source's records: `read` is the sum of the others once input has ended.
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
    /// Events that no pattern can use: of other types, or meeting no condition that would make a difference.
    pub filtered: u64,
    /// Bytes of all records, without line breaks.
    pub bytes: u64,
}

impl Counts {
    /// Adds those of another reader of the same source.
    pub(crate) fn add(&mut self, other: Counts) {
        self.read += other.read;
        self.processed += other.processed;
        self.late += other.late;
        self.malformed += other.malformed;
        self.filtered += other.filtered;
        self.bytes += other.bytes;
    }

    /// True if every record read has an outcome.
    pub(crate) fn is_conserved(&self) -> bool {
        self.read == self.processed + self.late + self.malformed + self.filtered
    }
}

/// Where an event's time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TimeBasis {
    /// The field that its type declares.
    #[default]
    Event,
    /// When the record was stored where it comes from (the broker's stamp), or when it is read if that is not known.
    Ingestion,
    /// When the record is read.
    Processing,
}

/// How a source's time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Timing {
    /// How far events may be out of order.
    pub delay: Span,
    /// After how much silence a partition is set aside; `None` for never.
    pub idle: Option<Span>,
    /// Where times come from.
    pub time: TimeBasis,
}

/// The time at which something is done: handed in by whoever has a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The wall clock.
    pub wall: Timestamp,
    /// Microseconds since the run began; never goes back.
    pub micros: u64,
}

/// One reader of a source.
pub struct Reading {
    /// The source's number in the run: the order of equal times. Streams that patterns emit come after all sources.
    pub source: u16,
    /// The source's name.
    pub name: Arc<str>,
    /// Gives out its records.
    pub reader: Box<dyn Source>,
    /// Understands them.
    pub decoder: Decoder,
    /// How its time passes.
    pub timing: Timing,
}

/// What one shard reads.
/// Takes what was judged. Who judges is there to be asked for memory.
pub(crate) type Take<'a> = dyn FnMut(Judged, &mut Judge) + 'a;

pub(crate) struct Intake {
    judge: Judge,
    board: Arc<Board>,
    inputs: Vec<Input>,
    /// Spent events; lent to the decoder of whoever is read.
    spare: Spare,
    /// When silence was last looked at.
    ticked: u64,
}

/// One reader and where it stands.
struct Input {
    reader: Box<dyn Source>,
    decoder: Decoder,
    lane: Lane,
    /// Polled in this turn.
    polled: bool,
}

/// How often silence is looked at, in microseconds.
const TICK_MICROS: u64 = 1_000;

impl Intake {
    /// Reads nothing yet.
    pub(crate) fn new(plan: Arc<Plan>, board: Arc<Board>) -> Intake {
        Intake {
            judge: Judge::new(plan),
            board,
            inputs: Vec::new(),
            spare: Spare::default(),
            ticked: 0,
        }
    }

    /// Adds a reader whose partitions have entries of the board from `entry` on.
    pub(crate) fn add(&mut self, reading: Reading, entry: usize) {
        let Reading {
            source,
            name,
            reader,
            decoder,
            timing,
        } = reading;
        let lane = Lane::new(
            name,
            source,
            &reader.partitions(),
            timing,
            reader.extent(),
            entry,
        );
        // A copy of its own: it writes to small buffers for each record, and whoever made it may have made others beside it.
        let decoder = decoder.clone().prefiltered(|ty| self.judge.prefilter(ty));
        let decoder = match timing.time {
            TimeBasis::Event => decoder,
            TimeBasis::Ingestion | TimeBasis::Processing => decoder.stamped(),
        };
        self.inputs.push(Input {
            reader,
            decoder,
            lane,
            polled: false,
        });
    }

    /// Reads from one source, the one that is most behind of those that have something. `Waiting` when none has.
    ///
    /// Sources ahead of `limit` are left alone: others are to catch up first.
    ///
    /// # Errors
    /// When a source cannot be read, or its columns do not fit the schema. The intake is of no use then.
    pub(crate) fn poll(
        &mut self,
        now: Now,
        limit: Watermark,
        take: &mut Take<'_>,
        reject: &mut Reject<'_>,
    ) -> Result<Polled, Error> {
        let mut ended = true;
        for input in &mut self.inputs {
            input.polled = false;
        }
        loop {
            let open = self
                .inputs
                .iter_mut()
                .filter(|input| !input.lane.has_ended());
            let next = open
                .inspect(|_| ended = false)
                .filter(|input| !input.polled && input.lane.watermark() <= limit)
                .min_by_key(|input| input.lane.watermark());
            let Some(input) = next else {
                return Ok(if ended { Polled::End } else { Polled::Waiting });
            };
            input.polled = true;
            let before = input.lane.counts().read;
            std::mem::swap(&mut self.spare, input.decoder.spare());
            let polled = input.poll(now, &mut self.judge, take, reject);
            std::mem::swap(&mut self.spare, input.decoder.spare());
            self.judge
                .discarded()
                .for_each(|values| self.spare.give(values));
            let polled = polled?;
            input.lane.post(&self.board);
            if polled == Polled::More || input.lane.counts().read > before {
                return Ok(Polled::More);
            }
            ended = true;
        }
    }

    /// Spent judgements and events, of which the next ones are made.
    pub(crate) fn memory(&mut self) -> (&mut Judge, &mut Spare) {
        (&mut self.judge, &mut self.spare)
    }

    /// Keeps what spent events are made of. Leaves the list empty.
    pub(crate) fn take_back(&mut self, spent: &mut Vec<Judged>) {
        take_back(spent, &mut self.judge, &mut self.spare);
    }

    /// Looks for partitions that have been silent for too long.
    pub(crate) fn tick(&mut self, now: Now, take: &mut Take<'_>) {
        if now.micros < self.ticked + TICK_MICROS {
            return;
        }
        self.ticked = now.micros;
        for input in &mut self.inputs {
            input.lane.tick(now, &mut self.judge, &self.board, take);
        }
    }

    /// What all its partitions promise together.
    pub(crate) fn promise(&self) -> Watermark {
        combined(self.inputs.iter().map(|input| input.lane.watermark()))
    }

    /// What became of the records, by number of the source. Adds up at the end of input; before, a leap that waits to be confirmed is
    /// read and nothing else.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u16, Counts)> {
        self.inputs
            .iter()
            .map(|input| (input.lane.source(), input.lane.counts()))
    }

    /// Goes on from where partitions stood in an earlier process: by number of the source and partition. `floor`: up to where time had passed.
    ///
    /// # Errors
    /// When a note is damaged.
    pub(crate) fn resume(
        &mut self,
        notes: &[(u16, u32, Vec<u8>)],
        names: &Names,
        floor: Watermark,
    ) -> Result<(), Damaged> {
        for input in &mut self.inputs {
            for (source, partition, note) in notes {
                if *source == input.lane.source() {
                    input.lane.go_on(*partition, note, names, floor)?;
                }
            }
            input.lane.post(&self.board);
        }
        Ok(())
    }

    /// Where each partition stands, between two polls.
    pub(crate) fn notes(&self) -> Vec<SourceNote> {
        let mut notes = Vec::new();
        for input in &self.inputs {
            let positions = input.reader.positions();
            for (partition, time) in input.lane.notes() {
                let found = positions
                    .iter()
                    .flatten()
                    .find(|(number, _)| *number == partition);
                notes.push(SourceNote {
                    source: input.lane.source(),
                    partition,
                    position: found.map(|(_, position)| position.clone()),
                    time,
                });
            }
        }
        notes
    }

    /// The epoch is committed.
    ///
    /// # Errors
    /// When a source cannot go on.
    pub(crate) fn committed(&mut self, epoch: Epoch) -> Result<(), Error> {
        for input in &mut self.inputs {
            input.reader.committed(epoch)?;
        }
        Ok(())
    }

    /// How far all sources together have been read; `None` when that is not known of one of them.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let mut sum = Progress::default();
        for input in &self.inputs {
            let progress = input.reader.progress()?;
            sum.done += progress.done;
            sum.total += progress.total;
        }
        Some(sum)
    }
}

/// Keeps what spent events of sources and their judgements are made of. Leaves the list empty.
pub(crate) fn take_back(spent: &mut Vec<Judged>, judge: &mut Judge, spare: &mut Spare) {
    for judged in spent.drain(..) {
        if let Some(values) = judge.give_back(judged) {
            spare.give(values);
        }
    }
}

impl Input {
    fn poll(
        &mut self,
        now: Now,
        judge: &mut Judge,
        take: &mut Take<'_>,
        reject: &mut Reject<'_>,
    ) -> Result<Polled, Error> {
        let Input {
            reader,
            decoder,
            lane,
            ..
        } = self;
        let mut header = Ok(());
        let polled = reader.poll(&mut |record| {
            if record.heads_file {
                decoder.begin_file();
            }
            if header.is_err() {
            } else if decoder.wants_header() {
                header = decoder.header(record.bytes);
            } else {
                lane.take(decoder, record, now, judge, take, reject);
            }
        })?;
        header.map_err(|error| Error::in_source(lane.name(), &error))?;
        match polled {
            Polled::End => lane.end(judge, now, take),
            Polled::Away => lane.stay(now),
            Polled::More | Polled::Waiting => {}
        }
        Ok(polled)
    }
}

#[cfg(test)]
mod tests;
