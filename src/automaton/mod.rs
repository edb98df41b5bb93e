//! From a checked pattern to its matches: immutable plans, explicit state, no I/O and no clock.

mod calendar;
mod chain;
mod choice;
mod compile;
mod describe;
mod expression;
mod matcher;
mod nfa;
mod register;
mod row;
mod run;
mod state;
mod tables;
mod walk;
mod window;

pub use choice::{Outcome, Tally};
pub use describe::{Place, RuntimeClass, WayOn};
pub use expression::StepMask;
pub use matcher::Incoming;
pub use nfa::Nfa;
pub use row::{Row, Stream};
pub use run::Runs;
pub use state::{Interest, Reuse, State};
pub use tables::Tables;
pub use walk::TooComplex;
pub use window::Windows;
