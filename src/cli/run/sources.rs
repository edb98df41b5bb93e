//! What is read: the sources of events and the tables, as they were named.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use leitmotif::automaton::Tables;
use leitmotif::config::{Config, SourceConfig};
use leitmotif::engine::{SourceSetup, Timing, reads};
use leitmotif::event::EventTypeId;
use leitmotif::event::formats::table::TableData;
use leitmotif::event::formats::{Decoder, Format, Kinds};
use leitmotif::key::Shards;
use leitmotif::lang::pattern::{Program, TableId};
use leitmotif::sink::Target;
use leitmotif::source::{Extent, Follow, Place, SourceSpec};

use crate::cli::suggest;

/// What is read: the sources that are named, and without any stdin, unless that is a terminal.
///
/// # Errors
/// When there is nothing to read, stdin is to be read twice, or an output would overwrite a source.
pub fn wanted(config: &Config) -> Result<Vec<SourceConfig>> {
    let mut sources = config.input.sources.clone();
    if sources.is_empty() {
        if io::stdin().is_terminal() {
            let patterns = config.program.patterns.iter();
            let patterns: Vec<String> = patterns.map(|path| path.display().to_string()).collect();
            bail!(
                "no events to read; name a file with --source, or pipe records in: leitmotif run {} --source events.ndjson",
                patterns.join(" ")
            );
        }
        sources.push(config.input.source(SourceSpec::parse("-")?));
    }
    if sources
        .iter()
        .filter(|source| source.spec.place == Place::Stdin)
        .count()
        > 1
    {
        bail!("stdin can be read once only; name - for one source");
    }
    let read = sources
        .iter()
        .filter_map(|source| match &source.spec.place {
            Place::File { path, .. } | Place::Folder(path) => Some(path),
            _ => None,
        });
    let read: Vec<_> = read
        .filter_map(|path| fs::canonicalize(path).ok())
        .collect();
    for output in &config.outputs {
        let (Target::File(path) | Target::Folder { path, .. }) = &output.target else {
            continue;
        };
        let Ok(written) = absolute(path) else {
            continue;
        };
        if read.contains(&written) {
            bail!(
                "\"{}\" is both a source and an output; it would be lost, so name another output",
                path.display()
            );
        }
        if written
            .parent()
            .is_some_and(|folder| read.iter().any(|path| path == folder))
        {
            bail!(
                "\"{}\" lies in a folder that is a source; its rows would be read as events, so name another output",
                path.display()
            );
        }
    }
    Ok(sources)
}

/// The one path of a file that may not be there yet.
fn absolute(path: &Path) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if !path.exists() => {
            let folder = match folder.as_os_str().is_empty() {
                true => Path::new("."),
                false => folder,
            };
            Ok(fs::canonicalize(folder)?.join(name))
        }
        _ => fs::canonicalize(path),
    }
}

/// Opens every source.
///
/// # Errors
/// When an event type is not known or a source can't be opened.
pub fn open(
    config: &Config,
    sources: &[SourceConfig],
    program: &Program,
    shards: Shards,
) -> Result<Vec<SourceSetup>> {
    let projection = reads::projection(program);
    let follow = match config.input.follow {
        true => Follow::Yes,
        false => Follow::No,
    };
    let mut setups = Vec::with_capacity(sources.len());
    for source in sources {
        let spec = &source.spec;
        let kinds = match &spec.event_type {
            Some(name) => Kinds::One(event_type(program, name)?),
            None => unnamed(&config.input.type_field, program),
        };
        let decoder = || Decoder::new(&program.schema, &projection, spec.format, &kinds);
        let readers = spec.open(usize::from(shards.count()), follow)?;
        let unbounded = (readers.iter()).any(|reader| reader.extent() == Extent::Unbounded);
        let extent = if unbounded {
            Extent::Unbounded
        } else {
            Extent::Bounded
        };
        setups.push(SourceSetup {
            name: source.name.clone(),
            readers: readers
                .into_iter()
                .map(|reader| (reader, decoder()))
                .collect(),
            timing: Timing {
                delay: source.delay,
                idle: source.idle_after(extent),
                time: source.time,
            },
        });
    }
    Ok(setups)
}

fn event_type(program: &Program, name: &str) -> Result<EventTypeId> {
    let declared = || {
        program
            .schema
            .types
            .iter()
            .filter(|ty| ty.time.is_some())
            .map(|ty| ty.name.as_str())
    };
    let found = program
        .schema
        .find(name)
        .filter(|id| program.schema.get(*id).time.is_some());
    found.ok_or_else(|| anyhow!("{}", suggest::unknown("event type", name, declared())))
}

/// Records tell their type. One that is declared with a field of that very name can't, and if it is the only one it need not.
fn unnamed(type_field: &str, program: &Program) -> Kinds {
    let mut declared = (0..)
        .zip(&program.schema.types)
        .filter(|(_, ty)| ty.time.is_some());
    if let (Some((id, only)), None) = (declared.next(), declared.next())
        && only
            .fields
            .iter()
            .any(|field| field.path.join(".") == type_field)
    {
        return Kinds::One(EventTypeId(id));
    }
    Kinds::Told(type_field.to_owned())
}

/// Reads every table.
///
/// # Errors
/// When a table is not declared, has no rows named, or can't be read.
pub fn tables(config: &Config, program: &Program) -> Result<Tables> {
    let names = || program.tables.iter().map(|table| table.name.as_str());
    for (named, _) in &config.program.tables {
        if !names().any(|name| name == named) {
            bail!("{}", suggest::unknown("table", named, names()));
        }
    }
    let mut tables = Tables::empty(program);
    for (id, table) in (0..).zip(&program.tables) {
        let all = config.program.tables.iter();
        let mut named = all.filter(|(named, _)| *named == table.name);
        let Some((_, path)) = named.next() else {
            bail!(
                "table \"{0}\" has no rows; name a file that holds them: --table {0}=rows.csv",
                table.name
            );
        };
        if named.next().is_some() {
            bail!("--table {} is given twice; keep one", table.name);
        }
        let format = match path.extension().and_then(|ext| ext.to_str()) {
            Some("csv") => Format::Csv,
            Some("ndjson" | "jsonl" | "json") => Format::Json,
            _ => bail!(
                "table \"{}\": the ending of \"{}\" does not tell the format; known are .csv .ndjson .jsonl .json",
                table.name,
                path.display()
            ),
        };
        let bytes = fs::read(path).with_context(|| {
            format!(
                "table \"{}\": \"{}\" can't be read; check the path",
                table.name,
                path.display()
            )
        })?;
        let rows = TableData::read(
            &path.display().to_string(),
            format,
            &bytes,
            &table.fields,
            table.key,
        )
        .with_context(|| format!("table \"{}\"", table.name))?;
        tables.load(TableId(id), rows);
    }
    Ok(tables)
}
