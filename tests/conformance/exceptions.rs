//! Where our answer differs on purpose.

/// Name of the case and why.
pub const EXCEPTIONS: &[(&str, &str)] = &[];
