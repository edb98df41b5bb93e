//! How much memory states may take, and how many keys have to leave it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often memory is measured, in microseconds.
const MEASURE_MICROS: u64 = 10_000;
/// Of the budget, in percent: what is used beyond has keys leave memory.
const USED_MAX_PERCENT: u64 = 90;
/// Beyond this nothing is read until keys have left.
const FULL_PERCENT: u64 = 94;
/// One key in so many leaves at once at most.
const KEYS_SHARE: usize = 8;
/// So many slots of keys may be free in a directory whatever its size.
pub(super) const SLOTS_FREE: usize = 4_096;
/// So many stay in each shard, however short memory is.
const KEYS_MIN: usize = 1_024;

/// The memory of a process as its shards see it.
pub(crate) enum Room {
    /// So many keys in each shard.
    Keys(usize),
    /// So many bytes in all.
    Bytes(Budget),
}

/// A budget, and what is used of it.
pub(crate) struct Budget {
    bytes: u64,
    /// What the process uses, in bytes.
    measure: fn() -> u64,
    used: AtomicU64,
    /// Until when that may be believed, in microseconds.
    until: AtomicU64,
    /// How often it was measured.
    count: AtomicU64,
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Room::Keys(keys) => write!(f, "{keys} keys"),
            Room::Bytes(budget) => write!(f, "{} bytes", budget.bytes),
        }
    }
}

impl Room {
    /// A budget of bytes, and how to measure what the process uses.
    pub(crate) fn bytes(bytes: u64, measure: fn() -> u64) -> Room {
        Room::Bytes(Budget {
            bytes,
            measure,
            used: AtomicU64::new(0),
            until: AtomicU64::new(0),
            count: AtomicU64::new(0),
        })
    }

    /// How many slots of keys may be free in a directory beyond its share of them.
    pub(crate) fn slots_free(&self) -> usize {
        match self {
            // Few enough to be counted one by one.
            Room::Keys(_) => 0,
            Room::Bytes(_) => SLOTS_FREE,
        }
    }

    /// Measures again if the last time is long ago. Any thread may ask, as often as it likes.
    pub(crate) fn measure(&self, micros: u64) {
        let Room::Bytes(budget) = self else {
            return;
        };
        let until = budget.until.load(Ordering::Relaxed);
        if micros < until {
            return;
        }
        let next = micros + MEASURE_MICROS;
        let mine =
            (budget.until).compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed);
        if mine.is_ok() {
            budget.measure_now();
        }
    }

    /// True if nothing is to be read while keys can leave.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Room::Keys(_) => false,
            Room::Bytes(budget) => budget.used() > budget.bytes / 100 * FULL_PERCENT,
        }
    }

    /// True if another key with state is too much just now. `seen`: how many were asked about; it measures by itself.
    pub(crate) fn has_no_more(&self, hot: usize, seen: usize) -> bool {
        match self {
            Room::Keys(keys) => hot >= *keys,
            Room::Bytes(budget) => {
                if seen.is_multiple_of(KEYS_MIN) {
                    budget.measure_now();
                }
                hot >= KEYS_MIN && budget.used() > budget.used_max()
            }
        }
    }

    /// How many keys of a shard have to leave memory. `count`: the measurements that it has acted on; from then on, these.
    pub(crate) fn too_many(&self, hot: usize, count: &mut u64) -> usize {
        let budget = match self {
            Room::Keys(keys) => return hot.saturating_sub(*keys),
            Room::Bytes(budget) => budget,
        };
        // One may have begun before the last keys left; the one after it has not.
        let now = budget.count.load(Ordering::Acquire);
        let used = budget.used();
        if now < *count + 2 || used <= budget.used_max() {
            return 0;
        }
        *count = now;
        let share = (used - budget.used_max()) as f64 / used as f64;
        // What is used is not all states, so a little more has to go.
        let keys = (hot as f64 * share * 1.5) as usize;
        let most = hot.saturating_sub(KEYS_MIN);
        keys.clamp(KEYS_MIN, (hot / KEYS_SHARE).max(KEYS_MIN))
            .min(most)
    }
}

impl Budget {
    fn measure_now(&self) {
        self.used.store((self.measure)(), Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Release);
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn used_max(&self) -> u64 {
        self.bytes / 100 * USED_MAX_PERCENT
    }
}

/// What the process holds of the machine's memory, in bytes; 0 where the system does not tell (elsewhere than on Linux).
pub(crate) fn resident_bytes() -> u64 {
    // Pages, not bytes; a page has 4 KiB on all machines that matter here.
    const PAGE_BYTES: u64 = 4_096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.map_or(0, |pages: u64| pages * PAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    static USED: AtomicU64 = AtomicU64::new(0);

    #[test]
    fn keys_leave_when_too_much_is_used_and_only_after_that_was_measured_again() {
        let room = Room::bytes(1_000_000, || USED.load(Ordering::Relaxed));
        let mut count = 0;
        USED.store(900_000, Ordering::Relaxed);
        (1..4).for_each(|turn| room.measure(turn * MEASURE_MICROS));
        assert_eq!(room.too_many(100_000, &mut count), 0);
        USED.store(980_000, Ordering::Relaxed);
        room.measure(3 * MEASURE_MICROS + 1);
        assert!(!room.is_full(), "it is not measured so soon again");
        room.measure(4 * MEASURE_MICROS);
        assert!(room.is_full());
        let leave = room.too_many(100_000, &mut count);
        assert!((5_000..12_500).contains(&leave), "{leave}");
        assert_eq!(room.too_many(95_000, &mut count), 0);
        room.measure(5 * MEASURE_MICROS);
        assert_eq!(room.too_many(95_000, &mut count), 0);
        room.measure(6 * MEASURE_MICROS);
        assert!(room.too_many(95_000, &mut count) > 0);
        (7..9).for_each(|turn| room.measure(turn * MEASURE_MICROS));
        assert_eq!(room.too_many(1_030, &mut count), 6, "some stay");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_takes_memory() {
        assert!((1 << 20..1 << 40).contains(&resident_bytes()));
    }
}
