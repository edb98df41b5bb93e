use super::*;
use std::fs;
use std::io::Write;

impl Reading {
    /// Reads less at a time.
    pub(in crate::source) fn shrink(&mut self, block: usize) {
        self.blocks.shrink(block);
    }
}

impl File {
    pub(in crate::source) fn shrink(&mut self, block: usize) {
        self.reading.shrink(block);
    }
}

fn lines(path: &Path, packing: Packing) -> Result<Vec<String>, Error> {
    let mut file = File::open(path, Format::Json, packing, Follow::No)?;
    let mut lines = Vec::new();
    while file.poll(&mut |record| lines.push(String::from_utf8_lossy(record.bytes).into_owned()))?
        != Polled::End
    {}
    let progress = file.progress().expect("a file knows its length");
    assert_eq!(progress.done, progress.total);
    Ok(lines)
}

#[test]
fn packed_files_hold_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let want: Vec<String> = (0..50_000).map(|n| format!("{{\"n\":{n}}}")).collect();
    let text = want.join("\n");
    let (plain, gz, zst) = (
        folder.path().join("a"),
        folder.path().join("b"),
        folder.path().join("c"),
    );
    fs::write(&plain, &text).unwrap();
    // Two members, as `cat a.gz b.gz` makes them.
    let (head, tail) = text.split_at(1000);
    let mut packed = Vec::new();
    for part in [head, tail] {
        let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        encoder.write_all(part.as_bytes()).unwrap();
        packed = encoder.finish().unwrap();
    }
    fs::write(&gz, packed).unwrap();
    fs::write(&zst, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    assert_eq!(lines(&plain, Packing::Plain), Ok(want.clone()));
    assert_eq!(lines(&gz, Packing::Gzip), Ok(want.clone()));
    assert_eq!(lines(&zst, Packing::Zstd), Ok(want));
    let broken = lines(&plain, Packing::Gzip).unwrap_err().to_string();
    assert!(
        broken.contains("cannot be read: invalid gzip header"),
        "{broken}"
    );
}

#[test]
fn what_cannot_be_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = lines(&folder.path().join("none"), Packing::Plain)
        .unwrap_err()
        .to_string();
    assert!(
        missing.ends_with(
            "none\": cannot be opened: No such file or directory (os error 2); check the path"
        ),
        "{missing}"
    );
    let error = lines(folder.path(), Packing::Plain)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is a folder; name a file in it, or write"),
        "{error}"
    );
}

#[test]
fn a_packed_file_cannot_be_followed() {
    let opened = File::open(
        Path::new("a.json.gz"),
        Format::Json,
        Packing::Gzip,
        Follow::Yes,
    );
    assert_eq!(
        opened.err().map(|error| error.to_string()).as_deref(),
        Some(
            "source \"a.json.gz\": a packed file cannot be followed; unpack it, or read it without --follow"
        )
    );
}

/// A followed file and what it gave out.
struct Followed {
    reading: Reading,
    path: PathBuf,
    records: Vec<(u64, String, bool)>,
}

impl Followed {
    fn open(path: &Path, format: Format) -> Followed {
        let grace = Duration::from_millis(30);
        let reading = Reading::open(path, format, Packing::Plain, Follow::Yes, grace);
        Followed {
            reading: reading.expect("is there"),
            path: path.to_owned(),
            records: Vec::new(),
        }
    }

    /// Another process, which goes on.
    fn reopen(&mut self) -> FilePlace {
        let place = self.reading.place();
        let records = std::mem::take(&mut self.records);
        *self = Followed::open(&self.path, self.reading.blocks.format());
        self.records = records;
        self.reading.seek_rotated(&place).expect("goes on");
        place
    }

    /// Polls until so many records have come, and a little longer.
    #[track_caller]
    fn expect(&mut self, wanted: &[(u64, &str, bool)]) {
        let began = Instant::now();
        let mut quiet_since = None;
        loop {
            let records = &mut self.records;
            let polled = self.reading.poll(&mut |record| {
                let text = String::from_utf8_lossy(record.bytes).into_owned();
                records.push((record.offset, text, record.heads_file));
            });
            assert_ne!(polled.expect("can be read"), Polled::End);
            let seen = records
                .iter()
                .map(|(line, text, heads)| (*line, text.as_str(), *heads));
            if seen.eq(wanted.iter().copied()) {
                let since = quiet_since.get_or_insert_with(Instant::now);
                if since.elapsed() > Duration::from_millis(20) {
                    return;
                }
            } else {
                quiet_since = None;
                assert!(
                    began.elapsed() < Duration::from_secs(20) && records.len() <= wanted.len(),
                    "{records:?}"
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn append(path: &Path, text: &str) {
    let mut file = fs::File::options()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_followed_file_gives_out_a_record_when_its_line_break_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndjson");
    fs::write(&path, "").unwrap();
    let mut followed = Followed::open(&path, Format::Json);
    followed.expect(&[]);
    append(&path, "one\ntw");
    followed.expect(&[(1, "one", true)]);
    append(&path, "o\n");
    followed.expect(&[(1, "one", true), (2, "two", false)]);
}

#[test]
fn a_file_that_was_truncated_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(&path, "h\none\ntwo\nthr").unwrap();
    let mut followed = Followed::open(&path, Format::Csv);
    let before = [(1, "h", true), (2, "one", false), (3, "two", false)];
    followed.expect(&before);
    fs::File::create(&path).unwrap();
    append(&path, "H\nfour\n");
    let after = [(4, "H", true), (5, "four", false)];
    followed.expect(&[&before[..], &after].concat());
}

#[test]
fn a_file_that_was_rotated_is_finished_before_the_new_one_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let old = folder.path().join("a.csv.1");
    fs::write(&path, "h\none\n").unwrap();
    let mut followed = Followed::open(&path, Format::Csv);
    let mut wanted = vec![(1, "h", true), (2, "one", false)];
    followed.expect(&wanted);
    fs::rename(&path, &old).unwrap();
    // Whoever writes has not noticed yet, and never ends its last record.
    append(&old, "two\n");
    fs::write(&path, "H\nfour\n").unwrap();
    append(&old, "three");
    wanted.extend([
        (3, "two", false),
        (4, "three", false),
        (5, "H", true),
        (6, "four", false),
    ]);
    followed.expect(&wanted);
    append(&path, "five\n");
    wanted.push((7, "five", false));
    followed.expect(&wanted);
    // And once more, with a time in which there is no file of that name.
    fs::rename(&path, &old).unwrap();
    followed.expect(&wanted);
    append(&path, "H\nsix\n");
    wanted.extend([(8, "H", true), (9, "six", false)]);
    followed.expect(&wanted);
}

#[test]
fn a_followed_file_goes_on_where_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(&path, "\u{feff}h\none\ntw").unwrap();
    let mut followed = Followed::open(&path, Format::Csv);
    let mut wanted = vec![(1, "h", true), (2, "one", false)];
    followed.expect(&wanted);
    // The beginning of a record may be taken back: nobody has seen it.
    fs::write(&path, "\u{feff}h\none\nTwo\n").unwrap();
    followed.reopen();
    // The header names the columns once more.
    wanted.extend([(1, "h", true), (3, "Two", false)]);
    followed.expect(&wanted);
    append(&path, "three\n");
    wanted.push((4, "three", false));
    followed.expect(&wanted);
}

#[test]
fn a_file_that_was_rotated_while_away_is_finished_before_the_new_one_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let path = at("a.csv");
    fs::write(&path, "h\none\n").unwrap();
    let mut followed = Followed::open(&path, Format::Csv);
    let mut wanted = vec![(1, "h", true), (2, "one", false)];
    followed.expect(&wanted);
    append(&path, "two\n");
    fs::rename(&path, at("a.csv.1")).unwrap();
    append(&path, "H\nfour\n");
    followed.reopen();
    // Whoever writes has not noticed yet.
    append(&at("a.csv.1"), "three");
    wanted.extend([
        (1, "h", true),
        (3, "two", false),
        (4, "three", false),
        (5, "H", true),
        (6, "four", false),
    ]);
    followed.expect(&wanted);
    // Three times at once: what came between is read, too.
    append(&path, "five\n");
    let rotate = |text: &str| {
        for number in (1..9).rev() {
            let _ = fs::rename(
                at(&format!("a.csv.{number}")),
                at(&format!("a.csv.{}", number + 1)),
            );
        }
        fs::rename(&path, at("a.csv.1")).unwrap();
        append(&path, text);
    };
    rotate("i\nsix\n");
    rotate("j\nseven");
    rotate("k\neight\n");
    let place = followed.reopen();
    assert_eq!(place.mark.first_line, 5);
    wanted.extend([
        (5, "H", true),
        (7, "five", false),
        (8, "i", true),
        (9, "six", false),
        (10, "j", true),
        (11, "seven", false),
        (12, "k", true),
        (13, "eight", false),
    ]);
    followed.expect(&wanted);
    append(&path, "nine\n");
    followed.reopen();
    wanted.extend([(12, "k", true), (14, "nine", false)]);
    followed.expect(&wanted);
}

#[test]
fn somebody_else_goes_on_in_the_midst_of_rotated_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let path = at("log");
    fs::write(&path, "1\n2\n").unwrap();
    let mut followed = Followed::open(&path, Format::Json);
    let mut wanted = vec![(1, "1", true), (2, "2", false)];
    followed.expect(&wanted);
    append(&path, "3\n");
    fs::rename(&path, at("log-2024-05-01")).unwrap();
    fs::write(at("log-2024-05-02"), "4\n5").unwrap();
    fs::write(at("log-2024-05-02.old"), "not\n").unwrap();
    fs::write(&path, "6\n").unwrap();
    let (mut tries, all) = (0, 6);
    while followed.records.len() < all {
        followed.reopen();
        // As far as one poll goes, and again from there.
        for _ in 0..=tries * 5 {
            let records = &mut followed.records;
            let polled = followed.reading.poll(&mut |record| {
                let text = String::from_utf8_lossy(record.bytes).into_owned();
                records.push((record.offset, text, record.heads_file));
            });
            assert_ne!(polled.unwrap(), Polled::End);
            std::thread::sleep(Duration::from_millis(2));
        }
        tries += 1;
        assert!(tries < 2_000, "{:?}", followed.records);
    }
    wanted.extend([
        (3, "3", false),
        (4, "4", true),
        (5, "5", false),
        (6, "6", true),
    ]);
    followed.expect(&wanted);
}

/// What a file says that is to go on where one was left that has given out all it could; before that, `change` happens to it.
#[track_caller]
fn left(text: &str, follow: Follow, change: &dyn Fn(&Path)) -> (File, Result<(), Error>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(&path, text).unwrap();
    let open = || File::open(&path, Format::Csv, Packing::Plain, follow).unwrap();
    let mut file = open();
    while file.poll(&mut |_| {}).unwrap() == Polled::More {}
    let positions = file.positions().unwrap();
    drop(file);
    change(&path);
    let mut refusing = open();
    let refused = refusing.seek(&positions);
    let mut skipping = open().lost(Lost::Skip);
    if refused.is_err() {
        assert_eq!(skipping.seek(&positions), Ok(()));
        return (
            skipping,
            refused.map_err(|error| {
                Error(
                    error
                        .to_string()
                        .replace(&path.display().to_string(), "a.csv"),
                )
            }),
        );
    }
    (refusing, refused)
}

#[track_caller]
fn goes_on(mut file: File, wanted: &[(u64, &str, bool)]) {
    let mut seen = Vec::new();
    while file
        .poll(&mut |record| {
            let text = String::from_utf8_lossy(record.bytes).into_owned();
            seen.push((record.offset, text, record.heads_file));
        })
        .unwrap()
        == Polled::More
    {}
    let seen = seen
        .iter()
        .map(|(line, text, heads)| (*line, text.as_str(), *heads));
    assert_eq!(Vec::from_iter(seen), wanted);
}

const THREE: &str = "h\none\ntwo\n";

#[test]
fn a_file_that_has_grown_is_read_on() {
    let (file, sought) = left("h\none\ntwo", Follow::No, &|path| append(path, "\nthree\n"));
    assert_eq!(sought, Ok(()));
    goes_on(file, &[(1, "h", true), (4, "three", false)]);
    // A copy is as good as the file.
    let (file, sought) = left(THREE, Follow::No, &|path| {
        let text = fs::read_to_string(path).unwrap();
        fs::remove_file(path).unwrap();
        fs::write(path, text + "three\n").unwrap();
    });
    assert_eq!(sought, Ok(()));
    goes_on(file, &[(1, "h", true), (4, "three", false)]);
}

#[test]
fn a_file_that_is_shorter_is_refused_or_begun_anew() {
    for follow in [Follow::No, Follow::Yes] {
        let (file, refused) = left(THREE, follow, &|path| fs::write(path, "h\nOne\n").unwrap());
        assert_eq!(
            refused.unwrap_err().to_string(),
            "source \"a.csv\" holds 6 bytes, but was read up to line 3, byte 10 before: whatever stood behind is lost; \
             put back what was there, or name it \"a.csv?lost=skip\" to go on with what is there now, from its beginning"
        );
        // Offsets go on rising.
        goes_on(file, &[(4, "h", true), (5, "One", false)]);
    }
}

#[test]
fn a_file_that_begins_otherwise_is_refused_or_begun_anew() {
    for follow in [Follow::No, Follow::Yes] {
        let (file, refused) = left(THREE, follow, &|path| {
            fs::write(path, "H\nOne\nTwo\nThree\n").unwrap()
        });
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.starts_with("source \"a.csv\" is another file than the one that was read up to line 3, byte 10: the checksum of its first 10 bytes is "),
            "{refused}"
        );
        goes_on(
            file,
            &[
                (4, "H", true),
                (5, "One", false),
                (6, "Two", false),
                (7, "Three", false),
            ],
        );
    }
}

#[test]
fn a_followed_file_that_is_nowhere_is_refused_or_the_one_that_is_there_is_read() {
    let (file, refused) = left(THREE, Follow::Yes, &|path| {
        // Nobody is to be given its number again.
        fs::rename(path, path.with_extension("kept")).unwrap();
        fs::create_dir(path.with_file_name("away")).unwrap();
        fs::rename(
            path.with_extension("kept"),
            path.with_file_name("away/kept"),
        )
        .unwrap();
        fs::write(path, "H\nfour\n").unwrap();
    });
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.starts_with("source \"a.csv\" is another file than the one that was read up to line 3, byte 10 (inode ")
            && refused.contains("), and that one is not in its folder any more: what was written between that line and what is there now is lost; put back"),
        "{refused}"
    );
    goes_on(file, &[(4, "H", true), (5, "four", false)]);
}

#[test]
fn a_copy_of_a_followed_file_is_read_on_if_there_is_enough_to_tell() {
    let copy = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        fs::create_dir(path.with_file_name("away")).unwrap();
        fs::rename(path, path.with_file_name("away/kept")).unwrap();
        fs::write(path, text + "more\n").unwrap();
    };
    let (_, refused) = left(THREE, Follow::Yes, &copy);
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("not in its folder any more")
    );
    let long = format!("h\n{}", "record\n".repeat(1_000));
    let (file, sought) = left(&long, Follow::Yes, &copy);
    assert_eq!(sought, Ok(()));
    goes_on(file, &[(1, "h", true), (1_002, "more", false)]);
}

#[test]
fn a_packed_file_that_is_shorter_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndjson.zst");
    let pack =
        |text: &str| fs::write(&path, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    let open = || File::open(&path, Format::Json, Packing::Zstd, Follow::No).unwrap();
    pack("one\ntwo\nthree\n");
    let mut file = open();
    while file.poll(&mut |_| {}).unwrap() != Polled::End {}
    let positions = file.positions().unwrap();
    // As if its first bytes were the same.
    let mut place = FilePlace::read("a", &positions[0].1).unwrap();
    place.mark.bytes = 1_000;
    place.mark.line = 100;
    let refused = open()
        .seek(&[(0, place.position())])
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("holds 14 bytes unpacked, but was read up to line 99, byte 1000 before"),
        "{refused}"
    );
}
