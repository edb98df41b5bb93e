//! The rules of the house, kept by a test: who may import whom, how long a file gets, and which words don't belong in code.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of the library, each of which may import only from its left.
const ORDER: [&str; 17] = [
    "time",
    "epoch",
    "wire",
    "disk",
    "event",
    "key",
    "lang",
    "automaton",
    "store",
    "http",
    "source",
    "sink",
    "checkpoint",
    "engine",
    "config",
    "embed",
    "testing",
];

/// The most lines of a file, tests apart.
const LINES_MAX: usize = 900;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "common", "helpers", "types", "manager", "handler"];

/// A Rust file of `src`.
struct Source {
    /// Relative to `src`, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// `lang` for `lang/check/mod.rs` and `time` for `time.rs`; none for `lib.rs` and `main.rs`.
    fn module(&self) -> Option<&str> {
        let first = self.path.split('/').next()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (name != "lib" && name != "main").then_some(name)
    }

    fn is_test(&self) -> bool {
        let file = self.path.rsplit('/').next().unwrap_or_default();
        file == "tests.rs" || file.ends_with("_tests.rs") || self.path.contains("/tests/")
    }

    /// Numbered lines that are compiled into the product: without comments, and without the tests at the end.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let test = self.is_test();
        let lines = self
            .text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line));
        lines
            .take_while(move |(_, line)| !test && line.trim() != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

type Rule = fn(&Source) -> Vec<String>;

const RULES: [(&str, Rule); 6] = [
    ("modules import from their left", imports),
    ("files are short", length),
    ("names say what is inside", names),
    ("modules begin with their doc", doc_first),
    ("no bare unwrap", unwraps),
    ("nothing unfinished, nothing printed by the way", leftovers),
];

fn imports(source: &Source) -> Vec<String> {
    let Some(module) = source.module() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    // The command line and whatever is no module of the library see the library from outside.
    let own = ORDER.iter().position(|name| *name == module);
    let product: Vec<(usize, &str)> = source.product_lines().collect();
    for (number, line) in &product {
        for imported in imported(line) {
            let allowed = match (own, ORDER.iter().position(|name| *name == imported)) {
                (Some(own), Some(other)) => other <= own,
                (None, None) => imported == module,
                // Not a module: a macro or an item of the crate's root.
                (Some(_), None) => true,
                (None, Some(_)) => false,
            };
            if !allowed {
                found.push(format!("{number}: `{module}` imports `{imported}`"));
            }
        }
    }
    found
}

/// First names after each `crate::` of a line.
fn imported(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        // `$crate::` and `foo_crate::` are something else.
        if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &line[at + "crate::".len()..];
        let name = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        match rest.strip_prefix('{') {
            None => names.push(name(rest)),
            Some(list) => names.extend(top_level(list).iter().map(|part| name(part.trim()))),
        }
    }
    names
}

/// The parts of `a::{b, c}, d}` at the outermost level.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&list[from..at]);
                return parts;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[from..]);
    parts
}

fn length(source: &Source) -> Vec<String> {
    let lines = source
        .text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .count();
    if source.is_test() || lines <= LINES_MAX {
        return Vec::new();
    }
    vec![format!(
        "{lines} lines, the limit is {LINES_MAX}; a file tells one noun"
    )]
}

fn names(source: &Source) -> Vec<String> {
    let parts = source
        .path
        .split('/')
        .map(|part| part.strip_suffix(".rs").unwrap_or(part));
    parts
        .filter(|part| EMPTY_NAMES.contains(part))
        .map(|part| format!("`{part}` says nothing"))
        .collect()
}

fn doc_first(source: &Source) -> Vec<String> {
    if source.is_test() || source.text.starts_with("//!") {
        return Vec::new();
    }
    vec!["begins without `//!`".to_owned()]
}

fn unwraps(source: &Source) -> Vec<String> {
    let lines = source
        .product_lines()
        .filter(|(_, line)| line.contains(".unwrap()"));
    lines
        .map(|(number, _)| format!("{number}: `.unwrap()`; say why it holds with `expect`"))
        .collect()
}

fn leftovers(source: &Source) -> Vec<String> {
    let mut words = vec!["todo!", "unimplemented!", "dbg!", "println!(", "print!("];
    if source.module() == Some("cli") {
        // Standard error is the command line's to write to. Standard output is not, by these: they panic when it is closed.
        words.retain(|word| *word != "println!(" && *word != "print!(");
        words.extend([" println!(", " print!(", "(println!(", "(print!("]);
    }
    let mut found = Vec::new();
    for (number, line) in source.product_lines() {
        let line = format!(" {line}");
        found.extend(
            words
                .iter()
                .filter(|word| line.contains(*word))
                .map(|word| format!("{number}: `{}`", word.trim())),
        );
    }
    found
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let read = |path: &PathBuf| {
        let relative = path
            .strip_prefix(&root)
            .expect("below src")
            .to_str()
            .expect("names are ASCII");
        Source::new(
            &relative.replace('\\', "/"),
            &fs::read_to_string(path).expect("readable"),
        )
    };
    paths.iter().map(read).collect()
}

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, out);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            out.push(path);
        }
    }
}

#[test]
fn sources_keep_the_rules() {
    let sources = sources();
    assert!(sources.len() > 10, "src was not found");
    let mut broken = Vec::new();
    for source in &sources {
        for (name, rule) in RULES {
            broken.extend(
                rule(source)
                    .iter()
                    .map(|what| format!("src/{}: {what} ({name})", source.path)),
            );
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_module_has_its_place_in_the_order() {
    for source in sources() {
        let Some(module) = source.module() else {
            continue;
        };
        assert!(
            ORDER.contains(&module) || module == "cli",
            "src/{}: where does `{module}` stand?",
            source.path
        );
    }
}

#[test]
fn rules_find_what_they_forbid() {
    let check = |path: &str, text: &str, rule: Rule, wanted: usize| {
        let found = rule(&Source::new(path, text));
        assert_eq!(found.len(), wanted, "{path}: {text}: {found:?}");
    };
    check("lang/a.rs", "use crate::event::Value;", imports, 0);
    check("lang/a.rs", "use crate::automaton::Nfa;", imports, 1);
    check(
        "lang/a.rs",
        "use crate::{event::{Value, Event}, engine, time};",
        imports,
        1,
    );
    check("lang/a.rs", "fn f() -> crate::engine::Engine {", imports, 1);
    check("lang/a.rs", "//! See [`crate::engine`].", imports, 0);
    check(
        "lang/a.rs",
        "#[cfg(test)]\nmod tests { use crate::testing::gen; }",
        imports,
        0,
    );
    check("lang/a_tests.rs", "use crate::testing::gen;", imports, 0);
    check("cli/a.rs", "use crate::cli::files;", imports, 0);
    check("cli/a.rs", "use crate::engine::Engine;", imports, 1);
    check("event/a.rs", &"\n".repeat(901), length, 1);
    check("event/a_tests.rs", &"\n".repeat(901), length, 0);
    check("event/utils.rs", "", names, 1);
    check("event/utils/a.rs", "", names, 1);
    check("event/a.rs", "use std::fs;", doc_first, 1);
    check("event/a.rs", "let a = b.unwrap();", unwraps, 1);
    check(
        "event/a.rs",
        "#[cfg(test)]\nlet a = b.unwrap();",
        unwraps,
        0,
    );
    check("event/a.rs", "todo!()", leftovers, 1);
    check("event/a.rs", "println!(\"x\")", leftovers, 1);
    check("cli/a.rs", "eprintln!(\"x\")", leftovers, 0);
    check("cli/a.rs", "println!(\"x\")", leftovers, 1);
}

#[test]
fn every_dependency_says_why_it_is_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("Cargo.toml");
    let why = fs::read_to_string(root.join("docs/dependencies.md")).expect("docs/dependencies.md");
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
            continue;
        }
        let Some((name, _)) = line
            .split_once('=')
            .filter(|_| inside && !line.starts_with('#'))
        else {
            continue;
        };
        let name = name.trim();
        assert!(
            name == "leitmotif" || why.contains(&format!("`{name}`")),
            "docs/dependencies.md does not tell of `{name}`"
        );
    }
}

#[test]
fn scripts_can_be_run() {
    use std::os::unix::fs::PermissionsExt as _;
    for script in [
        "scripts/setup",
        "scripts/test",
        "scripts/crash",
        "scripts/demo",
        "scripts/kafka",
        "scripts/demo-kafka",
        ".ci/run",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        let mode = fs::metadata(&path).expect(script).permissions().mode();
        assert!(mode & 0o111 != 0, "{script} is not executable");
    }
}
