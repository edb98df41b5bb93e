//! A shard's part in checkpoints: when a barrier is met, what is handed over, and the thread that writes it.
//!
//! At a barrier a shard notes where its sources stand, lets time pass on every level as far as all have promised, so that all shards have come equally far, and
//! encodes the events that wait. Of states it hands over nothing at once: they are saved while it goes on (`saving`). The [`Writer`] puts all into the shard's store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, TrySendError};
use std::time::Duration;

use super::control::Control;
use super::pump;
use super::worker::{Relief, Turn};
use crate::checkpoint::{self, Ack, Folder, ShardNote};
use crate::epoch::Epoch;
use crate::store::files::{Known, files};
use crate::store::{Batch, StateStore};

/// How many batches wait for the writer.
pub(super) const QUEUE_BATCHES: usize = 8;

/// What a shard hands over.
#[derive(Debug)]
pub(crate) enum Handed {
    Changes(Batch),
    /// All of the epoch was handed over.
    End(Epoch, Box<ShardNote>),
}

/// What a worker has to do with checkpoints.
pub(crate) struct Keeper {
    pub number: usize,
    pub control: Arc<Control>,
    pub acks: Sender<Ack>,
    pub queue: SyncSender<Handed>,
    /// What found no room, in order.
    pub waiting: VecDeque<Handed>,
    /// The last epoch whose barrier was sent.
    pub epoch: Epoch,
    pub stage: Stage,
    /// When the barrier was sent of an epoch that still keeps the shard from reading.
    pub pauses_since: Option<u64>,
    /// The longest that one did, in microseconds.
    pub pause_micros: u64,
    /// How many keys are saved in one turn.
    pub keys_per_turn: usize,
    pub relief: Relief,
    /// How many things were handed over, and how many of them are done.
    handed: u64,
    written: Arc<AtomicU64>,
    /// The last epoch that sources were told is committed.
    pub told: Epoch,
    /// It was said that nothing is left to do.
    pub finished: bool,
}

/// Where a shard stands.
#[derive(Debug)]
pub(crate) enum Stage {
    /// No epoch ends.
    Flowing,
    /// The barrier of this level was sent, and those of others are waited for.
    Meeting { level: usize, note: Box<ShardNote> },
    /// The epoch has ended here; states are being saved.
    Saving { note: Box<ShardNote> },
}

impl Keeper {
    pub(crate) fn new(
        number: usize,
        control: Arc<Control>,
        acks: Sender<Ack>,
        queue: SyncSender<Handed>,
        written: Arc<AtomicU64>,
        keys_per_turn: usize,
        relief: Relief,
    ) -> Keeper {
        let epoch = control.committed();
        Keeper {
            number,
            control,
            acks,
            queue,
            waiting: VecDeque::new(),
            epoch,
            stage: Stage::Flowing,
            pauses_since: None,
            pause_micros: 0,
            keys_per_turn,
            relief,
            handed: 0,
            written,
            told: epoch,
            finished: false,
        }
    }

    /// The epoch that is to be ended now, if one is.
    pub(super) fn wanted(&self) -> Option<Epoch> {
        let requested = self.control.requested();
        (requested > self.epoch && matches!(self.stage, Stage::Flowing)).then_some(requested)
    }

    /// True if there are states to save, and room for them.
    pub(super) fn is_saving(&self) -> bool {
        matches!(self.stage, Stage::Saving { .. }) && self.waiting.is_empty()
    }

    /// Says once that nothing is left to do.
    pub(super) fn finish(&mut self) {
        if !self.finished {
            self.finished = true;
            // The coordinator is gone only when the run has failed.
            let _ = self.acks.send(Ack::Finished(self.number));
        }
    }

    /// Hands something over, once there is room for it.
    pub(super) fn hand(&mut self, handed: Handed) {
        self.handed += 1;
        self.waiting.push_back(handed);
    }

    /// How many things were handed over.
    pub(super) fn handed(&self) -> u64 {
        self.handed
    }

    /// How many of them are in the store.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Moves what is handed over to the writer; true if next to nothing waits.
    pub(super) fn hand_on(&mut self) -> bool {
        while let Some(handed) = self.waiting.pop_front() {
            match self.queue.try_send(handed) {
                Ok(()) => {}
                Err(TrySendError::Full(handed)) => {
                    self.waiting.push_front(handed);
                    return false;
                }
                // It has failed and says so itself.
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        true
    }
}

/// Writes what one shard hands over, on a thread of its own.
pub(crate) struct Writer {
    pub number: usize,
    pub queue: Receiver<Handed>,
    pub store: Arc<dyn StateStore>,
    /// Where its parts of epochs go.
    pub folder: Folder,
    /// Files of the last part.
    pub known: Known,
    pub acks: Sender<Ack>,
    /// How many things are done.
    pub written: Arc<AtomicU64>,
}

impl Writer {
    /// Writes one batch, or waits for one for `patience`, if there is any.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(crate) fn turn(&mut self, patience: Option<Duration>) -> Result<Turn, checkpoint::Error> {
        match pump::next(&self.queue, patience) {
            Ok(Handed::Changes(batch)) => self.store.write(&batch)?,
            Ok(Handed::End(epoch, mut note)) => {
                let checkpoint = self.folder.epoch_path(epoch);
                let disk = &**self.folder.disk();
                let made = disk.make_folder(&checkpoint);
                made.map_err(|error| self.folder.failed("made", &checkpoint, &error))?;
                let part = Folder::store_path(&checkpoint, self.number);
                self.store.checkpoint(&part)?;
                note.files = files(disk, &part, &mut self.known)?;
                // The coordinator is gone only when the run has failed.
                let _ = self.acks.send(Ack::Shard(self.number, epoch, *note));
            }
            Err(TryRecvError::Empty) => return Ok(Turn::Idle),
            Err(TryRecvError::Disconnected) => return Ok(Turn::Done),
        }
        self.written.fetch_add(1, Ordering::Release);
        Ok(Turn::Busy)
    }
}
