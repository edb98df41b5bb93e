//! The automaton of one pattern: immutable, shared by every key.
//!
//! A position stands for a step that was just bound. From it lead *ways on*: to each step that may be bound next, or to
//! the end, each with all that rules the wait. A partial match therefore is a position, a word of ways still open, a few counters and
//! the registers; what it waits for needs no further state. `docs/semantics.md` defines ways on.

use smallvec::SmallVec;

use super::expression::{Compiled, StepMask, StepPlan};
use super::outlook::Outlook;
use super::register::RegisterSet;
use super::structure::Layout;
use crate::event::{EventTypeId, FieldId};
use crate::lang::pattern::{AfterMatch, Bound, Contiguity, PatternId, StepId};
use crate::time::Span;

/// The automaton of a pattern.
#[derive(Clone, Debug)]
pub struct Nfa {
    pub(crate) pattern: PatternId,
    pub(crate) name: String,
    /// A hash of everything the pattern says; part of every match id.
    pub(crate) fingerprint: u64,
    pub(crate) inputs: Vec<Input>,
    pub(crate) steps: Vec<StepPlan>,
    /// The first is before anything is bound.
    pub(crate) positions: Vec<Position>,
    pub(crate) counters: usize,
    pub(crate) registers: RegisterSet,
    pub(crate) within: Option<Span>,
    pub(crate) having: Option<Compiled>,
    pub(crate) skip: Skip,
    pub(crate) limit: Option<Limit>,
    pub(crate) bound: Bound,
    pub(crate) emits: Vec<Emit>,
    pub(crate) timeout: Option<(EventTypeId, Vec<Compiled>)>,
    pub(crate) mindful: Mindfulness,
    /// Steps whose absence at the start is remembered per key, and for how long.
    pub(crate) leading: Vec<(StepId, Span)>,
    /// Steps that can bind a first event.
    pub(crate) starters: StepMask,
    /// Present when the pattern is a window: then positions are not used.
    pub(crate) window: Option<super::window::WindowPlan>,
    /// Present when partial matches are matched by cohorts, or such states could be read.
    pub(crate) linear: Option<super::linear::LinearPlan>,
    /// Present when partial matches are matched by stacks, or such states could be read.
    pub(crate) stacks: Option<super::stacks::StackPlan>,
    /// Present where partial matches that wait alike can go on together.
    pub(crate) together: Option<super::matcher::Together>,
    /// True if two ways on can bind the same step: then equal paths are looked for.
    pub(crate) ambiguous: bool,
    /// True if a partial match can wait by several ways on: then what goes on from it can split it.
    pub(crate) splits: bool,
    /// What is known of all this beforehand.
    pub(crate) outlook: Outlook,
    /// How states are laid out in bytes.
    pub(crate) layout: Layout,
}

/// An event type that the pattern reads, and the fields of its key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Input {
    pub ty: EventTypeId,
    pub key: Vec<FieldId>,
    /// Steps of this type.
    pub steps: StepMask,
}

/// Whether events that satisfy no step can matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mindfulness {
    /// Some way on is strict: every input event may break it.
    EveryEvent,
    /// Only events that satisfy a step matter.
    FittingEvents,
}

/// A step that was just bound, with the ways on from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Position {
    /// `None` at the start.
    pub step: Option<StepId>,
    /// Most preferred first; at most 64.
    pub ways: Vec<Way>,
    /// `until` steps that some way on looks at.
    pub untils: StepMask,
}

/// A way on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Way {
    pub target: Target,
    pub contiguity: Contiguity,
    pub after: Option<Span>,
    pub gap: Option<Span>,
    /// No event strictly between satisfies one of these.
    pub between: StepMask,
    /// The event right after does not satisfy one of these, if it lies strictly between.
    pub adjacent: StepMask,
    /// No event less than the span later satisfies the steps, and the target waits for so long.
    pub holds: SmallVec<[(StepMask, Span); 1]>,
    pub wanted: Vec<Wanted>,
    /// Counters that must lie in a range: (counter, least, less than).
    pub guards: Vec<(u8, u32, u32)>,
    pub counting: Vec<(u8, Counting)>,
    /// The first repeat of a loop: the target's event must not satisfy this.
    pub unless: Option<StepId>,
    /// A further repeat of a loop: no event since may have satisfied this. On the way to the end of a closed loop: it completes at such an event.
    pub until: Option<StepId>,
    /// A further repeat of a closed loop: the target's event comes before the loop closes.
    pub closes: Option<Completion>,
    /// Begins the closed loop: its first event is the anchor of `for`.
    pub anchors: bool,
    /// From the start: which absences of [`Nfa::leading`] rule before the first event; one bit each.
    pub leading: u64,
}

/// What a way on leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Binds the step of this position.
    Position(u16),
    /// Completes.
    End(Completion),
}

/// When a way to the end completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// At once.
    AtOnce,
    /// When this has passed since the last bound event; with `until`, at an event that satisfies it.
    Since(Span),
    /// When `within` has passed since the first bound event.
    Within,
    /// When this has passed since the first event of the closed loop.
    SinceAnchor(Span),
    /// At the next event, or when `within` has passed.
    NextEvent,
}

/// Events that a greedy loop, left or passed over, would have taken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub steps: StepMask,
    /// The loop wants nothing after an event that satisfies this.
    pub until: Option<StepId>,
    /// The loop wants nothing once this counter has reached the number.
    pub full: Option<(u8, u32)>,
}

/// What a way on does to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// The first repeat.
    One,
    /// One more, held at the number.
    More(u32),
}

/// What a match removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    PastMatch,
    None,
    ToNext,
    /// Before the first or last event bound to one of the steps.
    To(StepMask, Which),
}

/// Which of several events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    First,
    Last,
}

/// `limit`
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub count: usize,
    pub per: Span,
    pub by: Vec<Compiled>,
}

/// `emit`
#[derive(Clone, Debug)]
pub(crate) struct Emit {
    pub stream: EventTypeId,
    pub fields: Vec<Compiled>,
    /// The register with all bound events, for a row per event.
    pub each: Option<usize>,
}

impl Nfa {
    /// The pattern's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The fields of the key in events of this type; `None` if the pattern does not read them.
    #[must_use]
    pub fn key_fields(&self, ty: EventTypeId) -> Option<&[FieldId]> {
        self.input(ty).map(|input| &*input.key)
    }

    /// True if the pattern is a window.
    pub(crate) fn is_window(&self) -> bool {
        self.window.is_some()
    }

    /// What a partial match is counted under: the names of the steps, or `window`.
    pub(crate) fn places(&self) -> Vec<&str> {
        match self.window {
            Some(_) => vec!["window"],
            None => self.steps.iter().map(|step| &*step.name).collect(),
        }
    }

    /// The step of a position that something leads to.
    pub(crate) fn step_at(&self, position: u16) -> StepId {
        let step = self.positions[usize::from(position)].step;
        step.expect("only the start has no step, and nothing leads to it")
    }

    /// The input of this type.
    pub(crate) fn input(&self, ty: EventTypeId) -> Option<&Input> {
        self.inputs.iter().find(|input| input.ty == ty)
    }
}

impl Skip {
    pub(crate) fn new(
        skip: AfterMatch,
        steps_of: impl Fn(crate::lang::pattern::VariableId) -> StepMask,
    ) -> Skip {
        match skip {
            AfterMatch::PastMatch => Skip::PastMatch,
            AfterMatch::None => Skip::None,
            AfterMatch::ToNext => Skip::ToNext,
            AfterMatch::To(variable) => Skip::To(steps_of(variable), Which::First),
            AfterMatch::ToLast(variable) => Skip::To(steps_of(variable), Which::Last),
        }
    }
}

impl Wanted {
    /// True if the loop wants nothing any more, having repeated so often.
    pub(crate) fn is_full(&self, counters: &[u32]) -> bool {
        let full = self.full;
        full.is_some_and(|(counter, full)| counters[usize::from(counter)] >= full)
    }
}

impl Way {
    /// True if the counts allow the way on.
    pub(crate) fn allowed_by(&self, counters: &[u32]) -> bool {
        self.guards.iter().all(|&(counter, least, less_than)| {
            let count = counters[usize::from(counter)];
            least <= count && count < less_than
        })
    }

    /// What the way on does to counters.
    pub(crate) fn count(&self, counters: &mut [u32]) {
        for &(counter, counting) in &self.counting {
            let count = &mut counters[usize::from(counter)];
            *count = match counting {
                Counting::One => 1,
                Counting::More(held) => count.saturating_add(1).min(held.max(1)),
            };
        }
    }

    /// True if an event that satisfies no step can break it.
    pub(crate) fn minds_every_event(&self) -> bool {
        self.contiguity == Contiguity::Strict && self.target != Target::End(Completion::AtOnce)
            || !self.adjacent.is_empty()
            || self.target == Target::End(Completion::NextEvent)
    }
}
