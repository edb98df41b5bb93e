//! Hides what only follows from a mistake in how a file is written.
//!
//! The checker sees declarations that were mended by guess, and does not see those that could not be read. What it
//! says inside the former, and about names of the latter, would send people after mistakes they never made.

use std::collections::HashSet;

use super::ast::{File, Item};
use super::diagnostic::codes_syntax::SYNTAX;
use super::diagnostic::{Diagnostic, Severity};
use super::lexer::lex;
use super::parser::TOKENS_MAX;
use super::span::{FileId, SourceMap, Span};
use super::token::{Tok, Token};

/// What must not be trusted after mistakes in how files are written.
#[derive(Debug, Default)]
pub(super) struct Spoilt {
    /// Declarations that hold a mistake.
    items: Vec<(FileId, Span)>,
    /// Names that are declared where nothing could be read.
    names: HashSet<String>,
}

impl Spoilt {
    /// `found` are the mistakes of the parser alone.
    pub(super) fn find(
        sources: &SourceMap,
        files: &[(FileId, File)],
        found: &[Diagnostic],
    ) -> Spoilt {
        let mut spoilt = Spoilt::default();
        for (id, file) in files {
            let mistakes: Vec<Span> = found
                .iter()
                .filter(|d| d.primary.file == *id && d.severity == Severity::Error)
                .map(|d| d.primary.span)
                .collect();
            if mistakes.is_empty() {
                continue;
            }
            let items: Vec<Span> = file.items.iter().map(place).collect();
            let text = &sources.get(*id).text;
            let tokens = lex(*id, text, TOKENS_MAX).tokens;
            spoilt.names.extend(names_outside(text, &tokens, &items));
            let mended = items
                .into_iter()
                .filter(|item| mistakes.iter().any(|m| holds(*item, *m)));
            spoilt.items.extend(mended.map(|item| (*id, item)));
        }
        spoilt
    }

    /// Whether a message of the checker is better not shown.
    pub(super) fn hides(&self, diagnostic: &Diagnostic, sources: &SourceMap) -> bool {
        if self.items.is_empty() && self.names.is_empty() {
            return false;
        }
        let label = &diagnostic.primary;
        let named = || {
            let text = &sources.get(label.file).text;
            text.get(label.span.start as usize..label.span.end as usize)
                .is_some_and(|name| self.names.contains(name))
        };
        let inside = || {
            let mut items = self.items.iter();
            items.any(|(file, item)| *file == label.file && holds(*item, label.span))
        };
        !SYNTAX.iter().any(|info| info.code == diagnostic.code) && (inside() || named())
    }
}

fn holds(item: Span, place: Span) -> bool {
    item.start <= place.start && place.end <= item.end
}

fn place(item: &Item) -> Span {
    match item {
        Item::Event(event) => event.span,
        Item::Table(table) => table.span,
        Item::Param(param) => param.span,
        Item::Fn(function) => function.span,
        Item::Pattern(pattern) => pattern.span,
        Item::Test(test) => test.span,
    }
}

/// The names that follow a declaring word, outside of `items`, which are in order.
fn names_outside<'a>(
    text: &'a str,
    tokens: &'a [Token],
    items: &'a [Span],
) -> impl Iterator<Item = String> + 'a {
    tokens.windows(2).filter_map(move |pair| {
        let declares = matches!(
            pair[0].tok,
            Tok::Event
                | Tok::Table
                | Tok::Param
                | Tok::Fn
                | Tok::Pattern
                | Tok::Emit
                | Tok::Each
                | Tok::Timeout
        );
        let next = items.partition_point(|item| item.end <= pair[0].span.start);
        let inside = items
            .get(next)
            .is_some_and(|item| holds(*item, pair[0].span));
        (declares && !inside && pair[1].is_word()).then(|| pair[1].text(text).to_owned())
    })
}
