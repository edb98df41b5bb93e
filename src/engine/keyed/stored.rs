//! What a family has to do with checkpoints: states are saved before they change, and come back after a restart.

use std::sync::Arc;

use super::{Keyed, Keys, count};
use crate::automaton::{Family, State, Variants};
use crate::engine::cold::Cold;
use crate::engine::holding::{Holding, StoredStates};
use crate::engine::saving::{Entry, Saving};
use crate::store::{Batch, StateStore};
use crate::time::Timestamp;
use crate::wire::{Damaged, Reader};

impl<S: Holding> Keys<S> {
    /// A key that the open epoch is to save as it is gets saved before it changes.
    pub(super) fn save_before_change(&mut self, at: u32) {
        let Some(saving) = &mut self.saving else {
            return;
        };
        let slot = self.directory.slot(at);
        if saving.owes(slot.changed) {
            saving.save(slot, &self.family);
        }
    }

    /// Saves some of what the open epoch is to hold; true once that is all.
    fn save_some(&mut self, keys_max: usize) -> bool {
        let Some(saving) = &mut self.saving else {
            return true;
        };
        for _ in 0..keys_max {
            let Some(at) = saving.owed.pop() else {
                return true;
            };
            // It may have been given back; its key is owed under another number then.
            if let Some(slot) = self.directory.slot_if_there(at)
                && slot.is_occupied()
                && saving.owes(slot.changed)
            {
                saving.save(slot, &self.family);
            }
        }
        saving.owed.is_empty()
    }

    /// Takes a state from the store into memory; gives back its slot. Nothing sees to it that the key is looked at in time.
    pub(super) fn warm(&mut self, entry: &Entry<'_>) -> Result<u32, Damaged> {
        let states = decode(&self.family, &entry.states)?;
        let (hash, found) = self.directory.find_key(&entry.key);
        let at = found.unwrap_or_else(|| {
            let fresh = S::fresh(&self.family);
            self.directory.insert(hash, entry.key.clone(), fresh)
        });
        let slot = self.directory.slot(at);
        slot.stored = true;
        let (_, held) = slot.parts();
        for (variants, state) in states {
            held.add_state(variants, state);
        }
        Ok(at)
    }

    /// Takes over what an earlier process left of a key, in memory or by noting that the store has it.
    fn take_over(&mut self, entry: &Entry<'_>, leave: bool) -> Result<(), Damaged> {
        let at = self.warm(entry)?;
        let (_, held) = self.directory.slot(at).parts();
        let next = held.next_instant(&self.family);
        if leave {
            self.leave(at);
        } else {
            self.directory.wake(at, next);
        }
        Ok(())
    }

    /// Lets go of a state that the store has just so.
    pub(super) fn leave(&mut self, at: u32) {
        let Some(cold) = &mut self.cold else {
            return;
        };
        let slot = self.directory.slot(at);
        let (hash, wakes, filed) = (slot.hash, slot.wakes, slot.filed);
        let (parts, held) = slot.parts();
        let mut of_state = vec![0; self.family.nfa.places().len()];
        count(held, &self.family, &mut of_state, |at, more| {
            cold.counts[at] += more;
        });
        let next = held.next_instant(&self.family);
        cold.insert(hash, parts, &self.family, next, filed && wakes == next);
        self.directory.evict(at);
    }

    /// A state that was cold is in memory. The calendar goes on seeing to it that it is looked at in time.
    pub(super) fn return_to(&mut self, at: u32) {
        let Some(cold) = &mut self.cold else {
            return;
        };
        let slot = self.directory.slot(at);
        let hash = slot.hash;
        let (_, held) = slot.parts();
        let mut of_state = vec![0; self.family.nfa.places().len()];
        count(held, &self.family, &mut of_state, |at, less| {
            cold.counts[at] -= less;
        });
        let next = held.next_instant(&self.family);
        cold.remove(hash);
        slot.wakes = next;
        slot.filed = next != Timestamp::MAX;
    }
}

/// Reads states of a family.
fn decode(family: &Family, stored: &StoredStates<'_>) -> Result<Vec<(Variants, State)>, Damaged> {
    let read = stored.iter().map(|(numbers, bytes)| {
        let mut variants = Variants::none(family.variants.len());
        let mut reader = Reader::new(bytes);
        for number in numbers {
            if *number >= family.variants.len() {
                return Err(reader.damaged("variant of the family"));
            }
            variants.add(*number);
        }
        let state = family.nfa.decode(&mut reader)?;
        reader.end()?;
        Ok((variants, state))
    });
    read.collect()
}

impl Keyed {
    /// From now on it is noted what changes. `number`: that of its states in the store. `slots_free`: how many slots of keys may be free beyond their share.
    pub(crate) fn keep(&mut self, number: u32, store: Arc<dyn StateStore>, slots_free: usize) {
        let saving = Some(Saving::new(number));
        match self {
            Keyed::One(keys) => {
                keys.saving = saving;
                keys.directory.free_more = slots_free;
                keys.cold = Some(Cold::new(store, number, &keys.family));
            }
            Keyed::Many(keys) => {
                keys.saving = saving;
                keys.directory.free_more = slots_free;
                keys.cold = Some(Cold::new(store, number, &keys.family));
            }
        }
    }

    pub(super) fn saving(&mut self) -> Option<&mut Saving> {
        match self {
            Keyed::One(keys) => keys.saving.as_mut(),
            Keyed::Many(keys) => keys.saving.as_mut(),
        }
    }

    /// An epoch ends here: what has changed until now is owed to it. Appends what it is to remove. Costs nothing per key.
    pub(crate) fn end_epoch(&mut self, into: &mut Batch) {
        if let Some(saving) = self.saving() {
            saving.end_epoch(into);
        }
    }

    /// Saves some of what the open epoch is to hold, and appends what was saved; true once that is all.
    pub(crate) fn save_some(&mut self, keys_max: usize, into: &mut Batch) -> bool {
        let all = match self {
            Keyed::One(keys) => keys.save_some(keys_max),
            Keyed::Many(keys) => keys.save_some(keys_max),
        };
        if let Some(saving) = self.saving() {
            into.append(&mut saving.batch);
        }
        all
    }

    /// Takes over what an earlier process left of a key; the store holds just this. `leave`: its state is to stay there.
    ///
    /// # Errors
    /// When bytes are no state of this family.
    pub(crate) fn take_over(&mut self, entry: &Entry<'_>, leave: bool) -> Result<(), Damaged> {
        match self {
            Keyed::One(keys) => keys.take_over(entry, leave),
            Keyed::Many(keys) => keys.take_over(entry, leave),
        }
    }

    /// More than the number of any event seen.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Keyed::One(keys) => keys.number,
            Keyed::Many(keys) => keys.number,
        }
    }

    /// Goes on counting events from here.
    pub(crate) fn set_number(&mut self, number: u64) {
        match self {
            Keyed::One(keys) => keys.number = number,
            Keyed::Many(keys) => keys.number = number,
        }
    }
}
