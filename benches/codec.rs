//! How fast the state of a key becomes bytes and is read again, and how many bytes it takes.
//!
//! The patterns are those of the workloads, and one that keeps whole events. Names of benchmarks end with the size of the state.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use leitmotif::automaton::Outcome;
use leitmotif::lang::pattern::PatternId;
use leitmotif::testing::compile;
use leitmotif::testing::state::Machine;
use leitmotif::wire::Reader;

/// The pattern with the state that events of one key leave. They are written as a test gives them.
fn machine(pattern: &str, events: &str) -> Machine {
    let text = format!("{pattern}\ntest \"t\" {{ given {{ {events} }} expect {{}} }}");
    let program = compile(&text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
    let program = Arc::new(program);
    let mut machine = Machine::new(&program, PatternId(0));
    let mut outcome = Outcome::default();
    for event in &program.tests[0].given {
        machine.show(event, &mut outcome);
    }
    assert_eq!(machine.states().count(), 1, "events of one key");
    machine
}

/// Payments of one card.
fn payments(count: usize, every_s: usize, amount: &str) -> String {
    let mut events = String::new();
    for at in 0..count {
        let (at_s, merchant) = (at * every_s, at % 10);
        // A string takes any text.
        let _ = writeln!(
            events,
            "{at_s}s Txn {{ card: \"c0000001\", kind: \"auth\", amount: {amount}, merchant: \"m{merchant:03}\", country: \"FR\" }}"
        );
    }
    events
}

/// Rising temperatures of one device.
fn readings(count: usize) -> String {
    let mut events = String::new();
    for at in 0..count {
        let tenths = 860 + at;
        let _ = writeln!(
            events,
            "{at}s Reading {{ device: \"d000001\", kind: \"temp\", value: {}.{}, site: \"s01\" }}",
            tenths / 10,
            tenths % 10
        );
    }
    events
}

const KEPT: &str = r#"
event Txn { ts: timestamp time, card: string, kind: string, amount: decimal, merchant: string, country: string }

pattern kept {
  key card
  match a: Txn+ where kind == "auth"
   then b: Txn where kind == "refund"
  within 1h
  emit each rows { card, amount, merchant }
}
"#;

fn codec(criterion: &mut Criterion) {
    let w1 = include_str!("workloads/w1.motif");
    let w3 = include_str!("workloads/w3.motif");
    let w7 = include_str!("workloads/w7.motif");
    let cases = [
        ("one_run", machine(w1, &payments(1, 1, "1.23"))),
        ("ten_runs", machine(w1, &payments(10, 1, "1.23"))),
        ("hundred_runs", machine(w1, &payments(100, 1, "1.23"))),
        ("rising_loop", machine(w3, &readings(8))),
        ("hopping_window", machine(w7, &payments(20, 15, "12.34"))),
        ("kept_events", machine(KEPT, &payments(10, 1, "12.34"))),
    ];
    let mut group = criterion.benchmark_group("codec");
    for (name, machine) in &cases {
        both_ways(&mut group, name, machine);
    }
    group.finish();
}

fn both_ways(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, machine: &Machine) {
    let (_, state) = machine.states().next().expect("one key");
    let bytes = machine.bytes(state);
    let nfa = machine.nfa();
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    let mut out = Vec::new();
    group.bench_function(format!("encode/{name}/{}", bytes.len()), |bencher| {
        bencher.iter(|| {
            out.clear();
            nfa.encode(black_box(state), &mut out);
            out.len()
        });
    });
    group.bench_function(format!("decode/{name}/{}", bytes.len()), |bencher| {
        bencher.iter(|| nfa.decode(&mut Reader::new(black_box(&bytes))));
    });
}

criterion_group!(benches, codec);
criterion_main!(benches);
