//! A file of rows that grows: rows are in memory, then in the system's hands, then durable. And how to find its end again after a crash.

use std::io;
use std::path::Path;

use flate2::Crc;

use super::Error;
use crate::disk::{Disk, OpenFile};
use crate::epoch::Epoch;
use crate::wire::{self, Damaged, Reader};

/// How many bytes of rows are kept in memory.
const BUFFER_BYTES: usize = 128 * 1024;

/// How much of a file's end a [`Mark`] looks at.
const TAIL_BYTES: usize = 4 * 1024;

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct Growing {
    file: Box<dyn OpenFile>,
    buffer: Vec<u8>,
    /// Including what is still in memory.
    length: u64,
    /// The last bytes that the system was given, at most [`TAIL_BYTES`].
    tail: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Synced,
    Unsynced,
    /// A write or sync failed: how much the file holds is not known.
    Failed,
}

/// The end of a file at some time: enough to cut off what came later, and to notice that it is another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) length: u64,
    /// CRC-32 of the last [`TAIL_BYTES`] before.
    checksum: u32,
}

/// How a file and a mark go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// It ends there, or has grown since.
    Holds,
    Shorter {
        length: u64,
    },
    /// Other bytes stand before the mark.
    Differs,
}

impl Growing {
    /// Opens a file, which is made if it is not there. What it may hold is left alone and not counted.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> io::Result<Growing> {
        Ok(Growing {
            file: disk.open(path)?,
            buffer: Vec::new(),
            length: 0,
            tail: Vec::new(),
            state: State::Unsynced,
        })
    }

    /// Cuts the file at this path, which is the one that is open, at a mark that it [fits](Mark::require).
    pub(super) fn cut(&mut self, disk: &dyn Disk, path: &Path, mark: &Mark) -> io::Result<()> {
        if disk.length(path)? > mark.length {
            disk.truncate(path, mark.length)?;
            self.state = State::Unsynced;
        }
        self.tail = mark.tail(disk, path)?;
        self.length = mark.length;
        Ok(())
    }

    pub(super) fn write(&mut self, rows: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(rows);
        self.length += rows.len() as u64;
        match self.buffer.len() >= BUFFER_BYTES {
            true => self.pass_on(),
            false => Ok(()),
        }
    }

    /// Hands rows in memory to the system.
    pub(super) fn pass_on(&mut self) -> io::Result<()> {
        if self.state == State::Failed {
            return Err(io::Error::other("an earlier write to it failed"));
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.state = State::Failed;
        self.file.append(&self.buffer)?;
        self.state = State::Unsynced;
        let new = &self.buffer[self.buffer.len().saturating_sub(TAIL_BYTES)..];
        let old_bytes = self.tail.len().min(TAIL_BYTES - new.len());
        self.tail.drain(..self.tail.len() - old_bytes);
        self.tail.extend_from_slice(new);
        self.buffer.clear();
        Ok(())
    }

    /// Makes everything durable but the file's name.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.pass_on()?;
        if self.state == State::Unsynced {
            // A sync that is tried again may say yes without the bytes that were lost the first time.
            self.state = State::Failed;
            self.file.sync()?;
            self.state = State::Synced;
        }
        Ok(())
    }

    /// Including what is still in memory.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Where it ends. Speaks of what the system was given, so nothing may be in memory.
    pub(super) fn mark(&self) -> Mark {
        debug_assert!(self.buffer.is_empty());
        Mark {
            length: self.length,
            checksum: checksum(&self.tail),
        }
    }
}

impl Mark {
    /// 2 to 15 bytes.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        wire::put_uint(out, self.length);
        wire::put_uint(out, u64::from(self.checksum));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Mark, Damaged> {
        Ok(Mark {
            length: reader.uint()?,
            checksum: reader.narrow()?,
        })
    }

    /// Compares the file at a path.
    fn fit(&self, disk: &dyn Disk, path: &Path) -> io::Result<Fit> {
        let length = disk.length(path)?;
        if length < self.length {
            return Ok(Fit::Shorter { length });
        }
        match checksum(&self.tail(disk, path)?) == self.checksum {
            true => Ok(Fit::Holds),
            false => Ok(Fit::Differs),
        }
    }

    /// Refuses a file that does not hold what was committed. `place`: what else could be named, a file or a folder.
    pub(super) fn require(
        &self,
        disk: &dyn Disk,
        path: &Path,
        epoch: Epoch,
        place: &str,
    ) -> Result<(), Error> {
        let (shown, length) = (path.display().to_string(), self.length);
        let fit = self.fit(disk, path);
        let wrong = match fit.map_err(|error| Error::io(&shown, "read", &error))? {
            Fit::Holds => return Ok(()),
            Fit::Shorter { length: found } => format!(
                "holds {found} bytes, but {length} were committed with checkpoint {epoch}: rows are lost"
            ),
            Fit::Differs => format!(
                "is not the file of checkpoint {epoch}: other bytes stand before byte {length}, where it ended"
            ),
        };
        Err(Error::usage(format!(
            "output \"{shown}\" {wrong}; put the file back, restore an older checkpoint, or name another {place}"
        )))
    }

    fn tail(&self, disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
        let from = self.length.saturating_sub(TAIL_BYTES as u64);
        disk.read_at(path, from, (self.length - from) as usize)
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::disk::SimDisk;

    #[test]
    fn a_mark_looks_at_the_last_4_kib_however_they_were_written() {
        let (disk, path) = (SimDisk::new(), Path::new("/a"));
        let text: Vec<u8> = (0..20_000_u32).map(|i| (i / 7) as u8).collect();
        for pieces in [1, 100, 4_095, 4_096, 5_000, 20_000] {
            disk.remove(path).unwrap();
            let mut growing = Growing::open(&disk, path).unwrap();
            for piece in text.chunks(pieces) {
                growing.write(piece).unwrap();
                growing.pass_on().unwrap();
            }
            let mark = growing.mark();
            let want = Mark {
                length: 20_000,
                checksum: checksum(&text[20_000 - 4_096..]),
            };
            assert_eq!(mark, want, "{pieces}");
            let fit = |mark: Mark| mark.fit(&disk, path).unwrap();
            assert_eq!(fit(mark), Fit::Holds);
            growing.write(b"later").unwrap();
            growing.sync().unwrap();
            assert_eq!(fit(mark), Fit::Holds);
            growing.cut(&disk, path, &mark).unwrap();
            assert_eq!(disk.read(path).unwrap(), text);
            assert_eq!(growing.mark(), mark);
            disk.truncate(path, 19_999).unwrap();
            assert_eq!(fit(mark), Fit::Shorter { length: 19_999 });
            disk.append(path, b"?").unwrap();
            assert_eq!(fit(mark), Fit::Differs);
        }
    }

    #[test]
    fn after_a_failed_write_nothing_more_is_written() {
        let (disk, path) = (SimDisk::new(), Path::new("/a"));
        let mut growing = Growing::open(&disk, path).unwrap();
        growing.write(b"1234").unwrap();
        disk.fail_after(0);
        assert!(growing.pass_on().is_err());
        assert!(growing.sync().is_err());
        assert_eq!(disk.read(path).unwrap(), b"12");
    }
}
