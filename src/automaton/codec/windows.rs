//! Open windows as bytes.

use std::collections::VecDeque;

use super::super::calendar::Aligned;
use super::super::nfa::Nfa;
use super::super::window::{Pane, Sharing, WindowKind, WindowPlan, Windows};
use super::registers::{put_registers, registers};
use super::{Head, ROOM_MAX, admitted, number, put_admitted, put_time, time};
use crate::time::Timestamp;
use crate::wire::{Damaged, Reader, put_fixed, put_int, put_uint};

/// Times and numbers of aligned windows lie between this and its opposite, so that the windows around them have times.
const ALIGNED_MAX: i64 = 1 << 62;

pub(super) fn put(nfa: &Nfa, plan: &WindowPlan, state: &Windows, out: &mut Vec<u8>) {
    let mut flags = Head::WINDOWS;
    if state.admitted.is_some() {
        flags |= Head::ADMITTED;
    }
    let count = state.panes.len();
    Head { flags, count }.put(out);
    if let Some(admitted) = &state.admitted {
        put_admitted(admitted, out);
    }
    put_int(out, state.next.wrapping_sub(usual(plan, &state.panes)));
    let mut before: Option<&Pane> = None;
    for pane in &state.panes {
        if let WindowKind::Time { .. } = plan.kind {
            let number = before.map_or(0, |before| before.number);
            put_int(out, pane.number.wrapping_sub(number));
        }
        put_uint(out, pane.count);
        let time = before.map_or(Timestamp(0), |before| before.first_time);
        put_time(out, pane.first_time, time);
        put_time(out, pane.last_time, pane.first_time);
        put_fixed(out, pane.path);
        put_registers(nfa, &pane.registers, None, pane.first_time, out);
        before = Some(pane);
    }
}

/// What the number of the next window nearly always is: that of the first window over the oldest pane.
fn usual(plan: &WindowPlan, panes: &VecDeque<Pane>) -> i64 {
    match (&plan.kind, panes.front()) {
        (
            WindowKind::Time {
                windows,
                sharing: Sharing::Panes,
            },
            Some(front),
        ) => windows.first(front.number),
        _ => 0,
    }
}

pub(super) fn windows(
    nfa: &Nfa,
    plan: &WindowPlan,
    head: Head,
    reader: &mut Reader<'_>,
) -> Result<Windows, Damaged> {
    if head.has(Head::ABSENT) {
        return Err(reader.damaged("window without a negation in front"));
    }
    let admitted = match head.has(Head::ADMITTED) {
        true => admitted(nfa, reader)?,
        false => None,
    };
    let next = reader.int()?;
    let mut panes: VecDeque<Pane> = VecDeque::with_capacity(head.count.min(ROOM_MAX));
    for _ in 0..head.count {
        let pane = pane(nfa, plan, panes.back(), reader)?;
        panes.push_back(pane);
    }
    let next = next.wrapping_add(usual(plan, &panes));
    let fits = match &plan.kind {
        WindowKind::Session { .. } => next == 0,
        WindowKind::Time {
            sharing: Sharing::Apart,
            ..
        } => next == 0,
        WindowKind::Time {
            sharing: Sharing::Panes,
            windows,
        } => panes.front().is_none_or(|front| {
            (windows.first(front.number)..=windows.last(front.number)).contains(&next)
        }),
        WindowKind::Count { pane, every, .. } => {
            let full = panes.iter().rev().skip(1).all(|held| held.count == *pane);
            let newest = panes.back().is_none_or(|held| held.count <= *pane);
            full && newest && (0..i64::try_from(*every).unwrap_or(i64::MAX)).contains(&next)
        }
    };
    match fits {
        true => Ok(Windows {
            panes,
            next,
            admitted,
        }),
        false => Err(reader.damaged("window that could be the next")),
    }
}

fn pane(
    nfa: &Nfa,
    plan: &WindowPlan,
    before: Option<&Pane>,
    reader: &mut Reader<'_>,
) -> Result<Pane, Damaged> {
    let number_of_pane = match plan.kind {
        WindowKind::Time { .. } => {
            let number = reader.int()?;
            before
                .map_or(0, |before| before.number)
                .wrapping_add(number)
        }
        WindowKind::Session { .. } | WindowKind::Count { .. } => 0,
    };
    let count = number(reader)?;
    if count == 0 {
        return Err(reader.damaged("event in a window"));
    }
    let first_time = time(
        reader,
        before.map_or(Timestamp(0), |before| before.first_time),
    )?;
    let last_time = time(reader, first_time)?;
    if let WindowKind::Time { windows, sharing } = &plan.kind {
        let in_order = before.is_none_or(|before| before.number < number_of_pane);
        if !in_order || !holds(windows, *sharing, number_of_pane, first_time) {
            return Err(reader.damaged("window over its events"));
        }
    }
    Ok(Pane {
        number: number_of_pane,
        count,
        first_time,
        last_time,
        path: reader.fixed()?,
        registers: registers(nfa, None, first_time, reader)?,
    })
}

/// True if the time lies in the pane or, with windows apart, in the window of this number.
fn holds(windows: &Aligned, sharing: Sharing, number: i64, time: Timestamp) -> bool {
    let within = -ALIGNED_MAX..ALIGNED_MAX;
    if !within.contains(&time.0) || !within.contains(&number.saturating_mul(windows.every)) {
        return false;
    }
    // In a time zone the numbers follow its clock, and rules of zones are changed by their governments.
    if windows.calendar.zone.is_some() {
        return true;
    }
    let of_time = windows.calendar.number(time);
    match sharing {
        Sharing::Panes => number == of_time,
        Sharing::Apart => (windows.first(of_time)..=windows.last(of_time)).contains(&number),
    }
}
