//! One pattern with the state of all its keys.

use super::directory::Directory;
use super::order::Moment;
use super::plan::{Concern, Judged};
use crate::automaton::{Incoming, Interest, Nfa, Outcome, Reuse, Row, Tally};
use crate::lang::pattern::PatternId;
use crate::time::{Timestamp, Watermark};

/// One pattern with the state of all its keys.
#[derive(Debug)]
pub(crate) struct Keyed {
    nfa: Nfa,
    id: PatternId,
    keys: Directory,
    /// Events shown so far.
    number: u64,
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

    /// How many keys have state.
    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Partial matches by the name of the step bound last. Looks at every key.
    pub(crate) fn partials(&self) -> Vec<(String, u64)> {
        let mut counts = self.nfa.no_partials();
        for state in self.keys.states() {
            self.nfa.count_partials(state, &mut counts);
        }
        counts
    }

    /// How many keys have state, and how many partial matches they have.
    pub(crate) fn live(&self) -> (usize, usize) {
        self.keys.live()
    }

    /// Shows events, named by their place in `events`, in order; then lets time pass up to the watermark.
    pub(crate) fn advance(
        &mut self,
        events: &[Judged],
        shown: &[(u32, Concern)],
        watermark: Watermark,
        mut emit: impl FnMut(Moment, Option<u64>, Row),
    ) {
        for (at, concern) in shown {
            self.show(&events[*at as usize], *concern, &mut emit);
        }
        self.pass_instants(watermark.0, &mut emit);
    }

    fn show(
        &mut self,
        judged: &Judged,
        concern: Concern,
        emit: &mut impl FnMut(Moment, Option<u64>, Row),
    ) {
        let event = &judged.event;
        if self.keys.next_instant() <= event.time {
            self.pass_instants(event.time, emit);
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
            None if concern.interest == Interest::Continues => return,
            None => self.keys.occupy(hash, event, fields, self.nfa.fresh()),
        };
        let (key, state) = self.keys.slot(slot).parts();
        let incoming = Incoming {
            event,
            number: self.number,
            fits: concern.fits,
        };
        self.nfa
            .step(state, incoming, key, &mut self.reuse, &mut self.outcome);
        self.keys.settle(slot, &self.nfa);
        for row in self.outcome.rows.drain(..) {
            emit(Moment::Event, Some(judged.arrived), row);
        }
    }

    /// Lets every instant up to and including `until` pass, in order; at each, keys in their order.
    fn pass_instants(&mut self, until: Timestamp, emit: &mut impl FnMut(Moment, Option<u64>, Row)) {
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
                        None,
                        row,
                    );
                }
            }
            self.due = due;
        }
    }
}
