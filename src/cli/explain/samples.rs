//! Short streams that match and streams that don't, to see contiguity at work.
//!
//! Every event is written as the name of the one step it fits; `…` is an event of the key that fits no step. Only the pattern's order is
//! shown: conditions on values are taken to hold for the step an event is named after. Patterns with alternatives or loops are shown by their shortest,
//! most preferred way through.

use leitmotif::lang::pattern::{
    Absence, Closer, Connector, Contiguity, Element, Node, Pattern, Reach, Sequence, Window,
};
use serde::Serialize;

use super::facts;
use super::ways;

/// A stream, and whether it matches.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Events in order, and stretches of time in parentheses.
    pub stream: Vec<String>,
    /// True if the stream holds a match.
    pub matches: bool,
    /// What makes it so.
    pub why: String,
}

/// One thing on the shortest way through.
enum Part<'a> {
    Take(Connector, String),
    Absence(&'a Absence, String),
}

const OTHER: &str = "…";

/// Samples of a pattern; none for aligned windows, where order means nothing.
pub fn of(pattern: &Pattern) -> Vec<Sample> {
    if matches!(facts::closer(pattern), Some(Closer::Window(_))) {
        return Vec::new();
    }
    let mut parts = Vec::new();
    shortest(&pattern.body, None, pattern, &mut parts);
    let ending = match facts::closer(pattern) {
        Some(Closer::Gap(span) | Closer::For(span)) => Some(format!("({span} pass)")),
        Some(Closer::Window(Window::Time { .. } | Window::Count { .. })) | None => None,
    };
    let mut samples = vec![Sample {
        stream: stream(&parts, pattern, ending.as_deref(), None),
        matches: true,
        why: "the shortest match".to_owned(),
    }];
    for at in 0..parts.len() {
        // Repeats of a loop say the same thing again.
        let another = variation(&parts, at, pattern, ending.as_deref());
        samples.extend(
            another.filter(|another| samples.iter().all(|sample| sample.why != another.why)),
        );
    }
    samples
}

/// The sample that shows what part `at` forbids or allows.
fn variation(
    parts: &[Part<'_>],
    at: usize,
    pattern: &Pattern,
    ending: Option<&str>,
) -> Option<Sample> {
    let stream_with = |event: &str| stream(parts, pattern, ending, Some((at, event)));
    match &parts[at] {
        // Before the first take nothing is waited for; next to an absence the absence is what matters.
        Part::Take(..) if at == 0 || matches!(parts[at - 1], Part::Absence(..)) => None,
        Part::Take(connector, name) => Some(match connector.contiguity {
            Contiguity::Strict => Sample {
                stream: stream_with(OTHER),
                matches: false,
                why: format!("`{name}` must be the next event"),
            },
            Contiguity::SkipTillNext | Contiguity::SkipTillAny => Sample {
                stream: stream_with(OTHER),
                matches: true,
                why: format!("events that do not fit `{name}` may lie before it"),
            },
        }),
        Part::Absence(absence, name) => Some(Sample {
            stream: stream_with(name),
            matches: false,
            why: match absence.reach {
                Reach::Between => format!("`{name}` is forbidden here"),
                Reach::Adjacent => format!("`{name}` must not be the next event"),
                Reach::For(span) => format!("`{name}` is forbidden for {span}"),
            },
        }),
    }
}

/// The parts as a stream; with `insert`, one more event before or instead of part `at`.
fn stream(
    parts: &[Part<'_>],
    pattern: &Pattern,
    ending: Option<&str>,
    insert: Option<(usize, &str)>,
) -> Vec<String> {
    let mut out = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if let Some((_, event)) = insert.filter(|(place, _)| *place == at) {
            out.push(event.to_owned());
        }
        match part {
            Part::Take(_, name) => out.push(name.clone()),
            Part::Absence(absence, _) => {
                let last = at + 1 == parts.len();
                match (absence.reach, pattern.within) {
                    (Reach::For(span), _) => out.push(format!("({span} pass)")),
                    (Reach::Between | Reach::Adjacent, Some(within)) if last => {
                        out.push(format!("({within} pass)"))
                    }
                    (Reach::Between | Reach::Adjacent, _) => {}
                }
            }
        }
    }
    out.extend(ending.map(str::to_owned));
    out
}

fn shortest<'a>(
    sequence: &'a Sequence,
    outer: Option<Connector>,
    pattern: &Pattern,
    out: &mut Vec<Part<'a>>,
) {
    let mut outer = outer;
    for element in &sequence.elements {
        match element {
            Element::Positive { connector, node } => {
                let connector = outer.take().unwrap_or(*connector);
                take(node, connector, pattern, out);
            }
            Element::Absent(absence) => {
                out.push(Part::Absence(
                    absence,
                    ways::step_name(pattern, absence.step).to_owned(),
                ));
            }
        }
    }
}

fn take<'a>(node: &'a Node, connector: Connector, pattern: &Pattern, out: &mut Vec<Part<'a>>) {
    let plain = |contiguity| Connector {
        contiguity,
        after: None,
        within: None,
    };
    match node {
        Node::Step(step) => out.push(Part::Take(
            connector,
            ways::step_name(pattern, *step).to_owned(),
        )),
        Node::Choice(sequences) => {
            if let Some(first) = sequences.first() {
                shortest(first, Some(connector), pattern, out);
            }
        }
        Node::All(sequences) => {
            for (at, sequence) in sequences.iter().enumerate() {
                let before = if at == 0 {
                    connector
                } else {
                    plain(Contiguity::SkipTillNext)
                };
                shortest(sequence, Some(before), pattern, out);
            }
        }
        Node::Loop(body) => {
            // A long loop is shown by three repeats at most: samples are to be read.
            let repeats = body.min.clamp(1, SHOWN_REPEATS_MAX);
            for repeat in 0..repeats {
                let before = if repeat == 0 {
                    connector
                } else {
                    plain(body.contiguity)
                };
                take(&body.body, before, pattern, out);
            }
        }
    }
}

const SHOWN_REPEATS_MAX: u32 = 3;
