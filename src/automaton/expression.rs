//! Expressions compiled for one pattern: fields are slots, aggregates are registers, nothing is looked up by name.
//!
//! Each expression is compiled once when the automaton is built. Evaluation borrows what it can and allocates only for values that are made
//! on the way (texts of `lower`, lists of `collect`).

use std::borrow::Cow;
use std::sync::Arc;

use super::constants::Constants;
use super::register::{Accumulator, RegisterSet};
use super::tables::Tables;
use crate::event::{Event, EventTypeId, FieldId, Value};
use crate::lang::pattern::{BinaryOp, Expr, Function, Pattern, Regex, StepId, UnaryOp};
use crate::lang::scalar;
use crate::time::Timestamp;

/// A compiled expression.
#[derive(Clone, Debug)]
pub(crate) enum Compiled {
    Const(Value),
    Field(FieldId),
    EachField(Vec<(EventTypeId, FieldId)>),
    /// The value of a register, the event being tested left out.
    Register(usize),
    /// The value that a register would have after the event being tested.
    RegisterWithTested(usize),
    Key(usize),
    WholeKey,
    MatchStart,
    MatchEnd,
    WindowStart,
    WindowEnd,
    Reached,
    Lookup(
        Arc<crate::event::formats::table::TableData>,
        Box<Compiled>,
        FieldId,
    ),
    Unary(UnaryOp, Box<Compiled>),
    And(Box<Compiled>, Box<Compiled>),
    Or(Box<Compiled>, Box<Compiled>),
    Coalesce(Box<Compiled>, Box<Compiled>),
    Binary(BinaryOp, Box<Compiled>, Box<Compiled>),
    /// A field against a constant: the common condition, without copies.
    FieldConst(BinaryOp, FieldId, Value),
    In(Box<Compiled>, Vec<Compiled>, bool),
    InConst(Box<Compiled>, Constants, bool),
    Call(Function, Vec<Compiled>),
    Matches(Box<Compiled>, Regex),
}

/// Whatever an expression may read.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The event being tested, or the row's event in `emit each`.
    pub event: Option<&'a Event>,
    /// What is bound so far.
    pub registers: &'a [Accumulator],
    /// The registers' plan: what they read from the event being tested.
    pub plan: &'a RegisterSet,
    /// Parts of the key.
    pub key: &'a [Value],
    /// Times of the first and last bound event.
    pub bounds: Bounds,
    /// Start and end of the window.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Name of the last step bound.
    pub reached: Option<&'a str>,
}

/// Times of the first and last bound event; `None` while nothing is bound.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

impl<'a> Scope<'a> {
    /// All that a local condition reads.
    pub(crate) fn of_event(event: &'a Event, plan: &'a RegisterSet) -> Scope<'a> {
        Scope {
            event: Some(event),
            registers: &[],
            plan,
            key: &[],
            bounds: Bounds::default(),
            window: None,
            reached: None,
        }
    }
}

impl Compiled {
    /// Compiles `expr`; aggregates and bound fields get registers in `registers`.
    pub(crate) fn new(
        expr: &Expr,
        pattern: &Pattern,
        registers: &mut RegisterSet,
        tables: &Tables,
    ) -> Compiled {
        let mut sub = |expr: &Expr| Compiled::new(expr, pattern, registers, tables);
        match expr {
            Expr::Const(value) => Compiled::Const(value.clone()),
            Expr::Field(field) => Compiled::Field(*field),
            Expr::EachField(fields) => Compiled::EachField(fields.clone()),
            Expr::Key(part) => Compiled::Key(*part),
            Expr::WholeKey => Compiled::WholeKey,
            Expr::MatchStart => Compiled::MatchStart,
            Expr::MatchEnd => Compiled::MatchEnd,
            Expr::WindowStart => Compiled::WindowStart,
            Expr::WindowEnd => Compiled::WindowEnd,
            Expr::Reached => Compiled::Reached,
            Expr::Lookup(table, key, field) => {
                let key = Box::new(sub(key));
                Compiled::Lookup(tables.get(*table), key, *field)
            }
            Expr::Unary(op, a) => Compiled::Unary(*op, Box::new(sub(a))),
            Expr::Binary(op, a, b) => {
                let (a, b) = (Box::new(sub(a)), Box::new(sub(b)));
                match (op, *a, *b) {
                    (BinaryOp::And, a, b) => Compiled::And(Box::new(a), Box::new(b)),
                    (BinaryOp::Or, a, b) => Compiled::Or(Box::new(a), Box::new(b)),
                    (BinaryOp::Coalesce, a, b) => Compiled::Coalesce(Box::new(a), Box::new(b)),
                    (op, Compiled::Field(field), Compiled::Const(value)) => {
                        Compiled::FieldConst(*op, field, value)
                    }
                    (op, Compiled::Const(value), Compiled::Field(field))
                        if let Some(op) = mirrored(*op) =>
                    {
                        Compiled::FieldConst(op, field, value)
                    }
                    (op, a, b) => Compiled::Binary(*op, Box::new(a), Box::new(b)),
                }
            }
            Expr::In {
                needle,
                list,
                negated,
            } => {
                let needle = Box::new(sub(needle));
                let list: Vec<Compiled> = list.iter().map(sub).collect();
                let consts = list.iter().map(|item| match item {
                    Compiled::Const(value) => Some(value.clone()),
                    _ => None,
                });
                match consts.collect::<Option<Vec<Value>>>() {
                    Some(values) => Compiled::InConst(needle, Constants::new(values), *negated),
                    None => Compiled::In(needle, list, *negated),
                }
            }
            Expr::Call(function, args) => Compiled::Call(*function, args.iter().map(sub).collect()),
            Expr::Matches(text, regex) => Compiled::Matches(Box::new(sub(text)), regex.clone()),
            Expr::Bound(variable, field) => {
                Compiled::Register(registers.last(pattern, *variable, &Expr::Field(*field), tables))
            }
            Expr::Prev(variable, of) => {
                Compiled::Register(registers.last(pattern, *variable, of, tables))
            }
            Expr::Aggregate(aggregate) => {
                let register = registers.aggregate(pattern, aggregate, tables);
                if aggregate.includes_tested {
                    Compiled::RegisterWithTested(register)
                } else {
                    Compiled::Register(register)
                }
            }
        }
    }

    /// How long it takes to judge, compared with others: few numbers are compared in the time that one text takes, and anything else takes longer.
    pub(crate) fn effort(&self) -> u8 {
        match self {
            Compiled::FieldConst(_, _, Value::Str(_)) => 1,
            Compiled::FieldConst(..) => 0,
            _ => 2,
        }
    }

    /// True if the value depends on the event being tested alone.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Compiled::Const(_)
            | Compiled::Field(_)
            | Compiled::EachField(_)
            | Compiled::FieldConst(..) => true,
            // The key is the event's own.
            Compiled::Key(_) | Compiled::WholeKey => true,
            Compiled::Register(_)
            | Compiled::RegisterWithTested(_)
            | Compiled::MatchStart
            | Compiled::MatchEnd
            | Compiled::WindowStart
            | Compiled::WindowEnd
            | Compiled::Reached => false,
            Compiled::Lookup(_, a, _)
            | Compiled::Unary(_, a)
            | Compiled::InConst(a, ..)
            | Compiled::Matches(a, _) => a.is_local(),
            Compiled::And(a, b)
            | Compiled::Or(a, b)
            | Compiled::Coalesce(a, b)
            | Compiled::Binary(_, a, b) => a.is_local() && b.is_local(),
            Compiled::In(a, list, _) => a.is_local() && list.iter().all(Compiled::is_local),
            Compiled::Call(_, args) => args.iter().all(Compiled::is_local),
        }
    }

    /// True if some part reads the key.
    pub(crate) fn reads_key(&self) -> bool {
        match self {
            Compiled::Key(_) | Compiled::WholeKey => true,
            Compiled::Lookup(_, a, _)
            | Compiled::Unary(_, a)
            | Compiled::InConst(a, ..)
            | Compiled::Matches(a, _) => a.reads_key(),
            Compiled::And(a, b)
            | Compiled::Or(a, b)
            | Compiled::Coalesce(a, b)
            | Compiled::Binary(_, a, b) => a.reads_key() || b.reads_key(),
            Compiled::In(a, list, _) => a.reads_key() || list.iter().any(Compiled::reads_key),
            Compiled::Call(_, args) => args.iter().any(Compiled::reads_key),
            _ => false,
        }
    }

    /// Splits a condition into the part that reads only the event being tested and the rest; both must hold.
    pub(crate) fn split(self) -> (Option<Compiled>, Option<Compiled>) {
        // The key is not at hand where local parts are judged, before the key is looked up.
        if self.is_local() && !self.reads_key() {
            return (Some(self), None);
        }
        let Compiled::And(a, b) = self else {
            return (None, Some(self));
        };
        let ((a_local, a_rest), (b_local, b_rest)) = (a.split(), b.split());
        (both(a_local, b_local), both(a_rest, b_rest))
    }

    /// True if the condition holds.
    #[inline(always)]
    pub(crate) fn holds(&self, scope: &Scope<'_>) -> bool {
        match self {
            // The common conditions, where they are asked.
            Compiled::FieldConst(op, field, value) => scope
                .event
                .is_some_and(|event| scalar::relates(*op, event.get(*field), value)),
            Compiled::Binary(op, a, b) => match (a.at_hand(scope), b.at_hand(scope)) {
                (Some(a), Some(b)) => scalar::relates(*op, a, b),
                _ => scalar::relates(*op, &a.eval(scope), &b.eval(scope)),
            },
            _ => self.holds_otherwise(scope),
        }
    }

    fn holds_otherwise(&self, scope: &Scope<'_>) -> bool {
        match self {
            Compiled::And(a, b) => a.holds(scope) && b.holds(scope),
            Compiled::Or(a, b) => a.holds(scope) || b.holds(scope),
            _ => matches!(*self.eval(scope), Value::Bool(true)),
        }
    }

    /// The value, if it lies somewhere just so.
    #[inline(always)]
    pub(super) fn at_hand<'a>(&'a self, scope: &Scope<'a>) -> Option<&'a Value> {
        match self {
            Compiled::Coalesce(first, second) => match first.lies(scope)? {
                Value::Null => second.lies(scope),
                first => Some(first),
            },
            _ => self.lies(scope),
        }
    }

    #[inline(always)]
    fn lies<'a>(&'a self, scope: &Scope<'a>) -> Option<&'a Value> {
        match self {
            Compiled::Const(value) => Some(value),
            Compiled::Field(field) => scope.event.map(|event| event.get(*field)),
            Compiled::Register(at) => match &scope.registers[*at] {
                Accumulator::Value(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value.
    pub(crate) fn eval<'a>(&'a self, scope: &Scope<'a>) -> Cow<'a, Value> {
        let time = |t: Option<Timestamp>| Cow::Owned(t.map_or(Value::Null, Value::Timestamp));
        match self {
            Compiled::Const(value) => Cow::Borrowed(value),
            Compiled::Field(field) => scope
                .event
                .map_or(NULL, |event| Cow::Borrowed(event.get(*field))),
            Compiled::EachField(fields) => scope.event.map_or(NULL, |event| {
                let found = fields.iter().find(|(ty, _)| *ty == event.ty);
                found.map_or(NULL, |(_, field)| Cow::Borrowed(event.get(*field)))
            }),
            Compiled::FieldConst(op, field, value) => match scope.event {
                Some(event) => Cow::Owned(scalar::binary(*op, event.get(*field), value)),
                None => NULL,
            },
            Compiled::Register(at) => scope.registers[*at].value(),
            Compiled::RegisterWithTested(at) => match scope.event {
                Some(event) => Cow::Owned(scope.plan.value_with(*at, &scope.registers[*at], event)),
                None => scope.registers[*at].value(),
            },
            Compiled::Key(part) => scope.key.get(*part).map_or(NULL, Cow::Borrowed),
            Compiled::WholeKey => match scope.key {
                [] => NULL,
                [one] => Cow::Borrowed(one),
                many => Cow::Owned(Value::List(many.into())),
            },
            Compiled::MatchStart => time(
                scope
                    .bounds
                    .first
                    .or_else(|| scope.event.map(|event| event.time)),
            ),
            Compiled::MatchEnd => time(scope.event.map(|event| event.time).or(scope.bounds.last)),
            Compiled::WindowStart => time(scope.window.map(|(start, _)| start)),
            Compiled::WindowEnd => time(scope.window.map(|(_, end)| end)),
            Compiled::Reached => scope
                .reached
                .map_or(NULL, |name| Cow::Owned(Value::Str(name.into()))),
            Compiled::Lookup(table, key, field) => table
                .get(&key.eval(scope))
                .map_or(NULL, |row| Cow::Borrowed(&row[usize::from(field.0)])),
            Compiled::Unary(op, a) => Cow::Owned(scalar::unary(*op, &a.eval(scope))),
            Compiled::And(a, b) => short_circuit(BinaryOp::And, false, a, b, scope),
            Compiled::Or(a, b) => short_circuit(BinaryOp::Or, true, a, b, scope),
            Compiled::Coalesce(a, b) => {
                let a = a.eval(scope);
                if a.is_null() { b.eval(scope) } else { a }
            }
            Compiled::Binary(op, a, b) => {
                Cow::Owned(scalar::binary(*op, &a.eval(scope), &b.eval(scope)))
            }
            Compiled::In(needle, list, negated) => {
                let list: Vec<Value> = list
                    .iter()
                    .map(|item| item.eval(scope).into_owned())
                    .collect();
                Cow::Owned(scalar::contains(&needle.eval(scope), &list, *negated))
            }
            Compiled::InConst(needle, list, negated) => {
                Cow::Owned(Value::Bool(list.hold(&needle.eval(scope), *negated)))
            }
            Compiled::Call(function, args) => {
                let args: Vec<Value> = args
                    .iter()
                    .map(|arg| arg.eval(scope).into_owned())
                    .collect();
                Cow::Owned(scalar::call(*function, &args))
            }
            Compiled::Matches(text, regex) => match &*text.eval(scope) {
                Value::Str(text) => Cow::Owned(Value::Bool(regex.0.is_match(text))),
                _ => NULL,
            },
        }
    }
}

const NULL: Cow<'static, Value> = Cow::Owned(Value::Null);

/// The comparison that holds of `(b, a)` where this one holds of `(a, b)`.
fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
    match op {
        BinaryOp::Eq | BinaryOp::Ne => Some(op),
        BinaryOp::Lt => Some(BinaryOp::Gt),
        BinaryOp::Le => Some(BinaryOp::Ge),
        BinaryOp::Gt => Some(BinaryOp::Lt),
        BinaryOp::Ge => Some(BinaryOp::Le),
        _ => None,
    }
}

fn both(a: Option<Compiled>, b: Option<Compiled>) -> Option<Compiled> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Compiled::And(Box::new(a), Box::new(b))),
        (a, b) => a.or(b),
    }
}

/// `a and b`, `a or b`: the right side is not looked at when the left decides.
fn short_circuit<'a>(
    op: BinaryOp,
    decides: bool,
    a: &'a Compiled,
    b: &'a Compiled,
    scope: &Scope<'a>,
) -> Cow<'a, Value> {
    let a = a.eval(scope);
    if *a == Value::Bool(decides) {
        return a;
    }
    Cow::Owned(scalar::binary(op, &a, &b.eval(scope)))
}

/// A step's condition: type, what reads the event alone, and what reads more.
#[derive(Clone, Debug)]
pub(crate) struct StepPlan {
    pub name: String,
    /// Judged once per event.
    pub local: Option<Compiled>,
    /// Judged once per event and partial match.
    pub correlated: Option<Compiled>,
}

/// One bit per step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct StepMask(pub(crate) u64);

impl FromIterator<StepId> for StepMask {
    fn from_iter<I: IntoIterator<Item = StepId>>(steps: I) -> StepMask {
        let mut mask = StepMask::default();
        steps.into_iter().for_each(|step| mask.add(step));
        mask
    }
}

impl StepMask {
    pub(crate) fn of(step: StepId) -> StepMask {
        StepMask(1 << step.0)
    }

    pub(crate) fn has(self, step: StepId) -> bool {
        self.0 >> step.0 & 1 == 1
    }

    pub(crate) fn add(&mut self, step: StepId) {
        self.0 |= 1 << step.0;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn steps(self) -> impl Iterator<Item = StepId> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let at = rest.trailing_zeros();
            rest &= rest - 1;
            Some(StepId(at as u8))
        })
    }
}
