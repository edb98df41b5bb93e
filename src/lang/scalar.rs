//! What operators and functions do to values.
//!
//! Pure and total: every operation on every value has a result, and what has no meaningful one is null. The
//! checker rules out what types rule out; what is left to chance at run time (a missing field, an
//! overflow, a division by zero, an address that is none) is null and never a panic. The automaton and the
//! reference matcher both evaluate with these, so this module is judged by its own tables of facts.
//!
//! What holds throughout:
//!
//! - A comparison with null is false, `!=` too. So is one of values that have no order between them.
//! - `not`, `and`, `or` know three values; null is "unknown". A condition holds if its value is `true`.
//! - Arithmetic with null is null. An overflow, a division by zero, a float that is not finite: null.
//! - `int / int` is an `int`, cut towards zero; `%` has the sign of its left operand. `int` with `decimal` is computed as `decimal`, `int` with `float` as `float`.
//! - A function of null is null.
//!
//! Aggregates and field access are not here: they need the events.

mod order;

use std::cmp::Ordering;
use std::net::IpAddr;

use compact_str::CompactString;
use rust_decimal::prelude::{Decimal, RoundingStrategy, ToPrimitive};

use super::pattern::{BinaryOp, Function, Regex, UnaryOp};
use crate::event::Value;
use crate::time::{Span, Timestamp};

pub use order::{StableHasher, compare, hash_into, rank, stable_hash, total_order, total_order_of};

/// The mean radius of the earth that [`Function::DistanceKm`] takes it to be a ball of.
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// The most digits after the point that `round` keeps; what [`Decimal`] can hold.
const DIGITS_MAX: i64 = 28;

/// True when a condition of this value holds.
#[must_use]
pub fn holds(value: &Value) -> bool {
    matches!(value, Value::Bool(true))
}

/// `-a`, `not a`.
#[must_use]
pub fn unary(op: UnaryOp, operand: &Value) -> Value {
    match (op, operand) {
        (UnaryOp::Not, Value::Bool(b)) => Value::Bool(!b),
        (UnaryOp::Neg, Value::Int(n)) => n.checked_neg().map_or(Value::Null, Value::Int),
        (UnaryOp::Neg, Value::Float(x)) => Value::Float(-x),
        (UnaryOp::Neg, Value::Decimal(x)) => Value::Decimal(-*x),
        (UnaryOp::Neg, Value::Duration(d)) => span(d.0.checked_neg()),
        _ => Value::Null,
    }
}

/// `a + b`, `a == b`, `a and b`, … of operands already evaluated. `In` and `NotIn` expect a [`Value::List`] on the right.
#[must_use]
pub fn binary(op: BinaryOp, left: &Value, right: &Value) -> Value {
    let compared =
        |wanted: fn(Ordering) -> bool| Value::Bool(compare(left, right).is_some_and(wanted));
    match op {
        BinaryOp::And => and(left, right),
        BinaryOp::Or => or(left, right),
        BinaryOp::Eq => compared(Ordering::is_eq),
        BinaryOp::Ne => compared(Ordering::is_ne),
        BinaryOp::Lt => compared(Ordering::is_lt),
        BinaryOp::Le => compared(Ordering::is_le),
        BinaryOp::Gt => compared(Ordering::is_gt),
        BinaryOp::Ge => compared(Ordering::is_ge),
        BinaryOp::In | BinaryOp::NotIn => match right {
            Value::List(list) => contains(left, list, op == BinaryOp::NotIn),
            _ => Value::Bool(false),
        },
        BinaryOp::Coalesce if left.is_null() => right.clone(),
        BinaryOp::Coalesce => left.clone(),
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => {
            arithmetic(op, left, right)
        }
    }
}

/// Adds a value to a sum: `sum = sum + value`, and of numbers of one type without anything on the way.
#[inline]
pub fn add(sum: &mut Value, value: &Value) {
    match (&mut *sum, value) {
        (Value::Int(a), Value::Int(b)) if let Some(more) = a.checked_add(*b) => *a = more,
        (Value::Float(a), Value::Float(b)) if (*a + *b).is_finite() => *a += *b,
        (Value::Decimal(a), Value::Decimal(b)) if let Some(more) = a.checked_add(*b) => *a = more,
        _ => *sum = binary(BinaryOp::Add, sum, value),
    }
}

/// How two numbers stand to each other; `None` if the operator compares nothing.
#[inline(always)]
fn stand<T: PartialOrd>(op: BinaryOp, a: &T, b: &T) -> Option<bool> {
    Some(match op {
        BinaryOp::Eq => a == b,
        BinaryOp::Ne => a.partial_cmp(b).is_some_and(std::cmp::Ordering::is_ne),
        BinaryOp::Lt => a < b,
        BinaryOp::Le => a <= b,
        BinaryOp::Gt => a > b,
        BinaryOp::Ge => a >= b,
        _ => return None,
    })
}

/// True if the operation's value is `true`. Comparisons make no value on the way.
#[must_use]
#[inline(always)]
pub fn relates(op: BinaryOp, left: &Value, right: &Value) -> bool {
    // What is asked most, without an order on the way.
    let told = match (left, right) {
        (Value::Int(a), Value::Int(b)) => stand(op, a, b),
        (Value::Float(a), Value::Float(b)) => stand(op, a, b),
        (Value::Float(a), Value::Int(b)) => stand(op, a, &(*b as f64)),
        _ => None,
    };
    told.unwrap_or_else(|| relates_otherwise(op, left, right))
}

fn relates_otherwise(op: BinaryOp, left: &Value, right: &Value) -> bool {
    let order = match (op, left, right) {
        // Whether texts are equal is told quicker than their order.
        (BinaryOp::Eq, Value::Str(a), Value::Str(b)) => return a == b,
        (
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge,
            ..,
        ) => compare(left, right),
        _ => return holds(&binary(op, left, right)),
    };
    order.is_some_and(|order| match op {
        BinaryOp::Eq => order.is_eq(),
        BinaryOp::Ne => order.is_ne(),
        BinaryOp::Lt => order.is_lt(),
        BinaryOp::Le => order.is_le(),
        BinaryOp::Gt => order.is_gt(),
        _ => order.is_ge(),
    })
}

/// False if either is false, else null if either is not true.
fn and(left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
        (Value::Bool(true), Value::Bool(true)) => Value::Bool(true),
        _ => Value::Null,
    }
}

/// True if either is true, else null if either is not false.
fn or(left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Bool(true), _) | (_, Value::Bool(true)) => Value::Bool(true),
        (Value::Bool(false), Value::Bool(false)) => Value::Bool(false),
        _ => Value::Null,
    }
}

/// `needle in list`, `needle not in list`. Both are false when the needle is null; an element that is null equals nothing.
#[must_use]
pub fn contains(needle: &Value, list: &[Value], negated: bool) -> Value {
    if needle.is_null() {
        return Value::Bool(false);
    }
    let found = list
        .iter()
        .any(|element| compare(needle, element) == Some(Ordering::Equal));
    Value::Bool(found != negated)
}

/// `matches(text, regex)`: true if the regular expression is found anywhere in the text; null for a null text.
#[must_use]
pub fn matches(text: &Value, regex: &Regex) -> Value {
    match text {
        Value::Str(text) => Value::Bool(regex.0.is_match(text)),
        _ => Value::Null,
    }
}

fn arithmetic(op: BinaryOp, left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => integers(op, *a, *b).map_or(Value::Null, Value::Int),
        (Value::Decimal(a), Value::Decimal(b)) => decimals(op, *a, *b),
        (Value::Int(a), Value::Decimal(b)) => decimals(op, Decimal::from(*a), *b),
        (Value::Decimal(a), Value::Int(b)) => decimals(op, *a, Decimal::from(*b)),
        (Value::Float(a), Value::Float(b)) => floats(op, *a, *b),
        (Value::Int(a), Value::Float(b)) => floats(op, *a as f64, *b),
        (Value::Float(a), Value::Int(b)) => floats(op, *a, *b as f64),
        (Value::Timestamp(a), Value::Timestamp(b)) if op == BinaryOp::Sub => {
            span(a.0.checked_sub(b.0))
        }
        (Value::Timestamp(a), Value::Duration(b)) if op == BinaryOp::Add => {
            point(a.0.checked_add(b.0))
        }
        (Value::Timestamp(a), Value::Duration(b)) if op == BinaryOp::Sub => {
            point(a.0.checked_sub(b.0))
        }
        (Value::Duration(a), Value::Timestamp(b)) if op == BinaryOp::Add => {
            point(a.0.checked_add(b.0))
        }
        (Value::Duration(a), Value::Duration(b)) if matches!(op, BinaryOp::Add | BinaryOp::Sub) => {
            span(integers(op, a.0, b.0))
        }
        (Value::Duration(a), Value::Int(b)) if matches!(op, BinaryOp::Mul | BinaryOp::Div) => {
            span(integers(op, a.0, *b))
        }
        (Value::Int(a), Value::Duration(b)) if op == BinaryOp::Mul => span(a.checked_mul(b.0)),
        _ => Value::Null,
    }
}

fn integers(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        BinaryOp::Div => a.checked_div(b),
        BinaryOp::Rem => a.checked_rem(b),
        _ => None,
    }
}

fn decimals(op: BinaryOp, a: Decimal, b: Decimal) -> Value {
    let result = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        BinaryOp::Div => a.checked_div(b),
        BinaryOp::Rem => a.checked_rem(b),
        _ => None,
    };
    result.map_or(Value::Null, Value::Decimal)
}

fn floats(op: BinaryOp, a: f64, b: f64) -> Value {
    match op {
        BinaryOp::Add => float(a + b),
        BinaryOp::Sub => float(a - b),
        BinaryOp::Mul => float(a * b),
        BinaryOp::Div => float(a / b),
        BinaryOp::Rem => float(a % b),
        _ => Value::Null,
    }
}

fn float(x: f64) -> Value {
    if x.is_finite() {
        Value::Float(x)
    } else {
        Value::Null
    }
}

fn span(ms: Option<i64>) -> Value {
    ms.map_or(Value::Null, |ms| Value::Duration(Span(ms)))
}

fn point(ms: Option<i64>) -> Value {
    ms.map_or(Value::Null, |ms| Value::Timestamp(Timestamp(ms)))
}

/// A scalar function of arguments already evaluated. Null if an argument is null or unfit.
#[must_use]
pub fn call(function: Function, arguments: &[Value]) -> Value {
    match function {
        Function::Abs => abs(arguments),
        Function::Round => round(arguments),
        Function::Floor => rounded(arguments, f64::floor, |x| x.floor()),
        Function::Ceil => rounded(arguments, f64::ceil, |x| x.ceil()),
        Function::Least => extreme(arguments, Ordering::Less),
        Function::Greatest => extreme(arguments, Ordering::Greater),
        Function::Lower => text(arguments, |text| Value::Str(text.to_lowercase())),
        Function::Upper => text(arguments, |text| Value::Str(text.to_uppercase())),
        Function::Length => text(arguments, |text| {
            i64::try_from(text.chars().count()).map_or(Value::Null, Value::Int)
        }),
        Function::Contains => texts(arguments, |text, part| text.contains(part)),
        Function::StartsWith => texts(arguments, |text, part| text.starts_with(part)),
        Function::EndsWith => texts(arguments, |text, part| text.ends_with(part)),
        Function::Year => calendar(arguments, |at| i64::from(at.year())),
        Function::Month => calendar(arguments, |at| i64::from(at.month())),
        Function::Day => calendar(arguments, |at| i64::from(at.day())),
        Function::Hour => calendar(arguments, |at| i64::from(at.hour())),
        Function::Minute => calendar(arguments, |at| i64::from(at.minute())),
        Function::Weekday => calendar(arguments, |at| {
            i64::from(at.weekday().to_monday_one_offset())
        }),
        Function::Seconds => units(arguments, 1_000),
        Function::Minutes => units(arguments, 60_000),
        Function::Hours => units(arguments, 3_600_000),
        Function::Days => units(arguments, 86_400_000),
        Function::DistanceKm => distance_km(arguments),
        Function::InCidr => texts_maybe(arguments, in_cidr),
    }
}

fn abs(arguments: &[Value]) -> Value {
    match arguments {
        [Value::Int(n)] => n.checked_abs().map_or(Value::Null, Value::Int),
        [Value::Float(x)] => Value::Float(x.abs()),
        [Value::Decimal(x)] => Value::Decimal(x.abs()),
        [Value::Duration(d)] => span(d.0.checked_abs()),
        _ => Value::Null,
    }
}

/// `floor(x)`, `ceil(x)`: the type stays.
fn rounded(
    arguments: &[Value],
    of_float: fn(f64) -> f64,
    of_decimal: fn(&Decimal) -> Decimal,
) -> Value {
    match arguments {
        [Value::Int(n)] => Value::Int(*n),
        [Value::Float(x)] => Value::Float(of_float(*x)),
        [Value::Decimal(x)] => Value::Decimal(of_decimal(x)),
        _ => Value::Null,
    }
}

/// `round(x)`, `round(x, digits)`: the type stays; a half goes away from zero.
fn round(arguments: &[Value]) -> Value {
    let (value, digits) = match arguments {
        [value] => (value, 0),
        [value, Value::Int(digits)] if (0..=DIGITS_MAX).contains(digits) => (value, *digits),
        _ => return Value::Null,
    };
    let places = u32::try_from(digits).expect("checked against the range above");
    match value {
        Value::Int(n) => Value::Int(*n),
        Value::Float(x) => {
            let factor = 10f64.powi(places.cast_signed());
            let scaled = x * factor;
            // A float this large has no digits after the point to lose.
            if scaled.is_finite() {
                Value::Float(scaled.round() / factor)
            } else {
                Value::Float(*x)
            }
        }
        Value::Decimal(x) => {
            Value::Decimal(x.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero))
        }
        _ => Value::Null,
    }
}

/// `least(a, …)`, `greatest(a, …)`: the first of several equal ones.
fn extreme(arguments: &[Value], wanted: Ordering) -> Value {
    let Some((first, rest)) = arguments.split_first() else {
        return Value::Null;
    };
    if first.is_null() {
        return Value::Null;
    }
    let mut best = first;
    for value in rest {
        match compare(value, best) {
            Some(order) if order == wanted => best = value,
            Some(_) => {}
            None => return Value::Null,
        }
    }
    best.clone()
}

fn text(arguments: &[Value], of: impl Fn(&CompactString) -> Value) -> Value {
    match arguments {
        [Value::Str(text)] => of(text),
        _ => Value::Null,
    }
}

fn texts(arguments: &[Value], of: impl Fn(&str, &str) -> bool) -> Value {
    texts_maybe(arguments, |a, b| Some(of(a, b)))
}

fn texts_maybe(arguments: &[Value], of: impl Fn(&str, &str) -> Option<bool>) -> Value {
    match arguments {
        [Value::Str(a), Value::Str(b)] => of(a, b).map_or(Value::Null, Value::Bool),
        _ => Value::Null,
    }
}

/// A part of the date or time of day of a timestamp, in UTC or in the time zone named by the second argument. Null for a zone that does not exist.
fn calendar(arguments: &[Value], part: fn(&jiff::Zoned) -> i64) -> Value {
    let (at, zone) = match arguments {
        [Value::Timestamp(at)] => (at, jiff::tz::TimeZone::UTC),
        [Value::Timestamp(at), Value::Str(name)] => match jiff::tz::TimeZone::get(name) {
            Ok(zone) => (at, zone),
            Err(_) => return Value::Null,
        },
        _ => return Value::Null,
    };
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => Value::Int(part(&at.to_zoned(zone))),
        Err(_) => Value::Null,
    }
}

/// Whole units of a duration, cut towards zero.
fn units(arguments: &[Value], ms: i64) -> Value {
    match arguments {
        [Value::Duration(d)] => Value::Int(d.0 / ms),
        _ => Value::Null,
    }
}

/// `distance_km(lat, lon, lat, lon)` in degrees: great-circle distance by the haversine formula.
fn distance_km(arguments: &[Value]) -> Value {
    let [lat1, lon1, lat2, lon2] = arguments else {
        return Value::Null;
    };
    let (Some(lat1), Some(lon1), Some(lat2), Some(lon2)) =
        (number(lat1), number(lon1), number(lat2), number(lon2))
    else {
        return Value::Null;
    };
    let half_lat = (lat2 - lat1).to_radians() / 2.0;
    let half_lon = (lon2 - lon1).to_radians() / 2.0;
    let squared = half_lat.sin().powi(2)
        + lat1.to_radians().cos() * lat2.to_radians().cos() * half_lon.sin().powi(2);
    // Rounding can push antipodes a hair over 1, where the arc sine ends.
    float(2.0 * EARTH_RADIUS_KM * squared.sqrt().min(1.0).asin())
}

/// The value of a number as a float.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(n) => Some(*n as f64),
        Value::Float(x) => Some(*x),
        Value::Decimal(x) => x.to_f64(),
        _ => None,
    }
}

/// `None` unless both are addresses; false when one is IPv4 and the other IPv6.
fn in_cidr(address: &str, network: &str) -> Option<bool> {
    let address: IpAddr = address.parse().ok()?;
    let (network, length) = match network.split_once('/') {
        Some((network, length)) => (network, Some(length.parse::<u32>().ok()?)),
        None => (network, None),
    };
    let network: IpAddr = network.parse().ok()?;
    let bits = if network.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(bits);
    if length > bits {
        return None;
    }
    if address.is_ipv4() != network.is_ipv4() {
        return Some(false);
    }
    let differ = address_bits(address) ^ address_bits(network);
    Some(differ.checked_shr(bits - length).unwrap_or(0) == 0)
}

fn address_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
#[path = "scalar_tests.rs"]
mod tests;
