//! The transaction of outputs to Kafka as the commit point of a run: rows, offsets and the number of the epoch become visible at once.

use std::sync::Arc;

use super::{CommitPoint, Error, Positions};
use crate::epoch::Epoch;
use crate::sink::kafka::{GroupOffsets, Transactions};
use crate::source::Group;
use crate::source::kafka::TopicOffset;

/// Commits epochs with the transactions of the outputs.
pub(crate) struct Transaction {
    transactions: Arc<Transactions>,
    /// Sources of the same cluster by name, and the groups that learn how far those are read.
    groups: Vec<(String, String)>,
}

impl Transaction {
    /// Takes over the offsets of those groups that are of the same cluster.
    pub(crate) fn new(
        transactions: Arc<Transactions>,
        groups: impl Iterator<Item = (String, Group)>,
    ) -> Transaction {
        let mut taken: Vec<(String, String)> = Vec::new();
        for (source, group) in groups {
            if group.cluster_id().is_empty() || group.cluster_id() != transactions.cluster_id() {
                continue;
            }
            group.keep_elsewhere();
            if taken.iter().all(|(other, _)| *other != source) {
                taken.push((source, group.name().to_owned()));
            }
        }
        Transaction {
            transactions,
            groups: taken,
        }
    }

    /// Where each group stands with these positions.
    fn offsets(&self, positions: &Positions) -> Result<Vec<GroupOffsets>, Error> {
        let mut all: Vec<GroupOffsets> = Vec::new();
        for (source, group) in &self.groups {
            let of_source = positions.iter().filter(|(name, _)| name == source);
            let mut offsets = Vec::new();
            for (_, position) in of_source.flat_map(|(_, positions)| positions) {
                let place = TopicOffset::of(source, position);
                offsets.push(place.map_err(|error| Error::new(error.to_string()))?);
            }
            // Two sources may share a group.
            match all.iter_mut().find(|other| other.group == *group) {
                Some(other) => other.offsets.append(&mut offsets),
                None => all.push(GroupOffsets {
                    group: group.clone(),
                    offsets,
                }),
            }
        }
        Ok(all)
    }
}

impl CommitPoint for Transaction {
    fn committed(&mut self, outputs: &[(String, Vec<u8>)]) -> Result<Option<Epoch>, Error> {
        let committed = self.transactions.committed_of(outputs);
        committed.map_err(|error| Error::new(error.to_string()))
    }

    fn commit(&mut self, epoch: Epoch, positions: &Positions) -> Result<(), Error> {
        let offsets = self.offsets(positions)?;
        let committed = self.transactions.commit(epoch, &offsets);
        committed.map_err(|error| Error::new(error.to_string()))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // Sinks may wait for a commit that nobody makes any more.
        self.transactions.abort();
    }
}
