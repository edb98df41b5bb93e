//! A savepoint counts or does not, wherever the machine goes down.

use std::path::Path;

use super::{Folder, Kind, Manifest};
use crate::checkpoint::StoredShard;
use crate::disk::Disk as _;
use crate::epoch::Epoch;
use crate::store::files::{Depth, Known, files, verify};
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
        state_id: 1,
        shards: shards.collect(),
        ..Manifest::bare(Epoch(4))
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
