//! One pattern with the states of its keys in hand: to be looked at, and to become bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::automaton::{Incoming, Interest, Nfa, Outcome, Reuse, State, Tables};
use crate::event::codec::{key, put_key};
use crate::event::{Event, EventTypeId, Position, Value};
use crate::lang::pattern::{PatternId, Program};
use crate::time::Timestamp;
use crate::wire::{Damaged, Reader};

/// Patterns of every kind of state, and a test whose events leave something of each. States of them were written by earlier versions, so they don't change.
pub const PATTERNS: &str = include_str!("../../tests/fixtures/state/v2/patterns.motif");

/// A pattern with the states of its keys.
pub struct Machine {
    nfa: Nfa,
    /// By the bytes of the key.
    states: BTreeMap<Vec<u8>, State>,
    /// Events shown so far.
    number: u64,
    reuse: Reuse,
}

impl Machine {
    /// A pattern without state.
    ///
    /// # Panics
    /// If the pattern has no automaton.
    #[must_use]
    pub fn new(program: &Arc<Program>, pattern: PatternId) -> Machine {
        let nfa = Nfa::new(program, pattern, &Tables::empty(program));
        Machine {
            nfa: nfa.expect("a pattern with an automaton"),
            states: BTreeMap::new(),
            number: 0,
            reuse: Reuse::default(),
        }
    }

    /// The pattern's automaton.
    #[must_use]
    pub fn nfa(&self) -> &Nfa {
        &self.nfa
    }

    /// The states of all keys, by the bytes of the key.
    pub fn states(&self) -> impl Iterator<Item = (&[u8], &State)> {
        self.states.iter().map(|(key, state)| (&**key, state))
    }

    /// Takes a state in, from the bytes of its key and its own. Events that follow have greater numbers than those it knows of.
    ///
    /// # Errors
    /// When the bytes are damaged, or others follow.
    pub fn take(&mut self, of_key: &[u8], bytes: &[u8]) -> Result<&State, Damaged> {
        let mut reader = Reader::new(of_key);
        key(&mut reader)?;
        reader.end()?;
        let mut reader = Reader::new(bytes);
        let state = self.nfa.decode(&mut reader)?;
        reader.end()?;
        self.number = self.number.max(state.newest());
        let held = self.states.entry(of_key.to_vec());
        Ok(held.insert_entry(state).into_mut())
    }

    /// The bytes of a state.
    #[must_use]
    pub fn bytes(&self, state: &State) -> Vec<u8> {
        let mut out = Vec::new();
        self.nfa.encode(state, &mut out);
        out
    }

    /// The parts of an event's key; `None` if the pattern does not read it or a part is null.
    #[must_use]
    pub fn key(&self, event: &Event) -> Option<Vec<Value>> {
        let fields = self.nfa.key_fields(event.ty)?;
        let parts = fields.iter().map(|field| event.get(*field).clone());
        let parts: Vec<Value> = parts.collect();
        parts.iter().all(|part| !part.is_null()).then_some(parts)
    }

    /// Shows an event to the pattern: to the state of its key, which it may begin. `outcome` takes what comes of it.
    pub fn show(&mut self, event: &Event, outcome: &mut Outcome) {
        let (fits, interest) = self.nfa.look(event);
        let Some(parts) = self.key(event).filter(|_| interest != Interest::None) else {
            return;
        };
        self.number += 1;
        let mut of_key = Vec::new();
        put_key(&mut of_key, &parts);
        let held = self.states.entry(of_key);
        let state = held.or_insert_with(|| self.nfa.fresh());
        let (nfa, reuse) = (&self.nfa, &mut self.reuse);
        nfa.pass_instants(state, event.time, &parts, reuse, outcome);
        let incoming = Incoming {
            event,
            number: self.number,
            fits,
        };
        nfa.step(state, incoming, &parts, reuse, outcome);
        self.states.retain(|_, state| !state.is_empty());
    }

    /// Lets every instant up to and including `until` pass.
    ///
    /// # Panics
    /// Never: keys are checked when they are taken in.
    pub fn pass(&mut self, until: Timestamp, outcome: &mut Outcome) {
        for (of_key, state) in &mut self.states {
            let parts = key(&mut Reader::new(of_key)).expect("made of a key, or checked");
            let reuse = &mut self.reuse;
            self.nfa.pass_instants(state, until, &parts, reuse, outcome);
        }
        self.states.retain(|_, state| !state.is_empty());
    }
}

/// A pattern without a key that is shown events of one value each, a millisecond apart: of a type whose fields are a time and a whole number.
pub struct Shown {
    /// The pattern.
    pub machine: Machine,
    /// The time of the last event, in milliseconds.
    pub time: i64,
    /// What came of all events.
    pub outcome: Outcome,
}

impl Shown {
    /// The first pattern of a text.
    ///
    /// # Panics
    /// If the text has a mistake.
    #[must_use]
    pub fn of(text: &str) -> Shown {
        let program = Arc::new(super::compile(text).expect("it is right"));
        Shown {
            machine: Machine::new(&program, PatternId(0)),
            time: 0,
            outcome: Outcome::default(),
        }
    }

    /// Shows events of these values.
    pub fn show(&mut self, values: &[i64]) {
        for v in values {
            self.time += 1;
            let time = Timestamp(self.time);
            let event = Event {
                ty: EventTypeId(0),
                time,
                position: Position::default(),
                values: Box::new([Value::Timestamp(time), Value::Int(*v)]),
            };
            self.machine.show(&event, &mut self.outcome);
        }
    }

    /// The state of the only key.
    ///
    /// # Panics
    /// If nothing is left.
    #[must_use]
    pub fn state(&self) -> &State {
        self.machine.states().next().expect("there is one").1
    }

    /// Rows: time of the first event, and values.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let rows = self.outcome.drafts.iter().map(|draft| {
            let values: Vec<String> = draft.values.iter().map(Value::to_string).collect();
            format!("{} {}", draft.from.0, values.join(" "))
        });
        rows.collect()
    }
}
