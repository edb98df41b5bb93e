//! Where records come from: files, folders, standard input, HTTP, and nothing but a seed.
//!
//! A [`Source`] gives out undecoded [`Record`]s in the order of each partition; what they mean is not known here. Sources read when they
//! are polled and never ahead, so an engine that falls behind holds no more than one block per source.

mod ahead;
mod blocks;
mod file;
mod folder;
pub mod generate;
mod input;
pub(crate) mod options;
mod push;
mod rejected;
pub(crate) mod spec;
mod stdin;

use std::fmt;

use crate::time::Timestamp;

pub use file::{File, Packing};
pub use folder::Folder;
pub use generate::Generator;
pub use push::Address;
#[cfg(feature = "http")]
pub use push::HttpPush;
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
    /// When it was stored where it comes from, if that is known: the broker's stamp. `None` for files.
    pub arrived: Option<Timestamp>,
    /// True for the first record of a file: where columns have names, it names them. A folder holds many files, and a file that is
    /// followed may begin anew.
    pub heads_file: bool,
}

/// What to do at the end of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Follow {
    /// End.
    No,
    /// Wait for what is appended, and for files that are added.
    Yes,
}

/// What a poll says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// More is at hand.
    More,
    /// Nothing more is at hand; there may be later.
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

/// Whether input ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// It ends: a file. Silence means nothing, so time never advances without events.
    Bounded,
    /// It goes on for as long as somebody sends: silence is a fact about the world.
    Unbounded,
}

/// Gives out records.
pub trait Source: Send {
    /// Hands a bounded number of records to `take`, in the order of each partition. Never waits for input: whoever polls has other
    /// work to do. What can only be read by waiting is read on a thread of its own.
    ///
    /// # Errors
    /// When the input cannot be read; the source is of no use then.
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error>;

    /// The numbers of the partitions that it reads. The readers of one source share its partitions; no two read the same.
    fn partitions(&self) -> Vec<u32>;

    /// Whether the input ends by itself.
    fn extent(&self) -> Extent;

    /// How far it has been read; `None` when nobody knows how much there is.
    fn progress(&self) -> Option<Progress>;
}

/// A source that cannot be named, opened or read. The message says which, why, and the way out.
#[derive(Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// For sources outside of this crate. The message names the source, says what is wrong, and the way out.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Error {
        Error(message.into())
    }

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
