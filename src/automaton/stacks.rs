//! Classes D and E: what a key has of a pattern whose steps all follow each other by `then any`, loops of `combinations`, alternatives and optional steps included.
//!
//! Partial matches of such a pattern differ only in which of the events of each step they bound, and there can be as many as there are ways to choose
//! among them: in a loop as many as there are subsets. So they are never made: there is one stack of events for each step that something may follow, oldest first. What of another stack follows an event
//! its number says. An event costs one entry for each step that it satisfies, however many partial matches
//! it continues; when a match is complete, all that the event completes are walked through, in the order in which they are to be considered, and nothing is looked at that leads nowhere ([`walk`]). These are the active
//! instance stacks of SASE (Wu, Diao, Rizvi: "High-performance complex event processing over streams", 2006), walked forwards instead of backwards; with loops they take the place of an arena of shared
//! partial matches (Bucchi, Grez, Quintana, Riveros, Vansummeren: "CORE: a complex event recognition engine", 2022).
//!
//! Nothing else differs from a list of runs, the count of partial matches included ([`count`]): a key that comes to have more than `bound` allows goes on with
//! the list that they are ([`Stacks::runs`]), and there they give way one by one.

mod count;
mod plan;
mod walk;

use std::collections::VecDeque;
use std::ops::Range;

use smallvec::SmallVec;

use super::choice::{Admitted, Choice, Outcome, forget_admitted};
use super::expression::StepMask;
use super::linear::{expiry, satisfies};
use super::matcher::Incoming;
use super::nfa::Nfa;
use super::register::Accumulator;
use super::run::{mix, place};
use super::shape::pairwise;
use crate::event::Value;
use crate::time::Timestamp;
pub(crate) use plan::StackPlan;

/// What one key has in a pattern that is matched by stacks.
#[derive(Clone, Debug)]
pub struct Stacks {
    /// One for each step that something may follow. Every entry begins a partial match, or follows one of a stack before it.
    pub(super) stacks: Box<[Stack]>,
    /// What `limit` let through lately.
    pub(super) admitted: Option<Box<Admitted>>,
}

/// The events that may be bound to one step, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Stack {
    pub(super) entries: VecDeque<Entry>,
    /// What each entry puts into registers, entry by entry.
    pub(super) values: VecDeque<Accumulator>,
    /// At least the number of ways to come to an entry: those whose start has expired may be counted still.
    paths: u64,
}

/// An event that was bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its place in the order of events. Rises from one entry to the next.
    pub number: u64,
    pub time: Timestamp,
    /// A hash of where it came from.
    pub place: u64,
    /// At least the number of ways to come to it.
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
    pub(crate) fn new(plan: &StackPlan) -> Stacks {
        let stacks = plan.steps.iter().map(|_| Stack::default());
        Stacks {
            stacks: stacks.collect(),
            admitted: None,
        }
    }

    /// True if nothing is left to remember.
    pub(crate) fn is_empty(&self) -> bool {
        // What begins nothing is not there without what it follows.
        self.stacks.iter().all(|stack| stack.entries.is_empty()) && self.admitted.is_none()
    }

    /// The earliest instant at which something happens without an event; [`Timestamp::MAX`] if nothing will.
    pub(crate) fn next_instant(&self, nfa: &Nfa, plan: &StackPlan) -> Timestamp {
        let nodes = plan.begins.iter().filter_map(|begin| begin.node);
        let stacks = nodes.map(|node| &self.stacks[plan.nodes[node].stack]);
        let starts = stacks.filter_map(|stack| stack.entries.front());
        let oldest = starts.map(|start| start.time).min();
        let expiry = oldest.map_or(Timestamp::MAX, |first| expiry(nfa, first));
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

    /// True if something can come to a step: a partial match begins with it, or an event of a step before it is there.
    fn waits_for(&self, plan: &StackPlan, stack: usize) -> bool {
        let mut before = plan.earlier(stack);
        plan.steps[stack].begins || before.any(|before| !self.stacks[before].entries.is_empty())
    }

    /// Drops the starts that `gone` picks, which are the oldest, and what follows none but them.
    fn drop_starts(&mut self, plan: &StackPlan, gone: impl Fn(&Entry) -> bool) {
        for at in 0..self.stacks.len() {
            let count = match plan.steps[at].begins {
                true => self.stacks[at].entries.partition_point(&gone),
                false => self.stacks[at].up_to(self.first_before(plan, at)),
            };
            self.stacks[at].drop_front(count, plan.width(at));
        }
    }

    /// Calls `take` with all starts, oldest first: with a node and entries of its stack that no start of another node lies between. Of each node only the first entries count,
    /// so many as `upto` says. Where an event begins in several ways the preferred one comes first.
    fn each_start(
        &self,
        plan: &StackPlan,
        upto: impl Fn(usize) -> usize,
        mut take: impl FnMut(usize, Range<usize>),
    ) {
        let nodes = plan.begins.iter().filter_map(|begin| begin.node);
        let mut rest: SmallVec<[(usize, Range<usize>); 2]> =
            nodes.map(|node| (node, 0..upto(node))).collect();
        let stack = |node: usize| &self.stacks[plan.nodes[node].stack];
        let number = |(node, rest): &(usize, Range<usize>)| match rest.is_empty() {
            true => u64::MAX,
            false => stack(*node).entries[rest.start].number,
        };
        loop {
            let heads = rest.iter().map(number).enumerate();
            let Some((at, head)) = heads.min_by_key(|(_, number)| *number) else {
                return;
            };
            if head == u64::MAX {
                return;
            }
            let others = rest.iter().enumerate().filter(|(other, _)| *other != at);
            let next = others.map(|(_, other)| number(other)).min();
            let (node, Range { start, end }) = rest[at].clone();
            let before = next.map_or(end, |next| stack(node).before(next));
            let end = end.min(before.max(start + 1));
            rest[at].1.start = end;
            take(node, start..end);
        }
    }

    /// The entries of a stack behind the event of a number and before another one.
    fn following(&self, stack: usize, number: u64, barred: u64) -> Range<usize> {
        let stack = &self.stacks[stack];
        let end = match barred {
            u64::MAX => stack.entries.len(),
            _ => stack.before(barred),
        };
        stack.up_to(number)..end
    }

    /// The number of the first event that those of a stack can follow.
    fn first_before(&self, plan: &StackPlan, stack: usize) -> u64 {
        let before = plan.earlier(stack);
        let firsts = before.filter_map(|before| self.stacks[before].entries.front());
        firsts.map(|first| first.number).min().unwrap_or(u64::MAX)
    }

    /// Counts partial matches anew, once all events are there. `None` if some event follows none, or if there are more than any `bound` allows.
    pub(super) fn counted(mut self, plan: &StackPlan) -> Option<Stacks> {
        let follows = |at: usize| {
            let first = self.stacks[at].entries.front();
            first.is_none_or(|first| self.first_before(plan, at) < first.number)
        };
        let mut following = (0..self.stacks.len()).filter(|at| !plan.steps[*at].begins);
        let all_follow = following.all(follows);
        (all_follow && self.count_anew(plan) <= u64::from(u32::MAX)).then_some(self)
    }
}

impl Stack {
    fn push(&mut self, entry: Entry) {
        self.paths = self.paths.saturating_add(u64::from(entry.paths));
        self.entries.push_back(entry);
    }

    /// How many entries are not newer than this number: the first ones.
    fn up_to(&self, number: u64) -> usize {
        self.entries.partition_point(|entry| entry.number <= number)
    }

    /// How many entries are older than this number: the first ones.
    fn before(&self, number: u64) -> usize {
        self.entries.partition_point(|entry| entry.number < number)
    }

    /// The number of the first entry behind this number; [`u64::MAX`] if there is none.
    fn next_after(&self, number: u64) -> u64 {
        let next = self.entries.get(self.up_to(number));
        next.map_or(u64::MAX, |entry| entry.number)
    }

    /// `width`: how many registers an entry fills.
    fn drop_front(&mut self, count: usize, width: usize) {
        let paths = self
            .entries
            .drain(..count)
            .map(|entry| u64::from(entry.paths));
        self.paths = paths.fold(self.paths, u64::saturating_sub);
        self.values.drain(..count * width);
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

/// An event as the stacks of one key see it.
#[derive(Clone, Copy)]
struct Shown<'a> {
    incoming: Incoming<'a>,
    key: &'a [Value],
    /// Steps of stacks that it satisfies and something waits for, and those with which a match completes and that it may satisfy: of these each match is asked.
    satisfied: StepMask,
}

/// Shows an event to a key. Instants up to the event's time have passed.
pub(crate) fn step(
    nfa: &Nfa,
    plan: &StackPlan,
    state: &mut Stacks,
    incoming: Incoming<'_>,
    key: &[Value],
    out: &mut Outcome,
) -> Room {
    let mut choice = Choice::new(nfa, key, incoming.event.time);
    let fits = StepMask(incoming.fits.0 & !plan.stacked.0);
    let mut shown = Shown {
        incoming,
        key,
        satisfied: fits,
    };
    let fitting = incoming.fits.0 & plan.stacked.0 != 0;
    for (at, stacked) in plan.steps.iter().enumerate().filter(|_| fitting) {
        let step = stacked.filled.step;
        // Of many steps an event fits few.
        if incoming.fits.has(step)
            && state.waits_for(plan, at)
            && satisfies(nfa, step, incoming, key)
        {
            shown.satisfied.add(step);
        }
    }
    if shown.satisfied.0 & plan.last.0 != 0 {
        walk::complete(nfa, plan, state, shown, &mut choice, out);
    }
    // From the last to the first: an event does not follow itself.
    let pushed = shown.satisfied.0 & plan.stacked.0 != 0;
    for (at, stacked) in plan.steps.iter().enumerate().rev().filter(|_| pushed) {
        if shown.satisfied.has(stacked.filled.step) {
            state.push(nfa, plan, at, incoming, key);
        }
    }
    if choice.has_matches() {
        if nfa.timeout.is_some() {
            let begins = plan.steps.iter().map(|stacked| stacked.begins);
            let stacks = state.stacks.iter_mut().zip(begins);
            for (stack, _) in stacks.filter(|(_, begins)| *begins) {
                for start in &mut stack.entries {
                    start.matched |= choice.has_matched(start.number);
                }
            }
        }
        let removed_before = choice.removed_before();
        if removed_before > 0 {
            state.drop_starts(plan, |start| start.number < removed_before);
        }
    }
    match state.exceeds(plan, nfa.bound.count) {
        true => Room::Exceeded,
        false => Room::Enough,
    }
}

impl Stacks {
    /// Puts an event onto the stack of a step.
    fn push(
        &mut self,
        nfa: &Nfa,
        plan: &StackPlan,
        stack: usize,
        incoming: Incoming<'_>,
        key: &[Value],
    ) {
        let stacked = &plan.steps[stack];
        let before = stacked
            .before
            .iter()
            .map(|before| self.stacks[*before].paths);
        let paths = before.fold(u64::from(stacked.begins), u64::saturating_add);
        let stack = &mut self.stacks[stack];
        stack
            .values
            .extend(stacked.filled.values(nfa, incoming, key));
        let Incoming { event, number, .. } = incoming;
        stack.push(Entry {
            number,
            time: event.time,
            place: place(event),
            paths: u32::try_from(paths).unwrap_or(u32::MAX),
            matched: false,
        });
    }
}

/// Lets every instant up to and including `until` pass, in order.
pub(crate) fn pass_instants(
    nfa: &Nfa,
    plan: &StackPlan,
    state: &mut Stacks,
    until: Timestamp,
    key: &[Value],
    out: &mut Outcome,
) {
    loop {
        let instant = state.next_instant(nfa, plan);
        if instant > until || instant == Timestamp::MAX {
            return;
        }
        let expired = |start: &Entry| expiry(nfa, start.time) <= instant;
        if nfa.timeout.is_some() {
            walk::time_out(nfa, plan, state, expired, key, out);
        }
        state.drop_starts(plan, expired);
        forget_admitted(&mut state.admitted, instant);
    }
}

#[cfg(test)]
mod tests;
