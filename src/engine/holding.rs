//! What one key has in one family: the state of a pattern alone, or states by sets of variants.

use std::mem::take;

use crate::automaton::{
    Family, Fits, Fitting, Incoming, Interest, Outcome, Reuse, Row, State, StepMask, Tally,
    Variants,
};
use crate::event::{Event, Value};
use crate::lang::scalar;
use crate::time::Timestamp;
use crate::wire::{Damaged, Reader, put_bytes, put_uint};
use smallvec::SmallVec;

/// What one key has in one family.
pub(crate) trait Holding: Sized {
    /// What a key without state has.
    fn fresh(family: &Family) -> Self;

    /// Shows it an event. Every instant up to its time has passed.
    fn show(&mut self, shown: Shown<'_>, on: Key<'_>, work: &mut Work, emit: &mut impl FnMut(Row));

    /// Lets every instant up to and including `until` pass.
    fn pass(&mut self, until: Timestamp, on: Key<'_>, work: &mut Work, emit: &mut impl FnMut(Row));

    /// Reads where what is held begins: nothing follows from it but that it is in the processor's cache.
    fn glance(&self) -> u64;

    /// The same, further on, once the beginning is there.
    fn glance_on(&self) -> u64;

    /// True if nothing is left.
    fn is_empty(&self) -> bool;

    /// The earliest instant at which something happens without an event; [`Timestamp::MAX`] if nothing will.
    fn next_instant(&self, family: &Family) -> Timestamp;

    /// Each state with the variants that have it.
    fn states(&self, family: &Family, to: impl FnMut(&State, &mut dyn Iterator<Item = usize>));

    /// Goes on with what is read from the bytes of each state.
    #[cfg(feature = "testing")]
    fn recode(&mut self, family: &Family);

    /// Adds a state that these variants have, which have none yet.
    fn add_state(&mut self, variants: Variants, state: State);
}

/// Appends what a key has: a count of states, and each as a count and the rising numbers of its variants, and its bytes with their length.
pub(super) fn put_states<S: Holding>(held: &S, family: &Family, out: &mut Vec<u8>) {
    let mut states = 0;
    held.states(family, |_, _| states += 1);
    put_uint(out, states);
    let mut bytes = Vec::new();
    held.states(family, |state, variants| {
        let variants: SmallVec<[usize; 4]> = variants.collect();
        put_uint(out, variants.len() as u64);
        for variant in &variants {
            put_uint(out, *variant as u64);
        }
        bytes.clear();
        family.nfa.encode(state, &mut bytes);
        put_bytes(out, &bytes);
    });
}

/// States as they lie in the store: numbers of variants, and bytes.
pub(crate) type StoredStates<'a> = Vec<(Vec<usize>, &'a [u8])>;

/// Reads what [`put_states`] wrote.
pub(crate) fn states<'a>(reader: &mut Reader<'a>) -> Result<StoredStates<'a>, Damaged> {
    let count = reader.count()?;
    let mut states = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let variants = reader.count()?;
        let variants: Result<Vec<usize>, Damaged> =
            (0..variants).map(|_| reader.narrow()).collect();
        states.push((variants?, reader.bytes()?));
    }
    Ok(states)
}

/// An event as a family sees it.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub event: &'a Event,
    /// Its place in the order of the family's events, from 1.
    pub number: u64,
    pub fits: &'a Fits,
}

/// A key and the family in which it has state.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub family: &'a Family,
    pub parts: &'a [Value],
}

/// Memory that calls reuse, and what the variants did so far.
#[derive(Debug)]
pub(crate) struct Work {
    outcome: Outcome,
    reuse: Reuse,
    /// Memory for sets of variants.
    stateless: Variants,
    shared: Variants,
    /// By variant.
    pub tallies: Vec<Tally>,
}

impl Work {
    pub(super) fn new(family: &Family) -> Work {
        Work {
            outcome: Outcome::default(),
            reuse: Reuse::default(),
            stateless: Variants::default(),
            shared: Variants::default(),
            tallies: vec![Tally::default(); family.variants.len()],
        }
    }

    /// Gives out what the last step brought about, in the name of the only variant.
    fn settle_one(&mut self, on: Key<'_>, emit: &mut impl FnMut(Row)) {
        if !self.outcome.tally.is_zero() {
            self.tallies[0] += std::mem::take(&mut self.outcome.tally);
        }
        if self.outcome.drafts.is_empty() {
            return;
        }
        let hash = scalar::stable_hash(on.parts);
        for draft in self.outcome.drafts.drain(..) {
            emit(on.family.variants[0].row(draft, on.parts, hash));
        }
    }

    /// Gives out what the last step brought about, in the name of each of the variants.
    fn settle(&mut self, variants: &Variants, on: Key<'_>, emit: &mut impl FnMut(Row)) {
        if !self.outcome.tally.is_zero() {
            let tally = std::mem::take(&mut self.outcome.tally);
            for variant in variants.numbers() {
                self.tallies[variant] += tally;
            }
        }
        if self.outcome.drafts.is_empty() {
            return;
        }
        let hash = scalar::stable_hash(on.parts);
        for variant in variants.numbers() {
            for draft in &self.outcome.drafts {
                emit(on.family.variants[variant].row(draft.clone(), on.parts, hash));
            }
        }
        self.outcome.drafts.clear();
    }

    fn step(&mut self, state: &mut State, shown: Shown<'_>, fits: StepMask, on: Key<'_>) {
        let incoming = Incoming {
            event: shown.event,
            number: shown.number,
            fits,
        };
        let nfa = &on.family.nfa;
        nfa.step(
            state,
            incoming,
            on.parts,
            &mut self.reuse,
            &mut self.outcome,
        );
    }

    fn pass(&mut self, state: &mut State, until: Timestamp, on: Key<'_>) {
        let nfa = &on.family.nfa;
        nfa.pass_instants(state, until, on.parts, &mut self.reuse, &mut self.outcome);
    }
}

impl Holding for State {
    fn fresh(family: &Family) -> State {
        family.nfa.fresh()
    }

    fn show(&mut self, shown: Shown<'_>, on: Key<'_>, work: &mut Work, emit: &mut impl FnMut(Row)) {
        let Fits::One(fits) = shown.fits else {
            unreachable!("a pattern alone is judged alone")
        };
        work.step(self, shown, *fits, on);
        work.settle_one(on, emit);
    }

    fn pass(&mut self, until: Timestamp, on: Key<'_>, work: &mut Work, emit: &mut impl FnMut(Row)) {
        work.pass(self, until, on);
        work.settle_one(on, emit);
    }

    #[inline(always)]
    fn glance(&self) -> u64 {
        State::glance(self)
    }

    fn glance_on(&self) -> u64 {
        State::glance_on(self)
    }

    fn is_empty(&self) -> bool {
        State::is_empty(self)
    }

    fn next_instant(&self, family: &Family) -> Timestamp {
        family.nfa.next_instant(self)
    }

    fn states(&self, _: &Family, mut to: impl FnMut(&State, &mut dyn Iterator<Item = usize>)) {
        to(self, &mut std::iter::once(0));
    }

    fn add_state(&mut self, _: Variants, state: State) {
        *self = state;
    }

    #[cfg(feature = "testing")]
    fn recode(&mut self, family: &Family) {
        family.nfa.recode(self);
    }
}

/// States of a key in a family of several: each with the variants that have it. Variants without state are in none.
#[derive(Debug)]
pub(crate) struct Blocks(Vec<Block>);

/// Variants with the same state.
#[derive(Debug)]
struct Block {
    /// Never empty, and no variant is in two blocks.
    variants: Variants,
    /// Not empty between calls.
    state: State,
    /// Of the state, while blocks are merged.
    digest: u64,
}

impl Blocks {
    /// Shows the event to variants that fit it alike.
    fn show_to(
        &mut self,
        fitting: &Fitting,
        before: usize,
        shown: Shown<'_>,
        on: Key<'_>,
        work: &mut Work,
        emit: &mut impl FnMut(Row),
    ) {
        let (mut stateless, mut shared) = (take(&mut work.stateless), take(&mut work.shared));
        stateless.clone_from(&fitting.variants);
        for at in 0..before {
            let block = &mut self.0[at];
            if !shared.become_shared(&block.variants, &fitting.variants) {
                continue;
            }
            stateless.remove(&shared);
            if shared == block.variants {
                work.step(&mut block.state, shown, fitting.fits, on);
                work.settle(&shared, on, emit);
                continue;
            }
            block.variants.remove(&shared);
            let state = block.state.clone();
            self.add(&shared, state, (shown, fitting.fits), on, work, emit);
        }
        if fitting.interest == Interest::Begins && !stateless.is_empty() {
            let state = on.family.nfa.fresh();
            self.add(&stateless, state, (shown, fitting.fits), on, work, emit);
        }
        (work.stateless, work.shared) = (stateless, shared);
    }

    /// Adds a block and shows it the event.
    fn add(
        &mut self,
        variants: &Variants,
        mut state: State,
        (shown, fits): (Shown<'_>, StepMask),
        on: Key<'_>,
        work: &mut Work,
        emit: &mut impl FnMut(Row),
    ) {
        work.step(&mut state, shown, fits, on);
        work.settle(variants, on, emit);
        if !state.is_empty() {
            self.0.push(Block {
                variants: variants.clone(),
                state,
                digest: 0,
            });
        }
    }

    /// Puts variants together whose states have become the same.
    fn merge(&mut self) {
        if self.0.len() < 2 {
            return;
        }
        for block in &mut self.0 {
            block.digest = block.state.digest();
        }
        self.0.sort_unstable_by_key(|block| block.digest);
        self.0.dedup_by(|later, earlier| {
            let same = earlier.state.same(&later.state);
            if same {
                earlier.variants.unite(&later.variants);
            }
            same
        });
    }
}

impl Holding for Blocks {
    fn fresh(_: &Family) -> Blocks {
        Blocks(Vec::new())
    }

    fn show(&mut self, shown: Shown<'_>, on: Key<'_>, work: &mut Work, emit: &mut impl FnMut(Row)) {
        let Fits::Many(fittings) = shown.fits else {
            unreachable!("variants are judged together")
        };
        // What is added has seen the event.
        let before = self.0.len();
        for fitting in fittings.iter() {
            self.show_to(fitting, before, shown, on, work, emit);
        }
        self.0.retain(|block| !block.state.is_empty());
    }

    fn pass(&mut self, until: Timestamp, on: Key<'_>, work: &mut Work, emit: &mut impl FnMut(Row)) {
        for block in &mut self.0 {
            if on.family.nfa.next_instant(&block.state) <= until {
                work.pass(&mut block.state, until, on);
                work.settle(&block.variants, on, emit);
            }
        }
        self.0.retain(|block| !block.state.is_empty());
        self.merge();
    }

    fn glance(&self) -> u64 {
        let first = self.0.first();
        first.map_or(0, |block| block.state.glance())
    }

    fn glance_on(&self) -> u64 {
        let first = self.0.first();
        first.map_or(0, |block| block.state.glance_on())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn next_instant(&self, family: &Family) -> Timestamp {
        let instants = self
            .0
            .iter()
            .map(|block| family.nfa.next_instant(&block.state));
        instants.min().unwrap_or(Timestamp::MAX)
    }

    fn states(&self, _: &Family, mut to: impl FnMut(&State, &mut dyn Iterator<Item = usize>)) {
        for block in &self.0 {
            to(&block.state, &mut block.variants.numbers());
        }
    }

    fn add_state(&mut self, variants: Variants, state: State) {
        self.0.push(Block {
            variants,
            state,
            digest: 0,
        });
    }

    #[cfg(feature = "testing")]
    fn recode(&mut self, family: &Family) {
        for block in &mut self.0 {
            family.nfa.recode(&mut block.state);
        }
    }
}
