//! Feeds a topic of Kafka with made-up events, for demonstrations and measurements.
//!
//! ```text
//! cargo run --release --no-default-features --features kafka --example feed -- 127.0.0.1:9092 cards card 'cards?rate=1000&time=now'
//! ```
//!
//! Arguments: the brokers, the topic, the field that becomes the records' key, and what `--source generate:` takes. A workload without `events=` has no end.

use std::process::ExitCode;
use std::time::Duration;

use leitmotif::Polled;
use leitmotif::source::{Follow, SourceSpec};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

/// How long the last records may take.
const LAST: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let fed = match &args[..] {
        [brokers, topic, key, workload] => feed(brokers, topic, key, workload),
        _ => Err("usage: feed BROKERS TOPIC KEY-FIELD WORKLOAD".to_owned()),
    };
    match fed {
        Ok(count) => {
            eprintln!("{count} records are in the topic");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("feed: {message}");
            ExitCode::from(2)
        }
    }
}

fn feed(brokers: &str, topic: &str, key: &str, workload: &str) -> Result<u64, String> {
    let spec = SourceSpec::parse(&format!("generate:{workload}"));
    let readers = spec.and_then(|spec| spec.open(1, Follow::No));
    let mut readers = readers.map_err(|error| error.to_string())?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "20")
        .set("partitioner", "murmur2_random")
        .set("enable.idempotence", "true")
        .create()
        .map_err(|error| error.to_string())?;
    let found = producer.client().fetch_metadata(Some(topic), LAST);
    if found.map_err(|error| error.to_string())?.topics()[0]
        .error()
        .is_some()
    {
        return Err(format!(
            "topic \"{topic}\" is not at {brokers}; create it first"
        ));
    }
    // Values of the generator have no escapes.
    let mark = format!("\"{key}\":\"");
    let (mut count, mut failure) = (0, None);
    loop {
        let polled = readers[0].poll(&mut |record| {
            let text = std::str::from_utf8(record.bytes).unwrap_or_default();
            let key = text
                .split_once(&mark)
                .and_then(|(_, rest)| rest.split('"').next());
            let mut sent = BaseRecord::to(topic).payload(text);
            sent.key = key;
            sent.timestamp = record.arrived.map(|time| time.0);
            while let Err((error, back)) = producer.send(sent) {
                if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                    failure = Some(error.to_string());
                    return;
                }
                sent = back;
                producer.poll(Duration::from_millis(1));
            }
            count += 1;
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        producer.poll(Duration::ZERO);
        match polled.map_err(|error| error.to_string())? {
            Polled::More => {}
            Polled::Waiting | Polled::Away => std::thread::sleep(Duration::from_millis(1)),
            Polled::End => break,
        }
    }
    producer.flush(LAST).map_err(|error| error.to_string())?;
    Ok(count)
}
