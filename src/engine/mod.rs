//! Patterns over ordered events: who gets which event, in which order, and in which order rows come out.
//!
//! A [`Plan`] is what all shards share: automata, and which of them an event concerns. A [`Shard`] owns the state of its keys and is driven from outside with
//! sorted events and a watermark. Around it `worker` reads sources, routes events to the shards that own their keys and hands rows on; `thread` drives
//! workers, the collector of rows and the sinks. Only `thread` reads clocks. `solo` is one shard with its intake, driven by a program in its own thread.

mod board;
mod cold;
mod control;
mod coordination;
mod directory;
mod due;
mod durable;
mod ending;
mod flow;
mod holding;
mod inspect;
mod intake;
mod judge;
mod keeper;
mod keeping;
mod keyed;
mod ledger;
mod link;
mod meter;
mod order;
mod parcel;
mod plan;
mod pump;
pub mod reads;
mod reasons;
mod reorder;
mod restart;
mod resume;
mod room;
mod rows;
mod run;
mod saving;
mod shard;
pub mod snapshot;
mod solo;
mod thread;
mod timers;
#[cfg(feature = "kafka")]
mod together;
mod watermark;
mod worker;

use crate::automaton::TooComplex;
use crate::time::{Timestamp, Watermark};

#[cfg(feature = "testing")]
pub(crate) use coordination::Coordination;
pub(crate) use durable::Durable;
pub(crate) use ending::Ending;
pub use inspect::{Inspection, KeyState, PatternState};
pub(crate) use intake::Fate;
#[cfg(feature = "testing")]
pub(crate) use intake::Now;
pub use intake::{Counts, TimeBasis, Timing};
#[cfg(feature = "testing")]
pub(crate) use keeper::Writer;
pub use ledger::Seen as Checkpoints;
pub use plan::Plan;
#[cfg(feature = "testing")]
pub(crate) use pump::Pump;
pub use reasons::Reasons;
pub use restart::{Failures, Restart, RestartPolicy};
pub use resume::{Change, OnChange, pattern_changes};
pub(crate) use room::{Room, resident_bytes};
#[cfg(feature = "testing")]
pub(crate) use rows::Collector;
pub use run::{Account, Watch};
pub(crate) use run::{Parts, SourceSetup};
pub use shard::Shard;
pub(crate) use solo::Solo;
pub(crate) use thread::{RunError, Running};
#[cfg(feature = "kafka")]
pub(crate) use together::Together;
#[cfg(feature = "testing")]
pub(crate) use worker::{Turn, Worker};

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
