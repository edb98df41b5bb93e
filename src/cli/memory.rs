//! How much memory the command uses.

use tikv_jemalloc_ctl::{epoch, stats};

/// What the allocator has given out and what it needs for itself, in bytes: what was given back is not in it, though it may still be resident for a while. RocksDB's memory is.
pub fn used_bytes() -> u64 {
    let read = epoch::advance().and_then(|_| Ok(stats::active::read()? + stats::metadata::read()?));
    // Without statistics nothing ever leaves memory.
    read.map_or(0, |bytes| bytes as u64)
}
