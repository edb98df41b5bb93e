//! A run at work, alone or as an instance of a group.

use std::time::Duration;

use anyhow::Result;
use leitmotif::config::{JoinConfig, Restart};
#[cfg(feature = "http")]
use leitmotif::engine::snapshot::Snapshot;
use leitmotif::engine::{Account, Checkpoints};
use leitmotif::{Progress, Supervised, Supervision};
#[cfg(feature = "kafka")]
use {
    anyhow::bail,
    leitmotif::checkpoint::{SharedFolder, SharedStorage},
    leitmotif::config::StatePlace,
    leitmotif::disk::SystemDisk,
    leitmotif::{Joined, Joining},
    std::sync::Arc,
};

use super::Setup;

/// A run at work.
pub enum Run {
    /// It reads all partitions.
    Alone(Supervised),
    /// It reads those that a group gives it.
    #[cfg(feature = "kafka")]
    Joined(Joined),
}

impl Run {
    /// Begins to read everything.
    pub fn alone(restart: Restart, setup: Setup) -> Result<Run> {
        let running = Supervision::new(restart).start(move || setup.builder())?;
        Ok(Run::Alone(running))
    }

    /// Joins a group.
    #[cfg(feature = "kafka")]
    pub fn joined(join: &JoinConfig, restart: Restart, setup: Setup) -> Result<Run> {
        let Some(state) = &setup.config.state else {
            bail!("this was refused before");
        };
        let storage = storage(&state.place)?;
        let joining = Joining::new(join.group.as_str(), storage).restart(restart);
        Ok(Run::Joined(joining.start(move || setup.builder())?))
    }

    /// Says what is missing.
    #[cfg(not(feature = "kafka"))]
    pub fn joined(_: &JoinConfig, _: Restart, _: Setup) -> Result<Run> {
        anyhow::bail!(
            "this build lacks kafka, and groups are Kafka's; build it with the feature kafka, or leave --join out"
        )
    }

    pub fn stop(&self) {
        match self {
            Run::Alone(run) => run.stop(),
            #[cfg(feature = "kafka")]
            Run::Joined(run) => run.stop(),
        }
    }

    /// True once it has ended; false if that takes longer than `time`.
    pub fn ends_within(&self, time: Duration) -> bool {
        match self {
            Run::Alone(run) => run.ends_within(time),
            #[cfg(feature = "kafka")]
            Run::Joined(run) => {
                // It takes seconds to leave a group.
                std::thread::sleep(time);
                run.has_ended()
            }
        }
    }

    /// How far it has come, if that is known: never of topics.
    pub fn progress(&self) -> Option<Progress> {
        match self {
            Run::Alone(run) => run.watch().progress(),
            #[cfg(feature = "kafka")]
            Run::Joined(_) => None,
        }
    }

    /// What became of checkpoints; in a group each partition has its own.
    pub fn checkpoints(&self) -> Option<Checkpoints> {
        match self {
            Run::Alone(run) => run.watch().checkpoints(),
            #[cfg(feature = "kafka")]
            Run::Joined(_) => None,
        }
    }

    pub fn restarts(&self) -> u64 {
        match self {
            Run::Alone(run) => run.restarts(),
            #[cfg(feature = "kafka")]
            Run::Joined(run) => run.snapshots()().restarts,
        }
    }

    #[cfg(feature = "http")]
    pub fn snapshots(&self) -> Box<dyn Fn() -> Snapshot + Send + Sync> {
        match self {
            Run::Alone(run) => Box::new(run.snapshots()),
            #[cfg(feature = "kafka")]
            Run::Joined(run) => Box::new(run.snapshots()),
        }
    }

    #[cfg(feature = "http")]
    pub fn stuck(&self) -> Box<dyn Fn() -> Option<String> + Send + Sync> {
        match self {
            Run::Alone(run) => Box::new(run.stuck()),
            #[cfg(feature = "kafka")]
            Run::Joined(run) => Box::new(run.stuck()),
        }
    }

    pub fn wait(self) -> Result<Account> {
        Ok(match self {
            Run::Alone(run) => run.wait()?,
            #[cfg(feature = "kafka")]
            Run::Joined(run) => run.wait()?,
        })
    }
}

/// Where instances hand their state on.
#[cfg(feature = "kafka")]
fn storage(place: &StatePlace) -> Result<SharedStorage> {
    Ok(match place {
        StatePlace::Folder(path) => Arc::new(SharedFolder::open(path, SystemDisk::shared())?),
        #[cfg(feature = "s3")]
        StatePlace::Objects(address) => Arc::new(leitmotif::checkpoint::Objects::open(address)?),
        #[cfg(not(feature = "s3"))]
        StatePlace::Objects(address) => bail!(
            "state \"{address}\": this build lacks object storage; build it with the feature s3, or name a folder that all instances reach"
        ),
    })
}
