//! Prints expressions, with those parentheses that are needed.

use super::{Keep, Printer};
use crate::lang::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

/// How tightly an expression holds together; the levels of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tightness {
    Or,
    And,
    Not,
    Comparison,
    Coalesce,
    Sum,
    Product,
    Negation,
    Postfix,
}

impl<'a> Printer<'a> {
    pub(super) fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Null => self.word("null"),
            ExprKind::Bool(true) => self.word("true"),
            ExprKind::Bool(false) => self.word("false"),
            ExprKind::Int(value) => self.int(*value),
            ExprKind::Number(digits) => self.word(digits.as_str()),
            ExprKind::Text(value) => self.quoted(value),
            ExprKind::Duration(value) => {
                let written = self.duration(*value);
                self.push(written);
            }
            ExprKind::List(items) => self.tight("[", items, "]", Self::expr),
            ExprKind::Name(name) => self.word(name.as_str()),
            ExprKind::Field(of, name) => {
                self.postfix_operand(of);
                self.word(".");
                self.ident(name);
            }
            ExprKind::Index(of, at) => {
                self.postfix_operand(of);
                self.word("[");
                self.expr(at);
                self.word("]");
            }
            ExprKind::Call(name, args) => {
                self.ident(name);
                self.tight("(", args, ")", Self::expr);
            }
            ExprKind::Unary(UnaryOp::Not, operand) => {
                self.word("not");
                self.space();
                self.operand(operand, Tightness::Not);
            }
            ExprKind::Unary(UnaryOp::Neg, operand) => {
                self.word("-");
                // `- -a` reads like a decrement.
                let least = match operand.kind {
                    ExprKind::Unary(UnaryOp::Neg, _) => Tightness::Postfix,
                    _ => Tightness::Negation,
                };
                self.operand(operand, least);
            }
            ExprKind::Binary(op, left, right) if tightness_of(*op) == Tightness::Comparison => {
                self.operand(left, Tightness::Coalesce);
                self.space();
                self.operator(*op);
                self.space();
                self.operand(right, Tightness::Coalesce);
            }
            ExprKind::Binary(op, left, right) => self.chain(*op, left, right),
        }
    }

    /// `a and b and c` on one line, or one operand to a line.
    fn chain(&mut self, op: BinaryOp, left: &'a Expr, right: &'a Expr) {
        let level = tightness_of(op);
        let mut links = vec![(op, right)];
        let mut first = left;
        while let ExprKind::Binary(op, left, right) = &first.kind
            && tightness_of(*op) == level
        {
            links.push((*op, right));
            first = left;
        }
        self.open();
        self.operand(first, level);
        self.indent(2);
        for (op, operand) in links.into_iter().rev() {
            self.break_or_space(Keep::Nothing);
            self.operator(op);
            self.space();
            // One level tighter: chains lean to the left.
            self.operand(operand, tighter(level));
        }
        self.indent(-2);
        self.close();
    }

    fn operator(&mut self, op: BinaryOp) {
        if op == BinaryOp::NotIn {
            self.word("not");
            self.space();
            self.word(BinaryOp::In.symbol());
        } else {
            self.word(op.symbol());
        }
    }

    fn operand(&mut self, expr: &'a Expr, least: Tightness) {
        if tightness(expr) >= least {
            self.expr(expr);
        } else {
            self.word("(");
            self.expr(expr);
            self.word(")");
        }
    }

    /// What stands before `.` or `[`. Literals get parentheses: `1.x` looks like a fraction.
    fn postfix_operand(&mut self, expr: &'a Expr) {
        let bare = matches!(
            expr.kind,
            ExprKind::Name(_) | ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Call(..)
        );
        if bare {
            self.expr(expr);
        } else {
            self.word("(");
            self.expr(expr);
            self.word(")");
        }
    }

    /// Only trees that no text was parsed into hold negative numbers.
    fn int(&mut self, value: i64) {
        self.word(value.to_string());
    }
}

fn tightness(expr: &Expr) -> Tightness {
    match &expr.kind {
        ExprKind::Unary(UnaryOp::Not, _) => Tightness::Not,
        ExprKind::Unary(UnaryOp::Neg, _) => Tightness::Negation,
        ExprKind::Int(value) if *value < 0 => Tightness::Negation,
        ExprKind::Binary(op, ..) => tightness_of(*op),
        _ => Tightness::Postfix,
    }
}

fn tightness_of(op: BinaryOp) -> Tightness {
    match op {
        BinaryOp::Or => Tightness::Or,
        BinaryOp::And => Tightness::And,
        BinaryOp::Eq
        | BinaryOp::Ne
        | BinaryOp::Lt
        | BinaryOp::Le
        | BinaryOp::Gt
        | BinaryOp::Ge
        | BinaryOp::In
        | BinaryOp::NotIn => Tightness::Comparison,
        BinaryOp::Coalesce => Tightness::Coalesce,
        BinaryOp::Add | BinaryOp::Sub => Tightness::Sum,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => Tightness::Product,
    }
}

fn tighter(level: Tightness) -> Tightness {
    match level {
        Tightness::Or => Tightness::And,
        Tightness::And => Tightness::Not,
        Tightness::Not => Tightness::Comparison,
        Tightness::Comparison => Tightness::Coalesce,
        Tightness::Coalesce => Tightness::Sum,
        Tightness::Sum => Tightness::Product,
        Tightness::Product => Tightness::Negation,
        Tightness::Negation | Tightness::Postfix => Tightness::Postfix,
    }
}
