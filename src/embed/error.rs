//! The one error of the façade.

use std::error::Error as StdError;
use std::fmt;

use crate::checkpoint;
use crate::engine::{self, RunError};
use crate::{sink, source};

/// Why an engine cannot be built, an event not be taken, or a run not go on. The message names the thing, says what is wrong, and the way out; of
/// patterns it holds every mistake with its place.
///
/// ```
/// use leitmotif::{Engine, ErrorKind};
///
/// let error = Engine::builder().patterns_text("a.motif", "pattern p {").build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Patterns);
/// assert!(error.to_string().contains("a.motif:1:11"), "{error}");
/// ```
pub struct Error {
    kind: ErrorKind,
    message: String,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// What an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The patterns have mistakes. The message shows all of them, each with its place, as the command line does.
    Patterns,
    /// The builder was told what does not fit together: a name that does not exist, a number out of range, nothing to run.
    Configuration,
    /// A file cannot be read.
    Io,
    /// What was pushed is no event. It is counted; the engine goes on.
    Malformed,
    /// A source cannot be opened or read.
    Source,
    /// An output cannot be opened or written.
    Output,
    /// Durable state cannot be written, read, or used by these patterns.
    State,
    /// Nobody takes rows any more: the reader of standard output has gone, or the receiver of matches was dropped.
    Closed,
    /// A shard does not answer: a source does not come back from reading, or a mistake of the engine.
    Stuck,
    /// It failed more often than it was to begin again.
    GaveUp,
    /// A mistake of the engine, or a panic in a source, sink or callback of the program.
    Panicked,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            kind,
            message: message.into(),
            cause: None,
        }
    }

    pub(super) fn configuration(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Configuration, message)
    }

    /// An error with the one that led to it.
    pub(super) fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        cause: impl StdError + Send + Sync + 'static,
    ) -> Error {
        Error {
            kind,
            message: message.into(),
            cause: Some(Box::new(cause)),
        }
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// With the message as it is shown, so that `main` may return it and patterns stay readable.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn StdError + 'static))
    }
}

impl From<source::Error> for Error {
    fn from(error: source::Error) -> Error {
        Error::new(ErrorKind::Source, error.to_string())
    }
}

impl From<sink::Error> for Error {
    fn from(error: sink::Error) -> Error {
        let kind = match error.is_closed() {
            true => ErrorKind::Closed,
            false => ErrorKind::Output,
        };
        Error::new(kind, error.to_string())
    }
}

impl From<checkpoint::Error> for Error {
    fn from(error: checkpoint::Error) -> Error {
        Error::new(ErrorKind::State, error.to_string())
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Error {
        Error::new(ErrorKind::Patterns, error.to_string())
    }
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Error {
        match error {
            RunError::Source(error) => error.into(),
            RunError::Sink(error) => error.into(),
            RunError::State(error) => error.into(),
            RunError::Stuck(_) => Error::new(ErrorKind::Stuck, error.to_string()),
            RunError::Panicked(_) => Error::new(ErrorKind::Panicked, error.to_string()),
        }
    }
}
