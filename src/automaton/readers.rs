//! Who reads an event of one type, found without asking everybody.
//!
//! A family whose every step of the type asks for `kind == "x"` is of no use to other kinds: that is its [`Guard`]. Readers with a guard are
//! found by the value of the field; only the others are asked each time. What is found still has to be judged: a guard is necessary, not sufficient.

use std::mem::discriminant;

use super::expression::Compiled;
use super::lookup::{Ask, Bounds, ByValue};
use crate::event::formats::{self, Asked};
use crate::event::{Event, FieldId, Value};
use crate::lang::pattern::BinaryOp;

/// What an event must satisfy to be of any use to somebody.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Guard {
    /// By field: values of which it must have one.
    one_of: Vec<(FieldId, Vec<Value>)>,
    /// Bounds that it must satisfy.
    beyond: Vec<(FieldId, BinaryOp, Value)>,
}

impl Guard {
    /// What one of these conditions asks at least; each is a list of parts that must all hold. `None` if nothing is asked.
    pub(crate) fn of<'a>(conditions: impl Iterator<Item = Vec<&'a Compiled>>) -> Option<Guard> {
        let asked = |parts: Vec<&'a Compiled>| {
            let guard = Guard::all(parts.into_iter().filter_map(Ask::of));
            guard.asks().then_some(guard)
        };
        Guard::one_of(conditions.map(asked))
    }

    /// What holds if one of these does, each of which asks for something. `None` if nothing is asked.
    pub(crate) fn one_of(guards: impl Iterator<Item = Option<Guard>>) -> Option<Guard> {
        let joined = guards.reduce(|guard, next| Some(guard?.or(next?)).filter(Guard::asks));
        joined.flatten()
    }

    fn asks(&self) -> bool {
        !self.one_of.is_empty() || !self.beyond.is_empty()
    }

    /// The same, as a decoder asks it beforehand.
    pub(crate) fn beforehand(&self) -> Vec<formats::Ask> {
        let one_of = self.one_of.iter().map(|(field, values)| formats::Ask {
            field: *field,
            asked: Asked::OneOf(values.clone()),
        });
        let beyond = self.beyond.iter().map(|(field, op, value)| formats::Ask {
            field: *field,
            asked: match op {
                BinaryOp::Lt | BinaryOp::Le => Asked::AtMost(value.clone()),
                _ => Asked::AtLeast(value.clone()),
            },
        });
        one_of.chain(beyond).collect()
    }

    fn all<'a>(asks: impl Iterator<Item = Ask<'a>>) -> Guard {
        let (mut one_of, mut beyond) = (Vec::new(), Vec::new());
        for ask in asks {
            match ask {
                Ask::OneOf(field, values) => {
                    one_of.push((field, values.into_iter().cloned().collect()));
                }
                Ask::Beyond(field, op, value) => beyond.push((field, outward(op), value.clone())),
            }
        }
        Guard { one_of, beyond }
    }

    /// What holds if one of both does.
    fn or(self, other: Guard) -> Guard {
        let one_of = self.one_of.into_iter().filter_map(|(field, mut values)| {
            let (_, more) = other.one_of.iter().find(|(other, _)| *other == field)?;
            for value in more {
                if !values.contains(value) {
                    values.push(value.clone());
                }
            }
            Some((field, values))
        });
        let beyond = self.beyond.into_iter().filter_map(|(field, op, value)| {
            let (.., weaker) = other.beyond.iter().find(|(other, other_op, bound)| {
                *other == field && *other_op == op && discriminant(bound) == discriminant(&value)
            })?;
            let (bounds, _) = Bounds::new(op, vec![(value.clone(), ())]);
            // The bound that the other satisfies is the weaker one.
            let weakest = if bounds.satisfied(weaker) == 1 {
                value
            } else {
                weaker.clone()
            };
            Some((field, op, weakest))
        });
        Guard {
            one_of: one_of.collect(),
            beyond: beyond.collect(),
        }
    }
}

/// The operator that lets the constant through too.
fn outward(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt | BinaryOp::Le => BinaryOp::Le,
        _ => BinaryOp::Ge,
    }
}

/// Readers of one event type, by number.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// Those who are asked about every event.
    always: Vec<u32>,
    by_value: Vec<(FieldId, ByValue<Vec<u32>>)>,
    /// Readers stand in the order of the bounds.
    by_bound: Vec<(FieldId, Bounds, Vec<u32>)>,
    all: u32,
}

/// A reader and its bound.
type Bounded = (Value, u32);

/// From how many readers on a table is quicker than asking them all.
const TABLE_FROM: usize = 5;

impl Readers {
    /// The readers with what they ask; rising numbers.
    pub(crate) fn new(readers: &[(u32, Option<Guard>)]) -> Readers {
        let mut made = Readers {
            all: u32::try_from(readers.len()).expect("fewer than 2^32 patterns fit into memory"),
            ..Readers::default()
        };
        let mut bounds: Vec<(FieldId, BinaryOp, Vec<Bounded>)> = Vec::new();
        let tell_apart = variety(readers);
        for (reader, guard) in readers {
            let guard = guard.as_ref().filter(|_| readers.len() >= TABLE_FROM);
            let Some(guard) = guard else {
                made.always.push(*reader);
                continue;
            };
            // The field with the most values over all readers sends an event to the fewest of them.
            let rank = |field: FieldId| {
                let found = tell_apart.iter().find(|(other, _)| *other == field);
                found.map_or(0, |(_, values)| *values)
            };
            if let Some((field, values)) = guard.one_of.iter().max_by_key(|(f, _)| rank(*f)) {
                let table = made.table(*field);
                for value in values {
                    let found = table.entry(value, Vec::new);
                    if found.last() != Some(reader) {
                        found.push(*reader);
                    }
                }
            } else if let Some((field, op, value)) = guard.beyond.first() {
                let place = bounds.iter_mut().find(|(other, other_op, bounds)| {
                    let ty = discriminant(&bounds[0].0);
                    other == field && other_op == op && ty == discriminant(value)
                });
                let bound = (value.clone(), *reader);
                match place {
                    Some((.., bounds)) => bounds.push(bound),
                    None => bounds.push((*field, *op, vec![bound])),
                }
            }
        }
        for (field, op, of_field) in bounds {
            let (bounds, readers) = Bounds::new(op, of_field);
            made.by_bound.push((field, bounds, readers));
        }
        made
    }

    fn table(&mut self, field: FieldId) -> &mut ByValue<Vec<u32>> {
        let at = self.by_value.iter().position(|(other, _)| *other == field);
        let at = at.unwrap_or_else(|| {
            self.by_value.push((field, ByValue::default()));
            self.by_value.len() - 1
        });
        &mut self.by_value[at].1
    }

    /// True if nobody reads the type.
    pub(crate) fn is_empty(&self) -> bool {
        self.all == 0
    }

    /// Those to whom the event may be of use, each once, in order. `found` is memory.
    #[inline]
    pub(crate) fn of(&self, event: &Event, found: &mut Vec<u32>, mut to: impl FnMut(u32)) {
        if self.by_value.is_empty() && self.by_bound.is_empty() {
            self.always.iter().for_each(|reader| to(*reader));
            return;
        }
        found.clear();
        found.extend_from_slice(&self.always);
        for (field, table) in &self.by_value {
            table
                .find(event.get(*field))
                .for_each(|readers| found.extend_from_slice(readers));
        }
        for (field, bounds, readers) in &self.by_bound {
            found.extend_from_slice(&readers[..bounds.satisfied(event.get(*field))]);
        }
        found.sort_unstable();
        found.dedup();
        found.drain(..).for_each(to);
    }
}

/// How many different values readers ask of each field.
fn variety(readers: &[(u32, Option<Guard>)]) -> Vec<(FieldId, usize)> {
    let mut tables: Vec<(FieldId, ByValue<()>)> = Vec::new();
    let asked = readers.iter().filter_map(|(_, guard)| guard.as_ref());
    for (field, values) in asked.flat_map(|guard| &guard.one_of) {
        let at = tables.iter().position(|(other, _)| other == field);
        let at = at.unwrap_or_else(|| {
            tables.push((*field, ByValue::default()));
            tables.len() - 1
        });
        for value in values {
            tables[at].1.entry(value, || ());
        }
    }
    let counted = |(field, table): (FieldId, ByValue<()>)| (field, table.all().count());
    tables.into_iter().map(counted).collect()
}
