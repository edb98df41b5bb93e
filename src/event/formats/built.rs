//! Events that a program builds itself, field by field, under the names of the declaration.

use std::borrow::Cow;

use super::convert::written;
use super::{Decoded, Flaw, Malformed, Projection, RECORD_BYTES_MAX, TIME_MAX, TIME_MIN, shown};
use crate::event::schema::{EventType, Field, FieldType};
use crate::event::{Event, EventTypeId, FieldId, Position, Schema, Value};
use crate::time::Timestamp;

/// An event under construction. What it lacks or has too much is said when it is pushed.
///
/// ```
/// use leitmotif::{Event, Timestamp};
///
/// let at = Timestamp(1_700_000_000_000);
/// let txn = Event::of("Txn", at).set("card", "c1").set("amount", 900).set("note", None::<String>);
/// assert_eq!(txn.time(), at);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct EventBuilder {
    ty: Cow<'static, str>,
    time: Timestamp,
    fields: Vec<(Cow<'static, str>, Value)>,
}

impl Event {
    /// Begins an event of this type, as a pattern file declares it. `time` is its time field, whatever that is called there.
    pub fn of(ty: impl Into<Cow<'static, str>>, time: Timestamp) -> EventBuilder {
        EventBuilder {
            ty: ty.into(),
            time,
            fields: Vec::new(),
        }
    }
}

impl EventBuilder {
    /// Sets a field, by its name in patterns. The last value of a field counts. Whole numbers fit fields of `float` and `decimal`, otherwise the
    /// value must be of the declared type: nothing is guessed, nothing rounded.
    #[must_use]
    pub fn set(mut self, field: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.fields.push((field.into(), value.into()));
        self
    }

    /// The event's time.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The event, if it is one. A field that no pattern reads may be missing, as it may in a record.
    ///
    /// # Errors
    /// When the type or a field is not declared, a value is not of its type, a field is missing, or the time cannot be meant.
    pub(crate) fn build(
        self,
        schema: &Schema,
        projection: &Projection,
        position: Position,
    ) -> Result<Decoded, Malformed> {
        let id = schema
            .find(&self.ty)
            .filter(|id| schema.get(*id).time.is_some())
            .ok_or_else(|| no_type(schema, &self.ty))?;
        let declared = schema.get(id);
        let time_field = declared.time.expect("types without a time were refused");
        plausible(declared, time_field, self.time)?;
        let mut values = vec![Value::Null; declared.fields.len()];
        for (name, value) in self.fields {
            let at = declared
                .find(&name)
                .ok_or_else(|| no_field(declared, &name))?;
            if at == time_field {
                return Err(flawed(format!(
                    "field \"{name}\" is the time of {}, which Event::of is given; leave it out",
                    declared.name
                )));
            }
            let field = &declared.fields[usize::from(at.0)];
            values[usize::from(at.0)] = fitting(field, value)?;
        }
        values[usize::from(time_field.0)] = Value::Timestamp(self.time);
        if !projection.wants(id) {
            return Ok(Decoded::Filtered(Some(self.time)));
        }
        all_there(id, declared, &values, projection)?;
        Ok(Decoded::Event(Event {
            ty: id,
            time: self.time,
            position,
            values: values.into_boxed_slice(),
        }))
    }
}

/// Every field that is read and not optional has a value.
fn all_there(
    id: EventTypeId,
    declared: &EventType,
    values: &[Value],
    projection: &Projection,
) -> Result<(), Malformed> {
    for (at, (field, value)) in (0..).zip(declared.fields.iter().zip(values)) {
        if value.is_null() && !field.optional && projection.reads(id, FieldId(at)) {
            let (name, wanted) = (&field.name, written(field.ty));
            return Err(flawed(format!(
                "field \"{name}\" is missing; declare it {wanted}? if it may be"
            )));
        }
    }
    Ok(())
}

/// The value as the field holds it.
fn fitting(field: &Field, value: Value) -> Result<Value, Malformed> {
    let fits = match (field.ty, value) {
        (FieldType::Float, Value::Int(whole)) => Ok(Value::Float(whole as f64)),
        (FieldType::Decimal, Value::Int(whole)) => Ok(Value::Decimal(whole.into())),
        (FieldType::Float, Value::Float(float)) if !float.is_finite() => Err(Value::Float(float)),
        (FieldType::String, Value::Str(text)) if text.len() > RECORD_BYTES_MAX => {
            return Err(Malformed {
                flaw: Flaw::Size,
                reason: format!("field \"{}\" is larger than 1 MiB", field.name),
            });
        }
        (FieldType::Bool, value @ Value::Bool(_))
        | (FieldType::Int, value @ Value::Int(_))
        | (FieldType::Float, value @ Value::Float(_))
        | (FieldType::Decimal, value @ Value::Decimal(_))
        | (FieldType::String, value @ Value::Str(_))
        | (FieldType::Timestamp(_), value @ Value::Timestamp(_))
        | (FieldType::Duration, value @ Value::Duration(_))
        | (_, value @ Value::Null) => Ok(value),
        (_, other) => Err(other),
    };
    fits.map_err(|found| {
        let (name, wanted) = (&field.name, written(field.ty));
        flawed(format!("field \"{name}\": wanted {wanted}, found {found}"))
    })
}

fn plausible(declared: &EventType, field: FieldId, time: Timestamp) -> Result<(), Malformed> {
    if (TIME_MIN..TIME_MAX).contains(&time) {
        return Ok(());
    }
    let side = match time < TIME_MIN {
        true => "before 2000-01-01",
        false => "after 2199-12-31",
    };
    let name = &declared.fields[usize::from(field.0)].name;
    Err(Malformed {
        flaw: Flaw::Time,
        reason: format!(
            "field \"{name}\": {} ms is {}, {side}; a Timestamp counts milliseconds",
            time.0,
            shown(time)
        ),
    })
}

fn no_type(schema: &Schema, name: &str) -> Malformed {
    let declared = schema.types.iter().filter(|ty| ty.time.is_some());
    let declared: Vec<&str> = declared.map(|ty| ty.name.as_str()).collect();
    let declared = declared.join(", ");
    flawed(format!(
        "no event type \"{name}\"; the patterns declare {declared}"
    ))
}

fn no_field(declared: &EventType, name: &str) -> Malformed {
    let fields: Vec<&str> = declared
        .fields
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let (ty, fields) = (&declared.name, fields.join(", "));
    flawed(format!("no field \"{name}\" in {ty}; there is {fields}"))
}

fn flawed(reason: String) -> Malformed {
    Malformed {
        flaw: Flaw::Field,
        reason,
    }
}
