//! One datum to the values that somebody reads.
//!
//! No recursion but along the schema, at most 128 deep; no more steps than a record of the greatest size can need; nothing is allocated
//! for what nobody reads.

use super::bound::{Bound, DEPTH_MAX, Kind, Map, Member, Raw, Whole};
use crate::event::formats::RECORD_BYTES_MAX;
use crate::event::formats::token::{Cut, Foreign, Token};
use crate::time::{Span, Timestamp};

/// Values that take no bytes, such as null, may come in any number; no more than this are walked over.
const STEPS_MAX: usize = 2 * RECORD_BYTES_MAX;

/// So many bytes of texts come of a record: a key of a map may stand there again and again, and an enum's name be longer than its number.
const TEXT_BYTES_MAX: usize = 4 * RECORD_BYTES_MAX;

/// Digits after the point beyond which a number is nothing but zeros, or too long.
const SCALE_MAX: u32 = 64;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// What is wrong with a datum, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub at: usize,
    pub what: &'static str,
}

/// A datum being read.
struct Walk<'a, 'k> {
    bytes: &'a [u8],
    at: usize,
    kinds: &'k [Kind],
    slots: &'a mut [Token],
    text: &'a mut String,
    steps: usize,
    /// The name of the outermost record.
    name: Option<&'k str>,
}

/// Puts the wanted values of a datum into `slots`, which have been emptied, and their texts into `text`; gives the record's name.
pub(super) fn walk<'k>(
    bytes: &[u8],
    bound: &'k Bound,
    slots: &mut [Token],
    text: &mut String,
) -> Result<Option<&'k str>, Fault> {
    let mut walk = Walk {
        bytes,
        at: 0,
        kinds: &bound.kinds,
        slots,
        text,
        steps: 0,
        name: None,
    };
    let whole = Member {
        kind: bound.root,
        slot: None,
        covers: 0..0,
    };
    walk.value(&whole, 0)?;
    if walk.at < bytes.len() {
        return Err(walk.fault("the datum ends, but more follows,"));
    }
    Ok(walk.name)
}

impl<'a> Walk<'a, '_> {
    fn value(&mut self, member: &Member, depth: u32) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > STEPS_MAX || self.text.len() > TEXT_BYTES_MAX {
            return Err(self.fault("too many values"));
        }
        if depth > DEPTH_MAX {
            return Err(self.fault("nested too deep (more than 128)"));
        }
        let kinds = self.kinds;
        let token = match &kinds[member.kind as usize] {
            Kind::Null => Token::Null,
            Kind::Bool => match self.take(1)? {
                [0] => Token::Bool(false),
                [1] => Token::Bool(true),
                _ => return Err(self.fault("neither true nor false")),
            },
            Kind::Int(meaning) => {
                let value = self.long()?;
                if i32::try_from(value).is_err() {
                    return Err(self.fault("an int of more than 32 bits"));
                }
                whole(value, *meaning)
            }
            Kind::Long(meaning) => whole(self.long()?, *meaning),
            Kind::Float => {
                let bytes = self.take(4)?.try_into().expect("four bytes");
                Token::Float(f32::from_le_bytes(bytes).into())
            }
            Kind::Double => {
                let bytes = self.take(8)?.try_into().expect("eight bytes");
                Token::Float(f64::from_le_bytes(bytes))
            }
            Kind::Text => {
                let text = self.counted()?;
                match member.slot {
                    Some(_) => self.keep(text)?,
                    None => Token::Absent,
                }
            }
            Kind::Bytes(meaning) => {
                let bytes = self.counted()?;
                self.raw(bytes, *meaning, member)?
            }
            Kind::Fixed(size, meaning) => {
                let bytes = self.take(*size)?;
                self.raw(bytes, *meaning, member)?
            }
            Kind::Enum(symbols) => {
                let at = usize::try_from(self.long()?).ok();
                let symbol = at.and_then(|at| symbols.get(at));
                let symbol = symbol.ok_or_else(|| self.fault("no such symbol of an enum"))?;
                match member.slot {
                    Some(_) => self.keep(symbol.as_bytes())?,
                    None => Token::Absent,
                }
            }
            Kind::Union(branches) => {
                let at = usize::try_from(self.long()?).ok();
                let branch = at.and_then(|at| branches.get(at));
                let branch = branch.ok_or_else(|| self.fault("no such branch of a union"))?;
                let chosen = Member {
                    kind: *branch,
                    slot: member.slot,
                    covers: 0..0,
                };
                // It has put what it is into the slot.
                return self.value(&chosen, depth + 1);
            }
            Kind::Array(items) => {
                let items = Member {
                    kind: *items,
                    slot: None,
                    covers: 0..0,
                };
                self.blocks(false, &mut |walk| walk.value(&items, depth + 1))?;
                Token::Array
            }
            Kind::Map(map) => {
                let read = !map.read.is_empty();
                self.blocks(read, &mut |walk| walk.entry(map, depth))?;
                Token::Object
            }
            Kind::Record(record) => {
                if self.name.is_none() {
                    self.name = Some(&record.name);
                }
                for member in &record.members {
                    self.value(member, depth + 1)?;
                }
                Token::Object
            }
        };
        if let Some(slot) = member.slot {
            self.slots[slot as usize] = token;
        }
        Ok(())
    }

    /// Reads a key and its value. When a key stands twice the last one counts.
    fn entry(&mut self, map: &Map, depth: u32) -> Result<(), Fault> {
        let key = self.counted()?;
        match map.read.iter().find(|(name, _)| **name == *key) {
            Some((_, member)) => {
                self.slots[member.covers.clone()].fill(Token::Absent);
                self.value(member, depth + 1)
            }
            None => {
                let other = Member {
                    kind: map.others,
                    slot: None,
                    covers: 0..0,
                };
                self.value(&other, depth + 1)
            }
        }
    }

    /// Reads the items of an array or a map. If nothing of them is `read`, blocks that tell their size are passed over.
    fn blocks(
        &mut self,
        read: bool,
        item: &mut dyn FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                let size = usize::try_from(self.long()?);
                let size = size.map_err(|_| self.fault("a block of negative size"))?;
                if !read {
                    self.take(size)?;
                    continue;
                }
            }
            for _ in 0..count.unsigned_abs() {
                item(self)?;
            }
            self.steps += 1;
        }
    }

    /// Keeps a text that is read.
    fn keep(&mut self, bytes: &[u8]) -> Result<Token, Fault> {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| self.fault("a string that is not UTF-8"))?;
        let start = self.text.len();
        self.text.push_str(text);
        Ok(Token::Text(cut(start, self.text.len())))
    }

    /// What bytes mean, if they are read.
    fn raw(&mut self, bytes: &[u8], meaning: Raw, member: &Member) -> Result<Token, Fault> {
        if member.slot.is_none() {
            return Ok(Token::Absent);
        }
        Ok(match meaning {
            Raw::Foreign(foreign) => Token::Foreign(foreign),
            Raw::Decimal(scale) => self.decimal(bytes, scale),
            Raw::Uuid if bytes.len() == 16 => {
                let start = self.text.len();
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        self.text.push('-');
                    }
                    for digit in [byte >> 4, byte & 15] {
                        let digit = char::from_digit(digit.into(), 16);
                        self.text.push(digit.expect("four bits"));
                    }
                }
                Token::Text(cut(start, self.text.len()))
            }
            // As texts they are written, too.
            Raw::Uuid => self.keep(bytes)?,
        })
    }

    /// A number in two's complement, highest byte first.
    fn decimal(&mut self, bytes: &[u8], scale: u32) -> Token {
        let sign = match bytes.first() {
            Some(first) if *first >= 0x80 => 0xff,
            _ => 0,
        };
        let filled = bytes.iter().take_while(|byte| **byte == sign).count();
        let bytes = &bytes[filled..];
        if bytes.len() > 15 || scale > SCALE_MAX {
            return Token::Foreign(Foreign::Vast);
        }
        let filled: i128 = if sign == 0 { 0 } else { -1 };
        let units = bytes
            .iter()
            .fold(filled, |units, byte| units << 8 | i128::from(*byte));
        match (i64::try_from(units), u8::try_from(scale)) {
            (Ok(units), Ok(scale)) if scale <= 28 => Token::Scaled(units, scale),
            _ => self.written(units, scale as usize),
        }
    }

    /// A number as text: whoever reads it finds out whether it has too many digits.
    fn written(&mut self, units: i128, scale: usize) -> Token {
        let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
        let (before, after) = digits.split_at(digits.len() - scale);
        let start = self.text.len();
        self.text.push_str(if units < 0 { "-" } else { "" });
        self.text.push_str(before);
        if scale > 0 {
            self.text.push('.');
            self.text.push_str(after);
        }
        Token::Number(cut(start, self.text.len()))
    }

    /// Bytes after their number.
    fn counted(&mut self) -> Result<&'a [u8], Fault> {
        let count = usize::try_from(self.long()?);
        let count = count.map_err(|_| self.fault("a negative length"))?;
        self.take(count)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        let Some(taken) = rest.get(..count) else {
            return Err(self.fault("the record ends in the midst of a value"));
        };
        self.at += count;
        Ok(taken)
    }

    /// A whole number: seven bits a byte, lowest first, signs in the lowest bit.
    #[inline]
    fn long(&mut self) -> Result<i64, Fault> {
        let mut value: u64 = 0;
        for shift in (0..70).step_by(7) {
            let Some(&byte) = self.bytes.get(self.at) else {
                return Err(self.fault("the record ends in the midst of a number"));
            };
            self.at += 1;
            if shift == 63 && byte > 1 {
                return Err(self.fault("a number of more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(self.fault("a number of more than 64 bits"))
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }
}

/// What a whole number means.
fn whole(value: i64, meaning: Whole) -> Token {
    match meaning {
        Whole::Number => Token::Whole(value),
        // Of 32 bits, so that no product is too large.
        Whole::Days => Token::Time(Timestamp(value * DAY_MS)),
        Whole::Instant(units) => Token::Time(Timestamp(value.div_euclid(units))),
        Whole::Span(units) => Token::Span(Span(value.div_euclid(units))),
        Whole::Foreign(foreign) => Token::Foreign(foreign),
    }
}

/// Records are at most a few megabytes long, and texts at most twice as long as what they are written in.
fn cut(start: usize, end: usize) -> Cut {
    Cut {
        start: start as u32,
        end: end as u32,
    }
}
