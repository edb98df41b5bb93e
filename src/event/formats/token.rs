//! What a scanner found for a field: where its text lies, not yet what it means.

use std::fmt;

/// A stretch of a record, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// The raw value of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Cut {
    /// The stretch itself.
    pub(super) fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
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
