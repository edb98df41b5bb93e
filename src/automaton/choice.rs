//! Which completed candidates become matches, what they remove, and the rows they make.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::expression::{Bounds, Compiled, Scope};
use super::nfa::{Nfa, Skip};
use super::register::Accumulator;
use super::run::Run;
use super::variant::{Draft, Kind};
use crate::event::{Event, Value};
use crate::lang::pattern::StepId;
use crate::lang::scalar;
use crate::time::{Span, Timestamp};

/// What a step of the automaton brought about, whichever pattern it is asked for.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rows in order; [`Variant::row`](super::Variant::row) says whose they are.
    pub(crate) drafts: Vec<Draft>,
    /// Counts since they were last taken.
    pub(crate) tally: Tally,
}

/// What one pattern did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Matches, those that `limit` held back included.
    pub matches: u64,
    /// Starts whose bound passed.
    pub timeouts: u64,
    /// Partial matches that gave way to `bound`.
    pub evicted: u64,
    /// Matches that `limit` held back.
    pub suppressed: u64,
}

impl Tally {
    /// True if nothing was counted.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Tally::default()
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.matches += other.matches;
        self.timeouts += other.timeouts;
        self.evicted += other.evicted;
        self.suppressed += other.suppressed;
    }
}

/// Matches let through lately: values of `by`, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admitted {
    /// No group is without times.
    pub(super) groups: Vec<(Box<[Value]>, VecDeque<Timestamp>)>,
    /// When the newest of them stops counting.
    pub(super) forgotten: Timestamp,
}

impl Admitted {
    /// When nothing here counts any more.
    pub(crate) fn forgotten(&self) -> Timestamp {
        self.forgotten
    }
}

/// Drops what `limit` let through once nothing of it counts any more.
pub(crate) fn forget_admitted(admitted: &mut Option<Box<Admitted>>, now: Timestamp) {
    if admitted.as_ref().is_some_and(|of| of.forgotten() <= now) {
        *admitted = None;
    }
}

/// A completed candidate.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// Numbers of the first and last bound event.
    pub first: u64,
    pub last: u64,
    /// Times of the first and last bound event.
    pub bounds: (Timestamp, Timestamp),
    /// Time of the first event of the closed loop.
    pub anchor: Timestamp,
    /// Number of the event that `skip to` looks for.
    pub mark: Option<u64>,
    /// A hash of the steps and positions bound.
    pub path: u64,
    pub registers: &'a [Accumulator],
}

/// The choice among the candidates of one key at one moment.
pub(crate) struct Choice<'a> {
    nfa: &'a Nfa,
    key: &'a [Value],
    at: Timestamp,
    /// Starts before this number are removed.
    removed_before: u64,
    /// Starts that matched at this moment and were not removed.
    matched: SmallVec<[u64; 2]>,
    /// Paths considered at this moment, with their starts.
    considered: SmallVec<[(u64, u64); 4]>,
}

impl<'a> Choice<'a> {
    pub(crate) fn new(nfa: &'a Nfa, key: &'a [Value], at: Timestamp) -> Choice<'a> {
        Choice {
            nfa,
            key,
            at,
            removed_before: 0,
            matched: SmallVec::new(),
            considered: SmallVec::new(),
        }
    }

    /// True if the start was removed at this moment.
    pub(crate) fn removes(&self, first: u64) -> bool {
        first < self.removed_before
    }

    /// True if the start matched at this moment.
    pub(crate) fn has_matched(&self, first: u64) -> bool {
        self.matched.contains(&first)
    }

    /// Starts below this number were removed at this moment.
    pub(crate) fn removed_before(&self) -> u64 {
        self.removed_before
    }

    /// True if some start matched at this moment.
    pub(crate) fn has_matches(&self) -> bool {
        !self.matched.is_empty()
    }

    /// True if a candidate with the run's path was considered at this moment.
    pub(crate) fn has_considered(&self, run: &Run) -> bool {
        self.considered.contains(&(run.first, run.path))
    }

    /// Considers a completed candidate. Candidates come by first event, then by preference.
    pub(crate) fn consider(
        &mut self,
        candidate: Candidate<'_>,
        admitted: &mut Option<Box<Admitted>>,
        out: &mut Outcome,
    ) {
        let Candidate { first, path, .. } = candidate;
        if self.removes(first) {
            return;
        }
        if self.nfa.ambiguous {
            if self.considered.contains(&(first, path)) {
                return;
            }
            self.considered.push((first, path));
        }
        let scope = Scope {
            window: Some((candidate.anchor, self.at)),
            ..scope(self.nfa, candidate.registers, candidate.bounds, self.key)
        };
        if self
            .nfa
            .having
            .as_ref()
            .is_some_and(|having| !having.holds(&scope))
        {
            return;
        }
        if self.matched.last() != Some(&first) {
            self.matched.push(first);
        }
        let removed_before = match self.nfa.skip {
            Skip::PastMatch => candidate.last + 1,
            Skip::None => 0,
            Skip::ToNext => first + 1,
            Skip::To(..) => candidate.mark.unwrap_or(0),
        };
        self.removed_before = self.removed_before.max(removed_before);
        write_match(
            self.nfa,
            &scope,
            self.at,
            path,
            candidate.bounds,
            admitted,
            out,
        );
    }

    /// Carries out what the matches of this moment removed.
    pub(crate) fn settle(&self, runs: &mut Vec<Run>) {
        if self.matched.is_empty() {
            return;
        }
        runs.retain(|run| !self.removes(run.first));
        if self.nfa.timeout.is_some() {
            for run in runs {
                run.matched |= self.has_matched(run.first);
            }
        }
    }
}

/// What outputs read of a candidate or partial match.
fn scope<'a>(
    nfa: &'a Nfa,
    registers: &'a [Accumulator],
    (first, last): (Timestamp, Timestamp),
    key: &'a [Value],
) -> Scope<'a> {
    Scope {
        event: None,
        registers,
        plan: &nfa.registers,
        key,
        bounds: Bounds {
            first: Some(first),
            last: Some(last),
        },
        window: None,
        reached: None,
    }
}

/// Writes the rows of a match, unless `limit` holds them back.
pub(crate) fn write_match(
    nfa: &Nfa,
    scope: &Scope<'_>,
    at: Timestamp,
    path: u64,
    (from, to): (Timestamp, Timestamp),
    admitted: &mut Option<Box<Admitted>>,
    out: &mut Outcome,
) {
    out.tally.matches += 1;
    if !admit(nfa, scope, at, admitted) {
        out.tally.suppressed += 1;
        return;
    }
    let draft = |emit: usize, number: u64, values: Box<[Value]>| Draft {
        kind: Kind::Match { emit, number },
        at,
        path,
        from,
        to,
        values,
    };
    for (at, emit) in nfa.emits.iter().enumerate() {
        let Some(register) = emit.each else {
            out.drafts.push(draft(at, 0, values(&emit.fields, scope)));
            continue;
        };
        for (number, event) in scope.registers[register].events().iter().enumerate() {
            let event: &Event = event;
            let scope = Scope {
                event: Some(event),
                ..*scope
            };
            out.drafts
                .push(draft(at, number as u64, values(&emit.fields, &scope)));
        }
    }
}

fn values(fields: &[Compiled], scope: &Scope<'_>) -> Box<[Value]> {
    let value = |field: &Compiled| match field.at_hand(scope) {
        Some(value) => value.clone(),
        None => field.eval(scope).into_owned(),
    };
    fields.iter().map(value).collect()
}

/// True if `limit` lets a match through; then it counts.
fn admit(
    nfa: &Nfa,
    scope: &Scope<'_>,
    at: Timestamp,
    admitted: &mut Option<Box<Admitted>>,
) -> bool {
    let Some(limit) = &nfa.limit else { return true };
    let by = values(&limit.by, scope);
    let admitted = admitted.get_or_insert_with(Box::default);
    let group = match admitted
        .groups
        .iter()
        .position(|(group, _)| scalar::total_order_of(group, &by).is_eq())
    {
        Some(group) => group,
        None => {
            admitted.groups.push((by, VecDeque::new()));
            admitted.groups.len() - 1
        }
    };
    let times = &mut admitted.groups[group].1;
    while times
        .front()
        .is_some_and(|time| *time <= at.minus(limit.per))
    {
        times.pop_front();
    }
    if times.len() >= limit.count {
        return false;
    }
    times.push_back(at);
    admitted.forgotten = at.plus(limit.per).plus(Span(1));
    admitted
        .groups
        .retain(|(_, times)| times.back().is_some_and(|time| *time > at.minus(limit.per)));
    true
}

/// A partial match that is given up, as its row shows it.
#[derive(Clone, Copy)]
pub(crate) struct GivenUp<'a> {
    /// The step bound last.
    pub reached: StepId,
    /// Times of the first and last bound event.
    pub bounds: (Timestamp, Timestamp),
    /// A hash of the steps and positions bound.
    pub path: u64,
    pub registers: &'a [Accumulator],
}

/// Writes the row of a start whose bound passed.
pub(crate) fn timed_out(
    nfa: &Nfa,
    partial: GivenUp<'_>,
    bound: Timestamp,
    key: &[Value],
    out: &mut Outcome,
) {
    let scope = Scope {
        reached: Some(name(nfa, partial.reached)),
        ..scope(nfa, partial.registers, partial.bounds, key)
    };
    write_timeout(nfa, &scope, bound, partial.path, partial.bounds, out);
}

/// Writes the row of a timeout, if the pattern has such an output.
pub(crate) fn write_timeout(
    nfa: &Nfa,
    scope: &Scope<'_>,
    at: Timestamp,
    path: u64,
    (from, to): (Timestamp, Timestamp),
    out: &mut Outcome,
) {
    let Some((_, fields)) = &nfa.timeout else {
        return;
    };
    out.tally.timeouts += 1;
    out.drafts.push(Draft {
        kind: Kind::Timeout,
        at,
        path,
        from,
        to,
        values: values(fields, scope),
    });
}

/// Writes the row of a partial match that gave way to `bound`.
pub(crate) fn evicted(nfa: &Nfa, partial: GivenUp<'_>, at: Timestamp, out: &mut Outcome) {
    out.tally.evicted += 1;
    out.drafts.push(Draft {
        kind: Kind::Evicted,
        at,
        path: partial.path,
        from: partial.bounds.0,
        to: partial.bounds.1,
        values: Box::new([Value::Str(name(nfa, partial.reached).into())]),
    });
}

fn name(nfa: &Nfa, step: StepId) -> &str {
    &nfa.steps[usize::from(step.0)].name
}
