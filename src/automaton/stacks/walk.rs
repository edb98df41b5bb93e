//! Partial matches and matches, found in stacks: oldest first, step by step.

use std::ops::Range;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::super::choice::{Admitted, Choice, GivenUp, Outcome, timed_out};
use super::super::expression::{Bounds, Scope, StepMask};
use super::super::linear::{Path, expiry};
use super::super::matcher::Incoming;
use super::super::nfa::Nfa;
use super::super::register::{Accumulator, Registers};
use super::super::run::{Run, Runs, place};
use super::plan::{Node, NodeWay, StackPlan};
use super::{Entry, Shown, Stacks};
use crate::event::Value;
use crate::lang::pattern::StepId;
use crate::time::Span;

impl Entry {
    fn event(&self) -> (u64, crate::time::Timestamp, u64) {
        (self.number, self.time, self.place)
    }
}

/// Matches that an event completes.
struct Walk<'a, 'c> {
    nfa: &'a Nfa,
    plan: &'a StackPlan,
    state: &'c Stacks,
    shown: Shown<'a>,
    /// By node: how many entries of its stack lead to a match, the first ones.
    reach: SmallVec<[usize; 4]>,
    /// A hash of where the event came from.
    place: u64,
    registers: Registers,
    choice: &'c mut Choice<'a>,
    admitted: &'c mut Option<Box<Admitted>>,
    out: &'c mut Outcome,
}

/// Considers every match that an event completes. O(log entries) for each way on, and for each match and step.
pub(super) fn complete<'a>(
    nfa: &'a Nfa,
    plan: &'a StackPlan,
    state: &mut Stacks,
    shown: Shown<'a>,
    choice: &mut Choice<'a>,
    out: &mut Outcome,
) {
    let mut admitted = state.admitted.take();
    let mut registers: Registers = nfa.registers.empty();
    if let Some(step) = plan.alone {
        let event = shown.incoming.event;
        nfa.registers
            .take(&mut registers, usize::from(step.0), event, shown.key);
    }
    let reach = reach(plan, state, shown.satisfied);
    let mut walk = Walk {
        nfa,
        plan,
        state: &*state,
        shown,
        place: place(shown.incoming.event),
        registers,
        choice,
        admitted: &mut admitted,
        out,
        reach,
    };
    let upto = walk.reach.clone();
    let starts = |node, entries| walk.descend(node, entries, Path::NOTHING);
    state.each_start(plan, |node| upto[node], starts);
    for begin in plan.begins.iter().filter(|begin| begin.completes) {
        if shown.satisfied.has(begin.step) {
            walk.finish(begin.step, Path::NOTHING);
        }
    }
    state.admitted = admitted;
}

/// By node: how many of the entries of its stack lead to a match that the event completes.
///
/// What follows an entry follows those before it too, if need be behind what a loop takes ([`StackPlan::of`]), so it suffices to ask for the last entry that leads there. Nodes are asked from the last to the first,
/// and once more for as long as a repeat of a group leads to more.
fn reach(plan: &StackPlan, state: &Stacks, satisfied: StepMask) -> SmallVec<[usize; 4]> {
    let mut reach: SmallVec<[usize; 4]> = SmallVec::from_elem(0, plan.nodes.len());
    loop {
        let mut farther = false;
        for (at, node) in plan.nodes.iter().enumerate().rev() {
            let stack = &state.stacks[node.stack];
            for way in &node.ways {
                let leading = if way.finishes(plan, satisfied) {
                    stack.entries.len()
                } else {
                    let last = way.to.and_then(|to| {
                        let entries = &state.stacks[plan.nodes[to].stack].entries;
                        entries.get(reach[to].checked_sub(1)?)
                    });
                    last.map_or(0, |last| stack.before(last.number))
                };
                farther |= leading > reach[at];
                reach[at] = reach[at].max(leading);
            }
        }
        if !plan.turns_back || !farther {
            return reach;
        }
    }
}

impl NodeWay {
    /// True if the event completes what goes on by this way, unless it is barred.
    fn finishes(&self, plan: &StackPlan, satisfied: StepMask) -> bool {
        let wanted = self.bar.map(|bar| plan.steps[bar].filled.step);
        self.completes
            && satisfied.has(self.step)
            && !wanted.is_some_and(|wanted| satisfied.has(wanted))
    }
}

impl<'a> Walk<'a, '_> {
    /// Goes through entries of a node's stack, each with all that follows it.
    fn descend(&mut self, node: usize, entries: Range<usize>, path: Path) {
        let (plan, state) = (self.plan, self.state);
        let node = &plan.nodes[node];
        let step = plan.steps[node.stack].filled.step;
        let begins = path.is_nothing();
        for at in entries {
            let entry = &state.stacks[node.stack].entries[at];
            let first = if begins { entry.number } else { path.first };
            if self.choice.removes(first) {
                if begins {
                    continue;
                }
                return;
            }
            let filled = &plan.steps[node.stack].filled.registers;
            let before = (!plan.straight).then(|| self.held(filled));
            state.bind(self.nfa, plan, node, at, &mut self.registers);
            let path = path.with(self.nfa, step, entry.event());
            for way in &node.ways {
                let barred = state.barred_from(way.bar, entry.number);
                if let Some(to) = way.to {
                    let following = state.following(plan.nodes[to].stack, entry.number, barred);
                    let leading = following.end.min(self.reach[to]);
                    self.descend(to, following.start..leading, path);
                }
                if barred == u64::MAX && way.finishes(plan, self.shown.satisfied) {
                    self.finish(way.step, path);
                }
            }
            if let Some(before) = before {
                self.restore(filled, before);
            }
        }
    }

    /// What the registers hold that a step fills.
    fn held(&self, filled: &[u16]) -> SmallVec<[Accumulator; 2]> {
        let filled = filled.iter();
        filled
            .map(|at| self.registers[usize::from(*at)].clone())
            .collect()
    }

    fn restore(&mut self, filled: &[u16], before: SmallVec<[Accumulator; 2]>) {
        for (at, before) in filled.iter().zip(before) {
            self.registers[usize::from(*at)] = before;
        }
    }

    /// Considers what is bound together with the event, if the condition of its step holds.
    fn finish(&mut self, step: StepId, path: Path) {
        let (nfa, key) = (self.nfa, self.shown.key);
        let Incoming { event, number, .. } = self.shown.incoming;
        if self.plan.alone.is_some() {
            let path = path.with(nfa, step, (number, event.time, self.place));
            self.consider(path);
            return;
        }
        let at = usize::from(step.0);
        let condition = nfa.steps[at].correlated.as_ref();
        // Those of steps with a stack were asked when the event came.
        let condition = condition.filter(|_| !self.plan.stacked.has(step));
        let holds = condition.is_none_or(|condition| {
            condition.holds(&Scope {
                event: Some(event),
                registers: &self.registers,
                plan: &nfa.registers,
                key,
                bounds: Bounds {
                    first: Some(path.bounds.0),
                    last: Some(path.bounds.1),
                },
                window: None,
                reached: None,
            })
        });
        if !holds {
            return;
        }
        let filled = nfa.registers.filled_by(at);
        let before = self.held(filled);
        nfa.registers.take(&mut self.registers, at, event, key);
        self.consider(path.with(nfa, step, (number, event.time, self.place)));
        self.restore(filled, before);
    }

    fn consider(&mut self, path: Path) {
        self.choice
            .consider(path.candidate(&self.registers), self.admitted, self.out);
    }
}

/// A partial match that came farthest from an entry on: the step that it has bound last, how many events it binds from there on, and what it binds next.
#[derive(Clone, Copy)]
struct Farthest {
    reached: StepId,
    bound: u64,
    next: Option<(usize, usize)>,
}

/// Partial matches that came farthest, by node and entry.
struct FarthestWalk<'a> {
    plan: &'a StackPlan,
    state: &'a Stacks,
    known: HashMap<(usize, usize), Farthest>,
}

impl FarthestWalk<'_> {
    /// Of several the one that a list of runs has first. What a later event of a step leads to, an earlier one leads to as well, so it suffices to look at the first that follows.
    fn from(&mut self, node: usize, at: usize) -> Farthest {
        if let Some(known) = self.known.get(&(node, at)) {
            return *known;
        }
        let (plan, state) = (self.plan, self.state);
        let Node { stack, ways, .. } = &plan.nodes[node];
        let number = state.stacks[*stack].entries[at].number;
        let mut best: Option<Farthest> = None;
        for way in ways {
            let barred = state.barred_from(way.bar, number);
            let Some(to) = way.to else { continue };
            let mut following = state.following(plan.nodes[to].stack, number, barred);
            let Some(next) = following.next() else {
                continue;
            };
            let found = self.from(to, next);
            let found = Farthest {
                bound: found.bound + 1,
                next: Some((to, next)),
                ..found
            };
            if best.is_none_or(|best| (best.reached, best.bound) < (found.reached, found.bound)) {
                best = Some(found);
            }
        }
        let own = Farthest {
            reached: plan.steps[*stack].filled.step,
            bound: 1,
            next: None,
        };
        let farthest = match best {
            Some(best) if (best.reached, best.bound) >= (own.reached, own.bound) => best,
            _ => own,
        };
        if !plan.straight {
            self.known.insert((node, at), farthest);
        }
        farthest
    }
}

/// Reports the starts that `expired` picks, which are the oldest, by the partial match that came farthest; of several the first.
pub(super) fn time_out(
    nfa: &Nfa,
    plan: &StackPlan,
    state: &Stacks,
    expired: impl Fn(&Entry) -> bool,
    key: &[Value],
    out: &mut Outcome,
) {
    let mut walk = FarthestWalk {
        plan,
        state,
        known: HashMap::new(),
    };
    let entries = |node: usize| &state.stacks[plan.nodes[node].stack].entries;
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let upto = |node| entries(node).partition_point(&expired);
    state.each_start(plan, upto, |node, range| {
        starts.extend(range.map(|at| (node, at)));
    });
    // An event may have begun in several ways.
    let entry = |(node, at): &(usize, usize)| &entries(*node)[*at];
    for ways in starts.chunk_by(|a, b| entry(a).number == entry(b).number) {
        let start = entry(&ways[0]);
        if start.matched {
            continue;
        }
        let mut best = (walk.from(ways[0].0, ways[0].1), ways[0]);
        for way in &ways[1..] {
            let other = walk.from(way.0, way.1);
            if (other.reached, other.bound) > (best.0.reached, best.0.bound) {
                best = (other, *way);
            }
        }
        let mut registers: Registers = nfa.registers.empty();
        let (mut path, mut place) = (Path::NOTHING, Some(best.1));
        let mut reached = best.0.reached;
        while let Some((node, at)) = place {
            place = walk.from(node, at).next;
            let node = &plan.nodes[node];
            reached = plan.steps[node.stack].filled.step;
            state.bind(nfa, plan, node, at, &mut registers);
            path = path.with(nfa, reached, state.stacks[node.stack].entries[at].event());
        }
        let partial = GivenUp {
            reached,
            bounds: path.bounds,
            path: path.hash,
            registers: &registers,
        };
        let bound = expiry(nfa, start.time).minus(Span(1));
        timed_out(nfa, partial, bound, key, out);
    }
}

impl Stacks {
    /// Puts what an entry fills into registers.
    fn bind(
        &self,
        nfa: &Nfa,
        plan: &StackPlan,
        node: &Node,
        at: usize,
        registers: &mut [Accumulator],
    ) {
        let stacked = &plan.steps[node.stack].filled;
        let values = at * stacked.registers.len()..;
        for (value, register) in values.zip(&stacked.registers) {
            let (value, at) = (
                &self.stacks[node.stack].values[value],
                usize::from(*register),
            );
            match node.repeats {
                true => nfa.registers.merge_one(at, &mut registers[at], value),
                false => registers[at].clone_from(value),
            }
        }
    }

    /// The same as a list of runs. O(partial matches).
    pub(crate) fn runs(&self, nfa: &Nfa, plan: &StackPlan) -> Runs {
        let mut spelling = Spelling {
            nfa,
            plan,
            state: self,
            runs: Vec::new(),
        };
        let before = Spelled {
            path: Path::NOTHING,
            bound: 0,
            registers: nfa.registers.empty(),
            matched: false,
        };
        let upto = |node: usize| self.stacks[plan.nodes[node].stack].entries.len();
        self.each_start(plan, upto, |node, entries| {
            spelling.descend(node, entries, &before);
        });
        Runs {
            runs: spelling.runs,
            absent: SmallVec::new(),
            admitted: self.admitted.clone(),
        }
    }
}

/// Partial matches told one by one.
struct Spelling<'a> {
    nfa: &'a Nfa,
    plan: &'a StackPlan,
    state: &'a Stacks,
    runs: Vec<Run>,
}

/// A partial match as far as it was told.
struct Spelled {
    path: Path,
    bound: u64,
    registers: Registers,
    matched: bool,
}

impl Spelling<'_> {
    /// Adds every partial match that goes on from `before` with one of these entries: each among those that go on from it, by preference.
    fn descend(&mut self, node: usize, entries: Range<usize>, before: &Spelled) {
        let node = &self.plan.nodes[node];
        for at in entries {
            let entry = &self.state.stacks[node.stack].entries[at];
            let step = self.plan.steps[node.stack].filled.step;
            let mut registers = before.registers.clone();
            self.state
                .bind(self.nfa, self.plan, node, at, &mut registers);
            let so_far = Spelled {
                path: before.path.with(self.nfa, step, entry.event()),
                bound: before.bound + 1,
                registers,
                matched: before.matched || entry.matched,
            };
            let mut waiting = 0;
            for way in &node.ways {
                let barred = self.state.barred_from(way.bar, entry.number);
                if let Some(to) = way.to {
                    let stack = self.plan.nodes[to].stack;
                    let following = self.state.following(stack, entry.number, barred);
                    if !following.is_empty() {
                        self.add(node, &so_far, std::mem::take(&mut waiting));
                        self.descend(to, following, &so_far);
                    }
                }
                if barred == u64::MAX {
                    waiting |= 1 << way.at;
                }
            }
            self.add(node, &so_far, waiting);
        }
    }

    /// Adds a partial match that waits by these ways on, if there are any.
    fn add(&mut self, node: &Node, so_far: &Spelled, alive: u64) {
        if alive == 0 {
            return;
        }
        let position = self.plan.steps[node.stack].position;
        let Spelled {
            path,
            bound,
            registers,
            matched,
        } = so_far;
        let mut run = path.run(self.nfa, position, *bound, registers);
        run.matched = *matched;
        run.alive = alive;
        run.counters.clone_from(&node.counters);
        run.schedule(self.nfa);
        self.runs.push(run);
    }
}
