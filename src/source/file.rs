//! A file of records, packed or not. One partition.
//!
//! A plain file can be followed: what is appended is read, a record when its line break has come. When the path names another file, because logs are
//! rotated, the old one is read to its end and then the new one; when the file was truncated, it is read again from its beginning.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::blocks::{Block, Blocks};
use super::input::{AtEnd, Fate, Input};
use super::{Error, Extent, Follow, Polled, Progress, Record, Source};
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
        })
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
        vec![0]
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
}

/// Records of one file after the other.
pub(super) struct Reading {
    blocks: Blocks<Input>,
    path: PathBuf,
    stage: Stage,
    grace: Duration,
    /// When to look next what became of the file.
    look_at: Instant,
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

    /// The file ends with what was written until now.
    pub(super) fn finish(&mut self) {
        self.blocks.input_mut().finish();
        self.stage = Stage::Ending;
    }

    /// Hands out some records; the end is that of the file, or of one that is not followed.
    pub(super) fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> io::Result<Polled> {
        match self.blocks.poll(take)? {
            Block::Full | Block::Part => Ok(Polled::More),
            Block::Nothing => self.look(),
            Block::End if self.stage == Stage::Leaving => {
                let path = self.path.clone();
                match self.next(&path, Packing::Plain, Follow::Yes) {
                    // Renamed again in this moment.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Polled::Waiting),
                    Err(error) => Err(error),
                    Ok(()) => Ok(Polled::More),
                }
            }
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
