//! The part of a folder that only a run with state has: files that wait for the commit of their epoch, and how they are found again after a crash.

use std::time::{Duration, Instant};

use super::super::Error;
use super::super::growing::{Growing, Mark};
use super::super::kept::{self, Kind};
use super::Part;
use super::place::{Name, Place};
use crate::epoch::Epoch;
use crate::wire::{self, Damaged, Reader};

/// What waits for a commit.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// By number.
    finished: Vec<Finished>,
    /// What was prepared last and is not committed yet.
    prepared: Option<Prepared>,
    names: Names,
}

/// A file to which nothing is added any more; it is durable.
#[derive(Debug)]
struct Finished {
    number: u64,
    mark: Mark,
    /// The epoch that was prepared with it.
    epoch: Option<Epoch>,
}

#[derive(Debug)]
struct Prepared {
    epoch: Epoch,
    /// Number and length of the file that was being written.
    open: Option<(u64, u64)>,
}

/// Whether all names in the folder are durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Names {
    #[default]
    Unsynced,
    Synced,
}

/// What a checkpoint keeps of a folder.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    /// The number of the next file.
    next: u64,
    /// By number.
    finished: Vec<(u64, Mark)>,
    open: Option<Open>,
}

/// The file that is being written.
#[derive(Debug, PartialEq, Eq)]
struct Open {
    number: u64,
    mark: Mark,
    age: Duration,
}

impl Kept {
    /// Version 1, kind 2, the next number, how many finished files there are and for each its number and mark, then whether one is being written and its number, mark and age in
    /// milliseconds.
    fn encode(&self) -> Vec<u8> {
        let mut out = Kind::Folder.begin();
        wire::put_uint(&mut out, self.next);
        wire::put_uint(&mut out, self.finished.len() as u64);
        for (number, mark) in &self.finished {
            wire::put_uint(&mut out, *number);
            mark.put(&mut out);
        }
        wire::put_bool(&mut out, self.open.is_some());
        if let Some(open) = &self.open {
            wire::put_uint(&mut out, open.number);
            open.mark.put(&mut out);
            wire::put_uint(&mut out, open.age.as_millis() as u64);
        }
        out
    }

    fn read(reader: &mut Reader<'_>) -> Result<Kept, Damaged> {
        let next = reader.uint()?;
        let number = |reader: &mut Reader<'_>| match reader.uint()? {
            number if number < next => Ok(number),
            _ => Err(reader.damaged("number below the next")),
        };
        let mut finished = Vec::new();
        for _ in 0..reader.count()? {
            finished.push((number(reader)?, Mark::read(reader)?));
        }
        let mut open = None;
        if reader.bool()? {
            open = Some(Open {
                number: number(reader)?,
                mark: Mark::read(reader)?,
                age: Duration::from_millis(reader.uint()?),
            });
        }
        Ok(Kept {
            next,
            finished,
            open,
        })
    }
}

impl Commits {
    /// A hidden file was made.
    pub(super) fn begun(&mut self) {
        self.names = Names::Unsynced;
    }

    /// A file gets no more rows; it is seen when what it holds is committed.
    pub(super) fn finish(&mut self, number: u64, mut growing: Growing) -> std::io::Result<()> {
        growing.sync()?;
        self.finished.push(Finished {
            number,
            mark: growing.mark(),
            epoch: None,
        });
        Ok(())
    }

    /// Makes everything durable. `part` is the file that is being written.
    pub(super) fn prepare(
        &mut self,
        epoch: Epoch,
        place: &Place,
        next: u64,
        part: Option<&mut Part>,
    ) -> Result<Vec<u8>, Error> {
        let mut open = None;
        if let Some(part) = part {
            part.growing.sync().map_err(place.failed("made durable"))?;
            open = Some(Open {
                number: part.number,
                mark: part.growing.mark(),
                age: part.begun.elapsed(),
            });
        }
        self.sync(place)?;
        for finished in &mut self.finished {
            finished.epoch.get_or_insert(epoch);
        }
        self.prepared = Some(Prepared {
            epoch,
            open: open.as_ref().map(|open| (open.number, open.mark.length)),
        });
        let finished = self.finished.iter();
        let kept = Kept {
            next,
            finished: finished.map(|file| (file.number, file.mark)).collect(),
            open,
        };
        Ok(kept.encode())
    }

    /// Files that were finished up to this epoch are seen from now on.
    pub(super) fn commit(
        &mut self,
        epoch: Epoch,
        place: &Place,
        part: Option<&mut Part>,
    ) -> Result<(), Error> {
        while let Some(first) = self.finished.first()
            && first.epoch.is_some_and(|prepared| prepared <= epoch)
        {
            place.publish(Name::Pending, first.number)?;
            self.names = Names::Unsynced;
            self.finished.remove(0);
        }
        self.sync(place)?;
        let prepared = self.prepared.take_if(|prepared| prepared.epoch <= epoch);
        // It may be finished meanwhile, and the next one begun.
        if let (Some(part), Some((number, length))) = (part, prepared.and_then(|last| last.open))
            && part.number == number
        {
            part.committed = length;
        }
        Ok(())
    }

    /// The end of the run: what is committed can be seen, anything else stays hidden and comes again.
    pub(super) fn close(&mut self, place: &Place, part: Option<Part>) -> Result<(), Error> {
        if let Some(part) = part
            && part.growing.length() == part.committed
        {
            place.publish(Name::Pending, part.number)?;
            self.names = Names::Unsynced;
        }
        self.sync(place)
    }

    fn sync(&mut self, place: &Place) -> Result<(), Error> {
        if self.names == Names::Unsynced {
            place.sync()?;
            self.names = Names::Synced;
        }
        Ok(())
    }
}

/// Brings the folder to where it was when the epoch was committed. Gives back the number of the next file, and the file that goes on.
pub(super) fn restore(
    place: &Place,
    prepared: Option<(Epoch, &[u8])>,
) -> Result<(u64, Option<Part>), Error> {
    let epoch = prepared.map(|(epoch, _)| epoch);
    let kept = match prepared {
        None => Kept::default(),
        Some((epoch, bytes)) => {
            let read = Kind::Folder.read(bytes, Kept::read);
            read.map_err(|damaged| kept::unreadable(&place.shown(), epoch, &damaged))?
        }
    };
    let mut part = None;
    if let Some(epoch) = epoch {
        for (number, mark) in &kept.finished {
            commit_again(place, epoch, *number, mark)?;
        }
        if let Some(open) = &kept.open {
            part = resume(place, epoch, open)?;
        }
    }
    let going_on = part.as_ref().map(|part| part.number);
    remove_pending(place, epoch, going_on)?;
    let seen = place.files()?.into_iter();
    let seen = seen.filter(|(name, _)| *name != Name::Pending);
    let after_seen = seen.map(|(_, number)| number + 1).max();
    let first = after_seen.unwrap_or(1);
    if epoch.is_some() && first > kept.next {
        let file = place.text(Name::Finished, kept.next);
        tracing::warn!(
            output = place.shown(),
            from = file,
            "files are there that are newer than the checkpoint; they are kept, and rows of theirs that come again have the same match ids"
        );
    }
    // Names in the folder become durable with the first checkpoint.
    place.sync_above()?;
    Ok((first.max(kept.next), part))
}

/// Gives a file its name if that was not done. If it is nowhere, it was, and somebody has taken the file away since.
fn commit_again(place: &Place, epoch: Epoch, number: u64, mark: &Mark) -> Result<(), Error> {
    let path = place.path(Name::Pending, number);
    let there = place.disk().entry(&path);
    if there.map_err(place.failed("read"))?.is_none() {
        return Ok(());
    }
    mark.require(place.disk(), &path, epoch, "folder")?;
    place.publish(Name::Pending, number)
}

/// Goes on with the file that was being written, behind what is committed.
fn resume(place: &Place, epoch: Epoch, open: &Open) -> Result<Option<Part>, Error> {
    let path = place.path(Name::Pending, open.number);
    let there = place.disk().entry(&path);
    if there.map_err(place.failed("read"))?.is_none() {
        seen_already(place, open)?;
        return Ok(None);
    }
    open.mark.require(place.disk(), &path, epoch, "folder")?;
    let failed = place.failed("written");
    let mut growing = Growing::open(place.disk(), &path).map_err(&failed)?;
    growing
        .cut(place.disk(), &path, &open.mark)
        .map_err(failed)?;
    let now = Instant::now();
    Ok(Some(Part {
        growing,
        number: open.number,
        committed: open.mark.length,
        begun: now.checked_sub(open.age).unwrap_or(now),
    }))
}

/// The file that was being written has been finished since: at the end of the run, or by a later epoch.
fn seen_already(place: &Place, open: &Open) -> Result<(), Error> {
    let path = place.path(Name::Finished, open.number);
    let disk = place.disk();
    let there = disk.entry(&path).map_err(place.failed("read"))?;
    let file = path.display();
    if there.is_none() {
        tracing::warn!(%file, "the file that was being written is not there any more; its rows are lost unless somebody took it when it was finished");
    } else if disk.length(&path).map_err(place.failed("read"))? > open.mark.length {
        tracing::warn!(%file, "the file holds rows that are newer than the checkpoint; they come again with the same match ids");
    }
    Ok(())
}

/// Removes files of epochs that were not committed.
fn remove_pending(place: &Place, epoch: Option<Epoch>, going_on: Option<u64>) -> Result<(), Error> {
    for (name, number) in place.files()? {
        if name != Name::Pending || Some(number) == going_on {
            continue;
        }
        let path = place.path(name, number);
        let bytes = place.disk().length(&path).map_err(place.failed("read"))?;
        let file = path.display();
        match epoch {
            Some(epoch) => {
                tracing::info!(%file, bytes, %epoch, "removed rows that are newer than the checkpoint; they come again");
            }
            None => {
                tracing::warn!(%file, bytes, "removed rows of another state, which were not to be seen yet")
            }
        }
        place.remove(name, number)?;
    }
    Ok(())
}
