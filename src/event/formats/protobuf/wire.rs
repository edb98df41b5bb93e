//! One message to the values that somebody reads.
//!
//! No recursion but along paths that patterns name, and into groups, which are at most 100 deep; nothing is allocated for what nobody reads.

use super::bound::{Default, Entry, Field, Form, Names, Plan, Scalar};
use crate::event::formats::RECORD_BYTES_MAX;
use crate::event::formats::token::{Cut, Foreign, Token};
use crate::time::{Span, Timestamp};

/// How deep messages may be nested.
const DEPTH_MAX: u32 = 100;

/// So many bytes of texts come of a record: a field may stand there again and again, and an enum's name be longer than its number.
const TEXT_BYTES_MAX: usize = 4 * RECORD_BYTES_MAX;

/// What is wrong with a message, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub at: usize,
    pub what: &'static str,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Varint,
    Eight,
    Counted,
    GroupStart,
    GroupEnd,
    Four,
}

/// A message being read.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the innermost message ends.
    end: usize,
    slots: &'a mut [Token],
    text: &'a mut String,
}

/// Puts the wanted values of a message into `slots`, which have been emptied, and their texts into `text`.
pub(super) fn walk(
    bytes: &[u8],
    plan: &Plan,
    slots: &mut [Token],
    text: &mut String,
) -> Result<(), Fault> {
    let mut walk = Walk {
        bytes,
        at: 0,
        end: bytes.len(),
        slots,
        text,
    };
    walk.message(plan, None, 0)
}

impl<'a> Walk<'a> {
    /// Reads fields up to the end, or to the tag that ends a group.
    fn message(&mut self, plan: &Plan, group: Option<u32>, depth: u32) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(self.fault("nested too deep (more than 100)"));
        }
        for (slot, default) in &plan.defaults {
            // A message that comes in several parts is put together.
            if self.slots[*slot as usize] == Token::Absent {
                self.slots[*slot as usize] = self.default(default);
            }
        }
        // Fields mostly come in the order of their numbers.
        let mut next = 0;
        while self.at < self.end {
            let (number, wire) = self.tag()?;
            if wire == Wire::GroupEnd {
                return match group == Some(number) {
                    true => Ok(()),
                    false => Err(self.fault("a group ends that did not begin")),
                };
            }
            let guessed = plan.fields.get(next);
            let field = match guessed.filter(|field| field.number == number) {
                Some(field) => Some(field),
                None => {
                    let found = plan.fields.binary_search_by_key(&number, |one| one.number);
                    next = found.unwrap_or(next);
                    found.ok().map(|at| &plan.fields[at])
                }
            };
            match field {
                Some(field) => {
                    next += 1;
                    self.field(field, wire, depth)?;
                }
                None => self.pass(number, wire, depth)?,
            }
        }
        match group {
            None => Ok(()),
            Some(_) => Err(self.fault("a group without an end")),
        }
    }

    fn field(&mut self, field: &Field, wire: Wire, depth: u32) -> Result<(), Fault> {
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(self.fault("too many values"));
        }
        for covers in &field.rivals {
            self.slots[covers.clone()].fill(Token::Absent);
        }
        let token = match &field.form {
            Form::Passed => return self.pass(field.number, wire, depth),
            Form::List => {
                self.pass(field.number, wire, depth)?;
                Token::Array
            }
            Form::Scalar(scalar) => self.scalar(*scalar, wire)?,
            Form::Enum(names) => {
                self.wants(wire, Wire::Varint)?;
                let number = self.varint()?;
                self.named(number as i32, names)
            }
            Form::Message(plan) => {
                self.within(wire, |walk| walk.message(plan, None, depth + 1))?;
                Token::Object
            }
            Form::Group(plan) => {
                self.wants(wire, Wire::GroupStart)?;
                self.message(plan, Some(field.number), depth + 1)?;
                Token::Object
            }
            Form::Instant => self
                .within(wire, Walk::seconds)?
                .map_or(Token::Foreign(Foreign::Vast), |ms| {
                    Token::Time(Timestamp(ms))
                }),
            Form::Span => self
                .within(wire, Walk::seconds)?
                .map_or(Token::Foreign(Foreign::Vast), |ms| Token::Span(Span(ms))),
            Form::Wrapped(scalar) => self.within(wire, |walk| walk.wrapped(*scalar, depth))?,
            Form::Map(entries) => {
                self.within(wire, |walk| walk.entry(entries, depth))?;
                Token::Object
            }
        };
        if let Some(slot) = field.slot {
            self.slots[slot as usize] = token;
        }
        Ok(())
    }

    /// Reads what lies in a counted value, to its end.
    fn within<T>(
        &mut self,
        wire: Wire,
        read: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.wants(wire, Wire::Counted)?;
        let count = self.count()?;
        let outer = std::mem::replace(&mut self.end, self.at + count);
        let read = read(self)?;
        self.end = outer;
        Ok(read)
    }

    /// Seconds and nanoseconds, in milliseconds; `None` if they are too many.
    fn seconds(&mut self) -> Result<Option<i64>, Fault> {
        let (mut seconds, mut nanos) = (0_i64, 0_i64);
        while self.at < self.end {
            match self.tag()? {
                (1, Wire::Varint) => seconds = self.varint()?.cast_signed(),
                (2, Wire::Varint) => nanos = i64::from(self.varint()? as i32),
                (number, wire) => self.pass(number, wire, 0)?,
            }
        }
        let ms = seconds.checked_mul(1_000);
        Ok(ms.and_then(|ms| ms.checked_add(nanos.div_euclid(1_000_000))))
    }

    /// The only field of a message.
    fn wrapped(&mut self, scalar: Scalar, depth: u32) -> Result<Token, Fault> {
        let mut token = match scalar {
            Scalar::Text => Token::Text(cut(self.text.len(), self.text.len())),
            Scalar::Bool => Token::Bool(false),
            Scalar::Float | Scalar::Double => Token::Float(0.0),
            Scalar::Bytes => Token::Foreign(Foreign::Bytes),
            _ => Token::Whole(0),
        };
        while self.at < self.end {
            match self.tag()? {
                (1, wire) => token = self.scalar(scalar, wire)?,
                (number, wire) => self.pass(number, wire, depth)?,
            }
        }
        Ok(token)
    }

    /// A key and its value. The value may come first, so the key is looked for before.
    fn entry(&mut self, entries: &[Entry], depth: u32) -> Result<(), Fault> {
        let begin = self.at;
        let mut key: &[u8] = b"";
        while self.at < self.end {
            match self.tag()? {
                (1, Wire::Counted) => {
                    let count = self.count()?;
                    key = &self.bytes[self.at..self.at + count];
                    self.at += count;
                }
                (number, wire) => self.pass(number, wire, depth)?,
            }
        }
        let Some(entry) = entries.iter().find(|entry| *entry.key == *key) else {
            return Ok(());
        };
        // When a key stands twice the last one counts, with all that is below.
        self.slots[entry.covers.clone()].fill(Token::Absent);
        self.at = begin;
        while self.at < self.end {
            match self.tag()? {
                (2, wire) => self.field(&entry.value, wire, depth + 1)?,
                (number, wire) => self.pass(number, wire, depth)?,
            }
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar, wire: Wire) -> Result<Token, Fault> {
        use Scalar::{
            Bool, Bytes, Double, Fixed32, Fixed64, Float, Int32, Int64, Sfixed32, Sfixed64, Sint32,
            Sint64, Text, Uint32, Uint64,
        };
        let wanted = match scalar {
            Double | Fixed64 | Sfixed64 => Wire::Eight,
            Float | Fixed32 | Sfixed32 => Wire::Four,
            Text | Bytes => Wire::Counted,
            Int32 | Int64 | Uint32 | Uint64 | Sint32 | Sint64 | Bool => Wire::Varint,
        };
        self.wants(wire, wanted)?;
        Ok(match scalar {
            Double => Token::Float(f64::from_le_bytes(self.eight()?)),
            Fixed64 => {
                let value = u64::from_le_bytes(self.eight()?);
                self.unsigned(value)
            }
            Sfixed64 => Token::Whole(i64::from_le_bytes(self.eight()?)),
            Float => Token::Float(f32::from_le_bytes(self.four()?).into()),
            Fixed32 => Token::Whole(u32::from_le_bytes(self.four()?).into()),
            Sfixed32 => Token::Whole(i32::from_le_bytes(self.four()?).into()),
            Text => return self.keep(),
            Bytes => {
                self.at += self.count()?;
                Token::Foreign(Foreign::Bytes)
            }
            // What is above 32 bits is the sign, or to be cut off.
            Int32 => Token::Whole((self.varint()? as i32).into()),
            Uint32 => Token::Whole((self.varint()? as u32).into()),
            Sint32 => Token::Whole(zigzag((self.varint()? as u32).into())),
            Int64 => Token::Whole(self.varint()?.cast_signed()),
            Uint64 => {
                let value = self.varint()?;
                self.unsigned(value)
            }
            Sint64 => Token::Whole(zigzag(self.varint()?)),
            Bool => Token::Bool(self.varint()? != 0),
        })
    }

    /// A number of 64 bits without a sign: one that is too large for one with a sign goes on as text.
    fn unsigned(&mut self, value: u64) -> Token {
        match i64::try_from(value) {
            Ok(value) => Token::Whole(value),
            Err(_) => {
                let start = self.text.len();
                self.text.push_str(&value.to_string());
                Token::Number(cut(start, self.text.len()))
            }
        }
    }

    /// The name of an enum's number. One that has none stays a number: whoever wrote it knows more than the descriptors.
    fn named(&mut self, number: i32, names: &Names) -> Token {
        match names.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(at) => self.text_of(&names[at].1),
            Err(_) => Token::Whole(number.into()),
        }
    }

    fn default(&mut self, default: &Default) -> Token {
        match default {
            Default::Bool(value) => Token::Bool(*value),
            Default::Whole(value) => Token::Whole(*value),
            Default::Float(value) => Token::Float(*value),
            Default::Text(text) => self.text_of(text),
        }
    }

    fn text_of(&mut self, text: &str) -> Token {
        let start = self.text.len();
        self.text.push_str(text);
        Token::Text(cut(start, self.text.len()))
    }

    /// Keeps a text.
    fn keep(&mut self) -> Result<Token, Fault> {
        let count = self.count()?;
        let bytes = &self.bytes[self.at..self.at + count];
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| self.fault("a string that is not UTF-8"))?;
        let token = self.text_of(text);
        self.at += count;
        Ok(token)
    }

    /// Passes over a value whose tag has been read.
    fn pass(&mut self, number: u32, wire: Wire, depth: u32) -> Result<(), Fault> {
        match wire {
            Wire::Varint => {
                self.varint()?;
            }
            Wire::Eight => {
                self.eight()?;
            }
            Wire::Four => {
                self.four()?;
            }
            Wire::Counted => self.at += self.count()?,
            Wire::GroupStart => {
                if depth >= DEPTH_MAX {
                    return Err(self.fault("nested too deep (more than 100)"));
                }
                loop {
                    if self.at >= self.end {
                        return Err(self.fault("a group without an end"));
                    }
                    match self.tag()? {
                        (end, Wire::GroupEnd) if end == number => break,
                        (number, wire) => self.pass(number, wire, depth + 1)?,
                    }
                }
            }
            Wire::GroupEnd => return Err(self.fault("a group ends that did not begin")),
        }
        Ok(())
    }

    fn tag(&mut self) -> Result<(u32, Wire), Fault> {
        let tag = u32::try_from(self.varint()?);
        let tag = tag.map_err(|_| self.fault("a field's number that is too large"))?;
        let wire = match tag & 7 {
            0 => Wire::Varint,
            1 => Wire::Eight,
            2 => Wire::Counted,
            3 => Wire::GroupStart,
            4 => Wire::GroupEnd,
            5 => Wire::Four,
            _ => return Err(self.fault("no such wire type")),
        };
        match tag >> 3 {
            0 => Err(self.fault("a field of number 0")),
            number => Ok((number, wire)),
        }
    }

    fn wants(&self, wire: Wire, wanted: Wire) -> Result<(), Fault> {
        match wire == wanted {
            true => Ok(()),
            false => Err(self.fault("a field of another type than the descriptors have")),
        }
    }

    /// How many bytes follow, all of them there.
    fn count(&mut self) -> Result<usize, Fault> {
        let count = usize::try_from(self.varint()?).ok();
        let count = count.filter(|count| *count <= self.end - self.at);
        count.ok_or_else(|| self.fault("it ends in the midst of a value"))
    }

    fn four(&mut self) -> Result<[u8; 4], Fault> {
        let bytes = self.bytes[self.at..self.end].first_chunk();
        let bytes = *bytes.ok_or_else(|| self.fault("it ends in the midst of a value"))?;
        self.at += 4;
        Ok(bytes)
    }

    fn eight(&mut self) -> Result<[u8; 8], Fault> {
        let bytes = self.bytes[self.at..self.end].first_chunk();
        let bytes = *bytes.ok_or_else(|| self.fault("it ends in the midst of a value"))?;
        self.at += 8;
        Ok(bytes)
    }

    /// Seven bits a byte, lowest first.
    #[inline]
    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value: u64 = 0;
        for (at, byte) in self.bytes[self.at..self.end].iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.at += at + 1;
                return Ok(value);
            }
        }
        Err(self.fault(match self.end - self.at < 10 {
            true => "it ends in the midst of a number",
            false => "a number of more than 64 bits",
        }))
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }
}

/// Signs in the lowest bit.
fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Records are at most a few megabytes long, and texts not much longer.
fn cut(start: usize, end: usize) -> Cut {
    Cut {
        start: start as u32,
        end: end as u32,
    }
}
