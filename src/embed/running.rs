//! An engine on threads of its own.

use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Error, ErrorKind, Match};
use crate::engine::snapshot::Snapshot;
use crate::engine::{self, Account, Watch};

/// An engine at work on threads of its own. Dropping this does not end it; [`Watch::stop`] and [`Running::wait`] do.
///
/// ```
/// use std::sync::mpsc::sync_channel;
/// use leitmotif::Engine;
///
/// let (queue, matches) = sync_channel(100);
/// let running = Engine::builder()
///     .patterns_text("small.motif", "event Txn { ts: timestamp time, card: string, amount: decimal }
///         pattern small { key card match a: Txn where amount < 1 within 1s emit tiny { card, amount: a.amount } }")
///     .source("cards", "Txn=generate:cards?events=10000&seed=7")
///     .shards(2)
///     .matches_to(queue)
///     .start()?;
/// let found = matches.iter().count();
/// let account = running.wait()?;
/// assert!(found > 0);
/// assert_eq!(account.rows, found as u64);
/// assert_eq!(account.sources[0].1.read, 10_000);
/// # Ok::<(), leitmotif::Error>(())
/// ```
#[derive(Debug)]
pub struct Running {
    inner: engine::Running,
    taker: Option<Taker>,
}

/// The thread that calls the program with matches.
#[derive(Debug)]
pub(super) struct Taker(JoinHandle<()>);

impl Taker {
    pub(super) fn start(
        matches: Receiver<Match>,
        mut take: Box<dyn FnMut(Match) + Send>,
    ) -> std::io::Result<Taker> {
        let body = move || matches.iter().for_each(&mut take);
        let thread = thread::Builder::new().name("matches".to_owned());
        thread.spawn(body).map(Taker)
    }
}

impl Running {
    pub(super) fn new(inner: engine::Running, taker: Option<Taker>) -> Running {
        Running { inner, taker }
    }

    /// Looks at the run, and stops it, from any thread.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        self.inner.watch()
    }

    /// A function that takes snapshots of all that can be seen, for other threads: metrics, a screen. A few times a second is fine.
    pub fn snapshots(&self) -> impl Fn() -> Snapshot + Clone + Send + Sync + 'static {
        self.inner.snapshots()
    }

    /// A function that tells which shard has not answered for half a minute, if one has, for other threads.
    pub fn stuck(&self) -> impl Fn() -> Option<String> + Clone + Send + Sync + 'static {
        self.inner.stuck()
    }

    /// The shard that has not answered for so long, if there is one.
    pub(super) fn stuck_for(&self, longest: Duration) -> Option<String> {
        self.inner.stuck_for(longest)
    }

    /// Ends a run of which a shard does not answer; see [`engine::Running::abandon`].
    pub(super) fn abandon(self, why: String, patience: Duration) -> Result<Error, Error> {
        let cause = why.clone();
        match self.inner.abandon(why, patience) {
            Ok(error) => Ok(error.into()),
            Err(thread) => Err(Error::new(
                ErrorKind::GaveUp,
                format!(
                    "{cause}; nor does thread {thread} end, so it cannot begin again within this process"
                ),
            )),
        }
    }

    /// True once all shards and outputs have ended; then [`Running::wait`] returns soon.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.inner.has_ended()
    }

    /// The same, for those who look around meanwhile: true as soon as all threads have ended, false if that takes longer than `time`.
    #[must_use]
    pub fn ends_within(&self, time: Duration) -> bool {
        self.inner.ends_within(time)
    }

    /// Waits until all sources have ended, or [`Watch::stop`] was called, and every row is written.
    ///
    /// Stopped, an engine leaves what is still open undecided; at the end of its sources it decides everything.
    ///
    /// # Errors
    /// Why it could not go on: a source, an output, or a panic.
    ///
    /// # Panics
    /// When records were lost: that is a mistake of ours.
    pub fn wait(self) -> Result<Account, Error> {
        let account = self.inner.wait();
        if let Some(Taker(thread)) = self.taker
            && thread.join().is_err()
        {
            return Err(Error::new(
                ErrorKind::Panicked,
                "the function that takes matches panicked; its message stands above",
            ));
        }
        Ok(account?)
    }
}
