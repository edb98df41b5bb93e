//! Numbers as text, as the standard library and `rust_decimal` write them, but without the machinery of formats in between: rows are mostly numbers.

use std::io::Write;

use rust_decimal::Decimal;

/// The digits of hexadecimal numbers.
pub(super) const HEX: &[u8; 16] = b"0123456789abcdef";

/// `00` to `99`.
const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[2 * number] = b'0' + number as u8 / 10;
        pairs[2 * number + 1] = b'0' + number as u8 % 10;
        number += 1;
    }
    pairs
};

/// Appends a whole number.
pub(super) fn int(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(value.unsigned_abs(), out);
}

/// Appends a whole number without a sign.
pub(super) fn unsigned(value: u64, out: &mut Vec<u8>) {
    fill(value, append(count(value), out));
}

/// Appends 16 hexadecimal digits.
pub(super) fn hex(value: u64, out: &mut Vec<u8>) {
    let digits = append(16, out);
    for (byte, pair) in value.to_be_bytes().iter().zip(digits.chunks_exact_mut(2)) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
}

/// Appends a decimal with all its digits.
pub(super) fn decimal(value: &Decimal, out: &mut Vec<u8>) {
    let scale = value.scale() as usize;
    let mantissa = u64::try_from(value.mantissa().unsigned_abs());
    let (Ok(mantissa), Some(power)) = (mantissa, 10_u64.checked_pow(value.scale())) else {
        write!(out, "{value}").expect("memory takes what is written");
        return;
    };
    if value.is_sign_negative() {
        out.push(b'-');
    }
    // One digit at least stands before the point.
    unsigned(mantissa / power, out);
    if scale > 0 {
        out.push(b'.');
        fill(mantissa % power, append(scale, out));
    }
}

/// Appends a finite double: the shortest text that reads back, with an exponent where that is shorter.
///
/// Where two texts are as short and as near, the one with the even last digit is written, as `serde_json` does; the standard library's `Debug` rounds up.
pub(super) fn float(value: f64, out: &mut Vec<u8>) {
    // Between these nobody writes an exponent.
    if value == 0.0 || (1e-3..1e15).contains(&value.abs()) {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        write!(out, "{value:?}").expect("memory takes what is written");
    }
}

/// Appends zeros, to be written over. What is put together elsewhere and then copied stalls the processor, which has not yet stored its parts when the copy wants the whole.
fn append(digits: usize, out: &mut Vec<u8>) -> &mut [u8] {
    let at = out.len();
    out.resize(at + digits, b'0');
    &mut out[at..]
}

/// How many digits a number has.
fn count(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |power| power as usize + 1)
}

/// Writes a number over zeros, to the right. It has no more digits than there are zeros.
fn fill(mut value: u64, digits: &mut [u8]) {
    let mut end = digits.len();
    while value >= 10 {
        end -= 2;
        let pair = (value % 100) as usize * 2;
        digits[end..end + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        value /= 100;
    }
    if value > 0 {
        digits[end - 1] = b'0' + value as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("digits are UTF-8")
    }

    #[track_caller]
    fn check_float(value: f64) {
        if value.is_finite() {
            let (ours, debug) = (text(|out| float(value, out)), format!("{value:?}"));
            // Of two texts that are as near, which differ by one in their last digit, ours is the even one.
            if ours != debug {
                assert_eq!(ours.parse(), Ok(value), "{ours} is not {debug}");
                let last = ours.len() - 1;
                assert_eq!(ours[..last], debug[..last], "{ours} is not {debug}");
                let digit = |text: &str| text.as_bytes()[last] - b'0';
                assert_eq!((digit(&ours) % 2, digit(&debug) - digit(&ours)), (0, 1));
            }
        }
    }

    #[track_caller]
    fn check_decimal(value: Decimal) {
        assert_eq!(text(|out| decimal(&value, out)), value.to_string());
    }

    #[test]
    fn numbers_at_the_edges_are_written_as_elsewhere() {
        for edge in [
            0.0,
            1e-5,
            1e-3,
            0.1,
            1.0,
            1e15,
            1e16,
            1e17,
            f64::MAX,
            f64::MIN_POSITIVE,
        ] {
            for near in [edge, edge.next_down(), edge.next_up()] {
                check_float(near);
                check_float(-near);
            }
        }
        check_float(-165_284_998_709_297.0 - 0.125);
        for scale in 0..=28 {
            for number in [0, 1, 9, 10, 99, 100, i64::MAX] {
                let decimal = Decimal::from_i128_with_scale(i128::from(number), scale);
                check_decimal(decimal);
                check_decimal(-decimal);
            }
            check_decimal(Decimal::from_i128_with_scale(
                i128::from(u64::MAX) + 1,
                scale,
            ));
        }
        check_decimal(Decimal::MAX);
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_elsewhere(
            bits: u64, cents in -1_000_000_000..1_000_000_000i64, number: i64, part: u32, scale in 0..=28u32, shift in 0..64u32,
        ) {
            check_float(f64::from_bits(bits));
            check_float(cents as f64 / 100.0);
            check_float(number as f64 / f64::from(part));
            let number = number >> shift;
            prop_assert_eq!(text(|out| int(number, out)), number.to_string());
            prop_assert_eq!(text(|out| unsigned(bits >> shift, out)), (bits >> shift).to_string());
            prop_assert_eq!(text(|out| hex(bits >> shift, out)), format!("{:016x}", bits >> shift));
            check_decimal(Decimal::from_i128_with_scale(i128::from(number), scale));
            check_decimal(Decimal::from_i128_with_scale(i128::from(number) * i128::from(part), scale));
        }
    }
}
