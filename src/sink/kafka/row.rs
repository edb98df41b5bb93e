//! What of a row goes beside its text: the record's key and headers.
//!
//! Rows arrive as text, in which all of it stands at the beginning and in a fixed order ([`JsonRows`](crate::sink::JsonRows)); it is cut out, not
//! parsed. A text that begins otherwise has neither.

use std::borrow::Cow;

/// Headers of a row in the order in which they are written.
const OF_MATCHES: [&str; 4] = ["pattern", "match_id", "from", "to"];

/// Headers of a late or malformed record.
const OF_RECORDS: [&str; 3] = ["source", "partition", "offset"];

/// Key and headers of a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Beside<'a> {
    pub key: Option<Cow<'a, [u8]>>,
    pub headers: Vec<(&'static str, Cow<'a, [u8]>)>,
}

impl<'a> Beside<'a> {
    /// Of a row, whose key is that of its pattern, or a field of what it emits.
    pub(super) fn of(row: &'a [u8], field: Option<&str>) -> Beside<'a> {
        let mut rest = Rest(row);
        let mut beside = cut(&mut rest).unwrap_or_default();
        if let Some(field) = field {
            let found = rest.within(b",\"record\":{", field);
            beside.key = found.filter(|told| *told != b"null").map(text);
        }
        beside
    }
}

fn cut<'a>(rest: &mut Rest<'a>) -> Option<Beside<'a>> {
    let output = rest.member(b"{\"output\":")?;
    let mut headers = Vec::with_capacity(OF_MATCHES.len() + 1);
    headers.push(("output", text(output)));
    let mut key = None;
    if let Some(pattern) = rest.member(b",\"pattern\":") {
        let told = rest.member(b",\"key\":")?;
        key = (told != b"null").then(|| text(told));
        let values = [
            pattern,
            rest.member(b",\"match_id\":")?,
            rest.member(b",\"from\":")?,
            rest.member(b",\"to\":")?,
        ];
        headers.extend(OF_MATCHES.into_iter().zip(values.map(text)));
    } else {
        let values = [
            rest.member(b",\"source\":")?,
            rest.member(b",\"partition\":")?,
            rest.member(b",\"offset\":")?,
        ];
        headers.extend(OF_RECORDS.into_iter().zip(values.map(text)));
    }
    Some(Beside { key, headers })
}

/// A string without its quotes and escapes; anything else as it is.
fn text(value: &[u8]) -> Cow<'_, [u8]> {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    match inner {
        None => Cow::Borrowed(value),
        Some(inner) if !inner.contains(&b'\\') => Cow::Borrowed(inner),
        Some(_) => match serde_json::from_slice::<String>(value) {
            Ok(text) => Cow::Owned(text.into_bytes()),
            Err(_) => Cow::Borrowed(value),
        },
    }
}

/// What of a row was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// The value of a field in the object behind `name`, if the rest begins with that.
    fn within(&mut self, name: &[u8], field: &str) -> Option<&'a [u8]> {
        self.0 = self.0.strip_prefix(name)?;
        loop {
            let length = self.0.iter().position(|byte| *byte == b':')?;
            let (told, _) = self.0.split_at(length);
            // Names of fields are letters, digits and underscores.
            let is_it = told
                .strip_prefix(b"\"")
                .and_then(|told| told.strip_suffix(b"\""));
            let is_it = is_it == Some(field.as_bytes());
            self.0 = &self.0[length + 1..];
            let length = self::length(self.0)?;
            let (value, rest) = self.0.split_at(length);
            if is_it {
                return Some(value);
            }
            self.0 = rest.strip_prefix(b",")?;
        }
    }

    /// The value behind `name`, if the rest begins with it.
    fn member(&mut self, name: &[u8]) -> Option<&'a [u8]> {
        let value = self.0.strip_prefix(name)?;
        let length = length(value)?;
        let (value, rest) = value.split_at(length);
        self.0 = rest;
        Some(value)
    }
}

/// How long the JSON value is with which a text begins.
fn length(text: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => depth += 1,
            b',' | b'}' if depth == 0 => return Some(at),
            b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(row: &str, key: Option<&str>, headers: &[(&str, &str)]) {
        let beside = Beside::of(row.as_bytes(), None);
        assert_eq!(beside.key.as_deref(), key.map(str::as_bytes));
        let told = beside.headers.iter();
        let told: Vec<(&str, &str)> = told
            .map(|(name, value)| (*name, std::str::from_utf8(value).expect("text")))
            .collect();
        assert_eq!(told, headers);
    }

    fn row(key: &str) -> String {
        format!(
            r#"{{"output":"fraud","pattern":"p","key":{key},"match_id":"00ff","from":-5,"to":7,"record":{{"key":"x"}}}}"#
        )
    }

    #[test]
    fn a_match_has_its_key_and_headers() {
        let headers = [
            ("output", "fraud"),
            ("pattern", "p"),
            ("match_id", "00ff"),
            ("from", "-5"),
            ("to", "7"),
        ];
        let check = |key: &str, wanted| check(&row(key), wanted, &headers);
        check(r#""c1""#, Some("c1"));
        check(r#""a,\"\\}\u00e4""#, Some("a,\"\\}ä"));
        check("null", None);
        check("17", Some("17"));
        check(r#"["c,1",{"a":2},[3]]"#, Some(r#"["c,1",{"a":2},[3]]"#));
    }

    #[test]
    fn a_rejected_record_has_its_place_and_no_key() {
        check(
            r#"{"output":"late","source":"kafka://a:9092/t","partition":3,"offset":17,"reason":"…","record":"{}"}"#,
            None,
            &[
                ("output", "late"),
                ("source", "kafka://a:9092/t"),
                ("partition", "3"),
                ("offset", "17"),
            ],
        );
    }

    #[test]
    fn a_field_of_what_is_emitted_can_be_the_key() {
        let row = r#"{"output":"by_shop","pattern":"p","key":"c1","match_id":"00ff","from":-5,"to":7,"record":{"card":"c,1","amount":1.50,"shop":"a\"b","n":17,"gone":null}}"#;
        let key = |field| {
            let beside = Beside::of(row.as_bytes(), Some(field));
            assert_eq!(beside.headers.len(), 5);
            beside
                .key
                .map(|key| String::from_utf8(key.into_owned()).expect("text"))
        };
        assert_eq!(key("shop").as_deref(), Some("a\"b"));
        assert_eq!(key("card").as_deref(), Some("c,1"));
        assert_eq!(key("amount").as_deref(), Some("1.50"));
        assert_eq!(key("n").as_deref(), Some("17"));
        assert_eq!(key("gone"), None);
        assert_eq!(key("nowhere"), None);
        assert_eq!(key("c1"), None);
    }

    #[test]
    fn another_text_has_neither() {
        for row in [
            "",
            "{}",
            "text",
            r#"{"output":"#,
            r#"{"output":"a""#,
            &row("]"),
        ] {
            check(row, None, &[]);
        }
    }

    #[test]
    fn rows_as_they_are_written_are_understood() {
        use crate::automaton::{Row, Stream};
        use crate::event::Value;
        use crate::lang::pattern::PatternId;
        use crate::sink::json_row::tests::rows;
        use crate::time::Timestamp;
        let written = Row {
            pattern: PatternId(0),
            stream: Stream::Evicted,
            at: Timestamp(0),
            key: vec![Value::Str("a\"b".into()), Value::Int(2)].into(),
            match_id: 1,
            from: Timestamp(3),
            to: Timestamp(4),
            values: [].into(),
        };
        let mut text = Vec::new();
        rows().append(&written, &mut text);
        let text = String::from_utf8(text).expect("text");
        check(
            &text,
            Some(r#"["a\"b",2]"#),
            &[
                ("output", "evicted"),
                ("pattern", "probe_then_drain"),
                ("match_id", "0000000000000001"),
                ("from", "3"),
                ("to", "4"),
            ],
        );
    }
}
