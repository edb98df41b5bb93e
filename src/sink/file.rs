//! A file of rows, one after the other.
//!
//! Opening it touches nothing that it holds: only the first call says whether there is state. Without, it is emptied. With state it is cut where the last committed epoch
//! ended, so that rows which were not committed are there once, after they have come again; whoever reads it meanwhile may have seen them.
//!
//! A pipe, a terminal or another device takes rows as they come: nothing can be taken back.

use std::io;
use std::path::{Path, PathBuf};

use super::growing::{Growing, Mark};
use super::kept::{self, Kind};
use super::{Delivery, Error, Sink};
use crate::disk::{Entry, Lock, SharedDisk, SystemDisk};
use crate::epoch::Epoch;

/// A file being written.
#[derive(Debug)]
pub struct File {
    disk: SharedDisk,
    path: PathBuf,
    shown: String,
    growing: Growing,
    what: What,
    mode: Mode,
}

/// What it really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    File,
    /// Nothing to cut, to sync or to read back.
    Stream,
}

#[derive(Debug)]
enum Mode {
    /// Nobody has said yet whether there is state.
    Opened,
    /// There is none.
    Plain,
    /// Rows belong to epochs.
    Committing { _lock: Option<Lock>, named: Named },
}

/// Whether the file's name is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Durably,
    NotYet,
}

impl File {
    /// Opens a file, which is made if it is not there. If it is, it is emptied with the first call, or goes on where [`Sink::restore`] says.
    ///
    /// # Errors
    /// When its folder is not there, or it may not be written.
    pub fn create(path: &Path) -> Result<File, Error> {
        File::create_on(SystemDisk::shared(), path)
    }

    /// The same on another disk.
    ///
    /// # Errors
    /// As [`File::create`].
    pub fn create_on(disk: SharedDisk, path: &Path) -> Result<File, Error> {
        let shown = path.display().to_string();
        let failed = |error: io::Error| Error::uncreated(&shown, &error);
        let what = match disk.entry(path).map_err(failed)? {
            Some(Entry::Other) => What::Stream,
            _ if is_stream_of_the_process(path) => What::Stream,
            _ => What::File,
        };
        let growing = Growing::open(&*disk, path).map_err(failed)?;
        Ok(File {
            disk,
            path: path.to_owned(),
            shown,
            growing,
            what,
            mode: Mode::Opened,
        })
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> Error + use<'_> {
        move |error| Error::io(&self.shown, doing, &error)
    }

    /// The first row or flush says that there is no state.
    fn begin(&mut self) -> Result<(), Error> {
        if let Mode::Opened = self.mode {
            self.empty()?;
            self.mode = Mode::Plain;
        }
        Ok(())
    }

    fn empty(&mut self) -> Result<(), Error> {
        if self.what == What::File {
            let emptied = self.disk.truncate(&self.path, 0);
            emptied.map_err(self.failed("emptied"))?;
        }
        Ok(())
    }

    fn lock(&self) -> Result<Lock, Error> {
        match self.disk.lock(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Error::usage(format!(
                "output \"{}\": another run or output writes to this file; name another one",
                self.shown
            ))),
            locked => locked.map_err(self.failed("locked")),
        }
    }

    /// Goes on behind what was committed.
    fn resume(&mut self, epoch: Epoch, mark: &Mark) -> Result<(), Error> {
        mark.require(&*self.disk, &self.path, epoch, "file")?;
        let cut = self.growing.cut(&*self.disk, &self.path, mark);
        cut.map_err(|error| Error::io(&self.shown, "cut", &error))
    }
}

/// Names of what the process was given, perhaps a file that somebody else has begun.
fn is_stream_of_the_process(path: &Path) -> bool {
    ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"]
        .iter()
        .any(|stream| path.starts_with(stream))
}

/// The folder in which a path lies.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

impl Sink for File {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.begin()?;
        let written = self.growing.write(rows);
        written.map_err(self.failed("written"))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.begin()?;
        let passed = self.growing.pass_on();
        passed.map_err(self.failed("written"))
    }

    fn delivery(&self) -> Delivery {
        match self.what {
            What::File => Delivery::ExactlyOnce,
            What::Stream => Delivery::AtLeastOnce,
        }
    }

    /// Version 1, kind 1, the length, the CRC-32 of the last 4 KiB; nothing if it is no file.
    fn prepare(&mut self, _: Epoch) -> Result<Vec<u8>, Error> {
        self.flush()?;
        if self.what == What::Stream {
            return Ok(Vec::new());
        }
        let synced = self.growing.sync();
        synced.map_err(self.failed("made durable"))?;
        if let Mode::Committing { named, .. } = &mut self.mode
            && *named == Named::NotYet
        {
            let synced = self.disk.sync(folder_of(&self.path));
            synced.map_err(|error| Error::io(&self.shown, "made durable", &error))?;
            *named = Named::Durably;
        }
        let mut kept = Kind::File.begin();
        self.growing.mark().put(&mut kept);
        Ok(kept)
    }

    fn restore(&mut self, prepared: Option<(Epoch, &[u8])>) -> Result<(), Error> {
        if !matches!(self.mode, Mode::Opened) {
            return Err(Error::restored_late(&self.shown));
        }
        let _lock = match self.what {
            What::File => Some(self.lock()?),
            What::Stream => None,
        };
        match prepared {
            _ if self.what == What::Stream => {}
            None => self.empty()?,
            Some((epoch, bytes)) => {
                let mark = Kind::File.read(bytes, Mark::read);
                let mark =
                    mark.map_err(|damaged| kept::unreadable(&self.shown, epoch, &damaged))?;
                self.resume(epoch, &mark)?;
            }
        }
        let named = Named::NotYet;
        self.mode = Mode::Committing { _lock, named };
        Ok(())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // With state, what was not committed comes again.
        if let Mode::Plain = self.mode
            && let Err(error) = self.growing.pass_on()
        {
            tracing::error!(output = %self.shown, %error, "the last rows may be missing");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;

    use super::*;

    fn holds(path: &Path, wanted: &str) {
        assert_eq!(fs::read_to_string(path).unwrap(), wanted);
    }

    /// A file with committed rows, and what the checkpoint has of it.
    fn committed(path: &Path, rows: &str) -> Vec<u8> {
        let mut file = File::create(path).unwrap();
        file.restore(None).unwrap();
        file.write(rows.as_bytes()).unwrap();
        file.prepare(Epoch(1)).unwrap()
    }

    #[test]
    fn what_a_file_holds_is_there_until_it_is_known_whether_there_is_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        fs::write(&path, "old\n").unwrap();
        drop(File::create(&path).unwrap());
        holds(&path, "old\n");
        let mut file = File::create(&path).unwrap();
        holds(&path, "old\n");
        file.flush().unwrap();
        holds(&path, "");
        file.write(b"new\n").unwrap();
        drop(file);
        holds(&path, "new\n");
        File::create(&path).unwrap().close().unwrap();
        holds(&path, "");
    }

    #[test]
    fn with_state_it_goes_on_where_the_checkpoint_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        fs::write(&path, "old\n").unwrap();
        let kept = committed(&path, "one\ntwo\n");
        assert_eq!(kept, [1, 1, 8, 0xe6, 0x97, 0xe8, 0x95, 0x01]);
        fs::write(&path, "one\ntwo\nthree\nhalf a r").unwrap();
        let mut file = File::create(&path).unwrap();
        file.restore(Some((Epoch(1), &kept))).unwrap();
        holds(&path, "one\ntwo\n");
        file.write(b"three\n").unwrap();
        drop(file);
        // Not committed: nobody promised that it is there.
        holds(&path, "one\ntwo\n");
    }

    #[test]
    fn a_file_that_is_not_what_was_committed_is_refused_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let kept = committed(&path, "one\ntwo\n");
        let refused = |text: Option<&str>, kept: &[u8]| {
            match text {
                Some(text) => fs::write(&path, text).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let mut file = File::create(&path).unwrap();
            let error = file
                .restore(Some((Epoch(7), kept)))
                .unwrap_err()
                .to_string();
            drop(file);
            holds(&path, text.unwrap_or_default());
            error.replace(&path.display().to_string(), "rows")
        };
        let lost = "8 were committed with checkpoint 7: rows are lost; put the file back, restore an older checkpoint, or name another file";
        assert_eq!(
            refused(Some("one\n"), &kept),
            format!("output \"rows\" holds 4 bytes, but {lost}")
        );
        assert_eq!(
            refused(None, &kept),
            format!("output \"rows\" holds 0 bytes, but {lost}")
        );
        assert_eq!(
            refused(Some("one\ntwo?and more"), &kept),
            "output \"rows\" is not the file of checkpoint 7: other bytes stand before byte 8, where it ended; put the file back, restore an older checkpoint, or name another file"
        );
        assert_eq!(
            refused(Some("one\ntwo\n"), &kept[..4]),
            "output \"rows\": what checkpoint 7 kept of it is not what it should be: no byte at byte 4; restore another checkpoint, or name another place"
        );
    }

    #[test]
    fn two_with_state_do_not_write_to_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let mut first = File::create(&path).unwrap();
        first.restore(None).unwrap();
        let second = File::create(&path).unwrap().restore(None).unwrap_err();
        assert!(
            second
                .to_string()
                .ends_with("another run or output writes to this file; name another one"),
            "{second}"
        );
    }

    #[test]
    fn a_pipe_takes_rows_as_they_come_with_state_and_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        // No program does this: while one starts it holds the locks of all tests.
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let reads = {
            let path = path.clone();
            std::thread::spawn(move || {
                let mut text = String::new();
                fs::File::open(path)
                    .unwrap()
                    .read_to_string(&mut text)
                    .unwrap();
                text
            })
        };
        for path in [path.as_path(), Path::new("/dev/null")] {
            let mut file = File::create(path).unwrap();
            assert_eq!(file.delivery(), Delivery::AtLeastOnce);
            file.restore(Some((Epoch(3), &[]))).unwrap();
            file.write(b"one\n").unwrap();
            assert_eq!(file.prepare(Epoch(4)).unwrap(), b"");
            file.commit(Epoch(4)).unwrap();
            file.write(b"two\n").unwrap();
            file.close().unwrap();
        }
        assert_eq!(reads.join().unwrap(), "one\ntwo\n");
        let mut file = File::create(Path::new("/dev/null")).unwrap();
        file.write(b"one\n").unwrap();
        file.close().unwrap();
    }
}
