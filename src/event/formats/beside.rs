//! Texts that stand before a record of a binary format and become fields of the event: the key, headers.
//!
//! Each is its length and one, seven bits a byte, lowest first, and its bytes; a single zero stands for none. Fields of the record itself that are called
//! the same win.

use super::paths::{PathTree, ROOT};
use super::token::{Cut, Token};
use super::{Flaw, Malformed};
use crate::wire::Reader;
#[cfg(any(test, feature = "kafka"))]
use crate::wire::put_uint;

/// Names of the texts, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside(pub Vec<String>);

/// Appends a text that is to stand before a record.
#[cfg(any(test, feature = "kafka"))]
pub(crate) fn put(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        None => out.push(0),
        Some(text) => {
            put_uint(out, text.len() as u64 + 1);
            out.extend_from_slice(text);
        }
    }
}

/// Reads them.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    /// Names with the slots that they go into.
    slots: Vec<(String, Option<u32>)>,
}

impl Texts {
    pub(super) fn new(beside: &Beside, tree: &PathTree) -> Texts {
        let slot = |name: &String| {
            let mut read = tree.read(ROOT);
            let found = read.find(|(read, _)| *read == name.as_bytes());
            (name.clone(), found.and_then(|(_, found)| found.slot))
        };
        Texts {
            slots: beside.0.iter().map(slot).collect(),
        }
    }

    /// Puts the texts into their slots; gives the record that follows.
    #[inline]
    pub(super) fn read<'a>(
        &self,
        record: &'a [u8],
        slots: &mut [Token],
        text: &mut String,
    ) -> Result<&'a [u8], Malformed> {
        let mut rest = record;
        for (name, slot) in &self.slots {
            let mut reader = Reader::new(rest);
            let length = reader.uint().map_err(|_| cut_off())?;
            let after = reader.rest();
            let token = match usize::try_from(length)
                .ok()
                .map(|length| length.checked_sub(1))
            {
                Some(None) => {
                    rest = after;
                    Token::Null
                }
                Some(Some(length)) if length <= after.len() => {
                    let (bytes, after) = after.split_at(length);
                    rest = after;
                    let start = text.len();
                    if slot.is_some() {
                        text.push_str(std::str::from_utf8(bytes).map_err(|_| no_text(name))?);
                    }
                    Token::Text(Cut {
                        start: start as u32,
                        end: text.len() as u32,
                    })
                }
                _ => return Err(cut_off()),
            };
            if let Some(slot) = slot {
                slots[*slot as usize] = token;
            }
        }
        Ok(rest)
    }
}

fn no_text(name: &str) -> Malformed {
    Malformed {
        flaw: Flaw::Field,
        reason: format!("field \"{name}\": what stands beside the record is not UTF-8"),
    }
}

/// A record that was cut because it is too large.
fn cut_off() -> Malformed {
    Malformed {
        flaw: Flaw::Size,
        reason: "what stands beside the record is too large".to_owned(),
    }
}
