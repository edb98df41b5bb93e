//! What can be typed, and nothing about what it means: every value here is text that has the right shape.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
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
    after_help = "Exit codes: 0 fine, 1 findings or failed tests, 2 usage, configuration or I/O, 130 interrupted."
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
    Run(RunArgs),
    /// Find mistakes in pattern files
    Check(CheckArgs),
    /// Lay out pattern files
    Fmt(FmtArgs),
    /// Run the tests that pattern files hold
    Test(TestArgs),
    /// Say what a pattern does, or what a code such as E107 means
    Explain(ExplainArgs),
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

/// `leitmotif run`
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArgs {
    /// Which patterns.
    #[command(flatten)]
    pub program: ProgramArgs,
    /// Events: a .ndjson, .jsonl or .csv file (also .gz, .zst), or - for stdin; NAME= when the file holds one event type
    #[arg(long = "source", value_name = "[NAME=]FILE")]
    pub sources: Vec<String>,
    /// Where rows go: a file, or - for stdout; NAME= is a stream, `late`, `malformed` or `evicted`, without it all streams
    #[arg(long = "output", value_name = "[NAME=]FILE")]
    pub outputs: Vec<String>,
    /// The rows of a `table`: a .csv, .ndjson or .jsonl file
    #[arg(long = "table", value_name = "NAME=FILE", value_parser = named)]
    pub tables: Vec<Named>,
    /// The field that tells event types apart in a source without NAME=
    #[arg(long, value_name = "FIELD", default_value = "type")]
    pub type_field: String,
    /// How far events may be out of order; later ones are late: 0s wants them sorted by time
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span)]
    pub delay: Span,
    /// Threads that match
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: u16,
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
  zcat cards.ndjson.gz | leitmotif run fraud.motif --source Txn=-";

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

const DURATION_HELP: &str =
    "write a number with a unit (ms, s, m, h or d), such as 2s, 250ms or 1h30m";

/// Reads a duration as patterns write it.
fn span(text: &str) -> Result<Span, String> {
    let wrong = || DURATION_HELP.to_owned();
    let mut total: i64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let unit: i64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        total = number
            .checked_mul(unit)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| format!("`{text}` is longer than time lasts"))?;
        rest = after;
    }
    Ok(Span(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_well_formed() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
    }

    #[test]
    fn durations_read_as_patterns_write_them() {
        assert_eq!(span("2s"), Ok(Span(2_000)));
        assert_eq!(span("1h30m"), Ok(Span(5_400_000)));
        assert_eq!(span("0s"), Ok(Span(0)));
        for wrong in [
            "",
            "2",
            "s",
            "5min",
            "-1s",
            "1.5s",
            "99999999999999999999s",
            "9223372036854775807d",
        ] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
