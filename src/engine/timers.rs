//! Which key is to be looked at when.
//!
//! Bounds of a pattern are constant and its events come in order of time, so instants are nearly always asked for in order: those go to a
//! queue, O(1) each. The few that don't (a `gap` beside a `within`) go to a heap. Nothing is cancelled: a key knows the instant it
//! waits for, and any other that comes due is ignored.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::time::Timestamp;

/// A key's slot and the generation of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wake {
    pub slot: u32,
    pub generation: u32,
}

/// Instants at which keys are to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Sorted by instant.
    queue: Queue,
    heap: BinaryHeap<Reverse<(Timestamp, Wake)>>,
}

/// A queue in pieces of fixed size: when it grows nothing is copied, and what was taken is given back.
#[derive(Debug, Default)]
struct Queue {
    /// Only a single one may be empty.
    pieces: VecDeque<VecDeque<(Timestamp, Wake)>>,
    len: usize,
}

/// Entries in a piece.
const PIECE_ENTRIES: usize = 4_096;

impl Queue {
    fn front(&self) -> Option<&(Timestamp, Wake)> {
        self.pieces.front()?.front()
    }

    fn back(&self) -> Option<&(Timestamp, Wake)> {
        self.pieces.back()?.back()
    }

    fn push_back(&mut self, entry: (Timestamp, Wake)) {
        self.len += 1;
        match self.pieces.back_mut() {
            Some(piece) if piece.len() < PIECE_ENTRIES => piece.push_back(entry),
            // The first one grows: most queues are short.
            None => self.pieces.push_back(VecDeque::from([entry])),
            Some(_) => {
                let mut piece = VecDeque::with_capacity(PIECE_ENTRIES);
                piece.push_back(entry);
                self.pieces.push_back(piece);
            }
        }
    }

    fn pop_front(&mut self) -> Option<(Timestamp, Wake)> {
        let piece = self.pieces.front_mut()?;
        let entry = piece.pop_front()?;
        self.len -= 1;
        // The last one is kept for its memory.
        if piece.is_empty() && self.pieces.len() > 1 {
            self.pieces.pop_front();
        }
        Some(entry)
    }

    /// Lets go of entries; what is left moves together.
    fn retain(&mut self, mut keep: impl FnMut(&(Timestamp, Wake)) -> bool) {
        self.len = 0;
        for piece in std::mem::take(&mut self.pieces) {
            let kept = piece.into_iter().filter(|entry| keep(entry));
            kept.for_each(|entry| self.push_back(entry));
        }
    }
}

impl Timers {
    /// Asks for a look at `instant`.
    pub(crate) fn add(&mut self, instant: Timestamp, wake: Wake) {
        if self.queue.back().is_none_or(|(last, _)| *last <= instant) {
            self.queue.push_back((instant, wake));
        } else {
            self.heap.push(Reverse((instant, wake)));
        }
    }

    /// The earliest instant asked for.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let queued = self.queue.front().map(|(instant, _)| *instant);
        let heaped = self.heap.peek().map(|Reverse((instant, _))| *instant);
        match (queued, heaped) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Most of those that will be due at `instant` or before, the next ones first.
    pub(crate) fn upcoming(&self, instant: Timestamp) -> impl Iterator<Item = Wake> + Clone {
        let queued = self.queue.pieces.iter().flatten();
        let due = queued.take_while(move |(due, _)| *due <= instant);
        due.map(|(_, wake)| *wake)
    }

    /// How many instants are asked for.
    pub(crate) fn len(&self) -> usize {
        self.queue.len + self.heap.len()
    }

    /// Lets go of those that mean nothing any more.
    pub(crate) fn retain(&mut self, mut means: impl FnMut(Timestamp, Wake) -> bool) {
        self.queue.retain(|(instant, wake)| means(*instant, *wake));
        (self.heap).retain(|Reverse((instant, wake))| means(*instant, *wake));
        self.heap.shrink_to(2 * self.heap.len());
    }

    /// Takes one of those due at `instant` or before.
    pub(crate) fn pop(&mut self, instant: Timestamp) -> Option<Wake> {
        if let Some((due, wake)) = self.queue.front()
            && *due <= instant
        {
            let wake = *wake;
            self.queue.pop_front();
            return Some(wake);
        }
        if self
            .heap
            .peek()
            .is_some_and(|Reverse((due, _))| *due <= instant)
        {
            return self.heap.pop().map(|Reverse((_, wake))| wake);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_of_many_pieces_is_one_queue() {
        let mut queue = Queue::default();
        let entry = |at: u32| {
            let generation = 0;
            let slot = at;
            (Timestamp(i64::from(at)), Wake { slot, generation })
        };
        let many = 3 * PIECE_ENTRIES as u32 + 7;
        for round in 0..3 {
            (0..many).for_each(|at| queue.push_back(entry(at)));
            assert_eq!(
                (queue.len, queue.back()),
                (many as usize, Some(&entry(many - 1)))
            );
            queue.retain(|(at, _)| at.0 % 3 == round);
            let kept: Vec<u32> = (0..many).filter(|at| i64::from(at % 3) == round).collect();
            assert_eq!(queue.len, kept.len());
            for at in kept {
                assert_eq!(queue.front(), Some(&entry(at)));
                assert_eq!(queue.pop_front(), Some(entry(at)));
            }
            assert_eq!(queue.pop_front(), None);
            assert_eq!((queue.len, queue.front()), (0, None));
        }
    }

    #[test]
    fn instants_come_due_in_order_whatever_the_order_they_were_asked_for() {
        let mut timers = Timers::default();
        for (slot, instant) in [5, 9, 3, 9, 1].into_iter().enumerate() {
            timers.add(
                Timestamp(instant),
                Wake {
                    slot: slot as u32,
                    generation: 0,
                },
            );
        }
        let mut due = Vec::new();
        while let Some(next) = timers.next() {
            while let Some(wake) = timers.pop(next) {
                due.push((next.0, wake.slot));
            }
        }
        due.sort_unstable();
        assert_eq!(due, [(1, 4), (3, 2), (5, 0), (9, 1), (9, 3)]);
    }
}
