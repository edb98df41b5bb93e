//! Trees without their places, to compare what two texts say.

use super::ast::{
    Annotation, Atom, Bound, Closer, CloserKind, Connector, Count, Duration, Expr, ExprKind,
    Extent, FieldDecl, File, Ident, Item, Key, Limit, Loop, Output, PatternDecl, QuantifierForm,
    Record, Sequence, Skip, SkipKind, Step, StepKind, TestRow, Text, TypeRef, Until,
};
use super::span::Span;

/// `file` with every place zero and without comments: equal for two texts that say the same.
#[must_use]
pub(crate) fn erase_places(mut file: File) -> File {
    file.comments.clear();
    file.items.erase();
    file
}

/// Sets every place in it to zero.
trait Erase {
    fn erase(&mut self);
}

impl Erase for Span {
    fn erase(&mut self) {
        *self = Span::default();
    }
}

impl<T: Erase> Erase for Vec<T> {
    fn erase(&mut self) {
        self.iter_mut().for_each(Erase::erase);
    }
}

impl<T: Erase> Erase for Option<T> {
    fn erase(&mut self) {
        self.iter_mut().for_each(Erase::erase);
    }
}

impl<T: Erase> Erase for Box<T> {
    fn erase(&mut self) {
        self.as_mut().erase();
    }
}

impl<A: Erase, B: Erase> Erase for (A, B) {
    fn erase(&mut self) {
        self.0.erase();
        self.1.erase();
    }
}

/// What has no place: nothing to erase.
macro_rules! placeless {
    ($($ty:ty),*) => { $(impl Erase for $ty { fn erase(&mut self) {} })* };
}

placeless!(super::ast::LoopContiguity);

macro_rules! erase {
    ($($ty:ty { $($field:ident),* })*) => {
        $(impl Erase for $ty {
            fn erase(&mut self) {
                $(self.$field.erase();)*
            }
        })*
    };
}

erase! {
    Ident { span }
    Duration { span }
    Text { span }
    Count { span }
    super::ast::EventDecl { name, fields, span }
    FieldDecl { name, ty, time, from, span }
    TypeRef { name, unit, span }
    super::ast::TableDecl { name, fields, key, span }
    super::ast::ParamDecl { name, ty, value, span }
    super::ast::FnDecl { name, args, result, body, span }
    Annotation { name, value, span }
    PatternDecl { annotations, name, from, key, sequence, within, having, skip, limit, bound, outputs, span }
    super::ast::KeyPart { name, aliases }
    Sequence { first, rest, span }
    Connector { after, within, span }
    Step { kind, span }
    Atom { event, repeat, condition, until, span }
    Until { event, condition, span }
    Loop { quantifier, contiguity, closer, span }
    super::ast::Quantifier { form, span }
    Closer { kind, span }
    Skip { kind, span }
    Limit { count, per, by, span }
    Bound { count, span }
    Output { name, record, span }
    Record { fields, span }
    super::ast::TestDecl { name, given, expect, span }
    TestRow { at, name, record, span }
    Expr { kind, span }
}

impl Erase for Item {
    fn erase(&mut self) {
        match self {
            Item::Event(event) => event.erase(),
            Item::Table(table) => table.erase(),
            Item::Param(param) => param.erase(),
            Item::Fn(function) => function.erase(),
            Item::Pattern(pattern) => pattern.erase(),
            Item::Test(test) => test.erase(),
        }
    }
}

impl Erase for Key {
    fn erase(&mut self) {
        match self {
            Key::Unkeyed(span) => span.erase(),
            Key::Parts(parts, span) => {
                parts.erase();
                span.erase();
            }
        }
    }
}

impl Erase for StepKind {
    fn erase(&mut self) {
        match self {
            StepKind::Not { atom, window } => {
                atom.erase();
                window.erase();
            }
            StepKind::Atom { name, atom } => {
                name.erase();
                atom.erase();
            }
            StepKind::Group {
                name,
                alternatives,
                repeat,
            } => {
                name.erase();
                alternatives.erase();
                repeat.erase();
            }
            StepKind::All(members) => members.erase(),
        }
    }
}

impl Erase for QuantifierForm {
    fn erase(&mut self) {
        match self {
            QuantifierForm::Plus | QuantifierForm::Star | QuantifierForm::Optional => {}
            QuantifierForm::Exactly(n) | QuantifierForm::AtLeast(n) => n.erase(),
            QuantifierForm::Between(n, m) => {
                n.erase();
                m.erase();
            }
        }
    }
}

impl Erase for CloserKind {
    fn erase(&mut self) {
        match self {
            CloserKind::Tumble { size, tz } => {
                size.erase();
                tz.erase();
            }
            CloserKind::Hop { size, every, tz } => {
                size.erase();
                every.erase();
                tz.erase();
            }
            CloserKind::Gap(length) | CloserKind::For(length) => length.erase(),
        }
    }
}

impl Erase for Extent {
    fn erase(&mut self) {
        match self {
            Extent::Time(length) => length.erase(),
            Extent::Count(count) => count.erase(),
        }
    }
}

impl Erase for SkipKind {
    fn erase(&mut self) {
        match self {
            SkipKind::PastMatch | SkipKind::None | SkipKind::ToNext => {}
            SkipKind::To(name) | SkipKind::ToLast(name) => name.erase(),
        }
    }
}

impl Erase for ExprKind {
    fn erase(&mut self) {
        match self {
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Number(_)
            | ExprKind::Text(_)
            | ExprKind::Duration(_)
            | ExprKind::Name(_) => {}
            ExprKind::List(items) => items.erase(),
            ExprKind::Field(of, name) => {
                of.erase();
                name.erase();
            }
            ExprKind::Index(a, b) | ExprKind::Binary(_, a, b) => {
                a.erase();
                b.erase();
            }
            ExprKind::Call(name, args) => {
                name.erase();
                args.erase();
            }
            ExprKind::Unary(_, operand) => operand.erase(),
        }
    }
}
