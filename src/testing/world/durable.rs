//! Runs that are killed and go on: state on a simulated disk, crashes at any of its operations, restarts with another number of shards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Left, Script, World, outputs, sources};
use crate::checkpoint::Folder;
use crate::disk::SharedDisk;
use crate::engine::{Durable, Parts, Plan};
use crate::epoch::Epoch;
use crate::key::Shards;
use crate::sink::{Error, Sink};
use crate::store::sorts;
use crate::testing::choices::Choices;
use crate::testing::disk::SimDisk;
use crate::time::Span;
use crate::wire::{Reader, put_uint};

/// How often the world may end before a run comes to its end.
const LIVES_MAX: u32 = 200;

/// A file of rows on the simulated disk, whose length is committed with each epoch.
struct Rows {
    disk: SharedDisk,
    path: &'static str,
    length: u64,
}

impl Sink for Rows {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.length += rows.len() as u64;
        self.disk.append(Path::new(self.path), rows).map_err(failed)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn prepare(&mut self, _: Epoch) -> Result<Vec<u8>, Error> {
        let path = Path::new(self.path);
        self.disk.append(path, b"").map_err(failed)?;
        self.disk.sync(path).map_err(failed)?;
        self.disk.sync(Path::new("/")).map_err(failed)?;
        let mut out = Vec::new();
        put_uint(&mut out, self.length);
        Ok(out)
    }

    fn restore(&mut self, prepared: Option<(Epoch, &[u8])>) -> Result<(), Error> {
        let path = Path::new(self.path);
        self.length = match prepared {
            Some((_, bytes)) => {
                let length = Reader::new(bytes)
                    .uint()
                    .map_err(|error| Error::new(error.to_string()))?;
                self.disk.truncate(path, length).map_err(failed)?;
                length
            }
            None => {
                self.disk.write(path, b"").map_err(failed)?;
                0
            }
        };
        Ok(())
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::new(error.to_string())
}

/// What a run with crashes is made of.
#[derive(Debug)]
pub struct Crashing<'a> {
    /// The patterns.
    pub plan: &'a Arc<Plan>,
    /// What is read.
    pub scripts: &'a [Script],
    /// How far it is out of order.
    pub delay: Span,
    /// What is left to chance.
    pub seed: u64,
}

impl Crashing<'_> {
    /// Runs to the end, however often the machine goes down on the way, each time with one of these numbers of shards.
    ///
    /// # Panics
    /// When a part fails though the machine is up, or the end is never reached.
    #[must_use]
    pub fn run(&self, shards: &[Shards]) -> (Left, u32) {
        let operations = self.operations(shards[0]);
        let disk = SimDisk::new();
        let mut choices = Choices::from_seed(self.seed ^ 0xc4a5);
        for life in 0..LIVES_MAX {
            let count = shards[choices.below(shards.len())];
            // The last ones live on.
            let calm = life + 20 > LIVES_MAX || choices.chance(1, 8);
            match calm {
                true => disk.calm(),
                false => disk.crash_after(choices.below(operations) as u64),
            }
            if self.live(count, &disk, self.seed.wrapping_add(u64::from(life))) {
                return (left(&disk), life);
            }
            assert!(disk.is_down(), "it ended, and the machine is up");
            disk.crash(&mut choices);
        }
        panic!("the end is never reached");
    }

    /// How many operations a life takes that nothing disturbs.
    fn operations(&self, shards: Shards) -> usize {
        let disk = SimDisk::new();
        assert!(self.live(shards, &disk, self.seed), "nothing disturbs it");
        // Choices are made among at most 256.
        usize::try_from(disk.operations()).map_or(256, |operations| operations.clamp(1, 256))
    }

    /// One life; true when it came to the end of its input.
    fn live(&self, shards: Shards, disk: &SimDisk, seed: u64) -> bool {
        let shared = disk.shared();
        let Ok(folder) = Folder::open(Path::new("/state"), Arc::clone(&shared)) else {
            return false;
        };
        let mut durable = Durable::on(folder, sorts::in_memory(Arc::clone(&shared)));
        durable.interval = Duration::from_micros(500);
        // So that most states change before it is their turn to be saved.
        durable.keys_per_turn = 1;
        let program = self.plan.program();
        let (outputs, drains) = outputs(program, |side| {
            Box::new(Rows {
                disk: Arc::clone(&shared),
                path: if side { "/side" } else { "/rows" },
                length: 0,
            })
        });
        let sources = sources(program, self.scripts.to_vec(), self.delay, seed);
        let parts = Parts::new(
            Arc::clone(self.plan),
            shards,
            sources,
            outputs,
            drains,
            Some(durable),
        );
        let Ok(parts) = parts else {
            return false;
        };
        World::new(parts, seed).is_some_and(World::run_or_fail)
    }
}

fn left(disk: &SimDisk) -> Left {
    let files = disk.files();
    let text = |path: &str| {
        let bytes = files.get(Path::new(path)).cloned().unwrap_or_default();
        String::from_utf8(bytes).expect("rows are text")
    };
    Left::new(text("/rows"), &text("/side"))
}
