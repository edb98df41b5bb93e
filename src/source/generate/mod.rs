//! Made-up events: card payments, sensor readings and trades, the same on every machine. What the workloads measure with, and what a
//! demonstration needs when there is no data at hand.
//!
//! The events of a workload are numbered; partition p of n has the events p, p + n, p + 2n, …, so that all partitions together hold the
//! same events however many there are. Times lie a millisecond apart from a fixed day on, or are those of the wall clock.
//!
//! Since an event is made of nothing but its number, a run can go on behind any of them without making those before: only prices have to be walked along, and
//! only lines that are put off at that moment are written again. With the wall clock numbers go on, too, and their times are those of the run that goes on.
//!
//! ```
//! use leitmotif::source::generate::{EPOCH_MS, Kind, Lines};
//!
//! let mut line = Vec::new();
//! Lines::new(Kind::Sensors, 10_000, 1).write(0, EPOCH_MS, &mut line);
//! assert!(line.starts_with(br#"{"ts":1700000000000,"device":"d"#));
//! ```

mod cards;
mod digits;
mod place;
mod random;
mod sensors;
mod shuffle;
mod stock;
mod workload;

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub use random::Random;
pub use shuffle::Shuffle;
pub use workload::{Clock, Kind, Workload};

use super::place::of_partition;
use super::{Error, Extent, Polled, Progress, Record, Source, SourcePosition};
use crate::time::Timestamp;
use place::Place;
use stock::Market;

/// Time of the first event: 2023-11-14T22:13:20Z, in milliseconds.
pub const EPOCH_MS: u64 = 1_700_000_000_000;

/// How many events of a partition a poll makes.
const BATCH: u64 = 256;

/// Writes the events of a workload as JSON.
#[derive(Debug)]
pub struct Lines {
    making: Making,
    seed: u64,
}

/// What is written, and what has to be remembered for it.
#[derive(Debug)]
enum Making {
    Cards { cards: u64 },
    Sensors { devices: u64 },
    Stock(Market),
}

impl Lines {
    /// Events about so many cards, devices or symbols.
    #[must_use]
    pub fn new(kind: Kind, keys: u64, seed: u64) -> Lines {
        let making = match kind {
            Kind::Cards => Making::Cards { cards: keys },
            Kind::Sensors => Making::Sensors { devices: keys },
            Kind::Stock => Making::Stock(Market::new(keys)),
        };
        Lines { making, seed }
    }

    /// Appends the event with this number, without a line break. Numbers must be asked for in order, each once: prices go on from trade to trade.
    pub fn write(&mut self, number: u64, time_ms: u64, line: &mut Vec<u8>) {
        let random = Random::of(self.seed, number);
        match &mut self.making {
            Making::Cards { cards } => cards::write(random, *cards, time_ms, line),
            Making::Sensors { devices } => sensors::write(random, *devices, time_ms, line),
            Making::Stock(market) => market.write(random, time_ms, line),
        }
    }

    /// Passes over the events with these numbers.
    fn skip(&mut self, numbers: std::ops::Range<u64>) {
        if let Making::Stock(market) = &mut self.making {
            for number in numbers {
                market.skip(Random::of(self.seed, number));
            }
        }
    }
}

/// Makes up events while it is polled.
#[derive(Debug)]
// On cache lines of its own: it is written to for each record.
#[repr(align(128))]
pub struct Generator {
    workload: Workload,
    partitions: Vec<Partition>,
    start: Start,
    /// The number of the event that is due first.
    first: u64,
    /// The event being written.
    line: Vec<u8>,
}

/// When the first event was made; all readers of a source share it.
#[derive(Clone, Debug, Default)]
struct Start(Arc<OnceLock<(Instant, u64)>>);

/// One partition's events.
#[derive(Debug)]
// As the generator.
#[repr(align(128))]
struct Partition {
    number: u32,
    lines: Lines,
    /// `None` when they are in order.
    shuffle: Option<Shuffle>,
    /// The number of the next event.
    next: u64,
    /// How many records were given out.
    given: u64,
}

/// Which events are to be made now, and what time they have.
struct Due {
    /// The event that was due at the start, and the first one that is not yet.
    first: u64,
    end: u64,
    /// Unix time in milliseconds, and that of the start.
    now_ms: u64,
    start_ms: u64,
}

impl Generator {
    /// Readers that share the workload's partitions: as many as wanted, but none without a partition.
    #[must_use]
    pub fn readers(workload: &Workload, readers: usize) -> Vec<Generator> {
        let readers = readers.clamp(1, workload.partitions as usize);
        let start = Start::default();
        let reader = |at: usize| Generator {
            workload: workload.clone(),
            partitions: (0..workload.partitions)
                .skip(at)
                .step_by(readers)
                .map(|number| Partition::new(workload, number))
                .collect(),
            start: start.clone(),
            first: 0,
            line: Vec::with_capacity(256),
        };
        (0..readers).map(reader).collect()
    }

    /// What is due at this instant.
    fn due(&self) -> Due {
        let (start, start_ms) = *self.start.0.get_or_init(|| (Instant::now(), unix_ms()));
        let all = self.workload.events.unwrap_or(u64::MAX);
        let elapsed = start.elapsed();
        let end = self.workload.rate.map_or(all, |rate| {
            let due = elapsed.as_nanos() * u128::from(rate) / 1_000_000_000;
            let due = u64::try_from(due).unwrap_or(u64::MAX);
            // The first one at once.
            all.min(due.saturating_add(self.first).saturating_add(1))
        });
        Due {
            first: self.first,
            end,
            now_ms: start_ms + elapsed.as_millis() as u64,
            start_ms,
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// The events of a partition: every so many from the first on.
#[derive(Clone, Copy, Debug)]
struct Share {
    first: u64,
    step: u64,
    count: u64,
}

impl Share {
    fn of(workload: &Workload, partition: u32) -> Share {
        let (first, step) = (u64::from(partition), u64::from(workload.partitions));
        let all = workload.events.unwrap_or(u64::MAX);
        Share {
            first,
            step,
            count: all.saturating_sub(first).div_ceil(step),
        }
    }

    /// The number of the event that follows after so many steps; `None` when none can have been made there.
    fn next(self, steps: u64) -> Option<u64> {
        let made = steps.min(self.count);
        let next = self.step.checked_mul(made)?.checked_add(self.first)?;
        i64::try_from(next).ok().map(|_| next)
    }
}

/// By how many steps an event of a partition is put off at most. Events of one partition are further apart when there are more of them. The wall clock cannot be
/// put off: there, times go back.
fn spread(workload: &Workload) -> u64 {
    match workload.clock {
        Clock::Fixed => workload.disorder_ms / u64::from(workload.partitions),
        Clock::Now => 0,
    }
}

impl Partition {
    fn new(workload: &Workload, number: u32) -> Partition {
        let mut lines = Lines::new(workload.kind, workload.keys, workload.seed);
        lines.skip(0..u64::from(number));
        let spread = spread(workload);
        let random = Random::of(workload.seed, u64::MAX - u64::from(number));
        Partition {
            number,
            lines,
            shuffle: (spread > 0).then(|| Shuffle::new(spread, random)),
            next: u64::from(number),
            given: 0,
        }
    }

    /// How many steps it has made: one for each event, and without any once they are all made, as long as some are put off.
    fn steps(&self) -> u64 {
        self.shuffle.as_ref().map_or(self.given, Shuffle::steps)
    }

    /// Goes on as if so many steps had been made, after which the record with this offset follows. `None` if those two don't belong together.
    fn go_to(&mut self, workload: &Workload, steps: u64, offset: u64) -> Option<()> {
        let share = Share::of(workload, self.number);
        let (made, next) = (steps.min(share.count), share.next(steps)?);
        let (given, spread) = (offset.checked_sub(1)?, spread(workload));
        if given > made || made - given > spread + 1 || steps - made > spread + 1 {
            return None;
        }
        let (mut at, lines) = (self.next, &mut self.lines);
        if let Some(shuffle) = &mut self.shuffle {
            shuffle.go_to(steps, made, &mut |step, line| {
                let number = share.first + step * share.step;
                lines.skip(at..number);
                lines.write(number, EPOCH_MS + number, line);
                at = number + 1;
            });
        }
        let waiting = self.shuffle.as_ref().map_or(0, Shuffle::waiting);
        if made - waiting != given {
            return None;
        }
        lines.skip(at..next);
        (self.next, self.given) = (next, given);
        Some(())
    }

    /// Makes some of the events that are due.
    fn poll(
        &mut self,
        workload: &Workload,
        due: &Due,
        line: &mut Vec<u8>,
        take: &mut dyn FnMut(Record<'_>),
    ) -> Polled {
        let (number, given) = (self.number, &mut self.given);
        let mut give = |bytes: &[u8], arrived| {
            *given += 1;
            take(Record {
                bytes,
                partition: number,
                offset: *given,
                arrived,
                heads_file: false,
            });
        };
        for _ in 0..BATCH {
            if self.next >= due.end {
                break;
            }
            match &mut self.shuffle {
                None => {
                    let (time_ms, arrived) = due.time_of(workload, self.next);
                    line.clear();
                    self.lines.write(self.next, time_ms, line);
                    give(line, arrived);
                }
                Some(shuffle) => {
                    let mut line = shuffle.blank();
                    self.lines.write(self.next, EPOCH_MS + self.next, &mut line);
                    shuffle.push(line, &mut |line| give(line, None));
                }
            }
            let next = self.next.saturating_add(u64::from(workload.partitions));
            self.lines.skip(self.next + 1..next);
            self.next = next;
        }
        if self.next < due.end {
            return Polled::More;
        }
        if workload.events.is_none_or(|events| self.next < events) {
            return Polled::Waiting;
        }
        if let Some(shuffle) = &mut self.shuffle {
            for _ in 0..BATCH {
                if shuffle.is_empty() {
                    return Polled::End;
                }
                shuffle.step(&mut |line| give(line, None));
            }
            return Polled::More;
        }
        Polled::End
    }
}

impl Due {
    /// The time of an event, and when it came to be.
    fn time_of(&self, workload: &Workload, number: u64) -> (u64, Option<Timestamp>) {
        if workload.clock == Clock::Fixed {
            return (EPOCH_MS + number, None);
        }
        // When it was due, not when it was made: who measures delays must see those of a generator that could not keep up.
        let made_ms = workload.rate.map_or(self.now_ms, |rate| {
            let since = number.saturating_sub(self.first);
            let after = u128::from(since) * 1_000 / u128::from(rate);
            self.start_ms + after as u64
        });
        let back_ms = match workload.disorder_ms {
            0 => 0,
            most => Random::of(workload.seed, !number).below(most + 1),
        };
        let arrived = i64::try_from(made_ms).ok().map(Timestamp);
        (made_ms.saturating_sub(back_ms), arrived)
    }
}

impl Source for Generator {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        let due = self.due();
        let mut polled = Polled::End;
        for partition in &mut self.partitions {
            let one = partition.poll(&self.workload, &due, &mut self.line, take);
            polled = match (polled, one) {
                (Polled::More, _) | (_, Polled::More) => Polled::More,
                (Polled::End, Polled::End) => Polled::End,
                (Polled::Waiting, _) | (_, Polled::Waiting) => Polled::Waiting,
                (Polled::Away, _) | (_, Polled::Away) => Polled::Away,
            };
        }
        Ok(polled)
    }

    fn partitions(&self) -> Vec<u32> {
        self.partitions
            .iter()
            .map(|partition| partition.number)
            .collect()
    }

    fn extent(&self) -> Extent {
        match self.workload.events {
            Some(_) => Extent::Bounded,
            None => Extent::Unbounded,
        }
    }

    fn progress(&self) -> Option<Progress> {
        None
    }

    fn positions(&self) -> Option<Vec<(u32, SourcePosition)>> {
        let partitions = self.partitions.iter();
        let position = |partition: &Partition| {
            let place = Place {
                workload: &self.workload,
                steps: partition.steps(),
            };
            (partition.number, place.position(partition.given + 1))
        };
        Some(partitions.map(position).collect())
    }

    fn seek(&mut self, positions: &[(u32, SourcePosition)]) -> Result<(), Error> {
        let workload = &self.workload;
        let mut first = u64::MAX;
        // Also those of other readers: all of them begin with the same event.
        for number in 0..workload.partitions {
            let steps = match of_partition(positions, number) {
                Some(position) => Place::read(workload, position)?.steps,
                None => 0,
            };
            let next = Share::of(workload, number).next(steps);
            first = first.min(next.ok_or_else(|| place::damaged(workload))?);
        }
        self.first = first;
        for partition in &mut self.partitions {
            if let Some(position) = of_partition(positions, partition.number) {
                let steps = Place::read(workload, position)?.steps;
                let went = partition.go_to(workload, steps, position.offset);
                went.ok_or_else(|| place::damaged(workload))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
