//! Types of operators.

use super::constant::folded;
use super::expression::{Checker, MIXED, a};
use super::ty::{self, Clash, Ty, Typed};
use crate::lang::ast;
use crate::lang::pattern::{BinaryOp, Expr, UnaryOp};
use crate::lang::span::Span;

impl Checker<'_, '_> {
    pub(super) fn unary(&mut self, op: UnaryOp, operand: &ast::Expr, span: Span) -> Typed {
        let operand = self.expression(operand);
        let fits = match op {
            UnaryOp::Not => operand.ty == ty::BOOL,
            UnaryOp::Neg => operand.ty.is_numeric() || operand.ty == ty::DURATION,
        };
        if fits || !operand.ty.is_definite() {
            let ty = if operand.ty == Ty::Null && op == UnaryOp::Not {
                ty::BOOL
            } else {
                operand.ty
            };
            return Typed::new(folded(Expr::Unary(op, Box::new(operand.expr))), ty, span);
        }
        let (word, wants) = match op {
            UnaryOp::Not => ("not", "true or false"),
            UnaryOp::Neg => ("-", "a number or a duration"),
        };
        let place = self.place(operand.span);
        self.report
            .add(
                "E080",
                place,
                format!("`{word}` wants {wants}, not {}", a(operand.ty)),
                format!("this is {}", a(operand.ty)),
            )
            .help(match op {
                UnaryOp::Not => "compare it with something: `== …`, `> …`",
                UnaryOp::Neg => "only numbers and durations have a sign",
            });
        Typed::unknown(span)
    }

    pub(super) fn binary(&mut self, op: BinaryOp, left: Typed, right: Typed, span: Span) -> Typed {
        match op {
            BinaryOp::And | BinaryOp::Or => self.logic(op, left, right, span),
            BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge => self.comparison(op, left, right, span),
            BinaryOp::Coalesce => {
                let Some((left, right, ty)) = self.alike(op, left, right) else {
                    return Typed::unknown(span);
                };
                let expr = match left {
                    // A constant that is there needs no default, and null has none but the default.
                    Expr::Const(value) if value.is_null() => right,
                    Expr::Const(_) => left,
                    _ => Expr::Binary(op, Box::new(left), Box::new(right)),
                };
                Typed::new(expr, ty, span)
            }
            _ => self.arithmetic(op, left, right, span),
        }
    }

    fn logic(&mut self, op: BinaryOp, left: Typed, right: Typed, span: Span) -> Typed {
        for side in [&left, &right] {
            if side.ty != ty::BOOL && side.ty.is_definite() {
                let place = self.place(side.span);
                self.report
                    .add(
                        "E080",
                        place,
                        format!("`{}` joins conditions, not {}", op.symbol(), a(side.ty)),
                        format!("this is {}", a(side.ty)),
                    )
                    .help("compare it with something: `== …`, `> …`");
            }
        }
        Typed::new(joined(op, left.expr, right.expr), ty::BOOL, span)
    }

    fn comparison(&mut self, op: BinaryOp, left: Typed, right: Typed, span: Span) -> Typed {
        let Some((left, right, ty)) = self.alike(op, left, right) else {
            return Typed {
                ty: ty::BOOL,
                ..Typed::unknown(span)
            };
        };
        let ordered = !matches!(ty, ty::BOOL | ty::LIST);
        if !ordered && !matches!(op, BinaryOp::Eq | BinaryOp::Ne) {
            let place = self.place(span);
            self.report
                .add(
                    "E081",
                    place,
                    format!(
                        "`{}` wants values that have an order, not {}",
                        op.symbol(),
                        a(ty)
                    ),
                    "no order",
                )
                .help("use `==` or `!=`");
        }
        Typed::new(joined(op, left, right), ty::BOOL, span)
    }

    /// Both sides made to have one type, where there is one; else an error.
    fn alike(&mut self, op: BinaryOp, left: Typed, right: Typed) -> Option<(Expr, Expr, Ty)> {
        let (left, right) = self.dated(left, right)?;
        match left.ty.common(right.ty) {
            Ok(Ty::Unknown) => None,
            Ok(common) => {
                // A default takes the type of the whole. A comparison is left as it is, literals apart.
                let keep = |side: &Typed| {
                    op != BinaryOp::Coalesce
                        && side.ty == ty::INT
                        && !matches!(side.expr, Expr::Const(_))
                };
                let wanted_left = if keep(&left) { ty::INT } else { common };
                let wanted_right = if keep(&right) { ty::INT } else { common };
                Some((left.fit(wanted_left)?, right.fit(wanted_right)?, common))
            }
            Err(clash) => {
                self.clash(op, clash, &left, &right);
                None
            }
        }
    }

    /// A text literal beside a timestamp is a timestamp.
    fn dated(&mut self, left: Typed, right: Typed) -> Option<(Typed, Typed)> {
        match (left.ty, right.ty) {
            (ty::STRING, ty::TIMESTAMP) if left.literal_text().is_some() => {
                Some((self.literal_timestamp(left)?, right))
            }
            (ty::TIMESTAMP, ty::STRING) if right.literal_text().is_some() => {
                let right = self.literal_timestamp(right)?;
                Some((left, right))
            }
            _ => Some((left, right)),
        }
    }

    fn literal_timestamp(&mut self, literal: Typed) -> Option<Typed> {
        let span = literal.span;
        let text = literal.literal_text().unwrap_or_default().to_owned();
        match literal.fit(ty::TIMESTAMP) {
            Some(expr) => Some(Typed::new(expr, ty::TIMESTAMP, span)),
            None => {
                self.bad_timestamp(&text, span);
                None
            }
        }
    }

    fn clash(&mut self, op: BinaryOp, clash: Clash, left: &Typed, right: &Typed) {
        let (left_place, right_place) = (self.place(left.span), self.place(right.span));
        let (left_ty, right_ty) = (left.ty, right.ty);
        if clash == Clash::Inexact {
            self.report
                .add(
                    "E082",
                    left_place,
                    format!("`{}` mixes {left_ty} with {right_ty}", op.symbol()),
                    format!("this is {}", a(left_ty)),
                )
                .also(right_place, format!("this is {}", a(right_ty)))
                .help(MIXED);
            return;
        }
        let message = match op {
            BinaryOp::Coalesce => {
                format!("the default of {} cannot be {}", a(left_ty), a(right_ty))
            }
            _ => format!("{} cannot be compared with {}", a(left_ty), a(right_ty)),
        };
        let draft = self
            .report
            .add(
                "E081",
                left_place,
                message,
                format!("this is {}", a(left_ty)),
            )
            .also(right_place, format!("this is {}", a(right_ty)));
        match (left_ty, right_ty) {
            (ty::STRING, other) | (other, ty::STRING) if other.is_numeric() => {
                draft.help("if the text holds a number, declare the field with a type of number");
            }
            (ty::DURATION, other) | (other, ty::DURATION) if other.is_numeric() => {
                draft.help("a duration has a unit: compare with `30s`, or compare `seconds(…)` with a number");
            }
            (ty::DURATION, ty::TIMESTAMP) | (ty::TIMESTAMP, ty::DURATION) => {
                draft.help("the difference of two timestamps is a duration: `b.at - a.at < 30s`");
            }
            _ => {
                draft.help("values of one type can be compared, and numbers among each other");
            }
        }
    }

    fn arithmetic(&mut self, op: BinaryOp, left: Typed, right: Typed, span: Span) -> Typed {
        if left.ty == Ty::Unknown || right.ty == Ty::Unknown {
            return Typed::unknown(span);
        }
        let Some((left, right)) = self.dated(left, right) else {
            return Typed::unknown(span);
        };
        if let Some(ty) = temporal(op, left.ty, right.ty) {
            return Typed::new(joined(op, left.expr, right.expr), ty, span);
        }
        let numbers = |ty: Ty| ty.is_numeric() || ty == Ty::Null;
        if numbers(left.ty) && numbers(right.ty) {
            return match left.ty.common(right.ty) {
                Ok(common) => {
                    let constant = |side: &Typed| matches!(side.expr, Expr::Const(_));
                    let keep = |side: &Typed| {
                        if side.ty == ty::INT && !constant(side) {
                            ty::INT
                        } else {
                            common
                        }
                    };
                    let (wanted_left, wanted_right) = (keep(&left), keep(&right));
                    let (Some(left), Some(right)) =
                        (left.fit(wanted_left), right.fit(wanted_right))
                    else {
                        return Typed::unknown(span);
                    };
                    Typed::new(joined(op, left, right), common, span)
                }
                Err(clash) => {
                    self.clash(op, clash, &left, &right);
                    Typed::unknown(span)
                }
            };
        }
        let (left_place, right_place) = (self.place(left.span), self.place(right.span));
        let draft = self
            .report
            .add(
                "E080",
                left_place,
                format!(
                    "`{}` cannot be used on {} and {}",
                    op.symbol(),
                    a(left.ty),
                    a(right.ty)
                ),
                format!("this is {}", a(left.ty)),
            )
            .also(right_place, format!("this is {}", a(right.ty)));
        match (left.ty, right.ty) {
            (ty::DURATION, ty::DURATION) => {
                draft.help("divide numbers: `seconds(a) / seconds(b)`");
            }
            (ty::DURATION, other) | (other, ty::DURATION) if other.is_numeric() => {
                draft.help("durations are multiplied and divided by an int, and added to durations: `30s * 2`, `a + 1s`");
            }
            (ty::TIMESTAMP, other) | (other, ty::TIMESTAMP) if other.is_numeric() => {
                draft.help("add or subtract a duration: `at + 30s`");
            }
            _ => {
                draft.help("arithmetic is for numbers, and for times with durations");
            }
        }
        Typed::unknown(span)
    }
}

/// The result of arithmetic with time, if there is one.
fn temporal(op: BinaryOp, left: Ty, right: Ty) -> Option<Ty> {
    let null_as = |ty: Ty, as_ty: Ty| if ty == Ty::Null { as_ty } else { ty };
    match (op, left, right) {
        (BinaryOp::Sub, ty::TIMESTAMP, ty::TIMESTAMP) => Some(ty::DURATION),
        (BinaryOp::Add | BinaryOp::Sub, ty::TIMESTAMP, right)
            if null_as(right, ty::DURATION) == ty::DURATION =>
        {
            Some(ty::TIMESTAMP)
        }
        (BinaryOp::Add, ty::DURATION, ty::TIMESTAMP) => Some(ty::TIMESTAMP),
        (BinaryOp::Add | BinaryOp::Sub, ty::DURATION, ty::DURATION) => Some(ty::DURATION),
        (BinaryOp::Mul | BinaryOp::Div, ty::DURATION, ty::INT) => Some(ty::DURATION),
        (BinaryOp::Mul, ty::INT, ty::DURATION) => Some(ty::DURATION),
        _ => None,
    }
}

fn joined(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    folded(Expr::Binary(op, Box::new(left), Box::new(right)))
}
