//! The examples for programs that embed the engine print what they are meant to print.

use std::env;
use std::process::Command;

/// What an example prints. They are built by `cargo test`, beside this test.
fn printed(example: &str) -> String {
    let test = env::current_exe().expect("this test is a file");
    let built = test.ancestors().nth(2).expect("in a folder of the build");
    let path = built.join("examples").join(example);
    let output = Command::new(&path).output().unwrap_or_else(|error| {
        panic!(
            "{}: {error}; build it: cargo build --examples",
            path.display()
        )
    });
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example}: {told}");
    assert_eq!(told, "", "{example}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn fraud_is_found_in_pushed_records() {
    let printed = printed("fraud");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}");
    assert_eq!(lines[0], "call the bank: card c007");
    assert_eq!(
        lines[1],
        "fraud { card: c007, probed: 1.00, spent: 899.00, merchant: gadget-hall, waited: 48s }"
    );
    assert!(
        lines[2].contains(r#""key":"c007","match_id":""#),
        "{printed}"
    );
    assert_eq!(
        lines[3],
        "389 records: 17 for patterns, 372 for none, 0 late, 0 malformed"
    );
}

#[test]
fn devices_fall_silent_while_the_clock_runs() {
    let printed = printed("iot");
    let (before, after) = printed.split_once("(silence)\n").expect("a silence");
    let offline = |text: &str| {
        let lines = text.lines().filter(|line| line.contains("offline"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        offline(before),
        ["2024-05-02T09:02:30Z offline { device: pump, last_seen: 2024-05-02T09:01:00Z }"]
    );
    assert_eq!(
        offline(after),
        ["2024-05-02T09:04:10Z offline { device: oven, last_seen: 2024-05-02T09:02:40Z }"]
    );
    let first = "2024-05-02T09:01:00Z minute { device: oven, readings: 3, hottest: 22 }";
    assert!(before.contains(first), "{printed}");
}

#[test]
fn a_source_of_the_program_feeds_several_shards() {
    let printed = printed("custom_source");
    let lines: Vec<&str> = printed.lines().collect();
    let want: Vec<String> = (0..25)
        .map(|user| format!("alert {{ user: u{user}, attempts: 3 }}"))
        .collect();
    assert_eq!(lines[..25], want);
    assert_eq!(lines[25..], ["logins: 100 records, 25 rows"]);
}
