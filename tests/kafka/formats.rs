//! Records in Avro, by a registry, and in Protobuf, by descriptors.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::Duration;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use assert_cmd::Command;
use leitmotif::source::{Follow, SourceSpec};
use leitmotif::{Polled, SourcePosition};
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};
use prost_reflect::{DescriptorPool, DynamicMessage, Value as Proto};
use serde_json::{Value, json};

use super::broker::{shared, until};

const PATTERNS: &str = r#"event Txn { at: timestamp time, card: string, amount: decimal, country: string? from "place.country" }
pattern probe_then_drain {
  key card
  match probe: Txn where amount < 5 then drain: Txn where amount > 500
  within 10m
  emit fraud { card, spent: drain.amount, country: drain.country }
}
"#;

/// A registry: schemas by number, and how often each was asked for.
#[derive(Clone)]
struct Registry {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    schemas: BTreeMap<u32, String>,
    asked: Vec<String>,
    /// Answers 503 to everything.
    down: bool,
}

impl Registry {
    fn start(schemas: &[(u32, &str)]) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let schemas = schemas.iter().map(|(id, text)| (*id, (*text).to_owned()));
        let state = Arc::new(Mutex::new(State {
            schemas: schemas.collect(),
            ..State::default()
        }));
        let registry = Registry { url, state };
        let serving = registry.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                // Whoever goes away needs no answer.
                let _ = connection.and_then(|connection| serving.serve(connection));
            }
        });
        registry
    }

    fn serve(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let mut head = String::new();
        let mut lines = BufReader::new(&connection);
        while lines.read_line(&mut head)? > 2 {}
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut state = self.state.lock().expect("whole");
        let id = path.strip_prefix("/schemas/ids/");
        let known = id.and_then(|id| state.schemas.get(&id.parse().ok()?));
        let (status, body) = match (id, known) {
            _ if state.down => ("503 Unavailable", json!({})),
            (None, _) => ("200 OK", json!({})),
            (Some(_), Some(text)) => ("200 OK", json!({"schema": text})),
            (Some(_), None) => (
                "404 Not Found",
                json!({"error_code": 40403, "message": "Schema not found"}),
            ),
        };
        state.asked.push(path);
        let (body, length) = (body.to_string(), body.to_string().len());
        write!(
            connection,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }

    fn set_down(&self, down: bool) {
        self.state.lock().expect("whole").down = down;
    }

    /// How often a schema was asked for.
    fn asked(&self, id: u32) -> usize {
        let path = format!("/schemas/ids/{id}");
        let state = self.state.lock().expect("whole");
        state.asked.iter().filter(|asked| **asked == path).count()
    }
}

const OLD: &str = r#"{"type": "record", "name": "Txn", "namespace": "shop", "fields": [
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}}]}"#;

const NEW: &str = r#"{"type": "record", "name": "Txn", "namespace": "shop", "fields": [
    {"name": "note", "type": ["null", "string"]},
    {"name": "place", "type": ["null", {"type": "record", "name": "Place", "fields": [{"name": "country", "type": "string"}]}]},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3}}]}"#;

fn avro(id: u32, schema: &str, fields: Vec<(&str, Avro)>) -> Vec<u8> {
    let schema = Schema::parse_str(schema).expect("a schema");
    let fields = fields.into_iter();
    let record = Avro::Record(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    );
    let writer = GenericDatumWriter::builder(&schema).build().expect("fits");
    let datum = writer.write_value_to_vec(record).expect("it fits");
    [&[0][..], &id.to_be_bytes(), &datum].concat()
}

fn units(units: i32) -> Avro {
    Avro::Decimal(units.to_be_bytes().into())
}

const START: i64 = 1_700_000_000_000;

fn old(after: i64, cents: i32) -> Vec<u8> {
    let at = Avro::TimestampMillis(START + after);
    avro(7, OLD, vec![("at", at), ("amount", units(cents))])
}

fn new(after: i64, mills: i32) -> Vec<u8> {
    let place = Avro::Record(vec![("country".to_owned(), Avro::String("FR".to_owned()))]);
    let fields = vec![
        ("note", Avro::Union(0, Box::new(Avro::Null))),
        ("place", Avro::Union(1, Box::new(place))),
        ("at", Avro::TimestampMicros((START + after) * 1_000)),
        ("amount", units(mills)),
    ];
    avro(300, NEW, fields)
}

/// Runs patterns to the end of a topic; gives the rows of `fraud`, as they are written, and those of `malformed`.
fn run(folder: &Path, source: &str) -> (Vec<String>, Vec<Value>) {
    fs::write(folder.join("p.motif"), PATTERNS).expect("written");
    let done = Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
        .current_dir(folder)
        .args(["run", "p.motif", "--source", source, "--output"])
        .args([
            "fraud=fraud.ndjson",
            "--output",
            "malformed=malformed.ndjson",
        ])
        .output()
        .expect("runs");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    let rows = |file: &str| -> Vec<String> {
        let text = fs::read_to_string(folder.join(file)).expect("rows");
        text.lines().map(str::to_owned).collect()
    };
    let malformed = rows("malformed.ndjson");
    let malformed = malformed.iter().map(|row| serde_json::from_str(row));
    (
        rows("fraud.ndjson"),
        malformed.collect::<Result<_, _>>().expect("JSON"),
    )
}

#[test]
fn records_of_several_schemas_are_read_and_each_schema_is_asked_for_once() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("avro", 1);
    let registry = Registry::start(&[(7, OLD), (300, NEW), (8, "{nonsense")]);
    let mut damaged = new(3_000, 1);
    damaged.truncate(20);
    let records = [
        old(0, 499),
        avro(
            99,
            OLD,
            vec![("at", Avro::TimestampMillis(START)), ("amount", units(1))],
        ),
        damaged,
        new(5_000, 900_500),
        b"{}".to_vec(),
        [&[0, 0, 0, 0, 8][..], b"x"].concat(),
        old(6_000, 1),
    ];
    broker.send_bytes(&topic, "c1", &records);
    let folder = tempfile::tempdir().expect("a folder");
    let (address, url) = (&broker.address, &registry.url);
    let source =
        format!("Txn=kafka://{address}/{topic}?format=avro&registry={url}&key=card&end=latest");
    let (fraud, malformed) = run(folder.path(), &source);
    assert_eq!(fraud.len(), 1);
    let record = r#""record":{"card":"c1","spent":900.500,"country":"FR"}"#;
    assert!(fraud[0].contains(record), "{fraud:?}");
    let reasons: Vec<(u64, &str)> = malformed
        .iter()
        .map(|row| {
            let reason = row["reason"].as_str().expect("a reason");
            (row["offset"].as_u64().expect("an offset"), reason)
        })
        .collect();
    let offsets: Vec<u64> = reasons.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [1, 2, 4, 5]);
    assert_eq!(reasons[0].1, "schema 99 is not known to the registry");
    assert!(
        reasons[1].1.starts_with("not a datum of schema 300: "),
        "{reasons:?}"
    );
    assert!(
        reasons[2].1.contains("the first byte is 123"),
        "{reasons:?}"
    );
    assert!(
        reasons[3].1.starts_with("schema 8 cannot be read: "),
        "{reasons:?}"
    );
    for id in [7, 300, 99, 8] {
        assert_eq!(registry.asked(id), 1, "schema {id}");
    }
}

#[test]
fn a_registry_that_is_away_is_waited_for_and_no_record_is_lost() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("waits", 1);
    let registry = Registry::start(&[(7, OLD), (300, NEW)]);
    broker.send_bytes(&topic, "c1", &[old(0, 1), new(1, 2), old(2, 3)]);
    let (address, url) = (&broker.address, &registry.url);
    let text = format!("Txn=kafka://{address}/{topic}?format=avro&registry={url}");
    let spec = SourceSpec::parse(&text).expect("an address");
    let mut readers = spec.open(1, Follow::No).expect("opened");
    registry.set_down(true);
    let reader = &mut readers[0];
    until("it is asked twice", || {
        let polled = reader.poll(&mut |_| panic!("nobody knows its schema"));
        assert!(
            matches!(polled, Ok(Polled::Waiting | Polled::Away)),
            "{polled:?}"
        );
        registry.asked(7) >= 2
    });
    let polled = reader.poll(&mut |_| panic!("nobody knows its schema"));
    assert_eq!(polled, Ok(Polled::Away));
    // What was not handed out is not behind it.
    let at =
        |positions: Option<Vec<(u32, SourcePosition)>>| positions.expect("it has one")[0].1.offset;
    assert_eq!(at(reader.positions()), 0);
    registry.set_down(false);
    let mut offsets = Vec::new();
    until("all are there", || {
        reader
            .poll(&mut |record| offsets.push(record.offset))
            .expect("read");
        offsets.len() == 3
    });
    assert_eq!(offsets, [0, 1, 2]);
    assert_eq!(at(reader.positions()), 3);
}

#[test]
fn a_registry_that_is_not_there_keeps_a_run_from_beginning() {
    let Some(broker) = shared() else { return };
    let topic = broker.topic("no-registry", 1);
    let address = &broker.address;
    let text = format!("kafka://{address}/{topic}?format=avro&registry=http://127.0.0.1:1");
    let spec = SourceSpec::parse(&text).expect("an address");
    let error = spec.open(1, Follow::No).err().expect("refused").to_string();
    assert!(
        error.contains("no schema registry answers at http://127.0.0.1:1: "),
        "{error}"
    );
}

/// `shop.Txn`, as a compiled file.
fn descriptors() -> FileDescriptorSet {
    let field = |name: &str, number, ty: Type, named: &str| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(ty.into()),
        type_name: (!named.is_empty()).then(|| named.to_owned()),
        ..FieldDescriptorProto::default()
    };
    let message = |name: &str, fields| DescriptorProto {
        name: Some(name.to_owned()),
        field: fields,
        ..DescriptorProto::default()
    };
    let place = message("Place", vec![field("country", 1, Type::String, "")]);
    let txn = vec![
        field("at", 1, Type::Int64, ""),
        field("amount", 2, Type::String, ""),
        field("place", 3, Type::Message, ".shop.Place"),
        field("note", 4, Type::Bytes, ""),
    ];
    FileDescriptorSet {
        file: vec![FileDescriptorProto {
            name: Some("shop.proto".to_owned()),
            package: Some("shop".to_owned()),
            syntax: Some("proto3".to_owned()),
            message_type: vec![place, message("Txn", txn)],
            ..FileDescriptorProto::default()
        }],
    }
}

#[test]
fn messages_are_read_by_their_descriptors_plain_and_framed() {
    let Some(broker) = shared() else { return };
    let set = descriptors();
    let pool = DescriptorPool::from_file_descriptor_set(set.clone()).expect("descriptors");
    let message =
        |name: &str| DynamicMessage::new(pool.get_message_by_name(name).expect("is there"));
    let txn = |after: i64, amount: &str| {
        let mut place = message("shop.Place");
        place.set_field_by_name("country", Proto::String("FR".to_owned()));
        let mut txn = message("shop.Txn");
        txn.set_field_by_name("at", Proto::I64(START + after));
        txn.set_field_by_name("amount", Proto::String(amount.to_owned()));
        txn.set_field_by_name("place", Proto::Message(place));
        txn.set_field_by_name("note", Proto::Bytes(vec![255; 40].into()));
        txn.encode_to_vec()
    };
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("shop.pb"), set.encode_to_vec()).expect("written");
    let address = &broker.address;
    for (framing, before) in [("none", &[][..]), ("registry", &[0, 0, 0, 0, 5, 2, 2][..])] {
        let topic = broker.topic("protobuf", 1);
        let framed = |message: Vec<u8>| [before, &message].concat();
        let records = [
            framed(txn(0, "4.99")),
            b"\x0f".to_vec(),
            framed(txn(5_000, "900.50")),
        ];
        broker.send_bytes(&topic, "c1", &records);
        let source = format!(
            "Txn=kafka://{address}/{topic}?format=protobuf&descriptors=shop.pb&message=shop.Txn&framing={framing}&key=card&end=latest"
        );
        let (fraud, malformed) = run(folder.path(), &source);
        assert_eq!(fraud.len(), 1, "{framing}");
        let record = r#""record":{"card":"c1","spent":900.50,"country":"FR"}"#;
        assert!(fraud[0].contains(record), "{fraud:?}");
        assert_eq!((malformed.len(), &malformed[0]["offset"]), (1, &json!(1)));
    }
}

#[test]
fn time_waits_for_a_broker_that_sleeps_longer_than_idle() {
    let Some(broker) = shared().and_then(|_| super::broker::Broker::start()) else {
        return;
    };
    let topic = broker.topic("asleep", 1);
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.motif"), PATTERNS).expect("written");
    let mut running = std::process::Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
        .current_dir(folder.path())
        .args(["run", "p.motif", "--idle", "20s", "--source"])
        .arg(format!("Txn=kafka://{}/{topic}", broker.address))
        .args([
            "--output",
            "fraud=fraud.ndjson",
            "--output",
            "late=late.ndjson",
        ])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("runs");
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.expect("after 1970").as_millis() as i64
    };
    let send = |at: i64, amount: &str| {
        let value = format!(r#"{{"at":{at},"card":"c1","amount":{amount}}}"#);
        broker.send_values(&topic, 0, &[&value]);
    };
    let began = now();
    send(began, "1");
    let group = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    // The second event says that the first was read: it is late.
    send(began - 1, "2");
    until("it is read", || group("late.ndjson").contains("\n"));
    broker.signal("-STOP");
    sleep(Duration::from_secs(26));
    broker.signal("-CONT");
    // A moment after the first one: the pause was no time.
    send(began + 1, "900");
    until("it is decided", || {
        let late = group("late.ndjson").lines().count();
        assert_eq!(late, 1, "time has moved on meanwhile");
        // A minute of silence is too long to wait: another event says that time has passed.
        send(now(), "100");
        group("fraud.ndjson").contains("\n")
    });
    running.kill().expect("killed");
    running.wait().expect("ended");
}
