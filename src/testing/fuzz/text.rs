//! Whatever the bytes of a pattern file are.

use crate::lang::diagnostic::render::{Style, render};
use crate::lang::parser::{DIAGNOSTICS_MAX, parse as parse_file};
use crate::lang::print::print;
use crate::lang::span::{FileId, SourceMap};
use crate::lang::tree_eq::erase_places;
use crate::lang::{self, Params};

/// Reads bytes as a pattern file. Every mistake has its place in the text and a way out, and can be shown.
///
/// # Panics
///
/// If one has not.
pub fn parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (file, found) = parse_file(FileId(0), text);
    assert!(found.len() <= DIAGNOSTICS_MAX + 1);
    for mistake in &found {
        let labels = std::iter::once(&mistake.primary).chain(&mistake.secondary);
        for label in labels {
            let place = label.span.start as usize..label.span.end as usize;
            assert!(text.get(place).is_some(), "no such place: {mistake:?}");
        }
        assert!(!mistake.help.is_empty(), "no way out: {mistake:?}");
    }
    let mut sources = SourceMap::default();
    sources.add("fuzz.motif", text);
    let shown = render(&found, &sources, Style::Plain);
    assert_eq!(shown.is_empty(), found.is_empty());
    let _ = print(&file, text);
}

/// Prints what was read from bytes: reading that gives the same tree and the same comments, printing it again the same text.
///
/// # Panics
///
/// If it does not.
pub fn roundtrip(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (file, found) = parse_file(FileId(0), text);
    if !found.is_empty() {
        return;
    }
    let once = print(&file, text);
    let (again, found) = parse_file(FileId(0), &once);
    assert!(found.is_empty(), "printed:\n{once}\nfound: {found:?}");
    assert_eq!(print(&again, &once), once, "printing again differs");
    let comments = |file: &lang::ast::File| -> Vec<String> {
        file.comments.iter().map(|c| c.text.clone()).collect()
    };
    assert_eq!(comments(&file), comments(&again), "printed:\n{once}");
    assert_eq!(erase_places(file), erase_places(again), "printed:\n{once}");
}

/// Compiles bytes as a pattern file: a program comes out exactly when there is no error, whose places are in the text.
///
/// # Panics
///
/// If not.
pub fn compile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut sources = SourceMap::default();
    sources.add("fuzz.motif", text);
    let compiled = lang::compile(&sources, &Params::default());
    let errors = compiled
        .diagnostics
        .iter()
        .filter(|found| found.severity == lang::diagnostic::Severity::Error)
        .count();
    assert_eq!(compiled.program.is_some(), errors == 0);
    let _ = render(&compiled.diagnostics, &sources, Style::Plain);
}
