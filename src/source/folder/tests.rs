use super::*;
use std::io::Write;

impl Folder {
    /// Reads less at a time.
    pub(in crate::source) fn shrink(&mut self, block: usize) {
        if let Some(reading) = &mut self.reading {
            reading.shrink(block);
        }
    }
}

type Seen = Vec<(u64, String, bool)>;

fn poll(folder: &mut Folder, seen: &mut Seen) -> Result<Polled, Error> {
    folder.poll(&mut |record| {
        let text = String::from_utf8_lossy(record.bytes).into_owned();
        seen.push((record.offset, text, record.heads_file));
    })
}

fn read(path: &Path, format: Format) -> Result<Seen, Error> {
    let mut folder = Folder::open(path, format, Follow::No)?;
    assert_eq!(folder.extent(), Extent::Bounded);
    let mut seen = Seen::new();
    while poll(&mut folder, &mut seen)? != Polled::End {}
    let progress = folder.progress().expect("known");
    assert_eq!(progress.done, progress.total);
    Ok(seen)
}

/// Polls until so many records have come, and a little longer.
#[track_caller]
fn expect(folder: &mut Folder, seen: &mut Seen, wanted: &[(u64, &str, bool)]) {
    let began = Instant::now();
    let mut quiet = 0;
    while quiet < 20 {
        assert_ne!(poll(folder, seen), Ok(Polled::End));
        let seen = seen
            .iter()
            .map(|(line, text, heads)| (*line, text.as_str(), *heads));
        let right = seen.clone().eq(wanted.iter().copied());
        quiet = if right { quiet + 1 } else { 0 };
        assert!(
            began.elapsed() < Duration::from_secs(20) && seen.len() <= wanted.len(),
            "{:?}",
            Vec::from_iter(seen)
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn same(seen: &Seen, wanted: &[(u64, &str, bool)]) {
    let seen = seen
        .iter()
        .map(|(line, text, heads)| (*line, text.as_str(), *heads));
    assert_eq!(Vec::from_iter(seen), wanted);
}

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_are_read_by_name_and_each_begins_with_its_header() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("2024-05-02.csv.gz", &gz("b,a\n3,4\n"));
    write("2024-05-01.csv", b"a,b\n1,2");
    write(
        "2024-05-03.csv.zst",
        &zstd::encode_all(&b"a,b\n5,6\n"[..], 1).unwrap(),
    );
    write(".2024-05-00.csv", b"hidden\n");
    write("README.md", b"not a record\n");
    fs::create_dir(folder.path().join("2024-05-04.csv")).unwrap();
    assert_eq!(format(folder.path()), Ok(Some(Format::Csv)));
    let seen = read(folder.path(), Format::Csv).unwrap();
    let wanted = [
        (1, "a,b", true),
        (2, "1,2", false),
        (3, "b,a", true),
        (4, "3,4", false),
        (5, "a,b", true),
        (6, "5,6", false),
    ];
    same(&seen, &wanted);
}

#[test]
fn a_folder_without_records_or_with_two_formats_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shown = folder.path().display().to_string();
    let error = |opened: Result<Seen, Error>| opened.unwrap_err().to_string();
    assert_eq!(format(folder.path()), Ok(None));
    assert_eq!(
        error(read(folder.path(), Format::Json)),
        format!(
            "source \"{shown}\": no file in it ends in .ndjson .jsonl .json or .csv, with or without .gz or .zst; check the path"
        )
    );
    fs::write(folder.path().join("a.csv"), "").unwrap();
    fs::write(folder.path().join("b.ndjson"), "").unwrap();
    let wanted = format!(
        "source \"{shown}\": \"a.csv\" and \"b.ndjson\" are written in different formats; put them into folders of their own"
    );
    assert_eq!(error(read(folder.path(), Format::Csv)), wanted);
    assert_eq!(
        super::format(folder.path()).unwrap_err().to_string(),
        wanted
    );
    assert!(
        error(read(&folder.path().join("none"), Format::Csv))
            .contains("cannot be listed: No such file")
    );
}

#[test]
fn a_file_that_cannot_be_unpacked_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json.gz"), "{\"plain\":1}\n").unwrap();
    let error = read(folder.path(), Format::Json).unwrap_err().to_string();
    assert!(
        error.contains("\"a.json.gz\" cannot be read: invalid gzip header"),
        "{error}"
    );
}

#[test]
fn a_followed_folder_goes_on_with_what_is_appended_and_with_later_files() {
    let folder = tempfile::tempdir().unwrap();
    let append = |name: &str, text: &str| {
        let path = folder.path().join(name);
        let file = fs::File::options().append(true).create(true).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    };
    let mut reading = Folder::open(folder.path(), Format::Csv, Follow::Yes).unwrap();
    assert_eq!(reading.extent(), Extent::Unbounded);
    let mut seen = Seen::new();
    expect(&mut reading, &mut seen, &[]);
    append("b.csv", "h\n1\n");
    let mut wanted = vec![(1, "h", true), (2, "1", false)];
    expect(&mut reading, &mut seen, &wanted);
    append("b.csv", "2\nunfin");
    wanted.push((3, "2", false));
    expect(&mut reading, &mut seen, &wanted);
    append("b.csv", "ished");
    append("c.csv.tmp", "h\n3\n");
    // Too late: its turn is over.
    append("a.csv", "h\n0\n");
    fs::rename(folder.path().join("c.csv.tmp"), folder.path().join("c.csv")).unwrap();
    wanted.extend([(4, "unfinished", false), (5, "h", true), (6, "3", false)]);
    expect(&mut reading, &mut seen, &wanted);
    // A packed file is read as it is, and what follows it is followed.
    fs::write(folder.path().join("d.csv.gz"), gz("h\n4\n")).unwrap();
    wanted.extend([(7, "h", true), (8, "4", false)]);
    expect(&mut reading, &mut seen, &wanted);
    append("e.csv", "h\n5\n");
    wanted.extend([(9, "h", true), (10, "5", false)]);
    expect(&mut reading, &mut seen, &wanted);
    append("e.csv", "6\n");
    wanted.push((11, "6", false));
    expect(&mut reading, &mut seen, &wanted);
}

/// Reads a folder until nothing is at hand.
fn drain(folder: &mut Folder) -> Seen {
    let mut seen = Seen::new();
    while poll(folder, &mut seen).unwrap() == Polled::More {}
    seen
}

#[test]
fn a_folder_goes_on_although_what_was_read_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let open = || Folder::open(folder.path(), Format::Csv, Follow::No).unwrap();
    fs::write(at("1.csv"), "h\n1\n").unwrap();
    fs::write(at("2.csv"), "h\n2\n").unwrap();
    let mut reading = open();
    let mut seen = Seen::new();
    // The first file, its end, and a part of the second.
    for _ in 0..3 {
        assert_eq!(poll(&mut reading, &mut seen), Ok(Polled::More));
    }
    same(
        &seen,
        &[
            (1, "h", true),
            (2, "1", false),
            (3, "h", true),
            (4, "2", false),
        ],
    );
    let positions = reading.positions().unwrap();
    fs::remove_file(at("1.csv")).unwrap();
    fs::write(at("2.csv"), "h\n2\n2b\n").unwrap();
    fs::write(at("3.csv"), "h\n3").unwrap();
    let mut reading = open();
    reading.seek(&positions).unwrap();
    let rest = [
        (3, "h", true),
        (5, "2b", false),
        (6, "h", true),
        (7, "3", false),
    ];
    same(&drain(&mut reading), &rest);
    let progress = reading.progress().unwrap();
    assert_eq!(progress.done, progress.total);
    // At the end of all: what was read to its end need not be there, and what has grown is read on.
    let positions = reading.positions().unwrap();
    fs::remove_file(at("2.csv")).unwrap();
    fs::write(at("3.csv"), "h\n3\n3b\n").unwrap();
    let mut reading = open();
    reading.seek(&positions).unwrap();
    same(&drain(&mut reading), &[(6, "h", true), (8, "3b", false)]);
    let positions = reading.positions().unwrap();
    fs::remove_file(at("3.csv")).unwrap();
    fs::write(at("4.csv"), "h\n4\n").unwrap();
    let mut reading = open();
    reading.seek(&positions).unwrap();
    assert_eq!(reading.positions().unwrap(), positions);
    same(&drain(&mut reading), &[(9, "h", true), (10, "4", false)]);
}

#[test]
fn a_folder_whose_current_file_is_gone_or_another_one_says_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let shown = folder.path().display().to_string();
    let open = || Folder::open(folder.path(), Format::Csv, Follow::Yes).unwrap();
    fs::write(at("1.csv"), "h\n1\n").unwrap();
    let mut reading = open();
    drain(&mut reading);
    let positions = reading.positions().unwrap();
    fs::remove_file(at("1.csv")).unwrap();
    fs::write(at("2.csv"), "h\n2\n").unwrap();
    let refused = open().seek(&positions).unwrap_err().to_string();
    assert_eq!(
        refused,
        format!(
            "source \"{shown}\": \"1.csv\" is gone, and was read up to line 2: whatever followed in it is lost; put it back, or name the folder \"{shown}/?lost=skip\" to go on with files with later names"
        )
    );
    let mut skipping = open().lost(Lost::Skip);
    skipping.seek(&positions).unwrap();
    same(&drain(&mut skipping), &[(3, "h", true), (4, "2", false)]);
    fs::write(at("1.csv"), "H\n1\nnew\n").unwrap();
    let refused = open().seek(&positions).unwrap_err().to_string();
    assert!(
        refused.contains("\"1.csv\" is another file than the one that was read up to line 2, byte 4: the checksum of its first 4 bytes is "),
        "{refused}"
    );
    let mut skipping = open().lost(Lost::Skip);
    skipping.seek(&positions).unwrap();
    let wanted = [
        (3, "H", true),
        (4, "1", false),
        (5, "new", false),
        (6, "h", true),
        (7, "2", false),
    ];
    same(&drain(&mut skipping), &wanted);
}

#[test]
fn a_followed_folder_in_which_nothing_is_yet_goes_on_with_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Folder::open(folder.path(), Format::Json, Follow::Yes).unwrap();
    let mut reading = open();
    same(&drain(&mut reading), &[]);
    let positions = reading.positions().unwrap();
    fs::write(folder.path().join("1.ndjson"), "1\n2").unwrap();
    let mut reading = open();
    reading.seek(&positions).unwrap();
    same(&drain(&mut reading), &[(1, "1", true)]);
    let positions = reading.positions().unwrap();
    // The last file is followed on, also by somebody else.
    fs::write(folder.path().join("1.ndjson"), "1\n2\n3\n").unwrap();
    let mut reading = open();
    reading.seek(&positions).unwrap();
    same(&drain(&mut reading), &[(2, "2", false), (3, "3", false)]);
}
