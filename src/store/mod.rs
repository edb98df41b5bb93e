//! The store of record: bytes by key, on which a shard's state outlives it.
//!
//! A [`StateStore`] knows nothing of patterns. Keys begin with the [key group](crate::key::KeyGroup), so that what changes its owner is one range ([`layout`]). Reading and
//! writing go on from different threads: a shard fetches what it needs, and another thread writes what the shard handed over.
//!
//! Two stores: [`rocks`] on disk (feature `rocksdb`), for states larger than memory, and [`memory`]. Neither keeps a log of what is written: what was not in a
//! checkpoint is gone after a restart, which begins with a checkpoint's folder. [`files`] tells whether such a folder still is what was written.

pub mod files;
pub mod layout;
pub mod memory;
#[cfg(feature = "rocksdb")]
pub mod rocks;
pub mod sorts;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Takes a key and its value; says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), Error> + 'a;

/// Bytes by key.
pub trait StateStore: Send + Sync + fmt::Debug {
    /// The value of each key, in their order.
    ///
    /// # Errors
    /// When the store cannot be read, or is damaged.
    fn get_all(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Error>;

    /// Makes all changes of a batch, or, when it fails, perhaps some. Durable only with the next [checkpoint](StateStore::checkpoint).
    ///
    /// # Errors
    /// When the store cannot be written.
    fn write(&self, batch: &Batch) -> Result<(), Error>;

    /// Visits all keys in a range, in order of their bytes. `visit` must not write to the same store.
    ///
    /// # Errors
    /// When the store cannot be read, or is damaged; and what `visit` gives back.
    fn scan(&self, keys: Range<&[u8]>, visit: &mut Visit<'_>) -> Result<(), Error>;

    /// Writes everything there is to a new folder, durably, sharing files with earlier ones that did not change. Gives back the names of its files, sorted. After a crash,
    /// or when it failed, something may lie at the folder's path or the path with `.tmp` behind it.
    ///
    /// # Errors
    /// When it cannot be written, or something lies there already.
    fn checkpoint(&self, folder: &Path) -> Result<Vec<String>, Error>;

    /// About how many bytes it holds on disk.
    fn bytes(&self) -> u64;
}

/// Changes in order: a later one of the same key wins.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Keys and values one after the other.
    bytes: Vec<u8>,
    changes: Vec<Change>,
}

/// Where a change lies in the bytes.
#[derive(Clone, Copy, Debug)]
struct Change {
    key: (usize, usize),
    /// `None`: the key is removed.
    value: Option<(usize, usize)>,
}

impl Batch {
    /// Sets a key; `write` appends its value.
    pub fn put(&mut self, key: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        write(&mut self.bytes);
        self.changes.push(Change {
            key: (start, middle),
            value: Some((middle, self.bytes.len())),
        });
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.changes.push(Change {
            key: (start, self.bytes.len()),
            value: None,
        });
    }

    /// Moves the changes of another batch behind those of this one.
    pub fn append(&mut self, other: &mut Batch) {
        if self.changes.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        let by = self.bytes.len();
        let moved = |(start, end): (usize, usize)| (start + by, end + by);
        self.changes
            .extend(other.changes.drain(..).map(|change| Change {
                key: moved(change.key),
                value: change.value.map(moved),
            }));
        self.bytes.append(&mut other.bytes);
    }

    /// The changes in order: keys with their new values, `None` for those that are removed.
    pub fn changes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.changes.iter().map(|change| {
            let (start, end) = change.key;
            let value = change.value.map(|(start, end)| &self.bytes[start..end]);
            (&self.bytes[start..end], value)
        })
    }

    /// How many changes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How much memory the keys and values take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets all changes, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.changes.clear();
    }
}

/// A store that cannot be opened, read or written. The message says which, why, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
    damaged: bool,
}

impl Error {
    /// It cannot be used as it is: no space, no permission, locked.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Error {
        Error {
            message: message.into(),
            damaged: false,
        }
    }

    /// It holds what cannot have been written.
    #[must_use]
    pub fn damaged(message: impl Into<String>) -> Error {
        Error {
            message: message.into(),
            damaged: true,
        }
    }

    /// True if what it holds cannot have been written: an older checkpoint may be whole.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Makes and opens stores of one sort.
pub trait Stores: Send + Sync + fmt::Debug {
    /// A new store without anything in it, for a shard that goes on. What lies in the folder is thrown away.
    ///
    /// # Errors
    /// When it cannot be made.
    fn create(&self, live: &Path) -> Result<Arc<dyn StateStore>, Error>;

    /// A store that goes on from a checkpoint's folder, which stays as it is. What lies in the folder `live` is thrown away.
    ///
    /// # Errors
    /// When it cannot be made, or the checkpoint is damaged.
    fn restore(&self, checkpoint: &Path, live: &Path) -> Result<Arc<dyn StateStore>, Error>;

    /// A checkpoint's folder, to be read and not written.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    fn read(&self, checkpoint: &Path) -> Result<Arc<dyn StateStore>, Error>;
}

/// What can be done about an error of the system, with what separates it from the error itself.
fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on its disk",
        io::ErrorKind::PermissionDenied => "; let this user write there",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a folder on a disk that can be written",
        _ => "",
    }
}
