//! Where rows go: as JSON to the sinks that were named, or as lines for people to stdout.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use anyhow::{Result, bail};
use leitmotif::Builder;
use leitmotif::automaton::Row;
use leitmotif::event::EventTypeId;
use leitmotif::lang::pattern::Program;
use leitmotif::sink::{OutputSpec, RowText, SIDE_OUTPUTS, Sending, Target};

use super::pretty::Layout;
use crate::cli::args::RunArgs;
use crate::cli::suggest;

/// Adds what names are bound to. What is not bound goes to stdout.
pub fn add(
    mut builder: Builder,
    args: &RunArgs,
    specs: &[OutputSpec],
    program: &Arc<Program>,
) -> Builder {
    for OutputSpec { name, target } in specs {
        builder = match name {
            Some(name) => builder.output(name.as_str(), target.clone()),
            None => builder.outputs(target.clone()),
        };
    }
    if specs.iter().all(|spec| spec.name.is_some()) {
        builder = builder.outputs(Target::Stdout(Sending::AtOnce));
    }
    if !args.pretty {
        return builder;
    }
    let color = io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let text = Pretty {
        layout: Layout::of(program, color),
        program: Arc::clone(program),
    };
    builder.pretty(Box::new(text))
}

/// True if the output of this name is bound by name.
pub fn keeps(specs: &[OutputSpec], output: &str) -> bool {
    bound(specs, output).is_some()
}

/// True if rows are drawn on the terminal.
pub fn draws_on_terminal(specs: &[OutputSpec], program: &Program) -> bool {
    let name = |stream| &program.schema.get(stream).name;
    io::stdout().is_terminal()
        && streams(program).any(|stream| target(specs, name(stream)).is_stdout())
}

/// With `--pretty`: rows on stdout as lines for people.
struct Pretty {
    layout: Layout,
    program: Arc<Program>,
}

impl RowText for Pretty {
    fn append(&self, row: &Row, out: &mut Vec<u8>) {
        out.extend_from_slice(self.layout.line(&self.program, row).as_bytes());
    }
}

/// Where rows of a stream go.
fn target<'a>(specs: &'a [OutputSpec], stream: &str) -> &'a Target {
    let all = || specs.iter().find(|spec| spec.name.is_none());
    let unnamed = || all().map_or(&Target::Stdout(Sending::AtOnce), |spec| &spec.target);
    bound(specs, stream).unwrap_or_else(unnamed)
}

/// What an output is bound to by its name.
fn bound<'a>(specs: &'a [OutputSpec], output: &str) -> Option<&'a Target> {
    let named = specs
        .iter()
        .find(|spec| spec.name.as_deref() == Some(output));
    named.map(|spec| &spec.target)
}

/// That every output that is bound is there.
///
/// # Errors
/// When a name is not known.
pub fn check_names(specs: &[OutputSpec], program: &Program) -> Result<()> {
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
