//! What stands before a dot: variables and rows of tables.

use super::catalog::TypeEntry;
use super::expression::{Checker, Site};
use super::outline::{Outline, Reference, StepSet};
use super::report::{Place, listed};
use super::ty::Typed;
use crate::lang::ast::{self, ExprKind};
use crate::lang::pattern::{Expr, StepId, VariableId};
use crate::lang::span::Span;

impl Checker<'_, '_> {
    /// `x.f`, `Table[k].f`
    pub(super) fn field(&mut self, base: &ast::Expr, field: &ast::Ident, span: Span) -> Typed {
        match &base.kind {
            ExprKind::Name(variable) => self.dotted(variable, base.span, field, span),
            ExprKind::Index(table, key) => self.lookup(table, key, field, span),
            _ => {
                self.expression(base);
                let place = self.place(base.span);
                self.report
                    .add(
                        "E059",
                        place,
                        "only variables and rows of tables have fields",
                        "has none",
                    )
                    .help("write `x.field` or `Table[key].column`");
                Typed::unknown(span)
            }
        }
    }

    /// The variable that a name stands for, if its events can be there; else an error.
    pub(super) fn variable(&mut self, name: &str, span: Span) -> Option<VariableId> {
        let place = self.place(span);
        let Some(outline) = self.outline() else {
            let message = format!("`{name}` means nothing here");
            self.report
                .add("E059", place, message, "no event here")
                .help("events are known in patterns only; give a function what it needs as an argument");
            return None;
        };
        match outline.refer(name) {
            Reference::Variable(id) => Some(id),
            Reference::Ambiguous => {
                self.report
                    .add(
                        "E060",
                        place,
                        format!("several steps wait for `{name}`"),
                        "which one?",
                    )
                    .help(format!(
                        "name the one that is meant, `x: {name}`, and write `x.`"
                    ));
                None
            }
            Reference::Negated => {
                self.report
                    .add(
                        "E059",
                        place,
                        format!("`{name}` must not happen, so there is no event to read"),
                        "never bound",
                    )
                    .help("read an event of a step without `not`");
                None
            }
            Reference::Nothing => {
                let mut known: Vec<&str> = outline.referable().collect();
                known.sort_unstable();
                let near = self.report.suggestion(name, known.iter().copied());
                self.report
                    .add(
                        "E059",
                        place,
                        format!("no step is named `{name}`"),
                        "unknown variable",
                    )
                    .help_maybe(near)
                    .help(format!(
                        "names of steps in this pattern: {}",
                        listed(known, 12)
                    ));
                None
            }
        }
    }

    fn dotted(&mut self, name: &str, name_span: Span, field: &ast::Ident, span: Span) -> Typed {
        let Some(variable) = self.variable(name, name_span) else {
            return Typed::unknown(span);
        };
        let Some(outline) = self.outline() else {
            return Typed::unknown(span);
        };
        let Some(ty) = outline.variable(variable).ty else {
            return Typed::unknown(span);
        };
        let entry = self.catalog.ty(ty);
        let Some(id) = entry.fields.find(&field.name) else {
            self.unknown_field(entry, field);
            return Typed::unknown(span);
        };
        let ty = entry.fields.get(id).ty;
        if self.inside.is_some() {
            return match self.join_inside(variable, name_span) {
                true => Typed::new(Expr::Field(id), ty, span),
                false => Typed::unknown(span),
            };
        }
        if !self.may_be_bound(outline, variable, field, span) {
            return Typed::unknown(span);
        }
        Typed::new(Expr::Bound(variable, id), ty, span)
    }

    pub(super) fn unknown_field(&mut self, entry: &TypeEntry, field: &ast::Ident) {
        if entry.is_vague() {
            return;
        }
        let near = self.report.suggestion(&field.name, entry.fields.names());
        let place = self.place(field.span);
        self.report
            .add(
                "E056",
                place,
                format!("event `{}` has no field `{}`", entry.name, field.name),
                "unknown field",
            )
            .also(entry.place, "declared here")
            .help_maybe(near)
            .help(format!(
                "its fields are {}",
                listed(entry.fields.names(), 12)
            ));
    }

    /// In a condition: whether the variable can have an event by the time of the test.
    fn may_be_bound(
        &mut self,
        outline: &Outline<'_>,
        variable: VariableId,
        field: &ast::Ident,
        span: Span,
    ) -> bool {
        let Site::Condition { tested, .. } = self.site else {
            return true;
        };
        let known = outline.variable(variable);
        let step = outline.step(tested);
        if step.bound_before.meets(known.steps) {
            return true;
        }
        let place = self.place(span);
        if known.steps.has(tested) {
            self.report
                .add(
                    "E064",
                    place,
                    format!("`{}` is the event being tested here", known.name),
                    "nothing bound to it before",
                )
                .help(format!("write `{}`", field.name));
            return false;
        }
        self.too_early(known.name.as_str(), known.place, place);
        false
    }

    fn too_early(&mut self, name: &str, declared: Place, place: Place) {
        self.report
            .add(
                "E064",
                place,
                format!("`{name}` cannot be bound yet when this is tested"),
                "read too early",
            )
            .also(declared, format!("`{name}` is bound here"))
            .help(format!(
                "move the condition to the step of `{name}`, or to `having`"
            ));
    }

    /// Like [`Self::may_be_bound`] for an aggregate, which counts the event being tested.
    pub(super) fn may_be_counted(
        &mut self,
        outline: &Outline<'_>,
        variable: VariableId,
        span: Span,
    ) -> bool {
        let Site::Condition { tested, .. } = self.site else {
            return true;
        };
        let known = outline.variable(variable);
        let before = outline.step(tested).bound_before.with(own(outline, tested));
        if before.meets(known.steps) {
            return true;
        }
        let place = self.place(span);
        self.too_early(known.name.as_str(), known.place, place);
        false
    }

    /// `Table[key].column`
    fn lookup(
        &mut self,
        table: &ast::Expr,
        key: &ast::Expr,
        column: &ast::Ident,
        span: Span,
    ) -> Typed {
        let key = self.expression(key);
        let ExprKind::Name(name) = &table.kind else {
            let place = self.place(table.span);
            self.report
                .add(
                    "E078",
                    place,
                    "only tables are looked up with `[…]`",
                    "no table",
                )
                .help("write `Table[key].column`");
            return Typed::unknown(span);
        };
        let catalog = self.catalog;
        let tables = &catalog.file(self.file).tables;
        let Some(id) = tables.get(name) else {
            let near = self
                .report
                .suggestion(name, tables.keys().map(String::as_str));
            let place = self.place(table.span);
            self.report
                .add(
                    "E078",
                    place,
                    format!("there is no table `{name}` in this file"),
                    "unknown table",
                )
                .help_maybe(near)
                .help(format!(
                    "declare it: `table {name} {{ id: string, … }} key id`"
                ));
            return Typed::unknown(span);
        };
        let entry = catalog.table(*id);
        entry.used.set(true);
        let key = match entry.key {
            Some(at) => {
                let wanted = entry.fields.get(at).ty;
                self.expect(key, wanted, || format!("the key of table `{name}`"))
            }
            None => Some(key.expr),
        };
        let Some(at) = entry.fields.find(&column.name) else {
            let near = self.report.suggestion(&column.name, entry.fields.names());
            let place = self.place(column.span);
            self.report
                .add(
                    "E078",
                    place,
                    format!("table `{name}` has no column `{}`", column.name),
                    "unknown column",
                )
                .also(entry.place, "declared here")
                .help_maybe(near)
                .help(format!(
                    "its columns are {}",
                    listed(entry.fields.names(), 12)
                ));
            return Typed::unknown(span);
        };
        let ty = entry.fields.get(at).ty;
        match key {
            Some(key) => Typed::new(Expr::Lookup(*id, Box::new(key), at), ty, span),
            None => Typed {
                ty,
                ..Typed::unknown(span)
            },
        }
    }
}

/// The step itself, if it binds.
fn own(outline: &Outline<'_>, tested: StepId) -> StepSet {
    match outline.step(tested).variable {
        Some(_) => StepSet::of(tested),
        None => StepSet::default(),
    }
}
