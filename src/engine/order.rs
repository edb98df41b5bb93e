//! The order of rows: the same however the input was cut into batches and the keys were dealt to shards.
//!
//! By time; at equal times what was decided at that instant, then what events completed, then expiries; then by pattern; then by key. Rows of one
//! key of one pattern stay in the order in which they were made: one shard makes them all.

use std::cmp::Ordering;

use crate::automaton::Row;
use crate::lang::scalar;

/// When, within one time, a row was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// At the instant itself: absences and closers.
    Instant,
    /// By an event.
    Event,
    /// After the events of the time: bounds that passed.
    Expiry,
}

/// A row with its place in the order of rows.
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub moment: Moment,
    /// When the event that completed it arrived, in microseconds of the run's own clock; `None` when no event did.
    pub arrived: Option<u64>,
    pub row: Row,
}

impl Ordered {
    /// The order of rows. Equal only within one key of one pattern.
    pub(crate) fn order(&self, other: &Ordered) -> Ordering {
        let (a, b) = (&self.row, &other.row);
        (a.at, self.moment, a.pattern)
            .cmp(&(b.at, other.moment, b.pattern))
            .then_with(|| scalar::total_order_of(&a.key, &b.key))
    }
}
