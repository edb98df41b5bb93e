//! The transaction of outputs to Kafka as the commit point of a run: rows, offsets and the number of the epoch become visible at once.

use std::sync::Arc;

use super::{CommitPoint, Error, Positions, Share};
use crate::epoch::{Epoch, Mark};
use crate::sink::kafka::{GroupOffsets, Transactions};
use crate::source::Group;
use crate::source::kafka::TopicOffset;

/// Commits epochs with the transactions of the outputs.
pub(crate) struct Transaction {
    transactions: Arc<Transactions>,
    /// Sources of the same cluster by name, and the groups that learn how far those are read.
    groups: Vec<(String, String)>,
    /// Where checkpoints go before they count, in a run that is one of a group's.
    share: Option<Share>,
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
            share: None,
        }
    }

    /// Checkpoints are handed on by storage that others reach, too.
    pub(crate) fn sharing(mut self, share: Share) -> Transaction {
        self.share = Some(share);
        self
    }

    /// How many sources have groups that learn how far they are read.
    pub(crate) fn sources(&self) -> usize {
        self.groups.len()
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
        let committed = committed.map_err(|error| Error::new(error.to_string()))?;
        Ok(committed.map(|mark| mark.epoch))
    }

    fn fetch(&mut self) -> Result<(), Error> {
        let Some(share) = &mut self.share else {
            return Ok(());
        };
        let wrong = |error: crate::sink::Error| Error::new(error.to_string());
        let with_rows = self.transactions.committed_of(&[]).map_err(wrong)?;
        // Outputs may be others than before; what is read is not.
        let (group, topic) = &share.at;
        let of_group = self.transactions.marked_in(group, topic, share.partition());
        let mark = with_rows.max(of_group.map_err(wrong)?);
        tracing::debug!("it is known which checkpoint counts");
        share.fetch(mark)
    }

    fn commit(&mut self, epoch: Epoch, positions: &Positions) -> Result<(), Error> {
        let offsets = self.offsets(positions)?;
        let mark = match &mut self.share {
            Some(share) => {
                share.publish(epoch)?;
                share.mark(epoch)
            }
            None => Mark::from(epoch),
        };
        let committed = self.transactions.commit(mark, &offsets);
        committed.map_err(|error| Error::new(error.to_string()))?;
        if let Some(share) = &mut self.share {
            share.committed();
        }
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // Sinks may wait for a commit that nobody makes any more.
        self.transactions.abort();
    }
}
