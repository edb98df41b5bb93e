//! The keys of one family: which have state, and when they are to be looked at.

use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::due::Due;
use super::room::SLOTS_FREE;
use super::timers::{Timers, Wake};
use crate::event::{Event, FieldId, Value};
use crate::lang::scalar;
use crate::time::Timestamp;

/// As many timers may mean nothing before that is looked at.
const IDLE_TIMERS_MIN: usize = 4_096;
/// One slot in so many may be free.
const FREE_SHARE: usize = 8;
/// So many slots are given back at once: some hundred nanoseconds each.
const GIVE_BACK_MAX: usize = 4_096;
/// So many keys are looked at before the first of them has its turn.
pub(super) const GROUP: usize = 16;

/// Keys with state. A key whose state is empty is forgotten.
#[derive(Debug)]
pub(super) struct Directory<S> {
    /// Numbers of occupied slots, by hash of their key.
    index: HashTable<u32>,
    slots: Slots<S>,
    free: Vec<u32>,
    /// How many slots may be free beyond their share: small swings cost nothing.
    pub free_more: usize,
    /// That of the key that came last.
    generation: u32,
    timers: Timers,
    /// Entries of `timers` that mean nothing any more, because their key was evicted.
    idle_timers: usize,
    hasher: foldhash::fast::RandomState,
}

/// A key and its state.
#[derive(Debug)]
pub(super) struct Slot<S> {
    /// Parts of the key.
    pub key: SmallVec<[Value; 1]>,
    pub hash: u64,
    /// Tells keys apart that lie in one slot one after the other.
    pub generation: u32,
    /// The instant it will be looked at; [`Timestamp::MAX`] for none.
    pub wakes: Timestamp,
    /// The calendar of cold keys sees to that, not the timers.
    pub filed: bool,
    /// It was used since it was last thought of for eviction.
    pub touched: bool,
    /// It is to be evicted once the store has it, if it is not used until then.
    pub offered: bool,
    /// `None` while the slot is free.
    state: Option<S>,
    /// The epoch in which it changed since it was last saved, counted within the process; 0 for none.
    pub changed: u32,
    /// The store may hold something under this key.
    pub stored: bool,
}

impl<S> Slot<S> {
    /// True if the slot holds a key.
    pub(super) fn is_occupied(&self) -> bool {
        self.state.is_some()
    }

    /// Key and state of an occupied slot.
    pub(super) fn parts(&mut self) -> (&[Value], &mut S) {
        let state = self
            .state
            .as_mut()
            .expect("only occupied slots are named by the index and by timers");
        (&self.key, state)
    }
}

/// Slots in pieces of fixed size: when there are more, none is copied, and memory grows by one piece.
#[derive(Debug)]
struct Slots<S>(Vec<Vec<Slot<S>>>);

/// Slots in a piece: a power of two.
const PIECE_SLOTS: usize = 1 << 12;

impl<S> Slots<S> {
    fn len(&self) -> usize {
        let full = self.0.len().saturating_sub(1) * PIECE_SLOTS;
        full + self.0.last().map_or(0, Vec::len)
    }

    fn push(&mut self, slot: Slot<S>) {
        match self.0.last_mut() {
            Some(piece) if piece.len() < PIECE_SLOTS => piece.push(slot),
            // The first one grows: most directories are small.
            None => self.0.push(vec![slot]),
            Some(_) => {
                let mut piece = Vec::with_capacity(PIECE_SLOTS);
                piece.push(slot);
                self.0.push(piece);
            }
        }
    }

    fn get(&self, at: u32) -> Option<&Slot<S>> {
        let piece = self.0.get(at as usize / PIECE_SLOTS)?;
        piece.get(at as usize % PIECE_SLOTS)
    }

    fn get_mut(&mut self, at: u32) -> Option<&mut Slot<S>> {
        let piece = self.0.get_mut(at as usize / PIECE_SLOTS)?;
        piece.get_mut(at as usize % PIECE_SLOTS)
    }

    fn truncate(&mut self, len: usize) {
        self.0.truncate(len.div_ceil(PIECE_SLOTS));
        if let Some(piece) = self.0.last_mut() {
            piece.truncate((len - 1) % PIECE_SLOTS + 1);
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Slot<S>> {
        self.0.iter().flatten()
    }
}

impl<S> Index<u32> for Slots<S> {
    type Output = Slot<S>;

    fn index(&self, at: u32) -> &Slot<S> {
        &self.0[at as usize / PIECE_SLOTS][at as usize % PIECE_SLOTS]
    }
}

impl<S> IndexMut<u32> for Slots<S> {
    fn index_mut(&mut self, at: u32) -> &mut Slot<S> {
        &mut self.0[at as usize / PIECE_SLOTS][at as usize % PIECE_SLOTS]
    }
}

impl<S> Default for Directory<S> {
    fn default() -> Directory<S> {
        Directory {
            index: HashTable::default(),
            slots: Slots(Vec::new()),
            free: Vec::new(),
            free_more: SLOTS_FREE,
            generation: 0,
            timers: Timers::default(),
            idle_timers: 0,
            hasher: foldhash::fast::RandomState::default(),
        }
    }
}

impl<S> Directory<S> {
    /// How many keys have state.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The state of every key that has some.
    pub(super) fn states(&self) -> impl Iterator<Item = &S> {
        self.slots.iter().filter_map(|slot| slot.state.as_ref())
    }

    /// The same, to be changed.
    #[cfg(feature = "testing")]
    pub(super) fn states_mut(&mut self) -> impl Iterator<Item = &mut S> {
        (self.slots.0.iter_mut().flatten()).filter_map(|slot| slot.state.as_mut())
    }

    /// The hash of the event's key; `None` if a part is null: such an event belongs to no key.
    pub(super) fn hash(&self, event: &Event, fields: &[FieldId]) -> Option<u64> {
        hash_key(event, fields, self.hasher.build_hasher())
    }

    /// The slot of the event's key.
    pub(super) fn find(&self, hash: u64, event: &Event, fields: &[FieldId]) -> Option<u32> {
        let same = |slot: &u32| same_key(&self.slots[*slot].key, event, fields);
        self.index.find(hash, same).copied()
    }

    /// Where a key with this hash is likely to be. No slot is looked at.
    pub(super) fn near(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true).copied()
    }

    /// Slots of keys that are likely to be due at the instant or before, the next ones first. No slot is looked at.
    pub(super) fn upcoming(&self, instant: Timestamp) -> impl Iterator<Item = u32> + Clone {
        self.timers.upcoming(instant).map(|wake| wake.slot)
    }

    /// Reads a little of a slot, at both ends, if it is there.
    #[inline]
    pub(super) fn glance(&self, at: u32) -> u64 {
        let slot = self.slots.get(at);
        slot.map_or(0, |slot| slot.hash ^ u64::from(slot.state.is_some()))
    }

    /// Gives the event's key a slot.
    pub(super) fn occupy(&mut self, hash: u64, event: &Event, fields: &[FieldId], state: S) -> u32 {
        let key = fields
            .iter()
            .map(|field| event.get(*field).clone())
            .collect();
        self.insert(hash, key, state)
    }

    /// The slot of a key.
    pub(super) fn find_key(&self, key: &[Value]) -> (u64, Option<u32>) {
        let hash = hash_parts(key, self.hasher.build_hasher());
        let same = |slot: &u32| scalar::total_order_of(&self.slots[*slot].key, key).is_eq();
        (hash, self.index.find(hash, same).copied())
    }

    /// Gives a key a slot.
    pub(super) fn insert(&mut self, hash: u64, key: SmallVec<[Value; 1]>, state: S) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        let slot = Slot {
            key,
            hash,
            generation: self.generation,
            wakes: Timestamp::MAX,
            filed: false,
            touched: true,
            offered: false,
            state: Some(state),
            changed: 0,
            stored: false,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at] = slot;
                at
            }
            None => {
                let at =
                    u32::try_from(self.slots.len()).expect("fewer than 2^32 keys fit into memory");
                self.slots.push(slot);
                at
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |slot| slots[*slot].hash);
        at
    }

    /// The state of a slot; `None` while it is free, or if it was given back.
    pub(super) fn state(&self, at: u32) -> Option<&S> {
        self.slots.get(at)?.state.as_ref()
    }

    /// An occupied slot.
    pub(super) fn slot(&mut self, at: u32) -> &mut Slot<S> {
        &mut self.slots[at]
    }

    /// A slot that was seen some time ago; `None` if it was given back.
    pub(super) fn slot_if_there(&mut self, at: u32) -> Option<&mut Slot<S>> {
        self.slots.get_mut(at)
    }

    /// Forgets a key that has nothing left.
    pub(super) fn forget(&mut self, at: u32) {
        let slot = &mut self.slots[at];
        let hash = slot.hash;
        slot.state = None;
        slot.wakes = Timestamp::MAX;
        self.free.push(at);
        if let Ok(entry) = self.index.find_entry(hash, |slot| *slot == at) {
            entry.remove();
        }
    }

    /// Sees to it that a key is looked at no later than at the instant.
    pub(super) fn wake(&mut self, at: u32, instant: Timestamp) {
        let slot = &mut self.slots[at];
        if instant < slot.wakes {
            slot.wakes = instant;
            slot.filed = false;
            self.timers.add(
                instant,
                Wake {
                    slot: at,
                    generation: slot.generation,
                },
            );
        }
    }

    /// Sees to it by a timer that a key is looked at, if the calendar of cold keys would have at this instant.
    pub(super) fn take_from_calendar(&mut self, at: u32, instant: Timestamp) {
        let slot = &mut self.slots[at];
        if slot.filed && slot.wakes == instant {
            slot.wakes = Timestamp::MAX;
            self.wake(at, instant);
        }
    }

    /// Forgets a key whose state lies in the store.
    pub(super) fn evict(&mut self, at: u32) {
        let slot = &self.slots[at];
        if !slot.filed && slot.wakes != Timestamp::MAX {
            self.idle_timers += 1;
        }
        self.forget(at);
        self.drop_idle_timers();
    }

    fn drop_idle_timers(&mut self) {
        if self.idle_timers <= IDLE_TIMERS_MIN || self.idle_timers <= self.timers.len() / 2 {
            return;
        }
        self.idle_timers = 0;
        let slots = &mut self.slots;
        self.timers.retain(|instant, wake| {
            slots.get_mut(wake.slot).is_some_and(|slot| {
                slot.generation == wake.generation && slot.wakes == instant && !slot.filed
            })
        });
    }

    /// Gives memory back if many slots are free: the last ones go, and keys in them move to others, not too many at a time. `moved` is told their new slots.
    pub(super) fn give_back(&mut self, mut moved: impl FnMut(u32, &Slot<S>)) {
        let len = self.slots.len();
        let (free, kept) = (self.free.len(), len / FREE_SHARE + self.free_more);
        if free <= kept {
            return;
        }
        let keep = len - (free - kept).min(GIVE_BACK_MAX);
        self.free.retain(|at| (*at as usize) < keep);
        for from in keep as u32..len as u32 {
            if !self.slots[from].is_occupied() {
                continue;
            }
            let to = self.free.pop().expect("more are free than go");
            self.relocate(from, to);
            moved(to, &self.slots[to]);
        }
        self.slots.truncate(keep);
        self.free.shrink_to(2 * self.free.len());
        self.drop_idle_timers();
    }

    fn relocate(&mut self, from: u32, to: u32) {
        let slot = &mut self.slots[from];
        let (hash, wakes, filed) = (slot.hash, slot.wakes, slot.filed);
        let entry = self.index.find_mut(hash, |slot| *slot == from);
        *entry.expect("every occupied slot is in the index") = to;
        self.generation = self.generation.wrapping_add(1);
        self.slots[to] = Slot {
            key: std::mem::take(&mut slot.key),
            state: slot.state.take(),
            generation: self.generation,
            offered: false,
            ..*slot
        };
        if wakes != Timestamp::MAX && !filed {
            let generation = self.generation;
            self.idle_timers += 1;
            let slot = to;
            self.timers.add(wakes, Wake { slot, generation });
        }
    }

    /// How many slots there are, free ones too.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The earliest instant at which some key is to be looked at; [`Timestamp::MAX`] for none.
    pub(super) fn next_instant(&self) -> Timestamp {
        self.timers.next().unwrap_or(Timestamp::MAX)
    }

    /// Takes the slots due at the instant, in the order of their keys. Those due before have been taken.
    pub(super) fn take_due(&mut self, instant: Timestamp, due: &mut Due) {
        while let Some(slots) = self.take_some(instant) {
            for at in slots {
                due.push(&self.slots[at].key, at);
            }
        }
        due.sort(|slot| &self.slots[slot].key);
    }

    /// Takes at most [`GROUP`] slots due at the instant or before, in any order; `None` once nothing is due.
    pub(super) fn take_some(&mut self, instant: Timestamp) -> Option<SmallVec<[u32; GROUP]>> {
        let wakes = std::iter::from_fn(|| self.timers.pop(instant));
        let wakes: SmallVec<[Wake; GROUP]> = wakes.take(GROUP).collect();
        // They come together: see `keyed::ahead`.
        let glances = wakes.iter().map(|wake| self.glance(wake.slot));
        black_box(glances.fold(0, |seen, glance| seen ^ glance));
        let due = wakes.iter().filter(|wake| self.claim(**wake, instant));
        let due = due.map(|wake| wake.slot).collect();
        (!wakes.is_empty()).then_some(due)
    }

    /// True if the slot waits for an instant that has come: from now on it waits for none.
    fn claim(&mut self, wake: Wake, instant: Timestamp) -> bool {
        let slot = self.slots.get_mut(wake.slot);
        let slot = slot.filter(|slot| slot.generation == wake.generation);
        // Nothing comes at the end of time, up to which a last batch goes.
        let slot = slot.filter(|slot| slot.wakes <= instant && slot.wakes != Timestamp::MAX);
        slot.map(|slot| slot.wakes = Timestamp::MAX).is_some()
    }
}

/// What a hasher makes of the event's key; `None` if a part is null: such an event belongs to no key.
pub(super) fn hash_key(event: &Event, fields: &[FieldId], mut hasher: impl Hasher) -> Option<u64> {
    for field in fields {
        let value = event.get(*field);
        if value.is_null() {
            return None;
        }
        scalar::hash_into(value, &mut hasher);
    }
    Some(hasher.finish())
}

/// What a hasher makes of a key: the same as of an event that has it.
pub(super) fn hash_parts(key: &[Value], mut hasher: impl Hasher) -> u64 {
    key.iter()
        .for_each(|part| scalar::hash_into(part, &mut hasher));
    hasher.finish()
}

fn same_key(key: &[Value], event: &Event, fields: &[FieldId]) -> bool {
    key.iter().zip(fields).all(|(part, field)| {
        let value = event.get(*field);
        part == value || scalar::total_order(part, value).is_eq()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key is a number, and so is its state; it wakes at that instant.
    fn put(directory: &mut Directory<i64>, number: i64) {
        let key: SmallVec<[Value; 1]> = [Value::Int(number)].into_iter().collect();
        let (hash, found) = directory.find_key(&key);
        assert_eq!(found, None);
        let at = directory.insert(hash, key, number);
        directory.wake(at, Timestamp(number));
    }

    fn at(directory: &Directory<i64>, number: i64) -> Option<u32> {
        directory.find_key(&[Value::Int(number)]).1
    }

    #[test]
    fn memory_is_given_back_and_keys_that_move_are_found_and_wake_once() {
        let mut directory = Directory::default();
        let mut model = std::collections::BTreeSet::new();
        let (many, few) = (50_000, 1_000);
        for round in 0..3 {
            let first = round * many;
            (first..first + many).for_each(|number| put(&mut directory, number));
            model.extend(first..first + many);
            // Few of them stay, here and there, and some of the rest were evicted.
            for number in first..first + many {
                if number % (many / few) != 7 {
                    let at = at(&directory, number).expect("put above");
                    match number % 2 {
                        0 => directory.forget(at),
                        _ => directory.evict(at),
                    }
                    model.remove(&number);
                }
            }
            let before = directory.slots();
            let mut moved = 0;
            for _ in 0..before / GIVE_BACK_MAX + 1 {
                directory.give_back(|at, slot| {
                    assert_eq!(slot.key[0], Value::Int(slot.state.expect("occupied")));
                    assert!((at as usize) < before);
                    moved += 1;
                });
            }
            assert!(moved > 0);
            let enough = model.len() * 2 + SLOTS_FREE * 2;
            assert!(directory.slots() < enough, "{}", directory.slots());
            assert_eq!(directory.len(), model.len());
            for number in &model {
                let at = at(&directory, *number).expect("it stays");
                assert_eq!(directory.slot(at).parts().1, number);
            }
        }
        let mut woken = Vec::new();
        while directory.next_instant() != Timestamp::MAX {
            let instant = directory.next_instant();
            let mut due = Due::default();
            directory.take_due(instant, &mut due);
            woken.extend(
                due.groups(7)
                    .flatten()
                    .map(|at| *directory.slot(at).parts().1),
            );
        }
        assert!(woken.iter().eq(&model), "each once, in order");
    }
}
