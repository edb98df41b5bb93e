//! Events in memory like those of the workloads, in order and ten milliseconds apart, over a tenth of the keys; and an engine that takes them.

use std::hint::black_box;
use std::sync::Arc;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput};
use leitmotif::automaton::Tables;
use leitmotif::engine::{Error, Shard};
use leitmotif::event::{Event, EventTypeId, Position, Schema, Value};
use leitmotif::lang::pattern::Program;
use leitmotif::lang::span::SourceMap;
use leitmotif::lang::{self, Params};
use leitmotif::source::generate::Random;
use leitmotif::time::{Timestamp, Watermark};

/// How many.
pub const EVENTS: u64 = 200_000;
const CARDS: u64 = 10_000;
const DEVICES: u64 = 1_000;
/// A multiple of every window length in the workloads.
const EPOCH_MS: u64 = 1_700_000_100_000;
const STEP_MS: u64 = 10;
/// Events between two watermarks.
pub const BATCH: usize = 1_024;

/// The program of a text without mistakes.
fn program(text: &str) -> Arc<Program> {
    let mut files = SourceMap::default();
    files.add("bench.motif", text);
    let compiled = lang::compile(&files, &Params::default());
    match compiled.program {
        Some(program) => Arc::new(program),
        None => panic!("{:?}", compiled.diagnostics),
    }
}

/// Events of the program's only declared type, with what `field(number of the event, name of the field)` gives.
fn events(schema: &Schema, field: Field) -> Vec<Event> {
    let ty = EventTypeId(0);
    let fields = &schema.get(ty).fields;
    (0..EVENTS)
        .map(|number| {
            let time = Timestamp((EPOCH_MS + number * STEP_MS).cast_signed());
            let values = fields.iter().map(|declared| match declared.name.as_str() {
                "ts" => Value::Timestamp(time),
                name => field(number, name),
            });
            Event {
                ty,
                time,
                position: Position {
                    source: 0,
                    partition: 0,
                    offset: number,
                },
                values: values.collect(),
            }
        })
        .collect()
}

/// A field of the event with this number.
pub type Field = fn(u64, &str) -> Value;

/// A string.
pub fn text(text: impl Into<String>) -> Value {
    Value::Str(text.into().into())
}

/// A number below 100 that decides the kind of an event.
pub fn percent(number: u64) -> u64 {
    Random::of(1, number).below(100)
}

/// A field of a card payment.
pub fn card(number: u64, name: &str) -> Value {
    let mut random = Random::of(2, number);
    match name {
        "card" => text(format!("c{:07}", random.below(CARDS))),
        "kind" => text(match percent(number) {
            0..90 => "auth",
            90..98 => "decline",
            _ => "refund",
        }),
        "amount" => {
            let mut random = Random::of(3, number);
            let cents = match random.below(100) {
                0..5 => random.between(50, 200),
                5..8 => random.between(80_000, 480_000),
                _ => random.between(200, 80_000),
            };
            Value::Decimal(rust_decimal::Decimal::new(cents.cast_signed(), 2))
        }
        _ => text(format!("m{:03}", random.below(1_000))),
    }
}

/// A field of a sensor's reading.
pub fn reading(number: u64, name: &str) -> Value {
    let mut random = Random::of(2, number);
    let kind = percent(number);
    match name {
        "device" => text(format!("d{:06}", random.below(DEVICES))),
        "kind" => text(match kind {
            0..70 => "temp",
            70..95 => "vibration",
            _ => "door",
        }),
        "value" => {
            let mut random = Random::of(3, number);
            Value::Float(match kind {
                0..70 => random.between(500, 1_000) as f64 / 10.0,
                70..95 => random.below(300) as f64 / 100.0,
                _ => random.below(2) as f64,
            })
        }
        _ => text(format!("s{:02}", random.below(50))),
    }
}

/// Makes an engine.
pub type Make = fn(Arc<Program>, &Tables) -> Result<Shard, Error>;

/// Events of these fields for patterns, and what makes engines with those.
pub fn workload(patterns: &str, field: Field, make: Make) -> (Vec<Event>, impl Fn() -> Shard) {
    let program = program(patterns);
    let events = events(&program.schema, field);
    let tables = Tables::empty(&program);
    let engine = move || make(Arc::clone(&program), &tables).expect("small patterns have automata");
    (events, engine)
}

/// Times new engines over all events.
pub fn time(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    engine: impl Fn() -> Shard,
    events: &[Event],
) {
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            &engine,
            |engine| run(engine, black_box(events)),
            BatchSize::LargeInput,
        );
    });
}

/// Runs all events through an engine; how many rows came out.
pub fn run(mut engine: Shard, events: &[Event]) -> usize {
    let mut rows = Vec::new();
    let mut made = 0;
    for batch in events.chunks(BATCH) {
        let Some(last) = batch.last() else { continue };
        engine.advance(batch, Watermark(Timestamp(last.time.0 + 1)), &mut rows);
        made += rows.len();
        rows.clear();
    }
    engine.advance(&[], Watermark::FINAL, &mut rows);
    made + rows.len()
}

/// A group of benches over all events.
pub fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .throughput(Throughput::Elements(EVENTS))
        .sample_size(10);
    group
}
