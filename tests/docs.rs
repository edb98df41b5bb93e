//! What the pages say is true: the patterns in them compile without a warning, and their tests pass; so do the patterns that are shipped.
//!
//! Every block of a page that begins with ```` ```motif ```` is a pattern file of its own. The block ```` ```motif events ````, if a page has one, stands
//! beside each of the others, so that a page declares its events once.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use leitmotif::config::{Environment, RawConfig};

/// One pattern in a page.
struct Block {
    /// The line it begins at.
    line: usize,
    text: String,
    /// True for the one that the others may use.
    shared: bool,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut inside = false;
    for (at, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some("") if inside => inside = false,
            Some(tag @ ("motif" | "motif events")) => {
                inside = true;
                found.push(Block {
                    line: at + 1,
                    text: String::new(),
                    shared: tag != "motif",
                });
            }
            _ if inside => {
                let block = found.last_mut().expect("a block was begun");
                block.text.push_str(line);
                block.text.push('\n');
            }
            _ => {}
        }
    }
    assert!(!inside, "a block is not closed");
    found
}

/// Checks and tests pattern files; what went wrong, if anything did.
fn run(files: &[PathBuf]) -> Result<(), String> {
    for verb in [&["check", "--deny-warnings"] as &[&str], &["test"]] {
        let output = Command::new(assert_cmd::cargo::cargo_bin!("leitmotif"))
            .args(verb)
            .args(files)
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            let told = [output.stdout, output.stderr].concat();
            return Err(String::from_utf8_lossy(&told).into_owned());
        }
    }
    Ok(())
}

/// Runs every block of a page and returns how many there were.
fn check(page: &str) -> usize {
    let text = fs::read_to_string(root().join(page)).expect("the page is there");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("the folder can be written to");
        path
    };
    let blocks = blocks(&text);
    let shared = blocks.iter().find(|block| block.shared);
    let shared = shared.map(|block| write("events.motif", &block.text));
    let mut wrong = String::new();
    for block in blocks.iter().filter(|block| !block.shared) {
        let mut files = vec![write(&format!("line_{}.motif", block.line), &block.text)];
        // A page that shows a whole file first declares an event that later ones share.
        files.extend(shared.clone());
        if let Err(told) = run(&files) {
            wrong.push_str(&format!("{page}:{}:\n{told}\n", block.line));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    blocks.len()
}

#[test]
fn every_example_of_the_language_page_holds() {
    assert!(check("docs/language.md") > 10);
}

#[test]
fn every_pattern_on_the_page_about_kafka_holds() {
    assert_eq!(check("docs/kafka.md"), 2);
}

#[test]
fn every_example_for_users_of_flink_holds() {
    // One of the blocks is what the others share.
    assert_eq!(check("docs/coming-from-flink.md"), 6);
}

/// Texts of the blocks that begin with this line.
fn fenced(page: &str, fence: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).expect("the page is there");
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once(&format!("\n{fence}\n")) {
        let (block, after) = after.split_once("\n```").expect("a block is closed");
        found.push(block.to_owned());
        rest = after;
    }
    found
}

#[test]
fn every_configuration_that_is_shown_can_be_read() {
    let page = "docs/configuration.md";
    let environment = Environment::new([("HOME".to_owned(), "/home/me".to_owned())]);
    let blocks = fenced(page, "```toml");
    assert_eq!(blocks.len(), 3);
    for block in &blocks {
        RawConfig::from_toml(page, block, &environment)
            .unwrap_or_else(|wrong| panic!("{block}\n{wrong}"));
    }
    // The mistakes that the page shows are those that are told.
    let wrong = "patterns = []\n\nshrads = 2\ndelay = \"5min\"\n";
    let told = RawConfig::from_toml("leitmotif.toml", wrong, &environment);
    let told = format!("error: {}", told.expect_err("mistakes"));
    assert_eq!(fenced(page, "```text")[0], told);
}

#[test]
fn every_key_is_documented() {
    let text = fs::read_to_string(root().join("docs/configuration.md")).expect("the page is there");
    // The first block says everything that can be said: each key of it has its row.
    let all = &fenced("docs/configuration.md", "```toml")[0];
    let keys = all.lines().filter_map(|line| line.split_once(" = "));
    for (key, _) in keys.take(9) {
        assert!(text.contains(&format!("\n| `{key}` |")), "{key}");
    }
    // A key that is not known is answered with those that are.
    let told = RawConfig::from_toml("l.toml", "zzzzzzzz = 1", &Environment::default());
    let told = told.expect_err("a mistake").to_string();
    let (_, known) = told.split_once("there is ").expect("a list");
    for key in known.split(", ") {
        let row = [
            format!("\n| `{key}` |"),
            format!("\n| `[{key}]` |"),
            format!("\n| `[{key}.NAME]` |"),
        ];
        assert!(row.iter().any(|row| text.contains(row)), "{key}");
    }
}

#[test]
fn every_metric_is_documented() {
    let page = fs::read_to_string(root().join("docs/operations.md")).expect("the page is there");
    let golden = fs::read_to_string(root().join("tests/golden/metrics.txt")).expect("the metrics");
    let names = golden
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let name = line.split(['{', ' ']).next().expect("a name");
            let ends = ["_bucket", "_count", "_sum"];
            let histogram = ends.iter().find_map(|end| name.strip_suffix(end));
            histogram.unwrap_or(name)
        });
    let mut checked = 0;
    for name in names {
        assert!(page.contains(&format!("\n| `{name}` |")), "{name}");
        checked += 1;
    }
    assert!(checked > 20);
    for line in page
        .lines()
        .filter(|line| line.starts_with("| `leitmotif_"))
    {
        let name = line.split('`').nth(1).expect("a name");
        assert!(
            golden.contains(&format!("\n{name}")),
            "{name} is documented and not there"
        );
    }
}

#[test]
fn the_shipped_patterns_pass_their_tests_together_and_alone() {
    let all = root().join("patterns");
    run(std::slice::from_ref(&all)).unwrap_or_else(|told| panic!("{told}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(all).expect("the folder is there") {
        let folder = entry.expect("the folder can be read").path();
        if folder.is_dir() {
            for file in fs::read_dir(folder).expect("patterns lie in folders by domain") {
                files.push(file.expect("the folder can be read").path());
            }
        }
    }
    assert!(files.len() > 16);
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|file| run(std::slice::from_ref(file)).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_patterns_of_the_workloads_compile() {
    for number in 1..=7 {
        let file = root().join(format!("benches/workloads/w{number}.motif"));
        run(&[file]).unwrap_or_else(|told| panic!("{told}"));
    }
}
