//! Says in words what the parser stumbled over, and mends what is clear.
//!
//! The parser knows only which tokens would have fitted. Here the mistakes that people make are told apart, by the tokens
//! around the place; what is none of them is reported as “expected …, found …” with the form of the clause.

mod expected;
mod habitual;

use super::diagnostic::{CodeInfo, Diagnostic};
use super::lexer::shorten;
use super::parser::{Stumble, read};
use super::span::{FileId, Span};
use super::syntax_error::error;
use super::token::{Start, Tok, Token};
use super::tree::Tree;

pub(super) use expected::{CLAUSES, foreign_clause, unknown_declaration};
pub(super) use habitual::explain;

/// A token that does not fit, with what is around it.
pub(super) struct Mistake<'a> {
    file: FileId,
    text: &'a str,
    start: Start,
    tokens: &'a [Token],
    /// The number of the token that does not fit; past the last one if something is missing at the end.
    at: usize,
    /// The tokens that would fit, by their names in the grammar.
    expected: Vec<&'static str>,
}

/// What makes a piece of text readable again.
pub(super) struct Mend {
    /// From this token on …
    at: usize,
    /// … so many are replaced …
    remove: usize,
    /// … by this one.
    insert: Option<Tok>,
}

impl Mend {
    /// The tokens, mended.
    pub(super) fn apply(&self, tokens: &[Token]) -> Vec<Token> {
        let mut out = tokens.to_vec();
        let end = (self.at + self.remove).min(out.len());
        let at = self.at.min(end);
        let place = match out.get(at) {
            Some(token) if self.remove > 0 => token.span,
            // What is inserted has no place of its own.
            Some(token) => Span {
                start: token.span.start,
                end: token.span.start,
            },
            None => out.last().map_or(Span::default(), |token| token.span),
        };
        out.splice(at..end, self.insert.map(|tok| Token { tok, span: place }));
        out
    }
}

impl<'a> Mistake<'a> {
    pub(super) fn new(
        file: FileId,
        text: &'a str,
        start: Start,
        tokens: &'a [Token],
        stumble: Stumble,
    ) -> Mistake<'a> {
        let (at, guess) = match stumble {
            Stumble::UnrecognizedToken { token, expected } => {
                // Inserted tokens have no length and share their start with the token after them.
                let place = Span {
                    start: token.0,
                    end: token.2,
                };
                let same = |t: &Token| t.span == place && t.tok == token.1;
                let at = tokens.iter().position(same);
                (at.unwrap_or(tokens.len()), expected)
            }
            Stumble::UnrecognizedEof { expected, .. } => (tokens.len(), expected),
            _ => (tokens.len(), Vec::new()),
        };
        let mut mistake = Mistake {
            file,
            text,
            start,
            tokens,
            at,
            expected: Vec::new(),
        };
        mistake.expected = mistake.fitting(&guess);
        mistake
    }

    /// The tokens that fit. Tables that merge states reduce before they notice a mistake, and then no longer know all that
    /// would have fitted; so every kind of token is tried. Where that would take long, `guess` does.
    fn fitting(&self, guess: &[String]) -> Vec<&'static str> {
        const PROBED_TOKENS_MAX: usize = 2_000;
        let named = |name: &str| guess.iter().any(|g| g.trim_matches('"') == name);
        let mut probe = self.tokens[..self.at].to_vec();
        let end = probe.last().map_or(0, |token| token.span.end);
        let mut fits = |&(tok, name): &(Tok, &'static str)| {
            if self.at > PROBED_TOKENS_MAX {
                return named(name);
            }
            let span = Span { start: end, end };
            probe.push(Token { tok, span });
            let mut tree = Tree::new(self.file, self.text);
            let read = read(&mut tree, self.start, &probe);
            probe.pop();
            !matches!(read, Err(Stumble::UnrecognizedToken { .. }))
        };
        let mut kinds = Tok::KINDS.to_vec();
        kinds.retain(|kind| fits(kind));
        kinds.into_iter().map(|(_, name)| name).collect()
    }

    /// The token that does not fit, or at the end the one after which something is missing.
    pub(super) fn place(&self) -> Span {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.map_or(Span::default(), |token| token.span)
    }

    /// Whether something is missing at the end rather than wrong in the middle.
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The token before it.
    pub(super) fn previous(&self) -> Option<Token> {
        self.back(1)
    }

    /// The token so many before it.
    fn back(&self, count: usize) -> Option<Token> {
        self.at.checked_sub(count).map(|at| self.tokens[at])
    }

    fn back_tok(&self, count: usize) -> Option<Tok> {
        self.back(count).map(|token| token.tok)
    }

    /// The kind of the token so many behind it; 0 is the one that does not fit.
    fn tok(&self, ahead: usize) -> Option<Tok> {
        self.tokens.get(self.at + ahead).map(|token| token.tok)
    }

    fn word(&self, ahead: usize) -> &'a str {
        self.tokens
            .get(self.at + ahead)
            .map_or("", |token| token.text(self.text))
    }

    fn expects(&self, tok: &str) -> bool {
        self.expected.contains(&tok)
    }

    fn expects_operand(&self) -> bool {
        self.expects("number")
    }

    /// Whether an expression ended here, which an operator could continue.
    fn expects_operator(&self) -> bool {
        self.expects("%")
    }

    /// Whether the piece is a sequence of steps.
    fn in_sequence(&self) -> bool {
        self.start == Start::Step
            || (self.start == Start::Clause
                && self.tokens.first().is_some_and(|t| t.tok == Tok::Match))
    }

    /// Whether what stands before this token is complete by itself.
    fn is_complete(&self) -> bool {
        let mut tree = Tree::new(self.file, self.text);
        read(&mut tree, self.start, &self.tokens[..self.at]).is_ok()
    }

    fn error(
        &self,
        code: CodeInfo,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        error(code, self.file, span, message, label)
    }

    /// A token for a message.
    fn shown(&self, token: Token) -> String {
        let text = token.text(self.text);
        match token.tok {
            Tok::Text => format!("the text {}", shorten(text)),
            Tok::Duration(_) => format!("the duration `{}`", shorten(text)),
            Tok::Int(_) | Tok::Number => format!("the number `{}`", shorten(text)),
            _ => format!("`{}`", shorten(text)),
        }
    }
}
