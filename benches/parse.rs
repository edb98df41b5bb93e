//! How fast pattern files are read and printed: one as people write them, and one of a megabyte.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use leitmotif::lang::parser::parse;
use leitmotif::lang::print::print;
use leitmotif::lang::span::FileId;

const HEAD: &str = r#"event Txn { at: timestamp time, card: string, amount: decimal, merchant: string, status: string }

param probe_max: decimal = 5.00

fn large(amount: decimal, limit: decimal): bool = amount > limit * 2 and amount < 100000.00
"#;

/// One pattern with its test.
fn pattern(number: usize) -> String {
    format!(
        r#"
# A card is tried with a small amount before it is drained.
@severity("high")
pattern probe_then_drain_{number} {{
  key card
  match probe: Txn where amount < probe_max # the probe
   then declined: Txn{{2,5}}? consecutive where status == "declined" until Txn where status == "blocked"
   then within 5m drain: Txn where large(amount, {number}.50) and merchant != probe.merchant and not (status in ["declined", "blocked"])
  within 10m
  having count(declined) > 2 or sum(declined.amount) ?? 0 > 10 * probe.amount
  limit 5 per 1h
  emit fraud_{number} {{ card, spent: drain.amount, waited: drain.at - probe.at, tries: count(declined) }}
  timeout watchlist_{number} {{ card, probe: probe.amount }}
}}

test "probe then drain fires once ({number})" {{
  given {{
    0s  Txn {{ card: "c1", amount: 1.00, merchant: "m1", status: "ok" }}
    30s Txn {{ card: "c1", amount: 900.00, merchant: "m2", status: "ok" }}
  }}
  expect {{ 30s fraud_{number} {{ card: "c1", spent: 900.00, waited: 30s, tries: 0 }} }}
}}
"#
    )
}

/// A file of at least so many bytes.
fn file(bytes: usize) -> String {
    let mut text = HEAD.to_owned();
    for number in 0.. {
        text.push_str(&pattern(number));
        if text.len() >= bytes {
            break;
        }
    }
    text
}

fn text_and_tree(c: &mut Criterion) {
    for (name, bytes) in [("realistic", 4_000), ("megabyte", 1 << 20)] {
        let text = file(bytes);
        let (tree, found) = parse(FileId(0), &text);
        assert!(found.is_empty(), "the file is right: {found:?}");
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        if bytes > 100_000 {
            group.sample_size(20);
        }
        group.bench_function("parse", |b| b.iter(|| parse(FileId(0), black_box(&text))));
        group.bench_function("print", |b| b.iter(|| print(black_box(&tree), &text)));
        // The worst place for a mistake: the file is read to its end, then in pieces.
        let broken = format!("{text}\npattern last {{ key card match a: Txn where }}\n");
        group.bench_function("parse with a mistake", |b| {
            b.iter(|| parse(FileId(0), black_box(&broken)));
        });
        group.finish();
    }
}

criterion_group!(benches, text_and_tree);
criterion_main!(benches);
