//! What the sinks of one run share while they are opened.

#[cfg(feature = "kafka")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "kafka")]
use super::kafka::{Topic, Transactions};

/// Opens the sinks of one run.
///
/// With state, outputs to Kafka commit together, in one transaction per epoch: then the run's commit point is
/// theirs.
#[derive(Debug, Default)]
pub struct Opening {
    /// The state's own id, where there is state, and how often its epochs are committed.
    #[cfg(feature = "kafka")]
    state: Option<(String, Duration)>,
    /// The group whose offsets carry marks, too.
    #[cfg(feature = "kafka")]
    group: Option<String>,
    #[cfg(feature = "kafka")]
    transactions: Option<Arc<Transactions>>,
}

impl Opening {
    /// For a run without state.
    #[must_use]
    pub fn stateless() -> Opening {
        Opening::default()
    }

    /// For a run with state. `id`: the state's own, the same in every run that goes on with it, and no other state's: letters, digits, `.`, `-`, `_`.
    /// `interval`: how often a checkpoint is made.
    #[must_use]
    pub fn with_state(id: &str, interval: Duration) -> Opening {
        #[cfg(not(feature = "kafka"))]
        let _ = (id, interval);
        Opening {
            #[cfg(feature = "kafka")]
            state: Some((id.to_owned(), interval)),
            #[cfg(feature = "kafka")]
            group: None,
            #[cfg(feature = "kafka")]
            transactions: None,
        }
    }

    /// The offsets of this group will be asked for marks, too.
    #[must_use]
    pub(crate) fn asking(self, group: &str) -> Opening {
        #[cfg(feature = "kafka")]
        let opening = Opening {
            group: Some(group.to_owned()),
            ..self
        };
        #[cfg(not(feature = "kafka"))]
        let opening = {
            let _ = group;
            self
        };
        opening
    }

    /// What decides which epoch is committed, if an output to Kafka was opened and there is state. Complete once all sinks are opened.
    #[cfg(feature = "kafka")]
    #[must_use]
    pub fn commit_point(&self) -> Option<Arc<Transactions>> {
        self.transactions.clone()
    }

    /// The transactions of a topic's cluster, where there is state.
    #[cfg(feature = "kafka")]
    pub(super) fn transactions(
        &mut self,
        topic: &Topic,
    ) -> Result<Option<Arc<Transactions>>, String> {
        let Some((state, interval)) = &self.state else {
            return Ok(None);
        };
        if let Some(transactions) = &self.transactions {
            return match *transactions.cluster() == topic.cluster {
                true => Ok(Some(Arc::clone(transactions))),
                false => Err(format!(
                    "with state all outputs to Kafka commit together, so they must have one address and one set of kafka.… settings; the other one is at {}",
                    transactions.cluster()
                )),
            };
        }
        let group = self.group.as_ref();
        let transactions = Arc::new(Transactions::open(topic, state, *interval, group)?);
        self.transactions = Some(Arc::clone(&transactions));
        Ok(Some(transactions))
    }
}
