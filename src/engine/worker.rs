//! One shard at work: reads its sources, routes events, orders and matches its own, hands rows on.
//!
//! A [`Worker`] does a bounded piece of work per [`turn`](Worker::turn) and never waits: whoever drives it, a thread or a simulation, decides what to do when it is
//! [blocked](Turn::Blocked) or [idle](Turn::Idle). The order of a turn is what makes back-pressure work without deadlock: what other shards sent is always
//! taken in, but new input is read and time passes only while everything sent has found room.

mod epochs;
mod relief;

use std::sync::Arc;

pub(crate) use relief::Relief;

use super::board::Board;
use super::intake::{Intake, Now, Reading};
use super::judge::{Judge, Judged};
use super::keeper::Keeper;
use super::link::{Links, Packet};
use super::meter::{ShardMeter, ShardReport};
use super::order::{Ordered, Rows};
use super::plan::Plan;
use super::reasons::Reasons;
use super::reorder::Reorder;
use super::resume::Resumed;
use super::rows::RowsOut;
use super::shard::{Derived, Shard};
use crate::checkpoint;
use crate::key::{ShardId, Shards};
use crate::sink;
use crate::source::{self, Polled};
use crate::store::StateStore;
use crate::time::Watermark;

/// How many events may wait for the watermark in a shard before sources that are ahead of it are left alone.
const WAITING_MAX: u64 = 1 << 16;

/// How long a batch may gather while input comes without a pause, in microseconds.
const GATHER_MICROS: u64 = 1_000;

/// How often a worker reports, in microseconds.
const REPORT_MICROS: u64 = 100_000;

/// Counting partial matches looks at every key; it may take a part of the time, one in so many.
const SCAN_SHARE: u64 = 100;

/// What looking at a key costs at most: a cache miss or two.
const SCAN_NANOS_PER_KEY: u64 = 200;

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something was done; there may be more.
    Busy,
    /// What it has to hand on finds no room.
    Blocked,
    /// Nothing to do.
    Idle,
    /// Nothing will ever be to do again.
    Done,
}

/// Whether a worker is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// To the end of input.
    GoOn,
    /// Read nothing more; hand on what is finished.
    Stop,
}

/// One shard with everything around it.
pub(crate) struct Worker {
    place: Place,
    intake: Intake,
    links: Links,
    reorder: Reorder,
    shard: Shard,
    time: Time,
    rows: RowsOut,
    reports: Reports,
    /// Of a run with durable state.
    keeper: Option<Keeper>,
    /// Empty between turns; kept for its memory.
    batch: Vec<Judged>,
    out: Vec<Ordered>,
}

/// Which shard of which run.
struct Place {
    id: ShardId,
    shards: Shards,
    plan: Arc<Plan>,
    board: Arc<Board>,
}

/// How far time has come.
struct Time {
    /// By level, by sender: what was promised of the level's input.
    promises: Vec<Vec<Watermark>>,
    /// By level: up to where its time has passed.
    passed: Vec<Watermark>,
    /// When events were released last.
    released: u64,
}

/// What is said of the shard, and when.
struct Reports {
    meter: Arc<ShardMeter>,
    reasons: Reasons,
    /// When it was said last.
    reported: u64,
    /// When partial matches may be counted again.
    scan: u64,
}

/// What a worker is made of.
///
/// It is [built](WorkerSetup::build) on the thread that drives it: what changes with every event shall lie in that thread's own memory. Made by one thread for
/// all, small buffers of two workers come to lie on one cache line.
pub(crate) struct WorkerSetup {
    pub id: ShardId,
    pub shards: Shards,
    pub plan: Arc<Plan>,
    pub board: Arc<Board>,
    pub links: Links,
    pub rows: RowsOut,
    pub meter: Arc<ShardMeter>,
    /// Each with the board's entry of its first partition.
    pub readings: Vec<(Reading, usize)>,
    /// Of a run with durable state.
    pub keeping: Option<Kept>,
}

/// What a worker of a run with durable state is made of.
pub(crate) struct Kept {
    pub keeper: Keeper,
    pub store: Arc<dyn StateStore>,
    /// What an earlier process left to this shard.
    pub resumed: Option<Resumed>,
}

impl WorkerSetup {
    /// Makes the worker.
    ///
    /// # Errors
    /// When what an earlier process left is damaged.
    pub(crate) fn build(self) -> Result<Worker, Failure> {
        let WorkerSetup {
            id,
            shards,
            plan,
            board,
            links,
            rows,
            meter,
            readings,
            keeping,
        } = self;
        let mut intake = Intake::new(Arc::clone(&plan), Arc::clone(&board));
        for (reading, entry) in readings {
            intake.add(reading, entry);
        }
        let mut reorder = Reorder::new();
        let mut shard = Shard::new(Arc::clone(&plan));
        let mut time = Time::new(plan.levels(), shards);
        let mut keeper = None;
        if let Some(kept) = keeping {
            shard.keep(&kept.store, kept.keeper.relief.room());
            if let Some(resumed) = kept.resumed {
                time.go_on(resumed.floor);
                let notes = intake.resume(&resumed.notes, &resumed.names, resumed.floor);
                notes.map_err(|damaged| {
                    Failure::State(checkpoint::Error::new(format!(
                        "how far a source had come is damaged in the checkpoint: {damaged}"
                    )))
                })?;
                resumed
                    .fill(&mut shard, &mut reorder, kept.keeper.relief.room())
                    .map_err(Failure::State)?;
            }
            keeper = Some(kept.keeper);
        }
        Ok(Worker {
            intake,
            links,
            reorder,
            shard,
            time,
            rows,
            keeper,
            reports: Reports {
                meter,
                reasons: Reasons::default(),
                reported: 0,
                scan: 0,
            },
            batch: Vec::new(),
            out: Vec::new(),
            place: Place {
                id,
                shards,
                plan,
                board,
            },
        })
    }
}

/// Why a worker cannot go on.
#[derive(Debug)]
pub(crate) enum Failure {
    Source(source::Error),
    Sink(sink::Error),
    State(checkpoint::Error),
}

impl From<source::Error> for Failure {
    fn from(error: source::Error) -> Failure {
        Failure::Source(error)
    }
}

impl Worker {
    /// Does a bounded piece of work.
    ///
    /// # Errors
    /// When a source cannot be read or a sink is gone. The worker is of no use then.
    pub(crate) fn turn(&mut self, now: Now, order: Order) -> Result<Turn, Failure> {
        let received = self.receive();
        let room = self.hand_on()?;
        if !room {
            // Nobody need run ahead of a shard that stands still.
            self.place.board.post_waiting(self.place.id, usize::MAX);
            self.report_at_times(now);
            return Ok(if received { Turn::Busy } else { Turn::Blocked });
        }
        let flows = order == Order::GoOn && self.keep(now.micros)?;
        let read = match (order, flows) {
            (Order::GoOn, true) => self.read(now)?,
            // What others still send of the epoch comes soon.
            (Order::GoOn, false) => Polled::Waiting,
            (Order::Stop, _) => Polled::End,
        };
        let passed = order == Order::GoOn && flows && self.pass(now, read)?;
        let room = self.hand_on()?;
        let empty = room && self.links.is_empty();
        let over = self.time.is_over();
        let done = empty
            && match &mut self.keeper {
                Some(keeper) if order == Order::GoOn => {
                    if over {
                        keeper.finish();
                    }
                    keeper.control.is_over()
                }
                _ => order == Order::Stop || over,
            };
        if done {
            self.report(now);
            return Ok(match self.rows.finish() {
                true => Turn::Done,
                false => Turn::Blocked,
            });
        }
        self.report_at_times(now);
        let keeper = self.keeper.as_ref();
        let saves = keeper.is_some_and(|keeper| keeper.is_saving() || keeper.relief.moved);
        Ok(if received || passed || saves || read == Polled::More {
            Turn::Busy
        } else if room {
            Turn::Idle
        } else {
            Turn::Blocked
        })
    }

    /// Takes in what other shards sent; true if there were events.
    fn receive(&mut self) -> bool {
        let Worker {
            intake,
            links,
            reorder,
            shard,
            time,
            ..
        } = self;
        let mut any = false;
        links.receive(|from, packet| {
            let Packet {
                events,
                derived,
                promises,
                barrier: _,
            } = packet;
            any |= !events.is_empty() || !derived.is_empty();
            let (judge, spare) = intake.memory();
            events.unpack(&mut judge.judgements, spare, |judged| reorder.push(judged));
            derived.drain(..).for_each(|derived| shard.receive(derived));
            for (level, upto) in promises.drain(..) {
                time.promise(level, from, upto);
            }
        });
        any
    }

    /// Moves what is finished on its way; true if next to all found room.
    fn hand_on(&mut self) -> Result<bool, Failure> {
        let links = self.links.flush();
        let rows = self.rows.hand_over().map_err(Failure::Sink)?;
        Ok(links && rows)
    }

    /// Reads once, and promises what follows from it.
    fn read(&mut self, now: Now) -> Result<Polled, Failure> {
        let Worker {
            place:
                Place {
                    id,
                    shards,
                    plan,
                    board,
                },
            intake,
            links,
            reorder,
            time,
            rows,
            reports,
            ..
        } = self;
        let mut take = |judged, judge: &mut Judge| {
            plan.route(judged, *shards, judge, |to, judged| {
                if to == *id {
                    reorder.push(judged);
                } else {
                    links.send(to, judged);
                }
            });
        };
        // Who holds time back must always be read, or nothing would ever move.
        let limit = match board.waiting_max() < WAITING_MAX {
            true => Watermark::FINAL,
            false => time.passed[0].max(time.least(0)),
        };
        let polled = intake
            .poll(now, limit, &mut take, &mut |rejected| {
                reports.reasons.note(&rejected);
                rows.reject(&rejected);
            })
            .map_err(Failure::Source)?;
        intake.tick(now, &mut take);
        intake.take_back(links.emptied());
        let promise = intake.promise();
        if time.promise(0, *id, promise) {
            links.promise(0, promise);
        }
        board.post_waiting(*id, reorder.len());
        Ok(polled)
    }

    /// Lets time pass as far as it was promised; true if events or rows moved with it.
    fn pass(&mut self, now: Now, read: Polled) -> Result<bool, Failure> {
        let (mut moved, mut any) = (false, false);
        let least = self.time.least(0);
        let upto = self.shard.reach(least);
        if upto > self.time.passed[0] && self.is_worth_while(upto, now, read) {
            moved = true;
            self.time.released = now.micros;
            self.reorder.release(upto, &mut self.batch);
            let events = std::mem::take(&mut self.batch);
            // What more comes due is for the next turn.
            any = !events.is_empty() || upto < least;
            if self.place.shards == Shards::ONE {
                self.pass_all(events, upto);
            } else {
                self.pass_level(0, events, upto);
            }
        }
        for level in 1..self.time.passed.len() {
            let least = self.time.least(level);
            let upto = self.shard.reach(least);
            if upto > self.time.passed[level] {
                moved = true;
                any |= upto < least;
                self.pass_level(level, Vec::new(), upto);
            }
        }
        any |= !self.out.is_empty();
        if moved {
            self.see_to_store()?;
            self.rows.write(&mut self.out, self.time.of_rows());
        }
        // Time alone is no work: it moves all day, and may do so a millisecond later.
        Ok(any)
    }

    /// What was made without a state that the store could not give is of no use.
    fn see_to_store(&mut self) -> Result<(), Failure> {
        match self.shard.take_failure() {
            Some(error) => Err(Failure::State(error.into())),
            None => Ok(()),
        }
    }

    /// Lets all levels pass, of a shard alone. Rows leave meanwhile, unless they may turn out to be of no use: see [`Worker::see_to_store`].
    fn pass_all(&mut self, events: Vec<Judged>, upto: Watermark) {
        let rows = &mut self.rows;
        let mut leave = |made: &mut Vec<Ordered>| rows.write(made, upto);
        let mut rows = match self.keeper.is_none() && self.shard.is_one_family() {
            true => Rows::leaving(&mut self.out, &mut leave),
            false => Rows::gather(&mut self.out),
        };
        self.batch = self.shard.pass_all(events, upto, &mut rows);
        self.reuse();
        self.time.passed.fill(upto);
    }

    fn pass_level(&mut self, level: usize, events: Vec<Judged>, upto: Watermark) {
        let first = self.out.len();
        let mut rows = Rows::gather(&mut self.out);
        self.batch = self.shard.pass(level, events, upto, &mut rows);
        self.reuse();
        self.time.passed[level] = upto;
        if level + 1 == self.time.passed.len() {
            return;
        }
        let Worker {
            place,
            intake,
            links,
            shard,
            time,
            out,
            ..
        } = self;
        for ordered in &out[first..] {
            let Some(Derived { judged, origin }) = shard.derive(ordered) else {
                continue;
            };
            let (judge, _) = intake.memory();
            place.plan.route(judged, place.shards, judge, |to, judged| {
                let derived = Derived {
                    judged,
                    origin: origin.clone(),
                };
                if to == place.id {
                    shard.receive(derived);
                } else {
                    links.send_derived(to, derived);
                }
            });
        }
        time.promise(level + 1, place.id, upto);
        links.promise(level + 1, upto);
    }

    /// Keeps the memory of the batch, which is spent, for the events to come.
    fn reuse(&mut self) {
        self.intake.take_back(&mut self.batch);
    }

    /// A release moves events that new ones overtook: with many of them it pays to let more come first, and while input comes without a pause, to let a
    /// batch gather.
    fn is_worth_while(&self, upto: Watermark, now: Now, read: Polled) -> bool {
        let gather_micros = match read {
            Polled::More => GATHER_MICROS,
            Polled::Waiting | Polled::Away | Polled::End => 0,
        };
        let overtaken_micros = self.reorder.overtaken() as u64 / 5;
        upto == Watermark::FINAL
            || self.reorder.is_due()
            || now.micros >= self.time.released + overtaken_micros + gather_micros
    }

    fn report_at_times(&mut self, now: Now) {
        if now.micros >= self.reports.reported + REPORT_MICROS {
            self.report(now);
        }
    }

    /// Shows how it stands.
    fn report(&mut self, now: Now) {
        let (keys, hot) = (self.shard.keys() as u64, self.shard.hot() as u64);
        let reports = &mut self.reports;
        reports.reported = now.micros;
        let partials = (now.micros >= reports.scan).then(|| {
            reports.scan = now.micros + hot * SCAN_NANOS_PER_KEY * SCAN_SHARE / 1_000;
            self.shard.partials()
        });
        let report = ShardReport {
            counts: self.intake.counts().collect(),
            progress: self.intake.progress(),
            tallies: self.shard.tallies(),
            watermark: self.time.of_rows(),
            waiting: self.reorder.len() as u64,
            routed: self.links.routed(),
            ring_fill: self.links.fill(),
            reasons: reports.reasons.clone(),
            partials: Vec::new(),
            keys,
            hot,
            fetched: self.shard.fetched(),
            pause_micros: self.keeper.as_ref().map_or(0, |keeper| keeper.pause_micros),
        };
        reports.meter.report(report, partials);
    }
}

impl Time {
    fn new(levels: usize, shards: Shards) -> Time {
        let senders = usize::from(shards.count());
        Time {
            promises: vec![vec![Watermark::NONE; senders]; levels],
            passed: vec![Watermark::NONE; levels],
            released: 0,
        }
    }

    /// Takes note of what a shard promises of a level's input; true if that is more than before.
    fn promise(&mut self, level: usize, from: ShardId, upto: Watermark) -> bool {
        let before = &mut self.promises[level][usize::from(from.0)];
        let more = upto > *before;
        *before = upto.max(*before);
        more
    }

    /// What all promise of a level's input.
    fn least(&self, level: usize) -> Watermark {
        let promises = self.promises[level].iter().copied();
        promises.min().unwrap_or(Watermark::FINAL)
    }

    /// Goes on from where time had passed, for all.
    fn go_on(&mut self, floor: Watermark) {
        self.passed.fill(floor);
        self.promises
            .iter_mut()
            .for_each(|of_level| of_level.fill(floor));
    }

    /// Up to where all rows are made.
    fn of_rows(&self) -> Watermark {
        self.passed.last().copied().unwrap_or(Watermark::FINAL)
    }

    fn is_over(&self) -> bool {
        self.passed.iter().all(|upto| *upto == Watermark::FINAL)
    }
}

#[cfg(test)]
mod tests;
