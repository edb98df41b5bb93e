//! Durable state as those who operate it see it: checkpoints that are listed, keys that are asked for, savepoints, changes told in advance.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const PATTERNS: &str = r#"
event Txn { ts: timestamp time, card: string, kind: string, amount: decimal }

pattern probe_then_drain {
  key card
  match small: Txn where kind == "auth" and amount < 2
   then large: Txn where kind == "auth" and amount > 800 and amount > small.amount
  within 10m
  emit hits { card, small: small.amount, large: large.amount }
}

pattern spent {
  key card
  match spends: Txn+ tumble 1m where kind == "auth"
  having sum(spends.amount) > 900
  emit much { card, amount: sum(spends.amount) }
}

pattern all_told {
  unkeyed
  match every: Txn+ gap 5m
  emit day { count: count(every) }
}
"#;

/// Two small payments by c1, one by c2; the last one waits for the watermark.
const EVENTS: &str = r#"{"ts":1700000000000,"card":"c1","kind":"auth","amount":1.50}
{"ts":1700000001000,"card":"c1","kind":"auth","amount":1.25}
{"ts":1700000002000,"card":"c2","kind":"auth","amount":1.00}
{"ts":1700000003000,"card":"c2","kind":"auth","amount":0.50}
"#;

/// Longer than anything here takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Place(TempDir);

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A run that is ended when the test is.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Run {
    /// As Ctrl-C does.
    fn stop(mut self) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.expect("there is kill").success());
        self.0.wait().expect("it ends");
    }
}

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a folder"));
        place.write("p.motif", PATTERNS);
        place.write("t.ndjson", EVENTS);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("readable")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leitmotif"));
        command.current_dir(self.0.path());
        command.args(line.split_whitespace());
        command
    }

    fn call(&self, line: &str) -> Ended {
        let output = self.command(line).output().expect("started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    #[track_caller]
    fn fine(&self, line: &str) -> String {
        let ended = self.call(line);
        assert_eq!(ended.code, Some(0), "{line}: {}", ended.err);
        ended.out
    }

    #[track_caller]
    fn refused(&self, line: &str) -> String {
        let ended = self.call(line);
        assert_eq!(ended.code, Some(2), "{line}: {}", ended.out);
        ended.err
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.fine(line)).expect("JSON")
    }

    /// A run that waits for more in its files, once it has made its first checkpoints.
    fn following(&self, more: &str) -> Run {
        let line = format!(
            "run p.motif --source Txn=t.ndjson --follow --output out.ndjson --state state --checkpoint 100ms --shards 2 {more}"
        );
        let run = self.command(&line).stderr(Stdio::null()).spawn();
        let run = Run(run.expect("started"));
        self.until("state", 2);
        run
    }

    /// Waits for so many checkpoints.
    fn until(&self, state: &str, epoch: u64) {
        let began = Instant::now();
        while self.newest(state) < epoch {
            assert!(began.elapsed() < PATIENCE, "no checkpoint {epoch}");
            sleep(Duration::from_millis(10));
        }
    }

    fn newest(&self, state: &str) -> u64 {
        let names = fs::read_dir(self.path(state)).into_iter().flatten();
        let names = names
            .flatten()
            .filter(|entry| entry.path().join("manifest").exists());
        let numbers = names.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_prefix("epoch-")?.parse().ok()
        });
        numbers.max().unwrap_or(0)
    }
}

/// Everything below a folder, with when it changed.
fn everything(folder: &Path, out: &mut Vec<(PathBuf, std::time::SystemTime)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let changed = fs::metadata(&path).and_then(|found| found.modified());
        out.push((path.clone(), changed.expect("a time")));
        if path.is_dir() {
            everything(&path, out);
        }
    }
    out.sort();
}

#[test]
fn checkpoints_are_listed_with_all_they_say_and_nothing_is_changed() {
    let place = Place::new();
    place.following("").stop();
    let mut before = Vec::new();
    everything(&place.path("state"), &mut before);
    let listed = place.json("state state --format json");
    let entries = listed["checkpoints"].as_array().expect("a list");
    assert_eq!(entries.len(), 3, "{listed}");
    let newest = &entries[0];
    assert_eq!(newest["condition"], "complete");
    assert_eq!(newest["kind"], "checkpoint");
    assert_eq!(newest["epoch"], place.newest("state"));
    assert_eq!(newest["event_time_ms"], 1_700_000_003_000_i64);
    assert_eq!(newest["shards"], 2);
    let names = serde_json::json!(["probe_then_drain", "spent", "all_told"]);
    assert_eq!(newest["patterns"], names);
    // Four lines were read; the next is the fifth.
    assert_eq!(newest["sources"][0]["partitions"][0]["offset"], 5);
    assert!(newest["bytes"].as_u64() > Some(0));
    let text = place.fine("state state --verify");
    assert_eq!(text.matches("complete").count(), 3, "{text}");
    assert!(text.contains("goes on at 5"), "{text}");
    place.fine("state state p.motif --key c1");
    let mut after = Vec::new();
    everything(&place.path("state"), &mut after);
    assert_eq!(before, after);
}

#[test]
fn live_runs_are_counted_by_pattern_and_step_also_beside_a_running_engine() {
    let place = Place::new();
    let run = place.following("");
    let began = Instant::now();
    loop {
        let told = place.json("state state p.motif --format json");
        let patterns = told["patterns"].as_array().expect("a list");
        // The first checkpoints may be older than the events.
        if patterns[0]["live"] == 3 {
            assert_eq!(patterns[0]["keys"], 2);
            let steps =
                serde_json::json!([{"step": "small", "count": 3}, {"step": "large", "count": 0}]);
            assert_eq!(patterns[0]["steps"], steps);
            assert_eq!(
                patterns[1]["steps"],
                serde_json::json!([{"step": "window", "count": 2}])
            );
            assert_eq!(patterns[2]["live"], 1);
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{told}");
    }
    run.stop();
}

#[test]
fn a_key_tells_what_it_waits_for_and_until_when() {
    let place = Place::new();
    place.following("").stop();
    let told = place.json("state state p.motif --pattern probe_then_drain --key c1 --format json");
    let live = &told["patterns"][0]["live"];
    assert_eq!(live.as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!(live[0]["at"], "small");
    assert_eq!(live[0]["from_ms"], 1_700_000_000_000_i64);
    assert_eq!(live[0]["waits"][0]["step"], "large");
    assert_eq!(live[0]["waits"][0]["until_ms"], 1_700_000_600_000_i64);
    assert_eq!(live[0]["kept"][0]["name"], "small.amount");
    let text = place.fine("state state p.motif --key c1");
    assert!(text.contains("small.amount = 1.50"), "{text}");
    assert!(
        text.contains("waits for `large` until 2023-11-14T22:23:20Z"),
        "{text}"
    );
    assert!(text.contains("sum(spends.amount) = 2.75"), "{text}");
    let waiting = place.json("state state p.motif --pattern spent --key c2 --format json");
    let waiting = &waiting["patterns"][0]["waiting"];
    assert_eq!(waiting[0]["time_ms"], 1_700_000_003_000_i64, "{waiting}");
    let unkeyed = place.fine("state state p.motif --pattern all_told");
    assert!(unkeyed.contains("all_told: 1 live"), "{unkeyed}");
    let none = place.fine("state state p.motif --key c9");
    assert_eq!(none.matches("no state").count(), 2, "{none}");
}

#[test]
fn what_cannot_be_looked_at_is_told_with_the_way_out() {
    let place = Place::new();
    place.following("").stop();
    place.write(
        "other.motif",
        "event Door { at: timestamp time, id: int } pattern twice { key id match a: Door then b: Door within 1m emit knock { id } }",
    );
    let check = |line: &str, wanted: &str| {
        let told = place.refused(line);
        assert!(told.contains(wanted), "{line}: {told}");
    };
    check("state nowhere", "there is no such folder");
    check("state t.ndjson", "is a file");
    check("state .", "holds no checkpoint");
    check("state state --checkpoint 9999", "there is ");
    check(
        "state state other.motif",
        "belongs to other patterns: probe_then_drain, spent, all_told",
    );
    check(
        "state state other.motif --key x",
        "key \"x\" is no int, as `id` of pattern `twice` is",
    );
    check(
        "state state p.motif --key a --key b",
        "has a key of 1 (card: string), not of 2",
    );
    check(
        "state state p.motif --pattern all_told --key a",
        "has no key",
    );
    check(
        "state state p.motif --pattern spend",
        "did you mean \"spent\"?",
    );
}

#[test]
fn damage_is_seen_and_the_newest_whole_checkpoint_is_looked_at() {
    let place = Place::new();
    place.following("").stop();
    let newest = place.newest("state");
    let manifest = place.path(&format!("state/epoch-{newest:08}/manifest"));
    let mut bytes = fs::read(&manifest).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&manifest, bytes).expect("written");
    let listed = place.fine("state state");
    assert!(listed.contains("damaged: "), "{listed}");
    assert!(
        listed.contains(&format!("checkpoint {}", newest - 1)),
        "{listed}"
    );
    let told = place.json("state state p.motif --format json");
    assert_eq!(told["epoch"], newest - 1);
    let refused = place.refused(&format!("state state p.motif --checkpoint {newest}"));
    assert!(refused.contains("damaged"), "{refused}");
}

/// The same with another threshold, another aggregate, one pattern gone and one more.
fn changed() -> String {
    let changed = PATTERNS.replace("amount > 800", "amount > 700");
    let changed = changed.replace("having sum(spends.amount)", "having max(spends.amount)");
    let (kept, _) = changed
        .split_once("pattern all_told")
        .expect("it is the last");
    format!(
        "{kept}\npattern twice {{ key card match a: Txn then b: Txn within 1m emit two {{ card }} }}\n"
    )
}

#[test]
fn a_change_of_patterns_is_told_in_advance_with_what_would_be_lost() {
    let place = Place::new();
    place.write("new.motif", &changed());
    let same = place.call("diff p.motif p.motif");
    assert_eq!(same.code, Some(0), "{}", same.err);
    assert_eq!(same.out.matches("kept\n").count(), 3, "{}", same.out);
    let told = place.call("diff p.motif new.motif");
    assert_eq!(told.code, Some(1), "{}", told.err);
    let wanted = "\
all_told          dropped: there is no such pattern any more
probe_then_drain  kept: says something else, so its matches get other ids
spent             restarted: what its conditions and outputs read of steps changed
twice             new: begins without state
";
    assert_eq!(told.out, wanted);
    assert!(
        place
            .refused("diff new.motif")
            .contains("nothing to compare with")
    );

    place.following("").stop();
    let told = place.call("diff new.motif --state state");
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(
        told.out.contains("any more; 1 partial match is lost"),
        "{}",
        told.out
    );
    assert!(
        told.out.contains("its state; 2 partial matches are lost"),
        "{}",
        told.out
    );
    let told = place.call("diff p.motif new.motif --state state --format json");
    let told: Value = serde_json::from_str(&told.out).expect("JSON");
    assert_eq!(told[2]["pattern"], "spent");
    assert_eq!(told[2]["change"], "restarted");
    assert_eq!(told[2]["lost"], 2);
    assert_eq!(told[1]["reworded"], true);
    // Nothing lives that would be lost: a pattern may restart.
    let quiet = PATTERNS.replace("then large", "next large");
    place.write("quiet.motif", &quiet);
    let told = place.call("diff quiet.motif --state state");
    assert_eq!(told.code, Some(1), "{}", told.out);
    place.write("t.ndjson", "");
    fs::remove_dir_all(place.path("state")).expect("removed");
    place.following("").stop();
    let told = place.call("diff quiet.motif --state state");
    assert_eq!(told.code, Some(0), "{} {}", told.out, told.err);
    assert!(told.out.contains("restarted"), "{}", told.out);
}

/// An endless feed, with more cards than fit a page.
const ENDLESS: &str =
    "--source Txn=generate:cards?keys=500&seed=3&rate=20000&events=400000 --delay 2s";

#[test]
fn a_savepoint_is_made_of_a_running_engine_and_outlives_all_its_checkpoints() {
    let place = Place::new();
    // No checkpoint is due for an hour: the one that is waited for is made because it is wanted.
    let line = format!(
        "run p.motif {ENDLESS} --output out.ndjson --state state --checkpoint 1h --checkpoint-keep 1"
    );
    let run = Run(place
        .command(&line)
        .stderr(Stdio::null())
        .spawn()
        .expect("started"));
    let began = Instant::now();
    let out = loop {
        let ended = place.call("savepoint state --to first");
        if ended.code == Some(0) {
            break ended.out;
        }
        assert!(began.elapsed() < PATIENCE, "it never begins: {}", ended.err);
        sleep(Duration::from_millis(10));
    };
    assert_eq!(out, "state/savepoints/first\n");
    let second = place.fine("savepoint state");
    assert_eq!(second, "state/savepoints/epoch-00000002\n");
    run.stop();
    let listed = place.json("state state --format json");
    let of_kind = |kind: &str| {
        let entries = listed["checkpoints"].as_array().expect("a list");
        let entries = entries.iter().filter(|entry| entry["kind"] == kind);
        entries
            .map(|entry| entry["epoch"].as_u64().expect("a number"))
            .collect::<Vec<u64>>()
    };
    assert_eq!(of_kind("checkpoint"), [3]);
    assert_eq!(of_kind("savepoint"), [2, 1]);
    assert!(
        place
            .refused("savepoint state --to first")
            .contains("is there already")
    );
    let wanted = fs::read_dir(place.path("state"))
        .expect("a folder")
        .flatten();
    let left = wanted.filter(|entry| entry.file_name().to_string_lossy().starts_with("wanted"));
    assert_eq!(left.count(), 0, "a request is left");
}

#[test]
fn a_run_goes_on_from_a_savepoint_on_any_number_of_shards_as_if_never_stopped() {
    let place = Place::new();
    let source = "--source Txn=generate:cards?keys=500&seed=3&rate=60000&events=100000 --delay 2s";
    place.fine(&format!(
        "run p.motif {source} --output whole.ndjson --shards 1"
    ));
    let wanted = place.read("whole.ndjson");
    assert!(wanted.lines().count() > 100, "few rows say little");
    let line = format!(
        "run p.motif {source} --output out.ndjson --state state --checkpoint 100ms --shards 2"
    );
    let run = Run(place
        .command(&line)
        .stderr(Stdio::null())
        .spawn()
        .expect("started"));
    place.until("state", 3);
    let moved = place.path("elsewhere/monday");
    place.fine(&format!("savepoint state --to {}", moved.display()));
    drop(run);
    // It needs nothing of the state folder.
    fs::remove_dir_all(place.path("state")).expect("removed");
    let written = place.read("out.ndjson");
    for shards in [1, 3] {
        place.write("out.ndjson", &written);
        let line = format!(
            "run p.motif {source} --output out.ndjson --state again-{shards} --from {} --shards {shards}",
            moved.display()
        );
        let ended = place.call(&line);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let left = place.read("out.ndjson");
        assert!(
            left == wanted,
            "{} rows, not {}",
            left.lines().count(),
            wanted.lines().count()
        );
    }
}

#[test]
fn a_stopped_run_has_savepoints_too_and_what_is_none_is_not_begun_from() {
    let place = Place::new();
    place.following("").stop();
    let newest = place.newest("state");
    place.fine("savepoint state --to kept");
    let told = place.json("state state p.motif --checkpoint kept --format json");
    assert_eq!(told["epoch"], newest);
    let told = place.json("state state/savepoints/kept p.motif --format json");
    assert_eq!(told["patterns"][0]["live"], 3);
    let run = "run p.motif --source Txn=t.ndjson --output out.ndjson --state new --from";
    // By its name, it is one of the state folder's.
    assert!(
        place
            .refused(&format!("{run} kept"))
            .contains("\"kept\" is none")
    );
    fs::create_dir_all(place.path("new/savepoints")).expect("made");
    fs::rename(
        place.path("state/savepoints/kept"),
        place.path("new/savepoints/kept"),
    )
    .expect("moved");
    place.fine(&format!("{run} kept"));
    // One that was never completed is none.
    let manifest = place.path("new/savepoints/kept/manifest");
    fs::rename(
        &manifest,
        place.path("new/savepoints/kept/manifest.prepared"),
    )
    .expect("renamed");
    let other = run.replace("--state new", "--state other");
    let told = place.refused(&format!("{other} new/savepoints/kept"));
    assert!(told.contains("never completed"), "{told}");
}
