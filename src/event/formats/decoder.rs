//! The decoder: one per source partition, built once.

use std::fmt;

#[cfg(feature = "avro")]
use super::avro;
use super::layout::{Layout, Layouts};
use super::paths::PathTree;
#[cfg(feature = "protobuf")]
use super::protobuf;
use super::shape::{Shape, Told};
use super::token::Token;
use super::{
    Encoding, Flaw, Format, Malformed, Prefilter, Projection, RECORD_BYTES_MAX, Spare, csv, json,
};
use crate::event::{Event, EventTypeId, FieldId, Position, Schema};
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

/// What is told of a record at a glance: whether it is laid out like one before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Glance {
    /// It is, and is sure to be an event of no use.
    Filtered(Timestamp),
    /// It is, and its values were found.
    Found { is_ascii: bool },
    /// Nothing.
    Unknown,
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
    Json(PathTree, Layouts),
    Csv(Box<csv::Columns>),
    #[cfg(feature = "avro")]
    Avro(Box<avro::Reader>),
    #[cfg(feature = "protobuf")]
    Protobuf(Box<protobuf::Reader>),
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
                prefilter: (!wanted).then(|| Prefilter(Vec::new())),
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
            Kinds::Told(name) => {
                let slot = places_left.next().expect("the type's path came last");
                Some(Told::new(name, slot, &shapes))
            }
        };
        let slots = vec![Token::Absent; tree.slots()];
        let form = match encoding.into() {
            Encoding::Plain(Format::Json) => Form::Json(tree, Layouts::default()),
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

    /// For patterns that use an event of a type only if it satisfies this; where nothing is said any may be of use. What doesn't satisfy it may be
    /// [filtered](Read::Filtered) before its values are read, or not.
    #[must_use]
    pub(crate) fn prefiltered(
        mut self,
        wanted: impl Fn(EventTypeId) -> Option<Prefilter>,
    ) -> Decoder {
        for shape in self.shapes.iter_mut().filter(|shape| shape.wanted) {
            shape.prefilter = wanted(shape.ty);
        }
        if let Form::Json(_, layouts) = &mut self.form {
            *layouts = Layouts::default();
        }
        self
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
    pub(crate) fn read(
        &mut self,
        record: &[u8],
        position: Position,
        stamp: Option<Timestamp>,
    ) -> Result<Read, Malformed> {
        let glance = self.glance(record);
        self.read_on(record, glance, position, stamp)
    }

    /// Whether a record is laid out like one before, and of no use. Most are, and nothing else is done with them.
    // By itself: what is done with others has use for all registers.
    #[inline(never)]
    pub(crate) fn glance(&mut self, record: &[u8]) -> Glance {
        let Form::Json(_, layouts) = &mut self.form else {
            return Glance::Unknown;
        };
        if record.len() > RECORD_BYTES_MAX || !layouts.look(record) {
            return Glance::Unknown;
        }
        let shapes = &self.shapes;
        let glance = layouts.find(|layout, quotes| {
            layout.find(record, quotes)?;
            let is_ascii = quotes.is_ascii;
            let filtered = is_ascii.then(|| layout.filtered(record, &shapes[layout.shape]));
            let found = Glance::Found { is_ascii };
            Some(filtered.flatten().map_or(found, Glance::Filtered))
        });
        glance.unwrap_or(Glance::Unknown)
    }

    /// Reads a record of which so much is told.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub(crate) fn read_on(
        &mut self,
        record: &[u8],
        glance: Glance,
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
            Form::Json(tree, layouts) => {
                match glance {
                    Glance::Filtered(time) => {
                        return Ok(Read::Filtered(Some(stamp.unwrap_or(time))));
                    }
                    Glance::Found { is_ascii } => {
                        let layout = layouts.found();
                        let shape = &self.shapes[layout.shape];
                        make_room(&mut self.event, &mut self.spare, shape);
                        let values = &mut self.event.values;
                        if let Some(stated) = layout.fill(record, is_ascii, shape, values) {
                            let time = stamp.unwrap_or(stated);
                            return Ok(shape.head(&mut self.event, time, position));
                        }
                    }
                    Glance::Unknown => {}
                }
                let text = json::text(record)?;
                json::read(text, tree, &mut self.slots)?;
                (text, None)
            }
            Form::Csv(columns) => (columns.scan(record, &mut self.slots)?, None),
            #[cfg(feature = "avro")]
            Form::Avro(reader) => reader.read(record, &mut self.slots)?,
            #[cfg(feature = "protobuf")]
            Form::Protobuf(reader) => reader.read(record, &mut self.slots)?,
        };
        let at = match &mut self.told {
            None => Some(0),
            Some(told) => told.shape(&self.slots, text, name, &self.shapes)?,
        };
        let Some((at, shape)) = at.and_then(|at| Some((at, self.shapes.get(at)?))) else {
            return Ok(Read::Filtered(None));
        };
        let slots = &self.slots;
        let stated = match stamp {
            Some(stamp) if slots[shape.time_slot as usize] == Token::Absent => stamp,
            _ => shape.time(slots, text)?,
        };
        if shape.wanted {
            make_room(&mut self.event, &mut self.spare, shape);
            shape.fill(&mut self.event.values, slots, text, stated)?;
        }
        if let Form::Json(_, layouts) = &mut self.form {
            let told = self.told.as_ref().map(|told| told.slot);
            layouts.learn(|| Layout::of(json::text(record).ok()?, at, shape, slots, told));
        }
        Ok(shape.head(&mut self.event, stamp.unwrap_or(stated), position))
    }
}

/// An event has as many values as its type has fields.
#[inline]
fn make_room(event: &mut Event, spare: &mut Spare, shape: &Shape) {
    if event.values.len() != shape.fields.len() {
        let fresh = spare.take(shape.fields.len());
        let before = std::mem::replace(&mut event.values, fresh);
        if !before.is_empty() {
            spare.give(before);
        }
    }
}
