//! What can be typed, and nothing about what it means: every value here is text that has the right shape.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use leitmotif::config::{
    Bytes, CheckpointInterval, CheckpointKeep, GroupName, Http, Idle, LogFormat, LogLevel,
    OnChange, RestartAttempts, RestartDelay, RestartPolicy, ScratchFolder, Shards, State,
};
use leitmotif::time::Span;

/// Finds patterns in streams of events.
#[derive(Debug, Parser)]
#[command(
    name = "leitmotif",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Exit codes: 0 fine, 1 findings or failed tests, 2 usage, configuration or I/O, 70 gave up restarting, 130 interrupted."
)]
pub struct CommandLine {
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run patterns over events and write what they emit
    Run(Box<RunArgs>),
    /// Find mistakes in pattern files
    Check(CheckArgs),
    /// Lay out pattern files
    Fmt(FmtArgs),
    /// Run the tests that pattern files hold
    Test(TestArgs),
    /// Say what a pattern does, or what a code such as E107 means
    Explain(ExplainArgs),
    /// Say what lies in a state folder, and what a key waits for
    State(StateArgs),
    /// Keep the state as it is now, to begin from it later
    Savepoint(SavepointArgs),
    /// Say what a change of patterns does to their state
    Diff(DiffArgs),
    /// Watch a running engine on a terminal
    Top(TopArgs),
}

/// The pattern files, and what changes their meaning.
#[derive(Debug, Args)]
pub struct ProgramArgs {
    /// Pattern files, or folders that hold `.motif` files
    #[arg(required = true, value_name = "PATTERNS")]
    pub patterns: Vec<PathBuf>,
    /// Override a `param` of the pattern files
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = named)]
    pub params: Vec<Named>,
}

/// `leitmotif run`. What can also be said in a configuration file has no default here, so that the file is heard.
#[derive(Clone, Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArgs {
    /// Pattern files, or folders that hold `.motif` files
    #[arg(value_name = "PATTERNS")]
    pub patterns: Vec<PathBuf>,
    /// A TOML file that says what flags say; flags win, and so do LEITMOTIF_* environment variables
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Override a `param` of the pattern files
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = named)]
    pub params: Vec<Named>,
    /// Events: a .ndjson, .jsonl or .csv file (also .gz, .zst), or - for stdin; NAME= when the file holds one event type
    #[arg(long = "source", value_name = "[NAME=]FILE")]
    pub sources: Vec<String>,
    /// Where rows go: a file, or - for stdout; NAME= is a stream, `late`, `malformed` or `evicted`, without it all streams
    #[arg(long = "output", value_name = "[NAME=]FILE")]
    pub outputs: Vec<String>,
    /// The rows of a `table`: a .csv, .ndjson or .jsonl file
    #[arg(long = "table", value_name = "NAME=FILE", value_parser = named)]
    pub tables: Vec<Named>,
    /// The field that tells event types apart in a source without NAME= [default: type]
    #[arg(long, value_name = "FIELD")]
    pub type_field: Option<String>,
    /// How far events may be out of order; later ones are late: 0s wants them sorted by time [default: 0s]
    #[arg(long, value_name = "TIME")]
    pub delay: Option<Span>,
    /// How long a source may be silent before time goes on without it, or off [default: 10s, off for files]
    #[arg(long, value_name = "TIME", value_parser = read::<Idle>)]
    pub idle: Option<Idle>,
    /// Keep files open after their end, for what is appended
    #[arg(long)]
    pub follow: bool,
    /// Threads that match, 1 to 256 [default: one per processor]
    #[arg(long, value_name = "N", value_parser = read::<Shards>)]
    pub shards: Option<Shards>,
    /// Serve metrics, health and readiness, such as at 127.0.0.1:9464 [default: off]
    #[arg(long, value_name = "ADDRESS", value_parser = read::<Http>)]
    pub http: Option<Http>,
    /// The least important that is logged to stderr: off, error, warn, info, debug or trace [default: warn]
    #[arg(long, value_name = "LEVEL", value_parser = read::<LogLevel>)]
    pub log: Option<LogLevel>,
    /// How it is logged: text or json [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = read::<LogFormat>)]
    pub log_format: Option<LogFormat>,
    /// Keep state in this folder, so that a run that was stopped or killed goes on where it was; memory keeps none [default: memory]
    #[arg(long, value_name = "FOLDER", value_parser = read::<State>)]
    pub state: Option<State>,
    /// How often a checkpoint is made: after a crash as much is done again [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = read::<CheckpointInterval>)]
    pub checkpoint: Option<CheckpointInterval>,
    /// How many checkpoints are kept [default: 3]
    #[arg(long, value_name = "N", value_parser = read::<CheckpointKeep>)]
    pub checkpoint_keep: Option<CheckpointKeep>,
    /// How much memory state may use before it is left on disk [default: 1GiB]
    #[arg(long, value_name = "BYTES", value_parser = read::<Bytes>)]
    pub state_memory: Option<Bytes>,
    /// What becomes of the state of patterns that have changed: keep what can be kept, restart, or refuse to lose any [default: keep]
    #[arg(long, value_name = "CHOICE", value_parser = read::<OnChange>)]
    pub on_change: Option<OnChange>,
    /// When a run that has failed begins again from its last checkpoint: none, fixed-delay, exponential or failure-rate [default: exponential]
    #[arg(long, value_name = "POLICY", value_parser = read::<RestartPolicy>)]
    pub restart: Option<RestartPolicy>,
    /// How long is waited for it; with exponential the first time, then twice as long [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = read::<RestartDelay>)]
    pub restart_delay: Option<RestartDelay>,
    /// How long is waited for it at most, with exponential [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = read::<RestartDelay>)]
    pub restart_delay_max: Option<RestartDelay>,
    /// How many failures in a row are borne, or with failure-rate within the window, before it ends with exit code 70 [default: 10]
    #[arg(long, value_name = "N", value_parser = read::<RestartAttempts>)]
    pub restart_attempts: Option<RestartAttempts>,
    /// A run that goes on for so long has recovered; with failure-rate, how long a failure counts [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = read::<RestartDelay>)]
    pub restart_window: Option<RestartDelay>,
    /// Join this consumer group: instances share the partitions of their topics, and hand state on in the folder or storage that --state names
    #[arg(long, value_name = "GROUP", value_parser = read::<GroupName>)]
    pub join: Option<GroupName>,
    /// Where on this machine a member of a group keeps what need not outlive it [default: the system's folder for such]
    #[arg(long, value_name = "FOLDER", value_parser = read::<ScratchFolder>)]
    pub scratch: Option<ScratchFolder>,
    /// A checkpoint or savepoint to begin from, when the state folder holds no checkpoint: its folder, or the name of a savepoint there
    #[arg(long, value_name = "FOLDER|NAME")]
    pub from: Option<PathBuf>,
    /// How the closing summary is written to stderr
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub summary: SummaryFormat,
    /// Write a readable line per row to stdout instead of NDJSON
    #[arg(long)]
    pub pretty: bool,
}

const RUN_EXAMPLES: &str = "Examples:
  leitmotif run patterns/fraud --source Txn=cards.ndjson --delay 2s
  leitmotif run door.motif --source Beat=beats.csv.gz --output alerts.ndjson --output late=late.ndjson
  zcat cards.ndjson.gz | leitmotif run fraud.motif --source Txn=-
  leitmotif run --config leitmotif.toml --http 127.0.0.1:9464";

/// `leitmotif check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Which patterns.
    #[command(flatten)]
    pub program: ProgramArgs,
    /// End with exit code 1 on warnings too
    #[arg(long)]
    pub deny_warnings: bool,
    /// How findings are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: CheckFormat,
}

/// `leitmotif fmt`
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Pattern files, or folders that hold `.motif` files; - lays out stdin to stdout
    #[arg(required = true, value_name = "PATTERNS")]
    pub patterns: Vec<PathBuf>,
    /// Change nothing; end with exit code 1 if a file is laid out otherwise
    #[arg(long)]
    pub check: bool,
    /// Change nothing; show what would change
    #[arg(long)]
    pub diff: bool,
}

/// `leitmotif test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Which patterns.
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Only tests whose name holds this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Also write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// `leitmotif explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Pattern files, folders that hold `.motif` files, or codes such as E107
    #[arg(required = true, value_name = "PATTERNS|CODE")]
    pub subjects: Vec<PathBuf>,
    /// Override a `param` of the pattern files
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = named)]
    pub params: Vec<Named>,
    /// Only the pattern of this name
    #[arg(long, value_name = "NAME")]
    pub pattern: Option<String>,
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ExplainFormat,
}

/// `leitmotif state`
#[derive(Debug, Args)]
#[command(after_help = STATE_EXAMPLES)]
pub struct StateArgs {
    /// A state folder, which an engine may be using, or the folder of a checkpoint or savepoint
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Pattern files, or folders that hold `.motif` files: says what their patterns have there; without them checkpoints are listed
    #[arg(value_name = "PATTERNS")]
    pub patterns: Vec<PathBuf>,
    /// Override a `param` of the pattern files
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = named)]
    pub params: Vec<Named>,
    /// Look at this checkpoint or savepoint [default: the newest]
    #[arg(long, value_name = "NUMBER|NAME")]
    pub checkpoint: Option<String>,
    /// Only the pattern of this name
    #[arg(long, value_name = "NAME", requires = "patterns")]
    pub pattern: Option<String>,
    /// Show what this key waits for; once for each part of the key
    #[arg(
        long = "key",
        value_name = "VALUE",
        requires = "patterns",
        allow_hyphen_values = true
    )]
    pub key: Vec<String>,
    /// Read every byte of what is listed, as a run does that goes on from it
    #[arg(long, conflicts_with = "patterns")]
    pub verify: bool,
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ReportFormat,
}

const STATE_EXAMPLES: &str = "Examples:
  leitmotif state state
  leitmotif state state patterns/fraud
  leitmotif state state patterns/fraud --pattern probe_then_drain --key c1";

/// `leitmotif savepoint`
#[derive(Debug, Args)]
#[command(after_help = SAVEPOINT_EXAMPLES)]
pub struct SavepointArgs {
    /// A state folder; an engine that uses it makes a checkpoint now, without stopping
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// What it is called, or where it is to lie if there is a / in it [default: its epoch]
    #[arg(long, value_name = "NAME|PATH")]
    pub to: Option<String>,
    /// How long the engine may take for its checkpoint
    #[arg(long, value_name = "TIME", default_value = "1m")]
    pub wait: Span,
}

const SAVEPOINT_EXAMPLES: &str = "Writes the savepoint's folder to stdout.

Examples:
  leitmotif savepoint state --to before-upgrade
  leitmotif run patterns --source Txn=cards.ndjson --state new-state --from state/savepoints/before-upgrade
  leitmotif savepoint state --to /backup/monday";

/// `leitmotif diff`
#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub struct DiffArgs {
    /// Patterns as they were and as they are to be, a file or folder each; with --state the latter are enough
    #[arg(required = true, num_args = 1..=2, value_names = ["OLD", "NEW"])]
    pub patterns: Vec<PathBuf>,
    /// The state folder that is to be gone on from: says what would be lost
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// Override a `param` of the pattern files
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = named)]
    pub params: Vec<Named>,
    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ReportFormat,
}

const DIFF_EXAMPLES: &str = "Ends with exit code 1 if partial matches would be lost.

Examples:
  leitmotif diff deployed/ patterns/
  leitmotif diff patterns/ --state state
  leitmotif diff deployed/ patterns/ --state state";

/// `leitmotif top`
#[derive(Debug, Args)]
#[command(after_help = "q, Esc or Ctrl-C ends it.")]
pub struct TopArgs {
    /// Where the engine serves its status: what `leitmotif run --http` was given
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:9464")]
    pub url: String,
    /// Print one frame, of one second, as text and end
    #[arg(long)]
    pub once: bool,
}

/// How `check` writes findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    Text,
    /// A JSON array on stdout.
    Json,
    /// Annotations of a continuous integration run, on stdout.
    Github,
}

/// How `state` and `diff` write what they found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// How `explain` writes patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people.
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// One JSON document.
    Json,
}

/// How `run` writes its closing summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SummaryFormat {
    /// For people.
    Text,
    /// One JSON object on one line.
    Json,
}

/// `NAME=VALUE`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Before the first `=`.
    pub name: String,
    /// After it.
    pub value: String,
}

fn named(text: &str) -> Result<Named, String> {
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => Ok(Named {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// As patterns write names.
fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads what knows itself how it is read.
fn read<T: FromStr<Err = String>>(text: &str) -> Result<T, String> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_well_formed() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }
}
