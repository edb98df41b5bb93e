//! A run that begins again from its last checkpoint when it fails.
//!
//! Everything is made anew each time: sources are opened where the checkpoint has them, outputs are brought to where it has them. So what comes out is what would
//! have come out if nothing had failed. Whether and when a run begins again is decided by [`Restart`](crate::engine::Restart); what cannot be mended by it, such
//! as patterns with mistakes or a damaged state, ends at once.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{Builder, Error, ErrorKind, Running};
use crate::engine::snapshot::{Phase, Snapshot};
use crate::engine::{Account, Ending, Failures, Restart, RestartPolicy, Watch};

/// How often a run is looked at while it goes on: soon at first.
const LOOK: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(10));

/// For how long a shard must be seen not to answer after it was first seen so: a process that was halted as a whole is not stuck.
const DOUBT: Duration = Duration::from_secs(1);

/// How a run is supervised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supervision {
    restart: Restart,
    stuck: Duration,
    state: StateLies,
}

/// Whether waiting may mend what is wrong with a state at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StateLies {
    /// It may not: who looks after the folder has to.
    Here,
    /// It may: it lies in storage that can be out of reach for a while.
    #[cfg(feature = "kafka")]
    Elsewhere,
}

/// A run that begins again when it fails, on threads of its own.
#[derive(Debug)]
pub struct Supervised {
    shared: Arc<Shared>,
    ending: Ending,
    thread: JoinHandle<Result<Account, Error>>,
}

/// What others see of it.
struct Shared {
    /// `None`: it has not begun yet.
    current: Mutex<Option<Current>>,
    stop: AtomicBool,
    restarting: AtomicBool,
    restarts: AtomicU64,
    /// Checkpoints that failed in runs that are over.
    failures: AtomicU64,
}

/// The run that goes on, or was the last.
struct Current {
    watch: Watch,
    snapshots: Arc<dyn Fn() -> Snapshot + Send + Sync>,
    stuck: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

impl Supervision {
    /// A run begins again as `restart` says.
    #[must_use]
    pub fn new(restart: Restart) -> Supervision {
        Supervision {
            restart,
            stuck: Duration::from_secs(30),
            state: StateLies::Here,
        }
    }

    /// How long a shard may not answer before the run is taken for failed; 30 seconds if nothing is said. A turn of a shard takes milliseconds, unless a source of the
    /// program's own does not come back from [`poll`](crate::Source::poll).
    #[must_use]
    pub fn stuck_after(self, stuck: Duration) -> Supervision {
        Supervision { stuck, ..self }
    }

    /// Starts a run. `make` is called for each beginning and gives a builder that says the same each time; with other [state](Builder::state) than that of the
    /// run that failed, or none, what was written is written again.
    ///
    /// # Errors
    /// When it cannot begin the first time; see [`Builder::start`].
    pub fn start(
        self,
        mut make: impl FnMut() -> Builder + Send + 'static,
    ) -> Result<Supervised, Error> {
        let first = make().start()?;
        self.supervise(Some(first), make)
    }

    /// The same, of a run that may fail already when it begins the first time, with state that lies in shared storage.
    ///
    /// # Errors
    /// When there is no thread for it.
    #[cfg(feature = "kafka")]
    pub(super) fn start_with_storage(
        self,
        make: impl FnMut() -> Builder + Send + 'static,
    ) -> Result<Supervised, Error> {
        let state = StateLies::Elsewhere;
        Supervision { state, ..self }.supervise(None, make)
    }

    fn supervise(
        self,
        first: Option<Running>,
        make: impl FnMut() -> Builder + Send + 'static,
    ) -> Result<Supervised, Error> {
        let clock = Instant::now();
        let shared = Arc::new(Shared {
            current: Mutex::new(first.as_ref().map(Current::of)),
            stop: AtomicBool::new(false),
            restarting: AtomicBool::new(false),
            restarts: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        });
        let supervisor = Supervisor {
            shared: Arc::clone(&shared),
            supervision: self,
            failures: Failures::new(self.restart),
            clock,
            life: 0,
        };
        let (going, ending) = Ending::new();
        let span = tracing::Span::current();
        let thread = thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || {
                let _going = going;
                span.in_scope(|| supervisor.supervise(first, make))
            });
        let thread = thread
            .map_err(|error| Error::caused(ErrorKind::Io, "the run can't be supervised", error))?;
        Ok(Supervised {
            shared,
            ending,
            thread,
        })
    }
}

impl Supervised {
    /// Looks at the run that goes on, or was the last.
    #[must_use]
    pub fn watch(&self) -> Watch {
        let watch = self.begun();
        watch.expect("it had begun before this was given out")
    }

    /// The same; `None` before it has begun, if it may fail then.
    pub(super) fn begun(&self) -> Option<Watch> {
        let current = self.shared.lock();
        current.as_ref().map(|current| current.watch.clone())
    }

    /// True once the last checkpoint counts: what follows is nobody else's concern.
    #[cfg(feature = "kafka")]
    pub(super) fn has_settled(&self) -> bool {
        let seen = self.begun().and_then(|watch| watch.checkpoints());
        seen.is_some_and(|seen| seen.was_last())
    }

    /// Ends the run at once, and commits nothing more: somebody else goes on with its state.
    #[cfg(feature = "kafka")]
    pub(super) fn lose(&self) {
        self.stop();
        if let Some(watch) = self.begun() {
            watch.fail();
        }
    }

    /// Asks the run to end; see [`Watch::stop`]. One that has failed does not begin again.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// A function that takes snapshots of all that can be seen, for other threads. Counters begin anew with each beginning, but for those of restarts and failed checkpoints.
    pub fn snapshots(&self) -> impl Fn() -> Snapshot + Clone + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.snapshot()
    }

    /// A function that tells which shard has not answered for half a minute, if one has, for other threads.
    pub fn stuck(&self) -> impl Fn() -> Option<String> + Clone + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || {
            let stuck = Arc::clone(&shared.lock().as_ref()?.stuck);
            stuck().filter(|_| !shared.restarting.load(Ordering::Relaxed))
        }
    }

    /// How often it has begun again.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.shared.restarts.load(Ordering::Relaxed)
    }

    /// True once it has ended; then [`Supervised::wait`] returns soon.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// The same, for those who look around meanwhile: true as soon as it has ended, false if that takes longer than `time`.
    #[must_use]
    pub fn ends_within(&self, time: Duration) -> bool {
        self.ending.within(time)
    }

    /// Waits for the end. The account is that of the last beginning.
    ///
    /// # Errors
    /// Why it could not go on; [`ErrorKind::GaveUp`] when it failed too often.
    ///
    /// # Panics
    /// When records were lost: that is a mistake of ours.
    pub fn wait(self) -> Result<Account, Error> {
        match self.thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Current {
    fn of(running: &Running) -> Current {
        Current {
            watch: running.watch().clone(),
            snapshots: Arc::new(running.snapshots()),
            stuck: Arc::new(running.stuck()),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn snapshot(&self) -> Snapshot {
        let snapshots = self
            .lock()
            .as_ref()
            .map(|current| Arc::clone(&current.snapshots));
        let mut snapshot = snapshots.map_or_else(Snapshot::default, |snapshots| snapshots());
        snapshot.restarts = self.restarts.load(Ordering::Relaxed);
        if let Some(checkpoints) = &mut snapshot.checkpoints {
            checkpoints.failures += self.failures.load(Ordering::Relaxed);
        }
        if self.restarting.load(Ordering::Relaxed) {
            snapshot.phase = Phase::Restarting;
        }
        snapshot
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("stop", &self.stop)
            .field("restarts", &self.restarts)
            .finish_non_exhaustive()
    }
}

/// The thread that looks after runs.
struct Supervisor {
    shared: Arc<Shared>,
    supervision: Supervision,
    failures: Failures,
    clock: Instant,
    /// How many runs were left to themselves: each still has its live stores.
    life: u32,
}

/// Why there is no run just now.
struct Failure {
    error: Error,
    /// No restart mends it.
    fatal: bool,
}

impl Supervisor {
    fn supervise(
        mut self,
        first: Option<Running>,
        mut make: impl FnMut() -> Builder,
    ) -> Result<Account, Error> {
        let mut running = match first {
            Some(running) => running,
            None => self.begin(&mut make, None)?,
        };
        loop {
            *self.shared.lock() = Some(Current::of(&running));
            self.shared.restarting.store(false, Ordering::Relaxed);
            let began = self.clock.elapsed();
            let watch = running.watch().clone();
            let failure = match self.attend(running) {
                Ok(account) => return Ok(account),
                Err(failure) => failure,
            };
            let failed = watch.checkpoints().map_or(0, |seen| seen.failures);
            self.shared.failures.fetch_add(failed, Ordering::Relaxed);
            self.shared.restarting.store(true, Ordering::Relaxed);
            running = self.begin(&mut make, Some((failure, began)))?;
        }
    }

    /// Begins, if need be again, when it is time for it. `failed`: why the run before has, and when that began.
    fn begin(
        &mut self,
        make: &mut impl FnMut() -> Builder,
        mut failed: Option<(Failure, Duration)>,
    ) -> Result<Running, Error> {
        loop {
            if let Some((failure, since)) = failed.take() {
                self.pause(failure, since)?;
            }
            let since = self.clock.elapsed();
            match make().life(self.life).start() {
                Ok(running) => return Ok(running),
                Err(error) => failed = Some((at_start(error, self.supervision.state), since)),
            }
        }
    }

    /// Waits for the time to begin again.
    ///
    /// # Errors
    /// When it is not to.
    fn pause(&mut self, failure: Failure, began: Duration) -> Result<(), Error> {
        let Failure { error, fatal } = failure;
        let restart = self.supervision.restart;
        if fatal || self.shared.is_stopping() {
            return Err(error);
        }
        let chance = RandomState::new().build_hasher().finish();
        let Some(delay) = self.failures.failed(began, self.clock.elapsed(), chance) else {
            return Err(match self.failures.restarts() {
                0 if restart.policy == RestartPolicy::None => error,
                restarts => gave_up(&error, restarts),
            });
        };
        tracing::warn!(
            cause = %error,
            restart = self.failures.restarts(),
            in_a_row = self.failures.counted(),
            most = restart.attempts,
            delay_ms = delay.as_millis() as u64,
            "the run has failed and begins again from its last checkpoint"
        );
        let until = Instant::now() + delay;
        while Instant::now() < until {
            if self.shared.is_stopping() {
                return Err(error);
            }
            thread::sleep(LOOK.1.min(until.saturating_duration_since(Instant::now())));
        }
        self.shared
            .restarts
            .store(self.failures.restarts(), Ordering::Relaxed);
        Ok(())
    }

    /// Looks after one run until it has ended.
    fn attend(&mut self, running: Running) -> Result<Account, Failure> {
        let mut look = LOOK.0;
        let (mut silent, mut failed): (Option<Instant>, Option<Instant>) = (None, None);
        let patience = self.supervision.stuck;
        let overdue = |since: &Option<Instant>, patience: Duration| {
            since.is_some_and(|since| since.elapsed() >= patience)
        };
        while !running.ends_within(look) {
            look = (look * 2).min(LOOK.1);
            if self.shared.is_stopping() {
                running.watch().stop();
            }
            if running.watch().has_failed() {
                failed.get_or_insert_with(Instant::now);
                // The others end by themselves, unless one does not answer.
                if overdue(&failed, patience) {
                    return Err(
                        self.abandon(running, "the run has failed and does not end".to_owned())
                    );
                }
                continue;
            }
            match running.stuck_for(patience) {
                None => silent = None,
                Some(shard) => {
                    silent.get_or_insert_with(Instant::now);
                    if overdue(&silent, DOUBT.min(patience)) {
                        tracing::error!("{shard}");
                        return Err(self.abandon(running, shard));
                    }
                }
            }
        }
        running.wait().map_err(|error| Failure {
            // Whoever reads what is written has seen enough.
            fatal: error.kind() == ErrorKind::Closed,
            error,
        })
    }

    /// Leaves a run to itself of which a shard does not answer.
    fn abandon(&mut self, running: Running, why: String) -> Failure {
        self.life += 1;
        match running.abandon(why, self.supervision.stuck) {
            Ok(error) => Failure {
                error,
                fatal: false,
            },
            Err(error) => Failure { error, fatal: true },
        }
    }
}

/// A run that could not begin again. What is said wrongly stays wrong; what is gone may come back.
fn at_start(error: Error, state: StateLies) -> Failure {
    let fatal = match error.kind() {
        ErrorKind::Patterns | ErrorKind::Configuration | ErrorKind::Closed => true,
        ErrorKind::State => state == StateLies::Here,
        _ => false,
    };
    Failure { error, fatal }
}

fn gave_up(error: &Error, restarts: u64) -> Error {
    let times = if restarts == 1 { "restart" } else { "restarts" };
    Error::new(
        ErrorKind::GaveUp,
        format!("gave up after {restarts} {times}: {error}"),
    )
}
