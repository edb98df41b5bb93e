//! The parts of a run with durable state, joined: a keeper and a writer per shard, what each sink is told, and the coordinator.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{self, Sender};

use super::control::Control;
use super::coordination::{About, Coordination, Requests};
use super::durable::{Begun, Durable};
use super::keeper::{Keeper, QUEUE_BATCHES, Writer};
use super::ledger::{Files, Ledger};
use super::order::Ordered;
use super::plan::Plan;
use super::pump;
use super::resume::Resumed;
use super::run::SourceSetup;
use super::thread::RunError;
use super::worker::{self, Relief};
use crate::checkpoint::{Ack, Coordinator, Parties};
use crate::disk::Lock;
use crate::key::{ShardId, Shards};
use crate::sink::Drain;
use crate::store::StateStore;
use crate::store::files::Known;

/// What the parts of a run are given.
pub(super) struct Kept {
    pub acks: Sender<Ack>,
    pub writers: Vec<Writer>,
    pub coordination: Coordination,
    pub lock: Option<Lock>,
    /// In the order of shards.
    keepers: VecDeque<(Keeper, Arc<dyn StateStore>, Option<Resumed>)>,
}

impl Kept {
    /// Goes on from the newest checkpoint, or begins anew. Gives rows back that had not left.
    pub(super) fn begin(
        mut durable: Durable,
        plan: &Arc<Plan>,
        shards: Shards,
        sources: &mut [SourceSetup],
        drains: &mut [Drain],
    ) -> Result<(Kept, Vec<Ordered>), RunError> {
        let begun = durable.begin(plan, shards, sources, drains)?;
        let control = Arc::new(Control::new(begun.last));
        let (acks, received) = mpsc::channel();
        let Begun {
            resumption,
            from,
            last,
            state_id,
        } = begun;
        let (resumed, rows) = match resumption {
            Some(resumption) => (
                resumption.shards.into_iter().map(Some).collect(),
                resumption.rows,
            ),
            None => (shards.ids().map(|_| None).collect::<Vec<_>>(), Vec::new()),
        };
        let room = Arc::new(durable.room);
        let mut files = Files::default();
        let of_shards = resumed.iter().flatten();
        let (state_bytes, _) = files.take(of_shards.map(|resumed: &Resumed| &resumed.files[..]));
        let mut keepers = VecDeque::new();
        let mut writers = Vec::new();
        for (number, resumed) in resumed.into_iter().enumerate() {
            let (store, known) = match &resumed {
                Some(resumed) => (Arc::clone(&resumed.store), Known::of(&resumed.files)),
                None => {
                    let live = durable.folder.live_path(number);
                    let created = durable.stores.create(&live);
                    let created = created.map_err(|error| RunError::State(error.into()))?;
                    (created, Known::default())
                }
            };
            let (queue, handed) = mpsc::sync_channel(QUEUE_BATCHES);
            let written = Arc::new(AtomicU64::new(0));
            writers.push(Writer {
                number,
                queue: handed,
                store: Arc::clone(&store),
                folder: durable.folder.clone(),
                known,
                acks: acks.clone(),
                written: Arc::clone(&written),
            });
            let keeper = Keeper::new(
                number,
                Arc::clone(&control),
                acks.clone(),
                queue,
                written,
                durable.keys_per_turn,
                Relief::new(Arc::clone(&room)),
            );
            keepers.push_back((keeper, store, resumed));
        }
        let parties = Parties {
            shards: usize::from(shards.count()),
            sinks: drains.len(),
            collector: shards != Shards::ONE,
        };
        let interval = u64::try_from(durable.interval.as_micros()).unwrap_or(u64::MAX);
        let coordination = Coordination {
            coordinator: Coordinator::new(parties, interval, last),
            acks: received,
            control,
            keep: durable.keep,
            point: durable.point,
            about: About::new(
                plan,
                state_id,
                sources.iter().map(|source| source.name.clone()).collect(),
                drains.iter().map(|drain| drain.key.clone()).collect(),
            ),
            folder: durable.folder,
            ledger: Arc::new(Ledger::new(from, state_bytes)),
            files,
            requests: Requests::default(),
        };
        let kept = Kept {
            acks,
            writers,
            coordination,
            lock: durable.lock,
            keepers,
        };
        Ok((kept, rows))
    }

    /// What a shard is given; asked for in order, once each.
    pub(super) fn shard(&mut self, id: ShardId) -> worker::Kept {
        let next = self.keepers.pop_front();
        let (keeper, store, resumed) = next.expect("there is one for each shard");
        debug_assert_eq!(keeper.number, usize::from(id.0));
        worker::Kept {
            keeper,
            store,
            resumed,
        }
    }

    /// What a sink is given.
    pub(super) fn sink(&self, number: usize) -> pump::Keeping {
        pump::Keeping {
            number,
            control: Arc::clone(&self.coordination.control),
            acks: self.acks.clone(),
            open: None,
            hurries: false,
        }
    }
}
