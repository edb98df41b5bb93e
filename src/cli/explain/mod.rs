//! `leitmotif explain`: what a pattern does, or what a code means.

pub mod expression;
pub mod facts;
mod graph;
mod reads;
mod samples;
mod text;
mod ways;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use leitmotif::lang::diagnostic::Severity;
use leitmotif::lang::diagnostic::codes;

use super::Outcome;
use super::args::{ExplainArgs, ExplainFormat, ProgramArgs};
use super::{program, suggest};
use facts::Facts;

/// Explains the codes and patterns that were named.
///
/// # Errors
/// When a file can't be read, or a code or pattern does not exist.
pub fn run(args: &ExplainArgs) -> Result<Outcome> {
    let (asked, patterns): (Vec<&PathBuf>, Vec<&PathBuf>) =
        args.subjects.iter().partition(|subject| is_code(subject));
    let mut out = io::stdout().lock();
    for code in asked {
        let code = code.to_string_lossy();
        let Some(info) = codes::explain(&code.to_uppercase()) else {
            bail!("no code {code}; codes are shown in brackets, as in error[E107]");
        };
        let severity = match info.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(out, "{severity}[{}]: {}\n", info.code.0, info.title)?;
        writeln!(out, "{}", info.explanation.trim())?;
    }
    if patterns.is_empty() {
        return Ok(Outcome::Fine);
    }
    let args_of_program = ProgramArgs {
        patterns: patterns.into_iter().cloned().collect(),
        params: args.params.clone(),
    };
    let Some((_, program)) = program::load(&args_of_program)?.usable()? else {
        return Ok(Outcome::Findings);
    };
    let names = || program.patterns.iter().map(|pattern| pattern.name.as_str());
    if let Some(wanted) = args
        .pattern
        .as_deref()
        .filter(|wanted| !names().any(|name| name == *wanted))
    {
        bail!("{}", suggest::unknown("pattern", wanted, names()));
    }
    let chosen = program.patterns.iter().filter(|pattern| {
        args.pattern
            .as_ref()
            .is_none_or(|name| pattern.name == *name)
    });
    let facts = chosen
        .map(|pattern| Facts::gather(&program, pattern))
        .collect::<Result<Vec<Facts>>>()?;
    match args.format {
        ExplainFormat::Text => {
            let texts: Vec<String> = facts.iter().map(text::show).collect();
            out.write_all(texts.join("\n").as_bytes())?;
        }
        ExplainFormat::Dot => out.write_all(graph::dot(&facts).as_bytes())?,
        ExplainFormat::Mermaid => out.write_all(graph::mermaid(&facts).as_bytes())?,
        ExplainFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &facts)?;
            writeln!(out)?;
        }
    }
    Ok(Outcome::Fine)
}

/// A letter and three digits, unless there is a file of that name.
fn is_code(subject: &Path) -> bool {
    let text = subject.to_string_lossy();
    let mut chars = text.chars();
    let shaped = text.len() == 4
        && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_digit());
    shaped && !subject.exists()
}
