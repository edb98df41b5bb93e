//! What an engine is told besides its patterns: from the defaults, a TOML file, the environment and flags to one complete [`Config`].
//!
//! Each of the three says what it likes in a [`RawConfig`]; the later one wins: defaults < file < environment < flags. Reading reports every
//! mistake at once, with its place and the way out. Nothing here reads the environment, a clock or a file: they arrive as arguments.
//!
//! ```
//! use leitmotif::config::{Cores, Environment, RawConfig};
//!
//! let environment = Environment::new([("LEITMOTIF_DELAY".to_owned(), "5s".to_owned())]);
//! let file = RawConfig::from_toml("leitmotif.toml", "delay = \"2s\"\npatterns = [\"patterns\"]", &environment).unwrap();
//! let raw = RawConfig::from_environment(&environment).unwrap().over(file);
//! let config = raw.complete(Cores(4));
//! assert_eq!(config.input.delay.to_string(), "5s");
//! assert_eq!(config.shards, 4);
//! ```

mod environment;
mod file;
mod mistake;
mod setting;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::sink::{OutputSpec, Target};
use crate::source::kafka::Settings;
use crate::source::{Extent, Place, SourceSpec};
use crate::time::Span;

pub use crate::engine::{OnChange, Restart, RestartPolicy, TimeBasis};
pub use crate::key::Shards;
pub use environment::Environment;
pub use mistake::{Error, Mistake};
pub use setting::{
    Bytes, CheckpointInterval, CheckpointKeep, GroupName, Http, Idle, LogFormat, LogLevel,
    RestartAttempts, RestartDelay, ScratchFolder, State,
};

/// How long an unbounded source may be silent before time goes on without it, unless told otherwise.
pub const IDLE_DEFAULT: Span = Span(10_000);

/// How often a checkpoint is made, unless told otherwise.
pub const CHECKPOINT_DEFAULT: Span = Span(10_000);

/// How many checkpoints are kept, unless told otherwise.
pub const CHECKPOINT_KEEP_DEFAULT: usize = 3;

/// How many bytes of memory durable state may use, unless told otherwise: 1 GiB.
pub const STATE_MEMORY_DEFAULT: u64 = 1 << 30;

/// The field that tells event types apart, unless told otherwise.
pub const TYPE_FIELD_DEFAULT: &str = "type";

/// All that a run is told, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which patterns, and what changes their meaning.
    pub program: ProgramConfig,
    /// What is read.
    pub input: InputConfig,
    /// Where rows go; at most one without a name.
    pub outputs: Vec<OutputSpec>,
    /// Threads that match, from 1 to [`Shards::MAX`].
    pub shards: u16,
    /// Where metrics, health and readiness can be asked for.
    pub http: Option<SocketAddr>,
    /// What is logged.
    pub log: LogConfig,
    /// How state is kept; `None` when it ends with the process.
    pub state: Option<StateConfig>,
    /// Which group the run is an instance of; `None` when it reads all partitions itself.
    pub join: Option<JoinConfig>,
}

/// A run that shares its topics with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinConfig {
    /// The consumer group.
    pub group: String,
    /// Where on this machine lies what need not outlive the process.
    pub scratch: PathBuf,
}

/// Where durable state lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatePlace {
    /// In this folder.
    Folder(PathBuf),
    /// In object storage, at this address: `s3://bucket/prefix`.
    Objects(String),
}

/// How durable state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateConfig {
    /// Where.
    pub place: StatePlace,
    /// How often a checkpoint is made.
    pub checkpoint: Span,
    /// How many checkpoints are kept.
    pub keep: usize,
    /// How many bytes of memory it may use.
    pub memory_bytes: u64,
    /// What becomes of the state of patterns that have changed.
    pub on_change: OnChange,
    /// When a run that has failed begins again.
    pub restart: Restart,
}

/// Which patterns run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramConfig {
    /// Files, or folders that hold `.motif` files. Empty when nobody named any.
    pub patterns: Vec<PathBuf>,
    /// Overridden `param`s with their text; no name twice.
    pub params: Vec<(String, String)>,
    /// Tables with the file that holds their rows; no name twice.
    pub tables: Vec<(String, PathBuf)>,
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputConfig {
    /// In the order in which they were named, which decides between events of the same time. Empty when nobody named any.
    pub sources: Vec<SourceConfig>,
    /// The field that tells event types apart in a source that carries several.
    pub type_field: String,
    /// How far events may be out of order, where a source says nothing else.
    pub delay: Span,
    /// How long a source may be silent, where a source says nothing else.
    pub idle: Idle,
    /// True when files stay open after their end, for what is appended.
    pub follow: bool,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    /// Under this name messages, counts and metrics speak of it.
    pub name: String,
    /// Where its records are and what they are.
    pub spec: SourceSpec,
    /// How far its events may be out of order.
    pub delay: Span,
    /// How long it may be silent before time goes on without it.
    pub idle: Idle,
    /// Which time its events have.
    pub time: TimeBasis,
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The least important that is logged.
    pub level: LogLevel,
    /// How it is written.
    pub format: LogFormat,
}

/// How many processors there are: the default number of shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores(pub usize);

/// What one place says: a file, the environment, or flags. What it doesn't say is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawConfig {
    /// Files or folders of patterns.
    pub patterns: Vec<PathBuf>,
    /// Single values.
    pub overrides: Overrides,
    /// In the order in which they were named.
    pub sources: Vec<RawSource>,
    /// Where rows go.
    pub outputs: Vec<OutputSpec>,
    /// Files of rows, by table.
    pub tables: Vec<(String, PathBuf)>,
    /// Texts of values, by `param`.
    pub params: Vec<(String, String)>,
    /// What clients of Kafka are told, those of sources and of outputs.
    pub kafka: Settings,
}

/// The single values, which can be said in a file, in the environment and by a flag alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Threads that match.
    pub shards: Option<Shards>,
    /// How far events may be out of order.
    pub delay: Option<Span>,
    /// How long sources may be silent.
    pub idle: Option<Idle>,
    /// The field that tells event types apart.
    pub type_field: Option<String>,
    /// Whether files stay open after their end.
    pub follow: Option<bool>,
    /// Where metrics can be asked for.
    pub http: Option<Http>,
    /// The least important that is logged.
    pub log: Option<LogLevel>,
    /// How it is logged.
    pub log_format: Option<LogFormat>,
    /// Where state is kept.
    pub state: Option<State>,
    /// How often a checkpoint is made.
    pub checkpoint: Option<CheckpointInterval>,
    /// How many checkpoints are kept.
    pub checkpoint_keep: Option<CheckpointKeep>,
    /// How much memory durable state may use.
    pub state_memory: Option<Bytes>,
    /// What becomes of the state of patterns that have changed.
    pub on_change: Option<OnChange>,
    /// When a run that has failed begins again.
    pub restart: Option<RestartPolicy>,
    /// How long is waited for it, the first time.
    pub restart_delay: Option<RestartDelay>,
    /// How long is waited for it at most.
    pub restart_delay_max: Option<RestartDelay>,
    /// How many failures are borne.
    pub restart_attempts: Option<RestartAttempts>,
    /// After how long a failure is forgotten.
    pub restart_window: Option<RestartDelay>,
    /// Which group is joined.
    pub join: Option<GroupName>,
    /// Where on this machine lies what need not outlive the process.
    pub scratch: Option<ScratchFolder>,
}

/// A source as one place names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawSource {
    /// Its name; `None` where it is called by what it reads.
    pub name: Option<String>,
    /// Where its records are and what they are.
    pub spec: SourceSpec,
    /// How far its events may be out of order.
    pub delay: Option<Span>,
    /// How long it may be silent.
    pub idle: Option<Idle>,
    /// Which time its events have.
    pub time: Option<TimeBasis>,
}

impl From<SourceSpec> for RawSource {
    fn from(spec: SourceSpec) -> RawSource {
        RawSource {
            name: None,
            spec,
            delay: None,
            idle: None,
            time: None,
        }
    }
}

impl RawConfig {
    /// What `self` says, and where it says nothing, what `lower` says. Patterns and sources are replaced as a whole; outputs, tables and params
    /// by name.
    #[must_use]
    pub fn over(self, lower: RawConfig) -> RawConfig {
        RawConfig {
            patterns: whole(self.patterns, lower.patterns),
            overrides: self.overrides.over(lower.overrides),
            sources: whole(self.sources, lower.sources),
            outputs: by_name(self.outputs, lower.outputs, |output| &output.name),
            tables: by_name(self.tables, lower.tables, |(name, _)| name),
            params: by_name(self.params, lower.params, |(name, _)| name),
            kafka: self.kafka.over(lower.kafka),
        }
    }

    /// Fills in the defaults.
    #[must_use]
    pub fn complete(mut self, cores: Cores) -> Config {
        for source in &mut self.sources {
            if let Place::Kafka(topics) = &mut source.spec.place {
                topics.settle(&self.kafka);
            }
        }
        for output in &mut self.outputs {
            if let Target::Kafka(topic) = &mut output.target {
                topic.settle(&self.kafka);
            }
        }
        let Overrides {
            shards,
            delay,
            idle,
            type_field,
            follow,
            http,
            log,
            log_format,
            state,
            checkpoint,
            checkpoint_keep,
            state_memory,
            on_change,
            restart,
            restart_delay,
            restart_delay_max,
            restart_attempts,
            restart_window,
            join,
            scratch,
        } = self.overrides;
        let place = match state {
            Some(State::Folder(folder)) => Some(StatePlace::Folder(folder)),
            Some(State::Objects(address)) => Some(StatePlace::Objects(address)),
            Some(State::Memory) | None => None,
        };
        let mut input = InputConfig {
            sources: Vec::new(),
            type_field: type_field.unwrap_or_else(|| TYPE_FIELD_DEFAULT.to_owned()),
            delay: delay.unwrap_or(Span(0)),
            idle: idle.unwrap_or_default(),
            follow: follow.unwrap_or(false),
        };
        input.sources = (self.sources.into_iter())
            .map(|source| input.source(source))
            .collect();
        Config {
            program: ProgramConfig {
                patterns: self.patterns,
                params: self.params,
                tables: self.tables,
            },
            input,
            outputs: self.outputs,
            shards: shards
                .unwrap_or_else(|| setting::shards_for(cores.0))
                .count(),
            http: match http {
                Some(Http::At(address)) => Some(address),
                Some(Http::Off) | None => None,
            },
            log: LogConfig {
                level: log.unwrap_or_default(),
                format: log_format.unwrap_or_default(),
            },
            state: place.map(|place| StateConfig {
                place,
                checkpoint: checkpoint.map_or(CHECKPOINT_DEFAULT, |every| every.0),
                keep: checkpoint_keep.map_or(CHECKPOINT_KEEP_DEFAULT, |keep| keep.0),
                memory_bytes: state_memory.map_or(STATE_MEMORY_DEFAULT, |bytes| bytes.0),
                on_change: on_change.unwrap_or_default(),
                restart: Restart {
                    policy: restart.unwrap_or(Restart::DEFAULT.policy),
                    delay: duration(restart_delay, Restart::DEFAULT.delay),
                    delay_max: duration(restart_delay_max, Restart::DEFAULT.delay_max),
                    attempts: restart_attempts
                        .map_or(Restart::DEFAULT.attempts, |attempts| attempts.0),
                    window: duration(restart_window, Restart::DEFAULT.window),
                },
            }),
            join: join.map(|GroupName(group)| JoinConfig {
                group,
                scratch: scratch.map_or_else(std::env::temp_dir, |folder| folder.0),
            }),
        }
    }
}

impl InputConfig {
    /// A source with what it does not say filled in.
    #[must_use]
    pub fn source(&self, raw: impl Into<RawSource>) -> SourceConfig {
        let raw = raw.into();
        SourceConfig {
            name: raw.name.unwrap_or_else(|| raw.spec.name()),
            spec: raw.spec,
            delay: raw.delay.unwrap_or(self.delay),
            idle: raw.idle.unwrap_or(self.idle),
            time: raw.time.unwrap_or_default(),
        }
    }
}

impl Idle {
    /// How long a source may be silent, by whether its input ends by itself; `None` for as long as it likes.
    #[must_use]
    pub fn after(self, extent: Extent) -> Option<Span> {
        match (self, extent) {
            (Idle::After(span), _) => Some(span),
            (Idle::ByExtent, Extent::Unbounded) => Some(IDLE_DEFAULT),
            (Idle::ByExtent, Extent::Bounded) | (Idle::Off, _) => None,
        }
    }
}

impl Overrides {
    /// What `self` says, and where it says nothing, what `lower` says.
    #[must_use]
    pub fn over(self, lower: Overrides) -> Overrides {
        Overrides {
            shards: self.shards.or(lower.shards),
            delay: self.delay.or(lower.delay),
            idle: self.idle.or(lower.idle),
            type_field: self.type_field.or(lower.type_field),
            follow: self.follow.or(lower.follow),
            http: self.http.or(lower.http),
            log: self.log.or(lower.log),
            log_format: self.log_format.or(lower.log_format),
            state: self.state.or(lower.state),
            checkpoint: self.checkpoint.or(lower.checkpoint),
            checkpoint_keep: self.checkpoint_keep.or(lower.checkpoint_keep),
            state_memory: self.state_memory.or(lower.state_memory),
            on_change: self.on_change.or(lower.on_change),
            restart: self.restart.or(lower.restart),
            restart_delay: self.restart_delay.or(lower.restart_delay),
            restart_delay_max: self.restart_delay_max.or(lower.restart_delay_max),
            restart_attempts: self.restart_attempts.or(lower.restart_attempts),
            restart_window: self.restart_window.or(lower.restart_window),
            join: self.join.or(lower.join),
            scratch: self.scratch.or(lower.scratch),
        }
    }
}

fn duration(said: Option<RestartDelay>, default: Duration) -> Duration {
    said.map_or(default, |delay| {
        Duration::from_millis(delay.0.0.unsigned_abs())
    })
}

fn whole<T>(upper: Vec<T>, lower: Vec<T>) -> Vec<T> {
    if upper.is_empty() { lower } else { upper }
}

/// Those of `upper`, then those of `lower` whose name `upper` has not.
fn by_name<T, N: PartialEq>(mut upper: Vec<T>, lower: Vec<T>, name: impl Fn(&T) -> &N) -> Vec<T> {
    let own = upper.len();
    for one in lower {
        if !upper[..own].iter().any(|other| name(other) == name(&one)) {
            upper.push(one);
        }
    }
    upper
}
