//! What a run with durable state begins with: the checkpoint it goes on from, found, checked and given to sources and outputs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::plan::Plan;
use super::resume::{OnChange, Reading, Resumption};
use super::room::Room;
use super::run::SourceSetup;
use super::thread::RunError;
use crate::checkpoint::{CommitPoint, Error, Folder, Manifest, Sharing, settle};
#[cfg(feature = "kafka")]
use crate::checkpoint::{Share, Transaction};
use crate::disk::{Lock, ScratchDisk, SharedDisk, SystemDisk};
use crate::epoch::Epoch;
use crate::key::Shards;
use crate::sink::{self, Drain, Opening, is_same_place};
use crate::store::Stores;

/// How many keys a shard saves in one turn.
const KEYS_PER_TURN: usize = 512;

/// Where a run keeps its state, and how.
pub(crate) struct Durable {
    pub folder: Folder,
    pub stores: Arc<dyn Stores>,
    /// How often a checkpoint is made.
    pub interval: Duration,
    /// How many are kept.
    pub keep: usize,
    /// How many keys a shard saves in one turn: events wait as long.
    pub keys_per_turn: usize,
    /// What states may take of memory.
    pub room: Room,
    pub on_change: OnChange,
    /// A checkpoint to begin from when the folder holds none: a savepoint.
    pub from: Option<PathBuf>,
    /// Who decides which epoch counts, if not the folder.
    pub point: Option<Box<dyn CommitPoint>>,
    /// Held for as long as the run lasts.
    pub lock: Option<Lock>,
    /// Where checkpoints are handed on to others, in a run that is one of a group's.
    pub sharing: Option<Sharing>,
}

/// What a run begins with.
pub(crate) struct Begun {
    /// `None`: nothing was there.
    pub resumption: Option<Resumption>,
    /// The epoch that it goes on from.
    pub from: Epoch,
    /// The newest epoch that ever had a folder.
    pub last: Epoch,
    pub state_id: u64,
}

impl Durable {
    /// State in a folder of the system's disk, which no other process may use meanwhile.
    ///
    /// # Errors
    /// When the folder cannot be made or is in use.
    pub(crate) fn open(
        path: &Path,
        life: u32,
        stores: Arc<dyn Stores>,
        sharing: Option<Sharing>,
    ) -> Result<Durable, Error> {
        let disk: SharedDisk = match sharing {
            // What outlives the process lies in the storage.
            Some(_) => Arc::new(ScratchDisk),
            None => SystemDisk::shared(),
        };
        let folder = Folder::open(path, disk)?.in_life(life);
        let lock = folder.lock()?;
        folder.remove_other_lives();
        Ok(Durable {
            lock: Some(lock),
            sharing,
            ..Durable::on(folder, stores)
        })
    }

    /// State in a folder of any disk.
    pub(crate) fn on(folder: Folder, stores: Arc<dyn Stores>) -> Durable {
        Durable {
            folder,
            stores,
            interval: Duration::from_secs(10),
            keep: 3,
            keys_per_turn: KEYS_PER_TURN,
            room: Room::Keys(usize::MAX),
            on_change: OnChange::default(),
            from: None,
            point: None,
            lock: None,
            sharing: None,
        }
    }

    /// What outputs are opened with.
    ///
    /// # Errors
    /// When the state's own number cannot be read or made.
    pub(crate) fn opening(&self) -> Result<Opening, Error> {
        let Some(sharing) = &self.sharing else {
            let id = format!("{:016x}", self.folder.id()?);
            return Ok(Opening::with_state(&id, self.interval));
        };
        let (group, partition) = (&sharing.group, sharing.partition);
        let opening = Opening::with_state(&format!("{group}-{partition}"), self.interval);
        Ok(opening.asking(group))
    }

    /// Lets outputs that commit by themselves decide which epoch counts, and what groups of these sources learn.
    ///
    /// # Errors
    /// When checkpoints are to be handed on, and no output decides which of them counts, or not with all sources.
    pub(crate) fn decided_by(
        &mut self,
        opening: &Opening,
        sources: &[SourceSetup],
    ) -> Result<(), Error> {
        #[cfg(feature = "kafka")]
        if let Some(transactions) = opening.commit_point() {
            let groups = sources.iter().flat_map(|source| {
                let groups = source.readers.iter().filter_map(|(one, _)| one.group());
                groups.map(|group| (source.name.clone(), group))
            });
            let mut transaction = Transaction::new(transactions, groups);
            if let Some(sharing) = &self.sharing {
                if transaction.sources() < sources.len() {
                    return Err(elsewhere(&sharing.group));
                }
                let share = Share::new(sharing, self.folder.clone(), self.keep);
                transaction = transaction.sharing(share);
            }
            self.point = Some(Box::new(transaction));
        }
        #[cfg(not(feature = "kafka"))]
        let _ = (opening, sources);
        match (&self.sharing, &self.point) {
            (Some(sharing), None) => Err(elsewhere(&sharing.group)),
            _ => Ok(()),
        }
    }

    /// Finds the checkpoint to go on from, and brings stores, sources and outputs to where it was.
    ///
    /// # Errors
    /// When there are checkpoints and none can be used; when a source or output cannot go back to where it was.
    pub(crate) fn begin(
        &mut self,
        plan: &Arc<Plan>,
        shards: Shards,
        sources: &mut [SourceSetup],
        drains: &mut [Drain],
    ) -> Result<Begun, RunError> {
        let state_id = self.folder.id().map_err(RunError::State)?;
        let found = self.find(plan, shards, sources).map_err(RunError::State)?;
        let last = self.folder.checkpoints().map_err(RunError::State)?;
        let last = last.first().map_or(Epoch::NONE, |found| found.epoch);
        let manifest = found.as_ref().map(|(manifest, _)| manifest);
        for stored in manifest.iter().flat_map(|manifest| &manifest.sources) {
            if !sources.iter().any(|source| source.name == stored.name) {
                tracing::warn!(source = %stored.name, "a source of the checkpoint is not read any more; where it was is forgotten");
            }
        }
        for source in sources {
            seek(source, manifest)?;
        }
        let committed = manifest.map_or(Epoch::NONE, |manifest| manifest.epoch);
        let stored = manifest.map_or(&[][..], |manifest| &manifest.sinks);
        restore_sinks(drains, committed, stored).map_err(RunError::Sink)?;
        Ok(Begun {
            from: committed,
            last: last.max(committed),
            state_id,
            resumption: found.map(|(_, resumption)| resumption),
        })
    }

    fn find(
        &mut self,
        plan: &Arc<Plan>,
        shards: Shards,
        sources: &[SourceSetup],
    ) -> Result<Option<(Manifest, Resumption)>, Error> {
        let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
        if let Some(point) = &mut self.point {
            point.fetch()?;
        }
        let decided = settle(&self.folder, self.point.as_mut())?;
        let mut failed = None;
        let mut candidates: Vec<PathBuf> = Vec::new();
        for found in self.folder.checkpoints()? {
            if found.committed {
                candidates.push(found.path);
            } else if let Err(error) = self.folder.disk().remove(&found.path) {
                tracing::warn!(folder = %found.path.display(), %error, "a checkpoint that was never committed cannot be removed");
            }
        }
        match &self.from {
            Some(from) if candidates.is_empty() => {
                if !self.folder.is_committed(from) {
                    return Err(Error::new(format!(
                        "savepoint \"{}\" is none, or was never completed; name the folder of a checkpoint or savepoint",
                        from.display()
                    )));
                }
                candidates.push(from.clone());
            }
            Some(from) => tracing::info!(
                savepoint = %from.display(),
                "is not gone on from: the state folder has checkpoints of its own"
            ),
            None => {}
        }
        let reading = Reading {
            plan,
            shards,
            sources: &names,
            stores: &*self.stores,
            folder: &self.folder,
            on_change: self.on_change,
        };
        for path in candidates {
            let tried = match self.folder.manifest(&path) {
                Ok(manifest) => {
                    reading.agree(&manifest)?;
                    let resumed = reading.resume(&manifest, &path);
                    resumed.map(|resumption| (manifest, resumption))
                }
                Err(error) => Err(error),
            };
            match tried {
                Ok(found) => {
                    let epoch = found.0.epoch;
                    tracing::info!(checkpoint = %path.display(), %epoch, "goes on from a checkpoint");
                    if let Some(newest) = decided.filter(|newest| *newest > epoch) {
                        tracing::warn!(%epoch, %newest, "outputs have committed rows that are newer than the checkpoint; those come again with the same match ids");
                    }
                    return Ok(Some(found));
                }
                Err(error) => {
                    tracing::warn!(checkpoint = %path.display(), %error, "a checkpoint cannot be used; the one before it is tried");
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            None => Ok(None),
            Some(error) => Err(Error::new(format!(
                "{error}; no older checkpoint in \"{}\" can be used either; name another state folder to begin without state",
                self.folder.path().display()
            ))),
        }
    }
}

fn elsewhere(group: &str) -> Error {
    Error::new(format!(
        "group \"{group}\": what is read and what is written commit together, so sources and an output have to be topics of one cluster; write to a topic there"
    ))
}

/// Brings outputs to where the checkpoint has them; says what it has of others.
fn restore_sinks(
    drains: &mut [Drain],
    epoch: Epoch,
    stored: &[(String, Vec<u8>)],
) -> Result<(), sink::Error> {
    for (place, kept) in stored {
        if !drains.iter().any(|drain| is_same_place(&drain.key, place)) {
            let unsent_bytes = sink::rows_in(kept).map_or(0, <[u8]>::len);
            tracing::warn!(output = %place, unsent_bytes, "an output of the checkpoint is not bound any more; rows that were not to be seen yet are not seen");
        }
    }
    for drain in drains {
        let exactly = stored.iter().find(|(place, _)| *place == drain.key);
        let found = exactly.or_else(|| {
            let mut stored = stored.iter();
            stored.find(|(place, _)| is_same_place(place, &drain.key))
        });
        let found = found.map(|(_, kept)| (epoch, kept.as_slice()));
        drain.sink.restore(found)?;
    }
    Ok(())
}

/// Brings the readers of a source to where they were.
fn seek(source: &mut SourceSetup, manifest: Option<&Manifest>) -> Result<(), RunError> {
    let repeatable = source
        .readers
        .iter()
        .all(|(reader, _)| reader.positions().is_some());
    if !repeatable {
        tracing::warn!(
            source = %source.name,
            "cannot be read again: after a crash, what came since the last checkpoint is lost"
        );
    }
    let stored = manifest.map(|manifest| {
        let mut sources = manifest.sources.iter();
        sources.find(|stored| stored.name == source.name)
    });
    if stored == Some(None) {
        tracing::info!(source = %source.name, "is new to the state, and read from its beginning");
    }
    let partitions = stored.flatten().into_iter();
    let partitions = partitions.flat_map(|stored| &stored.partitions);
    let positions: Vec<_> = partitions
        .filter_map(|partition| Some((partition.number, partition.position.clone()?)))
        .collect();
    // Also without positions: that is how a source learns that there is state.
    for (reader, _) in &mut source.readers {
        reader.seek(&positions).map_err(RunError::Source)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;
    use crate::sink::{Feed, Sink};

    type Restored = Arc<Mutex<Vec<Option<Vec<u8>>>>>;

    /// Notes from what it goes on.
    struct Noting(Restored);

    impl Sink for Noting {
        fn write(&mut self, _: &[u8]) -> Result<(), sink::Error> {
            Ok(())
        }

        fn flush(&mut self) -> Result<(), sink::Error> {
            Ok(())
        }

        fn restore(&mut self, prepared: Option<(Epoch, &[u8])>) -> Result<(), sink::Error> {
            let kept = prepared.map(|(_, kept)| kept.to_vec());
            self.0.lock().expect("one thread").push(kept);
            Ok(())
        }
    }

    #[test]
    fn an_output_gets_what_was_kept_of_its_place_however_that_is_spelled() {
        let restored = Restored::default();
        let drain = |key: &str| Drain {
            queue: mpsc::channel().1,
            sink: Box::new(Noting(Arc::clone(&restored))),
            feed: Feed::new(key.to_owned()),
            key: key.to_owned(),
        };
        let whole = std::path::absolute("a/rows").expect("a working folder");
        let mut drains = [drain("a/rows"), drain("-"), drain("b/rows")];
        let kept = |place: &str, byte| (place.to_owned(), vec![byte]);
        let stored = [
            kept("gone", 1),
            kept(&whole.display().to_string(), 2),
            kept("-", 3),
        ];
        restore_sinks(&mut drains, Epoch(1), &stored).expect("restored");
        let restored = restored.lock().expect("one thread");
        assert_eq!(*restored, [Some(vec![2]), Some(vec![3]), None]);
    }
}
