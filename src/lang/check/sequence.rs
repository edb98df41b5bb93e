//! From the sequence as written to elements, nodes and loops, with the steps and variables it names.
//!
//! Conditions are kept aside: they are checked once all names of the pattern are known.

use std::collections::{HashMap, HashSet};

use super::catalog::Catalog;
use super::closer;
use super::outline::{Outline, StepSet};
use super::report::{Place, Report};
use crate::event::EventTypeId;
use crate::lang::ast::{self, ConnectorKind, LoopContiguity, QuantifierForm, StepKind};
use crate::lang::pattern::{
    ALL_MAX, Absence, Appetite, Connector, Contiguity, Element, Loop, Node, REPEATS_MAX, Reach,
    Sequence, StepId, StepRole,
};
use crate::lang::span::{FileId, Span};

/// Lowers one pattern's sequence.
pub(super) struct Lowering<'a, 'r> {
    pub catalog: &'r Catalog,
    pub report: &'r mut Report,
    pub outline: Outline<'a>,
    pub(super) step_names: HashSet<String>,
    /// How often a name was made unique, so that finding the next one does not start over.
    pub(super) repeats: HashMap<&'a str, usize>,
    /// True once there are too many steps: nothing is lowered any more.
    pub full: bool,
    /// True if there is a closer that could not be understood: whether the pattern is bounded cannot be told.
    pub closer_mistaken: bool,
}

/// Where a sequence or step stands.
#[derive(Clone, Copy)]
struct Position {
    outermost: bool,
    /// The last element of the outermost sequence.
    last: bool,
    /// The only element of the pattern.
    only: bool,
}

impl Position {
    const INNER: Position = Position {
        outermost: false,
        last: false,
        only: false,
    };
}

/// Stands for elements that could not be lowered.
const NOTHING: Node = Node::Step(StepId(0));

impl<'a, 'r> Lowering<'a, 'r> {
    pub fn new(catalog: &'r Catalog, report: &'r mut Report, file: FileId, name: &'a str) -> Self {
        Lowering {
            catalog,
            report,
            outline: Outline {
                file,
                name,
                key: Vec::new(),
                steps: Vec::new(),
                variables: Vec::new(),
                named: HashMap::new(),
                unnamed: HashMap::new(),
                closer: None,
            },
            step_names: HashSet::new(),
            repeats: HashMap::new(),
            full: false,
            closer_mistaken: false,
        }
    }

    pub(super) fn place(&self, span: Span) -> Place {
        Place::new(self.outline.file, span)
    }

    /// Lowers the outermost sequence. An explicit name always wins over that of an event type, so it is known first.
    pub fn outermost(&mut self, sequence: &'a ast::Sequence) -> Sequence {
        let position = Position {
            outermost: true,
            ..Position::INNER
        };
        let (sequence, _) = self.sequence(sequence, position, StepSet::default());
        sequence
    }

    /// Gives back the steps that may have been bound after it, too.
    fn sequence(
        &mut self,
        sequence: &'a ast::Sequence,
        at: Position,
        before: StepSet,
    ) -> (Sequence, StepSet) {
        let mut elements = Vec::with_capacity(sequence.rest.len() + 1);
        let mut bound = before;
        let first = (None, &*sequence.first);
        let rest = sequence
            .rest
            .iter()
            .map(|(connector, step)| (Some(connector), step));
        let count = sequence.rest.len() + 1;
        for (index, (connector, step)) in std::iter::once(first).chain(rest).enumerate() {
            if self.full {
                break;
            }
            if let StepKind::Not { atom, window } = &step.kind {
                elements.push(self.absence(connector, atom, window.as_ref(), bound));
                continue;
            }
            let inner = Position {
                outermost: at.outermost,
                last: at.outermost && index + 1 == count,
                only: at.outermost && count == 1,
            };
            let connector = connector.map_or(PLAIN, |connector| self.connector(connector));
            let (node, after) = self.step(step, inner, bound);
            bound = after;
            elements.push(Element::Positive { connector, node });
        }
        let binds = |element: &Element| matches!(element, Element::Positive { .. });
        if !self.full && !elements.iter().any(binds) {
            let place = self.place(sequence.span);
            let message = if at.outermost {
                "this pattern binds nothing"
            } else {
                "this group binds nothing"
            };
            self.report
                .add("E100", place, message, "only things that must not happen")
                .help("add an event that starts it: `x: Type then not …`");
        }
        (Sequence { elements }, bound)
    }

    fn connector(&mut self, connector: &ast::Connector) -> Connector {
        let contiguity = match connector.kind {
            ConnectorKind::Then => Contiguity::SkipTillNext,
            ConnectorKind::ThenAny => Contiguity::SkipTillAny,
            ConnectorKind::Next => Contiguity::Strict,
        };
        if let (Some(after), Some(within)) = (&connector.after, &connector.within)
            && after.value > within.value
        {
            let (place, other) = (self.place(after.span), self.place(within.span));
            self.report
                .add(
                    "E113",
                    place,
                    format!(
                        "a gap of at least {} cannot be one of at most {}",
                        after.value, within.value
                    ),
                    "longer than …",
                )
                .also(other, "… what this allows")
                .help("make `after` shorter than `within`");
        }
        Connector {
            contiguity,
            after: connector.after.as_ref().map(|after| after.value),
            within: connector.within.as_ref().map(|within| within.value),
        }
    }

    fn absence(
        &mut self,
        connector: Option<&'a ast::Connector>,
        atom: &'a ast::Atom,
        window: Option<&'a ast::Duration>,
        before: StepSet,
    ) -> Element {
        let reach = match (window, connector.map(|connector| connector.kind)) {
            (Some(window), _) => Reach::For(window.value),
            (None, Some(ConnectorKind::Next)) => Reach::Adjacent,
            (None, _) => Reach::Between,
        };
        if let Some(connector) = connector {
            self.check_before_absence(connector, window);
        }
        if let Some(window) = window
            && window.value.0 <= 0
        {
            let place = self.place(window.span);
            closer::zero(self.report, place, "the time without an event");
        }
        let step = self.add_step(
            &atom.event,
            StepRole::Negated,
            atom.condition.as_ref(),
            before,
            None,
        );
        Element::Absent(Absence { step, reach })
    }

    fn check_before_absence(&mut self, connector: &ast::Connector, window: Option<&ast::Duration>) {
        if let Some(gap) = connector.after.as_ref().or(connector.within.as_ref()) {
            let place = self.place(gap.span);
            self.report
                .add("E112", place, "a gap is measured to an event that happens", "before a `not`")
                .help("write the gap before the next event that is bound, or `not x for D` for a time without x");
        }
        let place = self.place(connector.span);
        match (connector.kind, window) {
            (ConnectorKind::ThenAny, _) => {
                self.report
                    .add(
                        "E112",
                        place,
                        "`then any` cannot stand before `not`",
                        "nothing branches here",
                    )
                    .help("write `then not …`");
            }
            (ConnectorKind::Next, Some(_)) => {
                self.report
                    .add("E112", place, "`next not` and `for` exclude each other", "the next event only, or a time?")
                    .help("`next not x` looks at the next event only; for a time without x write `then not x for D`");
            }
            _ => {}
        }
    }

    fn step(&mut self, step: &'a ast::Step, at: Position, before: StepSet) -> (Node, StepSet) {
        match &step.kind {
            StepKind::Atom { name, atom } => self.atom(name.as_ref(), atom, at, before),
            StepKind::Group {
                name,
                alternatives,
                repeat,
            } => self.group(name.as_ref(), alternatives, repeat.as_ref(), before),
            StepKind::All(members) => self.all(members, step.span, before),
            // Handled by the caller, who knows the connector.
            StepKind::Not { .. } => (NOTHING, before),
        }
    }

    fn atom(
        &mut self,
        name: Option<&'a ast::Ident>,
        atom: &'a ast::Atom,
        at: Position,
        before: StepSet,
    ) -> (Node, StepSet) {
        let step = self.add_step(
            &atom.event,
            StepRole::Positive,
            atom.condition.as_ref(),
            before,
            name,
        );
        if self.full {
            return (NOTHING, before);
        }
        self.step_variable(step, name, &atom.event);
        let bound = before.with(StepSet::of(step));
        let Some(repeat) = &atom.repeat else {
            if let Some(until) = &atom.until {
                let place = self.place(until.span);
                self.report
                    .add(
                        "E102",
                        place,
                        "`until` ends a loop, and this step is none",
                        "nothing to end",
                    )
                    .help(format!("repeat the step: `{}+ … until …`", atom.event.name));
                self.until(until, bound);
            }
            return (Node::Step(step), bound);
        };
        let until = atom.until.as_ref().map(|until| self.until(until, bound));
        let place = self.place(repeat.span);
        let mut lowered = self.repeat(repeat, Node::Step(step), false);
        lowered.until = until;
        if lowered.max != Some(1) {
            self.mark_repeating(usize::from(step.0), StepSet::of(step));
        }
        if let Some(closer) = &repeat.closer {
            let closes = closer::Placement {
                place,
                step,
                last: at.last,
                only: at.only,
                until: atom.until.as_ref().map(|until| self.place(until.span)),
            };
            lowered.closer = closer::check(self, closer, repeat, &closes);
            self.closer_mistaken |= lowered.closer.is_none();
        }
        (Node::Loop(Box::new(lowered)), bound)
    }

    fn until(&mut self, until: &'a ast::Until, before: StepSet) -> StepId {
        self.add_step(
            &until.event,
            StepRole::Until,
            until.condition.as_ref(),
            before,
            None,
        )
    }

    fn group(
        &mut self,
        name: Option<&'a ast::Ident>,
        alternatives: &'a [ast::Sequence],
        repeat: Option<&'a ast::Loop>,
        before: StepSet,
    ) -> (Node, StepSet) {
        let first = self.outline.steps.len();
        let mut lowered = Vec::with_capacity(alternatives.len());
        let mut bound = before;
        for alternative in alternatives {
            let (sequence, after) = self.sequence(alternative, Position::INNER, before);
            bound = bound.with(after);
            lowered.push(sequence);
        }
        let own = self.positive_since(first);
        if let Some(name) = name {
            self.group_variable(name, own);
        }
        let choice = Node::Choice(lowered);
        let Some(repeat) = repeat else {
            return (choice, bound);
        };
        if let Some(closer) = &repeat.closer {
            self.closer_mistaken = true;
            let place = self.place(closer.span);
            self.report
                .add(
                    "E104",
                    place,
                    "a closer stands on the loop of one step, not of a group",
                    "on a group",
                )
                .help("give the pattern a time bound with `within`, or close a loop of one step");
        }
        let nullable = is_nullable(&choice);
        let lowered = self.repeat(repeat, choice, nullable);
        if lowered.max != Some(1) {
            self.mark_repeating(first, own);
        }
        (Node::Loop(Box::new(lowered)), bound)
    }

    fn all(
        &mut self,
        members: &'a [ast::Sequence],
        span: Span,
        before: StepSet,
    ) -> (Node, StepSet) {
        if members.len() > ALL_MAX || members.len() < 2 {
            let place = self.place(span);
            self.report
                .add(
                    "E114",
                    place,
                    format!("`all` takes 2 to {ALL_MAX} members, not {}", members.len()),
                    "every order of them is tried",
                )
                .help("put members into groups that have an order: `all((a then b), c)`");
        }
        let mut lowered = Vec::with_capacity(members.len());
        let mut own: Vec<(usize, usize, StepSet)> = Vec::with_capacity(members.len());
        let mut bound = before;
        for member in members {
            let first = self.outline.steps.len();
            let (sequence, _) = self.sequence(member, Position::INNER, before);
            let steps = self.positive_since(first);
            own.push((first, self.outline.steps.len(), steps));
            bound = bound.with(steps);
            lowered.push(sequence);
        }
        // Any other member may come first.
        if members.len() <= ALL_MAX {
            for (at, (from, to, _)) in own.iter().enumerate() {
                for (other, (_, _, steps)) in own.iter().enumerate() {
                    if other == at {
                        continue;
                    }
                    for step in &mut self.outline.steps[*from..*to] {
                        step.bound_before = step.bound_before.with(*steps);
                    }
                }
            }
        }
        (Node::All(lowered), bound)
    }

    fn positive_since(&self, first: usize) -> StepSet {
        let positive = self
            .outline
            .positive()
            .filter(|(id, _)| usize::from(id.0) >= first);
        positive.fold(StepSet::default(), |set, (id, _)| set.with(StepSet::of(id)))
    }

    /// A repeat comes after earlier ones: what they bound can be read.
    fn mark_repeating(&mut self, first: usize, own: StepSet) {
        for step in &mut self.outline.steps[first..] {
            step.bound_before = step.bound_before.with(own);
            step.repeats = true;
        }
    }

    fn repeat(&mut self, repeat: &ast::Loop, body: Node, nullable: bool) -> Loop {
        let (min, max) = self.bounds(&repeat.quantifier);
        let contiguity = match &repeat.contiguity {
            None => Contiguity::SkipTillNext,
            Some((LoopContiguity::Consecutive, _)) => Contiguity::Strict,
            Some((LoopContiguity::Combinations, _)) => Contiguity::SkipTillAny,
        };
        Loop {
            body,
            min: if nullable { 0 } else { min },
            max,
            appetite: if repeat.quantifier.reluctant {
                Appetite::Reluctant
            } else {
                Appetite::Greedy
            },
            contiguity,
            until: None,
            closer: None,
        }
    }

    fn bounds(&mut self, quantifier: &ast::Quantifier) -> (u32, Option<u32>) {
        let (min, max) = match &quantifier.form {
            QuantifierForm::Plus => return (1, None),
            QuantifierForm::Star => return (0, None),
            QuantifierForm::Optional => return (0, Some(1)),
            QuantifierForm::Exactly(count) => (count.value, Some(count.value)),
            QuantifierForm::AtLeast(count) => (count.value, None),
            QuantifierForm::Between(least, most) => (least.value, Some(most.value)),
        };
        let place = self.place(quantifier.span);
        let most = max.unwrap_or(min);
        if max == Some(0) {
            self.report
                .add(
                    "E101",
                    place,
                    "a loop of no repeats binds nothing",
                    "at most 0 times",
                )
                .help("remove the step, or allow at least one repeat");
        } else if min > most {
            self.report
                .add(
                    "E101",
                    place,
                    format!("at least {min} repeats cannot be at most {most}"),
                    "the wrong way round",
                )
                .help(format!("write `{{{most},{min}}}`"));
        } else if most > REPEATS_MAX {
            self.report
                .add(
                    "E101",
                    place,
                    format!("{most} repeats are more than the {REPEATS_MAX} allowed"),
                    "too many",
                )
                .help("leave the number open, `{n,}`, and bound the loop in time");
        }
        let narrow = |count: u64| u32::try_from(count.min(REPEATS_MAX)).unwrap_or(u32::MAX);
        (narrow(min), max.map(narrow))
    }
}

/// How the first element of a sequence follows: never looked at.
const PLAIN: Connector = Connector {
    contiguity: Contiguity::SkipTillNext,
    after: None,
    within: None,
};

/// The event type of this name, or an error.
pub(super) fn event_type(
    catalog: &Catalog,
    report: &mut Report,
    place: Place,
    name: &str,
) -> Option<EventTypeId> {
    let found = catalog.find_type(name);
    if found.is_none() {
        let near = report.suggestion(name, catalog.type_names());
        report
            .add(
                "E055",
                place,
                format!("there is no event `{name}`"),
                "unknown event",
            )
            .help_maybe(near)
            .help(format!(
                "declare it, `event {name} {{ at: timestamp time, … }}`, or let a pattern emit it"
            ));
    }
    found
}

/// True if a node can be passed without binding an event.
pub(super) fn is_nullable(node: &Node) -> bool {
    match node {
        Node::Step(_) => false,
        Node::Choice(alternatives) => alternatives.iter().any(is_nullable_sequence),
        Node::All(members) => members.iter().all(is_nullable_sequence),
        Node::Loop(repeat) => repeat.min == 0,
    }
}

/// True if a sequence can be passed without binding an event.
pub(super) fn is_nullable_sequence(sequence: &Sequence) -> bool {
    sequence.elements.iter().all(|element| match element {
        Element::Positive { node, .. } => is_nullable(node),
        Element::Absent(_) => true,
    })
}
