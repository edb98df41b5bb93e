//! From the text of pattern files to a checked [`pattern::Program`].
//!
//! `lexer` -> `parser` (generated) -> `ast` -> `check` -> `pattern`; `print` goes back from the tree to text.

pub mod ast;
pub mod diagnostic;
pub mod pattern;
pub mod scalar;
pub mod span;
