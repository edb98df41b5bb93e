//! One pattern with the state of all its keys.

use super::directory::Directory;
use super::{Derived, is_over};
use crate::automaton::{Incoming, Interest, Nfa, Outcome, Reuse, Row, Tally};
use crate::event::{Event, EventTypeId};
use crate::lang::pattern::PatternId;
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
    nfa: Nfa,
    id: PatternId,
    keys: Directory,
    /// Events shown so far.
    number: u64,
    /// Events of streams, in order; those whose time may still see events of sources wait here.
    pending: Vec<Derived>,
    outcome: Outcome,
    reuse: Reuse,
    /// Slots due at one instant; empty between calls.
    due: Vec<u32>,
}

impl Keyed {
    pub(crate) fn new(nfa: Nfa, id: PatternId) -> Keyed {
        Keyed {
            nfa,
            id,
            keys: Directory::default(),
            number: 0,
            pending: Vec::new(),
            outcome: Outcome::default(),
            reuse: Reuse::default(),
            due: Vec::new(),
        }
    }

    /// The same pattern without any state.
    pub(crate) fn anew(&self) -> Keyed {
        Keyed::new(self.nfa.clone(), self.id)
    }

    pub(crate) fn id(&self) -> PatternId {
        self.id
    }

    pub(crate) fn tally(&self) -> Tally {
        self.outcome.tally
    }

    /// How many keys have state, and how many partial matches they have.
    pub(crate) fn live(&self) -> (usize, usize) {
        self.keys.live()
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
        // The sort is stable: rows of one pattern come in the order of its matches.
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
        if self.keys.next_instant() <= event.time {
            self.pass_instants(event.time, emit);
        }
        let (fits, interest) = self.nfa.look(event);
        if interest == Interest::None {
            return;
        }
        let Some(fields) = self.nfa.key_fields(event.ty) else {
            return;
        };
        let Some(hash) = self.keys.hash(event, fields) else {
            return;
        };
        self.number += 1;
        let slot = match self.keys.find(hash, event, fields) {
            Some(slot) => slot,
            None if interest == Interest::Continues => return,
            None => self.keys.occupy(hash, event, fields, self.nfa.fresh()),
        };
        let (key, state) = self.keys.slot(slot).parts();
        let incoming = Incoming {
            event,
            number: self.number,
            fits,
        };
        self.nfa
            .step(state, incoming, key, &mut self.reuse, &mut self.outcome);
        self.keys.settle(slot, &self.nfa);
        for row in self.outcome.rows.drain(..) {
            emit(Moment::Event, row);
        }
    }

    /// Lets every instant up to and including `until` pass, in order; at each, keys in their order.
    fn pass_instants(&mut self, until: Timestamp, emit: &mut impl FnMut(Moment, Row)) {
        loop {
            let instant = self.keys.next_instant();
            if instant > until || instant == Timestamp::MAX {
                return;
            }
            let mut due = std::mem::take(&mut self.due);
            self.keys.take_due(instant, &mut due);
            for at in due.drain(..) {
                let (key, state) = self.keys.slot(at).parts();
                self.nfa
                    .pass_instants(state, instant, key, &mut self.reuse, &mut self.outcome);
                self.keys.settle(at, &self.nfa);
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
            self.due = due;
        }
    }
}
