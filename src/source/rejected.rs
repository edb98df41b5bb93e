//! Records that take no part.

use crate::time::Span;

/// How many bytes of a rejected record are kept.
pub const REJECTED_BYTES_MAX: usize = 1024;

/// Why a record takes no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// Its time was before the watermark of its partition.
    Late,
    /// It is no event.
    Malformed,
}

impl Rejection {
    /// The name of the side output.
    #[must_use]
    pub fn output(self) -> &'static str {
        match self {
            Rejection::Late => "late",
            Rejection::Malformed => "malformed",
        }
    }
}

/// A record that takes no part, for the side outputs `late` and `malformed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected<'a> {
    /// Which of the two.
    pub rejection: Rejection,
    /// The source's name.
    pub source: &'a str,
    /// Its partition.
    pub partition: u32,
    /// Its place in the partition.
    pub offset: u64,
    /// What is wrong with it; lower case, no full stop.
    pub reason: &'a str,
    /// How far a late record lies before the watermark; so much more delay would have let it in.
    pub behind: Option<Span>,
    /// Its first bytes, at most [`REJECTED_BYTES_MAX`].
    pub record: &'a [u8],
}

impl<'a> Rejected<'a> {
    /// The part of a record that is kept.
    #[must_use]
    pub fn cut(record: &'a [u8]) -> &'a [u8] {
        &record[..record.len().min(REJECTED_BYTES_MAX)]
    }
}
