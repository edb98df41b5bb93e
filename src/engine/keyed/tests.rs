use std::sync::Arc;

use crate::automaton::{Row, Tables};
use crate::disk::SystemDisk;
use crate::engine::Shard;
use crate::engine::room::Room;
use crate::event::{Event, EventTypeId, Position, Value};
use crate::lang::span::SourceMap;
use crate::lang::{self, Params};
use crate::store::memory::Memory;
use crate::store::{Batch, StateStore};
use crate::time::{Timestamp, Watermark};

const VARIANTS: &str = "event E { t: timestamp time, k: int, v: int }\n\
    pattern low { key k match a: E where v > 1 then b: E where v > 10 within 10ms emit lows { v: b.v } timeout low_gone { step: reached() } }\n\
    pattern mid { key k match a: E where v > 3 then b: E where v > 20 within 10ms emit mids { v: b.v } timeout mid_gone { step: reached() } }\n\
    pattern high { key k match a: E where v > 5 then b: E where v > 30 within 10ms emit highs { v: b.v } timeout high_gone { step: reached() } }\n\
    pattern windows { key k match a: E+ tumble 10ms emit sums { n: count(a) } }\n";

fn shard() -> Shard {
    shard_of(VARIANTS)
}

fn shard_of(patterns: &str) -> Shard {
    let mut files = SourceMap::default();
    files.add("keyed.motif", patterns);
    let compiled = lang::compile(&files, &Params::default());
    let program = Arc::new(compiled.program.expect("the patterns above are right"));
    Shard::alone(Arc::clone(&program), &Tables::empty(&program)).expect("they are small")
}

/// Shows events of key 1 with times and values; what comes out up to a watermark: pattern, time, value.
fn show(shard: &mut Shard, events: &[(i64, i64)], watermark: i64) -> Vec<(u32, i64, Value)> {
    let of_one: Vec<_> = events.iter().map(|(time, v)| (*time, 1, *v)).collect();
    show_keys(shard, &of_one, watermark)
}

/// The same with times, keys and values.
fn show_keys(
    shard: &mut Shard,
    events: &[(i64, i64, i64)],
    watermark: i64,
) -> Vec<(u32, i64, Value)> {
    let events: Vec<Event> = (0..)
        .zip(events)
        .map(|(offset, (time, key, v))| Event {
            ty: EventTypeId(0),
            time: Timestamp(*time),
            position: Position {
                source: 0,
                partition: *time as u32,
                offset,
            },
            values: Box::new([
                Value::Timestamp(Timestamp(*time)),
                Value::Int(*key),
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

#[test]
fn a_key_that_moves_while_it_is_owed_is_saved_as_it_was() {
    let mut shard = shard_of(
        "event E { t: timestamp time, k: int, v: int }\n\
        pattern two { key k match a: E where v == 1 then b: E where v == 2 within 1h emit twos { v: b.v } }\n",
    );
    let store: Arc<dyn StateStore> = Arc::new(Memory::new(SystemDisk::shared()));
    shard.keep(&store, &Room::Keys(usize::MAX));
    let begins: Vec<_> = (0..20).map(|key| (1, key, 1)).collect();
    show_keys(&mut shard, &begins, 2);
    let save = |shard: &mut Shard| {
        let mut batch = Batch::default();
        let all = shard.save_some(1, &mut batch);
        (batch.len(), all)
    };
    shard.end_epoch(&mut Batch::default());
    while !save(&mut shard).1 {}
    show_keys(&mut shard, &[(2, 18, 1), (2, 19, 1)], 3);
    shard.end_epoch(&mut Batch::default());
    assert_eq!(save(&mut shard), (1, false));
    // Others vanish, so that the last two move, of which one is still owed.
    let ends: Vec<_> = (0..18).map(|key| (3, key, 2)).collect();
    assert_eq!(show_keys(&mut shard, &ends, 4).len(), 18);
    let mut saved = 0;
    loop {
        let (more, all) = save(&mut shard);
        saved += more;
        if all {
            break;
        }
    }
    assert_eq!(saved, 1);
}

#[test]
fn keys_that_wait_for_the_end_of_a_batch_have_come_up_to_each_event_they_are_shown() {
    // Time alone makes no rows here, in two variants and a pattern by itself.
    let patterns = "event E { t: timestamp time, k: int, v: int }\n\
        pattern low { key k match a: E where v > 1 then b: E where v > 10 within 10ms emit lows { v: b.v } }\n\
        pattern high { key k match a: E where v > 3 then b: E where v > 20 within 10ms emit highs { v: b.v } }\n\
        pattern rise { key k match a: E+ where v > 0 and v > prev(v, 0) then b: E where v < 0 within 10ms emit rises { n: count(a) } }\n";
    // What key 1 began is over one millisecond before its next event, what key 2 began is not.
    let events = [
        (1, 1, 5),
        (2, 2, 5),
        (12, 1, 25),
        (12, 2, 25),
        (13, 1, 30),
        (14, 1, -1),
        (14, 2, -1),
        (15, 3, 5),
    ];
    let of = |value: i64| Value::Int(value);
    let wanted = [
        (0, 12, of(25)),
        (1, 12, of(25)),
        (0, 13, of(30)),
        (1, 13, of(30)),
        (2, 14, of(2)),
        (2, 14, of(1)),
    ];
    for size in 1..=events.len() {
        let mut shard = shard_of(patterns);
        let batches = events.chunks(size);
        let rows = batches.flat_map(|batch| show_keys(&mut shard, batch, batch[batch.len() - 1].0));
        assert_eq!(rows.collect::<Vec<_>>(), wanted, "{size} at once");
        assert_eq!(show_keys(&mut shard, &[], 25), []);
        assert_eq!(shard.live(), (2, 3));
        assert_eq!(show_keys(&mut shard, &[], 26), []);
        assert_eq!(shard.live(), (0, 0));
    }
}

#[test]
fn a_sum_that_overflowed_stays_null_in_each_window_that_holds_it() {
    let mut shard = shard_of(
        "event E { t: timestamp time, k: int, v: int }\n\
        pattern sums { key k match a: E+ hop 20ms every 10ms emit sums { s: sum(a.v) } }\n",
    );
    let events = [
        (1, 1, i64::MAX),
        (1, 2, 5),
        (2, 1, 1),
        (11, 1, 5),
        (11, 2, i64::MAX),
        (12, 2, 1),
    ];
    let (five, null) = (|| Value::Int(5), || Value::Null);
    assert_eq!(
        show_keys(&mut shard, &events, 40),
        [
            (0, 10, null()),
            (0, 10, five()),
            (0, 20, null()),
            (0, 20, null()),
            (0, 30, five()),
            (0, 30, null()),
        ]
    );
}
