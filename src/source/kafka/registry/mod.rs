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
use super::topics::{Described, Payload, Topics};
#[cfg(feature = "kafka")]
use crate::event::formats::{
    Beside, Encoding,
    avro::Schemas,
    protobuf::{Framing, Messages, Unread},
};
#[cfg(feature = "kafka")]
use crate::lang::suggest::nearest;

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
                .map_err(|why| format!("descriptors \"{file}\": {}", unread(&why, described)))?;
            Ok((Encoding::Protobuf(messages, beside), None))
        }
    }
}

/// How many messages are named where one is not there.
#[cfg(feature = "kafka")]
const SHOWN_MESSAGES: usize = 8;

/// Why a message cannot be read, and the way out.
#[cfg(feature = "kafka")]
fn unread(why: &Unread, described: &Described) -> String {
    let message = &described.message;
    let names = match why {
        Unread::Descriptors(reason) => {
            return format!(
                "is no compiled descriptor file: {reason}; write it with protoc --include_imports --descriptor_set_out=FILE"
            );
        }
        Unread::Missing(names) => names,
    };
    if let Some(near) = nearest(message, names.iter().map(String::as_str)) {
        return format!("has no message \"{message}\"; did you mean \"{near}\"?");
    }
    let shown = names[..names.len().min(SHOWN_MESSAGES)].join(", ");
    let more = if names.len() > SHOWN_MESSAGES {
        ", …"
    } else {
        ""
    };
    format!("has no message \"{message}\"; there are: {shown}{more}")
}
