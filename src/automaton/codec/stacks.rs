//! Stacks as bytes.
//!
//! Which entries follow which is not written: their numbers say it.

use std::collections::VecDeque;

use super::super::nfa::Nfa;
use super::super::run::Runs;
use super::super::stacks::{Entry, Stack, StackPlan, Stacks};
use super::registers::{filled, put_filled};
use super::{Head, ROOM_MAX, admitted, limited, number, put_admitted, put_time, time};
use crate::time::Timestamp;
use crate::wire::{Damaged, Reader, put_fixed, put_uint};

/// So many partial matches are made of stacks, whatever `bound` says now.
const SPELLED_MAX: u64 = 65_536;

pub(super) fn put(nfa: &Nfa, plan: &StackPlan, state: &Stacks, out: &mut Vec<u8>) {
    let flags = match state.admitted {
        Some(_) => Head::ADMITTED,
        None => 0,
    };
    let count = state.stacks.iter().map(|stack| stack.entries.len()).sum();
    Head { flags, count }.put(out);
    put_uint(out, state.partials(plan));
    if let Some(admitted) = &state.admitted {
        put_admitted(admitted, out);
    }
    for (depth, stack) in state.stacks.iter().enumerate() {
        put_uint(out, stack.entries.len() as u64);
        let width = plan.width(depth);
        let (mut before, mut before_time) = (0, Timestamp(0));
        for (at, entry) in stack.entries.iter().enumerate() {
            let after = entry.number.wrapping_sub(before);
            match plan.steps[depth].begins {
                true => put_uint(out, after << 1 | u64::from(entry.matched)),
                false => put_uint(out, after),
            }
            put_time(out, entry.time, before_time);
            put_fixed(out, entry.place);
            let value = |nth: usize| &stack.values[at * width + nth];
            put_filled(nfa, &plan.steps[depth].filled, value, entry.time, out);
            (before, before_time) = (entry.number, entry.time);
        }
    }
}

pub(super) fn stacks(
    nfa: &Nfa,
    plan: &StackPlan,
    head: Head,
    reader: &mut Reader<'_>,
) -> Result<Stacks, Damaged> {
    if head.flags & !Head::ADMITTED != 0 {
        return Err(reader.damaged("flags of stacks"));
    }
    let partials = reader.uint()?;
    let admitted = match head.has(Head::ADMITTED) {
        true => admitted(nfa, reader)?,
        false => None,
    };
    let mut rest = head.count;
    let mut stacks = Vec::with_capacity(plan.steps.len());
    for depth in 0..plan.steps.len() {
        let count: usize = reader.narrow()?;
        rest = match rest.checked_sub(count) {
            Some(rest) => rest,
            None => return Err(reader.damaged("count of events of a step")),
        };
        stacks.push(stack(nfa, plan, depth, count, reader)?);
    }
    let state = Stacks {
        stacks: stacks.into(),
        admitted,
    };
    let counted = state
        .counted(plan)
        .filter(|state| rest == 0 && state.partials(plan) == partials);
    counted.ok_or_else(|| reader.damaged("count of partial matches that events make"))
}

/// The partial matches that another version of the pattern left as stacks.
pub(super) fn spelled_out(
    nfa: &Nfa,
    plan: &StackPlan,
    state: &Stacks,
    reader: &Reader<'_>,
) -> Result<Runs, Damaged> {
    if state.partials(plan) > u64::from(nfa.bound.count).max(SPELLED_MAX) {
        return Err(reader.damaged("partial matches in a number that can be told apart"));
    }
    Ok(state.runs(nfa, plan))
}

fn stack(
    nfa: &Nfa,
    plan: &StackPlan,
    depth: usize,
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<Stack, Damaged> {
    let mut stack = Stack::default();
    stack.entries = VecDeque::with_capacity(count.min(ROOM_MAX));
    let (mut before, mut before_time) = (0, Timestamp(0));
    for _ in 0..count {
        let (after, matched) = match plan.steps[depth].begins {
            true => {
                let after = reader.uint()?;
                (limited(reader, after >> 1)?, after & 1 == 1)
            }
            false => (number(reader)?, false),
        };
        let first = stack.entries.is_empty();
        let number = limited(reader, before + after)?;
        let time = time(reader, before_time)?;
        if !first && (after == 0 || time < before_time) {
            return Err(reader.damaged("event after the one before"));
        }
        stack.entries.push_back(Entry {
            number,
            time,
            place: reader.fixed()?,
            paths: 0,
            matched,
        });
        let values = filled(nfa, &plan.steps[depth].filled, time, reader)?;
        stack.values.extend(values);
        (before, before_time) = (number, time);
    }
    Ok(stack)
}
