//! What a user writes after `--source`, taken apart: `Txn=cards.ndjson`, `cards.csv.gz`, `file:cards.json`, `-`.

use std::path::PathBuf;

use super::{Error, File, Packing, Source, Stdin};
use crate::event::formats::Format;

/// A source as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpec {
    /// The name of its one event type; without it records tell their type.
    pub event_type: Option<String>,
    /// Where its records are.
    pub place: Place,
    /// How they are written.
    pub format: Format,
}

/// Where records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard input.
    Stdin,
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// How it is packed.
        packing: Packing,
    },
}

/// Schemes of sources that are designed but not built.
const LATER: [&str; 6] = ["kafka", "http", "https", "mqtt", "s3", "generate"];

impl SourceSpec {
    /// Takes a source's text apart; looks at no file.
    ///
    /// # Errors
    /// When the scheme or the ending is not known.
    pub fn parse(text: &str) -> Result<SourceSpec, Error> {
        let (event_type, place) = match text.split_once('=') {
            Some((name, place)) if is_name(name) => (Some(name.to_owned()), place),
            _ => (None, text),
        };
        let (place, format) = place_of(text, place)?;
        Ok(SourceSpec {
            event_type,
            place,
            format,
        })
    }

    /// The name under which messages, counts and rejected records speak of it.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.place {
            Place::Stdin => "-".to_owned(),
            Place::File { path, .. } => path.display().to_string(),
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// When its file cannot be opened.
    pub fn open(&self) -> Result<Box<dyn Source>, Error> {
        match &self.place {
            Place::Stdin => Ok(Box::new(Stdin::new(self.format))),
            Place::File { path, packing } => Ok(Box::new(File::open(path, self.format, *packing)?)),
        }
    }
}

fn place_of(text: &str, place: &str) -> Result<(Place, Format), Error> {
    if place.is_empty() {
        return Err(Error(format!(
            "source \"{text}\" names no file; write NAME=path, or - for standard input"
        )));
    }
    if place == "-" {
        return Ok((Place::Stdin, Format::Json));
    }
    let path = match place.split_once(':') {
        Some(("file", path)) => path.strip_prefix("//").unwrap_or(path),
        Some((scheme, _)) if LATER.contains(&scheme) => {
            return Err(Error(format!(
                "source \"{text}\": {scheme}: is not in this build yet; give a file, or pipe records to -"
            )));
        }
        Some((scheme, rest)) if rest.starts_with("//") => {
            return Err(Error(format!(
                "source \"{text}\": no such scheme \"{scheme}:\"; give a file, or - for standard input"
            )));
        }
        _ => place,
    };
    let (packing, inner) = match path.rsplit_once('.') {
        Some((inner, "gz")) => (Packing::Gzip, inner),
        Some((inner, "zst")) => (Packing::Zstd, inner),
        _ => (Packing::Plain, path),
    };
    let format = match inner.rsplit_once('.') {
        Some((_, "ndjson" | "jsonl" | "json")) => Format::Json,
        Some((_, "csv")) => Format::Csv,
        _ => {
            return Err(Error(format!(
                "source \"{text}\": the ending does not tell the format; known are .ndjson .jsonl .json .csv, each also with .gz or .zst"
            )));
        }
    };
    let path = PathBuf::from(path);
    Ok((Place::File { path, packing }, format))
}

/// Whether a text can be the name of an event type or an output.
pub(crate) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|char| char.is_ascii_alphanumeric() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, event_type: Option<&str>, path: &str, packing: Packing, format: Format) {
        let want = SourceSpec {
            event_type: event_type.map(str::to_owned),
            place: Place::File {
                path: path.into(),
                packing,
            },
            format,
        };
        assert_eq!(SourceSpec::parse(text), Ok(want));
    }

    #[test]
    fn name_path_and_ending_say_what_it_is() {
        check(
            "Txn=cards.ndjson",
            Some("Txn"),
            "cards.ndjson",
            Packing::Plain,
            Format::Json,
        );
        check(
            "cards.csv.gz",
            None,
            "cards.csv.gz",
            Packing::Gzip,
            Format::Csv,
        );
        check(
            "Txn=file:/data/a.json.zst",
            Some("Txn"),
            "/data/a.json.zst",
            Packing::Zstd,
            Format::Json,
        );
        check(
            "file:///data/a.jsonl",
            None,
            "/data/a.jsonl",
            Packing::Plain,
            Format::Json,
        );
        check(
            "day=1/a=b.csv",
            Some("day"),
            "1/a=b.csv",
            Packing::Plain,
            Format::Csv,
        );
        check(
            "./day=1/a.csv",
            None,
            "./day=1/a.csv",
            Packing::Plain,
            Format::Csv,
        );
        check("C:a.csv", None, "C:a.csv", Packing::Plain, Format::Csv);
        let stdin = SourceSpec::parse("Txn=-").unwrap();
        assert_eq!(
            (stdin.event_type.as_deref(), stdin.place),
            (Some("Txn"), Place::Stdin)
        );
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_way_out() {
        let error = |text| SourceSpec::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("Txn=kafka://b:9092/t"),
            "source \"Txn=kafka://b:9092/t\": kafka: is not in this build yet; give a file, or pipe records to -"
        );
        assert_eq!(
            error("ftp://x/a.csv"),
            "source \"ftp://x/a.csv\": no such scheme \"ftp:\"; give a file, or - for standard input"
        );
        assert_eq!(
            error("Txn="),
            "source \"Txn=\" names no file; write NAME=path, or - for standard input"
        );
        for text in ["a.parquet", "folder", "a.gz", ".csv.tar.gz"] {
            assert!(
                error(text).contains("the ending does not tell the format"),
                "{text}"
            );
        }
    }
}
