//! What decoders make of whole records.

use super::*;
use crate::event::schema::{EventType, Field, TimeUnit};
use crate::event::{Event, EventTypeId, FieldId, FieldType, Position, Schema, Value};

fn field(name: &str, ty: FieldType, optional: bool, path: &str) -> Field {
    Field {
        name: name.to_owned(),
        ty,
        optional,
        path: path.split('.').map(str::to_owned).collect(),
    }
}

/// `Txn`, `Beat`, and a stream that a pattern emits.
pub(super) fn schema() -> Schema {
    use FieldType::{Bool, Decimal, Duration, Float, Int, String, Timestamp};
    let ty = |name: &str, fields, time| EventType {
        name: name.to_owned(),
        fields,
        time,
    };
    let txn = vec![
        field("at", Timestamp(TimeUnit::Millis), false, "ts"),
        field("card", String, false, "card"),
        field("amount", Decimal, false, "amount"),
        field("country", String, true, "meta.geo.country"),
        field("count", Int, true, "count"),
        field("ratio", Float, true, "ratio"),
        field("ok", Bool, true, "ok"),
        field("waited", Duration, true, "waited"),
    ];
    let beat = vec![
        field("device", String, false, "device"),
        field("time", Timestamp(TimeUnit::Seconds), false, "time"),
    ];
    Schema {
        types: vec![
            ty("Txn", txn, Some(FieldId(0))),
            ty("Beat", beat, Some(FieldId(1))),
            ty("alert", vec![], None),
        ],
    }
}

pub(super) const TXN: Kinds = Kinds::One(EventTypeId(0));
const BEAT: Kinds = Kinds::One(EventTypeId(1));
pub(super) const AT: Position = Position {
    source: 1,
    partition: 2,
    offset: 3,
};

pub(super) fn told() -> Kinds {
    Kinds::Told("type".to_owned())
}

fn json(kinds: &Kinds) -> Decoder {
    let schema = schema();
    Decoder::new(&schema, &Projection::all(&schema), Format::Json, kinds)
}

fn csv(kinds: &Kinds, header: &str) -> Decoder {
    let schema = schema();
    let mut decoder = Decoder::new(&schema, &Projection::all(&schema), Format::Csv, kinds);
    assert!(decoder.wants_header());
    decoder.header(header.as_bytes()).expect("a header");
    assert!(!decoder.wants_header());
    decoder
}

#[track_caller]
fn event(decoder: &mut Decoder, record: &str) -> Event {
    match decoder.decode(record.as_bytes(), AT) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("{record}: {other:?}"),
    }
}

#[track_caller]
fn refused(decoder: &mut Decoder, record: impl AsRef<[u8]>, flaw: Flaw, reason: &str) {
    let malformed = decoder
        .decode(record.as_ref(), AT)
        .expect_err("a malformed record");
    assert_eq!((malformed.flaw, malformed.reason.as_str()), (flaw, reason));
}

const FULL: &str = r#"{"ts":1700000000000,"noise":{"a":[1,{"ts":5}]},"card":"c\u0031é","amount":900.00,
    "meta":{"geo":{"country":"FR","city":"x"}},"count":5.0,"ratio":1e-2,"ok":true,"waited":"1h30m"}"#;

#[test]
fn every_type_is_read_from_json() {
    let event = event(&mut json(&TXN), FULL);
    let shown: Vec<String> = event
        .values
        .iter()
        .map(|value| format!("{value:?}"))
        .collect();
    assert_eq!(
        shown,
        [
            "Timestamp(Timestamp(1700000000000))",
            "Str(\"c1é\")",
            "Decimal(900.00)",
            "Str(\"FR\")",
            "Int(5)",
            "Float(0.01)",
            "Bool(true)",
            "Duration(Span(5400000))",
        ]
    );
    assert_eq!(
        (event.ty, event.time.0, event.position),
        (EventTypeId(0), 1_700_000_000_000, AT)
    );
}

#[test]
fn spaces_may_come_and_go_from_record_to_record() {
    let written = r#"{"ts":1700000000000,"card":"c1","amount":5}"#;
    let spaced = written.replace(':', " : ").replace(',', " ,\t");
    let some = written.replace(':', ": ");
    let mut decoder = json(&TXN);
    let first = event(&mut decoder, written);
    for record in [&spaced, written, &some, &spaced, &some, written] {
        assert_eq!(event(&mut decoder, record), first, "{record}");
    }
}

#[test]
fn csv_gives_the_same_event_as_json() {
    let mut decoder = csv(
        &TXN,
        "noise,amount,card,ts,meta.geo.country,ok,waited,ratio,count",
    );
    let from_csv = event(
        &mut decoder,
        "\"a\n\"\"b\",900.00,\"c1é\",1700000000000,FR,true,1h30m,1e-2,5.0",
    );
    assert_eq!(from_csv, event(&mut json(&TXN), FULL));
    let bare = event(&mut decoder, ",1,,2023-11-14T22:13:20Z,,,,,");
    assert_eq!(
        bare,
        event(
            &mut json(&TXN),
            r#"{"amount":"1","card":"","ts":"2023-11-14T22:13:20Z","ok":null}"#
        )
    );
}

#[test]
fn a_field_names_the_type() {
    let mut decoder = json(&told());
    for _ in 0..2 {
        let beat = event(
            &mut decoder,
            r#"{"time":1700000000,"device":"d","type":"Beat"}"#,
        );
        assert_eq!((beat.ty, beat.time.0), (EventTypeId(1), 1_700_000_000_000));
        assert_eq!(
            event(
                &mut decoder,
                r#"{"type":"T\u0078n","ts":1700000000000,"card":"c","amount":1}"#
            )
            .ty,
            EventTypeId(0)
        );
        for other in ["Other", "alert"] {
            let record = format!(r#"{{"type":"{other}"}}"#);
            assert_eq!(
                decoder.decode(record.as_bytes(), AT),
                Ok(Decoded::Filtered(None))
            );
        }
    }
    refused(
        &mut decoder,
        "{}",
        Flaw::Field,
        "field \"type\", which tells the event's type, is missing; name the source's type (Type=path) or the field (--type-field)",
    );
    refused(
        &mut decoder,
        r#"{"type":7}"#,
        Flaw::Field,
        "field \"type\": wanted the name of an event type, found number 7",
    );
    let beat = event(&mut csv(&told(), "type,time,device"), "Beat,1700000000,d");
    assert_eq!(beat.ty, EventTypeId(1));
}

#[test]
fn only_what_is_read_is_decoded() {
    let schema = schema();
    let mut projection = Projection::none(&schema);
    projection.read(&schema, EventTypeId(0), FieldId(1));
    let mut decoder = Decoder::new(&schema, &projection, Format::Json, &told());
    let txn = event(
        &mut decoder,
        r#"{"type":"Txn","ts":1700000000000,"card":"c","amount":"not read, not looked at"}"#,
    );
    assert_eq!(txn.values[1], Value::Str("c".into()));
    assert_eq!(txn.values[2], Value::Null);
    let beat = decoder.decode(br#"{"type":"Beat","time":1700000000}"#, AT);
    assert_eq!(
        beat,
        Ok(Decoded::Filtered(Some(Timestamp(1_700_000_000_000))))
    );
}

#[test]
fn a_refusal_names_field_type_and_value() {
    let mut decoder = json(&TXN);
    let mut with = |rest: &str, reason: &str| {
        let record = format!(r#"{{"ts":1700000000000,"card":"c","amount":1,{rest}}}"#);
        refused(&mut decoder, record, Flaw::Field, reason);
    };
    with(
        r#""amount":"abc""#,
        "field \"amount\": wanted decimal, found string \"abc\"",
    );
    with(
        r#""amount":null"#,
        "field \"amount\" is null; declare it decimal? if it may be",
    );
    with(
        r#""amount":1e99"#,
        "field \"amount\": number 1e99 is out of the range of decimal",
    );
    with(
        r#""amount":0.12345678901234567890123456789"#,
        "field \"amount\": number 0.12345678901234567890123456789 has more digits than decimal holds (28)",
    );
    with(
        r#""card":7"#,
        "field \"card\": wanted string, found number 7",
    );
    with(
        r#""card":"\ud800""#,
        "field \"card\": half of a surrogate pair in string \"\\ud800\"",
    );
    with(
        r#""count":1.5"#,
        "field \"count\": wanted int, a whole number, found number 1.5",
    );
    with(
        r#""count":{"a":1}"#,
        "field \"count\": wanted int, found an object",
    );
    with(
        r#""count":99999999999999999999"#,
        "field \"count\": number 99999999999999999999 is out of the range of int",
    );
    with(
        r#""ok":"true""#,
        "field \"ok\": wanted bool, found string \"true\"",
    );
    with(
        r#""waited":"5min""#,
        "field \"waited\": wanted duration (a number of ms, or text like 1h30m), found string \"5min\"",
    );
    let long = "é".repeat(100);
    with(
        &format!(r#""count":"{long}""#),
        &format!(
            "field \"count\": wanted int, found string \"{}…\"",
            "é".repeat(40)
        ),
    );
}

#[test]
fn records_that_are_none_are_refused() {
    let mut decoder = json(&TXN);
    refused(
        &mut decoder,
        "nonsense",
        Flaw::Syntax,
        "not a JSON object: expected `{` at byte 0",
    );
    refused(
        &mut decoder,
        "[{}]",
        Flaw::Syntax,
        "not a JSON object: found an array; write one object per line at byte 0",
    );
    refused(
        &mut decoder,
        b"{\"a\":\"\xff\"}",
        Flaw::Syntax,
        "not UTF-8 at byte 6",
    );
    refused(
        &mut decoder,
        vec![b' '; RECORD_BYTES_MAX + 1],
        Flaw::Size,
        "larger than 1 MiB",
    );
    refused(
        &mut decoder,
        "{}",
        Flaw::Field,
        "field \"at\" is missing; declare it timestamp? if it may be",
    );
    let mut decoder = csv(&BEAT, "time,device");
    refused(
        &mut decoder,
        "1700000000",
        Flaw::Syntax,
        "1 fields, but the header names 2 columns",
    );
    refused(
        &mut decoder,
        b"1700000000,\xff",
        Flaw::Syntax,
        "not UTF-8 at byte 10",
    );
    refused(
        &mut decoder,
        "soon,d",
        Flaw::Field,
        "field \"time\": wanted timestamp(s) (a number, or text like 2026-03-01T12:30:00Z), found \"soon\"",
    );
    refused(
        &mut decoder,
        ",d",
        Flaw::Field,
        "field \"time\" is empty; declare it timestamp(s)? if it may be",
    );
}

#[test]
fn times_that_cannot_be_meant_are_refused_with_a_guess() {
    let mut decoder = json(&TXN);
    let mut at = |time: &str, reason: &str| {
        let record = format!(r#"{{"ts":{time},"card":"c","amount":1}}"#);
        refused(&mut decoder, record, Flaw::Time, reason);
    };
    at(
        "1700000000",
        "field \"at\": 1700000000 is 1970-01-20T16:13:20Z, before 2000-01-01; seconds read as milliseconds? declare timestamp(s)",
    );
    at(
        "1700000000000000",
        "field \"at\": 1700000000000000 is in the year 55840, after 2199-12-31; microseconds read as milliseconds? declare timestamp(us)",
    );
    at(
        "0",
        "field \"at\": 0 is 1970-01-01T00:00:00Z, before 2000-01-01",
    );
    at(
        "9223372036854775807",
        "field \"at\": 9223372036854775807 is in the year 292278994, after 2199-12-31",
    );
    at(
        "\"1999-12-31T23:59:59.999Z\"",
        "field \"at\": string \"1999-12-31T23:59:59.999Z\" is before 2000-01-01",
    );
    assert_eq!(
        event(
            &mut json(&TXN),
            r#"{"ts":946684800000,"card":"c","amount":1}"#
        )
        .time,
        TIME_MIN
    );
    refused(
        &mut csv(&BEAT, "time,device"),
        "1700000000000,d",
        Flaw::Time,
        "field \"time\": 1700000000000 is in the year 55840, after 2199-12-31; milliseconds read as seconds? declare timestamp(ms)",
    );
}

#[test]
fn a_header_must_have_the_columns_that_are_read() {
    let schema = schema();
    let header = |kinds: &Kinds, names: &str| {
        let mut decoder = Decoder::new(&schema, &Projection::all(&schema), Format::Csv, kinds);
        decoder
            .header(names.as_bytes())
            .map_err(|error| error.to_string())
    };
    assert_eq!(header(&TXN, "ts,card,amount"), Ok(()));
    assert_eq!(
        header(&TXN, "ts,card"),
        Err("no column \"amount\" for field \"amount\" of Txn; columns, which the first line names, are ts, card".to_owned())
    );
    assert_eq!(
        header(&told(), "ts,card"),
        Err("no column \"type\" to tell the event types apart; name the type (Type=path); columns are ts, card".to_owned())
    );
}
