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
#[inline(always)]
pub(super) fn chunk(bytes: &[u8], at: usize) -> u8x16 {
    match first(bytes, at) {
        Some(chunk) => u8x16::new(*chunk),
        None => last(bytes, at),
    }
}

/// Eight bytes from `at` on, the first of which is the lowest; zeros stand where there are none left.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    match first(bytes, at) {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(bytes.get(at..).unwrap_or_default()),
    }
}

/// All there are, fewer than a word has.
#[inline]
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
fn first<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
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

    /// Whether it is all that stands there.
    #[inline]
    pub(super) fn ends(&self, bytes: &[u8], at: usize) -> bool {
        at + self.text.len() == bytes.len() && self.stands(bytes, at)
    }

    /// Whether it stands there.
    #[inline(always)]
    pub(super) fn stands(&self, bytes: &[u8], at: usize) -> bool {
        let head = chunk(bytes, at) & self.mask;
        head.simd_eq(self.head).to_bitmask() == ALL
            && at + self.text.len() <= bytes.len()
            && (self.text.len() <= BYTES || bytes[at..].starts_with(&self.text))
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
pub(crate) fn plain_end(bytes: &[u8], at: usize) -> usize {
    plain_end_seeing(bytes, at, &mut Seen::default())
}

/// The same. What is looked at on the way is seen, and perhaps some bytes behind it.
#[inline(always)]
pub(super) fn plain_end_seeing(bytes: &[u8], mut at: usize, seen: &mut Seen) -> usize {
    loop {
        let Some(chunk) = first(bytes, at) else {
            return plain_end_near(bytes, at, seen);
        };
        let chunk = u8x16::new(*chunk);
        seen.0 |= chunk;
        let special = special(chunk);
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += BYTES;
    }
}

/// The same with fewer bytes left than a chunk has. The last chunk is looked at: bytes that were put together and then read at once stall the processor.
#[inline(always)]
fn plain_end_near(bytes: &[u8], at: usize, seen: &mut Seen) -> usize {
    let (chunk, from) = match bytes.last_chunk() {
        Some(chunk) => (u8x16::new(*chunk), bytes.len() - BYTES),
        None => (last(bytes, 0), 0),
    };
    seen.0 |= chunk;
    match special(chunk).checked_shr((at - from) as u32) {
        None | Some(0) => bytes.len(),
        Some(special) => bytes.len().min(at + special.trailing_zeros() as usize),
    }
}

/// The bits of all bytes that were looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen(u8x16);

impl Seen {
    /// True if all bytes are ASCII.
    #[inline]
    pub(super) fn is_ascii(self) -> bool {
        self.0.max(u8x16::splat(0x80)).simd_eq(self.0).to_bitmask() == 0
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

/// The number that `count` digits from `at` on are, fewer than seventeen.
#[inline(always)]
pub(super) fn number(bytes: &[u8], at: usize, count: usize) -> u64 {
    // Zeros go in front, as bytes of value zero.
    match count {
        0 => 0,
        1..=8 => eight_digits(word(bytes, at) << (64 - 8 * count)),
        _ => {
            let first = word(bytes, at) << (128 - 8 * count);
            eight_digits(first) * 100_000_000 + eight_digits(word(bytes, at + count - 8))
        }
    }
}

/// The number that at most seven digits are that stand around a point, `whole` of them before it.
#[inline(always)]
pub(super) fn number_with_point(bytes: &[u8], at: usize, whole: usize, scale: usize) -> u64 {
    let word = word(bytes, at);
    let before = word & ((1 << (8 * whole)) - 1);
    let joined = before | word >> 8 >> (8 * whole) << (8 * whole);
    eight_digits(joined << (64 - 8 * (whole + scale)))
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
            prop_assert_eq!(&word(&bytes, at).to_le_bytes()[..], &rest[..8]);
        }

        #[test]
        fn digits_are_their_number(value in 0_u64..10_000_000_000_000_000, point in 0_usize..16, before in "[,}. ]{0,16}", behind in "[,}. ]{0,16}") {
            let text = value.to_string();
            let (at, count) = (before.len(), text.len());
            let written = format!("{before}{text}{behind}");
            prop_assert_eq!(number(written.as_bytes(), at, count), value);
            prop_assert_eq!(number(written.as_bytes(), at, 0), 0);
            if count < 8 && point < count {
                let written = format!("{before}{}.{}{behind}", &text[..point], &text[point..]);
                prop_assert_eq!(number_with_point(written.as_bytes(), at, point, count - point), value);
            }
        }

        #[test]
        fn what_is_not_ascii_is_seen(text in "[a-z]{0,40}", special in prop::option::of("[é-ü🦀]"), behind in "[a-z]{0,20}") {
            let text = text + special.as_deref().unwrap_or_default() + &behind;
            let mut seen = Seen::default();
            prop_assert_eq!(plain_end_seeing(text.as_bytes(), 0, &mut seen), text.len());
            prop_assert_eq!(seen.is_ascii(), special.is_none());
        }
    }
}
