//! What is looked at before its turn, so that the processor has it by then.
//!
//! The states of many keys lie all over memory, and a state that is in no cache takes as long to come as the step itself. One after the other they would be waited for one by
//! one; a few read at once come together. Nothing follows from what is read.

use std::hint::black_box;

use super::super::holding::Holding;
use super::super::judge::Judged;
use super::Keys;

/// So many events, or keys that are due, are looked at together.
pub(super) const GROUP: usize = 16;

/// With fewer keys than this their states are at hand.
const KEYS_MIN: usize = 4_096;

impl<S: Holding> Keys<S> {
    /// Looks at the keys of events that are shown next.
    pub(super) fn look_at_events(&self, events: &[Judged], shown: &[(u32, u32)]) {
        if self.directory.len() < KEYS_MIN {
            return;
        }
        let mut seen = 0;
        for (at, _) in shown {
            let event = &events[*at as usize].event;
            let fields = self.family.nfa.key_fields(event.ty);
            let found = fields.and_then(|fields| {
                let hash = self.directory.hash(event, fields)?;
                self.directory.find(hash, event, fields)
            });
            seen ^= found.map_or(0, |at| self.glance(at));
        }
        black_box(seen);
    }

    /// Looks at keys that are due.
    pub(super) fn look_at_slots(&self, slots: impl Iterator<Item = u32>) {
        black_box(slots.fold(0, |seen, at| seen ^ self.glance(at)));
    }

    fn glance(&self, at: u32) -> u64 {
        self.directory.state(at).map_or(0, Holding::glance)
    }
}
