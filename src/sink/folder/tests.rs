use std::fs;

use super::*;

const LARGE: Roll = Roll {
    max_bytes: 1 << 40,
    every: Duration::from_secs(3_600),
};

/// Names and contents of what is in the folder.
fn files(path: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[track_caller]
fn check(path: &Path, wanted: &[(&str, &str)]) {
    let files = files(path);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(files, wanted);
}

#[test]
fn a_file_is_seen_when_it_is_whole_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts");
    let roll = Roll {
        max_bytes: 6,
        ..LARGE
    };
    let mut sink = Folder::open(&path, roll).unwrap();
    check(&path, &[]);
    sink.write(b"one\n").unwrap();
    sink.flush().unwrap();
    check(&path, &[(".alerts-000001.ndjson.part", "one\n")]);
    sink.write(b"two\n").unwrap();
    check(&path, &[("alerts-000001.ndjson", "one\ntwo\n")]);
    sink.write(b"three\n").unwrap();
    sink.write(b"four\n").unwrap();
    sink.close().unwrap();
    let wanted = [
        ("alerts-000001.ndjson", "one\ntwo\n"),
        ("alerts-000002.ndjson", "three\n"),
        ("alerts-000003.ndjson", "four\n"),
    ];
    check(&path, &wanted);
    drop(sink);
    check(&path, &wanted);
}

#[test]
fn an_old_file_is_finished_by_a_flush_or_the_next_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let every = Duration::from_millis(30);
    let mut sink = Folder::open(&path, Roll { every, ..LARGE }).unwrap();
    sink.write(b"one\n").unwrap();
    std::thread::sleep(every);
    sink.flush().unwrap();
    check(&path, &[("a-000001.ndjson", "one\n")]);
    sink.write(b"two\n").unwrap();
    std::thread::sleep(every);
    sink.write(b"three\n").unwrap();
    drop(sink);
    check(
        &path,
        &[
            ("a-000001.ndjson", "one\n"),
            ("a-000002.ndjson", "two\n"),
            ("a-000003.ndjson", "three\n"),
        ],
    );
}

#[test]
fn numbers_go_on_and_what_a_killed_run_left_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::create_dir(&path).unwrap();
    let long = "x".repeat(200_000);
    let write = |name: &str, text: &str| fs::write(path.join(name), text).unwrap();
    write("a-000007.ndjson", "old\n");
    write(".a-000008.ndjson.part", &format!("kept\n{long}"));
    write(".a-000009.ndjson.part", "half a ro");
    write("a-1.ndjson", "not ours\n");
    write("b-000099.ndjson", "not ours\n");
    let mut sink = Folder::open(&path, LARGE).unwrap();
    sink.write(b"new\n").unwrap();
    drop(sink);
    check(
        &path,
        &[
            ("a-000007.ndjson", "old\n"),
            ("a-000008.ndjson", "kept\n"),
            ("a-000010.ndjson", "new\n"),
            ("a-1.ndjson", "not ours\n"),
            ("b-000099.ndjson", "not ours\n"),
        ],
    );
}

#[test]
fn two_runs_do_not_write_to_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Folder::open(folder.path(), LARGE).unwrap();
    first.write(b"one\n").unwrap();
    let second = Folder::open(folder.path(), LARGE).expect_err("locked");
    let shown = folder.path().display();
    assert_eq!(
        second.to_string(),
        format!("output \"{shown}\": another run writes to this folder; name another one")
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Folder::open(&folder.path().join("none/a"), LARGE).expect_err("no parent");
    let error = error.to_string();
    assert!(
        error.contains("none/a\" cannot be created: No such file"),
        "{error}"
    );
    assert!(
        error.ends_with("; make the folder in which it is to lie"),
        "{error}"
    );
}

/// With state: goes on from what the checkpoint has, or is new.
fn restored(path: &Path, roll: Roll, kept: Option<(u64, &[u8])>) -> Folder {
    let mut sink = Folder::open(path, roll).unwrap();
    let kept = kept.map(|(epoch, kept)| (Epoch(epoch), kept));
    sink.restore(kept).unwrap();
    sink
}

#[test]
fn with_state_a_file_is_seen_when_it_is_due_and_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let roll = Roll {
        max_bytes: 10,
        ..LARGE
    };
    let mut sink = restored(&path, roll, None);
    sink.write(b"one\n").unwrap();
    sink.prepare(Epoch(1)).unwrap();
    sink.commit(Epoch(1)).unwrap();
    // Not due: it goes on.
    check(&path, &[(".a-000001.ndjson.pending", "one\n")]);
    sink.write(b"two\n").unwrap();
    sink.write(b"three\n").unwrap();
    sink.write(b"four\n").unwrap();
    let kept = sink.prepare(Epoch(2)).unwrap();
    sink.write(b"five and six\n").unwrap();
    check(
        &path,
        &[
            (".a-000001.ndjson.pending", "one\ntwo\nthree\n"),
            (".a-000002.ndjson.pending", "four\nfive and six\n"),
        ],
    );
    sink.commit(Epoch(2)).unwrap();
    // The second one is finished, but not by this epoch.
    check(
        &path,
        &[
            (".a-000002.ndjson.pending", "four\nfive and six\n"),
            ("a-000001.ndjson", "one\ntwo\nthree\n"),
        ],
    );
    drop(sink);
    let mut sink = restored(&path, roll, Some((2, &kept)));
    check(
        &path,
        &[
            (".a-000002.ndjson.pending", "four\n"),
            ("a-000001.ndjson", "one\ntwo\nthree\n"),
        ],
    );
    sink.write(b"five\n").unwrap();
    sink.prepare(Epoch(3)).unwrap();
    sink.commit(Epoch(3)).unwrap();
    // Its end: what is committed is seen, due or not.
    sink.close().unwrap();
    drop(sink);
    check(
        &path,
        &[
            ("a-000001.ndjson", "one\ntwo\nthree\n"),
            ("a-000002.ndjson", "four\nfive\n"),
        ],
    );
}

#[test]
fn an_old_file_is_finished_by_a_checkpoint_and_keeps_its_age_over_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let every = Duration::from_millis(40);
    let roll = Roll { every, ..LARGE };
    let mut sink = restored(&path, LARGE, None);
    sink.write(b"one\n").unwrap();
    std::thread::sleep(every);
    let kept = sink.prepare(Epoch(1)).unwrap();
    drop(sink);
    let mut sink = restored(&path, roll, Some((1, &kept)));
    sink.prepare(Epoch(2)).unwrap();
    check(&path, &[(".a-000001.ndjson.pending", "one\n")]);
    sink.commit(Epoch(2)).unwrap();
    check(&path, &[("a-000001.ndjson", "one\n")]);
}

#[test]
fn what_is_not_committed_at_the_end_stays_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let mut sink = restored(&path, LARGE, None);
    sink.write(b"one\n").unwrap();
    sink.prepare(Epoch(1)).unwrap();
    sink.close().unwrap();
    drop(sink);
    let hidden = [(".a-000001.ndjson.pending", "one\n")];
    check(&path, &hidden);
    // A run without state leaves it alone, and its number too.
    let mut sink = Folder::open(&path, LARGE).unwrap();
    sink.write(b"two\n").unwrap();
    drop(sink);
    check(&path, &[hidden[0], ("a-000002.ndjson", "two\n")]);
    // It is not this state's.
    drop(restored(&path, LARGE, None));
    check(&path, &[("a-000002.ndjson", "two\n")]);
}

#[test]
fn the_commit_of_a_file_says_nothing_of_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let roll = Roll {
        max_bytes: 8,
        ..LARGE
    };
    let mut sink = restored(&path, roll, None);
    sink.write(b"one\n").unwrap();
    sink.prepare(Epoch(1)).unwrap();
    sink.write(b"two\n").unwrap();
    // As long as the one that was prepared.
    sink.write(b"3rd\n").unwrap();
    sink.flush().unwrap();
    sink.commit(Epoch(1)).unwrap();
    sink.close().unwrap();
    check(
        &path,
        &[
            (".a-000001.ndjson.pending", "one\ntwo\n"),
            (".a-000002.ndjson.pending", "3rd\n"),
        ],
    );
}

#[test]
fn what_was_seen_is_kept_when_an_older_checkpoint_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let roll = Roll {
        max_bytes: 8,
        ..LARGE
    };
    let mut sink = restored(&path, roll, None);
    sink.write(b"one\n").unwrap();
    let older = sink.prepare(Epoch(1)).unwrap();
    sink.commit(Epoch(1)).unwrap();
    for rows in ["two\n", "three and four\n"] {
        sink.write(rows.as_bytes()).unwrap();
    }
    sink.prepare(Epoch(2)).unwrap();
    sink.commit(Epoch(2)).unwrap();
    drop(sink);
    let seen = [
        ("a-000001.ndjson", "one\ntwo\n"),
        ("a-000002.ndjson", "three and four\n"),
    ];
    check(&path, &seen);
    let mut sink = restored(&path, roll, Some((1, &older)));
    sink.write(b"two again\n").unwrap();
    sink.prepare(Epoch(3)).unwrap();
    sink.commit(Epoch(3)).unwrap();
    check(
        &path,
        &[seen[0], seen[1], ("a-000003.ndjson", "two again\n")],
    );
}

#[test]
fn a_reader_may_take_files_away_and_their_numbers_do_not_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let roll = Roll {
        max_bytes: 1,
        ..LARGE
    };
    let mut sink = restored(&path, roll, None);
    sink.write(b"one\n").unwrap();
    let kept = sink.prepare(Epoch(1)).unwrap();
    sink.commit(Epoch(1)).unwrap();
    fs::remove_file(path.join("a-000001.ndjson")).unwrap();
    drop(sink);
    let mut sink = restored(&path, roll, Some((1, &kept)));
    sink.write(b"two\n").unwrap();
    sink.prepare(Epoch(2)).unwrap();
    sink.commit(Epoch(2)).unwrap();
    check(&path, &[("a-000002.ndjson", "two\n")]);
}

#[test]
fn what_somebody_put_in_the_way_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let mut sink = restored(&path, LARGE, None);
    sink.write(b"one\n").unwrap();
    let kept = sink.prepare(Epoch(1)).unwrap();
    sink.commit(Epoch(1)).unwrap();
    fs::write(path.join("a-000001.ndjson"), "other\n").unwrap();
    let shown = path.display().to_string();
    let error = sink.close().unwrap_err().to_string();
    assert_eq!(
        error.replace(&shown, "a"),
        "output \"a\": a-000001.ndjson is there already, and not from here; move it away"
    );
    drop(sink);
    fs::write(path.join(".a-000001.ndjson.pending"), "oh\n").unwrap();
    let mut sink = Folder::open(&path, LARGE).unwrap();
    let error = sink
        .restore(Some((Epoch(1), &kept)))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error.replace(&shown, "a"),
        "output \"a/.a-000001.ndjson.pending\" holds 3 bytes, but 4 were committed with checkpoint 1: rows are lost; put the file back, restore an older checkpoint, or name another folder"
    );
}

#[test]
fn the_bytes_of_a_folder_in_a_checkpoint_are_these() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let roll = Roll {
        max_bytes: 8,
        ..LARGE
    };
    let mut sink = restored(&path, roll, None);
    for rows in ["one\n", "two\n", "three\n"] {
        sink.write(rows.as_bytes()).unwrap();
    }
    let mut kept = sink.prepare(Epoch(1)).unwrap();
    // The age.
    let age = kept.pop().unwrap();
    assert!(age < 0x80);
    let finished = [1, 8, 0xe6, 0x97, 0xe8, 0x95, 0x01];
    let open = [2, 6, 0xd8, 0x8b, 0x9b, 0xfa, 0x0f];
    let wanted = [&[1, 2, 3, 1], &finished[..], &[1], &open].concat();
    assert_eq!(kept, wanted);
    for bytes in 0..kept.len() {
        let mut sink = Folder::open_on(
            crate::testing::disk::SimDisk::new().shared(),
            Path::new("/a"),
            LARGE,
        )
        .unwrap();
        let error = sink.restore(Some((Epoch(1), &kept[..bytes]))).unwrap_err();
        assert!(
            error.to_string().contains("is not what it should be"),
            "{error}"
        );
    }
}
