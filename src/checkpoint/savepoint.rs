//! Savepoints: checkpoints that a person asked for, in a folder of their own, which nobody removes.
//!
//! Asking and taking are apart. Who wants one asks the run that uses the state folder, if there is one, to end its epoch now: by a file whose name begins with `wanted-`,
//! which the run removes once an epoch is committed that it opened after it saw the file. Then, as with a folder that nobody uses, the newest checkpoint is given second
//! names elsewhere, by hard links as far as the disk has them. A savepoint counts once its manifest has its name.

use std::path::{Path, PathBuf};

use super::folder::{COMMITTED, PREPARED, new_folders};
use super::{Error, Folder, Kind, Manifest};
use crate::disk::Disk;
use crate::store::files::{Depth, verify};

/// What names of requests begin with.
const REQUEST: &str = "wanted-";

impl Folder {
    /// Asks the run that uses the folder for a checkpoint that begins from now on. `who`: text that no other request has at the same time. Gives back what
    /// [`Folder::is_answered`] wants to know.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn ask(&self, who: &str) -> Result<PathBuf, Error> {
        let path = self.path().join(format!("{REQUEST}{who}"));
        let written = self.disk().write(&path, b"");
        written.map_err(|error| self.failed("written", &path, &error))?;
        Ok(path)
    }

    /// True once a checkpoint is committed that began after this was asked.
    #[must_use]
    pub fn is_answered(&self, request: &Path) -> bool {
        self.disk().length(request).is_err()
    }

    /// Takes a request back.
    pub fn unask(&self, request: &Path) {
        // Else a run makes a checkpoint that nobody needs.
        let _ = self.disk().remove(request);
    }

    /// What is asked for just now.
    pub(crate) fn requests(&self) -> Vec<PathBuf> {
        let names = self.disk().list(self.path()).unwrap_or_default();
        let wanted = names.iter().filter(|name| name.starts_with(REQUEST));
        wanted.map(|name| self.path().join(name)).collect()
    }

    /// Makes a savepoint of a committed checkpoint at a path where nothing lies yet, but perhaps what was left of one that came to nothing. All of its bytes are read, so
    /// that it is known to be whole. The savepoint has the epoch of the checkpoint.
    ///
    /// # Errors
    /// When the checkpoint is damaged, something lies there already, or it cannot be written.
    pub fn save(&self, checkpoint: &Path, to: &Path) -> Result<Manifest, Error> {
        let shown = to.display();
        if self.is_committed(to) {
            return Err(Error::new(format!(
                "savepoint \"{shown}\" is there already; give it another name"
            )));
        }
        let disk = &**self.disk();
        if disk.entry(to).is_ok_and(|found| found.is_some()) && !is_leftover(disk, to) {
            return Err(Error::new(format!(
                "savepoint \"{shown}\" cannot be written: something else lies there; give it another name"
            )));
        }
        let mut manifest = self.manifest(checkpoint)?;
        manifest.kind = Kind::Savepoint;
        let new = new_folders(disk, to);
        let written = disk.remove(to).and_then(|()| {
            disk.make_folder(to)?;
            // From here on it can be told from what is none of ours.
            disk.write(&to.join(PREPARED), &manifest.encode())?;
            for (number, shard) in manifest.shards.iter().enumerate() {
                let from = Folder::store_path(checkpoint, number);
                let store = Folder::store_path(to, number);
                disk.make_folder(&store)?;
                for file in &shard.files {
                    let path = store.join(&file.name);
                    disk.link(&from.join(&file.name), &path)?;
                    disk.sync(&path)?;
                }
                disk.sync(&store)?;
            }
            Ok(())
        });
        let failed = |error| self.failed("written", to, &error);
        written.map_err(failed)?;
        for (number, shard) in manifest.shards.iter().enumerate() {
            let store = Folder::store_path(to, number);
            verify(disk, &store, &shard.files, Depth::Bytes)?;
        }
        let (prepared, committed) = (to.join(PREPARED), to.join(COMMITTED));
        let named = disk
            .sync(&prepared)
            .and_then(|()| disk.sync(to))
            .and_then(|()| new.iter().try_for_each(|above| disk.sync(above)))
            .and_then(|()| disk.rename(&prepared, &committed))
            .and_then(|()| disk.sync(to));
        named.map_err(failed)?;
        Ok(manifest)
    }
}

/// True if a folder is what was left of a savepoint that came to nothing: no manifest that counts, and nothing that is none of ours.
fn is_leftover(disk: &dyn Disk, path: &Path) -> bool {
    let Ok(names) = disk.list(path) else {
        return false;
    };
    let ours = |name: &String| *name == PREPARED || name.starts_with("shard-");
    names.iter().all(ours)
}
