//! Eight bytes of text at a time: one word, whose lowest byte comes first.
//!
//! What is said of the first byte of some kind is exact; carries can only falsify what is said of bytes behind it.

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// The next eight bytes.
#[inline]
pub(crate) fn word(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// Where from `at` on the first byte stands that is not among those which `before` counts in a word.
#[inline]
pub(crate) fn end(bytes: &[u8], mut at: usize, before: impl Fn(u64) -> usize) -> usize {
    while let Some(word) = word(&bytes[at..]) {
        let count = before(word);
        at += count;
        if count < 8 {
            return at;
        }
    }
    // A byte of zero is neither a digit nor plain.
    let rest = &bytes[at..];
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    at + before(u64::from_le_bytes(last))
}

/// How many bytes stand before the first quote, backslash or control character.
#[inline]
pub(crate) fn plain(word: u64) -> usize {
    let quotes = word ^ (ONES * u64::from(b'"'));
    let slashes = word ^ (ONES * u64::from(b'\\'));
    // The high bit of each byte that is zero, or below 0x20.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    first((zero(quotes) | zero(slashes) | control) & HIGHS)
}

/// How many digits stand before the first byte that is none.
#[inline]
pub(crate) fn digits(word: u64) -> usize {
    // Of a digit, 0 to 9 is left; that and 0x76 has no high bit.
    let left = word ^ (ONES * u64::from(b'0'));
    first((left | left.wrapping_add(ONES * 0x76)) & HIGHS)
}

/// The number that eight digits are; a byte of zero counts as the digit 0. By Wojciech Muła, "SIMD-ized parsing of decimal numbers": neighbours are joined to pairs, pairs to
/// fours, fours to eight.
#[inline]
pub(crate) fn number(digits: u64) -> u64 {
    let pairs = (digits & (ONES * 0x0f)).wrapping_mul((10 << 8) + 1) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul((100 << 16) + 1) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul((10_000 << 32) + 1) >> 32
}

/// The byte of the lowest high bit; 8 when there is none.
#[inline]
fn first(hits: u64) -> usize {
    hits.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_of_a_kind_are_found_as_one_by_one(bytes: [u8; 8], near: [bool; 8]) {
            // Bytes near those that are looked for.
            let around = b"\"!#\\[]\x1f\x20/0159:";
            let bytes: Vec<u8> = bytes.iter().zip(near).map(|(byte, near)| match near {
                true => around[usize::from(*byte) % around.len()],
                false => *byte,
            }).collect();
            let until = |stop: fn(&u8) -> bool| bytes.iter().position(stop).unwrap_or(8);
            let word = word(&bytes).unwrap();
            prop_assert_eq!(plain(word), until(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)));
            prop_assert_eq!(digits(word), until(|byte| !byte.is_ascii_digit()));
        }

        #[test]
        fn runs_end_where_a_byte_by_byte_search_says(bytes in prop::collection::vec(any::<u8>(), 0..40), digits_first in "[0-9]{0,20}") {
            let bytes = [digits_first.as_bytes(), &bytes].concat();
            let slow = |stop: fn(&u8) -> bool| bytes.iter().position(stop).unwrap_or(bytes.len());
            prop_assert_eq!(end(&bytes, 0, plain), slow(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)));
            prop_assert_eq!(end(&bytes, 0, digits), slow(|byte| !byte.is_ascii_digit()));
        }

        #[test]
        fn eight_digits_are_their_number(value in 0_u64..100_000_000) {
            let text = format!("{value:08}");
            prop_assert_eq!(number(word(text.as_bytes()).unwrap()), value);
        }
    }
}
