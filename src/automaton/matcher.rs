//! What happens to the partial matches of a key at an event and at an instant.
//!
//! The list of runs is kept by first event and, among equals, by preference. One pass over it therefore meets completed candidates in
//! just the order in which they are to be considered (`docs/semantics.md`, "Choice"), and no candidate is ever stored or sorted.
//! A run that binds an event while some of its ways on stay open is split around its child: what it may bind later by a better way
//! on goes before the child, the rest after it.
//!
//! Nothing here knows files, clocks or other keys.

pub(super) mod bundles;
mod instants;

use hashbrown::HashSet;
use smallvec::SmallVec;

use super::choice::{Admitted, Choice, Outcome, evicted};
use super::expression::{Bounds, Scope, StepMask};
use super::nfa::{Completion, Mindfulness, Nfa, Target, Wanted, Way};
use super::outlook::{PlainWay, Wants};
use super::run::{ROOM_KEPT, Run, Runs, bits};
use crate::event::{Event, Value};
use crate::lang::pattern::{Contiguity, Evict, StepId};
use crate::time::Timestamp;

pub use bundles::Bundles;
pub(crate) use bundles::{Together, bundle};
pub(crate) use instants::pass_instants;

/// Memory that passes reuse. Holds nothing between calls.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    runs: Vec<Run>,
    expired: Vec<(Run, Timestamp)>,
    /// First event and path of the partial matches that completed at an instant.
    completed: Vec<(u64, u64)>,
}

/// An event as one pattern sees it.
#[derive(Clone, Copy)]
pub struct Incoming<'a> {
    /// The event.
    pub event: &'a Event,
    /// Its place in the order of the pattern's events, from 1.
    pub number: u64,
    /// Steps of the event's type whose local condition holds.
    pub fits: StepMask,
}

impl Nfa {
    /// Steps of the event's type whose local condition holds. Judged once per event, before its key is looked up.
    pub(crate) fn fits(&self, event: &Event) -> StepMask {
        let Some(input) = self.input(event.ty) else {
            return StepMask::default();
        };
        let scope = Scope::of_event(event, &self.registers);
        let mut fits = StepMask::default();
        for step in input.steps.steps() {
            if self.steps[usize::from(step.0)]
                .local
                .as_ref()
                .is_none_or(|local| local.holds(&scope))
            {
                fits.add(step);
            }
        }
        fits
    }

    /// True if an event with these bits can change anything for a key that has runs.
    pub(crate) fn minds(&self, fits: StepMask) -> bool {
        self.mindful == Mindfulness::EveryEvent || !fits.is_empty()
    }

    /// True if an event with these bits can change anything for a key without runs.
    pub(crate) fn begins(&self, fits: StepMask) -> bool {
        fits.0 & self.starters.0 != 0 || self.leading.iter().any(|(step, _)| fits.has(*step))
    }
}

/// Which steps an event satisfies in the eyes of one run; worked out when first asked.
struct Judge<'a> {
    nfa: &'a Nfa,
    incoming: Incoming<'a>,
    scope: Scope<'a>,
    known: u64,
    holds: u64,
}

impl<'a> Judge<'a> {
    fn new(
        nfa: &'a Nfa,
        incoming: Incoming<'a>,
        run: Option<&'a Run>,
        empty: &'a [super::register::Accumulator],
        key: &'a [Value],
    ) -> Judge<'a> {
        let scope = Scope {
            event: Some(incoming.event),
            registers: run.map_or(empty, |run| &run.registers),
            plan: &nfa.registers,
            key,
            bounds: Bounds {
                first: run.map(|run| run.first_time),
                last: run.map(|run| run.last_time),
            },
            window: None,
            reached: None,
        };
        Judge {
            nfa,
            incoming,
            scope,
            known: 0,
            holds: 0,
        }
    }

    #[inline(always)]
    fn satisfies(&mut self, step: StepId) -> bool {
        self.incoming.fits.has(step) && self.satisfies_as_well(step)
    }

    /// True if what the step asks of the run holds too.
    fn satisfies_as_well(&mut self, step: StepId) -> bool {
        let Some(correlated) = &self.nfa.steps[usize::from(step.0)].correlated else {
            return true;
        };
        let bit = 1 << step.0;
        if self.known & bit == 0 {
            self.known |= bit;
            if correlated.holds(&self.scope) {
                self.holds |= bit;
            }
        }
        self.holds & bit != 0
    }

    fn satisfies_any(&mut self, steps: StepMask) -> bool {
        StepMask(steps.0 & self.incoming.fits.0)
            .steps()
            .any(|step| self.satisfies(step))
    }

    /// True if a greedy loop that `wanted` speaks of would have taken the event.
    fn wanted(&mut self, wanted: &[Wanted], run: Option<&Run>) -> bool {
        wanted.iter().any(|wanted| {
            let ended = wanted.until.is_some_and(|until| match run {
                Some(run) => run.ended >> until.0 & 1 == 1,
                None => self.satisfies(until),
            });
            let full = run.is_some_and(|run| wanted.is_full(&run.counters));
            !ended && !full && self.satisfies_any(wanted.steps)
        })
    }
}

/// What an event means to one way on of a run.
struct Verdict {
    binds: bool,
    survives: bool,
    completes: bool,
}

/// What an event means to all ways on of a run, one bit each.
#[derive(Clone, Copy, Default)]
struct Verdicts {
    binding: u64,
    completing: u64,
    surviving: u64,
}

impl Verdicts {
    fn happening(self) -> u64 {
        self.binding | self.completing
    }
}

fn judge(nfa: &Nfa, way: &Way, run: &Run, judge: &mut Judge<'_>) -> Verdict {
    let time = judge.incoming.event.time;
    // Before this time the connector minds nothing, and nothing is bound.
    let longest = way.holds.iter().map(|(_, span)| *span).max();
    let counts_from = longest.map_or(Timestamp::MIN, |span| run.last_time.plus(span));
    let ended = way.until.is_some_and(|until| run.ended >> until.0 & 1 == 1);
    let forbidden = judge.satisfies_any(way.between)
        || run.fresh && judge.satisfies_any(way.adjacent)
        || way
            .holds
            .iter()
            .any(|(steps, span)| time < run.last_time.plus(*span) && judge.satisfies_any(*steps));
    let target = match way.target {
        Target::End(completion) => {
            let closes = ended && way.holds.is_empty();
            // What `within` no longer allows the loop cannot take.
            let allowed = !way.holds.is_empty()
                || completion == Completion::Within
                || completion == Completion::NextEvent
                || nfa
                    .within
                    .is_none_or(|within| time <= run.first_time.plus(within));
            let broken = forbidden || allowed && judge.wanted(&way.wanted, Some(run));
            let completes = closes || completion == Completion::NextEvent && !broken;
            return Verdict {
                binds: false,
                survives: !broken && !completes,
                completes,
            };
        }
        Target::Position(target) => nfa.step_at(target),
    };
    let in_time = time >= counts_from
        && way
            .after
            .is_none_or(|after| time >= run.last_time.plus(after));
    let satisfies = in_time && judge.satisfies(target);
    let wanted = judge.wanted(&way.wanted, Some(run));
    let binds =
        satisfies && !wanted && !ended && way.unless.is_none_or(|until| !judge.satisfies(until));
    let skipped = match way.contiguity {
        Contiguity::Strict => time < counts_from,
        Contiguity::SkipTillNext => !satisfies,
        Contiguity::SkipTillAny => true,
    };
    Verdict {
        binds,
        survives: skipped && !forbidden && !wanted && !ended,
        completes: false,
    }
}

/// One event passing over the runs of one key.
struct Pass<'a> {
    nfa: &'a Nfa,
    incoming: Incoming<'a>,
    key: &'a [Value],
    choice: Choice<'a>,
    admitted: &'a mut Option<Box<Admitted>>,
    out: &'a mut Outcome,
}

/// Shows an event to every run of a key, and lets it start new ones. Instants up to the event's time have passed.
pub(crate) fn step(
    nfa: &Nfa,
    state: &mut Runs,
    incoming: Incoming<'_>,
    key: &[Value],
    scratch: &mut Scratch,
    out: &mut Outcome,
) {
    let choice = Choice::new(nfa, key, incoming.event.time);
    let mut pass = Pass {
        nfa,
        incoming,
        key,
        choice,
        admitted: &mut state.admitted,
        out,
    };
    let shown = pass.show_in_place(&mut state.runs);
    if shown < state.runs.len() {
        scratch.runs.clear();
        // Moved, not swapped: the room that a busy key needs stays with it, and no other key gets it.
        scratch.runs.extend(state.runs.drain(shown..));
        for mut run in scratch.runs.drain(..) {
            if !pass.choice.removes(run.first) {
                let verdicts = pass.judge_all(&mut run);
                pass.advance(run, verdicts, &mut state.runs);
            }
        }
    }
    if nfa.begins(incoming.fits) {
        pass.start(&mut state.runs, &mut state.absent);
    }
    pass.choice.settle(&mut state.runs);
    if nfa.ambiguous {
        close_considered(nfa, &pass.choice, &mut state.runs);
        merge(&mut state.runs);
    }
    evict(nfa, state, incoming.event.time, out);
    give_room_back(&mut state.runs);
}

impl Pass<'_> {
    /// Shows the event to runs as long as none comes to stand beside another: how many of them are left of those that saw it. Runs are large, and most events make none more.
    fn show_in_place(&mut self, runs: &mut Vec<Run>) -> usize {
        let (mut shown, mut over) = (0_usize, false);
        for run in &mut *runs {
            if !self.choice.removes(run.first) && !self.show_one_in_place(run) {
                break;
            }
            over |= run.alive == 0;
            shown += 1;
        }
        if over {
            shown -= runs.extract_if(..shown, |run| run.alive == 0).count();
        }
        shown
    }

    /// Shows the event to a run. One with which it is over has no way on left. False, and nothing is done, if another run comes to stand beside it.
    fn show_one_in_place(&mut self, run: &mut Run) -> bool {
        let verdicts = self.judge_all(run);
        let happening = verdicts.happening();
        if happening == 0 {
            run.fresh = false;
            if verdicts.surviving != run.alive {
                run.alive = verdicts.surviving;
                run.schedule(self.nfa);
            }
            return true;
        }
        let nfa = self.nfa;
        let ways = &nfa.positions[usize::from(run.position)].ways;
        if verdicts.surviving == 0 && happening.is_power_of_two() {
            let way = &ways[happening.trailing_zeros() as usize];
            if let Target::Position(target) = way.target {
                let Incoming { event, number, .. } = self.incoming;
                run.take(nfa, way, target, event, number, self.key);
                self.complete(run);
                return true;
            }
        }
        let ends = |target| nfa.layout.open[usize::from(target)] == 0;
        let mut binding = bits(verdicts.binding).map(|at| ways[at].target);
        let stays = verdicts.surviving == run.alive
            && binding.all(|target| matches!(target, Target::Position(target) if ends(target)));
        if stays {
            self.complete_beside(run, verdicts);
            run.fresh = false;
        }
        stays
    }

    /// Considers what completes while the run itself stays as it is.
    fn complete_beside(&mut self, run: &Run, verdicts: Verdicts) {
        let position = &self.nfa.positions[usize::from(run.position)];
        for at in bits(verdicts.happening()) {
            let way = &position.ways[at];
            match way.target {
                Target::Position(target) => {
                    let child = self.child(run, way, target);
                    self.complete(&child);
                }
                Target::End(_) => self
                    .choice
                    .consider(run.candidate(), self.admitted, self.out),
            }
        }
    }

    /// What the event means to a run, in which it also notes which loops the event ends.
    fn judge_all(&self, run: &mut Run) -> Verdicts {
        let nfa = self.nfa;
        let outlook = nfa.outlook.at(run.position);
        if let Some(ways) = &outlook.plain {
            return match outlook.heeds.0 & self.incoming.fits.0 {
                0 => Verdicts {
                    surviving: run.alive,
                    ..Verdicts::default()
                },
                _ => self.judge_plain(run, ways),
            };
        }
        let position = &nfa.positions[usize::from(run.position)];
        if !position.untils.is_empty() {
            let mut eyes = Judge::new(nfa, self.incoming, Some(run), &[], self.key);
            let ended = position
                .untils
                .steps()
                .filter(|until| eyes.satisfies(*until));
            run.ended |= ended.fold(0, |ended, until| ended | 1 << until.0);
        }
        let mut verdicts = Verdicts::default();
        let mut eyes = Judge::new(nfa, self.incoming, Some(run), &[], self.key);
        for at in bits(run.alive) {
            let verdict = judge(nfa, &position.ways[at], run, &mut eyes);
            verdicts.binding |= u64::from(verdict.binds) << at;
            verdicts.completing |= u64::from(verdict.completes) << at;
            verdicts.surviving |= u64::from(verdict.survives) << at;
        }
        verdicts
    }

    /// The same where nothing but events of the ways' steps makes a difference.
    fn judge_plain(&self, run: &Run, plain: &[PlainWay]) -> Verdicts {
        let nfa = self.nfa;
        let ways = &nfa.positions[usize::from(run.position)].ways;
        let mut verdicts = Verdicts::default();
        let mut eyes = Judge::new(nfa, self.incoming, Some(run), &[], self.key);
        for at in bits(run.alive) {
            let PlainWay { step, stays, wants } = plain[at];
            let satisfies = eyes.satisfies(step);
            let wanted = match wants {
                Wants::Always(steps) => eyes.satisfies_any(steps),
                Wants::Counted => eyes.wanted(&ways[at].wanted, Some(run)),
            };
            verdicts.binding |= u64::from(satisfies && !wanted) << at;
            verdicts.surviving |= u64::from((stays || !satisfies) && !wanted) << at;
        }
        verdicts
    }

    /// The run with the event bound by a way on.
    fn child(&self, run: &Run, way: &Way, target: u16) -> Run {
        let mut child = run.clone();
        let Incoming { event, number, .. } = self.incoming;
        child.take(self.nfa, way, target, event, number, self.key);
        child
    }

    /// What the event makes of one run is added to `runs` in order of preference.
    fn advance(&mut self, mut run: Run, verdicts: Verdicts, runs: &mut Vec<Run>) {
        let nfa = self.nfa;
        let position = &nfa.positions[usize::from(run.position)];
        let mut surviving = verdicts.surviving;
        for at in bits(verdicts.happening()) {
            let way = &position.ways[at];
            let Target::Position(target) = way.target else {
                self.choice
                    .consider(run.candidate(), self.admitted, self.out);
                continue;
            };
            let child = self.child(&run, way, target);
            // What stays open by better ways on is preferred to what happens now, if that goes on.
            let better = surviving & ((1 << at) - 1);
            if better != 0 && child.alive != 0 {
                surviving &= !better;
                let mut waiting = Run {
                    alive: better,
                    fresh: false,
                    ..run.clone()
                };
                waiting.schedule(nfa);
                runs.push(waiting);
            }
            self.arrive(child, runs);
        }
        if surviving != 0 {
            run.fresh = false;
            if surviving != run.alive {
                run.alive = surviving;
                run.schedule(nfa);
            }
            runs.push(run);
        }
    }

    /// A run that just bound the event: considered if it completes at once, kept if it can go on.
    fn arrive(&mut self, run: Run, runs: &mut Vec<Run>) {
        self.complete(&run);
        if run.alive != 0 {
            make_room(runs);
            runs.push(run);
        }
    }

    /// The same of a run that begins with the event. It is made where it will lie: a copy of what was just written in parts has to wait until they are stored.
    fn begin(&mut self, way: &Way, target: u16, runs: &mut Vec<Run>) {
        let Incoming { event, number, .. } = self.incoming;
        make_room(runs);
        let at = runs.len();
        runs.resize_with(at + 1, || Run::start(self.nfa, event, number));
        let run = &mut runs[at];
        run.take(self.nfa, way, target, event, number, self.key);
        self.complete(run);
        if run.alive == 0 {
            runs.truncate(at);
        }
    }

    /// True if a run that just bound the event completes at once.
    fn completes(&self, run: &Run) -> bool {
        match self.nfa.outlook.at(run.position).opening {
            Some(opening) => opening.completes,
            None => {
                let mut ways = self.nfa.positions[usize::from(run.position)].ways.iter();
                ways.any(|way| run.completes(self.nfa, way) && run.allows(way))
            }
        }
    }

    /// Considers a run that just bound the event, if it completes at once.
    fn complete(&mut self, run: &Run) {
        if self.completes(run) {
            self.choice
                .consider(run.candidate(), self.admitted, self.out);
        }
    }

    /// Lets the event be the first of new runs.
    fn start(&mut self, runs: &mut Vec<Run>, absent: &mut SmallVec<[Option<Timestamp>; 1]>) {
        let (nfa, incoming) = (self.nfa, self.incoming);
        let time = incoming.event.time;
        let mut eyes = Judge::new(nfa, incoming, None, nfa.registers.blank(), self.key);
        let mut broken = 0u64;
        for (at, (seen, (_, span))) in absent.iter().zip(&nfa.leading).enumerate() {
            if seen.is_some_and(|seen| seen > time.minus(*span)) {
                broken |= 1 << at;
            }
        }
        if incoming.fits.0 & nfa.starters.0 != 0 {
            for way in &nfa.positions[0].ways {
                let Target::Position(target) = way.target else {
                    continue;
                };
                let step = nfa.step_at(target);
                let binds = way.leading & broken == 0
                    && eyes.satisfies(step)
                    && !eyes.wanted(&way.wanted, None)
                    && way.unless.is_none_or(|until| !eyes.satisfies(until));
                if binds {
                    self.begin(way, target, runs);
                }
            }
        }
        for (at, (step, _)) in nfa.leading.iter().enumerate() {
            if eyes.satisfies(*step) {
                absent.resize(nfa.leading.len(), None);
                absent[at] = Some(time);
            }
        }
    }
}

/// Makes room for one run if there is none, and then for twice as many each time: many keys have one, and a run is large. They are moved: to let the allocator make their room larger takes several times as long.
fn make_room(runs: &mut Vec<Run>) {
    if runs.len() < runs.capacity() {
        return;
    }
    let mut more = Vec::with_capacity((2 * runs.len()).max(1));
    more.append(runs);
    *runs = more;
}

/// A key that was busy gives back the memory that it does not use any more.
fn give_room_back(runs: &mut Vec<Run>) {
    if runs.capacity() > ROOM_KEPT && runs.capacity() / 4 > runs.len() {
        runs.shrink_to(2 * runs.len());
    }
}

/// A candidate is considered once: where another run with the same path still waits to complete, it no longer does.
fn close_considered(nfa: &Nfa, choice: &Choice<'_>, runs: &mut Vec<Run>) {
    runs.retain_mut(|run| {
        if !choice.has_considered(run) {
            return true;
        }
        let ways = &nfa.positions[usize::from(run.position)].ways;
        let ends = bits(run.alive).filter(|at| matches!(ways[*at].target, Target::End(_)));
        run.alive &= !ends.fold(0, |ends, at| ends | 1 << at);
        run.schedule(nfa);
        run.alive != 0
    });
}

/// Drops runs that differ from an earlier one in nothing that matters.
fn merge(runs: &mut Vec<Run>) {
    let same = |a: &Run, b: &Run| {
        a.path == b.path
            && a.first == b.first
            && a.position == b.position
            && a.alive == b.alive
            && a.counters == b.counters
            && a.ended == b.ended
    };
    let mut seen = HashSet::new();
    let mut kept: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs.drain(..) {
        if seen.insert((run.first, run.path)) || !kept.iter().any(|earlier| same(earlier, &run)) {
            kept.push(run);
        }
    }
    *runs = kept;
}

/// Holds the number of runs at the bound of the pattern.
pub(super) fn evict(nfa: &Nfa, state: &mut Runs, time: Timestamp, out: &mut Outcome) {
    let bound = nfa.bound.count as usize;
    if state.runs.len() <= bound {
        return;
    }
    let excess = state.runs.len() - bound;
    let (excess_runs, edge) = match nfa.bound.evict {
        Evict::Oldest => (0..excess, excess - 1),
        Evict::Newest => (bound..state.runs.len(), bound),
    };
    let edge = state.runs[edge].first;
    // A partial match that was split is given up once and as a whole, also if what went on from it stands between its parts.
    let mut gone = HashSet::new();
    for run in state.runs.drain(excess_runs) {
        if !nfa.splits || gone.insert((run.first, run.path)) {
            evicted(nfa, run.given_up(nfa), time, out);
        }
    }
    if nfa.splits {
        let runs = &mut state.runs;
        runs.retain(|run| run.first != edge || !gone.contains(&(run.first, run.path)));
    }
}
