//! Patterns that share one automaton: variants of each other, different in names, streams and local conditions alone.
//!
//! Two variants for which all events of a key so far had the same fits have the same state there. So a key keeps one state per *set of variants*
//! ([`Blocks`]), and an event costs one step per set that it tells apart, not one per variant. A pattern without
//! variants is a family of one, which knows no sets.

use std::mem::take;

use super::conditions::{Conditions, conjuncts};
use super::expression::{Compiled, Scope, StepMask};
use super::looking::{Fittings, Looking};
use super::narrowing::Narrowing;
use super::nfa::{Mindfulness, Nfa};
use super::readers::Guard;
use super::shared::{Memo, Part};
use super::state::Interest;
use super::variant::Variant;
use super::variants::Variants;
use crate::event::{Event, EventTypeId};
use crate::lang::pattern::StepId;

/// Patterns with one automaton.
#[derive(Clone, Debug)]
pub struct Family {
    /// That of the first variant.
    pub(crate) nfa: Nfa,
    /// In order of their numbers; never empty.
    pub(crate) variants: Vec<Variant>,
    conditions: Local,
    /// By input, by step: what every event must satisfy that is of use to the step. `None` if any may be of use.
    guards: Vec<Option<Vec<Guard>>>,
    /// How an event bears on it that satisfies no step, as most do.
    unfit: Interest,
}

/// What steps ask of an event by itself, by step.
#[derive(Clone, Debug)]
enum Local {
    /// Of the only variant; and by input, which steps are asked.
    One(Vec<Vec<Part>>, Vec<Option<Narrowing>>),
    Many(Vec<Conditions>),
}

/// Which steps an event can satisfy by itself, in the eyes of each variant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fits {
    /// Of the only one.
    One(StepMask),
    /// Of sets of variants; those on which the event has no bearing are in none.
    Many(Box<Fittings>),
}

impl Default for Fits {
    fn default() -> Fits {
        Fits::One(StepMask::default())
    }
}

impl Family {
    /// Puts automata that share their shape together. Families come in the order of their first members.
    pub(crate) fn gather(automata: Vec<Nfa>) -> Vec<Family> {
        let mut gathered: Vec<Vec<Nfa>> = Vec::new();
        let mut by_hash: hashbrown::HashMap<u64, Vec<usize>> = hashbrown::HashMap::new();
        for nfa in automata {
            let alike = by_hash.entry(nfa.shape_hash()).or_default();
            match alike
                .iter()
                .find(|family| gathered[**family][0].same_shape(&nfa))
            {
                Some(family) => gathered[*family].push(nfa),
                None => {
                    alike.push(gathered.len());
                    gathered.push(vec![nfa]);
                }
            }
        }
        gathered.into_iter().map(Family::of).collect()
    }

    /// Of automata of one shape.
    fn of(mut automata: Vec<Nfa>) -> Family {
        automata.sort_by_key(|nfa| nfa.pattern);
        let asked = |step: usize| {
            let local = |nfa: &'_ Nfa| nfa.steps[step].local.clone();
            automata.iter().map(local).collect::<Vec<_>>()
        };
        let by_step: Vec<Vec<Option<Compiled>>> = (0..automata[0].steps.len()).map(asked).collect();
        let conditions = match automata.len() {
            1 => {
                let parts = |asked: &Vec<Option<Compiled>>| {
                    let mut parts = conjuncts(asked[0].as_ref());
                    // All must hold, in whichever order.
                    parts.sort_by_key(|part| part.effort());
                    parts.into_iter().cloned().map(Part::Own).collect()
                };
                let mut parts: Vec<Vec<Part>> = by_step.iter().map(parts).collect();
                let inputs = automata[0].inputs.iter();
                let narrowings = inputs.map(|input| Narrowing::take_out(input.steps, &mut parts));
                let narrowings = narrowings.collect();
                Local::One(parts, narrowings)
            }
            _ => Local::Many(by_step.iter().map(|asked| Conditions::new(asked)).collect()),
        };
        let variants = automata.iter().map(Variant::of).collect();
        let nfa = automata.swap_remove(0);
        let guards = nfa.inputs.iter().map(|input| {
            let heeds_all = nfa.window.is_none() && nfa.mindful == Mindfulness::EveryEvent;
            if heeds_all {
                return None;
            }
            let steps = input.steps.steps().map(|step| {
                let conditions = &by_step[usize::from(step.0)];
                Guard::of(conditions.iter().map(|local| conjuncts(local.as_ref())))
            });
            steps.collect()
        });
        Family {
            guards: guards.collect(),
            unfit: nfa.interest(StepMask::default()),
            nfa,
            variants,
            conditions,
        }
    }

    /// What every event of this type that is of use must satisfy; `None` if any may be of use.
    pub(crate) fn guard(&self, ty: EventTypeId) -> Option<Guard> {
        Guard::one_of(self.guards(ty)?.iter().cloned().map(Some))
    }

    /// The same by step: an event that is of use satisfies one of these.
    pub(crate) fn guards(&self, ty: EventTypeId) -> Option<&[Guard]> {
        let inputs = self.nfa.inputs.iter().zip(&self.guards);
        let mut of_type = inputs.filter(|(input, _)| input.ty == ty);
        of_type.next().and_then(|(_, guards)| guards.as_deref())
    }

    /// What is asked here of every event, in lists of which all parts must hold.
    pub(crate) fn parts(&mut self) -> Vec<&mut Vec<Part>> {
        match &mut self.conditions {
            Local::One(parts, _) => parts.iter_mut().collect(),
            Local::Many(conditions) => conditions.iter_mut().map(Conditions::common).collect(),
        }
    }

    /// Which steps the event can satisfy by itself, and whether it bears on the family at all. `memo` is for this event.
    pub(crate) fn look(&self, event: &Event, memo: &mut Memo<'_>) -> (Fits, Interest) {
        let mut inputs = self.nfa.inputs.iter();
        let input = inputs.position(|input| input.ty == event.ty);
        let steps = input.map_or(StepMask::default(), |at| self.nfa.inputs[at].steps);
        let scope = Scope::of_event(event, &self.nfa.registers);
        match &self.conditions {
            Local::One(parts, narrowings) => {
                let narrowing = input.and_then(|at| narrowings[at].as_ref());
                let steps = narrowing.map_or(steps, |narrowing| narrowing.left(event));
                let mut fits = StepMask::default();
                for step in steps.steps() {
                    if memo.all_hold(&parts[usize::from(step.0)], &scope) {
                        fits.add(step);
                    }
                }
                let interest = match fits.is_empty() {
                    true => self.unfit,
                    false => self.nfa.interest(fits),
                };
                (Fits::One(fits), interest)
            }
            Local::Many(conditions) => {
                let mut fittings = memo.looking.fittings();
                let (mut holding, mut through, mut shared) = {
                    let Looking {
                        holding,
                        through,
                        shared,
                        ..
                    } = &mut *memo.looking;
                    (take(holding), take(through), take(shared))
                };
                for step in steps.steps() {
                    let conditions = &conditions[usize::from(step.0)];
                    if conditions.holding(&scope, memo, &mut holding, &mut through) {
                        tell_apart(step, &mut holding, &mut fittings, &mut shared);
                    }
                }
                let nothing = StepMask::default();
                if self.unfit != Interest::None {
                    holding.fill(self.variants.len());
                    for fitting in fittings.iter() {
                        holding.remove(&fitting.variants);
                    }
                    if !holding.is_empty() {
                        fittings.push(&holding, nothing);
                    }
                }
                let interest = fittings.settle(|fits| self.nfa.interest(fits));
                memo.looking.holding = holding;
                memo.looking.through = through;
                memo.looking.shared = shared;
                if interest == Interest::None {
                    memo.looking.keep(fittings);
                    return (Fits::One(nothing), interest);
                }
                (Fits::Many(fittings), interest)
            }
        }
    }
}

/// A step holds for these variants too: those for which it holds and others are told apart. Leaves those that were in no set before.
fn tell_apart(
    step: StepId,
    holding: &mut Variants,
    fittings: &mut Fittings,
    shared: &mut Variants,
) {
    for at in 0..fittings.len() {
        let fitting = fittings.get_mut(at);
        if !shared.become_shared(&fitting.variants, holding) {
            continue;
        }
        holding.remove(shared);
        if *shared == fitting.variants {
            fitting.fits.add(step);
        } else {
            let mut with = fitting.fits;
            with.add(step);
            fitting.variants.remove(shared);
            fittings.push(shared, with);
        }
    }
    if !holding.is_empty() {
        fittings.push(holding, StepMask::of(step));
    }
}
