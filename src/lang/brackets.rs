//! Brackets that do not match, and brackets inside too many brackets.

use super::diagnostic::codes_syntax as codes;
use super::diagnostic::{Diagnostic, Label};
use super::parser::DIAGNOSTICS_MAX;
use super::span::FileId;
use super::syntax_error::error;
use super::token::{Tok, Token};

/// The deepest nesting of brackets, groups of steps included.
pub(crate) const NESTING_MAX: usize = 64;

/// True for opening brackets.
pub(crate) fn opens(tok: Tok) -> bool {
    matches!(tok, Tok::BraceOpen | Tok::ParenOpen | Tok::BracketOpen)
}

/// True for closing brackets.
pub(crate) fn closes(tok: Tok) -> bool {
    matches!(tok, Tok::BraceClose | Tok::ParenClose | Tok::BracketClose)
}

fn closing(open: Tok) -> Tok {
    match open {
        Tok::ParenOpen => Tok::ParenClose,
        Tok::BracketOpen => Tok::BracketClose,
        _ => Tok::BraceClose,
    }
}

/// The first bracket that is nested too deep.
pub(crate) fn too_deep(file: FileId, tokens: &[Token]) -> Option<Diagnostic> {
    let mut depth = 0_usize;
    for token in tokens {
        if opens(token.tok) {
            depth += 1;
            if depth > NESTING_MAX {
                return Some(
                    error(
                        codes::NESTING_TOO_DEEP,
                        file,
                        token.span,
                        format!("more than {NESTING_MAX} brackets inside each other"),
                        "the limit is reached here",
                    )
                    .help("remove parentheses that are not needed, or move a part into a `fn` or a pattern of its own"),
                );
            }
        } else if closes(token.tok) {
            depth = depth.saturating_sub(1);
        }
    }
    None
}

/// Every bracket of one declaration that has no partner.
pub(crate) fn unbalanced(file: FileId, text: &str, tokens: &[Token]) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let mut open: Vec<Token> = Vec::new();
    // The innermost pair whose closing bracket stands further left than the line of the opening one: if a bracket is
    // missing, it most likely is that pair's.
    let mut suspect: Option<Token> = None;
    for token in tokens {
        // Each closing bracket looks through those that are open: not for ever.
        if faults.len() > DIAGNOSTICS_MAX {
            return faults;
        }
        if opens(token.tok) {
            open.push(*token);
        } else if closes(token.tok) {
            match open.iter().rposition(|o| closing(o.tok) == token.tok) {
                Some(at) => {
                    for lost in open.drain(at + 1..) {
                        faults.push(unclosed(file, lost, *token));
                    }
                    let pair = open.pop();
                    if suspect.is_none() {
                        suspect = pair.filter(|pair| {
                            line_indent(text, token.span.start) < line_indent(text, pair.span.start)
                        });
                    }
                }
                None => faults.push(stray(file, text, *token)),
            }
        }
    }
    if let (Some(outer), Some(last)) = (open.first(), tokens.last()) {
        faults.push(unclosed(file, suspect.unwrap_or(*outer), *last));
    }
    faults
}

fn unclosed(file: FileId, open: Token, end: Token) -> Diagnostic {
    let sign = open.tok.written().unwrap_or_default();
    let missing = closing(open.tok).written().unwrap_or_default();
    let mut diagnostic = error(
        codes::UNCLOSED,
        file,
        open.span,
        format!("this `{sign}` is never closed"),
        format!("has no `{missing}`"),
    )
    .help(format!("add the missing `{missing}`"));
    let before = if closes(end.tok) {
        "before this"
    } else {
        "after this"
    };
    diagnostic.secondary.push(Label {
        file,
        span: end.span,
        text: format!("`{missing}` is missing {before} at the latest"),
    });
    diagnostic
}

fn stray(file: FileId, text: &str, token: Token) -> Diagnostic {
    let sign = token.text(text);
    error(
        codes::STRAY_BRACKET,
        file,
        token.span,
        format!("this `{sign}` closes nothing"),
        "has no opening bracket",
    )
    .help(format!(
        "remove it, or add what it closes; a `{sign}` further up may be one too many"
    ))
}

/// Blanks at the start of the line that holds byte `place`.
fn line_indent(text: &str, place: u32) -> usize {
    let before = text.get(..place as usize).unwrap_or_default();
    let start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |at| at + 1);
    let line = text.get(start..).unwrap_or_default();
    line.len() - line.trim_start_matches([' ', '\t']).len()
}
