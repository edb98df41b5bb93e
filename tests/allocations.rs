//! No allocation per event: after a while, memory goes round. Counted by an allocator of this binary's own, over all threads of a run.
//!
//! A shard that the system lets stand still for long has more under way than ever before, and that memory has to be made once. So the
//! least of several stretches counts: what is allocated per event is so in each.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use leitmotif::source::Error;
use leitmotif::{Engine, Extent, Input, Polled, Progress, Record, Source};

/// Counts what is asked of the system's allocator.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One at a time: what another test allocates would count.
static ALONE: Mutex<()> = Mutex::new(());

/// Stretches, of which the first one does not count.
const STRETCHES: usize = 6;

/// One allocation in so many events is allowed: tables grow now and then, and memory that is seldom used has never held a long text.
const EVENTS_PER_ALLOCATION: u64 = 100;

/// Besides, shards report ten times a second what each pattern did, however many events there are.
const REPORTED_PER_SECOND: usize = 500;
const REPORTED_PER_PATTERN_AND_SECOND: usize = 40;

/// How far a reader may be ahead of the others: what waits for a shard that stands still is memory, too.
const AHEAD_MAX: u64 = 300;

const PATTERNS: &str = r#"
    event Beat { ts: timestamp time, device: string, kind: string, level: int, note: string }
    pattern risen {
      key device
      match low: Beat where kind == "low" then high: Beat where kind == "high" and level > low.level
      within 2h
      emit rises { device, level: high.level }
    }
    pattern noticed {
      key device
      match seen: Beat where kind == "high" and level > 1000
      within 2h
      emit notices { device, note: seen.note }
    }
"#;

/// Patterns of which each record concerns several: by another key, so that it goes to several shards, and more variants of one than fit into two words of bits, of
/// which about half look at it.
fn many_patterns() -> String {
    let mut text = PATTERNS.to_owned();
    text += r#"
    pattern noted {
      key note
      match low: Beat where kind == "low" then high: Beat where kind == "high" and level > low.level
      within 2h
      emit notes { device: high.device }
    }
    pattern noted_strictly {
      key note
      match low: Beat where kind == "low" then not Beat where kind == "higher" then high: Beat where kind == "high" and level > low.level
      within 1h
      emit strict_notes { device: high.device }
    }
    "#;
    for number in 0..200 {
        text += &format!(
            r#"pattern risen_{number} {{
              key device
              match low: Beat where kind == "low" and level < {} then high: Beat where kind == "high" and level > low.level and level < {number}
              within 2h
              emit rises_{number} {{ device }}
            }}
            "#,
            300 - number
        );
    }
    text
}

/// What most records of a run are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Beats {
    /// No pattern can use them.
    Unwanted,
    /// They are shown to a partial match, which they don't complete.
    Waiting,
    /// They are shown to partial matches of several patterns, on several shards if there are some.
    Shared,
}

impl Beats {
    /// Events per reader in a stretch.
    fn stretch(self) -> u64 {
        match self {
            Beats::Unwanted | Beats::Waiting => 200_000,
            // Each costs many times as much.
            Beats::Shared => 50_000,
        }
    }
}

/// How texts are written.
#[derive(Clone, Copy, Debug)]
enum Texts {
    Short,
    /// Over 24 bytes, of different lengths.
    Long,
    /// The same with escapes.
    Escaped,
}

/// Who takes the records.
#[derive(Clone, Copy, Debug)]
enum Runs {
    /// The thread of whoever pushes them.
    InThread,
    /// So many shards, and readers to read for them.
    Threads { shards: u16, readers: u32 },
}

/// Writes beats of a hundred devices, first one of each that begins something.
#[derive(Debug)]
struct Beating {
    beats: Beats,
    texts: Texts,
    /// One of so many readers, each with devices of its own.
    partition: u32,
    readers: u32,
    given: u64,
    line: Vec<u8>,
}

impl Beating {
    fn next(&mut self) -> &[u8] {
        let number = self.given;
        self.given += 1;
        let time = 1_700_000_000_000 + number;
        let device = number % 100 * u64::from(self.readers) + u64::from(self.partition);
        let kind = match self.beats {
            _ if number < 100 => "low",
            Beats::Unwanted => "other",
            Beats::Waiting | Beats::Shared => "high",
        };
        let level = 100 - i64::from(number >= 100);
        let (pad, note) = match self.texts {
            Texts::Short => ("", "all is well"),
            Texts::Long => (
                "device-of-the-northern-plant-",
                "nothing to be seen here, all is well",
            ),
            Texts::Escaped => (
                r"device-of-the-\u006eorthern-plant-",
                r"\u00fcber allen Gipfeln ist Ruh",
            ),
        };
        let note = &note[..note.len() - (number % 5) as usize];
        self.line.clear();
        let written = write!(
            self.line,
            r#"{{"ts":{time},"device":"{pad}{device}","kind":"{kind}","level":{level},"note":"{note}"}}"#
        );
        written.expect("memory can be written");
        &self.line
    }
}

/// What had been allocated after each stretch.
type Marks = Arc<[AtomicU64; STRETCHES]>;

/// Gives beats out, and notes what has been allocated.
#[derive(Debug)]
struct Reader {
    beating: Beating,
    marks: Marks,
    /// By partition: how many records were given out.
    given: Arc<[AtomicU64]>,
}

impl Source for Reader {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        let stretches = (self.beating.given / self.beating.beats.stretch()) as usize;
        if self
            .beating
            .given
            .is_multiple_of(self.beating.beats.stretch())
            && stretches > 0
        {
            mark(&self.marks[stretches - 1]);
        }
        if stretches == STRETCHES {
            return Ok(Polled::End);
        }
        let all = self.given.iter().map(|given| given.load(Ordering::Relaxed));
        if self.beating.given > all.min().unwrap_or(0) + AHEAD_MAX {
            return Ok(Polled::Waiting);
        }
        for _ in 0..100 {
            let partition = self.beating.partition;
            let bytes = self.beating.next();
            take(Record {
                bytes,
                partition,
                offset: 0,
                arrived: None,
                heads_file: false,
            });
        }
        let given = &self.given[self.beating.partition as usize];
        given.store(self.beating.given, Ordering::Relaxed);
        Ok(Polled::More)
    }

    fn partitions(&self) -> Vec<u32> {
        vec![self.beating.partition]
    }

    fn extent(&self) -> Extent {
        Extent::Bounded
    }

    fn progress(&self) -> Option<Progress> {
        None
    }
}

fn mark(mark: &AtomicU64) {
    mark.store(ALLOCATIONS.load(Ordering::Relaxed), Ordering::Relaxed);
}

fn check(runs: Runs, beats: Beats, texts: Texts) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let marks = Marks::default();
    let beating = |partition, readers| Beating {
        beats,
        texts,
        partition,
        readers,
        given: 0,
        line: Vec::new(),
    };
    let began = Instant::now();
    let patterns = match beats {
        Beats::Shared => many_patterns(),
        Beats::Unwanted | Beats::Waiting => PATTERNS.to_owned(),
    };
    let count = patterns.matches("pattern ").count();
    let engine = Engine::builder().patterns_text("beats.motif", patterns);
    let (account, readers) = match runs {
        Runs::InThread => {
            let mut engine = engine.build().expect("it is built");
            let mut beating = beating(0, 1);
            for at in &*marks {
                for _ in 0..beats.stretch() {
                    engine.push_record(beating.next()).expect("an event");
                }
                mark(at);
            }
            (engine.finish().account, 1)
        }
        Runs::Threads { shards, readers } => {
            let given: Arc<[AtomicU64]> = (0..readers).map(|_| AtomicU64::new(0)).collect();
            let reader = |partition| -> Box<dyn Source> {
                Box::new(Reader {
                    beating: beating(partition, readers),
                    marks: Arc::clone(&marks),
                    given: Arc::clone(&given),
                })
            };
            let input = Input::readers((0..readers).map(reader).collect());
            let engine = engine.source("beats", input).shards(shards);
            let running = engine.start().expect("it starts");
            (running.wait().expect("it runs"), readers)
        }
    };
    let counts = account.sources[0].1;
    let begin = 100 * u64::from(readers);
    let wanted = match beats {
        Beats::Unwanted => begin,
        Beats::Waiting | Beats::Shared => counts.read,
    };
    assert_eq!(counts.processed, wanted);
    let marks: Vec<u64> = marks.iter().map(|at| at.load(Ordering::Relaxed)).collect();
    let stretches: Vec<u64> = marks.windows(2).map(|two| two[1] - two[0]).collect();
    let events = beats.stretch() * u64::from(readers);
    let said =
        format!("{runs:?}, {beats:?}, {texts:?}: allocations {stretches:?}, {events} events each");
    println!("{said}");
    let reported = REPORTED_PER_SECOND + count * REPORTED_PER_PATTERN_AND_SECOND;
    let reported = began.elapsed().as_secs_f64() / STRETCHES as f64 * reported as f64;
    let allowed = events / EVENTS_PER_ALLOCATION + reported as u64;
    assert!(stretches.iter().any(|count| *count <= allowed), "{said}");
}

/// One reader, one for each shard, and one that reads for two shards.
const RUNS: [Runs; 4] = [
    Runs::InThread,
    Runs::Threads {
        shards: 1,
        readers: 1,
    },
    Runs::Threads {
        shards: 2,
        readers: 2,
    },
    Runs::Threads {
        shards: 2,
        readers: 1,
    },
];

#[test]
fn an_event_that_no_pattern_can_use_costs_no_allocation() {
    for texts in [Texts::Short, Texts::Long, Texts::Escaped] {
        RUNS.into_iter()
            .for_each(|runs| check(runs, Beats::Unwanted, texts));
    }
}

#[test]
fn an_event_that_a_partial_match_waits_for_costs_no_allocation() {
    for texts in [Texts::Short, Texts::Long, Texts::Escaped] {
        RUNS.into_iter()
            .for_each(|runs| check(runs, Beats::Waiting, texts));
    }
}

#[test]
fn an_event_that_concerns_several_patterns_costs_no_allocation() {
    for runs in [RUNS[0], RUNS[2], RUNS[3]] {
        check(runs, Beats::Shared, Texts::Long);
    }
}
