//! From the text of pattern files to a checked [`pattern::Program`].
//!
//! `lexer` -> `parser` (generated) -> `ast` -> `check` -> `pattern`; `print` goes back from the tree to text.

pub mod ast;
pub mod diagnostic;
pub(crate) mod lexer;
pub mod parser;
pub mod pattern;
pub mod print;
pub mod scalar;
pub mod span;
mod syntax_error;
pub(crate) mod token;
mod tree;
