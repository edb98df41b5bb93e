//! A pattern whose steps and variables are known, while its expressions are not looked at yet.
//!
//! Conditions may name variables that come later (to be told that they do), so the names come first.

use std::collections::HashMap;

use super::report::Place;
use super::ty::Ty;
use crate::event::EventTypeId;
use crate::lang::ast;
use crate::lang::pattern::{Closer, StepId, StepRole, VariableId};
use crate::lang::span::{FileId, Span};

/// A set of steps: one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StepSet(pub u64);

/// What is known of a pattern before its expressions.
#[derive(Debug)]
pub(super) struct Outline<'a> {
    pub file: FileId,
    pub name: &'a str,
    pub key: Vec<KeyName>,
    pub steps: Vec<StepOutline<'a>>,
    pub variables: Vec<VariableOutline>,
    /// Variables that the file names.
    pub named: HashMap<&'a str, VariableId>,
    /// Variables of unnamed steps, by event type.
    pub unnamed: HashMap<&'a str, Vec<VariableId>>,
    /// The closer of its last loop.
    pub closer: Option<ClosedLoop>,
}

/// A part of the key.
#[derive(Debug, Clone)]
pub(super) struct KeyName {
    pub name: String,
    pub ty: Ty,
}

/// A loop with a closer.
#[derive(Debug, Clone)]
pub(super) struct ClosedLoop {
    pub closer: Closer,
    pub span: Span,
    pub step: StepId,
}

#[derive(Debug)]
pub(super) struct StepOutline<'a> {
    pub name: String,
    /// The name of its event type.
    pub event: &'a str,
    pub role: StepRole,
    /// None if there is no such event type.
    pub ty: Option<EventTypeId>,
    /// Of the event type's name.
    pub place: Place,
    pub condition: Option<&'a ast::Expr>,
    /// The positive steps that may have bound events when this one is tested.
    pub bound_before: StepSet,
    /// True if it may be tested after having bound an event itself.
    pub repeats: bool,
    /// Its own variable, when positive.
    pub variable: Option<VariableId>,
}

#[derive(Debug)]
pub(super) struct VariableOutline {
    pub name: String,
    pub steps: StepSet,
    /// None if there is no such event type, or the steps have several.
    pub ty: Option<EventTypeId>,
    pub place: Place,
    /// False for the variables that unnamed steps get.
    pub explicit: bool,
}

/// What a name before a dot stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Variable(VariableId),
    /// Several unnamed steps have this event type.
    Ambiguous,
    /// Only negated steps have this event type.
    Negated,
    Nothing,
}

impl StepSet {
    pub fn of(step: StepId) -> StepSet {
        StepSet(1 << step.0)
    }

    pub fn with(self, other: StepSet) -> StepSet {
        StepSet(self.0 | other.0)
    }

    pub fn meets(self, other: StepSet) -> bool {
        self.0 & other.0 != 0
    }

    pub fn has(self, step: StepId) -> bool {
        self.meets(StepSet::of(step))
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = StepId> {
        (0..64u8).map(StepId).filter(move |step| self.has(*step))
    }
}

impl<'a> Outline<'a> {
    pub fn step(&self, id: StepId) -> &StepOutline<'a> {
        &self.steps[usize::from(id.0)]
    }

    pub fn variable(&self, id: VariableId) -> &VariableOutline {
        &self.variables[usize::from(id.0)]
    }

    /// What `name` stands for before a dot or in an aggregate.
    pub fn refer(&self, name: &str) -> Reference {
        if let Some(id) = self.named.get(name) {
            return Reference::Variable(*id);
        }
        match self.unnamed.get(name).map(Vec::as_slice) {
            Some([one]) => Reference::Variable(*one),
            Some(_) => Reference::Ambiguous,
            None => {
                let negated =
                    |step: &StepOutline<'_>| step.role != StepRole::Positive && step.name == name;
                if self.steps.iter().any(negated) {
                    Reference::Negated
                } else {
                    Reference::Nothing
                }
            }
        }
    }

    /// The names that may stand before a dot.
    pub fn referable(&self) -> impl Iterator<Item = &str> {
        let unnamed = self.unnamed.iter().filter(|(_, ids)| ids.len() == 1);
        self.named
            .keys()
            .copied()
            .chain(unnamed.map(|(name, _)| *name))
    }

    /// The number of the key's part of this name.
    pub fn key_part(&self, name: &str) -> Option<usize> {
        self.key.iter().position(|part| part.name == name)
    }

    /// The positive steps, in order.
    pub fn positive(&self) -> impl Iterator<Item = (StepId, &StepOutline<'a>)> {
        let numbered = (0u8..).map(StepId).zip(&self.steps);
        numbered.filter(|(_, step)| step.role == StepRole::Positive)
    }

    /// The variable of the only positive step.
    pub fn sole(&self) -> Option<VariableId> {
        let mut positive = self.positive();
        let (_, first) = positive.next()?;
        if positive.next().is_some() {
            return None;
        }
        first.variable
    }
}
