//! How one gets from step to step: the automaton as the engine runs it.

use leitmotif::automaton::{Nfa, Place, WayOn};
use leitmotif::lang::pattern::{Element, Node, Pattern, Sequence, StepId};
use serde::Serialize;

/// A way from one bound step to the next.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// Null before anything is bound.
    pub from: Option<Position>,
    /// Null when it completes the match.
    pub to: Option<Position>,
    /// What may lie between, or when it completes.
    pub between: String,
    /// What else must hold.
    pub rules: Vec<String>,
}

/// A step just bound. A step of `all(…)` has several positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Its number in the automaton.
    pub number: usize,
    /// The step's name.
    pub step: String,
}

/// Every way on of a pattern.
pub fn of(pattern: &Pattern, nfa: &Nfa) -> Vec<Way> {
    let position = |place: Place| Position {
        number: place.number,
        step: step_name(pattern, place.step).to_owned(),
    };
    let way = |way: WayOn| Way {
        from: way.from.map(position),
        to: way.to.map(position),
        between: way.between,
        rules: way.rules,
    };
    nfa.ways_on().into_iter().map(way).collect()
}

/// The step's name.
pub fn step_name(pattern: &Pattern, step: StepId) -> &str {
    pattern
        .steps
        .get(usize::from(step.0))
        .map_or("?", |step| step.name.as_str())
}

/// The steps with which a node can begin.
pub fn first_steps(node: &Node) -> Vec<StepId> {
    match node {
        Node::Step(step) => vec![*step],
        Node::Loop(body) => first_steps(&body.body),
        Node::Choice(sequences) | Node::All(sequences) => {
            sequences.iter().flat_map(first_of).collect()
        }
    }
}

fn first_of(sequence: &Sequence) -> Vec<StepId> {
    let first = sequence.elements.iter().find_map(|element| match element {
        Element::Positive { node, .. } => Some(node),
        Element::Absent(_) => None,
    });
    first.map(first_steps).unwrap_or_default()
}
