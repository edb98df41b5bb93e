//! How fast records become events: one core, lines of a hundred bytes.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use leitmotif::event::formats::{Decoder, Encoding, Format, Kinds, Projection};
use leitmotif::event::schema::{EventType, Field, FieldType, TimeUnit};
use leitmotif::event::{EventTypeId, FieldId, Position, Schema};
use leitmotif::source::generate::{Kind, Lines};

/// How many different records there are.
const RECORDS: usize = 10_000;

const EVENT: EventTypeId = EventTypeId(0);

/// Card payments.
const PAYMENTS: [(&str, FieldType); 6] = [
    ("ts", FieldType::Timestamp(TimeUnit::Millis)),
    ("card", FieldType::String),
    ("kind", FieldType::String),
    ("amount", FieldType::Decimal),
    ("merchant", FieldType::String),
    ("country", FieldType::String),
];

/// Readings of devices.
const READINGS: [(&str, FieldType); 5] = [
    ("ts", FieldType::Timestamp(TimeUnit::Millis)),
    ("device", FieldType::String),
    ("kind", FieldType::String),
    ("value", FieldType::Float),
    ("site", FieldType::String),
];

/// One event type with these fields, the first of which is its time.
fn schema(fields: &[(&str, FieldType)]) -> Schema {
    let fields = fields.iter().map(|(name, ty)| Field {
        name: (*name).to_owned(),
        ty: *ty,
        optional: false,
        path: vec![(*name).to_owned()],
    });
    Schema {
        types: vec![EventType {
            name: "Event".to_owned(),
            fields: fields.collect(),
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

/// The same records in binary formats.
#[cfg(all(feature = "avro", feature = "protobuf"))]
mod binary {
    use apache_avro::types::Value as Avro;
    use apache_avro::writer::datum::GenericDatumWriter;
    use leitmotif::event::formats::avro::Schemas;
    use leitmotif::event::formats::protobuf::{Framing, Messages};
    use leitmotif::event::formats::{Beside, Encoding};
    use prost_reflect::prost::Message as _;
    use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
    use prost_reflect::prost_types::{
        DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    };
    use prost_reflect::{DescriptorPool, DynamicMessage, Value as Proto};

    const SCHEMA: &str = r#"{"type": "record", "name": "Txn", "fields": [
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "card", "type": "string"},
        {"name": "kind", "type": "string"},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "merchant", "type": "string"},
        {"name": "country", "type": ["null", "string"]}]}"#;

    pub fn avro() -> Encoding {
        let schemas = Schemas::new();
        schemas.learn(7, SCHEMA, &[]);
        Encoding::Avro(schemas, Beside::default())
    }

    pub fn avro_records(values: impl Iterator<Item = [String; 6]>) -> Vec<Vec<u8>> {
        let schema = apache_avro::Schema::parse_str(SCHEMA).expect("a schema");
        let writer = GenericDatumWriter::builder(&schema)
            .build()
            .expect("a writer");
        let record = |[ts, card, kind, amount, merchant, country]: [String; 6]| {
            let cents: i32 = amount.replace('.', "").parse().expect("a number");
            let country = Avro::Union(1, Box::new(Avro::String(country)));
            let fields = [
                ("ts", Avro::TimestampMillis(ts.parse().expect("a number"))),
                ("card", Avro::String(card)),
                ("kind", Avro::String(kind)),
                ("amount", Avro::Decimal(cents.to_be_bytes().into())),
                ("merchant", Avro::String(merchant)),
                ("country", country),
            ];
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            let datum = writer.write_value_to_vec(Avro::Record(fields.into()));
            [&[0, 0, 0, 0, 7][..], &datum.expect("it fits")].concat()
        };
        values.map(record).collect()
    }

    fn descriptors() -> FileDescriptorSet {
        let field = |(name, ty): &(&str, Type), number| FieldDescriptorProto {
            name: Some((*name).to_owned()),
            number: Some(number),
            label: Some(Label::Optional.into()),
            r#type: Some((*ty).into()),
            ..FieldDescriptorProto::default()
        };
        let fields = [
            ("ts", Type::Int64),
            ("card", Type::String),
            ("kind", Type::String),
            ("amount", Type::String),
            ("merchant", Type::String),
            ("country", Type::String),
        ];
        FileDescriptorSet {
            file: vec![FileDescriptorProto {
                name: Some("txn.proto".to_owned()),
                syntax: Some("proto3".to_owned()),
                message_type: vec![DescriptorProto {
                    name: Some("Txn".to_owned()),
                    field: fields
                        .iter()
                        .zip(1..)
                        .map(|(one, number)| field(one, number))
                        .collect(),
                    ..DescriptorProto::default()
                }],
                ..FileDescriptorProto::default()
            }],
        }
    }

    pub fn protobuf() -> Encoding {
        let set = descriptors().encode_to_vec();
        let messages = Messages::new(&set, "Txn", Framing::None).expect("it is there");
        Encoding::Protobuf(messages, Beside::default())
    }

    pub fn protobuf_records(values: impl Iterator<Item = [String; 6]>) -> Vec<Vec<u8>> {
        let pool = DescriptorPool::from_file_descriptor_set(descriptors()).expect("descriptors");
        let txn = pool.get_message_by_name("Txn").expect("it is there");
        let record = |values: [String; 6]| {
            let mut message = DynamicMessage::new(txn.clone());
            for (number, value) in (1..).zip(values) {
                let value = match number {
                    1 => Proto::I64(value.parse().expect("a number")),
                    _ => Proto::String(value),
                };
                message.set_field_by_number(number, value);
            }
            message.encode_to_vec()
        };
        values.map(record).collect()
    }
}

/// A decoder that reads the first four fields, as the patterns of the workloads do.
fn decoder(fields: &[(&str, FieldType)], format: impl Into<Encoding>) -> Decoder {
    let schema = schema(fields);
    let mut projection = Projection::none(&schema);
    for field in 0..4 {
        projection.read(&schema, EVENT, FieldId(field));
    }
    Decoder::new(&schema, &projection, format, &Kinds::One(EVENT))
}

/// What somebody would write who reads these records with a library and cares for speed: texts stay in the record, amounts are doubles.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "it is made and dropped")]
struct Borrowed<'a> {
    ts: i64,
    card: &'a str,
    kind: &'a str,
    amount: f64,
}

/// The same of readings.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "it is made and dropped")]
struct BorrowedReading<'a> {
    ts: i64,
    device: &'a str,
    kind: &'a str,
    value: f64,
}

/// Readings as the workloads have them.
fn readings() -> Vec<Vec<u8>> {
    let mut lines = Lines::new(Kind::Sensors, 10_000, 1);
    let records = (0..RECORDS as u64).map(|number| {
        let mut line = Vec::new();
        lines.write(number, 1_700_000_000_000 + number, &mut line);
        line
    });
    records.collect()
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(RECORDS as u64));
    let mut run = |name: &str, mut decoder: Decoder, records: Vec<Vec<u8>>| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for record in &records {
                    let _ = black_box(decoder.decode(black_box(record), Position::default()));
                }
            });
        });
    };
    run(
        "json, 4 of 6 fields",
        decoder(&PAYMENTS, Format::Json),
        (0..RECORDS).map(|n| json(n).into_bytes()).collect(),
    );
    let mut csv = decoder(&PAYMENTS, Format::Csv);
    csv.header(b"ts,card,kind,amount,merchant,country")
        .expect("all columns are there");
    run(
        "csv, 4 of 6 fields",
        csv,
        (0..RECORDS)
            .map(|n| values(n).join(",").into_bytes())
            .collect(),
    );
    #[cfg(all(feature = "avro", feature = "protobuf"))]
    {
        run(
            "avro, 4 of 6 fields",
            decoder(&PAYMENTS, binary::avro()),
            binary::avro_records((0..RECORDS).map(values)),
        );
        run(
            "protobuf, 4 of 6 fields",
            decoder(&PAYMENTS, binary::protobuf()),
            binary::protobuf_records((0..RECORDS).map(values)),
        );
    }
    run(
        "readings in json, 4 of 5 fields",
        decoder(&READINGS, Format::Json),
        readings(),
    );
    let cut_off = |n| {
        let mut record = json(n);
        record.truncate(record.len() - 2);
        record.into_bytes()
    };
    run(
        "malformed, cut off",
        decoder(&PAYMENTS, Format::Json),
        (0..RECORDS).map(cut_off).collect(),
    );
    let payments: Vec<Vec<u8>> = (0..RECORDS).map(|n| json(n).into_bytes()).collect();
    let readings = readings();
    let mut others = |name: &str, records: &[Vec<u8>], read: fn(&[u8])| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| records.iter().for_each(|record| read(black_box(record))));
        });
    };
    others("json by serde_json, 4 of 6 fields", &payments, |record| {
        let _ = black_box(serde_json::from_slice::<Borrowed<'_>>(record));
    });
    others("json by sonic-rs, 4 of 6 fields", &payments, |record| {
        let _ = black_box(sonic_rs::from_slice::<Borrowed<'_>>(record));
    });
    others(
        "readings in json by serde_json, 4 of 5 fields",
        &readings,
        |record| {
            let _ = black_box(serde_json::from_slice::<BorrowedReading<'_>>(record));
        },
    );
    others(
        "readings in json by sonic-rs, 4 of 5 fields",
        &readings,
        |record| {
            let _ = black_box(sonic_rs::from_slice::<BorrowedReading<'_>>(record));
        },
    );
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
