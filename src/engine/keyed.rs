//! One family with the state of all its keys.

mod ahead;
mod evict;
mod stored;

pub(crate) use evict::Offered;

use std::sync::Arc;

use super::cold::Cold;
use super::directory::{Directory, GROUP};
use super::due::Due;
use super::holding::{Blocks, Holding, Key, Shown, Work};
use super::judge::{Concern, Judged};
use super::order::{Moment, Rows};
use super::saving::Saving;
use crate::automaton::{Family, Interest, Row, State, Tally};
use crate::lang::pattern::PatternId;
use crate::time::{Timestamp, Watermark};

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
            Keyed::One(keys) => keys.len(),
            Keyed::Many(keys) => keys.len(),
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
        rows: &mut Rows<'_>,
    ) {
        match self {
            Keyed::One(keys) => keys.advance(events, shown, watermark, rows),
            Keyed::Many(keys) => keys.advance(events, shown, watermark, rows),
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
    due: Due,
    /// What checkpoints have to know; `None` without durable state.
    saving: Option<Saving>,
    /// Keys whose states lie in the store only; `None` without durable state.
    cold: Option<Cold>,
}

impl<S: Holding> Keys<S> {
    fn new(family: Arc<Family>) -> Keys<S> {
        Keys {
            directory: Directory::default(),
            number: 0,
            work: Work::new(&family),
            due: Due::default(),
            family,
            saving: None,
            cold: None,
        }
    }

    fn len(&self) -> usize {
        self.directory.len() + self.cold.as_ref().map_or(0, Cold::len)
    }

    fn live(&self) -> (usize, usize) {
        let mut partials = 0;
        for held in self.directory.states() {
            held.states(&self.family, |state, variants| {
                partials += state.partials(&self.family.nfa) * variants.count();
            });
        }
        let cold = self.cold.iter().flat_map(|cold| &cold.counts);
        (self.len(), partials + cold.sum::<u64>() as usize)
    }

    #[cfg(feature = "testing")]
    fn recode(&mut self) {
        let states = self.directory.states_mut();
        states.for_each(|held| held.recode(&self.family));
    }

    fn partials(&self, into: &mut [Vec<(String, u64)>]) {
        let steps = self.family.nfa.places();
        let mut counts = match &self.cold {
            Some(cold) => cold.counts.clone(),
            None => vec![0; self.family.variants.len() * steps.len()],
        };
        let mut of_state = vec![0; steps.len()];
        for held in self.directory.states() {
            count(held, &self.family, &mut of_state, |at, more| {
                counts[at] += more;
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
        rows: &mut Rows<'_>,
    ) {
        self.fetch_for(events, shown);
        for group in shown.chunks(GROUP) {
            let hashes = self.look_at_shown(events, group);
            for ((at, nth), hash) in group.iter().zip(hashes) {
                let judged = &events[*at as usize];
                let concern = &judged.concerns[*nth as usize];
                self.show(judged, concern, hash, rows);
            }
        }
        self.pass_instants(watermark.0, rows);
        let saving = &mut self.saving;
        self.directory.give_back(|at, slot| {
            if let Some(saving) = saving {
                saving.relocate(at, slot.changed);
            }
        });
    }

    /// Shows an event. `hash`: that of its key; without one it is nobody's.
    fn show(&mut self, judged: &Judged, concern: &Concern, hash: Option<u64>, rows: &mut Rows<'_>) {
        let event = &judged.event;
        let waits = self.waits();
        if !waits && self.next_instant() <= event.time {
            self.pass_instants(event.time, rows);
        }
        let Some(fields) = self.family.nfa.key_fields(event.ty) else {
            return;
        };
        let Some(hash) = hash else { return };
        self.number += 1;
        let slot = match self.directory.find(hash, event, fields) {
            Some(slot) if waits => {
                self.catch_up(slot, event.time, rows);
                slot
            }
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
        let mut emit = |row| rows.add(Moment::Event, Some(judged.arrived), row);
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
            slot.touched = true;
            let (_, held) = slot.parts();
            let next = held.next_instant(&self.family);
            self.directory.wake(at, next);
        }
    }

    /// No key is to be looked at before this instant.
    fn next_instant(&self) -> Timestamp {
        let instant = self.directory.next_instant();
        match &self.cold {
            Some(cold) => instant.min(cold.next_instant()),
            None => instant,
        }
    }

    /// True if it makes no difference when a key is looked at, as long as it has come up to its time before it is shown an event: time alone makes no rows. Then keys wait until all
    /// events of a batch are shown.
    fn waits(&self) -> bool {
        !self.family.nfa.outlook.rows_in_time
    }

    /// Lets every instant up to an event pass for its key, if keys wait.
    fn catch_up(&mut self, at: u32, until: Timestamp, rows: &mut Rows<'_>) {
        let (_, held) = self.directory.slot(at).parts();
        if held.next_instant(&self.family) > until {
            return;
        }
        self.let_pass(at, until, rows);
        let (_, held) = self.directory.slot(at).parts();
        if held.is_empty() {
            *held = S::fresh(&self.family);
        }
    }

    /// Lets every instant up to and including `until` pass for keys that wait.
    fn pass_together(&mut self, until: Timestamp, rows: &mut Rows<'_>) {
        loop {
            let mut more = self.fetch_due(until);
            while let Some(due) = self.directory.take_some(until) {
                more = true;
                self.let_all_pass(due.iter().copied(), until, rows);
            }
            if !more {
                return;
            }
        }
    }

    /// Lets every instant up to and including `until` pass, in order; at each, keys in their order, those in memory before others.
    fn pass_instants(&mut self, until: Timestamp, rows: &mut Rows<'_>) {
        if self.waits() {
            return self.pass_together(until, rows);
        }
        // Of windows that end by time, keys in their order make rows in theirs.
        let in_order = self.family.variants.len() == 1
            && (self.family.nfa.window.as_ref()).is_some_and(|window| window.ends_by_time());
        loop {
            let instant = self.directory.next_instant();
            if self.fetch_due(until.min(instant)) {
                continue;
            }
            if instant > until || instant == Timestamp::MAX {
                return;
            }
            let mut due = std::mem::take(&mut self.due);
            self.directory.take_due(instant, &mut due);
            for group in due.groups(GROUP) {
                self.let_all_pass(group, instant, rows);
                if in_order {
                    rows.settle();
                }
            }
            due.clear();
            self.due = due;
        }
    }

    /// Lets an instant pass for keys that are due, and all before it.
    fn let_all_pass(
        &mut self,
        due: impl Iterator<Item = u32> + Clone,
        instant: Timestamp,
        rows: &mut Rows<'_>,
    ) {
        self.look_at_due(due.clone());
        for at in due {
            self.let_pass(at, instant, rows);
            self.settle(at);
        }
    }

    /// Lets an instant pass for a key, and all before it.
    fn let_pass(&mut self, at: u32, instant: Timestamp, rows: &mut Rows<'_>) {
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
            rows.add(moment, None, row);
        };
        held.pass(instant, on, &mut self.work, &mut emit);
    }
}

/// Gives out how many partial matches each variant has by the step bound last. `of_state` is as long as there are steps.
fn count<S: Holding>(
    held: &S,
    family: &Family,
    of_state: &mut [u64],
    mut to: impl FnMut(usize, u64),
) {
    let steps = of_state.len();
    held.states(family, |state, variants| {
        of_state.fill(0);
        state.count_by_step(&family.nfa, of_state);
        for variant in variants {
            let counts = (0..).zip(of_state.iter()).filter(|(_, count)| **count > 0);
            counts.for_each(|(step, count)| to(variant * steps + step, *count));
        }
    });
}

#[cfg(test)]
mod tests;
