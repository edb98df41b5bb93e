//! Partial matches and matches, found in stacks: oldest first, step by step.

use smallvec::SmallVec;

use super::super::choice::{Candidate, Choice, GivenUp, Outcome, timed_out};
use super::super::expression::{Bounds, Scope};
use super::super::matcher::Incoming;
use super::super::nfa::{Nfa, Skip, Which};
use super::super::register::Registers;
use super::super::run::{PATH_START, Run, Runs, mix, place};
use super::{Entry, StackPlan, Stacks};
use crate::event::Value;
use crate::lang::pattern::StepId;
use crate::time::Timestamp;

/// What is bound so far on the way down.
#[derive(Clone, Copy)]
struct Bound {
    first: u64,
    first_time: Timestamp,
    last_time: Timestamp,
    /// Number of the event that `skip to` looks for.
    mark: Option<u64>,
    path: u64,
}

impl Bound {
    const NOTHING: Bound = Bound {
        first: 0,
        first_time: Timestamp(0),
        last_time: Timestamp(0),
        mark: None,
        path: PATH_START,
    };

    /// With one more event.
    fn with(self, nfa: &Nfa, step: StepId, entry: &Entry) -> Bound {
        let begins = self.path == PATH_START;
        Bound {
            first: if begins { entry.number } else { self.first },
            first_time: if begins { entry.time } else { self.first_time },
            last_time: entry.time,
            mark: marked(nfa, self.mark, step, entry.number),
            path: mix(mix(self.path, u64::from(step.0)), entry.place),
        }
    }
}

/// The event that `skip to` looks for, once the step has bound one.
fn marked(nfa: &Nfa, mark: Option<u64>, step: StepId, number: u64) -> Option<u64> {
    match nfa.skip {
        Skip::To(steps, which) if steps.has(step) && (which == Which::Last || mark.is_none()) => {
            Some(number)
        }
        _ => mark,
    }
}

/// Matches that an event of the last step completes.
struct Walk<'a, 'c> {
    nfa: &'a Nfa,
    plan: &'a StackPlan,
    state: &'c Stacks,
    incoming: Incoming<'a>,
    key: &'a [Value],
    /// By stack: the entries below this number lead to the last stack, the others don't.
    reach: SmallVec<[u64; 4]>,
    /// A hash of where the event came from.
    place: u64,
    registers: Registers,
    choice: &'c mut Choice<'a>,
    admitted: &'c mut Option<Box<super::super::choice::Admitted>>,
    out: &'c mut Outcome,
}

/// Considers every match that an event completes. O(log entries) for each step, and O(1) for each match and step.
pub(super) fn complete<'a>(
    nfa: &'a Nfa,
    plan: &'a StackPlan,
    state: &mut Stacks,
    incoming: Incoming<'a>,
    key: &'a [Value],
    choice: &mut Choice<'a>,
    out: &mut Outcome,
) {
    let mut admitted = state.admitted.take();
    let mut registers = nfa.registers.empty();
    let last = plan.steps.last().expect("there are at least two");
    let step = usize::from(last.step.0);
    // Unless its condition must not see them yet.
    if nfa.steps[step].correlated.is_none() {
        nfa.registers
            .take(&mut registers, step, incoming.event, key);
    }
    let mut walk = Walk {
        nfa,
        plan,
        state: &*state,
        incoming,
        key,
        reach: reach(state),
        place: place(incoming.event),
        registers,
        choice,
        admitted: &mut admitted,
        out,
    };
    walk.descend(0, state.stacks[0].begin, Bound::NOTHING);
    state.admitted = admitted;
}

/// By stack: where the entries end that something of every later stack follows.
///
/// What follows an entry follows those before it too, so it suffices to ask for the first entry that does.
fn reach(state: &Stacks) -> SmallVec<[u64; 4]> {
    let mut reach: SmallVec<[u64; 4]> = state.stacks.iter().map(super::Stack::end).collect();
    for depth in (0..reach.len() - 1).rev() {
        let stack = &state.stacks[depth];
        let leading = stack
            .entries
            .partition_point(|entry| entry.next < reach[depth + 1]);
        reach[depth] = stack.begin + leading as u64;
    }
    reach
}

impl Walk<'_, '_> {
    /// Goes through the entries of a stack from one on, each with all that follows it.
    fn descend(&mut self, depth: usize, from: u64, bound: Bound) {
        let state = self.state;
        let stack = &state.stacks[depth];
        let (from, to) = (from - stack.begin, self.reach[depth] - stack.begin);
        let width = self.plan.width(depth);
        for at in from as usize..to as usize {
            let entry = &stack.entries[at];
            let first = if depth == 0 {
                entry.number
            } else {
                bound.first
            };
            if self.choice.removes(first) {
                if depth == 0 {
                    continue;
                }
                return;
            }
            for (value, register) in (at * width..).zip(&self.plan.steps[depth].registers) {
                self.registers[usize::from(*register)].clone_from(&stack.values[value]);
            }
            let bound = bound.with(self.nfa, self.plan.steps[depth].step, entry);
            match depth + 1 == state.stacks.len() {
                true => self.finish(bound),
                false => self.descend(depth + 1, entry.next, bound),
            }
        }
    }

    /// Considers what is bound together with the event.
    fn finish(&mut self, bound: Bound) {
        let (nfa, Incoming { event, number, .. }) = (self.nfa, self.incoming);
        let last = &self.plan.steps[self.state.stacks.len()];
        if let Some(condition) = &nfa.steps[usize::from(last.step.0)].correlated {
            for register in &last.registers {
                self.registers[usize::from(*register)] =
                    nfa.registers.empty_one(usize::from(*register));
            }
            let holds = condition.holds(&Scope {
                event: Some(event),
                registers: &self.registers,
                plan: &nfa.registers,
                key: self.key,
                bounds: Bounds {
                    first: Some(bound.first_time),
                    last: Some(bound.last_time),
                },
                window: None,
                reached: None,
            });
            if !holds {
                return;
            }
            nfa.registers.take(
                &mut self.registers,
                usize::from(last.step.0),
                event,
                self.key,
            );
        }
        let candidate = Candidate {
            first: bound.first,
            last: number,
            bounds: (bound.first_time, event.time),
            anchor: bound.first_time,
            mark: marked(nfa, bound.mark, last.step, number),
            path: mix(mix(bound.path, u64::from(last.step.0)), self.place),
            registers: &self.registers,
        };
        self.choice.consider(candidate, self.admitted, self.out);
    }
}

/// Reports the starts that `expired` picks, which are the oldest, by the partial match that came farthest; of several the first.
///
/// What follows an entry follows those before it too, so that is the way of the first entry that follows, and again.
pub(super) fn time_out(
    nfa: &Nfa,
    plan: &StackPlan,
    state: &Stacks,
    expired: impl Fn(&Entry) -> bool,
    key: &[Value],
    out: &mut Outcome,
) {
    let starts = state.stacks[0]
        .entries
        .iter()
        .take_while(|start| expired(start));
    for (at, start) in starts.enumerate().filter(|(_, start)| !start.matched) {
        let mut registers = nfa.registers.empty();
        let (mut bound, mut entry, mut at) = (Bound::NOTHING, start, at);
        let mut depth = 0;
        loop {
            state.fill(plan, depth, at, &mut registers);
            bound = bound.with(nfa, plan.steps[depth].step, entry);
            let following = state.stacks.get(depth + 1);
            let Some(next) = following.and_then(|stack| {
                at = (entry.next - stack.begin) as usize;
                stack.entries.get(at)
            }) else {
                break;
            };
            (entry, depth) = (next, depth + 1);
        }
        let within = nfa.within.expect("stacks are bounded by `within`");
        let partial = GivenUp {
            reached: plan.steps[depth].step,
            bounds: (bound.first_time, bound.last_time),
            path: bound.path,
            registers: &registers,
        };
        timed_out(nfa, partial, start.time.plus(within), key, out);
    }
}

impl Stacks {
    /// Puts what an entry fills into registers.
    fn fill(&self, plan: &StackPlan, depth: usize, at: usize, registers: &mut Registers) {
        let values = at * plan.width(depth)..;
        for (value, register) in values.zip(&plan.steps[depth].registers) {
            registers[usize::from(*register)].clone_from(&self.stacks[depth].values[value]);
        }
    }

    /// The same as a list of runs. O(partial matches).
    pub(crate) fn runs(&self, nfa: &Nfa, plan: &StackPlan) -> Runs {
        let mut runs = Vec::new();
        let first = self.stacks[0].begin;
        self.spell_out(nfa, plan, 0, first, None, &mut runs);
        Runs {
            runs,
            absent: SmallVec::new(),
            admitted: self.admitted.clone(),
        }
    }

    /// Adds every partial match that goes on from `before` with an entry of this stack: each behind those that go on from it.
    fn spell_out(
        &self,
        nfa: &Nfa,
        plan: &StackPlan,
        depth: usize,
        from: u64,
        before: Option<&Run>,
        runs: &mut Vec<Run>,
    ) {
        let Some(stack) = self.stacks.get(depth) else {
            return;
        };
        for at in (from - stack.begin) as usize..stack.entries.len() {
            let entry = &stack.entries[at];
            let step = plan.steps[depth].step;
            let mut run = match before {
                Some(before) => before.clone(),
                None => Run::begin(nfa, entry.number, entry.time),
            };
            self.fill(plan, depth, at, &mut run.registers);
            run.mark = marked(nfa, run.mark, step, entry.number);
            run.path = mix(mix(run.path, u64::from(step.0)), entry.place);
            run.last = entry.number;
            run.last_time = entry.time;
            run.position = depth as u16 + 1;
            run.bound += 1;
            run.matched = depth == 0 && entry.matched || run.matched;
            run.fresh = false;
            run.alive = 1;
            run.schedule(nfa);
            self.spell_out(nfa, plan, depth + 1, entry.next, Some(&run), runs);
            runs.push(run);
        }
    }
}
