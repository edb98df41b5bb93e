//! Numbers as text, as the standard library and `rust_decimal` write them, but without the machinery of formats in between: rows are mostly numbers.

use std::io::Write;

use rust_decimal::Decimal;

/// Eight zeros.
const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);

/// Ten to the eighth.
const EIGHT: u64 = 100_000_000;

/// Appends a whole number.
pub(super) fn int(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(value.unsigned_abs(), out);
}

/// Appends a whole number that nearly always has thirteen digits.
#[inline]
pub(super) fn millis(value: i64, out: &mut Vec<u8>) {
    match thirteen(value) {
        Some(digits) => out.extend_from_slice(&digits),
        None => int(value, out),
    }
}

/// Appends a whole number without a sign.
pub(super) fn unsigned(value: u64, out: &mut Vec<u8>) {
    let (before, last) = (value / EIGHT, value % EIGHT);
    if before == 0 {
        return leading(last, out);
    }
    match before / EIGHT {
        0 => leading(before, out),
        first => {
            leading(first, out);
            padded(before % EIGHT, 8, out);
        }
    }
    padded(last, 8, out);
}

/// The thirteen digits of a number that has so many, as milliseconds since 1970 have from 2001 to 2286.
#[inline]
pub(super) fn thirteen(value: i64) -> Option<[u8; 13]> {
    let value = u64::try_from(value).ok()?;
    if !(1_000_000_000_000..10_000_000_000_000).contains(&value) {
        return None;
    }
    let mut digits = [0; 13];
    let first = eight_digits(value / EIGHT) | ZEROS;
    digits[..5].copy_from_slice(&first.to_le_bytes()[3..]);
    let last = eight_digits(value % EIGHT) | ZEROS;
    digits[5..].copy_from_slice(&last.to_le_bytes());
    Some(digits)
}

/// The 16 hexadecimal digits of a number.
#[inline]
pub(super) fn hex(value: u64) -> [u8; 16] {
    let (first, last) = (eight_hex(value >> 32), eight_hex(value & 0xffff_ffff));
    (u128::from(first) << 64 | u128::from(last)).to_be_bytes()
}

/// The eight hexadecimal digits of a number below 2 to the 32nd, one per byte, the first highest: halves of halves of it are moved apart at once.
#[inline]
fn eight_hex(value: u64) -> u64 {
    let fours = (value | value << 16) & 0x0000_ffff_0000_ffff;
    let twos = (fours | fours << 8) & 0x00ff_00ff_00ff_00ff;
    let digits = (twos | twos << 4) & (u64::MAX / 255 * 0x0f);
    // One where a letter stands.
    let letters = ((digits + u64::MAX / 255 * 6) >> 4) & (u64::MAX / 255);
    digits + ZEROS + letters * u64::from(b'a' - b'0' - 10)
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
    if mantissa < EIGHT && (1..8).contains(&scale) {
        return short_decimal(mantissa, scale, out);
    }
    // One digit at least stands before the point.
    unsigned(mantissa / power, out);
    if scale > 0 {
        out.push(b'.');
        fraction(mantissa % power, scale, out);
    }
}

/// Appends a number below ten to the eighth of whose digits so many stand behind the point: some, and not all eight.
#[inline]
fn short_decimal(mantissa: u64, scale: usize, out: &mut Vec<u8>) {
    let digits = eight_digits(mantissa);
    let (before, behind) = (8 * (8 - scale), 8 * (9 - scale));
    let text = u128::from(digits | ZEROS);
    let point = u128::from(b'.') << before;
    let text = (text & ((1 << before) - 1)) | point | text >> before << behind;
    // One digit at least stands before the point.
    let zeros = (digits.trailing_zeros() as usize / 8).min(7 - scale);
    out.extend_from_slice(&(text >> (8 * zeros)).to_le_bytes());
    out.truncate(out.len() - 7 - zeros);
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

/// Appends so many digits of a number, zeros in front included.
fn fraction(value: u64, digits: usize, out: &mut Vec<u8>) {
    match digits {
        0..=8 => padded(value, digits, out),
        _ => {
            fraction(value / EIGHT, digits - 8, out);
            padded(value % EIGHT, 8, out);
        }
    }
}

/// Appends the digits of a number below ten to the eighth, without zeros in front.
#[inline]
fn leading(value: u64, out: &mut Vec<u8>) {
    let digits = eight_digits(value);
    let zeros = digits.trailing_zeros() as usize / 8;
    put(digits, 8 - zeros.min(7), out);
}

/// Appends the last digits of a number below ten to the eighth, at most eight.
#[inline]
fn padded(value: u64, count: usize, out: &mut Vec<u8>) {
    put(eight_digits(value), count, out);
}

/// Appends the last of eight digits.
#[inline]
fn put(digits: u64, count: usize, out: &mut Vec<u8>) {
    let rest = 8 - count;
    let text = (digits | ZEROS).checked_shr(8 * rest as u32).unwrap_or(0);
    // All eight bytes at once, whatever they are.
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(out.len() - rest);
}

/// The eight digits of a number below ten to the eighth, one per byte, the first lowest: halves of halves of it are divided at once (P. Khuong, "How to print integers really fast", 2017).
#[inline]
fn eight_digits(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    // Each half is below ten thousand: the quotients are exact.
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos - 10 * tens) << 8
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
            prop_assert_eq!(hex(bits >> shift).to_vec(), format!("{:016x}", bits >> shift).into_bytes());
            let short = number % 20_000_000_000_000;
            let written = short.to_string();
            let has_thirteen = short > 0 && written.len() == 13;
            prop_assert_eq!(thirteen(short).map(Vec::from), has_thirteen.then(|| written.clone().into_bytes()));
            prop_assert_eq!(text(|out| millis(short, out)), written);
            check_decimal(Decimal::from_i128_with_scale(i128::from(cents % 100_000_000), scale));
            check_decimal(Decimal::from_i128_with_scale(i128::from(number), scale));
            check_decimal(Decimal::from_i128_with_scale(i128::from(number) * i128::from(part), scale));
        }
    }
}
