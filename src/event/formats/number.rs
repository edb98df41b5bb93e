//! Numbers as text to exact numbers. The texts follow JSON's grammar, or are refused here.

use rust_decimal::Decimal;
use wide::u8x16;

use super::chunk::{self, chunk};
use super::token::Cut;

/// Why a text is no number of the wanted type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Not a number.
    Form,
    /// A number, but not a whole one.
    Fraction,
    /// Outside of what the type holds.
    Range,
    /// More digits than the type holds.
    Digits,
    /// A floating-point number, where an exact one is wanted.
    Inexact,
}

/// A number taken apart: `mantissa * 10^-scale`.
struct Parts {
    negative: bool,
    /// Does not end in zeros.
    mantissa: u128,
    scale: i64,
    /// How many digits after the point were written; 0 with an exponent, which makes them meaningless.
    written: i64,
}

/// The greatest mantissa of a decimal: 96 bits.
const MANTISSA_MAX: u128 = (1 << 96) - 1;

/// No exponent beyond this makes a difference; records are shorter than this.
const EXPONENT_MAX: i64 = 10_000_000;

/// The most digits after the point.
const SCALE_MAX: i64 = 28;

/// A number of few digits without an exponent: `digits / 10^scale`, which fits all types.
#[derive(Clone, Copy, Default)]
pub(super) struct Short {
    pub(super) digits: i64,
    pub(super) scale: u32,
    negative: bool,
}

/// Where such a number stands: fewer than sixteen bytes, `12`, `-12` or `-1.2`.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// Where its digits begin, and where it ends.
    at: u32,
    end: u32,
    negative: bool,
    /// Digits before the point, and behind it.
    whole: u8,
    scale: u8,
}

impl Written {
    /// Looks for the number that begins there; gives where it ends, unless it is written in another way. Others are not looked into: what follows is to be looked at by whoever
    /// asks, for it may be a point without digits or an exponent.
    #[inline(always)]
    pub(super) fn find(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        match chunk::first(bytes, start) {
            Some(chunk) => self.find_in(chunk, start),
            None => self.find_near(bytes, start),
        }
    }

    /// The same with fewer bytes left than a chunk has.
    #[inline(never)]
    fn find_near(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        self.find_in(&chunk(bytes, start).to_array(), start)
    }

    /// The same of a number with which a chunk begins.
    #[inline(always)]
    fn find_in(&mut self, bytes: &[u8; chunk::BYTES], start: usize) -> Option<usize> {
        let chunk = u8x16::new(*bytes);
        let negative = bytes[0] == b'-';
        let digits = chunk::digits(chunk) >> u32::from(negative);
        let points = chunk::points(chunk) >> u32::from(negative);
        let whole = digits.trailing_ones();
        let mut length = u32::from(negative) + whole;
        let mut scale = 0;
        if points >> whole & 1 == 1 {
            scale = (digits >> (whole + 1)).trailing_ones();
            length += scale + u32::from(scale > 0);
        }
        let leads_with_zero = whole > 1 && bytes[usize::from(negative)] == b'0';
        if whole == 0 || leads_with_zero || length as usize >= chunk::BYTES {
            return None;
        }
        *self = Written {
            at: start as u32 + u32::from(negative),
            end: start as u32 + length,
            negative,
            whole: whole as u8,
            scale: scale as u8,
        };
        Some(start + length as usize)
    }

    /// The number that begins there; see [`Written::find`].
    #[inline]
    pub(super) fn at(bytes: &[u8], start: usize) -> Option<Written> {
        let mut written = Written::default();
        written.find(bytes, start)?;
        Some(written)
    }

    /// Where it stands.
    #[inline]
    pub(super) fn cut(&self) -> Cut {
        Cut {
            start: self.at - u32::from(self.negative),
            end: self.end,
        }
    }

    /// True if no digits stand behind a point.
    #[inline]
    pub(super) fn is_whole(&self) -> bool {
        self.scale == 0
    }

    /// The number that it is.
    // Read where it stays: parts that were written one by one and are then copied as a whole stall the processor.
    #[inline(always)]
    pub(super) fn number(&self, bytes: &[u8]) -> Short {
        let chunk = match chunk::first(bytes, self.at as usize) {
            Some(chunk) => u128::from_le_bytes(*chunk),
            None => self.chunk_near(bytes),
        };
        let (whole, scale) = (u32::from(self.whole), u32::from(self.scale));
        let digits = match scale {
            0 => chunk::number(chunk, whole),
            _ => chunk::number_with_point(chunk, whole, scale),
        };
        let digits = digits.cast_signed();
        Short {
            digits: if self.negative { -digits } else { digits },
            scale,
            negative: self.negative,
        }
    }

    /// What it stands in with fewer bytes left than a chunk has.
    #[inline(never)]
    fn chunk_near(&self, bytes: &[u8]) -> u128 {
        u128::from_le_bytes(chunk(bytes, self.at as usize).to_array())
    }
}

impl Short {
    /// Fewer than sixteen bytes, `12`, `-12` or `-1.2`. Others are not looked into.
    #[inline]
    pub(super) fn read(text: &str, cut: Cut) -> Option<Short> {
        let written = Written::at(text.as_bytes(), cut.start as usize)?;
        (written.cut() == cut).then(|| written.number(text.as_bytes()))
    }

    /// The number, if it is a whole one and written as such.
    #[inline]
    pub(super) fn int(self) -> Option<i64> {
        (self.scale == 0).then_some(self.digits)
    }

    /// The number with exactly the digits written.
    #[inline]
    pub(super) fn decimal(self) -> Decimal {
        Decimal::new(self.digits, self.scale)
    }

    /// The nearest double, if it is found at once: of two numbers that doubles hold exactly the quotient is rounded once (W. Clinger, "How to read floating point
    /// numbers accurately", 1990).
    #[inline]
    pub(super) fn float(self) -> Option<f64> {
        let size = self.digits.unsigned_abs();
        let value = size as f64 / POWERS[self.scale as usize];
        // A zero keeps its sign.
        let value = if self.negative { -value } else { value };
        (size < 1 << f64::MANTISSA_DIGITS).then_some(value)
    }
}

/// Reads a whole number. `5`, `5.0` and `5e0` are the same number.
#[inline]
pub(super) fn int(text: &str, cut: Cut) -> Result<i64, Misfit> {
    match Short::read(text, cut).and_then(Short::int) {
        Some(int) => Ok(int),
        None => int_long(cut.of(text)),
    }
}

fn int_long(text: &str) -> Result<i64, Misfit> {
    let parts = parts(text)?;
    if parts.scale > 0 {
        return Err(Misfit::Fraction);
    }
    let magnitude = scaled(&parts)?;
    let value = i128::try_from(magnitude).map_err(|_| Misfit::Range)?;
    i64::try_from(if parts.negative { -value } else { value }).map_err(|_| Misfit::Range)
}

/// Reads the nearest double; infinity is none.
#[inline]
pub(super) fn float(text: &str, cut: Cut) -> Result<f64, Misfit> {
    match Short::read(text, cut).and_then(Short::float) {
        Some(float) => Ok(float),
        None => float_long(cut.of(text)),
    }
}

/// Powers of ten that doubles hold exactly.
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

fn float_long(text: &str) -> Result<f64, Misfit> {
    // The standard library also reads "inf", "nan", "+1", "1." and ".5".
    if !numeric(text) {
        return Err(Misfit::Form);
    }
    let value: f64 = text.parse().map_err(|_| Misfit::Form)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Misfit::Range)
    }
}

/// Reads a decimal with exactly the digits written: `900.00` keeps its scale of 2.
#[inline]
pub(super) fn decimal(text: &str, cut: Cut) -> Result<Decimal, Misfit> {
    match Short::read(text, cut) {
        Some(short) => Ok(short.decimal()),
        None => decimal_long(cut.of(text)),
    }
}

fn decimal_long(text: &str) -> Result<Decimal, Misfit> {
    let parts = parts(text)?;
    let (mut mantissa, mut scale) = if parts.scale < 0 {
        (scaled(&parts)?, 0)
    } else {
        (parts.mantissa, parts.scale)
    };
    // Zeros at the end of a fraction are given back as far as they fit.
    while scale < parts.written.min(SCALE_MAX) {
        let Some(more) = mantissa
            .checked_mul(10)
            .filter(|more| *more <= MANTISSA_MAX)
        else {
            break;
        };
        mantissa = more;
        scale += 1;
    }
    if mantissa > MANTISSA_MAX {
        return Err(if scale > 0 {
            Misfit::Digits
        } else {
            Misfit::Range
        });
    }
    if scale > SCALE_MAX {
        return Err(Misfit::Digits);
    }
    let value = i128::try_from(mantissa).map_err(|_| Misfit::Range)?;
    let value = if parts.negative { -value } else { value };
    let scale = u32::try_from(scale).map_err(|_| Misfit::Digits)?;
    Decimal::try_from_i128_with_scale(value, scale).map_err(|_| Misfit::Digits)
}

/// Takes a number apart.
fn parts(text: &str) -> Result<Parts, Misfit> {
    if !numeric(text) {
        return Err(Misfit::Form);
    }
    let (digits, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut parts = Parts {
        negative,
        mantissa: 0,
        scale: 0,
        written: 0,
    };
    // Zeros are taken only when another digit follows, so that an endless row of them costs nothing.
    let mut zeros: u32 = 0;
    for (digits, step) in [(whole, 0), (fraction, 1)] {
        for byte in digits.bytes() {
            if byte == b'0' {
                zeros += u32::from(parts.mantissa > 0);
            } else {
                let factor = 10_u128.checked_pow(zeros + 1);
                let shifted = factor.and_then(|factor| parts.mantissa.checked_mul(factor));
                let digit = u128::from(byte - b'0');
                let beyond = if step == 0 {
                    Misfit::Range
                } else {
                    Misfit::Digits
                };
                let more = shifted.and_then(|value| value.checked_add(digit));
                parts.mantissa = more.ok_or(beyond)?;
                zeros = 0;
            }
            parts.scale += step;
        }
    }
    parts.scale -= i64::from(zeros);
    match exponent {
        None => parts.written = parts.scale + i64::from(zeros),
        Some(exponent) => {
            // An exponent too large to read is also too large to hold.
            let far = if exponent.starts_with('-') {
                -EXPONENT_MAX
            } else {
                EXPONENT_MAX
            };
            let exponent = exponent
                .parse()
                .unwrap_or(far)
                .clamp(-EXPONENT_MAX, EXPONENT_MAX);
            parts.scale -= exponent;
        }
    }
    if parts.mantissa == 0 {
        parts.scale = 0;
    }
    Ok(parts)
}

/// The number without its negative scale.
fn scaled(parts: &Parts) -> Result<u128, Misfit> {
    let power = u32::try_from(-parts.scale).map_err(|_| Misfit::Range)?;
    if parts.mantissa == 0 {
        return Ok(0);
    }
    let factor = 10_u128.checked_pow(power).ok_or(Misfit::Range)?;
    parts.mantissa.checked_mul(factor).ok_or(Misfit::Range)
}

/// Whether the text is a number by JSON's grammar; zeros in front are let through.
pub(super) fn numeric(text: &str) -> bool {
    let digits = |rest: &mut &[u8]| {
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *rest = &rest[count..];
        count > 0
    };
    let mut rest = text.as_bytes();
    rest = rest.strip_prefix(b"-").unwrap_or(rest);
    if !digits(&mut rest) {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = fraction;
        if !digits(&mut rest) {
            return false;
        }
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        rest = match exponent {
            [b'+' | b'-', exponent @ ..] => exponent,
            exponent => exponent,
        };
        if !digits(&mut rest) {
            return false;
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn int(text: &str) -> Result<i64, Misfit> {
        super::int(text, Cut::all(text))
    }

    fn float(text: &str) -> Result<f64, Misfit> {
        super::float(text, Cut::all(text))
    }

    fn decimal(text: &str) -> Result<Decimal, Misfit> {
        super::decimal(text, Cut::all(text))
    }

    #[test]
    fn whole_numbers_are_exact_up_to_64_bits() {
        assert_eq!(int("0"), Ok(0));
        assert_eq!(int("-42"), Ok(-42));
        assert_eq!(int("9223372036854775807"), Ok(i64::MAX));
        assert_eq!(int("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(int("9223372036854775808"), Err(Misfit::Range));
        assert_eq!(
            int("123456789012345678901234567890123456789012345"),
            Err(Misfit::Range)
        );
    }

    #[test]
    fn a_whole_number_may_be_written_with_point_or_exponent() {
        assert_eq!(int("5.0"), Ok(5));
        assert_eq!(int("-1e3"), Ok(-1000));
        assert_eq!(int("1500e-2"), Ok(15));
        assert_eq!(int("0.000"), Ok(0));
        assert_eq!(int("0e999999999999999999999"), Ok(0));
        assert_eq!(int("1e999999999999999999999"), Err(Misfit::Range));
        assert_eq!(int("5.5"), Err(Misfit::Fraction));
        assert_eq!(int("1e-1"), Err(Misfit::Fraction));
        assert_eq!(int(""), Err(Misfit::Form));
        assert_eq!(int("5x"), Err(Misfit::Form));
    }

    #[test]
    fn decimals_keep_their_digits() {
        let shown = |text| decimal(text).map(|value| value.to_string());
        for same in [
            "0",
            "5",
            "-5.25",
            "900.00",
            "0.00",
            "123456789012345678",
            "79228162514264337593543950335",
            "0.1234567890123456789012345678",
            "1234567890123456789.10",
        ] {
            assert_eq!(shown(same).as_deref(), Ok(same));
        }
        assert_eq!(shown("1e3").as_deref(), Ok("1000"));
        assert_eq!(shown("15E-3").as_deref(), Ok("0.015"));
        assert_eq!(shown("-0.0").as_deref(), Ok("0.0"));
        assert_eq!(
            shown(&format!("1.{}", "0".repeat(500))).as_deref(),
            Ok(format!("1.{}", "0".repeat(28)).as_str())
        );
        assert_eq!(decimal("79228162514264337593543950336"), Err(Misfit::Range));
        assert_eq!(
            decimal("0.12345678901234567890123456789"),
            Err(Misfit::Digits)
        );
        assert_eq!(decimal("1e40"), Err(Misfit::Range));
        assert_eq!(decimal("1.2.3"), Err(Misfit::Form));
        assert_eq!(decimal("."), Err(Misfit::Form));
        assert_eq!(decimal("1."), Err(Misfit::Form));
        assert_eq!(decimal("-"), Err(Misfit::Form));
    }

    #[test]
    fn floats_are_finite_numbers() {
        assert_eq!(float("0.1"), Ok(0.1));
        assert_eq!(float("-1e-7"), Ok(-1e-7));
        assert_eq!(float("1e400"), Err(Misfit::Range));
        for text in ["inf", "NaN", "+1", "1.", ".5", ""] {
            assert_eq!(float(text), Err(Misfit::Form), "{text}");
        }
    }

    proptest! {
        #[test]
        fn decimals_are_those_of_the_library(mantissa in -(1_i128 << 90)..(1 << 90), scale in 0_u32..=27) {
            let value = Decimal::from_i128_with_scale(mantissa, scale);
            let text = value.to_string();
            let read = decimal(&text);
            prop_assert_eq!(read, Ok(value));
            prop_assert_eq!(read.unwrap().to_string(), text);
        }

        #[test]
        fn exponents_move_the_point(mantissa in -1_000_000_i64..1_000_000, exponent in -20_i32..20) {
            let read = decimal(&format!("{mantissa}e{exponent}")).unwrap();
            let exact = if exponent < 0 { Decimal::new(mantissa, exponent.unsigned_abs()) } else { Decimal::from_i128_with_scale(i128::from(mantissa) * 10_i128.pow(exponent.unsigned_abs()), 0) };
            prop_assert_eq!(read, exact);
        }

        #[test]
        fn short_numbers_are_read_as_long_ones_are(text in "-?[0-9.e]{0,18}", before in "[0-9.]{0,3}", behind in "[,}0-9.\" ]{0,18}") {
            let all = format!("{before}{text}{behind}");
            let cut = Cut { start: before.len() as u32, end: (before.len() + text.len()) as u32 };
            prop_assert_eq!(super::int(&all, cut), int_long(&text));
            let bits = |value: Result<f64, Misfit>| value.map(f64::to_bits);
            prop_assert_eq!(bits(super::float(&all, cut)), bits(float_long(&text)));
            let shown = |value: Result<Decimal, Misfit>| value.map(|value| value.to_string());
            prop_assert_eq!(shown(super::decimal(&all, cut)), shown(decimal_long(&text)));
        }

        #[test]
        fn ints_round_trip(value in any::<i64>()) {
            prop_assert_eq!(int(&value.to_string()), Ok(value));
        }
    }
}
