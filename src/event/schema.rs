//! What event types exist and which fields they have.

/// An event type's number in its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTypeId(pub u16);

/// A field's number in its event type or table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u16);

/// The unit of a time written as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum TimeUnit {
    /// `timestamp(s)`
    Seconds,
    /// `timestamp` and `timestamp(ms)`
    #[default]
    Millis,
    /// `timestamp(us)`
    Micros,
    /// `timestamp(ns)`
    Nanos,
}

/// The type of a field or an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// `bool`
    Bool,
    /// `int`: 64 bits, signed
    Int,
    /// `float`: IEEE 754 double
    Float,
    /// `decimal`: exact, 28 digits
    Decimal,
    /// `string`
    String,
    /// `timestamp`: milliseconds since the epoch, read from the given unit
    Timestamp(TimeUnit),
    /// `duration`: milliseconds
    Duration,
    /// The result of `collect`; cannot be declared.
    List,
}

/// One field of an event type or a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in patterns and, without `path`, in records.
    pub name: String,
    /// Its type.
    pub ty: FieldType,
    /// True if it may be absent or null (`type?`).
    pub optional: bool,
    /// Where records keep it: the names to descend through. One name when not given by `from "a.b.c"`.
    pub path: Vec<String>,
}

/// One event type, declared or derived from the streams that patterns emit.
#[derive(Clone, Debug, PartialEq)]
pub struct EventType {
    /// Its name.
    pub name: String,
    /// Its fields, in order of declaration.
    pub fields: Vec<Field>,
    /// The field marked `time`. Streams that patterns emit have none: their time is when the match completed.
    pub time: Option<FieldId>,
}

/// Every event type of a program.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Schema {
    /// Indexed by [`EventTypeId`].
    pub types: Vec<EventType>,
}

impl Schema {
    /// The event type with this number.
    #[must_use]
    pub fn get(&self, id: EventTypeId) -> &EventType {
        &self.types[usize::from(id.0)]
    }

    /// The number of the event type of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<EventTypeId> {
        let at = self.types.iter().position(|ty| ty.name == name)?;
        Some(EventTypeId(u16::try_from(at).ok()?))
    }
}

impl EventType {
    /// The number of the field of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<FieldId> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        Some(FieldId(u16::try_from(at).ok()?))
    }
}
