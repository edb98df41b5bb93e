//! Patterns whose boundaries are known: a loop with a closer and nothing else (class A).
//!
//! No run lists: a key holds one accumulator per open session, or one per *pane*, the greatest stretch that all its overlapping windows
//! share (Li et al., "No pane, no gain", SIGMOD Record 2005). An event costs one addition to a pane; a window is the sum of its panes when it
//! ends. Only when the condition reads what the window holds so far does each overlapping window keep an accumulator of its own.

mod plan;
mod spare;

use std::collections::VecDeque;

use super::calendar::Aligned;
use super::choice::{Admitted, Outcome, forget_admitted, write_match, write_timeout};
use super::expression::{Bounds, Scope};
use super::matcher::Incoming;
use super::nfa::Nfa;
use super::register::{self, Accumulator, Registers};
use super::run::{mix, place};
use super::state::glance_at;
use crate::event::{Event, Value};
use crate::lang::pattern::StepId;
use crate::time::Timestamp;

pub(crate) use plan::WindowPlan;
pub(super) use plan::{SessionClose, Sharing, WindowKind};
pub(super) use spare::SparePanes;

/// The open windows of one key.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    /// Sessions, panes or windows, oldest first. None is empty.
    pub(super) panes: VecDeque<Pane>,
    /// Time: the number of the next window to end. Count: how many events were taken.
    pub(super) next: i64,
    pub(super) admitted: Option<Box<Admitted>>,
}

/// What a stretch holds.
#[derive(Clone, Debug)]
pub(super) struct Pane {
    /// Time: its number, or with windows apart the window's.
    pub number: i64,
    pub count: u64,
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    pub path: u64,
    pub registers: Registers,
}

impl Windows {
    pub(crate) fn is_empty(&self) -> bool {
        self.panes.is_empty() && self.admitted.is_none()
    }

    /// True if both go on alike; see [`State::same`](super::State::same).
    pub(crate) fn same(&self, other: &Windows) -> bool {
        self.admitted.is_none()
            && other.admitted.is_none()
            && self.next == other.next
            && self.panes.len() == other.panes.len()
            && self.panes.iter().zip(&other.panes).all(|(a, b)| {
                (a.path, a.number, a.count) == (b.path, b.number, b.count)
                    && (a.first_time, a.last_time) == (b.first_time, b.last_time)
            })
    }

    /// Reads a little of the first panes, both ends of each.
    #[inline]
    pub(super) fn glance_on(&self) -> u64 {
        glance_at::<4>(self.panes.len(), |at| {
            let pane = &self.panes[at];
            pane.count ^ register::glance(&pane.registers)
        })
    }

    /// A hash of all events held.
    pub(crate) fn digest(&self) -> u64 {
        self.panes.iter().map(|pane| pane.path).fold(0, mix)
    }

    /// How many accumulators are held.
    pub(crate) fn len(&self) -> usize {
        self.panes.len()
    }

    /// The earliest instant at which something happens without an event.
    #[inline]
    pub(crate) fn next_instant(&self, plan: &WindowPlan) -> Timestamp {
        let admitted = self
            .admitted
            .as_ref()
            .map_or(Timestamp::MAX, |admitted| admitted.forgotten());
        let closes = match &plan.kind {
            WindowKind::Session { close, .. } => {
                self.panes.iter().map(|pane| pane.closes(*close)).min()
            }
            WindowKind::Time { windows, sharing } => self.panes.front().map(|front| {
                let window = if *sharing == Sharing::Panes {
                    self.next
                } else {
                    front.number
                };
                windows.end(window)
            }),
            WindowKind::Count { .. } => None,
        };
        closes.unwrap_or(Timestamp::MAX).min(admitted)
    }
}

/// What a session, pane or window holds, for people.
pub(super) struct Held<'a> {
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: u64,
    /// When the last window that holds it ends; `None` when events decide.
    pub ends: Option<Timestamp>,
    pub registers: &'a [Accumulator],
}

impl Windows {
    /// What is open, oldest first.
    pub(super) fn held(&self, plan: &WindowPlan) -> impl Iterator<Item = Held<'_>> {
        self.panes.iter().map(|pane| Held {
            first: pane.first_time,
            last: pane.last_time,
            count: pane.count,
            ends: match &plan.kind {
                WindowKind::Session { close, .. } => Some(pane.closes(*close)),
                WindowKind::Time { windows, sharing } => {
                    let window = match sharing {
                        Sharing::Panes => windows.last(pane.number),
                        Sharing::Apart => pane.number,
                    };
                    Some(windows.end(window))
                }
                WindowKind::Count { .. } => None,
            },
            registers: &pane.registers,
        })
    }
}

impl Pane {
    fn new(nfa: &Nfa, number: i64, event: &Event) -> Pane {
        Pane {
            number,
            count: 0,
            first_time: event.time,
            last_time: event.time,
            path: 0,
            registers: nfa.registers.empty(),
        }
    }

    fn add(&mut self, nfa: &Nfa, step: StepId, event: &Event, key: &[Value]) {
        nfa.registers
            .take(&mut self.registers, usize::from(step.0), event, key);
        self.count += 1;
        self.last_time = event.time;
        self.path = mix(self.path, place(event));
    }

    fn absorb(&mut self, nfa: &Nfa, later: &Pane) {
        nfa.registers.merge(&mut self.registers, &later.registers);
        self.count = self.count.saturating_add(later.count);
        self.last_time = later.last_time;
        self.path = mix(self.path, later.path);
    }

    /// Becomes a copy of another one, with memory of its own.
    fn copy(&mut self, from: &Pane) {
        let Pane {
            number,
            count,
            first_time,
            last_time,
            path,
            registers,
        } = from;
        (self.number, self.count, self.path) = (*number, *count, *path);
        (self.first_time, self.last_time) = (*first_time, *last_time);
        let pairs = self.registers.iter_mut().zip(registers);
        pairs.for_each(|(register, from)| register.copy(from));
    }

    fn closes(&self, close: SessionClose) -> Timestamp {
        match close {
            SessionClose::AfterLast(span) => self.last_time.plus(span),
            SessionClose::AfterFirst(span) => self.first_time.plus(span),
        }
    }
}

/// Shows an event to the windows of its key. Instants up to its time have passed.
pub(super) fn step(
    nfa: &Nfa,
    plan: &WindowPlan,
    state: &mut Windows,
    incoming: Incoming<'_>,
    key: &[Value],
    spare: &mut SparePanes,
    out: &mut Outcome,
) {
    spare.lend(&mut state.panes);
    take(nfa, plan, state, incoming, key, spare, out);
    spare.take_back(&mut state.panes);
}

fn take(
    nfa: &Nfa,
    plan: &WindowPlan,
    state: &mut Windows,
    incoming: Incoming<'_>,
    key: &[Value],
    spare: &mut SparePanes,
    out: &mut Outcome,
) {
    let mut view = View {
        nfa,
        plan,
        key,
        admitted: &mut state.admitted,
        out,
    };
    match &plan.kind {
        WindowKind::Session { until, .. } => view.session(&mut state.panes, *until, incoming),
        WindowKind::Time {
            sharing: Sharing::Panes,
            windows,
        } => {
            if !view.fits(None, None, plan.step, incoming) {
                return;
            }
            let number = windows.calendar.number(incoming.event.time);
            if state.panes.is_empty() {
                state.next = windows.first(number);
            }
            if state.panes.back().is_none_or(|last| last.number != number) {
                state
                    .panes
                    .push_back(Pane::new(nfa, number, incoming.event));
            }
            if let Some(last) = state.panes.back_mut() {
                last.add(nfa, plan.step, incoming.event, key);
            }
        }
        WindowKind::Time {
            sharing: Sharing::Apart,
            windows,
        } => {
            let number = windows.calendar.number(incoming.event.time);
            for window in windows.first(number)..=windows.last(number) {
                let bounds = windows.bounds(window);
                let at = state.panes.iter().position(|open| open.number == window);
                if !view.fits(
                    at.map(|at| &state.panes[at]),
                    Some(bounds),
                    plan.step,
                    incoming,
                ) {
                    continue;
                }
                let at = at.unwrap_or_else(|| {
                    // A window may open late, when its condition held for the first time.
                    let at = state.panes.partition_point(|open| open.number < window);
                    state
                        .panes
                        .insert(at, Pane::new(nfa, window, incoming.event));
                    at
                });
                state.panes[at].add(nfa, plan.step, incoming.event, key);
            }
        }
        WindowKind::Count { pane, size, every } => {
            if !view.fits(None, None, plan.step, incoming) {
                return;
            }
            if state.panes.back().is_none_or(|last| last.count == *pane) {
                state.panes.push_back(Pane::new(nfa, 0, incoming.event));
            }
            if let Some(last) = state.panes.back_mut() {
                last.add(nfa, plan.step, incoming.event, key);
            }
            state.next += 1;
            if state.next.unsigned_abs().is_multiple_of(*every) {
                while state.panes.len() as u64 > *size {
                    state.panes.pop_front();
                }
                view.emit(state.panes.iter(), incoming.event.time, None, spare);
                let kept = size.saturating_sub(every / pane);
                while state.panes.len() as u64 > kept {
                    state.panes.pop_front();
                }
                // Only the remainder matters, and a key without panes is forgotten.
                state.next = 0;
            }
        }
    }
}

/// Lets every instant up to and including `until` pass, in order.
pub(super) fn pass_instants(
    nfa: &Nfa,
    plan: &WindowPlan,
    state: &mut Windows,
    until: Timestamp,
    key: &[Value],
    spare: &mut SparePanes,
    out: &mut Outcome,
) {
    let mut view = View {
        nfa,
        plan,
        key,
        admitted: &mut state.admitted,
        out,
    };
    let (panes, next) = (&mut state.panes, &mut state.next);
    match &plan.kind {
        WindowKind::Session { close, .. } => view.close_sessions(panes, *close, until),
        WindowKind::Time {
            sharing: Sharing::Panes,
            windows,
        } => view.close_sums(panes, next, windows, until, spare),
        WindowKind::Time {
            sharing: Sharing::Apart,
            windows,
        } => {
            while let Some(front) = panes.front() {
                let bounds = windows.bounds(front.number);
                if bounds.1 > until {
                    break;
                }
                view.close(front, bounds.1, bounds, bounds);
                panes.pop_front();
            }
        }
        WindowKind::Count { .. } => {}
    }
    // What `limit` let through is looked at with each match: that it is forgotten late makes no difference to them.
    forget_admitted(&mut state.admitted, until);
    spare.take_back(&mut state.panes);
}

struct View<'a> {
    nfa: &'a Nfa,
    plan: &'a WindowPlan,
    key: &'a [Value],
    admitted: &'a mut Option<Box<Admitted>>,
    out: &'a mut Outcome,
}

impl View<'_> {
    /// True if the event satisfies the step in the eyes of a window.
    fn fits(
        &self,
        pane: Option<&Pane>,
        window: Option<(Timestamp, Timestamp)>,
        step: StepId,
        incoming: Incoming<'_>,
    ) -> bool {
        if !incoming.fits.has(step) {
            return false;
        }
        let Some(correlated) = &self.nfa.steps[usize::from(step.0)].correlated else {
            return true;
        };
        let registers = match pane {
            Some(pane) => &*pane.registers,
            None => self.nfa.registers.blank(),
        };
        let bounds = Bounds {
            first: pane.map(|pane| pane.first_time),
            last: pane.map(|pane| pane.last_time),
        };
        correlated.holds(&Scope {
            event: Some(incoming.event),
            registers,
            plan: &self.nfa.registers,
            key: self.key,
            bounds,
            window,
            reached: None,
        })
    }

    fn session(
        &mut self,
        panes: &mut VecDeque<Pane>,
        until: Option<StepId>,
        incoming: Incoming<'_>,
    ) {
        let (time, step) = (incoming.event.time, self.plan.step);
        let open_before = panes.len();
        if let Some(until) = until {
            self.end_sessions(panes, time, |view, pane| {
                view.fits(Some(pane), None, until, incoming)
            });
        }
        let closed = panes.len() < open_before;
        let within = self.nfa.within;
        let open = panes
            .back_mut()
            .filter(|pane| within.is_none_or(|within| time <= pane.first_time.plus(within)));
        if let Some(pane) = open {
            if self.fits(Some(pane), None, step, incoming) {
                pane.add(self.nfa, step, incoming.event, self.key);
            }
        } else if !closed
            && self.fits(None, None, step, incoming)
            && !until.is_some_and(|until| self.fits(None, None, until, incoming))
        {
            let mut pane = Pane::new(self.nfa, 0, incoming.event);
            pane.add(self.nfa, step, incoming.event, self.key);
            panes.push_back(pane);
        }
    }

    /// Closes sessions that end at `until` or before, those that end first before others.
    fn close_sessions(
        &mut self,
        panes: &mut VecDeque<Pane>,
        close: SessionClose,
        until: Timestamp,
    ) {
        let ending = |panes: &VecDeque<Pane>| panes.iter().map(|pane| pane.closes(close)).min();
        while let Some(instant) = ending(panes).filter(|instant| *instant <= until) {
            self.end_sessions(panes, instant, |_, pane| pane.closes(close) <= instant);
        }
    }

    /// Closes sessions that end now.
    fn end_sessions(
        &mut self,
        panes: &mut VecDeque<Pane>,
        now: Timestamp,
        ends: impl Fn(&Self, &Pane) -> bool,
    ) {
        let mut at = 0;
        while at < panes.len() {
            if !ends(self, &panes[at]) {
                at += 1;
            } else if let Some(pane) = panes.remove(at) {
                let bounds = (pane.first_time, pane.last_time);
                self.close(&pane, now, (pane.first_time, now), bounds);
            }
        }
    }

    /// Closes windows that end at `until` or before and are sums of panes. `next`: the number of the first of them.
    fn close_sums(
        &mut self,
        panes: &mut VecDeque<Pane>,
        next: &mut i64,
        windows: &Aligned,
        until: Timestamp,
        spare: &mut SparePanes,
    ) {
        while !panes.is_empty() {
            let bounds = windows.bounds(*next);
            if bounds.1 > until {
                break;
            }
            let end = windows.panes(*next).end;
            let held = panes.iter().take_while(|pane| pane.number < end);
            self.emit(held, bounds.1, Some(bounds), spare);
            *next += 1;
            let start = windows.panes(*next).start;
            while panes.front().is_some_and(|front| front.number < start) {
                panes.pop_front();
                // Windows without events are passed over.
                if let Some(front) = panes.front() {
                    *next = windows.first(front.number).max(*next);
                }
            }
        }
    }

    /// Emits the sum of panes.
    fn emit<'p>(
        &mut self,
        mut panes: impl Iterator<Item = &'p Pane>,
        at: Timestamp,
        window: Option<(Timestamp, Timestamp)>,
        spare: &mut SparePanes,
    ) {
        let nfa = self.nfa;
        let Some(first) = panes.next() else { return };
        let mut close = |sum: &Pane| {
            let bounds = window.unwrap_or((sum.first_time, sum.last_time));
            self.close(sum, at, bounds, bounds);
        };
        let Some(second) = panes.next() else {
            return close(first);
        };
        let sum = spare.sum(first);
        sum.absorb(nfa, second);
        panes.for_each(|pane| sum.absorb(nfa, pane));
        close(sum);
    }

    /// A window is complete: a match, a timeout, or nothing.
    fn close(
        &mut self,
        pane: &Pane,
        at: Timestamp,
        window: (Timestamp, Timestamp),
        bounds: (Timestamp, Timestamp),
    ) {
        let nfa = self.nfa;
        let name = &nfa.steps[usize::from(self.plan.step.0)].name;
        let scope = Scope {
            event: None,
            registers: &pane.registers,
            plan: &nfa.registers,
            key: self.key,
            bounds: Bounds {
                first: Some(pane.first_time),
                last: Some(pane.last_time),
            },
            window: Some(window),
            reached: Some(name),
        };
        let path = mix(pane.path, window.0.0.cast_unsigned());
        if pane.count < self.plan.min {
            write_timeout(nfa, &scope, at, path, bounds, self.out);
        } else if nfa
            .having
            .as_ref()
            .is_none_or(|having| having.holds(&scope))
        {
            write_match(nfa, &scope, at, path, bounds, self.admitted, self.out);
        }
    }
}
