//! Conditions that several steps ask, of whichever pattern: each is judged at most once per event, when it is first asked.

use hashbrown::HashMap;

use super::expression::{Compiled, Scope};
use super::looking::Looking;

/// Conditions that are asked more than once, by number.
#[derive(Debug, Default)]
pub(crate) struct SharedConditions(Vec<Compiled>);

/// From how many askers on a comparison with a constant is shared: it costs hardly more than to remember its result.
const PLAIN_FROM: usize = 4;

/// One of the conditions that all must hold for a step.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Asked here alone.
    Own(Compiled),
    /// The shared one with this number.
    Shared(u32),
}

/// What is known of the shared conditions for one event.
pub(crate) struct Memo<'a> {
    shared: &'a [Compiled],
    pub looking: &'a mut Looking,
}

impl SharedConditions {
    /// Takes the conditions that occur often enough out of lists of parts.
    pub(crate) fn take_out<'a>(lists: impl Iterator<Item = &'a mut Vec<Part>>) -> SharedConditions {
        let mut places: HashMap<u64, Vec<(Compiled, Vec<&'a mut Part>)>> = HashMap::new();
        for part in lists.flatten() {
            let Part::Own(condition) = &*part else {
                continue;
            };
            let condition = condition.clone();
            let alike = places.entry(condition.shape_hash()).or_default();
            match alike.iter_mut().find(|(other, _)| other.same(&condition)) {
                Some((_, asked)) => asked.push(part),
                None => alike.push((condition, vec![part])),
            }
        }
        let mut shared = Vec::new();
        for (condition, asked) in places.into_values().flatten() {
            let plain = matches!(condition, Compiled::FieldConst(..));
            if asked.len() < if plain { PLAIN_FROM } else { 2 } {
                continue;
            }
            let number = u32::try_from(shared.len()).expect("fewer than 2^32 conditions");
            for part in asked {
                *part = Part::Shared(number);
            }
            shared.push(condition);
        }
        SharedConditions(shared)
    }

    /// For one event: nothing is known yet.
    pub(crate) fn memo<'a>(&'a self, looking: &'a mut Looking) -> Memo<'a> {
        let words = self.0.len().div_ceil(64);
        if words == 0 {
            return Memo {
                shared: &[],
                looking,
            };
        }
        for bits in [&mut looking.known, &mut looking.holds] {
            bits.clear();
            bits.resize(words, 0);
        }
        Memo {
            shared: &self.0,
            looking,
        }
    }
}

impl Memo<'_> {
    /// True if all parts hold. `scope` is that of the memo's event.
    pub(crate) fn all_hold(&mut self, parts: &[Part], scope: &Scope<'_>) -> bool {
        parts.iter().all(|part| match part {
            Part::Own(condition) => condition.holds(scope),
            Part::Shared(number) => self.holds(*number as usize, scope),
        })
    }

    fn holds(&mut self, number: usize, scope: &Scope<'_>) -> bool {
        let (word, bit) = (number / 64, 1 << (number % 64));
        let Looking { known, holds, .. } = &mut *self.looking;
        if known[word] & bit == 0 {
            known[word] |= bit;
            if self.shared[number].holds(scope) {
                holds[word] |= bit;
            }
        }
        holds[word] & bit != 0
    }
}
