//! Rows on standard output.

use std::io::{self, BufWriter, Write};

use super::{Error, Sink};

/// How many bytes of rows are kept in memory.
const BUFFER_BYTES: usize = 64 * 1024;

/// Standard output.
#[derive(Debug)]
pub struct Stdout(BufWriter<io::Stdout>);

impl Stdout {
    /// Standard output.
    #[must_use]
    pub fn new() -> Stdout {
        Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()))
    }
}

impl Default for Stdout {
    fn default() -> Stdout {
        Stdout::new()
    }
}

impl Sink for Stdout {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.0
            .write_all(rows)
            .map_err(|error| Error::io("-", "written", &error))
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.0
            .flush()
            .map_err(|error| Error::io("-", "written", &error))
    }
}
