//! What a sink gives to a checkpoint for it to keep: a byte for the version, one for the kind of sink, then that kind's own.

use super::Error;
use crate::epoch::Epoch;
use crate::wire::{Damaged, Reader};

/// Which version of all kinds is written.
const VERSION: u8 = 1;

/// Whose bytes they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File = 1,
    Folder = 2,
    /// Rows that wait for the commit.
    Rows = 3,
    /// A topic, whose broker decides which epoch is committed.
    Topic = 4,
}

impl Kind {
    /// The bytes that all of this kind begin with.
    pub(super) fn begin(self) -> Vec<u8> {
        vec![VERSION, self as u8]
    }

    /// Reads the bytes that all of this kind begin with; `body` reads what follows, to the end.
    pub(super) fn read<'a, T>(
        self,
        bytes: &'a [u8],
        body: impl FnOnce(&mut Reader<'a>) -> Result<T, Damaged>,
    ) -> Result<T, Damaged> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != VERSION {
            return Err(reader.damaged("known version"));
        }
        if reader.byte()? != self as u8 {
            return Err(reader.damaged("output of this kind"));
        }
        let body = body(&mut reader)?;
        reader.end()?;
        Ok(body)
    }

    /// True if the bytes begin as those of this kind.
    pub(super) fn is_of(self, bytes: &[u8]) -> bool {
        bytes.starts_with(&[VERSION, self as u8])
    }
}

/// True if whoever took these rows decides whether the epoch is committed, and not the state folder.
pub(crate) fn decides(kept: &[u8]) -> bool {
    Kind::Topic.is_of(kept)
}

/// What was kept cannot be read.
pub(super) fn unreadable(output: &str, epoch: Epoch, damaged: &Damaged) -> Error {
    Error::usage(format!(
        "output \"{output}\": what checkpoint {epoch} kept of it is not what it should be: {damaged}; restore another checkpoint, or name another place"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_another_version_or_kind_are_refused() {
        let kept = Kind::Folder.begin();
        assert_eq!(kept, [1, 2]);
        let read = |kind: Kind, bytes: &[u8]| {
            kind.read(bytes, |_| Ok(()))
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(Kind::Folder, &kept), Ok(()));
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(
            read(Kind::File, &kept),
            error("no output of this kind at byte 2")
        );
        assert_eq!(
            read(Kind::Folder, &[2, 2]),
            error("no known version at byte 1")
        );
        assert_eq!(read(Kind::Folder, &[]), error("no byte at byte 0"));
        assert_eq!(read(Kind::Folder, &[1, 2, 0]), error("no end at byte 2"));
    }
}
