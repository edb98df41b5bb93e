//! What a run without state left behind when it was killed.

use std::io;
use std::path::Path;

use super::super::Error;
use super::place::{Name, Place};
use crate::disk::Disk;

/// How much is read at a time.
const BACK_BYTES: u64 = 64 * 1024;

/// Finishes a hidden file: whole rows are kept, half a row at its end is cut off.
pub(super) fn finish(place: &Place, number: u64) -> Result<(), Error> {
    let path = place.path(Name::Part, number);
    let shown = path.display().to_string();
    let failed = |error: io::Error| Error::io(&shown, "finished", &error);
    let disk = place.disk();
    let length = disk.length(&path).map_err(failed)?;
    let whole = whole_rows(disk, &path, length).map_err(failed)?;
    if whole == 0 {
        return disk.remove(&path).map_err(failed);
    }
    disk.truncate(&path, whole).map_err(failed)?;
    disk.sync(&path).map_err(failed)?;
    place.publish(Name::Part, number)?;
    place.sync()?;
    let (path, dropped_bytes) = (place.path(Name::Finished, number), length - whole);
    tracing::info!(path = %path.display(), dropped_bytes, "finished a file that an earlier run left behind");
    Ok(())
}

/// How long a file is without half a row at its end.
fn whole_rows(disk: &dyn Disk, path: &Path, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BACK_BYTES);
        let bytes = disk.read_at(path, start, (end - start) as usize)?;
        if let Some(last) = memchr::memrchr(b'\n', &bytes) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
