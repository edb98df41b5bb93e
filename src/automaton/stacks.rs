//! Class D: what a key has of a pattern whose steps all follow each other by `then any`.
//!
//! Partial matches of such a pattern differ only in which of the events of each step they bound, and there can be as many as there are ways to choose
//! one of each. So they are never made: there is one stack of events for each step but the last, oldest first, and each event knows how many
//! events the next stack had when it came. Those from there on follow it. An event costs one entry, however many partial matches
//! it continues; when the last step comes, its matches are walked through, oldest first, each step once ([`walk`]). These are the active
//! instance stacks of SASE (Wu, Diao, Rizvi: "High-performance complex event processing over streams", 2006), linked forwards instead of backwards so that
//! matches come in the order in which they are to be considered.
//!
//! Nothing else differs from a list of runs, the count of partial matches included: a key that comes to have more than `bound` allows goes on with
//! the list that they are ([`Stacks::runs`]), and there they give way one by one.

mod walk;

use std::collections::VecDeque;

use super::choice::{Admitted, Choice, Outcome};
use super::linear::{LinearPlan, expiry, satisfies};
use super::matcher::Incoming;
use super::nfa::Nfa;
use super::register::Accumulator;
use super::run::{mix, place};
use super::shape::pairwise;
use crate::event::Value;
use crate::time::Timestamp;

/// What one key has in a pattern that is matched by stacks.
#[derive(Clone, Debug)]
pub struct Stacks {
    /// One for each step but the last. Every entry follows the first one of the stack before.
    pub(super) stacks: Box<[Stack]>,
    /// What `limit` let through lately.
    pub(super) admitted: Option<Box<Admitted>>,
}

/// The events that may be bound to one step, oldest first.
///
/// Entries have numbers that never change: how many came before them, ever.
#[derive(Clone, Debug, Default)]
pub(super) struct Stack {
    /// The number of the first entry.
    begin: u64,
    pub(super) entries: VecDeque<Entry>,
    /// What each entry puts into registers, entry by entry.
    pub(super) values: VecDeque<Accumulator>,
    /// At least the number of partial matches that end here: those whose start has expired may be counted still.
    paths: u64,
}

/// An event that was bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its place in the order of events.
    pub number: u64,
    pub time: Timestamp,
    /// A hash of where it came from.
    pub place: u64,
    /// The number of the first entry of the next stack that follows it. Never falls from one entry to the next.
    pub next: u64,
    /// At least the number of partial matches that end with it.
    pub paths: u32,
    /// Of a start: it has matched, so it never times out.
    pub matched: bool,
}

/// What an event leaves.
pub(crate) enum Room {
    /// As many partial matches as `bound` allows.
    Enough,
    /// More: they have to be told apart.
    Exceeded,
}

impl Stacks {
    pub(crate) fn new(plan: &LinearPlan) -> Stacks {
        let stacks = plan.steps.iter().skip(1).map(|_| Stack::default());
        Stacks {
            stacks: stacks.collect(),
            admitted: None,
        }
    }

    /// True if nothing is left to remember.
    pub(crate) fn is_empty(&self) -> bool {
        self.stacks[0].entries.is_empty() && self.admitted.is_none()
    }

    /// The earliest instant at which something happens without an event; [`Timestamp::MAX`] if nothing will.
    pub(crate) fn next_instant(&self, nfa: &Nfa) -> Timestamp {
        let expiry = match self.stacks[0].entries.front() {
            Some(start) => expiry(nfa, start.time),
            None => Timestamp::MAX,
        };
        match &self.admitted {
            Some(admitted) => expiry.min(admitted.forgotten()),
            None => expiry,
        }
    }

    /// True if both go on alike; see [`State::same`](super::State::same).
    pub(crate) fn same(&self, other: &Stacks) -> bool {
        let entries = |a: &Stack, b: &Stack| {
            a.entries.len() == b.entries.len()
                && a.entries
                    .iter()
                    .zip(&b.entries)
                    .all(|(a, b)| (a.number, a.place, a.matched) == (b.number, b.place, b.matched))
        };
        self.admitted.is_none()
            && other.admitted.is_none()
            && pairwise(&self.stacks, &other.stacks, entries)
    }

    /// The number of the newest event.
    #[cfg(feature = "testing")]
    pub(super) fn newest(&self) -> Option<u64> {
        let newest = self.stacks.iter().filter_map(|stack| stack.entries.back());
        newest.map(|entry| entry.number).max()
    }

    /// The same for states that are [the same](Stacks::same).
    pub(crate) fn digest(&self) -> u64 {
        let entries = self.stacks.iter().flat_map(|stack| &stack.entries);
        entries.fold(0, |hash, entry| mix(mix(hash, entry.number), entry.place))
    }

    /// How many partial matches end with each step but the last.
    pub(crate) fn paths(&self) -> Vec<u64> {
        let mut sums = Vec::with_capacity(self.stacks.len());
        self.count_paths(|_, _, _| (), |sum| sums.push(sum));
        sums
    }

    /// How many partial matches there are.
    pub(crate) fn partials(&self) -> u64 {
        self.paths()
            .iter()
            .fold(0, |all, of| all.saturating_add(*of))
    }

    /// Works out how many partial matches end with each entry (stack, place there, count) and with each stack. O(entries).
    fn count_paths(
        &self,
        mut of_entry: impl FnMut(usize, usize, u64),
        mut of_stack: impl FnMut(u64),
    ) {
        let mut before: Vec<u64> = Vec::new();
        for (depth, stack) in self.stacks.iter().enumerate() {
            let mut counts = Vec::with_capacity(stack.entries.len());
            let (mut followed, mut paths, mut sum) = (0, u64::from(depth == 0), 0_u64);
            for at in 0..stack.entries.len() {
                if depth > 0 {
                    let previous = &self.stacks[depth - 1].entries;
                    while followed < previous.len()
                        && previous[followed].next <= stack.begin + at as u64
                    {
                        paths = paths.saturating_add(before[followed]);
                        followed += 1;
                    }
                }
                of_entry(depth, at, paths);
                sum = sum.saturating_add(paths);
                counts.push(paths);
            }
            of_stack(sum);
            before = counts;
        }
    }

    /// True if there are more partial matches than `bound` allows.
    fn exceeds(&mut self, bound: u32) -> bool {
        let most = |stacks: &[Stack]| {
            let paths = stacks.iter().map(|stack| stack.paths);
            paths.fold(0, u64::saturating_add)
        };
        if most(&self.stacks) <= u64::from(bound) {
            return false;
        }
        // Counts of those that have expired are still in it.
        let (mut counts, mut sums) = (Vec::new(), Vec::new());
        self.count_paths(|_, _, paths| counts.push(paths), |sum| sums.push(sum));
        let mut counts = counts.into_iter();
        for (stack, sum) in self.stacks.iter_mut().zip(sums) {
            for (entry, paths) in stack.entries.iter_mut().zip(&mut counts) {
                entry.paths = u32::try_from(paths).unwrap_or(u32::MAX);
            }
            stack.paths = sum;
        }
        most(&self.stacks) > u64::from(bound)
    }

    /// Drops the starts that `gone` picks, which are the oldest, and what follows none but them.
    fn drop_starts(&mut self, gone: impl Fn(&Entry) -> bool, width: impl Fn(usize) -> usize) {
        let count = self.stacks[0].entries.partition_point(&gone);
        self.stacks[0].drop_front(count, width(0));
        for depth in 1..self.stacks.len() {
            let stack = &self.stacks[depth];
            let first = self.stacks[depth - 1].entries.front();
            let begin = first.map_or(stack.end(), |first| first.next);
            let count = begin.saturating_sub(stack.begin);
            self.stacks[depth].drop_front(count as usize, width(depth));
        }
    }

    /// Links every entry to those that follow it, which its number says, and counts partial matches. False if some entry follows none of the stack before.
    pub(super) fn link(&mut self) -> bool {
        for depth in (1..self.stacks.len()).rev() {
            let (before, after) = self.stacks.split_at_mut(depth);
            let (before, after) = (&mut before[depth - 1].entries, &after[0].entries);
            let starts = before.front().map(|first| first.number);
            let follows = |entry: &Entry| starts.is_some_and(|first| first < entry.number);
            if !after.front().is_none_or(follows) {
                return false;
            }
            let mut next = 0;
            for entry in before {
                while after
                    .get(next)
                    .is_some_and(|other| other.number <= entry.number)
                {
                    next += 1;
                }
                entry.next = next as u64;
            }
        }
        // None is more than this, so all are counted.
        self.stacks
            .iter_mut()
            .for_each(|stack| stack.paths = u64::MAX);
        self.exceeds(u32::MAX);
        true
    }
}

impl Stack {
    /// The number that the next entry will have.
    pub(super) fn end(&self) -> u64 {
        self.begin + self.entries.len() as u64
    }

    fn push(&mut self, entry: Entry) {
        self.paths = self.paths.saturating_add(u64::from(entry.paths));
        self.entries.push_back(entry);
    }

    /// `width`: how many registers an entry fills.
    fn drop_front(&mut self, count: usize, width: usize) {
        let count = count.min(self.entries.len());
        let paths = self
            .entries
            .drain(..count)
            .map(|entry| u64::from(entry.paths));
        self.paths = paths.fold(self.paths, u64::saturating_sub);
        self.values.drain(..count * width);
        self.begin += count as u64;
        self.give_room_back();
    }

    /// A key that was busy gives back the memory that it does not use any more.
    fn give_room_back(&mut self) {
        if self.entries.capacity() > ROOM_KEPT && self.entries.capacity() / 4 > self.entries.len() {
            self.entries.shrink_to(2 * self.entries.len());
            self.values.shrink_to(2 * self.values.len());
        }
    }
}

/// Room for so many entries is never given back.
const ROOM_KEPT: usize = 64;

/// Shows an event to a key. Instants up to the event's time have passed.
pub(crate) fn step(
    nfa: &Nfa,
    plan: &LinearPlan,
    state: &mut Stacks,
    incoming: Incoming<'_>,
    key: &[Value],
    out: &mut Outcome,
) -> Room {
    let mut choice = Choice::new(nfa, key, incoming.event.time);
    let last = state.stacks.len();
    let wanted = &plan.steps[last];
    if incoming.fits.has(wanted.step) && !state.stacks[last - 1].entries.is_empty() {
        walk::complete(nfa, plan, state, incoming, key, &mut choice, out);
    }
    // From the last to the first: an event does not follow itself.
    for depth in (0..last).rev() {
        let waited_for = depth == 0 || !state.stacks[depth - 1].entries.is_empty();
        if waited_for && satisfies(nfa, plan.steps[depth].step, incoming, key) {
            state.push(nfa, plan, depth, incoming, key);
        }
    }
    if choice.has_matches() {
        if nfa.timeout.is_some() {
            for start in &mut state.stacks[0].entries {
                start.matched |= choice.has_matched(start.number);
            }
        }
        let removed_before = choice.removed_before();
        if removed_before > 0 {
            state.drop_starts(
                |start| start.number < removed_before,
                |depth| plan.width(depth),
            );
        }
    }
    match state.exceeds(nfa.bound.count) {
        true => Room::Exceeded,
        false => Room::Enough,
    }
}

impl Stacks {
    /// Puts an event onto the stack of a step.
    fn push(
        &mut self,
        nfa: &Nfa,
        plan: &LinearPlan,
        depth: usize,
        incoming: Incoming<'_>,
        key: &[Value],
    ) {
        let next = self.stacks.get(depth + 1).map_or(0, Stack::end);
        let paths = match depth {
            0 => 1,
            _ => u32::try_from(self.stacks[depth - 1].paths).unwrap_or(u32::MAX),
        };
        let stack = &mut self.stacks[depth];
        stack.values.extend(plan.filled(nfa, depth, incoming, key));
        let Incoming { event, number, .. } = incoming;
        stack.push(Entry {
            number,
            time: event.time,
            place: place(event),
            next,
            paths,
            matched: false,
        });
    }
}

/// Lets every instant up to and including `until` pass, in order.
pub(crate) fn pass_instants(
    nfa: &Nfa,
    plan: &LinearPlan,
    state: &mut Stacks,
    until: Timestamp,
    key: &[Value],
    out: &mut Outcome,
) {
    loop {
        let instant = state.next_instant(nfa);
        if instant > until || instant == Timestamp::MAX {
            return;
        }
        let expired = |start: &Entry| expiry(nfa, start.time) <= instant;
        if nfa.timeout.is_some() {
            walk::time_out(nfa, plan, state, expired, key, out);
        }
        state.drop_starts(expired, |depth| plan.width(depth));
        let admitted = state.admitted.as_ref();
        if admitted.is_some_and(|admitted| admitted.forgotten() <= instant) {
            state.admitted = None;
        }
    }
}

#[cfg(test)]
mod tests;
