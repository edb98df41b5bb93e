//! A run that shares its topics with others: an instance of a group.
//!
//! Kafka gives out partitions and notices who has died (`source::kafka::member`). Each partition is a run of its own (`seats`), whose checkpoints go into storage that all
//! instances reach. Nobody is in charge, and nobody knows of anybody else: what an instance has to know lies in the storage and in the group's offsets. So one is added by
//! starting it and removed by ending it, however it ends.

mod fit;
mod seats;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Builder, Error, ErrorKind, Supervision};
use crate::checkpoint::{self, CLAIM, SharedStorage};
use crate::disk::{Disk as _, Lock, SystemDisk};
use crate::engine::snapshot::Snapshot;
use crate::engine::{Account, Restart};
use crate::source::kafka::member::{self, Member};
use crate::wire::{Damaged, Reader, put_str, put_uint};
use seats::{Recipe, Seats};

/// How long the group is served before it is looked around.
const TURN: Duration = Duration::from_millis(50);

/// What the claim to a storage begins with.
const MAGIC: &[u8] = b"LMGROUP";
const VERSION: u8 = 1;

/// What the names of scratch folders begin with.
const SCRATCH: &str = "leitmotif-group-";

/// Says which group a run joins; ends with [`Joining::start`].
#[derive(Debug)]
pub struct Joining {
    group: String,
    storage: SharedStorage,
    supervision: Supervision,
}

/// An instance of a group at work, on threads of its own.
#[derive(Debug)]
pub struct Joined {
    seats: Arc<Watched>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Account, Error>>,
}

struct Watched(Seats);

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seats")
    }
}

impl Joining {
    /// A consumer group, and storage that all of its instances reach: [`SharedFolder`](crate::checkpoint::SharedFolder), or one of your own. Both are for one set of patterns over one set of topics.
    #[must_use]
    pub fn new(group: impl Into<String>, storage: SharedStorage) -> Joining {
        Joining {
            group: group.into(),
            storage,
            supervision: Supervision::new(Restart::DEFAULT),
        }
    }

    /// How often a partition may fail before this instance gives up, and leaves all of its partitions to others.
    #[must_use]
    pub fn restart(self, restart: Restart) -> Joining {
        let supervision = Supervision::new(restart);
        Joining {
            supervision,
            ..self
        }
    }

    /// Joins. `make` gives a builder that says the same each time: sources are topics that say which field is their key (`?key=card`), an output is a topic of the same
    /// cluster, and [`state`](Builder::state) is a folder on this machine for what need not outlive the process. It is called for each partition, whenever that begins.
    ///
    /// # Errors
    /// When such a run cannot be shared, no broker answers, or the storage is another group's.
    pub fn start(
        self,
        make: impl Fn() -> Builder + Send + Sync + 'static,
    ) -> Result<Joined, Error> {
        let mut first = make();
        let program = first.compiled()?;
        let shared = fit::shared(&self.group, &first, &program)?;
        let leading = &shared.first().expect("a run has sources").topics;
        let mut counted = Vec::new();
        for source in &shared {
            counted.extend(member::partitions(&source.topics)?);
        }
        let (topic, partitions) = self.alike(&counted)?;
        self.claim(&topic, partitions)?;
        let folder = first.kept().map(|kept| kept.folder().to_owned());
        let (scratch, lock) = scratch(&folder.unwrap_or_default())?;
        let recipe = Recipe {
            make: Box::new(move || make().program(Arc::clone(&program))),
            supervision: self.supervision,
            storage: self.storage,
            group: self.group.clone(),
            topic,
            partitions,
            scratch: scratch.clone(),
        };
        let seats = Arc::new(Watched(Seats::new(recipe)));
        let for_member = Arc::clone(&seats);
        let member = Member::join(leading, &self.group, for_member)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (with, until) = (Arc::clone(&seats), Arc::clone(&stop));
        let serve = move || {
            let served = serve(member, &with.0, &until);
            drop(lock);
            let _ = fs::remove_dir_all(&scratch);
            served
        };
        let thread = thread::Builder::new()
            .name("member".to_owned())
            .spawn(serve);
        let thread = thread
            .map_err(|error| Error::caused(ErrorKind::Io, "no group can be joined", error))?;
        Ok(Joined {
            seats,
            stop,
            thread,
        })
    }

    /// The topic whose partitions are shared, and how many there are: the same number everywhere.
    fn alike(&self, counted: &[(String, usize)]) -> Result<(String, usize), Error> {
        let (topic, partitions) = counted.first().expect("a source has topics");
        match counted.iter().find(|(_, other)| other != partitions) {
            None => Ok((topic.clone(), *partitions)),
            Some((other, count)) => Err(Error::configuration(format!(
                "group \"{}\": topic \"{topic}\" has {partitions} partitions and \"{other}\" has {count}, so a key's events lie in different ones; make one of them anew with as many as the other",
                self.group
            ))),
        }
    }

    /// Makes sure that the storage is this group's, and partitions are what they were.
    fn claim(&self, topic: &str, partitions: usize) -> Result<(), Error> {
        let storage = &self.storage;
        let wrong = |reason: String| {
            let error = checkpoint::Error::new(format!("group \"{}\": {reason}", self.group));
            Err(Error::from(error))
        };
        let Some(bytes) = storage.read(CLAIM)? else {
            if storage.read(checkpoint::ID)?.is_some() {
                return wrong(
                    "its storage is the state of a run by itself; name another one, or leave --join out".to_owned(),
                );
            }
            let mut about = MAGIC.to_vec();
            about.push(VERSION);
            put_str(&mut about, &self.group);
            put_str(&mut about, topic);
            put_uint(&mut about, partitions as u64);
            return Ok(storage.write(CLAIM, &about)?);
        };
        match claimed(&bytes) {
            Err(damaged) => wrong(format!(
                "\"{CLAIM}\" in its storage is not what it should be ({damaged}); restore it, or name another storage"
            )),
            Ok((group, ..)) if group != self.group => wrong(format!(
                "its storage is group \"{group}\"'s; name another one"
            )),
            Ok((_, other, _)) if other != topic => wrong(format!(
                "it shared topic \"{other}\" before, and \"{topic}\" now; name the source of \"{other}\" first, or join as another group with other storage"
            )),
            Ok((.., count)) if count != partitions as u64 => wrong(format!(
                "topic \"{topic}\" had {count} partitions and has {partitions}, so keys lie in other partitions than their state; copy it to a new topic, and join as another group with other storage"
            )),
            Ok(_) => Ok(()),
        }
    }
}

fn claimed(bytes: &[u8]) -> Result<(String, String, u64), Damaged> {
    let mut reader = Reader::new(bytes);
    if reader.take(MAGIC.len())? != MAGIC || reader.byte()? != VERSION {
        return Err(reader.damaged("claim of this version"));
    }
    let claim = (
        reader.str()?.to_owned(),
        reader.str()?.to_owned(),
        reader.uint()?,
    );
    reader.end()?;
    Ok(claim)
}

/// A folder of this process alone. What processes have left that were killed is removed.
fn scratch(within: &Path) -> Result<(PathBuf, Lock), Error> {
    let failed = |error| {
        let shown = within.display();
        let message = format!(
            "no folder can be made in \"{shown}\": see to space and permission, or name another one with scratch"
        );
        Error::caused(ErrorKind::Io, message, error)
    };
    fs::create_dir_all(within).map_err(failed)?;
    let number = checkpoint::chance();
    let path = within.join(format!("{SCRATCH}{number:016x}"));
    // It has its name only when it is locked: others that begin look for such as are not.
    let fresh = within.join(format!("leitmotif-new-{number:016x}"));
    fs::create_dir(&fresh).map_err(failed)?;
    let lock = SystemDisk.lock(&fresh).map_err(failed)?;
    fs::rename(&fresh, &path).map_err(failed)?;
    if SystemDisk.lock(&path).is_ok() {
        // Nobody is kept out here, so nobody knows whose the others are.
        return Ok((path, lock));
    }
    for name in SystemDisk.list(within).map_err(failed)? {
        let other = within.join(&name);
        if name.starts_with(SCRATCH) && SystemDisk.lock(&other).is_ok() {
            let _ = fs::remove_dir_all(&other);
        }
    }
    Ok((path, lock))
}

/// Is a member until it is told to leave, has read all there is, or fails.
fn serve(member: Member, seats: &Seats, stop: &AtomicBool) -> Result<Account, Error> {
    let ended = loop {
        if let Err(error) = member.turn(TURN) {
            break Err(error.into());
        }
        seats.sweep();
        if let Some(error) = seats.failure() {
            break Err(error);
        }
        if stop.load(Ordering::Relaxed) || seats.are_read() {
            break Ok(());
        }
    };
    seats.leave_all();
    // Only now others are given the partitions.
    drop(member);
    seats.await_ends();
    ended.map(|()| seats.account())
}

impl member::Seats for Watched {
    fn take(&self, partitions: &[u32]) {
        self.0.take(partitions);
    }

    fn leave(&self, partitions: &[u32]) {
        self.0.leave(partitions);
    }

    fn lose(&self, partitions: &[u32]) {
        self.0.lose(partitions);
    }
}

impl Joined {
    /// Asks it to leave: partitions end behind a last checkpoint each, and are given to others.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// A function that takes snapshots of all that can be seen of this instance, for other threads.
    pub fn snapshots(&self) -> impl Fn() -> Snapshot + Clone + Send + Sync + 'static {
        let seats = Arc::clone(&self.seats);
        move || seats.0.snapshot()
    }

    /// A function that tells which partition has not answered for half a minute, if one has, for other threads.
    pub fn stuck(&self) -> impl Fn() -> Option<String> + Clone + Send + Sync + 'static {
        let seats = Arc::clone(&self.seats);
        move || seats.0.stuck()
    }

    /// True once it has left; then [`Joined::wait`] returns soon.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Why it could not go on; [`ErrorKind::GaveUp`] when a partition failed too often.
    ///
    /// # Panics
    /// When records were lost: that is a mistake of ours.
    pub fn wait(self) -> Result<Account, Error> {
        match self.thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::SharedFolder;

    #[test]
    fn a_scratch_folder_is_removed_when_its_process_is_gone() {
        let within = tempfile::tempdir().expect("a folder");
        std::fs::write(within.path().join("other"), "").expect("written");
        let (first, lock) = scratch(within.path()).expect("made");
        let (second, _held) = scratch(within.path()).expect("made");
        assert!(first.exists() && second.exists());
        drop(lock);
        let (third, _too) = scratch(within.path()).expect("made");
        assert!(!first.exists() && second.exists() && third.exists());
        let names = SystemDisk.list(within.path()).expect("listed");
        assert_eq!(names.len(), 3, "{names:?}");
    }

    #[test]
    fn storage_belongs_to_one_group_over_the_same_partitions() {
        let folder = tempfile::tempdir().expect("a folder");
        let joining = |group: &str| {
            let storage = SharedFolder::open(folder.path(), SystemDisk::shared()).expect("made");
            Joining::new(group, Arc::new(storage))
        };
        let claim = |group: &str, topic: &str, partitions| {
            let claimed = joining(group).claim(topic, partitions);
            claimed.map_err(|error| error.to_string())
        };
        assert_eq!(claim("fraud", "cards", 8), Ok(()));
        assert_eq!(claim("fraud", "cards", 8), Ok(()));
        for (told, wanted) in [
            (claim("other", "cards", 8), "is group \"fraud\"'s"),
            (
                claim("fraud", "refunds", 8),
                "shared topic \"cards\" before",
            ),
            (claim("fraud", "cards", 9), "had 8 partitions and has 9"),
        ] {
            let error = told.expect_err("it is refused");
            assert!(error.contains(wanted), "{error}");
        }
        // Nor does a run by itself take it for its own, or the other way round.
        let alone = checkpoint::Folder::open(folder.path(), SystemDisk::shared());
        let error = alone.expect_err("it is a group's").to_string();
        assert!(error.contains("add --join"), "{error}");
        let other = tempfile::tempdir().expect("a folder");
        std::fs::write(other.path().join("id"), "0123456789abcdef").expect("written");
        let storage = SharedFolder::open(other.path(), SystemDisk::shared()).expect("made");
        let claimed = Joining::new("fraud", Arc::new(storage)).claim("cards", 8);
        let error = claimed.expect_err("it is a run's").to_string();
        assert!(error.contains("leave --join out"), "{error}");
    }

    #[test]
    fn topics_that_are_dealt_otherwise_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = SharedFolder::open(folder.path(), SystemDisk::shared()).expect("made");
        let joining = Joining::new("fraud", Arc::new(storage));
        let counted = |counts: &[(&str, usize)]| -> Vec<(String, usize)> {
            counts
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect()
        };
        let alike = joining.alike(&counted(&[("cards", 8), ("refunds", 8)]));
        assert_eq!(alike.expect("alike"), ("cards".to_owned(), 8));
        let other = joining.alike(&counted(&[("cards", 8), ("refunds", 4)]));
        let error = other.expect_err("they differ").to_string();
        assert!(
            error.contains("topic \"cards\" has 8 partitions and \"refunds\" has 4"),
            "{error}"
        );
    }
}
