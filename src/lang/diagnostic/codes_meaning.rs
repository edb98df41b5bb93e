//! Codes of mistakes in sequences, outputs and tests: E100 to E149.

use super::codes::CodeInfo;
use super::{Code, Severity};

const fn error(code: &'static str, title: &'static str, explanation: &'static str) -> CodeInfo {
    CodeInfo {
        code: Code(code),
        severity: Severity::Error,
        title,
        explanation,
    }
}

/// Every code of this module, by number.
pub static MEANING: &[CodeInfo] = &[
    error(
        "E100",
        "nothing is bound",
        r#"A match is made of the events that it binds. A pattern or a group of nothing but `not` binds none.

Wrong:

  match not Beat for 5m

Right:

  match a: Beat then not Beat for 5m"#,
    ),
    error(
        "E101",
        "bounds of a loop",
        r#"`{n}`, `{n,}` and `{n,m}` take whole numbers with n at most m, m at least 1, and both at most
1,000,000.

Wrong:

  a: Txn{3,2}

Right:

  a: Txn{2,3}"#,
    ),
    error(
        "E102",
        "`until` without a loop",
        r#"`until` ends a loop. A step that is not repeated ends by itself.

Wrong:

  a: Txn until Door

Right:

  a: Txn+ until Door"#,
    ),
    error(
        "E103",
        "closer not at the end",
        r#"A closer says when a loop that ends the pattern is complete. A loop before other steps is complete
when the next step takes an event.

Wrong:

  match a: Txn+ gap 5m then b: Door

Right:

  match a: Txn+ then within 5m b: Door"#,
    ),
    error(
        "E104",
        "loop that cannot have a closer",
        r#"A closer stands on the open loop of one step, `+` or `{n,}`, which takes every event that satisfies
it: not on a group, not on a reluctant loop, not with `consecutive` or `combinations`. Windows of a
number of events stand on `+`.

Wrong:

  a: Txn{2,3} gap 5m

Right:

  a: Txn{2,} gap 5m"#,
    ),
    error(
        "E105",
        "window with something that it excludes",
        r#"`tumble` and `hop` cut time, or a count, into windows: each is a match with its own bounds. So they
stand on the only step of the pattern, without `within`, `skip` and `until`. `gap` and `for` may
follow other steps.

Wrong:

  match a: Txn then b: Txn+ tumble 1m

Right:

  match b: Txn+ tumble 1m"#,
    ),
    error(
        "E106",
        "sizes of windows",
        r#"A window has a length, and with `hop` a distance to the next one that is at most its length: both in
time or both in events, at most 1,000,000 of them.

Wrong:

  hop 1m every 5m

Right:

  hop 5m every 1m"#,
    ),
    error(
        "E107",
        "no time bound",
        r#"A pattern that can wait for ever keeps what it has begun for ever, for every key. So each wait has
an end: `within` for the whole pattern, `within` on a connector, `next`, `consecutive`, or a closer.
The message shows the first wait without one.

Wrong:

  match a: Beat then b: Beat

Right:

  match a: Beat then b: Beat within 10m"#,
    ),
    error(
        "E108",
        "window of events that reads its contents",
        r#"Whether an event counts for a window of a number of events is judged by the event alone, since it
belongs to several windows at once. What speaks of the whole window belongs into `having`.

Wrong:

  match a: Txn+ tumble 100 where amount > avg(a.amount)

Right:

  match a: Txn+ tumble 100 where amount > 5 having avg(a.amount) > 9"#,
    ),
    error(
        "E109",
        "`not` before anything",
        r#"A negation speaks of the time between two events, or after one. Before the first event it needs to
be told for how long.

Wrong:

  match not Login then b: Txn

Right:

  match not Login for 10m then b: Txn"#,
    ),
    error(
        "E110",
        "`not` at the end without an end",
        r#"That something does not happen is known once it can no longer happen. So a negation at the end has
its own time, `for`, or ends with the `within` of the pattern.

Wrong:

  match a: Txn then not Confirm

Right:

  match a: Txn then not Confirm for 5m"#,
    ),
    error(
        "E111",
        "`not … for` out of place",
        r#"`not x for D` stands in the outermost sequence: at its start, at its end, or between two events.

Wrong:

  match (a: Txn then not Door for 5m){2}

Right:

  match a: Txn then not Door for 5m"#,
    ),
    error(
        "E112",
        "connector before `not`",
        r#"A negation looks at what lies between two events. So the connector before it has no gap, is not
`then any`, and is not `next` when the negation has its own time.

Wrong:

  a then within 5m not x then b

Right:

  a then not x then within 5m b"#,
    ),
    error(
        "E113",
        "gap that cannot be",
        r#"`after` asks for a least gap, `within` for a greatest one. The least gap is longer.

Wrong:

  a then after 5m within 1m b

Right:

  a then after 1m within 5m b"#,
    ),
    error(
        "E114",
        "members of `all`",
        r#"`all` tries every order of its members, and there are 120 orders of five. Members may be groups.

Wrong:

  all(a, b, c, d, e, f)

Right:

  all((a then b), c, (d then e), f)"#,
    ),
    error(
        "E115",
        "too many steps",
        r#"A pattern has at most 64 steps, those of `not` and `until` included. Larger ones are made of several
patterns: one emits what the next one reads."#,
    ),
    error(
        "E116",
        "zero",
        r#"A gap, a window or a time without an event is longer than zero.

Wrong:

  a: Txn+ gap 0s

Right:

  a: Txn+ gap 1s"#,
    ),
    error(
        "E117",
        "leading `not … for` that reads a match",
        r#"A negation at the start is judged before anything is bound: it can compare fields of its event with
literals, params and parts of the key.

Wrong:

  not Txn where at > match_start() for 5m then b: Txn

Right:

  not Txn where amount > 5 for 5m then b: Txn"#,
    ),
    error(
        "E118",
        "time zone of a window of events",
        r#"A time zone places the boundaries of windows of time. A window of a number of events has none.

Wrong:

  a: Txn+ tumble 100 tz "Europe/Paris"

Right:

  a: Txn+ tumble 1d tz "Europe/Paris""#,
    ),
    error(
        "E130",
        "no `emit`",
        r#"A pattern says with at least one `emit` what a match gives.

Wrong:

  timeout alone { card }

Right:

  emit both { card }
  timeout alone { card }"#,
    ),
    error(
        "E131",
        "several `timeout`",
        r#"A start that times out gives one row. Put all that is of interest into its record; `reached()` tells
how far it got.

Wrong:

  timeout a { card }
  timeout b { card }

Right:

  timeout a { card, reached: reached() }"#,
    ),
    error(
        "E132",
        "`timeout` that never comes",
        r#"A pattern times out when its bound passes. Without `within`, a gap or a window there is nothing to
pass.

Wrong:

  match a: Txn next b: Txn
  emit both { card }
  timeout alone { card }

Right:

  match a: Txn next b: Txn
  within 10m
  emit both { card }
  timeout alone { card }"#,
    ),
    error(
        "E134",
        "target of `skip`",
        r#"`skip to x` and `skip to last x` name a step that binds events.

Wrong:

  match a: Txn then b: Txn skip to c

Right:

  match a: Txn then b: Txn skip to b"#,
    ),
    error(
        "E135",
        "number of `limit` or `bound`",
        r#"The numbers and the time of `limit` and `bound` are more than zero and at most 1,000,000,000.
Without the clause there is no limit, and the usual bound.

Wrong:

  limit 0 per 1h

Right:

  limit 1 per 1h"#,
    ),
    error(
        "E137",
        "limit by a list",
        r#"`limit … by` counts separately for each value. A list is no such value.

Wrong:

  limit 1 per 1h by collect(a.merchant)

Right:

  limit 1 per 1h by last(a.merchant)"#,
    ),
    error(
        "E140",
        "unknown name in a test",
        r#"Given are events that are declared, and rows of tables of the file. Expected are rows of outputs of
the patterns in the same file; in a file of nothing but tests, of any pattern. Outputs cannot be
given: give the events that they are made from.

Wrong:

  expect { 30s frauds { card: "c1" } }

Right:

  expect { 30s fraud { card: "c1" } }"#,
    ),
    error(
        "E141",
        "event without all its fields",
        r#"An event in a test has a value for each field that is not declared with `?`. Its time follows from
its offset.

Wrong:

  0s Txn { card: "c1" }

Right:

  0s Txn { card: "c1", amount: 5.00 }"#,
    ),
    error(
        "E142",
        "time given twice",
        r#"The offset at the start of the row is the time of the event.

Wrong:

  0s Txn { at: "2024-01-01T00:00:00Z", card: "c1" }

Right:

  0s Txn { card: "c1" }"#,
    ),
    error(
        "E143",
        "unknown field in a test",
        r#"The event, the table or the output has no field of this name.

Wrong:

  30s fraud { crad: "c1" }

Right:

  30s fraud { card: "c1" }"#,
    ),
    error(
        "E144",
        "value of another type in a test",
        r#"The value has another type than the field. Timestamps are written as offsets on the clock of the
test, or in RFC 3339.

Wrong:

  0s Txn { card: 1 }

Right:

  0s Txn { card: "1" }"#,
    ),
    error(
        "E145",
        "test without a pattern",
        r#"A test compares the outputs of the patterns in its file, or, in a file of nothing but tests, of all
patterns of the run. There is none."#,
    ),
];
