use std::collections::BTreeSet;
use std::fs;

use super::*;
use crate::disk::SystemDisk;

fn path(text: &str) -> PathBuf {
    PathBuf::from(text)
}

/// What is there after crashes of many seeds, one line per file.
fn after_crashes(prepare: impl Fn(&SimDisk) -> io::Result<()>) -> BTreeSet<String> {
    let crashed = (0..400).map(|seed| {
        let disk = SimDisk::new();
        prepare(&disk).expect("done");
        disk.crash(&mut Choices::from_seed(seed));
        let shown = |(path, bytes): (PathBuf, Vec<u8>)| {
            let text = String::from_utf8_lossy(&bytes).replace('\0', "0");
            format!("{}={text}", path.display())
        };
        let files: Vec<String> = disk.files().into_iter().map(shown).collect();
        files.join(" ")
    });
    crashed.collect()
}

#[track_caller]
fn check(prepare: impl Fn(&SimDisk) -> io::Result<()>, wanted: &[&str]) {
    let left = after_crashes(prepare);
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(left, wanted);
}

#[test]
fn names_and_bytes_are_durable_once_each_was_synced() {
    let write = |disk: &SimDisk| disk.write(&path("/a"), b"ab");
    let sync = |disk: &SimDisk, what: &str| disk.sync(&path(what));
    check(
        |disk| write(disk),
        &["", "/a=", "/a=00", "/a=a", "/a=a0", "/a=ab"],
    );
    check(
        |disk| write(disk).and_then(|()| sync(disk, "/a")),
        &["", "/a=ab"],
    );
    check(
        |disk| write(disk).and_then(|()| sync(disk, "/")),
        &["/a=", "/a=00", "/a=a", "/a=a0", "/a=ab"],
    );
    check(
        |disk| {
            write(disk)?;
            sync(disk, "/a")?;
            sync(disk, "/")
        },
        &["/a=ab"],
    );
}

#[test]
fn what_was_durable_comes_back_when_its_removal_or_its_cut_was_not() {
    let durable = |disk: &SimDisk| {
        disk.make_folder(&path("/x"))?;
        disk.write(&path("/x/a"), b"ab")?;
        disk.sync(&path("/x/a"))?;
        disk.sync(&path("/x"))?;
        disk.sync(&path("/"))
    };
    check(
        |disk| durable(disk).and_then(|()| disk.remove(&path("/x"))),
        &["", "/x/a=ab"],
    );
    check(
        |disk| {
            durable(disk)?;
            disk.truncate(&path("/x/a"), 1)?;
            disk.open(&path("/x/a"))?.append(b"c")
        },
        &["/x/a=ab", "/x/a=a", "/x/a=a0", "/x/a=ac"],
    );
}

#[test]
fn a_rename_within_a_folder_is_whole_and_one_between_folders_may_leave_both() {
    let durable = |disk: &SimDisk| {
        for (name, text) in [("/x/a", "1"), ("/y/a", "2")] {
            disk.make_folder(path(name).parent().expect("a folder"))?;
            disk.write(&path(name), text.as_bytes())?;
            disk.sync(&path(name))?;
        }
        ["/x", "/y", "/"]
            .iter()
            .try_for_each(|f| disk.sync(&path(f)))
    };
    check(
        |disk| durable(disk).and_then(|()| disk.rename(&path("/x/a"), &path("/x/b"))),
        &["/x/a=1 /y/a=2", "/x/b=1 /y/a=2"],
    );
    let between = |disk: &SimDisk| {
        durable(disk)?;
        disk.rename(&path("/x/a"), &path("/y/a"))
    };
    let (before, both, after) = ("/x/a=1 /y/a=2", "/x/a=1 /y/a=1", "/y/a=1");
    check(between, &[before, both, after]);
    check(
        |disk| between(disk).and_then(|()| disk.sync(&path("/y"))),
        &[both, after],
    );
    check(
        |disk| between(disk).and_then(|()| disk.sync(&path("/x"))),
        &[after],
    );
}

#[test]
fn the_chosen_operation_fails_and_those_after_a_crash_too() {
    let disk = SimDisk::new();
    let mut file = disk.open(&path("/a")).unwrap();
    disk.fail_after(1);
    file.append(b"12").unwrap();
    assert!(file.append(b"34").is_err());
    file.append(b"56").unwrap();
    assert_eq!(disk.files()[&path("/a")], b"12356");
    disk.crash_after(1);
    disk.sync(&path("/")).unwrap();
    assert!(file.append(b"7").is_err() && disk.is_down());
    assert!(disk.read(&path("/a")).is_err());
    disk.crash(&mut Choices::from_bytes(&[]));
    assert!(!disk.is_down());
    assert_eq!(disk.read(&path("/a")).unwrap(), b"12356");
    assert!(file.append(b"8").is_err(), "it was opened before the crash");
}

#[test]
fn a_lock_has_one_holder_until_it_is_dropped_or_the_machine_crashes() {
    let real = tempfile::tempdir().unwrap();
    let sim = SimDisk::new();
    sim.make_folder(&path("/locked")).unwrap();
    let disks: [(&dyn Disk, &Path); 2] = [(&SystemDisk, real.path()), (&sim, Path::new("/locked"))];
    for (disk, place) in disks {
        let lock = disk.lock(place).unwrap();
        let second = disk.lock(place).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::WouldBlock);
        drop(lock);
        disk.lock(place).unwrap();
    }
    let lock = sim.lock(Path::new("/locked")).unwrap();
    sim.crash(&mut Choices::from_bytes(&[]));
    let _second = sim.lock(Path::new("/locked")).unwrap();
    drop(lock);
    assert!(sim.lock(Path::new("/locked")).is_err());
}

/// Names of which some are folders and some lie in them.
const PLACES: [&str; 7] = ["a", "b", "c", "c/a", "c/d", "c/d/e", "b/x"];

/// One random operation; what it says.
fn operate(disk: &dyn Disk, root: &Path, choices: &mut Choices) -> String {
    let mut place = || root.join(choices.pick(&PLACES));
    let (one, other) = (place(), place());
    let number = choices.below(9);
    let bytes = [b"rows\n".as_slice(), b"", b"x"][number % 3];
    // Of several things that are wrong, a file system names whichever it meets first.
    let failed = |_| "failed".to_owned();
    let shown = match choices.below(13) {
        0 => disk.write(&one, bytes).map(|()| String::new()),
        1 => disk.append(&one, bytes).map(|()| String::new()),
        2 => disk
            .open(&one)
            .and_then(|mut file| {
                file.append(bytes)?;
                disk.rename(&one, &other)?;
                file.append(bytes)?;
                file.sync()
            })
            .map(|()| String::new()),
        3 => disk.read(&one).map(|bytes| format!("{bytes:?}")),
        4 => disk
            .read_at(&one, number as u64, 3)
            .map(|bytes| format!("{bytes:?}")),
        5 => disk.entry(&one).map(|entry| format!("{entry:?}")),
        6 => match disk.entry(&one) {
            Ok(Some(Entry::File)) => disk.length(&one).map(|length| length.to_string()),
            _ => Ok(String::new()),
        },
        7 => disk.truncate(&one, number as u64).map(|()| String::new()),
        8 => disk.sync(&one).map(|()| String::new()),
        9 => disk.rename(&one, &other).map(|()| String::new()),
        10 => disk.remove(&one).map(|()| String::new()),
        11 => disk.make_folder(&one).map(|()| String::new()),
        _ => disk.link(&one, &other).map(|()| String::new()),
    };
    shown.unwrap_or_else(failed)
}

fn listing(disk: &dyn Disk, folder: &Path) -> Vec<String> {
    let mut shown = Vec::new();
    for name in disk.list(folder).expect("a folder") {
        let path = folder.join(&name);
        match disk.entry(&path).expect("told") {
            Some(Entry::Folder) => {
                let below = listing(disk, &path);
                shown.push(format!("{name}/{below:?}"));
            }
            _ => shown.push(format!("{name}={:?}", disk.read(&path).expect("read"))),
        }
    }
    shown
}

#[test]
fn without_a_crash_it_does_what_the_systems_disk_does() {
    for seed in 0..40 {
        let real = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(real.path()).unwrap();
        let sim = SimDisk::new();
        let mut choices = Choices::from_seed(seed);
        for step in 0..60 {
            let mut again = choices.clone();
            let said = operate(&sim, Path::new("/"), &mut choices);
            let really = operate(&SystemDisk, &root, &mut again);
            assert_eq!(said, really, "seed {seed}, step {step}");
            let there = listing(&sim, Path::new("/"));
            assert_eq!(
                there,
                listing(&SystemDisk, &root),
                "seed {seed}, step {step}"
            );
        }
    }
}
