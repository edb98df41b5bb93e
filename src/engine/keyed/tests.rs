use std::sync::Arc;

use crate::automaton::{Row, Tables};
use crate::engine::Shard;
use crate::event::{Event, EventTypeId, Position, Value};
use crate::lang::span::SourceMap;
use crate::lang::{self, Params};
use crate::time::{Timestamp, Watermark};

const VARIANTS: &str = "event E { t: timestamp time, k: int, v: int }\n\
    pattern low { key k match a: E where v > 1 then b: E where v > 10 within 10ms emit lows { v: b.v } timeout low_gone { step: reached() } }\n\
    pattern mid { key k match a: E where v > 3 then b: E where v > 20 within 10ms emit mids { v: b.v } timeout mid_gone { step: reached() } }\n\
    pattern high { key k match a: E where v > 5 then b: E where v > 30 within 10ms emit highs { v: b.v } timeout high_gone { step: reached() } }\n\
    pattern windows { key k match a: E+ tumble 10ms emit sums { n: count(a) } }\n";

fn shard() -> Shard {
    let mut files = SourceMap::default();
    files.add("keyed.motif", VARIANTS);
    let compiled = lang::compile(&files, &Params::default());
    let program = Arc::new(compiled.program.expect("the patterns above are right"));
    Shard::alone(Arc::clone(&program), &Tables::empty(&program)).expect("they are small")
}

/// Shows events of key 1 with times and values; what comes out up to a watermark: pattern, time, value.
fn show(shard: &mut Shard, events: &[(i64, i64)], watermark: i64) -> Vec<(u32, i64, Value)> {
    let events: Vec<Event> = (0..)
        .zip(events)
        .map(|(offset, (time, v))| Event {
            ty: EventTypeId(0),
            time: Timestamp(*time),
            position: Position {
                source: 0,
                partition: *time as u32,
                offset,
            },
            values: Box::new([
                Value::Timestamp(Timestamp(*time)),
                Value::Int(1),
                Value::Int(*v),
            ]),
        })
        .collect();
    let mut rows = Vec::new();
    shard.advance(&events, Watermark(Timestamp(watermark)), &mut rows);
    let short = |row: Row| (row.pattern.0, row.at.0, row.values[0].clone());
    rows.into_iter().map(short).collect()
}

fn partials(shard: &Shard) -> Vec<Vec<(String, u64)>> {
    shard.partials()
}

#[test]
fn an_event_of_some_variants_goes_on_in_these_alone() {
    let mut shard = shard();
    // 4 begins a match of low and mid alone; 25 completes both.
    let rows = show(&mut shard, &[(1, 4), (2, 25)], 3);
    assert_eq!(rows, [(0, 2, Value::Int(25)), (1, 2, Value::Int(25))]);
    let counts = |shard: &Shard| {
        let tallies = shard.tallies();
        tallies
            .iter()
            .map(|tally| tally.matches)
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(&shard), [1, 1, 0, 0]);
}

#[test]
fn partial_matches_are_counted_by_pattern_and_step_and_windows_as_windows() {
    let mut shard = shard();
    assert_eq!(partials(&shard), vec![Vec::new(); 4]);
    show(&mut shard, &[(1, 2), (2, 4)], 3);
    let a = |count| vec![("a".to_owned(), count)];
    let window = vec![("window".to_owned(), 1)];
    assert_eq!(partials(&shard), [a(2), a(1), Vec::new(), window]);
    // One directory for the three variants, one for the windows.
    assert_eq!(shard.live(), (2, 4));
}

#[test]
fn each_variant_times_out_for_itself_and_nothing_is_left() {
    let mut shard = shard();
    let rows = show(&mut shard, &[(1, 2), (2, 4)], 40);
    let gone = |pattern, at| (pattern, at, Value::Str("a".into()));
    assert_eq!(
        rows,
        [
            (3, 10, Value::Int(2)),
            gone(0, 11),
            gone(0, 12),
            gone(1, 12)
        ]
    );
    assert_eq!(shard.live(), (0, 0));
}
