//! Runs that are killed and go on: state on a simulated disk, crashes at any of its operations, restarts with another number of shards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Left, Script, World, outputs, sources};
use crate::checkpoint::Folder;
use crate::engine::{Durable, Parts, Plan, Room};
use crate::key::Shards;
use crate::store::sorts;
use crate::testing::choices::Choices;
use crate::testing::disk::SimDisk;
use crate::time::Span;

/// How often the world may end before a run comes to its end.
const LIVES_MAX: u32 = 200;

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
        // Short epochs, in which little happens, and long ones, in which keys vanish and come back.
        let micros = [500, 3_000][(self.seed / 4 % 2) as usize];
        durable.interval = Duration::from_micros(micros);
        // So that most states change before it is their turn to be saved.
        durable.keys_per_turn = 1;
        // So that states go to the store and come back in the middle of epochs.
        durable.room = Room::Keys([0, 1, 3, usize::MAX][(self.seed % 4) as usize]);
        let program = self.plan.program();
        let Ok(mut opening) = durable.opening() else {
            return false;
        };
        let opened = outputs(program, ["/rows/?max=1KiB", "/side"], |target| {
            target.open_on(Arc::clone(&shared), &mut opening)
        });
        let Ok((outputs, drains)) = opened else {
            return false;
        };
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

/// What whoever reads the outputs sees in the end: a folder of files, and a file.
fn left(disk: &SimDisk) -> Left {
    let (mut rows, mut rejected) = (String::new(), Vec::new());
    for (path, bytes) in disk.files() {
        let text = || String::from_utf8(bytes).expect("rows are text");
        if path.starts_with("/rows") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            assert!(!name.starts_with('.'), "{name} is left");
            rows += &text();
        } else if path == Path::new("/side") {
            rejected.extend(text().lines().map(str::to_owned));
        }
    }
    rejected.sort();
    Left { rows, rejected }
}
