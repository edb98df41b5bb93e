//! Sixteen bytes of text at a time.
//!
//! Names, numbers and strings of events are short: nearly always one look at sixteen bytes tells where one ends.

use wide::u8x16;

/// Bytes, lowest bit first, of which something holds.
pub(super) type Mask = u32;

/// How many bytes a chunk has.
pub(crate) const BYTES: usize = 16;

/// Each of them.
const ALL: Mask = 0xffff;

/// The bytes from `at` on; zeros stand where there are none left.
#[inline]
pub(super) fn chunk(bytes: &[u8], at: usize) -> u8x16 {
    match first(bytes, at) {
        Some(chunk) => u8x16::new(*chunk),
        None => last(bytes, at),
    }
}

/// All there are, fewer than a word has.
fn last_word(rest: &[u8]) -> u64 {
    match (rest.first_chunk(), rest.last_chunk()) {
        (Some(first), Some(last)) => {
            let last = u64::from(u32::from_le_bytes(*last)) << (8 * (rest.len() - 4));
            u64::from(u32::from_le_bytes(*first)) | last
        }
        _ => rest
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[inline(always)]
pub(super) fn first<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..at + N)?.first_chunk()
}

/// The last bytes, fewer than a chunk has. They are read with those before them, or as two words that overlap: bytes that are put together in memory and then read at once stall the
/// processor.
#[inline]
fn last(bytes: &[u8], at: usize) -> u8x16 {
    if let Some(chunk) = bytes.last_chunk()
        && at < bytes.len()
    {
        let passed = at - (bytes.len() - BYTES);
        return u8x16::new((u128::from_le_bytes(*chunk) >> (8 * passed)).to_le_bytes());
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let chunk = match (rest.first_chunk(), rest.last_chunk()) {
        (Some(first), Some(last)) => {
            let last = u128::from(u64::from_le_bytes(*last)) << (8 * (rest.len() - 8));
            u128::from(u64::from_le_bytes(*first)) | last
        }
        _ => u128::from(last_word(rest)),
    };
    u8x16::new(chunk.to_le_bytes())
}

/// A text that is expected to stand somewhere.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    text: Vec<u8>,
    /// The first bytes, of which those are compared that the mask has.
    head: u8x16,
    mask: u8x16,
}

impl Expected {
    /// Expects what stands nowhere.
    pub(super) fn nothing() -> Expected {
        Expected {
            text: Vec::new(),
            head: u8x16::splat(1),
            mask: u8x16::splat(0),
        }
    }

    /// Expects a text that is not empty.
    pub(super) fn text(text: &[u8]) -> Expected {
        let mut expected = Expected::nothing();
        expected.set(text);
        expected
    }

    /// Expects another text, which is not empty.
    pub(super) fn set(&mut self, text: &[u8]) {
        debug_assert!(!text.is_empty());
        self.text.clear();
        self.text.extend_from_slice(text);
        self.head = chunk(text, 0);
        self.mask = chunk(&[0xff; BYTES][..text.len().min(BYTES)], 0);
    }

    /// How long it is, in bytes.
    #[inline]
    pub(super) fn length(&self) -> usize {
        self.text.len()
    }

    /// Whether it stands there.
    #[inline(always)]
    pub(super) fn stands(&self, bytes: &[u8], at: usize) -> bool {
        let Some(chunk) = first(bytes, at) else {
            return self.stands_near(bytes, at);
        };
        let head = u8x16::new(*chunk) & self.mask;
        head.simd_eq(self.head).to_bitmask() == ALL
            && (self.text.len() <= BYTES || bytes[at..].starts_with(&self.text))
    }

    /// The same with fewer bytes left than a chunk has.
    #[inline(never)]
    fn stands_near(&self, bytes: &[u8], at: usize) -> bool {
        let rest = bytes.get(at..).unwrap_or_default();
        !self.text.is_empty() && rest.starts_with(&self.text)
    }
}

/// A text that fits into a chunk, filled up with zeros, if a string can hold it as it is.
#[inline(always)]
pub(crate) fn plain(text: &[u8]) -> Option<[u8; BYTES]> {
    if text.len() > BYTES {
        return None;
    }
    let chunk = chunk(text, 0);
    let of_text = special(chunk) & ((1 << text.len()) - 1);
    (of_text == 0).then(|| chunk.to_array())
}

/// Where from `at` on the first byte stands that a string can't hold as it is: a quote, a backslash, a control character. The end, if none does.
#[inline(always)]
pub(crate) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let Some(chunk) = first(bytes, at) else {
            return plain_end_near(bytes, at);
        };
        let special = special(u8x16::new(*chunk));
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += BYTES;
    }
}

/// The same with fewer bytes left than a chunk has. The last chunk is looked at: bytes that were put together and then read at once stall the processor.
#[inline(always)]
fn plain_end_near(bytes: &[u8], at: usize) -> usize {
    let (chunk, from) = match bytes.last_chunk() {
        Some(chunk) => (u8x16::new(*chunk), bytes.len() - BYTES),
        None => (last(bytes, 0), 0),
    };
    match special(chunk).checked_shr((at - from) as u32) {
        None | Some(0) => bytes.len(),
        Some(special) => bytes.len().min(at + special.trailing_zeros() as usize),
    }
}

/// Where the quotes of a text stand, a bit for each byte, found for all of it at once: a search that begins where another one has ended has to wait for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Quotes {
    /// One word more than there are bytes for.
    words: Vec<u64>,
    bytes: usize,
    /// True if between them is nothing but what strings can hold as it is.
    pub(super) is_plain: bool,
    /// True if all bytes are ASCII.
    pub(super) is_ascii: bool,
}

/// What else was seen in chunks: what a string can't hold as it is, but quotes, in bytes that are not zero, and what is not ASCII, in bytes of which the highest bit is set.
#[derive(Clone, Copy, Default)]
struct Seen {
    odd: u8x16,
    high: u8x16,
}

impl Seen {
    /// The quotes of a chunk.
    #[inline(always)]
    fn quotes(&mut self, chunk: u8x16) -> Mask {
        let controls = u8x16::splat(0x20).saturating_sub(chunk);
        self.odd |= controls | chunk.simd_eq(u8x16::splat(b'\\'));
        self.high |= chunk;
        chunk.simd_eq(u8x16::splat(b'"')).to_bitmask()
    }

    /// Those of up to four.
    #[inline(always)]
    fn quotes_of(&mut self, chunks: &[[u8; BYTES]]) -> u64 {
        let chunks = chunks.iter().enumerate();
        chunks.fold(0, |word, (nth, chunk)| {
            word | u64::from(self.quotes(u8x16::new(*chunk))) << (BYTES * nth)
        })
    }
}

/// How many bytes a word has bits for.
const WORD: usize = 64;

impl Quotes {
    /// Looks at a text.
    #[inline]
    pub(super) fn look(&mut self, bytes: &[u8]) {
        let mut seen = Seen::default();
        self.bytes = bytes.len();
        let count = bytes.len() / WORD + 2;
        if self.words.len() < count {
            self.words.resize(count, 0);
        }
        let (wholes, rest) = bytes.as_chunks::<WORD>();
        for (word, whole) in self.words.iter_mut().zip(wholes) {
            *word = seen.quotes_of(whole.as_chunks().0);
        }
        let (chunks, tail) = rest.as_chunks();
        let mut word = seen.quotes_of(chunks);
        if !tail.is_empty() {
            // With the bytes before it, which were looked at.
            let mask = match bytes.last_chunk() {
                Some(last) => seen.quotes(u8x16::new(*last)) >> (BYTES - tail.len()),
                None => {
                    let mut padded = [b' '; BYTES];
                    padded[..tail.len()].copy_from_slice(tail);
                    seen.quotes(u8x16::new(padded))
                }
            };
            word |= u64::from(mask) << (BYTES * chunks.len());
        }
        self.words[count - 2] = word;
        self.words[count - 1] = 0;
        self.is_plain = seen.odd == u8x16::default();
        self.is_ascii = seen.high.to_bitmask() == 0;
    }

    /// Where they stand, a bit for each byte, lowest first.
    #[inline]
    pub(super) fn words(&self) -> &[u64] {
        &self.words[..self.bytes / WORD + 1]
    }

    /// A number that others with the same quotes have too.
    #[inline]
    pub(super) fn digest(&self) -> u64 {
        // An odd number mixes upwards.
        let mixed = |digest: u64, word: &u64| (digest ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.words().iter().fold(self.bytes as u64, mixed) >> 32
    }

    /// Where from `at` on, which is not behind the end, the first quote stands; the end, if none does.
    #[inline(always)]
    pub(super) fn next(&self, at: usize) -> usize {
        let (word, shift) = (at / WORD, at % WORD);
        let (Some(low), Some(high)) = (self.words.get(word), self.words.get(word + 1)) else {
            return self.bytes;
        };
        // Whether a text lies in one word or two is hard to foresee.
        match low >> shift | high << 1 << (WORD - 1 - shift) {
            0 => self.next_far(word + 1),
            quotes => at + quotes.trailing_zeros() as usize,
        }
    }

    /// The same behind a word.
    #[inline(never)]
    fn next_far(&self, mut word: usize) -> usize {
        while word * WORD < self.bytes {
            match self.words[word] {
                0 => word += 1,
                quotes => return word * WORD + quotes.trailing_zeros() as usize,
            }
        }
        self.bytes
    }
}

/// The digits of a chunk.
#[inline(always)]
pub(super) fn digits(chunk: u8x16) -> Mask {
    let values = chunk - u8x16::splat(b'0');
    values.min(u8x16::splat(9)).simd_eq(values).to_bitmask()
}

/// The points of a chunk.
#[inline(always)]
pub(super) fn points(chunk: u8x16) -> Mask {
    chunk.simd_eq(u8x16::splat(b'.')).to_bitmask()
}

/// The quotes, backslashes and control characters of a chunk.
#[inline(always)]
fn special(chunk: u8x16) -> Mask {
    let quotes = chunk.simd_eq(u8x16::splat(b'"'));
    let backslashes = chunk.simd_eq(u8x16::splat(b'\\'));
    let controls = chunk.min(u8x16::splat(0x1f)).simd_eq(chunk);
    (quotes | backslashes | controls).to_bitmask()
}

/// The number that the first `count` digits of a chunk are, one to sixteen.
#[inline(always)]
pub(super) fn number(chunk: u128, count: u32) -> u64 {
    // Zeros go in front, as bytes of value zero.
    if count <= 8 {
        return eight_digits((chunk as u64) << (64 - 8 * count));
    }
    let digits = chunk << (128 - 8 * count);
    eight_digits(digits as u64) * 100_000_000 + eight_digits((digits >> 64) as u64)
}

/// The number that the digits around a point are with which a chunk begins: `whole` of them before it, `scale` behind it, together at most fifteen.
#[inline(always)]
pub(super) fn number_with_point(chunk: u128, whole: u32, scale: u32) -> u64 {
    if whole + scale < 8 {
        let chunk = chunk as u64;
        let before = chunk & ((1 << (8 * whole)) - 1);
        let joined = before | chunk >> 8 >> (8 * whole) << (8 * whole);
        return eight_digits(joined << (64 - 8 * (whole + scale)));
    }
    let before = chunk & ((1 << (8 * whole)) - 1);
    number(
        before | chunk >> 8 >> (8 * whole) << (8 * whole),
        whole + scale,
    )
}

/// The number of eight digits, the first of which is the lowest byte (D. Lemire, "Quickly parsing eight digits", 2018). Bytes of zero are digits of zero.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    let digits = digits & (u64::MAX / 255 * 0x0f);
    let pairs = digits.wrapping_mul((10 << 8) + 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul((100 << 16) + 1) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul((10_000 << 32) + 1) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of bytes, those near the ones that are looked for.
    fn bytes_near() -> impl Strategy<Value = [u8; BYTES]> {
        let byte = prop_oneof![
            any::<u8>(),
            prop::sample::select(&b"\"!#\\[]\x00\x1f\x20/0159:\x7f\x80\xff"[..])
        ];
        prop::array::uniform16(byte)
    }

    proptest! {
        #[test]
        fn masks_are_those_of_a_look_at_each_byte(bytes in bytes_near()) {
            let mask = |is: fn(&u8) -> bool| (0..).zip(&bytes).map(|(at, byte)| Mask::from(is(byte)) << at).sum::<Mask>();
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let value = chunk(&bytes, 0);
            prop_assert_eq!(special(value), mask(is_special));
            prop_assert_eq!(digits(value), mask(u8::is_ascii_digit));
        }

        #[test]
        fn plain_bytes_end_where_a_look_at_each_says(bytes in prop::collection::vec(bytes_near(), 0..4), plain in "[a-z]{0,40}", cut in 0_usize..16) {
            let mut bytes = [plain.into_bytes(), bytes.concat()].concat();
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            for at in 0..=bytes.len() {
                let end = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
                prop_assert_eq!(plain_end(&bytes, at), end.map_or(bytes.len(), |end| at + end));
            }
        }

        #[test]
        fn zeros_stand_behind_the_end(bytes in prop::collection::vec(1_u8.., 0..40), at in 0_usize..50) {
            let mut rest: Vec<u8> = bytes.get(at..).unwrap_or_default().to_vec();
            rest.resize(BYTES.max(rest.len()), 0);
            prop_assert_eq!(&chunk(&bytes, at).to_array()[..], &rest[..BYTES]);
        }

        #[test]
        fn digits_are_their_number(value in 0_u64..10_000_000_000_000_000, point in 1_usize..16, behind in "[,}. ]{16}") {
            let of = |written: String| u128::from_le_bytes(*written.as_bytes().first_chunk().expect("it is long enough"));
            let text = value.to_string();
            let count = text.len();
            prop_assert_eq!(number(of(format!("{text}{behind}")), count as u32), value);
            if point < count && count < BYTES {
                let (whole, fraction) = text.split_at(point);
                let chunk = of(format!("{whole}.{fraction}{behind}"));
                prop_assert_eq!(number_with_point(chunk, point as u32, fraction.len() as u32), value);
            }
        }

        #[test]
        fn quotes_stand_where_a_look_at_each_byte_says(texts in prop::collection::vec("[a-z\"]{0,200}|[é-ü\\\\\t\"]{0,3}|[a-z]{100,300}", 1..5)) {
            let mut quotes = Quotes::default();
            for text in &texts {
                quotes.look(text.as_bytes());
                for at in 0..=text.len() {
                    let next = text.bytes().skip(at).position(|byte| byte == b'"');
                    prop_assert_eq!(quotes.next(at), next.map_or(text.len(), |next| at + next), "{} {}", text, at);
                }
                prop_assert_eq!(quotes.is_ascii, text.is_ascii());
                prop_assert_eq!(quotes.is_plain, !text.contains(['\\', '\t']));
            }
        }
    }
}
