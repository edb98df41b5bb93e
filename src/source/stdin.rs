//! Records on standard input. One partition; cannot be read again.

use std::io;

use super::ahead::{Ahead, Wait};
use super::blocks::{BLOCK_BYTES, Block, Blocks};
use super::{Error, Extent, Polled, Progress, Record, Source};
use crate::event::formats::Format;

/// Standard input, read on a thread of its own: a pipe that holds nothing would make whoever reads it wait.
#[derive(Debug)]
// On cache lines of its own: it is written to for each record.
#[repr(align(128))]
pub struct Stdin(Blocks<Ahead>);

impl Stdin {
    /// Begins to read standard input.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn open(format: Format) -> Result<Stdin, Error> {
        let ahead = Ahead::start("stdin", io::stdin(), BLOCK_BYTES, Wait::Never);
        let ahead = ahead.map_err(|error| unreadable(&error))?;
        Ok(Stdin(Blocks::new(ahead, format)))
    }
}

fn unreadable(error: &io::Error) -> Error {
    Error(format!("standard input cannot be read: {error}"))
}

impl Source for Stdin {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        match self.0.poll(take) {
            Ok(Block::End) => Ok(Polled::End),
            Ok(Block::Some) => Ok(Polled::More),
            Ok(Block::Nothing) => Ok(Polled::Waiting),
            Err(error) => Err(unreadable(&error)),
        }
    }

    fn partitions(&self) -> Vec<u32> {
        vec![0]
    }

    fn extent(&self) -> Extent {
        Extent::Unbounded
    }

    fn progress(&self) -> Option<Progress> {
        None
    }
}
