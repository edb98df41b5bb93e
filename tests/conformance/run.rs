//! A case's events through a judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leitmotif::automaton::{Row, Stream, Tables};
use leitmotif::engine::Shard;
use leitmotif::event::{Event, Position, Value};
use leitmotif::lang::pattern::Program;
use leitmotif::testing::reference;
use leitmotif::time::{Timestamp, Watermark};

use crate::case::{Binding, Case, MarkTime, Mode};
use crate::translate::{STRETCH, bound_names, text, variable};

/// Who answers.
#[derive(Clone, Copy, Debug)]
pub enum Judge {
    Reference,
    Engine,
}

/// What a case asks about, in its own units.
#[derive(Debug)]
pub struct Answer {
    /// When and what, in the order of rows.
    pub matches: Vec<(i64, Binding)>,
    pub timeouts: BTreeSet<(i64, Binding)>,
    pub late: Vec<usize>,
}

/// Runs a case; `Err` with the diagnostics if its pattern is rejected.
pub fn answer(case: &Case, judge: Judge) -> Result<Answer, String> {
    let program = Arc::new(leitmotif::testing::compile(&text(case))?);
    let Arrived {
        events,
        late,
        watermark,
    } = arrived(case, &program);
    let rows = match judge {
        Judge::Reference => reference::run(&program, &Vec::new(), &events, watermark, 1_000_000)
            .ok_or("too many partial matches")?,
        Judge::Engine => {
            let mut engine = Shard::alone(program.clone(), &Tables::empty(&program))
                .map_err(|error| error.to_string())?;
            let mut rows = Vec::new();
            engine.advance(&events, watermark, &mut rows);
            rows
        }
    };
    let mut names = Vec::new();
    bound_names(&case.pattern.elements, &mut names);
    let by_variable: BTreeMap<String, &str> = names
        .into_iter()
        .map(|name| (variable(name), name))
        .collect();
    let mut answer = Answer {
        matches: Vec::new(),
        timeouts: BTreeSet::new(),
        late,
    };
    for row in &rows {
        let binding = binding(&program, row, &by_variable);
        match row.stream {
            Stream::Match(_) => answer.matches.push((row.at.0.div_euclid(STRETCH), binding)),
            // The bound is the last of our milliseconds before theirs.
            Stream::Timeout(_) => {
                answer
                    .timeouts
                    .insert(((row.at.0 + 1).div_euclid(STRETCH), binding));
            }
            Stream::Evicted => {}
        }
    }
    Ok(answer)
}

fn binding(program: &Program, row: &Row, names: &BTreeMap<String, &str>) -> Binding {
    let (Stream::Match(ty) | Stream::Timeout(ty)) = row.stream else {
        return Binding::new();
    };
    let mut binding = Binding::new();
    for (field, value) in program.schema.get(ty).fields.iter().zip(&row.values) {
        let Value::List(numbers) = value else {
            continue;
        };
        let numbers: Vec<usize> = numbers
            .iter()
            .map(|number| match number {
                Value::Int(n) => usize::try_from(*n).expect("a number of an event"),
                other => panic!("{other:?} is no number of an event"),
            })
            .collect();
        if !numbers.is_empty() {
            binding.insert(names[&field.name].to_owned(), numbers);
        }
    }
    binding
}

struct Arrived {
    events: Vec<Event>,
    late: Vec<usize>,
    watermark: Watermark,
}

/// The events that take part, in order, and how far time goes.
fn arrived(case: &Case, program: &Program) -> Arrived {
    let mut taking_part: Vec<(i64, usize)> = Vec::new();
    let mut late = Vec::new();
    let watermark = if case.mode == Mode::EventTime {
        let marks = case.watermarks.as_deref().unwrap_or_default();
        let at = |n: usize| {
            let passed = marks
                .iter()
                .filter(|mark| mark.after <= n)
                .map(|mark| match mark.ts {
                    // Theirs says that nothing at or before it follows; ours that nothing before it does.
                    MarkTime::At(ts) => ts * STRETCH + 1,
                    MarkTime::End(_) => i64::MAX,
                });
            passed.max().unwrap_or(i64::MIN)
        };
        for (i, event) in case.events.iter().enumerate() {
            if event.ts * STRETCH < at(i) {
                late.push(i);
            } else {
                taking_part.push((event.ts, i));
            }
        }
        let end = at(case.events.len());
        taking_part.retain(|(ts, _)| ts * STRETCH < end);
        end
    } else {
        // Time never goes back: an event that comes with an older one counts as of now.
        let mut now = i64::MIN;
        for (i, event) in case.events.iter().enumerate() {
            now = now.max(event.ts);
            taking_part.push((now, i));
        }
        case.advance_to_ms
            .unwrap_or(now)
            .max(now)
            .saturating_mul(STRETCH)
            .saturating_add(1)
    };
    let by = |i: usize| match case.tie_break.as_deref() {
        Some("price") => case.events[i].price,
        _ => 0.0,
    };
    taking_part.sort_by(|(a_ts, a), (b_ts, b)| {
        a_ts.cmp(b_ts)
            .then(by(*a).total_cmp(&by(*b)))
            .then(a.cmp(b))
    });
    let events = taking_part
        .iter()
        .enumerate()
        .map(|(offset, (ts, i))| event(case, program, *ts, *i, offset))
        .collect();
    Arrived {
        events,
        late,
        watermark: Watermark(Timestamp(watermark)),
    }
}

fn event(case: &Case, program: &Program, ts: i64, i: usize, offset: usize) -> Event {
    let of = &case.events[i];
    let ty = program
        .schema
        .find("Event")
        .expect("the only declared type");
    let time = Timestamp(ts * STRETCH);
    let value = |name: &str| match name {
        "t" => Value::Timestamp(time),
        "i" => Value::Int(i64::try_from(i).expect("few events")),
        "kind" => Value::Str(of.kind.as_str().into()),
        "id" => Value::Int(of.id),
        "name" => Value::Str(of.name.as_str().into()),
        "price" => Value::Float(of.price),
        "volume" => of.volume.map_or(Value::Null, Value::Float),
        "ts" => Value::Int(of.ts),
        other => panic!("no field `{other}`"),
    };
    let values = program
        .schema
        .get(ty)
        .fields
        .iter()
        .map(|field| value(&field.name))
        .collect();
    Event {
        ty,
        time,
        position: Position {
            offset: offset as u64,
            ..Position::default()
        },
        values,
    }
}

/// Their timeouts, one per live partial match, as ours are: one per start that never matched, with its most advanced binding.
pub fn timeouts_of_starts(case: &Case) -> BTreeSet<(i64, Binding)> {
    let mut names = Vec::new();
    bound_names(&case.pattern.elements, &mut names);
    let first = |binding: &Binding| binding.values().flatten().copied().min();
    let advance = |binding: &Binding| {
        let last = names.iter().rposition(|name| binding.contains_key(*name));
        (last, binding.values().map(Vec::len).sum::<usize>())
    };
    let matched: BTreeSet<_> = case.expected.iter().flatten().map(first).collect();
    let mut by_start: BTreeMap<Option<usize>, (i64, &Binding)> = BTreeMap::new();
    for timeout in case.timeouts.iter().flatten() {
        let best = by_start
            .entry(first(&timeout.binding))
            .or_insert((timeout.at_ms, &timeout.binding));
        if (timeout.at_ms, advance(&timeout.binding)) > (best.0, advance(best.1)) {
            *best = (timeout.at_ms, &timeout.binding);
        }
    }
    by_start.retain(|start, _| !matched.contains(start));
    by_start
        .into_values()
        .map(|(at, binding)| (at, binding.clone()))
        .collect()
}
