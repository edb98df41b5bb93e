//! Patterns over ordered events: who gets which event, in which order, and in which order rows come out.
//!
//! An [`Engine`] is one shard: it owns the state of its keys and is driven from outside with sorted events and a watermark. It reads no
//! clock and does no I/O. Patterns are shown a batch one after the other, in an order in which each stands after those
//! whose streams it reads; the rows of the batch are then put into the order of time.

mod directory;
pub mod intake;
mod keyed;
pub mod reads;
pub mod reorder;
pub mod snapshot;
mod timers;
pub mod watermark;

use std::sync::Arc;

use crate::automaton::{Nfa, Row, Stream, Tables, Tally, TooComplex};
use crate::event::{Event, EventTypeId, Position};
use crate::lang::pattern::{PatternId, Program};
use crate::time::{Timestamp, Watermark};
use keyed::{Keyed, Moment};

/// A pattern that has no automaton.
#[derive(Debug)]
pub struct Error {
    pattern: String,
    cause: TooComplex,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pattern `{}`: {}", self.pattern, self.cause)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// One shard of a running program.
#[derive(Debug)]
pub struct Engine {
    program: Arc<Program>,
    /// In the order in which they are shown events.
    patterns: Vec<Keyed>,
    watermark: Watermark,
    batch: Vec<Ordered>,
}

/// A row with its place in the order of rows.
#[derive(Debug)]
struct Ordered {
    moment: Moment,
    row: Row,
}

/// An event that a pattern made, waiting until its time is over.
#[derive(Debug)]
struct Derived {
    from: PatternId,
    event: Event,
}

impl Engine {
    /// Builds the automata of a program.
    ///
    /// # Errors
    ///
    /// If a pattern combines to more ways on than an automaton holds.
    pub fn new(program: Arc<Program>, tables: &Tables) -> Result<Engine, Error> {
        let mut patterns = Vec::with_capacity(program.patterns.len());
        for &id in &program.order {
            let name = &program.patterns[id.0 as usize].name;
            let nfa = Nfa::new(&program, id, tables).map_err(|cause| Error {
                pattern: name.clone(),
                cause,
            })?;
            patterns.push(Keyed::new(nfa, id));
        }
        Ok(Engine {
            program,
            patterns,
            watermark: Watermark::NONE,
            batch: Vec::new(),
        })
    }

    /// Another engine of the same automata, without any state. Cheaper than [`Engine::new`], which builds them.
    #[must_use]
    pub fn anew(&self) -> Engine {
        Engine {
            program: Arc::clone(&self.program),
            patterns: self.patterns.iter().map(Keyed::anew).collect(),
            watermark: Watermark::NONE,
            batch: Vec::new(),
        }
    }

    /// The program it runs.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Shows `events` to every pattern and lets time pass up to `watermark`. Rows are appended in order.
    ///
    /// `events` are sorted by (time, position); all of them, and none that is still to come, lie before `watermark`. Cost: one pass
    /// per pattern over the batch, and one sort of its rows.
    pub fn advance(&mut self, events: &[Event], watermark: Watermark, out: &mut Vec<Row>) {
        debug_assert!(
            events
                .windows(2)
                .all(|pair| (pair[0].time, pair[0].position) <= (pair[1].time, pair[1].position))
        );
        debug_assert!(watermark >= self.watermark);
        self.watermark = watermark;
        for at in 0..self.patterns.len() {
            let Some((pattern, later)) = self.patterns[at..].split_first_mut() else {
                break;
            };
            let first = self.batch.len();
            pattern.advance(events, watermark, |moment, row| {
                self.batch.push(Ordered { moment, row })
            });
            hand_on(&self.batch[first..], pattern.id(), later);
        }
        self.batch.sort_by(|a, b| {
            (a.row.at, a.moment, a.row.pattern).cmp(&(b.row.at, b.moment, b.row.pattern))
        });
        out.extend(self.batch.drain(..).map(|ordered| ordered.row));
    }

    /// What each pattern did so far, in order of declaration.
    #[must_use]
    pub fn tallies(&self) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.program.patterns.len()];
        for pattern in &self.patterns {
            tallies[pattern.id().0 as usize] = pattern.tally();
        }
        tallies
    }

    /// How many keys have state, and how many partial matches and open windows there are, over all patterns.
    #[must_use]
    pub fn live(&self) -> (usize, usize) {
        self.patterns
            .iter()
            .map(Keyed::live)
            .fold((0, 0), |(keys, partials), (k, p)| (keys + k, partials + p))
    }
}

/// Gives rows, as events of their stream, to the patterns that read them.
fn hand_on(rows: &[Ordered], from: PatternId, later: &mut [Keyed]) {
    for reader in later {
        for Ordered { row, .. } in rows {
            let (Stream::Match(ty) | Stream::Timeout(ty)) = row.stream else {
                continue;
            };
            if reader.reads(ty) {
                reader.receive(Derived {
                    from,
                    event: derived(row, ty, from),
                });
            }
        }
    }
}

fn derived(row: &Row, ty: EventTypeId, from: PatternId) -> Event {
    // Streams come after all sources; the match id is the same however the input was cut into batches.
    let position = Position {
        source: u16::MAX,
        partition: from.0,
        offset: row.match_id,
    };
    Event {
        ty,
        time: row.at,
        position,
        values: row.values.clone(),
    }
}

/// True if a time lies before a watermark: nothing of that time follows.
fn is_over(time: Timestamp, watermark: Watermark) -> bool {
    time < watermark.0
}
