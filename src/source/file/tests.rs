use super::*;
use std::fs;
use std::io::Write;

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
    records: Vec<(u64, String, bool)>,
}

impl Followed {
    fn open(path: &Path, format: Format) -> Followed {
        let grace = Duration::from_millis(30);
        let reading = Reading::open(path, format, Packing::Plain, Follow::Yes, grace);
        Followed {
            reading: reading.expect("is there"),
            records: Vec::new(),
        }
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
