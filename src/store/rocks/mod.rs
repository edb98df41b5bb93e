//! The store on disk: RocksDB, one folder per shard.
//!
//! Nothing in the live folder is durable: there is no log, and a restart makes it anew from a checkpoint. What is durable are checkpoints. One is a
//! folder of hard links to tables, which are immutable, and of small files of its own; it costs what has been written since the last one, as long as there are hard links. Where there
//! are none, all is copied.
//!
//! What a folder holds is RocksDB's own; which settings other builds must share is in `docs/checkpoint.md`.

mod folder;
mod tuning;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    DB, DEFAULT_COLUMN_FAMILY_NAME, ReadOptions, WaitForCompactOptions, WriteBatch, WriteOptions,
};

pub use self::tuning::{MEMORY_BYTES_MIN, Tuning};
use super::{Batch, Error, StateStore, Visit};

/// Changes handed to RocksDB at a time. A batch of its own goes into one memtable, however large it is.
const CHANGES_MAX: usize = 4_096;
/// As many keys are looked up together.
const KEYS_TOGETHER_MIN: usize = 4;
/// How long a checkpoint that has to copy waits for merging to pause.
const PAUSE_MAX: Duration = Duration::from_secs(120);

/// A store in a folder.
pub struct Rocks {
    db: DB,
    folder: PathBuf,
    access: Access,
    /// Whether it was said that checkpoints are copies.
    told: AtomicBool,
    /// Held while something is written, so that nothing is during a checkpoint that copies.
    writing: Mutex<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Live,
    ReadOnly,
}

impl Rocks {
    /// An empty store in a folder of its own. What a store of an earlier run has left there is removed.
    ///
    /// # Errors
    /// When the folder cannot be made, belongs to something else, or has a store that is open.
    pub fn create(folder: &Path, tuning: &Tuning) -> Result<Rocks, Error> {
        folder::clear(folder)?;
        Rocks::open(folder, tuning, Access::Live)
    }

    /// What a checkpoint holds, in a folder of its own. What a store of an earlier run has left there is removed. The checkpoint stays as it is: tables are linked, or copied
    /// where that is not possible; the rest is copied. [Verify](super::files::verify) it first: RocksDB notices a missing or shortened table, but takes a list of tables
    /// whose end is missing for one that ended earlier.
    ///
    /// # Errors
    /// When the checkpoint is [damaged](Error::is_damaged), or the folder cannot be made, belongs to something else, or has a store that is open.
    pub fn restore(checkpoint: &Path, folder: &Path, tuning: &Tuning) -> Result<Rocks, Error> {
        folder::check_whole(checkpoint)?;
        folder::clear(folder)?;
        folder::fill(folder, checkpoint)?;
        Rocks::open(folder, tuning, Access::Live)
    }

    /// What a checkpoint holds, to be read where it lies. Nothing is written there. Others may read it at the same time.
    ///
    /// # Errors
    /// When the checkpoint cannot be read, or is [damaged](Error::is_damaged).
    pub fn open_read_only(checkpoint: &Path, tuning: &Tuning) -> Result<Rocks, Error> {
        folder::check_whole(checkpoint)?;
        Rocks::open(checkpoint, tuning, Access::ReadOnly)
    }

    fn open(folder: &Path, tuning: &Tuning, access: Access) -> Result<Rocks, Error> {
        let failed = |error| failed(folder, "cannot be opened", &error);
        let mut options = tuning.options().map_err(failed)?;
        // Named, or looking up several keys at once could not name it.
        let families = [(DEFAULT_COLUMN_FAMILY_NAME, options.clone())];
        let db = match access {
            Access::ReadOnly => {
                DB::open_cf_with_opts_for_read_only(&options, folder, families, false)
            }
            Access::Live => {
                options.create_if_missing(!folder::has_store(folder));
                DB::open_cf_with_opts(&options, folder, families)
            }
        };
        Ok(Rocks {
            db: db.map_err(failed)?,
            folder: folder.to_owned(),
            access,
            told: AtomicBool::new(false),
            writing: Mutex::new(()),
        })
    }

    fn failed(&self, doing: &str, error: &rocksdb::Error) -> Error {
        failed(&self.folder, doing, error)
    }

    fn writable(&self, doing: &str) -> Result<(), Error> {
        match self.access {
            Access::Live => Ok(()),
            Access::ReadOnly => Err(Error::new(format!(
                "store {:?} {doing}: it is open for reading only; restore it to a folder of its own",
                self.folder.display().to_string()
            ))),
        }
    }
}

impl StateStore for Rocks {
    fn get_all(&self, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let failed = |error| self.failed("cannot be read", &error);
        if keys.len() < KEYS_TOGETHER_MIN {
            let values = keys.iter().map(|key| self.db.get(key).map_err(failed));
            return values.collect();
        }
        let family = self
            .db
            .cf_handle(DEFAULT_COLUMN_FAMILY_NAME)
            .expect("every store has the default family");
        let values = self
            .db
            .batched_multi_get_cf(&family, keys.iter().copied(), false);
        let owned = values.into_iter().map(|value| {
            let value = value.map_err(failed)?;
            Ok(value.map(|value| value.to_vec()))
        });
        owned.collect()
    }

    fn write(&self, batch: &Batch) -> Result<(), Error> {
        const DOING: &str = "cannot be written";
        self.writable(DOING)?;
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = sorted(batch);
        for part in changes.chunks(CHANGES_MAX) {
            let mut writes = WriteBatch::default();
            for (key, value) in part {
                match value {
                    Some(value) => writes.put(key, value),
                    None => writes.delete(key),
                }
            }
            self.db
                .write_opt(writes, &options)
                .map_err(|error| self.failed(DOING, &error))?;
        }
        Ok(())
    }

    fn scan(&self, keys: Range<&[u8]>, visit: &mut Visit<'_>) -> Result<(), Error> {
        if keys.start >= keys.end {
            return Ok(());
        }
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(keys.end);
        // Who scans wants everything once; what is asked for again and again stays in memory.
        options.fill_cache(false);
        let mut entries = self.db.raw_iterator_opt(options);
        entries.seek(keys.start);
        while let Some((key, value)) = entries.item() {
            visit(key, value)?;
            entries.next();
        }
        entries
            .status()
            .map_err(|error| self.failed("cannot be read", &error))
    }

    fn checkpoint(&self, folder: &Path) -> Result<Vec<String>, Error> {
        const DOING: &str = "has no checkpoint";
        self.writable(DOING)?;
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let target = folder::Target::new(folder)?;
        match target.links_from(&self.folder) {
            folder::Links::Shared => {
                // It flushes, links tables, copies and syncs the rest, renames its folder into place and syncs it.
                let checkpoint = Checkpoint::new(&self.db);
                checkpoint
                    .and_then(|checkpoint| checkpoint.create_checkpoint(folder))
                    .map_err(|error| failed(folder, "cannot be written", &error))?;
            }
            folder::Links::Copied => self.copy_to(&target)?,
        }
        target.sync_name()?;
        target.names()
    }

    fn bytes(&self) -> u64 {
        let property = |name: &str| self.db.property_int_value(name).ok().flatten();
        let tables = property("rocksdb.live-sst-files-size").unwrap_or(0);
        tables + property("rocksdb.cur-size-all-mem-tables").unwrap_or(0)
    }
}

impl Rocks {
    /// A checkpoint by copying. No file changes meanwhile: nothing is written, and merging pauses.
    fn copy_to(&self, target: &folder::Target) -> Result<(), Error> {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "store {:?} and its checkpoints cannot share files by hard links: each checkpoint copies everything",
                self.folder.display().to_string()
            );
        }
        let failed = |error| self.failed("cannot be copied", &error);
        self.db.flush().map_err(failed)?;
        self.db
            .set_options(&[("disable_auto_compactions", "true")])
            .map_err(failed)?;
        let copied = self.pause().map_err(failed).and_then(|tables| {
            let files = folder::files_of(&self.folder, tables)?;
            target.copy(&self.folder, &files)
        });
        self.db
            .set_options(&[("disable_auto_compactions", "false")])
            .map_err(failed)?;
        copied
    }

    /// Waits until nothing is being merged; then the tables that there are.
    fn pause(&self) -> Result<Vec<String>, rocksdb::Error> {
        let mut options = WaitForCompactOptions::default();
        options.set_timeout(PAUSE_MAX.as_micros() as u64);
        self.db.wait_for_compact(&options)?;
        let tables = self.db.live_files()?;
        let names = tables.into_iter().map(|table| table.name);
        Ok(names
            .map(|name| name.trim_start_matches('/').to_owned())
            .collect())
    }
}

/// Changes in order of their keys, the last of each key only: RocksDB takes sorted ones faster, and has no use for the others.
fn sorted(batch: &Batch) -> Vec<(&[u8], Option<&[u8]>)> {
    let mut changes: Vec<_> = batch.changes().collect();
    // Stable: of one key, the last change stays the last.
    changes.sort_by_key(|(key, _)| *key);
    let mut kept = 0;
    for at in 0..changes.len() {
        if kept > 0 && changes[kept - 1].0 == changes[at].0 {
            kept -= 1;
        }
        changes[kept] = changes[at];
        kept += 1;
    }
    changes.truncate(kept);
    changes
}

/// What RocksDB says, with the folder, what was being done, and the way out.
fn failed(folder: &Path, doing: &str, error: &rocksdb::Error) -> Error {
    explained(folder, doing, error.as_ref())
}

/// RocksDB's errors are texts: a word for their kind, and what `strerror` says of those of the system.
fn explained(folder: &Path, doing: &str, said: &str) -> Error {
    let has = |text: &str| said.contains(text);
    let shown = folder.display().to_string();
    if has("LOCK") && (has("lock hold by current process") || has("While lock file")) {
        return Error::new(format!(
            "store {shown:?} {doing}: it is open in this process or another one; stop that one, or choose another folder"
        ));
    }
    let missing = has("No such file or directory") || has("does not exist (create_if_missing");
    if said.starts_with("Corruption") || missing {
        return Error::damaged(format!(
            "store {shown:?} {doing}: it is damaged: {said}; use an older checkpoint"
        ));
    }
    let way_out = if has("No space left on device") || has("Disk quota exceeded") {
        "; make room on its disk"
    } else if has("Too many open files") {
        "; raise the limit of open files (ulimit -n)"
    } else if has("Permission denied") {
        "; let this user write there"
    } else {
        ""
    };
    Error::new(format!("store {shown:?} {doing}: {said}{way_out}"))
}

impl fmt::Debug for Rocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rocks")
            .field("folder", &self.folder)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
