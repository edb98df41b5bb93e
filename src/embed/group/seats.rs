//! The partitions that this instance has: one run for each, with a shard, a store, and transactions of its own.
//!
//! So a partition that is handed on ends behind a checkpoint of its own while others go on, and whoever takes it over fences whoever had it, by the id of its
//! transactions, and no one else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::checkpoint::{SharedStorage, Sharing};
use crate::embed::{Builder, Error, Supervised, Supervision};
use crate::engine::snapshot::{GroupSnapshot, Phase, Snapshot};
use crate::engine::{Account, Together};
use crate::source::kafka::member;

/// How long a partition that is handed on may take for its last checkpoint: a commit is tried as long.
const LEAVE_MAX: Duration = Duration::from_secs(75);

/// How often it is looked whether runs have ended.
const LOOK: Duration = Duration::from_millis(3);

/// What the run of each partition is made of.
pub(super) struct Recipe {
    /// A builder that says the same each time.
    pub make: Box<dyn Fn() -> Builder + Send + Sync>,
    pub supervision: Supervision,
    pub storage: SharedStorage,
    pub group: String,
    /// Whose partitions are shared.
    pub topic: String,
    /// How many partitions there are.
    pub partitions: usize,
    /// A folder on this machine that nobody else uses.
    pub scratch: PathBuf,
}

/// Runs by partition.
pub(super) struct Seats {
    recipe: Arc<Recipe>,
    table: Mutex<Table>,
    began: Instant,
    /// How many runs there were.
    count: AtomicU64,
}

#[derive(Default)]
struct Table {
    /// Of partitions that this instance has.
    taken: BTreeMap<u32, Seat>,
    /// Of partitions that are handed on or lost.
    leaving: Vec<Seat>,
    /// Partitions of which all that there was to read has been read.
    read: BTreeSet<u32>,
    /// What runs have counted that are over.
    over: Together,
    account: Account,
    failure: Option<Error>,
    rebalances: u64,
    stopping: bool,
}

/// One partition.
struct Seat {
    partition: u32,
    run: Supervised,
    folder: PathBuf,
    fate: Fate,
}

/// What becomes of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It stays here, or is handed on behind a last checkpoint.
    Owned,
    /// It is others' already.
    Lost,
}

impl Fate {
    fn tell(self, run: &Supervised) {
        match self {
            Fate::Owned => run.stop(),
            Fate::Lost => run.lose(),
        }
    }
}

impl Seats {
    pub(super) fn new(recipe: Recipe) -> Seats {
        Seats {
            recipe: Arc::new(recipe),
            table: Mutex::default(),
            began: Instant::now(),
            count: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a run. It is made anew each time that it fails, from what is in the storage: somebody else may have had the partition meanwhile.
    fn begin(&self, partition: u32) -> Result<Seat, Error> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let folder = (self.recipe.scratch).join(format!("partition-{partition}-{number}"));
        let recipe = Arc::clone(&self.recipe);
        let (within, mut time) = (folder.clone(), 0_u32);
        let make = move || {
            // A shard that hangs may have it open; then it goes with the process.
            let _ = fs::remove_dir_all(within.join(time.to_string()));
            time += 1;
            let sharing = Sharing {
                storage: Arc::clone(&recipe.storage),
                group: recipe.group.clone(),
                topic: recipe.topic.clone(),
                partition,
            };
            let live = within.join(time.to_string());
            (recipe.make)().seated(sharing, live, recipe.partitions)
        };
        // What its threads say is said of this partition.
        let span = tracing::error_span!("partition", number = partition);
        let run = span.in_scope(|| self.recipe.supervision.start_with_storage(make))?;
        Ok(Seat {
            partition,
            run,
            folder,
            fate: Fate::Owned,
        })
    }

    /// Takes note of runs that have ended.
    pub(super) fn sweep(&self) {
        let mut table = self.lock();
        let ended = |seat: &Seat| seat.run.has_ended();
        let taken: Vec<u32> = (table.taken.iter())
            .filter(|(_, seat)| ended(seat))
            .map(|(partition, _)| *partition)
            .collect();
        for partition in taken {
            let Some(seat) = table.taken.remove(&partition) else {
                continue;
            };
            match table.settle(seat) {
                Ok(()) => drop(table.read.insert(partition)),
                Err(error) => drop(table.failure.get_or_insert(error)),
            }
        }
        let leaving = std::mem::take(&mut table.leaving);
        for seat in leaving {
            if !ended(&seat) {
                table.leaving.push(seat);
                continue;
            }
            let (partition, fate) = (seat.partition, seat.fate);
            match (table.settle(seat), fate) {
                (Ok(()), _) => {}
                (Err(error), Fate::Owned) => {
                    tracing::warn!(partition, %error, "a partition was handed on without a last checkpoint; whoever goes on with it does again what came since the one before");
                }
                (Err(error), Fate::Lost) => tracing::debug!(partition, %error, "lost"),
            }
        }
    }

    /// Why this instance cannot go on.
    pub(super) fn failure(&self) -> Option<Error> {
        self.lock().failure.take()
    }

    /// True once all partitions that it has were read to their end.
    pub(super) fn are_read(&self) -> bool {
        let table = self.lock();
        table.taken.is_empty() && table.leaving.is_empty() && !table.read.is_empty()
    }

    /// Ends all runs behind a last checkpoint.
    pub(super) fn leave_all(&self) {
        let mut table = self.lock();
        table.stopping = true;
        let all: Vec<u32> = table.taken.keys().copied().collect();
        drop(table);
        member::Seats::leave(self, &all);
    }

    /// Waits for the ends of runs that were told to end.
    pub(super) fn await_ends(&self) {
        self.sweep_until(|table| table.leaving.is_empty());
    }

    /// Takes note of runs that end until it is so; false when that takes too long.
    fn sweep_until(&self, is_so: impl Fn(&Table) -> bool) -> bool {
        let began = Instant::now();
        loop {
            self.sweep();
            if is_so(&self.lock()) {
                return true;
            }
            if began.elapsed() > LEAVE_MAX {
                return false;
            }
            thread::sleep(LOOK);
        }
    }

    /// What became of everything.
    pub(super) fn account(&self) -> Account {
        self.lock().account.clone()
    }

    /// All runs seen as one.
    pub(super) fn snapshot(&self) -> Snapshot {
        let table = self.lock();
        let mut together = table.over.clone();
        for seat in table.taken.values().chain(&table.leaving) {
            together.add_live(seat.partition, seat.run.snapshots()());
        }
        let phase = table.stopping.then_some(Phase::Stopping);
        let mut snapshot = together.snapshot(self.began.elapsed().as_secs_f64(), phase);
        snapshot.group = Some(GroupSnapshot {
            name: self.recipe.group.clone(),
            partitions: table.taken.len() as u64,
            rebalances: table.rebalances,
        });
        snapshot
    }

    /// Which shard does not answer, if one does not.
    pub(super) fn stuck(&self) -> Option<String> {
        let table = self.lock();
        table.taken.values().find_map(|seat| {
            let stuck = seat.run.stuck()()?;
            Some(format!("partition {}: {stuck}", seat.partition))
        })
    }

    /// Puts these with the ones that leave, and tells each what to do.
    fn send_away(&self, partitions: &[u32], fate: Fate) {
        let mut table = self.lock();
        for partition in partitions {
            table.read.remove(partition);
            if let Some(seat) = table.taken.remove(partition) {
                fate.tell(&seat.run);
                table.leaving.push(Seat { fate, ..seat });
            }
        }
    }
}

impl Table {
    fn settle(&mut self, seat: Seat) -> Result<(), Error> {
        self.over.add_ended(seat.run.snapshots()());
        let ended = seat.run.wait();
        let _ = fs::remove_dir_all(&seat.folder);
        self.account.add(&ended?);
        Ok(())
    }
}

impl member::Seats for Seats {
    fn take(&self, partitions: &[u32]) {
        // One that had been lost may not have ended yet: it is fenced by the one that begins.
        self.send_away(partitions, Fate::Lost);
        let mut table = self.lock();
        table.rebalances += u64::from(!partitions.is_empty());
        if table.stopping {
            return;
        }
        for &partition in partitions {
            match self.begin(partition) {
                Ok(seat) => drop(table.taken.insert(partition, seat)),
                Err(error) => drop(table.failure.get_or_insert(error)),
            }
        }
    }

    fn leave(&self, partitions: &[u32]) {
        self.lock().rebalances += u64::from(!partitions.is_empty());
        self.send_away(partitions, Fate::Owned);
        // What a run does behind its last checkpoint, such as saying goodbye to brokers, others need not wait for.
        let keeps = |seat: &&Seat| partitions.contains(&seat.partition) && !seat.run.has_settled();
        if self.sweep_until(|table| !table.leaving.iter().any(|seat| keeps(&seat))) {
            return;
        }
        for seat in self.lock().leaving.iter().filter(keeps) {
            tracing::warn!(
                partition = seat.partition,
                "a partition takes too long for its last checkpoint, and is handed on without it"
            );
            seat.run.lose();
        }
    }

    fn lose(&self, partitions: &[u32]) {
        self.lock().rebalances += u64::from(!partitions.is_empty());
        self.send_away(partitions, Fate::Lost);
    }
}
