//! How fast events are made up: one core, one partition, nobody who looks at them.

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

criterion_group!(benches, generate);
criterion_main!(benches);
