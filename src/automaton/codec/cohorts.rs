//! Cohorts as bytes.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::super::cohorts::{Bound, Cohorts, Record};
use super::super::linear::LinearPlan;
use super::super::nfa::Nfa;
use super::registers::{filled, put_filled};
use super::{Before, Head, ROOM_MAX, admitted, limited, number, put_admitted, put_time, time};
use crate::wire::{Damaged, Reader, put_fixed, put_uint};

pub(super) fn put(nfa: &Nfa, plan: &LinearPlan, state: &Cohorts, out: &mut Vec<u8>) {
    let flags = match state.admitted {
        Some(_) => Head::ADMITTED,
        None => 0,
    };
    let count = state.starts.len();
    Head { flags, count }.put(out);
    if let Some(admitted) = &state.admitted {
        put_admitted(admitted, out);
    }
    let mut before = Before::default();
    for start in &state.starts {
        put_bound(nfa, plan, 0, start, &mut before, out);
    }
    for depth in 1..plan.waiting() {
        put_uint(out, state.bound(depth).count() as u64);
        let mut before = Before::default();
        for (event, count) in state.bound(depth) {
            put_uint(out, count as u64);
            put_bound(nfa, plan, depth, event, &mut before, out);
        }
    }
}

fn put_bound(
    nfa: &Nfa,
    plan: &LinearPlan,
    depth: usize,
    event: &Bound,
    before: &mut Before,
    out: &mut Vec<u8>,
) {
    put_uint(out, event.number.wrapping_sub(before.number));
    put_time(out, event.time, before.time);
    put_fixed(out, event.place);
    let value = |nth: usize| &event.values[nth];
    put_filled(nfa, &plan.steps[depth], value, event.time, out);
    (before.number, before.time) = (event.number, event.time);
}

pub(super) fn cohorts(
    nfa: &Nfa,
    plan: &LinearPlan,
    head: Head,
    reader: &mut Reader<'_>,
) -> Result<Cohorts, Damaged> {
    if head.flags & !Head::ADMITTED != 0 {
        return Err(reader.damaged("flags of cohorts"));
    }
    let admitted = match head.has(Head::ADMITTED) {
        true => admitted(nfa, reader)?,
        false => None,
    };
    let mut state = Cohorts {
        starts: VecDeque::with_capacity(head.count.min(ROOM_MAX)),
        records: Box::default(),
        admitted,
    };
    let mut before = Before::default();
    for _ in 0..head.count {
        let start = bound(nfa, plan, 0, &mut before, reader)?;
        state.starts.push_back(start);
    }
    let mut records = Vec::with_capacity(plan.steps.len());
    let mut reached = state.starts.len();
    for depth in 1..plan.waiting() {
        let (read, count) = step(nfa, plan, depth, &state, (&records, reached), reader)?;
        records.push(read);
        reached = count;
    }
    if records.iter().any(|records| !records.is_empty()) {
        state.records = records.into();
    }
    Ok(state)
}

/// The events bound to a step, and how many starts have come to it. `before`: what was read of the steps before, and how many starts have come to the last of these.
fn step(
    nfa: &Nfa,
    plan: &LinearPlan,
    depth: usize,
    state: &Cohorts,
    (earlier, reached): (&[VecDeque<Record>], usize),
    reader: &mut Reader<'_>,
) -> Result<(VecDeque<Record>, usize), Damaged> {
    let count = reader.count()?;
    let mut records: VecDeque<Record> = VecDeque::with_capacity(count.min(ROOM_MAX));
    let (mut before, mut upto) = (Before::default(), 0);
    for _ in 0..count {
        let starts: usize = reader.narrow()?;
        let event = bound(nfa, plan, depth, &mut before, reader)?;
        let rest = reached - upto;
        if starts == 0 || starts > rest {
            return Err(reader.damaged("count of starts that have come to a step"));
        }
        upto += starts;
        let newest = state.starts[upto - 1].number;
        // What the newest of them bound just before.
        let previous = match earlier.last() {
            Some(records) => {
                let at = records.partition_point(|record| record.newest < newest);
                records[at].event.number
            }
            None => newest,
        };
        if event.number <= previous {
            return Err(reader.damaged("event after the one before"));
        }
        records.push_back(Record { event, newest });
    }
    Ok((records, upto))
}

fn bound(
    nfa: &Nfa,
    plan: &LinearPlan,
    depth: usize,
    before: &mut Before,
    reader: &mut Reader<'_>,
) -> Result<Bound, Damaged> {
    let after = number(reader)?;
    let first = before.number == 0;
    let number = limited(reader, before.number + after)?;
    let time = time(reader, before.time)?;
    if after == 0 || !first && time < before.time {
        return Err(reader.damaged("event after the one before"));
    }
    (before.number, before.time) = (number, time);
    let place = reader.fixed()?;
    let values = filled(nfa, &plan.steps[depth], time, reader)?;
    Ok(Bound {
        number,
        time,
        place,
        values: SmallVec::from_vec(values),
    })
}
