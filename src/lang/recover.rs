//! Goes on after a mistake, so that one run reports them all.
//!
//! The whole file is parsed first. Only when that fails is it cut into declarations, patterns into clauses, and what
//! is still wrong into steps, fields and rows; each piece is parsed by itself and reports its own mistake. Where it is
//! clear what was meant, the piece is mended and read again. Places to cut at are guessed from keywords and line
//! starts: a wrong guess costs a superfluous message about a file that is wrong already, never a silent one.

mod pattern;

use std::borrow::Cow;

use super::ast::Item;
use super::brackets;
use super::diagnostic::Diagnostic;
use super::diagnostic::codes_syntax as codes;
use super::mistake::{self, Mistake};
use super::parser::{DIAGNOSTICS_MAX, read};
use super::span::FileId;
use super::syntax_error::error;
use super::token::{Start, Tok, Token};
use super::tree::{Piece, Tree};

/// How often one piece is mended and read again.
const MENDS_MAX: usize = 8;

/// Reads what can be read of a file that has mistakes. `known` are the mistakes that the lexer found.
pub(crate) fn recover(
    file: FileId,
    text: &str,
    tokens: &[Token],
    known: &[Diagnostic],
) -> (Vec<Item>, Vec<Diagnostic>) {
    let mut recovery = Recovery {
        file,
        text,
        known,
        items: Vec::new(),
        diagnostics: Vec::new(),
    };
    for (start, end) in recovery.declarations(tokens) {
        if recovery.is_full() {
            break;
        }
        recovery.item(&tokens[start..end]);
    }
    (recovery.items, recovery.diagnostics)
}

struct Recovery<'a> {
    file: FileId,
    text: &'a str,
    known: &'a [Diagnostic],
    items: Vec<Item>,
    diagnostics: Vec<Diagnostic>,
}

/// Where reading a piece ended for good: the first byte of the token that does not fit.
struct Stuck(u32);

impl Recovery<'_> {
    fn is_full(&self) -> bool {
        self.diagnostics.len() > DIAGNOSTICS_MAX
    }

    /// First and one past the last token of each declaration.
    fn declarations(&self, tokens: &[Token]) -> Vec<(usize, usize)> {
        let mut cuts = Vec::new();
        let mut depth = 0_usize;
        // Only annotations since the last cut: they belong to the pattern that follows.
        let mut annotations = false;
        for (at, token) in tokens.iter().enumerate() {
            let cut = match token.tok {
                Tok::At => depth == 0 || self.starts_line(tokens, at),
                _ => self.declares(tokens, at, depth),
            };
            if at == 0 || (cut && !annotations) {
                cuts.push(at);
                annotations = token.tok == Tok::At;
                depth = 0;
            } else if cut && token.tok != Tok::At {
                annotations = false;
            }
            match token.tok {
                Tok::BraceOpen | Tok::ParenOpen | Tok::BracketOpen => depth += 1,
                Tok::BraceClose | Tok::ParenClose | Tok::BracketClose => {
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
        }
        let ends = cuts.iter().skip(1).copied().chain([tokens.len()]);
        cuts.iter().copied().zip(ends).collect()
    }

    /// Whether a declaration begins here. Inside brackets it must look like one and start a line: then a closing
    /// bracket is missing before it.
    fn declares(&self, tokens: &[Token], at: usize, depth: usize) -> bool {
        let next = tokens.get(at + 1);
        let named = next.is_some_and(|token| token.is_word());
        let follows = |tok| tokens.get(at + 2).is_some_and(|token| token.tok == tok);
        let looks = match tokens[at].tok {
            Tok::Event | Tok::Table | Tok::Pattern => named && follows(Tok::BraceOpen),
            Tok::Param => named && follows(Tok::Colon),
            Tok::Fn => named && follows(Tok::ParenOpen),
            Tok::Test => next.is_some_and(|token| token.tok == Tok::Text),
            _ => return depth == 0 && self.declares_nothing(tokens, at),
        };
        let first = self.starts_line(tokens, at);
        if depth == 0 {
            looks || first
        } else {
            looks && first
        }
    }

    /// Whether something begins here, between declarations, that is none.
    fn declares_nothing(&self, tokens: &[Token], at: usize) -> bool {
        let token = tokens[at];
        let Some(last) = at.checked_sub(1).map(|at| tokens[at].tok) else {
            return false;
        };
        if !token.is_word() || !self.starts_line(tokens, at) {
            return false;
        }
        // A table goes on after its closing brace; a pattern that lacks its opening one has clauses out here.
        let looks = tokens.get(at + 1).is_some_and(|next| next.is_word())
            && tokens
                .get(at + 2)
                .is_some_and(|next| next.tok == Tok::BraceOpen);
        (last == Tok::BraceClose && token.tok != Tok::Key) || (looks && token.tok == Tok::Word)
    }

    /// Whether a token is the first on its line.
    fn starts_line(&self, tokens: &[Token], at: usize) -> bool {
        let Some(last) = at.checked_sub(1).and_then(|at| tokens.get(at)) else {
            return true;
        };
        let between = last.span.end as usize..tokens[at].span.start as usize;
        self.text
            .get(between)
            .is_some_and(|between| between.contains('\n'))
    }

    /// The end of the line that holds byte `place`.
    fn line_end(&self, place: u32) -> u32 {
        let rest = self.text.get(place as usize..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        place.saturating_add(u32::try_from(length).unwrap_or(u32::MAX))
    }

    /// Adds a mistake unless something was already said about this place.
    fn report(&mut self, diagnostic: Diagnostic) {
        let place = diagnostic.primary.span;
        if !self.diagnostics.iter().any(|d| d.primary.span == place) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Whether the lexer found a mistake between these places: what stumbles there stumbles over that.
    fn known_between(&self, start: u32, end: u32) -> bool {
        self.known.iter().any(|d| {
            let span = d.primary.span;
            span.start <= end && span.end >= start
        })
    }

    /// Reads one piece, mending it where it is clear what was meant. Every mistake is reported.
    fn piece(&mut self, start: Start, tokens: &[Token]) -> Result<Piece, Stuck> {
        let mut tokens = Cow::Borrowed(tokens);
        let mut mends = 0;
        loop {
            let mut tree = Tree::new(self.file, self.text);
            let stumble = match read(&mut tree, start, &tokens) {
                Ok(piece) => {
                    self.diagnostics.extend(tree.too_deep);
                    return Ok(piece);
                }
                Err(stumble) => stumble,
            };
            let found = Mistake::new(self.file, self.text, start, &tokens, stumble);
            let (diagnostic, mend) = mistake::explain(&found);
            let place = diagnostic.primary.span;
            let before = found.previous().map_or(place.start, |last| last.span.start);
            // Past the last token, whatever the lexer left out there is what is missing.
            let after = if found.is_at_end() {
                self.line_end(place.end)
            } else {
                place.end
            };
            if !self.known_between(before.min(place.start), after) {
                self.report(diagnostic);
            }
            let stuck = Stuck(found.place().start);
            match mend.filter(|_| mends < MENDS_MAX) {
                Some(mend) => tokens = Cow::Owned(mend.apply(&tokens)),
                None => return Err(stuck),
            }
            mends += 1;
        }
    }

    /// Reads the pieces that begin after byte `stuck` of something that went wrong there. What they say is lost with
    /// it; their mistakes are reported. `begins` says where a piece may begin, given the depth of brackets.
    fn rest(
        &mut self,
        start: Start,
        tokens: &[Token],
        stuck: &Stuck,
        begins: impl Fn(&[Token], usize, usize) -> bool,
    ) {
        let mut from = None;
        let mut depth = 0_usize;
        for at in 0..=tokens.len() {
            let token = tokens.get(at);
            let closes = token.is_some_and(|token| brackets::closes(token.tok));
            if closes {
                depth = depth.saturating_sub(1);
            }
            let begin = at < tokens.len() && begins(tokens, at, depth);
            let ends = token.is_none() || begin || (closes && depth == 0);
            if ends && let Some(from) = from.take() {
                let piece = trimmed(&tokens[from..at]);
                if !piece.is_empty() && !self.is_full() {
                    // Only the first mistake of such a piece is worth a message.
                    let _ = self.piece(start, piece);
                }
            }
            if begin && token.is_some_and(|token| token.span.start > stuck.0) {
                from = Some(at);
            }
            if token.is_some_and(|token| brackets::opens(token.tok)) {
                depth += 1;
            }
        }
    }

    fn item(&mut self, tokens: &[Token]) {
        if let Some(deep) = brackets::too_deep(self.file, tokens) {
            self.report(deep);
            return;
        }
        let before = self.diagnostics.len();
        let faults = brackets::unbalanced(self.file, self.text, tokens);
        let balanced = faults.is_empty();
        for fault in faults {
            self.report(fault);
        }
        let mut tree = Tree::new(self.file, self.text);
        let stumble = match read(&mut tree, Start::File, tokens) {
            Ok(piece) => {
                if let Piece::File(items) = piece {
                    self.items.extend(items);
                }
                self.diagnostics.extend(tree.too_deep);
                return;
            }
            Err(stumble) => stumble,
        };
        let head = after_annotations(tokens);
        match tokens[head].tok {
            Tok::Pattern => self.pattern(tokens, head, balanced),
            Tok::Event | Tok::Table | Tok::Param | Tok::Fn | Tok::Test => {
                if balanced {
                    self.plain(tokens);
                }
            }
            _ => self.report(mistake::unknown_declaration(
                self.file,
                self.text,
                tokens[head],
            )),
        }
        if self.diagnostics.len() == before && self.known.is_empty() {
            let found = Mistake::new(self.file, self.text, Start::File, tokens, stumble);
            let (diagnostic, _) = mistake::explain(&found);
            self.diagnostics.push(diagnostic);
        }
    }

    /// A declaration that is not a pattern.
    fn plain(&mut self, tokens: &[Token]) {
        if tokens[0].tok == Tok::Test && self.halves_missing(tokens) {
            return;
        }
        let stuck = match self.piece(Start::File, tokens) {
            Ok(Piece::File(items)) => {
                self.items.extend(items);
                return;
            }
            Ok(_) => return,
            Err(stuck) => stuck,
        };
        match tokens[0].tok {
            Tok::Event | Tok::Table => {
                self.rest(Start::Field, tokens, &stuck, |tokens, at, depth| {
                    depth == 1 && at > 0 && tokens[at - 1].tok == Tok::Comma
                })
            }
            Tok::Test => self.rest(Start::Row, tokens, &stuck, |tokens, at, depth| {
                depth == 2 && matches!(tokens[at].tok, Tok::Duration(_))
            }),
            _ => {}
        }
    }

    /// Reports a test without `given` or without `expect`.
    fn halves_missing(&mut self, tokens: &[Token]) -> bool {
        let has = |tok| {
            tokens
                .windows(2)
                .any(|pair| pair[0].tok == tok && pair[1].tok == Tok::BraceOpen)
        };
        let (word, help) = match (has(Tok::Given), has(Tok::Expect)) {
            (true, true) => return false,
            (false, _) => (
                "given",
                "begin it with `given { 0s Type { field: value } }`",
            ),
            (_, false) => (
                "expect",
                "end it with `expect { 30s output { field: value } }`; an empty `expect {}` asserts silence",
            ),
        };
        let place = tokens.get(1).map_or(tokens[0].span, |name| name.span);
        self.report(
            error(
                codes::INCOMPLETE_TEST,
                self.file,
                place,
                format!("this test has no `{word}`"),
                format!("lacks `{word} {{ … }}`"),
            )
            .help(help),
        );
        true
    }
}

/// The number of the first token that belongs to no annotation; the last one if all do.
fn after_annotations(tokens: &[Token]) -> usize {
    let mut at = 0;
    while tokens.get(at).is_some_and(|token| token.tok == Tok::At) {
        at += 2;
        if tokens
            .get(at)
            .is_some_and(|token| token.tok == Tok::ParenOpen)
        {
            let close = tokens[at..]
                .iter()
                .position(|token| token.tok == Tok::ParenClose);
            at = close.map_or(tokens.len(), |close| at + close + 1);
        }
    }
    at.min(tokens.len().saturating_sub(1))
}

/// Without the comma that parts it from the next piece.
fn trimmed(tokens: &[Token]) -> &[Token] {
    match tokens.split_last() {
        Some((last, rest)) if last.tok == Tok::Comma => rest,
        _ => tokens,
    }
}
