//! The real program, killed again and again: what it leaves behind is what an undisturbed run leaves.
//!
//! `LEITMOTIF_KILLS` (default 10) says how often each input is disturbed; `scripts/crash` does it 200 times.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use leitmotif::testing::choices::Choices;

const PATTERNS: &str = include_str!("fixtures/killed.motif");

/// Longer than any run of these inputs takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The same for each kill.
const PATIENCE_PER_KILL: Duration = Duration::from_secs(3);

/// How many events there are for each kill, and how many come in a second: more than are read before the last kill.
const EVENTS_PER_KILL: u32 = 30_000;
const EVENTS_PER_SECOND: u32 = 100_000;

fn kills() -> u32 {
    let set = std::env::var("LEITMOTIF_KILLS").ok();
    set.map_or(10, |text| text.parse().expect("a number"))
}

fn start(folder: &Path, source: &str, output: &str, more: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_leitmotif"))
        .current_dir(folder)
        .args(["run", "p.motif", "--delay", "2s", "--source", source])
        .args(["--output", output])
        .args(more)
        .stdin(Stdio::null())
        .stderr(fs::File::create(folder.join("log")).expect("a file"))
        .spawn()
        .expect("the binary is there")
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// All that a reader of the output sees.
fn rows(path: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).expect("text");
    }
    let mut names: Vec<_> = fs::read_dir(path)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "ndjson"))
        .collect();
    names.sort();
    let texts = names
        .iter()
        .map(|path| fs::read_to_string(path).expect("text"));
    texts.collect()
}

#[track_caller]
fn check(output: &str, seed: u64) {
    let source = |more: &str| {
        let events = EVENTS_PER_KILL * kills().max(1);
        format!("Txn=generate:cards?events={events}&seed={seed}{more}")
    };
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("p.motif"), PATTERNS).expect("written");
    let undisturbed = start(
        folder,
        &source(""),
        "undisturbed.ndjson",
        &["--shards", "1"],
    );
    let ended = undisturbed.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", log(folder));
    let wanted = fs::read_to_string(folder.join("undisturbed.ndjson")).expect("rows");
    assert!(wanted.lines().count() > 100, "few rows say little");

    let mut choices = Choices::from_seed(seed);
    let mut killed = 0;
    let began = Instant::now();
    // Slower, so that there is something left to disturb; the events are the same.
    let source = source(&format!("&rate={EVENTS_PER_SECOND}"));
    loop {
        assert!(
            began.elapsed() < PATIENCE + PATIENCE_PER_KILL * kills(),
            "no end after {killed} kills: {}",
            log(folder)
        );
        let shards = (1 + choices.below(3)).to_string();
        // With a megabyte all but some thousand states leave memory.
        let memory = ["1GiB", "1MiB"][choices.below(2)];
        let more = [
            "--state-memory",
            memory,
            "--shards",
            &shards,
            "--state",
            "state",
            "--checkpoint",
            "100ms",
        ];
        let mut run = start(folder, &source, output, &more);
        if killed < kills() {
            sleep(Duration::from_millis(50 + choices.below(250) as u64));
            if run.try_wait().expect("it can be asked").is_none() {
                run.kill().expect("it can be killed");
                run.wait().expect("it is dead");
                killed += 1;
                continue;
            }
        }
        let ended = run.wait().expect("it ends");
        assert!(ended.success(), "{}", log(folder));
        break;
    }
    assert_eq!(killed, kills(), "it ended before it was killed so often");
    let left = rows(&folder.join(output));
    if left != wanted {
        let same = left.lines().zip(wanted.lines()).take_while(|(a, b)| a == b);
        panic!(
            "{} rows instead of {} after {killed} kills; the first {} are equal",
            left.lines().count(),
            wanted.lines().count(),
            same.count()
        );
    }
    eprintln!(
        "{output}: {killed} kills in {:.1} s, {} rows as if there had been none",
        began.elapsed().as_secs_f64(),
        wanted.lines().count()
    );
}

#[test]
fn made_up_events_into_a_file() {
    check("out.ndjson", 7);
}

#[test]
fn made_up_events_into_a_folder() {
    check("out/", 8);
}

#[test]
fn a_finished_run_that_is_started_again_adds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("p.motif"), PATTERNS).expect("written");
    let source = "Txn=generate:cards?events=200000&seed=9";
    for _ in 0..2 {
        let run = start(folder, source, "out.ndjson", &["--state", "state"]);
        let ended = run.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{}", log(folder));
    }
    let run = start(folder, source, "once.ndjson", &[]);
    assert!(run.wait_with_output().expect("it ends").status.success());
    assert_eq!(
        rows(&folder.join("out.ndjson")),
        rows(&folder.join("once.ndjson"))
    );
}

#[test]
fn two_runs_do_not_share_a_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("p.motif"), PATTERNS).expect("written");
    let source = "Txn=generate:cards";
    let mut first = start(folder, source, "a.ndjson", &["--state", "state"]);
    let began = Instant::now();
    while !folder.join("state/live").exists() {
        assert!(began.elapsed() < PATIENCE, "it never begins");
        sleep(Duration::from_millis(10));
    }
    let second = start(folder, source, "b.ndjson", &["--state", "state"]);
    let ended = second.wait_with_output().expect("it ends");
    first.kill().expect("it can be killed");
    first.wait().expect("it is dead");
    assert_eq!(ended.status.code(), Some(2));
    assert!(
        log(folder).contains("another run uses it"),
        "{}",
        log(folder)
    );
}

/// A run that ends, with this many checkpoints behind it.
fn finished(folder: &Path, source: &str, more: &[&str]) {
    fs::write(folder.join("p.motif"), PATTERNS).expect("written");
    let run = start(
        folder,
        source,
        "out.ndjson",
        &[&["--state", "state"], more].concat(),
    );
    let ended = run.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{}", log(folder));
}

fn newest(folder: &Path) -> std::path::PathBuf {
    let names = fs::read_dir(folder.join("state")).expect("a folder");
    let names = names.map(|entry| entry.expect("an entry").path());
    let epochs = names.filter(|path| path.join("manifest").exists());
    epochs.max().expect("a checkpoint")
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_the_one_before_it_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let source = "Txn=generate:cards?events=300000&seed=11";
    finished(folder, source, &["--checkpoint", "100ms"]);
    let wanted = rows(&folder.join("out.ndjson"));
    let manifest = newest(folder).join("manifest");
    let mut bytes = fs::read(&manifest).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&manifest, bytes).expect("written");
    // Whatever is to be done with changed patterns: nothing has changed.
    finished(folder, source, &["--on-change", "refuse"]);
    assert!(
        log(folder).contains("the one before it is tried"),
        "{}",
        log(folder)
    );
    assert_eq!(rows(&folder.join("out.ndjson")), wanted);
}

#[test]
fn state_that_changed_patterns_would_lose_is_told_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let source = "Txn=generate:cards?events=100000&seed=12";
    finished(folder, source, &[]);
    let changed = PATTERNS.replace("amount > 800", "amount > 900");
    let changed = changed.replace(
        "having sum(spends.amount) > 900",
        "having max(spends.amount) > 900",
    );
    fs::write(folder.join("p.motif"), &changed).expect("written");
    let more = ["--state", "state", "--on-change", "refuse"];
    let refused = start(folder, source, "out.ndjson", &more);
    let ended = refused.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(2));
    assert!(
        log(folder).contains("pattern `spent` has another structure"),
        "{}",
        log(folder)
    );
    let kept = start(
        folder,
        source,
        "out.ndjson",
        &["--state", "state", "--log", "info"],
    );
    assert!(
        kept.wait_with_output().expect("it ends").status.success(),
        "{}",
        log(folder)
    );
    let told = log(folder);
    assert!(
        told.contains("goes on with its state pattern=probe_then_drain"),
        "{told}"
    );
    assert!(told.contains("pattern=spent"), "{told}");
}
