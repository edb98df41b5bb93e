//! Where aligned windows begin: stretches of equal length on the clock of UTC or of a time zone.

use std::ops::Range;

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::time::{Span, Timestamp};

/// Stretches of equal length, numbered from the midnight with which 1970 began.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Calendar {
    /// Length of a stretch on the local clock; more than zero.
    pub unit: Span,
    /// Whose clock; `None` is UTC.
    pub zone: Option<TimeZone>,
}

/// Windows made of stretches, their panes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aligned {
    /// The panes.
    pub calendar: Calendar,
    /// How many panes a window holds.
    pub size: i64,
    /// How many panes lie between the starts of windows; at most `size`.
    pub every: i64,
}

impl Aligned {
    /// The panes of a window.
    #[inline]
    pub(crate) fn panes(&self, window: i64) -> Range<i64> {
        let start = window * self.every;
        start..start + self.size
    }

    /// Start and end of a window.
    #[inline]
    pub(crate) fn bounds(&self, window: i64) -> (Timestamp, Timestamp) {
        let panes = self.panes(window);
        (
            self.calendar.start(panes.start),
            self.calendar.start(panes.end),
        )
    }

    /// End of a window.
    #[inline]
    pub(crate) fn end(&self, window: i64) -> Timestamp {
        self.calendar.start(self.panes(window).end)
    }

    /// The first window that holds the pane.
    pub(crate) fn first(&self, pane: i64) -> i64 {
        (pane - self.size).div_euclid(self.every) + 1
    }

    /// The last window that holds the pane.
    pub(crate) fn last(&self, pane: i64) -> i64 {
        pane.div_euclid(self.every)
    }
}

impl Calendar {
    /// The instant at which a stretch begins. Never before that of an earlier one.
    #[inline]
    pub(crate) fn start(&self, number: i64) -> Timestamp {
        let local = number.saturating_mul(self.unit.0);
        match &self.zone {
            None => Timestamp(local),
            Some(zone) => Timestamp(to_instant(local, zone)),
        }
    }

    /// The number of the stretch that holds the time.
    pub(crate) fn number(&self, time: Timestamp) -> i64 {
        let Some(zone) = &self.zone else {
            return time.0.div_euclid(self.unit.0);
        };
        let mut number = time
            .0
            .saturating_add(offset_at(time.0, zone))
            .div_euclid(self.unit.0);
        // Where clocks are set forward or back the guess can be off; starts never go back, so a few steps settle it.
        while self.start(number) > time {
            number -= 1;
        }
        while self.start(number + 1) <= time {
            number += 1;
        }
        number
    }
}

/// Milliseconds by which the local clock is ahead of UTC.
fn offset_at(time: i64, zone: &TimeZone) -> i64 {
    let instant = jiff::Timestamp::from_millisecond(time);
    instant.map_or(0, |instant| {
        i64::from(zone.to_offset(instant).seconds()) * 1_000
    })
}

/// The instant at which a local clock shows `local` (milliseconds as if it were UTC): the first of two; the instant of the jump if the clock jumps over it.
fn to_instant(local: i64, zone: &TimeZone) -> i64 {
    let Ok(as_utc) = jiff::Timestamp::from_millisecond(local) else {
        return local;
    };
    let shown: civil::DateTime = TimeZone::UTC.to_datetime(as_utc);
    let seconds = match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.seconds(),
        AmbiguousOffset::Fold { before, .. } => before.seconds(),
        AmbiguousOffset::Gap { before, after } => {
            let earlier = local - i64::from(after.seconds()) * 1_000;
            let earlier = jiff::Timestamp::from_millisecond(earlier - 1).unwrap_or(as_utc);
            return match zone.following(earlier).next() {
                Some(jump) => jump.timestamp().as_millisecond(),
                None => local - i64::from(before.seconds()) * 1_000,
            };
        }
    };
    local - i64::from(seconds) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn paris(hours: i64) -> Calendar {
        let zone = TimeZone::get("Europe/Paris").expect("bundled");
        Calendar {
            unit: Span(hours * HOUR),
            zone: Some(zone),
        }
    }

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().expect("RFC 3339");
        Timestamp(instant.as_millisecond())
    }

    #[test]
    fn days_begin_at_local_midnight_and_can_be_23_or_25_hours_long() {
        let days = paris(24);
        let length = |day: &str| {
            let number = days.number(at(day));
            days.start(number + 1).since(days.start(number)).0 / HOUR
        };
        assert_eq!(length("2024-01-15T12:00:00Z"), 24);
        assert_eq!(length("2024-03-31T12:00:00Z"), 23);
        assert_eq!(length("2024-10-27T12:00:00Z"), 25);
        let number = days.number(at("2024-01-15T12:00:00Z"));
        assert_eq!(days.start(number), at("2024-01-14T23:00:00Z"));
    }

    #[test]
    fn every_time_lies_in_the_stretch_of_its_number_also_while_clocks_change() {
        for hours in [1, 2, 6, 24] {
            let calendar = paris(hours);
            for day in ["2024-03-30T20:00:00Z", "2024-10-26T20:00:00Z"] {
                for quarter in 0..48 {
                    let time = at(day).plus(Span(quarter * HOUR / 4));
                    let number = calendar.number(time);
                    assert!(calendar.start(number) <= time && time < calendar.start(number + 1));
                }
            }
        }
    }
}
