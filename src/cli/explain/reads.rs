//! What the expressions of a pattern read of earlier events: that is what a partial match has to keep.

use std::collections::BTreeSet;

use leitmotif::lang::pattern::{Expr, Pattern};

use super::expression::Names;

/// What an expression reads besides the event being tested, each as patterns write it.
pub fn earlier(expr: &Expr, names: Names<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(expr, names, &mut found);
    found
}

/// What all conditions and outputs of a pattern read of earlier events.
pub fn kept(pattern: &Pattern, names: Names<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for step in &pattern.steps {
        if let Some(condition) = &step.condition {
            collect(
                condition,
                Names {
                    ty: step.ty,
                    ..names
                },
                &mut found,
            );
        }
    }
    let outputs = pattern.emits.iter().flat_map(|emit| &emit.fields);
    let timeout = pattern.timeout.iter().flat_map(|timeout| &timeout.fields);
    let limits = pattern.limit.iter().flat_map(|limit| &limit.by);
    for expr in outputs.chain(timeout).chain(limits).chain(&pattern.having) {
        collect(expr, names, &mut found);
    }
    if pattern.emits.iter().any(|emit| emit.each) {
        found.insert("every bound event (for `emit each`)".to_owned());
    }
    found
}

fn collect(expr: &Expr, names: Names<'_>, found: &mut BTreeSet<String>) {
    match expr {
        Expr::Bound(..) | Expr::Prev(..) | Expr::Aggregate(_) => {
            found.insert(names.show(expr));
        }
        Expr::Lookup(_, inner, _) | Expr::Unary(_, inner) | Expr::Matches(inner, _) => {
            collect(inner, names, found)
        }
        Expr::Binary(_, left, right) => {
            collect(left, names, found);
            collect(right, names, found);
        }
        Expr::In { needle, list, .. } => {
            collect(needle, names, found);
            list.iter().for_each(|item| collect(item, names, found));
        }
        Expr::Call(_, args) => args.iter().for_each(|arg| collect(arg, names, found)),
        Expr::MatchStart | Expr::MatchEnd | Expr::WindowStart | Expr::WindowEnd => {}
        Expr::Const(_)
        | Expr::Field(_)
        | Expr::EachField(_)
        | Expr::Key(_)
        | Expr::WholeKey
        | Expr::Reached => {}
    }
}
