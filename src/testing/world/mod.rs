//! A whole run on one thread: real shards, rings, collector, sources and sinks, with a seeded scheduler and a clock of its own.
//!
//! Nothing here replaces a part of the engine. What differs from real threads is who takes the next turn: here a seed decides, so that an order in which things go
//! wrong can be met again. Sources hand out a random part of what they have, sinks are slow at random, and time passes by itself.

mod durable;
mod script;

use std::sync::{Arc, Mutex, PoisonError};

pub use durable::Crashing;
pub use script::{Script, scripts};

use super::choices::Choices;
use crate::engine::{Now, Timing, reads};
use crate::engine::{Parts, Plan, SourceSetup, Turn, Watch};
use crate::event::formats::{Decoder, Format, Kinds};
use crate::key::Shards;
use crate::lang::pattern::Program;
use crate::sink::{Drain, Error, OutputSpec, Outputs, Sink, Target};
use crate::source::Source;
use crate::time::{Span, Timestamp};

/// How many turns a run may take: far more than any needs that makes progress.
const TURNS_MAX: u32 = 2_000_000;

/// What a run leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The rows of all streams, as text in the order in which they were written.
    pub rows: String,
    /// Late and malformed records, as text, sorted.
    pub rejected: Vec<String>,
}

/// A sink in memory.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Sink for Memory {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.lock().extend_from_slice(rows);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl Memory {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock()).into_owned()
    }
}

/// Runs scripts to their end on so many shards; `seed` decides who takes turns, and how much sources give.
///
/// # Panics
/// When a part fails, when a record is lost, or when nothing moves any more.
#[must_use]
pub fn run(plan: &Arc<Plan>, shards: Shards, scripts: Vec<Script>, delay: Span, seed: u64) -> Left {
    let program = plan.program();
    let (rows, side_rows) = (Memory::default(), Memory::default());
    let opened = outputs(program, ["rows", "side"], |target| {
        let to_side = *target == Target::File("side".into());
        let rows = if to_side { &side_rows } else { &rows };
        Ok(Box::new(rows.clone()))
    });
    let (outputs, drains) = opened.expect("names are right");
    let sources = sources(program, scripts, delay, seed);
    let parts = Parts::new(Arc::clone(plan), shards, sources, outputs, drains, None);
    let parts = parts.expect("nothing is gone on from");
    let watch = parts.watch.clone();
    let world = World::new(parts, seed).expect("nothing is gone on from");
    assert!(
        world.run_or_fail(),
        "scripts can be read, and memory takes rows"
    );
    let account = watch.account();
    account.assert_conserved();
    Left::new(rows.text(), &side_rows.text())
}

impl Left {
    fn new(rows: String, side: &str) -> Left {
        let mut rejected: Vec<String> = side.lines().map(str::to_owned).collect();
        rejected.sort();
        Left { rows, rejected }
    }
}

/// Outputs of a run: rows and what was evicted to one place, late and malformed records to another.
fn outputs(
    program: &Program,
    [rows, side]: [&str; 2],
    open: impl FnMut(&Target) -> Result<Box<dyn Sink>, Error>,
) -> Result<(Outputs, Vec<Drain>), Error> {
    let streams = [
        ("", rows),
        ("evicted=", rows),
        ("late=", side),
        ("malformed=", side),
    ];
    let specs = streams
        .map(|(stream, place)| OutputSpec::parse(&format!("{stream}{place}")).expect("an output"));
    Outputs::open_with(program, &specs, open)
}

/// A source per script.
fn sources(program: &Program, scripts: Vec<Script>, delay: Span, seed: u64) -> Vec<SourceSetup> {
    let projection = reads::projection(program);
    let kinds = Kinds::Told("type".to_owned());
    let sources = scripts.into_iter().enumerate().map(|(number, script)| {
        let decoder = Decoder::new(&program.schema, &projection, Format::Json, &kinds);
        let reader: Box<dyn Source> = Box::new(script.reader(seed.wrapping_add(number as u64)));
        SourceSetup {
            name: format!("script-{number}"),
            readers: vec![(reader, decoder)],
            timing: Timing {
                delay,
                ..Timing::default()
            },
        }
    });
    sources.collect()
}

/// The parts of a run; `None` once a part has ended.
struct World {
    workers: Vec<Option<crate::engine::Worker>>,
    collector: Option<crate::engine::Collector>,
    pumps: Vec<Option<crate::engine::Pump>>,
    writers: Vec<Option<crate::engine::Writer>>,
    coordination: Option<crate::engine::Coordination>,
    watch: Watch,
    choices: Choices,
    now: Now,
}

impl World {
    /// `None` when what was left behind cannot be gone on from.
    fn new(parts: Parts, seed: u64) -> Option<World> {
        let workers = parts
            .workers
            .into_iter()
            .map(|setup| Some(setup.build().ok()));
        let workers: Option<Vec<_>> = workers.flatten().map(|built| built.map(Some)).collect();
        Some(World {
            workers: workers?,
            collector: parts.collector,
            pumps: parts.pumps.into_iter().map(Some).collect(),
            writers: parts.writers.into_iter().map(Some).collect(),
            coordination: parts.coordination,
            watch: parts.watch,
            choices: Choices::from_seed(seed),
            now: Now {
                wall: Timestamp(0),
                micros: 0,
            },
        })
    }

    /// Gives turns until every part has ended; false as soon as one fails.
    ///
    /// # Panics
    /// When nothing moves any more.
    fn run_or_fail(mut self) -> bool {
        for _ in 0..TURNS_MAX {
            if self.has_ended() {
                return true;
            }
            self.now.micros += self.choices.below(200) as u64;
            let parts = self.workers.len() + 2 + self.pumps.len() + self.writers.len();
            // Some part is favoured for a while, so that others fall behind.
            let part = self.choices.below(parts.min(256));
            let times = 1 + self.choices.below(4);
            for _ in 0..times {
                if self.turn(part).is_none() {
                    return false;
                }
            }
        }
        panic!("nothing moves any more");
    }

    fn has_ended(&self) -> bool {
        self.workers.iter().all(Option::is_none)
            && self.collector.is_none()
            && self.coordination.is_none()
            && self.pumps.iter().all(Option::is_none)
            && self.writers.iter().all(Option::is_none)
    }

    /// `None` when the part has failed.
    fn turn(&mut self, part: usize) -> Option<()> {
        let (now, order) = (self.now, self.watch.order());
        let workers = self.workers.len();
        let pumps = workers + 2 + self.pumps.len();
        if part < workers {
            give(&mut self.workers[part], |worker| {
                worker.turn(now, order).ok()
            })
        } else if part == workers {
            give(&mut self.collector, |collector| collector.turn().ok())
        } else if part == workers + 1 {
            give(&mut self.coordination, |coordination| {
                coordination.turn(None, || now.micros, || now.wall).ok()
            })
        } else if part < pumps {
            give(&mut self.pumps[part - workers - 2], |pump| {
                pump.turn(None, || now.micros).ok()
            })
        } else {
            give(&mut self.writers[part - pumps], |writer| {
                writer.turn(None).ok()
            })
        }
    }
}

/// Gives a part a turn, unless it has ended.
fn give<P>(place: &mut Option<P>, turn: impl FnOnce(&mut P) -> Option<Turn>) -> Option<()> {
    if let Some(part) = place
        && turn(part)? == Turn::Done
    {
        *place = None;
    }
    Some(())
}
