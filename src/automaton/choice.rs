//! Which completed candidates become matches, what they remove, and the rows they make.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::expression::{Bounds, Compiled, Scope};
use super::nfa::{Nfa, Skip};
use super::row::{Row, Stream};
use super::run::{Run, mix};
use crate::event::{Event, EventTypeId, Value};
use crate::lang::scalar;
use crate::time::{Span, Timestamp};

/// Rows and counts of one pattern.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Finished rows in order.
    pub rows: Vec<Row>,
    /// Counts since the start.
    pub tally: Tally,
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
    /// Adds what the same pattern did elsewhere.
    pub fn add(&mut self, other: Tally) {
        self.matches += other.matches;
        self.timeouts += other.timeouts;
        self.evicted += other.evicted;
        self.suppressed += other.suppressed;
    }
}

/// Matches let through lately: values of `by`, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admitted {
    groups: Vec<(Box<[Value]>, VecDeque<Timestamp>)>,
    /// When the newest of them stops counting.
    forgotten: Timestamp,
}

impl Admitted {
    /// When nothing here counts any more.
    pub(crate) fn forgotten(&self) -> Timestamp {
        self.forgotten
    }
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

    /// True if a candidate with the run's path was considered at this moment.
    pub(crate) fn has_considered(&self, run: &Run) -> bool {
        self.considered.contains(&(run.first, run.path))
    }

    /// Considers a completed candidate. Candidates come by first event, then by preference.
    pub(crate) fn consider(
        &mut self,
        run: &Run,
        admitted: &mut Option<Box<Admitted>>,
        out: &mut Outcome,
    ) {
        if self.removes(run.first) {
            return;
        }
        if self.nfa.ambiguous {
            if self.considered.contains(&(run.first, run.path)) {
                return;
            }
            self.considered.push((run.first, run.path));
        }
        let scope = scope(self.nfa, run, self.key, Some(self.at));
        if self
            .nfa
            .having
            .as_ref()
            .is_some_and(|having| !having.holds(&scope))
        {
            return;
        }
        self.matched.push(run.first);
        let removed_before = match self.nfa.skip {
            Skip::PastMatch => run.last + 1,
            Skip::None => 0,
            Skip::ToNext => run.first + 1,
            Skip::To(..) => run.mark.unwrap_or(0),
        };
        self.removed_before = self.removed_before.max(removed_before);
        let id = mix(run.path, identity(self.nfa, self.key));
        write_match(
            self.nfa,
            &scope,
            self.at,
            id,
            (run.first_time, run.last_time),
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

/// What pattern and key put into a match id.
pub(crate) fn identity(nfa: &Nfa, key: &[Value]) -> u64 {
    mix(nfa.fingerprint, scalar::stable_hash(key))
}

fn scope<'a>(nfa: &'a Nfa, run: &'a Run, key: &'a [Value], closed: Option<Timestamp>) -> Scope<'a> {
    Scope {
        event: None,
        registers: &run.registers,
        plan: &nfa.registers,
        key,
        bounds: Bounds {
            first: Some(run.first_time),
            last: Some(run.last_time),
        },
        window: closed.map(|closed| (run.anchor, closed)),
        reached: None,
    }
}

/// Writes the rows of a match, unless `limit` holds them back.
pub(crate) fn write_match(
    nfa: &Nfa,
    scope: &Scope<'_>,
    at: Timestamp,
    id: u64,
    (from, to): (Timestamp, Timestamp),
    admitted: &mut Option<Box<Admitted>>,
    out: &mut Outcome,
) {
    out.tally.matches += 1;
    if !admit(nfa, scope, at, admitted) {
        out.tally.suppressed += 1;
        return;
    }
    let row = |stream: EventTypeId, number: u64, values: Box<[Value]>| Row {
        pattern: nfa.pattern,
        stream: Stream::Match(stream),
        at,
        key: scope.key.into(),
        match_id: if number == 0 { id } else { mix(id, number) },
        from,
        to,
        values,
    };
    for emit in &nfa.emits {
        let Some(register) = emit.each else {
            out.rows
                .push(row(emit.stream, 0, values(&emit.fields, scope)));
            continue;
        };
        for (number, event) in scope.registers[register].events().iter().enumerate() {
            let event: &Event = event;
            // Rows of one match share its id but for their number.
            let scope = Scope {
                event: Some(event),
                ..*scope
            };
            out.rows.push(row(
                emit.stream,
                number as u64,
                values(&emit.fields, &scope),
            ));
        }
    }
}

fn values(fields: &[Compiled], scope: &Scope<'_>) -> Box<[Value]> {
    fields
        .iter()
        .map(|field| field.eval(scope).into_owned())
        .collect()
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

/// Writes the row of a start whose bound passed.
pub(crate) fn timed_out(nfa: &Nfa, run: &Run, bound: Timestamp, key: &[Value], out: &mut Outcome) {
    let scope = Scope {
        reached: Some(reached(nfa, run)),
        ..scope(nfa, run, key, None)
    };
    let id = mix(run.path, identity(nfa, key));
    write_timeout(nfa, &scope, bound, id, (run.first_time, run.last_time), out);
}

/// Writes the row of a timeout, if the pattern has such an output.
pub(crate) fn write_timeout(
    nfa: &Nfa,
    scope: &Scope<'_>,
    at: Timestamp,
    id: u64,
    (from, to): (Timestamp, Timestamp),
    out: &mut Outcome,
) {
    let Some((stream, fields)) = &nfa.timeout else {
        return;
    };
    out.tally.timeouts += 1;
    out.rows.push(Row {
        pattern: nfa.pattern,
        stream: Stream::Timeout(*stream),
        at,
        key: scope.key.into(),
        // A match of the same path has another id.
        match_id: mix(id, u64::MAX),
        from,
        to,
        values: values(fields, scope),
    });
}

/// Writes the row of a run that gave way to `bound`.
pub(crate) fn evicted(nfa: &Nfa, run: &Run, at: Timestamp, key: &[Value], out: &mut Outcome) {
    out.tally.evicted += 1;
    out.rows.push(Row {
        pattern: nfa.pattern,
        stream: Stream::Evicted,
        at,
        key: key.into(),
        match_id: mix(mix(run.path, identity(nfa, key)), u64::MAX - 1),
        from: run.first_time,
        to: run.last_time,
        values: Box::new([Value::Str(reached(nfa, run).into())]),
    });
}

fn reached<'a>(nfa: &'a Nfa, run: &Run) -> &'a str {
    let step = nfa.positions[usize::from(run.position)]
        .step
        .expect("a run has bound a step");
    &nfa.steps[usize::from(step.0)].name
}
