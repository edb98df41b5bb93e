//! How records are written, with all that is needed to read them.

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
    /// Avro, each record with the number of its schema.
    #[cfg(feature = "avro")]
    Avro(avro::Schemas),
    /// Messages of Protobuf.
    #[cfg(feature = "protobuf")]
    Protobuf(protobuf::Messages),
}

impl From<Format> for Encoding {
    fn from(format: Format) -> Encoding {
        Encoding::Plain(format)
    }
}
