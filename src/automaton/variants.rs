//! Sets of variants of a family: one bit each.

use smallvec::SmallVec;

/// A set of variants, by number.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Variants(SmallVec<[u64; 2]>);

impl Clone for Variants {
    fn clone(&self) -> Variants {
        Variants(self.0.clone())
    }

    fn clone_from(&mut self, other: &Variants) {
        self.0.clone_from(&other.0);
    }
}

impl Variants {
    /// No variant of a family of this size. All sets of a family are made with its size.
    pub(crate) fn none(size: usize) -> Variants {
        Variants(SmallVec::from_elem(0, size.div_ceil(64)))
    }

    /// All variants of a family of this size.
    pub(crate) fn all(size: usize) -> Variants {
        let mut all = Variants::default();
        all.fill(size);
        all
    }

    /// Becomes all variants of a family of this size.
    pub(crate) fn fill(&mut self, size: usize) {
        self.0.clear();
        self.0.resize(size.div_ceil(64), u64::MAX);
        if let (Some(last), rest @ 1..) = (self.0.last_mut(), size % 64) {
            *last = (1 << rest) - 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn add(&mut self, variant: usize) {
        self.0[variant / 64] |= 1 << (variant % 64);
    }

    pub(crate) fn unite(&mut self, other: &Variants) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    pub(crate) fn intersect(&mut self, other: &Variants) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= other;
        }
    }

    pub(crate) fn remove(&mut self, other: &Variants) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= !other;
        }
    }

    /// Becomes those in both; false, and nothing is done, if there are none.
    pub(crate) fn become_shared(&mut self, a: &Variants, b: &Variants) -> bool {
        let pairs = || a.0.iter().zip(&b.0);
        let any = pairs().any(|(a, b)| a & b != 0);
        if any {
            self.0.clear();
            self.0.extend(pairs().map(|(a, b)| a & b));
        }
        any
    }

    /// Their numbers, rising.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> {
        let words = self.0.iter().enumerate();
        words.flat_map(|(at, word)| super::run::bits(*word).map(move |bit| at * 64 + bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(size: usize, numbers: &[usize]) -> Variants {
        let mut set = Variants::none(size);
        numbers.iter().for_each(|number| set.add(*number));
        set
    }

    #[test]
    fn a_family_of_any_size_has_all_its_variants_in_the_whole_set() {
        for size in [1, 63, 64, 65, 128, 1_000] {
            let all: Vec<usize> = Variants::all(size).numbers().collect();
            assert_eq!(all, (0..size).collect::<Vec<_>>());
            assert!(Variants::none(size).is_empty());
        }
    }

    #[test]
    fn sets_unite_intersect_and_shrink() {
        let (a, b) = (set(200, &[0, 63, 64, 199]), set(200, &[63, 100, 199]));
        let numbers = |set: Variants| set.numbers().collect::<Vec<_>>();
        let mut shared = Variants::default();
        assert!(shared.become_shared(&a, &b));
        assert_eq!(shared, set(200, &[63, 199]));
        assert!(!shared.become_shared(&a, &set(200, &[1, 65])));
        let (mut united, mut common, mut rest) = (a.clone(), a.clone(), a);
        united.unite(&b);
        common.intersect(&b);
        rest.remove(&b);
        assert_eq!(numbers(united), [0, 63, 64, 100, 199]);
        assert_eq!(numbers(common), [63, 199]);
        assert_eq!(numbers(rest), [0, 64]);
    }
}
