//! Requests that are answered when an epoch with their records is committed: `POST …?ack=commit`.
//!
//! Behind its last lines such a request puts an [`Ack`] into the queue. When the reader comes upon it, all its records were handed out; the next barrier makes them part of
//! an epoch, and when that is committed the request is told. An `Ack` that is dropped tells, too: nothing will be committed.

use std::cell::Cell;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::epoch::Epoch;

/// How many requests of one source wait for an epoch.
const ACKS_MAX: usize = 256;

/// A request that waits, as whoever tells it has it.
#[derive(Debug)]
pub(super) struct Ack {
    tell: oneshot::Sender<Epoch>,
    /// Held until it is told, even if the client has gone by then.
    _place: OwnedSemaphorePermit,
}

/// Whether anything is ever committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commits {
    /// The run has not begun to read.
    Unknown,
    /// The run keeps state.
    Yes,
    /// It doesn't.
    Never,
}

/// Why a request cannot wait for its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAck {
    Never,
    TooMany,
    Stopping,
}

/// What requests know of the reader.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    commits: watch::Receiver<Commits>,
    places: Arc<Semaphore>,
}

/// The reader's side: requests whose records were handed out and are not committed yet.
#[derive(Debug)]
pub(super) struct Waiting {
    commits: watch::Sender<Commits>,
    /// In the order of the queue; at most [`ACKS_MAX`].
    acks: Vec<Ack>,
    /// So many of them, from the first on, came before the last barrier.
    before_barrier: Cell<usize>,
}

/// A place for a request that will wait.
#[derive(Debug)]
pub(super) struct Reserved(OwnedSemaphorePermit);

impl Desk {
    pub(super) fn new() -> (Desk, Waiting) {
        let (known, commits) = watch::channel(Commits::Unknown);
        let desk = Desk {
            commits,
            places: Arc::new(Semaphore::new(ACKS_MAX)),
        };
        let waiting = Waiting {
            commits: known,
            acks: Vec::new(),
            before_barrier: Cell::new(0),
        };
        (desk, waiting)
    }

    /// Takes a place, as soon as it is known whether anything is committed at all.
    pub(super) async fn reserve(&self) -> Result<Reserved, NoAck> {
        let mut commits = self.commits.clone();
        let known = commits.wait_for(|commits| *commits != Commits::Unknown);
        match known.await.map(|commits| *commits) {
            Ok(Commits::Yes) => {}
            Ok(_) => return Err(NoAck::Never),
            Err(_) => return Err(NoAck::Stopping),
        }
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map(Reserved).map_err(|_| NoAck::TooMany)
    }
}

impl Reserved {
    /// What goes into the queue, and what to wait for.
    pub(super) fn ack(self) -> (Ack, oneshot::Receiver<Epoch>) {
        let (tell, told) = oneshot::channel();
        let ack = Ack {
            tell,
            _place: self.0,
        };
        (ack, told)
    }
}

impl Waiting {
    /// Whether it is known if anything is committed.
    pub(super) fn is_known(&self) -> bool {
        *self.commits.borrow() != Commits::Unknown
    }

    pub(super) fn tell(&self, commits: Commits) {
        self.commits.send_replace(commits);
    }

    /// All records before it were handed out.
    pub(super) fn add(&mut self, ack: Ack) {
        self.acks.push(ack);
    }

    /// What was handed out until now belongs to the epoch that ends here, or to one before it.
    pub(super) fn barrier(&self) {
        self.before_barrier.set(self.acks.len());
    }

    /// The epoch of the last barrier is committed.
    pub(super) fn committed(&mut self, epoch: Epoch) {
        for ack in self.acks.drain(..self.before_barrier.take()) {
            // Its client may have gone.
            let _ = ack.tell.send(epoch);
        }
    }
}
