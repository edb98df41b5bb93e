//! Runs that fail and begin again from their last checkpoint: what comes out is what would have come out if nothing had failed.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use leitmotif::config::{Restart, RestartPolicy};
use leitmotif::engine::snapshot::Phase;
use leitmotif::source::Error;
use leitmotif::{
    Builder, Engine, Epoch, ErrorKind, Extent, Input, Polled, Progress, Record, Sink, Source,
    SourcePosition, Supervised, Supervision, sink,
};

const PATTERNS: &str = "event Tick { at: timestamp time, n: int, group: int }
pattern rising { key group match a: Tick then b: Tick where n > a.n within 1m emit pair { group, a: a.n, b: b.n } }
pattern sums { key group match t: Tick+ tumble 10s emit total { group, sum: sum(t.n) } }";

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What goes wrong, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    Fails,
    Panics,
    /// Never comes back.
    Hangs,
}

/// Goes wrong at a few places, once at each.
#[derive(Clone, Default)]
struct Troubles(Arc<Mutex<VecDeque<(u64, Trouble)>>>);

impl Troubles {
    fn at(places: &[(u64, Trouble)]) -> Troubles {
        Troubles(Arc::new(Mutex::new(places.iter().copied().collect())))
    }

    /// What goes wrong here, if anything does.
    fn meet(&self, place: u64) -> Option<Trouble> {
        let mut troubles = self.0.lock().expect("nobody panics with it");
        let due = troubles.front().is_some_and(|(at, _)| place >= *at);
        due.then(|| troubles.pop_front().expect("looked at just now").1)
    }

    fn is_over(&self) -> bool {
        self.0.lock().expect("nobody panics with it").is_empty()
    }
}

/// Counts, from wherever it is told to.
struct Counter {
    next: u64,
    last: u64,
    troubles: Troubles,
}

impl Source for Counter {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        match self.troubles.meet(self.next) {
            Some(Trouble::Fails) => return Err(Error::new("source \"ticks\": the broker is gone")),
            Some(Trouble::Panics) => panic!("a mistake that the test wants"),
            Some(Trouble::Hangs) => loop {
                sleep(PATIENCE);
            },
            None => {}
        }
        if self.next > self.last {
            return Ok(Polled::End);
        }
        let (n, at) = (
            self.next * 7_919 % 1_000,
            1_700_000_000_000 + self.next * 100,
        );
        let line = format!(
            "{{\"at\": {at}, \"n\": {n}, \"group\": {}}}",
            self.next % 10
        );
        take(Record {
            bytes: line.as_bytes(),
            partition: 0,
            offset: self.next,
            arrived: None,
            heads_file: false,
        });
        self.next += 1;
        // So that checkpoints come in between.
        if self.next.is_multiple_of(20) {
            sleep(Duration::from_millis(1));
        }
        Ok(Polled::More)
    }

    fn partitions(&self) -> Vec<u32> {
        vec![0]
    }

    fn extent(&self) -> Extent {
        Extent::Bounded
    }

    fn progress(&self) -> Option<Progress> {
        None
    }

    fn positions(&self) -> Option<Vec<(u32, SourcePosition)>> {
        let position = SourcePosition {
            offset: self.next,
            place: Vec::new(),
        };
        Some(vec![(0, position)])
    }

    fn seek(&mut self, positions: &[(u32, SourcePosition)]) -> Result<(), Error> {
        if let [(_, position)] = positions {
            self.next = position.offset;
        }
        Ok(())
    }
}

/// A file of our own, which fails.
struct Failing {
    inner: Box<dyn Sink>,
    rows: u64,
    troubles: Troubles,
}

impl Sink for Failing {
    fn write(&mut self, rows: &[u8]) -> Result<(), sink::Error> {
        self.rows += rows.iter().filter(|byte| **byte == b'\n').count() as u64;
        match self.troubles.meet(self.rows) {
            Some(Trouble::Fails) => Err(sink::Error::new("output \"rows\": the disk is full")),
            Some(Trouble::Panics) => panic!("a mistake that the test wants"),
            Some(Trouble::Hangs) => loop {
                sleep(PATIENCE);
            },
            None => self.inner.write(rows),
        }
    }

    fn flush(&mut self) -> Result<(), sink::Error> {
        self.inner.flush()
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Vec<u8>, sink::Error> {
        self.inner.prepare(epoch)
    }

    fn commit(&mut self, epoch: Epoch) -> Result<(), sink::Error> {
        self.inner.commit(epoch)
    }

    fn restore(&mut self, prepared: Option<(Epoch, &[u8])>) -> Result<(), sink::Error> {
        self.inner.restore(prepared)
    }

    fn close(&mut self) -> Result<(), sink::Error> {
        self.inner.close()
    }
}

/// A run and all that may go wrong with it.
#[derive(Clone)]
struct Setup {
    folder: PathBuf,
    shards: u16,
    events: u64,
    source: Troubles,
    sink: Troubles,
}

impl Setup {
    fn new(folder: &Path) -> Setup {
        Setup {
            folder: folder.to_owned(),
            shards: 2,
            events: 6_000,
            source: Troubles::default(),
            sink: Troubles::default(),
        }
    }

    fn builder(&self) -> Builder {
        let source = Counter {
            next: 1,
            last: self.events,
            troubles: self.source.clone(),
        };
        let inner = leitmotif::sink::File::create(&self.folder.join("rows")).expect("a file");
        let sink = Failing {
            inner: Box::new(inner),
            rows: 0,
            troubles: self.sink.clone(),
        };
        Engine::builder()
            .patterns_text("tick.motif", PATTERNS)
            .source("ticks", Input::from(source).event_type("Tick"))
            .outputs(sink)
            .shards(self.shards)
            .state(self.folder.join("state"))
            .keeping(|keeping| keeping.every(Duration::from_millis(20)))
    }

    fn start(&self, restart: Restart) -> Supervised {
        let setup = self.clone();
        let supervision = Supervision::new(restart).stuck_after(Duration::from_millis(500));
        supervision
            .start(move || setup.builder())
            .expect("it begins")
    }
}

/// Begins again soon, as often as there is trouble here.
fn soon() -> Restart {
    Restart {
        policy: RestartPolicy::FixedDelay,
        delay: Duration::from_millis(5),
        ..Restart::DEFAULT
    }
}

fn rows(folder: &Path) -> String {
    fs::read_to_string(folder.join("rows")).expect("rows")
}

/// What a run writes with which nothing is wrong.
fn undisturbed() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Setup::new(folder.path()).start(Restart::NEVER);
    running.wait().expect("nothing is wrong");
    rows(folder.path())
}

#[track_caller]
fn check(source: &[(u64, Trouble)], sink: &[(u64, Trouble)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup {
        source: Troubles::at(source),
        sink: Troubles::at(sink),
        ..Setup::new(folder.path())
    };
    let running = setup.start(soon());
    while !running.has_ended() {
        sleep(Duration::from_millis(5));
    }
    let restarts = running.restarts();
    running.wait().unwrap_or_else(|error| panic!("{error}"));
    assert!(
        setup.source.is_over() && setup.sink.is_over(),
        "not all trouble was met"
    );
    // One run may meet two troubles at once.
    let (most, least) = (source.len() + sink.len(), source.len().max(sink.len()));
    assert!((least..=most).contains(&(restarts as usize)), "{restarts}");
    let (left, wanted) = (rows(folder.path()), undisturbed());
    assert!(wanted.lines().count() > 1_000, "few rows say little");
    assert!(
        left == wanted,
        "{} rows, not {}",
        left.lines().count(),
        wanted.lines().count()
    );
}

#[test]
fn a_source_that_fails_a_few_times_changes_no_row() {
    use Trouble::Fails;
    check(
        &[(500, Fails), (501, Fails), (3_000, Fails), (5_900, Fails)],
        &[],
    );
}

#[test]
fn an_output_that_fails_a_few_times_changes_no_row() {
    use Trouble::Fails;
    check(&[], &[(1, Fails), (400, Fails), (900, Fails)]);
}

#[test]
fn a_panic_in_a_shard_or_an_output_changes_no_row() {
    use Trouble::Panics;
    check(&[(1_000, Panics), (4_000, Panics)], &[(200, Panics)]);
}

#[test]
fn a_shard_that_hangs_is_left_to_itself_and_no_row_changes() {
    use Trouble::{Fails, Hangs};
    check(&[(1_000, Hangs), (2_000, Fails), (4_000, Hangs)], &[]);
}

#[test]
fn a_run_that_fails_too_often_gives_up_with_its_last_cause() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup {
        source: Troubles::at(&[(100, Trouble::Fails); 20]),
        ..Setup::new(folder.path())
    };
    let restart = Restart {
        attempts: 3,
        ..soon()
    };
    let error = setup.start(restart).wait().expect_err("it gives up");
    assert_eq!(error.kind(), ErrorKind::GaveUp);
    let told = error.to_string();
    assert_eq!(
        told,
        "gave up after 3 restarts: source \"ticks\": the broker is gone"
    );
    // Four runs have met it, and no more.
    assert_eq!(setup.source.0.lock().expect("unharmed").len(), 16);
}

#[test]
fn what_no_restart_mends_ends_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup {
        source: Troubles::at(&[(3_000, Trouble::Fails)]),
        ..Setup::new(folder.path())
    };
    let made = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&made);
    let state = folder.path().join("state");
    let supervised = Supervision::new(soon()).start(move || {
        // Between two beginnings somebody spoils every checkpoint.
        if counted.fetch_add(1, Ordering::Relaxed) > 0 {
            for entry in fs::read_dir(&state).expect("a folder").flatten() {
                let manifest = entry.path().join("manifest");
                if manifest.exists() {
                    fs::write(manifest, b"spoilt").expect("written");
                }
            }
        }
        setup.builder()
    });
    let error = supervised.expect("it begins").wait().expect_err("spoilt");
    assert_eq!(error.kind(), ErrorKind::State, "{error}");
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

#[test]
fn an_output_that_never_comes_back_is_not_opened_a_second_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup {
        source: Troubles::at(&[(2_000, Trouble::Fails)]),
        sink: Troubles::at(&[(100, Trouble::Hangs)]),
        ..Setup::new(folder.path())
    };
    let error = setup
        .start(soon())
        .wait()
        .expect_err("it cannot begin again");
    assert_eq!(error.kind(), ErrorKind::GaveUp, "{error}");
    assert!(error.to_string().contains("sink-0"), "{error}");
}

#[test]
fn a_run_that_waits_to_begin_again_says_so_and_can_be_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup {
        source: Troubles::at(&[(1_000, Trouble::Fails)]),
        ..Setup::new(folder.path())
    };
    let running = setup.start(Restart {
        delay: PATIENCE * 10,
        ..soon()
    });
    let snapshots = running.snapshots();
    let began = Instant::now();
    while snapshots().phase != Phase::Restarting {
        assert!(began.elapsed() < PATIENCE, "it never fails");
        sleep(Duration::from_millis(5));
    }
    running.stop();
    let error = running.wait().expect_err("it has failed");
    assert_eq!(error.kind(), ErrorKind::Source, "{error}");
    assert!(began.elapsed() < PATIENCE);
}

/// Answers each request with the next of these, then with the last.
fn hook(answers: &'static [&'static str]) -> (u16, Arc<AtomicU64>, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (asked, closed) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (counted, shut) = (Arc::clone(&asked), Arc::clone(&closed));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if shut.load(Ordering::Relaxed) {
                return;
            }
            let number = counted.fetch_add(1, Ordering::Relaxed) as usize;
            answer(stream, answers[number.min(answers.len() - 1)]);
        }
    });
    (port, asked, closed)
}

fn answer(mut stream: TcpStream, status: &str) {
    let mut text = Vec::new();
    let mut part = [0; 4_096];
    while let Ok(count @ 1..) = stream.read(&mut part) {
        text.extend_from_slice(&part[..count]);
        let shown = String::from_utf8_lossy(&text).to_ascii_lowercase();
        let Some((head, body)) = shown.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.trim().parse().expect("a number"));
        if body.len() >= length {
            break;
        }
    }
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
}

const CARDS: &str = "event Txn { ts: timestamp time, card: string, kind: string, amount: decimal }
pattern large { key card match a: Txn where amount > 4000 within 1m emit hits { card, amount: a.amount } }";

struct Ended {
    code: Option<i32>,
    err: String,
}

fn leitmotif(folder: &Path, line: &str) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_leitmotif"))
        .current_dir(folder)
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .expect("started");
    Ended {
        code: output.status.code(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn the_command_begins_again_and_ends_with_70_when_it_fails_too_often() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.motif"), CARDS).expect("written");
    let source = "--source Txn=generate:cards?events=20000&seed=3 --restart fixed-delay --restart-delay 10ms";
    // A refusal is no matter for retries.
    let (port, _, closed) = hook(&["403 Forbidden", "403 Forbidden", "200 OK"]);
    let line = format!(
        "run p.motif {source} --output http://127.0.0.1:{port}/ --state state --summary json"
    );
    let ended = leitmotif(folder.path(), &line);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(
        ended
            .err
            .matches("begins again from its last checkpoint")
            .count(),
        2,
        "{}",
        ended.err
    );
    assert!(ended.err.contains("\"restarts\":2"), "{}", ended.err);
    closed.store(true, Ordering::Relaxed);

    let (port, asked, _) = hook(&["403 Forbidden"]);
    let line = format!(
        "run p.motif {source} --output http://127.0.0.1:{port}/ --state other --restart-attempts 2"
    );
    let ended = leitmotif(folder.path(), &line);
    assert_eq!(ended.code, Some(70), "{}", ended.err);
    assert!(
        ended.err.contains("error: gave up after 2 restarts: "),
        "{}",
        ended.err
    );
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    // Without state, or told not to, it ends with what failed.
    for more in ["", "--state none --restart none"] {
        let line = format!(
            "run p.motif --source Txn=generate:cards?events=20000&seed=3 --output http://127.0.0.1:{port}/ {more}"
        );
        let ended = leitmotif(folder.path(), &line);
        assert_eq!(ended.code, Some(2), "{}", ended.err);
    }
}

#[test]
fn restarts_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.motif"), CARDS).expect("written");
    let check = |line: &str, wanted: &str| {
        let ended = leitmotif(folder.path(), line);
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains(wanted), "{line}: {}", ended.err);
    };
    check(
        "run p.motif --source Txn=generate:cards?events=1 --restart exponential",
        "--restart says how state is kept, and none is; add --state FOLDER",
    );
    check(
        "run p.motif --source Txn=- --state state --restart exponential",
        "standard input cannot be read again",
    );
    check(
        "run p.motif --source Txn=- --state state --restart always",
        "unknown policy \"always\"",
    );
    check(
        "run p.motif --source Txn=- --state state --restart-attempts 0",
        "0 is no number of restarts",
    );
    // What is missing at the very start is no failure that time mends.
    check(
        "run p.motif --source Txn=nowhere.ndjson --state state",
        "nowhere.ndjson",
    );
}
