//! What a scanner found for a field: where its text lies, not yet what it means.

use std::fmt;

use super::instant;
use crate::time::{Span, Timestamp};

/// A stretch of a record, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Cut {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The raw value of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    not(all(feature = "avro", feature = "protobuf")),
    allow(dead_code, reason = "text formats have other ones")
)]
pub(super) enum Token {
    /// The record has no such field.
    Absent,
    /// `null`, or an empty CSV field.
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number by the grammar of JSON.
    Number(Cut),
    /// A string without escapes, quotes left out.
    Text(Cut),
    /// A string with valid escapes, quotes left out.
    Escaped(Cut),
    /// A CSV field: its type is not told by its form.
    Bare(Cut),
    /// An object
    Object,
    /// An array
    Array,
    /// A whole number of a binary format.
    Whole(i64),
    /// A floating-point number of a binary format.
    Float(f64),
    /// A decimal of a binary format: this many units of 10 to the minus so many, at most 28.
    Scaled(i64, u8),
    /// A point in time whose unit the format tells.
    Time(Timestamp),
    /// A length of time whose unit the format tells.
    Span(Span),
    /// What no type of fields holds.
    Foreign(Foreign),
}

/// Values of binary formats that no type of fields holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "avro", feature = "protobuf")),
    allow(dead_code, reason = "text formats have other ones")
)]
pub(super) enum Foreign {
    /// Bytes that are no text.
    Bytes,
    /// A time of no zone, which is no point in time.
    LocalTime,
    /// Months and days, whose length depends on when they begin.
    Months,
    /// A number of more than 38 digits.
    Vast,
}

impl Foreign {
    fn shown(self) -> &'static str {
        match self {
            Foreign::Bytes => "bytes",
            Foreign::LocalTime => "a time of no zone",
            Foreign::Months => "a number of months",
            Foreign::Vast => "a number of more than 38 digits",
        }
    }
}

impl Cut {
    /// Records are at most a few megabytes long.
    pub(super) fn new(start: usize, end: usize) -> Cut {
        Cut {
            start: start as u32,
            end: end as u32,
        }
    }

    /// The stretch itself.
    pub(super) fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }

    /// All of a text.
    pub(super) fn all(text: &str) -> Cut {
        Cut {
            start: 0,
            end: text.len() as u32,
        }
    }
}

/// How many characters of a value a message shows.
const SHOWN_MAX: usize = 40;

/// A value as messages show it: its kind, and its text cut to a readable length.
pub(super) struct Shown<'a>(pub(super) Token, pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, cut) = match self.0 {
            Token::Absent => return f.write_str("nothing"),
            Token::Null => return f.write_str("null"),
            Token::Bool(value) => return write!(f, "{value}"),
            Token::Object => return f.write_str("an object"),
            Token::Array => return f.write_str("an array"),
            Token::Whole(value) => return write!(f, "number {value}"),
            Token::Float(value) => return write!(f, "floating-point number {value}"),
            Token::Scaled(units, scale) => {
                return write!(
                    f,
                    "number {}",
                    rust_decimal::Decimal::new(units, scale.into())
                );
            }
            Token::Time(time) => return write!(f, "time {}", instant::shown(time)),
            Token::Span(span) => return write!(f, "duration {span}"),
            Token::Foreign(foreign) => return f.write_str(foreign.shown()),
            Token::Number(cut) => ("number ", cut),
            Token::Text(cut) | Token::Escaped(cut) => ("string ", cut),
            Token::Bare(cut) => ("", cut),
        };
        f.write_str(kind)?;
        let text = cut.of(self.1);
        let quote = if matches!(self.0, Token::Number(_)) {
            ""
        } else {
            "\""
        };
        match text.char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => write!(f, "{quote}{}…{quote}", &text[..end]),
            None => write!(f, "{quote}{text}{quote}"),
        }
    }
}
