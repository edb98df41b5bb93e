use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use super::*;
use crate::automaton::{Fits, StepMask};
use crate::event::formats::{Decoded, Decoder, Format, Kinds, Projection};
use crate::event::{Position, Value};
use crate::lang::span::SourceMap;
use crate::lang::{self, Params};
use crate::time::Timestamp;

const DECLARED: &str =
    "event E { t: timestamp time, k: string, a: int, o: int?, d: decimal, f: float }\n";

fn program(text: &str) -> Arc<Program> {
    let mut files = SourceMap::default();
    files.add("plan.motif", text);
    let compiled = lang::compile(&files, &Params::default());
    assert!(compiled.program.is_some(), "{:?}", compiled.diagnostics);
    Arc::new(compiled.program.expect("checked above"))
}

fn plan(program: &Arc<Program>) -> Plan {
    Plan::new(Arc::clone(program), &Tables::empty(program)).expect("small patterns have automata")
}

/// `kind` of the body, and a condition for each of its two steps.
fn pattern(number: usize, (kind, first, second): &(usize, String, String)) -> String {
    let body = match kind {
        0 => format!("x: E where {first} then y: E where {second} within 1m"),
        // Strict: every event matters to a key that has begun something.
        1 => format!("x: E where {first} next y: E where {second} within 1m"),
        2 => format!("x: E+ tumble 1m where {first} and {second}"),
        4 => format!("x: E+ where {first} until E where {second} then y: E where a == 1 within 1m"),
        5 => format!(
            "not E where {first} for 1m then x: E where {second} then y: E where a == 2 within 1m"
        ),
        6 => format!("x: E where {first} next not E where {second} within 1m"),
        7 => format!("x: E+ gap 1m where {first} and {second}"),
        8 => {
            format!("x: E where {first} then y: E? where {second} then z: E where a == 3 within 1m")
        }
        _ => format!("x: E where {first} then not E where {second} within 1m"),
    };
    let emitted = match kind {
        2 | 4 | 7 => "count(x)",
        _ => "x.a",
    };
    format!("pattern p{number} {{ key a match {body} emit m{number} {{ v: {emitted} }} }}\n")
}

fn conditions() -> impl Strategy<Value = String> {
    let comparisons = [
        "k == \"a\"",
        "k == \"b\"",
        "k in [\"a\", \"c\"]",
        "(k == \"b\" or k == \"c\")",
        "k > \"a\"",
        "k != \"a\"",
        "k not in [\"a\"]",
        "a == 1",
        "a < 1",
        "a <= 1",
        "a < 2",
        "a >= 1",
        "a > 1",
        "1 < a",
        "2 == a",
        "a in [0, 2]",
        "o == 1",
        "o > 0",
        "not (o > 0)",
        "d == 1.0",
        "d == 1.00",
        "d > 0.5",
        "d >= 1",
        "d in [0.5, 1]",
        "f <= 0.5",
        "f == 1.0",
        "f > 0.0",
        "a + 1 > 2",
        "length(k) == 1",
        "k in [\"a\", \"c\", \"x\", \"y\", \"z\"]",
        "a not in [1, 2, 5, 6, 7]",
        "o in [1, 2, 5, 6, 7]",
    ];
    prop::collection::vec(select(comparisons.to_vec()), 1..4).prop_map(|parts| parts.join(" and "))
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let text = select(vec!["a", "b", "c", "d", ""]);
    let maybe = prop::option::weighted(0.8, 0..3i64);
    let fields = (
        prop::option::weighted(0.9, text),
        0..4i64,
        maybe,
        0..4i64,
        0..4i64,
    );
    let event = fields.prop_map(|(k, a, o, d, f)| Event {
        ty: EventTypeId(0),
        time: Timestamp(0),
        position: Position::default(),
        values: Box::new([
            Value::Timestamp(Timestamp(0)),
            k.map_or(Value::Null, |k| Value::Str(k.into())),
            Value::Int(a),
            o.map_or(Value::Null, Value::Int),
            Value::Decimal(Decimal::new(d * 50, 2)),
            Value::Float(if f == 3 { f64::NAN } else { f as f64 / 2.0 }),
        ]),
    });
    prop::collection::vec(event, 1..40)
}

/// What a judgement says of each pattern on which the event bears.
fn by_pattern(
    plan: &Plan,
    judge: &mut Judge,
    event: &Event,
) -> Vec<(PatternId, StepMask, Interest)> {
    let mut all = Vec::new();
    for concern in judge.judge(event).into_iter().flatten() {
        let variants = &plan.members()[concern.member as usize].family.variants;
        match concern.fits {
            Fits::One(fits) => all.push((variants[0].pattern, fits, concern.interest)),
            Fits::Many(fittings) => {
                for fitting in fittings.iter() {
                    let of_it = fitting
                        .variants
                        .numbers()
                        .map(|number| (variants[number].pattern, fitting.fits, fitting.interest));
                    all.extend(of_it);
                }
            }
        }
    }
    all.sort_by_key(|(pattern, ..)| *pattern);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn judging_all_patterns_at_once_says_what_judging_each_alone_says(
        patterns in prop::collection::vec((0..9usize, conditions(), conditions()), 1..24),
        events in events(),
    ) {
        let mut text = DECLARED.to_owned();
        for (number, of_it) in patterns.iter().enumerate() {
            text.push_str(&pattern(number, of_it));
        }
        let program = program(&text);
        let plan = Arc::new(plan(&program));
        let mut judge = Judge::new(Arc::clone(&plan));
        let tables = Tables::empty(&program);
        let automata: Vec<Nfa> = program
            .order
            .iter()
            .map(|id| Nfa::new(&program, *id, &tables).expect("small patterns have automata"))
            .collect();
        for event in &events {
            let alone = program.order.iter().zip(&automata).filter_map(|(id, nfa)| {
                let (fits, interest) = nfa.look(event);
                (interest != Interest::None).then_some((*id, fits, interest))
            });
            let mut alone: Vec<_> = alone.collect();
            alone.sort_by_key(|(pattern, ..)| *pattern);
            prop_assert_eq!(by_pattern(&plan, &mut judge, event), alone, "{:?}", event.values);
        }
    }
}

/// Records of events, and some that are none.
fn records() -> impl Strategy<Value = Vec<String>> {
    let of = |texts: &[&'static str]| select(texts.to_vec());
    let fields = (
        of(&[
            "1700000000000",
            "1700000000007",
            "17",
            "\"2026-01-01T00:00:00Z\"",
            "\"x\"",
        ]),
        of(&[
            "\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"\"", "\"é\"", "\"a\\n\"", "null",
        ]),
        of(&["0", "1", "2", "3", "-1", "1.0", "1.5", "9007199254740993"]),
        of(&[
            "",
            ",\"o\":0",
            ",\"o\":1",
            ",\"o\":2",
            ",\"o\":null",
            ",\"o\":1.5",
        ]),
        of(&[
            "0",
            "0.5",
            "1",
            "1.00",
            "\"1.0\"",
            "-0.01",
            "0.49999999",
            "12345678.125",
        ]),
        of(&["0", "0.5", "-0.0", "1.0", "0.50000001", "1e2", "x"]),
    );
    let record = fields.prop_map(|(t, k, a, o, d, f)| {
        format!(r#"{{"t":{t},"k":{k},"a":{a}{o},"d":{d},"f":{f},"x":"y"}}"#)
    });
    prop::collection::vec(record, 1..60)
}

fn decoder(plan: &Plan) -> Decoder {
    let schema = &plan.program().schema;
    let kinds = Kinds::One(EventTypeId(0));
    Decoder::new(schema, &Projection::all(schema), Format::Json, &kinds)
}

proptest! {
    #[test]
    fn what_is_filtered_beforehand_is_an_event_that_no_pattern_can_use(
        patterns in prop::collection::vec((0..9usize, conditions(), conditions()), 1..4),
        records in records(),
    ) {
        let mut text = DECLARED.to_owned();
        for (number, of_it) in patterns.iter().enumerate() {
            text.push_str(&pattern(number, of_it));
        }
        let plan = Arc::new(plan(&program(&text)));
        let mut judge = Judge::new(Arc::clone(&plan));
        let mut filtering = decoder(&plan).prefiltered(|ty| plan.prefilter(ty));
        for record in records.iter().flat_map(|record| [record, &records[0], record]) {
            let read = decoder(&plan).decode(record.as_bytes(), Position::default());
            match (filtering.decode(record.as_bytes(), Position::default()), read) {
                (Ok(Decoded::Filtered(time)), Ok(Decoded::Event(event))) => {
                    prop_assert_eq!(time, Some(event.time));
                    prop_assert_eq!(judge.judge(&event), None, "{}", record);
                }
                (filtered, read) => prop_assert_eq!(filtered, read, "{}", record),
            }
        }
    }
}

#[test]
fn an_event_of_no_use_is_filtered_before_its_values_are_read() {
    let body = "x: E where k == \"a\" and d < 1 then y: E where k == \"a\" and f > 0.5 within 1m";
    let text = format!("{DECLARED}pattern p {{ key a match {body} emit m {{ v: x.a }} }}\n");
    let plan = plan(&program(&text));
    let mut decoder = decoder(&plan).prefiltered(|ty| plan.prefilter(ty));
    let mut is_filtered = |t: &str, k: &str, a: &str, d: &str, f: &str| {
        let record = format!(r#"{{"t":{t},"k":"{k}","a":{a},"d":{d},"f":{f}}}"#);
        let decoded = decoder.decode(record.as_bytes(), Position::default());
        decoded.map(|decoded| matches!(decoded, Decoded::Filtered(_)))
    };
    let t = "1700000000000";
    // By the first record it is learned how they are laid out.
    assert_eq!(is_filtered(t, "b", "1", "0.5", "1"), Ok(false));
    for (k, d, f, filtered) in [
        ("b", "0.5", "1", true),
        ("a", "0.5", "0", false),
        ("a", "1.01", "0.5001", false),
        ("a", "1.01", "0.4999", true),
        ("ä", "0.5", "1", false),
    ] {
        assert_eq!(is_filtered(t, k, "1", d, f), Ok(filtered), "{k} {d} {f}");
    }
    // What is no event is none, whoever would use it.
    for (t, a) in [("17", "1"), (t, "1.5")] {
        assert!(is_filtered(t, "b", a, "0.5", "1").is_err(), "{t} {a}");
    }
    let any = format!(
        "{DECLARED}pattern p {{ key a match x: E where f > 0.5 next y: E within 1m emit m {{ v: x.a }} }}\n"
    );
    assert_eq!(
        super::tests::plan(&program(&any)).prefilter(EventTypeId(0)),
        None
    );
}

fn members(patterns: &[&str]) -> usize {
    let text: String = (0..)
        .zip(patterns)
        .map(|(number, body)| format!("pattern p{number} {{ {body} }}\n"))
        .collect();
    plan(&program(&format!("{DECLARED}{text}"))).members().len()
}

#[test]
fn patterns_that_differ_in_thresholds_and_names_are_one_family() {
    let alike = [
        "key k match x: E where a < 1 then y: E where d > 2.5 within 1m emit m { v: x.a }",
        "key k match x: E where a < 2 then y: E where d > 7 within 1m emit n { v: x.a }",
        "key k match x: E then y: E where f > 0.5 and k == \"a\" within 1m emit o { w: x.a }",
    ];
    assert_eq!(members(&alike), 1);
}

#[test]
fn patterns_that_differ_in_anything_else_are_families_of_their_own() {
    let of = |key: &str, step: &str, within: &str, value: &str| {
        format!(
            "{key} match {step}: E where a < 1 then y: E where a > {step}.a within {within} emit m {{ v: {value} }}"
        )
    };
    let first = of("key k", "x", "1m", "y.d + 1.0");
    for other in [
        of("key a", "x", "1m", "y.d + 1.0"),
        of("key k", "z", "1m", "y.d + 1.0"),
        of("key k", "x", "2m", "y.d + 1.0"),
        // Equal numbers, written with other digits.
        of("key k", "x", "1m", "y.d + 1.00"),
        of("key k", "x", "1m", "y.d + 1.0").replace("a > x.a", "a < x.a"),
    ] {
        let other = other.replace("emit m", "emit n");
        assert_eq!(members(&[&first, &other]), 2, "{other}");
    }
    let same = first.replace("emit m", "emit n").replace("a < 1", "a < 2");
    assert_eq!(members(&[&first, &same]), 1);
}
