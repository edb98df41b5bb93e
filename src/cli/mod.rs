//! What the `leitmotif` command does with what was typed.
//!
//! Rows and reports go to stdout, everything said about them to stderr. Exit codes: 0 fine, 1 findings or failed tests, 2 usage,
//! configuration or I/O, 70 gave up restarting, 130 interrupted. Mistakes in patterns are findings; everything that keeps a command from doing its work is an error on one line.

mod args;
mod check;
mod config;
mod diff;
mod explain;
mod fmt;
#[cfg(feature = "http")]
mod http;
mod literal;
mod log;
#[cfg(feature = "jemalloc")]
mod memory;
mod program;
mod run;
#[cfg(test)]
mod sample;
mod savepoint;
mod state;
mod suggest;
mod summary;
mod test;
mod top;

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use args::{Command, CommandLine};

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to complain about.
    Fine,
    /// Mistakes in patterns, failed tests, files laid out otherwise.
    Findings,
    /// Stopped by Ctrl-C.
    Interrupted,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let typed = CommandLine::parse();
    let result = match typed.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::State(args) => state::run(&args),
        Command::Savepoint(args) => savepoint::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Top(args) => top::run(&args),
    };
    match result {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        // Whoever read our output has seen enough of it, as in `leitmotif run … | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed too there is nobody left to tell.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(if gave_up(&error) { 70 } else { 2 })
        }
    }
}

/// True if a run failed more often than it was to begin again.
fn gave_up(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let run = cause.downcast_ref::<leitmotif::Error>();
        run.is_some_and(|run| run.kind() == leitmotif::ErrorKind::GaveUp)
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        let run = cause.downcast_ref::<leitmotif::Error>();
        io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)
            || run.is_some_and(|run| run.kind() == leitmotif::ErrorKind::Closed)
    })
}
