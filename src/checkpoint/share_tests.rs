//! Owners that come after each other, one that does not know that it is over, and what they leave.

use std::path::Path;

use super::super::{SharedFolder, StoredShard};
use super::*;
use crate::disk::SystemDisk;

/// Storage of a group, and folders on machines.
struct Place {
    folder: tempfile::TempDir,
    keep: usize,
}

/// An owner of partition 3.
struct Owned {
    share: Share,
    folder: Folder,
    /// What its store holds: number and bytes of each table.
    tables: Vec<(u32, String)>,
    epoch: u64,
    /// The newest that it committed.
    mark: Option<Mark>,
}

impl Place {
    fn new(keep: usize) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        Place { folder, keep }
    }

    fn storage(&self) -> SharedStorage {
        let path = self.folder.path().join("shared");
        Arc::new(SharedFolder::open(&path, SystemDisk::shared()).expect("made"))
    }

    fn names(&self) -> Vec<String> {
        self.storage().list("3").expect("listed")
    }

    /// Somebody who takes the partition over.
    fn owner(&self, mark: Option<Mark>) -> Result<Owned, Error> {
        let here = format!("machine-{:016x}", chance());
        let here = self.folder.path().join(here);
        let folder = Folder::open(&here, SystemDisk::shared()).expect("made");
        let sharing = Sharing {
            storage: self.storage(),
            group: "g".to_owned(),
            topic: "cards".to_owned(),
            partition: 3,
        };
        let mut share = Share::new(&sharing, folder.clone(), self.keep);
        share.fetch(mark)?;
        let newest = folder.checkpoints().expect("read").into_iter();
        let newest = newest
            .filter(|found| found.committed)
            .max_by_key(|found| found.epoch);
        let epoch = newest.as_ref().map_or(0, |found| found.epoch.0);
        let tables = newest.map_or_else(Vec::new, |found| tables(&found.path.join("shard-0")));
        Ok(Owned {
            share,
            folder,
            tables,
            epoch,
            mark,
        })
    }
}

/// The tables of a store that was fetched.
fn tables(path: &Path) -> Vec<(u32, String)> {
    let names = SystemDisk::shared().list(path).expect("read").into_iter();
    let table = |name: String| {
        let number = name.strip_suffix(".sst")?.parse().ok()?;
        Some((
            number,
            std::fs::read_to_string(path.join(&name)).expect("text"),
        ))
    };
    names.filter_map(table).collect()
}

impl Owned {
    fn published(&mut self, tables: &[(u32, &str)]) -> Mark {
        self.tables = tables
            .iter()
            .map(|(number, text)| (*number, (*text).to_owned()))
            .collect();
        self.epoch += 1;
        let epoch = Epoch(self.epoch);
        let store = self.folder.epoch_path(epoch).join("shard-0");
        std::fs::create_dir_all(&store).expect("made");
        std::fs::write(store.join("CURRENT"), format!("{epoch}")).expect("written");
        for (number, text) in &self.tables {
            std::fs::write(store.join(format!("{number}.sst")), text).expect("written");
        }
        let disk = SystemDisk::shared();
        let known = &mut crate::store::files::Known::default();
        let files = crate::store::files::files(&*disk, &store, known).expect("read");
        self.folder
            .prepare(&manifest(epoch, files))
            .expect("prepared");
        self.share.publish(epoch).expect("published");
        self.share.mark(epoch)
    }

    fn commit(&mut self, tables: &[(u32, &str)]) -> Mark {
        let mark = self.published(tables);
        self.share.committed();
        self.folder.commit(mark.epoch).expect("committed");
        self.mark = Some(mark);
        mark
    }

    fn holds(&self, wanted: &[(u32, &str)]) {
        let tables: Vec<(u32, &str)> = (self.tables.iter())
            .map(|(number, text)| (*number, text.as_str()))
            .collect();
        assert_eq!(tables, wanted);
    }
}

fn manifest(epoch: Epoch, files: Vec<FileEntry>) -> Manifest {
    Manifest {
        shards: vec![StoredShard {
            flow: Vec::new(),
            files,
        }],
        ..Manifest::bare(epoch)
    }
}

#[test]
fn the_next_owner_goes_on_from_what_the_mark_names() {
    let place = Place::new(3);
    let mut first = place.owner(None).expect("nothing is there");
    first.holds(&[]);
    first.commit(&[(1, "a")]);
    let mark = first.commit(&[(1, "a"), (2, "b")]);
    // Never committed: the process was killed.
    first.published(&[(1, "a"), (3, "lost")]);
    let mut second = place.owner(Some(mark)).expect("fetched");
    second.holds(&[(1, "a"), (2, "b")]);
    // What the killed one has left takes the same number and the same names, and is in nobody's way.
    let mark = second.commit(&[(1, "a"), (3, "found")]);
    let third = place.owner(Some(mark)).expect("fetched");
    third.holds(&[(1, "a"), (3, "found")]);
    assert_eq!(third.epoch, 3);
}

#[test]
fn tables_that_were_there_before_are_not_written_again() {
    let place = Place::new(3);
    let mut owner = place.owner(None).expect("nothing is there");
    owner.commit(&[(1, "a")]);
    owner.commit(&[(1, "a"), (2, "b")]);
    let mut next = place.owner(owner.mark).expect("fetched");
    next.commit(&[(1, "a"), (2, "b"), (4, "c")]);
    let names = place.names();
    for table in ["/1.sst", "/2.sst", "/4.sst"] {
        assert_eq!(names.iter().filter(|name| name.ends_with(table)).count(), 1);
    }
}

#[test]
fn what_no_kept_checkpoint_refers_to_is_removed_whoever_wrote_it() {
    let place = Place::new(1);
    let mut first = place.owner(None).expect("nothing is there");
    first.commit(&[(1, "a"), (2, "b")]);
    first.commit(&[(1, "a"), (3, "c")]);
    let names = place.names();
    assert!(
        names.iter().all(|name| !name.ends_with("/2.sst")),
        "{names:?}"
    );
    // Killed while it wrote: no index.
    let mark = first.mark;
    first.published(&[(9, "torn")]);
    let mut second = place.owner(mark).expect("fetched");
    second.commit(&[(4, "d")]);
    let names = place.names();
    let ends: Vec<&str> = names
        .iter()
        .filter_map(|name| name.rsplit('/').next())
        .collect();
    assert_eq!(ends, ["committed", "index", "4.sst", "CURRENT"]);
}

#[test]
fn one_that_does_not_know_that_it_is_over_takes_nothing_away() {
    let place = Place::new(1);
    let mut first = place.owner(None).expect("nothing is there");
    first.commit(&[(1, "a")]);
    // Its transaction has committed, and it has not come to tidying up.
    let mark = first.published(&[(1, "a"), (2, "b")]);
    let mut second = place.owner(Some(mark)).expect("fetched");
    second.holds(&[(1, "a"), (2, "b")]);
    let newer = second.commit(&[(1, "a"), (2, "b"), (3, "c")]);
    first.share.committed();
    let third = place.owner(Some(newer)).expect("fetched");
    third.holds(&[(1, "a"), (2, "b"), (3, "c")]);
}

#[test]
fn a_mark_that_brokers_forgot_is_made_up_for_by_the_note() {
    let place = Place::new(3);
    let mut first = place.owner(None).expect("nothing is there");
    first.commit(&[(1, "a")]);
    first.published(&[(2, "never committed")]);
    place.owner(None).expect("fetched").holds(&[(1, "a")]);
}

#[test]
fn a_checkpoint_that_is_damaged_gives_way_to_the_one_before() {
    let place = Place::new(3);
    let mut owner = place.owner(None).expect("nothing is there");
    owner.commit(&[(1, "a")]);
    let mark = owner.commit(&[(1, "a"), (2, "b")]);
    let names = place.names();
    let damage = |ending: &str| {
        let name = names.iter().find(|name| name.ends_with(ending));
        let path = place
            .folder
            .path()
            .join("shared")
            .join(name.expect("there"));
        // Not through a second name of the same bytes.
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "X").expect("written");
    };
    damage("/2.sst");
    let mut next = place.owner(Some(mark)).expect("fetched");
    next.holds(&[(1, "a")]);
    let mark = next.commit(&[(1, "a"), (5, "e")]);
    damage("/1.sst");
    let error = place.owner(Some(mark)).err().expect("nothing is left");
    assert!(error.to_string().contains("checksum"), "{error}");
    assert!(
        error.to_string().contains("join as another group"),
        "{error}"
    );
}

#[test]
fn storage_that_lacks_what_is_committed_is_refused() {
    let place = Place::new(3);
    let mark = Place::new(3)
        .owner(None)
        .expect("nothing")
        .commit(&[(1, "a")]);
    let error = place.owner(Some(mark)).err().expect("it is elsewhere");
    let told = format!("have committed checkpoint {mark}, which the storage has not");
    assert!(error.to_string().contains(&told), "{error}");
}

#[test]
fn an_index_is_read_back_and_no_other_bytes_are() {
    let file = |name: &str| FileEntry {
        name: name.to_owned(),
        length: 300,
        checksum: 7,
    };
    let index = Index {
        epoch: Epoch(42),
        owner: Owner(0x5f0c_8a1b_e2d4_7c90),
        files: vec![(
            file("shard-0/000012.sst"),
            "00000041-00000000000000aa".to_owned(),
        )],
        manifest: b"m".to_vec(),
    };
    let bytes = index.encode();
    assert_eq!(Index::decode(&bytes), Ok(index.clone()));
    assert_eq!(index.name(), "00000042-5f0c8a1be2d47c90");
    assert_eq!(parsed(&index.name()), Some((index.epoch, index.owner)));
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert!(Index::decode(&other).is_err(), "byte {at}");
        assert!(Index::decode(&bytes[..at]).is_err(), "up to {at}");
    }
    for outside in ["../x", "/x", "a/../b", "a/b/c", ""] {
        let index = Index {
            files: vec![(file(outside), index.name())],
            ..index.clone()
        };
        assert!(Index::decode(&index.encode()).is_err(), "{outside}");
    }
}
