//! Constants: what can be computed before any event, and the params of a file.

use std::cell::Cell;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::catalog::{Catalog, ParamEntry};
use super::declare;
use super::expression::{Checker, Site};
use super::report::{Place, Report};
use super::ty::{self, Ty};
use crate::event::{FieldType, Value};
use crate::lang::ast;
use crate::lang::pattern::Expr;
use crate::lang::scalar;
use crate::lang::span::{FileId, Span};

/// `name=value` settings that take the place of what `param` declarations say.
///
/// ```
/// use leitmotif::lang::Params;
///
/// let mut params = Params::default();
/// params.set("probe_max", "7.50");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    values: Vec<(String, String)>,
}

impl Params {
    /// Overrides every `param` of this name; `value` is read as its type says: `7.50`, `text` (without quotes), `10m`, `true`,
    /// RFC 3339 for timestamps. A later setting of the same name wins.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.push((name.into(), value.into()));
    }

    fn get(&self, name: &str) -> Option<&str> {
        let latest = self.values.iter().rev().find(|(known, _)| known == name)?;
        Some(&latest.1)
    }
}

/// Replaces an operation on constants by its result.
pub(super) fn folded(expr: Expr) -> Expr {
    let value = match &expr {
        Expr::Unary(op, operand) => constant(operand).map(|value| scalar::unary(*op, value)),
        Expr::Binary(op, left, right) => constant(left)
            .zip(constant(right))
            .map(|(left, right)| scalar::binary(*op, left, right)),
        Expr::Call(function, arguments) => {
            let values: Option<Vec<Value>> =
                arguments.iter().map(|one| constant(one).cloned()).collect();
            values.map(|values| scalar::call(*function, &values))
        }
        Expr::In {
            needle,
            list,
            negated,
        } => {
            let values: Option<Vec<Value>> =
                list.iter().map(|one| constant(one).cloned()).collect();
            constant(needle)
                .zip(values)
                .map(|(needle, values)| scalar::contains(needle, &values, *negated))
        }
        Expr::Matches(text, regex) => constant(text).map(|text| scalar::matches(text, regex)),
        _ => None,
    };
    value.map_or(expr, Expr::Const)
}

fn constant(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Const(value) => Some(value),
        _ => None,
    }
}

/// Takes in one param. It may use those declared above it.
pub(super) fn param(
    catalog: &mut Catalog,
    report: &mut Report,
    file: FileId,
    decl: &ast::ParamDecl,
    overrides: &Params,
) {
    let place = Place::new(file, decl.name.span);
    let name = &decl.name.name;
    let (ty, declared) = declare::reference(report, file, &decl.ty);
    if decl.ty.optional {
        report
            .add(
                "E052",
                Place::new(file, decl.ty.span),
                "a param always has a value",
                "cannot be optional",
            )
            .help("remove the `?`");
    }
    let value =
        Checker::new(catalog, file, Site::Constant, report)
            .constant_of(&decl.value, ty, || format!("param `{name}`"));
    if let Some(first) = catalog.file(file).params.get(name) {
        let first = first.place;
        declare::duplicate(report, place, "param", name, first);
        return;
    }
    let mut value = value.unwrap_or_default();
    if let Some(text) = overrides.get(name)
        && ty != Ty::Unknown
    {
        match parse(text, declared) {
            Some(set) => value = set,
            None => {
                report
                    .add(
                        "E062",
                        place,
                        format!("param `{name}` is set to `{text}`, which is no {ty}"),
                        format!("declared as {ty} here"),
                    )
                    .help(format!(
                        "set it to a {ty} such as `{}`",
                        setting_example(declared)
                    ));
            }
        }
    }
    let entry = ParamEntry {
        ty,
        value,
        place,
        used: Cell::new(false),
    };
    catalog.file_mut(file).params.insert(name.clone(), entry);
}

/// Reports settings for params that no file declares.
pub(super) fn unknown_overrides(catalog: &Catalog, report: &mut Report, overrides: &Params) {
    for (name, _) in &overrides.values {
        if catalog
            .files
            .iter()
            .any(|file| file.params.contains_key(name))
        {
            continue;
        }
        let mut known: Vec<&str> = catalog
            .files
            .iter()
            .flat_map(|file| file.params.keys().map(String::as_str))
            .collect();
        known.sort_unstable();
        let near = report.suggestion(name, known.iter().copied());
        let declared = super::report::listed(known, 10);
        report
            .add(
                "E061",
                Place::new(FileId(0), Span::default()),
                format!("no file declares a param `{name}`"),
                "",
            )
            .help_maybe(near)
            .help(format!("params that can be set: {declared}"));
    }
}

/// The value that a text without quotes stands for, in a setting or on a command line; `None` if it is none of the type.
#[must_use]
pub fn parse(text: &str, ty: FieldType) -> Option<Value> {
    let value = match ty {
        FieldType::Bool => Value::Bool(text.parse().ok()?),
        FieldType::Int => Value::Int(text.parse().ok()?),
        FieldType::Float => Value::Float(text.parse().ok().filter(|x: &f64| x.is_finite())?),
        FieldType::Decimal => Value::Decimal(Decimal::from_str_exact(text).ok()?),
        FieldType::String => Value::Str(text.into()),
        FieldType::Timestamp(_) => Value::Timestamp(ty::timestamp(text)?),
        FieldType::Duration => Value::Duration(text.parse().ok()?),
        FieldType::List => Value::List(Arc::from([])),
    };
    Some(value)
}

fn setting_example(ty: FieldType) -> &'static str {
    match ty {
        FieldType::Bool => "true",
        FieldType::Int => "12",
        FieldType::Float | FieldType::Decimal => "1.5",
        FieldType::String | FieldType::List => "text",
        FieldType::Timestamp(_) => "2024-01-31T12:00:00Z",
        FieldType::Duration => "1h30m",
    }
}

/// A value of a type, as files write it.
pub(super) fn example(ty: Ty) -> &'static str {
    match ty {
        ty::BOOL => "`true`",
        ty::INT => "`12`",
        ty::STRING => "`\"text\"`",
        ty::TIMESTAMP => "`\"2024-01-31T12:00:00Z\"`",
        ty::DURATION => "`1h30m`",
        ty::LIST => "`[1, 2]`",
        Ty::Number | ty::FLOAT | ty::DECIMAL => "`1.5`",
        _ => "a field",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    #[test]
    fn settings_are_read_as_their_type_says() {
        assert_eq!(
            parse("90m", FieldType::Duration),
            Some(Value::Duration(time::Span(5_400_000)))
        );
        assert_eq!(
            parse("1h30m", FieldType::Duration),
            Some(Value::Duration(time::Span(5_400_000)))
        );
        assert_eq!(parse("5min", FieldType::Duration), None);
        assert_eq!(parse("", FieldType::Duration), None);
        assert_eq!(
            parse("7.50", FieldType::Decimal),
            Some(Value::Decimal(Decimal::new(750, 2)))
        );
        assert_eq!(parse("7.50", FieldType::Int), None);
        assert_eq!(parse("inf", FieldType::Float), None);
        assert_eq!(
            parse("a b", FieldType::String),
            Some(Value::Str("a b".into()))
        );
    }
}
