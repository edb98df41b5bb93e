//! Memory for looking at one event after the other, and what looking says of variants.

use super::expression::StepMask;
use super::family::Fits;
use super::state::Interest;
use super::variants::Variants;

/// As many are kept at most: enough for all events that wait in a shard.
const FITTINGS_MAX: usize = 1 << 16;

/// What is reused from event to event. Nothing in it is of concern but while one is looked at.
#[derive(Debug, Default)]
pub(crate) struct Looking {
    /// A bit per shared condition.
    pub known: Vec<u64>,
    pub holds: Vec<u64>,
    /// Members that may be concerned.
    pub found: Vec<u32>,
    pub holding: Variants,
    pub through: Variants,
    pub shared: Variants,
    #[expect(clippy::vec_box, reason = "boxes are what is handed out")]
    fittings: Vec<Box<Fittings>>,
}

impl Looking {
    /// Sets to be filled; none of them counts.
    pub(crate) fn fittings(&mut self) -> Box<Fittings> {
        self.fittings.pop().unwrap_or_default()
    }

    /// Keeps sets for their memory.
    pub(crate) fn keep(&mut self, mut fittings: Box<Fittings>) {
        if self.fittings.len() < FITTINGS_MAX {
            fittings.clear();
            self.fittings.push(fittings);
        }
    }

    /// Keeps what is of use of what was said of a spent event.
    pub(crate) fn give(&mut self, fits: Fits) {
        if let Fits::Many(fittings) = fits {
            self.keep(fittings);
        }
    }

    /// What was said of a spent event: with memory, if any is kept.
    pub(crate) fn spent_fits(&mut self) -> Fits {
        match self.fittings.pop() {
            Some(fittings) => Fits::Many(fittings),
            None => Fits::default(),
        }
    }
}

/// What an event is to some variants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fitting {
    pub variants: Variants,
    pub fits: StepMask,
    pub interest: Interest,
}

/// Sets of variants, of which none is empty; no variant is in two.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fittings {
    /// Those that count come first; the rest is memory.
    all: Vec<Fitting>,
    count: usize,
}

impl PartialEq for Fittings {
    fn eq(&self, other: &Fittings) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Fittings {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Fitting> {
        self.all[..self.count].iter()
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get_mut(&mut self, at: usize) -> &mut Fitting {
        &mut self.all[..self.count][at]
    }

    fn clear(&mut self) {
        self.count = 0;
    }

    pub(super) fn push(&mut self, variants: &Variants, fits: StepMask) {
        match self.all.get_mut(self.count) {
            Some(spent) => {
                spent.variants.clone_from(variants);
                spent.fits = fits;
            }
            None => self.all.push(Fitting {
                variants: variants.clone(),
                fits,
                interest: Interest::None,
            }),
        }
        self.count += 1;
    }

    /// Says what the event is to each set, and lets go of those to which it is nothing; tells the greatest interest.
    pub(super) fn settle(&mut self, interest_of: impl Fn(StepMask) -> Interest) -> Interest {
        let mut kept = 0;
        let mut greatest = Interest::None;
        for at in 0..self.count {
            let interest = interest_of(self.all[at].fits);
            if interest != Interest::None {
                self.all[at].interest = interest;
                greatest = greatest.max(interest);
                self.all.swap(kept, at);
                kept += 1;
            }
        }
        self.count = kept;
        greatest
    }
}
