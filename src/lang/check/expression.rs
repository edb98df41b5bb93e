//! From expressions as written to checked ones with a type.
//!
//! Types are found from the leaves up; only literals adapt to what surrounds them. A mistake is reported where it
//! is and makes the type unknown, about which nothing more is said.

use std::sync::Arc;

use super::catalog::Catalog;
use super::outline::Outline;
use super::report::{Place, Report};
use super::ty::{self, Ty, Typed};
use crate::event::{EventTypeId, Value};
use crate::lang::ast::{self, BinaryOp, ExprKind};
use crate::lang::pattern::{Expr, StepId, VariableId};
use crate::lang::span::{FileId, Span};
use rust_decimal::Decimal;

/// Where an expression stands: which names mean something there.
#[derive(Clone, Copy)]
pub(super) enum Site<'a> {
    /// The value of a param, a row of a test: no event anywhere.
    Constant,
    /// The body of a function: its arguments.
    Function(&'a [(String, Ty)]),
    /// `where`: an event is being tested.
    Condition {
        outline: &'a Outline<'a>,
        tested: StepId,
    },
    /// `having` and all that follows it: speaks of the whole.
    Outcome {
        outline: &'a Outline<'a>,
        clause: Clause,
        /// In `emit each`, the event types that a row may be made of.
        each: &'a [EventTypeId],
    },
}

/// Which clause an outcome is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    Having,
    Limit,
    Emit,
    Timeout,
}

/// The inside of an aggregate or of `prev`.
#[derive(Clone, Copy)]
pub(super) struct Inside<'n> {
    /// The function's name.
    pub function: &'n str,
    /// The variable that fields are of: the first one named, or given from the start.
    pub variable: Option<VariableId>,
}

/// Checks the expressions of one place.
pub(super) struct Checker<'a, 'r> {
    pub catalog: &'a Catalog,
    pub file: FileId,
    pub site: Site<'a>,
    pub report: &'r mut Report,
    pub inside: Option<Inside<'a>>,
    /// True once a param was read: what it makes constant is no mistake.
    pub params_read: bool,
    /// True once the type of a part was not known: the whole says nothing certain.
    pub vague: bool,
}

impl<'a, 'r> Checker<'a, 'r> {
    pub fn new(catalog: &'a Catalog, file: FileId, site: Site<'a>, report: &'r mut Report) -> Self {
        Checker {
            catalog,
            file,
            site,
            report,
            inside: None,
            params_read: false,
            vague: false,
        }
    }

    pub fn place(&self, span: Span) -> Place {
        Place::new(self.file, span)
    }

    /// The outline of the pattern, if the place is in one.
    pub fn outline(&self) -> Option<&'a Outline<'a>> {
        match self.site {
            Site::Condition { outline, .. } | Site::Outcome { outline, .. } => Some(outline),
            Site::Constant | Site::Function(_) => None,
        }
    }

    /// Checks an expression.
    pub fn expression(&mut self, expr: &ast::Expr) -> Typed {
        let typed = self.any(expr);
        self.vague |= typed.ty == Ty::Unknown;
        typed
    }

    fn any(&mut self, expr: &ast::Expr) -> Typed {
        let span = expr.span;
        let constant = |value, ty| Typed::new(Expr::Const(value), ty, span);
        match &expr.kind {
            ExprKind::Null => constant(Value::Null, Ty::Null),
            ExprKind::Bool(value) => constant(Value::Bool(*value), ty::BOOL),
            ExprKind::Int(value) => constant(Value::Int(*value), ty::INT),
            ExprKind::Number(digits) => self.number(digits, span),
            ExprKind::Text(text) => constant(Value::Str(text.as_str().into()), ty::STRING),
            ExprKind::Duration(value) => constant(Value::Duration(*value), ty::DURATION),
            ExprKind::List(elements) => self.misplaced_list(elements, span),
            ExprKind::Name(name) => self.bare(name, span),
            ExprKind::Field(base, field) => self.field(base, field, span),
            ExprKind::Index(base, key) => {
                self.expression(key);
                let name = match &base.kind {
                    ExprKind::Name(name) => name.as_str(),
                    _ => "Table",
                };
                self.report
                    .add(
                        "E078",
                        self_place(self.file, span),
                        "a row of a table is no value by itself",
                        "which column?",
                    )
                    .help(format!("name the column: `{name}[…].column`"));
                Typed::unknown(span)
            }
            ExprKind::Call(name, arguments) => self.call(name, arguments, span),
            ExprKind::Unary(op, operand) => self.unary(*op, operand, span),
            ExprKind::Binary(op @ (BinaryOp::In | BinaryOp::NotIn), needle, list) => {
                self.membership(*op, needle, list, span)
            }
            ExprKind::Binary(op, left, right) => {
                let left = self.expression(left);
                let right = self.expression(right);
                self.binary(*op, left, right, span)
            }
        }
    }

    /// Checks a condition: an expression of type bool.
    pub fn condition(&mut self, expr: &ast::Expr, what: &str) -> Option<Expr> {
        let typed = self.expression(expr);
        if matches!(typed.ty, ty::BOOL | Ty::Unknown | Ty::Null) {
            return Some(typed.expr);
        }
        let place = self.place(typed.span);
        self.report
            .add(
                "E083",
                place,
                format!("{what} must be true or false, not {}", a(typed.ty)),
                format!("this is {}", a(typed.ty)),
            )
            .help("compare it with something: `== …`, `> …`");
        None
    }

    /// The same expression as one of type `wanted`, or an error; `what` names where the value goes.
    pub fn expect(
        &mut self,
        typed: Typed,
        wanted: Ty,
        what: impl FnOnce() -> String,
    ) -> Option<Expr> {
        let (found, span) = (typed.ty, typed.span);
        let text = typed.literal_text().map(str::to_owned);
        if let Some(expr) = typed.fit(wanted) {
            return Some(expr);
        }
        let place = self.place(span);
        if wanted == ty::TIMESTAMP
            && let Some(text) = text
        {
            self.bad_timestamp(&text, span);
            return None;
        }
        let draft = self.report.add(
            "E091",
            place,
            format!("{} must be of type {wanted}, not {found}", what()),
            format!("this is {}", a(found)),
        );
        match (found, wanted) {
            (ty::DECIMAL | Ty::Number, ty::INT) => draft.help("int has no digits after the point; declare it as decimal, or round the number where it is made"),
            (ty::INT, ty::STRING) => draft.help("put quotes around it"),
            (ty::INT, ty::DURATION) => draft.help("a duration has a unit: `30s`, `10m`, `2h`"),
            (ty::DURATION, ty::INT) => draft.help("`seconds(…)`, `minutes(…)`, `hours(…)` and `days(…)` turn a duration into an int"),
            (ty::DECIMAL, ty::FLOAT) | (ty::FLOAT, ty::DECIMAL) => draft.help(MIXED),
            _ => draft.help(format!("give {}, such as {}",
                a(wanted),
                super::constant::example(wanted))),
        };
        None
    }

    /// The value of an expression that must be a constant of type `wanted`.
    pub fn constant_of(
        &mut self,
        expr: &ast::Expr,
        wanted: Ty,
        what: impl FnOnce() -> String,
    ) -> Option<Value> {
        let typed = self.expression(expr);
        if typed.ty == Ty::Unknown || wanted == Ty::Unknown {
            return None;
        }
        let span = typed.span;
        let what = what();
        if typed.ty == Ty::Null {
            let place = self.place(span);
            self.report.add(
                "E091",
                place,
                format!("{what} must be of type {wanted}, not null"),
                "has no value",
            );
            return None;
        }
        match self.expect(typed, wanted, || what.clone())? {
            Expr::Const(Value::Null) => {
                let place = self.place(span);
                self.report
                    .add(
                        "E095",
                        place,
                        format!("{what} has no value"),
                        "overflows or divides by zero",
                    )
                    .help("int holds 64 bits, decimal 28 digits, and nothing is divided by zero");
                None
            }
            Expr::Const(value) => Some(value),
            _ => {
                let place = self.place(span);
                self.report
                    .add(
                        "E096",
                        place,
                        format!("{what} must be a constant"),
                        "depends on reference data",
                    )
                    .help("use literals, and params declared above");
                None
            }
        }
    }

    /// Says that a text is no point in time.
    pub fn bad_timestamp(&mut self, text: &str, span: Span) {
        let place = self.place(span);
        self.report
            .add(
                "E098",
                place,
                format!("`{text}` is no point in time"),
                "compared with a timestamp",
            )
            .help("write it as RFC 3339 with an offset: \"2024-01-31T12:00:00Z\"");
    }

    fn number(&mut self, digits: &str, span: Span) -> Typed {
        match Decimal::from_str_exact(digits) {
            Ok(value) => Typed::new(Expr::Const(Value::Decimal(value)), Ty::Number, span),
            Err(_) => {
                let place = self.place(span);
                self.report
                    .add(
                        "E095",
                        place,
                        format!("the number {digits} has too many digits"),
                        "does not fit",
                    )
                    .help("a decimal has up to 28 digits");
                Typed::unknown(span)
            }
        }
    }

    fn misplaced_list(&mut self, elements: &[ast::Expr], span: Span) -> Typed {
        if matches!(self.site, Site::Constant) {
            return self.constant_list(elements, span);
        }
        for element in elements {
            self.expression(element);
        }
        let place = self.place(span);
        self.report
            .add(
                "E090",
                place,
                "a list stands only to the right of `in`",
                "not here",
            )
            .help("write `x in [a, b]`; to compare with one value use `==`");
        Typed::unknown(span)
    }

    /// A list in a test: what `collect` is expected to give.
    fn constant_list(&mut self, elements: &[ast::Expr], span: Span) -> Typed {
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            let typed = self.expression(element);
            if let Expr::Const(value) = typed.expr {
                values.push(value);
            }
        }
        Typed::new(Expr::Const(Value::List(Arc::from(values))), ty::LIST, span)
    }

    /// `a in [b, c]`
    fn membership(
        &mut self,
        op: BinaryOp,
        needle: &ast::Expr,
        list: &ast::Expr,
        span: Span,
    ) -> Typed {
        let needle = self.expression(needle);
        let ExprKind::List(elements) = &list.kind else {
            let right = self.expression(list);
            if right.ty != Ty::Unknown {
                let place = self.place(list.span);
                self.report
                    .add(
                        "E090",
                        place,
                        "`in` needs a list to its right",
                        format!("this is {}", a(right.ty)),
                    )
                    .help("write the values: `x in [a, b]`");
            }
            return Typed {
                ty: ty::BOOL,
                ..Typed::unknown(span)
            };
        };
        let needle_ty = needle.ty;
        let mut checked = Vec::with_capacity(elements.len());
        for element in elements {
            let element = self.expression(element);
            match element.ty.common(needle_ty) {
                Ok(Ty::Unknown) => {}
                Ok(common) => {
                    // Int with a decimal or float needle stays what it is: comparing them is exact enough.
                    let wanted = if element.ty == ty::INT {
                        ty::INT
                    } else {
                        common
                    };
                    checked.extend(element.fit(wanted));
                }
                Err(_) if needle_ty == ty::TIMESTAMP && element.literal_text().is_some() => {
                    let element_span = element.span;
                    let text = element.literal_text().unwrap_or_default().to_owned();
                    match element.fit(needle_ty) {
                        Some(expr) => checked.push(expr),
                        None => self.bad_timestamp(&text, element_span),
                    }
                }
                Err(clash) => {
                    let draft_place = self.place(element.span);
                    let needle_place = self.place(needle.span);
                    let draft = self
                        .report
                        .add(
                            if clash == ty::Clash::Inexact {
                                "E082"
                            } else {
                                "E081"
                            },
                            draft_place,
                            format!("a list for {} cannot hold {}", a(needle_ty), a(element.ty)),
                            format!("this is {}", a(element.ty)),
                        )
                        .also(needle_place, format!("this is {}", a(needle_ty)));
                    draft.help(match clash {
                        ty::Clash::Inexact => MIXED.to_owned(),
                        ty::Clash::Different => format!(
                            "list values of the same type, such as {}",
                            super::constant::example(needle_ty)
                        ),
                    });
                }
            }
        }
        let expr = Expr::In {
            needle: Box::new(needle.expr),
            list: checked,
            negated: op == BinaryOp::NotIn,
        };
        Typed::new(super::constant::folded(expr), ty::BOOL, span)
    }
}

/// How decimal and float get along.
pub(super) const MIXED: &str =
    "decimal is exact and float is not: declare both with the same type; int goes with either";

/// `an int`, `a string`
pub(super) fn a(ty: Ty) -> String {
    match ty {
        ty::INT => "an int".to_owned(),
        Ty::Null => "null".to_owned(),
        other => format!("a {other}"),
    }
}

fn self_place(file: FileId, span: Span) -> Place {
    Place::new(file, span)
}
