//! Running values as bytes, in the order of their descriptions.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::chain::Chain;
use super::super::linear::FilledStep;
use super::super::nfa::Nfa;
use super::super::register::{Accumulator, Ordered, RegisterKind, Registers};
use super::super::structure::Kept;
use super::{number, put_time, time};
use crate::event::codec::{position, put_position, put_value, value};
use crate::event::{Event, Value};
use crate::lang::pattern::AggregateFunction;
use crate::time::Timestamp;
use crate::wire::{Damaged, Reader, put_bool, put_uint};

/// `neighbour`: registers of the run before, with which some values may be shared. `from`: the time of the first event.
pub(super) fn put_registers(
    nfa: &Nfa,
    registers: &[Accumulator],
    neighbour: Option<&[Accumulator]>,
    from: Timestamp,
    out: &mut Vec<u8>,
) {
    for &at in &nfa.layout.registers {
        let at = usize::from(at);
        let neighbour = neighbour.map(|neighbour| &neighbour[at]);
        let register = (nfa.registers.specs[at].kind, &registers[at]);
        put_register(nfa, register, neighbour, from, out);
    }
}

pub(super) fn registers<R: FromIterator<Accumulator>>(
    nfa: &Nfa,
    neighbour: Option<&[Accumulator]>,
    from: Timestamp,
    reader: &mut Reader<'_>,
) -> Result<R, Damaged> {
    let order = &nfa.layout.registers;
    let mut registers = Registers::with_capacity(order.len());
    for &at in order {
        let at = usize::from(at);
        let neighbour = neighbour.map(|neighbour| &neighbour[at]);
        let kind = nfa.registers.specs[at].kind;
        registers.push(register(nfa, kind, neighbour, from, reader)?);
    }
    if !order.is_sorted() {
        let mut numbered: Vec<_> = order.iter().zip(registers).collect();
        numbered.sort_by_key(|(at, _)| **at);
        registers = numbered.into_iter().map(|(_, register)| register).collect();
    }
    Ok(registers.into_iter().collect())
}

/// Appends what an event of a step fills, by its place among that. `from`: the event's time.
pub(super) fn put_filled<'v>(
    nfa: &Nfa,
    step: &FilledStep,
    value: impl Fn(usize) -> &'v Accumulator,
    from: Timestamp,
    out: &mut Vec<u8>,
) {
    for nth in places(nfa, step) {
        let kind = nfa.registers.kind(step.registers[nth]);
        put_register(nfa, (kind, value(nth)), None, from, out);
    }
}

/// What an event of a step fills, in the order of the plan.
pub(super) fn filled(
    nfa: &Nfa,
    step: &FilledStep,
    from: Timestamp,
    reader: &mut Reader<'_>,
) -> Result<Vec<Accumulator>, Damaged> {
    let mut values = Vec::with_capacity(step.registers.len());
    for nth in places(nfa, step) {
        let kind = nfa.registers.kind(step.registers[nth]);
        values.push((nth, register(nfa, kind, None, from, reader)?));
    }
    values.sort_by_key(|(nth, _)| *nth);
    Ok(values.into_iter().map(|(_, value)| value).collect())
}

/// The places of registers among those that a step fills, in the order of their descriptions.
fn places<'a>(nfa: &'a Nfa, step: &'a FilledStep) -> impl Iterator<Item = usize> + 'a {
    let described = nfa.layout.registers.iter();
    described.filter_map(|at| step.registers.iter().position(|other| other == at))
}

fn put_register(
    nfa: &Nfa,
    (kind, register): (RegisterKind, &Accumulator),
    neighbour: Option<&Accumulator>,
    from: Timestamp,
    out: &mut Vec<u8>,
) {
    match register {
        Accumulator::Value(value) => {
            if matches!(kind, RegisterKind::Function(AggregateFunction::First, _)) {
                put_bool(out, true);
            }
            put_value(out, value);
        }
        Accumulator::Unset => put_bool(out, false),
        Accumulator::Count(count) => put_uint(out, count.cast_unsigned()),
        Accumulator::Avg(mean) => {
            let (sum, count) = &**mean;
            put_value(out, sum);
            put_uint(out, count.cast_unsigned());
        }
        Accumulator::Distinct(values) => {
            if let Some(Accumulator::Distinct(other)) = neighbour {
                let shared = Arc::ptr_eq(values, other);
                put_bool(out, shared);
                if shared {
                    return;
                }
            }
            put_uint(out, values.len() as u64);
            values.iter().for_each(|value| put_value(out, &value.0));
        }
        Accumulator::Collect(list) => {
            let neighbour = match neighbour {
                Some(Accumulator::Collect(other)) => Some(other),
                _ => None,
            };
            for value in put_chain(list, neighbour, out) {
                put_value(out, value);
            }
        }
        Accumulator::Rows(rows) => {
            let neighbour = match neighbour {
                Some(Accumulator::Rows(other)) => Some(other),
                _ => None,
            };
            let mut before = from;
            for event in put_chain(rows, neighbour, out) {
                put_event(&nfa.layout.kept, event, before, out);
                before = event.time;
            }
        }
    }
}

fn register(
    nfa: &Nfa,
    kind: RegisterKind,
    neighbour: Option<&Accumulator>,
    from: Timestamp,
    reader: &mut Reader<'_>,
) -> Result<Accumulator, Damaged> {
    use AggregateFunction as F;
    let RegisterKind::Function(function, _) = kind else {
        let neighbour = match neighbour {
            Some(Accumulator::Rows(other)) => Some(other),
            _ => None,
        };
        let mut before = from;
        let rows = chain(neighbour, reader, |reader| {
            let event = event(&nfa.layout.kept, before, reader)?;
            before = event.time;
            Ok(Arc::new(event))
        });
        return rows.map(Accumulator::Rows);
    };
    Ok(match function {
        F::First if !reader.bool()? => Accumulator::Unset,
        F::First | F::Last | F::Min | F::Max | F::Sum => Accumulator::Value(value(reader)?),
        F::Count => Accumulator::Count(number(reader)?.cast_signed()),
        F::Avg => {
            let sum = value(reader)?;
            Accumulator::Avg(Box::new((sum, number(reader)?.cast_signed())))
        }
        F::Distinct => Accumulator::Distinct(match neighbour {
            Some(Accumulator::Distinct(other)) if reader.bool()? => Arc::clone(other),
            _ => Arc::new(distinct(reader)?),
        }),
        F::Collect => {
            let neighbour = match neighbour {
                Some(Accumulator::Collect(other)) => Some(other),
                _ => None,
            };
            Accumulator::Collect(chain(neighbour, reader, value)?)
        }
    })
}

/// Values in their order, each once.
fn distinct(reader: &mut Reader<'_>) -> Result<BTreeSet<Ordered>, Damaged> {
    let count = reader.count()?;
    let mut values: Vec<Ordered> = Vec::new();
    for _ in 0..count {
        let value = Ordered(value(reader)?);
        if values.last().is_some_and(|last| *last >= value) {
            return Err(reader.damaged("value beyond the one before"));
        }
        values.push(value);
    }
    Ok(values.into_iter().collect())
}

/// Appends how much of a list is the neighbour's, if there is one, and how many values follow; gives those.
fn put_chain<'c, T: Clone>(
    list: &'c Chain<T>,
    neighbour: Option<&Chain<T>>,
    out: &mut Vec<u8>,
) -> Vec<&'c T> {
    let shared = neighbour.map(|neighbour| list.shared(neighbour));
    if let Some(shared) = shared {
        put_uint(out, shared as u64);
    }
    let rest = list.after(shared.unwrap_or(0));
    put_uint(out, rest.len() as u64);
    rest
}

fn chain<T: Clone>(
    neighbour: Option<&Chain<T>>,
    reader: &mut Reader<'_>,
    mut value: impl FnMut(&mut Reader<'_>) -> Result<T, Damaged>,
) -> Result<Chain<T>, Damaged> {
    let mut list = Chain::default();
    if let Some(neighbour) = neighbour {
        let shared: usize = reader.narrow()?;
        if shared > neighbour.len() {
            return Err(reader.damaged("values of the run before"));
        }
        list = neighbour.beginning(shared);
    }
    for _ in 0..reader.count()? {
        list.push(value(reader)?);
    }
    Ok(list)
}

/// Appends what rows may read of an event: its type, if there is more than one, time, position, and fields.
fn put_event(kept: &[Kept], event: &Event, before: Timestamp, out: &mut Vec<u8>) {
    let at = kept.iter().position(|kept| kept.ty == event.ty);
    let at = at.expect("only steps bind events, and each has its type here");
    if kept.len() > 1 {
        put_uint(out, at as u64);
    }
    put_time(out, event.time, before);
    put_position(out, event.position);
    for field in &kept[at].fields {
        put_value(out, event.get(*field));
    }
}

/// Fields that no row reads are null.
fn event(kept: &[Kept], before: Timestamp, reader: &mut Reader<'_>) -> Result<Event, Damaged> {
    let at = match kept.len() {
        1 => 0,
        _ => reader.narrow()?,
    };
    let Some(kept) = kept.get(at) else {
        return Err(reader.damaged("type of an event"));
    };
    let time = time(reader, before)?;
    let position = position(reader)?;
    let mut values = vec![Value::Null; kept.width];
    for field in &kept.fields {
        values[usize::from(field.0)] = value(reader)?;
    }
    Ok(Event {
        ty: kept.ty,
        time,
        position,
        values: values.into(),
    })
}
