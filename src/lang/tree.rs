//! Builds the syntax tree for the generated parser.
//!
//! Here expressions are held to a depth, so that whoever walks a tree may recurse. The parser itself keeps its
//! stack on the heap and would build a tree as deep as the file is long.

use super::ast::{self, BinaryOp, Expr, ExprKind, Ident, Item, Key, Sequence, UnaryOp};
use super::diagnostic::Diagnostic;
use super::diagnostic::codes_syntax as codes;
use super::lexer::unescape;
use super::span::{FileId, Span};
use super::syntax_error::error;

/// The deepest expression: operators, calls, fields and brackets inside each other.
pub(crate) const EXPR_DEPTH_MAX: u32 = 200;

/// What the parser was told to read.
#[derive(Debug)]
pub(crate) enum Piece {
    File(Vec<Item>),
    Clause(Clause),
    /// Only read for its mistakes.
    Part,
}

/// One clause of a pattern.
#[derive(Debug)]
pub(crate) enum Clause {
    From(Vec<Ident>),
    Key(Key),
    Match(Sequence),
    Within(ast::Duration),
    Having(Expr),
    Skip(ast::Skip),
    Limit(ast::Limit),
    Bound(ast::Bound),
    Output(ast::Output),
}

/// An expression with its depth; one that stands alone has depth 1.
#[derive(Debug)]
pub(crate) struct Deep {
    pub(crate) expr: Expr,
    depth: u32,
}

/// What the rules of the grammar call.
pub(crate) struct Tree<'a> {
    text: &'a str,
    file: FileId,
    /// At most one: the first expression that is too deep.
    pub(crate) too_deep: Option<Diagnostic>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(file: FileId, text: &'a str) -> Tree<'a> {
        Tree {
            text,
            file,
            too_deep: None,
        }
    }

    pub(crate) fn span(&self, start: u32, end: u32) -> Span {
        Span { start, end }
    }

    pub(crate) fn until(&self, first: Span, end: u32) -> Span {
        Span {
            start: first.start,
            end,
        }
    }

    fn slice(&self, start: u32, end: u32) -> &'a str {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    pub(crate) fn ident(&self, start: u32, end: u32) -> Ident {
        Ident {
            name: self.slice(start, end).to_owned(),
            span: Span { start, end },
        }
    }

    pub(crate) fn text(&self, start: u32, end: u32) -> ast::Text {
        let raw = self.slice(start, end);
        // A text without its closing quote was reported by the lexer and is taken as far as it goes.
        let quote = raw.get(..1).unwrap_or_default();
        let inner = raw.get(1..).unwrap_or_default();
        let inner = inner.strip_suffix(quote).unwrap_or(inner);
        ast::Text {
            value: unescape(inner, |_, _| {}),
            span: Span { start, end },
        }
    }

    pub(crate) fn output(
        &self,
        kind: ast::OutputKind,
        start: u32,
        name: Ident,
        record: ast::Record,
    ) -> ast::Output {
        let end = record.span.end;
        ast::Output {
            kind,
            name,
            record,
            span: Span { start, end },
        }
    }

    pub(crate) fn literal(&self, start: u32, kind: ExprKind, end: u32) -> Deep {
        Deep {
            expr: Expr {
                kind,
                span: Span { start, end },
            },
            depth: 1,
        }
    }

    pub(crate) fn number(&self, start: u32, end: u32) -> Deep {
        self.literal(
            start,
            ExprKind::Number(self.slice(start, end).to_owned()),
            end,
        )
    }

    pub(crate) fn text_literal(&self, text: ast::Text) -> Deep {
        self.literal(text.span.start, ExprKind::Text(text.value), text.span.end)
    }

    pub(crate) fn name(&self, name: Ident) -> Deep {
        self.literal(name.span.start, ExprKind::Name(name.name), name.span.end)
    }

    pub(crate) fn parenthesised(&self, start: u32, inner: Deep, end: u32) -> Deep {
        Deep {
            expr: Expr {
                kind: inner.expr.kind,
                span: Span { start, end },
            },
            depth: inner.depth,
        }
    }

    pub(crate) fn unary(&mut self, op: UnaryOp, start: u32, operand: Deep) -> Deep {
        let span = Span {
            start,
            end: operand.expr.span.end,
        };
        let depth = operand.depth;
        self.deeper(span, depth, || ExprKind::Unary(op, Box::new(operand.expr)))
    }

    pub(crate) fn binary(&mut self, op: BinaryOp, left: Deep, right: Deep) -> Deep {
        let span = left.expr.span.to(right.expr.span);
        let depth = left.depth.max(right.depth);
        self.deeper(span, depth, || {
            ExprKind::Binary(op, Box::new(left.expr), Box::new(right.expr))
        })
    }

    pub(crate) fn field(&mut self, of: Deep, name: Ident) -> Deep {
        let span = of.expr.span.to(name.span);
        self.deeper(span, of.depth, || ExprKind::Field(Box::new(of.expr), name))
    }

    pub(crate) fn index(&mut self, of: Deep, at: Deep, end: u32) -> Deep {
        let span = self.until(of.expr.span, end);
        let depth = of.depth.max(at.depth);
        self.deeper(span, depth, || {
            ExprKind::Index(Box::new(of.expr), Box::new(at.expr))
        })
    }

    pub(crate) fn call(&mut self, name: Ident, args: Vec<Deep>, end: u32) -> Deep {
        let span = self.until(name.span, end);
        let (depth, args) = shallow(args);
        self.deeper(span, depth, || ExprKind::Call(name, args))
    }

    pub(crate) fn list(&mut self, start: u32, items: Vec<Deep>, end: u32) -> Deep {
        let (depth, items) = shallow(items);
        self.deeper(Span { start, end }, depth, || ExprKind::List(items))
    }

    /// One level above what has `depth`; too deep a tree is dropped here, while it is still shallow enough to drop.
    fn deeper(&mut self, span: Span, depth: u32, kind: impl FnOnce() -> ExprKind) -> Deep {
        if depth < EXPR_DEPTH_MAX {
            return Deep {
                expr: Expr { kind: kind(), span },
                depth: depth + 1,
            };
        }
        if self.too_deep.is_none() {
            self.too_deep = Some(
                error(
                    codes::EXPRESSION_TOO_DEEP,
                    self.file,
                    span,
                    format!("this expression is more than {EXPR_DEPTH_MAX} levels deep"),
                    "the limit is reached here",
                )
                .help("use a list and `in`, a `fn` or a table; or group the operands of a long chain with parentheses"),
            );
        }
        self.literal(span.start, ExprKind::Null, span.end)
    }
}

/// The greatest depth, and the expressions without theirs.
fn shallow(items: Vec<Deep>) -> (u32, Vec<Expr>) {
    let depth = items.iter().map(|item| item.depth).max().unwrap_or(0);
    (depth, items.into_iter().map(|item| item.expr).collect())
}
