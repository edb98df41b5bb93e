//! What the other benches don't time alone: what conditions cost an event that concerns nobody, what it takes to find a key and to wait for an instant, what a checkpoint writes, and all stages together,
//! from a file to a file. One worker.

#[cfg(feature = "rocksdb")]
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
};
use leitmotif::Engine;
use leitmotif::engine::Shard;
use leitmotif::event::{Event, Value};
use leitmotif::source::generate::{Kind, Lines};
use leitmotif::time::{Timestamp, Watermark};

use events::{BATCH, EVENTS, Field, card, group, reading, run, text, time, workload};

mod events;

/// The binary's.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const TXN: &str = "event Txn { ts: timestamp time, card: string, kind: string, amount: decimal, merchant: string, country: string }";

/// Conditions that no event satisfies.
fn predicates(criterion: &mut Criterion) {
    let mut group = group(criterion, "predicates");
    let pattern = |number: usize, condition: &str| {
        format!(
            "pattern p{number} {{ key card match a: Txn where {condition} within 1m emit hits_{number} {{ card }} }}\n"
        )
    };
    let one = |condition: &str| format!("{TXN} {}", pattern(0, condition));
    let mut many = TXN.to_owned();
    for number in 0..500 {
        // Not variants of each other: each asks for another number of things.
        let kind = format!("kind == \"none{}\"", number % 50);
        let others = " and merchant == country".repeat(number / 50);
        many += &pattern(number, &(kind + &others));
    }
    let hot = "event Reading { ts: timestamp time, device: string, kind: string, value: float, site: string }
        pattern hot { key device match a: Reading where value > 1000 within 1m emit hits { device } }";
    let cases: [(&str, String, Field); 7] = [
        ("float", hot.to_owned(), reading),
        ("decimal", one("amount < 0"), card),
        ("text", one("kind == \"none\""), card),
        ("list", one("country in [\"A\", \"B\", \"C\", \"D\"]"), card),
        ("two fields", one("merchant != country"), card),
        (
            "regular expression",
            one("matches(merchant, \"^x[0-9]+$\")"),
            card,
        ),
        ("500 patterns", many, card),
    ];
    for (name, patterns, field) in cases {
        let (events, engine) = workload(&patterns, field, Shard::alone);
        assert_eq!(run(engine(), &events), 0, "{name}: nothing is found");
        time(&mut group, name, engine, &events);
    }
    group.finish();
}

/// Events of keys that all have a partial match, which none of them completes.
fn keys(criterion: &mut Criterion) {
    let mut group = group(criterion, "keys");
    let patterns = format!(
        "{TXN} pattern p {{ key card match a: Txn where kind == \"first\" then b: Txn where amount > a.amount within 1000d emit hits {{ card }} }}"
    );
    for count in [10_000_u64, 100_000, 1_000_000] {
        let (events, engine) = workload(&patterns, card, Shard::alone);
        let mut engine = engine();
        let begin = events[events.len() - 1].time;
        let event = |key: u64, kind: &str| {
            let mut event = events[0].clone();
            event.time = begin;
            event.values[1] = text(format!("c{key:07}"));
            event.values[2] = text(kind);
            event.values[3] = Value::Decimal(1.into());
            event
        };
        let mut rows = Vec::new();
        // Events of one time; of the next call's each is a millisecond later.
        let mut show = |events: &mut [Event], time: Timestamp| {
            for batch in events.chunks_mut(BATCH) {
                batch.iter_mut().for_each(|event| event.time = time);
                engine.advance(batch, Watermark(Timestamp(time.0 + 1)), &mut rows);
            }
            assert!(rows.is_empty());
        };
        let mut first: Vec<Event> = (0..count).map(|key| event(key, "first")).collect();
        show(&mut first, begin);
        drop(first);
        // Neither in the order in which keys came first, nor in any other.
        let mixed = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count;
        let mut seconds: Vec<Event> = (0..count.max(EVENTS))
            .map(|number| event(mixed(number), "second"))
            .collect();
        let mut time = begin;
        let mut at = 0;
        group.bench_function(format!("{count}"), |bencher| {
            bencher.iter(|| {
                time.0 += 1;
                at = (at + EVENTS as usize) % seconds.len();
                show(black_box(&mut seconds[at..at + EVENTS as usize]), time);
            });
        });
    }
    group.finish();
}

/// Silence that is waited for behind each first event, by so many of them at once; four of five are broken. Every event asks for an instant or makes one mean nothing.
fn timers(criterion: &mut Criterion) {
    let mut group = group(criterion, "timers");
    for pending in [10_000_u64, 100_000, 1_000_000] {
        let patterns = format!(
            "{TXN} pattern p {{ key card match a: Txn where kind == \"first\" then not Txn where kind == \"second\" for {pending}ms emit hits {{ card }} }}"
        );
        let (events, engine) = workload(&patterns, card, Shard::alone);
        let mut engine = engine();
        let begin = events[events.len() - 1].time;
        let event = |key: u64, kind: &str| {
            let mut event = events[0].clone();
            event.values[1] = text(format!("c{key:07}"));
            event.values[2] = text(kind);
            event
        };
        // A key a millisecond, and the same keys again once all is over.
        let one_key = |key: u64| {
            let second = (!key.is_multiple_of(5)).then(|| event(key, "second"));
            std::iter::once(event(key, "first")).chain(second)
        };
        let mut shown: Vec<Event> = (0..2 * pending.max(EVENTS)).flat_map(one_key).collect();
        let (mut at, mut time, mut rows, mut made) = (0, begin, Vec::new(), 0);
        let mut show = |count: u64| {
            for _ in 0..count / BATCH as u64 {
                if at + BATCH > shown.len() {
                    at = 0;
                }
                let batch = &mut shown[at..at + BATCH];
                for event in &mut *batch {
                    time.0 += i64::from(event.values[2] == text("first"));
                    event.time = time;
                }
                engine.advance(batch, Watermark(Timestamp(time.0 + 1)), &mut rows);
                made += rows.len();
                rows.clear();
                at += BATCH;
            }
            made
        };
        assert_eq!(show(pending), 0, "nothing is over yet");
        assert!(show(2 * pending) > 0);
        group.bench_function(format!("{pending}"), |bencher| {
            bencher.iter(|| black_box(show(EVENTS)));
        });
    }
    group.finish();
}

/// A file of records like those of a workload.
fn records(folder: &Path, kind: Kind, keys: u64, count: u64) -> PathBuf {
    let path = folder.join(format!("{keys}.ndjson"));
    let mut file = std::io::BufWriter::new(fs::File::create(&path).expect("a folder of its own"));
    let mut lines = Lines::new(kind, keys, 1);
    let mut line = Vec::new();
    for number in 0..count {
        line.clear();
        lines.write(number, 1_700_000_000_000 + number, &mut line);
        file.write_all(&line).expect("there is room");
        file.write_all(b"\n").expect("there is room");
    }
    file.into_inner().expect("there is room");
    path
}

/// Runs a pattern over a file with one shard; gives the number of rows.
fn run_file(folder: &Path, patterns: &str, source: &str, durable: bool) -> u64 {
    let mut builder = Engine::builder()
        .patterns_text("bench.motif", patterns)
        .source("input", source)
        .outputs(format!("{}/rows.ndjson", folder.display()).as_str())
        .delay(Duration::from_secs(2));
    if durable {
        builder = builder.state(folder.join("state"));
    }
    let running = builder.start().expect("it starts");
    running.wait().expect("it runs").rows
}

fn time_files(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, folder: &Path, run: impl Fn()) {
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || {
                // What an earlier run left would be gone on with.
                let _ = fs::remove_dir_all(folder.join("state"));
                let _ = fs::remove_file(folder.join("rows.ndjson"));
            },
            |()| run(),
            BatchSize::PerIteration,
        );
    });
}

/// From a file of records to a file of rows.
fn end_to_end(criterion: &mut Criterion) {
    const RECORDS: u64 = 500_000;
    let mut group = criterion.benchmark_group("end_to_end");
    group
        .throughput(Throughput::Elements(RECORDS))
        .sample_size(10);
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let cards = format!(
        "Txn={}",
        records(folder, Kind::Cards, 100_000, RECORDS).display()
    );
    let readings = format!(
        "Reading={}",
        records(folder, Kind::Sensors, 10_000, RECORDS).display()
    );
    let cases = [
        ("w1", include_str!("workloads/w1.motif"), &cards),
        ("w3", include_str!("workloads/w3.motif"), &readings),
        ("w4", include_str!("workloads/w4.motif"), &readings),
        ("w6", include_str!("workloads/w6.motif"), &readings),
    ];
    for (name, patterns, source) in cases {
        time_files(&mut group, name, folder, || {
            assert!(run_file(folder, patterns, source, false) > 0);
        });
    }
    // Records of no use: one condition is asked of what stands in the record, the other needs its values.
    for (name, condition) in [
        ("none, where they stand", "merchant == \"none\""),
        ("none, once read", "merchant == country"),
    ] {
        let patterns = format!(
            "{TXN} pattern p {{ key card match a: Txn where {condition} within 1m emit hits {{ card }} }}"
        );
        time_files(&mut group, name, folder, || {
            assert_eq!(run_file(folder, &patterns, &cards, false), 0);
        });
    }
    group.finish();
}

/// A run that ends with a checkpoint of so many keys, each with a partial match.
#[cfg(feature = "rocksdb")]
fn checkpoint(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checkpoint");
    group.sample_size(10);
    let patterns = format!(
        "{TXN} pattern all {{ key card match a: Txn then b: Txn where amount > 1000000 within 1000d emit hits {{ card }} }}
         pattern last {{ unkeyed match a: Txn where merchant == \"last\" within 1s emit seen {{ at: a.ts }} }}"
    );
    for count in [10_000_u64, 100_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let path = folder.join("keys.ndjson");
        let mut lines = String::new();
        for number in 0..=count {
            let merchant = if number == count { "last" } else { "m" };
            let time = 1_700_000_000_000 + number;
            writeln!(
                lines,
                r#"{{"ts":{time},"card":"c{number:07}","kind":"auth","amount":1.00,"merchant":"{merchant}","country":"FR"}}"#
            )
            .expect("memory takes what is written");
        }
        fs::write(&path, lines).expect("there is room");
        let source = format!("Txn={}", path.display());
        group.throughput(Throughput::Elements(count));
        for (name, durable) in [("none", false), ("state", true)] {
            time_files(&mut group, &format!("{name}/{count}"), folder, || {
                assert!(run_file(folder, &patterns, &source, durable) > 0);
            });
        }
    }
    group.finish();
}

/// Without RocksDB nothing is durable.
#[cfg(not(feature = "rocksdb"))]
fn checkpoint(_: &mut Criterion) {}

criterion_group!(benches, predicates, keys, timers, checkpoint, end_to_end);
criterion_main!(benches);
