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

/// Rows as they are made.
pub(crate) struct Rows<'a> {
    made: &'a mut Vec<Ordered>,
    /// Takes rows out of the list that come before all others; `None` to gather all.
    leave: Option<&'a mut Leave<'a>>,
}

/// Takes rows out of a list.
type Leave<'a> = dyn FnMut(&mut Vec<Ordered>) + 'a;

/// Rows leave when there are as many: few enough to be still in the processor's cache.
const LEAVING_ROWS: usize = 256;

impl<'a> Rows<'a> {
    /// Gathers all rows behind those that are there.
    pub(crate) fn gather(made: &'a mut Vec<Ordered>) -> Rows<'a> {
        Rows { made, leave: None }
    }

    /// The same for rows of one family, which `leave` takes before there are many, where they come in order.
    pub(crate) fn leaving(made: &'a mut Vec<Ordered>, leave: &'a mut Leave<'a>) -> Rows<'a> {
        Rows {
            made,
            leave: Some(leave),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, moment: Moment, arrived: Option<u64>, row: Row) {
        self.made.push(Ordered {
            moment,
            arrived,
            row,
        });
    }

    /// The family's rows so far are in order, and come before all that will be added.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.made.len() >= LEAVING_ROWS
            && let Some(leave) = &mut self.leave
        {
            leave(self.made);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.made.len()
    }

    /// Puts those from `first` on in order.
    pub(super) fn sort(&mut self, first: usize) {
        // Others may have left.
        let first = first.min(self.made.len());
        self.made[first..].sort_by(Ordered::order);
    }

    /// Those from `first` on.
    pub(super) fn from(&self, first: usize) -> &[Ordered] {
        &self.made[first..]
    }
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
