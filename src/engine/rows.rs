//! The way of rows from shards to sinks.
//!
//! One shard alone writes its rows into the outputs itself. Several send them to a [`Collector`], which puts the rows of all into one order: a row leaves when every
//! shard has passed its time, so the order does not depend on how keys are dealt.

use std::collections::VecDeque;
use std::sync::mpsc;

use rtrb::{Consumer, Producer, RingBuffer};

use super::flow;
use super::order::Ordered;
use super::worker::Turn;
use crate::checkpoint::Ack;
use crate::epoch::Epoch;
use crate::key::Shards;
use crate::sink::{self, Handed, Outputs};
use crate::source::{Rejected, Rejection};
use crate::time::Watermark;
use crate::wire::put_uint;

/// How many packets of rows the ring between a shard and the collector holds. Few: one may hold all rows of a long batch.
const RING_PACKETS: usize = 8;

/// So many rows may wait for room in the ring without holding up their shard.
const WAITING_ROWS: usize = 1024;

/// Rows of one shard, or a record that took no part.
#[derive(Debug)]
pub(crate) enum RowPacket {
    /// All rows up to a watermark that were not in a packet before.
    Rows(Vec<Ordered>, Watermark),
    /// The text of a record for a side output.
    Side(Rejection, Vec<u8>),
    /// An epoch ends.
    Barrier(Epoch),
    /// Nothing follows.
    End,
}

/// Where a shard leaves its rows.
pub(crate) enum RowsOut {
    /// Into the outputs.
    Own(Box<Outputs>),
    /// To the collector.
    Sent(Sender),
}

/// A shard's end of the ring to the collector.
pub(crate) struct Sender {
    ring: Producer<RowPacket>,
    /// Packets that found no room, in order.
    waiting: VecDeque<RowPacket>,
    /// Side outputs that somebody wants.
    late: bool,
    malformed: bool,
    ended: bool,
}

/// Puts the rows of several shards into one order.
pub(crate) struct Collector {
    lanes: Vec<Lane>,
    outputs: Outputs,
    /// Up to where rows have left.
    left: Watermark,
    leaving: Vec<Ordered>,
    /// Who is told which rows had not left at a barrier.
    acks: Option<mpsc::Sender<Ack>>,
}

/// What came from one shard.
struct Lane {
    ring: Consumer<RowPacket>,
    rows: Vec<Ordered>,
    upto: Watermark,
    ended: bool,
    /// A barrier was met: nothing more is taken before those of all have been.
    at: Option<Epoch>,
}

/// The ways of rows: from one shard straight into the outputs, from several to a collector.
///
/// `waiting`: rows of an earlier process that have not left, in order. `acks`: of a run with durable state.
pub(crate) fn ways(
    shards: Shards,
    mut outputs: Outputs,
    waiting: Vec<Ordered>,
    acks: Option<mpsc::Sender<Ack>>,
) -> (Vec<RowsOut>, Option<Collector>) {
    if shards == Shards::ONE {
        // They were decided at the very instant up to which time had passed: nothing comes before them.
        for ordered in waiting {
            outputs.write(&ordered.row, ordered.arrived);
        }
        return (vec![RowsOut::Own(Box::new(outputs))], None);
    }
    let (late, malformed) = (
        outputs.keeps(Rejection::Late),
        outputs.keeps(Rejection::Malformed),
    );
    let pair = |_| {
        let (producer, consumer) = RingBuffer::new(RING_PACKETS);
        let sender = Sender {
            ring: producer,
            waiting: VecDeque::new(),
            late,
            malformed,
            ended: false,
        };
        let lane = Lane {
            ring: consumer,
            rows: Vec::new(),
            upto: Watermark::NONE,
            ended: false,
            at: None,
        };
        (RowsOut::Sent(sender), lane)
    };
    let (senders, mut lanes): (Vec<RowsOut>, Vec<Lane>) = shards.ids().map(pair).unzip();
    lanes[0].rows = waiting;
    let collector = Collector {
        lanes,
        outputs,
        left: Watermark::NONE,
        leaving: Vec::new(),
        acks,
    };
    (senders, Some(collector))
}

impl RowsOut {
    /// Takes finished rows, all there will be up to `upto`.
    pub(crate) fn write(&mut self, rows: &mut Vec<Ordered>, upto: Watermark) {
        match self {
            RowsOut::Own(outputs) => {
                for ordered in rows.drain(..) {
                    outputs.write(&ordered.row, ordered.arrived);
                }
            }
            RowsOut::Sent(sender) => {
                if let Some(RowPacket::Rows(before, last)) = sender.waiting.back_mut() {
                    before.append(rows);
                    *last = upto;
                    return;
                }
                sender
                    .waiting
                    .push_back(RowPacket::Rows(std::mem::take(rows), upto));
            }
        }
    }

    /// Takes a record that takes no part.
    pub(crate) fn reject(&mut self, rejected: &Rejected<'_>) {
        match self {
            RowsOut::Own(outputs) => outputs.reject(rejected),
            RowsOut::Sent(sender) => {
                let wanted = match rejected.rejection {
                    Rejection::Late => sender.late,
                    Rejection::Malformed => sender.malformed,
                };
                if wanted {
                    let text = sink::rejected_text(rejected);
                    sender
                        .waiting
                        .push_back(RowPacket::Side(rejected.rejection, text));
                }
            }
        }
    }

    /// An epoch ends behind the rows taken so far.
    pub(crate) fn barrier(&mut self, epoch: Epoch) {
        match self {
            RowsOut::Own(outputs) => outputs.barrier(epoch),
            RowsOut::Sent(sender) => sender.waiting.push_back(RowPacket::Barrier(epoch)),
        }
    }

    /// Moves rows on as far as there is room; true if next to none wait any more.
    ///
    /// # Errors
    /// When a sink is gone.
    pub(crate) fn hand_over(&mut self) -> Result<bool, sink::Error> {
        match self {
            RowsOut::Own(outputs) => Ok(outputs.hand_over()? == Handed::All),
            RowsOut::Sent(sender) => {
                while let Some(packet) = sender.waiting.pop_front() {
                    if let Err(rtrb::PushError::Full(packet)) = sender.ring.push(packet) {
                        // The collector may just not have looked: a few rows, or only time, can wait here.
                        let few = matches!(&packet, RowPacket::Rows(rows, _) if rows.len() < WAITING_ROWS);
                        sender.waiting.push_front(packet);
                        return Ok(few && sender.waiting.len() == 1);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Says that nothing follows; false while there is no room to say it.
    pub(crate) fn finish(&mut self) -> bool {
        match self {
            RowsOut::Own(_) => true,
            RowsOut::Sent(sender) => {
                let last = sender.waiting.is_empty() && !sender.ended;
                sender.ended |= last && sender.ring.push(RowPacket::End).is_ok();
                sender.ended
            }
        }
    }
}

impl Collector {
    /// Takes what shards sent, and lets rows leave whose time all have passed.
    ///
    /// # Errors
    /// When a sink is gone.
    pub(crate) fn turn(&mut self) -> Result<Turn, sink::Error> {
        // While a sink is slow, nothing more is taken: the rings fill, and shards stop.
        if self.outputs.hand_over()? == Handed::Part {
            return Ok(Turn::Blocked);
        }
        let mut any = false;
        for lane in &mut self.lanes {
            for _ in 0..lane.ring.slots() {
                if lane.at.is_some() {
                    break;
                }
                let Ok(packet) = lane.ring.pop() else { break };
                any |= !matches!(&packet, RowPacket::Rows(rows, _) if rows.is_empty());
                match packet {
                    RowPacket::Rows(mut rows, upto) => {
                        lane.rows.append(&mut rows);
                        lane.upto = upto;
                    }
                    RowPacket::Side(rejection, text) => self.outputs.side(rejection, &text),
                    RowPacket::Barrier(epoch) => lane.at = Some(epoch),
                    RowPacket::End => lane.ended = true,
                }
            }
        }
        let ended = self.lanes.iter().all(|lane| lane.ended);
        let passed = self.lanes.iter().map(|lane| lane.upto).min();
        let upto = match ended {
            // Interrupted, some may not have come to the end of time.
            true => Watermark::FINAL,
            false => passed.unwrap_or(Watermark::NONE),
        };
        if upto > self.left {
            self.leave(upto);
        }
        self.pass_barrier();
        let all = self.outputs.hand_over()? == Handed::All;
        Ok(match (ended && all, any) {
            (true, _) => Turn::Done,
            (_, true) => Turn::Busy,
            _ if all => Turn::Idle,
            _ => Turn::Blocked,
        })
    }

    /// An epoch ends once it has in all shards, whose times have passed alike.
    fn pass_barrier(&mut self) {
        let Some(epoch) = self.lanes[0].at else {
            return;
        };
        if self.lanes.iter().any(|lane| lane.at != Some(epoch)) {
            return;
        }
        let mut stay: Vec<&Ordered> = self.lanes.iter().flat_map(|lane| &lane.rows).collect();
        stay.sort_by(|a, b| a.order(b));
        let mut encoded = Vec::new();
        put_uint(&mut encoded, stay.len() as u64);
        stay.iter()
            .for_each(|ordered| flow::put_row(&mut encoded, ordered));
        if let Some(acks) = &self.acks {
            // The coordinator is gone only when the run has failed.
            let _ = acks.send(Ack::Rows(epoch, encoded));
        }
        self.outputs.barrier(epoch);
        self.lanes.iter_mut().for_each(|lane| lane.at = None);
    }

    fn leave(&mut self, upto: Watermark) {
        self.left = upto;
        for lane in &mut self.lanes {
            let leaves =
                |ordered: &mut Ordered| ordered.row.at < upto.0 || upto == Watermark::FINAL;
            self.leaving.extend(lane.rows.extract_if(.., leaves));
        }
        // A merge of runs that are in order already.
        self.leaving.sort_by(Ordered::order);
        for ordered in self.leaving.drain(..) {
            self.outputs.write(&ordered.row, ordered.arrived);
        }
    }
}
