//! What comes out of a matcher: finished rows, ready to be written.

use smallvec::SmallVec;

use crate::event::{EventTypeId, Value};
use crate::lang::pattern::PatternId;
use crate::time::Timestamp;

/// One row of an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The pattern that made it.
    pub pattern: PatternId,
    /// Which output it belongs to.
    pub stream: Stream,
    /// When the match completed, or the bound passed.
    pub at: Timestamp,
    /// The parts of the key; empty when unkeyed.
    pub key: SmallVec<[Value; 1]>,
    /// A hash of pattern version, key and the bound events' positions.
    pub match_id: u64,
    /// Time of the first bound event, or start of the window.
    pub from: Timestamp,
    /// Time of the last bound event, or end of the window.
    pub to: Timestamp,
    /// One value per field of the stream's event type. For [`Stream::Evicted`]: the name of the last step bound.
    pub values: Box<[Value]>,
}

/// The output that a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// An `emit` or `emit each`.
    Match(EventTypeId),
    /// The `timeout`.
    Timeout(EventTypeId),
    /// The side output `evicted`: a partial match that gave way to `bound`.
    Evicted,
}
