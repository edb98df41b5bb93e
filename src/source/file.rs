//! A file of records, packed or not. One partition.
//!
//! A plain file can be followed: what is appended is read, a record when its line break has come. When the path names another file, because logs are
//! rotated, the old one is read to its end and then the new one; when the file was truncated, it is read again from its beginning. A run that goes on after a
//! restart finds the file that it was reading, whatever it is called by then, or says what is lost.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::blocks::{Block, Blocks, Header};
use super::input::{AtEnd, Fate, Input};
use super::place::{self, FilePlace, HEAD_BYTES, Head, Mark, PARTITION};
use super::rotated;
use super::{Error, Extent, Follow, Polled, Progress, Record, Source, SourcePosition};
use crate::event::formats::Format;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

/// What to do when a run is to go on at a place that is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Lost {
    /// Say so, and don't go on.
    #[default]
    Refuse,
    /// Warn, and go on with what is there: `lost=skip`.
    Skip,
}

/// How often it is looked what became of a file to which nothing is appended.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a file that was replaced is still read: whoever writes to it has to notice first.
const GRACE: Duration = Duration::from_secs(1);

/// A file being read.
// On cache lines of its own: it is written to for each record.
#[repr(align(128))]
pub struct File {
    reading: Reading,
    shown: String,
    follow: Follow,
    lost: Lost,
}

impl File {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is not there, is a folder, or may not be read; when it is packed and to be followed.
    pub fn open(
        path: &Path,
        format: Format,
        packing: Packing,
        follow: Follow,
    ) -> Result<File, Error> {
        let shown = path.display().to_string();
        if follow == Follow::Yes && packing != Packing::Plain {
            return Err(Error(format!(
                "source \"{shown}\": a packed file cannot be followed; unpack it, or read it without --follow"
            )));
        }
        if path.is_dir() {
            return Err(Error(format!(
                "source \"{shown}\" is a folder; name a file in it, or write \"{shown}/\" to read all of them"
            )));
        }
        let reading = Reading::open(path, format, packing, follow, GRACE).map_err(|error| {
            Error(format!(
                "source \"{shown}\": cannot be opened: {error}; check the path"
            ))
        })?;
        Ok(File {
            reading,
            shown,
            follow,
            lost: Lost::default(),
        })
    }

    /// What to do when the place at which it is to go on is not there any more; it is refused if nothing is said.
    #[must_use]
    pub fn lost(mut self, lost: Lost) -> File {
        self.lost = lost;
        self
    }

    /// The place is not there: an error with the way out, or what is there from its beginning.
    fn missed(&mut self, missed: &Missed, line: u64) -> Result<(), Error> {
        let shown = &self.shown;
        if let Missed::Unreadable(error) = missed {
            return Err(Error(format!(
                "source \"{shown}\": cannot be read up to the place at which it is to go on: {error}"
            )));
        }
        if self.lost == Lost::Refuse {
            return Err(Error(format!(
                "source \"{shown}\" {missed}; put back what was there, or name it \"{shown}?lost=skip\" to go on with what is there now, from its beginning"
            )));
        }
        tracing::warn!(path = %shown, "file {missed}; what is there now is read from its beginning (lost=skip)");
        self.reading
            .anew(line)
            .map_err(|error| Error(format!("source \"{shown}\": cannot be read: {error}")))
    }
}

impl Source for File {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        self.reading.poll(take).map_err(|error| {
            Error(format!(
                "source \"{}\": cannot be read: {error}",
                self.shown
            ))
        })
    }

    fn partitions(&self) -> Vec<u32> {
        vec![PARTITION]
    }

    fn extent(&self) -> Extent {
        match self.follow {
            Follow::No => Extent::Bounded,
            Follow::Yes => Extent::Unbounded,
        }
    }

    fn progress(&self) -> Option<Progress> {
        let input = self.reading.input();
        (self.follow == Follow::No).then(|| Progress {
            done: input.read_bytes(),
            total: input.length(),
        })
    }

    fn positions(&self) -> Option<Vec<(u32, SourcePosition)>> {
        Some(vec![(PARTITION, self.reading.place().position())])
    }

    fn seek(&mut self, positions: &[(u32, SourcePosition)]) -> Result<(), Error> {
        let Some(position) = place::of_partition(positions, PARTITION) else {
            return Ok(());
        };
        let place = FilePlace::read(&self.shown, position)?;
        let sought = match self.follow {
            Follow::No => self.reading.seek(&place),
            Follow::Yes => self.reading.seek_rotated(&place),
        };
        sought.or_else(|missed| self.missed(&missed, place.mark.line))
    }
}

/// Records of one file after the other.
pub(super) struct Reading {
    blocks: Blocks<Input>,
    path: PathBuf,
    stage: Stage,
    grace: Duration,
    /// When to look next what became of the file.
    look_at: Instant,
    /// Files that were rotated out after this one, while nobody looked; to be read before the one that the path names.
    later: VecDeque<PathBuf>,
}

/// How far a file is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It ends at its end.
    Ending,
    /// More may be appended.
    Following,
    /// Its path names another file; at this instant it ends at its end, and the other one is opened.
    Replaced(Instant),
    /// It ends at its end, and the file that its path names now follows.
    Leaving,
}

/// Why a file cannot be read on at a place. Says what is so, as it follows the file's name.
#[derive(Debug)]
pub(super) enum Missed {
    Unreadable(io::Error),
    /// The file ends before the place.
    Shorter {
        place: FilePlace,
        length: u64,
        packed: bool,
    },
    /// The file's first bytes are others.
    Other {
        place: FilePlace,
        head: Head,
    },
    /// The file has another number, and none beside it has that one.
    Nowhere(FilePlace),
    /// The record that names the columns is not there.
    NoHeader(FilePlace),
}

impl From<io::Error> for Missed {
    fn from(error: io::Error) -> Missed {
        Missed::Unreadable(error)
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |place: &FilePlace| {
            let mark = place.mark;
            let line = mark.line.saturating_sub(1);
            format!("up to line {line}, byte {}", mark.bytes)
        };
        match self {
            Missed::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Missed::Shorter {
                place,
                length,
                packed,
            } => {
                let unpacked = if *packed { " unpacked" } else { "" };
                write!(
                    f,
                    "holds {length} bytes{unpacked}, but was read {} before: whatever stood behind is lost",
                    read(place)
                )
            }
            Missed::Other { place, head } => {
                let was = place.identity.head;
                write!(
                    f,
                    "is another file than the one that was read {}: the checksum of its first {} bytes is {head}, not {was}; whatever stood behind that place is lost",
                    read(place),
                    was.length
                )
            }
            Missed::Nowhere(place) => write!(
                f,
                "is another file than the one that was read {} (inode {}), and that one is not in its folder any more: what was written between that line and what is there now is lost",
                read(place),
                place.identity.inode
            ),
            Missed::NoHeader(place) => write!(
                f,
                "was read {} before, but its first record, which names the columns, is not there any more",
                read(place)
            ),
        }
    }
}

impl Reading {
    pub(super) fn open(
        path: &Path,
        format: Format,
        packing: Packing,
        follow: Follow,
        grace: Duration,
    ) -> io::Result<Reading> {
        let (at_end, stage) = Reading::begin(packing, follow);
        let input = Input::open(path, packing, at_end)?;
        Ok(Reading {
            blocks: Blocks::new(input, format),
            path: path.to_owned(),
            stage,
            grace,
            look_at: Instant::now() + LOOK_EVERY,
            later: VecDeque::new(),
        })
    }

    /// Goes on with another file, once this one has ended.
    pub(super) fn next(&mut self, path: &Path, packing: Packing, follow: Follow) -> io::Result<()> {
        let (at_end, stage) = Reading::begin(packing, follow);
        *self.blocks.input_mut() = Input::open(path, packing, at_end)?;
        self.blocks.restart();
        path.clone_into(&mut self.path);
        self.stage = stage;
        Ok(())
    }

    /// Packed files are written as a whole.
    fn begin(packing: Packing, follow: Follow) -> (AtEnd, Stage) {
        match (packing, follow) {
            (Packing::Plain, Follow::Yes) => (AtEnd::Wait, Stage::Following),
            _ => (AtEnd::End, Stage::Ending),
        }
    }

    pub(super) fn input(&self) -> &Input {
        self.blocks.input()
    }

    /// Where it goes on: behind the last record that was handed out.
    pub(super) fn place(&self) -> FilePlace {
        let mark = self.blocks.mark();
        FilePlace {
            mark,
            identity: self.input().identity(mark),
        }
    }

    /// Reads the file that was opened from its beginning, which is this line.
    pub(super) fn anew(&mut self, line: u64) -> io::Result<()> {
        self.blocks.input_mut().rewind()?;
        self.blocks.go_on(Mark::beginning(line), None);
        Ok(())
    }

    /// Goes on at a place of the file that was opened, if that is the one.
    pub(super) fn seek(&mut self, place: &FilePlace) -> Result<(), Missed> {
        let (mark, input) = (place.mark, self.blocks.input_mut());
        let head = input.head(place.identity.head.length)?;
        let (packed, length) = (input.is_packed(), input.length_now()?);
        let shorter = |length, packed| Missed::Shorter {
            place: *place,
            length,
            packed,
        };
        if head.length < place.identity.head.length || (!packed && length < mark.bytes) {
            return Err(shorter(length, false));
        }
        if head != place.identity.head {
            return Err(Missed::Other {
                place: *place,
                head,
            });
        }
        let header = match self.blocks.format() {
            Format::Csv if !mark.untouched => Some(self.header(place)?),
            _ => None,
        };
        let input = self.blocks.input_mut();
        let passed = input.pass(mark.bytes)?;
        if passed < mark.bytes {
            return Err(shorter(passed, packed));
        }
        self.blocks.go_on(mark, header);
        Ok(())
    }

    /// The record that names the columns, to be handed out once more. The input stands at its beginning before and after.
    fn header(&mut self, place: &FilePlace) -> Result<Header, Missed> {
        let (format, input) = (self.blocks.format(), self.blocks.input_mut());
        let following = self.stage == Stage::Following;
        input.at_end(AtEnd::End);
        let header = Blocks::first(input.here()?, format, place.mark.first_line)?;
        input.rewind()?;
        if following {
            input.at_end(AtEnd::Wait);
        }
        header.ok_or(Missed::NoHeader(*place))
    }

    /// Goes on at a place of a file that is followed: the one that was opened, or one beside it that once had its name.
    fn seek_rotated(&mut self, place: &FilePlace) -> Result<(), Missed> {
        let was = place.identity;
        let input = self.blocks.input();
        let (own, head) = (input.inode(), input.head(was.head.length)?);
        if own == was.inode && head == was.head {
            return self.seek(place);
        }
        let path = self.path.clone();
        let found = match rotated::find(&path, was.inode)? {
            Some(found) if own != was.inode => found,
            // Nobody else has its number: what is here may be a copy, if there is enough to tell.
            _ if head == was.head && was.head.length == HEAD_BYTES as u64 => {
                tracing::warn!(path = %path.display(), "file is a copy of the one that was read; it is read on where that was left");
                return self.seek(place);
            }
            _ if own == was.inode => return self.seek(place),
            _ => return Err(Missed::Nowhere(*place)),
        };
        tracing::info!(path = %path.display(), now = %found.path.display(), later = found.later.len(), "file was rotated; what is left of the old one is read first");
        let current = Input::open(&path, Packing::Plain, AtEnd::Wait)?;
        self.later = found.later.into();
        self.open_rotated(&found.path)?;
        match self.seek(place) {
            // Its number was given to another file.
            Err(Missed::Other { .. } | Missed::Shorter { .. }) => {
                self.later.clear();
                self.stage = Stage::Following;
                *self.blocks.input_mut() = current;
                Err(Missed::Nowhere(*place))
            }
            sought => sought,
        }
    }

    /// Goes on with a file that was rotated out. Of the last one somebody may not have noticed yet.
    fn open_rotated(&mut self, path: &Path) -> io::Result<()> {
        let (at_end, stage) = match self.later.is_empty() {
            true => (AtEnd::Wait, Stage::Following),
            false => (AtEnd::End, Stage::Leaving),
        };
        *self.blocks.input_mut() = Input::open(path, Packing::Plain, at_end)?;
        self.blocks.restart();
        self.stage = stage;
        Ok(())
    }

    /// Goes on with the file that follows on the one that has ended.
    fn leave(&mut self) -> io::Result<()> {
        while let Some(path) = self.later.pop_front() {
            match self.open_rotated(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), "file was rotated out and is gone before it was read; what was in it is lost");
                }
                opened => return opened,
            }
        }
        let path = self.path.clone();
        self.next(&path, Packing::Plain, Follow::Yes)
    }

    /// The file ends with what was written until now.
    pub(super) fn finish(&mut self) {
        self.blocks.input_mut().finish();
        self.stage = Stage::Ending;
    }

    /// Hands out some records; the end is that of the file, or of one that is not followed.
    pub(super) fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> io::Result<Polled> {
        if self.stage == Stage::Ending {
            let block_bytes = self.blocks.block_bytes();
            self.blocks.input_mut().unpack_ahead(block_bytes)?;
        }
        match self.blocks.poll(take)? {
            Block::Some => Ok(Polled::More),
            Block::Nothing => self.look(),
            Block::End if self.stage == Stage::Leaving => match self.leave() {
                // Renamed again in this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Polled::Waiting),
                Err(error) => Err(error),
                Ok(()) => Ok(Polled::More),
            },
            Block::End => Ok(Polled::End),
        }
    }

    /// Nothing is appended: is it still the file that is meant?
    #[cold]
    fn look(&mut self) -> io::Result<Polled> {
        let now = Instant::now();
        if now < self.look_at {
            return Ok(Polled::Waiting);
        }
        self.look_at = now + LOOK_EVERY.min(self.grace);
        if let Stage::Replaced(leave_at) = self.stage {
            if now >= leave_at {
                self.blocks.input_mut().finish();
                self.stage = Stage::Leaving;
            }
            return Ok(Polled::Waiting);
        }
        let path = self.path.display();
        match self.blocks.input().fate(&self.path)? {
            Fate::Same => {}
            Fate::Truncated => {
                let dropped_bytes = self.blocks.restart();
                self.blocks.input_mut().rewind()?;
                tracing::warn!(%path, dropped_bytes, "file was truncated; it is read again from its beginning");
                return Ok(Polled::More);
            }
            Fate::Replaced => {
                tracing::info!(%path, "file was replaced; the old one is read to its end, then the new one");
                self.stage = Stage::Replaced(now + self.grace);
            }
        }
        Ok(Polled::Waiting)
    }
}

#[cfg(test)]
mod tests;
