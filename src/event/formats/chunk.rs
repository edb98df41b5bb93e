//! Sixteen bytes of text at a time.
//!
//! Names, numbers and strings of events are short: nearly always one look at sixteen bytes tells where one ends.

use wide::u8x16;

/// Bytes, lowest bit first, of which something holds.
pub(super) type Mask = u32;

/// How many bytes a chunk has.
pub(super) const BYTES: usize = 16;

/// The bytes from `at` on; zeros stand where there are none left.
#[inline(always)]
pub(super) fn chunk(bytes: &[u8], at: usize) -> u128 {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk::<BYTES>() {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => last(bytes, rest.len()),
    }
}

/// The last `left` bytes, fewer than a chunk.
#[inline]
fn last(bytes: &[u8], left: usize) -> u128 {
    match bytes.last_chunk::<BYTES>() {
        Some(_) if left == 0 => 0,
        Some(chunk) => u128::from_le_bytes(*chunk) >> (8 * (BYTES - left)),
        None => {
            let mut chunk = [0; BYTES];
            chunk[..left].copy_from_slice(&bytes[bytes.len() - left..]);
            u128::from_le_bytes(chunk)
        }
    }
}

/// A text that is expected to stand somewhere.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    text: Vec<u8>,
    /// The first bytes as one number, of which those below are compared.
    head: u128,
    mask: u128,
}

impl Expected {
    /// Expects what stands nowhere.
    pub(super) fn nothing() -> Expected {
        Expected {
            text: Vec::new(),
            head: 1,
            mask: 0,
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
        let absent = 8 * BYTES.saturating_sub(text.len()) as u32;
        self.head = chunk(text, 0);
        self.mask = u128::MAX.checked_shr(absent).unwrap_or(0);
    }

    /// How long it is, in bytes.
    #[inline]
    pub(super) fn length(&self) -> usize {
        self.text.len()
    }

    /// Whether it stands there.
    #[inline(always)]
    pub(super) fn stands(&self, bytes: &[u8], at: usize) -> bool {
        chunk(bytes, at) & self.mask == self.head
            && (self.text.len() <= BYTES || bytes[at..].starts_with(&self.text))
    }
}

/// Where from `at` on the first byte stands that a string can't hold as it is: a quote, a backslash, a control character. The end, if none does.
#[inline(always)]
pub(crate) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        let special = special(chunk(bytes, at));
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += BYTES;
    }
}

/// The digits of a chunk.
#[inline(always)]
pub(super) fn digits(chunk: u128) -> Mask {
    let values = lanes(chunk) - u8x16::splat(b'0');
    values.min(u8x16::splat(9)).simd_eq(values).to_bitmask()
}

/// The quotes, backslashes and control characters of a chunk.
#[inline(always)]
fn special(chunk: u128) -> Mask {
    let bytes = lanes(chunk);
    let quotes = bytes.simd_eq(u8x16::splat(b'"'));
    let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
    let controls = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    (quotes | backslashes | controls).to_bitmask()
}

#[inline(always)]
fn lanes(chunk: u128) -> u8x16 {
    u8x16::new(chunk.to_le_bytes())
}

/// The number that the first `count` bytes of a chunk are, which are digits.
#[inline(always)]
pub(super) fn number(chunk: u128, count: u32) -> u64 {
    // Zeros go in front, as bytes of value zero.
    match count {
        0 => 0,
        1..=8 => eight_digits((chunk as u64) << (64 - 8 * count)),
        _ => {
            let shifted = chunk << (8 * (BYTES as u32 - count));
            eight_digits(shifted as u64) * 100_000_000 + eight_digits((shifted >> 64) as u64)
        }
    }
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
            prop_assert_eq!(&chunk(&bytes, at).to_le_bytes()[..], &rest[..BYTES]);
        }

        #[test]
        fn digits_are_their_number(value in 0_u64..10_000_000_000_000_000, behind in "[,}. ]{0,16}") {
            let text = value.to_string();
            let count = text.len() as u32;
            prop_assert_eq!(number(chunk((text + &behind).as_bytes(), 0), count), value);
            prop_assert_eq!(number(chunk(behind.as_bytes(), 0), 0), 0);
        }
    }
}
