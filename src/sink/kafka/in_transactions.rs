//! The sink of a topic whose rows are seen when their epoch is committed: with all [transactions](super::Transactions) of the run.
//!
//! Rows of the next epoch that come before this one is committed wait here; when too many do, so does the sink.
//!
//! What a checkpoint keeps: version 1 · kind 4 · the cluster's own name · the topic, texts both.

use std::sync::Arc;

use super::topic::Topic;
use super::transactions::Transactions;
use crate::epoch::Epoch;
use crate::sink::kept::Kind;
use crate::sink::{Delivery, Error, Retries, Sink};
use crate::wire::put_str;

/// How many bytes of rows wait for a commit.
const HELD_BYTES_MAX: usize = 8 << 20;

/// Writes rows to a topic in transactions.
pub(super) struct InTransactions {
    transactions: Arc<Transactions>,
    topic: Topic,
    /// The epoch that was prepared last.
    prepared: Epoch,
    /// Rows of the next epoch, until that one is committed.
    held: Vec<u8>,
}

impl InTransactions {
    pub(super) fn new(transactions: Arc<Transactions>, topic: Topic) -> InTransactions {
        InTransactions {
            transactions,
            topic,
            prepared: Epoch::NONE,
            held: Vec::new(),
        }
    }

    fn wrong(&self, reason: &str) -> Error {
        super::wrong(&self.topic, reason)
    }

    fn try_write(&mut self, rows: &[u8]) -> Result<(), String> {
        if !self.transactions.has_committed(self.prepared)? {
            if self.held.len() + rows.len() <= HELD_BYTES_MAX {
                self.held.extend_from_slice(rows);
                return Ok(());
            }
            self.transactions.wait(self.prepared)?;
        }
        self.release()?;
        self.transactions.send_all(&self.topic, rows)
    }

    /// Writes what was held back.
    fn release(&mut self) -> Result<(), String> {
        if self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        self.transactions.send_all(&self.topic, &held)
    }

    fn try_prepare(&mut self, epoch: Epoch) -> Result<(), String> {
        self.transactions.wait(self.prepared)?;
        self.release()?;
        self.transactions.producer().drain()?;
        self.prepared = epoch;
        Ok(())
    }
}

impl Sink for InTransactions {
    fn write(&mut self, rows: &[u8]) -> Result<(), Error> {
        self.try_write(rows).map_err(|reason| self.wrong(&reason))
    }

    /// Rows are on their way; nobody sees them before they are committed.
    fn flush(&mut self) -> Result<(), Error> {
        let committed = self.transactions.has_committed(self.prepared);
        let released = committed.and_then(|committed| match committed {
            true => self.release(),
            false => Ok(()),
        });
        released.map_err(|reason| self.wrong(&reason))
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<u8>, Error> {
        self.try_prepare(epoch)
            .map_err(|reason| self.wrong(&reason))?;
        let mut kept = Kind::Topic.begin();
        put_str(&mut kept, self.transactions.cluster_id());
        put_str(&mut kept, &self.topic.name);
        Ok(kept)
    }

    fn commit(&mut self, _: Epoch) -> Result<(), Error> {
        self.release().map_err(|reason| self.wrong(&reason))
    }

    fn retries(&self) -> Retries {
        self.transactions.producer().retries()
    }
}
