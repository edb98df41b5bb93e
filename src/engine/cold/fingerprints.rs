//! A multiset of 64-bit hashes, nine to twenty bytes each.

use hashbrown::HashTable;

/// So many tables share the hashes, so that no growth copies all of them at once. Each holds a little more than the one before it, the last nearly twice as much as the first:
/// tables double, and so they do it one after the other.
const PARTS: usize = 64;
/// So many equal shares are given out to the tables.
const SHARES: usize = 4_096;

/// Hashes, some perhaps several times.
#[derive(Debug)]
pub(super) struct Fingerprints {
    parts: Box<[HashTable<u64>]>,
    /// By share, the table that has it.
    of_share: Box<[u8]>,
    count: usize,
}

impl Default for Fingerprints {
    fn default() -> Fingerprints {
        Fingerprints {
            parts: vec![HashTable::new(); PARTS].into(),
            of_share: (0..SHARES).map(part_of_share).collect(),
            count: 0,
        }
    }
}

/// Tables end at equal steps of the logarithm of one plus the share, which runs from 0 to 1.
fn part_of_share(share: usize) -> u8 {
    let share = share as f64 / SHARES as f64;
    ((1.0 + share).log2() * PARTS as f64) as u8
}

impl Fingerprints {
    /// Tables themselves use the lowest and highest bits.
    fn part_of(&self, hash: u64) -> usize {
        usize::from(self.of_share[(hash >> 40) as usize % SHARES])
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        self.count > 0
            && self.parts[self.part_of(hash)]
                .find(hash, |other| *other == hash)
                .is_some()
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let part = self.part_of(hash);
        self.parts[part].insert_unique(hash, hash, |hash| *hash);
        self.count += 1;
    }

    /// Removes the hash once.
    pub(super) fn remove(&mut self, hash: u64) {
        let part = self.part_of(hash);
        if let Ok(entry) = self.parts[part].find_entry(hash, |other| *other == hash) {
            entry.remove();
            self.count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hash_is_there_as_often_as_it_was_put_in() {
        let mut hashes = Fingerprints::default();
        let of = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for number in 0..10_000 {
            hashes.insert(of(number));
        }
        hashes.insert(of(7));
        assert_eq!(hashes.len(), 10_001);
        hashes.remove(of(7));
        assert!(hashes.contains(of(7)) && !hashes.contains(of(10_000)));
        for number in 0..10_000 {
            hashes.remove(of(number));
            hashes.remove(of(number));
            assert!(!hashes.contains(of(number)));
        }
        assert_eq!(hashes.len(), 0);
    }
}
