//! Human words for what the grammar expects.

use super::super::diagnostic::Diagnostic;
use super::super::diagnostic::codes_syntax as codes;
use super::super::lexer::shorten;
use super::super::span::FileId;
use super::super::syntax_error::error;
use super::super::token::{Start, Tok, Token};
use super::Mistake;

/// What a pattern is made of.
pub(in crate::lang) const CLAUSES: &str =
    "the clauses are from, key, match, within, having, skip, limit, bound, emit and timeout";

/// The way out for words that start clauses in other languages.
pub(in crate::lang) fn foreign_clause(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "select" | "return" | "output" | "yield" | "measures" | "define" | "insert" | "alert" => {
            "what a match puts out is written `emit name { field, other: expression }`, at the end"
        }
        "group" | "partition" | "grouped" => "events are kept apart by `key field`, before `match`",
        "order" | "sort" => "events are in the order of their time; there is nothing to sort by",
        "where" | "filter" | "when" | "if" => {
            "conditions stand in the step: `a: Type where …`; a condition on the whole match is `having …`"
        }
        "sequence" | "seq" | "pattern" | "find" | "detect" => {
            "the sequence is written `match a: A then b: B`"
        }
        "during" | "window" | "in" | "timewindow" => {
            "the bound is written `within 10m`, after the sequence"
        }
        "throttle" | "suppress" | "cooldown" => "write `limit 1 per 1h`",
        "by" => "events are kept apart by `key field`; `by` belongs to `limit 1 per 1h by field`",
        _ => return None,
    })
}

/// Something at the top of a file that declares nothing.
pub(in crate::lang) fn unknown_declaration(file: FileId, text: &str, first: Token) -> Diagnostic {
    let word = first.text(text);
    let meant = match word.to_ascii_lowercase().as_str() {
        "rule" | "query" | "detect" | "alert" | "match" | "patterns" => Some("pattern name { … }"),
        "stream" | "struct" | "type" | "schema" | "record" | "events" => {
            Some("event Name { at: timestamp time, … }")
        }
        "let" | "const" | "var" | "set" | "parameter" | "params" => {
            Some("param name: type = value")
        }
        "function" | "def" | "func" | "fun" => Some("fn name(a: type): type = expression"),
        "lookup" | "map" | "reference" => Some("table Name { … } key field"),
        "tests" | "scenario" => Some("test \"…\" { given { … } expect { … } }"),
        _ => None,
    };
    let help = match meant {
        Some(form) => format!("write `{form}`"),
        None if rank_of_clause(first.tok) => {
            "clauses stand inside `pattern name { … }`; a closing brace further up may be one too many".to_owned()
        }
        None => "a file holds event, table, param, fn, pattern and test".to_owned(),
    };
    error(
        codes::UNKNOWN_DECLARATION,
        file,
        first.span,
        format!("`{}` declares nothing", shorten(word)),
        "not a declaration",
    )
    .help(help)
}

fn rank_of_clause(tok: Tok) -> bool {
    matches!(
        tok,
        Tok::From
            | Tok::Key
            | Tok::Unkeyed
            | Tok::Within
            | Tok::Having
            | Tok::Skip
            | Tok::Limit
            | Tok::Bound
            | Tok::Emit
            | Tok::Timeout
    )
}

impl Mistake<'_> {
    /// What would fit, in words; `None` if nothing would.
    pub(super) fn expectation(&self) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        let step = self.in_sequence() && self.expects("all") && self.expects("(");
        if self.expects_operand() {
            words.push("an expression".to_owned());
        } else if step {
            words.push("a step".to_owned());
        } else if self.expects("word") {
            words.push(self.kind_of_name().to_owned());
        }
        for (tok, kind) in [
            ("duration", "a duration such as `10m`"),
            ("int", "a whole number"),
            ("text", "a text in double quotes"),
        ] {
            if self.expects(tok) && !self.expects_operand() {
                words.push(kind.to_owned());
            }
        }
        let named = self.expects("word");
        let operators = self.expects_operator();
        for &tok in &self.expected {
            let kind = matches!(tok, "word" | "duration" | "int" | "text" | "number");
            let is_word = tok.starts_with(|c: char| c.is_ascii_alphabetic());
            // Where a name fits every keyword does, and where an operator fits all of them do.
            let operator = operators
                && (!is_word || matches!(tok, "and" | "or" | "in" | "not"))
                && !matches!(tok, "," | "}" | ")" | "]");
            let quantifier = self.in_sequence() && matches!(tok, "+" | "*" | "?" | "??" | "{");
            if kind
                || operator
                || quantifier
                || (named && (is_word || !words.is_empty() && tok != "}"))
            {
                continue;
            }
            words.push(format!("`{tok}`"));
        }
        if operators {
            words.push("an operator".to_owned());
        }
        words.dedup();
        words.truncate(7);
        let (last, rest) = words.split_last()?;
        Some(match rest {
            [] => last.clone(),
            _ => format!("{} or {last}", rest.join(", ")),
        })
    }

    fn kind_of_name(&self) -> &'static str {
        let first = self.tokens.first().map(|token| token.tok);
        match (self.back_tok(1), first) {
            (Some(Tok::Colon), Some(Tok::Event | Tok::Table | Tok::Param | Tok::Fn)) => "a type",
            (Some(Tok::Colon), _) if self.start == Start::Field => "a type",
            (Some(Tok::Emit | Tok::Each | Tok::Timeout), _) => "the name of the output",
            (Some(Tok::From), Some(Tok::From)) => "an event type",
            (Some(Tok::Event | Tok::Table | Tok::Param | Tok::Fn | Tok::Pattern), _) => "a name",
            (Some(Tok::To | Tok::Last), Some(Tok::Skip)) => "`next`, `last` or a variable",
            (Some(Tok::Until | Tok::Not | Tok::Colon), _) if self.in_sequence() => "an event type",
            (Some(Tok::Dot | Tok::Key | Tok::BraceOpen | Tok::Comma), _) => "a field",
            (Some(Tok::Duration(_)), _) => "the name of an event type or output",
            _ => "a name",
        }
    }

    /// How the piece is written when it is right.
    pub(super) fn form(&self) -> Option<&'static str> {
        Some(match (self.start, self.tokens.first()?.tok) {
            (Start::Field, _) => "name: type",
            (Start::Step, _) => "then b: Type where condition",
            (Start::Row, _) => "30s Name { field: value }",
            (Start::Entry, _) => "name: expression",
            (_, Tok::Event) => "event Name { at: timestamp time, field: type }",
            (_, Tok::Table) => "table Name { field: type, other: type } key field",
            (_, Tok::Param) => "param name: type = value",
            (_, Tok::Fn) => "fn name(a: type): type = expression",
            (_, Tok::Test) => {
                "test \"…\" { given { 0s Type { field: value } } expect { 30s output { field: value } } }"
            }
            (_, Tok::From) => "from Type, Other",
            (_, Tok::Key) => "key field",
            (_, Tok::Match) => "match a: Type where condition then b: Type",
            (_, Tok::Within) => "within 10m",
            (_, Tok::Having) => "having condition",
            (_, Tok::Skip) => "skip past match",
            (_, Tok::Limit) => "limit 5 per 1h by field",
            (_, Tok::Bound) => "bound 1000 evict oldest",
            (_, Tok::Emit) => "emit name { field, other: expression }",
            (_, Tok::Timeout) => "timeout name { field, other: expression }",
            _ => return None,
        })
    }
}
