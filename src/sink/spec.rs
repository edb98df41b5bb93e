//! What a user writes after `--output`, taken apart: `fraud=alerts.ndjson`, `alerts.ndjson`, `late=-`.

use std::fmt;
use std::path::PathBuf;

use super::{Error, File, Sink, Stdout};
use crate::source::spec::is_name;

/// An output as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpec {
    /// The stream, or one of the side outputs; `None` binds all streams that are not bound by name.
    pub name: Option<String>,
    /// Where its rows go.
    pub target: Target,
}

/// Where rows go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Target {
    /// Opens the sink.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn open(&self) -> Result<Box<dyn Sink>, Error> {
        Ok(match self {
            Target::Stdout => Box::new(Stdout::new()),
            Target::File(path) => Box::new(File::create(path)?),
        })
    }
}

/// As messages and metrics name it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Stdout => f.write_str("-"),
            Target::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Schemes of outputs that are designed but not built.
const LATER: [&str; 4] = ["kafka", "http", "https", "mqtt"];

impl OutputSpec {
    /// Takes an output's text apart; touches no file.
    ///
    /// # Errors
    /// When the scheme is not known.
    pub fn parse(text: &str) -> Result<OutputSpec, Error> {
        let (name, place) = match text.split_once('=') {
            Some((name, place)) if is_name(name) => (Some(name.to_owned()), place),
            _ => (None, text),
        };
        let target = target(text, place)?;
        Ok(OutputSpec { name, target })
    }
}

fn target(text: &str, place: &str) -> Result<Target, Error> {
    let path = match place.split_once(':') {
        Some(("file", path)) => path.strip_prefix("//").unwrap_or(path),
        Some((scheme, _)) if LATER.contains(&scheme) => {
            return Err(Error::usage(format!(
                "output \"{text}\": {scheme}: is not in this build yet; give a file, or - for standard output"
            )));
        }
        Some((scheme, rest)) if rest.starts_with("//") => {
            return Err(Error::usage(format!(
                "output \"{text}\": no such scheme \"{scheme}:\"; give a file, or - for standard output"
            )));
        }
        _ => place,
    };
    match path {
        "" => Err(Error::usage(format!(
            "output \"{text}\" names no file; write NAME=path, or - for standard output"
        ))),
        "-" => Ok(Target::Stdout),
        path => Ok(Target::File(PathBuf::from(path))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_binds_one_output_and_none_binds_all() {
        let check = |text: &str, name: Option<&str>, target| {
            let name = name.map(str::to_owned);
            assert_eq!(
                OutputSpec::parse(text).expect("known"),
                OutputSpec { name, target }
            );
        };
        let file = |path: &str| Target::File(path.into());
        check("fraud=alerts.ndjson", Some("fraud"), file("alerts.ndjson"));
        check("out/a=b.ndjson", None, file("out/a=b.ndjson"));
        check("late=file:late.ndjson", Some("late"), file("late.ndjson"));
        check("-", None, Target::Stdout);
        check("malformed=-", Some("malformed"), Target::Stdout);
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_way_out() {
        let error = |text| OutputSpec::parse(text).expect_err("not known").to_string();
        assert_eq!(
            error("fraud=kafka://b/t"),
            "output \"fraud=kafka://b/t\": kafka: is not in this build yet; give a file, or - for standard output"
        );
        assert_eq!(
            error("ftp://x"),
            "output \"ftp://x\": no such scheme \"ftp:\"; give a file, or - for standard output"
        );
        assert_eq!(
            error("fraud="),
            "output \"fraud=\" names no file; write NAME=path, or - for standard output"
        );
    }
}
