//! Facts of `language.md` and `semantics.md`, asked of the reference matcher and of the engine.
//!
//! Events are written `3B5`: at 3 ms, of type `B`, with `n` 5. All events count as in between. A row is written as the numbers of the events bound to each variable and
//! the time of completion: `a0 b2,3 @5`.

use std::sync::Arc;

use leitmotif::automaton::{Row, Stream, Tables};
use leitmotif::engine::Shard;
use leitmotif::event::{Event, Position, Value};
use leitmotif::lang::pattern::Program;
use leitmotif::testing::{compile, reference};
use leitmotif::time::{Timestamp, Watermark};

const TYPES: [&str; 4] = ["A", "B", "C", "D"];

/// A pattern over `variables` with these clauses from `match` to `bound`.
fn pattern(variables: &str, clauses: &str) -> String {
    let events: Vec<String> = TYPES
        .iter()
        .map(|ty| format!("event {ty} {{ t: timestamp time, i: int, n: int? }}\n"))
        .collect();
    let fields: Vec<String> = variables
        .split_whitespace()
        .map(|name| format!("{name}: collect({name}.i)"))
        .collect();
    let fields = fields.join(", ");
    let text = |timeout: &str| {
        let events = events.concat();
        format!(
            "{events}pattern p {{ from A, B, C, D unkeyed {clauses} emit m {{ {fields} }} {timeout}}}\n"
        )
    };
    // A pattern in which nothing can time out takes no `timeout`.
    let with_timeout = text(&format!("timeout gone {{ {fields} }} "));
    if compile(&with_timeout).is_ok() {
        with_timeout
    } else {
        text("")
    }
}

fn events(program: &Program, text: &str) -> Vec<Event> {
    let event = |(i, word): (usize, &str)| {
        let letter = word
            .find(|c: char| c.is_ascii_alphabetic())
            .expect("a type");
        let time = Timestamp(word[..letter].parse().expect("a time"));
        let n = word[letter + 1..].parse().map_or(Value::Null, Value::Int);
        let ty = program
            .schema
            .find(&word[letter..=letter])
            .expect("a declared type");
        let number = i64::try_from(i).expect("few events");
        let values = [Value::Timestamp(time), Value::Int(number), n];
        Event {
            ty,
            time,
            position: Position {
                offset: i as u64,
                ..Position::default()
            },
            values: values.into(),
        }
    };
    text.split_whitespace().enumerate().map(event).collect()
}

fn shown(program: &Program, row: &Row) -> String {
    let (ty, late) = match row.stream {
        Stream::Match(ty) => (ty, ""),
        Stream::Timeout(ty) => (ty, "late "),
        Stream::Evicted => return "evicted".to_owned(),
    };
    let mut line = late.to_owned();
    for (field, value) in program.schema.get(ty).fields.iter().zip(&row.values) {
        let Value::List(numbers) = value else {
            continue;
        };
        let numbers: Vec<String> = numbers
            .iter()
            .map(|number| {
                if let Value::Int(n) = number {
                    n.to_string()
                } else {
                    "null".to_owned()
                }
            })
            .collect();
        if !numbers.is_empty() {
            line.push_str(&format!("{}{} ", field.name, numbers.join(",")));
        }
    }
    format!("{line}@{}", row.at.0)
}

#[track_caller]
fn check_text(text: &str, given: &str, wanted: &[&str]) {
    let program = Arc::new(compile(text).unwrap_or_else(|error| panic!("{error}\n{text}")));
    let events = events(&program, given);
    let tables = program.tables.iter().map(|_| Vec::new()).collect();
    let rows = reference::run(
        &program,
        &tables,
        &events,
        Watermark::FINAL,
        reference::PARTIALS_MAX,
    );
    let rows: Vec<String> = rows
        .expect("few partial matches")
        .iter()
        .map(|row| shown(&program, row))
        .collect();
    assert_eq!(rows, wanted, "reference, {text}");
    let mut engine = Shard::alone(program.clone(), &Tables::empty(&program)).expect("an automaton");
    let mut rows = Vec::new();
    engine.advance(&events, Watermark::FINAL, &mut rows);
    let rows: Vec<String> = rows.iter().map(|row| shown(&program, row)).collect();
    assert_eq!(rows, wanted, "engine, {text}");
}

#[track_caller]
fn check(variables: &str, clauses: &str, given: &str, wanted: &[&str]) {
    check_text(&pattern(variables, clauses), given, wanted);
}

#[test]
fn then_takes_the_first_event_that_satisfies() {
    check(
        "a b",
        "match a: A then b: B within 9ms",
        "1A 2C 3B 4B",
        &["a0 b2 @3"],
    );
    check(
        "a b",
        "match a: A then b: B where n > a.n within 9ms",
        "1A5 2B5 3B6",
        &["a0 b2 @3"],
    );
}

#[test]
fn next_allows_nothing_between() {
    check(
        "a b",
        "match a: A next b: B within 9ms",
        "1A 2C 3B 4A 4B",
        &["a3 b4 @4"],
    );
}

#[test]
fn then_any_makes_a_branch_of_every_event() {
    check(
        "a b",
        "match a: A then any b: B within 9ms skip none",
        "1A 2B 3C 4B",
        &["a0 b1 @2", "a0 b3 @4"],
    );
}

#[test]
fn earlier_events_do_not_satisfy_a_step_after_a_gap() {
    check(
        "a b",
        "match a: A then after 3ms b: B within 9ms",
        "1A 2B 3B 4B 5B",
        &["a0 b3 @4"],
    );
    check(
        "a b",
        "match a: A next after 3ms b: B within 9ms",
        "1A 2B 4B",
        &[],
    );
}

#[test]
fn gap_and_within_are_inclusive() {
    check(
        "a b",
        "match a: A then within 3ms b: B within 9ms",
        "1A 4B",
        &["a0 b1 @4"],
    );
    check(
        "a b",
        "match a: A then within 3ms b: B within 9ms",
        "1A 5B",
        &["late a0 @4"],
    );
    check(
        "a b",
        "match a: A then b: B within 3ms",
        "1A 4C 4B",
        &["a0 b2 @4"],
    );
    check(
        "a b",
        "match a: A then b: B within 3ms",
        "1A 5B",
        &["late a0 @4"],
    );
}

#[test]
fn negation_rules_strictly_between() {
    check(
        "a b",
        "match a: A then not C then b: B within 9ms",
        "1A 2D 3C 4B",
        &[],
    );
    check(
        "a b",
        "match a: A then not B then b: B within 9ms",
        "1A 2B",
        &["a0 b1 @2"],
    );
    check(
        "a b",
        "match a: A next not C then b: B within 9ms",
        "1A 2D 3C 4B",
        &["a0 b3 @4"],
    );
    check(
        "a b",
        "match a: A next not C then b: B within 9ms",
        "1A 2C 3B",
        &[],
    );
    check(
        "a b",
        "match a: A next not B then b: B within 9ms",
        "1A 2B",
        &["a0 b1 @2"],
    );
}

#[test]
fn negation_reaches_through_an_optional_step_that_is_empty() {
    let clauses = "match a: A then not C then b: B?? then d: D within 9ms";
    check("a b d", clauses, "1A 2C 3D", &[]);
    check("a b d", clauses, "1A 2B 3C 4D", &["a0 b1 d3 @4"]);
}

#[test]
fn absence_completes_when_its_time_has_passed() {
    check("a", "match a: A then not B for 3ms", "1A 3C 9C", &["a0 @4"]);
    check("a", "match a: A then not B for 3ms", "1A 3B", &[]);
    check("a", "match a: A then not B for 3ms", "1A 4B", &["a0 @4"]);
    check(
        "a b",
        "match a: A then b: B then not C within 5ms",
        "1A 2B 5C",
        &[],
    );
    check(
        "a b",
        "match a: A then b: B then not C within 5ms",
        "1A 2B 6C",
        &["a0 b1 @6"],
    );
}

#[test]
fn last_next_not_is_decided_by_the_next_event_or_the_bound() {
    check(
        "a",
        "match a: A next not B within 5ms",
        "1A 2C 3B",
        &["a0 @2"],
    );
    check("a", "match a: A next not B within 5ms", "1A 2B", &[]);
    check("a", "match a: A next not B within 5ms", "1A", &["a0 @6"]);
}

#[test]
fn absence_before_the_first_event_looks_back() {
    check("b", "match not A for 3ms then b: B", "1A 3B", &[]);
    check("b", "match not A for 3ms then b: B", "1A 4B", &["b1 @4"]);
}

#[test]
fn absence_in_the_middle_holds_the_next_step_off() {
    check(
        "a b",
        "match a: A then not C for 3ms then b: B within 9ms",
        "1A 2B 4B",
        &["a0 b2 @4"],
    );
    check(
        "a b",
        "match a: A then not C for 3ms next b: B within 9ms",
        "1A 2D 5B",
        &["a0 b2 @5"],
    );
    check(
        "a b",
        "match a: A then not C for 3ms then b: B within 9ms",
        "1A 2C 5B",
        &[],
    );
}

#[test]
fn greedy_loop_takes_what_it_can() {
    check(
        "a b",
        "match a: A+ then b: B within 9ms",
        "1A 2A 3B",
        &["a0,1 b2 @3"],
    );
    check(
        "a b",
        "match a: A+ where n < 5 then b: A within 9ms",
        "1A1 2A2 3A7",
        &["a0,1 b2 @3"],
    );
    check(
        "a b",
        "match a: A{1,2} then b: A within 9ms",
        "1A 2A 3A",
        &["a0,1 b2 @3"],
    );
    check(
        "a b c",
        "match a: A then b: B? then c: C within 9ms",
        "1A 2B 3C",
        &["a0 b1 c2 @3"],
    );
}

#[test]
fn reluctant_loop_tries_every_length_and_prefers_the_shorter() {
    check(
        "a b",
        "match a: A+? then b: A within 9ms",
        "1A 2A 3A",
        &["a0 b1 @2", "late a2 @12"],
    );
    check(
        "a b",
        "match a: A+? then b: B within 9ms skip none",
        "1A 2A 3B",
        &["a0 b2 @3", "a0,1 b2 @3", "a1 b2 @3"],
    );
}

#[test]
fn loop_contiguity_joins_the_repeats() {
    check(
        "a b",
        "match a: A{2} consecutive then b: B within 9ms",
        "1A 2C 3A 4B",
        &[],
    );
    check(
        "a b",
        "match a: A{2} combinations then b: B within 9ms skip none",
        "1A 2A 3A 4B",
        &["a0,1 b3 @4", "a0,2 b3 @4", "a1,2 b3 @4", "late a2 @12"],
    );
}

#[test]
fn until_ends_the_loop_and_the_event_goes_on() {
    check(
        "a b",
        "match a: A+ until A where n == 0 then b: A within 9ms",
        "1A5 2A5 3A0",
        &["a0,1 b2 @3"],
    );
    check(
        "a b",
        "match a: A+ until C then b: A within 9ms",
        "1A 2A 3C 4A",
        &["a0,1 b3 @4"],
    );
}

#[test]
fn trailing_loop_completes_at_its_minimum_and_grows_until_having_holds() {
    check(
        "a",
        "match a: A{2,} within 9ms",
        "1A 2A 3A",
        &["a0,1 @2", "late a2 @12"],
    );
    check(
        "a",
        "match a: A+ within 9ms having sum(a.n) > 5",
        "1A3 2A2 3A1 4A1",
        &["a0,1,2 @3", "late a3 @13"],
    );
}

#[test]
fn skip_says_which_starts_are_removed() {
    let with = |skip: &str| format!("match a: A+? combinations then b: B within 9ms {skip}");
    let given = "1A 2A 3B 4B";
    check("a b", &with(""), given, &["a0 b2 @3"]);
    check(
        "a b",
        &with("skip none"),
        given,
        &["a0 b2 @3", "a0,1 b2 @3", "a1 b2 @3"],
    );
    check(
        "a b",
        &with("skip to next"),
        given,
        &["a0 b2 @3", "a1 b2 @3"],
    );
    check("a b", &with("skip to b"), given, &["a0 b2 @3"]);
    check(
        "a b",
        &with("skip to last a"),
        given,
        &["a0 b2 @3", "a0,1 b2 @3", "a1 b2 @3"],
    );
}

#[test]
fn match_is_chosen_when_it_completes() {
    check(
        "a b",
        "match a: A then b: B where n > a.n within 9ms",
        "1A5 2A1 3B2 4B9",
        &["a1 b2 @3"],
    );
}

#[test]
fn start_times_out_once_with_its_most_advanced_binding() {
    check(
        "a b c",
        "match a: A then any b: B then c: C within 5ms",
        "1A 2B 3B",
        &["late a0 b1 @6"],
    );
    check(
        "a b",
        "match a: A then b: B within 5ms skip none",
        "1A 2B",
        &["a0 b1 @2"],
    );
    check("a b", "match a: A next b: B within 5ms", "1A 2C", &[]);
}

#[test]
fn windows_cut_time_and_count() {
    check(
        "a",
        "match a: A+ tumble 5ms",
        "1A 4A 5A 11A",
        &["a0,1 @5", "a2 @10", "a3 @15"],
    );
    check(
        "a",
        "match a: A+ hop 4ms every 2ms",
        "1A 3A",
        &["a0 @2", "a0,1 @4", "a1 @6"],
    );
    check(
        "a",
        "match a: A{2,} tumble 5ms",
        "1A 4A 5A",
        &["a0,1 @5", "late a2 @10"],
    );
    check(
        "a",
        "match a: A+ gap 3ms",
        "1A 3A 6A 7A",
        &["a0,1 @6", "a2,3 @10"],
    );
    check(
        "a",
        "match a: A+ for 3ms",
        "1A 3A 4A",
        &["a0,1 @4", "a2 @7"],
    );
    check(
        "a b",
        "match a: A then b: B+ gap 3ms within 9ms",
        "1A 2B 4B 7B",
        &["a0 b1,2 @7"],
    );
}

#[test]
fn windows_of_a_day_follow_the_local_clock() {
    // 2024-03-31 in Paris has 23 hours.
    let given = "1711839599999A 1711839600000A 1711922399999A 1711922400000A";
    let wanted = [
        "a0 @1711839600000",
        "a1,2 @1711922400000",
        "a3 @1712008800000",
    ];
    check(
        "a",
        r#"match a: A+ tumble 1d tz "Europe/Paris""#,
        given,
        &wanted,
    );
}

#[test]
fn count_windows_complete_at_an_event() {
    check(
        "a",
        "match a: A+ tumble 2",
        "1A 2A 3A 4A 5A",
        &["a0,1 @2", "a2,3 @4"],
    );
    check(
        "a",
        "match a: A+ hop 3 every 2",
        "1A 2A 3A 4A",
        &["a0,1 @2", "a1,2,3 @4"],
    );
}

#[test]
fn all_binds_in_any_order() {
    check(
        "a b",
        "match all(a: A, b: B) within 9ms",
        "1A 2B 3B 4A",
        &["a0 b1 @2", "a3 b2 @4"],
    );
}

#[test]
fn choice_prefers_what_is_written_first() {
    check(
        "a b",
        "match (a: A | b: A) within 9ms skip none",
        "1A",
        &["a0 @1", "b0 @1"],
    );
    check("a b", "match (b: A | a: A) within 9ms", "1A", &["b0 @1"]);
}

#[test]
fn first_element_of_a_group_takes_the_connector_before_the_group() {
    check(
        "a b c",
        "match a: A next (b: B then c: C) within 9ms",
        "1A 2D 3B 4C",
        &[],
    );
    check(
        "a b c",
        "match a: A next (b: B then c: C) within 9ms",
        "1A 2B 3D 4C",
        &["a0 b1 c3 @4"],
    );
}

#[test]
fn optional_step_waited_for_by_then_never_blocks_what_follows() {
    let clauses = "match a: A then b: B?? next c: C within 9ms";
    check("a b c", clauses, "1A 2C", &["a0 c1 @2"]);
    check("a b c", clauses, "1A 2D 3B 4C", &["a0 b2 c3 @4"]);
    check("a b c", clauses, "1A 2D 3C", &["late a0 @10"]);
}

#[test]
fn limit_holds_matches_back_that_still_remove() {
    check(
        "a",
        "match a: A within 1ms limit 1 per 3ms",
        "1A 2A 3A 4A 5A",
        &["a0 @1", "a3 @4"],
    );
}

#[test]
fn events_of_equal_time_keep_their_order() {
    check(
        "a b",
        "match a: A then b: B within 9ms",
        "1B 1A",
        &["late a1 @10"],
    );
    check(
        "a b",
        "match a: A next b: B within 9ms",
        "1A 1B",
        &["a0 b1 @1"],
    );
}

#[test]
fn events_of_a_stream_follow_the_sources_of_their_time() {
    let first = "event A { t: timestamp time, i: int, n: int? }\nevent B { t: timestamp time, i: int, n: int? }\n\
                 pattern p { unkeyed match a: A within 1ms emit s { i: a.i } }\n";
    let second = |sequence: &str| {
        format!(
            "{first}pattern q {{ unkeyed match {sequence} within 9ms emit m {{ x: collect(x.i), y: collect(y.i) }} }}"
        )
    };
    check_text(&second("x: s then y: B"), "1A 1B 2B", &["@1", "x0 y2 @2"]);
    check_text(&second("x: B then y: s"), "1A 1B", &["@1", "x1 y0 @1"]);
}
