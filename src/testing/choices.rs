//! Decisions of a generator, drawn from a seed or read from bytes, and shrunk as bytes.
//!
//! A generator asks small questions ("one of five?") and builds from the answers; answer 0 is always the plainest. So the list of answers *is* the
//! generated thing: fuzzers may write it, and making it shorter or smaller makes the thing simpler.

/// Where answers come from, and what was answered.
#[derive(Clone, Debug)]
pub struct Choices {
    /// `None`: only what is recorded, then zeros.
    random: Option<SplitMix>,
    recorded: Vec<u8>,
    next: usize,
}

/// A small, fast generator of random numbers (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Choices {
    /// Random answers that depend on the seed alone.
    #[must_use]
    pub fn from_seed(seed: u64) -> Choices {
        Choices {
            random: Some(SplitMix(seed)),
            recorded: Vec::new(),
            next: 0,
        }
    }

    /// The given answers, then zeros.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Choices {
        Choices {
            random: None,
            recorded: bytes.to_vec(),
            next: 0,
        }
    }

    /// The answers given so far.
    #[must_use]
    pub fn taken(&self) -> &[u8] {
        &self.recorded[..self.next.min(self.recorded.len())]
    }

    /// A number less than `n`, which is at most 256; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        debug_assert!(n <= 256);
        if self.next == self.recorded.len()
            && let Some(random) = &mut self.random
        {
            // Recorded as answered, so that a smaller byte is a plainer answer.
            let answer = (random.draw() >> 32) % (n.max(1) as u64);
            self.recorded.push(answer as u8);
        }
        let answer = self.recorded.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        usize::from(answer) % n.max(1)
    }

    /// True in `times` of `of` cases; false is the plain answer.
    pub fn chance(&mut self, times: usize, of: usize) -> bool {
        self.below(of) >= of - times
    }

    /// One of these.
    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// One of these, as often as its weight says.
    pub fn weighted<'t, T>(&mut self, from: &'t [(usize, T)]) -> &'t T {
        let mut at = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in from {
            if at < *weight {
                return value;
            }
            at -= weight;
        }
        &from[0].1
    }
}

/// The shortest and smallest bytes found for which `fails` still holds. `budget` bounds how often it is asked.
pub fn shrink(bytes: &[u8], budget: usize, mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut best = bytes.to_vec();
    let mut left = budget;
    let mut attempt = |candidate: &[u8], left: &mut usize| {
        *left = left.saturating_sub(1);
        *left > 0 && fails(candidate)
    };
    loop {
        let before = best.clone();
        for length in [32, 16, 8, 4, 3, 2, 1] {
            let mut at = 0;
            while at < best.len() {
                let end = (at + length).min(best.len());
                let shorter = [&best[..at], &best[end..]].concat();
                if attempt(&shorter, &mut left) {
                    best = shorter;
                } else {
                    at += 1;
                }
            }
        }
        for at in 0..best.len() {
            for value in [0, best[at] / 2, best[at].saturating_sub(1)] {
                let mut smaller = best.clone();
                smaller[at] = value;
                if value < best[at] && attempt(&smaller, &mut left) {
                    best = smaller;
                    break;
                }
            }
        }
        if best == before || left == 0 {
            return best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_replayed_from_their_bytes() {
        let mut random = Choices::from_seed(7);
        let drawn: Vec<usize> = (1..50).map(|n| random.below(n)).collect();
        let mut replayed = Choices::from_bytes(random.taken());
        assert_eq!(
            drawn,
            (1..50).map(|n| replayed.below(n)).collect::<Vec<_>>()
        );
        assert_eq!(replayed.below(9), 0);
    }

    #[test]
    fn shrinking_finds_the_smallest_failure() {
        let bytes: Vec<u8> = (0..100).map(|i| i * 2).collect();
        let smallest = shrink(&bytes, 10_000, |bytes| {
            bytes.iter().any(|byte| *byte >= 90) && bytes.len() >= 3
        });
        assert_eq!(smallest, [0, 0, 90]);
    }
}
