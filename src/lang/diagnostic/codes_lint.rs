//! Codes of what is legal but surely not meant: W201 and on.

use super::codes::CodeInfo;
use super::{Code, Severity};

const fn warning(code: &'static str, title: &'static str, explanation: &'static str) -> CodeInfo {
    CodeInfo {
        code: Code(code),
        severity: Severity::Warning,
        title,
        explanation,
    }
}

/// Every code of this module, by number.
pub static LINTS: &[CodeInfo] = &[
    warning(
        "W201",
        "step after a loop that takes everything",
        r#"A greedy loop takes every event that satisfies it. If the step after it waits for events of the same
type, and the loop has no condition or the same one, nothing is left for the step.

Wrong:

  match a: Txn+ then b: Txn

Right:

  match a: Txn+ where amount < 5 then b: Txn where amount > 500"#,
    ),
    warning(
        "W202",
        "every subset is a candidate",
        r#"`then any` before a loop of `combinations` makes a candidate of each subset of the events: 2^n for n
events.

Wrong:

  then any b: Txn+ combinations

Right:

  then any b: Txn+"#,
    ),
    warning(
        "W203",
        "condition that never holds",
        r#"The condition is false whatever happens: two bounds exclude each other, it is a constant, or it
compares with null, which is always false. For a value that may be missing write `field ?? default`.

Wrong:

  where amount > 5 and amount < 3

Right:

  where amount > 3 and amount < 5"#,
    ),
    warning(
        "W204",
        "first repeat that never comes",
        r#"`prev(f)` and `x.f` in the condition of a repeated step x read the repeat before. At the first
repeat there is none, the comparison with null is false, and so the loop never begins.

Wrong:

  match a: Temp+ where value > prev(value)

Right:

  match a: Temp+ where value > prev(value, 0)"#,
    ),
    warning(
        "W205",
        "timeout that reads the last step",
        r#"Once the last step is bound the match is complete, and what is complete never times out. Its fields
are null in every row of `timeout`.

Wrong:

  timeout alone { card, amount: drain.amount }

Right:

  timeout alone { card, amount: probe.amount }"#,
    ),
    warning(
        "W206",
        "loop at the end that never grows",
        r#"Without a closer, a loop at the end matches as soon as it reaches its minimum. With the default
`skip`, that match removes its start, so that no longer one follows. A closer says when the loop is
complete; `having` says when it is long enough.

Wrong:

  match a: Login then b: Fail+ within 10m

Right:

  match a: Login then b: Fail+ for 10m"#,
    ),
    warning(
        "W207",
        "unused param",
        r#"Nothing in the file reads the param."#,
    ),
    warning(
        "W208",
        "unused function",
        r#"Nothing in the file calls the function."#,
    ),
    warning(
        "W209",
        "unused table",
        r#"Nothing in the file looks anything up in the table."#,
    ),
];
