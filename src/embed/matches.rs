//! What was found: rows under the names that the patterns gave them.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::automaton::{Row, Stream};
use crate::event::Value;
use crate::event::schema::EventType;
use crate::lang::pattern::Program;
use crate::sink::{JsonRows, Offered, RowQueue};
use crate::time::Timestamp;

/// One row that a pattern emitted: a match, or a timeout.
///
/// Holds its values and shares the names with all others of its engine: a clone copies the values. Serialized it has the fields of a row of the command
/// line, in the same order; [`Match::to_json`] is the same text.
///
/// ```
/// # use leitmotif::{Engine, Event, Timestamp};
/// # let text = "event Door { at: timestamp time, id: string }
/// #             pattern twice { key id match a: Door then b: Door within 1m emit knock { id, pause: b.at - a.at } }";
/// # let mut engine = Engine::builder().patterns_text("door.motif", text).build()?;
/// # let start = Timestamp(1_700_000_000_000);
/// # engine.push(Event::of("Door", start).set("id", "d1"))?;
/// # engine.push(Event::of("Door", Timestamp(start.0 + 5_000)).set("id", "d1"))?;
/// # let found = engine.finish().matches.remove(0);
/// assert_eq!((found.output(), found.pattern()), ("knock", "twice"));
/// assert_eq!(found.key()[0].as_str(), Some("d1"));
/// assert_eq!(found.to().since(found.from()).to_string(), "5s");
/// assert_eq!(found.get("pause").unwrap().to_string(), "5s");
/// assert!(found.to_json().starts_with(r#"{"output":"knock","pattern":"twice","key":"d1","match_id":""#));
/// # Ok::<(), leitmotif::Error>(())
/// ```
#[derive(Clone)]
pub struct Match {
    names: Arc<Names>,
    row: Row,
}

/// Identifies a match: the same events give the same id, in every run. Shown as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchId(pub u64);

/// What all matches of an engine share.
pub(super) struct Names {
    pub program: Arc<Program>,
    json: JsonRows,
}

impl Names {
    pub(super) fn new(program: Arc<Program>) -> Names {
        Names {
            json: JsonRows::new(&program),
            program,
        }
    }
}

impl Match {
    /// `None` for a partial match that gave way to `bound`: those are counted.
    pub(super) fn of(names: &Arc<Names>, row: Row) -> Option<Match> {
        match row.stream {
            Stream::Match(_) | Stream::Timeout(_) => Some(Match {
                names: Arc::clone(names),
                row,
            }),
            Stream::Evicted => None,
        }
    }

    /// The name of the output: what stands behind `emit` or `timeout`.
    #[must_use]
    pub fn output(&self) -> &str {
        &self.stream().name
    }

    /// The name of the pattern.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.names.program.patterns[self.row.pattern.0 as usize].name
    }

    /// True if this tells of a start whose bound passed, by `timeout`.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.row.stream, Stream::Timeout(_))
    }

    /// The parts of the key, in the order of `key`; empty for a pattern without one.
    #[must_use]
    pub fn key(&self) -> &[Value] {
        &self.row.key
    }

    /// Identifies it; a receiver can drop what it has seen.
    #[must_use]
    pub fn id(&self) -> MatchId {
        MatchId(self.row.match_id)
    }

    /// When it was decided: the time of the event that completed it, or of the bound that passed.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.row.at
    }

    /// The time of its first event, or the start of the window.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        self.row.from
    }

    /// The time of its last event, or the end of the window.
    #[must_use]
    pub fn to(&self) -> Timestamp {
        self.row.to
    }

    /// The value of a field, by its name in `emit`; `None` if there is no such field. Looks through the fields, of which there are few.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        let at = self.stream().find(field)?;
        self.row.values.get(usize::from(at.0))
    }

    /// Names and values of all fields, in the order of `emit`.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        let names = self.stream().fields.iter();
        names
            .map(|field| field.name.as_str())
            .zip(self.row.values.iter())
    }

    /// The row as the command line writes it, without line break. Decimals are numbers with all their digits.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut line = Vec::new();
        self.names.json.append(&self.row, &mut line);
        line.truncate(line.trim_ascii_end().len());
        String::from_utf8(line).expect("rows are made of text")
    }

    fn stream(&self) -> &EventType {
        match self.row.stream {
            Stream::Match(ty) | Stream::Timeout(ty) => self.names.program.schema.get(ty),
            Stream::Evicted => unreachable!("evicted rows are no matches"),
        }
    }
}

/// Equal if all is equal that [`Match::to_json`] shows, and how it came about.
impl PartialEq for Match {
    fn eq(&self, other: &Match) -> bool {
        let names = |of: &Match| (of.output().to_owned(), of.pattern().to_owned());
        names(self) == names(other)
            && self.is_timeout() == other.is_timeout()
            && (self.id(), self.at(), self.from(), self.to())
                == (other.id(), other.at(), other.from(), other.to())
            && self.row.key == other.row.key
            && self.fields().eq(other.fields())
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

/// For people: the output and its fields.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {{", self.output())?;
        for (at, (name, value)) in self.fields().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma} {name}: {value}")?;
        }
        f.write_str(" }")
    }
}

impl fmt::Display for MatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// As [`Match::to_json`], but decimals are strings: not every format has numbers that keep their digits.
impl Serialize for Match {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Match", 7)?;
        row.serialize_field("output", self.output())?;
        row.serialize_field("pattern", self.pattern())?;
        match self.key() {
            [] => row.serialize_field("key", &Value::Null)?,
            [one] => row.serialize_field("key", one)?,
            parts => row.serialize_field("key", parts)?,
        }
        row.serialize_field("match_id", &self.id().to_string())?;
        row.serialize_field("from", &self.from().0)?;
        row.serialize_field("to", &self.to().0)?;
        row.serialize_field("record", &Record(self))?;
        row.end()
    }
}

/// The fields of a match, as a map.
struct Record<'a>(&'a Match);

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_map(Some(self.0.row.values.len()))?;
        for (name, value) in self.0.fields() {
            record.serialize_entry(name, value)?;
        }
        record.end()
    }
}

/// The queue of a program that receives matches.
pub(super) struct Sender {
    pub names: Arc<Names>,
    pub queue: SyncSender<Match>,
}

impl RowQueue for Sender {
    fn offer(&mut self, row: Row) -> Offered {
        let Some(found) = Match::of(&self.names, row) else {
            return Offered::Taken;
        };
        match self.queue.try_send(found) {
            Ok(()) => Offered::Taken,
            Err(TrySendError::Full(found)) => Offered::Full(found.row),
            Err(TrySendError::Disconnected(_)) => Offered::Gone,
        }
    }
}
