//! From text to the syntax tree.

use lalrpop_util::ParseError;

use super::ast;
use super::diagnostic::Diagnostic;
use super::diagnostic::codes_syntax as codes;
use super::lexer;
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

/// Reads a pattern file. What could be read is in the tree even when something else is wrong; the tree is
/// complete if there are no diagnostics.
#[must_use]
pub fn parse(file: FileId, text: &str) -> (ast::File, Vec<Diagnostic>) {
    let mut out = ast::File::default();
    if text.len() > FILE_BYTES_MAX {
        return (
            out,
            vec![error(
                codes::FILE_TOO_LARGE,
                file,
                Span::default(),
                "file too large",
                "",
            )],
        );
    }
    let lexed = lexer::lex(file, text, TOKENS_MAX);
    let mut diagnostics = lexed.diagnostics;
    out.comments = lexed.comments;
    let mut tree = Tree::new(file, text);
    match read(&mut tree, Start::File, &lexed.tokens) {
        Ok(Piece::File(items)) => out.items = items,
        Ok(_) => {}
        Err(ParseError::UnrecognizedToken { token, expected }) => {
            let span = Span {
                start: token.0,
                end: token.2,
            };
            diagnostics.push(error(
                codes::UNEXPECTED,
                file,
                span,
                format!(
                    "unexpected `{}`",
                    &text[span.start as usize..span.end as usize]
                ),
                format!("expected one of {}", expected.join(" ")),
            ));
        }
        Err(_) => {
            let end = Span::new(text.len(), text.len());
            diagnostics.push(error(
                codes::UNEXPECTED,
                file,
                end,
                "the file ends too early",
                "more was expected",
            ));
        }
    }
    diagnostics.extend(tree.too_deep);
    (out, diagnostics)
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
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_read() {
        let text = r#"
event Txn { at: timestamp time, card: string, amount: decimal, merchant: string, status: string, key: int?, timeout: int }
param probe_max: decimal = 5.00
table Known { card: string, note: string from "a.b" } key card
fn twice(a: int, b: decimal): int = a * 2 + b
@severity("high")
pattern probe_then_drain {
  from Txn, Beat
  key card, k = A.x | B.match
  match probe: Txn where amount < probe_max and timeout > 5
   then any after 5s within 10m drain: Txn+? consecutive where amount > 500 and merchant != probe.merchant and not a in [1, 2] until Txn where x
   then not Txn where true for 5m
   next last: (a: A{3,} | b: B{2}? gap 30m) {1,2}
   then all(a: X, b: Y)
   then A??
  within 10m
  having count(probe) > 3 or first(drain.key) not in Known[card].match
  skip to last
  limit 5 per 1h by card, -x.y
  bound 100 evict oldest
  emit each { card, spent: drain.amount, waited: drain.at - probe.at ?? 5 }
  emit each fraud { then, where: where, not: not true, }
  timeout watchlist { card, probe: probe.amount }
}
test "probe then drain fires once" {
  given {
    0s  Txn { card: "c1", amount: 1.00, merchant: "m1", status: "ok" }
    30s Txn { card: "c1", amount: 900.00, merchant: "m2", status: "ok" }
  }
  expect { 30s fraud { card: "c1", spent: 900.00, waited: 30s } }
}
"#;
        let (file, diagnostics) = parse(FileId(0), text);
        assert_eq!(diagnostics, vec![]);
        assert_eq!(file.items.len(), 6);
    }
}
