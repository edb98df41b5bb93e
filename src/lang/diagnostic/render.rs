//! Diagnostics as people and as programs read them.
//!
//! For people in the shape that compilers use:
//!
//! ```text
//! error[E107]: this pattern has no time bound
//!  --> door.motif:4:9
//!   |
//! 4 |   match b: Beat then c: Beat
//!   |         ^^^^^^^^^^^^^^^^^^^^ can wait for ever
//!   |
//!   = help: add `within 10m` after the last step, or write `then within 10m c: …`
//! ```

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Diagnostic, Label, Severity};
use crate::lang::span::{FileId, SourceFile, SourceMap, Span};

/// How many diagnostics are shown in full. What is beyond is counted: nobody reads on, and each costs the lines it shows.
pub const RENDERED_MAX: usize = 500;

/// Whether colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With escape sequences of terminals.
    Color,
}

/// Where the lines of a file start, so that a place costs no walk over the file.
struct Lines {
    starts: Vec<usize>,
}

/// The diagnostics one below the other, each with the lines it speaks of.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &SourceMap, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Color => Renderer::styled(),
    };
    let lines: Vec<Lines> = sources
        .iter()
        .map(|(_, file)| Lines::new(&file.text))
        .collect();
    let mut out = String::new();
    for diagnostic in diagnostics.iter().take(RENDERED_MAX) {
        if !out.is_empty() {
            out.push('\n');
        }
        let group = group(diagnostic, sources, &lines);
        out.push_str(&renderer.render(&[group]));
        out.push('\n');
    }
    if diagnostics.len() > RENDERED_MAX {
        let more = diagnostics.len() - RENDERED_MAX;
        out.push_str(&format!("\n… and {more} more\n"));
    }
    out
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap, lines: &[Lines]) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(&diagnostic.message)
        .id(diagnostic.code.0);
    let mut group = Group::with_title(title);
    if !is_nowhere(&diagnostic.primary) {
        for file in files(diagnostic) {
            let labels = labels(diagnostic, file);
            if let (Some(source), Some(lines)) = (source(sources, file), lines.get(file.0 as usize))
            {
                group = group.element(snippet(source, lines, &labels));
            }
        }
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    group
}

/// True for what is wrong with no place in a file, such as a setting.
fn is_nowhere(label: &Label) -> bool {
    label.span == Span::default() && label.text.is_empty()
}

fn source(sources: &SourceMap, file: FileId) -> Option<&SourceFile> {
    sources
        .iter()
        .nth(file.0 as usize)
        .map(|(_, source)| source)
}

/// The file of the primary place, then the others.
fn files(diagnostic: &Diagnostic) -> Vec<FileId> {
    let mut files = vec![diagnostic.primary.file];
    for label in &diagnostic.secondary {
        if !files.contains(&label.file) {
            files.push(label.file);
        }
    }
    files
}

fn labels(diagnostic: &Diagnostic, file: FileId) -> Vec<(AnnotationKind, &Label)> {
    let primary = std::iter::once((AnnotationKind::Primary, &diagnostic.primary));
    let secondary = diagnostic
        .secondary
        .iter()
        .map(|label| (AnnotationKind::Context, label));
    primary
        .chain(secondary)
        .filter(|(_, label)| label.file == file)
        .collect()
}

/// The lines from the first to the last place.
fn snippet<'a>(
    source: &'a SourceFile,
    lines: &Lines,
    labels: &[(AnnotationKind, &'a Label)],
) -> Snippet<'a, Annotation<'a>> {
    let text = source.text.as_str();
    let ranges: Vec<(usize, usize)> = labels
        .iter()
        .map(|(_, label)| inside(text, label.span))
        .collect();
    let from = ranges.iter().map(|(start, _)| *start).min().unwrap_or(0);
    let to = ranges.iter().map(|(_, end)| *end).max().unwrap_or(0);
    let first = lines.line_of(from);
    let begin = lines.starts[first];
    let end = text[to..].find('\n').map_or(text.len(), |at| to + at);
    let annotations = labels
        .iter()
        .zip(ranges)
        .map(|((kind, label), (start, end))| {
            kind.span(start - begin..end - begin)
                .label(label.text.as_str())
        });
    Snippet::source(&text[begin..end])
        .line_start(first + 1)
        .path(source.name.as_str())
        .annotations(annotations)
}

/// The place as a range of whole characters of the text, whatever it says.
fn inside(text: &str, span: Span) -> (usize, usize) {
    let start = text.floor_char_boundary(span.start as usize);
    let end = text.ceil_char_boundary((span.end as usize).max(start));
    (start, end)
}

impl Lines {
    fn new(text: &str) -> Lines {
        let after = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Lines {
            starts: std::iter::once(0).chain(after).collect(),
        }
    }

    /// Counted from 0.
    fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) - 1
    }
}

/// The diagnostics as a JSON array: `code`, `severity`, `message`, `file`, `line`, `column`, `end_line`, `end_column` (counted
/// from 1, columns in characters), `label`, `secondary` (with the same places), `help`.
#[must_use]
pub fn to_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let lines: Vec<Lines> = sources
        .iter()
        .map(|(_, file)| Lines::new(&file.text))
        .collect();
    let all: Vec<Value> = diagnostics
        .iter()
        .map(|diagnostic| {
            let mut told = json!({
                "code": diagnostic.code.0,
                "severity": match diagnostic.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                "message": diagnostic.message,
                "secondary": diagnostic.secondary.iter().map(|label| place(label, sources, &lines)).collect::<Vec<_>>(),
                "help": diagnostic.help,
            });
            if let (Value::Object(told), Value::Object(place)) = (&mut told, place(&diagnostic.primary, sources, &lines)) {
                told.extend(place);
            }
            told
        })
        .collect();
    Value::Array(all).to_string()
}

fn place(label: &Label, sources: &SourceMap, lines: &[Lines]) -> Value {
    if is_nowhere(label) {
        return json!({});
    }
    let (Some(source), Some(lines)) = (
        source(sources, label.file),
        lines.get(label.file.0 as usize),
    ) else {
        return json!({ "label": label.text });
    };
    let (start, end) = inside(&source.text, label.span);
    let at = |offset: usize| {
        let line = lines.line_of(offset);
        let column = source.text[lines.starts[line]..offset].chars().count();
        (line + 1, column + 1)
    };
    let ((line, column), (end_line, end_column)) = (at(start), at(end));
    json!({
        "file": source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "label": label.text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::diagnostic::Code;

    fn diagnostic(start: usize, end: usize) -> Diagnostic {
        Diagnostic {
            code: Code("E107"),
            severity: Severity::Error,
            message: "this pattern has no time bound".to_owned(),
            primary: Label {
                file: FileId(0),
                span: Span::new(start, end),
                text: "can wait for ever".to_owned(),
            },
            secondary: Vec::new(),
            help: vec!["add `within 10m`".to_owned()],
        }
    }

    fn sources(text: &str) -> SourceMap {
        let mut sources = SourceMap::default();
        sources.add("door.motif", text);
        sources
    }

    #[test]
    fn a_diagnostic_shows_its_line_and_its_way_out() {
        let shown = render(
            &[diagnostic(8, 12)],
            &sources("# one\n\tä Beat\n"),
            Style::Plain,
        );
        assert!(
            shown.starts_with("error[E107]: this pattern has no time bound\n --> door.motif:2:2\n"),
            "{shown}"
        );
        assert!(shown.contains("can wait for ever"), "{shown}");
        assert!(shown.contains("= help: add `within 10m`"), "{shown}");
    }

    #[test]
    fn a_place_outside_of_the_file_or_inside_a_character_is_shown_all_the_same() {
        for (start, end) in [(0, 0), (5, 500), (500, 600), (3, 2), (8, 8)] {
            let shown = render(
                &[diagnostic(start, end)],
                &sources("# ä\n\"ö\""),
                Style::Plain,
            );
            assert!(shown.contains("E107"), "{shown}");
        }
        assert!(render(&[diagnostic(0, 0)], &SourceMap::default(), Style::Plain).contains("E107"));
    }

    #[test]
    fn what_programs_read_counts_lines_and_characters_from_one() {
        let told: Value =
            serde_json::from_str(&to_json(&[diagnostic(7, 11)], &sources("# ä\nö Beat\n")))
                .expect("an array");
        assert_eq!(told[0]["code"], "E107");
        assert_eq!(
            (told[0]["line"].as_u64(), told[0]["column"].as_u64()),
            (Some(2), Some(2))
        );
        assert_eq!(told[0]["help"][0], "add `within 10m`");
    }

    #[test]
    fn more_than_anybody_reads_is_counted() {
        let many = vec![diagnostic(0, 1); RENDERED_MAX + 7];
        assert!(render(&many, &sources("x"), Style::Plain).ends_with("… and 7 more\n"));
    }
}
