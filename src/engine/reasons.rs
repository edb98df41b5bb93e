//! What was wrong with the records that took no part, for the account at the end of a run.

use std::sync::Arc;

use crate::source::{Rejected, Rejection};
use crate::time::Span;

/// The first reason of each source and rejection, and how far the latest event was late. Few sources, so a list will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons(Vec<Reason>);

/// What was wrong with the late or the malformed records of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reason {
    source: Arc<str>,
    rejection: Rejection,
    /// With the first of them.
    first: String,
    /// How far the latest of them lay before the watermark.
    behind_max: Option<Span>,
}

impl Reasons {
    /// Takes note of a record.
    pub(crate) fn note(&mut self, rejected: &Rejected<'_>) {
        match self.find_mut(rejected.source, rejected.rejection) {
            Some(reason) => reason.behind_max = reason.behind_max.max(rejected.behind),
            None => self.0.push(Reason {
                source: rejected.source.into(),
                rejection: rejected.rejection,
                first: format!("record {}: {}", rejected.offset, rejected.reason),
                behind_max: rejected.behind,
            }),
        }
    }

    /// Adds what another shard noted.
    pub(crate) fn add(&mut self, other: &Reasons) {
        for theirs in &other.0 {
            match self.find_mut(&theirs.source, theirs.rejection) {
                Some(ours) => ours.behind_max = ours.behind_max.max(theirs.behind_max),
                None => self.0.push(theirs.clone()),
            }
        }
    }

    /// What was wrong with the first such record of a source.
    #[must_use]
    pub fn first(&self, source: &str, rejection: Rejection) -> Option<&str> {
        self.find(source, rejection).map(|reason| &*reason.first)
    }

    /// How far before the watermark the latest event of a source was.
    #[must_use]
    pub fn behind_max(&self, source: &str) -> Option<Span> {
        self.find(source, Rejection::Late)?.behind_max
    }

    fn find(&self, source: &str, rejection: Rejection) -> Option<&Reason> {
        self.0
            .iter()
            .find(|reason| reason.is_about(source, rejection))
    }

    fn find_mut(&mut self, source: &str, rejection: Rejection) -> Option<&mut Reason> {
        self.0
            .iter_mut()
            .find(|reason| reason.is_about(source, rejection))
    }
}

impl Reason {
    fn is_about(&self, source: &str, rejection: Rejection) -> bool {
        self.rejection == rejection && *self.source == *source
    }
}
