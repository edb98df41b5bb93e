//! What is kept of a position besides its offset: which partition of which topic it is.
//!
//! The topic's name and the partition. The number of the partition in the source is not among it: it may be another one when topics were added.

use crate::source::place::{self, Kind};
use crate::source::{Error, SourcePosition};
use crate::wire::{put_str, put_uint};

/// A place in a topic: where reading goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOffset {
    /// The topic.
    pub topic: String,
    /// The partition of the topic.
    pub partition: i32,
    /// The offset of the next record.
    pub offset: u64,
}

impl TopicOffset {
    /// As a source keeps it.
    #[must_use]
    pub fn position(&self) -> SourcePosition {
        let mut place = place::begin(Kind::Topic);
        put_str(&mut place, &self.topic);
        put_uint(&mut place, self.partition.unsigned_abs().into());
        SourcePosition {
            offset: self.offset,
            place,
        }
    }

    /// Out of what the source of this name kept.
    ///
    /// # Errors
    /// When it is not a position of a topic, or of a version to come.
    pub fn of(source: &str, position: &SourcePosition) -> Result<TopicOffset, Error> {
        let (topic, partition) = place::read(source, Kind::Topic, position, |reader| {
            Ok((reader.str()?.to_owned(), reader.narrow::<i32>()?))
        })?;
        Ok(TopicOffset {
            topic,
            partition,
            offset: position.offset,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_nothing_else_is() {
        let offset = TopicOffset {
            topic: "cards".to_owned(),
            partition: 300,
            offset: 1 << 40,
        };
        let position = offset.position();
        assert_eq!(position.place, b"\x01\x04\x05cards\xac\x02");
        assert_eq!(TopicOffset::of("cards", &position), Ok(offset));
        for place in [
            &b""[..],
            b"\x02\x04\x00\x00",
            b"\x01\x01\x01c\x00",
            b"\x01\x04\x09cards",
            b"\x01\x04\x01c\x00\x00",
        ] {
            let position = SourcePosition {
                offset: 1,
                place: place.to_vec(),
            };
            let error = TopicOffset::of("cards", &position).unwrap_err().to_string();
            assert!(error.starts_with("source \"cards\""), "{error}");
        }
    }
}
