//! Failures as files: a pattern file, and beside it the events and the rows wanted.

use std::path::{Path, PathBuf};

use leitmotif::event::{Event, FieldType, Position, Value};
use leitmotif::lang::pattern::Program;
use leitmotif::testing::choices::Choices;
use leitmotif::testing::differential::{Subject, Verdict, shown_row, shown_value};
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
    /// The last watermark; `null` ends time.
    end: Option<i64>,
    /// Time, type, then names and values of fields, in order: `5 A t 5 v 1 o null`.
    events: Vec<String>,
    rows: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/differential")
}

impl Golden {
    /// Of a file and the bytes of its events; `None` if it cannot be judged.
    pub fn of(text: &str, of_events: &[u8]) -> Option<Golden> {
        let subject = Subject::new(text).ok()?;
        let (events, end) = subject.case(&mut Choices::from_bytes(of_events));
        let rows = subject.wanted(&events, end)?;
        let program = subject.program();
        let content = Content {
            end: (end != Watermark::FINAL).then_some(end.0.0),
            events: events
                .iter()
                .map(|event| shown_event(program, event))
                .collect(),
            rows: rows.iter().map(|row| shown_row(program, row)).collect(),
        };
        Some(Golden {
            name: String::new(),
            text: text.to_owned(),
            content,
        })
    }

    /// Every saved one.
    pub fn all() -> Vec<Golden> {
        let entries: Vec<std::fs::DirEntry> = std::fs::read_dir(folder())
            .map(|entries| entries.flatten().collect())
            .unwrap_or_default();
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
        let subject =
            Subject::new(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let program = subject.program();
        let lines = self.content.events.iter().enumerate();
        let events: Vec<Event> = lines
            .map(|(offset, line)| saved_event(program, line, offset))
            .collect();
        let end = self
            .content
            .end
            .map_or(Watermark::FINAL, |end| Watermark(Timestamp(end)));
        let rows = subject.wanted(&events, end).expect("a saved case is small");
        let shown: Vec<String> = rows.iter().map(|row| shown_row(program, row)).collect();
        assert_eq!(
            shown, self.content.rows,
            "{}: the reference differs from what was saved",
            self.name
        );
        let cuts = [Vec::new(), events.iter().map(|event| event.time).collect()];
        if let Verdict::Different(how) = subject.compare(&events, end, &rows, &cuts) {
            panic!("{}\n{}\n{how}", self.name, self.text);
        }
    }
}

fn shown_event(program: &Program, event: &Event) -> String {
    let ty = program.schema.get(event.ty);
    let fields = ty.fields.iter().zip(&event.values);
    let fields: Vec<String> = fields
        .map(|(field, value)| format!("{} {}", field.name, shown_value(value)))
        .collect();
    format!("{} {} {}", event.time.0, ty.name, fields.join(" "))
}

fn saved_event(program: &Program, line: &str, offset: usize) -> Event {
    let words: Vec<&str> = line.split_whitespace().collect();
    let time = Timestamp(words[0].parse().expect("a time"));
    let ty = program.schema.find(words[1]).expect("a declared type");
    let value = |field: &leitmotif::event::schema::Field| {
        let saved = words[2..].chunks(2).find(|pair| pair[0] == field.name);
        let word = saved.unwrap_or_else(|| panic!("`{line}` has no `{}`", field.name))[1];
        match field.ty {
            _ if word == "null" => Value::Null,
            FieldType::Int => Value::Int(word.parse().expect("an int")),
            FieldType::Float => Value::Float(word.parse().expect("a float")),
            FieldType::Decimal => Value::Decimal(word.parse().expect("a decimal")),
            FieldType::Timestamp(_) => Value::Timestamp(Timestamp(word.parse().expect("a time"))),
            ty => panic!("events of saved cases have no {ty:?}"),
        }
    };
    let values = program.schema.get(ty).fields.iter().map(value).collect();
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
