//! What conditions ask of one field, in a form in which many of them are answered at once: equality by a table, bounds by a bisection.
//!
//! Equality and order are those of [`scalar::compare`], whatever the types: an `int` is found among decimals, and null is found nowhere.

use std::cmp::Ordering;
use std::mem::discriminant;

use compact_str::CompactString;
use hashbrown::HashMap;
use smallvec::{SmallVec, smallvec};

use super::expression::Compiled;
use crate::event::{FieldId, Value};
use crate::lang::pattern::BinaryOp;
use crate::lang::scalar;

/// What a condition asks of one field; it holds if and only if the field answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ask<'a> {
    /// `f == c`, `f in [c, …]`, `f == c or f == d`
    OneOf(FieldId, SmallVec<[&'a Value; 1]>),
    /// `f < c`, `f <= c`, `f > c`, `f >= c`
    Beyond(FieldId, BinaryOp, &'a Value),
}

impl<'a> Ask<'a> {
    /// What the condition asks, if it is of such a form.
    pub(crate) fn of(condition: &'a Compiled) -> Option<Ask<'a>> {
        match condition {
            Compiled::FieldConst(BinaryOp::Eq, field, value) if is_ordered(value) => {
                Some(Ask::OneOf(*field, smallvec![value]))
            }
            Compiled::FieldConst(op, field, value) if is_bound(*op) && is_ordered(value) => {
                Some(Ask::Beyond(*field, *op, value))
            }
            Compiled::InConst(needle, list, false) => {
                let Compiled::Field(field) = **needle else {
                    return None;
                };
                // Null is no element of any list.
                let values = list.list.iter().filter(|value| !value.is_null());
                let values: SmallVec<[&Value; 1]> = values.collect();
                let ordered = values.iter().all(|value| is_ordered(value));
                ordered.then_some(Ask::OneOf(field, values))
            }
            Compiled::Or(a, b) => match (Ask::of(a)?, Ask::of(b)?) {
                (Ask::OneOf(field, mut values), Ask::OneOf(other, more)) if field == other => {
                    values.extend(more);
                    Some(Ask::OneOf(field, values))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// True if the value has a place among others of its type.
pub(crate) fn is_ordered(value: &Value) -> bool {
    match value {
        Value::Null | Value::List(_) => false,
        Value::Float(x) => !x.is_nan(),
        _ => true,
    }
}

fn is_bound(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge
    )
}

/// Things found by a value that equals one of theirs.
#[derive(Clone, Debug)]
pub(crate) struct ByValue<T> {
    texts: HashMap<CompactString, T, foldhash::fast::RandomState>,
    /// One list per type of constant, sorted.
    others: Vec<Vec<(Value, T)>>,
}

impl<T> Default for ByValue<T> {
    fn default() -> ByValue<T> {
        ByValue {
            texts: HashMap::default(),
            others: Vec::new(),
        }
    }
}

impl<T> ByValue<T> {
    /// What is found by the value; made if nothing was. Values of [`Ask::OneOf`] only.
    pub(crate) fn entry(&mut self, value: &Value, made: impl FnOnce() -> T) -> &mut T {
        if let Value::Str(text) = value {
            return self.texts.entry(text.clone()).or_insert_with(made);
        }
        let of_type = |list: &Vec<(Value, T)>| discriminant(&list[0].0) == discriminant(value);
        let Some(list) = self.others.iter().position(of_type) else {
            self.others.push(vec![(value.clone(), made())]);
            let last = self.others.last_mut().and_then(|list| list.last_mut());
            return &mut last.expect("it was just put there").1;
        };
        let list = &mut self.others[list];
        let order = |(other, _): &(Value, T)| scalar::total_order(other, value);
        let at = list.binary_search_by(order).unwrap_or_else(|at| {
            list.insert(at, (value.clone(), made()));
            at
        });
        &mut list[at].1
    }

    /// All that is found by the value. Large numbers of another type can equal several.
    pub(crate) fn find(&self, value: &Value) -> impl Iterator<Item = &T> {
        let text = match value {
            Value::Str(text) => self.texts.get(text),
            _ => None,
        };
        let others = self.others.iter().flat_map(move |list| {
            let from = list.partition_point(|(other, _)| {
                scalar::compare(other, value) == Some(Ordering::Less)
            });
            list[from..]
                .iter()
                .take_while(move |(other, _)| {
                    scalar::compare(other, value) == Some(Ordering::Equal)
                })
                .map(|(_, found)| found)
        });
        text.into_iter().chain(others)
    }

    /// Everything that can be found.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        let others = self.others.iter().flatten().map(|(_, found)| found);
        self.texts.values().chain(others)
    }
}

/// Constants of one type that a field is compared with by one operator, the most easily satisfied first.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    op: BinaryOp,
    constants: Vec<Value>,
}

impl Bounds {
    /// With the things that go with each constant, in the order of the constants here. All of [`Ask::Beyond`] with this operator and of one type.
    pub(crate) fn new<T>(op: BinaryOp, mut bounds: Vec<(Value, T)>) -> (Bounds, Vec<T>) {
        let falls = matches!(op, BinaryOp::Lt | BinaryOp::Le);
        bounds.sort_by(|(a, _), (b, _)| {
            let order = scalar::total_order(a, b);
            if falls { order.reverse() } else { order }
        });
        let (constants, things) = bounds.into_iter().unzip();
        (Bounds { op, constants }, things)
    }

    /// How many of the constants the value satisfies: so many from the first on.
    pub(crate) fn satisfied(&self, value: &Value) -> usize {
        let wanted = match self.op {
            BinaryOp::Lt => Ordering::is_lt,
            BinaryOp::Le => Ordering::is_le,
            BinaryOp::Gt => Ordering::is_gt,
            _ => Ordering::is_ge,
        };
        self.constants
            .partition_point(|constant| scalar::compare(value, constant).is_some_and(wanted))
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;

    fn values() -> Vec<Value> {
        let ints = [-3, 0, 1, 2, i64::MAX - 1, i64::MAX, 1 << 53, (1 << 53) + 1];
        let floats = [-3.0, -0.0, 0.0, 0.5, 1.0, 9_007_199_254_740_992.0, 1e300];
        let decimals = [(0, 0), (10, 1), (100, 2), (15, 1), (-30, 1), (1, 0)];
        let texts = ["", "a", "A", "ab", "b", "a text of more than 24 bytes, so"];
        let mut values = vec![Value::Bool(false), Value::Bool(true)];
        values.extend(ints.map(Value::Int));
        values.extend(floats.map(Value::Float));
        values.extend(decimals.map(|(n, scale)| Value::Decimal(Decimal::new(n, scale))));
        values.extend(texts.map(|text| Value::Str(text.into())));
        values
    }

    fn asked() -> Vec<Value> {
        let odd = [Value::Null, Value::Float(f64::NAN), Value::List([].into())];
        values().into_iter().chain(odd).collect()
    }

    #[test]
    fn a_table_finds_what_comparing_one_by_one_finds() {
        let mut table: ByValue<Vec<usize>> = ByValue::default();
        for (number, value) in values().iter().enumerate() {
            table.entry(value, Vec::new).push(number);
        }
        for value in asked() {
            let mut found: Vec<usize> = table.find(&value).flatten().copied().collect();
            found.sort_unstable();
            let equal = |constant: &Value| {
                scalar::binary(BinaryOp::Eq, &value, constant) == Value::Bool(true)
            };
            let constants = values();
            let wanted = (0..constants.len()).filter(|number| equal(&constants[*number]));
            assert_eq!(found, wanted.collect::<Vec<_>>(), "{value:?}");
        }
    }

    #[test]
    fn bisected_bounds_hold_where_comparing_one_by_one_does() {
        for op in [BinaryOp::Lt, BinaryOp::Le, BinaryOp::Gt, BinaryOp::Ge] {
            for sample in values() {
                let of_type = |value: &Value| discriminant(value) == discriminant(&sample);
                let constants = values().into_iter().filter(of_type);
                let (bounds, constants) =
                    Bounds::new(op, constants.map(|value| (value.clone(), value)).collect());
                for value in asked() {
                    let satisfied = bounds.satisfied(&value);
                    for (number, constant) in constants.iter().enumerate() {
                        let holds = scalar::binary(op, &value, constant) == Value::Bool(true);
                        assert_eq!(number < satisfied, holds, "{value:?} {op:?} {constant:?}");
                    }
                }
            }
        }
    }
}
