//! Sources and outputs as users name them, seen from outside: what goes in at one end comes out at the other.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs W1 in a folder; gives back its rows on standard output.
#[track_caller]
fn run(folder: &Path, args: &[&str]) -> String {
    let done = Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
        .current_dir(folder)
        .arg("run")
        .arg(root().join("benches/workloads/w1.motif"))
        .args(args)
        .output()
        .expect("runs");
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{args:?}: {err}");
    String::from_utf8(done.stdout).expect("UTF-8")
}

/// Rows without their ids, which tell where events came from.
fn rows(text: &str) -> Vec<Value> {
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("JSON");
        row["match_id"].take();
        row
    };
    text.lines().map(row).collect()
}

#[test]
fn made_up_events_give_the_same_rows_whatever_their_partitions_and_order() {
    let folder = tempfile::tempdir().unwrap();
    let run = |options: &str| {
        let source = format!("Txn=generate:cards?events=100000&keys=500{options}");
        rows(&run(folder.path(), &["--source", &source, "--delay", "2s"]))
    };
    let whole = run("");
    assert!(whole.len() > 100, "{}", whole.len());
    assert_eq!(run("&partitions=3"), whole);
    assert_eq!(run("&disorder=2s"), whole);
    assert_ne!(run("&seed=2"), whole);
}

#[test]
fn a_folder_of_csv_files_is_read_by_name_whatever_the_order_of_their_columns() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    write(
        "in/2.csv",
        "amount,country,merchant,kind,card,ts\n900,US,m1,auth,c1,1700000000500\n",
    );
    write(
        "in/1.csv",
        "ts,card,kind,amount,merchant,country\n1700000000000,c1,auth,1.5,m1,US\n",
    );
    let args = ["--source", "Txn=in/", "--output", "hits/?max=1KiB&every=1m"];
    assert_eq!(run(folder.path(), &args), "");
    let found = rows(&fs::read_to_string(folder.path().join("hits/hits-000001.ndjson")).unwrap());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["key"], "c1");
    // Another run goes on with the next file.
    run(folder.path(), &args);
    let mut names: Vec<String> = fs::read_dir(folder.path().join("hits"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["hits-000001.ndjson", "hits-000002.ndjson"]);
}

#[test]
fn an_output_in_a_folder_that_is_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    fs::write(folder.path().join("in/1.ndjson"), "").unwrap();
    let refused = |output: &str, why: &str| {
        let done = Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
            .current_dir(folder.path())
            .arg("run")
            .arg(root().join("benches/workloads/w1.motif"))
            .args(["--source", "in/", "--output", output])
            .output()
            .expect("runs");
        let err = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{err}");
        assert!(err.contains(why), "{output}: {err}");
    };
    refused("in/", "both a source and an output");
    refused("in/new.ndjson", "lies in a folder that is a source");
    refused("./in/new/", "lies in a folder that is a source");
}

#[cfg(unix)]
#[test]
fn a_followed_file_is_read_on_when_it_is_rotated() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command as Process, Stdio};

    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.ndjson");
    let append = |ts: u64, card: &str, amount: &str| {
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(&log)
            .unwrap();
        writeln!(
            file,
            "{{\"ts\":{ts},\"card\":\"{card}\",\"kind\":\"auth\",\"amount\":{amount},\"merchant\":\"m\",\"country\":\"US\"}}"
        )
        .unwrap();
    };
    append(1_700_000_000_000, "c1", "1");
    append(1_700_000_001_000, "c1", "900");
    let mut child = Process::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
        .current_dir(folder.path())
        .arg("run")
        .arg(root().join("benches/workloads/w1.motif"))
        .args([
            "--source",
            "Txn=log.ndjson",
            "--follow",
            "--summary",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut rows = BufReader::new(child.stdout.take().expect("piped"));
    let mut row = || {
        let mut line = String::new();
        rows.read_line(&mut line).unwrap();
        let row: Value = serde_json::from_str(&line).expect("a row");
        row["key"].as_str().expect("a card").to_owned()
    };
    // This record's time lets the first row out.
    append(1_700_000_002_000, "c2", "1");
    assert_eq!(row(), "c1");
    fs::rename(&log, folder.path().join("log.1")).unwrap();
    append(1_700_000_003_000, "c2", "900");
    append(1_700_000_004_000, "c3", "5");
    assert_eq!(row(), "c2");
    let told = Process::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(told.expect("kill runs").success());
    let ended = child.wait_with_output().expect("ends");
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{err}");
    let summary: Value =
        serde_json::from_str(err.lines().last().expect("a summary")).expect("JSON");
    assert_eq!(summary["sources"][0]["read"], 5, "{err}");
}

#[cfg(all(unix, feature = "http"))]
#[test]
fn posted_records_come_out_as_rows_posted_to_a_webhook() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Command as Process, Stdio};
    use std::time::Duration;

    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let hook = format!("http://{}/hook#format=json", receiver.local_addr().unwrap());
    // Free a moment ago; who else would want it?
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = free.local_addr().unwrap();
    drop(free);
    let mut child = Process::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
        .arg("run")
        .arg(root().join("benches/workloads/w1.motif"))
        .args(["--source", &format!("Txn=http://{at}/cards")])
        .args(["--output", &hook, "--summary", "json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut stream = (0..500)
        .find_map(|_| {
            std::thread::sleep(Duration::from_millis(20));
            TcpStream::connect(at).ok()
        })
        .expect("it listens");
    let event = |ts: u64, amount: &str| {
        format!(
            "{{\"ts\":{ts},\"card\":\"c1\",\"kind\":\"auth\",\"amount\":{amount},\"merchant\":\"m\",\"country\":\"US\"}}\n"
        )
    };
    // The third one tells that the second one's time is over.
    let body = event(1_700_000_000_000, "1")
        + &event(1_700_000_001_000, "900")
        + &event(1_700_000_002_000, "5");
    let length = body.len();
    write!(
        stream,
        "POST /cards HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(answer.ends_with("{\"accepted\":3}\n"), "{answer}");

    let (posted, _) = receiver.accept().unwrap();
    let mut posted = BufReader::new(posted);
    let mut length = 0;
    loop {
        let mut line = String::new();
        posted.read_line(&mut line).unwrap();
        if line == "\r\n" {
            break;
        }
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
    }
    let mut row = vec![0; length];
    posted.read_exact(&mut row).unwrap();
    posted
        .get_mut()
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .unwrap();
    let row: Value = serde_json::from_slice(&row).expect("one JSON object");
    assert_eq!(row["output"], "hits");
    assert_eq!(row["record"]["card"], "c1");

    let told = Process::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(told.expect("kill runs").success());
    let mut err = String::new();
    child
        .stderr
        .take()
        .expect("piped")
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{err}");
    let summary: Value =
        serde_json::from_str(err.lines().last().expect("a summary")).expect("JSON");
    assert_eq!(summary["sources"][0]["read"], 3, "{err}");
}

#[cfg(all(unix, feature = "http"))]
#[test]
fn a_run_told_to_end_says_that_it_waits_for_a_receiver_that_is_away() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command as Process, Stdio};

    // Free a moment ago: nobody takes rows there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hook = format!("http://{}/hook", closed.local_addr().unwrap());
    drop(closed);
    let mut child = Process::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
        .arg("run")
        .arg(root().join("benches/workloads/w1.motif"))
        .args(["--source", "Txn=-", "--output", &hook])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = child.stdin.take().expect("piped");
    for (ts, amount) in [(0, 1), (1, 900), (2, 5)] {
        writeln!(
            input,
            "{{\"ts\":170000000{ts}000,\"card\":\"c1\",\"kind\":\"auth\",\"amount\":{amount},\"merchant\":\"m\",\"country\":\"US\"}}"
        )
        .unwrap();
    }
    let id = child.id().to_string();
    let interrupt = || {
        let told = Process::new("kill").args(["-INT", &id]).status();
        assert!(told.expect("kill runs").success());
    };
    let log = BufReader::new(child.stderr.take().expect("piped"));
    let mut log = log.lines().map(|line| line.expect("UTF-8"));
    let mut says = |text: &str| log.any(|line| line.contains(text));
    assert!(says("rows were not taken"));
    interrupt();
    assert!(says("waits for its outputs"));
    interrupt();
    assert_eq!(child.wait().expect("ends").code(), Some(130));
}
