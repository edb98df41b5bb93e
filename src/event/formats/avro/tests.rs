//! What is made of data that Avro's own library has written, and of bytes that nobody meant.

use apache_avro::Schema as AvroSchema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::prelude::*;

use super::super::*;
use super::bound::DEPTH_MAX;
use super::*;
use crate::event::schema::{EventType, Field, FieldType, TimeUnit};
use crate::event::value::Decimal;
use crate::event::{Event, EventTypeId, FieldId, Position, Schema, Value};
use crate::time::{Span, Timestamp};

const PAYMENT: &str = r#"{"type": "record", "name": "Payment", "namespace": "shop", "fields": [
    {"name": "unread", "type": {"type": "array", "items": {"type": "map", "values": "bytes"}}},
    {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "card", "type": "string"},
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["AUTH", "REFUND"]}},
    {"name": "place", "type": ["null", {"type": "record", "name": "Place", "fields": [
        {"name": "country", "type": ["null", "string"]},
        {"name": "nearby", "type": ["null", "Place"]},
        {"name": "unread", "type": {"type": "fixed", "name": "Hash", "size": 4}}]}]},
    {"name": "number", "type": ["int", "long"]},
    {"name": "ratio", "type": "float"},
    {"name": "ok", "type": "boolean"},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "clock", "type": {"type": "long", "logicalType": "time-micros"}},
    {"name": "tags", "type": {"type": "map", "values": "string"}},
    {"name": "items", "type": {"type": "array", "items": "null"}},
    {"name": "uuid", "aliases": ["id"], "type": {"type": "string", "logicalType": "uuid"}}]}"#;

fn field(name: &str, ty: FieldType, path: &str) -> Field {
    Field {
        name: name.to_owned(),
        ty,
        optional: true,
        path: path.split('.').map(str::to_owned).collect(),
    }
}

/// The fields that patterns read of a payment.
fn schema() -> Schema {
    use FieldType::{Bool, Decimal, Duration, Float, Int, String, Timestamp};
    let fields = vec![
        Field {
            optional: false,
            ..field("ts", Timestamp(TimeUnit::Millis), "ts")
        },
        field("card", String, "card"),
        field("amount", Decimal, "amount"),
        field("kind", String, "kind"),
        field("country", String, "place.country"),
        field("next", String, "place.nearby.country"),
        field("number", Int, "number"),
        field("ratio", Float, "ratio"),
        field("ok", Bool, "ok"),
        field("day", Timestamp(TimeUnit::Seconds), "day"),
        field("clock", Duration, "clock"),
        field("colour", String, "tags.colour"),
        field("id", String, "id"),
        field("nowhere", String, "nowhere"),
    ];
    let ty = |name: &str| EventType {
        name: name.to_owned(),
        fields: fields.clone(),
        time: Some(FieldId(0)),
    };
    Schema {
        types: vec![ty("Payment"), ty("Other")],
    }
}

fn decoder(schemas: &Schemas, kinds: &Kinds) -> Decoder {
    let schema = schema();
    let encoding = Encoding::Avro(schemas.clone(), Beside::default());
    Decoder::new(&schema, &Projection::all(&schema), encoding, kinds)
}

const ONE: Kinds = Kinds::One(EventTypeId(0));

/// A payment with everything.
fn payment() -> Avro {
    let place = |country: &str, nearby: Avro| {
        Avro::Record(vec![
            (
                "country".to_owned(),
                Avro::Union(1, Box::new(Avro::String(country.to_owned()))),
            ),
            ("nearby".to_owned(), nearby),
            ("unread".to_owned(), Avro::Fixed(4, vec![1, 2, 3, 4])),
        ])
    };
    let some = |value| Avro::Union(1, Box::new(value));
    let nobody = Avro::Union(0, Box::new(Avro::Null));
    let tags = [("size", "xl"), ("colour", "réd")];
    let tags = tags.map(|(key, value)| (key.to_owned(), Avro::String(value.to_owned())));
    let junk = [("k".to_owned(), Avro::Bytes(vec![255; 70]))];
    let fields = [
        ("unread", Avro::Array(vec![Avro::Map(junk.into()); 3])),
        ("ts", Avro::TimestampMicros(1_700_000_000_123_999)),
        ("card", Avro::String("c1".to_owned())),
        ("amount", Avro::Decimal((-12_345_i64).to_be_bytes().into())),
        ("kind", Avro::Enum(1, "REFUND".to_owned())),
        ("place", some(place("FR", some(place("DE", nobody))))),
        ("number", Avro::Union(1, Box::new(Avro::Long(i64::MAX)))),
        ("ratio", Avro::Float(0.1)),
        ("ok", Avro::Boolean(true)),
        ("day", Avro::Date(19_723)),
        ("clock", Avro::TimeMicros(3_600_000_500)),
        ("tags", Avro::Map(tags.into())),
        ("items", Avro::Array(vec![Avro::Null; 5])),
        (
            "uuid",
            Avro::Uuid("67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap()),
        ),
    ];
    Avro::Record(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// A record behind the number of its schema.
fn record(id: u32, schema: &str, value: Avro) -> Vec<u8> {
    let schema = AvroSchema::parse_str(schema).expect("a schema");
    let writer = GenericDatumWriter::builder(&schema).build().expect("fits");
    let datum = writer.write_value_to_vec(value).expect("it fits");
    [&[0][..], &id.to_be_bytes(), &datum].concat()
}

fn read(decoder: &mut Decoder, record: &[u8]) -> Event {
    match decoder.decode(record, Position::default()) {
        Ok(Decoded::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}

fn flaw(decoder: &mut Decoder, record: &[u8]) -> String {
    let decoded = decoder.decode(record, Position::default());
    decoded.expect_err("malformed").reason
}

/// Reads one value of this schema as a field of this type.
fn convert(schema: &str, ty: FieldType, value: Avro) -> Result<Value, String> {
    let text = format!(
        r#"{{"type": "record", "name": "R", "fields": [{{"name": "ts", "type": "long"}}, {{"name": "v", "type": {schema}}}]}}"#
    );
    let schemas = Schemas::new();
    schemas.learn(1, &text, &[]);
    let declared = Schema {
        types: vec![EventType {
            name: "R".to_owned(),
            fields: vec![
                field("ts", FieldType::Timestamp(TimeUnit::Millis), "ts"),
                field("v", ty, "v"),
            ],
            time: Some(FieldId(0)),
        }],
    };
    let encoding = Encoding::Avro(schemas, Beside::default());
    let mut decoder = Decoder::new(&declared, &Projection::all(&declared), encoding, &ONE);
    let fields = [
        ("ts".to_owned(), Avro::Long(1_700_000_000_000)),
        ("v".to_owned(), value),
    ];
    let bytes = record(1, &text, Avro::Record(fields.into()));
    match decoder.decode(&bytes, Position::default()) {
        Ok(Decoded::Event(event)) => Ok(event.values[1].clone()),
        Ok(other) => panic!("{other:?}"),
        Err(malformed) => Err(malformed.reason),
    }
}

#[test]
fn fields_are_found_by_name_whatever_stands_between() {
    let schemas = Schemas::new();
    schemas.learn(7, PAYMENT, &[]);
    let event = read(&mut decoder(&schemas, &ONE), &record(7, PAYMENT, payment()));
    assert_eq!(event.time, Timestamp(1_700_000_000_123));
    let wanted = [
        Value::Timestamp(Timestamp(1_700_000_000_123)),
        "c1".into(),
        Value::Decimal("-123.45".parse().unwrap()),
        "REFUND".into(),
        "FR".into(),
        "DE".into(),
        Value::Int(i64::MAX),
        Value::Float(f64::from(0.1_f32)),
        Value::Bool(true),
        Value::Timestamp(Timestamp(19_723 * 86_400_000)),
        Value::Duration(Span(3_600_000)),
        "réd".into(),
        "67e55044-10b1-426f-9247-bb680e5fe0c8".into(),
        Value::Null,
    ];
    assert_eq!(*event.values, wanted);
    assert_eq!(event.values[2].to_string(), "-123.45");
}

#[test]
fn values_are_exact_or_refused() {
    use FieldType::{Decimal, Duration, Float, Int, String};
    let decimal = |scale| {
        format!(
            r#"{{"type": "bytes", "logicalType": "decimal", "precision": 90, "scale": {scale}}}"#
        )
    };
    let units = |units: i128| Avro::Decimal(units.to_be_bytes().into());
    let shown = |value: Result<Value, std::string::String>| value.map(|value| value.to_string());
    let max = (1_i128 << 96) - 1;
    for (scale, number, wanted) in [
        (0, 5, "5"),
        (2, 90_000, "900.00"),
        (3, -1, "-0.001"),
        (28, i128::from(i64::MIN), "-0.0000000009223372036854775808"),
        (4, max, "7922816251426433759354395.0335"),
    ] {
        let value = convert(&decimal(scale), Decimal, units(number));
        assert_eq!(shown(value).as_deref(), Ok(wanted));
    }
    let error = |value: Result<Value, std::string::String>| value.unwrap_err();
    assert!(error(convert(&decimal(0), Decimal, units(max + 1))).contains("out of the range"));
    assert!(error(convert(&decimal(30), Decimal, units(1))).contains("more digits"));
    assert!(error(convert(&decimal(70), Decimal, units(1))).contains("more than 38 digits"));
    assert!(error(convert(&decimal(2), Decimal, units(i128::MAX))).contains("more than 38 digits"));
    assert_eq!(convert(&decimal(2), Int, units(500)), Ok(Value::Int(5)));
    assert_eq!(
        error(convert(&decimal(2), Int, units(501))),
        "field \"v\": wanted int, a whole number, found number 5.01"
    );
    assert_eq!(
        convert("\"long\"", Decimal, Avro::Long(i64::MIN)),
        Ok(Value::Decimal(i64::MIN.into()))
    );
    assert_eq!(
        convert("\"long\"", Float, Avro::Long(3)),
        Ok(Value::Float(3.0))
    );
    assert_eq!(
        error(convert("\"double\"", Decimal, Avro::Double(0.1))),
        "field \"v\": wanted decimal, which is exact, found floating-point number 0.1; declare it float"
    );
    assert!(
        error(convert("\"double\"", Float, Avro::Double(f64::NAN))).contains("out of the range")
    );
    assert!(error(convert("\"double\"", Int, Avro::Double(1.0))).contains("wanted int"));
    assert_eq!(
        convert("\"string\"", Decimal, Avro::String("1.50".to_owned())).map(|v| v.to_string()),
        Ok("1.50".to_owned())
    );
    assert_eq!(
        convert("\"string\"", Duration, Avro::String("1h30m".to_owned())),
        Ok(Value::Duration(Span(5_400_000)))
    );
    assert_eq!(
        error(convert("\"bytes\"", String, Avro::Bytes(vec![1]))),
        "field \"v\": wanted string, found bytes"
    );
    let local = r#"{"type": "long", "logicalType": "local-timestamp-millis"}"#;
    let ts = FieldType::Timestamp(TimeUnit::Millis);
    assert!(error(convert(local, ts, Avro::LocalTimestampMillis(1))).contains("a time of no zone"));
    let nanos = r#"{"type": "long", "logicalType": "timestamp-nanos"}"#;
    assert_eq!(
        convert(nanos, ts, Avro::TimestampNanos(-1)),
        Ok(Value::Timestamp(Timestamp(-1)))
    );
}

#[test]
fn the_writers_schema_counts_and_each_record_may_have_another() {
    let old = r#"{"type": "record", "name": "Payment", "fields": [
        {"name": "card", "type": "string"}, {"name": "ts", "type": "long"}]}"#;
    let schemas = Schemas::new();
    schemas.learn(1, old, &[]);
    schemas.learn(2, PAYMENT, &[]);
    let mut decoder = decoder(&schemas, &ONE);
    let fields = [
        ("card".to_owned(), Avro::String("c9".to_owned())),
        ("ts".to_owned(), Avro::Long(1_700_000_000_000)),
    ];
    let old = record(1, old, Avro::Record(fields.into()));
    for _ in 0..2 {
        let event = read(&mut decoder, &old);
        assert_eq!(event.values[1], "c9".into());
        assert_eq!(event.values[2], Value::Null);
        let event = read(&mut decoder, &record(2, PAYMENT, payment()));
        assert_eq!(event.values[1], "c1".into());
    }
}

#[test]
fn names_of_other_schemas_are_found_where_they_are_declared() {
    let place = r#"{"type": "record", "name": "Place", "namespace": "geo", "fields": [{"name": "country", "type": "string"}]}"#;
    let text = r#"{"type": "record", "name": "P", "namespace": "shop", "fields": [
        {"name": "place", "type": ["null", "geo.Place"]}, {"name": "ts", "type": "long"}]}"#;
    let schemas = Schemas::new();
    schemas.learn(1, text, &[place.to_owned()]);
    schemas.learn(2, text, &[]);
    let mut decoder = decoder(&schemas, &ONE);
    // Branch 1, "FR", and the time as a varint.
    let mut bytes = vec![0, 0, 0, 0, 1, 2, 4, b'F', b'R'];
    let mut time = 1_700_000_000_000_u64 << 1;
    while time >= 0x80 {
        bytes.push(time as u8 | 0x80);
        time >>= 7;
    }
    bytes.push(time as u8);
    assert_eq!(read(&mut decoder, &bytes).values[4], "FR".into());
    bytes[4] = 2;
    let reason = flaw(&mut decoder, &bytes);
    assert!(reason.starts_with("schema 2 cannot be read"), "{reason}");
}

#[test]
fn the_records_name_tells_the_type_where_no_field_does() {
    let schemas = Schemas::new();
    schemas.learn(7, PAYMENT, &[]);
    let other = PAYMENT.replace("\"Payment\"", "\"Other\"");
    schemas.learn(8, &other, &[]);
    let stranger = PAYMENT.replace("\"Payment\"", "\"Stranger\"");
    schemas.learn(9, &stranger, &[]);
    let mut decoder = decoder(&schemas, &Kinds::Told("type".to_owned()));
    for (id, text, ty) in [(7, PAYMENT, 0), (8, &other, 1), (7, PAYMENT, 0)] {
        let event = read(&mut decoder, &record(id, text, payment()));
        assert_eq!(event.ty, EventTypeId(ty));
    }
    let reason = flaw(&mut decoder, &record(9, &stranger, payment()));
    assert!(reason.contains("\"type\""), "{reason}");
}

#[test]
fn texts_beside_a_record_are_fields_unless_the_record_has_them() {
    let schemas = Schemas::new();
    schemas.learn(7, PAYMENT, &[]);
    let schema = schema();
    let names = ["nowhere", "card", "elsewhere"].map(str::to_owned);
    let encoding = Encoding::Avro(schemas, Beside(names.into()));
    let mut decoder = Decoder::new(&schema, &Projection::all(&schema), encoding, &ONE);
    let behind = |texts: [Option<&[u8]>; 3]| {
        let mut bytes = Vec::new();
        for text in texts {
            beside::put(&mut bytes, text);
        }
        bytes.extend(record(7, PAYMENT, payment()));
        bytes
    };
    let event = read(&mut decoder, &behind([Some(b"key"), Some(b"c2"), None]));
    assert_eq!(
        (&event.values[13], &event.values[1]),
        (&"key".into(), &"c1".into())
    );
    let event = read(&mut decoder, &behind([None, None, Some(b"\xff")]));
    assert_eq!(event.values[13], Value::Null);
    let reason = flaw(&mut decoder, &behind([Some(b"\xff"), None, None]));
    assert!(
        reason.contains("\"nowhere\"") && reason.contains("UTF-8"),
        "{reason}"
    );
}

#[test]
fn what_is_no_record_of_its_schema_is_malformed_with_the_place() {
    let schemas = Schemas::new();
    schemas.learn(7, PAYMENT, &[]);
    schemas.learn(8, "\"string\"", &[]);
    schemas.learn(9, "{nonsense", &[]);
    schemas.refuse(10, "schema 10 is not known to the registry");
    let mut decoder = decoder(&schemas, &ONE);
    let mut check = |bytes: &[u8], wanted: &str| {
        let reason = flaw(&mut decoder, bytes);
        assert!(reason.contains(wanted), "{reason}");
    };
    let good = record(7, PAYMENT, payment());
    check(&[], "0 bytes are too few");
    check(&good[..4], "4 bytes are too few");
    check(br#"{"a":1}"#, "the first byte is 123, not 0");
    check(
        &good[..good.len() - 1],
        "not a datum of schema 7: the record ends in the midst of a value",
    );
    let longer = [&good[..], &[0]].concat();
    check(&longer, &format!("more follows, at byte {}", good.len()));
    check(
        &[0, 0, 0, 0, 8, 2, b'a'],
        "schema 8 cannot be read by: it describes no record",
    );
    check(&[0, 0, 0, 0, 9, 2, b'a'], "schema 9 cannot be read: ");
    check(
        &[0, 0, 0, 0, 10, 2],
        "schema 10 is not known to the registry",
    );
    check(&[0, 0, 0, 0, 11, 2], "schema 11 is not known");
}

/// Bytes of a datum by a schema, and what is said of them.
fn refused(schema: &str, datum: &[u8]) -> String {
    let schemas = Schemas::new();
    schemas.learn(1, schema, &[]);
    let bytes = [&[0, 0, 0, 0, 1], datum].concat();
    flaw(&mut decoder(&schemas, &ONE), &bytes)
}

#[test]
fn no_size_in_a_datum_is_believed() {
    let list = |items: &str| {
        format!(
            r#"{{"type": "record", "name": "L", "fields": [{{"name": "a", "type": {{"type": "array", "items": {items}}}}}]}}"#
        )
    };
    // 2^62 nulls.
    let many = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1];
    assert!(refused(&list("\"null\""), &many).contains("too many values"));
    assert!(refused(&list("\"string\""), &many).contains("ends in the midst"));
    // A block of -1 items that says it is -2 bytes long; a string of 2^40 bytes; one of -1.
    assert!(refused(&list("\"int\""), &[1, 3]).contains("negative size"));
    assert!(
        refused(
            &list("\"string\""),
            &[2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]
        )
        .contains("midst of a value")
    );
    assert!(refused(&list("\"string\""), &[2, 1]).contains("negative length"));
    assert!(
        refused(
            &list("\"long\""),
            &[2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]
        )
        .contains("more than 64 bits")
    );
    assert!(refused(&list("\"int\""), &[2, 255, 255, 255, 255, 127]).contains("more than 32 bits"));
    assert!(refused(&list("\"boolean\""), &[2, 2]).contains("neither true nor false"));
    // A list that goes on and on.
    let chain =
        r#"{"type": "record", "name": "C", "fields": [{"name": "next", "type": ["null", "C"]}]}"#;
    assert!(refused(chain, &[2; 1_000_000]).contains("nested too deep"));
    let endless = r#"{"type": "record", "name": "E", "fields": [{"name": "self", "type": "E"}]}"#;
    assert!(refused(endless, &[]).contains("nested too deep"));
    // Branches that are none.
    assert!(refused(chain, &[4]).contains("no such branch"));
    assert!(refused(chain, &[1]).contains("no such branch"));
}

#[test]
fn no_schema_makes_a_reader_fall() {
    let deep = (0..DEPTH_MAX + 10).fold("\"null\"".to_owned(), |inner, _| {
        format!(r#"{{"type": "array", "items": {inner}}}"#)
    });
    let chain: Vec<String> = (0..300)
        .map(|n| format!(r#"{{"name": "f{n}", "type": {{"type": "record", "name": "R{n}", "fields": [{{"name": "a", "type": ["null", "R{}"]}}]}}}}"#, n + 1))
        .collect();
    let chain = format!(
        r#"{{"type": "record", "name": "T", "fields": [{}, {{"name": "z", "type": {{"type": "record", "name": "R300", "fields": []}}}}]}}"#,
        chain.into_iter().rev().collect::<Vec<_>>().join(",")
    );
    let twice = r#"{"type": "record", "name": "T", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}"#;
    let large = format!("\"{}\"", "x".repeat(SCHEMA_BYTES_MAX));
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "\"nothing\"",
        twice,
        &deep,
        &chain,
        &large,
    ] {
        let reason = refused(text, &[0]);
        assert!(!reason.is_empty(), "{text}");
    }
}

/// Values of a payment, at random.
fn payments() -> impl Strategy<Value = Avro> {
    (
        (any::<u32>(), ".{0,40}", any::<i64>(), 0..2_u32),
        (any::<bool>(), any::<f32>(), any::<i32>(), ".{0,8}"),
    )
        .prop_map(|((ts, card, amount, kind), (ok, ratio, number, colour))| {
            let Avro::Record(mut fields) = payment() else {
                unreachable!("it is one")
            };
            let mut set = |name: &str, value: Avro| {
                let place = fields.iter_mut().find(|(field, _)| field == name);
                place.expect("a field").1 = value;
            };
            let kinds = ["AUTH", "REFUND"];
            set(
                "ts",
                Avro::TimestampMicros(1_600_000_000_000_000 + i64::from(ts) * 1_000),
            );
            set("card", Avro::String(card));
            set("amount", Avro::Decimal(amount.to_be_bytes().into()));
            set("kind", Avro::Enum(kind, kinds[kind as usize].to_owned()));
            set("number", Avro::Union(0, Box::new(Avro::Int(number))));
            set("ok", Avro::Boolean(ok));
            set(
                "ratio",
                Avro::Float(if ratio.is_finite() { ratio } else { 0.0 }),
            );
            set(
                "tags",
                Avro::Map([("colour".to_owned(), Avro::String(colour))].into()),
            );
            Avro::Record(fields)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_the_library_writes_is_read_back(value in payments()) {
        let schemas = Schemas::new();
        schemas.learn(7, PAYMENT, &[]);
        let event = read(&mut decoder(&schemas, &ONE), &record(7, PAYMENT, value.clone()));
        let Avro::Record(fields) = value else { unreachable!("it is one") };
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("ts", Avro::TimestampMicros(ts)) => prop_assert_eq!(event.time.0, ts / 1_000),
                ("card", Avro::String(card)) => prop_assert_eq!(&event.values[1], &Value::from(card)),
                ("amount", Avro::Decimal(units)) => {
                    let bytes: Vec<u8> = units.try_into().unwrap();
                    let units = i64::from_be_bytes(bytes.try_into().unwrap());
                    prop_assert_eq!(&event.values[2], &Value::Decimal(Decimal::new(units, 2)));
                }
                ("kind", Avro::Enum(_, kind)) => prop_assert_eq!(&event.values[3], &Value::from(kind)),
                ("number", Avro::Union(_, number)) => prop_assert_eq!(*number, Avro::Int(event.values[6].as_int().unwrap() as i32)),
                ("ok", Avro::Boolean(ok)) => prop_assert_eq!(&event.values[8], &Value::Bool(ok)),
                ("ratio", Avro::Float(ratio)) => prop_assert_eq!(&event.values[7], &Value::Float(ratio.into())),
                ("tags", Avro::Map(tags)) => {
                    let Avro::String(colour) = &tags["colour"] else { unreachable!("it is one") };
                    prop_assert_eq!(event.values[11].as_str(), Some(colour.as_str()));
                }
                _ => {}
            }
        }
    }

    #[test]
    fn no_damage_makes_the_decoder_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let schemas = Schemas::new();
        schemas.learn(7, PAYMENT, &[]);
        let mut decoder = decoder(&schemas, &ONE);
        let mut bytes = record(7, PAYMENT, payment());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decoder.decode(&bytes, Position::default());
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(decoder.decode(&bytes, Position::default()).is_err());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(datum in prop::collection::vec(any::<u8>(), 0..80)) {
        let schemas = Schemas::new();
        schemas.learn(7, PAYMENT, &[]);
        let bytes = [&[0, 0, 0, 0, 7], &datum[..]].concat();
        let _ = decoder(&schemas, &ONE).decode(&bytes, Position::default());
    }
}
