//! From the text of pattern files to a checked [`pattern::Program`].
//!
//! `lexer` -> `parser` (generated) -> `ast` -> `check` -> `pattern`; `print` goes back from the tree to text.

pub mod ast;
mod brackets;
mod check;
pub mod diagnostic;
pub(crate) mod lexer;
mod mistake;
pub mod parser;
pub mod pattern;
pub mod print;
mod recover;
pub mod scalar;
pub mod span;
mod spoilt;
mod syntax_error;
pub(crate) mod token;
mod tree;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod tree_eq;

pub(crate) use check::suggest;
pub(crate) use check::visit::operands;
pub use check::{Params, parse_value};

use diagnostic::Diagnostic;
use pattern::Program;
use span::SourceMap;

/// What came of compiling the pattern files of one run.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// There unless a diagnostic is an error.
    pub program: Option<Program>,
    /// Sorted by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads and checks all pattern files of one run. Time and memory grow with the length of the files.
///
/// ```
/// use leitmotif::lang::{compile, Params, span::SourceMap};
///
/// let mut sources = SourceMap::default();
/// sources.add("doors.motif", r#"
///     event Door { at: timestamp time, id: string }
///     pattern twice { key id match a: Door then b: Door within 1m emit knock { id } }
/// "#);
/// let compiled = compile(&sources, &Params::default());
/// assert!(compiled.diagnostics.is_empty());
/// assert_eq!(compiled.program.unwrap().patterns[0].name, "twice");
/// ```
#[must_use]
pub fn compile(sources: &SourceMap, params: &Params) -> Compiled {
    let mut diagnostics = Vec::new();
    let mut files = Vec::new();
    for (file, source) in sources.iter() {
        let (tree, found) = parser::parse(file, &source.text);
        diagnostics.extend(found);
        files.push((file, tree));
    }
    let spoilt = spoilt::Spoilt::find(sources, &files, &diagnostics);
    let (program, mut diagnostics) = check::check(&files, diagnostics, params);
    diagnostics.retain(|found| !spoilt.hides(found, sources));
    Compiled {
        program,
        diagnostics,
    }
}
