//! The bytes of one file, unpacked.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::Packing;

/// A file being read from its beginning.
pub(super) enum Input {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<Counted>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, io::BufReader<Counted>>>),
}

/// A file that counts what is read.
pub(super) struct Counted {
    file: fs::File,
    read: u64,
    length: u64,
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
            length: about.len(),
            at_end,
        };
        Ok(match packing {
            Packing::Plain => Input::Plain(counted),
            Packing::Gzip => Input::Gzip(Box::new(MultiGzDecoder::new(counted))),
            Packing::Zstd => Input::Zstd(Box::new(zstd::stream::read::Decoder::new(counted)?)),
        })
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
        if let Input::Plain(counted) = self {
            counted.at_end = AtEnd::End;
        }
    }

    /// Goes back to the beginning of a plain file.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        if let Input::Plain(counted) = self {
            counted.file.seek(SeekFrom::Start(0))?;
            counted.read = 0;
        }
        Ok(())
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
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
