//! What an engine is told before it begins.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::input::Reading;
use super::keeping::Keeping;
use super::matches::{Names, Sender};
use super::running::{Running, Taker};
use super::{Engine, Error, ErrorKind, Input, Match, files, tables};
use crate::automaton::Tables;
#[cfg(feature = "kafka")]
use crate::checkpoint::Sharing;
use crate::engine::{self, Parts, Plan};
use crate::key::Shards;
use crate::lang::diagnostic::render::{Style, render};
use crate::lang::pattern::Program;
use crate::lang::span::SourceMap;
use crate::lang::{Params, compile};
#[cfg(feature = "kafka")]
use crate::sink::Target;
use crate::sink::{Destination, Opening, Outputs, RowText};
use crate::source::Follow;
use crate::time::Span;

/// How many matches wait for a callback.
const CALLBACK_MATCHES: usize = 1024;

/// Says what an engine runs; ends with [`Builder::build`] for the caller's thread or [`Builder::start`] for threads of its own.
///
/// Nothing is read or checked before that, so that mistakes come out in one place.
///
/// ```
/// use std::time::Duration;
/// use leitmotif::Engine;
///
/// let engine = Engine::builder()
///     .patterns_text("probe.motif", r#"
///         event Txn { at: timestamp time, card: string, amount: int }
///         param small: int = 5
///         pattern probe_then_drain {
///           key card
///           match probe: Txn where amount < small then drain: Txn where amount > 500
///           within 10m
///           emit fraud { card, spent: drain.amount }
///         }
///     "#)
///     .param("small", "3")
///     .delay(Duration::from_secs(2))
///     .build()?;
/// assert_eq!(engine.waiting(), 0);
/// # Ok::<(), leitmotif::Error>(())
/// ```
#[must_use = "a builder does nothing before `build` or `start`"]
pub struct Builder {
    patterns: Patterns,
    reading: Reading,
    sources: Vec<(String, Input)>,
    writing: Writing,
    shards: u16,
    keeping: Option<Keeping>,
}

/// What is run.
#[derive(Default)]
struct Patterns {
    files: Vec<PathBuf>,
    texts: Vec<(String, String)>,
    params: Params,
    tables: Vec<(String, PathBuf)>,
    compiled: Option<Arc<Program>>,
}

/// Where rows go.
#[derive(Default)]
struct Writing {
    outputs: Vec<(Option<String>, Destination)>,
    pretty: Option<Box<dyn RowText>>,
    matches: Option<Matches>,
}

/// Who takes matches as they are.
enum Matches {
    Queue(SyncSender<Match>),
    Callback(Box<dyn FnMut(Match) + Send>),
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            patterns: Patterns::default(),
            reading: Reading::default(),
            sources: Vec::new(),
            writing: Writing::default(),
            shards: 1,
            keeping: None,
        }
    }
}

/// Patterns, and how the time of events passes.
impl Builder {
    /// Adds a pattern file, or a folder with all `.motif` files below it. Files and texts are one program: a pattern may read what another emits.
    pub fn patterns(mut self, path: impl Into<PathBuf>) -> Builder {
        self.patterns.files.push(path.into());
        self
    }

    /// Adds the text of a pattern file, say of `include_str!`. Mistakes are shown under this name.
    pub fn patterns_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Builder {
        self.patterns.texts.push((name.into(), text.into()));
        self
    }

    /// Runs a program that was compiled before, instead of files and texts. For whoever shows warnings himself, as the command line does.
    pub fn program(mut self, program: Arc<Program>) -> Builder {
        self.patterns.compiled = Some(program);
        self
    }

    /// Overrides a `param` of the patterns; its text is read as its type says: `7.50`, `10m`, `true`, a string without quotes.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Builder {
        self.patterns.params.set(name, value);
        self
    }

    /// Names the file that holds the rows of a `table`: `.csv`, `.ndjson`, `.jsonl` or `.json`. It is read once, into memory.
    pub fn table(mut self, name: impl Into<String>, file: impl Into<PathBuf>) -> Builder {
        self.patterns.tables.push((name.into(), file.into()));
        self
    }

    /// How far events may be out of order: [`std::time::Duration`] or [`Span`]. Matches come as much later; what arrives later still is late. If nothing
    /// is said: not at all.
    pub fn delay(mut self, delay: impl Into<Span>) -> Builder {
        self.reading.delay = delay.into();
        self
    }

    /// The field in which records tell their event type, where a source or [`Engine::push_record`] carries several; `type` if nothing is said. A path such as
    /// `meta.type` descends.
    pub fn type_field(mut self, path: impl Into<String>) -> Builder {
        self.reading.type_field = path.into();
        self
    }
}

/// What only an engine on threads of its own has.
impl Builder {
    /// Keeps state in a folder, so that a run that was stopped or killed goes on from its last checkpoint, with the rows that it would have written if it had not
    /// been. Without it nothing is kept.
    pub fn state(mut self, folder: impl Into<PathBuf>) -> Builder {
        self.keeping = Some(Keeping::new(folder.into()));
        self
    }

    /// How durable state is kept, if [`Builder::state`] was said before.
    pub fn keeping(mut self, change: impl FnOnce(Keeping) -> Keeping) -> Builder {
        self.keeping = self.keeping.map(change);
        self
    }

    /// Live stores of as many runs before this one are still in use.
    pub(super) fn life(mut self, number: u32) -> Builder {
        self.keeping = self.keeping.map(|keeping| keeping.life(number));
        self
    }

    /// Over how many threads keys are dealt, from 1 to 256; one if nothing is said. Rows and their order are the same for any number. With several, and cores
    /// enough, each is bound to a core.
    pub fn shards(mut self, count: u16) -> Builder {
        self.shards = count;
        self
    }

    /// Adds a source: text as `--source` takes it (`"Txn=cards.ndjson"`, `"generate:cards"`, `"http::8080/events"`), or a [`Source`](crate::Source) of the
    /// program's own. `name` is what counts and messages call it. At equal times events of the source named first come first.
    pub fn source(mut self, name: impl Into<String>, input: impl Into<Input>) -> Builder {
        self.sources.push((name.into(), input.into()));
        self
    }

    /// Keeps files open after their end, for what is appended.
    pub fn follow(mut self) -> Builder {
        self.reading.follow = Follow::Yes;
        self
    }

    /// Binds an output (the name behind `emit` or `timeout`; or `late`, `malformed`, `evicted`) to a place as `--output` takes it (`"alerts.ndjson"`,
    /// `"alerts/?every=10m"`, `"https://…"`, `"-"` for standard output), or to a [`Sink`](crate::Sink) of the program's own. What is bound nowhere is counted only.
    pub fn output(mut self, name: impl Into<String>, to: impl Into<Destination>) -> Builder {
        self.writing.outputs.push((Some(name.into()), to.into()));
        self
    }

    /// Binds every output of a pattern that is not bound by its name.
    pub fn outputs(mut self, to: impl Into<Destination>) -> Builder {
        self.writing.outputs.push((None, to.into()));
        self
    }

    /// Writes rows on standard output another way than JSON. For the command line.
    pub fn pretty(mut self, text: Box<dyn RowText>) -> Builder {
        self.writing.pretty = Some(text);
        self
    }

    /// Calls a function with every match and timeout, in order, on a thread of its own. While 1,024 wait for it, the engine pauses. A panic in it ends the run with
    /// an error. Replaces [`Builder::matches_to`].
    pub fn on_match(mut self, take: impl FnMut(Match) + Send + 'static) -> Builder {
        self.writing.matches = Some(Matches::Callback(Box::new(take)));
        self
    }

    /// Sends every match and timeout, in order, into a channel made by [`std::sync::mpsc::sync_channel`]. While it is full, the engine pauses: receive until it
    /// ends, then [`Running::wait`]. Dropping the receiver before ends the run with [`ErrorKind::Closed`]. Replaces [`Builder::on_match`].
    pub fn matches_to(mut self, queue: SyncSender<Match>) -> Builder {
        self.writing.matches = Some(Matches::Queue(queue));
        self
    }
}

/// Ends.
impl Builder {
    /// An engine for the caller's thread, which pushes events and fetches matches. Starts no thread.
    ///
    /// # Errors
    /// Every mistake of the patterns at once; a file that cannot be read; sources, outputs or shards, which need [`Builder::start`].
    pub fn build(self) -> Result<Engine, Error> {
        let threads = [
            ("sources", !self.sources.is_empty()),
            ("outputs", !self.writing.is_empty()),
            ("more than one shard", self.shards != 1),
            ("durable state", self.keeping.is_some()),
        ];
        if let Some((what, _)) = threads.iter().find(|(_, wanted)| *wanted) {
            return Err(Error::configuration(format!(
                "{what} need threads; call start instead of build"
            )));
        }
        let delay = positive(self.reading.delay)?;
        let (program, tables) = self.patterns.compile()?;
        let plan = Arc::new(Plan::new(program, &tables)?);
        Ok(Engine::new(plan, delay, &self.reading.type_field))
    }

    /// Opens sources and outputs and runs on threads: one per shard and per output. Sources of files end by themselves, others by
    /// [`Watch::stop`](crate::engine::Watch::stop).
    ///
    /// # Errors
    /// As [`Builder::build`]; a source or output that cannot be opened; no source at all; no more threads.
    pub fn start(self) -> Result<Running, Error> {
        let shards = Shards::new(self.shards).ok_or_else(|| {
            let (count, most) = (self.shards, Shards::MAX);
            Error::configuration(format!("{count} shards are out of range; say 1 to {most}"))
        })?;
        if self.sources.is_empty() {
            return Err(Error::configuration(
                "no events to read; add a source, or call build and push them",
            ));
        }
        positive(self.reading.delay)?;
        let (program, tables) = self.patterns.compile()?;
        let mut sources = Vec::with_capacity(self.sources.len());
        for (name, input) in self.sources {
            sources.push(input.open(name, &program, shards, &self.reading)?);
        }
        tracing::debug!("sources are open");
        let plan = Arc::new(Plan::new(Arc::clone(&program), &tables)?);
        let keeping = self.keeping.map(|keeping| keeping.open(shards));
        let mut durable = keeping.transpose()?;
        let mut opening = match &durable {
            Some(durable) => durable.opening()?,
            None => Opening::stateless(),
        };
        let (mut outputs, drains) = Outputs::bind(&program, self.writing.outputs, &mut opening)?;
        tracing::debug!("outputs are open");
        if let Some(durable) = &mut durable {
            let decided = durable.decided_by(&opening, &sources);
            decided.map_err(|error| Error::configuration(error.to_string()))?;
        }
        if let Some(text) = self.writing.pretty {
            outputs = outputs.pretty(text);
        }
        let mut taker = None;
        if let Some(matches) = self.writing.matches {
            let (queue, callback) = matches.ends();
            let names = Arc::new(Names::new(Arc::clone(&program)));
            outputs = outputs.typed(Box::new(Sender { names, queue }));
            if let Some((receiver, take)) = callback {
                taker = Some(Taker::start(receiver, take).map_err(no_thread)?);
            }
        }
        let parts = Parts::new(plan, shards, sources, outputs, drains, durable)?;
        let inner = engine::Running::start(parts);
        Ok(Running::new(inner.map_err(no_thread)?, taker))
    }
}

/// What a group of instances has to know, and what it changes.
#[cfg(feature = "kafka")]
impl Builder {
    pub(super) fn sources(&self) -> &[(String, Input)] {
        &self.sources
    }

    pub(super) fn type_field_name(&self) -> &str {
        &self.reading.type_field
    }

    pub(super) fn kept(&self) -> Option<&Keeping> {
        self.keeping.as_ref()
    }

    /// Where rows go, as far as that was named.
    pub(super) fn targets(&self) -> Result<Vec<Target>, Error> {
        let mut targets = Vec::new();
        for (_, to) in &self.writing.outputs {
            match to {
                Destination::Text(text) => targets.push(Target::parse(text)?),
                Destination::Target(target) => targets.push(target.clone()),
                Destination::Own(_) => {}
            }
        }
        Ok(targets)
    }

    /// The patterns, compiled.
    pub(super) fn compiled(&mut self) -> Result<Arc<Program>, Error> {
        let program = match self.patterns.compiled.take() {
            Some(program) => program,
            None => {
                let texts = std::mem::take(&mut self.patterns.texts);
                compiled(&self.patterns.files, texts, &self.patterns.params)?
            }
        };
        self.patterns.compiled = Some(Arc::clone(&program));
        Ok(program)
    }

    /// Runs one partition of each topic, one of so many that this process may have.
    pub(super) fn seated(mut self, sharing: Sharing, folder: PathBuf, runs: usize) -> Builder {
        self.shards = 1;
        for (_, input) in &mut self.sources {
            input.seat(&sharing.group, sharing.partition);
        }
        self.keeping = (self.keeping).map(|keeping| keeping.sharing(folder, sharing, runs));
        self
    }
}

fn no_thread(error: std::io::Error) -> Error {
    Error::caused(
        ErrorKind::Io,
        "the threads of the run can't be started",
        error,
    )
}

fn positive(delay: Span) -> Result<Span, Error> {
    match delay.0 {
        0.. => Ok(delay),
        _ => Err(Error::configuration(format!(
            "a delay of {delay} is negative; say how far events may be out of order"
        ))),
    }
}

impl Patterns {
    fn compile(self) -> Result<(Arc<Program>, Tables), Error> {
        let program = match self.compiled {
            Some(program) => program,
            None => compiled(&self.files, self.texts, &self.params)?,
        };
        let tables = tables::read(&program, &self.tables)?;
        Ok((program, tables))
    }
}

fn compiled(
    paths: &[PathBuf],
    texts: Vec<(String, String)>,
    params: &Params,
) -> Result<Arc<Program>, Error> {
    if paths.is_empty() && texts.is_empty() {
        return Err(Error::configuration(
            "no patterns to run; name a file or folder with patterns, or give their text with patterns_text",
        ));
    }
    let mut sources = files::load(paths)?;
    for (name, text) in texts {
        sources.add(name, text);
    }
    let compiled = compile(&sources, params);
    let shown = |sources: &SourceMap| render(&compiled.diagnostics, sources, Style::Plain);
    match compiled.program {
        Some(program) => {
            if !compiled.diagnostics.is_empty() {
                tracing::warn!("{}", shown(&sources).trim_end());
            }
            Ok(Arc::new(program))
        }
        None => Err(Error::new(ErrorKind::Patterns, shown(&sources).trim_end())),
    }
}

impl Writing {
    fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.pretty.is_none() && self.matches.is_none()
    }
}

type Callback = (Receiver<Match>, Box<dyn FnMut(Match) + Send>);

impl Matches {
    /// Where they are sent, and what takes them from there if we have to.
    fn ends(self) -> (SyncSender<Match>, Option<Callback>) {
        match self {
            Matches::Queue(queue) => (queue, None),
            Matches::Callback(take) => {
                let (queue, receiver) = sync_channel(CALLBACK_MATCHES);
                (queue, Some((receiver, take)))
            }
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("files", &self.patterns.files)
            .field("reading", &self.reading)
            .field("sources", &self.sources)
            .field("outputs", &self.writing.outputs)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}
