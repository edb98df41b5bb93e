//! What is read: the sources of events and the tables, as they were named.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use leitmotif::automaton::Tables;
use leitmotif::engine::{SourceSetup, TimeFrom, Timing, reads};
use leitmotif::event::EventTypeId;
use leitmotif::event::formats::table::TableData;
use leitmotif::event::formats::{Decoder, Format, Kinds};
use leitmotif::key::Shards;
use leitmotif::lang::pattern::{Program, TableId};
use leitmotif::sink::{OutputSpec, Target};
use leitmotif::source::{Extent, Place, SourceSpec};
use leitmotif::time::Span;

use crate::cli::args::RunArgs;
use crate::cli::suggest;

/// What the command line names, before anything is opened.
pub struct Wanted {
    /// Never empty.
    pub sources: Vec<SourceSpec>,
    /// As they were named.
    pub outputs: Vec<OutputSpec>,
}

/// Takes sources and outputs apart. Without a source it is stdin, unless that is a terminal.
///
/// # Errors
/// When one can't be meant, or an output would overwrite a source.
pub fn wanted(args: &RunArgs) -> Result<Wanted> {
    let outputs = args
        .outputs
        .iter()
        .map(|text| OutputSpec::parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sources = args
        .sources
        .iter()
        .map(|text| SourceSpec::parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    if sources.is_empty() {
        if io::stdin().is_terminal() {
            bail!(
                "no events to read; name a file with --source, or pipe records in: leitmotif run {} --source events.ndjson",
                args.program.patterns[0].display()
            );
        }
        sources.push(SourceSpec::parse("-")?);
    }
    if sources
        .iter()
        .filter(|source| source.place == Place::Stdin)
        .count()
        > 1
    {
        bail!("stdin can be read once only; name - for one source");
    }
    let read = sources.iter().filter_map(|source| match &source.place {
        Place::File { path, .. } => Some(path),
        Place::Stdin => None,
    });
    let read: Vec<_> = read
        .filter_map(|path| fs::canonicalize(path).ok())
        .collect();
    for output in &outputs {
        if let Target::File(path) = &output.target
            && fs::canonicalize(path).is_ok_and(|path| read.contains(&path))
        {
            bail!(
                "\"{}\" is both a source and an output; it would be lost, so name another output",
                path.display()
            );
        }
    }
    Ok(Wanted { sources, outputs })
}

/// Silence of this length sets a partition of an unbounded source aside.
const IDLE: Span = Span(10_000);

/// Opens every source.
///
/// # Errors
/// When an event type is not known or a source can't be opened.
pub fn open(
    args: &RunArgs,
    wanted: &Wanted,
    program: &Program,
    _shards: Shards,
) -> Result<Vec<SourceSetup>> {
    let projection = reads::projection(program);
    let mut sources = Vec::new();
    for spec in &wanted.sources {
        let kinds = match &spec.event_type {
            Some(name) => Kinds::One(event_type(program, name)?),
            None => unnamed(args, program),
        };
        let decoder = || Decoder::new(&program.schema, &projection, spec.format, &kinds);
        let readers: Vec<_> = [spec.open()?]
            .into_iter()
            .map(|reader| (reader, decoder()))
            .collect();
        let bounded = (readers.iter()).all(|(reader, _)| reader.extent() == Extent::Bounded);
        sources.push(SourceSetup {
            name: spec.name(),
            readers,
            timing: Timing {
                delay: args.delay,
                idle: (!bounded).then_some(IDLE),
                time: TimeFrom::Event,
            },
        });
    }
    Ok(sources)
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
fn unnamed(args: &RunArgs, program: &Program) -> Kinds {
    let mut declared = (0..)
        .zip(&program.schema.types)
        .filter(|(_, ty)| ty.time.is_some());
    if let (Some((id, only)), None) = (declared.next(), declared.next())
        && only
            .fields
            .iter()
            .any(|field| field.path.join(".") == args.type_field)
    {
        return Kinds::One(EventTypeId(id));
    }
    Kinds::Told(args.type_field.clone())
}

/// Reads every table.
///
/// # Errors
/// When a table is not declared, has no rows named, or can't be read.
pub fn tables(args: &RunArgs, program: &Program) -> Result<Tables> {
    let names = || program.tables.iter().map(|table| table.name.as_str());
    for named in &args.tables {
        if !names().any(|name| name == named.name) {
            bail!("{}", suggest::unknown("table", &named.name, names()));
        }
    }
    let mut tables = Tables::empty(program);
    for (id, table) in (0..).zip(&program.tables) {
        let mut named = args.tables.iter().filter(|named| named.name == table.name);
        let Some(first) = named.next() else {
            bail!(
                "table \"{0}\" has no rows; name a file that holds them: --table {0}=rows.csv",
                table.name
            );
        };
        if named.next().is_some() {
            bail!("--table {} is given twice; keep one", table.name);
        }
        let path = Path::new(&first.value);
        let format = match path.extension().and_then(|ext| ext.to_str()) {
            Some("csv") => Format::Csv,
            Some("ndjson" | "jsonl" | "json") => Format::Json,
            _ => bail!(
                "table \"{}\": the ending of \"{}\" does not tell the format; known are .csv .ndjson .jsonl .json",
                table.name,
                first.value
            ),
        };
        let bytes = fs::read(path).with_context(|| {
            format!(
                "table \"{}\": \"{}\" can't be read; check the path",
                table.name, first.value
            )
        })?;
        let rows = TableData::read(&first.value, format, &bytes, &table.fields, table.key)
            .with_context(|| format!("table \"{}\"", table.name))?;
        tables.load(TableId(id), rows);
    }
    Ok(tables)
}
