//! How the records of a source are laid out: what stands between their values, and what each value is.
//!
//! Who writes records writes them all alike, with the same names in the same order. So how a record was laid out, once it was read by the scanner, is kept, and the next record is compared
//! with what stood between the values; what it has there instead goes straight into the fields. No record is believed to be like another one: whatever differs, or is not plain (escapes, exponents,
//! long numbers, values that a field can't have), is left to the scanner, which alone knows what a record means and what is wrong with it. What is read here is what the
//! scanner would have read.

use super::chunk::{self, Expected, Quotes};
use super::convert;
use super::number::Written;
use super::prefilter::{Checks, Prefilter};
use super::shape::Shape;
use super::stencil::Stencils;
use super::token::{Cut, Token};
use crate::event::Value;
use crate::event::schema::FieldType;
use crate::time::Timestamp;

/// So many layouts of a source are known at once.
const KNOWN_MAX: usize = 4;

/// Once all are known, one in so many records that are laid out differently takes the place of one.
const MISSES_PER_LEARNING: u32 = 64;

/// After so many records in a row that were laid out differently none is looked at for a while.
const STREAK_MAX: u32 = 32;

/// How many records that is.
const RESTING: u32 = 4_096;

/// No longer records are learned.
const LEARNED_BYTES_MAX: usize = 16 << 10;

/// Nor records with more values.
const VALUES_MAX: usize = 256;

/// The layouts of a source's records, those that came last first.
#[derive(Clone, Debug, Default)]
pub(super) struct Layouts {
    known: Vec<Layout>,
    /// Records that were laid out differently, all of them and those in a row.
    misses: u32,
    streak: u32,
    /// So many records are not looked at.
    resting: u32,
    /// Those of the record that was looked at.
    quotes: Quotes,
}

impl Layouts {
    /// Looks at a record; false if it is laid out like no other one, or is not looked at.
    #[inline]
    pub(super) fn look(&mut self, bytes: &[u8]) -> bool {
        if self.resting > 0 || self.known.is_empty() {
            return false;
        }
        self.quotes.look(bytes);
        self.quotes.is_plain
    }

    /// What `read` says of the first layout of which it says something, of the record that was looked at.
    #[inline]
    pub(super) fn find<T>(
        &mut self,
        mut read: impl FnMut(&mut Layout, &Quotes) -> Option<T>,
    ) -> Option<T> {
        for at in 0..self.known.len() {
            if let Some(found) = read(&mut self.known[at], &self.quotes) {
                if at > 0 {
                    self.known[..=at].rotate_right(1);
                }
                self.streak = 0;
                return Some(found);
            }
        }
        None
    }

    /// The layout that was found last.
    pub(super) fn found(&self) -> &Layout {
        &self.known[0]
    }

    /// A record was read that no layout was found for.
    pub(super) fn learn(&mut self, layout: impl FnOnce() -> Option<Layout>) {
        if self.resting > 0 {
            self.resting -= 1;
            return;
        }
        self.misses = self.misses.wrapping_add(1);
        self.streak += 1;
        if self.streak > STREAK_MAX {
            self.known.clear();
            (self.streak, self.resting) = (0, RESTING);
        } else if (self.known.len() < KNOWN_MAX || self.misses.is_multiple_of(MISSES_PER_LEARNING))
            && let Some(layout) = layout()
        {
            self.known.truncate(KNOWN_MAX - 1);
            self.known.insert(0, layout);
        }
    }
}

/// One way in which records are laid out.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The number of the shape that such records have.
    pub(super) shape: usize,
    values: Vec<Place>,
    /// Where they stand in the record that was looked at last: as its stencil says, if it has one;
    stencil: Option<u16>,
    /// or else here.
    cuts: Vec<Cut>,
    /// Which are numbers.
    numbers: Vec<u16>,
    /// What tells that for many records at once.
    stencils: Stencils,
    /// What stands behind the last value.
    end: Vec<u8>,
    /// Fields whose values stand nowhere, by number: what is true or false, or else null.
    fixed: Vec<(usize, Option<bool>)>,
    /// What tells records of no use, if that can be told.
    sieve: Option<Sieve>,
}

/// What tells that a record is of no use before its values are read.
#[derive(Clone, Debug)]
struct Sieve {
    /// The place of the event's time.
    time: usize,
    /// Places of numbers that must be whole, or the record is no event.
    whole: Vec<usize>,
    checks: Checks,
}

/// Where a value stands.
#[derive(Clone, Debug)]
struct Place {
    /// What stands between it and the value before, with the quote that ends that one.
    before: Expected,
    form: Form,
    /// The number of the field whose value it is.
    field: Option<usize>,
    /// The number that stands there in the record that was looked at last, if it is one.
    number: Written,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// A string, behind its first quote.
    Text,
    Number,
}

impl Layout {
    /// How a record is laid out in which the scanner found these tokens, if others can be read like it. `told`: the slot of the name of its type.
    pub(super) fn of(
        text: &str,
        shape_at: usize,
        shape: &Shape,
        slots: &[Token],
        told: Option<u32>,
    ) -> Option<Layout> {
        let reads = |field: &usize| shape.wanted || *field == usize::from(shape.time.0);
        let mut sought: Vec<(Cut, usize)> = Vec::new();
        let mut fixed = Vec::new();
        for (field, slot) in shape
            .slots
            .iter()
            .enumerate()
            .filter(|(field, _)| reads(field))
        {
            let token = slot.map_or(Token::Null, |slot| slots[slot as usize]);
            match (token, shape.fields[field].ty) {
                (Token::Text(cut) | Token::Number(cut), _) => sought.push((cut, field)),
                (Token::Bool(value), FieldType::Bool) => fixed.push((field, Some(value))),
                (Token::Null | Token::Absent, _) => fixed.push((field, None)),
                _ => return None,
            }
        }
        if text.len() > LEARNED_BYTES_MAX
            || !sought
                .iter()
                .any(|(_, field)| *field == usize::from(shape.time.0))
        {
            return None;
        }
        let name = told.map(|slot| slots[slot as usize]);
        let mut layout = Layout {
            shape: shape_at,
            values: Vec::new(),
            stencil: None,
            cuts: Vec::new(),
            numbers: Vec::new(),
            stencils: Stencils::default(),
            end: Vec::new(),
            fixed,
            sieve: None,
        };
        let mut from = 0;
        for (form, cut) in values(text.as_bytes()) {
            let place = sought.iter().position(|(sought, _)| *sought == cut);
            let field = place.map(|place| sought.swap_remove(place).1);
            // Records of other types are laid out differently.
            if field.is_none() && name == Some(Token::Text(cut)) {
                continue;
            }
            if layout.values.len() == VALUES_MAX {
                return None;
            }
            if form == Form::Number {
                layout.numbers.push(layout.values.len() as u16);
            }
            let before = &text.as_bytes()[from..cut.start as usize];
            layout.values.push(Place {
                before: Expected::text(before),
                form,
                field,
                number: Written::default(),
            });
            from = cut.end as usize;
        }
        layout.end = text.as_bytes()[from..].to_vec();
        layout.cuts = vec![Cut::default(); layout.values.len()];
        layout.sieve = shape
            .prefilter
            .as_ref()
            .and_then(|prefilter| layout.sieve(prefilter, shape));
        // Two fields may be read from one value.
        sought.is_empty().then_some(layout)
    }

    /// How to tell records that the prefilter wants to have nothing to do with, if any: all their values must be sure to be what their fields can have.
    fn sieve(&self, prefilter: &Prefilter, shape: &Shape) -> Option<Sieve> {
        let time = usize::from(shape.time.0);
        let mut whole = Vec::new();
        for (at, place) in self.values.iter().enumerate() {
            let Some(field) = place.field else { continue };
            match (place.form, shape.fields[field].ty) {
                _ if field == time => {}
                (Form::Text, FieldType::String) => {}
                (Form::Number, FieldType::Decimal | FieldType::Float) => {}
                (Form::Number, FieldType::Int) => whole.push(at),
                _ => return None,
            }
        }
        let place = |field| {
            self.values
                .iter()
                .position(|place| place.field == Some(field))
        };
        let checks = Checks::of(
            prefilter,
            |field| {
                let field = usize::from(field.0);
                Some((place(field)?, shape.fields[field].ty))
            },
            |field| self.fixed.contains(&(usize::from(field.0), None)),
        );
        Some(Sieve {
            time: place(time)?,
            whole,
            checks: checks?,
        })
    }

    /// Finds the values of a record that is laid out like this, and is plain.
    // By itself: it has use for all registers.
    #[inline(never)]
    pub(super) fn find(&mut self, bytes: &[u8], quotes: &Quotes) -> Option<()> {
        self.stencil = self.stencils.find(bytes, quotes);
        if let Some(stencil) = self.stencil {
            let (values, cuts) = (&mut self.values, self.stencils.cuts(stencil));
            let stands = |at: &u16| {
                let (place, cut) = (&mut values[usize::from(*at)], cuts[usize::from(*at)]);
                place.number.find(bytes, cut.start as usize) == Some(cut.end as usize)
            };
            if self.numbers.iter().all(stands) {
                return Some(());
            }
            self.stencil = None;
        }
        self.find_each(bytes, quotes)?;
        self.stencils.learn(bytes, quotes, &self.cuts);
        Some(())
    }

    /// Where values stand in the record that was found.
    #[inline]
    fn cuts(&self) -> &[Cut] {
        match self.stencil {
            Some(stencil) => self.stencils.cuts(stencil),
            None => &self.cuts,
        }
    }

    /// Finds the values one after the other.
    #[inline(never)]
    fn find_each(&mut self, bytes: &[u8], quotes: &Quotes) -> Option<()> {
        // No record has more than so many bytes; where it is known that sums don't overflow, less is asked.
        let mut at = 0_u32;
        for (place, cut) in self.values.iter_mut().zip(&mut self.cuts) {
            if !place.before.stands(bytes, at as usize) {
                return None;
            }
            at += place.before.length() as u32;
            let start = at as usize;
            let end = match place.form {
                Form::Text => quotes.next(start),
                Form::Number => place.number.find(bytes, start)?,
            };
            *cut = Cut::new(start, end);
            at = end as u32;
        }
        let ends = bytes.get(at as usize..) == Some(&self.end);
        ends.then_some(())
    }

    /// The time of the record that was found, if it is sure to be an event, and of no use.
    #[inline]
    pub(super) fn filtered(&self, bytes: &[u8], shape: &Shape) -> Option<Timestamp> {
        let sieve = self.sieve.as_ref()?;
        let cuts = self.cuts();
        let text = |place: usize| cuts[place];
        let number = |place: usize| self.values[place].number.number(bytes);
        let is_whole = |place: &usize| self.values[*place].number.is_whole();
        if sieve.checks.hold(bytes, text, number) || !sieve.whole.iter().all(is_whole) {
            return None;
        }
        let time = &shape.fields[usize::from(shape.time.0)];
        let time = match self.values[sieve.time].form {
            Form::Number => convert::short_time(time.ty, number(sieve.time)),
            Form::Text => {
                let bytes = std::str::from_utf8(bytes).ok()?;
                convert::time(time, Token::Text(text(sieve.time)), bytes).ok()?
            }
        };
        time.filter(|time| convert::is_plausible(*time))
    }

    /// Writes the values of the record that was found over whatever they were, and gives its time. Of a record that is ASCII texts need not be looked at as a whole.
    #[inline]
    pub(super) fn fill(
        &self,
        bytes: &[u8],
        is_ascii: bool,
        shape: &Shape,
        values: &mut [Value],
    ) -> Option<Timestamp> {
        let mut whole = match is_ascii {
            true => None,
            false => Some(std::str::from_utf8(bytes).ok()?),
        };
        for (place, cut) in self.values.iter().zip(self.cuts()) {
            let Some(at) = place.field else { continue };
            let (value, field) = (&mut values[at], &shape.fields[at]);
            match (place.form, field.ty) {
                (Form::Text, FieldType::String) => {
                    let text = match whole {
                        Some(whole) => cut.of(whole),
                        None => {
                            let text = cut.start as usize..cut.end as usize;
                            std::str::from_utf8(&bytes[text]).ok()?
                        }
                    };
                    convert::overwrite_text(value, text);
                }
                (Form::Number, ty)
                    if convert::overwrite_short(value, ty, place.number.number(bytes)) => {}
                (form, _) => {
                    let token = match form {
                        Form::Text => Token::Text(*cut),
                        Form::Number => Token::Number(*cut),
                    };
                    let text = match whole {
                        Some(whole) => whole,
                        None => std::str::from_utf8(bytes).ok()?,
                    };
                    whole = Some(text);
                    convert::overwrite(value, field, token, text).ok()?;
                }
            }
        }
        for (field, value) in &self.fixed {
            let old = &mut values[*field];
            match value {
                Some(value) => *old = Value::Bool(*value),
                None if old.is_null() => {}
                None => *old = Value::Null,
            }
        }
        match values[usize::from(shape.time.0)] {
            Value::Timestamp(time) if convert::is_plausible(time) => Some(time),
            _ => None,
        }
    }
}

/// The strings and numbers of a record that are values, not names.
fn values(record: &[u8]) -> impl Iterator<Item = (Form, Cut)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at;
            match record.get(at)? {
                b'"' => {
                    at = end_of_string(record, at + 1);
                    let mut behind = record[at..].iter();
                    let name = behind.find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                    if !name {
                        return Some((Form::Text, Cut::new(start + 1, at - 1)));
                    }
                }
                b'-' | b'0'..=b'9' => {
                    let part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                    let length = record[at..].iter().take_while(|byte| part(byte));
                    at += length.count();
                    return Some((Form::Number, Cut::new(start, at)));
                }
                _ => at += 1,
            }
        }
    })
}

/// Where the string ends, its last quote included, that begins there.
fn end_of_string(record: &[u8], mut at: usize) -> usize {
    loop {
        at = chunk::plain_end(record, at);
        match record.get(at) {
            // A byte is escaped.
            Some(b'\\') => at += 2,
            _ => return at + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::super::paths::PathTree;
    use super::super::tests::{AT, TXN, schema, told};
    use super::super::{Decoder, Format, Kinds, Projection};
    use super::*;
    use crate::event::schema::{Field, TimeUnit};
    use crate::event::{EventTypeId, FieldId};
    use proptest::prelude::*;

    /// `ts`, `card`, `meta.amount` and `count?`.
    fn shape(tree: &PathTree, at: &[u32]) -> Shape {
        let field = |name: &str, ty, optional| Field {
            name: name.to_owned(),
            ty,
            optional,
            path: Vec::new(),
        };
        assert!(tree.slots() >= at.len());
        Shape {
            ty: EventTypeId(0),
            name: "Txn".to_owned(),
            wanted: true,
            time: FieldId(0),
            time_slot: at[0],
            fields: vec![
                field("ts", FieldType::Timestamp(TimeUnit::Millis), false),
                field("card", FieldType::String, false),
                field("amount", FieldType::Decimal, false),
                field("count", FieldType::Int, true),
            ],
            slots: at.iter().map(|slot| Some(*slot)).collect(),
            prefilter: None,
        }
    }

    /// The layout of a record, and what other records are in its eyes.
    fn read(like: &str, records: &[&str]) -> Option<Vec<Option<String>>> {
        let paths = ["ts", "card", "meta.amount", "count"];
        let paths = paths.map(|path| path.split('.').map(str::to_owned).collect::<Vec<_>>());
        let (mut tree, at) = PathTree::new(paths.iter().map(Vec::as_slice));
        let mut slots = vec![Token::Absent; tree.slots()];
        json::read(like, &mut tree, &mut slots).expect("an object");
        let shape = shape(&tree, &at);
        let mut layout = Layout::of(like, 0, &shape, &slots, None)?;
        let read = |record: &&str| {
            let mut values = vec![Value::Null; 4];
            let mut quotes = Quotes::default();
            quotes.look(record.as_bytes());
            layout.find(record.as_bytes(), &quotes)?;
            let is_ascii = quotes.is_plain.then_some(quotes.is_ascii)?;
            let time = layout.fill(record.as_bytes(), is_ascii, &shape, &mut values)?;
            Some(format!(
                "{} {} {} {}",
                time.0, values[1], values[2], values[3]
            ))
        };
        Some(records.iter().map(read).collect())
    }

    const LIKE: &str = r#"{"ts":1700000000000,"x":["y",{"z":true}], "card":"c1","meta":{"amount":1.50,"n":5},"card":"c2" } "#;

    #[test]
    fn records_of_a_layout_are_read_by_it() {
        let other = r#"{"ts":1700000000007,"x":["",{"z":true}], "card":"","meta":{"amount":-900,"n":-0.25},"card":"a long name, which is of some other card" } "#;
        let amount_in_quotes = LIKE.replace("1.50", "\"1.50\"");
        let read_all = |like: &str| read(like, &[like, other]);
        assert_eq!(
            read_all(LIKE).expect("a layout"),
            [
                Some("1700000000000 c2 1.50 null".to_owned()),
                Some("1700000000007 a long name, which is of some other card -900 null".to_owned())
            ]
        );
        assert_eq!(
            read_all(&amount_in_quotes).expect("a layout"),
            [Some("1700000000000 c2 1.50 null".to_owned()), None]
        );
    }

    #[test]
    fn whatever_differs_is_left_to_the_scanner() {
        let changes = [
            ("ts", "tS"),
            (":17", ": 17"),
            ("true", "false"),
            ("\"y\"", "5"),
            ("\"y\"", "\"\\u0079\""),
            ("\"c2\"", "\"c\\n\""),
            ("\"c2\"", "\"c\n\""),
            ("c2\"", "c2"),
            ("1.50", "1.5e3"),
            ("1.50", "01.50"),
            ("1.50", "1."),
            ("1.50", "1.234567890123456"),
            ("1.50", "null"),
            ("5}", "5E1}"),
            ("5}", "}"),
            ("1700000000000", "1700000000000000"),
            ("1700000000000", "17000000000"),
            ("1700000000000", "-1700000000000"),
            ("} ", "}"),
            ("} ", "} x"),
            ("} ", "}  "),
            ("} ", ",\"count\":5} "),
        ];
        let changed = changes.map(|(from, to)| LIKE.replacen(from, to, 1));
        for (changed, change) in changed.iter().zip(changes) {
            assert_ne!(changed, LIKE, "{change:?}");
            assert_eq!(read(LIKE, &[changed]), Some(vec![None]), "{change:?}");
        }
        for cut in 0..LIKE.len() {
            assert_eq!(read(LIKE, &[&LIKE[..cut]]), Some(vec![None]), "{cut}");
        }
    }

    #[test]
    fn records_that_say_little_of_others_are_not_learned() {
        let far = format!(
            "{{\"x\":[{}5],{}",
            "5,".repeat(LEARNED_BYTES_MAX),
            &LIKE[1..]
        );
        let many = format!("{{\"x\":[{}5],{}", "5,".repeat(VALUES_MAX), &LIKE[1..]);
        for like in [&LIKE.replace("c2", "\\n"), &far, &many] {
            assert_eq!(read(like, &[]), None);
        }
    }

    /// How records may be written, with places for values.
    const WRITTEN: [&str; 8] = [
        r#"{"ts":T,"card":S,"amount":N}"#,
        r#"{"ts": T, "card": S, "amount": N, "meta": {"geo": {"country": S}}}"#,
        r#"{"type":"Txn","ts":T,"card":S,"amount":N,"ok":W,"count":N}"#,
        r#"{"type":"Beat","device":S,"time":N}"#,
        r#"{"type":S,"device":S,"time":1700000000,"noise":[N,{"a":W}]}"#,
        r#"{"ts":T,"ts":T,"card":S,"amount":S,"ratio":N,"waited":S} "#,
        r#"{"card":S,"amount":N,"x":"y","ts":T,"x":W}"#,
        r#"{"ts":T,"card":S,"meta":{"geo":{"country":S}},"meta":W,"amount":N"#,
    ];

    /// A record of one of them.
    fn record() -> impl Strategy<Value = String> {
        let text = prop_oneof![4 => "[a-z]{0,3}", 1 => "é{1,9}|[A-Z]{14,40}", 1 => r#"\\n|\\u0041|\\x|"|5"#];
        let number = prop_oneof![4 => "-?[0-9]{1,3}(\\.[0-9]{1,2})?", 1 => "[0-9]{14,20}|1e2|01|1\\.|-|\\.5"];
        let time = prop_oneof![6 => "1[67][0-9]{11}", 1 => "\"2026-01-01T00:00:00Z\"|17|1700000000000\\.5|x"];
        let word = prop::sample::select(vec!["true", "false", "null", "5", "\"x\""]);
        let values = (time, text.clone(), text, number.clone(), number, word);
        (0..WRITTEN.len(), values).prop_map(
            |(written, (time, text, other, number, second, word))| {
                let mut out = String::new();
                let (mut texts, mut numbers) = (
                    [text, other].into_iter().cycle(),
                    [number, second].into_iter().cycle(),
                );
                for char in WRITTEN[written].chars() {
                    match char {
                        'T' if !out.ends_with('"') => out += &time,
                        'S' => out += &format!("\"{}\"", texts.next().expect("it goes round")),
                        'N' => out += &numbers.next().expect("it goes round"),
                        'W' => out += word,
                        other => out.push(other),
                    }
                }
                out
            },
        )
    }

    proptest! {
        #[test]
        fn a_record_means_the_same_whatever_came_before(records in prop::collection::vec(record(), 1..120), told_by_record: bool, all: bool) {
            let schema = schema();
            let mut projection = Projection::all(&schema);
            if !all {
                projection = Projection::none(&schema);
                projection.read(&schema, EventTypeId(0), FieldId(2));
            }
            let kinds: Kinds = if told_by_record { told() } else { TXN };
            let fresh = Decoder::new(&schema, &projection, Format::Json, &kinds);
            let mut decoder = fresh.clone();
            // Most records of a source are alike.
            for record in records.iter().flat_map(|record| [record, &records[0], record]) {
                let alone = fresh.clone().decode(record.as_bytes(), AT);
                prop_assert_eq!(decoder.decode(record.as_bytes(), AT), alone, "{}", record);
            }
        }

        #[test]
        fn layouts_are_learned_again_after_a_rest(changes in prop::collection::vec(0..3_u32, 3)) {
            let mut layouts = Layouts::default();
            let layout = |shape: u32| Layout { shape: shape as usize, values: Vec::new(), stencil: None, cuts: Vec::new(), numbers: Vec::new(), stencils: Stencils::default(), end: Vec::new(), fixed: Vec::new(), sieve: None };
            for change in changes {
                let mut found = false;
                for record in 0..3 * RESTING {
                    // At first all are different.
                    let like = if record < RESTING { 10 + record } else { change };
                    let is_like = |layout: &mut Layout, _: &Quotes| (layout.shape == like as usize).then_some(());
                    found = layouts.look(b"{}") && layouts.find(is_like).is_some();
                    if !found {
                        layouts.learn(|| Some(layout(like)));
                    }
                    prop_assert!(layouts.known.len() <= KNOWN_MAX);
                }
                prop_assert!(found);
            }
        }
    }
}
