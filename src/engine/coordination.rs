//! What the coordinator of checkpoints decides, done: barriers asked for, manifests written, commits made known.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::control::Control;
use super::ledger::{Files, Ledger};
use super::plan::Plan;
use super::worker::Turn;
use super::{flow, pump, resume};
use crate::checkpoint::{
    Ack, Action, CommitPoint, Coordinator, Error, Folder, Gathered, Kind, Manifest, Positions,
    StoredFamily, StoredPartition, StoredShard, StoredSource, StoredType,
};
use crate::time::Timestamp;

/// How often it is looked whether somebody asks for a checkpoint.
const REQUESTS_MICROS: u64 = 200_000;

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
    pub ledger: Arc<Ledger>,
    /// Of the checkpoint before.
    pub(super) files: Files,
    pub(super) requests: Requests,
}

/// Who waits for a checkpoint.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// When it was looked for some last.
    looked: Option<u64>,
    /// Those that the next epoch to be opened answers.
    next: Vec<PathBuf>,
    /// Those that the open epoch answers.
    open: Vec<PathBuf>,
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

impl Coordination {
    /// The run cannot go on: what is open will not be committed.
    pub(crate) fn give_up(&self) {
        if self.coordinator.is_open() {
            self.ledger.failed();
        }
    }

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
        self.look_for_requests(micros());
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

    /// Whoever asks for a checkpoint gets one that begins afterwards.
    fn look_for_requests(&mut self, micros: u64) {
        let due = |looked| micros >= u64::saturating_add(looked, REQUESTS_MICROS);
        if !self.requests.looked.is_none_or(due) {
            return;
        }
        self.requests.looked = Some(micros);
        let mut found = self.folder.requests();
        found.retain(|request| !self.requests.open.contains(request));
        if !found.is_empty() {
            self.coordinator.ask();
        }
        self.requests.next = found;
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
                self.requests.open = std::mem::take(&mut self.requests.next);
                self.control.open(epoch);
            }
            Action::Commit(gathered) => {
                let (began, last) = (self.coordinator.opened_at(), gathered.last);
                let manifest = self.commit(gathered, wall())?;
                let shards = manifest.shards.iter().map(|shard| &shard.files[..]);
                let bytes = self.files.take(shards);
                let now = micros();
                self.ledger.committed(manifest.epoch, began, now, bytes);
                if last {
                    self.ledger.ended();
                }
                tracing::debug!(epoch = %manifest.epoch, micros = now.saturating_sub(began), "a checkpoint is committed");
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
        for request in self.requests.open.drain(..) {
            self.folder.unask(&request);
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
