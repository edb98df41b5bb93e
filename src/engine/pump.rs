//! What feeds one sink: takes chunks of rows from its queue and writes them, on a thread of its own, so that a slow sink holds up nothing but its queue.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::worker::Turn;
use crate::sink::{Chunk, Error, Feed, Sink};

/// A sink with the queue that leads to it.
pub(crate) struct Pump {
    queue: Receiver<Chunk>,
    sink: Box<dyn Sink>,
    feed: Feed,
    /// Something was written since the last flush.
    unflushed: bool,
}

impl Pump {
    pub(crate) fn new(queue: Receiver<Chunk>, sink: Box<dyn Sink>, feed: Feed) -> Pump {
        Pump {
            queue,
            sink,
            feed,
            unflushed: false,
        }
    }

    /// Writes a chunk, or flushes when there is none; with nothing to flush it waits for a chunk for `patience`, if there is any. `micros` tells the
    /// run's clock after the write.
    ///
    /// # Errors
    /// When the sink cannot be written; it is of no use then.
    pub(crate) fn turn(
        &mut self,
        patience: Option<Duration>,
        micros: impl FnOnce() -> u64,
    ) -> Result<Turn, Error> {
        let chunk = match (patience, self.unflushed) {
            (Some(wait), false) => self.queue.recv_timeout(wait).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            }),
            _ => self.queue.try_recv(),
        };
        match chunk {
            Ok(chunk) => {
                self.sink.write(&chunk.bytes)?;
                self.unflushed = true;
                self.feed.written(&chunk, micros(), self.sink.retries());
                Ok(Turn::Busy)
            }
            Err(TryRecvError::Empty) if self.unflushed => {
                self.flush()?;
                Ok(Turn::Busy)
            }
            Err(TryRecvError::Empty) => Ok(Turn::Idle),
            Err(TryRecvError::Disconnected) => {
                self.sink.close()?;
                Ok(Turn::Done)
            }
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.unflushed = false;
        self.sink.flush()
    }
}
