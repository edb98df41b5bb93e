//! Partial matches as bytes.

use std::num::NonZero;

use smallvec::SmallVec;

use super::super::nfa::{Nfa, Skip};
use super::super::run::{Run, Runs};
use super::registers::{put_registers, registers};
use super::{Before, Head, ROOM_MAX, admitted, limited, number, put_admitted, put_time, time};
use crate::time::Timestamp;
use crate::wire::{Damaged, Reader, put_fixed, put_uint};

/// One event is bound: first and last are the same.
const SINGLE: u8 = 0x01;
const FRESH: u8 = 0x02;
const MATCHED: u8 = 0x04;
/// Some loop was ended.
const ENDED: u8 = 0x08;
/// A closed loop began later than the match.
const ANCHORED: u8 = 0x10;
const MARKED: u8 = 0x20;
const KNOWN: u8 = 0x3f;

pub(super) fn put(nfa: &Nfa, state: &Runs, out: &mut Vec<u8>) {
    let mut flags = 0;
    if !state.absent.is_empty() {
        flags |= Head::ABSENT;
    }
    if state.admitted.is_some() {
        flags |= Head::ADMITTED;
    }
    let count = state.runs.len();
    Head { flags, count }.put(out);
    if !state.absent.is_empty() {
        put_absent(&state.absent, out);
    }
    if let Some(admitted) = &state.admitted {
        put_admitted(admitted, out);
    }
    let mut before = None;
    for run in &state.runs {
        put_run(nfa, run, before, out);
        before = Some(run);
    }
}

pub(super) fn runs(nfa: &Nfa, head: Head, reader: &mut Reader<'_>) -> Result<Runs, Damaged> {
    let absent = match head.has(Head::ABSENT) {
        true => absent(nfa, reader)?,
        false => SmallVec::new(),
    };
    let admitted = match head.has(Head::ADMITTED) {
        true => admitted(nfa, reader)?,
        false => None,
    };
    let mut runs: Vec<Run> = Vec::with_capacity(head.count.min(ROOM_MAX));
    for _ in 0..head.count {
        let run = run(nfa, runs.last(), reader)?;
        runs.push(run);
    }
    Ok(Runs {
        runs,
        absent,
        admitted,
    })
}

/// Which leading negations were seen, one bit each, and when.
fn put_absent(absent: &[Option<Timestamp>], out: &mut Vec<u8>) {
    let seen = (0..).zip(absent).filter(|(_, seen)| seen.is_some());
    put_uint(out, seen.fold(0, |mask, (at, _): (u32, _)| mask | 1 << at));
    for seen in absent.iter().flatten() {
        put_time(out, *seen, Timestamp(0));
    }
}

fn absent(nfa: &Nfa, reader: &mut Reader<'_>) -> Result<SmallVec<[Option<Timestamp>; 1]>, Damaged> {
    let mask = reader.uint()?;
    let count = nfa.leading.len();
    if count == 0 || mask.checked_shr(count as u32).unwrap_or(0) != 0 {
        return Err(reader.damaged("negation in front of the pattern"));
    }
    let mut absent = SmallVec::with_capacity(count);
    for at in 0..count {
        absent.push(match mask >> at & 1 {
            1 => Some(time(reader, Timestamp(0))?),
            _ => None,
        });
    }
    Ok(absent)
}

fn put_run(nfa: &Nfa, run: &Run, neighbour: Option<&Run>, out: &mut Vec<u8>) {
    let single = run.first == run.last && run.first_time == run.last_time && run.bound == 1;
    let mut flags = 0;
    for (flag, holds) in [
        (SINGLE, single),
        (FRESH, run.fresh),
        (MATCHED, run.matched),
        (ENDED, run.ended != 0),
        (ANCHORED, run.anchor != run.first_time),
        (MARKED, run.mark.is_some()),
    ] {
        flags |= if holds { flag } else { 0 };
    }
    let before = neighbour.map_or(Before::default(), Before::of);
    out.push(flags);
    put_uint(out, run.first.wrapping_sub(before.number));
    put_time(out, run.first_time, before.time);
    if !single {
        put_uint(out, run.last.wrapping_sub(run.first));
        put_time(out, run.last_time, run.first_time);
        put_uint(out, u64::from(run.bound));
    }
    put_uint(out, u64::from(run.position));
    if !nfa.layout.open[usize::from(run.position)].is_power_of_two() {
        put_uint(out, run.alive);
    }
    if run.ended != 0 {
        put_uint(out, run.ended);
    }
    if run.anchor != run.first_time {
        put_time(out, run.anchor, run.first_time);
    }
    if let Some(mark) = run.mark {
        put_uint(out, mark.get().wrapping_sub(run.first));
    }
    put_fixed(out, run.path);
    for count in &run.counters {
        put_uint(out, u64::from(*count));
    }
    let shared = neighbour.map(|neighbour| &*neighbour.registers);
    put_registers(nfa, &run.registers, shared, run.first_time, out);
}

impl Before {
    fn of(run: &Run) -> Before {
        Before {
            number: run.first,
            time: run.first_time,
        }
    }
}

fn run(nfa: &Nfa, neighbour: Option<&Run>, reader: &mut Reader<'_>) -> Result<Run, Damaged> {
    let before = neighbour.map_or(Before::default(), Before::of);
    let flags = reader.byte()?;
    if flags & !KNOWN != 0 {
        return Err(reader.damaged("flags of a partial match"));
    }
    let has = |flag: u8| flags & flag != 0;
    let first = before.number + number(reader)?;
    let first_time = time(reader, before.time)?;
    let (last, last_time, bound) = match has(SINGLE) {
        true => (first, first_time, 1),
        false => (
            first + number(reader)?,
            time(reader, first_time)?,
            number(reader)?,
        ),
    };
    limited(reader, last)?;
    if bound == 0 || bound > last - first + 1 {
        return Err(reader.damaged("count of bound events"));
    }
    let (position, alive) = place(nfa, reader)?;
    let ended = match has(ENDED) {
        true => reader.uint()?,
        false => 0,
    };
    if ended & !nfa.positions[usize::from(position)].untils.0 != 0 {
        return Err(reader.damaged("end of a loop"));
    }
    let anchor = match has(ANCHORED) {
        true => time(reader, first_time)?,
        false => first_time,
    };
    let mark = match has(MARKED) {
        true => Some(mark(nfa, reader, first, last)?),
        false => None,
    };
    let path = reader.fixed()?;
    let mut counters = SmallVec::with_capacity(nfa.counters);
    for _ in 0..nfa.counters {
        counters.push(reader.narrow()?);
    }
    let shared = neighbour.map(|neighbour| &*neighbour.registers);
    let registers = registers(nfa, shared, first_time, reader)?;
    let mut run = Run {
        first,
        last,
        first_time,
        last_time,
        position,
        fresh: has(FRESH),
        matched: has(MATCHED),
        bound: u32::try_from(bound).unwrap_or(u32::MAX),
        alive,
        ended,
        next: Timestamp::MAX,
        anchor,
        mark,
        path,
        counters,
        registers,
    };
    // Not stored: bounds of time may have been changed since.
    run.schedule(nfa);
    Ok(run)
}

/// Position and open ways on. Where only one way on can be open, it is.
fn place(nfa: &Nfa, reader: &mut Reader<'_>) -> Result<(u16, u64), Damaged> {
    let position: u16 = reader.narrow()?;
    let open = match position {
        // Nothing is bound at the start.
        0 => None,
        _ => nfa.layout.open.get(usize::from(position)),
    };
    let Some(&open) = open else {
        return Err(reader.damaged("position of the automaton"));
    };
    let alive = match open.is_power_of_two() {
        true => open,
        false => reader.uint()?,
    };
    if alive == 0 || alive & !open != 0 {
        return Err(reader.damaged("ways on that can be open"));
    }
    Ok((position, alive))
}

fn mark(
    nfa: &Nfa,
    reader: &mut Reader<'_>,
    first: u64,
    last: u64,
) -> Result<NonZero<u64>, Damaged> {
    let mark = NonZero::new(first + number(reader)?);
    let known = mark.filter(|mark| matches!(nfa.skip, Skip::To(..)) && mark.get() <= last);
    known.ok_or_else(|| reader.damaged("event that `skip` looks for"))
}
