//! Which patterns are matched by stacks, and how.

use super::super::expression::{Bounds, Compiled, Scope};
use super::super::matcher::Incoming;
use super::super::nfa::{Completion, Nfa, Position, Target, Way};
use super::super::register::RegisterSet;
use crate::event::Value;
use crate::lang::pattern::{Contiguity, StepId};

/// How a pattern is matched by stacks, or could be.
#[derive(Clone, Debug)]
pub(crate) struct StackPlan {
    /// In their order; at least two.
    pub steps: Vec<StackStep>,
    /// Whether keys without state begin with stacks. Where they do not, stacks that another version of the pattern left can still be read.
    pub chosen: Chosen,
}

/// Whether stacks are what a pattern is matched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    Yes,
    /// Each partial match is kept by itself.
    No,
}

/// A step of a pattern that is matched by stacks.
#[derive(Clone, Debug)]
pub(crate) struct StackStep {
    pub step: StepId,
    /// Registers that its event fills, and no other step's.
    pub registers: Box<[u16]>,
}

impl StackPlan {
    /// `None` if the pattern is not one step after the other by `then any`, or two steps fill one register. That much follows from the structure of its states
    /// ([`Nfa::structure`]), so all patterns of one structure can read what the others left.
    pub(crate) fn of(nfa: &Nfa) -> Option<StackPlan> {
        if nfa.window.is_some() || !nfa.leading.is_empty() {
            return None;
        }
        let last = nfa
            .positions
            .len()
            .checked_sub(1)
            .filter(|last| *last >= 2)?;
        let mut steps = Vec::with_capacity(last);
        for (at, position) in nfa.positions.iter().enumerate() {
            let [way] = &position.ways[..] else {
                return None;
            };
            let target = match at == last {
                true => Target::End(Completion::AtOnce),
                false => Target::Position(at as u16 + 1),
            };
            let any = at == 0 || at == last || way.contiguity == Contiguity::SkipTillAny;
            if way.target != target || !any || !rules_nothing(way) {
                return None;
            }
            steps.extend(position.step);
        }
        let filled = |step: &StepId| nfa.registers.filled_by(usize::from(step.0));
        apart(&nfa.registers, &steps).then(|| StackPlan {
            chosen: choose(nfa, &steps),
            steps: steps
                .iter()
                .map(|step| StackStep {
                    step: *step,
                    registers: filled(step).into(),
                })
                .collect(),
        })
    }

    /// How many registers an entry of a stack fills.
    pub(crate) fn width(&self, depth: usize) -> usize {
        self.steps[depth].registers.len()
    }
}

/// Stacks need to know of an event only that it came: which do follow it is said by one number, and all that began at one event expires with it.
///
/// So conditions of all steps but the last are decided when their event comes, before anything is known of what a partial match bound; and the only
/// bound of time is `within`.
fn choose(nfa: &Nfa, steps: &[StepId]) -> Chosen {
    let bounded_at_once = |position: &Position| {
        let mut ways = position.ways.iter();
        ways.all(|way| way.after.is_none() && way.gap.is_none())
    };
    let alone = |step: &StepId| {
        let condition = &nfa.steps[usize::from(step.0)].correlated;
        condition.as_ref().is_none_or(Compiled::is_local)
    };
    let before = steps.split_last().map_or(&[][..], |(_, before)| before);
    let chosen = nfa.within.is_some()
        && nfa.positions.iter().all(bounded_at_once)
        && before.iter().all(alone);
    match chosen {
        true => Chosen::Yes,
        false => Chosen::No,
    }
}

/// True if no register is filled by two steps.
fn apart(registers: &RegisterSet, steps: &[StepId]) -> bool {
    let filled = steps
        .iter()
        .flat_map(|step| registers.filled_by(usize::from(step.0)));
    let mut filled: Vec<u16> = filled.copied().collect();
    let count = filled.len();
    filled.sort_unstable();
    filled.dedup();
    filled.len() == count
}

/// True if a way on waits for its target and nothing else, bounds of time aside.
fn rules_nothing(way: &Way) -> bool {
    // Named one by one, so that a new field has to be thought of here.
    let Way {
        target: _,
        contiguity: _,
        after: _,
        gap: _,
        between,
        adjacent,
        holds,
        wanted,
        guards,
        counting,
        unless,
        until,
        closes,
        anchors,
        leading,
    } = way;
    between.is_empty()
        && adjacent.is_empty()
        && holds.is_empty()
        && wanted.is_empty()
        && guards.is_empty()
        && counting.is_empty()
        && unless.is_none()
        && until.is_none()
        && closes.is_none()
        && !anchors
        && *leading == 0
}

/// Whether an event that fits a step by itself satisfies it for this key.
pub(super) fn judge(nfa: &Nfa, step: &StackStep, incoming: Incoming<'_>, key: &[Value]) -> bool {
    let Some(condition) = &nfa.steps[usize::from(step.step.0)].correlated else {
        return true;
    };
    condition.holds(&Scope {
        event: Some(incoming.event),
        registers: &[],
        plan: &nfa.registers,
        key,
        bounds: Bounds::default(),
        window: None,
        reached: None,
    })
}
