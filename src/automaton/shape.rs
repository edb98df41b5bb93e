//! Which patterns have the same automaton but for what they are called, the streams they emit to, and what their steps ask of an event by itself.
//!
//! Such patterns are a family ([`Family`](super::Family)). Constants are the same only if nothing can tell them apart: `1.0` and `1.00` are
//! equal, and written differently.

use super::expression::Compiled;
use super::nfa::Nfa;
use super::run::mix;
use crate::event::Value;
use std::sync::Arc;

impl Nfa {
    /// True if the patterns can share all state: what differs is at most names, streams and local conditions.
    pub(crate) fn same_shape(&self, other: &Nfa) -> bool {
        // Named one by one, so that a new field of the automaton has to be thought of here.
        let Nfa {
            pattern: _,
            name: _,
            fingerprint: _,
            inputs,
            steps,
            positions,
            counters,
            registers,
            within,
            having,
            skip,
            limit,
            bound,
            emits,
            timeout,
            mindful,
            leading,
            starters,
            window,
            ambiguous,
            // These follow from the rest.
            splits: _,
            linear: _,
            stacks: _,
            together: _,
            outlook: _,
            layout: _,
        } = self;
        self.structure() == other.structure()
            && *inputs == other.inputs
            && pairwise(steps, &other.steps, |a, b| {
                // Names of steps go out as values: `reached()`, and the step of what was evicted.
                a.name == b.name && same_option(a.correlated.as_ref(), b.correlated.as_ref())
            })
            && *within == other.within
            && *positions == other.positions
            && *counters == other.counters
            && registers.same(&other.registers)
            && same_option(having.as_ref(), other.having.as_ref())
            && *skip == other.skip
            && match (limit, &other.limit) {
                (Some(a), Some(b)) => {
                    a.count == b.count && a.per == b.per && same_all(&a.by, &b.by)
                }
                (a, b) => a.is_none() && b.is_none(),
            }
            && *bound == other.bound
            && pairwise(emits, &other.emits, |a, b| {
                a.each == b.each && same_all(&a.fields, &b.fields)
            })
            && match (timeout, &other.timeout) {
                (Some((_, a)), Some((_, b))) => same_all(a, b),
                (a, b) => a.is_none() && b.is_none(),
            }
            && *mindful == other.mindful
            && *leading == other.leading
            && *starters == other.starters
            && *window == other.window
            && *ambiguous == other.ambiguous
    }

    /// The same for automata of the same shape, and cheap.
    pub(crate) fn shape_hash(&self) -> u64 {
        let inputs = self.inputs.iter().map(|input| u64::from(input.ty.0));
        let steps = self
            .steps
            .iter()
            .flat_map(|step| step.name.bytes().map(u64::from));
        let sizes = [self.positions.len(), self.steps.len(), self.emits.len()];
        let within = self.within.map_or(0, |within| within.0.cast_unsigned());
        let sizes = sizes.map(|size| size as u64).into_iter();
        inputs.chain(steps).chain(sizes).fold(within, mix)
    }
}

impl Compiled {
    /// True if the expressions are written alike: they have the same value wherever they are evaluated.
    pub(crate) fn same(&self, other: &Compiled) -> bool {
        use Compiled as C;
        match (self, other) {
            (C::Const(a), C::Const(b)) => same_value(a, b),
            (C::Field(a), C::Field(b)) => a == b,
            (C::EachField(a), C::EachField(b)) => a == b,
            (C::Register(a), C::Register(b))
            | (C::RegisterWithTested(a), C::RegisterWithTested(b))
            | (C::Key(a), C::Key(b)) => a == b,
            (C::WholeKey, C::WholeKey)
            | (C::MatchStart, C::MatchStart)
            | (C::MatchEnd, C::MatchEnd)
            | (C::WindowStart, C::WindowStart)
            | (C::WindowEnd, C::WindowEnd)
            | (C::Reached, C::Reached) => true,
            (C::Lookup(a, key, field), C::Lookup(b, other_key, other_field)) => {
                Arc::ptr_eq(a, b) && field == other_field && key.same(other_key)
            }
            (C::Unary(op, a), C::Unary(other_op, b)) => op == other_op && a.same(b),
            (C::And(a, b), C::And(c, d))
            | (C::Or(a, b), C::Or(c, d))
            | (C::Coalesce(a, b), C::Coalesce(c, d)) => a.same(c) && b.same(d),
            (C::Binary(op, a, b), C::Binary(other_op, c, d)) => {
                op == other_op && a.same(c) && b.same(d)
            }
            (C::FieldConst(op, a, value), C::FieldConst(other_op, b, other)) => {
                op == other_op && a == b && same_value(value, other)
            }
            (C::In(a, list, negated), C::In(b, other, other_negated)) => {
                negated == other_negated && a.same(b) && same_all(list, other)
            }
            (C::InConst(a, list, negated), C::InConst(b, other, other_negated)) => {
                negated == other_negated
                    && a.same(b)
                    && pairwise(&list.list, &other.list, same_value)
            }
            (C::Call(function, a), C::Call(other, b)) => function == other && same_all(a, b),
            (C::Matches(a, regex), C::Matches(b, other)) => regex == other && a.same(b),
            _ => false,
        }
    }
}

impl Compiled {
    /// The same for expressions that are [the same](Compiled::same), and cheap. Tells apart what conditions of many patterns differ in: fields and constants.
    pub(crate) fn shape_hash(&self) -> u64 {
        let hash_of = |values: &[Value]| crate::lang::scalar::stable_hash(values);
        match self {
            Compiled::Field(field) => mix(1, u64::from(field.0)),
            Compiled::FieldConst(op, field, value) => mix(
                mix(*op as u64, u64::from(field.0)),
                hash_of(std::slice::from_ref(value)),
            ),
            Compiled::InConst(needle, list, _) => mix(needle.shape_hash(), hash_of(&list.list)),
            Compiled::And(a, b) | Compiled::Or(a, b) | Compiled::Binary(_, a, b) => {
                mix(a.shape_hash(), b.shape_hash())
            }
            Compiled::Unary(_, a) => mix(2, a.shape_hash()),
            Compiled::Matches(a, regex) => {
                let bytes = regex.0.as_str().bytes().map(u64::from);
                bytes.fold(a.shape_hash(), mix)
            }
            Compiled::Call(_, args) => args.iter().map(Compiled::shape_hash).fold(3, mix),
            Compiled::Const(value) => hash_of(std::slice::from_ref(value)),
            _ => 0,
        }
    }
}

/// True if nothing can tell the values apart.
fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Decimal(a), Value::Decimal(b)) => a.serialize() == b.serialize(),
        (Value::List(a), Value::List(b)) => pairwise(a, b, same_value),
        (a, b) => a == b,
    }
}

pub(super) fn same_option(a: Option<&Compiled>, b: Option<&Compiled>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.same(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

fn same_all(a: &[Compiled], b: &[Compiled]) -> bool {
    pairwise(a, b, Compiled::same)
}

pub(super) fn pairwise<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}
