//! Events as the records of sources, in an order of arrival that a generator chose.

use std::fmt::Write as _;

use crate::event::{Event, Position, Value};
use crate::lang::pattern::Program;
use crate::source::{Error, Extent, Polled, Progress, Record, Source, SourcePosition};
use crate::testing::choices::Choices;
use crate::time::Span;

/// The records of one source in order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// By partition.
    partitions: Vec<Vec<String>>,
}

/// Gives out a script.
pub(super) struct Reader {
    script: Script,
    /// By partition: how many lines were given out.
    given: Vec<usize>,
    choices: Choices,
}

/// Deals events, which are sorted by time, to sources and partitions, and lets them arrive out of order by at most `delay`. The events get
/// the positions at which they arrive, and are sorted again.
///
/// Without a choice left everything arrives in order in one partition.
pub fn scripts(
    program: &Program,
    events: &mut Vec<Event>,
    delay: Span,
    choices: &mut Choices,
) -> Vec<Script> {
    let sources = 1 + choices.below(3);
    let partitions: Vec<usize> = (0..sources).map(|_| 1 + choices.below(3)).collect();
    let mut arrivals: Vec<(i64, usize, Event)> = Vec::new();
    for (at, event) in events.drain(..).enumerate() {
        let held_up = choices.below(usize::try_from(delay.0).unwrap_or(0).min(255) + 1);
        arrivals.push((event.time.0 + held_up as i64, at, event));
    }
    arrivals.sort_by_key(|(arrives, at, _)| (*arrives, *at));
    let mut scripts: Vec<Script> = partitions
        .iter()
        .map(|count| Script {
            partitions: vec![Vec::new(); *count],
        })
        .collect();
    for (_, _, mut event) in arrivals {
        let source = choices.below(sources);
        let partition = choices.below(partitions[source]);
        let lines = &mut scripts[source].partitions[partition];
        lines.push(line(program, &event));
        event.position = Position {
            source: source as u16,
            partition: partition as u32,
            offset: lines.len() as u64,
        };
        events.push(event);
    }
    events.sort_by_key(|event| (event.time, event.position));
    scripts
}

/// An event as a record.
fn line(program: &Program, event: &Event) -> String {
    let ty = program.schema.get(event.ty);
    let mut line = format!("{{\"type\":\"{}\"", ty.name);
    for (field, value) in ty.fields.iter().zip(&event.values) {
        // A string takes any text.
        let _ = match value {
            Value::Null => Ok(()),
            Value::Str(text) => write!(
                line,
                ",\"{}\":{}",
                field.name,
                serde_json::Value::from(text.as_str())
            ),
            Value::Bool(value) => write!(line, ",\"{}\":{value}", field.name),
            Value::Int(value) => write!(line, ",\"{}\":{value}", field.name),
            Value::Float(value) => write!(line, ",\"{}\":{value:?}", field.name),
            Value::Decimal(value) => write!(line, ",\"{}\":{value}", field.name),
            Value::Timestamp(value) => write!(line, ",\"{}\":{}", field.name, value.0),
            Value::Duration(value) => write!(line, ",\"{}\":{}", field.name, value.0),
            Value::List(_) => unreachable!("no field of a source is a list"),
        };
    }
    line.push('}');
    line
}

impl Script {
    pub(super) fn reader(self, seed: u64) -> Reader {
        Reader {
            given: vec![0; self.partitions.len()],
            script: self,
            choices: Choices::from_seed(seed ^ 0x5eed),
        }
    }
}

impl Source for Reader {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        let partition = self.choices.below(self.given.len());
        let lines = &self.script.partitions[partition];
        let given = &mut self.given[partition];
        for line in lines.iter().skip(*given).take(self.choices.below(5)) {
            *given += 1;
            take(Record {
                bytes: line.as_bytes(),
                partition: partition as u32,
                offset: *given as u64,
                arrived: None,
                heads_file: false,
            });
        }
        let partitions = self.script.partitions.iter().zip(&self.given);
        let ended = partitions
            .into_iter()
            .all(|(lines, given)| *given == lines.len());
        Ok(match ended {
            true => Polled::End,
            false if self.choices.chance(1, 3) => Polled::Waiting,
            false => Polled::More,
        })
    }

    fn partitions(&self) -> Vec<u32> {
        (0..self.given.len() as u32).collect()
    }

    fn extent(&self) -> Extent {
        Extent::Bounded
    }

    fn progress(&self) -> Option<Progress> {
        None
    }

    fn positions(&self) -> Option<Vec<(u32, SourcePosition)>> {
        let given = (0..).zip(&self.given);
        let positions = given.map(|(partition, given)| {
            let position = SourcePosition {
                offset: *given as u64 + 1,
                place: Vec::new(),
            };
            (partition, position)
        });
        Some(positions.collect())
    }

    fn seek(&mut self, positions: &[(u32, SourcePosition)]) -> Result<(), Error> {
        for (partition, position) in positions {
            self.given[*partition as usize] = position.offset as usize - 1;
        }
        Ok(())
    }
}
