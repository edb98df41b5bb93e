//! Leitmotif finds patterns in streams of events.

#![deny(missing_docs)]

pub mod automaton;
pub mod engine;
pub mod event;
pub mod lang;
pub mod sink;
pub mod source;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
