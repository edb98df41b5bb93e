//! Checkpoints: what of a run outlives its process, where that lies, and when it counts.
//!
//! `protocol` decides, and touches nothing: which epoch is open, whose word is missing, when a checkpoint is prepared. `manifest` is what a checkpoint says of itself,
//! `folder` where checkpoints lie, `settle` what became of one that a crash cut short, `share` and `storage` how instances of a group hand them on: they go through a [`Disk`](crate::disk::Disk), so that a simulation can crash between any two steps. What lies in the
//! manifest's opaque parts (events in flight, partitions' times) is the engine's.

mod folder;
mod manifest;
#[cfg(feature = "s3")]
mod objects;
mod protocol;
mod savepoint;
#[cfg(test)]
mod savepoint_tests;
mod settle;
#[cfg(feature = "kafka")]
mod share;
mod storage;
#[cfg(feature = "kafka")]
mod transaction;

use std::fmt;

use crate::epoch::Epoch;
use crate::source::SourcePosition;

#[cfg(feature = "kafka")]
pub(crate) use folder::ID;
pub use folder::{Folder, Found, SAVEPOINTS};
pub use manifest::{
    Kind, Manifest, StoredFamily, StoredPartition, StoredPattern, StoredShard, StoredSource,
    StoredType,
};
#[cfg(feature = "s3")]
pub use objects::Objects;
pub(crate) use protocol::{Ack, Action, Coordinator, Gathered, Parties, ShardNote, SourceNote};
pub(crate) use settle::settle;
#[cfg(feature = "kafka")]
pub(crate) use share::Share;
pub(crate) use storage::Sharing;
#[cfg(feature = "kafka")]
pub(crate) use storage::{CLAIM, chance};
pub use storage::{SharedFolder, SharedStorage, Storage};
#[cfg(feature = "kafka")]
pub(crate) use transaction::Transaction;

/// Positions of every partition of a source, by its name.
pub type Positions = Vec<(String, Vec<(u32, SourcePosition)>)>;

/// Who decides that an epoch is committed, if not the state folder: outputs whose rows and positions become visible at once, such as a transaction. Dropping it gives up
/// whatever is not committed.
pub trait CommitPoint: Send {
    /// The newest epoch that is committed; `None` for none yet. `outputs`: names of those that a checkpoint in question was prepared with, and what they gave to it.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn committed(&mut self, outputs: &[(String, Vec<u8>)]) -> Result<Option<Epoch>, Error>;

    /// Brings the checkpoint that counts into a folder that has it not, if it lies elsewhere. Asked for once, before anything is restored.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    fn fetch(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Commits a prepared epoch; once this has come back it counts, whatever happens then.
    ///
    /// # Errors
    /// When it did not come to that, or nobody knows: the run has to go on from what [`CommitPoint::committed`] says.
    fn commit(&mut self, epoch: Epoch, positions: &Positions) -> Result<(), Error>;
}

/// State that cannot be written, read or used. The message names the folder, says why, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// The message names the thing, says what is wrong, and the way out.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Error {
        Error(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<crate::store::Error> for Error {
    fn from(error: crate::store::Error) -> Error {
        Error(error.to_string())
    }
}
