//! What a partial match of a cohort has bound.

use smallvec::SmallVec;

use super::super::choice::GivenUp;
use super::super::linear::{LinearPlan, Path};
use super::super::nfa::Nfa;
use super::super::register::{Accumulator, Registers};
use super::super::run::{Run, Runs};
use super::{Bound, Cohorts};

/// Goes through partial matches, oldest first.
pub(super) struct Walk<'a> {
    nfa: &'a Nfa,
    plan: &'a LinearPlan,
    cohorts: &'a Cohorts,
    /// For each step after the first, the record at hand. Never goes back.
    records: SmallVec<[usize; 4]>,
    /// What the partial match last asked for has in those that its steps fill.
    pub registers: Registers,
}

impl<'a> Walk<'a> {
    pub(super) fn new(nfa: &'a Nfa, plan: &'a LinearPlan, cohorts: &'a Cohorts) -> Walk<'a> {
        Walk {
            nfa,
            plan,
            cohorts,
            records: SmallVec::from_elem(0, cohorts.records.len()),
            registers: nfa.registers.empty(),
        }
    }

    /// What a start has bound up to a step. Starts are asked for in their order.
    pub(super) fn path(&mut self, start: usize, depth: usize) -> Path {
        let cohorts = self.cohorts;
        let repeats = self.repeats(start);
        let mut bound = cohorts.starts.range(start..start + repeats);
        let Some(start) = bound.next() else {
            unreachable!("a start has bound its own event");
        };
        let mut path = self.bind(Path::NOTHING, 0, start);
        for repeat in bound {
            path = self.bind_repeat(path, repeat);
        }
        for before in 0..depth {
            let (records, at) = (&cohorts.records[before], &mut self.records[before]);
            while records[*at].newest < start.number {
                *at += 1;
            }
            let event = &records[*at].event;
            path = self.bind(path, before + 1, event);
        }
        path
    }

    fn bind(&mut self, path: Path, depth: usize, event: &Bound) -> Path {
        let step = &self.plan.steps[depth];
        for (register, value) in step.registers.iter().zip(&event.values) {
            self.registers[usize::from(*register)].clone_from(value);
        }
        path.with(self.nfa, step.step, (event.number, event.time, event.place))
    }

    /// How many events a start has bound to the first step: in a loop those of all starts that came later, too.
    fn repeats(&self, start: usize) -> usize {
        match self.plan.repeats {
            Some(_) => self.cohorts.starts.len() - start,
            None => 1,
        }
    }

    /// One more event of the loop.
    fn bind_repeat(&mut self, path: Path, event: &Bound) -> Path {
        let step = &self.plan.steps[0];
        for (register, value) in step.registers.iter().zip(&event.values) {
            let at = usize::from(*register);
            self.nfa
                .registers
                .merge_one(at, &mut self.registers[at], value);
        }
        path.with(self.nfa, step.step, (event.number, event.time, event.place))
    }

    /// The step that a start has come to.
    fn depth(&self, start: usize) -> usize {
        let mut depth = 0;
        while start < self.cohorts.reached(depth + 1) {
            depth += 1;
        }
        depth
    }

    /// Gives out a partial match as its row shows it when it is given up.
    pub(super) fn give_up(&mut self, start: usize, to: impl FnOnce(GivenUp<'_>)) {
        let depth = self.depth(start);
        // Newer ones have not come farther, and have bound less.
        self.registers = self.nfa.registers.empty();
        let path = self.path(start, depth);
        to(GivenUp {
            reached: self.plan.steps[depth].step,
            bounds: path.bounds,
            path: path.hash,
            registers: &self.registers,
        });
    }
}

impl Cohorts {
    /// The same as a list of runs. O(partial matches).
    pub(crate) fn runs(&self, nfa: &Nfa, plan: &LinearPlan) -> Runs {
        let mut walk = Walk::new(nfa, plan, self);
        let runs = (0..self.starts.len()).map(|start| {
            let depth = walk.depth(start);
            walk.registers = nfa.registers.empty();
            let path = walk.path(start, depth);
            run(
                nfa,
                plan,
                path,
                (depth, walk.repeats(start)),
                &walk.registers,
            )
        });
        Runs {
            runs: runs.collect(),
            absent: SmallVec::new(),
            admitted: self.admitted.clone(),
        }
    }
}

/// A partial match as a run that has come to a step, and of the first one has bound so many events.
fn run(
    nfa: &Nfa,
    plan: &LinearPlan,
    path: Path,
    (depth, repeats): (usize, usize),
    registers: &[Accumulator],
) -> Run {
    let mut run = path.run(nfa, depth as u16 + 1, (depth + repeats) as u64, registers);
    if let Some(repeated) = plan.repeats {
        repeated.count(repeats, &mut run.counters);
    }
    let ways = nfa.positions[depth + 1].ways.iter().enumerate();
    run.alive = ways
        .filter(|(_, way)| run.allows(way))
        .fold(0, |alive, (at, _)| alive | 1 << at);
    run.schedule(nfa);
    run
}
