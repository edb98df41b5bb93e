//! Keys whose states lie in the store only: they come into memory when they are asked for or their time has come, and leave it when memory is short.
//!
//! A key leaves in two steps. First it is offered: what it has is handed over to be written, unless the store has just that. Once that is written, it is let go, if it was
//! not used meanwhile. Which one goes is found as a clock does it: a hand goes round, takes the mark of use from those that have one, and offers those that have none.

use smallvec::SmallVec;

use super::{Keyed, Keys, Places};
use crate::engine::cold::{Cold, Due, Found};
use crate::engine::holding::Holding;
use crate::engine::judge::Judged;
use crate::engine::saving::Entry;
use crate::event::Value;
use crate::event::codec;
use crate::store::layout::GROUP_BYTES;
use crate::store::{Batch, Error};
use crate::time::{Timestamp, Watermark};
use crate::wire::{Damaged, Reader};

/// How many slots the hand passes to find one key.
const SLOTS_PER_KEY: usize = 4;

/// A key that was offered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    slot: u32,
    generation: u32,
}

impl<S: Holding> Keys<S> {
    /// Brings states into memory for which events are about to ask.
    pub(super) fn fetch_for(&mut self, events: &[Judged], shown: &Places) {
        let Some(cold) = self.cold.as_mut().filter(|cold| cold.len() > 0) else {
            return;
        };
        for (at, _) in shown {
            let event = &events[*at as usize].event;
            let Some(fields) = self.family.nfa.key_fields(event.ty) else {
                continue;
            };
            let Some(hash) = self.directory.hash(event, fields) else {
                continue;
            };
            if cold.may_hold(hash) && self.directory.find(hash, event, fields).is_none() {
                let parts = fields.iter().map(|field| event.get(*field).clone());
                let parts: SmallVec<[Value; 1]> = parts.collect();
                cold.want(&parts, &self.family);
            }
        }
        let found = cold.ask();
        self.take_in(&found);
    }

    /// Brings states into memory whose time comes up to and including `until`, some of them; true if there may be more.
    pub(super) fn fetch_due(&mut self, until: Timestamp) -> bool {
        let Some(cold) = &mut self.cold else {
            return false;
        };
        // Those in memory that are due at the same instant go first, so that what is brought in for one instant need not fit into memory.
        let before = Timestamp(until.0.saturating_sub(1));
        let until = match self.directory.next_instant() == until {
            true => before,
            false => until,
        };
        if cold.next_instant() > until {
            return false;
        }
        let mut due = Vec::new();
        cold.take_due(until, &mut due);
        if let Err(damaged) = self.fetch_keys(&due) {
            self.fail(&damaged);
        }
        !due.is_empty()
    }

    fn fetch_keys(&mut self, due: &[Due]) -> Result<(), Damaged> {
        let Some(cold) = &mut self.cold else {
            return Ok(());
        };
        let mut keys = Vec::with_capacity(due.len());
        for due in due {
            let parts = codec::key(&mut Reader::new(&due.key[GROUP_BYTES..]))?;
            let (hash, found) = self.directory.find_key(&parts);
            if found.is_none() && cold.may_hold(hash) {
                cold.want(&parts, &self.family);
            }
            keys.push(parts);
        }
        let found = cold.ask();
        self.take_in(&found);
        for (due, key) in due.iter().zip(&keys) {
            if let (_, Some(at)) = self.directory.find_key(key) {
                self.directory.take_from_calendar(at, due.instant);
            }
        }
        Ok(())
    }

    fn take_in(&mut self, found: &Found) {
        for (key, value) in found {
            let warm = Entry::read(key, value).and_then(|entry| self.warm(&entry));
            match warm {
                Ok(at) => self.return_to(at),
                Err(damaged) => self.fail(&damaged),
            }
        }
    }

    fn fail(&mut self, damaged: &Damaged) {
        if let Some(cold) = &mut self.cold {
            cold.fail(Error::damaged(format!(
                "a stored state is damaged: {damaged}; begin again from a checkpoint"
            )));
        }
    }

    /// Offers some keys, and appends what is to be written before they may go. Nothing is owed to an epoch.
    fn offer(&mut self, keys_max: usize, into: &mut Batch, mut to: impl FnMut(Offered)) {
        let (Some(saving), Some(cold)) = (&mut self.saving, &mut self.cold) else {
            return;
        };
        // What vanished earlier must not take away what is written now.
        into.append(&mut saving.gone);
        let slots = self.directory.slots();
        let mut found = 0;
        for _ in 0..slots.min(keys_max.saturating_mul(SLOTS_PER_KEY)) {
            cold.hand = match cold.hand + 1 < slots {
                true => cold.hand + 1,
                false => 0,
            };
            let at = cold.hand as u32;
            let slot = self.directory.slot(at);
            if !slot.is_occupied() || slot.offered {
                continue;
            }
            if std::mem::take(&mut slot.touched) {
                continue;
            }
            debug_assert!(!saving.owes(slot.changed), "offered between epochs");
            if slot.changed != 0 || !slot.stored {
                saving.save(slot, &self.family);
            }
            slot.offered = true;
            to(Offered {
                slot: at,
                generation: slot.generation,
            });
            found += 1;
            if found == keys_max {
                break;
            }
        }
        into.append(&mut saving.batch);
    }

    /// Lets a key go that the store has by now, if it was not used since it was offered.
    fn let_go(&mut self, offered: Offered) {
        let Some(slot) = self.directory.slot_if_there(offered.slot) else {
            return;
        };
        if slot.generation != offered.generation || !std::mem::take(&mut slot.offered) {
            return;
        }
        if slot.is_occupied() && slot.changed == 0 && !slot.touched {
            self.leave(offered.slot);
        }
    }
}

impl Keyed {
    fn cold(&self) -> Option<&Cold> {
        match self {
            Keyed::One(keys) => keys.cold.as_ref(),
            Keyed::Many(keys) => keys.cold.as_ref(),
        }
    }

    /// How many keys have their state in memory.
    pub(crate) fn hot(&self) -> usize {
        match self {
            Keyed::One(keys) => keys.directory.len(),
            Keyed::Many(keys) => keys.directory.len(),
        }
    }

    /// How many states were read from the store.
    pub(crate) fn fetched(&self) -> u64 {
        self.cold().map_or(0, |cold| cold.fetched)
    }

    /// Offers some keys that were not used of late, and appends what is to be written before they are [let go](Keyed::let_go).
    pub(crate) fn offer(&mut self, keys_max: usize, into: &mut Batch, to: impl FnMut(Offered)) {
        match self {
            Keyed::One(keys) => keys.offer(keys_max, into, to),
            Keyed::Many(keys) => keys.offer(keys_max, into, to),
        }
    }

    /// Lets a key go that the store has by now, if it was not used since it was offered.
    pub(crate) fn let_go(&mut self, offered: Offered) {
        match self {
            Keyed::One(keys) => keys.let_go(offered),
            Keyed::Many(keys) => keys.let_go(offered),
        }
    }

    /// Up to where time may pass, so that not too many states come into memory at once.
    pub(crate) fn reach(&self, upto: Watermark) -> Watermark {
        self.cold().map_or(upto, |cold| cold.reach(upto))
    }

    /// Why the store could not be read; what was made since is of no use.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        let cold = match self {
            Keyed::One(keys) => &mut keys.cold,
            Keyed::Many(keys) => &mut keys.cold,
        };
        cold.as_mut().and_then(Cold::take_failure)
    }
}
