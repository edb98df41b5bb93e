//! The ways between shards: one bounded ring per direction and pair, with one writer and one reader, carrying batches.
//!
//! A ring that is full never blocks whoever writes: packets wait in order on the writer's side, and [`Links::flush`] says so. The writer then reads no more input until
//! they are gone, which is how back-pressure reaches the sources. Promises travel behind the events that they speak of.

use std::collections::VecDeque;

use rtrb::{Consumer, Producer, RingBuffer};

use super::plan::Judged;
use super::shard::Derived;
use crate::key::{ShardId, Shards};
use crate::time::Watermark;

/// How many packets a ring holds.
const RING_PACKETS: usize = 64;

/// How many events a packet holds at most.
const PACKET_EVENTS: usize = 512;

/// What one shard sends another.
#[derive(Debug)]
pub(crate) enum Packet {
    /// Events of sources.
    Events(Vec<Judged>),
    /// Events of streams.
    Derived(Vec<Derived>),
    /// Nothing before this follows from the sender: on level 0 of sources, above of the streams of the level below.
    Promise {
        /// The level whose input it speaks of.
        level: usize,
        /// Up to when.
        upto: Watermark,
    },
}

/// The rings of one shard.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// By shard; `None` at its own place.
    to: Vec<Option<Outgoing>>,
    from: Vec<Option<Consumer<Packet>>>,
    /// Events sent so far.
    routed: u64,
}

#[derive(Debug)]
struct Outgoing {
    ring: Producer<Packet>,
    /// Packets that found no room, in order.
    waiting: VecDeque<Packet>,
    /// Events not yet in a packet.
    events: Vec<Judged>,
    derived: Vec<Derived>,
}

/// Joins every two shards.
pub(crate) fn mesh(shards: Shards) -> Vec<Links> {
    let count = usize::from(shards.count());
    let empty = || Links {
        to: (0..count).map(|_| None).collect(),
        from: (0..count).map(|_| None).collect(),
        routed: 0,
    };
    let mut all: Vec<Links> = (0..count).map(|_| empty()).collect();
    for a in 0..count {
        for b in (0..count).filter(|b| *b != a) {
            let (producer, consumer) = RingBuffer::new(RING_PACKETS);
            all[a].to[b] = Some(Outgoing {
                ring: producer,
                waiting: VecDeque::new(),
                events: Vec::new(),
                derived: Vec::new(),
            });
            all[b].from[a] = Some(consumer);
        }
    }
    all
}

impl Links {
    /// Sends an event of a source to another shard.
    pub(crate) fn send(&mut self, to: ShardId, judged: Judged) {
        self.routed += 1;
        let outgoing = self.outgoing(to);
        outgoing.events.push(judged);
        if outgoing.events.len() == PACKET_EVENTS {
            outgoing.seal();
        }
    }

    /// Sends an event of a stream to another shard.
    pub(crate) fn send_derived(&mut self, to: ShardId, derived: Derived) {
        self.routed += 1;
        let outgoing = self.outgoing(to);
        outgoing.derived.push(derived);
        if outgoing.derived.len() == PACKET_EVENTS {
            outgoing.seal();
        }
    }

    /// Sends a promise to all, behind everything sent before.
    pub(crate) fn promise(&mut self, level: usize, upto: Watermark) {
        for outgoing in self.to.iter_mut().flatten() {
            outgoing.seal();
            // Of promises that wait for room only the last one counts.
            if let Some(Packet::Promise {
                level: before,
                upto: last,
            }) = outgoing.waiting.back_mut()
                && *before == level
            {
                *last = upto;
                continue;
            }
            outgoing.waiting.push_back(Packet::Promise { level, upto });
        }
    }

    /// Moves what waits into the rings; true if nothing waits any more.
    pub(crate) fn flush(&mut self) -> bool {
        let mut all = true;
        for outgoing in self.to.iter_mut().flatten() {
            outgoing.seal();
            while let Some(packet) = outgoing.waiting.pop_front() {
                if let Err(rtrb::PushError::Full(packet)) = outgoing.ring.push(packet) {
                    outgoing.waiting.push_front(packet);
                    all = false;
                    break;
                }
            }
        }
        all
    }

    /// Takes what lies in the rings now; true if there was anything.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(ShardId, Packet)) -> bool {
        let mut any = false;
        for (from, ring) in (0..).zip(&mut self.from) {
            let Some(ring) = ring else { continue };
            for _ in 0..ring.slots() {
                let Ok(packet) = ring.pop() else { break };
                any = true;
                take(ShardId(from), packet);
            }
        }
        any
    }

    /// How full the fullest outgoing ring is, from 0 to 1.
    pub(crate) fn fill(&self) -> f64 {
        let used = self
            .to
            .iter()
            .flatten()
            .map(|outgoing| RING_PACKETS - outgoing.ring.slots());
        used.max().unwrap_or(0) as f64 / RING_PACKETS as f64
    }

    /// Events sent to other shards so far.
    pub(crate) fn routed(&self) -> u64 {
        self.routed
    }

    fn outgoing(&mut self, to: ShardId) -> &mut Outgoing {
        self.to[usize::from(to.0)]
            .as_mut()
            .expect("a shard keeps its own events")
    }
}

impl Outgoing {
    /// Makes packets of what was sent so far.
    fn seal(&mut self) {
        if !self.events.is_empty() {
            let next = Vec::with_capacity(self.events.len());
            self.waiting
                .push_back(Packet::Events(std::mem::replace(&mut self.events, next)));
        }
        if !self.derived.is_empty() {
            self.waiting
                .push_back(Packet::Derived(std::mem::take(&mut self.derived)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn promise(at: i64) -> Watermark {
        Watermark(Timestamp(at))
    }

    #[test]
    fn a_full_ring_keeps_packets_in_order_on_the_writers_side() {
        let mut links = mesh(Shards::new(2).expect("two"));
        let (mut b, mut a) = (links.pop().expect("two"), links.pop().expect("two"));
        let mut room = true;
        for at in 0..200 {
            // Levels differ, so that none replaces the one before.
            a.promise(at as usize, promise(at));
            room = a.flush();
        }
        assert!(!room);
        assert!((a.fill() - 1.0).abs() < f64::EPSILON);
        let mut seen = Vec::new();
        while b.receive(|_, packet| match packet {
            Packet::Promise { upto, .. } => seen.push(upto.0.0),
            other => panic!("{other:?}"),
        }) {
            a.flush();
        }
        assert_eq!(seen, (0..200).collect::<Vec<i64>>());
    }

    #[test]
    fn a_promise_that_waits_gives_way_to_a_later_one() {
        let mut links = mesh(Shards::new(2).expect("two"));
        let (mut b, mut a) = (links.pop().expect("two"), links.pop().expect("two"));
        for at in 0..1_000 {
            a.promise(0, promise(at));
        }
        assert!(a.flush());
        let mut seen = Vec::new();
        b.receive(|from, packet| seen.push((from, packet)));
        assert!(
            matches!(&seen[..], [(ShardId(0), Packet::Promise { level: 0, upto })] if *upto == promise(999))
        );
    }
}
