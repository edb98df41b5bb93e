//! The reference matcher: what a program finds in a complete list of events, by definition instead of by algorithm.
//!
//! Written from `docs/semantics.md` alone. It enumerates every candidate by walking through the pattern's tree, checks every
//! rule against every event between, computes every aggregate from the list of bound events, and then
//! chooses. It shares with the engine the checked pattern, the semantics of scalars and the shape of a row, so that
//! a mistake in automata, buffers, timers or accumulators cannot hide in both.
//!
//! It is exponential where the definition is, gives up beyond a number of partial matches, sets no `match_id`,
//! and knows no `bound`.

mod choose;
mod evaluate;
mod partial;
mod walk;
mod window;

use std::cmp::Ordering;

use crate::automaton::{Row, Stream};
use crate::event::{Event, FieldId, Position, Value};
use crate::lang::pattern::{Pattern, PatternId, Program};
use crate::lang::scalar;
use crate::time::{Timestamp, Watermark};

/// The rows of each table, by table number.
pub type Tables = Vec<Vec<Box<[Value]>>>;

/// The most takes that are tried for one pattern and key before the matcher gives up.
pub const PARTIALS_MAX: usize = 20_000;

/// The rows that a program makes of all its events up to a watermark, in the defined order; `None` when there are more than `partials_max` partial
/// matches of a key. `events` are those that were not late, in any order.
#[must_use]
pub fn run(
    program: &Program,
    tables: &Tables,
    events: &[Event],
    watermark: Watermark,
    partials_max: usize,
) -> Option<Vec<Row>> {
    let mut known: Vec<Event> = events.to_vec();
    let mut decisions = Vec::new();
    for &id in &program.order {
        let of_pattern = run_pattern(program, tables, id, &known, watermark, partials_max)?;
        for (offset, decision) in of_pattern.iter().enumerate() {
            known.extend(derived(offset, &decision.row));
        }
        decisions.extend(of_pattern);
    }
    // Stable: what one pattern decided stays in its order.
    decisions.sort_by_key(|decision| (decision.row.at, decision.phase, decision.row.pattern));
    Some(decisions.into_iter().map(|decision| decision.row).collect())
}

/// The event that a row is for the patterns that read its stream.
fn derived(offset: usize, row: &Row) -> Option<Event> {
    let (Stream::Match(ty) | Stream::Timeout(ty)) = row.stream else {
        return None;
    };
    let position = Position {
        source: u16::MAX,
        partition: row.pattern.0,
        offset: offset as u64,
    };
    Some(Event {
        ty,
        time: row.at,
        position,
        values: row.values.clone(),
    })
}

/// When something is decided: at each time first the instant, then the events in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    at: Timestamp,
    /// The event's number among those of the key; `None` is the instant.
    event: Option<usize>,
}

impl Moment {
    fn instant(at: Timestamp) -> Moment {
        Moment { at, event: None }
    }
}

/// In which order rows of equal time come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Instant,
    Event,
    Expiry,
}

/// A row with what orders it among others of its pattern.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    phase: Phase,
    /// For [`Phase::Event`] the event that completed the match, by its number among those of the key.
    event: usize,
    row: Row,
}

/// What a pattern is given of one key.
pub(crate) struct History<'a> {
    pub(crate) pattern: &'a Pattern,
    pub(crate) id: PatternId,
    pub(crate) tables: &'a Tables,
    /// The column by which each table is looked up.
    pub(crate) table_keys: &'a [FieldId],
    pub(crate) key: &'a [Value],
    /// The pattern's events with the key, in order.
    pub(crate) events: &'a [&'a Event],
    pub(crate) watermark: Watermark,
    pub(crate) partials_max: usize,
}

impl History<'_> {
    pub(crate) fn time(&self, event: usize) -> Timestamp {
        self.events[event].time
    }

    pub(crate) fn moment(&self, event: usize) -> Moment {
        Moment {
            at: self.time(event),
            event: Some(event),
        }
    }

    /// True when the watermark has passed this moment.
    pub(crate) fn decided(&self, moment: Moment) -> bool {
        match moment.event {
            None => moment.at <= self.watermark.0,
            Some(_) => moment.at < self.watermark.0 || self.watermark == Watermark::FINAL,
        }
    }
}

fn run_pattern(
    program: &Program,
    tables: &Tables,
    id: PatternId,
    events: &[Event],
    watermark: Watermark,
    partials_max: usize,
) -> Option<Vec<Decision>> {
    let pattern = &program.patterns[id.0 as usize];
    let mut own: Vec<(Vec<Value>, &Event)> = events
        .iter()
        .filter_map(|event| Some((key_of(pattern, event)?, event)))
        .collect();
    own.sort_by_key(|(_, event)| (event.time, event.position));
    let own: Vec<(Vec<Value>, usize, &Event)> = own
        .into_iter()
        .enumerate()
        .map(|(number, (key, event))| (key, number, event))
        .collect();
    let mut by_key: Vec<&(Vec<Value>, usize, &Event)> = own.iter().collect();
    by_key.sort_by(|a, b| scalar::total_order_of(&a.0, &b.0));
    let table_keys: Vec<FieldId> = program.tables.iter().map(|table| table.key).collect();
    let mut decisions = Vec::new();
    for of_key in by_key.chunk_by(|a, b| scalar::total_order_of(&a.0, &b.0) == Ordering::Equal) {
        let events: Vec<&Event> = of_key.iter().map(|(_, _, event)| *event).collect();
        let key = of_key[0].0.as_slice();
        let history = History {
            pattern,
            id,
            tables,
            table_keys: &table_keys,
            key,
            events: &events,
            watermark,
            partials_max,
        };
        let of_key_decisions = match window::of(pattern) {
            Some(of) => window::run(&history, of),
            None => choose::run(&history)?,
        };
        let mut of_key_decisions = of_key_decisions;
        of_key_decisions.sort_by_key(|decision| match decision.phase {
            Phase::Event => decision.event,
            Phase::Instant | Phase::Expiry => 0,
        });
        decisions.extend(of_key_decisions);
    }
    // Stable: keys stay in order, and within a key the order of its events and of choice.
    decisions.sort_by_key(|decision| (decision.row.at, decision.phase));
    Some(decisions)
}

/// The key of an event; `None` when the pattern does not read its type or a part of the key is null.
fn key_of(pattern: &Pattern, event: &Event) -> Option<Vec<Value>> {
    let input = pattern.inputs.iter().find(|input| input.ty == event.ty)?;
    let key: Vec<Value> = input
        .key
        .iter()
        .map(|&field| event.get(field).clone())
        .collect();
    key.iter().all(|part| !part.is_null()).then_some(key)
}
