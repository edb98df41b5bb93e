//! A run as those who operate it see it: its configuration, its log, its metrics and its health.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use tempfile::TempDir;

const DOOR: &str = r#"event Door { at: timestamp time, id: string }
param least: int = 2
pattern twice { key id match a: Door then b: Door within 1m emit knock { id, n: least } }
"#;

const KNOCKS: &str = r#"{"kind":"Door","at":1700000002000,"id":"d1"}
{"kind":"Door","at":1700000001000,"id":"d1"}
"#;

/// Says everything that the run needs.
const CONFIG: &str = r#"patterns = ["door.motif"]
type-field = "kind"
delay = "5s"
shards = 1

[sources.doors]
url = "${FOLDER}/doors.ndjson"

[outputs]
knock = "knocks.ndjson"

[params]
least = 7
"#;

struct Place(TempDir);

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a folder"));
        place.write("door.motif", DOOR);
        place.write("doors.ndjson", KNOCKS);
        place.write("l.toml", CONFIG);
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect("readable")
    }

    fn run(&self, line: &str, environment: &[(&str, &str)]) -> Ended {
        let output = Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
            .current_dir(self.path())
            .env("FOLDER", self.path())
            .envs(environment.iter().copied())
            .args(line.split_whitespace())
            .output()
            .expect("started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code().expect("ended by itself"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

#[test]
fn configuration_file_says_all_that_flags_say() {
    let place = Place::new();
    let ended = place.run("run --config l.toml", &[]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{}", ended.err);
    let row = place.read("knocks.ndjson");
    assert!(row.contains(r#""record":{"id":"d1","n":7}"#), "{row}");
    assert!(ended.err.contains("doors"), "{}", ended.err);
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let place = Place::new();
    let rows = |line: &str, environment: &[(&str, &str)]| {
        let ended = place.run(line, environment);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.out.lines().count()
    };
    let line = "run -c l.toml --output knock=-";
    assert_eq!(rows(line, &[]), 1);
    // Without delay the second knock is late.
    assert_eq!(rows(line, &[("LEITMOTIF_DELAY", "0s")]), 0);
    let line = "run -c l.toml --output knock=- --delay 1s";
    assert_eq!(rows(line, &[("LEITMOTIF_DELAY", "0s")]), 1);
    let line = "run --output knock=-";
    assert_eq!(rows(line, &[("LEITMOTIF_CONFIG", "l.toml")]), 1);
}

#[test]
fn configuration_that_makes_no_sense_is_refused_with_all_its_mistakes() {
    let place = Place::new();
    place.write("wrong.toml", "shrads = 2\ndelay = 3\n");
    let ended = place.run("run --config wrong.toml", &[]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert_eq!(
        ended.err,
        "error: 2 mistakes in the configuration:
  wrong.toml:1:1: unknown key \"shrads\"; did you mean \"shards\"?
  wrong.toml:2:9: delay: 3 is no text; write it in quotes: \"3\"\n"
    );
    let says = |line: &str, environment: &[(&str, &str)], wanted: &str| {
        let ended = place.run(line, environment);
        assert_eq!(ended.code, 2, "{line}");
        assert!(ended.err.contains(wanted), "{line}: {}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{line}: {}", ended.err);
    };
    says(
        "run --config none.toml",
        &[],
        "error: configuration \"none.toml\" can't be read; check the path: No such file",
    );
    says(
        "run --config l.toml",
        &[("LEITMOTIF_DELEY", "1s")],
        "error: LEITMOTIF_DELEY: unknown environment variable \"LEITMOTIF_DELEY\"; did you mean \"LEITMOTIF_DELAY\"?",
    );
    says(
        "run --source doors.ndjson",
        &[],
        "error: no patterns to run; name files or folders, or set patterns = [\"folder\"] in the configuration",
    );
}

/// A run that reads stdin until its test closes it.
struct Running {
    child: std::process::Child,
    address: String,
}

impl Running {
    /// Begins a run that says on stderr where it serves.
    fn start(place: &Place) -> Running {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
            .current_dir(place.path())
            .args("run door.motif --source Door=- --delay 5s --http 127.0.0.1:0".split(' '))
            .args(["--log", "info", "--log-format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let address = log.by_ref().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line.ok()?).expect("JSON");
            Some(line.get("address")?.as_str()?.to_owned())
        });
        // The rest is read, so that the run never waits for its reader.
        std::thread::spawn(move || log.for_each(drop));
        Running {
            child,
            address: address.expect("the log tells the address"),
        }
    }

    fn send(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        stdin.write_all(text.as_bytes()).expect("written");
        stdin.flush().expect("written");
    }

    /// Asks until the answer is as wanted, for ten seconds, while records that are none trickle in.
    fn ask(&mut self, path: &str, wanted: &str) -> String {
        let began = Instant::now();
        loop {
            self.send("no record\n");
            let answer = self.get(path);
            if answer.contains(wanted) {
                return answer;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "{answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("ended").success());
    }
}

#[cfg(feature = "http")]
#[test]
fn running_engine_tells_its_numbers_until_it_ends() {
    let place = Place::new();
    let mut run = Running::start(&place);
    run.send(KNOCKS);
    let events = "leitmotif_events_total{source=\"-\",outcome=\"processed\"} 2\n";
    let answer = run.ask("/metrics", events);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        run.get("/ready")
            .ends_with(r#"{"ready":true,"phase":"running"}"#)
    );
    assert!(run.get("/health").ends_with(r#"{"healthy":true}"#));
    let address = run.address.clone();
    run.end();
    assert!(TcpStream::connect(address).is_err());
}

#[cfg(feature = "http")]
#[test]
fn address_that_is_taken_ends_a_run_before_it_begins() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound");
    let ended = place.run(&format!("run -c l.toml --http {address}"), &[]);
    assert_eq!(ended.code, 2);
    let wanted = format!(
        "error: metrics can't be served at {address}: another process listens there; end it, or name another port with --http\n"
    );
    assert_eq!(ended.err, wanted);
}

#[test]
fn log_is_silent_unless_asked_and_goes_to_stderr() {
    let place = Place::new();
    let ended = place.run("run -c l.toml", &[]);
    assert!(!ended.err.contains("INFO"), "{}", ended.err);
    let ended = place.run("run -c l.toml --log info", &[]);
    assert!(
        ended
            .err
            .contains(" INFO the run begins patterns=1 sources=\"doors\" shards=1"),
        "{}",
        ended.err
    );
    assert!(
        ended.err.contains(" INFO the run has ended read=2 rows=1"),
        "{}",
        ended.err
    );
    let ended = place.run("run -c l.toml --log info --log-format json", &[]);
    let first: serde_json::Value =
        serde_json::from_str(ended.err.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["message"], "the run begins");
    assert_eq!(first["patterns"], 1);
}

#[cfg(feature = "http")]
#[test]
fn top_prints_one_frame_of_a_running_engine() {
    let place = Place::new();
    let mut run = Running::start(&place);
    run.send(KNOCKS);
    run.ask("/ready", "200 OK");
    let ended = place.run(&format!("top --once {}", run.address), &[]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert!(
        ended.out.starts_with("leitmotif running for "),
        "{}",
        ended.out
    );
    for wanted in ["\nSOURCE ", "\nPATTERN ", "\ntwice "] {
        assert!(ended.out.contains(wanted), "{}", ended.out);
    }
    run.end();
}

#[test]
fn top_says_in_one_line_what_keeps_it_from_its_engine() {
    let place = Place::new();
    let says = |line: &str, wanted: &str| {
        let ended = place.run(line, &[]);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{line}");
        assert_eq!(ended.err, format!("error: {wanted}\n"), "{line}");
    };
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = free.local_addr().expect("bound");
    drop(free);
    says(
        &format!("top --once http://{nobody}"),
        &format!(
            "the engine at http://{nobody} can't be reached: nobody listens there; start it with leitmotif run … --http {nobody}, or name another address"
        ),
    );
    says(
        "top --once ftp://x",
        "\"ftp://x\" is no address of an engine; write one such as http://127.0.0.1:9464",
    );
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = other.accept().expect("asked");
        let mut asked = [0; 1024];
        let _ = stream.read(&mut asked).expect("asked");
        stream
            .write_all(b"HTTP/1.0 200 OK\r\n\r\n<html>")
            .expect("answered");
    });
    says(
        &format!("top --once {address}"),
        &format!(
            "what answers at http://{address} is no engine of this version; name the address that leitmotif run was given with --http"
        ),
    );
    let ended = place.run("top", &[]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("leitmotif top --once"), "{}", ended.err);
}
