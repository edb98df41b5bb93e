//! What the variants of a family ask of an event by itself, judged for all of them at once.
//!
//! What all variants ask is judged once. The rest is sorted into columns, one per field and operator: equality is a table from constants to
//! variants, a bound is a bisection over the sorted constants, and anything else is judged once for all variants that ask the same. The variants whose
//! condition holds are those that every column lets through. So a thousand thresholds cost ten comparisons and a few words of bits.

use std::mem::Discriminant;

use super::expression::{Compiled, Scope};
use super::lookup::{Ask, Bounds, ByValue};
use super::shape::pairwise;
use super::shared::{Memo, Part};
use super::variants::Variants;
use crate::event::{FieldId, Value};
use crate::lang::pattern::BinaryOp;

/// The local conditions of one step, of all variants.
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    size: usize,
    /// What all of them ask.
    common: Vec<Part>,
    columns: Vec<Column>,
}

/// One thing asked by some of the variants.
#[derive(Clone, Debug)]
struct Column {
    /// Variants that do not ask, if there are any.
    free: Option<Variants>,
    asked: Asked,
}

#[derive(Clone, Debug)]
enum Asked {
    OneOf(FieldId, ByValue<Variants>),
    Beyond(FieldId, Ladder),
    Other(Vec<(Vec<Compiled>, Variants)>),
}

/// Variants by bound, the most easily satisfied first.
#[derive(Clone, Debug)]
struct Ladder {
    bounds: Bounds,
    /// By bound.
    variants: Vec<usize>,
    /// Those of the first 0, 64, 128, … bounds.
    milestones: Vec<Variants>,
}

const STRIDE: usize = 64;

impl Conditions {
    /// Of the local conditions of a step, by variant; `None` holds for every event.
    pub(crate) fn new(conditions: &[Option<Compiled>]) -> Conditions {
        let size = conditions.len();
        let mut asked: Vec<Vec<&Compiled>> = conditions
            .iter()
            .map(|condition| conjuncts(condition.as_ref()))
            .collect();
        let mut common = Vec::new();
        for candidate in asked[0].clone() {
            let place = |asked: &Vec<&Compiled>| asked.iter().position(|c| c.same(candidate));
            let places: Option<Vec<usize>> = asked.iter().map(place).collect();
            for (asked, place) in asked.iter_mut().zip(places.iter().flatten()) {
                asked.remove(*place);
            }
            common.extend(places.map(|_| Part::Own(candidate.clone())));
        }
        Conditions {
            size,
            common,
            columns: columns(&asked),
        }
    }

    /// What all variants ask.
    pub(crate) fn common(&mut self) -> &mut Vec<Part> {
        &mut self.common
    }

    /// The variants whose condition holds, into `holding`; false if there are none. `through` is memory.
    pub(crate) fn holding(
        &self,
        scope: &Scope<'_>,
        memo: &mut Memo<'_>,
        holding: &mut Variants,
        through: &mut Variants,
    ) -> bool {
        if !memo.all_hold(&self.common, scope) {
            return false;
        }
        let Some((first, rest)) = self.columns.split_first() else {
            holding.fill(self.size);
            return true;
        };
        if !first.through(scope, holding) {
            return false;
        }
        for column in rest {
            if !column.through(scope, through) {
                return false;
            }
            holding.intersect(through);
        }
        !holding.is_empty()
    }
}

impl Column {
    /// The variants that the column lets through; false if there are none.
    fn through(&self, scope: &Scope<'_>, into: &mut Variants) -> bool {
        match (self.asked.holding(scope, into), &self.free) {
            (true, Some(free)) => into.unite(free),
            (false, Some(free)) => into.clone_from(free),
            (holds, None) => return holds,
        }
        true
    }
}

impl Asked {
    /// The variants that ask and are satisfied; false if there are none.
    fn holding(&self, scope: &Scope<'_>, into: &mut Variants) -> bool {
        let value = |field| scope.event.map_or(&Value::Null, |event| event.get(field));
        let mut any = false;
        let mut add = |found: &Variants| {
            match any {
                false => into.clone_from(found),
                true => into.unite(found),
            }
            any = true;
        };
        match self {
            Asked::OneOf(field, table) => table.find(value(*field)).for_each(add),
            Asked::Beyond(field, ladder) => return ladder.up_to(value(*field), into),
            Asked::Other(others) => {
                for (conditions, variants) in others {
                    if conditions.iter().all(|condition| condition.holds(scope)) {
                        add(variants);
                    }
                }
            }
        }
        any
    }
}

impl Ladder {
    fn new(op: BinaryOp, bounds: Vec<(Value, usize)>, size: usize) -> Ladder {
        let (bounds, variants) = Bounds::new(op, bounds);
        let mut climbed = Variants::none(size);
        let mut milestones = vec![climbed.clone()];
        for stride in variants.chunks(STRIDE) {
            stride.iter().for_each(|variant| climbed.add(*variant));
            milestones.push(climbed.clone());
        }
        Ladder {
            bounds,
            variants,
            milestones,
        }
    }

    fn up_to(&self, value: &Value, into: &mut Variants) -> bool {
        let satisfied = self.bounds.satisfied(value);
        if satisfied == 0 {
            return false;
        }
        into.clone_from(&self.milestones[satisfied / STRIDE]);
        let rest = &self.variants[satisfied - satisfied % STRIDE..satisfied];
        rest.iter().for_each(|variant| into.add(*variant));
        true
    }
}

/// The conditions that all must hold for the whole to hold.
pub(crate) fn conjuncts(condition: Option<&Compiled>) -> Vec<&Compiled> {
    fn collect<'a>(condition: &'a Compiled, into: &mut Vec<&'a Compiled>) {
        if let Compiled::And(a, b) = condition {
            collect(a, into);
            collect(b, into);
        } else {
            into.push(condition);
        }
    }
    let mut into = Vec::new();
    if let Some(condition) = condition {
        collect(condition, &mut into);
    }
    into
}

/// A column while it is filled.
struct Filling<'a> {
    place: Place,
    /// What each variant asks; a variant stands here once at most.
    asked: Vec<(usize, Ask<'a>)>,
}

/// What goes into one column: bounds of one type, or equality.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    OneOf(FieldId),
    Beyond(FieldId, BinaryOp, Discriminant<Value>),
}

fn columns(asked: &[Vec<&Compiled>]) -> Vec<Column> {
    let size = asked.len();
    let mut filling: Vec<Filling<'_>> = Vec::new();
    let mut others: Vec<(Vec<&Compiled>, Variants)> = Vec::new();
    for (variant, asked) in asked.iter().enumerate() {
        let mut rest = Vec::new();
        for &condition in asked {
            let Some(ask) = Ask::of(condition) else {
                rest.push(condition);
                continue;
            };
            let place = match &ask {
                Ask::OneOf(field, _) => Place::OneOf(*field),
                Ask::Beyond(field, op, value) => {
                    Place::Beyond(*field, *op, std::mem::discriminant(*value))
                }
            };
            // Who asks twice of one field goes into two columns.
            let open = filling.iter_mut().find(|column| {
                column.place == place
                    && column.asked.last().is_none_or(|(last, _)| *last != variant)
            });
            match open {
                Some(column) => column.asked.push((variant, ask)),
                None => filling.push(Filling {
                    place,
                    asked: vec![(variant, ask)],
                }),
            }
        }
        if !rest.is_empty() {
            let same = |(other, _): &&mut (Vec<&Compiled>, Variants)| {
                pairwise(other, &rest, |a, b| a.same(b))
            };
            match others.iter_mut().find(same) {
                Some((_, variants)) => variants.add(variant),
                None => {
                    let mut variants = Variants::none(size);
                    variants.add(variant);
                    others.push((rest, variants));
                }
            }
        }
    }
    let mut columns: Vec<Column> = filling
        .into_iter()
        .map(|column| column.finish(size))
        .collect();
    if !others.is_empty() {
        let mut free = Variants::all(size);
        others
            .iter()
            .for_each(|(_, variants)| free.remove(variants));
        let owned = |(conditions, variants): (Vec<&Compiled>, Variants)| {
            (conditions.into_iter().cloned().collect(), variants)
        };
        let asked = Asked::Other(others.into_iter().map(owned).collect());
        columns.push(Column {
            free: (!free.is_empty()).then_some(free),
            asked,
        });
    }
    columns
}

impl Filling<'_> {
    fn finish(self, size: usize) -> Column {
        let mut free = Variants::all(size);
        let mut asking = Variants::none(size);
        self.asked
            .iter()
            .for_each(|(variant, _)| asking.add(*variant));
        free.remove(&asking);
        let asked = match self.place {
            Place::OneOf(field) => {
                let mut table = ByValue::default();
                for (variant, ask) in &self.asked {
                    let Ask::OneOf(_, values) = ask else { continue };
                    for value in values {
                        table.entry(value, || Variants::none(size)).add(*variant);
                    }
                }
                Asked::OneOf(field, table)
            }
            Place::Beyond(field, op, _) => {
                let bounds = self.asked.iter().filter_map(|(variant, ask)| match ask {
                    Ask::Beyond(_, _, value) => Some(((*value).clone(), *variant)),
                    Ask::OneOf(..) => None,
                });
                Asked::Beyond(field, Ladder::new(op, bounds.collect(), size))
            }
        };
        Column {
            free: (!free.is_empty()).then_some(free),
            asked,
        }
    }
}
