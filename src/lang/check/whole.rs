//! Calls that speak of the whole match: `key()`, `match_start()`, `window_end()`, `reached()`, …

use super::expression::{Checker, Clause, Site};
use super::ty::{self, Ty, Typed};
use crate::event::Value;
use crate::lang::ast;
use crate::lang::pattern::{Closer, Expr, Window};
use crate::lang::span::Span;

/// Their names.
pub(super) const NAMES: [&str; 6] = [
    "key",
    "match_start",
    "match_end",
    "window_start",
    "window_end",
    "reached",
];

impl Checker<'_, '_> {
    /// `key()`, `match_start()`, …
    pub(super) fn whole_match(
        &mut self,
        name: &ast::Ident,
        arguments: &[ast::Expr],
        span: Span,
    ) -> Typed {
        let text = name.name.as_str();
        if !self.has_count(&format!("{text}()"), arguments.len(), 0, 0, span) {
            return Typed::unknown(span);
        }
        let place = self.place(span);
        let Some(outline) = self.outline() else {
            self.report
                .add(
                    "E093",
                    place,
                    format!("`{text}()` speaks of a match, and there is none here"),
                    "not here",
                )
                .help("give a function what it needs as an argument");
            return Typed::unknown(span);
        };
        match text {
            "key" => match outline.key.as_slice() {
                [] => Typed::new(Expr::Const(Value::Null), Ty::Null, span),
                [one] => Typed::new(Expr::WholeKey, one.ty, span),
                _ => Typed::new(Expr::WholeKey, ty::LIST, span),
            },
            "match_start" => Typed::new(Expr::MatchStart, ty::TIMESTAMP, span),
            "match_end" => Typed::new(Expr::MatchEnd, ty::TIMESTAMP, span),
            "reached" => {
                if !matches!(
                    self.site,
                    Site::Outcome {
                        clause: Clause::Timeout,
                        ..
                    }
                ) {
                    self.report
                        .add(
                            "E093",
                            place,
                            "`reached()` tells how far a match got that timed out",
                            "not in `timeout`",
                        )
                        .help("use it in the record of `timeout`");
                }
                Typed::new(Expr::Reached, ty::STRING, span)
            }
            _ => {
                let refusal = match (&outline.closer, self.site) {
                    (_, Site::Condition { .. }) => {
                        Some("a condition is judged before the window is complete")
                    }
                    (None, _) => Some("this pattern has no window"),
                    (Some(closed), _)
                        if matches!(closed.closer, Closer::Window(Window::Count { .. })) =>
                    {
                        Some("a window of a number of events has no bounds in time")
                    }
                    _ => None,
                };
                if let Some(why) = refusal {
                    let instead = if text == "window_start" {
                        "match_start"
                    } else {
                        "match_end"
                    };
                    self.report
                        .add(
                            "E093",
                            place,
                            format!("`{text}()` is not known here: {why}"),
                            "not here",
                        )
                        .help(format!(
                            "`{instead}()` is the time of the {} bound event",
                            if text == "window_start" {
                                "first"
                            } else {
                                "last"
                            }
                        ))
                        .help("windows come from `tumble`, `hop`, `gap` and `for`");
                }
                let expr = if text == "window_start" {
                    Expr::WindowStart
                } else {
                    Expr::WindowEnd
                };
                Typed::new(expr, ty::TIMESTAMP, span)
            }
        }
    }
}
