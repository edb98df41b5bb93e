//! Numbers that look random and are the same everywhere: splitmix64, a stream of its own per event.

/// What lies between two states of a stream.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

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
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Passes over so many numbers, however many, at once.
    pub fn pass(&mut self, count: u64) {
        self.0 = self.0.wrapping_add(STEP.wrapping_mul(count));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_passed_over_are_those_that_are_not_asked_for() {
        let mut asked = Random::of(1, 2);
        let mut passed = Random::of(1, 2);
        for _ in 0..1_000 {
            asked.bits();
        }
        passed.pass(1_000);
        assert_eq!(asked.bits(), passed.bits());
    }
}
