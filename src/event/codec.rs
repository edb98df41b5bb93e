//! Values, events and keys as bytes that outlive the process.
//!
//! What is put is read back exactly: decimals with their digits, floats bit by bit. Keys are the exception, for their bytes are looked up in a database: keys that are equal
//! have the same bytes, so [`key`] gives the plainest of them. Where the very digits of a key matter, [`put_spelling`] keeps them beside what is stored under it.
//!
//! An event's type is a number of the running schema here. Whoever stores events longer than the schema lasts stores what the numbers stand for as well.

use std::sync::Arc;

use smallvec::SmallVec;

use super::value::Decimal;
use super::{Event, EventTypeId, Position, Value};
use crate::time::{Span, Timestamp};
use crate::wire::{self, Damaged, Reader};

/// How deep lists may lie in lists. Each level takes a pattern that collects the lists of another.
const NESTED_MAX: usize = 1_024;

/// For how many things room is made before the first of them is read: a count by itself is not believed.
const ROOM_MAX: usize = 16;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const DECIMAL: u8 = 5;
const STR: u8 = 6;
const TIMESTAMP: u8 = 7;
const DURATION: u8 = 8;
const LIST: u8 = 9;

/// In the first byte of a decimal, beside its scale.
const NEGATIVE: u8 = 0x80;
/// The mantissa has more than 64 bits.
const WIDE: u8 = 0x40;

/// Appends a value: a byte for its type, then what it is.
pub fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Int(number) => {
            out.push(INT);
            wire::put_int(out, *number);
        }
        Value::Float(number) => {
            out.push(FLOAT);
            wire::put_fixed(out, number.to_bits());
        }
        Value::Decimal(number) => {
            out.push(DECIMAL);
            put_decimal(out, number);
        }
        Value::Str(text) => {
            out.push(STR);
            wire::put_str(out, text);
        }
        Value::Timestamp(time) => {
            out.push(TIMESTAMP);
            wire::put_int(out, time.0);
        }
        Value::Duration(span) => {
            out.push(DURATION);
            wire::put_int(out, span.0);
        }
        Value::List(values) => {
            out.push(LIST);
            put_values(out, values);
        }
    }
}

/// Reads what [`put_value`] wrote.
///
/// # Errors
/// When the bytes are no value.
#[inline]
pub fn value(reader: &mut Reader<'_>) -> Result<Value, Damaged> {
    match reader.byte()? {
        LIST => list(reader, 1),
        number => scalar(reader, number),
    }
}

/// What follows the number of a type, but for lists.
#[inline]
fn scalar(reader: &mut Reader<'_>, number: u8) -> Result<Value, Damaged> {
    Ok(match number {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INT => Value::Int(reader.int()?),
        FLOAT => Value::Float(f64::from_bits(reader.fixed()?)),
        DECIMAL => Value::Decimal(decimal(reader)?),
        STR => Value::Str(reader.str()?.into()),
        TIMESTAMP => Value::Timestamp(Timestamp(reader.int()?)),
        DURATION => Value::Duration(Span(reader.int()?)),
        _ => return Err(reader.damaged("type of a value")),
    })
}

/// `depth`: in how many lists its values lie.
fn list(reader: &mut Reader<'_>, depth: usize) -> Result<Value, Damaged> {
    if depth > NESTED_MAX {
        return Err(reader.damaged("value within 1,024 lists"));
    }
    let count = reader.count()?;
    let mut values = Vec::with_capacity(count.min(ROOM_MAX));
    for _ in 0..count {
        values.push(match reader.byte()? {
            LIST => list(reader, depth + 1)?,
            number => scalar(reader, number)?,
        });
    }
    Ok(Value::List(Arc::from(values)))
}

/// Appends values one after the other, with their count.
pub fn put_values(out: &mut Vec<u8>, values: &[Value]) {
    wire::put_uint(out, values.len() as u64);
    for value in values {
        put_value(out, value);
    }
}

/// Reads what [`put_values`] wrote.
///
/// # Errors
/// When the bytes are no values.
pub fn values(reader: &mut Reader<'_>) -> Result<Box<[Value]>, Damaged> {
    let count = reader.count()?;
    let mut values = Vec::with_capacity(count.min(ROOM_MAX));
    for _ in 0..count {
        values.push(value(reader)?);
    }
    Ok(values.into())
}

/// Sign, scale and mantissa as they are: `1.0` and `1.00` differ.
fn put_decimal(out: &mut Vec<u8>, number: &Decimal) {
    let mantissa = number.mantissa().unsigned_abs();
    let high = (mantissa >> 64) as u64;
    // A decimal has at most 28 digits after the point.
    let mut head = number.scale() as u8;
    if number.is_sign_negative() {
        head |= NEGATIVE;
    }
    if high != 0 {
        head |= WIDE;
    }
    out.push(head);
    wire::put_uint(out, mantissa as u64);
    if high != 0 {
        wire::put_uint(out, high);
    }
}

fn decimal(reader: &mut Reader<'_>) -> Result<Decimal, Damaged> {
    let head = reader.byte()?;
    let scale = head & !(NEGATIVE | WIDE);
    if u32::from(scale) > Decimal::MAX_SCALE {
        return Err(reader.damaged("scale of at most 28 digits"));
    }
    let low = reader.uint()?;
    let high: u32 = match head & WIDE != 0 {
        true => reader.narrow()?,
        false => 0,
    };
    if head & WIDE != 0 && high == 0 {
        return Err(reader.damaged("mantissa of more than 64 bits"));
    }
    // Not from its parts: they would lose the sign of zero.
    let mut bytes = [0; 16];
    bytes[2] = scale;
    bytes[3] = head & NEGATIVE;
    bytes[4..12].copy_from_slice(&low.to_le_bytes());
    bytes[12..].copy_from_slice(&high.to_le_bytes());
    Ok(Decimal::deserialize(bytes))
}

/// Appends an event: type, time, position, values.
pub fn put_event(out: &mut Vec<u8>, event: &Event) {
    wire::put_uint(out, u64::from(event.ty.0));
    wire::put_int(out, event.time.0);
    put_position(out, event.position);
    put_values(out, &event.values);
}

/// Reads what [`put_event`] wrote. Whether the schema has such a type, with as many fields, is for the caller to see.
///
/// # Errors
/// When the bytes are no event.
pub fn event(reader: &mut Reader<'_>) -> Result<Event, Damaged> {
    Ok(Event {
        ty: EventTypeId(reader.narrow()?),
        time: Timestamp(reader.int()?),
        position: position(reader)?,
        values: values(reader)?,
    })
}

/// Appends a position: source, partition, offset.
pub fn put_position(out: &mut Vec<u8>, position: Position) {
    wire::put_uint(out, u64::from(position.source));
    wire::put_uint(out, u64::from(position.partition));
    wire::put_uint(out, position.offset);
}

/// Reads what [`put_position`] wrote.
///
/// # Errors
/// When the bytes are no position.
pub fn position(reader: &mut Reader<'_>) -> Result<Position, Damaged> {
    Ok(Position {
        source: reader.narrow()?,
        partition: reader.narrow()?,
        offset: reader.uint()?,
    })
}

/// Appends a key: the count of its parts, then the parts as values. Equal keys ([`total_order`](crate::lang::scalar::total_order)) have the
/// same bytes, and different ones different bytes, of which none begins with those of another: decimals are written without zeros at their end, and zero without a sign.
pub fn put_key(out: &mut Vec<u8>, parts: &[Value]) {
    wire::put_uint(out, parts.len() as u64);
    for part in parts {
        match plainest(part) {
            Some(plain) => put_value(out, &plain),
            None => put_value(out, part),
        }
    }
}

/// Reads what [`put_key`] wrote: a key equal to the one that was put.
///
/// # Errors
/// When the bytes are no key, or are those of a key that could be written more plainly.
pub fn key(reader: &mut Reader<'_>) -> Result<SmallVec<[Value; 1]>, Damaged> {
    let count = reader.count()?;
    let mut parts = SmallVec::with_capacity(count.min(ROOM_MAX));
    for _ in 0..count {
        let part = value(reader)?;
        if plainest(&part).is_some() {
            return Err(reader.damaged("key written in the plainest way"));
        }
        parts.push(part);
    }
    Ok(parts)
}

/// Appends what [`put_key`] lets go of: a no if [`key`] gives the very same parts, else a yes and the parts as they are. A row shows its key with the digits with which it came first, so
/// whoever stores state under a key stores this in its value.
pub fn put_spelling(out: &mut Vec<u8>, parts: &[Value]) {
    let differs = parts.iter().any(|part| plainest(part).is_some());
    wire::put_bool(out, differs);
    if differs {
        parts.iter().for_each(|part| put_value(out, part));
    }
}

/// Reads what [`put_spelling`] wrote, for a key that [`key`] gave: from then on it has the digits with which it came first.
///
/// # Errors
/// When the bytes are no key equal to this one.
pub fn spelling(reader: &mut Reader<'_>, key: &mut [Value]) -> Result<(), Damaged> {
    if !reader.bool()? {
        return Ok(());
    }
    for part in key {
        let spelt = value(reader)?;
        let mut bytes = (Vec::new(), Vec::new());
        put_key(&mut bytes.0, std::slice::from_ref(part));
        put_key(&mut bytes.1, std::slice::from_ref(&spelt));
        if bytes.0 != bytes.1 {
            return Err(reader.damaged("spelling of the key"));
        }
        *part = spelt;
    }
    Ok(())
}

/// The value that stands for all that are equal to it; `None` if that is the value itself.
fn plainest(value: &Value) -> Option<Value> {
    match value {
        // Two zeros are equal; that has no sign.
        Value::Float(number) if *number == 0.0 && number.is_sign_negative() => {
            Some(Value::Float(0.0))
        }
        Value::Decimal(number) => {
            let plain = number.normalize();
            (plain.serialize() != number.serialize()).then_some(Value::Decimal(plain))
        }
        Value::List(values) => {
            let plain: Vec<Option<Value>> = values.iter().map(plainest).collect();
            plain.iter().any(Option::is_some).then(|| {
                let both = plain.into_iter().zip(values.iter());
                Value::List(
                    both.map(|(plain, own)| plain.unwrap_or_else(|| own.clone()))
                        .collect(),
                )
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
