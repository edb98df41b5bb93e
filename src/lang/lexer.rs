//! From text to tokens.
//!
//! Keywords come out as tokens of their own; where one may stand for a name is the grammar's affair. What
//! cannot be read as a token is reported and replaced by the token that was surely meant, so that the parser
//! still sees the rest of the file.

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

    fn quoted(&mut self, quote: char) {
        let line = line(self.rest());
        let Some(length) = closing_quote(line, quote) else {
            let length = line.trim_end().len();
            let span = self.push(Tok::Text, length);
            self.report(
                error(
                    codes::UNTERMINATED_TEXT,
                    self.file,
                    span,
                    "this text has no closing quote",
                    "starts here and runs to the end of the line",
                )
                .help("close it with `\"` on the same line; a line break inside is written `\\n`"),
            );
            return;
        };
        let span = self.push(Tok::Text, length);
        if quote == '\'' {
            let inner = &line[1..length - 1];
            self.report(
                error(
                    codes::SINGLE_QUOTES,
                    self.file,
                    span,
                    "text stands in double quotes",
                    "single quotes",
                )
                .help(format!("write \"{}\"", inner.replace('"', "\\\""))),
            );
        }
        let mut faults = Vec::new();
        unescape(&line[1..length - 1], |at, length| faults.push((at, length)));
        for (at, length) in faults {
            let start = span.start as usize + 1 + at;
            let place = Span::new(start, start + length);
            let written = &self.text[start..start + length];
            self.report(
                error(
                    codes::UNKNOWN_ESCAPE,
                    self.file,
                    place,
                    format!("unknown escape `{written}`"),
                    "stands for nothing",
                )
                .help("the escapes are \\\" \\\\ \\n \\r \\t and \\u{…}; a backslash itself is `\\\\`"),
            );
        }
    }

    fn number(&mut self) {
        let rest = self.rest();
        let (after, run) = alnum(rest).expect("starts with a digit");
        let digits = run.bytes().take_while(u8::is_ascii_digit).count();
        let fraction = fraction(after).map_or("", |(_, f)| f);
        let length = run.len() + fraction.len();
        let whole = &rest[..length];
        if digits == run.len() && fraction.is_empty() {
            let read = whole.parse();
            let span = self.push(Tok::Int(*read.as_ref().unwrap_or(&0)), length);
            if read.is_err() {
                self.report(
                    error(
                        codes::NUMBER_TOO_LARGE,
                        self.file,
                        span,
                        "this whole number does not fit in 64 bits",
                        "too large",
                    )
                    .help(format!(
                        "the largest is {}; `{}.0` is a decimal",
                        i64::MAX,
                        shorten(whole)
                    )),
                );
            }
            return;
        }
        if fraction.is_empty() && !run.contains('_') && !is_exponent(run) {
            self.duration(run);
            return;
        }
        let good = digits == run.len() && fraction[1..].bytes().all(|b| b.is_ascii_digit());
        let span = self.push(Tok::Number, length);
        if !good {
            let file = self.file;
            self.report(malformed(file, span, whole));
        }
    }

    fn duration(&mut self, run: &str) {
        match read_duration(run) {
            Ok(millis) => {
                self.push(Tok::Duration(millis), run.len());
            }
            Err(fault) => {
                let start = self.at;
                let span = self.push(Tok::Duration(0), run.len());
                let diagnostic = match fault {
                    DurationFault::Unit(from, to) => {
                        let unit = &run[from..to];
                        let bare = unit.starts_with(|c: char| c.is_ascii_digit());
                        let message = if bare {
                            format!("`{}` has no unit", shorten(unit))
                        } else {
                            format!("unknown unit `{}`", shorten(unit))
                        };
                        let place = Span::new(start + from, start + to);
                        error(
                            codes::UNKNOWN_UNIT,
                            self.file,
                            place,
                            message,
                            "not a unit of time",
                        )
                        .help(unit_help(unit))
                    }
                    DurationFault::Order => error(
                        codes::UNIT_ORDER,
                        self.file,
                        span,
                        "the units of a duration go from large to small, each at most once",
                        "out of order",
                    )
                    .help("write `1h30m`, not `30m1h`; the units are d h m s ms"),
                    DurationFault::TooLong => error(
                        codes::NUMBER_TOO_LARGE,
                        self.file,
                        span,
                        "this duration is longer than 106751991167 days, the longest there is",
                        "too long",
                    )
                    .help("use a shorter one"),
                };
                self.report(diagnostic);
            }
        }
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

fn alnum(input: &str) -> IResult<&str, &str> {
    take_while1(is_word_char).parse(input)
}

/// `.5` after whole digits; the dot of `x.f` and of `1.f` is none.
fn fraction(input: &str) -> IResult<&str, &str> {
    recognize((
        tag("."),
        take_while1(|c: char| c.is_ascii_digit()),
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

/// Length of the text that starts `line`, both quotes included.
fn closing_quote(line: &str, quote: char) -> Option<usize> {
    let mut chars = line.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
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

/// `1e5`, `0x1f` and the like, which are no durations gone wrong.
fn is_exponent(run: &str) -> bool {
    let letters = run.trim_start_matches(|c: char| c.is_ascii_digit());
    matches!(letters.as_bytes(), [b'e' | b'E', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
        || run.starts_with("0x")
}

fn malformed(file: FileId, span: Span, whole: &str) -> Diagnostic {
    let help = if whole.contains('_') {
        format!("write it without `_`: {}", shorten(&whole.replace('_', "")))
    } else if whole.ends_with(|c: char| c.is_ascii_digit()) {
        "write all digits: `100000`, not `1e5`".to_owned()
    } else {
        "durations are whole numbers with units: `1h30m`, not `1.5h`".to_owned()
    };
    error(
        codes::MALFORMED_NUMBER,
        file,
        span,
        format!("`{}` is not a number", shorten(whole)),
        "not a number",
    )
    .help(help)
}

enum DurationFault {
    /// No unit at these bytes.
    Unit(usize, usize),
    Order,
    TooLong,
}

/// Milliseconds of `1h30m`.
fn read_duration(run: &str) -> Result<i64, DurationFault> {
    const UNITS: [(&str, i64); 5] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let mut total: i64 = 0;
    let mut smallest = i64::MAX;
    let mut at = 0;
    while at < run.len() {
        let digits = run[at..].bytes().take_while(u8::is_ascii_digit).count();
        let from = at + digits;
        let letters = run[from..]
            .bytes()
            .take_while(|b| !b.is_ascii_digit())
            .count();
        let to = from + letters;
        let Some(&(_, size)) = UNITS.iter().find(|(unit, _)| *unit == &run[from..to]) else {
            return Err(DurationFault::Unit(
                if letters == 0 { at } else { from },
                to,
            ));
        };
        if size >= smallest {
            return Err(DurationFault::Order);
        }
        smallest = size;
        total = run[at..from]
            .parse::<i64>()
            .ok()
            .and_then(|count| count.checked_mul(size))
            .and_then(|part| total.checked_add(part))
            .ok_or(DurationFault::TooLong)?;
        at = to;
    }
    Ok(total)
}

fn unit_help(unit: &str) -> String {
    let meant = match unit.to_ascii_lowercase().as_str() {
        "min" | "mins" | "minute" | "minutes" => Some("m"),
        "sec" | "secs" | "second" | "seconds" => Some("s"),
        "hr" | "hrs" | "hour" | "hours" => Some("h"),
        "day" | "days" => Some("d"),
        "msec" | "msecs" | "millis" | "milliseconds" => Some("ms"),
        "d" | "h" | "m" | "s" | "ms" => Some("the lower-case letter"),
        _ => None,
    };
    match (meant, unit) {
        (Some(meant @ "the lower-case letter"), _) => {
            format!("use {meant}; the units are d h m s ms")
        }
        (Some(meant), _) => format!("use `{meant}`"),
        (None, "w" | "week" | "weeks") => "a week is `7d`".to_owned(),
        (None, "us" | "ns") => "the smallest unit is `ms`".to_owned(),
        (None, _) => "the units are d h m s ms; `1h30m` combines them".to_owned(),
    }
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

/// The text between two quotes with its escapes resolved. `fault` is told where an escape, in bytes from the start
/// of `inner`, stands for nothing; it then stands for itself.
pub(crate) fn unescape(inner: &str, mut fault: impl FnMut(usize, usize)) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let start = inner.len() - escape.len();
        let (length, read) = read_escape(escape);
        match read {
            Some(c) => out.push(c),
            None => {
                fault(start, length);
                out.push_str(&escape[..length]);
            }
        }
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// Length of the escape that starts `input`, and what it stands for.
fn read_escape(input: &str) -> (usize, Option<char>) {
    let Some(letter) = input[1..].chars().next() else {
        return (1, None);
    };
    let simple = match letter {
        '"' | '\\' | '\'' => Some(letter),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        _ => None,
    };
    if letter == 'u'
        && let Some(digits) = input[2..].strip_prefix('{')
        && let Some(end) = digits.find('}')
        && (1..=6).contains(&end)
        && digits[..end].bytes().all(|b| b.is_ascii_hexdigit())
        && let Ok(code) = u32::from_str_radix(&digits[..end], 16)
    {
        return (3 + end + 1, char::from_u32(code));
    }
    (1 + letter.len_utf8(), simple)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::parser::TOKENS_MAX;

    /// The tokens of `text` as it writes them, then the codes of its mistakes.
    fn check(text: &str, tokens: &[(Tok, &str)], codes: &[&str]) {
        let lexed = lex(FileId(0), text, TOKENS_MAX);
        let found: Vec<(Tok, &str)> = lexed.tokens.iter().map(|t| (t.tok, t.text(text))).collect();
        assert_eq!(found, tokens, "{text}");
        let found: Vec<&str> = lexed.diagnostics.iter().map(|d| d.code.0).collect();
        assert_eq!(found, codes, "{text}");
    }

    #[test]
    fn longest_sign_wins() {
        let signs = "== = != <= < >= > ?? ? | @ . : , + - * / %";
        let lexed = lex(FileId(0), signs, TOKENS_MAX);
        let written: Vec<&str> = lexed
            .tokens
            .iter()
            .filter_map(|t| t.tok.written())
            .collect();
        assert_eq!(written.join(" "), signs);
        check(
            "a<=b??c",
            &[
                (Tok::Word, "a"),
                (Tok::LessEqual, "<="),
                (Tok::Word, "b"),
                (Tok::Coalesce, "??"),
                (Tok::Word, "c"),
            ],
            &[],
        );
    }

    #[test]
    fn keywords_are_whole_words() {
        check(
            "then then_ thenx Then",
            &[
                (Tok::Then, "then"),
                (Tok::Word, "then_"),
                (Tok::Word, "thenx"),
                (Tok::Word, "Then"),
            ],
            &[],
        );
    }

    #[test]
    fn numbers_keep_their_digits_and_leave_the_dot_of_a_field() {
        check(
            "12 1.50 1.x",
            &[
                (Tok::Int(12), "12"),
                (Tok::Number, "1.50"),
                (Tok::Int(1), "1"),
                (Tok::Dot, "."),
                (Tok::Word, "x"),
            ],
            &[],
        );
        check(
            "9223372036854775807",
            &[(Tok::Int(i64::MAX), "9223372036854775807")],
            &[],
        );
        check(
            "9223372036854775808",
            &[(Tok::Int(0), "9223372036854775808")],
            &["E004"],
        );
    }

    #[test]
    fn durations_combine_from_large_to_small() {
        check(
            "1h30m 250ms 7d 0s",
            &[
                (Tok::Duration(5_400_000), "1h30m"),
                (Tok::Duration(250), "250ms"),
                (Tok::Duration(604_800_000), "7d"),
                (Tok::Duration(0), "0s"),
            ],
            &[],
        );
        for text in ["30m1h", "1m1m", "1ms1s"] {
            check(text, &[(Tok::Duration(0), text)], &["E010"]);
        }
        check(
            "99999999999999d",
            &[(Tok::Duration(0), "99999999999999d")],
            &["E004"],
        );
    }

    #[test]
    fn an_unknown_unit_is_one_bad_token() {
        for text in ["5min", "1h30", "3w", "5M", "2h5x"] {
            check(text, &[(Tok::Duration(0), text)], &["E003"]);
        }
    }

    #[test]
    fn malformed_numbers_are_one_bad_token() {
        for text in ["1e5", "0x1f", "1_000", "1.5h", "1.5e3"] {
            let lexed = lex(FileId(0), text, TOKENS_MAX);
            assert_eq!(
                (lexed.tokens.len(), lexed.diagnostics.len()),
                (1, 1),
                "{text}"
            );
            assert_eq!(lexed.diagnostics[0].code.0, "E006", "{text}");
        }
    }

    #[test]
    fn texts_end_on_their_line() {
        check(
            "\"a\\\"b\" x",
            &[(Tok::Text, "\"a\\\"b\""), (Tok::Word, "x")],
            &[],
        );
        check(
            "\"ab\nx",
            &[(Tok::Text, "\"ab"), (Tok::Word, "x")],
            &["E002"],
        );
        check("\"ab\\", &[(Tok::Text, "\"ab\\")], &["E002"]);
        check(
            "'ab' x",
            &[(Tok::Text, "'ab'"), (Tok::Word, "x")],
            &["E007"],
        );
    }

    #[test]
    fn escapes_stand_for_characters() {
        let read = |inner: &str| {
            let mut faults = 0;
            let text = unescape(inner, |_, _| faults += 1);
            (text, faults)
        };
        assert_eq!(read(r#"a\"\\\n\t\u{20ac}"#), ("a\"\\\n\t€".to_owned(), 0));
        for bad in [r"\d", r"\u{}", r"\u{d800}", r"\u{+1}", r"\u20"] {
            assert_eq!(read(bad), (bad.to_owned(), 1));
        }
    }

    #[test]
    fn comments_are_collected_without_their_sign() {
        let lexed = lex(FileId(0), "# a  \r\nx #b\n#", TOKENS_MAX);
        let texts: Vec<&str> = lexed.comments.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts, [" a", "b", ""]);
    }

    #[test]
    fn unknown_characters_are_reported_once_per_run() {
        check("a €€€ b", &[(Tok::Word, "a"), (Tok::Word, "b")], &["E001"]);
        check("größe", &[(Tok::Word, "größe")], &["E001"]);
        check("\u{feff}a", &[(Tok::Word, "a")], &[]);
    }
}
