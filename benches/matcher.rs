//! How fast the engine matches: events in memory and in order, no file, no decoding, no output. One worker.
//!
//! The patterns are those of the workloads; the events are like theirs but ten milliseconds apart, over a tenth of the keys.
//! The reported throughput is events per second.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use leitmotif::automaton::Tables;
use leitmotif::engine::Shard;
use leitmotif::event::{Event, EventTypeId, Position, Schema, Value};
use leitmotif::lang::pattern::Program;
use leitmotif::lang::span::SourceMap;
use leitmotif::lang::{self, Params};
use leitmotif::source::generate::Random;
use leitmotif::time::{Timestamp, Watermark};

const EVENTS: u64 = 200_000;
const CARDS: u64 = 10_000;
const DEVICES: u64 = 1_000;
/// A multiple of every window length in the workloads.
const EPOCH_MS: u64 = 1_700_000_100_000;
const STEP_MS: u64 = 10;
/// Events between two watermarks.
const BATCH: usize = 1_024;

fn program(text: &str) -> Arc<Program> {
    let mut files = SourceMap::default();
    files.add("bench.motif", text);
    let compiled = lang::compile(&files, &Params::default());
    assert!(
        compiled.diagnostics.is_empty(),
        "{:?}",
        compiled.diagnostics
    );
    Arc::new(compiled.program.expect("there are no diagnostics"))
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
type Field = fn(u64, &str) -> Value;

fn text(text: impl Into<String>) -> Value {
    Value::Str(text.into().into())
}

/// A number below 100 that decides the kind of an event.
fn percent(number: u64) -> u64 {
    Random::of(1, number).below(100)
}

fn card(number: u64, name: &str) -> Value {
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

fn reading(number: u64, name: &str) -> Value {
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

/// Runs all events through an engine; how many rows came out.
fn run(mut engine: Shard, events: &[Event]) -> usize {
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

fn matcher(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("matcher");
    group
        .throughput(Throughput::Elements(EVENTS))
        .sample_size(10);
    let cases: [(&str, &str, Field); 5] = [
        ("two_steps", include_str!("workloads/w1.motif"), card),
        ("rising_loop", include_str!("workloads/w3.motif"), reading),
        ("negation", include_str!("workloads/w4.motif"), reading),
        (
            "tumbling_window",
            include_str!("workloads/w6.motif"),
            reading,
        ),
        ("hopping_window", include_str!("workloads/w7.motif"), card),
    ];
    for (name, pattern, field) in cases {
        let program = program(pattern);
        let events = events(&program.schema, field);
        let tables = Tables::empty(&program);
        let engine =
            || Shard::alone(Arc::clone(&program), &tables).expect("small patterns have automata");
        assert!(run(engine(), &events) > 0, "{name}: nothing matched");
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                engine,
                |engine| run(engine, black_box(&events)),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, matcher);
criterion_main!(benches);
