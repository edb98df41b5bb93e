//! States as bytes: those of every earlier version can be read, today's are written as agreed, and fingerprints of patterns say which changes keep them.
//!
//! `UPDATE_GOLDEN=1 cargo test --test state` writes today's bytes and fingerprints anew. A difference in the bytes of a version that was released loses the states of everybody who
//! runs it: then a new version of the format is due instead. A difference in a fingerprint restarts a pattern that did not change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use leitmotif::automaton::{Nfa, Outcome, Tables};
use leitmotif::lang::pattern::{PatternId, Program};
use leitmotif::testing::compile;
use leitmotif::testing::state::{Machine, PATTERNS};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares with the file, or writes it anew.
fn agreed(path: &str, found: &str) {
    let file = root(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, found).expect("a golden file");
        return;
    }
    let wanted = std::fs::read_to_string(&file).unwrap_or_default();
    let mut lines = found.lines().zip(wanted.lines());
    let differing = lines.find(|(found, wanted)| found != wanted);
    assert!(
        found == wanted,
        "{path} says otherwise: {differing:?}; run with UPDATE_GOLDEN=1 and read the difference"
    );
}

fn program(text: &str) -> Arc<Program> {
    Arc::new(compile(text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}")))
}

/// Every pattern of the fixture, without state.
fn machines(program: &Arc<Program>) -> Vec<Machine> {
    let ids = (0..program.patterns.len() as u32).map(PatternId);
    ids.map(|id| Machine::new(program, id)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("two digits")
        })
        .collect()
}

/// One line per state: pattern, key, state.
fn lines(machines: &[Machine]) -> String {
    let mut lines = String::new();
    for machine in machines {
        for (key, state) in machine.states() {
            let state = machine.bytes(state);
            let name = machine.nfa().name();
            lines.push_str(&format!("{name} {} {}\n", hex(key), hex(&state)));
        }
    }
    lines
}

/// What each version wrote, the last being today's.
const STATES: [&str; 2] = [
    "tests/fixtures/state/v1/states.txt",
    "tests/fixtures/state/v2/states.txt",
];

#[test]
fn states_are_written_as_agreed() {
    let program = program(PATTERNS);
    let mut machines = machines(&program);
    let mut outcome = Outcome::default();
    for machine in &mut machines {
        for event in &program.tests[0].given {
            machine.show(event, &mut outcome);
        }
    }
    agreed(STATES[STATES.len() - 1], &lines(&machines));
}

#[test]
fn states_of_every_earlier_version_can_be_read() {
    let program = program(PATTERNS);
    for states in STATES {
        check_reading(states, &program);
    }
}

fn check_reading(states: &str, program: &Arc<Program>) {
    let mut machines = machines(program);
    let file = std::fs::read_to_string(root(states)).expect("the fixture");
    for line in file.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [pattern, key, state] = words[..] else {
            panic!("{line}: not three words");
        };
        let mut machines = machines.iter_mut();
        let machine = machines.find(|machine| machine.nfa().name() == pattern);
        let machine = machine.expect("a pattern of the fixture");
        let taken = machine.take(&bytes(key), &bytes(state));
        taken.unwrap_or_else(|damaged| panic!("{line}: {damaged}"));
    }
    assert_eq!(lines(&machines), file);
}

fn automaton(program: &Arc<Program>, at: usize) -> Nfa {
    let nfa = Nfa::new(program, PatternId(at as u32), &Tables::empty(program));
    nfa.expect("small patterns have automata")
}

fn structure(program: &Arc<Program>, at: usize) -> u64 {
    automaton(program, at).structure()
}

#[test]
fn fingerprints_of_patterns_are_the_agreed_ones() {
    let mut files: Vec<PathBuf> = ["fraud", "iot", "market", "security", "windows"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root("patterns").join(folder)).expect("patterns"))
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|end| end == "motif"))
        .collect();
    files.push(root("tests/fixtures/state/v2/patterns.motif"));
    files.sort();
    let mut found = String::new();
    for file in &files {
        let program = program(&std::fs::read_to_string(file).expect("a pattern file"));
        for (at, pattern) in program.patterns.iter().enumerate() {
            let structure = structure(&program, at);
            found.push_str(&format!("{} {structure:016x}\n", pattern.name));
        }
    }
    agreed("tests/fixtures/state/structures.txt", &found);
}

/// What a change does to the state of a pattern.
#[derive(Debug, PartialEq)]
enum Fate {
    Kept,
    Restarted,
}

use Fate::{Kept, Restarted};

const DECLARATIONS: &str = "event Txn { at: timestamp time, card: string, amount: decimal, count: int, merchant: string, country: string? }
event Login { at: timestamp time, card: string, ok: bool }
param small: decimal = 2.00
";

/// What becomes of the state of the last pattern after the change `from` to `to` in the text.
fn check(text: &str, from: &str, to: &str, fate: Fate) {
    let text = format!("{DECLARATIONS}{text}");
    assert!(text.contains(from), "{text} has no {from}");
    let automaton_of = |text: &str| {
        let program = program(text);
        automaton(&program, program.patterns.len() - 1)
    };
    let (before, after) = (
        automaton_of(&text),
        automaton_of(&text.replacen(from, to, 1)),
    );
    let same = before.structure() == after.structure();
    let told = before.structure_changes(&after);
    assert_eq!(same, told.is_empty(), "{from} -> {to}: {told:?}");
    let found = if same { Kept } else { Restarted };
    assert_eq!(found, fate, "{from} -> {to}");
}

const PROBE: &str = r#"@severity("low") pattern probe { key card
    match a: Txn where amount < small and merchant != "x"
     then b: Txn{2,5} where amount > a.amount * 2
     then c: Txn where count > 3 and amount > sum(b.amount * 2)
    within 10m
    having max(b.amount) < 100.0
    skip past match
    limit 3 per 1h by a.merchant
    bound 50 evict oldest
    emit found { first: a.amount, last: b.amount, list: collect(b.merchant) } }"#;

#[test]
fn harmless_changes_of_a_pattern_keep_its_state() {
    let login =
        "pattern more { key card match l: Login where ok within 1m emit o { card } } @severity";
    for (from, to) in [
        ("small: decimal = 2.00", "small: decimal = 3.00"),
        ("amount < small", "amount <= small"),
        ("and merchant != \"x\"", ""),
        ("a.amount * 2", "a.amount * 3 + 1"),
        ("count > 3", "count > 4 or country == \"FR\""),
        ("within 10m", "within 1h"),
        ("< 100.0", "< 200.0"),
        ("past match", "none"),
        ("limit 3 per 1h", "limit 4 per 2h"),
        ("bound 50 evict oldest", "bound 60 evict newest"),
        ("emit found", "emit other"),
        ("@severity(\"low\")", "@severity(\"high\")"),
        ("pattern probe", "pattern renamed"),
        (
            "first: a.amount, last: b.amount",
            "last: b.amount, sum: a.amount + b.amount",
        ),
        ("then c:", "then within 5m c:"),
        ("then c:", "then after 5s c:"),
        (
            "count: int, merchant: string",
            "merchant: string, new: float?, count: int",
        ),
        (
            "event Login",
            "event Other { at: timestamp time }\nevent Login",
        ),
        ("@severity", login),
    ] {
        check(PROBE, from, to, Kept);
    }
}

#[test]
fn what_states_rest_on_restarts_a_pattern() {
    for (from, to) in [
        ("key card", "key merchant"),
        ("key card", "key card, merchant"),
        ("key card", "from Login key card"),
        ("card: string, amount", "card: int, amount"),
        ("b: Txn{2,5}", "b: Txn{3,5}"),
        ("b: Txn{2,5}", "b: Txn{2,6}"),
        ("b: Txn{2,5}", "b: Txn{2,5}?"),
        ("then c:", "next c:"),
        ("then c:", "then any c:"),
        ("then c:", "then not Login then c:"),
        ("c: Txn", "d: Txn"),
        (
            "c: Txn where count > 3 and amount > sum(b.amount * 2)",
            "c: Login",
        ),
        ("sum(b.amount * 2)", "sum(b.amount * 3)"),
        ("sum(b.amount * 2)", "sum(b.amount + 2)"),
        ("sum(b.amount * 2)", "avg(b.amount * 2)"),
        ("amount: decimal", "amount: int"),
        ("list: collect", "all: max(b.count), list: collect"),
        ("collect(b.merchant)", "collect(b.card)"),
        ("by a.merchant", "by a.country"),
        ("by a.merchant", ""),
        ("skip past match", "skip to b"),
        (
            "emit found",
            "timeout lost { reached: reached() } emit found",
        ),
        ("emit found", "emit each rows { card } emit found"),
    ] {
        check(PROBE, from, to, Restarted);
    }
}

#[test]
fn bounds_of_time_restart_a_pattern_only_where_rows_are_made_when_they_pass() {
    let silent = "pattern p { key card match a: Txn then after 1s within 5m b: Txn within 10m emit o { card } }";
    let timeout = "pattern p { key card match a: Txn then after 1s within 5m b: Txn within 10m emit o { card } timeout t { card } }";
    let negation = "pattern p { key card match a: Txn then b: Txn then not Login for 5m within 10m emit o { card } }";
    let between = "pattern p { key card match a: Txn then not Login for 5m then b: Txn within 10m emit o { card } }";
    let leading =
        "pattern p { key card match not Login for 5m then b: Txn within 10m emit o { card } }";
    for text in [silent, between, leading] {
        check(text, "5m", "4m", Kept);
        check(text, "within 10m", "within 5m", Kept);
    }
    for text in [timeout, negation] {
        check(text, "5m", "4m", Restarted);
        check(text, "within 10m", "within 5m", Restarted);
    }
}

#[test]
fn windows_keep_their_state_unless_their_bounds_change() {
    let hop = "pattern p { key card match a: Txn{2,} hop 10m every 1m where amount > 2.0 having count(a) > 2 emit o { n: sum(a.amount) } }";
    check(hop, "amount > 2.0", "amount > 3.0", Kept);
    check(hop, "count(a) > 2", "count(a) > 3", Kept);
    check(hop, "{2,}", "{3,}", Kept);
    check(hop, "emit o", "limit 1 per 1h emit o", Kept);
    check(hop, "hop 10m", "hop 9m", Restarted);
    check(hop, "every 1m", "every 2m", Restarted);
    check(hop, "every 1m", "every 1m tz \"Europe/Paris\"", Restarted);
    check(hop, "hop 10m every 1m", "gap 10m", Restarted);
    check(hop, "hop 10m every 1m", "for 10m", Restarted);
    check(hop, "amount > 2.0", "amount > max(a.amount)", Restarted);
    let tumble =
        "pattern p { key card match a: Txn+ tumble 10m where amount > 2.0 emit o { n: count(a) } }";
    check(tumble, "tumble 10m", "tumble 10", Restarted);
    let count = "pattern p { key card match a: Txn+ hop 10 every 5 where amount > 2.0 emit o { n: count(a) } }";
    check(count, "amount > 2.0", "amount > 3.0", Kept);
    check(count, "hop 10 every 5", "hop 20 every 5", Restarted);
    let session =
        "pattern p { key card match a: Txn+ gap 10m until Login where ok emit o { n: count(a) } }";
    check(session, "where ok", "where not ok", Kept);
    check(session, "gap 10m", "gap 9m", Restarted);
    check(session, "until Login where ok", "", Restarted);
}

#[test]
fn rows_of_each_event_keep_their_state_while_they_read_the_same_fields() {
    let each = "pattern p { key card match a: Txn then b: Txn within 10m emit each o { m: merchant, d: amount * 2 } }";
    check(each, "amount * 2", "amount * 3", Kept);
    check(
        each,
        "m: merchant, d: amount * 2",
        "d: amount, m: merchant",
        Kept,
    );
    check(each, "count: int", "more: int?, count: int", Kept);
    check(each, "m: merchant", "m: merchant, c: country", Restarted);
    check(each, "m: merchant, ", "", Restarted);
}
