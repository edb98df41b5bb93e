//! From the neutral form to a pattern file.
//!
//! Time is stretched by [`STRETCH`], so that an exclusive bound W becomes an inclusive one just below W and still lies after
//! every event before it.

use crate::case::{Case, Element, Skip};

/// Our milliseconds for one of theirs.
pub const STRETCH: i64 = 10;

/// What stands for no bound: every pattern of ours has one.
const UNBOUNDED: &str = "3650d";

pub const EVENT: &str = "event Event { t: timestamp time, i: int, kind: string, id: int, name: string, price: float, volume: float?, ts: int }";

/// The pattern file of a case.
pub fn text(case: &Case) -> String {
    let mut names = Vec::new();
    bound_names(&case.pattern.elements, &mut names);
    let key = case
        .key
        .as_ref()
        .map_or("unkeyed".to_owned(), |field| format!("key {field}"));
    let pattern = &case.pattern;
    let sequence = sequence(&pattern.elements, &names);
    let within = match pattern.within_ms {
        Some(ms) => format!("{}ms", ms * STRETCH - 1),
        None => UNBOUNDED.to_owned(),
    };
    // A last absence without any bound is one of the things that must be rejected.
    let endless = pattern.within_ms.is_none()
        && pattern.elements.last().is_some_and(|last| {
            last.contiguity == "notFollowedBy" && last.within_previous_ms.is_none()
        });
    let within = if endless {
        String::new()
    } else {
        format!("\n  within {within}")
    };
    let skip = match &pattern.skip {
        Skip::Word(word) if word == "NO_SKIP" => "none".to_owned(),
        Skip::Word(word) if word == "SKIP_TO_NEXT" => "to next".to_owned(),
        Skip::Word(_) => "past match".to_owned(),
        // A negation binds nothing: the target is empty in every match.
        Skip::To(target) if !target.values().all(|name| names.contains(&name.as_str())) => {
            "none".to_owned()
        }
        Skip::To(target) => {
            let (kind, name) = target.iter().next().expect("a target has a name");
            let last = if kind == "SKIP_TO_LAST" { "last " } else { "" };
            format!("to {last}{}", variable(name))
        }
    };
    let fields: Vec<String> = names
        .iter()
        .map(|name| format!("{0}: collect({0}.i)", variable(name)))
        .collect();
    let fields = fields.join(", ");
    format!(
        "{EVENT}\n\npattern p {{\n  {key}\n  match {sequence}{within}\n  skip {skip}\n  emit m {{ {fields} }}\n  timeout t {{ {fields} }}\n}}\n"
    )
}

/// The names of the elements that bind events.
pub fn bound_names<'c>(elements: &'c [Element], names: &mut Vec<&'c str>) {
    for element in elements {
        match &element.group {
            Some(group) => bound_names(group, names),
            None if is_negation(element) => {}
            None => names.extend(element.name.as_deref()),
        }
    }
}

/// A name of ours for one of theirs.
pub fn variable(name: &str) -> String {
    let letters: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    format!("v_{letters}")
}

fn is_negation(element: &Element) -> bool {
    element.contiguity.starts_with("not")
}

fn sequence(elements: &[Element], names: &[&str]) -> String {
    let mut out = String::new();
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push_str(match element.contiguity.as_str() {
                "next" | "notNext" => "\n    next ",
                "followedByAny" => "\n    then any ",
                _ => "\n    then ",
            });
            if let (Some(ms), false) = (element.within_previous_ms, is_negation(element)) {
                out.push_str(&format!("within {}ms ", ms * STRETCH - 1));
            }
        }
        out.push_str(&step(element, names));
    }
    out
}

fn step(element: &Element, names: &[&str]) -> String {
    let (quantifier, around) = quantifier(element);
    let inner = match element.inner.as_str() {
        "next" if element.max != Some(1) => " consecutive",
        "followedByAny" if element.max != Some(1) => " combinations",
        _ => "",
    };
    if let Some(group) = &element.group {
        let group = format!("({}){quantifier}{inner}", sequence(group, names));
        return match around {
            Some(around) => format!("({group}){around}"),
            None => group,
        };
    }
    let name = element.name.as_deref().unwrap_or_default();
    let condition = |text: &String, own: &str| format!(" where {}", expression(text, own, names));
    let condition_text = element
        .condition
        .as_ref()
        .map_or(String::new(), |text| condition(text, name));
    if is_negation(element) {
        let window = element
            .within_previous_ms
            .map_or(String::new(), |ms| format!(" for {}ms", ms * STRETCH));
        return format!("not Event{quantifier}{condition_text}{window}");
    }
    // What is bound so far decides, in theirs and in ours: the event itself is not in `until`'s aggregates.
    let until = element.until.as_ref().map_or(String::new(), |text| {
        format!(" until Event{}", condition(text, ""))
    });
    let step = format!(
        "{}: Event{quantifier}{inner}{condition_text}{until}",
        variable(name)
    );
    match around {
        Some(around) => format!("({step}){around}"),
        None => step,
    }
}

/// How often, and what makes a group around it optional.
fn quantifier(element: &Element) -> (String, Option<&'static str>) {
    let reluctant = if element.greedy { "" } else { "?" };
    let optional = element
        .optional
        .then_some(if element.greedy { "?" } else { "??" });
    match (element.min, element.max) {
        (1, Some(1)) => (optional.unwrap_or_default().to_owned(), None),
        (1, None) if element.optional => (format!("*{reluctant}"), None),
        (1, None) => (format!("+{reluctant}"), None),
        (1, Some(max)) if element.optional => (format!("{{0,{max}}}{reluctant}"), None),
        (min, Some(max)) if min == max => (format!("{{{min}}}"), optional),
        (min, Some(max)) => (format!("{{{min},{max}}}{reluctant}"), optional),
        (min, None) => (format!("{{{min},}}{reluctant}"), optional),
    }
}

/// Their expression in our words. `own` is the element it belongs to, whose aggregates leave the candidate out.
fn expression(text: &str, own: &str, names: &[&str]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let end = rest[1..].find('\'').expect("a closed literal") + 1;
            out.push_str(&format!("\"{}\"", &rest[1..end]));
            rest = &rest[end + 1..];
        } else if first.is_ascii_alphabetic() {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let word = &rest[..end];
            rest = &rest[end..];
            match word {
                "sum" | "avg" | "first" | "last" | "min" | "max" | "count" => {
                    let close = rest.find(')').expect("a closed call");
                    out.push_str(&aggregate(word, &rest[1..close], own, names));
                    rest = &rest[close + 1..];
                }
                "type" => out.push_str("kind"),
                _ => out.push_str(word),
            }
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn aggregate(function: &str, path: &str, own: &str, names: &[&str]) -> String {
    let (element, field) = path.split_once('.').unwrap_or((path, ""));
    let name = variable(element);
    match (function, element == own) {
        // Of a negation, which binds nothing.
        ("sum" | "count", _) if !names.contains(&element) => "0".to_owned(),
        ("count", true) => format!("(count({name}) - 1)"),
        ("count", false) => format!("count({name})"),
        ("sum", true) => format!("(sum({name}.{field}) - {field})"),
        ("last", true) => format!("prev({field})"),
        _ => format!("{function}({name}.{field})"),
    }
}
