//! What an event says to whom, by itself: judged once, right after it was decoded.
//!
//! A judgement is a list, and with variants sets of bits. Their memory goes round as that of events does: whoever judges keeps what spent judgements were made of, and what is
//! sent to another shard is exchanged for as much.

use std::sync::Arc;

use smallvec::SmallVec;

use super::plan::Plan;
use crate::automaton::{Fits, Interest, Looking};
use crate::event::formats::{Prefilter, Spare};
use crate::event::{Event, EventTypeId, Value};

/// A member that an event bears on, and what its local conditions say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Concern {
    pub member: u32,
    pub fits: Fits,
    pub interest: Interest,
}

/// In the order of members.
pub(crate) type Concerns = SmallVec<[Concern; 1]>;

/// An event with what its judgement said.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub event: Event,
    /// Never empty.
    pub concerns: Concerns,
    /// When it arrived, in microseconds of the run's own clock.
    pub arrived: u64,
}

/// As many lists are kept at most: enough for all that wait in a shard.
const LISTS_MAX: usize = 1 << 16;

/// The memory of spent judgements, for judgements to come.
#[derive(Debug, Default)]
pub(crate) struct Judgements {
    looking: Looking,
    /// Empty, but with memory.
    lists: Vec<Concerns>,
}

impl Judgements {
    /// A list to be filled.
    pub(crate) fn list(&mut self) -> Concerns {
        self.lists.pop().unwrap_or_default()
    }

    /// Takes a concern that another shard made, for as much memory.
    pub(crate) fn exchange(&mut self, made: &mut Concern) -> Concern {
        let fits = match made.fits {
            Fits::One(_) => Fits::default(),
            Fits::Many(_) => self.looking.spent_fits(),
        };
        let spent = Concern {
            fits,
            ..Concern::default()
        };
        std::mem::replace(made, spent)
    }

    /// Keeps what a list is made of.
    pub(crate) fn give(&mut self, mut concerns: Concerns) {
        for concern in concerns.drain(..) {
            self.looking.give(concern.fits);
        }
        if concerns.spilled() && self.lists.len() < LISTS_MAX {
            self.lists.push(concerns);
        }
    }
}

/// Judges events for one shard.
#[derive(Debug)]
pub(crate) struct Judge {
    plan: Arc<Plan>,
    /// Spent ones.
    pub judgements: Judgements,
    /// The list that is filled next. Most events leave it empty.
    concerns: Concerns,
    /// The memory of copies, for copies to come.
    copies: Spare,
    /// So many copies are under way.
    lent: usize,
    /// What events were made of that are nobody's.
    discarded: Vec<Box<[Value]>>,
}

impl Judge {
    pub(crate) fn new(plan: Arc<Plan>) -> Judge {
        Judge {
            plan,
            judgements: Judgements::default(),
            concerns: Concerns::default(),
            copies: Spare::default(),
            lent: 0,
            discarded: Vec::new(),
        }
    }

    /// Which patterns an event bears on; `None` when no pattern can use it.
    #[inline]
    pub(crate) fn judge(&mut self, event: &Event) -> Option<Concerns> {
        let looking = &mut self.judgements.looking;
        self.plan.judge(event, looking, &mut self.concerns);
        if self.concerns.is_empty() {
            return None;
        }
        let next = self.judgements.list();
        Some(std::mem::replace(&mut self.concerns, next))
    }

    /// What may be asked of events of a type before they are judged.
    pub(crate) fn prefilter(&self, ty: EventTypeId) -> Option<Prefilter> {
        self.plan.prefilter(ty)
    }

    /// True if some pattern can use the event.
    pub(crate) fn wants(&mut self, event: &Event) -> bool {
        let concerns = self.judge(event);
        concerns.map(|spent| self.judgements.give(spent)).is_some()
    }

    /// Another event like this one, that concerns nobody yet.
    pub(crate) fn copy(&mut self, judged: &Judged) -> Judged {
        self.lent += 1;
        Judged {
            event: Event {
                values: self.copies.copy(&judged.event.values),
                ..judged.event
            },
            concerns: self.judgements.list(),
            arrived: judged.arrived,
        }
    }

    /// An event that is nobody's.
    pub(crate) fn discard(&mut self, judged: Judged) {
        if let Some(values) = self.give_back(judged) {
            self.discarded.push(values);
        }
    }

    /// What events were made of that are nobody's, since this was asked for last.
    pub(crate) fn discarded(&mut self) -> impl Iterator<Item = Box<[Value]>> + '_ {
        self.discarded.drain(..)
    }

    /// Keeps what a spent event's judgement was made of. Gives back its values, unless they are of use for copies.
    pub(crate) fn give_back(&mut self, judged: Judged) -> Option<Box<[Value]>> {
        self.judgements.give(judged.concerns);
        // Events of streams are made of rows.
        if judged.event.is_derived() {
            return None;
        }
        if self.lent == 0 {
            return Some(judged.event.values);
        }
        self.lent -= 1;
        self.copies.give(judged.event.values);
        None
    }
}
