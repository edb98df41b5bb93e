//! Times and durations as text or numbers.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::number::{self, Misfit};
use super::token::Cut;
use crate::event::schema::TimeUnit;
use crate::time::{Span, Timestamp};

/// The point that a number stands for in a unit. Fractions of a millisecond are cut off, towards the past.
#[inline]
pub(super) fn epoch(text: &str, cut: Cut, unit: TimeUnit) -> Result<Timestamp, Misfit> {
    match number::int(text, cut) {
        Ok(value) => epoch_whole(value, unit),
        Err(_) => epoch_fraction(text, cut, unit),
    }
}

fn epoch_fraction(text: &str, cut: Cut, unit: TimeUnit) -> Result<Timestamp, Misfit> {
    let value = number::decimal(text, cut)?;
    let ms = match unit {
        TimeUnit::Seconds => value.checked_mul(Decimal::ONE_THOUSAND),
        TimeUnit::Millis => Some(value),
        TimeUnit::Micros => value.checked_div(Decimal::ONE_THOUSAND),
        TimeUnit::Nanos => value.checked_div(Decimal::from(1_000_000)),
    };
    let ms = ms.and_then(|ms| ms.floor().to_i64());
    ms.map(Timestamp).ok_or(Misfit::Range)
}

/// The point that a whole number stands for in a unit.
pub(super) fn epoch_whole(value: i64, unit: TimeUnit) -> Result<Timestamp, Misfit> {
    let ms = match unit {
        TimeUnit::Seconds => value.checked_mul(1_000).ok_or(Misfit::Range)?,
        TimeUnit::Millis => value,
        TimeUnit::Micros => value.div_euclid(1_000),
        TimeUnit::Nanos => value.div_euclid(1_000_000),
    };
    Ok(Timestamp(ms))
}

/// Reads RFC 3339: `2026-03-01T12:30:00.250Z`, `2026-03-01 13:30:00+01:00`. The offset is required.
pub(super) fn rfc3339(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let year = digits(bytes, 0, 4)?;
    let month = digits(bytes, 5, 2)?;
    let day = digits(bytes, 8, 2)?;
    let hour = digits(bytes, 11, 2)?;
    let minute = digits(bytes, 14, 2)?;
    let second = digits(bytes, 17, 2)?;
    let separated = bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't' | b' ')
        && bytes[13] == b':'
        && bytes[16] == b':';
    // A leap second is the next minute's first.
    let plausible = (1..=12).contains(&month)
        && day >= 1
        && day <= month_days(year, month)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !separated || !plausible {
        return None;
    }
    let mut rest = &bytes[19..];
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = fraction
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 {
            return None;
        }
        for at in 0..3 {
            ms = ms * 10
                + fraction[..count]
                    .get(at)
                    .map_or(0, |digit| i64::from(digit - b'0'));
        }
        rest = &fraction[count..];
    }
    let offset = match rest {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (digits(rest, 1, 2)?, digits(rest, 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let seconds =
        days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset * 60;
    Some(Timestamp(seconds * 1_000 + ms))
}

/// Reads a duration as patterns write it, largest unit first: `1h30m`, `250ms`, `-5s`.
pub(super) fn duration(text: &str) -> Option<Span> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut total: i64 = 0;
    let mut below = i64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..]
            .bytes()
            .take_while(u8::is_ascii_lowercase)
            .count();
        let count: i64 = rest[..digits].parse().ok()?;
        let size = match &rest[digits..digits + letters] {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return None,
        };
        if size >= below {
            return None;
        }
        below = size;
        total = total.checked_add(count.checked_mul(size)?)?;
        rest = &rest[digits + letters..];
    }
    let written = below < i64::MAX;
    written.then_some(Span(if negative { -total } else { total }))
}

/// `count` digits from `at` on.
fn digits(bytes: &[u8], at: usize, count: usize) -> Option<i64> {
    let mut value = 0;
    for byte in bytes.get(at..at + count)? {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some(value)
}

fn month_days(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, by Howard Hinnant's `days_from_civil`: years begin in March,
/// so that the leap day is the last, and 400 years are always 146,097 days.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The mean year of the Gregorian calendar.
const YEAR_MS: i64 = 31_556_952_000;

/// Prints a point as RFC 3339 in UTC; beyond four digits only the year.
pub(crate) fn shown(time: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(time.0) {
        Ok(time) => time.to_string(),
        Err(_) => format!("in the year {}", 1970 + time.0 / YEAR_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_in_their_unit() {
        let at = |text, unit| epoch(text, Cut::all(text), unit).map(|time| time.0);
        assert_eq!(at("1700000000", TimeUnit::Seconds), Ok(1_700_000_000_000));
        assert_eq!(
            at("1700000000.1239", TimeUnit::Seconds),
            Ok(1_700_000_000_123)
        );
        assert_eq!(at("1.7e9", TimeUnit::Seconds), Ok(1_700_000_000_000));
        assert_eq!(at("1700000000123", TimeUnit::Millis), Ok(1_700_000_000_123));
        assert_eq!(at("-1", TimeUnit::Micros), Ok(-1));
        assert_eq!(
            at("1700000000123456789", TimeUnit::Nanos),
            Ok(1_700_000_000_123)
        );
        assert_eq!(
            at("9223372036854775807", TimeUnit::Seconds),
            Err(Misfit::Range)
        );
        assert_eq!(at("soon", TimeUnit::Millis), Err(Misfit::Form));
    }

    #[test]
    fn texts_that_are_no_time_are_refused() {
        let bad = [
            "",
            "2024",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+1:00",
            "2024-01-01T00:00:00+01:00x",
            "2024-01-01T00:00:00ZZ",
            "2024/01/01T00:00:00Z",
            "2024-01-01T00:00:00+é",
            "é024-01-01T00:00:00Z",
        ];
        for text in bad {
            assert_eq!(rfc3339(text), None, "{text}");
        }
        assert_eq!(
            rfc3339("2024-02-29t23:59:60.5z"),
            Some(Timestamp(1_709_251_200_500))
        );
        assert_eq!(
            rfc3339("2024-01-01 01:00:00.1234567+01:00"),
            Some(Timestamp(1_704_067_200_123))
        );
    }

    #[test]
    fn durations_are_read_as_patterns_write_them() {
        assert_eq!(duration("1h30m"), Some(Span(5_400_000)));
        assert_eq!(duration("250ms"), Some(Span(250)));
        assert_eq!(duration("-1s500ms"), Some(Span(-1_500)));
        assert_eq!(duration("0s"), Some(Span(0)));
        for text in [
            "",
            "-",
            "5",
            "5min",
            "1m1h",
            "1s1s",
            "1.5h",
            "é",
            "99999999999999999999s",
            "9999999999999999d",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_are_those_of_the_library(ms in -60_000_000_000_000_i64..250_000_000_000_000) {
            let text = jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
            prop_assert_eq!(rfc3339(&text), Some(Timestamp(ms)));
        }

        #[test]
        fn durations_print_and_read_back(ms in -i64::MAX..i64::MAX) {
            prop_assert_eq!(duration(&Span(ms).to_string()), Some(Span(ms)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}") {
            let _ = (rfc3339(&text), duration(&text), epoch(&text, Cut::all(&text), TimeUnit::Seconds));
        }
    }
}
