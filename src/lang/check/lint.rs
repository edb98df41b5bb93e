//! What is legal but surely not meant.
//!
//! A lint speaks only when it is certain: each is judged by structure and constants, never by guessing at values.

use super::catalog::Catalog;
use super::outline::{Outline, StepSet};
use super::report::{Place, Report};
use super::visit;
use crate::event::{FieldId, Value};
use crate::lang::ast;
use crate::lang::pattern::{
    AfterMatch, Appetite, BinaryOp, Contiguity, Element, Expr, Loop, Node, Sequence, StepId,
    VariableId,
};
use crate::lang::scalar;
use std::cmp::Ordering;

/// A condition that no event and no match can satisfy. `who` is what never gets through: "no event", "no match".
pub(super) fn never_holds(report: &mut Report, place: Place, condition: &Expr, who: &str) {
    let mut parts = Vec::new();
    conjuncts(condition, &mut parts);
    let constant = parts
        .iter()
        .any(|part| matches!(part, Expr::Const(value) if !scalar::holds(value)));
    let null = parts.iter().any(|part| compares_with_null(part));
    if null {
        report
            .add(
                "W203",
                place,
                "this condition can never hold",
                "a comparison with null is false",
            )
            .help("to treat a missing value as another one write `field ?? default`");
    } else if constant {
        report
            .add(
                "W203",
                place,
                "this condition can never hold",
                format!("{who} satisfies it"),
            )
            .help("it is false whatever happens; remove the step or correct the condition");
    } else if let Some((first, second)) = contradiction(&parts) {
        report
            .add(
                "W203",
                place,
                "this condition can never hold",
                format!("{first} and {second} exclude each other"),
            )
            .help("write `or` if either is to do, or correct one of the bounds");
    }
}

fn conjuncts<'e>(expr: &'e Expr, parts: &mut Vec<&'e Expr>) {
    match expr {
        Expr::Binary(BinaryOp::And, left, right) => {
            conjuncts(left, parts);
            conjuncts(right, parts);
        }
        other => parts.push(other),
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(Value::Null))
}

fn compares_with_null(expr: &Expr) -> bool {
    match expr {
        Expr::Binary(op, left, right) => is_comparison(*op) && (is_null(left) || is_null(right)),
        Expr::In { needle, .. } => is_null(needle),
        _ => false,
    }
}

fn is_comparison(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge
    )
}

/// A field compared with a constant.
struct Comparison<'e> {
    field: FieldId,
    op: BinaryOp,
    value: &'e Value,
}

/// The first two comparisons of one field that no value satisfies both of, as operator and value.
fn contradiction(parts: &[&Expr]) -> Option<(String, String)> {
    // Enough for what people write; the cost of a hostile condition stays small.
    const LOOKED_AT: usize = 50;
    let found: Vec<Comparison<'_>> = parts
        .iter()
        .filter_map(|part| comparison(part))
        .take(LOOKED_AT)
        .collect();
    for (at, first) in found.iter().enumerate() {
        for second in &found[at + 1..] {
            if first.field == second.field && exclude(first, second) {
                return Some((told(first), told(second)));
            }
        }
    }
    None
}

fn comparison(expr: &Expr) -> Option<Comparison<'_>> {
    let Expr::Binary(op, left, right) = expr else {
        return None;
    };
    if !is_comparison(*op) {
        return None;
    }
    match (&**left, &**right) {
        (Expr::Field(field), Expr::Const(value)) => Some(Comparison {
            field: *field,
            op: *op,
            value,
        }),
        (Expr::Const(value), Expr::Field(field)) => Some(Comparison {
            field: *field,
            op: mirrored(*op),
            value,
        }),
        _ => None,
    }
}

fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        other => other,
    }
}

fn told(comparison: &Comparison<'_>) -> String {
    let value = match comparison.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Decimal(value) => value.to_string(),
        Value::Str(value) => format!("{value:?}"),
        Value::Duration(value) => value.to_string(),
        Value::Timestamp(_) | Value::List(_) => "…".to_owned(),
    };
    format!("`{} {value}`", comparison.op.symbol())
}

/// True if no value satisfies both.
fn exclude(first: &Comparison<'_>, second: &Comparison<'_>) -> bool {
    use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
    let Some(order) = scalar::compare(first.value, second.value) else {
        return false;
    };
    match (first.op, second.op) {
        (Eq, Eq) => order.is_ne(),
        (Eq, Ne) | (Ne, Eq) => order.is_eq(),
        (Eq, Lt) | (Ge, Lt) | (Gt, Le | Lt) => order.is_ge(),
        (Eq, Le) | (Ge, Le) => order.is_gt(),
        (Eq, Gt) | (Le, Gt) | (Lt, Ge | Gt) => order.is_le(),
        (Eq, Ge) | (Le, Ge) => order.is_lt(),
        (Lt, Eq) => order != Ordering::Greater,
        (Le, Eq) => order.is_lt(),
        (Gt, Eq) => order != Ordering::Less,
        (Ge, Eq) => order.is_gt(),
        _ => false,
    }
}

/// `x.f` in the condition of the repeated step `x`: null at the first repeat, which then never comes.
pub(super) fn first_repeat(
    report: &mut Report,
    outline: &Outline<'_>,
    tested: StepId,
    place: Place,
    condition: &Expr,
) {
    let step = outline.step(tested);
    let Some(own) = step.variable else {
        return;
    };
    let mut parts = Vec::new();
    conjuncts(condition, &mut parts);
    for part in parts {
        let Expr::Binary(op, left, right) = part else {
            continue;
        };
        if !is_comparison(*op) {
            continue;
        }
        let only_own =
            |expr: &Expr| null_before_the_first(outline, own, step.bound_before, tested, expr);
        if only_own(left) || only_own(right) {
            let name = &outline.variable(own).name;
            let (why, way) = if step.repeats {
                (
                    format!("nothing is bound to `{name}` at its first repeat, so this is null"),
                    "give a default for the first repeat: `prev(field, default)` or `… ?? default`",
                )
            } else {
                (
                    format!("`{name}` is one event, so there is none before it and this is null"),
                    "repeat the step, `+`, or read an earlier step",
                )
            };
            report
                .add("W204", place, "this condition can never hold", why)
                .help(way);
            return;
        }
    }
}

/// True if an expression is null for lack of an event as long as the step has bound none.
fn null_before_the_first(
    outline: &Outline<'_>,
    own: VariableId,
    before: StepSet,
    tested: StepId,
    expr: &Expr,
) -> bool {
    match expr {
        Expr::Prev(variable, _) => *variable == own,
        Expr::Bound(variable, _) => {
            let steps = outline.variable(*variable).steps;
            // Another step of the same variable may have bound before.
            steps == StepSet::of(tested) && before.has(tested)
        }
        Expr::Unary(_, inner) => null_before_the_first(outline, own, before, tested, inner),
        Expr::Binary(op, left, right) => {
            let arithmetic = matches!(
                op,
                BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem
            );
            arithmetic
                && (null_before_the_first(outline, own, before, tested, left)
                    || null_before_the_first(outline, own, before, tested, right))
        }
        _ => false,
    }
}

/// Lints about loops and what follows them.
pub(super) fn sequence(
    report: &mut Report,
    outline: &Outline<'_>,
    body: &Sequence,
    conditions: &[Option<Expr>],
) {
    let mut rest = vec![body];
    while let Some(sequence) = rest.pop() {
        let positive: Vec<(&Node, Contiguity)> = sequence
            .elements
            .iter()
            .filter_map(|element| match element {
                Element::Positive { connector, node } => Some((node, connector.contiguity)),
                Element::Absent(_) => None,
            })
            .collect();
        for pair in positive.windows(2) {
            let [(Node::Loop(repeat), _), (next, _)] = pair else {
                continue;
            };
            overlap(report, outline, repeat, next, conditions);
        }
        for (at, (node, connector)) in positive.iter().enumerate() {
            if let Node::Loop(repeat) = node
                && at > 0
                && *connector == Contiguity::SkipTillAny
            {
                exponential(report, outline, repeat);
            }
            collect(node, &mut rest);
        }
    }
}

fn collect<'p>(node: &'p Node, rest: &mut Vec<&'p Sequence>) {
    match node {
        Node::Step(_) => {}
        Node::Choice(sequences) | Node::All(sequences) => rest.extend(sequences),
        Node::Loop(repeat) => collect(&repeat.body, rest),
    }
}

/// A greedy loop that takes every event which the step after it waits for.
fn overlap(
    report: &mut Report,
    outline: &Outline<'_>,
    repeat: &Loop,
    next: &Node,
    conditions: &[Option<Expr>],
) {
    let open = repeat.appetite == Appetite::Greedy
        && repeat.max.is_none()
        && repeat.until.is_none()
        && repeat.closer.is_none();
    let Node::Step(taken) = repeat.body else {
        return;
    };
    let following = match next {
        Node::Step(step) => *step,
        Node::Loop(next) if next.min > 0 => match next.body {
            Node::Step(step) => step,
            _ => return,
        },
        _ => return,
    };
    let (first, second) = (outline.step(taken), outline.step(following));
    let condition = |step: StepId| conditions.get(usize::from(step.0)).and_then(Option::as_ref);
    let takes_all = match condition(taken) {
        None => first.condition.is_none(),
        Some(own) => {
            let depends =
                |part: &Expr| matches!(part, Expr::Prev(..) | Expr::Aggregate(_) | Expr::Bound(..));
            condition(following) == Some(own) && !visit::any(own, &depends)
        }
    };
    if open && takes_all && first.ty.is_some() && first.ty == second.ty {
        report
            .add(
                "W201",
                second.place,
                format!("`{}` can never be bound: the loop before it takes every such event", second.name),
                "never reached",
            )
            .also(first.place, "this loop takes them all")
            .help("tell them apart with `where`, end the loop with `until`, or make it reluctant: `+?`");
    }
}

/// `then any` before a loop of `combinations`.
fn exponential(report: &mut Report, outline: &Outline<'_>, repeat: &Loop) {
    let large = repeat.max.is_none_or(|max| max > 16);
    if repeat.contiguity != Contiguity::SkipTillAny || !large {
        return;
    }
    let Node::Step(step) = repeat.body else {
        return;
    };
    report
        .add(
            "W202",
            outline.step(step).place,
            "`then any` with `combinations` makes a candidate of every subset",
            "2^n candidates for n events",
        )
        .help("leave out `combinations` for runs without holes, or give the loop a small greatest number: `{1,4}`");
}

/// A last loop or optional step that matches at its minimum, so that it never gets further.
pub(super) fn never_longer(
    report: &mut Report,
    outline: &Outline<'_>,
    body: &Sequence,
    decl: &ast::PatternDecl,
    skip: AfterMatch,
) {
    if decl.having.is_some() || !matches!(skip, AfterMatch::PastMatch | AfterMatch::ToNext) {
        return;
    }
    let Some(Element::Positive {
        node: Node::Loop(repeat),
        ..
    }) = body.elements.last()
    else {
        return;
    };
    let (Node::Step(step), None) = (&repeat.body, &repeat.closer) else {
        return;
    };
    // The empty candidate does not exist: alone, a loop has at least one repeat.
    let least = if body.elements.len() == 1 {
        repeat.min.max(1)
    } else {
        repeat.min
    };
    if repeat.max == Some(least) || repeat.appetite == Appetite::Reluctant {
        return;
    }
    let step = outline.step(*step);
    if repeat.max == Some(1) {
        report
            .add(
                "W206",
                step.place,
                "the match is complete before this optional step is waited for",
                "never bound",
            )
            .help("remove the step, or make it required")
            .help("with `skip none` the match with it is reported, too");
        return;
    }
    let label = match least {
        0 => "never bound".to_owned(),
        1 => "never more than 1 event".to_owned(),
        n => format!("never more than {n} events"),
    };
    report
        .add("W206", step.place, "the match is complete before this loop takes any more", label)
        .help("say when the loop is complete: `+ gap 10m`, `+ for 10m`; or when it is long enough with `having`")
        .help("with `skip none` every longer match is reported, too");
}

/// Fields of a timeout that are null in every row: what completes the match is never bound when it times out.
pub(super) fn timeout_reads(
    report: &mut Report,
    outline: &Outline<'_>,
    body: &Sequence,
    place: Place,
    record: &ast::Record,
    fields: &[Expr],
) {
    let Some(Element::Positive {
        node: Node::Step(last),
        ..
    }) = body.elements.last()
    else {
        return;
    };
    for ((name, written), field) in record.fields.iter().zip(fields) {
        let reads_last = |part: &Expr| match part {
            Expr::Bound(variable, _) => outline.variable(*variable).steps == StepSet::of(*last),
            _ => false,
        };
        if matches!(field, Expr::Binary(BinaryOp::Coalesce, ..)) || !visit::any(field, &reads_last)
        {
            continue;
        }
        let span = written.as_ref().map_or(name.span, |written| written.span);
        let step = outline.step(*last);
        report
            .add(
                "W205",
                Place::new(place.file, span),
                format!("`{}` is never bound when the pattern times out", step.name),
                "always null",
            )
            .also(step.place, "binding it completes the match")
            .help("leave the field out of `timeout`");
    }
}

/// Params, functions and tables that nothing reads.
pub(super) fn unused(report: &mut Report, catalog: &Catalog) {
    for names in &catalog.files {
        for (name, param) in &names.params {
            if !param.used.get() {
                never_read(report, "W207", param.place, "param", name);
            }
        }
        for (name, function) in &names.functions {
            if !function.used.get() {
                never_read(report, "W208", function.place, "function", name);
            }
        }
    }
    for table in &catalog.tables {
        if !table.used.get() {
            never_read(report, "W209", table.place, "table", &table.name);
        }
    }
}

fn never_read(report: &mut Report, code: &'static str, place: Place, what: &str, name: &str) {
    report
        .add(
            code,
            place,
            format!("{what} `{name}` is never used"),
            "not used",
        )
        .help("remove it, or use it");
}
