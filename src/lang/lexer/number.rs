//! Numbers and durations: runs of digits and letters.

use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::recognize;
use nom::{IResult, Parser};

use super::{Lexer, is_word_char, shorten};
use crate::lang::diagnostic::Diagnostic;
use crate::lang::diagnostic::codes_syntax as codes;
use crate::lang::span::{FileId, Span};
use crate::lang::syntax_error::error;
use crate::lang::token::Tok;

impl Lexer<'_> {
    pub(super) fn number(&mut self) {
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
