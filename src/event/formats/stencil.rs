//! Records whose quotes stand alike.
//!
//! Values are mostly as long as others of their field: names of one scheme, codes of two letters, amounts of so many digits. Where records are laid out alike, and their quotes stand at the same
//! places, so do their values. What was found in one is kept with what stands between its values, and laid over the next one: what has to be the same is compared for the
//! whole record at once, where a search for one value after the other waits for each. Whether a record is of this layout is told by the same bytes; nothing is believed.

use wide::u8x16;

use super::chunk::{BYTES, Quotes};
use super::token::Cut;

/// So many stencils of a layout are kept, each in a place of its own: a power of two.
const KEPT: usize = 256;

/// No longer records have one.
const BYTES_MAX: usize = 512;

/// Once its place is taken, one in so many records that fit no stencil takes it.
const MISSES_PER_LEARNING: u32 = 16;

/// After so many records it is asked whether one in so many fits.
const TRIAL: u32 = 1_024;
const FITTING: u32 = 4;

/// If not, none is tried for so many records.
const RESTING: u32 = 16_384;

/// The stencils of a layout.
#[derive(Clone, Debug, Default)]
pub(super) struct Stencils {
    /// Empty until the first is learned.
    kept: Vec<Stencil>,
    /// Records of the layout that fitted one and that fitted none, since it was asked for last.
    fitted: u32,
    missed: u32,
    /// So many records are not tried.
    resting: u32,
}

/// What records have in common.
#[derive(Clone, Debug, Default)]
struct Stencil {
    length: usize,
    /// Where quotes stand.
    quotes: Vec<u64>,
    /// Where values stand.
    cuts: Vec<Cut>,
    /// What stands between them, chunk by chunk.
    chunks: Vec<Between>,
    /// The same of the last chunk, which overlaps with the one before.
    last: Between,
}

/// The bytes of a chunk that are the same in all records.
#[derive(Clone, Copy, Debug, Default)]
struct Between {
    bytes: u8x16,
    /// Which these are.
    mask: u8x16,
}

impl Between {
    /// Zero where it is the same.
    #[inline(always)]
    fn differs(&self, chunk: &[u8; BYTES]) -> u8x16 {
        (u8x16::new(*chunk) ^ self.bytes) & self.mask
    }
}

impl Stencils {
    /// The number of a stencil that fits a record.
    #[inline]
    pub(super) fn find(&mut self, bytes: &[u8], quotes: &Quotes) -> Option<u16> {
        if self.resting > 0 {
            self.resting -= 1;
            return None;
        }
        let at = quotes.digest() as usize % KEPT;
        if !self.kept.get(at)?.fits(bytes, quotes) {
            return None;
        }
        self.fitted = self.fitted.saturating_add(1);
        Some(at as u16)
    }

    /// Where the values of records stand that a stencil fits.
    #[inline]
    pub(super) fn cuts(&self, stencil: u16) -> &[Cut] {
        &self.kept[usize::from(stencil)].cuts
    }

    /// Keeps what was found in a record that fitted no stencil.
    #[inline(never)]
    pub(super) fn learn(&mut self, bytes: &[u8], quotes: &Quotes, cuts: &[Cut]) {
        if self.resting > 0 {
            return;
        }
        self.missed += 1;
        let tried = self.fitted.saturating_add(self.missed);
        if tried >= TRIAL {
            if self.fitted < tried / FITTING {
                self.resting = RESTING;
            }
            (self.fitted, self.missed) = (0, 0);
        }
        if !(BYTES..=BYTES_MAX).contains(&bytes.len()) {
            return;
        }
        if self.kept.is_empty() {
            self.kept.resize_with(KEPT, Stencil::default);
        }
        let stencil = &mut self.kept[quotes.digest() as usize % KEPT];
        if stencil.length == 0 || self.missed.is_multiple_of(MISSES_PER_LEARNING) {
            stencil.set(bytes, quotes, cuts);
        }
    }
}

impl Stencil {
    #[inline]
    fn fits(&self, bytes: &[u8], quotes: &Quotes) -> bool {
        let Some(last) = bytes.last_chunk() else {
            return false;
        };
        let mut words = self.quotes.iter().zip(quotes.words());
        if self.length != bytes.len() || words.any(|(own, other)| own != other) {
            return false;
        }
        let chunks = bytes.as_chunks().0.iter().zip(&self.chunks);
        let differs = chunks.fold(self.last.differs(last), |differs, (chunk, between)| {
            differs | between.differs(chunk)
        });
        differs == u8x16::default()
    }

    fn set(&mut self, bytes: &[u8], quotes: &Quotes, cuts: &[Cut]) {
        self.length = bytes.len();
        self.quotes.clear();
        self.quotes.extend_from_slice(quotes.words());
        self.cuts.clear();
        self.cuts.extend_from_slice(cuts);
        let mut mask = [0xff; BYTES_MAX];
        for cut in cuts {
            mask[cut.start as usize..cut.end as usize].fill(0);
        }
        let between = |(bytes, mask): (&[u8; BYTES], &[u8; BYTES])| Between {
            bytes: u8x16::new(*bytes),
            mask: u8x16::new(*mask),
        };
        let mask = &mask[..bytes.len()];
        self.chunks.clear();
        self.chunks.extend(
            bytes
                .as_chunks()
                .0
                .iter()
                .zip(mask.as_chunks().0)
                .map(between),
        );
        let last = bytes.last_chunk().zip(mask.last_chunk());
        self.last = last.map(between).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quotes of a text, and where it says `x`.
    fn looked_at(text: &str) -> (Quotes, Vec<Cut>) {
        let mut quotes = Quotes::default();
        quotes.look(text.as_bytes());
        let cuts = text.match_indices('x').map(|(at, _)| Cut::new(at, at + 1));
        (quotes, cuts.collect())
    }

    fn fits(stencils: &mut Stencils, text: &str) -> bool {
        let (quotes, _) = looked_at(text);
        stencils.find(text.as_bytes(), &quotes).is_some()
    }

    fn learn(stencils: &mut Stencils, text: &str) {
        let (quotes, cuts) = looked_at(text);
        stencils.learn(text.as_bytes(), &quotes, &cuts);
    }

    #[test]
    fn records_fit_that_differ_in_values_only() {
        let mut stencils = Stencils::default();
        let like = r#"{"card":"x","amount":x,"country":"x"}"#;
        assert!(!fits(&mut stencils, like));
        learn(&mut stencils, like);
        assert!(fits(&mut stencils, like));
        assert!(fits(
            &mut stencils,
            r#"{"card":"a","amount":5,"country":"b"}"#
        ));
        for other in [
            r#"{"card":"a","amount":5,"country":"bb"}"#,
            r#"{"card":"a","amount":5,"county": "b"}"#,
            r#"{"card":"a","amounts":5,"country":""}"#,
            r#"{"card":"a","amount":5,"country":"b"]"#,
            r#"{"care":"a","amount":5,"country":"b"}"#,
            r#"{"card":"a","amount":5;"country":"b"}"#,
            r#"{"card":""","amount":5,"country":"b"}"#,
        ] {
            assert!(!fits(&mut stencils, other), "{other}");
        }
    }

    #[test]
    fn where_nothing_fits_nothing_is_tried_for_a_while() {
        let mut stencils = Stencils::default();
        let like = r#"{"card":"x","text":""}"#;
        learn(&mut stencils, like);
        for length in 0.. {
            if stencils.resting > 0 {
                break;
            }
            let text = format!(r#"{{"card":"x","text":"{}"}}"#, "a".repeat(30 + length));
            assert!(!fits(&mut stencils, &text));
            learn(&mut stencils, &text);
        }
        for _ in 0..RESTING {
            assert!(!fits(&mut stencils, like));
            learn(&mut stencils, like);
        }
        assert!(fits(&mut stencils, like));
    }
}
