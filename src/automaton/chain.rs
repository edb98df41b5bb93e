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
        let mut values = Vec::with_capacity(self.len);
        let mut at = &self.last;
        while let Some(link) = at {
            values.push(link.value.clone());
            at = &link.before;
        }
        values.reverse();
        values.into_iter()
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
    fn a_million_values_drop_without_recursion() {
        let mut list = Chain::default();
        for value in 0..1_000_000 {
            list.push(value);
        }
        drop(list);
    }
}
