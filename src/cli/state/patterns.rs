//! What lives in a checkpoint, by pattern and step.

use std::fmt::Write as _;

use anyhow::Result;
use leitmotif::engine::{Change, Inspection, PatternState};
use leitmotif::lang::pattern::{PatternId, Program};
use serde::Serialize;

use super::{Instant, json};
use crate::cli::args::ReportFormat;
use crate::cli::summary::thousands;

/// Counts all that lives and says it of the patterns that are asked for; of those that are gone only when all are.
///
/// # Errors
/// When the state can't be read.
pub fn text(
    format: ReportFormat,
    program: &Program,
    chosen: &[PatternId],
    inspection: &Inspection,
) -> Result<String> {
    let all = chosen.len() == program.patterns.len();
    let is_chosen = |pattern: &PatternState| {
        let mut names = chosen
            .iter()
            .map(|id| &program.patterns[id.0 as usize].name);
        all || names.any(|name| *name == pattern.name)
    };
    let mut patterns = inspection.patterns()?;
    patterns.retain(is_chosen);
    let at = Instant::of(inspection);
    match format {
        ReportFormat::Text => Ok(lines(&at, &patterns)),
        ReportFormat::Json => json(&Told {
            at,
            patterns: patterns.iter().map(Entry::of).collect(),
        }),
    }
}

fn lines(at: &Instant, patterns: &[PatternState]) -> String {
    let mut out = format!("{}\n", at.text());
    let names = patterns.iter().map(|pattern| pattern.name.chars().count());
    let width = names.max().unwrap_or(0);
    for pattern in patterns {
        let (name, keys) = (&pattern.name, pattern.keys);
        let plural = if keys == 1 { "key" } else { "keys" };
        let held = format!(
            "{} live, {} {plural}",
            thousands(pattern.live),
            thousands(keys)
        );
        let _ = match pattern.change {
            Change::Kept => writeln!(out, "  {name:<width$}  {held}"),
            Change::New => writeln!(out, "  {name:<width$}  new: no state"),
            Change::Restarted => writeln!(
                out,
                "  {name:<width$}  {held}: with another structure, so this pattern would begin without it"
            ),
            Change::Dropped => writeln!(out, "  {name:<width$}  {held}: no such pattern any more"),
        };
        let steps = pattern.steps.iter().filter(|(_, count)| *count > 0);
        for (step, count) in steps {
            let _ = writeln!(out, "  {:<width$}    {} at {step}", "", thousands(*count));
        }
    }
    out
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    at: Instant,
    patterns: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    pattern: &'a str,
    /// `kept`, `restarted`, `dropped` or `new`.
    change: &'static str,
    keys: u64,
    live: u64,
    steps: Vec<StepEntry<'a>>,
}

#[derive(Serialize)]
struct StepEntry<'a> {
    step: &'a str,
    count: u64,
}

impl Entry<'_> {
    fn of(state: &PatternState) -> Entry<'_> {
        let steps = state.steps.iter();
        Entry {
            pattern: &state.name,
            change: word(state.change),
            keys: state.keys,
            live: state.live,
            steps: steps
                .map(|(step, count)| StepEntry {
                    step,
                    count: *count,
                })
                .collect(),
        }
    }
}

/// One word for what becomes of a pattern's state.
pub fn word(change: Change) -> &'static str {
    match change {
        Change::Kept => "kept",
        Change::Restarted => "restarted",
        Change::Dropped => "dropped",
        Change::New => "new",
    }
}
