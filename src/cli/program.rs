//! From pattern files to a checked program, with what is wrong shown on the way.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use leitmotif::embed::files;
use leitmotif::lang::Params;
use leitmotif::lang::diagnostic::render::{Style, render};
use leitmotif::lang::diagnostic::{Diagnostic, Severity};
use leitmotif::lang::pattern::Program;
use leitmotif::lang::span::SourceMap;

use super::args::{Named, ProgramArgs};

/// Pattern files with what came of them.
pub struct Loaded {
    /// As they were read.
    pub files: SourceMap,
    /// `None` when there are errors.
    pub program: Option<Program>,
    /// Errors and warnings, in the order of places.
    pub diagnostics: Vec<Diagnostic>,
}

/// How many findings there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// They keep the program from being used.
    pub errors: usize,
    /// They don't.
    pub warnings: usize,
}

/// Reads and checks the files that were named.
///
/// # Errors
/// When a file can't be read. Mistakes in patterns are no errors here but diagnostics.
pub fn load(args: &ProgramArgs) -> Result<Loaded> {
    let files = files::load(&args.patterns)?;
    let compiled = leitmotif::lang::compile(&files, &params(&args.params)?);
    Ok(Loaded {
        files,
        program: compiled.program,
        diagnostics: compiled.diagnostics,
    })
}

fn params(named: &[Named]) -> Result<Params> {
    let mut params = Params::default();
    for (at, Named { name, value }) in named.iter().enumerate() {
        if named[..at].iter().any(|other| other.name == *name) {
            bail!("--param {name} is given twice; keep one");
        }
        params.set(name, value);
    }
    Ok(params)
}

impl Loaded {
    /// The program, with warnings shown; `None` when it has errors, which then were shown.
    ///
    /// # Errors
    /// When stderr can't be written.
    pub fn usable(self) -> Result<Option<(SourceMap, Program)>> {
        self.show()?;
        Ok(self.program.map(|program| (self.files, program)))
    }

    /// Writes every finding to stderr for people, and how many there are.
    ///
    /// # Errors
    /// When stderr can't be written.
    pub fn show(&self) -> Result<Tally> {
        show(&self.diagnostics, &self.files)?;
        Ok(self.tally())
    }

    /// How many findings there are.
    pub fn tally(&self) -> Tally {
        let errors = self
            .diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .count();
        Tally {
            errors,
            warnings: self.diagnostics.len() - errors,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |count| if count == 1 { "" } else { "s" };
        let Tally { errors, warnings } = *self;
        write!(
            f,
            "{errors} error{}, {warnings} warning{}",
            plural(errors),
            plural(warnings)
        )
    }
}

/// Writes findings to stderr for people, with an empty line after them; in colour on a terminal whose owner has nothing against it.
///
/// # Errors
/// When stderr can't be written.
pub fn show(diagnostics: &[Diagnostic], files: &SourceMap) -> Result<()> {
    if diagnostics.is_empty() {
        return Ok(());
    }
    let color = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let style = if color { Style::Color } else { Style::Plain };
    writeln!(
        io::stderr(),
        "{}\n",
        render(diagnostics, files, style).trim_end()
    )?;
    Ok(())
}
