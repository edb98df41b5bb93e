//! Values as people read them: as patterns write them, with times as RFC 3339 or as offsets on the clock of a test.

use leitmotif::event::Value;
use leitmotif::lang::print::quoted;
use leitmotif::time::Timestamp;

/// How points in time are shown.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// As RFC 3339 in UTC.
    Calendar,
    /// As the distance from this point: `30s`.
    Since(Timestamp),
}

impl Clock {
    /// A point in time.
    pub fn show(self, at: Timestamp) -> String {
        match self {
            Clock::Calendar => match jiff::Timestamp::from_millisecond(at.0) {
                Ok(time) => time.to_string(),
                Err(_) => format!("{} ms", at.0),
            },
            Clock::Since(start) => at.since(start).to_string(),
        }
    }
}

/// A value as patterns write it.
pub fn show(value: &Value, clock: Clock) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        // `{:?}` keeps the point of whole numbers, so that a float looks like one.
        Value::Float(value) => format!("{value:?}"),
        Value::Decimal(value) => value.to_string(),
        Value::Str(text) => quoted(text),
        Value::Timestamp(at) => clock.show(*at),
        Value::Duration(span) => span.to_string(),
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(|value| show(value, clock)).collect();
            format!("[{}]", values.join(", "))
        }
    }
}

/// `{ a: 1, b: "x" }`
pub fn record<'a>(fields: impl IntoIterator<Item = (&'a str, &'a Value)>, clock: Clock) -> String {
    let fields: Vec<String> = fields
        .into_iter()
        .map(|(name, value)| format!("{name}: {}", show(value, clock)))
        .collect();
    if fields.is_empty() {
        return "{}".to_owned();
    }
    format!("{{ {} }}", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use leitmotif::time::Span;

    #[test]
    fn values_read_as_patterns_write_them() {
        let shown = |value| show(&value, Clock::Since(Timestamp(1_000)));
        assert_eq!(
            shown(Value::Str("a\"\u{1b}[2J".into())),
            "\"a\\\"\\u{1b}[2J\""
        );
        assert_eq!(shown(Value::Float(2.0)), "2.0");
        assert_eq!(shown(Value::Duration(Span(90_000))), "1m30s");
        assert_eq!(shown(Value::Timestamp(Timestamp(31_000))), "30s");
        assert_eq!(
            shown(Value::List([Value::Int(1), Value::Null].into())),
            "[1, null]"
        );
        assert_eq!(Clock::Calendar.show(Timestamp(0)), "1970-01-01T00:00:00Z");
    }
}
