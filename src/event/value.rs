//! The values that fields and expressions have.

use std::sync::Arc;

use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::time::{Span, Timestamp};

/// A value of a field or of an expression. 24 bytes; strings up to 24 bytes need no allocation.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// Absent, null, or the result of arithmetic that has none.
    #[default]
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `float`
    Float(f64),
    /// `decimal`
    Decimal(Decimal),
    /// `string`
    Str(CompactString),
    /// `timestamp`
    Timestamp(Timestamp),
    /// `duration`
    Duration(Span),
    /// The result of `collect`
    List(Arc<[Value]>),
}

impl Value {
    /// True for [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}
