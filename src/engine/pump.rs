//! What feeds one sink: takes chunks of rows from its queue and writes them, on a thread of its own, so that a slow sink holds up nothing but its queue.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use super::control::Control;
use super::worker::Turn;
use crate::checkpoint::Ack;
use crate::epoch::Epoch;
use crate::sink::{Chunk, Error, Feed, Sink};

/// A sink with the queue that leads to it.
pub(crate) struct Pump {
    queue: Receiver<Chunk>,
    sink: Box<dyn Sink>,
    feed: Feed,
    /// Something was written since the last flush, or there was none yet: a file that is to be emptied is emptied then, however long no row comes.
    unflushed: bool,
    keeping: Option<Keeping>,
}

/// What a sink has to do with checkpoints.
pub(crate) struct Keeping {
    pub number: usize,
    pub control: Arc<Control>,
    pub acks: Sender<Ack>,
    /// Prepared and not committed.
    pub open: Option<Epoch>,
    /// The coordinator knows that the sink wants the epoch to end.
    pub hurries: bool,
}

/// How long a sink with an open epoch waits for rows before it looks whether that is committed.
const OPEN_REST: Duration = Duration::from_millis(5);

impl Pump {
    pub(crate) fn new(queue: Receiver<Chunk>, sink: Box<dyn Sink>, feed: Feed) -> Pump {
        feed.watch(sink.retries());
        Pump {
            queue,
            sink,
            feed,
            unflushed: true,
            keeping: None,
        }
    }

    /// Takes part in checkpoints.
    pub(crate) fn keeping(self, keeping: Keeping) -> Pump {
        Pump {
            keeping: Some(keeping),
            ..self
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
        self.commit()?;
        let patience = match &self.keeping {
            Some(Keeping { open: Some(_), .. }) => patience.map(|wait| wait.min(OPEN_REST)),
            _ => patience,
        };
        match next(&self.queue, patience.filter(|_| !self.unflushed)) {
            Ok(chunk) => {
                if chunk.rows > 0 || chunk.barrier.is_none() {
                    self.sink.write(&chunk.bytes)?;
                    self.unflushed = true;
                    self.hurry();
                }
                let barrier = chunk.barrier;
                self.feed.written(chunk, micros());
                if let Some(epoch) = barrier {
                    self.prepare(epoch)?;
                }
                Ok(Turn::Busy)
            }
            Err(TryRecvError::Empty) if self.unflushed => {
                self.flush()?;
                Ok(Turn::Busy)
            }
            Err(TryRecvError::Empty) => Ok(Turn::Idle),
            Err(TryRecvError::Disconnected) => {
                // Whoever sent the last row has seen the last epoch committed, unless the run has failed.
                self.commit()?;
                self.sink.close()?;
                Ok(Turn::Done)
            }
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.unflushed = false;
        self.sink.flush()
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<(), Error> {
        let Some(keeping) = &mut self.keeping else {
            return Ok(());
        };
        let prepared = self.sink.prepare(epoch)?;
        self.unflushed = false;
        keeping.hurries = false;
        keeping.open = Some(epoch);
        // The coordinator is gone only when the run has failed.
        let _ = keeping
            .acks
            .send(Ack::Sink(keeping.number, epoch, prepared));
        Ok(())
    }

    /// Asks for the end of the epoch, if the sink wants that.
    fn hurry(&mut self) {
        if let Some(keeping) = &mut self.keeping
            && !keeping.hurries
            && self.sink.wants_commit()
        {
            keeping.hurries = true;
            let _ = keeping.acks.send(Ack::Hurry(keeping.number));
        }
    }

    /// Shows what was prepared, if that counts by now.
    fn commit(&mut self) -> Result<(), Error> {
        let Some(keeping) = &mut self.keeping else {
            return Ok(());
        };
        let committed = keeping.control.committed();
        if let Some(epoch) = keeping.open.take_if(|open| *open <= committed) {
            self.sink.commit(epoch)?;
        }
        Ok(())
    }
}

/// What comes next in a queue; for that it waits for `patience`, if there is any.
pub(super) fn next<T>(queue: &Receiver<T>, patience: Option<Duration>) -> Result<T, TryRecvError> {
    let Some(wait) = patience else {
        return queue.try_recv();
    };
    queue.recv_timeout(wait).map_err(|error| match error {
        RecvTimeoutError::Timeout => TryRecvError::Empty,
        RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

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

    /// Has always kept too much.
    struct Crammed;

    impl Sink for Crammed {
        fn write(&mut self, _: &[u8]) -> Result<(), Error> {
            Ok(())
        }

        fn flush(&mut self) -> Result<(), Error> {
            Ok(())
        }

        fn wants_commit(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_sink_that_wants_its_commit_says_so_once_per_epoch() {
        let ((rows, queue), (acks, said)) = (mpsc::sync_channel(4), mpsc::channel());
        let keeping = Keeping {
            number: 7,
            control: Arc::new(Control::new(Epoch::NONE)),
            acks,
            open: None,
            hurries: false,
        };
        let feed = Feed::new("hook".to_owned());
        let mut pump = Pump::new(queue, Box::new(Crammed), feed).keeping(keeping);
        let mut take = |barrier: Option<Epoch>| {
            let chunk = Chunk {
                rows: 1,
                barrier,
                ..Chunk::default()
            };
            rows.send(chunk).expect("there is room");
            pump.turn(None, || 0).expect("taken");
        };
        take(None);
        take(Some(Epoch(1)));
        take(None);
        let said: Vec<Ack> = said.try_iter().collect();
        assert!(
            matches!(
                said[..],
                [Ack::Hurry(7), Ack::Sink(7, Epoch(1), _), Ack::Hurry(7)]
            ),
            "{said:?}"
        );
    }
}
