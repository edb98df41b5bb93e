//! Typed, timed events and the schema they follow.

pub mod codec;
pub mod formats;
pub mod schema;
pub mod value;

use crate::time::Timestamp;
pub use schema::{EventTypeId, FieldId, FieldType, Schema};
pub use value::Value;

/// The number of streams that patterns emit, in place of a source's.
pub(crate) const STREAMS: u16 = u16::MAX;

/// Where a record came from. Its order, after the event's time, is the order of equal times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Number of the source in the run. Streams that patterns emit come after all sources.
    pub source: u16,
    /// Partition within the source.
    pub partition: u32,
    /// Offset within the partition, in order of arrival.
    pub offset: u64,
}

/// One typed, timed, immutable event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The event's type in the schema.
    pub ty: EventTypeId,
    /// The value of the type's time field.
    pub time: Timestamp,
    /// Where it came from.
    pub position: Position,
    /// One value per field of the type, in order of declaration; a field that no pattern reads may be left null.
    pub values: Box<[Value]>,
}

impl Event {
    /// True if a pattern made it, not a source.
    pub(crate) fn is_derived(&self) -> bool {
        self.position.source == STREAMS
    }

    /// None yet: it has no values.
    pub(crate) fn none() -> Event {
        Event {
            ty: EventTypeId(0),
            time: Timestamp(0),
            position: Position::default(),
            values: Box::default(),
        }
    }

    /// Takes the event, and leaves none.
    pub(crate) fn take(&mut self) -> Event {
        Event {
            values: std::mem::take(&mut self.values),
            ..*self
        }
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: FieldId) -> &Value {
        &self.values[usize::from(field.0)]
    }
}
