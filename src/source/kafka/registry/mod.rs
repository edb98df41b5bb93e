//! A schema registry as an address names it, and who asks it.
//!
//! A schema is asked for once, when the first record comes that was written with it, and kept for as long as the process lives: a number never means another
//! schema. Asking is done on a thread of its own, so that a shard never waits; meanwhile the partition whose record it is stands still, and says that it does
//! ([`Polled::Away`](crate::source::Polled::Away)). So a registry that is down loses no record and makes none malformed.

mod address;
#[cfg(feature = "kafka")]
mod asked;
#[cfg(feature = "kafka")]
mod http;
#[cfg(all(test, feature = "kafka"))]
mod tests;

pub use address::RegistryAddress;
#[cfg(feature = "kafka")]
pub(super) use asked::Registry;

#[cfg(feature = "kafka")]
use super::topics::{Payload, Topics};
#[cfg(feature = "kafka")]
use crate::event::formats::{
    Beside, Encoding,
    avro::Schemas,
    protobuf::{Framing, Messages},
};

/// How records of topics are written, and who is asked for what they need.
///
/// # Errors
/// When the registry does not answer, or the descriptor file cannot be read.
#[cfg(feature = "kafka")]
pub(super) fn encoding(topics: &Topics) -> Result<(Encoding, Option<Registry>), String> {
    let extras = topics.extras.iter();
    let beside = Beside(extras.map(|extra| extra.field.clone()).collect());
    match &topics.payload {
        Payload::Json | Payload::Csv(_) => Ok((topics.format().into(), None)),
        Payload::Avro(address) => {
            let schemas = Schemas::new();
            let client = http::Client::new(address)?;
            client.check()?;
            let registry = Registry::new(schemas.clone(), Box::new(client));
            Ok((Encoding::Avro(schemas, beside), Some(registry)))
        }
        Payload::Protobuf(described) => {
            let file = described.descriptors.display();
            let bytes = std::fs::read(&described.descriptors)
                .map_err(|error| format!("descriptors \"{file}\": {error}; check the path"))?;
            let framing = match described.framed {
                true => Framing::Registry,
                false => Framing::None,
            };
            let messages = Messages::new(&bytes, &described.message, framing)
                .map_err(|reason| format!("descriptors \"{file}\": {reason}"))?;
            Ok((Encoding::Protobuf(messages, beside), None))
        }
    }
}
