//! The words and signs a pattern file is made of.
//!
//! A token carries its kind and its place; what it says is read from the text again, so tokens are
//! small and borrow nothing.

use super::span::Span;

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)* ; $($sign:ident = $sign_text:literal,)*) => {
        /// What a token is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub(crate) enum Tok {
            /// Not a token of the text: says what the parser is to read. See `motif.lalrpop`.
            Start(Start),
            /// A name that is no keyword.
            Word,
            /// `12`
            Int(i64),
            /// `1.50`
            Number,
            /// `1h30m`, in milliseconds.
            Duration(i64),
            /// `"text"`, quotes included in its place.
            Text,
            $($name,)*
            $($sign,)*
        }

        impl Tok {
            /// The keyword that is written like this.
            pub(crate) fn keyword(word: &str) -> Option<Tok> {
                match word {
                    $($text => Some(Tok::$name),)*
                    _ => None,
                }
            }

            /// True for words that have a meaning of their own.
            pub(crate) fn is_keyword(self) -> bool {
                matches!(self, $(Tok::$name)|*)
            }

            /// Keywords and signs as they are written; `None` for the kinds that differ from token to token.
            pub(crate) fn written(self) -> Option<&'static str> {
                match self {
                    $(Tok::$name => Some($text),)*
                    $(Tok::$sign => Some($sign_text),)*
                    _ => None,
                }
            }

            /// One of each kind, with its name in the grammar.
            pub(crate) const KINDS: &'static [(Tok, &'static str)] = &[
                (Tok::Word, "word"),
                (Tok::Int(1), "int"),
                (Tok::Number, "number"),
                (Tok::Duration(1), "duration"),
                (Tok::Text, "text"),
                $((Tok::$name, $text),)*
                $((Tok::$sign, $sign_text),)*
            ];
        }
    };
}

tokens! {
    Event = "event",
    Table = "table",
    Param = "param",
    Fn = "fn",
    Pattern = "pattern",
    Test = "test",
    Time = "time",
    Key = "key",
    Unkeyed = "unkeyed",
    From = "from",
    Match = "match",
    Then = "then",
    Next = "next",
    Any = "any",
    All = "all",
    Not = "not",
    For = "for",
    Until = "until",
    Where = "where",
    Within = "within",
    After = "after",
    Having = "having",
    Skip = "skip",
    Past = "past",
    None = "none",
    To = "to",
    Last = "last",
    Limit = "limit",
    Per = "per",
    By = "by",
    Bound = "bound",
    Evict = "evict",
    Oldest = "oldest",
    Newest = "newest",
    Emit = "emit",
    Each = "each",
    Timeout = "timeout",
    Given = "given",
    Expect = "expect",
    Consecutive = "consecutive",
    Combinations = "combinations",
    Tumble = "tumble",
    Hop = "hop",
    Gap = "gap",
    Every = "every",
    Tz = "tz",
    And = "and",
    Or = "or",
    In = "in",
    True = "true",
    False = "false",
    Null = "null",
    ;
    BraceOpen = "{",
    BraceClose = "}",
    ParenOpen = "(",
    ParenClose = ")",
    BracketOpen = "[",
    BracketClose = "]",
    Colon = ":",
    Comma = ",",
    Dot = ".",
    At = "@",
    Bar = "|",
    Assign = "=",
    Equal = "==",
    NotEqual = "!=",
    Less = "<",
    LessEqual = "<=",
    Greater = ">",
    GreaterEqual = ">=",
    Plus = "+",
    Minus = "-",
    Star = "*",
    Slash = "/",
    Percent = "%",
    Question = "?",
    Coalesce = "??",
}

/// Which piece of a file the parser is to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Declarations.
    File,
    /// One clause of a pattern.
    Clause,
    /// One field of an event type or table.
    Field,
    /// One step, with or without the connector before it.
    Step,
    /// One row of a test.
    Row,
    /// One field of a record.
    Entry,
}

/// A token with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) tok: Tok,
    /// Where it is.
    pub(crate) span: Span,
}

impl Token {
    /// The token as it stands in `text`.
    pub(crate) fn text(self, text: &str) -> &str {
        text.get(self.span.start as usize..self.span.end as usize)
            .unwrap_or_default()
    }

    /// True for names and keywords alike.
    pub(crate) fn is_word(self) -> bool {
        self.tok == Tok::Word || self.tok.is_keyword()
    }
}
