//! Rows on their way to the program that embeds the engine, as they are instead of as text.
//!
//! The queue is bounded and belongs to the program. When it is full, rows wait here and the engine stops, as it does for a slow sink.

use std::collections::VecDeque;

use super::Error;
use super::feed::{Feed, Handed};
use crate::automaton::Row;

/// Takes rows as they are.
pub(crate) trait RowQueue: Send {
    /// Takes a row if there is room; never waits.
    fn offer(&mut self, row: Row) -> Offered;
}

/// What became of a row that was offered.
pub(crate) enum Offered {
    /// Taken.
    Taken,
    /// There is no room for it yet.
    Full(Row),
    /// Nobody takes rows any more.
    Gone,
}

/// The queue with what found no room.
pub(super) struct Typed {
    queue: Box<dyn RowQueue>,
    waiting: VecDeque<Row>,
    feed: Feed,
}

impl Typed {
    pub(super) fn new(queue: Box<dyn RowQueue>) -> Typed {
        Typed {
            queue,
            waiting: VecDeque::new(),
            feed: Feed::new("matches".to_owned()),
        }
    }

    pub(super) fn feed(&self) -> Feed {
        self.feed.clone()
    }

    pub(super) fn add(&mut self, row: Row) {
        self.waiting.push_back(row);
    }

    /// Moves rows into the queue as far as there is room.
    pub(super) fn hand_over(&mut self) -> Result<Handed, Error> {
        while let Some(row) = self.waiting.pop_front() {
            match self.queue.offer(row) {
                Offered::Taken => self.feed.handed(),
                Offered::Full(row) => {
                    self.waiting.push_front(row);
                    return Ok(Handed::Part);
                }
                Offered::Gone => return Err(Error::unreceived()),
            }
        }
        Ok(Handed::All)
    }
}
