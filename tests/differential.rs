//! The engine finds what the reference matcher finds: on every failure ever met, and on random patterns and events.
//!
//! `LEITMOTIF_CASES` says how many cases are tried, `LEITMOTIF_SEED` where they begin. A failure is shrunk and written to `tests/golden/differential`, where it
//! is replayed by every later run.

#[path = "differential/golden.rs"]
mod golden;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use golden::Golden;
use leitmotif::automaton::RuntimeClass;
use leitmotif::testing::choices::{Choices, shrink};
use leitmotif::testing::differential::{LISTS, Subject, Verdict, bundles_vs_runs, shared_vs_runs};
use leitmotif::testing::{generate, vary};

const CASES_DEFAULT: u64 = 100_000;

/// How many failures end a run.
const FAILURES_MAX: usize = 6;

/// How often a failing case is run while it is shrunk.
const SHRINK_BUDGET: usize = 30_000;

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is `{text}`, which is no number")),
        Err(_) => default,
    }
}

/// What became of the cases.
#[derive(Default)]
struct Tally {
    files: AtomicUsize,
    rejected: AtomicUsize,
    stacks: AtomicUsize,
    cohorts: AtomicUsize,
    cases: AtomicUsize,
    discarded: AtomicUsize,
    rows: AtomicUsize,
}

/// The bytes of a case: of its file and of its events.
#[derive(Clone)]
struct Case {
    of_file: Vec<u8>,
    of_events: Vec<u8>,
}

impl Case {
    fn verdict(&self) -> Verdict {
        let text = generate::program_text(&mut Choices::from_bytes(&self.of_file));
        match Subject::new(&text) {
            Ok(subject) => subject.judge(&mut Choices::from_bytes(&self.of_events)),
            Err(_) => Verdict::Discarded,
        }
    }

    fn fails(&self) -> bool {
        std::panic::catch_unwind(|| matches!(self.verdict(), Verdict::Different(_))).unwrap_or(true)
    }

    fn shrunk(self) -> Case {
        let mut case = self;
        for _ in 0..2 {
            let Case { of_file, of_events } = case;
            let of_events = shrink(&of_events, SHRINK_BUDGET / 4, |bytes| {
                Case {
                    of_file: of_file.clone(),
                    of_events: bytes.to_vec(),
                }
                .fails()
            });
            let of_file = shrink(&of_file, SHRINK_BUDGET / 4, |bytes| {
                Case {
                    of_file: bytes.to_vec(),
                    of_events: of_events.clone(),
                }
                .fails()
            });
            case = Case { of_file, of_events };
        }
        case
    }
}

/// Runs every list of one file; the first case that fails.
fn run_file(seed: u64, tally: &Tally) -> Option<Case> {
    let mut of_file = Choices::from_seed(seed);
    let text = generate::program_text(&mut of_file);
    tally.files.fetch_add(1, Ordering::Relaxed);
    let Ok(subject) = Subject::new(&text) else {
        tally.rejected.fetch_add(1, Ordering::Relaxed);
        return None;
    };
    match subject.class() {
        RuntimeClass::Stacks => tally.stacks.fetch_add(1, Ordering::Relaxed),
        RuntimeClass::Cohorts => tally.cohorts.fetch_add(1, Ordering::Relaxed),
        RuntimeClass::Bundles | RuntimeClass::Runs | RuntimeClass::Boundary(_) => 0,
    };
    for list in 0..LISTS {
        let mut of_events = Choices::from_seed(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ list);
        let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            subject.judge(&mut of_events)
        }));
        tally.cases.fetch_add(1, Ordering::Relaxed);
        match verdict {
            Ok(Verdict::Same(rows)) => {
                tally.rows.fetch_add(rows, Ordering::Relaxed);
            }
            Ok(Verdict::Discarded) => {
                tally.discarded.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Verdict::Different(_)) | Err(_) => {
                return Some(Case {
                    of_file: of_file.taken().to_vec(),
                    of_events: of_events.taken().to_vec(),
                });
            }
        }
    }
    None
}

#[test]
fn engine_finds_what_the_reference_finds() {
    let cases = setting("LEITMOTIF_CASES", CASES_DEFAULT);
    let first = setting("LEITMOTIF_SEED", 0);
    let tally = Tally::default();
    let next = AtomicU64::new(first);
    let failures = std::sync::Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let done = tally.cases.load(Ordering::Relaxed) as u64;
                    let failed = failures.lock().expect("no thread died").len();
                    if done >= cases || failed >= FAILURES_MAX {
                        return;
                    }
                    if let Some(case) = run_file(seed, &tally) {
                        let case = case.shrunk();
                        failures.lock().expect("no thread died").push((seed, case));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no thread died");
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    println!(
        "{} files, {} rejected, {} matched by stacks, {} by cohorts; {} cases, {} discarded; {} rows",
        count(&tally.files),
        count(&tally.rejected),
        count(&tally.stacks),
        count(&tally.cohorts),
        count(&tally.cases),
        count(&tally.discarded),
        count(&tally.rows)
    );
    let mut report = String::new();
    for (seed, case) in &failures {
        let text = generate::program_text(&mut Choices::from_bytes(&case.of_file));
        let how = match std::panic::catch_unwind(|| case.verdict()) {
            Ok(Verdict::Different(how)) => how,
            Ok(other) => format!("{other:?}"),
            Err(_) => "panicked".to_owned(),
        };
        let saved =
            Golden::of(&text, &case.of_events).map(|golden| golden.save(&format!("seed_{seed}")));
        report.push_str(&format!("seed {seed}, saved as {saved:?}\n{text}\n{how}\n"));
    }
    assert!(failures.is_empty(), "{report}");
    // A generator that mostly makes invalid or silent patterns tests nothing.
    assert!(
        count(&tally.rejected) * 4 <= count(&tally.files),
        "too many files are rejected"
    );
    for (class, files) in [("stacks", &tally.stacks), ("cohorts", &tally.cohorts)] {
        assert!(
            count(files) * 15 >= count(&tally.files),
            "too few files are matched by {class}"
        );
    }
    assert!(
        count(&tally.discarded) * 10 <= count(&tally.cases),
        "too many cases are discarded"
    );
    assert!(
        count(&tally.rows) * 2 >= count(&tally.cases),
        "too few rows"
    );
}

#[test]
fn every_failure_met_before_stays_solved() {
    for golden in Golden::all() {
        golden.check();
    }
}

/// Of the cases, one in this many is run in two classes.
const SHARED_ONE_IN: u64 = 20;

#[test]
fn stacks_and_cohorts_find_and_let_go_what_a_list_of_runs_does() {
    let cases = setting("LEITMOTIF_CASES", CASES_DEFAULT) / SHARED_ONE_IN;
    let first = setting("LEITMOTIF_SEED", 0);
    let mut rows = 0;
    for seed in first..first + cases {
        match shared_vs_runs(&mut Choices::from_seed(seed)) {
            Verdict::Same(found) => rows += found as u64,
            Verdict::Discarded => {}
            Verdict::Different(how) => panic!("seed {seed}\n{how}"),
        }
    }
    assert!(rows >= cases, "too few rows: {rows}");
}

#[test]
fn bundles_find_and_let_go_what_a_list_of_runs_does() {
    let cases = setting("LEITMOTIF_CASES", CASES_DEFAULT) / SHARED_ONE_IN;
    let first = setting("LEITMOTIF_SEED", 0);
    let (mut judged, mut rows) = (0, 0);
    for seed in first..first + cases {
        match bundles_vs_runs(&mut Choices::from_seed(seed)) {
            Verdict::Same(found) => {
                judged += 1;
                rows += found as u64;
            }
            Verdict::Discarded => {}
            Verdict::Different(how) => panic!("seed {seed}\n{how}"),
        }
    }
    println!("{judged} of {cases} cases, {rows} rows");
    assert!(
        judged >= cases / 20 && rows >= judged,
        "{judged} of {cases} cases, {rows} rows"
    );
}

/// Of the cases, one in this many is run with variants.
const VARIED_ONE_IN: u64 = 10;

#[test]
fn variants_of_a_pattern_find_together_what_each_finds_alone() {
    let cases = setting("LEITMOTIF_CASES", CASES_DEFAULT) / VARIED_ONE_IN;
    let first = setting("LEITMOTIF_SEED", 0);
    let (next, rows) = (AtomicU64::new(first), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + cases {
                        return;
                    }
                    let text = generate::program_text(&mut Choices::from_seed(seed));
                    let mut of_variants = Choices::from_seed(!seed);
                    let mut of_events = Choices::from_seed(seed ^ 0x5eed);
                    match vary::judge(&text, &mut of_variants, &mut of_events) {
                        Verdict::Same(found) => rows.fetch_add(found, Ordering::Relaxed),
                        Verdict::Discarded => 0,
                        Verdict::Different(how) => panic!("seed {seed}\n{text}\n{how}"),
                    };
                }
            });
        }
    });
    assert!(
        rows.into_inner() as u64 >= cases,
        "too few rows: variants that match nothing test nothing"
    );
}
