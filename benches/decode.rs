//! How fast records become events: one core, lines of a hundred bytes.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use leitmotif::event::formats::{Decoder, Format, Kinds, Projection};
use leitmotif::event::schema::{EventType, Field, FieldType, TimeUnit};
use leitmotif::event::{EventTypeId, FieldId, Position, Schema};

/// How many different records there are.
const RECORDS: usize = 10_000;

const TXN: EventTypeId = EventTypeId(0);

/// Card payments: `ts card kind amount merchant country`.
fn schema() -> Schema {
    use FieldType::{Decimal, String, Timestamp};
    let field = |name: &str, ty| Field {
        name: name.to_owned(),
        ty,
        optional: false,
        path: vec![name.to_owned()],
    };
    let fields = vec![
        field("ts", Timestamp(TimeUnit::Millis)),
        field("card", String),
        field("kind", String),
        field("amount", Decimal),
        field("merchant", String),
        field("country", String),
    ];
    Schema {
        types: vec![EventType {
            name: "Txn".to_owned(),
            fields,
            time: Some(FieldId(0)),
        }],
    }
}

/// The values of a record, the same in every run.
fn values(n: usize) -> [String; 6] {
    // Multiplying by an odd number and keeping the high bits mixes well enough for a bench.
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    [
        (1_700_000_000_000 + n as u64).to_string(),
        format!("c{:05}", mixed % 100_000),
        ["auth", "decline", "refund"][(mixed % 3) as usize].to_owned(),
        format!("{}.{:02}", mixed % 5_000, mixed % 100),
        format!("m{:04}", mixed % 10_000),
        ["FR", "DE", "US"][(mixed / 7 % 3) as usize].to_owned(),
    ]
}

fn json(n: usize) -> String {
    let [ts, card, kind, amount, merchant, country] = values(n);
    format!(
        r#"{{"ts":{ts},"card":"{card}","kind":"{kind}","amount":{amount},"merchant":"{merchant}","country":"{country}"}}"#
    )
}

/// A decoder that reads the first four of six fields, as the patterns about payments do.
fn decoder(format: Format) -> Decoder {
    let schema = schema();
    let mut projection = Projection::none(&schema);
    for field in 0..4 {
        projection.read(&schema, TXN, FieldId(field));
    }
    Decoder::new(&schema, &projection, format, &Kinds::One(TXN))
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(RECORDS as u64));
    let mut run = |name: &str, mut decoder: Decoder, records: Vec<String>| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for record in &records {
                    let _ = black_box(
                        decoder.decode(black_box(record.as_bytes()), Position::default()),
                    );
                }
            });
        });
    };
    run(
        "json, 4 of 6 fields",
        decoder(Format::Json),
        (0..RECORDS).map(json).collect(),
    );
    let mut csv = decoder(Format::Csv);
    csv.header(b"ts,card,kind,amount,merchant,country")
        .expect("all columns are there");
    run(
        "csv, 4 of 6 fields",
        csv,
        (0..RECORDS).map(|n| values(n).join(",")).collect(),
    );
    let cut_off = |n| {
        let mut record = json(n);
        record.truncate(record.len() - 2);
        record
    };
    run(
        "malformed, cut off",
        decoder(Format::Json),
        (0..RECORDS).map(cut_off).collect(),
    );
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
