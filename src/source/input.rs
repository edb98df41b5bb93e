//! The bytes of one file, unpacked.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::read::MultiGzDecoder;

use super::Packing;
use super::ahead::{Ahead, Wait};
use super::blocks::{Feed, Unread};
use super::place::{HEAD_BYTES, Head, Identity, Mark};

/// A file being read.
pub(super) struct Input {
    /// Shares its place with the one that is read.
    file: fs::File,
    packing: Packing,
    length: u64,
    device: u64,
    inode: u64,
    seen: Arc<Seen>,
    bytes: Bytes,
}

/// Who reads the file.
enum Bytes {
    /// Whoever asks for it.
    Here(Unpacked),
    /// A thread of its own.
    Ahead(Ahead),
    /// Nobody: no thread could be had.
    Nobody,
}

/// What was read of a file.
#[derive(Debug, Default)]
struct Seen {
    /// How many bytes.
    bytes: AtomicU64,
    /// The first ones: at most [`HEAD_BYTES`].
    head: Mutex<Vec<u8>>,
}

/// What a file holds.
pub(super) enum Unpacked {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<Counted>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, io::BufReader<Counted>>>),
}

/// A file that counts what is read.
pub(super) struct Counted {
    file: fs::File,
    seen: Arc<Seen>,
    at_end: AtEnd,
}

/// What the end of a file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// It has ended.
    End,
    /// Nothing is at hand; more may be appended.
    Wait,
}

/// What became of a file since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing that matters.
    Same,
    /// It is shorter than what was read of it.
    Truncated,
    /// Its path names another file.
    Replaced,
}

impl Input {
    pub(super) fn open(path: &Path, packing: Packing, at_end: AtEnd) -> io::Result<Input> {
        let file = fs::File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let (seen, bytes) = begin(&file, packing, at_end)?;
        Ok(Input {
            file,
            packing,
            length: about.len(),
            device: about.dev(),
            inode: about.ino(),
            seen,
            bytes,
        })
    }

    pub(super) fn is_packed(&self) -> bool {
        self.packing != Packing::Plain
    }

    /// Unpacks ahead from now on, so many bytes at a time, if there is something to unpack, and enough of it to be worth a thread.
    pub(super) fn unpack_ahead(&mut self, block_bytes: usize) -> io::Result<()> {
        let here = matches!(self.bytes, Bytes::Here(_));
        if !here || !self.is_packed() || self.length < block_bytes as u64 {
            return Ok(());
        }
        if let Bytes::Here(unpacked) = std::mem::replace(&mut self.bytes, Bytes::Nobody) {
            let ahead = Ahead::start("reader", unpacked, block_bytes, Wait::UntilRead)?;
            self.bytes = Bytes::Ahead(ahead);
        }
        Ok(())
    }

    /// The bytes from where it stands on, as long as they are not read by somebody else.
    pub(super) fn here(&mut self) -> io::Result<&mut Unpacked> {
        match &mut self.bytes {
            Bytes::Here(unpacked) => Ok(unpacked),
            Bytes::Ahead(_) | Bytes::Nobody => Err(io::Error::other("it is read by somebody else")),
        }
    }

    /// How many bytes were read, before unpacking.
    pub(super) fn read_bytes(&self) -> u64 {
        self.seen.bytes.load(Ordering::Relaxed)
    }

    /// How many bytes there were when it was opened.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What tells this file from another one, once it was read up to a mark. Of a plain file what lies behind the mark tells nothing: the beginning of
    /// a record may yet be taken back.
    pub(super) fn identity(&self, mark: Mark) -> Identity {
        let head = self
            .seen
            .head
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let most = match self.is_packed() {
            true => head.len(),
            false => usize::try_from(mark.bytes).unwrap_or(usize::MAX),
        };
        Identity {
            device: self.device,
            inode: self.inode,
            head: Head::of(&head[..most.min(head.len())]),
        }
    }

    /// The number of the file, by which it is found when it has another name.
    pub(super) fn inode(&self) -> u64 {
        self.inode
    }

    /// How long it is now.
    pub(super) fn length_now(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Its first bytes as they lie there, at most so many. Reads on where it was.
    pub(super) fn head(&self, most: u64) -> io::Result<Head> {
        let mut head = [0; HEAD_BYTES];
        let most = usize::try_from(most).unwrap_or(HEAD_BYTES).min(HEAD_BYTES);
        let mut length = 0;
        while length < most {
            match self.file.read_at(&mut head[length..most], length as u64) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Head::of(&head[..length]))
    }

    /// Passes over so many bytes from the beginning, where it stands; gives back how many there were. What is packed has to be unpacked for it.
    pub(super) fn pass(&mut self, bytes: u64) -> io::Result<u64> {
        let read_on = |error: io::Error| match error.kind() {
            // No more is there, for now.
            io::ErrorKind::WouldBlock => Ok(0),
            _ => Err(error),
        };
        let through = match self.packing {
            // Later places are told apart by its first bytes.
            Packing::Plain => bytes.min(HEAD_BYTES as u64),
            Packing::Gzip | Packing::Zstd => bytes,
        };
        let unpacked = self.here()?;
        let (mut passed, mut buffer) = (0, vec![0; 64 * 1024]);
        while passed < through {
            let most = buffer
                .len()
                .min(usize::try_from(through - passed).unwrap_or(usize::MAX));
            match unpacked.read(&mut buffer[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => match read.or_else(read_on)? {
                    0 => return Ok(passed),
                    read => passed += read as u64,
                },
            }
        }
        if let Unpacked::Plain(counted) = unpacked
            && bytes > passed
        {
            let bytes = bytes.min(counted.file.metadata()?.len());
            counted.file.seek(SeekFrom::Start(bytes))?;
            counted.seen.bytes.store(bytes, Ordering::Relaxed);
            return Ok(bytes);
        }
        Ok(passed)
    }

    /// What became of the file that was opened by this path.
    pub(super) fn fate(&self, path: &Path) -> io::Result<Fate> {
        let own = self.file.metadata()?;
        if own.len() < self.read_bytes() {
            return Ok(Fate::Truncated);
        }
        match fs::metadata(path) {
            Ok(named) if (named.dev(), named.ino()) != (own.dev(), own.ino()) => Ok(Fate::Replaced),
            // Between two names: the next one is on its way.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Fate::Same),
            Ok(_) => Ok(Fate::Same),
            Err(error) => Err(error),
        }
    }

    /// Nothing is appended any more. Of no use to packed files, which end anyway.
    pub(super) fn finish(&mut self) {
        self.at_end(AtEnd::End);
    }

    /// What the end of a plain file means from now on.
    pub(super) fn at_end(&mut self, at_end: AtEnd) {
        if let Bytes::Here(Unpacked::Plain(counted)) = &mut self.bytes {
            counted.at_end = at_end;
        }
    }

    /// Goes back to the beginning.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        let at_end = match &self.bytes {
            Bytes::Here(Unpacked::Plain(counted)) => counted.at_end,
            _ => AtEnd::End,
        };
        self.file.seek(SeekFrom::Start(0))?;
        (self.seen, self.bytes) = begin(&self.file, self.packing, at_end)?;
        Ok(())
    }
}

/// Begins to read a file from where it stands.
fn begin(file: &fs::File, packing: Packing, at_end: AtEnd) -> io::Result<(Arc<Seen>, Bytes)> {
    let seen = Arc::default();
    let counted = Counted {
        file: file.try_clone()?,
        seen: Arc::clone(&seen),
        at_end,
    };
    Ok((seen, Bytes::Here(Unpacked::of(counted, packing)?)))
}

impl Unpacked {
    fn of(counted: Counted, packing: Packing) -> io::Result<Unpacked> {
        Ok(match packing {
            Packing::Plain => Unpacked::Plain(counted),
            Packing::Gzip => Unpacked::Gzip(Box::new(MultiGzDecoder::new(counted))),
            Packing::Zstd => Unpacked::Zstd(Box::new(zstd::stream::read::Decoder::new(counted)?)),
        })
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let before = self.seen.bytes.load(Ordering::Relaxed);
        if before < HEAD_BYTES as u64 {
            let mut head = self
                .seen
                .head
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let room = HEAD_BYTES - head.len();
            head.extend_from_slice(&buffer[..read.min(room)]);
        }
        let bytes = before + read as u64;
        self.seen.bytes.store(bytes, Ordering::Relaxed);
        if read == 0 && !buffer.is_empty() && self.at_end == AtEnd::Wait {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(read)
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacked::Plain(input) => input.read(buffer),
            Unpacked::Gzip(input) => input.read(buffer),
            Unpacked::Zstd(input) => input.read(buffer),
        }
    }
}

impl Feed for Input {
    fn feed(&mut self, unread: &mut Unread) -> io::Result<usize> {
        match &mut self.bytes {
            Bytes::Ahead(ahead) => ahead.feed(unread),
            Bytes::Here(_) | Bytes::Nobody => self.here()?.feed(unread),
        }
    }
}
