//! Codes of mistakes in how a file is written: E001 to E049.

use super::codes::CodeInfo;
use super::{Code, Severity};

macro_rules! codes {
    ($($name:ident $code:literal $title:literal $explanation:literal)*) => {
        $(pub(crate) const $name: CodeInfo = CodeInfo {
            code: Code($code),
            severity: Severity::Error,
            title: $title,
            explanation: $explanation,
        };)*

        /// Every code of this module, by number.
        pub static SYNTAX: &[CodeInfo] = &[$($name,)*];
    };
}

codes! {
    UNKNOWN_CHARACTER "E001" "unknown character" r#"Pattern files are made of names, numbers, texts in double quotes and a few signs. Any other
character may stand only inside a text or a comment. Names are made of a-z, A-Z, 0-9 and `_`; a
field whose records use other letters is declared under another name with `from`.

Wrong:

  event Order { at: timestamp time, größe: int }

Right:

  event Order { at: timestamp time, size: int from "größe" }"#

    UNTERMINATED_TEXT "E002" "text without a closing quote" r#"A text begins and ends with a double quote on the same line. The rest of the line was taken for the
text. A quote inside a text is written `\"`, a line break `\n`.

Wrong:

  where card == "c1

Right:

  where card == "c1""#

    UNKNOWN_UNIT "E003" "unknown unit of time" r#"Durations are whole numbers, each followed by a unit: `d` days, `h` hours, `m` minutes, `s` seconds,
`ms` milliseconds. Units combine from large to small. There are no weeks, months or years, whose
lengths differ.

Wrong:

  within 5min

Right:

  within 5m"#

    NUMBER_TOO_LARGE "E004" "number too large" r#"Whole numbers have 64 bits, from -9223372036854775808 to 9223372036854775807, and durations are
counted in milliseconds of that range. A larger number with a fraction, even `.0`, is a decimal or a
float.

Wrong:

  where id > 99999999999999999999

Right:

  where id > 99999999999999999999.0"#

    UNKNOWN_ESCAPE "E005" "unknown escape" r#"A backslash in a text starts an escape: `\"` a quote, `\\` a backslash, `\n` a line break, `\r` a
carriage return, `\t` a tab, `\u{20ac}` the character with that code. Regular expressions need their
backslashes doubled.

Wrong:

  where matches(url, "\d+")

Right:

  where matches(url, "\\d+")"#

    MALFORMED_NUMBER "E006" "malformed number" r#"Numbers are written with all their digits, as `12` or `1.50`. There are no exponents, no `_` between
digits and no hexadecimal numbers. Durations are whole numbers with units.

Wrong:

  where amount > 1e5 and waited < 1.5h

Right:

  where amount > 100000 and waited < 1h30m"#

    SINGLE_QUOTES "E007" "text in single quotes" r#"Texts stand in double quotes. Single quotes have no meaning.

Wrong:

  where card == 'c1'

Right:

  where card == "c1""#

    FOREIGN_OPERATOR "E008" "operator of another language" r#"Conditions are joined by the words `and`, `or` and `not`; values are compared by `==` and `!=`.
Clauses follow each other without a sign between or behind them.

Wrong:

  where amount > 1 && !blocked

Right:

  where amount > 1 and not blocked"#

    FOREIGN_COMMENT "E009" "comment of another language" r#"A comment starts with `#` and ends with its line. There are no comments over several lines: each
line has its own `#`.

Wrong:

  // cards only

Right:

  # cards only"#

    UNIT_ORDER "E010" "units of a duration out of order" r#"The units of a duration go from large to small, and each stands at most once: so every duration
reads the same way.

Wrong:

  within 30m1h

Right:

  within 1h30m"#

    UNEXPECTED "E011" "something else was expected here" r#"What stands here does not fit what stands before it. The message names what would fit, and the help
shows how the clause or declaration is written. Often the mistake is just before the place: a word,
a name or a sign is missing there.

Wrong:

  limit 5m per 1h

Right:

  limit 5 per 1h"#

    UNCLOSED "E012" "bracket that is never closed" r#"Every `(`, `[` and `{` needs its partner in the same declaration. The place is the bracket that
stayed open; the second label shows where its partner must stand at the latest. If the lines are
indented as the formatter does it, the bracket shown is the one that was forgotten.

Wrong:

  where (amount > 500

Right:

  where (amount > 500)"#

    STRAY_BRACKET "E013" "bracket that closes nothing" r#"This bracket has no opening partner. Remove it, or look further up for one that closes too early.

Wrong:

  where amount > 500)

Right:

  where amount > 500"#

    UNKNOWN_DECLARATION "E014" "unknown declaration" r#"A file holds declarations only, each begun by its keyword: `event`, `table`, `param`, `fn`,
`pattern` and `test`. Clauses of a pattern stand inside its braces; if one is reported here, a brace
further up closes the pattern too early.

Wrong:

  rule fraud { … }

Right:

  pattern fraud { … }"#

    UNKNOWN_CLAUSE "E015" "unknown clause" r#"A pattern is made of the clauses from, key, match, within, having, skip, limit, bound, emit and
timeout. Words of other languages have their counterparts: `group by` is `key`, `select` is `emit`,
a condition on one event stands in the step that it belongs to.

Wrong:

  match a: Txn
  group by card
  select card

Right:

  key card
  match a: Txn
  emit hit { card }"#

    CLAUSE_ORDER "E016" "clauses in the wrong order" r#"The clauses of a pattern stand in one order, so that every pattern reads alike: from, key, match,
within, having, skip, limit, bound, and at the end the outputs, emit and timeout, in any number.

Wrong:

  having count(a) > 3
  within 10m

Right:

  within 10m
  having count(a) > 3"#

    CLAUSE_TWICE "E017" "clause that stands twice" r#"Every clause stands at most once in a pattern, except for the outputs `emit` and `timeout`. Two
bounds or two conditions would leave open which one rules. Join conditions by `and`; a bound between
two steps belongs to the connector.

Wrong:

  within 10m
  within 20m

Right:

  within 10m"#

    NO_KEY "E018" "pattern without a key" r#"Events are told apart by a key, and a match consists of events of one key. Say by which fields, or
say `unkeyed` if all events belong together. There is no default: an unkeyed pattern runs on one
core and mixes what belongs to different cards, users or devices.

Wrong:

  pattern p {
  match a: Txn
  emit hit { card }
}

Right:

  pattern p {
  key card
  match a: Txn
  emit hit { card }
}"#

    NO_MATCH "E019" "pattern without `match`" r#"The `match` clause says which sequence of events is looked for. It stands after the key.

Wrong:

  pattern p {
  key card
  emit hit { card }
}

Right:

  pattern p {
  key card
  match a: Txn where amount > 500
  emit hit { card }
}"#

    NO_OUTPUT "E020" "pattern that emits nothing" r#"A pattern ends with one or more outputs. Each is a stream of rows that goes to a sink and that other
patterns may read. A pattern without one would do its work for nobody.

Wrong:

  pattern p {
  key card
  match a: Txn
}

Right:

  pattern p {
  key card
  match a: Txn
  emit hit { card }
}"#

    FOREIGN_CONNECTOR "E021" "connector of another language" r#"Steps are joined by `then` (the next event that satisfies the step), `then any` (every later one in
turn) or `next` (the very next event). Words such as `followed by`, `and then`, `->` or a comma are
not used. Steps in any order are `all(a: A, b: B)`.

Wrong:

  match a: A followed by b: B

Right:

  match a: A then b: B"#

    ASSIGNMENT "E022" "`=` instead of `==`" r#"`==` compares two values. A single `=` gives a name its value in `param`, `fn` and `key`, and never
stands in a condition.

Wrong:

  where card = "c1"

Right:

  where card == "c1""#

    COMPARISON_CHAIN "E023" "chained comparison" r#"A comparison gives true or false, which is not compared with a third value. Write two comparisons
and join them by `and`.

Wrong:

  where 1 < amount < 500

Right:

  where 1 < amount and amount < 500"#

    MISSING_OPERAND "E024" "missing expression" r#"After `where`, `having` and operators an expression must follow. Here a keyword follows. Since
keywords may name fields, the keyword was taken for a field at first; the words behind it show that
it was not meant so.

Wrong:

  match a: A where then b: B

Right:

  match a: A where amount > 5 then b: B"#

    NEGATION "E025" "too much after `not`" r#"`not` rules out one kind of event, given by its type and condition. It binds no variable, since
nothing is bound. It has no loop and no `until`: a single event breaks the rule. A sequence is ruled
out by matching it in a pattern of its own and negating that pattern's output.

Wrong:

  then not x: Block+

Right:

  then not Block where reason == "fraud""#

    LONELY_ALL "E026" "`all` with one member" r#"`all(p, q)` matches its members in any order, so it needs two at least. Members are separated by
commas.

Wrong:

  match all(a: A)

Right:

  match all(a: A, b: B)"#

    LOOP_PLACE "E027" "loop in the wrong place" r#"How often a step repeats stands right after its event type, before `where`: behind a condition, `+`
and `*` would be arithmetic. What joins the repeats (`consecutive`, `combinations`) and what closes
the loop (`gap`, `tumble`, `hop`, `for`) follow the sign.

Wrong:

  match a: A where x > 1 {3,}

Right:

  match a: A{3,} where x > 1"#

    CONNECTOR_BOUND "E028" "bound of a connector behind its step" r#"A bound on the wait for a step stands right after the connector that leads to it. After the last
step, `within` bounds the whole sequence from its first to its last event.

Wrong:

  match a: A then b: B within 5m then c: C

Right:

  match a: A then within 5m b: B then c: C"#

    NO_UNIT "E029" "duration without a unit" r#"Durations always have a unit, so that nobody takes seconds for milliseconds: `d`, `h`, `m`, `s` or
`ms`.

Wrong:

  within 10

Right:

  within 10m"#

    MISSING_COMMA "E030" "missing comma" r#"Fields, rows of fields, arguments and members of lists are separated by commas, also across lines. A
comma after the last field is allowed.

Wrong:

  emit hit { card amount: a.amount }

Right:

  emit hit { card, amount: a.amount }"#

    KEYWORD_AS_NAME "E031" "keyword as a name" r#"Words that start or follow a step, such as `then`, `within` or `match`, cannot name variables, event
types, tables or outputs. Fields may be called by any word at all.

Wrong:

  match then: A next within: B

Right:

  match first_a: A next second: B"#

    ANNOTATION "E032" "malformed annotation" r#"An annotation stands before a pattern and is a name with one text in parentheses. It is handed
through to the outputs and means nothing to the engine.

Wrong:

  @severity(high)

Right:

  @severity("high")"#

    INCOMPLETE_TEST "E033" "test without `given` or `expect`" r#"A test says which events arrive and exactly which rows come out. An empty `expect` asserts silence;
leaving it out would leave open whether silence was meant.

Wrong:

  test "t" { given { 0s A { x: 1 } } }

Right:

  test "t" { given { 0s A { x: 1 } } expect {} }"#

    FILE_TOO_LARGE "E040" "file too large" r#"Pattern files are read up to 8 MiB, so that a file given by mistake, such as a data file, is refused
at once. Reference data belongs into a table that is loaded at start.

Wrong:

  table Rates { … } with a million rows in the file

Right:

  table Rates { country: string, rate: decimal } key country"#

    NESTING_TOO_DEEP "E041" "brackets nested too deep" r#"Parentheses, braces and square brackets may stand inside each other 64 deep. Nobody reads deeper
ones; they come from generated files. Remove parentheses that are not needed, or name a part by a
`fn`.

Wrong:

  ((((…))))

Right:

  fn part(a: int): int = …"#

    EXPRESSION_TOO_DEEP "E042" "expression too deep" r#"Operators, calls and fields may lie inside each other 200 deep, and each operator of a chain such as
`a or b or c` is one level. Long chains of comparisons are better written as a list or kept in a
table.

Wrong:

  where c == "a" or c == "b" or …

Right:

  where c in ["a", "b", …]"#

    TOO_MANY_TOKENS "E043" "too many words and signs in one file" r#"One file holds at most 2,000,000 words, signs and comments. Patterns may be spread over any number
of files; those of one run see each other's declarations.

Wrong:

  one file with 50,000 patterns

Right:

  a folder of files with a few patterns each"#

    TOO_MANY_MISTAKES "E044" "too many mistakes in one file" r#"After the first hundred mistakes of a file no more are reported. Mend these first: the others may
follow from them, or the file may not be a pattern file at all.

Wrong:

  leitmotif check data.csv

Right:

  leitmotif check patterns/"#
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_explained() {
        for pair in SYNTAX.windows(2) {
            assert!(pair[0].code < pair[1].code);
        }
        for info in SYNTAX {
            assert!(
                info.explanation.contains("Wrong:") && info.explanation.contains("Right:"),
                "{:?}",
                info.code
            );
        }
    }
}
