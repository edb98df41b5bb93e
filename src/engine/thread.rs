//! Threads: one per shard, one that collects rows when there are several shards, one per sink. The only part of the engine that reads clocks.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::coordination::Coordination;
use super::ending::{Ending, Going};
use super::intake::Now;
use super::keeper::Writer;
use super::meter::Spent;
use super::pump::Pump;
use super::rows::Collector;
use super::run::{Account, Parts, Watch};
use super::snapshot::{Phase, Snapshot};
use super::worker::{Failure, Turn, WorkerSetup};
use crate::checkpoint;
use crate::disk::Lock;
use crate::sink;
use crate::source;
use crate::time::Timestamp;

/// How long a thread sleeps at first when there is nothing to do; each time twice as long.
const REST_FIRST: Duration = Duration::from_micros(50);

/// How long it sleeps at most: a part of what an alert may take.
const REST_MAX: Duration = Duration::from_millis(1);

/// How long it sleeps at most once nothing has come for [`QUIET`].
const REST_QUIET: Duration = Duration::from_millis(4);

/// After this much sleep nothing is expected soon.
const QUIET: Duration = Duration::from_secs(1);

/// How long a sink's thread waits for rows before it looks around.
const SINK_REST: Duration = Duration::from_millis(100);

/// How long the coordinator of checkpoints waits for a word before it looks at the clock.
const COORDINATOR_REST: Duration = Duration::from_millis(2);

/// What the names of shards' threads begin with.
const SHARD: &str = "shard-";

/// Threads at work.
#[derive(Debug)]
pub(crate) struct Running {
    threads: Vec<JoinHandle<()>>,
    ending: Ending,
    watch: Watch,
    shared: Arc<Shared>,
    /// Of the state folder.
    _lock: Option<Lock>,
}

/// What all threads of a run have.
#[derive(Debug)]
struct Shared {
    began: Instant,
    /// The first one counts: others follow from it.
    failure: Mutex<Option<RunError>>,
}

/// A run that could not go on. The message names the source or output, why, and the way out.
#[derive(Debug)]
pub(crate) enum RunError {
    /// A source could not be read.
    Source(source::Error),
    /// A sink could not be written.
    Sink(sink::Error),
    /// State could not be read or written.
    State(checkpoint::Error),
    /// A thread ended by a panic: a mistake of ours.
    Panicked(String),
    /// A shard has stopped answering; which, and for how long.
    Stuck(String),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::Source(error) => error.fmt(f),
            RunError::Sink(error) => error.fmt(f),
            RunError::State(error) => error.fmt(f),
            RunError::Panicked(thread) => write!(
                f,
                "thread {thread} panicked; this is a mistake in leitmotif, please report it with the message above"
            ),
            RunError::Stuck(shard) => write!(
                f,
                "{shard}; either a source does not come back from reading, or this is a mistake in leitmotif"
            ),
        }
    }
}

impl std::error::Error for RunError {}

impl Running {
    /// Starts shards, sinks and what lies between.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(parts: Parts) -> std::io::Result<Running> {
        Running::drive(parts)
    }

    /// Starts the threads. Each shard is bound to a core of its own, when there are several shards and cores enough.
    fn drive(parts: Parts) -> std::io::Result<Running> {
        let Parts {
            workers,
            collector,
            pumps,
            writers,
            coordination,
            watch,
            lock,
        } = parts;
        let shared = Arc::new(Shared {
            began: Instant::now(),
            failure: Mutex::new(None),
        });
        let (going, ending) = Ending::new();
        let mut running = Running {
            threads: Vec::new(),
            ending,
            watch,
            shared,
            _lock: lock,
        };
        for (number, pump) in pumps.into_iter().enumerate() {
            running.spawn(&going, format!("sink-{number}"), move |thread| {
                thread.pump(pump)
            })?;
        }
        if let Some(collector) = collector {
            running.spawn(&going, "rows".to_owned(), |thread| {
                thread.collect(collector)
            })?;
        }
        for writer in writers {
            let number = writer.number;
            running.spawn(&going, format!("state-{number}"), |thread| {
                thread.write(writer)
            })?;
        }
        if let Some(coordination) = coordination {
            running.spawn(&going, "checkpoints".to_owned(), |thread| {
                thread.coordinate(coordination)
            })?;
        }
        let cores = cores_for(workers.len());
        for (number, setup) in workers.into_iter().enumerate() {
            let core = cores.get(number).copied();
            running.spawn(&going, format!("{SHARD}{number}"), move |thread| {
                if let Some(core) = core {
                    core_affinity::set_for_current(core);
                }
                thread.work(number, setup)
            })?;
        }
        running.watch.enter(Phase::Running);
        Ok(running)
    }

    fn spawn(
        &mut self,
        going: &Going,
        name: String,
        body: impl FnOnce(&Thread) -> Result<(), RunError> + Send + 'static,
    ) -> std::io::Result<()> {
        let thread = Thread {
            name: name.clone(),
            shared: Arc::clone(&self.shared),
            watch: self.watch.clone(),
        };
        let (span, going) = (tracing::Span::current(), going.clone());
        let run = move || {
            let _going = going;
            let _span = span.entered();
            // A panic unwinds through here: the run must end, not hang.
            let guard = Guard(&thread);
            let result = body(&thread);
            std::mem::forget(guard);
            if let Err(error) = result {
                thread.fail(error);
            }
        };
        self.threads
            .push(thread::Builder::new().name(name).spawn(run)?);
        Ok(())
    }

    /// Looks at the run from outside.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// A function that takes snapshots, for other threads.
    pub fn snapshots(&self) -> impl Fn() -> Snapshot + Clone + Send + Sync + 'static {
        let (watch, shared) = (self.watch.clone(), Arc::clone(&self.shared));
        move || watch.snapshot(shared.began.elapsed().as_secs_f64())
    }

    /// A function that tells which shard has stopped answering, if one has, for other threads.
    pub fn stuck(&self) -> impl Fn() -> Option<String> + Clone + Send + Sync + 'static {
        let (watch, shared) = (self.watch.clone(), Arc::clone(&self.shared));
        move || watch.stuck(shared.micros())
    }

    /// The shard that has not answered for so long, if there is one.
    pub fn stuck_for(&self, longest: Duration) -> Option<String> {
        let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        self.watch.stuck_for(self.shared.micros(), longest)
    }

    /// Ends a run of which a shard does not answer: that one is left to itself, and does nothing more should it ever come back.
    ///
    /// # Errors
    /// When another thread does not end either, for so long: what it writes to must not be opened again in this process.
    pub fn abandon(self, why: String, patience: Duration) -> Result<RunError, String> {
        self.shared.lock().get_or_insert(RunError::Stuck(why));
        self.watch.abandon();
        let began = Instant::now();
        let others = |thread: &JoinHandle<()>| {
            let name = thread.thread().name().unwrap_or_default();
            (!thread.is_finished() && !name.starts_with(SHARD)).then(|| name.to_owned())
        };
        while let Some(name) = self.threads.iter().find_map(others) {
            if began.elapsed() >= patience {
                return Err(name);
            }
            thread::sleep(REST_MAX);
        }
        self.watch.enter(Phase::Ended);
        let failure = self.shared.lock().take();
        Ok(failure.expect("there is one at least since just now"))
    }

    /// True once all threads have ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// True once all threads have ended, as soon as they have; false if that takes longer than `time`.
    pub fn ends_within(&self, time: Duration) -> bool {
        self.ending.within(time)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Why the run could not go on.
    ///
    /// # Panics
    /// When records were lost: that is a mistake of ours.
    pub fn wait(self) -> Result<Account, RunError> {
        for thread in self.threads {
            // Whoever panicked has said so.
            let _ = thread.join();
        }
        self.watch.enter(Phase::Ended);
        if let Some(error) = self.shared.lock().take() {
            return Err(error);
        }
        let account = self.watch.account();
        if !self.watch.is_stopping() {
            account.assert_conserved();
        }
        Ok(account)
    }
}

fn failed(failure: Failure) -> RunError {
    match failure {
        Failure::Source(error) => RunError::Source(error),
        Failure::Sink(error) => RunError::Sink(error),
        Failure::State(error) => RunError::State(error),
    }
}

/// Cores to pin shards to: none unless there are several shards and a core for each.
fn cores_for(shards: usize) -> Vec<core_affinity::CoreId> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if shards > 1 && shards <= cores.len() {
        cores
    } else {
        Vec::new()
    }
}

impl Shared {
    fn micros(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall_ms = wall.map_or(0, |since| since.as_millis() as i64);
        Now {
            wall: Timestamp(wall_ms),
            micros: self.micros(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<RunError>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sleep between turns that had nothing to do: short at first, longer the longer nothing comes.
struct Rest {
    next: Duration,
    slept: Duration,
}

impl Rest {
    fn new() -> Rest {
        Rest {
            next: REST_FIRST,
            slept: Duration::ZERO,
        }
    }

    /// Sleeps no shorter than this.
    fn deepen(&mut self, least: Duration) {
        self.next = self.next.max(least);
    }

    fn sleep(&mut self) {
        thread::sleep(self.next);
        self.slept += self.next;
        let most = if self.slept < QUIET {
            REST_MAX
        } else {
            REST_QUIET
        };
        self.next = (self.next * 2).min(most);
    }
}

/// What a thread's body has at hand.
struct Thread {
    name: String,
    shared: Arc<Shared>,
    watch: Watch,
}

struct Guard<'a>(&'a Thread);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.fail(RunError::Panicked(self.0.name.clone()));
    }
}

impl Thread {
    fn fail(&self, error: RunError) {
        self.shared.lock().get_or_insert(error);
        self.watch.fail();
    }

    fn work(&self, number: usize, setup: WorkerSetup) -> Result<(), RunError> {
        let meter = Arc::clone(self.watch.meter(number));
        // However long it takes to read its state, it is not stuck.
        meter.seen(u64::MAX);
        let mut worker = setup.build().map_err(failed)?;
        let mut rest = Rest::new();
        let mut before = self.shared.micros();
        meter.seen(before);
        loop {
            let turn = worker.turn(self.shared.now(), self.watch.order());
            let turn = turn.map_err(failed)?;
            let after = self.shared.micros();
            meter.spend(
                match turn {
                    Turn::Busy | Turn::Done => Spent::Busy,
                    Turn::Blocked => Spent::Blocked,
                    Turn::Idle => Spent::Idle,
                },
                after - before,
            );
            before = after;
            meter.seen(after);
            match turn {
                Turn::Done => {
                    meter.seen(u64::MAX);
                    return Ok(());
                }
                Turn::Busy => rest = Rest::new(),
                Turn::Blocked | Turn::Idle => {
                    if self.watch.is_stopping() && self.shared.lock().is_some() {
                        return Ok(());
                    }
                    rest.sleep();
                    let after = self.shared.micros();
                    let on = match turn {
                        Turn::Blocked => Spent::Blocked,
                        _ => Spent::Idle,
                    };
                    meter.spend(on, after - before);
                    before = after;
                }
            }
        }
    }

    fn collect(&self, mut collector: Collector) -> Result<(), RunError> {
        let mut rest = Rest::new();
        loop {
            match collector.turn().map_err(RunError::Sink)? {
                Turn::Done => return Ok(()),
                Turn::Busy => rest = Rest::new(),
                turn @ (Turn::Blocked | Turn::Idle) => {
                    if self.shared.lock().is_some() {
                        return Ok(());
                    }
                    // Busy shards finish rows once a millisecond: to look more often takes time from them.
                    if turn == Turn::Idle {
                        rest.deepen(REST_MAX);
                    }
                    rest.sleep();
                }
            }
        }
    }

    /// Writes states of one shard until the shard has ended.
    fn write(&self, mut writer: Writer) -> Result<(), RunError> {
        loop {
            if self.watch.is_abandoned() {
                return Ok(());
            }
            let turn = writer.turn(Some(SINK_REST));
            if turn.map_err(RunError::State)? == Turn::Done {
                return Ok(());
            }
        }
    }

    /// Makes checkpoints until the last one is committed, or the run has failed.
    fn coordinate(&self, mut coordination: Coordination) -> Result<(), RunError> {
        loop {
            if self.watch.has_failed() {
                coordination.give_up();
                return Ok(());
            }
            if self.watch.is_stopping() {
                coordination.coordinator.stop();
            }
            let turn = coordination.turn(
                Some(COORDINATOR_REST),
                || self.shared.micros(),
                || self.shared.now().wall,
            );
            match turn {
                Ok(Turn::Done) => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    coordination.give_up();
                    return Err(RunError::State(error));
                }
            }
        }
    }

    fn pump(&self, mut pump: Pump) -> Result<(), RunError> {
        loop {
            if self.watch.is_abandoned() {
                return Ok(());
            }
            let turn = pump.turn(Some(SINK_REST), || self.shared.micros());
            match turn.map_err(RunError::Sink)? {
                Turn::Done => return Ok(()),
                Turn::Busy | Turn::Blocked | Turn::Idle => {}
            }
        }
    }
}
