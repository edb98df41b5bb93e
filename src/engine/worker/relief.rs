//! What a shard does when memory is short: keys that were not used of late are written, if they have to be, and let go.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Worker;
use crate::engine::keeper::{Handed, Keeper, Stage};
use crate::engine::room::Room;
use crate::engine::shard::OfferedKey;
use crate::store::Batch;

/// Keys on their way out of memory.
pub(crate) struct Relief {
    room: Arc<Room>,
    /// The measurements of memory that were acted on.
    count: u64,
    /// How many more keys are to be offered.
    quota: usize,
    /// Keys that go once so much of what was handed over is written.
    offered: VecDeque<(u64, OfferedKey)>,
    /// Something was done in this turn.
    pub moved: bool,
    /// Kept for its memory.
    list: Vec<OfferedKey>,
}

impl Relief {
    pub(crate) fn new(room: Arc<Room>) -> Relief {
        Relief {
            room,
            count: 0,
            quota: 0,
            offered: VecDeque::new(),
            moved: false,
            list: Vec::new(),
        }
    }

    /// The memory that there is.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    fn is_under_way(&self) -> bool {
        self.quota > 0 || !self.offered.is_empty()
    }
}

impl Worker {
    /// Lets keys go whose time has come, and offers others.
    pub(super) fn relieve(&mut self, micros: u64) {
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        let written = keeper.written();
        let relief = &mut keeper.relief;
        relief.room.measure(micros);
        relief.moved = false;
        while let Some((_, key)) = relief.offered.pop_front_if(|(after, _)| *after <= written) {
            relief.moved = true;
            self.shard.let_go(key);
        }
        // What is written belongs to the epoch that goes on: all of the one before must be handed over.
        if !matches!(keeper.stage, Stage::Flowing) || !keeper.waiting.is_empty() {
            return;
        }
        if !relief.is_under_way() {
            relief.quota = relief.room.too_many(self.shard.hot(), &mut relief.count);
        }
        if relief.quota == 0 {
            return;
        }
        let mut batch = Batch::default();
        relief.moved = true;
        // Nobody waits for a shard that may not read.
        let turns = if relief.room.is_full() { 8 } else { 1 };
        let keys_max = relief.quota.min(turns * keeper.keys_per_turn);
        self.shard.offer(keys_max, &mut batch, &mut relief.list);
        // A round of the hand that finds nobody has taken marks, so the next one does.
        relief.quota -= relief.list.len().max(1);
        if !batch.is_empty() {
            keeper.hand(Handed::Changes(batch));
        }
        let after = keeper.handed();
        let offered = keeper.relief.list.drain(..).map(|key| (after, key));
        keeper.relief.offered.extend(offered);
        keeper.hand_on();
    }

    /// True if nothing is to be read until keys have left memory.
    pub(super) fn is_choked(&self) -> bool {
        self.keeper.as_ref().is_some_and(|keeper: &Keeper| {
            keeper.relief.room.is_full()
                && (keeper.relief.is_under_way() || !matches!(keeper.stage, Stage::Flowing))
        })
    }
}
