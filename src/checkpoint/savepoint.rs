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

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::checkpoint::StoredShard;
    use crate::epoch::Epoch;
    use crate::store::files::{Known, files};
    use crate::store::{Batch, StateStore as _, memory::Memory};
    use crate::testing::choices::Choices;
    use crate::testing::disk::SimDisk;

    /// A state folder with a checkpoint of two shards.
    fn state(disk: &SimDisk) -> Folder {
        let folder = Folder::open(Path::new("/state"), disk.shared()).expect("made");
        let checkpoint = folder.epoch_path(Epoch(4));
        disk.make_folder(&checkpoint).expect("made");
        let shards = (0..2).map(|number| {
            let store = Memory::new(disk.shared());
            let mut batch = Batch::default();
            batch.put(&[number], |out| out.extend_from_slice(b"value"));
            store.write(&batch).expect("written");
            let part = Folder::store_path(&checkpoint, usize::from(number));
            store.checkpoint(&part).expect("written");
            StoredShard {
                flow: Vec::new(),
                files: files(disk, &part, &mut Known::default()).expect("readable"),
            }
        });
        let manifest = Manifest {
            epoch: Epoch(4),
            kind: Kind::Checkpoint,
            state_id: 1,
            made_ms: 0,
            ended: false,
            watermark_ms: 0,
            types: Vec::new(),
            patterns: Vec::new(),
            families: Vec::new(),
            sources: Vec::new(),
            sinks: Vec::new(),
            rows: Vec::new(),
            shards: shards.collect(),
        };
        folder.prepare(&manifest).expect("written");
        folder.commit(Epoch(4)).expect("written");
        disk.sync(Path::new("/")).expect("written");
        folder
    }

    fn is_whole(folder: &Folder, path: &Path) -> bool {
        let Ok(manifest) = folder.manifest(path) else {
            return false;
        };
        let mut shards = manifest.shards.iter().enumerate();
        manifest.kind == Kind::Savepoint
            && shards.all(|(number, shard)| {
                let store = Folder::store_path(path, number);
                verify(&**folder.disk(), &store, &shard.files, Depth::Bytes).is_ok()
            })
    }

    #[test]
    fn a_savepoint_that_counts_is_whole_wherever_the_machine_goes_down() {
        let to = Path::new("/state/savepoints/one");
        let quiet = SimDisk::new();
        let folder = state(&quiet);
        let before = quiet.operations();
        folder
            .save(&folder.epoch_path(Epoch(4)), to)
            .expect("written");
        let operations = quiet.operations() - before;
        assert!(is_whole(&folder, to));
        let mut counted = 0;
        for operation in 0..operations {
            for seed in 0..20 {
                let disk = SimDisk::new();
                let folder = state(&disk);
                disk.crash_after(operation);
                let saved = folder.save(&folder.epoch_path(Epoch(4)), to);
                disk.crash(&mut Choices::from_seed(seed));
                disk.calm();
                if folder.is_committed(to) {
                    counted += 1;
                    assert!(is_whole(&folder, to), "{operation} {seed}");
                    continue;
                }
                assert!(saved.is_err(), "{operation} {seed}: it said that it counts");
                // What is left is in nobody's way.
                let again = folder.save(&folder.epoch_path(Epoch(4)), to);
                again.unwrap_or_else(|error| panic!("{operation} {seed}: {error}"));
                assert!(is_whole(&folder, to), "{operation} {seed}");
            }
        }
        assert!(counted > 0, "some crashes come after the rename");
    }

    #[test]
    fn nothing_is_overwritten_and_no_damage_is_saved() {
        let disk = SimDisk::new();
        let folder = state(&disk);
        let checkpoint = folder.epoch_path(Epoch(4));
        let told = |to: &str| {
            folder
                .save(&checkpoint, Path::new(to))
                .map_err(|error| error.to_string())
        };
        assert!(told("/one").is_ok());
        assert!(told("/one").is_err_and(|told| told.contains("is there already")));
        disk.make_folder(Path::new("/mine")).expect("made");
        disk.write(Path::new("/mine/letter"), b"dear")
            .expect("written");
        assert!(told("/mine").is_err_and(|told| told.contains("something else lies there")));
        let file = Folder::store_path(&checkpoint, 1).join("memory");
        disk.append(&file, b"x").expect("written");
        assert!(told("/two").is_err_and(|told| told.contains("not as it was written")));
        assert!(!folder.is_committed(Path::new("/two")));
    }
}
