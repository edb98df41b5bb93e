//! Makes diagnostics about how a file is written.

use super::diagnostic::{CodeInfo, Diagnostic, Label};
use super::span::{FileId, Span};

/// An error with its place; `label` says a few words about the place.
pub(crate) fn error(
    code: CodeInfo,
    file: FileId,
    span: Span,
    message: impl Into<String>,
    label: impl Into<String>,
) -> Diagnostic {
    Diagnostic {
        code: code.code,
        severity: code.severity,
        message: message.into(),
        primary: Label {
            file,
            span,
            text: label.into(),
        },
        secondary: Vec::new(),
        help: Vec::new(),
    }
}

impl Diagnostic {
    /// Adds a way out.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help.push(help.into());
        self
    }
}
