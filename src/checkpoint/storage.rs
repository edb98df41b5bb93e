//! Storage that all instances of a group can reach: where checkpoints lie between one who has a partition and the next.
//!
//! It keeps whole things under names, and knows nothing of what they are. A thing that is there is never changed, but for what [`Storage::write`] replaces as a whole; so a
//! reader sees all of it or nothing.

use std::fmt;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Error;
use super::folder::new_folders;
use crate::disk::SharedDisk;

/// Things by name. Names are parts with `/` between them: `3/00000042-5f0c8a1be2d47c90/shard-0/000012.sst`.
///
/// What has come back from [`put`](Storage::put) and [`write`](Storage::write) is durable, and everybody sees it.
pub trait Storage: Send + Sync + fmt::Debug {
    /// Takes files under names that nothing has yet. They are durable, and never change.
    ///
    /// # Errors
    /// When one cannot be read or kept.
    fn put(&self, files: &[(String, PathBuf)]) -> Result<(), Error>;

    /// Keeps a few bytes under a name, also where there is something already.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error>;

    /// Keeps nothing but a name, which may be lost if the machine goes down right after.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn note(&self, name: &str) -> Result<(), Error>;

    /// Gives things out into files, whose folders are there and which are not there yet. They need not be durable.
    ///
    /// # Errors
    /// When one is not there, or cannot be read or written.
    fn get(&self, things: &[(String, PathBuf)]) -> Result<(), Error>;

    /// The bytes under a name; `None`: nothing is there.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// All names that begin with these parts, sorted.
    ///
    /// # Errors
    /// When they cannot be found out.
    fn list(&self, under: &str) -> Result<Vec<String>, Error>;

    /// Removes things. What is not there any more is fine.
    ///
    /// # Errors
    /// When one cannot be removed.
    fn remove(&self, names: &[String]) -> Result<(), Error>;
}

/// The thing in a group's storage that says whose it is.
pub(crate) const CLAIM: &str = "group";

/// A partition whose checkpoints lie in storage that others reach, too.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "kafka"), allow(dead_code))]
pub(crate) struct Sharing {
    pub storage: SharedStorage,
    /// The group that the instances are.
    pub group: String,
    /// The topic whose partitions the group shares.
    pub topic: String,
    pub partition: u32,
}

/// Storage that several partitions use.
pub type SharedStorage = Arc<dyn Storage>;

/// A folder that all instances have mounted, or on the one machine where all of them run.
///
/// A file that lies in the same file system gets a second name (a hard link) instead of being copied; what is put here never changes, nor does what is got from here.
#[derive(Debug)]
pub struct SharedFolder {
    path: PathBuf,
    disk: SharedDisk,
}

impl SharedFolder {
    /// A folder, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path, disk: SharedDisk) -> Result<SharedFolder, Error> {
        let above = new_folders(&*disk, path);
        let folder = SharedFolder {
            path: path.to_owned(),
            disk,
        };
        let made = folder.disk.make_folder(path);
        let made = made.and_then(|()| above.iter().try_for_each(|above| folder.disk.sync(above)));
        made.map_err(|error| folder.failed("made", path, &error))?;
        Ok(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the folder of a name, with those above it as far as they are new.
    fn make_room(&self, path: &Path) -> io::Result<()> {
        let Some(folder) = path.parent() else {
            return Ok(());
        };
        if self.disk.entry(folder)?.is_some() {
            return Ok(());
        }
        let new = new_folders(&*self.disk, folder);
        self.disk.make_folder(folder)?;
        new.iter().try_for_each(|above| self.disk.sync(above))
    }

    fn put_one(&self, path: &Path, from: &Path) -> io::Result<()> {
        self.make_room(path)?;
        // A second name of bytes that are durable needs nothing more; a copy does.
        match fs::hard_link(from, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(_) => {
                let mut copy = fs::File::create_new(path)?;
                io::copy(&mut fs::File::open(from)?, &mut copy)?;
                copy.sync_all()
            }
        }
    }

    fn sync_folders(&self, files: &[(String, PathBuf)]) -> io::Result<()> {
        let mut folders: Vec<PathBuf> = (files.iter())
            .filter_map(|(name, _)| Some(self.path(name).parent()?.to_owned()))
            .collect();
        folders.sort_unstable();
        folders.dedup();
        folders.iter().try_for_each(|folder| self.disk.sync(folder))
    }

    fn collect(&self, name: &str, names: &mut Vec<String>) -> io::Result<()> {
        use crate::disk::Entry;
        match self.disk.entry(&self.path(name))? {
            None | Some(Entry::Other) => {}
            Some(Entry::File) => names.push(name.to_owned()),
            Some(Entry::Folder) => {
                let held = match self.disk.list(&self.path(name)) {
                    // Another instance has removed it just now.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                    held => held?,
                };
                for one in held {
                    self.collect(&format!("{name}/{one}"), names)?;
                }
            }
        }
        Ok(())
    }

    /// Removes a thing, and folders that hold nothing any more, but for those that are next to the root: others may be about to write there.
    fn remove_one(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        self.disk.remove(&path)?;
        let deep = |folder: &&Path| {
            let inside = folder.strip_prefix(&self.path);
            inside.is_ok_and(|inside| inside.components().count() > 1)
        };
        for folder in path.ancestors().skip(1).take_while(deep) {
            let held = self.disk.list(folder);
            if !held.is_ok_and(|held| held.is_empty()) {
                break;
            }
            self.disk.remove(folder)?;
        }
        Ok(())
    }

    fn failed(&self, doing: &str, path: &Path, error: &io::Error) -> Error {
        Error::new(format!(
            "storage \"{}\": {} cannot be {doing}: {error}; see to space, permission and whether it is mounted, or name another folder",
            self.path.display(),
            path.display()
        ))
    }
}

/// A number that nobody else has.
pub(crate) fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl Storage for SharedFolder {
    fn put(&self, files: &[(String, PathBuf)]) -> Result<(), Error> {
        for (name, from) in files {
            let path = self.path(name);
            let put = self.put_one(&path, from);
            put.map_err(|error| self.failed("written", &path, &error))?;
        }
        let synced = self.sync_folders(files);
        synced.map_err(|error| self.failed("written", &self.path, &error))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(name);
        // Others may write the same thing at the same time.
        let fresh = path.with_extension(format!("new-{:016x}", chance()));
        let written = self
            .make_room(&path)
            .and_then(|()| self.disk.write(&fresh, bytes))
            .and_then(|()| self.disk.sync(&fresh))
            .and_then(|()| self.disk.rename(&fresh, &path))
            .and_then(|()| {
                path.parent()
                    .map_or(Ok(()), |folder| self.disk.sync(folder))
            });
        written.map_err(|error| self.failed("written", &path, &error))
    }

    fn note(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        let noted = self.disk.write(&path, b"");
        noted.map_err(|error| self.failed("written", &path, &error))
    }

    fn get(&self, things: &[(String, PathBuf)]) -> Result<(), Error> {
        for (name, to) in things {
            let path = self.path(name);
            let got = self.disk.link(&path, to);
            got.map_err(|error| self.failed("read", &path, &error))?;
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(name);
        match self.disk.read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", &path, &error)),
        }
    }

    fn list(&self, under: &str) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        let collected = self.collect(under, &mut names);
        collected.map_err(|error| self.failed("read", &self.path(under), &error))?;
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&self, names: &[String]) -> Result<(), Error> {
        for name in names {
            let removed = self.remove_one(name);
            removed.map_err(|error| self.failed("removed", &self.path(name), &error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SystemDisk;

    #[test]
    fn what_is_put_is_found_under_its_name_until_it_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/shared");
        let storage = SharedFolder::open(&path, SystemDisk::shared()).expect("made");
        let here = folder.path().join("here");
        std::fs::write(&here, "bytes").expect("written");
        let file = |name: &str| vec![(name.to_owned(), here.clone())];
        storage.put(&file("3/1-a/shard-0/1.sst")).expect("put");
        storage.write("3/1-a/index", b"old").expect("written");
        storage.write("3/1-a/index", b"new").expect("written");
        storage.write("group", b"g").expect("written");
        assert_eq!(
            storage.list("3").expect("listed"),
            ["3/1-a/index", "3/1-a/shard-0/1.sst"]
        );
        assert_eq!(storage.list("4").expect("listed"), Vec::<String>::new());
        assert_eq!(storage.read("3/1-a/index"), Ok(Some(b"new".to_vec())));
        assert_eq!(storage.read("3/none"), Ok(None));
        let got = folder.path().join("got");
        let thing = [("3/1-a/shard-0/1.sst".to_owned(), got.clone())];
        storage.get(&thing).expect("got");
        assert_eq!(std::fs::read(&got).expect("there"), b"bytes");
        // A name is used once: nobody writes where another has written.
        assert!(storage.put(&file("3/1-a/shard-0/1.sst")).is_err());
        let all = storage.list("3").expect("listed");
        storage.remove(&all).expect("removed");
        storage.remove(&all).expect("removed already");
        assert!(!path.join("3/1-a").exists());
        assert_eq!(storage.list("3").expect("listed"), Vec::<String>::new());
        assert!(path.join("group").exists());
        let missing = storage.get(&[("3/no".to_owned(), folder.path().join("x"))]);
        let error = missing.expect_err("nothing is there").to_string();
        assert!(error.starts_with("storage \""), "{error}");
    }
}
