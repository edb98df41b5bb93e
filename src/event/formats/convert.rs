//! The text of a value to the value of its declared type.

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::instant;
use super::json::unescape;
use super::number::{self, Misfit, Short};
use super::spare::TEXT_BYTES_MAX;
use super::token::{Cut, Shown, Token};
use super::{Flaw, Malformed, TIME_MAX, TIME_MIN};
use crate::event::schema::{Field, FieldType, TimeUnit};
use crate::event::value::Value;
use crate::time::{Span, Timestamp};

/// Reads a field's value into the place of an old one. A long string is written into the memory of the one before.
///
/// What is of the kind of the one before is written where it stays, each part once: a value that is made elsewhere and then copied stalls the processor, which has not yet stored its
/// parts when the copy wants the whole.
#[inline]
pub(super) fn overwrite(
    old: &mut Value,
    field: &Field,
    token: Token,
    text: &str,
) -> Result<(), Malformed> {
    match (field.ty, token) {
        (FieldType::String, Token::Text(cut) | Token::Bare(cut)) if cut.start < cut.end => {
            overwrite_text(old, cut.of(text));
        }
        (FieldType::String, Token::Escaped(cut)) => {
            unescaped(field, cut, text, emptied(old))?;
        }
        (FieldType::Decimal | FieldType::Float | FieldType::Int, Token::Number(cut))
            if let Some(short) = Short::read(text, cut)
                && overwrite_short(old, field.ty, short) => {}
        _ => *old = value(field, token, text)?,
    }
    Ok(())
}

/// Writes a short number over an old value of the field's kind, unless the field takes more than it says.
#[inline]
pub(super) fn overwrite_short(old: &mut Value, ty: FieldType, short: Short) -> bool {
    match (ty, old) {
        (FieldType::Decimal, Value::Decimal(old)) => *old = short.decimal(),
        (FieldType::Float, Value::Float(old)) if let Some(float) = short.float() => *old = float,
        (FieldType::Int, Value::Int(old)) if let Some(int) = short.int() => *old = int,
        (FieldType::Timestamp(_), Value::Timestamp(old))
            if let Some(time) = short_time(ty, short) =>
        {
            *old = time;
        }
        _ => return false,
    }
    true
}

/// The time that a short number is in a field of this type.
#[inline]
pub(super) fn short_time(ty: FieldType, short: Short) -> Option<Timestamp> {
    match ty {
        FieldType::Timestamp(unit) => instant::epoch_whole(short.int()?, unit).ok(),
        _ => None,
    }
}

/// Writes a text over an old value.
#[inline]
pub(super) fn overwrite_text(old: &mut Value, text: &str) {
    emptied(old).push_str(text);
}

/// The memory of a text, to be written anew.
#[inline]
fn emptied(old: &mut Value) -> &mut CompactString {
    match old {
        Value::Str(memory) if memory.capacity() <= TEXT_BYTES_MAX => memory.clear(),
        _ => *old = Value::Str(CompactString::default()),
    }
    match old {
        Value::Str(memory) => memory,
        _ => unreachable!("it is a text by now"),
    }
}

/// Reads a field's value.
pub(super) fn value(field: &Field, token: Token, text: &str) -> Result<Value, Malformed> {
    let read = match token {
        Token::Bare(cut) => bare(field, cut, text),
        Token::Escaped(cut) => return escaped(field, cut, text),
        _ => plain(field, token, text),
    };
    read.map_err(|misfit| refuse(field, token, text, misfit))
}

/// Reads the time of an event; `None` if it has none.
#[inline]
pub(super) fn time(
    field: &Field,
    token: Token,
    text: &str,
) -> Result<Option<Timestamp>, Malformed> {
    if let (FieldType::Timestamp(unit), Token::Number(cut)) = (field.ty, token)
        && let Ok(time) = instant::epoch(text, cut, unit)
    {
        return Ok(Some(time));
    }
    Ok(match value(field, token, text)? {
        Value::Timestamp(time) => Some(time),
        _ => None,
    })
}

fn plain(field: &Field, token: Token, text: &str) -> Result<Value, Misfit> {
    match (field.ty, token) {
        (FieldType::String, Token::Text(cut)) => Ok(Value::Str(cut.of(text).into())),
        // Money often comes in quotes, so that nobody on the way makes it a float.
        (FieldType::Decimal, Token::Number(cut) | Token::Text(cut)) => {
            number::decimal(text, cut).map(Value::Decimal)
        }
        (FieldType::Int, Token::Number(cut)) => number::int(text, cut).map(Value::Int),
        (FieldType::Float, Token::Number(cut)) => number::float(text, cut).map(Value::Float),
        (FieldType::Bool, Token::Bool(value)) => Ok(Value::Bool(value)),
        (FieldType::Timestamp(unit), Token::Number(cut)) => {
            instant::epoch(text, cut, unit).map(Value::Timestamp)
        }
        (FieldType::Timestamp(_), Token::Text(cut)) => {
            let time = instant::rfc3339(cut.of(text));
            time.map(Value::Timestamp).ok_or(Misfit::Form)
        }
        (FieldType::Duration, Token::Number(cut)) => {
            number::int(text, cut).map(|ms| Value::Duration(Span(ms)))
        }
        (FieldType::Duration, Token::Text(cut)) => {
            let span = instant::duration(cut.of(text));
            span.map(Value::Duration).ok_or(Misfit::Form)
        }
        (_, Token::Absent | Token::Null) if field.optional => Ok(Value::Null),
        (ty, token) => typed(ty, token),
    }
}

/// Reads a value whose type the format tells: it is that of the field, or one that the field's holds exactly.
fn typed(ty: FieldType, token: Token) -> Result<Value, Misfit> {
    match (ty, token) {
        (FieldType::Int, Token::Whole(value)) => Ok(Value::Int(value)),
        // The nearest one, as of a number that is written.
        (FieldType::Float, Token::Whole(value)) => Ok(Value::Float(value as f64)),
        (FieldType::Decimal, Token::Whole(value)) => Ok(Value::Decimal(value.into())),
        (FieldType::Timestamp(unit), Token::Whole(value)) => {
            instant::epoch_whole(value, unit).map(Value::Timestamp)
        }
        (FieldType::Duration, Token::Whole(value)) => Ok(Value::Duration(Span(value))),
        (FieldType::Float, Token::Float(value)) if value.is_finite() => Ok(Value::Float(value)),
        (FieldType::Float, Token::Float(_)) => Err(Misfit::Range),
        (FieldType::Decimal, Token::Float(_)) => Err(Misfit::Inexact),
        (FieldType::Decimal, Token::Scaled(units, scale)) => {
            Ok(Value::Decimal(Decimal::new(units, scale.into())))
        }
        (FieldType::Int | FieldType::Float, Token::Scaled(units, scale)) => {
            let written = Decimal::new(units, scale.into()).to_string();
            let all = Cut::all(&written);
            match ty {
                FieldType::Int => number::int(&written, all).map(Value::Int),
                _ => number::float(&written, all).map(Value::Float),
            }
        }
        (FieldType::Timestamp(_), Token::Time(time)) => Ok(Value::Timestamp(time)),
        (FieldType::Duration, Token::Span(span)) => Ok(Value::Duration(span)),
        _ => Err(Misfit::Form),
    }
}

/// Reads a CSV field: its column's type tells what it is.
fn bare(field: &Field, cut: Cut, text: &str) -> Result<Value, Misfit> {
    let token = match (field.ty, cut.of(text)) {
        (_, "") if field.optional => Token::Null,
        (FieldType::Bool, "true" | "TRUE" | "True") => Token::Bool(true),
        (FieldType::Bool, "false" | "FALSE" | "False") => Token::Bool(false),
        (FieldType::Int | FieldType::Float | FieldType::Decimal, _) => Token::Number(cut),
        (FieldType::Timestamp(_) | FieldType::Duration, time) if number::numeric(time) => {
            Token::Number(cut)
        }
        _ => Token::Text(cut),
    };
    plain(field, token, text)
}

/// Reads a string with escapes.
fn escaped(field: &Field, cut: Cut, text: &str) -> Result<Value, Malformed> {
    let mut plain = CompactString::default();
    unescaped(field, cut, text, &mut plain)?;
    if field.ty == FieldType::String {
        return Ok(Value::Str(plain));
    }
    value(field, Token::Text(Cut::all(&plain)), &plain)
}

/// Appends the meaning of a string with escapes.
fn unescaped(
    field: &Field,
    cut: Cut,
    text: &str,
    out: &mut CompactString,
) -> Result<(), Malformed> {
    unescape(cut.of(text), out).map_err(|_| {
        let shown = Shown(Token::Escaped(cut), text);
        Malformed {
            flaw: Flaw::Field,
            reason: format!(
                "field \"{}\": half of a surrogate pair in {shown}",
                field.name
            ),
        }
    })
}

#[cold]
fn refuse(field: &Field, token: Token, text: &str, misfit: Misfit) -> Malformed {
    let name = &field.name;
    let wanted = written(field.ty);
    let reason = match (token, misfit) {
        (Token::Absent, _) => {
            format!("field \"{name}\" is missing; declare it {wanted}? if it may be")
        }
        (Token::Null, _) => {
            format!("field \"{name}\" is null; declare it {wanted}? if it may be")
        }
        (Token::Bare(cut), _) if cut.start == cut.end => {
            format!("field \"{name}\" is empty; declare it {wanted}? if it may be")
        }
        (_, Misfit::Form) => {
            let how = match field.ty {
                FieldType::Timestamp(_) => " (a number, or text like 2026-03-01T12:30:00Z)",
                FieldType::Duration => " (a number of ms, or text like 1h30m)",
                _ => "",
            };
            format!(
                "field \"{name}\": wanted {wanted}{how}, found {}",
                Shown(token, text)
            )
        }
        (_, Misfit::Inexact) => {
            format!(
                "field \"{name}\": wanted {wanted}, which is exact, found {}; declare it float",
                Shown(token, text)
            )
        }
        (_, Misfit::Fraction) => {
            format!(
                "field \"{name}\": wanted {wanted}, a whole number, found {}",
                Shown(token, text)
            )
        }
        (_, Misfit::Range) => {
            format!(
                "field \"{name}\": {} is out of the range of {wanted}",
                Shown(token, text)
            )
        }
        (_, Misfit::Digits) => {
            format!(
                "field \"{name}\": {} has more digits than {wanted} holds (28)",
                Shown(token, text)
            )
        }
    };
    Malformed {
        flaw: Flaw::Field,
        reason,
    }
}

/// A type as patterns write it.
pub(super) fn written(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Bool => "bool",
        FieldType::Int => "int",
        FieldType::Float => "float",
        FieldType::Decimal => "decimal",
        FieldType::String => "string",
        FieldType::Timestamp(TimeUnit::Millis) => "timestamp",
        FieldType::Timestamp(TimeUnit::Seconds) => "timestamp(s)",
        FieldType::Timestamp(TimeUnit::Micros) => "timestamp(us)",
        FieldType::Timestamp(TimeUnit::Nanos) => "timestamp(ns)",
        FieldType::Duration => "duration",
        FieldType::List => "list",
    }
}

/// Units with their names, and how a type says them.
const UNITS: [(TimeUnit, &str, &str); 4] = [
    (TimeUnit::Seconds, "seconds", "s"),
    (TimeUnit::Millis, "milliseconds", "ms"),
    (TimeUnit::Micros, "microseconds", "us"),
    (TimeUnit::Nanos, "nanoseconds", "ns"),
];

/// True if a time can be meant.
#[inline]
pub(super) fn is_plausible(time: Timestamp) -> bool {
    (TIME_MIN..TIME_MAX).contains(&time)
}

/// Refuses times that cannot be meant: one of them would carry the watermark away.
pub(super) fn plausible(
    field: &Field,
    time: Timestamp,
    token: Token,
    text: &str,
) -> Result<(), Malformed> {
    if is_plausible(time) {
        return Ok(());
    }
    let side = if time < TIME_MIN {
        "before 2000-01-01"
    } else {
        "after 2199-12-31"
    };
    let mut reason = format!("field \"{}\": ", field.name);
    let whole;
    let number = match token {
        Token::Number(cut) | Token::Bare(cut) => Some(cut.of(text)),
        Token::Whole(number) => {
            whole = number.to_string();
            Some(whole.as_str())
        }
        _ => None,
    };
    match number {
        Some(number) => {
            reason += &format!("{number} is {}, {side}", instant::shown(time));
            let meant = UNITS.iter().find(|(unit, ..)| {
                instant::epoch(number, Cut::all(number), *unit)
                    .is_ok_and(|time| (TIME_MIN..TIME_MAX).contains(&time))
            });
            let declared = UNITS
                .iter()
                .find(|(unit, ..)| field.ty == FieldType::Timestamp(*unit));
            if let (Some((_, meant, written)), Some((_, declared, _))) = (meant, declared) {
                reason += &format!("; {meant} read as {declared}? declare timestamp({written})");
            }
        }
        None => reason += &format!("{} is {side}", Shown(token, text)),
    }
    Err(Malformed {
        flaw: Flaw::Time,
        reason,
    })
}
