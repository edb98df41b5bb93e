//! What a record must say to be of use to anybody, asked before its values are read.
//!
//! Most records are of no use: no pattern waits for what they say. Where that shows in a few short texts and numbers, it is seen where they stand in the record, and the rest of the
//! record is never made into values. What is asked here is necessary, not sufficient: whoever wants the event judges it still.

use std::cmp::Ordering;

use super::chunk::Expected;
use super::number::Short;
use super::token::Cut;
use crate::event::schema::FieldType;
use crate::event::value::TENS;
use crate::event::{FieldId, Value};

/// What events of one type must satisfy: all parts of one of these ways.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prefilter(pub(crate) Vec<Vec<Ask>>);

/// What one field must satisfy. Null satisfies nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    pub(crate) field: FieldId,
    pub(crate) asked: Asked,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// Equal to one of these.
    OneOf(Vec<Value>),
    /// Not greater than this.
    AtMost(Value),
    /// Not less than this.
    AtLeast(Value),
}

/// The same of all fields of a record, asked of what stands in it, each thing once.
#[derive(Clone, Debug)]
pub(super) struct Checks {
    /// A text is compared as it stands.
    texts: Vec<PlaceCheck<Vec<Expected>>>,
    /// A number has to be read.
    numbers: Vec<NumberChecks>,
    /// All ways.
    ways: Ways,
}

/// What is asked of what stands in one place.
#[derive(Clone, Debug)]
struct PlaceCheck<T> {
    /// The number of the place in the record.
    place: usize,
    check: T,
    /// Those that are none if it doesn't hold.
    ways: Ways,
}

/// All that is asked of a number.
type NumberChecks = PlaceCheck<Vec<(Bound, Ways)>>;

/// Ways of being of use, one bit each.
type Ways = u32;

/// What is asked of a value.
#[derive(Clone, Debug)]
enum Check {
    /// To be one of these.
    Text(Vec<Expected>),
    Number(Bound),
}

/// Another order than this of a number and a bound.
#[derive(Clone, Debug)]
enum Bound {
    Exact(Ordering, Units),
    Float(Ordering, f64),
}

/// `units / 10^scale`, exactly.
#[derive(Clone, Copy, Debug)]
struct Units {
    units: i64,
    scale: u32,
    /// The same in units of other scales, by these, where they are whole and not too many.
    scaled: [Option<i64>; SCALES],
}

/// So many scales numbers usually have.
const SCALES: usize = 4;

impl Checks {
    /// What can be asked of records in which the values of fields stand in these places. `None` if any may be of use.
    ///
    /// `place` gives the place of a field and its type; nothing for a field whose value stands nowhere, of which `is_null` tells whether that is null.
    pub(super) fn of(
        prefilter: &Prefilter,
        place: impl Fn(FieldId) -> Option<(usize, FieldType)>,
        is_null: impl Fn(FieldId) -> bool,
    ) -> Option<Checks> {
        let mut asked: Vec<(&Ask, Ways)> = Vec::new();
        let possible = prefilter
            .0
            .iter()
            .filter(|asks| !asks.iter().any(|ask| is_null(ask.field)));
        let mut ways = 0;
        for (number, asks) in possible.enumerate() {
            let way = Ways::checked_shl(1, number as u32)?;
            let can_be_asked = |ask: &&Ask| {
                place(ask.field).is_some_and(|(_, ty)| Check::of(&ask.asked, ty).is_some())
            };
            let mut of_way = asks.iter().filter(can_be_asked).peekable();
            // What is asked of it cannot be seen here.
            of_way.peek()?;
            for ask in of_way {
                match asked.iter_mut().find(|(other, _)| *other == ask) {
                    Some((_, ways)) => *ways |= way,
                    None => asked.push((ask, way)),
                }
            }
            ways |= way;
        }
        let mut checks = Checks {
            texts: Vec::new(),
            numbers: Vec::new(),
            ways,
        };
        for (ask, ways) in asked {
            let (place, ty) = place(ask.field)?;
            match Check::of(&ask.asked, ty)? {
                Check::Text(check) => checks.texts.push(PlaceCheck { place, check, ways }),
                Check::Number(bound) => checks.push(place, bound, ways),
            }
        }
        Some(checks)
    }

    fn push(&mut self, place: usize, bound: Bound, ways: Ways) {
        match self.numbers.iter_mut().find(|other| other.place == place) {
            Some(other) => {
                other.check.push((bound, ways));
                other.ways |= ways;
            }
            None => self.numbers.push(PlaceCheck {
                place,
                check: vec![(bound, ways)],
                ways,
            }),
        }
    }

    /// True if all holds of one way. What stands in a place is told by its number: a text, or a number.
    #[inline]
    pub(super) fn hold(
        &self,
        bytes: &[u8],
        text: impl Fn(usize) -> Cut,
        number: impl Fn(usize) -> Short,
    ) -> bool {
        let mut left = self.ways;
        for PlaceCheck { place, check, ways } in &self.texts {
            if left & ways != 0 && !is_one_of(check, bytes, text(*place)) {
                left &= !ways;
            }
        }
        for PlaceCheck { place, check, ways } in &self.numbers {
            if left & ways == 0 {
                continue;
            }
            let number = number(*place);
            for (bound, ways) in check {
                if left & ways != 0 && !bound.admits(number) {
                    left &= !ways;
                }
            }
        }
        left != 0
    }
}

/// True if what stands there is one of these.
#[inline]
fn is_one_of(texts: &[Expected], bytes: &[u8], cut: Cut) -> bool {
    let (start, end) = (cut.start as usize, cut.end as usize);
    let is = |text: &Expected| text.length() == end - start && text.stands(bytes, start);
    texts.iter().any(is)
}

impl Check {
    /// What is asked of a field of this type, if that can be told from how its values are written.
    fn of(asked: &Asked, ty: FieldType) -> Option<Check> {
        let (unwanted, bound) = match asked {
            Asked::OneOf(values) => {
                let text = |value: &Value| match (ty, value) {
                    (FieldType::String, Value::Str(text)) if !text.is_empty() => {
                        Some(Expected::text(text.as_bytes()))
                    }
                    _ => None,
                };
                let texts: Option<Vec<Expected>> = values.iter().map(text).collect();
                return texts.map(Check::Text);
            }
            Asked::AtMost(bound) => (Ordering::Greater, bound),
            Asked::AtLeast(bound) => (Ordering::Less, bound),
        };
        match (ty, bound) {
            (FieldType::Int | FieldType::Decimal, bound) => {
                Some(Check::Number(Bound::Exact(unwanted, Units::of(bound)?)))
            }
            (FieldType::Float, Value::Float(bound)) => {
                Some(Check::Number(Bound::Float(unwanted, *bound)))
            }
            (FieldType::Float, Value::Int(bound)) => {
                Some(Check::Number(Bound::Float(unwanted, *bound as f64)))
            }
            _ => None,
        }
    }
}

impl Bound {
    /// True if a number is within the bound.
    #[inline]
    fn admits(&self, number: Short) -> bool {
        match self {
            Bound::Exact(unwanted, bound) => bound.order(number) != *unwanted,
            // A number that is no double has no place here; the scanner reads it.
            Bound::Float(unwanted, bound) => number
                .float()
                .is_none_or(|number| number.partial_cmp(bound) != Some(*unwanted)),
        }
    }
}

impl Units {
    fn of(bound: &Value) -> Option<Units> {
        let (units, scale) = match bound {
            Value::Int(units) => (*units, 0),
            Value::Decimal(bound) if (bound.scale() as usize) < TENS.len() => {
                (i64::try_from(bound.mantissa()).ok()?, bound.scale())
            }
            _ => return None,
        };
        let in_units_of = |other: usize| {
            let more = other.checked_sub(scale as usize)?;
            units.checked_mul(TENS[more])
        };
        Some(Units {
            units,
            scale,
            scaled: std::array::from_fn(in_units_of),
        })
    }

    /// The order of a number and this one.
    #[inline]
    fn order(&self, number: Short) -> Ordering {
        match self.scaled.get(number.scale as usize) {
            Some(Some(units)) => number.digits.cmp(units),
            _ => self.order_shifted(number),
        }
    }

    /// The same of any scales. Neither product has more than 36 digits.
    fn order_shifted(&self, number: Short) -> Ordering {
        let shifted = |units: i64, scale: u32| i128::from(units) * i128::from(TENS[scale as usize]);
        shifted(number.digits, self.scale).cmp(&shifted(self.units, number.scale))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use rust_decimal::Decimal;

    use super::super::number::Written;
    use super::*;
    use crate::lang::scalar;

    /// The constants of conditions, those that records have among them.
    fn bounds() -> impl Strategy<Value = Value> {
        prop_oneof![
            (-20..20_i64).prop_map(Value::Int),
            select(vec![i64::MIN, i64::MAX, 1 << 53]).prop_map(Value::Int),
            (-2000..2000_i64, 0..4_u32)
                .prop_map(|(n, scale)| Value::Decimal(Decimal::new(n, scale))),
            (any::<i64>(), 0..29_u32).prop_map(|(n, scale)| Value::Decimal(Decimal::new(n, scale))),
            Just(Value::Decimal(Decimal::MAX)),
            (-2000..2000_i64).prop_map(|n| Value::Float(n as f64 / 100.0)),
            select(vec![f64::NAN, f64::INFINITY, 0.1, -0.0]).prop_map(Value::Float),
            Just(Value::Str("5".into())),
        ]
    }

    proptest! {
        #[test]
        fn a_number_is_within_a_bound_if_comparing_the_values_says_so(
            text in "-?(0|[1-9][0-9]{0,2}|[1-9][0-9]{12})(\\.[0-9]{1,4})?",
            bound in bounds(),
        ) {
            let Some(written) = Written::at(text.as_bytes(), 0) else { return Ok(()) };
            let number = written.number(text.as_bytes());
            let fields = [
                (FieldType::Int, number.int().map(Value::Int)),
                (FieldType::Decimal, Some(Value::Decimal(number.decimal()))),
                (FieldType::Float, number.float().map(Value::Float)),
            ];
            for (ty, value) in fields {
                let Some(value) = value else { continue };
                let order = scalar::compare(&value, &bound);
                let at_most = order.is_some_and(Ordering::is_le);
                let at_least = order.is_some_and(Ordering::is_ge);
                for (asked, holds) in [(Asked::AtMost(bound.clone()), at_most), (Asked::AtLeast(bound.clone()), at_least)] {
                    // What is let through is judged still.
                    if let Some(Check::Number(bound)) = Check::of(&asked, ty) {
                        prop_assert!(bound.admits(number) || !holds, "{:?} {:?} {:?}", ty, text, asked);
                        prop_assert!(!bound.admits(number) || holds || order.is_none(), "{:?} {:?} {:?}", ty, text, asked);
                    }
                }
            }
        }
    }

    #[test]
    fn what_can_be_asked_of_a_text_and_a_number_is_asked() {
        let asked = |asked: Asked, ty| Check::of(&asked, ty).is_some();
        let text = || Value::Str("a text of more than sixteen bytes".into());
        assert!(asked(Asked::OneOf(vec![text()]), FieldType::String));
        assert!(asked(Asked::OneOf(Vec::new()), FieldType::Int));
        assert!(asked(Asked::AtMost(Value::Int(5)), FieldType::Decimal));
        assert!(asked(Asked::AtLeast(Value::Int(5)), FieldType::Float));
        assert!(!asked(Asked::OneOf(vec![Value::Int(5)]), FieldType::Int));
        assert!(!asked(Asked::AtLeast(text()), FieldType::String));
        let check = Check::of(
            &Asked::OneOf(vec![Value::Str("b".into()), text()]),
            FieldType::String,
        );
        let Some(Check::Text(texts)) = check else {
            panic!("it can be asked")
        };
        let holds = |record: &str| is_one_of(&texts, record.as_bytes(), Cut::new(0, record.len()));
        assert!(holds("b") && holds("a text of more than sixteen bytes"));
        assert!(!holds("") && !holds("bb") && !holds("a text of more than sixteen bytez"));
    }
}
