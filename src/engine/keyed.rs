//! One pattern with the state of all its keys.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::timers::{Timers, Wake};
use super::{Derived, is_over};
use crate::automaton::{Fits, Interest, Nfa, Outcome, Reuse, Row, State, Tally};
use crate::event::{Event, EventTypeId, FieldId, Value};
use crate::lang::pattern::PatternId;
use crate::lang::scalar;
use crate::time::{Timestamp, Watermark};

/// When, within one time, a row was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// At the instant itself: absences and closers.
    Instant,
    /// By an event.
    Event,
    /// After the events of the time: bounds that passed.
    Expiry,
}

/// One pattern with the state of all its keys.
#[derive(Debug)]
pub(crate) struct Keyed {
    nfa: Arc<Nfa>,
    id: PatternId,
    directory: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    timers: Timers,
    hasher: foldhash::fast::RandomState,
    /// Events shown so far.
    number: u64,
    /// Events of streams, in order; those whose time may still see events of sources wait here.
    pending: Vec<Derived>,
    outcome: Outcome,
    reuse: Reuse,
    /// Keys due at one instant.
    due: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    key: SmallVec<[Value; 1]>,
    hash: u64,
    generation: u32,
    /// The instant it will be looked at; [`Timestamp::MAX`] for none.
    wakes: Timestamp,
    /// `None` while the slot is free.
    state: Option<State>,
}

impl Keyed {
    pub(crate) fn new(nfa: Arc<Nfa>, id: PatternId) -> Keyed {
        Keyed {
            nfa,
            id,
            directory: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            timers: Timers::default(),
            hasher: foldhash::fast::RandomState::default(),
            number: 0,
            pending: Vec::new(),
            outcome: Outcome::default(),
            reuse: Reuse::default(),
            due: Vec::new(),
        }
    }

    pub(crate) fn id(&self) -> PatternId {
        self.id
    }

    pub(crate) fn tally(&self) -> Tally {
        self.outcome.tally
    }

    /// How many keys have state, and how many partial matches they have.
    pub(crate) fn live(&self) -> (usize, usize) {
        let partials = self
            .slots
            .iter()
            .filter_map(|slot| slot.state.as_ref())
            .map(State::partials)
            .sum();
        (self.directory.len(), partials)
    }

    /// True if the pattern reads events of this type.
    pub(crate) fn reads(&self, ty: EventTypeId) -> bool {
        self.nfa.key_fields(ty).is_some()
    }

    /// Takes an event of a stream.
    pub(crate) fn receive(&mut self, derived: Derived) {
        self.pending.push(derived);
    }

    /// Shows events in order, those of streams after those of sources with the same time, then lets time pass up to the watermark.
    pub(crate) fn advance(
        &mut self,
        events: &[Event],
        watermark: Watermark,
        mut emit: impl FnMut(Moment, Row),
    ) {
        // Within one time and pattern, rows already come in order of matches.
        self.pending
            .sort_by_key(|derived| (derived.event.time, derived.from));
        let over = self
            .pending
            .partition_point(|derived| is_over(derived.event.time, watermark));
        let derived: Vec<Derived> = self.pending.drain(..over).collect();
        let mut derived = derived.iter().map(|derived| &derived.event).peekable();
        for event in events {
            while let Some(earlier) = derived.next_if(|earlier| earlier.time < event.time) {
                self.show(earlier, &mut emit);
            }
            self.show(event, &mut emit);
        }
        for event in derived {
            self.show(event, &mut emit);
        }
        self.pass_instants(watermark.0, &mut emit);
    }

    fn show(&mut self, event: &Event, emit: &mut impl FnMut(Moment, Row)) {
        if self.timers.next().is_some_and(|next| next <= event.time) {
            self.pass_instants(event.time, emit);
        }
        let (fits, interest) = self.nfa.look(event);
        if interest == Interest::None {
            return;
        }
        let nfa = Arc::clone(&self.nfa);
        let Some(fields) = nfa.key_fields(event.ty) else {
            return;
        };
        let Some(hash) = self.hash(event, fields) else {
            return;
        };
        self.number += 1;
        let slots = &self.slots;
        let found = self.directory.find(hash, |slot| {
            same_key(&slots[*slot as usize].key, event, fields)
        });
        let slot = match found {
            Some(slot) => *slot,
            None if interest == Interest::Continues => return,
            None => self.occupy(hash, event, fields),
        };
        self.step(slot, event, fits);
        for row in self.outcome.rows.drain(..) {
            emit(Moment::Event, row);
        }
    }

    fn step(&mut self, at: u32, event: &Event, fits: Fits) {
        let slot = &mut self.slots[at as usize];
        let state = slot
            .state
            .as_mut()
            .expect("the directory names occupied slots");
        self.nfa.step(
            state,
            event,
            self.number,
            fits,
            &slot.key,
            &mut self.reuse,
            &mut self.outcome,
        );
        self.settle(at);
    }

    /// Forgets a key that has nothing left, or sees to it that it is looked at in time.
    fn settle(&mut self, at: u32) {
        let slot = &mut self.slots[at as usize];
        let state = slot
            .state
            .as_ref()
            .expect("only occupied slots are settled");
        if state.is_empty() {
            let hash = slot.hash;
            slot.state = None;
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(at);
            if let Ok(entry) = self.directory.find_entry(hash, |slot| *slot == at) {
                entry.remove();
            }
            return;
        }
        let next = self.nfa.next_instant(state);
        if next < slot.wakes {
            slot.wakes = next;
            self.timers.add(
                next,
                Wake {
                    slot: at,
                    generation: slot.generation,
                },
            );
        }
    }

    /// The hash of the event's key; `None` if a part is null: such an event belongs to no key.
    fn hash(&self, event: &Event, fields: &[FieldId]) -> Option<u64> {
        let mut hasher = self.hasher.build_hasher();
        for field in fields {
            let value = event.get(*field);
            if value.is_null() {
                return None;
            }
            scalar::hash_into(value, &mut hasher);
        }
        Some(hasher.finish())
    }

    fn occupy(&mut self, hash: u64, event: &Event, fields: &[FieldId]) -> u32 {
        let key = fields
            .iter()
            .map(|field| event.get(*field).clone())
            .collect();
        let state = Some(self.nfa.fresh());
        let at = match self.free.pop() {
            Some(at) => {
                let slot = &mut self.slots[at as usize];
                *slot = Slot {
                    key,
                    hash,
                    generation: slot.generation,
                    wakes: Timestamp::MAX,
                    state,
                };
                at
            }
            None => {
                let at =
                    u32::try_from(self.slots.len()).expect("fewer than 2^32 keys fit into memory");
                self.slots.push(Slot {
                    key,
                    hash,
                    generation: 0,
                    wakes: Timestamp::MAX,
                    state,
                });
                at
            }
        };
        let slots = &self.slots;
        self.directory
            .insert_unique(hash, at, |slot| slots[*slot as usize].hash);
        at
    }

    /// Lets every instant up to and including `until` pass, in order; at each, keys in their order.
    fn pass_instants(&mut self, until: Timestamp, emit: &mut impl FnMut(Moment, Row)) {
        while let Some(instant) = self
            .timers
            .next()
            .filter(|next| *next <= until && *next < Timestamp::MAX)
        {
            let mut due = std::mem::take(&mut self.due);
            while let Some(wake) = self.timers.pop(instant) {
                let slot = &self.slots[wake.slot as usize];
                if slot.generation == wake.generation
                    && slot.wakes == instant
                    && slot.state.is_some()
                {
                    due.push(wake.slot);
                }
            }
            if due.len() > 1 {
                due.sort_by(|a, b| {
                    scalar::total_order_of(
                        &self.slots[*a as usize].key,
                        &self.slots[*b as usize].key,
                    )
                });
                due.dedup();
            }
            for &at in &due {
                let slot = &mut self.slots[at as usize];
                slot.wakes = Timestamp::MAX;
                let state = slot.state.as_mut().expect("only occupied slots are due");
                self.nfa.pass_instants(
                    state,
                    instant,
                    &slot.key,
                    &mut self.reuse,
                    &mut self.outcome,
                );
                self.settle(at);
                for row in self.outcome.rows.drain(..) {
                    emit(
                        if row.at == instant {
                            Moment::Instant
                        } else {
                            Moment::Expiry
                        },
                        row,
                    );
                }
            }
            due.clear();
            self.due = due;
        }
    }
}

fn same_key(key: &[Value], event: &Event, fields: &[FieldId]) -> bool {
    key.len() == fields.len()
        && key.iter().zip(fields).all(|(part, field)| {
            let value = event.get(*field);
            part == value || scalar::total_order(part, value).is_eq()
        })
}
