//! How much memory the stores of a process take, and the settings that follow.

use std::fmt;

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ChecksumType, DBCompressionType,
    DataBlockIndexType, InfoLogger, LogLevel, Options, WriteBufferManager,
};

use crate::key::Shards;

/// Less is raised to this.
pub const MEMORY_BYTES_MIN: usize = 16 * 1024 * 1024;

/// The format of tables; 6 is read by RocksDB 8.6 and later.
const FORMAT_VERSION: i32 = 6;
/// The largest table. Larger ones make checkpoints of large states cheaper, as each file is linked; smaller ones make less to rewrite.
const TABLE_BYTES: u64 = 64 * 1024 * 1024;
const BLOCK_BYTES: usize = 8 * 1024;
/// Index and filters are cut into such parts, so that a large state needs only those in memory that are asked for.
const INDEX_PART_BYTES: usize = 4 * 1024;
/// One in a hundred lookups of a key that is not there reads a block.
const FILTER_BITS_PER_KEY: f64 = 10.0;
/// A list of tables is begun anew when it has grown to this, for every checkpoint copies it.
const MANIFEST_BYTES: usize = 256 * 1024;
/// Tables that checkpoints wrote, before they are merged into the levels below. Each is one more place to look for a key.
const UNMERGED_TABLES: i32 = 8;
/// From so many on, writing waits.
const UNMERGED_TABLES_SLOW: i32 = 40;
const UNMERGED_TABLES_MAX: i32 = 64;
/// The most that one store's open memtable takes.
const MEMTABLE_BYTES_MAX: usize = 64 * 1024 * 1024;
const MEMTABLE_BYTES_MIN: usize = 1024 * 1024;
/// Tables kept open by all stores together, as long as each may have a few.
const OPEN_FILES: u16 = 512;
const OPEN_FILES_MIN: u16 = 32;
/// A table in which three of four neighbours are removals is merged early, so that a scan does not wade through them.
const REMOVALS_WINDOW: usize = 64 * 1024;
const REMOVALS_MAX: usize = 48 * 1024;

/// The memory that the stores of a process share, and what else is to be chosen. Clones share it.
#[derive(Clone)]
pub struct Tuning {
    memory_bytes: usize,
    stores: Shards,
    cache: Cache,
    memtables: WriteBufferManager,
}

impl Tuning {
    /// One budget for as many stores as there are shards: blocks of tables with their indexes and filters, and what is not yet in a table, which may take a quarter.
    /// [`MEMORY_BYTES_MIN`] is the least.
    #[must_use]
    pub fn new(memory_bytes: usize, stores: Shards) -> Tuning {
        let memory_bytes = memory_bytes.max(MEMORY_BYTES_MIN);
        let cache = Cache::new_lru_cache(memory_bytes);
        // It counts against the cache, which gives way.
        let memtables = WriteBufferManager::new_write_buffer_manager_with_cache(
            memory_bytes / 4,
            false,
            cache.clone(),
        );
        Tuning {
            memory_bytes,
            stores,
            cache,
            memtables,
        }
    }

    /// Bytes in the shared cache just now, memtables included.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.cache.get_usage()
    }

    /// The settings of one store.
    pub(super) fn options(&self) -> Result<Options, rocksdb::Error> {
        // This one has no setter; and what is set before it would be lost. Closing must not write what restarting throws away.
        let mut options =
            Options::default().get_options_from_string("avoid_flush_during_shutdown=true")?;
        options.set_info_logger(logger());
        options.set_block_based_table_factory(&self.tables());
        self.set_memtables(&mut options);
        set_levels(&mut options);

        // Cores belong to shards. The threads are the process's: the store with the most decides.
        let jobs = 2 + i32::from(self.stores.count() / 8);
        options.set_max_background_jobs(jobs.min(8));
        let open_files = (OPEN_FILES / self.stores.count()).max(OPEN_FILES_MIN);
        options.set_max_open_files(i32::from(open_files));
        options.set_table_cache_num_shard_bits(2);
        options.set_max_file_opening_threads(1);

        options.set_max_manifest_file_size(MANIFEST_BYTES);
        options.set_manifest_preallocation_size(MANIFEST_BYTES / 4);
        // Tables are handed to the disk while they are written, so that syncing them is short.
        options.set_bytes_per_sync(1024 * 1024);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        options.set_skip_stats_update_on_db_open(true);
        Ok(options)
    }

    fn tables(&self) -> BlockBasedOptions {
        let mut tables = BlockBasedOptions::default();
        tables.set_format_version(FORMAT_VERSION);
        tables.set_checksum_type(ChecksumType::XXH3);
        tables.set_block_size(BLOCK_BYTES);
        tables.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        tables.set_block_cache(&self.cache);
        tables.set_bloom_filter(FILTER_BITS_PER_KEY, false);
        tables.set_whole_key_filtering(true);
        tables.set_optimize_filters_for_memory(true);
        tables.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        tables.set_partition_filters(true);
        tables.set_metadata_block_size(INDEX_PART_BYTES);
        tables.set_cache_index_and_filter_blocks(true);
        tables.set_cache_index_and_filter_blocks_with_high_priority(true);
        tables.set_pin_top_level_index_and_filter(true);
        tables.set_pin_l0_filter_and_index_blocks_in_cache(true);
        tables
    }

    fn set_memtables(&self, options: &mut Options) {
        // Two of each store: one being written to a table, one being filled.
        let share = self.memory_bytes / 8 / usize::from(self.stores.count());
        options.set_write_buffer_size(share.clamp(MEMTABLE_BYTES_MIN, MEMTABLE_BYTES_MAX));
        options.set_max_write_buffer_number(2);
        options.set_write_buffer_manager(&self.memtables);
        // One thread writes.
        options.set_allow_concurrent_memtable_write(false);
    }
}

fn set_levels(options: &mut Options) {
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_target_file_size_base(TABLE_BYTES);
    options.set_max_bytes_for_level_base(4 * TABLE_BYTES);
    options.set_level_zero_file_num_compaction_trigger(UNMERGED_TABLES);
    options.set_level_zero_slowdown_writes_trigger(UNMERGED_TABLES_SLOW);
    options.set_level_zero_stop_writes_trigger(UNMERGED_TABLES_MAX);
    options.set_compression_type(DBCompressionType::Lz4);
    options.add_compact_on_deletion_collector_factory(REMOVALS_WINDOW, REMOVALS_MAX, 0.0);
}

/// What RocksDB has to say goes where everything else goes, and no file of its own is left in a folder.
pub(super) fn logger() -> InfoLogger {
    InfoLogger::new_callback_logger(LogLevel::Warn, |level, message| {
        let message = message.trim_end();
        match level {
            LogLevel::Error | LogLevel::Fatal => tracing::warn!("rocksdb: {message}"),
            _ => tracing::debug!("rocksdb: {message}"),
        }
    })
}

impl fmt::Debug for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tuning")
            .field("memory_bytes", &self.memory_bytes)
            .field("stores", &self.stores)
            .finish_non_exhaustive()
    }
}
