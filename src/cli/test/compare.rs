//! Compares the rows that a test expects with those it got.
//!
//! Rows are compared as a multiset per time and stream: each expected row wants a row of its own. An expected row names only the fields
//! it cares about, so two of them may fit the same row and one of them only that one; rows are therefore paired by augmenting paths
//! (Kuhn's algorithm) and not by the first that fits. Quadratic in the rows of one time.

use leitmotif::event::{EventTypeId, Value};
use leitmotif::lang::pattern::Expected;
use leitmotif::time::Timestamp;

/// A row that a test got.
#[derive(Clone, Debug, PartialEq)]
pub struct Got {
    /// When the match completed, or the bound passed.
    pub at: Timestamp,
    /// The stream.
    pub stream: EventTypeId,
    /// One value per field of the stream.
    pub values: Box<[Value]>,
}

/// What differs; empty when the test passed.
#[derive(Clone, Debug, Default)]
pub struct Difference<'a> {
    /// A row that was expected and the nearest of the unexpected ones of its stream.
    pub near: Vec<(&'a Expected, &'a Got)>,
    /// Expected rows that no row is near to.
    pub missing: Vec<&'a Expected>,
    /// Rows that no expected row is near to.
    pub unexpected: Vec<&'a Got>,
}

impl Difference<'_> {
    /// True when every expected row was got and no other.
    pub fn is_empty(&self) -> bool {
        self.near.is_empty() && self.missing.is_empty() && self.unexpected.is_empty()
    }
}

/// What differs between the rows that are expected and those that were got.
pub fn compare<'a>(expected: &'a [Expected], got: &'a [Got]) -> Difference<'a> {
    let fits: Vec<Vec<usize>> = expected
        .iter()
        .map(|want| {
            (0..got.len())
                .filter(|&at| differing(want, &got[at]) == Some(0))
                .collect()
        })
        .collect();
    let mut taken_by: Vec<Option<usize>> = vec![None; got.len()];
    for want in 0..expected.len() {
        augment(want, &fits, &mut taken_by, &mut vec![false; got.len()]);
    }
    let found = |want: usize| taken_by.contains(&Some(want));
    let mut missing: Vec<&Expected> = (0..expected.len())
        .filter(|&w| !found(w))
        .map(|w| &expected[w])
        .collect();
    let mut unexpected: Vec<&Got> = (0..got.len())
        .filter(|&g| taken_by[g].is_none())
        .map(|g| &got[g])
        .collect();
    let near = pair_nearest(&mut missing, &mut unexpected);
    Difference {
        near,
        missing,
        unexpected,
    }
}

/// True when the value is the one that is wanted. Floats may differ by a billionth: sums depend on their order.
pub fn same(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::Float(want), Value::Float(got)) => {
            want == got || (want - got).abs() <= 1e-9 * want.abs().max(got.abs())
        }
        (Value::Int(want), Value::Decimal(got)) => rust_decimal::Decimal::from(*want) == *got,
        (Value::Decimal(want), Value::Int(got)) => *want == rust_decimal::Decimal::from(*got),
        (Value::List(want), Value::List(got)) => {
            want.len() == got.len()
                && want
                    .iter()
                    .zip(got.iter())
                    .all(|(want, got)| same(want, got))
        }
        (want, got) => want == got,
    }
}

fn augment(
    want: usize,
    fits: &[Vec<usize>],
    taken_by: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for &row in &fits[want] {
        if seen[row] {
            continue;
        }
        seen[row] = true;
        let free = match taken_by[row] {
            None => true,
            Some(other) => augment(other, fits, taken_by, seen),
        };
        if free {
            taken_by[row] = Some(want);
            return true;
        }
    }
    false
}

/// In how many things the two differ, the time included; `None` when they are of different streams.
fn differing(want: &Expected, got: &Got) -> Option<usize> {
    if want.stream != got.stream {
        return None;
    }
    let fields = want.fields.iter();
    let wrong = fields.filter(|(field, value)| !same(value, &got.values[usize::from(field.0)]));
    Some(wrong.count() + usize::from(want.at != got.at))
}

/// Takes out of both lists those that belong together, nearest first.
fn pair_nearest<'a>(
    missing: &mut Vec<&'a Expected>,
    unexpected: &mut Vec<&'a Got>,
) -> Vec<(&'a Expected, &'a Got)> {
    let mut near = Vec::new();
    loop {
        let mut best: Option<(usize, i64, usize, usize)> = None;
        for (m, want) in missing.iter().enumerate() {
            for (u, got) in unexpected.iter().enumerate() {
                let Some(distance) = differing(want, got) else {
                    continue;
                };
                let apart = want.at.since(got.at).0.saturating_abs();
                if best.is_none_or(|(d, a, _, _)| (distance, apart) < (d, a)) {
                    best = Some((distance, apart, m, u));
                }
            }
        }
        let Some((_, _, m, u)) = best else { break };
        near.push((missing.remove(m), unexpected.remove(u)));
    }
    near.sort_by_key(|(want, _)| want.at);
    near
}

#[cfg(test)]
mod tests {
    use super::*;
    use leitmotif::event::FieldId;
    use leitmotif::lang::span::Span;

    fn want(at: i64, fields: &[(u16, i64)]) -> Expected {
        Expected {
            at: Timestamp(at),
            stream: EventTypeId(0),
            fields: fields
                .iter()
                .map(|&(f, v)| (FieldId(f), Value::Int(v)))
                .collect(),
            span: Span::default(),
        }
    }

    fn got(at: i64, values: [i64; 2]) -> Got {
        Got {
            at: Timestamp(at),
            stream: EventTypeId(0),
            values: values.map(Value::Int).into(),
        }
    }

    fn check(expected: &[Expected], rows: &[Got], near: usize, missing: usize, unexpected: usize) {
        let difference = compare(expected, rows);
        let counts = (
            difference.near.len(),
            difference.missing.len(),
            difference.unexpected.len(),
        );
        assert_eq!(counts, (near, missing, unexpected));
    }

    #[test]
    fn order_of_writing_does_not_matter() {
        check(
            &[want(2, &[]), want(1, &[(0, 7)])],
            &[got(1, [7, 0]), got(2, [8, 0])],
            0,
            0,
            0,
        );
    }

    #[test]
    fn a_vague_row_leaves_the_only_fit_to_a_precise_one() {
        check(
            &[want(1, &[]), want(1, &[(1, 5)])],
            &[got(1, [0, 5]), got(1, [0, 6])],
            0,
            0,
            0,
        );
    }

    #[test]
    fn each_expected_row_wants_a_row_of_its_own() {
        check(&[want(1, &[]), want(1, &[])], &[got(1, [0, 0])], 0, 1, 0);
        check(&[want(1, &[])], &[got(1, [0, 0]), got(1, [0, 0])], 0, 0, 1);
    }

    #[test]
    fn the_nearest_rows_are_shown_together() {
        let expected = [want(1, &[(0, 7), (1, 8)])];
        let rows = [got(1, [1, 1]), got(2, [7, 8])];
        let difference = compare(&expected, &rows);
        assert_eq!(difference.near[0].1.at, Timestamp(2));
        assert_eq!(difference.unexpected.len(), 1);
    }

    #[test]
    fn silence_is_compared_too() {
        check(&[], &[], 0, 0, 0);
        check(&[], &[got(1, [0, 0])], 0, 0, 1);
    }

    #[test]
    fn floats_may_differ_by_the_order_of_a_sum() {
        assert!(same(&Value::Float(0.3), &Value::Float(0.1 + 0.2)));
        assert!(!same(&Value::Float(0.3), &Value::Float(0.300_001)));
        assert!(!same(&Value::Null, &Value::Float(0.0)));
    }
}
