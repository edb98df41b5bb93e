//! Reads a topic to its end with a consumer as anybody would write one, decodes each record as JSON and does nothing with it: what a run is measured against.
//!
//! ```text
//! cargo run --release --example plain_consumer -- 127.0.0.1:9092 cards
//! ```

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde::Deserialize;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A made-up payment, as the patterns that are measured read it.
#[derive(Deserialize)]
struct Txn<'a> {
    ts: i64,
    card: &'a str,
    kind: &'a str,
    amount: f64,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let read = match &args[..] {
        [brokers, topic] => read(brokers, topic),
        _ => Err("usage: plain_consumer BROKERS TOPIC".to_owned()),
    };
    match read {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("plain_consumer: {message}");
            ExitCode::from(2)
        }
    }
}

fn read(brokers: &str, topic: &str) -> Result<(), String> {
    let began = Instant::now();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "plain")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.queue.backoff.ms", "5")
        .create()
        .map_err(|error| error.to_string())?;
    let found = consumer.fetch_metadata(Some(topic), PATIENCE);
    let found = found.map_err(|error| error.to_string())?;
    let partitions = found.topics()[0].partitions().len();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions as i32 {
        let added = list.add_partition_offset(topic, partition, Offset::Beginning);
        added.map_err(|error| error.to_string())?;
    }
    consumer.assign(&list).map_err(|error| error.to_string())?;
    let (mut open, mut count, mut small) = (partitions, 0_u64, 0_u64);
    while open > 0 {
        match consumer.poll(PATIENCE) {
            Some(Ok(record)) => {
                let bytes = record.payload().unwrap_or_default();
                let txn: Txn<'_> =
                    serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
                // So that nothing of it is left out by the compiler.
                let is_small = txn.kind == "auth" && txn.amount < 2.0;
                small += u64::from(is_small && txn.ts > 0 && !txn.card.is_empty());
                count += 1;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err(format!("{brokers} has not answered for a minute")),
        }
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("{count} records, {small} small ones, {rate:.0} events/s");
    Ok(())
}
