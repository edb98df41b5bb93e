//! Records on standard input. One partition; cannot be read again.

use std::io;

use super::blocks::{Block, Blocks};
use super::{Error, Extent, Polled, Progress, Record, Source};
use crate::event::formats::Format;

/// Standard input.
#[derive(Debug)]
pub struct Stdin(Blocks<io::Stdin>);

impl Stdin {
    /// Standard input, not yet read.
    #[must_use]
    pub fn new(format: Format) -> Stdin {
        Stdin(Blocks::new(io::stdin(), format))
    }
}

impl Source for Stdin {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        match self.0.poll(take) {
            Ok(Block::End) => Ok(Polled::End),
            Ok(Block::Full) => Ok(Polled::More),
            // A pipe gives what it holds, and does not say whether more is on its way.
            Ok(Block::Part) => Ok(Polled::Waiting),
            Err(error) => Err(Error(format!("standard input cannot be read: {error}"))),
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
