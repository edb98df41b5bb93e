//! Which steps of a pattern an event can satisfy, told by one of its fields.

use super::expression::StepMask;
use super::lookup::{Ask, ByValue};
use super::shared::Part;
use crate::event::{Event, FieldId, Value};
use crate::lang::pattern::StepId;

/// Steps by what they ask one field to be. An event is looked up once, and what else they ask is asked of those that are left: of many steps few.
#[derive(Clone, Debug)]
pub(super) struct Narrowing {
    field: FieldId,
    by_value: ByValue<StepMask>,
    /// Steps that ask nothing of the kind.
    others: StepMask,
}

/// From so many steps and values on a table takes less than to compare one by one.
const STEPS_FROM: usize = 3;

/// A step, the number of a part of what it asks, and by which values of a field that is answered.
type Asked = (StepId, usize, FieldId, Vec<Value>);

impl Narrowing {
    /// Of steps with the parts of what each asks, by step; what the table answers is taken out of these. `None` if it would answer too little.
    pub(super) fn take_out(steps: StepMask, parts: &mut [Vec<Part>]) -> Option<Narrowing> {
        let asked: Vec<Asked> = steps.steps().flat_map(|step| asked(step, parts)).collect();
        let of_field = |field: FieldId| asked.iter().filter(move |asked| asked.2 == field);
        // How many steps ask it counts more than by how many values they are told apart.
        let told = |field: FieldId| {
            let steps: StepMask = of_field(field).map(|asked| asked.0).collect();
            let values = of_field(field).flat_map(|asked| &asked.3);
            let mut values: Vec<String> = values.map(|value| format!("{value:?}")).collect();
            values.sort_unstable();
            values.dedup();
            (steps.0.count_ones() as usize, values.len())
        };
        let best = asked
            .iter()
            .map(|asked| asked.2)
            .max_by_key(|field| told(*field))?;
        let (steps_told, values) = told(best);
        if steps_told < STEPS_FROM || values < STEPS_FROM {
            return None;
        }
        let mut narrowing = Narrowing {
            field: best,
            by_value: ByValue::default(),
            others: steps,
        };
        let mut answered: Vec<(StepId, usize)> = Vec::new();
        for (step, part, _, values) in of_field(best) {
            // Who asks twice is asked one of both.
            if narrowing.others.has(*step) {
                narrowing.others.0 &= !StepMask::of(*step).0;
                answered.push((*step, *part));
                for value in values {
                    narrowing
                        .by_value
                        .entry(value, StepMask::default)
                        .add(*step);
                }
            }
        }
        for (step, part) in answered {
            parts[usize::from(step.0)].remove(part);
        }
        Some(narrowing)
    }

    /// The steps that an event may satisfy.
    #[inline]
    pub(super) fn left(&self, event: &Event) -> StepMask {
        let found = self.by_value.find(event.get(self.field));
        StepMask(found.fold(self.others.0, |left, steps| left | steps.0))
    }
}

/// What a step asks of one field to be one of some values.
fn asked(step: StepId, parts: &[Vec<Part>]) -> impl Iterator<Item = Asked> {
    let parts = parts[usize::from(step.0)].iter().enumerate();
    parts.filter_map(move |(at, part)| {
        let Part::Own(condition) = part else {
            return None;
        };
        match Ask::of(condition)? {
            Ask::OneOf(field, values) => {
                let values = values.into_iter().cloned();
                Some((step, at, field, values.collect()))
            }
            Ask::Beyond(..) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Family, Fits, Nfa, Tables};
    use super::*;
    use crate::automaton::looking::Looking;
    use crate::event::{EventTypeId, Position};
    use crate::lang::pattern::PatternId;
    use crate::testing::compile;
    use crate::time::Timestamp;

    #[test]
    fn a_table_leaves_the_steps_that_hold_when_each_is_asked() {
        let text = "event E { t: timestamp time, k: string?, v: int }
            pattern p {
              unkeyed
              match a: E where k == \"a\" and v > 1
               then b: E where k == \"b\" or k == \"a\"
               then c: E where k in [\"c\", \"b\"] and k == \"c\"
               then d: E where v == 2
               then e: E
              within 1h
              emit r { v: e.v }
            }";
        let program = Arc::new(compile(text).expect("it is right"));
        let tables = Tables::empty(&program);
        let nfa = Nfa::new(&program, PatternId(0), &tables).expect("it has an automaton");
        let mut family = Family::gather(vec![nfa.clone()]).remove(0);
        let shared = crate::automaton::SharedConditions::take_out(family.parts().into_iter());
        let mut looking = Looking::default();
        for k in [Some("a"), Some("b"), Some("c"), Some("d"), None] {
            for v in [1, 2] {
                let k = k.map_or(Value::Null, |k| Value::Str(k.into()));
                let event = Event {
                    ty: EventTypeId(0),
                    time: Timestamp(0),
                    position: Position::default(),
                    values: Box::new([Value::Timestamp(Timestamp(0)), k, Value::Int(v)]),
                };
                let (fits, _) = family.look(&event, &mut shared.memo(&mut looking));
                assert_eq!(fits, Fits::One(nfa.fits(&event)), "{event:?}");
            }
        }
    }
}
