//! How records are written, with all that is needed to read them.

#[cfg(any(feature = "avro", feature = "protobuf"))]
use super::Beside;
use super::Format;
#[cfg(feature = "avro")]
use super::avro;
#[cfg(feature = "protobuf")]
use super::protobuf;

/// How the records of a source are written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// A format that needs nothing else.
    Plain(Format),
    /// Avro, each record with the number of its schema; behind texts that are fields as well.
    #[cfg(feature = "avro")]
    Avro(avro::Schemas, Beside),
    /// Messages of Protobuf, behind texts that are fields as well.
    #[cfg(feature = "protobuf")]
    Protobuf(protobuf::Messages, Beside),
}

impl From<Format> for Encoding {
    fn from(format: Format) -> Encoding {
        Encoding::Plain(format)
    }
}
