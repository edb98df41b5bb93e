//! A Kafka cluster as an address names it, and what its client is told besides.

use std::collections::BTreeMap;
use std::fmt;

use crate::source::options::Options;
#[cfg(any(test, feature = "kafka"))]
use crate::source::options::expanded;

/// The port of a broker that names none.
const PORT: u16 = 9092;

/// What options of the client are written with: `kafka.sasl.username=…`.
const PREFIX: &str = "kafka.";

/// What the client is told by ourselves, and how a user says it.
const OWNED: [(&str, &str); 11] = [
    ("bootstrap.servers", "name the brokers in the address"),
    ("metadata.broker.list", "name the brokers in the address"),
    ("group.id", "write group=NAME"),
    ("auto.offset.reset", "write start=earliest or start=latest"),
    (
        "enable.auto.commit",
        "it is of no use to a run, which says itself what it has read",
    ),
    (
        "enable.auto.offset.store",
        "it is of no use to a run, which says itself what it has read",
    ),
    (
        "enable.partition.eof",
        "write end=latest to stop at the end",
    ),
    (
        "group.protocol",
        "members of a group are told their partitions as librdkafka's classic ones",
    ),
    (
        "partition.assignment.strategy",
        "members of a group share its partitions as cooperative-sticky has it",
    ),
    ("transactional.id", "it follows from the state"),
    ("enable.idempotence", "rows are always written so"),
];

/// Brokers that belong together.
///
/// Two with equal addresses and settings are one: they share their connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cluster {
    /// At least one, `host:port` each.
    brokers: Vec<String>,
    settings: Settings,
}

/// Settings of the client by their names in librdkafka. What they hold may be secret and is never shown.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Settings(BTreeMap<String, Value>);

/// What a setting is set to.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Value {
    /// As it is.
    Plain(String),
    /// `${VAR}` in it stands for an environment variable, which is looked up when the client is made.
    Template(String),
}

impl Cluster {
    /// Takes the part of an address before the topics apart: `a:9092,b:9093`.
    pub(crate) fn parse(authority: &str) -> Result<Cluster, String> {
        const SUCH: &str = "write such as kafka://127.0.0.1:9092/topic";
        if authority.contains('@') {
            return Err(
                "names and passwords are no part of the address; write kafka.sasl.username=… and kafka.sasl.password=${VAR} behind it".to_owned(),
            );
        }
        let broker = |text: &str| {
            if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c == '/') {
                return Err(format!("names no broker; {SUCH}"));
            }
            // The colons of [::1] are none of a port.
            let host_end = text.rfind(']').map_or(0, |at| at + 1);
            match text[host_end..].rsplit_once(':') {
                None => Ok(format!("{text}:{PORT}")),
                Some((_, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => {
                    Ok(text.to_owned())
                }
                Some((_, port)) => Err(format!("\"{port}\" is no port; {SUCH}")),
            }
        };
        let brokers: Result<Vec<String>, String> = authority.split(',').map(broker).collect();
        Ok(Cluster {
            brokers: brokers?,
            settings: Settings::default(),
        })
    }

    /// Takes the options that are meant for the client.
    pub(crate) fn take_settings(&mut self, options: &mut Options<'_>) -> Result<(), String> {
        for (name, value) in options.beginning_with(PREFIX) {
            self.settings.check(name)?;
            let value = Value::Template(value.to_owned());
            self.settings.0.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// Adds settings where it has none of that name.
    pub fn settle(&mut self, settings: &Settings) {
        for (name, value) in &settings.0 {
            let own = self.settings.0.entry(name.clone());
            own.or_insert_with(|| value.clone());
        }
    }

    /// As the client wants them: `a:9092,b:9093`.
    pub(crate) fn brokers(&self) -> String {
        self.brokers.join(",")
    }

    /// Names and values of its settings, in order.
    ///
    /// # Errors
    /// When a variable that one names is not set.
    #[cfg(any(test, feature = "kafka"))]
    pub(crate) fn resolved(&self) -> Result<Vec<(&str, String)>, String> {
        self.settings
            .0
            .iter()
            .map(|(name, value)| match value {
                Value::Plain(value) => Ok((name.as_str(), value.clone())),
                Value::Template(text) => expanded(text, |variable| std::env::var(variable).ok())
                    .map(|value| (name.as_str(), value))
                    .map_err(|reason| format!("{PREFIX}{name}: {reason}")),
            })
            .collect()
    }
}

impl Settings {
    /// Sets one, to this very value.
    ///
    /// # Errors
    /// When it is one that cannot be chosen.
    pub fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        self.check(name)?;
        self.0.insert(name.to_owned(), Value::Plain(value));
        Ok(())
    }

    /// True if nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of `self`, then those of `lower` whose name `self` has not.
    #[must_use]
    pub fn over(mut self, lower: Settings) -> Settings {
        for (name, value) in lower.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let owned = OWNED.iter().find(|(owned, _)| *owned == name);
        owned.map_or(Ok(()), |(_, instead)| {
            Err(format!("{PREFIX}{name} cannot be set; {instead}"))
        })
    }
}

/// Without settings.
impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.brokers())
    }
}

/// Names only.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
