//! What a partial match remembers of the events it bound: running values, never the events themselves
//! unless an output asks for them.
//!
//! A loop that is only aggregated therefore costs the same for a million events as for ten.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use rust_decimal::Decimal;
use smallvec::SmallVec;

use super::chain::Chain;
use super::expression::{Bounds, Compiled, Scope, StepMask};
use super::shape::pairwise;
use super::tables::Tables;
use crate::event::{Event, FieldType, Value};
use crate::lang::pattern::{Aggregate, AggregateFunction, BinaryOp, Expr, Pattern, VariableId};
use crate::lang::scalar;
use crate::time::Span;

/// The registers of a partial match, a window or a pane, in the order of their plan. Nearly all patterns have so few that they lie where the rest does, which is looked at with every event: elsewhere
/// they would be waited for once more.
pub(crate) type Registers = SmallVec<[Accumulator; 3]>;

/// The plan of a pattern's registers.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegisterSet {
    pub(super) specs: Vec<RegisterSpec>,
    /// Registers that some step's events change, by step.
    by_step: Vec<Vec<u16>>,
    /// Registers before anything is bound.
    blank: Registers,
}

#[derive(Clone, Debug)]
pub(super) struct RegisterSpec {
    /// Steps whose events count.
    pub steps: StepMask,
    pub kind: RegisterKind,
    /// Read from each event.
    argument: Compiled,
    /// What was asked for, to share equal registers.
    pub asked: Asked,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    Value(AggregateFunction, VariableId, Expr),
    Rows,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RegisterKind {
    Function(AggregateFunction, FieldType),
    /// All bound events, for `emit each`.
    Rows,
}

/// A running value, no larger than a value: its plan says what it is, where that is not clear. There are up to three in each partial match, and all of it is looked at with each event.
#[derive(Clone, Debug)]
pub(crate) enum Accumulator {
    /// `first`, `last`, `min`, `max`, `sum`. Null while nothing is bound, but for a sum, which is null once it overflowed.
    Value(Value),
    /// `first` before something was bound: a null can be the first.
    Unset,
    Count(i64),
    /// Sum and number of values; the sum is null once it overflowed.
    Avg(Box<(Value, i64)>),
    Distinct(Arc<BTreeSet<Ordered>>),
    Collect(Chain<Value>),
    Rows(Chain<Arc<Event>>),
}

/// A value in the total order of values.
#[derive(Clone, Debug)]
pub(crate) struct Ordered(pub(super) Value);

impl PartialEq for Ordered {
    fn eq(&self, other: &Ordered) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Ordered) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Ordered) -> std::cmp::Ordering {
        scalar::total_order(&self.0, &other.0)
    }
}

impl RegisterSet {
    /// A register for the last value of `argument` over the variable's events.
    pub(crate) fn last(
        &mut self,
        pattern: &Pattern,
        variable: VariableId,
        argument: &Expr,
        tables: &Tables,
    ) -> usize {
        // The type matters to sums alone.
        self.register(
            pattern,
            AggregateFunction::Last,
            variable,
            argument,
            FieldType::Int,
            tables,
        )
    }

    /// A register for an aggregate.
    pub(crate) fn aggregate(
        &mut self,
        pattern: &Pattern,
        aggregate: &Aggregate,
        tables: &Tables,
    ) -> usize {
        let Aggregate {
            function,
            variable,
            argument,
            argument_type,
            ..
        } = aggregate;
        self.register(
            pattern,
            *function,
            *variable,
            argument,
            *argument_type,
            tables,
        )
    }

    /// A register that keeps all bound events.
    pub(crate) fn rows(&mut self) -> usize {
        if let Some(at) = self.specs.iter().position(|spec| spec.asked == Asked::Rows) {
            return at;
        }
        self.specs.push(RegisterSpec {
            steps: StepMask(u64::MAX),
            kind: RegisterKind::Rows,
            argument: Compiled::Const(Value::Null),
            asked: Asked::Rows,
        });
        self.specs.len() - 1
    }

    fn register(
        &mut self,
        pattern: &Pattern,
        function: AggregateFunction,
        variable: VariableId,
        argument: &Expr,
        ty: FieldType,
        tables: &Tables,
    ) -> usize {
        let asked = Asked::Value(function, variable, argument.clone());
        if let Some(at) = self.specs.iter().position(|spec| spec.asked == asked) {
            return at;
        }
        let mut steps = StepMask::default();
        for &step in &pattern.variables[usize::from(variable.0)].steps {
            steps.add(step);
        }
        // Arguments read one event's fields only, so compiling them adds no register.
        let argument = Compiled::new(argument, pattern, self, tables);
        self.specs.push(RegisterSpec {
            steps,
            kind: RegisterKind::Function(function, ty),
            argument,
            asked,
        });
        self.specs.len() - 1
    }

    /// Call once after the last register was added.
    pub(crate) fn finish(&mut self, steps: usize) {
        self.blank = self.empty();
        self.by_step = (0..steps)
            .map(|step| {
                let changed = self
                    .specs
                    .iter()
                    .enumerate()
                    .filter(|(_, spec)| spec.steps.0 >> step & 1 == 1);
                changed.map(|(at, _)| at as u16).collect()
            })
            .collect();
    }

    /// True if the registers of both hold the same after the same events.
    pub(crate) fn same(&self, other: &RegisterSet) -> bool {
        self.by_step == other.by_step
            && pairwise(&self.specs, &other.specs, |a, b| {
                a.steps == b.steps && a.kind == b.kind && a.argument.same(&b.argument)
            })
    }

    /// What registers hold before anything is bound, for those who only read it.
    pub(crate) fn blank(&self) -> &[Accumulator] {
        &self.blank
    }

    /// Registers before anything is bound.
    #[inline]
    pub(crate) fn empty(&self) -> Registers {
        let mut registers = Registers::new();
        // One by one: nearly all have three at most, which takes less than what is made for any number.
        for spec in &self.specs {
            registers.push(empty(spec.kind));
        }
        registers
    }

    /// What a register is for.
    pub(super) fn kind(&self, at: u16) -> RegisterKind {
        self.specs[usize::from(at)].kind
    }

    /// A register that an event fills alone.
    pub(crate) fn single(&self, at: usize, event: &Event, key: &[Value]) -> Accumulator {
        let spec = &self.specs[at];
        let mut register = empty(spec.kind);
        register.add(spec.kind, &spec.argument(event, key, self), event);
        register
    }

    /// What registers that the step's events change hold of one event alone, in the order of [`RegisterSet::filled_by`].
    pub(crate) fn singles<'a>(
        &'a self,
        step: usize,
        event: &'a Event,
        key: &'a [Value],
    ) -> impl Iterator<Item = Accumulator> + 'a {
        let filled = self.by_step[step].iter();
        filled.map(move |at| self.single(usize::from(*at), event, key))
    }

    /// Registers that the step's events change.
    pub(crate) fn filled_by(&self, step: usize) -> &[u16] {
        &self.by_step[step]
    }

    /// Adds an event bound to `step`.
    #[inline]
    pub(crate) fn take(
        &self,
        registers: &mut [Accumulator],
        step: usize,
        event: &Event,
        key: &[Value],
    ) {
        for &at in &self.by_step[step] {
            let spec = &self.specs[usize::from(at)];
            let value = spec.argument(event, key, self);
            registers[usize::from(at)].add(spec.kind, &value, event);
        }
    }

    /// The value the register would have after `event`.
    pub(crate) fn value_with(&self, at: usize, register: &Accumulator, event: &Event) -> Value {
        let spec = &self.specs[at];
        let mut register = register.clone();
        register.add(spec.kind, &spec.argument(event, &[], self), event);
        register.value().into_owned()
    }

    /// Adds what `later` holds to `registers`, as if its events had followed.
    pub(crate) fn merge(&self, registers: &mut [Accumulator], later: &[Accumulator]) {
        for (at, (register, later)) in registers.iter_mut().zip(later).enumerate() {
            self.merge_one(at, register, later);
        }
    }

    /// Adds what `later` holds to one register, as if its events had followed.
    #[inline]
    pub(crate) fn merge_one(&self, at: usize, register: &mut Accumulator, later: &Accumulator) {
        match (later, self.specs[at].kind) {
            // They look alike; their plan tells them apart.
            (Accumulator::Value(more), RegisterKind::Function(AggregateFunction::Sum, _)) => {
                // A null is one that overflowed, and so does the sum of both.
                if let Accumulator::Value(sum) = register {
                    scalar::add(sum, more);
                }
            }
            (Accumulator::Value(new), RegisterKind::Function(function, _)) => {
                register.add_value(function, new)
            }
            _ => register.merge(later),
        }
    }
}

impl RegisterSpec {
    fn argument<'a>(
        &'a self,
        event: &'a Event,
        key: &'a [Value],
        plan: &'a RegisterSet,
    ) -> Cow<'a, Value> {
        match &self.argument {
            // Nearly all are one of these.
            Compiled::Field(field) => Cow::Borrowed(event.get(*field)),
            Compiled::Const(value) => Cow::Borrowed(value),
            argument => argument.eval(&Scope {
                event: Some(event),
                registers: &[],
                plan,
                key,
                bounds: Bounds::default(),
                window: None,
                reached: None,
            }),
        }
    }
}

/// Reads a little of registers, at both ends.
#[inline]
pub(super) fn glance(registers: &Registers) -> u64 {
    let counts =
        |register: Option<&Accumulator>| u64::from(matches!(register, Some(Accumulator::Count(_))));
    counts(registers.first()) ^ counts(registers.last())
}

fn empty(kind: RegisterKind) -> Accumulator {
    use AggregateFunction as F;
    let RegisterKind::Function(function, ty) = kind else {
        return Accumulator::Rows(Chain::default());
    };
    match function {
        F::Last | F::Min | F::Max => Accumulator::Value(Value::Null),
        F::First => Accumulator::Unset,
        F::Count => Accumulator::Count(0),
        F::Sum => Accumulator::Value(zero(ty)),
        // The mean of whole numbers is exact: a decimal.
        F::Avg if ty == FieldType::Int => Accumulator::Avg(Box::new((zero(FieldType::Decimal), 0))),
        F::Avg => Accumulator::Avg(Box::new((zero(ty), 0))),
        F::Distinct => Accumulator::Distinct(Arc::default()),
        F::Collect => Accumulator::Collect(Chain::default()),
    }
}

fn zero(ty: FieldType) -> Value {
    match ty {
        FieldType::Float => Value::Float(0.0),
        FieldType::Decimal => Value::Decimal(Decimal::ZERO),
        FieldType::Duration => Value::Duration(Span(0)),
        _ => Value::Int(0),
    }
}

impl Accumulator {
    fn add(&mut self, kind: RegisterKind, value: &Value, event: &Event) {
        match (&mut *self, kind) {
            (Accumulator::Rows(rows), _) => rows.push(Arc::new(event.clone())),
            (_, RegisterKind::Function(function, _)) => self.add_value(function, value),
            (_, RegisterKind::Rows) => unreachable!("only rows are planned as rows"),
        }
    }

    fn add_value(&mut self, function: AggregateFunction, value: &Value) {
        use AggregateFunction as F;
        match self {
            Accumulator::Count(count) => *count += 1,
            Accumulator::Unset => *self = Accumulator::Value(value.clone()),
            Accumulator::Collect(list) => list.push(value.clone()),
            Accumulator::Value(_) if function == F::First => {}
            Accumulator::Value(last) if function == F::Last => overwrite(last, value),
            _ if value.is_null() => {}
            Accumulator::Value(sum) if function == F::Sum => scalar::add(sum, value),
            Accumulator::Value(best) => {
                let wanted = if function == F::Min {
                    std::cmp::Ordering::Less
                } else {
                    std::cmp::Ordering::Greater
                };
                if best.is_null() || scalar::compare(value, best) == Some(wanted) {
                    best.clone_from(value);
                }
            }
            Accumulator::Avg(mean) => {
                let (sum, count) = &mut **mean;
                scalar::add(sum, value);
                *count += 1;
            }
            Accumulator::Distinct(values) => {
                let value = Ordered(value.clone());
                if !values.contains(&value) {
                    Arc::make_mut(values).insert(value);
                }
            }
            Accumulator::Rows(_) => {}
        }
    }

    /// Becomes a copy of another one.
    #[inline]
    pub(super) fn copy(&mut self, from: &Accumulator) {
        match (&mut *self, from) {
            (Accumulator::Value(value), Accumulator::Value(from)) => overwrite(value, from),
            (Accumulator::Count(count), Accumulator::Count(from)) => *count = *from,
            _ => self.clone_from(from),
        }
    }

    /// All but plain values, which need their plan.
    fn merge(&mut self, later: &Accumulator) {
        match (self, later) {
            (Accumulator::Count(a), Accumulator::Count(b)) => *a = a.saturating_add(*b),
            (Accumulator::Avg(mean), Accumulator::Avg(later)) => {
                let (sum, count) = &mut **mean;
                scalar::add(sum, &later.0);
                *count = count.saturating_add(later.1);
            }
            (Accumulator::Distinct(a), Accumulator::Distinct(b)) => {
                Arc::make_mut(a).extend(b.iter().cloned())
            }
            (Accumulator::Collect(a), Accumulator::Collect(b)) => a.extend(b),
            (Accumulator::Rows(a), Accumulator::Rows(b)) => a.extend(b),
            _ => {}
        }
    }

    /// Its value as expressions see it.
    pub(crate) fn value(&self) -> Cow<'_, Value> {
        match self {
            Accumulator::Value(value) => Cow::Borrowed(value),
            Accumulator::Unset => Cow::Owned(Value::Null),
            Accumulator::Count(count) => Cow::Owned(Value::Int(*count)),
            Accumulator::Avg(of) => Cow::Owned(match &**of {
                (_, 0) => Value::Null,
                (sum, count) => mean(sum, *count),
            }),
            Accumulator::Distinct(values) => Cow::Owned(Value::Int(values.len() as i64)),
            Accumulator::Collect(list) => Cow::Owned(Value::List(list.iter().collect())),
            Accumulator::Rows(_) => Cow::Owned(Value::Null),
        }
    }

    /// The bound events in order, for a register made by [`RegisterSet::rows`].
    pub(crate) fn events(&self) -> Vec<Arc<Event>> {
        match self {
            Accumulator::Rows(rows) => rows.iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// Puts a value where another one was: those that are most common without looking at the old one twice.
#[inline]
fn overwrite(old: &mut Value, new: &Value) {
    match (&mut *old, new) {
        (Value::Float(old), Value::Float(new)) => *old = *new,
        (Value::Int(old), Value::Int(new)) => *old = *new,
        (Value::Timestamp(old), Value::Timestamp(new)) => *old = *new,
        (Value::Decimal(old), Value::Decimal(new)) => *old = *new,
        _ => old.clone_from(new),
    }
}

fn mean(sum: &Value, count: i64) -> Value {
    match sum {
        Value::Decimal(_) => {
            scalar::binary(BinaryOp::Div, sum, &Value::Decimal(Decimal::from(count)))
        }
        Value::Float(sum) => Value::Float(sum / count as f64),
        _ => scalar::binary(BinaryOp::Div, sum, &Value::Int(count)),
    }
}
