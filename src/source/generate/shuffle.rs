//! Puts lines in an order in which none comes more than a given number of steps after a newer one.
//!
//! The line made at step i is put off to i + r, r at most the spread; lines put off to the same step keep their
//! order. One that comes after another made at j > i was put off further, so j - i <= spread. Lines wait in a ring of buckets.

use super::Random;

/// Lines that wait to be given out.
#[derive(Debug)]
pub struct Shuffle {
    /// `spread + 1` buckets; the one at `now % len` is due.
    ring: Vec<Vec<Vec<u8>>>,
    now: u64,
    random: Random,
    /// Lines that were given out, to be filled again.
    blanks: Vec<Vec<u8>>,
    waiting: u64,
}

impl Shuffle {
    /// Puts lines off by at most `spread` steps.
    #[must_use]
    pub fn new(spread: u64, random: Random) -> Shuffle {
        let len = usize::try_from(spread)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        Shuffle {
            ring: std::iter::repeat_with(Vec::new).take(len).collect(),
            now: 0,
            random,
            blanks: Vec::new(),
            waiting: 0,
        }
    }

    /// An empty line to fill.
    pub fn blank(&mut self) -> Vec<u8> {
        self.blanks.pop().unwrap_or_default()
    }

    /// Takes the next line; gives out those that are due.
    pub fn push(&mut self, line: Vec<u8>, give: &mut dyn FnMut(&[u8])) {
        let len = self.ring.len() as u64;
        let due = (self.now + self.random.below(len)) % len;
        self.ring[due as usize].push(line);
        self.waiting += 1;
        self.step(give);
    }

    /// Goes on by one step without a line.
    pub fn step(&mut self, give: &mut dyn FnMut(&[u8])) {
        let due = (self.now % self.ring.len() as u64) as usize;
        for mut line in self.ring[due].drain(..) {
            give(&line);
            line.clear();
            self.blanks.push(line);
            self.waiting -= 1;
        }
        self.now += 1;
    }

    /// How many steps were made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.now
    }

    /// How many lines wait.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Goes to a step, as if a line had been pushed in each of the first `made` ones. Only lines that wait then are written, in their order; `write` gets the
    /// number of each. Costs as many steps as a line may be put off, however many there were. Of use before the first step.
    pub fn go_to(&mut self, steps: u64, made: u64, write: &mut dyn FnMut(u64, &mut Vec<u8>)) {
        let len = self.ring.len() as u64;
        let first = steps.saturating_sub(len - 1).min(made);
        self.random.pass(first);
        for number in first..made {
            let due = number + self.random.below(len);
            if due >= steps {
                let mut line = Vec::new();
                write(number, &mut line);
                self.ring[(due % len) as usize].push(line);
                self.waiting += 1;
            }
        }
        self.now = steps;
    }

    /// True when no line waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_comes_later_than_the_spread_allows_and_none_is_lost() {
        for spread in [0, 1, 7, 100] {
            let mut shuffle = Shuffle::new(spread, Random::of(1, 2));
            let mut given: Vec<u64> = Vec::new();
            let mut give = |line: &[u8]| given.push(u64::from_le_bytes(line.try_into().unwrap()));
            for number in 0_u64..1_000 {
                let mut line = shuffle.blank();
                line.extend(number.to_le_bytes());
                shuffle.push(line, &mut give);
            }
            while !shuffle.is_empty() {
                shuffle.step(&mut give);
            }
            let mut newest = 0;
            for number in &given {
                newest = newest.max(*number);
                assert!(newest - number <= spread);
            }
            // One step is as long as equal steps keep their order.
            assert_eq!(given.is_sorted(), spread <= 1);
            given.sort_unstable();
            assert_eq!(given, Vec::from_iter(0..1_000));
        }
    }
}
