//! What a state holds, for people who ask what a key waits for.

use std::sync::Arc;

use super::codec;
use super::describe::WayOn;
use super::nfa::{Nfa, Target};
use super::register::{Accumulator, Asked};
use super::run::{Run, bits};
use super::state::State;
use super::window::WindowPlan;
use crate::event::{Event, Value};
use crate::lang::pattern::{AggregateFunction, Expr, StepId, VariableId};
use crate::time::Timestamp;
use crate::wire::Damaged;

/// A partial match, or a window; where overlapping windows share what they hold, a stretch of one.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    /// The step bound last; `None` for a window.
    pub at: Option<StepId>,
    /// Time of the first event bound.
    pub first: Timestamp,
    /// Time of the last event bound.
    pub last: Timestamp,
    /// How many events are bound.
    pub bound: u64,
    /// What may come next, most preferred first. A window has one: its end.
    pub waits: Vec<Wait>,
    /// What of the events bound is remembered, because something reads it.
    pub kept: Vec<Kept<'a>>,
    /// The events themselves, where `emit each` needs them.
    pub events: Vec<Arc<Event>>,
}

/// A way on that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Where it leads.
    pub way: WayOn,
    /// To a step: the last instant at which its event may come. To the end: when it completes. `None` for never.
    pub until: Option<Timestamp>,
}

/// Something remembered.
#[derive(Clone, Debug)]
pub struct Kept<'a> {
    /// What of the values; `last` also for a field of a step.
    pub function: AggregateFunction,
    /// Whose events.
    pub variable: VariableId,
    /// What of each event; names what the pattern's first variant calls it.
    pub argument: &'a Expr,
    /// What it is now.
    pub value: Value,
}

impl Nfa {
    /// Every partial match or window of a state: oldest first.
    #[must_use]
    pub fn live(&self, state: &State) -> Vec<Live<'_>> {
        match (state, &self.window) {
            (State::Runs(runs), _) => runs.runs.iter().map(|run| self.live_run(run)).collect(),
            (State::Bundles(bundles), _) => {
                let runs = bundles.runs(self).runs;
                runs.iter().map(|run| self.live_run(run)).collect()
            }
            (State::Stacks(stacks), _) => {
                let runs = stacks.runs(self, self.stack_plan()).runs;
                runs.iter().map(|run| self.live_run(run)).collect()
            }
            (State::Cohorts(cohorts), _) => {
                let runs = cohorts.runs(self, self.linear_plan()).runs;
                runs.iter().map(|run| self.live_run(run)).collect()
            }
            (State::Windows(windows), Some(plan)) => self.live_windows(plan, windows),
            (State::Windows(_), None) => unreachable!("the state was made for this pattern"),
        }
    }

    /// How many partial matches or panes a state has, told from its bytes alone: also when the pattern that it belongs to is gone.
    ///
    /// # Errors
    /// When they are no state.
    pub fn partials_in(bytes: &[u8]) -> Result<u64, Damaged> {
        codec::partials_in(bytes)
    }

    fn live_run(&self, run: &Run) -> Live<'_> {
        let step = run.reached(self);
        let ways = &self.positions[usize::from(run.position)].ways;
        let described = self.ways_from(usize::from(run.position));
        let waits = bits(run.alive).map(|at| {
            let deadline = run.deadline(self, &ways[at]);
            let until = match ways[at].target {
                Target::End(_) => deadline,
                Target::Position(_) => run.bound_before(self, &ways[at], deadline),
            };
            Wait {
                way: described[at].clone(),
                until: (deadline != Timestamp::MAX).then_some(until),
            }
        });
        Live {
            at: Some(step),
            first: run.first_time,
            last: run.last_time,
            bound: u64::from(run.bound),
            waits: waits.collect(),
            kept: self.kept(&run.registers),
            events: events(&run.registers),
        }
    }

    fn live_windows(&self, plan: &WindowPlan, windows: &super::window::Windows) -> Vec<Live<'_>> {
        let end = self.ways_on().into_iter().find(|way| way.to.is_none());
        let end = end.expect("a window ends");
        let live = windows.held(plan).map(|held| Live {
            at: None,
            first: held.first,
            last: held.last,
            bound: held.count,
            waits: vec![Wait {
                way: end.clone(),
                until: held.ends,
            }],
            kept: self.kept(held.registers),
            events: events(held.registers),
        });
        live.collect()
    }

    fn kept(&self, registers: &[Accumulator]) -> Vec<Kept<'_>> {
        let specs = self.registers.specs.iter().zip(registers);
        let kept = specs.filter_map(|(spec, register)| match &spec.asked {
            Asked::Value(function, variable, argument) => Some(Kept {
                function: *function,
                variable: *variable,
                argument,
                value: register.value().into_owned(),
            }),
            Asked::Rows => None,
        });
        kept.filter(|kept| !kept.value.is_null()).collect()
    }
}

fn events(registers: &[Accumulator]) -> Vec<Arc<Event>> {
    registers.iter().flat_map(Accumulator::events).collect()
}
