//! Whether a pattern can wait for ever.
//!
//! Judged by the structure alone: every wait for a further event must have `within` (of the pattern or of its connector), be for
//! the very next event, or belong to a loop with a closer.

use super::outline::Outline;
use super::report::{Place, Report};
use crate::lang::pattern::{Closer, Connector, Contiguity, Element, Loop, Node, Sequence, StepId};
use crate::lang::span::Span;

/// Reports a pattern without `within` in which some wait has no end.
pub(super) fn check(report: &mut Report, outline: &Outline<'_>, body: &Sequence, sequence: Span) {
    let Some(wait) = endless(body) else {
        return;
    };
    let step = outline.step(wait.step);
    let named = step.variable.map(|variable| outline.variable(variable));
    let event = match named.filter(|variable| variable.explicit) {
        Some(variable) => format!("{}: {}", variable.name, step.event),
        None => step.event.to_owned(),
    };
    let draft = report
        .add(
            "E107",
            Place::new(outline.file, sequence),
            "this pattern has no time bound",
            "can wait for ever",
        )
        .also(step.place, wait.kind.label());
    match wait.kind {
        Kind::Connector => draft.help(format!("add `within 10m` after the last step, or write `then within 10m {event}`")),
        Kind::Repeat { closable: true } => draft.help("add `within 10m` after the last step, or say when the loop is complete: `+ gap 10m`, `+ for 10m`"),
        Kind::Repeat { closable: false } => draft.help("add `within 10m` after the last step, or join the repeats with `consecutive`"),
        Kind::Member => draft.help("add `within 10m` after the last step"),
    };
}

/// True if some wait of the pattern can expire, so that there is something to report in a timeout.
pub(super) fn can_expire(body: &Sequence) -> bool {
    body.elements.iter().any(|element| match element {
        Element::Positive { connector, node } => {
            connector.within.is_some() || node_can_expire(node)
        }
        Element::Absent(_) => false,
    })
}

fn node_can_expire(node: &Node) -> bool {
    match node {
        Node::Step(_) => false,
        Node::Choice(sequences) | Node::All(sequences) => sequences.iter().any(can_expire),
        Node::Loop(repeat) => match &repeat.closer {
            Some(Closer::Window(crate::lang::pattern::Window::Count { .. })) => false,
            Some(_) => true,
            None => node_can_expire(&repeat.body),
        },
    }
}

/// A wait without end.
struct Wait {
    /// The step waited for.
    step: StepId,
    kind: Kind,
}

/// What joins the step waited for.
#[derive(Clone, Copy)]
enum Kind {
    Connector,
    Repeat {
        /// True for a loop that a closer could complete.
        closable: bool,
    },
    Member,
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Kind::Connector => "nothing bounds the wait for this event",
            Kind::Repeat { .. } => "nothing bounds the wait for the next repeat",
            Kind::Member => "nothing bounds the wait for this member",
        }
    }
}

/// The first wait without end.
fn endless(sequence: &Sequence) -> Option<Wait> {
    let mut first = true;
    let count = sequence.elements.len();
    for (at, element) in sequence.elements.iter().enumerate() {
        let Element::Positive { connector, node } = element else {
            continue;
        };
        if !first && !is_bounded(connector) {
            return Some(Wait {
                step: first_step(node)?,
                kind: Kind::Connector,
            });
        }
        first = false;
        let inside = endless_inside(node, at + 1 == count);
        if inside.is_some() {
            return inside;
        }
    }
    None
}

fn is_bounded(connector: &Connector) -> bool {
    connector.within.is_some() || connector.contiguity == Contiguity::Strict
}

fn endless_inside(node: &Node, last: bool) -> Option<Wait> {
    match node {
        Node::Step(_) => None,
        Node::Choice(alternatives) => alternatives.iter().find_map(endless),
        Node::All(members) => {
            let inside = members.iter().find_map(endless);
            inside.or_else(|| {
                let second = members.get(1)?.elements.iter().find_map(positive)?;
                Some(Wait {
                    step: first_step(second)?,
                    kind: Kind::Member,
                })
            })
        }
        Node::Loop(repeat) => {
            endless_inside(&repeat.body, false).or_else(|| endless_repeat(repeat, last))
        }
    }
}

fn endless_repeat(repeat: &Loop, last: bool) -> Option<Wait> {
    let waits =
        repeat.max != Some(1) && repeat.closer.is_none() && repeat.contiguity != Contiguity::Strict;
    if !waits {
        return None;
    }
    Some(Wait {
        step: first_step(&repeat.body)?,
        kind: Kind::Repeat {
            closable: last
                && matches!(repeat.body, Node::Step(_))
                && repeat.max.is_none()
                && repeat.min > 0,
        },
    })
}

fn positive(element: &Element) -> Option<&Node> {
    match element {
        Element::Positive { node, .. } => Some(node),
        Element::Absent(_) => None,
    }
}

fn first_step(node: &Node) -> Option<StepId> {
    match node {
        Node::Step(step) => Some(*step),
        Node::Choice(sequences) | Node::All(sequences) => sequences
            .iter()
            .flat_map(|sequence| &sequence.elements)
            .filter_map(positive)
            .find_map(first_step),
        Node::Loop(repeat) => first_step(&repeat.body),
    }
}
