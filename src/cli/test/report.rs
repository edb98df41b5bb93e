//! Says how a test went, and shows what differs side by side.

use std::fmt::Write as _;
use std::io::{self, Write};

use leitmotif::event::{FieldId, Value};
use leitmotif::lang::pattern::{Expected, Program, TEST_EPOCH};

use super::compare::{Difference, Got, same};
use super::junit::Case;
use crate::cli::literal::{self, Clock};

/// Points in time are shown as tests write them.
const CLOCK: Clock = Clock::Since(TEST_EPOCH);

/// One line for a test that passed; what differs for one that failed.
///
/// # Errors
/// When `out` can't be written.
pub fn case(out: &mut impl Write, case: &Case) -> io::Result<()> {
    match &case.failure {
        None => writeln!(out, "  ok    {}", case.name),
        Some(text) => {
            writeln!(out, "  FAIL  {}  ({}:{})", case.name, case.file, case.line)?;
            for line in text.lines() {
                writeln!(out, "        {line}")?;
            }
            Ok(())
        }
    }
}

/// What differs, for people.
pub fn difference(program: &Program, difference: &Difference<'_>) -> String {
    let mut out = String::new();
    for (want, got) in &difference.near {
        side_by_side(&mut out, program, want, got);
    }
    for want in &difference.missing {
        let ty = program.schema.get(want.stream);
        let fields = want
            .fields
            .iter()
            .map(|(field, value)| (field_name(program, want, *field), value));
        let _ = writeln!(
            out,
            "missing     {} {} {}",
            CLOCK.show(want.at),
            ty.name,
            literal::record(fields, CLOCK)
        );
    }
    for got in &difference.unexpected {
        let ty = program.schema.get(got.stream);
        let fields = ty
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .zip(got.values.iter());
        let _ = writeln!(
            out,
            "unexpected  {} {} {}",
            CLOCK.show(got.at),
            ty.name,
            literal::record(fields, CLOCK)
        );
    }
    out
}

fn field_name<'a>(program: &'a Program, want: &Expected, field: FieldId) -> &'a str {
    let ty = program.schema.get(want.stream);
    ty.fields
        .get(usize::from(field.0))
        .map_or("?", |field| field.name.as_str())
}

/// A table with a line for the time and for each field; those that differ are marked.
fn side_by_side(out: &mut String, program: &Program, want: &Expected, got: &Got) {
    let ty = program.schema.get(got.stream);
    let mut lines = vec![(
        String::from("at"),
        CLOCK.show(want.at),
        CLOCK.show(got.at),
        want.at == got.at,
    )];
    for (number, field) in ty.fields.iter().enumerate() {
        let value = got.values.get(number).unwrap_or(&Value::Null);
        let shown = literal::show(value, CLOCK);
        match want
            .fields
            .iter()
            .find(|(id, _)| usize::from(id.0) == number)
        {
            Some((_, wanted)) => lines.push((
                field.name.clone(),
                literal::show(wanted, CLOCK),
                shown,
                same(wanted, value),
            )),
            // Not compared, but it helps to see what the row is.
            None => lines.push((field.name.clone(), "any".to_owned(), shown, true)),
        }
    }
    let width = |of: &dyn Fn(&(String, String, String, bool)) -> usize, least: usize| {
        lines.iter().map(of).max().unwrap_or(0).max(least)
    };
    let name = width(&|line| line.0.chars().count(), ty.name.chars().count());
    let wanted = width(&|line| line.1.chars().count(), "expected".len());
    let shown = width(&|line| line.2.chars().count(), "got".len());
    let _ = writeln!(out, "{:<name$}  {:<wanted$}  got", ty.name, "expected");
    for (field, want, got, equal) in &lines {
        let mark = if *equal { "" } else { "  <- differs" };
        let line = format!("{field:<name$}  {want:<wanted$}  {got:<shown$}{mark}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
