//! Goes on after a mistake inside a pattern.

use super::super::ast::{
    Annotation, Bound, Duration, Expr, Ident, Item, Key, Limit, Output, PatternDecl, Sequence,
    Skip, Text,
};
use super::super::brackets::{closes, opens};
use super::super::diagnostic::codes_syntax as codes;
use super::super::diagnostic::{CodeInfo, Label};
use super::super::lexer::{shorten, unescape};
use super::super::mistake;
use super::super::syntax_error::error;
use super::super::token::{Start, Tok, Token};
use super::super::tree::{Clause, Piece};
use super::Recovery;

/// The clauses of a pattern, as far as they could be read.
#[derive(Default)]
struct Clauses {
    from: Vec<Ident>,
    key: Option<Key>,
    sequence: Option<Sequence>,
    within: Option<Duration>,
    having: Option<Expr>,
    skip: Option<Skip>,
    limit: Option<Limit>,
    bound: Option<Bound>,
    outputs: Vec<Output>,
}

impl Clauses {
    fn add(&mut self, clause: Clause) {
        match clause {
            Clause::From(types) => self.from = types,
            Clause::Key(key) => self.key = Some(key),
            Clause::Match(sequence) => self.sequence = Some(sequence),
            Clause::Within(within) => self.within = Some(within),
            Clause::Having(having) => self.having = Some(having),
            Clause::Skip(skip) => self.skip = Some(skip),
            Clause::Limit(limit) => self.limit = Some(limit),
            Clause::Bound(bound) => self.bound = Some(bound),
            Clause::Output(output) => self.outputs.push(output),
        }
    }
}

impl Recovery<'_> {
    /// Reads a pattern clause by clause. `head` is the number of the token `pattern`.
    pub(super) fn pattern(&mut self, tokens: &[Token], head: usize, balanced: bool) {
        let annotations = self.annotations(&tokens[..head]);
        let Some((name, body)) = self.header(tokens, head) else {
            return;
        };
        let (cuts, first) = self.cut(body, balanced);
        let mut clauses = Clauses::default();
        if first > 0 {
            self.stray_words(&body[..first]);
        }
        for &(start, end) in &cuts {
            if self.is_full() {
                return;
            }
            if let Some(clause) = self.clause(&body[start..end], balanced) {
                clauses.add(clause);
            }
        }
        let words: Vec<Token> = cuts
            .iter()
            .map(|&(start, _)| body[start])
            .filter(|word| rank(word.tok).is_some())
            .collect();
        self.order(&words);
        if balanced {
            self.missing(&words, &name);
        }
        let (Some(key), Some(sequence), Some(last)) =
            (clauses.key, clauses.sequence, tokens.last())
        else {
            return;
        };
        if clauses.outputs.is_empty() {
            return;
        }
        self.items.push(Item::Pattern(Box::new(PatternDecl {
            annotations,
            name,
            from: clauses.from,
            key,
            sequence,
            within: clauses.within,
            having: clauses.having,
            skip: clauses.skip,
            limit: clauses.limit,
            bound: clauses.bound,
            outputs: clauses.outputs,
            span: tokens[head].span.to(last.span),
        })));
    }

    /// `@name("text")`, five tokens each.
    fn annotations(&mut self, tokens: &[Token]) -> Vec<Annotation> {
        let mut out = Vec::new();
        for start in (0..tokens.len()).filter(|&at| tokens[at].tok == Tok::At) {
            let rest = &tokens[start..];
            let end = rest.iter().skip(1).position(|t| t.tok == Tok::At);
            let one = &rest[..end.map_or(rest.len(), |end| end + 1)];
            let shape: Vec<Tok> = one.iter().skip(2).map(|token| token.tok).collect();
            let named = one.get(1).is_some_and(|token| token.is_word());
            if named && shape == [Tok::ParenOpen, Tok::Text, Tok::ParenClose] {
                out.push(self.annotation(one));
            } else {
                self.report(
                    error(
                        codes::ANNOTATION,
                        self.file,
                        one[0].span.to(one[one.len() - 1].span),
                        "an annotation is a name with a text in parentheses",
                        "not an annotation",
                    )
                    .help("write `@name(\"text\")`"),
                );
            }
        }
        out
    }

    fn annotation(&self, tokens: &[Token]) -> Annotation {
        let written = tokens[3].text(self.text);
        Annotation {
            name: self.name(tokens[1]),
            value: Text {
                value: unescape(written.trim_matches('"'), |_, _| {}),
                span: tokens[3].span,
            },
            span: tokens[0].span.to(tokens[4].span),
        }
    }

    fn name(&self, token: Token) -> Ident {
        Ident {
            name: token.text(self.text).to_owned(),
            span: token.span,
        }
    }

    /// The pattern's name, and its tokens after the opening brace.
    fn header<'t>(&mut self, tokens: &'t [Token], head: usize) -> Option<(Ident, &'t [Token])> {
        let after = &tokens[head + 1..];
        let name = after.first().filter(|token| token.is_word());
        let brace = after
            .iter()
            .take(3)
            .position(|token| token.tok == Tok::BraceOpen);
        match (name, brace) {
            (Some(name), Some(1)) => Some((self.name(*name), &after[2..])),
            (Some(name), _) => {
                self.report(
                    error(
                        codes::UNEXPECTED,
                        self.file,
                        name.span,
                        "expected `{` after the name of the pattern",
                        "the name; `{` must follow",
                    )
                    .help("write `pattern name { … }`"),
                );
                let body = brace.map_or(1, |at| at + 1);
                Some((self.name(*name), &after[body..]))
            }
            (None, _) => {
                self.report(
                    error(
                        codes::UNEXPECTED,
                        self.file,
                        tokens[head].span,
                        "this pattern has no name",
                        "expected a name after this",
                    )
                    .help("write `pattern name { … }`"),
                );
                let body = brace.map_or(0, |at| at + 1);
                let nameless = Ident {
                    name: String::new(),
                    span: tokens[head].span,
                };
                Some((nameless, &after[body..]))
            }
        }
    }

    /// First and one past the last token of each clause, and the number of the first token that belongs to one.
    fn cut(&self, body: &[Token], balanced: bool) -> (Vec<(usize, usize)>, usize) {
        let mut starts = Vec::new();
        let mut depth = 0_usize;
        for (at, token) in body.iter().enumerate() {
            let lost = !balanced && self.starts_line(body, at);
            if (depth == 0 || lost) && self.starts_clause(body, at) {
                starts.push(at);
                depth = 0;
            }
            if opens(token.tok) {
                depth += 1;
            } else if closes(token.tok) {
                if depth == 0 && balanced {
                    // The pattern's own closing brace.
                    break;
                }
                depth = depth.saturating_sub(1);
            }
        }
        let ends = starts.iter().skip(1).copied().chain([body.len()]);
        let first = starts.first().copied().unwrap_or(body.len());
        let cuts = starts
            .iter()
            .copied()
            .zip(ends)
            .map(|(start, end)| (start, start + own_length(&body[start..end])));
        (cuts.collect(), first)
    }

    /// Whether a clause begins here rather than a field of that name.
    fn starts_clause(&self, body: &[Token], at: usize) -> bool {
        let tok = body[at].tok;
        if rank(tok).is_none() {
            return self.starts_foreign_clause(body, at);
        }
        let next = body.get(at + 1).map(|token| token.tok);
        let last = at.checked_sub(1).map(|at| body[at].tok);
        // A connector's own bound.
        let bounds_connector = match last {
            Some(Tok::Then | Tok::Next) => true,
            Some(Tok::Any) => at > 1 && body[at - 2].tok == Tok::Then,
            Some(Tok::Duration(_)) => at > 1 && body[at - 2].tok == Tok::After,
            _ => false,
        };
        // Behind its step: a mistake that is told where it stands.
        let bounds_step = matches!(next, Some(Tok::Duration(_)))
            && body
                .get(at + 2)
                .is_some_and(|token| matches!(token.tok, Tok::Then | Tok::Next));
        if tok == Tok::Within && (bounds_connector || bounds_step) {
            return false;
        }
        if next.is_some_and(continues_name) && !(tok == Tok::Having && next == Some(Tok::Minus)) {
            return false;
        }
        let wants_operand = last.is_some_and(wants_operand);
        if self.starts_line(body, at) {
            return last != Some(Tok::Dot);
        }
        let fits = match tok {
            Tok::From | Tok::Match | Tok::Emit => body
                .get(at + 1)
                .is_some_and(|t| t.is_word() || opens(t.tok)),
            Tok::Timeout => body.get(at + 2).is_some_and(|t| t.tok == Tok::BraceOpen),
            Tok::Key => body.get(at + 1).is_some_and(|t| t.is_word()),
            _ => true,
        };
        fits && !wants_operand && last != Some(Tok::Past)
    }

    /// Whether a line begins with a clause of another language.
    fn starts_foreign_clause(&self, body: &[Token], at: usize) -> bool {
        let next = body.get(at + 1);
        body[at].tok == Tok::Word
            && self.starts_line(body, at)
            && mistake::foreign_clause(body[at].text(self.text)).is_some()
            && next.is_some_and(|next| next.is_word() || next.tok == Tok::BraceOpen)
    }

    /// Words that are no clause.
    fn stray_words(&mut self, tokens: &[Token]) {
        // Brackets that close nothing are told about already.
        let Some(first) = tokens.first().filter(|first| !closes(first.tok)) else {
            return;
        };
        let word = first.text(self.text);
        let help = mistake::foreign_clause(word).unwrap_or(mistake::CLAUSES);
        self.report(
            error(
                codes::UNKNOWN_CLAUSE,
                self.file,
                first.span,
                format!("`{}` starts no clause of a pattern", shorten(word)),
                "not a clause",
            )
            .help(help),
        );
    }

    fn clause(&mut self, tokens: &[Token], balanced: bool) -> Option<Clause> {
        if tokens.first().is_none_or(|first| rank(first.tok).is_none()) {
            self.stray_words(tokens);
            return None;
        }
        // What its brackets did to it is already said.
        let spoilt = !balanced && !is_balanced(tokens);
        if spoilt {
            return None;
        }
        let stuck = match self.piece(Start::Clause, tokens) {
            Ok(Piece::Clause(clause)) => return Some(clause),
            Ok(_) => return None,
            Err(stuck) => stuck,
        };
        match tokens[0].tok {
            Tok::Match => self.rest(Start::Step, tokens, &stuck, |tokens, at, depth| {
                depth == 0
                    && matches!(tokens[at].tok, Tok::Then | Tok::Next)
                    && !tokens[..at]
                        .last()
                        .is_some_and(|last| wants_operand(last.tok))
            }),
            Tok::Emit | Tok::Timeout => {
                self.rest(Start::Entry, tokens, &stuck, |tokens, at, depth| {
                    depth == 1 && at > 0 && tokens[at - 1].tok == Tok::Comma
                })
            }
            _ => {}
        }
        None
    }

    /// Reports clauses that stand behind a clause they must precede, and clauses that stand twice.
    fn order(&mut self, words: &[Token]) {
        // The first clause of each place.
        let mut first: [Option<Token>; 9] = [None; 9];
        for word in words {
            let Some(own) = rank(word.tok) else { continue };
            let same = first[usize::from(own)];
            let later = first[usize::from(own) + 1..].iter().flatten();
            let later = later.min_by_key(|token| token.span.start).copied();
            first[usize::from(own)].get_or_insert(*word);
            let (code, other, message, label, help): (CodeInfo, _, _, _, _) = match (later, same) {
                (_, Some(other)) if Some(own) != rank(Tok::Emit) => (
                    codes::CLAUSE_TWICE,
                    other,
                    format!("`{}` stands twice", word.text(self.text)),
                    "again here",
                    "keep one of the two".to_owned(),
                ),
                (Some(other), _) => (
                    codes::CLAUSE_ORDER,
                    other,
                    format!(
                        "`{}` must come before `{}`",
                        word.text(self.text),
                        other.text(self.text)
                    ),
                    "too late",
                    format!("the order is {ORDER}"),
                ),
                _ => continue,
            };
            let mut diagnostic = error(code, self.file, word.span, message, label).help(help);
            diagnostic.secondary.push(Label {
                file: self.file,
                span: other.span,
                text: format!("`{}` stands here", other.text(self.text)),
            });
            self.report(diagnostic);
        }
    }

    /// Reports the clauses that every pattern has and this one has not.
    fn missing(&mut self, words: &[Token], name: &Ident) {
        const NEEDED: [(Tok, CodeInfo, &str, &str); 3] = [
            (
                Tok::Key,
                codes::NO_KEY,
                "has no key",
                "add `key field` before `match`, or `unkeyed` if all events belong together",
            ),
            (
                Tok::Match,
                codes::NO_MATCH,
                "has no `match`",
                "add `match a: Type then b: Type` after the key",
            ),
            (
                Tok::Emit,
                codes::NO_OUTPUT,
                "emits nothing",
                "end it with `emit name { field, other: expression }`",
            ),
        ];
        for (tok, code, lacks, help) in NEEDED {
            if words.iter().any(|word| rank(word.tok) == rank(tok)) {
                continue;
            }
            let shown = if name.name.is_empty() {
                "this pattern".to_owned()
            } else {
                format!("pattern `{}`", shorten(&name.name))
            };
            let diagnostic = error(
                code,
                self.file,
                name.span,
                format!("{shown} {lacks}"),
                lacks,
            )
            .help(help);
            self.diagnostics.push(diagnostic);
        }
    }
}

const ORDER: &str = "from, key, match, within, having, skip, limit, bound, emit and timeout";

/// The place of a clause in a pattern; `None` for words that start none.
fn rank(tok: Tok) -> Option<u8> {
    Some(match tok {
        Tok::From => 0,
        Tok::Key | Tok::Unkeyed => 1,
        Tok::Match => 2,
        Tok::Within => 3,
        Tok::Having => 4,
        Tok::Skip => 5,
        Tok::Limit => 6,
        Tok::Bound => 7,
        Tok::Emit | Tok::Timeout => 8,
        _ => return None,
    })
}

/// Signs that follow a name, so that what stands before them is no clause.
fn continues_name(tok: Tok) -> bool {
    matches!(
        tok,
        Tok::Dot
            | Tok::Colon
            | Tok::Comma
            | Tok::Assign
            | Tok::Equal
            | Tok::NotEqual
            | Tok::Less
            | Tok::LessEqual
            | Tok::Greater
            | Tok::GreaterEqual
            | Tok::Plus
            | Tok::Minus
            | Tok::Star
            | Tok::Slash
            | Tok::Percent
            | Tok::Coalesce
            | Tok::In
            | Tok::And
            | Tok::Or
    )
}

/// Words and signs that an operand or a name must follow.
fn wants_operand(tok: Tok) -> bool {
    (continues_name(tok) && !matches!(tok, Tok::Plus | Tok::Star | Tok::Coalesce))
        || matches!(
            tok,
            Tok::Where
                | Tok::Having
                | Tok::Not
                | Tok::By
                | Tok::Key
                | Tok::Emit
                | Tok::Each
                | Tok::Timeout
        )
}

/// Tokens up to the first closing bracket that closes nothing in them.
fn own_length(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if opens(token.tok) {
            depth += 1;
        } else if closes(token.tok) {
            if depth == 0 {
                return at;
            }
            depth -= 1;
        }
    }
    tokens.len()
}

fn is_balanced(tokens: &[Token]) -> bool {
    let opened = tokens.iter().filter(|token| opens(token.tok)).count();
    let closed = tokens.iter().filter(|token| closes(token.tok)).count();
    opened == closed
}
