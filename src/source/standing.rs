//! How far a partition of a broker has been read: counted by its reader, looked at by whoever likes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a partition of a topic stands. Copies share their numbers.
#[derive(Clone, Debug)]
pub struct Standing {
    topic: Arc<str>,
    partition: u32,
    numbers: Arc<Numbers>,
}

#[derive(Debug, Default)]
// On cache lines of its own: its reader writes to it.
#[repr(align(128))]
struct Numbers {
    next: AtomicU64,
    end: AtomicU64,
    tombstones: AtomicU64,
}

impl Standing {
    /// Of a partition of which nothing has been read.
    #[must_use]
    pub fn new(topic: &str, partition: u32) -> Standing {
        Standing {
            topic: topic.into(),
            partition,
            numbers: Arc::default(),
        }
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition of the topic.
    #[must_use]
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// The next record to be read has this offset, or a greater one.
    pub fn reached(&self, next: u64) {
        self.numbers.next.store(next, Ordering::Relaxed);
    }

    /// Where it was when [`Standing::reached`] was told last.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.numbers.next.load(Ordering::Relaxed)
    }

    /// The broker says that the next record to be written has this offset.
    pub fn ends_at(&self, end: u64) {
        self.numbers.end.store(end, Ordering::Relaxed);
    }

    /// Records without a value were passed over.
    pub fn passed_tombstones(&self, count: u64) {
        self.numbers.tombstones.fetch_add(count, Ordering::Relaxed);
    }

    /// How many records wait at the broker, as far as it was asked. What transactions leave between records counts as well.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.numbers
            .end
            .load(Ordering::Relaxed)
            .saturating_sub(self.next())
    }

    /// How many records without a value were passed over.
    #[must_use]
    pub fn tombstones(&self) -> u64 {
        self.numbers.tombstones.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_what_lies_between_the_reader_and_the_end() {
        let standing = Standing::new("cards", 3);
        let seen = standing.clone();
        assert_eq!(seen.lag(), 0);
        standing.ends_at(10);
        standing.reached(4);
        standing.passed_tombstones(2);
        assert_eq!((seen.lag(), seen.next(), seen.tombstones()), (6, 4, 2));
        // The end is asked for less often than records are read.
        standing.reached(12);
        assert_eq!(seen.lag(), 0);
    }
}
