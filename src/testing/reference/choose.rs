//! Which candidates are matches, and which starts time out.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use super::evaluate::{Current, Scope, Take};
use super::partial::{Candidate, Ending, EndingKind, Start, starts};
use super::{Decision, History, Moment, Phase};
use crate::automaton::{Row, Stream};
use crate::event::Value;
use crate::lang::pattern::{AfterMatch, VariableId};
use crate::lang::scalar;
use crate::time::Timestamp;

/// What one key's events give, in the order in which it is decided; `None` when there are too many partial matches.
pub(crate) fn run(history: &History<'_>) -> Option<Vec<Decision>> {
    let starts = starts(history)?;
    let mut choice = Choice::new(history, starts.len());
    let mut candidates: Vec<(usize, &Candidate)> = Vec::new();
    for (start, of) in starts.iter().enumerate() {
        candidates.extend(of.candidates.iter().map(|candidate| (start, candidate)));
    }
    candidates.retain(|(_, candidate)| history.decided(candidate.moment));
    candidates.sort_by(|(a_start, a), (b_start, b)| {
        (a.moment, a_start, &a.preference).cmp(&(b.moment, b_start, &b.preference))
    });
    for (start, candidate) in candidates {
        choice.consider(start, candidate);
    }
    for (start, of) in starts.iter().enumerate() {
        choice.time_out(start, of);
    }
    Some(choice.decisions)
}

/// The state of a key while its candidates are considered.
struct Choice<'h, 'a> {
    history: &'h History<'a>,
    considered: HashSet<Rc<[Take]>>,
    matched: Vec<bool>,
    /// When each start was removed.
    removed: Vec<Option<Moment>>,
    gate: Gate,
    decisions: Vec<Decision>,
}

impl<'h, 'a> Choice<'h, 'a> {
    fn new(history: &'h History<'a>, starts: usize) -> Choice<'h, 'a> {
        Choice {
            history,
            considered: HashSet::new(),
            matched: vec![false; starts],
            removed: vec![None; starts],
            gate: Gate::default(),
            decisions: Vec::new(),
        }
    }

    fn consider(&mut self, start: usize, candidate: &Candidate) {
        if self.removed[start].is_some() || !self.considered.insert(candidate.takes.clone()) {
            return;
        }
        let history = self.history;
        let scope = Scope {
            history,
            takes: &candidate.takes,
            current: Current::Nothing,
            window: candidate.window,
        };
        if history
            .pattern
            .having
            .as_ref()
            .is_some_and(|having| !scalar::holds(&scope.value(having)))
        {
            return;
        }
        self.matched[start] = true;
        let gone = self.removed_up_to(&candidate.takes);
        for removed in &mut self.removed[..gone] {
            removed.get_or_insert(candidate.moment);
        }
        let at = candidate.moment.at;
        if self.gate.lets_through(&scope, at) {
            let phase = if candidate.moment.event.is_some() {
                Phase::Event
            } else {
                Phase::Instant
            };
            let event = candidate.moment.event.unwrap_or_default();
            self.decisions
                .extend(match_rows(&scope, at, None).map(|row| Decision { phase, event, row }));
        }
    }

    /// Starts with a smaller number are removed by this match.
    fn removed_up_to(&self, takes: &[Take]) -> usize {
        let bound_to = |variable: VariableId| {
            let steps = &self.history.pattern.variables[usize::from(variable.0)].steps;
            takes
                .iter()
                .filter(|take| steps.contains(&take.step))
                .map(|take| take.event)
        };
        match self.history.pattern.skip {
            AfterMatch::None => 0,
            AfterMatch::PastMatch => takes.last().map_or(0, |take| take.event + 1),
            AfterMatch::ToNext => takes.first().map_or(0, |take| take.event + 1),
            AfterMatch::To(variable) => bound_to(variable).next().unwrap_or(0),
            AfterMatch::ToLast(variable) => bound_to(variable).next_back().unwrap_or(0),
        }
    }

    fn time_out(&mut self, start: usize, of: &Start) {
        let Some(timeout) = &self.history.pattern.timeout else {
            return;
        };
        let Some(last) = of.endings.iter().map(|ending| ending.moment).max() else {
            return;
        };
        let removed_before = self.removed[start].is_some_and(|removed| removed <= last);
        if self.matched[start] || removed_before || !self.history.decided(last) {
            return;
        }
        let at_last: Vec<&Ending> = of
            .endings
            .iter()
            .filter(|ending| ending.moment == last)
            .collect();
        let completed = |takes: &[Take]| {
            at_last
                .iter()
                .any(|ending| ending.kind == EndingKind::Completed && *ending.takes == *takes)
        };
        let expired = at_last.iter().filter_map(|ending| match ending.kind {
            EndingKind::Expired(bound) if !completed(&ending.takes) => Some((*ending, bound)),
            _ => None,
        });
        let most_advanced = expired.max_by(|(a, _), (b, _)| {
            let advance = |ending: &Ending| {
                (
                    ending.takes.last().map(|take| take.step),
                    ending.takes.len(),
                )
            };
            advance(a)
                .cmp(&advance(b))
                .then_with(|| b.preference.cmp(&a.preference))
        });
        if let Some((ending, bound)) = most_advanced {
            let history = self.history;
            let scope = Scope {
                history,
                takes: &ending.takes,
                current: Current::Nothing,
                window: ending.window,
            };
            // A closed loop is found short at the instant at which it closes, like one that is long enough.
            let phase = if bound == last.at {
                Phase::Instant
            } else {
                Phase::Expiry
            };
            let row = row(
                &scope,
                bound,
                None,
                Stream::Timeout(timeout.stream),
                &timeout.fields,
            );
            self.decisions.push(Decision {
                phase,
                event: 0,
                row,
            });
        }
    }
}

/// Lets so many matches through as `limit` allows.
#[derive(Default)]
pub(crate) struct Gate {
    /// Of the matches that got through: when, and the values of `by`.
    through: VecDeque<(Timestamp, Vec<Value>)>,
}

impl Gate {
    /// Asked for every match in the order of completion.
    pub(crate) fn lets_through(&mut self, scope: &Scope<'_>, at: Timestamp) -> bool {
        let Some(limit) = &scope.history.pattern.limit else {
            return true;
        };
        let by: Vec<Value> = limit.by.iter().map(|expr| scope.value(expr)).collect();
        let recent = self.through.iter().filter(|(then, of)| {
            *then > at.minus(limit.per) && scalar::total_order_of(of, &by).is_eq()
        });
        let lets = recent.count() < limit.count as usize;
        if lets {
            self.through.push_back((at, by));
        }
        lets
    }
}

/// The rows of a match; `bounds` are those of an aligned window.
pub(crate) fn match_rows<'s>(
    scope: &'s Scope<'s>,
    at: Timestamp,
    bounds: Option<(Timestamp, Timestamp)>,
) -> impl Iterator<Item = Row> + 's {
    scope.history.pattern.emits.iter().flat_map(move |emit| {
        let scopes = if emit.each {
            let events = scope
                .takes
                .iter()
                .map(|take| scope.history.events[take.event]);
            events
                .map(|event| Scope {
                    current: Current::Bound(event),
                    ..*scope
                })
                .collect()
        } else {
            vec![*scope]
        };
        scopes
            .into_iter()
            .map(move |scope| row(&scope, at, bounds, Stream::Match(emit.stream), &emit.fields))
    })
}

/// One row with the values of these expressions.
pub(crate) fn row(
    scope: &Scope<'_>,
    at: Timestamp,
    bounds: Option<(Timestamp, Timestamp)>,
    stream: Stream,
    fields: &[crate::lang::pattern::Expr],
) -> Row {
    let history = scope.history;
    let time = |take: Option<&Take>| take.map_or(at, |take| history.time(take.event));
    let (from, to) = bounds.unwrap_or((time(scope.takes.first()), time(scope.takes.last())));
    Row {
        pattern: history.id,
        stream,
        at,
        key: history.key.into(),
        match_id: 0,
        from,
        to,
        values: fields.iter().map(|field| scope.value(field)).collect(),
    }
}
