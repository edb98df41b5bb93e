//! Random pattern files and events: small, valid, and made to interact.
//!
//! Patterns go out as text, so that everything from the lexer on takes part. Few letters and short times make matches, ties and
//! collisions between rules frequent. Whatever the checker turns down is drawn again by the caller.

mod writer;

use rust_decimal::Decimal;

use super::choices::Choices;
use super::reference;
use crate::automaton::Tables;
use crate::event::formats::table::TableData;
use crate::event::{Event, Position, Value};
use crate::lang::pattern::{Program, TableId};
use crate::time::Timestamp;
use writer::{Key, Writer};

/// The event types and the table of every generated file.
const DECLARATIONS: &str =
    "event A { t: timestamp time, k: int, v: int, i: int, o: int?, d: decimal, f: float }
\
                            event B { t: timestamp time, k: int, v: int, i: int }
\
                            table T { v: int, w: int } key v
";

/// The rows of the table; the last letter has none.
const ROWS: [(i64, i64); 3] = [(0, 2), (1, 0), (2, 1)];

/// The greatest value of `v`; letters of the alphabet, so to say.
const LETTERS: usize = 4;

/// The most events of a list.
pub const EVENTS_MAX: usize = 14;

/// A pattern file with one pattern, sometimes a second one that reads the first.
#[must_use]
pub fn program_text(choices: &mut Choices) -> String {
    let mut text = String::from(DECLARATIONS);
    let key = *choices.weighted(&[(8, Key::None), (3, Key::Field), (1, Key::Alias)]);
    text.push_str(&Writer::new(choices, &["A", "B"], key).pattern("p", "m"));
    if choices.chance(1, 12) {
        text.push_str(&Writer::new(choices, &["m", "A"], key).pattern("q", "n"));
    }
    text
}

/// A pattern file with one pattern that is one step after the other, and of which a key holds few partial matches.
#[must_use]
pub fn steps_text(choices: &mut Choices) -> String {
    let key = *choices.weighted(&[(8, Key::None), (3, Key::Field)]);
    DECLARATIONS.to_owned() + &Writer::new(choices, &["A", "B"], key).pattern_of_steps("p", "m")
}

/// The rows of the table of every generated file, for the reference and for the engine.
#[must_use]
pub fn tables(program: &Program) -> (reference::Tables, Tables) {
    let rows = || ROWS.map(|(v, w)| Box::<[Value]>::from([Value::Int(v), Value::Int(w)]));
    let mut tables = Tables::empty(program);
    for (at, table) in program.tables.iter().enumerate() {
        let mut loaded = TableData::new(table.key);
        for row in rows() {
            loaded.insert(row);
        }
        tables.load(TableId(u16::try_from(at).expect("one table")), loaded);
    }
    (
        program.tables.iter().map(|_| rows().to_vec()).collect(),
        tables,
    )
}

/// Up to [`EVENTS_MAX`] events of the types in the file, sorted, with numbers in `i`.
#[must_use]
pub fn events(choices: &mut Choices, program: &Program) -> Vec<Event> {
    let count = choices.below(EVENTS_MAX + 1);
    let mut events = Vec::with_capacity(count);
    let mut time = 0;
    for i in 0..count {
        time += *choices.weighted(&[(4, 1), (3, 0), (2, 2), (1, 3), (1, 5)]);
        let ty = *choices.weighted(&[(4, "A"), (1, "B")]);
        let (k, v, o) = (
            choices.below(2),
            choices.below(LETTERS),
            choices.below(LETTERS + 1),
        );
        let ty = program.schema.find(ty).expect("every file declares it");
        let int = |n: usize| Value::Int(n as i64);
        let value = |name: &str| match name {
            "t" => Value::Timestamp(Timestamp(time)),
            "k" => int(k),
            "v" => int(v),
            "i" => int(i),
            // Quarters, so that sums of floats are exact in any order.
            "d" => Value::Decimal(Decimal::new(o as i64 * 25, 2)),
            "f" => Value::Float(o as f64 / 4.0 - 0.5),
            _ if o == LETTERS => Value::Null,
            _ => int(o),
        };
        let values = program
            .schema
            .get(ty)
            .fields
            .iter()
            .map(|field| value(&field.name))
            .collect();
        let position = Position {
            source: 0,
            partition: 0,
            offset: i as u64,
        };
        events.push(Event {
            ty,
            time: Timestamp(time),
            position,
            values,
        });
    }
    events
}
