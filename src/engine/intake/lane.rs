//! The way of one reader's records after they are read: decoded, judged, and set against the time of their partition.

use std::sync::Arc;

use super::Take;
use super::{Counts, Now, Reject, TimeBasis, Timing};
use crate::engine::board::Board;
use crate::engine::flow::Names;
use crate::engine::judge::{Judge, Judged};
use crate::engine::snapshot::Activity;
use crate::engine::watermark::{Arrival, LEAP, PartitionTime, combined};
use crate::event::codec::{event, put_event};
use crate::event::formats::{Decoder, Glance, Malformed, Read, shown};
use crate::event::{Event, Position};
use crate::source::{Extent, Record, Rejected, Rejection};
use crate::time::{Span, Timestamp, Watermark};
use crate::wire::{Damaged, Reader, put_bool, put_bytes, put_int, put_uint};

/// When all partitions are silent, time moves on with the wall clock in steps of so many milliseconds.
const CARRY_MS: u64 = 10;

/// What a reader's records meet after they are decoded.
#[derive(Debug)]
pub(crate) struct Lane {
    name: Arc<str>,
    source: u16,
    timing: Timing,
    extent: Extent,
    partitions: Vec<Partition>,
    /// The board's entry of the first partition.
    entry: usize,
    counts: Counts,
    ended: bool,
}

/// A record that was decoded.
pub(crate) struct Arriving<'a> {
    pub record: Record<'a>,
    /// The time it is given from outside; `None` when it tells its own.
    pub stamp: Option<Timestamp>,
    pub read: Result<Read, Malformed>,
    /// The event, if it is one; taken from there if it is of use.
    pub event: &'a mut Event,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is given to patterns.
    Processed,
    /// No pattern can use it.
    Filtered,
    /// Its time leaps ahead: the next record of its partition decides.
    Leaping,
    /// It lies so far before the watermark.
    Late(Span),
    /// It is no event.
    Malformed,
}

/// One partition's time, and the record that its next one has to confirm.
#[derive(Debug)]
struct Partition {
    number: u32,
    time: PartitionTime,
    leap: Option<Box<Leap>>,
    activity: Activity,
    /// When its last record came, in microseconds of the run's clock.
    heard: u64,
    /// Up to when the wall clock has moved its promise.
    carried: u64,
}

/// An event too far ahead to be believed at once.
#[derive(Debug)]
struct Leap {
    time: Timestamp,
    offset: u64,
    arrived: u64,
    /// `None` when no pattern waits for it.
    event: Option<Event>,
    /// The first bytes of its record.
    record: Vec<u8>,
}

impl Lane {
    pub(crate) fn new(
        name: Arc<str>,
        source: u16,
        partitions: &[u32],
        timing: Timing,
        extent: Extent,
        entry: usize,
    ) -> Lane {
        let partition = |number: &u32| Partition {
            number: *number,
            time: PartitionTime::new(timing.delay),
            leap: None,
            activity: Activity::Active,
            heard: 0,
            carried: 0,
        };
        Lane {
            name,
            source,
            timing,
            extent,
            partitions: partitions.iter().map(partition).collect(),
            entry,
            counts: Counts::default(),
            ended: false,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn source(&self) -> u16 {
        self.source
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn watermark(&self) -> Watermark {
        combined(
            self.partitions
                .iter()
                .map(|partition| partition.time.watermark()),
        )
    }

    /// Tells the board what its partitions promise.
    pub(super) fn post(&self, board: &Board) {
        for (at, partition) in self.partitions.iter().enumerate() {
            board.post(
                self.entry + at,
                partition.time.watermark(),
                partition.activity,
            );
        }
    }

    /// Decodes a record and puts it where it belongs.
    pub(super) fn take(
        &mut self,
        decoder: &mut Decoder,
        record: Record<'_>,
        now: Now,
        judge: &mut Judge,
        take: &mut Take<'_>,
        reject: &mut Reject<'_>,
    ) {
        let glance = decoder.glance(record.bytes);
        // Most records are of no use, and need not be handed on to see that.
        if let Glance::Filtered(time) = glance
            && self.timing.time == TimeBasis::Event
            && self.pass_by(record, time, now)
        {
            return;
        }
        let arriving = self.arriving(decoder, record, glance, now);
        self.put(arriving, now, judge, take, reject);
    }

    /// Decodes a record that was glanced at.
    fn arriving<'a>(
        &self,
        decoder: &'a mut Decoder,
        record: Record<'a>,
        glance: Glance,
        now: Now,
    ) -> Arriving<'a> {
        let position = Position {
            source: self.source,
            partition: record.partition,
            offset: record.offset,
        };
        let stamp = self.stamp(record, now);
        Arriving {
            record,
            stamp,
            read: decoder.read_on(record.bytes, glance, position, stamp),
            event: decoder.event(),
        }
    }

    /// Lets time pass with a record that nobody has a use for; false if there is more to it.
    #[inline]
    fn pass_by(&mut self, record: Record<'_>, time: Timestamp, now: Now) -> bool {
        let at = self.place(record.partition);
        let partition = &mut self.partitions[at];
        if partition.leap.is_some() || partition.activity != Activity::Active {
            return false;
        }
        match partition.time.arrival(time) {
            Arrival::Leap => return false,
            Arrival::Timely => partition.time.advance(time),
            Arrival::Late => {}
        }
        partition.heard = now.micros;
        self.counts.read += 1;
        self.counts.bytes += record.bytes.len() as u64;
        self.counts.filtered += 1;
        true
    }

    /// Puts a decoded record where it belongs.
    // By itself: most records need nothing of it.
    #[inline(never)]
    pub(crate) fn put(
        &mut self,
        arriving: Arriving<'_>,
        now: Now,
        judge: &mut Judge,
        take: &mut Take<'_>,
        reject: &mut Reject<'_>,
    ) -> Fate {
        let Arriving { record, stamp, .. } = arriving;
        self.counts.read += 1;
        self.counts.bytes += record.bytes.len() as u64;
        let at = self.place(record.partition);
        let (time, event) = match &arriving.read {
            Ok(Read::Event) => (arriving.event.time, Some(arriving.event)),
            Ok(Read::Filtered(Some(time))) => (*time, None),
            Ok(Read::Filtered(None)) => {
                self.counts.filtered += 1;
                return Fate::Filtered;
            }
            Err(malformed) => {
                self.malformed(record, malformed, reject);
                return Fate::Malformed;
            }
        };
        let partition = &mut self.partitions[at];
        partition.heard = now.micros;
        if partition.activity == Activity::Idle {
            partition.activity = Activity::Active;
        }
        if let Some(leap) = partition.leap.take() {
            self.settle(*leap, time, at, judge, take, reject);
        }
        let arrival = match self.partitions[at].time.arrival(time) {
            Arrival::Leap if self.is_plausible(time, stamp, now) => Arrival::Timely,
            arrival => arrival,
        };
        match (arrival, event) {
            (Arrival::Leap, event) => {
                self.partitions[at].leap = Some(Box::new(Leap {
                    time,
                    offset: record.offset,
                    arrived: now.micros,
                    event: event.map(Event::take),
                    record: Rejected::cut(record.bytes).to_vec(),
                }));
                Fate::Leaping
            }
            (Arrival::Timely, event) => self.accept(at, time, event, now.micros, judge, take),
            (Arrival::Late, event) => {
                if event.is_some_and(|event| judge.wants(event)) {
                    return Fate::Late(self.late(record, at, time, reject));
                }
                self.counts.filtered += 1;
                Fate::Filtered
            }
        }
    }

    /// The place of a partition among this reader's. Readers have few, and nearly always one.
    fn place(&self, number: u32) -> usize {
        let mut partitions = self.partitions.iter();
        partitions
            .position(|partition| partition.number == number)
            .expect("a reader gives out records of its own partitions")
    }

    /// The time that a record is given from outside; `None` when it tells its own.
    fn stamp(&self, record: Record<'_>, now: Now) -> Option<Timestamp> {
        // The wall clock may be set back; what was promised stays promised.
        let read = || {
            let partition = &self.partitions[self.place(record.partition)];
            now.wall.max(partition.time.watermark().0)
        };
        match self.timing.time {
            TimeBasis::Event => None,
            TimeBasis::Ingestion => Some(record.arrived.unwrap_or_else(read)),
            TimeBasis::Processing => Some(read()),
        }
    }

    /// True if a time that leaps ahead can be believed without being confirmed: it was given from outside, or lies near the wall clock.
    /// A file says nothing about the wall clock.
    fn is_plausible(&self, time: Timestamp, stamp: Option<Timestamp>, now: Now) -> bool {
        stamp.is_some()
            || self.extent == Extent::Unbounded && time.since(now.wall).0.abs() <= LEAP.0
    }

    fn accept(
        &mut self,
        at: usize,
        time: Timestamp,
        event: Option<&mut Event>,
        arrived: u64,
        judge: &mut Judge,
        take: &mut Take<'_>,
    ) -> Fate {
        self.partitions[at].time.advance(time);
        let judged = event.and_then(|event| Some((judge.judge(event)?, event)));
        let Some((concerns, event)) = judged else {
            self.counts.filtered += 1;
            return Fate::Filtered;
        };
        self.counts.processed += 1;
        let judged = Judged {
            event: event.take(),
            concerns,
            arrived,
        };
        take(judged, judge);
        Fate::Processed
    }

    /// Accepts an event that leapt ahead.
    fn believe(
        &mut self,
        at: usize,
        mut leap: Leap,
        arrived: u64,
        judge: &mut Judge,
        take: &mut Take<'_>,
    ) {
        self.accept(at, leap.time, leap.event.as_mut(), arrived, judge, take);
    }

    /// Believes in a leap, or not, now that the time of the next record is known.
    fn settle(
        &mut self,
        leap: Leap,
        next: Timestamp,
        at: usize,
        judge: &mut Judge,
        take: &mut Take<'_>,
        reject: &mut Reject<'_>,
    ) {
        let time = self.partitions[at].time;
        if time.confirms(leap.time, next) {
            let arrived = leap.arrived;
            self.believe(at, leap, arrived, judge, take);
            return;
        }
        let record = Record {
            bytes: &leap.record,
            partition: self.partitions[at].number,
            offset: leap.offset,
            arrived: None,
            heads_file: false,
        };
        let malformed = Malformed::ahead(leap.time, time.newest(), next);
        self.malformed(record, &malformed, reject);
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
    fn late(
        &mut self,
        record: Record<'_>,
        at: usize,
        time: Timestamp,
        reject: &mut Reject<'_>,
    ) -> Span {
        self.counts.late += 1;
        let watermark = self.partitions[at].time.watermark();
        let behind = watermark.0.since(time);
        let time = shown(time);
        let reason =
            format!("time {time} is {behind} before the watermark; a larger delay would let it in");
        self.reject(Rejection::Late, record, &reason, Some(behind), reject);
        behind
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

    /// Somebody who knows promises this for all partitions. A leap to which that comes near is confirmed by it.
    pub(crate) fn raise(
        &mut self,
        promise: Watermark,
        judge: &mut Judge,
        now: Now,
        take: &mut Take<'_>,
    ) {
        for at in 0..self.partitions.len() {
            let partition = &mut self.partitions[at];
            let time = partition.time;
            let near = |leap: &mut Box<Leap>| time.confirms(leap.time, promise.0);
            if let Some(leap) = partition.leap.take_if(near) {
                self.believe(at, *leap, now.micros, judge, take);
            }
            self.partitions[at].time.raise(promise);
        }
    }

    /// Nothing follows: a leap that waits does no harm any more.
    pub(crate) fn end(&mut self, judge: &mut Judge, now: Now, take: &mut Take<'_>) {
        for at in 0..self.partitions.len() {
            if let Some(leap) = self.partitions[at].leap.take() {
                self.believe(at, *leap, now.micros, judge, take);
            }
            self.partitions[at].time.end();
            self.partitions[at].activity = Activity::Ended;
        }
        self.ended = true;
    }

    /// What its partitions hold cannot be reached: silence is no sign that there is nothing. Time waits for them, also for those that were set aside.
    pub(super) fn stay(&mut self, now: Now) {
        for partition in &mut self.partitions {
            partition.heard = now.micros;
            if partition.activity == Activity::Idle {
                partition.activity = Activity::Active;
            }
        }
    }

    /// How far each partition has come, by number, for [`Lane::go_on`].
    pub(super) fn notes(&self) -> Vec<(u32, Vec<u8>)> {
        let note = |partition: &Partition| {
            let mut out = Vec::new();
            let newest = partition.time.newest();
            put_bool(&mut out, newest.is_some());
            put_int(&mut out, newest.map_or(0, |newest| newest.0));
            put_int(&mut out, partition.time.watermark().0.0);
            put_bool(&mut out, partition.time.has_ended());
            put_bool(&mut out, partition.leap.is_some());
            if let Some(leap) = &partition.leap {
                put_int(&mut out, leap.time.0);
                put_uint(&mut out, leap.offset);
                put_bool(&mut out, leap.event.is_some());
                if let Some(event) = &leap.event {
                    put_event(&mut out, event);
                }
                put_bytes(&mut out, &leap.record);
            }
            (partition.number, out)
        };
        self.partitions.iter().map(note).collect()
    }

    /// Goes on from where a partition had come. One that this lane does not have is left alone.
    pub(super) fn go_on(
        &mut self,
        number: u32,
        note: &[u8],
        names: &Names,
        floor: Watermark,
    ) -> Result<(), Damaged> {
        let mut partitions = self.partitions.iter_mut();
        let Some(partition) = partitions.find(|partition| partition.number == number) else {
            return Ok(());
        };
        let mut reader = Reader::new(note);
        let known = reader.bool()?;
        let newest = Timestamp(reader.int()?);
        let promised = Watermark(Timestamp(reader.int()?));
        let ended = reader.bool()?;
        // An end is found again by reading. In a file that has grown since, what lies before the time that has passed is late.
        let promised = if ended { floor } else { promised };
        partition.time.go_on(known.then_some(newest), promised);
        if reader.bool()? {
            let time = Timestamp(reader.int()?);
            let offset = reader.uint()?;
            let event = match reader.bool()? {
                true => {
                    let event = event(&mut reader)?;
                    names.event(event, &reader)?
                }
                false => None,
            };
            // It was read, and nothing has become of it yet.
            self.counts.read += 1;
            partition.leap = Some(Box::new(Leap {
                time,
                offset,
                arrived: 0,
                event,
                record: reader.bytes()?.to_vec(),
            }));
        }
        reader.end()
    }

    /// Sets silent partitions aside, and lets time pass for those that are.
    ///
    /// An idle partition promises what the active ones promise. When none is active, its promise moves on with the wall clock.
    pub(super) fn tick(&mut self, now: Now, judge: &mut Judge, board: &Board, take: &mut Take<'_>) {
        if self.ended {
            return;
        }
        if self.timing.time == TimeBasis::Processing {
            for partition in &mut self.partitions {
                partition.time.raise(Watermark(now.wall));
            }
        }
        if let Some(idle) = self.timing.idle {
            let idle_micros = idle.0.unsigned_abs().saturating_mul(1_000);
            for at in 0..self.partitions.len() {
                self.pass_silence(at, idle_micros, now, judge, board, take);
            }
        }
        self.post(board);
    }

    fn pass_silence(
        &mut self,
        at: usize,
        idle_micros: u64,
        now: Now,
        judge: &mut Judge,
        board: &Board,
        take: &mut Take<'_>,
    ) {
        let partition = &mut self.partitions[at];
        if now.micros < partition.heard.saturating_add(idle_micros) {
            return;
        }
        // Nothing came to confirm it, nor to contradict it.
        if let Some(leap) = partition.leap.take() {
            let arrived = leap.arrived;
            self.believe(at, *leap, arrived, judge, take);
        }
        let partition = &mut self.partitions[at];
        if partition.activity == Activity::Active {
            partition.activity = Activity::Idle;
            partition.carried = now.micros;
            tracing::info!(
                source = &*self.name,
                partition = partition.number,
                "silent: set aside until its next record"
            );
        }
        let promise = partition.time.watermark();
        let passed_ms = (now.micros - partition.carried) / 1_000;
        let raised = match board.least(Activity::Active) {
            Some(active) => active,
            None => match board.greatest(Activity::Idle) {
                Some(furthest) if furthest > promise => furthest,
                _ if promise == Watermark::NONE => promise,
                // Each step wakes all shards, and nobody sees how fine they are.
                _ if passed_ms < CARRY_MS => return,
                _ => Watermark(promise.0.plus(Span(passed_ms.cast_signed()))),
            },
        };
        partition.carried += passed_ms * 1_000;
        if raised != Watermark::FINAL {
            partition.time.raise(raised);
        }
    }
}
