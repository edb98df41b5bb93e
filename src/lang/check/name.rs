//! What names in expressions stand for.

use super::expression::{Checker, Clause, Inside, Site};
use super::outline::{Outline, Reference};
use super::report::{either, listed};
use super::ty::{Ty, Typed};
use crate::event::{EventTypeId, FieldId};
use crate::lang::pattern::{Expr, VariableId};
use crate::lang::span::Span;

impl<'a> Checker<'a, '_> {
    /// A name without a dot.
    pub(super) fn bare(&mut self, name: &str, span: Span) -> Typed {
        if let Some(inside) = self.inside {
            return self.bare_inside(inside, name, span);
        }
        match self.site {
            Site::Constant => self
                .param(name, span)
                .unwrap_or_else(|| self.unknown_name(name, span, &[])),
            Site::Function(args) => {
                if let Some(at) = args.iter().position(|(arg, _)| arg == name) {
                    let id = FieldId(u16::try_from(at).unwrap_or(u16::MAX));
                    return Typed::new(Expr::Field(id), args[at].1, span);
                }
                self.param(name, span).unwrap_or_else(|| {
                    let known: Vec<&str> = args.iter().map(|(arg, _)| arg.as_str()).collect();
                    self.unknown_name(name, span, &known)
                })
            }
            Site::Condition { outline, tested } => {
                let ty = outline.step(tested).ty;
                if let Some(found) = self.field_of(ty, name, span) {
                    return found;
                }
                self.whole(outline, name, span)
                    .unwrap_or_else(|| self.not_in_condition(outline, ty, name, span))
            }
            Site::Outcome {
                outline,
                clause,
                each,
            } => {
                let row = if each.is_empty() {
                    None
                } else {
                    self.each_field(each, name, span)
                };
                row.or_else(|| self.whole(outline, name, span))
                    .or_else(|| self.sole_field(outline, each, name, span))
                    .unwrap_or_else(|| self.not_in_outcome(outline, clause, each, name, span))
            }
        }
    }

    /// Part of the key or param: what is known everywhere in a pattern.
    fn whole(&mut self, outline: &Outline<'_>, name: &str, span: Span) -> Option<Typed> {
        match outline.key_part(name) {
            Some(at) => Some(Typed::new(Expr::Key(at), outline.key[at].ty, span)),
            None => self.param(name, span),
        }
    }

    fn param(&mut self, name: &str, span: Span) -> Option<Typed> {
        let param = self.catalog.file(self.file).params.get(name)?;
        param.used.set(true);
        self.params_read = true;
        Some(Typed::new(Expr::Const(param.value.clone()), param.ty, span))
    }

    fn field_of(&self, ty: Option<EventTypeId>, name: &str, span: Span) -> Option<Typed> {
        let fields = &self.catalog.ty(ty?).fields;
        let id = fields.find(name)?;
        Some(Typed::new(Expr::Field(id), fields.get(id).ty, span))
    }

    /// In `emit each`: the field of the row's event, for each type that has it.
    fn each_field(&mut self, each: &[EventTypeId], name: &str, span: Span) -> Option<Typed> {
        let mut having: Vec<(EventTypeId, FieldId)> = Vec::new();
        let mut ty = Ty::Null;
        for id in each {
            let entry = self.catalog.ty(*id);
            let Some(field) = entry.fields.find(name) else {
                continue;
            };
            let other = entry.fields.get(field).ty;
            if !ty.is_definite() {
                ty = other;
            } else if other.is_definite() && other != ty {
                let first = self.catalog.ty(having[0].0);
                let place = self.place(span);
                self.report
                    .add(
                        "E091",
                        place,
                        format!(
                            "field `{name}` is {ty} in `{}` and {other} in `{}`",
                            first.name, entry.name
                        ),
                        "a row has one type",
                    )
                    .help("declare both fields with the same type, or emit them under two names");
                return Some(Typed::unknown(span));
            }
            having.push((*id, field));
        }
        match having.as_slice() {
            [] => None,
            [(_, field)] if each.len() == 1 => Some(Typed::new(Expr::Field(*field), ty, span)),
            _ => Some(Typed::new(Expr::EachField(having), ty, span)),
        }
    }

    /// In a pattern with one positive step: the field of its last event.
    fn sole_field(
        &mut self,
        outline: &Outline<'_>,
        each: &[EventTypeId],
        name: &str,
        span: Span,
    ) -> Option<Typed> {
        if !each.is_empty() {
            return None;
        }
        let variable = outline.sole()?;
        let ty = outline.variable(variable).ty?;
        let fields = &self.catalog.ty(ty).fields;
        let id = fields.find(name)?;
        Some(Typed::new(
            Expr::Bound(variable, id),
            fields.get(id).ty,
            span,
        ))
    }

    fn not_in_condition(
        &mut self,
        outline: &Outline<'_>,
        ty: Option<EventTypeId>,
        name: &str,
        span: Span,
    ) -> Typed {
        let catalog = self.catalog;
        let Some(ty) = ty.map(|id| catalog.ty(id)) else {
            return Typed::unknown(span);
        };
        if ty.is_vague() {
            return Typed::unknown(span);
        }
        if outline.refer(name) != Reference::Nothing {
            return self.events_not_value(name, span);
        }
        let keys = outline.key.iter().map(|part| part.name.as_str());
        let known: Vec<&str> = ty.fields.names().chain(keys).collect();
        let near = self.near(name, &known);
        let holder = outline
            .referable()
            .filter(|other| self.has_field(outline, other, name))
            .min();
        let place = self.place(span);
        let draft = self
            .report
            .add(
                "E057",
                place,
                format!("event `{}` has no field `{name}`", ty.name),
                "unknown name",
            )
            .help_maybe(near)
            .help_maybe(holder.map(|other| format!("`{other}` has one: write `{other}.{name}`")));
        draft.help(format!(
            "`{}` has the fields {}",
            ty.name,
            listed(ty.fields.names(), 12)
        ));
        Typed::unknown(span)
    }

    fn not_in_outcome(
        &mut self,
        outline: &Outline<'_>,
        clause: Clause,
        each: &[EventTypeId],
        name: &str,
        span: Span,
    ) -> Typed {
        let vague = |variable: &super::outline::VariableOutline| match variable.ty {
            None => true,
            Some(ty) => self.catalog.ty(ty).is_vague(),
        };
        if (outline.sole().is_some() || !each.is_empty()) && outline.variables.iter().any(vague) {
            return Typed::unknown(span);
        }
        if outline.refer(name) != Reference::Nothing {
            return self.events_not_value(name, span);
        }
        let place = self.place(span);
        let mut holders: Vec<&str> = outline
            .referable()
            .filter(|other| self.has_field(outline, other, name))
            .collect();
        holders.sort_unstable();
        if let Some(holder) = holders.first()
            && outline.sole().is_none()
            && each.is_empty()
        {
            let ways: Vec<String> = holders
                .iter()
                .map(|holder| format!("{holder}.{name}"))
                .collect();
            let ways = either(ways.iter().map(String::as_str), 5);
            let message = match clause {
                Clause::Having => "no event is being tested in `having`",
                Clause::Limit => "no event is being tested in `limit`",
                Clause::Emit => "no event is being tested in `emit`",
                Clause::Timeout => "no event is being tested in `timeout`",
            };
            self.report
                .add("E065", place, message, format!("`{name}` of which event?"))
                .help(format!("write {ways}, or make `{name}` part of the key"))
                .help(format!(
                    "for a value over all events write an aggregate: `max({holder}.{name})`"
                ));
            return Typed::unknown(span);
        }
        let keys = outline.key.iter().map(|part| part.name.as_str());
        let sole = outline
            .sole()
            .and_then(|variable| outline.variable(variable).ty);
        let types: Vec<EventTypeId> = sole.into_iter().chain(each.iter().copied()).collect();
        let fields = types
            .iter()
            .flat_map(|ty| self.catalog.ty(*ty).fields.names());
        let known: Vec<&str> = keys.chain(fields).collect();
        self.unknown_name(name, span, &known)
    }

    fn has_field(&self, outline: &Outline<'_>, variable: &str, field: &str) -> bool {
        let Reference::Variable(id) = outline.refer(variable) else {
            return false;
        };
        let ty = outline.variable(id).ty;
        ty.is_some_and(|ty| self.catalog.ty(ty).fields.find(field).is_some())
    }

    fn events_not_value(&mut self, name: &str, span: Span) -> Typed {
        let place = self.place(span);
        self.report
            .add(
                "E059",
                place,
                format!("`{name}` stands for events, not for a value"),
                "which field?",
            )
            .help(format!(
                "write `{name}.` and a field, or an aggregate such as `count({name})`"
            ));
        Typed::unknown(span)
    }

    fn near(&mut self, name: &str, known: &[&str]) -> Option<String> {
        let catalog = self.catalog;
        let params = catalog.file(self.file).params.keys().map(String::as_str);
        let all: Vec<&str> = known.iter().copied().chain(params).collect();
        self.report.suggestion(name, all)
    }

    fn unknown_name(&mut self, name: &str, span: Span, known: &[&str]) -> Typed {
        let near = self.near(name, known);
        let place = self.place(span);
        let what = match self.site {
            Site::Constant => "only params declared above are known here",
            Site::Function(_) => "a function sees its arguments and the params of the file",
            _ => "known here are parts of the key, params, and fields of variables as `x.field`",
        };
        self.report
            .add(
                "E057",
                place,
                format!("unknown name `{name}`"),
                "not declared",
            )
            .help_maybe(near)
            .help(what);
        Typed::unknown(span)
    }

    fn bare_inside(&mut self, inside: Inside<'a>, name: &str, span: Span) -> Typed {
        let Some(outline) = self.outline() else {
            return self.unknown_name(name, span, &[]);
        };
        let subject = inside.variable.or_else(|| self.subject(outline));
        let ty = subject.and_then(|variable| outline.variable(variable).ty);
        if let Some(found) = self.field_of(ty, name, span) {
            if let Some(variable) = subject {
                self.join_inside(variable, span);
            }
            return found;
        }
        if let Some(found) = self.whole(outline, name, span) {
            return found;
        }
        if ty.is_some_and(|ty| self.catalog.ty(ty).is_vague()) {
            return Typed::unknown(span);
        }
        let place = self.place(span);
        let mut holders: Vec<&str> = outline
            .referable()
            .filter(|other| self.has_field(outline, other, name))
            .collect();
        holders.sort_unstable();
        if holders.is_empty() {
            let fields: Vec<&str> =
                ty.map_or_else(Vec::new, |ty| self.catalog.ty(ty).fields.names().collect());
            return self.unknown_name(name, span, &fields);
        }
        let ways: Vec<String> = holders
            .iter()
            .map(|holder| format!("{}({holder}.{name})", inside.function))
            .collect();
        self.report
            .add(
                "E092",
                place,
                format!(
                    "`{}` does not know whose `{name}` is meant",
                    inside.function
                ),
                "of which events?",
            )
            .help(format!(
                "write {}",
                either(ways.iter().map(String::as_str), 5)
            ));
        Typed::unknown(span)
    }

    /// The variable that a bare field inside an aggregate is of.
    pub(super) fn subject(&self, outline: &Outline<'_>) -> Option<VariableId> {
        match self.site {
            Site::Condition { tested, .. } => outline.step(tested).variable,
            _ => outline.sole(),
        }
    }

    /// Notes that the inside of an aggregate reads a variable: it may read only one.
    pub(super) fn join_inside(&mut self, variable: VariableId, span: Span) -> bool {
        let Some(mut inside) = self.inside else {
            return true;
        };
        match inside.variable {
            None => {
                inside.variable = Some(variable);
                self.inside = Some(inside);
                true
            }
            Some(first) if first == variable => true,
            Some(first) => {
                let names = self.outline().map(|outline| {
                    (
                        outline.variable(first).name.clone(),
                        outline.variable(variable).name.clone(),
                    )
                });
                let (first, second) = names.unwrap_or_default();
                let place = self.place(span);
                let message = if inside.function == "prev" {
                    format!("`prev` reads the current step `{first}`, not `{second}`")
                } else {
                    format!(
                        "`{}` goes over the events of `{first}`, not of `{second}` too",
                        inside.function
                    )
                };
                self.report
                    .add("E092", place, message, "another variable")
                    .help(format!(
                        "read `{second}` outside of `{}(…)`",
                        inside.function
                    ));
                false
            }
        }
    }
}
