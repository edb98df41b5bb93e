//! All that `explain` has to say about one pattern, gathered once and written in several ways.

use anyhow::{Context as _, Result};
use leitmotif::automaton::{Nfa, RuntimeClass, Tables};
use leitmotif::event::{EventTypeId, FieldType};
use leitmotif::lang::pattern::{
    AfterMatch, BOUND_DEFAULT, Closer, Element, Evict, Node, Pattern, PatternId, Program, Reach,
    Sequence, StepRole, VariableId, Window,
};
use serde::Serialize;

use super::expression::Names;
use super::reads;
use super::samples::{self, Sample};
use super::ways::{self, Position, Way};

/// What there is to say about a pattern.
#[derive(Debug, Serialize)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// `@name("text")`
    pub annotations: Vec<(String, String)>,
    /// The event types it reads.
    pub inputs: Vec<String>,
    /// The parts of its key; empty when unkeyed.
    pub key: Vec<Column>,
    /// Its steps in order of appearance.
    pub steps: Vec<StepFacts>,
    /// How one gets from step to step.
    pub ways: Vec<Way>,
    /// `having`
    pub having: Option<String>,
    /// What a match removes.
    pub skip: String,
    /// How many matches get through.
    pub limit: Option<String>,
    /// How partial matches are represented.
    pub class: Class,
    /// How many partial matches there can be.
    pub partial_matches: Bounds,
    /// When results can be known.
    pub watermark: Vec<String>,
    /// What each partial match keeps of the events it bound.
    pub keeps: Vec<String>,
    /// Its outputs.
    pub outputs: Vec<OutputFacts>,
    /// Streams that match and streams that don't, when every event fits only the step it is named after.
    pub samples: Vec<Sample>,
}

/// A name with a type.
#[derive(Debug, Serialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub ty: &'static str,
}

/// A step.
#[derive(Debug, Serialize)]
pub struct StepFacts {
    /// Its name.
    pub name: String,
    /// `binds`, `must not happen`, `ends the loop`
    pub role: &'static str,
    /// The event type that it waits for.
    pub event: String,
    /// Its condition.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// What its condition reads of earlier events.
    pub reads: Vec<String>,
}

/// A runtime class.
#[derive(Debug, Serialize)]
pub struct Class {
    /// `boundary`, `runs`
    pub name: &'static str,
    /// Why it is in this class.
    pub why: String,
}

/// How many partial matches there can be, and what ends them.
#[derive(Debug, Serialize)]
pub struct Bounds {
    /// The most that a key may hold.
    pub per_key_max: u32,
    /// Which gives way to one more.
    pub evict: &'static str,
    /// True when the pattern says nothing and the default holds.
    pub default: bool,
    /// What ends a partial match that gets no further.
    pub expiry: Vec<String>,
}

/// An output.
#[derive(Debug, Serialize)]
pub struct OutputFacts {
    /// The stream.
    pub name: String,
    /// `match`, `bound event of a match`, `timeout`
    pub per: &'static str,
    /// Its fields.
    pub fields: Vec<Column>,
    /// What each field is, in the same order.
    pub values: Vec<String>,
}

impl Facts {
    /// Gathers the facts about a pattern of the program.
    ///
    /// # Errors
    /// When the pattern is too complex for an automaton.
    pub fn gather(program: &Program, pattern: &Pattern) -> Result<Facts> {
        let first = pattern.steps.first().map_or(EventTypeId(0), |step| step.ty);
        let names = Names {
            program,
            pattern,
            ty: first,
        };
        let nfa = automaton(program, pattern)?;
        Ok(Facts {
            name: pattern.name.clone(),
            annotations: pattern.annotations.clone(),
            inputs: pattern
                .inputs
                .iter()
                .map(|input| program.schema.get(input.ty).name.clone())
                .collect(),
            key: key(pattern),
            steps: steps(names),
            ways: ways::of(pattern, &nfa),
            having: pattern.having.as_ref().map(|expr| names.show(expr)),
            skip: skip(pattern, &nfa),
            limit: limit(names),
            class: class(names, &nfa),
            partial_matches: bounds(pattern),
            watermark: watermark(pattern),
            keeps: reads::kept(pattern, names).into_iter().collect(),
            outputs: outputs(names),
            samples: samples::of(pattern),
        })
    }

    /// The positions of the automaton, by number.
    pub fn positions(&self) -> Vec<&Position> {
        let mut found: Vec<&Position> = self
            .ways
            .iter()
            .flat_map(|way| way.from.iter().chain(&way.to))
            .collect();
        found.sort_by_key(|position| position.number);
        found.dedup();
        found
    }
}

/// A type as patterns write it.
pub fn type_name(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Bool => "bool",
        FieldType::Int => "int",
        FieldType::Float => "float",
        FieldType::Decimal => "decimal",
        FieldType::String => "string",
        FieldType::Timestamp(_) => "timestamp",
        FieldType::Duration => "duration",
        FieldType::List => "list",
    }
}

/// The closer of the loop that ends the pattern.
pub fn closer(pattern: &Pattern) -> Option<&Closer> {
    match pattern.body.elements.last() {
        Some(Element::Positive {
            node: Node::Loop(last),
            ..
        }) => last.closer.as_ref(),
        _ => None,
    }
}

fn key(pattern: &Pattern) -> Vec<Column> {
    let columns = pattern.key.iter().zip(&pattern.key_types);
    columns
        .map(|(name, ty)| Column {
            name: name.clone(),
            ty: type_name(*ty),
        })
        .collect()
}

fn steps(names: Names<'_>) -> Vec<StepFacts> {
    let facts = names.pattern.steps.iter().map(|step| {
        let names = Names {
            ty: step.ty,
            ..names
        };
        let condition = step.condition.as_ref();
        StepFacts {
            name: step.name.clone(),
            role: match step.role {
                StepRole::Positive => "binds",
                StepRole::Negated => "must not happen",
                StepRole::Until => "ends the loop",
            },
            event: names.program.schema.get(step.ty).name.clone(),
            condition: condition.map(|expr| names.show(expr)),
            reads: condition
                .map(|expr| reads::earlier(expr, names).into_iter().collect())
                .unwrap_or_default(),
        }
    });
    facts.collect()
}

fn skip(pattern: &Pattern, nfa: &Nfa) -> String {
    let variable = |id: VariableId| {
        let variable = pattern.variables.get(usize::from(id.0));
        variable.map_or("?", |v| v.name.as_str()).to_owned()
    };
    if let RuntimeClass::Boundary(_) = nfa.class() {
        return "every window is judged by itself".to_owned();
    }
    match pattern.skip {
        AfterMatch::PastMatch => {
            "past match: what starts at or before its last event is dropped".to_owned()
        }
        AfterMatch::None => "none: nothing is dropped".to_owned(),
        AfterMatch::ToNext => {
            "to next: what starts at or before its first event is dropped".to_owned()
        }
        AfterMatch::To(id) => format!(
            "to {0}: what starts before its first `{0}` is dropped",
            variable(id)
        ),
        AfterMatch::ToLast(id) => format!(
            "to last {0}: what starts before its last `{0}` is dropped",
            variable(id)
        ),
    }
}

fn limit(names: Names<'_>) -> Option<String> {
    let limit = names.pattern.limit.as_ref()?;
    let by: Vec<String> = limit.by.iter().map(|expr| names.show(expr)).collect();
    let by = if by.is_empty() {
        String::new()
    } else {
        format!(" by {}", by.join(", "))
    };
    Some(format!(
        "{} per {}{by}; the rest is counted as suppressed",
        limit.count, limit.per
    ))
}

fn automaton(program: &Program, pattern: &Pattern) -> Result<Nfa> {
    let at = program
        .patterns
        .iter()
        .position(|other| std::ptr::eq(other, pattern))
        .unwrap_or_default();
    let id = PatternId(u32::try_from(at).context("too many patterns")?);
    Nfa::new(program, id, &Tables::empty(program))
        .with_context(|| format!("pattern \"{}\"", pattern.name))
}

fn class(names: Names<'_>, nfa: &Nfa) -> Class {
    let pattern = names.pattern;
    if let RuntimeClass::Boundary(windows) = nfa.class() {
        return Class {
            name: "boundary",
            why: format!("{windows}; running values per window, no list of partial matches"),
        };
    }
    if nfa.class() == RuntimeClass::Cohorts {
        return Class {
            name: "cohorts",
            why: "first events, and of each later step those bound; what waits for the same step goes on together, so an event costs the same however many partial matches there are"
                .to_owned(),
        };
    }
    if nfa.class() == RuntimeClass::Stacks {
        return Class {
            name: "stacks",
            why: "events by step, each kept once; an event costs the same however many partial matches there are, and each match as much as it has events"
                .to_owned(),
        };
    }
    if nfa.class() == RuntimeClass::Bundles {
        return Class {
            name: "bundles",
            why: "each partial match by itself, until a key has many: then those that wait alike go on together, and an event costs the same however many they are"
                .to_owned(),
        };
    }
    let correlated = pattern.steps.iter().find_map(|step| {
        let read = reads::earlier(
            step.condition.as_ref()?,
            Names {
                ty: step.ty,
                ..names
            },
        );
        let read: Vec<String> = read.into_iter().map(|name| format!("`{name}`")).collect();
        (!read.is_empty()).then(|| {
            format!(
                "the condition of `{}` reads {}, which differs from one partial match to the next",
                step.name,
                read.join(", ")
            )
        })
    });
    Class {
        name: "runs",
        why: correlated.unwrap_or_else(|| "each partial match is kept by itself".to_owned()),
    }
}

fn bounds(pattern: &Pattern) -> Bounds {
    Bounds {
        per_key_max: pattern.bound.count,
        evict: match pattern.bound.evict {
            Evict::Oldest => "oldest",
            Evict::Newest => "newest",
        },
        default: pattern.bound.count == BOUND_DEFAULT && pattern.bound.evict == Evict::Oldest,
        expiry: expiry(pattern),
    }
}

fn expiry(pattern: &Pattern) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(within) = pattern.within {
        found.push(format!("{within} after its first event (`within`)"));
    }
    match closer(pattern) {
        Some(Closer::Gap(gap)) => found.push(format!("{gap} after its last event (`gap`)")),
        Some(Closer::For(span)) => {
            found.push(format!("{span} after the loop's first event (`for`)"))
        }
        Some(Closer::Window(Window::Time { size, .. })) => {
            found.push(format!(
                "at the end of its window, at most {size} after its first event"
            ));
        }
        Some(Closer::Window(Window::Count { size, .. })) => {
            found.push(format!("with its {size}th event"))
        }
        None => {}
    }
    gaps(&pattern.body, pattern, &mut found);
    if found.is_empty() {
        found.push("with the next event of its key (`next` throughout)".to_owned());
    }
    found
}

/// Bounds that connectors and absences put on single gaps.
fn gaps(sequence: &Sequence, pattern: &Pattern, found: &mut Vec<String>) {
    for element in &sequence.elements {
        match element {
            Element::Positive { connector, node } => {
                if let Some(within) = connector.within {
                    let step = ways::first_steps(node)
                        .first()
                        .map(|id| ways::step_name(pattern, *id));
                    found.push(format!(
                        "{within} without `{}` (`then within`)",
                        step.unwrap_or("the next step")
                    ));
                }
                nested(node, pattern, found);
            }
            Element::Absent(absence) => {
                if let Reach::For(span) = absence.reach {
                    let step = ways::step_name(pattern, absence.step);
                    found.push(format!(
                        "with a `{step}` in the {span} in which there must be none (`not … for`)"
                    ));
                }
            }
        }
    }
}

fn nested(node: &Node, pattern: &Pattern, found: &mut Vec<String>) {
    match node {
        Node::Step(_) => {}
        Node::Choice(sequences) | Node::All(sequences) => {
            sequences
                .iter()
                .for_each(|sequence| gaps(sequence, pattern, found));
        }
        Node::Loop(body) => nested(&body.body, pattern, found),
    }
}

fn watermark(pattern: &Pattern) -> Vec<String> {
    let mut needs = Vec::new();
    let mut trailing = pattern.body.elements.iter().rev();
    let mut waits = false;
    for element in trailing
        .by_ref()
        .take_while(|element| matches!(element, Element::Absent(_)))
    {
        let Element::Absent(absence) = element else {
            continue;
        };
        waits = true;
        match absence.reach {
            Reach::For(span) => needs.push(format!("a match is known when the watermark reaches {span} after its last event")),
            Reach::Between | Reach::Adjacent => needs.push(match pattern.within {
                Some(within) => format!("a match is known at the latest when the watermark reaches {within} after its first event"),
                None => "a match is known when the time in which nothing may happen has passed".to_owned(),
            }),
        }
    }
    match closer(pattern) {
        Some(Closer::Window(Window::Count { .. })) | None if !waits => {
            needs.push(
                "a match is known when the watermark passes its last event: `--delay` after it"
                    .to_owned(),
            );
        }
        Some(_) => needs.push(
            "a match is known when the watermark reaches its end: `--delay` after it".to_owned(),
        ),
        None => {}
    }
    if pattern.timeout.is_some() {
        needs.push("a timeout is known when the watermark passes the bound".to_owned());
    }
    needs
}

fn outputs(names: Names<'_>) -> Vec<OutputFacts> {
    let emits = names.pattern.emits.iter().map(|emit| {
        let per = if emit.each {
            "bound event of a match"
        } else {
            "match"
        };
        (emit.stream, per, &emit.fields)
    });
    let timeout = names
        .pattern
        .timeout
        .iter()
        .map(|timeout| (timeout.stream, "timeout", &timeout.fields));
    let outputs = emits.chain(timeout).map(|(stream, per, values)| {
        let ty = names.program.schema.get(stream);
        OutputFacts {
            name: ty.name.clone(),
            per,
            fields: ty
                .fields
                .iter()
                .map(|f| Column {
                    name: f.name.clone(),
                    ty: type_name(f.ty),
                })
                .collect(),
            values: values.iter().map(|expr| names.show(expr)).collect(),
        }
    });
    outputs.collect()
}
