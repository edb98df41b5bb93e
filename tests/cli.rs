//! The command as its users run it: exit codes, streams, rows, counts and messages.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command as Process, Stdio};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const FRAUD: &str = r#"event Txn { at: timestamp time, card: string, amount: decimal, merchant: string }

param probe_max: decimal = 5.00

pattern probe_then_drain {
  key card
  match probe: Txn where amount < probe_max
    then drain: Txn where amount > 500 and merchant != probe.merchant
  within 10m
  emit fraud { card, spent: drain.amount, waited: drain.at - probe.at }
  timeout watchlist { card, probe: probe.amount }
}

test "probe then drain fires once" {
  given {
    0s Txn { card: "c1", amount: 1.00, merchant: "m1" }
    30s Txn { card: "c1", amount: 900.00, merchant: "m2" }
  }
  expect { 30s fraud { card: "c1", spent: 900.00, waited: 30s } }
}

test "a probe alone goes to the watch list" {
  given { 0s Txn { card: "c1", amount: 1.00, merchant: "m1" } }
  expect { 10m watchlist { card: "c1", probe: 1.00 } }
}
"#;

/// Four seconds; the third record comes late without a delay, the fourth is no event, the fifth is of a type nobody knows.
const EVENTS: &str = r#"{"type":"Txn","at":1700000000000,"card":"c1","amount":1.00,"merchant":"m1"}
{"type":"Txn","at":1700000030000,"card":"c1","amount":900.00,"merchant":"m2"}
{"type":"Txn","at":1700000029000,"card":"c2","amount":3.00,"merchant":"m2"}
{"type":"Txn","at":1700000031000,"card":"c3","amount":"lots","merchant":"m2"}
{"type":"Login","at":1700000032000}
"#;

/// A folder with files, and the command run in it.
struct Place(TempDir);

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Place {
        let place = Place(tempfile::tempdir().expect("a folder"));
        files
            .iter()
            .for_each(|(name, text)| place.write(name, text.as_bytes()));
        place
    }

    fn fraud() -> Place {
        Place::new(&[("fraud.motif", FRAUD), ("events.ndjson", EVENTS)])
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("readable")
    }

    fn run(&self, line: &str) -> Ended {
        self.run_with(line, "")
    }

    #[track_caller]
    fn run_with(&self, line: &str, stdin: &str) -> Ended {
        let mut command = Command::cargo_bin("leitmotif").expect("built");
        let done = command
            .current_dir(self.path())
            .args(line.split(' '))
            .write_stdin(stdin)
            .output()
            .expect("runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ended {
            code: done.status.code().expect("not killed"),
            out: text(done.stdout),
            err: text(done.stderr),
        }
    }
}

impl Ended {
    #[track_caller]
    fn ends(self, code: i32) -> Ended {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Ended {
        assert!(
            self.err.contains(text),
            "{text:?} is not in stderr:\n{}",
            self.err
        );
        self
    }

    /// Exactly one line on stderr, and nothing on stdout.
    #[track_caller]
    fn one_line(self) -> Ended {
        assert_eq!(
            (self.err.lines().count(), self.out.as_str()),
            (1, ""),
            "{}",
            self.err
        );
        self
    }

    #[track_caller]
    fn rows(&self) -> Vec<Value> {
        rows(&self.out)
    }

    /// What `--summary json` wrote.
    #[track_caller]
    fn summary(&self) -> Value {
        serde_json::from_str(self.err.lines().last().expect("a summary")).expect("JSON")
    }
}

#[track_caller]
fn rows(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a row is JSON"))
        .collect()
}

#[test]
fn rows_go_to_stdout_with_their_keys_in_order() {
    let ended = Place::fraud()
        .run("run fraud.motif --source events.ndjson")
        .ends(0);
    let line = ended.out.lines().next().expect("a row");
    let start = r#"{"output":"fraud","pattern":"probe_then_drain","key":"c1","match_id":""#;
    assert!(line.starts_with(start), "{line}");
    let end = r#"","from":1700000000000,"to":1700000030000,"record":{"card":"c1","spent":900.00,"waited":30000}}"#;
    assert!(line.ends_with(end), "{line}");
    assert_eq!(ended.rows().len(), 1);
}

#[test]
fn late_malformed_and_filtered_add_up() {
    let ended = Place::fraud()
        .run("run fraud.motif --source events.ndjson --summary json")
        .ends(0);
    let summary = ended.summary();
    let source = &summary["sources"][0];
    let count = |name: &str| source[name].as_u64().expect("a count");
    assert_eq!(count("read"), 5);
    assert_eq!(
        (
            count("processed"),
            count("late"),
            count("malformed"),
            count("filtered")
        ),
        (2, 1, 1, 1)
    );
    assert_eq!(summary["patterns"][0]["matches"], 1);
    for field in [
        "wall_seconds",
        "cpu_seconds",
        "events_per_second",
        "peak_memory_bytes",
    ] {
        assert!(summary[field].is_number(), "{field} in {summary}");
    }
}

#[test]
fn summary_says_why_and_the_way_out() {
    Place::fraud()
        .run("run fraud.motif --source events.ndjson")
        .ends(0)
        .says("events.ndjson: 5 read = 2 processed + 1 late + 1 malformed + 1 filtered")
        .says("--delay 1s")
        .says("--output late=")
        .says("amount")
        .says("probe_then_drain  1 match");
}

#[test]
fn delay_brings_late_events_back() {
    let place = Place::fraud();
    let ended = place
        .run("run fraud.motif --source events.ndjson --delay 1s --summary json")
        .ends(0);
    assert_eq!(ended.summary()["sources"][0]["late"], 0);
    // And the probe of c2 is now seen, and times out.
    let outputs: Vec<Value> = ended
        .rows()
        .iter()
        .map(|row| row["output"].clone())
        .collect();
    assert_eq!(outputs, ["fraud", "watchlist"]);
}

/// More keys than a shard looks at one by one, and more rows at one instant than it holds back.
#[test]
fn keys_that_are_due_together_give_the_same_rows_on_one_shard_and_two() {
    let keys = 6_000;
    let patterns = [
        "match e: E+ tumble 1m emit out { n: count(e), sum: sum(e.v) }",
        "match e: E+ hop 2m every 1m emit out { n: count(e), last: last(e.v) }",
        "match e: E{2,} gap 10s emit out { n: count(e) } timeout alone { n: count(e) }",
        "match e: E+ gap 45s until E where v == 1 emit out { n: count(e) }",
        "match a: E where v == 0 then b: E where v == 2 within 1m emit out { b: b.v } timeout gone { a: a.v }",
        "match a: E where v == 0 then r: E+ where v >= prev(v, 0) then not E for 10s within 5m emit out { n: count(r) }",
    ];
    let mut events = String::new();
    // Keys come in another order than theirs.
    for at in 0..3 * keys {
        let (key, round) = (at * 7 % keys, at / keys);
        let time = 1_700_000_000_000_i64 + 30_000 * round;
        events += &format!("{{\"t\":{time},\"k\":\"k{key}\",\"v\":{round}}}\n");
    }
    for body in patterns {
        let text = format!(
            "event E {{ t: timestamp time, k: string, v: int }}\npattern p {{ key k {body} }}\n"
        );
        let place = Place::new(&[("p.motif", &text), ("events.ndjson", &events)]);
        let rows = |shards: usize| {
            let out = format!("rows-{shards}");
            let line =
                format!("run p.motif --source E=events.ndjson --shards {shards} --output {out}");
            let ended = place.run(&line);
            assert_eq!(ended.code, 0, "{body}: {}", ended.err);
            place.read(&out)
        };
        let (alone, both) = (rows(1), rows(2));
        assert!(alone.lines().count() >= keys as usize, "{body}");
        assert!(alone == both, "{body}: rows differ");
    }
}

#[test]
fn rejected_records_are_kept_where_they_are_sent() {
    let place = Place::fraud();
    let line = "run fraud.motif --source events.ndjson --output late=l.ndjson --output malformed=m.ndjson --output fraud=f.ndjson";
    let ended = place.run(line).ends(0);
    assert_eq!(ended.out, "", "nothing but `fraud` was emitted");
    assert_eq!(rows(&place.read("f.ndjson")).len(), 1);
    assert_eq!(rows(&place.read("l.ndjson")).len(), 1);
    let malformed = rows(&place.read("m.ndjson"));
    assert_eq!(malformed.len(), 1);
    assert!(malformed[0].to_string().contains("lots"), "{malformed:?}");
}

#[test]
fn unnamed_output_takes_what_no_other_takes() {
    let place = Place::fraud();
    let line = "run fraud.motif --source events.ndjson --delay 1s --output fraud=f.ndjson --output rest.ndjson";
    assert_eq!(place.run(line).ends(0).out, "");
    assert_eq!(rows(&place.read("f.ndjson"))[0]["output"], "fraud");
    assert_eq!(rows(&place.read("rest.ndjson"))[0]["output"], "watchlist");
}

#[test]
fn unknown_names_come_with_the_nearest_known() {
    let place = Place::fraud();
    place
        .run("run fraud.motif --source events.ndjson --output farud=x")
        .ends(2)
        .one_line()
        .says("did you mean \"fraud\"");
    place
        .run("run fraud.motif --source Tnx=events.ndjson")
        .ends(2)
        .one_line()
        .says("did you mean \"Txn\"");
    place
        .run("explain fraud.motif --pattern probe_then_drian")
        .ends(2)
        .one_line()
        .says("did you mean \"probe_then_drain\"");
    assert!(
        !place.path().join("x").exists(),
        "no file is made for a mistake"
    );
}

#[test]
fn input_is_read_however_it_is_packed() {
    let place = Place::fraud();
    let plain = place
        .run("run fraud.motif --source events.ndjson")
        .ends(0)
        .out;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(EVENTS.as_bytes()).expect("packed");
    place.write("events.ndjson.gz", &gzip.finish().expect("packed"));
    place.write(
        "events.ndjson.zst",
        &zstd::encode_all(EVENTS.as_bytes(), 1).expect("packed"),
    );
    assert_eq!(
        place
            .run("run fraud.motif --source events.ndjson.gz")
            .ends(0)
            .out,
        plain
    );
    assert_eq!(
        place
            .run("run fraud.motif --source events.ndjson.zst")
            .ends(0)
            .out,
        plain
    );
    assert_eq!(
        place
            .run_with("run fraud.motif --source -", EVENTS)
            .ends(0)
            .out,
        plain
    );
    assert_eq!(
        place.run_with("run fraud.motif", EVENTS).ends(0).out,
        plain,
        "stdin is the default"
    );
    assert!(!plain.is_empty());
}

#[test]
fn csv_and_rfc_3339_give_the_same_match() {
    let place = Place::fraud();
    place.write(
        "events.csv",
        b"card,at,amount,merchant,note\nc1,2023-11-14T22:13:20Z,1.00,m1,\"a, b\"\nc1,2023-11-14T22:13:50Z,900.00,m2,\n",
    );
    let ended = place.run("run fraud.motif --source Txn=events.csv").ends(0);
    let row = &ended.rows()[0];
    assert_eq!(
        (&row["from"], &row["to"]),
        (
            &Value::from(1_700_000_000_000_i64),
            &Value::from(1_700_000_030_000_i64)
        )
    );
}

#[test]
fn params_are_overridden() {
    let place = Place::fraud();
    let ended = place
        .run("run fraud.motif --source events.ndjson --param probe_max=0.50")
        .ends(0);
    assert_eq!(ended.out, "");
    place
        .run("run fraud.motif --source events.ndjson --param nope=1")
        .ends(1)
        .says("nope");
}

#[test]
fn tables_are_read_from_files() {
    let patterns = r#"event Txn { at: timestamp time, card: string, merchant: string }
table Merchant { name: string, risk: int } key name
pattern risky {
  key card
  match t: Txn where Merchant[merchant].risk > 5
  within 1m
  emit risk { card, merchant: t.merchant }
}
"#;
    let place = Place::new(&[
        ("risk.motif", patterns),
        ("events.ndjson", EVENTS),
        ("m.csv", "name,risk\nm1,9\nm2,1\n"),
    ]);
    let ended = place
        .run("run risk.motif --source events.ndjson --table Merchant=m.csv")
        .ends(0);
    let merchants: Vec<Value> = ended
        .rows()
        .iter()
        .map(|row| row["record"]["merchant"].clone())
        .collect();
    assert_eq!(merchants, ["m1"]);
    place
        .run("run risk.motif --source events.ndjson --table Merchants=m.csv")
        .ends(2)
        .one_line()
        .says("did you mean \"Merchant\"");
    place
        .run("run risk.motif --source events.ndjson")
        .ends(2)
        .one_line()
        .says("--table Merchant=");
}

#[test]
fn pretty_rows_are_one_line_for_people() {
    let ended = Place::fraud()
        .run("run fraud.motif --source events.ndjson --pretty")
        .ends(0);
    assert_eq!(
        ended.out,
        "2023-11-14T22:13:50Z      fraud      c1  spent 900.00, waited 30s\n"
    );
}

#[test]
fn closed_pipe_ends_quietly() {
    let place = Place::fraud();
    let mut many = String::new();
    for number in 0..20_000 {
        let at = 1_700_000_000_000_i64 + number * 2_000;
        many.push_str(&format!(
            "{{\"type\":\"Txn\",\"at\":{at},\"card\":\"c\",\"amount\":1.0,\"merchant\":\"a\"}}\n"
        ));
        many.push_str(&format!(
            "{{\"type\":\"Txn\",\"at\":{},\"card\":\"c\",\"amount\":900.0,\"merchant\":\"b\"}}\n",
            at + 1_000
        ));
    }
    place.write("many.ndjson", many.as_bytes());
    let mut child = Process::new(assert_cmd::cargo::cargo_bin("leitmotif"))
        .current_dir(place.path())
        .args(["run", "fraud.motif", "--source", "many.ndjson"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("ended");
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{err}");
    assert!(!err.contains("panicked") && !err.contains("error"), "{err}");
}

#[cfg(unix)]
#[test]
fn interrupt_ends_with_a_summary_and_130() {
    let place = Place::fraud();
    let mut child = Process::new(assert_cmd::cargo::cargo_bin("leitmotif"))
        .current_dir(place.path())
        .args(["run", "fraud.motif", "--source", "-", "--summary", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(EVENTS.as_bytes()).expect("written");
    stdin.flush().expect("written");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let killed = Process::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(killed.success());
    // Nothing more comes, and the pipe stays open: it must not wait for either.
    let ended = child.wait_with_output().expect("ended");
    drop(stdin);
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{err}");
    let summary: Value =
        serde_json::from_str(err.lines().last().expect("a summary")).expect("JSON");
    assert_eq!(summary["interrupted"], true);
}

#[test]
fn check_reports_all_mistakes_with_codes() {
    let wrong = FRAUD
        .replace("merchant != probe.merchant", "mercant != probe.merchant")
        .replace("  within 10m\n", "");
    let place = Place::new(&[("wrong.motif", &wrong), ("fraud.motif", FRAUD)]);
    let ended = place
        .run("check wrong.motif")
        .ends(1)
        .says("error[E")
        .says("mercant")
        .says("wrong.motif:");
    assert_eq!(ended.out, "");
    place
        .run("check fraud.motif")
        .ends(0)
        .says("1 pattern in 1 file: no mistakes");
    let json = place.run("check --format json wrong.motif").ends(1);
    let found: Value = serde_json::from_str(&json.out).expect("JSON");
    assert!(
        found.as_array().is_some_and(|found| found.len() >= 2),
        "{found}"
    );
    assert_eq!(found[0]["severity"], "error");
    assert!(found[0]["line"].as_u64().expect("a line") > 1);
    let annotations = place.run("check --format github wrong.motif").ends(1).out;
    assert!(
        annotations.starts_with("::error file=wrong.motif,line="),
        "{annotations}"
    );
}

#[test]
fn run_refuses_patterns_with_mistakes() {
    let place = Place::new(&[("wrong.motif", "pattern p {\n"), ("events.ndjson", EVENTS)]);
    place
        .run("run wrong.motif --source events.ndjson --output o.ndjson")
        .ends(1)
        .says("error[E");
    assert!(!place.path().join("o.ndjson").exists(), "no output is made");
}

#[test]
fn fmt_lays_out_once() {
    let place = Place::new(&[("a.motif", &FRAUD.replace("  key card", "      key   card"))]);
    assert_eq!(place.run("fmt --check a.motif").ends(1).out, "a.motif\n");
    assert!(
        place
            .run("fmt --diff a.motif")
            .ends(1)
            .out
            .contains("-      key   card\n+  key card\n")
    );
    place.run("fmt a.motif").ends(0).says("laid out a.motif");
    place.run("fmt --check a.motif").ends(0);
    let laid_out = place.read("a.motif");
    assert_eq!(place.run_with("fmt -", &laid_out).ends(0).out, laid_out);
    place.run_with("fmt -", "pattern {").ends(1).says("error[E");
}

#[test]
fn test_counts_and_shows_what_differs() {
    let place = Place::fraud();
    let ended = place.run("test fraud.motif").ends(0);
    assert_eq!(ended.out.lines().last(), Some("2 passed, 0 failed"));
    place.write(
        "fraud.motif",
        FRAUD
            .replace(
                "30s fraud { card: \"c1\", spent: 900.00",
                "30s fraud { card: \"c1\", spent: 901.00",
            )
            .as_bytes(),
    );
    let ended = place.run("test fraud.motif --junit r.xml").ends(1);
    assert_eq!(ended.out.lines().last(), Some("1 passed, 1 failed"));
    assert!(
        ended.out.contains("901.00    900.00  <- differs"),
        "{}",
        ended.out
    );
    assert!(place.read("r.xml").contains("tests=\"2\" failures=\"1\""));
    let ended = place.run("test fraud.motif --filter alone").ends(0);
    assert_eq!(ended.out.lines().last(), Some("1 passed, 0 failed"));
}

#[test]
fn outputs_without_a_test_are_named() {
    let without = FRAUD
        .split("test \"a probe alone")
        .next()
        .expect("text before");
    let place = Place::new(&[("fraud.motif", without)]);
    place
        .run("test fraud.motif")
        .ends(0)
        .says("no test makes pattern `probe_then_drain` emit `watchlist`");
}

#[test]
fn explain_tells_of_patterns_and_codes() {
    let place = Place::fraud();
    let text = place.run("explain fraud.motif").ends(0).out;
    for part in [
        "pattern probe_then_drain",
        "card: string",
        "within",
        "probe -> drain",
        "probe.merchant",
        "1000 partial matches per key",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(
        place
            .run("explain fraud.motif --format dot")
            .ends(0)
            .out
            .starts_with("digraph")
    );
    assert!(
        place
            .run("explain fraud.motif --format mermaid")
            .ends(0)
            .out
            .starts_with("flowchart LR")
    );
    let json: Value =
        serde_json::from_str(&place.run("explain fraud.motif --format json").ends(0).out)
            .expect("JSON");
    assert_eq!(json[0]["name"], "probe_then_drain");
    assert!(place.run("explain E107").ends(0).out.contains("E107"));
    place
        .run("explain E999")
        .ends(2)
        .one_line()
        .says("no code E999");
}

#[test]
fn what_keeps_a_command_from_working_is_one_line() {
    let place = Place::fraud();
    fs::create_dir(place.path().join("empty")).expect("made");
    place.write("latin.motif", b"# caf\xe9\n");
    place
        .run("check nope.motif")
        .ends(2)
        .one_line()
        .says("\"nope.motif\" does not exist");
    place
        .run("check empty")
        .ends(2)
        .one_line()
        .says("holds no .motif file");
    place
        .run("check latin.motif")
        .ends(2)
        .one_line()
        .says("not UTF-8 text at line 1");
    place
        .run("run fraud.motif --source nope.ndjson")
        .ends(2)
        .one_line()
        .says("nope.ndjson");
    place
        .run("run fraud.motif --source events.parquet")
        .ends(2)
        .one_line()
        .says(".ndjson");
    place
        .run("run fraud.motif --source events.ndjson --output no/such/folder/o")
        .ends(2)
        .one_line()
        .says("no/such/folder");
    place
        .run("run fraud.motif --source events.ndjson --output events.ndjson")
        .ends(2)
        .one_line()
        .says("events.ndjson");
    place
        .run("run fraud.motif --delay 5min")
        .ends(2)
        .says("1h30m");
    place
        .run("run fraud.motif --checkpoint 10s")
        .ends(2)
        .says("--checkpoint");
    assert_eq!(place.read("events.ndjson"), EVENTS);
}

#[test]
fn folders_stand_for_the_files_in_them() {
    let place = Place::new(&[("p/a/fraud.motif", FRAUD)]);
    for folder in ["p", "p/...", "./..."] {
        place
            .run(&format!("check {folder}"))
            .ends(0)
            .says("1 pattern in 1 file");
    }
}

#[test]
fn explain_prints_conditions_as_they_were_written() {
    let conditions = [
        "(a > 1 or b > 1) and not (a == b or b == 2)",
        "a - (b - 1) > 2 * (a + b)",
        "a ?? b == 1 and name in [\"x\", \"y\"]",
        "-a < 1 and lower(name) != \"z\" and matches(name, \"^x+$\")",
    ];
    for condition in conditions {
        let text = format!(
            "event E {{ at: timestamp time, k: string, a: int?, b: int, name: string }}\n\
             pattern p {{ key k match e: E where {condition} within 1m emit o {{ k, n: e.a }} }}\n"
        );
        let place = Place::new(&[("p.motif", &text)]);
        let ended = place.run("explain p.motif --format json").ends(0);
        let facts: Value = serde_json::from_str(&ended.out).expect("JSON");
        assert_eq!(facts[0]["steps"][0]["where"], *condition);
    }
}

#[test]
fn graphs_hold_every_way_on() {
    let place = Place::fraud();
    let dot = place.run("explain fraud.motif --format dot").ends(0).out;
    for edge in ["p0_start -> p0_1", "p0_1 -> p0_2", "p0_2 -> p0_end"] {
        assert!(dot.contains(edge), "{edge} is not in:\n{dot}");
    }
    let mermaid = place
        .run("explain fraud.motif --format mermaid")
        .ends(0)
        .out;
    for line in [
        "p0_1[\"probe: Txn<br>where amount #lt; 5.00\"]",
        "p0_1 -->|\"skips events that do not fit 'drain'\"| p0_2",
    ] {
        assert!(mermaid.contains(line), "{line} is not in:\n{mermaid}");
    }
}

#[test]
fn samples_show_what_contiguity_means() {
    let text = "event E { at: timestamp time, k: string, kind: string }
pattern p {
  key k
  match a: E where kind == \"a\"
    next b: E where kind == \"b\"
    then not E where kind == \"x\"
    then c: E where kind == \"c\"
  within 1m
  emit o { k }
}
";
    let place = Place::new(&[("p.motif", text)]);
    let ended = place.run("explain p.motif --format json").ends(0);
    let facts: Value = serde_json::from_str(&ended.out).expect("JSON");
    let samples = facts[0]["samples"].as_array().expect("samples");
    let shown: Vec<(String, bool)> = samples
        .iter()
        .map(|sample| {
            let stream = sample["stream"].as_array().expect("a stream");
            let names: Vec<&str> = stream.iter().filter_map(Value::as_str).collect();
            (names.join(" "), sample["matches"] == true)
        })
        .collect();
    let expected = [("a b c", true), ("a … b c", false), ("a b E c", false)];
    let expected = expected.map(|(stream, matches)| (stream.to_owned(), matches));
    assert_eq!(shown, expected);
}

#[test]
fn readme_shows_what_happens() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("README.md");
    let mut lines = readme
        .lines()
        .skip_while(|line| !line.starts_with("$ leitmotif run"));
    let line = lines
        .next()
        .expect("an example")
        .trim_start_matches("$ leitmotif ");
    let place = Place::new(&[]);
    for folder in ["patterns", "examples"] {
        std::os::unix::fs::symlink(root.join(folder), place.path().join(folder)).expect("linked");
    }
    let ended = place.run(line).ends(0);
    assert_eq!(ended.out.trim_end(), lines.next().expect("a row"));
    for shown in lines.take(2) {
        assert!(
            ended.err.contains(shown),
            "{shown} is not in:\n{}",
            ended.err
        );
    }
}
