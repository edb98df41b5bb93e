//! From a checked pattern to its automaton.

use super::expression::{Compiled, StepMask, StepPlan};
use super::linear::LinearPlan;
use super::matcher::Together;
use super::nfa::{Emit, Input, Limit, Mindfulness, Nfa, Skip, Target};
use super::outlook::Outlook;
use super::register::RegisterSet;
use super::run::mix;
use super::stacks::StackPlan;
use super::structure::Layout;
use super::tables::Tables;
use super::walk::{TooComplex, Walks, walks};
use super::window::WindowPlan;
use crate::lang::pattern::{Pattern, PatternId, Program, StepId};

impl Nfa {
    /// Builds the automaton of one pattern of a program. `tables` are the rows of its tables.
    ///
    /// # Errors
    ///
    /// [`TooComplex`] if alternatives and optional parts combine to more ways on than the automaton holds.
    pub fn new(program: &Program, id: PatternId, tables: &Tables) -> Result<Nfa, TooComplex> {
        let pattern = &program.patterns[id.0 as usize];
        let Walks {
            positions,
            counters,
            leading,
        } = walks(&pattern.body)?;
        let mut registers = RegisterSet::default();
        let mut compile = |expr| Compiled::new(expr, pattern, &mut registers, tables);
        let steps: Vec<StepPlan> = pattern
            .steps
            .iter()
            .map(|step| {
                let (local, correlated) = step
                    .condition
                    .as_ref()
                    .map(&mut compile)
                    .map_or((None, None), Compiled::split);
                StepPlan {
                    name: step.name.clone(),
                    local,
                    correlated,
                }
            })
            .collect();
        let having = pattern.having.as_ref().map(&mut compile);
        let limit = pattern.limit.as_ref().map(|limit| Limit {
            count: limit.count as usize,
            per: limit.per,
            by: limit.by.iter().map(&mut compile).collect(),
        });
        let timeout = pattern.timeout.as_ref().map(|timeout| {
            (
                timeout.stream,
                timeout.fields.iter().map(&mut compile).collect(),
            )
        });
        let mut emits: Vec<Emit> = pattern
            .emits
            .iter()
            .map(|emit| Emit {
                stream: emit.stream,
                fields: emit.fields.iter().map(&mut compile).collect(),
                each: None,
            })
            .collect();
        for (emit, declared) in emits.iter_mut().zip(&pattern.emits) {
            emit.each = declared.each.then(|| registers.rows());
        }
        registers.finish(steps.len());
        let step_of = |target: u16| positions[usize::from(target)].step;
        let starters = positions[0].ways.iter().filter_map(|way| match way.target {
            Target::Position(target) => step_of(target),
            Target::End(_) => None,
        });
        let starters = starters.collect();
        let ways = || positions[1..].iter().flat_map(|position| &position.ways);
        let mindful = if ways().any(super::nfa::Way::minds_every_event) {
            Mindfulness::EveryEvent
        } else {
            Mindfulness::FittingEvents
        };
        let ambiguous = positions.iter().any(|position| {
            let targets: Vec<Option<StepId>> = position
                .ways
                .iter()
                .map(|way| match way.target {
                    Target::Position(target) => step_of(target),
                    Target::End(_) => None,
                })
                .collect();
            targets
                .iter()
                .enumerate()
                .any(|(at, target)| targets[..at].contains(target))
        });
        let splits = positions.iter().any(|position| position.ways.len() > 1);
        let local = steps.iter().all(|step| step.correlated.is_none());
        let window = WindowPlan::of(pattern, local);
        let mut nfa = Nfa {
            outlook: Outlook::default(),
            layout: Layout::default(),
            window,
            linear: None,
            stacks: None,
            together: None,
            pattern: id,
            name: pattern.name.clone(),
            fingerprint: fingerprint(pattern),
            inputs: inputs(pattern),
            steps,
            counters,
            registers,
            within: pattern.within,
            having,
            skip: Skip::new(pattern.skip, |variable| {
                let steps = &pattern.variables[usize::from(variable.0)].steps;
                steps.iter().copied().collect()
            }),
            limit,
            bound: pattern.bound,
            emits,
            timeout,
            mindful,
            leading,
            starters,
            ambiguous,
            splits,
            positions,
        };
        nfa.outlook = Outlook::of(&nfa);
        nfa.linear = LinearPlan::of(&nfa);
        nfa.stacks = StackPlan::of(&nfa);
        nfa.together = Together::of(&nfa);
        nfa.layout = Layout::of(&nfa, program);
        Ok(nfa)
    }
}

fn inputs(pattern: &Pattern) -> Vec<Input> {
    let inputs = pattern.inputs.iter().map(|input| {
        let mut steps = StepMask::default();
        for (at, step) in pattern.steps.iter().enumerate() {
            if step.ty == input.ty {
                steps.add(StepId(at as u8));
            }
        }
        Input {
            ty: input.ty,
            key: input.key.clone(),
            steps,
        }
    });
    inputs.collect()
}

/// A hash of all that the pattern says. Equal patterns have equal match ids over equal events.
fn fingerprint(pattern: &Pattern) -> u64 {
    format!("{pattern:?}")
        .bytes()
        .fold(0, |hash, byte| mix(hash, u64::from(byte)))
}
