//! A run put together: shards, rings, collector and pumps, ready to be driven by threads or by a simulation; and what can be seen of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::board::Board;
use super::coordination::Coordination;
use super::durable::Durable;
use super::intake::{Counts, Reading, Timing};
use super::keeper::Writer;
use super::keeping::Kept;
use super::ledger::{Ledger, Seen};
use super::link;
use super::meter::{ShardMeter, ShardReport, told};
use super::plan::Plan;
use super::pump::Pump;
use super::reasons::Reasons;
use super::rows::{self, Collector};
use super::snapshot::{
    Activity, Histogram, OutputSnapshot, PartitionSnapshot, PatternSnapshot, Phase, Snapshot,
    SourceSnapshot, StandingSnapshot,
};
use super::thread::RunError;
use super::worker::{Order, WorkerSetup};
use crate::automaton::Tally;
use crate::disk::Lock;
use crate::event::formats::Decoder;
use crate::key::Shards;
use crate::sink::{Drain, Feed, LATENCY_MICROS, Outputs};
use crate::source::{Progress, Source, Standing};

/// A turn takes far less than a second; one that takes this long will not end.
const STUCK_MICROS: u64 = 30_000_000;

/// A source of a run.
pub(crate) struct SourceSetup {
    /// The name under which it is spoken of.
    pub name: String,
    /// Its readers, which share its partitions, each with what understands the records. They are dealt to the shards in turn.
    pub readers: Vec<(Box<dyn Source>, Decoder)>,
    /// How its time passes.
    pub timing: Timing,
}

/// The moving parts of a run.
pub(crate) struct Parts {
    pub workers: Vec<WorkerSetup>,
    /// With more than one shard.
    pub collector: Option<Collector>,
    pub pumps: Vec<Pump>,
    /// Of a run with durable state: a writer per shard, and the coordinator.
    pub writers: Vec<Writer>,
    pub coordination: Option<Coordination>,
    pub watch: Watch,
    /// Held for as long as the run lasts.
    pub lock: Option<Lock>,
}

/// Looks at a run, and may stop it. Cheap to clone; does not keep anything from ending.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    plan: Arc<Plan>,
    sources: Vec<WatchedSource>,
    board: Arc<Board>,
    meters: Vec<Arc<ShardMeter>>,
    feeds: Vec<Feed>,
    stop: AtomicBool,
    /// Of a run with durable state.
    state: Option<Arc<Ledger>>,
    failed: AtomicBool,
    /// A shard does not answer: nobody waits for it.
    abandoned: AtomicBool,
    phase: AtomicU8,
}

#[derive(Debug)]
struct WatchedSource {
    name: String,
    /// Number of the partition and its entry of the board, by number.
    partitions: Vec<(u32, usize)>,
    /// By topic and partition.
    standings: Vec<Standing>,
}

/// What became of a run, or of what there was so far.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// By source in the order of their numbers.
    pub sources: Vec<(String, Counts)>,
    /// Why records took no part.
    pub reasons: Reasons,
    /// By pattern in order of declaration.
    pub tallies: Vec<Tally>,
    /// Rows written to sinks.
    pub rows: u64,
    /// From the arrival of the event that completed a match to its row being written.
    pub latency: Histogram,
}

impl Parts {
    /// Puts a run together. With durable state it goes on from where that was left.
    ///
    /// # Errors
    /// When that is impossible.
    pub(crate) fn new(
        plan: Arc<Plan>,
        shards: Shards,
        mut sources: Vec<SourceSetup>,
        outputs: Outputs,
        mut drains: Vec<Drain>,
        durable: Option<Durable>,
    ) -> Result<Parts, RunError> {
        let kept = durable
            .map(|durable| Kept::begin(durable, &plan, shards, &mut sources, &mut drains))
            .transpose()?;
        let (mut kept, rows) = match kept {
            Some((kept, rows)) => (Some(kept), rows),
            None => (None, Vec::new()),
        };
        let acks = kept.as_ref().map(|kept| kept.acks.clone());
        let partitions = sources.iter().flat_map(|source| &source.readers);
        let partitions = partitions
            .map(|(reader, _)| reader.partitions().len())
            .sum();
        let board = Arc::new(Board::new(partitions, shards));
        let meters: Vec<Arc<ShardMeter>> = shards.ids().map(|_| Arc::default()).collect();
        let feeds = drains.iter().map(|drain| drain.feed.clone());
        let feeds = feeds.chain(outputs.typed_feed()).collect();
        let (ways, collector) = rows::ways(shards, outputs, rows, acks);
        let mut workers: Vec<WorkerSetup> = shards
            .ids()
            .zip(link::mesh(shards))
            .zip(ways)
            .zip(&meters)
            .map(|(((id, links), rows), meter)| WorkerSetup {
                id,
                shards,
                plan: Arc::clone(&plan),
                board: Arc::clone(&board),
                links,
                rows,
                meter: Arc::clone(meter),
                readings: Vec::new(),
                keeping: kept.as_mut().map(|kept| kept.shard(id)),
            })
            .collect();
        let watched = deal(sources, &mut workers);
        let pumps = drains.into_iter().enumerate().map(|(number, drain)| {
            let pump = Pump::new(drain.queue, drain.sink, drain.feed);
            match &kept {
                Some(kept) => pump.keeping(kept.sink(number)),
                None => pump,
            }
        });
        let pumps = pumps.collect();
        let state = kept
            .as_ref()
            .map(|kept| Arc::clone(&kept.coordination.ledger));
        let (writers, coordination, lock) = match kept {
            Some(kept) => (kept.writers, Some(kept.coordination), kept.lock),
            None => (Vec::new(), None, None),
        };
        Ok(Parts {
            workers,
            collector,
            pumps,
            writers,
            coordination,
            lock,
            watch: Watch(Arc::new(Watched {
                plan,
                sources: watched,
                board,
                meters,
                feeds,
                stop: AtomicBool::new(false),
                state,
                failed: AtomicBool::new(false),
                abandoned: AtomicBool::new(false),
                phase: AtomicU8::new(Phase::Starting as u8),
            })),
        })
    }
}

/// Deals readers to workers in turn.
fn deal(sources: Vec<SourceSetup>, workers: &mut [WorkerSetup]) -> Vec<WatchedSource> {
    let mut entries = 0;
    let mut turn = (0..workers.len()).cycle();
    let mut watched = Vec::with_capacity(sources.len());
    for (number, source) in (0..u16::MAX).zip(sources) {
        let (mut partitions, mut standings) = (Vec::new(), Vec::new());
        for (reader, decoder) in source.readers {
            let entry = entries;
            standings.extend(reader.standings());
            for partition in reader.partitions() {
                partitions.push((partition, entries));
                entries += 1;
            }
            let reading = Reading {
                source: number,
                name: source.name.as_str().into(),
                reader,
                decoder,
                timing: source.timing,
            };
            let to = turn.next().expect("there is a worker");
            workers[to].readings.push((reading, entry));
        }
        partitions.sort_unstable();
        standings.sort_by(|a, b| (a.topic(), a.partition()).cmp(&(b.topic(), b.partition())));
        watched.push(WatchedSource {
            name: source.name,
            partitions,
            standings,
        });
    }
    watched
}

impl Watch {
    /// Asks the run to end: nothing more is read, what is finished is written.
    pub fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
        self.enter(Phase::Stopping);
    }

    /// What workers are to do. With durable state they end behind a last checkpoint, unless a part has failed.
    pub(crate) fn order(&self) -> Order {
        let stopping = match self.0.state {
            Some(_) => self.has_failed(),
            None => self.is_stopping(),
        };
        match stopping {
            true => Order::Stop,
            false => Order::GoOn,
        }
    }

    /// A part cannot go on: all are to end.
    pub(crate) fn fail(&self) {
        self.0.failed.store(true, Ordering::Relaxed);
        self.stop();
    }

    /// All but those who do not answer are to end, without waiting for them.
    pub(crate) fn abandon(&self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
        self.fail();
    }

    /// True if a shard does not answer, and nobody waits for it.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.abandoned.load(Ordering::Relaxed)
    }

    /// True if a part cannot go on.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// What became of checkpoints; `None` without durable state.
    #[must_use]
    pub fn checkpoints(&self) -> Option<Seen> {
        self.0.state.as_ref().map(|ledger| ledger.seen())
    }

    /// True if the run was asked to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    /// Goes on to a phase; never back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.0.phase.fetch_max(phase as u8, Ordering::Relaxed);
    }

    pub(crate) fn meter(&self, shard: usize) -> &Arc<ShardMeter> {
        &self.0.meters[shard]
    }

    /// The shard that has not ended a turn for longer than it may, if there is one. `micros`: the run's clock.
    pub(crate) fn stuck(&self, micros: u64) -> Option<String> {
        self.stuck_for(micros, STUCK_MICROS)
    }

    /// The shard that has not ended a turn for so long, if there is one.
    pub(crate) fn stuck_for(&self, micros: u64, longest: u64) -> Option<String> {
        let silent = self
            .0
            .meters
            .iter()
            .map(|meter| meter.silent_micros(micros));
        let (shard, silent) = silent.enumerate().max_by_key(|(_, silent)| *silent)?;
        (silent > longest).then(|| {
            let seconds = silent / 1_000_000;
            format!("shard {shard} has not answered for {seconds}s")
        })
    }

    /// How far all sources together have been read; `None` when that is not known of one of them.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        let mut sum = Progress::default();
        for meter in &self.0.meters {
            let progress = meter.progress()?;
            sum.done += progress.done;
            sum.total += progress.total;
        }
        Some(sum)
    }

    /// What became of everything so far; at most a moment old, exact once the run has ended.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account_of(&self.reports())
    }

    fn reports(&self) -> Vec<ShardReport> {
        self.0.meters.iter().map(|meter| meter.read()).collect()
    }

    fn account_of(&self, reports: &[ShardReport]) -> Account {
        let watched = &*self.0;
        let mut account = Account {
            sources: (watched.sources.iter())
                .map(|source| (source.name.clone(), Counts::default()))
                .collect(),
            tallies: vec![Tally::default(); watched.plan.program().patterns.len()],
            rows: watched.feeds.iter().map(Feed::rows).sum(),
            latency: latency(&watched.feeds),
            ..Account::default()
        };
        for report in reports {
            for (source, counts) in &report.counts {
                account.sources[usize::from(*source)].1.add(*counts);
            }
            for (total, tally) in account.tallies.iter_mut().zip(&report.tallies) {
                *total += *tally;
            }
            account.reasons.add(&report.reasons);
        }
        account
    }

    /// Everything that can be seen. `uptime`: seconds since the start. Costs a lock per shard and copies of what they report; a few times a second is fine.
    #[must_use]
    pub(crate) fn snapshot(&self, uptime_seconds: f64) -> Snapshot {
        let watched = &*self.0;
        let reports = self.reports();
        let account = self.account_of(&reports);
        let sources = watched.sources.iter().zip(&account.sources);
        let patterns = watched.plan.program().patterns.iter().zip(&account.tallies);
        Snapshot {
            uptime_seconds,
            phase: self.phase(),
            restarts: 0,
            sources: sources
                .map(|(source, (_, counts))| self.source(source, *counts))
                .collect(),
            shards: ((0..).zip(&watched.meters).zip(&reports))
                .map(|((number, meter), report)| meter.snapshot(number, report))
                .collect(),
            patterns: (0..)
                .zip(patterns)
                .map(|(at, (pattern, tally))| PatternSnapshot {
                    name: pattern.name.clone(),
                    matches: tally.matches - tally.suppressed,
                    timeouts: tally.timeouts,
                    suppressed: tally.suppressed,
                    evicted: tally.evicted,
                    partials: partials(&reports, at),
                })
                .collect(),
            outputs: watched.feeds.iter().map(output).collect(),
            detection_latency: account.latency,
            checkpoints: self.checkpoints().map(|seen| seen.snapshot(uptime_seconds)),
            group: None,
        }
    }

    fn phase(&self) -> Phase {
        let phases = [
            Phase::Starting,
            Phase::Running,
            Phase::Stopping,
            Phase::Ended,
        ];
        phases[usize::from(self.0.phase.load(Ordering::Relaxed))]
    }

    fn source(&self, source: &WatchedSource, counts: Counts) -> SourceSnapshot {
        let partitions = source.partitions.iter().map(|(partition, entry)| {
            let (watermark, activity) = self.0.board.entry(*entry);
            PartitionSnapshot {
                partition: *partition,
                watermark_ms: told(watermark).filter(|_| activity != Activity::Ended),
                activity,
            }
        });
        SourceSnapshot {
            name: source.name.clone(),
            read: counts.read,
            processed: counts.processed,
            late: counts.late,
            malformed: counts.malformed,
            filtered: counts.filtered,
            bytes: counts.bytes,
            partitions: partitions.collect(),
            standings: source.standings.iter().map(standing).collect(),
        }
    }
}

fn standing(standing: &Standing) -> StandingSnapshot {
    StandingSnapshot {
        topic: standing.topic().to_owned(),
        partition: standing.partition(),
        lag: standing.lag(),
        tombstones: standing.tombstones(),
    }
}

/// Partial matches of one pattern over all shards.
fn partials(reports: &[ShardReport], pattern: usize) -> Vec<(String, u64)> {
    let mut sum: Vec<(String, u64)> = Vec::new();
    for of_shard in reports
        .iter()
        .filter_map(|report| report.partials.get(pattern))
    {
        for (step, count) in of_shard {
            match sum.iter_mut().find(|(name, _)| name == step) {
                Some((_, total)) => *total += count,
                None => sum.push((step.clone(), *count)),
            }
        }
    }
    sum
}

fn output(feed: &Feed) -> OutputSnapshot {
    OutputSnapshot {
        name: feed.name().to_owned(),
        rows: feed.rows(),
        bytes: feed.bytes(),
        retries: feed.retries(),
        queue_fill: feed.fill(),
    }
}

fn latency(feeds: &[Feed]) -> Histogram {
    let mut counts = vec![0; LATENCY_MICROS.len() + 1];
    let mut sum_micros = 0;
    for feed in feeds {
        let (of_feed, micros) = feed.latency();
        sum_micros += micros;
        for (total, count) in counts.iter_mut().zip(of_feed) {
            *total += count;
        }
    }
    let above = counts.pop().unwrap_or(0);
    let bounds = LATENCY_MICROS.iter().map(|micros| *micros as f64 / 1e6);
    Histogram {
        buckets: bounds.zip(counts).collect(),
        above,
        sum_seconds: sum_micros as f64 / 1e6,
    }
}

impl Account {
    /// Adds what became of another run of the same program with the same sources.
    #[cfg(feature = "kafka")]
    pub(crate) fn add(&mut self, other: &Account) {
        if self.sources.is_empty() {
            self.sources.clone_from(&other.sources);
        } else {
            let sources = self.sources.iter_mut().zip(&other.sources);
            sources.for_each(|((_, ours), (_, theirs))| ours.add(*theirs));
        }
        self.tallies.resize(other.tallies.len(), Tally::default());
        let tallies = self.tallies.iter_mut().zip(&other.tallies);
        tallies.for_each(|(ours, theirs)| *ours += *theirs);
        self.reasons.add(&other.reasons);
        self.rows += other.rows;
        self.latency.add(&other.latency);
    }

    /// Panics unless every record read had exactly one outcome.
    pub(crate) fn assert_conserved(&self) {
        for (name, counts) in &self.sources {
            assert!(
                counts.is_conserved(),
                "source \"{name}\": {counts:?} do not add up"
            );
        }
    }
}
