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
    queue: VecDeque<(Timestamp, Wake)>,
    heap: BinaryHeap<Reverse<(Timestamp, Wake)>>,
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

    /// How many instants are asked for.
    pub(crate) fn len(&self) -> usize {
        self.queue.len() + self.heap.len()
    }

    /// Lets go of those that mean nothing any more.
    pub(crate) fn retain(&mut self, mut means: impl FnMut(Timestamp, Wake) -> bool) {
        self.queue.retain(|(instant, wake)| means(*instant, *wake));
        (self.heap).retain(|Reverse((instant, wake))| means(*instant, *wake));
        self.queue.shrink_to(2 * self.queue.len());
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
