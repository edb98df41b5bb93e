//! A table of facts about operators and functions.

use std::sync::Arc;

use proptest::prelude::*;
use rust_decimal::prelude::ToPrimitive;

use super::*;

fn dec(text: &str) -> Value {
    Value::Decimal(text.parse().expect("a decimal"))
}

fn int(n: i64) -> Value {
    Value::Int(n)
}

fn flt(x: f64) -> Value {
    Value::Float(x)
}

fn txt(text: &str) -> Value {
    Value::Str(text.into())
}

fn at(ms: i64) -> Value {
    Value::Timestamp(Timestamp(ms))
}

fn dur(ms: i64) -> Value {
    Value::Duration(Span(ms))
}

fn list(values: &[Value]) -> Value {
    Value::List(Arc::from(values))
}

const YES: Value = Value::Bool(true);
const NO: Value = Value::Bool(false);
const NULL: Value = Value::Null;

#[track_caller]
fn check(left: Value, op: BinaryOp, right: Value, wanted: Value) {
    let got = binary(op, &left, &right);
    assert_eq!(got, wanted, "{left:?} {op:?} {right:?}");
}

#[test]
fn logic_knows_three_values() {
    use BinaryOp::{And, Or};
    for (a, b, both, either) in [
        (YES, YES, YES, YES),
        (YES, NO, NO, YES),
        (NO, NO, NO, NO),
        (NULL, YES, NULL, YES),
        (NULL, NO, NO, NULL),
        (NULL, NULL, NULL, NULL),
    ] {
        check(a.clone(), And, b.clone(), both.clone());
        check(b.clone(), And, a.clone(), both);
        check(a.clone(), Or, b.clone(), either.clone());
        check(b, Or, a, either);
    }
    assert_eq!(unary(UnaryOp::Not, &NULL), NULL);
    assert_eq!(unary(UnaryOp::Not, &YES), NO);
    assert!(!holds(&NULL));
}

#[test]
fn comparison_with_null_is_false() {
    use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
    for op in [Eq, Ne, Lt, Le, Gt, Ge] {
        check(NULL, op, NULL, NO);
        check(int(1), op, NULL, NO);
        check(NULL, op, txt("a"), NO);
        check(int(1), op, txt("a"), NO);
    }
}

#[test]
fn numbers_compare_by_value_across_types() {
    use BinaryOp::{Eq, Gt, Lt, Ne};
    check(int(2), Eq, dec("2.00"), YES);
    check(dec("1.50"), Eq, dec("1.5"), YES);
    check(int(2), Lt, flt(2.5), YES);
    check(dec("2.1"), Gt, int(2), YES);
    check(flt(0.0), Eq, flt(-0.0), YES);
    check(flt(f64::NAN), Ne, flt(f64::NAN), NO);
    check(dec("1"), Eq, flt(1.0), NO);
    check(txt("a"), Lt, txt("b"), YES);
    check(at(5), Gt, at(4), YES);
    check(list(&[int(1), int(2)]), Eq, list(&[int(1), int(2)]), YES);
    check(list(&[int(1)]), Lt, list(&[int(1), int(2)]), YES);
}

proptest! {
    #[test]
    fn decimals_have_the_order_of_the_library(a in -(1_i128 << 90)..1 << 90, b in -(1_i128 << 90)..1 << 90, a_digits in 0_u32..90, b_digits in 0_u32..90, a_scale in 0_u32..=28, b_scale in 0_u32..=28, number: i64, near: bool) {
        let a = Decimal::from_i128_with_scale(a >> a_digits, a_scale);
        let b = match near {
            true => a.normalize(),
            false => Decimal::from_i128_with_scale(b >> b_digits, b_scale),
        };
        let value = |decimal| Value::Decimal(decimal);
        prop_assert_eq!(compare(&value(a), &value(b)), Some(a.cmp(&b)));
        let whole = match near {
            true => a.to_i64().unwrap_or(number),
            false => number >> (a_digits % 64),
        };
        let order = a.cmp(&Decimal::from(whole));
        prop_assert_eq!(compare(&value(a), &Value::Int(whole)), Some(order));
        prop_assert_eq!(compare(&Value::Int(whole), &value(a)), Some(order.reverse()));
        for op in [BinaryOp::Eq, BinaryOp::Ne, BinaryOp::Lt, BinaryOp::Le, BinaryOp::Gt, BinaryOp::Ge] {
            prop_assert_eq!(relates(op, &value(a), &value(b)), holds(&binary(op, &value(a), &value(b))));
        }
    }
}

#[test]
fn arithmetic_without_a_result_is_null() {
    use BinaryOp::{Add, Div, Mul, Rem, Sub};
    check(int(i64::MAX), Add, int(1), NULL);
    check(int(i64::MIN), Sub, int(1), NULL);
    check(int(i64::MAX), Mul, int(2), NULL);
    check(int(i64::MIN), Div, int(-1), NULL);
    check(int(1), Div, int(0), NULL);
    check(int(1), Rem, int(0), NULL);
    check(dec("1"), Div, int(0), NULL);
    check(
        Value::Decimal(Decimal::MAX),
        Add,
        Value::Decimal(Decimal::MAX),
        NULL,
    );
    check(flt(1.0), Div, flt(0.0), NULL);
    check(flt(f64::MAX), Mul, flt(2.0), NULL);
    check(NULL, Add, int(1), NULL);
    check(at(i64::MAX), Add, dur(1), NULL);
    check(dur(i64::MAX), Mul, int(2), NULL);
    check(int(1), Add, txt("a"), NULL);
    assert_eq!(unary(UnaryOp::Neg, &int(i64::MIN)), NULL);
    assert_eq!(unary(UnaryOp::Neg, &NULL), NULL);
}

#[test]
fn arithmetic_keeps_to_the_wider_type() {
    use BinaryOp::{Add, Div, Mul, Rem, Sub};
    check(int(7), Div, int(2), int(3));
    check(int(-7), Div, int(2), int(-3));
    check(int(-7), Rem, int(2), int(-1));
    check(int(1), Add, dec("0.1"), dec("1.1"));
    check(dec("0.1"), Add, dec("0.2"), dec("0.3"));
    check(dec("1"), Div, int(4), dec("0.25"));
    check(int(1), Div, flt(4.0), flt(0.25));
    check(dur(3), Mul, int(2), dur(6));
    check(int(2), Mul, dur(3), dur(6));
    check(dur(7), Div, int(2), dur(3));
    check(dur(7), Sub, dur(9), dur(-2));
    check(at(10), Sub, at(4), dur(6));
    check(at(10), Sub, dur(4), at(6));
    check(dur(4), Add, at(10), at(14));
    check(int(2), Div, dur(3), NULL);
    check(at(1), Add, at(1), NULL);
}

#[test]
fn coalesce_replaces_null_only() {
    check(NULL, BinaryOp::Coalesce, int(1), int(1));
    check(NO, BinaryOp::Coalesce, YES, NO);
    check(NULL, BinaryOp::Coalesce, NULL, NULL);
}

#[test]
fn null_is_in_no_list_and_not_outside_it_either() {
    let letters = [txt("a"), txt("b")];
    assert_eq!(contains(&txt("a"), &letters, false), YES);
    assert_eq!(contains(&txt("c"), &letters, false), NO);
    assert_eq!(contains(&txt("c"), &letters, true), YES);
    assert_eq!(contains(&NULL, &letters, false), NO);
    assert_eq!(contains(&NULL, &letters, true), NO);
    assert_eq!(contains(&NULL, &[NULL], false), NO);
    assert_eq!(contains(&int(1), &[dec("1.0")], false), YES);
    assert_eq!(contains(&int(1), &[NULL], true), YES);
    check(int(1), BinaryOp::In, list(&[int(1)]), YES);
    check(int(1), BinaryOp::NotIn, list(&[int(1)]), NO);
}

#[test]
fn functions_of_numbers_keep_the_type() {
    use Function::{Abs, Ceil, Floor, Greatest, Least, Round};
    for (function, arguments, wanted) in [
        (Abs, vec![int(-3)], int(3)),
        (Abs, vec![int(i64::MIN)], NULL),
        (Abs, vec![dec("-1.50")], dec("1.50")),
        (Abs, vec![dur(-5)], dur(5)),
        (Floor, vec![flt(-1.5)], flt(-2.0)),
        (Floor, vec![dec("1.7")], dec("1")),
        (Ceil, vec![flt(1.2)], flt(2.0)),
        (Ceil, vec![int(3)], int(3)),
        (Ceil, vec![dec("-1.7")], dec("-1")),
        (Round, vec![flt(2.5)], flt(3.0)),
        (Round, vec![flt(-2.5)], flt(-3.0)),
        (Round, vec![dec("2.5")], dec("3")),
        (Round, vec![dec("2.345"), int(2)], dec("2.35")),
        (Round, vec![flt(2.25), int(1)], flt(2.3)),
        (Round, vec![flt(1e300), int(28)], flt(1e300)),
        (Round, vec![dec("2.345"), int(-1)], NULL),
        (Round, vec![NULL], NULL),
        (Least, vec![int(3), dec("2.5"), int(4)], dec("2.5")),
        (Greatest, vec![int(3), int(4)], int(4)),
        (Greatest, vec![int(3), NULL], NULL),
        (Least, vec![NULL, int(3)], NULL),
        (Least, vec![txt("b"), txt("a")], txt("a")),
        (Least, vec![], NULL),
    ] {
        assert_eq!(
            call(function, &arguments),
            wanted,
            "{function:?} {arguments:?}"
        );
    }
}

#[test]
fn functions_of_text_count_characters() {
    use Function::{Contains, EndsWith, Length, Lower, StartsWith, Upper};
    for (function, arguments, wanted) in [
        (Length, vec![txt("müde")], int(4)),
        (Length, vec![txt("")], int(0)),
        (Lower, vec![txt("ÄB")], txt("äb")),
        (Upper, vec![txt("äb")], txt("ÄB")),
        (Contains, vec![txt("abc"), txt("bc")], YES),
        (Contains, vec![txt("abc"), txt("x")], NO),
        (Contains, vec![NULL, txt("x")], NULL),
        (StartsWith, vec![txt("abc"), txt("ab")], YES),
        (EndsWith, vec![txt("abc"), txt("ab")], NO),
        (Upper, vec![int(1)], NULL),
    ] {
        assert_eq!(
            call(function, &arguments),
            wanted,
            "{function:?} {arguments:?}"
        );
    }
    let regex = Regex(Arc::new(
        regex::Regex::new("^a.c$").expect("a regular expression"),
    ));
    assert_eq!(matches(&txt("abc"), &regex), YES);
    assert_eq!(matches(&txt("abcd"), &regex), NO);
    assert_eq!(matches(&NULL, &regex), NULL);
}

#[test]
fn calendar_follows_the_time_zone() {
    use Function::{Day, Hour, Minute, Month, Weekday, Year};
    // 2023-12-31T23:30:00Z, a Sunday.
    let eve = at(1_704_065_400_000);
    for (function, zone, wanted) in [
        (Year, None, 2023),
        (Month, None, 12),
        (Day, None, 31),
        (Hour, None, 23),
        (Minute, None, 30),
        (Weekday, None, 7),
        (Year, Some("Europe/Paris"), 2024),
        (Hour, Some("Europe/Paris"), 0),
        (Weekday, Some("Europe/Paris"), 1),
    ] {
        let arguments: Vec<Value> = [eve.clone()].into_iter().chain(zone.map(txt)).collect();
        assert_eq!(
            call(function, &arguments),
            int(wanted),
            "{function:?} {zone:?}"
        );
    }
    assert_eq!(call(Hour, &[eve, txt("Nowhere/Land")]), NULL);
    assert_eq!(call(Year, &[at(i64::MAX)]), NULL);
    assert_eq!(call(Year, &[NULL]), NULL);
}

#[test]
fn units_of_a_duration_are_whole() {
    use Function::{Days, Hours, Minutes, Seconds};
    let d = [dur(90_061_999)];
    assert_eq!(call(Days, &d), int(1));
    assert_eq!(call(Hours, &d), int(25));
    assert_eq!(call(Minutes, &d), int(1501));
    assert_eq!(call(Seconds, &d), int(90_061));
    assert_eq!(call(Seconds, &[dur(-1_500)]), int(-1));
}

#[test]
fn distance_is_along_the_great_circle() {
    let km = |arguments: &[Value]| match call(Function::DistanceKm, arguments) {
        Value::Float(km) => km,
        other => panic!("{other:?}"),
    };
    let paris_london = km(&[flt(48.8566), flt(2.3522), flt(51.5074), flt(-0.1278)]);
    assert!((paris_london - 343.6).abs() < 0.5, "{paris_london}");
    assert!(km(&[int(10), int(20), int(10), int(20)]).abs() < 1e-9);
    let half_way_round = km(&[int(0), int(0), int(0), int(180)]);
    assert!((half_way_round - 20_015.1).abs() < 0.1, "{half_way_round}");
    assert_eq!(
        call(Function::DistanceKm, &[int(0), NULL, int(0), int(0)]),
        NULL
    );
}

#[test]
fn addresses_lie_in_networks() {
    for (address, network, wanted) in [
        ("10.1.2.3", "10.0.0.0/8", YES),
        ("11.1.2.3", "10.0.0.0/8", NO),
        ("192.168.1.130", "192.168.1.128/25", YES),
        ("192.168.1.127", "192.168.1.128/25", NO),
        ("1.2.3.4", "0.0.0.0/0", YES),
        ("1.2.3.4", "1.2.3.4", YES),
        ("1.2.3.5", "1.2.3.4/32", NO),
        ("2001:db8::1", "2001:db8::/32", YES),
        ("2001:db9::1", "2001:db8::/32", NO),
        ("::1", "::/0", YES),
        ("10.0.0.1", "::/0", NO),
        ("not an address", "10.0.0.0/8", NULL),
        ("10.0.0.1", "10.0.0.0/33", NULL),
        ("10.0.0.1", "10.0.0.0/", NULL),
    ] {
        assert_eq!(
            call(Function::InCidr, &[txt(address), txt(network)]),
            wanted,
            "{address} {network}"
        );
    }
}

#[test]
fn total_order_sorts_every_value_and_agrees_with_hashes() {
    let ascending = [
        NULL,
        NO,
        YES,
        int(-1),
        int(3),
        flt(f64::NEG_INFINITY),
        flt(-0.5),
        flt(2.0),
        flt(f64::NAN),
        dec("1.5"),
        txt(""),
        txt("a"),
        at(0),
        dur(0),
        list(&[]),
        list(&[NULL]),
        list(&[int(1)]),
    ];
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            assert_eq!(total_order(a, b), i.cmp(&j), "{a:?} {b:?}");
            let same_hash =
                stable_hash(std::slice::from_ref(a)) == stable_hash(std::slice::from_ref(b));
            assert_eq!(same_hash, i == j, "{a:?} {b:?}");
        }
    }
    assert_eq!(total_order(&dec("1.5"), &dec("1.50")), Ordering::Equal);
    assert_eq!(stable_hash(&[dec("1.5")]), stable_hash(&[dec("1.50")]));
    assert_eq!(stable_hash(&[flt(0.0)]), stable_hash(&[flt(-0.0)]));
    assert_ne!(
        stable_hash(&[txt("ab"), txt("c")]),
        stable_hash(&[txt("a"), txt("bc")])
    );
    assert_eq!(
        total_order_of(&[int(1), int(2)], &[int(1)]),
        Ordering::Greater
    );
}

/// Keys keep their hash across versions: state that was saved is found again.
#[test]
fn stable_hash_never_changes() {
    assert_eq!(stable_hash(&[txt("card-1"), int(7)]), PINNED);
}

const PINNED: u64 = 17_709_415_813_031_101_816;
