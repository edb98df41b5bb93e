//! The state of one key in one pattern, whatever its class.

use super::choice::Outcome;
use super::cohorts::{self, Cohorts};
use super::expression::StepMask;
use super::linear::{Chosen, LinearPlan};
use super::matcher::{self, Bundles, Incoming, Scratch, bundles};
use super::nfa::Nfa;
use super::run::{Runs, mix};
use super::stacks::{self, Room, StackPlan, Stacks};
use super::window::{self, SparePanes, Windows};
use crate::event::{Event, Value};
use crate::time::Timestamp;

/// What one key has in one pattern: partial matches or open windows.
///
/// A key of a pattern that is matched by cohorts or stacks has a list of runs if it came to have more than `bound` allows, or if another version of the pattern left it one: until none is left.
#[derive(Clone, Debug)]
pub enum State {
    /// Classes D and E.
    Stacks(Stacks),
    /// Class B.
    Cohorts(Cohorts),
    /// Class C.
    Runs(Runs),
    /// Class B, of any other pattern, where a key has many partial matches. Stored as a list of runs.
    Bundles(Box<Bundles>),
    /// Class A.
    Windows(Windows),
}

/// Memory that calls reuse. Holds nothing between them.
#[derive(Debug, Default)]
pub struct Reuse {
    scratch: Scratch,
    panes: SparePanes,
}

/// The way an event bears on a pattern, judged before its key is looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interest {
    /// None: it need not be shown.
    #[default]
    None,
    /// It matters to keys that have state.
    Continues,
    /// It can begin something for a key without state.
    Begins,
}

impl Nfa {
    /// Which steps the event can satisfy by itself, and whether it bears on the pattern at all.
    #[must_use]
    pub fn look(&self, event: &Event) -> (StepMask, Interest) {
        let fits = self.fits(event);
        (fits, self.interest(fits))
    }

    /// How an event that fits these steps bears on the pattern.
    pub(crate) fn interest(&self, fits: StepMask) -> Interest {
        let listens = self.window.as_ref().map(super::window::WindowPlan::listens);
        match listens {
            Some(steps) if steps.0 & fits.0 == 0 => Interest::None,
            Some(_) => Interest::Begins,
            None if self.begins(fits) => Interest::Begins,
            None if self.minds(fits) => Interest::Continues,
            None => Interest::None,
        }
    }

    /// The state of a key that has none yet.
    #[must_use]
    pub fn fresh(&self) -> State {
        match (&self.window, &self.linear, &self.stacks) {
            (Some(_), ..) => State::Windows(Windows::default()),
            (None, Some(plan), _) if plan.chosen == Chosen::Yes => {
                State::Cohorts(Cohorts::default())
            }
            (None, _, Some(plan)) if plan.chosen == Chosen::Yes => State::Stacks(Stacks::new(plan)),
            (None, ..) => State::Runs(Runs::default()),
        }
    }

    /// Shows an event to a key's state. Every instant up to its time must have passed ([`Nfa::pass_instants`]).
    pub fn step(
        &self,
        state: &mut State,
        incoming: Incoming<'_>,
        key: &[Value],
        reuse: &mut Reuse,
        out: &mut Outcome,
    ) {
        match (&mut *state, &self.window) {
            (State::Stacks(stacks), _) => {
                let (plan, time) = (self.stack_plan(), incoming.event.time);
                if let Room::Exceeded = stacks::step(self, plan, stacks, incoming, key, out) {
                    let mut runs = stacks.runs(self, plan);
                    matcher::evict(self, &mut runs, time, out);
                    *state = State::Runs(runs);
                }
            }
            (State::Cohorts(cohorts), _) => {
                cohorts::step(self, self.linear_plan(), cohorts, incoming, key, out)
            }
            (State::Runs(runs), _) => {
                matcher::step(self, runs, incoming, key, &mut reuse.scratch, out);
                if let Some(together) = self.together
                    && together.looks(runs.runs.len(), incoming.number)
                    && let Some(bundles) = matcher::bundle(self, together, runs)
                {
                    *state = State::Bundles(Box::new(bundles));
                }
            }
            (State::Bundles(bundles), _) => {
                bundles::step(self, bundles, incoming, key, out);
                if let Some(together) = self.together
                    && let Some(runs) = bundles.part(self, together)
                {
                    *state = State::Runs(runs);
                }
            }
            (State::Windows(windows), Some(plan)) => {
                window::step(self, plan, windows, incoming, key, &mut reuse.panes, out)
            }
            (State::Windows(_), None) => unreachable!("the state was made for this pattern"),
        }
    }

    /// Lets every instant up to and including `until` pass for a key.
    pub fn pass_instants(
        &self,
        state: &mut State,
        until: Timestamp,
        key: &[Value],
        reuse: &mut Reuse,
        out: &mut Outcome,
    ) {
        match (state, &self.window) {
            (State::Stacks(stacks), _) => {
                stacks::pass_instants(self, self.stack_plan(), stacks, until, key, out)
            }
            (State::Cohorts(cohorts), _) => {
                cohorts::pass_instants(self, self.linear_plan(), cohorts, until, key, out)
            }
            (State::Runs(runs), _) => {
                matcher::pass_instants(self, runs, until, key, &mut reuse.scratch, out)
            }
            (State::Bundles(bundles), _) => bundles::pass_instants(self, bundles, until, key, out),
            (State::Windows(windows), Some(plan)) => {
                window::pass_instants(self, plan, windows, until, key, &mut reuse.panes, out)
            }
            (State::Windows(_), None) => unreachable!("the state was made for this pattern"),
        }
    }

    /// The earliest instant at which something happens to the state without an event; [`Timestamp::MAX`] if nothing will.
    #[must_use]
    pub fn next_instant(&self, state: &State) -> Timestamp {
        match (state, &self.window) {
            (State::Stacks(stacks), _) => stacks.next_instant(self, self.stack_plan()),
            (State::Cohorts(cohorts), _) => cohorts.next_instant(self, self.linear_plan()),
            (State::Runs(runs), _) => runs.next_instant(self),
            (State::Bundles(bundles), _) => bundles.next_instant(self),
            (State::Windows(windows), Some(plan)) => windows.next_instant(plan),
            (State::Windows(_), None) => unreachable!("the state was made for this pattern"),
        }
    }

    /// How cohorts are gone on with.
    pub(super) fn linear_plan(&self) -> &LinearPlan {
        let plan = self.linear.as_ref();
        plan.expect("the state was made for this pattern")
    }

    /// Lets partial matches go on together as soon as two wait alike, if they can.
    #[cfg(feature = "testing")]
    pub(crate) fn put_together(&mut self) {
        self.together = self.together.take().map(|_| matcher::Together::ALWAYS);
    }

    /// Keeps each partial match by itself.
    #[cfg(feature = "testing")]
    pub(crate) fn tell_apart(&mut self) {
        self.together = None;
        for chosen in [
            self.linear.as_mut().map(|plan| &mut plan.chosen),
            self.stacks.as_mut().map(|plan| &mut plan.chosen),
        ] {
            chosen.into_iter().for_each(|chosen| *chosen = Chosen::No);
        }
    }

    /// How stacks are gone on with.
    pub(super) fn stack_plan(&self) -> &StackPlan {
        let plan = self.stacks.as_ref();
        plan.expect("the state was made for this pattern")
    }
}

/// What `read` makes of the first `N` of so many. As many are read however many there are, which is not known before it was waited for: the last one again, if they are fewer.
#[inline]
pub(super) fn glance_at<const N: usize>(count: usize, read: impl Fn(usize) -> u64) -> u64 {
    let Some(last) = count.checked_sub(1) else {
        return 0;
    };
    (0..N).fold(0, |seen, at| seen ^ read(at.min(last)))
}

impl State {
    /// True if nothing is left to remember: the key can be forgotten.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            State::Stacks(stacks) => stacks.is_empty(),
            State::Cohorts(cohorts) => cohorts.is_empty(),
            State::Runs(runs) => runs.is_empty(),
            State::Bundles(bundles) => bundles.is_empty(),
            State::Windows(windows) => windows.is_empty(),
        }
    }

    /// Reads where what is held begins: nothing follows from it but that it is in the processor's cache. With little else to do it waits for many states at once.
    #[inline(always)]
    pub(crate) fn glance(&self) -> u64 {
        match self {
            State::Stacks(_) | State::Bundles(_) => 0,
            State::Cohorts(cohorts) => cohorts.starts.front().map_or(0, |start| start.number),
            State::Runs(runs) => runs.runs.first().map_or(0, |run| run.first),
            State::Windows(windows) => windows.panes.front().map_or(0, |pane| pane.count),
        }
    }

    /// The same, further on, once the beginning is there.
    #[inline]
    pub(crate) fn glance_on(&self) -> u64 {
        match self {
            State::Stacks(_) | State::Bundles(_) => 0,
            State::Cohorts(cohorts) => cohorts.glance_on(),
            State::Runs(runs) => runs.glance_on(),
            State::Windows(windows) => windows.glance_on(),
        }
    }

    /// Counts the partial matches by the step bound last, by its number; of windows all that are open, as if of the first step.
    pub(crate) fn count_by_step(&self, nfa: &Nfa, counts: &mut [u64]) {
        match self {
            State::Stacks(stacks) => {
                let plan = nfa.stack_plan();
                for (stacked, count) in plan.steps.iter().zip(stacks.partials_by_step(plan)) {
                    counts[usize::from(stacked.filled.step.0)] += count;
                }
            }
            State::Cohorts(cohorts) => {
                let steps = nfa.linear_plan().steps.iter();
                for (step, count) in steps.zip(cohorts.counts()) {
                    counts[usize::from(step.step.0)] += count as u64;
                }
            }
            State::Runs(runs) => {
                for run in &runs.runs {
                    counts[usize::from(run.reached(nfa).0)] += 1;
                }
            }
            State::Bundles(bundles) => {
                for (step, count) in bundles.counts(nfa) {
                    counts[usize::from(step.0)] += count as u64;
                }
            }
            State::Windows(windows) => counts[0] += windows.len() as u64,
        }
    }

    /// The same for states that are [the same](State::same).
    pub(crate) fn digest(&self) -> u64 {
        match self {
            State::Stacks(stacks) => stacks.digest(),
            State::Cohorts(cohorts) => cohorts.digest(),
            State::Runs(runs) => runs.runs.iter().map(|run| run.path).fold(0, mix),
            State::Bundles(bundles) => bundles.digest(),
            State::Windows(windows) => windows.digest(),
        }
    }

    /// True if both go on alike whatever follows. May be false although they do: what `limit` let through is not compared.
    ///
    /// What registers hold follows from the events bound, of which `path` is a hash.
    pub(crate) fn same(&self, other: &State) -> bool {
        match (self, other) {
            (State::Stacks(a), State::Stacks(b)) => a.same(b),
            (State::Cohorts(a), State::Cohorts(b)) => a.same(b),
            (State::Runs(a), State::Runs(b)) => a.same(b),
            (State::Bundles(a), State::Bundles(b)) => a.same(b),
            (State::Windows(a), State::Windows(b)) => a.same(b),
            _ => false,
        }
    }

    /// The greatest number of an event that a partial match has bound; 0 for windows.
    #[cfg(feature = "testing")]
    pub(crate) fn newest(&self) -> u64 {
        let newest = match self {
            State::Stacks(stacks) => stacks.newest(),
            State::Cohorts(cohorts) => cohorts.newest(),
            State::Runs(runs) => runs.runs.iter().map(|run| run.last).max(),
            State::Bundles(bundles) => bundles.newest(),
            State::Windows(_) => None,
        };
        newest.unwrap_or(0)
    }

    /// How many partial matches or open windows it holds.
    #[must_use]
    pub fn partials(&self, nfa: &Nfa) -> usize {
        match self {
            State::Stacks(stacks) => {
                let partials = stacks.partials(nfa.stack_plan());
                usize::try_from(partials).unwrap_or(usize::MAX)
            }
            State::Cohorts(cohorts) => cohorts.partials(),
            State::Runs(runs) => runs.runs.len(),
            State::Bundles(bundles) => bundles.partials(),
            State::Windows(windows) => windows.len(),
        }
    }
}
