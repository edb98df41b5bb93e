//! Patterns that are one step after the other by `then` and `next`, each bound once: what their partial matches have in common need not be kept for each of them. The first of two may be
//! a loop.

use std::num::NonZero;

use smallvec::SmallVec;

use super::choice::Candidate;
use super::expression::{Bounds, Compiled, Scope, StepMask};
use super::matcher::Incoming;
use super::nfa::{Completion, Counting, Nfa, Skip, Target, Wanted, Way, Which};
use super::register::{Accumulator, RegisterSet};
use super::run::{PATH_START, Run, end_of, mix};
use crate::event::Value;
use crate::lang::pattern::{Contiguity, Evict, StepId};
use crate::time::{Span, Timestamp};

/// How a pattern is matched without telling its partial matches apart, or could be.
#[derive(Clone, Debug)]
pub(crate) struct LinearPlan {
    /// In their order; at least two, or one and an absence behind it.
    pub steps: Vec<FilledStep>,
    /// What completes a match.
    pub ending: Ending,
    /// The first of two is a loop that takes all it can.
    pub repeats: Option<Repeats>,
    /// What is waited for may have to come within a time since the step before.
    pub gaps: bool,
    /// Whether keys without state begin so. Where they do not, what another version of the pattern left can still be read.
    pub chosen: Chosen,
}

/// What completes a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The event that the last step is bound to.
    Event,
    /// That nothing satisfied these steps for so long since.
    Absence(StepMask, Span),
    /// That nothing satisfied these steps since, until `within` ends.
    AbsenceWithin(StepMask),
}

/// Whether partial matches are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    Yes,
    /// Each is kept by itself.
    No,
}

/// How often a loop repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeats {
    /// So many events, or more.
    pub least: u32,
    /// The number of the counter that counts them, up to as many.
    counter: Option<u8>,
}

/// A step of a pattern of which no two fill one register.
#[derive(Clone, Debug)]
pub(crate) struct FilledStep {
    pub step: StepId,
    /// Registers that its events fill, and no other step's.
    pub registers: Box<[u16]>,
}

impl FilledStep {
    pub(super) fn of(nfa: &Nfa, step: StepId) -> FilledStep {
        FilledStep {
            step,
            registers: nfa.registers.filled_by(usize::from(step.0)).into(),
        }
    }

    /// What an event of the step puts into registers.
    pub(super) fn values<'a>(
        &'a self,
        nfa: &'a Nfa,
        incoming: Incoming<'a>,
        key: &'a [Value],
    ) -> impl Iterator<Item = Accumulator> + 'a {
        let step = usize::from(self.step.0);
        nfa.registers.singles(step, incoming.event, key)
    }
}

impl LinearPlan {
    /// `None` if the pattern is not one step after the other, none by `then any`, with or without an absence at the end, or a loop and a step behind it, or if two steps fill one register. That much follows from the structure of its
    /// states ([`Nfa::structure`]), so all patterns of one structure can read what the others left.
    pub(crate) fn of(nfa: &Nfa) -> Option<LinearPlan> {
        if nfa.window.is_some() || !nfa.leading.is_empty() {
            return None;
        }
        let (end, waiting) = nfa.positions.split_last()?;
        let [end_way] = &end.ways[..] else {
            return None;
        };
        let ending = Ending::of(end_way).filter(|_| counts_nothing(end_way))?;
        let fewest = if ending == Ending::Event { 2 } else { 1 };
        if waiting.len() < fewest {
            return None;
        }
        let repeats = Repeats::of(nfa).filter(|_| ending == Ending::Event);
        for (at, position) in waiting.iter().enumerate() {
            let way = match &position.ways[..] {
                [way] => way,
                [_again, way] if at == 1 && repeats.is_some() => way,
                _ => return None,
            };
            let target = Target::Position(at as u16 + 1);
            // What counts repeats was looked at.
            let counts = repeats.is_some() && at < 2 || counts_nothing(way);
            // Nor may anything be absent for a time behind a loop, or in front of all.
            let plain = match at > 0 && repeats.is_none() {
                true => rules_nothing_but_absences(way),
                false => rules_nothing_else(way),
            };
            if way.target != target || !counts || !plain {
                return None;
            }
        }
        let steps: Vec<StepId> = nfa.positions.iter().filter_map(|at| at.step).collect();
        let mut waits = waiting[1..].iter().flat_map(|position| &position.ways);
        if waits.any(|way| way.contiguity == Contiguity::SkipTillAny) {
            return None;
        }
        apart(&nfa.registers, &steps).then(|| LinearPlan {
            repeats,
            ending,
            gaps: between(nfa).any(|way| way.gap.is_some()),
            chosen: choose(nfa, repeats, (ending, steps.len())),
            steps: steps
                .iter()
                .map(|step| FilledStep::of(nfa, *step))
                .collect(),
        })
    }

    /// Behind how many steps partial matches wait.
    pub(crate) fn waiting(&self) -> usize {
        match self.ending {
            Ending::Event => self.steps.len() - 1,
            Ending::Absence(..) | Ending::AbsenceWithin(_) => self.steps.len(),
        }
    }
}

impl Ending {
    /// Which a way on to the end stands for; `None` if for none of these.
    fn of(way: &Way) -> Option<Ending> {
        let Target::End(completion) = way.target else {
            return None;
        };
        let ending = match (completion, &way.holds[..], way.between.is_empty()) {
            (Completion::AtOnce, [], true) => Ending::Event,
            (Completion::Since(_), &[(steps, span)], true) => Ending::Absence(steps, span),
            (Completion::Within, [], false) => Ending::AbsenceWithin(way.between),
            _ => return None,
        };
        rules_nothing_but_absences(way).then_some(ending)
    }

    /// Steps none of which an event may satisfy while the end is waited for.
    pub(super) fn absent(self) -> StepMask {
        match self {
            Ending::Event => StepMask::default(),
            Ending::Absence(steps, _) | Ending::AbsenceWithin(steps) => steps,
        }
    }
}

/// What is shared knows of events only that they came: so conditions are decided when their event comes, before anything is known of what a partial match bound. Bounds of time are measured from the
/// first event, or from the step before, so that of partial matches at one step the oldest expires first. Where only an absence is waited for, that is the bound.
///
/// Of a loop whose every event begins a partial match all of them go once the oldest completes, so that an event of the loop is kept once, as the start that it is.
fn choose(nfa: &Nfa, repeats: Option<Repeats>, (ending, steps): (Ending, usize)) -> Chosen {
    let decided_alone = || {
        let mut conditions = nfa.steps.iter().filter_map(|step| step.correlated.as_ref());
        conditions.all(Compiled::is_local)
    };
    let all_go =
        || nfa.skip == Skip::PastMatch && nfa.having.is_none() && nfa.bound.evict == Evict::Oldest;
    let only_ends = steps == 1 && matches!(ending, Ending::Absence(..));
    let all_bounded = || steps > 1 && between(nfa).all(|way| way.gap.is_some());
    let is_bounded = (nfa.within.is_some() || only_ends || all_bounded())
        && (repeats.is_none() || bounded_as_a_whole(nfa));
    match is_bounded && decided_alone() && repeats.is_none_or(|_| all_go()) {
        true => Chosen::Yes,
        false => Chosen::No,
    }
}

/// The ways on from one step to the next.
fn between(nfa: &Nfa) -> impl Iterator<Item = &Way> {
    let ways = nfa.positions[1..]
        .iter()
        .flat_map(|position| &position.ways);
    ways.filter(|way| matches!(way.target, Target::Position(_)))
}

/// True if no bound of time lies between two steps.
pub(super) fn bounded_as_a_whole(nfa: &Nfa) -> bool {
    let mut ways = nfa.positions.iter().flat_map(|position| &position.ways);
    ways.all(|way| way.after.is_none() && way.gap.is_none())
}

/// True if no register is filled by two steps.
pub(super) fn apart(registers: &RegisterSet, steps: &[StepId]) -> bool {
    let filled = steps
        .iter()
        .flat_map(|step| registers.filled_by(usize::from(step.0)));
    let mut filled: Vec<u16> = filled.copied().collect();
    let count = filled.len();
    filled.sort_unstable();
    filled.dedup();
    filled.len() == count
}

impl Repeats {
    /// Sets the counter of a run that has repeated so often.
    pub(super) fn count(self, repeats: usize, counters: &mut [u32]) {
        if let Some(counter) = self.counter {
            let repeats = u32::try_from(repeats).unwrap_or(u32::MAX);
            counters[usize::from(counter)] = repeats.min(self.least);
        }
    }

    /// The loop of a pattern that is one of no end, which leaves nothing out that fits it, and a step behind it.
    fn of(nfa: &Nfa) -> Option<Repeats> {
        let [start, looping, _] = &nfa.positions[..] else {
            return None;
        };
        let ([enter], [again, leave]) = (&start.ways[..], &looping.ways[..]) else {
            return None;
        };
        let entered = |counter: u8| enter.counting == [(counter, Counting::One)];
        let (counter, least) = match (&again.guards[..], &again.counting[..], &leave.guards[..]) {
            ([], [], []) if enter.counting.is_empty() => (None, 1),
            (
                &[(counter, 0, u32::MAX)],
                &[(counted, Counting::More(held))],
                &[(guarded, least, u32::MAX)],
            ) if counted == counter && guarded == counter && held == least && entered(counter) => {
                (Some(counter), least)
            }
            _ => return None,
        };
        let greedy = Wanted {
            steps: StepMask::of(looping.step?),
            until: None,
            full: None,
        };
        let skips =
            |way: &Way| way.contiguity == Contiguity::SkipTillNext && way.between.is_empty();
        let plain = rules_nothing_else(again)
            && again.target == Target::Position(1)
            && again.wanted.is_empty()
            && again.after.is_none()
            && again.gap.is_none();
        let takes_all = leave.wanted == [greedy]
            && leave.counting.is_empty()
            && enter.guards.is_empty()
            && enter.wanted.is_empty();
        (plain && takes_all && skips(again) && skips(leave)).then_some(Repeats { least, counter })
    }
}

/// True if a way on counts nothing, and leaves out what it likes.
fn counts_nothing(way: &Way) -> bool {
    way.wanted.is_empty() && way.guards.is_empty() && way.counting.is_empty()
}

/// True if a way on waits for its target and nothing else, bounds of time, negations between and what is counted aside.
pub(super) fn rules_nothing_else(way: &Way) -> bool {
    // Named one by one, so that a new field has to be thought of here.
    let Way {
        target: _,
        contiguity: _,
        after: _,
        gap: _,
        between: _,
        adjacent,
        holds,
        wanted: _,
        guards: _,
        counting: _,
        unless,
        until,
        closes,
        anchors,
        leading,
    } = way;
    adjacent.is_empty()
        && holds.is_empty()
        && unless.is_none()
        && until.is_none()
        && closes.is_none()
        && !anchors
        && *leading == 0
}

/// The same, but something may have to be absent for a time.
fn rules_nothing_but_absences(way: &Way) -> bool {
    let holds = SmallVec::new();
    rules_nothing_else(&Way {
        holds,
        ..way.clone()
    })
}

/// Whether an event satisfies a step, whatever is bound.
pub(super) fn satisfies(nfa: &Nfa, step: StepId, incoming: Incoming<'_>, key: &[Value]) -> bool {
    if !incoming.fits.has(step) {
        return false;
    }
    let Some(condition) = &nfa.steps[usize::from(step.0)].correlated else {
        return true;
    };
    condition.holds(&Scope {
        event: Some(incoming.event),
        registers: &[],
        plan: &nfa.registers,
        key,
        bounds: Bounds::default(),
        window: None,
        reached: None,
    })
}

/// Whether an event satisfies one of some steps, whatever is bound.
pub(super) fn satisfies_any(
    nfa: &Nfa,
    steps: StepMask,
    incoming: Incoming<'_>,
    key: &[Value],
) -> bool {
    let mut fitting = StepMask(steps.0 & incoming.fits.0).steps();
    fitting.any(|step| satisfies(nfa, step, incoming, key))
}

/// The instant at which what began at a time is over; [`Timestamp::MAX`] if it may take any time.
pub(super) fn expiry(nfa: &Nfa, start: Timestamp) -> Timestamp {
    end_of(nfa.within, start)
}

/// A partial match as it is put together, one event after the other.
#[derive(Clone, Copy)]
pub(super) struct Path {
    pub first: u64,
    pub last: u64,
    /// Times of the first and last event.
    pub bounds: (Timestamp, Timestamp),
    /// Number of the event that `skip to` looks for.
    mark: Option<u64>,
    /// A hash of the steps and positions bound.
    pub hash: u64,
}

impl Path {
    pub(super) const NOTHING: Path = Path {
        first: 0,
        last: 0,
        bounds: (Timestamp(0), Timestamp(0)),
        mark: None,
        hash: PATH_START,
    };

    /// True if nothing is bound.
    pub(super) fn is_nothing(self) -> bool {
        self.hash == PATH_START
    }

    /// With one more event: its number, its time, and the hash of where it came from.
    pub(super) fn with(
        self,
        nfa: &Nfa,
        step: StepId,
        (number, time, place): (u64, Timestamp, u64),
    ) -> Path {
        let begins = self.is_nothing();
        let mark = match nfa.skip {
            Skip::To(steps, which)
                if steps.has(step) && (which == Which::Last || self.mark.is_none()) =>
            {
                Some(number)
            }
            _ => self.mark,
        };
        Path {
            first: if begins { number } else { self.first },
            last: number,
            bounds: (if begins { time } else { self.bounds.0 }, time),
            mark,
            hash: mix(mix(self.hash, u64::from(step.0)), place),
        }
    }

    /// As a candidate that has completed.
    pub(super) fn candidate(self, registers: &[Accumulator]) -> Candidate<'_> {
        Candidate {
            first: self.first,
            last: self.last,
            bounds: self.bounds,
            anchor: self.bounds.0,
            mark: self.mark,
            path: self.hash,
            registers,
        }
    }

    /// As a run that has come to a position and bound so many events; what is open from there is left to the caller.
    pub(super) fn run(
        self,
        nfa: &Nfa,
        position: u16,
        bound: u64,
        registers: &[Accumulator],
    ) -> Run {
        Run {
            last: self.last,
            last_time: self.bounds.1,
            position,
            fresh: false,
            bound: u32::try_from(bound).unwrap_or(u32::MAX),
            mark: self.mark.and_then(NonZero::new),
            path: self.hash,
            registers: registers.into(),
            ..Run::begin(nfa, self.first, self.bounds.0)
        }
    }
}
