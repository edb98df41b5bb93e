//! All of an engine in the thread of whoever drives it: what a worker does for one shard, without sources, sinks and clocks.
//!
//! Records arrive decoded and one by one, in any order within the delay; rows wait until they are fetched.

use std::sync::Arc;

use super::intake::{Arriving, Fate, Lane, Now, Timing, take_back};
use super::judge::{Judge, Judged};
use super::order::{Ordered, Rows};
use super::plan::Plan;
use super::reasons::Reasons;
use super::reorder::Reorder;
use super::run::Account;
use super::shard::Shard;
use crate::automaton::Row;
use crate::event::formats::{Decoded, Decoder, Malformed, Read, Spare};
use crate::event::{Event, Position};
use crate::source::{Extent, Record};
use crate::time::{Span, Timestamp, Watermark};

/// The only partition of the only source.
const PARTITION: u32 = 0;

/// Nobody asks for the time: every event brings its own.
const NOW: Now = Now {
    wall: Timestamp(0),
    micros: 0,
};

/// One shard with the time of one partition before it.
#[derive(Debug)]
pub(crate) struct Solo {
    judge: Judge,
    lane: Lane,
    reorder: Reorder,
    shard: Shard,
    reasons: Reasons,
    name: String,
    /// Up to where time has passed.
    passed: Watermark,
    /// Empty between calls; kept for its memory.
    batch: Vec<Judged>,
    /// Spent events, for whoever decodes the next ones.
    spare: Spare,
    /// Finished rows in order.
    out: Vec<Ordered>,
}

impl Solo {
    /// `name`: of the source, in reasons and counts.
    pub(crate) fn new(plan: Arc<Plan>, name: &str, delay: Span) -> Solo {
        let timing = Timing {
            delay,
            ..Timing::default()
        };
        // Bounded: no time is believed for being near the wall clock, which nobody reads.
        let lane = Lane::new(name.into(), 0, &[PARTITION], timing, Extent::Bounded, 0);
        Solo {
            lane,
            reorder: Reorder::new(),
            shard: Shard::new(Arc::clone(&plan)),
            reasons: Reasons::default(),
            name: name.to_owned(),
            passed: Watermark::NONE,
            batch: Vec::new(),
            spare: Spare::default(),
            out: Vec::new(),
            judge: Judge::new(plan),
        }
    }

    /// The place of the next record.
    pub(crate) fn next(&self) -> Position {
        Position {
            source: 0,
            partition: PARTITION,
            offset: self.lane.counts().read + 1,
        }
    }

    /// Decodes the next record and takes it.
    ///
    /// # Errors
    /// What is wrong with it, if it is malformed.
    pub(crate) fn read(&mut self, decoder: &mut Decoder, bytes: &[u8]) -> Result<Fate, String> {
        std::mem::swap(&mut self.spare, decoder.spare());
        let read = decoder.read(bytes, self.next(), None);
        std::mem::swap(&mut self.spare, decoder.spare());
        self.take(bytes, read, decoder.event())
    }

    /// Takes the record whose place [`Solo::next`] said. `bytes`: what it was decoded from, if anything.
    ///
    /// # Errors
    /// What is wrong with it, if it is malformed.
    pub(crate) fn put(
        &mut self,
        bytes: &[u8],
        decoded: Result<Decoded, Malformed>,
    ) -> Result<Fate, String> {
        let mut event = Event::none();
        let read = decoded.map(|decoded| match decoded {
            Decoded::Event(decoded) => {
                event = decoded;
                Read::Event
            }
            Decoded::Filtered(time) => Read::Filtered(time),
        });
        self.take(bytes, read, &mut event)
    }

    fn take(
        &mut self,
        bytes: &[u8],
        read: Result<Read, Malformed>,
        event: &mut Event,
    ) -> Result<Fate, String> {
        let Solo {
            judge,
            lane,
            reorder,
            reasons,
            ..
        } = self;
        let arriving = Arriving {
            record: Record {
                bytes,
                partition: PARTITION,
                offset: lane.counts().read + 1,
                arrived: None,
                heads_file: false,
            },
            stamp: None,
            read,
            event,
        };
        let mut reason = String::new();
        let fate = lane.put(
            arriving,
            NOW,
            judge,
            &mut |judged, _| reorder.push(judged),
            &mut |rejected| {
                reasons.note(&rejected);
                // A leap that this record refutes is told first; its own reason comes last.
                reason = rejected.reason.to_owned();
            },
        );
        if self.reorder.is_due() {
            self.pass();
        }
        match fate {
            Fate::Malformed => Err(reason),
            fate => Ok(fate),
        }
    }

    /// Nothing before this follows.
    pub(crate) fn raise(&mut self, promise: Watermark) {
        let Solo {
            judge,
            lane,
            reorder,
            ..
        } = self;
        lane.raise(promise, judge, NOW, &mut |judged, _| reorder.push(judged));
        self.pass();
    }

    /// Nothing follows.
    pub(crate) fn end(&mut self) {
        let Solo {
            judge,
            lane,
            reorder,
            ..
        } = self;
        lane.end(judge, NOW, &mut |judged, _| reorder.push(judged));
        self.pass();
    }

    /// Up to where nothing follows.
    pub(crate) fn watermark(&self) -> Watermark {
        self.lane.watermark()
    }

    /// How many events wait for the watermark.
    pub(crate) fn waiting(&self) -> usize {
        self.reorder.len()
    }

    /// Lets time pass up to the watermark and gives out all rows up to there, in order.
    pub(crate) fn rows(&mut self) -> impl Iterator<Item = Row> + '_ {
        self.pass();
        self.out.drain(..).map(|ordered| ordered.row)
    }

    /// What became of all records so far. `rows`: given out.
    pub(crate) fn account(&self, rows: u64) -> Account {
        Account {
            sources: vec![(self.name.clone(), self.lane.counts())],
            reasons: self.reasons.clone(),
            tallies: self.shard.tallies(),
            rows,
            ..Account::default()
        }
    }

    fn pass(&mut self) {
        let upto = self.lane.watermark();
        if upto <= self.passed {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        self.reorder.release(upto, &mut batch);
        let mut rows = Rows::gather(&mut self.out);
        self.batch = self.shard.pass_all(batch, upto, &mut rows);
        take_back(&mut self.batch, &mut self.judge, &mut self.spare);
        self.passed = upto;
    }
}
