//! Records to events: bytes in, typed and timed values out.
//!
//! A [`Decoder`] is built once from the schema and from which fields some pattern reads ([`Projection`]). A scanner of the format finds where the
//! wanted values lie in a record (`json`, `csv`, `avro`, `protobuf`); then each is read as its declared type. So the
//! formats agree about what a value means, and what nobody reads is checked by the grammar but never parsed.
//!
//! Strict on purpose: a value of another type than declared makes the record [`Malformed`], nothing is guessed. What is told
//! leniently: whole numbers may be written `5.0`, decimals may stand in strings, times may be numbers or RFC 3339.
//!
//! What this does not do: cut a stream into records (that is `source`), and compare times of different records (`engine`).

#[cfg(feature = "avro")]
pub mod avro;
#[cfg(any(feature = "avro", feature = "protobuf"))]
pub(crate) mod beside;
mod built;
pub(crate) mod chunk;
mod convert;
mod csv;
mod decoder;
mod encoding;
#[cfg(any(feature = "avro", feature = "protobuf"))]
pub(crate) mod framing;
mod instant;
mod json;
mod layout;
mod number;
mod paths;
mod prefilter;
mod projection;
#[cfg(feature = "protobuf")]
pub mod protobuf;
mod shape;
mod spare;
pub mod split;
mod stencil;
pub mod table;
#[cfg(test)]
mod tests;
mod token;

use std::fmt;

#[cfg(any(feature = "avro", feature = "protobuf"))]
pub use beside::Beside;
pub use built::EventBuilder;
pub use decoder::{Decoded, Decoder, HeaderError, Kinds};
pub(crate) use decoder::{Glance, Read};
pub use encoding::Encoding;
pub(crate) use instant::shown;
pub(crate) use prefilter::{Ask, Asked, Prefilter};
pub use projection::Projection;
pub(crate) use spare::Spare;

use crate::time::Timestamp;

/// How large a record may be: 1 MiB.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Times before 2000-01-01 are taken for a mistake.
pub const TIME_MIN: Timestamp = Timestamp(946_684_800_000);

/// Times from 2200-01-01 on are taken for a mistake.
pub const TIME_MAX: Timestamp = Timestamp(7_258_118_400_000);

/// How records are written that need nothing else to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object per record. When a name stands twice in an object, the last one counts.
    Json,
    /// Comma-separated values; the first record names the columns. An empty field is null where the type is optional.
    Csv,
}

/// Why a record is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What kind of flaw it is.
    pub flaw: Flaw,
    /// Names the field, what was wanted and what was found; lower case, no full stop.
    pub reason: String,
}

/// Kinds of flaws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Larger than [`RECORD_BYTES_MAX`].
    Size,
    /// Not UTF-8, not one JSON object, not as many CSV fields as the header, not by its schema.
    Syntax,
    /// A field is missing or has another type.
    Field,
    /// A time that cannot be meant.
    Time,
}

impl Malformed {
    /// A record that its format does not allow.
    fn syntax(reason: String) -> Malformed {
        Malformed {
            flaw: Flaw::Syntax,
            reason,
        }
    }

    /// A time too far ahead of its partition's newest, which the next record did not confirm.
    pub(crate) fn ahead(time: Timestamp, newest: Option<Timestamp>, next: Timestamp) -> Malformed {
        let (time, next) = (instant::shown(time), instant::shown(next));
        let ahead = match newest {
            Some(newest) => format!("the source's newest, {}, and", instant::shown(newest)),
            None => "any other:".to_owned(),
        };
        Malformed {
            flaw: Flaw::Time,
            reason: format!(
                "time {time} is more than a day ahead of {ahead} the next record is back at {next}"
            ),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Malformed {}
