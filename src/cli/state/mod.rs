//! `leitmotif state`: which checkpoints a state folder holds, what lives in one of them, and what a key waits for.
//!
//! It only reads, and takes no lock: an engine may go on beside it, make checkpoints and remove old ones.

mod key;
mod list;
mod patterns;

pub use patterns::word;

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::{Result, bail};
use leitmotif::States;
use leitmotif::checkpoint::Manifest;
use leitmotif::embed::Stored;
use leitmotif::engine::Inspection;
use leitmotif::lang::pattern::{PatternId, Program};
use leitmotif::time::Timestamp;
use serde::Serialize;

use super::Outcome;
use super::args::{ProgramArgs, StateArgs};
use super::literal::Clock;
use super::{program, suggest};

/// How often another checkpoint is looked for when the engine has removed the one that was read.
const TRIES: usize = 5;

/// Says what was asked for.
///
/// # Errors
/// When there is no such folder, checkpoint, pattern or key, or something can't be read.
pub fn run(args: &StateArgs) -> Result<Outcome> {
    let states = States::at(&args.folder)?;
    if args.patterns.is_empty() {
        list::show(args, &states)?;
        return Ok(Outcome::Fine);
    }
    let of_program = ProgramArgs {
        patterns: args.patterns.clone(),
        params: args.params.clone(),
    };
    let Some((_, program)) = program::load(&of_program)?.usable()? else {
        return Ok(Outcome::Findings);
    };
    let program = Arc::new(program);
    let chosen = chosen(&program, args.pattern.as_deref())?;
    let keys = key::asked(&program, &chosen, args)?;
    for last in (1..=TRIES).map(|tried| tried == TRIES) {
        let stored = states.find(args.checkpoint.as_deref())?;
        let looked = states.inspect(&stored, Arc::clone(&program));
        let shown = looked.map_err(anyhow::Error::from).and_then(|inspection| {
            owned_by(args, &program, inspection.manifest())?;
            Ok(match &keys {
                Some(keys) => key::text(args.format, &program, &inspection, keys)?,
                None => patterns::text(args.format, &program, &chosen, &inspection)?,
            })
        });
        match shown {
            Ok(text) => {
                io::stdout().lock().write_all(text.as_bytes())?;
                return Ok(Outcome::Fine);
            }
            // It was removed while it was read: there is a newer one.
            Err(_) if removed(&stored) && args.checkpoint.is_none() && !last => {}
            Err(_) if removed(&stored) => bail!(
                "checkpoint \"{}\" was removed while it was read; look at a newer one, or keep it: leitmotif savepoint {}",
                stored.path.display(),
                args.folder.display()
            ),
            Err(error) => return Err(error),
        }
    }
    unreachable!("the last try ends it")
}

fn removed(stored: &Stored) -> bool {
    !stored.path.join("manifest").exists()
}

/// The patterns that are asked for, by number.
fn chosen(program: &Program, name: Option<&str>) -> Result<Vec<PatternId>> {
    let numbered = || (0..).map(PatternId).zip(&program.patterns);
    let Some(wanted) = name else {
        return Ok(numbered().map(|(id, _)| id).collect());
    };
    let found = numbered().find(|(_, pattern)| pattern.name == wanted);
    match found {
        Some((id, _)) => Ok(vec![id]),
        None => {
            let names = program.patterns.iter().map(|pattern| pattern.name.as_str());
            bail!("{}", suggest::unknown("pattern", wanted, names))
        }
    }
}

/// That at least one of the patterns has something in the state.
fn owned_by(args: &StateArgs, program: &Program, manifest: &Manifest) -> Result<()> {
    let is_ours = |name: &String| program.patterns.iter().any(|own| own.name == *name);
    if manifest.patterns.is_empty() || manifest.patterns.iter().any(is_ours) {
        return Ok(());
    }
    bail!(
        "state \"{}\" belongs to other patterns: {}; name the files that hold them",
        args.folder.display(),
        manifest.patterns.join(", ")
    )
}

/// Which instant is shown.
#[derive(Serialize)]
struct Instant {
    epoch: u64,
    /// Up to where event time had passed; null before the first event and after the end of all input.
    event_time_ms: Option<i64>,
}

impl Instant {
    fn of(inspection: &Inspection) -> Instant {
        let manifest = inspection.manifest();
        Instant {
            epoch: manifest.epoch.0,
            event_time_ms: event_time(manifest),
        }
    }

    /// `checkpoint 42, event time 2023-11-14T22:13:20Z`
    fn text(&self) -> String {
        let time = self.event_time_ms.map(|ms| time(Timestamp(ms)));
        let time = time.map(|time| format!(", event time {time}"));
        format!("checkpoint {}{}", self.epoch, time.unwrap_or_default())
    }
}

/// Up to where event time had passed, if that is a time.
fn event_time(manifest: &Manifest) -> Option<i64> {
    let ms = manifest.watermark_ms;
    (ms != i64::MIN && ms != i64::MAX).then_some(ms)
}

fn time(at: Timestamp) -> String {
    Clock::Calendar.show(at)
}

/// One JSON document, line break included.
fn json(value: &impl Serialize) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}
