//! The engine against the reference matcher, on one case.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::choices::Choices;
use super::{compile, generate, reference};
use crate::automaton::{Nfa, Row, RuntimeClass, Stream, Tables};
use crate::engine::Shard;
use crate::event::{Event, EventTypeId, Value};
use crate::lang::pattern::{PatternId, Program};
use crate::time::{Timestamp, Watermark};

/// The most partial matches of a key for which a case is judged. Well below the engine's own bound.
pub const PARTIALS_MAX: usize = 400;

/// How many event lists are tried on one pattern file.
pub const LISTS: u64 = 20;

/// What became of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The same rows, so many.
    Same(usize),
    /// The generator made something that the checker rejects or that has too many partial matches.
    Discarded,
    /// The rows differ; how.
    Different(String),
}

/// Where states are between two stretches of input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Between {
    Memory,
    Bytes,
}

/// A pattern file ready to be judged.
pub struct Subject {
    program: Arc<Program>,
    /// Without state.
    engine: Shard,
    rows: reference::Tables,
}

impl Subject {
    /// Compiles a pattern file that declares what generated files declare.
    ///
    /// # Errors
    ///
    /// The mistakes, if there are any.
    pub fn new(text: &str) -> Result<Subject, String> {
        Subject::of(compile(text)?)
    }

    /// A checked file with the table of generated files.
    ///
    /// # Errors
    ///
    /// If a pattern has no automaton.
    pub fn of(program: Program) -> Result<Subject, String> {
        let program = Arc::new(program);
        let (rows, tables) = generate::tables(&program);
        let engine =
            Shard::alone(Arc::clone(&program), &tables).map_err(|error| error.to_string())?;
        Ok(Subject {
            program,
            engine,
            rows,
        })
    }

    /// The same file twice: with partial matches that go on together as soon as they can, and with each of them by itself. `None` if a pattern has no automaton.
    fn shared_and_apart(program: &Arc<Program>) -> Option<(Subject, Subject)> {
        let (rows, tables) = generate::tables(program);
        let subject = |shared| {
            let engine = Shard::alone_sharing(Arc::clone(program), &tables, shared);
            Some(Subject {
                program: Arc::clone(program),
                engine: engine.ok()?,
                rows: rows.clone(),
            })
        };
        Some((subject(true)?, subject(false)?))
    }

    /// The checked file.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// How the first pattern is matched.
    ///
    /// # Panics
    ///
    /// Never: a file without automata is no subject.
    #[must_use]
    pub fn class(&self) -> RuntimeClass {
        let tables = Tables::empty(&self.program);
        let nfa = Nfa::new(&self.program, PatternId(0), &tables);
        nfa.expect("the engine has it").class()
    }

    /// The rows that the reference matcher finds; `None` if there are too many partial matches.
    #[must_use]
    pub fn wanted(&self, events: &[Event], end: Watermark) -> Option<Vec<Row>> {
        reference::run(&self.program, &self.rows, events, end, PARTIALS_MAX)
    }

    /// The events of a list and how far time goes.
    #[must_use]
    pub fn case(&self, choices: &mut Choices) -> (Vec<Event>, Watermark) {
        let events = generate::events(choices, &self.program);
        let end = end_of_time(choices, &events);
        (events, end)
    }

    /// Judges one list: its events come first, then how far time goes and where input is cut.
    #[must_use]
    pub fn judge(&self, choices: &mut Choices) -> Verdict {
        let (events, end) = self.case(choices);
        let cuts = [
            Vec::new(),
            cuts(choices, &events),
            events.iter().map(|event| event.time).collect(),
        ];
        match self.wanted(&events, end) {
            Some(wanted) => self.compare(&events, end, &wanted, &cuts),
            None => Verdict::Discarded,
        }
    }

    /// Runs the engine once for each way to cut the input, and compares every run with the rows wanted. The last way is taken twice: the second time
    /// all states become bytes at every cut, and the run goes on with what is read from them.
    #[must_use]
    pub fn compare(
        &self,
        events: &[Event],
        end: Watermark,
        wanted: &[Row],
        cuts: &[Vec<Timestamp>],
    ) -> Verdict {
        let mut whole: Option<Vec<Row>> = None;
        let in_memory = cuts.iter().map(|cut| (cut, Between::Memory));
        let in_bytes = cuts.last().map(|cut| (cut, Between::Bytes));
        for (cut, between) in in_memory.chain(in_bytes) {
            let rows = self.run_engine(events, end, cut, between);
            let same = rows.len() == wanted.len()
                && rows.iter().zip(wanted).all(|(a, b)| same_but_id(a, b));
            let same_as_whole = whole.as_ref().is_none_or(|whole| *whole == rows);
            if !same || !same_as_whole {
                let mut text = format!("engine, cut at {cut:?}, states in {between:?}:\n");
                shown_rows(&mut text, &self.program, &rows);
                text.push_str(if same {
                    "\nuncut, match ids differ:\n"
                } else {
                    "\nreference:\n"
                });
                shown_rows(
                    &mut text,
                    &self.program,
                    if same {
                        whole.as_deref().unwrap_or_default()
                    } else {
                        wanted
                    },
                );
                return Verdict::Different(text);
            }
            if let Some(twice) = self.id_given_twice(&rows) {
                let row = shown_row(&self.program, twice);
                return Verdict::Different(format!(
                    "two matches have the id {:x}, one of them\n{row}",
                    twice.match_id
                ));
            }
            whole.get_or_insert(rows);
        }
        Verdict::Same(wanted.len())
    }

    /// A row with the id of another match or timeout of its pattern.
    fn id_given_twice<'r>(&self, rows: &'r [Row]) -> Option<&'r Row> {
        let each: HashSet<EventTypeId> = self
            .program
            .patterns
            .iter()
            .flat_map(|pattern| &pattern.emits)
            .filter(|emit| emit.each)
            .map(|emit| emit.stream)
            .collect();
        let mut seen = HashSet::new();
        rows.iter().find(|row| match row.stream {
            // Rows of one match share its id.
            Stream::Match(stream) if each.contains(&stream) => false,
            stream => !seen.insert((row.pattern, stream, row.match_id)),
        })
    }

    /// The engine's rows when time stops at these times on the way.
    fn run_engine(
        &self,
        events: &[Event],
        end: Watermark,
        cuts: &[Timestamp],
        between: Between,
    ) -> Vec<Row> {
        let mut engine = self.engine.anew();
        let mut rows = Vec::new();
        let mut rest = events;
        for cut in cuts
            .iter()
            .copied()
            .filter(|cut| *cut < end.0)
            .chain([end.0])
        {
            let (now, later) = rest.split_at(rest.partition_point(|event| event.time < cut));
            engine.advance(now, Watermark(cut), &mut rows);
            if between == Between::Bytes {
                engine.recode();
            }
            rest = later;
        }
        rows
    }
}

/// Judges stacks and cohorts by the list of runs that they stand for, under a bound.
#[must_use]
pub fn shared_vs_runs(choices: &mut Choices) -> Verdict {
    let text = generate::steps_text(choices);
    let Ok(program) = compile(&text).map(Arc::new) else {
        return Verdict::Discarded;
    };
    let Some((shared, runs)) = Subject::shared_and_apart(&program) else {
        return Verdict::Discarded;
    };
    // Rows of each event keep all events of a partial match.
    if text.contains("emit each") {
        return Verdict::Discarded;
    }
    // Some loops can't share, nor some of what begins in several ways.
    let mut pairs = text.as_bytes().windows(2);
    let optional = pairs.any(|pair| pair[0].is_ascii_alphanumeric() && pair[1] == b'?');
    let varies = optional || text.contains("combinations") || text.contains(" | ");
    match shared.class() {
        RuntimeClass::Stacks | RuntimeClass::Cohorts => {}
        RuntimeClass::Runs | RuntimeClass::Bundles if varies => return Verdict::Discarded,
        class => return Verdict::Different(format!("the class is {class:?} in\n{text}")),
    }
    let (events, end) = shared.case(choices);
    let wanted = runs.run_engine(&events, end, &[], Between::Memory);
    let cuts = [Vec::new(), events.iter().map(|event| event.time).collect()];
    match shared.compare(&events, end, &wanted, &cuts) {
        Verdict::Different(how) => Verdict::Different(format!("{text}\n{how}")),
        verdict => verdict,
    }
}

/// Judges bundles by the list of runs that they stand for, under a bound.
#[must_use]
pub fn bundles_vs_runs(choices: &mut Choices) -> Verdict {
    let text = generate::program_text(choices);
    let Ok(mut program) = compile(&text) else {
        return Verdict::Discarded;
    };
    let bound = *choices.weighted(&[(1, 2), (1, 3), (1, 5), (1, 9), (1, 200)]);
    for pattern in &mut program.patterns {
        pattern.bound.count = bound;
    }
    let program = Arc::new(program);
    let Some((bundles, runs)) = Subject::shared_and_apart(&program) else {
        return Verdict::Discarded;
    };
    if bundles.class() != RuntimeClass::Bundles {
        return Verdict::Discarded;
    }
    // One after the other, since many partial matches take many events.
    let mut events: Vec<Event> = Vec::new();
    for _ in 0..=choices.below(4) {
        let start = events.last().map_or(0, |event| event.time.0);
        let number = events.len() as u64;
        let more = generate::events(choices, &program).into_iter();
        events.extend(more.map(|mut event| {
            event.time.0 += start;
            event.position.offset += number;
            event
        }));
    }
    let end = end_of_time(choices, &events);
    let wanted = runs.run_engine(&events, end, &[], Between::Memory);
    let cuts = [Vec::new(), events.iter().map(|event| event.time).collect()];
    match bundles.compare(&events, end, &wanted, &cuts) {
        Verdict::Different(how) => {
            Verdict::Different(format!("bound {bound}\n{text}\n{events:?}\n{how}"))
        }
        verdict => verdict,
    }
}

fn same_but_id(a: &Row, b: &Row) -> bool {
    a.pattern == b.pattern
        && a.stream == b.stream
        && a.at == b.at
        && a.key == b.key
        && (a.from, a.to) == (b.from, b.to)
        && a.values == b.values
}

/// How far time goes: to its end, or to a while around the last event.
fn end_of_time(choices: &mut Choices, events: &[Event]) -> Watermark {
    let last = events.last().map_or(0, |event| event.time.0);
    match choices.below(4) {
        3 => Watermark(Timestamp(last + 1 + choices.below(8) as i64)),
        _ => Watermark::FINAL,
    }
}

fn cuts(choices: &mut Choices, events: &[Event]) -> Vec<Timestamp> {
    let last = events.last().map_or(0, |event| event.time.0);
    let mut times: Vec<Timestamp> = (0..choices.below(5))
        .map(|_| Timestamp(choices.below(usize::try_from(last).unwrap_or(0) + 4) as i64))
        .collect();
    times.sort();
    times
}

/// A pattern file and a list of events from bytes that a fuzzer writes: the first byte says how many of them make the file.
///
/// # Panics
///
/// If the engine and the reference matcher differ.
pub fn matcher_vs_reference(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let (of_pattern, of_events) = rest.split_at(usize::from(*first).min(rest.len()));
    let text = generate::program_text(&mut Choices::from_bytes(of_pattern));
    let Ok(subject) = Subject::new(&text) else {
        return;
    };
    if let Verdict::Different(how) = subject.judge(&mut Choices::from_bytes(of_events)) {
        panic!("{text}\n{how}");
    }
}

/// Rows as lines of text, for people and for files.
pub fn shown_rows(text: &mut String, program: &Program, rows: &[Row]) {
    for row in rows {
        text.push_str(&shown_row(program, row));
        text.push('\n');
    }
}

/// A row as a line of text: `m at 5 from 1 to 5 key [1] v: 2`.
#[must_use]
pub fn shown_row(program: &Program, row: &Row) -> String {
    let ty = match row.stream {
        Stream::Match(ty) | Stream::Timeout(ty) => Some(program.schema.get(ty)),
        Stream::Evicted => None,
    };
    let stream = ty.map_or("evicted", |ty| ty.name.as_str());
    let key: Vec<String> = row.key.iter().map(shown_value).collect();
    let mut line = format!(
        "{stream} at {} from {} to {} key [{}]",
        row.at.0,
        row.from.0,
        row.to.0,
        key.join(", ")
    );
    for (field, value) in ty.map_or(&[][..], |ty| &ty.fields).iter().zip(&row.values) {
        // A string takes any text.
        let _ = write!(line, " {}: {}", field.name, shown_value(value));
    }
    line
}

/// A value as text.
#[must_use]
pub fn shown_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Decimal(x) => x.normalize().to_string(),
        Value::Str(text) => format!("{:?}", text.as_str()),
        Value::Timestamp(at) => at.0.to_string(),
        Value::Duration(span) => span.to_string(),
        Value::List(values) => {
            let values: Vec<String> = values.iter().map(shown_value).collect();
            format!("[{}]", values.join(", "))
        }
    }
}
