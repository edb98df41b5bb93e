//! What happens to a list of runs at an instant: what completes, and what is over.

use std::cell::Cell;

use super::super::choice::{Choice, Outcome, forget_admitted, timed_out};
use super::super::nfa::{Nfa, Target};
use super::super::run::{Run, Runs, bits};
use super::{Scratch, close_considered, give_room_back};
use crate::event::Value;
use crate::time::Timestamp;

/// Lets every instant up to and including `until` pass, in order.
pub(crate) fn pass_instants(
    nfa: &Nfa,
    state: &mut Runs,
    until: Timestamp,
    key: &[Value],
    scratch: &mut Scratch,
    out: &mut Outcome,
) {
    if nfa.outlook.expires_silently {
        let stays = |run: &Run| run.next > until || run.next == Timestamp::MAX;
        state.runs.retain(stays);
        forget(nfa, state, until);
        give_room_back(&mut state.runs);
        return;
    }
    loop {
        let instant = state.next_instant(nfa);
        if instant > until || instant == Timestamp::MAX {
            return;
        }
        pass_instant(nfa, state, instant, key, scratch, out);
    }
}

fn pass_instant(
    nfa: &Nfa,
    state: &mut Runs,
    instant: Timestamp,
    key: &[Value],
    scratch: &mut Scratch,
    out: &mut Outcome,
) {
    let mut choice = Choice::new(nfa, key, instant);
    scratch.expired.clear();
    scratch.completed.clear();
    let Runs { runs, admitted, .. } = state;
    let bound_passed = Cell::new(Timestamp::MIN);
    let closed = runs.extract_if(.., |run| {
        if run.next > instant {
            return false;
        }
        let ways = &nfa.positions[usize::from(run.position)].ways;
        bound_passed.set(Timestamp::MIN);
        for at in bits(run.alive) {
            let way = &ways[at];
            if run.deadline(nfa, way) > instant {
                continue;
            }
            run.alive &= !(1 << at);
            if matches!(way.target, Target::End(_)) {
                scratch.completed.push((run.first, run.path));
                choice.consider(run.candidate(), admitted, out);
            } else {
                let bound = run.bound_before(nfa, way, instant);
                bound_passed.set(bound_passed.get().max(bound));
            }
        }
        run.schedule(nfa);
        run.alive == 0
    });
    scratch
        .expired
        .extend(closed.map(|run| (run, bound_passed.get())));
    choice.settle(&mut state.runs);
    if nfa.ambiguous {
        close_considered(nfa, &choice, &mut state.runs);
    }
    // A partial match can be several runs, and the one that completes need not be the one that expires.
    let completed = &scratch.completed;
    scratch.expired.retain(|(run, _)| {
        let matched = run.matched || choice.has_matched(run.first);
        !matched && !choice.removes(run.first) && !completed.contains(&(run.first, run.path))
    });
    time_out(nfa, state, key, scratch, out);
    forget(nfa, state, instant);
    give_room_back(&mut state.runs);
}

/// Forgets what made a difference until now: events that ruled out a start, and matches that `limit` counted.
pub(super) fn forget(nfa: &Nfa, state: &mut Runs, now: Timestamp) {
    for (seen, (_, span)) in state.absent.iter_mut().zip(&nfa.leading) {
        if seen.is_some_and(|seen| seen.plus(*span) <= now) {
            *seen = None;
        }
    }
    forget_admitted(&mut state.admitted, now);
}

/// Reports each start whose last run has expired, by its most advanced one.
fn time_out(nfa: &Nfa, state: &Runs, key: &[Value], scratch: &mut Scratch, out: &mut Outcome) {
    let expired = &scratch.expired;
    let mut at = 0;
    while at < expired.len() {
        let first = expired[at].0.first;
        let group = expired[at..]
            .iter()
            .take_while(|(run, _)| run.first == first)
            .count();
        if !state.runs.iter().any(|run| run.first == first) {
            let reach = |run: &Run| (nfa.positions[usize::from(run.position)].step, run.bound);
            let mut best = &expired[at];
            for other in &expired[at..at + group] {
                if reach(&other.0) > reach(&best.0) {
                    best = other;
                }
            }
            timed_out(nfa, best.0.given_up(nfa), best.1, key, out);
        }
        at += group;
    }
}
