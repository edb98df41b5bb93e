//! A checkpoint looked at from outside: what lives in it, by pattern and step, and what one key has. Reads only, beside an engine that goes on.
//!
//! What a pattern's state means only its automaton knows. Of patterns that are gone or have another structure now, only how much there is can be told.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::flow::{Flow, Names};
use super::plan::{Plan, group_of};
use super::resume::{Change, changes, families};
use super::saving::Entry;
use crate::automaton::{Live, Nfa, State};
use crate::checkpoint::{Error, Folder, Manifest};
use crate::disk::SharedDisk;
use crate::event::codec::put_key;
use crate::event::{Event, Value};
use crate::key::KeyGroup;
use crate::lang::pattern::{PatternId, StepRole};
use crate::store::layout::{PREFIX_BYTES, Table, put_prefix};
use crate::store::{StateStore, sorts};
use crate::wire::{Damaged, Reader};

/// What of a pattern is in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternState {
    /// Its name.
    pub name: String,
    /// What would become of it if the patterns at hand went on from here.
    pub change: Change,
    /// Keys with state.
    pub keys: u64,
    /// Partial matches, or open windows; where overlapping windows share what they hold, stretches of them.
    pub live: u64,
    /// The same by the step bound last, `window` for windows, in the order of the pattern. Empty where only the number is known.
    pub steps: Vec<(String, u64)>,
}

/// What one key has in one pattern.
#[derive(Clone, Debug)]
pub struct KeyState<'a> {
    /// The key, with the digits with which it came first.
    pub key: Vec<Value>,
    /// Oldest first.
    pub live: Vec<Live<'a>>,
    /// Events of the key that wait for the watermark, and that this pattern has not seen: oldest first.
    pub waiting: Vec<Event>,
}

/// A checkpoint, open for reading.
#[derive(Debug)]
pub struct Inspection {
    plan: Arc<Plan>,
    manifest: Manifest,
    /// By shard.
    stores: Vec<Arc<dyn StateStore>>,
    /// Events that wait for the watermark, each once, oldest first.
    waiting: Vec<Event>,
}

/// By pattern, while it is counted.
#[derive(Default)]
struct Count {
    keys: u64,
    live: u64,
    steps: Vec<u64>,
}

impl Inspection {
    /// Opens the stores of a checkpoint.
    ///
    /// # Errors
    /// When they cannot be read, or are damaged.
    pub(crate) fn open(
        plan: Arc<Plan>,
        manifest: Manifest,
        checkpoint: &Path,
        disk: &SharedDisk,
    ) -> Result<Inspection, Error> {
        let shards = 0..manifest.shards.len();
        let stores = shards.map(|shard| {
            let store = Folder::store_path(checkpoint, shard);
            Ok(sorts::read_only(disk, &store)?)
        });
        let stores: Result<_, Error> = stores.collect();
        let waiting = waiting(&plan, &manifest).map_err(|damaged| {
            Error::new(format!(
                "checkpoint \"{}\": its manifest is damaged ({damaged})",
                checkpoint.display()
            ))
        })?;
        Ok(Inspection {
            waiting,
            plan,
            manifest,
            stores: stores?,
        })
    }

    /// What the checkpoint says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Everything that lives, by pattern: those at hand in order of declaration, then those that are gone. Reads the whole state.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn patterns(&self) -> Result<Vec<PatternState>, Error> {
        let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
        let whole = &[][..]..&[0xff; PREFIX_BYTES][..];
        for store in &self.stores {
            store.scan(whole.clone(), &mut |key, value| {
                let counted = self.count(key, value, &mut counts);
                counted.map_err(|damaged| {
                    crate::store::Error::damaged(format!("a stored state is damaged: {damaged}"))
                })
            })?;
        }
        let changes: HashMap<String, Change> =
            changes(&self.manifest.families, &families(&self.plan))
                .into_iter()
                .collect();
        let mut told = Vec::new();
        for (number, pattern) in (0..).zip(&self.plan.program().patterns) {
            let count = counts.remove(&*pattern.name).unwrap_or_default();
            let names = self.steps(PatternId(number));
            let steps = names.into_iter().enumerate();
            let steps = steps.filter(|(_, name)| !name.is_empty());
            let steps = steps.map(|(at, name)| (name, count.steps.get(at).copied().unwrap_or(0)));
            let change = changes.get(&pattern.name).copied();
            let change = change.unwrap_or(Change::New);
            told.push(PatternState {
                name: pattern.name.clone(),
                change,
                keys: count.keys,
                live: count.live,
                steps: steps.filter(|_| change == Change::Kept).collect(),
            });
        }
        let gone = changes
            .iter()
            .filter(|(_, change)| **change == Change::Dropped);
        let mut gone: Vec<&str> = gone.map(|(name, _)| name.as_str()).collect();
        gone.sort_unstable();
        told.extend(gone.into_iter().map(|name| {
            let count = counts.remove(name).unwrap_or_default();
            PatternState {
                name: name.to_owned(),
                change: Change::Dropped,
                keys: count.keys,
                live: count.live,
                steps: Vec::new(),
            }
        }));
        Ok(told)
    }

    /// What a key has in a pattern; `None` if that has no state for it. `parts`: as many as the pattern's key has, of its types.
    ///
    /// # Errors
    /// When the state is damaged, cannot be read, or is not of this pattern's structure.
    pub fn key(&self, pattern: PatternId, parts: &[Value]) -> Result<Option<KeyState<'_>>, Error> {
        let (member, family) = self.member(pattern);
        let name = &self.plan.program().patterns[pattern.0 as usize].name;
        let structure = family.nfa.structure();
        let mut places = Vec::new();
        for (number, stored) in (0..).zip(&self.manifest.families) {
            let patterns = stored.patterns.iter();
            let variant = patterns
                .enumerate()
                .find(|(_, stored)| stored.name == *name);
            match variant {
                None => {}
                Some((variant, found)) if found.structure == structure => {
                    places.push((number, variant));
                }
                Some(_) => {
                    return Err(Error::new(format!(
                        "pattern `{name}` has another structure than its state; look at it with the patterns that wrote it"
                    )));
                }
            }
        }
        let waiting = self.waiting_for(&family.nfa, parts);
        for (number, variant) in places {
            if let Some(found) = self.find(number, variant, parts, member)? {
                return Ok(Some(KeyState { waiting, ..found }));
            }
        }
        Ok((!waiting.is_empty()).then(|| KeyState {
            key: parts.to_vec(),
            live: Vec::new(),
            waiting,
        }))
    }

    /// Events of a key that wait for the watermark.
    fn waiting_for(&self, nfa: &Nfa, parts: &[Value]) -> Vec<Event> {
        let bytes = |parts: &[Value]| {
            let mut bytes = Vec::new();
            put_key(&mut bytes, parts);
            bytes
        };
        let wanted = bytes(parts);
        let of_key = |event: &&Event| {
            let fields = nfa.key_fields(event.ty);
            fields.is_some_and(|fields| {
                let own: Vec<Value> = fields
                    .iter()
                    .map(|field| event.get(*field).clone())
                    .collect();
                !own.iter().any(Value::is_null) && bytes(&own) == wanted
            })
        };
        self.waiting.iter().filter(of_key).cloned().collect()
    }

    /// What a key has in a variant of a stored family, whose states are of this member's structure.
    fn find(
        &self,
        number: u32,
        variant: usize,
        parts: &[Value],
        member: usize,
    ) -> Result<Option<KeyState<'_>>, Error> {
        let family = &self.plan.members()[member].family;
        // Without a key, the group follows from a number that the pattern may have lost since.
        let groups: Vec<KeyGroup> = match parts {
            [] => KeyGroup::all().collect(),
            _ => vec![group_of(parts, family)],
        };
        let keys = groups.into_iter().map(|group| {
            let mut key = Vec::new();
            put_prefix(&mut key, group, Table::State, number);
            put_key(&mut key, parts);
            key
        });
        let keys: Vec<Vec<u8>> = keys.collect();
        let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        for store in &self.stores {
            for (key, value) in keys.iter().zip(store.get_all(&borrowed)?) {
                let Some(value) = value else { continue };
                let read = live(&family.nfa, key, &value, variant);
                let read = read.map_err(|damaged| {
                    Error::new(format!("a stored state is damaged: {damaged}"))
                })?;
                if read.is_some() {
                    return Ok(read);
                }
            }
        }
        Ok(None)
    }

    fn count<'a>(
        &'a self,
        key: &[u8],
        value: &[u8],
        counts: &mut BTreeMap<&'a str, Count>,
    ) -> Result<(), Damaged> {
        let entry = Entry::read(key, value)?;
        let stored = self.manifest.families.get(entry.number as usize);
        let stored = stored.ok_or_else(|| Reader::new(key).damaged("number of a family"))?;
        for (variants, bytes) in &entry.states {
            let mut decoded: Option<(usize, Vec<u64>)> = None;
            for variant in variants {
                let Some(pattern) = stored.patterns.get(*variant) else {
                    return Err(Reader::new(bytes).damaged("variant of the family"));
                };
                let count = counts.entry(&pattern.name).or_default();
                count.keys += 1;
                count.live += Nfa::partials_in(bytes)?;
                let Some(member) = self.kept(&pattern.name, pattern.structure) else {
                    continue;
                };
                if decoded.as_ref().is_none_or(|(of, _)| *of != member) {
                    let nfa = &self.plan.members()[member].family.nfa;
                    decoded = Some((member, by_step(nfa, bytes)?));
                }
                let (_, steps) = decoded.as_ref().expect("decoded just now");
                count.steps.resize(steps.len(), 0);
                for (sum, of_state) in count.steps.iter_mut().zip(steps) {
                    *sum += of_state;
                }
            }
        }
        Ok(())
    }

    /// The member that can read states of this pattern.
    fn kept(&self, name: &str, structure: u64) -> Option<usize> {
        self.plan.members().iter().position(|member| {
            let family = &member.family;
            let mut names = family.variants.iter().map(|variant| {
                let program = self.plan.program();
                &*program.patterns[variant.pattern.0 as usize].name
            });
            family.nfa.structure() == structure && names.any(|own| own == name)
        })
    }

    fn member(&self, pattern: PatternId) -> (usize, &crate::automaton::Family) {
        let mut members = self.plan.members().iter().enumerate();
        let found = members.find_map(|(at, member)| {
            let mut variants = member.family.variants.iter();
            let own = variants.any(|variant| variant.pattern == pattern);
            own.then_some((at, &*member.family))
        });
        found.expect("every pattern has its family")
    }

    /// Names of steps by number, as this pattern calls them; `window` for a window. Steps that bind nothing have none.
    fn steps(&self, pattern: PatternId) -> Vec<String> {
        let (_, family) = self.member(pattern);
        if family.nfa.is_window() {
            return vec!["window".to_owned()];
        }
        let steps = &self.plan.program().patterns[pattern.0 as usize].steps;
        let named = steps.iter().map(|step| match step.role {
            StepRole::Positive => step.name.clone(),
            StepRole::Negated | StepRole::Until => String::new(),
        });
        named.collect()
    }
}

/// How many partial matches a state has by the step bound last.
fn by_step(nfa: &Nfa, bytes: &[u8]) -> Result<Vec<u64>, Damaged> {
    let state = decoded(nfa, bytes)?;
    let mut counts = vec![0; nfa.places().len()];
    state.count_by_step(nfa, &mut counts);
    Ok(counts)
}

fn decoded(nfa: &Nfa, bytes: &[u8]) -> Result<State, Damaged> {
    let mut reader = Reader::new(bytes);
    let state = nfa.decode(&mut reader)?;
    reader.end()?;
    Ok(state)
}

/// What lives in an entry for a variant.
fn live<'a>(
    nfa: &'a Nfa,
    key: &[u8],
    value: &[u8],
    variant: usize,
) -> Result<Option<KeyState<'a>>, Damaged> {
    let entry = Entry::read(key, value)?;
    let mut states = entry.states.iter();
    let Some((_, bytes)) = states.find(|(variants, _)| variants.contains(&variant)) else {
        return Ok(None);
    };
    Ok(Some(KeyState {
        key: entry.key.to_vec(),
        live: nfa.live(&decoded(nfa, bytes)?),
        waiting: Vec::new(),
    }))
}

/// Events of sources that wait for the watermark. Several shards may hold the same one.
fn waiting(plan: &Plan, manifest: &Manifest) -> Result<Vec<Event>, Damaged> {
    let names = Names::new(&manifest.types, &manifest.patterns, plan.program());
    let mut flow = Flow::default();
    for shard in &manifest.shards {
        flow.read(&shard.flow, &names)?;
    }
    let mut events = flow.waiting;
    events.sort_by_key(|event| (event.time, event.position));
    events.dedup_by_key(|event| event.position);
    Ok(events)
}
