//! The state of a key as bytes that outlive the process, and back.
//!
//! Bytes are compact because the automaton knows what to expect: nothing says what it says, what is as it is nearly always is left out, and numbers and times are differences.
//! So states can be read only under an automaton of the same structure ([`Nfa::structure`]). Reading checks everything that the engine relies on; bytes that are damaged
//! give [`Damaged`] or a state that could be, and cost time and memory in proportion to their length. `docs/checkpoint.md` has the format byte by byte.
//!
//! What several partial matches share, such as the beginning of a list, is written once where they are neighbours.

mod cohorts;
mod registers;
mod runs;
mod stacks;
mod windows;

use std::collections::VecDeque;

use super::choice::Admitted;
use super::linear::Chosen;
use super::nfa::Nfa;

use super::state::State;
use crate::event::codec::{put_value, value};
use crate::time::{Span, Timestamp};
use crate::wire::{Damaged, Reader, put_int, put_uint};

/// The version of the format: the first byte of a state that is a list of runs, or windows.
const VERSION: u8 = 1;

/// The version of the format of other states: the byte behind it says which.
const VERSION_OF_OTHERS: u8 = 2;

/// Stacks.
const STACKS: u8 = 1;

/// Cohorts.
const COHORTS: u8 = 2;

/// For how many things room is made before the first of them is read.
const ROOM_MAX: usize = 16;

/// Numbers and counts of events are below this, so that adding to them never overflows.
const NUMBER_LIMIT: u64 = 1 << 56;

impl Nfa {
    /// Appends a state of this automaton.
    pub fn encode(&self, state: &State, out: &mut Vec<u8>) {
        match (state, &self.window) {
            (State::Stacks(stacks), None) => {
                out.extend([VERSION_OF_OTHERS, STACKS]);
                stacks::put(self, self.stack_plan(), stacks, out);
            }
            (State::Cohorts(cohorts), None) => {
                out.extend([VERSION_OF_OTHERS, COHORTS]);
                cohorts::put(self, self.linear_plan(), cohorts, out);
            }
            (State::Runs(runs), None) => {
                out.push(VERSION);
                runs::put(self, runs, out);
            }
            (State::Bundles(bundles), None) => {
                out.push(VERSION);
                runs::put(self, &bundles.runs(self), out);
            }
            (State::Windows(windows), Some(plan)) => {
                out.push(VERSION);
                windows::put(self, plan, windows, out);
            }
            _ => unreachable!("the state was made for this pattern"),
        }
    }

    /// Reads what [`Nfa::encode`] wrote, here or under another automaton of the same structure. What follows is left to the caller.
    ///
    /// # Errors
    /// When the bytes are no state of such an automaton.
    pub fn decode(&self, reader: &mut Reader<'_>) -> Result<State, Damaged> {
        let kind = Kind::read(reader)?;
        let head = Head::read(reader)?;
        let (window, linear, stacks) = (&self.window, &self.linear, &self.stacks);
        match (kind.with(head), window, linear, stacks) {
            (Kind::Runs, None, ..) => runs::runs(self, head, reader).map(State::Runs),
            (Kind::Windows, Some(plan), ..) => {
                windows::windows(self, plan, head, reader).map(State::Windows)
            }
            (Kind::Stacks, None, _, Some(plan)) => {
                let read = stacks::stacks(self, plan, head, reader)?;
                match plan.chosen {
                    Chosen::Yes => Ok(State::Stacks(read)),
                    Chosen::No => stacks::spelled_out(self, plan, &read, reader).map(State::Runs),
                }
            }
            (Kind::Cohorts, None, Some(plan), _) => {
                let read = cohorts::cohorts(self, plan, head, reader)?;
                Ok(match plan.chosen {
                    Chosen::Yes => State::Cohorts(read),
                    Chosen::No => State::Runs(read.runs(self, plan)),
                })
            }
            _ => Err(reader.damaged("state of this kind of pattern")),
        }
    }
}

/// How many partial matches or panes there are, whatever automaton they belong to.
pub(super) fn partials_in(bytes: &[u8]) -> Result<u64, Damaged> {
    let mut reader = Reader::new(bytes);
    let kind = Kind::read(&mut reader)?;
    let head = Head::read(&mut reader)?;
    match kind {
        Kind::Stacks => reader.uint(),
        Kind::Runs | Kind::Windows | Kind::Cohorts => Ok(head.count as u64),
    }
}

#[cfg(feature = "testing")]
impl Nfa {
    /// Goes on with what is read from the bytes of a state, as after a restart.
    ///
    /// # Panics
    /// If the bytes are not read to their end, or the state read is written otherwise.
    pub(crate) fn recode(&self, state: &mut State) {
        let (mut bytes, mut again) = (Vec::new(), Vec::new());
        self.encode(state, &mut bytes);
        let mut reader = Reader::new(&bytes);
        let read = self.decode(&mut reader);
        let read = read.unwrap_or_else(|damaged| panic!("{damaged} of {bytes:02x?}: {state:?}"));
        assert_eq!(reader.end(), Ok(()), "{bytes:02x?}: {state:?}");
        self.encode(&read, &mut again);
        assert_eq!(again, bytes, "{state:?} was read as {read:?}");
        if !self.is_window() {
            assert_eq!(self.live(&read).len(), read.partials(self), "{read:?}");
        }
        *state = read;
    }
}

/// What a state consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Runs,
    Windows,
    Stacks,
    Cohorts,
}

impl Kind {
    /// What the first bytes say; of windows that they are runs.
    fn read(reader: &mut Reader<'_>) -> Result<Kind, Damaged> {
        match reader.byte()? {
            VERSION => Ok(Kind::Runs),
            VERSION_OF_OTHERS => match reader.byte()? {
                STACKS => Ok(Kind::Stacks),
                COHORTS => Ok(Kind::Cohorts),
                _ => Err(reader.damaged("state of a known kind")),
            },
            _ => Err(reader.damaged("state in a known version")),
        }
    }

    /// With what the head says.
    fn with(self, head: Head) -> Kind {
        match self {
            Kind::Runs if head.has(Head::WINDOWS) => Kind::Windows,
            kind => kind,
        }
    }
}

/// How many runs, panes, starts of cohorts or events in stacks there are, and what else.
#[derive(Clone, Copy, Default)]
struct Head {
    flags: u64,
    count: usize,
}

impl Head {
    /// Panes instead of runs.
    const WINDOWS: u64 = 1;
    /// When leading negations were seen.
    const ABSENT: u64 = 2;
    /// What `limit` let through.
    const ADMITTED: u64 = 4;
    const BITS: u32 = 3;

    fn has(self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    fn put(self, out: &mut Vec<u8>) {
        put_uint(out, (self.count as u64) << Head::BITS | self.flags);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Head, Damaged> {
        let head = reader.uint()?;
        // Each takes at least a byte.
        let count = usize::try_from(head >> Head::BITS).ok();
        let count = count.filter(|count| *count <= reader.rest().len());
        Ok(Head {
            flags: head & ((1 << Head::BITS) - 1),
            count: count.ok_or_else(|| reader.damaged("count of things that are there"))?,
        })
    }
}

/// What comes before a run or a pane, so that only the difference is written: number and time of the first event.
#[derive(Clone, Copy, Default)]
struct Before {
    number: u64,
    time: Timestamp,
}

/// Appends how far a time lies from another, in either direction and whatever the two are.
fn put_time(out: &mut Vec<u8>, time: Timestamp, from: Timestamp) {
    put_int(out, time.0.wrapping_sub(from.0));
}

fn time(reader: &mut Reader<'_>, from: Timestamp) -> Result<Timestamp, Damaged> {
    Ok(Timestamp(from.0.wrapping_add(reader.int()?)))
}

/// A number or count of events.
fn number(reader: &mut Reader<'_>) -> Result<u64, Damaged> {
    let number = reader.uint()?;
    limited(reader, number)
}

fn limited(reader: &Reader<'_>, number: u64) -> Result<u64, Damaged> {
    match number < NUMBER_LIMIT {
        true => Ok(number),
        false => Err(reader.damaged("number of an event")),
    }
}

fn put_admitted(admitted: &Admitted, out: &mut Vec<u8>) {
    let arity = admitted.groups.first().map_or(0, |(by, _)| by.len());
    put_uint(out, arity as u64);
    put_uint(out, admitted.groups.len() as u64);
    for (by, times) in &admitted.groups {
        by.iter().for_each(|value| put_value(out, value));
        put_uint(out, times.len() as u64);
        let mut before = Timestamp(0);
        for at in times {
            put_time(out, *at, before);
            before = *at;
        }
    }
}

/// Nothing if the pattern has no limit any more, or if nothing is left.
fn admitted(nfa: &Nfa, reader: &mut Reader<'_>) -> Result<Option<Box<Admitted>>, Damaged> {
    let arity = reader.count()?;
    if nfa
        .limit
        .as_ref()
        .is_some_and(|limit| limit.by.len() != arity)
    {
        return Err(reader.damaged("count of values that `limit` tells apart"));
    }
    let count = reader.count()?;
    let mut groups = Vec::with_capacity(count.min(ROOM_MAX));
    let mut newest = Timestamp::MIN;
    for _ in 0..count {
        let mut by = Vec::with_capacity(arity.min(ROOM_MAX));
        for _ in 0..arity {
            by.push(value(reader)?);
        }
        let times = reader.count()?;
        if times == 0 {
            return Err(reader.damaged("time of a match"));
        }
        let mut group = VecDeque::with_capacity(times.min(ROOM_MAX));
        let mut before = Timestamp(0);
        for _ in 0..times {
            before = time(reader, before)?;
            group.push_back(before);
        }
        newest = newest.max(before);
        groups.push((by.into(), group));
    }
    let Some(limit) = nfa.limit.as_ref().filter(|_| !groups.is_empty()) else {
        return Ok(None);
    };
    let forgotten = newest.plus(limit.per).plus(Span(1));
    Ok(Some(Box::new(Admitted { groups, forgotten })))
}

#[cfg(test)]
mod tests;
