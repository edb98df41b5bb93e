//! Wires sources, decoders, order, matchers and sinks together.

pub mod intake;
pub mod reorder;
pub mod watermark;
