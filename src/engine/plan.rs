//! What all shards share and nothing changes: the automata, and which of them an event concerns.
//!
//! An event is judged once, right after it was decoded, by every condition that reads only the event ([`Judge`]). What no pattern can use ends
//! there. The rest travels with the result, to the shards that own the keys it bears on ([`Plan::route`]).
//!
//! Many patterns cost little where they are alike and where they do not care. Patterns that differ in thresholds and names alone are one member of the plan, a
//! family: judged together, with one state for all that fare alike. And what a member asks of every event of a type, such as `kind == "x"`, leads
//! events to it, so that a member of no concern is not even looked at.

use std::sync::Arc;

use super::Error;
use super::directory::{hash_key, hash_parts};
use super::judge::{Concern, Concerns, Judge, Judged};
use crate::automaton::{Family, Interest, Looking, Nfa, Readers, SharedConditions, Tables};
use crate::event::formats::{self, Prefilter};
use crate::event::{Event, EventTypeId, FieldId, Value};
use crate::key::{KeyGroup, ShardId, Shards};
use crate::lang::pattern::{PatternId, Program};
use crate::lang::scalar::StableHasher;
use std::hash::Hasher as _;

/// The automata of a program and what leads events to them. Shared by all shards.
#[derive(Debug)]
pub struct Plan {
    program: Arc<Program>,
    /// By level, and within one in an order in which each stands after those whose streams it reads.
    members: Vec<Member>,
    /// By event type: the members that read it.
    readers: Vec<Readers>,
    /// What several steps ask.
    shared: SharedConditions,
    levels: usize,
}

/// A family of the plan.
#[derive(Debug)]
pub(crate) struct Member {
    pub family: Arc<Family>,
    /// 0 when it reads sources alone, else one more than the highest level whose streams it reads.
    pub level: usize,
}

/// So many ways of being of use are asked for at most before an event's values are read.
const WAYS_MAX: usize = 16;

impl Plan {
    /// Builds the automata of a program.
    ///
    /// # Errors
    ///
    /// If a pattern combines to more ways on than an automaton holds.
    pub fn new(program: Arc<Program>, tables: &Tables) -> Result<Plan, Error> {
        let mut level_of_stream = vec![0; program.schema.types.len()];
        let mut automata: Vec<Vec<Nfa>> = Vec::new();
        for &id in &program.order {
            let pattern = &program.patterns[id.0 as usize];
            let nfa = Nfa::new(&program, id, tables).map_err(|cause| Error {
                pattern: pattern.name.clone(),
                cause,
            })?;
            let level = pattern
                .inputs
                .iter()
                .map(|input| level_of_stream[usize::from(input.ty.0)])
                .max()
                .unwrap_or(0);
            let emitted = pattern.emits.iter().map(|emit| emit.stream);
            for stream in emitted.chain(pattern.timeout.iter().map(|timeout| timeout.stream)) {
                let of_stream = &mut level_of_stream[usize::from(stream.0)];
                *of_stream = (level + 1).max(*of_stream);
            }
            if automata.len() <= level {
                automata.resize_with(level + 1, Vec::new);
            }
            automata[level].push(nfa);
        }
        // Variants read the same types, so they stand in one level.
        let families = automata.into_iter().enumerate().flat_map(|(level, nfas)| {
            let families = Family::gather(nfas).into_iter();
            families.map(move |family| (family, level))
        });
        let mut families: Vec<(Family, usize)> = families.collect();
        let parts = families.iter_mut().flat_map(|(family, _)| family.parts());
        let shared = SharedConditions::take_out(parts);
        let members = families.into_iter().map(|(family, level)| Member {
            family: Arc::new(family),
            level,
        });
        let members: Vec<Member> = members.collect();
        let readers = (0..).map(EventTypeId).take(program.schema.types.len());
        let readers = readers.map(|ty| {
            let reading = (0..).zip(&members).filter_map(|(at, member)| {
                let family = &member.family;
                family.nfa.key_fields(ty)?;
                Some((at, family.guard(ty)))
            });
            Readers::new(&reading.collect::<Vec<_>>())
        });
        let readers = readers.collect();
        let levels = members.last().map_or(1, |member| member.level + 1);
        Ok(Plan {
            program,
            members,
            readers,
            shared,
            levels,
        })
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The automaton that a pattern runs on; that of its family, whose conditions may be other ones.
    ///
    /// # Panics
    /// When the program has no such pattern.
    #[must_use]
    pub fn automaton(&self, pattern: PatternId) -> &Nfa {
        let mut members = self.members.iter();
        let own = |member: &&Member| {
            let mut variants = member.family.variants.iter();
            variants.any(|variant| variant.pattern == pattern)
        };
        &members
            .find(own)
            .expect("every pattern has its family")
            .family
            .nfa
    }

    /// A hash of everything that a pattern says; with another one its matches have other ids.
    ///
    /// # Panics
    /// When the program has no such pattern.
    #[must_use]
    pub fn fingerprint(&self, pattern: PatternId) -> u64 {
        let variants = self
            .members
            .iter()
            .flat_map(|member| &member.family.variants);
        let mut variants = variants.filter(|variant| variant.pattern == pattern);
        variants
            .next()
            .expect("every pattern has its family")
            .fingerprint
    }

    /// Lets partial matches go on together as soon as two wait alike, where they can, or keeps each by itself.
    #[cfg(feature = "testing")]
    pub(crate) fn put_together(&mut self, always: bool) {
        for member in &mut self.members {
            let nfa = &mut Arc::make_mut(&mut member.family).nfa;
            match always {
                true => nfa.put_together(),
                false => nfa.tell_apart(),
            }
        }
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many times rows become events of other patterns, and one more.
    pub(crate) fn levels(&self) -> usize {
        self.levels
    }

    /// What an event of this type must satisfy for any pattern to use it; `None` if any may be of use, or it would take long to ask.
    pub(crate) fn prefilter(&self, ty: EventTypeId) -> Option<Prefilter> {
        let mut ways: Vec<Vec<formats::Ask>> = Vec::new();
        for member in &self.members {
            let family = &member.family;
            if family.nfa.key_fields(ty).is_none() {
                continue;
            }
            for guard in family.guards(ty)? {
                let asks = guard.beforehand();
                if !ways.contains(&asks) {
                    ways.push(asks);
                }
            }
        }
        (ways.len() <= WAYS_MAX).then_some(Prefilter(ways))
    }

    /// True if some pattern reads events of this type.
    pub(crate) fn reads(&self, ty: EventTypeId) -> bool {
        !self.readers[usize::from(ty.0)].is_empty()
    }

    /// Judges an event by itself: the members that it bears on go into an empty list.
    pub(super) fn judge(&self, event: &Event, looking: &mut Looking, into: &mut Concerns) {
        let mut found = std::mem::take(&mut looking.found);
        let mut memo = self.shared.memo(looking);
        self.readers[usize::from(event.ty.0)].of(event, &mut found, |member| {
            let (fits, interest) = self.members[member as usize].family.look(event, &mut memo);
            if interest != Interest::None {
                into.push(Concern {
                    member,
                    fits,
                    interest,
                });
            }
        });
        looking.found = found;
    }

    /// Hands an event to each shard that owns a key on which it bears, with the concerns that are that shard's.
    pub(crate) fn route(
        &self,
        judged: Judged,
        shards: Shards,
        judge: &mut Judge,
        mut to: impl FnMut(ShardId, Judged),
    ) {
        if shards == Shards::ONE {
            return to(ShardId(0), judged);
        }
        let mut rest = judged;
        loop {
            let owner_of = |concern| self.owner(&rest.event, concern, shards);
            let owner = rest.concerns.first().and_then(owner_of);
            // Nearly always all concerns go the same way.
            let mut concerns = rest.concerns.iter();
            let next = match concerns.all(|concern| owner_of(concern) == owner) {
                true => None,
                false => {
                    let mut next = judge.copy(&rest);
                    rest.concerns.retain(|concern| {
                        let stays = self.owner(&next.event, concern, shards) == owner;
                        if !stays {
                            next.concerns.push(std::mem::take(concern));
                        }
                        stays
                    });
                    Some(next)
                }
            };
            match owner {
                Some(owner) => to(owner, rest),
                // An event whose key has a null part belongs to no key.
                None => judge.discard(rest),
            }
            match next {
                Some(next) => rest = next,
                None => return,
            }
        }
    }

    fn owner(&self, event: &Event, concern: &Concern, shards: Shards) -> Option<ShardId> {
        let family = &self.members[concern.member as usize].family;
        let fields = family.nfa.key_fields(event.ty)?;
        let group = KeyGroup::of(key_hash(event, fields, family.variants[0].pattern)?);
        Some(shards.owner(group))
    }
}

/// The stable hash of an event's key.
fn key_hash(event: &Event, fields: &[FieldId], pattern: PatternId) -> Option<u64> {
    hash_key(event, fields, key_hasher(fields.len(), pattern))
}

/// The group of a key in a family.
pub(super) fn group_of(key: &[Value], family: &Family) -> KeyGroup {
    let hasher = key_hasher(key.len(), family.variants[0].pattern);
    KeyGroup::of(hash_parts(key, hasher))
}

/// What hashes a key of so many parts. Families without a key are spread by the number of their first pattern.
fn key_hasher(parts: usize, pattern: PatternId) -> StableHasher {
    let mut hasher = StableHasher::default();
    if parts == 0 {
        hasher.write_u32(pattern.0);
    }
    hasher
}

#[cfg(test)]
mod tests;
