//! Where rows go: standard output, files, folders and whoever takes them by HTTP; one JSON object per line.
//!
//! `json_row` turns rows into text, `outputs` knows which output is bound to which [`Sink`]. Late, malformed and evicted go nowhere unless
//! they are bound; counting them is the engine's task.

mod feed;
mod file;
mod folder;
mod json_row;
mod outputs;
mod receiver;
mod spec;
mod stdout;
mod typed;
#[cfg(feature = "http")]
mod webhook;

use std::fmt;
use std::io;

pub use feed::Retries;
pub(crate) use feed::{Chunk, Feed, Handed, LATENCY_MICROS};
pub use file::File;
pub use folder::{Folder, Roll};
pub use json_row::JsonRows;
pub use outputs::{Destination, RowText, SIDE_OUTPUTS};
pub(crate) use outputs::{Drain, Outputs, rejected_text};
pub use receiver::{Body, Receiver};
pub use spec::{OutputSpec, Target};
pub use stdout::Stdout;
pub(crate) use typed::{Offered, RowQueue};
#[cfg(feature = "http")]
pub use webhook::Webhook;

/// Takes whole rows.
pub trait Sink: Send {
    /// Takes rows, each with its line break. They may stay in memory until [`Sink::flush`].
    ///
    /// # Errors
    /// When they cannot be written.
    fn write(&mut self, rows: &[u8]) -> Result<(), Error>;

    /// Hands everything taken so far to the system.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self) -> Result<(), Error>;

    /// Hands everything over and finishes what was begun: no row follows.
    ///
    /// # Errors
    /// When it cannot be written.
    fn close(&mut self) -> Result<(), Error> {
        self.flush()
    }

    /// Where it counts how often a write was tried again. Asked for once, before the first row: a write may last for as long as a receiver is away.
    fn retries(&self) -> Retries {
        Retries::default()
    }
}

/// An output that cannot be named, opened or written. The message says which, why, and the way out.
#[derive(Debug)]
pub struct Error {
    message: String,
    closed: bool,
}

impl Error {
    /// For sinks outside of this crate. The message names the output, says what is wrong, and the way out.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Error {
        Error::usage(message.into())
    }

    fn usage(message: String) -> Error {
        Error {
            message,
            closed: false,
        }
    }

    fn io(output: &str, doing: &str, error: &io::Error) -> Error {
        Error {
            message: format!("output \"{output}\" cannot be {doing}: {error}"),
            closed: error.kind() == io::ErrorKind::BrokenPipe,
        }
    }

    /// A file or folder that cannot be made: mostly the folder above it is missing or may not be written to.
    fn uncreated(output: &str, error: &io::Error) -> Error {
        let mut uncreated = Error::io(output, "created", error);
        uncreated.message += match error.kind() {
            io::ErrorKind::NotFound => "; make the folder in which it is to lie",
            _ => "; name another place",
        };
        uncreated
    }

    /// Nobody receives matches any more.
    fn unreceived() -> Error {
        Error {
            message: "nobody receives matches any more; keep the receiver until the run has ended"
                .to_owned(),
            closed: true,
        }
    }

    /// The sink's own thread has given up; it says why.
    fn gone(output: &str) -> Error {
        Error {
            message: format!("output \"{output}\" takes no more rows"),
            closed: false,
        }
    }

    /// True when nobody reads any more, as after `| head`.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
