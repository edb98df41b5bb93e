//! What stands beside a record's value, put into it: the key, headers.
//!
//! It is put in front of a JSON object's own members, so that a member of the same name wins; behind a CSV line's columns; before a record of a binary format.

use super::topics::{Extra, Origin, Payload};
use crate::event::formats::beside;

/// What values are, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Binary,
}

/// Puts fields into values.
#[derive(Debug)]
pub(super) struct Extras {
    extras: Vec<Extra>,
    form: Form,
    /// The value with its extras.
    buffer: Vec<u8>,
}

impl Extras {
    pub(super) fn new(extras: &[Extra], payload: &Payload) -> Extras {
        Extras {
            extras: extras.to_vec(),
            form: match payload {
                Payload::Json => Form::Json,
                Payload::Csv(_) => Form::Csv,
                Payload::Avro(_) | Payload::Protobuf(_) => Form::Binary,
            },
            buffer: Vec::new(),
        }
    }

    /// The value with all fields; `find` knows what a record holds besides it.
    pub(super) fn join<'a>(
        &'a mut self,
        value: &'a [u8],
        find: impl Fn(&Origin) -> Option<&'a [u8]>,
    ) -> &'a [u8] {
        match (self.extras.is_empty(), self.form) {
            (true, Form::Csv) => return line(value),
            (true, _) => return value,
            (false, Form::Csv) => self.behind(line(value), find),
            (false, Form::Json) => self.within(value, find),
            (false, Form::Binary) => self.before(value, find),
        }
        &self.buffer
    }

    /// `{"a":1}` -> `{"key":"k","a":1}`. What is no object stays what it is, and is found out as such.
    fn within<'a>(&mut self, value: &[u8], find: impl Fn(&Origin) -> Option<&'a [u8]>) {
        self.buffer.clear();
        let members = value.trim_ascii_start().strip_prefix(b"{");
        let Some(members) = members else {
            self.buffer.extend_from_slice(value);
            return;
        };
        self.buffer.push(b'{');
        for extra in &self.extras {
            if self.buffer.len() > 1 {
                self.buffer.push(b',');
            }
            quoted(extra.field.as_bytes(), &mut self.buffer);
            self.buffer.push(b':');
            match (find(&extra.origin), &extra.origin) {
                (None, _) => self.buffer.extend_from_slice(b"null"),
                (Some(json), Origin::KeyJson) => self.buffer.extend_from_slice(json),
                (Some(text), _) => quoted(text, &mut self.buffer),
            }
        }
        if !members.trim_ascii_start().starts_with(b"}") {
            self.buffer.push(b',');
        }
        self.buffer.extend_from_slice(members);
    }

    /// Texts as [`beside`] has them, then the value.
    fn before<'a>(&mut self, value: &[u8], find: impl Fn(&Origin) -> Option<&'a [u8]>) {
        self.buffer.clear();
        for extra in &self.extras {
            beside::put(&mut self.buffer, find(&extra.origin));
        }
        self.buffer.extend_from_slice(value);
    }

    /// `1,2` -> `1,2,"k"`
    fn behind<'a>(&mut self, value: &[u8], find: impl Fn(&Origin) -> Option<&'a [u8]>) {
        self.buffer.clear();
        self.buffer.extend_from_slice(value);
        for extra in &self.extras {
            self.buffer.push(b',');
            let Some(text) = find(&extra.origin) else {
                continue;
            };
            self.buffer.push(b'"');
            for byte in text {
                if *byte == b'"' {
                    self.buffer.push(b'"');
                }
                self.buffer.push(*byte);
            }
            self.buffer.push(b'"');
        }
    }
}

/// A line without its break.
fn line(value: &[u8]) -> &[u8] {
    let line = value.strip_suffix(b"\n").unwrap_or(value);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The record that names the columns.
pub(super) fn header(columns: &[String], extras: &[Extra]) -> Vec<u8> {
    let extras = extras.iter().map(|extra| extra.field.as_str());
    let all: Vec<&str> = columns.iter().map(String::as_str).chain(extras).collect();
    all.join(",").into_bytes()
}

/// Appends a text as JSON. What is not UTF-8 stays so, and is found out where the whole is read.
fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.push(b'0' + (byte >> 4));
                out.push(b"0123456789abcdef"[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(field: &str, origin: Origin) -> Extra {
        Extra {
            field: field.to_owned(),
            origin,
        }
    }

    fn check(extras: &[Extra], payload: &Payload, value: &str, key: Option<&str>, wanted: &str) {
        let mut joining = Extras::new(extras, payload);
        let joined = joining.join(value.as_bytes(), |origin| match origin {
            Origin::KeyText | Origin::KeyJson => key.map(str::as_bytes),
            Origin::Header(name) => (name == "trace").then_some(&b"t1"[..]),
        });
        assert_eq!(std::str::from_utf8(joined), Ok(wanted));
    }

    #[test]
    fn fields_stand_before_those_of_the_object() {
        let check = |origin, value, key, wanted| {
            check(&[extra("card", origin)], &Payload::Json, value, key, wanted);
        };
        check(
            Origin::KeyText,
            r#" {"a":1}"#,
            Some("c1"),
            r#"{"card":"c1","a":1}"#,
        );
        check(Origin::KeyText, "{ }", Some("c1"), r#"{"card":"c1" }"#);
        check(Origin::KeyText, "{}", None, r#"{"card":null}"#);
        check(Origin::KeyText, "[1]", Some("c1"), "[1]");
        check(Origin::KeyText, "", Some("c1"), "");
        check(
            Origin::KeyText,
            "{}",
            Some("a\"\\\n\u{1f}ä"),
            r#"{"card":"a\"\\\u000a\u001fä"}"#,
        );
        check(Origin::KeyJson, "{}", Some("17"), r#"{"card":17}"#);
        check(
            Origin::Header("trace".to_owned()),
            "{}",
            None,
            r#"{"card":"t1"}"#,
        );
        check(
            Origin::Header("no".to_owned()),
            "{}",
            None,
            r#"{"card":null}"#,
        );
    }

    #[test]
    fn several_fields_and_none() {
        let both = [
            extra("card", Origin::KeyText),
            extra("trace", Origin::Header("trace".to_owned())),
        ];
        let wanted = r#"{"card":"c1","trace":"t1","a":1}"#;
        check(&both, &Payload::Json, r#"{"a":1}"#, Some("c1"), wanted);
        check(&[], &Payload::Json, r#"{"a":1}"#, Some("c1"), r#"{"a":1}"#);
        let csv = Payload::Csv(vec!["a".to_owned(), "b".to_owned()]);
        check(&both, &csv, "1,2\n", Some("c\"1"), "1,2,\"c\"\"1\",\"t1\"");
        check(&both, &csv, "1,2", None, "1,2,,\"t1\"");
        check(&[], &csv, "1,2 \r\n", None, "1,2 ");
        let Payload::Csv(columns) = &csv else {
            unreachable!("it is")
        };
        assert_eq!(header(columns, &both), b"a,b,card,trace");
    }
}
