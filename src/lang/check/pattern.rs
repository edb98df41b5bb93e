//! One pattern, clause by clause.

use std::collections::HashSet;

use super::bounded;
use super::catalog::Catalog;
use super::expression::{Checker, Site};
use super::key::{self, Read};
use super::lint;
use super::output;
use super::place;
use super::report::{Place, Report};
use super::sequence::{Lowering, event_type};
use super::stream::{self, Declared};
use super::visit;
use crate::event::{EventTypeId, FieldType};
use crate::lang::ast;
use crate::lang::pattern::{
    Closer, Element, Expr, Pattern, Reach, Sequence, Step, StepId, Variable, Window,
};
use crate::lang::span::FileId;

use super::outline::Outline;

/// Checks a pattern. `None` if it has too many steps to speak of; what it gives back with mistakes is never used.
pub(super) fn check(
    catalog: &mut Catalog,
    report: &mut Report,
    (file, decl): Declared<'_>,
) -> Option<Pattern> {
    let mut lowering = Lowering::new(catalog, report, file, &decl.name.name);
    let body = lowering.outermost(&decl.sequence);
    let (full, closer_mistaken) = (lowering.full, lowering.closer_mistaken);
    let mut outline = lowering.outline;
    if full {
        return None;
    }
    let reads = reads(catalog, report, file, decl);
    let keyed = key::check(catalog, report, file, &decl.key, &reads);
    outline.key = keyed.parts;
    check_windows(report, &outline, decl);
    place::check(report, &outline, &body, decl.within.is_some());
    check_gaps(report, &outline, decl);
    if decl.within.is_none() && !closer_mistaken {
        bounded::check(report, &outline, &body, decl.sequence.span);
    }
    let conditions = conditions(catalog, report, &outline, &body);
    let having = decl
        .having
        .as_ref()
        .and_then(|expr| output::having(catalog, report, &outline, expr));
    let skip = output::skip(report, &outline, decl.skip.as_ref());
    let limit = decl
        .limit
        .as_ref()
        .map(|limit| output::limit(catalog, report, &outline, limit));
    let bound = output::bound(report, &outline, decl.bound.as_ref());
    let outputs = output::outputs(catalog, report, &outline, decl, &body);
    lint::sequence(report, &outline, &body, &conditions);
    if !closer_mistaken {
        lint::never_longer(report, &outline, &body, decl, skip);
    }
    Some(Pattern {
        name: decl.name.name.clone(),
        annotations: annotations(report, file, decl),
        inputs: keyed.inputs,
        key: outline.key.iter().map(|part| part.name.clone()).collect(),
        key_types: outline
            .key
            .iter()
            .map(|part| part.ty.settled().unwrap_or(FieldType::String))
            .collect(),
        steps: steps(&outline, conditions),
        variables: variables(&outline),
        body,
        within: decl.within.as_ref().map(|within| within.value),
        having,
        skip,
        limit,
        bound,
        emits: outputs.emits,
        timeout: outputs.timeout,
    })
}

/// Every event type that the pattern reads, each once, with the place that says so first.
fn reads(
    catalog: &Catalog,
    report: &mut Report,
    file: FileId,
    decl: &ast::PatternDecl,
) -> Vec<Read> {
    let mut reads: Vec<Read> = Vec::new();
    let mut seen: HashSet<EventTypeId> = HashSet::new();
    for event in &decl.from {
        event_type(catalog, report, Place::new(file, event.span), &event.name);
    }
    for event in stream::types_read(decl) {
        if let Some(id) = catalog.find_type(&event.name)
            && seen.insert(id)
        {
            reads.push((id, Place::new(file, event.span)));
        }
    }
    reads
}

fn annotations(
    report: &mut Report,
    file: FileId,
    decl: &ast::PatternDecl,
) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for annotation in &decl.annotations {
        if !seen.insert(&annotation.name.name) {
            report
                .add(
                    "E066",
                    Place::new(file, annotation.span),
                    format!("annotation `@{}` is given twice", annotation.name.name),
                    "given again",
                )
                .help("remove one of them");
            continue;
        }
        found.push((annotation.name.name.clone(), annotation.value.value.clone()));
    }
    found
}

/// `tumble` and `hop` bring their own bounds and their own way of going on.
fn check_windows(report: &mut Report, outline: &Outline<'_>, decl: &ast::PatternDecl) {
    let Some(closed) = &outline.closer else {
        return;
    };
    if !matches!(closed.closer, Closer::Window(_)) || !decl.sequence.rest.is_empty() {
        return;
    }
    let closer = Place::new(outline.file, closed.span);
    if let Some(within) = &decl.within {
        report
            .add(
                "E105",
                Place::new(outline.file, within.span),
                "a window is as long as its closer says",
                "`within` has nothing to add",
            )
            .also(closer, "this closer")
            .help("remove `within`");
    }
    if let Some(skip) = &decl.skip {
        report
            .add(
                "E105",
                Place::new(outline.file, skip.span),
                "every window is a match of its own",
                "`skip` has nothing to skip",
            )
            .also(closer, "this closer")
            .help("remove `skip`");
    }
}

/// A gap that is longer than the whole can never be waited for.
fn check_gaps(report: &mut Report, outline: &Outline<'_>, decl: &ast::PatternDecl) {
    let Some(within) = &decl.within else {
        return;
    };
    for (connector, _) in &decl.sequence.rest {
        if let Some(after) = &connector.after
            && after.value > within.value
        {
            report
                .add(
                    "E113",
                    Place::new(outline.file, after.span),
                    format!(
                        "a gap of at least {} does not fit into {}",
                        after.value, within.value
                    ),
                    "longer than …",
                )
                .also(Place::new(outline.file, within.span), "… the whole pattern")
                .help("make `after` shorter, or `within` longer");
        }
    }
}

/// The condition of every step.
fn conditions(
    catalog: &Catalog,
    report: &mut Report,
    outline: &Outline<'_>,
    body: &Sequence,
) -> Vec<Option<Expr>> {
    let leading = leading_absence(body);
    let mut checked = Vec::with_capacity(outline.steps.len());
    for (id, step) in (0u8..).map(StepId).zip(&outline.steps) {
        let Some(written) = step.condition else {
            checked.push(None);
            continue;
        };
        let site = Site::Condition {
            outline,
            tested: id,
        };
        let found = report.count();
        let mut checker = Checker::new(catalog, outline.file, site, report);
        let condition = checker.condition(written, "a condition");
        let (params_read, vague) = (checker.params_read, checker.vague);
        let place = Place::new(outline.file, written.span);
        if let Some(condition) = &condition {
            if leading == Some(id) {
                check_leading(report, place, condition);
            }
            check_counted(report, outline, id, place, condition);
            // What is mistaken has no value yet: nothing is said about it twice.
            if report.count() == found && !vague {
                if !params_read {
                    lint::never_holds(report, place, condition, "no event");
                }
                lint::first_repeat(report, outline, id, place, condition);
            }
        }
        checked.push(condition);
    }
    checked
}

/// The step of a `not … for` before anything else.
fn leading_absence(body: &Sequence) -> Option<StepId> {
    match body.elements.first() {
        Some(Element::Absent(absence)) if matches!(absence.reach, Reach::For(_)) => {
            Some(absence.step)
        }
        _ => None,
    }
}

/// True if an expression reads more than the event being tested.
fn reads_more(part: &Expr) -> bool {
    matches!(
        part,
        Expr::Bound(..) | Expr::Aggregate(_) | Expr::Prev(..) | Expr::MatchStart | Expr::MatchEnd
    )
}

fn check_leading(report: &mut Report, place: Place, condition: &Expr) {
    if visit::any(condition, &reads_more) {
        report
            .add(
                "E117",
                place,
                "the condition of a leading `not … for` is judged before anything is bound",
                "speaks of a match",
            )
            .help("compare with literals, params and parts of the key only");
    }
}

/// The condition of a window of a number of events reads its event alone.
fn check_counted(
    report: &mut Report,
    outline: &Outline<'_>,
    id: StepId,
    place: Place,
    condition: &Expr,
) {
    let counted = outline.closer.as_ref().filter(|closed| {
        closed.step == id && matches!(closed.closer, Closer::Window(Window::Count { .. }))
    });
    let Some(closed) = counted else {
        return;
    };
    if visit::any(condition, &reads_more) {
        report
            .add(
                "E108",
                place,
                "the condition of a window of a number of events reads its event only",
                "reads what the window holds",
            )
            .also(Place::new(outline.file, closed.span), "this window")
            .help("put what speaks of the whole window into `having`");
    }
}

fn steps(outline: &Outline<'_>, conditions: Vec<Option<Expr>>) -> Vec<Step> {
    let steps = outline.steps.iter().zip(conditions);
    steps
        .map(|(step, condition)| Step {
            name: step.name.clone(),
            role: step.role,
            // A pattern with an unknown event type is never used.
            ty: step.ty.unwrap_or(EventTypeId(0)),
            condition,
        })
        .collect()
}

fn variables(outline: &Outline<'_>) -> Vec<Variable> {
    let variables = outline.variables.iter();
    variables
        .map(|variable| Variable {
            name: variable.name.clone(),
            steps: variable.steps.iter().collect(),
            ty: variable.ty.unwrap_or(EventTypeId(0)),
        })
        .collect()
}
