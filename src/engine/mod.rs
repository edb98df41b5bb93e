//! Patterns over ordered events: who gets which event, in which order, and in which order rows come out.
//!
//! A [`Plan`] is what all shards share: automata, and which of them an event concerns. A [`Shard`] owns the state of its keys and is driven from outside with
//! sorted events and a watermark. Neither reads a clock or does I/O.

mod directory;
mod holding;
pub mod intake;
mod keyed;
mod order;
mod plan;
pub mod reads;
pub mod reorder;
mod shard;
pub mod snapshot;
mod timers;
pub mod watermark;

use crate::automaton::TooComplex;
use crate::time::{Timestamp, Watermark};

pub use plan::Plan;
pub use shard::Shard;

/// A pattern that has no automaton.
#[derive(Debug)]
pub struct Error {
    pattern: String,
    cause: TooComplex,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pattern `{}`: {}", self.pattern, self.cause)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// True if a time lies before a watermark: nothing of that time follows.
fn is_over(time: Timestamp, watermark: Watermark) -> bool {
    time < watermark.0
}
