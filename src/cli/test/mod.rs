//! `leitmotif test`: runs the tests that pattern files hold, on a clock that only events move.
//!
//! A test's events go through the engine that `leitmotif run` uses, followed by the watermark that ends a stream, and what the patterns of
//! its file emit is compared with exactly what the test expects.

mod compare;
mod junit;
mod report;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use leitmotif::automaton::{Row, Stream, Tables};
use leitmotif::engine::Shard;
use leitmotif::event::EventTypeId;
use leitmotif::event::formats::table::TableData;
use leitmotif::lang::pattern::{Program, TableId, Test};
use leitmotif::lang::span::SourceMap;
use leitmotif::time::Watermark;

use super::Outcome;
use super::args::TestArgs;
use super::{check, program};
use compare::Got;
use junit::Case;

/// Runs the tests and says how they went.
///
/// # Errors
/// When a file can't be read or the report can't be written.
pub fn run(args: &TestArgs) -> Result<Outcome> {
    let Some((files, program)) = program::load(&args.program)?.usable()? else {
        return Ok(Outcome::Findings);
    };
    let program = Arc::new(program);
    let wanted = |test: &&Test| {
        args.filter
            .as_ref()
            .is_none_or(|text| test.name.contains(text.as_str()))
    };
    let tests: Vec<&Test> = program.tests.iter().filter(wanted).collect();
    let mut out = io::stdout().lock();
    let mut cases = Vec::with_capacity(tests.len());
    let mut reached = BTreeSet::new();
    let mut file = None;
    for test in &tests {
        if file != Some(test.file) {
            writeln!(out, "{}", files.get(test.file).name)?;
            file = Some(test.file);
        }
        let began = Instant::now();
        let got = rows(&program, test, &mut reached)?;
        let case = judge(&program, &files, test, &got, began);
        report::case(&mut out, &case)?;
        cases.push(case);
    }
    if let Some(path) = &args.junit {
        write_junit(path, &cases)?;
    }
    if args.filter.is_none() {
        untested(&program, &reached)?;
    }
    let failed = cases.iter().filter(|case| case.failure.is_some()).count();
    writeln!(out, "{} passed, {failed} failed", cases.len() - failed)?;
    Ok(if failed > 0 {
        Outcome::Findings
    } else {
        Outcome::Fine
    })
}

/// What the patterns of the test's file emit.
fn rows(
    program: &Arc<Program>,
    test: &Test,
    reached: &mut BTreeSet<EventTypeId>,
) -> Result<Vec<Got>> {
    let mut events = test.given.clone();
    // Stable: at equal times the order of writing is the order of arrival.
    events.sort_by_key(|event| event.time);
    for (offset, event) in events.iter_mut().enumerate() {
        event.position.offset = offset as u64;
    }
    let mut engine = Shard::alone(Arc::clone(program), &tables(program, test)?)?;
    let mut rows: Vec<Row> = Vec::new();
    engine.advance(&events, Watermark::FINAL, &mut rows);
    let got = rows
        .into_iter()
        .filter(|row| test.patterns.contains(&row.pattern))
        .filter_map(|row| match row.stream {
            Stream::Match(stream) | Stream::Timeout(stream) => Some(Got {
                at: row.at,
                stream,
                values: row.values,
            }),
            // No stream of the file: `bound` is about memory, not about what a pattern means.
            Stream::Evicted => None,
        });
    let got: Vec<Got> = got.collect();
    reached.extend(got.iter().map(|row| row.stream));
    Ok(got)
}

/// The tables that the test itself fills.
fn tables(program: &Program, test: &Test) -> Result<Tables> {
    let mut tables = Tables::empty(program);
    for (number, declared) in program.tables.iter().enumerate() {
        let id = TableId(u16::try_from(number).context("too many tables")?);
        let mut rows = TableData::new(declared.key);
        for (_, row) in test.rows.iter().filter(|(table, _)| *table == id) {
            if !rows.insert(row.clone().into()) {
                bail!(
                    "test \"{}\": table `{}` has two rows with the same key; keep one",
                    test.name,
                    declared.name
                );
            }
        }
        tables.load(id, rows);
    }
    Ok(tables)
}

fn judge(program: &Program, files: &SourceMap, test: &Test, got: &[Got], began: Instant) -> Case {
    let difference = compare::compare(&test.expect, got);
    let failure = (!difference.is_empty()).then(|| report::difference(program, &difference));
    let file = files.get(test.file);
    Case {
        file: file.name.clone(),
        line: check::position(&file.text, test.span.start).0,
        name: test.name.clone(),
        took: began.elapsed(),
        failure,
    }
}

/// Outputs that no test has ever seen are untested promises.
fn untested(program: &Program, reached: &BTreeSet<EventTypeId>) -> Result<()> {
    let mut err = io::stderr().lock();
    for pattern in &program.patterns {
        let streams = pattern.emits.iter().map(|emit| emit.stream);
        let streams: BTreeSet<EventTypeId> = streams
            .chain(pattern.timeout.iter().map(|timeout| timeout.stream))
            .collect();
        for stream in streams.difference(reached) {
            let name = &program.schema.get(*stream).name;
            writeln!(
                err,
                "warning: no test makes pattern `{}` emit `{name}`",
                pattern.name
            )?;
        }
    }
    Ok(())
}

fn write_junit(path: &PathBuf, cases: &[Case]) -> Result<()> {
    fs::write(path, junit::document(cases)).with_context(|| {
        format!(
            "--junit \"{}\" can't be written; check that its folder exists",
            path.display()
        )
    })
}
