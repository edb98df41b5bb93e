//! A folder of files, read in order of their names as one partition: logs that are written by the hour, exports by the day.
//!
//! Lines are counted over all files, so that offsets rise; messages about the folder name the file. When the folder is followed, its last file is, until one
//! with a later name appears. A packed file is read once: it should be moved into the folder when it is whole. Hidden files are left alone, and so is
//! whatever has another ending. A run that goes on after a restart needs the file that it was reading, and those with later names; which ones it had read to
//! their ends before is told by the order of names.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file::{Lost, Missed, Reading};
use super::place::{self, FolderPlace, PARTITION};
use super::spec::ending;
use super::{Error, Extent, Follow, Packing, Polled, Progress, Record, Source, SourcePosition};
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
    /// Where it is to go on, until a file is opened.
    stood: Option<FolderPlace>,
    lost: Lost,
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
            stood: None,
            lost: Lost::default(),
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

    /// What to do when the file in which it is to go on is not there any more; it is refused if nothing is said.
    #[must_use]
    pub fn lost(mut self, lost: Lost) -> Folder {
        self.lost = lost;
        self
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
                self.total_bytes += self.length(&name);
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
        self.open_file(name)?;
        Ok(Polled::More)
    }

    /// Opens a file; those ahead have later names.
    fn open_file(&mut self, name: String) -> Result<(), Error> {
        let path = self.path.join(&name);
        let (_, packing) = ending(&name).expect("only known endings are listed");
        // A file that is not the last one is whole.
        let follow = match self.ahead.is_empty() {
            true => self.follow,
            false => Follow::No,
        };
        let line = self.stood.as_ref().map(|place| place.file.mark.line);
        let opened = match &mut self.reading {
            Some(reading) => reading.next(&path, packing, follow),
            none => Reading::open(&path, self.format, packing, follow, LIST_EVERY).and_then(
                |mut reading| {
                    if let Some(line) = line {
                        reading.anew(line)?;
                    }
                    *none = Some(reading);
                    Ok(())
                },
            ),
        };
        opened.map_err(|error| self.failed(&name, "opened", &error))?;
        self.stood = None;
        self.last = name;
        self.between = false;
        Ok(())
    }

    /// Goes on in a file, if it is there and the one that was read.
    fn seek_file(&mut self, place: &FolderPlace) -> Result<(), Error> {
        let (line, name) = (place.file.mark.line, place.name.as_str());
        if !self.known.contains(name) {
            self.between = true;
            return match (place.ended, self.lost) {
                (true, _) => Ok(()),
                (false, Lost::Skip) => {
                    let (folder, line) = (self.path.display(), line.saturating_sub(1));
                    tracing::warn!(%folder, %name, line, "file is gone before it was read to its end; what followed that line is lost (lost=skip)");
                    Ok(())
                }
                (false, Lost::Refuse) => Err(self.gone(
                    name,
                    &format!(
                        "is gone, and was read up to line {}: whatever followed in it is lost",
                        line.saturating_sub(1)
                    ),
                    "files with later names",
                )),
            };
        }
        if place.ended && ending(name).is_some_and(|(_, packing)| packing != Packing::Plain) {
            // It does not grow, and need not be unpacked to see so.
            self.between = true;
            self.done_bytes = self.length(name);
            return Ok(());
        }
        self.open_file(name.to_owned())?;
        let reading = self.reading.as_mut().expect("a file was opened");
        let missed = match reading.seek(&place.file) {
            Ok(()) => return Ok(()),
            Err(missed) => missed,
        };
        match missed {
            Missed::Unreadable(error) => Err(self.failed(name, "read", &error)),
            // What is there now has not been read.
            missed if self.lost == Lost::Skip => {
                let folder = self.path.display();
                tracing::warn!(%folder, %name, "file {missed}; what is there now is read from its beginning (lost=skip)");
                let anew = reading.anew(line);
                anew.map_err(|error| self.failed(name, "read", &error))
            }
            missed => Err(self.gone(name, &missed.to_string(), "what is there now")),
        }
    }

    fn length(&self, name: &str) -> u64 {
        fs::metadata(self.path.join(name)).map_or(0, |about| about.len())
    }

    fn gone(&self, name: &str, why: &str, rest: &str) -> Error {
        let shown = self.path.display().to_string();
        let folder = shown.trim_end_matches('/');
        Error(format!(
            "source \"{shown}\": \"{name}\" {why}; put it back, or name the folder \"{folder}/?lost=skip\" to go on with {rest}"
        ))
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
            waiting @ (Polled::Waiting | Polled::Away) => {
                self.look()?;
                Ok(waiting)
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
        vec![PARTITION]
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

    fn positions(&self) -> Option<Vec<(u32, SourcePosition)>> {
        let place = match &self.reading {
            Some(reading) => Some(FolderPlace {
                name: self.last.clone(),
                ended: self.between,
                file: reading.place(),
            }),
            None => self.stood.clone(),
        };
        let position = place.map(|place| (PARTITION, place.position()));
        // Before there is a file it goes on at its beginning.
        Some(position.into_iter().collect())
    }

    fn seek(&mut self, positions: &[(u32, SourcePosition)]) -> Result<(), Error> {
        let Some(position) = place::of_partition(positions, PARTITION) else {
            return Ok(());
        };
        let place = FolderPlace::read(&self.path.display().to_string(), position)?;
        if ending(&place.name).is_none_or(|(format, _)| format != self.format) {
            let (folder, name) = (self.path.display(), &place.name);
            return Err(Error(format!(
                "source \"{folder}\" was read up to \"{name}\" before, which is of another format than its files now; give the source another name to read it from its beginning"
            )));
        }
        self.reading = None;
        self.last.clone_from(&place.name);
        self.ahead = self
            .known
            .iter()
            .filter(|name| **name > place.name)
            .cloned()
            .collect();
        let left = self.known.iter().filter(|name| **name >= place.name);
        self.total_bytes = left.map(|name| self.length(name)).sum();
        self.stood = Some(place.clone());
        self.seek_file(&place)
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
