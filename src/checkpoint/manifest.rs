//! What a checkpoint says of itself: `manifest`, one file per epoch. `docs/checkpoint.md` has it byte by byte.

use std::hash::Hasher as _;

use crate::epoch::Epoch;
use crate::lang::scalar::StableHasher;
use crate::source::SourcePosition;
use crate::store::files::FileEntry;
use crate::wire::{Damaged, Reader, put_bool, put_bytes, put_fixed, put_int, put_str, put_uint};

/// What the file begins with.
const MAGIC: &[u8; 7] = b"LMCHKPT";

/// The version that is written. Earlier ones are read.
const VERSION: u8 = 1;

/// Why a checkpoint was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By itself; the oldest ones are removed.
    Checkpoint,
    /// Because somebody asked for it; never removed by itself.
    Savepoint,
}

/// A checkpoint but for the bytes in its stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Which one.
    pub epoch: Epoch,
    /// Why it was made.
    pub kind: Kind,
    /// A number of the state folder's own, made once at random: outputs know by it whose rows they hold.
    pub state_id: u64,
    /// When it was made, by the wall clock, in epoch milliseconds.
    pub made_ms: i64,
    /// True when all sources had ended: nothing follows.
    pub ended: bool,
    /// Up to where event time had passed, in every shard; epoch milliseconds.
    pub watermark_ms: i64,
    /// The event types of events that are kept, by the number that those have.
    pub types: Vec<StoredType>,
    /// Names of all patterns, by the number that rows and events of streams have.
    pub patterns: Vec<String>,
    /// Whose the states are, by the number in their keys.
    pub families: Vec<StoredFamily>,
    /// Where each source goes on.
    pub sources: Vec<StoredSource>,
    /// What each output needs to go on, by its place.
    pub sinks: Vec<(String, Vec<u8>)>,
    /// Rows that had not left; the engine's own encoding.
    pub rows: Vec<u8>,
    /// By shard.
    pub shards: Vec<StoredShard>,
}

/// An event type as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredType {
    /// Its name.
    pub name: String,
    /// Names of its fields in order.
    pub fields: Vec<String>,
}

/// Patterns that share states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFamily {
    /// By number of the variant.
    pub patterns: Vec<StoredPattern>,
    /// More than the number of any event that its states have seen.
    pub number: u64,
}

/// A pattern whose state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPattern {
    /// Its name.
    pub name: String,
    /// States written under one structure can be read under the same.
    pub structure: u64,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSource {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: Vec<StoredPartition>,
}

/// A partition of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPartition {
    /// Its number.
    pub number: u32,
    /// Where it goes on; `None` if it cannot be read again.
    pub position: Option<SourcePosition>,
    /// How far its time has come; the engine's own encoding.
    pub time: Vec<u8>,
}

/// What one shard had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredShard {
    /// Events in flight; the engine's own encoding.
    pub flow: Vec<u8>,
    /// Files of its store.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// Of a checkpoint that holds nothing, for tests to fill.
    #[cfg(test)]
    pub(super) fn bare(epoch: Epoch) -> Manifest {
        Manifest {
            epoch,
            kind: Kind::Checkpoint,
            state_id: 7,
            made_ms: 0,
            ended: false,
            watermark_ms: 0,
            types: Vec::new(),
            patterns: Vec::new(),
            families: Vec::new(),
            sources: Vec::new(),
            sinks: Vec::new(),
            rows: Vec::new(),
            shards: Vec::new(),
        }
    }

    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        put_uint(&mut out, self.epoch.0);
        out.push(match self.kind {
            Kind::Checkpoint => 0,
            Kind::Savepoint => 1,
        });
        put_fixed(&mut out, self.state_id);
        put_int(&mut out, self.made_ms);
        put_bool(&mut out, self.ended);
        put_int(&mut out, self.watermark_ms);
        list(&mut out, &self.types, |out, ty| {
            put_str(out, &ty.name);
            list(out, &ty.fields, |out, field| put_str(out, field));
        });
        list(&mut out, &self.patterns, |out, name| put_str(out, name));
        list(&mut out, &self.families, |out, family| {
            list(out, &family.patterns, |out, pattern| {
                put_str(out, &pattern.name);
                put_fixed(out, pattern.structure);
            });
            put_uint(out, family.number);
        });
        list(&mut out, &self.sources, |out, source| {
            put_str(out, &source.name);
            list(out, &source.partitions, |out, partition| {
                put_uint(out, u64::from(partition.number));
                put_bool(out, partition.position.is_some());
                if let Some(position) = &partition.position {
                    put_uint(out, position.offset);
                    put_bytes(out, &position.place);
                }
                put_bytes(out, &partition.time);
            });
        });
        list(&mut out, &self.sinks, |out, (name, prepared)| {
            put_str(out, name);
            put_bytes(out, prepared);
        });
        put_bytes(&mut out, &self.rows);
        list(&mut out, &self.shards, |out, shard| {
            put_bytes(out, &shard.flow);
            list(out, &shard.files, |out, file| {
                put_str(out, &file.name);
                put_uint(out, file.length);
                put_uint(out, u64::from(file.checksum));
            });
        });
        let checksum = checksum(&out);
        put_fixed(&mut out, checksum);
        out
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is not what was written, or of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Manifest, Damaged> {
        let body = bytes.len().checked_sub(8);
        let whole = body.and_then(|length| bytes.split_at_checked(length));
        let mut reader = Reader::new(whole.map_or(&[][..], |(body, _)| body));
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(reader.damaged("manifest of a checkpoint"));
        }
        if reader.byte()? != VERSION {
            return Err(reader.damaged("version of a manifest that this version can read"));
        }
        let (body, sum) = whole.expect("it has a beginning");
        if Reader::new(sum).fixed()? != checksum(body) {
            return Err(reader.damaged("right checksum"));
        }
        let manifest = Manifest::read(&mut reader)?;
        reader.end()?;
        Ok(manifest)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Manifest, Damaged> {
        Ok(Manifest {
            epoch: Epoch(reader.uint()?),
            kind: match reader.byte()? {
                0 => Kind::Checkpoint,
                1 => Kind::Savepoint,
                _ => return Err(reader.damaged("kind of checkpoint")),
            },
            state_id: reader.fixed()?,
            made_ms: reader.int()?,
            ended: reader.bool()?,
            watermark_ms: reader.int()?,
            types: all(reader, |reader| {
                Ok(StoredType {
                    name: text(reader)?,
                    fields: all(reader, text)?,
                })
            })?,
            patterns: all(reader, text)?,
            families: all(reader, |reader| {
                Ok(StoredFamily {
                    patterns: all(reader, |reader| {
                        Ok(StoredPattern {
                            name: text(reader)?,
                            structure: reader.fixed()?,
                        })
                    })?,
                    number: reader.uint()?,
                })
            })?,
            sources: all(reader, |reader| {
                Ok(StoredSource {
                    name: text(reader)?,
                    partitions: all(reader, partition)?,
                })
            })?,
            sinks: all(reader, |reader| {
                Ok((text(reader)?, reader.bytes()?.to_vec()))
            })?,
            rows: reader.bytes()?.to_vec(),
            shards: all(reader, |reader| {
                Ok(StoredShard {
                    flow: reader.bytes()?.to_vec(),
                    files: all(reader, |reader| {
                        Ok(FileEntry {
                            name: text(reader)?,
                            length: reader.uint()?,
                            checksum: reader.narrow()?,
                        })
                    })?,
                })
            })?,
        })
    }
}

fn partition(reader: &mut Reader<'_>) -> Result<StoredPartition, Damaged> {
    Ok(StoredPartition {
        number: reader.narrow()?,
        position: match reader.bool()? {
            false => None,
            true => Some(SourcePosition {
                offset: reader.uint()?,
                place: reader.bytes()?.to_vec(),
            }),
        },
        time: reader.bytes()?.to_vec(),
    })
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = StableHasher::default();
    hasher.write(bytes);
    hasher.write_u64(bytes.len() as u64);
    hasher.finish()
}

/// Appends a count and each of the things.
fn list<T>(out: &mut Vec<u8>, things: &[T], mut put: impl FnMut(&mut Vec<u8>, &T)) {
    put_uint(out, things.len() as u64);
    things.iter().for_each(|thing| put(out, thing));
}

/// Reads a count and each of the things.
fn all<T>(
    reader: &mut Reader<'_>,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<T, Damaged>,
) -> Result<Vec<T>, Damaged> {
    let count = reader.count()?;
    (0..count).map(|_| one(reader)).collect()
}

fn text(reader: &mut Reader<'_>) -> Result<String, Damaged> {
    Ok(reader.str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            epoch: Epoch(42),
            kind: Kind::Savepoint,
            state_id: 7,
            made_ms: 1_700_000_000_000,
            ended: false,
            watermark_ms: -5,
            types: vec![StoredType {
                name: "Txn".to_owned(),
                fields: vec!["at".to_owned(), "card".to_owned()],
            }],
            patterns: vec!["probe".to_owned()],
            families: vec![StoredFamily {
                patterns: vec![StoredPattern {
                    name: "probe".to_owned(),
                    structure: u64::MAX,
                }],
                number: 300,
            }],
            sources: vec![StoredSource {
                name: "cards".to_owned(),
                partitions: vec![
                    StoredPartition {
                        number: 0,
                        position: Some(SourcePosition {
                            offset: 9,
                            place: vec![1, 2],
                        }),
                        time: vec![3],
                    },
                    StoredPartition {
                        number: 1,
                        position: None,
                        time: Vec::new(),
                    },
                ],
            }],
            sinks: vec![("alerts.ndjson".to_owned(), vec![1, 0])],
            rows: vec![5],
            shards: vec![StoredShard {
                flow: vec![6, 7],
                files: vec![FileEntry {
                    name: "000012.sst".to_owned(),
                    length: 1_000,
                    checksum: 99,
                }],
            }],
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        assert_eq!(Manifest::decode(&manifest().encode()), Ok(manifest()));
    }

    #[test]
    fn a_manifest_that_is_cut_or_changed_anywhere_is_refused() {
        let bytes = manifest().encode();
        for length in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..length]).is_err(), "{length}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Manifest::decode(&changed).is_err(), "{at}");
        }
    }
}
