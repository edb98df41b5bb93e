//! What a user writes after `--source`, taken apart: `Txn=cards.ndjson`, `logs/`, `generate:cards?rate=1000`, `http::8080/events`,
//! `kafka://127.0.0.1:9092/cards`, `-`.

use std::path::{Path, PathBuf};

use super::generate::Workload;
use super::kafka::{self, Topics};
use super::options::Options;
use super::push::{self, Address};
use super::{Error, File, Folder, Follow, Generator, Lost, Packing, Source, Stdin, folder};
use crate::event::formats::{Encoding, Format};

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
        /// What to do when a run cannot go on in it.
        lost: Lost,
    },
    /// A folder of files.
    Folder {
        /// Its path.
        path: PathBuf,
        /// What to do when a run cannot go on in it.
        lost: Lost,
    },
    /// Nowhere: they are made up.
    Generate(Workload),
    /// Whoever posts them.
    Http(Address),
    /// Topics of a broker.
    Kafka(Box<Topics>),
}

/// The readers of a source, and how what they give out is written.
pub type Opened = (Vec<Box<dyn Source>>, Encoding);

/// Schemes of sources that are designed but not built.
const LATER: [&str; 2] = ["mqtt", "s3"];

impl SourceSpec {
    /// Takes a source's text apart; opens nothing. A path is looked at if its ending does not tell the format: it may be a folder, and then one of
    /// its files does.
    ///
    /// # Errors
    /// When the scheme, an option or the ending is not known.
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
            Place::File { path, .. } | Place::Folder { path, .. } => path.display().to_string(),
            Place::Generate(workload) => format!("generate:{}", workload.text),
            Place::Http(address) => address.to_string(),
            Place::Kafka(topics) => topics.to_string(),
        }
    }

    /// Opens it for so many shards, at least one: readers that share its partitions, to be dealt to the shards in turn. Mostly there are at most as many; a source
    /// whose partitions can be read each by itself has one for each.
    ///
    /// # Errors
    /// When it cannot be opened, or cannot be followed.
    pub fn open(&self, readers: usize, follow: Follow) -> Result<Vec<Box<dyn Source>>, Error> {
        self.open_encoded(readers, follow)
            .map(|(readers, _)| readers)
    }

    /// Opens it, and tells how its records are written: those of Kafka may need schemas, which its readers wait for.
    ///
    /// # Errors
    /// As [`SourceSpec::open`], and when what describes the records is not to be had.
    pub fn open_encoded(&self, readers: usize, follow: Follow) -> Result<Opened, Error> {
        let encoding = Encoding::Plain(self.format);
        let one: Box<dyn Source> = match &self.place {
            Place::Stdin => Box::new(Stdin::open(self.format)?),
            Place::File {
                path,
                packing,
                lost,
            } => Box::new(File::open(path, self.format, *packing, follow)?.lost(*lost)),
            Place::Folder { path, lost } => {
                Box::new(Folder::open(path, self.format, follow)?.lost(*lost))
            }
            Place::Http(address) => push::open(address)?,
            Place::Kafka(topics) => return kafka::open(topics, readers),
            Place::Generate(workload) => {
                let readers = Generator::readers(workload, readers).into_iter();
                let readers = readers.map(|reader| Box::new(reader) as Box<dyn Source>);
                return Ok((readers.collect(), encoding));
            }
        };
        Ok((vec![one], encoding))
    }
}

fn place_of(text: &str, place: &str) -> Result<(Place, Format), Error> {
    let wrong = |reason: String| Error(format!("source \"{text}\": {reason}"));
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
        Some(("generate", workload)) => {
            let workload = Workload::parse(workload).map_err(wrong)?;
            return Ok((Place::Generate(workload), Format::Json));
        }
        Some(("http", rest)) => {
            let address = Address::parse(rest).map_err(wrong)?;
            return Ok((Place::Http(address), Format::Json));
        }
        Some(("kafka", rest)) => {
            // Options may be secret.
            let shown = text.split('?').next().unwrap_or_default();
            let topics = Topics::parse(rest)
                .map_err(|reason| Error(format!("source \"{shown}\": {reason}")))?;
            let format = topics.format();
            return Ok((Place::Kafka(Box::new(topics)), format));
        }
        Some(("https", _)) => {
            return Err(wrong(
                "https: records are taken by http: only; name that, behind a proxy that speaks https".to_owned(),
            ));
        }
        Some((scheme, _)) if LATER.contains(&scheme) => {
            return Err(wrong(format!(
                "{scheme}: is not in this build yet; give a file, or pipe records to -"
            )));
        }
        Some((scheme, rest)) if rest.starts_with("//") => {
            return Err(wrong(format!(
                "no such scheme \"{scheme}:\"; give a file, or - for standard input"
            )));
        }
        _ => place,
    };
    if let Some((path, options, (format, packing))) = file(path) {
        let mut options = Options::parse(options).map_err(wrong)?;
        let lost = lost(&mut options).map_err(wrong)?;
        options.end().map_err(wrong)?;
        let path = PathBuf::from(path);
        let place = Place::File {
            path,
            packing,
            lost,
        };
        return Ok((place, format));
    }
    let (path, options) = match path.split_once("/?") {
        Some(parts) => parts,
        None if folder::is_folder(path) => (path, ""),
        None => {
            return Err(wrong(
                "the ending does not tell the format; known are .ndjson .jsonl .json .csv, each also with .gz or .zst, and folders of them".to_owned(),
            ));
        }
    };
    let path = Path::new(if path.is_empty() { "/" } else { path });
    let mut options = Options::parse(options).map_err(wrong)?;
    let lost = lost(&mut options).map_err(wrong)?;
    let format = folder_format(path, options, &wrong)?;
    let path = path.to_owned();
    Ok((Place::Folder { path, lost }, format))
}

/// A file's path, its options, and what its ending says. A path may hold question marks.
fn file(text: &str) -> Option<(&str, &str, (Format, Packing))> {
    if let Some(ending) = ending(text) {
        return Some((text, "", ending));
    }
    let (path, options) = text.rsplit_once('?')?;
    Some((path, options, ending(path)?))
}

/// What to do when a run cannot go on where it was.
fn lost(options: &mut Options<'_>) -> Result<Lost, String> {
    match options.text("lost") {
        None => Ok(Lost::Refuse),
        Some("skip") => Ok(Lost::Skip),
        Some(other) => Err(format!(
            "lost={other} is not known; write lost=skip, or leave it away"
        )),
    }
}

/// What a folder's option says, or else its files.
fn folder_format(
    path: &Path,
    mut options: Options<'_>,
    wrong: &dyn Fn(String) -> Error,
) -> Result<Format, Error> {
    let named = match options.text("format") {
        None => None,
        Some("ndjson") => Some(Format::Json),
        Some("csv") => Some(Format::Csv),
        Some(other) => {
            return Err(wrong(format!(
                "format={other} is not known; write format=ndjson or format=csv"
            )));
        }
    };
    options.end().map_err(wrong)?;
    match named {
        Some(format) => Ok(format),
        None => folder::format(path)?.ok_or_else(|| {
            let shown = path.display().to_string();
            wrong(format!(
                "no file in it tells the format; put one there, or write {}/?format=ndjson",
                shown.trim_end_matches('/')
            ))
        }),
    }
}

/// What the ending of a file's name says about it.
pub(super) fn ending(path: &str) -> Option<(Format, Packing)> {
    let (packing, inner) = match path.rsplit_once('.') {
        Some((inner, "gz")) => (Packing::Gzip, inner),
        Some((inner, "zst")) => (Packing::Zstd, inner),
        _ => (Packing::Plain, path),
    };
    match inner.rsplit_once('.') {
        Some((_, "ndjson" | "jsonl" | "json")) => Some((Format::Json, packing)),
        Some((_, "csv")) => Some((Format::Csv, packing)),
        _ => None,
    }
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
                lost: Lost::Refuse,
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
    fn a_workload_is_generated_for_as_many_readers_as_it_has_partitions() {
        let spec = SourceSpec::parse("Txn=generate:cards?partitions=3&events=10").unwrap();
        assert_eq!(spec.event_type.as_deref(), Some("Txn"));
        assert_eq!(spec.name(), "generate:cards?partitions=3&events=10");
        assert_eq!(spec.format, Format::Json);
        for (readers, opened) in [(0, 1), (1, 1), (2, 2), (8, 3)] {
            assert_eq!(spec.open(readers, Follow::No).unwrap().len(), opened);
        }
        let error = SourceSpec::parse("generate:cards?rate=0").unwrap_err();
        assert_eq!(
            error.to_string(),
            "source \"generate:cards?rate=0\": rate=0 is no number from 1 to 1000000000"
        );
    }

    #[test]
    fn a_folder_has_the_format_of_its_files_or_the_one_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().display().to_string();
        let error = |text: &str| SourceSpec::parse(text).unwrap_err().to_string();
        assert_eq!(
            error(&shown),
            format!(
                "source \"{shown}\": no file in it tells the format; put one there, or write {shown}/?format=ndjson"
            )
        );
        let check = |text: &str, format| {
            let place = Place::Folder {
                path: folder.path().to_owned(),
                lost: Lost::Refuse,
            };
            let want = SourceSpec {
                event_type: Some("Txn".to_owned()),
                place,
                format,
            };
            assert_eq!(SourceSpec::parse(&format!("Txn={text}")), Ok(want));
        };
        check(&format!("{shown}/?format=csv"), Format::Csv);
        check(&format!("{shown}/?format=ndjson"), Format::Json);
        std::fs::write(folder.path().join("a.csv"), "").unwrap();
        check(&shown, Format::Csv);
        check(&format!("{shown}/"), Format::Csv);
        check(&format!("file:{shown}/"), Format::Csv);
        assert!(
            error(&format!("{shown}/?format=xml")).ends_with("write format=ndjson or format=csv")
        );
        assert!(
            error(&format!("{shown}/?max=1"))
                .ends_with("no option \"max\"; options are format, lost")
        );
        assert!(error("nowhere/").contains("cannot be listed"));
    }

    #[test]
    fn what_is_lost_may_be_skipped_if_the_option_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().display().to_string();
        let lost = |text: &str| {
            let spec = SourceSpec::parse(text).unwrap();
            match &spec.place {
                Place::File { lost, .. } | Place::Folder { lost, .. } => (*lost, spec.name()),
                other => panic!("{other:?}"),
            }
        };
        let same = |lost, name: &str| (lost, name.to_owned());
        assert_eq!(lost("a.csv"), same(Lost::Refuse, "a.csv"));
        assert_eq!(lost("T=a.csv.gz?lost=skip"), same(Lost::Skip, "a.csv.gz"));
        assert_eq!(lost("file:a?b.csv?lost=skip"), same(Lost::Skip, "a?b.csv"));
        assert_eq!(
            lost("a?lost=skip.csv"),
            same(Lost::Refuse, "a?lost=skip.csv")
        );
        let text = format!("{shown}/?lost=skip&format=csv");
        assert_eq!(lost(&text), same(Lost::Skip, &shown));
        let error = |text: &str| SourceSpec::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("a.csv?lost=ignore"),
            "source \"a.csv?lost=ignore\": lost=ignore is not known; write lost=skip, or leave it away"
        );
        assert_eq!(
            error("a.csv?skip=lost"),
            "source \"a.csv?skip=lost\": no option \"skip\"; options are lost"
        );
    }

    #[test]
    fn an_address_is_loopback_unless_another_is_named() {
        let check = |text: &str, want: &str| {
            let spec = SourceSpec::parse(text).unwrap();
            assert_eq!((spec.name().as_str(), spec.format), (want, Format::Json));
        };
        check(
            "http://127.0.0.1:8080/events",
            "http://127.0.0.1:8080/events",
        );
        check("Txn=http::8080", "http://127.0.0.1:8080/");
        check("Txn=http://:8080/cards", "http://127.0.0.1:8080/cards");
        check("http://0.0.0.0:8080/a/b", "http://0.0.0.0:8080/a/b");
        let error = |text| SourceSpec::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("http://localhost"),
            "source \"http://localhost\": no port is named; write http://127.0.0.1:8080/events"
        );
        assert!(error("https://:8080").contains("behind a proxy that speaks https"));
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_way_out() {
        let error = |text| SourceSpec::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("Txn=mqtt://b/t"),
            "source \"Txn=mqtt://b/t\": mqtt: is not in this build yet; give a file, or pipe records to -"
        );
        assert_eq!(
            error("ftp://x/a.csv"),
            "source \"ftp://x/a.csv\": no such scheme \"ftp:\"; give a file, or - for standard input"
        );
        assert_eq!(
            error("Txn="),
            "source \"Txn=\" names no file; write NAME=path, or - for standard input"
        );
        for text in ["a.parquet", "nowhere", "a.gz", ".csv.tar.gz"] {
            assert!(
                error(text).contains("the ending does not tell the format"),
                "{text}"
            );
        }
    }
}
