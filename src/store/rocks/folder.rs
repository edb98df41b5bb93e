//! The folders of a store: the live one, which may be removed, and those of checkpoints.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::{DB, Options};

use crate::store::{Error, way_out};

/// Marks a live folder: all that is in it may be removed. It is the first to come and the last to go.
const MARK: &str = "live-store";
const MARK_TEXT: &str =
    "Made anew from a checkpoint at each start. Whatever lies here may be removed.\n";

/// Names the list of tables that is valid.
const CURRENT: &str = "CURRENT";

/// How a checkpoint gets tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// As second names of the same bytes.
    Shared,
    /// The file system has no such thing, or it is another one.
    Copied,
}

/// Makes a live folder that is empty but for its mark. What an earlier run has left there is removed.
pub fn clear(folder: &Path) -> Result<(), Error> {
    let failed = |error| failed(folder, "cannot be made", &error);
    fs::create_dir_all(folder).map_err(failed)?;
    let mark = folder.join(MARK);
    let names = names(folder).map_err(failed)?;
    if !names.is_empty() && !mark.exists() {
        return Err(foreign(folder, &names[0]));
    }
    fs::write(&mark, MARK_TEXT).map_err(failed)?;
    // It removes only what is its own, and nothing from a store that is open.
    DB::destroy(&options(), folder)
        .map_err(|error| super::failed(folder, "cannot be emptied", &error))?;
    let left = self::names(folder).map_err(failed)?;
    match left.iter().find(|name| *name != MARK) {
        Some(name) => Err(foreign(folder, name)),
        None => Ok(()),
    }
}

/// Settings that let nothing be written into a folder.
fn options() -> Options {
    let mut options = Options::default();
    options.set_info_logger(super::tuning::logger());
    options
}

/// Gives a live folder what a checkpoint has.
pub fn fill(folder: &Path, checkpoint: &Path) -> Result<(), Error> {
    let names = names(checkpoint).map_err(|error| failed(checkpoint, "cannot be read", &error))?;
    for name in names {
        let (from, to) = (checkpoint.join(&name), folder.join(&name));
        let done = if is_table(&name) {
            link(&from, &to)
        } else {
            copy(&from, &to)
        };
        done.map_err(|error| failed(&from, "cannot be restored", &error))?;
    }
    Ok(())
}

/// That a checkpoint's folder names its list of tables. RocksDB sees to the rest, but would take a folder without it for a new store.
pub fn check_whole(checkpoint: &Path) -> Result<(), Error> {
    let list = current(checkpoint).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => damaged(checkpoint, "it has no CURRENT"),
        _ => failed(checkpoint, "cannot be read", &error),
    })?;
    match checkpoint.join(&list).is_file() {
        true => Ok(()),
        false => Err(damaged(checkpoint, &format!("it has no {list:?}"))),
    }
}

/// True if there is a store in a live folder.
pub fn has_store(folder: &Path) -> bool {
    folder.join(CURRENT).exists()
}

/// The files of a store that has these tables and is at rest.
pub fn files_of(folder: &Path, tables: Vec<String>) -> Result<Vec<String>, Error> {
    let failed = |error| failed(folder, "cannot be read", &error);
    let mut files = tables;
    files.push(current(folder).map_err(failed)?);
    files.push(CURRENT.to_owned());
    let names = names(folder).map_err(failed)?;
    // The latest one; the one before may still be there.
    let settings = names
        .into_iter()
        .filter(|name| name.starts_with("OPTIONS-"));
    files.extend(settings.max());
    Ok(files)
}

/// What CURRENT says.
fn current(folder: &Path) -> io::Result<String> {
    let bytes = fs::read(folder.join(CURRENT))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn is_table(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ext| ext == "sst")
}

/// Where a checkpoint is to be.
#[derive(Debug)]
pub struct Target {
    folder: PathBuf,
    /// It holds the folder.
    above: PathBuf,
}

impl Target {
    /// A folder that is not there yet. Those above it are made.
    pub fn new(folder: &Path) -> Result<Target, Error> {
        let shown = folder.display().to_string();
        let (Some(above), Some(_)) = (folder.parent(), folder.file_name()) else {
            return Err(Error::new(format!(
                "{shown:?} is no name of a folder; give the checkpoint a new one"
            )));
        };
        if folder.exists() {
            return Err(Error::new(format!(
                "{shown:?} is there already; give the checkpoint a new folder"
            )));
        }
        // A name alone is one in the current folder.
        let above = Path::new(".").join(above);
        fs::create_dir_all(&above).map_err(|error| failed(&above, "cannot be made", &error))?;
        Ok(Target {
            folder: folder.to_owned(),
            above,
        })
    }

    /// Tries whether a file of a live folder can have a second name here. RocksDB would copy by itself, but takes some answers of file systems without links for a failure.
    pub fn links_from(&self, live: &Path) -> Links {
        let probe = self.beside("probe");
        // From a crash.
        let _ = fs::remove_file(&probe);
        let linked = fs::hard_link(live.join(MARK), &probe);
        let removed = linked.and_then(|()| fs::remove_file(&probe));
        removed.map_or(Links::Copied, |()| Links::Shared)
    }

    /// Copies files, durably, and gives the folder its name at the end.
    pub fn copy(&self, from: &Path, names: &[String]) -> Result<(), Error> {
        let part = self.beside("tmp");
        let copied = self.copy_by(&part, from, names);
        if copied.is_err() {
            let _ = fs::remove_dir_all(&part);
        }
        copied.map_err(|error| failed(&self.folder, "cannot be written", &error))
    }

    fn copy_by(&self, part: &Path, from: &Path, names: &[String]) -> io::Result<()> {
        if part.exists() {
            fs::remove_dir_all(part)?;
        }
        fs::create_dir(part)?;
        for name in names {
            copy(&from.join(name), &part.join(name))?;
        }
        sync(part)?;
        fs::rename(part, &self.folder)
    }

    /// Makes the folder's name durable.
    pub fn sync_name(&self) -> Result<(), Error> {
        sync(&self.above).map_err(|error| failed(&self.above, "cannot be synced", &error))
    }

    /// The files in the folder, sorted.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        names(&self.folder).map_err(|error| failed(&self.folder, "cannot be read", &error))
    }

    /// The folder's path with something behind it.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.folder.clone().into_os_string();
        path.push(".");
        path.push(ending);
        path.into()
    }
}

/// A second name for a file, or a durable copy: the next checkpoint links to it and syncs no table.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        Err(_) => copy(from, to),
        Ok(()) => Ok(()),
    }
}

/// A durable copy.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    sync(to)
}

/// Makes the bytes of a file, or the names in a folder, durable.
fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn failed(path: &Path, doing: &str, error: &io::Error) -> Error {
    let shown = path.display().to_string();
    Error::new(format!("{shown:?} {doing}: {error}{}", way_out(error)))
}

fn damaged(checkpoint: &Path, how: &str) -> Error {
    let shown = checkpoint.display().to_string();
    Error::damaged(format!(
        "checkpoint {shown:?} is damaged: {how}; use an older one"
    ))
}

fn foreign(folder: &Path, name: &str) -> Error {
    let shown = folder.display().to_string();
    Error::new(format!(
        "{shown:?} has {name:?}, which is no live store's; give the store a folder of its own"
    ))
}
