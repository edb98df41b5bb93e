//! Where made-up events go on, in bytes that outlive the process: what is made, and how far. `docs/checkpoint.md` has it byte by byte.

use super::{Clock, Kind, Workload};
use crate::source::place::{self, begin};
use crate::source::{Error, SourcePosition};
use crate::wire::{Reader, put_uint};

/// Where a partition goes on.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub workload: &'a Workload,
    /// How many steps the partition has made.
    pub steps: u64,
}

impl Place<'_> {
    pub(super) fn position(&self, offset: u64) -> SourcePosition {
        let mut place = begin(place::Kind::Generator);
        for (_, value) in options(self.workload) {
            put_uint(&mut place, value);
        }
        put_uint(&mut place, self.steps);
        SourcePosition { offset, place }
    }

    /// What [`position`](Place::position) wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, or of another workload: its events don't follow on those of this one.
    pub(super) fn read<'a>(
        workload: &'a Workload,
        position: &SourcePosition,
    ) -> Result<Place<'a>, Error> {
        let name = name(workload);
        let take = |reader: &mut Reader<'_>| {
            let mut differ = Vec::new();
            for (option, value) in options(workload) {
                let was = reader.uint()?;
                if was != value {
                    differ.push(shown(option, was));
                }
            }
            Ok((differ, reader.uint()?))
        };
        let (differ, steps) = place::read(&name, place::Kind::Generator, position, take)?;
        if !differ.is_empty() {
            return Err(Error(format!(
                "source \"{name}\" was made up with {} when the state was written, and these events do not follow on those; write it as it was, or give the source another name to begin anew",
                differ.join(" ")
            )));
        }
        Ok(Place { workload, steps })
    }
}

/// What decides which events there are, as numbers. How fast they come doesn't.
fn options(workload: &Workload) -> [(&'static str, u64); 7] {
    let Workload {
        kind,
        keys,
        seed,
        events,
        rate: _,
        partitions,
        disorder_ms,
        clock,
        text: _,
    } = workload;
    let kind = match kind {
        Kind::Cards => 1,
        Kind::Sensors => 2,
        Kind::Stock => 3,
    };
    let clock = match clock {
        Clock::Fixed => 0,
        Clock::Now => 1,
    };
    [
        ("kind", kind),
        ("keys", *keys),
        ("seed", *seed),
        // No end is further away than any.
        ("events", events.unwrap_or(u64::MAX)),
        ("partitions", u64::from(*partitions)),
        ("disorder", *disorder_ms),
        ("time", clock),
    ]
}

fn shown(option: &str, value: u64) -> String {
    match (option, value) {
        ("kind", 1) => "cards".to_owned(),
        ("kind", 2) => "sensors".to_owned(),
        ("kind", 3) => "stock".to_owned(),
        ("events", u64::MAX) => "no events=".to_owned(),
        ("disorder", ms) => format!("disorder={ms}ms"),
        ("time", 0) => "time=fixed".to_owned(),
        ("time", 1) => "time=now".to_owned(),
        (option, value) => format!("{option}={value}"),
    }
}

fn name(workload: &Workload) -> String {
    format!("generate:{}", workload.text)
}

/// The numbers of a place contradict each other.
pub(super) fn damaged(workload: &Workload) -> Error {
    Error(format!(
        "source \"{}\": the place at which it is to go on is damaged: no event is there; go on from an older checkpoint",
        name(workload)
    ))
}
