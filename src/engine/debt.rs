//! What one shard owes another: the memory of events that it was sent.
//!
//! Each shard makes the events it decodes of spent ones ([`Spare`]). Shards that send each other alike need no more: what one loses the others bring. But where one
//! reads for all, it would have nothing to write to, and they would keep what they cannot use. So each counts, and gives back what it took more than it gave.

use crate::event::Value;
use crate::event::formats::Spare;

/// So much may be owed for each number of fields: between shards that send each other alike, who owes whom changes all the time.
const OWED_MAX: i64 = 256;

/// How many events' values are given back at a time.
pub(super) const PAID_MAX: usize = 512;

/// What is owed to one other shard.
#[derive(Debug, Default)]
pub(super) struct Debt {
    /// By number of fields: how many more were taken than given. Negative if the other owes them.
    owed: Vec<i64>,
}

impl Debt {
    /// An event was taken from the other, or memory that it gave back.
    #[inline]
    pub(super) fn took(&mut self, values: &[Value]) {
        *self.of(values.len()) += 1;
    }

    /// An event was given to the other.
    #[inline]
    pub(super) fn gave(&mut self, values: &[Value]) {
        *self.of(values.len()) -= 1;
    }

    /// Gives back what there is, when it is enough to be worth while.
    pub(super) fn pay(&mut self, spare: &mut Spare, to: &mut Vec<Box<[Value]>>) {
        for (fields, owed) in self.owed.iter_mut().enumerate() {
            while *owed > OWED_MAX
                && to.len() < PAID_MAX
                && let Some(values) = spare.find(fields)
            {
                *owed -= 1;
                to.push(values);
            }
        }
    }

    fn of(&mut self, fields: usize) -> &mut i64 {
        if self.owed.len() <= fields {
            self.owed.resize(fields + 1, 0);
        }
        &mut self.owed[fields]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(fields: usize) -> Box<[Value]> {
        vec![Value::Null; fields].into()
    }

    /// What of so many spent events with two fields is given back.
    fn paid(debt: &mut Debt, spent: i64) -> usize {
        let (mut spare, mut to) = (Spare::default(), Vec::new());
        (0..spent).for_each(|_| spare.give(event(2)));
        debt.pay(&mut spare, &mut to);
        assert!(to.iter().all(|values| values.len() == 2));
        to.len()
    }

    #[test]
    fn what_was_taken_beyond_what_was_given_goes_back_in_bounded_parts() {
        let mut debt = Debt::default();
        (0..2_000).for_each(|_| debt.took(&event(2)));
        (0..500).for_each(|_| debt.gave(&event(2)));
        assert_eq!(paid(&mut debt, 2_000), PAID_MAX);
        assert_eq!(paid(&mut debt, 2_000), PAID_MAX);
        assert_eq!(paid(&mut debt, 100), 100);
        let rest = 1_500 - 2 * PAID_MAX - 100 - OWED_MAX as usize;
        assert_eq!(paid(&mut debt, 2_000), rest);
        assert_eq!(paid(&mut debt, 2_000), 0);
    }

    #[test]
    fn events_of_other_types_settle_no_debt() {
        let mut debt = Debt::default();
        for _ in 0..2 * OWED_MAX {
            debt.took(&event(3));
            debt.gave(&event(2));
        }
        assert_eq!(paid(&mut debt, 1_000), 0);
        (0..4 * OWED_MAX).for_each(|_| debt.took(&event(2)));
        assert_eq!(paid(&mut debt, 1_000), OWED_MAX as usize);
    }
}
