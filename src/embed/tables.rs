//! The rows of tables, read once from files.

use std::fs;
use std::path::{Path, PathBuf};

use super::names::unknown;
use super::{Error, ErrorKind};
use crate::automaton::Tables;
use crate::event::formats::Format;
use crate::event::formats::table::TableData;
use crate::lang::pattern::{Program, Table, TableId};

/// Reads every table of a program from the file that is named for it.
pub(super) fn read(program: &Program, files: &[(String, PathBuf)]) -> Result<Tables, Error> {
    let names = || program.tables.iter().map(|table| table.name.as_str());
    for (named, _) in files {
        if !names().any(|name| name == named) {
            return Err(Error::configuration(unknown("table", named, names())));
        }
    }
    let mut tables = Tables::empty(program);
    for (id, table) in (0..).zip(&program.tables) {
        let mut named = files.iter().filter(|(named, _)| *named == table.name);
        let Some((_, path)) = named.next() else {
            return Err(Error::configuration(format!(
                "table \"{0}\" has no rows; name a file that holds them: --table {0}=rows.csv",
                table.name
            )));
        };
        if named.next().is_some() {
            return Err(Error::configuration(format!(
                "--table {} is given twice; keep one",
                table.name
            )));
        }
        tables.load(TableId(id), rows(table, path)?);
    }
    Ok(tables)
}

fn rows(table: &Table, path: &Path) -> Result<TableData, Error> {
    let (name, shown) = (&table.name, path.display());
    let format = match path.extension().and_then(|ext| ext.to_str()) {
        Some("csv") => Format::Csv,
        Some("ndjson" | "jsonl" | "json") => Format::Json,
        _ => {
            return Err(Error::configuration(format!(
                "table \"{name}\": the ending of \"{shown}\" does not tell the format; known are .csv .ndjson .jsonl .json"
            )));
        }
    };
    let bytes = fs::read(path).map_err(|error| {
        let message = format!("table \"{name}\": \"{shown}\" can't be read; check the path");
        Error::caused(ErrorKind::Io, message, error)
    })?;
    TableData::read(&shown.to_string(), format, &bytes, &table.fields, table.key)
        .map_err(|error| Error::caused(ErrorKind::Io, format!("table \"{name}\""), error))
}
