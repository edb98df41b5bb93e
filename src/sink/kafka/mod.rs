//! Rows to topics of Kafka.
//!
//! A record's value is the row's text, its key that of the pattern, its headers name pattern and match (`row`). Without state rows are sent at once, in
//! order and each once unless the run is killed. With state they are part of a transaction that is committed with the epoch (`transactions`), and a reader
//! with `isolation.level=read_committed` sees them then, each once whatever happens.
//!
//! In a build without the feature `kafka` addresses are understood and refused.

#[cfg(feature = "kafka")]
mod in_transactions;
#[cfg(feature = "kafka")]
mod producer;
#[cfg(feature = "kafka")]
mod row;
mod topic;
#[cfg(feature = "kafka")]
mod transactions;

#[cfg(feature = "kafka")]
use std::sync::Arc;

#[cfg(feature = "kafka")]
use producer::Producer;
pub use topic::Topic;
#[cfg(feature = "kafka")]
pub use transactions::{GroupOffsets, Transactions};

use super::{Error, Opening, Sink};

/// Opens a topic.
///
/// # Errors
/// When no broker answers, the topic is not there, or a setting is wrong.
#[cfg(feature = "kafka")]
pub(super) fn open(topic: &Topic, opening: &mut Opening) -> Result<Box<dyn Sink>, Error> {
    let wrong = |reason: String| wrong(topic, &reason);
    if let Some(transactions) = opening.transactions(topic).map_err(wrong)? {
        let sink = Transactions::sink(&transactions, topic).map_err(wrong)?;
        return Ok(Box::new(sink));
    }
    Ok(Box::new(Kafka::open(topic)?))
}

/// Opens nothing.
#[cfg(not(feature = "kafka"))]
pub(super) fn open(topic: &Topic, _: &mut Opening) -> Result<Box<dyn Sink>, Error> {
    Err(Error::usage(format!(
        "output \"{topic}\": this build lacks kafka; build it with the feature kafka, or give a file"
    )))
}

#[cfg(feature = "kafka")]
fn wrong(topic: &Topic, reason: &str) -> Error {
    Error::usage(format!("output \"{topic}\": {reason}"))
}

/// Writes rows to a topic as they come.
#[cfg(feature = "kafka")]
pub struct Kafka {
    producer: Arc<Producer>,
    topic: Topic,
}

#[cfg(feature = "kafka")]
impl Kafka {
    /// Opens a topic. Outputs that lead to one cluster share their connections.
    ///
    /// # Errors
    /// When no broker answers, the topic is not there, or a setting is wrong.
    pub fn open(topic: &Topic) -> Result<Kafka, Error> {
        let producer = Producer::shared(topic).map_err(|reason| wrong(topic, &reason))?;
        let looked = producer.look_for(&topic.name);
        looked.map_err(|reason| wrong(topic, &reason))?;
        Ok(Kafka {
            producer,
            topic: topic.clone(),
        })
    }
}

#[cfg(feature = "kafka")]
impl Sink for Kafka {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        let sent = self.producer.send_all(&self.topic, rows);
        sent.map_err(|reason| wrong(&self.topic, &reason))
    }

    fn flush(&mut self) -> Result<(), Error> {
        let drained = self.producer.drain();
        drained.map_err(|reason| wrong(&self.topic, &reason))
    }

    fn retries(&self) -> super::Retries {
        self.producer.retries()
    }
}
