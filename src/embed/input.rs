//! What a run reads: sources, named as text or of the program's own.

use std::fmt;

use super::Error;
use super::names::unknown;
use crate::config::{Idle, TYPE_FIELD_DEFAULT};
use crate::engine::{SourceSetup, TimeBasis, Timing, reads};
use crate::event::EventTypeId;
use crate::event::formats::{Decoder, Format, Kinds};
use crate::key::Shards;
use crate::lang::pattern::Program;
#[cfg(feature = "kafka")]
use crate::source::Place;
use crate::source::{Extent, Follow, Source, SourceSpec};
use crate::time::Span;

/// A source of a run and how it is read.
///
/// Made of text as the command line's `--source` takes it, or of a [`Source`] of the program's own:
///
/// ```
/// use std::time::Duration;
/// use leitmotif::Input;
///
/// let cards = Input::from("Txn=cards.ndjson").delay(Duration::from_secs(2));
/// let made_up = Input::from("generate:cards?events=1000");
/// ```
#[derive(Debug)]
pub struct Input {
    origin: Origin,
    event_type: Option<String>,
    format: Format,
    delay: Option<Span>,
    idle: Idle,
    time: TimeBasis,
}

/// Where records come from.
enum Origin {
    /// Text that is yet to be taken apart.
    Text(String),
    Spec(SourceSpec),
    /// Readers that share the partitions.
    Own(Vec<Box<dyn Source>>),
}

/// What holds for all sources of a run.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub delay: Span,
    pub type_field: String,
    pub follow: Follow,
}

impl Default for Reading {
    fn default() -> Reading {
        Reading {
            delay: Span::default(),
            type_field: TYPE_FIELD_DEFAULT.to_owned(),
            follow: Follow::No,
        }
    }
}

impl Input {
    fn new(origin: Origin) -> Input {
        Input {
            origin,
            event_type: None,
            format: Format::Json,
            delay: None,
            idle: Idle::default(),
            time: TimeBasis::default(),
        }
    }

    /// Several readers of one source, each with partitions of its own. They are dealt to the shards in turn, so that reading too is shared.
    #[must_use]
    pub fn readers(readers: Vec<Box<dyn Source>>) -> Input {
        Input::new(Origin::Own(readers))
    }

    /// All records are events of this type. Without it each record tells its type
    /// ([`Builder::type_field`](super::Builder::type_field)), or need not if only one is declared. For a source named by text: what stands before `=`.
    #[must_use]
    pub fn event_type(mut self, name: impl Into<String>) -> Input {
        self.event_type = Some(name.into());
        self
    }

    /// How the records of a [`Source`] of the program's own are written; JSON if nothing is said. Text tells it by itself.
    #[must_use]
    pub fn format(mut self, format: Format) -> Input {
        self.format = format;
        self
    }

    /// How far its events may be out of order, instead of [`Builder::delay`](super::Builder::delay).
    #[must_use]
    pub fn delay(mut self, delay: impl Into<Span>) -> Input {
        self.delay = Some(delay.into());
        self
    }

    /// How long it may be silent before time goes on without it. If nothing is said: 10 seconds if its input does not end by itself, as long as it
    /// likes if it does.
    #[must_use]
    pub fn idle(mut self, idle: Idle) -> Input {
        self.idle = idle;
        self
    }

    /// Where the times of its events come from; the field marked `time` if nothing is said.
    #[must_use]
    pub fn time(mut self, time: TimeBasis) -> Input {
        self.time = time;
        self
    }

    /// Where its records are, if it was named.
    ///
    /// # Errors
    /// When the text cannot be taken apart.
    pub(super) fn spec(&self) -> Result<Option<SourceSpec>, Error> {
        Ok(match &self.origin {
            Origin::Text(text) => Some(SourceSpec::parse(text)?),
            Origin::Spec(spec) => Some(spec.clone()),
            Origin::Own(_) => None,
        })
    }

    /// Reads one partition of its topics, as a member of a group; what is no topic stays what it is.
    #[cfg(feature = "kafka")]
    pub(super) fn seat(&mut self, group: &str, partition: u32) {
        let Ok(Some(mut spec)) = self.spec() else {
            return;
        };
        if let Place::Kafka(topics) = &mut spec.place {
            topics.partition = Some(partition);
            topics.group = Some(group.to_owned());
        }
        self.origin = Origin::Spec(spec);
    }

    /// The event type of all its records, if it was told.
    #[cfg(feature = "kafka")]
    pub(super) fn told_type(&self) -> Option<&str> {
        self.event_type.as_deref()
    }

    /// Opens it under a name for a program.
    pub(super) fn open(
        self,
        name: String,
        program: &Program,
        shards: Shards,
        reading: &Reading,
    ) -> Result<SourceSetup, Error> {
        let spec = self.spec()?;
        let told = spec.as_ref().and_then(|spec| spec.event_type.as_ref());
        let kinds = match self.event_type.as_ref().or(told) {
            Some(name) => Kinds::One(event_type(program, name)?),
            None => unnamed(&reading.type_field, program),
        };
        let (readers, encoding) = match (&spec, self.origin) {
            (Some(spec), _) => spec.open_encoded(usize::from(shards.count()), reading.follow)?,
            (None, Origin::Own(readers)) => (readers, self.format.into()),
            (None, _) => unreachable!("all but own sources have a specification"),
        };
        if readers.is_empty() {
            return Err(Error::configuration(format!(
                "source \"{name}\" has no reader; give it at least one"
            )));
        }
        let extent = match readers.iter().any(|one| one.extent() == Extent::Unbounded) {
            true => Extent::Unbounded,
            false => Extent::Bounded,
        };
        let projection = reads::projection(program);
        let decoder = || Decoder::new(&program.schema, &projection, encoding.clone(), &kinds);
        Ok(SourceSetup {
            name,
            readers: readers.into_iter().map(|one| (one, decoder())).collect(),
            timing: Timing {
                delay: self.delay.unwrap_or(reading.delay),
                idle: self.idle.after(extent),
                time: self.time,
            },
        })
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Input {
        Input::new(Origin::Text(text.to_owned()))
    }
}

impl From<String> for Input {
    fn from(text: String) -> Input {
        Input::new(Origin::Text(text))
    }
}

impl From<SourceSpec> for Input {
    fn from(spec: SourceSpec) -> Input {
        Input::new(Origin::Spec(spec))
    }
}

impl<S: Source + 'static> From<S> for Input {
    fn from(source: S) -> Input {
        Input::readers(vec![Box::new(source)])
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Text(text) => text.fmt(f),
            Origin::Spec(spec) => spec.fmt(f),
            Origin::Own(readers) => write!(f, "{} readers", readers.len()),
        }
    }
}

/// The declared type of this name.
pub(super) fn event_type(program: &Program, name: &str) -> Result<EventTypeId, Error> {
    let types = &program.schema.types;
    let declared = types.iter().filter(|ty| ty.time.is_some());
    let found = program.schema.find(name);
    found
        .filter(|id| program.schema.get(*id).time.is_some())
        .ok_or_else(|| {
            let names = declared.map(|ty| ty.name.as_str());
            Error::configuration(unknown("event type", name, names))
        })
}

/// Records tell their type. One that is declared with a field of that very name can't, and if it is the only one it need not.
pub(super) fn unnamed(type_field: &str, program: &Program) -> Kinds {
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
