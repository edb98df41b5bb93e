//! The ways between shards: one bounded ring per direction and pair, with one writer and one reader, carrying batches.
//!
//! What is sent is staged on the writer's side and leaves as one packet when the ring has room. A full ring never blocks whoever writes; once more than a
//! packet's worth is staged, [`Links::flush`] says so, and the writer reads no more input until it has left: that is how back-pressure reaches the sources. Promises stand
//! behind the events that they speak of.

use std::collections::VecDeque;

use rtrb::{Consumer, Producer, PushError, RingBuffer};
use smallvec::SmallVec;

use super::judge::Judged;
use super::parcel::Parcel;
use super::shard::Derived;
use crate::epoch::Epoch;
use crate::key::{ShardId, Shards};
use crate::time::Watermark;

/// How many packets a ring holds.
const RING_PACKETS: usize = 16;

/// How many events may be staged.
const STAGED_EVENTS: usize = 512;

/// What one shard sends another.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    /// Events of sources.
    pub events: Parcel,
    /// Events of streams.
    pub derived: Vec<Derived>,
    /// Nothing before these follows from the sender, by level: on level 0 of sources, above of the streams of the level below. They hold once the events
    /// of the packet are taken.
    pub promises: SmallVec<[(usize, Watermark); 2]>,
    /// Ends the packet.
    pub barrier: Option<Barrier>,
}

/// What comes before it belongs to an epoch, what comes after it does not: on each level of patterns one, since what a level makes of the epoch's events comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Barrier {
    pub epoch: Epoch,
    pub level: usize,
}

/// The rings of one shard.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// By shard; `None` at its own place.
    to: Vec<Option<Outgoing>>,
    from: Vec<Option<Incoming>>,
    /// The memory of events that were sent by value.
    emptied: Vec<Judged>,
    /// Events sent so far.
    routed: u64,
}

// On cache lines of its own, for it is written to for each event that is sent, and one thread makes those of all.
#[derive(Debug)]
#[repr(align(128))]
struct Outgoing {
    ring: Producer<Packet>,
    /// Packets that were emptied, kept for their memory.
    home: Consumer<Packet>,
    /// Packets that end with a barrier and found no room yet, before what is staged.
    sealed: VecDeque<Packet>,
    staged: Packet,
}

#[derive(Debug)]
#[repr(align(128))]
struct Incoming {
    ring: Consumer<Packet>,
    /// The way back of packets.
    home: Producer<Packet>,
    /// A barrier was met: nothing more is taken before those of all have been.
    at: Option<Barrier>,
}

/// Joins every two shards.
pub(crate) fn mesh(shards: Shards) -> Vec<Links> {
    let count = usize::from(shards.count());
    let empty = || Links {
        to: (0..count).map(|_| None).collect(),
        from: (0..count).map(|_| None).collect(),
        emptied: Vec::new(),
        routed: 0,
    };
    let mut all: Vec<Links> = (0..count).map(|_| empty()).collect();
    for a in 0..count {
        for b in (0..count).filter(|b| *b != a) {
            let (producer, consumer) = RingBuffer::new(RING_PACKETS);
            let (back, home) = RingBuffer::new(RING_PACKETS);
            all[a].to[b] = Some(Outgoing {
                ring: producer,
                home,
                sealed: VecDeque::new(),
                staged: Packet::default(),
            });
            all[b].from[a] = Some(Incoming {
                ring: consumer,
                home: back,
                at: None,
            });
        }
    }
    all
}

impl Links {
    /// Sends an event of a source to another shard.
    pub(crate) fn send(&mut self, to: ShardId, judged: Judged) {
        self.routed += 1;
        let emptied = self.outgoing(to).staged.events.put(judged);
        self.emptied.push(emptied);
    }

    /// The memory of the events that were sent and not taken from here yet, for those to come.
    pub(crate) fn emptied(&mut self) -> &mut Vec<Judged> {
        &mut self.emptied
    }

    /// Sends an event of a stream to another shard.
    pub(crate) fn send_derived(&mut self, to: ShardId, derived: Derived) {
        self.routed += 1;
        self.outgoing(to).staged.derived.push(derived);
    }

    /// Sends a promise to all, behind everything sent before.
    pub(crate) fn promise(&mut self, level: usize, upto: Watermark) {
        for outgoing in self.to.iter_mut().flatten() {
            let promises = &mut outgoing.staged.promises;
            match promises.iter_mut().find(|(other, _)| *other == level) {
                Some((_, before)) => *before = upto,
                None => promises.push((level, upto)),
            }
        }
    }

    /// Sends a barrier to all, behind everything sent before.
    pub(crate) fn barrier(&mut self, barrier: Barrier) {
        for outgoing in self.to.iter_mut().flatten() {
            outgoing.staged.barrier = Some(barrier);
            let packet = std::mem::take(&mut outgoing.staged);
            outgoing.sealed.push_back(packet);
        }
    }

    /// True if the barrier has come from all others.
    pub(crate) fn has_met(&self, barrier: Barrier) -> bool {
        self.from
            .iter()
            .flatten()
            .all(|from| from.at == Some(barrier))
    }

    /// Goes on behind the barriers that were met.
    pub(crate) fn pass_barrier(&mut self) {
        for from in self.from.iter_mut().flatten() {
            from.at = None;
        }
    }

    /// Moves what is staged into the rings; true if next to nothing is left.
    pub(crate) fn flush(&mut self) -> bool {
        let mut room = true;
        for outgoing in self.to.iter_mut().flatten() {
            room &= outgoing.flush();
        }
        room
    }

    /// True if nothing is staged.
    pub(crate) fn is_empty(&self) -> bool {
        self.to
            .iter()
            .flatten()
            .all(|outgoing| outgoing.staged.is_empty() && outgoing.sealed.is_empty())
    }

    /// Takes what lies in the rings now, up to the next barrier of each; true if there was anything.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(ShardId, &mut Packet)) -> bool {
        let mut any = false;
        for (from, incoming) in (0..).zip(&mut self.from) {
            let Some(Incoming { ring, home, at }) = incoming else {
                continue;
            };
            for _ in 0..ring.slots() {
                if at.is_some() {
                    break;
                }
                let Ok(mut packet) = ring.pop() else { break };
                any = true;
                *at = packet.barrier;
                take(ShardId(from), &mut packet);
                packet.clear();
                // Without room there are more packets than are needed.
                let _ = home.push(packet);
            }
        }
        any
    }

    /// How full the fullest outgoing ring is, from 0 to 1.
    pub(crate) fn fill(&self) -> f64 {
        let outgoing = self.to.iter().flatten();
        let used = outgoing.map(|outgoing| RING_PACKETS - outgoing.ring.slots());
        used.max().unwrap_or(0) as f64 / RING_PACKETS as f64
    }

    /// Events sent to other shards so far.
    pub(crate) fn routed(&self) -> u64 {
        self.routed
    }

    fn outgoing(&mut self, to: ShardId) -> &mut Outgoing {
        let outgoing = self.to[usize::from(to.0)].as_mut();
        outgoing.expect("a shard keeps its own events")
    }
}

impl Outgoing {
    fn flush(&mut self) -> bool {
        if self.staged.is_empty() && self.sealed.is_empty() {
            return true;
        }
        if self.ring.is_abandoned() {
            // The run was stopped, and the receiver has ended before.
            self.staged = Packet::default();
            self.sealed.clear();
            return true;
        }
        while let Some(packet) = self.sealed.pop_front() {
            if let Err(PushError::Full(packet)) = self.ring.push(packet) {
                self.sealed.push_front(packet);
                return false;
            }
        }
        if self.staged.is_empty() {
            return true;
        }
        if self.ring.is_full() {
            return self.staged.len() < STAGED_EVENTS;
        }
        let next = self.home.pop().unwrap_or_default();
        let packet = std::mem::replace(&mut self.staged, next);
        self.ring
            .push(packet)
            .expect("there is room, and nobody else fills it");
        true
    }
}

impl Packet {
    fn len(&self) -> usize {
        self.events.len() + self.derived.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0 && self.promises.is_empty()
    }

    /// Keeps nothing but memory.
    fn clear(&mut self) {
        self.events.clear();
        self.derived.clear();
        self.promises.clear();
        self.barrier = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::judge::Judgements;
    use crate::event::formats::Spare;
    use crate::event::{Event, EventTypeId, Position};
    use crate::time::Timestamp;

    fn promise(at: i64) -> Watermark {
        Watermark(Timestamp(at))
    }

    fn judged(at: i64) -> Judged {
        let event = Event {
            ty: EventTypeId(0),
            time: Timestamp(at),
            position: Position::default(),
            values: Box::new([]),
        };
        Judged {
            event,
            concerns: Default::default(),
            arrived: 0,
        }
    }

    fn pair() -> (Links, Links) {
        let mut links = mesh(Shards::new(2).expect("two"));
        let (b, a) = (links.pop().expect("two"), links.pop().expect("two"));
        (a, b)
    }

    #[test]
    fn a_full_ring_keeps_events_in_order_on_the_writers_side_and_says_when_there_are_too_many() {
        let (mut a, mut b) = pair();
        let mut sent = 0;
        while a.flush() {
            a.send(ShardId(1), judged(sent));
            sent += 1;
        }
        assert!((a.fill() - 1.0).abs() < f64::EPSILON);
        assert_eq!(sent as usize, RING_PACKETS + STAGED_EVENTS);
        let mut seen = Vec::new();
        while b.receive(|_, packet| {
            let (judgements, spare) = (&mut Judgements::default(), &mut Spare::default());
            packet.events.unpack(judgements, spare, |judged| {
                seen.push(judged.event.time.0);
            });
        }) {
            a.flush();
        }
        assert!(a.is_empty());
        assert_eq!(seen, (0..sent).collect::<Vec<i64>>());
        assert_eq!(a.routed(), sent as u64);
    }

    #[test]
    fn a_promise_gives_way_to_a_later_one_and_holds_nobody_up() {
        let (mut a, mut b) = pair();
        for at in 0..1_000 {
            a.promise(0, promise(at));
            assert!(a.flush());
        }
        let mut last = Vec::new();
        while b.receive(|from, packet| last = vec![(from, packet.promises.clone())]) {
            a.flush();
        }
        assert!(
            matches!(&last[..], [(ShardId(0), promises)] if promises[..] == [(0, promise(999))])
        );
    }

    #[test]
    fn nothing_waits_for_a_shard_that_has_ended() {
        let (mut a, b) = pair();
        drop(b);
        for at in 0..2_000 {
            a.send(ShardId(1), judged(at));
        }
        assert!(a.flush() && a.is_empty());
    }
}
