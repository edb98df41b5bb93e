//! `leitmotif fmt`: one layout for pattern files, without options.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use leitmotif::lang::span::SourceMap;
use leitmotif::lang::{parser, print};
use similar::TextDiff;

use super::Outcome;
use super::args::FmtArgs;
use super::program::show as show_diagnostics;
use leitmotif::embed::files;

/// The name of stdin, on the command line and in messages.
const STDIN: &str = "-";

/// Lays out the files in place, or says which are laid out otherwise.
///
/// # Errors
/// When a file can't be read or written.
pub fn run(args: &FmtArgs) -> Result<Outcome> {
    if args
        .patterns
        .iter()
        .any(|path| path.as_os_str() == OsStr::new(STDIN))
    {
        if args.patterns.len() > 1 {
            bail!("- stands for stdin and stands alone; lay out files in a command of their own");
        }
        return stdin(args);
    }
    let mut outcome = Outcome::Fine;
    for path in files::find(&args.patterns)? {
        let text = files::read(&path)?;
        let name = path.display().to_string();
        let Some(laid_out) = layout(&name, &text)? else {
            outcome = Outcome::Findings;
            continue;
        };
        if laid_out == text {
            continue;
        }
        if args.check || args.diff {
            outcome = Outcome::Findings;
            show(args, &name, &text, &laid_out)?;
        } else {
            replace(&path, &laid_out)?;
            writeln!(io::stderr(), "laid out {name}")?;
        }
    }
    if outcome == Outcome::Findings && args.check {
        writeln!(io::stderr(), "help: `leitmotif fmt` lays out these files")?;
    }
    Ok(outcome)
}

fn stdin(args: &FmtArgs) -> Result<Outcome> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(files::FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .context("stdin can't be read")?;
    if bytes.len() as u64 > files::FILE_BYTES_MAX {
        bail!(
            "stdin has more than {} bytes; split the patterns into several files",
            files::FILE_BYTES_MAX
        );
    }
    let text = files::text("stdin", bytes)?;
    let Some(laid_out) = layout("stdin", &text)? else {
        return Ok(Outcome::Findings);
    };
    if !args.check && !args.diff {
        io::stdout().lock().write_all(laid_out.as_bytes())?;
        return Ok(Outcome::Fine);
    }
    if laid_out == text {
        return Ok(Outcome::Fine);
    }
    show(args, "stdin", &text, &laid_out)?;
    Ok(Outcome::Findings)
}

/// The file as it should look; `None` when it has mistakes, which then were shown.
fn layout(name: &str, text: &str) -> Result<Option<String>> {
    let mut files = SourceMap::default();
    let id = files.add(name, text);
    let (tree, diagnostics) = parser::parse(id, text);
    if diagnostics.is_empty() {
        return Ok(Some(print::print(&tree, text)));
    }
    show_diagnostics(&diagnostics, &files)?;
    Ok(None)
}

fn show(args: &FmtArgs, name: &str, text: &str, laid_out: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    if args.diff {
        let diff = TextDiff::from_lines(text, laid_out);
        let old = format!("a/{name}");
        let new = format!("b/{name}");
        write!(out, "{}", diff.unified_diff().header(&old, &new))?;
    } else {
        writeln!(out, "{name}")?;
    }
    Ok(())
}

/// Through a file beside it, so that a full disk or a kill leaves the old text or the new one, never half of it.
fn replace(path: &Path, text: &str) -> Result<()> {
    let path = &fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".leitmotif-fmt");
    let beside = path.with_file_name(name);
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, fs::metadata(path)?.permissions()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| {
        format!(
            "\"{}\" can't be written; check its folder's permissions",
            path.display()
        )
    })
}
