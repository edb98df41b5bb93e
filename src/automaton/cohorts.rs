//! Class B: what a key has of a pattern whose steps follow each other by `then` and `next`, and whose conditions ask of an event nothing but what it is.
//!
//! Then every event that can begin a partial match begins one, and what an event does to it depends on the step it has come to alone: those at one
//! step go on together, are broken together, and stay together for ever. Older ones are never behind newer ones. So there is one list of starts, oldest first,
//! and for each later step the events that were bound to it, each with the newest start that bound it. An event costs a search for each
//! step, however many partial matches there are, and each of these no more than its first event.
//!
//! What is counted from the step before (`within` and `after` behind `then`, and what is absent for a time) divides those at one step: the older ones came there no later than the newer
//! ones, so they are the first whose time is over, and the first that have waited long enough.
//!
//! The first of two steps may be a loop, whose every event then is a start and one more event of all starts before it: how many a start has bound are those from
//! it on. Once the oldest completes `skip past match` removes all.
//!
//! An absence at the end is one more step, behind which partial matches wait for time to pass: the oldest of all first, and they do not expire.
//!
//! Rows are the same as those of a list of runs, and so is what gives way to `bound`.

mod walk;

use std::collections::VecDeque;
use std::ops::Range;

use smallvec::SmallVec;

use super::choice::{Admitted, Choice, Outcome, evicted, forget_admitted, timed_out};
use super::linear::{Ending, LinearPlan, expiry, satisfies, satisfies_any};
use super::matcher::Incoming;
use super::nfa::{Nfa, Way};
use super::register::Accumulator;
use super::run::{end_of, mix, place};
use crate::event::Value;
use crate::lang::pattern::{Contiguity, Evict};
use crate::time::{Span, Timestamp};
use walk::Walk;

/// What one key has in a pattern that is matched by cohorts.
#[derive(Clone, Debug, Default)]
pub struct Cohorts {
    /// The first events of partial matches, one each, oldest first.
    pub(super) starts: VecDeque<Bound>,
    /// For each step after the first behind which something is waited for, the events that were bound to it, oldest first. Empty until the first of them is.
    pub(super) records: Box<[VecDeque<Record>]>,
    /// What `limit` let through lately.
    pub(super) admitted: Option<Box<Admitted>>,
}

/// An event that was bound.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// Its place in the order of events.
    pub number: u64,
    pub time: Timestamp,
    /// A hash of where it came from.
    pub place: u64,
    /// What it puts into registers.
    pub values: SmallVec<[Accumulator; 1]>,
}

/// An event that was bound by all starts that had come to the step before.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub event: Bound,
    /// The number of the newest start that bound it; it rises from one record to the next. A start has bound the first record that is not below its number.
    pub newest: u64,
}

impl Cohorts {
    /// True if nothing is left to remember.
    pub(crate) fn is_empty(&self) -> bool {
        self.starts.is_empty() && self.admitted.is_none()
    }

    /// Reads a little of the records.
    #[inline]
    pub(super) fn glance_on(&self) -> u64 {
        let records = self.records.first().and_then(VecDeque::front);
        records.map_or(0, |record| record.newest)
    }

    /// How many partial matches there are.
    pub(crate) fn partials(&self) -> usize {
        self.starts.len()
    }

    /// The earliest instant at which something happens without an event; [`Timestamp::MAX`] if nothing will.
    pub(crate) fn next_instant(&self, nfa: &Nfa, plan: &LinearPlan) -> Timestamp {
        let ending = self.ending(plan);
        let ends = match self.starts.front() {
            Some(start) if ending > 0 => self.ends(nfa, plan, start),
            _ => Timestamp::MAX,
        };
        let expiry = match self.starts.get(ending) {
            Some(start) => expiry(nfa, start.time),
            None => Timestamp::MAX,
        };
        let next = ends.min(expiry).min(self.next_gap(nfa, plan));
        match &self.admitted {
            Some(admitted) => next.min(admitted.forgotten()),
            None => next,
        }
    }

    /// How many starts wait for nothing but the end: the oldest ones.
    fn ending(&self, plan: &LinearPlan) -> usize {
        match plan.ending {
            Ending::Event => 0,
            Ending::Absence(..) | Ending::AbsenceWithin(_) => self.reached(plan.steps.len() - 1),
        }
    }

    /// When a start that waits for nothing but the end completes. Never falls from one to the next.
    fn ends(&self, nfa: &Nfa, plan: &LinearPlan, start: &Bound) -> Timestamp {
        match plan.ending {
            Ending::Event => Timestamp::MAX,
            Ending::AbsenceWithin(_) => expiry(nfa, start.time).minus(Span(1)),
            Ending::Absence(_, span) => self.came(start, plan.steps.len() - 1).plus(span),
        }
    }

    /// When a start came to a step, which it has come to. Never falls from one to the next.
    fn came(&self, start: &Bound, depth: usize) -> Timestamp {
        let Some(before) = depth.checked_sub(1) else {
            return start.time;
        };
        let records = &self.records[before];
        let at = records.partition_point(|record| record.newest < start.number);
        records[at].event.time
    }

    /// How many starts came to a step early enough for a time to have passed since, or farther: the oldest ones.
    fn waited(&self, depth: usize, span: Span, now: Timestamp) -> usize {
        let early = |came: Timestamp| came.plus(span) <= now;
        let Some(before) = depth.checked_sub(1) else {
            return self.starts.partition_point(|start| early(start.time));
        };
        let records = self.records.get(before);
        let newest = records.and_then(|records| {
            let count = records.partition_point(|record| early(record.event.time));
            records.get(count.checked_sub(1)?)
        });
        newest.map_or(0, |record| self.up_to(record.newest))
    }

    /// The steps behind which something is waited for that has to come within a time since: each with the time.
    fn gaps<'a>(
        nfa: &'a Nfa,
        plan: &'a LinearPlan,
    ) -> impl DoubleEndedIterator<Item = (usize, Span)> + 'a {
        let depths = 0..if plan.gaps { plan.steps.len() - 1 } else { 0 };
        depths.filter_map(|depth| Some((depth, nfa.positions[depth + 1].ways[0].gap?)))
    }

    /// The earliest instant at which it is too late for one of those; [`Timestamp::MAX`] if it never is.
    fn next_gap(&self, nfa: &Nfa, plan: &LinearPlan) -> Timestamp {
        let ends = Self::gaps(nfa, plan).filter_map(|(depth, gap)| {
            let oldest = self.reached(depth + 1);
            let start = self
                .starts
                .get(oldest)
                .filter(|_| oldest < self.reached(depth))?;
            Some(end_of(Some(gap), self.came(start, depth)))
        });
        ends.min().unwrap_or(Timestamp::MAX)
    }

    /// How many starts have come to a step, or farther: the oldest ones.
    pub(super) fn reached(&self, depth: usize) -> usize {
        let Some(before) = depth.checked_sub(1) else {
            return self.starts.len();
        };
        let newest = self.records.get(before).and_then(VecDeque::back);
        newest.map_or(0, |record| self.up_to(record.newest))
    }

    /// How many starts are not newer than this number.
    pub(super) fn up_to(&self, number: u64) -> usize {
        self.starts.partition_point(|start| start.number <= number)
    }

    /// How many starts the matches of a moment have removed: the oldest ones.
    fn removed(&self, choice: &Choice<'_>) -> usize {
        self.up_to(choice.removed_before().saturating_sub(1))
    }

    /// By step, how many partial matches wait behind it.
    pub(crate) fn counts(&self) -> impl Iterator<Item = usize> {
        let steps = 0..=self.records.len();
        steps.map(|depth| self.reached(depth) - self.reached(depth + 1))
    }

    /// The events bound to a step after the first, each with how many of the starts that there still are have bound it, which is never none.
    pub(super) fn bound(&self, depth: usize) -> impl Iterator<Item = (&Bound, usize)> {
        let records = self.records.get(depth - 1).into_iter().flatten();
        let mut before = 0;
        records.filter_map(move |record| {
            let upto = self.up_to(record.newest);
            let count = upto - std::mem::replace(&mut before, upto);
            (count > 0).then_some((&record.event, count))
        })
    }

    /// True if both go on alike; see [`State::same`](super::State::same).
    pub(crate) fn same(&self, other: &Cohorts) -> bool {
        let event = |bound: &Bound| (bound.number, bound.place);
        let mut steps = 1..=self.records.len().max(other.records.len());
        self.admitted.is_none()
            && other.admitted.is_none()
            && self.starts.len() == other.starts.len()
            && self
                .starts
                .iter()
                .map(event)
                .eq(other.starts.iter().map(event))
            && steps.all(|depth| {
                let bound = self
                    .bound(depth)
                    .map(|(bound, count)| (event(bound), count));
                bound.eq(other
                    .bound(depth)
                    .map(|(bound, count)| (event(bound), count)))
            })
    }

    /// The same for states that are [the same](Cohorts::same).
    pub(crate) fn digest(&self) -> u64 {
        let starts = self.starts.iter().map(|start| start.number);
        starts
            .chain(self.counts().map(|count| count as u64))
            .fold(0, mix)
    }

    /// The number of the newest event.
    #[cfg(feature = "testing")]
    pub(super) fn newest(&self) -> Option<u64> {
        let records = self.records.iter().filter_map(VecDeque::back);
        let records = records.map(|record| record.event.number);
        let start = self.starts.back().map(|start| start.number);
        records.chain(start).max()
    }

    /// Drops records that no start has bound any more, once there are many.
    fn sweep(&mut self) {
        let first = self.starts.front().map_or(u64::MAX, |start| start.number);
        for depth in 0..self.records.len() {
            let records = &mut self.records[depth];
            while records.front().is_some_and(|record| record.newest < first) {
                records.pop_front();
            }
            if records.capacity() > RECORDS_KEPT && records.capacity() / 4 > records.len() {
                records.shrink_to(2 * records.len());
            }
            // Starts that were broken leave theirs in between.
            if records.len() > RECORDS_KEPT && records.len() / 2 > self.starts.len() {
                let starts = &self.starts;
                let mut before = 0;
                records.retain(|record| {
                    let upto = starts.partition_point(|start| start.number <= record.newest);
                    std::mem::replace(&mut before, upto) < upto
                });
            }
        }
    }

    /// A key that was busy gives back the memory that it does not use any more.
    fn give_room_back(&mut self) {
        let capacity = self.starts.capacity();
        if capacity > STARTS_KEPT && capacity / 4 > self.starts.len() {
            self.starts.shrink_to(2 * self.starts.len());
        }
    }
}

/// So many records of a step may be of no use.
const RECORDS_KEPT: usize = 16;

/// Room for so many starts is never given back.
const STARTS_KEPT: usize = 16;

/// Shows an event to a key. Instants up to the event's time have passed.
pub(crate) fn step(
    nfa: &Nfa,
    plan: &LinearPlan,
    state: &mut Cohorts,
    incoming: Incoming<'_>,
    key: &[Value],
    out: &mut Outcome,
) {
    let mut choice = Choice::new(nfa, key, incoming.event.time);
    let count = state.starts.len();
    let begins = satisfies(nfa, plan.steps[0].step, incoming, key);
    match plan.repeats {
        _ if count == 0 => {}
        None => state.go_on(nfa, plan, incoming, key, &mut choice, out),
        // All of them take it, and with it one more begins.
        Some(_) if begins => {}
        Some(repeats) => {
            let least = repeats.least as usize;
            if let Some(repeated @ 1..) = (count + 1).checked_sub(least)
                && satisfies(nfa, plan.steps[1].step, incoming, key)
            {
                state.complete(nfa, plan, repeated, incoming, key, &mut choice, out);
            }
        }
    }
    if begins {
        if state.starts.capacity() == 0 {
            // Most keys have one.
            state.starts.reserve_exact(1);
        }
        state
            .starts
            .push_back(Bound::new(nfa, plan, 0, incoming, key));
    }
    if choice.has_matches() {
        state.starts.drain(..state.removed(&choice));
    }
    // Those that end at this time already have come to wait with this event.
    state.end(nfa, plan, incoming.event.time, key, out);
    state.evict(nfa, plan, incoming.event.time, out);
    state.sweep();
    state.give_room_back();
}

impl Bound {
    fn new(
        nfa: &Nfa,
        plan: &LinearPlan,
        depth: usize,
        incoming: Incoming<'_>,
        key: &[Value],
    ) -> Bound {
        Bound {
            number: incoming.number,
            time: incoming.event.time,
            place: place(incoming.event),
            values: plan.steps[depth].values(nfa, incoming, key).collect(),
        }
    }
}

impl Cohorts {
    /// Shows an event to the partial matches there are: the farthest first, for none binds it twice.
    fn go_on<'a>(
        &mut self,
        nfa: &'a Nfa,
        plan: &'a LinearPlan,
        incoming: Incoming<'a>,
        key: &'a [Value],
        choice: &mut Choice<'a>,
        out: &mut Outcome,
    ) {
        let last = plan.steps.len() - 1;
        let mut farther = 0;
        for depth in (0..plan.waiting()).rev() {
            let reached = self.reached(depth);
            if reached == farther {
                continue;
            }
            if depth == last {
                match satisfies_any(nfa, plan.ending.absent(), incoming, key) {
                    true => drop(self.starts.drain(..reached)),
                    false => farther = reached,
                }
                continue;
            }
            let way = &nfa.positions[depth + 1].ways[0];
            let waits = way.holds.iter().map(|(_, span)| *span).chain(way.after);
            let ripe = self.past(depth, waits, farther..reached, incoming.event.time);
            let binds = ripe > farther && satisfies(nfa, plan.steps[depth + 1].step, incoming, key);
            let mut rest = if binds { ripe } else { farther }..reached;
            if binds && depth + 1 == last && plan.ending == Ending::Event {
                self.complete(nfa, plan, ripe, incoming, key, choice, out);
                self.starts.drain(..ripe);
                rest = 0..reached - ripe;
            } else if binds {
                let event = Bound::new(nfa, plan, depth + 1, incoming, key);
                let newest = self.starts[ripe - 1].number;
                self.bind(plan.waiting() - 1, depth + 1, event, newest);
            }
            farther = if rest.is_empty() {
                rest.end
            } else if satisfies_any(nfa, way.between, incoming, key)
                || way.contiguity == Contiguity::Strict && way.holds.is_empty()
            {
                let start = rest.start;
                self.starts.drain(rest);
                start
            } else if way.holds.is_empty() {
                rest.end
            } else {
                self.hold(nfa, way, depth, rest, incoming, key)
            };
        }
    }

    /// Of starts that have come to a step those for which all of these times have passed since: the first ones, up to here.
    fn past(
        &self,
        depth: usize,
        spans: impl Iterator<Item = Span>,
        starts: Range<usize>,
        now: Timestamp,
    ) -> usize {
        match spans.max() {
            Some(span) => self
                .waited(depth, span, now)
                .clamp(starts.start, starts.end),
            None => starts.end,
        }
    }

    /// Shows an event to starts that have come to a step and do not go on with it, behind which something has to be absent for a time: how many of all starts are left up to the last of these.
    fn hold(
        &mut self,
        nfa: &Nfa,
        way: &Way,
        depth: usize,
        starts: Range<usize>,
        incoming: Incoming<'_>,
        key: &[Value],
    ) -> usize {
        let Range { start, end } = starts;
        let now = incoming.event.time;
        let holds = way.holds.iter();
        let broken = holds
            .clone()
            .filter(|(steps, _)| satisfies_any(nfa, *steps, incoming, key));
        let spoilt = self.past(depth, broken.map(|(_, span)| *span), start..end, now);
        // Until then `next` minds nothing else.
        let strictly = match way.contiguity {
            Contiguity::Strict => self.past(depth, holds.map(|(_, span)| *span), start..end, now),
            _ => start,
        };
        self.starts.drain(spoilt.max(strictly)..end);
        self.starts.drain(start..strictly);
        start + spoilt.saturating_sub(strictly)
    }

    /// Notes that all starts that have come to the step before have bound an event. `steps`: how many there are after the first behind which something is waited for.
    fn bind(&mut self, steps: usize, depth: usize, event: Bound, newest: u64) {
        if self.records.is_empty() {
            self.records = std::iter::repeat_with(VecDeque::new).take(steps).collect();
        }
        self.records[depth - 1].push_back(Record { event, newest });
    }

    /// Considers the matches of the oldest starts, which an event completes.
    #[expect(
        clippy::too_many_arguments,
        reason = "what a step is given, and how many"
    )]
    fn complete<'a>(
        &mut self,
        nfa: &'a Nfa,
        plan: &'a LinearPlan,
        count: usize,
        incoming: Incoming<'a>,
        key: &'a [Value],
        choice: &mut Choice<'a>,
        out: &mut Outcome,
    ) {
        let mut admitted = self.admitted.take();
        let last = plan.steps.len() - 1;
        let step = plan.steps[last].step;
        let Incoming { event, number, .. } = incoming;
        let mut walk = Walk::new(nfa, plan, self);
        nfa.registers
            .take(&mut walk.registers, usize::from(step.0), event, key);
        let place = place(event);
        for at in 0..count {
            if choice.removes(self.starts[at].number) {
                continue;
            }
            let path = walk.path(at, last - 1);
            let path = path.with(nfa, step, (number, event.time, place));
            choice.consider(path.candidate(&walk.registers), &mut admitted, out);
        }
        self.admitted = admitted;
    }

    /// Considers the matches of the starts that end at an instant: how many are left that wait for nothing but the end.
    fn end(
        &mut self,
        nfa: &Nfa,
        plan: &LinearPlan,
        instant: Timestamp,
        key: &[Value],
        out: &mut Outcome,
    ) -> usize {
        let ending = self.ending(plan);
        let waiting = self.starts.range(..ending);
        let ended = waiting.take_while(|start| self.ends(nfa, plan, start) <= instant);
        let count = ended.count();
        if count == 0 {
            return ending;
        }
        let mut choice = Choice::new(nfa, key, instant);
        let mut admitted = self.admitted.take();
        let mut walk = Walk::new(nfa, plan, self);
        for at in 0..count {
            if !choice.removes(self.starts[at].number) {
                let path = walk.path(at, plan.steps.len() - 1);
                choice.consider(path.candidate(&walk.registers), &mut admitted, out);
            }
        }
        self.admitted = admitted;
        let gone = count.max(self.removed(&choice));
        self.starts.drain(..gone);
        ending.saturating_sub(gone)
    }

    /// Holds the number of partial matches at the bound of the pattern.
    fn evict(&mut self, nfa: &Nfa, plan: &LinearPlan, time: Timestamp, out: &mut Outcome) {
        let bound = nfa.bound.count as usize;
        let Some(excess) = self
            .starts
            .len()
            .checked_sub(bound)
            .filter(|excess| *excess > 0)
        else {
            return;
        };
        let gone = match nfa.bound.evict {
            Evict::Oldest => 0..excess,
            Evict::Newest => bound..self.starts.len(),
        };
        let mut walk = Walk::new(nfa, plan, self);
        for at in gone.clone() {
            walk.give_up(at, |partial| evicted(nfa, partial, time, out));
        }
        self.starts.drain(gone);
    }
}

/// Lets every instant up to and including `until` pass, in order.
pub(crate) fn pass_instants(
    nfa: &Nfa,
    plan: &LinearPlan,
    state: &mut Cohorts,
    until: Timestamp,
    key: &[Value],
    out: &mut Outcome,
) {
    loop {
        let instant = state.next_instant(nfa, plan);
        if instant > until || instant == Timestamp::MAX {
            break;
        }
        let ending = state.end(nfa, plan, instant, key, out);
        let rest = state.starts.range(ending..);
        let expired = rest.take_while(|start| expiry(nfa, start.time) <= instant);
        let expired = ending..ending + expired.count();
        let mut gone: SmallVec<[Range<usize>; 2]> = SmallVec::from_iter([expired.clone()]);
        let bound = instant.minus(Span(1));
        // Those that came farther are older.
        for (depth, gap) in Cohorts::gaps(nfa, plan).rev() {
            let farther = state.reached(depth + 1).max(expired.end);
            let late = state.waited(depth, gap, bound);
            gone.push(farther..late.min(state.reached(depth)).max(farther));
        }
        if nfa.timeout.is_some() {
            let mut walk = Walk::new(nfa, plan, state);
            for at in gone.iter().cloned().flatten() {
                walk.give_up(at, |partial| timed_out(nfa, partial, bound, key, out));
            }
        }
        for gone in gone.into_iter().rev() {
            state.starts.drain(gone);
        }
        forget_admitted(&mut state.admitted, instant);
    }
    state.sweep();
    state.give_room_back();
}

#[cfg(test)]
mod tests;
