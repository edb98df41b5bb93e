//! Bodies of the fuzz targets: what must hold whatever the bytes are.

#[cfg(all(feature = "avro", feature = "protobuf"))]
mod binary;
mod state;
mod text;

#[cfg(all(feature = "avro", feature = "protobuf"))]
pub use binary::{avro, protobuf};

pub use super::differential::matcher_vs_reference;
pub use state::state;
pub use text::{compile, parse, roundtrip};

use serde_json::Value as Json;

use crate::event::formats::{Decoded, Decoder, Flaw, Format, Kinds, Projection, RECORD_BYTES_MAX};
use crate::event::schema::{EventType, Field, TimeUnit};
use crate::event::{Event, EventTypeId, FieldId, FieldType, Position, Schema, Value};

/// Decodes bytes as a JSON record of a fixed event type, and compares with what `serde_json` makes of them: whether they are one object, and,
/// where they are an event, every value.
///
/// # Panics
/// When the two disagree.
pub fn json(data: &[u8]) {
    let schema = schema();
    let kinds = Kinds::One(EventTypeId(0));
    let mut decoder = Decoder::new(&schema, &Projection::all(&schema), Format::Json, &kinds);
    let decoded = decoder.decode(data, Position::default());
    // What serde_json skips it checks as we do: by the grammar, in UTF-8, whatever numbers and surrogates would mean.
    let skipped = std::str::from_utf8(data).ok().and_then(|text| {
        let object = text
            .trim_start_matches([' ', '\t', '\n', '\r'])
            .starts_with('{');
        object.then(|| serde_json::from_str::<serde::de::IgnoredAny>(text).ok())?
    });
    match decoded {
        Err(malformed) if malformed.flaw == Flaw::Size => assert!(data.len() > RECORD_BYTES_MAX),
        Err(malformed) if malformed.flaw == Flaw::Syntax => {
            assert!(
                skipped.is_none() || malformed.reason.contains("nested too deep"),
                "{malformed}"
            );
        }
        Err(_) => assert!(
            skipped.is_some(),
            "a field was looked for in what is no object"
        ),
        Ok(Decoded::Filtered(_)) => panic!("the only type is wanted"),
        Ok(Decoded::Event(event)) => {
            assert!(skipped.is_some(), "an event from what is no object");
            // Numbers beyond a double and half surrogate pairs are refused by serde_json, and skipped by us.
            if let Ok(json) = serde_json::from_slice::<Json>(data) {
                compare(&schema, &event, &json);
            }
        }
    }
    assert_eq!(
        decoder.decode(data, Position::default()),
        decoder.decode(data, Position::default())
    );
}

/// One field of each type, one of them nested.
fn schema() -> Schema {
    let field = |name: &str, ty, optional, path: &str| Field {
        name: name.to_owned(),
        ty,
        optional,
        path: path.split('.').map(str::to_owned).collect(),
    };
    let fields = vec![
        field("t", FieldType::Timestamp(TimeUnit::Millis), false, "t"),
        field("s", FieldType::String, true, "s"),
        field("i", FieldType::Int, true, "i"),
        field("f", FieldType::Float, true, "f"),
        field("d", FieldType::Decimal, true, "d"),
        field("b", FieldType::Bool, true, "b"),
        field("w", FieldType::Duration, true, "w"),
        field("n", FieldType::String, true, "a.n"),
    ];
    Schema {
        types: vec![EventType {
            name: "E".to_owned(),
            fields,
            time: Some(FieldId(0)),
        }],
    }
}

fn compare(schema: &Schema, event: &Event, json: &Json) {
    for (field, value) in schema.types[0].fields.iter().zip(&event.values) {
        let found = field
            .path
            .iter()
            .try_fold(json, |json, name| json.get(name));
        let same = match (value, found) {
            (Value::Null, None | Some(Json::Null)) => true,
            (Value::Str(ours), Some(Json::String(theirs))) => ours == theirs,
            (Value::Bool(ours), Some(Json::Bool(theirs))) => ours == theirs,
            (Value::Int(ours), Some(Json::Number(theirs))) => same_number(*ours, theirs),
            (Value::Timestamp(ours), Some(Json::Number(theirs))) => same_number(ours.0, theirs),
            (Value::Duration(ours), Some(Json::Number(theirs))) => same_number(ours.0, theirs),
            (Value::Float(ours), Some(Json::Number(theirs))) => theirs.as_f64() == Some(*ours),
            (Value::Decimal(ours), Some(Json::Number(theirs))) => {
                let ours: f64 = ours.to_string().parse().unwrap_or(f64::NAN);
                theirs.as_f64().is_some_and(|theirs| close(ours, theirs))
            }
            (
                Value::Decimal(_) | Value::Timestamp(_) | Value::Duration(_),
                Some(Json::String(_)),
            ) => true,
            _ => false,
        };
        assert!(same, "field {}: {value:?}, but {found:?}", field.name);
    }
}

/// Whether a whole number is what `serde_json` found, which has it as a double when it was written with a point or an exponent.
fn same_number(ours: i64, theirs: &serde_json::Number) -> bool {
    match theirs.as_i64() {
        Some(theirs) => ours == theirs,
        // A time may have a fraction, which is cut off.
        None => theirs
            .as_f64()
            .is_some_and(|theirs| (theirs - ours as f64).abs() <= 1.0 + theirs.abs() * 1e-15),
    }
}

/// Without its feature for exact floats `serde_json` may be one step off.
fn close(ours: f64, theirs: f64) -> bool {
    ours == theirs || (ours - theirs).abs() <= theirs.abs() * 1e-15
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Text that is often JSON.
    fn nearly_json() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            "-?[0-9]{1,20}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
            "\"[a-z0-9é\\\\/:TZ.-]{0,12}\"",
            Just("1700000000000".to_owned()),
            Just("\"2024-01-01T00:00:00.5+01:00\"".to_owned()),
            Just("\"\\ud83d\\ude00\\n\"".to_owned()),
            Just("\"\\ud83d\"".to_owned()),
            Just("null".to_owned()),
            Just("true".to_owned()),
        ];
        let value = scalar.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3)
                    .prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::vec(("[an]", inner), 0..3).prop_map(|members| {
                    let members: Vec<String> = members
                        .into_iter()
                        .map(|(name, value)| format!("\"{name}\": {value}"))
                        .collect();
                    format!("{{{}}}", members.join(", "))
                }),
            ]
        });
        let members = prop::collection::vec(("[tsifdbwa]|\\\\u0074", value), 0..8);
        (
            members,
            prop::option::of((any::<prop::sample::Index>(), any::<char>())),
        )
            .prop_map(|(members, edit)| {
                let members: String = members
                    .into_iter()
                    .map(|(name, value)| format!(",\"{name}\":{value}"))
                    .collect();
                let text = format!("{{\"t\":1700000000000{members}}}");
                match edit {
                    None => text,
                    Some((at, char)) => {
                        let mut chars: Vec<char> = text.chars().collect();
                        *at.get_mut(&mut chars) = char;
                        chars.into_iter().collect()
                    }
                }
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn json_is_read_as_serde_json_reads_it(text in nearly_json()) {
            super::json(text.as_bytes());
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            super::json(&bytes);
        }
    }
}
