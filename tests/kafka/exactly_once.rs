//! The real program between topics, killed again and again, at each step of a commit, and with a broker that goes away: a reader of what is committed sees
//! what an undisturbed run gives.
//!
//! `LEITMOTIF_KILLS` (default 5) says how often a run is killed at random.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use leitmotif::Polled;
use leitmotif::source::{Follow, SourceSpec};
use leitmotif::testing::choices::Choices;
use rdkafka::Offset;
use tempfile::TempDir;

use super::broker::{Broker, PATIENCE, Sent, shared, until};

pub const PATTERNS: &str = include_str!("../fixtures/killed.motif");

/// How many events there are: a second or two of work for a build of the tests.
const EVENTS: &str = "generate:cards?events=300000&seed=7";

/// How many partitions they are in.
const PARTITIONS: i32 = 3;

/// How often a checkpoint is made.
const INTERVAL: &str = "150ms";

/// Where a topic's records come from in a test, and what an undisturbed run makes of them.
struct Input {
    topic: String,
    /// By output.
    wanted: [Vec<String>; 3],
}

const OUTPUTS: [&str; 3] = ["hits", "quiet", "much"];

/// A folder with a state, and the topic and files to which its runs write.
struct Place<'a> {
    broker: &'a Broker,
    folder: TempDir,
    input: &'a Input,
    hits: String,
    /// The output whose rows go to the topic; `hits` goes to a file if it is another one.
    in_topic: &'static str,
    /// Of the topic.
    options: &'static str,
}

/// Puts made-up events into a topic, the events of a card into one partition. `rate`: how many a second, as an option.
fn fill(broker: &Broker, topic: &str, rate: &str) {
    fill_partitions(broker, topic, PARTITIONS, rate);
}

/// The same with so many partitions.
pub fn fill_partitions(broker: &Broker, topic: &str, partitions: i32, rate: &str) {
    let spec = SourceSpec::parse(&format!("{EVENTS}{rate}")).expect("a workload");
    let mut readers = spec.open(1, Follow::No).expect("made up");
    let producer = broker.producer();
    let partition_of = |text: &str| {
        let card = text.split_once("\"card\":\"").expect("a card").1;
        let sum = card.bytes().take_while(|byte| *byte != b'"').map(i32::from);
        sum.sum::<i32>() % partitions
    };
    loop {
        let mut records = Vec::new();
        let polled = readers[0].poll(&mut |record| {
            let text = String::from_utf8(record.bytes.to_vec()).expect("text");
            let card = text.split_once("\"card\":\"").expect("a card").1;
            records.push(Sent {
                partition: partition_of(&text),
                key: card.split('"').next().map(str::to_owned),
                value: Some(text),
                ..Sent::default()
            });
        });
        super::broker::send_with(&producer, topic, &records);
        match polled.expect("made up") {
            Polled::End => break,
            Polled::More => {}
            Polled::Waiting | Polled::Away => sleep(Duration::from_millis(5)),
        }
    }
    super::broker::flush(&producer);
}

/// The events of all tests, at one broker.
fn input(broker: &Broker) -> Input {
    let topic = broker.topic("cards", PARTITIONS);
    fill(broker, &topic, "");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("p.motif"), PATTERNS).expect("written");
    let mut run = Command::new(env!("CARGO_BIN_EXE_leitmotif"));
    run.current_dir(folder.path())
        .args(["run", "p.motif", "--delay", "2s", "--source"])
        .arg(format!("Txn=kafka://{}/{topic}?end=latest", broker.address));
    for output in OUTPUTS {
        run.arg("--output").arg(format!("{output}={output}.ndjson"));
    }
    let done = run.output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let wanted = OUTPUTS.map(|output| lines(&folder.path().join(format!("{output}.ndjson"))));
    for rows in &wanted {
        assert!(rows.len() > 100, "few rows say little");
    }
    Input { topic, wanted }
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Input at the broker of all tests.
fn shared_input(broker: &'static Broker) -> &'static Input {
    static INPUT: OnceLock<Input> = OnceLock::new();
    INPUT.get_or_init(|| input(broker))
}

impl Place<'_> {
    fn new<'a>(broker: &'a Broker, input: &'a Input) -> Place<'a> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("p.motif"), PATTERNS).expect("written");
        Place {
            broker,
            folder,
            input,
            hits: broker.topic("hits", 1),
            in_topic: "hits",
            options: "",
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A run with this state folder: one output to a topic, the others to a file and a folder.
    fn command(&self, state: &str, source_options: &str, more: &[&str]) -> Command {
        let at = &self.broker.address;
        let mut run = Command::new(env!("CARGO_BIN_EXE_leitmotif"));
        let mut appending = fs::File::options();
        let log = appending.create(true).append(true);
        let log = log.open(self.path().join("log")).expect("a file");
        run.current_dir(self.path())
            .args(["run", "p.motif", "--delay", "2s", "--log", "info"])
            .args(["--state", state, "--checkpoint", INTERVAL, "--source"])
            .arg(format!(
                "Txn=kafka://{at}/{}?{source_options}",
                self.input.topic
            ))
            .arg("--output")
            .arg(format!(
                "{}=kafka://{at}/{}{}",
                self.in_topic, self.hits, self.options
            ))
            .args([
                "--output",
                "quiet=quiet.ndjson",
                "--output",
                "much=much/?max=16KiB",
            ])
            .args((self.in_topic != "hits").then_some("--output=hits=hits.ndjson"))
            .args(more)
            .stdin(Stdio::null())
            .stderr(log);
        run
    }

    fn start(&self, more: &[&str]) -> Child {
        let mut run = self.command("state", "end=latest", more);
        run.spawn().expect("the binary is there")
    }

    /// Waits for the end of a run.
    #[track_caller]
    fn end(&self, run: &mut Child) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(ended) = run.try_wait().expect("it can be asked") {
                return ended;
            }
            if began.elapsed() > PATIENCE {
                run.kill().expect("it can be killed");
                panic!("no end within a minute: {}", self.log());
            }
            sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// Runs to the end of the input, and compares what readers see.
    #[track_caller]
    fn ends_as_if_undisturbed(&self) {
        let ended = self.end(&mut self.start(&[]));
        assert!(ended.success(), "{}", self.log());
        let hits = match self.in_topic {
            "hits" => {
                let hits = self.broker.read(&self.hits, "read_committed");
                hits.into_iter().filter_map(|row| row.value).collect()
            }
            _ => lines(&self.path().join("hits.ndjson")),
        };
        let mut much: Vec<PathBuf> = (fs::read_dir(self.path().join("much")).expect("a folder"))
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "ndjson"))
            .collect();
        much.sort();
        let seen = [
            hits,
            lines(&self.path().join("quiet.ndjson")),
            much.iter().flat_map(|path| lines(path)).collect(),
        ];
        for ((output, seen), wanted) in OUTPUTS.iter().zip(&seen).zip(&self.input.wanted) {
            let same = seen.iter().zip(wanted).take_while(|(a, b)| a == b).count();
            assert!(
                seen == wanted,
                "{output}: {} rows instead of {}; the first {same} are equal\n{}",
                seen.len(),
                wanted.len(),
                self.log()
            );
        }
    }

    /// The newest checkpoint, and whether it is committed.
    fn newest(&self) -> Option<(PathBuf, bool)> {
        let entries = fs::read_dir(self.path().join("state")).ok()?;
        let epochs = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.join("manifest").exists() || path.join("manifest.prepared").exists()
            });
        let newest = epochs.max()?;
        let committed = newest.join("manifest").exists();
        Some((newest, committed))
    }

    /// Lets a run that does not end by itself go on until it has committed so many checkpoints.
    #[track_caller]
    fn run_for(&self, checkpoints: usize) -> Child {
        let mut run = self.command("state", "", &["--restart", "none"]);
        let mut run = run.spawn().expect("the binary is there");
        let mut seen: Vec<PathBuf> = Vec::new();
        until("checkpoints are made", || {
            assert!(run.try_wait().expect("asked").is_none(), "{}", self.log());
            if let Some((newest, true)) = self.newest()
                && seen.last() != Some(&newest)
            {
                seen.push(newest);
            }
            seen.len() > checkpoints
        });
        run
    }
}

pub fn signal(run: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), run.id().to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

pub fn kill(mut run: Child) {
    run.kill().expect("it can be killed");
    run.wait().expect("it is dead");
}

#[test]
fn a_run_that_is_killed_again_and_again_adds_nothing_and_loses_nothing() {
    let Some(broker) = shared() else { return };
    let kills = std::env::var("LEITMOTIF_KILLS").ok();
    let kills: usize = kills.map_or(5, |text| text.parse().expect("a number"));
    // The same events once more, as they would come from day to day.
    let topic = broker.topic("cards-live", PARTITIONS);
    let input = Input {
        topic: topic.clone(),
        wanted: shared_input(broker).wanted.clone(),
    };
    let rate = format!("&rate={}", 75_000 / kills.max(1));
    let feeding = std::thread::spawn(move || fill(broker, &topic, &rate));
    let place = Place::new(broker, &input);
    let mut choices = Choices::from_seed(3);
    for number in 0..kills {
        let before = place.newest();
        let shards = (1 + choices.below(3)).to_string();
        let mut run = place.command("state", "", &["--shards", &shards]);
        let mut run = run.spawn().expect("the binary is there");
        // Every third one before it has come to anything.
        if number % 3 != 1 {
            until("a checkpoint is made", || {
                assert_eq!(run.try_wait().expect("asked"), None, "{}", place.log());
                place.newest() > before
            });
        }
        sleep(Duration::from_millis(choices.below(200) as u64));
        kill(run);
    }
    feeding.join().expect("all is fed");
    place.ends_as_if_undisturbed();
    let begun = place.log().matches("goes on from a checkpoint").count();
    assert!(begun > 1, "{}", place.log());
}

#[test]
fn what_the_broker_has_committed_counts_though_the_folder_did_not_learn_it() {
    let Some(broker) = shared() else { return };
    let place = Place::new(broker, shared_input(broker));
    kill(place.run_for(2));
    // As if the process had died between the commit of the transaction and the note of it.
    let (newest, committed) = place.newest().expect("a checkpoint");
    if committed {
        let manifest = newest.join("manifest");
        fs::rename(manifest, newest.join("manifest.prepared")).expect("renamed");
    }
    place.ends_as_if_undisturbed();
    assert!(
        place
            .log()
            .contains("a checkpoint that was prepared is committed"),
        "{}",
        place.log()
    );
}

#[test]
fn what_was_prepared_and_not_committed_does_not_count() {
    let Some(broker) = shared() else { return };
    let mut place = Place::new(broker, shared_input(broker));
    // No record is late: so nothing is written in transactions, preparing always works, and committing fails when somebody has taken the id.
    place.in_topic = "late";
    let mut run = place.run_for(2);
    let id = fs::read_to_string(place.path().join("state/id")).expect("an id");
    broker.transactional(&format!("leitmotif-{}", id.trim()));
    assert!(!place.end(&mut run).success());
    let (prepared, committed) = place.newest().expect("a checkpoint");
    assert!(!committed, "{}", place.log());
    place.ends_as_if_undisturbed();
    let log = place.log();
    assert!(
        !log.contains("a checkpoint that was prepared is committed"),
        "{log}"
    );
    let name = prepared.file_name().expect("a name").to_string_lossy();
    let epoch: u64 = name.trim_start_matches("epoch-").parse().expect("a number");
    let before = format!(
        "goes on from a checkpoint checkpoint=state/epoch-{:08}",
        epoch - 1
    );
    assert!(log.contains(&before), "{log}");
}

#[test]
fn a_broker_that_goes_away_and_comes_back_adds_nothing_and_loses_nothing() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let input = input(&broker);
    let place = Place::new(&broker, &input);
    // Both die.
    let run = place.run_for(1);
    broker.kill();
    sleep(Duration::from_millis(300));
    kill(run);
    broker.up();
    // The broker alone, for a moment and for longer than a run waits for an answer when it begins again.
    let mut run = place.command("state", "", &["--restart-delay", "100ms"]);
    let mut run = run.spawn().expect("the binary is there");
    for away in [1, 6] {
        let before = place.newest();
        let goes_on = |run: &mut Child| {
            assert_eq!(run.try_wait().expect("asked"), None, "{}", place.log());
            before < place.newest()
        };
        until("it goes on", || goes_on(&mut run));
        broker.kill();
        sleep(Duration::from_secs(away));
        broker.up();
    }
    let before = place.newest();
    until("it goes on", || before < place.newest());
    kill(run);
    place.ends_as_if_undisturbed();
}

#[test]
fn a_run_ends_soon_when_a_copy_of_its_state_takes_over() {
    let Some(broker) = shared() else { return };
    let place = Place::new(broker, shared_input(broker));
    // Who has committed writes there for sure: before that, two that begin may overtake each other. Halted, it commits nothing that the copy has not.
    let mut first = place.run_for(1);
    signal(&first, "STOP");
    let mut other = Place::new(broker, shared_input(broker));
    let copied = Command::new("cp")
        .args(["-r", "state", "quiet.ndjson", "much"])
        .arg(other.path())
        .current_dir(place.path())
        .status();
    assert!(copied.expect("cp runs").success());
    other.hits.clone_from(&place.hits);
    let second = other.run_for(1);
    signal(&first, "CONT");
    assert!(!place.end(&mut first).success());
    kill(second);
    let log = place.log();
    assert!(
        log.contains("another run with the same state writes here"),
        "{log}"
    );
}

#[test]
fn a_group_learns_with_the_transaction_how_far_its_source_is_read() {
    let Some(broker) = shared() else { return };
    let place = Place::new(broker, shared_input(broker));
    let group = format!("{}-group", place.hits);
    let options = format!("end=latest&group={group}");
    let mut run = place.command("state", &options, &[]);
    let ended = place.end(&mut run.spawn().expect("the binary is there"));
    assert!(ended.success(), "{}", place.log());
    let (newest, _) = place.newest().expect("a checkpoint");
    let name = newest.file_name().expect("a name").to_string_lossy();
    let epoch: u64 = name.trim_start_matches("epoch-").parse().expect("a number");
    for partition in 0..3 {
        let (offset, metadata) = broker.committed(&group, &place.input.topic, partition);
        assert!(matches!(offset, Offset::Offset(1..)), "{offset:?}");
        assert_eq!(metadata, format!("leitmotif 1 epoch {epoch}"));
    }
}

#[test]
fn checkpoints_that_are_rarer_than_transactions_live_are_refused() {
    let Some(broker) = shared() else { return };
    let mut place = Place::new(broker, shared_input(broker));
    place.options = "?kafka.transaction.timeout.ms=200";
    let mut run = place.command("state", "", &[]);
    let refused = place.end(&mut run.spawn().expect("the binary is there"));
    assert_eq!(refused.code(), Some(2));
    let log = place.log();
    assert!(
        log.contains("a checkpoint every 150ms is too seldom for transactions that live for 200ms"),
        "{log}"
    );
}

#[test]
fn a_state_without_its_topic_says_what_is_missing() {
    let Some(broker) = shared() else { return };
    let place = Place::new(broker, shared_input(broker));
    kill(place.run_for(1));
    let (newest, committed) = place.newest().expect("a checkpoint");
    if committed {
        let manifest = newest.join("manifest");
        fs::rename(manifest, newest.join("manifest.prepared")).expect("renamed");
    }
    let mut without = Command::new(env!("CARGO_BIN_EXE_leitmotif"));
    let at = &broker.address;
    let said = without
        .current_dir(place.path())
        .args(["run", "p.motif", "--state", "state", "--source"])
        .arg(format!("Txn=kafka://{at}/{}?end=latest", place.input.topic))
        .args(["--output", "all.ndjson"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("only its outputs"), "{said}");
    assert!(said.contains(&place.hits), "{said}");
    place.ends_as_if_undisturbed();
}
