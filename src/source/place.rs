//! Where a file goes on, in bytes that outlive the process.
//!
//! A place begins with its version and with what kind of source wrote it, so that a file is never taken for a folder of the same name. All of it is in
//! `docs/checkpoint.md`, byte by byte.

use std::fmt;

use flate2::Crc;

use super::{Error, SourcePosition};
use crate::wire::{Damaged, Reader, put_bool, put_str, put_uint};

/// The layout of all places that are written here.
const VERSION: u8 = 1;

/// The only partition of files and folders.
pub(super) const PARTITION: u32 = 0;

/// No file has more bytes or lines.
const FILE_MAX: u64 = i64::MAX as u64;

/// How many of a file's first bytes tell it from another one of the same name.
pub(super) const HEAD_BYTES: usize = 4_096;

/// What kind of source wrote a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File = 1,
    Folder = 2,
    Generator = 3,
    #[cfg_attr(
        not(feature = "kafka"),
        expect(dead_code, reason = "nobody reads topics")
    )]
    Topic = 4,
}

/// Where the cutting of a file into records stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// How many bytes lie before it, unpacked.
    pub bytes: u64,
    /// The number of the line that begins there.
    pub line: u64,
    /// The number of the file's first line: of several files, lines are counted over all.
    pub first_line: u64,
    pub behind: Behind,
    /// No record of this file was handed out.
    pub untouched: bool,
}

/// What lies behind the last record that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// The next record.
    Record = 0,
    /// The rest of a line that is too large, which is dropped.
    Rest = 1,
    /// The end of the file. If it has grown since, the line break of that record may come first.
    End = 2,
}

/// What tells a file from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub device: u64,
    pub inode: u64,
    pub head: Head,
}

/// The first bytes of a file as they lie there, packed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// At most [`HEAD_BYTES`].
    pub length: u64,
    /// CRC-32, as in gzip.
    pub checksum: u32,
}

/// Where a file goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FilePlace {
    pub mark: Mark,
    pub identity: Identity,
}

/// Where a folder goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FolderPlace {
    /// The name of the file that was read last.
    pub name: String,
    /// It was read to its end.
    pub ended: bool,
    pub file: FilePlace,
}

impl Mark {
    /// The beginning of a file whose first line has this number.
    pub(super) fn beginning(line: u64) -> Mark {
        Mark {
            bytes: 0,
            line,
            first_line: line,
            behind: Behind::Record,
            untouched: true,
        }
    }
}

impl Head {
    pub(super) fn of(bytes: &[u8]) -> Head {
        let mut crc = Crc::new();
        crc.update(bytes);
        Head {
            length: bytes.len() as u64,
            checksum: crc.sum(),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.checksum)
    }
}

impl FilePlace {
    /// The place of a file that is a source.
    pub(super) fn position(&self) -> SourcePosition {
        let mut place = begin(Kind::File);
        self.put(&mut place);
        SourcePosition {
            offset: self.mark.line,
            place,
        }
    }

    /// What [`position`](FilePlace::position) wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, or another kind of source wrote them.
    pub(super) fn read(name: &str, position: &SourcePosition) -> Result<FilePlace, Error> {
        read(name, Kind::File, position, |reader| {
            FilePlace::take(reader, position.offset)
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        let FilePlace { mark, identity } = self;
        put_uint(out, mark.bytes);
        put_uint(out, mark.first_line);
        out.push(mark.behind as u8);
        put_bool(out, mark.untouched);
        put_uint(out, identity.device);
        put_uint(out, identity.inode);
        put_uint(out, identity.head.length);
        put_uint(out, u64::from(identity.head.checksum));
    }

    fn take(reader: &mut Reader<'_>, line: u64) -> Result<FilePlace, Damaged> {
        let mark = Mark {
            bytes: reader.uint()?,
            line,
            first_line: reader.uint()?,
            behind: match reader.byte()? {
                0 => Behind::Record,
                1 => Behind::Rest,
                2 => Behind::End,
                _ => return Err(reader.damaged("0, 1 or 2")),
            },
            untouched: reader.bool()?,
        };
        if mark.first_line > line || line > FILE_MAX || mark.bytes > FILE_MAX {
            return Err(reader.damaged("place in a file"));
        }
        let (device, inode) = (reader.uint()?, reader.uint()?);
        let head = Head {
            length: reader.uint()?,
            checksum: reader.narrow()?,
        };
        if head.length > HEAD_BYTES as u64 {
            return Err(reader.damaged("length of a head"));
        }
        Ok(FilePlace {
            mark,
            identity: Identity {
                device,
                inode,
                head,
            },
        })
    }
}

impl FolderPlace {
    pub(super) fn position(&self) -> SourcePosition {
        let mut place = begin(Kind::Folder);
        put_str(&mut place, &self.name);
        put_bool(&mut place, self.ended);
        self.file.put(&mut place);
        SourcePosition {
            offset: self.file.mark.line,
            place,
        }
    }

    /// What [`position`](FolderPlace::position) wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, or another kind of source wrote them.
    pub(super) fn read(name: &str, position: &SourcePosition) -> Result<FolderPlace, Error> {
        read(name, Kind::Folder, position, |reader| {
            Ok(FolderPlace {
                name: reader.str()?.to_owned(),
                ended: reader.bool()?,
                file: FilePlace::take(reader, position.offset)?,
            })
        })
    }
}

/// Begins the bytes of a place.
pub(super) fn begin(kind: Kind) -> Vec<u8> {
    vec![VERSION, kind as u8]
}

/// Reads a place; `take` gets what follows the kind, and has to read all of it.
///
/// # Errors
/// When the bytes are damaged, or of another version or kind. The message names the source.
pub(super) fn read<T>(
    name: &str,
    kind: Kind,
    position: &SourcePosition,
    take: impl FnOnce(&mut Reader<'_>) -> Result<T, Damaged>,
) -> Result<T, Error> {
    let mut reader = Reader::new(&position.place);
    let damaged = |damaged: Damaged| {
        Error(format!(
            "source \"{name}\": the place at which it is to go on is damaged: {damaged}; go on from an older checkpoint"
        ))
    };
    let version = reader.byte().map_err(damaged)?;
    if version != VERSION {
        return Err(Error(format!(
            "source \"{name}\": the place at which it is to go on has version {version}, and only {VERSION} is known; use the version of leitmotif that wrote it, or a newer one"
        )));
    }
    let wrote = reader.byte().map_err(damaged)?;
    if wrote != kind as u8 {
        let was = match wrote {
            1 => "a file",
            2 => "a folder",
            3 => "made-up events",
            4 => "a topic",
            _ => "something else",
        };
        return Err(Error(format!(
            "source \"{name}\" was {was} when the state was written; name that again, or give the source another name to read it from its beginning"
        )));
    }
    let place = take(&mut reader).map_err(damaged)?;
    reader.end().map_err(damaged)?;
    Ok(place)
}

/// The position of a partition, if there is one.
pub(super) fn of_partition(
    positions: &[(u32, SourcePosition)],
    partition: u32,
) -> Option<&SourcePosition> {
    let found = positions.iter().find(|(number, _)| *number == partition);
    found.map(|(_, position)| position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place() -> FilePlace {
        FilePlace {
            mark: Mark {
                bytes: 300,
                line: 12,
                first_line: 2,
                behind: Behind::End,
                untouched: false,
            },
            identity: Identity {
                device: 1,
                inode: 200,
                head: Head::of(b"123456789"),
            },
        }
    }

    #[test]
    fn places_are_these_bytes() {
        let file = [
            0xac, 2, // bytes
            2, // first line
            2, // at the end
            0, // touched
            1, // device
            0xc8, 1, // inode
            9, // length of the head
            0xa6, 0xf2, 0xd0, 0xdf, 0x0c, // 0xcbf43926
        ];
        let position = place().position();
        assert_eq!(position.offset, 12);
        assert_eq!(position.place, [&[1, 1][..], &file].concat());
        assert_eq!(FilePlace::read("a", &position), Ok(place()));
        let folder = FolderPlace {
            name: "a.csv".to_owned(),
            ended: true,
            file: place(),
        };
        let position = folder.position();
        let wanted = [&[1, 2, 5][..], b"a.csv", &[1], &file].concat();
        assert_eq!(position.place, wanted);
        assert_eq!(FolderPlace::read("a", &position), Ok(folder));
    }

    #[test]
    fn a_place_of_another_kind_or_version_is_refused() {
        let mut position = place().position();
        let error = FolderPlace::read("in/", &position).unwrap_err().to_string();
        assert_eq!(
            error,
            "source \"in/\" was a file when the state was written; name that again, or give the source another name to read it from its beginning"
        );
        position.place[0] = 2;
        let error = FilePlace::read("a.csv", &position).unwrap_err().to_string();
        assert!(
            error.starts_with("source \"a.csv\": the place at which it is to go on has version 2, and only 1 is known"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn damaged_places_are_errors_that_name_the_source(cut in 0_usize..16, at in 2_usize..16, byte: u8, noise: Vec<u8>) {
            let whole = place().position();
            let check = |place: Vec<u8>| {
                let damaged = SourcePosition { offset: whole.offset, place };
                for read in [FilePlace::read("a", &damaged).map(drop), FolderPlace::read("a", &damaged).map(drop)] {
                    if let Err(error) = read {
                        assert!(error.to_string().starts_with("source \"a\""), "{error}");
                    }
                }
            };
            let mut changed = whole.place.clone();
            if let Some(changed) = changed.get_mut(at) {
                *changed = byte;
            }
            check(changed);
            check(noise.clone());
            check([&[1, 2][..], &noise].concat());
            let short = SourcePosition { offset: 12, place: whole.place[..cut.min(whole.place.len() - 1)].to_vec() };
            prop_assert!(FilePlace::read("a", &short).is_err());
            let long = SourcePosition { offset: 12, place: [&whole.place[..], &[0]].concat() };
            prop_assert!(FilePlace::read("a", &long).is_err());
        }
    }
}
