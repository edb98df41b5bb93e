//! Writes lines in an order in which none comes more than a given time after a newer one.
//!
//! The line made at millisecond i is put off to i + r, r at most the spread; lines put off to the same millisecond keep their
//! order. One that comes after another made at j > i was put off further, so j - i <= spread. Lines wait in a ring of buckets.

use std::io::{self, Write};

use crate::random::Random;

/// Lines that wait to be written.
pub struct Shuffle {
    /// `spread + 1` buckets; the one at `now % len` is due.
    ring: Vec<Vec<Vec<u8>>>,
    now: u64,
    random: Random,
    /// Written lines, to be filled again.
    blanks: Vec<Vec<u8>>,
}

impl Shuffle {
    /// Puts lines off by at most `spread_ms`.
    pub fn new(spread_ms: u64, seed: u64) -> Shuffle {
        let len = usize::try_from(spread_ms)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        Shuffle {
            ring: std::iter::repeat_with(Vec::new).take(len).collect(),
            now: 0,
            random: Random::of(seed, u64::MAX),
            blanks: Vec::new(),
        }
    }

    /// An empty line to fill.
    pub fn blank(&mut self) -> Vec<u8> {
        self.blanks.pop().unwrap_or_default()
    }

    /// Takes the next line, without its end; writes those that are due.
    pub fn push(&mut self, line: Vec<u8>, out: &mut impl Write) -> io::Result<()> {
        let len = self.ring.len() as u64;
        let due = (self.now + self.random.below(len)) % len;
        self.ring[due as usize].push(line);
        self.step(out)
    }

    /// Writes what still waits.
    pub fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        for _ in 0..self.ring.len() {
            self.step(out)?;
        }
        Ok(())
    }

    fn step(&mut self, out: &mut impl Write) -> io::Result<()> {
        let due = (self.now % self.ring.len() as u64) as usize;
        for mut line in self.ring[due].drain(..) {
            line.push(b'\n');
            out.write_all(&line)?;
            line.clear();
            self.blanks.push(line);
        }
        self.now += 1;
        Ok(())
    }
}
