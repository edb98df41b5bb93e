//! Functions of a file: checked once, written out where they are called.
//!
//! A checked body keeps its arguments as [`Expr::Field`] by number: a function sees no event, so that these cannot be meant otherwise.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use super::call;
use super::catalog::{Catalog, FunctionEntry};
use super::constant;
use super::declare;
use super::expression::{Checker, Site};
use super::report::{Place, Report};
use super::ty::{Ty, Typed};
use super::visit;
use crate::lang::ast::{self, ExprKind};
use crate::lang::pattern::Expr;
use crate::lang::span::FileId;

/// How large and how deep an expression may get when the functions that it calls are written out.
pub(super) const PARTS_MAX: usize = 10_000;
pub(super) const DEPTH_MAX: usize = 600;

/// Takes in all functions of a file, those called before those that call them.
pub(super) fn all(
    catalog: &mut Catalog,
    report: &mut Report,
    file: FileId,
    decls: &[&ast::FnDecl],
) {
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for (at, decl) in decls.iter().enumerate() {
        let place = Place::new(file, decl.name.span);
        let name = decl.name.name.as_str();
        if call::is_built_in(name) {
            report
                .add(
                    "E050",
                    place,
                    format!("there is a function `{name}` already"),
                    "built in",
                )
                .help("choose another name");
        } else if let Some(first) = by_name.get(name) {
            let first = Place::new(file, decls[*first].name.span);
            declare::duplicate(report, place, "function", name, first);
        } else {
            by_name.insert(name, at);
            let entry = signature(report, file, decl);
            catalog
                .file_mut(file)
                .functions
                .insert(decl.name.name.clone(), entry);
        }
    }
    for at in order(report, file, decls, &by_name) {
        let decl = decls[at];
        let name = &decl.name.name;
        // The first of two of the same name is the one that is called.
        if by_name.get(name.as_str()) != Some(&at) {
            continue;
        }
        let body = body(catalog, report, file, decl);
        if let Some(entry) = catalog.file_mut(file).functions.get_mut(name) {
            entry.body = body;
        }
    }
}

fn signature(report: &mut Report, file: FileId, decl: &ast::FnDecl) -> FunctionEntry {
    let mut args: Vec<(String, Ty)> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for (name, ty) in &decl.args {
        if !seen.insert(&name.name) {
            report
                .add(
                    "E066",
                    Place::new(file, name.span),
                    format!("argument `{}` is given twice", name.name),
                    "given again",
                )
                .help("rename one of them");
        }
        let (ty, _) = declare::reference(report, file, ty);
        args.push((name.name.clone(), ty));
    }
    let (result, _) = declare::reference(report, file, &decl.result);
    FunctionEntry {
        args,
        result,
        body: None,
        place: Place::new(file, decl.name.span),
        used: Cell::new(false),
    }
}

fn body(catalog: &Catalog, report: &mut Report, file: FileId, decl: &ast::FnDecl) -> Option<Expr> {
    let entry = catalog.file(file).functions.get(&decl.name.name)?;
    let mut checker = Checker::new(catalog, file, Site::Function(&entry.args), report);
    let body = checker.expression(&decl.body);
    checker.expect(body, entry.result, || {
        format!("the result of function `{}`", decl.name.name)
    })
}

/// The order in which to check: a function after those it calls. A circle is reported once and none of its members is left out.
fn order(
    report: &mut Report,
    file: FileId,
    decls: &[&ast::FnDecl],
    by_name: &HashMap<&str, usize>,
) -> Vec<usize> {
    let calls: Vec<Vec<usize>> = decls
        .iter()
        .map(|decl| called(&decl.body, by_name))
        .collect();
    let (order, circles) = super::circle::sort(&calls);
    for circle in circles {
        let names: Vec<&str> = circle
            .iter()
            .map(|at| decls[*at].name.name.as_str())
            .collect();
        let first = circle[0];
        let told = match names.as_slice() {
            [one] => format!("function `{one}` calls itself"),
            _ => format!("functions call each other in a circle: {}", round(&names)),
        };
        report
            .add(
                "E067",
                Place::new(file, decls[first].name.span),
                told,
                "needs its own result",
            )
            .help("functions are written out where they are called, which would never end here");
    }
    order
}

/// `a -> b -> a`
pub(super) fn round(names: &[&str]) -> String {
    let mut shown = names.join(" -> ");
    if let Some(first) = names.first() {
        shown.push_str(" -> ");
        shown.push_str(first);
    }
    shown
}

fn called(expr: &ast::Expr, by_name: &HashMap<&str, usize>) -> Vec<usize> {
    let mut found = Vec::new();
    let mut rest = vec![expr];
    while let Some(expr) = rest.pop() {
        match &expr.kind {
            ExprKind::Call(name, arguments) => {
                found.extend(by_name.get(name.name.as_str()));
                rest.extend(arguments);
            }
            ExprKind::List(elements) => rest.extend(elements),
            ExprKind::Field(base, _) | ExprKind::Unary(_, base) => rest.push(base),
            ExprKind::Index(base, key) => rest.extend([&**base, &**key]),
            ExprKind::Binary(_, left, right) => rest.extend([&**left, &**right]),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The function's body with arguments in their places; `None` if it gets too large.
pub(super) fn written_out(body: &Expr, arguments: &[Expr]) -> Option<Expr> {
    let mut sizes = Vec::with_capacity(arguments.len());
    let mut deepest = 0;
    for argument in arguments {
        let (parts, depth) = visit::size(argument);
        deepest = deepest.max(depth);
        sizes.push(parts);
    }
    let (mut parts, depth) = visit::size(body);
    visit::each(body, &mut |part| {
        if let Expr::Field(at) = part {
            parts += sizes.get(usize::from(at.0)).copied().unwrap_or(0);
        }
    });
    if parts > PARTS_MAX || depth + deepest > DEPTH_MAX {
        return None;
    }
    Some(visit::rebuilt(body, &mut |part| match part {
        Expr::Field(at) => arguments
            .get(usize::from(at.0))
            .cloned()
            .unwrap_or(Expr::Field(at)),
        other => constant::folded(other),
    }))
}

impl Checker<'_, '_> {
    /// A call of a function that the file declares.
    pub(super) fn call_declared(
        &mut self,
        name: &ast::Ident,
        arguments: &[ast::Expr],
        span: crate::lang::span::Span,
    ) -> Typed {
        let catalog = self.catalog;
        let Some(function) = catalog.file(self.file).functions.get(&name.name) else {
            return self.unknown_function(name, arguments, span);
        };
        function.used.set(true);
        let place = self.place(span);
        if arguments.len() != function.args.len() {
            let wanted = function.args.len();
            self.report
                .add(
                    "E085",
                    place,
                    format!(
                        "function `{}` takes {}, not {}",
                        name.name,
                        counted(wanted),
                        arguments.len()
                    ),
                    "wrong number of arguments",
                )
                .also(function.place, "declared here")
                .help(format!("write `{}({})`", name.name, usage(&function.args)));
            return Typed::unknown(span);
        }
        let mut values = Vec::with_capacity(arguments.len());
        for (argument, (arg, ty)) in arguments.iter().zip(&function.args) {
            let typed = self.expression(argument);
            let what = || format!("argument `{arg}` of function `{}`", name.name);
            values.push(self.expect(typed, *ty, what));
        }
        let values: Option<Vec<Expr>> = values.into_iter().collect();
        let (Some(values), Some(body)) = (values, &function.body) else {
            return Typed {
                ty: function.result,
                ..Typed::unknown(span)
            };
        };
        match written_out(body, &values) {
            Some(expr) => Typed::new(expr, function.result, span),
            None => {
                self.report
                    .add(
                        "E094",
                        place,
                        format!("written out, this call has more than {PARTS_MAX} parts or is more than {DEPTH_MAX} deep"),
                        "grows too large",
                    )
                    .help("functions are written out where they are called; use an argument less often, or nest calls less deeply");
                Typed::unknown(span)
            }
        }
    }
}

/// `a: int, b: string`
fn usage(args: &[(String, Ty)]) -> String {
    let shown: Vec<String> = args
        .iter()
        .map(|(arg, ty)| format!("{arg}: {ty}"))
        .collect();
    shown.join(", ")
}

/// `1 argument`, `2 arguments`
pub(super) fn counted(arguments: usize) -> String {
    match arguments {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    }
}
