//! What is looked at before its turn comes.
//!
//! Keys lie all over memory. One after the other, states that are in no cache would be waited for one by one; a few that are read at once come together. Nothing follows from what is read, and it
//! need not be right: each look is at what the one before has brought, without a branch that depends on it, for the processor would wait there.

use std::hint::black_box;

use super::Keys;
use crate::engine::directory::GROUP;
use crate::engine::holding::Holding;
use crate::engine::judge::Judged;

/// As many slots as this are no cache's business: with fewer, nothing is looked at before.
const SLOTS_MIN: usize = 1 << 12;

impl<S: Holding> Keys<S> {
    /// Looks at the keys of at most [`GROUP`] events, and at as many that are due until then; gives the hashes of these, `None` for an event that has none.
    pub(super) fn look_at_shown(
        &self,
        events: &[Judged],
        group: &[(u32, u32)],
    ) -> [Option<u64>; GROUP] {
        let mut hashes = [None; GROUP];
        for (hash, (at, _)) in hashes.iter_mut().zip(group) {
            let event = &events[*at as usize].event;
            if let Some(fields) = self.family.nfa.key_fields(event.ty) {
                *hash = self.directory.hash(event, fields);
            }
        }
        if self.directory.slots() >= SLOTS_MIN
            && let Some((last, _)) = group.last()
        {
            let near = hashes.map(|hash| self.directory.near(hash?));
            let until = events[*last as usize].event.time;
            let due = match self.waits() {
                true => 0,
                false => GROUP,
            };
            let due = self.directory.upcoming(until).take(due);
            self.look_at(near.into_iter().flatten().chain(due));
        }
        hashes
    }

    /// Looks at keys that are due.
    pub(super) fn look_at_due(&self, group: impl Iterator<Item = u32> + Clone) {
        if self.directory.slots() >= SLOTS_MIN {
            self.look_at(group);
        }
    }

    fn look_at(&self, slots: impl Iterator<Item = u32> + Clone) {
        let states = slots.clone().filter_map(|slot| self.directory.state(slot));
        // Whether they are in use is read too: each has two lines of a cache.
        black_box(slots.fold(0, |seen, slot| seen ^ self.directory.glance(slot)));
        black_box(states.clone().fold(0, |seen, state| seen ^ state.glance()));
        black_box(states.fold(0, |seen, state| seen ^ state.glance_on()));
    }
}
