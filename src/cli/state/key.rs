//! What one key waits for: its partial matches and windows, what they have bound and until when they live.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use leitmotif::automaton::{Kept, Live, Wait};
use leitmotif::engine::{Inspection, KeyState};
use leitmotif::lang::parse_value;
use leitmotif::lang::pattern::{
    Aggregate, AggregateFunction, Expr, Pattern, PatternId, Program, StepId,
};
use leitmotif::sink;
use leitmotif::{Event, Value};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Instant, json, time};
use crate::cli::args::{ReportFormat, StateArgs};
use crate::cli::explain::expression::Names;
use crate::cli::explain::facts::type_name;
use crate::cli::literal::{self, Clock};

/// A pattern and the key that is asked for in it.
pub struct Asked {
    pattern: PatternId,
    parts: Vec<Value>,
}

/// Which keys are asked for; none when it is all of them. A pattern without a key has one, which naming the pattern asks for.
///
/// # Errors
/// When the patterns have no such keys.
pub fn asked(
    program: &Program,
    chosen: &[PatternId],
    args: &StateArgs,
) -> Result<Option<Vec<Asked>>> {
    if args.key.is_empty() {
        let [only] = chosen else { return Ok(None) };
        let unkeyed = args.pattern.is_some() && pattern(program, *only).key.is_empty();
        let parts = Vec::new();
        return Ok(unkeyed.then(|| {
            vec![Asked {
                pattern: *only,
                parts,
            }]
        }));
    }
    let mut asked = Vec::new();
    let mut wrong = None;
    for id in chosen {
        match parts(pattern(program, *id), &args.key) {
            Ok(parts) => asked.push(Asked {
                pattern: *id,
                parts,
            }),
            Err(error) => {
                wrong.get_or_insert(error);
            }
        }
    }
    // A key that is none of one pattern may be one of another.
    match wrong {
        Some(error) if asked.is_empty() => Err(error),
        _ => Ok(Some(asked)),
    }
}

fn pattern(program: &Program, id: PatternId) -> &Pattern {
    &program.patterns[id.0 as usize]
}

/// The parts of a key as they were typed, read as the pattern's key says.
fn parts(pattern: &Pattern, typed: &[String]) -> Result<Vec<Value>> {
    let name = &pattern.name;
    let types = pattern.key.iter().zip(&pattern.key_types);
    let declared = types
        .clone()
        .map(|(part, ty)| format!("{part}: {}", type_name(*ty)));
    let declared = declared.collect::<Vec<String>>().join(", ");
    if pattern.key.is_empty() {
        bail!("pattern `{name}` has no key; leave --key out and name it with --pattern {name}");
    }
    if typed.len() != pattern.key.len() {
        bail!(
            "pattern `{name}` has a key of {} ({declared}), not of {}; write --key once for each",
            pattern.key.len(),
            typed.len()
        );
    }
    let read = types.zip(typed).map(|((part, ty), text)| {
        let Some(value) = parse_value(text, *ty) else {
            bail!(
                "key \"{text}\" is no {}, as `{part}` of pattern `{name}` is; its key is ({declared})",
                type_name(*ty)
            );
        };
        Ok(value)
    });
    read.collect()
}

/// Says what the keys have.
///
/// # Errors
/// When the state can't be read, or is of other patterns.
pub fn text(
    format: ReportFormat,
    program: &Program,
    inspection: &Inspection,
    asked: &[Asked],
) -> Result<String> {
    let mut found = Vec::new();
    for Asked { pattern, parts } in asked {
        found.push((
            self::pattern(program, *pattern),
            parts,
            inspection.key(*pattern, parts)?,
        ));
    }
    let at = Instant::of(inspection);
    if format == ReportFormat::Json {
        let patterns = found.iter().map(|(pattern, parts, state)| {
            let teller = Teller { program, pattern };
            let key = state.as_ref().map_or(&parts[..], |state| &state.key);
            Entry {
                pattern: &pattern.name,
                key: key.iter().map(exact).collect(),
                live: (state.iter().flat_map(|state| &state.live))
                    .map(|live| teller.entry(live))
                    .collect(),
                waiting: (state.iter().flat_map(|state| &state.waiting))
                    .map(|event| teller.event_entry(event))
                    .collect(),
            }
        });
        let patterns = patterns.collect();
        return json(&Told { at, patterns });
    }
    let mut out = format!("{}\n", at.text());
    for (pattern, parts, state) in &found {
        let teller = Teller { program, pattern };
        teller.lines(&mut out, parts, state.as_ref());
    }
    Ok(out)
}

/// Tells of one pattern by its names.
struct Teller<'a> {
    program: &'a Program,
    pattern: &'a Pattern,
}

impl Teller<'_> {
    fn lines(&self, out: &mut String, parts: &[Value], state: Option<&KeyState<'_>>) {
        let key = state.map_or(parts, |state| &state.key);
        let key: Vec<String> = key
            .iter()
            .map(|part| literal::show(part, Clock::Calendar))
            .collect();
        let key = match key.is_empty() {
            true => String::new(),
            false => format!(" {}", key.join(", ")),
        };
        let _ = write!(out, "\n{}{key}: ", self.pattern.name);
        let live = state.map_or(&[][..], |state| &state.live);
        let waiting = state.map_or(&[][..], |state| &state.waiting);
        let _ = match (state, live.len()) {
            (None, _) => writeln!(
                out,
                "no state; nothing that it did can still become a match"
            ),
            (Some(_), 0) if waiting.is_empty() => {
                writeln!(
                    out,
                    "nothing live; only what `limit` or a leading `not` remembers"
                )
            }
            (Some(_), 0) => writeln!(out, "nothing live"),
            (Some(_), 1) => writeln!(out, "1 live"),
            (Some(_), count) => writeln!(out, "{count} live"),
        };
        for live in live {
            self.live(out, live);
        }
        if !waiting.is_empty() {
            let _ = writeln!(out, "  waiting for the watermark:");
        }
        for event in waiting {
            self.event(out, event);
        }
    }

    fn event(&self, out: &mut String, event: &Event) {
        let ty = self.program.schema.get(event.ty);
        let names = ty.fields.iter().map(|field| field.name.as_str());
        let fields = names.zip(&event.values);
        let fields = fields.filter(|(_, value)| !value.is_null());
        let shown = literal::record(fields, Clock::Calendar);
        let _ = writeln!(out, "    {} {} {shown}", time(event.time), ty.name);
    }

    fn live(&self, out: &mut String, live: &Live<'_>) {
        let bound = match live.bound {
            1 => format!("1 event at {}", time(live.first)),
            count => format!(
                "{count} events from {} to {}",
                time(live.first),
                time(live.last)
            ),
        };
        let _ = match live.at {
            Some(step) => writeln!(out, "  at `{}`: {bound}", self.step(step)),
            None => writeln!(out, "  window: {bound}"),
        };
        for wait in &live.waits {
            let until = match (wait.until, wait.way.to) {
                (None, _) => String::new(),
                (Some(at), Some(_)) => format!(" until {}", time(at)),
                (Some(at), None) => format!(" at {}", time(at)),
            };
            let rules = std::iter::once(wait.way.between.clone());
            let rules: Vec<String> = rules.chain(wait.way.rules.iter().cloned()).collect();
            let _ = match wait.way.to {
                Some(place) => writeln!(
                    out,
                    "    waits for `{}`{until}: {}",
                    self.step(place.step),
                    rules.join("; ")
                ),
                None => writeln!(out, "    ends{until}: {}", rules.join("; ")),
            };
        }
        for kept in &live.kept {
            let value = literal::show(&kept.value, Clock::Calendar);
            let _ = writeln!(out, "    {} = {value}", self.name(kept));
        }
        for event in &live.events {
            self.event(out, event);
        }
    }

    /// A step as the pattern calls it.
    fn step(&self, step: StepId) -> &str {
        &self.pattern.steps[usize::from(step.0)].name
    }

    /// `small.amount`, `sum(b.amount)`
    fn name(&self, kept: &Kept<'_>) -> String {
        let ty = self.pattern.variables[usize::from(kept.variable.0)].ty;
        let names = Names {
            program: self.program,
            pattern: self.pattern,
            ty,
        };
        let expr = match (kept.function, kept.argument) {
            (AggregateFunction::Last, Expr::Field(field)) => Expr::Bound(kept.variable, *field),
            (function, argument) => Expr::Aggregate(Aggregate {
                function,
                variable: kept.variable,
                argument: Box::new(argument.clone()),
                argument_type: leitmotif::event::FieldType::Int,
                includes_tested: false,
            }),
        };
        names.show(&expr)
    }

    fn entry(&self, live: &Live<'_>) -> LiveEntry {
        let waits = live.waits.iter().map(|Wait { way, until }| WaitEntry {
            step: way.to.map(|place| self.step(place.step).to_owned()),
            until_ms: until.map(|at| at.0),
            how: way.between.clone(),
            rules: way.rules.clone(),
        });
        let kept = live.kept.iter().map(|kept| KeptEntry {
            name: self.name(kept),
            value: exact(&kept.value),
        });
        let events = live.events.iter().map(|event| self.event_entry(event));
        LiveEntry {
            at: live
                .at
                .map_or("window".to_owned(), |step| self.step(step).to_owned()),
            bound: live.bound,
            from_ms: live.first.0,
            to_ms: live.last.0,
            waits: waits.collect(),
            kept: kept.collect(),
            events: events.collect(),
        }
    }
}

impl Teller<'_> {
    fn event_entry(&self, event: &Event) -> EventEntry {
        let ty = self.program.schema.get(event.ty);
        let fields = ty.fields.iter().zip(&event.values);
        let fields = fields.filter(|(_, value)| !value.is_null());
        EventEntry {
            event_type: ty.name.clone(),
            time_ms: event.time.0,
            fields: fields
                .map(|(field, value)| KeptEntry {
                    name: field.name.clone(),
                    value: exact(value),
                })
                .collect(),
        }
    }
}

/// A value as rows have it: decimals with all their digits.
fn exact(value: &Value) -> Box<RawValue> {
    RawValue::from_string(sink::json(value)).expect("values are written as JSON")
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    at: Instant,
    patterns: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    pattern: &'a str,
    key: Vec<Box<RawValue>>,
    live: Vec<LiveEntry>,
    /// Events that wait for the watermark.
    waiting: Vec<EventEntry>,
}

#[derive(Serialize)]
struct LiveEntry {
    /// The step bound last, or `window`.
    at: String,
    bound: u64,
    from_ms: i64,
    to_ms: i64,
    waits: Vec<WaitEntry>,
    kept: Vec<KeptEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<EventEntry>,
}

#[derive(Serialize)]
struct WaitEntry {
    /// Null for the end.
    step: Option<String>,
    until_ms: Option<i64>,
    how: String,
    rules: Vec<String>,
}

#[derive(Serialize)]
struct KeptEntry {
    name: String,
    value: Box<RawValue>,
}

#[derive(Serialize)]
struct EventEntry {
    #[serde(rename = "type")]
    event_type: String,
    time_ms: i64,
    fields: Vec<KeptEntry>,
}
