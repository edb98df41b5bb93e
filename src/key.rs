//! Which shard owns which key: key -> key group -> shard, pure and the same in every version.
//!
//! Key groups are the unit in which keys change their owner. A shard owns a range of them, so that changing the number of shards
//! deals the groups anew without touching what is inside one.

/// How many key groups there are. State is stored by group, so this never changes.
pub const KEY_GROUPS: u16 = 1024;

/// The unit of ownership of keys; below [`KEY_GROUPS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGroup(u16);

/// One thread's share of the keys, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// How many shards share the keys; from 1 to [`Shards::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shards(u16);

impl KeyGroup {
    /// The group of a key, given its stable hash ([`stable_hash`](crate::lang::scalar::stable_hash)).
    #[must_use]
    pub fn of(stable_hash: u64) -> KeyGroup {
        // The high bits: tables inside a shard use the low ones.
        KeyGroup(((stable_hash >> 32) % u64::from(KEY_GROUPS)) as u16)
    }

    /// All of them in order.
    pub(crate) fn all() -> impl Iterator<Item = KeyGroup> {
        (0..KEY_GROUPS).map(KeyGroup)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl Shards {
    /// One shard: nothing is routed.
    pub const ONE: Shards = Shards(1);
    /// The most there can be: one key group each would be 1,024, but a machine of more than 256 cores runs several processes.
    pub const MAX: u16 = 256;

    /// So many shards; `None` for none or more than [`Shards::MAX`].
    #[must_use]
    pub fn new(count: u16) -> Option<Shards> {
        (1..=Shards::MAX).contains(&count).then_some(Shards(count))
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> u16 {
        self.0
    }

    /// All of them in order.
    pub fn ids(self) -> impl Iterator<Item = ShardId> {
        (0..self.0).map(ShardId)
    }

    /// The shard that owns a group. Groups are dealt in ranges whose sizes differ by at most one.
    #[must_use]
    pub fn owner(self, group: KeyGroup) -> ShardId {
        ShardId((u32::from(group.0) * u32::from(self.0) / u32::from(KEY_GROUPS)) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_owns_one_range_of_groups_and_the_ranges_are_even() {
        for count in [1, 2, 3, 8, 256] {
            let shards = Shards::new(count).expect("in range");
            let owners: Vec<u16> = (0..KEY_GROUPS)
                .map(|group| shards.owner(KeyGroup(group)).0)
                .collect();
            assert!(owners.is_sorted());
            let sizes: Vec<usize> = owners.chunk_by(|a, b| a == b).map(<[u16]>::len).collect();
            assert_eq!(sizes.len(), usize::from(count));
            assert!(sizes.iter().max().unwrap_or(&0) - sizes.iter().min().unwrap_or(&0) <= 1);
        }
        assert_eq!((Shards::new(0), Shards::new(257)), (None, None));
    }

    #[test]
    fn the_group_of_a_hash_never_changes() {
        let groups: Vec<u16> = [0, 1, 0x0123_4567_89ab_cdef, u64::MAX]
            .map(|hash| KeyGroup::of(hash).number())
            .into();
        assert_eq!(groups, [0, 0, 359, 1023]);
    }
}
