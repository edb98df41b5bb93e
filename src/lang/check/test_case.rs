//! Tests: what happens on the virtual clock, and which rows are expected of it.

use std::collections::{HashMap, HashSet};

use super::catalog::{Catalog, Fields, Origin};
use super::expression::{Checker, Site};
use super::report::{Place, Report, listed};
use super::ty::{self, Ty};
use crate::event::{Event, EventTypeId, FieldId, Position, Value};
use crate::lang::ast::{self, TestDecl, TestRow};
use crate::lang::pattern::{Expected, Expr, PatternId, TEST_EPOCH, TableId, Test};
use crate::lang::span::{FileId, Span};

/// What a file's tests are about.
pub(super) struct Subject<'a> {
    pub file: FileId,
    /// The file's patterns, by number; all patterns of the run when the file has none.
    pub patterns: &'a [PatternId],
    /// The streams that they emit.
    pub streams: &'a HashSet<&'a str>,
}

/// Checks one test.
pub(super) fn check(
    catalog: &Catalog,
    report: &mut Report,
    subject: &Subject<'_>,
    decl: &TestDecl,
) -> Test {
    let mut rows = Rows {
        catalog,
        report,
        subject,
    };
    let mut test = Test {
        name: decl.name.value.clone(),
        file: subject.file,
        span: decl.span,
        patterns: subject.patterns.to_vec(),
        given: Vec::with_capacity(decl.given.len()),
        rows: Vec::new(),
        expect: Vec::with_capacity(decl.expect.len()),
    };
    for row in &decl.given {
        match rows.given(row, test.given.len()) {
            Some(Given::Event(event)) => test.given.push(event),
            Some(Given::Row(table, values)) => test.rows.push((table, values)),
            None => {}
        }
    }
    test.expect
        .extend(decl.expect.iter().filter_map(|row| rows.expected(row)));
    if subject.patterns.is_empty() {
        report
            .add(
                "E145",
                Place::new(subject.file, decl.name.span),
                "this test has nothing to test",
                "no pattern in any file",
            )
            .help("give the file with the pattern that it is about, too");
    }
    test
}

enum Given {
    Event(Event),
    Row(TableId, Vec<Value>),
}

struct Rows<'a, 'r> {
    catalog: &'a Catalog,
    report: &'r mut Report,
    subject: &'a Subject<'a>,
}

impl<'a> Rows<'a, '_> {
    fn place(&self, span: Span) -> Place {
        Place::new(self.subject.file, span)
    }

    fn given(&mut self, row: &TestRow, arrived: usize) -> Option<Given> {
        let catalog = self.catalog;
        let place = self.place(row.name.span);
        let name = &row.name.name;
        if let Some(id) = catalog.file(self.subject.file).tables.get(name) {
            let table = catalog.table(*id);
            let values = self.values(row, &table.fields, None, "column");
            return Some(Given::Row(*id, values));
        }
        let Some(id) = catalog.find_type(name) else {
            let events = catalog
                .types
                .iter()
                .filter(|ty| !ty.is_stream())
                .map(|ty| ty.name.as_str());
            let tables = catalog
                .file(self.subject.file)
                .tables
                .keys()
                .map(String::as_str);
            let near = self.report.suggestion(name, events.chain(tables));
            self.report
                .add(
                    "E140",
                    place,
                    format!("there is no event and no table `{name}`"),
                    "cannot be given",
                )
                .help_maybe(near)
                .help("given are events that are declared, and rows of tables of this file");
            self.unchecked(row);
            return None;
        };
        let entry = catalog.ty(id);
        if entry.origin != Origin::Declared {
            self.report
                .add(
                    "E140",
                    place,
                    format!("`{name}` is emitted by a pattern, so it cannot be given"),
                    "a stream",
                )
                .also(entry.place, "emitted here")
                .help("give the events from which the pattern makes it");
            self.unchecked(row);
            return None;
        }
        let mut values = self.values(row, &entry.fields, entry.time, "field");
        let time = TEST_EPOCH.plus(row.at.value);
        if let Some(at) = entry.time
            && let Some(slot) = values.get_mut(usize::from(at.0))
        {
            *slot = Value::Timestamp(time);
        }
        Some(Given::Event(Event {
            ty: id,
            time,
            position: Position {
                source: 0,
                partition: 0,
                offset: arrived as u64,
            },
            values: values.into(),
        }))
    }

    /// Looks at the expressions of a row whose name means nothing.
    fn unchecked(&mut self, row: &TestRow) {
        for (_, expr) in &row.record.fields {
            if let Some(expr) = expr {
                Checker::new(self.catalog, self.subject.file, Site::Constant, self.report)
                    .expression(expr);
            }
        }
    }

    /// A value for every field; those left out are null if they may be.
    fn values(
        &mut self,
        row: &TestRow,
        fields: &Fields,
        time: Option<FieldId>,
        what: &str,
    ) -> Vec<Value> {
        let mut values = vec![Value::Null; fields.list.len()];
        let given = self.fields(row, fields, time, what, Nulls::Optional);
        let mut set = vec![false; fields.list.len()];
        for (id, value) in given {
            set[usize::from(id.0)] = true;
            values[usize::from(id.0)] = value.unwrap_or_default();
        }
        let missing: Vec<&str> = fields
            .list
            .iter()
            .enumerate()
            .filter(|(at, field)| {
                !set[*at] && !field.optional && time.is_none_or(|time| usize::from(time.0) != *at)
            })
            .map(|(_, field)| field.name.as_str())
            .collect();
        if !missing.is_empty() {
            let place = self.place(row.span);
            self.report
                .add(
                    "E141",
                    place,
                    format!(
                        "this `{}` has no value for {}",
                        row.name.name,
                        listed(missing.iter().copied(), 8)
                    ),
                    "incomplete",
                )
                .help(format!("give every {what} that is not declared with `?`"));
        }
        values
    }

    /// The fields that a row names, each with its value unless that is mistaken.
    fn fields(
        &mut self,
        row: &TestRow,
        fields: &Fields,
        time: Option<FieldId>,
        what: &str,
        nulls: Nulls,
    ) -> Vec<(FieldId, Option<Value>)> {
        let mut found: Vec<(FieldId, Option<Value>)> = Vec::with_capacity(row.record.fields.len());
        let mut seen: HashMap<FieldId, Span> = HashMap::new();
        for (name, expr) in &row.record.fields {
            let place = self.place(name.span);
            let Some(id) = fields.find(&name.name) else {
                let near = self.report.suggestion(&name.name, fields.names());
                self.report
                    .add(
                        "E143",
                        place,
                        format!("`{}` has no {what} `{}`", row.name.name, name.name),
                        format!("unknown {what}"),
                    )
                    .help_maybe(near)
                    .help(format!("it has {}", listed(fields.names(), 12)));
                continue;
            };
            if let Some(first) = seen.insert(id, name.span) {
                let first = self.place(first);
                self.report
                    .add(
                        "E066",
                        place,
                        format!("field `{}` is given twice", name.name),
                        "given again",
                    )
                    .also(first, "first given here")
                    .help("remove one of them");
                continue;
            }
            if time == Some(id) {
                self.report
                    .add(
                        "E142",
                        place,
                        format!(
                            "the time of an event in a test is its offset, {} here",
                            row.at.value
                        ),
                        format!("`{}` follows from it", name.name),
                    )
                    .help(format!("remove `{}`", name.name));
                continue;
            }
            let field = fields.get(id);
            let value = match expr {
                Some(expr) => self.value(
                    expr,
                    field.ty,
                    &name.name,
                    nulls == Nulls::Always || field.optional,
                ),
                None => {
                    self.report
                        .add(
                            "E144",
                            place,
                            format!("field `{}` needs a value", name.name),
                            "no value",
                        )
                        .help(format!("write `{}: …`", name.name));
                    None
                }
            };
            found.push((id, value));
        }
        found
    }

    fn value(&mut self, expr: &ast::Expr, wanted: Ty, name: &str, nullable: bool) -> Option<Value> {
        let mut checker =
            Checker::new(self.catalog, self.subject.file, Site::Constant, self.report);
        let typed = checker.expression(expr);
        if typed.ty == Ty::Unknown || wanted == Ty::Unknown {
            return None;
        }
        let (found, span) = (typed.ty, typed.span);
        let place = self.place(span);
        if found == Ty::Null {
            if !nullable {
                self.report
                    .add(
                        "E144",
                        place,
                        format!("field `{name}` cannot be null"),
                        "null",
                    )
                    .help("give a value, or declare the field with `?`");
                return None;
            }
            return Some(Value::Null);
        }
        // On the clock of a test a point in time may be written as its offset.
        if let (ty::TIMESTAMP, Expr::Const(Value::Duration(offset))) = (wanted, &typed.expr) {
            return Some(Value::Timestamp(TEST_EPOCH.plus(*offset)));
        }
        match typed.fit(wanted) {
            Some(Expr::Const(value)) => Some(value),
            _ => {
                let draft = self.report.add(
                    "E144",
                    place,
                    format!("field `{name}` is of type {wanted}, not {found}"),
                    format!("this is {}", super::expression::a(found)),
                );
                if wanted == ty::TIMESTAMP {
                    draft.help("write the offset on the clock of the test, `30s`, or RFC 3339 text, \"2024-01-31T12:00:00Z\"");
                } else {
                    let example = super::constant::example(wanted);
                    let wanted = super::expression::a(wanted);
                    draft.help(format!("write {wanted}, such as {example}"));
                }
                None
            }
        }
    }

    fn expected(&mut self, row: &TestRow) -> Option<Expected> {
        let catalog = self.catalog;
        let place = self.place(row.name.span);
        let name = row.name.name.as_str();
        let Some(id) = self.stream(name) else {
            let mut known: Vec<&str> = self.subject.streams.iter().copied().collect();
            known.sort_unstable();
            let near = self.report.suggestion(name, known.iter().copied());
            self.report
                .add(
                    "E140",
                    place,
                    format!("no pattern that is tested here emits `{name}`"),
                    "cannot be expected",
                )
                .help_maybe(near)
                .help(format!("expected are rows of {}", listed(known, 12)));
            self.unchecked(row);
            return None;
        };
        let entry = catalog.ty(id);
        if entry.is_vague() {
            self.unchecked(row);
            return None;
        }
        let fields = self.fields(row, &entry.fields, None, "field", Nulls::Always);
        Some(Expected {
            at: TEST_EPOCH.plus(row.at.value),
            stream: id,
            fields: fields
                .into_iter()
                .filter_map(|(id, value)| Some((id, value?)))
                .collect(),
            span: row.span,
        })
    }

    fn stream(&self, name: &str) -> Option<EventTypeId> {
        let id = self.catalog.find_type(name)?;
        (self.subject.streams.contains(name) && self.catalog.ty(id).is_stream()).then_some(id)
    }
}

/// Which fields may be null.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nulls {
    /// Those declared with `?`.
    Optional,
    /// All: a row that is expected may have no value anywhere.
    Always,
}
