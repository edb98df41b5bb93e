//! What is read: the sources of events and the tables, as they were named.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use leitmotif::automaton::Tables;
use leitmotif::engine::intake::{Counts, Intake};
use leitmotif::engine::reads;
use leitmotif::event::EventTypeId;
use leitmotif::event::formats::table::TableData;
use leitmotif::event::formats::{Decoder, Format, Kinds};
use leitmotif::lang::pattern::{Program, TableId};
use leitmotif::sink::{OutputSpec, Target};
use leitmotif::source::{Follow, Place, Rejected, Rejection, SourceSpec};
use leitmotif::time::Span;

use crate::cli::args::RunArgs;
use crate::cli::suggest;
use crate::cli::summary::SourceCounts;

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
        _ => None,
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

/// Opens every source.
///
/// # Errors
/// When an event type is not known or a source can't be opened.
pub fn open(args: &RunArgs, wanted: &Wanted, program: &Program) -> Result<Intake> {
    let projection = reads::projection(program);
    let mut intake = Intake::new();
    for spec in &wanted.sources {
        let kinds = match &spec.event_type {
            Some(name) => Kinds::One(event_type(program, name)?),
            None => unnamed(args, program),
        };
        let decoder = Decoder::new(&program.schema, &projection, spec.format, &kinds);
        let mut readers = spec.open(1, Follow::No)?;
        intake.add(spec.name(), readers.swap_remove(0), decoder, args.delay);
    }
    Ok(intake)
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

/// What was wrong with the records that took no part. Few sources, so a list will do.
#[derive(Default)]
pub struct Reasons(Vec<Reason>);

/// What was wrong with the late or the malformed records of one source.
struct Reason {
    source: String,
    rejection: Rejection,
    /// With the first of them.
    first: String,
    /// How far the latest of them lay before the watermark.
    behind_max: Option<Span>,
}

impl Reasons {
    /// Takes note of a record.
    pub fn note(&mut self, rejected: &Rejected<'_>) {
        let mut known = self.0.iter_mut();
        match known.find(|reason| reason.is_about(rejected.source, rejected.rejection)) {
            Some(reason) => reason.behind_max = reason.behind_max.max(rejected.behind),
            None => self.0.push(Reason {
                source: rejected.source.to_owned(),
                rejection: rejected.rejection,
                first: format!("record {}: {}", rejected.offset, rejected.reason),
                behind_max: rejected.behind,
            }),
        }
    }

    /// A source's counts with the reasons noted for it; `delay` is what was allowed for.
    pub fn counts(&self, name: &str, counts: Counts, delay: Span) -> SourceCounts {
        let reason = |rejection| {
            self.0
                .iter()
                .find(|reason| reason.is_about(name, rejection))
        };
        let first = |rejection| reason(rejection).map(|reason| reason.first.clone());
        let behind = reason(Rejection::Late).and_then(|reason| reason.behind_max);
        SourceCounts {
            name: if name == "-" {
                "stdin".to_owned()
            } else {
                name.to_owned()
            },
            read: counts.read,
            processed: counts.processed,
            late: counts.late,
            malformed: counts.malformed,
            filtered: counts.filtered,
            late_first: first(Rejection::Late),
            malformed_first: first(Rejection::Malformed),
            delay_needed_ms: behind.map(|behind| delay.0.saturating_add(behind.0)),
        }
    }
}

impl Reason {
    fn is_about(&self, source: &str, rejection: Rejection) -> bool {
        self.rejection == rejection && self.source == source
    }
}
