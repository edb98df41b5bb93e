//! The keys that are due at one instant, in their order.
//!
//! Thousands of windows can end at once, and their keys lie all over memory. So each is looked at once, as it is found to be due, and the order is that of numbers
//! made of the fronts of keys; only keys with equal fronts are looked at again. The list comes nearly sorted where the same keys were due before.

use std::cmp::Ordering;

use crate::event::Value;
use crate::lang::scalar;

/// Slots by the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Due(Vec<(u128, u32)>);

impl Due {
    /// Adds a slot and its key.
    pub(super) fn push(&mut self, key: &[Value], slot: u32) {
        self.0.push((front(key), slot));
    }

    /// Puts the slots in the order of their keys.
    pub(super) fn sort<'a>(&mut self, key: impl Fn(u32) -> &'a [Value]) {
        self.0.sort_by(|(a, slot), (b, other)| match a.cmp(b) {
            Ordering::Equal => scalar::total_order_of(key(*slot), key(*other)),
            order => order,
        });
    }

    /// The slots in groups of so many.
    pub(super) fn groups(
        &self,
        size: usize,
    ) -> impl Iterator<Item = impl Iterator<Item = u32> + Clone> {
        let groups = self.0.chunks(size);
        groups.map(|group| group.iter().map(|(_, slot)| *slot))
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A number that stands to others as the keys do, in the order of values, or is equal.
fn front(key: &[Value]) -> u128 {
    let Some(first) = key.first() else { return 0 };
    let signed = |number: i64| u128::from(number.cast_unsigned() ^ 1 << 63) << 56;
    let rest = match first {
        Value::Int(number) => signed(*number),
        Value::Timestamp(time) => signed(time.0),
        Value::Duration(span) => signed(span.0),
        Value::Str(text) => {
            let bytes = text.as_bytes();
            match (bytes.first_chunk(), bytes.last_chunk()) {
                // The most common lengths, without a loop: two words that overlap.
                (Some(first), Some(last)) if bytes.len() < 16 => {
                    let first = u128::from(u64::from_be_bytes(*first)) << 56;
                    let last = u128::from(u64::from_be_bytes(*last));
                    first | last << (8 * (15 - bytes.len()))
                }
                _ => {
                    let mut front = [0; 16];
                    let len = bytes.len().min(15);
                    front[1..=len].copy_from_slice(&bytes[..len]);
                    u128::from_be_bytes(front)
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::Decimal(_) | Value::List(_) => 0,
    };
    u128::from(scalar::rank(first)) << 120 | rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Span, Timestamp};
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let number = || prop_oneof![any::<i64>(), -2..2i64];
        prop_oneof![
            number().prop_map(Value::Int),
            number().prop_map(|ms| Value::Timestamp(Timestamp(ms))),
            number().prop_map(|ms| Value::Duration(Span(ms))),
            any::<f64>().prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
            // Fronts of long texts are equal, and so is what ends in zeros.
            "[ab\u{0}\u{e9}]{0,18}".prop_map(Value::from),
        ]
    }

    proptest! {
        #[test]
        fn slots_come_in_the_order_of_their_keys(keys in prop::collection::vec(prop::collection::vec(value(), 0..3), 0..40)) {
            let mut due = Due::default();
            (0..).zip(&keys).for_each(|(slot, key)| due.push(key, slot));
            due.sort(|slot| &keys[slot as usize]);
            let mut sorted: Vec<u32> = (0..keys.len() as u32).collect();
            sorted.sort_by(|a, b| scalar::total_order_of(&keys[*a as usize], &keys[*b as usize]));
            prop_assert_eq!(due.groups(7).flatten().collect::<Vec<u32>>(), sorted);
        }
    }
}
