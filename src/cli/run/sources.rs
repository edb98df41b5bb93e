//! What is read: the sources of events, as they were named.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use leitmotif::config::{Config, InputConfig, SourceConfig};
use leitmotif::sink::Target;
use leitmotif::source::{Place, SourceSpec};
use leitmotif::{Builder, Input};

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
            Place::File { path, .. } | Place::Folder { path, .. } => Some(path),
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

/// Adds every source to what is run.
pub fn add(mut builder: Builder, input: &InputConfig, sources: &[SourceConfig]) -> Builder {
    builder = builder
        .delay(input.delay)
        .type_field(input.type_field.as_str());
    if input.follow {
        builder = builder.follow();
    }
    for source in sources {
        let read = Input::from(source.spec.clone())
            .delay(source.delay)
            .idle(source.idle)
            .time(source.time);
        builder = builder.source(source.name.as_str(), read);
    }
    builder
}
