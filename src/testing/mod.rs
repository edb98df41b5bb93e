//! What judges the engine: a slow matcher that is obviously right, and generators of patterns and events.
//!
//! Behind the feature `testing`. Nothing here is used by the engine.

pub mod fuzz;
pub mod reference;
