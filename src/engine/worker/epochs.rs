//! The end of an epoch in one shard: barriers sent and met, time brought as far as in all other shards, and what is kept of it.

use super::{Failure, Worker};
use crate::checkpoint::ShardNote;
use crate::engine::flow;
use crate::engine::keeper::{Handed, Keeper, Stage};
use crate::engine::link::Barrier;
use crate::epoch::Epoch;
use crate::key::Shards;
use crate::store::Batch;

impl Worker {
    /// Does what checkpoints ask for; false while a barrier is being met, when nothing may be read.
    pub(super) fn keep(&mut self, micros: u64) -> Result<bool, Failure> {
        let Some(keeper) = &mut self.keeper else {
            return Ok(true);
        };
        if !matches!(keeper.stage, Stage::Meeting { .. })
            && let Some(since) = keeper.pauses_since.take()
        {
            keeper.pause_micros = keeper.pause_micros.max(micros.saturating_sub(since));
        }
        let committed = keeper.control.committed();
        if committed > keeper.told {
            keeper.told = committed;
            self.intake.committed(committed)?;
        }
        // An epoch ends when time has passed as far as it may, so that little comes due at once.
        let shard = &self.shard;
        let abreast = |upto| shard.reach(upto) == upto;
        if let Some(epoch) = keeper.wanted()
            && (0..self.time.passed.len()).all(|level| abreast(self.time.least(level)))
        {
            keeper.epoch = epoch;
            keeper.pauses_since = Some(micros);
            let note = ShardNote {
                sources: self.intake.notes(),
                ..ShardNote::default()
            };
            keeper.stage = Stage::Meeting {
                level: 0,
                note: Box::new(note),
            };
            self.links.barrier(Barrier { epoch, level: 0 });
        }
        while let Some(Keeper {
            epoch,
            stage: Stage::Meeting { level, .. },
            ..
        }) = self.keeper
        {
            if !self.links.has_met(Barrier { epoch, level }) {
                return Ok(false);
            }
            self.meet(epoch, level)?;
        }
        self.save();
        self.relieve(micros);
        Ok(!self.is_choked())
    }

    /// All have sent the barrier of a level: what was promised of it is the same for all shards, and passes.
    fn meet(&mut self, epoch: Epoch, level: usize) -> Result<(), Failure> {
        let upto = self.time.least(level).max(self.time.passed[level]);
        if level == 0 {
            self.reorder.release(upto, &mut self.batch);
        }
        let events = std::mem::take(&mut self.batch);
        let last = match self.place.shards {
            Shards::ONE => {
                self.pass_all(events, upto);
                true
            }
            _ => {
                self.pass_level(level, events, upto);
                level + 1 == self.time.passed.len()
            }
        };
        self.links.pass_barrier();
        self.see_to_store()?;
        self.rows.write(&mut self.out, self.time.of_rows());
        let Some(keeper) = &mut self.keeper else {
            return Ok(());
        };
        let Stage::Meeting { note, .. } = std::mem::replace(&mut keeper.stage, Stage::Flowing)
        else {
            return Ok(());
        };
        if !last {
            let level = level + 1;
            keeper.stage = Stage::Meeting { level, note };
            self.links.barrier(Barrier { epoch, level });
            return Ok(());
        }
        self.end_epoch(epoch, *note);
        Ok(())
    }

    /// The epoch ends here: what is under way is noted, and states are owed.
    fn end_epoch(&mut self, epoch: Epoch, mut note: ShardNote) {
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        let waiting = self.reorder.waiting();
        flow::put_flow(&mut note.flow, waiting.iter(), self.shard.waiting());
        note.numbers = self.shard.numbers();
        note.watermark_ms = self.time.of_rows().0.0;
        let mut gone = Batch::default();
        self.shard.end_epoch(&mut gone);
        if !gone.is_empty() {
            keeper.hand(Handed::Changes(gone));
        }
        keeper.stage = Stage::Saving {
            note: Box::new(note),
        };
        self.rows.barrier(epoch);
    }

    /// Saves some states of the epoch that has ended, as they were then.
    fn save(&mut self) {
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        if !keeper.hand_on() {
            return;
        }
        let Stage::Saving { .. } = keeper.stage else {
            return;
        };
        let mut changes = Batch::default();
        let all = self.shard.save_some(keeper.keys_per_turn, &mut changes);
        if !changes.is_empty() {
            keeper.hand(Handed::Changes(changes));
        }
        if all && let Stage::Saving { note } = std::mem::replace(&mut keeper.stage, Stage::Flowing)
        {
            keeper.hand(Handed::End(keeper.epoch, note));
        }
        keeper.hand_on();
    }
}
