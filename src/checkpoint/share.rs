//! A partition's checkpoints in storage that instances share: put there before they count, fetched by whoever goes on with them.
//!
//! ```text
//! 3/                                    of partition 3
//!   00000042-5f0c8a1be2d47c90/          epoch and who wrote it
//!     shard-0/000012.sst …              files that no checkpoint before it had
//!     index                             its manifest, which files it is made of and where each lies; comes last
//!     committed                         a note that it counts, for when the broker has forgotten
//! ```
//!
//! Which of them counts is said by the [mark](Mark) that outputs commit, and by nothing else. Whoever asks for it has fenced those before him, so nobody can move it
//! any more but he. One that was fenced and does not know it yet may still write here: under names of his own, to which no mark leads. And he may still remove what he thinks is
//! not needed: so everyone removes only what is his own or was there when he came. What a newer owner makes is neither, and what a newer owner goes on from is the last that
//! this one committed, which he keeps.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use super::folder::COMMITTED;
use super::storage::chance;
use super::{Error, Folder, Manifest, SharedStorage, Sharing};
use crate::epoch::{Epoch, Mark, Owner};
use crate::store::files::{Depth, FileEntry, verify};
use crate::wire::{Damaged, Reader, put_bytes, put_fixed, put_str, put_uint};

/// What an index begins with, and its version.
const MAGIC: &[u8] = b"LMINDEX";
const VERSION: u8 = 1;

const INDEX: &str = "index";
const NOTE: &str = "committed";

/// The checkpoints of one partition, while this instance has it.
#[derive(Debug)]
pub(crate) struct Share {
    storage: SharedStorage,
    partition: u32,
    /// The group, and the topic whose offset of this partition carries the mark, too.
    pub(super) at: (String, String),
    owner: Owner,
    /// Where the engine makes checkpoints, on this machine.
    folder: Folder,
    /// How many are kept.
    keep: usize,
    /// What may be removed once nothing refers to it: what was there at first, and what is written here.
    removable: BTreeSet<String>,
    /// Those that are kept, the newest last.
    kept: VecDeque<Index>,
    /// Written, and not committed yet.
    open: Option<Index>,
}

/// Which files a checkpoint is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Index {
    epoch: Epoch,
    owner: Owner,
    /// Paths in the checkpoint's folder, and the checkpoint with which each was written.
    files: Vec<(FileEntry, String)>,
    /// As it lies in a state folder.
    manifest: Vec<u8>,
}

impl Index {
    fn name(&self) -> String {
        named(self.epoch, self.owner)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        put_uint(&mut out, self.epoch.0);
        put_fixed(&mut out, self.owner.0);
        put_uint(&mut out, self.files.len() as u64);
        for (file, home) in &self.files {
            put_str(&mut out, &file.name);
            put_uint(&mut out, file.length);
            put_uint(&mut out, u64::from(file.checksum));
            put_str(&mut out, home);
        }
        put_bytes(&mut out, &self.manifest);
        let checksum = crc32fast::hash(&out);
        put_uint(&mut out, u64::from(checksum));
        out
    }

    fn decode(bytes: &[u8]) -> Result<Index, Damaged> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len())? != MAGIC || reader.byte()? != VERSION {
            return Err(reader.damaged("index of this version"));
        }
        let epoch = Epoch(reader.uint()?);
        let owner = Owner(reader.fixed()?);
        let mut files = Vec::new();
        for _ in 0..reader.count()? {
            let name = reader.str()?.to_owned();
            if !is_inside(&name) {
                return Err(reader.damaged("path within a checkpoint"));
            }
            let (length, checksum) = (reader.uint()?, reader.narrow()?);
            let home = reader.str()?.to_owned();
            if parsed(&home).is_none() {
                return Err(reader.damaged("name of a checkpoint"));
            }
            let file = FileEntry {
                name,
                length,
                checksum,
            };
            files.push((file, home));
        }
        let manifest = reader.bytes()?.to_vec();
        let body = bytes.len() - reader.rest().len();
        if reader.narrow::<u32>()? != crc32fast::hash(&bytes[..body]) {
            return Err(reader.damaged("checksum of the bytes before"));
        }
        reader.end()?;
        Ok(Index {
            epoch,
            owner,
            files,
            manifest,
        })
    }
}

/// A path that leads nowhere else.
fn is_inside(name: &str) -> bool {
    let parts = name.split('/');
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    !name.contains('\\') && parts.clone().count() <= 2 && parts.into_iter().all(plain)
}

fn named(epoch: Epoch, owner: Owner) -> String {
    format!("{:08}-{owner}", epoch.0)
}

/// The checkpoint that has this name.
fn parsed(name: &str) -> Option<(Epoch, Owner)> {
    let (epoch, owner) = name.split_once('-')?;
    Some((Epoch(epoch.parse().ok()?), owner.parse().ok()?))
}

impl Share {
    /// `folder`: where the engine makes checkpoints, which holds none yet. Everyone who begins is another owner.
    pub(crate) fn new(sharing: &Sharing, folder: Folder, keep: usize) -> Share {
        Share {
            storage: Arc::clone(&sharing.storage),
            partition: sharing.partition,
            at: (sharing.group.clone(), sharing.topic.clone()),
            owner: Owner(chance()),
            folder,
            keep,
            removable: BTreeSet::new(),
            kept: VecDeque::new(),
            open: None,
        }
    }

    /// What a checkpoint that is published next is marked by.
    pub(crate) fn mark(&self, epoch: Epoch) -> Mark {
        let owner = Some(self.owner);
        Mark { epoch, owner }
    }

    /// Which partition it is.
    pub(super) fn partition(&self) -> u32 {
        self.partition
    }

    fn place(&self, checkpoint: &str, file: &str) -> String {
        format!("{}/{checkpoint}/{file}", self.partition)
    }

    /// Brings the checkpoint that counts into the folder, as one that is committed. `mark`: what outputs say, asked for after all others were fenced; without it the
    /// newest that has a note counts, for brokers forget.
    ///
    /// # Errors
    /// When it is not there, or the storage cannot be read.
    pub(crate) fn fetch(&mut self, mark: Option<Mark>) -> Result<(), Error> {
        let names = self.storage.list(&self.partition.to_string())?;
        let candidates = self.candidates(&names, mark)?;
        self.removable = names.into_iter().collect();
        let mut failed = None;
        for (number, checkpoint) in candidates.iter().enumerate() {
            let fetched = self
                .index(checkpoint)
                .and_then(|index| self.bring(&index).map(|()| index));
            match fetched {
                Ok(index) => {
                    if number > 0 {
                        self.leave_gap(mark)?;
                    }
                    tracing::info!(partition = self.partition, %checkpoint, "goes on from a checkpoint of the group");
                    self.keep_from(index, &candidates[number + 1..]);
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(partition = self.partition, %checkpoint, %error, "a checkpoint of the group cannot be used; the one before it is tried");
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => Err(Error::new(format!(
                "partition {}: {error}; none before it can be used either; see to the storage, or join as another group to begin without state",
                self.partition
            ))),
        }
    }

    /// Checkpoints that may be gone on from, the best first.
    fn candidates(&self, names: &[String], mark: Option<Mark>) -> Result<Vec<String>, Error> {
        let within = |name: &String| {
            let (checkpoint, file) = name.split_once('/')?.1.split_once('/')?;
            Some((parsed(checkpoint)?, file.to_owned()))
        };
        let found: Vec<((Epoch, Owner), String)> = names.iter().filter_map(within).collect();
        let noted = found.iter().filter(|(_, file)| file == NOTE);
        let mut noted: Vec<(Epoch, Owner)> = noted.map(|(checkpoint, _)| *checkpoint).collect();
        noted.sort_unstable();
        let mut candidates = Vec::new();
        if let Some(Mark { epoch, owner }) = mark {
            let wanted = owner.map(|owner| (epoch, owner));
            let is_there = |one: &(Epoch, Owner)| found.iter().any(|(other, _)| other == one);
            let Some(wanted) = wanted.filter(is_there) else {
                let mark = Mark { epoch, owner };
                return Err(Error::new(format!(
                    "partition {}: its outputs have committed checkpoint {mark}, which the storage has not; name the storage that this group has always had, or join as another group to begin without state",
                    self.partition
                )));
            };
            candidates.push(named(wanted.0, wanted.1));
            noted.retain(|(noted, _)| *noted < epoch);
        }
        candidates.extend(
            noted
                .into_iter()
                .rev()
                .map(|(epoch, owner)| named(epoch, owner)),
        );
        Ok(candidates)
    }

    fn index(&self, checkpoint: &str) -> Result<Index, Error> {
        let name = self.place(checkpoint, INDEX);
        let bytes = self.storage.read(&name)?;
        let bytes = bytes.ok_or_else(|| Error::new(format!("\"{name}\" is missing")))?;
        Index::decode(&bytes)
            .map_err(|damaged| Error::new(format!("\"{name}\" is damaged ({damaged})")))
    }

    /// Puts the files of a checkpoint into the folder, and looks whether they are what they were.
    fn bring(&self, index: &Index) -> Result<(), Error> {
        let to = self.folder.epoch_path(index.epoch);
        let disk = &**self.folder.disk();
        let made = disk.make_folder(&to);
        let mut things = Vec::with_capacity(index.files.len());
        let made = made.and_then(|()| {
            for (file, home) in &index.files {
                let path = to.join(&file.name);
                if let Some(folder) = path.parent() {
                    disk.make_folder(folder)?;
                }
                things.push((self.place(home, &file.name), path));
            }
            Ok(())
        });
        made.map_err(|error| self.folder.failed("made", &to, &error))?;
        let files: Vec<FileEntry> = index.files.iter().map(|(file, _)| file.clone()).collect();
        let brought = self.storage.get(&things);
        let whole = brought.and_then(|()| Ok(verify(disk, &to, &files, Depth::Bytes)?));
        // Its name makes a checkpoint of it.
        let whole = whole.and_then(|()| {
            let manifest = to.join(COMMITTED);
            let written = disk.write(&manifest, &index.manifest);
            written.map_err(|error| self.folder.failed("written", &manifest, &error))
        });
        if whole.is_err() {
            // Else it would be taken for a checkpoint.
            let removed = disk.remove(&to);
            removed.map_err(|error| self.folder.failed("removed", &to, &error))?;
        }
        whole
    }

    /// The checkpoint that outputs have committed is damaged, as one of a state folder may be: what is there of it says that it was once.
    fn leave_gap(&self, mark: Option<Mark>) -> Result<(), Error> {
        let Some(mark) = mark else { return Ok(()) };
        let path = self.folder.epoch_path(mark.epoch);
        let made = self.folder.disk().make_folder(&path);
        made.map_err(|error| self.folder.failed("made", &path, &error))
    }

    /// What is gone on from is kept, and of those before it as many as are wanted.
    fn keep_from(&mut self, index: Index, before: &[String]) {
        self.kept.push_front(index);
        for checkpoint in before.iter().take(self.keep.saturating_sub(1)) {
            match self.index(checkpoint) {
                Ok(index) => self.kept.push_front(index),
                Err(error) => {
                    tracing::warn!(partition = self.partition, %checkpoint, %error, "an older checkpoint of the group is of no use");
                }
            }
        }
    }

    /// Puts a prepared checkpoint into the storage; from then on anybody can go on from it.
    ///
    /// # Errors
    /// When it cannot be read here or kept there.
    pub(crate) fn publish(&mut self, epoch: Epoch) -> Result<(), Error> {
        let from = self.folder.epoch_path(epoch);
        let manifest = self.folder.manifest(&from)?;
        let name = named(epoch, self.owner);
        let mut fresh: Vec<(String, PathBuf)> = Vec::new();
        let mut files = Vec::new();
        let before = self.kept.back();
        for file in files_of(&manifest) {
            let known =
                before.and_then(|before| before.files.iter().find(|(known, _)| *known == file));
            let home = match known {
                Some((_, home)) if is_table(&file.name) => home.clone(),
                _ => {
                    fresh.push((self.place(&name, &file.name), from.join(&file.name)));
                    name.clone()
                }
            };
            files.push((file, home));
        }
        let index = Index {
            epoch,
            owner: self.owner,
            files,
            manifest: manifest.encode(),
        };
        self.removable
            .extend(fresh.iter().map(|(name, _)| name.clone()));
        self.storage.put(&fresh)?;
        let place = self.place(&name, INDEX);
        self.storage.write(&place, &index.encode())?;
        self.removable.insert(place);
        self.open = Some(index);
        Ok(())
    }

    /// What was published counts. Notes that, and removes what is not needed any more: if that fails, the next one does it.
    pub(crate) fn committed(&mut self) {
        let Some(index) = self.open.take() else {
            return;
        };
        let note = self.place(&index.name(), NOTE);
        if let Err(error) = self.storage.note(&note) {
            tracing::warn!(partition = self.partition, %error, "it could not be noted that a checkpoint counts");
        }
        self.removable.insert(note);
        self.kept.push_back(index);
        while self.kept.len() > self.keep {
            self.kept.pop_front();
        }
        let needed = self.needed();
        let gone = self.removable.iter().filter(|name| !needed.contains(*name));
        // Its claim to be a checkpoint goes first.
        let mut gone: Vec<String> = gone.cloned().collect();
        gone.sort_by_key(|name| !(name.ends_with(INDEX) || name.ends_with(NOTE)));
        match self.storage.remove(&gone) {
            Ok(()) => self.removable.retain(|name| needed.contains(name)),
            Err(error) => {
                tracing::warn!(partition = self.partition, %error, "checkpoints that are not needed any more could not be removed");
            }
        }
    }

    /// Names of all that checkpoints refer to which are kept.
    fn needed(&self) -> BTreeSet<String> {
        let mut needed = BTreeSet::new();
        for index in &self.kept {
            let name = index.name();
            needed.insert(self.place(&name, INDEX));
            needed.insert(self.place(&name, NOTE));
            for (file, home) in &index.files {
                needed.insert(self.place(home, &file.name));
            }
        }
        needed
    }
}

/// The files of a checkpoint by their paths in it, but for its manifest.
fn files_of(manifest: &Manifest) -> Vec<FileEntry> {
    let mut files = Vec::new();
    for (number, shard) in manifest.shards.iter().enumerate() {
        for file in &shard.files {
            let name = format!("shard-{number}/{}", file.name);
            files.push(FileEntry {
                name,
                ..file.clone()
            });
        }
    }
    files
}

/// Tables of a store never change.
fn is_table(name: &str) -> bool {
    std::path::Path::new(name)
        .extension()
        .is_some_and(|ext| ext == "sst")
}

#[cfg(test)]
#[path = "share_tests.rs"]
mod tests;
