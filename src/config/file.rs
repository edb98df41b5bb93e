//! The configuration file: TOML to [`RawConfig`], with every mistake in it.
//!
//! The tree is walked by hand, for an answer to all that is wrong with a file and where, not to the first thing.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::mistake::{Error, Mistake, unknown};
use super::setting::{Kind, SETTINGS, Scalar};
use super::{RawConfig, RawSource};
use crate::sink::OutputSpec;
use crate::source::kafka::Settings;
use crate::source::spec::is_name;
use crate::source::{Place, SourceSpec};

/// Keys of several values each.
const LISTS: [&str; 6] = [
    "patterns", "sources", "outputs", "tables", "params", "kafka",
];

/// Keys of a source.
const SOURCE_KEYS: [&str; 6] = ["event", "url", "delay", "idle", "time", "kafka"];

/// The name under `[outputs]` for all streams that are not bound by name.
const ALL_STREAMS: &str = "*";

/// A value of the tree, with where it lies in the text.
type Value<'a> = Spanned<DeValue<'a>>;

/// A key with its value, and the byte at which the key begins.
type Entry<'t, 'a> = (usize, &'t str, &'t Value<'a>);

impl RawConfig {
    /// What a file says; `name` is what mistakes call it, `environment` gives the values of `${VAR}`.
    ///
    /// # Errors
    /// When the file is not TOML, has keys nobody knows, or values that can't be read; all such are named.
    pub fn from_toml(
        name: &str,
        text: &str,
        environment: &Environment,
    ) -> Result<RawConfig, Error> {
        let place = |at: usize| format!("{name}:{}", line_and_column(text, at));
        let (tree, syntax) = DeTable::parse_recoverable(text);
        // The tree of a text that is not TOML is a guess: what it holds is not judged.
        let syntax = syntax.iter().map(|error| Mistake {
            place: place(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        });
        Error::if_any(syntax.collect())?;

        let mut reader = Reader {
            environment,
            mistakes: Vec::new(),
        };
        let raw = reader.config(tree.get_ref());
        let mut mistakes = reader.mistakes;
        mistakes.sort_by_key(|(at, _)| *at);
        let mistakes = mistakes.into_iter().map(|(at, message)| Mistake {
            place: place(at),
            message,
        });
        Error::if_any(mistakes.collect())?;
        Ok(raw)
    }
}

/// Walks the tree and notes what is wrong with it.
struct Reader<'e> {
    environment: &'e Environment,
    /// With the byte at which each begins.
    mistakes: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn config(&mut self, root: &DeTable<'_>) -> RawConfig {
        let mut raw = RawConfig::default();
        for (at, key, value) in entries(root) {
            match key {
                "patterns" => raw.patterns = self.patterns(value),
                "sources" => raw.sources = self.each(key, value, Reader::source),
                "outputs" => raw.outputs = self.each(key, value, Reader::output),
                "tables" => raw.tables = self.each(key, value, Reader::table),
                "params" => raw.params = self.each(key, value, Reader::param),
                "kafka" => raw.kafka = self.settings(key, value),
                key if SETTINGS.contains(&key) => {
                    let set = self
                        .scalar(value)
                        .and_then(|scalar| raw.overrides.set(key, &scalar));
                    self.note(value, set.map_err(|message| format!("{key}: {message}")));
                }
                key => {
                    let known: Vec<&str> = SETTINGS.into_iter().chain(LISTS).collect();
                    self.mistakes.push((at, unknown("key", key, &known)));
                }
            }
        }
        raw
    }

    fn patterns(&mut self, value: &Value<'_>) -> Vec<PathBuf> {
        let Some(list) = value.get_ref().as_array() else {
            let message = "patterns is a list; write patterns = [\"folder\"]".to_owned();
            self.mistakes.push((value.span().start, message));
            return Vec::new();
        };
        let paths = list.iter().filter_map(|one| {
            let path = self.text(one);
            self.note(one, path.map_err(|message| format!("patterns: {message}")))
        });
        paths.map(PathBuf::from).collect()
    }

    /// What `read` makes of each entry of a table.
    fn each<T>(
        &mut self,
        key: &str,
        value: &Value<'_>,
        read: fn(&mut Self, Entry<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("{key} is a table; write [{key}] and a line for each");
            self.mistakes.push((value.span().start, message));
            return Vec::new();
        };
        let entries = entries(table).into_iter();
        entries.filter_map(|entry| read(self, entry)).collect()
    }

    fn source(&mut self, (at, name, value): Entry<'_, '_>) -> Option<RawSource> {
        let Some(table) = value.get_ref().as_table() else {
            let message =
                format!("source \"{name}\" is a table; write [sources.{name}] with url = \"…\"");
            self.mistakes.push((value.span().start, message));
            return None;
        };
        let (mut event, mut url) = (None, None);
        let mut kafka = None;
        let (mut delay, mut idle, mut time) = (None, None, None);
        for (at, key, value) in entries(table) {
            let read = match key {
                "event" => self.event(value).map(|text| event = Some(text)),
                "url" => self.text(value).map(|text| url = Some((value, text))),
                "delay" => (self.scalar(value))
                    .and_then(|scalar| scalar.span())
                    .map(|span| delay = Some(span)),
                "idle" => (self.scalar(value))
                    .and_then(|scalar| scalar.read(Kind::Text))
                    .map(|read| idle = Some(read)),
                "time" => (self.scalar(value))
                    .and_then(|scalar| scalar.read(Kind::Text))
                    .map(|read| time = Some(read)),
                "kafka" => {
                    let place = format!("source \"{name}\": kafka");
                    kafka = Some((at, self.settings(&place, value)));
                    continue;
                }
                _ => {
                    let message = unknown("key", key, &SOURCE_KEYS);
                    self.mistakes
                        .push((at, format!("source \"{name}\": {message}")));
                    continue;
                }
            };
            let read = read.map_err(|message| format!("source \"{name}\": {key}: {message}"));
            self.note(value, read);
        }
        let Some((place, url)) = url else {
            // A url that can't be read has been noted.
            if !table.contains_key("url") {
                let message = format!(
                    "source \"{name}\" has no url; add one, such as url = \"events.ndjson\""
                );
                self.mistakes.push((at, message));
            }
            return None;
        };
        let spec = SourceSpec::parse(&bound(event.as_deref(), &url));
        let spec = spec.map_err(|error| error.to_string());
        let mut spec = self.note(place, spec)?;
        match (&mut spec.place, kafka) {
            (Place::Kafka(topics), Some((_, settings))) => topics.settle(&settings),
            (_, None) => {}
            (_, Some((at, _))) => {
                let message = format!(
                    "source \"{name}\": kafka has settings for topics, and this is none; leave it out"
                );
                self.mistakes.push((at, message));
            }
        }
        Some(RawSource {
            name: Some(name.to_owned()),
            spec,
            delay,
            idle,
            time,
        })
    }

    fn event(&self, value: &Value<'_>) -> Result<String, String> {
        let text = self.text(value)?;
        if is_name(&text) {
            return Ok(text);
        }
        Err(format!(
            "\"{text}\" is no name of an event type; write it as the patterns do, or leave event out where records tell their type"
        ))
    }

    fn output(&mut self, (at, name, value): Entry<'_, '_>) -> Option<OutputSpec> {
        if name != ALL_STREAMS && !is_name(name) {
            let message = format!(
                "\"{name}\" is no name of an output; write the name of a stream, or \"{ALL_STREAMS}\" for all that have no line of their own"
            );
            self.mistakes.push((at, message));
            return None;
        }
        let text = self.text(value);
        let text = text.map_err(|message| format!("output \"{name}\": {message}"));
        let text = self.note(value, text)?;
        let name = (name != ALL_STREAMS).then_some(name);
        let spec = OutputSpec::parse(&bound(name, &text));
        self.note(value, spec.map_err(|error| error.to_string()))
    }

    fn table(&mut self, (_, name, value): Entry<'_, '_>) -> Option<(String, PathBuf)> {
        let path = self.text(value);
        let path = path.map_err(|message| format!("table \"{name}\": {message}"));
        Some((name.to_owned(), PathBuf::from(self.note(value, path)?)))
    }

    fn param(&mut self, (_, name, value): Entry<'_, '_>) -> Option<(String, String)> {
        let text = match value.get_ref() {
            DeValue::Float(float) => Ok(float.as_str().to_owned()),
            DeValue::Datetime(time) => Ok(time.to_string()),
            _ => self.scalar(value).map(|scalar| scalar.text),
        };
        let text = text.map_err(|message| format!("param \"{name}\": {message}"));
        Some((name.to_owned(), self.note(value, text)?))
    }

    /// Settings of a client. Their names have dots, so that what is written without quotes are tables in tables.
    fn settings(&mut self, place: &str, value: &Value<'_>) -> Settings {
        let mut settings = Settings::default();
        let Some(table) = value.get_ref().as_table() else {
            let message = format!(
                "{place} is a table; write a line for each setting, such as security.protocol = \"SASL_SSL\""
            );
            self.mistakes.push((value.span().start, message));
            return settings;
        };
        let mut open: Vec<(String, Entry<'_, '_>)> = Vec::new();
        let enter = |prefix: &str, table, open: &mut Vec<_>| {
            let below = entries(table).into_iter().rev();
            open.extend(below.map(|entry| (format!("{prefix}{}", entry.1), entry)));
        };
        enter("", table, &mut open);
        while let Some((name, (_, _, value))) = open.pop() {
            if let Some(table) = value.get_ref().as_table() {
                enter(&format!("{name}."), table, &mut open);
                continue;
            }
            let set = self
                .scalar(value)
                .and_then(|scalar| settings.set(&name, scalar.text));
            self.note(
                value,
                set.map_err(|message| format!("{place}: {name}: {message}")),
            );
        }
        settings
    }

    /// The value, if there is one; else its mistake is noted.
    fn note<T>(&mut self, value: &Value<'_>, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.mistakes.push((value.span().start, message)))
            .ok()
    }

    fn text(&self, value: &Value<'_>) -> Result<String, String> {
        match value.get_ref() {
            DeValue::String(text) => self.environment.expand(text),
            other => Err(format!(
                "that is {}, no text; write it in quotes",
                article(other)
            )),
        }
    }

    fn scalar(&self, value: &Value<'_>) -> Result<Scalar, String> {
        let (text, kind) = match value.get_ref() {
            DeValue::String(text) => (self.environment.expand(text)?, Kind::Text),
            DeValue::Boolean(flag) => (flag.to_string(), Kind::Flag),
            DeValue::Integer(number) if number.radix() == 10 => {
                (number.as_str().to_owned(), Kind::Whole)
            }
            DeValue::Integer(number) => {
                return Err(format!(
                    "{} is not decimal; write its decimal digits",
                    number.as_str()
                ));
            }
            other => {
                return Err(format!("that is {}; write a single value", article(other)));
            }
        };
        Ok(Scalar { text, kind })
    }
}

/// `NAME=place`, as a flag would say it. A place that looks like it had a name is a file, and says so.
fn bound(name: Option<&str>, place: &str) -> String {
    match (name, place.split_once('=')) {
        (Some(name), _) => format!("{name}={place}"),
        (None, Some((looks_like, _))) if is_name(looks_like) => format!("file:{place}"),
        (None, _) => place.to_owned(),
    }
}

/// In the order of the text, which the tree does not keep.
fn entries<'t, 'a>(table: &'t DeTable<'a>) -> Vec<Entry<'t, 'a>> {
    let mut entries: Vec<Entry<'t, 'a>> = table
        .iter()
        .map(|(key, value)| (key.span().start, key.get_ref().as_ref(), value))
        .collect();
    entries.sort_by_key(|(at, _, _)| *at);
    entries
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with decimals",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// `3:1`, both from 1; columns count characters.
fn line_and_column(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
    format!("{line}:{}", before[begin..].chars().count() + 1)
}
