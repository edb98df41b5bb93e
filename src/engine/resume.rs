//! Going on from a checkpoint: what it means for this program, and what each shard takes over.
//!
//! States are addressed by the names of their patterns. When nothing has changed, a shard's store is that of the checkpoint, by hard links. When patterns or the number of
//! shards have changed, states are dealt anew to new stores; their bytes stay as they are. Events under way are judged and routed as if they had just been read.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::flow::{self, Flow, Names};
use super::holding::StoredStates;
use super::judge::{Judge, Judged};
use super::keyed::Keyed;
use super::order::Ordered;
use super::plan::{Plan, group_of};
use super::reorder::Reorder;
use super::room::Room;
use super::saving::Entry;
use super::shard::{Derived, Shard};
use crate::checkpoint::{Error, Folder, Manifest, StoredFamily, StoredPattern};
use crate::event::codec;
use crate::key::Shards;
use crate::store::files::{Depth, FileEntry, verify};
use crate::store::layout::{PREFIX_BYTES, Table, put_prefix};
use crate::store::{Batch, StateStore, Stores};
use crate::time::{Timestamp, Watermark};
use crate::wire::{Damaged, Reader, put_bytes, put_uint};

/// How many changes a rewritten store is given at once.
const BATCH_CHANGES: usize = 4_096;

/// What becomes of a pattern's state when a run goes on with other patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It goes on.
    Kept,
    /// Its structure has changed: it begins without state.
    Restarted,
    /// The pattern is gone, and its state with it.
    Dropped,
    /// The pattern is new.
    New,
}

/// A store that goes on, and the files it shares with a checkpoint.
type Live = (Arc<dyn StateStore>, Vec<FileEntry>);

/// What to do with patterns that have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum OnChange {
    /// Keep what can be kept; say what cannot.
    #[default]
    Keep,
    /// All patterns begin without state; sources go on where they were.
    Restart,
    /// Do not start when a state would be lost.
    Refuse,
}

/// What this shard takes over from an earlier process.
pub(crate) struct Resumed {
    /// Up to where time had passed.
    pub floor: Watermark,
    /// Where partitions stood.
    pub notes: Arc<Vec<(u16, u32, Vec<u8>)>>,
    pub names: Arc<Names>,
    pub waiting: Vec<Judged>,
    pub derived: Vec<Derived>,
    /// By member: more than the number of any event seen.
    pub numbers: Arc<Vec<u64>>,
    /// Holds the states of this shard's keys, by number of the member.
    pub store: Arc<dyn StateStore>,
    /// Files of the checkpoint that the store shares.
    pub files: Vec<FileEntry>,
}

impl Resumed {
    /// Puts everything in its place.
    ///
    /// # Errors
    /// When the store is damaged.
    pub(crate) fn fill(
        self,
        shard: &mut Shard,
        reorder: &mut Reorder,
        room: &Room,
    ) -> Result<(), Error> {
        for judged in self.waiting {
            reorder.push(judged);
        }
        for derived in self.derived {
            shard.receive(derived);
        }
        let members = shard.members();
        for (keyed, number) in members.iter_mut().zip(self.numbers.iter()) {
            keyed.set_number(*number);
        }
        let mut seen = 0;
        let whole = &[][..]..&[0xff; PREFIX_BYTES][..];
        self.store.scan(whole, &mut |key, value| {
            let hot = members.iter().map(Keyed::hot).sum();
            let leave = room.has_no_more(hot, seen);
            seen += 1;
            let taken = take_over(members, key, value, leave);
            taken.map_err(|damaged| {
                crate::store::Error::damaged(format!("a stored state is damaged: {damaged}"))
            })
        })?;
        tracing::info!(states = seen, "states are taken over");
        Ok(())
    }
}

fn take_over(members: &mut [Keyed], key: &[u8], value: &[u8], leave: bool) -> Result<(), Damaged> {
    let entry = Entry::read(key, value)?;
    let member = members.get_mut(entry.number as usize);
    let member = member.ok_or_else(|| Reader::new(key).damaged("number of a family"))?;
    member.take_over(&entry, leave)
}

/// Whose the states of a plan are: member by member.
pub(crate) fn families(plan: &Plan) -> Vec<StoredFamily> {
    let members = plan.members().iter().map(|member| {
        let structure = member.family.nfa.structure();
        let names = member.family.variants.iter().map(|variant| {
            let pattern = &plan.program().patterns[variant.pattern.0 as usize];
            StoredPattern {
                name: pattern.name.clone(),
                structure,
            }
        });
        StoredFamily {
            patterns: names.collect(),
            number: 0,
        }
    });
    members.collect()
}

/// What becomes of the state of each pattern, by name.
pub(crate) fn changes(stored: &[StoredFamily], now: &[StoredFamily]) -> Vec<(String, Change)> {
    let flat = |families: &[StoredFamily]| {
        let patterns = families.iter().flat_map(|family| family.patterns.clone());
        patterns.collect::<Vec<StoredPattern>>()
    };
    let (stored, now) = (flat(stored), flat(now));
    let mut changes = Vec::new();
    for before in &stored {
        let change = match now.iter().find(|pattern| pattern.name == before.name) {
            Some(after) if after.structure == before.structure => Change::Kept,
            Some(_) => Change::Restarted,
            None => Change::Dropped,
        };
        changes.push((before.name.clone(), change));
    }
    for after in &now {
        if !stored.iter().any(|before| before.name == after.name) {
            changes.push((after.name.clone(), Change::New));
        }
    }
    changes.sort_by(|(a, _), (b, _)| a.cmp(b));
    changes
}

/// What becomes of the state of each pattern, by name, when a run goes on with another plan.
#[must_use]
pub fn pattern_changes(old: &Plan, new: &Plan) -> Vec<(String, Change)> {
    changes(&families(old), &families(new))
}

/// A checkpoint, ready to be gone on from.
pub(crate) struct Resumption {
    /// By shard.
    pub shards: Vec<Resumed>,
    /// Rows that had not left.
    pub rows: Vec<Ordered>,
}

/// Whom a checkpoint is read for.
pub(crate) struct Reading<'a> {
    pub plan: &'a Arc<Plan>,
    pub shards: Shards,
    /// Names of the run's sources, by number.
    pub sources: &'a [String],
    pub stores: &'a dyn Stores,
    pub folder: &'a Folder,
    pub on_change: OnChange,
}

impl Reading<'_> {
    /// Makes live stores from a checkpoint, and deals what was under way.
    ///
    /// # Errors
    /// When the checkpoint is damaged, or changed patterns are refused.
    pub(crate) fn resume(&self, manifest: &Manifest, path: &Path) -> Result<Resumption, Error> {
        for (number, shard) in manifest.shards.iter().enumerate() {
            let store = Folder::store_path(path, number);
            verify(&**self.folder.disk(), &store, &shard.files, Depth::Bytes)?;
        }
        tracing::debug!("a checkpoint is whole");
        let damaged = |damaged: Damaged| {
            Error::new(format!(
                "checkpoint \"{}\": its manifest is damaged ({damaged})",
                path.display()
            ))
        };
        let program = self.plan.program();
        let names = Names::new(&manifest.types, &manifest.patterns, program);
        let mut flow = Flow::default();
        for shard in &manifest.shards {
            flow.read(&shard.flow, &names).map_err(damaged)?;
        }
        let rows = flow::rows(&manifest.rows, &names).map_err(damaged)?;
        let stores = self.live_stores(manifest, path)?;
        tracing::debug!("stores are open");
        let numbers = Arc::new(self.numbers(manifest));
        let notes = Arc::new(self.notes(manifest));
        let names = Arc::new(names);
        // At the end of all input everything was decided. What is read now begins anew.
        let floor = match Watermark(Timestamp(manifest.watermark_ms)) {
            Watermark::FINAL => Watermark::NONE,
            floor => floor,
        };
        let mut shards: Vec<Resumed> = stores
            .into_iter()
            .map(|(store, files)| Resumed {
                floor,
                notes: Arc::clone(&notes),
                names: Arc::clone(&names),
                waiting: Vec::new(),
                derived: Vec::new(),
                numbers: Arc::clone(&numbers),
                store,
                files,
            })
            .collect();
        self.deal(flow, &mut shards);
        Ok(Resumption { shards, rows })
    }

    /// Judges events again, and gives each to the shards that own its keys. Several shards may have held the same one.
    fn deal(&self, flow: Flow, shards: &mut [Resumed]) {
        let mut judge = Judge::new(Arc::clone(self.plan));
        let judged = |event, judge: &mut Judge| {
            judge.judge(&event).map(|concerns| Judged {
                event,
                concerns,
                arrived: 0,
            })
        };
        let mut seen = BTreeSet::new();
        let waiting = flow.waiting.into_iter();
        for event in waiting.filter(|event| seen.insert(event.position)) {
            let Some(judged) = judged(event, &mut judge) else {
                continue;
            };
            self.plan
                .route(judged, self.shards, &mut judge, |to, judged| {
                    shards[usize::from(to.0)].waiting.push(judged);
                });
        }
        let mut seen = BTreeSet::new();
        for (event, origin) in flow.derived {
            if !seen.insert((event.time, event.position)) {
                continue;
            }
            let Some(judged) = judged(event, &mut judge) else {
                continue;
            };
            self.plan
                .route(judged, self.shards, &mut judge, |to, judged| {
                    shards[usize::from(to.0)].derived.push(Derived {
                        judged,
                        origin: origin.clone(),
                    });
                });
        }
    }

    fn notes(&self, manifest: &Manifest) -> Vec<(u16, u32, Vec<u8>)> {
        let mut notes = Vec::new();
        for (number, name) in (0..).zip(self.sources) {
            let stored = manifest.sources.iter().find(|source| source.name == *name);
            for partition in stored.iter().flat_map(|source| &source.partitions) {
                notes.push((number, partition.number, partition.time.clone()));
            }
        }
        notes
    }

    /// By member: more than the number of any event that states which it takes over have seen.
    fn numbers(&self, manifest: &Manifest) -> Vec<u64> {
        let now = families(self.plan);
        let of = |family: &StoredFamily| {
            let shares = |stored: &&StoredFamily| {
                let mut patterns = stored.patterns.iter();
                patterns.any(|pattern| family.patterns.iter().any(|own| own.name == pattern.name))
            };
            let stored = manifest.families.iter().filter(shares);
            stored.map(|stored| stored.number).max().unwrap_or(0)
        };
        now.iter().map(of).collect()
    }

    fn live_stores(&self, manifest: &Manifest, path: &Path) -> Result<Vec<Live>, Error> {
        let now = families(self.plan);
        let alike = |(a, b): (&StoredFamily, &StoredFamily)| a.patterns == b.patterns;
        let same = self.on_change != OnChange::Restart
            && manifest.shards.len() == usize::from(self.shards.count())
            && manifest.families.len() == now.len()
            && manifest.families.iter().zip(&now).all(alike)
            && manifest.patterns == pattern_names(self.plan);
        let shards = 0..usize::from(self.shards.count());
        if same {
            let stores = shards.map(|shard| {
                let from = Folder::store_path(path, shard);
                let store = self.stores.restore(&from, &self.folder.live_path(shard))?;
                Ok((store, manifest.shards[shard].files.clone()))
            });
            return stores.collect();
        }
        let stores = shards.map(|shard| self.stores.create(&self.folder.live_path(shard)));
        let stores: Vec<Arc<dyn StateStore>> = stores.collect::<Result<_, _>>()?;
        if self.on_change != OnChange::Restart {
            let mut dealer = Dealer::new(self, &manifest.families, &now, &stores);
            for shard in 0..manifest.shards.len() {
                let from = self.stores.read(&Folder::store_path(path, shard))?;
                dealer.deal(&*from)?;
            }
            dealer.finish()?;
        }
        Ok(stores
            .into_iter()
            .map(|store| (store, Vec::new()))
            .collect())
    }

    /// Says what becomes of states.
    ///
    /// # Errors
    /// When one would be lost, and that is refused.
    pub(crate) fn agree(&self, manifest: &Manifest) -> Result<(), Error> {
        let changes = changes(&manifest.families, &families(self.plan));
        let lost =
            |(_, change): &&(String, Change)| matches!(change, Change::Restarted | Change::Dropped);
        if self.on_change == OnChange::Refuse
            && let Some((name, change)) = changes.iter().find(lost)
        {
            let why = match change {
                Change::Restarted => "has another structure than its state",
                _ => "is gone and has state",
            };
            return Err(Error::new(format!(
                "pattern `{name}` {why}; its partial matches would be lost; give it back its form, or say --on-change keep"
            )));
        }
        for (name, change) in &changes {
            match change {
                Change::Kept if self.on_change == OnChange::Restart => {
                    tracing::warn!(pattern = %name, "begins without state, as it was told");
                }
                Change::Kept => tracing::info!(pattern = %name, "goes on with its state"),
                Change::New => tracing::info!(pattern = %name, "is new and begins without state"),
                Change::Restarted => tracing::warn!(
                    pattern = %name,
                    "its structure has changed: it begins without state, and its partial matches are lost"
                ),
                Change::Dropped => {
                    tracing::warn!(pattern = %name, "is gone, and its partial matches with it");
                }
            }
        }
        Ok(())
    }
}

/// Names of all patterns, by number.
pub(crate) fn pattern_names(plan: &Plan) -> Vec<String> {
    let patterns = plan.program().patterns.iter();
    patterns.map(|pattern| pattern.name.clone()).collect()
}

/// States of one key that come from several families.
type Merging = HashMap<(usize, Vec<u8>), (Vec<u8>, Vec<(Vec<usize>, Vec<u8>)>)>;

/// Deals states to new stores.
struct Dealer<'a> {
    plan: &'a Plan,
    shards: Shards,
    /// By stored family and variant: member and variant now.
    to: Vec<Vec<Option<(usize, usize)>>>,
    /// By member: its states come from several families.
    merges: Vec<bool>,
    merging: Merging,
    stores: &'a [Arc<dyn StateStore>],
    batches: Vec<Batch>,
    key: Vec<u8>,
}

impl<'a> Dealer<'a> {
    fn new(
        reading: &Reading<'a>,
        stored: &[StoredFamily],
        now: &[StoredFamily],
        stores: &'a [Arc<dyn StateStore>],
    ) -> Dealer<'a> {
        let place = |pattern: &StoredPattern| {
            let mut families = now.iter().enumerate();
            families.find_map(|(member, family)| {
                let variant = family.patterns.iter().position(|own| own == pattern)?;
                Some((member, variant))
            })
        };
        let to: Vec<Vec<Option<(usize, usize)>>> = stored
            .iter()
            .map(|family| family.patterns.iter().map(place).collect())
            .collect();
        let merges = (0..now.len()).map(|member| {
            let comes = |family: &&Vec<Option<(usize, usize)>>| {
                let mut places = family.iter().flatten();
                places.any(|(to, _)| *to == member)
            };
            to.iter().filter(comes).count() > 1
        });
        Dealer {
            plan: reading.plan,
            shards: reading.shards,
            merges: merges.collect(),
            merging: HashMap::new(),
            batches: vec![Batch::default(); stores.len()],
            stores,
            key: Vec::new(),
            to,
        }
    }

    fn deal(&mut self, from: &dyn StateStore) -> Result<(), Error> {
        let whole = &[][..]..&[0xff; PREFIX_BYTES][..];
        from.scan(whole, &mut |key, value| {
            let entry = Entry::read(key, value).map_err(|damaged| {
                crate::store::Error::damaged(format!("a stored state is damaged: {damaged}"))
            })?;
            self.entry(&entry)
        })?;
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), crate::store::Error> {
        let Some(to) = self.to.get(entry.number as usize) else {
            return Ok(());
        };
        // By member: which states it takes over, and for which of its variants.
        let mut taken: HashMap<usize, StoredStates<'_>> = HashMap::new();
        for (variants, bytes) in &entry.states {
            let mut of_state: HashMap<usize, Vec<usize>> = HashMap::new();
            for variant in variants {
                if let Some(Some((member, now))) = to.get(*variant) {
                    of_state.entry(*member).or_default().push(*now);
                }
            }
            for (member, mut variants) in of_state {
                variants.sort_unstable();
                taken.entry(member).or_default().push((variants, bytes));
            }
        }
        for (member, states) in taken {
            if self.merges[member] {
                let owned = states
                    .into_iter()
                    .map(|(variants, bytes)| (variants, bytes.to_vec()));
                let slot = (member, entry.key_bytes.to_vec());
                let merged = self.merging.entry(slot);
                let (_, all) = merged.or_insert_with(|| (entry.head.to_vec(), Vec::new()));
                all.extend(owned);
            } else {
                self.put(member, entry.key_bytes, entry.head, &states)?;
            }
        }
        Ok(())
    }

    fn put(
        &mut self,
        member: usize,
        key_bytes: &[u8],
        head: &[u8],
        states: &StoredStates<'_>,
    ) -> Result<(), crate::store::Error> {
        let family = &self.plan.members()[member].family;
        let parts = codec::key(&mut Reader::new(key_bytes));
        let parts = parts.map_err(|damaged| {
            crate::store::Error::damaged(format!("a stored key is damaged: {damaged}"))
        })?;
        let group = group_of(&parts, family);
        let shard = usize::from(self.shards.owner(group).0);
        self.key.clear();
        let number = u32::try_from(member).expect("members have numbers of 32 bits");
        put_prefix(&mut self.key, group, Table::State, number);
        self.key.extend_from_slice(key_bytes);
        let batch = &mut self.batches[shard];
        batch.put(&self.key, |out| {
            out.extend_from_slice(head);
            put_uint(out, states.len() as u64);
            for (variants, bytes) in states {
                put_uint(out, variants.len() as u64);
                for variant in variants {
                    put_uint(out, *variant as u64);
                }
                put_bytes(out, bytes);
            }
        });
        if batch.len() >= BATCH_CHANGES {
            self.stores[shard].write(batch)?;
            batch.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        for ((member, key_bytes), (head, states)) in std::mem::take(&mut self.merging) {
            let states: StoredStates<'_> = states
                .iter()
                .map(|(variants, bytes)| (variants.clone(), &bytes[..]))
                .collect();
            self.put(member, &key_bytes, &head, &states)?;
        }
        for (store, batch) in self.stores.iter().zip(&self.batches) {
            store.write(batch)?;
        }
        Ok(())
    }
}
