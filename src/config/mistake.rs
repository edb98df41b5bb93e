//! What is wrong with a configuration: all of it, each with its place.

use std::fmt;

use crate::lang::suggest;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where: `leitmotif.toml:3:1`, or the name of an environment variable.
    pub place: String,
    /// What, and the way out.
    pub message: String,
}

/// A configuration that can't be used, with all that is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    /// In the order of places; never empty.
    mistakes: Vec<Mistake>,
}

impl Error {
    /// An error if there is a mistake.
    pub(super) fn if_any(mistakes: Vec<Mistake>) -> Result<(), Error> {
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Error { mistakes })
    }

    /// Everything that is wrong; at least one thing.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

/// One mistake on one line, several on a line each.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &self.mistakes[..] {
            return write!(f, "{only}");
        }
        write!(f, "{} mistakes in the configuration:", self.mistakes.len())?;
        for mistake in &self.mistakes {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// `unknown key "shrads"; did you mean "shards"?`, or a list of those that exist.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match suggest::nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown {what} \"{name}\"; did you mean \"{near}\"?"),
        None => format!("unknown {what} \"{name}\"; there is {}", known.join(", ")),
    }
}
