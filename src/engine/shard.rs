//! One shard: the state of its keys in all patterns, and the streams between them.
//!
//! A [`Shard`] is driven from outside with sorted events and a watermark. It reads no clock and does no I/O. Patterns stand in levels: level 0
//! reads sources alone, the others also what patterns of lower levels emit. With several shards the events of a stream come from all of them, so a level's
//! time passes only up to what all shards promise of the level below; alone, all levels pass at once.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::intake::take_back;
use super::judge::{Judge, Judged};
use super::keyed::{Keyed, Offered, Places};
use super::order::{Moment, Ordered, Rows};
use super::plan::Plan;
use super::room::Room;
use super::{Error, is_over};
use crate::automaton::{Row, Stream, Tables, Tally};
use crate::event::formats::Spare;
use crate::event::{Event, EventTypeId, Position, STREAMS, Value};
use crate::lang::pattern::{PatternId, Program};
use crate::lang::scalar;
use crate::store::{self, Batch, StateStore};
use crate::time::Watermark;

/// One shard of a running program.
#[derive(Debug)]
pub struct Shard {
    plan: Arc<Plan>,
    /// By member of the plan.
    keyed: Vec<Keyed>,
    levels: Vec<Level>,
    /// Of rows that are events to others.
    judge: Judge,
    /// By member: what it is shown of a batch. Empty between calls.
    shown: Vec<Places>,
    advancing: Advancing,
}

/// Memory that calls of [`Shard::advance`] reuse. Holds nothing between them.
#[derive(Debug, Default)]
struct Advancing {
    judged: Vec<Judged>,
    rows: Vec<Ordered>,
    /// Of copies of events.
    spare: Spare,
}

/// A key that may leave memory, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfferedKey {
    member: usize,
    key: Offered,
}

/// The patterns of a level and what waits for them.
#[derive(Debug)]
struct Level {
    members: Range<usize>,
    /// Events of sources in order that this level or a higher one reads, until the streams of the level below have come as far. Empty on level 0.
    held: VecDeque<Judged>,
    /// Events of streams. Empty on level 0.
    inbox: Vec<Derived>,
}

/// An event that a pattern made, with what orders it among events of its time.
#[derive(Clone, Debug)]
pub(crate) struct Derived {
    pub judged: Judged,
    pub origin: Origin,
}

/// The row that became an event: what orders it among events of its time.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub from: PatternId,
    pub moment: Moment,
    pub key: SmallVec<[Value; 1]>,
}

impl Shard {
    /// A shard that owns all keys of a program.
    ///
    /// # Errors
    ///
    /// If a pattern combines to more ways on than an automaton holds.
    pub fn alone(program: Arc<Program>, tables: &Tables) -> Result<Shard, Error> {
        Ok(Shard::new(Arc::new(Plan::new(program, tables)?)))
    }

    /// The same, where partial matches that wait alike go on together as soon as there are two, or where each is kept by itself, whatever its class.
    ///
    /// # Errors
    ///
    /// As of [`Shard::alone`].
    #[cfg(feature = "testing")]
    pub fn alone_sharing(
        program: Arc<Program>,
        tables: &Tables,
        always: bool,
    ) -> Result<Shard, Error> {
        let mut plan = Plan::new(program, tables)?;
        plan.put_together(always);
        Ok(Shard::new(Arc::new(plan)))
    }

    /// A shard without any state.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Shard {
        let keyed = plan
            .members()
            .iter()
            .map(|member| Keyed::new(Arc::clone(&member.family)));
        let level = |level| {
            let starts = |level| {
                plan.members()
                    .partition_point(|member| member.level < level)
            };
            Level {
                members: starts(level)..starts(level + 1),
                held: VecDeque::new(),
                inbox: Vec::new(),
            }
        };
        Shard {
            keyed: keyed.collect(),
            levels: (0..plan.levels()).map(level).collect(),
            shown: vec![Vec::new(); plan.members().len()],
            judge: Judge::new(Arc::clone(&plan)),
            advancing: Advancing::default(),
            plan,
        }
    }

    /// Another shard of the same plan, without any state.
    #[must_use]
    pub fn anew(&self) -> Shard {
        Shard::new(Arc::clone(&self.plan))
    }

    /// The program it runs.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        self.plan.program()
    }

    /// Shows `events` to every pattern and lets time pass up to `watermark`, on a shard that owns all keys. Rows are appended in order.
    ///
    /// `events` are sorted by (time, position); all of them, and none that is still to come, lie before `watermark`. Cost: one
    /// judgement per event, one step per pattern that it concerns, and one sort of the rows.
    pub fn advance(&mut self, events: &[Event], watermark: Watermark, out: &mut Vec<Row>) {
        let mut advancing = std::mem::take(&mut self.advancing);
        let mut judged = advancing.judged;
        judged.extend(events.iter().filter_map(|event| {
            self.judge.judge(event).map(|concerns| Judged {
                event: Event {
                    values: advancing.spare.copy(&event.values),
                    ..*event
                },
                concerns,
                arrived: 0,
            })
        }));
        let mut rows = Rows::gather(&mut advancing.rows);
        let mut judged = self.pass_all(judged, watermark, &mut rows);
        take_back(&mut judged, &mut self.judge, &mut advancing.spare);
        out.extend(advancing.rows.drain(..).map(|ordered| ordered.row));
        self.advancing = Advancing {
            judged,
            ..advancing
        };
    }

    /// Lets all levels pass, on a shard that owns all keys. Rows come in order. Gives back what is spent: see [`pass`](Shard::pass).
    pub(crate) fn pass_all(
        &mut self,
        events: Vec<Judged>,
        watermark: Watermark,
        out: &mut Rows<'_>,
    ) -> Vec<Judged> {
        let first = out.len();
        let mut spent = self.pass(0, events, watermark, out);
        let mut from = first;
        for level in 1..self.levels.len() {
            let upto = out.len();
            for ordered in out.from(from) {
                if let Some(derived) = self.derive(ordered) {
                    self.receive(derived);
                }
            }
            from = upto;
            spent.append(&mut self.pass(level, Vec::new(), watermark, out));
        }
        if self.levels.len() > 1 {
            out.sort(first);
        }
        spent
    }

    /// Takes an event of a stream, for the levels of the patterns that it concerns.
    pub(crate) fn receive(&mut self, derived: Derived) {
        let of = |level: &Level| concerns(&derived.judged, &level.members);
        let mut levels = self.levels.iter_mut().skip(1).filter(|level| of(level));
        let first = levels.next();
        for other in levels {
            other.inbox.push(derived.clone());
        }
        if let Some(first) = first {
            first.inbox.push(derived);
        }
    }

    /// Lets one level's time pass up to `watermark`. Its rows are appended in order.
    ///
    /// `events`: those of sources, on level 0; sorted, and before the watermark. Levels pass in order: no level is ahead of the one below. Gives
    /// back the events of which no level has any further use, so that their memory and the list's be used again.
    pub(crate) fn pass(
        &mut self,
        level: usize,
        events: Vec<Judged>,
        watermark: Watermark,
        out: &mut Rows<'_>,
    ) -> Vec<Judged> {
        debug_assert!(events.windows(2).all(|pair| {
            (pair[0].event.time, pair[0].event.position)
                <= (pair[1].event.time, pair[1].event.position)
        }));
        let mut events = match level {
            0 => events,
            _ => self.levels[level].take(watermark),
        };
        let members = self.levels[level].members.clone();
        for (at, judged) in (0..).zip(&events) {
            for (nth, concern) in (0..).zip(&judged.concerns) {
                if members.contains(&(concern.member as usize)) {
                    self.shown[concern.member as usize].push((at, nth));
                }
            }
        }
        let first = out.len();
        for member in members {
            let mut shown = std::mem::take(&mut self.shown[member]);
            self.keyed[member].advance(&events, &shown, watermark, out);
            shown.clear();
            self.shown[member] = shown;
        }
        out.sort(first);
        if let Some(above) = self.levels.get_mut(level + 1) {
            above.hold(&mut events);
        }
        events
    }

    /// True if all rows are of one family.
    pub(crate) fn is_one_family(&self) -> bool {
        self.keyed.len() == 1
    }

    /// The event that a row is to the patterns that read its stream; `None` if there are none.
    pub(crate) fn derive(&mut self, ordered: &Ordered) -> Option<Derived> {
        let row = &ordered.row;
        let (Stream::Match(ty) | Stream::Timeout(ty)) = row.stream else {
            return None;
        };
        if !self.plan.reads(ty) {
            return None;
        }
        let event = derived(row, ty);
        let concerns = self.judge.judge(&event)?;
        Some(Derived {
            judged: Judged {
                event,
                concerns,
                arrived: ordered.arrived.unwrap_or(0),
            },
            origin: Origin {
                from: row.pattern,
                moment: ordered.moment,
                key: row.key.clone(),
            },
        })
    }

    /// What each pattern did so far, in order of declaration.
    #[must_use]
    pub fn tallies(&self) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.program().patterns.len()];
        for (pattern, tally) in self.keyed.iter().flat_map(Keyed::tallies) {
            tallies[pattern.0 as usize] = tally;
        }
        tallies
    }

    /// How many keys have state, over all patterns.
    pub(crate) fn keys(&self) -> usize {
        self.keyed.iter().map(Keyed::keys).sum()
    }

    /// How many keys have state, and how many partial matches and open windows there are, over all patterns.
    #[must_use]
    pub fn live(&self) -> (usize, usize) {
        self.keyed
            .iter()
            .map(Keyed::live)
            .fold((0, 0), |(keys, partials), (k, p)| (keys + k, partials + p))
    }

    /// Goes on with what is read from the bytes of each state, as after a restart.
    ///
    /// # Panics
    /// If some state is not read as it was written.
    #[cfg(feature = "testing")]
    pub(crate) fn recode(&mut self) {
        self.keyed.iter_mut().for_each(Keyed::recode);
    }

    /// The partial matches of each pattern, in order of declaration, by the name of the step bound last; windows under `window`. What there are none
    /// of is left out. Looks at all state: for reports, not per event.
    pub(crate) fn partials(&self) -> Vec<Vec<(String, u64)>> {
        let mut into = vec![Vec::new(); self.program().patterns.len()];
        for keyed in &self.keyed {
            keyed.partials(&mut into);
        }
        into
    }
}

/// Checkpoints.
impl Shard {
    /// From now on it is noted what changes. In the store, states have the number of their member.
    pub(crate) fn keep(&mut self, store: &Arc<dyn StateStore>, room: &Room) {
        for (number, keyed) in (0..).zip(&mut self.keyed) {
            keyed.keep(number, Arc::clone(store), room.slots_free());
        }
    }

    /// How many keys have their state in memory, over all patterns.
    pub(crate) fn hot(&self) -> usize {
        self.keyed.iter().map(Keyed::hot).sum()
    }

    /// How many states were read from the store.
    pub(crate) fn fetched(&self) -> u64 {
        self.keyed.iter().map(Keyed::fetched).sum()
    }

    /// Offers some keys that were not used of late to leave memory, of each member as many as its share, and appends what is to be written before they are [let
    /// go](Shard::let_go). No epoch is owed anything.
    pub(crate) fn offer(
        &mut self,
        keys_max: usize,
        into: &mut Batch,
        offered: &mut Vec<OfferedKey>,
    ) {
        let hot = self.hot().max(1);
        for (member, keyed) in self.keyed.iter_mut().enumerate() {
            let share = (keys_max * keyed.hot()).div_ceil(hot);
            let share = share.min(keys_max.saturating_sub(offered.len()));
            if share > 0 {
                keyed.offer(share, into, |key| offered.push(OfferedKey { member, key }));
            }
        }
    }

    /// Lets a key go that was offered and that the store has by now, if it was not used since.
    pub(crate) fn let_go(&mut self, offered: OfferedKey) {
        self.keyed[offered.member].let_go(offered.key);
    }

    /// Up to where time may pass, so that not too many states come into memory at once.
    pub(crate) fn reach(&self, upto: Watermark) -> Watermark {
        let reached = self.keyed.iter().map(|keyed| keyed.reach(upto));
        reached.min().unwrap_or(upto)
    }

    /// Why the store could not be read; what was made since is of no use.
    pub(crate) fn take_failure(&mut self) -> Option<store::Error> {
        self.keyed.iter_mut().find_map(Keyed::take_failure)
    }

    /// By member: its keys' states and more.
    pub(crate) fn members(&mut self) -> &mut [Keyed] {
        &mut self.keyed
    }

    /// An epoch ends here. Appends what it is to remove; what it is to save comes from [`Shard::save_some`].
    pub(crate) fn end_epoch(&mut self, into: &mut Batch) {
        for keyed in &mut self.keyed {
            keyed.end_epoch(into);
        }
    }

    /// Saves some of the keys of the open epoch as they were at its end; true once those are all.
    pub(crate) fn save_some(&mut self, keys_max: usize, into: &mut Batch) -> bool {
        let mut all = true;
        for keyed in &mut self.keyed {
            let left = keys_max.saturating_sub(into.len());
            all &= left > 0 && keyed.save_some(left, into);
        }
        all
    }

    /// Events of streams that wait for time to pass. Those of sources have passed all levels when an epoch ends.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Derived> {
        debug_assert!(self.levels.iter().all(|level| level.held.is_empty()));
        self.levels.iter().flat_map(|level| &level.inbox)
    }

    /// By member: more than the number of any event seen.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.keyed.iter().map(Keyed::number).collect()
    }
}

impl Level {
    /// Keeps those events of sources that have passed the level below and concern this one or a higher one.
    fn hold(&mut self, events: &mut Vec<Judged>) {
        let onward = |judged: &mut Judged| {
            let last = judged
                .concerns
                .last()
                .map(|concern| concern.member as usize);
            last >= Some(self.members.start) && !judged.event.is_derived()
        };
        self.held.extend(events.extract_if(.., onward));
    }

    /// Takes what lies before the watermark, in order: at equal times events of sources, then those of streams by their order as rows.
    fn take(&mut self, watermark: Watermark) -> Vec<Judged> {
        // Stable: rows of one key stay in the order of its matches.
        self.inbox.sort_by(|a, b| {
            (a.judged.event.time, a.origin.from, a.origin.moment)
                .cmp(&(b.judged.event.time, b.origin.from, b.origin.moment))
                .then_with(|| scalar::total_order_of(&a.origin.key, &b.origin.key))
        });
        let over = self
            .inbox
            .partition_point(|derived| is_over(derived.judged.event.time, watermark));
        let mut taken = Vec::new();
        for derived in self.inbox.drain(..over) {
            let until = derived.judged.event.time;
            while let Some(judged) = self.held.pop_front_if(|held| held.event.time <= until) {
                taken.push(judged);
            }
            taken.push(derived.judged);
        }
        while let Some(judged) = self
            .held
            .pop_front_if(|held| is_over(held.event.time, watermark))
        {
            taken.push(judged);
        }
        taken
    }
}

fn concerns(judged: &Judged, members: &Range<usize>) -> bool {
    let mut concerns = judged.concerns.iter();
    concerns.any(|concern| members.contains(&(concern.member as usize)))
}

fn derived(row: &Row, ty: EventTypeId) -> Event {
    // Streams come after all sources; the match id is the same however the input was cut into batches.
    let position = Position {
        source: STREAMS,
        partition: row.pattern.0,
        offset: row.match_id,
    };
    Event {
        ty,
        time: row.at,
        position,
        values: row.values.clone(),
    }
}
