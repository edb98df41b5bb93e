//! When keys in the store are to be looked at.
//!
//! Instants that lie close together share a page, on which entries lie one behind the other as bytes. A page is read and sorted when its time has come. Nothing is ever
//! taken back: whoever takes an entry sees whether it still means anything.

use std::collections::{BTreeMap, VecDeque};

use crate::time::Timestamp;
use crate::wire::{Reader, put_bytes, put_uint};

/// A page holds instants that are equal but for so many low bits: about a second.
const PAGE_BITS: u32 = 10;
/// Entries lie in pieces of this size, so that a page that grows is not copied.
const PIECE_BYTES: usize = 16 * 1024;

/// A key that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct Due {
    pub instant: Timestamp,
    /// Its group, high byte first, and its parts.
    pub key: Box<[u8]>,
}

/// Keys by the instant at which they are to be looked at.
#[derive(Debug)]
pub(super) struct Calendar {
    pages: BTreeMap<i64, Page>,
    /// Sorted.
    open: VecDeque<Due>,
    /// Nothing is due before it.
    next: Timestamp,
}

#[derive(Debug, Default)]
struct Page {
    pieces: Vec<Vec<u8>>,
    entries: usize,
    /// The instant of all entries, as far as they agree.
    alike: Option<Timestamp>,
}

impl Default for Calendar {
    fn default() -> Calendar {
        Calendar {
            pages: BTreeMap::new(),
            open: VecDeque::new(),
            next: Timestamp::MAX,
        }
    }
}

impl Calendar {
    /// Files an entry; `write` appends the key.
    pub(super) fn file(&mut self, instant: Timestamp, write: impl FnOnce(&mut Vec<u8>)) {
        self.next = self.next.min(instant);
        let number = instant.0 >> PAGE_BITS;
        let page = self.pages.entry(number).or_default();
        if page.entries == 0 {
            page.alike = Some(instant);
        } else if page.alike != Some(instant) {
            page.alike = None;
        }
        page.entries += 1;
        let mut key = Vec::with_capacity(32);
        write(&mut key);
        if (page.pieces.last()).is_none_or(|piece| piece.len() + key.len() > PIECE_BYTES) {
            // The first grows as it is filled: most pages may hold little.
            let room = PIECE_BYTES * usize::from(!page.pieces.is_empty());
            page.pieces.push(Vec::with_capacity(room));
        }
        let piece = page.pieces.last_mut().expect("pushed just now");
        put_uint(piece, (instant.0 - first(number).0).unsigned_abs());
        put_bytes(piece, &key);
    }

    /// Nothing is due before this instant.
    pub(super) fn next_instant(&self) -> Timestamp {
        self.next
    }

    fn find_next(&self) -> Timestamp {
        let open = self.open.front().map(|due| due.instant);
        let page = self.pages.first_key_value();
        let page = page.map(|(number, page)| page.alike.unwrap_or(first(*number)));
        let both = open.into_iter().chain(page);
        both.min().unwrap_or(Timestamp::MAX)
    }

    /// The latest instant up to `until` before which, or with whose page, some `count_max` entries are due.
    pub(super) fn reach(&self, until: Timestamp, count_max: usize) -> Timestamp {
        let mut count = 0;
        let mut reached = None;
        if let Some(over) = self.open.get(count_max)
            && over.instant < until
        {
            return over.instant;
        }
        count += self.open.len();
        for (number, page) in self.pages.range(..=until.0 >> PAGE_BITS) {
            count += page.entries;
            if count > count_max {
                return reached.unwrap_or_else(|| last(*number)).min(until);
            }
            reached = Some(last(*number));
        }
        until
    }

    /// Takes entries up to and including `until`, the earliest first: at least one if there are any, and not many more than `count_max`.
    pub(super) fn take(&mut self, until: Timestamp, count_max: usize, into: &mut Vec<Due>) {
        while into.len() < count_max {
            self.open_pages(until, count_max);
            match self.open.pop_front_if(|due| due.instant <= until) {
                Some(due) => into.push(due),
                None => break,
            }
        }
        self.next = self.find_next();
    }

    /// Opens pages on which entries may be that come before all open ones.
    fn open_pages(&mut self, until: Timestamp, count_max: usize) {
        while let Some(mut page) = self.pages.first_entry() {
            let number = *page.key();
            let least = page.get().alike.unwrap_or(first(number));
            let before = self.open.front().is_none_or(|due| least < due.instant);
            if least > until || !before {
                return;
            }
            let mut read = Vec::new();
            let found = page.get_mut();
            if found.alike.is_some() {
                // No order to find: as much as is asked for.
                while read.len() < count_max
                    && let Some(piece) = found.pieces.pop()
                {
                    entries(number, &piece, &mut read);
                }
                found.entries -= read.len();
                if found.entries == 0 {
                    page.remove();
                }
            } else {
                let found = page.remove();
                let pieces = found.pieces.iter();
                pieces.for_each(|piece| entries(number, piece, &mut read));
            }
            read.extend(self.open.drain(..));
            read.sort();
            self.open = read.into();
        }
    }
}

/// The first instant of a page.
fn first(number: i64) -> Timestamp {
    Timestamp(number << PAGE_BITS)
}

/// The last one.
fn last(number: i64) -> Timestamp {
    Timestamp((number << PAGE_BITS) | ((1 << PAGE_BITS) - 1))
}

fn entries(number: i64, piece: &[u8], into: &mut Vec<Due>) {
    let mut reader = Reader::new(piece);
    while !reader.rest().is_empty() {
        let (Ok(offset), Ok(key)) = (reader.uint(), reader.bytes()) else {
            unreachable!("written above, in this process");
        };
        into.push(Due {
            instant: Timestamp(first(number).0 + offset.cast_signed()),
            key: key.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(calendar: &mut Calendar, instant: i64, key: u8) {
        calendar.file(Timestamp(instant), |out| out.push(key));
    }

    fn take(calendar: &mut Calendar, until: i64, count_max: usize) -> Vec<(i64, u8)> {
        let mut due = Vec::new();
        calendar.take(Timestamp(until), count_max, &mut due);
        due.iter().map(|due| (due.instant.0, due.key[0])).collect()
    }

    #[test]
    fn entries_come_in_order_of_their_instants_whenever_they_were_filed() {
        let mut calendar = Calendar::default();
        for (instant, key) in [(5_000, 1), (-3, 2), (4_999, 3), (90_000, 4), (5_000, 5)] {
            file(&mut calendar, instant, key);
        }
        assert!(calendar.next_instant() <= Timestamp(-3));
        assert_eq!(take(&mut calendar, 4_999, 9), [(-3, 2), (4_999, 3)]);
        // The page is open by now, and this comes before what is left of it.
        file(&mut calendar, 4_800, 6);
        assert_eq!(take(&mut calendar, 5_000, 2), [(4_800, 6), (5_000, 1)]);
        assert_eq!(take(&mut calendar, 5_000, 2), [(5_000, 5)]);
        assert_eq!(take(&mut calendar, 89_999, 9), []);
        assert_eq!(take(&mut calendar, i64::MAX, 9), [(90_000, 4)]);
        assert_eq!(calendar.next_instant(), Timestamp::MAX);
    }

    #[test]
    fn many_entries_of_one_instant_come_in_parts() {
        let mut calendar = Calendar::default();
        let count = 100_000;
        for number in 0..count {
            file(&mut calendar, 7_000, (number % 251) as u8);
        }
        assert_eq!(calendar.next_instant(), Timestamp(7_000));
        let mut taken = 0;
        loop {
            let part = take(&mut calendar, 8_000, 1_000).len();
            taken += part;
            assert!(part <= 1_000 && calendar.open.len() < 20_000);
            if part == 0 {
                break;
            }
        }
        assert_eq!(taken, count);
    }

    #[test]
    fn time_reaches_as_far_as_not_too_many_entries_are_due() {
        let mut calendar = Calendar::default();
        for number in 0..100 {
            file(&mut calendar, number * 1_024, 0);
        }
        let reach = |calendar: &Calendar, until| calendar.reach(Timestamp(until), 10).0;
        assert_eq!(reach(&calendar, 3_000), 3_000);
        let reached = reach(&calendar, i64::MAX);
        assert_eq!(reached, 10 * 1_024 - 1);
        assert_eq!(take(&mut calendar, reached, 99).len(), 10);
        assert!(reach(&calendar, i64::MAX) > reached);
        // One page alone is more than enough, and time goes on all the same.
        let mut full = Calendar::default();
        (0..100).for_each(|_| file(&mut full, 2_000, 0));
        assert_eq!(reach(&full, i64::MAX), 2_047);
        assert_eq!(take(&mut full, 2_047, 1_000).len(), 100);
        assert_eq!(reach(&full, i64::MAX), i64::MAX);
    }
}
