//! Partial matches and matches, found in stacks: oldest first, step by step.

use smallvec::SmallVec;

use super::super::choice::{Admitted, Choice, GivenUp, Outcome, timed_out};
use super::super::expression::{Bounds, Scope};
use super::super::linear::{LinearPlan, Path, bound};
use super::super::matcher::Incoming;
use super::super::nfa::Nfa;
use super::super::register::Registers;
use super::super::run::{Run, Runs, place};
use super::{Entry, Stack, Stacks};
use crate::event::Value;
use crate::time::Timestamp;

impl Entry {
    fn event(&self) -> (u64, Timestamp, u64) {
        (self.number, self.time, self.place)
    }
}

/// Matches that an event of the last step completes.
struct Walk<'a, 'c> {
    nfa: &'a Nfa,
    plan: &'a LinearPlan,
    state: &'c Stacks,
    incoming: Incoming<'a>,
    key: &'a [Value],
    /// By stack: the entries below this number lead to the last stack, the others don't.
    reach: SmallVec<[u64; 4]>,
    /// A hash of where the event came from.
    place: u64,
    registers: Registers,
    choice: &'c mut Choice<'a>,
    admitted: &'c mut Option<Box<Admitted>>,
    out: &'c mut Outcome,
}

/// Considers every match that an event completes. O(log entries) for each step, and O(1) for each match and step.
pub(super) fn complete<'a>(
    nfa: &'a Nfa,
    plan: &'a LinearPlan,
    state: &mut Stacks,
    incoming: Incoming<'a>,
    key: &'a [Value],
    choice: &mut Choice<'a>,
    out: &mut Outcome,
) {
    let mut admitted = state.admitted.take();
    let mut registers: Registers = nfa.registers.empty();
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
    walk.descend(0, state.stacks[0].begin, Path::NOTHING);
    state.admitted = admitted;
}

/// By stack: where the entries end that something of every later stack follows.
///
/// What follows an entry follows those before it too, so it suffices to ask for the first entry that does.
fn reach(state: &Stacks) -> SmallVec<[u64; 4]> {
    let mut reach: SmallVec<[u64; 4]> = state.stacks.iter().map(Stack::end).collect();
    for depth in (0..reach.len() - 1).rev() {
        let stack = &state.stacks[depth];
        let beyond = reach[depth + 1];
        let leading = stack.entries.partition_point(|entry| entry.next < beyond);
        reach[depth] = stack.begin + leading as u64;
    }
    reach
}

impl Walk<'_, '_> {
    /// Goes through the entries of a stack from one on, each with all that follows it.
    fn descend(&mut self, depth: usize, from: u64, path: Path) {
        let state = self.state;
        let stack = &state.stacks[depth];
        let (from, to) = (from - stack.begin, self.reach[depth] - stack.begin);
        let width = self.plan.width(depth);
        for at in from as usize..to as usize {
            let entry = &stack.entries[at];
            let first = if depth == 0 { entry.number } else { path.first };
            if self.choice.removes(first) {
                if depth == 0 {
                    continue;
                }
                return;
            }
            for (value, register) in (at * width..).zip(&self.plan.steps[depth].registers) {
                self.registers[usize::from(*register)].clone_from(&stack.values[value]);
            }
            let path = path.with(self.nfa, self.plan.steps[depth].step, entry.event());
            match depth + 1 == state.stacks.len() {
                true => self.finish(path),
                false => self.descend(depth + 1, entry.next, path),
            }
        }
    }

    /// Considers what is bound together with the event.
    fn finish(&mut self, path: Path) {
        let (nfa, Incoming { event, number, .. }) = (self.nfa, self.incoming);
        let last = &self.plan.steps[self.state.stacks.len()];
        let step = usize::from(last.step.0);
        if let Some(condition) = &nfa.steps[step].correlated {
            for register in &last.registers {
                let at = usize::from(*register);
                self.registers[at] = nfa.registers.empty_one(at);
            }
            let holds = condition.holds(&Scope {
                event: Some(event),
                registers: &self.registers,
                plan: &nfa.registers,
                key: self.key,
                bounds: Bounds {
                    first: Some(path.bounds.0),
                    last: Some(path.bounds.1),
                },
                window: None,
                reached: None,
            });
            if !holds {
                return;
            }
            nfa.registers
                .take(&mut self.registers, step, event, self.key);
        }
        let path = path.with(nfa, last.step, (number, event.time, self.place));
        self.choice
            .consider(path.candidate(&self.registers), self.admitted, self.out);
    }
}

/// Reports the starts that `expired` picks, which are the oldest, by the partial match that came farthest; of several the first.
///
/// What follows an entry follows those before it too, so that is the way of the first entry that follows, and again.
pub(super) fn time_out(
    nfa: &Nfa,
    plan: &LinearPlan,
    state: &Stacks,
    expired: impl Fn(&Entry) -> bool,
    key: &[Value],
    out: &mut Outcome,
) {
    let starts = state.stacks[0].entries.iter();
    let starts = starts.take_while(|start| expired(start)).enumerate();
    for (at, start) in starts.filter(|(_, start)| !start.matched) {
        let mut registers: Registers = nfa.registers.empty();
        let (mut path, mut entry, mut at) = (Path::NOTHING, start, at);
        let mut depth = 0;
        loop {
            state.fill(plan, depth, at, &mut registers);
            path = path.with(nfa, plan.steps[depth].step, entry.event());
            let following = state.stacks.get(depth + 1);
            let Some(next) = following.and_then(|stack| {
                at = (entry.next - stack.begin) as usize;
                stack.entries.get(at)
            }) else {
                break;
            };
            (entry, depth) = (next, depth + 1);
        }
        let partial = GivenUp {
            reached: plan.steps[depth].step,
            bounds: path.bounds,
            path: path.hash,
            registers: &registers,
        };
        timed_out(nfa, partial, bound(nfa, start.time), key, out);
    }
}

impl Stacks {
    /// Puts what an entry fills into registers.
    fn fill(&self, plan: &LinearPlan, depth: usize, at: usize, registers: &mut Registers) {
        let values = at * plan.width(depth)..;
        for (value, register) in values.zip(&plan.steps[depth].registers) {
            registers[usize::from(*register)].clone_from(&self.stacks[depth].values[value]);
        }
    }

    /// The same as a list of runs. O(partial matches).
    pub(crate) fn runs(&self, nfa: &Nfa, plan: &LinearPlan) -> Runs {
        let mut runs = Vec::new();
        let first = self.stacks[0].begin;
        let before = (Path::NOTHING, nfa.registers.empty());
        self.spell_out(nfa, plan, 0, first, &before, &mut runs);
        let matched = self.stacks[0].entries.iter();
        let matched = matched.filter(|start| start.matched);
        let matched: Vec<u64> = matched.map(|start| start.number).collect();
        for run in &mut runs {
            run.matched = matched.binary_search(&run.first).is_ok();
        }
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
        plan: &LinearPlan,
        depth: usize,
        from: u64,
        before: &(Path, Registers),
        runs: &mut Vec<Run>,
    ) {
        let Some(stack) = self.stacks.get(depth) else {
            return;
        };
        for at in (from - stack.begin) as usize..stack.entries.len() {
            let entry = &stack.entries[at];
            let (path, mut registers) = before.clone();
            self.fill(plan, depth, at, &mut registers);
            let path = path.with(nfa, plan.steps[depth].step, entry.event());
            let so_far = (path, registers);
            self.spell_out(nfa, plan, depth + 1, entry.next, &so_far, runs);
            runs.push(path.run(nfa, plan, (depth + 1, 1), &so_far.1));
        }
    }
}
