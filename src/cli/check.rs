//! `leitmotif check`: every mistake in pattern files, for people, programs and build servers.

use std::io::{self, Write};

use anyhow::Result;
use leitmotif::lang::diagnostic::render::to_json;
use leitmotif::lang::diagnostic::{Diagnostic, Severity};
use leitmotif::lang::span::{SourceMap, Span};

use super::Outcome;
use super::args::{CheckArgs, CheckFormat};
use super::program::{self, Tally};

/// Checks the files and says what is wrong with them.
///
/// # Errors
/// When a file can't be read or the findings can't be written.
pub fn run(args: &CheckArgs) -> Result<Outcome> {
    let loaded = program::load(&args.program)?;
    let mut out = io::stdout().lock();
    match args.format {
        CheckFormat::Text => {
            loaded.show()?;
        }
        CheckFormat::Json => writeln!(out, "{}", to_json(&loaded.diagnostics, &loaded.files))?,
        CheckFormat::Github => {
            for found in &loaded.diagnostics {
                writeln!(out, "{}", annotation(found, &loaded.files))?;
            }
        }
    }
    let tally = loaded.tally();
    if args.format == CheckFormat::Text {
        let files = loaded.files.iter().count();
        let patterns = loaded
            .program
            .as_ref()
            .map_or(0, |program| program.patterns.len());
        writeln!(io::stderr(), "{}", closing(tally, files, patterns))?;
    }
    let denied = tally.errors > 0 || args.deny_warnings && tally.warnings > 0;
    Ok(if denied {
        Outcome::Findings
    } else {
        Outcome::Fine
    })
}

fn closing(tally: Tally, files: usize, patterns: usize) -> String {
    let plural = |count| if count == 1 { "" } else { "s" };
    let files = format!("{files} file{}", plural(files));
    if tally.errors > 0 {
        return format!("{tally} in {files}");
    }
    let patterns = format!("{patterns} pattern{}", plural(patterns));
    if tally.warnings > 0 {
        return format!("{tally} in {files} with {patterns}");
    }
    format!("{patterns} in {files}: no mistakes")
}

/// Line and column of a byte, both from 1; columns count characters.
pub fn position(text: &str, at: u32) -> (usize, usize) {
    let before = &text.as_bytes()[..text.len().min(at as usize)];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    (line, column)
}

/// A workflow command: what a build server shows beside the line.
fn annotation(found: &Diagnostic, files: &SourceMap) -> String {
    let severity = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut message = found.message.clone();
    for help in &found.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    let mut properties = Vec::new();
    // What is wrong with the command line has no place in a file.
    let nowhere = found.primary.span == Span::default() && found.primary.text.is_empty();
    let mut files = files.iter();
    if let Some((_, file)) = files.find(|(id, _)| !nowhere && *id == found.primary.file) {
        let (line, column) = position(&file.text, found.primary.span.start);
        let (end_line, end_column) = position(&file.text, found.primary.span.end);
        properties.push(format!("file={}", property(&file.name)));
        properties.push(format!("line={line},endLine={end_line},col={column}"));
        if end_line == line {
            properties.push(format!("endColumn={end_column}"));
        }
    }
    properties.push(format!("title={}", property(found.code.0)));
    format!("::{severity} {}::{}", properties.join(","), data(&message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_one_in_characters() {
        assert_eq!(position("a\néb", 4), (2, 2));
        assert_eq!(position("a\néb", 0), (1, 1));
        assert_eq!(position("ab", 99), (1, 3));
    }

    #[test]
    fn annotations_keep_line_breaks_and_colons_apart() {
        use leitmotif::lang::diagnostic::{Code, Label};
        let mut files = SourceMap::default();
        let file = files.add("a:b.motif", "x\ny z\n");
        let found = Diagnostic {
            code: Code("E107"),
            severity: Severity::Error,
            message: "100% wrong: y".into(),
            primary: Label {
                file,
                span: Span { start: 2, end: 3 },
                text: "here".into(),
            },
            secondary: Vec::new(),
            help: vec!["write z".into()],
        };
        assert_eq!(
            annotation(&found, &files),
            "::error file=a%3Ab.motif,line=2,endLine=2,col=1,endColumn=2,title=E107::100%25 wrong: y%0Ahelp: write z"
        );
    }
}
