//! The bounded queue to a sink, and what is counted on the way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::Error;
use crate::epoch::Epoch;

/// How many chunks wait for a sink at most.
const QUEUE_CHUNKS: u64 = 32;

/// How many bytes of rows make a chunk.
const CHUNK_BYTES: usize = 64 * 1024;

/// And how much is set aside for it: its last row goes beyond.
const CHUNK_CAPACITY: usize = CHUNK_BYTES + 1024;

/// Upper bounds of latencies that are counted, in microseconds: from 10 µs up, three per power of ten.
pub(crate) const LATENCY_MICROS: [u64; 20] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000,
    500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 60_000_000,
];

/// Rows on their way to a sink.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Whole rows, each with its line break.
    pub bytes: Vec<u8>,
    pub rows: u64,
    /// When the events that completed them arrived, in microseconds of the run's clock.
    pub arrived: Vec<u64>,
    /// An epoch ends behind the rows.
    pub barrier: Option<Epoch>,
}

/// What is counted of a sink. Shared by whoever fills its queue, the sink's thread and whoever looks.
#[derive(Clone, Debug)]
pub(crate) struct Feed(Arc<Numbers>);

/// How often a sink tried again. It counts on its own thread; whoever has a copy sees it at once, also while a write lasts.
#[derive(Clone, Debug, Default)]
pub struct Retries(Arc<AtomicU64>);

impl Retries {
    /// A write is tried again.
    pub fn again(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Numbers {
    name: String,
    rows: AtomicU64,
    bytes: AtomicU64,
    /// The sink's own, once it is known.
    retries: OnceLock<Retries>,
    sent: AtomicU64,
    taken: AtomicU64,
    latency: [AtomicU64; LATENCY_MICROS.len() + 1],
    latency_sum_micros: AtomicU64,
    /// The memory of chunks that were written, for chunks to come: what was just read is in the processor's cache, and new memory would have to be cleared by the system.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// The end of the queue into which rows are written.
pub(super) struct Pipe {
    queue: SyncSender<Chunk>,
    feed: Feed,
    filling: Chunk,
    /// Chunks that found no room, in order.
    waiting: VecDeque<Chunk>,
}

/// Whether all rows found room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    All,
    Part,
}

impl Feed {
    pub(crate) fn new(name: String) -> Feed {
        Feed(Arc::new(Numbers {
            name,
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            retries: OnceLock::new(),
            sent: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            latency: std::array::from_fn(|_| AtomicU64::new(0)),
            latency_sum_micros: AtomicU64::new(0),
            spare: Mutex::default(),
        }))
    }

    /// A row was handed to a program as it is, without text and queues of ours.
    pub(super) fn handed(&self) {
        self.0.rows.fetch_add(1, Ordering::Relaxed);
    }

    /// The sink counts here how often it tried again.
    pub(crate) fn watch(&self, retries: Retries) {
        self.0
            .retries
            .set(retries)
            .expect("a queue leads to one sink");
    }

    /// A chunk was written at `micros` of the run's clock, and is of no use any more.
    pub(crate) fn written(&self, chunk: Chunk, micros: u64) {
        let numbers = &*self.0;
        numbers.taken.fetch_add(1, Ordering::Relaxed);
        numbers.rows.fetch_add(chunk.rows, Ordering::Relaxed);
        numbers
            .bytes
            .fetch_add(chunk.bytes.len() as u64, Ordering::Relaxed);
        let mut sum = 0;
        for arrived in &chunk.arrived {
            let latency = micros.saturating_sub(*arrived);
            sum += latency;
            let bucket = LATENCY_MICROS.partition_point(|bound| *bound < latency);
            numbers.latency[bucket].fetch_add(1, Ordering::Relaxed);
        }
        numbers.latency_sum_micros.fetch_add(sum, Ordering::Relaxed);
        let mut spare = self.spare();
        if chunk.bytes.capacity() == CHUNK_CAPACITY && (spare.len() as u64) < QUEUE_CHUNKS {
            spare.push(chunk.bytes);
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn rows(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn retries(&self) -> u64 {
        self.0.retries.get().map_or(0, Retries::count)
    }

    /// How full the queue is, from 0 to 1.
    pub(crate) fn fill(&self) -> f64 {
        let taken = self.0.taken.load(Ordering::Relaxed);
        let sent = self.0.sent.load(Ordering::Relaxed);
        sent.saturating_sub(taken).min(QUEUE_CHUNKS) as f64 / QUEUE_CHUNKS as f64
    }

    /// Latencies by [`LATENCY_MICROS`], the last above all of them; and their sum in microseconds.
    pub(crate) fn latency(&self) -> (Vec<u64>, u64) {
        let counts = self
            .0
            .latency
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        (
            counts.collect(),
            self.0.latency_sum_micros.load(Ordering::Relaxed),
        )
    }
}

impl Pipe {
    /// A queue, both ends.
    pub(super) fn new(name: String) -> (Pipe, Receiver<Chunk>, Feed) {
        let (queue, receiver) = mpsc::sync_channel(QUEUE_CHUNKS as usize);
        let feed = Feed::new(name);
        let pipe = Pipe {
            queue,
            feed: feed.clone(),
            filling: Chunk::default(),
            waiting: VecDeque::new(),
        };
        (pipe, receiver, feed)
    }

    /// Adds a row that `append` writes.
    pub(super) fn add(&mut self, arrived: Option<u64>, append: impl FnOnce(&mut Vec<u8>)) {
        append(&mut self.filling.bytes);
        self.filling.rows += 1;
        self.filling.arrived.extend(arrived);
        if self.filling.bytes.len() >= CHUNK_BYTES {
            self.seal();
            // A sink is not woken for each of them.
            if self.waiting.len() as u64 >= QUEUE_CHUNKS {
                // Whoever hands over is told what went wrong.
                let _ = self.send();
            }
        }
    }

    /// An epoch ends behind the rows added so far.
    pub(super) fn barrier(&mut self, epoch: Epoch) {
        self.filling.barrier = Some(epoch);
        self.seal();
    }

    /// Moves chunks into the queue as far as there is room.
    pub(super) fn hand_over(&mut self) -> Result<Handed, Error> {
        if self.filling.rows > 0 {
            self.seal();
        }
        self.send()
    }

    fn send(&mut self) -> Result<Handed, Error> {
        while let Some(chunk) = self.waiting.pop_front() {
            match self.queue.try_send(chunk) {
                Ok(()) => {
                    self.feed.0.sent.fetch_add(1, Ordering::Relaxed);
                }
                Err(TrySendError::Full(chunk)) => {
                    self.waiting.push_front(chunk);
                    return Ok(Handed::Part);
                }
                Err(TrySendError::Disconnected(_)) => return Err(Error::gone(self.feed.name())),
            }
        }
        Ok(Handed::All)
    }

    fn seal(&mut self) {
        let bytes = match self.filling.bytes.len() {
            CHUNK_BYTES.. => {
                let spent = self.feed.spare().pop();
                let mut bytes = spent.unwrap_or_else(|| Vec::with_capacity(CHUNK_CAPACITY));
                bytes.clear();
                bytes
            }
            few => Vec::with_capacity(few),
        };
        let next = Chunk {
            bytes,
            ..Chunk::default()
        };
        self.waiting
            .push_back(std::mem::replace(&mut self.filling, next));
    }
}
