//! The state of one key in one pattern, whatever its class.

use super::choice::Outcome;
use super::expression::StepMask;
use super::matcher::{self, Incoming, Scratch};
use super::nfa::Nfa;
use super::run::Runs;
use super::window::{self, Windows};
use crate::event::{Event, Value};
use crate::time::Timestamp;

/// What one key has in one pattern: partial matches or open windows.
#[derive(Clone, Debug)]
pub enum State {
    /// Class C.
    Runs(Runs),
    /// Class A.
    Windows(Windows),
}

/// Memory that calls reuse. Holds nothing between them.
#[derive(Debug, Default)]
pub struct Reuse(Scratch);

/// The way an event bears on a pattern, judged before its key is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// None: it need not be shown.
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
        let listens = self.window.as_ref().map(super::window::WindowPlan::listens);
        let interest = match listens {
            Some(steps) if steps.0 & fits.0 == 0 => Interest::None,
            Some(_) => Interest::Begins,
            None if self.begins(fits) => Interest::Begins,
            None if self.minds(fits) => Interest::Continues,
            None => Interest::None,
        };
        (fits, interest)
    }

    /// The names under which partial matches are counted: steps in the order of writing, or `window`; all counts are 0.
    #[must_use]
    pub fn no_partials(&self) -> Vec<(String, u64)> {
        match self.window {
            Some(_) => vec![("window".to_owned(), 0)],
            None => self
                .steps
                .iter()
                .map(|step| (step.name.clone(), 0))
                .collect(),
        }
    }

    /// Adds a key's partial matches, by the step bound last, to counts made by [`Nfa::no_partials`].
    pub fn count_partials(&self, state: &State, counts: &mut [(String, u64)]) {
        match state {
            State::Windows(windows) => counts[0].1 += windows.len() as u64,
            State::Runs(runs) => {
                for run in &runs.runs {
                    if let Some(step) = self.positions[usize::from(run.position)].step {
                        counts[usize::from(step.0)].1 += 1;
                    }
                }
            }
        }
    }

    /// The state of a key that has none yet.
    #[must_use]
    pub fn fresh(&self) -> State {
        match self.window {
            Some(_) => State::Windows(Windows::default()),
            None => State::Runs(Runs::default()),
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
        match (state, &self.window) {
            (State::Runs(runs), _) => matcher::step(self, runs, incoming, key, &mut reuse.0, out),
            (State::Windows(windows), Some(plan)) => {
                window::step(self, plan, windows, incoming, key, out)
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
            (State::Runs(runs), _) => {
                matcher::pass_instants(self, runs, until, key, &mut reuse.0, out)
            }
            (State::Windows(windows), Some(plan)) => {
                window::pass_instants(self, plan, windows, until, key, out)
            }
            (State::Windows(_), None) => unreachable!("the state was made for this pattern"),
        }
    }

    /// The earliest instant at which something happens to the state without an event; [`Timestamp::MAX`] if nothing will.
    #[must_use]
    pub fn next_instant(&self, state: &State) -> Timestamp {
        match (state, &self.window) {
            (State::Runs(runs), _) => runs.next_instant(self),
            (State::Windows(windows), Some(plan)) => windows.next_instant(plan),
            (State::Windows(_), None) => unreachable!("the state was made for this pattern"),
        }
    }
}

impl State {
    /// True if nothing is left to remember: the key can be forgotten.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            State::Runs(runs) => runs.is_empty(),
            State::Windows(windows) => windows.is_empty(),
        }
    }

    /// How many partial matches or open windows it holds.
    #[must_use]
    pub fn partials(&self) -> usize {
        match self {
            State::Runs(runs) => runs.runs.len(),
            State::Windows(windows) => windows.len(),
        }
    }
}
