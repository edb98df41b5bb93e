//! Outputs of a pattern and what decides about its matches: `emit`, `timeout`, `having`, `skip`, `limit`, `bound`.

use std::collections::HashMap;

use super::bounded;
use super::catalog::Catalog;
use super::declare;
use super::expression::{Checker, Clause, Site};
use super::outline::{Outline, Reference};
use super::report::{Place, Report, either};
use super::stream;
use super::ty::{self, Ty};
use crate::event::{EventTypeId, Value};
use crate::lang::ast::{self, OutputKind, SkipKind};
use crate::lang::pattern::{
    AfterMatch, BOUND_DEFAULT, Bound, Emit, Evict, Expr, Limit, Sequence, TimeoutEmit,
};
use crate::lang::span::Span;

/// The largest number in `limit` and `bound`.
const COUNT_MAX: u64 = 1_000_000_000;

/// `having …`
pub(super) fn having(
    catalog: &Catalog,
    report: &mut Report,
    outline: &Outline<'_>,
    expr: &ast::Expr,
) -> Option<Expr> {
    let site = Site::Outcome {
        outline,
        clause: Clause::Having,
        each: &[],
    };
    let found = report.count();
    let mut checker = Checker::new(catalog, outline.file, site, report);
    let checked = checker.condition(expr, "`having`");
    let (params_read, vague) = (checker.params_read, checker.vague);
    if let Some(checked) = &checked
        && !params_read
        && !vague
        && report.count() == found
    {
        super::lint::never_holds(
            report,
            Place::new(outline.file, expr.span),
            checked,
            "no match",
        );
    }
    checked
}

/// `skip …`
pub(super) fn skip(
    report: &mut Report,
    outline: &Outline<'_>,
    skip: Option<&ast::Skip>,
) -> AfterMatch {
    let Some(skip) = skip else {
        return AfterMatch::PastMatch;
    };
    let mut target = |name: &ast::Ident| match outline.refer(&name.name) {
        Reference::Variable(id) => Some(id),
        _ => {
            let mut known: Vec<&str> = outline.referable().collect();
            known.sort_unstable();
            let near = report.suggestion(&name.name, known.iter().copied());
            report
                .add(
                    "E134",
                    Place::new(outline.file, name.span),
                    format!(
                        "`skip` needs a step that binds, and `{}` is none",
                        name.name
                    ),
                    "no such step",
                )
                .help_maybe(near)
                .help(format!("name one of {}", either(known, 12)));
            None
        }
    };
    match &skip.kind {
        SkipKind::PastMatch => AfterMatch::PastMatch,
        SkipKind::None => AfterMatch::None,
        SkipKind::ToNext => AfterMatch::ToNext,
        SkipKind::To(name) => target(name).map_or(AfterMatch::ToNext, AfterMatch::To),
        SkipKind::ToLast(name) => target(name).map_or(AfterMatch::ToNext, AfterMatch::ToLast),
    }
}

/// `limit N per D by …`
pub(super) fn limit(
    catalog: &Catalog,
    report: &mut Report,
    outline: &Outline<'_>,
    limit: &ast::Limit,
) -> Limit {
    let site = Site::Outcome {
        outline,
        clause: Clause::Limit,
        each: &[],
    };
    let mut by = Vec::with_capacity(limit.by.len());
    for expr in &limit.by {
        let typed = Checker::new(catalog, outline.file, site, report).expression(expr);
        if typed.ty == ty::LIST {
            report
                .add(
                    "E137",
                    Place::new(outline.file, expr.span),
                    "matches cannot be told apart by a list",
                    "this is a list",
                )
                .help("use one of its values: `first(x.field)`, `last(x.field)`");
        }
        by.push(typed.expr);
    }
    if limit.per.value.0 <= 0 {
        positive(
            report,
            Place::new(outline.file, limit.per.span),
            "the time of `limit`",
        );
    }
    Limit {
        count: count(
            report,
            Place::new(outline.file, limit.count.span),
            limit.count.value,
            "the number of `limit`",
        ),
        per: limit.per.value,
        by,
    }
}

/// `bound N evict …`
pub(super) fn bound(
    report: &mut Report,
    outline: &Outline<'_>,
    bound: Option<&ast::Bound>,
) -> Bound {
    match bound {
        None => Bound {
            count: BOUND_DEFAULT,
            evict: Evict::Oldest,
        },
        Some(bound) => Bound {
            count: count(
                report,
                Place::new(outline.file, bound.count.span),
                bound.count.value,
                "the number of `bound`",
            ),
            evict: bound.evict,
        },
    }
}

fn positive(report: &mut Report, place: Place, what: &str) {
    report
        .add(
            "E135",
            place,
            format!("{what} must be more than zero"),
            "zero",
        )
        .help("remove the clause if there is to be no limit");
}

fn count(report: &mut Report, place: Place, count: u64, what: &str) -> u32 {
    if count == 0 {
        positive(report, place, what);
    } else if count > COUNT_MAX {
        report
            .add(
                "E135",
                place,
                format!("{what} is {count}, more than the {COUNT_MAX} allowed"),
                "too large",
            )
            .help("remove the clause if there is to be no limit");
    }
    u32::try_from(count.min(COUNT_MAX)).unwrap_or(u32::MAX)
}

/// All outputs of a pattern.
pub(super) struct Outputs {
    pub emits: Vec<Emit>,
    pub timeout: Option<TimeoutEmit>,
}

/// An output with its fields, to be compared with other outputs of the stream.
struct Checked {
    fields: Vec<Expr>,
    types: Vec<(ast::Ident, Ty)>,
}

/// `emit` and `timeout`
pub(super) fn outputs(
    catalog: &mut Catalog,
    report: &mut Report,
    outline: &Outline<'_>,
    pattern: &ast::PatternDecl,
    body: &Sequence,
) -> Outputs {
    let mut outputs = Outputs {
        emits: Vec::new(),
        timeout: None,
    };
    let mut first_timeout: Option<Span> = None;
    let types = row_types(outline);
    for output in &pattern.outputs {
        let place = Place::new(outline.file, output.name.span);
        let (clause, each) = match output.kind {
            OutputKind::Emit => (Clause::Emit, &[][..]),
            OutputKind::EmitEach => (Clause::Emit, types.as_slice()),
            OutputKind::Timeout => (Clause::Timeout, &[][..]),
        };
        let site = Site::Outcome {
            outline,
            clause,
            each,
        };
        let checked = record(catalog, report, outline, site, &output.record);
        let Some(stream) = catalog.find_type(&output.name.name) else {
            continue;
        };
        stream::fields(catalog, report, place, stream, &checked.types);
        match output.kind {
            OutputKind::Emit | OutputKind::EmitEach => outputs.emits.push(Emit {
                stream,
                each: output.kind == OutputKind::EmitEach,
                fields: checked.fields,
            }),
            OutputKind::Timeout => {
                if let Some(first) = first_timeout {
                    report
                        .add("E131", place, "a pattern has one `timeout`", "a second one")
                        .also(Place::new(outline.file, first), "the first one")
                        .help("put the fields of both into one record");
                    continue;
                }
                first_timeout = Some(output.name.span);
                check_can_time_out(report, place, pattern, body);
                super::lint::timeout_reads(
                    report,
                    outline,
                    body,
                    place,
                    &output.record,
                    &checked.fields,
                );
                outputs.timeout = Some(TimeoutEmit {
                    stream,
                    fields: checked.fields,
                });
            }
        }
    }
    if !pattern.outputs.is_empty()
        && outputs.emits.is_empty()
        && pattern
            .outputs
            .iter()
            .all(|output| output.kind == OutputKind::Timeout)
    {
        report
            .add(
                "E130",
                Place::new(outline.file, pattern.name.span),
                format!("pattern `{}` emits nothing when it matches", outline.name),
                "no `emit`",
            )
            .help("add `emit name { … }`");
    }
    outputs
}

fn check_can_time_out(
    report: &mut Report,
    place: Place,
    pattern: &ast::PatternDecl,
    body: &Sequence,
) {
    if pattern.within.is_none() && !bounded::can_expire(body) {
        report
            .add(
                "E132",
                place,
                "nothing in this pattern can time out",
                "never gets a row",
            )
            .help("add `within 10m` after the last step, or a gap: `then within 10m …`");
    }
}

/// The event types that a row of `emit each` may be made of.
fn row_types(outline: &Outline<'_>) -> Vec<EventTypeId> {
    let mut types: Vec<EventTypeId> = Vec::new();
    for (_, step) in outline.positive() {
        if let Some(ty) = step.ty
            && !types.contains(&ty)
        {
            types.push(ty);
        }
    }
    types
}

fn record(
    catalog: &Catalog,
    report: &mut Report,
    outline: &Outline<'_>,
    site: Site<'_>,
    record: &ast::Record,
) -> Checked {
    let mut fields = Vec::with_capacity(record.fields.len());
    let mut types = Vec::with_capacity(record.fields.len());
    let mut known: HashMap<&str, Span> = HashMap::new();
    for (name, expr) in &record.fields {
        let place = Place::new(outline.file, name.span);
        if let Some(first) = known.insert(&name.name, name.span) {
            report
                .add(
                    "E066",
                    place,
                    format!("field `{}` is given twice", name.name),
                    "given again",
                )
                .also(Place::new(outline.file, first), "first given here")
                .help("rename or remove one of them");
            continue;
        }
        let mut checker = Checker::new(catalog, outline.file, site, report);
        let typed = match expr {
            Some(expr) => checker.expression(expr),
            None => checker.bare(&name.name, name.span),
        };
        if typed.ty == Ty::Null {
            report
                .add(
                    "E097",
                    Place::new(outline.file, typed.span),
                    format!("the type of field `{}` cannot be told from null", name.name),
                    "always null",
                )
                .help("leave the field out, or write a value");
        }
        let ty = match typed.ty {
            Ty::Null => Ty::Unknown,
            other => other.settled().map_or(Ty::Unknown, Ty::Is),
        };
        let expr = if typed.ty.is_definite() {
            typed.expr
        } else {
            Expr::Const(Value::Null)
        };
        fields.push(expr);
        types.push((name.clone(), ty));
    }
    if record.fields.len() > declare::FIELDS_MAX {
        declare::too_many(
            report,
            Place::new(outline.file, record.span),
            "fields",
            declare::FIELDS_MAX,
        );
    }
    Checked { fields, types }
}
