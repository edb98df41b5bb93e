//! From the syntax tree to text: the formatter.
//!
//! There is one way to write a file and nothing to configure. The printer walks the tree and the tokens of the original
//! text side by side: the tree says what to print, the tokens say where the comments and empty lines between two
//! of them belong. A tree without its text is printed all the same, only without these.
//!
//! Printing what was parsed and parsing it again gives the same tree; printing again gives the same text.

mod clause;
mod expr;
mod layout;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::ast::{Comment, File, Ident};
use super::lexer::{lex, unescape};
use super::parser::TOKENS_MAX;
use super::span::FileId;
use super::token::{Tok, Token};
use crate::time;
use layout::{Blank, Command, CommentLine, CommentPlace, Gap, render};

/// The canonical text of `file`, which was parsed from `text`. Linear in both.
#[must_use]
pub fn print(file: &File, text: &str) -> String {
    let tokens = lex(FileId(0), text, TOKENS_MAX).tokens;
    let mut printer = Printer {
        text,
        tokens: &tokens,
        comments: &file.comments,
        commands: Vec::new(),
        gap: None,
    };
    printer.file(file);
    printer.rest_of_comments();
    render(&printer.commands)
}

/// Which empty lines of the text stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// None.
    Nothing,
    /// One where there were some.
    Blank,
    /// One in any case.
    ForceBlank,
}

struct Printer<'a> {
    text: &'a str,
    /// Those not yet printed.
    tokens: &'a [Token],
    /// Those not yet printed.
    comments: &'a [Comment],
    commands: Vec<Command<'a>>,
    /// The gap that comments before the next token take the place of.
    gap: Option<(usize, Keep)>,
}

impl<'a> Printer<'a> {
    // Gaps

    fn put_gap(&mut self, gap: Gap, keep: Keep) {
        self.gap = Some((self.commands.len(), keep));
        self.commands.push(Command::Gap(gap));
    }

    fn space(&mut self) {
        self.put_gap(Gap::Space, Keep::Nothing);
    }

    /// A space, or a line end if the group is broken.
    fn break_or_space(&mut self, keep: Keep) {
        self.put_gap(Gap::Break(" ", Blank::No), keep);
    }

    /// Nothing, or a line end if the group is broken.
    fn break_or_nothing(&mut self) {
        self.put_gap(Gap::Break("", Blank::No), Keep::Nothing);
    }

    fn line(&mut self, keep: Keep) {
        let blank = match keep {
            Keep::ForceBlank if !self.commands.is_empty() => Blank::Yes,
            _ => Blank::No,
        };
        self.put_gap(Gap::Line(blank), keep);
    }

    fn open(&mut self) {
        self.commands.push(Command::Open);
    }

    fn close(&mut self) {
        self.commands.push(Command::Close);
    }

    fn indent(&mut self, columns: isize) {
        self.commands.push(Command::Indent(columns));
    }

    // Tokens

    /// A keyword, a sign or a name.
    fn word(&mut self, word: impl Into<Cow<'a, str>>) {
        let word = word.into();
        let text = self.text;
        if let Some(token) = self.find(|token| token.text(text) == word) {
            self.comments_before(token.span.start);
        }
        self.push(word);
    }

    fn ident(&mut self, ident: &'a Ident) {
        self.word(ident.name.as_str());
    }

    /// A comma. Comments before it move behind it.
    fn comma(&mut self) {
        self.find_next(|token| token.tok == Tok::Comma);
        self.push(",".into());
    }

    /// A comma after the last of several, which only stands at the end of a line.
    fn last_comma(&mut self) {
        self.find_next(|token| token.tok == Tok::Comma);
        self.gap = None;
        self.commands.push(Command::TextIfBroken(","));
    }

    /// As it was written, if it was: `90m` stays `90m`.
    fn duration(&mut self, value: time::Span) -> Cow<'a, str> {
        let token = self.find(|token| token.tok == Tok::Duration(value.0));
        match token {
            Some(token) => {
                self.comments_before(token.span.start);
                token.text(self.text).into()
            }
            None => value.to_string().into(),
        }
    }

    /// As it was written, if it was: an escape stays one.
    fn quoted(&mut self, value: &str) {
        let text = self.text;
        let same = |token: &Token| {
            let inner = token
                .text(text)
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            token.tok == Tok::Text && inner.is_some_and(|inner| unescape(inner, |_, _| {}) == value)
        };
        match self.find(same) {
            Some(token) => {
                self.comments_before(token.span.start);
                self.push(token.text(text).into());
            }
            None => self.push(quoted(value).into()),
        }
    }

    fn push(&mut self, text: Cow<'a, str>) {
        self.gap = None;
        self.commands.push(Command::Text(text));
    }

    /// The next token of the text if it is the one wanted. Parentheses and commas may be passed over: the printer
    /// leaves out those that are not needed.
    fn find(&mut self, wanted: impl Fn(&Token) -> bool) -> Option<Token> {
        for (at, token) in self.tokens.iter().enumerate() {
            if wanted(token) {
                self.tokens = &self.tokens[at + 1..];
                return Some(*token);
            }
            if !matches!(token.tok, Tok::ParenOpen | Tok::ParenClose | Tok::Comma) {
                break;
            }
        }
        None
    }

    /// The next token of the text if it is the one wanted, with nothing passed over.
    fn find_next(&mut self, wanted: impl Fn(&Token) -> bool) {
        if let Some((_, rest)) = self.tokens.split_first().filter(|(next, _)| wanted(next)) {
            self.tokens = rest;
        }
    }

    // Comments and empty lines

    /// Puts the comments before byte `place` of the text, and the empty line before it, where the last gap is.
    fn comments_before(&mut self, place: u32) {
        let gap = self.gap.take();
        let keep = gap.map_or(Keep::Nothing, |(_, keep)| keep);
        let count = self.comments.partition_point(|c| c.span.start < place);
        let (before, after) = self.comments.split_at(count);
        self.comments = after;
        let mut force = keep == Keep::ForceBlank;
        let mut blank = |printer: &Printer<'_>, place: u32| {
            if std::mem::take(&mut force) || (keep != Keep::Nothing && printer.blank_before(place))
            {
                Blank::Yes
            } else {
                Blank::No
            }
        };
        let mut lines = Vec::with_capacity(before.len());
        for comment in before {
            // Two comments cannot share a line, even where they now end the same one.
            let own_line = !lines.is_empty() || self.starts_line(comment.span.start);
            let place = if own_line {
                CommentPlace::OwnLine(blank(self, comment.span.start))
            } else {
                CommentPlace::Trailing
            };
            lines.push(CommentLine {
                text: &comment.text,
                place,
            });
        }
        let blank = blank(self, place);
        if !lines.is_empty() {
            let comments = Command::Comments(lines, blank);
            match gap {
                Some((at, _)) => self.commands[at] = comments,
                None => self.commands.push(comments),
            }
        } else if let Some((at, _)) = gap
            && let Command::Gap(Gap::Break(_, kept) | Gap::Line(kept)) = &mut self.commands[at]
        {
            *kept = blank;
        }
    }

    fn rest_of_comments(&mut self) {
        if !self.comments.is_empty() {
            self.line(Keep::Blank);
            let end = u32::MAX;
            self.comments_before(end);
        }
    }

    fn before(&self, place: u32) -> &'a str {
        self.text.get(..place as usize).unwrap_or(self.text)
    }

    /// Whether only blanks stand before it on its line.
    fn starts_line(&self, place: u32) -> bool {
        let before = self
            .before(place)
            .trim_end_matches(|c: char| c.is_whitespace() && c != '\n');
        before.is_empty() || before.ends_with('\n') || before == "\u{feff}"
    }

    fn blank_before(&self, place: u32) -> bool {
        let before = self.before(place);
        let blanks = &before[before.trim_end().len()..];
        blanks.bytes().filter(|&b| b == b'\n').count() > 1
    }

    // Lists

    /// `{ a, b }` on one line, or one to a line.
    fn braces<T>(&mut self, items: &'a [T], mut item: impl FnMut(&mut Self, &'a T)) {
        self.open();
        self.word("{");
        if items.is_empty() {
            self.break_or_nothing();
        } else {
            self.indent(2);
            for (at, one) in items.iter().enumerate() {
                if at > 0 {
                    self.comma();
                }
                self.break_or_space(if at > 0 { Keep::Blank } else { Keep::Nothing });
                item(self, one);
            }
            self.last_comma();
            self.indent(-2);
            self.break_or_space(Keep::Nothing);
        }
        self.word("}");
        self.close();
    }

    /// `open a, b close` on one line, or one to a line.
    fn tight<T>(
        &mut self,
        open: &'static str,
        items: &'a [T],
        close: &'static str,
        mut item: impl FnMut(&mut Self, &'a T),
    ) {
        self.open();
        self.word(open);
        self.indent(2);
        for (at, one) in items.iter().enumerate() {
            if at > 0 {
                self.comma();
                self.break_or_space(Keep::Nothing);
            } else {
                self.break_or_nothing();
            }
            item(self, one);
        }
        if !items.is_empty() {
            self.last_comma();
        }
        self.indent(-2);
        self.break_or_nothing();
        self.word(close);
        self.close();
    }

    /// `a, b` on one line, or one to a line, indented.
    fn commas<T>(&mut self, items: &'a [T], mut item: impl FnMut(&mut Self, &'a T)) {
        self.open();
        self.indent(4);
        for (at, one) in items.iter().enumerate() {
            if at > 0 {
                self.comma();
                self.break_or_space(Keep::Nothing);
            }
            item(self, one);
        }
        self.indent(-4);
        self.close();
    }
}

/// A text literal as it is written. Control characters are escaped, so that no text can write to a terminal what it likes.
#[must_use]
pub fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
