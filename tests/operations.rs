//! A run as those who operate it see it: its configuration, its log, its metrics and its health.

use std::fs;
use std::path::Path;

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
