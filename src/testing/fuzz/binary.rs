//! Binary formats: whatever the bytes are, the decoder says what they are, twice the same.

use std::sync::LazyLock;

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value as Proto};

use crate::event::formats::avro::Schemas;
use crate::event::formats::protobuf::{Framing, Messages};
use crate::event::formats::{Beside, Decoded, Decoder, Encoding, Kinds, Projection};
use crate::event::{EventTypeId, Position, Value};

/// A schema with everything, which contains itself.
const SCHEMA: &str = r#"{"type": "record", "name": "E", "fields": [
    {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "s", "type": ["null", "string", {"type": "enum", "name": "K", "symbols": ["A", "B"]}]},
    {"name": "i", "type": ["null", "int", "long"]},
    {"name": "x", "type": {"type": "array", "items": ["null", "E"]}},
    {"name": "f", "type": ["float", "double"]},
    {"name": "d", "type": [{"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 30},
        {"type": "fixed", "name": "F", "size": 6, "logicalType": "decimal", "precision": 9, "scale": 2}]},
    {"name": "b", "type": ["null", "boolean"]},
    {"name": "w", "type": ["null", {"type": "int", "logicalType": "time-millis"}]},
    {"name": "a", "type": [{"type": "map", "values": ["null", "string"]}, "E"]}]}"#;

fn decoder(encoding: Encoding) -> Decoder {
    let schema = super::schema();
    let kinds = Kinds::One(EventTypeId(0));
    Decoder::new(&schema, &Projection::all(&schema), encoding, &kinds)
}

/// Decodes bytes as a datum of a schema with everything; and, behind the first zero byte, by whatever schema stands before that.
///
/// # Panics
/// When the decoder does, or says something else the second time.
pub fn avro(data: &[u8]) {
    let schemas = Schemas::new();
    schemas.learn(1, SCHEMA, &[]);
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let text = parts.next().and_then(|text| std::str::from_utf8(text).ok());
    schemas.learn(2, text.unwrap_or_default(), &[]);
    let mut decoder = decoder(Encoding::Avro(schemas, Beside::default()));
    for (id, datum) in [(1, data), (2, parts.next().unwrap_or_default())] {
        let record = [&[0, 0, 0, 0, id], datum].concat();
        let first = decoder.decode(&record, Position::default());
        assert_eq!(decoder.decode(&record, Position::default()), first);
    }
}

/// The fields of the event, as a message.
static MESSAGE: LazyLock<(Vec<u8>, MessageDescriptor)> = LazyLock::new(|| {
    let field = |name: &str, number, ty: Type, named: &str| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(ty.into()),
        type_name: (!named.is_empty()).then(|| named.to_owned()),
        ..FieldDescriptorProto::default()
    };
    let inner = vec![
        field("n", 1, Type::String, ""),
        field("a", 2, Type::Message, ".E"),
    ];
    let fields = vec![
        field("t", 1, Type::Int64, ""),
        field("s", 2, Type::String, ""),
        field("i", 3, Type::Sint64, ""),
        field("f", 4, Type::Double, ""),
        field("d", 5, Type::Uint64, ""),
        field("b", 6, Type::Bool, ""),
        field("w", 7, Type::Int32, ""),
        field("a", 8, Type::Message, ".N"),
    ];
    let message = |name: &str, field| DescriptorProto {
        name: Some(name.to_owned()),
        field,
        ..DescriptorProto::default()
    };
    let set = FileDescriptorSet {
        file: vec![FileDescriptorProto {
            name: Some("e.proto".to_owned()),
            syntax: Some("proto3".to_owned()),
            message_type: vec![message("E", fields), message("N", inner)],
            ..FileDescriptorProto::default()
        }],
    };
    let pool = DescriptorPool::from_file_descriptor_set(set.clone()).expect("descriptors");
    let message = pool.get_message_by_name("E").expect("it is there");
    (set.encode_to_vec(), message)
});

/// Decodes bytes as a message, plain and framed, and compares with what `prost-reflect` makes of the plain one.
///
/// # Panics
/// When the two disagree.
pub fn protobuf(data: &[u8]) {
    let (set, message) = &*MESSAGE;
    for framing in [Framing::None, Framing::Registry] {
        let messages = Messages::new(set, "E", framing).expect("it is there");
        let mut decoder = decoder(Encoding::Protobuf(messages, Beside::default()));
        let first = decoder.decode(data, Position::default());
        assert_eq!(decoder.decode(data, Position::default()), first);
        let (Framing::None, Ok(Decoded::Event(event))) = (framing, first) else {
            continue;
        };
        // What is passed over is looked at by the other one: it may refuse more.
        let Ok(read) = DynamicMessage::decode(message.clone(), data) else {
            continue;
        };
        let field = |name: &str| read.get_field_by_name(name).expect("a field").into_owned();
        assert_eq!(field("t"), Proto::I64(event.time.0));
        assert_eq!(field("s").as_str(), event.values[1].as_str());
        assert_eq!(field("i").as_i64(), event.values[2].as_int());
        assert_eq!(field("f").as_f64(), event.values[3].as_float());
        let Value::Decimal(decimal) = event.values[4] else {
            panic!("it has a default")
        };
        assert_eq!(field("d"), Proto::U64(decimal.try_into().expect("fits")));
        assert_eq!(
            Value::Bool(field("b").as_bool().expect("it is one")),
            event.values[5]
        );
        let inner = field("a");
        let inner = inner.as_message().expect("it is one");
        let named = read.has_field_by_name("a").then(|| inner.clone());
        let named = named.map(|one| one.get_field_by_name("n").expect("a field").into_owned());
        assert_eq!(
            named.as_ref().and_then(Proto::as_str),
            event.values[7].as_str()
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Bytes that are often fields.
    fn nearly_a_message() -> impl Strategy<Value = Vec<u8>> {
        let varint = prop::collection::vec(any::<u8>(), 0..4).prop_map(|mut bytes| {
            bytes.iter_mut().for_each(|byte| *byte |= 0x80);
            bytes.push(7);
            bytes
        });
        let text = "[a-zé]{0,6}".prop_map(|text| {
            let mut bytes = vec![text.len() as u8];
            bytes.extend(text.as_bytes());
            bytes
        });
        let field =
            prop_oneof![
                (
                    prop_oneof![Just(0x18_u8), Just(0x28), Just(0x30), Just(0x38)],
                    varint
                )
                    .prop_map(|(tag, value)| [vec![tag], value].concat()),
                (prop_oneof![Just(0x12_u8), Just(0x42), Just(0x4a)], text)
                    .prop_map(|(tag, value)| [vec![tag], value].concat()),
                "[a-z]{0,6}".prop_map(|name| {
                    let length = name.len() as u8;
                    [&[0x42, length + 2, 0x0a, length], name.as_bytes()].concat()
                }),
                prop::collection::vec(any::<u8>(), 8)
                    .prop_map(|bytes| [vec![0x21], bytes].concat()),
            ];
        let time = vec![0x08, 0x80, 0xd0, 0x95, 0xff, 0xbc, 0x31];
        prop::collection::vec(field, 0..8)
            .prop_map(move |fields| [time.clone(), fields.concat()].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn messages_are_read_as_prost_reflect_reads_them(bytes in nearly_a_message()) {
            super::protobuf(&bytes);
        }

        #[test]
        fn no_bytes_make_the_decoders_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            super::protobuf(&bytes);
            super::avro(&bytes);
        }
    }
}
