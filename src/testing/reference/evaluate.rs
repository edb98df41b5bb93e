//! Expressions over lists of bound events.

use std::cmp::Ordering;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::History;
use crate::event::{Event, FieldType, Value};
use crate::lang::pattern::{
    Aggregate, AggregateFunction, BinaryOp, Expr, Step, StepId, VariableId,
};
use crate::lang::scalar;
use crate::time::{Span, Timestamp};

/// A step with the event that it binds, by its number among those of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Take {
    pub(crate) step: StepId,
    pub(crate) event: usize,
}

/// What a bare field is of.
#[derive(Clone, Copy)]
pub(crate) enum Current<'a> {
    /// Of nothing: `having`, `emit`, `timeout`.
    Nothing,
    /// Of the event being tested, which is not bound yet.
    Tested(&'a Event),
    /// Of an event that is bound: in an aggregate, in `prev`, in `emit each`.
    Bound(&'a Event),
}

/// Everything that an expression can read.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) history: &'a History<'a>,
    pub(crate) takes: &'a [Take],
    pub(crate) current: Current<'a>,
    /// `window_start()`, `window_end()`.
    pub(crate) window: Option<(Timestamp, Timestamp)>,
}

/// True when the event is of the step's type and satisfies its condition, with these takes bound.
pub(crate) fn satisfies(history: &History<'_>, takes: &[Take], step: StepId, event: usize) -> bool {
    let Step { ty, condition, .. } = &history.pattern.steps[usize::from(step.0)];
    let event = history.events[event];
    if event.ty != *ty {
        return false;
    }
    let scope = Scope {
        history,
        takes,
        current: Current::Tested(event),
        window: None,
    };
    condition
        .as_ref()
        .is_none_or(|condition| scalar::holds(&scope.value(condition)))
}

impl<'a> Scope<'a> {
    /// The value of an expression.
    pub(crate) fn value(&self, expr: &Expr) -> Value {
        match expr {
            Expr::Const(value) => value.clone(),
            Expr::Field(field) => self
                .event()
                .map_or(Value::Null, |event| event.get(*field).clone()),
            Expr::EachField(fields) => {
                let event = self.event();
                let field = event.and_then(|event| fields.iter().find(|(ty, _)| *ty == event.ty));
                field
                    .zip(event)
                    .map_or(Value::Null, |((_, field), event)| event.get(*field).clone())
            }
            Expr::Bound(variable, field) => self
                .bound(*variable)
                .last()
                .map_or(Value::Null, |event| event.get(*field).clone()),
            Expr::Prev(variable, expr) => self
                .bound(*variable)
                .last()
                .map_or(Value::Null, |event| self.of_bound(event).value(expr)),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Key(part) => self.history.key[*part].clone(),
            Expr::WholeKey => match self.history.key {
                [] => Value::Null,
                [one] => one.clone(),
                many => Value::List(Arc::from(many)),
            },
            Expr::MatchStart => self.times().next().map_or(Value::Null, Value::Timestamp),
            Expr::MatchEnd => self.times().last().map_or(Value::Null, Value::Timestamp),
            Expr::WindowStart => self
                .window
                .map_or(Value::Null, |(start, _)| Value::Timestamp(start)),
            Expr::WindowEnd => self
                .window
                .map_or(Value::Null, |(_, end)| Value::Timestamp(end)),
            Expr::Reached => self.takes.last().map_or(Value::Null, |take| {
                Value::Str(
                    self.history.pattern.steps[usize::from(take.step.0)]
                        .name
                        .as_str()
                        .into(),
                )
            }),
            Expr::Lookup(table, key, field) => {
                let key = self.value(key);
                let rows = self
                    .history
                    .tables
                    .get(usize::from(table.0))
                    .map_or(&[][..], Vec::as_slice);
                let column = usize::from(self.history.table_keys[usize::from(table.0)].0);
                let row = rows
                    .iter()
                    .find(|row| scalar::compare(&row[column], &key) == Some(Ordering::Equal));
                row.map_or(Value::Null, |row| row[usize::from(field.0)].clone())
            }
            Expr::Unary(op, operand) => scalar::unary(*op, &self.value(operand)),
            Expr::Binary(op, left, right) => {
                scalar::binary(*op, &self.value(left), &self.value(right))
            }
            Expr::In {
                needle,
                list,
                negated,
            } => {
                let list: Vec<Value> = list.iter().map(|element| self.value(element)).collect();
                scalar::contains(&self.value(needle), &list, *negated)
            }
            Expr::Call(function, arguments) => {
                let arguments: Vec<Value> = arguments
                    .iter()
                    .map(|argument| self.value(argument))
                    .collect();
                scalar::call(*function, &arguments)
            }
            Expr::Matches(text, regex) => scalar::matches(&self.value(text), regex),
        }
    }

    fn event(&self) -> Option<&'a Event> {
        match self.current {
            Current::Nothing => None,
            Current::Tested(event) | Current::Bound(event) => Some(event),
        }
    }

    /// The same, but a bare field is of an event that is bound.
    fn of_bound(&self, event: &'a Event) -> Scope<'a> {
        Scope {
            current: Current::Bound(event),
            ..*self
        }
    }

    /// The events bound to a variable, in order.
    fn bound(&self, variable: VariableId) -> impl DoubleEndedIterator<Item = &'a Event> {
        let history = self.history;
        let steps = &history.pattern.variables[usize::from(variable.0)].steps;
        let takes = self.takes.iter().filter(|take| steps.contains(&take.step));
        takes.map(|take| history.events[take.event])
    }

    /// The times of all bound events and of the one being tested.
    fn times(&self) -> impl Iterator<Item = Timestamp> {
        let tested = match self.current {
            Current::Tested(event) => Some(event.time),
            Current::Nothing | Current::Bound(_) => None,
        };
        self.takes
            .iter()
            .map(|take| self.history.time(take.event))
            .chain(tested)
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Value {
        let tested = match self.current {
            Current::Tested(event) if aggregate.includes_tested => Some(event),
            _ => None,
        };
        let events = self.bound(aggregate.variable).chain(tested);
        let values: Vec<Value> = events
            .map(|event| self.of_bound(event).value(&aggregate.argument))
            .collect();
        aggregated(aggregate.function, aggregate.argument_type, &values)
    }
}

/// An aggregate of the values of its argument, in order.
fn aggregated(function: AggregateFunction, ty: FieldType, values: &[Value]) -> Value {
    let present = || values.iter().filter(|value| !value.is_null());
    match function {
        AggregateFunction::First => values.first().cloned().unwrap_or_default(),
        AggregateFunction::Last => values.last().cloned().unwrap_or_default(),
        AggregateFunction::Count => count(values.len()),
        AggregateFunction::Sum => present().fold(zero(ty), |sum, value| {
            scalar::binary(BinaryOp::Add, &sum, value)
        }),
        AggregateFunction::Avg => average(ty, &present().collect::<Vec<_>>()),
        AggregateFunction::Min => extreme(present(), Ordering::Less),
        AggregateFunction::Max => extreme(present(), Ordering::Greater),
        AggregateFunction::Distinct => {
            let mut seen: Vec<&Value> = present().collect();
            seen.sort_by(|a, b| scalar::total_order(a, b));
            seen.dedup_by(|a, b| scalar::total_order(a, b) == Ordering::Equal);
            count(seen.len())
        }
        AggregateFunction::Collect => Value::List(Arc::from(values)),
    }
}

fn count(n: usize) -> Value {
    i64::try_from(n).map_or(Value::Null, Value::Int)
}

fn zero(ty: FieldType) -> Value {
    match ty {
        FieldType::Float => Value::Float(0.0),
        FieldType::Decimal => Value::Decimal(Decimal::ZERO),
        FieldType::Duration => Value::Duration(Span(0)),
        _ => Value::Int(0),
    }
}

fn average(ty: FieldType, values: &[&Value]) -> Value {
    if values.is_empty() {
        return Value::Null;
    }
    // Ints are averaged as decimals, so that 1 and 2 make 1.5.
    let start = if ty == FieldType::Int {
        Value::Decimal(Decimal::ZERO)
    } else {
        zero(ty)
    };
    let sum = values.iter().fold(start, |sum, value| {
        scalar::binary(BinaryOp::Add, &sum, value)
    });
    scalar::binary(BinaryOp::Div, &sum, &count(values.len()))
}

fn extreme<'v>(values: impl Iterator<Item = &'v Value>, wanted: Ordering) -> Value {
    let best = values.reduce(|best, value| {
        if scalar::compare(value, best) == Some(wanted) {
            value
        } else {
            best
        }
    });
    best.cloned().unwrap_or_default()
}
