//! Calls: built-in functions, and what speaks of the whole match.

use super::constant::folded;
use super::expression::{Checker, MIXED, Site, a};
use super::function::counted;
use super::ty::{self, Clash, Ty, Typed};
use crate::event::Value;
use crate::lang::ast;
use crate::lang::pattern::{Expr, Function};
use crate::lang::span::Span;

/// Scalar functions by name.
const SCALAR: [(&str, Function); 24] = [
    ("abs", Function::Abs),
    ("round", Function::Round),
    ("floor", Function::Floor),
    ("ceil", Function::Ceil),
    ("least", Function::Least),
    ("greatest", Function::Greatest),
    ("lower", Function::Lower),
    ("upper", Function::Upper),
    ("length", Function::Length),
    ("contains", Function::Contains),
    ("starts_with", Function::StartsWith),
    ("ends_with", Function::EndsWith),
    ("year", Function::Year),
    ("month", Function::Month),
    ("day", Function::Day),
    ("hour", Function::Hour),
    ("minute", Function::Minute),
    ("weekday", Function::Weekday),
    ("seconds", Function::Seconds),
    ("minutes", Function::Minutes),
    ("hours", Function::Hours),
    ("days", Function::Days),
    ("distance_km", Function::DistanceKm),
    ("in_cidr", Function::InCidr),
];

/// True for the name of a function that exists in every file.
pub(super) fn is_built_in(name: &str) -> bool {
    names().any(|known| known == name)
}

fn names() -> impl Iterator<Item = &'static str> {
    let scalar = SCALAR.iter().map(|(name, _)| *name);
    let aggregates = super::aggregate::NAMES.iter().copied();
    scalar
        .chain(aggregates)
        .chain(super::whole::NAMES)
        .chain(["matches", "prev"])
}

/// What a function takes, as messages tell it.
fn signature(function: Function) -> (&'static str, usize, usize) {
    match function {
        Function::Abs => ("abs(number)", 1, 1),
        Function::Round => ("round(number) or round(number, digits)", 1, 2),
        Function::Floor => ("floor(number)", 1, 1),
        Function::Ceil => ("ceil(number)", 1, 1),
        Function::Least => ("least(a, b, …)", 2, usize::MAX),
        Function::Greatest => ("greatest(a, b, …)", 2, usize::MAX),
        Function::Lower => ("lower(string)", 1, 1),
        Function::Upper => ("upper(string)", 1, 1),
        Function::Length => ("length(string)", 1, 1),
        Function::Contains => ("contains(string, part)", 2, 2),
        Function::StartsWith => ("starts_with(string, part)", 2, 2),
        Function::EndsWith => ("ends_with(string, part)", 2, 2),
        Function::Year => ("year(timestamp) or year(timestamp, \"time zone\")", 1, 2),
        Function::Month => ("month(timestamp) or month(timestamp, \"time zone\")", 1, 2),
        Function::Day => ("day(timestamp) or day(timestamp, \"time zone\")", 1, 2),
        Function::Hour => ("hour(timestamp) or hour(timestamp, \"time zone\")", 1, 2),
        Function::Minute => (
            "minute(timestamp) or minute(timestamp, \"time zone\")",
            1,
            2,
        ),
        Function::Weekday => (
            "weekday(timestamp) or weekday(timestamp, \"time zone\")",
            1,
            2,
        ),
        Function::Seconds => ("seconds(duration)", 1, 1),
        Function::Minutes => ("minutes(duration)", 1, 1),
        Function::Hours => ("hours(duration)", 1, 1),
        Function::Days => ("days(duration)", 1, 1),
        Function::DistanceKm => ("distance_km(lat, lon, lat, lon)", 4, 4),
        Function::InCidr => ("in_cidr(ip, \"10.0.0.0/8\")", 2, 2),
    }
}

impl Checker<'_, '_> {
    /// Any call.
    pub(super) fn call(&mut self, name: &ast::Ident, arguments: &[ast::Expr], span: Span) -> Typed {
        let text = name.name.as_str();
        if let Some((_, function)) = SCALAR.iter().find(|(known, _)| *known == text) {
            return self.scalar(*function, arguments, span);
        }
        if text == "matches" {
            return self.matches(arguments, span);
        }
        if text == "prev" {
            return self.prev(name, arguments, span);
        }
        if super::aggregate::NAMES.contains(&text) {
            return self.aggregate(name, arguments, span);
        }
        if super::whole::NAMES.contains(&text) {
            return self.whole_match(name, arguments, span);
        }
        self.call_declared(name, arguments, span)
    }

    /// A call of a function that does not exist.
    pub(super) fn unknown_function(
        &mut self,
        name: &ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Typed {
        for argument in arguments {
            self.expression(argument);
        }
        let catalog = self.catalog;
        let declared = catalog.file(self.file).functions.keys().map(String::as_str);
        let mut known: Vec<&str> = declared.collect();
        for name in names() {
            known.push(name);
        }
        let near = self.report.suggestion(&name.name, known);
        let place = self.place(name.span);
        let draft = self
            .report
            .add(
                "E058",
                place,
                format!("there is no function `{}`", name.name),
                "unknown function",
            )
            .help_maybe(near);
        if matches!(self.site, Site::Constant) {
            draft.help("params and tests can call built-in functions only");
        } else {
            draft.help(format!(
                "declare it in this file: `fn {}(…): type = …`",
                name.name
            ));
        }
        Typed::unknown(span)
    }

    /// Reports a wrong number of arguments; true if it is right.
    pub(super) fn has_count(
        &mut self,
        usage: &str,
        got: usize,
        least: usize,
        most: usize,
        span: Span,
    ) -> bool {
        if (least..=most).contains(&got) {
            return true;
        }
        let name = usage.split('(').next().unwrap_or_default();
        let takes = if least == most {
            counted(least)
        } else if most == usize::MAX {
            format!("at least {}", counted(least))
        } else {
            format!("{least} or {}", counted(most))
        };
        let place = self.place(span);
        self.report
            .add(
                "E085",
                place,
                format!("`{name}` takes {takes}, not {got}"),
                "wrong number of arguments",
            )
            .help(format!(
                "write {}",
                usage
                    .split(" or ")
                    .map(|way| format!("`{way}`"))
                    .collect::<Vec<_>>()
                    .join(" or ")
            ));
        false
    }

    fn scalar(&mut self, function: Function, arguments: &[ast::Expr], span: Span) -> Typed {
        let (usage, least, most) = signature(function);
        let typed: Vec<Typed> = arguments
            .iter()
            .map(|argument| self.expression(argument))
            .collect();
        if !self.has_count(usage, typed.len(), least, most, span) {
            return Typed::unknown(span);
        }
        match function {
            Function::Abs => self.same_as_first(
                function,
                typed,
                span,
                |ty| ty.is_numeric() || ty == ty::DURATION,
                "a number or a duration",
            ),
            Function::Floor | Function::Ceil => {
                self.same_as_first(function, typed, span, Ty::is_numeric, "a number")
            }
            Function::Round => self.round(typed, span),
            Function::Least | Function::Greatest => self.extreme(function, typed, span),
            Function::Lower | Function::Upper => {
                self.fixed(function, typed, &[ty::STRING], ty::STRING, span)
            }
            Function::Length => self.fixed(function, typed, &[ty::STRING], ty::INT, span),
            Function::Contains | Function::StartsWith | Function::EndsWith => {
                self.fixed(function, typed, &[ty::STRING, ty::STRING], ty::BOOL, span)
            }
            Function::Year
            | Function::Month
            | Function::Day
            | Function::Hour
            | Function::Minute
            | Function::Weekday => {
                if let Some(zone) = typed.get(1) {
                    self.literal_zone(zone);
                }
                self.fixed(function, typed, &[ty::TIMESTAMP, ty::STRING], ty::INT, span)
            }
            Function::Seconds | Function::Minutes | Function::Hours | Function::Days => {
                self.fixed(function, typed, &[ty::DURATION], ty::INT, span)
            }
            Function::DistanceKm => self.distance(typed, span),
            Function::InCidr => {
                if let Some(network) = typed.get(1) {
                    self.literal_network(network);
                }
                self.fixed(function, typed, &[ty::STRING, ty::STRING], ty::BOOL, span)
            }
        }
    }

    /// A function whose arguments have the types `wanted`.
    fn fixed(
        &mut self,
        function: Function,
        typed: Vec<Typed>,
        wanted: &[Ty],
        result: Ty,
        span: Span,
    ) -> Typed {
        let mut values = Vec::with_capacity(typed.len());
        let mut complete = true;
        for (argument, wanted) in typed.into_iter().zip(wanted) {
            let (found, place) = (argument.ty, self.place(argument.span));
            match argument.fit(*wanted) {
                Some(expr) => values.push(expr),
                None => {
                    complete = false;
                    self.unfit(function, place, found, &a(*wanted));
                }
            }
        }
        if !complete {
            return Typed {
                ty: result,
                ..Typed::unknown(span)
            };
        }
        Typed::new(folded(Expr::Call(function, values)), result, span)
    }

    fn unfit(&mut self, function: Function, place: super::report::Place, found: Ty, wants: &str) {
        let (usage, _, _) = signature(function);
        let name = usage.split('(').next().unwrap_or_default();
        let ways: Vec<String> = usage.split(" or ").map(|way| format!("`{way}`")).collect();
        self.report
            .add(
                "E084",
                place,
                format!("`{name}` wants {wants} here, not {}", a(found)),
                format!("this is {}", a(found)),
            )
            .help(format!("write {}", ways.join(" or ")));
    }

    /// A function of one argument whose result has the argument's type.
    fn same_as_first(
        &mut self,
        function: Function,
        mut typed: Vec<Typed>,
        span: Span,
        fits: impl Fn(Ty) -> bool,
        wants: &str,
    ) -> Typed {
        let argument = typed.remove(0);
        if argument.ty.is_definite() && !fits(argument.ty) {
            let place = self.place(argument.span);
            self.unfit(function, place, argument.ty, wants);
            return Typed::unknown(span);
        }
        Typed::new(
            folded(Expr::Call(function, vec![argument.expr])),
            argument.ty,
            span,
        )
    }

    fn round(&mut self, mut typed: Vec<Typed>, span: Span) -> Typed {
        let digits = (typed.len() > 1).then(|| typed.remove(1));
        let number = typed.remove(0);
        if number.ty.is_definite() && !number.ty.is_numeric() {
            let place = self.place(number.span);
            self.unfit(Function::Round, place, number.ty, "a number");
            return Typed::unknown(span);
        }
        let mut values = vec![number.expr];
        if let Some(digits) = digits {
            let (found, place) = (digits.ty, self.place(digits.span));
            let Some(expr) = digits.fit(ty::INT) else {
                self.unfit(Function::Round, place, found, "an int");
                return Typed {
                    ty: number.ty,
                    ..Typed::unknown(span)
                };
            };
            if let Expr::Const(Value::Int(n)) = expr
                && !(0..=28).contains(&n)
            {
                self.report
                    .add(
                        "E084",
                        place,
                        format!("`round` keeps 0 to 28 digits, not {n}"),
                        "out of range",
                    )
                    .help("write a number of digits after the point: `round(x, 2)`");
            }
            values.push(expr);
        }
        Typed::new(folded(Expr::Call(Function::Round, values)), number.ty, span)
    }

    fn extreme(&mut self, function: Function, typed: Vec<Typed>, span: Span) -> Typed {
        let mut common = Ty::Null;
        for argument in &typed {
            match common.common(argument.ty) {
                Ok(ty) => common = ty,
                Err(clash) => {
                    let place = self.place(argument.span);
                    let code = if clash == Clash::Inexact {
                        "E082"
                    } else {
                        "E081"
                    };
                    let draft = self.report.add(
                        code,
                        place,
                        format!("{} cannot be compared with {}", a(common), a(argument.ty)),
                        format!("this is {}", a(argument.ty)),
                    );
                    draft.help(match clash {
                        Clash::Inexact => MIXED,
                        Clash::Different => "give values of one type, or numbers",
                    });
                    return Typed::unknown(span);
                }
            }
        }
        if common == Ty::Unknown {
            return Typed::unknown(span);
        }
        if matches!(common, ty::BOOL | ty::LIST) {
            let place = self.place(span);
            self.unfit(function, place, common, "values that have an order");
            return Typed::unknown(span);
        }
        let values: Option<Vec<Expr>> = typed
            .into_iter()
            .map(|argument| argument.fit(common))
            .collect();
        match values {
            Some(values) => Typed::new(folded(Expr::Call(function, values)), common, span),
            None => Typed::unknown(span),
        }
    }

    fn distance(&mut self, typed: Vec<Typed>, span: Span) -> Typed {
        let mut values = Vec::with_capacity(4);
        for argument in typed {
            if argument.ty.is_definite() && !argument.ty.is_numeric() {
                let place = self.place(argument.span);
                self.unfit(
                    Function::DistanceKm,
                    place,
                    argument.ty,
                    "degrees as a number",
                );
            }
            values.push(argument.expr);
        }
        Typed::new(
            folded(Expr::Call(Function::DistanceKm, values)),
            ty::FLOAT,
            span,
        )
    }
}
