//! `leitmotif diff`: what becomes of the state of each pattern when a run goes on with changed ones, told before it is done.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use leitmotif::States;
use leitmotif::automaton::Tables;
use leitmotif::engine::{Change, Plan, pattern_changes};
use leitmotif::lang::pattern::{PatternId, Program};
use serde::Serialize;

use super::Outcome;
use super::args::{DiffArgs, ProgramArgs, ReportFormat};
use super::program;
use super::state::word;
use super::summary::thousands;

/// What becomes of one pattern.
#[derive(Serialize)]
struct Entry {
    pattern: String,
    #[serde(serialize_with = "as_word")]
    change: Change,
    /// What makes its state unreadable; empty if it is kept, or the old pattern is not known.
    why: Vec<String>,
    /// True if it says something else than before: its matches get other ids. Null when the old pattern is not known.
    reworded: Option<bool>,
    /// Partial matches that would be lost; null without a state folder.
    lost: Option<u64>,
}

/// Compares, and says what it finds.
///
/// # Errors
/// When files or the state can't be read.
pub fn run(args: &DiffArgs) -> Result<Outcome> {
    let (old, new) = match &args.patterns[..] {
        [old, new] => (Some(old), new),
        [new] if args.state.is_some() => (None, new),
        _ => bail!(
            "there is nothing to compare with; name the patterns as they were, too, or the state folder with --state"
        ),
    };
    let Some(new) = plan(args, new)? else {
        return Ok(Outcome::Findings);
    };
    let old = match old {
        Some(path) => match plan(args, path)? {
            Some(plan) => Some(plan),
            None => return Ok(Outcome::Findings),
        },
        None => None,
    };
    let entries = match &args.state {
        Some(folder) => with_state(folder, old.as_ref(), &new)?,
        None => {
            let old = old.as_ref().expect("one of both is there");
            let changes = pattern_changes(old, &new).into_iter();
            changes
                .map(|(name, change)| entry(name, change, Some(old), &new, None))
                .collect()
        }
    };
    let text = match args.format {
        ReportFormat::Text => text(&entries),
        ReportFormat::Json => {
            let mut text = serde_json::to_string_pretty(&entries)?;
            text.push('\n');
            text
        }
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(match entries.iter().any(Entry::loses) {
        true => Outcome::Findings,
        false => Outcome::Fine,
    })
}

/// The patterns of a file or folder; nothing if they have mistakes, which then were shown.
fn plan(args: &DiffArgs, path: &Path) -> Result<Option<Plan>> {
    let of_program = ProgramArgs {
        patterns: vec![path.to_owned()],
        params: args.params.clone(),
    };
    let Some((_, program)) = program::load(&of_program)?.usable()? else {
        return Ok(None);
    };
    let tables = Tables::empty(&program);
    Ok(Some(Plan::new(Arc::new(program), &tables)?))
}

/// What a state folder has decides; the old patterns only say why.
fn with_state(folder: &Path, old: Option<&Plan>, new: &Plan) -> Result<Vec<Entry>> {
    let states = States::at(folder)?;
    let stored = states.find(None)?;
    let inspection = states.inspect(&stored, Arc::clone(new.program()))?;
    let mut patterns = inspection.patterns()?;
    patterns.sort_by(|a, b| a.name.cmp(&b.name));
    let entries = patterns.into_iter().map(|state| {
        let lost = match state.change {
            Change::Restarted | Change::Dropped => state.live,
            Change::Kept | Change::New => 0,
        };
        entry(state.name, state.change, old, new, Some(lost))
    });
    Ok(entries.collect())
}

fn entry(name: String, change: Change, old: Option<&Plan>, new: &Plan, lost: Option<u64>) -> Entry {
    let before = old.and_then(|old| Some((old, number(old.program(), &name)?)));
    let after = number(new.program(), &name).map(|number| (new, number));
    let both = before.zip(after);
    let why = both.map(|((old, before), (new, after))| {
        let (before, after) = (old.automaton(before), new.automaton(after));
        let parts = before.structure_changes(after).into_iter();
        parts.map(|part| part.to_string()).collect()
    });
    let reworded = both.map(|((old, before), (new, after))| {
        let pattern = |plan: &Plan, id: PatternId| plan.fingerprint(id);
        pattern(old, before) != pattern(new, after)
    });
    Entry {
        pattern: name,
        change,
        why: why.unwrap_or_default(),
        reworded,
        lost,
    }
}

fn number(program: &Program, name: &str) -> Option<PatternId> {
    let mut numbered = (0..).map(PatternId).zip(&program.patterns);
    let (id, _) = numbered.find(|(_, pattern)| pattern.name == name)?;
    Some(id)
}

impl Entry {
    /// True if partial matches would be lost, as far as is known.
    fn loses(&self) -> bool {
        match self.lost {
            Some(lost) => lost > 0,
            None => matches!(self.change, Change::Restarted | Change::Dropped),
        }
    }

    fn line(&self) -> String {
        let said = match (self.change, self.reworded) {
            (Change::Kept, Some(true)) => {
                "kept: says something else, so its matches get other ids".to_owned()
            }
            (Change::Kept, _) => "kept".to_owned(),
            (Change::New, _) => "new: begins without state".to_owned(),
            (Change::Dropped, _) => "dropped: there is no such pattern any more".to_owned(),
            (Change::Restarted, _) if self.why.is_empty() => {
                "restarted: has another structure than its state".to_owned()
            }
            (Change::Restarted, _) => {
                format!("restarted: {} changed", self.why.join("; "))
            }
        };
        match (self.change, self.lost) {
            (Change::Restarted | Change::Dropped, Some(1)) => {
                format!("{said}; 1 partial match is lost")
            }
            (Change::Restarted | Change::Dropped, Some(lost)) => {
                format!("{said}; {} partial matches are lost", thousands(lost))
            }
            _ => said,
        }
    }
}

fn text(entries: &[Entry]) -> String {
    let names = entries.iter().map(|entry| entry.pattern.chars().count());
    let width = names.max().unwrap_or(0);
    let mut out = String::new();
    for entry in entries {
        let _ = writeln!(out, "{:<width$}  {}", entry.pattern, entry.line());
    }
    out
}

fn as_word<S: serde::Serializer>(change: &Change, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(word(*change))
}
