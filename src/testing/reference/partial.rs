//! Every partial match of a key, and what becomes of each: candidates, and ways on that expire.
//!
//! One way on is followed through the events after its last take, one by one. At each event the rules say two
//! independent things: may the way take the event, and does the event, lying between, break the way.

use std::rc::Rc;

use super::evaluate::{Take, satisfies};
use super::walk::{Begun, Closed, Goal, Way, first_steps, ways_in, ways_on};
use super::{History, Moment};
use crate::lang::pattern::{Closer, Contiguity, Loop, Reach, StepId};
use crate::time::{Span, Timestamp};

/// A list of takes that a walk to the end completes.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) takes: Rc<[Take]>,
    /// Smaller is more preferred: for each take the number of its way on and its event, last the number of the way to the end.
    pub(crate) preference: Vec<usize>,
    pub(crate) moment: Moment,
    /// Of the loop with a closer: time of its first event, and when it closed.
    pub(crate) window: Option<(Timestamp, Timestamp)>,
}

/// How and when one way on of a partial match ended at an instant.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) takes: Rc<[Take]>,
    pub(crate) preference: Vec<usize>,
    pub(crate) moment: Moment,
    pub(crate) kind: EndingKind,
    /// Of the loop with a closer, if that is what the way waits in.
    pub(crate) window: Option<(Timestamp, Timestamp)>,
}

/// Why a way on ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndingKind {
    /// Its time bound passed; a row made by that carries this time.
    Expired(Timestamp),
    /// It completed a candidate.
    Completed,
    /// An event broke one of its rules.
    Broken,
    /// No bound ends it.
    Never,
}

/// Everything that starts with one event.
#[derive(Debug, Default)]
pub(crate) struct Start {
    pub(crate) candidates: Vec<Candidate>,
    /// Of the ways on that could wait.
    pub(crate) endings: Vec<Ending>,
}

/// The partial matches that start with each event of the key; `None` when there are too many.
pub(crate) fn starts(history: &History<'_>) -> Option<Vec<Start>> {
    let mut search = Search {
        history,
        takes: Vec::new(),
        preference: Vec::new(),
        partials: 0,
        start: Start::default(),
    };
    let ways = ways_in(&history.pattern.body);
    let mut starts = Vec::new();
    for event in 0..history.events.len() {
        for (number, way) in ways.iter().enumerate() {
            if search.may_start(way, event) {
                search.take(way, number, event)?;
            }
        }
        starts.push(std::mem::take(&mut search.start));
    }
    Some(starts)
}

struct Search<'h, 'p> {
    history: &'h History<'p>,
    takes: Vec<Take>,
    preference: Vec<usize>,
    partials: usize,
    start: Start,
}

/// When a way on stops waiting for an event of its own accord.
#[derive(Clone, Copy)]
struct Deadline {
    /// The first moment at which no event may be taken any more.
    instant: Timestamp,
    /// The time that a row carries.
    bound: Timestamp,
}

impl Deadline {
    /// A bound that its own time still belongs to.
    fn inclusive(bound: Timestamp) -> Deadline {
        Deadline {
            instant: bound.plus(Span(1)),
            bound,
        }
    }
}

impl<'h, 'p> Search<'h, 'p> {
    fn may_start(&self, way: &Way<'p>, event: usize) -> bool {
        let Goal::Step { step, begun, .. } = &way.goal else {
            return false;
        };
        let no_absence_before = way
            .rules
            .absences
            .iter()
            .all(|absence| match absence.reach {
                Reach::For(span) => {
                    let from = self.history.time(event).minus(span);
                    let recent = (0..event).filter(|&before| self.history.time(before) > from);
                    recent
                        .into_iter()
                        .all(|before| !satisfies(self.history, &[], absence.step, before))
                }
                Reach::Between | Reach::Adjacent => true,
            });
        no_absence_before
            && satisfies(self.history, &[], *step, event)
            && !self.ends_loop(*begun, event)
            && !way
                .rules
                .left
                .iter()
                .any(|of| self.wants(of, event) && !self.until_holds(of, event))
    }

    /// Binds the event by a way on that may take it, and follows all that comes of it.
    fn take(&mut self, way: &Way<'p>, number: usize, event: usize) -> Option<()> {
        let Goal::Step { step, rest, .. } = &way.goal else {
            return Some(());
        };
        self.partials += 1;
        if self.partials > self.history.partials_max {
            return None;
        }
        self.takes.push(Take { step: *step, event });
        self.preference.extend([number, event]);
        for (number, way) in ways_on(rest, self.takes.len()).iter().enumerate() {
            match &way.goal {
                Goal::Step { step, begun, .. } => self.follow(way, number, *step, *begun)?,
                Goal::End { closed } => self.finish(way, number, *closed),
            }
        }
        self.takes.pop();
        self.preference.truncate(self.preference.len() - 2);
        Some(())
    }

    /// Waits for the next step through all later events.
    fn follow(
        &mut self,
        way: &Way<'p>,
        number: usize,
        step: StepId,
        begun: Option<Begun<'p>>,
    ) -> Option<()> {
        let last = self.last_event();
        let deadline = self.deadline(way, begun);
        let mut ended = vec![false; way.rules.left.len()];
        for event in last + 1..self.history.events.len() {
            let time = self.history.time(event);
            if deadline.is_some_and(|deadline| time >= deadline.instant) {
                break;
            }
            let wanted = self.is_wanted(&way.rules.left, &mut ended, event);
            let counts = time >= self.earliest(way);
            let fits = satisfies(self.history, &self.takes, step, event);
            if fits && counts && !wanted && !self.ends_loop(begun, event) {
                self.take(way, number, event)?;
            }
            let connector_breaks = match self.contiguity(way) {
                Contiguity::Strict => time >= self.earliest_after_absence(way),
                Contiguity::SkipTillNext => fits && counts,
                Contiguity::SkipTillAny => false,
            };
            let until_breaks = begun
                .is_some_and(|begun| self.takes.len() > begun.takes_before_loop)
                && self.ends_loop(begun, event);
            if connector_breaks || until_breaks || wanted || self.is_forbidden(way, event) {
                self.end(
                    number,
                    self.history.moment(event),
                    EndingKind::Broken,
                    begun,
                );
                return Some(());
            }
        }
        match deadline {
            Some(Deadline { instant, bound }) => {
                self.end(
                    number,
                    Moment::instant(instant),
                    EndingKind::Expired(bound),
                    begun,
                );
            }
            None => self.end(
                number,
                Moment::instant(Timestamp::MAX),
                EndingKind::Never,
                begun,
            ),
        }
        Some(())
    }

    /// Follows a way to the end until it completes or breaks.
    fn finish(&mut self, way: &Way<'p>, number: usize, closed: Option<Closed<'p>>) {
        let last = self.history.moment(self.last_event());
        if let Some(closed) = closed {
            return self.close(number, closed);
        }
        let due = match self.due(way) {
            Due::AtOnce => return self.complete(number, last, None),
            Due::At(instant) => Moment::instant(instant),
            Due::NextEventOr(instant) => {
                let next = self.last_event() + 1;
                let instant = Moment::instant(instant);
                if next < self.history.events.len() {
                    instant.min(self.history.moment(next))
                } else {
                    instant
                }
            }
            Due::Never => {
                return self.end(
                    number,
                    Moment::instant(Timestamp::MAX),
                    EndingKind::Never,
                    None,
                );
            }
        };
        let mut ended = vec![false; way.rules.left.len()];
        for event in self.last_event() + 1..self.history.events.len() {
            let moment = self.history.moment(event);
            if moment > due {
                break;
            }
            let wanted = self.is_wanted(&way.rules.left, &mut ended, event);
            if wanted || self.is_forbidden(way, event) {
                return self.end(number, moment, EndingKind::Broken, None);
            }
        }
        // Due before its last event was even bound: nothing is left to wait for.
        let due = due.max(last);
        self.complete(number, due, None);
        self.end(number, due, EndingKind::Completed, None);
    }

    /// Follows a way out of a loop with a closer.
    fn close(&mut self, number: usize, closed: Closed<'p>) {
        let first = self
            .history
            .time(self.takes[closed.takes_before_loop].event);
        let Some(due) = self.closing(closed.of, closed.takes_before_loop) else {
            return;
        };
        for event in self.last_event() + 1..self.history.events.len() {
            let moment = self.history.moment(event);
            if moment >= Moment::instant(due) {
                break;
            }
            if self.until_holds(closed.of, event) {
                self.complete(number, moment, Some((first, moment.at)));
                return self.end(number, moment, EndingKind::Completed, None);
            }
            if self.wants(closed.of, event) && moment.at <= self.within().unwrap_or(Timestamp::MAX)
            {
                return self.end(number, moment, EndingKind::Broken, None);
            }
        }
        let due = Moment::instant(due).max(self.history.moment(self.last_event()));
        self.complete(number, due, Some((first, due.at)));
        self.end(number, due, EndingKind::Completed, None);
    }

    fn complete(&mut self, number: usize, moment: Moment, window: Option<(Timestamp, Timestamp)>) {
        let takes = self.takes.as_slice().into();
        let preference = self.preference_of(number);
        self.start.candidates.push(Candidate {
            takes,
            preference,
            moment,
            window,
        });
    }

    fn end(&mut self, number: usize, moment: Moment, kind: EndingKind, begun: Option<Begun<'p>>) {
        if self.history.pattern.timeout.is_none() {
            return;
        }
        let window = begun
            .filter(|begun| begun.takes_before_loop < self.takes.len())
            .and_then(|begun| {
                let first = self.history.time(self.takes[begun.takes_before_loop].event);
                Some((first, self.closing(begun.of, begun.takes_before_loop)?))
            });
        let takes = self.takes.as_slice().into();
        let preference = self.preference_of(number);
        self.start.endings.push(Ending {
            takes,
            preference,
            moment,
            kind,
            window,
        });
    }

    fn preference_of(&self, number: usize) -> Vec<usize> {
        self.preference.iter().copied().chain([number]).collect()
    }

    fn last_event(&self) -> usize {
        self.takes.last().expect("ways on come after a take").event
    }

    fn last_time(&self) -> Timestamp {
        self.history.time(self.last_event())
    }

    /// The end of the pattern's `within`.
    fn within(&self) -> Option<Timestamp> {
        let first = self.history.time(self.takes.first()?.event);
        Some(first.plus(self.history.pattern.within?))
    }

    /// When a loop with a closer closes, as far as is known from what it holds.
    fn closing(&self, of: &Loop, takes_before_loop: usize) -> Option<Timestamp> {
        match of.closer.as_ref()? {
            Closer::Gap(span) => Some(self.last_time().plus(*span)),
            Closer::For(span) => Some(
                self.history
                    .time(self.takes[takes_before_loop].event)
                    .plus(*span),
            ),
            Closer::Window(_) => None,
        }
    }

    fn deadline(&self, way: &Way<'p>, begun: Option<Begun<'p>>) -> Option<Deadline> {
        let gap = way.rules.connector.and_then(|connector| connector.within);
        let gap = gap.map(|gap| Deadline::inclusive(self.last_time().plus(gap)));
        let within = self.within().map(Deadline::inclusive);
        let closing = begun
            .filter(|begun| begun.takes_before_loop < self.takes.len())
            .and_then(|begun| {
                let closing = self.closing(begun.of, begun.takes_before_loop)?;
                Some(Deadline {
                    instant: closing,
                    bound: closing,
                })
            });
        [gap, within, closing]
            .into_iter()
            .flatten()
            .min_by_key(|deadline| deadline.instant)
    }

    fn contiguity(&self, way: &Way<'p>) -> Contiguity {
        way.rules
            .connector
            .expect("an element after the first has a connector")
            .contiguity
    }

    /// Before this time an event does not count as satisfying the next step.
    fn earliest(&self, way: &Way<'p>) -> Timestamp {
        let after = way
            .rules
            .connector
            .and_then(|connector| connector.after)
            .unwrap_or_default();
        self.last_time()
            .plus(after)
            .max(self.earliest_after_absence(way))
    }

    /// Before this time the connector looks at no event.
    fn earliest_after_absence(&self, way: &Way<'p>) -> Timestamp {
        let spans = way
            .rules
            .absences
            .iter()
            .filter_map(|absence| match absence.reach {
                Reach::For(span) => Some(span),
                Reach::Between | Reach::Adjacent => None,
            });
        self.last_time().plus(spans.max().unwrap_or_default())
    }

    /// True when an event between breaks a negation.
    fn is_forbidden(&self, way: &Way<'p>, event: usize) -> bool {
        way.rules.absences.iter().any(|absence| {
            let rules = match absence.reach {
                Reach::Between => true,
                Reach::Adjacent => event == self.last_event() + 1,
                Reach::For(span) => self.history.time(event) < self.last_time().plus(span),
            };
            rules && satisfies(self.history, &self.takes, absence.step, event)
        })
    }

    /// True when a greedy loop that was left takes the event. `ended` says which were ended by their `until` before.
    fn is_wanted(&self, left: &[&Loop], ended: &mut [bool], event: usize) -> bool {
        let mut wanted = false;
        for (of, ended) in left.iter().zip(ended) {
            *ended = *ended || self.until_holds(of, event);
            wanted |= !*ended && self.wants(of, event);
        }
        wanted
    }

    fn wants(&self, of: &Loop, event: usize) -> bool {
        first_steps(&of.body)
            .into_iter()
            .any(|step| satisfies(self.history, &self.takes, step, event))
    }

    fn until_holds(&self, of: &Loop, event: usize) -> bool {
        of.until
            .is_some_and(|until| satisfies(self.history, &self.takes, until, event))
    }

    fn ends_loop(&self, begun: Option<Begun<'p>>, event: usize) -> bool {
        begun.is_some_and(|begun| self.until_holds(begun.of, event))
    }

    fn due(&self, way: &Way<'p>) -> Due {
        let end = || self.within();
        let reaches = || way.rules.absences.iter().map(|absence| absence.reach);
        let longest = reaches()
            .filter_map(|reach| {
                if let Reach::For(span) = reach {
                    Some(span)
                } else {
                    None
                }
            })
            .max();
        if let Some(span) = longest {
            return Due::At(self.last_time().plus(span));
        }
        if reaches().any(|reach| reach == Reach::Between) {
            return end().map_or(Due::Never, Due::At);
        }
        if reaches().any(|reach| reach == Reach::Adjacent) {
            return Due::NextEventOr(end().unwrap_or(Timestamp::MAX));
        }
        Due::AtOnce
    }
}

/// When a way to the end completes.
enum Due {
    AtOnce,
    At(Timestamp),
    NextEventOr(Timestamp),
    Never,
}
