//! The single values of a configuration: which there are, and how each is read.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::Overrides;
use super::mistake::unknown;
use crate::engine::{OnChange, RestartPolicy, TimeBasis};
use crate::key::Shards;
use crate::time::Span;

/// How long a source may be silent before time goes on without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idle {
    /// [`IDLE_DEFAULT`](super::IDLE_DEFAULT) if its input does not end by itself, as long as it likes if it does.
    #[default]
    ByExtent,
    /// So long, and never zero.
    After(Span),
    /// As long as it likes.
    Off,
}

/// Whether metrics, health and readiness can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    /// No.
    Off,
    /// At this address.
    At(SocketAddr),
}

/// How important a line of the log is; each holds those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing at all.
    Off,
    /// What ends or endangers a run.
    Error,
    /// What somebody should look at.
    #[default]
    Warn,
    /// What runs, and how it ended.
    Info,
    /// Steps on the way.
    Debug,
    /// Everything.
    Trace,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Where state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// In memory alone: it ends with the process.
    Memory,
    /// In this folder.
    Folder(PathBuf),
    /// In object storage, at this address.
    Objects(String),
}

/// The name of a consumer group; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupName(pub String);

/// A folder for what need not outlive the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScratchFolder(pub PathBuf);

/// How often a checkpoint is made; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointInterval(pub Span);

/// How many checkpoints are kept; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointKeep(pub usize);

/// How long is waited before a run that has failed begins again; not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartDelay(pub Span);

/// How many failures are borne; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartAttempts(pub u32);

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// Keys of the single values, as a file writes them.
pub(super) const SETTINGS: [&str; 20] = [
    "shards",
    "delay",
    "idle",
    "type-field",
    "follow",
    "http",
    "log",
    "log-format",
    "state",
    "checkpoint",
    "checkpoint-keep",
    "state-memory",
    "on-change",
    "restart",
    "restart-delay",
    "restart-delay-max",
    "restart-attempts",
    "restart-window",
    "join",
    "scratch",
];

/// A value as it was written.
pub(super) struct Scalar {
    /// Without quotes.
    pub text: String,
    pub kind: Kind,
}

/// What a value was written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text in quotes.
    Text,
    /// A whole number.
    Whole,
    /// `true` or `false`.
    Flag,
    /// In the environment all is text.
    Untyped,
}

impl Overrides {
    /// Sets the value of a key, which is one of [`SETTINGS`].
    pub(super) fn set(&mut self, key: &str, value: &Scalar) -> Result<(), String> {
        match key {
            "shards" => self.shards = Some(value.read(Kind::Whole)?),
            "delay" => self.delay = Some(value.span()?),
            "idle" => self.idle = Some(value.read(Kind::Text)?),
            "type-field" => self.type_field = Some(value.name()?),
            "follow" => self.follow = Some(value.flag()?),
            "http" => self.http = Some(value.read(Kind::Text)?),
            "log" => self.log = Some(value.read(Kind::Text)?),
            "log-format" => self.log_format = Some(value.read(Kind::Text)?),
            "state" => self.state = Some(value.read(Kind::Text)?),
            "checkpoint" => self.checkpoint = Some(value.read(Kind::Text)?),
            "checkpoint-keep" => self.checkpoint_keep = Some(value.read(Kind::Whole)?),
            "state-memory" => self.state_memory = Some(value.read(Kind::Text)?),
            "on-change" => self.on_change = Some(value.read(Kind::Text)?),
            "restart" => self.restart = Some(value.read(Kind::Text)?),
            "restart-delay" => self.restart_delay = Some(value.read(Kind::Text)?),
            "restart-delay-max" => self.restart_delay_max = Some(value.read(Kind::Text)?),
            "restart-attempts" => self.restart_attempts = Some(value.read(Kind::Whole)?),
            "restart-window" => self.restart_window = Some(value.read(Kind::Text)?),
            "join" => self.join = Some(value.read(Kind::Text)?),
            "scratch" => self.scratch = Some(value.read(Kind::Text)?),
            _ => return Err(unknown("key", key, &SETTINGS)),
        }
        Ok(())
    }
}

impl Scalar {
    /// Its text, if it was written as it should be.
    fn of(&self, wanted: Kind) -> Result<&str, String> {
        if self.kind == wanted || self.kind == Kind::Untyped {
            return Ok(&self.text);
        }
        let text = &self.text;
        Err(match wanted {
            Kind::Whole => format!("\"{text}\" is no number; write it without quotes, such as 2"),
            Kind::Flag => {
                format!("\"{text}\" is neither true nor false; write one of them, without quotes")
            }
            Kind::Text | Kind::Untyped => {
                format!("{text} is no text; write it in quotes: \"{text}\"")
            }
        })
    }

    pub(super) fn read<T: FromStr<Err = String>>(&self, wanted: Kind) -> Result<T, String> {
        self.of(wanted)?.parse()
    }

    pub(super) fn span(&self) -> Result<Span, String> {
        let text = self.of(Kind::Text)?;
        text.parse()
            .map_err(|reason| format!("\"{text}\" is no duration; {reason}"))
    }

    fn name(&self) -> Result<String, String> {
        match self.of(Kind::Text)? {
            "" => Err("an empty text names no field; write its name, such as \"type\"".to_owned()),
            name => Ok(name.to_owned()),
        }
    }

    fn flag(&self) -> Result<bool, String> {
        let text = self.of(Kind::Flag)?;
        text.parse()
            .map_err(|_| format!("\"{text}\" is neither true nor false; write one of them"))
    }
}

/// One shard per processor, as far as that is allowed.
pub(super) fn shards_for(cores: usize) -> Shards {
    let most = usize::from(Shards::MAX);
    let count = u16::try_from(cores.clamp(1, most)).ok();
    count.and_then(Shards::new).unwrap_or(Shards::ONE)
}

impl FromStr for Shards {
    type Err = String;

    fn from_str(text: &str) -> Result<Shards, String> {
        let most = Shards::MAX;
        let shards = text.parse().ok().and_then(Shards::new);
        shards.ok_or_else(|| {
            format!("{text} is no number of threads; write a whole number from 1 to {most}")
        })
    }
}

impl FromStr for Idle {
    type Err = String;

    fn from_str(text: &str) -> Result<Idle, String> {
        if text == "off" {
            return Ok(Idle::Off);
        }
        match text.parse() {
            Ok(Span(0)) => {
                Err("no source is ever that quick; write a longer time, or off".to_owned())
            }
            Ok(span) => Ok(Idle::After(span)),
            Err(reason) => Err(format!(
                "\"{text}\" is neither off nor a duration; {reason}"
            )),
        }
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<State, String> {
        match text {
            "" => Err("an empty text names no folder; write its path, or memory".to_owned()),
            "memory" => Ok(State::Memory),
            address if address.contains("://") => objects(address),
            path => Ok(State::Folder(path.into())),
        }
    }
}

/// An address of object storage.
fn objects(address: &str) -> Result<State, String> {
    let (scheme, rest) = address.split_once("://").unwrap_or_default();
    let bucket = rest.split('/').next().unwrap_or_default();
    match (scheme, bucket) {
        ("s3", "") => Err(format!(
            "\"{address}\" names no bucket; write such as s3://bucket/fraud"
        )),
        ("s3", _) => Ok(State::Objects(address.trim_end_matches('/').to_owned())),
        _ => Err(format!(
            "\"{scheme}://\" is no storage that is known; write a folder, or such as s3://bucket/fraud"
        )),
    }
}

impl FromStr for GroupName {
    type Err = String;

    fn from_str(text: &str) -> Result<GroupName, String> {
        match text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            _ if text.is_empty() => Err("an empty text names no group; write its name".to_owned()),
            true => Err(format!(
                "\"{text}\" has blanks, and no group has them; write such as fraud"
            )),
            false => Ok(GroupName(text.to_owned())),
        }
    }
}

impl FromStr for ScratchFolder {
    type Err = String;

    fn from_str(text: &str) -> Result<ScratchFolder, String> {
        match text {
            "" => Err("an empty text names no folder; write its path".to_owned()),
            path => Ok(ScratchFolder(path.into())),
        }
    }
}

impl FromStr for CheckpointInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<CheckpointInterval, String> {
        match text.parse() {
            Ok(span) if span < CHECKPOINT_MIN => Err(format!(
                "a checkpoint every {span} leaves no time for anything else; write {CHECKPOINT_MIN} or more"
            )),
            Ok(span) => Ok(CheckpointInterval(span)),
            Err(reason) => Err(format!("\"{text}\" is no duration; {reason}")),
        }
    }
}

impl FromStr for CheckpointKeep {
    type Err = String;

    fn from_str(text: &str) -> Result<CheckpointKeep, String> {
        match text.parse() {
            Ok(count @ 1..=1_000) => Ok(CheckpointKeep(count)),
            _ => Err(format!(
                "{text} is no number of checkpoints; write a whole number from 1 to 1000"
            )),
        }
    }
}

impl FromStr for RestartDelay {
    type Err = String;

    fn from_str(text: &str) -> Result<RestartDelay, String> {
        match text.parse() {
            Ok(Span(..0)) => Err(format!("{text} is negative; write how long to wait")),
            Ok(span) => Ok(RestartDelay(span)),
            Err(reason) => Err(format!("\"{text}\" is no duration; {reason}")),
        }
    }
}

impl FromStr for RestartAttempts {
    type Err = String;

    fn from_str(text: &str) -> Result<RestartAttempts, String> {
        match text.parse() {
            Ok(count @ 1..=1_000_000) => Ok(RestartAttempts(count)),
            _ => Err(format!(
                "{text} is no number of restarts; write a whole number from 1 to 1000000, or say restart = \"none\""
            )),
        }
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Bytes, String> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim_start() {
            "" | "B" => Some(0),
            "KiB" => Some(10),
            "MiB" => Some(20),
            "GiB" => Some(30),
            _ => None,
        };
        let bytes = shift.and_then(|shift| number.parse::<u64>().ok()?.checked_mul(1 << shift));
        bytes.map(Bytes).ok_or_else(|| {
            format!("\"{text}\" is no number of bytes; write such as 512MiB or 2GiB")
        })
    }
}

impl FromStr for Http {
    type Err = String;

    /// An address with a port; without a host it is the loopback interface.
    fn from_str(text: &str) -> Result<Http, String> {
        if text == "off" {
            return Ok(Http::Off);
        }
        let port = text.strip_prefix("localhost").unwrap_or(text);
        let port = port.strip_prefix(':').unwrap_or(port);
        if let Ok(port) = port.parse::<u16>() {
            return Ok(Http::At((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Http::At).map_err(|_| {
            format!("\"{text}\" is no address; write IP:PORT such as 127.0.0.1:9464, :9464 for this machine only, or off")
        })
    }
}

/// A checkpoint takes some milliseconds at least.
const CHECKPOINT_MIN: Span = Span(100);

/// Reads one of a few words.
macro_rules! words {
    ($type:ident, $what:literal, $($word:literal => $variant:ident),+) => {
        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<$type, String> {
                match text {
                    $($word => Ok($type::$variant),)+
                    _ => Err(unknown($what, text, &[$($word),+])),
                }
            }
        }
    };
}

words!(RestartPolicy, "policy", "none" => None, "fixed-delay" => FixedDelay, "exponential" => Exponential, "failure-rate" => FailureRate);
words!(OnChange, "choice", "keep" => Keep, "restart" => Restart, "refuse" => Refuse);
words!(TimeBasis, "time", "event" => Event, "ingestion" => Ingestion, "processing" => Processing);
words!(LogLevel, "log level", "off" => Off, "error" => Error, "warn" => Warn, "info" => Info, "debug" => Debug, "trace" => Trace);
words!(LogFormat, "log format", "text" => Text, "json" => Json);
