//! What sets a pattern apart from others with the same automaton: its number, the streams it emits to, and what it puts into match ids.
//!
//! The automaton makes [`Draft`]s, which hold all that such patterns have in common; a [`Variant`] makes a row of one.

use smallvec::{SmallVec, smallvec};

use super::nfa::Nfa;
use super::row::{Row, Stream};
use super::run::mix;
use crate::event::{EventTypeId, Value};
use crate::lang::pattern::PatternId;
use crate::time::Timestamp;

/// One of the patterns of an automaton.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub pattern: PatternId,
    /// A hash of everything the pattern says; part of every match id.
    pub fingerprint: u64,
    /// By `emit`.
    streams: Box<[EventTypeId]>,
    timeout: Option<EventTypeId>,
}

/// A row, whichever pattern it is of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub kind: Kind,
    pub at: Timestamp,
    /// A hash of the steps and positions bound.
    pub path: u64,
    pub from: Timestamp,
    pub to: Timestamp,
    pub values: Box<[Value]>,
}

/// What a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The row with this number of one of the automaton's `emit`s.
    Match {
        emit: usize,
        number: u64,
    },
    Timeout,
    Evicted,
}

impl Variant {
    /// The pattern that the automaton was made of.
    pub(crate) fn of(nfa: &Nfa) -> Variant {
        Variant {
            pattern: nfa.pattern,
            fingerprint: nfa.fingerprint,
            streams: nfa.emits.iter().map(|emit| emit.stream).collect(),
            timeout: nfa.timeout.as_ref().map(|(stream, _)| *stream),
        }
    }

    /// The row that a draft is of this pattern. `key_hash` is the stable hash of `key`.
    pub(crate) fn row(&self, draft: Draft, key: &[Value], key_hash: u64) -> Row {
        let id = mix(draft.path, mix(self.fingerprint, key_hash));
        // A match and a timeout of the same path have different ids; rows of one match share its id but for their number.
        let (stream, match_id) = match draft.kind {
            Kind::Match { emit, number: 0 } => (Stream::Match(self.streams[emit]), id),
            Kind::Match { emit, number } => (Stream::Match(self.streams[emit]), mix(id, number)),
            Kind::Timeout => (
                Stream::Timeout(self.timeout.expect("only patterns with one time out")),
                mix(id, u64::MAX),
            ),
            Kind::Evicted => (Stream::Evicted, mix(id, u64::MAX - 1)),
        };
        Row {
            pattern: self.pattern,
            stream,
            at: draft.at,
            key: match key {
                [] => SmallVec::new(),
                [one] => smallvec![one.clone()],
                parts => parts.into(),
            },
            match_id,
            from: draft.from,
            to: draft.to,
            values: draft.values,
        }
    }
}
