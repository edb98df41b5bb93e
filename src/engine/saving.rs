//! Which keys of a family an epoch has to save, and what of it is saved already.
//!
//! At a barrier nothing is copied: the list of keys that changed becomes the list of what is owed, and the shard goes on. It saves some of them in each turn, and
//! any other just before it changes (copying on update: the snapshot is that of the barrier, whenever it is taken).

use super::directory::Slot;
use super::holding::{Holding, StoredStates, put_states, states};
use super::plan::group_of;
use crate::automaton::Family;
use crate::event::Value;
use crate::event::codec::{self, put_key, put_spelling};
use crate::store::Batch;
use crate::store::layout::{Table, put_prefix};
use crate::wire::{Damaged, Reader, put_int};
use smallvec::SmallVec;

/// What one family has to save.
#[derive(Debug)]
pub(crate) struct Saving {
    /// Of its states in the store.
    number: u32,
    /// The epoch that goes on, counted within the process from 1.
    epoch: u32,
    /// Slots that changed in it; some may be free again, or hold another key.
    changed: Vec<u32>,
    /// Slots that changed in the one before and may still have to be saved.
    pub owed: Vec<u32>,
    /// Keys that vanished in the epoch that goes on.
    pub gone: Batch,
    /// What was saved of the one before.
    pub batch: Batch,
    /// Kept for its memory.
    key: Vec<u8>,
}

impl Saving {
    pub(super) fn new(number: u32) -> Saving {
        Saving {
            number,
            epoch: 1,
            changed: Vec::new(),
            owed: Vec::new(),
            gone: Batch::default(),
            batch: Batch::default(),
            key: Vec::new(),
        }
    }

    /// A key has changed; whatever was owed of it is saved.
    pub(super) fn change(&mut self, at: u32, changed: &mut u32) {
        if *changed != self.epoch {
            debug_assert_eq!(*changed, 0, "saved before it changes");
            *changed = self.epoch;
            self.changed.push(at);
        }
    }

    /// A key has another slot from now on.
    pub(super) fn relocate(&mut self, at: u32, changed: u32) {
        if changed == self.epoch {
            self.changed.push(at);
        } else if changed != 0 {
            self.owed.push(at);
        }
    }

    /// True if a key that changed last in this epoch has to be saved as it is.
    pub(super) fn owes(&self, changed: u32) -> bool {
        changed != 0 && changed != self.epoch
    }

    /// Saves a key as it is.
    pub(super) fn save<S: Holding>(&mut self, slot: &mut Slot<S>, family: &Family) {
        slot.changed = 0;
        slot.stored = true;
        self.key.clear();
        let (parts, held) = slot.parts();
        put_state_key(&mut self.key, self.number, parts, family);
        self.batch.put(&self.key, |out| {
            put_int(out, held.next_instant(family).0);
            put_spelling(out, parts);
            put_states(held, family, out);
        });
    }

    /// A key vanishes; whatever was owed of it is saved.
    pub(super) fn forget<S: Holding>(&mut self, slot: &mut Slot<S>, family: &Family) {
        if slot.stored {
            self.key.clear();
            put_state_key(&mut self.key, self.number, slot.parts().0, family);
            self.gone.remove(&self.key);
        }
    }

    /// What changed is owed from now on.
    pub(super) fn end_epoch(&mut self, into: &mut Batch) {
        assert!(self.owed.is_empty(), "one epoch at a time");
        std::mem::swap(&mut self.changed, &mut self.owed);
        // 0 stands for none; nothing can be owed from four billion epochs ago.
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        into.append(&mut self.gone);
    }
}

/// Appends the key under which a store has the state of a key; `number` is that of the family's states.
pub(super) fn put_state_key(out: &mut Vec<u8>, number: u32, parts: &[Value], family: &Family) {
    put_prefix(out, group_of(parts, family), Table::State, number);
    put_key(out, parts);
}

/// One key's states in one family as they lie in a store.
pub(crate) struct Entry<'a> {
    pub number: u32,
    pub key: SmallVec<[Value; 1]>,
    /// As it follows the prefix.
    pub key_bytes: &'a [u8],
    /// Before the states: when the key is to be looked at, and how it is spelled.
    pub head: &'a [u8],
    pub states: StoredStates<'a>,
}

impl<'a> Entry<'a> {
    /// Reads a key and its value.
    pub(crate) fn read(key: &'a [u8], value: &'a [u8]) -> Result<Entry<'a>, Damaged> {
        let mut reader = Reader::new(key);
        reader.take(2)?;
        if reader.byte()? != Table::State as u8 {
            return Err(reader.damaged("table that this version knows"));
        }
        let mut number = [0; 4];
        number.copy_from_slice(reader.take(4)?);
        let key_bytes = reader.rest();
        let mut parts = codec::key(&mut reader)?;
        reader.end()?;
        let mut reader = Reader::new(value);
        reader.int()?;
        codec::spelling(&mut reader, &mut parts)?;
        let head = &value[..value.len() - reader.rest().len()];
        let states = states(&mut reader)?;
        reader.end()?;
        Ok(Entry {
            number: u32::from_be_bytes(number),
            key: parts,
            key_bytes,
            head,
            states,
        })
    }
}
