//! Collects what is wrong.
//!
//! Nothing is dropped and nothing stops at the first mistake. Spelling suggestions are rationed, so that a file of
//! nothing but unknown names costs no more than its length.

use super::suggest;
use crate::lang::diagnostic::{Code, Diagnostic, Label, Severity};
use crate::lang::span::{FileId, Span};

/// How many mistakes of one run are kept; those beyond are counted.
const FOUND_MAX: usize = 2_000;

/// How many unknown names of one run get a spelling suggestion.
const SUGGESTIONS_MAX: u32 = 200;

/// A place in one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub file: FileId,
    pub span: Span,
}

impl Place {
    pub fn new(file: FileId, span: Span) -> Place {
        Place { file, span }
    }

    fn label(self, text: String) -> Label {
        Label {
            file: self.file,
            span: self.span,
            text,
        }
    }
}

/// The mistakes found so far.
#[derive(Debug)]
pub(super) struct Report {
    found: Vec<Diagnostic>,
    /// The last one beyond those that are kept.
    beyond: Option<Diagnostic>,
    beyond_count: usize,
    suggestions_left: u32,
}

/// A mistake being written down.
pub(super) struct Draft<'r>(&'r mut Diagnostic);

impl Report {
    pub fn new(found: Vec<Diagnostic>) -> Report {
        Report {
            found,
            beyond: None,
            beyond_count: 0,
            suggestions_left: SUGGESTIONS_MAX,
        }
    }

    /// Adds a mistake. `label` is what stands under its place.
    pub fn add(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Draft<'_> {
        let severity = if code.starts_with('W') {
            Severity::Warning
        } else {
            Severity::Error
        };
        let diagnostic = Diagnostic {
            code: Code(code),
            severity,
            message: message.into(),
            primary: place.label(label.into()),
            secondary: Vec::new(),
            help: Vec::new(),
        };
        if self.found.len() >= FOUND_MAX {
            self.beyond_count += 1;
            return Draft(self.beyond.insert(diagnostic));
        }
        let at = self.found.len();
        self.found.push(diagnostic);
        Draft(&mut self.found[at])
    }

    /// "did you mean …" for a name that does not exist.
    pub fn suggestion<'n>(
        &mut self,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) -> Option<String> {
        self.suggestions_left = self.suggestions_left.checked_sub(1)?;
        suggest::nearest(name, known).map(|near| format!("did you mean `{near}`?"))
    }

    /// How much has been found so far.
    pub fn count(&self) -> usize {
        self.found.len() + self.beyond_count
    }

    pub fn has_errors(&self) -> bool {
        let error = |found: &Diagnostic| found.severity == Severity::Error;
        self.found.iter().any(error) || self.beyond_count > 0
    }

    /// Everything found, by file and place.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        if let Some(last) = self.beyond.take() {
            let count = self.beyond_count;
            self.found.push(Diagnostic {
                code: Code("E076"),
                severity: Severity::Error,
                message: format!("more than {FOUND_MAX} mistakes; {count} more are not told"),
                primary: Label {
                    text: "one of those not told".to_owned(),
                    ..last.primary
                },
                secondary: Vec::new(),
                help: vec!["mend what is told first: the others may follow from it".to_owned()],
            });
        }
        self.found.sort_by_key(|found| {
            (
                found.primary.file,
                found.primary.span.start,
                found.primary.span.end,
                found.code,
            )
        });
        self.found.dedup();
        self.found
    }
}

impl Draft<'_> {
    /// Another place that matters.
    pub fn also(self, place: Place, text: impl Into<String>) -> Self {
        self.0.secondary.push(place.label(text.into()));
        self
    }

    /// The way out.
    pub fn help(self, text: impl Into<String>) -> Self {
        self.0.help.push(text.into());
        self
    }

    /// The way out, if there is one to tell.
    pub fn help_maybe(self, text: Option<String>) -> Self {
        self.0.help.extend(text);
        self
    }
}

/// `a, b and c`, each in backquotes; at most `max` of them.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>, max: usize) -> String {
    joined(names, max, "and")
}

/// `a, b or c`, each in backquotes; at most `max` of them.
pub(super) fn either<'n>(names: impl IntoIterator<Item = &'n str>, max: usize) -> String {
    joined(names, max, "or")
}

fn joined<'n>(names: impl IntoIterator<Item = &'n str>, max: usize, word: &str) -> String {
    let mut names = names.into_iter();
    let mut shown: Vec<String> = names
        .by_ref()
        .take(max)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = names.count();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    match shown.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
    }
}
