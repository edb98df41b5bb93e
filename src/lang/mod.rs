//! From the text of pattern files to a checked [`pattern::Program`].
//!
//! `lexer` -> `parser` (generated) -> `ast` -> `check` -> `pattern`; `print` goes back from the tree to text.

pub mod ast;
mod brackets;
pub mod diagnostic;
pub(crate) mod lexer;
mod mistake;
pub mod parser;
pub mod pattern;
pub mod print;
mod recover;
pub mod span;
mod syntax_error;
pub(crate) mod token;
mod tree;
