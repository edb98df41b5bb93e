//! What judges the engine: a slow matcher that is obviously right, and generators of patterns and events.
//!
//! Behind the feature `testing`. Nothing here is used by the engine.

pub mod choices;
pub mod differential;
pub mod disk;
pub mod fuzz;
pub mod generate;
pub mod reference;
pub mod state;
pub mod vary;
pub mod world;

use crate::lang::pattern::Program;
use crate::lang::span::SourceMap;
use crate::lang::{self, Params};

/// Compiles one pattern file.
///
/// # Errors
///
/// The mistakes as lines of text, if there are any.
pub fn compile(text: &str) -> Result<Program, String> {
    let mut sources = SourceMap::default();
    sources.add("generated.motif", text);
    let compiled = lang::compile(&sources, &Params::default());
    compiled.program.ok_or_else(|| {
        let lines = compiled
            .diagnostics
            .iter()
            .map(|mistake| format!("{}: {}", mistake.code.0, mistake.message));
        lines.collect::<Vec<_>>().join("\n")
    })
}
