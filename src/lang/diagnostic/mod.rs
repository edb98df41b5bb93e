//! What is wrong with a pattern file, where, and the way out.

pub mod codes;
pub mod codes_lint;
pub mod codes_meaning;
pub mod codes_names;
pub mod codes_syntax;
pub mod render;

use super::span::{FileId, Span};

pub use codes::CodeInfo;

/// A stable code such as `E107`. Codes are never reused; `leitmotif explain E107` tells about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The program cannot be used.
    Error,
    /// Legal, but surely not meant.
    Warning,
}

/// A place with what is to be said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The file.
    pub file: FileId,
    /// The place.
    pub span: Span,
    /// A few words; lower case, no full stop.
    pub text: String,
}

/// One mistake or lint.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// One line: what is wrong; lower case, no full stop.
    pub message: String,
    /// Where it is.
    pub primary: Label,
    /// Other places that matter, such as the first of two declarations.
    pub secondary: Vec<Label>,
    /// The way out.
    pub help: Vec<String>,
}
