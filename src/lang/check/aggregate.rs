//! Aggregates and `prev`: what reads several events.

use super::expression::{Checker, Inside, Site, a};
use super::ty::{self, Ty, Typed};
use crate::event::{FieldType, Value};
use crate::lang::ast::{self, ExprKind};
use crate::lang::pattern::{Aggregate, AggregateFunction, BinaryOp, Expr, VariableId};
use crate::lang::span::Span;

/// Aggregates by name.
pub(super) const NAMES: [&str; 9] = [
    "first", "last", "count", "sum", "avg", "min", "max", "distinct", "collect",
];

fn function(name: &str) -> AggregateFunction {
    match name {
        "first" => AggregateFunction::First,
        "last" => AggregateFunction::Last,
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "avg" => AggregateFunction::Avg,
        "min" => AggregateFunction::Min,
        "max" => AggregateFunction::Max,
        "distinct" => AggregateFunction::Distinct,
        _ => AggregateFunction::Collect,
    }
}

impl<'a> Checker<'a, '_> {
    /// `sum(x.price * x.qty)`, `count(x)`, …
    pub(super) fn aggregate(
        &mut self,
        name: &ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Typed {
        let text = NAMES
            .into_iter()
            .find(|known| *known == name.name)
            .unwrap_or("collect");
        let usage = match text {
            "count" => "count(x)".to_owned(),
            _ => format!("{text}(x.field)"),
        };
        if !self.may_aggregate(text, span) || !self.has_count(&usage, arguments.len(), 1, 1, span) {
            return Typed::unknown(span);
        }
        let Some(argument) = arguments.first() else {
            return Typed::unknown(span);
        };
        if text == "count" {
            return self.count(argument, span);
        }
        if let ExprKind::Name(variable) = &argument.kind
            && self.names_only_events(variable)
        {
            let place = self.place(argument.span);
            self.report
                .add(
                    "E092",
                    place,
                    format!("`{text}` goes over values, and `{variable}` stands for events"),
                    "which field?",
                )
                .help(format!(
                    "write `{text}({variable}.field)`; only `count` takes the events themselves"
                ));
            return Typed::unknown(span);
        }
        self.inside = Some(Inside {
            function: text,
            variable: None,
        });
        let typed = self.expression(argument);
        let variable = self.inside.take().and_then(|inside| inside.variable);
        let (Some(variable), true) = (variable, typed.ty != Ty::Unknown) else {
            if typed.ty != Ty::Unknown {
                let place = self.place(argument.span);
                self.report
                    .add(
                        "E092",
                        place,
                        format!("`{text}` needs a field of the events it goes over"),
                        "no event is read here",
                    )
                    .help(format!("write `{text}(x.field)` where `x` names a step"));
            }
            return Typed::unknown(span);
        };
        let Some(outline) = self.outline() else {
            return Typed::unknown(span);
        };
        if !self.may_be_counted(outline, variable, span) {
            return Typed::unknown(span);
        }
        let function = function(text);
        let Some(result) = self.result(function, text, &typed) else {
            return Typed::unknown(span);
        };
        let argument_type = typed.ty.settled().unwrap_or(FieldType::Int);
        let expr = Expr::Aggregate(Aggregate {
            function,
            variable,
            argument: Box::new(typed.expr),
            argument_type,
            includes_tested: self.includes_tested(variable),
        });
        Typed::new(expr, result, span)
    }

    /// False, with an error, where no events are known.
    fn may_aggregate(&mut self, name: &str, span: Span) -> bool {
        let place = self.place(span);
        if let Some(inside) = self.inside {
            self.report
                .add("E092", place, format!("`{name}` cannot stand inside `{}`", inside.function), "inside another")
                .help("an aggregate goes over the fields of events; combine aggregates outside of each other");
            return false;
        }
        if self.outline().is_none() {
            self.report
                .add(
                    "E093",
                    place,
                    format!("`{name}` goes over bound events, and there are none here"),
                    "not here",
                )
                .help("aggregate where the function is called, and give it the result");
            return false;
        }
        true
    }

    /// True if the name means events and no value: `count` is the only one to take it.
    fn names_only_events(&self, name: &str) -> bool {
        let Some(outline) = self.outline() else {
            return false;
        };
        let is_field = self
            .subject(outline)
            .and_then(|variable| outline.variable(variable).ty)
            .is_some_and(|ty| self.catalog.ty(ty).fields.find(name).is_some());
        !is_field && matches!(outline.refer(name), super::outline::Reference::Variable(_))
    }

    fn count(&mut self, argument: &ast::Expr, span: Span) -> Typed {
        let ExprKind::Name(name) = &argument.kind else {
            let place = self.place(argument.span);
            self.report
                .add("E092", place, "`count` counts events, not values", "not a variable")
                .help("write `count(x)` where `x` names a step; `distinct(x.field)` counts different values");
            return Typed {
                ty: ty::INT,
                ..Typed::unknown(span)
            };
        };
        let unknown = Typed {
            ty: ty::INT,
            ..Typed::unknown(span)
        };
        let Some(variable) = self.variable(name, argument.span) else {
            return unknown;
        };
        let Some(outline) = self.outline() else {
            return unknown;
        };
        if !self.may_be_counted(outline, variable, span) {
            return unknown;
        }
        let expr = Expr::Aggregate(Aggregate {
            function: AggregateFunction::Count,
            variable,
            argument: Box::new(Expr::Const(Value::Null)),
            argument_type: FieldType::Int,
            includes_tested: self.includes_tested(variable),
        });
        Typed::new(expr, ty::INT, span)
    }

    fn includes_tested(&self, variable: VariableId) -> bool {
        match self.site {
            Site::Condition { outline, tested } => outline.variable(variable).steps.has(tested),
            _ => false,
        }
    }

    fn result(&mut self, function: AggregateFunction, name: &str, argument: &Typed) -> Option<Ty> {
        let ty = argument.ty;
        let wants = match function {
            AggregateFunction::Count | AggregateFunction::Distinct => return Some(ty::INT),
            AggregateFunction::Collect => return Some(ty::LIST),
            AggregateFunction::First | AggregateFunction::Last => return Some(ty),
            AggregateFunction::Sum | AggregateFunction::Avg if ty.is_numeric() => {
                let averaged = function == AggregateFunction::Avg && ty != ty::FLOAT;
                return Some(if averaged { ty::DECIMAL } else { ty });
            }
            AggregateFunction::Min | AggregateFunction::Max
                if !matches!(ty, ty::BOOL | ty::LIST) =>
            {
                return Some(ty);
            }
            AggregateFunction::Sum | AggregateFunction::Avg => "numbers",
            AggregateFunction::Min | AggregateFunction::Max => "values that have an order",
        };
        let place = self.place(argument.span);
        let draft = self.report.add(
            "E084",
            place,
            format!("`{name}` wants {wants}, not {}", a(ty)),
            format!("this is {}", a(ty)),
        );
        if ty == ty::DURATION {
            draft.help(format!("go over numbers: `{name}(seconds(…))`"));
        } else {
            draft
                .help("`count`, `distinct`, `first`, `last` and `collect` take values of any type");
        }
        None
    }

    /// `prev(f)`, `prev(f, default)`
    pub(super) fn prev(&mut self, name: &ast::Ident, arguments: &[ast::Expr], span: Span) -> Typed {
        if !self.may_aggregate("prev", span)
            || !self.has_count(
                "prev(field) or prev(field, default)",
                arguments.len(),
                1,
                2,
                span,
            )
        {
            return Typed::unknown(span);
        }
        let place = self.place(name.span);
        let current = match self.site {
            Site::Condition { outline, tested } => outline.step(tested).variable,
            _ => None,
        };
        let (Some(variable), Some(argument)) = (current, arguments.first()) else {
            self.report
                .add("E093", place, "`prev` reads the event bound before the one being tested, and none is being tested for a step here", "not here")
                .help("use `prev` in the `where` of a repeated step; elsewhere write `last(x.field)` or `first(x.field)`");
            return Typed::unknown(span);
        };
        self.inside = Some(Inside {
            function: "prev",
            variable: Some(variable),
        });
        let read = self.expression(argument);
        self.inside = None;
        let before = Typed {
            expr: Expr::Prev(variable, Box::new(read.expr)),
            ty: read.ty,
            span: read.span,
        };
        if read.ty == Ty::Unknown {
            return Typed::unknown(span);
        }
        match arguments.get(1) {
            None => Typed { span, ..before },
            Some(default) => {
                let default = self.expression(default);
                self.binary(BinaryOp::Coalesce, before, default, span)
            }
        }
    }
}
