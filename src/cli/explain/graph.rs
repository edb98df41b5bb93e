//! Draws a pattern's automaton for Graphviz and Mermaid.

use std::fmt::Write as _;

use super::facts::Facts;
use super::ways::Way;

/// A Graphviz document with one cluster per pattern.
pub fn dot(patterns: &[Facts]) -> String {
    let mut out = String::from(
        "digraph leitmotif {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"Helvetica\"];\n",
    );
    out.push_str("  edge [fontname=\"Helvetica\", fontsize=10];\n");
    for (number, facts) in patterns.iter().enumerate() {
        let _ = writeln!(
            out,
            "  subgraph cluster_{number} {{\n    label={};",
            dot_text(&facts.name)
        );
        for (id, label, shape) in nodes(facts) {
            let _ = writeln!(
                out,
                "    p{number}_{id} [label={}{}];",
                dot_text(&label),
                dot_shape(shape)
            );
        }
        for way in &facts.ways {
            let (from, to) = ends(way);
            let _ = writeln!(
                out,
                "    p{number}_{from} -> p{number}_{to} [label={}];",
                dot_text(&label(way))
            );
        }
        out.push_str("  }\n");
    }
    out.push_str("}\n");
    out
}

/// A Mermaid flow chart with one subgraph per pattern.
pub fn mermaid(patterns: &[Facts]) -> String {
    let mut out = String::from("flowchart LR\n");
    for (number, facts) in patterns.iter().enumerate() {
        let _ = writeln!(out, "  subgraph p{number}[{}]", mermaid_text(&facts.name));
        for (id, label, shape) in nodes(facts) {
            let text = mermaid_text(&label);
            let _ = match shape {
                Shape::Step => writeln!(out, "    p{number}_{id}[{text}]"),
                Shape::Start => writeln!(out, "    p{number}_{id}(({text}))"),
                Shape::End => writeln!(out, "    p{number}_{id}((({text})))"),
            };
        }
        for way in &facts.ways {
            let (from, to) = ends(way);
            let _ = writeln!(
                out,
                "    p{number}_{from} -->|{}| p{number}_{to}",
                mermaid_text(&label(way))
            );
        }
        out.push_str("  end\n");
    }
    out
}

#[derive(Clone, Copy)]
enum Shape {
    Start,
    Step,
    End,
}

/// Ids are numbers of positions: names may hold what the two languages can't.
fn nodes(facts: &Facts) -> Vec<(String, String, Shape)> {
    let mut nodes = vec![("start".to_owned(), "start".to_owned(), Shape::Start)];
    for place in facts.positions() {
        let step = facts.steps.iter().find(|step| step.name == place.step);
        let label = match step {
            Some(step) => match &step.condition {
                Some(condition) => format!("{}: {}\nwhere {condition}", step.name, step.event),
                None => format!("{}: {}", step.name, step.event),
            },
            None => place.step.clone(),
        };
        nodes.push((place.number.to_string(), label, Shape::Step));
    }
    nodes.push(("end".to_owned(), "match".to_owned(), Shape::End));
    nodes
}

fn ends(way: &Way) -> (String, String) {
    let from = way
        .from
        .as_ref()
        .map_or("start".to_owned(), |place| place.number.to_string());
    let to = way
        .to
        .as_ref()
        .map_or("end".to_owned(), |place| place.number.to_string());
    (from, to)
}

fn label(way: &Way) -> String {
    let mut lines = vec![way.between.clone()];
    lines.extend(way.rules.iter().cloned());
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

fn dot_shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Start => ", shape=circle",
        Shape::Step => "",
        Shape::End => ", shape=doublecircle",
    }
}

fn dot_text(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// Mermaid reads entities inside quotes, and nothing else is safe there.
fn mermaid_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("<br>"),
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push('\''),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
