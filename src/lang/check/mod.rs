//! From syntax trees to a checked [`Program`], with every mistake on the way.
//!
//! In this order, each step relying on the names of those before it:
//!
//! 1. `declare`: event types of all files, tables; `constant`: params; `function`: functions
//! 2. `stream`: names of what patterns emit, and the order in which patterns feed each other
//! 3. `pattern`, for each: `sequence` lowers structure and `variable` names, `key`, `place`, `closer` and `bounded` judge it, then `expression`
//!    and all it calls (`name`, `reference`, `operator`, `call`, `aggregate`, …) check conditions and outputs
//! 4. `test_case`, `lint`
//!
//! Nothing stops at a mistake: an expression whose type is not known is passed over silently, a pattern whose input is not
//! known is still checked for all the rest.

mod aggregate;
mod bounded;
mod call;
mod catalog;
mod circle;
mod closer;
mod constant;
mod declare;
mod expression;
mod function;
mod key;
mod lint;
mod literal;
mod name;
mod operator;
mod outline;
mod output;
mod pattern;
mod place;
mod reference;
mod report;
mod sequence;
mod stream;
pub(crate) mod suggest;
mod test_case;
mod ty;
mod variable;
pub(crate) mod visit;
mod whole;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

pub use constant::{Params, parse as parse_value};

use self::catalog::{Catalog, FileNames};
use self::report::{Place, Report};
use self::stream::Declared;
use super::ast::{self, Item};
use super::diagnostic::Diagnostic;
use super::pattern::{Pattern, PatternId, Program};
use super::span::FileId;

/// The most patterns of a run.
const PATTERNS_MAX: usize = 10_000;

/// The most tests of a run, each counted as often as there are patterns that it judges.
const JUDGED_MAX: usize = 10_000_000;

/// Checks the files of one run. `files` holds every file of the source map, in its order; `found` is what reading them found.
/// Gives back a program unless there is an error, and everything found, sorted by place.
pub(super) fn check(
    files: &[(FileId, ast::File)],
    found: Vec<Diagnostic>,
    params: &Params,
) -> (Option<Program>, Vec<Diagnostic>) {
    let mut report = Report::new(found);
    let mut catalog = Catalog::default();
    catalog.files.resize_with(files.len(), FileNames::default);
    declarations(&mut catalog, &mut report, files, params);
    let patterns = declared_patterns(&mut report, files);
    stream::names(&mut catalog, &mut report, &patterns);
    tables_apart(&catalog, &mut report);
    let (order, circular) = stream::order(&mut report, &patterns);
    let mut checked: Vec<Option<Pattern>> = patterns.iter().map(|_| None).collect();
    for at in &order {
        if !circular[*at] {
            checked[*at] = pattern::check(&mut catalog, &mut report, patterns[*at]);
        }
    }
    let tests = tests(&catalog, &mut report, files, &patterns);
    if !report.has_errors() {
        lint::unused(&mut report, &catalog);
    }
    let complete = !report.has_errors() && checked.iter().all(Option::is_some);
    let program = complete.then(|| Program {
        schema: catalog.schema(),
        tables: catalog.checked_tables(),
        patterns: checked.into_iter().flatten().collect(),
        order: order.iter().map(|at| pattern_id(*at)).collect(),
        tests,
    });
    (program, report.finish())
}

fn pattern_id(at: usize) -> PatternId {
    PatternId(
        u32::try_from(at)
            .expect("fewer patterns than bytes of all files, which are fewer than 2^32"),
    )
}

fn items(files: &[(FileId, ast::File)]) -> impl Iterator<Item = (FileId, &Item)> {
    files
        .iter()
        .flat_map(|(file, tree)| tree.items.iter().map(|item| (*file, item)))
}

/// Events, tables, params and functions.
fn declarations(
    catalog: &mut Catalog,
    report: &mut Report,
    files: &[(FileId, ast::File)],
    params: &Params,
) {
    for (file, item) in items(files) {
        match item {
            Item::Event(decl) => declare::event(catalog, report, file, decl),
            Item::Table(decl) => declare::table(catalog, report, file, decl),
            _ => {}
        }
    }
    for (file, item) in items(files) {
        if let Item::Param(decl) = item {
            constant::param(catalog, report, file, decl, params);
        }
    }
    constant::unknown_overrides(catalog, report, params);
    for (file, tree) in files {
        let functions: Vec<&ast::FnDecl> = tree
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Fn(decl) => Some(decl),
                _ => None,
            })
            .collect();
        function::all(catalog, report, *file, &functions);
    }
}

/// All patterns, of which no two have the same name.
fn declared_patterns<'a>(
    report: &mut Report,
    files: &'a [(FileId, ast::File)],
) -> Vec<Declared<'a>> {
    let mut patterns: Vec<Declared<'a>> = Vec::new();
    let mut names: HashMap<&str, Place> = HashMap::new();
    for (file, item) in items(files) {
        let Item::Pattern(decl) = item else {
            continue;
        };
        let place = Place::new(file, decl.name.span);
        if patterns.len() >= PATTERNS_MAX {
            declare::too_many(report, place, "patterns", PATTERNS_MAX);
            break;
        }
        match names.get(decl.name.name.as_str()) {
            Some(first) => declare::duplicate(report, place, "pattern", &decl.name.name, *first),
            None => {
                names.insert(&decl.name.name, place);
            }
        }
        patterns.push((file, decl));
    }
    patterns
}

/// A table and an event of the same name could not be told apart in a test.
fn tables_apart(catalog: &Catalog, report: &mut Report) {
    for table in &catalog.tables {
        if let Some(event) = catalog.find_type(&table.name) {
            let event = catalog.ty(event);
            report
                .add(
                    "E050",
                    table.place,
                    format!("`{}` is an event and a table", table.name),
                    "declared as a table here",
                )
                .also(event.place, "an event")
                .help("rename one of them");
        }
    }
}

fn tests(
    catalog: &Catalog,
    report: &mut Report,
    files: &[(FileId, ast::File)],
    patterns: &[Declared<'_>],
) -> Vec<super::pattern::Test> {
    let mut tests = Vec::new();
    for (file, tree) in files {
        let own: Vec<usize> = (0..patterns.len())
            .filter(|at| patterns[*at].0 == *file)
            .collect();
        // A file of nothing but tests is about all patterns of the run.
        let judged = if own.is_empty() {
            (0..patterns.len()).collect()
        } else {
            own
        };
        let numbers: Vec<PatternId> = judged.iter().map(|at| pattern_id(*at)).collect();
        let streams: HashSet<&str> = judged
            .iter()
            .flat_map(|at| &patterns[*at].1.outputs)
            .map(|output| output.name.name.as_str())
            .collect();
        let subject = test_case::Subject {
            file: *file,
            patterns: &numbers,
            streams: &streams,
        };
        let mut names: HashMap<&str, Place> = HashMap::new();
        for item in &tree.items {
            let Item::Test(decl) = item else {
                continue;
            };
            let place = Place::new(*file, decl.name.span);
            let most = JUDGED_MAX / numbers.len().max(1);
            if tests.len() >= most {
                declare::too_many(report, place, "tests", most);
                return tests;
            }
            match names.get(decl.name.value.as_str()) {
                Some(first) => declare::duplicate(report, place, "test", &decl.name.value, *first),
                None => {
                    names.insert(&decl.name.value, place);
                }
            }
            tests.push(test_case::check(catalog, report, &subject, decl));
        }
    }
    tests
}
