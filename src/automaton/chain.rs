//! A list that partial matches share: branches of a match have one tail in common and each its own end.

use std::sync::Arc;

/// A list grown at its end; cloning is O(1) and shares everything.
#[derive(Clone, Debug)]
pub(crate) struct Chain<T> {
    last: Option<Arc<Link<T>>>,
    len: usize,
}

#[derive(Debug)]
struct Link<T> {
    value: T,
    before: Option<Arc<Link<T>>>,
}

impl<T> Default for Chain<T> {
    fn default() -> Chain<T> {
        Chain { last: None, len: 0 }
    }
}

impl<T: Clone> Chain<T> {
    /// Adds to the end. O(1).
    pub(crate) fn push(&mut self, value: T) {
        self.last = Some(Arc::new(Link {
            value,
            before: self.last.take(),
        }));
        self.len += 1;
    }

    /// Adds all of `other` to the end. O(length of `other`).
    pub(crate) fn extend(&mut self, other: &Chain<T>) {
        for value in other.iter() {
            self.push(value);
        }
    }

    /// The values in order. O(length), once, when a match is written.
    pub(crate) fn iter(&self) -> std::vec::IntoIter<T> {
        let values: Vec<T> = self.after(0).into_iter().cloned().collect();
        values.into_iter()
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The values after the first so many, in order. O(their number).
    pub(crate) fn after(&self, count: usize) -> Vec<&T> {
        let links = self.links().take(self.len.saturating_sub(count));
        let mut values: Vec<&T> = links.map(|link| &link.value).collect();
        values.reverse();
        values
    }

    /// How many values both have in common, not equal ones but the same. O(length), unless much is shared.
    pub(crate) fn shared(&self, other: &Chain<T>) -> usize {
        let common = self.len.min(other.len);
        let (mut own, mut others) = (
            self.links().skip(self.len - common),
            other.links().skip(other.len - common),
        );
        let mut differing = 0;
        while let (Some(own), Some(other)) = (own.next(), others.next()) {
            if Arc::ptr_eq(own, other) {
                break;
            }
            differing += 1;
        }
        common - differing
    }

    /// The first values; all if there are not so many. O(length of the rest).
    pub(crate) fn beginning(&self, count: usize) -> Chain<T> {
        let rest = self.len.saturating_sub(count);
        Chain {
            last: self.links().nth(rest).map(Arc::clone),
            len: self.len - rest,
        }
    }

    /// From the last to the first.
    fn links(&self) -> impl Iterator<Item = &Arc<Link<T>>> {
        std::iter::successors(self.last.as_ref(), |link| link.before.as_ref())
    }
}

/// Without this, dropping a long list would recurse once per value.
impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        let mut at = self.before.take();
        while let Some(link) = at {
            match Arc::try_unwrap(link) {
                Ok(mut link) => at = link.before.take(),
                Err(_) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_share_their_beginning_and_differ_after_it() {
        let mut a = Chain::default();
        a.push(1);
        let mut b = a.clone();
        a.push(2);
        b.push(3);
        b.push(4);
        assert_eq!(a.iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(b.iter().collect::<Vec<_>>(), [1, 3, 4]);
        a.extend(&b);
        assert_eq!(a.iter().collect::<Vec<_>>(), [1, 2, 1, 3, 4]);
    }

    #[test]
    fn what_two_lists_share_is_found_and_can_be_taken_over() {
        let mut a = Chain::default();
        (0..5).for_each(|value| a.push(value));
        let mut b = a.beginning(3);
        assert_eq!(b.iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!((a.shared(&b), b.shared(&a), a.shared(&a)), (3, 3, 5));
        b.push(3);
        b.push(4);
        b.push(5);
        assert_eq!((a.shared(&b), b.shared(&a), b.len()), (3, 3, 6));
        assert_eq!(b.after(4), [&4, &5]);
        let mut equal = Chain::default();
        (0..5).for_each(|value| equal.push(value));
        assert_eq!((a.shared(&equal), a.shared(&Chain::default())), (0, 0));
        assert_eq!(a.beginning(0).len(), 0);
        assert_eq!(a.beginning(9).iter().count(), 5);
    }

    #[test]
    fn a_million_values_drop_without_recursion() {
        let mut list = Chain::default();
        for value in 0..1_000_000 {
            list.push(value);
        }
        drop(list);
    }
}
