//! The bytes of one file, unpacked.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::Packing;
use super::place::{HEAD_BYTES, Head, Identity, Mark};

/// A file being read.
pub(super) enum Input {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<Counted>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, io::BufReader<Counted>>>),
}

/// A file that counts what is read.
pub(super) struct Counted {
    file: fs::File,
    read: u64,
    /// Its first bytes, as far as they were read: at most [`HEAD_BYTES`].
    head: Vec<u8>,
    length: u64,
    device: u64,
    inode: u64,
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
        let counted = Counted {
            file,
            read: 0,
            head: Vec::new(),
            length: about.len(),
            device: about.dev(),
            inode: about.ino(),
            at_end,
        };
        Input::unpacking(counted, packing)
    }

    fn unpacking(counted: Counted, packing: Packing) -> io::Result<Input> {
        Ok(match packing {
            Packing::Plain => Input::Plain(counted),
            Packing::Gzip => Input::Gzip(Box::new(MultiGzDecoder::new(counted))),
            Packing::Zstd => Input::Zstd(Box::new(zstd::stream::read::Decoder::new(counted)?)),
        })
    }

    pub(super) fn is_packed(&self) -> bool {
        !matches!(self, Input::Plain(_))
    }

    /// How many bytes were read, before unpacking.
    pub(super) fn read_bytes(&self) -> u64 {
        self.counted().read
    }

    /// How many bytes there were when it was opened.
    pub(super) fn length(&self) -> u64 {
        self.counted().length
    }

    fn counted(&self) -> &Counted {
        match self {
            Input::Plain(counted) => counted,
            Input::Gzip(input) => input.get_ref(),
            Input::Zstd(input) => input.get_ref().get_ref(),
        }
    }

    /// What tells this file from another one, once it was read up to a mark. Of a plain file what lies behind the mark tells nothing: the beginning of
    /// a record may yet be taken back.
    pub(super) fn identity(&self, mark: Mark) -> Identity {
        let counted = self.counted();
        let most = match self.is_packed() {
            true => counted.head.len(),
            false => usize::try_from(mark.bytes).unwrap_or(usize::MAX),
        };
        Identity {
            device: counted.device,
            inode: counted.inode,
            head: Head::of(&counted.head[..most.min(counted.head.len())]),
        }
    }

    /// The number of the file, by which it is found when it has another name.
    pub(super) fn inode(&self) -> u64 {
        self.counted().inode
    }

    /// How long it is now.
    pub(super) fn length_now(&self) -> io::Result<u64> {
        Ok(self.counted().file.metadata()?.len())
    }

    /// Its first bytes as they lie there, at most so many. Reads on where it was.
    pub(super) fn head(&self, most: u64) -> io::Result<Head> {
        let mut head = [0; HEAD_BYTES];
        let most = usize::try_from(most).unwrap_or(HEAD_BYTES).min(HEAD_BYTES);
        let mut length = 0;
        while length < most {
            let file = &self.counted().file;
            match file.read_at(&mut head[length..most], length as u64) {
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
        let through = match self {
            // Later places are told apart by its first bytes.
            Input::Plain(_) => bytes.min(HEAD_BYTES as u64),
            Input::Gzip(_) | Input::Zstd(_) => bytes,
        };
        let (mut passed, mut buffer) = (0, vec![0; 64 * 1024]);
        while passed < through {
            let most = buffer
                .len()
                .min(usize::try_from(through - passed).unwrap_or(usize::MAX));
            match self.read(&mut buffer[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => match read.or_else(read_on)? {
                    0 => return Ok(passed),
                    read => passed += read as u64,
                },
            }
        }
        if let Input::Plain(counted) = self
            && bytes > passed
        {
            let bytes = bytes.min(counted.file.metadata()?.len());
            counted.file.seek(SeekFrom::Start(bytes))?;
            counted.read = bytes;
            return Ok(bytes);
        }
        Ok(passed)
    }

    /// What became of the file that was opened by this path.
    pub(super) fn fate(&self, path: &Path) -> io::Result<Fate> {
        let counted = self.counted();
        let own = counted.file.metadata()?;
        if own.len() < counted.read {
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
        if let Input::Plain(counted) = self {
            counted.at_end = at_end;
        }
    }

    /// Goes back to the beginning.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        let counted = self.counted();
        let mut file = counted.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let counted = Counted {
            file,
            read: 0,
            head: Vec::new(),
            ..*counted
        };
        let packing = match self {
            Input::Plain(_) => Packing::Plain,
            Input::Gzip(_) => Packing::Gzip,
            Input::Zstd(_) => Packing::Zstd,
        };
        *self = Input::unpacking(counted, packing)?;
        Ok(())
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if self.read < HEAD_BYTES as u64 {
            let room = HEAD_BYTES - self.head.len();
            self.head.extend_from_slice(&buffer[..read.min(room)]);
        }
        self.read += read as u64;
        if read == 0 && !buffer.is_empty() && self.at_end == AtEnd::Wait {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(read)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Input::Plain(input) => input.read(buffer),
            Input::Gzip(input) => input.read(buffer),
            Input::Zstd(input) => input.read(buffer),
        }
    }
}
