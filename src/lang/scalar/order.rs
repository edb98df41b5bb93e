//! How values are ordered, and hashed so that equal ones hash alike.

use std::cmp::Ordering;
use std::hash::Hasher;

use rust_decimal::Decimal;

use crate::event::Value;
use crate::event::value::TENS;

/// The order of two values; `None` when either is null or their types have no common order. Lists compare element by element.
#[must_use]
#[inline]
pub fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    // What is asked most, without a call.
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => Some(decimal_order(*a, *b)),
        _ => compare_others(left, right),
    }
}

/// Those that are not asked as often, or have no order.
fn compare_others(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Int(b)) => Some(decimal_int_order(*a, *b)),
        (Value::Int(a), Value::Float(b)) => (*a as f64).partial_cmp(b),
        (Value::Int(a), Value::Decimal(b)) => Some(decimal_int_order(*b, *a).reverse()),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::List(a), Value::List(b)) => {
            for (a, b) in a.iter().zip(b.iter()) {
                let order = compare(a, b)?;
                if order.is_ne() {
                    return Some(order);
                }
            }
            Some(a.len().cmp(&b.len()))
        }
        _ => None,
    }
}

/// As [`Decimal::cmp`]; numbers of few digits, such as money, take two multiplications at most.
#[inline]
fn decimal_order(a: Decimal, b: Decimal) -> Ordering {
    let (a_units, b_units) = (a.mantissa(), b.mantissa());
    let order = match a.scale().cmp(&b.scale()) {
        Ordering::Equal => Some(a_units.cmp(&b_units)),
        Ordering::Less => tens(a_units, b.scale() - a.scale()).map(|a_units| a_units.cmp(&b_units)),
        Ordering::Greater => {
            tens(b_units, a.scale() - b.scale()).map(|b_units| a_units.cmp(&b_units))
        }
    };
    order.unwrap_or_else(|| a.cmp(&b))
}

/// The same for a whole number.
#[inline]
fn decimal_int_order(a: Decimal, b: i64) -> Ordering {
    let power = TENS.get(a.scale() as usize);
    match (
        i64::try_from(a.mantissa()),
        power.and_then(|power| b.checked_mul(*power)),
    ) {
        (Ok(a_units), Some(b_units)) => a_units.cmp(&b_units),
        _ => a.cmp(&Decimal::from(b)),
    }
}

/// The number times so many tens, if neither is large.
#[inline]
fn tens(units: i128, power: u32) -> Option<i128> {
    let units = i64::try_from(units).ok()?;
    let power = *TENS.get(power as usize)?;
    Some(i128::from(units) * i128::from(power))
}

/// An order over all values, for sorting keys: null first, then by type, then by value. Agrees with [`compare`] within a type.
#[must_use]
pub fn total_order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or_else(|| a.total_cmp(b)),
        (Value::List(a), Value::List(b)) => {
            let differing = a
                .iter()
                .zip(b.iter())
                .map(|(a, b)| total_order(a, b))
                .find(|order| order.is_ne());
            differing.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        _ => rank(left)
            .cmp(&rank(right))
            .then_with(|| compare(left, right).unwrap_or(Ordering::Equal)),
    }
}

/// [`total_order`] of two keys of several parts.
#[must_use]
pub fn total_order_of(left: &[Value], right: &[Value]) -> Ordering {
    let differing = left
        .iter()
        .zip(right)
        .map(|(a, b)| total_order(a, b))
        .find(|order| order.is_ne());
    differing.unwrap_or_else(|| left.len().cmp(&right.len()))
}

/// Values of types without a common order stand in this one.
#[must_use]
pub fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Float(_) => 3,
        Value::Decimal(_) => 4,
        Value::Str(_) => 5,
        Value::Timestamp(_) => 6,
        Value::Duration(_) => 7,
        Value::List(_) => 8,
    }
}

/// Feeds a value to a hasher so that values equal under [`total_order`] hash alike. With [`StableHasher`] the same on every machine and in every run.
pub fn hash_into(value: &Value, hasher: &mut impl Hasher) {
    hasher.write_u8(rank(value));
    match value {
        Value::Null => {}
        Value::Bool(b) => hasher.write_u8(u8::from(*b)),
        Value::Int(n) => hasher.write_u64(n.cast_unsigned()),
        // Negative zero equals zero.
        Value::Float(x) => hasher.write_u64(if *x == 0.0 { 0 } else { x.to_bits() }),
        Value::Decimal(x) => {
            let x = x.normalize();
            hasher.write_u64((x.mantissa() as u128 >> 64) as u64);
            hasher.write_u64(x.mantissa() as u64);
            hasher.write_u8(
                u8::try_from(x.scale()).expect("a decimal has at most 28 digits after the point"),
            );
        }
        Value::Str(text) => {
            hasher.write_u64(text.len() as u64);
            hasher.write(text.as_bytes());
        }
        Value::Timestamp(at) => hasher.write_u64(at.0.cast_unsigned()),
        Value::Duration(d) => hasher.write_u64(d.0.cast_unsigned()),
        Value::List(list) => {
            hasher.write_u64(list.len() as u64);
            for value in list.iter() {
                hash_into(value, hasher);
            }
        }
    }
}

/// The [`StableHasher`]'s hash of a key of several parts.
#[must_use]
pub fn stable_hash(key: &[Value]) -> u64 {
    let mut hasher = StableHasher::default();
    for value in key {
        hash_into(value, &mut hasher);
    }
    hasher.finish()
}

/// A hasher whose results are the same in every process, on every machine and in every version: folded multiplication over words of eight
/// bytes, little endian. Good spread; not safe against somebody who chooses keys to collide.
#[derive(Clone, Copy, Debug)]
pub struct StableHasher(u64);

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const SEED: u64 = 0x243f_6a88_85a3_08d3;

impl Default for StableHasher {
    fn default() -> StableHasher {
        StableHasher(SEED)
    }
}

/// Both halves of the product of 128 bits, so that every bit reaches every other.
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        // Added, not only multiplied: a product that happens to be zero must not swallow what follows.
        self.0 = folded(self.0 ^ n, MULTIPLIER)
            .wrapping_add(SEED)
            .rotate_left(23);
    }

    fn finish(&self) -> u64 {
        folded(self.0, MULTIPLIER ^ SEED)
    }
}
