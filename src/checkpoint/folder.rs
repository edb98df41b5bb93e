//! The state folder: which checkpoints it holds, and which of them counts.
//!
//! ```text
//! state/
//!   lock                        held by the run that uses it
//!   id                          the state's own number, in 16 hex digits
//!   epoch-00000041/             a checkpoint; the newest few are kept
//!     manifest                  committed
//!     shard-0/ …                files of the stores, shared by hard links
//!   epoch-00000042/
//!     manifest.prepared         durable, and not committed yet
//!   live/shard-0/               the stores of the run that goes on; worth nothing without it
//! ```
//!
//! The rename of `manifest.prepared` to `manifest` commits, unless somebody else [decides](super::CommitPoint).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::storage::CLAIM;
use super::{Error, Kind, Manifest};
use crate::disk::{Disk, Lock, SharedDisk};
use crate::epoch::Epoch;

pub(super) const PREPARED: &str = "manifest.prepared";
pub(super) const COMMITTED: &str = "manifest";
pub(crate) const ID: &str = "id";

/// Where savepoints lie in a state folder, unless told otherwise.
pub const SAVEPOINTS: &str = "savepoints";

/// How often a lock that somebody holds is tried again, and how long is waited each time.
const LOCK_TRIES: u32 = 10;
const LOCK_REST: Duration = Duration::from_millis(20);

/// A state folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    disk: SharedDisk,
    /// Which run of this process uses it, of those that have not given their live stores back.
    life: u32,
}

/// A checkpoint that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number, as its folder says.
    pub epoch: Epoch,
    /// Its folder.
    pub path: PathBuf,
    /// True if its manifest says that it is committed.
    pub committed: bool,
}

impl Folder {
    /// A state folder, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path, disk: SharedDisk) -> Result<Folder, Error> {
        let folder = Folder {
            path: path.to_owned(),
            disk,
            life: 0,
        };
        folder.refuse_claimed()?;
        let above = match folder.disk.entry(path) {
            Ok(None) => new_folders(&*folder.disk, path),
            _ => Vec::new(),
        };
        // Else a checkpoint might be lost with the name of the folder that it lies in.
        let made = folder
            .disk
            .make_folder(path)
            .and_then(|()| above.iter().try_for_each(|above| folder.disk.sync(above)));
        made.map_err(|error| folder.failed("made", path, &error))?;
        Ok(folder)
    }

    /// A state folder as it is, to be looked at: nothing is made.
    #[must_use]
    pub fn at(path: &Path, disk: SharedDisk) -> Folder {
        Folder {
            path: path.to_owned(),
            disk,
            life: 0,
        }
    }

    /// Keeps other runs out for as long as what it gives back lives.
    ///
    /// # Errors
    /// When another run uses the folder, or it cannot be locked.
    pub fn lock(&self) -> Result<Lock, Error> {
        let mut lock = self.try_lock()?;
        // Somebody may only look whether the folder is in use.
        for _ in 0..LOCK_TRIES {
            if lock.is_some() {
                break;
            }
            std::thread::sleep(LOCK_REST);
            lock = self.try_lock()?;
        }
        match lock {
            Some(lock) => Ok(lock),
            None => Err(Error(format!(
                "state \"{}\": another run uses it; stop that one, or name another folder",
                self.path.display()
            ))),
        }
    }

    /// The same; nothing if another run uses the folder.
    ///
    /// # Errors
    /// When it cannot be locked.
    pub fn try_lock(&self) -> Result<Option<Lock>, Error> {
        let path = self.path.join("lock");
        let locked = self.disk.append(&path, &[]);
        match locked.and_then(|()| self.disk.lock(&path)) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(self.failed("locked", &path, &error)),
        }
    }

    /// The same, with live stores apart from those of earlier runs of this process, which do not give them back.
    #[must_use]
    pub(crate) fn in_life(self, life: u32) -> Folder {
        Folder { life, ..self }
    }

    fn live_name(&self) -> String {
        match self.life {
            0 => "live".to_owned(),
            life => format!("live-{life}"),
        }
    }

    /// Removes live stores of other runs. Call it under the lock.
    pub(crate) fn remove_other_lives(&self) {
        let own = self.live_name();
        let names = self.disk.list(&self.path).unwrap_or_default();
        let is_other = |name: &&String| {
            let number = name.strip_prefix("live-");
            let numbered = number.is_some_and(|number| number.parse::<u32>().is_ok());
            (numbered || *name == "live") && **name != own
        };
        for name in names.iter().filter(is_other) {
            // A shard that hangs has them open; they go with the process.
            let _ = self.disk.remove(&self.path.join(name));
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk on which it lies.
    #[must_use]
    pub fn disk(&self) -> &SharedDisk {
        &self.disk
    }

    /// The folder of a checkpoint.
    #[must_use]
    pub fn epoch_path(&self, epoch: Epoch) -> PathBuf {
        self.path.join(format!("epoch-{:08}", epoch.0))
    }

    /// Where a shard's store lies in a checkpoint.
    #[must_use]
    pub fn store_path(checkpoint: &Path, shard: usize) -> PathBuf {
        checkpoint.join(format!("shard-{shard}"))
    }

    /// Where a shard's store lies while the run goes on.
    #[must_use]
    pub fn live_path(&self, shard: usize) -> PathBuf {
        self.path
            .join(self.live_name())
            .join(format!("shard-{shard}"))
    }

    /// The state's own number: made at random when there is none, and durable before it is given out, for outputs know by it whose rows they hold.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn id(&self) -> Result<u64, Error> {
        let path = self.path.join(ID);
        match self.disk.read(&path) {
            Ok(bytes) => read_id(&bytes).ok_or_else(|| {
                Error(format!(
                    "state \"{}\": {} does not hold 16 hex digits; restore it from a copy, or name another folder",
                    self.path.display(),
                    path.display()
                ))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.new_id(&path),
            Err(error) => Err(self.failed("read", &path, &error)),
        }
    }

    fn new_id(&self, path: &Path) -> Result<u64, Error> {
        let id = RandomState::new().build_hasher().finish();
        let fresh = self.path.join("id.new");
        let written = self
            .disk
            .write(&fresh, format!("{id:016x}\n").as_bytes())
            .and_then(|()| self.disk.sync(&fresh))
            .and_then(|()| self.disk.rename(&fresh, path))
            .and_then(|()| self.disk.sync(&self.path));
        written.map_err(|error| self.failed("written", path, &error))?;
        Ok(id)
    }

    /// All checkpoints, the newest first; also such as are neither prepared nor committed.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<Found>, Error> {
        self.refuse_claimed()?;
        let listed = self.disk.list(&self.path);
        let names = listed.map_err(|error| self.failed("read", &self.path, &error))?;
        let mut found = Vec::new();
        for name in names {
            let number = name.strip_prefix("epoch-");
            let Some(number) = number.and_then(|number| number.parse().ok()) else {
                continue;
            };
            let path = self.path.join(&name);
            let held = self.disk.list(&path).unwrap_or_default();
            found.push(Found {
                epoch: Epoch(number),
                committed: held.iter().any(|name| name == COMMITTED),
                path,
            });
        }
        found.sort_by_key(|found| std::cmp::Reverse(found.epoch));
        Ok(found)
    }

    /// Instances of a group hand on checkpoints otherwise.
    fn refuse_claimed(&self) -> Result<(), Error> {
        match self.disk.entry(&self.path.join(CLAIM)) {
            Ok(Some(_)) => Err(Error(format!(
                "state \"{}\" is that of a group, whose instances alone read and write it; add --join with its name, or name another folder",
                self.path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// True if a folder is a checkpoint or savepoint that is committed.
    #[must_use]
    pub fn is_committed(&self, path: &Path) -> bool {
        self.disk.length(&path.join(COMMITTED)).is_ok()
    }

    /// Folders of savepoints that lie here, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn savepoints(&self) -> Result<Vec<PathBuf>, Error> {
        let folder = self.path.join(SAVEPOINTS);
        let names = match self.disk.list(&folder) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(self.failed("read", &folder, &error)),
        };
        Ok(names.iter().map(|name| folder.join(name)).collect())
    }

    /// The manifest of a checkpoint, committed or only prepared.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn manifest(&self, checkpoint: &Path) -> Result<Manifest, Error> {
        manifest(&self.disk, checkpoint)
    }

    /// Makes a checkpoint durable, whose stores are already: from now on it can be committed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prepare(&self, manifest: &Manifest) -> Result<(), Error> {
        let folder = self.epoch_path(manifest.epoch);
        let path = folder.join(PREPARED);
        let written = self
            .disk
            .make_folder(&folder)
            .and_then(|()| self.disk.write(&path, &manifest.encode()))
            .and_then(|()| self.disk.sync(&path))
            .and_then(|()| self.disk.sync(&folder))
            .and_then(|()| self.disk.sync(&self.path));
        written.map_err(|error| self.failed("written", &path, &error))
    }

    /// Commits a prepared checkpoint. Doing it again is fine.
    ///
    /// # Errors
    /// When it is not prepared, or that cannot be written.
    pub fn commit(&self, epoch: Epoch) -> Result<(), Error> {
        let folder = self.epoch_path(epoch);
        let (from, to) = (folder.join(PREPARED), folder.join(COMMITTED));
        if self.disk.length(&to).is_ok() {
            return Ok(());
        }
        let renamed = self.disk.rename(&from, &to);
        let committed = renamed.and_then(|()| self.disk.sync(&folder));
        committed.map_err(|error| self.failed("committed", &from, &error))
    }

    /// Removes checkpoints that will not be needed: but for `newest` all that are not committed, and of the committed ones all but the newest `keep`. Savepoints stay.
    ///
    /// # Errors
    /// When the folder cannot be read. What cannot be removed is left, with a warning.
    pub fn prune(&self, newest: Epoch, keep: usize) -> Result<(), Error> {
        let mut kept = 0;
        for found in self.checkpoints()? {
            let of_use = found.epoch == newest || found.committed && found.epoch < newest;
            if of_use {
                let saved = || {
                    self.manifest(&found.path)
                        .is_ok_and(|manifest| manifest.kind == Kind::Savepoint)
                };
                if kept < keep {
                    kept += 1;
                    continue;
                }
                if saved() {
                    continue;
                }
            }
            if let Err(error) = self.remove(&found.path) {
                tracing::warn!(folder = %found.path.display(), %error, "a checkpoint that is not needed any more cannot be removed");
            }
        }
        Ok(())
    }

    /// First its claim to be a checkpoint, then the rest.
    fn remove(&self, checkpoint: &Path) -> io::Result<()> {
        self.disk.remove(&checkpoint.join(COMMITTED))?;
        self.disk.remove(&checkpoint.join(PREPARED))?;
        self.disk.remove(checkpoint)
    }

    /// Something in it could not be done.
    pub(crate) fn failed(&self, doing: &str, path: &Path, error: &io::Error) -> Error {
        Error(format!(
            "state \"{}\": {} cannot be {doing}: {error}; see to space and permission, or name another folder",
            self.path.display(),
            path.display()
        ))
    }
}

/// Folders that get a new name when one is made at this path: its parent, and those above as far as they are new.
pub(super) fn new_folders(disk: &dyn Disk, path: &Path) -> Vec<PathBuf> {
    let mut changed = Vec::new();
    let mut at = path;
    while let Some(above) = at.parent() {
        let above = match above.as_os_str().is_empty() {
            true => Path::new("."),
            false => above,
        };
        changed.push(above.to_owned());
        if disk.entry(above).is_ok_and(|found| found.is_some()) {
            break;
        }
        at = above;
    }
    changed
}

fn read_id(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end();
    let whole = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| u64::from_str_radix(text, 16).ok())?
}

fn manifest(disk: &SharedDisk, checkpoint: &Path) -> Result<Manifest, Error> {
    let shown = checkpoint.display();
    let committed = disk.read(&checkpoint.join(COMMITTED));
    let bytes = committed.or_else(|_| disk.read(&checkpoint.join(PREPARED)));
    let bytes =
        bytes.map_err(|error| Error(format!("checkpoint \"{shown}\" has no manifest: {error}")))?;
    Manifest::decode(&bytes).map_err(|damaged| {
        Error(format!(
            "checkpoint \"{shown}\": its manifest is damaged ({damaged})"
        ))
    })
}
