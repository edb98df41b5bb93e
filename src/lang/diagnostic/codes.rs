//! What `leitmotif explain E107` tells about each code.

use super::{Code, Severity};

/// One code with its explanation.
#[derive(Clone, Copy, Debug)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// The mistake in a few words; lower case, no full stop.
    pub title: &'static str,
    /// Several sentences with a wrong and a right example.
    pub explanation: &'static str,
}
