//! A folder of files, read in order of their names as one partition: logs that are written by the hour, exports by the day.
//!
//! Lines are counted over all files, so that offsets rise; messages about the folder name the file. When the folder is followed, its last file is, until one
//! with a later name appears. A packed file is read once: it should be moved into the folder when it is whole. Hidden files are left alone, and so is
//! whatever has another ending.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file::Reading;
use super::spec::ending;
use super::{Error, Extent, Follow, Polled, Progress, Record, Source};
use crate::event::formats::Format;

/// How often it is looked whether there are new files.
const LIST_EVERY: Duration = Duration::from_millis(200);

/// A folder being read.
// On cache lines of its own: it is written to for each record.
#[repr(align(128))]
pub struct Folder {
    path: PathBuf,
    format: Format,
    follow: Follow,
    /// `None` before there was a file.
    reading: Option<Reading>,
    /// The file being read has ended, or there is none.
    between: bool,
    /// Names of files to read, in order; all later than those that were read.
    ahead: VecDeque<String>,
    /// The name that was read last; empty before any.
    last: String,
    /// Names that were seen.
    known: BTreeSet<String>,
    list_at: Instant,
    /// Of files that were read to their end.
    done_bytes: u64,
    total_bytes: u64,
}

impl Folder {
    /// Lists a folder and opens its first file.
    ///
    /// # Errors
    /// When it is no folder, may not be read, or holds files of another format; when there is no file in it and it is not followed.
    pub fn open(path: &Path, format: Format, follow: Follow) -> Result<Folder, Error> {
        let mut folder = Folder {
            path: path.to_owned(),
            format,
            follow,
            reading: None,
            between: true,
            ahead: VecDeque::new(),
            last: String::new(),
            known: BTreeSet::new(),
            list_at: Instant::now(),
            done_bytes: 0,
            total_bytes: 0,
        };
        folder.list()?;
        if folder.ahead.is_empty() && follow == Follow::No {
            return Err(Error(format!(
                "source \"{}\": no file in it ends in .ndjson .jsonl .json or .csv, with or without .gz or .zst; check the path",
                path.display()
            )));
        }
        folder.advance()?;
        Ok(folder)
    }

    /// Looks for new files.
    fn list(&mut self) -> Result<(), Error> {
        self.list_at = Instant::now() + LIST_EVERY;
        for name in names(&self.path)? {
            if self.known.contains(&name) {
                continue;
            }
            let (format, _) = ending(&name).expect("only known endings are listed");
            if format != self.format {
                let first = self.known.first().unwrap_or(&self.last);
                return Err(two_formats(&self.path, first, &name));
            }
            if name < self.last {
                let (folder, last) = (self.path.display(), &self.last);
                tracing::warn!(%folder, %name, %last, "file is not read: its name comes before that of a file that was read");
            } else {
                let about = fs::metadata(self.path.join(&name));
                self.total_bytes += about.map_or(0, |about| about.len());
                let at = self.ahead.partition_point(|other| *other < name);
                self.ahead.insert(at, name.clone());
            }
            self.known.insert(name);
        }
        Ok(())
    }

    /// Opens the next file, if there is one.
    fn advance(&mut self) -> Result<Polled, Error> {
        let Some(name) = self.ahead.pop_front() else {
            return Ok(match self.follow {
                Follow::No => Polled::End,
                Follow::Yes => Polled::Waiting,
            });
        };
        let path = self.path.join(&name);
        let (_, packing) = ending(&name).expect("only known endings are listed");
        // A file that is not the last one is whole.
        let follow = match self.ahead.is_empty() {
            true => self.follow,
            false => Follow::No,
        };
        let opened = match &mut self.reading {
            Some(reading) => reading.next(&path, packing, follow),
            none => Reading::open(&path, self.format, packing, follow, LIST_EVERY)
                .map(|reading| *none = Some(reading)),
        };
        opened.map_err(|error| self.failed(&name, "opened", &error))?;
        self.last = name;
        self.between = false;
        Ok(Polled::More)
    }

    fn failed(&self, name: &str, doing: &str, error: &io::Error) -> Error {
        Error(format!(
            "source \"{}\": \"{name}\" cannot be {doing}: {error}",
            self.path.display()
        ))
    }

    /// Looks for new files, from time to time. The last file is finished when there are some.
    fn look(&mut self) -> Result<(), Error> {
        if self.follow == Follow::Yes && Instant::now() >= self.list_at {
            self.list()?;
            if !self.ahead.is_empty()
                && let Some(reading) = &mut self.reading
            {
                reading.finish();
            }
        }
        Ok(())
    }
}

impl Source for Folder {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        let reading = self.reading.as_mut().filter(|_| !self.between);
        let polled = match reading {
            None => Ok(Polled::End),
            Some(reading) => reading.poll(take),
        };
        match polled.map_err(|error| self.failed(&self.last, "read", &error))? {
            Polled::More => Ok(Polled::More),
            Polled::Waiting => {
                self.look()?;
                Ok(Polled::Waiting)
            }
            Polled::End => {
                if !self.between {
                    self.between = true;
                    self.done_bytes += self
                        .reading
                        .as_ref()
                        .map_or(0, |reading| reading.input().read_bytes());
                }
                self.look()?;
                self.advance()
            }
        }
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
        let current = self.reading.as_ref().filter(|_| !self.between);
        (self.follow == Follow::No).then(|| Progress {
            done: self.done_bytes + current.map_or(0, |reading| reading.input().read_bytes()),
            total: self.total_bytes,
        })
    }
}

/// Names of the files whose endings are known, in order.
fn names(path: &Path) -> Result<BTreeSet<String>, Error> {
    let failed = |error: io::Error| {
        Error(format!(
            "source \"{}\": cannot be listed: {error}; check the path",
            path.display()
        ))
    };
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A name that is no text has no ending that is known.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let is_file = || fs::metadata(entry.path()).is_ok_and(|about| about.is_file());
        if !name.starts_with('.') && ending(&name).is_some() && is_file() {
            names.insert(name);
        }
    }
    Ok(names)
}

/// The format of a folder's files.
///
/// # Errors
/// When it cannot be listed, holds no file with a known ending, or two of different formats.
pub(super) fn format(path: &Path) -> Result<Option<Format>, Error> {
    let mut first: Option<(Format, String)> = None;
    for name in names(path)? {
        let (format, _) = ending(&name).expect("only known endings are listed");
        match &first {
            None => first = Some((format, name)),
            Some((other, _)) if *other == format => {}
            Some((_, first)) => return Err(two_formats(path, first, &name)),
        }
    }
    Ok(first.map(|(format, _)| format))
}

fn two_formats(path: &Path, first: &str, second: &str) -> Error {
    Error(format!(
        "source \"{}\": \"{first}\" and \"{second}\" are written in different formats; put them into folders of their own",
        path.display()
    ))
}

/// Whether a path names a folder.
pub(super) fn is_folder(path: &str) -> bool {
    path.ends_with('/') || Path::new(path).is_dir()
}

#[cfg(test)]
mod tests;
