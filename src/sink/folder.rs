//! A folder of rows: a file after the other, each whole when it can be seen.
//!
//! Rows go into a hidden file; when that is large or old enough, it is made durable and gets its name, `alerts-000007.ndjson`. What reads the folder never sees half a
//! row. Files are named after the folder and numbered on from the highest number that is there.
//!
//! **Without state** the hidden file is `.alerts-000007.ndjson.part`, and one that a run left behind when it was killed is finished by the next one: whole rows are
//! kept, half a row at its end is cut off.
//!
//! **With state** it is `.alerts-000007.ndjson.pending`. It may go on over several epochs; when it is due it waits for the commit of the epoch with which it is
//! finished, so what reads the folder never sees a row that is not committed. After a crash it is cut where the committed epoch ended, files of later epochs are removed, and commits
//! that were cut short are done again. What has been seen is never touched.
//!
//! Two runs do not write to one folder: it is locked.

mod commits;
mod left;
mod place;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use self::commits::Commits;
use self::place::{Name, Place};
use super::growing::Growing;
use super::{Delivery, Error, Sink};
use crate::disk::{SharedDisk, SystemDisk};
use crate::epoch::Epoch;

/// When a file is finished and the next one begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Roll {
    /// When it holds so many bytes; the rows that reach it are its last.
    pub max_bytes: u64,
    /// When its first row is so old. Looked at when rows come, when they are flushed, and with each checkpoint.
    pub every: Duration,
}

impl Default for Roll {
    /// 128 MiB, an hour.
    fn default() -> Roll {
        Roll {
            max_bytes: 128 << 20,
            every: Duration::from_secs(3_600),
        }
    }
}

/// A folder being written.
#[derive(Debug)]
pub struct Folder {
    place: Place,
    roll: Roll,
    /// The number of the next file.
    next: u64,
    part: Option<Part>,
    seen: Seen,
}

/// A file that is not finished; it holds at least a row.
#[derive(Debug)]
struct Part {
    growing: Growing,
    number: u64,
    begun: Instant,
    /// How many of its bytes are.
    committed: u64,
}

/// When a finished file gets its name.
#[derive(Debug)]
enum Seen {
    AtOnce,
    /// There is state.
    Committed(Commits),
}

impl Folder {
    /// Makes the folder if it is not there; finishes what a killed run without state left in it.
    ///
    /// # Errors
    /// When it cannot be made or listed, or another run writes to it.
    pub fn open(path: &Path, roll: Roll) -> Result<Folder, Error> {
        Folder::open_on(SystemDisk::shared(), path, roll)
    }

    /// The same on another disk.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn open_on(disk: SharedDisk, path: &Path, roll: Roll) -> Result<Folder, Error> {
        let place = Place::open(disk, path)?;
        let mut next = 1;
        for (name, number) in place.files()? {
            next = next.max(number + 1);
            if name == Name::Part {
                left::finish(&place, number)?;
            }
        }
        Ok(Folder {
            place,
            roll,
            next,
            part: None,
            seen: Seen::AtOnce,
        })
    }

    /// Begins a file.
    fn begin(&mut self) -> Result<Part, Error> {
        let number = self.next;
        let name = match &mut self.seen {
            Seen::AtOnce => Name::Part,
            Seen::Committed(commits) => {
                commits.begun();
                Name::Pending
            }
        };
        let path = self.place.path(name, number);
        let growing = Growing::open(self.place.disk(), &path);
        let growing = growing.map_err(self.place.failed("written"))?;
        self.next += 1;
        Ok(Part {
            growing,
            number,
            begun: Instant::now(),
            committed: 0,
        })
    }

    /// Finishes the file, if there is one.
    fn finish(&mut self) -> Result<(), Error> {
        let Some(mut part) = self.part.take() else {
            return Ok(());
        };
        let failed = |error: io::Error| self.place.failed("finished")(error);
        match &mut self.seen {
            Seen::AtOnce => {
                part.growing.sync().map_err(failed)?;
                self.place.publish(Name::Part, part.number)?;
                self.place.sync()
            }
            Seen::Committed(commits) => {
                let finished = commits.finish(part.number, part.growing);
                finished.map_err(failed)
            }
        }
    }

    /// Finishes the file if it is due.
    fn finish_due(&mut self) -> Result<(), Error> {
        let roll = self.roll;
        let is_due = |part: &Part| {
            part.growing.length() >= roll.max_bytes || part.begun.elapsed() >= roll.every
        };
        if self.part.as_ref().is_some_and(is_due) {
            self.finish()?;
        }
        Ok(())
    }
}

impl Sink for Folder {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        // Before these rows: a file that has become too old does not get them.
        self.finish_due()?;
        if rows.is_empty() {
            return Ok(());
        }
        let part = match self.part.take() {
            Some(part) => part,
            None => self.begin()?,
        };
        let part = self.part.insert(part);
        let written = part.growing.write(rows);
        written.map_err(self.place.failed("written"))?;
        self.finish_due()
    }

    fn flush(&mut self) -> Result<(), Error> {
        if let Some(part) = &mut self.part {
            let passed = part.growing.pass_on();
            passed.map_err(self.place.failed("written"))?;
        }
        self.finish_due()
    }

    fn close(&mut self) -> Result<(), Error> {
        match &mut self.seen {
            Seen::AtOnce => self.finish(),
            Seen::Committed(commits) => commits.close(&self.place, self.part.take()),
        }
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<u8>, Error> {
        self.flush()?;
        match &mut self.seen {
            Seen::AtOnce => Ok(Vec::new()),
            Seen::Committed(commits) => {
                commits.prepare(epoch, &self.place, self.next, self.part.as_mut())
            }
        }
    }

    fn commit(&mut self, epoch: Epoch) -> Result<(), Error> {
        match &mut self.seen {
            Seen::AtOnce => Ok(()),
            Seen::Committed(commits) => commits.commit(epoch, &self.place, self.part.as_mut()),
        }
    }

    fn restore(&mut self, prepared: Option<(Epoch, &[u8])>) -> Result<(), Error> {
        if self.part.is_some() || matches!(self.seen, Seen::Committed(_)) {
            return Err(Error::restored_late(&self.place.shown()));
        }
        let (next, part) = commits::restore(&self.place, prepared)?;
        self.next = next;
        self.part = part;
        self.seen = Seen::Committed(Commits::default());
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // With state, what was not committed comes again.
        if let Seen::AtOnce = self.seen
            && let Err(error) = self.finish()
        {
            tracing::error!(%error, "the last rows may be missing");
        }
    }
}
