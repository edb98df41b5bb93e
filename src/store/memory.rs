//! A store in memory, for tests, simulations and states that are small.
//!
//! A checkpoint is one file that has everything, sorted; nothing is shared with earlier ones:
//!
//! ```text
//! 4 bytes  4c 4d 45 4d: "LMEM"
//! u8       version of the format: 1
//! uint     how many keys follow
//! each     key and value as byte strings; keys ascend, none comes twice
//! u32      CRC-32 of all bytes before, low byte first
//! ```
//!
//! Numbers and byte strings are those of [`wire`](crate::wire).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::{Bound, Range};
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use super::{Batch, Error, StateStore, Visit};
use crate::disk::{Disk, SharedDisk};
use crate::wire::{Damaged, Reader, put_bytes, put_uint};

/// The one file of a checkpoint.
pub const FILE: &str = "memory";

const MAGIC: &[u8; 4] = b"LMEM";
const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;
/// How much is encoded before it is handed to the disk.
const PART_BYTES: usize = 256 * 1024;

/// Keys and values in memory.
pub struct Memory {
    disk: SharedDisk,
    entries: RwLock<Entries>,
}

#[derive(Default)]
struct Entries {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of all keys and values.
    bytes: u64,
}

impl Memory {
    /// An empty store whose checkpoints lie on this disk.
    #[must_use]
    pub fn new(disk: SharedDisk) -> Memory {
        Memory {
            disk,
            entries: RwLock::default(),
        }
    }

    /// What a checkpoint holds.
    ///
    /// # Errors
    /// When it cannot be read, is [damaged](Error::is_damaged), or was written by a newer version.
    pub fn restore(disk: SharedDisk, checkpoint: &Path) -> Result<Memory, Error> {
        let path = checkpoint.join(FILE);
        let shown = path.display().to_string();
        let bytes = disk.read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::damaged(format!("{shown:?} is missing")),
            _ => Error::new(format!("{shown:?} cannot be read: {error}")),
        })?;
        let entries = decode(&bytes, &shown)?;
        Ok(Memory {
            disk,
            entries: RwLock::new(entries),
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Memory {
    fn get_all(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let entries = self.read();
        Ok(keys
            .iter()
            .map(|key| entries.map.get(*key).cloned())
            .collect())
    }

    fn write(&self, batch: &Batch) -> Result<(), Error> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch.changes() {
            let before = match value {
                Some(value) => {
                    entries.bytes += (key.len() + value.len()) as u64;
                    entries.map.insert(key.to_vec(), value.to_vec())
                }
                None => entries.map.remove(key),
            };
            if let Some(before) = before {
                entries.bytes -= (key.len() + before.len()) as u64;
            }
        }
        Ok(())
    }

    fn scan(&self, keys: Range<&[u8]>, visit: &mut Visit<'_>) -> Result<(), Error> {
        // The map would panic at it.
        if keys.start >= keys.end {
            return Ok(());
        }
        let bounds = (Bound::Included(keys.start), Bound::Excluded(keys.end));
        let entries = self.read();
        for (key, value) in entries.map.range::<[u8], _>(bounds) {
            visit(key, value)?;
        }
        Ok(())
    }

    fn checkpoint(&self, folder: &Path) -> Result<Vec<String>, Error> {
        let shown = folder.display().to_string();
        if self.disk.list(folder).is_ok() {
            return Err(Error::new(format!(
                "{shown:?} is there already; give the checkpoint a new folder"
            )));
        }
        self.write_checkpoint(folder).map_err(|error| {
            Error::new(format!(
                "checkpoint {shown:?} cannot be written: {error}{}",
                super::way_out(&error)
            ))
        })?;
        Ok(vec![FILE.to_owned()])
    }

    /// Of the keys and values in memory; a checkpoint takes as much.
    fn bytes(&self) -> u64 {
        self.read().bytes
    }
}

impl Memory {
    fn write_checkpoint(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(FILE);
        self.disk.make_folder(folder)?;
        let mut file = Appended {
            disk: &*self.disk,
            path: &path,
            part: Vec::with_capacity(PART_BYTES),
            hasher: crc32fast::Hasher::new(),
        };
        let entries = self.read();
        file.part.extend_from_slice(MAGIC);
        file.part.push(VERSION);
        put_uint(&mut file.part, entries.map.len() as u64);
        for (key, value) in &entries.map {
            put_bytes(&mut file.part, key);
            put_bytes(&mut file.part, value);
            if file.part.len() >= PART_BYTES {
                file.hand_over()?;
            }
        }
        drop(entries);
        file.finish()?;
        self.disk.sync(&path)?;
        self.disk.sync(folder)?;
        match folder.parent() {
            Some(above) if above != Path::new("") => self.disk.sync(above),
            _ => Ok(()),
        }
    }
}

/// A file that grows by parts.
struct Appended<'a> {
    disk: &'a dyn Disk,
    path: &'a Path,
    part: Vec<u8>,
    hasher: crc32fast::Hasher,
}

impl Appended<'_> {
    fn hand_over(&mut self) -> io::Result<()> {
        self.hasher.update(&self.part);
        self.disk.append(self.path, &self.part)?;
        self.part.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.hasher.update(&self.part);
        let checksum = self.hasher.finalize();
        self.part.extend_from_slice(&checksum.to_le_bytes());
        self.disk.append(self.path, &self.part)
    }
}

fn decode(bytes: &[u8], shown: &str) -> Result<Entries, Error> {
    let damaged = |how: &str| {
        Error::damaged(format!(
            "{shown:?} is damaged: {how}; use an older checkpoint"
        ))
    };
    let Some((bytes, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(damaged("it is too short"));
    };
    let found = crc32fast::hash(bytes);
    let wanted = u32::from_le_bytes(*checksum);
    if found != wanted {
        return Err(damaged(&format!("checksum {found:08x}, not {wanted:08x}")));
    }
    let Some(bytes) = bytes.strip_prefix(MAGIC) else {
        return Err(damaged("it is no store"));
    };
    let mut reader = Reader::new(bytes);
    let version = reader.byte().map_err(|error| damaged(&error.to_string()))?;
    if version != VERSION {
        return Err(Error::new(format!(
            "{shown:?} is of version {version}, and this build reads version {VERSION}; use the build that wrote it"
        )));
    }
    decode_entries(&mut reader).map_err(|error| damaged(&error.to_string()))
}

fn decode_entries(reader: &mut Reader<'_>) -> Result<Entries, Damaged> {
    let mut entries = Entries::default();
    let mut sorted: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for _ in 0..reader.count()? {
        let key = reader.bytes()?;
        let value = reader.bytes()?;
        if sorted.last().is_some_and(|(last, _)| &last[..] >= key) {
            return Err(reader.damaged("key after the last"));
        }
        entries.bytes += (key.len() + value.len()) as u64;
        sorted.push((key.to_vec(), value.to_vec()));
    }
    reader.end()?;
    // From what is sorted, it is made without comparing.
    entries.map = sorted.into_iter().collect();
    Ok(entries)
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.read();
        f.debug_struct("Memory")
            .field("keys", &entries.map.len())
            .field("bytes", &entries.bytes)
            .finish()
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
