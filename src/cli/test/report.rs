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

/// One line of the comparison.
struct Line<'a> {
    name: &'a str,
    wanted: String,
    got: String,
    differs: bool,
}

/// A table with a line for the time and for each field; those that differ are marked.
fn side_by_side(out: &mut String, program: &Program, want: &Expected, got: &Got) {
    let ty = program.schema.get(got.stream);
    let mut lines = vec![Line {
        name: "at",
        wanted: CLOCK.show(want.at),
        got: CLOCK.show(got.at),
        differs: want.at != got.at,
    }];
    for (number, field) in ty.fields.iter().enumerate() {
        let value = got.values.get(number).unwrap_or(&Value::Null);
        let mut wanted = want.fields.iter();
        let wanted = wanted.find(|(id, _)| usize::from(id.0) == number);
        lines.push(Line {
            name: &field.name,
            // What is not compared is shown too: it helps to see which row it is.
            wanted: wanted.map_or("any".to_owned(), |(_, wanted)| literal::show(wanted, CLOCK)),
            got: literal::show(value, CLOCK),
            differs: wanted.is_some_and(|(_, wanted)| !same(wanted, value)),
        });
    }
    let widest = |width: fn(&Line<'_>) -> usize, title: &str| {
        let lines = lines.iter().map(width);
        lines.max().unwrap_or(0).max(title.chars().count())
    };
    let name = widest(|line| line.name.chars().count(), &ty.name);
    let wanted = widest(|line| line.wanted.chars().count(), "expected");
    let shown = widest(|line| line.got.chars().count(), "got");
    let _ = writeln!(out, "{:<name$}  {:<wanted$}  got", ty.name, "expected");
    for line in &lines {
        let mark = if line.differs { "  <- differs" } else { "" };
        let text = format!(
            "{:<name$}  {:<wanted$}  {:<shown$}{mark}",
            line.name, line.wanted, line.got
        );
        let _ = writeln!(out, "{}", text.trim_end());
    }
}
