//! Instances of a group: they come, go, die and fall asleep while events flow, and a reader of what is committed sees what one undisturbed run gives.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::broker::{Broker, PATIENCE, shared, until};
use super::exactly_once::{PATTERNS, fill_partitions, kill, signal};

const PARTITIONS: i32 = 6;

/// How long an instance may be silent until it is taken for dead: the least that brokers allow.
const SESSION: &str = "kafka.session.timeout.ms=6000";

/// A group over a topic of its own.
struct Group<'a> {
    broker: &'a Broker,
    folder: TempDir,
    cards: String,
    alerts: String,
    name: String,
    patterns: &'static str,
}

impl Group<'_> {
    fn new(broker: &Broker) -> Group<'_> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("p.motif"), PATTERNS).expect("written");
        let alerts = broker.topic("alerts", 2);
        Group {
            broker,
            folder,
            cards: broker.topic("cards", PARTITIONS),
            name: format!("group-{alerts}"),
            alerts,
            patterns: "p.motif",
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// An instance whose log has this name.
    fn instance(&self, name: &str, options: &str) -> Command {
        let at = &self.broker.address;
        let mut run = Command::new(env!("CARGO_BIN_EXE_leitmotif"));
        let log = fs::File::create(self.path().join(name)).expect("a file");
        let scratch = self.path().join("scratch");
        run.current_dir(self.path())
            .args(["run", self.patterns, "--delay", "2s", "--idle", "off"])
            .args(["--log", "info", "--join", &self.name])
            .args(["--state", "shared", "--checkpoint", "200ms", "--scratch"])
            .arg(scratch)
            .arg("--source")
            .arg(format!(
                "Txn=kafka://{at}/{}?key=card&{SESSION}{options}",
                self.cards
            ))
            .arg("--output")
            .arg(format!("kafka://{at}/{}", self.alerts))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        run
    }

    fn start(&self, name: &str) -> Child {
        let mut run = self.instance(name, "");
        run.spawn().expect("the binary is there")
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    /// How many checkpoints of each partition count.
    fn committed(&self) -> Vec<usize> {
        let of = |partition: i32| {
            let folder = self.path().join("shared").join(partition.to_string());
            let Ok(checkpoints) = fs::read_dir(folder) else {
                return 0;
            };
            let names = checkpoints.filter_map(|entry| {
                let entry = entry.ok()?;
                let counts = entry.path().join("committed").exists();
                let name = entry.file_name().to_string_lossy().into_owned();
                let epoch = name.split_once('-')?.0.parse().ok()?;
                counts.then_some(epoch)
            });
            names.max().unwrap_or(0)
        };
        (0..PARTITIONS).map(of).collect()
    }

    /// Waits until every partition has made checkpoints since.
    #[track_caller]
    fn goes_on(&self, logs: &[&str]) {
        let before = self.committed();
        let later = || {
            let now = self.committed();
            now.iter().zip(&before).all(|(now, before)| now > before)
        };
        let began = Instant::now();
        while !later() {
            if began.elapsed() > PATIENCE {
                let logs: Vec<String> = logs.iter().map(|log| self.log(log)).collect();
                let now = self.committed();
                panic!("{before:?} {now:?}\n{}", logs.join("\n---\n"));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end of an instance.
    #[track_caller]
    fn end(&self, name: &str, run: &mut Child) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(ended) = run.try_wait().expect("it can be asked") {
                return ended;
            }
            if began.elapsed() > 2 * PATIENCE {
                run.kill().expect("it can be killed");
                panic!("{name} does not end: {}", self.log(name));
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// Asks an instance to leave, and waits until it has.
    #[track_caller]
    fn leave(&self, name: &str, mut run: Child) {
        signal(&run, "TERM");
        let ended = self.end(name, &mut run);
        let log = self.log(name);
        assert_eq!(ended.code(), Some(130), "{log}");
        assert!(!log.contains("without a last checkpoint"), "{log}");
    }

    /// Reads what is left, and compares with what one run over the same topic gives.
    #[track_caller]
    fn ends_as_if_undisturbed(&self) {
        let mut last = self.instance("last", "&end=latest");
        let ended = self.end("last", &mut last.spawn().expect("the binary is there"));
        assert!(ended.success(), "{}", self.log("last"));
        let mut alone = Command::new(env!("CARGO_BIN_EXE_leitmotif"));
        let at = &self.broker.address;
        alone
            .current_dir(self.path())
            .args(["run", self.patterns, "--delay", "2s", "--source"])
            .arg(format!("Txn=kafka://{at}/{}?end=latest", self.cards))
            .args(["--output", "undisturbed.ndjson"]);
        let done = alone.output().expect("it runs");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let text = fs::read_to_string(self.path().join("undisturbed.ndjson")).expect("rows");
        let mut wanted: Vec<String> = text.lines().map(str::to_owned).collect();
        let seen = self.broker.read(&self.alerts, "read_committed").into_iter();
        let mut seen: Vec<String> = seen.filter_map(|row| row.value).collect();
        wanted.sort_unstable();
        seen.sort_unstable();
        assert!(wanted.len() > 300, "few rows say little");
        let missing = wanted
            .iter()
            .filter(|row| seen.binary_search(row).is_err())
            .count();
        assert!(
            seen == wanted,
            "{} rows instead of {}, {missing} of them missing",
            seen.len(),
            wanted.len()
        );
        // Nothing is left of those that are gone, however they went.
        let scratch = fs::read_dir(self.path().join("scratch")).expect("a folder");
        assert_eq!(scratch.count(), 0);
    }
}

/// Feeds while `body` goes on: for so many seconds.
fn while_fed(group: &Group<'_>, seconds: u32, body: impl FnOnce()) {
    let rate = format!("&rate={}", 300_000 / seconds);
    thread::scope(|scope| {
        let fed = scope.spawn(|| fill_partitions(group.broker, &group.cards, PARTITIONS, &rate));
        body();
        fed.join().expect("all is fed");
    });
}

#[test]
fn one_of_three_instances_is_killed_and_readers_see_each_alert_once() {
    let Some(broker) = shared() else { return };
    let group = Group::new(broker);
    while_fed(&group, 40, || {
        let first = group.start("first");
        group.goes_on(&["first"]);
        // Partitions are handed on while the others go on.
        let second = group.start("second");
        let third = group.start("third");
        until("all have some", || {
            ["second", "third"].iter().all(|log| {
                group
                    .log(log)
                    .contains("goes on from a checkpoint of the group")
            })
        });
        group.goes_on(&["first", "second", "third"]);
        kill(second);
        group.goes_on(&["first", "third"]);
        // One that keeps its name.
        let mut fourth = group.instance("fourth", "&kafka.group.instance.id=four");
        let fourth = fourth.spawn().expect("the binary is there");
        group.leave("first", first);
        group.goes_on(&["third", "fourth"]);
        // All at once: what they have left is all there is.
        kill(third);
        kill(fourth);
    });
    group.ends_as_if_undisturbed();
}

#[test]
fn an_instance_that_was_taken_for_dead_and_wakes_up_doubles_nothing() {
    let Some(broker) = shared() else { return };
    let group = Group::new(broker);
    while_fed(&group, 30, || {
        let asleep = group.start("asleep");
        group.goes_on(&["asleep"]);
        let awake = group.start("awake");
        until("it has some", || {
            group
                .log("awake")
                .contains("goes on from a checkpoint of the group")
        });
        group.goes_on(&["asleep", "awake"]);
        signal(&asleep, "STOP");
        // The other one has them all, and more than one checkpoint of each.
        group.goes_on(&["asleep", "awake"]);
        group.goes_on(&["asleep", "awake"]);
        signal(&asleep, "CONT");
        until("it has noticed", || {
            group.log("asleep").contains("partitions are lost")
        });
        group.goes_on(&["asleep", "awake"]);
        group.leave("asleep", asleep);
        group.leave("awake", awake);
    });
    group.ends_as_if_undisturbed();
}

#[test]
fn what_cannot_be_shared_is_refused_before_anything_is_read() {
    let Some(broker) = shared() else { return };
    let mut group = Group::new(broker);
    let check = |group: &Group<'_>, options: &str, more: &[&str], wanted: &str| {
        let mut run = group.instance("refused", options);
        run.args(more);
        let ended = group.end("refused", &mut run.spawn().expect("the binary is there"));
        let log = group.log("refused");
        assert_eq!(ended.code(), Some(2), "{log}");
        assert!(log.contains(wanted), "{log}");
    };
    let other = broker.topic("narrow", 2);
    let narrow = format!("Txn=kafka://{}/{other}?key=card", broker.address);
    check(
        &group,
        "",
        &["--source", &narrow],
        "so a key's events lie in different ones",
    );
    check(
        &group,
        "",
        &["--output", "hits=hits.ndjson"],
        "can be written by one process alone",
    );
    check(
        &group,
        "",
        &["--shards", "2"],
        "a thread for each partition",
    );
    // The storage is one group's.
    fill_partitions(broker, &group.cards, PARTITIONS, "");
    let mut last = group.instance("last", "&end=latest");
    let ended = group.end("last", &mut last.spawn().expect("the binary is there"));
    assert!(ended.success(), "{}", group.log("last"));
    group.name += "-too";
    check(&group, "", &[], "its storage is group");
}
