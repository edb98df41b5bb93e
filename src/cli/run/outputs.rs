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
    /// With `--pretty`: how rows to stdout are written.
    pretty: Option<Layout>,
    written: u64,
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
        Ok(Outputs {
            program: Arc::clone(program),
            specs: specs.to_vec(),
            sinks: sink::Outputs::open(program, specs)?,
            pretty: args.pretty.then(|| Layout::of(program, color)),
            written: 0,
        })
    }

    /// Writes rows that came out of the engine.
    ///
    /// # Errors
    /// When a sink can't be written.
    pub fn write(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            let Some(target) = self.target(row.stream) else {
                continue;
            };
            match self.pretty.filter(|_| *target == Target::Stdout) {
                Some(layout) => {
                    let line = layout.line(&self.program, row);
                    io::stdout().lock().write_all(line.as_bytes())?;
                }
                None => self.sinks.write(row)?,
            }
            self.written += 1;
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
        self.specs
            .iter()
            .any(|spec| spec.name.as_deref() == Some(output))
    }

    /// True if rows are drawn on the terminal.
    pub fn draw_on_terminal(&self) -> bool {
        let to_stdout =
            |stream| self.target_of(&self.program.schema.get(stream).name) == &Target::Stdout;
        io::stdout().is_terminal() && streams(&self.program).any(to_stdout)
    }

    /// Rows written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Where rows of a stream go; `None` for a side output that nobody asked for.
    fn target(&self, stream: Stream) -> Option<&Target> {
        match stream {
            Stream::Match(ty) | Stream::Timeout(ty) => {
                Some(self.target_of(&self.program.schema.get(ty).name))
            }
            Stream::Evicted => self
                .specs
                .iter()
                .find(|spec| spec.name.as_deref() == Some("evicted"))
                .map(|spec| &spec.target),
        }
    }

    fn target_of(&self, stream: &str) -> &Target {
        let named = self
            .specs
            .iter()
            .find(|spec| spec.name.as_deref() == Some(stream));
        let spec = named.or_else(|| self.specs.iter().find(|spec| spec.name.is_none()));
        spec.map_or(&Target::Stdout, |spec| &spec.target)
    }
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
