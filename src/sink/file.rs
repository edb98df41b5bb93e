//! A file of rows.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{Error, Sink};

/// How many bytes of rows are kept in memory.
const BUFFER_BYTES: usize = 128 * 1024;

/// A file being written.
#[derive(Debug)]
pub struct File {
    file: BufWriter<fs::File>,
    path: String,
}

impl File {
    /// Creates a file, or empties it when it is there.
    ///
    /// # Errors
    /// When its folder is not there, or it may not be written.
    pub fn create(path: &Path) -> Result<File, Error> {
        let shown = path.display().to_string();
        let file = fs::File::create(path).map_err(|error| Error::uncreated(&shown, &error))?;
        Ok(File {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            path: shown,
        })
    }
}

impl Sink for File {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.file
            .write_all(rows)
            .map_err(|error| Error::io(&self.path, "written", &error))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file
            .flush()
            .map_err(|error| Error::io(&self.path, "written", &error))
    }
}
