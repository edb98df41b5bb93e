//! Which patterns are windows, and when those open and close.

use jiff::tz::TimeZone;

use super::super::calendar::{Aligned, Calendar};
use super::super::expression::StepMask;
use crate::lang::pattern::{AfterMatch, Closer, Element, Loop, Node, Pattern, StepId, Window};
use crate::time::Span;

/// When windows open and close.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WindowPlan {
    pub(in crate::automaton) step: StepId,
    /// The fewest events of a match.
    pub(super) min: u64,
    pub(in crate::automaton) kind: WindowKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::automaton) enum WindowKind {
    Session {
        close: SessionClose,
        until: Option<StepId>,
    },
    Time {
        windows: Aligned,
        sharing: Sharing,
    },
    Count {
        pane: u64,
        size: u64,
        every: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::automaton) enum SessionClose {
    AfterLast(Span),
    AfterFirst(Span),
}

/// Whether overlapping windows can share panes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::automaton) enum Sharing {
    Panes,
    /// The condition reads what the window holds.
    Apart,
}

impl WindowPlan {
    /// The plan of a pattern that is a window; `None` for all others.
    pub(crate) fn of(pattern: &Pattern, shares_panes: bool) -> Option<WindowPlan> {
        let [
            Element::Positive {
                node: Node::Loop(inner),
                ..
            },
        ] = &pattern.body.elements[..]
        else {
            return None;
        };
        let Loop {
            body: Node::Step(step),
            closer: Some(closer),
            min,
            until,
            ..
        } = &**inner
        else {
            return None;
        };
        if pattern.skip != AfterMatch::PastMatch {
            return None;
        }
        let session = |close| WindowKind::Session {
            close,
            until: *until,
        };
        let kind = match closer {
            Closer::Gap(span) => session(SessionClose::AfterLast(*span)),
            Closer::For(span) => session(SessionClose::AfterFirst(*span)),
            Closer::Window(Window::Time { size, every, tz }) => {
                let pane = gcd(size.0, every.0);
                WindowKind::Time {
                    windows: Aligned {
                        calendar: Calendar {
                            unit: Span(pane),
                            // The checker has looked the zone up already.
                            zone: tz.as_deref().and_then(|tz| TimeZone::get(tz).ok()),
                        },
                        size: size.0 / pane,
                        every: every.0 / pane,
                    },
                    sharing: if shares_panes {
                        Sharing::Panes
                    } else {
                        Sharing::Apart
                    },
                }
            }
            Closer::Window(Window::Count { size, every }) => {
                let pane = gcd(i64::from(*size), i64::from(*every)).unsigned_abs();
                WindowKind::Count {
                    pane,
                    size: u64::from(*size) / pane,
                    every: u64::from(*every),
                }
            }
        };
        Some(WindowPlan {
            step: *step,
            min: u64::from(*min),
            kind,
        })
    }

    /// Steps whose events matter.
    pub(crate) fn listens(&self) -> StepMask {
        let mut steps = StepMask::of(self.step);
        if let WindowKind::Session {
            until: Some(until), ..
        } = self.kind
        {
            steps.add(until);
        }
        steps
    }

    /// True if windows end at instants, never by an event.
    pub(crate) fn ends_by_time(&self) -> bool {
        match &self.kind {
            WindowKind::Session { until, .. } => until.is_none(),
            WindowKind::Time { .. } => true,
            WindowKind::Count { .. } => false,
        }
    }

    /// What closes its windows, in words.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            WindowKind::Session {
                close: SessionClose::AfterLast(span),
                ..
            } => format!("session window, closed by a gap of {span}"),
            WindowKind::Session {
                close: SessionClose::AfterFirst(span),
                ..
            } => format!("anchored window, closed {span} after its first event"),
            WindowKind::Time { windows, sharing } => {
                let Aligned {
                    calendar,
                    size,
                    every,
                } = windows;
                let shared = if *sharing == Sharing::Panes {
                    "panes shared"
                } else {
                    "windows apart, since the condition reads what a window holds"
                };
                let of = |panes: &i64| Span(calendar.unit.0 * panes);
                format!(
                    "aligned windows of {} every {} ({shared})",
                    of(size),
                    of(every)
                )
            }
            WindowKind::Count { pane, size, every } => {
                format!("windows of {} events every {every}", pane * size)
            }
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
