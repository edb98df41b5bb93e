//! What holds of every store, tried on each.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use tempfile::TempDir;

use super::files::{Depth, FileEntry, Known, files, verify};
use super::memory::Memory;
use super::*;
use crate::disk::{Disk as _, SystemDisk};

/// A kind of store.
trait Kind {
    fn create(&self, live: &Path) -> Box<dyn StateStore>;
    fn restore(&self, checkpoint: &Path, live: &Path) -> Result<Box<dyn StateStore>, Error>;
}

struct InMemory;

impl Kind for InMemory {
    fn create(&self, _: &Path) -> Box<dyn StateStore> {
        Box::new(Memory::new(SystemDisk::shared()))
    }

    fn restore(&self, checkpoint: &Path, _: &Path) -> Result<Box<dyn StateStore>, Error> {
        Ok(Box::new(Memory::restore(SystemDisk::shared(), checkpoint)?))
    }
}

#[cfg(feature = "rocksdb")]
struct OnDisk(rocks::Tuning);

#[cfg(feature = "rocksdb")]
impl Kind for OnDisk {
    fn create(&self, live: &Path) -> Box<dyn StateStore> {
        Box::new(rocks::Rocks::create(live, &self.0).unwrap())
    }

    fn restore(&self, checkpoint: &Path, live: &Path) -> Result<Box<dyn StateStore>, Error> {
        Ok(Box::new(rocks::Rocks::restore(checkpoint, live, &self.0)?))
    }
}

/// Runs a fact on each kind of store, in a folder of its own.
fn check(fact: impl Fn(&dyn Kind, &Path)) {
    let kinds: Vec<Box<dyn Kind>> = vec![
        Box::new(InMemory),
        #[cfg(feature = "rocksdb")]
        Box::new(OnDisk(rocks::Tuning::new(0, crate::key::Shards::ONE))),
    ];
    for kind in kinds {
        let folder = TempDir::new().unwrap();
        fact(&*kind, folder.path());
    }
}

fn batch(changes: &[(&str, Option<&str>)]) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in changes {
        match value {
            Some(value) => {
                batch.put(key.as_bytes(), |out| {
                    out.extend_from_slice(value.as_bytes());
                });
            }
            None => batch.remove(key.as_bytes()),
        }
    }
    batch
}

fn get(store: &dyn StateStore, key: &str) -> Option<String> {
    let values = store.get_all(&[key.as_bytes()]).unwrap();
    let value = values.into_iter().next().expect("a value for each key");
    value.map(|value| String::from_utf8(value).unwrap())
}

/// Keys and values in a range, with `=` between them.
fn scan(store: &dyn StateStore, keys: Range<&str>) -> Vec<String> {
    let mut found = Vec::new();
    let keys = keys.start.as_bytes()..keys.end.as_bytes();
    let mut visit = |key: &[u8], value: &[u8]| {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        found.push(format!("{}={}", text(key), text(value)));
        Ok(())
    };
    store.scan(keys, &mut visit).unwrap();
    found
}

#[test]
fn values_come_in_the_order_of_the_keys_asked_for() {
    check(|kind, folder| {
        let store = kind.create(&folder.join("live"));
        let changes: Vec<_> = (0..100)
            .map(|n| (format!("k{n:02}"), format!("v{n}")))
            .collect();
        let changes: Vec<_> = changes
            .iter()
            .map(|(key, value)| (&key[..], Some(&value[..])))
            .collect();
        store.write(&batch(&changes)).unwrap();
        let keys = ["k99", "none", "k00", "k42", "k42", "k07"].map(str::as_bytes);
        for flushed in [false, true] {
            if flushed {
                store.checkpoint(&folder.join("c1")).unwrap();
            }
            let values = store.get_all(&keys).unwrap();
            let values: Vec<_> = values
                .iter()
                .map(|value| value.as_deref().map(|v| std::str::from_utf8(v).unwrap()))
                .collect();
            let wanted = [
                Some("v99"),
                None,
                Some("v0"),
                Some("v42"),
                Some("v42"),
                Some("v7"),
            ];
            assert_eq!(values, wanted);
            assert_eq!(
                store.get_all(&keys[..1]).unwrap()[0].as_deref(),
                Some(&b"v99"[..])
            );
            assert!(store.get_all(&[]).unwrap().is_empty());
        }
    });
}

#[test]
fn the_last_change_of_a_key_wins() {
    check(|kind, folder| {
        let store = kind.create(&folder.join("live"));
        store
            .write(&batch(&[
                ("b", Some("1")),
                ("a", Some("1")),
                ("b", None),
                ("a", Some("2")),
                ("c", None),
                ("b", Some("3")),
                ("c", Some("")),
            ]))
            .unwrap();
        assert_eq!(scan(&*store, "".."z"), ["a=2", "b=3", "c="]);
        store
            .write(&batch(&[("b", Some("4")), ("b", None), ("c", Some("5"))]))
            .unwrap();
        assert_eq!(scan(&*store, "".."z"), ["a=2", "c=5"]);
        store.write(&Batch::default()).unwrap();
        assert_eq!(get(&*store, "b"), None);
        assert_eq!(get(&*store, "c").as_deref(), Some("5"));
    });
}

#[test]
fn a_scan_visits_its_range_in_order_and_ends_with_an_error_of_the_visitor() {
    check(|kind, folder| {
        let store = kind.create(&folder.join("live"));
        let all = ["a", "ab", "b", "b\u{0}", "c"];
        store
            .write(&batch(&all.map(|key| (key, Some(key)))))
            .unwrap();
        assert_eq!(scan(&*store, "ab".."b"), ["ab=ab"]);
        assert_eq!(scan(&*store, "ab".."b\u{0}"), ["ab=ab", "b=b"]);
        assert_eq!(scan(&*store, "".."zz").len(), all.len());
        assert!(scan(&*store, "b".."b").is_empty());
        assert!(scan(&*store, "c".."a").is_empty());
        assert!(scan(&*store, "d".."z").is_empty());

        let mut visited = 0;
        let mut visit = |_: &[u8], _: &[u8]| {
            visited += 1;
            match visited {
                2 => Err(Error::new("enough")),
                _ => Ok(()),
            }
        };
        let error = store.scan(&b"a"[..]..&b"z"[..], &mut visit).unwrap_err();
        assert_eq!((error.to_string(), visited), ("enough".to_owned(), 2));
    });
}

#[test]
fn a_checkpoint_is_what_there_was_at_its_moment() {
    check(|kind, folder| {
        let live = folder.join("live");
        let (first, second) = (folder.join("deep/er/1"), folder.join("deep/er/2"));
        let store = kind.create(&live);
        let empty = folder.join("0");
        store.checkpoint(&empty).unwrap();
        store
            .write(&batch(&[("a", Some("1")), ("b", Some("1"))]))
            .unwrap();
        let names = store.checkpoint(&first).unwrap();
        assert_eq!(names, SystemDisk.list(&first).unwrap());
        store
            .write(&batch(&[("a", Some("2")), ("b", None), ("c", Some("2"))]))
            .unwrap();
        store.checkpoint(&second).unwrap();
        store.write(&batch(&[("lost", Some("3"))])).unwrap();
        drop(store);

        for (checkpoint, wanted) in [
            (&first, vec!["a=1", "b=1"]),
            (&second, vec!["a=2", "c=2"]),
            (&first, vec!["a=1", "b=1"]),
            (&empty, vec![]),
        ] {
            let store = kind.restore(checkpoint, &live).unwrap();
            assert_eq!(scan(&*store, "".."z"), wanted, "{checkpoint:?}");
            // What is written now must not reach it.
            store
                .write(&batch(&[("a", Some("9")), ("x", Some("9"))]))
                .unwrap();
            let next = folder.join(format!("next{}", wanted.len()));
            let _ = fs::remove_dir_all(&next);
            store.checkpoint(&next).unwrap();
            assert_eq!(get(&*store, "x").as_deref(), Some("9"));
            drop(store);
            let store = kind.restore(&next, &live).unwrap();
            assert_eq!(get(&*store, "a").as_deref(), Some("9"));
        }
    });
}

#[test]
fn a_checkpoint_never_takes_the_place_of_something() {
    check(|kind, folder| {
        let store = kind.create(&folder.join("live"));
        store.write(&batch(&[("a", Some("1"))])).unwrap();
        let checkpoint = folder.join("c1");
        store.checkpoint(&checkpoint).unwrap();
        let before = bytes_of(&checkpoint);
        store.write(&batch(&[("a", Some("2"))])).unwrap();
        let error = store.checkpoint(&checkpoint).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is there already; give the checkpoint a new folder"),
            "{error}"
        );
        assert!(!error.is_damaged());
        assert_eq!(bytes_of(&checkpoint), before);
    });
}

#[test]
fn one_thread_reads_while_another_writes_and_takes_checkpoints() {
    check(|kind, folder| {
        let store = kind.create(&folder.join("live"));
        let keys: Vec<String> = (0..50).map(|n| format!("key{n}")).collect();
        let round = |value: &str| {
            let changes: Vec<_> = keys.iter().map(|key| (&key[..], Some(value))).collect();
            batch(&changes)
        };
        store.write(&round("0")).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=40 {
                    store.write(&round(&n.to_string())).unwrap();
                    if n % 10 == 0 {
                        store.checkpoint(&folder.join(n.to_string())).unwrap();
                    }
                }
                done.store(true, Ordering::Release);
            });
            let asked: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
            let mut last = vec![0; keys.len()];
            loop {
                let end = done.load(Ordering::Acquire);
                for (value, last) in store.get_all(&asked).unwrap().iter().zip(&mut last) {
                    let value = value.as_deref().expect("none is ever removed");
                    let value: u32 = std::str::from_utf8(value).unwrap().parse().unwrap();
                    assert!(*last <= value && value <= 40, "{last} then {value}");
                    *last = value;
                }
                if end {
                    assert!(last.iter().all(|value| *value == 40));
                    break;
                }
            }
        });
    });
}

/// Files of a folder with their bytes.
fn bytes_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = SystemDisk.list(folder).unwrap();
    names
        .into_iter()
        .map(|name| {
            let bytes = fs::read(folder.join(&name)).unwrap();
            (name, bytes)
        })
        .collect()
}

/// A checkpoint's files, as its manifest would have them.
fn entries(folder: &Path) -> Vec<FileEntry> {
    files(&SystemDisk, folder, &mut Known::default()).unwrap()
}

/// A copy of a folder in which nothing is shared.
fn copied(folder: &Path, to: &Path) -> PathBuf {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for (name, bytes) in bytes_of(folder) {
        fs::write(to.join(name), bytes).unwrap();
    }
    to.to_owned()
}

#[test]
fn whatever_happens_to_a_file_of_a_checkpoint_is_noticed() {
    check(|kind, folder| {
        let store = kind.create(&folder.join("live"));
        store
            .write(&batch(&[("a", Some("1")), ("b", Some("some value"))]))
            .unwrap();
        let whole = folder.join("c1");
        let names = store.checkpoint(&whole).unwrap();
        let entries = entries(&whole);
        let listed: Vec<_> = entries.iter().map(|entry| &entry.name).collect();
        assert_eq!(listed, names.iter().collect::<Vec<_>>());
        let check = |folder: &Path, depth| verify(&SystemDisk, folder, &entries, depth);
        check(&whole, Depth::Lengths).unwrap();
        check(&whole, Depth::Bytes).unwrap();

        for (name, bytes) in bytes_of(&whole) {
            let spoilt = copied(&whole, &folder.join("spoilt"));
            let path = spoilt.join(&name);
            for at in (0..bytes.len()).step_by(bytes.len() / 200 + 1) {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x10;
                fs::write(&path, &bytes).unwrap();
                let error = check(&spoilt, Depth::Bytes).unwrap_err();
                assert!(error.is_damaged(), "{error}");
                assert!(error.to_string().contains(&name), "{error}");
                assert!(check(&spoilt, Depth::Lengths).is_ok());
            }
            for depth in [Depth::Lengths, Depth::Bytes] {
                fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
                assert!(check(&spoilt, depth).unwrap_err().is_damaged());
                if !bytes.is_empty() {
                    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
                    assert!(check(&spoilt, depth).unwrap_err().is_damaged());
                }
                fs::remove_file(&path).unwrap();
                assert!(check(&spoilt, depth).unwrap_err().is_damaged());
                fs::write(&path, &bytes).unwrap();
                check(&spoilt, depth).unwrap();
            }
        }
    });
}

#[test]
fn a_checkpoint_that_lacks_a_file_is_not_restored() {
    check(|kind, folder| {
        let store = kind.create(&folder.join("live"));
        store.write(&batch(&[("a", Some("1"))])).unwrap();
        let whole = folder.join("c1");
        store.checkpoint(&whole).unwrap();
        drop(store);
        for name in SystemDisk.list(&whole).unwrap() {
            // Settings are there for people, and the log is empty.
            if name.starts_with("OPTIONS-") || name.ends_with(".log") {
                continue;
            }
            for cut in [None, Some(0), Some(1)] {
                // RocksDB takes it for one that ended earlier: that is why `verify` comes first.
                if cut == Some(1) && name.starts_with("MANIFEST-") {
                    continue;
                }
                let spoilt = copied(&whole, &folder.join("spoilt"));
                let path = spoilt.join(&name);
                let bytes = fs::read(&path).unwrap();
                match cut {
                    None => fs::remove_file(&path).unwrap(),
                    Some(0) => fs::write(&path, b"").unwrap(),
                    Some(cut) => fs::write(&path, &bytes[..bytes.len() - cut]).unwrap(),
                }
                let restored = kind.restore(&spoilt, &folder.join("live"));
                let error = restored.err().map(|error| (error.is_damaged(), error));
                assert!(
                    matches!(error, Some((true, _))),
                    "{name} cut to {cut:?}: {error:?}"
                );
            }
        }
        kind.restore(&whole, &folder.join("live")).unwrap();
    });
}

#[test]
fn checksums_of_tables_are_remembered_and_those_of_other_files_are_not() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for (name, text) in [("1.sst", "one"), ("2.sst", "two"), ("CURRENT", "1")] {
        fs::write(folder.join(name), text).unwrap();
    }
    let mut known = Known::default();
    let first = files(&SystemDisk, folder, &mut known).unwrap();
    // Nobody may do so to a table: it shows that the table is not read.
    fs::write(folder.join("1.sst"), "ONE").unwrap();
    fs::write(folder.join("CURRENT"), "2").unwrap();
    fs::write(folder.join("3.sst"), "three").unwrap();
    fs::remove_file(folder.join("2.sst")).unwrap();
    let second = files(&SystemDisk, folder, &mut known).unwrap();
    let named = |entries: &[FileEntry], name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name);
        entry.cloned().expect("listed")
    };
    assert_eq!(named(&first, "1.sst"), named(&second, "1.sst"));
    assert_eq!(named(&second, "3.sst").checksum, crc32fast::hash(b"three"));
    assert_eq!(named(&second, "CURRENT").checksum, crc32fast::hash(b"2"));

    // What the last checkpoint did not have is forgotten, and another length is another file.
    fs::write(folder.join("2.sst"), "TWO").unwrap();
    fs::write(folder.join("3.sst"), "threes").unwrap();
    let third = files(&SystemDisk, folder, &mut known).unwrap();
    assert_eq!(named(&third, "2.sst").checksum, crc32fast::hash(b"TWO"));
    assert_eq!(named(&third, "3.sst").checksum, crc32fast::hash(b"threes"));
    // Whoever goes back knows what he went back to.
    let fourth = files(&SystemDisk, folder, &mut Known::of(&first)).unwrap();
    assert_eq!(named(&fourth, "1.sst"), named(&first, "1.sst"));
    assert_eq!(named(&fourth, "2.sst"), named(&first, "2.sst"));
    assert_eq!(named(&fourth, "CURRENT").checksum, crc32fast::hash(b"2"));
}

/// What is done to a store and to a map in the same way.
#[derive(Clone, Debug)]
enum Act {
    /// Keys and new values.
    Write(Vec<(u8, Option<u8>)>),
    Checkpoint,
    /// Back to a checkpoint, counted from the first.
    Restore(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let change = (0..40_u8, proptest::option::weighted(0.7, any::<u8>()));
    prop_oneof![
        6 => proptest::collection::vec(change, 0..30).prop_map(Act::Write),
        2 => Just(Act::Checkpoint),
        1 => (0..8_usize).prop_map(Act::Restore),
    ]
}

fn entries_in(store: &dyn StateStore) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        found.insert(key.to_vec(), value.to_vec());
        Ok(())
    };
    store.scan(&b""[..]..&[0xff][..], &mut visit).unwrap();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_store_does_what_a_map_does(acts in proptest::collection::vec(act(), 1..25)) {
        check(|kind, folder| {
            let live = folder.join("live");
            let mut store = Some(kind.create(&live));
            let mut map: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            let mut checkpoints = Vec::new();
            for act in &acts {
                let open = store.as_ref().expect("one is always open");
                match act {
                    Act::Write(changes) => {
                        let mut batch = Batch::default();
                        for (key, value) in changes {
                            let key = vec![*key; usize::from(*key) % 5 + 1];
                            match value {
                                Some(value) => {
                                    let value = vec![*value; usize::from(*value)];
                                    batch.put(&key, |out| out.extend_from_slice(&value));
                                    map.insert(key, value);
                                }
                                None => {
                                    batch.remove(&key);
                                    map.remove(&key);
                                }
                            }
                        }
                        open.write(&batch).unwrap();
                    }
                    Act::Checkpoint => {
                        let path = folder.join(format!("c{}", checkpoints.len()));
                        open.checkpoint(&path).unwrap();
                        checkpoints.push((path, map.clone()));
                    }
                    Act::Restore(number) => {
                        if let Some((path, then)) = checkpoints.get(*number) {
                            store = None;
                            assert!(store.is_none());
                            store = Some(kind.restore(path, &live).unwrap());
                            map.clone_from(then);
                        }
                    }
                }
                let open = store.as_ref().expect("one is always open");
                assert_eq!(entries_in(&**open), map);
                let asked: Vec<&[u8]> = map.keys().map(Vec::as_slice).collect();
                let values = open.get_all(&asked).unwrap();
                assert!(values.iter().map(Option::as_ref).eq(map.values().map(Some)));
            }
        });
    }
}
