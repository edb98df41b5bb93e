//! Numbers that look random and are the same everywhere: splitmix64, a stream of its own per event.

/// A stream of numbers.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of the event with this number.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Random {
        Random(
            seed.wrapping_mul(0xd1b5_4a32_d192_ed03) ^ number.wrapping_mul(0xa24b_aed4_963e_e407),
        )
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number less than `end`, by multiplication: no division, bias below 2^-32 for ends below 2^32.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// A number in `start..end`.
    pub fn between(&mut self, start: u64, end: u64) -> u64 {
        start + self.below(end - start)
    }
}
