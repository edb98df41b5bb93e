//! What a user writes after `--output`, taken apart: `fraud=alerts.ndjson`, `alerts/?every=10m`, `https://alerts.example/hook`,
//! `kafka://127.0.0.1:9092/alerts`, `late=-`.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::kafka::{self, Topic};
use super::{AfterCommit, Error, File, Folder, Opening, Receiver, Roll, Sending, Sink, Stdout};
use crate::disk::{SharedDisk, SystemDisk};
use crate::source::options::Options;
use crate::source::spec::is_name;
use crate::time::Span;

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
    Stdout(Sending),
    /// A file.
    File(PathBuf),
    /// A folder of files.
    Folder {
        /// Its path.
        path: PathBuf,
        /// When a file is finished.
        roll: Roll,
    },
    /// Somebody who takes them by HTTP.
    Webhook(Receiver),
    /// A topic of a broker.
    Kafka(Box<Topic>),
}

/// Schemes of outputs that are designed but not built.
const LATER: [&str; 1] = ["mqtt"];

/// The smallest file of a folder.
const ROLL_BYTES_MIN: u64 = 1_024;

/// The longest and the shortest time that a file of a folder is written to.
const ROLL_EVERY_MIN: Span = Span(1_000);
const ROLL_EVERY_MAX: Span = Span(366 * 86_400_000);

impl OutputSpec {
    /// Takes an output's text apart; touches no file, but looks whether a path is a folder.
    ///
    /// # Errors
    /// When the scheme or an option is not known.
    pub fn parse(text: &str) -> Result<OutputSpec, Error> {
        let (name, place) = match text.split_once('=') {
            Some((name, place)) if is_name(name) => (Some(name.to_owned()), place),
            _ => (None, text),
        };
        let target = target(text, place)?;
        Ok(OutputSpec { name, target })
    }
}

impl Target {
    /// Takes the text of a place apart, without a name before it; touches no file, but looks whether a path is a folder.
    ///
    /// # Errors
    /// As [`OutputSpec::parse`].
    pub fn parse(text: &str) -> Result<Target, Error> {
        target(text, text)
    }

    /// Opens it, alone.
    ///
    /// # Errors
    /// When it cannot be created, or what it needs is not in this build.
    pub fn open(&self) -> Result<Box<dyn Sink>, Error> {
        self.open_with(&mut Opening::stateless())
    }

    /// Opens it together with others of the same run.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn open_with(&self, opening: &mut Opening) -> Result<Box<dyn Sink>, Error> {
        self.open_on(SystemDisk::shared(), opening)
    }

    /// The same with files and folders on another disk.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn open_on(&self, disk: SharedDisk, opening: &mut Opening) -> Result<Box<dyn Sink>, Error> {
        Ok(match self {
            Target::Stdout(sending) => sent(self, *sending, Stdout::new()),
            Target::File(path) => Box::new(File::create_on(disk, path)?),
            Target::Folder { path, roll } => Box::new(Folder::open_on(disk, path, *roll)?),
            Target::Webhook(receiver) => webhook(self, receiver)?,
            Target::Kafka(topic) => kafka::open(topic, opening)?,
        })
    }

    /// What a checkpoint calls it: where it is, without options, so that those may change between runs.
    pub(crate) fn key(&self) -> String {
        match self {
            Target::Stdout(_) | Target::Kafka(_) => self.to_string(),
            Target::File(path) | Target::Folder { path, .. } => plain(path).display().to_string(),
            Target::Webhook(receiver) => receiver.key(),
        }
    }

    /// True if rows are kept in checkpoints until they are sent.
    pub(crate) fn keeps_rows(&self) -> bool {
        let (Target::Stdout(sending) | Target::Webhook(Receiver { sending, .. })) = self else {
            return false;
        };
        matches!(sending, Sending::AfterCommit { .. })
    }

    /// True for standard output, whenever rows go there.
    #[must_use]
    pub fn is_stdout(&self) -> bool {
        matches!(self, Target::Stdout(_))
    }
}

/// Whether two [keys](Target::key) mean one place: a path may be relative now and absolute then.
pub(crate) fn is_same_place(one: &str, other: &str) -> bool {
    let whole = |path: &str| std::path::absolute(path).ok();
    one == other || whole(one).is_some_and(|one| whole(other) == Some(one))
}

/// A path without `./`.
fn plain(path: &Path) -> PathBuf {
    let parts = path.components();
    let plain: PathBuf = parts.filter(|part| *part != Component::CurDir).collect();
    match plain.as_os_str().is_empty() {
        true => path.to_owned(),
        false => plain,
    }
}

/// A sink that cannot take anything back, at once or after commits.
fn sent(target: &Target, sending: Sending, sink: impl Sink + 'static) -> Box<dyn Sink> {
    match sending {
        Sending::AtOnce => Box::new(sink),
        Sending::AfterCommit { keep_bytes } => {
            Box::new(AfterCommit::new(target.to_string(), sink).keep_bytes(keep_bytes))
        }
    }
}

/// As messages and metrics name it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Stdout(_) => f.write_str("-"),
            Target::File(path) | Target::Folder { path, .. } => write!(f, "{}", path.display()),
            Target::Webhook(receiver) => write!(f, "{receiver}"),
            Target::Kafka(topic) => write!(f, "{topic}"),
        }
    }
}

#[cfg(feature = "http")]
fn webhook(target: &Target, receiver: &Receiver) -> Result<Box<dyn Sink>, Error> {
    let sink = super::Webhook::new(receiver)?;
    Ok(sent(target, receiver.sending, sink))
}

#[cfg(not(feature = "http"))]
fn webhook(_: &Target, receiver: &Receiver) -> Result<Box<dyn Sink>, Error> {
    Err(Error::usage(format!(
        "output \"{receiver}\": this build lacks http; build it with the feature http, or give a file"
    )))
}

fn target(text: &str, place: &str) -> Result<Target, Error> {
    let wrong = |reason: String| Error::usage(format!("output \"{text}\": {reason}"));
    let path = match place.split_once(':') {
        Some(("http" | "https", _)) => {
            return Receiver::parse(place).map(Target::Webhook).map_err(wrong);
        }
        Some(("kafka", rest)) => {
            // Options may be secret.
            let shown = text.split('?').next().unwrap_or_default();
            return Topic::parse(rest)
                .map(|topic| Target::Kafka(Box::new(topic)))
                .map_err(|reason| Error::usage(format!("output \"{shown}\": {reason}")));
        }
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
    let (folder, options) = path.split_once("/?").unwrap_or((path, ""));
    match path {
        "" => Err(Error::usage(format!(
            "output \"{text}\" names no file; write NAME=path, or - for standard output"
        ))),
        "-" => Ok(Target::Stdout(Sending::AtOnce)),
        _ if path.starts_with("-#") => stdout(&path[2..]).map_err(wrong),
        _ if path.contains("/?") || path.ends_with('/') || Path::new(path).is_dir() => {
            let roll = roll(options).map_err(wrong)?;
            // Of `/` nothing would be left.
            let path = match folder.trim_end_matches('/') {
                "" => PathBuf::from("/"),
                folder => PathBuf::from(folder),
            };
            Ok(Target::Folder { path, roll })
        }
        path => Ok(Target::File(PathBuf::from(path))),
    }
}

fn stdout(options: &str) -> Result<Target, String> {
    let mut options = Options::parse(options)?;
    let sending = Sending::parse(&mut options)?;
    options.end()?;
    Ok(Target::Stdout(sending))
}

/// When files of a folder are finished.
fn roll(options: &str) -> Result<Roll, String> {
    let mut options = Options::parse(options)?;
    let mut roll = Roll::default();
    if let Some(bytes) = options.bytes("max", ROLL_BYTES_MIN)? {
        roll.max_bytes = bytes;
    }
    if let Some(span) = options.span("every", ROLL_EVERY_MIN..=ROLL_EVERY_MAX)? {
        roll.every = Duration::from_millis(span.0.unsigned_abs());
    }
    options.end()?;
    Ok(roll)
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
        let stdout = Target::Stdout(Sending::AtOnce);
        check("-", None, stdout.clone());
        check("malformed=-", Some("malformed"), stdout.clone());
        check("-#delivery=at-least-once", None, stdout);
        let keep_bytes = 1 << 20;
        check(
            "fraud=-#delivery=after-commit&keep=1MiB",
            Some("fraud"),
            Target::Stdout(Sending::AfterCommit { keep_bytes }),
        );
        let folder = |roll| Target::Folder {
            path: "alerts".into(),
            roll,
        };
        check("fraud=alerts/", Some("fraud"), folder(Roll::default()));
        let roll = Roll {
            max_bytes: 64 << 10,
            every: Duration::from_secs(600),
        };
        check(
            "fraud=alerts/?max=64KiB&every=10m",
            Some("fraud"),
            folder(roll),
        );
        let here = Target::Folder {
            path: "src".into(),
            roll: Roll::default(),
        };
        check("src", None, here);
        let receiver = Receiver::parse("https://a/x?b=c#batch=2").unwrap();
        check(
            "fraud=https://a/x?b=c#batch=2",
            Some("fraud"),
            Target::Webhook(receiver),
        );
    }

    #[test]
    fn the_key_of_a_place_is_where_it_is_and_no_secret() {
        let key = |text: &str| Target::parse(text).expect("known").key();
        for text in ["a/b", "./a//b", "file:a/./b"] {
            assert_eq!(key(text), "a/b");
        }
        assert_eq!(key("a/b/?every=1m"), "a/b");
        assert_eq!(
            (key("./"), key("-#delivery=after-commit")),
            (".".to_owned(), "-".to_owned())
        );
        let plain = "https://a.example/x";
        assert_eq!(key("https://a.example/x#batch=2"), plain);
        let keys = [
            "https://a.example/x?team=7",
            "https://a.example/x?team=8",
            "https://u:p@a.example/x",
        ]
        .map(key);
        // In checkpoints: it never changes.
        assert_eq!(keys[0], "https://a.example/x?56046a4385c04df0");
        for other in &keys {
            assert!(other.starts_with("https://a.example/x?"), "{other}");
            assert_eq!(keys.iter().filter(|key| *key == other).count(), 1);
        }
        let here = std::path::absolute("a/b").unwrap();
        assert!(is_same_place("a/b", &here.display().to_string()));
        assert!(!is_same_place("a/b", "a/c") && !is_same_place("-", plain));
    }

    #[test]
    fn what_is_not_known_is_refused_with_the_way_out() {
        let error = |text| OutputSpec::parse(text).expect_err("not known").to_string();
        assert_eq!(
            error("fraud=mqtt://b/t"),
            "output \"fraud=mqtt://b/t\": mqtt: is not in this build yet; give a file, or - for standard output"
        );
        assert_eq!(
            error("ftp://x"),
            "output \"ftp://x\": no such scheme \"ftp:\"; give a file, or - for standard output"
        );
        assert_eq!(
            error("a/?size=1"),
            "output \"a/?size=1\": no option \"size\"; options are every, max"
        );
        assert_eq!(
            error("-#batch=1"),
            "output \"-#batch=1\": no option \"batch\"; options are delivery, keep"
        );
        assert_eq!(
            error("http://"),
            "output \"http://\": is no address; write such as https://alerts.example:8443/hook"
        );
        assert_eq!(
            error("fraud="),
            "output \"fraud=\" names no file; write NAME=path, or - for standard output"
        );
    }
}
