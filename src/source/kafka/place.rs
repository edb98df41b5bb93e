//! What is kept of a position besides its offset: which partition of which topic it is.
//!
//! Byte 1 (the version) · the topic's name with its length · the partition. The number of the partition in the source is not among it: it may be another one
//! when topics were added.

use crate::source::{Error, SourcePosition};
use crate::wire::{Damaged, Reader, put_str, put_uint};

const VERSION: u8 = 1;

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
        let mut place = vec![VERSION];
        put_str(&mut place, &self.topic);
        put_uint(&mut place, self.partition.unsigned_abs().into());
        SourcePosition {
            offset: self.offset,
            place,
        }
    }

    /// Out of what a source kept.
    ///
    /// # Errors
    /// When it is not a position of a Kafka source, or of a version to come.
    pub fn of(position: &SourcePosition) -> Result<TopicOffset, Error> {
        let read = || -> Result<TopicOffset, Damaged> {
            let mut reader = Reader::new(&position.place);
            if reader.byte()? != VERSION {
                return Err(reader.damaged("known version"));
            }
            let topic = reader.str()?.to_owned();
            let partition = reader.narrow::<i32>()?;
            reader.end()?;
            Ok(TopicOffset {
                topic,
                partition,
                offset: position.offset,
            })
        };
        read().map_err(|damaged| {
            Error(format!(
                "a position is none of a topic: {damaged}; was this source another one when the state was written? give it its old address, or another name"
            ))
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
        assert_eq!(position.place, b"\x01\x05cards\xac\x02");
        assert_eq!(TopicOffset::of(&position), Ok(offset));
        for place in [
            &b""[..],
            b"\x02\x00\x00",
            b"\x01\x09cards",
            b"\x01\x01c\x00\x00",
        ] {
            let position = SourcePosition {
                offset: 1,
                place: place.to_vec(),
            };
            let error = TopicOffset::of(&position).unwrap_err().to_string();
            assert!(error.contains("none of a topic"), "{error}");
        }
    }
}
