//! The values that fields and expressions have.

use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;
use serde::{Serialize, Serializer};

use super::formats::shown;
use crate::time::{Span, Timestamp};

pub use rust_decimal::Decimal;

/// A value of a field or of an expression. 24 bytes; strings up to 24 bytes need no allocation.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// Absent, null, or the result of arithmetic that has none.
    #[default]
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `float`
    Float(f64),
    /// `decimal`
    Decimal(Decimal),
    /// `string`
    Str(CompactString),
    /// `timestamp`
    Timestamp(Timestamp),
    /// `duration`
    Duration(Span),
    /// The result of `collect`
    List(Arc<[Value]>),
}

/// Powers of ten, as many as an `i64` holds.
pub(crate) const TENS: [i64; 19] = {
    let mut tens = [1; 19];
    let mut at = 1;
    while at < tens.len() {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};

impl Value {
    /// True for [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text of a [`Value::Str`].
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a [`Value::Int`].
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// A number of any type as a double; of large ones, and of decimals, the nearest one.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Decimal(number) => f64::try_from(*number).ok(),
            _ => None,
        }
    }
}

/// For people: strings as they are, times as RFC 3339, durations as `1h30m`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Float(value) => value.fmt(f),
            Value::Decimal(value) => value.fmt(f),
            Value::Str(text) => f.pad(text),
            Value::Timestamp(time) => f.pad(&shown(*time)),
            Value::Duration(span) => span.fmt(f),
            Value::List(values) => {
                f.write_str("[")?;
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    value.fmt(f)?;
                }
                f.write_str("]")
            }
        }
    }
}

/// Timestamps are epoch milliseconds, durations milliseconds. Decimals are strings: not every format has numbers that keep their digits.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Decimal(value) => serializer.collect_str(value),
            Value::Str(text) => serializer.serialize_str(text),
            Value::Timestamp(time) => serializer.serialize_i64(time.0),
            Value::Duration(span) => serializer.serialize_i64(span.0),
            Value::List(values) => serializer.collect_seq(values.iter()),
        }
    }
}

macro_rules! from {
    ($($type:ty => |$value:ident| $made:expr),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Value {
                $made
            }
        }
    )*};
}

from! {
    bool => |value| Value::Bool(value),
    i32 => |value| Value::Int(value.into()),
    u32 => |value| Value::Int(value.into()),
    i64 => |value| Value::Int(value),
    f64 => |value| Value::Float(value),
    Decimal => |value| Value::Decimal(value),
    &str => |value| Value::Str(value.into()),
    String => |value| Value::Str(value.into()),
    Timestamp => |value| Value::Timestamp(value),
    Span => |value| Value::Duration(value),
}

/// `None` is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
