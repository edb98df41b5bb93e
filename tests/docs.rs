//! What the pages say is true: the patterns in them compile without a warning, and their tests pass; so do the patterns that are shipped.
//!
//! Every block of a page that begins with ```` ```motif ```` is a pattern file of its own. The block ```` ```motif events ````, if a page has one, stands
//! beside each of the others, so that a page declares its events once.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

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
fn every_example_for_users_of_flink_holds() {
    // One of the blocks is what the others share.
    assert_eq!(check("docs/coming-from-flink.md"), 6);
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
