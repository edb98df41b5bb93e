//! Topics to read, as they are written: `kafka://a:9092,b:9092/cards,refunds-*?group=fraud&start=latest`.

use std::fmt;
use std::path::PathBuf;

use regex::Regex;

use super::cluster::{Cluster, Settings};
use super::registry::RegistryAddress;
use crate::event::formats::Format;
use crate::source::options::Options;
use crate::time::Timestamp;

/// Names of a topic have at most so many characters.
const NAME_BYTES_MAX: usize = 249;

/// Topics of one cluster, and how they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// Where they are.
    pub cluster: Cluster,
    /// Which; at least one.
    pub names: Vec<TopicName>,
    /// The consumer group under whose name it is kept how far they were read.
    pub group: Option<String>,
    /// Where reading begins.
    pub start: Start,
    /// Where it ends.
    pub end: End,
    /// What a record's value is.
    pub payload: Payload,
    /// What becomes fields of the event besides what the value holds.
    pub extras: Vec<Extra>,
    /// The one partition of each topic that is read, where instances share them; all if there is none. No part of an address.
    pub partition: Option<u32>,
}

/// One topic, or many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicName {
    /// That one.
    Named(String),
    /// All whose names match when the run begins.
    Pattern {
        /// As it was written: `cards-*`, `^cards-[0-9]+$`.
        written: String,
        /// The regular expression.
        regex: String,
    },
}

/// Where reading begins, without state that knows better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that is kept.
    Earliest,
    /// With the next record that is written.
    Latest,
    /// Where the group stands; with the oldest record where it stands nowhere.
    Committed,
    /// With the first record that the broker was given at this time or later.
    At(Timestamp),
}

/// Where reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nowhere.
    Never,
    /// With what is there when the run begins.
    Latest,
}

/// What a record's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A JSON object.
    Json,
    /// One line of CSV, whose columns have these names.
    Csv(Vec<String>),
    /// A datum of Avro behind the number of its schema, which a registry knows.
    Avro(RegistryAddress),
    /// A message of Protobuf.
    Protobuf(Described),
}

/// A message and who describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The compiled descriptor file.
    pub descriptors: PathBuf,
    /// The message's full name.
    pub message: String,
    /// True if before each message stands what a registry wants there.
    pub framed: bool,
}

/// A field that is not in the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Its name.
    pub field: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a field comes from that is not in the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The record's key is a text.
    KeyText,
    /// The record's key is JSON.
    KeyJson,
    /// The last header of this name, a text.
    Header(String),
}

impl Topics {
    /// Takes what follows `kafka:` apart.
    pub(crate) fn parse(text: &str) -> Result<Topics, String> {
        const SUCH: &str = "write such as kafka://127.0.0.1:9092/topic";
        let text = text.strip_prefix("//").unwrap_or(text);
        let (authority, rest) = text
            .split_once('/')
            .ok_or_else(|| format!("names no topic; {SUCH}"))?;
        let (topics, options) = rest.split_once('?').unwrap_or((rest, ""));
        let mut cluster = Cluster::parse(authority)?;
        let mut options = Options::parse(options)?;
        cluster.take_settings(&mut options)?;
        let group = options.text("group").map(str::to_owned);
        if group.as_deref() == Some("") {
            return Err("group= names no group; write group=NAME, or leave it out".to_owned());
        }
        let start = start(options.text("start"), group.is_some())?;
        let end = match options.text("end") {
            None | Some("never") => End::Never,
            Some("latest") => End::Latest,
            Some(other) => {
                return Err(format!(
                    "end={other} is not known; write end=latest to read what is there and stop, or leave it out"
                ));
            }
        };
        let payload = payload(&mut options)?;
        let extras = extras(&mut options, &payload)?;
        let names = names(topics)?;
        options.end()?;
        Ok(Topics {
            cluster,
            names,
            group,
            start,
            end,
            payload,
            extras,
            partition: None,
        })
    }

    /// The format in which records are handed out.
    pub(crate) fn format(&self) -> Format {
        match self.payload {
            Payload::Csv(_) => Format::Csv,
            // Binary ones are told by the encoding.
            Payload::Json | Payload::Avro(_) | Payload::Protobuf(_) => Format::Json,
        }
    }

    /// The field that the records' key becomes, if one does.
    #[cfg(feature = "kafka")]
    pub(crate) fn key_field(&self) -> Option<&str> {
        let of_key = |extra: &&Extra| matches!(extra.origin, Origin::KeyText | Origin::KeyJson);
        let found = self.extras.iter().find(of_key);
        found.map(|extra| extra.field.as_str())
    }

    /// Adds settings of the client where it has none of that name.
    pub(crate) fn settle(&mut self, settings: &Settings) {
        self.cluster.settle(settings);
    }
}

/// Where reading begins. Whoever names a group wants to go on where it stands.
fn start(text: Option<&str>, grouped: bool) -> Result<Start, String> {
    let text = match text {
        None if grouped => return Ok(Start::Committed),
        None | Some("earliest") => return Ok(Start::Earliest),
        Some("latest") => return Ok(Start::Latest),
        Some("committed") if grouped => return Ok(Start::Committed),
        Some("committed") => {
            return Err("start=committed: of which group; write group=NAME besides".to_owned());
        }
        Some(text) => text,
    };
    let read = text.parse::<jiff::Timestamp>().ok();
    let millis = text.parse::<i64>().ok().filter(|millis| *millis >= 0);
    let millis = millis.or_else(|| read.map(jiff::Timestamp::as_millisecond));
    let at = millis.map(|millis| Start::At(Timestamp(millis)));
    at.ok_or_else(|| {
        format!(
            "start={text} is not known; write earliest, latest, committed, or a time such as 2026-05-01T12:00:00Z or in epoch milliseconds"
        )
    })
}

fn payload(options: &mut Options<'_>) -> Result<Payload, String> {
    let columns = options.text("columns");
    let format = options.text("format");
    let registry = RegistryAddress::take(options)?;
    let described = described(options)?;
    match (format, registry, described) {
        (Some("avro"), Some(registry), None) if columns.is_none() => {
            return Ok(Payload::Avro(registry));
        }
        (Some("avro"), None, _) => {
            return Err(
                "format=avro: who knows the schemas; write registry=http://HOST:8081 besides"
                    .to_owned(),
            );
        }
        (Some("protobuf"), None, Some(described)) if columns.is_none() => {
            return Ok(Payload::Protobuf(described));
        }
        (Some("protobuf"), Some(_), _) => {
            return Err(
                "format=protobuf asks no registry; write framing=registry besides descriptors=FILE and message=NAME"
                    .to_owned(),
            );
        }
        (Some("protobuf"), _, None) => {
            return Err(
                "format=protobuf: which message; write descriptors=FILE and message=NAME besides"
                    .to_owned(),
            );
        }
        (_, Some(_), _) => {
            return Err(
                "registry= is for format=avro; write that besides, or leave it out".to_owned(),
            );
        }
        (_, _, Some(_)) => {
            return Err(
                "descriptors= is for format=protobuf; write that besides, or leave it out"
                    .to_owned(),
            );
        }
        (_, None, None) => {}
    }
    match (format, columns) {
        (None | Some("json" | "ndjson"), None) => Ok(Payload::Json),
        (Some("csv"), Some(columns)) => {
            let columns: Vec<String> = columns.split(',').map(str::to_owned).collect();
            if columns.iter().any(String::is_empty) {
                return Err("columns= has an empty name; write columns=ts,card,amount".to_owned());
            }
            Ok(Payload::Csv(columns))
        }
        (Some("csv"), None) => Err(
            "format=csv: records of a topic have no header; write columns=ts,card,amount besides"
                .to_owned(),
        ),
        (None | Some("json" | "ndjson"), Some(_)) => {
            Err("columns= is for format=csv; write that besides, or leave columns out".to_owned())
        }
        (Some(other), _) => Err(format!(
            "format={other} is not known; write json, csv, avro or protobuf"
        )),
    }
}

fn described(options: &mut Options<'_>) -> Result<Option<Described>, String> {
    let framed = match options.text("framing") {
        None | Some("none") => false,
        Some("registry") => true,
        Some(other) => {
            return Err(format!(
                "framing={other} is not known; write framing=registry, or leave it out"
            ));
        }
    };
    match (options.text("descriptors"), options.text("message")) {
        (None, None) if framed => Err(
            "framing= is for format=protobuf; write descriptors=FILE and message=NAME besides"
                .to_owned(),
        ),
        (None, None) => Ok(None),
        (Some(descriptors), Some(message)) if !descriptors.is_empty() && !message.is_empty() => {
            Ok(Some(Described {
                descriptors: descriptors.into(),
                message: message.to_owned(),
                framed,
            }))
        }
        _ => Err(
            "a message wants both its descriptors and its name; write descriptors=FILE&message=NAME"
                .to_owned(),
        ),
    }
}

fn extras(options: &mut Options<'_>, payload: &Payload) -> Result<Vec<Extra>, String> {
    let mut extras: Vec<Extra> = Vec::new();
    let key = options.text("key");
    let origin = match (options.text("key-format"), payload) {
        (None | Some("text"), _) => Origin::KeyText,
        (Some("json"), Payload::Json) => Origin::KeyJson,
        (Some("json"), _) => {
            return Err(
                "key-format=json is of use beside format=json only; leave it out".to_owned(),
            );
        }
        (Some(other), _) => {
            return Err(format!(
                "key-format={other} is not known; write key-format=text or key-format=json"
            ));
        }
    };
    match key {
        Some(field) => extras.push(Extra {
            field: field.to_owned(),
            origin,
        }),
        None if origin == Origin::KeyJson => {
            return Err("key-format= wants to know the field; write key=FIELD besides".to_owned());
        }
        None => {}
    }
    extras.extend(
        (options.beginning_with("header.").into_iter()).map(|(name, field)| Extra {
            field: field.to_owned(),
            origin: Origin::Header(name.to_owned()),
        }),
    );
    for (at, extra) in extras.iter().enumerate() {
        let field = &extra.field;
        if field.is_empty() || field.contains(['"', '\\', ',']) {
            return Err(format!(
                "\"{field}\" is no name of a field; write key=FIELD or header.NAME=FIELD"
            ));
        }
        if extras[..at].iter().any(|other| other.field == *field) {
            return Err(format!("field \"{field}\" is filled twice; keep one"));
        }
    }
    Ok(extras)
}

/// `cards`, `cards,refunds`, `cards-*`, `^cards-(eu|us)$`. A regular expression is one name, whatever is in it.
fn names(text: &str) -> Result<Vec<TopicName>, String> {
    if text.starts_with('^') {
        return regex(text, text).map(|name| vec![name]);
    }
    let mut names: Vec<TopicName> = Vec::new();
    for part in text.split(',') {
        let valid = |c: char| c.is_ascii_alphanumeric() || ".-_*".contains(c);
        if part.is_empty() || part.len() > NAME_BYTES_MAX || !part.chars().all(valid) {
            return Err(format!(
                "\"{part}\" is no name of a topic, which has letters, digits and . - _ only; write such as kafka://127.0.0.1:9092/topic"
            ));
        }
        let name = match part.contains('*') {
            false => TopicName::Named(part.to_owned()),
            true => {
                let parts: Vec<String> = part.split('*').map(regex::escape).collect();
                regex(part, &format!("^{}$", parts.join(".*")))?
            }
        };
        if names.contains(&name) {
            return Err(format!("topic \"{part}\" is named twice; name it once"));
        }
        names.push(name);
    }
    Ok(names)
}

fn regex(written: &str, regex: &str) -> Result<TopicName, String> {
    match Regex::new(regex) {
        Ok(_) => Ok(TopicName::Pattern {
            written: written.to_owned(),
            regex: regex.to_owned(),
        }),
        Err(error) => {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or_default().trim();
            Err(format!(
                "\"{written}\" is no regular expression: {last}; mend it, or write the topics' names, as in cards,refunds-*"
            ))
        }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicName::Named(name) => f.write_str(name),
            TopicName::Pattern { written, .. } => f.write_str(written),
        }
    }
}

/// Without options, which may be secret.
impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka://{}/", self.cluster)?;
        for (at, name) in self.names.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Topics {
        Topics::parse(text).expect("an address")
    }

    #[test]
    fn brokers_topics_and_options_are_told_apart() {
        let topics = parse("//a,b:9093,[::1]/cards,refunds-*?group=fraud&start=latest&end=latest");
        assert_eq!(
            topics.to_string(),
            "kafka://a:9092,b:9093,[::1]:9092/cards,refunds-*"
        );
        assert_eq!(topics.names[0], TopicName::Named("cards".to_owned()));
        assert!(
            matches!(&topics.names[1], TopicName::Pattern { regex, .. } if regex == "^refunds\\-.*$")
        );
        assert_eq!(topics.group.as_deref(), Some("fraud"));
        assert_eq!((topics.start, topics.end), (Start::Latest, End::Latest));
        let topics = parse("a/^cards-[0-9]{1,2}$?start=2026-05-01T12:00:00Z");
        assert_eq!(topics.names.len(), 1);
        assert_eq!(topics.start, Start::At(Timestamp(1_777_636_800_000)));
        assert_eq!(parse("a/b?start=17").start, Start::At(Timestamp(17)));
        assert_eq!(parse("a/b").start, Start::Earliest);
        assert_eq!(parse("a/b?group=g").start, Start::Committed);
        assert_eq!(parse("a/b?group=g&start=earliest").start, Start::Earliest);
    }

    #[test]
    fn keys_and_headers_become_fields() {
        let topics = parse("a/b?key=card&header.trace-id=trace");
        let extra = |field: &str, origin| Extra {
            field: field.to_owned(),
            origin,
        };
        let header = Origin::Header("trace-id".to_owned());
        assert_eq!(
            topics.extras,
            [extra("card", Origin::KeyText), extra("trace", header)]
        );
        let topics = parse("a/b?key=card&key-format=json");
        assert_eq!(topics.extras, [extra("card", Origin::KeyJson)]);
        let columns = vec!["ts".to_owned(), "card".to_owned()];
        let topics = parse("a/b?format=csv&columns=ts,card");
        assert_eq!(topics.payload, Payload::Csv(columns));
    }

    #[test]
    fn settings_of_the_client_pass_and_are_never_shown() {
        let topics = parse("a/b?kafka.sasl.password=x=y&kafka.fetch.min.bytes=7");
        let settings = topics.cluster.resolved().expect("no variables");
        let wanted = [("fetch.min.bytes", "7"), ("sasl.password", "x=y")];
        assert_eq!(
            settings,
            wanted.map(|(name, value)| (name, value.to_owned()))
        );
        let shown = format!("{topics} {topics:?}");
        assert!(!shown.contains("x=y"), "{shown}");
        let mut settings = Settings::default();
        settings.set("sasl.password", "${no}".to_owned()).unwrap();
        settings.set("debug", "${no}".to_owned()).unwrap();
        let mut topics = topics;
        topics.settle(&settings);
        let settings = topics.cluster.resolved().expect("no variables");
        assert_eq!(settings[0], ("debug", "${no}".to_owned()));
        assert_eq!(settings[2], ("sasl.password", "x=y".to_owned()));
        let unset = parse("a/b?kafka.sasl.password=${LEITMOTIF_NOT_SET}");
        assert_eq!(
            unset.cluster.resolved().unwrap_err(),
            "kafka.sasl.password: environment variable \"LEITMOTIF_NOT_SET\" is not set; set it, or write $${ for the characters themselves"
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_way_out() {
        let check = |text: &str, wanted: &str| {
            let error = Topics::parse(text).expect_err(text);
            assert!(error.contains(wanted), "{text}: {error}");
        };
        check("//a", "names no topic; write such as kafka://");
        check("///t", "names no broker; write such as kafka://");
        check("//a:x/t", "\"x\" is no port");
        check("//u:p@a/t", "write kafka.sasl.username=");
        check("//a/", "\"\" is no name of a topic");
        check("//a/b c", "\"b c\" is no name of a topic");
        check("//a/t,t", "topic \"t\" is named twice");
        check("//a/^(", "is no regular expression: error: unclosed group;");
        check("//a/t?start=committed", "write group=NAME besides");
        check(
            "//a/t?start=soon",
            "write earliest, latest, committed, or a time",
        );
        check("//a/t?end=1", "write end=latest");
        check("//a/t?format=xml", "write json, csv, avro or protobuf");
        check("//a/t?format=csv", "write columns=ts,card,amount besides");
        check("//a/t?columns=a", "columns= is for format=csv");
        check("//a/t?key-format=json", "write key=FIELD besides");
        check("//a/t?key=a&header.b=a", "field \"a\" is filled twice");
        check("//a/t?key=", "\"\" is no name of a field");
        check(
            "//a/t?kafka.group.id=g",
            "kafka.group.id cannot be set; write group=NAME",
        );
        check(
            "//a/t?grup=g",
            "no option \"grup\"; options are columns, descriptors, end, format, framing, group, header.…, kafka.…, key, key-format, message, registry, registry.…, start",
        );
    }
}
