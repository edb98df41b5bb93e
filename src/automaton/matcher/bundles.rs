//! Class B in general: partial matches that wait alike are judged once for all of them.
//!
//! What an event does to a partial match depends on where it waits: its position, the ways on that are open, counts, and which loops have ended. Where conditions ask of an event nothing but
//! what it is, that is all, so those that wait alike do so for ever, whatever they have bound. They are a *bundle*: an event is judged once for it, and kept once. What a partial match has bound
//! is brought up to date when somebody asks: when it completes, is given up, or goes two ways. Each event is added to each partial match at most once, as in a list of runs.
//!
//! A start may have several partial matches, in several bundles: these lie in the order of preference. Bundles that come to wait alike become one, the smaller joining the larger, as long as no
//! start is in both and no order changes. An event costs as much as there are bundles: mostly one for each position and count.
//!
//! Few keys ever have many partial matches, and a few are looked at faster one by one. So a key has a list of runs until there are many and most wait alike, and again once they don't; that is also
//! what is stored. Rows are the same as those of a list of runs, and so is what gives way to `bound`.

mod step;

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::super::choice::{GivenUp, Outcome, evicted, timed_out};
use super::super::describe::RuntimeClass;
use super::super::expression::Compiled;
use super::super::linear::bounded_as_a_whole;
use super::super::nfa::{Completion, Nfa, Skip, Target, Way};
use super::super::register::Accumulator;
use super::super::run::{Run, Runs, end_of, mix};
use super::super::shape::pairwise;
use crate::event::Value;
use crate::lang::pattern::{Evict, StepId};
use crate::time::{Span, Timestamp};
pub(crate) use step::{pass_instants, step};

/// When partial matches of a key go on together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Together {
    /// From so many of them on.
    from: usize,
    /// Whether they would is looked at with one in so many events.
    one_in: u64,
    /// So many share a bundle at least, on average.
    sharing: usize,
}

impl Together {
    /// Below some dozens a list of runs takes less time.
    const USUAL: Together = Together {
        from: 32,
        one_in: 64,
        sharing: 4,
    };

    /// Whenever there are any: tests have few.
    #[cfg(feature = "testing")]
    pub(crate) const ALWAYS: Together = Together {
        from: 1,
        one_in: 1,
        sharing: 0,
    };

    /// `None` if something else than where a partial match waits makes a difference to it: what it has bound, or when.
    pub(crate) fn of(nfa: &Nfa) -> Option<Together> {
        let mut conditions = nfa.steps.iter().filter_map(|step| step.correlated.as_ref());
        let mut ways = nfa.positions.iter().flat_map(|position| &position.ways);
        // A start that has matched and stays never times out: that is known of each.
        let told_apart =
            nfa.timeout.is_some() && !matches!(nfa.skip, Skip::PastMatch | Skip::ToNext);
        let together = nfa.class() == RuntimeClass::Runs
            && !nfa.ambiguous
            && !told_apart
            && nfa.bound.evict == Evict::Oldest
            && bounded_as_a_whole(nfa)
            && conditions.all(Compiled::is_local)
            && ways.all(waits_for_events_alone);
        together.then_some(Together::USUAL)
    }

    /// True if it is time, at the event of this number, to see whether so many partial matches would go on together.
    pub(crate) fn looks(self, partials: usize, number: u64) -> bool {
        // Of a key whose events come every so often, too.
        partials >= self.from && mix(0, number).is_multiple_of(self.one_in)
    }
}

/// True if nothing but events makes a difference to a way on, but for `within`.
fn waits_for_events_alone(way: &Way) -> bool {
    way.holds.is_empty()
        && way.closes.is_none()
        && !way.anchors
        && !matches!(way.target, Target::End(completion) if completion != Completion::AtOnce)
}

/// What one key has whose partial matches go on together.
#[derive(Clone, Debug, Default)]
pub struct Bundles {
    /// Of each start in order of preference.
    bundles: Vec<Bundle>,
    /// What a key has beside partial matches, and room for those that begin.
    rest: Runs,
}

/// Partial matches that wait alike.
#[derive(Clone, Debug)]
struct Bundle {
    /// Where they wait. What it has bound is of no concern.
    waits: Run,
    /// Oldest first, one of a start.
    members: VecDeque<Member>,
    bound: Log,
}

/// A partial match of a bundle.
#[derive(Clone, Debug)]
struct Member {
    /// As it was when it joined, or was last brought up to date.
    run: Run,
    /// How many events the bundle had bound by then.
    joined: u64,
}

/// Events that a bundle has bound, oldest first.
#[derive(Clone, Debug, Default)]
struct Log {
    /// How many went before those that are kept.
    before: u64,
    events: VecDeque<Bound>,
    /// How many were kept when it was last looked which are of use.
    useful: usize,
}

/// An event that was bound.
#[derive(Clone, Debug)]
struct Bound {
    step: StepId,
    /// Its place in the order of events, its time, and a hash of where it came from.
    event: (u64, Timestamp, u64),
    /// What it puts into the registers that its step fills.
    values: SmallVec<[Accumulator; 1]>,
}

/// Of a log as many events are kept as one in which a few are of use.
const LOG_KEPT: usize = 64;

/// So many events of use a log keeps, or as many as there are members. Beyond that these are brought up to date.
const LOG_MAX: usize = 4096;

/// The most bundles that are looked at for one that another can join.
const LOOKED_AT_MAX: usize = 32;

/// A key with no more members in a bundle keeps its room.
const ROOM_KEPT: usize = 16;

/// Puts partial matches together, if enough of them wait alike; then none is left in the list.
pub(crate) fn bundle(nfa: &Nfa, together: Together, runs: &mut Runs) -> Option<Bundles> {
    // Twice as many, so that they don't part right away.
    let bundles_max = runs.runs.len().checked_div(2 * together.sharing);
    let bundles_max = bundles_max.map(|max| max.min(LOOKED_AT_MAX));
    if bundles_max.is_some_and(|max| wait_in_more_ways(nfa, max, &runs.runs)) {
        return None;
    }
    let mut bundles = Bundles::default();
    for run in runs.runs.drain(..) {
        bundles.bundles.push(Bundle::of(nfa, run));
        bundles.join(nfa, bundles.bundles.len() - 1);
    }
    bundles.rest = std::mem::take(runs);
    Some(bundles)
}

/// True if partial matches wait in more than so many ways.
fn wait_in_more_ways(nfa: &Nfa, max: usize, runs: &[Run]) -> bool {
    let mut ways: SmallVec<[&Run; LOOKED_AT_MAX]> = SmallVec::new();
    runs.iter().any(|run| {
        if !ways.iter().any(|way| wait_alike(nfa, way, run)) {
            ways.push(run);
        }
        ways.len() > max
    })
}

/// True if nothing that may follow makes a difference between two partial matches but for what they have bound.
fn wait_alike(nfa: &Nfa, a: &Run, b: &Run) -> bool {
    let ways = || &nfa.positions[usize::from(a.position)].ways;
    (a.position, a.alive, a.ended) == (b.position, b.alive, b.ended)
        && a.counters == b.counters
        && (a.fresh == b.fresh || ways().iter().all(|way| way.adjacent.is_empty()))
}

impl Log {
    /// How many events were bound.
    fn end(&self) -> u64 {
        self.before + self.events.len() as u64
    }

    /// Those after as many.
    fn after(&self, count: u64) -> impl Iterator<Item = &Bound> {
        self.events.range((count - self.before) as usize..)
    }

    fn clear(&mut self) {
        self.before = self.end();
        self.events.clear();
        self.events.shrink_to(LOG_KEPT);
        self.useful = 0;
    }
}

impl Member {
    /// Adds what was bound since it was last brought up to date.
    fn update(&mut self, nfa: &Nfa, log: &Log) {
        for bound in log.after(self.joined) {
            let filled = nfa.registers.filled_by(usize::from(bound.step.0));
            for (at, value) in filled.iter().zip(&bound.values) {
                let at = usize::from(*at);
                nfa.registers
                    .merge_one(at, &mut self.run.registers[at], value);
            }
            self.run.note(nfa, bound.step, bound.event);
        }
        self.joined = log.end();
    }
}

impl Bundle {
    /// One that nothing has joined yet.
    fn of(nfa: &Nfa, run: Run) -> Bundle {
        let waits = Run {
            registers: nfa.registers.blank().into(),
            ..run.clone()
        };
        Bundle {
            waits,
            members: VecDeque::from([Member { run, joined: 0 }]),
            bound: Log::default(),
        }
    }

    /// Numbers of its oldest and newest start.
    fn range(&self) -> Option<(u64, u64)> {
        let (oldest, newest) = (self.members.front()?, self.members.back()?);
        Some((oldest.run.first, newest.run.first))
    }

    /// Its oldest start.
    fn oldest(&self) -> Option<u64> {
        self.members.front().map(|member| member.run.first)
    }

    /// True if all its starts are older than those of another, or all are newer.
    fn is_apart_from(&self, other: &Bundle) -> bool {
        match (self.range(), other.range()) {
            (Some((oldest, newest)), Some((other_oldest, other_newest))) => {
                newest < other_oldest || oldest > other_newest
            }
            _ => true,
        }
    }

    /// Brings a member up to date.
    fn update(&mut self, nfa: &Nfa, at: usize) {
        self.members[at].update(nfa, &self.bound);
    }

    fn update_all(&mut self, nfa: &Nfa) {
        for member in &mut self.members {
            member.update(nfa, &self.bound);
        }
        self.bound.clear();
    }

    /// Keeps an event that all members have bound.
    fn take(&mut self, nfa: &Nfa, bound: Bound) {
        let log = &mut self.bound;
        log.events.push_back(bound);
        if log.events.len() < (2 * log.useful).max(LOG_KEPT) {
            return;
        }
        let joined = self.members.iter().map(|member| member.joined).min();
        let useless = joined.unwrap_or(log.end()) - log.before;
        log.events.drain(..useless as usize);
        log.before += useless;
        log.useful = log.events.len();
        if log.useful > LOG_MAX.max(self.members.len()) {
            self.update_all(nfa);
        }
    }

    /// Takes in the members of another bundle whose starts are all older or all newer.
    fn join(&mut self, nfa: &Nfa, mut other: Bundle) {
        let fresh = self.waits.fresh || other.waits.fresh;
        if other.members.len() > self.members.len() {
            std::mem::swap(self, &mut other);
        }
        self.waits.fresh = fresh;
        other.update_all(nfa);
        let joined = self.bound.end();
        let newer = other.oldest() > self.oldest();
        let joining = other.members.into_iter();
        let joining = joining.map(|member| Member { joined, ..member });
        match newer {
            true => self.members.extend(joining),
            false => joining
                .rev()
                .for_each(|member| self.members.push_front(member)),
        }
    }

    /// Drops starts below a number.
    fn drop_before(&mut self, number: u64) {
        while self.oldest().is_some_and(|first| first < number) {
            self.members.pop_front();
        }
    }

    /// Takes out its oldest partial match, as it is now.
    fn take_oldest(&mut self, nfa: &Nfa) -> Option<Run> {
        let mut member = self.members.pop_front()?;
        member.update(nfa, &self.bound);
        Some(self.waiting(nfa, member.run))
    }

    /// A member that is up to date, as it waits now.
    fn waiting(&self, nfa: &Nfa, run: Run) -> Run {
        let waits = &self.waits;
        let mut run = Run {
            position: waits.position,
            fresh: waits.fresh,
            alive: waits.alive,
            ended: waits.ended,
            counters: waits.counters.clone(),
            ..run
        };
        run.schedule(nfa);
        run
    }

    /// A key that was busy gives back the memory that it does not use any more.
    fn give_room_back(&mut self) {
        let room = self.members.capacity();
        if room > ROOM_KEPT && room / 4 > self.members.len() {
            self.members.shrink_to(2 * self.members.len());
        }
    }
}

impl Bundles {
    /// True if nothing is left to remember.
    pub(crate) fn is_empty(&self) -> bool {
        self.bundles.is_empty() && self.rest.is_empty()
    }

    /// How many partial matches there are.
    pub(crate) fn partials(&self) -> usize {
        let members = self.bundles.iter().map(|bundle| bundle.members.len());
        members.sum()
    }

    /// The steps bound last, each with how many partial matches wait behind it.
    pub(crate) fn counts(&self, nfa: &Nfa) -> impl Iterator<Item = (StepId, usize)> {
        let bundles = self.bundles.iter();
        bundles.map(|bundle| (bundle.waits.reached(nfa), bundle.members.len()))
    }

    /// The earliest instant at which something happens without an event; [`Timestamp::MAX`] if nothing will.
    pub(crate) fn next_instant(&self, nfa: &Nfa) -> Timestamp {
        let oldest = self
            .bundles
            .iter()
            .filter_map(|bundle| bundle.members.front());
        let expiries = oldest.map(|member| end_of(nfa.within, member.run.first_time));
        let rest = self.rest.next_instant(nfa);
        expiries.min().map_or(rest, |expiry| expiry.min(rest))
    }

    /// The same as a list of runs. O(partial matches), and what they have bound that nobody asked for yet.
    pub(crate) fn runs(&self, nfa: &Nfa) -> Runs {
        self.clone().into_runs(nfa)
    }

    fn into_runs(mut self, nfa: &Nfa) -> Runs {
        let mut runs = Vec::with_capacity(self.partials());
        for bundle in &mut self.bundles {
            while let Some(run) = bundle.take_oldest(nfa) {
                runs.push(run);
            }
        }
        // Stable: those of one start stay in order of preference.
        runs.sort_by_key(|run| run.first);
        Runs { runs, ..self.rest }
    }

    /// A list of runs, if too few wait alike; then nothing is left.
    pub(crate) fn part(&mut self, nfa: &Nfa, together: Together) -> Option<Runs> {
        let parts = self.partials() < together.sharing * self.bundles.len();
        parts.then(|| std::mem::take(self).into_runs(nfa))
    }

    /// True if both go on alike; see [`State::same`](super::super::State::same).
    pub(crate) fn same(&self, other: &Bundles) -> bool {
        // Of what is left to bind only how it lies is compared.
        let members = |bundle: &Bundle| {
            let end = bundle.bound.end();
            let members = bundle.members.iter();
            let members =
                members.map(move |member| (member.run.path, member.run.first, end - member.joined));
            members.collect::<Vec<_>>()
        };
        let bound = |bundle: &Bundle| {
            let kept = bundle.bound.events.iter();
            kept.map(|bound| (bound.step, bound.event))
                .collect::<Vec<_>>()
        };
        let waits = |bundle: &Bundle| {
            let waits = &bundle.waits;
            let waits = (waits.position, waits.alive, waits.ended, waits.fresh);
            (waits, bundle.waits.counters.clone())
        };
        self.rest.same(&other.rest)
            && pairwise(&self.bundles, &other.bundles, |a, b| {
                waits(a) == waits(b) && members(a) == members(b) && bound(a) == bound(b)
            })
    }

    /// The same for states that are [the same](Bundles::same).
    pub(crate) fn digest(&self) -> u64 {
        let members = self.bundles.iter().flat_map(|bundle| &bundle.members);
        members.map(|member| member.run.path).fold(0, mix)
    }

    /// The number of the newest event.
    #[cfg(feature = "testing")]
    pub(crate) fn newest(&self) -> Option<u64> {
        let members = self.bundles.iter().flat_map(|bundle| &bundle.members);
        let bound = self.bundles.iter().flat_map(|bundle| &bundle.bound.events);
        let members = members.map(|member| member.run.last);
        members.chain(bound.map(|bound| bound.event.0)).max()
    }

    /// Lets a bundle join one before it that waits alike: true if it has. Those that lie between may not have the same starts, since it would come before them.
    fn join(&mut self, nfa: &Nfa, at: usize) -> bool {
        for before in (at.saturating_sub(LOOKED_AT_MAX)..at).rev() {
            let (earlier, bundle) = (&self.bundles[before], &self.bundles[at]);
            if !earlier.is_apart_from(bundle) {
                return false;
            }
            if wait_alike(nfa, &earlier.waits, &bundle.waits) {
                let bundle = self.bundles.remove(at);
                self.bundles[before].join(nfa, bundle);
                return true;
            }
        }
        false
    }

    /// Adds what has begun, and was not removed by a match: to the newest bundle, if it waits like that.
    fn add_begun(&mut self, nfa: &Nfa, removed: u64) {
        for run in self.rest.runs.drain(..) {
            let newest = self.bundles.last_mut().filter(|bundle| {
                let older = bundle.range().is_some_and(|(_, newest)| newest < run.first);
                older && wait_alike(nfa, &bundle.waits, &run)
            });
            match newest {
                _ if run.first < removed => {}
                Some(bundle) => {
                    bundle.waits.fresh |= run.fresh;
                    let joined = bundle.bound.end();
                    bundle.members.push_back(Member { run, joined });
                }
                None => self.bundles.push(Bundle::of(nfa, run)),
            }
        }
    }

    /// Drops bundles without members and lets those join that wait alike.
    fn settle(&mut self, nfa: &Nfa) {
        self.bundles.retain(|bundle| !bundle.members.is_empty());
        let mut at = 1;
        while at < self.bundles.len() {
            if !self.join(nfa, at) {
                at += 1;
            }
        }
        self.bundles.iter_mut().for_each(Bundle::give_room_back);
    }

    /// Reports the oldest start, by its most advanced partial match, if it is over by `until`; false if it is not.
    fn time_out(&mut self, nfa: &Nfa, until: Timestamp, key: &[Value], out: &mut Outcome) -> bool {
        let fronts = self
            .bundles
            .iter()
            .filter_map(|bundle| bundle.members.front());
        let oldest = fronts.map(|member| (member.run.first, member.run.first_time));
        let Some((first, began)) = oldest.min() else {
            return false;
        };
        let instant = end_of(nfa.within, began);
        if instant > until {
            return false;
        }
        let reach = |run: &Run| (run.reached(nfa), run.bound);
        let mut best: Option<Run> = None;
        for bundle in &mut self.bundles {
            if bundle.oldest() == Some(first)
                && let Some(run) = bundle.take_oldest(nfa)
                && best.as_ref().is_none_or(|best| reach(&run) > reach(best))
            {
                best = Some(run);
            }
        }
        if let Some(best) = best {
            timed_out(nfa, best.given_up(nfa), instant.minus(Span(1)), key, out);
        }
        true
    }

    /// Holds the number of partial matches at the bound of the pattern.
    fn evict(&mut self, nfa: &Nfa, time: Timestamp, out: &mut Outcome) {
        let mut excess = self.partials().saturating_sub(nfa.bound.count as usize);
        while excess > 0 {
            let first = self.bundles.iter().filter_map(Bundle::oldest).min();
            // A partial match that was split is given up once and as a whole.
            let mut gone: SmallVec<[u64; 4]> = SmallVec::new();
            for bundle in &mut self.bundles {
                if bundle.oldest() != first {
                    continue;
                }
                bundle.update(nfa, 0);
                let run = &bundle.members[0].run;
                let known = gone.contains(&run.path);
                if excess == 0 && !known {
                    continue;
                }
                excess = excess.saturating_sub(1);
                if !known {
                    gone.push(run.path);
                    let reached = nfa.step_at(bundle.waits.position);
                    let partial = GivenUp {
                        reached,
                        ..run.given_up(nfa)
                    };
                    evicted(nfa, partial, time, out);
                }
                bundle.members.pop_front();
            }
        }
        self.bundles.retain(|bundle| !bundle.members.is_empty());
    }
}

#[cfg(test)]
mod tests;
