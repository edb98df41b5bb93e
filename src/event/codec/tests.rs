use super::*;
use crate::lang::scalar;
use proptest::prelude::*;

/// Values of every type; few different ones, so that equal ones meet.
fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![-2..2_i64, any::<i64>()].prop_map(Value::Int),
        prop_oneof![
            Just(0.0),
            Just(-0.0),
            Just(f64::NAN),
            Just(-f64::NAN),
            Just(1.0),
            any::<f64>()
        ]
        .prop_map(Value::Float),
        any_decimal().prop_map(Value::Decimal),
        prop_oneof!["[ab]{0,2}", "[a-zé]{20,40}"].prop_map(Value::from),
        prop_oneof![-2..2_i64, any::<i64>()].prop_map(|ms| Value::Timestamp(Timestamp(ms))),
        prop_oneof![-2..2_i64, any::<i64>()].prop_map(|ms| Value::Duration(Span(ms))),
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|values| Value::List(values.into()))
    })
}

fn any_decimal() -> impl Strategy<Value = Decimal> {
    let mantissa = prop_oneof![
        (-3..3_i128),
        (-3..3_i128).prop_map(|n| n * 100),
        any::<i64>().prop_map(i128::from),
        Just((1 << 96) - 1),
        Just(-(1 << 64)),
    ];
    let plain = (mantissa, 0..=4_u32)
        .prop_map(|(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale));
    prop_oneof![
        plain.clone(),
        plain.prop_map(|number| -number),
        Just(Decimal::from_i128_with_scale(1, 28)),
        Just(Decimal::MIN),
    ]
}

fn bytes_of(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out);
    out
}

/// True if nothing can tell the values apart.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Decimal(a), Value::Decimal(b)) => a.serialize() == b.serialize(),
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (a, b) => a == b,
    }
}

fn all_same(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

/// The values of an event are read back, so are all its other parts.
fn event_of(values: Vec<Value>, (ty, time): (u16, i64), place: (u16, u32, u64)) -> Event {
    Event {
        ty: EventTypeId(ty),
        time: Timestamp(time),
        position: Position {
            source: place.0,
            partition: place.1,
            offset: place.2,
        },
        values: values.into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn values_and_events_are_read_as_they_were_put(
        all in prop::collection::vec(any_value(), 0..6), head: (u16, i64), place: (u16, u32, u64),
    ) {
        let event_put = event_of(all, head, place);
        let bytes = bytes_of(|out| put_event(out, &event_put));
        let mut reader = Reader::new(&bytes);
        let read = event(&mut reader).unwrap();
        prop_assert!(reader.end().is_ok());
        prop_assert_eq!((read.ty, read.time, read.position), (event_put.ty, event_put.time, event_put.position));
        prop_assert!(all_same(&read.values, &event_put.values));
    }

    #[test]
    fn what_is_cut_or_changed_is_damaged_or_another_event(
        all in prop::collection::vec(any_value(), 0..6), changes: [(prop::sample::Index, u8); 3],
    ) {
        let bytes = bytes_of(|out| put_event(out, &event_of(all, (1, 1_700_000_000_000), (0, 3, 77))));
        for length in 0..bytes.len() {
            prop_assert!(event(&mut Reader::new(&bytes[..length])).is_err());
        }
        let mut changed = bytes;
        for (at, byte) in changes {
            *at.get_mut(&mut changed) = byte;
        }
        if let Ok(read) = event(&mut Reader::new(&changed)) {
            let again = bytes_of(|out| put_event(out, &read));
            prop_assert!(all_same(&event(&mut Reader::new(&again)).unwrap().values, &read.values));
        }
        let _ = key(&mut Reader::new(&changed));
    }

    #[test]
    fn keys_have_the_same_bytes_exactly_when_they_are_equal(
        a in prop::collection::vec(any_value(), 0..3), b in prop::collection::vec(any_value(), 0..3),
    ) {
        let (bytes, others) = (bytes_of(|out| put_key(out, &a)), bytes_of(|out| put_key(out, &b)));
        prop_assert_eq!(bytes == others, scalar::total_order_of(&a, &b).is_eq());
        prop_assert!(bytes == others || !bytes.starts_with(&others));
        prop_assert!(bytes != others || scalar::stable_hash(&a) == scalar::stable_hash(&b));
        let mut reader = Reader::new(&bytes);
        let mut read = key(&mut reader).unwrap();
        prop_assert!(reader.end().is_ok());
        prop_assert!(scalar::total_order_of(&a, &read).is_eq());
        let spelt = bytes_of(|out| put_spelling(out, &a));
        spelling(&mut Reader::new(&spelt), &mut read).unwrap();
        prop_assert!(all_same(&a, &read));
        if bytes != others && a.len() == b.len() && spelt.len() > 1 {
            prop_assert!(spelling(&mut Reader::new(&spelt), &mut b.clone()).is_err());
        }
    }
}

#[test]
fn the_bytes_of_values_are_these() {
    let decimal = |text: &str| Value::Decimal(text.parse().expect("a decimal"));
    let list = Value::List([Value::Null, Value::Bool(true)].into());
    let cases: [(Value, &[u8]); 13] = [
        (Value::Null, &[0]),
        (Value::Bool(false), &[1]),
        (Value::Bool(true), &[2]),
        (Value::Int(-2), &[3, 3]),
        (Value::Float(1.0), &[4, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]),
        (decimal("1.50"), &[5, 2, 0x96, 1]),
        (decimal("-1.5"), &[5, 0x81, 15]),
        (decimal("-18446744073709551616"), &[5, 0xc0, 0, 1]),
        (decimal("0.000"), &[5, 3, 0]),
        (Value::from("ab"), &[6, 2, b'a', b'b']),
        (Value::Timestamp(Timestamp(1)), &[7, 2]),
        (Value::Duration(Span(64)), &[8, 0x80, 1]),
        (list, &[9, 2, 0, 2]),
    ];
    for (value, bytes) in cases {
        assert_eq!(bytes_of(|out| put_value(out, &value)), bytes, "{value:?}");
    }
    let parts = [decimal("1.50"), Value::Float(-0.0)];
    let key = [2, 5, 1, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(bytes_of(|out| put_key(out, &parts)), key);
    let event = event_of(vec![Value::Int(1)], (3, 5), (0, 1, 300));
    let bytes = [3, 10, 0, 1, 0xac, 2, 1, 3, 2];
    assert_eq!(bytes_of(|out| put_event(out, &event)), bytes);
}

#[test]
fn lists_in_lists_end_somewhere() {
    let nested = |depth: usize| {
        let mut bytes = [LIST, 1].repeat(depth);
        bytes.push(NULL);
        bytes
    };
    assert!(value(&mut Reader::new(&nested(NESTED_MAX))).is_ok());
    let error = value(&mut Reader::new(&nested(100_000))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no value within 1,024 lists at byte 2049"
    );
}

#[test]
fn a_key_is_read_in_its_plainest_form_only() {
    for bytes in [
        &[1, 5, 2, 0x96, 1][..],
        &[1, 5, 0x80, 0],
        &[1, 4, 0, 0, 0, 0, 0, 0, 0, 0x80],
    ] {
        assert!(key(&mut Reader::new(bytes)).is_err(), "{bytes:?}");
    }
}
