//! Windows against loops written by hand for the same windows over the same events, which give the same rows. One worker.
//!
//! A loop keeps a ring of panes per key, and per window the keys that it is to be looked for in. `by_hand` gives the rows of a window in any order,
//! `by_hand/in_order` in that of their keys, as the engine does. No loop has what the engine has besides: ids of matches, state that can be saved,
//! patterns that are read from a file. The reported throughput is events per second.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::hint::black_box;

use compact_str::CompactString;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use leitmotif::automaton::Row;
use leitmotif::engine::Shard;
use leitmotif::event::{Event, Value};
use leitmotif::time::Watermark;
use rust_decimal::Decimal;

use events::{BATCH, Field, card, group, reading, time, workload};

mod events;

/// The binary's.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a window is asked for.
trait Totals: Clone {
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
#[derive(Clone)]
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
#[derive(Clone)]
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

/// A row of a loop.
struct Made<T> {
    key: CompactString,
    from: i64,
    to: i64,
    totals: T,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Any,
    ByKey,
}

struct ByHand<T> {
    order: Order,
    index: HashMap<CompactString, u32, foldhash::fast::RandomState>,
    keys: Vec<Open<T>>,
    /// The number of the pane that fills.
    pane: i64,
    /// Keys that are to be looked at when a pane ends: this one, the next one…
    ends: VecDeque<Vec<u32>>,
    spare: Vec<Vec<u32>>,
    rows: Vec<Made<T>>,
}

struct Open<T> {
    key: CompactString,
    /// A pane has its place by its number.
    panes: Box<[Option<(i64, T)>]>,
    /// The key is listed for the ends of panes up to this one.
    listed: i64,
}

impl<T: Totals> ByHand<T> {
    fn new(order: Order) -> ByHand<T> {
        ByHand {
            order,
            index: HashMap::default(),
            keys: Vec::new(),
            pane: i64::MIN,
            ends: (0..T::PANES).map(|_| Vec::new()).collect(),
            spare: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn take(&mut self, event: &Event) {
        let Some(totals) = T::of(event) else { return };
        let Value::Str(key) = &event.values[T::KEY] else {
            return;
        };
        let pane = event.time.0.div_euclid(T::PANE_MS);
        if pane > self.pane {
            self.pass(pane);
        }
        let at = match self.index.get(key) {
            Some(at) => *at,
            None => {
                let at = self.keys.len() as u32;
                self.index.insert(key.clone(), at);
                self.keys.push(Open {
                    key: key.clone(),
                    panes: (0..T::PANES).map(|_| None).collect(),
                    listed: i64::MIN,
                });
                at
            }
        };
        let open = &mut self.keys[at as usize];
        match &mut open.panes[pane.rem_euclid(T::PANES) as usize] {
            Some((number, held)) if *number == pane => held.add(&totals),
            other => {
                *other = Some((pane, totals));
                for end in pane.max(open.listed + 1)..pane + T::PANES {
                    self.ends[(end - pane) as usize].push(at);
                }
                open.listed = pane + T::PANES - 1;
            }
        }
    }

    /// Ends windows until this pane is the one that fills.
    fn pass(&mut self, pane: i64) {
        while self.pane < pane && self.ends.iter().any(|listed| !listed.is_empty()) {
            self.end();
            self.pane += 1;
        }
        self.pane = pane;
    }

    /// Ends the window whose last pane is the one that fills.
    fn end(&mut self) {
        let Some(mut listed) = self.ends.pop_front() else {
            return;
        };
        self.ends.push_back(self.spare.pop().unwrap_or_default());
        if self.order == Order::ByKey {
            let keys = &self.keys;
            listed.sort_by(|a, b| keys[*a as usize].key.cmp(&keys[*b as usize].key));
        }
        let first = self.pane - T::PANES + 1;
        for at in listed.drain(..) {
            let open = &self.keys[at as usize];
            let mut sum: Option<T> = None;
            for number in first..=self.pane {
                match &open.panes[number.rem_euclid(T::PANES) as usize] {
                    Some((held, totals)) if *held == number => match &mut sum {
                        Some(sum) => sum.add(totals),
                        None => sum = Some(totals.clone()),
                    },
                    _ => {}
                }
            }
            if let Some(totals) = sum {
                self.rows.push(Made {
                    key: open.key.clone(),
                    from: first * T::PANE_MS,
                    to: (self.pane + 1) * T::PANE_MS,
                    totals,
                });
            }
        }
        self.spare.push(listed);
    }

    /// Runs all events through; how many rows came out.
    fn run(mut self, events: &[Event], mut look: impl FnMut(&Made<T>)) -> usize {
        let mut made = 0;
        let mut give = |rows: &mut Vec<Made<T>>| {
            made += rows.len();
            black_box(&*rows).iter().for_each(&mut look);
            rows.clear();
        };
        for batch in events.chunks(BATCH) {
            batch.iter().for_each(|event| self.take(event));
            give(&mut self.rows);
        }
        self.pass(i64::MAX);
        give(&mut self.rows);
        made
    }
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
    let made = ByHand::<T>::new(order).run(events, |made| {
        sum.add(made.from, made.to, &made.totals.row(&made.key));
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
            bencher.iter_batched(
                || ByHand::<T>::new(order),
                |by_hand| by_hand.run(black_box(&events), |_| {}),
                BatchSize::LargeInput,
            );
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
