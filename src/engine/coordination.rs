//! What the coordinator of checkpoints decides, done: barriers asked for, manifests written, commits made known.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::control::Control;
use super::plan::Plan;
use super::worker::Turn;
use super::{flow, pump, resume};
use crate::checkpoint::{
    Ack, Action, CommitPoint, Coordinator, Error, Folder, Gathered, Kind, Manifest, Positions,
    StoredFamily, StoredPartition, StoredShard, StoredSource, StoredType,
};
use crate::time::Timestamp;

/// The coordinator with what it acts on.
pub(crate) struct Coordination {
    pub coordinator: Coordinator,
    pub acks: Receiver<Ack>,
    pub control: Arc<Control>,
    pub folder: Folder,
    /// How many checkpoints are kept.
    pub keep: usize,
    pub point: Option<Box<dyn CommitPoint>>,
    pub about: About,
    pub meter: Arc<Meter>,
}

/// What each manifest says of the run.
pub(crate) struct About {
    types: Vec<StoredType>,
    patterns: Vec<String>,
    /// Whose event numbers are not set.
    families: Vec<StoredFamily>,
    state_id: u64,
    /// Names of sources by number, and keys of outputs.
    sources: Vec<String>,
    sinks: Vec<String>,
}

/// What can be seen of checkpoints.
#[derive(Debug, Default)]
pub(crate) struct Meter(std::sync::Mutex<Seen>);

/// What became of checkpoints so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// The last epoch that counts.
    pub epoch: u64,
    /// How many were committed by this process.
    pub count: u64,
    /// From the barrier to the commit, of the last one.
    pub duration_micros: u64,
    /// The same, of all together.
    pub sum_micros: u64,
    /// Bytes of the last one's stores.
    pub bytes: u64,
}

impl Meter {
    pub(crate) fn seen(&self) -> Seen {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Coordination {
    /// Takes words, waiting for one for `patience` if there is any, and does what follows from them and from time.
    ///
    /// # Errors
    /// When a checkpoint cannot be written or committed.
    pub(crate) fn turn(
        &mut self,
        patience: Option<Duration>,
        micros: impl Fn() -> u64,
        wall: impl Fn() -> Timestamp,
    ) -> Result<Turn, Error> {
        let mut busy = false;
        let mut next = pump::next(&self.acks, patience).ok();
        while let Some(ack) = next {
            busy = true;
            if let Some(action) = self.coordinator.on_ack(ack) {
                self.act(action, &micros, &wall)?;
            }
            next = self.acks.try_recv().ok();
        }
        if let Some(action) = self.coordinator.on_time(micros()) {
            busy = true;
            self.act(action, &micros, &wall)?;
        }
        Ok(match (self.coordinator.is_over(), busy) {
            (true, _) => Turn::Done,
            (false, true) => Turn::Busy,
            (false, false) => Turn::Idle,
        })
    }

    fn act(
        &mut self,
        action: Action,
        micros: &impl Fn() -> u64,
        wall: &impl Fn() -> Timestamp,
    ) -> Result<(), Error> {
        match action {
            Action::Open(epoch) => {
                tracing::debug!(%epoch, "a checkpoint begins");
                self.control.open(epoch);
            }
            Action::Commit(gathered) => {
                let began = self.coordinator.opened_at();
                let manifest = self.commit(gathered, wall())?;
                let mut seen = self.meter.lock();
                seen.epoch = manifest.epoch.0;
                seen.count += 1;
                seen.duration_micros = micros().saturating_sub(began);
                seen.sum_micros += seen.duration_micros;
                let files = manifest.shards.iter().flat_map(|shard| &shard.files);
                seen.bytes = files.map(|file| file.length).sum();
                tracing::debug!(epoch = %manifest.epoch, micros = seen.duration_micros, "a checkpoint is committed");
            }
        }
        Ok(())
    }

    fn commit(&mut self, gathered: Gathered, made: Timestamp) -> Result<Manifest, Error> {
        let (epoch, last) = (gathered.epoch, gathered.last);
        let manifest = self.about.manifest(gathered, made);
        self.folder.prepare(&manifest)?;
        if let Some(point) = &mut self.point {
            point.commit(epoch, &positions(&manifest))?;
        }
        self.folder.commit(epoch)?;
        self.control.commit(epoch);
        self.coordinator.committed();
        if last {
            self.control.end();
        }
        self.folder.prune(epoch, self.keep)?;
        Ok(manifest)
    }
}

/// Where every source goes on.
pub(crate) fn positions(manifest: &Manifest) -> Positions {
    let sources = manifest.sources.iter().map(|source| {
        let partitions = source.partitions.iter();
        let known = partitions.filter_map(|partition| {
            let position = partition.position.clone()?;
            Some((partition.number, position))
        });
        (source.name.clone(), known.collect())
    });
    sources.collect()
}

impl About {
    pub(crate) fn new(
        plan: &Plan,
        state_id: u64,
        sources: Vec<String>,
        sinks: Vec<String>,
    ) -> About {
        About {
            types: flow::stored_types(&plan.program().schema),
            patterns: resume::pattern_names(plan),
            families: resume::families(plan),
            state_id,
            sources,
            sinks,
        }
    }

    fn manifest(&self, gathered: Gathered, made: Timestamp) -> Manifest {
        let mut families = self.families.clone();
        let mut sources: Vec<StoredSource> = (self.sources.iter())
            .map(|name| StoredSource {
                name: name.clone(),
                partitions: Vec::new(),
            })
            .collect();
        let mut watermark_ms = i64::MAX;
        let mut shards = Vec::with_capacity(gathered.shards.len());
        for note in gathered.shards {
            for (family, number) in families.iter_mut().zip(&note.numbers) {
                family.number = family.number.max(*number);
            }
            for of in note.sources {
                sources[usize::from(of.source)]
                    .partitions
                    .push(StoredPartition {
                        number: of.partition,
                        position: of.position,
                        time: of.time,
                    });
            }
            watermark_ms = watermark_ms.min(note.watermark_ms);
            shards.push(StoredShard {
                flow: note.flow,
                files: note.files,
            });
        }
        for source in &mut sources {
            source.partitions.sort_by_key(|partition| partition.number);
        }
        Manifest {
            epoch: gathered.epoch,
            kind: Kind::Checkpoint,
            state_id: self.state_id,
            made_ms: made.0,
            ended: gathered.ended,
            watermark_ms,
            types: self.types.clone(),
            patterns: self.patterns.clone(),
            families,
            sources,
            sinks: self.sinks.iter().cloned().zip(gathered.sinks).collect(),
            rows: gathered.rows,
            shards,
        }
    }
}
