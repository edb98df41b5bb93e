//! Points and stretches of event time, in whole milliseconds.
//!
//! Nothing here reads a clock: time arrives as an argument everywhere below the sources.

use std::fmt;
use std::str::FromStr;

/// A point in event time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// A stretch of event time in milliseconds. Written by patterns it is never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

/// A promise: no event with a time before the watermark follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(pub Timestamp);

impl Timestamp {
    /// Before every event.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After every event: the time of the watermark that ends a bounded input.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// The point `span` later, held at [`Timestamp::MAX`] instead of wrapping.
    #[must_use]
    pub fn plus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }

    /// The point `span` earlier, held at [`Timestamp::MIN`] instead of wrapping.
    #[must_use]
    pub fn minus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }

    /// How far `self` lies after `earlier`; negative when it lies before.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Watermark {
    /// Nothing is promised yet.
    pub const NONE: Watermark = Watermark(Timestamp::MIN);
    /// No event follows at all.
    pub const FINAL: Watermark = Watermark(Timestamp::MAX);
}

/// Whole milliseconds, held at what a span can be. What is below a millisecond is cut off.
impl From<std::time::Duration> for Span {
    fn from(duration: std::time::Duration) -> Span {
        Span(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Units a duration is written in, largest first.
const UNITS: [(i64, &str); 5] = [
    (86_400_000, "d"),
    (3_600_000, "h"),
    (60_000, "m"),
    (1_000, "s"),
    (1, "ms"),
];

/// Prints a span as patterns write it: `1h30m`, `250ms`, `0s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut rest = self.0.unsigned_abs();
        for (size, unit) in UNITS {
            let size = size.unsigned_abs();
            if rest >= size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

/// A text that is no duration. The message says what one looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSpan(&'static str);

impl fmt::Display for NoSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NoSpan {}

/// Reads a duration as patterns write it: `1h30m`, `250ms`, `0s`. Outside of patterns the units may come in any order.
impl FromStr for Span {
    type Err = NoSpan;

    fn from_str(text: &str) -> Result<Span, NoSpan> {
        const WRONG: NoSpan =
            NoSpan("write a number with a unit (ms, s, m, h or d), such as 2s, 250ms or 1h30m");
        const TOO_LONG: NoSpan = NoSpan("that is longer than time lasts");
        let mut total: i64 = 0;
        let mut rest = text;
        if rest.is_empty() {
            return Err(WRONG);
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = after.split_at(letters);
            let (size, _) = *UNITS
                .iter()
                .find(|(_, name)| *name == unit && !number.is_empty())
                .ok_or(WRONG)?;
            total = number
                .parse::<i64>()
                .ok()
                .and_then(|number| number.checked_mul(size))
                .and_then(|part| total.checked_add(part))
                .ok_or(TOO_LONG)?;
            rest = after;
        }
        Ok(Span(total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_patterns_write_them() {
        let read = |text: &str| text.parse::<Span>();
        assert_eq!(read("2s"), Ok(Span(2_000)));
        assert_eq!(read("1h30m"), Ok(Span(5_400_000)));
        assert_eq!(read("0s"), Ok(Span(0)));
        for wrong in ["", "2", "s", "5min", "-1s", "1.5s", "2 s", "2s "] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.starts_with("write a number with a unit"), "{wrong}");
        }
        for long in ["99999999999999999999s", "9223372036854775807d"] {
            let error = read(long).unwrap_err().to_string();
            assert_eq!(error, "that is longer than time lasts", "{long}");
        }
    }

    #[test]
    fn span_prints_as_patterns_write_it() {
        let shown = |ms| Span(ms).to_string();
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(250), "250ms");
        assert_eq!(shown(5_400_000), "1h30m");
        assert_eq!(shown(-1_500), "-1s500ms");
    }
}
