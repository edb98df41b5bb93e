//! Runs that are killed and go on: state on a simulated disk, crashes at any of its operations, restarts with another number of shards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Left, Script, World};
use crate::checkpoint::Folder;
use crate::engine::{Durable, Parts, Plan, SourceSetup, Timing, reads};
use crate::event::formats::{Decoder, Format, Kinds};
use crate::key::Shards;
use crate::sink::{Opening, OutputSpec, Outputs};
use crate::source::Source;
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
        let disk = SimDisk::new();
        let mut choices = Choices::from_seed(self.seed ^ 0xc4a5);
        for life in 0..LIVES_MAX {
            let count = shards[choices.below(shards.len())];
            // The last ones live on.
            let calm = life + 20 > LIVES_MAX || choices.chance(1, 8);
            match calm {
                true => disk.calm(),
                false => disk.crash_after(choices.below(200) as u64),
            }
            if self.live(count, &disk, self.seed.wrapping_add(u64::from(life))) {
                return (left(&disk), life);
            }
            assert!(disk.is_down(), "it ended, and the machine is up");
            disk.crash(&mut choices);
        }
        panic!("the end is never reached");
    }

    /// One life; true when it came to the end of its input.
    fn live(&self, shards: Shards, disk: &SimDisk, seed: u64) -> bool {
        let shared = disk.shared();
        let Ok(folder) = Folder::open(Path::new("/state"), Arc::clone(&shared)) else {
            return false;
        };
        let mut durable = Durable::on(folder, sorts::in_memory(Arc::clone(&shared)));
        durable.interval = Duration::from_micros(2_000);
        let program = self.plan.program();
        let bind = |text: &str| OutputSpec::parse(text).expect("an output");
        let specs = [
            bind("/rows/?max=1KiB"),
            bind("evicted=/rows/?max=1KiB"),
            bind("late=/side"),
            bind("malformed=/side"),
        ];
        let mut opening = Opening::with_state("world");
        let opened = Outputs::open_with(program, &specs, |target| {
            target.open_on(Arc::clone(&shared), &mut opening)
        });
        let Ok((outputs, drains)) = opened else {
            return false;
        };
        let projection = reads::projection(program);
        let kinds = Kinds::Told("type".to_owned());
        let sources = self.scripts.iter().enumerate().map(|(number, script)| {
            let decoder = Decoder::new(&program.schema, &projection, Format::Json, &kinds);
            let reader: Box<dyn Source> =
                Box::new(script.clone().reader(seed.wrapping_add(number as u64)));
            SourceSetup {
                name: format!("script-{number}"),
                readers: vec![(reader, decoder)],
                timing: Timing {
                    delay: self.delay,
                    ..Timing::default()
                },
            }
        });
        let parts = Parts::new(
            Arc::clone(self.plan),
            shards,
            sources.collect(),
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
