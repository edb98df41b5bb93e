//! How fast events are made up: one core, one partition, nobody who looks at them. And how fast those are passed over that another process made.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use leitmotif::source::{Follow, SourceSpec};

/// Records per measured poll.
const BATCH: u64 = 256;

fn generate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("generate");
    group.throughput(Throughput::Elements(BATCH));
    for what in ["cards", "cards?disorder=2s", "sensors", "stock"] {
        let spec = SourceSpec::parse(&format!("generate:{what}")).expect("known");
        let mut readers = spec.open(1, Follow::No).expect("needs nothing");
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                let polled = readers[0].poll(&mut |record| {
                    black_box(record.bytes);
                });
                polled.expect("never fails")
            });
        });
    }
    group.finish();
}

/// Records that are passed over in one go.
const PASSED: u64 = 5_000_000;

fn pass_over(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("generate/pass over");
    group.sample_size(10);
    group.throughput(Throughput::Elements(PASSED));
    for what in ["cards", "cards?disorder=2s", "stock", "stock?disorder=2s"] {
        let spec = SourceSpec::parse(&format!("generate:{what}")).expect("known");
        let open = || spec.open(1, Follow::No).expect("needs nothing").remove(0);
        let (mut source, mut count) = (open(), 0);
        while count < PASSED {
            source.poll(&mut |_| count += 1).expect("never fails");
        }
        let positions = source.positions().expect("can be made again");
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                let mut source = open();
                source.seek(&positions).expect("goes on");
                source
            });
        });
    }
    group.finish();
}

criterion_group!(benches, generate, pass_over);
criterion_main!(benches);
