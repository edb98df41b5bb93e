//! Failures as files: a pattern file, and beside it the events and the rows wanted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use leitmotif::event::{Event, Position, Value};
use leitmotif::lang::pattern::Program;
use leitmotif::testing::choices::Choices;
use leitmotif::testing::differential::{PARTIALS_MAX, Verdict, compare, shown_row};
use leitmotif::testing::{compile, generate, reference};
use leitmotif::time::{Timestamp, Watermark};
use serde::{Deserialize, Serialize};

/// A case with the rows that the reference matcher finds.
pub struct Golden {
    name: String,
    text: String,
    content: Content,
}

#[derive(Serialize, Deserialize)]
struct Content {
    /// Type, time and fields of each, in order.
    events: Vec<(String, i64, Vec<Option<i64>>)>,
    rows: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/differential")
}

impl Golden {
    /// Of a file and the bytes of its events; `None` if the file is rejected.
    pub fn of(text: &str, of_events: &[u8]) -> Option<Golden> {
        let program = compile(text).ok()?;
        let events = generate::events(&mut Choices::from_bytes(of_events), &program);
        let number = |value: &Value| match value {
            Value::Int(n) => Some(*n),
            Value::Timestamp(at) => Some(at.0),
            _ => None,
        };
        let shown = |event: &Event| {
            let name = program.schema.get(event.ty).name.clone();
            (
                name,
                event.time.0,
                event.values.iter().map(number).collect(),
            )
        };
        let rows = reference::run(
            &program,
            &Vec::new(),
            &events,
            Watermark::FINAL,
            PARTIALS_MAX,
        )?;
        let content = Content {
            events: events.iter().map(shown).collect(),
            rows: rows.iter().map(|row| shown_row(&program, row)).collect(),
        };
        Some(Golden {
            name: String::new(),
            text: text.to_owned(),
            content,
        })
    }

    /// Every saved one.
    pub fn all() -> Vec<Golden> {
        let entries = std::fs::read_dir(folder())
            .map(|entries| entries.flatten().collect())
            .unwrap_or(Vec::new());
        let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "motif")
        });
        paths.sort();
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).expect("a pattern file");
            let content = std::fs::read_to_string(path.with_extension("json")).expect("its events");
            let content = serde_json::from_str(&content).expect("events and rows");
            Golden {
                name: path.display().to_string(),
                text,
                content,
            }
        };
        paths.iter().map(read).collect()
    }

    /// Writes it.
    pub fn save(&self, name: &str) -> PathBuf {
        let path = folder().join(name).with_extension("motif");
        std::fs::create_dir_all(folder()).expect("a folder for failures");
        std::fs::write(&path, &self.text).expect("a pattern file");
        let content = serde_json::to_string_pretty(&self.content).expect("events and rows");
        std::fs::write(path.with_extension("json"), content + "\n").expect("its events");
        path
    }

    /// Compares the rows of the reference and of the engine, however it is fed, with those saved.
    pub fn check(&self) {
        let program = compile(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let program = Arc::new(program);
        let events: Vec<Event> = self
            .content
            .events
            .iter()
            .enumerate()
            .map(|(offset, event)| saved_event(&program, event, offset))
            .collect();
        let rows = reference::run(
            &program,
            &Vec::new(),
            &events,
            Watermark::FINAL,
            PARTIALS_MAX,
        );
        let rows = rows.expect("a saved case is small");
        let shown: Vec<String> = rows.iter().map(|row| shown_row(&program, row)).collect();
        assert_eq!(
            shown, self.content.rows,
            "{}: the reference differs from what was saved",
            self.name
        );
        let cuts = [Vec::new(), events.iter().map(|event| event.time).collect()];
        let verdict = compare(&program, &events, Watermark::FINAL, &rows, &cuts);
        if let Verdict::Different(how) = verdict {
            panic!("{}\n{}\n{how}", self.name, self.text);
        }
    }
}

fn saved_event(program: &Program, of: &(String, i64, Vec<Option<i64>>), offset: usize) -> Event {
    let (name, time, values) = of;
    let ty = program.schema.find(name).expect("a declared type");
    let fields = &program.schema.get(ty);
    let value = |(at, value): (usize, &Option<i64>)| match value {
        Some(at_time) if fields.time.is_some_and(|field| usize::from(field.0) == at) => {
            Value::Timestamp(Timestamp(*at_time))
        }
        Some(n) => Value::Int(*n),
        None => Value::Null,
    };
    let position = Position {
        offset: offset as u64,
        ..Position::default()
    };
    Event {
        ty,
        time: Timestamp(*time),
        position,
        values: values.iter().enumerate().map(value).collect(),
    }
}
