//! The types of a source's records, and how a record says which one it is.

use compact_str::CompactString;
use hashbrown::HashMap;

use super::token::{Shown, Token};
use super::{Flaw, Malformed, Prefilter, Read, convert, json};
use crate::event::schema::Field;
use crate::event::{Event, EventTypeId, FieldId, Position, Value};
use crate::time::Timestamp;

/// How a record tells its type.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) slot: u32,
    by_name: HashMap<Box<str>, usize>,
    /// The shape of the record before: a guess.
    last: usize,
}

/// How to build the values of one type.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) ty: EventTypeId,
    pub(super) name: String,
    pub(super) wanted: bool,
    pub(super) time: FieldId,
    pub(super) time_slot: u32,
    pub(super) fields: Vec<Field>,
    /// By field: its slot, when it is read.
    pub(super) slots: Vec<Option<u32>>,
    /// What an event of use must satisfy; `None` if any may be of use.
    pub(super) prefilter: Option<Prefilter>,
}

impl Told {
    pub(super) fn new(name: &str, slot: u32, shapes: &[Shape]) -> Told {
        let names = shapes.iter().map(|shape| shape.name.as_str().into());
        Told {
            name: name.to_owned(),
            slot,
            by_name: names.zip(0..).collect(),
            last: 0,
        }
    }

    /// The number of the shape whose type the record names, or whose name the record has itself; `None` when it is not declared.
    pub(super) fn shape(
        &mut self,
        slots: &[Token],
        text: &str,
        called: Option<&str>,
        shapes: &[Shape],
    ) -> Result<Option<usize>, Malformed> {
        let flawed = |reason| Malformed {
            flaw: Flaw::Field,
            reason,
        };
        let plain;
        let name = match slots[self.slot as usize] {
            Token::Text(cut) | Token::Bare(cut) => cut.of(text),
            Token::Escaped(cut) => {
                let mut unescaped = CompactString::default();
                json::unescape(cut.of(text), &mut unescaped).map_err(|_| {
                    flawed(format!("field \"{}\": half of a surrogate pair", self.name))
                })?;
                plain = unescaped;
                &plain
            }
            Token::Absent => {
                if let Some(at) = called.and_then(|name| self.declared(name, shapes)) {
                    return Ok(Some(at));
                }
                if shapes.len() == 1 {
                    return Ok(Some(0));
                }
                let reason = format!(
                    "field \"{}\", which tells the event's type, is missing; name the source's type (Type=path) or the field (--type-field)",
                    self.name
                );
                return Err(flawed(reason));
            }
            other => {
                let found = Shown(other, text);
                return Err(flawed(format!(
                    "field \"{}\": wanted the name of an event type, found {found}",
                    self.name
                )));
            }
        };
        Ok(self.declared(name, shapes))
    }

    /// The number of the shape of the type of this name.
    fn declared(&mut self, name: &str, shapes: &[Shape]) -> Option<usize> {
        let last = shapes.get(self.last);
        if last.is_none_or(|shape| shape.name != name) {
            self.last = self.by_name.get(name).copied()?;
        }
        Some(self.last)
    }
}

impl Shape {
    /// Writes what is known of an event beside its values.
    #[inline]
    pub(super) fn head(&self, event: &mut Event, time: Timestamp, position: Position) -> Read {
        if !self.wanted {
            return Read::Filtered(Some(time));
        }
        event.ty = self.ty;
        event.time = time;
        event.position = position;
        Read::Event
    }

    /// The time that the record states.
    #[inline]
    pub(super) fn time(&self, slots: &[Token], text: &str) -> Result<Timestamp, Malformed> {
        let field = &self.fields[usize::from(self.time.0)];
        let token = slots[self.time_slot as usize];
        let Some(time) = convert::time(field, token, text)? else {
            return Err(Malformed {
                flaw: Flaw::Field,
                reason: format!("field \"{}\": an event without a time", field.name),
            });
        };
        convert::plausible(field, time, token, text)?;
        Ok(time)
    }

    /// Writes what the record says over whatever the values were.
    #[inline]
    pub(super) fn fill(
        &self,
        values: &mut [Value],
        slots: &[Token],
        text: &str,
        stated: Timestamp,
    ) -> Result<(), Malformed> {
        let fields = self.fields.iter().zip(&self.slots);
        for (at, (value, (field, slot))) in values.iter_mut().zip(fields).enumerate() {
            match slot {
                None => *value = Value::Null,
                Some(_) if at == usize::from(self.time.0) => *value = Value::Timestamp(stated),
                Some(slot) => convert::overwrite(value, field, slots[*slot as usize], text)?,
            }
        }
        Ok(())
    }
}
