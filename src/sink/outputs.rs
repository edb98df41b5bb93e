//! Which output goes where.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::mpsc::Receiver;

#[cfg(any(test, feature = "testing"))]
use super::Sending;
use super::feed::{Chunk, Feed, Handed, Pipe};
use super::json_row::{JsonRows, Times, append_rejected};
use super::typed::{RowQueue, Typed};
use super::{Error, Opening, Sink, Target};
use crate::automaton::{Row, Stream};
use crate::epoch::Epoch;
use crate::event::EventTypeId;
use crate::lang::pattern::Program;
use crate::source::{Rejected, Rejection};

/// Outputs besides the streams that patterns emit. They are kept only when they are bound by name.
pub const SIDE_OUTPUTS: [&str; 3] = ["late", "malformed", "evicted"];

/// Turns rows into text, for sinks that people read.
pub trait RowText: Send {
    /// Appends a row and its line break.
    fn append(&self, row: &Row, out: &mut Vec<u8>);
}

/// All outputs of a run: which row goes to which sink, as text, and how far each sink is.
pub(crate) struct Outputs {
    rows: JsonRows,
    times: Times,
    /// How rows on standard output are written, if not as JSON.
    pretty: Option<Box<dyn RowText>>,
    pipes: Vec<Pipe>,
    /// The pipes to standard output: rows may go there at once and after commits.
    stdout: Vec<usize>,
    /// By event type: its place in `pipes`. `None` for types that no pattern emits.
    streams: Vec<Option<usize>>,
    late: Option<usize>,
    malformed: Option<usize>,
    evicted: Option<usize>,
    /// Where rows go as they are, besides.
    typed: Option<Typed>,
}

/// Where an output of an embedding program goes.
pub enum Destination {
    /// A place as the command line names it, not taken apart yet.
    Text(String),
    /// A place; it is opened once, however many outputs lead there.
    Target(Target),
    /// A sink of the program's own.
    Own(Box<dyn Sink>),
}

/// A destination as it is bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Target(Target),
    /// By number; under this name metrics speak of it.
    Own(usize, String),
}

/// Somewhere to which rows can go.
trait Whither: Clone + Eq + Hash + fmt::Display {
    /// What a checkpoint calls it.
    fn key(&self) -> String;

    /// True if rows are kept in checkpoints until they are sent.
    fn keeps_rows(&self) -> bool;
}

/// Opens a place.
type Open<'a, T> = dyn FnMut(&T) -> Result<Box<dyn Sink>, Error> + 'a;

/// Outputs that are bound, and which pipe leads to each place.
struct Wired<T> {
    outputs: Outputs,
    drains: Vec<Drain>,
    opened: HashMap<T, usize>,
}

impl<T> Wired<T> {
    fn pipes_to(&self, place: impl Fn(&T) -> bool) -> Vec<usize> {
        let opened = self.opened.iter().filter(|(target, _)| place(target));
        opened.map(|(_, at)| *at).collect()
    }
}

/// A sink with the queue that leads to it.
pub(crate) struct Drain {
    pub(crate) queue: Receiver<Chunk>,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) feed: Feed,
    /// What a checkpoint calls it.
    pub(crate) key: String,
}

impl Whither for Target {
    fn key(&self) -> String {
        Target::key(self)
    }

    fn keeps_rows(&self) -> bool {
        Target::keeps_rows(self)
    }
}

impl Whither for Place {
    fn key(&self) -> String {
        match self {
            Place::Target(target) => target.key(),
            Place::Own(_, name) => format!("own:{name}"),
        }
    }

    fn keeps_rows(&self) -> bool {
        match self {
            Place::Target(target) => target.keeps_rows(),
            Place::Own(..) => false,
        }
    }
}

/// As messages and metrics name it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Target(target) => target.fmt(f),
            Place::Own(_, name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Text(text) => write!(f, "Text({text})"),
            Destination::Target(target) => write!(f, "Target({target})"),
            Destination::Own(_) => f.write_str("Own(..)"),
        }
    }
}

impl From<&str> for Destination {
    fn from(text: &str) -> Destination {
        Destination::Text(text.to_owned())
    }
}

impl From<String> for Destination {
    fn from(text: String) -> Destination {
        Destination::Text(text)
    }
}

impl From<Target> for Destination {
    fn from(target: Target) -> Destination {
        Destination::Target(target)
    }
}

impl<S: Sink + 'static> From<S> for Destination {
    fn from(sink: S) -> Destination {
        Destination::Own(Box::new(sink))
    }
}

impl Outputs {
    /// Binds the outputs of a program, with sinks that the caller makes. What no specification binds goes to standard output; side outputs go nowhere
    /// unless they are bound by name.
    ///
    /// # Errors
    /// When a name is not an output or is bound twice, or a sink cannot be opened. Nothing is opened before all names are known to be right.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn open_with(
        program: &Program,
        specs: &[super::OutputSpec],
        mut open: impl FnMut(&Target) -> Result<Box<dyn Sink>, Error>,
    ) -> Result<(Outputs, Vec<Drain>), Error> {
        let specs = specs
            .iter()
            .map(|spec| (spec.name.as_deref(), spec.target.clone()));
        let bindings = bindings(program, specs)?;
        let stdout = Target::Stdout(Sending::AtOnce);
        let wired = Outputs::wire(program, &bindings, Some(&stdout), &mut open)?;
        let stdout = wired.pipes_to(Target::is_stdout);
        let outputs = Outputs {
            stdout,
            ..wired.outputs
        };
        Ok((outputs, wired.drains))
    }

    /// Binds the outputs of a program: `None` for all streams that are not named. What is not bound goes nowhere.
    ///
    /// # Errors
    /// When a name is not an output or is bound twice, or a sink cannot be opened. Nothing is opened before all names are known to be right.
    pub(crate) fn bind(
        program: &Program,
        destinations: Vec<(Option<String>, Destination)>,
        opening: &mut Opening,
    ) -> Result<(Outputs, Vec<Drain>), Error> {
        let mut own: Vec<Option<Box<dyn Sink>>> = Vec::new();
        let mut places = Vec::with_capacity(destinations.len());
        for (name, destination) in destinations {
            let place = match destination {
                Destination::Text(text) => Place::Target(Target::parse(&text)?),
                Destination::Target(target) => Place::Target(target),
                Destination::Own(sink) => {
                    own.push(Some(sink));
                    let shown = name.clone().unwrap_or_else(|| "all".to_owned());
                    Place::Own(own.len() - 1, shown)
                }
            };
            places.push((name, place));
        }
        let named = places.iter();
        let bindings = bindings(
            program,
            named.map(|(name, place)| (name.as_deref(), place.clone())),
        )?;
        let mut open = |place: &Place| match place {
            Place::Target(target) => target.open_with(opening),
            Place::Own(at, _) => Ok(own[*at].take().expect("a place is opened once")),
        };
        let wired = Outputs::wire(program, &bindings, None, &mut open)?;
        let stdout = wired.pipes_to(|place| match place {
            Place::Target(target) => target.is_stdout(),
            Place::Own(..) => false,
        });
        let outputs = Outputs {
            stdout,
            ..wired.outputs
        };
        Ok((outputs, wired.drains))
    }

    /// Opens each place once and leads streams there. `unbound`: where streams go that are not bound.
    fn wire<T: Whither>(
        program: &Program,
        bindings: &Bindings<T>,
        unbound: Option<&T>,
        open: &mut Open<'_, T>,
    ) -> Result<Wired<T>, Error> {
        let (mut pipes, mut drains) = (Vec::new(), Vec::new());
        let mut opened: HashMap<T, usize> = HashMap::new();
        let mut bound = |target: &T| {
            if let Some(at) = opened.get(target) {
                return Ok(*at);
            }
            let key = target.key();
            let mut others = opened.keys().filter(|other| other.key() == key);
            if others.any(|other| target.keeps_rows() || other.keeps_rows()) {
                return Err(Error::usage(format!(
                    "output \"{target}\" is bound in several ways, one of them with delivery=after-commit; write the same options for all"
                )));
            }
            let sink = open(target)?;
            let (pipe, queue, feed) = Pipe::new(target.to_string());
            pipes.push(pipe);
            drains.push(Drain {
                queue,
                sink,
                feed,
                key,
            });
            opened.insert(target.clone(), pipes.len() - 1);
            Ok(pipes.len() - 1)
        };
        let mut streams = vec![None; program.schema.types.len()];
        for ty in emitted(program) {
            let name = &program.schema.get(ty).name;
            let target = bindings
                .get(Some(name.as_str()))
                .or_else(|| bindings.get(None))
                .or(unbound);
            streams[usize::from(ty.0)] = target.map(&mut bound).transpose()?;
        }
        let mut side = |name| bindings.get(Some(name)).map(&mut bound).transpose();
        let (late, malformed, evicted) = (side("late")?, side("malformed")?, side("evicted")?);
        let outputs = Outputs {
            rows: JsonRows::new(program),
            times: Times::default(),
            pretty: None,
            stdout: Vec::new(),
            pipes,
            streams,
            late,
            malformed,
            evicted,
            typed: None,
        };
        Ok(Wired {
            outputs,
            drains,
            opened,
        })
    }

    /// Hands every row of a stream to the program too, as it is.
    #[must_use]
    pub(crate) fn typed(self, queue: Box<dyn RowQueue>) -> Outputs {
        Outputs {
            typed: Some(Typed::new(queue)),
            ..self
        }
    }

    /// What is counted of the rows that go to the program as they are.
    pub(crate) fn typed_feed(&self) -> Option<Feed> {
        self.typed.as_ref().map(Typed::feed)
    }

    /// Writes rows on standard output another way.
    #[must_use]
    pub fn pretty(self, text: Box<dyn RowText>) -> Outputs {
        Outputs {
            pretty: Some(text),
            ..self
        }
    }

    /// True if rejected records of this kind are kept.
    pub(crate) fn keeps(&self, rejection: Rejection) -> bool {
        self.side_of(rejection).is_some()
    }

    /// Writes a row, unless its output is bound nowhere. `arrived`: when the event that completed it did, in microseconds of the run's clock.
    pub(crate) fn write(&mut self, row: &Row, arrived: Option<u64>) {
        if let (Some(typed), Stream::Match(_) | Stream::Timeout(_)) = (&mut self.typed, row.stream)
        {
            typed.add(row.clone());
        }
        let at = match row.stream {
            Stream::Match(ty) | Stream::Timeout(ty) => self.streams[usize::from(ty.0)],
            Stream::Evicted => self.evicted,
        };
        let Some(at) = at else { return };
        let pipe = &mut self.pipes[at];
        match &self.pretty {
            Some(pretty) if self.stdout.contains(&at) => {
                pipe.add(arrived, |out| pretty.append(row, out));
            }
            _ => pipe.add(arrived, |out| {
                self.rows.append_next(row, &mut self.times, out)
            }),
        }
    }

    /// Writes a late or malformed record, if that output is bound.
    pub(crate) fn reject(&mut self, rejected: &Rejected<'_>) {
        if let Some(at) = self.side_of(rejected.rejection) {
            self.pipes[at].add(None, |out| append_rejected(rejected, out));
        }
    }

    /// Writes the text of a late or malformed record, if that output is bound.
    pub(crate) fn side(&mut self, rejection: Rejection, text: &[u8]) {
        if let Some(at) = self.side_of(rejection) {
            self.pipes[at].add(None, |out| out.extend_from_slice(text));
        }
    }

    /// An epoch ends, in every sink, behind the rows written so far.
    pub(crate) fn barrier(&mut self, epoch: Epoch) {
        self.pipes.iter_mut().for_each(|pipe| pipe.barrier(epoch));
    }

    /// Moves rows into the queues of their sinks as far as there is room.
    ///
    /// # Errors
    /// When a sink has gone.
    pub(crate) fn hand_over(&mut self) -> Result<Handed, Error> {
        let mut handed = match &mut self.typed {
            Some(typed) => typed.hand_over()?,
            None => Handed::All,
        };
        for pipe in &mut self.pipes {
            if pipe.hand_over()? == Handed::Part {
                handed = Handed::Part;
            }
        }
        Ok(handed)
    }

    fn side_of(&self, rejection: Rejection) -> Option<usize> {
        match rejection {
            Rejection::Late => self.late,
            Rejection::Malformed => self.malformed,
        }
    }
}

/// The text of a late or malformed record.
pub(crate) fn rejected_text(rejected: &Rejected<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    append_rejected(rejected, &mut text);
    text
}

/// Targets by name; `None` for all streams that are not named.
struct Bindings<T>(HashMap<Option<String>, T>);

impl<T> Bindings<T> {
    fn get(&self, name: Option<&str>) -> Option<&T> {
        self.0.get(&name.map(str::to_owned))
    }
}

/// Checks names.
fn bindings<'a, T>(
    program: &Program,
    named: impl Iterator<Item = (Option<&'a str>, T)>,
) -> Result<Bindings<T>, Error> {
    let mut known: Vec<&str> = emitted(program)
        .map(|ty| program.schema.get(ty).name.as_str())
        .collect();
    known.sort_unstable();
    known.dedup();
    known.extend(SIDE_OUTPUTS);
    let mut bindings = HashMap::new();
    for (name, target) in named {
        if let Some(name) = name
            && !known.contains(&name)
        {
            let known = known.join(", ");
            return Err(Error::usage(format!(
                "no output \"{name}\"; outputs are {known}"
            )));
        }
        if bindings.insert(name.map(str::to_owned), target).is_some() {
            let name = name.unwrap_or("all");
            return Err(Error::usage(format!(
                "output \"{name}\" is bound twice; bind it once"
            )));
        }
    }
    Ok(Bindings(bindings))
}

/// The streams that patterns emit, some perhaps more than once.
fn emitted(program: &Program) -> impl Iterator<Item = EventTypeId> {
    program.patterns.iter().flat_map(|pattern| {
        let timeout = pattern.timeout.iter().map(|timeout| timeout.stream);
        pattern.emits.iter().map(|emit| emit.stream).chain(timeout)
    })
}

#[cfg(test)]
mod tests {
    use super::super::OutputSpec;
    use super::*;
    use crate::event::schema::{EventType, Schema};
    use crate::lang::pattern::{
        AfterMatch, Bound, Emit, Evict, Pattern, PatternId, Sequence, TimeoutEmit,
    };
    use crate::time::Timestamp;
    use smallvec::SmallVec;
    use std::fs;
    use std::path::PathBuf;

    /// One pattern that emits `fraud` and times out to `watch`.
    fn program() -> Program {
        let ty = |name: &str| EventType {
            name: name.to_owned(),
            fields: vec![],
            time: None,
        };
        let (fraud, watch) = (EventTypeId(1), EventTypeId(2));
        let pattern = Pattern {
            name: "p".to_owned(),
            annotations: vec![],
            inputs: vec![],
            key: vec![],
            key_types: vec![],
            steps: vec![],
            variables: vec![],
            body: Sequence { elements: vec![] },
            within: None,
            having: None,
            skip: AfterMatch::PastMatch,
            limit: None,
            bound: Bound {
                count: 1,
                evict: Evict::Oldest,
            },
            emits: vec![Emit {
                stream: fraud,
                each: false,
                fields: vec![],
            }],
            timeout: Some(TimeoutEmit {
                stream: watch,
                fields: vec![],
            }),
        };
        Program {
            schema: Schema {
                types: vec![ty("Txn"), ty("fraud"), ty("watch")],
            },
            tables: vec![],
            patterns: vec![pattern],
            order: vec![PatternId(0)],
            tests: vec![],
        }
    }

    fn row(stream: Stream) -> Row {
        Row {
            pattern: PatternId(0),
            stream,
            at: Timestamp(0),
            key: SmallVec::new(),
            match_id: 1,
            from: Timestamp(0),
            to: Timestamp(0),
            values: Box::new([]),
        }
    }

    /// Outputs named in each file, after one row of each kind.
    fn outputs_of(specs: &[&str]) -> Result<Vec<(String, Vec<String>)>, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        let place = |spec: OutputSpec| match spec.target {
            Target::File(path) => OutputSpec {
                target: Target::File(folder.path().join(path)),
                ..spec
            },
            _ => spec,
        };
        let specs: Result<Vec<OutputSpec>, Error> = specs
            .iter()
            .map(|text| OutputSpec::parse(text).map(place))
            .collect();
        let (mut outputs, drains) =
            Outputs::open_with(&program(), &specs?, |target| target.open())?;
        for stream in [
            Stream::Match(EventTypeId(1)),
            Stream::Timeout(EventTypeId(2)),
            Stream::Evicted,
        ] {
            outputs.write(&row(stream), None);
        }
        for rejection in [Rejection::Late, Rejection::Malformed] {
            outputs.reject(&Rejected {
                rejection,
                source: "s",
                partition: 0,
                offset: 0,
                reason: "",
                behind: None,
                record: b"",
            });
        }
        assert_eq!(outputs.hand_over()?, Handed::All);
        for mut drain in drains {
            while let Ok(chunk) = drain.queue.try_recv() {
                drain.sink.write(&chunk.bytes)?;
            }
            drain.sink.flush()?;
        }
        let mut files: Vec<PathBuf> = fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("a file").path())
            .collect();
        files.sort();
        let names = |path: &PathBuf| {
            let text = fs::read_to_string(path).expect("text");
            let row = |line: &str| {
                serde_json::from_str::<serde_json::Value>(line).expect("JSON")["output"]
                    .as_str()
                    .expect("a name")
                    .to_owned()
            };
            (
                path.file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned(),
                text.lines().map(row).collect(),
            )
        };
        Ok(files.iter().map(names).collect())
    }

    #[track_caller]
    fn check(specs: &[&str], want: &[(&str, &[&str])]) {
        let files = outputs_of(specs).expect("bound");
        let files: Vec<(&str, Vec<&str>)> = files
            .iter()
            .map(|(file, rows)| (file.as_str(), rows.iter().map(String::as_str).collect()))
            .collect();
        let want: Vec<(&str, Vec<&str>)> = want
            .iter()
            .map(|(file, rows)| (*file, rows.to_vec()))
            .collect();
        assert_eq!(files, want);
    }

    #[test]
    fn a_path_alone_binds_what_patterns_emit() {
        check(&["all"], &[("all", &["fraud", "watch"])]);
    }

    #[test]
    fn a_name_wins_and_side_outputs_need_theirs() {
        check(
            &["all", "watch=w", "late=side", "malformed=side", "evicted=e"],
            &[
                ("all", &["fraud"]),
                ("e", &["evicted"]),
                ("side", &["late", "malformed"]),
                ("w", &["watch"]),
            ],
        );
    }

    #[test]
    fn wrong_bindings_are_refused() {
        let error = |specs| outputs_of(specs).expect_err("refused").to_string();
        assert_eq!(
            error(&["farud=a"]),
            "no output \"farud\"; outputs are fraud, watch, late, malformed, evicted"
        );
        assert_eq!(
            error(&["fraud=a", "fraud=b"]),
            "output \"fraud\" is bound twice; bind it once"
        );
        assert_eq!(
            error(&["a", "b"]),
            "output \"all\" is bound twice; bind it once"
        );
        assert!(error(&["none/a"]).contains("cannot be created: No such file"));
        assert_eq!(
            error(&["fraud=-", "watch=-#delivery=after-commit"]),
            "output \"-\" is bound in several ways, one of them with delivery=after-commit; write the same options for all"
        );
    }
}
