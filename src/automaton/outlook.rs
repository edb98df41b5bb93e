//! What is known of an automaton beforehand, so that it need not be found out for each partial match and event.
//!
//! Nearly all positions are plain: each way on waits for an event of a step, as long as the whole pattern may take, and nothing but such events makes a difference. What is asked
//! of others is asked of the ways on themselves.

use super::expression::StepMask;
use super::nfa::{Completion, Nfa, Position, Target, Way};
use crate::lang::pattern::{Contiguity, StepId};

/// What is known of an automaton.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outlook {
    /// True if time alone makes rows: absences, closers, timeouts, windows.
    pub rows_in_time: bool,
    /// By position.
    positions: Vec<PositionOutlook>,
    /// True if partial matches vanish without a trace once their `within` has passed, and not before.
    pub expires_silently: bool,
}

/// What is known of a run that is at a position.
#[derive(Clone, Debug, Default)]
pub(crate) struct PositionOutlook {
    /// What has become of the ways on as soon as the step is bound; `None` if counts and times decide.
    pub opening: Option<Opening>,
    /// True if all ways on expire together, when `within` has passed.
    pub expires_as_whole: bool,
    /// By way, if they are plain.
    pub plain: Option<Box<[PlainWay]>>,
    /// If they are, the steps whose events make a difference.
    pub heeds: StepMask,
}

/// What has become of the ways on from a position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// Those that are open, one bit each.
    pub open: u64,
    /// One of them completes at once.
    pub completes: bool,
}

/// A way on that binds the first event that satisfies a step, or any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainWay {
    pub step: StepId,
    /// It stays open when it has bound one.
    pub stays: bool,
    pub wants: Wants,
}

/// What greedy loops that were left would still want.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wants {
    /// Events that satisfy one of these steps; often none.
    Always(StepMask),
    /// That depends on counts.
    Counted,
}

impl Outlook {
    pub(super) fn of(nfa: &Nfa) -> Outlook {
        let positions = nfa.positions.iter();
        let positions: Vec<PositionOutlook> = positions
            .map(|position| PositionOutlook::of(nfa, position))
            .collect();
        let in_time = |way: &Way| match way.target {
            Target::End(completion) => completion != Completion::AtOnce,
            Target::Position(_) => false,
        };
        let mut ways = nfa.positions.iter().flat_map(|position| &position.ways);
        let rows_in_time = nfa.window.is_some() || nfa.timeout.is_some() || ways.any(in_time);
        let mut stored = positions.iter().skip(1);
        Outlook {
            rows_in_time,
            expires_silently: !rows_in_time && stored.all(|position| position.expires_as_whole),
            positions,
        }
    }

    /// Of a run that is at this position.
    pub(super) fn at(&self, position: u16) -> &PositionOutlook {
        &self.positions[usize::from(position)]
    }
}

impl PositionOutlook {
    fn of(nfa: &Nfa, position: &Position) -> PositionOutlook {
        let ways = &position.ways;
        let plain: Option<Box<[PlainWay]>> =
            ways.iter().map(|way| PlainWay::of(nfa, way)).collect();
        let plain = plain.filter(|_| position.untils.is_empty());
        let heeded = ways
            .iter()
            .zip(plain.iter().flatten())
            .flat_map(|(way, plain)| {
                let wanted = way.wanted.iter().flat_map(|wanted| wanted.steps.steps());
                wanted.chain([plain.step])
            });
        PositionOutlook {
            opening: opening(ways),
            expires_as_whole: ways.iter().all(expires_with_the_whole),
            heeds: heeded.collect(),
            plain,
        }
    }
}

impl PlainWay {
    /// `None` if there is more to the way on.
    fn of(nfa: &Nfa, way: &Way) -> Option<PlainWay> {
        let Target::Position(target) = way.target else {
            return None;
        };
        let waits = way.after.is_none() && way.holds.is_empty();
        let minds = !way.between.is_empty() || !way.adjacent.is_empty();
        let ends = way.unless.is_some() || way.until.is_some();
        let stays = match way.contiguity {
            Contiguity::Strict => return None,
            Contiguity::SkipTillNext => false,
            Contiguity::SkipTillAny => true,
        };
        let step = nfa.positions[usize::from(target)].step?;
        (waits && !minds && !ends).then_some(PlainWay {
            step,
            stays,
            wants: Wants::of(way),
        })
    }
}

impl Wants {
    fn of(way: &Way) -> Wants {
        match way.wanted.iter().all(|wanted| wanted.full.is_none()) {
            true => {
                let steps = way.wanted.iter().flat_map(|wanted| wanted.steps.steps());
                Wants::Always(steps.collect())
            }
            false => Wants::Counted,
        }
    }
}

fn opening(ways: &[Way]) -> Option<Opening> {
    let mut opening = Opening {
        open: 0,
        completes: false,
    };
    for (at, way) in ways.iter().enumerate() {
        match way.target {
            _ if !way.guards.is_empty() => return None,
            Target::Position(_) => opening.open |= 1 << at,
            Target::End(Completion::AtOnce) => opening.completes = true,
            Target::End(_) => return None,
        }
    }
    Some(opening)
}

/// True unless the way on can expire before the whole does, or completes then.
fn expires_with_the_whole(way: &Way) -> bool {
    match way.target {
        Target::Position(_) => way.gap.is_none() && way.closes.is_none(),
        Target::End(completion) => completion == Completion::AtOnce,
    }
}
