//! Where the files of a folder lie, and what their names say.

use std::io;
use std::path::{Path, PathBuf};

use super::super::Error;
use super::super::file::folder_of;
use crate::disk::{Disk, Entry, Lock, SharedDisk};

/// A folder with names that are numbered.
#[derive(Debug)]
pub(super) struct Place {
    disk: SharedDisk,
    path: PathBuf,
    /// What names begin with: `alerts-`.
    stem: String,
    _lock: Lock,
}

/// What a file's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// `alerts-000007.ndjson`: whole, to be seen.
    Finished,
    /// `.alerts-000007.ndjson.part`: being written without state.
    Part,
    /// `.alerts-000007.ndjson.pending`: being written, or waiting for its commit.
    Pending,
}

impl Name {
    /// What stands before and after stem and number.
    fn ends(self) -> (&'static str, &'static str) {
        match self {
            Name::Finished => ("", ".ndjson"),
            Name::Part => (".", ".ndjson.part"),
            Name::Pending => (".", ".ndjson.pending"),
        }
    }
}

impl Place {
    /// Makes the folder if it is not there, and keeps others from writing to it.
    pub(super) fn open(disk: SharedDisk, path: &Path) -> Result<Place, Error> {
        let shown = path.display().to_string();
        let failed = |doing: &'static str| |error: io::Error| Error::io(&shown, doing, &error);
        if disk.entry(path).map_err(failed("looked at"))? != Some(Entry::Folder) {
            // The one above is not made. This says so where it is not there.
            let made = disk.sync(folder_of(path));
            let made = made.and_then(|()| disk.make_folder(path));
            made.map_err(|error| Error::uncreated(&shown, &error))?;
        }
        let lock = match disk.lock(path) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(Error::usage(format!(
                    "output \"{shown}\": another run writes to this folder; name another one"
                )));
            }
            locked => locked.map_err(failed("locked"))?,
        };
        let name = path.file_name().map(|name| name.to_string_lossy());
        let stem = format!("{}-", name.as_deref().unwrap_or("rows"));
        Ok(Place {
            disk,
            path: path.to_owned(),
            stem,
            _lock: lock,
        })
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(super) fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> Error + use<> {
        let shown = self.path.display().to_string();
        move |error| Error::io(&shown, doing, &error)
    }

    /// A mistake that the message tells after the folder's name.
    pub(super) fn wrong(&self, message: &str) -> Error {
        Error::usage(format!("output \"{}\": {message}", self.path.display()))
    }

    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn path(&self, name: Name, number: u64) -> PathBuf {
        self.path.join(self.text(name, number))
    }

    /// A file's name.
    pub(super) fn text(&self, name: Name, number: u64) -> String {
        let (before, after) = name.ends();
        format!("{before}{}{number:06}{after}", self.stem)
    }

    /// The files that are ours, with their numbers.
    pub(super) fn files(&self) -> Result<Vec<(Name, u64)>, Error> {
        let names = self.disk.list(&self.path).map_err(self.failed("listed"))?;
        Ok(names.iter().filter_map(|name| self.parse(name)).collect())
    }

    fn parse(&self, text: &str) -> Option<(Name, u64)> {
        [Name::Finished, Name::Part, Name::Pending]
            .into_iter()
            .find_map(|name| {
                let (before, after) = name.ends();
                let text = text.strip_prefix(before)?.strip_suffix(after)?;
                let digits = text.strip_prefix(&self.stem)?;
                let all_digits =
                    digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
                // The next number has to fit too.
                let number = digits.parse().ok().filter(|number| *number < u64::MAX);
                Some((name, number.filter(|_| all_digits)?))
            })
    }

    /// Gives a file that is whole and durable the name under which it is seen.
    pub(super) fn publish(&self, name: Name, number: u64) -> Result<(), Error> {
        let finished = self.path(Name::Finished, number);
        let there = self.disk.entry(&finished);
        if there.map_err(self.failed("finished"))?.is_some() {
            let text = self.text(Name::Finished, number);
            return Err(self.wrong(&format!(
                "{text} is there already, and not from here; move it away"
            )));
        }
        let renamed = self.disk.rename(&self.path(name, number), &finished);
        renamed.map_err(self.failed("finished"))
    }

    /// Makes names durable. Without this they may be lost with the power.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.disk
            .sync(&self.path)
            .map_err(self.failed("made durable"))
    }

    pub(super) fn remove(&self, name: Name, number: u64) -> Result<(), Error> {
        let removed = self.disk.remove(&self.path(name, number));
        removed.map_err(self.failed("cleaned up"))
    }

    /// Makes the folder's own name durable.
    pub(super) fn sync_above(&self) -> Result<(), Error> {
        self.disk
            .sync(folder_of(&self.path))
            .map_err(self.failed("made durable"))
    }
}
