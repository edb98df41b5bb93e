//! One family with the state of all its keys.

use std::sync::Arc;

use super::directory::Directory;
use super::holding::{Blocks, Holding, Key, Shown, StoredStates, Work};
use super::order::Moment;
use super::plan::{Concern, Judged};
use super::saving::Saving;
use crate::automaton::{Family, Interest, Row, State, Tally, Variants};
use crate::event::Value;
use crate::lang::pattern::PatternId;
use crate::store::Batch;
use crate::time::{Timestamp, Watermark};
use crate::wire::{Damaged, Reader};

/// One family with the state of all its keys.
#[derive(Debug)]
pub(crate) enum Keyed {
    /// A pattern without variants.
    One(Keys<State>),
    /// Several variants.
    Many(Keys<Blocks>),
}

/// Which events of a batch a family is shown: place of each, and of the family among its concerns.
pub(crate) type Places = Vec<(u32, u32)>;

impl Keyed {
    pub(crate) fn new(family: Arc<Family>) -> Keyed {
        if family.variants.len() == 1 {
            Keyed::One(Keys::new(family))
        } else {
            Keyed::Many(Keys::new(family))
        }
    }

    /// What each pattern did.
    pub(crate) fn tallies(&self) -> impl Iterator<Item = (PatternId, Tally)> {
        let (family, tallies) = match self {
            Keyed::One(keys) => (&keys.family, &keys.work.tallies),
            Keyed::Many(keys) => (&keys.family, &keys.work.tallies),
        };
        let ids = family.variants.iter().map(|variant| variant.pattern);
        ids.zip(tallies.iter().copied())
    }

    /// How many keys have state, and how many partial matches the variants have.
    pub(crate) fn live(&self) -> (usize, usize) {
        match self {
            Keyed::One(keys) => keys.live(),
            Keyed::Many(keys) => keys.live(),
        }
    }

    /// How many keys have state.
    pub(crate) fn keys(&self) -> usize {
        match self {
            Keyed::One(keys) => keys.directory.len(),
            Keyed::Many(keys) => keys.directory.len(),
        }
    }

    /// Adds how many partial matches each pattern has, by the step bound last; windows under `window`. Looks at every key.
    pub(crate) fn partials(&self, into: &mut [Vec<(String, u64)>]) {
        match self {
            Keyed::One(keys) => keys.partials(into),
            Keyed::Many(keys) => keys.partials(into),
        }
    }

    /// Goes on with what is read from the bytes of each state.
    #[cfg(feature = "testing")]
    pub(crate) fn recode(&mut self) {
        match self {
            Keyed::One(keys) => keys.recode(),
            Keyed::Many(keys) => keys.recode(),
        }
    }

    /// Shows events in order; then lets time pass up to the watermark.
    pub(crate) fn advance(
        &mut self,
        events: &[Judged],
        shown: &Places,
        watermark: Watermark,
        emit: impl FnMut(Moment, Option<u64>, Row),
    ) {
        match self {
            Keyed::One(keys) => keys.advance(events, shown, watermark, emit),
            Keyed::Many(keys) => keys.advance(events, shown, watermark, emit),
        }
    }
}

/// The keys of a family, with what each holds.
#[derive(Debug)]
pub(crate) struct Keys<S> {
    family: Arc<Family>,
    directory: Directory<S>,
    /// Events shown so far.
    number: u64,
    work: Work,
    /// Slots due at one instant; empty between calls.
    due: Vec<u32>,
    /// What checkpoints have to know; `None` without durable state.
    saving: Option<Saving>,
}

impl<S: Holding> Keys<S> {
    fn new(family: Arc<Family>) -> Keys<S> {
        Keys {
            directory: Directory::default(),
            number: 0,
            work: Work::new(&family),
            due: Vec::new(),
            family,
            saving: None,
        }
    }

    fn live(&self) -> (usize, usize) {
        let mut partials = 0;
        for held in self.directory.states() {
            held.states(&self.family, |state, variants| {
                partials += state.partials() * variants.count();
            });
        }
        (self.directory.len(), partials)
    }

    #[cfg(feature = "testing")]
    fn recode(&mut self) {
        let states = self.directory.states_mut();
        states.for_each(|held| held.recode(&self.family));
    }

    fn partials(&self, into: &mut [Vec<(String, u64)>]) {
        let steps = self.family.nfa.places();
        let mut counts = vec![0; self.family.variants.len() * steps.len()];
        let mut of_state = vec![0; steps.len()];
        for held in self.directory.states() {
            held.states(&self.family, |state, variants| {
                of_state.fill(0);
                state.count_by_step(&self.family.nfa, &mut of_state);
                for variant in variants {
                    let counts = &mut counts[variant * steps.len()..];
                    for (count, more) in counts.iter_mut().zip(&of_state) {
                        *count += more;
                    }
                }
            });
        }
        for (variant, counts) in self.family.variants.iter().zip(counts.chunks(steps.len())) {
            let of_pattern = &mut into[variant.pattern.0 as usize];
            for (step, count) in steps.iter().zip(counts).filter(|(_, count)| **count > 0) {
                match of_pattern.iter_mut().find(|(name, _)| name == step) {
                    Some((_, sum)) => *sum += count,
                    None => of_pattern.push(((*step).to_owned(), *count)),
                }
            }
        }
    }

    fn advance(
        &mut self,
        events: &[Judged],
        shown: &Places,
        watermark: Watermark,
        mut emit: impl FnMut(Moment, Option<u64>, Row),
    ) {
        for (at, nth) in shown {
            let judged = &events[*at as usize];
            self.show(judged, &judged.concerns[*nth as usize], &mut emit);
        }
        self.pass_instants(watermark.0, &mut emit);
    }

    fn show(
        &mut self,
        judged: &Judged,
        concern: &Concern,
        emit: &mut impl FnMut(Moment, Option<u64>, Row),
    ) {
        let event = &judged.event;
        if self.directory.next_instant() <= event.time {
            self.pass_instants(event.time, emit);
        }
        let Some(fields) = self.family.nfa.key_fields(event.ty) else {
            return;
        };
        let Some(hash) = self.directory.hash(event, fields) else {
            return;
        };
        self.number += 1;
        let slot = match self.directory.find(hash, event, fields) {
            Some(slot) => slot,
            None if concern.interest == Interest::Continues => return,
            None => {
                let fresh = S::fresh(&self.family);
                self.directory.occupy(hash, event, fields, fresh)
            }
        };
        self.save_before_change(slot);
        let (parts, held) = self.directory.slot(slot).parts();
        let shown = Shown {
            event,
            number: self.number,
            fits: &concern.fits,
        };
        let on = Key {
            family: &self.family,
            parts,
        };
        let mut emit = |row| emit(Moment::Event, Some(judged.arrived), row);
        held.show(shown, on, &mut self.work, &mut emit);
        self.settle(slot);
    }

    /// Forgets a key that has nothing left, or sees to it that it is looked at in time.
    fn settle(&mut self, at: u32) {
        let slot = self.directory.slot(at);
        let (_, held) = slot.parts();
        if held.is_empty() {
            if let Some(saving) = &mut self.saving {
                saving.forget(slot, &self.family);
            }
            self.directory.forget(at);
        } else {
            if let Some(saving) = &mut self.saving {
                saving.change(at, &mut slot.changed);
            }
            let (_, held) = self.directory.slot(at).parts();
            let next = held.next_instant(&self.family);
            self.directory.wake(at, next);
        }
    }

    /// Lets every instant up to and including `until` pass, in order; at each, keys in their order.
    fn pass_instants(&mut self, until: Timestamp, emit: &mut impl FnMut(Moment, Option<u64>, Row)) {
        loop {
            let instant = self.directory.next_instant();
            if instant > until || instant == Timestamp::MAX {
                return;
            }
            let mut due = std::mem::take(&mut self.due);
            self.directory.take_due(instant, &mut due);
            for at in due.drain(..) {
                self.save_before_change(at);
                let (parts, held) = self.directory.slot(at).parts();
                let on = Key {
                    family: &self.family,
                    parts,
                };
                let mut emit = |row: Row| {
                    let moment = if row.at == instant {
                        Moment::Instant
                    } else {
                        Moment::Expiry
                    };
                    emit(moment, None, row);
                };
                held.pass(instant, on, &mut self.work, &mut emit);
                self.settle(at);
            }
            self.due = due;
        }
    }
}

/// Checkpoints.
impl<S: Holding> Keys<S> {
    /// A key that the open epoch is to save as it is gets saved before it changes.
    fn save_before_change(&mut self, at: u32) {
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
            let slot = self.directory.slot(at);
            if slot.is_occupied() && saving.owes(slot.changed) {
                saving.save(slot, &self.family);
            }
        }
        saving.owed.is_empty()
    }

    /// Takes in what a key had; the store holds just this.
    fn take_in(&mut self, key: &[Value], states: Vec<(Variants, State)>) {
        let (hash, found) = self.directory.find_key(key);
        let at = found.unwrap_or_else(|| {
            let fresh = S::fresh(&self.family);
            self.directory.insert(hash, key.into(), fresh)
        });
        let slot = self.directory.slot(at);
        slot.stored = true;
        let (_, held) = slot.parts();
        for (variants, state) in states {
            held.add_state(variants, state);
        }
        let next = held.next_instant(&self.family);
        self.directory.wake(at, next);
    }
}

impl Keyed {
    /// From now on it is noted what changes. `number`: that of its states in the store.
    pub(crate) fn keep(&mut self, number: u32) {
        match self {
            Keyed::One(keys) => keys.saving = Some(Saving::new(number)),
            Keyed::Many(keys) => keys.saving = Some(Saving::new(number)),
        }
    }

    fn saving(&mut self) -> Option<&mut Saving> {
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

    /// Takes in what a key had in these variants; the store holds just this.
    ///
    /// # Errors
    /// When bytes are no state of this family.
    pub(crate) fn take_in(
        &mut self,
        key: &[Value],
        states: &StoredStates<'_>,
    ) -> Result<(), Damaged> {
        let family = Arc::clone(match self {
            Keyed::One(keys) => &keys.family,
            Keyed::Many(keys) => &keys.family,
        });
        let mut read = Vec::with_capacity(states.len());
        for (numbers, bytes) in states {
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
            read.push((variants, state));
        }
        match self {
            Keyed::One(keys) => keys.take_in(key, read),
            Keyed::Many(keys) => keys.take_in(key, read),
        }
        Ok(())
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

#[cfg(test)]
mod tests;
