//! The decoder: one per source partition, built once.

use std::fmt;

use compact_str::CompactString;
use hashbrown::HashMap;

#[cfg(feature = "avro")]
use super::avro;
use super::paths::PathTree;
#[cfg(feature = "protobuf")]
use super::protobuf;
use super::token::{Shown, Token};
use super::{
    Encoding, Flaw, Format, Malformed, Projection, RECORD_BYTES_MAX, Spare, convert, csv, json,
};
use crate::event::schema::Field;
use crate::event::{Event, EventTypeId, FieldId, Position, Schema, Value};
use crate::time::Timestamp;

/// What event types a source carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// All records are of this type.
    One(EventTypeId),
    /// Every declared type; a record's field of this name (a path such as `meta.type` descends) says which. Where only one type is
    /// declared a record need not say. In Avro and Protobuf the name of the record or message says it where no field does.
    Told(String),
}

/// What a record turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// An event that some pattern may use.
    Event(Event),
    /// An event that no pattern can use: of a type that is not declared (then without a time) or that no pattern waits for.
    Filtered(Option<Timestamp>),
}

/// The columns of a CSV file are not those that the schema needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderError(String);

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HeaderError {}

/// What a record turned out to be that was read into a decoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Read {
    /// [`Decoder::event`], until the next one is read.
    Event,
    /// See [`Decoded::Filtered`].
    Filtered(Option<Timestamp>),
}

/// Turns records of one source partition into events. Each is written over the one before, unless that was taken; then over a spent one that was given back; without
/// any, it is one allocation and one more per string over 24 bytes.
#[derive(Clone, Debug)]
pub struct Decoder {
    shapes: Vec<Shape>,
    told: Option<Told>,
    form: Form,
    /// What the scanner found, by slot.
    slots: Vec<Token>,
    /// Times are given from outside.
    stamped: bool,
    /// The event that was read last; without values when it was taken.
    event: Event,
    /// Spent events, for the next ones.
    spare: Spare,
}

/// The scanner of the format.
#[derive(Clone, Debug)]
enum Form {
    Json(PathTree),
    Csv(Box<csv::Columns>),
    #[cfg(feature = "avro")]
    Avro(Box<avro::Reader>),
    #[cfg(feature = "protobuf")]
    Protobuf(Box<protobuf::Reader>),
}

/// How a record tells its type.
#[derive(Clone, Debug)]
struct Told {
    name: String,
    slot: u32,
    by_name: HashMap<Box<str>, usize>,
    /// The shape of the record before: a guess.
    last: usize,
}

/// How to build the values of one type.
#[derive(Clone, Debug)]
struct Shape {
    ty: EventTypeId,
    name: String,
    wanted: bool,
    time: FieldId,
    time_slot: u32,
    fields: Vec<Field>,
    /// By field: its slot, when it is read.
    slots: Vec<Option<u32>>,
}

impl Decoder {
    /// Builds the decoder of a source.
    ///
    /// Types without a time field (streams that patterns emit) cannot come from a source and are left out.
    #[must_use]
    pub fn new(
        schema: &Schema,
        projection: &Projection,
        encoding: impl Into<Encoding>,
        kinds: &Kinds,
    ) -> Decoder {
        let types: Vec<EventTypeId> = match kinds {
            Kinds::One(ty) => vec![*ty],
            Kinds::Told(_) => (0..=u16::MAX)
                .take(schema.types.len())
                .map(EventTypeId)
                .collect(),
        };
        let mut shapes = Vec::new();
        let mut paths: Vec<&[String]> = Vec::new();
        for ty in types {
            let declared = schema.get(ty);
            let Some(time) = declared.time else { continue };
            let wanted = projection.wants(ty);
            let reads = |field: u16| {
                FieldId(field) == time || (wanted && projection.reads(ty, FieldId(field)))
            };
            let slots = (0..=u16::MAX).zip(&declared.fields).map(|(at, field)| {
                reads(at).then(|| {
                    paths.push(&field.path);
                    // The place among the paths, until slots are known.
                    0
                })
            });
            shapes.push(Shape {
                ty,
                name: declared.name.clone(),
                wanted,
                time,
                time_slot: 0,
                slots: slots.collect(),
                fields: declared.fields.clone(),
            });
        }
        let told_path: Vec<String> = match kinds {
            Kinds::One(_) => Vec::new(),
            Kinds::Told(name) => name.split('.').map(str::to_owned).collect(),
        };
        if !told_path.is_empty() {
            paths.push(&told_path);
        }
        let joined: Vec<String> = paths.iter().map(|path| path.join(".")).collect();
        let (tree, places) = PathTree::new(paths.iter().copied());
        let mut places_left = places.iter().copied();
        for shape in &mut shapes {
            for slot in shape.slots.iter_mut().flatten() {
                *slot = places_left.next().expect("one place per path");
            }
            shape.time_slot =
                shape.slots[usize::from(shape.time.0)].expect("the time is always read");
        }
        let told = match kinds {
            Kinds::One(_) => None,
            Kinds::Told(name) => Some(Told {
                name: name.clone(),
                slot: places_left.next().expect("the type's path came last"),
                by_name: shapes
                    .iter()
                    .enumerate()
                    .map(|(at, shape)| (shape.name.as_str().into(), at))
                    .collect(),
                last: 0,
            }),
        };
        let slots = vec![Token::Absent; tree.slots()];
        let form = match encoding.into() {
            Encoding::Plain(Format::Json) => Form::Json(tree),
            #[cfg(feature = "avro")]
            Encoding::Avro(schemas, beside) => {
                Form::Avro(Box::new(avro::Reader::new(&schemas, &beside, tree)))
            }
            #[cfg(feature = "protobuf")]
            Encoding::Protobuf(messages, beside) => {
                let read = match kinds {
                    Kinds::One(_) => protobuf::Read::Named,
                    Kinds::Told(_) => protobuf::Read::All,
                };
                Form::Protobuf(Box::new(protobuf::Reader::new(
                    &messages, &beside, &tree, read,
                )))
            }
            Encoding::Plain(Format::Csv) => {
                let mut names = vec![String::new(); tree.slots()];
                for (place, name) in places.iter().zip(joined) {
                    names[*place as usize] = name;
                }
                Form::Csv(Box::new(csv::Columns::new(names)))
            }
        };
        Decoder {
            shapes,
            told,
            form,
            slots,
            stamped: false,
            event: Event::none(),
            spare: Spare::default(),
        }
    }

    /// True when the next record must go to [`Decoder::header`] and is no event.
    #[must_use]
    pub fn wants_header(&self) -> bool {
        matches!(&self.form, Form::Csv(columns) if columns.unnamed())
    }

    /// The next record is the first of a file: if columns have names, it names them.
    pub fn begin_file(&mut self) {
        if let Form::Csv(columns) = &mut self.form {
            columns.forget();
        }
    }

    /// Takes a CSV file's first record: it names the columns.
    ///
    /// # Errors
    /// When a column that is read and not optional is not there.
    pub fn header(&mut self, record: &[u8]) -> Result<(), HeaderError> {
        let Form::Csv(columns) = &mut self.form else {
            return Ok(());
        };
        let names = columns
            .header(record)
            .map_err(|malformed| HeaderError(malformed.reason))?;
        let missing = |slot: u32| columns.column(slot).is_none();
        let known = || names.join(", ");
        if let Some(told) = &self.told {
            if missing(told.slot) && self.shapes.len() != 1 {
                let name = &told.name;
                return Err(HeaderError(format!(
                    "no column \"{name}\" to tell the event types apart; name the type (Type=path); columns are {}",
                    known()
                )));
            }
            // A file of many types need not have the columns of all.
            if !missing(told.slot) {
                return Ok(());
            }
        }
        for shape in &self.shapes {
            for (field, slot) in shape.fields.iter().zip(&shape.slots) {
                let given = self.stamped && *slot == Some(shape.time_slot);
                if slot.is_some_and(missing) && !field.optional && !given {
                    return Err(HeaderError(format!(
                        "no column \"{}\" for field \"{}\" of {}; columns, which the first line names, are {}",
                        field.path.join("."),
                        field.name,
                        shape.name,
                        known()
                    )));
                }
            }
        }
        Ok(())
    }

    /// For records whose time is given from outside: their time field may be missing.
    #[must_use]
    pub fn stamped(self) -> Decoder {
        Decoder {
            stamped: true,
            ..self
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When it is too large, not of the format, or a field that is read is missing or not of its type, or its time
    /// cannot be meant.
    pub fn decode(&mut self, record: &[u8], position: Position) -> Result<Decoded, Malformed> {
        self.decode_at(record, position, None)
    }

    /// Spent events, of which the next ones are made. To be given back to, and lent to another decoder while this one rests.
    pub(crate) fn spare(&mut self) -> &mut Spare {
        &mut self.spare
    }

    /// The event that was read last.
    pub(crate) fn event(&mut self) -> &mut Event {
        &mut self.event
    }

    /// Reads a record. With a `stamp`, that is the event's time, whatever the record says, and a missing time field has it too.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_at(
        &mut self,
        record: &[u8],
        position: Position,
        stamp: Option<Timestamp>,
    ) -> Result<Decoded, Malformed> {
        Ok(match self.read(record, position, stamp)? {
            Read::Event => Decoded::Event(self.event.take()),
            Read::Filtered(time) => Decoded::Filtered(time),
        })
    }

    /// The same, but an event is left here: most are of no use to anybody, and need not be moved.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    #[inline]
    pub(crate) fn read(
        &mut self,
        record: &[u8],
        position: Position,
        stamp: Option<Timestamp>,
    ) -> Result<Read, Malformed> {
        if record.len() > RECORD_BYTES_MAX {
            return Err(Malformed {
                flaw: Flaw::Size,
                reason: "larger than 1 MiB".to_owned(),
            });
        }
        let (text, name) = match &mut self.form {
            Form::Json(tree) => (json::read(record, tree, &mut self.slots)?, None),
            Form::Csv(columns) => (columns.scan(record, &mut self.slots)?, None),
            #[cfg(feature = "avro")]
            Form::Avro(reader) => reader.read(record, &mut self.slots)?,
            #[cfg(feature = "protobuf")]
            Form::Protobuf(reader) => reader.read(record, &mut self.slots)?,
        };
        let shape = match &mut self.told {
            None => self.shapes.first(),
            Some(told) => told.shape(&self.slots, text, name, &self.shapes)?,
        };
        let Some(shape) = shape else {
            return Ok(Read::Filtered(None));
        };
        let slots = &self.slots;
        let stated = match stamp {
            Some(stamp) if slots[shape.time_slot as usize] == Token::Absent => stamp,
            _ => shape.time(slots, text)?,
        };
        let time = stamp.unwrap_or(stated);
        if !shape.wanted {
            return Ok(Read::Filtered(Some(time)));
        }
        let event = &mut self.event;
        if event.values.len() != shape.fields.len() {
            let fresh = self.spare.take(shape.fields.len());
            let before = std::mem::replace(&mut event.values, fresh);
            if !before.is_empty() {
                self.spare.give(before);
            }
        }
        event.ty = shape.ty;
        event.time = time;
        event.position = position;
        shape.fill(&mut event.values, slots, text, stated)?;
        Ok(Read::Event)
    }
}

impl Told {
    /// The shape of the type that the record names, or whose name the record has itself; `None` when it is not declared.
    fn shape<'a>(
        &mut self,
        slots: &[Token],
        text: &str,
        called: Option<&str>,
        shapes: &'a [Shape],
    ) -> Result<Option<&'a Shape>, Malformed> {
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
                if let Some(shape) = called.and_then(|name| self.declared(name, shapes)) {
                    return Ok(Some(shape));
                }
                if shapes.len() == 1 {
                    return Ok(shapes.first());
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

    /// The shape of the type of this name.
    fn declared<'a>(&mut self, name: &str, shapes: &'a [Shape]) -> Option<&'a Shape> {
        if let Some(shape) = shapes.get(self.last).filter(|shape| shape.name == name) {
            return Some(shape);
        }
        let at = self.by_name.get(name).copied()?;
        self.last = at;
        Some(&shapes[at])
    }
}

impl Shape {
    /// The time that the record states.
    #[inline]
    fn time(&self, slots: &[Token], text: &str) -> Result<Timestamp, Malformed> {
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
    fn fill(
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
