//! State folders looked at from outside: which checkpoints and savepoints they hold, and what is in them. Nothing is locked and nothing is changed, so an engine may use
//! the folder meanwhile.
//!
//! ```no_run
//! use leitmotif::States;
//!
//! let states = States::at("state")?;
//! for stored in states.all()? {
//!     println!("{}: {} bytes", stored.epoch, stored.bytes);
//! }
//! # Ok::<(), leitmotif::Error>(())
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Error, ErrorKind};
use crate::automaton::Tables;
use crate::checkpoint::{Folder, Manifest, SAVEPOINTS};
use crate::disk::SystemDisk;
use crate::engine::{Inspection, Plan};
use crate::epoch::Epoch;
use crate::lang::pattern::Program;
use crate::store::files::{Depth, verify};

/// How often another checkpoint is tried when the run has removed one.
const TRIES: usize = 5;

/// How often it is looked whether a checkpoint was made.
const LOOK: Duration = Duration::from_millis(20);

/// A state folder, or a single checkpoint or savepoint.
#[derive(Clone, Debug)]
pub struct States {
    folder: Folder,
    holds: Holds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// Checkpoints, and perhaps savepoints.
    Many,
    /// It is one itself.
    One,
}

/// A checkpoint or savepoint.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What it is called: the name of its folder.
    pub name: String,
    /// Its number.
    pub epoch: Epoch,
    /// Its folder.
    pub path: PathBuf,
    /// Whether it can be gone on from.
    pub condition: Condition,
    /// Bytes of its stores. Checkpoints of one folder share most of them.
    pub bytes: u64,
    /// What it says of itself, if that can be read.
    pub manifest: Option<Manifest>,
}

/// Whether a checkpoint can be gone on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is committed, and has all that it says.
    Complete,
    /// It was never committed, or is not yet.
    Open,
    /// It is not as it was written: why.
    Damaged(String),
}

impl States {
    /// A state folder, or the folder of a checkpoint or savepoint.
    ///
    /// # Errors
    /// When there is no such folder, or it holds no state.
    pub fn at(path: impl AsRef<Path>) -> Result<States, Error> {
        let path = path.as_ref();
        let shown = path.display();
        let wrong = |how: String| Err(Error::new(ErrorKind::State, how));
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return wrong(format!(
                    "state \"{shown}\" is a file; name the folder that leitmotif run was given with --state"
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return wrong(format!(
                    "state \"{shown}\": there is no such folder; name the one that leitmotif run was given with --state"
                ));
            }
            Err(error) => return wrong(format!("state \"{shown}\" cannot be read: {error}")),
        }
        let folder = Folder::at(path, SystemDisk::shared());
        let holds = match folder.is_committed(path) {
            true => Holds::One,
            false => Holds::Many,
        };
        if holds == Holds::Many && folder.checkpoints()?.is_empty() {
            let savepoints = folder.savepoints()?;
            if savepoints.is_empty() && !path.join("lock").exists() {
                return wrong(format!(
                    "state \"{shown}\": the folder holds no checkpoint; name the one that leitmotif run was given with --state"
                ));
            }
        }
        Ok(States { folder, holds })
    }

    /// Everything there is: checkpoints, the newest first, then savepoints likewise. Looks whether their files are there and as long as they were.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn all(&self) -> Result<Vec<Stored>, Error> {
        self.list(Depth::Lengths)
    }

    /// The same; reads every byte.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn all_verified(&self) -> Result<Vec<Stored>, Error> {
        self.list(Depth::Bytes)
    }

    fn list(&self, depth: Depth) -> Result<Vec<Stored>, Error> {
        if self.holds == Holds::One {
            return Ok(self.stored(self.folder.path(), depth).into_iter().collect());
        }
        let checkpoints = self.folder.checkpoints()?.into_iter();
        let mut paths: Vec<PathBuf> = checkpoints.map(|found| found.path).collect();
        paths.extend(self.folder.savepoints()?);
        let found = paths.iter().filter_map(|path| self.stored(path, depth));
        let mut all: Vec<Stored> = found.collect();
        // An epoch of which nothing was written yet has no manifest and is no news.
        all.retain(|stored| stored.manifest.is_some() || stored.condition != Condition::Open);
        Ok(all)
    }

    /// The newest checkpoint that is complete, or the one of this number or name, whatever its condition.
    ///
    /// # Errors
    /// When there is none, or the folder cannot be read.
    pub fn find(&self, wanted: Option<&str>) -> Result<Stored, Error> {
        let all = self.all()?;
        let shown = self.folder.path().display();
        let Some(wanted) = wanted else {
            let complete = |stored: &&Stored| stored.condition == Condition::Complete;
            let newest = all
                .iter()
                .filter(complete)
                .max_by_key(|stored| stored.epoch);
            return newest.cloned().ok_or_else(|| {
                let why = match all.iter().find_map(|stored| match &stored.condition {
                    Condition::Damaged(why) => Some(why),
                    _ => None,
                }) {
                    Some(why) => format!("no checkpoint is whole: {why}"),
                    None => "no checkpoint yet; a run makes the first one after its --checkpoint interval".to_owned(),
                };
                Error::new(ErrorKind::State, format!("state \"{shown}\": {why}"))
            });
        };
        let number = wanted.parse().ok().map(Epoch);
        let named = |stored: &&Stored| stored.name == wanted || Some(stored.epoch) == number;
        all.iter().find(named).cloned().ok_or_else(|| {
            let names = all.iter().map(|stored| match stored.is_savepoint() {
                true => stored.name.clone(),
                false => stored.epoch.0.to_string(),
            });
            let names: Vec<String> = names.collect();
            Error::new(
                ErrorKind::State,
                format!(
                    "state \"{shown}\": no checkpoint \"{wanted}\"; there is {}",
                    names.join(", ")
                ),
            )
        })
    }

    /// Keeps the state as it is now: a savepoint has all it needs, is never removed by a run, and a run begins from it with [`Keeping::from`](crate::Keeping::from), also with
    /// another number of shards. A run that uses the folder makes a checkpoint for it, which is waited for as long as `patience`; else it is the newest one.
    ///
    /// `to`: the savepoint's name, or with a `/` in it a path; its epoch if nothing is said.
    ///
    /// # Errors
    /// When there is no checkpoint, the run makes none in time, something lies at the path, or it cannot be written.
    pub fn savepoint(&self, to: Option<&str>, patience: Duration) -> Result<Stored, Error> {
        self.await_checkpoint(patience)?;
        for last in (1..=TRIES).map(|tried| tried == TRIES) {
            let newest = self.find(None)?;
            let path = self.savepoint_path(to, newest.epoch)?;
            if to.is_none() && self.folder.is_committed(&path) {
                // Of this epoch there is one.
                return self.saved(&path);
            }
            match self.folder.save(&newest.path, &path) {
                Ok(_) => return self.saved(&path),
                // It was removed meanwhile: there is a newer one.
                Err(_) if !self.folder.is_committed(&newest.path) && !last => {}
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the last try ends it")
    }

    /// Waits until a run that uses the folder has made a checkpoint that begins now; if there is none, there is nothing to wait for.
    fn await_checkpoint(&self, patience: Duration) -> Result<(), Error> {
        if self.holds == Holds::One || self.folder.try_lock()?.is_some() {
            return Ok(());
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = since.map_or(0, |since| since.as_nanos());
        let request = self
            .folder
            .ask(&format!("{}-{nanos}", std::process::id()))?;
        let began = Instant::now();
        let answered = loop {
            if self.folder.is_answered(&request) {
                return Ok(());
            }
            // It has ended: with a last checkpoint, or where it was killed.
            if self.folder.try_lock()?.is_some() {
                break true;
            }
            if began.elapsed() >= patience {
                break false;
            }
            std::thread::sleep(LOOK);
        };
        self.folder.unask(&request);
        match answered {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::State,
                format!(
                    "state \"{}\": the run that uses it made no checkpoint within {}s; see whether it is stuck, or wait longer",
                    self.folder.path().display(),
                    patience.as_secs()
                ),
            )),
        }
    }

    fn savepoint_path(&self, to: Option<&str>, epoch: Epoch) -> Result<PathBuf, Error> {
        let name = match to {
            Some(path) if path.contains(std::path::is_separator) => return Ok(PathBuf::from(path)),
            Some(name) => name.to_owned(),
            None => format!("epoch-{:08}", epoch.0),
        };
        if name.is_empty() || name.starts_with('.') {
            return Err(Error::configuration(format!(
                "\"{name}\" is no name of a savepoint; write one that does not begin with a dot, or a path with a /"
            )));
        }
        let within = match self.holds {
            Holds::Many => self.folder.path().join(SAVEPOINTS),
            Holds::One => {
                return Err(Error::configuration(format!(
                    "\"{}\" is a checkpoint itself; say where its copy is to lie: --to PATH",
                    self.folder.path().display()
                )));
            }
        };
        Ok(within.join(name))
    }

    fn saved(&self, path: &Path) -> Result<Stored, Error> {
        let stored = self.stored(path, Depth::Lengths);
        stored.ok_or_else(|| {
            Error::new(
                ErrorKind::State,
                format!(
                    "savepoint \"{}\" was removed as soon as it was made",
                    path.display()
                ),
            )
        })
    }

    /// Opens a checkpoint for a program.
    ///
    /// # Errors
    /// When it is damaged or cannot be read, or a pattern has no automaton.
    pub fn inspect(&self, stored: &Stored, program: Arc<Program>) -> Result<Inspection, Error> {
        let manifest = stored.manifest.clone();
        let manifest = manifest.ok_or_else(|| self.unusable(stored))?;
        if let Condition::Damaged(_) = &stored.condition {
            return Err(self.unusable(stored));
        }
        let tables = Tables::empty(&program);
        let plan = Arc::new(Plan::new(program, &tables)?);
        let opened = Inspection::open(plan, manifest, &stored.path, self.folder.disk());
        Ok(opened?)
    }

    fn unusable(&self, stored: &Stored) -> Error {
        let why = match &stored.condition {
            Condition::Damaged(why) => why.as_str(),
            _ => "it has no manifest",
        };
        let shown = stored.path.display();
        Error::new(
            ErrorKind::State,
            format!("checkpoint \"{shown}\" is damaged: {why}; name another one"),
        )
    }

    /// What lies at a path; nothing if it is being removed just now.
    fn stored(&self, path: &Path, depth: Depth) -> Option<Stored> {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let committed = self.folder.is_committed(path);
        let number = name.strip_prefix("epoch-");
        let number = number.and_then(|number| number.parse().ok());
        let manifest = match self.folder.manifest(path) {
            Ok(manifest) => manifest,
            Err(_) if !path.exists() => return None,
            Err(error) => {
                return Some(Stored {
                    name,
                    epoch: Epoch(number.unwrap_or(0)),
                    path: path.to_owned(),
                    condition: match committed {
                        true => Condition::Damaged(error.to_string()),
                        false => Condition::Open,
                    },
                    bytes: 0,
                    manifest: None,
                });
            }
        };
        let shards = manifest.shards.iter().enumerate();
        let verified = shards.map(|(number, shard)| {
            let store = Folder::store_path(path, number);
            verify(&**self.folder.disk(), &store, &shard.files, depth)
        });
        let verified: Result<(), _> = verified.collect();
        let condition = match verified {
            Err(_) if !path.exists() => return None,
            Err(error) => Condition::Damaged(error.to_string()),
            Ok(()) if committed => Condition::Complete,
            Ok(()) => Condition::Open,
        };
        let files = manifest.shards.iter().flat_map(|shard| &shard.files);
        Some(Stored {
            name,
            epoch: manifest.epoch,
            path: path.to_owned(),
            condition,
            bytes: files.map(|file| file.length).sum(),
            manifest: Some(manifest),
        })
    }
}

impl Stored {
    /// True if somebody asked for it.
    #[must_use]
    pub fn is_savepoint(&self) -> bool {
        let above = self.path.parent().and_then(Path::file_name);
        let kind = self.manifest.as_ref().map(|manifest| manifest.kind);
        kind == Some(crate::checkpoint::Kind::Savepoint)
            || kind.is_none() && above.is_some_and(|above| above == SAVEPOINTS)
    }
}
