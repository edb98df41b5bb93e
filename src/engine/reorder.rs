//! Puts arrivals in the order of events: by time, then source, partition and offset.
//!
//! No heap: what arrived since the last release is sorted as a batch and merged with what was held back, so an event is moved a few times, in
//! order, through memory. Held events between those that leave and those that are new stay where they are: a long delay, or a shard that is ahead
//! of the others, costs memory but no time. To keep the merge cheap the caller asks [`Reorder::is_due`]: a release
//! pays as soon as as much is new as it would move besides. Input that is in order already is not sorted at all.

use std::collections::VecDeque;

use super::judge::Judged;
use crate::time::{Timestamp, Watermark};

/// A release with less new events than this costs more than it brings.
const FRESH_MIN: usize = 2048;

/// Events that wait for the watermark.
#[derive(Debug, Default)]
pub(crate) struct Reorder {
    /// In order; left over from releases.
    held: VecDeque<Judged>,
    /// As they arrived since.
    fresh: Vec<Option<Judged>>,
    /// The order of `fresh`: time and place.
    order: Vec<(Timestamp, u32)>,
    /// Held events that come after new ones, the last first. Empty between calls; kept for its memory.
    later: Vec<Judged>,
    /// How many held events came after new ones at the last release.
    overtaken: usize,
    released: Option<Watermark>,
}

impl Reorder {
    /// Nothing waits.
    pub(crate) fn new() -> Reorder {
        Reorder::default()
    }

    /// Takes an event that is not before the watermark of the last release.
    #[inline]
    pub(crate) fn push(&mut self, judged: Judged) {
        debug_assert!(
            self.released
                .is_none_or(|released| released.0 <= judged.event.time),
            "late events leave before they are ordered"
        );
        self.fresh.push(Some(judged));
    }

    /// All events that wait, between a release and the next arrival.
    pub(crate) fn waiting(&self) -> &VecDeque<Judged> {
        debug_assert!(self.fresh.is_empty(), "released just now");
        &self.held
    }

    /// How many events a release would move besides new ones and those that leave, if it is like the last one.
    pub(crate) fn overtaken(&self) -> usize {
        self.overtaken
    }

    /// How many events wait.
    pub(crate) fn len(&self) -> usize {
        self.held.len() + self.fresh.len()
    }

    /// Whether enough has arrived to make a release cheap.
    pub(crate) fn is_due(&self) -> bool {
        self.fresh.len() >= self.overtaken.max(FRESH_MIN)
    }

    /// Appends to `out` all events with a time before the watermark, in order; with [`Watermark::FINAL`] all events.
    ///
    /// Costs a move per event that leaves, is new, or is held and comes after the first new one that stays; and sorting the new ones.
    pub(crate) fn release(&mut self, watermark: Watermark, out: &mut Vec<Judged>) {
        self.released = Some(watermark);
        self.sort_fresh();
        let leaves =
            |judged: &Judged| judged.event.time < watermark.0 || watermark == Watermark::FINAL;
        let (held, later, fresh) = (&mut self.held, &mut self.later, &mut self.fresh);
        let take = |(_, at): (Timestamp, u32)| {
            let event = fresh[at as usize].take();
            event.expect("each stands in the order once")
        };
        let mut new = self.order.drain(..).map(take).peekable();
        while let Some(first) = new.next_if(leaves) {
            while let Some(earlier) = held.pop_front_if(|held| rank(held) < rank(&first)) {
                out.push(earlier);
            }
            out.push(first);
        }
        while let Some(first) = held.pop_front_if(|held| leaves(held)) {
            out.push(first);
        }
        if let Some(first) = new.peek() {
            while let Some(last) = held.pop_back_if(|held| rank(held) > rank(first)) {
                later.push(last);
            }
        }
        self.overtaken = later.len();
        for event in new {
            while let Some(earlier) = later.pop_if(|later| rank(later) < rank(&event)) {
                held.push_back(earlier);
            }
            held.push_back(event);
        }
        held.extend(later.drain(..).rev());
        self.fresh.clear();
    }

    /// Fills `order`.
    fn sort_fresh(&mut self) {
        let event = |at: u32| {
            let judged = self.fresh[at as usize].as_ref();
            &judged.expect("only a release takes it").event
        };
        let count = u32::try_from(self.fresh.len()).expect("2^32 events would not fit into memory");
        self.order.extend((0..count).map(|at| (event(at).time, at)));
        if !self.order.is_sorted() {
            self.order.sort_unstable();
        }
        // Of one partition equal times stand in order of arrival. Of several, see to it.
        for equal in self.order.chunk_by_mut(|a, b| a.0 == b.0) {
            if equal.len() > 1 && !equal.is_sorted_by_key(|(_, at)| event(*at).position) {
                equal.sort_unstable_by_key(|(_, at)| event(*at).position);
            }
        }
    }
}

/// What events are ordered by.
#[inline]
fn rank(judged: &Judged) -> (Timestamp, crate::event::Position) {
    (judged.event.time, judged.event.position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventTypeId, Position};
    use proptest::prelude::*;

    fn event(time: i64, source: u16, offset: u64) -> Judged {
        let event = Event {
            ty: EventTypeId(0),
            time: Timestamp(time),
            position: Position {
                source,
                partition: 0,
                offset,
            },
            values: Box::new([]),
        };
        Judged {
            event,
            concerns: Default::default(),
            arrived: 0,
        }
    }

    fn released(reorder: &mut Reorder, watermark: i64) -> Vec<(i64, u16, u64)> {
        let mut out = Vec::new();
        reorder.release(Watermark(Timestamp(watermark)), &mut out);
        out.iter()
            .map(|judged| {
                (
                    judged.event.time.0,
                    judged.event.position.source,
                    judged.event.position.offset,
                )
            })
            .collect()
    }

    #[test]
    fn events_leave_in_order_once_the_watermark_has_passed_them() {
        let mut reorder = Reorder::new();
        for (time, source, offset) in [(5, 1, 0), (3, 1, 1), (5, 0, 0), (9, 0, 1)] {
            reorder.push(event(time, source, offset));
        }
        assert_eq!(released(&mut reorder, 3), []);
        assert_eq!(released(&mut reorder, 5), [(3, 1, 1)]);
        reorder.push(event(5, 0, 2));
        reorder.push(event(7, 1, 2));
        assert_eq!(
            released(&mut reorder, 9),
            [(5, 0, 0), (5, 0, 2), (5, 1, 0), (7, 1, 2)]
        );
        assert_eq!(reorder.len(), 1);
        assert_eq!(released(&mut reorder, i64::MAX), [(9, 0, 1)]);
        assert_eq!(reorder.len(), 0);
    }

    proptest! {
        /// Arrivals of three sources, each with times that rise by `steps` and are held up by at most `DELAY`.
        #[test]
        fn any_arrival_within_the_delay_leaves_in_one_order(
            arrivals in prop::collection::vec((0_i64..4, 0_i64..20, 0_u16..3), 0..200),
            release_every in 1_usize..50,
        ) {
            const DELAY: i64 = 20;
            let mut time = 0;
            let mut events: Vec<(i64, Judged)> = Vec::new();
            for (offset, (step, held_up, source)) in (0..).zip(arrivals) {
                time += step;
                events.push((time + held_up, event(time, source, offset)));
            }
            let mut want: Vec<Judged> = events.iter().map(|(_, event)| event.clone()).collect();
            want.sort_by_key(rank);
            events.sort_by_key(|(arrives, _)| *arrives);
            let mut reorder = Reorder::new();
            let mut out = Vec::new();
            let mut newest = 0;
            for (at, (_, event)) in events.into_iter().enumerate() {
                newest = newest.max(event.event.time.0);
                reorder.push(event);
                if at.is_multiple_of(release_every) {
                    let before = out.len();
                    let watermark = Watermark(Timestamp(newest - DELAY));
                    reorder.release(watermark, &mut out);
                    prop_assert!(out[before..].iter().all(|judged| judged.event.time < watermark.0));
                    prop_assert!(reorder.held.iter().all(|judged| judged.event.time >= watermark.0));
                }
            }
            reorder.release(Watermark::FINAL, &mut out);
            let ranks = |events: &[Judged]| events.iter().map(rank).collect::<Vec<_>>();
            prop_assert_eq!(ranks(&out), ranks(&want));
        }
    }
}
