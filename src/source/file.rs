//! A file of records, packed or not. One partition.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::blocks::{Block, Blocks};
use super::{Error, Extent, Polled, Progress, Record, Source};
use crate::event::formats::Format;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

/// A file being read.
pub struct File {
    blocks: Blocks<Input>,
    path: String,
    total: u64,
}

/// Bytes of a file, unpacked.
enum Input {
    Plain(Counted),
    Gzip(Box<MultiGzDecoder<Counted>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, io::BufReader<Counted>>>),
}

/// A file that counts what is read.
struct Counted {
    file: fs::File,
    read: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read += read as u64;
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

impl File {
    /// Opens a file.
    ///
    /// # Errors
    /// When it is not there, is a folder, or may not be read.
    pub fn open(path: &Path, format: Format, packing: Packing) -> Result<File, Error> {
        let shown = path.display().to_string();
        let wrong = |error: io::Error| {
            Error(format!(
                "source \"{shown}\": cannot be opened: {error}; check the path"
            ))
        };
        let file = fs::File::open(path).map_err(wrong)?;
        let about = file.metadata().map_err(wrong)?;
        if about.is_dir() {
            return Err(Error(format!(
                "source \"{shown}\" is a folder; name a file in it"
            )));
        }
        let counted = Counted { file, read: 0 };
        let input = match packing {
            Packing::Plain => Input::Plain(counted),
            Packing::Gzip => Input::Gzip(Box::new(MultiGzDecoder::new(counted))),
            Packing::Zstd => Input::Zstd(Box::new(
                zstd::stream::read::Decoder::new(counted).map_err(wrong)?,
            )),
        };
        Ok(File {
            blocks: Blocks::new(input, format),
            path: shown,
            total: about.len(),
        })
    }
}

impl Source for File {
    fn poll(&mut self, take: &mut dyn FnMut(Record<'_>)) -> Result<Polled, Error> {
        match self.blocks.poll(take) {
            Ok(Block::End) => Ok(Polled::End),
            Ok(Block::Full | Block::Part) => Ok(Polled::More),
            Err(error) => Err(Error(format!(
                "source \"{}\": cannot be read: {error}",
                self.path
            ))),
        }
    }

    fn partitions(&self) -> Vec<u32> {
        vec![0]
    }

    fn extent(&self) -> Extent {
        Extent::Bounded
    }

    fn progress(&self) -> Option<Progress> {
        let counted = match self.blocks.input() {
            Input::Plain(counted) => counted,
            Input::Gzip(input) => input.get_ref(),
            Input::Zstd(input) => input.get_ref().get_ref(),
        };
        Some(Progress {
            done: counted.read,
            total: self.total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(path: &Path, packing: Packing) -> Result<Vec<String>, Error> {
        let mut file = File::open(path, Format::Json, packing)?;
        let mut lines = Vec::new();
        while file
            .poll(&mut |record| lines.push(String::from_utf8_lossy(record.bytes).into_owned()))?
            != Polled::End
        {}
        let progress = file.progress().expect("a file knows its length");
        assert_eq!(progress.done, progress.total);
        Ok(lines)
    }

    #[test]
    fn packed_files_hold_the_same_records() {
        let folder = tempfile::tempdir().unwrap();
        let want: Vec<String> = (0..50_000).map(|n| format!("{{\"n\":{n}}}")).collect();
        let text = want.join("\n");
        let (plain, gz, zst) = (
            folder.path().join("a"),
            folder.path().join("b"),
            folder.path().join("c"),
        );
        fs::write(&plain, &text).unwrap();
        // Two members, as `cat a.gz b.gz` makes them.
        let (head, tail) = text.split_at(1000);
        let mut packed = Vec::new();
        for part in [head, tail] {
            let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
            encoder.write_all(part.as_bytes()).unwrap();
            packed = encoder.finish().unwrap();
        }
        fs::write(&gz, packed).unwrap();
        fs::write(&zst, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
        assert_eq!(lines(&plain, Packing::Plain), Ok(want.clone()));
        assert_eq!(lines(&gz, Packing::Gzip), Ok(want.clone()));
        assert_eq!(lines(&zst, Packing::Zstd), Ok(want));
        let broken = lines(&plain, Packing::Gzip).unwrap_err().to_string();
        assert!(
            broken.contains("cannot be read: invalid gzip header"),
            "{broken}"
        );
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = lines(&folder.path().join("none"), Packing::Plain)
            .unwrap_err()
            .to_string();
        assert!(
            missing.ends_with(
                "none\": cannot be opened: No such file or directory (os error 2); check the path"
            ),
            "{missing}"
        );
        let error = lines(folder.path(), Packing::Plain)
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("is a folder; name a file in it"), "{error}");
    }
}
