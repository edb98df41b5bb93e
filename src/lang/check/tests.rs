//! Facts about what checking makes of a file.

use crate::event::{FieldId, Value};
use crate::lang::ast::BinaryOp;
use crate::lang::pattern::{
    AfterMatch, AggregateFunction, Appetite, Closer, Contiguity, Element, Expr, Function, Loop,
    Node, Pattern, PatternId, Program, Reach, StepId, TEST_EPOCH, VariableId, Window,
};
use crate::lang::span::SourceMap;
use crate::lang::{Compiled, Params, compile};
use crate::time::Span;
use rust_decimal::Decimal;

const TYPES: &str = "event A { at: timestamp time, k: string, n: int, d: decimal, x: float, s: string? }\n\
                     event B { at: timestamp(s) time, k: string, n: int, flag: bool }\n";

fn compiled(texts: &[&str], params: &Params) -> Compiled {
    let mut sources = SourceMap::default();
    for (at, text) in texts.iter().enumerate() {
        sources.add(format!("{at}.motif"), *text);
    }
    compile(&sources, params)
}

fn codes(text: &str) -> Vec<&'static str> {
    let compiled = compiled(&[text], &Params::default());
    compiled
        .diagnostics
        .iter()
        .map(|found| found.code.0)
        .collect()
}

#[track_caller]
fn program(text: &str) -> Program {
    let compiled = compiled(&[text], &Params::default());
    compiled
        .program
        .unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics))
}

/// The pattern `match SEQUENCE REST`, keyed by `k`.
#[track_caller]
fn pattern(sequence: &str, rest: &str) -> Pattern {
    program(&file(sequence, rest)).patterns.remove(0)
}

fn file(sequence: &str, rest: &str) -> String {
    format!("{TYPES}pattern p {{ key k match {sequence} {rest} }}")
}

const OUT: &str = "within 10m emit o { k }";

#[track_caller]
fn node(pattern: &Pattern, at: usize) -> &Node {
    match &pattern.body.elements[at] {
        Element::Positive { node, .. } => node,
        Element::Absent(_) => panic!("element {at} is a negation"),
    }
}

#[track_caller]
fn repeat(pattern: &Pattern, at: usize) -> &Loop {
    match node(pattern, at) {
        Node::Loop(repeat) => repeat,
        other => panic!("{other:?} is no loop"),
    }
}

fn reach(pattern: &Pattern, at: usize) -> Option<Reach> {
    match &pattern.body.elements[at] {
        Element::Absent(absence) => Some(absence.reach),
        Element::Positive { .. } => None,
    }
}

#[track_caller]
fn condition(sequence: &str) -> Expr {
    let pattern = pattern(sequence, OUT);
    let last = pattern.steps.last().and_then(|step| step.condition.clone());
    last.expect("a condition")
}

#[track_caller]
fn output(sequence: &str, fields: &str) -> Vec<Expr> {
    let mut pattern = pattern(sequence, &format!("within 10m {fields}"));
    pattern.emits.remove(0).fields
}

fn decimal(digits: &str) -> Expr {
    Expr::Const(Value::Decimal(digits.parse::<Decimal>().expect("digits")))
}

#[test]
fn quantifiers_become_bounds() {
    for (written, min, max) in [
        ("+", 1, None),
        ("*", 0, None),
        ("?", 0, Some(1)),
        ("{3}", 3, Some(3)),
        ("{3,}", 3, None),
        ("{0,4}", 0, Some(4)),
    ] {
        let pattern = pattern(
            &format!("a: A{written} where n < 1 then b: A where n > 1"),
            OUT,
        );
        let found = repeat(&pattern, 0);
        assert_eq!((found.min, found.max), (min, max), "{written}");
        assert_eq!(found.appetite, Appetite::Greedy);
    }
    let pattern = pattern("a: A{2,4}? consecutive then b: B", OUT);
    assert_eq!(repeat(&pattern, 0).appetite, Appetite::Reluctant);
    assert_eq!(repeat(&pattern, 0).contiguity, Contiguity::Strict);
}

#[test]
fn a_loop_whose_body_can_be_empty_may_be_empty() {
    let pattern = pattern("(a: A? where n < 1){3} then b: B", OUT);
    assert_eq!(
        (repeat(&pattern, 0).min, repeat(&pattern, 0).max),
        (0, Some(3))
    );
    assert!(matches!(repeat(&pattern, 0).body, Node::Choice(ref one) if one.len() == 1));
}

#[test]
fn negations_reach_as_far_as_written() {
    let found = pattern(
        "a: A then not B then b: A next not B then c: A then not B for 5m then d: A then not B",
        OUT,
    );
    assert_eq!(reach(&found, 1), Some(Reach::Between));
    assert_eq!(reach(&found, 3), Some(Reach::Adjacent));
    assert_eq!(reach(&found, 5), Some(Reach::For(Span(300_000))));
    assert_eq!(reach(&found, 7), Some(Reach::Between));
    let leading = pattern("not B for 5m then a: A", OUT);
    assert_eq!(reach(&leading, 0), Some(Reach::For(Span(300_000))));
}

#[test]
fn unnamed_steps_get_names_and_variables_of_their_own() {
    let found = pattern(
        "A where n < 1 then A_2: A where n > 1 then A where n == 1",
        OUT,
    );
    let names: Vec<&str> = found.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["A", "A_2", "A_3"]);
    let names: Vec<&str> = found
        .variables
        .iter()
        .map(|variable| variable.name.as_str())
        .collect();
    assert_eq!(names, ["A", "A_2", "A_3"]);
}

#[test]
fn a_named_group_holds_the_events_of_all_its_positive_steps() {
    let found = pattern(
        "g: (A where n < 1 then not B then A where n > 1 | A where n == 1)",
        OUT,
    );
    let group = found
        .variables
        .iter()
        .find(|variable| variable.name == "g")
        .expect("the group");
    assert_eq!(group.steps, [StepId(0), StepId(2), StepId(3)]);
}

#[test]
fn numbers_take_the_type_of_what_is_around_them() {
    let compared = |condition: Expr| match condition {
        Expr::Binary(_, _, right) => *right,
        other => panic!("{other:?}"),
    };
    assert_eq!(compared(condition("A where d > 500")), decimal("500"));
    assert_eq!(compared(condition("A where d > 1.50")), decimal("1.50"));
    assert_eq!(
        compared(condition("A where x > 1.5")),
        Expr::Const(Value::Float(1.5))
    );
    assert_eq!(
        compared(condition("A where x > -2")),
        Expr::Const(Value::Float(-2.0))
    );
    assert_eq!(
        compared(condition("A where n > 2 * 3")),
        Expr::Const(Value::Int(6))
    );
    assert_eq!(
        compared(condition("A where at > \"1970-01-01T00:00:01Z\"")),
        Expr::Const(Value::Timestamp(crate::time::Timestamp(1_000)))
    );
}

#[test]
fn functions_and_params_are_written_out() {
    let text = format!(
        "param low: decimal = 5\nparam high: decimal = low * 100\n\
         fn large(v: decimal, times: int): bool = v > high * times\n{}",
        file("a: A where large(d, 2)", OUT)
    );
    let found = program(&text).patterns[0].steps[0].condition.clone();
    let Some(Expr::Binary(BinaryOp::Gt, left, right)) = found else {
        panic!("{found:?}")
    };
    assert_eq!(*left, Expr::Field(FieldId(3)));
    assert_eq!(*right, decimal("1000"));
}

#[test]
fn an_argument_keeps_its_own_fields_when_written_out() {
    // Both the argument of `f` and the field of the event are number 2: one must not be taken for the other.
    let text = format!(
        "fn f(p: int, q: int, r: int): int = r - p\n{}",
        file("a: A where f(n, 1, n + 7) == 7", OUT)
    );
    let found = program(&text).patterns[0].steps[0]
        .condition
        .clone()
        .expect("a condition");
    let n = || Box::new(Expr::Field(FieldId(2)));
    let seven = || Box::new(Expr::Const(Value::Int(7)));
    let sum = Box::new(Expr::Binary(BinaryOp::Add, n(), seven()));
    let difference = Box::new(Expr::Binary(BinaryOp::Sub, sum, n()));
    assert_eq!(found, Expr::Binary(BinaryOp::Eq, difference, seven()));
}

#[test]
fn an_int_goes_where_a_decimal_is_declared() {
    let text = format!(
        "fn f(v: int): decimal = v\n{}",
        file("a: A", "emit o { v: f(a.n) }")
    );
    let found = program(&text);
    assert_eq!(
        found.schema.types.last().map(|ty| ty.fields[0].ty),
        Some(crate::event::FieldType::Decimal)
    );
    let widened = Expr::Binary(
        BinaryOp::Mul,
        Box::new(Expr::Bound(VariableId(0), FieldId(2))),
        Box::new(Expr::Const(Value::Decimal(Decimal::ONE))),
    );
    assert_eq!(found.patterns[0].emits[0].fields[0], widened);
}

#[test]
fn aggregates_count_the_event_being_tested_for_their_own_step_only() {
    let includes = |sequence: &str| match condition(sequence) {
        Expr::Binary(_, left, _) => match *left {
            Expr::Aggregate(aggregate) => (
                aggregate.function,
                aggregate.includes_tested,
                aggregate.variable,
            ),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(
        includes("a: A+ where sum(n) < 9"),
        (AggregateFunction::Sum, true, VariableId(0))
    );
    assert_eq!(
        includes("a: A+ where n < 1 then b: A where sum(a.n * 2) < 9"),
        (AggregateFunction::Sum, false, VariableId(0))
    );
    assert_eq!(
        includes("a: A+ where n < 1 then b: B+ where count(b) < 9"),
        (AggregateFunction::Count, true, VariableId(1))
    );
}

#[test]
fn prev_with_a_default_is_the_default_at_the_first_repeat() {
    let found = condition("a: A{2} where n > prev(n, 0)");
    let prev = Expr::Prev(VariableId(0), Box::new(Expr::Field(FieldId(2))));
    let default = Box::new(Expr::Const(Value::Int(0)));
    let wanted = Expr::Binary(BinaryOp::Coalesce, Box::new(prev), default);
    assert_eq!(
        found,
        Expr::Binary(
            BinaryOp::Gt,
            Box::new(Expr::Field(FieldId(2))),
            Box::new(wanted)
        )
    );
}

#[test]
fn what_may_be_bound_before_can_be_read() {
    for fine in [
        "a: A then b: A where n > a.n",
        "(a: A | b: B) then c: A where n > a.n and n > b.n",
        "all(a: A where n > b.n, b: A where n > a.n)",
        "(a: A where n < 1 then b: A where n > a.n){2}",
        "(a: A where n > (b.n ?? 0) then b: A where n < 0){2}",
        "a: A then not B where n > a.n then b: A",
        "a: A+ until A where n > count(a) then b: B",
        "A where n < 1 then b: B where n > A.n",
    ] {
        assert_eq!(codes(&file(fine, OUT)), Vec::<&str>::new(), "{fine}");
    }
    for early in [
        "a: A where n > b.n then b: A",
        "(a: A where n > b.n | b: A)",
        "a: A where n > a.n",
        "a: A where n > count(b) then b: A",
    ] {
        assert_eq!(codes(&file(early, OUT)), ["E064"], "{early}");
    }
}

#[test]
fn keys_name_a_field_of_every_input() {
    let text = format!(
        "{TYPES}pattern p {{ from B key who = A.s | B.k, n match a: A where who == \"x\" within 1m emit o {{ who, n }} }}"
    );
    let found = &program(&text).patterns[0];
    assert_eq!(found.key, ["who", "n"]);
    let fields: Vec<Vec<u16>> = found
        .inputs
        .iter()
        .map(|input| input.key.iter().map(|field| field.0).collect())
        .collect();
    assert_eq!(fields, [vec![1, 2], vec![5, 2]]);
    assert_eq!(found.emits[0].fields, [Expr::Key(0), Expr::Key(1)]);
}

#[test]
fn bare_names_in_outputs_are_of_the_key_or_of_the_only_step() {
    assert_eq!(
        output("a: A", "emit o { k, n }"),
        [Expr::Key(0), Expr::Bound(VariableId(0), FieldId(2))]
    );
    assert_eq!(
        codes(&file("a: A then b: B", "within 1m emit o { n }")),
        ["E065"]
    );
}

#[test]
fn emit_each_reads_the_event_of_its_row() {
    let a_and_b = || {
        vec![
            (crate::event::EventTypeId(0), FieldId(2)),
            (crate::event::EventTypeId(1), FieldId(2)),
        ]
    };
    assert_eq!(
        output("a: A then b: A", "emit each o { n }"),
        [Expr::Field(FieldId(2))]
    );
    assert_eq!(
        output("a: A then b: B", "emit each o { n }"),
        [Expr::EachField(a_and_b())]
    );
    assert_eq!(
        output("a: A then b: B", "emit each o { flag }"),
        [Expr::EachField(vec![(
            crate::event::EventTypeId(1),
            FieldId(3)
        )])]
    );
}

#[test]
fn closers_and_windows_are_kept_as_written() {
    let closer = |sequence: &str| repeat(&pattern(sequence, "emit o { k }"), 0).closer.clone();
    assert_eq!(closer("a: A+ gap 5m"), Some(Closer::Gap(Span(300_000))));
    assert_eq!(closer("a: A{3,} for 5m"), Some(Closer::For(Span(300_000))));
    let minute = Span(60_000);
    let window = |size, every, tz: Option<&str>| {
        Some(Closer::Window(Window::Time {
            size,
            every,
            tz: tz.map(str::to_owned),
        }))
    };
    assert_eq!(closer("a: A+ tumble 1m"), window(minute, minute, None));
    assert_eq!(
        closer("a: A+ hop 1m every 10s tz \"Europe/Paris\""),
        window(minute, Span(10_000), Some("Europe/Paris"))
    );
    assert_eq!(
        closer("a: A+ hop 100 every 10"),
        Some(Closer::Window(Window::Count {
            size: 100,
            every: 10
        }))
    );
}

#[test]
fn a_pattern_is_bounded_when_no_wait_is_endless() {
    for bounded in [
        "a: A",
        "a: A next b: B next c: A",
        "a: A then within 5m b: B",
        "a: A next b: A+ consecutive",
        "a: A then not B for 5m",
        "a: A then within 5m b: A+ gap 5m",
        "(a: A | b: A next c: B) then within 1m d: B",
    ] {
        let found = codes(&file(bounded, "skip none emit o { k }"));
        assert!(!found.contains(&"E107"), "{bounded}: {found:?}");
    }
    for endless in [
        "a: A then b: B",
        "a: A then within 5m b: B then c: A",
        "a: A then any b: B",
        "a: A+",
        "a: A next b: A+",
        "a: A{3}",
        "(a: A next b: B){2}",
        "(a: A | b: A then c: B)",
        "all(a: A, b: B)",
        "a: A then not B for 5m then c: A",
        "a: A then b: A+ gap 5m",
    ] {
        let found = codes(&file(endless, "skip none emit o { k }"));
        assert!(found.contains(&"E107"), "{endless}: {found:?}");
    }
}

#[test]
fn an_event_declared_in_several_files_has_the_fields_of_all() {
    let first =
        "event A { at: timestamp time, k: string }\npattern p { key k match a: A emit o { k } }";
    let second = "event A { at: timestamp time, n: int }\npattern q { unkeyed match a: o where k == \"x\" emit r { k } }";
    let found = compiled(&[first, second], &Params::default());
    let program = found
        .program
        .unwrap_or_else(|| panic!("{:#?}", found.diagnostics));
    let names: Vec<&str> = program
        .schema
        .types
        .iter()
        .map(|ty| ty.name.as_str())
        .collect();
    assert_eq!(names, ["A", "o", "r"]);
    assert_eq!(program.schema.types[0].fields.len(), 3);
}

#[test]
fn patterns_come_after_those_that_feed_them() {
    let text = format!(
        "{TYPES}pattern late {{ key k match x: mid emit o1 {{ k, n: x.n }} }}\n\
         pattern mid1 {{ key k match x: early emit mid {{ k, n: x.n }} }}\n\
         pattern first {{ key k match a: A emit early {{ k, n: a.n }} }}"
    );
    let program = program(&text);
    assert_eq!(program.order, [PatternId(2), PatternId(1), PatternId(0)]);
    let o1 = program
        .schema
        .find("o1")
        .map(|id| program.schema.get(id).fields[1].ty);
    assert_eq!(o1, Some(crate::event::FieldType::Int));
}

#[test]
fn settings_override_params() {
    let text = format!(
        "param low: decimal = 5.00\n{}",
        file("a: A where d < low", OUT)
    );
    let mut params = Params::default();
    params.set("low", "1");
    params.set("low", "7.5");
    let program = compiled(&[&text], &params).program.expect("a program");
    let Some(Expr::Binary(_, _, right)) = &program.patterns[0].steps[0].condition else {
        panic!("no comparison")
    };
    assert_eq!(**right, decimal("7.5"));
}

#[test]
fn skip_speaks_of_variables() {
    assert_eq!(
        pattern("a: A then b: B", "within 1m skip to last b emit o { k }").skip,
        AfterMatch::ToLast(VariableId(1))
    );
    assert_eq!(
        pattern("a: A then B", "within 1m skip to B emit o { k }").skip,
        AfterMatch::To(VariableId(1))
    );
    assert_eq!(pattern("a: A", "emit o { k }").skip, AfterMatch::PastMatch);
}

#[test]
fn tests_hold_typed_rows_at_their_offsets() {
    let text = format!(
        "{}\ntable T {{ id: string, d: decimal }} key id\n\
         test \"t\" {{ given {{ 30s A {{ k: \"x\", n: 1, d: 2, x: 3 }} 0s T {{ id: \"i\", d: 1 }} }} expect {{ 1m o {{ at: 30s, d: 2, n: null, l: [1] }} }} }}",
        file(
            "a: A where (T[k].d ?? 0) < d",
            "within 1m emit o { k, at: a.at, d: a.d, n: a.n, l: collect(a.n) }"
        )
    );
    let program = program(&text);
    let test = &program.tests[0];
    assert_eq!(test.given[0].time, TEST_EPOCH.plus(Span(30_000)));
    let two = Value::Decimal(Decimal::TWO);
    assert_eq!(
        &test.given[0].values[1..5],
        &[
            Value::Str("x".into()),
            Value::Int(1),
            two.clone(),
            Value::Float(3.0)
        ]
    );
    assert_eq!(test.rows[0].1[1], Value::Decimal(Decimal::ONE));
    let expected = &test.expect[0];
    assert_eq!(expected.at, TEST_EPOCH.plus(Span(60_000)));
    assert_eq!(
        expected.fields[0].1,
        Value::Timestamp(TEST_EPOCH.plus(Span(30_000)))
    );
    assert_eq!(expected.fields[1].1, two);
    assert_eq!(expected.fields[2].1, Value::Null);
    assert_eq!(expected.fields[3].1, Value::List([Value::Int(1)].into()));
}

#[test]
fn functions_have_the_types_of_their_arguments() {
    for (expr, wanted) in [
        ("abs(n) == 1", true),
        ("round(d, 2) == 1.25", true),
        ("least(n, d) < x", false),
        ("greatest(n, d) < 5.5", true),
        ("hour(at, \"Europe/Paris\") in [1, 2]", true),
        ("distance_km(x, x, 1, 2.5) > 3", true),
        ("minutes(at - match_start()) > 3", true),
        ("length(s ?? \"\") > 3", true),
        ("s ?? 5 == \"x\"", false),
        ("at + 5m > at and 5m * 2 > 2m", true),
        ("5m / 5m > 1", false),
        ("5m % 2 > 1m", false),
        ("s + s == \"xx\"", false),
        ("lower(k) == upper(n)", false),
        ("k > s", true),
        ("n == true", false),
        ("d in [1, 2.5] and n in [1, 2]", true),
        ("key() == \"x\"", true),
    ] {
        let found = codes(&file(&format!("a: A where {expr}"), "emit o { k }"));
        assert_eq!(found.is_empty(), wanted, "{expr}: {found:?}");
    }
    let called = condition("a: A where round(d, 2) == 1.25");
    assert!(
        matches!(called, Expr::Binary(_, left, _) if matches!(*left, Expr::Call(Function::Round, _)))
    );
}

#[test]
fn one_mistake_is_told_once() {
    assert_eq!(
        codes(&file("a: A where missing + 5 > 3 and not missing2", OUT)),
        ["E057", "E057"]
    );
    assert_eq!(
        codes(&file("a: Nothing where x > 5 then b: A where n > a.n", OUT)),
        ["E055"]
    );
    let reader = format!(
        "{}\npattern q {{ key k match x: o where m > 5 emit r {{ m: x.m }} }}",
        file("a: A", "emit o { k, m: missing }")
    );
    assert_eq!(codes(&reader), ["E057"]);
}

#[test]
fn hostile_files_cost_no_more_than_their_length() {
    let groups = format!("{}a: A{}", "(".repeat(150), ")".repeat(150));
    let calls = (0..60).fold("n".to_owned(), |inner, _| format!("f({inner})"));
    let names: String = (0..20_000).map(|at| format!("x{at} + ")).collect();
    let functions: String = (0..5_000)
        .map(|at| format!("fn f{at}(x: int): int = f{}(x) + f{}(x)\n", at + 1, at + 2))
        .collect();
    let annotations: String = (0..20_000).map(|at| format!("@a{at}(\"\") ")).collect();
    let emits: String = (0..20_000)
        .map(|at| format!("emit o{at} {{ k }} "))
        .collect();
    let events: String = (0..20_000)
        .map(|at| format!("event E{at} {{ at: timestamp time }}\n"))
        .collect();
    let from: String = (0..20_000).map(|at| format!("E{at}, ")).collect();
    for text in [
        file(&groups, OUT),
        format!(
            "fn f(x: int): int = x + x\n{}",
            file(&format!("a: A where {calls} > 1"), OUT)
        ),
        file(&format!("a: A where {names} n > 1"), OUT),
        functions,
        format!("{TYPES}{annotations}pattern p {{ key k match a: A emit o {{ k }} }}"),
        file("a: A", &emits),
        format!(
            "{events}pattern p {{ from {from} E1 unkeyed match a: E1 emit o {{ n: count(a) }} }}"
        ),
        file(&"a: A then ".repeat(20_000), OUT),
    ] {
        let began = std::time::Instant::now();
        let _ = compiled(&[&text], &Params::default());
        assert!(
            began.elapsed().as_secs() < 20,
            "{} …",
            &text[..200.min(text.len())]
        );
    }
}

#[test]
fn a_file_of_nothing_but_tests_is_about_all_patterns() {
    let tests =
        "test \"t\" { given { 0s A { k: \"x\", n: 1, d: 1, x: 1 } } expect { 0s o { k: \"x\" } } }";
    let found = compiled(&[&file("a: A", "emit o { k }"), tests], &Params::default());
    let program = found
        .program
        .unwrap_or_else(|| panic!("{:#?}", found.diagnostics));
    assert_eq!(program.tests[0].patterns, [PatternId(0)]);
}

#[test]
fn mistakes_beyond_what_anybody_reads_are_counted() {
    let emits: String = (0..3_000)
        .map(|at| format!("emit o{at} {{ m }} "))
        .collect();
    let found = codes(&file("a: A", &emits));
    assert_eq!(found.len(), 2_001);
    assert!(found.contains(&"E076"));
}
