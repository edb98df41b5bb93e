//! What is under way at a barrier, as bytes: events that wait for the watermark, events of streams, rows that have not left, and how far partitions have come.
//!
//! Event types, patterns and partitions are numbers here; the manifest says what they are called, and [`Names`] leads from those numbers to the ones of the program
//! that reads them.

use super::judge::Judged;
use super::order::{Moment, Ordered};
use super::shard::{Derived, Origin};
use crate::automaton::{Row, Stream};
use crate::checkpoint::StoredType;
use crate::event::codec::{event, put_event, put_values, values};
use crate::event::{Event, EventTypeId, FieldId, Schema, Value};
use crate::lang::pattern::{PatternId, Program};
use crate::time::Timestamp;
use crate::wire::{Damaged, Reader, put_fixed, put_int, put_uint};

/// Appends a row and its place in the order of rows. When its event arrived is not kept: clocks begin anew.
pub(crate) fn put_row(out: &mut Vec<u8>, ordered: &Ordered) {
    let row = &ordered.row;
    put_moment(out, ordered.moment);
    put_uint(out, u64::from(row.pattern.0));
    let (tag, ty) = match row.stream {
        Stream::Match(ty) => (0, ty.0),
        Stream::Timeout(ty) => (1, ty.0),
        Stream::Evicted => (2, 0),
    };
    out.push(tag);
    put_uint(out, u64::from(ty));
    put_int(out, row.at.0);
    put_values(out, &row.key);
    put_fixed(out, row.match_id);
    put_int(out, row.from.0);
    put_int(out, row.to.0);
    put_values(out, &row.values);
}

/// Reads all rows behind a count; those of patterns and streams that are gone are left out.
pub(crate) fn rows(bytes: &[u8], names: &Names) -> Result<Vec<Ordered>, Damaged> {
    let mut reader = Reader::new(bytes);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let count = reader.count()?;
    let mut rows = Vec::new();
    for _ in 0..count {
        rows.extend(row(&mut reader, names)?);
    }
    reader.end()?;
    Ok(rows)
}

fn row(reader: &mut Reader<'_>, names: &Names) -> Result<Option<Ordered>, Damaged> {
    let moment = moment(reader)?;
    let pattern = names.pattern(reader.narrow()?);
    let tag = reader.byte()?;
    let ty = names.ty(EventTypeId(reader.narrow()?));
    let stream = match (tag, ty) {
        (0, ty) => ty.map(|ty| Stream::Match(ty.id)),
        (1, ty) => ty.map(|ty| Stream::Timeout(ty.id)),
        (2, _) => Some(Stream::Evicted),
        _ => return Err(reader.damaged("stream of a row")),
    };
    let at = Timestamp(reader.int()?);
    let key = values(reader)?.into_vec().into();
    let match_id = reader.fixed()?;
    let (from, to) = (Timestamp(reader.int()?), Timestamp(reader.int()?));
    let values = values(reader)?;
    let fits = stream != Some(Stream::Evicted) && ty.is_some_and(|ty| !ty.fits(values.len()));
    if fits {
        return Err(reader.damaged("row with as many values as its stream has fields"));
    }
    Ok(pattern.zip(stream).map(|(pattern, stream)| Ordered {
        moment,
        arrived: None,
        row: Row {
            pattern,
            stream,
            at,
            key,
            match_id,
            from,
            to,
            values,
        },
    }))
}

fn put_moment(out: &mut Vec<u8>, moment: Moment) {
    out.push(match moment {
        Moment::Instant => 0,
        Moment::Event => 1,
        Moment::Expiry => 2,
    });
}

fn moment(reader: &mut Reader<'_>) -> Result<Moment, Damaged> {
    match reader.byte()? {
        0 => Ok(Moment::Instant),
        1 => Ok(Moment::Event),
        2 => Ok(Moment::Expiry),
        _ => Err(reader.damaged("moment of a row")),
    }
}

/// Appends what a shard holds of events.
pub(crate) fn put_flow<'a>(
    out: &mut Vec<u8>,
    waiting: impl ExactSizeIterator<Item = &'a Judged>,
    derived: impl Iterator<Item = &'a Derived>,
) {
    put_uint(out, waiting.len() as u64);
    for judged in waiting {
        put_event(out, &judged.event);
    }
    let mut count = 0;
    let mut bytes = Vec::new();
    for Derived { judged, origin } in derived {
        count += 1;
        put_event(&mut bytes, &judged.event);
        put_uint(&mut bytes, u64::from(origin.from.0));
        put_moment(&mut bytes, origin.moment);
        put_values(&mut bytes, &origin.key);
    }
    put_uint(out, count);
    out.extend_from_slice(&bytes);
}

/// Events under way, not judged yet.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pub waiting: Vec<Event>,
    pub derived: Vec<(Event, Origin)>,
}

impl Flow {
    /// Adds what [`put_flow`] wrote; what is of types or patterns that are gone is left out.
    pub(crate) fn read(&mut self, bytes: &[u8], names: &Names) -> Result<(), Damaged> {
        let mut reader = Reader::new(bytes);
        for _ in 0..reader.count()? {
            let event = names.event(event(&mut reader)?, &reader)?;
            self.waiting.extend(event);
        }
        for _ in 0..reader.count()? {
            let event = names.event(event(&mut reader)?, &reader)?;
            let from = names.pattern(reader.narrow()?);
            let moment = moment(&mut reader)?;
            let key = values(&mut reader)?.into_vec().into();
            if let (Some(event), Some(from)) = (event, from) {
                self.derived.push((event, Origin { from, moment, key }));
            }
        }
        reader.end()
    }
}

/// From numbers of a stored program to those of the one that runs.
#[derive(Debug)]
pub(crate) struct Names {
    types: Vec<Option<Mapped>>,
    patterns: Vec<Option<PatternId>>,
}

/// An event type of the running program, and where its fields were.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub id: EventTypeId,
    /// By field now: its number then.
    fields: Vec<Option<FieldId>>,
    /// How many fields there were.
    before: usize,
    same: bool,
}

impl Mapped {
    fn fits(&self, values: usize) -> bool {
        values == self.before
    }
}

/// The event types of a program, as a manifest names them.
pub(crate) fn stored_types(schema: &Schema) -> Vec<StoredType> {
    let types = schema.types.iter().map(|ty| StoredType {
        name: ty.name.clone(),
        fields: ty.fields.iter().map(|field| field.name.clone()).collect(),
    });
    types.collect()
}

impl Names {
    pub(crate) fn new(types: &[StoredType], patterns: &[String], program: &Program) -> Names {
        let mapped = types.iter().map(|stored| {
            let id = program.schema.find(&stored.name)?;
            let fields = program.schema.get(id).fields.iter().map(|field| {
                let at = stored.fields.iter().position(|name| *name == field.name);
                at.and_then(|at| u16::try_from(at).ok()).map(FieldId)
            });
            let fields: Vec<Option<FieldId>> = fields.collect();
            let in_place = |(at, field): (u16, &Option<FieldId>)| *field == Some(FieldId(at));
            Some(Mapped {
                id,
                same: fields.len() == stored.fields.len() && (0..).zip(&fields).all(in_place),
                before: stored.fields.len(),
                fields,
            })
        });
        let find = |name: &String| {
            let mut patterns = (0..).zip(&program.patterns);
            let found = patterns.find(|(_, pattern)| pattern.name == *name);
            found.map(|(number, _)| PatternId(number))
        };
        Names {
            types: mapped.collect(),
            patterns: patterns.iter().map(find).collect(),
        }
    }

    fn pattern(&self, number: u32) -> Option<PatternId> {
        self.patterns.get(number as usize).copied().flatten()
    }

    fn ty(&self, stored: EventTypeId) -> Option<&Mapped> {
        self.types.get(usize::from(stored.0))?.as_ref()
    }

    /// An event as the running program sees it; `None` if its type is gone.
    pub(crate) fn event(
        &self,
        stored: Event,
        reader: &Reader<'_>,
    ) -> Result<Option<Event>, Damaged> {
        let Some(mapped) = self.ty(stored.ty) else {
            return Ok(None);
        };
        if !mapped.fits(stored.values.len()) {
            return Err(reader.damaged("event with as many values as its type has fields"));
        }
        let values = match mapped.same {
            true => stored.values,
            false => {
                let fields = mapped.fields.iter();
                let of = |field: &Option<FieldId>| {
                    field.map_or(Value::Null, |field| {
                        stored.values[usize::from(field.0)].clone()
                    })
                };
                fields.map(of).collect()
            }
        };
        Ok(Some(Event {
            ty: mapped.id,
            values,
            ..stored
        }))
    }
}
