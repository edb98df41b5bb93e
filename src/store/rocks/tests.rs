//! What holds of the store on disk alone.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::disk::{Disk as _, SystemDisk};
use crate::key::Shards;

fn tuning() -> Tuning {
    Tuning::new(0, Shards::ONE)
}

fn put(store: &Rocks, keys: Range<u32>, value: &[u8]) {
    let mut batch = Batch::default();
    for key in keys {
        batch.put(&key.to_be_bytes(), |out| out.extend_from_slice(value));
    }
    store.write(&batch).unwrap();
}

fn remove(store: &Rocks, keys: Range<u32>) {
    let mut batch = Batch::default();
    keys.for_each(|key| batch.remove(&key.to_be_bytes()));
    store.write(&batch).unwrap();
}

fn count(store: &Rocks) -> u32 {
    let mut count = 0;
    let mut visit = |_: &[u8], _: &[u8]| {
        count += 1;
        Ok(())
    };
    store.scan(&[][..]..&[0xff; 5][..], &mut visit).unwrap();
    count
}

/// Names, and of each file what tells it from all others and whether it was touched.
fn look(folder: &Path) -> Vec<(String, u64, u64, i64)> {
    let names = SystemDisk.list(folder).unwrap();
    let about = names.into_iter().map(|name| {
        let about = fs::metadata(folder.join(&name)).unwrap();
        (name, about.ino(), about.len(), about.mtime_nsec())
    });
    about.collect()
}

fn tables(folder: &Path) -> Vec<(String, u64)> {
    let files = look(folder).into_iter();
    files
        .filter(|(name, ..)| name.ends_with(".sst"))
        .map(|(name, number, ..)| (name, number))
        .collect()
}

#[test]
fn a_checkpoint_shares_the_tables_that_did_not_change() {
    let folder = TempDir::new().unwrap();
    let (live, first, second) = (
        folder.path().join("live"),
        folder.path().join("1"),
        folder.path().join("2"),
    );
    let store = Rocks::create(&live, &tuning()).unwrap();
    put(&store, 0..1_000, b"first");
    store.checkpoint(&first).unwrap();
    put(&store, 1_000..1_010, b"second");
    store.checkpoint(&second).unwrap();
    let (old, new) = (tables(&first), tables(&second));
    assert_eq!((old.len(), new.len()), (1, 2));
    assert!(new.contains(&old[0]));
    drop(store);
    // Nor does restoring copy one.
    let store = Rocks::restore(&second, &live, &tuning()).unwrap();
    assert_eq!(tables(&live), new);
    assert_eq!(count(&store), 1_010);
}

#[test]
fn a_checkpoint_without_links_is_the_same() {
    let folder = TempDir::new().unwrap();
    let (live, checkpoint) = (folder.path().join("live"), folder.path().join("1"));
    let store = Rocks::create(&live, &tuning()).unwrap();
    // Enough for tables to be merged while it copies.
    for round in 0..40_u8 {
        put(&store, 0..2_000, &[round; 100]);
        store.db.flush().unwrap();
    }
    let target = folder::Target::new(&checkpoint).unwrap();
    store.copy_to(&target).unwrap();
    assert!(
        tables(&checkpoint)
            .iter()
            .all(|table| !tables(&live).contains(table))
    );
    // It merges again.
    for round in 40..80_u8 {
        put(&store, 0..2_000, &[round; 100]);
        store.db.flush().unwrap();
    }
    store
        .db
        .wait_for_compact(&WaitForCompactOptions::default())
        .unwrap();
    assert!(tables(&live).len() < 20, "{:?}", tables(&live));
    drop(store);
    let store = Rocks::restore(&checkpoint, &live, &tuning()).unwrap();
    assert_eq!(count(&store), 2_000);
    let value = store.get_all(&[&7_u32.to_be_bytes()]).unwrap().remove(0);
    assert_eq!(value, Some(vec![39; 100]));
}

/// On Linux, this is another file system than that of temporary files, mostly.
#[test]
fn a_checkpoint_on_another_file_system_is_copied_and_restored_from_there() {
    let folder = TempDir::new().unwrap();
    let live = folder.path().join("live");
    let Ok(other) = TempDir::new_in("/dev/shm") else {
        return;
    };
    let store = Rocks::create(&live, &tuning()).unwrap();
    put(&store, 0..100, b"x");
    let (first, second) = (other.path().join("1"), other.path().join("2"));
    store.checkpoint(&first).unwrap();
    put(&store, 100..200, b"x");
    store.checkpoint(&second).unwrap();
    assert_eq!(SystemDisk.list(other.path()).unwrap(), ["1", "2"]);
    drop(store);
    let store = Rocks::restore(&first, &live, &tuning()).unwrap();
    assert_eq!(count(&store), 100);
    drop(store);
    let store = Rocks::restore(&second, &live, &tuning()).unwrap();
    assert_eq!(count(&store), 200);
}

#[test]
fn reading_a_checkpoint_where_it_lies_changes_nothing_there() {
    let folder = TempDir::new().unwrap();
    let (live, checkpoint) = (folder.path().join("live"), folder.path().join("1"));
    let store = Rocks::create(&live, &tuning()).unwrap();
    put(&store, 0..1_000, b"x");
    remove(&store, 0..10);
    store.checkpoint(&checkpoint).unwrap();
    put(&store, 0..10, b"x");
    let before = look(&checkpoint);
    let readers = [(); 2].map(|()| Rocks::open_read_only(&checkpoint, &tuning()).unwrap());
    for reader in &readers {
        assert_eq!(count(reader), 990);
        let asked: Vec<[u8; 4]> = (0..20).map(u32::to_be_bytes).collect();
        let asked: Vec<&[u8]> = asked.iter().map(|key| &key[..]).collect();
        let found = reader.get_all(&asked).unwrap();
        assert_eq!(found.iter().filter(|value| value.is_some()).count(), 10);
        let error = reader.write(&Batch::default()).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "cannot be written: it is open for reading only; restore it to a folder of its own"
            ),
            "{error}"
        );
        assert!(reader.checkpoint(&folder.path().join("2")).is_err());
    }
    drop(readers);
    assert_eq!(look(&checkpoint), before);
}

#[test]
fn a_store_that_is_open_is_not_replaced() {
    let folder = TempDir::new().unwrap();
    let (live, checkpoint) = (folder.path().join("live"), folder.path().join("1"));
    let store = Rocks::create(&live, &tuning()).unwrap();
    put(&store, 0..1_000, b"x");
    store.checkpoint(&checkpoint).unwrap();
    for second in [
        Rocks::create(&live, &tuning()),
        Rocks::restore(&checkpoint, &live, &tuning()),
    ] {
        let error = second
            .err()
            .map(|error| (error.is_damaged(), error.to_string()));
        assert!(
            matches!(&error, Some((false, text)) if text.ends_with("it is open in this process or another one; stop that one, or choose another folder")),
            "{error:?}"
        );
    }
    assert_eq!(count(&store), 1_000);
    drop(store);
    assert_eq!(count(&Rocks::create(&live, &tuning()).unwrap()), 0);
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let (live, checkpoint) = (folder.path().join("live"), folder.path().join("1"));
    let store = Rocks::create(&live, &tuning()).unwrap();
    put(&store, 0..10, b"x");
    store.checkpoint(&checkpoint).unwrap();
    drop(store);
    // A checkpoint is not a live folder, even though RocksDB could open it.
    let before = look(&checkpoint);
    let error = Rocks::create(&checkpoint, &tuning())
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with(".log\", which is no live store's; give the store a folder of its own"),
        "{error}"
    );
    assert_eq!(look(&checkpoint), before);

    fs::write(live.join("letter.txt"), "dear").unwrap();
    let error = Rocks::restore(&checkpoint, &live, &tuning())
        .unwrap_err()
        .to_string();
    assert!(error.contains("letter.txt"), "{error}");
    assert_eq!(fs::read(live.join("letter.txt")).unwrap(), b"dear");
    fs::remove_file(live.join("letter.txt")).unwrap();
    assert_eq!(
        count(&Rocks::restore(&checkpoint, &live, &tuning()).unwrap()),
        10
    );
}

#[test]
fn closing_writes_nothing_of_what_was_not_in_a_checkpoint() {
    let folder = TempDir::new().unwrap();
    let live = folder.path().join("live");
    let store = Rocks::create(&live, &tuning()).unwrap();
    put(&store, 0..1_000, b"x");
    drop(store);
    assert_eq!(tables(&live), []);
}

#[test]
fn a_restore_that_was_cut_short_is_begun_again() {
    let folder = TempDir::new().unwrap();
    let (live, checkpoint) = (folder.path().join("live"), folder.path().join("1"));
    let store = Rocks::create(&live, &tuning()).unwrap();
    put(&store, 0..10, b"x");
    store.checkpoint(&checkpoint).unwrap();
    drop(store);
    folder::clear(&live).unwrap();
    folder::fill(&live, &checkpoint).unwrap();
    let missing = tables(&live).remove(0).0;
    fs::remove_file(live.join(missing)).unwrap();
    assert_eq!(
        count(&Rocks::restore(&checkpoint, &live, &tuning()).unwrap()),
        10
    );
}

#[test]
fn damage_inside_a_table_is_an_error_of_reading_and_never_a_wrong_value() {
    let folder = TempDir::new().unwrap();
    let (live, checkpoint) = (folder.path().join("live"), folder.path().join("1"));
    let store = Rocks::create(&live, &tuning()).unwrap();
    put(&store, 0..10_000, b"some value");
    store.checkpoint(&checkpoint).unwrap();
    drop(store);
    let table = checkpoint.join(&tables(&checkpoint)[0].0);
    let mut bytes = fs::read(&table).unwrap();
    bytes[100] ^= 1;
    fs::write(&table, bytes).unwrap();
    let store = Rocks::open_read_only(&checkpoint, &tuning()).unwrap();
    let mut visit = |_: &[u8], value: &[u8]| {
        assert_eq!(value, b"some value");
        Ok(())
    };
    let error = store.scan(&[][..]..&[0xff][..], &mut visit).unwrap_err();
    assert!(error.is_damaged(), "{error}");
    for keys in [1, 50] {
        let asked: Vec<[u8; 4]> = (0..keys).map(u32::to_be_bytes).collect();
        let asked: Vec<&[u8]> = asked.iter().map(|key| &key[..]).collect();
        assert!(store.get_all(&asked).unwrap_err().is_damaged());
    }
}

#[test]
fn keys_that_are_gone_cost_a_scan_little() {
    let folder = TempDir::new().unwrap();
    let store = Rocks::create(&folder.path().join("live"), &tuning()).unwrap();
    put(&store, 0..200_000, b"x");
    store.checkpoint(&folder.path().join("1")).unwrap();
    remove(&store, 0..199_990);
    store.checkpoint(&folder.path().join("2")).unwrap();
    // Nearly nothing of 200,000 keys and their removals is left, though nobody asked for it. What is to be compacted next is found out behind each compaction.
    let entries = || -> u64 {
        let tables = store.db.live_files().unwrap();
        tables.iter().map(|table| table.num_entries).sum()
    };
    let late = Instant::now() + Duration::from_secs(60);
    while entries() >= 20_000 {
        assert!(Instant::now() < late, "{} entries for 10 keys", entries());
        let options = WaitForCompactOptions::default();
        store.db.wait_for_compact(&options).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(count(&store), 10);
}

#[test]
fn errors_of_the_system_name_the_way_out() {
    let check = |said: &str, damaged: bool, end: &str| {
        let error = explained(Path::new("/s/0"), "cannot be written", said);
        let text = error.to_string();
        assert!(
            text.starts_with("store \"/s/0\" cannot be written: "),
            "{text}"
        );
        assert!(text.ends_with(end), "{text}");
        assert_eq!(error.is_damaged(), damaged, "{text}");
    };
    check(
        "IO error: No space left on device: While appending to file: /s/0/000012.sst: No space left on device",
        false,
        "; make room on its disk",
    );
    check(
        "IO error: While lock file: /s/0/LOCK: Resource temporarily unavailable",
        false,
        "; stop that one, or choose another folder",
    );
    check(
        "IO error: While open a file for random read: /s/0/000012.sst: Too many open files",
        false,
        "; raise the limit of open files (ulimit -n)",
    );
    check(
        "Corruption: block checksum mismatch: stored = 1, computed = 2",
        true,
        "; use an older checkpoint",
    );
    check(
        "IO error: something else",
        false,
        ": IO error: something else",
    );
}
