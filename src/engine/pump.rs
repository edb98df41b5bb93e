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
        feed.watch(sink.retries());
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
                self.feed.written(&chunk, micros());
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Sender};

    use super::*;
    use crate::sink::Retries;

    /// Tries again once, tells so, and waits to be told that its receiver is back.
    struct Stubborn {
        retries: Retries,
        failed: Sender<()>,
        back: Receiver<()>,
    }

    impl Sink for Stubborn {
        fn write(&mut self, _: &[u8]) -> Result<(), Error> {
            self.retries.again();
            self.failed.send(()).expect("the test looks");
            self.back.recv().expect("the test looks");
            Ok(())
        }

        fn flush(&mut self) -> Result<(), Error> {
            Ok(())
        }

        fn retries(&self) -> Retries {
            self.retries.clone()
        }
    }

    #[test]
    fn retries_are_seen_while_the_write_still_lasts() {
        let ((rows, queue), (failed, fails)) = (mpsc::sync_channel(1), mpsc::channel());
        let (comes_back, back) = mpsc::channel();
        let feed = Feed::new("hook".to_owned());
        let sink = Box::new(Stubborn {
            retries: Retries::default(),
            failed,
            back,
        });
        let mut pump = Pump::new(queue, sink, feed.clone());
        rows.send(Chunk::default()).expect("there is room");
        let writes = std::thread::spawn(move || pump.turn(None, || 0).map(|_| ()));
        fails.recv().expect("it tries");
        assert_eq!(feed.retries(), 1);
        comes_back.send(()).expect("it waits");
        writes.join().expect("no panic").expect("written");
    }
}
