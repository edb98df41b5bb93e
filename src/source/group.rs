//! A consumer group that learns how far a source was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A consumer group with which a source keeps how far it was read, unless an output of the same cluster does that in its transaction. Copies are one.
#[derive(Clone, Debug)]
pub struct Group {
    name: Arc<str>,
    cluster_id: Arc<str>,
    kept_elsewhere: Arc<AtomicBool>,
}

impl Group {
    /// A group of a cluster that calls itself so.
    #[must_use]
    pub fn new(name: &str, cluster_id: &str) -> Group {
        Group {
            name: name.into(),
            cluster_id: cluster_id.into(),
            kept_elsewhere: Arc::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its cluster calls itself; empty if it does not say.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// From now on somebody else keeps its offsets.
    pub fn keep_elsewhere(&self) {
        self.kept_elsewhere.store(true, Ordering::Relaxed);
    }

    /// True if somebody else keeps its offsets.
    #[must_use]
    pub fn is_kept_elsewhere(&self) -> bool {
        self.kept_elsewhere.load(Ordering::Relaxed)
    }
}
