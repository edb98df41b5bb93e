//! What happens to bundles at an event and at an instant.

use smallvec::SmallVec;

use super::super::super::choice::{Choice, Outcome};
use super::super::super::nfa::{Nfa, Target};
use super::super::super::run::{Run, Runs, bits, end_of, place};
use super::super::instants::forget;
use super::super::{Incoming, Pass};
use super::{Bound, Bundle, Bundles, Member};
use crate::event::Value;
use crate::lang::pattern::StepId;
use crate::time::Timestamp;

/// Shows an event to all partial matches of a key, and lets it start new ones. Instants up to the event's time have passed.
pub(crate) fn step(
    nfa: &Nfa,
    state: &mut Bundles,
    incoming: Incoming<'_>,
    key: &[Value],
    out: &mut Outcome,
) {
    let choice = Choice::new(nfa, key, incoming.event.time);
    let Runs {
        runs: begun,
        absent,
        admitted,
    } = &mut state.rest;
    let mut pass = Pass {
        nfa,
        incoming,
        key,
        choice,
        admitted,
        out,
    };
    let waiting = state.bundles.iter_mut().map(|bundle| &mut bundle.waits);
    let turns: SmallVec<[Option<Turn>; 4]> = waiting.map(|waits| pass.turn(waits)).collect();
    pass.complete_members(&mut state.bundles, &turns);
    if turns.iter().any(Option::is_some) {
        let mut bundles = Vec::with_capacity(state.bundles.len() + 2);
        for (bundle, turn) in state.bundles.drain(..).zip(turns) {
            match turn {
                Some(parts) => pass.go_on(bundle, parts, &mut bundles),
                None => bundles.push(bundle),
            }
        }
        state.bundles = bundles;
    }
    state.bundles.retain(|bundle| bundle.waits.alive != 0);
    if nfa.begins(incoming.fits) {
        pass.start(begun, absent);
    }
    let removed = pass.choice.removed_before();
    for bundle in &mut state.bundles {
        bundle.drop_before(removed);
    }
    state.add_begun(nfa, removed);
    state.settle(nfa);
    state.evict(nfa, incoming.event.time, out);
}

/// A bundle after an event: where its members wait now.
struct Part {
    waits: Run,
    /// The step that has bound the event, if they have.
    took: Option<StepId>,
    completes: bool,
}

/// What an event makes of a bundle.
type Turn = SmallVec<[Part; 2]>;

impl Pass<'_> {
    /// What the event makes of a bundle; `None` if nothing is bound: then it waits by the ways on that are left.
    fn turn(&self, waits: &mut Run) -> Option<Turn> {
        let nfa = self.nfa;
        let verdicts = self.judge_all(waits);
        let mut surviving = verdicts.surviving;
        if verdicts.happening() == 0 {
            waits.fresh = false;
            waits.alive = surviving;
            return None;
        }
        let mut parts = Turn::new();
        let left = |alive| Part {
            waits: Run {
                alive,
                fresh: false,
                ..waits.clone()
            },
            took: None,
            completes: false,
        };
        for at in bits(verdicts.binding) {
            let way = &nfa.positions[usize::from(waits.position)].ways[at];
            let Target::Position(target) = way.target else {
                continue;
            };
            let mut child = waits.clone();
            way.count(&mut child.counters);
            child.arrive(nfa, target);
            // What stays open by better ways on is preferred to what happens now, if that goes on.
            let better = surviving & ((1 << at) - 1);
            if better != 0 && child.alive != 0 {
                surviving &= !better;
                parts.push(left(better));
            }
            parts.push(Part {
                completes: self.completes(&child),
                took: Some(nfa.step_at(target)),
                waits: child,
            });
        }
        if surviving != 0 {
            parts.push(left(surviving));
        }
        Some(parts)
    }

    /// Considers the matches that the event completes: by start, then by preference.
    fn complete_members(&mut self, bundles: &mut [Bundle], turns: &[Option<Turn>]) {
        // Of each bundle, how many of its members had their turn.
        let mut completing: SmallVec<[(usize, StepId, usize); 4]> = SmallVec::new();
        for (at, turn) in turns.iter().enumerate() {
            let parts = turn.iter().flatten().filter(|part| part.completes);
            completing.extend(parts.filter_map(|part| Some((at, part.took?, 0))));
        }
        loop {
            let next = completing.iter_mut().filter_map(|next| {
                let member = bundles[next.0].members.get(next.2)?;
                Some((member.run.first, next))
            });
            let Some((first, (bundle, step, member))) = next.min_by_key(|(first, _)| *first) else {
                return;
            };
            let (bundle, at) = (&mut bundles[*bundle], *member);
            *member += 1;
            if !self.choice.removes(first) {
                bundle.update(self.nfa, at);
                let mut run = bundle.members[at].run.clone();
                let Incoming { event, number, .. } = self.incoming;
                let registers = &mut run.registers;
                self.nfa
                    .registers
                    .take(registers, usize::from(step.0), event, self.key);
                run.note(self.nfa, *step, (number, event.time, place(event)));
                self.choice
                    .consider(run.candidate(), self.admitted, self.out);
            }
        }
    }

    /// Adds what becomes of a bundle.
    fn go_on(&self, mut bundle: Bundle, parts: Turn, bundles: &mut Vec<Bundle>) {
        let nfa = self.nfa;
        let mut parts: Turn = parts
            .into_iter()
            .filter(|part| part.waits.alive != 0)
            .collect();
        let Some(last) = parts.pop() else { return };
        if !parts.is_empty() {
            // What it has bound so far belongs to several.
            bundle.update_all(nfa);
        }
        for part in parts {
            let mut part_of = bundle.clone();
            self.become_part(&mut part_of, part);
            bundles.push(part_of);
        }
        self.become_part(&mut bundle, last);
        bundles.push(bundle);
    }

    fn become_part(&self, bundle: &mut Bundle, part: Part) {
        bundle.waits = part.waits;
        if let Some(step) = part.took {
            bundle.take(self.nfa, self.bound(step));
        }
    }

    /// The event as it is kept when a step binds it.
    fn bound(&self, step: StepId) -> Bound {
        let Incoming { event, number, .. } = self.incoming;
        let registers = &self.nfa.registers;
        let values = registers.singles(usize::from(step.0), event, self.key);
        Bound {
            step,
            event: (number, event.time, place(event)),
            values: values.collect(),
        }
    }
}

/// Lets every instant up to and including `until` pass, in order.
pub(crate) fn pass_instants(
    nfa: &Nfa,
    state: &mut Bundles,
    until: Timestamp,
    key: &[Value],
    out: &mut Outcome,
) {
    match nfa.timeout {
        Some(_) => while state.time_out(nfa, until, key, out) {},
        None => {
            let over = |member: &Member| end_of(nfa.within, member.run.first_time) <= until;
            for bundle in &mut state.bundles {
                while bundle.members.front().is_some_and(over) {
                    bundle.members.pop_front();
                }
            }
        }
    }
    state.settle(nfa);
    forget(nfa, &mut state.rest, until);
}
