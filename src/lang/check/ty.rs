//! The type of an expression while it is being checked, and how values are made to fit one.

use std::fmt;

use rust_decimal::Decimal;

use crate::event::schema::TimeUnit;
use crate::event::{FieldType, Value};
use crate::lang::pattern::{BinaryOp, Expr};
use crate::lang::span::Span;
use crate::time::Timestamp;

/// What is known of an expression's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ty {
    /// A mistake in it has been reported: nothing more is said about it.
    Unknown,
    /// `null`: fits everywhere.
    Null,
    /// A number with a point whose surroundings do not say yet whether it is a float; always a constant decimal.
    Number,
    /// Known. Timestamps are in milliseconds.
    Is(FieldType),
}

/// A checked expression with its type and place.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub expr: Expr,
    pub ty: Ty,
    pub span: Span,
}

pub(super) const BOOL: Ty = Ty::Is(FieldType::Bool);
pub(super) const INT: Ty = Ty::Is(FieldType::Int);
pub(super) const FLOAT: Ty = Ty::Is(FieldType::Float);
pub(super) const DECIMAL: Ty = Ty::Is(FieldType::Decimal);
pub(super) const STRING: Ty = Ty::Is(FieldType::String);
pub(super) const TIMESTAMP: Ty = Ty::Is(FieldType::Timestamp(TimeUnit::Millis));
pub(super) const DURATION: Ty = Ty::Is(FieldType::Duration);
pub(super) const LIST: Ty = Ty::Is(FieldType::List);

/// The names of the types that can be declared.
pub(super) const NAMES: [&str; 7] = [
    "bool",
    "int",
    "float",
    "decimal",
    "string",
    "timestamp",
    "duration",
];

/// Why two types have none in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// `decimal` with `float`.
    Inexact,
    /// Anything else.
    Different,
}

impl Ty {
    /// Of a field: inside, all timestamps are in milliseconds.
    pub fn of(field: FieldType) -> Ty {
        match field {
            FieldType::Timestamp(_) => TIMESTAMP,
            other => Ty::Is(other),
        }
    }

    pub fn is_numeric(self) -> bool {
        matches!(self, Ty::Number | INT | FLOAT | DECIMAL)
    }

    /// False while nothing definite can be said: `null`, or a mistake already reported.
    pub fn is_definite(self) -> bool {
        !matches!(self, Ty::Unknown | Ty::Null)
    }

    /// The type that a value of it has in the end: a number that nobody asked to be a float is a decimal.
    pub fn settled(self) -> Option<FieldType> {
        match self {
            Ty::Unknown | Ty::Null => None,
            Ty::Number => Some(FieldType::Decimal),
            Ty::Is(ty) => Some(ty),
        }
    }

    /// The type that both can be made to have.
    pub fn common(self, other: Ty) -> Result<Ty, Clash> {
        match (self, other) {
            (Ty::Unknown, _) | (_, Ty::Unknown) => Ok(Ty::Unknown),
            (Ty::Null, ty) | (ty, Ty::Null) => Ok(ty),
            (a, b) if a == b => Ok(a),
            (DECIMAL, FLOAT) | (FLOAT, DECIMAL) => Err(Clash::Inexact),
            (FLOAT, ty) | (ty, FLOAT) if ty.is_numeric() => Ok(FLOAT),
            (a, b) if a.is_numeric() && b.is_numeric() => Ok(DECIMAL),
            _ => Err(Clash::Different),
        }
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ty::Unknown => "unknown",
            Ty::Null => "null",
            Ty::Number => "decimal",
            Ty::Is(FieldType::Bool) => "bool",
            Ty::Is(FieldType::Int) => "int",
            Ty::Is(FieldType::Float) => "float",
            Ty::Is(FieldType::Decimal) => "decimal",
            Ty::Is(FieldType::String) => "string",
            Ty::Is(FieldType::Timestamp(_)) => "timestamp",
            Ty::Is(FieldType::Duration) => "duration",
            Ty::Is(FieldType::List) => "list",
        })
    }
}

impl Typed {
    /// Stands for an expression whose mistake has been reported.
    pub fn unknown(span: Span) -> Typed {
        Typed {
            expr: Expr::Const(Value::Null),
            ty: Ty::Unknown,
            span,
        }
    }

    pub fn new(expr: Expr, ty: Ty, span: Span) -> Typed {
        Typed { expr, ty, span }
    }

    /// The text of a literal.
    pub fn literal_text(&self) -> Option<&str> {
        match &self.expr {
            Expr::Const(Value::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// The same value as one of type `wanted`; `None` if it cannot be.
    pub fn fit(self, wanted: Ty) -> Option<Expr> {
        match (self.ty, wanted) {
            (Ty::Unknown | Ty::Null, _) | (_, Ty::Unknown) => Some(self.expr),
            (a, b) if a == b => Some(self.expr),
            (Ty::Number, DECIMAL) => Some(self.expr),
            (Ty::Number | INT, FLOAT) => Some(to_float(self.expr)),
            (INT, DECIMAL | Ty::Number) => Some(to_decimal(self.expr)),
            (STRING, TIMESTAMP) => {
                let at = timestamp(self.literal_text()?)?;
                Some(Expr::Const(Value::Timestamp(at)))
            }
            _ => None,
        }
    }
}

fn to_float(expr: Expr) -> Expr {
    match expr {
        Expr::Const(Value::Int(n)) => Expr::Const(Value::Float(n as f64)),
        // By way of the digits: the nearest float, not a rounded product of mantissa and power of ten.
        Expr::Const(Value::Decimal(n)) => match n.to_string().parse() {
            Ok(x) => Expr::Const(Value::Float(x)),
            Err(_) => Expr::Const(Value::Null),
        },
        constant @ Expr::Const(_) => constant,
        other => Expr::Binary(
            BinaryOp::Mul,
            Box::new(other),
            Box::new(Expr::Const(Value::Float(1.0))),
        ),
    }
}

fn to_decimal(expr: Expr) -> Expr {
    match expr {
        Expr::Const(Value::Int(n)) => Expr::Const(Value::Decimal(Decimal::from(n))),
        constant @ Expr::Const(_) => constant,
        other => Expr::Binary(
            BinaryOp::Mul,
            Box::new(other),
            Box::new(Expr::Const(Value::Decimal(Decimal::ONE))),
        ),
    }
}

/// A point in time written as RFC 3339 text.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(at.as_millisecond()))
}
