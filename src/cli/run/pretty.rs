//! Rows for people: one line each, with time, output, key and fields.

use leitmotif::automaton::{Row, Stream};
use leitmotif::event::{EventTypeId, Value};
use leitmotif::lang::pattern::Program;

use crate::cli::literal::{self, Clock};

/// Width of a time with milliseconds.
const TIME_WIDTH: usize = 24;

/// How rows are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Width of the longest name of an output.
    pub name_width: usize,
    /// True on a terminal whose owner has nothing against it.
    pub color: bool,
}

impl Layout {
    /// For the outputs of a program.
    pub fn of(program: &Program, color: bool) -> Layout {
        let streams = program.patterns.iter().flat_map(|pattern| {
            let emits = pattern.emits.iter().map(|emit| emit.stream);
            emits.chain(pattern.timeout.iter().map(|timeout| timeout.stream))
        });
        let name_width = streams
            .map(|stream| program.schema.get(stream).name.chars().count())
            .max()
            .unwrap_or(0);
        Layout { name_width, color }
    }

    /// A row as a line, line break included.
    pub fn line(self, program: &Program, row: &Row) -> String {
        let (name, fields) = match row.stream {
            Stream::Match(stream) | Stream::Timeout(stream) => (
                program.schema.get(stream).name.as_str(),
                fields(program, row, stream),
            ),
            Stream::Evicted => (
                "evicted",
                row.values
                    .iter()
                    .map(|value| format!("after {}", plain(value)))
                    .collect(),
            ),
        };
        let key: Vec<String> = row.key.iter().map(plain).collect();
        let name = format!("{name:<width$}", width = self.name_width);
        let name = match emphasis(program, row) {
            Some(escape) if self.color => format!("\x1b[{escape}m{name}\x1b[0m"),
            _ => name,
        };
        let time = Clock::Calendar.show(row.at);
        let mut parts = vec![format!("{time:<TIME_WIDTH$}"), name];
        parts.extend((!key.is_empty()).then(|| key.join(" ")));
        parts.extend((!fields.is_empty()).then(|| fields.join(", ")));
        format!("{}\n", parts.join("  "))
    }
}

/// How a terminal sets the output's name off: by the pattern's `@severity`, and faintly what merely timed out.
fn emphasis(program: &Program, row: &Row) -> Option<&'static str> {
    if matches!(row.stream, Stream::Timeout(_)) {
        return Some("2");
    }
    let pattern = &program.patterns[row.pattern.0 as usize];
    let severity = pattern
        .annotations
        .iter()
        .find(|(name, _)| name == "severity");
    match severity.map(|(_, value)| value.as_str()) {
        Some("critical" | "high") => Some("1;31"),
        Some("medium") => Some("1;33"),
        _ => Some("1"),
    }
}

/// Fields that don't repeat the key.
fn fields(program: &Program, row: &Row, stream: EventTypeId) -> Vec<String> {
    let pattern = &program.patterns[row.pattern.0 as usize];
    let ty = program.schema.get(stream);
    let repeats = |name: &str, value: &Value| {
        let part = pattern.key.iter().position(|part| part == name);
        part.is_some_and(|part| row.key.get(part) == Some(value))
    };
    let fields = ty.fields.iter().zip(row.values.iter());
    let fields = fields.filter(|(field, value)| !value.is_null() && !repeats(&field.name, value));
    fields
        .map(|(field, value)| format!("{} {}", field.name.replace('_', " "), plain(value)))
        .collect()
}

/// A value; text without quotes where that leaves no doubt.
fn plain(value: &Value) -> String {
    match value {
        Value::Str(text)
            if !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_alphanumeric() || "-_.:/@".contains(c)) =>
        {
            text.to_string()
        }
        value => literal::show(value, Clock::Calendar),
    }
}
