//! How fast the engine matches: events in memory and in order, no file, no decoding, no output. One worker.
//!
//! The patterns are those of the workloads; for windows see `windows.rs`. The reported throughput is events per second.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use leitmotif::engine::Shard;
use leitmotif::event::Value;
use leitmotif::source::generate::Random;

use events::{Field, Make, card, group, percent, reading, run, text, time, workload};

mod events;
#[path = "workloads/variants.rs"]
mod variants;

/// One of so many names.
fn symbol(number: u64, names: u64) -> Value {
    text(format!("S{:03}", Random::of(2, number).below(names)))
}

fn trade(number: u64, name: &str) -> Value {
    match name {
        "symbol" => symbol(number, 10),
        "kind" => text(if percent(number) < 50 { "buy" } else { "sell" }),
        "volume" => Value::Int(Random::of(3, number).between(1, 1_000).cast_signed()),
        _ => Value::Decimal(rust_decimal::Decimal::new(100, 0)),
    }
}

/// Times patterns over events of these fields. `matches`: whether there are any, which is looked at before.
fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    patterns: &str,
    field: Field,
    matches: bool,
) {
    measure_kept(group, name, (patterns, Kept::Shared), field, matches);
}

/// The same of patterns whose partial matches are kept so, which the name tells.
fn measure_kept(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    (patterns, kept): (&str, Kept),
    field: Field,
    matches: bool,
) {
    let (events, engine) = workload(patterns, field, kept.make());
    let found = run(engine(), &events);
    assert_eq!(found > 0, matches, "{name}: {found} matches");
    time(group, &format!("{name}{}", kept.name()), engine, &events);
}

fn matcher(criterion: &mut Criterion) {
    let mut group = group(criterion, "matcher");
    let cases: [(&str, &str, Field); 3] = [
        ("two_steps", include_str!("workloads/w1.motif"), card),
        ("rising_loop", include_str!("workloads/w3.motif"), reading),
        ("negation", include_str!("workloads/w4.motif"), reading),
    ];
    for (name, pattern, field) in cases {
        measure(&mut group, name, pattern, field, true);
    }
    group.finish();
}

/// How partial matches are kept.
#[derive(Clone, Copy)]
enum Kept {
    /// As the compiler chooses.
    Shared,
    /// Each by itself.
    Apart,
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Kept::Shared => "",
            Kept::Apart => "/apart",
        }
    }

    fn make(self) -> Make {
        match self {
            Kept::Shared => Shard::alone,
            Kept::Apart => |program, tables| Shard::alone_sharing(program, tables, false),
        }
    }
}

/// Steps by `then any`, over windows of 200, 800 and 3,200 events, in which there are some 100, 1,700 and 26,000 partial matches: complete, when each is a match, and without
/// the last step's events, when none is.
fn branches(criterion: &mut Criterion) {
    let mut group = group(criterion, "branches");
    let w5 = include_str!("workloads/w5.motif");
    // Over longer windows partial matches by themselves take minutes, and so do hundreds of millions of matches.
    let cases = [
        ("complete", "2s", 200, Kept::Shared),
        ("complete", "2s", 200, Kept::Apart),
        ("complete", "8s", 800, Kept::Shared),
        ("incomplete", "2s", 200, Kept::Shared),
        ("incomplete", "2s", 200, Kept::Apart),
        ("incomplete", "8s", 800, Kept::Shared),
        ("incomplete", "8s", 800, Kept::Apart),
        ("incomplete", "32s", 3_200, Kept::Shared),
    ];
    for (name, window, count, kept) in cases {
        let mut pattern = w5
            .replace("200ms", window)
            .replace("skip none", "skip none\n  bound 1000000 evict oldest");
        if name == "incomplete" {
            pattern = pattern.replace("S003", "none");
        }
        let full_name = format!("{name}/{count}");
        measure_kept(
            &mut group,
            &full_name,
            (&pattern, kept),
            trade,
            name == "complete",
        );
    }
    group.finish();
}

/// Of forty names.
fn rare_trade(number: u64, name: &str) -> Value {
    match name {
        "symbol" => symbol(number, 40),
        _ => trade(number, name),
    }
}

/// Sequences by `then any` of so many steps over windows of a hundred events, like those that CORE's authors measure: of ten names and of forty, and with a last step that never comes.
fn sequences(criterion: &mut Criterion) {
    let mut group = group(criterion, "sequences");
    for steps in [3, 6, 9, 12, 24] {
        let complete = sequence_text(steps, None);
        measure_any(&mut group, &format!("many/{steps}"), &complete, trade);
        measure_any(&mut group, &format!("few/{steps}"), &complete, rare_trade);
        let incomplete = sequence_text(steps, Some("none"));
        measure(
            &mut group,
            &format!("never/{steps}"),
            &incomplete,
            trade,
            false,
        );
    }
    group.finish();
}

/// `last`: the symbol of the last step.
fn sequence_text(steps: usize, last: Option<&str>) -> String {
    let step = |at: usize| {
        let own = format!("S{:03}", at % 10);
        let symbol = last.filter(|_| at + 1 == steps).unwrap_or(&own);
        let kind = ["sell", "buy"][at % 2];
        format!(r#"x{at}: Trade where kind == "{kind}" and symbol == "{symbol}""#)
    };
    let steps: Vec<String> = (0..steps).map(step).collect();
    format!(
        "event Trade {{ ts: timestamp time, symbol: string, kind: string, price: decimal, volume: int }}
         pattern sequence {{
           unkeyed
           match {}
           within 999ms
           skip none
           bound 1000000 evict oldest
           emit hits {{ first: x0.ts, price: x0.price }}
         }}",
        steps.join(" then any ")
    )
}

/// Times patterns of which nobody says whether they match.
fn measure_any(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, patterns: &str, field: Field) {
    let (events, engine) = workload(patterns, field, Shard::alone);
    time(group, name, engine, &events);
}

/// Half of all events are of one key.
fn hot_trade(number: u64, name: &str) -> Value {
    match name {
        "symbol" if number.is_multiple_of(2) => text("S000"),
        _ => even_trade(number, name),
    }
}

/// The same events over a thousand keys.
fn even_trade(number: u64, name: &str) -> Value {
    match name {
        "symbol" => symbol(number, 1_000),
        _ => trade(number, name),
    }
}

/// A pattern of which one key can have a number of partial matches without bounds: as many are kept as `bound` allows.
fn adversary(criterion: &mut Criterion) {
    let mut group = group(criterion, "adversary");
    let pattern = r#"event Trade { ts: timestamp time, symbol: string, kind: string, price: decimal, volume: int }
         pattern subsets {
           key symbol
           match a: Trade+? combinations where volume > 950
            then any b: Trade where volume == 1
           within 1h
           emit hits { symbol, a: count(a) }
         }"#;
    let cases: [(&str, Field); 2] = [("even", even_trade), ("hot", hot_trade)];
    for (name, field) in cases {
        measure(&mut group, name, pattern, field, true);
    }
    group.finish();
}

/// A loop of which every subset is a partial match, over windows of 50 and 100 events: on average some 30 and 900 of them, at times a thousand times as many.
fn subsets(criterion: &mut Criterion) {
    let mut group = group(criterion, "subsets");
    let cases = [
        ("500ms", 50, Kept::Shared),
        ("500ms", 50, Kept::Apart),
        ("1s", 100, Kept::Shared),
        ("1s", 100, Kept::Apart),
    ];
    for (window, count, kept) in cases {
        let text = format!(
            r#"event Trade {{ ts: timestamp time, symbol: string, kind: string, price: decimal, volume: int }}
               pattern subsets {{
                 unkeyed
                 match a: Trade where symbol == "S001" and kind == "buy"
                  then any b: Trade+? combinations where symbol == "S002" and volume > 500
                  then any c: Trade where symbol == "none"
                 within {window}
                 skip none
                 bound 1000000 evict oldest
                 emit hits {{ a: a.ts, b: count(b), c: c.ts }}
               }}"#
        );
        let name = format!("incomplete/{count}");
        measure_kept(&mut group, &name, (&text, kept), trade, false);
    }
    group.finish();
}

/// Four steps by `then`.
const STEPS: &str = r#"match a: Trade where kind == "buy"
                  then b: Trade where volume > 950
                  then c: Trade where volume < 50 and kind == "sell"
                  then d: Trade where symbol == "none"
                 emit hits { a: a.ts, b: b.ts, c: c.volume, d: d.ts }"#;

/// Four steps by `then`, the last two of which have their times.
const GAPS: &str = r#"match a: Trade where kind == "buy"
                  then b: Trade where volume > 950
                  then not Trade where volume < 20 for 30ms
                  then c: Trade where volume < 50 and kind == "sell"
                  then after 20ms within {window} d: Trade where symbol == "none"
                 emit hits { a: a.ts, b: b.ts, c: c.volume, d: d.ts }"#;

/// A loop behind a step.
const LOOP: &str = r#"match a: Trade where kind == "buy"
                  then b: Trade{3,} where volume > 950
                  then c: Trade where symbol == "none"
                 emit hits { a: a.ts, b: sum(b.volume), c: c.ts }"#;

/// Steps by `then`, over windows in which there are some 50, 500, 5,000 and 50,000 partial matches, which wait until they expire.
fn waiting(criterion: &mut Criterion) {
    let mut group = group(criterion, "waiting");
    let cases = [
        ("1s", 50, Kept::Shared),
        ("1s", 50, Kept::Apart),
        ("10s", 500, Kept::Shared),
        ("10s", 500, Kept::Apart),
        ("100s", 5_000, Kept::Shared),
        ("1000s", 50_000, Kept::Shared),
    ];
    for (name, body) in [("partials", STEPS), ("gaps", GAPS), ("loop", LOOP)] {
        for (window, count, kept) in cases {
            let body = body.replace("{window}", window);
            let rest = format!("within {window} skip to next bound 1000000 evict oldest\n emit");
            let text = format!(
                "event Trade {{ ts: timestamp time, symbol: string, kind: string, price: decimal, volume: int }}
                 pattern waiting {{ unkeyed {} }}",
                body.replace("emit", &rest)
            );
            let name = format!("{name}/{count}");
            measure_kept(&mut group, &name, (&text, kept), trade, false);
        }
    }
    absences(&mut group);
    group.finish();
}

/// An absence that is waited for behind every tenth event, by some 50, 500, 5,000 and 50,000 of them: each is a match in the end.
fn absences(group: &mut BenchmarkGroup<'_, WallTime>) {
    for (window, count) in [("5s", 50), ("50s", 500), ("500s", 5_000), ("5000s", 50_000)] {
        let text = format!(
            r#"event Trade {{ ts: timestamp time, symbol: string, kind: string, price: decimal, volume: int }}
               pattern silent {{
                 unkeyed
                 match a: Trade where symbol == "S001"
                  then not Trade where symbol == "none" for {window}
                 skip none
                 bound 1000000 evict oldest
                 emit hits {{ a: a.ts }}
               }}"#
        );
        measure(group, &format!("absence/{count}"), &text, trade, true);
    }
}

/// Patterns alike but for thresholds, and different patterns of which few care about an event.
fn many_patterns(criterion: &mut Criterion) {
    let mut group = group(criterion, "many_patterns");
    let mut cases: Vec<(String, String)> = [1, 10, 100, 1_000]
        .map(|count| (format!("variants/{count}"), variants_text(count)))
        .into();
    cases.extend([5, 500].map(|count| (format!("different/{count}"), different_text(count))));
    for (name, text) in cases {
        measure(&mut group, &name, &text, card, true);
    }
    group.finish();
}

fn variants_text(count: u64) -> String {
    let mut text = Vec::new();
    variants::write(count, &mut text).expect("memory takes what is written");
    String::from_utf8(text).expect("patterns are text")
}

/// Patterns that differ in their bounds of time, so that no two share anything; five care about a merchant if there are so many.
fn different_text(count: u64) -> String {
    let mut text = String::from(
        "event Txn { ts: timestamp time, card: string, merchant: string, amount: decimal }\n",
    );
    for number in 0..count {
        // A thousand merchants: with 500 patterns each cares about ten, so that five care about each; with five all care about all.
        let merchants: Vec<String> = (0..if count > 5 { 10 } else { 0 })
            .map(|at| format!("\"m{:03}\"", (number / 5 * 10 + at) % 1_000))
            .collect();
        let of_merchant = match merchants.len() {
            0 => String::new(),
            _ => format!("merchant in [{}] and ", merchants.join(", ")),
        };
        text.push_str(&format!(
            "pattern p{number} {{ key card match small: Txn where {of_merchant}amount < 2 \
             then large: Txn where {of_merchant}amount > 800 within {}s emit hits_{number} {{ card }} }}\n",
            600 + number,
        ));
    }
    text
}

criterion_group!(
    benches,
    matcher,
    branches,
    sequences,
    subsets,
    adversary,
    waiting,
    many_patterns
);
criterion_main!(benches);
