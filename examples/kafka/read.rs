//! Writes what is committed in a topic to standard output, one record a line, and ends where the topic ends.
//!
//! ```text
//! cargo run --release --no-default-features --features kafka --example read -- 127.0.0.1:9092 alerts
//! ```

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let read = match &args[..] {
        [brokers, topic] => read(brokers, topic),
        _ => Err("usage: read BROKERS TOPIC".to_owned()),
    };
    match read {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("read: {message}");
            ExitCode::from(2)
        }
    }
}

fn read(brokers: &str, topic: &str) -> Result<(), String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "read")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
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
    let mut out = BufWriter::new(io::stdout().lock());
    let mut open = partitions;
    while open > 0 {
        match consumer.poll(PATIENCE) {
            Some(Ok(record)) => {
                let written = out.write_all(record.payload().unwrap_or_default());
                written
                    .and_then(|()| out.write_all(b"\n"))
                    .map_err(|error| error.to_string())?;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err(format!("{brokers} has not answered for a minute")),
        }
    }
    out.flush().map_err(|error| error.to_string())
}
