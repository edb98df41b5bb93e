//! Codes of mistakes in names and types: E050 to E099.

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
pub static NAMES: &[CodeInfo] = &[
    error(
        "E050",
        "declared twice",
        r#"Names of patterns, events and outputs belong to all files of a run; params, functions, tables and
tests to their own file. Within that, a name is given once. An event may be declared in several
files, since its fields add up, but only once in each.

Wrong:

  param limit: int = 5
  param limit: int = 6

Right:

  param limit: int = 5
  param limit_high: int = 6"#,
    ),
    error(
        "E051",
        "declarations of an event disagree",
        r#"Several files may declare the same event, each with the fields that it reads. A field that stands in
two of them has the same type, the same `?`, the same `from`, and is the time in both or in neither.

Wrong:

  # a.motif
  event Txn { at: timestamp time, card: string }
  # b.motif
  event Txn { at: timestamp time, card: int }

Right:

  # b.motif
  event Txn { at: timestamp time, card: string, amount: decimal }"#,
    ),
    error(
        "E052",
        "unknown type",
        r#"The types are bool, int, float, decimal, string, timestamp and duration; `?` after a type says that
the value may be missing. Amounts of money are best kept as decimal, which is exact. A param always
has a value, so that it takes no `?`.

Wrong:

  event Txn { at: timestamp time, amount: money }

Right:

  event Txn { at: timestamp time, amount: decimal }"#,
    ),
    error(
        "E053",
        "time of an event",
        r#"Exactly one field of an event tells when it happened. It is a timestamp that every record has,
marked `time`. Everything that speaks of time, `within`, gaps, windows and order, goes by it. Rows
of tables have no time.

Wrong:

  event Door { at: timestamp, id: string }

Right:

  event Door { at: timestamp time, id: string }"#,
    ),
    error(
        "E054",
        "name of an output that every run has",
        r#"The engine itself writes to `late`, `malformed` and `evicted`: records that came too late, that
could not be read, and partial matches that gave way to others. Events and outputs have other names.

Wrong:

  emit late { card }

Right:

  emit overdue { card }"#,
    ),
    error(
        "E055",
        "unknown event",
        r#"A pattern reads events that are declared in one of the files of the run, and outputs of other
patterns. The name is neither.

Wrong:

  match a: Tnx

Right:

  match a: Txn"#,
    ),
    error(
        "E056",
        "unknown field",
        r#"The event that the variable is bound to has no field of this name. Outputs of patterns have the
fields of their `emit`.

Wrong:

  where amount > a.amuont

Right:

  where amount > a.amount"#,
    ),
    error(
        "E057",
        "unknown name",
        r#"A bare name in `where` is a field of the event being tested, a part of the key, or a param of the
file, in this order. In a function it is an argument or a param. Fields of events bound before are
written with their variable.

Wrong:

  match a: Txn then b: Txn where amount > first_amount

Right:

  match a: Txn then b: Txn where amount > a.amount"#,
    ),
    error(
        "E058",
        "unknown function",
        r#"Neither a built-in function nor one of this file has this name. Functions belong to the file that
declares them. Params and tests call built-in functions only.

Wrong:

  where lenght(merchant) > 5

Right:

  where length(merchant) > 5"#,
    ),
    error(
        "E059",
        "not a variable",
        r#"Before a dot, and in aggregates, stands the name of a step that binds events, or the event type of
its only unnamed step. Steps after `not` and `until` bind nothing, so they cannot be read. A
variable alone is no value: it needs a field.

Wrong:

  match a: Txn then not b: Door then c: Txn where amount > d.amount

Right:

  match a: Txn then not Door then c: Txn where amount > a.amount"#,
    ),
    error(
        "E060",
        "several steps of this event type",
        r#"An unnamed step can be spoken of by its event type while there is only one. When there are several,
name the one that is meant.

Wrong:

  match Txn then Txn where amount > Txn.amount

Right:

  match a: Txn then Txn where amount > a.amount"#,
    ),
    error(
        "E061",
        "unknown param in a setting",
        r#"A setting `name=value` overrides params that files declare. No file of the run declares one of this
name.

Wrong:

  --param probe_mx=7

Right:

  --param probe_max=7"#,
    ),
    error(
        "E062",
        "setting of another type",
        r#"A setting is read as the type of its param says: numbers and text without quotes, durations with
units, timestamps in RFC 3339.

Wrong:

  --param wait=10

Right:

  --param wait=10m"#,
    ),
    error(
        "E063",
        "variable named twice",
        r#"Each variable is the name of one step or of one group. To read whichever of several steps was bound,
name the group around them; its steps have one event type.

Wrong:

  match (x: Txn where amount > 9 | x: Txn where merchant == "m")

Right:

  match x: (Txn where amount > 9 | Txn where merchant == "m")"#,
    ),
    error(
        "E064",
        "read before it can be bound",
        r#"A condition is judged when its event is tested. It can read what is bound before: earlier steps,
earlier repeats, but no later step and no other alternative. The event being tested is read by bare
names.

Wrong:

  match a: Txn where amount < b.amount then b: Txn

Right:

  match a: Txn then b: Txn where amount > a.amount"#,
    ),
    error(
        "E065",
        "no event is being tested",
        r#"In `having`, `limit`, `emit` and `timeout` no event is being tested, so that a bare name is a part
of the key or a param. A field is written with the variable of its step. In a pattern of one step,
bare names are fields of its last event; in `emit each`, of the event that the row is for.

Wrong:

  match a: Txn then b: Txn emit fraud { amount }

Right:

  match a: Txn then b: Txn emit fraud { amount: b.amount }"#,
    ),
    error(
        "E066",
        "given twice",
        r#"Fields of an event, a table or an output, arguments of a function, parts of a key, and annotations
each have a name of their own.

Wrong:

  emit fraud { card, card: a.card }

Right:

  emit fraud { card, first: a.card }"#,
    ),
    error(
        "E067",
        "function that needs its own result",
        r#"Functions are written out where they are called, so that what they cost can be seen. A function that
calls itself, directly or by way of others, would never end.

Wrong:

  fn f(n: int): int = f(n - 1)"#,
    ),
    error(
        "E068",
        "field of the key missing",
        r#"A pattern tells its events apart by the key: every event type that it reads, also after `not` and in
`from`, has the field. Where it has another name, say which.

Wrong:

  match a: Txn then b: Door  key card

Right:

  key card = Txn.card | Door.badge"#,
    ),
    error(
        "E069",
        "types of the key differ",
        r#"A part of the key has the same type in all events that the pattern reads. A string is never equal to
an int.

Wrong:

  event A { at: timestamp time, user: string }
  event B { at: timestamp time, user: int }

Right:

  event B { at: timestamp time, user: string }"#,
    ),
    error(
        "E070",
        "type that cannot be a key",
        r#"Floats are hardly ever equal, and lists have no place in a key. Use a field of another type.

Wrong:

  key ratio

Right:

  key card"#,
    ),
    error(
        "E071",
        "key does not fit the inputs",
        r#"`key k = A.f | B.g` names one field for each event type that the pattern reads, and no other types.

Wrong:

  key k = Txn.card
  match a: Txn then b: Door

Right:

  key k = Txn.card | Door.badge
  match a: Txn then b: Door"#,
    ),
    error(
        "E072",
        "patterns in a circle",
        r#"A pattern may read what another one emits. If the other one in turn depends on it, neither could
ever begin.

Wrong:

  pattern p { … match a: q_out … emit p_out { … } }
  pattern q { … match a: p_out … emit q_out { … } }"#,
    ),
    error(
        "E073",
        "stream with different fields",
        r#"Several patterns, and several clauses of one, may emit the same stream. Its rows have the same
fields of the same types in the same order, so that whoever reads it knows what to expect.

Wrong:

  emit fraud { card, amount: a.amount }
  emit fraud { card }

Right:

  emit fraud { card, amount: a.amount }
  emit fraud { card, amount: b.amount }"#,
    ),
    error(
        "E074",
        "group of several event types",
        r#"The variable of a group stands for all events that the group binds. To have fields, they need one
event type. Name the steps inside instead.

Wrong:

  x: (Txn then Door)

Right:

  (a: Txn then b: Door)"#,
    ),
    error(
        "E075",
        "key of a table",
        r#"A table is looked up by one of its columns, named after the closing brace. Every row has it, and it
is of a type with exact equality.

Wrong:

  table Risk { merchant: string, level: int } key shop

Right:

  table Risk { merchant: string, level: int } key merchant"#,
    ),
    error(
        "E076",
        "too many",
        r#"Everything has a limit, so that no file can exhaust the machine that reads it: fields, types,
patterns, tests, mistakes that are told. The message names the limit."#,
    ),
    error(
        "E077",
        "unit or path of a field",
        r#"A timestamp that records hold as a number may have a unit: `timestamp(s)`, `(ms)`, `(us)`, `(ns)`.
Other types have none. `from` names the way to a nested value, names with dots between.

Wrong:

  amount: decimal from "a..b"

Right:

  amount: decimal from "a.b""#,
    ),
    error(
        "E078",
        "lookup in a table",
        r#"`Table[key].column` reads one column of the row with this key; without such a row it is null. Tables
belong to the file that declares them.

Wrong:

  where Risk[merchant] > 3

Right:

  where Risk[merchant].level > 3"#,
    ),
    error(
        "E080",
        "operands that do not fit the operator",
        r#"Arithmetic is for numbers. Of times, two timestamps have a difference, a timestamp and a duration a
sum and a difference, durations are added, and multiplied and divided by an int. `and`, `or` and
`not` are for conditions.

Wrong:

  where at - a.at + 5 > 1m

Right:

  where at - a.at + 5s > 1m"#,
    ),
    error(
        "E081",
        "types that cannot be compared",
        r#"Only values of one type, and numbers among each other, can be compared. Booleans and lists have no
order, only `==` and `!=`.

Wrong:

  where at - a.at > 30

Right:

  where at - a.at > 30s"#,
    ),
    error(
        "E082",
        "decimal mixed with float",
        r#"Decimal is exact, float is not; in a mix nobody could tell what the result is worth. Declare both as
the same type. Int goes with either, and so does a number written in the file.

Wrong:

  event Txn { at: timestamp time, amount: decimal, rate: float }
  … where amount * rate > 5

Right:

  event Txn { at: timestamp time, amount: decimal, rate: decimal }
  … where amount * rate > 5"#,
    ),
    error(
        "E083",
        "condition that is no condition",
        r#"`where` and `having` are either true or not. A number or a text alone is neither.

Wrong:

  where amount

Right:

  where amount > 0"#,
    ),
    error(
        "E084",
        "argument of another type",
        r#"The function takes a value of another type here.

Wrong:

  where hours(at) > 5

Right:

  where hour(at) > 5"#,
    ),
    error(
        "E085",
        "wrong number of arguments",
        r#"The function takes more or fewer arguments.

Wrong:

  where length(card, 5)

Right:

  where length(card) == 5"#,
    ),
    error(
        "E086",
        "text that must stand in the file",
        r#"Regular expressions, networks and time zones are checked and prepared once, before any event. So
they are written in the file, or in a param.

Wrong:

  where matches(card, merchant)

Right:

  where matches(card, "^4[0-9]{15}$")"#,
    ),
    error(
        "E087",
        "regular expression",
        r#"The regular expression cannot be compiled, or would take more than a megabyte. Look-around and back
references do not exist: every match takes time in proportion to the text. In a text a backslash is
written twice.

Wrong:

  where matches(card, "(4[0-9]")

Right:

  where matches(card, "4[0-9]")"#,
    ),
    error(
        "E088",
        "network",
        r#"A network is an IPv4 or IPv6 address with the length of its prefix.

Wrong:

  where in_cidr(ip, "10.0.0.0/33")

Right:

  where in_cidr(ip, "10.0.0.0/8")"#,
    ),
    error(
        "E089",
        "unknown time zone",
        r#"Time zones have the names of the IANA database.

Wrong:

  hour(at, "Paris")

Right:

  hour(at, "Europe/Paris")"#,
    ),
    error(
        "E090",
        "list out of place",
        r#"A list stands to the right of `in` and nowhere else, apart from tests, where it says what `collect`
is expected to give.

Wrong:

  where card == ["a", "b"]

Right:

  where card in ["a", "b"]"#,
    ),
    error(
        "E091",
        "value of another type",
        r#"The value goes where a type has been declared: a param, an argument or a result of a function, a key
of a table. Int becomes decimal or float by itself; nothing else changes its type.

Wrong:

  param limit: int = 5.5

Right:

  param limit: decimal = 5.5"#,
    ),
    error(
        "E092",
        "aggregate",
        r#"An aggregate goes over the events of one variable and computes a value from each: `sum(x.price *
x.qty)`. It holds no other aggregate and no field of another variable. `count` takes the variable
itself.

Wrong:

  where sum(a.amount * b.amount) > 5

Right:

  where sum(b.amount) * a.amount > 5"#,
    ),
    error(
        "E093",
        "function that means nothing here",
        r#"`prev` belongs into the `where` of a repeated step, `reached()` into `timeout`, `window_start()` and
`window_end()` into what is said of a window of time when it is complete, and all that reads events
into patterns, not into functions.

Wrong:

  emit fraud { from: window_start() }

Right:

  emit fraud { from: match_start() }"#,
    ),
    error(
        "E094",
        "expression grows too large",
        r#"Functions are written out where they are called. A function that uses its argument several times,
called within itself, multiplies. The result is limited so that every event costs a known amount."#,
    ),
    error(
        "E095",
        "number without a value",
        r#"The number has more digits than its type holds, or a constant overflows or divides by zero. Int
holds 64 bits, decimal 28 digits.

Wrong:

  param x: int = 9223372036854775807 + 1"#,
    ),
    error(
        "E096",
        "not a constant",
        r#"A param is known before anything is read: it is made of literals and of params declared above it.

Wrong:

  param limit: int = Risk["m1"].level

Right:

  param limit: int = 3"#,
    ),
    error(
        "E097",
        "type cannot be told",
        r#"A field that is always null has no type, and whoever reads the output could not know it.

Wrong:

  emit fraud { note: null }

Right:

  emit fraud { note: "none" }"#,
    ),
    error(
        "E098",
        "text that is no point in time",
        r#"A text beside a timestamp is read as RFC 3339, with its offset from UTC.

Wrong:

  where at > "2024-01-31"

Right:

  where at > "2024-01-31T00:00:00Z""#,
    ),
];
