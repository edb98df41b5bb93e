//! From text to the syntax tree.
//!
//! The lexer makes tokens, the generated parser (`grammar/motif.lalrpop`) a tree. If a file has a mistake, `recover` cuts it
//! into pieces that are parsed by themselves, and `mistake` says what is wrong with them.
//!
//! ```
//! use leitmotif::lang::{parser::parse, span::FileId};
//!
//! let (file, mistakes) = parse(FileId(0), "param limit: int = 5");
//! assert_eq!((file.items.len(), mistakes.len()), (1, 0));
//! ```

use lalrpop_util::ParseError;

use super::ast;
use super::brackets;
use super::diagnostic::Diagnostic;
use super::diagnostic::codes_syntax as codes;
use super::lexer;
use super::recover::recover;
use super::span::{FileId, Span};
use super::syntax_error::error;
use super::token::{Start, Tok, Token};
use super::tree::{Piece, Tree};

#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, unused, missing_docs)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/motif.rs"));
}

/// The largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// The most words and signs of one file.
pub const TOKENS_MAX: usize = 2_000_000;

/// The most mistakes of one file that are reported; one more says that there are others.
pub const DIAGNOSTICS_MAX: usize = 100;

/// Reads a pattern file. What could be read is in the tree even when something else is wrong; the tree is
/// complete if there are no diagnostics. Linear in the length of the text, which is held to [`FILE_BYTES_MAX`];
/// nothing in the tree is nested deeper than a recursive walk can take.
#[must_use]
pub fn parse(file: FileId, text: &str) -> (ast::File, Vec<Diagnostic>) {
    if text.len() > FILE_BYTES_MAX {
        return (ast::File::default(), vec![too_large(file, text)]);
    }
    let lexed = lexer::lex(file, text, TOKENS_MAX);
    let mut diagnostics = lexed.diagnostics;
    let mut tree = Tree::new(file, text);
    let shallow = brackets::too_deep(file, &lexed.tokens).is_none();
    let whole = shallow.then(|| read(&mut tree, Start::File, &lexed.tokens));
    let items = match whole {
        Some(Ok(Piece::File(items))) => {
            diagnostics.extend(tree.too_deep);
            items
        }
        _ => {
            let (items, more) = recover(file, text, &lexed.tokens, &diagnostics);
            diagnostics.extend(more);
            items
        }
    };
    diagnostics.sort_by_key(|d| d.primary.span.start);
    if diagnostics.len() > DIAGNOSTICS_MAX {
        diagnostics.truncate(DIAGNOSTICS_MAX);
        diagnostics.push(too_many(file, &diagnostics));
    }
    let comments = lexed.comments;
    (ast::File { items, comments }, diagnostics)
}

fn too_large(file: FileId, text: &str) -> Diagnostic {
    error(
        codes::FILE_TOO_LARGE,
        file,
        Span::default(),
        format!(
            "this file has {} bytes; {FILE_BYTES_MAX} are the most that are read",
            text.len()
        ),
        "nothing of it was read",
    )
    .help(
        "split it into several files; reference data belongs into a table that is loaded at start",
    )
}

fn too_many(file: FileId, diagnostics: &[Diagnostic]) -> Diagnostic {
    let last = diagnostics
        .last()
        .map_or(Span::default(), |d| d.primary.span);
    error(
        codes::TOO_MANY_MISTAKES,
        file,
        last,
        format!("more than {DIAGNOSTICS_MAX} mistakes in this file"),
        "the others come after this",
    )
    .help("mend these first; the others may follow from them")
}

/// What the generated parser stumbles over.
pub(crate) type Stumble = ParseError<u32, Tok, std::convert::Infallible>;

/// Reads one piece.
pub(crate) fn read(tree: &mut Tree<'_>, start: Start, tokens: &[Token]) -> Result<Piece, Stumble> {
    let at = tokens.first().map_or(0, |token| token.span.start);
    let marker = Token {
        tok: Tok::Start(start),
        span: Span { start: at, end: at },
    };
    let input = std::iter::once(&marker)
        .chain(tokens)
        .map(|token| Ok((token.span.start, token.tok, token.span.end)));
    generated::PieceParser::new().parse(tree, input)
}

#[cfg(test)]
mod tests;
