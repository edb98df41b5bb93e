//! Patterns that are one loop with a closer: windows, cut by a plain procedure.

use super::choose::{Gate, match_rows, row};
use super::evaluate::{Current, Scope, Take, satisfies};
use super::{Decision, History, Moment, Phase};
use crate::automaton::Stream;
use crate::lang::pattern::{AfterMatch, Closer, Element, Loop, Node, Pattern, StepId, Window};
use crate::lang::scalar;
use crate::time::{Span, Timestamp};

/// A loop over a step that makes windows.
#[derive(Clone, Copy)]
pub(crate) struct Windowed<'p> {
    of: &'p Loop,
    closer: &'p Closer,
    step: StepId,
}

/// The loop of a pattern that is a window.
pub(crate) fn of(pattern: &Pattern) -> Option<Windowed<'_>> {
    let [
        Element::Positive {
            node: Node::Loop(of),
            ..
        },
    ] = pattern.body.elements.as_slice()
    else {
        return None;
    };
    let closer = of.closer.as_ref()?;
    let Node::Step(step) = of.body else {
        return None;
    };
    let window = pattern.skip == AfterMatch::PastMatch || matches!(closer, Closer::Window(_));
    window.then_some(Windowed { of, closer, step })
}

/// A window that is complete.
struct Done {
    moment: Moment,
    takes: Vec<Take>,
    /// `window_start()`, `window_end()`.
    window: (Timestamp, Timestamp),
    /// Set for aligned windows.
    bounds: Option<(Timestamp, Timestamp)>,
}

/// What one key's events give, in the order in which it is decided.
pub(crate) fn run(history: &History<'_>, of: Windowed<'_>) -> Vec<Decision> {
    let mut windows = match of.closer {
        Closer::Window(Window::Time { size, every, tz }) => {
            let starts = Starts {
                size: *size,
                every: *every,
                tz: tz.as_deref(),
            };
            aligned(history, of.step, &starts)
        }
        Closer::Window(Window::Count { size, every }) => {
            counted(history, of.step, *size as usize, *every as usize)
        }
        Closer::Gap(_) | Closer::For(_) => opened(history, of),
    };
    windows.retain(|window| history.decided(window.moment));
    windows.sort_by_key(|window| (window.moment, window.takes.first().map(|take| take.event)));
    let mut gate = Gate::default();
    let mut decisions = Vec::new();
    for window in &windows {
        let scope = Scope {
            history,
            takes: &window.takes,
            current: Current::Nothing,
            window: Some(window.window),
        };
        let at = window.moment.at;
        let phase = if window.moment.event.is_some() {
            Phase::Event
        } else {
            Phase::Instant
        };
        let event = window.moment.event.unwrap_or_default();
        if window.takes.len() < of.of.min as usize {
            if let Some(timeout) = &history.pattern.timeout {
                let row = row(
                    &scope,
                    at,
                    window.bounds,
                    Stream::Timeout(timeout.stream),
                    &timeout.fields,
                );
                decisions.push(Decision { phase, event, row });
            }
            continue;
        }
        if history
            .pattern
            .having
            .as_ref()
            .is_some_and(|having| !scalar::holds(&scope.value(having)))
        {
            continue;
        }
        if gate.lets_through(&scope, at) {
            decisions.extend(match_rows(&scope, at, window.bounds).map(|row| Decision {
                phase,
                event,
                row,
            }));
        }
    }
    decisions
}

/// Where aligned windows lie.
struct Starts<'p> {
    size: Span,
    every: Span,
    tz: Option<&'p str>,
}

impl Starts<'_> {
    /// The bounds of every window that holds a time.
    fn around(&self, time: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let clock = self.clock(time);
        let (size, every) = (self.size.0.max(1), self.every.0.max(1));
        // A clock can be put forward or back by at most a day; windows so near may still hold the time.
        let slack = if self.tz.is_some() { 86_400_000 } else { 0 };
        let first = (clock.saturating_sub(size + slack)).div_euclid(every);
        let last = clock.saturating_add(slack).div_euclid(every);
        let bounds = (first..=last).map(|k| {
            let start = k.saturating_mul(every);
            (
                self.instant(start),
                self.instant(start.saturating_add(size)),
            )
        });
        bounds
            .filter(|(start, end)| *start <= time && time < *end)
            .collect()
    }

    /// What a local clock shows, in milliseconds since its 1970-01-01T00:00.
    fn clock(&self, time: Timestamp) -> i64 {
        let Some(zone) = self.zone() else {
            return time.0;
        };
        let Ok(at) = jiff::Timestamp::from_millisecond(time.0) else {
            return time.0;
        };
        time.0
            .saturating_add(i64::from(zone.to_offset(at).seconds()) * 1_000)
    }

    /// When a local clock shows this; what it skips counts as after the change, what it shows twice is the first.
    fn instant(&self, clock: i64) -> Timestamp {
        let local = || {
            let zone = self.zone()?;
            let shown = jiff::Timestamp::from_millisecond(clock)
                .ok()?
                .to_zoned(jiff::tz::TimeZone::UTC)
                .datetime();
            Some(zone.to_timestamp(shown).ok()?.as_millisecond())
        };
        Timestamp(local().unwrap_or(clock))
    }

    fn zone(&self) -> Option<jiff::tz::TimeZone> {
        jiff::tz::TimeZone::get(self.tz?).ok()
    }
}

/// Every aligned window that holds an event.
fn aligned(history: &History<'_>, step: StepId, starts: &Starts<'_>) -> Vec<Done> {
    let mut bounds: Vec<(Timestamp, Timestamp)> = history
        .events
        .iter()
        .flat_map(|event| starts.around(event.time))
        .collect();
    bounds.sort();
    bounds.dedup();
    let mut windows = Vec::new();
    for (start, end) in bounds {
        let mut takes = Vec::new();
        for event in 0..history.events.len() {
            let inside = start <= history.time(event) && history.time(event) < end;
            if inside && satisfies(history, &takes, step, event) {
                takes.push(Take { step, event });
            }
        }
        if !takes.is_empty() {
            let moment = Moment::instant(end);
            windows.push(Done {
                moment,
                takes,
                window: (start, end),
                bounds: Some((start, end)),
            });
        }
    }
    windows
}

/// The last `size` satisfying events after every `every` of them.
fn counted(history: &History<'_>, step: StepId, size: usize, every: usize) -> Vec<Done> {
    let satisfying: Vec<usize> = (0..history.events.len())
        .filter(|&event| satisfies(history, &[], step, event))
        .collect();
    let mut windows = Vec::new();
    for n in (every..=satisfying.len()).step_by(every.max(1)) {
        let takes: Vec<Take> = satisfying[n.saturating_sub(size)..n]
            .iter()
            .map(|&event| Take { step, event })
            .collect();
        let window = (
            history.time(takes[0].event),
            history.time(satisfying[n - 1]),
        );
        windows.push(Done {
            moment: history.moment(satisfying[n - 1]),
            takes,
            window,
            bounds: None,
        });
    }
    windows
}

/// Windows that events open and the passing of time, or `until`, closes.
fn opened(history: &History<'_>, of: Windowed<'_>) -> Vec<Done> {
    let closing = |takes: &[Take]| {
        let time =
            |take: Option<&Take>| take.map_or(Timestamp::MAX, |take| history.time(take.event));
        match of.closer {
            Closer::Gap(span) => time(takes.last()).plus(*span),
            Closer::For(span) => time(takes.first()).plus(*span),
            Closer::Window(_) => Timestamp::MAX,
        }
    };
    let done = |takes: Vec<Take>, moment: Moment| {
        let window = (history.time(takes[0].event), moment.at);
        Done {
            moment,
            takes,
            window,
            bounds: None,
        }
    };
    let mut windows = Vec::new();
    let mut open: Vec<Vec<Take>> = Vec::new();
    for event in 0..history.events.len() {
        let time = history.time(event);
        let ended = |takes: &[Take]| {
            of.of
                .until
                .is_some_and(|until| satisfies(history, takes, until, event))
        };
        let mut still = Vec::new();
        let mut closed_by_event = false;
        for takes in open {
            if closing(&takes) <= time {
                let moment = Moment::instant(closing(&takes));
                windows.push(done(takes, moment));
            } else if ended(&takes) {
                closed_by_event = true;
                windows.push(done(takes, history.moment(event)));
            } else {
                still.push(takes);
            }
        }
        open = still;
        let take = Take {
            step: of.step,
            event,
        };
        // One at a time may take events; one whose `within` has passed only waits to be closed.
        let growing = open.iter_mut().find(|takes| {
            let first = history.time(takes[0].event);
            history
                .pattern
                .within
                .is_none_or(|within| time <= first.plus(within))
        });
        match growing {
            Some(takes) => {
                if satisfies(history, takes, of.step, event) {
                    takes.push(take);
                }
            }
            None => {
                if !closed_by_event && satisfies(history, &[], of.step, event) && !ended(&[]) {
                    open.push(vec![take]);
                }
            }
        }
    }
    for takes in open {
        let moment = Moment::instant(closing(&takes));
        windows.push(done(takes, moment));
    }
    windows
}
