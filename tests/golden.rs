//! What the compiler says about every mistake it knows: `golden/diagnostics/*.motif` with the text beside each.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes the texts anew; the difference is then to be read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use leitmotif::lang::diagnostic::codes::{all, explain};
use leitmotif::lang::diagnostic::render::{Style, render};
use leitmotif::lang::span::SourceMap;
use leitmotif::lang::{Compiled, Params, compile};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/diagnostics")
}

/// Every file `NAME.motif`, by name. `NAME.2.motif` is a second file of the same run.
fn cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder of golden files");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| path.extension().is_some_and(|end| end == "motif"))
        .filter(|path| {
            path.file_stem()
                .is_some_and(|stem| !stem.to_string_lossy().ends_with(".2"))
        })
        .collect();
    cases.sort();
    cases
}

fn name(path: &Path) -> String {
    path.file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned()
}

/// Settings of params stand in the first line: `# set name=value`.
fn params(text: &str) -> Params {
    let mut params = Params::default();
    let settings = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# set "));
    if let Some((name, value)) = settings.and_then(|setting| setting.split_once('=')) {
        params.set(name, value);
    }
    params
}

fn compiled(path: &Path) -> (Compiled, SourceMap) {
    let text = std::fs::read_to_string(path).expect("a golden file");
    let params = params(&text);
    let mut sources = SourceMap::default();
    sources.add(name(path), text);
    let second = path.with_extension("2.motif");
    if let Ok(text) = std::fs::read_to_string(&second) {
        sources.add(name(&second), text);
    }
    (compile(&sources, &params), sources)
}

#[test]
fn every_mistake_is_told_as_agreed() {
    let mut differing = Vec::new();
    for path in cases() {
        let (compiled, sources) = compiled(&path);
        let told = render(&compiled.diagnostics, &sources, Style::Plain);
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected, &told).expect("a golden text");
        } else if std::fs::read_to_string(&expected).ok().as_ref() != Some(&told) {
            differing.push(format!("{}:\n{told}", name(&path)));
        }
    }
    assert!(
        differing.is_empty(),
        "run with UPDATE_GOLDEN=1 and read the difference\n\n{}",
        differing.join("\n")
    );
}

#[test]
fn a_program_is_there_exactly_when_there_is_no_error() {
    for path in cases() {
        let (compiled, _) = compiled(&path);
        let errors = compiled
            .diagnostics
            .iter()
            .filter(|found| found.code.0.starts_with('E'))
            .count();
        assert_eq!(compiled.program.is_some(), errors == 0, "{}", name(&path));
    }
}

/// Codes that no golden file can have: it, or what is said of it, would be larger than anybody reads.
const TOO_LARGE: [&str; 3] = ["E040", "E043", "E044"];

/// The code that a golden file is about: what its name begins with.
fn code(path: &Path) -> String {
    name(path).chars().take(4).collect()
}

#[test]
fn every_code_has_a_golden_file_and_every_golden_file_shows_its_code() {
    let mut shown = BTreeSet::new();
    for path in cases() {
        let (compiled, _) = compiled(&path);
        let code = code(&path);
        let found = compiled
            .diagnostics
            .iter()
            .any(|found| found.code.0 == code);
        assert!(found, "{} does not show {code}", name(&path));
        for found in &compiled.diagnostics {
            let code = found.code.0;
            assert!(explain(code).is_some(), "{code} is not explained");
            assert!(!found.help.is_empty(), "no way out: {}", found.message);
        }
        shown.insert(code);
    }
    let missing: Vec<&str> = all()
        .map(|info| info.code.0)
        .filter(|code| !shown.contains(*code) && !TOO_LARGE.contains(code))
        .collect();
    assert!(missing.is_empty(), "no golden file for {missing:?}");
}
