//! Where rows go: as JSON to the sinks that were named, or as lines for people to stdout.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use anyhow::{Result, bail};
use leitmotif::automaton::{Row, Stream};
use leitmotif::event::EventTypeId;
use leitmotif::lang::pattern::Program;
use leitmotif::sink::{self, OutputSpec, SIDE_OUTPUTS, Target};
use leitmotif::source::Rejected;

use super::pretty::Layout;
use crate::cli::args::RunArgs;
use crate::cli::suggest;

/// All outputs of a run.
pub struct Outputs {
    program: Arc<Program>,
    specs: Vec<OutputSpec>,
    sinks: sink::Outputs,
    pretty: Option<Pretty>,
    keeps_evicted: bool,
    written: u64,
}

/// With `--pretty`: how rows to stdout are written, and which these are.
struct Pretty {
    layout: Layout,
    /// By event type: true for streams whose rows go to stdout.
    streams: Vec<bool>,
    evicted: bool,
}

impl Outputs {
    /// Checks the names and opens what they are bound to.
    ///
    /// # Errors
    /// When a name is not known, or a sink can't be opened.
    pub fn open(args: &RunArgs, specs: &[OutputSpec], program: &Arc<Program>) -> Result<Outputs> {
        check_names(specs, program)?;
        let color = io::stdout().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let pretty = args.pretty.then(|| Pretty {
            layout: Layout::of(program, color),
            streams: (program.schema.types.iter())
                .map(|ty| *target(specs, &ty.name) == Target::Stdout)
                .collect(),
            evicted: bound(specs, "evicted") == Some(&Target::Stdout),
        });
        Ok(Outputs {
            program: Arc::clone(program),
            specs: specs.to_vec(),
            sinks: sink::Outputs::open(program, specs)?,
            pretty,
            keeps_evicted: bound(specs, "evicted").is_some(),
            written: 0,
        })
    }

    /// Writes rows that came out of the engine.
    ///
    /// # Errors
    /// When a sink can't be written.
    pub fn write(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            match self.pretty.as_ref().filter(|pretty| pretty.takes(row)) {
                Some(pretty) => {
                    let line = pretty.layout.line(&self.program, row);
                    io::stdout().lock().write_all(line.as_bytes())?;
                }
                None => self.sinks.write(row)?,
            }
            self.written += u64::from(row.stream != Stream::Evicted || self.keeps_evicted);
        }
        Ok(())
    }

    /// Writes a record that took no part, if anybody wants it.
    ///
    /// # Errors
    /// When a sink can't be written.
    pub fn reject(&mut self, rejected: &Rejected<'_>) -> Result<()> {
        self.written += u64::from(self.keeps(rejected.rejection.output()));
        Ok(self.sinks.reject(rejected)?)
    }

    /// Hands everything written to the system.
    ///
    /// # Errors
    /// When a sink can't be written.
    pub fn flush(&mut self) -> Result<()> {
        self.sinks.flush()?;
        Ok(io::stdout().lock().flush()?)
    }

    /// True if the output of this name is bound by name.
    pub fn keeps(&self, output: &str) -> bool {
        bound(&self.specs, output).is_some()
    }

    /// True if rows are drawn on the terminal.
    pub fn draw_on_terminal(&self) -> bool {
        let name = |stream| &self.program.schema.get(stream).name;
        io::stdout().is_terminal()
            && streams(&self.program)
                .any(|stream| *target(&self.specs, name(stream)) == Target::Stdout)
    }

    /// Rows written so far.
    pub fn written(&self) -> u64 {
        self.written
    }
}

impl Pretty {
    fn takes(&self, row: &Row) -> bool {
        match row.stream {
            Stream::Match(ty) | Stream::Timeout(ty) => self.streams[usize::from(ty.0)],
            Stream::Evicted => self.evicted,
        }
    }
}

/// Where rows of a stream go.
fn target<'a>(specs: &'a [OutputSpec], stream: &str) -> &'a Target {
    let all = || specs.iter().find(|spec| spec.name.is_none());
    let unnamed = || all().map_or(&Target::Stdout, |spec| &spec.target);
    bound(specs, stream).unwrap_or_else(unnamed)
}

/// What an output is bound to by its name.
fn bound<'a>(specs: &'a [OutputSpec], output: &str) -> Option<&'a Target> {
    let named = specs
        .iter()
        .find(|spec| spec.name.as_deref() == Some(output));
    named.map(|spec| &spec.target)
}

fn check_names(specs: &[OutputSpec], program: &Program) -> Result<()> {
    let known = || {
        let mut names: Vec<&str> = streams(program)
            .map(|stream| program.schema.get(stream).name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().chain(SIDE_OUTPUTS)
    };
    for name in specs.iter().filter_map(|spec| spec.name.as_deref()) {
        if !known().any(|other| other == name) {
            bail!("{}", suggest::unknown("output", name, known()));
        }
    }
    Ok(())
}

/// Every stream that patterns emit, some perhaps more than once.
fn streams(program: &Program) -> impl Iterator<Item = EventTypeId> {
    program.patterns.iter().flat_map(|pattern| {
        let emits = pattern.emits.iter().map(|emit| emit.stream);
        emits.chain(pattern.timeout.iter().map(|timeout| timeout.stream))
    })
}
