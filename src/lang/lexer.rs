//! From text to tokens.
//!
//! Keywords come out as tokens of their own; where one may stand for a name is the grammar's affair. What
//! cannot be read as a token is reported and replaced by the token that was surely meant, so that the parser
//! still sees the rest of the file.

mod number;
mod quoted;
#[cfg(test)]
mod tests;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{recognize, value};
use nom::sequence::pair;
use nom::{IResult, Parser};

use super::ast::Comment;
use super::diagnostic::codes_syntax as codes;
use super::diagnostic::{CodeInfo, Diagnostic};
use super::parser::DIAGNOSTICS_MAX;
use super::span::{FileId, Span};
use super::syntax_error::error;
use super::token::{Tok, Token};
pub(crate) use quoted::unescape;

/// What a text is made of.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    /// In order.
    pub(crate) tokens: Vec<Token>,
    /// In order.
    pub(crate) comments: Vec<Comment>,
    /// What could not be read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads all of `text`; reading stops early only after `tokens_max` tokens. Linear in the length of the text.
pub(crate) fn lex(file: FileId, text: &str, tokens_max: usize) -> Lexed {
    let mut lexer = Lexer {
        file,
        text,
        at: 0,
        out: Lexed::default(),
    };
    if text.starts_with('\u{feff}') {
        lexer.at = '\u{feff}'.len_utf8();
    }
    while lexer.token() {
        if lexer.out.tokens.len() + lexer.out.comments.len() > tokens_max {
            let last = lexer.out.tokens.last().map_or(Span::default(), |t| t.span);
            lexer.out.diagnostics.push(
                error(
                    codes::TOO_MANY_TOKENS,
                    file,
                    last,
                    format!("this file has more than {tokens_max} words and signs"),
                    "the limit is reached here",
                )
                .help("split it into several files; patterns in one run see each other's events"),
            );
            break;
        }
    }
    lexer.out
}

struct Lexer<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
    out: Lexed,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Reads one token or comment; false at the end of the text.
    fn token(&mut self) -> bool {
        let (rest, _) = blank(self.rest()).expect("any run of blanks, even an empty one, is blank");
        self.at = self.text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return false;
        };
        match first {
            '#' => self.comment(1),
            '"' | '\'' => self.quoted(first),
            '0'..='9' => self.number(),
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            _ => self.sign(),
        }
        true
    }

    fn push(&mut self, tok: Tok, length: usize) -> Span {
        let span = Span::new(self.at, self.at + length);
        self.at += length;
        self.out.tokens.push(Token { tok, span });
        span
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        // The parser says that there are more.
        if self.out.diagnostics.len() <= DIAGNOSTICS_MAX {
            self.out.diagnostics.push(diagnostic);
        }
    }

    fn comment(&mut self, sign: usize) {
        let line = line(self.rest());
        let kept = line.trim_end();
        self.out.comments.push(Comment {
            text: kept[sign..].to_owned(),
            span: Span::new(self.at, self.at + kept.len()),
        });
        self.at += line.len();
    }

    fn word(&mut self) {
        let (_, word) = word(self.rest()).expect("starts with a letter");
        let stray = non_ascii_word(&self.rest()[word.len()..]);
        if stray > 0 {
            let span = self.push(Tok::Word, word.len() + stray);
            self.report(odd_name(self.file, self.text, span));
            return;
        }
        self.push(Tok::keyword(word).unwrap_or(Tok::Word), word.len());
    }

    fn sign(&mut self) {
        let rest = self.rest();
        if let Ok((after, tok)) = sign(rest) {
            self.push(tok, rest.len() - after.len());
            return;
        }
        for (written, meant, code, message, help) in FOREIGN {
            if rest.starts_with(written) {
                let place = Span::new(self.at, self.at + written.len());
                self.report(
                    error(*code, self.file, place, *message, "not of this language").help(*help),
                );
                match meant {
                    Meant::Sign(tok) => {
                        self.push(*tok, written.len());
                    }
                    Meant::Comment => self.comment(written.len()),
                    Meant::Nothing => self.at += written.len(),
                }
                return;
            }
        }
        self.unknown();
    }

    /// A run of characters that start no token, reported once.
    fn unknown(&mut self) {
        let rest = self.rest();
        let letters = non_ascii_word(rest);
        if letters > 0 {
            let span = self.push(Tok::Word, letters);
            self.report(odd_name(self.file, self.text, span));
            return;
        }
        let length = rest
            .char_indices()
            .find(|&(at, c)| {
                at > 0
                    && (c.is_ascii_alphanumeric()
                        || c.is_alphabetic()
                        || c.is_whitespace()
                        || "#\"'_".contains(c)
                        || sign(&rest[at..]).is_ok())
            })
            .map_or(rest.len(), |(at, _)| at);
        let span = Span::new(self.at, self.at + length);
        let shown: String = rest[..length].chars().take(12).collect();
        let (message, help) = match shown.chars().next() {
            Some(quote @ ('“' | '”' | '„' | '‘' | '’' | '`')) => (
                format!("unknown character `{quote}`"),
                "text stands in straight double quotes: \"text\"",
            ),
            Some(first) if length > first.len_utf8() => (
                format!("unknown characters `{}`", shown.escape_debug()),
                "remove them; text that holds them needs double quotes",
            ),
            _ => (
                format!("unknown character `{}`", shown.escape_debug()),
                "remove it; text that holds it needs double quotes",
            ),
        };
        self.report(
            error(
                codes::UNKNOWN_CHARACTER,
                self.file,
                span,
                message,
                "no word or sign starts here",
            )
            .help(help),
        );
        self.at += length;
    }
}

/// What a sign of another language is taken for.
enum Meant {
    Sign(Tok),
    Comment,
    Nothing,
}

/// Signs of other languages: as written, what is meant, code, message, way out.
type Foreign = (&'static str, Meant, CodeInfo, &'static str, &'static str);

/// Longest first where one starts another.
static FOREIGN: &[Foreign] = &[
    (
        "//",
        Meant::Comment,
        codes::FOREIGN_COMMENT,
        "comments start with `#`",
        "write `# …`",
    ),
    (
        "/*",
        Meant::Comment,
        codes::FOREIGN_COMMENT,
        "comments start with `#`",
        "write `# …` on every line of the comment",
    ),
    (
        "&&",
        Meant::Sign(Tok::And),
        codes::FOREIGN_OPERATOR,
        "`&&` is no operator",
        "write `and`",
    ),
    (
        "||",
        Meant::Sign(Tok::Or),
        codes::FOREIGN_OPERATOR,
        "`||` is no operator",
        "write `or`",
    ),
    (
        "&",
        Meant::Sign(Tok::And),
        codes::FOREIGN_OPERATOR,
        "`&` is no operator",
        "write `and`",
    ),
    (
        "<>",
        Meant::Sign(Tok::NotEqual),
        codes::FOREIGN_OPERATOR,
        "`<>` is no operator",
        "write `!=`",
    ),
    (
        "===",
        Meant::Sign(Tok::Equal),
        codes::FOREIGN_OPERATOR,
        "`===` is no operator",
        "write `==`",
    ),
    (
        "!",
        Meant::Sign(Tok::Not),
        codes::FOREIGN_OPERATOR,
        "`!` is no operator",
        "write `not`",
    ),
    (
        ";",
        Meant::Nothing,
        codes::FOREIGN_OPERATOR,
        "`;` separates nothing",
        "clauses follow each other without a sign, fields are separated by `,`",
    ),
];

fn blank(input: &str) -> IResult<&str, &str> {
    take_while(char::is_whitespace).parse(input)
}

fn word(input: &str) -> IResult<&str, &str> {
    recognize(pair(
        take_while1(|c: char| c.is_ascii_alphabetic() || c == '_'),
        take_while(is_word_char),
    ))
    .parse(input)
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn sign(input: &str) -> IResult<&str, Tok> {
    // Signs of other languages that begin like one of ours.
    for foreign in ["//", "/*", "||", "<>", "==="] {
        if input.starts_with(foreign) {
            return Err(nom::Err::Error(nom::error::Error::new(
                input,
                nom::error::ErrorKind::Tag,
            )));
        }
    }
    let brackets = alt((
        value(Tok::BraceOpen, tag("{")),
        value(Tok::BraceClose, tag("}")),
        value(Tok::ParenOpen, tag("(")),
        value(Tok::ParenClose, tag(")")),
        value(Tok::BracketOpen, tag("[")),
        value(Tok::BracketClose, tag("]")),
    ));
    let separators = alt((
        value(Tok::Comma, tag(",")),
        value(Tok::Colon, tag(":")),
        value(Tok::Dot, tag(".")),
        value(Tok::At, tag("@")),
        value(Tok::Bar, tag("|")),
    ));
    // The longer sign before the one it starts with.
    let operators = alt((
        value(Tok::Equal, tag("==")),
        value(Tok::Assign, tag("=")),
        value(Tok::NotEqual, tag("!=")),
        value(Tok::LessEqual, tag("<=")),
        value(Tok::Less, tag("<")),
        value(Tok::GreaterEqual, tag(">=")),
        value(Tok::Greater, tag(">")),
        value(Tok::Plus, tag("+")),
        value(Tok::Minus, tag("-")),
        value(Tok::Star, tag("*")),
        value(Tok::Slash, tag("/")),
        value(Tok::Percent, tag("%")),
        value(Tok::Coalesce, tag("??")),
        value(Tok::Question, tag("?")),
    ));
    alt((separators, brackets, operators)).parse(input)
}

/// Up to the end of the line.
fn line(input: &str) -> &str {
    let end = memchr::memchr(b'\n', input.as_bytes()).unwrap_or(input.len());
    &input[..end]
}

/// Bytes of the run of letters and digits, at least one of them beyond ASCII, that starts `input`.
fn non_ascii_word(input: &str) -> usize {
    match input.chars().next() {
        Some(c) if !c.is_ascii() && c.is_alphabetic() => input
            .char_indices()
            .find(|&(_, c)| !(c.is_alphanumeric() || c == '_'))
            .map_or(input.len(), |(at, _)| at),
        _ => 0,
    }
}

fn odd_name(file: FileId, text: &str, span: Span) -> Diagnostic {
    let name = &text[span.start as usize..span.end as usize];
    error(
        codes::UNKNOWN_CHARACTER,
        file,
        span,
        format!("`{}` is not a name", shorten(name)),
        "names are made of a-z, A-Z, 0-9 and `_`",
    )
    .help("rename it; a field whose records call it so is read with `name: type from \"…\"`")
}

/// At most forty characters, for messages.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= 40 {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(39).collect();
    short.push('…');
    short
}
