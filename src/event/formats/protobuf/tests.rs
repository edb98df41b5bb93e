//! What is made of messages that another library has written, and of bytes that nobody meant.

use std::collections::HashMap;

use proptest::prelude::*;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MessageOptions, OneofDescriptorProto,
};
use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, Value as Proto};

use super::super::*;
use super::{Framing, Messages, Unread};
use crate::event::schema::{EventType, Field, FieldType, TimeUnit};
use crate::event::{Event, EventTypeId, FieldId, Position, Schema, Value};
use crate::time::{Span, Timestamp};

fn proto(name: &str, number: i32, ty: Type, named: &str) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(ty.into()),
        type_name: (!named.is_empty()).then(|| named.to_owned()),
        ..FieldDescriptorProto::default()
    }
}

fn message(name: &str, fields: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.to_owned()),
        field: fields,
        ..DescriptorProto::default()
    }
}

/// `shop.Payment` and what it needs, as a compiled file.
fn descriptors() -> Vec<u8> {
    let repeated = |field| FieldDescriptorProto {
        label: Some(Label::Repeated.into()),
        ..field
    };
    let choice = |field| FieldDescriptorProto {
        oneof_index: Some(0),
        ..field
    };
    let optional = |field| FieldDescriptorProto {
        oneof_index: Some(1),
        proto3_optional: Some(true),
        ..field
    };
    let payment = vec![
        proto("ts", 1, Type::Message, ".google.protobuf.Timestamp"),
        proto("card_id", 2, Type::String, ""),
        proto("cents", 3, Type::Sint64, ""),
        proto("kind", 4, Type::Enum, ".shop.Kind"),
        proto("place", 5, Type::Message, ".shop.Place"),
        proto("vast", 6, Type::Uint64, ""),
        proto("ratio", 7, Type::Double, ""),
        proto("ok", 8, Type::Bool, ""),
        proto("took", 9, Type::Message, ".google.protobuf.Duration"),
        proto("note", 10, Type::Message, ".google.protobuf.StringValue"),
        repeated(proto("tags", 11, Type::Message, ".shop.Payment.TagsEntry")),
        repeated(proto("items", 12, Type::Int32, "")),
        choice(proto("iban", 13, Type::String, "")),
        choice(proto("wallet", 14, Type::String, "")),
        optional(proto("count", 15, Type::Int32, "")),
        proto("hash", 2000, Type::Bytes, ""),
    ];
    let mut payment = message("Payment", payment);
    let mut entry = message(
        "TagsEntry",
        vec![
            proto("key", 1, Type::String, ""),
            proto("value", 2, Type::Message, ".shop.Place"),
        ],
    );
    entry.options = Some(MessageOptions {
        map_entry: Some(true),
        ..MessageOptions::default()
    });
    payment.nested_type = vec![entry];
    payment.oneof_decl = ["account", "_count"]
        .map(|name| OneofDescriptorProto {
            name: Some(name.to_owned()),
            options: None,
        })
        .into();
    let place = message(
        "Place",
        vec![
            proto("country", 1, Type::String, ""),
            proto("nearby", 2, Type::Message, ".shop.Place"),
            proto("number", 3, Type::Int32, ""),
        ],
    );
    let value = |name: &str, number| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        options: None,
    };
    let kind = EnumDescriptorProto {
        name: Some("Kind".to_owned()),
        value: vec![value("AUTH", 0), value("REFUND", -3)],
        ..EnumDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("shop.proto".to_owned()),
        package: Some("shop".to_owned()),
        syntax: Some("proto3".to_owned()),
        dependency: ["timestamp", "duration", "wrappers"]
            .map(|name| format!("google/protobuf/{name}.proto"))
            .into(),
        message_type: vec![place, payment],
        enum_type: vec![kind],
        ..FileDescriptorProto::default()
    };
    let known = DescriptorPool::global();
    let known = file.dependency.iter().map(|name| {
        let file = known.get_file_by_name(name).expect("a known one");
        file.file_descriptor_proto().clone()
    });
    let file_set = FileDescriptorSet {
        file: known.chain([file.clone()]).collect(),
    };
    file_set.encode_to_vec()
}

fn schema() -> Schema {
    use FieldType::{Bool, Decimal, Duration, Float, Int, String, Timestamp};
    let field = |name: &str, ty, path: &str| Field {
        name: name.to_owned(),
        ty,
        optional: name != "ts",
        path: path.split('.').map(str::to_owned).collect(),
    };
    let fields = vec![
        field("ts", Timestamp(TimeUnit::Millis), "ts"),
        field("card", String, "cardId"),
        field("cents", Int, "cents"),
        field("kind", String, "kind"),
        field("country", String, "place.country"),
        field("next", String, "place.nearby.country"),
        field("vast", Decimal, "vast"),
        field("ratio", Float, "ratio"),
        field("ok", Bool, "ok"),
        field("took", Duration, "took"),
        field("note", String, "note"),
        field("home", String, "tags.home.country"),
        field("iban", String, "iban"),
        field("count", Int, "count"),
        field("number", Int, "place.number"),
    ];
    let ty = |name: &str| EventType {
        name: name.to_owned(),
        fields: fields.clone(),
        time: Some(FieldId(0)),
    };
    Schema {
        types: vec![ty("Payment"), ty("Place")],
    }
}

fn decoder(framing: Framing, kinds: &Kinds) -> Decoder {
    let messages = Messages::new(&descriptors(), "shop.Payment", framing).expect("is there");
    let schema = schema();
    let encoding = Encoding::Protobuf(messages, Beside::default());
    Decoder::new(&schema, &Projection::all(&schema), encoding, kinds)
}

const ONE: Kinds = Kinds::One(EventTypeId(0));

/// A message of the library, empty.
fn empty(name: &str) -> DynamicMessage {
    let pool = DescriptorPool::decode(descriptors().as_slice()).expect("descriptors");
    DynamicMessage::new(pool.get_message_by_name(name).expect("a message"))
}

fn place(country: &str, nearby: Option<DynamicMessage>) -> DynamicMessage {
    let mut place = empty("shop.Place");
    place.set_field_by_name("country", Proto::String(country.to_owned()));
    if let Some(nearby) = nearby {
        place.set_field_by_name("nearby", Proto::Message(nearby));
    }
    place
}

fn time(seconds: i64, nanos: i32, name: &str) -> Proto {
    let mut time = empty(name);
    time.set_field_by_name("seconds", Proto::I64(seconds));
    time.set_field_by_name("nanos", Proto::I32(nanos));
    Proto::Message(time)
}

fn payment() -> DynamicMessage {
    let mut payment = empty("shop.Payment");
    let mut note = empty("google.protobuf.StringValue");
    note.set_field_by_name("value", Proto::String("réd".to_owned()));
    let mut tags = HashMap::new();
    for (key, country) in [("work", "BE"), ("home", "NL")] {
        let key = MapKey::String(key.to_owned());
        tags.insert(key, Proto::Message(place(country, None)));
    }
    let timestamp = time(1_700_000_000, 123_999_999, "google.protobuf.Timestamp");
    for (name, value) in [
        ("ts", timestamp),
        ("card_id", Proto::String("c1".to_owned())),
        ("cents", Proto::I64(i64::MIN)),
        ("kind", Proto::EnumNumber(-3)),
        (
            "place",
            Proto::Message(place("FR", Some(place("DE", None)))),
        ),
        ("vast", Proto::U64(u64::MAX)),
        ("ratio", Proto::F64(0.1)),
        ("ok", Proto::Bool(true)),
        ("took", time(-1, -500_000_000, "google.protobuf.Duration")),
        ("note", Proto::Message(note)),
        ("tags", Proto::Map(tags)),
        ("items", Proto::List(vec![Proto::I32(7); 9])),
        ("iban", Proto::String("NL1".to_owned())),
        ("count", Proto::I32(0)),
        ("hash", Proto::Bytes(vec![255; 90].into())),
    ] {
        payment.set_field_by_name(name, value);
    }
    payment
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

#[test]
fn fields_are_found_by_name_and_all_others_are_passed_over() {
    let event = read(
        &mut decoder(Framing::None, &ONE),
        &payment().encode_to_vec(),
    );
    let wanted = [
        Value::Timestamp(Timestamp(1_700_000_000_123)),
        "c1".into(),
        Value::Int(i64::MIN),
        "REFUND".into(),
        "FR".into(),
        "DE".into(),
        Value::Decimal(u64::MAX.into()),
        Value::Float(0.1),
        Value::Bool(true),
        Value::Duration(Span(-1_500)),
        "réd".into(),
        "NL".into(),
        "NL1".into(),
        Value::Int(0),
        Value::Int(0),
    ];
    assert_eq!(*event.values, wanted);
}

#[test]
fn what_was_not_written_is_its_default_or_null() {
    let mut payment = empty("shop.Payment");
    let timestamp = time(1_700_000_000, 0, "google.protobuf.Timestamp");
    payment.set_field_by_name("ts", timestamp);
    let event = read(&mut decoder(Framing::None, &ONE), &payment.encode_to_vec());
    let wanted = [
        Value::Timestamp(Timestamp(1_700_000_000_000)),
        "".into(),
        Value::Int(0),
        "AUTH".into(),
        Value::Null,
        Value::Null,
        Value::Decimal(0.into()),
        Value::Float(0.0),
        Value::Bool(false),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    assert_eq!(*event.values, wanted);
    let reason = flaw(&mut decoder(Framing::None, &ONE), b"");
    assert_eq!(
        reason,
        "field \"ts\" is missing; declare it timestamp? if it may be"
    );
}

#[test]
fn of_a_field_and_of_a_choice_the_last_one_written_counts_and_messages_are_put_together() {
    let mut bytes = payment().encode_to_vec();
    let mut later = empty("shop.Payment");
    later.set_field_by_name("card_id", Proto::String("c2".to_owned()));
    later.set_field_by_name("wallet", Proto::String("w".to_owned()));
    let mut part = empty("shop.Place");
    part.set_field_by_name("number", Proto::I32(-7));
    later.set_field_by_name("place", Proto::Message(part));
    bytes.extend(later.encode_to_vec());
    let event = read(&mut decoder(Framing::None, &ONE), &bytes);
    assert_eq!(event.values[1], "c2".into());
    assert_eq!(event.values[12], Value::Null, "the choice is another now");
    assert_eq!(
        (&event.values[4], &event.values[14]),
        (&"FR".into(), &Value::Int(-7))
    );
    // A name that the descriptors don't have.
    bytes.extend([4 << 3, 9]);
    let reason = flaw(&mut decoder(Framing::None, &ONE), &bytes);
    assert_eq!(reason, "field \"kind\": wanted string, found number 9");
}

/// A message behind what a registry wants before it.
fn framed(indexes: &[u8], message: &DynamicMessage) -> Vec<u8> {
    [&[0, 0, 0, 0, 5], indexes, &message.encode_to_vec()].concat()
}

#[test]
fn framing_tells_which_message_it_is() {
    let told = Kinds::Told("type".to_owned());
    let mut one = decoder(Framing::Registry, &ONE);
    let mut all = decoder(Framing::Registry, &told).stamped();
    // One index: 1, as signed varints.
    let bytes = framed(&[2, 2], &payment());
    assert_eq!(read(&mut one, &bytes).values[1], "c1".into());
    assert_eq!(read(&mut all, &bytes).ty, EventTypeId(0));
    // The first message of the file.
    let bytes = framed(&[0], &place("FR", None));
    assert_eq!(
        flaw(&mut one, &bytes),
        "a message Place, where Payment is read"
    );
    let stamp = Some(Timestamp(1_700_000_000_000));
    match all.decode_at(&bytes, Position::default(), stamp) {
        Ok(Decoded::Event(event)) => assert_eq!(event.ty, EventTypeId(1)),
        other => panic!("{other:?}"),
    }
    let mut check = |bytes: &[u8], wanted: &str| {
        let reason = flaw(&mut one, bytes);
        assert!(reason.contains(wanted), "{reason}");
    };
    check(
        &framed(&[2, 18], &payment()),
        "message [9] is not in the descriptor file",
    );
    check(&framed(&[1], &payment()), "-1 indexes of a message");
    check(&[0, 0, 0, 0, 5, 200, 1], "100 indexes of a message");
    check(
        &[0, 0, 0, 0, 5, 4, 2],
        "ends in the midst of the message's indexes",
    );
    check(&payment().encode_to_vec(), "the first byte is 10, not 0");
}

#[test]
fn what_is_no_message_is_malformed_with_the_place() {
    let mut decoder = decoder(Framing::None, &ONE);
    let mut check = |bytes: &[u8], wanted: &str| {
        let reason = flaw(&mut decoder, bytes);
        assert_eq!(reason, format!("not a message Payment: {wanted}"));
    };
    check(
        &[0x12, 200, 1, b'a'],
        "it ends in the midst of a value at byte 3",
    );
    check(&[0x12, 1, 255], "a string that is not UTF-8 at byte 2");
    check(
        &[0x10, 1],
        "a field of another type than the descriptors have at byte 1",
    );
    check(&[0, 0], "a field of number 0 at byte 1");
    check(&[0x17], "no such wire type at byte 1");
    check(&[0x80], "it ends in the midst of a number at byte 0");
    check(&[255; 11], "a number of more than 64 bits at byte 0");
    check(
        &[0x33],
        "a field of another type than the descriptors have at byte 1",
    );
    check(
        &[0xa3, 6, 0xa4, 6, 0xa4, 6],
        "a group ends that did not begin at byte 6",
    );
    check(&[0xa3, 6], "a group without an end at byte 2");
    // Fields of a message that reach beyond it: place { country: 9 bytes } in 3.
    check(
        &[0x2a, 3, 0x0a, 9, b'a', b'b'],
        "it ends in the midst of a value at byte 4",
    );
    let groups: Vec<u8> = [0xa3, 6].repeat(100_000);
    let reason = flaw(&mut decoder, &groups);
    assert!(reason.contains("nested too deep"), "{reason}");
}

#[test]
fn a_message_that_is_not_there_is_told_with_those_that_are() {
    let bytes = descriptors();
    let unread = |bytes: &[u8], name: &str| {
        Messages::new(bytes, name, Framing::None).expect_err("not there")
    };
    let names = ["shop.Place", "shop.Payment"].map(str::to_owned);
    assert_eq!(unread(&bytes, "shop.Paymnt"), Unread::Missing(names.into()));
    let broken = unread(&bytes[..bytes.len() / 2], "shop.Payment");
    assert!(matches!(broken, Unread::Descriptors(_)), "{broken:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_the_library_writes_is_read_back(cents in any::<i64>(), card in ".{0,40}", kind in prop_oneof![Just(0), Just(-3)], ratio in -1e300..1e300, count in any::<i32>()) {
        let mut message = payment();
        message.set_field_by_name("cents", Proto::I64(cents));
        message.set_field_by_name("card_id", Proto::String(card.clone()));
        message.set_field_by_name("kind", Proto::EnumNumber(kind));
        message.set_field_by_name("ratio", Proto::F64(ratio));
        message.set_field_by_name("count", Proto::I32(count));
        let event = read(&mut decoder(Framing::None, &ONE), &message.encode_to_vec());
        prop_assert_eq!(&event.values[1], &Value::from(card));
        prop_assert_eq!(&event.values[2], &Value::Int(cents));
        prop_assert_eq!(event.values[3].as_str(), Some(if kind == 0 { "AUTH" } else { "REFUND" }));
        prop_assert_eq!(&event.values[7], &Value::Float(ratio));
        prop_assert_eq!(&event.values[13], &Value::Int(count.into()));
    }

    #[test]
    fn no_damage_makes_the_decoder_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut decoder = decoder(Framing::None, &ONE);
        let mut bytes = payment().encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decoder.decode(&bytes, Position::default());
        bytes.truncate(cut.index(bytes.len()));
        let _ = decoder.decode(&bytes, Position::default());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = decoder(Framing::None, &ONE).decode(&bytes, Position::default());
        let bytes = [&[0, 0, 0, 0, 5, 2, 2], &bytes[..]].concat();
        let _ = decoder(Framing::Registry, &ONE).decode(&bytes, Position::default());
    }
}
