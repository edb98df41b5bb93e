//! Walks over checked expressions.

use crate::lang::pattern::Expr;

/// The direct operands of an expression; an aggregate's argument counts as one.
pub(crate) fn operands(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Const(_)
        | Expr::Field(_)
        | Expr::EachField(_)
        | Expr::Bound(..)
        | Expr::Key(_)
        | Expr::WholeKey
        | Expr::MatchStart
        | Expr::MatchEnd
        | Expr::WindowStart
        | Expr::WindowEnd
        | Expr::Reached => Vec::new(),
        Expr::Prev(_, inner) | Expr::Unary(_, inner) | Expr::Matches(inner, _) => vec![inner],
        Expr::Lookup(_, key, _) => vec![key],
        Expr::Aggregate(aggregate) => vec![&aggregate.argument],
        Expr::Binary(_, left, right) => vec![left, right],
        Expr::In { needle, list, .. } => {
            let mut all: Vec<&Expr> = vec![needle];
            all.extend(list);
            all
        }
        Expr::Call(_, arguments) => arguments.iter().collect(),
    }
}

/// Shows every part of an expression, itself first.
pub(super) fn each<'e>(expr: &'e Expr, show: &mut impl FnMut(&'e Expr)) {
    show(expr);
    for operand in operands(expr) {
        each(operand, show);
    }
}

/// True if any part of the expression is as wanted.
pub(super) fn any(expr: &Expr, wanted: &impl Fn(&Expr) -> bool) -> bool {
    wanted(expr)
        || operands(expr)
            .into_iter()
            .any(|operand| any(operand, wanted))
}

/// Number of parts and depth.
pub(super) fn size(expr: &Expr) -> (usize, usize) {
    let mut parts = 1;
    let mut depth = 0;
    for operand in operands(expr) {
        let (more, deeper) = size(operand);
        parts += more;
        depth = depth.max(deeper);
    }
    (parts, depth + 1)
}

/// A copy in which `replace` has had its way with every part, innermost first.
pub(super) fn rebuilt(expr: &Expr, replace: &mut impl FnMut(Expr) -> Expr) -> Expr {
    let mut again = |inner: &Expr| Box::new(rebuilt(inner, replace));
    let copy = match expr {
        Expr::Prev(variable, inner) => Expr::Prev(*variable, again(inner)),
        Expr::Unary(op, inner) => Expr::Unary(*op, again(inner)),
        Expr::Matches(inner, regex) => Expr::Matches(again(inner), regex.clone()),
        Expr::Lookup(table, key, field) => Expr::Lookup(*table, again(key), *field),
        Expr::Binary(op, left, right) => Expr::Binary(*op, again(left), again(right)),
        Expr::In {
            needle,
            list,
            negated,
        } => Expr::In {
            needle: again(needle),
            list: list.iter().map(|element| *again(element)).collect(),
            negated: *negated,
        },
        Expr::Call(function, arguments) => {
            Expr::Call(*function, arguments.iter().map(|one| *again(one)).collect())
        }
        // The argument of an aggregate speaks of other events: what is replaced outside is not meant inside.
        other => other.clone(),
    };
    replace(copy)
}
