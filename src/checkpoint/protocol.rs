//! Who has to have said what before an epoch counts. Pure: whoever drives it opens epochs, writes files and passes words on.
//!
//! One epoch at a time: it is opened, every shard's part is durable, every output has prepared, rows that have not left are known; then it is prepared, and whoever
//! drives this commits it and says so. The last epoch is opened when all shards have come to their end, or the run is to stop.

use crate::epoch::Epoch;
use crate::source::SourcePosition;
use crate::store::files::FileEntry;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    pub shards: usize,
    pub sinks: usize,
    /// With several shards one part collects their rows.
    pub collector: bool,
}

/// Where a partition stood at the barrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceNote {
    /// The source's number.
    pub source: u16,
    pub partition: u32,
    pub position: Option<SourcePosition>,
    /// How far its time has come, encoded.
    pub time: Vec<u8>,
}

/// What a shard hands in when its part is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardNote {
    pub sources: Vec<SourceNote>,
    /// By member of the plan: more than the number of any event seen.
    pub numbers: Vec<u64>,
    /// Events in flight, encoded.
    pub flow: Vec<u8>,
    pub watermark_ms: i64,
    /// Files of the store.
    pub files: Vec<FileEntry>,
}

/// A party's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ack {
    Shard(usize, Epoch, ShardNote),
    Sink(usize, Epoch, Vec<u8>),
    Rows(Epoch, Vec<u8>),
    /// A shard has nothing more to do.
    Finished(usize),
    /// A sink keeps so much for its commit that the epoch had better end soon.
    Hurry(usize),
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send barriers.
    Open(Epoch),
    /// Make it durable, commit it, and say so with [`Coordinator::committed`].
    Commit(Gathered),
}

/// Everything about a prepared epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gathered {
    pub epoch: Epoch,
    pub shards: Vec<ShardNote>,
    pub sinks: Vec<Vec<u8>>,
    pub rows: Vec<u8>,
    /// Nothing follows in this process.
    pub last: bool,
    /// All sources had ended before it was opened.
    pub ended: bool,
}

/// Decides when epochs are opened and prepared.
#[derive(Debug)]
pub(crate) struct Coordinator {
    parties: Parties,
    interval_micros: u64,
    /// The last epoch opened.
    epoch: Epoch,
    opened_at: u64,
    gathering: Option<Gathering>,
    finished: Vec<bool>,
    /// Sinks that have not prepared since they wanted the epoch to end.
    hurried: Vec<bool>,
    stopping: bool,
    /// Somebody wants an epoch that is yet to be opened.
    asked: bool,
    /// The last epoch was committed.
    over: bool,
}

#[derive(Debug)]
struct Gathering {
    shards: Vec<Option<ShardNote>>,
    sinks: Vec<Option<Vec<u8>>>,
    rows: Option<Vec<u8>>,
    last: bool,
    ended: bool,
}

impl Coordinator {
    /// `last`: the newest epoch there ever was in this state folder.
    pub(crate) fn new(parties: Parties, interval_micros: u64, last: Epoch) -> Coordinator {
        Coordinator {
            finished: vec![false; parties.shards],
            hurried: vec![false; parties.sinks],
            parties,
            interval_micros,
            epoch: last,
            opened_at: 0,
            gathering: None,
            stopping: false,
            asked: false,
            over: false,
        }
    }

    /// The run is to end: with one more epoch.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    /// The next epoch is to be opened as soon as no other one is.
    pub(crate) fn ask(&mut self) {
        self.asked = true;
    }

    /// True once the last epoch was committed.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// True while an epoch is open, or prepared and not committed.
    pub(crate) fn is_open(&self) -> bool {
        self.gathering.is_some()
    }

    /// When the last epoch was opened.
    pub(crate) fn opened_at(&self) -> u64 {
        self.opened_at
    }

    /// Time has come so far.
    pub(crate) fn on_time(&mut self, micros: u64) -> Option<Action> {
        if self.gathering.is_some() || self.over {
            return None;
        }
        let ended = self.finished.iter().all(|finished| *finished);
        let last = ended || self.stopping;
        let due = micros >= self.opened_at.saturating_add(self.interval_micros)
            || self.hurried.contains(&true)
            || self.asked;
        if !(last || due) {
            return None;
        }
        self.asked = false;
        self.opened_at = micros;
        self.epoch = self.epoch.next();
        self.gathering = Some(Gathering {
            shards: vec![None; self.parties.shards],
            sinks: vec![None; self.parties.sinks],
            rows: (!self.parties.collector).then(Vec::new),
            last,
            ended,
        });
        Some(Action::Open(self.epoch))
    }

    /// A party has given its word.
    ///
    /// # Panics
    /// When it speaks of an epoch that is not open: that is a mistake of ours.
    pub(crate) fn on_ack(&mut self, ack: Ack) -> Option<Action> {
        let epoch = match &ack {
            Ack::Finished(shard) => {
                self.finished[*shard] = true;
                return None;
            }
            Ack::Hurry(sink) => {
                self.hurried[*sink] = true;
                return None;
            }
            Ack::Shard(_, epoch, _) | Ack::Sink(_, epoch, _) | Ack::Rows(epoch, _) => *epoch,
        };
        assert_eq!(epoch, self.epoch, "one epoch at a time");
        let gathering = self.gathering.as_mut();
        let gathering = gathering.expect("nobody speaks of an epoch that is prepared");
        match ack {
            Ack::Shard(shard, _, note) => gathering.shards[shard] = Some(note),
            Ack::Sink(sink, _, prepared) => {
                gathering.sinks[sink] = Some(prepared);
                self.hurried[sink] = false;
            }
            Ack::Rows(_, rows) => gathering.rows = Some(rows),
            Ack::Finished(_) | Ack::Hurry(_) => unreachable!("they speak of no epoch"),
        }
        gathering.is_complete().then(|| {
            let gathering = self.gathering.as_mut().expect("looked at just now");
            Action::Commit(gathering.take(self.epoch))
        })
    }

    /// The epoch that was to be committed is.
    pub(crate) fn committed(&mut self) {
        let gathering = self.gathering.take();
        self.over = gathering.is_some_and(|gathering| gathering.last);
    }
}

impl Gathering {
    fn is_complete(&self) -> bool {
        self.shards.iter().all(Option::is_some)
            && self.sinks.iter().all(Option::is_some)
            && self.rows.is_some()
    }

    fn take(&mut self, epoch: Epoch) -> Gathered {
        Gathered {
            epoch,
            shards: self.shards.iter_mut().filter_map(Option::take).collect(),
            sinks: self.sinks.iter_mut().filter_map(Option::take).collect(),
            rows: self.rows.take().unwrap_or_default(),
            last: self.last,
            ended: self.ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTIES: Parties = Parties {
        shards: 2,
        sinks: 1,
        collector: true,
    };

    fn ack_all(coordinator: &mut Coordinator, epoch: Epoch) -> Gathered {
        let note = ShardNote::default();
        assert_eq!(coordinator.on_ack(Ack::Sink(0, epoch, vec![1])), None);
        assert_eq!(coordinator.on_ack(Ack::Shard(1, epoch, note.clone())), None);
        assert_eq!(coordinator.on_ack(Ack::Rows(epoch, vec![2])), None);
        match coordinator.on_ack(Ack::Shard(0, epoch, note)) {
            Some(Action::Commit(gathered)) => gathered,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_epoch_is_prepared_when_all_have_given_their_word_and_only_one_is_open() {
        let mut coordinator = Coordinator::new(PARTIES, 1_000, Epoch(6));
        assert_eq!(coordinator.on_time(999), None);
        assert_eq!(coordinator.on_time(1_000), Some(Action::Open(Epoch(7))));
        assert_eq!(coordinator.on_time(5_000), None);
        let gathered = ack_all(&mut coordinator, Epoch(7));
        assert_eq!((gathered.shards.len(), gathered.last), (2, false));
        assert_eq!((gathered.sinks, gathered.rows), (vec![vec![1]], vec![2]));
        assert_eq!(coordinator.on_time(6_000), None);
        coordinator.committed();
        assert_eq!(coordinator.on_time(6_000), Some(Action::Open(Epoch(8))));
    }

    #[test]
    fn a_sink_that_is_in_a_hurry_gets_one_epoch_before_its_time() {
        let mut coordinator = Coordinator::new(PARTIES, 1_000_000, Epoch::NONE);
        assert_eq!(coordinator.on_time(10), None);
        assert_eq!(coordinator.on_ack(Ack::Hurry(0)), None);
        assert_eq!(coordinator.on_time(20), Some(Action::Open(Epoch(1))));
        ack_all(&mut coordinator, Epoch(1));
        coordinator.committed();
        assert_eq!(coordinator.on_time(30), None);
        assert_eq!(coordinator.on_time(1_000_020), Some(Action::Open(Epoch(2))));
        // It wants to be rid of rows that are before the barrier: that is done with this one.
        coordinator.on_ack(Ack::Hurry(0));
        ack_all(&mut coordinator, Epoch(2));
        coordinator.committed();
        assert_eq!(coordinator.on_time(1_000_030), None);
    }

    #[test]
    fn whoever_asks_gets_an_epoch_that_was_opened_afterwards() {
        let mut coordinator = Coordinator::new(PARTIES, 1_000_000, Epoch::NONE);
        coordinator.ask();
        assert_eq!(coordinator.on_time(10), Some(Action::Open(Epoch(1))));
        coordinator.ask();
        assert_eq!(coordinator.on_time(20), None);
        ack_all(&mut coordinator, Epoch(1));
        coordinator.committed();
        assert_eq!(coordinator.on_time(30), Some(Action::Open(Epoch(2))));
        ack_all(&mut coordinator, Epoch(2));
        coordinator.committed();
        assert_eq!(coordinator.on_time(40), None);
    }

    #[test]
    fn the_last_epoch_comes_when_all_shards_have_finished_or_the_run_is_to_stop() {
        let mut coordinator = Coordinator::new(PARTIES, 1_000_000, Epoch::NONE);
        coordinator.on_ack(Ack::Finished(0));
        assert_eq!(coordinator.on_time(10), None);
        coordinator.on_ack(Ack::Finished(1));
        assert_eq!(coordinator.on_time(20), Some(Action::Open(Epoch(1))));
        let gathered = ack_all(&mut coordinator, Epoch(1));
        assert!(gathered.last && gathered.ended);
        coordinator.committed();
        assert!(coordinator.is_over());
        assert_eq!(coordinator.on_time(30), None);
        let mut stopped = Coordinator::new(PARTIES, 1_000_000, Epoch::NONE);
        stopped.stop();
        assert_eq!(stopped.on_time(1), Some(Action::Open(Epoch(1))));
        let gathered = ack_all(&mut stopped, Epoch(1));
        assert!(gathered.last && !gathered.ended);
    }
}
