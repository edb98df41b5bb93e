//! Where rows go: standard output, files, folders, topics of Kafka and whoever takes them by HTTP; one JSON object per line.
//!
//! A sink takes part in checkpoints by four calls: [`Sink::restore`] says where it goes on, [`Sink::prepare`] makes the rows of an epoch durable, [`Sink::commit`] lets them be
//! seen, and [`Sink::delivery`] tells what comes of that. Without state none of the first three is called.
//!
//! `json_row` turns rows into text, `outputs` knows which output is bound to which [`Sink`]. Late, malformed and evicted go nowhere unless
//! they are bound; counting them is the engine's task.

mod after_commit;
#[cfg(test)]
mod crash_tests;
mod feed;
mod file;
mod folder;
mod growing;
mod json_row;
pub mod kafka;
mod kept;
mod number;
mod opening;
mod outputs;
mod receiver;
mod spec;
mod stdout;
mod typed;
#[cfg(feature = "http")]
mod webhook;

use std::fmt;
use std::io;

use crate::epoch::Epoch;

pub(crate) use after_commit::rows_in;
pub use after_commit::{AfterCommit, Sending};
pub use feed::Retries;
pub(crate) use feed::{Chunk, Feed, Handed, LATENCY_MICROS};
pub use file::File;
pub use folder::{Folder, Roll};
pub use json_row::{JsonRows, json};
pub(crate) use kept::decides;
pub use opening::Opening;
pub use outputs::{Destination, RowText, SIDE_OUTPUTS};
pub(crate) use outputs::{Drain, Outputs, rejected_text};
pub use receiver::{Body, Receiver};
pub(crate) use spec::is_same_place;
pub use spec::{OutputSpec, Target};
pub use stdout::Stdout;
pub(crate) use typed::{Offered, RowQueue};
#[cfg(feature = "http")]
pub use webhook::Webhook;

/// What becomes of rows when a run is killed and goes on from its last checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Each is there once.
    ExactlyOnce,
    /// Rows since the checkpoint are sent again, with the same match ids.
    AtLeastOnce,
    /// None is sent before a checkpoint has it. Those of the last checkpoint are sent again, with the same match ids.
    AfterCommit,
}

/// Takes whole rows.
pub trait Sink: Send {
    /// Takes rows, each with its line break. They may stay in memory until [`Sink::flush`].
    ///
    /// # Errors
    /// When they cannot be written.
    fn write(&mut self, rows: &[u8]) -> Result<(), Error>;

    /// Hands everything taken so far to the system. Also called before the first row, when there may be none for long.
    ///
    /// # Errors
    /// When it cannot be written.
    fn flush(&mut self) -> Result<(), Error>;

    /// Hands everything over and finishes what was begun: no row follows. With state, only what is committed: a run that ends commits its last epoch first.
    ///
    /// # Errors
    /// When it cannot be written.
    fn close(&mut self) -> Result<(), Error> {
        self.flush()
    }

    /// What a killed run does to its rows.
    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce
    }

    /// An epoch ends behind the rows taken so far: makes them durable, though perhaps nobody sees them yet. What it gives back is kept with the checkpoint, for
    /// [`Sink::restore`]; the first byte says which version of it. Rows of the next epoch may come before this one is committed. A further one is prepared only when this one is
    /// committed or given up; what was prepared of the latter belongs to the further one then.
    ///
    /// # Errors
    /// When they cannot be written.
    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<u8>, Error> {
        let _ = epoch;
        self.flush()?;
        Ok(Vec::new())
    }

    /// The epoch is committed: what was prepared is to be seen. Doing it again is fine, also after it failed.
    ///
    /// # Errors
    /// When that fails.
    fn commit(&mut self, epoch: Epoch) -> Result<(), Error> {
        let _ = epoch;
        Ok(())
    }

    /// Called once before the first row and the first flush when there is state: goes on from the epoch with which `prepared` was kept, which is committed. Finishes its commit if that was
    /// cut short, and undoes whatever came after it. `None`: the state is new, and so is this output.
    ///
    /// # Errors
    /// When that is impossible: the message says what is lost, and the way out.
    fn restore(&mut self, prepared: Option<(Epoch, &[u8])>) -> Result<(), Error> {
        // Rows that waited for their commit when this output was `AfterCommit`: the checkpoint has them, the receiver perhaps not.
        match prepared.and_then(|(_, kept)| after_commit::rows_in(kept)) {
            Some(rows) => after_commit::send(self, rows),
            None => Ok(()),
        }
    }

    /// True when the epoch had better end soon, because what is kept for its commit comes near a limit. Asked for after rows were taken; a checkpoint comes early then.
    fn wants_commit(&self) -> bool {
        false
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

    /// A mistake of ours.
    fn restored_late(output: &str) -> Error {
        Error::usage(format!(
            "output \"{output}\" was to go on from a checkpoint after it had begun; this is a mistake in leitmotif, please report it"
        ))
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
