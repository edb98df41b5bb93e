//! Facts about a pattern for people.

use std::fmt::Write as _;

use super::facts::{Column, Facts};

/// Where the second column starts.
const COLUMN: usize = 12;

/// Everything about one pattern, ending with a line break.
pub fn show(facts: &Facts) -> String {
    let mut out = format!("pattern {}", facts.name);
    for (name, value) in &facts.annotations {
        let _ = write!(out, "  @{name}({value:?})");
    }
    out.push('\n');
    section(&mut out, "reads", &[facts.inputs.join(", ")]);
    section(&mut out, "key", &[key(&facts.key)]);
    section(&mut out, "steps", &steps(facts));
    section(&mut out, "ways on", &ways(facts));
    section(&mut out, "having", facts.having.as_slice());
    section(&mut out, "skip", std::slice::from_ref(&facts.skip));
    section(&mut out, "limit", facts.limit.as_slice());
    section(
        &mut out,
        "class",
        &[format!("{}: {}", facts.class.name, facts.class.why)],
    );
    section(&mut out, "bound", &bound(facts));
    section(&mut out, "watermark", &facts.watermark);
    let keeps = if facts.keeps.is_empty() {
        "times only".to_owned()
    } else {
        facts.keeps.join(", ")
    };
    section(&mut out, "keeps", &[keeps]);
    section(&mut out, "outputs", &outputs(facts));
    section(&mut out, "samples", &samples(facts));
    out
}

fn section(out: &mut String, title: &str, lines: &[String]) {
    for (at, line) in lines.iter().enumerate() {
        let title = if at == 0 { title } else { "" };
        let _ = writeln!(out, "  {title:<width$}{line}", width = COLUMN - 2);
    }
}

fn key(columns: &[Column]) -> String {
    if columns.is_empty() {
        return "unkeyed: all events together".to_owned();
    }
    columns
        .iter()
        .map(|column| format!("{}: {}", column.name, column.ty))
        .collect::<Vec<_>>()
        .join(", ")
}

fn steps(facts: &Facts) -> Vec<String> {
    let width = facts
        .steps
        .iter()
        .map(|step| step.name.chars().count())
        .max()
        .unwrap_or(0);
    let line = |step: &super::facts::StepFacts| {
        let mut line = format!("{:<width$}  {}", step.name, step.event);
        if let Some(condition) = &step.condition {
            let _ = write!(line, " where {condition}");
        }
        if step.role != "binds" {
            let _ = write!(line, "  ({})", step.role);
        }
        line
    };
    facts.steps.iter().map(line).collect()
}

fn ways(facts: &Facts) -> Vec<String> {
    let route = |way: &super::ways::Way| {
        let from = way
            .from
            .as_ref()
            .map_or("start", |place| place.step.as_str());
        let to = way.to.as_ref().map_or("match", |place| place.step.as_str());
        format!("{from} -> {to}")
    };
    let width = facts
        .ways
        .iter()
        .map(|way| route(way).chars().count())
        .max()
        .unwrap_or(0);
    let line = |way: &super::ways::Way| {
        let mut parts = vec![way.between.clone()];
        parts.extend(way.rules.iter().cloned());
        parts.retain(|part| !part.is_empty());
        format!("{:<width$}  {}", route(way), parts.join("; "))
    };
    facts.ways.iter().map(line).collect()
}

fn bound(facts: &Facts) -> Vec<String> {
    let bounds = &facts.partial_matches;
    let source = if bounds.default { "default" } else { "`bound`" };
    let whose = if facts.key.is_empty() {
        "in all"
    } else {
        "per key"
    };
    let ends: Vec<&str> = bounds.expiry.iter().map(String::as_str).collect();
    let ends = ends.join(", or ");
    if facts.class.name == "boundary" {
        return vec![format!(
            "the windows of a key that are open; one ends {ends}"
        )];
    }
    let mut lines = vec![format!(
        "at most {} partial matches {whose} ({source}); one more evicts the {}, counted and written to `evicted`",
        bounds.per_key_max, bounds.evict
    )];
    lines.push(format!("one ends {ends}"));
    lines
}

fn outputs(facts: &Facts) -> Vec<String> {
    let line = |output: &super::facts::OutputFacts| {
        let fields: Vec<String> = output
            .fields
            .iter()
            .zip(&output.values)
            .map(|(column, value)| {
                if column.name == *value {
                    format!("{}: {}", column.name, column.ty)
                } else {
                    format!("{}: {} = {value}", column.name, column.ty)
                }
            })
            .collect();
        format!(
            "{} {{ {} }}  per {}",
            output.name,
            fields.join(", "),
            output.per
        )
    };
    facts.outputs.iter().map(line).collect()
}

fn samples(facts: &Facts) -> Vec<String> {
    let streams: Vec<String> = facts
        .samples
        .iter()
        .map(|sample| sample.stream.join(" "))
        .collect();
    let width = streams
        .iter()
        .map(|stream| stream.chars().count())
        .max()
        .unwrap_or(0);
    let lines = facts.samples.iter().zip(&streams).map(|(sample, stream)| {
        let verdict = if sample.matches {
            "matches"
        } else {
            "no match"
        };
        format!("{stream:<width$}  {verdict:<8}  {}", sample.why)
    });
    lines.collect()
}
