//! Windows against loops written by hand for the same windows over the same events, which give the same rows. One worker.
//!
//! A loop keeps a ring of panes per key, and per window the keys that it is to be looked for in. `by_hand` gives the rows of a window in any order,
//! `by_hand/in_order` in that of their keys, as the engine does. No loop has what the engine has besides: ids of matches, state that can be saved,
//! patterns that are read from a file. The reported throughput is events per second.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::hint::black_box;

use compact_str::CompactString;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use leitmotif::automaton::Row;
use leitmotif::engine::Shard;
use leitmotif::event::{Event, Value};
use leitmotif::time::Watermark;
use rust_decimal::Decimal;

use panes::{Ended, Order, Windows};

use events::{Field, card, group, reading, time, workload};

mod events;
#[path = "workloads/panes.rs"]
mod panes;

/// The binary's.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a window is asked for.
trait Totals: Copy {
    /// Where the key is among the fields of an event.
    const KEY: usize;
    /// Length of a pane in milliseconds, and how many make a window.
    const PANE_MS: i64;
    const PANES: i64;

    /// Of one event; `None` if it does not count.
    fn of(event: &Event) -> Option<Self>;
    fn add(&mut self, later: &Self);
    /// The fields of a row.
    fn row(&self, key: &CompactString) -> Vec<Value>;
}

/// W6: readings, total, peak.
#[derive(Clone, Copy)]
struct Readings(i64, f64, f64);

impl Totals for Readings {
    const KEY: usize = 1;
    const PANE_MS: i64 = 60_000;
    const PANES: i64 = 1;

    fn of(event: &Event) -> Option<Readings> {
        match (&event.values[2], &event.values[3]) {
            (Value::Str(kind), Value::Float(value)) if kind == "temp" => {
                Some(Readings(1, *value, *value))
            }
            _ => None,
        }
    }

    fn add(&mut self, later: &Readings) {
        self.0 += later.0;
        self.1 += later.1;
        self.2 = self.2.max(later.2);
    }

    fn row(&self, key: &CompactString) -> Vec<Value> {
        let key = Value::Str(key.clone());
        vec![
            key,
            Value::Int(self.0),
            Value::Float(self.1),
            Value::Float(self.2),
        ]
    }
}

/// W7: spent, payments.
#[derive(Clone, Copy)]
struct Payments(Decimal, i64);

impl Totals for Payments {
    const KEY: usize = 1;
    const PANE_MS: i64 = 30_000;
    const PANES: i64 = 10;

    fn of(event: &Event) -> Option<Payments> {
        match &event.values[3] {
            Value::Decimal(amount) => Some(Payments(*amount, 1)),
            _ => None,
        }
    }

    fn add(&mut self, later: &Payments) {
        self.0 += later.0;
        self.1 += later.1;
    }

    fn row(&self, key: &CompactString) -> Vec<Value> {
        let key = Value::Str(key.clone());
        vec![key, Value::Decimal(self.0), Value::Int(self.1)]
    }
}

/// Runs all events through a loop, which looks at each row; how many rows came out.
fn run_by_hand<T: Totals>(
    order: Order,
    events: &[Event],
    mut look: impl FnMut(&Ended<'_, T>),
) -> usize {
    let mut windows = Windows::new(T::PANE_MS, T::PANES, order);
    let mut made = 0;
    let mut give = |ended: Ended<'_, T>| {
        made += 1;
        look(black_box(&ended));
        Ok::<(), Infallible>(())
    };
    for event in events {
        let Some(totals) = T::of(event) else { continue };
        let Value::Str(key) = &event.values[T::KEY] else {
            continue;
        };
        let Ok(()) = windows.pass(event.time.0, T::add, &mut give);
        windows.take(event.time.0, key, totals, T::add);
    }
    let Ok(()) = windows.pass(i64::MAX, T::add, &mut give);
    made
}

/// The same for the same rows in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum(u64);

impl Sum {
    fn add(&mut self, from: i64, to: i64, values: &[Value]) {
        let mut hasher = DefaultHasher::new();
        format!("{from} {to} {values:?}").hash(&mut hasher);
        self.0 = self.0.wrapping_add(hasher.finish());
    }
}

fn sum_of_engine(mut engine: Shard, events: &[Event]) -> (usize, Sum) {
    let mut rows: Vec<Row> = Vec::new();
    engine.advance(events, Watermark::FINAL, &mut rows);
    let mut sum = Sum::default();
    for row in &rows {
        sum.add(row.from.0, row.to.0, &row.values);
    }
    (rows.len(), sum)
}

fn sum_by_hand<T: Totals>(order: Order, events: &[Event]) -> (usize, Sum) {
    let mut sum = Sum::default();
    let made = run_by_hand::<T>(order, events, |ended| {
        sum.add(ended.from, ended.to, &ended.totals.row(ended.key));
    });
    (made, sum)
}

fn compare<T: Totals>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    pattern: &str,
    field: Field,
) {
    let (events, engine) = workload(pattern, field, Shard::alone);
    let (rows, sum) = sum_of_engine(engine(), &events);
    assert!(rows > 0, "{name}: no rows");
    time(group, &format!("{name}/engine"), engine, &events);
    for (order, suffix) in [(Order::Any, ""), (Order::ByKey, "/in_order")] {
        let by_hand = sum_by_hand::<T>(order, &events);
        assert_eq!(by_hand, (rows, sum), "{name}: rows differ");
        group.bench_function(format!("{name}/by_hand{suffix}"), |bencher| {
            bencher.iter(|| run_by_hand::<T>(order, black_box(&events), |_| {}));
        });
    }
}

fn windows(criterion: &mut Criterion) {
    let mut group = group(criterion, "windows");
    compare::<Readings>(
        &mut group,
        "tumbling",
        include_str!("workloads/w6.motif"),
        reading,
    );
    compare::<Payments>(
        &mut group,
        "hopping",
        include_str!("workloads/w7.motif"),
        card,
    );
    group.finish();
}

criterion_group!(benches, windows);
criterion_main!(benches);
