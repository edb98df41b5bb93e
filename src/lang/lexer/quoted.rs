//! Texts in quotes, and what their escapes stand for.

use super::{Lexer, line};
use crate::lang::diagnostic::codes_syntax as codes;
use crate::lang::span::Span;
use crate::lang::syntax_error::error;
use crate::lang::token::Tok;

impl Lexer<'_> {
    pub(super) fn quoted(&mut self, quote: char) {
        let line = line(self.rest());
        let Some(length) = closing_quote(line, quote) else {
            let length = line.trim_end().len();
            let span = self.push(Tok::Text, length);
            self.report(
                error(
                    codes::UNTERMINATED_TEXT,
                    self.file,
                    span,
                    "this text has no closing quote",
                    "starts here and runs to the end of the line",
                )
                .help("close it with `\"` on the same line; a line break inside is written `\\n`"),
            );
            return;
        };
        let span = self.push(Tok::Text, length);
        if quote == '\'' {
            let inner = &line[1..length - 1];
            self.report(
                error(
                    codes::SINGLE_QUOTES,
                    self.file,
                    span,
                    "text stands in double quotes",
                    "single quotes",
                )
                .help(format!("write \"{}\"", inner.replace('"', "\\\""))),
            );
        }
        let mut faults = Vec::new();
        unescape(&line[1..length - 1], |at, length| faults.push((at, length)));
        for (at, length) in faults {
            let start = span.start as usize + 1 + at;
            let place = Span::new(start, start + length);
            let written = &self.text[start..start + length];
            self.report(
                error(
                    codes::UNKNOWN_ESCAPE,
                    self.file,
                    place,
                    format!("unknown escape `{written}`"),
                    "stands for nothing",
                )
                .help("the escapes are \\\" \\\\ \\n \\r \\t and \\u{…}; a backslash itself is `\\\\`"),
            );
        }
    }
}

/// Length of the text that starts `line`, both quotes included.
fn closing_quote(line: &str, quote: char) -> Option<usize> {
    let mut chars = line.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
}

/// The text between two quotes with its escapes resolved. `fault` is told where an escape, in bytes from the start
/// of `inner`, stands for nothing; it then stands for itself.
pub(crate) fn unescape(inner: &str, mut fault: impl FnMut(usize, usize)) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let start = inner.len() - escape.len();
        let (length, read) = read_escape(escape);
        match read {
            Some(c) => out.push(c),
            None => {
                fault(start, length);
                out.push_str(&escape[..length]);
            }
        }
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// Length of the escape that starts `input`, and what it stands for.
fn read_escape(input: &str) -> (usize, Option<char>) {
    let Some(letter) = input[1..].chars().next() else {
        return (1, None);
    };
    let simple = match letter {
        '"' | '\\' | '\'' => Some(letter),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        _ => None,
    };
    if letter == 'u'
        && let Some(digits) = input[2..].strip_prefix('{')
        && let Some(end) = digits.find('}')
        && (1..=6).contains(&end)
        && digits[..end].bytes().all(|b| b.is_ascii_hexdigit())
        && let Ok(code) = u32::from_str_radix(&digits[..end], 16)
    {
        return (3 + end + 1, char::from_u32(code));
    }
    (1 + letter.len_utf8(), simple)
}
