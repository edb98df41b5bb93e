//! Whole runs on one thread with a seeded scheduler: whatever the number of shards, the order of arrival within the delay and the order of turns, the rows are those
//! of one shard that is given the events in order.
//!
//! `LEITMOTIF_SIM_CASES` (default 4,000) and `LEITMOTIF_SIM_SEED` say how many and which.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use leitmotif::automaton::Row;
use leitmotif::engine::{Plan, Shard};
use leitmotif::event::{Event, Value};
use leitmotif::key::Shards;
use leitmotif::lang::pattern::Program;
use leitmotif::sink::JsonRows;
use leitmotif::testing::choices::Choices;
use leitmotif::testing::{compile, generate, vary, world};
use leitmotif::time::{Span, Timestamp, Watermark};

/// How far arrivals are out of order.
const DELAY: Span = Span(4);

/// Generated events have times from 0; sources believe times from 2000 on. A multiple of every window.
const EPOCH: Span = Span(1_700_000_100_000 / 5_040 * 5_040);

const SHARDS: [u16; 4] = [1, 2, 3, 8];

fn number(variable: &str, default: u64) -> u64 {
    let set = std::env::var(variable).ok();
    set.map_or(default, |text| text.parse().expect("a number"))
}

/// The rows of one shard that is given all events in order.
fn alone(plan: &Arc<Plan>, events: &[Event]) -> String {
    let mut rows: Vec<Row> = Vec::new();
    Shard::new(Arc::clone(plan)).advance(events, Watermark::FINAL, &mut rows);
    let text = JsonRows::new(plan.program());
    let mut out = Vec::new();
    rows.iter().for_each(|row| text.append(row, &mut out));
    String::from_utf8(out).expect("rows are text")
}

fn later(event: &mut Event) {
    event.time = event.time.plus(EPOCH);
    for value in &mut event.values {
        if let Value::Timestamp(time) = value {
            *time = time.plus(EPOCH);
        }
    }
}

fn plan(text: &str) -> Option<Arc<Plan>> {
    planned(compile(text).ok()?)
}

fn planned(program: Program) -> Option<Arc<Plan>> {
    let program = Arc::new(program);
    let (_, tables) = generate::tables(&program);
    Some(Arc::new(Plan::new(program, &tables).ok()?))
}

/// Events in order of time.
fn events(plan: &Plan, choices: &mut Choices) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    // Several lists one after the other make a longer one.
    for _ in 0..3 {
        let start = events.last().map_or(Timestamp(0), |event| event.time);
        let mut list = generate::events(choices, plan.program());
        for event in &mut list {
            event.time = event.time.plus(Span(start.0));
            for value in &mut event.values {
                if let Value::Timestamp(time) = value {
                    *time = time.plus(Span(start.0));
                }
            }
        }
        events.append(&mut list);
    }
    events.iter_mut().for_each(later);
    events
}

/// Judges one pattern file with one list of events; the number of rows.
fn judge(plan: &Arc<Plan>, choices: &mut Choices, seed: u64) -> usize {
    let mut events = events(plan, choices);
    let scripts = world::scripts(plan.program(), &mut events, DELAY, choices);
    let want = alone(plan, &events);
    for count in SHARDS {
        let shards = Shards::new(count).expect("in range");
        let left = world::run(plan, shards, scripts.clone(), DELAY, seed);
        assert_eq!(left.rejected, Vec::<String>::new(), "nothing is late");
        if left.rows != want {
            let both = left.rows.lines().zip(want.lines());
            let same = both.take_while(|(a, b)| a == b).count();
            panic!(
                "{count} shards give {} rows instead of {}, the first {same} are equal, then\n{:?} instead of\n{:?}",
                left.rows.lines().count(),
                want.lines().count(),
                left.rows.lines().nth(same),
                want.lines().nth(same)
            );
        }
    }
    want.lines().count()
}

#[test]
fn golden_files_give_the_same_rows_on_any_number_of_shards() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/differential");
    let mut rows = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|ending| ending != "motif") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a pattern file");
        let plan = plan(&text).expect("a pattern");
        for seed in 0..20 {
            rows += judge(&plan, &mut Choices::from_seed(seed), seed);
        }
    }
    assert!(rows > 500, "{rows} rows say little");
}

#[test]
fn generated_patterns_give_the_same_rows_on_any_number_of_shards() {
    let (cases, first) = (
        number("LEITMOTIF_SIM_CASES", 4_000),
        number("LEITMOTIF_SIM_SEED", 1),
    );
    let (mut rows, mut judged) = (0, 0);
    for seed in first..first + cases {
        let mut choices = Choices::from_seed(seed);
        let text = generate::program_text(&mut choices);
        let Ok(program) = compile(&text) else {
            continue;
        };
        // Every third file stands with variants of its pattern, which share their state.
        let plan = match seed % 3 {
            0 => planned(vary::varied(program, &mut choices)),
            _ => planned(program),
        };
        let Some(plan) = plan else { continue };
        judged += 1;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            judge(&plan, &mut choices, seed)
        }));
        match result {
            Ok(of_case) => rows += of_case,
            Err(_) => panic!("LEITMOTIF_SIM_SEED={seed} LEITMOTIF_SIM_CASES=1\n{text}"),
        }
    }
    assert!(judged * 3 > cases, "{judged} of {cases} files were judged");
    eprintln!("{judged} files, {rows} rows");
}

/// Random patterns over random events, with state on a disk that loses what was not synced: however often the machine goes down, and whatever number of
/// shards goes on, the output is that of a run to which nothing happened.
#[test]
fn a_run_that_is_killed_again_and_again_leaves_what_an_undisturbed_one_leaves() {
    let cases = number("LEITMOTIF_CRASH_CASES", 300);
    let first = number("LEITMOTIF_SIM_SEED", 1);
    let all = SHARDS.map(|count| Shards::new(count).expect("in range"));
    let (mut judged, mut rows, mut deaths) = (0, 0, 0);
    for seed in first..first + cases {
        let mut choices = Choices::from_seed(seed);
        let text = generate::program_text(&mut choices);
        let Some(plan) = plan(&text) else { continue };
        let mut events = events(&plan, &mut choices);
        let scripts = world::scripts(plan.program(), &mut events, DELAY, &mut choices);
        let undisturbed = alone(&plan, &events);
        let crashing = world::Crashing {
            plan: &plan,
            scripts: &scripts,
            delay: DELAY,
            seed,
        };
        let some = match seed % 3 {
            0 => &all[..1],
            1 => &all[1..3],
            _ => &all[..],
        };
        let (left, died) = crashing.run(some);
        (judged, deaths) = (judged + 1, deaths + u64::from(died));
        rows += undisturbed.lines().count();
        assert_eq!(left.rejected, Vec::<String>::new(), "nothing is late");
        assert_eq!(left.rows, undisturbed, "seed {seed}\n{text}");
    }
    eprintln!("{judged} runs, {deaths} deaths, {rows} rows");
    assert!(judged * 3 > cases, "{judged} of {cases} files were judged");
    assert!(
        deaths > judged,
        "{deaths} deaths in {judged} runs say little"
    );
}
