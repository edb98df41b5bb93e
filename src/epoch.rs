//! Numbers of checkpoints.

use std::fmt;

/// A stretch of a run between two barriers, and the checkpoint at its end. The first is 1; none is ever used twice on one state folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Before the first checkpoint.
    pub const NONE: Epoch = Epoch(0);

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
