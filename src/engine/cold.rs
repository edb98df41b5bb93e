//! States that lie in the store only: which keys have one, when each is to be looked at, and how many partial matches they hold.
//!
//! A cold key costs some forty bytes here: a hash, which says that the store has to be asked, and an entry in a calendar, which says when it has to be asked without an
//! event. A key whose hash is not here has no state in the store, and asking is spared.
//!
//! Whether a key has state is decided by the store, under the key's own bytes. Two keys with the same 64-bit hash cost a needless read. (One of them would have to vanish
//! within the epoch in which the other is asked for, to be taken for living still; the hash is keyed anew in each process, so nobody can bring that about on purpose.)

mod calendar;
mod fingerprints;

use std::sync::Arc;

use calendar::Calendar;
pub(super) use calendar::Due;
use fingerprints::Fingerprints;

use super::plan::group_of;
use super::saving::put_state_key;
use crate::automaton::Family;
use crate::event::Value;
use crate::event::codec::put_key;
use crate::store::layout::{GROUP_BYTES, PREFIX_BYTES};
use crate::store::{Error, StateStore};
use crate::time::{Timestamp, Watermark};

/// How many keys are asked for at once when their time has come.
const DUE_MAX: usize = 4_096;

/// Keys of one family whose states lie in the store only.
#[derive(Debug)]
pub(super) struct Cold {
    store: Arc<dyn StateStore>,
    /// Of the family's states in the store.
    number: u32,
    fingerprints: Fingerprints,
    calendar: Calendar,
    /// By variant and step bound last: partial matches of cold keys.
    pub counts: Vec<u64>,
    /// Keys to be asked for, as the store has them.
    wanted: Vec<Vec<u8>>,
    /// Where the next search for keys that were not touched begins.
    pub hand: usize,
    /// States read from the store.
    pub fetched: u64,
    /// Why the store could not be read.
    failure: Option<Error>,
}

/// Keys and values as the store has them.
pub(super) type Found = Vec<(Vec<u8>, Vec<u8>)>;

impl Cold {
    pub(super) fn new(store: Arc<dyn StateStore>, number: u32, family: &Family) -> Cold {
        Cold {
            store,
            number,
            fingerprints: Fingerprints::default(),
            calendar: Calendar::default(),
            counts: vec![0; family.variants.len() * family.nfa.places().len()],
            wanted: Vec::new(),
            hand: 0,
            fetched: 0,
            failure: None,
        }
    }

    /// How many keys are cold.
    pub(super) fn len(&self) -> usize {
        self.fingerprints.len()
    }

    /// False if the key with this hash has no state in the store.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        self.fingerprints.contains(hash)
    }

    /// A key is cold from now on; it is to be looked at at this instant. `filed`: the calendar says so already.
    pub(super) fn insert(
        &mut self,
        hash: u64,
        parts: &[Value],
        family: &Family,
        instant: Timestamp,
        filed: bool,
    ) {
        self.fingerprints.insert(hash);
        if instant != Timestamp::MAX && !filed {
            let group = group_of(parts, family).number().to_be_bytes();
            self.calendar.file(instant, |out| {
                out.extend_from_slice(&group);
                put_key(out, parts);
            });
        }
    }

    /// A key is not cold any more.
    pub(super) fn remove(&mut self, hash: u64) {
        self.fingerprints.remove(hash);
    }

    /// No cold key is to be looked at before this instant; often one is at it.
    pub(super) fn next_instant(&self) -> Timestamp {
        self.calendar.next_instant()
    }

    /// Up to where time may pass, so that not too many keys come due at once.
    pub(super) fn reach(&self, upto: Watermark) -> Watermark {
        Watermark(self.calendar.reach(upto.0, DUE_MAX))
    }

    /// Takes keys, the earliest first, that are to be looked at up to and including `until`, as many as may be asked for at once.
    pub(super) fn take_due(&mut self, until: Timestamp, into: &mut Vec<Due>) {
        self.calendar.take(until, DUE_MAX, into);
    }

    /// The key is to be asked for.
    pub(super) fn want(&mut self, parts: &[Value], family: &Family) {
        let mut key = Vec::with_capacity(PREFIX_BYTES + 2 * GROUP_BYTES + 8 * parts.len());
        put_state_key(&mut key, self.number, parts, family);
        self.wanted.push(key);
    }

    /// Asks the store for all that is wanted. What it does not have is left out.
    pub(super) fn ask(&mut self) -> Found {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.sort_unstable();
        wanted.dedup();
        let keys: Vec<&[u8]> = wanted.iter().map(Vec::as_slice).collect();
        if keys.is_empty() {
            return Found::new();
        }
        match self.store.get_all(&keys) {
            Ok(values) => {
                let both = wanted.into_iter().zip(values);
                let found: Found = both
                    .filter_map(|(key, value)| Some((key, value?)))
                    .collect();
                self.fetched += found.len() as u64;
                found
            }
            Err(error) => {
                self.fail(error);
                Found::new()
            }
        }
    }

    /// The store cannot be read, or does not have what it should.
    pub(super) fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    /// Why the store could not be read.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }
}
