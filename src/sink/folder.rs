//! A folder of rows: a file after the other, each whole when it can be seen.
//!
//! Rows go into a hidden file, `.alerts-000007.ndjson.part`; when that is large or old enough, it is made durable and gets its name, `alerts-000007.ndjson`. What reads
//! the folder never sees half a row. Files are named after the folder and numbered on from the highest number that is there.
//!
//! A hidden file that a run left behind when it was killed is finished by the next one: whole rows are kept, half a row at its end is cut off. Two
//! runs do not write to one folder: the hidden file is locked.

use std::fs::{self, TryLockError};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Error, Sink};

/// How many bytes of rows are kept in memory.
const BUFFER_BYTES: usize = 128 * 1024;

/// When a file is finished and the next one begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Roll {
    /// When it holds so many bytes; the rows that reach it are its last.
    pub max_bytes: u64,
    /// When its first row is so old. Looked at when rows come and when they are flushed.
    pub every: Duration,
}

impl Default for Roll {
    /// 128 MiB, an hour.
    fn default() -> Roll {
        Roll {
            max_bytes: 128 << 20,
            every: Duration::from_secs(3_600),
        }
    }
}

/// A folder being written.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// What names begin with: `alerts-`.
    stem: String,
    roll: Roll,
    /// The number of the next file.
    next: u64,
    part: Option<Part>,
    buffer: Vec<u8>,
}

/// A file that is not finished.
#[derive(Debug)]
struct Part {
    file: fs::File,
    number: u64,
    /// Including what is still in memory.
    bytes: u64,
    begun: Instant,
}

/// What a file's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Finished(u64),
    Part(u64),
}

impl Folder {
    /// Makes the folder if it is not there; finishes what a killed run left in it.
    ///
    /// # Errors
    /// When it cannot be made or listed, or another run writes to it.
    pub fn open(path: &Path, roll: Roll) -> Result<Folder, Error> {
        let shown = path.display().to_string();
        let failed = |doing: &str| {
            let (shown, doing) = (shown.clone(), doing.to_owned());
            move |error: io::Error| Error::io(&shown, &doing, &error)
        };
        if !path.is_dir() {
            fs::create_dir(path).map_err(|error| Error::uncreated(&shown, &error))?;
        }
        let name = path.file_name().map(|name| name.to_string_lossy());
        let stem = format!("{}-", name.as_deref().unwrap_or("rows"));
        let mut folder = Folder {
            path: path.to_owned(),
            stem,
            roll,
            next: 1,
            part: None,
            buffer: Vec::with_capacity(BUFFER_BYTES),
        };
        let mut left = Vec::new();
        for entry in fs::read_dir(path).map_err(failed("listed"))? {
            let name = entry.map_err(failed("listed"))?.file_name();
            let number = match name.to_str().and_then(|name| folder.found(name)) {
                None => continue,
                Some(Found::Finished(number)) => number,
                Some(Found::Part(number)) => {
                    left.push(number);
                    number
                }
            };
            folder.next = folder.next.max(number + 1);
        }
        for number in left {
            folder.recover(number)?;
        }
        Ok(folder)
    }

    fn found(&self, name: &str) -> Option<Found> {
        let number = |text: &str| {
            let digits = text.strip_prefix(&self.stem)?;
            let all_digits = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| all_digits)
        };
        match name.strip_prefix('.') {
            None => number(name.strip_suffix(".ndjson")?).map(Found::Finished),
            Some(name) => number(name.strip_suffix(".ndjson.part")?).map(Found::Part),
        }
    }

    fn part_path(&self, number: u64) -> PathBuf {
        self.path
            .join(format!(".{}{number:06}.ndjson.part", self.stem))
    }

    fn finished_path(&self, number: u64) -> PathBuf {
        self.path.join(format!("{}{number:06}.ndjson", self.stem))
    }

    /// Finishes a file that a killed run left behind.
    fn recover(&self, number: u64) -> Result<(), Error> {
        let path = self.part_path(number);
        let shown = path.display().to_string();
        let failed = |error: io::Error| Error::io(&shown, "finished", &error);
        let mut file = fs::File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        self.lock(&file)?;
        let length = file.metadata().map_err(failed)?.len();
        let whole = whole_rows(&mut file, length).map_err(failed)?;
        if whole == 0 {
            return fs::remove_file(&path).map_err(failed);
        }
        file.set_len(whole).map_err(failed)?;
        let (path, dropped_bytes) = (self.finished_path(number), length - whole);
        self.name(&file, number).map_err(failed)?;
        tracing::info!(path = %path.display(), dropped_bytes, "finished a file that an earlier run left behind");
        Ok(())
    }

    fn lock(&self, file: &fs::File) -> Result<(), Error> {
        match file.try_lock() {
            // Where files cannot be locked there is nobody to ask.
            Ok(()) => Ok(()),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            Err(TryLockError::WouldBlock) => Err(Error::usage(format!(
                "output \"{}\": another run writes to this folder; name another one",
                self.path.display()
            ))),
            Err(TryLockError::Error(error)) => Err(self.failed("locked")(error)),
        }
    }

    /// Makes a part durable and gives it its name.
    fn name(&self, file: &fs::File, number: u64) -> io::Result<()> {
        file.sync_all()?;
        fs::rename(self.part_path(number), self.finished_path(number))?;
        // Without this the name itself may be lost with the power.
        fs::File::open(&self.path)?.sync_all()
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> Error + use<> {
        let shown = self.path.display().to_string();
        move |error| Error::io(&shown, doing, &error)
    }

    /// Begins a file.
    fn begin(&mut self) -> Result<(), Error> {
        let number = self.next;
        let file = fs::File::options()
            .write(true)
            .create_new(true)
            .open(self.part_path(number))
            .map_err(self.failed("written"))?;
        self.lock(&file)?;
        self.next += 1;
        self.part = Some(Part {
            file,
            number,
            bytes: 0,
            begun: Instant::now(),
        });
        Ok(())
    }

    /// Hands rows in memory to the system.
    fn pass_on(&mut self) -> Result<(), Error> {
        if let Some(part) = &mut self.part {
            let written = part.file.write_all(&self.buffer);
            written.map_err(self.failed("written"))?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Finishes the file, if there is one.
    fn finish(&mut self) -> Result<(), Error> {
        self.pass_on()?;
        match self.part.take() {
            None => Ok(()),
            Some(part) => self
                .name(&part.file, part.number)
                .map_err(self.failed("finished")),
        }
    }

    /// Finishes the file if it is due.
    fn finish_due(&mut self) -> Result<(), Error> {
        let roll = self.roll;
        let is_due =
            |part: &Part| part.bytes >= roll.max_bytes || part.begun.elapsed() >= roll.every;
        if self.part.as_ref().is_some_and(is_due) {
            self.finish()?;
        }
        Ok(())
    }
}

/// How long a file is without half a row at its end.
fn whole_rows(file: &mut fs::File, length: u64) -> io::Result<u64> {
    const BACK_BYTES: u64 = 64 * 1024;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BACK_BYTES);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        Read::take(&mut *file, end - start).read_to_end(&mut bytes)?;
        if let Some(last) = memchr::memrchr(b'\n', &bytes) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Sink for Folder {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        // Before these rows: a file that has become too old does not get them.
        self.finish_due()?;
        if rows.is_empty() {
            return Ok(());
        }
        if self.part.is_none() {
            self.begin()?;
        }
        self.buffer.extend_from_slice(rows);
        if let Some(part) = &mut self.part {
            part.bytes += rows.len() as u64;
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.pass_on()?;
        }
        self.finish_due()
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.pass_on()?;
        self.finish_due()
    }

    fn close(&mut self) -> Result<(), Error> {
        self.finish()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            tracing::error!(%error, "the last rows may be missing");
        }
    }
}

#[cfg(test)]
mod tests {
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
}
