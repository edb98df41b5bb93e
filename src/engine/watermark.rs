//! How far a source partition has come, and which arrivals fit to that.
//!
//! A partition's watermark is its newest time minus `delay`. One absurd time would carry it away, and everything after
//! would be late; so a leap of more than a day is not believed before the next record confirms it. What arrives at most `delay` out of order
//! always confirms, however sparse the events are. A partition that is set aside as idle lets others, or the wall clock, raise its promise
//! ([`PartitionTime::raise`]); when it returns, that promise still binds it.

use crate::time::{Span, Timestamp, Watermark};

/// How far a time may lie ahead of the newest before it needs to be confirmed, besides the delay: a day.
pub const LEAP: Span = Span(86_400_000);

/// The times of one source partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionTime {
    delay: Span,
    newest: Option<Timestamp>,
    /// What was promised without events.
    floor: Watermark,
    ended: bool,
    /// What follows from it, asked for with each record: what it promises, and the last time that need not be confirmed.
    watermark: Watermark,
    believed: Timestamp,
}

/// What a record's time means for its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// In time.
    Timely,
    /// Before the watermark.
    Late,
    /// Too far ahead to be believed at once.
    Leap,
}

impl PartitionTime {
    /// A partition of which nothing is known yet.
    #[must_use]
    pub fn new(delay: Span) -> PartitionTime {
        PartitionTime {
            delay,
            newest: None,
            floor: Watermark::NONE,
            ended: false,
            watermark: Watermark::NONE,
            believed: Timestamp::MIN,
        }
    }

    /// Judges a time; changes nothing. The first time of a partition is a leap.
    #[inline]
    #[must_use]
    pub fn arrival(&self, time: Timestamp) -> Arrival {
        if time < self.watermark.0 {
            Arrival::Late
        } else if time > self.believed {
            Arrival::Leap
        } else {
            Arrival::Timely
        }
    }

    /// Whether the time of the next record confirms a leap: it is not back where time was before.
    #[must_use]
    pub fn confirms(&self, leap: Timestamp, next: Timestamp) -> bool {
        next >= leap.minus(self.delay).minus(LEAP)
    }

    /// A time was accepted.
    #[inline]
    pub fn advance(&mut self, time: Timestamp) {
        if self.newest.is_none_or(|newest| newest < time) {
            self.newest = Some(time);
            self.settle();
        }
    }

    /// Works out what follows.
    fn settle(&mut self) {
        self.watermark = match self.newest {
            _ if self.ended => Watermark::FINAL,
            None => self.floor,
            Some(newest) => Watermark(newest.minus(self.delay)).max(self.floor),
        };
        self.believed = match self.newest {
            None => Timestamp::MIN,
            Some(newest) => newest.plus(self.delay).plus(LEAP),
        };
    }

    /// True if nothing follows.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Goes on from where another had come, which may have had another delay: what was promised stays promised.
    pub fn go_on(&mut self, newest: Option<Timestamp>, promised: Watermark) {
        self.newest = newest;
        self.floor = promised;
        self.settle();
    }

    /// Promises at least this, without an event.
    pub fn raise(&mut self, promise: Watermark) {
        self.floor = self.floor.max(promise);
        self.settle();
    }

    /// Nothing follows in this partition.
    pub fn end(&mut self) {
        self.ended = true;
        self.settle();
    }

    /// The newest time accepted.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// What the partition promises.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }
}

/// What all partitions together promise.
#[must_use]
pub fn combined(partitions: impl IntoIterator<Item = Watermark>) -> Watermark {
    partitions.into_iter().min().unwrap_or(Watermark::FINAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(delay: i64, times: &[i64]) -> PartitionTime {
        let mut partition = PartitionTime::new(Span(delay));
        for time in times {
            partition.advance(Timestamp(*time));
        }
        partition
    }

    #[test]
    fn the_watermark_is_the_newest_time_minus_the_delay() {
        assert_eq!(at(5, &[]).watermark(), Watermark::NONE);
        assert_eq!(at(5, &[10, 30, 20]).watermark(), Watermark(Timestamp(25)));
        let mut ended = at(5, &[10]);
        ended.end();
        assert_eq!(ended.watermark(), Watermark::FINAL);
        assert_eq!(
            combined([Watermark::FINAL, at(5, &[10]).watermark()]),
            Watermark(Timestamp(5))
        );
        assert_eq!(combined([]), Watermark::FINAL);
    }

    #[test]
    fn only_what_is_before_the_watermark_is_late() {
        let partition = at(5, &[30]);
        assert_eq!(partition.arrival(Timestamp(25)), Arrival::Timely);
        assert_eq!(partition.arrival(Timestamp(24)), Arrival::Late);
        assert_eq!(partition.arrival(Timestamp(31)), Arrival::Timely);
    }

    #[test]
    fn a_promise_without_events_binds_the_partition_when_it_returns() {
        let mut partition = at(5, &[30]);
        partition.raise(Watermark(Timestamp(100)));
        assert_eq!(partition.watermark(), Watermark(Timestamp(100)));
        assert_eq!(partition.arrival(Timestamp(99)), Arrival::Late);
        assert_eq!(partition.arrival(Timestamp(100)), Arrival::Timely);
        partition.raise(Watermark(Timestamp(50)));
        assert_eq!(partition.watermark(), Watermark(Timestamp(100)));
    }

    #[test]
    fn a_leap_is_more_than_a_day_and_the_delay_ahead() {
        let partition = at(5, &[30]);
        assert_eq!(partition.arrival(Timestamp(35 + LEAP.0)), Arrival::Timely);
        assert_eq!(partition.arrival(Timestamp(36 + LEAP.0)), Arrival::Leap);
        assert!(partition.confirms(Timestamp(10 * LEAP.0), Timestamp(9 * LEAP.0 - 5)));
        assert!(!partition.confirms(Timestamp(10 * LEAP.0), Timestamp(9 * LEAP.0 - 6)));
    }
}
