//! Where records come from: files, folders, standard input, HTTP, Kafka, and nothing but a seed.
//!
//! A [`Source`] gives out undecoded [`Record`]s in the order of each partition; what they mean is not known here. Sources read when they
//! are polled; standard input is read, and packed files are unpacked, a few blocks ahead, on a thread of their own. So an engine that falls behind holds no more than a megabyte per source.
//!
//! A source that can be read again tells where each partition [goes on](SourcePosition). Another process opens the same source and goes on there, as if nothing had been in between.

mod ahead;
mod blocks;
mod file;
mod folder;
pub mod generate;
mod group;
mod input;
pub mod kafka;
pub(crate) mod options;
mod place;
mod push;
mod rejected;
mod rotated;
pub(crate) mod spec;
mod standing;
mod stdin;

use std::fmt;

use crate::epoch::Epoch;
use crate::time::Timestamp;

pub use file::{File, Lost, Packing};
pub use folder::Folder;
pub use generate::Generator;
pub use group::Group;
pub use push::Address;
#[cfg(feature = "http")]
pub use push::HttpPush;
pub use rejected::{REJECTED_BYTES_MAX, Rejected, Rejection};
pub use spec::{Opened, Place, SourceSpec};
pub use standing::Standing;
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
    /// followed may begin anew. A source that goes on within a file where columns have names hands its first record out once more, with the offset that it has.
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
    /// Nothing more is at hand, for where it comes from is out of reach. That says nothing about the world: silence is not counted, and time waits.
    Away,
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

/// Where a partition goes on: behind the last record that was handed out.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SourcePosition {
    /// The offset that the next record will have, or less: of a broker, where to read on; of a file, the number of the next line.
    pub offset: u64,
    /// What else the source needs to find the place again, in bytes of its own; the first one says which version of them.
    pub place: Vec<u8>,
}

/// Gives out records.
///
/// Three methods are all it takes. A source that can be read again has two more, and then a run with state goes on after a crash with just the record that follows on
/// those it has kept: a [`Record::offset`] that says where to read on is all that most need.
///
/// ```
/// use leitmotif::source::{Error, SourcePosition};
/// use leitmotif::{Extent, Polled, Progress, Record, Source};
///
/// /// A table that is only ever added to.
/// struct Journal {
///     rows: Vec<String>,
///     next: usize,
/// }
///
/// impl Source for Journal {
///     fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
///         for row in self.rows.iter().skip(self.next).take(256) {
///             let (bytes, offset) = (row.as_bytes(), self.next as u64);
///             take(Record { bytes, partition: 0, offset, arrived: None, heads_file: false });
///             self.next += 1;
///         }
///         Ok(if self.next < self.rows.len() { Polled::More } else { Polled::Waiting })
///     }
///
///     fn partitions(&self) -> Vec<u32> { vec![0] }
///     fn extent(&self) -> Extent { Extent::Unbounded }
///     fn progress(&self) -> Option<Progress> { None }
///
///     // The offset says it all; a source that needs more to find the place again puts it into `place`.
///     fn positions(&self) -> Option<Vec<(u32, SourcePosition)>> {
///         Some(vec![(0, SourcePosition { offset: self.next as u64, place: vec![] })])
///     }
///
///     fn seek(&mut self, positions: &[(u32, SourcePosition)]) -> Result<(), Error> {
///         for (_, position) in positions.iter().filter(|(partition, _)| *partition == 0) {
///             self.next = usize::try_from(position.offset)
///                 .ok()
///                 .filter(|next| *next <= self.rows.len())
///                 .ok_or_else(|| Error::new(format!(
///                     "source \"journal\": holds {} rows, but {} were read before; restore it, or empty the state folder",
///                     self.rows.len(),
///                     position.offset,
///                 )))?;
///         }
///         Ok(())
///     }
/// }
///
/// let rows: Vec<String> = (0..1_000).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
/// let mut before = Journal { rows: rows.clone(), next: 0 };
/// before.poll(&mut |_| {})?;
/// let positions = before.positions().expect("can be read again");
///
/// let mut after = Journal { rows, next: 0 };
/// after.seek(&positions)?;
/// let mut first = None;
/// after.poll(&mut |record| { first.get_or_insert(record.offset); })?;
/// assert_eq!(first, Some(256));
///
/// let mut emptied = Journal { rows: vec![], next: 0 };
/// assert!(emptied.seek(&positions).is_err());
/// # Ok::<(), Error>(())
/// ```
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

    /// Where each of its partitions goes on, by number: behind the last record that was handed out. `None` when what was handed out cannot be read again, as from a
    /// pipe.
    ///
    /// Asked between polls, at each barrier of a run with state, also of a source that answers `None`: what was handed out until then belongs to the epoch that
    /// ends there. A partition of which nothing was handed out may be left away.
    fn positions(&self) -> Option<Vec<(u32, SourcePosition)>> {
        None
    }

    /// Goes on at these positions, which were [those](Source::positions) of a source of the same name, perhaps of another process, and perhaps of several readers. A partition
    /// that is not among them begins at its beginning; positions of partitions that it does not read are ignored.
    ///
    /// A run with state calls it once, before the first poll, also when there are no positions yet; a run without state never does. The bytes of a place come from a
    /// disk: whatever they are, the answer is a place or an error.
    ///
    /// # Errors
    /// When the place is not there any more: the message says what is lost, and the way out.
    fn seek(&mut self, positions: &[(u32, SourcePosition)]) -> Result<(), Error> {
        let _ = positions;
        Ok(())
    }

    /// The epoch that ended when [`positions`](Source::positions) were last asked for is committed: what was handed out before will never be asked for again. For sources that
    /// acknowledge what they took. Called between polls; not for an epoch that was given up.
    ///
    /// # Errors
    /// When the source cannot go on.
    fn committed(&mut self, epoch: Epoch) -> Result<(), Error> {
        let _ = epoch;
        Ok(())
    }

    /// Where its partitions stand at the broker that holds them. Asked for once, before the first poll; looked at while it is read.
    fn standings(&self) -> Vec<Standing> {
        Vec::new()
    }

    /// The group with which it keeps how far it was read, if it has one. Asked for once, before the first poll, in a run with state.
    fn group(&self) -> Option<Group> {
        None
    }
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

#[cfg(test)]
mod resume_tests;
