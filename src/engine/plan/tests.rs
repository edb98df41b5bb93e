use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use super::*;
use crate::automaton::{Fits, StepMask};
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
        _ => format!("x: E where {first} then not E where {second} within 1m"),
    };
    let emitted = if *kind == 2 { "count(x)" } else { "x.a" };
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
        patterns in prop::collection::vec((0..4usize, conditions(), conditions()), 1..24),
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
