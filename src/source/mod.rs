//! Where records come from: files and standard input.
//!
//! A [`Source`] gives out undecoded [`Record`]s in the order of each partition; what they mean is not known here. Sources read when they
//! are polled and never ahead, so an engine that falls behind holds no more than one block per source.

mod blocks;
mod file;
mod rejected;
pub(crate) mod spec;
mod stdin;

use std::fmt;

pub use file::{File, Packing};
pub use rejected::{REJECTED_BYTES_MAX, Rejected, Rejection};
pub use spec::{Place, SourceSpec};
pub use stdin::Stdin;

/// Undecoded input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its bytes without the line break. Of a record larger than [`RECORD_BYTES_MAX`](crate::event::formats::RECORD_BYTES_MAX)
    /// the first one too many are here, the rest was dropped.
    pub bytes: &'a [u8],
    /// The partition of the source.
    pub partition: u32,
    /// The place in the partition, rising. In files and standard input: the line's number, from 1.
    pub offset: u64,
}

/// What a poll says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// More is at hand.
    More,
    /// The next poll may have to wait for input.
    Waiting,
    /// Nothing follows, ever.
    End,
}

/// How far a source has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes read, before unpacking.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Gives out records.
pub trait Source: Send {
    /// Hands a bounded number of records to `take`, in the order of each partition. May wait for input.
    ///
    /// # Errors
    /// When the input cannot be read; the source is of no use then.
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error>;

    /// How many partitions there are, numbered from 0.
    fn partitions(&self) -> u32;

    /// How far it has been read; `None` when nobody knows how much there is.
    fn progress(&self) -> Option<Progress>;
}

/// A source that cannot be named, opened or read. The message says which, why, and the way out.
#[derive(Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// What is wrong with what a source holds.
    pub(crate) fn in_source(name: &str, reason: &dyn fmt::Display) -> Error {
        Error(format!("source \"{name}\": {reason}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
