//! What lies on disk, behind the few calls that a protocol of commits is made of, so that a simulation can lose and tear writes.
//!
//! Paths are whole. Nothing is durable before it is [synced](Disk::sync): bytes of a file by the file's own sync, names (made, renamed, removed) by that of their
//! folder. That is what file systems promise, and all that the protocols here rely on.

use std::any::Any;
use std::fmt;
use std::fs::{self, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

/// Files and folders.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Makes a file of these bytes, or replaces what it held. Not durable yet.
    ///
    /// # Errors
    /// As the system says.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Appends to a file, which is made if it is not there. Not durable yet.
    ///
    /// # Errors
    /// As the system says.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Opens a file to append to it again and again; it is made if it is not there.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>>;

    /// Everything that a file holds.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// So many bytes of a file from an offset on; fewer where it ends.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, path: &Path, offset: u64, count: usize) -> io::Result<Vec<u8>>;

    /// What is at this place; `None`: nothing. Links are followed.
    ///
    /// # Errors
    /// When the system does not tell.
    fn entry(&self, path: &Path) -> io::Result<Option<Entry>>;

    /// How long a file is.
    ///
    /// # Errors
    /// As the system says.
    fn length(&self, path: &Path) -> io::Result<u64>;

    /// Cuts a file to this length.
    ///
    /// # Errors
    /// As the system says; also when it is shorter.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;

    /// Makes the bytes of a file, or the names in a folder, durable.
    ///
    /// # Errors
    /// As the system says.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Gives a file or folder another name, replacing a file of that name.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file, or a folder with all that is in it. Removing what is not there is fine.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder and those above it. One that is there is fine.
    ///
    /// # Errors
    /// As the system says.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Gives a file a second name; a copy where the file system has no links.
    ///
    /// # Errors
    /// As the system says; also when something has that name.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Keeps a file or folder that is there for this holder alone until the lock is dropped or the process ends. Only who asks for the lock is kept out. Where the file
    /// system knows no locks, everybody gets one.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when somebody has it, in this process or another one; else as the system says.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
}

/// A file that is open; it stays the same file under whatever name it gets.
pub trait OpenFile: Send + fmt::Debug {
    /// Appends. Not durable yet; when it fails, a part may have been.
    ///
    /// # Errors
    /// As the system says.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes its bytes durable, not its name.
    ///
    /// # Errors
    /// As the system says.
    fn sync(&mut self) -> io::Result<()>;
}

/// What lies at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A pipe, a terminal, a device: what is written to it cannot be taken back.
    Other,
}

/// Held until it is dropped.
pub struct Lock {
    _held: Box<dyn Any + Send>,
}

impl Lock {
    /// A lock that lasts as long as this does.
    #[must_use]
    pub fn new(held: impl Any + Send) -> Lock {
        Lock {
            _held: Box::new(held),
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// A disk that several parts share.
pub type SharedDisk = Arc<dyn Disk>;

/// The one the system has.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl SystemDisk {
    /// The system's disk, to be shared.
    #[must_use]
    pub fn shared() -> SharedDisk {
        Arc::new(SystemDisk)
    }
}

impl Disk for SystemDisk {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = fs::File::options().append(true).create(true).open(path)?;
        file.write_all(bytes)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        let file = fs::File::options().append(true).create(true).open(path)?;
        Ok(Box::new(file))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_at(&self, path: &Path, offset: u64, count: usize) -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(count as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        match fs::metadata(path) {
            Ok(about) if about.is_file() => Ok(Some(Entry::File)),
            Ok(about) if about.is_dir() => Ok(Some(Entry::Folder)),
            Ok(_) => Ok(Some(Entry::Other)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = fs::File::options().write(true).open(path)?;
        if file.metadata()?.len() < length {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("it is shorter than {length} bytes"),
            ));
        }
        file.set_len(length)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = match fs::symlink_metadata(path) {
            Ok(about) if about.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        match fs::hard_link(from, to) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(error) if !from.is_file() => Err(error),
            Err(_) => {
                // Never onto what is there: it may be a link to the same bytes.
                let mut copy = fs::File::create_new(to)?;
                io::copy(&mut fs::File::open(from)?, &mut copy).map(|_| ())
            }
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let file = fs::File::open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) if has_no_locks(&error) => Ok(Lock::new(file)),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The system's disk for what need not outlive the process: nothing waits until it is durable.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScratchDisk;

impl Disk for ScratchDisk {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        SystemDisk.write(path, bytes)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        SystemDisk.append(path, bytes)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        SystemDisk.open(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        SystemDisk.read(path)
    }

    fn read_at(&self, path: &Path, offset: u64, count: usize) -> io::Result<Vec<u8>> {
        SystemDisk.read_at(path, offset, count)
    }

    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        SystemDisk.entry(path)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        SystemDisk.length(path)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        SystemDisk.truncate(path, length)
    }

    fn sync(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove(path)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        SystemDisk.make_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        SystemDisk.list(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.link(from, to)
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        SystemDisk.lock(path)
    }
}

/// There is nobody to ask: no locks at all, or none for a file that is not open for writing, as on NFS.
fn has_no_locks(error: &io::Error) -> bool {
    const EBADF: i32 = 9;
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(EBADF)
}

impl OpenFile for fs::File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // The length is made durable too, times are not.
        self.sync_data()
    }
}
