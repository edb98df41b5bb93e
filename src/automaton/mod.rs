//! From a checked pattern to its matches: immutable plans, explicit state, no I/O and no clock.

mod row;

pub use row::{Row, Stream};
