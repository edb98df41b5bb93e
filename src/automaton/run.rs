//! What changes: the partial matches of one key and pattern.

use std::num::NonZero;

use smallvec::SmallVec;

use super::choice::{Admitted, Candidate, GivenUp};
use super::nfa::{Completion, Nfa, Skip, Target, Way, Which};
use super::register::{self, Registers};
use super::shape::pairwise;
use super::state::glance_at;
use crate::event::{Event, Position, Value};
use crate::lang::pattern::StepId;
use crate::time::{Span, Timestamp};

/// A partial match: three lines of the processor's cache, if it has no more registers than lie in it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Number of the first bound event in the order of events.
    pub first: u64,
    /// Number of the last bound event.
    pub last: u64,
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    /// Index of the position in the automaton; never the start.
    pub position: u16,
    /// True until an event came after the last bound one.
    pub fresh: bool,
    /// True once the start has matched: it never times out.
    pub matched: bool,
    /// How many events are bound, as far as that can be told.
    pub bound: u32,
    /// Ways on that are open, one bit each. Never 0 in a stored run.
    pub alive: u64,
    /// `until` steps that an event since the last bound one has satisfied.
    pub ended: u64,
    /// The earliest instant at which a way on completes or expires, or earlier.
    pub next: Timestamp,
    /// Time of the first event of the closed loop.
    pub anchor: Timestamp,
    /// Number of the event that `skip to` looks for.
    pub mark: Option<NonZero<u64>>,
    /// A hash of the steps and positions bound so far.
    pub path: u64,
    pub counters: SmallVec<[u32; 2]>,
    pub registers: Registers,
}

/// As much as a line of the processor's cache holds, in bytes, on most of them.
const LINE_BYTES: usize = 64;

const _: () = assert!(size_of::<Run>() <= 3 * LINE_BYTES);

/// Everything that one key has in one pattern.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// By first event, then by preference.
    pub(crate) runs: Vec<Run>,
    /// Time of the last event that satisfied each leading negation.
    pub(crate) absent: SmallVec<[Option<Timestamp>; 1]>,
    /// What `limit` let through lately.
    pub(crate) admitted: Option<Box<Admitted>>,
}

impl Runs {
    /// Reads a little of the first runs, all over them.
    #[inline]
    pub(super) fn glance_on(&self) -> u64 {
        glance_at::<3>(self.runs.len(), |at| {
            let run = &self.runs[at];
            run.first ^ run.path ^ run.counters.len() as u64 ^ register::glance(&run.registers)
        })
    }

    /// True if nothing is left to remember.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.absent.iter().all(Option::is_none) && self.admitted.is_none()
    }

    /// True if both go on alike; see [`State::same`](super::State::same).
    pub(crate) fn same(&self, other: &Runs) -> bool {
        self.admitted.is_none()
            && other.admitted.is_none()
            && self.absent == other.absent
            && pairwise(&self.runs, &other.runs, |a, b| {
                a.path == b.path
                    && (a.first, a.last, a.bound) == (b.first, b.last, b.bound)
                    && (a.position, a.alive, a.ended) == (b.position, b.alive, b.ended)
                    && (a.fresh, a.matched, a.mark) == (b.fresh, b.matched, b.mark)
                    && (a.next, a.anchor) == (b.next, b.anchor)
                    && a.counters == b.counters
            })
    }

    /// The earliest instant at which something happens without an event; [`Timestamp::MAX`] if nothing will.
    pub(crate) fn next_instant(&self, nfa: &Nfa) -> Timestamp {
        let runs = self.runs.iter().map(|run| run.next);
        if self.absent.is_empty() && self.admitted.is_none() {
            return runs.min().unwrap_or(Timestamp::MAX);
        }
        let absent = self
            .absent
            .iter()
            .zip(&nfa.leading)
            .filter_map(|(seen, (_, span))| Some(seen.as_ref()?.plus(*span)));
        let admitted = self.admitted.as_ref().map(|admitted| admitted.forgotten());
        runs.chain(absent)
            .chain(admitted)
            .min()
            .unwrap_or(Timestamp::MAX)
    }
}

/// Room for so many runs is never given back.
pub(crate) const ROOM_KEPT: usize = 16;

/// The hash of a path that binds nothing.
pub(super) const PATH_START: u64 = 0x6c65_6974_6d6f_7469;

/// A step of a hash; the constants are those of the 64-bit finaliser of MurmurHash3, and an odd number so that no value, not even 0, leaves a hash as it was.
pub(crate) fn mix(hash: u64, value: u64) -> u64 {
    let mut h = hash.rotate_left(23)
        ^ value
            .wrapping_add(0x2545_f491_4f6c_dd1d)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

/// A hash of where an event came from, and of its time: offsets of a source that cannot be read again begin anew in each run.
pub(crate) fn place(event: &Event) -> u64 {
    let Position {
        source,
        partition,
        offset,
    } = event.position;
    let of_partition = mix(u64::from(source) << 32 | u64::from(partition), offset);
    mix(of_partition, event.time.0.cast_unsigned())
}

impl Run {
    /// Binds nothing yet; [`Run::take`] must follow.
    #[inline]
    pub(crate) fn start(nfa: &Nfa, event: &Event, number: u64) -> Run {
        Run::begin(nfa, number, event.time)
    }

    /// Binds nothing yet, and begins with the event of this number and time.
    #[inline]
    pub(super) fn begin(nfa: &Nfa, number: u64, time: Timestamp) -> Run {
        Run {
            first: number,
            last: number,
            first_time: time,
            last_time: time,
            position: 0,
            fresh: true,
            matched: false,
            bound: 0,
            alive: 0,
            ended: 0,
            next: Timestamp::MAX,
            anchor: time,
            mark: None,
            path: PATH_START,
            counters: SmallVec::from_elem(0, nfa.counters),
            registers: nfa.registers.empty(),
        }
    }

    /// Binds the event by the way on to `target`. What is open from there is set; the caller looks at ways that complete at once.
    pub(crate) fn take(
        &mut self,
        nfa: &Nfa,
        way: &Way,
        target: u16,
        event: &Event,
        number: u64,
        key: &[Value],
    ) {
        way.count(&mut self.counters);
        if way.anchors {
            self.anchor = event.time;
        }
        let step = nfa.step_at(target);
        nfa.registers
            .take(&mut self.registers, usize::from(step.0), event, key);
        self.note(nfa, step, (number, event.time, place(event)));
        self.arrive(nfa, target);
        self.schedule(nfa);
    }

    /// What of an event bound is remembered beside registers: its number, its time, and the hash of where it came from.
    #[inline]
    pub(super) fn note(
        &mut self,
        nfa: &Nfa,
        step: StepId,
        (number, time, place): (u64, Timestamp, u64),
    ) {
        if let Skip::To(steps, which) = nfa.skip
            && steps.has(step)
            && (which == Which::Last || self.mark.is_none())
        {
            self.mark = NonZero::new(number);
        }
        self.path = mix(mix(self.path, u64::from(step.0)), place);
        self.last = number;
        self.last_time = time;
        self.bound = self.bound.saturating_add(1);
    }

    /// Has just bound the step of a position.
    #[inline]
    pub(super) fn arrive(&mut self, nfa: &Nfa, target: u16) {
        self.position = target;
        self.fresh = true;
        self.ended = 0;
        self.alive = 0;
        match nfa.outlook.at(target).opening {
            Some(opening) => self.alive = opening.open,
            None => {
                let ways = nfa.positions[usize::from(target)].ways.iter();
                for (at, way) in ways.enumerate() {
                    if self.allows(way) && !self.completes(nfa, way) {
                        self.alive |= 1 << at;
                    }
                }
            }
        }
    }

    /// The run as a candidate, once it has completed.
    pub(crate) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            first: self.first,
            last: self.last,
            bounds: (self.first_time, self.last_time),
            anchor: self.anchor,
            mark: self.mark.map(NonZero::get),
            path: self.path,
            registers: &self.registers,
        }
    }

    /// The run as its row shows it when it is given up.
    pub(crate) fn given_up(&self, nfa: &Nfa) -> GivenUp<'_> {
        GivenUp {
            reached: self.reached(nfa),
            bounds: (self.first_time, self.last_time),
            path: self.path,
            registers: &self.registers,
        }
    }

    /// The step bound last.
    pub(crate) fn reached(&self, nfa: &Nfa) -> StepId {
        nfa.step_at(self.position)
    }

    /// True if the counts allow the way on.
    pub(crate) fn allows(&self, way: &Way) -> bool {
        way.allowed_by(&self.counters)
    }

    /// True if the way on leads to the end and nothing is left to wait for after the last bound event.
    pub(crate) fn completes(&self, nfa: &Nfa, way: &Way) -> bool {
        match way.target {
            Target::Position(_) => false,
            Target::End(Completion::AtOnce) => true,
            Target::End(_) => self.deadline(nfa, way) <= self.last_time,
        }
    }

    /// The instant at which the way on completes (to the end) or expires (to a step).
    pub(crate) fn deadline(&self, nfa: &Nfa, way: &Way) -> Timestamp {
        let never = Timestamp::MAX;
        let of = |completion| match completion {
            Completion::AtOnce => never,
            Completion::Since(span) => self.last_time.plus(span),
            Completion::SinceAnchor(span) => self.anchor.plus(span),
            Completion::Within | Completion::NextEvent => nfa
                .within
                .map_or(never, |within| self.first_time.plus(within)),
        };
        match way.target {
            Target::End(completion) => of(completion),
            Target::Position(_) => {
                let closed = way.closes.map_or(never, of);
                end_of(nfa.within, self.first_time)
                    .min(end_of(way.gap, self.last_time))
                    .min(closed)
            }
        }
    }

    /// The bound that passed when the way on to a step expired at the instant: those of `within` are inclusive, that of a closer is not.
    pub(crate) fn bound_before(&self, nfa: &Nfa, way: &Way, instant: Timestamp) -> Timestamp {
        let end = end_of(nfa.within, self.first_time).min(end_of(way.gap, self.last_time));
        if end <= instant {
            instant.minus(Span(1))
        } else {
            instant
        }
    }

    /// Works out the next instant anew.
    #[inline]
    pub(crate) fn schedule(&mut self, nfa: &Nfa) {
        if nfa.outlook.at(self.position).expires_as_whole {
            self.next = match self.alive {
                0 => Timestamp::MAX,
                _ => end_of(nfa.within, self.first_time),
            };
            return;
        }
        let ways = &nfa.positions[usize::from(self.position)].ways;
        let mut next = Timestamp::MAX;
        for at in bits(self.alive) {
            next = next.min(self.deadline(nfa, &ways[at]));
        }
        self.next = next;
    }
}

/// When what began at a time is over that may take so long, this included; [`Timestamp::MAX`] if it may take any time.
pub(super) fn end_of(within: Option<Span>, began: Timestamp) -> Timestamp {
    within.map_or(Timestamp::MAX, |within| began.plus(within).plus(Span(1)))
}

/// The numbers of the bits that are set, lowest first.
pub(crate) fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let at = word.trailing_zeros() as usize;
        word &= word - 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_of_a_source_leaves_its_mark_on_the_hash() {
        let first = place(&event(0));
        assert_ne!(mix(mix(PATH_START, 0), first), PATH_START);
        assert_ne!(mix(0, 0), 0);
    }

    #[test]
    fn events_that_only_differ_in_time_leave_different_marks() {
        assert_ne!(place(&event(1)), place(&event(2)));
    }

    /// Room for runs that the state of each key has, after its events at these times.
    fn room(shown: &[(i64, &str, i64)]) -> Vec<(usize, usize)> {
        let text = "event E { t: timestamp time, k: string, v: int }\n\
            pattern p { key k match a: E where v == 1 then b: E where v == 2 * a.v within 1h emit r { v: b.v } }\n";
        let program = std::sync::Arc::new(crate::testing::compile(text).expect("it is right"));
        let mut machine =
            crate::testing::state::Machine::new(&program, crate::lang::pattern::PatternId(0));
        for (time, key, v) in shown {
            let values = [
                Value::Timestamp(Timestamp(*time)),
                Value::Str((*key).into()),
                Value::Int(*v),
            ];
            let event = Event {
                values: Box::new(values),
                ..event(*time)
            };
            machine.show(&event, &mut super::super::Outcome::default());
        }
        let states = machine.states().map(|(_, state)| match state {
            super::super::State::Runs(runs) => (runs.runs.len(), runs.runs.capacity()),
            _ => unreachable!("it is a list of runs"),
        });
        states.collect()
    }

    #[test]
    fn a_key_has_as_much_room_as_it_needs_and_none_of_a_busy_one() {
        assert_eq!(room(&[(1, "a", 1), (2, "b", 1)]), [(1, 1), (1, 1)]);
        let mut shown: Vec<(i64, &str, i64)> = (0..500).map(|time| (time, "busy", 1)).collect();
        shown.extend([
            (501, "a", 1),
            (502, "busy", 1),
            (503, "a", 3),
            (504, "b", 1),
        ]);
        let busy = room(&shown);
        assert_eq!(busy[0], (1, 1));
        assert_eq!(busy[1], (1, 1));
        assert_eq!(busy[2].0, 501);
        // Two hours later.
        shown.push((7_200_000, "busy", 1));
        let [.., (1, left)] = room(&shown)[..] else {
            panic!("one run is left");
        };
        assert!(left <= ROOM_KEPT, "{left}");
    }

    fn event(time: i64) -> Event {
        Event {
            ty: crate::event::EventTypeId(0),
            time: Timestamp(time),
            position: Position::default(),
            values: Box::new([]),
        }
    }
}
