//! All checkpoints and savepoints of a folder, and what the newest says of itself.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use leitmotif::States;
use leitmotif::checkpoint::Manifest;
use leitmotif::embed::{Condition, Stored};
use leitmotif::time::Timestamp;
use serde::Serialize;

use super::{event_time, json, time};
use crate::cli::args::{ReportFormat, StateArgs};
use crate::cli::summary::thousands;
use crate::cli::top::number::{bytes, duration};

/// Writes what there is.
///
/// # Errors
/// When the folder can't be read, or has no such checkpoint.
pub fn show(args: &StateArgs, states: &States) -> Result<()> {
    let all = match args.verify {
        true => states.all_verified()?,
        false => states.all()?,
    };
    let detailed = match &args.checkpoint {
        Some(wanted) => Some(states.find(Some(wanted))?),
        // None is complete: the list says so.
        None => states.find(None).ok(),
    };
    let text = match args.format {
        ReportFormat::Json => json(&Listed {
            folder: args.folder.display().to_string(),
            checkpoints: all.iter().map(Entry::of).collect(),
        })?,
        ReportFormat::Text => text(args, &all, detailed.as_ref()),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

fn text(args: &StateArgs, all: &[Stored], detailed: Option<&Stored>) -> String {
    let mut out = String::new();
    if all.is_empty() {
        let shown = args.folder.display();
        let _ = writeln!(
            out,
            "state \"{shown}\": no checkpoint yet; a run makes the first one after its --checkpoint interval"
        );
        return out;
    }
    let titles = [
        "CHECKPOINT",
        "KIND",
        "MADE",
        "AGE",
        "STATE",
        "EVENT TIME",
        "CONDITION",
    ];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(all.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..titles.len()).filter_map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    if let Some((stored, manifest)) = detailed.and_then(|one| Some((one, one.manifest.as_ref()?))) {
        let _ = writeln!(out);
        details(&mut out, stored, manifest);
    }
    out
}

fn row(stored: &Stored) -> [String; 7] {
    let manifest = stored.manifest.as_ref();
    let made = manifest.map(|manifest| manifest.made_ms);
    let dash = || "–".to_owned();
    [
        match stored.is_savepoint() {
            true => stored.name.clone(),
            false => stored.epoch.to_string(),
        },
        kind(stored).to_owned(),
        made.map_or_else(dash, |ms| time(Timestamp(ms))),
        made.map_or_else(dash, |ms| {
            duration(now_ms().saturating_sub(ms) as f64 / 1e3)
        }),
        bytes(stored.bytes as f64),
        match manifest.map(|manifest| (manifest.ended, event_time(manifest))) {
            Some((true, _)) => "all input ended".to_owned(),
            Some((false, Some(ms))) => time(Timestamp(ms)),
            _ => dash(),
        },
        match &stored.condition {
            Condition::Complete => "complete".to_owned(),
            Condition::Open => "not committed".to_owned(),
            Condition::Damaged(why) => format!("damaged: {why}"),
        },
    ]
}

fn details(out: &mut String, stored: &Stored, manifest: &Manifest) {
    let name = match stored.is_savepoint() {
        true => format!("savepoint {}, epoch {}", stored.name, stored.epoch),
        false => format!("checkpoint {}", stored.epoch),
    };
    let _ = writeln!(out, "{name} in {}", stored.path.display());
    let _ = writeln!(out, "  patterns  {}", manifest.patterns.join(", "));
    for source in &manifest.sources {
        let places = source.partitions.iter().map(|partition| {
            let at = partition.position.as_ref();
            let at = at.map_or("cannot be read again".to_owned(), |position| {
                format!("goes on at {}", thousands(position.offset))
            });
            match partition.number {
                0 if source.partitions.len() == 1 => at,
                number => format!("{number} {at}"),
            }
        });
        let places: Vec<String> = places.collect();
        let _ = writeln!(out, "  source    {}: {}", source.name, places.join(", "));
    }
    for (place, _) in &manifest.sinks {
        let _ = writeln!(out, "  output    {place}");
    }
    let shards = manifest.shards.len();
    let _ = writeln!(out, "  shards    {shards}");
}

fn kind(stored: &Stored) -> &'static str {
    match stored.is_savepoint() {
        true => "savepoint",
        false => "checkpoint",
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}

#[derive(Serialize)]
struct Listed {
    folder: String,
    checkpoints: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    epoch: u64,
    name: String,
    kind: &'static str,
    path: String,
    /// `complete`, `open` or `damaged`.
    condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    bytes: u64,
    #[serde(flatten)]
    says: Option<Says>,
}

/// What a manifest says.
#[derive(Serialize)]
struct Says {
    made_ms: i64,
    event_time_ms: Option<i64>,
    ended: bool,
    shards: usize,
    patterns: Vec<String>,
    sources: Vec<SourceEntry>,
    outputs: Vec<String>,
}

#[derive(Serialize)]
struct SourceEntry {
    name: String,
    partitions: Vec<PartitionEntry>,
}

#[derive(Serialize)]
struct PartitionEntry {
    partition: u32,
    /// Null where the source cannot be read again.
    offset: Option<u64>,
}

impl Entry {
    fn of(stored: &Stored) -> Entry {
        let (condition, why) = match &stored.condition {
            Condition::Complete => ("complete", None),
            Condition::Open => ("open", None),
            Condition::Damaged(why) => ("damaged", Some(why.clone())),
        };
        Entry {
            epoch: stored.epoch.0,
            name: stored.name.clone(),
            kind: kind(stored),
            path: stored.path.display().to_string(),
            condition,
            why,
            bytes: stored.bytes,
            says: stored.manifest.as_ref().map(Says::of),
        }
    }
}

impl Says {
    fn of(manifest: &Manifest) -> Says {
        let sources = manifest.sources.iter().map(|source| SourceEntry {
            name: source.name.clone(),
            partitions: (source.partitions.iter())
                .map(|partition| PartitionEntry {
                    partition: partition.number,
                    offset: partition.position.as_ref().map(|position| position.offset),
                })
                .collect(),
        });
        Says {
            made_ms: manifest.made_ms,
            event_time_ms: event_time(manifest),
            ended: manifest.ended,
            shards: manifest.shards.len(),
            patterns: manifest.patterns.clone(),
            sources: sources.collect(),
            outputs: manifest
                .sinks
                .iter()
                .map(|(place, _)| place.clone())
                .collect(),
        }
    }
}
