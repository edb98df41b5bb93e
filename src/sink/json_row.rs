//! Rows as text: one JSON object per line, keys always in the same order.
//!
//! Timestamps are epoch milliseconds and durations milliseconds, as numbers. Decimals keep their digits, floats are the shortest text that
//! reads back as the same double, what is no number is null. Names are escaped once, so a row costs no allocation.

use std::ops::Range;

use super::number::{decimal, float, hex, int, millis, thirteen, unsigned};
use crate::automaton::{Row, Stream};
use crate::event::formats::chunk;
use crate::event::{EventTypeId, Schema, Value};
use crate::lang::pattern::Program;
use crate::source::Rejected;
use crate::time::Timestamp;

/// The digits of hexadecimal numbers.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// What stands between the key and the first field of nearly all rows, whose times have thirteen digits.
const MIDDLE: &[u8; 81] =
    br#","match_id":"0000000000000000","from":0000000000000,"to":0000000000000,"record":{"#;

/// Where the id and the times stand in it.
const ID: Range<usize> = 13..29;
const FROM: Range<usize> = 38..51;
const TO: Range<usize> = 57..70;

/// Writes the rows of a program.
#[derive(Clone, Debug)]
pub struct JsonRows {
    /// By pattern: how its rows begin, `"probe_then_drain","key":`.
    patterns: Vec<Piece>,
    /// By event type.
    streams: Vec<StreamText>,
}

/// The times of the row before, as text: windows that end together have the same, and so have matches that end with the same event.
#[derive(Debug, Default)]
pub(super) struct Times {
    from: Time,
    to: Time,
}

/// A time of thirteen digits.
#[derive(Debug)]
struct Time {
    millis: i64,
    text: [u8; 13],
}

impl Default for Time {
    fn default() -> Time {
        Time {
            millis: 1_000_000_000_000,
            text: *b"1000000000000",
        }
    }
}

impl Times {
    /// Appends a time: many fields hold that of the first or last event.
    #[inline]
    fn append(&self, time: Timestamp, out: &mut Vec<u8>) {
        let mut known = [&self.from, &self.to].into_iter();
        match known.find(|known| known.millis == time.0) {
            Some(known) => out.extend_from_slice(&known.text),
            None => millis(time.0, out),
        }
    }
}

impl Time {
    /// Becomes another time and gives its text; `None` if that has not thirteen digits.
    #[inline]
    fn of(&mut self, time: Timestamp) -> Option<&[u8; 13]> {
        if self.millis != time.0 {
            self.text = thirteen(time.0)?;
            self.millis = time.0;
        }
        Some(&self.text)
    }
}

/// A stream's names.
#[derive(Clone, Debug)]
struct StreamText {
    /// `{"output":"fraud","pattern":`
    head: Piece,
    /// By field: `"card":`, with a comma before all but the first.
    fields: Box<[Piece]>,
}

/// A piece of text that is written again and again.
#[derive(Clone, Debug)]
struct Piece {
    /// How it begins; the rest of these bytes is of no concern.
    first: [u8; chunk::BYTES],
    first_length: usize,
    rest: Box<[u8]>,
}

impl Piece {
    fn new(text: &[u8]) -> Piece {
        let (first, rest) = text.split_at(text.len().min(chunk::BYTES));
        let mut padded = [0; chunk::BYTES];
        padded[..first.len()].copy_from_slice(first);
        Piece {
            first: padded,
            first_length: first.len(),
            rest: rest.into(),
        }
    }

    #[inline]
    fn append(&self, out: &mut Vec<u8>) {
        append_first(&self.first, self.first_length, out);
        if !self.rest.is_empty() {
            out.extend_from_slice(&self.rest);
        }
    }
}

/// Appends the first of some bytes. All are copied, which takes less than to find out how many.
#[inline]
fn append_first(bytes: &[u8; chunk::BYTES], count: usize, out: &mut Vec<u8>) {
    let end = out.len() + count;
    out.extend_from_slice(bytes);
    out.truncate(end);
}

impl JsonRows {
    /// Knows the names of a program's patterns and streams.
    #[must_use]
    pub fn new(program: &Program) -> JsonRows {
        let names = program.patterns.iter().map(|pattern| pattern.name.as_str());
        JsonRows::named(&program.schema, names)
    }

    fn named<'a>(schema: &Schema, patterns: impl Iterator<Item = &'a str>) -> JsonRows {
        let quoted = |text: &str| {
            let mut out = Vec::new();
            string(text, &mut out);
            out
        };
        let stream = |ty: &crate::event::schema::EventType| {
            let fields = ty.fields.iter().enumerate().map(|(at, field)| {
                let mut text = if at == 0 { Vec::new() } else { b",".to_vec() };
                text.extend(quoted(&field.name));
                text.push(b':');
                Piece::new(&text)
            });
            StreamText {
                head: Piece::new(&head(&ty.name)),
                fields: fields.collect(),
            }
        };
        JsonRows {
            patterns: patterns
                .map(|name| Piece::new(&[&quoted(name), &br#","key":"#[..]].concat()))
                .collect(),
            streams: schema.types.iter().map(stream).collect(),
        }
    }

    /// Appends a row and its line break.
    pub fn append(&self, row: &Row, out: &mut Vec<u8>) {
        self.append_next(row, &mut Times::default(), out);
    }

    /// The same. `times`: of the row before.
    pub(super) fn append_next(&self, row: &Row, times: &mut Times, out: &mut Vec<u8>) {
        match row.stream {
            Stream::Match(ty) | Stream::Timeout(ty) => {
                let stream = self.stream(ty);
                stream.head.append(out);
                self.middle(row, times, out);
                for (name, value) in stream.fields.iter().zip(&row.values) {
                    name.append(out);
                    match value {
                        Value::Timestamp(time) => times.append(*time, out),
                        value => append_value(value, out),
                    }
                }
            }
            Stream::Evicted => {
                out.extend_from_slice(br#"{"output":"evicted","pattern":"#);
                self.middle(row, times, out);
                out.extend_from_slice(br#""step":"#);
                append_value(row.values.first().unwrap_or(&Value::Null), out);
            }
        }
        out.extend_from_slice(b"}}\n");
    }

    /// From the pattern's name to the record's opening brace.
    #[inline]
    fn middle(&self, row: &Row, times: &mut Times, out: &mut Vec<u8>) {
        self.patterns[row.pattern.0 as usize].append(out);
        match &*row.key {
            [] => out.extend_from_slice(b"null"),
            [one] => append_value(one, out),
            parts => list(parts, out),
        }
        // Written where it stays: what was put together from parts and is then copied stalls the processor.
        let start = out.len();
        out.extend_from_slice(MIDDLE);
        let middle = &mut out[start..];
        middle[ID].copy_from_slice(&hex(row.match_id));
        if let (Some(from), Some(to)) = (times.from.of(row.from), times.to.of(row.to)) {
            middle[FROM].copy_from_slice(from);
            middle[TO].copy_from_slice(to);
            return;
        }
        out.truncate(start + FROM.start);
        millis(row.from.0, out);
        out.extend_from_slice(&MIDDLE[FROM.end..TO.start]);
        millis(row.to.0, out);
        out.extend_from_slice(&MIDDLE[TO.end..]);
    }

    fn stream(&self, id: EventTypeId) -> &StreamText {
        &self.streams[usize::from(id.0)]
    }
}

/// Appends the row of a late or malformed record and its line break.
pub(super) fn append_rejected(rejected: &Rejected<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"output":""#);
    out.extend_from_slice(rejected.rejection.output().as_bytes());
    out.extend_from_slice(br#"","source":"#);
    string(rejected.source, out);
    out.extend_from_slice(br#","partition":"#);
    unsigned(u64::from(rejected.partition), out);
    out.extend_from_slice(br#","offset":"#);
    unsigned(rejected.offset, out);
    out.extend_from_slice(br#","reason":"#);
    string(rejected.reason, out);
    out.extend_from_slice(br#","record":"#);
    string(&String::from_utf8_lossy(rejected.record), out);
    out.extend_from_slice(b"}\n");
}

/// `{"output":"fraud","pattern":`
fn head(name: &str) -> Vec<u8> {
    let mut head = br#"{"output":"#.to_vec();
    string(name, &mut head);
    head.extend_from_slice(br#","pattern":"#);
    head
}

/// A value as JSON, as rows have it.
///
/// # Panics
/// Never: text and numbers are UTF-8.
#[must_use]
pub fn json(value: &Value) -> String {
    let mut out = Vec::new();
    append_value(value, &mut out);
    String::from_utf8(out).expect("texts and digits are UTF-8")
}

/// Appends a value as JSON.
fn append_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(value) => int(*value, out),
        Value::Float(value) if value.is_finite() => float(*value, out),
        Value::Float(_) => out.extend_from_slice(b"null"),
        Value::Decimal(value) => decimal(value, out),
        Value::Str(text) => string(text, out),
        Value::Timestamp(time) => millis(time.0, out),
        Value::Duration(span) => int(span.0, out),
        Value::List(values) => list(values, out),
    }
}

fn list(values: &[Value], out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        append_value(value, out);
    }
    out.push(b']');
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    if let Some(plain) = chunk::plain(rest) {
        append_first(&plain, rest.len(), out);
        return out.push(b'"');
    }
    loop {
        let at = chunk::plain_end(rest, 0);
        out.extend_from_slice(&rest[..at]);
        let Some(byte) = rest.get(at) else { break };
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', *byte]),
            byte => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        rest = &rest[at + 1..];
    }
    out.push(b'"');
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::FieldType;
    use crate::event::schema::{EventType, Field};
    use crate::lang::pattern::PatternId;
    use crate::source::Rejection;
    use crate::time::Span;
    use proptest::prelude::*;

    pub(in crate::sink) fn rows() -> JsonRows {
        let field = |name: &str| Field {
            name: name.to_owned(),
            ty: FieldType::String,
            optional: true,
            path: vec![name.to_owned()],
        };
        let fraud = EventType {
            name: "fraud".to_owned(),
            fields: vec![field("card"), field("spent")],
            time: None,
        };
        JsonRows::named(
            &Schema { types: vec![fraud] },
            ["probe_then_drain"].into_iter(),
        )
    }

    fn made(stream: Stream, key: Vec<Value>, values: Vec<Value>, from: i64) -> Row {
        Row {
            pattern: PatternId(0),
            stream,
            at: Timestamp(1_700_000_030_000),
            key: key.into(),
            match_id: 0x9f3c,
            from: Timestamp(from),
            to: Timestamp(1_700_000_030_000),
            values: values.into(),
        }
    }

    fn row(stream: Stream, key: Vec<Value>, values: Vec<Value>) -> String {
        let mut out = Vec::new();
        rows().append(&made(stream, key, values, 1_700_000_000_000), &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn keys_stand_in_the_documented_order() {
        let values = vec![
            Value::Str("c1".into()),
            Value::Decimal("900.00".parse().expect("a decimal")),
        ];
        assert_eq!(
            row(
                Stream::Match(EventTypeId(0)),
                vec![Value::Str("c1".into())],
                values.clone()
            ),
            concat!(
                r#"{"output":"fraud","pattern":"probe_then_drain","key":"c1","match_id":"0000000000009f3c","#,
                r#""from":1700000000000,"to":1700000030000,"record":{"card":"c1","spent":900.00}}"#,
                "\n"
            )
        );
        let unkeyed = row(Stream::Timeout(EventTypeId(0)), vec![], values);
        assert!(unkeyed.contains(r#""key":null,"#), "{unkeyed}");
        let mut old = Vec::new();
        rows().append(
            &made(Stream::Evicted, Vec::new(), Vec::new(), 999_999_999_999),
            &mut old,
        );
        assert_eq!(
            String::from_utf8(old).expect("text"),
            concat!(
                r#"{"output":"evicted","pattern":"probe_then_drain","key":null,"match_id":"0000000000009f3c","#,
                r#""from":999999999999,"to":1700000030000,"record":{"step":null}}"#,
                "\n"
            )
        );
        assert_eq!(
            row(
                Stream::Evicted,
                vec![Value::Int(1), Value::Null],
                vec![Value::Str("drain".into())]
            ),
            concat!(
                r#"{"output":"evicted","pattern":"probe_then_drain","key":[1,null],"match_id":"0000000000009f3c","#,
                r#""from":1700000000000,"to":1700000030000,"record":{"step":"drain"}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_time_of_a_record_is_written_whatever_the_times_of_its_row() {
        let (from, to) = (1_700_000_000_000, 1_700_000_030_000);
        let mut times = Times::default();
        for at in [from, to, from + 1, 999_999_999_999, -5, 1_000_000_000_000] {
            let value = || Value::Timestamp(Timestamp(at));
            let row = made(
                Stream::Match(EventTypeId(0)),
                vec![],
                vec![value(), value()],
                from,
            );
            let mut out = Vec::new();
            rows().append_next(&row, &mut times, &mut out);
            let text = String::from_utf8(out).expect("text");
            let record =
                format!(r#""from":{from},"to":{to},"record":{{"card":{at},"spent":{at}}}}}"#);
            assert!(text.ends_with(&format!("{record}\n")), "{text}");
        }
    }

    #[test]
    fn values_are_exact() {
        let shown = |value: Value| {
            let mut out = Vec::new();
            append_value(&value, &mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(shown(Value::Float(900.0)), "900.0");
        assert_eq!(shown(Value::Float(0.1)), "0.1");
        assert_eq!(shown(Value::Float(f64::MAX)), "1.7976931348623157e308");
        assert_eq!(shown(Value::Float(f64::NAN)), "null");
        assert_eq!(shown(Value::Float(f64::INFINITY)), "null");
        assert_eq!(shown(Value::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(shown(Value::Int(0)), "0");
        assert_eq!(shown(Value::Timestamp(Timestamp(-5))), "-5");
        assert_eq!(shown(Value::Duration(Span(30_000))), "30000");
        let list = Value::List([Value::Bool(true), Value::Null, Value::List([].into())].into());
        assert_eq!(shown(list), "[true,null,[]]");
    }

    #[test]
    fn a_rejected_record_is_shown_with_its_place_and_reason() {
        let rejected = Rejected {
            rejection: Rejection::Malformed,
            source: "cards.ndjson",
            partition: 0,
            offset: 17,
            reason: "field \"at\" is missing",
            behind: None,
            record: b"{\"a\":\"\xff\x01\"}",
        };
        let mut out = Vec::new();
        append_rejected(&rejected, &mut out);
        assert_eq!(
            String::from_utf8(out).expect("text"),
            concat!(
                r#"{"output":"malformed","source":"cards.ndjson","partition":0,"offset":17,"#,
                r#""reason":"field \"at\" is missing","record":"{\"a\":\""#,
                "\u{fffd}",
                r#"\u0001\"}"}"#,
                "\n"
            )
        );
    }

    proptest! {
        #[test]
        fn strings_and_numbers_read_back(text in any::<String>(), float: f64, int: i64) {
            let read = |value: Value| {
                let mut out = Vec::new();
                append_value(&value, &mut out);
                serde_json::from_slice::<serde_json::Value>(&out).expect("JSON")
            };
            let read_text = read(Value::Str(text.as_str().into()));
            prop_assert_eq!(read_text.as_str(), Some(text.as_str()));
            prop_assert_eq!(read(Value::Int(int)).as_i64(), Some(int));
            let mut out = Vec::new();
            append_value(&Value::Float(float), &mut out);
            let shown = String::from_utf8(out).expect("text");
            let back = shown.parse::<f64>().ok();
            prop_assert_eq!(back, Some(float).filter(|float| float.is_finite()));
        }
    }
}
