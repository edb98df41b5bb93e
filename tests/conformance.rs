//! What other engines answer, and where ours differs on purpose.
//!
//! Each case is written as a pattern file, compiled, run, and its matches compared with those of the case. Every case that differs is
//! named in [`EXCEPTIONS`] with the reason; one that no longer differs must leave the table.

#[path = "conformance/case.rs"]
mod case;
#[path = "conformance/exceptions.rs"]
mod exceptions;
#[path = "conformance/run.rs"]
mod run;
#[path = "conformance/translate.rs"]
mod translate;

use case::{Binding, Case};
use exceptions::EXCEPTIONS;
use run::{Answer, Judge};

/// The cases of every file, in order.
fn cases() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance");
    let entries = std::fs::read_dir(folder).expect("the folder of the cases");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("a file of cases");
        serde_json::from_str::<Vec<Case>>(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.iter().flat_map(read).collect()
}

/// What is wrong with an answer; empty if nothing is.
fn disagreements(case: &Case, answer: &Result<Answer, String>) -> Vec<String> {
    let mut found = Vec::new();
    let answer = match (case.rejected, answer) {
        (Some(true), Err(_)) | (Some(false), Ok(_)) => return found,
        (Some(true), Ok(_)) => return vec!["must be rejected".to_owned()],
        (_, Err(error)) => return vec![format!("rejected: {error}")],
        (None, Ok(answer)) => answer,
    };
    if case.throws == Some(true) {
        return vec!["fails there".to_owned()];
    }
    if let Some(expected) = &case.expected {
        let mut wanted: Vec<&Binding> = expected.iter().collect();
        let mut got: Vec<&Binding> = answer.matches.iter().map(|(_, binding)| binding).collect();
        if !case.ordered {
            wanted.sort();
            got.sort();
        }
        if wanted != got {
            found.push(format!("matches: expected {wanted:?}, got {got:?}"));
        }
    }
    if let Some(times) = &case.match_ts {
        let got: Vec<i64> = answer.matches.iter().map(|(at, _)| *at).collect();
        if *times != got {
            found.push(format!("match times: expected {times:?}, got {got:?}"));
        }
    }
    if case.timeouts.is_some() {
        let wanted = run::timeouts_of_starts(case);
        if wanted != answer.timeouts {
            found.push(format!(
                "timeouts: expected {wanted:?}, got {:?}",
                answer.timeouts
            ));
        }
    }
    if let Some(late) = &case.late
        && *late != answer.late
    {
        found.push(format!("late: expected {late:?}, got {:?}", answer.late));
    }
    found
}

fn check(judge: Judge) {
    let cases = cases();
    assert_eq!(cases.len(), 303);
    let mut complaints = Vec::new();
    for case in &cases {
        let found = disagreements(case, &run::answer(case, judge));
        let exception = EXCEPTIONS.iter().find(|(name, _)| *name == case.name);
        match (found.is_empty(), exception) {
            (true, Some((_, reason))) => {
                complaints.push(format!("{}: no longer differs ({reason})", case.name));
            }
            (false, None) => {
                complaints.push(format!(
                    "{}: {}\n{}",
                    case.name,
                    found.join("; "),
                    translate::text(case)
                ));
            }
            _ => {}
        }
    }
    for (name, _) in EXCEPTIONS {
        if !cases.iter().any(|case| case.name == *name) {
            complaints.push(format!("{name}: no such case"));
        }
    }
    let count = complaints.len();
    assert!(
        complaints.is_empty(),
        "{}\n{count} complaints",
        complaints.join("\n")
    );
}

#[test]
fn reference_answers_as_other_engines_do() {
    check(Judge::Reference);
}

#[test]
fn engine_answers_as_other_engines_do() {
    check(Judge::Engine);
}
