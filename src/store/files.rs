//! The files of a checkpoint, each with what tells whether it still is what was written.
//!
//! A store's files come to hundreds, and a checkpoint is taken every second: reading them all each time would cost more than the checkpoint. But tables of a store are
//! immutable, and a later checkpoint has most of them from an earlier one. So checksums are [remembered](Known), and only new files are read, which the system
//! still holds in memory. Other files are small and read each time, as they may change under the same name.
//!
//! The checksum is CRC-32 (ISO-HDLC, as in gzip): it finds every damage of up to 32 bits in a row, and overlooks one of four thousand million others. It guards against disks,
//! not against people.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::Error;
use crate::disk::Disk;

/// How much of a file is in memory at a time.
const PART_BYTES: usize = 1024 * 1024;

/// A file of a checkpoint, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name in the checkpoint's folder.
    pub name: String,
    /// In bytes.
    pub length: u64,
    /// CRC-32 of all bytes.
    pub checksum: u32,
}

/// How closely [`verify`] looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Each file is there and as long as it was: what a crash or a person usually spoils. Reads nothing.
    Lengths,
    /// All bytes are read, too.
    Bytes,
}

/// Checksums of the tables that the checkpoint before had.
///
/// It belongs to one store: another one may give the same name to other bytes, and so may the same store once it has gone back to an older checkpoint. Whoever restores a
/// store begins with [`Known::of`] the entries it was restored from.
#[derive(Clone, Debug, Default)]
pub struct Known {
    checksums: HashMap<String, (u64, u32)>,
}

impl Known {
    /// What is known of a store that was restored from these files.
    #[must_use]
    pub fn of(entries: &[FileEntry]) -> Known {
        let immutable = entries.iter().filter(|entry| is_immutable(&entry.name));
        Known {
            checksums: immutable
                .map(|entry| (entry.name.clone(), (entry.length, entry.checksum)))
                .collect(),
        }
    }

    fn checksum(&self, name: &str, length: u64) -> Option<u32> {
        let (known, checksum) = *self.checksums.get(name)?;
        (known == length).then_some(checksum)
    }
}

/// RocksDB numbers its tables, never gives a number twice and never changes a table. Everything else may change.
fn is_immutable(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ext| ext == "sst")
}

/// All files of a folder, sorted by name. `known` are those of the same store's last checkpoint, and then those of this one.
///
/// # Errors
/// When the folder or one of its files cannot be read.
pub fn files(disk: &dyn Disk, folder: &Path, known: &mut Known) -> Result<Vec<FileEntry>, Error> {
    let names = disk
        .list(folder)
        .map_err(|error| unreadable(folder, &error))?;
    let mut entries = Vec::with_capacity(names.len());
    for name in names {
        let path = folder.join(&name);
        let length = disk
            .length(&path)
            .map_err(|error| unreadable(&path, &error))?;
        let checksum = match known.checksum(&name, length) {
            Some(checksum) => checksum,
            None => checksum(disk, &path)?,
        };
        entries.push(FileEntry {
            name,
            length,
            checksum,
        });
    }
    *known = Known::of(&entries);
    Ok(entries)
}

/// That a folder has all files of a checkpoint as they were written. Files that are not in the list are of no concern.
///
/// # Errors
/// [Damaged](Error::is_damaged) when one is missing or changed; else when the folder cannot be read.
pub fn verify(
    disk: &dyn Disk,
    folder: &Path,
    entries: &[FileEntry],
    depth: Depth,
) -> Result<(), Error> {
    for entry in entries {
        let path = folder.join(&entry.name);
        let length = match disk.length(&path) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::damaged(format!(
                    "{:?} is missing",
                    path.display().to_string()
                )));
            }
            Err(error) => return Err(unreadable(&path, &error)),
        };
        if length != entry.length {
            return Err(changed(
                &path,
                &format!("{length} bytes, not {}", entry.length),
            ));
        }
        if depth == Depth::Lengths {
            continue;
        }
        let found = checksum(disk, &path)?;
        if found != entry.checksum {
            return Err(changed(
                &path,
                &format!("checksum {found:08x}, not {:08x}", entry.checksum),
            ));
        }
    }
    Ok(())
}

/// CRC-32 of all bytes of a file.
fn checksum(disk: &dyn Disk, path: &Path) -> Result<u32, Error> {
    let mut hasher = crc32fast::Hasher::new();
    let mut offset = 0;
    loop {
        let part = disk
            .read_at(path, offset, PART_BYTES)
            .map_err(|error| unreadable(path, &error))?;
        if part.is_empty() {
            return Ok(hasher.finalize());
        }
        hasher.update(&part);
        offset += part.len() as u64;
    }
}

fn changed(path: &Path, how: &str) -> Error {
    let path = path.display().to_string();
    Error::damaged(format!(
        "{path:?} is not as it was written: it has {how}; use an older checkpoint"
    ))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let path = path.display().to_string();
    Error::new(format!("{path:?} cannot be read: {error}"))
}
