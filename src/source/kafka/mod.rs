//! Topics of Kafka.
//!
//! A run reads all partitions of its topics, assigned by itself (`assignment`), or as a member of a group those that it is given (`member`); offsets of records are the topic's. Where reading goes on is known to the
//! state, if there is one, else to the consumer group: then what was handed out is kept with it from time to time, so that a run that was killed does
//! not read again what it has read, though matches that had begun are lost.
//!
//! One client per shard at most, each with a thread that tends it (`connection`); one reader per partition (`partition`). Values are not looked at: what a
//! record holds besides may be put into them (`extras`).
//!
//! In a build without the feature `kafka` addresses are understood and refused.

#[cfg(feature = "kafka")]
mod assignment;
#[cfg(feature = "kafka")]
pub(crate) mod client;
mod cluster;
#[cfg(feature = "kafka")]
mod connection;
#[cfg(feature = "kafka")]
mod extras;
#[cfg(feature = "kafka")]
pub(crate) mod member;
#[cfg(feature = "kafka")]
mod partition;
#[cfg(feature = "kafka")]
mod place;
mod registry;
#[cfg(feature = "kafka")]
mod start;
mod topics;

pub use cluster::{Cluster, Settings};
#[cfg(feature = "kafka")]
pub use partition::Kafka;
#[cfg(feature = "kafka")]
pub use place::TopicOffset;
pub use registry::RegistryAddress;
#[cfg(feature = "kafka")]
pub(super) use start::open;
pub use topics::{Described, End, Extra, Origin, Payload, Start, TopicName, Topics};

/// Opens nothing.
#[cfg(not(feature = "kafka"))]
pub(super) fn open(topics: &Topics, _: usize) -> Result<super::spec::Opened, super::Error> {
    Err(super::Error(format!(
        "source \"{topics}\": this build lacks kafka; build it with the feature kafka, or pipe records to -"
    )))
}
